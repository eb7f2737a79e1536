// Message bodies. A body is checked to be JSON once, and values are places in it: no tree is built, so a body of a
// megabyte takes a megabyte.

import { Bytes, textAt, utf8 } from "./bytes";
import { Scan, skipSpace, skipText, skipValue, unitAt } from "./json-scan";
import { isI64, isU64, toF64, toI64, toU64 } from "./number";

export enum JsonKind {
  /** There is no such member or item. */
  Missing,
  /** The text is not JSON; `problem` says why. */
  Invalid,
  Null,
  Bool,
  Number,
  Text,
  Array,
  Object,
}

/** How much of a value an error shows, in bytes. */
const EXCERPT = 100;

// @ts-ignore: decorator
@lazy const NOTHING: ArrayBuffer = new ArrayBuffer(0);
// @ts-ignore: decorator
@lazy const MISSING: Json = new Json(NOTHING, 0, 0, JsonKind.Missing);

/**
 * A value in a JSON text, or `Missing`. Asking for what is not there gives `Missing`, which is asked in the same way,
 * so that `message.get("a").get("b").isText` needs no null checks. `u64`, `text` and the like are for what was found to
 * be one by `isU64`, `isText`: of anything else they are a panic.
 */
export class Json {
  constructor(
    private readonly body: ArrayBuffer,
    private readonly from: i32,
    private readonly to: i32,
    readonly kind: JsonKind,
    /** Why an `Invalid` one is. */
    readonly problem: string | null = null,
  ) {}

  /** Reads a whole text. One that is not JSON is `Invalid`. */
  static parse(text: string): Json {
    return Json.of(utf8(text));
  }

  /** The same of bytes, which may not be changed as long as the value is used. */
  static parseBytes(bytes: Uint8Array): Json {
    const buffer = bytes.buffer;
    const isWhole = bytes.length == buffer.byteLength;
    return Json.of(isWhole ? buffer : buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length));
  }

  /** Of bytes that nobody changes from now on. */
  static of(body: ArrayBuffer): Json {
    const begin = changetype<usize>(body);
    const length = body.byteLength;
    const scan = new Scan(begin, begin + <usize>length);
    if (scan.what !== null) return new Json(body, 0, length, JsonKind.Invalid, scan.problem);
    const at = skipSpace(begin, begin + <usize>length);
    return Json.at(body, at, length);
  }

  static missing(): Json {
    return MISSING;
  }

  /** The value at the address `at`, in bytes that are JSON. */
  static at(body: ArrayBuffer, at: usize, length: i32): Json {
    const begin = changetype<usize>(body);
    const to = skipValue(at, begin + <usize>length);
    return new Json(body, <i32>(at - begin), <i32>(to - begin), kindOf(load<u8>(at)));
  }

  private get begin(): usize {
    return changetype<usize>(this.body) + <usize>this.from;
  }

  get end(): usize {
    return changetype<usize>(this.body) + <usize>this.to;
  }

  // What it is.

  get isMissing(): bool {
    return this.kind == JsonKind.Missing;
  }

  get isInvalid(): bool {
    return this.kind == JsonKind.Invalid;
  }

  get isNull(): bool {
    return this.kind == JsonKind.Null;
  }

  get isBool(): bool {
    return this.kind == JsonKind.Bool;
  }

  get isNumber(): bool {
    return this.kind == JsonKind.Number;
  }

  /** Digits alone, up to 18446744073709551615: neither 3.0 nor 3e0. */
  get isU64(): bool {
    return this.isNumber && isU64(this.begin, this.end);
  }

  /** The same, with or without a minus. */
  get isI64(): bool {
    return this.isNumber && isI64(this.begin, this.end);
  }

  /** A whole number from 0 to `most`. */
  isUpTo(most: u64): bool {
    return this.isU64 && this.u64 <= most;
  }

  /** A number that a double can hold, to its nearest. */
  get isF64(): bool {
    return this.isNumber && isFinite(toF64(this.begin, this.end));
  }

  get isText(): bool {
    return this.kind == JsonKind.Text;
  }

  get isArray(): bool {
    return this.kind == JsonKind.Array;
  }

  get isObject(): bool {
    return this.kind == JsonKind.Object;
  }

  // What it says.

  get bool(): bool {
    if (!this.isBool) throw new Error(`no bool: ${this.excerpt()}`);
    return load<u8>(this.begin) == 0x74;
  }

  get u64(): u64 {
    if (!this.isU64) throw new Error(`no u64: ${this.excerpt()}`);
    return toU64(this.begin, this.end);
  }

  get i64(): i64 {
    if (!this.isI64) throw new Error(`no i64: ${this.excerpt()}`);
    return toI64(this.begin, this.end);
  }

  get f64(): f64 {
    if (!this.isNumber) throw new Error(`no number: ${this.excerpt()}`);
    return toF64(this.begin, this.end);
  }

  get text(): string {
    if (!this.isText) throw new Error(`no text: ${this.excerpt()}`);
    return unescaped(this.begin + 1, this.end - 1);
  }

  // Messages as a person types them.

  /** Whether it is the bare word, `"get"`; or `{"get": null}`, which some write. */
  is(word: string): bool {
    if (this.isText) return isText(this.begin, this.end, word);
    return this.arg(word).isNull;
  }

  /** What `{"add": 3}` says of `add`: an object with that one member. `Missing` of anything else. */
  arg(word: string): Json {
    const each = this.each();
    if (!this.isObject || !each.next() || !each.keyIs(word)) return MISSING;
    const value = each.value;
    return each.next() ? MISSING : value;
  }

  // What is in it.

  /** The first member of that name. */
  get(key: string): Json {
    if (!this.isObject) return MISSING;
    const each = this.each();
    while (each.next()) {
      if (each.keyIs(key)) return each.value;
    }
    return MISSING;
  }

  /**
   * Items of an array, or members of an object; nothing else has any: `for (const each = x.each(); each.next(); ) …`
   */
  each(): Each {
    const holds = this.isArray || this.isObject;
    return new Each(this.body, holds ? this.begin + 1 : 0, holds ? this.end - 1 : 0, this.isObject);
  }

  items(): Json[] {
    const items = new Array<Json>();
    for (const each = this.each(); each.next(); ) items.push(each.value);
    return items;
  }

  /** How many items or members. */
  count(): i32 {
    let count = 0;
    for (const each = this.each(); each.next(); ) count++;
    return count;
  }

  /** As it is written. */
  toString(): string {
    return this.isMissing ? "nothing" : textAt(this.begin, this.to - this.from);
  }

  writeTo(out: Bytes): void {
    if (this.isMissing || this.isInvalid) out.text("null");
    else out.copy(this.body, this.from, this.to);
  }

  /** Its beginning, for an error. */
  excerpt(): string {
    if (this.to - this.from <= EXCERPT) return this.toString();
    // Not in the middle of a character.
    let end = this.begin + EXCERPT;
    while ((load<u8>(end) & 0xc0) == 0x80) end--;
    return textAt(this.begin, <i32>(end - this.begin)) + "…";
  }
}

