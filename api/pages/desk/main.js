// The desk: who is signed in, which calls there are, which of them has the page; everything else it only shows.
import { asks, because } from './acts.js';
import { toDial } from './dial.js';
import { h, renew, tick } from './dom.js';
import { gaps, unreached } from './gaps.js';
import { deviceOf, heightsOfDay } from './lift.js';
import { Raise } from './raise.js';
import { refusal } from './refusals.js';
import { ordered, rescueOf, rescueShort } from './rescue.js';
import { allow, audible, ring } from './ring.js';
import { ask, follow, Refused } from './server.js';
import { Talk } from './talk.js';
import { clockTime, now, placeName, speak, speaks, t } from './text.js';
import { showCall } from './view.js';
import { forget, work } from './work.js';

const LIST_MILLISECONDS = 10_000; // The stream tells at once; the list finds out that the stream is dead.
const SIGNALS_MILLISECONDS = 3000;
const PAGES_MILLISECONDS = 3000;
const PLAN_MILLISECONDS = 30_000;
const RECENT = 12;
const PATHS = { on_the_way: 'on-the-way', cannot_come: 'cannot-come', on_site: 'on-site', not_on_site: 'not-on-site', end_of_alarm: 'end-of-alarm' };

const find = (id) => document.getElementById(id);
const calls = new Map();
let me = null, ended = false, leaving = false, online = true, selected = '', recent = null, missing = [], unfollow = null, listing = false;
const nothing = () => ({ events: [], signals: [], heights: [], pages: [], device: null });
let seen = nothing();
const silenced = new Set(), rung = new Set();

const desk = { talk: new Talk(() => render()), work, begin, act };
const raising = new Raise((call) => { keep(call); select(call.id); }, () => render());

// ---- what is known

async function load() {
  if (listing || me === null) return;
  listing = true;
  try {
    const { items } = await ask('GET', '/emergency-calls?open=true&limit=200');
    take(items);
    if (!calls.size) recent = (await ask('GET', `/emergency-calls?limit=${RECENT}`)).items;
    reached(true);
  } catch (error) {
    lost(error);
  } finally {
    listing = false;
    settle();
  }
}

/** Show the most urgent call where none is shown. */
function settle() {
  const first = ordered([...calls.values()].filter((call) => call.open))[0];
  if (me !== null && !selected && first) select(first.id);
  else render();
}

function take(items) {
  const open = new Set(items.map((call) => call.id));
  for (const id of calls.keys()) if (!open.has(id) && id !== selected) drop(id);
  items.forEach(keep);
  if (selected && !open.has(selected) && calls.get(selected)?.open) refresh(selected);
}

function drop(id) {
  calls.delete(id);
  forget(id);
}

function keep(call) {
  const before = calls.get(call.id);
  if (before && before.version > call.version) return;
  calls.set(call.id, call);
  quieten(call);
  withdraw(call);
  if (call.state === 'ringing' && !rung.has(call.id)) arrived(call);
  if (call.id === selected && before?.version !== call.version) look();
}

/** What has ended rings anew when it comes again. */
function quieten(call) {
  if (call.state !== 'ringing') rung.delete(call.id);
  const now = reasons(call);
  for (const reason of silenced) if (reason.startsWith(call.id) && !now.includes(reason)) silenced.delete(reason);
}

/** Take a form away whose act cannot be done any more, and say why. */
function withdraw(call) {
  const mine = work(call.id), act = mine.open;
  if (!act || mine.busy || !because(act, call)) return;
  Object.assign(mine, { open: '', problem: () => t('form_gone', { act: t(`act_${act}`), why: because(act, call) }) });
}

/** A call takes the page over, unless another one is being worked on: then its tab and the tone have to do. */
function arrived(call) {
  rung.add(call.id);
  const current = calls.get(selected);
  const working = work(selected).open || desk.talk.live || (current && current.open && current.state !== 'ringing' && current.answered_by === me.name);
  if (!working) select(ordered(calls.values())[0].id);
}

