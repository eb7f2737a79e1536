// An actor under test.

import { Failure, Guest } from "./guest.mjs";
import { jsonBytes, readable } from "./json.mjs";
import { Recorder } from "./recorder.mjs";

const SHUTDOWN = { tag: "terminated", val: { tag: "shutdown" } };
const REASONS = ["normal", "shutdown", "upgrade", "passivate", "relocate", "restart"];

/** A stop reason in the shape of the contract. */
const reasonOf = (word) => (REASONS.includes(word) ? { tag: word } : { tag: "other", val: word });

/**
 * An actor under test: an instance of the plugin, in which its exports are called as a host calls them. What it sends
 * or sets is recorded whether the turn fails or not, as a host would let it leave. A trap is a `Crash`. The clock
 * stands still until the test moves it.
 */
export class Harness {
  #plugin;
  #host;
  #guest;
  #requests = 0;

  /** Starts an actor that has left nothing before. */
  static start(plugin, { name = "test/1", args, now = 0 } = {}) {
    return new Harness(plugin, name, bytesOf(args), 1, new Recorder({ now }), null);
  }

  /** Starts the replacement of an actor that has ended, perhaps of another version of the plugin. */
  static resume(plugin, handover) {
    const { name = "test/1", args, schema, data, origin = SHUTDOWN, generation = 1 } = handover;
    const { writtenBy = "0.0.0", ageMs = 0, now = 0, timers = {} } = handover;
    const host = new Recorder({ now: now + ageMs, timers });
    const state = { schema, data: typeof data === "string" ? bytesOf(data) : Uint8Array.from(data) };
    const handoff = { state, origin, generation, writtenBy, ageMs };
    return new Harness(plugin, name, bytesOf(args), generation + 1, host, handoff);
  }

  constructor(plugin, name, args, generation, host, handoff) {
    this.#plugin = plugin;
    this.#host = host;
    this.#guest = new Guest(plugin.module, host.functions());
    this.name = name;
    this.args = args;
    this.generation = generation;
    this.trapExit = this.#guest.init({ actor: name, args }).trapExit;
    this.#guest.continue(generation, handoff);
  }

  // Ends.

  /** Tells the actor to stop, and gives what its replacement will be handed. */
  terminate(reason = "shutdown", budgetMs = null) {
    const { left, handover } = this.stop(reason, budgetMs);
    if (left !== "save") throw new Failure("nothing-saved", `the actor left its state with "${left}"`);
    return handover;
  }

  /** Tells the actor to stop: `{ left: "save", handover }`, or `keep`, or `forget`. */
  stop(reason = "shutdown", budgetMs = null) {
    const { tag, val } = this.#guest.terminate(reasonOf(reason), budgetMs);
    const handover = tag === "save" ? this.#handover(val, { tag: "terminated", val: reasonOf(reason) }) : null;
    return { left: tag, handover };
  }

  /** What a replacement would be handed, the actor going on. */
  snapshot(origin = { tag: "switched" }) {
    return this.#handover(this.#guest.snapshot(), origin);
  }

  #handover({ schema, data }, origin) {
    const { name, args, generation } = this;
    const { now } = this.#host;
    const writtenBy = this.#plugin.version;
    return { name, args, schema, data, origin, generation, writtenBy, ageMs: 0, now, timers: this.timers };
  }

  // Messages.

  /** Calls the actor with a message as JSON, and reads its reply. Throws its failure. */
  call(message, about) {
    return readable(this.callBytes(jsonBytes(message), about));
  }

  /** Calls the actor with a body as it is. */
  callBytes(body, about) {
    return this.#guest.handle({ tag: "call", val: this.#request(body, about) });
  }

  /** Sends the actor a message as JSON that expects no reply. Throws its failure, which a host would only log. */
  cast(message, about) {
    this.castBytes(jsonBytes(message), about);
  }

  castBytes(body, about) {
    this.#guest.handle({ tag: "cast", val: this.#request(body, about) });
  }

  /** Makes a timer come due now. */
  fireTimer(name) {
    if (!this.#host.timers.delete(name)) {
      throw new Failure("no-such-timer", `"${name}" is not among ${JSON.stringify([...this.#host.timers.keys()])}`);
    }
    this.#guest.handle({ tag: "timer", val: name });
  }

  /** Moves the clock on, and makes the timers that come due meanwhile fire in their order, each at its time. */
  advance(byMs) {
    const until = this.#host.now + byMs;
    for (let due = this.#host.nextTimer(until); due !== null; due = this.#host.nextTimer(until)) {
      const [name, at] = due;
      this.#host.now = Math.max(at, this.#host.now);
      this.fireTimer(name);
    }
    this.#host.now = until;
  }

  /** Tells the actor that one it monitors has ended. */
  down(actor, reason) {
    this.#guest.handle({ tag: "down", val: { actor, reason } });
  }

  /** Tells the actor that one it is linked to has ended. */
  exit(actor, reason) {
    this.other("exit", jsonBytes({ actor, reason }));
  }

  other(kind, data) {
    this.#guest.handle({ tag: "other", val: [kind, bytesOf(data)] });
  }

  #request(body, { from = null, id = `test-${++this.#requests}` } = {}) {
    return { id, sender: from, body };
  }

  // What the test sets.

  /** From now on calls to `actor` are answered with `reply`, or with what a function makes of the message. */
  answer(actor, reply) {
    this.#host.answers.set(actor, { reply });
  }

  /** From now on calls to `actor` fail. Without either they get `unknown-actor`. */
  answerError(actor, error, detail) {
    this.#host.answers.set(actor, { error, detail });
  }

  /** Lets the host refuse whatever the actor sends or sets from now on; null ends that. */
  refuseSends(kind, detail) {
    this.#host.refusal = kind === null ? null : [kind, detail];
  }

  setRemaining(ms) {
    this.#host.remaining = ms;
  }

  setMembers(group, actors) {
    this.#host.groups.set(group, actors);
  }

  /** In the shapes of the contract. */
  setChildren(supervisor, children) {
    this.#host.children.set(supervisor, children);
  }

  setPhase(actor, phase) {
    this.#host.phases.set(actor, { tag: phase });
  }

  setAttribute(actor, key, value) {
    this.#host.attributes.set(actor, { ...this.#host.attributes.get(actor), [key]: value });
  }

  // What the test sees.

  /** The state as it would be saved now. */
  get state() {
    return this.#guest.snapshot()?.data ?? null;
  }

  get now() {
    return this.#host.now;
  }

  /** Timers that are set, by name, with the time at which they come due. */
  get timers() {
    return Object.fromEntries(this.#host.timers);
  }

  get saves() {
    return this.#host.saves;
  }

  get stopped() {
    return this.#host.stopped;
  }

  /** Bytes of the instance's memory. */
  get memory() {
    return this.#guest.memory;
  }

  /** What the actor has sent since this was asked last: `[{ to, body }]`, bodies read as JSON where they are that. */
  sent() {
    return this.#host.take("sent");
  }

  called() {
    return this.#host.take("called");
  }

  logged() {
    return this.#host.take("logged");
  }

  /** Monitors, and what was asked of the supervision tree: `[["monitor", "a"], …]`. */
  asked() {
    return this.#host.take("asked");
  }
}

/** Bytes or text as they are, anything else as JSON. */
function bytesOf(value) {
  if (value === undefined || value === null) return new Uint8Array(0);
  if (value instanceof Uint8Array) return value;
  return typeof value === "string" ? new TextEncoder().encode(value) : jsonBytes(value);
}
