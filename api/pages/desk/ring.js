// What makes somebody look up: a tone, and the title of the page.
import { t } from './text.js';

const TONES = [880, 660];
let context, timer, flash;

/** Whether a tone would be heard: browsers keep quiet until somebody has touched the page. */
export function audible() {
  return context?.state === 'running';
}

export async function allow(onchange) {
  context ??= new AudioContext();
  context.onstatechange = onchange;
  await context.resume();
  onchange();
}

/** Ring for `title`, or with an empty one be quiet. */
export function ring(title, loud) {
  if (!title) return quiet();
  clearInterval(flash);
  let odd = true;
  const show = () => { document.title = odd ? `● ${title}` : t('desk'); odd = !odd; };
  show();
  flash = setInterval(show, 1000);
  if (loud && !timer) { beep(); timer = setInterval(beep, 2000); }
  if (!loud) { clearInterval(timer); timer = undefined; }
  return undefined;
}

export function quiet() {
  clearInterval(timer);
  clearInterval(flash);
  timer = flash = undefined;
  document.title = t('desk');
}

export const ringing = () => timer !== undefined;

function beep() {
  if (!audible()) return;
  TONES.forEach((hertz, index) => {
    const tone = context.createOscillator(), volume = context.createGain();
    const from = context.currentTime + index * 0.35;
    tone.frequency.value = hertz;
    volume.gain.setValueAtTime(0, from);
    volume.gain.linearRampToValueAtTime(0.4, from + 0.02);
    volume.gain.setValueAtTime(0.4, from + 0.28);
    volume.gain.linearRampToValueAtTime(0, from + 0.33);
    tone.connect(volume).connect(context.destination);
    tone.start(from);
    tone.stop(from + 0.35);
  });
}
