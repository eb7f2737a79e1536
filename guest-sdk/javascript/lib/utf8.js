// Text as UTF-8. QuickJS has neither TextEncoder nor TextDecoder, and a loop over a string costs it 150 ms a megabyte.
// Its own functions together do it in 5 ms where all is ASCII, and in some 60 to 120 ms where much is not.

const BEYOND_ASCII = /[^\x00-\x7f]/;

/** Lone surrogates become U+FFFD, as with TextEncoder. */
export function encodeByBase64(text) {
  // After `encodeURIComponent` each byte is a character of its own or `%XX`, which `unescape` makes a character.
  const bytes = BEYOND_ASCII.test(text) ? unescape(encodeURIComponent(text.toWellFormed())) : text;
  return Uint8Array.fromBase64(btoa(bytes));
}

/** Throws a TypeError where the bytes are not UTF-8. */
export function decodeByBase64(bytes) {
  const text = atob(bytes.toBase64());
  if (!BEYOND_ASCII.test(text)) return text;
  try {
    return decodeURIComponent(escape(text));
  } catch {
    throw new TypeError("the bytes are not UTF-8");
  }
}

function decodeByTextDecoder(bytes) {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw new TypeError("the bytes are not UTF-8");
  }
}

// Under test Node has these.
const node = typeof TextEncoder === "function";

export const encodeUtf8 = node ? (text) => new TextEncoder().encode(text) : encodeByBase64;

export const decodeUtf8 = node ? decodeByTextDecoder : decodeByBase64;
