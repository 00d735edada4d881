// One call, from top to bottom: what it is, its clock, what to do, where it is, whom to call, what has happened.
import { alarmSounds, asks, form, possible } from './acts.js';
import { dialling, dialNow, numbers, toDial } from './dial.js';
import { h, pairs, phone, renew } from './dom.js';
import { liftOf } from './lift.js';
import { presentStep, rescueOf, taken } from './rescue.js';
import { shaft } from './shaft.js';
import { clockTime, now, placeName, span, speaks, t, titled, wait } from './text.js';

const STAMPS = ['raised', 'rang', 'answered', 'dispatched', 'on_the_way', 'on_site', 'freed', 'alarm_ended', 'abandoned', 'closed'];
const ALWAYS = ['raised', 'answered', 'dispatched', 'on_the_way', 'on_site', 'freed', 'closed'];
const STOPPED = ['on_site', 'freed', 'abandoned'];
const ABOVE = ['banner', 'head', 'progress'];
const COLUMNS = [['position', 'where'], ['todo', 'history'], ['who']];
const TODO = ['problem', 'dial', 'buttons', 'form', 'talk', 'others', 'menu'];

/** Fill `page` with a call. `seen` holds what the desk knows of it, `desk` what can be done. */
export function showCall(page, seen, desk) {
  if (page.call !== seen.call.id) {
    page.call = seen.call.id;
    const empty = (part) => h('section', { class: `part ${part}`, 'data-part': part });
    page.replaceChildren(h('div', { class: 'call' }, ABOVE.map(empty), h('div', { class: 'columns' },
      COLUMNS.map((parts) => h('div', { class: 'column' }, parts.map(empty))))));
  }
  const { call } = seen, language = speaks(), lift = liftOf(seen);
  page.firstChild.className = `call state-${call.state}${call.drill ? ' drill' : ''}`;
  const part = (name) => page.querySelector(`[data-part=${name}]`);
  renew(part('banner'), [call.drill, call.damaged, language], () => [
    call.drill && h('p', { class: 'drill-banner' }, t('drill_banner')),
    call.damaged && h('p', { class: 'damaged-banner' }, t('damaged_banner')),
  ]);
  renew(part('head'), [call, language], () => head(call));
  showTodo(part, call, desk, language);
  renew(part('position'), [call.place, call.people, call.caller, lift, language], () => position(call, lift));
  renew(part('where'), [call.place, call.people, lift, language], () => where(call, lift));
  renew(part('who'), [call.ladder, call.state, call.nearby, seen.pages, language], () => who(seen, desk));
  renew(part('progress'), [call.stamps, language], () => progress(call));
  renew(part('history'), [seen.events, call.drill, language], () => history(seen.events, call.drill));
}

function head(call) {
  const responder = call.responder;
  return [h('div', { class: 'title' },
    h('p', { class: 'state' }, h('strong', {}, t(`state_${call.state}`)), ` · ${t(`source_${call.source}`)}`,
      call.answered_by && ` · ${t('answered_by', { name: call.answered_by })}`),
    h('h1', {}, placeName(call.place)),
    h('p', { class: 'sub' }, [call.place.building, call.place.community].filter(Boolean).join(' · '),
      ' · ', t('since_call'), ' ', h('b', { tick: () => span((call.stamps.closed ? Date.parse(call.stamps.closed) : now.get()) - Date.parse(call.stamps.raised)) })),
    responder && h('p', { class: 'sub responder' }, `${t('responder')}: `, h('b', {}, responder.name), ' ',
      responder.phone && phone(responder.phone), ' ', responder.arrives_at && t('arrives_at', { time: clockTime(responder.arrives_at, { seconds: false }) })),
    call.further.length > 0 && h('p', { class: 'sub further' }, t('further', { names: call.further.join(t('comma')) })),
    call.responsible && h('p', { class: 'sub responsible', tick: () => responsible(call) }),
    call.taken_back_before.code > 0 && h('p', { class: 'sub taken-back' }, t('taken_back_before', call.taken_back_before)),
    call.cause && h('p', { class: 'sub' }, t('closed_with', { cause: t(`cause_${call.cause}`) }))),
  clock(call)];
}

