// Whoever does not run as it should, and what can be done about it.
import { fill, h, nameOf, put, trouble, button, doing } from "./dom.mjs";
import { cures } from "./held.mjs";
import { pill } from "./phase.mjs";
import { address } from "./route.mjs";
import { count, counted, moment, plain, size } from "./text.mjs";
import { phaseOf } from "./tree.mjs";

/** Actors that are shown at once, and that are looked through for copies in one request. */
const WANTING_SHOWN = 200;
const COPIES_PAGE = 1_000;
const URGENT = new Set(["held", "failed"]);
/** Restarts from which on one that runs is named here. */
const RESTARTS = 3;

/** Who wants attention: held and failed ones, and those that restart often. */
export function wanting(grown) {
  const nodes = [...grown.nodes.values()];
  const urgent = nodes.filter((node) => URGENT.has(phaseOf(node)));
  const often = nodes.filter(
    (node) => !URGENT.has(phaseOf(node)) && Math.max(node.actor?.restarts ?? 0, node.child?.restarts ?? 0) >= RESTARTS,
  );
  const restarts = (node) => Math.max(node.actor?.restarts ?? 0, node.child?.restarts ?? 0);
  return { urgent, often: often.sort((a, b) => restarts(b) - restarts(a)) };
}

export class Attention {
  constructor(context) {
    this.context = context;
    this.health = h("div");
    this.urgent = h("div.cards");
    this.often = h("div.cards");
    this.copies = h("div");
    this.more = h("p.quiet");
    this.find = button("Look for copies in quarantine", (event) => this.look(event.target), { kind: "quiet" });
    this.element = h(
      "div.view.attention",
      {},
      this.health,
      h("h2", {}, "Held and failed"),
      this.urgent,
      this.more,
      h("h2", {}, "Restarted often"),
      this.often,
      h("h2", {}, "In quarantine"),
      h(
        "p.quiet",
        {},
        "Copies of damaged records, as they were found. They are kept for inspection, and are no problem by themselves.",
      ),
      h("div.actions.left", {}, this.find),
      this.copies,
    );
  }

  route() {
    this.update();
  }

  update() {
    const { live } = this.context;
    const { urgent, often } = wanting(live.grown);
    this.fillCards(this.urgent, urgent.slice(0, WANTING_SHOWN), "Nobody is held or has failed.");
    this.fillCards(this.often, often.slice(0, WANTING_SHOWN), "Nobody was restarted three times or more.");
    this.more.textContent =
      urgent.length > WANTING_SHOWN
        ? `${count(urgent.length - WANTING_SHOWN)} more are in the tree: choose their phase there.`
        : "";
    const worry = live.health?.store_trouble ?? null;
    if (worry !== this.worry) {
      this.worry = worry;
      put(
        this.health,
        worry === null
          ? null
          : h("div.callout.p-failed", { role: "alert" }, h("p", {}, h("strong", {}, "The store: "), plain(worry))),
      );
    }
  }

  fillCards(place, nodes, none) {
    place.dataset.none = none;
    place.classList.toggle("none", nodes.length === 0);
    fill(
      place,
      nodes,
      (node) => node.name,
      (first) => {
        const title = h("header");
        const said = h("div");
        let drawn = null;
        const update = (node) => {
          const text = JSON.stringify([
            phaseOf(node),
            node.actor?.held,
            node.actor?.note,
            node.child?.last_exit,
            node.actor?.restarts,
          ]);
          if (text === drawn) return;
          drawn = text;
          const restarts = Math.max(node.actor?.restarts ?? 0, node.child?.restarts ?? 0);
          const plugin = node.actor ? `${node.actor.plugin} ${node.actor.version ?? ""}` : "supervisor";
          put(
            title,
            h("h3", {}, h("a", { href: address("actors", node.name) }, nameOf(node.name))),
            pill(phaseOf(node)),
            h("span.hint", {}, `${plugin}${restarts > 0 ? `, ${counted(restarts, "restart")}` : ""}`),
          );
          const words = cures(this.context, node);
          put(
            said,
            ...(words.length > 0 ? words : [h("p", {}, plain(node.actor?.last_exit ?? node.child?.last_exit ?? ""))]),
          );
        };
        return { node: h("article.card", { "aria-label": plain(first.name) }, title, said), update };
      },
    );
  }

  /** Page by page: the whole store is looked through. */
  async look(pressed) {
    await doing(pressed, async () => {
      const found = [];
      let after = null;
      try {
        do {
          const path = `/v1/store-quarantine?limit=${COPIES_PAGE}${after === null ? "" : `&after=${encodeURIComponent(after)}`}`;
          const page = await this.context.live.api.get(path, { timeout: 60_000 });
          found.push(...page.actors);
          after = page.next;
        } while (after !== null && found.length < WANTING_SHOWN);
      } catch (error) {
        put(this.copies, trouble(error));
        return;
      }
      const rows = found
        .slice(0, WANTING_SHOWN)
        .flatMap(({ actor, copies }) =>
          copies.map((copy) =>
            h(
              "tr",
              {},
              h("th", { scope: "row" }, h("a", { href: address("actors", actor, "history") }, nameOf(actor))),
              h("td", {}, String(copy.record.sequence)),
              h("td", {}, moment(copy.time_ms)),
              h("td", {}, plain(copy.why)),
              h("td", {}, size(copy.found_bytes)),
            ),
          ),
        );
      const heads = ["Actor", "Record", "Put there", "What was wrong", "Bytes"].map((label) =>
        h("th", { scope: "col" }, label),
      );
      const table = h(
        "div.scrolls",
        { tabindex: "0", role: "region", "aria-label": "Copies in quarantine" },
        h("table", {}, h("thead", {}, h("tr", {}, ...heads)), h("tbody", {}, ...rows)),
      );
      put(this.copies, rows.length === 0 ? h("p.quiet", {}, "None.") : table);
    });
  }

  title() {
    return "Attention";
  }
}
