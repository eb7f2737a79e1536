// A swap as it is planned, as it goes on, and what came of it.
import { button, confirmed, doing, facts, h, nameOf, put, say, tick, toast } from "./dom.mjs";
import { named, query } from "./api.mjs";
import { ago } from "./events.mjs";
import { address } from "./route.mjs";
import { count, counted, micros, moment, plain, short, size, span } from "./text.mjs";

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

/** Where a swap stands, and at its end the report; with what can be done. Its buttons stay while it goes on. */
export class SwapState {
  constructor(context) {
    this.context = context;
    this.title = h("h3");
    this.steps = h("div");
    this.bar = h("progress", { max: 1, value: 0, "aria-label": "Actors that are done" });
    this.done = h("span");
    this.progress = h("div.progress", {}, this.bar, this.done);
    this.report = h("div");
    this.acts = h("div.actions.left");
    this.element = h(
      "section.swap-state",
      { "aria-label": "Swap", hidden: true },
      this.title,
      this.steps,
      this.progress,
      this.report,
      this.acts,
    );
  }

  update(swap) {
    this.element.hidden = swap === null;
    const text = JSON.stringify(swap);
    if (swap === null || text === this.text) return;
    this.text = text;
    this.swap = swap;
    const ended = swap.phase === "ended";
    put(
      this.title,
      `${swap.back ? "Way back" : "Swap"} from ${swap.from.version} to ${swap.to.version}`,
      h("span.hint", {}, ` ${moment(swap.began_ms)}, by ${plain(swap.by)}, part ${plain(String(swap.part))}`),
    );
    put(this.steps, steps(swap));
    this.bar.value = swap.total === 0 ? 0 : swap.done / swap.total;
    say(this.done, `${count(swap.done)} of ${count(swap.total)}`);
    this.progress.hidden = ended;
    put(this.report, swap.report === null ? null : reportBlock(swap.report));
    this.drawActs(ended);
  }

  drawActs(ended) {
    const { back, report } = this.swap;
    const nowhere =
      ended && (["refused", "went-back"].includes(report?.outcome) || (back && report?.outcome === "done"));
    const drawn = `${this.swap.id} ${ended} ${nowhere}`;
    if (drawn === this.drawn) return;
    this.drawn = drawn;
    const stop = button("Stop here…", (event) => stopSwap(this.context, this.swap, event.target), { kind: "quiet" });
    const turn = button(
      ended ? "Take back…" : "Turn round…",
      (event) => takeBack(this.context, this.swap, event.target),
      { kind: "danger" },
    );
    put(this.acts, ended ? null : stop, nowhere ? null : turn);
  }
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
async function takeBack(context, swap, pressed) {
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

/** One line about the last swap of a plugin, for lists. */
export function swapLine(swap) {
  const how = swap.report === null ? `${swap.phase}, ${count(swap.done)} of ${count(swap.total)}` : swap.report.outcome;
  const line = h("span");
  say(line, `${swap.from.version} → ${swap.to.version}: ${how}, ${ago(swap.began_ms)}`);
  return line;
}
