// States as postcard's bytes (https://postcard.jamesmunns.com/wire-format): values one after the other, without names.
// A struct of the same fields in the same order is the same bytes in a plugin in Rust, C or any other language.

import { Bytes, isUtf8, textAt } from "./bytes";

/** Writes values, one after the other. */
export class Writer {
  readonly out: Bytes = new Bytes();

  bool(value: bool): void {
    this.out.byte(value ? 1 : 0);
  }

  u8(value: u8): void {
    this.out.byte(value);
  }

  u16(value: u16): void {
    this.u64(value);
  }

  u32(value: u32): void {
    this.u64(value);
  }

  /** Seven bits a byte, the lowest first. */
  u64(value: u64): void {
    let rest = value;
    while (rest > 0x7f) {
      this.out.byte(<u8>(rest | 0x80));
      rest >>= 7;
    }
    this.out.byte(<u8>rest);
  }

  i8(value: i8): void {
    this.out.byte(<u8>value);
  }

  i16(value: i16): void {
    this.i64(value);
  }

  i32(value: i32): void {
    this.i64(value);
  }

  /** Zigzag: 0, -1, 1, -2, … */
  i64(value: i64): void {
    this.u64(<u64>((value << 1) ^ (value >> 63)));
  }

  f32(value: f32): void {
    store<f32>(this.out.room(4), value);
  }

  f64(value: f64): void {
    store<f64>(this.out.room(8), value);
  }

  string(value: string): void {
    this.u64(<u64>String.UTF8.byteLength(value));
    this.out.text(value);
  }

  bytes(value: Uint8Array): void {
    this.count(value.length);
    this.raw(value);
  }

  /** How many items of a list or a map follow. */
  count(items: i32): void {
    this.u64(<u64>items);
  }

  /** Whether a value follows. */
  option(some: bool): void {
    this.bool(some);
  }

  optionalString(value: string | null): void {
    this.option(value !== null);
    if (value !== null) this.string(value);
  }

  /** Which variant of an enum follows. */
  variant(index: u32): void {
    this.u64(index);
  }

  /** A list: how many, then each. The function can use nothing from around it: AssemblyScript has no closures. */
  list<T>(items: Array<T>, write: (w: Writer, item: T) => void): void {
    this.count(items.length);
    for (let i = 0; i < items.length; i++) write(this, items[i]);
  }

  /** A map, in the order of its keys, so that equal maps are equal bytes. */
  map<K, V>(map: Map<K, V>, write: (w: Writer, key: K, value: V) => void): void {
    const keys = map.keys().sort((a, b) => (a < b ? -1 : a > b ? 1 : 0));
    this.count(keys.length);
    for (let i = 0; i < keys.length; i++) write(this, keys[i], map.get(keys[i]));
  }

  /** Bytes as they are, without a count: for an encoding of one's own. */
  raw(value: Uint8Array): void {
    memory.copy(this.out.room(value.length), value.dataStart, value.length);
  }
}

/**
 * Reads them in the same order. The first thing that is wrong is kept, and from then on every read gives 0, or nothing:
 * the SDK looks for it at the end, and that nothing is left over.
 */
export class Reader {
  /** What is wrong; null: nothing so far. */
  problem: string | null = null;
  private at: i32 = 0;

  constructor(private source: Bytes) {}

  /** Bytes that are not read yet. */
  get left(): i32 {
    return this.source.length - this.at;
  }

  /** Refuses what is read: a value that decodes, and still cannot be. The first reason counts. */
  fail(why: string): void {
    if (this.problem !== null) return;
    this.problem = `${why}, at byte ${this.at} of ${this.source.length}`;
    this.at = this.source.length;
  }

  bool(): bool {
    const byte = this.u8();
    if (byte > 1) this.fail(`a bool is ${byte}`);
    return byte == 1;
  }

  u8(): u8 {
    const from = this.take(1);
    return from < 0 ? 0 : load<u8>(this.source.at(from));
  }

