// JSON in which no integer loses a digit: one that a number cannot hold exactly is a BigInt.

/** How deep values may be nested in a message: the stack of an instance is small, and overrunning it is a trap. */
export const MAX_DEPTH = 128;

/** Reads a whole text. Throws a SyntaxError. */
export function parseJson(text) {
  checkDepth(text);
  const value = JSON.parse(text);
  // 2⁵³ has 16 digits: what is shorter is exact already.
  return /[0-9]{16}/.test(text) ? new Exact(text).value() : value;
}

/** Writes a value; a BigInt as an integer. Throws a TypeError where there is no JSON for it. */
export function writeJson(value) {
  let text;
  try {
    text = JSON.stringify(value);
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    text = writeWithBigInts(value);
  }
  // Nothing, which JSON does not know, is told as null.
  if (text === undefined && value !== undefined) throw new TypeError(`a ${typeof value} cannot be written as JSON`);
  return text ?? "null";
}

/** Puts a mark where each BigInt stands, then its digits for the mark. */
function writeWithBigInts(value, mark = "\u0000") {
  const digits = [];
  let taken = false;
  const text = JSON.stringify(value, (key, part) => {
    taken ||= key === mark || part === mark;
    if (typeof part !== "bigint") return part;
    digits.push(part.toString());
    return mark;
  });
  // The value has a text of its own that looks like the mark.
  if (taken) return writeWithBigInts(value, mark + "\u0000");
  const parts = text.split(JSON.stringify(mark));
  return parts.map((part, i) => part + (digits[i] ?? "")).join("");
}

/** Reads again what is known to be JSON, number by number. Slow, and so done only where it matters. */
class Exact {
  #text;
  #at = 0;
  #number = /-?\d+(\.\d+)?([eE][+-]?\d+)?/y;
  #string = /"[^"\\]*(?:\\.[^"\\]*)*"/y;

  constructor(text) {
    this.#text = text;
  }

  value() {
    switch (this.#peek()) {
      case "{":
        return this.#object();
      case "[":
        return this.#array();
      case '"':
        return JSON.parse(this.#take(this.#string)[0]);
      case "t":
        return this.#word("true", true);
      case "f":
        return this.#word("false", false);
      case "n":
        return this.#word("null", null);
      default: {
        const [digits, fraction, exponent] = this.#take(this.#number);
        const number = Number(digits);
        return fraction || exponent || Number.isSafeInteger(number) ? number : BigInt(digits);
      }
    }
  }

  #object() {
    const object = {};
    this.#at++;
    while (this.#peek() !== "}") {
      const name = JSON.parse(this.#take(this.#string)[0]);
      this.#skip(":");
      const value = this.value();
      // Not by `=`: that would set the prototype for the name `__proto__`.
      Object.defineProperty(object, name, { value, writable: true, enumerable: true, configurable: true });
      if (this.#peek() === ",") this.#at++;
    }
    this.#at++;
    return object;
  }

  #array() {
    const array = [];
    this.#at++;
    while (this.#peek() !== "]") {
      array.push(this.value());
      if (this.#peek() === ",") this.#at++;
    }
    this.#at++;
    return array;
  }

  #word(word, value) {
    this.#at += word.length;
    return value;
  }

  #take(pattern) {
    this.#peek();
    pattern.lastIndex = this.#at;
    const match = pattern.exec(this.#text);
    this.#at = pattern.lastIndex;
    return match;
  }

  #skip(what) {
    this.#peek();
    this.#at += what.length;
  }

  /** The next character that is no white space. */
  #peek() {
    while (" \t\n\r".includes(this.#text[this.#at])) this.#at++;
    return this.#text[this.#at];
  }
}

function checkDepth(text) {
  // Most messages do not open as many brackets in all.
  if (count(text, "[", MAX_DEPTH) + count(text, "{", MAX_DEPTH) <= MAX_DEPTH) return;
  const brackets = text.replace(/"[^"\\]*(?:\\.[^"\\]*)*"|[^"[\]{}]+/gs, "");
  let depth = 0;
  for (let i = 0; i < brackets.length; i++) {
    const bracket = brackets.charCodeAt(i);
    if (bracket === 0x5b || bracket === 0x7b) {
      if (++depth > MAX_DEPTH) throw new SyntaxError(`more than ${MAX_DEPTH} values are nested`);
    } else if (bracket !== 0x22) {
      depth--;
    }
  }
}

/** How often a character is in a text; what is more than `most` is not counted. */
function count(text, character, most) {
  let found = 0;
  for (let at = text.indexOf(character); at >= 0 && found <= most; at = text.indexOf(character, at + 1)) found++;
  return found;
}
