// States as postcard's bytes, which Rust's SDK writes unless told otherwise, and all others can: say what a state is made
// of, in the order of its fields.
//
//     static encodings = { 1: encoding(struct({ count: u64, name: option(string) })) };

import { Reader, Writer } from "./lib/wire.js";
import { brief } from "./lib/values.js";

export { Reader, Writer };

/** For an entry of `encodings`: bytes left over are refused. */
export function encoding(codec) {
  return {
    encode(value) {
      const writer = new Writer();
      codec.write(writer, value);
      return writer.finish();
    },
    decode(data) {
      const reader = new Reader(data);
      const value = codec.read(reader);
      reader.end();
      return value;
    },
  };
}

const basic = (name) => ({ write: (writer, value) => writer[name](value), read: (reader) => reader[name]() });

export const bool = basic("bool");
export const u8 = basic("u8");
export const u16 = basic("u16");
export const u32 = basic("u32");
/** A BigInt. */
export const u64 = basic("u64");
export const i8 = basic("i8");
export const i16 = basic("i16");
export const i32 = basic("i32");
/** A BigInt. */
export const i64 = basic("i64");
export const f32 = basic("f32");
export const f64 = basic("f64");
export const string = basic("string");
/** A Uint8Array. */
export const bytes = { write: (writer, value) => writer.bytes(value), read: (reader) => reader.bytes().slice() };
/** No bytes at all: null. */
export const unit = { write() {}, read: () => null };

/** A u64 that fits a number, such as a time in milliseconds; more than 2⁵³ - 1 is refused. */
export const u53 = {
  write: (writer, value) => writer.u64(value),
  read(reader) {
    const value = reader.u64();
    if (value > BigInt(Number.MAX_SAFE_INTEGER)) throw new RangeError(`${value} does not fit a number`);
    return Number(value);
  },
};

/** Null for nothing. */
export const option = (some) => ({
  write: (writer, value) => writer.option(value, (inner) => some.write(writer, inner)),
  read: (reader) => reader.option(() => some.read(reader)),
});

/** An array. */
export const list = (element) => ({
  write: (writer, values) => writer.list(values, (value) => element.write(writer, value)),
  read: (reader) => reader.list(() => element.read(reader)),
});

/** An array of fixed length. */
export const tuple = (...parts) => ({
  write: (writer, values) => parts.forEach((part, i) => part.write(writer, values[i])),
  read: (reader) => parts.map((part) => part.read(reader)),
});

/** An object, its fields in this order. */
export const struct = (fields) => {
  const parts = Object.entries(fields);
  return {
    write(writer, value) {
      for (const [name, part] of parts) within(name, () => part.write(writer, value[name]));
    },
    read: (reader) => Object.fromEntries(parts.map(([name, part]) => [name, within(name, () => part.read(reader))])),
  };
};

/** A Map, in its order. */
export const map = (key, value) => {
  const pairs = list(tuple(key, value));
  return {
    write: (writer, entries) => pairs.write(writer, [...entries]),
    read: (reader) => new Map(pairs.read(reader)),
  };
};

/** An object as a map with strings for keys, in the order of the keys, so that equal ones have equal bytes. */
export const dict = (value) => {
  const pairs = list(tuple(string, value));
  return {
    write: (writer, object) =>
      pairs.write(
        writer,
        Object.entries(object).sort(([a], [b]) => (a < b ? -1 : 1)),
      ),
    read: (reader) => Object.fromEntries(pairs.read(reader)),
  };
};

/** A Rust enum, its cases in this order: `"empty"` where a case is `unit`, `{ full: 3 }` otherwise. */
export const choice = (cases) => {
  const names = Object.keys(cases);
  return {
    write(writer, value) {
      const name = typeof value === "string" ? value : Object.keys(value)[0];
      const index = names.indexOf(name);
      if (index < 0) throw new TypeError(`${brief(value)} is none of ${names.join(", ")}`);
      writer.u32(index);
      if (cases[name] !== unit) within(name, () => cases[name].write(writer, value[name]));
    },
    read(reader) {
      const index = reader.u32();
      const name = names[index];
      if (name === undefined) throw new RangeError(`case ${index} is none of ${names.join(", ")}`);
      return cases[name] === unit ? name : { [name]: within(name, () => cases[name].read(reader)) };
    },
  };
};

/** Says in which field an error is. */
function within(name, run) {
  try {
    return run();
  } catch (error) {
    error.message = `${name}: ${error.message}`;
    throw error;
  }
}
