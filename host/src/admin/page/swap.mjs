// A swap: planned, rehearsed, run, watched, stopped, taken back.
import { named, query } from "./api.mjs";
import { button, confirmed, doing, facts, field, h, nameOf, put, say, tick, toast, trouble } from "./dom.mjs";
import { ago } from "./events.mjs";
import { address } from "./route.mjs";
import { count, counted, micros, plain, short, size, span } from "./text.mjs";

/** How often a swap that runs is looked at, in milliseconds. */
const FOLLOW_MS = 400;
/** Entries of a list that are shown. */
const LISTED = 50;
const STEPS = ["rehearsing", "switching", "watching", "ended"];

function version(of) {
  const reads = of.reads_from === of.reads_to ? of.reads_to : `${of.reads_from} to ${of.reads_to}`;
  return `${of.version} (${short(of.digest)}), writes schema ${of.schema}, reads ${reads}`;
}

/** A list of remarks about actors, cut where it is long. */
function remarks(title, list, more = list.length) {
  if (more === 0) return null;
  const rows = list
    .slice(0, LISTED)
    .map((one) =>
      h(
        "li",
        {},
        h("a", { href: address("actors", one.actor) }, nameOf(one.actor)),
        `: ${plain(one.what ?? `${one.step}: ${one.why}`)}`,
      ),
    );
  return h(
    "details",
    { open: true },
    h("summary", {}, `${title}: ${count(more)}`),
    h("ul", {}, ...rows, more > rows.length ? h("li", {}, `… ${count(more - rows.length)} more`) : null),
  );
}

/** What a swap would do. */
export function planBlock(plan) {
  const { rehearsal } = plan;
  const actors = Object.entries(plan.actors)
    .filter(([, number]) => number > 0)
    .map(([where, number]) => `${count(number)} ${where.replaceAll("_", " ")}`);
  const schemas = Object.entries(plan.schemas).map(([schema, number]) =>
    schema === "0" ? `${count(number)} without a state` : `${count(number)} of schema ${schema}`,
  );
  const effects = Object.entries(rehearsal?.effects ?? {}).map(([kind, number]) => `${count(number)} ${kind}`);
  const clean = plan.misfits.count === 0 && (rehearsal === null || rehearsal.failed.count === 0);
  return h(
    "div.plan",
    {},
    h(
      clean ? "p.good" : "p.warn",
      {},
      clean
        ? "Nothing stands against it. Nothing was changed."
        : "As it stands it would be refused. Nothing was changed.",
    ),
    facts([
      ["From", version(plan.from)],
      ["To", version(plan.to)],
      ["Part", plain(String(plan.part))],
      ["Actors", actors.join(", ") || "none"],
      ["States", schemas.join(", ") || "none"],
      ["Misfits", plan.misfits.count === 0 ? "none" : count(plan.misfits.count)],
      [
        "Rehearsal",
        rehearsal === null
          ? "none"
          : `${counted(rehearsal.taken_over, "state")} taken over; ${size(rehearsal.bytes_before)} became ${size(rehearsal.bytes_after)}; ${micros(rehearsal.median_us)} each at the median, ${micros(rehearsal.longest_us)} at most`,
      ],
      ["Not reached", rehearsal?.not_reached ? count(rehearsal.not_reached) : null],
      ["It would have", effects.length === 0 ? null : effects.join(", ")],
      [
        "Way back",
        plan.way_back === "reads"
          ? `${plan.from.version} reads schema ${plan.to.schema}: nothing is lost on it`
          : h(
              "span.warn",
              {},
              `${plan.from.version} does not read schema ${plan.to.schema}: what is done after the switch would be lost on it, and only with “the way back may lose”`,
            ),
      ],
    ]),
    ...plan.notes.map((note) => h("p.note", {}, plain(note))),
    remarks("States that it does not read", plan.misfits.first, plan.misfits.count),
    rehearsal === null ? null : remarks("Rehearsals that failed", rehearsal.failed.first, rehearsal.failed.count),
    rehearsal === null ? null : remarks("Inconclusive", rehearsal.inconclusive.first, rehearsal.inconclusive.count),
  );
}

