// Numbers that somebody has to dial by hand: which wait for it, and what is said beside their step.
import { h, phone } from './dom.js';
import { clockTime, t, titled } from './text.js';

const STOPPED = ['on_site', 'freed', 'abandoned', 'closed'];

/** The steps whose turn has come and whose numbers nobody has dialled; none where help is there, and none of a drill. */
export function toDial(call) {
  return call.drill || STOPPED.includes(call.state) ? [] : call.ladder.steps.filter((step) => step.dial && step.due && !step.dialled);
}

export const numbers = (step) => step.contacts.map((one) => one.phone).filter(Boolean).join(', ');

/** What stands above the acts while numbers wait: each with the act that records it; `dial(step)` opens the form. Else nothing. */
export function dialNow(waiting, dial) {
  return waiting.length > 0 && [h('h3', {}, t('dial_now')), waiting.map((step) => h('div', { class: 'row' },
    h('span', {}, titled(step)), step.contacts.filter((one) => one.phone).map((one) => phone(one.phone)),
    h('button', { type: 'button', id: `dial-now-${step.name}`, onclick: () => dial(step.name) }, t('act_dialled'))))];
}

/** What stands beside a step with a number; `dial()` opens the form. */
export function dialling(step, dial) {
  const { dialled } = step;
  return [
    dialled && h('p', { class: 'dialled' }, t('dialled_by', { time: clockTime(dialled.at), name: dialled.by }), dialled.answer && h('q', {}, dialled.answer)),
    h('button', { type: 'button', id: `dialled-${step.name}`, class: 'small', onclick: dial }, t(dialled ? 'dialled_again' : 'act_dialled'))];
}

/** The form that records it; it begins with the step `about`, or the first that waits. */
export function dialledFields(call, about) {
  const steps = call.ladder.steps.filter((step) => step.dial);
  const first = steps.find((step) => step.name === about) ?? toDial(call)[0] ?? steps[0];
  return [
    h('label', { class: 'field' }, t('dialled_which'), h('select', { name: 'step', id: 'field-step' },
      steps.map((step) => h('option', { value: step.name, selected: step === first }, `${titled(step)} ${numbers(step)}`)))),
    h('label', { class: 'field' }, t('dialled_answer'), h('input', { name: 'answer', id: 'field-answer', maxlength: 2000, autocomplete: 'off' }))];
}
