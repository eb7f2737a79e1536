import type { Encoding } from "baton-guest";

/** Says how a value is written and read. */
export interface Codec<T> {
  write(writer: Writer, value: T): void;
  read(reader: Reader): T;
}

/** What a codec reads and writes. */
export type Of<C> = C extends Codec<infer T> ? T : never;

/** For an entry of `encodings`: bytes left over are refused. */
export function encoding<T>(codec: Codec<T>): Encoding<T>;

export const bool: Codec<boolean>;
export const u8: Codec<number>;
export const u16: Codec<number>;
export const u32: Codec<number>;
export const u64: Codec<bigint>;
/** A u64 that fits a number, such as a time in milliseconds. */
export const u53: Codec<number>;
export const i8: Codec<number>;
export const i16: Codec<number>;
export const i32: Codec<number>;
export const i64: Codec<bigint>;
export const f32: Codec<number>;
export const f64: Codec<number>;
export const string: Codec<string>;
export const bytes: Codec<Uint8Array>;
/** No bytes at all. */
export const unit: Codec<null>;

export function option<T>(some: Codec<T>): Codec<T | null>;
export function list<T>(element: Codec<T>): Codec<T[]>;
export function tuple<T extends unknown[]>(...parts: { [I in keyof T]: Codec<T[I]> }): Codec<T>;
/** An object, its fields in this order. */
export function struct<F extends Record<string, Codec<any>>>(fields: F): Codec<{ [K in keyof F]: Of<F[K]> }>;
/** A Map, in its order. */
export function map<K, V>(key: Codec<K>, value: Codec<V>): Codec<Map<K, V>>;
/** An object as a map with strings for keys, in the order of the keys. */
export function dict<V>(value: Codec<V>): Codec<Record<string, V>>;
/** A Rust enum, its cases in this order: `"empty"` where a case is `unit`, `{ full: 3 }` otherwise. */
export function choice<C extends Record<string, Codec<any>>>(cases: C): Codec<Choice<C>>;

export type Choice<C> = {
  [K in keyof C]: C[K] extends Codec<null> ? K : { [P in K]: Of<C[K]> };
}[keyof C];

/** Writes postcard's bytes. A value that does not fit is a RangeError or TypeError. */
export class Writer {
  finish(): Uint8Array;
  u8(value: number): void;
  u16(value: number): void;
  u32(value: number): void;
  u64(value: number | bigint): void;
  i8(value: number): void;
  i16(value: number): void;
  i32(value: number): void;
  i64(value: number | bigint): void;
  bool(value: boolean): void;
  f32(value: number): void;
  f64(value: number): void;
  string(value: string): void;
  bytes(value: Uint8Array): void;
  option<T>(value: T | null | undefined, some: (value: T) => void): void;
  list<T>(values: T[], each: (value: T) => void): void;
  /** Bytes as they are, without their length. */
  raw(bytes: Uint8Array): void;
}

/** Reads them. Throws a RangeError that says where they are not what they should be. */
export class Reader {
  constructor(bytes: Uint8Array);
  /** Throws where bytes are left over. */
  end(): void;
  u8(): number;
  u16(): number;
  u32(): number;
  u64(): bigint;
  i8(): number;
  i16(): number;
  i32(): number;
  i64(): bigint;
  bool(): boolean;
  f32(): number;
  f64(): number;
  string(): string;
  bytes(): Uint8Array;
  option<T>(some: () => T): T | null;
  list<T>(each: () => T): T[];
  raw(length: number): Uint8Array;
}
