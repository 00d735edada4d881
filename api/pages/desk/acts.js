// What can be done to a call, as buttons and as the small form that some of them need.
import { codeField } from './code.js';
import { dialledFields } from './dial.js';
import { h } from './dom.js';
import { t, titled } from './text.js';

const CAUSES = ['external', 'human', 'door_system', 'control', 'drive', 'other', 'false_alarm'];
const MINUTES = [5, 10, 15, 20, 30];
const DECLINED = 'declined ';

/** What comes next in each state, the first of them first; the rest can be done as well. */
const NEXT = {
  ringing: ['answer', 'dispatch'],
  answered: ['dispatch', 'on_the_way'],
  dispatched: ['on_the_way', 'cannot_come', 'on_site'],
  on_the_way: ['on_site', 'cannot_come'],
  on_site: ['freed'],
  freed: ['close'],
  abandoned: ['close', 'dispatch'],
};
const ACTS = ['answer', 'dispatch', 'on_the_way', 'cannot_come', 'on_site', 'not_on_site', 'freed', 'end_of_alarm', 'abandon', 'note', 'close'];
/** What ends something or takes it back stands in a menu, unless it comes next. */
const RISKY = ['cannot_come', 'not_on_site', 'abandon', 'close'];
const AFTER_ARRIVAL = ['cannot_come', 'abandon', 'on_site'];
const AFTER_RELEASE = ['answer', 'dispatch', 'on_the_way', 'freed'];

/** The acts of a call as it stands: those that come `next`, the `others`, and the `risky` ones. */
export function possible(call) {
  const acts = ACTS.filter((act) => !hindrance(act, call));
  const next = (alarmSounds(call) && call.state === 'freed' ? ['end_of_alarm'] : NEXT[call.state] ?? []).filter((act) => acts.includes(act));
  const rest = acts.filter((act) => !next.includes(act));
  return { next, others: rest.filter((act) => !RISKY.includes(act)), risky: rest.filter((act) => RISKY.includes(act)) };
}

/** Whether a button in the car called, and its alarm has not been ended at the lift. */
export const alarmSounds = (call) => call.alarm && !call.stamps.alarm_ended;

/** Why `act` cannot be done to the call as it stands: a word's key; '' where it can. */
export function hindrance(act, call) {
  const { state } = call;
  if (!call.open) return 'why_closed';
  if (state === 'freed' && [...AFTER_RELEASE, ...AFTER_ARRIVAL].includes(act)) return 'why_freed';
  if (state === 'on_site' && AFTER_ARRIVAL.includes(act)) return 'why_on_site';
  if (state === 'abandoned' && ['cannot_come', 'abandon'].includes(act)) return 'why_abandoned';
  return HINDRANCES[act]?.(call) || '';
}

const HINDRANCES = {
  answer: (call) => call.responsible?.party === 'staff' && 'why_taken',
  not_on_site: (call) => call.state !== 'on_site' && 'why_nobody_there',
  end_of_alarm: (call) => !alarmSounds(call) && 'why_no_alarm',
  dialled: (call) => !call.ladder.steps.some((step) => step.dial) && 'why_nothing_to_dial',
  close: (call) => (call.state === 'ringing' && !call.stamps.answered ? 'why_unanswered' : alarmSounds(call) && !call.drill && 'why_alarm'),
};

/** The same in words, for people. */
export const because = (act, call) => {
  const why = hindrance(act, call);
  return why && t(why, { name: call.responsible?.name });
};

/** Whether an act needs something said. */
export const asks = (act) => act !== 'answer';

/** The form of `act`, which begins with `about`; `send(body)` does it. */
export function form(act, call, about, send, cancel) {
  const fields = FIELDS[act](call, about);
  const filled = h('form', { class: 'act-form', 'data-form': `${act} ${about}`, 'aria-label': t(`act_${act}`), onsubmit: (event) => {
    event.preventDefault();
    send(BODIES[act](new FormData(event.target), call));
  }, onchange: (event) => { if (event.target.name === 'who') choiceChanged(filled, call); },
  onrefilled: (event) => unchoose(filled, call, event.detail) },
  h('h3', {}, t(`act_${act}`)), fields,
  h('div', { class: 'row' },
    h('button', { class: 'primary', type: 'submit', id: 'confirm' }, t('confirm')),
    h('button', { type: 'button', id: 'cancel', onclick: cancel }, t('cancel'))));
  tellChosen(filled, call);
  return filled;
}

