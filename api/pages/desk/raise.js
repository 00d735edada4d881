// A call that somebody on duty raises by hand: for who phones the duty room, or knocks at its door.
import { h, renew } from './dom.js';
import { refusal } from './refusals.js';
import { ask } from './server.js';
import { speaks, t } from './text.js';

const LIFTS_AT_ONCE = 200;

/** The form and what it sends; `onraised(call)` gets the call as the server keeps it, `render` shows the page anew. */
export class Raise {
  constructor(onraised, render) {
    Object.assign(this, { onraised, render, open: false, lifts: null, busy: false, error: null, key: '' });
  }

  /** Open the form with the lifts there are, or close it. */
  async toggle() {
    if (this.open) { this.close(); return; }
    // Sent again after an answer that was lost, it is the same call. `randomUUID` is missing where there is no HTTPS.
    Object.assign(this, { open: true, lifts: null, error: null, key: `desk-${crypto.getRandomValues(new Uint32Array(4)).join('-')}` });
    this.render();
    this.lifts = await lifts().catch(() => []);
    this.render();
    document.querySelector('#raise select, #raise input')?.focus();
  }

  close() {
    this.open = false;
    this.render();
    document.getElementById('raise-open')?.focus();
  }

  async send(form) {
    if (this.busy) return;
    Object.assign(this, { busy: true, error: null });
    this.render();
    try {
      const call = await ask('POST', '/emergency-calls', body(form), { 'Idempotency-Key': this.key });
      this.open = false;
      this.onraised(call);
    } catch (error) {
      this.error = error;
    } finally {
      this.busy = false;
      this.render();
    }
  }

  /** Fill `place`; what is being written stays when only the outcome changes. */
  show(place) {
    const ready = this.open && this.lifts !== null;
    renew(place, [ready, this.key, speaks()], () => ready && form(this));
    const said = place.querySelector('.problem'), button = place.querySelector('[type=submit]');
    if (said) said.textContent = this.error ? refusal(this.error) : '';
    button?.setAttribute('aria-disabled', String(this.busy));
  }
}

/** Every lift in service, those that people gave a name first. */
async function lifts() {
  const found = [];
  let cursor = null;
  do {
    const query = new URLSearchParams({ kind: 'elevator', limit: LIFTS_AT_ONCE, ...(cursor && { cursor }) });
    const page = await ask('GET', `/devices?${query}`);
    found.push(...page.items.filter((one) => !one.facts.retired));
    cursor = page.next_cursor;
  } while (cursor);
  const unnamed = (one) => Number(!one.facts.name_zh && !one.facts.name_en);
  return found.sort((a, b) => unnamed(a) - unnamed(b) || a.name[speaks()].localeCompare(b.name[speaks()], speaks()));
}

function form(raise) {
  const communities = [...new Set(raise.lifts.map((one) => one.device.community))].sort();
  const lift = h('select', { name: 'lift', id: 'raise-lift' });
  const community = communities.length
    ? h('select', { name: 'community', id: 'raise-community', required: true }, communities.length > 1 && h('option', { value: '' }, '—'),
      communities.map((name) => h('option', { value: name }, name)))
    : h('input', { name: 'community', id: 'raise-community', required: true, pattern: '[a-z0-9]([a-z0-9\\-]*[a-z0-9])?', maxlength: 64 });
  const fill = () => lift.replaceChildren(...choices(raise.lifts, community.value));
  community.addEventListener('change', fill);
  fill();
  const line = (word, given) => h('label', { class: 'field' }, t(word), h('input', given));
  return h('form', { class: 'act-form raise', 'data-form': raise.key, 'aria-label': t('raise'), onsubmit: (event) => { event.preventDefault(); raise.send(new FormData(event.target)); } },
    h('h3', {}, t('raise')), h('p', { class: 'problem', role: 'alert' }),
    h('div', { class: 'fields' },
      h('label', { class: 'field' }, t('community'), community), h('label', { class: 'field' }, t('lift'), lift),
      line('name', { name: 'name', id: 'raise-name', maxlength: 200 }), line('phone', { name: 'phone', id: 'raise-phone', type: 'tel', maxlength: 32 }),
      line('people_inside', { name: 'people', id: 'raise-people', type: 'number', min: 0, max: 100 }),
      line('told', { name: 'text', id: 'raise-text', maxlength: 2000 })),
    h('div', { class: 'row' }, h('button', { type: 'submit', class: 'primary', id: 'raise-send' }, t('raise_send')),
      h('button', { type: 'button', id: 'raise-cancel', onclick: () => raise.close() }, t('cancel'))));
}

function choices(all, community) {
  const label = (one) => [one.name[speaks()], one.facts.building].filter(Boolean).join(' · ');
  return [h('option', { value: '' }, t('lift_unknown')), ...all.filter((one) => one.device.community === community)
    .map((one) => h('option', { value: one.device.path }, label(one)))];
}

function body(form) {
  const said = Object.fromEntries(['name', 'phone', 'text'].map((field) => [field, form.get(field).trim()]).filter(([, value]) => value));
  const place = form.get('lift') ? { lift: form.get('lift') } : { community: form.get('community') };
  return { source: 'staff', ...place, caller: said, ...(form.get('people') && { people: Number(form.get('people')) }) };
}