function reportBlock(report) {
  const kinds = { done: "good", refused: "warn", "went-back": "warn", "half-way": "warn" };
  const told = {
    done: "Done.",
    refused: "Refused: nothing was touched.",
    "went-back": "It went back: all run the old version again.",
    "half-way": "Half-way: two versions run side by side.",
  };
  return h(
    "div.report",
    {},
    h(
      `p.${kinds[report.outcome] ?? "note"}`,
      {},
      h("strong", {}, told[report.outcome] ?? report.outcome),
      report.why === null ? "" : ` ${plain(report.why)}`,
    ),
    facts([
      ["Switched", counted(report.switched, "actor")],
      ["Later", report.later === 0 ? null : `${counted(report.later, "actor")} that did not run begin with it`],
      ["Went back", report.went_back === 0 ? null : counted(report.went_back, "actor")],
      ["Failed", report.failed === 0 ? null : count(report.failed)],
      ["Faults", report.faults === 0 ? null : count(report.faults)],
      [
        "Pauses",
        report.switched + report.went_back === 0
          ? null
          : `${micros(report.pause_median_us)} at the median, ${micros(report.pause_p99_us)} at 99 %, ${micros(report.pause_longest_us)} at most`,
      ],
      ["Took", span(report.took_ms)],
    ]),
    remarks("Could not be switched", report.failures, report.failed),
    remarks("Faults", report.last_faults, report.last_faults.length),
    remarks("Could not go back", report.stay.first, report.stay.count),
    remarks("Lost something on the way back", report.lost.first, report.lost.count),
  );
}

function steps(swap) {
  const back = swap.phase === "going-back" || (swap.phase === "ended" && swap.report?.outcome === "went-back");
  const names = back ? ["switching", "going-back", "ended"] : STEPS;
  const at = names.indexOf(swap.phase === "pausing" ? "switching" : swap.phase);
  const items = names.map((name, place) =>
    h(
      place < at || swap.phase === "ended" ? "li.past" : place === at ? "li.now" : "li",
      { "aria-current": place === at ? "step" : null },
      (name === "switching" && swap.phase === "pausing" ? "pausing" : name).replace("-", " "),
    ),
  );
  return h("ol.steps", {}, ...items);
}

/** Where a swap stands, and at its end the report; with what can be done. */
export function swapState(context, swap) {
  const share = swap.total === 0 ? 0 : swap.done / swap.total;
  const bar = h("progress", {
    max: 1,
    value: swap.phase === "ended" ? 1 : share,
    "aria-label": "Actors that are done",
  });
  const ended = swap.phase === "ended";
  const stop = button("Stop here…", (event) => stopSwap(context, swap, event.target), { kind: "quiet" });
  const back = button(ended ? "Take back…" : "Turn round…", (event) => takeBack(context, swap, event.target), {
    kind: "danger",
  });
  const open =
    ended &&
    (swap.report?.outcome === "refused" ||
      swap.report?.outcome === "went-back" ||
      (swap.back && swap.report?.outcome === "done"));
  return h(
    "section.swap-state",
    { "aria-label": `Swap ${swap.id} of ${swap.plugin}` },
    h(
      "h3",
      {},
      `${swap.back ? "Way back" : "Swap"} from ${swap.from.version} to ${swap.to.version}`,
      h("span.hint", {}, ` ${ago(swap.began_ms)}, by ${plain(swap.by)}, part ${plain(String(swap.part))}`),
    ),
    steps(swap),
    ended ? null : h("div.progress", {}, bar, h("span", {}, `${count(swap.done)} of ${count(swap.total)}`)),
    swap.report === null ? null : reportBlock(swap.report),
    h("div.actions.left", {}, ended ? null : stop, open ? null : back),
  );
}

