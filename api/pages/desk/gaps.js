// What has to be mended before the next call: steps of the emergency plan that reach no person.
import { h } from './dom.js';
import { ask } from './server.js';
import { speaks, t } from './text.js';

/** The steps that reach no person, as the plan in force says. */
export async function unreached() {
  return (await ask('GET', '/emergency-plan')).unreached;
}

/** A warning that names each of `steps`, and what to do; nothing where there is none. */
export function gaps(steps) {
  return steps.length > 0 && h('section', { class: 'gaps', id: 'gaps', 'aria-labelledby': 'gaps-title' },
    h('h2', { id: 'gaps-title' }, t('unreached')), h('p', {}, t('unreached_hint')),
    h('ul', {}, steps.map((one) => h('li', {}, h('b', {}, one.title[speaks()] || one.title.zh), ' ', h('span', {}, where(one))))));
}

function where({ community, lift }) {
  return `${community === '*' ? t('every_community') : community}${lift && ` · ${t('lift')} ${lift}`}`;
}
