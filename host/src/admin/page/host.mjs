// The host itself: its health, its swaps, and groups of actors.
import { named } from "./api.mjs";
import { button, facts, field, h, nameOf, put, trouble } from "./dom.mjs";
import { address } from "./route.mjs";
import { swapLine } from "./swapping.mjs";
import { count, counted, moment, plain, span } from "./text.mjs";
import { phases } from "./tree.mjs";

/** Groups that are offered at once. */
const GROUPS_SHOWN = 100;

export class HostView {
  constructor(context) {
    this.context = context;
    this.health = h("div");
    this.swaps = h("div");
    this.group = h("input", { required: true, autocomplete: "off", spellcheck: "false" });
    this.body = h("textarea", { rows: "2", spellcheck: "false" });
    this.groups = h("div.actions.left");
    this.members = h("div", { "aria-live": "polite" });
    this.element = h(
      "div.view.host.two",
      {},
      h(
        "section",
        { "aria-label": "Health" },
        h("h2", {}, "Health"),
        this.health,
        h("h2", {}, "Last swap of each plugin"),
        this.swaps,
      ),
      h(
        "section",
        { "aria-label": "Groups" },
        h("h2", {}, "Groups"),
        this.groups,
        h(
          "form",
          { onsubmit: (event) => this.submitted(event) },
          field("Group", this.group),
          field("Message", this.body, "For each of its members."),
          h(
            "div.actions.left",
            {},
            h("button.quiet", { value: "members" }, "Show members"),
            h("button.main", { value: "dispatch" }, "Dispatch"),
          ),
        ),
        this.members,
      ),
    );
  }

  route() {
    this.list();
    this.update();
  }

  /** The groups that have members; a click chooses one. */
  async list() {
    try {
      const { groups } = await this.context.live.api.get("/v1/groups");
      const choose = ({ group, members }) =>
        button(`${plain(group)} (${count(members)})`, () => this.show(group), { kind: "small" });
      put(this.groups, ...groups.slice(0, GROUPS_SHOWN).map(choose));
    } catch {
      // Without the list one is named by hand.
      put(this.groups);
    }
  }

  async show(group) {
    this.group.value = group;
    try {
      const { members } = await this.context.live.api.get(`/v1/groups/${named(group)}`);
      const list = members.map((name) => h("li", {}, h("a", { href: address("actors", name) }, nameOf(name))));
      put(this.members, members.length === 0 ? h("p.quiet", {}, "It has no members.") : h("ul", {}, ...list));
    } catch (error) {
      put(this.members, trouble(error));
    }
  }

  update() {
    const { live } = this.context;
    const { health } = live;
    const links = {
      there: "answers",
      gone: "does not answer",
      connecting: "not heard of yet",
      locked: "wants a token",
    };
    if (health !== null) {
      const up = health.uptime_ms + Math.floor((Date.now() - health.seen) / 1_000) * 1_000;
      const counts = [...phases(live.grown)].map(([phase, number]) => `${count(number)} ${phase}`).join(", ");
      put(
        this.health,
        facts([
          ["State", live.link === "there" ? health.state : links[live.link]],
          ["Version", health.version],
          ["Process", String(health.pid)],
          ["Up for", span(up)],
          ["Plugins", count(health.plugins)],
          ["Actors", counts || "none"],
          ["Store", health.store_trouble === null ? "answers" : h("span.warn", {}, plain(health.store_trouble))],
          [
            "Events",
            live.streams === true
              ? "told as they happen"
              : live.streams === false
                ? "asked for every few seconds"
                : "–",
          ],
          ["Last heard of", moment(health.seen)],
        ]),
      );
    }
    const drawn = JSON.stringify(live.swaps);
    if (drawn === this.drawn) return;
    this.drawn = drawn;
    put(
      this.swaps,
      live.swaps.length === 0
        ? h("p.quiet", {}, "None since it started.")
        : facts(
            live.swaps.map((swap) => [
              h("a", { href: address("plugins", swap.plugin, "swap") }, swap.plugin),
              swapLine(swap),
            ]),
          ),
    );
  }

  async submitted(event) {
    event.preventDefault();
    const group = this.group.value.trim();
    if (event.submitter?.value !== "dispatch") return this.show(group);
    try {
      const { taken } = await this.context.live.api.post(`/v1/groups/${named(group)}/dispatch`, {
        body: this.body.value,
      });
      return put(this.members, h("p.good", {}, `${counted(taken, "mailbox", "mailboxes")} took it.`));
    } catch (error) {
      return put(this.members, trouble(error));
    }
  }

  title() {
    return "Host";
  }
}

/** The keys, in a dialog. */
export function help(context) {
  const keys = [
    ["1 … 6", "the views"],
    ["/", "search"],
    ["↑ ↓ Home End PgUp PgDn", "move in the tree"],
    ["→ ←", "open and close what a supervisor has; ← goes up"],
    ["Enter", "open the actor"],
    ["Esc", "back to the list; close what is open"],
    ["[ ]", "the side before, the side after"],
    ["Ctrl Enter", "send the message"],
    ["r", "look again, now"],
    ["?", "this"],
  ];
  const rows = keys.map(([key, what]) =>
    h("tr", {}, h("th", { scope: "row" }, ...key.split(" ").map((one) => h("kbd", {}, one))), h("td", {}, what)),
  );
  return [
    h("table.keys", {}, h("tbody", {}, ...rows)),
    h(
      "p.quiet",
      {},
      "All of it goes through the host’s HTTP API: what is done here can be done with curl or the command baton.",
    ),
    h(
      "div.actions",
      {},
      button("Close", () => context(null), { kind: "main" }),
    ),
  ];
}
