// The lift in its shaft, drawn: the car at its floor, its door, where it is going.
import { svg } from './dom.js';
import { t } from './text.js';

const SHOWN = 9; // More floors than this are too small to read; the car stays in sight.
const ROW = 44, LEFT = 64, WIDTH = 96;

/** `floors` from the lowest up, empty where unknown; `lift` has floor, door_state, direction, passenger_present. */
export function shaft(floors, lift, people) {
  const rows = shown(floors, lift.floor);
  const height = rows.length * ROW;
  const said = t('car_at', {
    floor: lift.floor, door: lift.door_state && t(`door_${lift.door_state}`),
    direction: lift.direction && t(`direction_${lift.direction}`),
  });
  return svg('svg', { viewBox: `0 0 220 ${height + 28}`, class: 'shaft', role: 'img', 'aria-label': said },
    svg('path', { class: 'roof', d: `M${LEFT - 12} 14 L${LEFT + WIDTH / 2} 2 L${LEFT + WIDTH + 12} 14 Z` }),
    svg('rect', { class: 'well', x: LEFT, y: 14, width: WIDTH, height }),
    rows.map((name, index) => slab(name, 14 + index * ROW, lift.floor)),
    svg('path', { class: 'ground', d: `M0 ${height + 14} H220` }),
    lift.floor !== undefined && lift.floor !== null && car(14 + rows.indexOf(lift.floor) * ROW, lift, people));
}

/** From the top down, the car's floor among them; null for a floor nobody has named. */
function shown(floors, floor) {
  const known = floor === undefined || floor === null || floors.includes(floor) ? floors : [];
  if (known.length < 3) return floor === undefined || floor === null ? [null, null, null] : [null, null, floor, null, null];
  const down = [...known].reverse();
  const from = Math.max(0, Math.min(down.indexOf(floor) - Math.floor(SHOWN / 2), down.length - SHOWN));
  return down.slice(from, from + SHOWN);
}

function slab(name, y, here) {
  const now = name !== null && name === here;
  return svg('g', { class: now ? 'slab now' : 'slab' },
    svg('path', { d: `M${LEFT - 56} ${y + ROW} H${LEFT} M${LEFT + WIDTH} ${y + ROW} H${LEFT + WIDTH + 24}` }),
    svg('text', { x: LEFT - 12, y: y + ROW - 14, 'text-anchor': 'end' }, name ?? '·'));
}

function car(y, lift, people) {
  const open = { open: 24, opening: 14, closing: 14 }[lift.door_state] ?? 0;
  const middle = LEFT + WIDTH / 2;
  return svg('g', { class: `car door-${lift.door_state ?? 'unknown'}` },
    svg('path', { class: 'rope', d: `M${middle} 14 V${y + 4}` }),
    svg('rect', { class: 'box', x: LEFT + 10, y: y + 3, width: WIDTH - 20, height: ROW - 5, rx: 2 }),
    (people || lift.passenger_present) && somebody(middle, y),
    [-1, 1].map((side) => svg('rect', {
      class: 'leaf', x: side < 0 ? LEFT + 12 : middle + open + 1, y: y + 6, width: WIDTH / 2 - 13 - open, height: ROW - 10,
    })),
    lift.door_state === undefined && svg('text', { class: 'doubt', x: middle, y: y + 30, 'text-anchor': 'middle' }, '?'),
    arrow(lift.direction, y));
}

function somebody(x, y) {
  return svg('g', { class: 'person' }, svg('circle', { cx: x, cy: y + 14, r: 5 }),
    svg('path', { d: `M${x - 8} ${y + 36} V${y + 27} a8 7 0 0 1 16 0 V${y + 36} Z` }));
}

function arrow(direction, y) {
  const x = LEFT + WIDTH + 32, middle = y + ROW / 2;
  if (direction === 'up') return svg('path', { class: 'arrow', d: `M${x - 12} ${middle + 8} H${x + 12} L${x} ${middle - 12} Z` });
  if (direction === 'down') return svg('path', { class: 'arrow', d: `M${x - 12} ${middle - 8} H${x + 12} L${x} ${middle + 12} Z` });
  return direction ? svg('rect', { class: 'arrow', x: x - 9, y: middle - 9, width: 18, height: 18 }) : null;
}