async function stopSwap(context, swap, pressed) {
  const content = h(
    "p",
    {},
    "Nobody more is switched. Those that were stay with the new version: two versions run side by side until the same file is swapped in again, or it is taken back.",
  );
  if (!(await confirmed("Stop the swap where it is?", content, "Stop here", { danger: true }))) return;
  await doing(pressed, () => context.live.api.post(`/v1/plugins/${named(swap.plugin)}/swap/stop`));
  context.live.look();
}

/** The way back: planned first, where none runs; what it would lose has to be allowed by hand. */
export async function takeBack(context, swap, pressed) {
  const { live } = context;
  const path = `/v1/plugins/${named(swap.plugin)}/swap/back`;
  await doing(pressed, async () => {
    const allow = h("input", { type: "checkbox" });
    let content;
    if (swap.phase === "ended") {
      const plan = await live.api.post(`${path}${query({ rehearse: true, allow_loss: true })}`, { timeout: null });
      const loses = plan.misfits.count > 0;
      content = [
        planBlock(plan),
        loses
          ? tick(
              "What was done since the switch may be lost",
              allow,
              "Without it, actors that have done something since stay with the new version.",
            )
          : null,
      ];
    } else {
      content = [
        h(
          "p",
          {},
          "The swap that runs turns round: those that were switched go back. Whether it may lose something stays as it was said when it began.",
        ),
      ];
    }
    if (!(await confirmed(`Take ${swap.plugin} back to ${swap.from.version}?`, content, "Take back", { danger: true })))
      return;
    await live.api.post(`${path}${query({ allow_loss: allow.checked ? true : null, watch_ms: 0 })}`, { timeout: null });
    toast(`${swap.plugin}: on its way back`);
  });
  live.look();
}

/** The form of a swap, its plan, and its course. */
export class Swap {
  constructor(context, plugin) {
    this.context = context;
    this.plugin = plugin;
    this.file = h("input", {
      type: "file",
      accept: ".wasm,application/wasm",
      required: true,
      onchange: () => this.chosen(),
    });
    this.signature = h("input", { type: "file", accept: ".minisig" });
    this.inputs = this.options();
    this.shown = h("div", { "aria-live": "polite" });
    this.state = h("div", { "aria-live": "polite" });
    this.buttons = h(
      "div.actions.left",
      {},
      h("button.quiet", { name: "what", value: "check" }, "Plan"),
      h("button.quiet", { name: "what", value: "rehearse" }, "Rehearse"),
      h("button.main", { name: "what", value: "start" }, "Start…"),
    );
    this.form = h(
      "form.swap",
      { onsubmit: (event) => this.submitted(event) },
      field("Component of the new version", this.file),
      h("details", {}, h("summary", {}, "Options"), h("div.columns", {}, ...this.fields())),
      this.buttons,
    );
    this.element = h("div", {}, this.form, this.shown, this.state);
  }

  options() {
    const text = (placeholder) => h("input", { placeholder, autocomplete: "off", spellcheck: "false" });
    const number = (placeholder) => h("input", { type: "number", min: "0", placeholder });
    return {
      part: text("all"),
      batch: text("10%"),
      at_once: number("32"),
      pause_ms: number("0"),
      watch_ms: number("60000"),
      max_failures: number("0"),
      on_failure: h("select", {}, ...["back", "stop", "skip"].map((word) => h("option", {}, word))),
      rehearsal_ms: number("60000"),
      switch_timeout_ms: number("10000"),
      allow_loss: h("input", { type: "checkbox" }),
    };
  }

  fields() {
    const { inputs } = this;
    return [
      field("Part", inputs.part, "All, 10%, or names and patterns with commas."),
      field("Batch", inputs.batch, "How many before it is looked at: 1% to 100%, or a number."),
      field("At once", inputs.at_once, "1 to 48."),
      field("Pause between batches, ms", inputs.pause_ms),
      field("Watch after the last, ms", inputs.watch_ms),
      field("Failures that change nothing", inputs.max_failures),
      field("On more of them", inputs.on_failure, "back: all go back; stop: nobody more; skip: they stay."),
      field("Rehearsal at most, ms", inputs.rehearsal_ms, "0: none."),
      field("Switch of one actor at most, ms", inputs.switch_timeout_ms),
      field("Signature of the component", this.signature, "A .minisig, where plugin_keys demand one."),
      tick("The way back may lose what was done since", inputs.allow_loss),
    ];
  }

