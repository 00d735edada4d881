// What people read when something did not succeed: in their language, without the server's own words where those are another's.
import { because } from './acts.js';
import { codeProblem } from './code.js';
import { speaks, t } from './text.js';

/** What the fields of a request are called in a form. */
const FIELDS = { people: 'how_many', step: 'who', answer: 'dialled_answer', arrives_at: 'arrives_in' };
const NAMED = ['name', 'phone', 'text', 'reason', 'cause', 'code', 'arrives_in', 'token', 'community', 'lift'];

/** Problems of which the call's state says nothing. */
const NAMED_PROBLEMS = { 'urn:anju:problem:nobody-to-tell': 'nobody_to_tell' };

/** Why `error` came of doing `act` to `call`, or of something that is no act. */
export function refusal(error, act, call) {
  const detail = speaks() === 'en' ? error.message : String(error.status);
  if (error.status === 0) return t('not_reached');
  const ofCode = codeProblem(error);
  if (ofCode) return ofCode;
  if (NAMED_PROBLEMS[error.type]) return t(NAMED_PROBLEMS[error.type]);
  if (error.status === 409 && call) return conflict(error, act, call);
  const fields = error.fields.map((name) => FIELDS[name] ?? (NAMED.includes(name) ? name : 'text'));
  if (error.status === 422 && fields.length) return t('invalid', { fields: [...new Set(fields)].map((name) => `“${t(name)}”`).join(t('comma')) });
  return t('failed', { detail });
}

function conflict(error, act, call) {
  const why = because(act, call) || (speaks() === 'en' ? error.message : '');
  return `${t('conflict', { state: t(`state_${call.state}`) })}${why && t('because', { why })}`;
}
