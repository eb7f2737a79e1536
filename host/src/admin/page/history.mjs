// What the store has of an actor: its records, two of them side by side, and the ways back.
import { named, Problem, query } from "./api.mjs";
import { change } from "./changes.mjs";
import { comparison } from "./compare.mjs";
import { button, dialog, doing, download, facts, field, h, nameOf, put, tick, trouble } from "./dom.mjs";
import { cause, count, counted, moment, plain, size } from "./text.mjs";

export class History {
  constructor(context, name) {
    this.context = context;
    this.name = name;
    this.stored = null;
    this.pair = { a: null, b: null };
    this.table = h("div");
    this.compared = h("div", { "aria-live": "polite" });
    this.more = h("div");
    this.element = h("div.history", {}, this.table, this.compared, this.more);
    this.read();
  }

  async read() {
    const { api } = this.context.live;
    try {
      this.stored = await api.get(`/v1/store/${named(this.name)}`);
      this.at = this.context.live.grown.nodes.get(this.name)?.actor?.sequence;
      this.draw();
    } catch (error) {
      this.stored = null;
      put(this.compared);
      if (error.code === "not-stored")
        put(this.table, h("p.quiet", {}, "Nothing is stored for this actor yet."), this.bringIn());
      else put(this.table, trouble(error), this.mending());
    }
  }

  /** Reads again where the actor has committed since. */
  update() {
    const sequence = this.context.live.grown.nodes.get(this.name)?.actor?.sequence;
    if (this.stored !== null && sequence !== undefined && sequence !== this.at) {
      this.at = sequence;
      this.read();
    }
  }

  draw() {
    const { history, head, quarantine } = this.stored;
    const sequences = history.map((record) => record.sequence);
    if (!sequences.includes(this.pair.a)) this.pair.a = sequences[1] ?? null;
    if (!sequences.includes(this.pair.b)) this.pair.b = sequences[0] ?? null;
    const heads = ["A", "B", "Record", "Saved", "Why", "State", ""];
    const rows = history.map((record, at) => this.row(record, at === 0));
    const table = h(
      "div.scrolls",
      { tabindex: "0", role: "region", "aria-label": "Records" },
      h(
        "table.records",
        {},
        h("thead", {}, h("tr", {}, ...heads.map((label) => h("th", { scope: "col" }, label)))),
        h("tbody", {}, ...rows),
      ),
    );
    const compare = button("Compare A and B", (event) => this.compare(event.target), { disabled: history.length < 2 });
    put(
      this.table,
      history.length === 0 ? h("p.quiet", {}, "No record yet: it has claimed its name, and saved nothing.") : table,
      history.length === 0 ? null : h("div.actions.left", {}, compare),
    );
    put(this.more, this.headFacts(head), this.copies(quarantine), this.others());
  }

  row(record, current) {
    const pick = (side) =>
      h("input", {
        type: "radio",
        name: `${side}-${named(this.name)}`,
        checked: this.pair[side] === record.sequence,
        "aria-label": `record ${record.sequence} as ${side.toUpperCase()}`,
        onchange: () => {
          this.pair[side] = record.sequence;
        },
      });
    const waits = [
      record.inbox_messages > 0 ? counted(record.inbox_messages, "message waits", "messages wait") : null,
      record.outbox_messages > 0 ? `${count(record.outbox_messages)} on their way` : null,
      record.next_timer_ms === null ? null : "timers",
    ]
      .filter((text) => text !== null)
      .join(", ");
    const back = current
      ? h("span.tag", {}, "counts")
      : button("Roll back…", (event) => this.rollback(record, event.target), { kind: "small" });
    const fork = button("Fork…", (event) => this.fork(record, event.target), { kind: "small" });
    const [plugin, version] = record.plugin ?? ["–", ""];
    const bytes = size(record.facts?.state_bytes ?? record.bytes);
    const note = record.loads ? waits : plain(record.problem ?? "it cannot be read");
    return h(
      record.loads ? "tr" : "tr.bad",
      {},
      h("td.side", { "data-side": "A" }, pick("a")),
      h("td.side", { "data-side": "B" }, pick("b")),
      h("th", { scope: "row" }, String(record.sequence)),
      h("td", {}, moment(record.time_ms)),
      h("td", {}, cause(record.cause), note === "" ? null : h("div.hint", {}, note)),
      h("td", {}, `${plugin} ${version}`, h("div.hint", {}, `schema ${record.schema}, ${bytes}`)),
      h("td.does", {}, back, fork),
    );
  }

  async compare(pressed) {
    const { a, b } = this.pair;
    await doing(pressed, async () => {
      const diff = await this.context.live.api.get(`/v1/store/${named(this.name)}/diff${query({ a, b })}`);
      put(this.compared, h("h3", {}, `Record ${a} and record ${b}`), comparison(diff));
    });
  }

  async rollback(record, pressed) {
    const title = `Roll back to record ${record.sequence}:`;
    const done = await change(this.context, this.name, {
      what: "rollback",
      act: "Roll back",
      title,
      parameters: { to: record.sequence },
      pressed,
    });
    if (done) this.read();
  }

