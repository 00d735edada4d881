// The code of a lift's controller in the form that ends its alarm: whether one is kept, setting the first, checking it.
import { h } from './dom.js';
import { ask } from './server.js';
import { clockTime, speaks, t } from './text.js';

const KNOWN = { 'urn:anju:problem:wrong-controller-code': 'code_wrong', 'urn:anju:problem:no-controller-code': 'code_none' };

/** What a refused code, or too many of them, means in the reader's language; empty for any other error. */
export function codeProblem(error) {
  if (error.status === 429) return t('too_many_tries', { minutes: Math.ceil(error.wait / 60) });
  return KNOWN[error.type] ? t(KNOWN[error.type]) : '';
}

/** The field for the code of `lift`. While none is kept the form cannot be sent: the code has to be set first. */
export function codeField(lift) {
  const path = `/devices/${lift}/controller-code`;
  const said = h('p', { class: 'hint', id: 'code-kept', role: 'status' });
  const input = h('input', { name: 'code', id: 'field-code', required: true, autocomplete: 'off' });
  const check = h('button', { type: 'button', id: 'code-check', hidden: true, onclick: () => ends('POST', '/check', 'code_right') }, t('code_check'));
  const set = h('button', { type: 'button', id: 'code-set', hidden: true, onclick: () => ends('PUT', '', 'code_set_done') }, t('code_set'));

  async function ends(method, more, word) {
    if (!input.reportValidity()) return;
    try {
      await ask(method, path + more, { code: input.value });
      await look();
      said.textContent = t(word);
      said.className = 'hint';
    } catch (error) {
      failed(error);
    }
  }

  async function look() {
    const { kept, set_by: name, set_at: at } = await ask('GET', path);
    said.textContent = kept ? t('code_kept', { name, time: clockTime(at, { seconds: false }) }) : t('code_none');
    said.className = kept ? 'hint' : 'hint warn';
    [check.hidden, set.hidden] = [!kept, kept];
    const send = input.form?.querySelector('#confirm');
    if (send) send.disabled = !kept;
  }

  function failed(error) {
    said.textContent = codeProblem(error) || (error.status ? t('failed', { detail: speaks() === 'en' ? error.message : String(error.status) }) : t('not_reached'));
    said.className = 'problem';
  }

  look().catch(failed);
  return [said, h('label', { class: 'field' }, t('code'), input), h('div', { class: 'row' }, check, set)];
}