/** Goes through an array or an object. A value is looked at when it is asked for, and is passed over otherwise. */
export class Each {
  /** Where the next one begins, where `valueAt` does not say it. */
  private at: usize;
  private readonly end: usize;
  private keyAt: usize = 0;
  private valueAt: usize = 0;
  private known: Json | null = null;

  constructor(
    private readonly body: ArrayBuffer,
    at: usize,
    end: usize,
    private readonly isObject: bool,
  ) {
    // Buffers do not move.
    this.at = skipSpace(at, end);
    this.end = end;
  }

  /** Goes to the next one; false where there is none. */
  next(): bool {
    const end = this.end;
    let at = this.at;
    if (this.valueAt) {
      const known = this.known;
      at = skipSpace(known ? known.end : skipValue(this.valueAt, end), end);
      // After a comma there is another.
      if (at < end) at = skipSpace(at + 1, end);
      this.known = null;
      this.valueAt = 0;
      this.at = at;
    }
    if (at >= end) return false;
    if (this.isObject) {
      this.keyAt = at;
      at = skipSpace(skipText(at), end);
      at = skipSpace(at + 1, end);
    }
    this.valueAt = at;
    return true;
  }

  /** The item, or the member's value. */
  get value(): Json {
    const known = this.known;
    if (known) return known;
    if (!this.valueAt) return MISSING;
    const value = Json.at(this.body, this.valueAt, <i32>(this.end - changetype<usize>(this.body)));
    this.known = value;
    return value;
  }

  /** The member's name; empty for items. */
  get key(): string {
    return this.isObject ? unescaped(this.keyAt + 1, skipText(this.keyAt) - 1) : "";
  }

  keyIs(word: string): bool {
    return this.isObject && isText(this.keyAt, skipText(this.keyAt), word);
  }
}

function kindOf(first: u8): JsonKind {
  switch (first) {
    case 0x7b: return JsonKind.Object;
    case 0x5b: return JsonKind.Array;
    case 0x22: return JsonKind.Text;
    case 0x74:
    case 0x66: return JsonKind.Bool;
    case 0x6e: return JsonKind.Null;
    default: return JsonKind.Number;
  }
}

/** Whether the text from quote to quote is `word`. */
function isText(begin: usize, end: usize, word: string): bool {
  const length = <i32>(end - begin) - 2;
  // UTF-8 takes at most three bytes for what UTF-16 has two for, and an escape six.
  if (length < word.length || length > word.length * 6) return false;
  return unescaped(begin + 1, end - 1) == word;
}

function unescaped(at: usize, end: usize): string {
  let plain = at;
  while (plain < end && load<u8>(plain) != 0x5c) plain++;
  if (plain == end) return textAt(at, <i32>(end - at));
  const out = new Bytes(<i32>(end - at));
  while (at < end) {
    const byte = load<u8>(at);
    if (byte != 0x5c) {
      out.byte(byte);
      at++;
      continue;
    }
    const letter = load<u8>(at, 1);
    at += 2;
    if (letter == 0x75) {
      let text = String.fromCharCode(unitAt(at - 2));
      at += 4;
      // A whole pair, which was checked.
      if ((text.charCodeAt(0) & 0xfc00) == 0xd800) {
        text += String.fromCharCode(unitAt(at));
        at += 6;
      }
      out.text(text);
    } else if (letter == 0x62) out.byte(0x08);
    else if (letter == 0x66) out.byte(0x0c);
    else if (letter == 0x6e) out.byte(0x0a);
    else if (letter == 0x72) out.byte(0x0d);
    else if (letter == 0x74) out.byte(0x09);
    else out.byte(letter);
  }
  return textAt(out.at(0), out.length);
}
