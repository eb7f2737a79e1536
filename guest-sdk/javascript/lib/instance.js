// The lifecycle of one instance, in the shapes of the contract; the same in a plugin and under test.

import { Cx, NO_TURN } from "./cx.js";
import { Failure, Refusal } from "./errors.js";
import { parseJson } from "./json.js";
import * as states from "./state.js";
import { brief, bytes, jsonBytes, kind, settled } from "./values.js";
import { decodeUtf8, encodeUtf8 } from "./utf8.js";

const NOTHING = new Uint8Array(0);

export function describe(plugin) {
  const { name, version, schema, readsFrom, readsTo, messages, metadata } = plugin;
  return { name, version, schema, readsFrom, readsTo, messages, metadata };
}

/** Throws a `Failure` or a `Refusal`; whatever else it throws is a crash. */
export class Instance {
  #plugin;
  #host;
  #report;
  #actor = null;
  #cx = null;
  /** Whether `continue` has succeeded: before that there is no state to speak of. */
  #started = false;

  /** `report` hears of an error that becomes a refusal, and so does not reach the log as a crash. */
  constructor(plugin, host, report) {
    this.#plugin = plugin;
    this.#host = host;
    this.#report = report;
  }

  get state() {
    return this.#actor.state;
  }

  init({ actor: name, args }) {
    const cx = new Cx(this.#host, name, args);
    const actor = new this.#plugin.actor();
    try {
      actor.state = settled(actor.init(cx), "init");
    } catch (error) {
      // What checks a message checks arguments as well.
      if (error instanceof Failure && error.code === "bad-message") throw new Failure("bad-args", error.message);
      throw error;
    }
    if (actor.state === undefined) throw new TypeError("init returned nothing: it returns the fresh state");
    this.#cx = cx;
    this.#actor = actor;
    this.#started = false;
    return { trapExit: Boolean(actor.trapsExits(cx)) };
  }

  /** Takes over what the predecessor left. On a refusal the instance is of no further use. */
  continue(generation, handoff) {
    if (this.#actor === null) throw new Refusal("other", notStarted().message);
    const [actor, cx] = [this.#actor, this.#cx];
    cx.generation = generation;
    if (handoff === null || handoff === undefined) {
      settled(actor.started(cx), "started");
    } else {
      const { schema, data } = handoff.state;
      actor.state = states.load(this.#plugin, actor, schema, data, this.#report);
      const { origin, generation, writtenBy, ageMs } = handoff;
      const predecessor = { schema, origin: tellOrigin(origin), generation, writtenBy, ageMs };
      settled(actor.resumed(predecessor, cx), "resumed");
      cx.predecessor = predecessor;
    }
    this.#started = true;
  }

  handle({ tag, val }) {
    this.#checkStarted();
    const [actor, cx] = [this.#actor, this.#cx];
    switch (tag) {
      case "call":
        return this.#request(val, true);
      case "cast":
        return this.#request(val, false);
      case "timer":
        settled(actor.timer(val, cx), "timer");
        return NOTHING;
      case "down":
        settled(actor.down(val.actor, val.reason, cx), "down");
        return NOTHING;
      default: {
        const [other, data] = val;
        if (other === "exit") this.#exit(data);
        else settled(actor.other(other, data, cx), "other");
        return NOTHING;
      }
    }
  }

  #exit(data) {
    let told;
    try {
      told = parseJson(decodeUtf8(data));
      if (typeof told?.actor !== "string" || typeof told?.reason !== "string") throw new TypeError(brief(told));
    } catch (error) {
      throw new Failure("bad-exit", `the end of a linked actor was told wrongly: ${error.message}`);
    }
    settled(this.#actor.exit(told.actor, told.reason, this.#cx), "exit");
  }

  #request({ id, sender, body }, expectsReply) {
    const [actor, cx] = [this.#actor, this.#cx];
    const message = this.#decode(body);
    cx.turn = { id, sender: sender ?? null, expectsReply };
    let reply;
    try {
      reply = settled(actor.handle(message, cx), "handle");
    } finally {
      cx.turn = NO_TURN;
    }
    // Nobody reads the reply to a cast: it isn't worth its bytes.
    if (!expectsReply) return NOTHING;
    try {
      return this.#plugin.takesJson ? jsonBytes(reply) : rawBytes(reply);
    } catch (error) {
      throw new Failure("bad-reply", `the message was handled; its reply: ${error.message}`);
    }
  }

  #decode(body) {
    if (!this.#plugin.takesJson) return body;
    try {
      return parseJson(decodeUtf8(body));
    } catch (error) {
      const { name, version } = this.#plugin;
      throw new Failure("bad-message", `${name} ${version} does not take this message: not JSON: ${error.message}`);
    }
  }

  snapshot() {
    this.#checkStarted();
    return this.#save();
  }

  terminate(reason, budgetMs) {
    this.#checkStarted();
    const left = settled(this.#actor.terminate(tellReason(reason), budgetMs ?? null, this.#cx), "terminate") ?? "save";
    switch (left) {
      case "save":
        return { tag: "save", val: this.#save() };
      case "keep":
      case "forget":
        return { tag: left };
      default:
        throw new TypeError(`terminate returned ${brief(left)}, which is not "save", "keep" or "forget"`);
    }
  }

  #save() {
    return { schema: this.#plugin.schema, data: states.save(this.#plugin, this.#actor.state) };
  }

  #checkStarted() {
    if (!this.#started) throw notStarted();
  }
}

/** The host called something before `init` and `continue` have succeeded. */
export function notStarted() {
  return new Failure("not-started", "the instance has not been through `init` and `continue`");
}

/** Bytes as they are, a text as UTF-8, nothing as no bytes. */
function rawBytes(reply) {
  if (reply === undefined || reply === null) return NOTHING;
  if (typeof reply === "string") return encodeUtf8(reply);
  if (reply instanceof Uint8Array || reply instanceof ArrayBuffer) return bytes(reply);
  throw new TypeError(`a ${kind(reply)} is neither bytes nor a string`);
}

/** A stop reason as one word, or what `other` says. */
function tellReason(reason) {
  return reason.tag === "other" ? reason.val : reason.tag;
}

/** The origin of a state: its kind, and what that kind knows. */
function tellOrigin({ tag, val }) {
  switch (tag) {
    case "terminated":
      return { kind: tag, reason: tellReason(val) };
    case "checkpoint":
      return { kind: tag, handledSince: val ?? null };
    case "other":
      return { kind: val };
    default:
      return { kind: tag };
  }
}