/** Look for steps that reach no person; what stands wrong is to be mended while nobody calls. */
async function lookAtPlan() {
  if (me === null || calls.size || document.hidden) return;
  try {
    missing = await unreached();
  } catch (error) {
    lost(error);
  }
  render();
}

async function refresh(id) {
  try {
    const { pages, ...call } = await ask('GET', `/emergency-calls/${id}`);
    if (id === selected) seen.pages = pages;
    keep(call);
    reached(true);
  } catch (error) {
    lost(error);
  }
  settle();
}

/** Read what belongs to the selected call alone. */
async function look() {
  const id = selected;
  if (!id) return;
  try {
    const [history, whole] = await Promise.all([ask('GET', `/emergency-calls/${id}/events`), ask('GET', `/emergency-calls/${id}`)]);
    if (id !== selected) return;
    Object.assign(seen, { events: history.items, pages: whole.pages });
  } catch (error) {
    lost(error);
  }
  render();
}

/** Delivering is no event of a call: ask again while something is on its way. */
function lookAtPages() {
  if (!document.hidden && seen.pages.some((page) => page.status === 'waiting')) look();
}

async function lookAtLift() {
  const id = selected, call = calls.get(id);
  if (!call?.place.lift || !call.open || document.hidden) return;
  try {
    const device = deviceOf(call.place.lift).then((found) => { if (id === selected) seen.device = found; });
    const { series } = await ask('GET', `/emergency-calls/${id}/signals`);
    if (id === selected) seen.signals = series;
    await device;
  } catch (error) {
    if (error.status < 500) lost(error); // Calls come all the same while the telemetry store is away.
  }
  render();
}

function select(id) {
  if (id === selected) return;
  selected = id;
  seen = nothing();
  const call = calls.get(id);
  if (call?.place.lift) {
    heightsOfDay(call.place.lift, now.get()).then((found) => { if (id === selected) seen.heights = found; }, () => undefined);
  }
  look();
  lookAtLift();
  render();
}

function leave() {
  drop(selected);
  selected = '';
  settle();
  load();
  lookAtPlan();
}

function reached(now) {
  online = now;
}

function lost(error) {
  if (error instanceof Refused && error.status === 401) { signedOut({ byItself: me !== null && !leaving }); return; }
  if (!(error instanceof Refused)) throw error;
  if (error.status === 0 || error.status >= 500) online = false;
}

// ---- what is done

/** Open the form of `name`, or put it away; `about` is what it begins with. */
function begin(id, name, about = '') {
  const mine = work(id), there = mine.open === name && mine.about === about;
  mine.problem = null;
  if (name && !asks(name)) { act(id, name); return; }
  Object.assign(mine, { open: there ? '' : name, about });
  render();
  const chosen = document.querySelector('.act-form input[name=who]:checked');
  (chosen ?? document.querySelector('.act-form input, .act-form select, .act-form button'))?.focus();
}

async function act(id, name, body) {
  const mine = work(id), call = calls.get(id);
  if (mine.busy) return;
  if (name === 'answer' && call.source === 'resident') desk.talk.start(id);
  Object.assign(mine, { busy: true, problem: null });
  render();
  try {
    const done = await ask('POST', `/emergency-calls/${id}/${PATHS[name] ?? name}`, body);
    if (mine.open === name) Object.assign(mine, { open: '', menu: false });
    keep(done);
  } catch (error) {
    lost(error);
    if (name === 'answer' && error.status === 409 && desk.talk.call === id) desk.talk.stop();
    await refresh(id);
    const stands = calls.get(id) ?? call;
    mine.problem = () => refusal(error, name, stands);
    if (because(name, stands)) mine.open = '';
  } finally {
    mine.busy = false;
    if (calls.has(id)) withdraw(calls.get(id));
    if (id === selected) look();
    render();
    if (id === selected && document.activeElement === document.body) document.querySelector('.buttons button')?.focus();
  }
}