  async fork(record, pressed) {
    const to = h("input", { required: true, autocomplete: "off", spellcheck: "false" });
    const replace = h("input", { type: "checkbox" });
    const wish = await dialog(h("span", {}, `Fork record ${record.sequence} of `, nameOf(this.name)), (close) =>
      h(
        "form",
        {
          onsubmit: (event) => {
            event.preventDefault();
            close({ to: to.value.trim(), replace: replace.checked });
          },
        },
        h(
          "p",
          {},
          "The state goes to another actor, with its timers and monitors; not what waits for this one, and what it has sent. The other one must run the same plugin.",
        ),
        field("Name of the copy", to),
        tick("Replace the state that it has", replace, "It stays in its history; you are asked again."),
        h(
          "div.actions",
          {},
          button("Cancel", () => close(null), { kind: "quiet" }),
          h("button.main", {}, "Try"),
        ),
      ),
    );
    if (wish === null) return;
    const parameters = { to: wish.to, record: record.sequence, replace: wish.replace ? true : null };
    await change(this.context, this.name, {
      what: "fork",
      act: "Fork",
      title: `Fork record ${record.sequence} to ${plain(wish.to)}:`,
      parameters,
      pressed,
    });
  }

  headFacts(head) {
    const refused = head.refusals.map((refusal) =>
      h("li", {}, plain(typeof refusal === "string" ? refusal : JSON.stringify(refusal))),
    );
    return h(
      "details",
      { open: refused.length > 0 },
      h("summary", {}, "Head"),
      facts([
        ["Epoch", count(head.epoch)],
        ["Generation", count(head.generation)],
        ["Sequence", count(head.sequence)],
        ["Owner", head.owner === null ? "nobody" : plain(head.owner)],
        ["Ended", head.stopped === null ? "not: it runs, or crashed" : cause(head.stopped)],
        ["Refusals", refused.length === 0 ? "none" : h("ul", {}, ...refused)],
        ["Way back of a swap", head.way_back === null ? "none" : cause(head.way_back)],
      ]),
    );
  }

  copies(quarantine) {
    if (quarantine.length === 0) return null;
    const rows = quarantine.map((copy) =>
      h(
        "tr",
        {},
        h("th", { scope: "row" }, String(copy.record.sequence)),
        h("td", {}, moment(copy.time_ms)),
        h("td", {}, plain(copy.why)),
        h("td", {}, size(copy.found_bytes)),
        h(
          "td.does",
          {},
          button("Keep as a file", (event) => this.keep(copy.record.sequence, event.target), { kind: "small" }),
          button("Erase…", (event) => this.discard(copy.record.sequence, event.target), { kind: "small" }),
        ),
      ),
    );
    const heads = ["Record", "Put there", "What was wrong", "Bytes", ""].map((label) =>
      h("th", { scope: "col" }, label),
    );
    return h(
      "section",
      {},
      h("h3", {}, "In quarantine"),
      h(
        "div.scrolls",
        { tabindex: "0", role: "region", "aria-label": "Copies in quarantine" },
        h("table", {}, h("thead", {}, h("tr", {}, ...heads)), h("tbody", {}, ...rows)),
      ),
    );
  }

  async keep(sequence, pressed) {
    await doing(pressed, async () => {
      const response = await this.context.live.api.fetch("GET", `/v1/store/${named(this.name)}/quarantine/${sequence}`);
      download(await response.blob(), `${this.name}-${sequence}.bin`);
    });
  }

  async discard(record, pressed) {
    const done = await change(this.context, this.name, {
      what: "discard",
      act: "Erase",
      title: `Erase the copy of record ${record}:`,
      parameters: { record, running: true },
      pressed,
    });
    if (done) this.read();
  }

  others() {
    const simple = (label, what, title, parameters = {}) =>
      button(
        label,
        async (event) => {
          if (
            await change(this.context, this.name, {
              what,
              act: title,
              title: `${title}:`,
              parameters,
              pressed: event.target,
            })
          )
            this.read();
        },
        { kind: what === "forget" ? "danger" : "quiet" },
      );
    return h(
      "section",
      {},
      h("h3", {}, "What else can be done"),
      h(
        "div.actions.left",
        {},
        simple("Forget refusals", "retry", "Forget refusals"),
        simple("Prune to one record…", "prune", "Prune", { keep: 1, running: true }),
        button("Export", (event) => this.export(event.target), { kind: "quiet" }),
        this.bringIn(),
        simple("Forget…", "forget", "Forget state and history"),
      ),
    );
  }

  mending() {
    const mend = async (event) => {
      if (
        await change(this.context, this.name, {
          what: "repair",
          act: "Repair",
          title: "Make a new head for",
          pressed: event.target,
        })
      )
        this.read();
    };
    return h("div.actions.left", {}, button("Repair its head…", mend, { kind: "main" }), this.bringIn());
  }

  async export(pressed) {
    await doing(pressed, async () => {
      const response = await this.context.live.api.fetch("GET", `/v1/store-export${query({ actors: this.name })}`, {
        timeout: null,
      });
      download(await response.blob(), `${this.name}.baton`);
    });
  }

  /** An export of this actor alone, taken over. */
  bringIn() {
    const file = h("input", {
      type: "file",
      hidden: true,
      onchange: async () => {
        const [chosen] = file.files;
        file.value = "";
        if (chosen === undefined) return;
        const replace = this.stored === null ? {} : { replace: true };
        const path = (more) => `/v1/store/${named(this.name)}/image${query({ ...replace, ...more })}`;
        const send = async (more) => {
          const said = await this.context.live.api.json("PUT", path(more), { body: chosen, timeout: null });
          if (said.taken === "refused")
            throw new Problem(422, { title: "The import was refused", detail: said.why, code: "refused" });
          return {
            ...said,
            taken: null,
            written: null,
            idle: said.taken === "skipped",
            notes: said.why === null ? [] : [said.why],
          };
        };
        if (await change(this.context, this.name, { act: "Take over", title: "Take over from a file:", send }))
          this.read();
      },
    });
    return h(
      "span",
      {},
      file,
      button("Import…", () => file.click(), { kind: "quiet" }),
    );
  }
}
