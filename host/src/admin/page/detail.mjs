// One actor or supervisor: what is known of it, and what can be done.
import { named } from "./api.mjs";
import { act, remove } from "./children.mjs";
import { button, facts, h, nameOf, put, trouble } from "./dom.mjs";
import { eventRow, letterRow } from "./events.mjs";
import { cures } from "./held.mjs";
import { bodyBlock } from "./compare.mjs";
import { History } from "./history.mjs";
import { Messages } from "./message.mjs";
import { Overview } from "./overview.mjs";
import { pill } from "./phase.mjs";
import { address } from "./route.mjs";
import { count, moment, span } from "./text.mjs";
import { pathOf, phaseOf } from "./tree.mjs";

const TABS = {
  overview: "Overview",
  message: "Message",
  state: "State",
  history: "History",
  crashes: "Crashes",
  events: "Events",
};
/** Letters and events that one actor's lists show. */
const OWN_SHOWN = 100;

/** What can be done to a node in this phase. */
function actsFor(node, phase) {
  if (phase === "down" || phase === "failed") return ["start", "remove"];
  if (node.child?.supervises) return ["restart", "stop", "kill"];
  if (phase === "suspended") return ["resume", "restart", "stop", "kill"];
  if (phase === "restarting") return ["stop"];
  return ["suspend", "restart", "stop", "kill"];
}

const ACT_LABELS = {
  start: "Start",
  stop: "Stop…",
  restart: "Restart…",
  kill: "Kill…",
  suspend: "Suspend…",
  resume: "Resume",
  remove: "Remove…",
};

export class Detail {
  constructor(context) {
    this.context = context;
    this.name = null;
    this.asked = "overview";
    this.tab = "overview";
    this.element = h("section.detail", { "aria-label": "Detail", hidden: true });
  }

  /** Shows another actor, or another side of it. */
  show(name, tab) {
    const shown = tab !== null && Object.hasOwn(TABS, tab) ? tab : "overview";
    if (name === this.name && shown === this.asked) return;
    if (name !== this.name) this.sides = {};
    this.name = name;
    this.asked = shown;
    this.tab = shown;
    this.element.hidden = name === null;
    if (name !== null) this.frame();
  }

  frame() {
    this.head = h("div.head");
    this.said = h("div.said");
    this.acts = h("div.actions.left");
    this.drawn = null;
    this.tabs = h("div.tabs", { role: "tablist", "aria-label": "Sides", onkeydown: (event) => this.pressed(event) });
    this.panel = h("div.panel", { role: "tabpanel", id: "detail-panel", tabindex: "-1" });
    put(this.element, this.head, this.acts, this.tabs, this.said, this.panel);
    this.update();
  }

  get node() {
    return this.context.live.grown.nodes.get(this.name) ?? null;
  }

  update() {
    if (this.name === null) return;
    const { node } = this;
    // Before the first look nobody is known.
    if (node === null && this.context.live.health === null) return;
    const phase = node === null ? null : phaseOf(node);
    const supervisor = Boolean(node?.child?.supervises);
    // What has the focus stays while nothing of it changes.
    const drawn = JSON.stringify([this.name, this.asked, phase, supervisor, node?.child?.supervisor]);
    if (drawn !== this.drawn) {
      this.drawn = drawn;
      this.drawHead(node, phase);
      this.drawTabs(supervisor, node);
      this.drawSide(supervisor, node);
    }
    this.drawSaid(node);
    this.side?.update?.();
  }

  drawHead(node, phase) {
    const path = node === null ? [] : pathOf(this.context.live.grown, this.name);
    const crumbs = path.flatMap((name) => [
      h("a", { href: address("actors", name) }, nameOf(name)),
      h("span", { "aria-hidden": "true" }, " › "),
    ]);
    const back = h("a.back", { href: address("actors"), "aria-label": "Back to the list" }, "‹ list");
    put(
      this.head,
      h("div.crumbs", {}, back, ...crumbs),
      h("div.title", {}, nameOf(this.name, "h2"), phase === null ? h("span.pill", {}, "not in the tree") : pill(phase)),
    );
    const does = node === null ? ["start"] : actsFor(node, phase);
    put(
      this.acts,
      ...does.map((what) => {
        const press = (event) =>
          what === "remove"
            ? remove(this.context, this.node, event.target)
            : act(this.context, this.node ?? { name: this.name, child: null, actor: null }, what, event.target);
        const kind = what === "kill" ? "danger" : what === "start" || what === "resume" ? "main" : "quiet";
        return button(ACT_LABELS[what], press, { kind });
      }),
    );
  }

