// What is known of the host, kept fresh: by its events, and by asking.
import { Gone } from "./api.mjs";
import { grow } from "./tree.mjs";

/** The shortest pause between two looks, in milliseconds; where a look takes long, it is so many times as long as that. */
const LOOK_MS = 2_000;
const LOOK_SHARE = 8;
/** How soon after an event it is looked, in milliseconds. */
const SOON_MS = 250;
/** How long it waits for a host that is gone, in milliseconds: at first, and at most. */
const AGAIN_MS = 500;
const AGAIN_MOST_MS = 4_000;
/** Events that are kept. */
export const EVENTS = 2_000;

/** Tells `change` whenever there is news, at most once for each frame. */
export class Live extends EventTarget {
  constructor(api) {
    super();
    this.api = api;
    // `connecting`, `there`, `gone` or `locked` (a token is wanted).
    this.link = "connecting";
    // Whether events come; null: not known yet.
    this.streams = null;
    this.health = null;
    this.grown = grow([], []);
    this.plugins = [];
    this.swaps = [];
    this.events = [];
    this.lost = null;
    this.why = null;
    this.refused = null;
    this.pid = null;
    this.again = AGAIN_MS;
    this.timer = null;
    this.looking = false;
    this.told = false;
    this.handled = new Map();
    this.stream = null;
    // The number of the last event that was heard from this process.
    this.after = null;
    document.addEventListener("visibilitychange", () => {
      if (!document.hidden) this.look();
    });
  }

  /** News: whoever listens is told before the next frame. */
  changed() {
    if (this.told) return;
    this.told = true;
    const tell = () => {
      if (!this.told) return;
      this.told = false;
      this.dispatchEvent(new Event("change"));
    };
    requestAnimationFrame(tell);
    // No frames come while nobody looks.
    setTimeout(tell, 1_000);
  }

  /** Begins, or begins again with another token. */
  begin() {
    this.stream?.abort();
    this.stream = null;
    this.streams = null;
    this.look();
  }

  soon(ms) {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.look(), ms);
  }

  async look() {
    if (this.looking) return;
    this.looking = true;
    clearTimeout(this.timer);
    this.wanted = false;
    const began = performance.now();
    let pause = LOOK_MS;
    try {
      await this.ask();
      this.again = AGAIN_MS;
      pause = Math.max(LOOK_MS, (performance.now() - began) * LOOK_SHARE);
    } catch (error) {
      pause = this.fail(error);
    }
    this.looking = false;
    this.changed();
    if (this.link === "locked" || (document.hidden && this.link === "there")) return;
    this.soon(this.wanted ? Math.min(pause, SOON_MS + (performance.now() - began) * 2) : pause);
  }

  async ask() {
    const health = await this.api.get("/v1/health", { timeout: 5_000 });
    if (this.pid !== null && this.pid !== health.pid) this.renew();
    this.pid = health.pid;
    this.health = { ...health, seen: Date.now() };
    const get = (path) => this.api.get(path);
    const [tree, actors, plugins, swaps] = await Promise.all([
      get("/v1/tree"),
      get("/v1/actors"),
      get("/v1/plugins"),
      get("/v1/swaps"),
    ]);
    this.take(tree.tree, actors.actors);
    this.plugins = plugins.plugins;
    this.swaps = swaps.swaps;
    this.link = "there";
    this.refused = null;
    this.lost = null;
    this.why = null;
    if (this.stream === null && this.streams !== false) this.follow();
  }

  /** Another process: what counts from its start begins anew. */
  renew() {
    this.stream?.abort();
    this.stream = null;
    this.streams = null;
    this.after = null;
    this.handled.clear();
    this.note("host", "The host was started again: another process answers now.");
  }

  /** An event of the page's own. */
  note(kind, text) {
    this.hear({
      sequence: null,
      time_ms: Date.now(),
      kind,
      actor: null,
      plugin: null,
      version: null,
      detail: { note: text },
    });
  }

  fail(error) {
    if (error.status === 401) {
      this.link = "locked";
      this.why = error.message;
      this.dispatchEvent(new Event("locked"));
      return AGAIN_MOST_MS;
    }
    if (error.status === 403) {
      // It answers, and this token may not look.
      this.link = "there";
      this.refused = error.message;
      return AGAIN_MOST_MS;
    }
    const gone = error instanceof Gone || error.status === 503 || this.health === null;
    if (gone && this.link !== "gone") {
      this.link = "gone";
      this.lost = Date.now();
      this.stream?.abort();
      this.stream = null;
    }
    this.why = error.message;
    const pause = this.again;
    this.again = Math.min(this.again * 2, AGAIN_MOST_MS);
    return pause;
  }

  take(tree, actors) {
    this.grown = grow(tree, actors);
    const now = performance.now();
    const handled = new Map();
    for (const node of this.grown.nodes.values()) {
      if (node.actor === null) continue;
      const before = this.handled.get(node.name);
      const since = before === undefined ? 0 : (now - before.at) / 1_000;
      const more = before === undefined ? 0 : node.actor.handled - before.handled;
      node.rate = since > 0.5 && more >= 0 ? more / since : (before?.rate ?? null);
      // Two looks in quick succession would make a rate of chance.
      handled.set(
        node.name,
        since > 0 && since <= 0.5 ? before : { handled: node.actor.handled, at: now, rate: node.rate },
      );
    }
    this.handled = handled;
  }

  async follow() {
    const stream = new AbortController();
    this.stream = stream;
    let listened = false;
    try {
      await this.api.events(this.after, {
        open: () => {
          listened = true;
          this.streams = true;
          this.changed();
        },
        heard: (event) => this.hear(event),
        signal: stream.signal,
      });
    } catch (error) {
      // A host that has no events, or does not tell them to this token, is asked instead.
      if (error.status === 404 || error.status === 403) this.streams = false;
    }
    if (this.stream !== stream) return;
    this.stream = null;
    if (listened) this.streams = null;
    this.changed();
    // It is followed again after the next look that succeeds.
    this.soon(listened ? AGAIN_MS : LOOK_MS);
  }

  hear(event) {
    this.after = event.sequence ?? this.after;
    this.events.unshift(event);
    if (this.events.length > EVENTS) this.events.length = EVENTS;
    this.dispatchEvent(new CustomEvent("event", { detail: event }));
    const touched = event.kind !== "dead-letter" && event.kind !== "host";
    if (touched && !document.hidden) {
      this.wanted = true;
      if (!this.looking && this.link === "there") this.sooner();
    }
    this.changed();
  }

  /** Many events make one look, and not more looks than the host answers with ease. */
  sooner() {
    if (this.pending) return;
    this.pending = true;
    const rest = Math.max(SOON_MS, this.grown.nodes.size / 5);
    setTimeout(() => {
      this.pending = false;
      this.look();
    }, rest);
  }
}
