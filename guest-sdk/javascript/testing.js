// Tests of a plugin without Wasm or a host, under `node --test`: through the code that its exports run through, so that
// messages are decoded, and states encoded, migrated and checked, as they will be.

import { Failure } from "./lib/errors.js";
import { runWith } from "./lib/globals.js";
import { Instance, describe } from "./lib/instance.js";
import { parseJson } from "./lib/json.js";
import { Recorder } from "./lib/recorder.js";
import * as states from "./lib/state.js";
import { jsonBytes } from "./lib/values.js";
import { decodeUtf8 } from "./lib/utf8.js";

export { playFixtures } from "./lib/scripts.js";

const SHUTDOWN = { tag: "terminated", val: { tag: "shutdown" } };

const REASONS = ["normal", "shutdown", "upgrade", "passivate", "relocate", "restart"];

/** A stop reason in the shape of the contract. */
const reasonOf = (word) => (REASONS.includes(word) ? { tag: word } : { tag: "other", val: word });

/**
 * An actor under test. What it sends or sets is recorded whether the turn fails or not, as a host would let it leave.
 * An exception that is no failure is one of the test. The clock stands still until the test moves it; Date and
 * Math.random go by the harness while the actor's code runs.
 */
export class Harness {
  #plugin;
  #host;
  #imports;
  #instance;
  #requests = 0;

  /** What the host is told of the plugin. */
  static describe(plugin) {
    return describe(plugin);
  }

  /** Starts an actor that has left nothing before. */
  static start(plugin, { name = "test/1", args, now = 0 } = {}) {
    return new Harness(plugin, name, argsBytes(args), 1, new Recorder({ now }), null);
  }

  /** Starts the replacement of an actor that has ended, perhaps of another version of the plugin. */
  static resume(plugin, handover) {
    const { name = "test/1", args, schema, data, origin = SHUTDOWN, generation = 1 } = handover;
    const { writtenBy = "0.0.0", ageMs = 0, now = 0, timers = {} } = handover;
    const host = new Recorder({ now: now + ageMs, timers });
    const handoff = { state: { schema, data: stateBytes(data) }, origin, generation, writtenBy, ageMs };
    return new Harness(plugin, name, argsBytes(args), generation + 1, host, handoff);
  }

  constructor(plugin, name, args, generation, host, handoff) {
    this.#plugin = plugin;
    this.#host = host;
    this.#imports = host.imports();
    const report = (error) => host.logged.push({ level: "error", message: `exception: ${error.message}`, fields: {} });
    this.#instance = new Instance(plugin, this.#imports, report);
    this.name = name;
    this.args = args;
    this.generation = generation;
    this.trapExit = this.#run(() => this.#instance.init({ actor: name, args })).trapExit;
    this.#run(() => this.#instance.continue(generation, handoff));
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
    const { tag, val } = this.#run(() => this.#instance.terminate(reasonOf(reason), budgetMs));
    const handover = tag === "save" ? this.#handover(val, { tag: "terminated", val: reasonOf(reason) }) : null;
    return { left: tag, handover };
  }

  /** What a replacement would be handed, the actor going on. */
  snapshot(origin = { tag: "switched" }) {
    return this.#handover(
      this.#run(() => this.#instance.snapshot()),
      origin,
    );
  }

  #handover({ schema, data }, origin) {
    this.#checkRoundTrip(schema, data);
    const { name, args, generation } = this;
    const { now } = this.#host;
    return {
      name,
      args,
      schema,
      data,
      origin,
      generation,
      writtenBy: this.#plugin.version,
      ageMs: 0,
      now,
      timers: this.timers,
    };
  }

  /** A state that is written but reads back as another shows only at the next start: found here. */
  #checkRoundTrip(schema, data) {
    const actor = new this.#plugin.actor();
    const again = states.load(this.#plugin, actor, schema, data, () => {});
    const bytes = states.save(this.#plugin, again);
    if (Buffer.compare(Buffer.from(bytes), Buffer.from(data)) !== 0) {
      throw new Error("the actor's state reads back as another one: its encoding does not carry all of it");
    }
  }

  // Messages.

  /** Calls the actor with a message as JSON, and reads its reply. Throws its failure. */
  call(message, about) {
    return parseJson(decodeUtf8(this.callBytes(jsonBytes(message), about)));
  }

  /** Calls the actor with a body as it is. */
  callBytes(body, about) {
    return this.#handle({ tag: "call", val: this.#request(body, about) });
  }

  /** Sends the actor a message as JSON that expects no reply. Throws its failure, which a host would only log. */
  cast(message, about) {
    this.castBytes(jsonBytes(message), about);
  }

  castBytes(body, about) {
    this.#handle({ tag: "cast", val: this.#request(body, about) });
  }

  /** Makes a timer come due now. */
  fireTimer(name) {
    if (!this.#host.timers.delete(name)) {
      throw new Failure("no-such-timer", `"${name}" is not among ${JSON.stringify([...this.#host.timers.keys()])}`);
    }
    this.#handle({ tag: "timer", val: name });
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
    this.#handle({ tag: "down", val: { actor, reason } });
  }

  /** Tells the actor that one it is linked to has ended. */
  exit(actor, reason) {
    this.other("exit", jsonBytes({ actor, reason }));
  }

  other(kind, data) {
    this.#handle({ tag: "other", val: [kind, data] });
  }

  #request(body, { from = null, id = `test-${++this.#requests}` } = {}) {
    return { id, sender: from, body };
  }

  #handle(message) {
    return this.#run(() => this.#instance.handle(message));
  }

  #run(turn) {
    return runWith(this.#imports, turn);
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

  get state() {
    return this.#instance.state;
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

function argsBytes(args) {
  if (args === undefined || args === null) return new Uint8Array(0);
  if (args instanceof Uint8Array) return args;
  return typeof args === "string" ? new TextEncoder().encode(args) : jsonBytes(args);
}

function stateBytes(data) {
  return typeof data === "string" ? new TextEncoder().encode(data) : Uint8Array.from(data);
}
