// Whether bytes are JSON, and where a value in them ends. Nothing here calls itself: a message that is deep, or long,
// costs no stack.

import { utf8Length } from "./bytes";

/** How deep arrays and objects may lie in each other. */
export const MOST_DEPTH = 128;

// @ts-ignore: decorator
@lazy const objects: StaticArray<bool> = new StaticArray<bool>(MOST_DEPTH);

/** What is wrong, and where; null in `what`: nothing. */
export class Scan {
  what: string | null = null;
  at: usize;

  constructor(
    private readonly begin: usize,
    private readonly end: usize,
  ) {
    this.at = begin;
    this.document();
  }

  /** With its place, in bytes from 1. */
  get problem(): string {
    let line = 1;
    let column = 1;
    for (let at = this.begin; at < this.at; at++) {
      column++;
      if (load<u8>(at) == 0x0a) {
        line++;
        column = 1;
      }
    }
    return `${this.what!} at line ${line} column ${column}`;
  }

  private bad(what: string): bool {
    if (this.what === null) this.what = what;
    return false;
  }

  /** The byte at hand after white space; 0 at the end. */
  private peek(): u8 {
    this.at = skipSpace(this.at, this.end);
    return this.at < this.end ? load<u8>(this.at) : 0;
  }

  private document(): void {
    let depth = 0;
    while (true) {
      // A value is due.
      const first = this.peek();
      if (first == 0x7b || first == 0x5b) {
        if (depth == MOST_DEPTH) {
          this.bad(`more than ${MOST_DEPTH} arrays and objects in each other`);
          return;
        }
        this.at++;
        const isObject = first == 0x7b;
        objects[depth++] = isObject;
        if (this.peek() != (isObject ? 0x7d : 0x5d)) {
          if (isObject && !this.key()) return;
          continue;
        }
        this.at++;
        depth--;
      } else if (!this.plain(first)) {
        return;
      }
      // A value has ended, and perhaps what it stands in.
      while (depth > 0) {
        const isObject = objects[depth - 1];
        const next = this.peek();
        if (next == 0x2c) {
          this.at++;
          if (isObject && !this.key()) return;
          break;
        }
        if (next != (isObject ? 0x7d : 0x5d)) {
          this.bad(isObject ? "`,` or `}` was expected" : "`,` or `]` was expected");
          return;
        }
        this.at++;
        depth--;
      }
      if (depth == 0) {
        this.peek();
        if (this.at < this.end) this.bad("nothing more was expected");
        return;
      }
    }
  }

  private key(): bool {
    if (this.peek() != 0x22) return this.bad("a key in quotes was expected");
    if (!this.text()) return false;
    if (this.peek() != 0x3a) return this.bad("`:` was expected after a key");
    this.at++;
    return true;
  }

  private plain(first: u8): bool {
    if (first == 0x22) return this.text();
    if (first == 0x2d || (first >= 0x30 && first <= 0x39)) return this.number();
    if (first == 0x74) return this.word("true");
    if (first == 0x66) return this.word("false");
    if (first == 0x6e) return this.word("null");
    return this.bad(this.at < this.end ? "a value was expected" : "a value was expected, and the text ends");
  }

  private word(word: string): bool {
    for (let i = 0; i < word.length; i++) {
      if (this.at + <usize>i >= this.end || load<u8>(this.at + <usize>i) != <u8>word.charCodeAt(i)) {
        return this.bad("a value was expected");
      }
    }
    this.at += <usize>word.length;
    return true;
  }

  private byte(): u8 {
    return this.at < this.end ? load<u8>(this.at) : 0;
  }

  private digits(): bool {
    const from = this.at;
    while (<u8>(this.byte() - 0x30) < 10) this.at++;
    return this.at > from;
  }

