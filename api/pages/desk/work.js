// What is being done to each call: which form and whether the menu is open, what is asked of the server, what did not succeed.

const begun = new Map();

/** The work on one call; it is the same object until `forget`. */
export function work(id) {
  if (!begun.has(id)) begun.set(id, { open: '', about: '', menu: false, problem: null, busy: false });
  return begun.get(id);
}

/** Forget the work on the call `id`, or without one on every call. */
export function forget(id) {
  if (id === undefined) begun.clear();
  else begun.delete(id);
}