async function signIn(event) {
  event.preventDefault();
  allow(render);
  const note = event.target.querySelector('.problem');
  try {
    me = await ask('POST', '/session', { token: new FormData(event.target).get('token').trim() });
    ended = false;
    begun();
  } catch (error) {
    note.textContent = error.status === 401 ? t('token_wrong') : refusal(error);
  }
}

async function signOut() {
  leaving = true;
  await ask('DELETE', '/session').catch(() => undefined);
  leaving = false;
  signedOut({ byItself: false });
}

/** Nobody wanted it where it happened by itself: then the page calls for somebody who signs in. */
function signedOut({ byItself }) {
  ended ||= byItself;
  desk.talk.stop();
  raising.forget();
  unfollow?.();
  unfollow = me = recent = null;
  missing = [];
  for (const known of [calls, silenced, rung]) known.clear();
  forget();
  selected = '';
  online = true;
  render();
}

function begun() {
  unfollow ??= follow((event) => refresh(event.call), load, () => { online = false; render(); });
  load();
  lookAtPlan();
}

// ---- what is shown

function render() {
  document.documentElement.dataset.signed = String(me !== null);
  const call = calls.get(selected), language = speaks();
  find('skip').textContent = t('skip');
  renew(find('bar'), [me, online, audible(), raising.open, language], bar);
  raising.show(find('raise'));
  renew(find('alarms'), [ended, me !== null && !online, wanted() && !audible(), language], alarms);
  const list = ordered(calls.values());
  renew(find('tabs'), [list.map((one) => [one.id, one.version, failed(one)]), selected, language], () => tabs(list));
  if (me !== null && call) showCall(find('main'), { ...seen, call }, desk);
  else showNoCall();
  backButton(call);
  sound(list);
}

function showNoCall() {
  const page = find('main');
  if (page.call !== null) { page.call = null; page.replaceChildren(h('div', {})); }
  renew(page.firstChild, [me, recent, missing, speaks()], me === null ? signInForm : idle);
}

function bar() {
  const other = speaks() === 'zh' ? 'en' : 'zh';
  return [h('strong', { class: 'brand' }, t('desk')),
    me && h('span', { class: online ? 'link up' : 'link down' }, h('i', {}), online ? t('online') : t('offline').split(/[：:]/)[0]),
    h('span', { class: 'fill' }),
    me && h('button', { type: 'button', id: 'raise-open', 'aria-expanded': String(raising.open), onclick: () => raising.toggle() }, t('raise')),
    me && audible() && h('span', { class: 'sound' }, t('sound_on')),
    h('button', { type: 'button', id: 'language', lang: other === 'zh' ? 'zh-CN' : 'en', onclick: () => { speak(other); render(); } }, t('language')),
    me && h('span', { class: 'me' }, me.name),
    me && h('button', { type: 'button', id: 'sign-out', onclick: signOut }, t('sign_out'))];
}

/** Whether somebody relies on this page. */
const wanted = () => me !== null || ended;

function alarms() {
  return [ended && h('p', { class: 'lost', id: 'signed-out' }, t('ended')),
    me !== null && !online && h('p', { class: 'lost', id: 'lost' }, t('offline')),
    wanted() && !audible() && h('button', { type: 'button', id: 'sound-off', class: 'sound-off', onclick: () => allow(render) }, t('sound_off'))];
}

/** Whether something did not succeed that is not to be seen, since another call is shown. */
const failed = (call) => call.id !== selected && work(call.id).problem !== null;

function tabs(list) {
  return list.map((call) => h('button', {
    type: 'button', id: `tab-${call.id}`, 'aria-current': call.id === selected ? 'true' : null,
    class: `tab state-${call.state}${call.drill ? ' drill' : ''}`, onclick: () => select(call.id),
  },
  call.drill && h('em', {}, t('drill')),
  h('b', {}, placeName(call.place)), h('span', {}, t(`state_${call.state}`)),
  failed(call) && h('strong', {}, t('act_failed')),
  h('span', { class: 'time', tick: (element) => { element.dataset.state = rescueOf(call).state; return rescueShort(call); } })));
}

