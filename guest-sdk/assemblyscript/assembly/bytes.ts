// Bytes: a buffer that grows, and text as UTF-8.

/** Bytes that grow at their end. */
export class Bytes {
  buffer: ArrayBuffer;
  length: i32 = 0;

  constructor(capacity: i32 = 64) {
    this.buffer = new ArrayBuffer(capacity);
  }

  static of(buffer: ArrayBuffer): Bytes {
    const bytes = new Bytes(0);
    bytes.buffer = buffer;
    bytes.length = buffer.byteLength;
    return bytes;
  }

  /** Makes room for `count` more bytes, and gives the address of the first: good until the next allocation. */
  room(count: i32): usize {
    const from = this.length;
    const length = from + count;
    if (length < from) throw new Error("more than 2 GiB of bytes");
    const capacity = this.buffer.byteLength;
    if (length > capacity) {
      const grown = new ArrayBuffer(max(length, capacity < 1 << 29 ? capacity * 2 : capacity));
      memory.copy(changetype<usize>(grown), changetype<usize>(this.buffer), from);
      this.buffer = grown;
    }
    this.length = length;
    return changetype<usize>(this.buffer) + <usize>from;
  }

  byte(value: u8): void {
    store<u8>(this.room(1), value);
  }

  /** A text as UTF-8. Half of a surrogate pair, which UTF-8 cannot hold, becomes U+FFFD. */
  text(value: string): void {
    const at = this.room(String.UTF8.byteLength(value));
    String.UTF8.encodeUnsafe(changetype<usize>(value), value.length, at, false, String.UTF8.ErrorMode.REPLACE);
  }

  /** Bytes `from` to `to` of a buffer. */
  copy(buffer: ArrayBuffer, from: i32, to: i32): void {
    const at = this.room(to - from);
    memory.copy(at, changetype<usize>(buffer) + <usize>from, to - from);
  }

  at(index: i32): usize {
    return changetype<usize>(this.buffer) + <usize>index;
  }

  toArray(): Uint8Array {
    return Uint8Array.wrap(this.buffer, 0, this.length);
  }
}

/** A text as UTF-8, for the host: it takes no other. */
export function utf8(text: string): ArrayBuffer {
  return String.UTF8.encode(text, false, String.UTF8.ErrorMode.REPLACE);
}

/** Text of bytes that are known to be UTF-8. */
export function textAt(at: usize, length: i32): string {
  return String.UTF8.decodeUnsafe(at, length);
}

/** Text of bytes; null where they are not UTF-8. */
export function textOf(bytes: Uint8Array): string | null {
  const at = bytes.dataStart;
  return isUtf8(at, at + <usize>bytes.length) ? textAt(at, bytes.length) : null;
}

export function isUtf8(at: usize, end: usize): bool {
  while (at < end) {
    const length = utf8Length(at, end);
    if (length == 0) return false;
    at += length;
  }
  return true;
}

/** Of the character at `at`; 0 where there is none that UTF-8 allows. */
export function utf8Length(at: usize, end: usize): usize {
  const first = load<u8>(at);
  if (first < 0x80) return 1;
  // Neither surrogates, nor what is longer than need be, nor beyond U+10FFFF.
  let least: u8 = 0x80;
  let most: u8 = 0xbf;
  let length: usize = 2;
  if (first < 0xc2 || first > 0xf4) return 0;
  if (first >= 0xf0) {
    length = 4;
    if (first == 0xf0) least = 0x90;
    else if (first == 0xf4) most = 0x8f;
  } else if (first >= 0xe0) {
    length = 3;
    if (first == 0xe0) least = 0xa0;
    else if (first == 0xed) most = 0x9f;
  }
  if (end - at < length) return 0;
  const second = load<u8>(at, 1);
  if (second < least || second > most) return 0;
  for (let i: usize = 2; i < length; i++) {
    if ((load<u8>(at + i) & 0xc0) != 0x80) return 0;
  }
  return length;
}
