// What the lift says: its newest signals, and its floors in their order.
import { ask } from './server.js';

/** Newest value of each signal, and when the newest of all was said: from the series of a call's signals. */
export function newest(series, place) {
  const values = { ...place.latest };
  let at = null;
  for (const one of series.filter((each) => each.family === 'elevator' && each.samples.length)) {
    const last = one.samples[one.samples.length - 1];
    values[one.signal] = last.value;
    if (at === null || last.at > at) at = last.at;
  }
  return { values, at };
}

/** Floors from the lowest up. Their names are free words ("B1", "G", "5A"): only where the car stood orders them. */
export function floors(series) {
  const pick = (signal) => series.find((each) => each.family === 'elevator' && each.signal === signal)?.samples ?? [];
  const heights = new Map(pick('position_metres').map((sample) => [sample.at, sample.value]));
  const found = new Map();
  for (const sample of pick('floor')) {
    const height = heights.get(sample.at);
    if (height !== undefined) found.set(sample.value, [...(found.get(sample.value) ?? []), height]);
  }
  const middle = (numbers) => numbers.sort((a, b) => a - b)[Math.floor(numbers.length / 2)];
  return [...found].map(([name, all]) => [name, middle(all)]).sort((a, b) => a[1] - b[1]).map(([name]) => name);
}

/** The floors the lift went to within a day; empty where that cannot be told. */
export async function floorsOfDay(lift, until) {
  const since = new Date(until - 86_400_000).toISOString();
  const query = new URLSearchParams({ signals: 'floor,position_metres', window: '5m', aggregate: 'last', since });
  return floors((await ask('GET', `/devices/${lift}/telemetry?${query}`)).series);
}