function backButton(call) {
  const there = find('back');
  if (!call || call.open) { there?.remove(); return; }
  if (!there) find('main').firstChild.prepend(h('button', { type: 'button', id: 'back', class: 'back', onclick: leave }, `← ${t('back')}`));
}

function signInForm() {
  return h('form', { class: 'sign-in', 'data-form': 'sign-in', onsubmit: signIn }, h('h1', {}, t('desk')),
    h('label', { class: 'field' }, t('token'), h('input', { name: 'token', id: 'token', type: 'password', required: true, autocomplete: 'current-password' })),
    h('p', { class: 'hint' }, t('token_hint')), h('p', { class: 'problem', role: 'alert' }),
    h('button', { type: 'submit', class: 'primary big', id: 'sign-in' }, t('sign_in')));
}

function idle() {
  return [h('div', { class: 'quiet' }, h('h1', {}, t('quiet')), h('p', {}, t('quiet_hint')),
    h('button', { type: 'button', class: 'big', id: 'raise-idle', onclick: () => raising.open || raising.toggle() }, t('raise'))),
    gaps(missing),
    recent && h('section', { class: 'recent' }, h('h2', {}, t('recent')),
      recent.length ? h('ul', {}, recent.map(recentCall)) : h('p', { class: 'hint' }, t('none_yet')))];
}

function recentCall(call) {
  return h('li', {}, h('button', { type: 'button', id: `recent-${call.id}`, onclick: () => { calls.set(call.id, call); select(call.id); } },
    h('time', {}, clockTime(call.stamps.raised, { seconds: false })), h('b', {}, placeName(call.place)),
    call.drill && h('em', {}, t('drill')), h('span', {}, call.cause ? t(`cause_${call.cause}`) : t(`state_${call.state}`)),
    h('small', {}, t(`rescue_${{ running: 'left', half_time: 'half', overdue: 'over' }[call.rescue.state] ?? call.rescue.state}`))));
}

/** Why the desk rings for a call: nobody has taken it, or a number waits to be dialled. */
function reasons(call) {
  return [call.state === 'ringing' && call.id, ...toDial(call).map((step) => `${call.id} ${step.name}`)].filter(Boolean);
}

function sound(list) {
  if (me === null && ended) { ring(t('ended_title'), true); return; }
  const first = list.find((call) => reasons(call).length > 0);
  const loudly = list.flatMap(reasons).some((reason) => !silenced.has(reason));
  const why = first && t(first.state === 'ringing' ? 'new_call' : 'dial_now');
  ring(first ? `${first.drill ? `${t('drill')} ` : ''}${why} · ${placeName(first.place)}` : '', loudly);
  const button = find('silence'), loud = loudly && audible();
  if (!loud) button?.remove();
  else if (!button) {
    find('alarms').append(h('button', { type: 'button', id: 'silence', class: 'silence',
      onclick: () => { for (const call of calls.values()) reasons(call).forEach((reason) => silenced.add(reason)); render(); } }, t('silence')));
  }
}

async function start() {
  speak(speaks());
  render();
  try {
    me = await ask('GET', '/session');
    begun();
  } catch (error) {
    if (error.status !== 401) setTimeout(start, LIST_MILLISECONDS / 5);
  }
  render();
}

setInterval(tick, 250);
setInterval(load, LIST_MILLISECONDS);
setInterval(lookAtLift, SIGNALS_MILLISECONDS);
setInterval(lookAtPages, PAGES_MILLISECONDS);
setInterval(lookAtPlan, PLAN_MILLISECONDS);
// Not at the press of the pointer: a button that is drawn anew between press and release gets no click.
addEventListener('click', () => { if (wanted() && !audible()) allow(render); });
start();
