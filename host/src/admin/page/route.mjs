// The part of the address behind `#`: which view, and what of it. Pure.

export const VIEWS = ["actors", "attention", "plugins", "events", "store", "host"];

function decoded(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return null;
  }
}

/** What an address asks for. One that cannot be read leads to the tree. */
export function readRoute(hash) {
  const found = hash.replace(/^#\/?/, "").split("/").map(decoded);
  const [view, name, tab] = found;
  if (!VIEWS.includes(view) || found.includes(null)) return { view: "actors", name: null, tab: null };
  return { view, name: name || null, tab: tab || null };
}

/** The address of a view. */
export function address(view, name = null, tab = null) {
  const further = [name, tab].filter((part) => part !== null).map((part) => `/${encodeURIComponent(part)}`);
  return `#/${view}${further.join("")}`;
}

/** A token in `#token=…`, as a link may carry one. */
export function tokenIn(hash) {
  const found = /^#token=(.+)$/.exec(hash);
  return found === null ? null : decoded(found[1]);
}
