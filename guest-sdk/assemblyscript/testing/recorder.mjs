// A host for tests: it writes down what it is asked, and answers as the test says.

import { Refused } from "./guest.mjs";
import { jsonBytes, readable } from "./json.mjs";

const RANDOM_BYTES = 65_536;

export class Recorder {
  now = 0;
  remaining = null;
  refusal = null;
  answers = new Map();
  sent = [];
  called = [];
  logged = [];
  asked = [];
  timers = new Map();
  saves = 0;
  stopped = false;
  groups = new Map();
  children = new Map();
  phases = new Map();
  attributes = new Map();
  #seed = 0n;

  constructor({ now = 0, timers = {} } = {}) {
    this.now = now;
    this.timers = new Map(Object.entries(timers));
  }

  /** A function of each import. */
  functions() {
    const effect = (record) => {
      if (this.refusal !== null) throw new Refused(...this.refusal);
      record();
    };
    const ask =
      (name) =>
      (...what) =>
        effect(() => this.asked.push([name, ...what]));
    const children = (supervisor) => this.children.get(supervisor) ?? [];
    return {
      log: (level, message, fields) => this.logged.push({ level, message, fields: Object.fromEntries(fields) }),
      "now-ms": () => this.now,
      random: (count) => this.#random(count),
      "remaining-ms": () => this.remaining,
      save: () => void this.saves++,
      send: (to, body) => effect(() => this.sent.push({ to, body: readable(body) })),
      call: (to, body, timeoutMs) => this.#call(to, body, timeoutMs),
      "set-timer": (name, afterMs) => effect(() => this.timers.set(name, this.now + Number(afterMs))),
      "cancel-timer": (name) => void this.timers.delete(name),
      monitor: ask("monitor"),
      demonitor: (actor) => void this.asked.push(["demonitor", actor]),
      stop: () => void (this.stopped = true),

      "start-child": (supervisor, { args, ...spec }) =>
        ask("start-child")(supervisor, { ...spec, args: readable(args) }),
      "terminate-child": ask("terminate-child"),
      "restart-child": ask("restart-child"),
      "delete-child": ask("delete-child"),
      "which-children": (supervisor) => children(supervisor),
      "count-children": (supervisor) => {
        const all = children(supervisor);
        const workers = all.filter(({ kind }) => kind.tag === "worker").length;
        const active = all.filter(({ state }) => state.tag === "up").length;
        return { specs: all.length, active, supervisors: all.length - workers, workers };
      },
      whereis: (actor) => this.phases.get(actor) ?? null,
      members: (group) => this.groups.get(group) ?? [],
      attribute: (actor, key) => this.attributes.get(actor)?.[key] ?? null,
      having: (key, value) =>
        [...this.attributes]
          .filter(([, known]) => known[key] === value)
          .map(([actor]) => actor)
          .sort(),
      link: ask("link"),
      unlink: ask("unlink"),
      exit: ask("exit"),
      join: ask("join"),
      leave: ask("leave"),
      dispatch: (group, body) => ask("dispatch")(group, readable(body)),
      "set-attribute": ask("set-attribute"),
    };
  }

  /** The timer that comes due first, at `until` at the latest. */
  nextTimer(until) {
    const due = [...this.timers]
      .filter(([, at]) => at <= until)
      .sort(([a, at], [b, bt]) => at - bt || (a < b ? -1 : 1));
    return due[0] ?? null;
  }

  /** What has been recorded under a name since it was taken last. */
  take(what) {
    const taken = this[what];
    this[what] = [];
    return taken;
  }

  #call(to, body, timeoutMs) {
    const message = readable(body);
    this.called.push({ to, body: message, timeoutMs });
    const answer = this.answers.get(to);
    if (answer === undefined) throw new Refused("unknown-actor");
    if (answer.error !== undefined) throw new Refused(answer.error, answer.detail);
    const reply = typeof answer.reply === "function" ? answer.reply(message) : answer.reply;
    return reply instanceof Uint8Array ? reply : jsonBytes(reply);
  }

  /** The same bytes in every run (SplitMix64), so that a test that fails fails again. */
  #random(count) {
    if (count > RANDOM_BYTES)
      throw new WebAssembly.RuntimeError(`random: ${count} bytes are more than ${RANDOM_BYTES}`);
    return Uint8Array.from({ length: count }, () => {
      this.#seed = BigInt.asUintN(64, this.#seed + 0x9e3779b97f4a7c15n);
      let z = this.#seed;
      z = BigInt.asUintN(64, (z ^ (z >> 30n)) * 0xbf58476d1ce4e5b9n);
      z = BigInt.asUintN(64, (z ^ (z >> 27n)) * 0x94d049bb133111ebn);
      return Number((z ^ (z >> 31n)) & 0xffn);
    });
  }
}