  drawTabs(supervisor, node) {
    const all = Object.keys(TABS).filter((tab) => !supervisor || ["overview", "events"].includes(tab));
    const present = node === null ? ["history", "message", "crashes", "events"] : all;
    this.tab = present.includes(this.asked) ? this.asked : present[0];
    put(
      this.tabs,
      ...present.map((tab) =>
        h(
          "a",
          {
            role: "tab",
            href: address("actors", this.name, tab),
            id: `tab-${tab}`,
            "aria-controls": "detail-panel",
            "aria-selected": String(tab === this.tab),
            tabindex: tab === this.tab ? "0" : "-1",
          },
          TABS[tab],
        ),
      ),
    );
    this.panel.setAttribute("aria-labelledby", `tab-${this.tab}`);
  }

  pressed(event) {
    const tabs = [...this.tabs.children];
    const at = tabs.findIndex((tab) => tab.getAttribute("aria-selected") === "true");
    const to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: tabs.length - 1 }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    const tab = tabs[(to + tabs.length) % tabs.length];
    this.context.go(tab.getAttribute("href"), true);
    document.getElementById(tab.id)?.focus();
  }

  drawSide(supervisor, node) {
    const sides = {
      overview: () => new Overview(this, supervisor),
      message: () => new Messages(this.context, this.name),
      state: () => new State(this.context, this.name),
      history: () => new History(this.context, this.name),
      crashes: () => new Crashes(this.context, this.name),
      events: () => new Told(this.context, this.name),
    };
    // What was typed into a side is there when somebody comes back to it.
    const key = this.tab === "overview" ? `overview ${supervisor} ${node === null}` : this.tab;
    this.sides[key] ??= sides[this.tab]();
    this.side = this.sides[key];
    put(this.panel, this.side.element);
  }

  drawSaid(node) {
    const held = node?.actor?.held ?? null;
    const text = JSON.stringify([held, node?.actor?.note, node === null ? null : phaseOf(node)]);
    if (text === this.text) return;
    this.text = text;
    put(this.said, ...(node === null ? [] : cures(this.context, node)));
  }
}

/** The state as it stands. */
class State {
  constructor(context, name) {
    this.context = context;
    this.name = name;
    this.shown = h("div", { "aria-live": "polite" });
    this.element = h(
      "div.state",
      {},
      h(
        "div.actions.left",
        {},
        button("Read again", () => this.read(), { kind: "quiet" }),
      ),
      this.shown,
    );
    this.read();
  }

  async read() {
    try {
      const told = await this.context.live.api.get(`/v1/actors/${named(this.name)}/state`);
      const schema = told.schema === null ? "nothing worth keeping" : String(told.schema);
      put(
        this.shown,
        facts([
          ["Taken", moment(Date.now())],
          ["Generation", count(told.generation)],
          ["Version", told.version],
          ["Schema", schema],
        ]),
        told.schema === null ? null : bodyBlock(told.state, "State"),
      );
    } catch (error) {
      put(this.shown, trouble(error));
    }
  }
}

/** Messages that it did not handle, with what its guest was doing. */
class Crashes {
  constructor(context, name) {
    this.context = context;
    this.name = name;
    this.list = h("div.letters");
    this.element = h(
      "div.state",
      {},
      h(
        "div.actions.left",
        {},
        button("Read again", () => this.read(), { kind: "quiet" }),
      ),
      this.list,
    );
    this.seen = null;
    this.read();
  }

  update() {
    const last = this.context.live.events.find(
      (event) => event.actor === this.name && ["crashed", "dead-letter"].includes(event.kind),
    );
    if (last !== undefined && last !== this.seen) {
      this.seen = last;
      this.read();
    }
  }

  async read() {
    try {
      const { dead_letters: all } = await this.context.live.api.get("/v1/dead-letters");
      const own = all.filter((letter) => letter.to === this.name).reverse();
      const shown = own.slice(0, OWN_SHOWN).map((letter, at) => letterRow(letter, { open: at === 0, named: false }));
      const more =
        own.length > OWN_SHOWN ? h("p.quiet", {}, `${count(own.length - OWN_SHOWN)} older ones are not shown`) : null;
      put(
        this.list,
        ...(own.length === 0
          ? [h("p.quiet", {}, "No dead letters: nothing that was sent to it went unhandled.")]
          : shown),
        more,
      );
    } catch (error) {
      put(this.list, trouble(error));
    }
  }
}

/** Its events since the page was opened, and those that the host had kept. */
class Told {
  constructor(context, name) {
    this.context = context;
    this.name = name;
    this.element = h("div.feed");
  }

  update() {
    const { live } = this.context;
    const own = live.events.filter((event) => event.actor === this.name).slice(0, OWN_SHOWN);
    const drawn = `${own.length} ${own[0]?.sequence} ${live.streams}`;
    if (drawn === this.drawn) return;
    this.drawn = drawn;
    const none = live.streams === false ? "This host tells no events to this page." : "No events of it yet.";
    put(
      this.element,
      ...(own.length === 0 ? [h("p.quiet", {}, none)] : own.map((event) => eventRow(event, { named: false }))),
    );
  }
}
