// Order and clocks of calls.
import { now, span, t } from './text.js';

const STOPPED = ['on_time', 'late', 'none'];

/** The oldest unanswered first, then the others, the oldest first; calls before drills at each turn. */
export function ordered(calls) {
  const rank = (call) => (call.state === 'ringing' ? 0 : 2) + (call.drill ? 1 : 0);
  return [...calls].sort((a, b) => rank(a) - rank(b) || a.stamps.raised.localeCompare(b.stamps.raised) || a.number - b.number);
}

/** How the rescue clock stands now, without asking again: state, and milliseconds left (negative: overdue). */
export function rescueOf(call) {
  const { by, half_at: half, state } = call.rescue;
  if (STOPPED.includes(state) || !by) return { state: by ? state : 'none', left: 0 };
  const left = Date.parse(by) - now.get();
  if (left <= 0) return { state: 'overdue', left };
  return { state: half && now.get() >= Date.parse(half) ? 'half_time' : 'running', left };
}

/** In a few characters, for a tab. */
export function rescueShort(call) {
  const { state, left } = rescueOf(call);
  if (state === 'overdue') return `+${span(left)}`;
  return STOPPED.includes(state) ? t(`state_${call.state}`) : span(left);
}

export function taken(call) {
  const until = call.stamps.on_site ?? call.stamps.freed;
  return until ? Date.parse(until) - Date.parse(call.stamps.raised) : null;
}

/** Index of the step of the ladder that was told last; -1 for none. */
export function presentStep(call) {
  return Math.min(call.ladder.told, call.ladder.steps.length) - 1;
}
