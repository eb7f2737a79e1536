// What is stored, of whoever: also of those that do not run.
import { query } from "./api.mjs";
import { button, doing, download, facts, h, nameOf, put, trouble } from "./dom.mjs";
import { address } from "./route.mjs";
import { count, counted, moment, plain, size } from "./text.mjs";

/** Heads of one page, and actors that are verified in one request. */
const HEADS_PAGE = 100;
const VERIFIED = 500;

export class Store {
  constructor(context) {
    this.context = context;
    this.figures = h("div.tiles");
    this.rows = h("tbody");
    this.wrong = h("div");
    this.from = h("input", {
      type: "search",
      "aria-label": "Names after",
      placeholder: "Names after …   /",
      onchange: () => this.list(this.from.value.trim() || null),
    });
    this.next = button("Next page", () => this.list(this.after), { kind: "quiet", disabled: true });
    this.verified = h("div", { "aria-live": "polite" });
    const heads = ["Actor", "Record", "Gen", "Plugin", "Schema", "Size", "Saved", "Runs"].map((label) =>
      h("th", { scope: "col" }, label),
    );
    this.element = h(
      "div.view.store",
      {},
      h("h2", {}, "The store"),
      this.figures,
      h(
        "div.actions.left",
        {},
        button("Verify all", (event) => this.verify(event.target), { kind: "quiet" }),
        button("Export all", (event) => this.export(event.target), { kind: "quiet" }),
      ),
      this.verified,
      h("h2", {}, "Actors that have a head"),
      h(
        "div.tools",
        {},
        this.from,
        button("From the first", () => this.first(), { kind: "quiet" }),
        this.next,
      ),
      this.wrong,
      h(
        "div.scrolls",
        { tabindex: "0", role: "region", "aria-label": "Stored actors" },
        h("table", {}, h("thead", {}, h("tr", {}, ...heads)), this.rows),
      ),
    );
  }

  get search() {
    return this.from;
  }

  route() {
    this.count();
    this.first();
  }

  update() {}

  first() {
    this.from.value = "";
    this.list(null);
  }

  async count() {
    try {
      const stats = await this.context.live.api.get("/v1/store-stats", { timeout: 60_000 });
      const tile = (label, value, hint = "") =>
        h("div.tile", {}, h("span.label", {}, label), h("b", {}, value), h("span.hint", {}, hint));
      const { capabilities: can } = stats;
      put(
        this.figures,
        tile("Backend", can.backend, `keeps ${counted(can.history, "record")} of each`),
        tile("Actors", count(stats.actors)),
        tile("Records", count(stats.records)),
        tile("Live", size(stats.live_bytes)),
        tile("History", size(stats.history_bytes)),
        tile("Quarantine", size(stats.quarantine_bytes), counted(stats.quarantined, "copy", "copies")),
        tile(
          "On the disk",
          size(stats.disk_bytes),
          stats.dead_bytes === null ? "" : `${size(stats.dead_bytes)} of it dead`,
        ),
        tile("Durable over", String(can.durable).replaceAll("-", " ")),
      );
    } catch (error) {
      put(this.figures, trouble(error));
    }
  }

  async list(after) {
    try {
      const page = await this.context.live.api.get(`/v1/store${query({ after, limit: HEADS_PAGE })}`);
      put(this.wrong);
      this.after = page.next;
      this.next.disabled = page.next === null;
      put(this.rows, ...page.actors.map((one) => this.row(one)));
    } catch (error) {
      put(this.wrong, trouble(error));
    }
  }

  row({ actor, head, damaged }) {
    const name = h("th", { scope: "row" }, h("a", { href: address("actors", actor, "history") }, nameOf(actor)));
    if (head === null)
      return h("tr.bad", {}, name, h("td", { colspan: "7" }, `its head is damaged: ${plain(damaged)}`));
    const [record] = head.records;
    const runs = h("td", {}, head.owner === null ? "no" : "yes");
    if (record === undefined)
      return h(
        "tr",
        {},
        name,
        h("td", {}, "–"),
        h("td", {}, count(head.generation)),
        h("td", { colspan: "4" }, "nothing saved yet"),
        runs,
      );
    return h(
      "tr",
      {},
      name,
      h("td", {}, count(record.sequence)),
      h("td", {}, count(head.generation)),
      h("td", {}, (record.plugin ?? ["–"]).join(" ")),
      h("td", {}, String(record.schema)),
      h("td", {}, size(record.bytes)),
      h("td", {}, moment(record.time_ms)),
      runs,
    );
  }

  async verify(pressed) {
    await doing(pressed, async () => {
      const sum = { actors: 0, records: 0, bytes: 0, copies: 0, problems: [] };
      let after = null;
      do {
        const part = await this.context.live.api.get(`/v1/store-verify${query({ after, limit: VERIFIED })}`, {
          timeout: 120_000,
        });
        for (const key of ["actors", "records", "bytes", "copies"]) sum[key] += part[key];
        sum.problems.push(...part.problems);
        after = part.next;
        put(this.verified, h("p.quiet", {}, `${counted(sum.actors, "actor")} read…`));
      } while (after !== null && this.element.isConnected);
      const wrong = sum.problems
        .slice(0, HEADS_PAGE)
        .map((problem) =>
          h(
            "li",
            {},
            h("a", { href: address("actors", problem.actor, "history") }, nameOf(problem.actor)),
            problem.sequence === null ? ", its head: " : `, record ${problem.sequence}: `,
            plain(problem.what),
          ),
        );
      put(
        this.verified,
        h(
          wrong.length === 0 ? "p.good" : "p.warn",
          {},
          wrong.length === 0 ? "All that is stored is whole." : `${counted(sum.problems.length, "problem")}.`,
        ),
        facts([
          ["Read", `${counted(sum.actors, "actor")}, ${counted(sum.records, "record")}, ${size(sum.bytes)}`],
          ["In quarantine", counted(sum.copies, "copy", "copies")],
        ]),
        wrong.length === 0 ? null : h("ul", {}, ...wrong),
      );
    });
  }

  async export(pressed) {
    await doing(pressed, async () => {
      const response = await this.context.live.api.fetch("GET", "/v1/store-export", { timeout: null });
      download(await response.blob(), "export.baton");
    });
  }

  title() {
    return "Store";
  }
}
