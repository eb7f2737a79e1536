// JSON in which integers keep every digit: those that a number cannot hold are BigInts.

const UTF8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

// Marks a text that stands for an integer. No JSON text begins so unless it was made to.
const MARK = "\u0000integer:";
// A text, or a whole number that may be too long: of a fraction or an exponent it is but a part.
const PARTS = /"(?:[^"\\]|\\.)*"|-?\d{16,}(?![\d.eE])/g;

export function parseJson(text) {
  const marked = text.replace(PARTS, (part, at) => {
    const isText = part.startsWith('"') || text[at - 1] === ".";
    return isText || Number.isSafeInteger(Number(part)) ? part : JSON.stringify(MARK + part);
  });
  return JSON.parse(marked, (_, value) =>
    typeof value === "string" && value.startsWith(MARK) ? BigInt(value.slice(MARK.length)) : value,
  );
}

export function writeJson(value) {
  const text = JSON.stringify(value, (_, it) => (typeof it === "bigint" ? `${MARK}${it}` : it));
  return text.replace(/"\\u0000integer:(-?\d+)"/g, "$1");
}

export function jsonBytes(value) {
  return new TextEncoder().encode(writeJson(value));
}

/** A body as a test compares it: JSON where it is that, bytes otherwise. */
export function readable(body) {
  try {
    return parseJson(UTF8.decode(body));
  } catch {
    return body;
  }
}
