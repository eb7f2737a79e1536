// The tree of supervisors and actors.
import { Detail } from "./detail.mjs";
import { button, fill, h, nameOf, put, say } from "./dom.mjs";
import { Grid, text } from "./grid.mjs";
import { signOf } from "./phase.mjs";
import { address } from "./route.mjs";
import { startChild } from "./children.mjs";
import { count, counted, micros, plain, size } from "./text.mjs";
import { PHASES, phaseOf, phases, rows, SORTS } from "./tree.mjs";

function drawName(cell, row) {
  const { node } = row;
  const phase = phaseOf(node);
  const drawn = `${node.name}\n${phase}\n${row.open}`;
  if (cell.drawn === drawn) return;
  cell.drawn = drawn;
  const twist = row.open === null ? null : h("span.twist", { "aria-hidden": "true" }, row.open ? "▾" : "▸");
  put(
    cell,
    twist ?? h("span.twist.none"),
    h(`span.sign.p-${phase}`, { "aria-hidden": "true" }, signOf(phase)),
    nameOf(node.name, row.open === null && !node.child?.supervises ? "bdi" : "bdi.supervisor"),
  );
}

function pluginText({ node }) {
  if (node.child?.supervises) {
    const { strategy, children } = node.child.supervises;
    return `${strategy.replaceAll("_", " ")} · ${count(children.active)} of ${count(children.specs)} up`;
  }
  const { plugin, version } = node.actor ?? {};
  return plugin === undefined ? "–" : `${plugin} ${version ?? ""}`;
}

function drawPhase(cell, { node }) {
  const phase = phaseOf(node);
  say(cell, phase);
  cell.className = `cell phase p-${phase}`;
}

function drawMailbox(cell, { node }) {
  const waiting = node.actor?.waiting;
  say(cell, waiting === undefined ? "" : count(waiting));
  cell.classList.toggle("zero", waiting === 0);
}

function latency({ node }) {
  const turn = node.actor?.turn_us;
  return turn ? `${micros(turn.p50)} · ${micros(turn.p99)}` : node.actor ? "–" : "";
}

function rate({ node }) {
  if (!node.actor) return "";
  if (node.rate === null || node.rate === undefined) return "–";
  return node.rate === 0 ? "0" : node.rate < 10 ? node.rate.toFixed(1) : count(Math.round(node.rate));
}

/** On a narrow screen all that matters stands in one line below the name. */
function brief(row) {
  const { node } = row;
  const waiting = node.actor?.waiting ?? 0;
  const turn = node.actor?.turn_us;
  return [pluginText(row), waiting > 0 ? `${count(waiting)} waiting` : null, turn ? `p99 ${micros(turn.p99)}` : null]
    .filter((part) => part !== null)
    .join(" · ");
}

const restarts = (node) => Math.max(node.actor?.restarts ?? 0, node.child?.restarts ?? 0);

const COLUMNS = [
  { id: "name", label: "Name", sort: "name", draw: drawName },
  { id: "phase", label: "Phase", sort: "phase", draw: drawPhase },
  { id: "plugin", label: "Plugin", sort: "plugin", draw: text(pluginText) },
  { id: "brief", label: "In brief", draw: text(brief) },
  { id: "mailbox", label: "Mailbox", sort: "mailbox", title: "Messages that wait", draw: drawMailbox },
  { id: "rate", label: "Msg/s", sort: "rate", title: "Messages handled in a second, lately", draw: text(rate) },
  {
    id: "latency",
    label: "Turn p50 · p99",
    sort: "latency",
    title: "Time that a turn takes, lately",
    draw: text(latency),
  },
  {
    id: "memory",
    label: "Memory",
    sort: "memory",
    title: "Linear memory of the instance",
    draw: text(({ node }) => (node.actor ? size(node.actor.memory_bytes) : "")),
  },
  {
    id: "generation",
    label: "Gen",
    sort: "generation",
    title: "Generation of the instance",
    draw: text(({ node }) => (node.actor ? String(node.actor.generation) : "")),
  },
  {
    id: "schema",
    label: "Schema",
    title: "Schema of the record that counts",
    draw: text(({ node }) => (node.actor ? String(node.actor.schema ?? "–") : "")),
  },
  {
    id: "restarts",
    label: "Restarts",
    sort: "restarts",
    draw: text(({ node }) => (restarts(node) === 0 ? "" : count(restarts(node)))),
  },
];