/** Who has to act next, and what happens when they do not in time. */
function responsible({ state, responsible: { party, name, until } }) {
  const time = wait(Date.parse(until) - now.get());
  const then = STOPPED.includes(state) ? 'remind' : party === 'ladder' ? 'climb' : 'hand_on';
  return t('responsible', { who: t(`party_${party}`, { name }).trim(), then: t(`then_${then}`, { time }) });
}

function clock(call) {
  const time = h('b', { class: 'time', tick: (element) => {
    const { state, left } = rescueOf(call);
    element.parentNode?.setAttribute('data-state', state);
    return taken(call) === null ? state === 'none' ? '—' : span(left) : span(taken(call));
  } });
  const said = h('span', { class: 'said', tick: () => {
    const { state } = rescueOf(call);
    if (state === 'running') return t('rescue_left');
    return t({ half_time: 'rescue_half', overdue: 'rescue_over' }[state] ?? `rescue_${state}`);
  } });
  return h('div', { class: 'rescue', 'data-state': rescueOf(call).state, role: 'timer' },
    h('span', { class: 'label' }, t('rescue_clock')), time, said,
    call.rescue.by && call.open && h('span', { class: 'until' }, t('rescue_until', { time: clockTime(call.rescue.by, { seconds: false }) })));
}

/** Each of these by itself: a form that is being filled in is not disturbed by what happens meanwhile. */
function showTodo(part, call, desk, language) {
  const { next, others, risky } = possible(call), mine = desk.work(call.id);
  renew(part('todo'), [], () => TODO.map((name) => h('div', { class: name, 'data-part': name })));
  renew(part('problem'), [mine.problem?.()], () => mine.problem && h('p', { class: 'problem', role: 'alert' }, mine.problem()));
  const waiting = toDial(call);
  renew(part('dial'), [waiting, language], () => dialNow(waiting, (step) => desk.begin(call.id, 'dialled', step)));
  renew(part('buttons'), [next, mine.open, mine.busy, call.source, language], () => buttons(next, call, desk, 'big'));
  renew(part('form'), [mine.open, mine.about, call.declined, language], () => mine.open
    && form(mine.open, call, mine.about, (body) => desk.act(call.id, mine.open, body), () => desk.begin(call.id, '')));
  renew(part('talk'), [call.open, call.state === 'ringing', desk.talk.key(call), language], () => {
    const shown = desk.talk.view(call);
    return shown.length > 0 && [h('h3', {}, t('voice')), shown];
  });
  renew(part('others'), [others, mine.open, mine.busy, alarmSounds(call), language], () => others.length > 0
    && [alarmSounds(call) && h('p', { class: 'warn' }, t('alarm_first')), buttons(others, call, desk, 'small')]);
  renew(part('menu'), [risky, mine.open, mine.busy, language], () => risky.length > 0 && menu(risky, call, desk));
}

/** What ends something or takes it back: two presses away, and in sight while it was opened, or its form is. */
function menu(acts, call, desk) {
  const mine = desk.work(call.id);
  const details = h('details', { class: 'menu', open: mine.menu || acts.includes(mine.open), onkeydown: (event) => {
    if (event.key !== 'Escape') return;
    mine.menu = details.open = false;
    details.firstChild.focus();
  } }, h('summary', { id: 'menu', onclick: () => { mine.menu = !details.open; } }, t('more')), buttons(acts, call, desk, 'danger'));
  return details;
}

function buttons(acts, call, desk, size) {
  const { open, busy } = desk.work(call.id);
  const word = (act) => t(act === 'answer' && call.source !== 'resident' ? 'act_answer_only' : `act_${act}`);
  return h('div', { class: 'row' }, acts.map((act, index) => h('button', {
    type: 'button', id: `act-${act}`, class: `${size}${size === 'big' && index === 0 ? ' primary' : ''}`, 'aria-disabled': String(busy),
    'aria-expanded': asks(act) ? String(open === act) : null, onclick: () => desk.begin(call.id, act),
  }, word(act))));
}

