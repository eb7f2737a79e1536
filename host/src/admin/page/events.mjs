// What happens, as it happens; and the messages that nobody handled.
import { button, facts, fill, h, nameOf, put, say, trouble } from "./dom.mjs";
import { bodyBlock } from "./compare.mjs";
import { eventText } from "./saying.mjs";
import { EVENTS } from "./live.mjs";
import { address } from "./route.mjs";
import { count, counted, moment, plain, span } from "./text.mjs";

/** Rows of the feed that are in the page at once. */
const FEED_ROWS = 300;
/** How an event of a kind looks: as the phase that it leads to. */
const LIKE = {
  starting: "starting",
  running: "running",
  held: "held",
  stopped: "down",
  crashed: "failed",
  restarted: "restarting",
  failed: "failed",
  "gave-up": "failed",
  suspended: "suspended",
  resumed: "running",
  asleep: "asleep",
  "stays-awake": "restarting",
  swap: "continuing",
  plugin: "continuing",
  "dead-letter": "held",
  store: "held",
  host: "running",
  behind: "held",
};

/** One event as a line; with its backtrace below it, where it has one. */
export function eventRow(event, { named = true } = {}) {
  const whose = event.actor ?? null;
  const plugin = event.plugin ? `${event.plugin} ${event.version ?? ""}`.trim() : null;
  const frames = event.detail?.backtrace ?? [];
  return h(
    "div.event",
    {},
    h("time", { datetime: new Date(event.time_ms).toISOString() }, moment(event.time_ms)),
    h(`span.kind.p-${LIKE[event.kind] ?? "running"}`, {}, event.kind),
    h(
      "div.what",
      {},
      named && whose !== null ? h("a", { href: address("actors", whose) }, nameOf(whose)) : null,
      plugin === null ? null : h("span.plugin", {}, ` ${plugin}`),
      h("span.text", {}, ` ${plain(eventText(event))}`),
      frames.length === 0
        ? null
        : h("details", {}, h("summary", {}, "Backtrace"), h("pre", { tabindex: "0" }, frames.map(plain).join("\n"))),
    ),
  );
}

/** A message that nobody handled. */
export function letterRow(letter, { open = false, named = true } = {}) {
  const from = letter.from === null ? "from outside" : `from ${plain(letter.from)}`;
  return h(
    "details.letter",
    { open },
    h(
      "summary",
      {},
      h("time", {}, moment(letter.time_ms)),
      " ",
      h("span.kind", {}, letter.kind),
      " ",
      named ? nameOf(letter.to) : null,
      " ",
      h("span.text", {}, plain(letter.why)),
    ),
    facts([
      ["To", named ? h("a", { href: address("actors", letter.to, "crashes") }, nameOf(letter.to)) : null],
      ["Sent", from],
      ["Id", plain(letter.id)],
      ["Core dump", letter.core_dump ? plain(letter.core_dump) : null],
    ]),
    bodyBlock(letter, "Message"),
    letter.backtrace.length === 0
      ? null
      : h(
          "figure.body",
          {},
          h("figcaption", {}, "Backtrace, innermost first"),
          h("pre", { tabindex: "0" }, letter.backtrace.map(plain).join("\n")),
        ),
  );
}

export class Events {
  constructor(context) {
    this.context = context;
    this.kinds = new Set();
    this.held = null;
    this.letters = null;
    this.words = h("input", {
      type: "search",
      "aria-label": "Search events",
      placeholder: "Search events   /",
      oninput: () => this.update(),
    });
    this.kind = h("select", { "aria-label": "Kind", onchange: () => this.update() });
    this.pause = h(
      "button.quiet",
      { type: "button", "aria-pressed": "false", onclick: () => this.paused() },
      "Hold still",
    );
    this.state = h("span.total", { role: "status" });
    this.feed = h("div.feed", { role: "log", "aria-label": "Events", "aria-live": "off", tabindex: "0" });
    this.list = h("div.letters");
    this.element = h(
      "div.view.events.two",
      {},
      h(
        "section",
        { "aria-label": "Events" },
        h("h2", {}, "Events"),
        h("div.tools", {}, this.words, this.kind, this.pause, h("span.spring"), this.state),
        this.feed,
      ),
      h(
        "section",
        { "aria-label": "Dead letters" },
        h("h2", {}, "Dead letters"),
        h(
          "div.tools",
          {},
          h("p.quiet", {}, "Messages that nobody handled, newest first; crashes among them have their backtrace."),
          h("span.spring"),
          button("Read again", () => this.read(), { kind: "quiet" }),
        ),
        this.list,
      ),
    );
  }

  get search() {
    return this.words;
  }

  paused() {
    const { live } = this.context;
    this.held = this.held === null ? [...live.events] : null;
    this.pause.setAttribute("aria-pressed", String(this.held !== null));
    this.update();
  }

  route() {
    this.read();
    this.update();
  }

  async read() {
    try {
      const { dead_letters: letters } = await this.context.live.api.get("/v1/dead-letters");
      const shown = letters
        .toReversed()
        .slice(0, FEED_ROWS)
        .map((letter) => letterRow(letter));
      put(this.list, ...(shown.length === 0 ? [h("p.quiet", {}, "None.")] : shown));
      this.read_at = this.context.live.events.find((event) => event.kind === "dead-letter" || event.kind === "crashed");
    } catch (error) {
      put(this.list, trouble(error));
    }
  }

  update() {
    const { live } = this.context;
    const all = this.held ?? live.events;
    const kinds = ["", ...new Set(live.events.map((event) => event.kind))].sort();
    fill(
      this.kind,
      kinds,
      (kind) => kind,
      (kind) => ({ node: h("option", { value: kind }, kind === "" ? "all kinds" : kind) }),
    );
    const words = this.words.value.toLowerCase().trim();
    const wanted = all.filter((event) => {
      if (this.kind.value !== "" && event.kind !== this.kind.value) return false;
      return (
        words === "" ||
        `${event.kind} ${event.actor ?? ""} ${event.plugin ?? ""} ${eventText(event)}`.toLowerCase().includes(words)
      );
    });
    Events.numbers ??= new WeakMap();
    const key = (event) => {
      if (!Events.numbers.has(event)) Events.numbers.set(event, (Events.last = (Events.last ?? 0) + 1));
      return Events.numbers.get(event);
    };
    fill(this.feed, wanted.slice(0, FEED_ROWS), key, (event) => ({ node: eventRow(event) }));
    const none = this.feed.firstElementChild === null;
    this.feed.classList.toggle("none", none);
    this.feed.dataset.none =
      live.streams === false
        ? "This host tells no events here: the page asks every few seconds instead."
        : "Nothing has happened since the page listens.";
    const held = this.held === null ? "" : `; held still, ${counted(live.events.indexOf(all[0]), "newer one")}`;
    const full = live.events.length >= EVENTS ? ` (the last ${count(EVENTS)} are kept)` : "";
    say(this.state, `${counted(wanted.length, "event")}${full}${held}`);
    const last = live.events.find((event) => event.kind === "dead-letter" || event.kind === "crashed");
    if (last !== this.read_at) {
      this.read_at = last;
      this.read();
    }
  }

  title() {
    return "Events";
  }
}

/** How long ago something was, for lists. */
export function ago(ms) {
  return `${span(Date.now() - ms)} ago`;
}
