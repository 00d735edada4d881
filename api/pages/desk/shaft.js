// The lift in its shaft, drawn: every stop that is known, the car at its floor, its door, where it is going.
import { svg } from './dom.js';
import { t } from './text.js';

const ROW = 44, LEAST_ROW = 13, TALL = 440, LABEL = 19, LEFT = 64, WIDTH = 96, TOP = 14;
const MIDDLE = LEFT + WIDTH / 2;

/** `floors` from the lowest up, empty where unknown; `lift` has floor, door_state, direction. What is `old` does not move. */
export function shaft(floors, lift, { people, old }) {
  const placed = floors.includes(lift.floor), known = lift.floor !== undefined && lift.floor !== null;
  const rows = placed || !known ? [...floors].reverse() : [lift.floor];
  const row = Math.max(LEAST_ROW, Math.min(ROW, Math.floor(TALL / rows.length)));
  const height = Math.max(ROW, rows.length * row), here = rows.indexOf(lift.floor);
  const said = t('car_at', {
    floor: lift.floor, door: lift.door_state && t(`door_${lift.door_state}`),
    direction: lift.direction && t(`direction_${lift.direction}`),
  });
  return svg('svg', { viewBox: `0 0 220 ${height + 28}`, class: old ? 'shaft old' : 'shaft', role: 'img', 'aria-label': said },
    svg('path', { class: 'roof', d: `M${LEFT - 12} ${TOP} L${MIDDLE} 2 L${LEFT + WIDTH + 12} ${TOP} Z` }),
    svg('rect', { class: placed ? 'well' : 'well part', x: LEFT, y: TOP, width: WIDTH, height }),
    rows.map((name, index) => slab(name, TOP + index * row, row, { now: index === here, labelled: labelled(index, here, row) })),
    svg('path', { class: 'ground', d: `M0 ${height + TOP} H220` }),
    known && car(TOP + here * row + row / 2, row, lift, { people, old }));
}

/** Where rows are low not every one has its name beside it; the car's always has. */
function labelled(index, here, row) {
  const every = Math.ceil(LABEL / row);
  return index === here || (index % every === 0 && (here < 0 || Math.abs(index - here) >= every));
}

function slab(name, y, row, { now, labelled: named }) {
  return svg('g', { class: now ? 'slab now' : 'slab' },
    svg('path', { d: `M${LEFT - 56} ${y + row} H${LEFT} M${LEFT + WIDTH} ${y + row} H${LEFT + WIDTH + 24}` }),
    named && svg('text', { x: LEFT - 12, y: y + row / 2 + 6, 'text-anchor': 'end' }, name));
}

/** The car is drawn as high as a row of `ROW`, and scaled about the middle of its own one. */
function car(y, row, lift, { people, old }) {
  const open = { open: 24, opening: 14, closing: 14 }[lift.door_state] ?? 0;
  const scale = Math.max(0.6, row / ROW);
  return [svg('path', { class: 'rope', d: `M${MIDDLE} ${TOP} V${y}` }),
    svg('g', { class: `car door-${lift.door_state ?? 'unknown'}`, transform: `translate(${MIDDLE} ${y}) scale(1 ${scale}) translate(${-MIDDLE} ${-ROW / 2})` },
      svg('rect', { class: 'box', x: LEFT + 10, y: 3, width: WIDTH - 20, height: ROW - 5, rx: 2 }),
      (people || lift.passenger_present) && somebody(MIDDLE),
      [-1, 1].map((side) => svg('rect', {
        class: 'leaf', x: side < 0 ? LEFT + 12 : MIDDLE + open + 1, y: 6, width: WIDTH / 2 - 13 - open, height: ROW - 10,
      })),
      lift.door_state === undefined && svg('text', { class: 'doubt', x: MIDDLE, y: 30, 'text-anchor': 'middle' }, '?'),
      !old && arrow(lift.direction))];
}

function somebody(x) {
  return svg('g', { class: 'person' }, svg('circle', { cx: x, cy: 14, r: 5 }),
    svg('path', { d: `M${x - 8} 36 V27 a8 7 0 0 1 16 0 V36 Z` }));
}

function arrow(direction) {
  const x = LEFT + WIDTH + 32, middle = ROW / 2;
  if (direction === 'up') return svg('path', { class: 'arrow', d: `M${x - 12} ${middle + 8} H${x + 12} L${x} ${middle - 12} Z` });
  if (direction === 'down') return svg('path', { class: 'arrow', d: `M${x - 12} ${middle - 8} H${x + 12} L${x} ${middle + 12} Z` });
  return direction ? svg('rect', { class: 'arrow', x: x - 9, y: middle - 9, width: 18, height: 18 }) : null;
}