  private number(): bool {
    if (this.byte() == 0x2d) this.at++;
    if (this.byte() == 0x30) this.at++;
    else if (!this.digits()) return this.bad("a digit was expected");
    if (this.byte() == 0x2e) {
      this.at++;
      if (!this.digits()) return this.bad("a digit was expected after the point");
    }
    if ((this.byte() | 0x20) == 0x65) {
      this.at++;
      if (this.byte() == 0x2b || this.byte() == 0x2d) this.at++;
      if (!this.digits()) return this.bad("a digit was expected in the exponent");
    }
    return true;
  }

  private text(): bool {
    let at = this.at + 1;
    const end = this.end;
    while (at < end) {
      const byte = load<u8>(at);
      if (byte == 0x22) {
        this.at = at + 1;
        return true;
      }
      if (byte == 0x5c) {
        this.at = at;
        const length = this.escape();
        if (length == 0) return false;
        at += length;
      } else if (byte < 0x20) {
        this.at = at;
        return this.bad("a control character in a text");
      } else if (byte < 0x80) {
        at++;
      } else {
        const length = utf8Length(at, end);
        if (length == 0) {
          this.at = at;
          return this.bad("a text that is not UTF-8");
        }
        at += length;
      }
    }
    this.at = at;
    return this.bad("a text without an end");
  }

  /** Length of the escape at hand, both halves of a surrogate pair; 0 where it is none. */
  private escape(): usize {
    const at = this.at;
    const letter = at + 1 < this.end ? load<u8>(at, 1) : 0;
    // " / \ b f n r t
    if (letter == 0x22 || letter == 0x2f || letter == 0x5c || letter == 0x62) return 2;
    if (letter == 0x66 || letter == 0x6e || letter == 0x72 || letter == 0x74) return 2;
    if (letter == 0x75) {
      const unit = this.unit(at);
      if (unit >= 0 && (unit & 0xf800) != 0xd800) return 6;
      if (unit >= 0 && unit < 0xdc00 && (this.unit(at + 6) & 0xfc00) == 0xdc00) return 12;
      this.bad(unit < 0 ? "an escape that is none" : "half of a surrogate pair");
      return 0;
    }
    this.bad("an escape that is none");
    return 0;
  }

  private unit(at: usize): i32 {
    if (this.end - at < 6 || load<u8>(at) != 0x5c || load<u8>(at, 1) != 0x75) return -1;
    return unitAt(at);
  }
}

/** What the escape at `at`, `\u00e9`, stands for; negative where it is none. */
export function unitAt(at: usize): i32 {
  let unit = 0;
  for (let i: usize = 2; i < 6; i++) {
    const byte = load<u8>(at + i);
    const letter = byte | 0x20;
    let digit = 0;
    if (<u8>(byte - 0x30) < 10) digit = byte - 0x30;
    else if (letter >= 0x61 && letter <= 0x66) digit = letter - 0x61 + 10;
    else return -1;
    unit = (unit << 4) | digit;
  }
  return unit;
}

export function skipSpace(at: usize, end: usize): usize {
  while (at < end) {
    const byte = load<u8>(at);
    if (byte != 0x20 && byte != 0x0a && byte != 0x0d && byte != 0x09) break;
    at++;
  }
  return at;
}

/** Where the value at `at` ends, in bytes that are JSON. */
export function skipValue(at: usize, end: usize): usize {
  let depth = 0;
  while (at < end) {
    const byte = load<u8>(at);
    if (byte == 0x22) {
      at = skipText(at);
      if (depth == 0) return at;
      continue;
    }
    if (byte == 0x7b || byte == 0x5b) depth++;
    else if (byte == 0x7d || byte == 0x5d) {
      // What closes at depth 0 is around the value.
      if (depth == 0) return at;
      if (--depth == 0) return at + 1;
    } else if (depth == 0 && (byte == 0x2c || byte <= 0x20)) return at;
    at++;
  }
  return at;
}

/** Where the text at `at` ends, after its quote. */
export function skipText(at: usize): usize {
  let byte: u8 = 0;
  while (byte != 0x22) {
    if (byte == 0x5c) at++;
    byte = load<u8>(++at);
  }
  return at + 1;
}
