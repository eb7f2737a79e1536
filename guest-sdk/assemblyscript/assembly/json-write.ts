// JSON that is written: `new JsonObject().set("name", "tea").set("left", 3)`.

import { Bytes } from "./bytes";

/** A JSON object that is being written. Members stay in the order in which they were set. */
export class JsonObject {
  private readonly out: Bytes = new Bytes();

  /**
   * A member: a number, bool or string, null, a Json, JsonObject or JsonArray, an array, a map, or an object with
   * `toJSON`.
   */
  set<T>(key: string, value: T): JsonObject {
    if (this.out.length > 0) this.out.byte(0x2c);
    writeText(this.out, key);
    this.out.byte(0x3a);
    write<T>(this.out, value);
    return this;
  }

  writeTo(out: Bytes): void {
    out.byte(0x7b);
    out.copy(this.out.buffer, 0, this.out.length);
    out.byte(0x7d);
  }

  toString(): string {
    return toText(this);
  }
}

/** A JSON array that is being written; its items may be of different types. */
export class JsonArray {
  private readonly out: Bytes = new Bytes();

  add<T>(value: T): JsonArray {
    if (this.out.length > 0) this.out.byte(0x2c);
    write<T>(this.out, value);
    return this;
  }

  writeTo(out: Bytes): void {
    out.byte(0x5b);
    out.copy(this.out.buffer, 0, this.out.length);
    out.byte(0x5d);
  }

  toString(): string {
    return toText(this);
  }
}

export function toBytes<T>(value: T): Bytes {
  const out = new Bytes();
  write<T>(out, value);
  return out;
}

function toText<T>(value: T): string {
  const out = toBytes<T>(value);
  return String.UTF8.decodeUnsafe(out.at(0), out.length);
}

export function write<T>(out: Bytes, value: T): void {
  if (isBoolean<T>()) {
    out.text(value ? "true" : "false");
  } else if (isInteger<T>()) {
    out.text(isSigned<T>() ? (<i64>value).toString() : (<u64>value).toString());
  } else if (isFloat<T>()) {
    writeDouble(out, <f64>value);
  } else if (isNullable<T>()) {
    // @ts-ignore: T is a reference here
    if (value === null) out.text("null");
    // @ts-ignore: and not null here
    else write<NonNullable<T>>(out, value);
  } else if (isString<T>()) {
    writeText(out, changetype<string>(value));
  } else if (isArray<T>()) {
    // @ts-ignore: T is an array here
    writeItems(out, value);
    // @ts-ignore: T may have it
  } else if (isDefined(value.writeTo)) {
    // @ts-ignore: T has it
    value.writeTo(out);
    // @ts-ignore: T may have it
  } else if (isDefined(value.toJSON)) {
    // @ts-ignore: T has it
    value.toJSON().writeTo(out);
    // @ts-ignore: T may have it
  } else if (isDefined(value.keys)) {
    // @ts-ignore: T is a map here
    writeMembers(out, value);
  } else {
    ERROR("this type cannot be written as JSON: give it a method `toJSON(): JsonObject`");
  }
}

function writeItems<T>(out: Bytes, items: Array<T>): void {
  out.byte(0x5b);
  for (let i = 0; i < items.length; i++) {
    if (i > 0) out.byte(0x2c);
    write<T>(out, items[i]);
  }
  out.byte(0x5d);
}

function writeMembers<K, V>(out: Bytes, map: Map<K, V>): void {
  const keys = map.keys();
  out.byte(0x7b);
  for (let i = 0; i < keys.length; i++) {
    if (i > 0) out.byte(0x2c);
    // @ts-ignore: whatever is a key can be a text
    writeText(out, keys[i].toString());
    out.byte(0x3a);
    write<V>(out, map.get(keys[i]));
  }
  out.byte(0x7d);
}

function writeDouble(out: Bytes, value: f64): void {
  // JSON has no word for what is no number.
  if (!isFinite(value)) out.text("null");
  else if (reinterpret<u64>(value) == 1 << 63) out.text("-0.0");
  else out.text(value.toString());
}

const HEX = "0123456789abcdef";

export function writeText(out: Bytes, text: string): void {
  out.byte(0x22);
  let plain = 0; // what is before it has been written
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit >= 0x20 && unit != 0x22 && unit != 0x5c) continue;
    if (i > plain) out.text(text.substring(plain, i));
    plain = i + 1;
    out.byte(0x5c);
    if (unit == 0x0a) out.byte(0x6e);
    else if (unit == 0x0d) out.byte(0x72);
    else if (unit == 0x09) out.byte(0x74);
    else if (unit >= 0x20) out.byte(<u8>unit);
    else out.text("u00" + HEX.charAt(unit >> 4) + HEX.charAt(unit & 15));
  }
  out.text(plain == 0 ? text : text.substring(plain));
  out.byte(0x22);
}