const known = (value) => value !== undefined && value !== null;
const yes = (value, word) => (known(value) ? t(`${word}_${value ? 'yes' : 'no'}`) : '');
const worded = (value, word) => (known(value) ? t(`${word}_${value}`) : '');

/** What a rescuer asks first. */
function position({ place, people, caller: whoCalls }, { values, minutes, offline }) {
  const inside = [aged(yes(values.passenger_present, 'passenger'), minutes.passenger_present), known(people) && t('people_count', { count: people })];
  return [h('h2', {}, t('place')), offline && h('p', { class: 'warn offline' }, t('lift_offline')), pairs([
    [t('rescue_code'), place.rescue_code, 'code'],
    place.lift && [t('floor'), aged(values.floor, minutes.floor) || t('unknown'), 'strong floor'],
    place.lift && [t('door'), aged(worded(values.door_state, 'door'), minutes.door_state) || t('unknown'), 'strong door'],
    inside.some(Boolean) && [t('people_in_car'), h('span', {}, inside[0], inside[0] && inside[1] && ' · ', inside[1]), 'strong inside'],
    [t('caller'), caller(whoCalls)],
  ])];
}

/** A value of the lift; an old one is grey, with its age beside it. */
function aged(value, minutes) {
  if (!known(value) || value === '' || !minutes) return value;
  return h('span', { class: 'old' }, value, ' ', h('small', {}, age(minutes)));
}

function age(minutes) {
  if (minutes < 60) return t('minutes_old', { count: minutes });
  return minutes < 48 * 60 ? t('hours_old', { count: Math.floor(minutes / 60) }) : t('days_old', { count: Math.floor(minutes / 1440) });
}

function where({ place, people }, lift) {
  const { values, minutes } = lift;
  const power = known(values.main_power) ? t(values.main_power ? 'power_on' : 'power_off') : '';
  const row = (signal, word, value) => [t(word), value, minutes[signal] ? 'old' : null];
  return [h('h2', {}, t('lift')), h('div', { class: place.lift ? 'where-body' : '' },
    place.lift && h('figure', {}, shaft(lift.floors, values, { people, old: Boolean(minutes.floor) }),
      h('figcaption', {}, minutes.floor ? age(minutes.floor) : drawnAt(lift)), h('figcaption', { class: 'stops' }, drawnStops(lift))),
    pairs([
      row('direction', 'direction', worded(values.direction, 'direction')),
      row('door_zone', 'door_zone', yes(values.door_zone, 'door_zone')),
      row('main_power', 'main_power', power),
      row('service_mode', 'service_mode', worded(values.service_mode, 'service_mode')),
      row('load_kilograms', 'load', known(values.load_kilograms) ? `${Math.round(values.load_kilograms)} kg` : ''),
      [t('building'), place.building],
      [t('contractor'), place.contractor],
    ]))];
}

function drawnAt({ at, values }) {
  if (at) return t('signals_at', { time: clockTime(at) });
  return t(Object.keys(values).length ? 'signals_raised' : 'signals_none');
}

/** Which of the stops are drawn: never more than are known. */
function drawnStops({ floors, stops, values }) {
  if (!floors.length || (known(values.floor) && !floors.includes(values.floor))) return t('stops_unknown');
  if (stops === undefined) return t('stops_seen');
  return floors.length < stops ? t('stops_partly', { count: floors.length, stops }) : '';
}

function caller({ name, phone: number, text }) {
  if (!name && !number && !text) return t('caller_none');
  return h('span', {}, name, ' ', number && phone(number), text && h('q', {}, text));
}

function who(seen, desk) {
  const { call, pages } = seen, { ladder } = call, present = presentStep(call);
  const next = ladder.steps[ladder.told];
  const climbing = ladder.climb_at && h('p', { class: 'climb', tick: () => {
    const time = wait(Date.parse(ladder.climb_at) - now.get());
    if (next?.dial) return t(call.drill ? 'dial_in_drill' : 'dial_in', { time, step: titled(next), number: numbers(next) });
    return next ? t('climb_in', { time, step: titled(next) }) : t('climb_again', { time });
  } });
  return [h('h2', {}, t('contacts')), climbing || (call.open && h('p', { class: 'climb calm' }, t(call.state === 'abandoned' ? 'climb_taken_back' : 'climb_stopped'))),
    h('ol', { class: 'ladder' }, ladder.steps.map((step, index) => rung(call, step, {
      present: index === present && call.open, telling: telling(pages.filter((page) => page.step === index)),
    }, () => desk.begin(call.id, 'dialled', step.name)))),
    call.nearby.length > 0 && [h('h3', {}, t('nearby')), h('ul', { class: 'ladder' }, call.nearby.map((one) => h('li', {}, contact(one))))],
    pages.length > 0 && h('details', { id: 'pages' }, h('summary', {}, `${t('pages')} (${pages.length})`), h('ul', { class: 'pages' }, pages.map(told)))];
}

