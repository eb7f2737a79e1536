// postcard's wire format (https://postcard.jamesmunns.com/wire-format), with bounds checked: states can be shared with
// plugins in other languages.

import { decodeUtf8, encodeUtf8 } from "./utf8.js";
import { brief } from "./values.js";

const U64 = (1n << 64n) - 1n;

/** Signed to unsigned, small ones staying small: 0, -1, 1, -2 are 0, 1, 2, 3. */
const zigzag = (value) => (value << 1n) ^ (value >> 63n);
const zagzig = (value) => (value >> 1n) ^ -(value & 1n);

export class Writer {
  #bytes = new Uint8Array(64);
  #length = 0;

  /** What has been written. */
  finish() {
    return this.#bytes.slice(0, this.#length);
  }

  u8(value) {
    this.#push(whole(value, 0, 0xff));
  }

  u16(value) {
    this.#varint(whole(value, 0, 0xffff));
  }

  u32(value) {
    this.#varint(whole(value, 0, 0xffff_ffff));
  }

  /** A BigInt, or a number that is whole. */
  u64(value) {
    if (typeof value === "number") return this.#varint(whole(value, 0, Number.MAX_SAFE_INTEGER));
    if (typeof value !== "bigint" || value < 0n || value > U64) throw out(value, 0, U64);
    while (value > 0x7fn) {
      this.#push(Number(value & 0x7fn) | 0x80);
      value >>= 7n;
    }
    this.#push(Number(value));
  }

  i8(value) {
    this.#push(whole(value, -0x80, 0x7f) & 0xff);
  }

  i16(value) {
    this.u64(zigzag(BigInt(whole(value, -0x8000, 0x7fff))));
  }

  i32(value) {
    this.u64(zigzag(BigInt(whole(value, -0x8000_0000, 0x7fff_ffff))));
  }

  i64(value) {
    const big = typeof value === "number" ? BigInt(whole(value)) : value;
    if (typeof big !== "bigint" || BigInt.asIntN(64, big) !== big) throw out(value, -(1n << 63n), (1n << 63n) - 1n);
    this.u64(zigzag(big));
  }

  bool(value) {
    if (typeof value !== "boolean") throw new TypeError(`${brief(value)} is neither true nor false`);
    this.#push(value ? 1 : 0);
  }

  f32(value) {
    this.raw(new Uint8Array(new Float32Array([number(value)]).buffer));
  }

  f64(value) {
    this.raw(new Uint8Array(new Float64Array([number(value)]).buffer));
  }

  string(value) {
    if (typeof value !== "string") throw new TypeError(`${brief(value)} is no string`);
    this.bytes(encodeUtf8(value));
  }

  bytes(value) {
    if (!(value instanceof Uint8Array)) throw new TypeError(`${brief(value)} is no Uint8Array`);
    this.u32(value.length);
    this.raw(value);
  }

  /** Nothing, or what `some` writes. */
  option(value, some) {
    const present = value !== null && value !== undefined;
    this.bool(present);
    if (present) some(value);
  }

  list(values, each) {
    this.u32(values.length);
    for (const value of values) each(value);
  }

  /** Bytes as they are, without their length. */
  raw(bytes) {
    this.#room(bytes.length);
    this.#bytes.set(bytes, this.#length);
    this.#length += bytes.length;
  }

  #varint(value) {
    while (value > 0x7f) {
      this.#push((value % 0x80) | 0x80);
      value = Math.floor(value / 0x80);
    }
    this.#push(value);
  }

  #push(byte) {
    this.#room(1);
    this.#bytes[this.#length++] = byte;
  }

  #room(more) {
    const needed = this.#length + more;
    if (needed <= this.#bytes.length) return;
    const larger = new Uint8Array(Math.max(needed, this.#bytes.length * 2));
    larger.set(this.#bytes);
    this.#bytes = larger;
  }
}

/** Throws a RangeError that says where the bytes are not what they should be. */
export class Reader {
  #bytes;
  #at = 0;

  constructor(bytes) {
    this.#bytes = bytes;
  }

  /** Bytes left over mean that they were written by something else. */
  end() {
    const left = this.#bytes.length - this.#at;
    if (left > 0) throw new RangeError(`${left} of ${this.#bytes.length} bytes are left over`);
  }

  u8() {
    if (this.#at >= this.#bytes.length) throw new RangeError(`the bytes end at ${this.#at}, and more were expected`);
    return this.#bytes[this.#at++];
  }

  u16() {
    return Number(this.#varint(3, 0xffffn, "u16"));
  }

  u32() {
    return Number(this.#varint(5, 0xffff_ffffn, "u32"));
  }

  /** A BigInt. */
  u64() {
    return this.#varint(10, U64, "u64");
  }

  i8() {
    return (this.u8() << 24) >> 24;
  }

  i16() {
    return Number(zagzig(this.#varint(3, 0xffffn, "i16")));
  }

  i32() {
    return Number(zagzig(this.#varint(5, 0xffff_ffffn, "i32")));
  }

  /** A BigInt. */
  i64() {
    return zagzig(this.#varint(10, U64, "i64"));
  }

  bool() {
    const byte = this.u8();
    if (byte > 1) throw new RangeError(`byte ${this.#at - 1} is ${byte}, neither 0 nor 1`);
    return byte === 1;
  }

  f32() {
    return new Float32Array(this.raw(4).slice().buffer)[0];
  }

  f64() {
    return new Float64Array(this.raw(8).slice().buffer)[0];
  }

  string() {
    const at = this.#at;
    try {
      return decodeUtf8(this.bytes());
    } catch (error) {
      throw error instanceof TypeError ? new RangeError(`the string at ${at} is not UTF-8`) : error;
    }
  }

  bytes() {
    return this.raw(this.u32());
  }

  option(some) {
    return this.bool() ? some() : null;
  }

  list(each) {
    const count = this.u32();
    // Each element takes a byte at least, unless it is nothing at all: a length that is made up costs no memory.
    if (count > this.#bytes.length)
      throw new RangeError(`${count} elements are more than ${this.#bytes.length} bytes hold`);
    const values = [];
    for (let i = 0; i < count; i++) values.push(each());
    return values;
  }

  raw(length) {
    const left = this.#bytes.length - this.#at;
    if (length > left) throw new RangeError(`${length} bytes were expected at ${this.#at}, and ${left} are there`);
    this.#at += length;
    return this.#bytes.subarray(this.#at - length, this.#at);
  }

  #varint(most, max, what) {
    const start = this.#at;
    let value = 0n;
    for (let i = 0; i < most; i++) {
      const byte = this.u8();
      value |= BigInt(byte & 0x7f) << BigInt(7 * i);
      if (byte < 0x80) {
        if (value > max) break;
        return value;
      }
    }
    throw new RangeError(`what stands at ${start} is larger than a ${what}`);
  }
}

function whole(value, min = Number.MIN_SAFE_INTEGER, max = Number.MAX_SAFE_INTEGER) {
  if (Number.isSafeInteger(value) && value >= min && value <= max) return value;
  throw out(value, min, max);
}

function out(value, min, max) {
  return new RangeError(`${brief(value)} is not an integer from ${min} to ${max}`);
}

function number(value) {
  if (typeof value === "number") return value;
  throw new TypeError(`${brief(value)} is no number`);
}