const FIELDS = {
  dispatch: (call) => [people(call, maintainer(call)), tellToo()],
  on_the_way: (call) => [people(call, call.responder?.name, { word: 'who_goes' }), minutes()],
  cannot_come: (call) => [people(call, call.responder?.name, { word: 'who_cannot', numbers: false }), field('reason')],
  on_site: (call) => [field('name', { value: call.responder?.name ?? '', maxlength: 200 })],
  not_on_site: () => [field('reason')],
  freed: (call) => [field('how_many', { type: 'number', min: 0, max: 100, value: call.people ?? '' })],
  end_of_alarm: (call) => [note('code_hint'), codeField(call.place.lift)],
  abandon: () => [note('abandon_hint')],
  dialled: dialledFields,
  note: () => [field('text', { required: true, maxlength: 2000 })],
  close: (call) => [causes(call), field('text', { maxlength: 2000 })],
};

const BODIES = {
  dispatch: (form, call) => {
    const { step, ...who } = chosen(form, call);
    return form.get('tell_too') && step ? { ...who, step } : who;
  },
  on_the_way: (form, call) => {
    const { step, ...who } = chosen(form, call);
    return form.get('minutes') ? { ...who, arrives_in: `${Number(form.get('minutes'))}m` } : who;
  },
  cannot_come: (form, call) => kept({ name: chosen(form, call).name, reason: form.get('reason') }),
  on_site: (form) => kept({ name: form.get('name') }),
  not_on_site: (form) => kept({ reason: form.get('reason') }),
  freed: (form) => (form.get('how_many') === '' ? {} : { people: Number(form.get('how_many')) }),
  end_of_alarm: (form) => ({ code: form.get('code') }),
  abandon: () => undefined,
  dialled: (form) => kept({ step: form.get('step'), answer: form.get('answer') }),
  note: (form) => ({ text: form.get('text') }),
  close: (form) => kept({ cause: form.get('cause'), text: form.get('text') }),
};

const kept = (body) => Object.fromEntries(Object.entries(body).filter(([, value]) => value));

/**
 * Everybody on the ladder once, with the step they stand on, and who was asked already, under the name by which they were. The key changes
 * when they say that they cannot come: a choice of before does not hold any longer.
 */
function known(call) {
  const found = new Map(), { name, phone, contractor } = call.responder ?? {};
  for (const step of call.ladder.steps) {
    for (const contact of step.contacts) {
      if (found.has(titled(contact))) continue;
      const asked = isCalled(contact, name);
      found.set(titled(contact), {
        key: `${contact.declined ? DECLINED : ''}contact ${contact.name}`, id: contact.name, name: asked ? name : titled(contact), phone: (asked && phone) || (contact.phone ?? ''),
        contractor: contact.contractor ? contact.name : '', step: contact.told_by_system ? step.name : '', declined: contact.declined,
      });
    }
  }
  const all = [...found.values()];
  return !name || all.some((one) => one.name === name) ? all : [{ key: `responder ${name}`, id: 'responder', name, phone, contractor, step: '' }, ...all];
}

/** Whether the contact is meant by `name`, in either language: colleagues may read the other one. */
const isCalled = (contact, name) => Boolean(name) && [contact.title_zh, contact.title_en, contact.name].includes(name);

/** Name of the contact that maintains the lift, unless they were asked already or cannot come; '' for none. */
function maintainer(call) {
  const firms = call.ladder.steps.flatMap((step) => step.contacts).filter((contact) => contact.contractor);
  const { contractor } = call.place;
  const own = contractor ? firms.find((contact) => contact.name === contractor) : firms.length === 1 && firms[0];
  return own && !own.declined && !isCalled(own, call.responder?.name) ? titled(own) : '';
}

