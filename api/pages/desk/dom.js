// Building the page: text is only ever set as text, so that nothing a caller writes can become markup.
const SVG = 'http://www.w3.org/2000/svg';

export function h(tag, given = {}, ...children) {
  return filled(document.createElement(tag), given, children);
}

export function svg(tag, given = {}, ...children) {
  return filled(document.createElementNS(SVG, tag), given, children);
}

function filled(element, given, children) {
  for (const [name, value] of Object.entries(given)) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith('on')) element.addEventListener(name.slice(2), value);
    else if (name === 'tick') live(element, value);
    else if (name === 'value') element.value = value;
    else element.setAttribute(name, value === true ? '' : value);
  }
  element.append(...children.flat(9).filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

/** Let `text()` be what the element says, each second anew. */
function live(element, text) {
  element.classList.add('live');
  element.tick = () => {
    const said = text(element);
    if (element.textContent !== said) element.textContent = said;
  };
  element.tick();
}

export function tick() {
  document.querySelectorAll('.live').forEach((element) => element.tick());
}

/**
 * Fill `place` where what it shows, `key`, has changed. The focus stays where it was, or goes to what comes first; a `details` with an id
 * that was unfolded stays so; a form with the same `data-form` keeps what was entered, and gets it as the `detail` of an event `refilled`.
 */
export function renew(place, key, build) {
  const wanted = JSON.stringify(key);
  if (place.shown === wanted) return;
  const focused = place.contains(document.activeElement) ? document.activeElement.id : '';
  const unfolded = [...place.querySelectorAll('details[id][open]')].map((one) => one.id);
  const entered = new Map([...place.querySelectorAll('form[data-form]')].map((form) => [form.dataset.form, new FormData(form)]));
  place.shown = wanted;
  place.replaceChildren(...[build()].flat(9).filter(Boolean));
  for (const one of place.querySelectorAll('details[id]')) one.open ||= unfolded.includes(one.id);
  for (const form of place.querySelectorAll('form[data-form]')) refill(form, entered.get(form.dataset.form));
  if (focused) (document.getElementById(focused) ?? place.querySelector('button, input'))?.focus();
}

/** Enter again what was there, in the order of the fields: one may fill the choices of the next. */
function refill(form, entered) {
  for (const field of entered ? form.elements : []) {
    if (!field.name || field.disabled) continue;
    if (field.type === 'radio') field.checked = entered.get(field.name) === field.value;
    else if (field.type === 'checkbox') field.checked = entered.has(field.name);
    else field.value = entered.get(field.name) ?? field.value;
    field.dispatchEvent(new Event('change', { bubbles: true }));
  }
  if (entered) form.dispatchEvent(new CustomEvent('refilled', { detail: entered }));
}

export function phone(number, text = number) {
  return h('a', { class: 'phone', href: `tel:${number.replace(/[^+\d]/g, '')}` }, text);
}

export function pairs(rows) {
  return h('dl', { class: 'pairs' }, rows.filter((row) => row && row[1] !== '' && row[1] !== null)
    .map(([term, value, kind]) => [h('dt', {}, term), h('dd', { class: kind }, value)]));
}