  chosen() {
    put(this.shown);
  }

  wish(more) {
    const { inputs } = this;
    const given = Object.entries(inputs).filter(
      ([key, input]) => key !== "allow_loss" && key !== "on_failure" && input.value.trim() !== "",
    );
    const parameters = Object.fromEntries(given.map(([key, input]) => [key, input.value.trim()]));
    if (inputs.on_failure.value !== "back") parameters.on_failure = inputs.on_failure.value;
    if (inputs.allow_loss.checked) parameters.allow_loss = true;
    return query({ ...parameters, ...more });
  }

  async send(more) {
    const headers = {};
    const [signature] = this.signature.files;
    if (signature !== undefined) headers["Baton-Signature"] = encodeURIComponent(await signature.text());
    const path = `/v1/plugins/${named(this.plugin)}/swap${this.wish(more)}`;
    return this.context.live.api.post(path, { body: this.file.files[0], headers, timeout: null });
  }

  async submitted(event) {
    event.preventDefault();
    const what = event.submitter?.value ?? "check";
    const buttons = [...this.buttons.querySelectorAll("button")];
    for (const one of buttons) one.disabled = true;
    put(
      this.shown,
      h(
        "p.quiet",
        {},
        what === "check" ? "It looks at every actor…" : "It tries the new version on copies of their states…",
      ),
    );
    try {
      if (what === "start") await this.start();
      else put(this.shown, planBlock(await this.send({ [what]: true })));
    } catch (error) {
      put(this.shown, trouble(error));
    }
    for (const one of buttons) one.disabled = false;
  }

  /** The plan with a rehearsal is shown before anything is switched. */
  async start() {
    const rehearses = this.inputs.rehearsal_ms.value.trim() !== "0";
    const plan = await this.send(rehearses ? { rehearse: true } : { check: true });
    put(this.shown, planBlock(plan));
    const title = `Swap ${this.plugin} from ${plan.from.version} to ${plan.to.version}?`;
    if (!(await confirmed(title, planBlock(plan), "Start the swap", { danger: plan.way_back !== "reads" }))) return;
    put(this.shown);
    await this.send({});
    await this.context.live.look();
  }

  /** Follows the swap that runs more closely than the rest. */
  update(swap) {
    const text = JSON.stringify(swap);
    if (text !== this.text) {
      this.text = text;
      put(this.state, swap === null ? null : swapState(this.context, swap));
    }
    if (swap !== null && swap.phase !== "ended" && this.following !== true) this.follow();
  }

  async follow() {
    this.following = true;
    const { live } = this.context;
    try {
      for (;;) {
        await new Promise((resolve) => setTimeout(resolve, FOLLOW_MS));
        if (!this.element.isConnected || live.link !== "there") break;
        const swap = await live.api.get(`/v1/plugins/${named(this.plugin)}/swap`);
        const at = live.swaps.findIndex((one) => one.plugin === this.plugin);
        if (at === -1) live.swaps.push(swap);
        else live.swaps[at] = swap;
        live.changed();
        if (swap.phase === "ended") break;
      }
    } catch {
      // The next look tells what is wrong.
    }
    this.following = false;
    live.look();
  }
}

/** One line about the last swap of a plugin, for lists. */
export function swapLine(swap) {
  const how = swap.report === null ? `${swap.phase}, ${count(swap.done)} of ${count(swap.total)}` : swap.report.outcome;
  const line = h("span");
  say(line, `${swap.from.version} → ${swap.to.version}: ${how}, ${ago(swap.began_ms)}`);
  return line;
}