/** How telling stands, as far as messengers of persons say: `told` is only said of what one of them had. */
function telling(pages) {
  const found = ['delivered', 'waiting', 'failed'].find((status) => pages.some((page) => page.to_person && page.status === status));
  return { delivered: 'told', waiting: 'telling', failed: 'untold' }[found];
}

function rung(call, step, { present, telling: told }, dial) {
  const dialled = step.dialled ? 'dialled' : toDial(call).includes(step) ? 'to_dial' : step.due || call.drill || !call.open ? 'not_dialled' : 'dial_later';
  const mark = step.dial ? dialled : told ?? (step.due ? '' : 'next');
  return h('li', { class: `rung ${mark}${present ? ' now' : ''}${step.dial ? ' dial' : ''}`, 'aria-current': present ? 'step' : null },
    h('div', { class: 'step' }, h('b', {}, titled(step)), present && !step.dial && h('span', { class: 'here' }, t('step_now')),
      mark && h('span', { class: 'mark' }, t(`step_${mark}`)),
      step.reach === 'machines' && h('span', { class: 'by-hand' }, t('reaches_nobody'))),
    step.contacts.map(contact), step.dial && call.open && !call.drill && dialling(step, dial));
}

function contact(one) {
  return h('div', { class: 'contact' }, h('span', {}, titled(one), one.declined && h('em', { class: 'declined' }, t('declined'))), one.phone ? phone(one.phone) : h('small', {}, t('no_phone')));
}

function told(page) {
  const to = page.person ? `${page.person} (${page.receiver})` : page.receiver;
  return h('li', { class: page.status }, `${clockTime(page.at)} ${to} · ${t(`page_${page.kind}`)} · ${t(`page_${page.status}`)}`);
}

/** What has happened and what is still to come, from left to right. */
function progress(call) {
  const began = Date.parse(call.stamps.raised);
  const list = STAMPS.filter((name) => call.stamps[name] || ALWAYS.includes(name));
  const last = list.findLast((name) => call.stamps[name]);
  return h('ol', { class: 'stamps', 'aria-label': t('steps') }, list.map((name) => {
    const at = call.stamps[name];
    return h('li', { class: at ? 'done' : 'open', 'aria-current': name === last ? 'step' : null }, h('b', {}, t(`stamp_${name}`)),
      h('time', { datetime: at }, at ? clockTime(at, { seconds: false }) : '—'), h('small', {}, at && name !== 'raised' ? `+${span(Date.parse(at) - began)}` : ''));
  }));
}

function history(events, drill) {
  return [h('h2', {}, t('history')), h('ol', { class: 'events' }, [...events].reverse().map((event) => h('li', { class: `event-${event.kind}` },
    h('time', { datetime: event.at }, clockTime(event.at)),
    h('span', {}, eventWords(event, drill), event.text && h('q', {}, event.text)),
    h('small', {}, actor(event.actor)))))];
}

function eventWords({ kind, facts }, drill) {
  if (kind === 'step_told' && facts.again) return t('event_step_again');
  const step = titled({ title_zh: facts.zh, title_en: facts.en }) || facts.name;
  if (kind === 'to_be_dialled' && drill) return t('event_not_dialled', { step });
  return t(`event_${kind}`, { step, name: facts.name ?? t('someone_else'), cause: facts.cause && t(`cause_${facts.cause}`) });
}

const actor = (name) => (['caller', 'ladder', 'clock'].includes(name) ? t(`by_${name}`) : name);
