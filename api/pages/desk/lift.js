// What the lift says: its newest signals with their age, and its floors in their order.
import { ask } from './server.js';
import { now } from './text.js';

const OLD_MILLISECONDS = 120_000;
const DAY_MILLISECONDS = 86_400_000;

/** What is known of the lift of a call. `values` by signal; `minutes` is the age of those that are old, by signal. */
export function liftOf({ call, signals, device, heights }) {
  const said = readings(signals, device?.latest[''] ?? {});
  const offline = call.open && device?.online === false;
  const values = { ...call.place.latest }, minutes = {};
  for (const [signal, one] of Object.entries(said)) values[signal] = one.value;
  for (const signal of call.open ? Object.keys(values) : []) {
    const age = now.get() - Date.parse(said[signal]?.at ?? call.stamps.raised);
    if (offline || age > OLD_MILLISECONDS) minutes[signal] = Math.max(1, Math.floor(age / 60_000));
  }
  const at = Object.values(said).map((one) => one.at).sort().at(-1) ?? null;
  return { values, minutes, at, offline, floors: ordered(heights, [...pairsOf(signals), ...herePair(said)]), stops: device?.facts.numbers.stops };
}

function readings(series, latest) {
  const said = { ...latest };
  for (const one of series.filter((each) => each.family === 'elevator' && each.samples.length)) {
    const last = one.samples.at(-1);
    if (!said[one.signal] || Date.parse(said[one.signal].at) <= Date.parse(last.at)) said[one.signal] = last;
  }
  return said;
}

/** Floors with the heights at which the car stood there: from the samples that tell both. */
function pairsOf(series) {
  const pick = (signal) => series.find((each) => each.family === 'elevator' && each.signal === signal)?.samples ?? [];
  const heights = new Map(pick('position_metres').map((sample) => [sample.at, sample.value]));
  return pick('floor').filter((sample) => heights.has(sample.at)).map((sample) => [sample.value, heights.get(sample.at)]);
}

const herePair = ({ floor, position_metres: height }) => (floor && height && floor.at === height.at ? [[floor.value, height.value]] : []);

/**
 * Floors from the lowest up. Their names are free words ("B1", "G", "5A"): only where the car stood orders them. What it said since the call
 * orders only floors it had not been to before: a car that is stuck stands between two of them.
 */
function ordered(heights, since) {
  const found = new Map(), visited = new Set(heights.map(([name]) => name));
  const told = [...heights, ...since.filter(([name]) => !visited.has(name))];
  for (const [name, height] of told) found.set(name, [...(found.get(name) ?? []), height]);
  const middle = (numbers) => numbers.sort((a, b) => a - b)[Math.floor(numbers.length / 2)];
  return [...found].map(([name, all]) => [name, middle(all)]).sort((a, b) => a[1] - b[1]).map(([name]) => name);
}

/** The floors the lift went to within a day, with their heights; empty where that cannot be told. */
export async function heightsOfDay(lift, until) {
  const since = new Date(until - DAY_MILLISECONDS).toISOString();
  const query = new URLSearchParams({ signals: 'floor,position_metres', window: '5m', aggregate: 'last', since });
  return pairsOf((await ask('GET', `/devices/${lift}/telemetry?${query}`)).series);
}

/** The lift as a device: whether it is online, what it last said and when; null where it was never heard. */
export async function deviceOf(lift) {
  return ask('GET', `/devices/${lift}`).catch((error) => { if (error.status === 404) return null; throw error; });
}
