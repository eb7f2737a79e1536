// What an actor knows of itself, and what it can ask of its host.

import { CallError, Failure, SendError, asking } from "./errors.js";
import { parseJson } from "./json.js";
import { brief, bytes, jsonBytes, millis, text } from "./values.js";
import { decodeUtf8 } from "./utf8.js";

/** Key of the host: imports in a plugin, a record under test. */
export const HOST = Symbol("host");

/** Most bytes that one call of the host's `random` gives. */
const RANDOM_BYTES = 65_536;

const LEVELS = ["trace", "debug", "info", "warn", "error"];

/** No request is in hand. */
export const NO_TURN = Object.freeze({ id: "", sender: null, expectsReply: false });

/** What is sent or set here leaves when the turn has ended without a crash; `call` acts at once. */
export class Cx {
  constructor(host, actor, args) {
    this[HOST] = host;
    this.actor = actor;
    this.args = args;
    this.generation = 0;
    this.predecessor = null;
    this.turn = NO_TURN;
  }

  // What it knows.

  argsText() {
    try {
      return decodeUtf8(this.args);
    } catch (error) {
      throw new Failure("bad-args", `the arguments: ${error.message}`);
    }
  }

  argsJson() {
    const args = this.argsText();
    try {
      return args === "" ? null : parseJson(args);
    } catch (error) {
      throw new Failure("bad-args", `the arguments: ${error.message}`);
    }
  }

  get sender() {
    return this.turn.sender;
  }

  get requestId() {
    return this.turn.id;
  }

  get expectsReply() {
    return this.turn.expectsReply;
  }

  now() {
    return this[HOST].nowMs();
  }

  random(count) {
    const all = new Uint8Array(count);
    for (let at = 0; at < count; at += RANDOM_BYTES) {
      all.set(this[HOST].random(Math.min(count - at, RANDOM_BYTES)), at);
    }
    return all;
  }

  remaining() {
    return this[HOST].remainingMs();
  }

  // What it can ask.

  log(level, message, fields) {
    if (!LEVELS.includes(level)) throw new TypeError(`a level is one of ${LEVELS.join(", ")}, not ${brief(level)}`);
    this[HOST].log(level, text(String(message), "the message"), logFields(fields));
  }

  trace(message, fields) {
    this.log("trace", message, fields);
  }

  debug(message, fields) {
    this.log("debug", message, fields);
  }

  info(message, fields) {
    this.log("info", message, fields);
  }

  warn(message, fields) {
    this.log("warn", message, fields);
  }

  error(message, fields) {
    this.log("error", message, fields);
  }

  save() {
    this[HOST].save();
  }

  send(to, message) {
    this.sendBytes(
      to,
      encode(message, (why) => new SendError("encode", why)),
    );
  }

  sendBytes(to, body) {
    asking(SendError, () => this[HOST].send(text(to, "the receiver"), bytes(body, "the body")));
  }

  call(to, message, timeoutMs) {
    const failed = (code) => (why) => new CallError("failed", { code, message: `${to}: ${why}` });
    const reply = this.callBytes(to, encode(message, failed("not-encodable")), timeoutMs);
    try {
      return parseJson(decodeUtf8(reply));
    } catch (error) {
      throw failed("bad-reply")(error.message);
    }
  }

  callBytes(to, body, timeoutMs = 5_000) {
    const timeout = millis(timeoutMs, "the timeout");
    return asking(CallError, () => this[HOST].call(text(to, "the receiver"), bytes(body, "the body"), timeout));
  }

  setTimer(name, afterMs) {
    const after = millis(afterMs, "the time of a timer");
    asking(SendError, () => this[HOST].setTimer(text(name, "the timer's name"), after));
  }

  cancelTimer(name) {
    this[HOST].cancelTimer(text(name, "the timer's name"));
  }

  monitor(actor) {
    asking(SendError, () => this[HOST].monitor(text(actor, "the actor")));
  }

  demonitor(actor) {
    this[HOST].demonitor(text(actor, "the actor"));
  }

  stop() {
    this[HOST].stop();
  }
}

/** A message as JSON; what has none becomes the error that `refuse` makes. */
export function encode(message, refuse) {
  try {
    return jsonBytes(message);
  } catch (error) {
    throw refuse(error.message);
  }
}

function logFields(fields) {
  if (fields === undefined) return [];
  return Object.entries(fields).map(([name, value]) => {
    const told = typeof value === "object" ? brief(value, 1_000) : String(value);
    return [text(name, "a field's name"), text(told, "a field")];
  });
}
