// A host for tests: it writes down what it is asked, and answers as the test says. It has the shape of the imports, and
// throws as they do.

import { parseJson } from "./json.js";
import { jsonBytes } from "./values.js";
import { decodeUtf8 } from "./utf8.js";

/** The contract's error, as the componentizer throws it. */
const refused = (tag, val) => Object.assign(new Error(tag), { payload: { tag, val } });

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

  imports() {
    return {
      log: (level, message, fields) => this.logged.push({ level, message, fields: Object.fromEntries(fields) }),
      nowMs: () => this.now,
      random: (count) => this.#random(count),
      remainingMs: () => this.remaining,
      save: () => void this.saves++,
      send: (to, body) => this.#effect(() => this.sent.push({ to, body: readable(body) })),
      call: (to, body, timeoutMs) => this.#call(to, body, timeoutMs),
      setTimer: (name, afterMs) => this.#effect(() => this.timers.set(name, this.now + afterMs)),
      cancelTimer: (name) => void this.timers.delete(name),
      monitor: (actor) => this.#ask("monitor", actor),
      demonitor: (actor) => void this.asked.push(["demonitor", actor]),
      stop: () => void (this.stopped = true),
      supervision: this.#supervision(),
    };
  }

  #supervision() {
    const children = (supervisor) => this.children.get(supervisor) ?? [];
    const asked =
      (name) =>
      (...what) =>
        this.#ask(name, ...what);
    return {
      startChild: (supervisor, { args, ...spec }) =>
        this.#ask("start-child", supervisor, { ...spec, args: readable(args) }),
      terminateChild: asked("terminate-child"),
      restartChild: asked("restart-child"),
      deleteChild: asked("delete-child"),
      whichChildren: (supervisor) => children(supervisor),
      countChildren: (supervisor) => {
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
      link: asked("link"),
      unlink: asked("unlink"),
      exit: asked("exit"),
      join: asked("join"),
      leave: asked("leave"),
      dispatch: (group, body) => this.#ask("dispatch", group, readable(body)),
      setAttribute: asked("set-attribute"),
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

  #effect(record) {
    if (this.refusal !== null) throw refused(...this.refusal);
    record();
  }

  #ask(...what) {
    this.#effect(() => this.asked.push(what));
  }

  #call(to, body, timeoutMs) {
    const message = readable(body);
    this.called.push({ to, body: message, timeoutMs });
    const answer = this.answers.get(to);
    if (answer === undefined) throw refused("unknown-actor");
    if (answer.error !== undefined) throw refused(answer.error, answer.detail);
    const reply = typeof answer.reply === "function" ? answer.reply(message) : answer.reply;
    return reply instanceof Uint8Array ? reply : jsonBytes(reply);
  }

  /** The same bytes in every run (SplitMix64), so that a test that fails fails again. */
  #random(count) {
    return Uint8Array.from({ length: count }, () => {
      this.#seed = BigInt.asUintN(64, this.#seed + 0x9e3779b97f4a7c15n);
      let z = this.#seed;
      z = BigInt.asUintN(64, (z ^ (z >> 30n)) * 0xbf58476d1ce4e5b9n);
      z = BigInt.asUintN(64, (z ^ (z >> 27n)) * 0x94d049bb133111ebn);
      return Number((z ^ (z >> 31n)) & 0xffn);
    });
  }
}

/** A body as a test compares it: JSON where it is that, bytes otherwise. */
export function readable(body) {
  try {
    return parseJson(decodeUtf8(body));
  } catch {
    return body;
  }
}
