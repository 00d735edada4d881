// A call that somebody on duty raises by hand: for who phones the duty room, or knocks at its door.
import { h, renew } from './dom.js';
import { refusal } from './refusals.js';
import { ask } from './server.js';
import { speaks, t } from './text.js';

const LIFTS_AT_ONCE = 200;

/** The form and what it sends; `onraised(call)` gets the call as the server keeps it, `render` shows the page anew. */
export class Raise {
  constructor(onraised, render) {
    Object.assign(this, { onraised, render, open: false, lifts: [], loading: false, busy: false, error: null, key: '' });
  }

  /** Open the form at once, with the lifts that are known already, or close it. The others come while it is filled in. */
  async toggle() {
    if (this.open) { this.close(); return; }
    // Sent again after an answer that was lost, it is the same call. `randomUUID` is missing where there is no HTTPS.
    const key = `desk-${crypto.getRandomValues(new Uint32Array(4)).join('-')}`;
    Object.assign(this, { open: true, loading: true, error: null, key });
    this.render();
    document.getElementById('raise-community').focus();
    const newest = await lifts((some) => { if (this.key === key && some.length > this.lifts.length) this.know(some, true); }).catch(() => this.lifts);
    if (this.key === key) this.know(newest, false);
  }

  know(some, loading) {
    Object.assign(this, { lifts: some, loading });
    this.render();
  }

  close() {
    this.open = false;
    this.render();
    document.getElementById('raise-open')?.focus();
  }

  /** Whoever signs in next may see other lifts. */
  forget() {
    Object.assign(this, { open: false, lifts: [], loading: false, error: null, key: '' });
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

  /** Fill `place`; what is being written stays when only the lifts or the outcome change. */
  show(place) {
    renew(place, [this.open, this.key, speaks()], () => this.open && form(this));
    if (!this.open) return;
    const filled = place.firstChild;
    if (filled.lifts !== this.lifts || filled.loading !== this.loading) fill(filled, this);
    filled.querySelector('.problem').textContent = this.error ? refusal(this.error) : '';
    filled.querySelector('[type=submit]').setAttribute('aria-disabled', String(this.busy));
  }
}

/** Every lift in service, those that people gave a name first; `onsome` gets those that are known so far. */
async function lifts(onsome) {
  let found = [], cursor = null;
  do {
    const query = new URLSearchParams({ kind: 'elevator', limit: LIFTS_AT_ONCE, ...(cursor && { cursor }) });
    const page = await ask('GET', `/devices?${query}`);
    found = sorted([...found, ...page.items.filter((one) => !one.facts.retired)]);
    onsome(found);
    cursor = page.next_cursor;
  } while (cursor);
  return found;
}

function sorted(found) {
  const unnamed = (one) => Number(!one.facts.name_zh && !one.facts.name_en);
  return found.sort((a, b) => unnamed(a) - unnamed(b) || a.name[speaks()].localeCompare(b.name[speaks()], speaks()));
}

function form(raise) {
  const line = (word, given) => h('label', { class: 'field' }, t(word), h('input', given));
  const made = h('form', { class: 'act-form raise', 'data-form': raise.key, 'aria-label': t('raise'),
    onchange: (event) => { if (event.target.name === 'community') fillLifts(made, raise); },
    onsubmit: (event) => { event.preventDefault(); raise.send(new FormData(event.target)); } },
  h('h3', {}, t('raise')), h('p', { class: 'problem', role: 'alert' }),
  h('div', { class: 'fields' },
    h('label', { class: 'field' }, t('community'), h('select', { name: 'community', id: 'raise-community', required: true })),
    h('label', { class: 'field' }, t('lift'), h('select', { name: 'lift', id: 'raise-lift' })),
    line('name', { name: 'name', id: 'raise-name', maxlength: 200 }), line('phone', { name: 'phone', id: 'raise-phone', type: 'tel', maxlength: 32 }),
    line('people_inside', { name: 'people', id: 'raise-people', type: 'number', min: 0, max: 100 }),
    line('told', { name: 'text', id: 'raise-text', maxlength: 2000 })),
  h('div', { class: 'row' }, h('button', { type: 'submit', class: 'primary', id: 'raise-send' }, t('raise_send')),
    h('button', { type: 'button', id: 'raise-cancel', onclick: () => raise.close() }, t('cancel'))));
  fill(made, raise);
  return made;
}

/** Offer what is known by now; what was chosen stays. Where no lift is known at all, the community is written. */
function fill(made, raise) {
  Object.assign(made, { lifts: raise.lifts, loading: raise.loading });
  const communities = [...new Set(raise.lifts.map((one) => one.device.community))].sort();
  const field = made.elements.community;
  if (field.tagName === 'INPUT') return;
  if (!communities.length && !raise.loading) {
    const written = h('input', { name: 'community', id: 'raise-community', required: true, pattern: '[a-z0-9]([a-z0-9\\-]*[a-z0-9])?', maxlength: 64 });
    const focused = document.activeElement === field;
    field.replaceWith(written);
    if (focused) written.focus();
  } else {
    const first = raise.loading ? t('loading') : communities.length > 1 && '—';
    offer(field, [first && h('option', { value: '' }, first), ...communities.map((name) => h('option', { value: name }, name))]);
  }
  fillLifts(made, raise);
}

function fillLifts(made, raise) {
  offer(made.elements.lift, choices(raise.lifts, made.elements.community.value));
}

/** Let `options` be the choices of `select`; the first of them is chosen where what was chosen is gone. */
function offer(select, options) {
  const chosen = select.value;
  select.replaceChildren(...options.filter(Boolean));
  if ([...select.options].some((one) => one.value === chosen)) select.value = chosen;
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
