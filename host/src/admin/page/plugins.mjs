// Plugins, their versions, and the way from one to another.
import { fill, h, put, say } from "./dom.mjs";
import { address } from "./route.mjs";
import { Swap } from "./swap.mjs";
import { SwapState } from "./swapping.mjs";
import { count, counted, plain, short } from "./text.mjs";

function versionRow(plugin) {
  const schema =
    plugin.reads_from === plugin.reads_to ? `${plugin.reads_to}` : `${plugin.reads_from} to ${plugin.reads_to}`;
  return h(
    "tr",
    {},
    h("th", { scope: "row" }, plugin.version, plugin.current ? h("span.tag", {}, "current") : null),
    h("td", {}, count(plugin.running)),
    h("td", {}, `${plugin.schema}; reads ${schema}`),
    h("td", {}, plugin.part === null ? "" : plain(String(plugin.part))),
    h("td", {}, h("code", { title: plugin.digest }, short(plugin.digest))),
    h("td.source", {}, plain(plugin.source ?? "–")),
  );
}

/** One plugin: its versions, and its last swap. */
class Card {
  constructor(context, name) {
    this.context = context;
    this.name = name;
    this.swap = null;
    this.rows = h("tbody");
    this.actors = h("span.hint");
    this.state = new SwapState(context);
    this.place = h("div.swap-place");
    this.open = h("a.button", { href: address("plugins", name, "swap") }, "Swap…");
    const heads = ["Version", "Run it", "Schema", "Part", "Digest", "From"].map((label) =>
      h("th", { scope: "col" }, label),
    );
    this.node = h(
      "article.card",
      { "aria-label": `Plugin ${name}` },
      h("header", {}, h("h2", {}, name), this.actors, h("span.spring"), this.open),
      h(
        "div.scrolls",
        { tabindex: "0", role: "region", "aria-label": `Versions of ${name}` },
        h("table", {}, h("thead", {}, h("tr", {}, ...heads)), this.rows),
      ),
      this.state.element,
      this.place,
    );
  }

  update(versions) {
    const { live } = this.context;
    const drawn = JSON.stringify(versions);
    if (drawn !== this.drawn) {
      this.drawn = drawn;
      put(this.rows, ...versions.map(versionRow));
      say(this.actors, `${counted(versions[0].actors, "actor")}, takes ${versions[0].messages}`);
    }
    const swap = live.swaps.find((one) => one.plugin === this.name) ?? null;
    // Where the form is open it stands below that.
    this.state.update(this.swap === null ? swap : null);
    this.swap?.update(swap);
  }

  /** Opens or closes the place where a swap is made. */
  route(open) {
    if (open && this.swap === null) this.swap = new Swap(this.context, this.name);
    if (!open) this.swap = null;
    put(this.place, this.swap?.element);
    this.open.textContent = open ? "Close" : "Swap…";
    this.open.setAttribute("href", open ? address("plugins", this.name) : address("plugins", this.name, "swap"));
    this.node.classList.toggle("open", open);
  }
}

export class Plugins {
  constructor(context) {
    this.context = context;
    this.list = h("div.cards");
    this.cards = new Map();
    this.asked = { name: null, tab: null };
    this.element = h("div.view.plugins", {}, this.list);
  }

  route(asked) {
    this.asked = asked;
    this.update();
    for (const [name, card] of this.cards) card.route(name === asked.name && asked.tab === "swap");
    this.update();
    if (asked.name !== null) this.cards.get(asked.name)?.node.scrollIntoView({ block: "nearest" });
  }

  update() {
    const { live } = this.context;
    const names = [...new Set(live.plugins.map((plugin) => plugin.name))];
    fill(
      this.list,
      names,
      (name) => name,
      (name) => {
        const card = new Card(this.context, name);
        this.cards.set(name, card);
        if (name === this.asked.name) card.route(this.asked.tab === "swap");
        return {
          node: card.node,
          update: () => card.update(this.context.live.plugins.filter((plugin) => plugin.name === name)),
        };
      },
    );
    for (const name of this.cards.keys()) if (!names.includes(name)) this.cards.delete(name);
  }

  title() {
    return "Plugins";
  }
}
