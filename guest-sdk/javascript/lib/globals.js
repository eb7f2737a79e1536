// Ordinary JavaScript asks for the time and for chance by globals. A plugin is run once when it is built, and what it is
// then is what every instance begins with; so these globals ask the host, and before there is one they say so.

import { decodeUtf8, encodeUtf8 } from "./utf8.js";
import { brief, kind } from "./values.js";

/** The host of the instance that runs; none while the plugin is being built. */
let host = null;

/** From the first call of an export on there is a host. */
export function goLive(imports) {
  host ??= imports;
}

function ask(what) {
  if (host !== null) return host;
  throw new Error(
    `${what} outside of the actor's methods: that code runs once, when the plugin is built, ` +
      `and all instances would share what comes of it`,
  );
}

const BuildDate = Date;

/** A date as ever, but for the time that it takes where it is given none. */
export function HostDate(...args) {
  if (new.target === undefined) return new BuildDate(HostDate.now()).toString();
  return Reflect.construct(BuildDate, args.length > 0 ? args : [HostDate.now()], new.target);
}
HostDate.prototype = BuildDate.prototype;
HostDate.now = () => ask("Date.now()").nowMs();
HostDate.parse = BuildDate.parse;
HostDate.UTC = BuildDate.UTC;
Object.defineProperty(HostDate, "name", { value: "Date" });

/** One request to the host is enough for so many numbers. */
const POOL_BYTES = 256;
let pool = { host: null, words: null, at: 0 };

export function hostRandom() {
  const from = ask("Math.random()");
  if (pool.host !== from || pool.at === pool.words.length) {
    const bytes = from.random(POOL_BYTES);
    pool = { host: from, words: new Uint32Array(bytes.slice().buffer), at: 0 };
  }
  const high = pool.words[pool.at++] >>> 5;
  const low = pool.words[pool.at++] >>> 6;
  return (high * 2 ** 26 + low) / 2 ** 53;
}

/** Fills a typed array. */
function getRandomValues(array) {
  const bytes = new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
  if (bytes.length > 65_536) throw new RangeError(`${bytes.length} random bytes at once are more than 65536`);
  bytes.set(ask("crypto.getRandomValues()").random(bytes.length));
  return array;
}

function randomUUID() {
  const bytes = getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6] & 0x0f) | 0x40;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  return bytes.toHex().replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}

/** Lines for the log, with the level of the method. What is printed while the plugin is built is lost. */
const consoleOf = (level) => {
  return (...values) => {
    if (host === null) return;
    const told = values.map((value) => (typeof value === "object" ? inspect(value) : String(value)));
    host.log(level, told.join(" ").toWellFormed(), []);
  };
};

function inspect(value) {
  if (value instanceof Error) return `${value.name}: ${value.message}`;
  if (value instanceof Map || value instanceof Set) return `${kind(value)} ${brief([...value], 4_000)}`;
  return brief(value, 4_000);
}

class Encoder {
  encoding = "utf-8";
  encode(text = "") {
    return encodeUtf8(String(text));
  }
}

class Decoder {
  encoding = "utf-8";
  constructor(label = "utf-8", { fatal = false } = {}) {
    if (!/^utf-?8$/i.test(label)) throw new RangeError(`${label} is not known here, only utf-8`);
    this.fatal = fatal;
  }
  decode(bytes = new Uint8Array(0)) {
    const view = ArrayBuffer.isView(bytes)
      ? new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength)
      : new Uint8Array(bytes);
    try {
      return decodeUtf8(view).replace(/^\ufeff/, "");
    } catch (error) {
      if (this.fatal) throw error;
      throw new TypeError("the bytes are not UTF-8, and this decoder replaces nothing: use { fatal: true } and catch");
    }
  }
}

/** Done once, before any other code of the bundle. */
export function install() {
  const began = { performance: null };
  const performanceNow = () => {
    const now = ask("performance.now()").nowMs();
    began.performance ??= now;
    return now - began.performance;
  };
  const timeless = (name) => () => {
    throw new Error(
      `there is no ${name}: nothing runs between two messages. cx.setTimer(name, ms) calls the method timer`,
    );
  };
  BuildDate.prototype.constructor = HostDate;
  Math.random = hostRandom;
  Object.assign(globalThis, {
    Date: HostDate,
    performance: { now: performanceNow },
    crypto: { getRandomValues, randomUUID },
    console: {
      log: consoleOf("info"),
      info: consoleOf("info"),
      debug: consoleOf("debug"),
      warn: consoleOf("warn"),
      error: consoleOf("error"),
      trace: consoleOf("trace"),
    },
    TextEncoder: Encoder,
    TextDecoder: Decoder,
    setTimeout: timeless("setTimeout"),
    setInterval: timeless("setInterval"),
  });
}

/** Under test: runs a callback with the clock and the chance of a host that is none. */
export function runWith(imports, run) {
  const before = { host, Date: globalThis.Date, random: Math.random };
  host = imports;
  globalThis.Date = HostDate;
  Math.random = hostRandom;
  try {
    return run();
  } finally {
    host = before.host;
    globalThis.Date = before.Date;
    Math.random = before.random;
  }
}
