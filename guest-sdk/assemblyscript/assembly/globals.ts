// What AssemblyScript's own library asks of its surroundings: the build puts these in its place.

import { Level, randomBytes, writeLog } from "./cx";
import { nowMs } from "./host";

let panics: bool = false;
/** What is left of the stack of references where it is as good as full. */
const LITTLE_STACK: usize = 2048;

/**
 * A `throw`, an `assert` that does not hold, an index that is out of range, a full stack: logged with its place, then a
 * trap. It takes no room on the stack of references itself, so that it can be called when that is full.
 */
// @ts-ignore: decorator
@global
export function baton_abort(message: string | null, file: string | null, line: u32, column: u32): void {
  if (panics) unreachable();
  panics = true;
  let what = changetype<usize>(message);
  const where = changetype<usize>(file);
  const isFull = __stack_pointer < __data_end;
  if (isFull || __stack_pointer - __data_end < LITTLE_STACK) {
    // Nothing of what was called goes on: its stack can be written over. The compiler's own message for a full stack
    // lies where the heap has begun meanwhile.
    if (isFull) what = 0;
    __pin(what);
    __stack_pointer = __heap_base;
  }
  report(isFull, what, isFull ? 0 : where, line, column);
  unreachable();
}

function report(isFull: bool, message: usize, file: usize, line: u32, column: u32): void {
  let what = "an assertion does not hold";
  if (isFull) what = "too many calls within each other: the stack is full";
  else if (message) what = changetype<string>(message);
  const fields = file ? ["location", `${changetype<string>(file)}:${line}:${column}`] : [];
  writeLog(Level.Error, `panic: ${what}`, fields);
}

/** `trace("words", 2, a, b)` is a line of the log at level debug. */
// @ts-ignore: decorator
@global
export function baton_trace(
  message: string,
  count: i32 = 0,
  a0: f64 = 0,
  a1: f64 = 0,
  a2: f64 = 0,
  a3: f64 = 0,
  a4: f64 = 0,
): void {
  const fields = new Array<string>();
  const values: StaticArray<f64> = [a0, a1, a2, a3, a4];
  for (let i = 0; i < min(count, 5); i++) {
    fields.push(i.toString());
    fields.push(values[i].toString());
  }
  writeLog(Level.Debug, message, fields);
}

/** `Math.random()`: 53 bits, as a number from 0 up to 1. */
export function random(): f64 {
  return <f64>(load<u64>(randomBytes(8).dataStart) >> 11) / <f64>(<u64>1 << 53);
}

/** `Mathf.random()`. */
export function randomF32(): f32 {
  return <f32>(load<u32>(randomBytes(4).dataStart) >> 8) / <f32>(1 << 24);
}

/** Of `crypto.getRandomValues(array)`. */
export function randomValues(count: u32): Uint8Array {
  return randomBytes(count);
}

/** `Date.now()` and `performance.now()`. */
export function now(): f64 {
  return <f64>nowMs();
}

/** `console.log(text)`, `console.info(text)`. */
export function logInfo(text: string): void {
  writeLog(Level.Info, text, []);
}

export function logDebug(text: string): void {
  writeLog(Level.Debug, text, []);
}

export function logWarn(text: string): void {
  writeLog(Level.Warn, text, []);
}

export function logError(text: string): void {
  writeLog(Level.Error, text, []);
}

/** `console.assert(condition, text)`. */
export function logUnless(condition: bool, text: string): void {
  if (!condition) writeLog(Level.Error, text, []);
}

/** `console.time(label)` and what belongs to it. */
export function logTime(label: string): void {
  writeLog(Level.Debug, label, ["ms", nowMs().toString()]);
}