  u16(): u16 {
    return <u16>this.varint(16);
  }

  u32(): u32 {
    return <u32>this.varint(32);
  }

  u64(): u64 {
    return this.varint(64);
  }

  i8(): i8 {
    return <i8>this.u8();
  }

  i16(): i16 {
    return <i16>this.zigzag(16);
  }

  i32(): i32 {
    return <i32>this.zigzag(32);
  }

  i64(): i64 {
    return this.zigzag(64);
  }

  f32(): f32 {
    const from = this.take(4);
    return from < 0 ? 0 : load<f32>(this.source.at(from));
  }

  f64(): f64 {
    const from = this.take(8);
    return from < 0 ? 0 : load<f64>(this.source.at(from));
  }

  string(): string {
    const length = this.count(1);
    const from = this.take(length);
    if (from < 0) return "";
    const at = this.source.at(from);
    if (!isUtf8(at, at + <usize>length)) {
      this.fail("a text is not UTF-8");
      return "";
    }
    return textAt(at, length);
  }

  bytes(): Uint8Array {
    return this.raw(this.count(1));
  }

  /**
   * How many items of a list or a map follow. More than there are bytes left for, at `least` bytes each, are refused,
   * so that a loop over them ends.
   */
  count(least: i32 = 1): i32 {
    const items = this.varint(64);
    if (items * <u64>max(least, 1) > <u64>this.left || items > <u64>this.left) {
      this.fail(`${items} items do not fit into the ${this.left} bytes that are left`);
      return 0;
    }
    return <i32>items;
  }

  /** Whether a value follows. */
  option(): bool {
    return this.bool();
  }

  optionalString(): string | null {
    return this.option() ? this.string() : null;
  }

  /** Which variant of an enum follows; less than `variants`. */
  variant(variants: u32): u32 {
    const index = this.u32();
    if (index < variants) return index;
    this.fail(`there is no variant ${index} of ${variants}`);
    return 0;
  }

  list<T>(read: (r: Reader) => T): Array<T> {
    const items = new Array<T>();
    for (let left = this.count(); left > 0 && this.problem === null; left--) items.push(read(this));
    return items;
  }

  /** A map. A key that comes twice is refused. */
  map<K, V>(readKey: (r: Reader) => K, readValue: (r: Reader) => V): Map<K, V> {
    const map = new Map<K, V>();
    for (let left = this.count(); left > 0 && this.problem === null; left--) {
      const key = readKey(this);
      if (map.has(key)) this.fail("a key comes twice");
      map.set(key, readValue(this));
    }
    return map;
  }

  /** So many bytes as they are: `r.raw(r.left)` is all of an encoding of one's own. */
  raw(length: i32): Uint8Array {
    const from = this.take(length);
    if (from < 0) return new Uint8Array(0);
    const copy = new Uint8Array(length);
    memory.copy(copy.dataStart, this.source.at(from), length);
    return copy;
  }

  /** Where the next `length` bytes begin; -1 where there are not as many. */
  private take(length: i32): i32 {
    const from = this.at;
    if (length < 0 || length > this.left) {
      this.fail("it ends too early");
      return -1;
    }
    this.at = from + length;
    // What does not decode is read as nothing.
    return this.problem !== null ? -1 : from;
  }

  private varint(bits: i32): u64 {
    let value: u64 = 0;
    for (let shift = 0; shift < bits; shift += 7) {
      const byte = <u64>this.u8();
      if (this.problem !== null) return 0;
      // The last byte has no room for more.
      if (shift + 7 > bits && byte >> (bits - shift) != 0) break;
      value |= (byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
    this.fail(`a number has more than ${bits} bits`);
    return 0;
  }

  private zigzag(bits: i32): i64 {
    const value = this.varint(bits);
    return (<i64>(value >> 1)) ^ -(<i64>(value & 1));
  }
}
