// Words, times and names as people read them.
import { LIFT_WORDS } from './words-lift.js';
import { WORDS } from './words.js';

const KEPT = 'anju.desk.language';
let language = localStorage.getItem(KEPT) === 'en' ? 'en' : 'zh';

export const now = { offset: 0, get: () => Date.now() + now.offset };

export function speaks() {
  return language;
}

export function speak(next) {
  language = next;
  localStorage.setItem(KEPT, next);
  document.documentElement.lang = next === 'zh' ? 'zh-CN' : 'en';
}

/** The word for `key`; one that nobody has put into words yet is shown as it is. */
export function t(key, values = {}) {
  const word = WORDS[language][key] ?? LIFT_WORDS[language][key];
  if (word === undefined) return key.replace(/^[a-z]+_/, '').replaceAll('_', ' ');
  return word.replace(/\{(\w+)\}/g, (_, name) => values[name] ?? t('unknown'));
}

/** `thing.name_zh` or `thing.name_en`, the other one where it is missing. */
export function titled(thing, stem = 'title') {
  const [first, second] = language === 'zh' ? ['zh', 'en'] : ['en', 'zh'];
  return thing[`${stem}_${first}`] || thing[`${stem}_${second}`] || '';
}

export function placeName(place) {
  return titled(place, 'name') || place.lift.split('/').pop() || place.building || place.community || t('unknown_place');
}

/** mm:ss, or h:mm:ss. */
export function span(milliseconds) {
  const seconds = Math.max(0, Math.floor(Math.abs(milliseconds) / 1000));
  const two = (number) => String(number).padStart(2, '0');
  const rest = `${two(Math.floor(seconds / 60) % 60)}:${two(seconds % 60)}`;
  return seconds >= 3600 ? `${Math.floor(seconds / 3600)}:${rest}` : rest;
}

/** How long until then, in words: figures alone would look like a time of day. */
export function wait(milliseconds) {
  const seconds = Math.max(0, Math.floor(milliseconds / 1000)), minutes = Math.floor(seconds / 60);
  if (minutes < 1) return t('wait_seconds', { seconds });
  if (minutes < 60) return t('wait_minutes', { minutes, seconds: seconds % 60 });
  return t('wait_hours', { hours: Math.floor(minutes / 60), minutes: minutes % 60 });
}

/** The local time of day, with the date where it is another day's. */
export function clockTime(instant, { seconds = true } = {}) {
  const at = new Date(instant);
  const options = { hour: '2-digit', minute: '2-digit', hour12: false, ...(seconds && { second: '2-digit' }) };
  const time = at.toLocaleTimeString('en-GB', options);
  if (at.toDateString() === new Date(now.get()).toDateString()) return time;
  return `${String(at.getMonth() + 1).padStart(2, '0')}-${String(at.getDate()).padStart(2, '0')} ${time}`;
}