/** Whom the act is about: the one called `first` is chosen already, or nobody. */
function people(call, first, { word = 'who', numbers = true } = {}) {
  const radio = (value, id, label, checked) => h('label', { class: 'choice' },
    h('input', { type: 'radio', name: 'who', id: `who-${id}`, value, checked, required: true }), h('span', {}, label));
  const free = h('input', { name: 'free_name', id: 'free_name', maxlength: 200, placeholder: t('name'), 'aria-label': t('name') });
  free.addEventListener('input', () => { free.form.querySelector('#who-other').click(); });
  return h('fieldset', { onchange: () => { free.required = free.form.querySelector('#who-other').checked; } }, h('legend', {}, t(word)),
    h('p', { class: 'unchosen', role: 'alert' }),
    known(call).map((one) => radio(one.key, `known-${one.id}`, [one.name, one.phone && h('small', {}, one.phone),
      one.declined && h('em', { class: 'declined' }, t('declined'))].filter(Boolean), one.name === first && !one.declined)),
    radio('other', 'other', t('someone_else'), false),
    h('div', { class: 'free' }, free,
      numbers && h('input', { name: 'free_phone', type: 'tel', maxlength: 32, placeholder: t('phone'), 'aria-label': t('phone') })),
    h('input', { type: 'hidden', name: 'unchosen' })); // After the choices: filling them in again changes it.
}

function choiceChanged(form, call) {
  tellChosen(form, call);
  if (!form.querySelector('[name=who]:checked')) return;
  form.elements.unchosen.value = '';
  sayUnchosen(form);
}

/** Undo the choice that `entered` holds where it is of somebody who cannot come since, and say so. */
function unchoose(form, call, entered) {
  if (!form.elements.unchosen) return;
  const name = withdrawn(call, entered);
  if (name) {
    for (const choice of form.elements.who) choice.checked = false;
    form.elements.unchosen.value = name;
    tellChosen(form, call);
  }
  sayUnchosen(form);
}

function sayUnchosen(form) {
  const name = form.elements.unchosen.value;
  form.querySelector('.unchosen').textContent = name && t('unchosen', { name });
}

/** Name of whom `entered` has chosen where they cannot come since; '' for nobody. */
function withdrawn(call, entered) {
  const who = entered.get('who') ?? '', written = who === 'other' ? entered.get('free_name').trim() : who.replace(/^responder /, '');
  return known(call).find((one) => one.key === DECLINED + who)?.name ?? (call.declined.includes(written) ? written : '');
}

/** Whether the system pages who was chosen as well. */
function tellToo() {
  return h('label', { class: 'choice' }, h('input', { name: 'tell_too', id: 'field-tell_too', type: 'checkbox' }), h('span', {}));
}

/** Ticked where the system can tell who is chosen in `form`, and not to be ticked where it cannot. */
function tellChosen(form, call) {
  const box = form.elements.tell_too;
  if (!box) return;
  const entered = new FormData(form), who = entered.get('who'), step = who && chosen(entered, call).step;
  box.disabled = !step;
  box.checked = Boolean(step);
  box.nextSibling.textContent = t(step ? 'tell_too' : who ? 'tell_by_phone' : 'tell_nobody_yet');
}

function chosen(form, call) {
  const who = form.get('who');
  if (who !== 'other') {
    const { key, id, declined, ...one } = known(call).find((each) => each.key === who);
    return kept(one);
  }
  return kept({ name: form.get('free_name').trim(), phone: form.get('free_phone') });
}

function field(word, given = {}) {
  const name = given.name ?? word;
  return h('label', { class: 'field' }, t(word), h('input', { name, id: `field-${name}`, ...given }));
}

const note = (word) => h('p', { class: 'hint' }, t(word));

function minutes() {
  return h('fieldset', { class: 'minutes' }, h('legend', {}, t('arrives_in')),
    MINUTES.map((count) => h('label', { class: 'choice' },
      h('input', { type: 'radio', name: 'minutes', value: String(count) }), h('span', {}, String(count)))),
    h('label', { class: 'choice' }, h('input', { type: 'radio', name: 'minutes', value: '', checked: true }), h('span', {}, t('unknown'))));
}

function causes(call) {
  const choices = call.drill ? ['drill'] : CAUSES;
  return h('label', { class: 'field' }, t('cause'),
    h('select', { name: 'cause', id: 'field-cause', required: true },
      choices.length > 1 && h('option', { value: '' }, '—'),
      choices.map((cause) => h('option', { value: cause }, t(`cause_${cause}`)))));
}
