// What is handed to the host is checked first: a value of the wrong type would be a trap without a word.

import { writeJson } from "./json.js";
import { encodeUtf8 } from "./utf8.js";

/** A text without lone surrogates, which UTF-8 has no bytes for. */
export function text(value, what) {
  if (typeof value !== "string") throw new TypeError(`${what} is a ${kind(value)}, not a string`);
  return value.isWellFormed() ? value : value.toWellFormed();
}

export function bytes(value, what) {
  if (value instanceof Uint8Array) return value;
  if (value instanceof ArrayBuffer) return new Uint8Array(value);
  throw new TypeError(`${what} is a ${kind(value)}, not a Uint8Array`);
}

/** Milliseconds that the contract's u64 takes; parts of one are rounded up. */
export function millis(value, what) {
  if (typeof value === "bigint") value = Number(value);
  if (typeof value !== "number" || !(value >= 0))
    throw new RangeError(`${what} is ${value}, not a time in milliseconds`);
  return Math.min(Math.ceil(value), Number.MAX_SAFE_INTEGER);
}

/** A message or reply as bytes. */
export function jsonBytes(value) {
  return encodeUtf8(writeJson(value));
}

/** Says of what kind a value is, so that an error can. */
export function kind(value) {
  if (value === null) return "null";
  if (Array.isArray(value)) return "array";
  if (typeof value === "object") return value.constructor?.name ?? "object";
  return typeof value;
}

/** A value in a few characters, for an error. */
export function brief(value, most = 80) {
  let told;
  try {
    told = writeJson(value);
  } catch {
    told = String(kind(value));
  }
  return told.length > most ? `${told.slice(0, most).toWellFormed()}…` : told;
}

/** Callbacks are plain functions: nothing waits for a promise. */
export function settled(value, what) {
  if (typeof value?.then === "function") {
    throw new TypeError(`${what} returned a promise, which never settles here: callbacks are not async, cx.call waits`);
  }
  return value;
}
