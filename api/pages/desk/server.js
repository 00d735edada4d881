// The public API, as any other client uses it.
import { now } from './text.js';

const ROOT = '/api/v1';
const RETRY_MILLISECONDS = 2000;
const PATIENCE_MILLISECONDS = 10_000;

/**
 * An answer that is not what was asked for; `status` 0 where there was none. `type` names the problem, `fields` are those
 * that cannot be used, `wait` is in seconds.
 */
export class Refused extends Error {
  constructor(status, detail, { type = '', fields = [], wait = 0 } = {}) {
    super(detail);
    Object.assign(this, { status, type, fields, wait });
  }
}

export async function ask(method, path, body, more = {}) {
  const began = Date.now();
  const answer = await fetch(ROOT + path, {
    method,
    headers: { ...more, ...(body !== undefined && { 'Content-Type': 'application/json' }) },
    body: body === undefined ? undefined : JSON.stringify(body),
    credentials: 'same-origin',
    cache: 'no-store',
    signal: AbortSignal.timeout(PATIENCE_MILLISECONDS),
  }).catch((error) => { throw new Refused(0, String(error)); });
  keepTime(answer.headers.get('date'), began);
  const said = await answer.json().catch(() => null);
  if (!answer.ok) {
    const wrong = said?.errors ?? [], fields = wrong.map((one) => one.location.split('.').pop());
    const detail = wrong[0]?.message ?? said?.detail ?? String(answer.status);
    throw new Refused(answer.status, detail, { type: said?.type, fields, wait: Number(answer.headers.get('retry-after')) });
  }
  return said;
}

/** Clocks of a rescue follow the server's, however wrong this machine's clock is. */
function keepTime(date, began) {
  const told = Date.parse(date ?? '');
  const offset = told + 500 - (began + Date.now()) / 2; // The header has whole seconds: half of one on average.
  if (Math.abs(offset - now.offset) > 1500) now.offset = Math.abs(offset) > 1500 ? offset : 0;
}

/** Follow the events of calls for ever: `onevent` for each, `onopen` when nothing could have been missed, `onlost`. */
export function follow(onevent, onopen, onlost) {
  let source, last = null, retry, over = false;
  const open = () => {
    source = new EventSource(`${ROOT}/emergency-calls/stream${last === null ? '' : `?after=${last}`}`);
    source.onopen = onopen;
    source.addEventListener('call', (event) => {
      last = event.lastEventId;
      onevent(JSON.parse(event.data));
    });
    source.onerror = () => {
      onlost();
      // It tries by itself after a break, but not after an answer such as 503.
      if (source.readyState === EventSource.CLOSED && !over) retry = setTimeout(open, RETRY_MILLISECONDS);
    };
  };
  open();
  return () => { over = true; clearTimeout(retry); source.close(); };
}