export class Actors {
  constructor(context) {
    this.context = context;
    this.wish = { query: "", phases: new Set(), plugin: "", sort: "tree", turned: false, collapsed: new Set() };
    this.chosen = null;
    this.grid = new Grid({
      label: "Supervisors and actors",
      columns: COLUMNS,
      key: (row) => row.node.name,
      acts: {
        open: (row) => context.go(address("actors", row.node.name)),
        toggle: (row, open) => this.toggle(row.node.name, open),
        sort: (by) => this.sort(by),
        changed: (row) => {
          // Where both stand side by side the one follows the other.
          if (this.chosen !== null && window.innerWidth >= 1100)
            context.go(address("actors", row.node.name, this.detail.tab), true);
        },
      },
    });
    this.detail = new Detail(context);
    this.search = h("input", {
      type: "search",
      id: "search",
      placeholder: "Search names and plugins   /",
      "aria-label": "Search names and plugins",
      autocomplete: "off",
      spellcheck: "false",
      oninput: () => this.searched(),
      onkeydown: (event) => this.fromSearch(event),
    });
    this.plugin = h("select", { "aria-label": "Plugin", onchange: () => this.wished({ plugin: this.plugin.value }) });
    const sorts = Object.entries(SORTS).map(([by, label]) => h("option", { value: by }, `by ${label}`));
    this.order = h(
      "select",
      { "aria-label": "Order", onchange: () => this.wished({ sort: this.order.value, turned: false }) },
      ...sorts,
    );
    this.chips = h("div.chips", { role: "group", "aria-label": "Phases" });
    this.total = h("span.total", { role: "status" });
    const start = button("Start an actor…", () => startChild(context), { kind: "quiet" });
    this.list = h(
      "section.list",
      { "aria-label": "Tree" },
      h("div.tools", {}, this.search, this.plugin, this.order, this.chips, h("span.spring"), this.total, start),
      this.grid.element,
    );
    this.element = h("div.view.actors", {}, this.list, this.detail.element);
  }

  searched() {
    clearTimeout(this.typing);
    this.typing = setTimeout(() => this.wished({ query: this.search.value }), 60);
  }

  fromSearch(event) {
    if (event.key === "Escape" && this.search.value !== "") {
      this.search.value = "";
      this.wished({ query: "" });
    } else if (event.key === "ArrowDown" || event.key === "Enter") {
      clearTimeout(this.typing);
      this.wished({ query: this.search.value });
      this.grid.element.focus();
      if (this.grid.active === null) this.grid.go(0);
    } else {
      return;
    }
    event.preventDefault();
    event.stopPropagation();
  }

  wished(change) {
    Object.assign(this.wish, change);
    this.order.value = this.wish.sort;
    this.grid.sorted(this.wish.sort, this.wish.turned);
    this.update();
  }

  sort(by) {
    const turned = this.wish.sort === by && !this.wish.turned;
    this.wished(this.wish.sort === by && this.wish.turned ? { sort: "tree", turned: false } : { sort: by, turned });
  }

  /** Whether it did anything: while it is searched everything is open. */
  toggle(name, open) {
    if (this.filtered()) return false;
    if (open) this.wish.collapsed.delete(name);
    else this.wish.collapsed.add(name);
    this.update();
    return true;
  }

  filtered() {
    return (
      this.wish.query.trim() !== "" || this.wish.phases.size > 0 || this.wish.plugin !== "" || this.wish.sort !== "tree"
    );
  }

  drawChips(grown) {
    const counts = phases(grown);
    for (const phase of this.wish.phases) if (!counts.has(phase)) counts.set(phase, 0);
    const present = PHASES.filter((phase) => counts.has(phase));
    fill(
      this.chips,
      present,
      (phase) => phase,
      (phase) => {
        const number = h("b");
        const press = () => {
          const { phases: wanted } = this.wish;
          if (!wanted.delete(phase)) wanted.add(phase);
          this.wished({});
        };
        const sign = h(`span.p-${phase}`, { "aria-hidden": "true" }, signOf(phase));
        const node = h("button.chip", { type: "button", onclick: press }, sign, ` ${phase} `, number);
        return {
          node,
          update: () => {
            say(number, count(counts.get(phase)));
            node.setAttribute("aria-pressed", String(this.wish.phases.has(phase)));
          },
        };
      },
    );
  }

  drawPlugins(live) {
    const names = ["", ...new Set(live.plugins.map((plugin) => plugin.name))];
    fill(
      this.plugin,
      names,
      (name) => name,
      (name) => ({
        node: h("option", { value: name }, name === "" ? "all plugins" : name),
      }),
    );
  }

  /** What the address asks for. */
  route({ name, tab }) {
    this.chosen = name;
    this.element.classList.toggle("with-detail", name !== null);
    this.detail.show(name, tab);
    if (name !== null) this.grid.active = name;
    this.update();
  }

  update() {
    const { live } = this.context;
    this.drawChips(live.grown);
    this.drawPlugins(live);
    const found = rows(live.grown, this.wish);
    for (const row of found) row.chosen = row.node.name === this.chosen;
    say(this.total, this.filtered() ? `${counted(found.filter((row) => !row.above).length, "match", "matches")}` : "");
    this.element.classList.toggle("empty", found.length === 0);
    this.grid.show(found);
    this.detail.update();
  }

  /** What the title of the window says. */
  title() {
    return this.chosen === null ? "Actors" : plain(this.chosen);
  }

  /** Esc: back from the detail to the list. */
  escape() {
    if (this.chosen === null) return false;
    const name = this.chosen;
    this.context.go(address("actors"));
    this.grid.active = name;
    this.grid.element.focus();
    this.update();
    return true;
  }
}
