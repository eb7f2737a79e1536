// Bodies of messages and states, and two records side by side.
import { facts, h } from "./dom.mjs";
import { body, count, counted, moment, plain, short, size } from "./text.mjs";

/** Facts whose values are times or digests. */
const TIMES = new Set(["time_ms", "state_time_ms"]);

function factText(name, value) {
  if (TIMES.has(name) && /^\d+$/.test(value)) return moment(Number(value));
  return /^[0-9a-f]{64}$/.test(value) ? short(value) : plain(value);
}

/** A line of a comparison: `{same: text}`, `{old: text}`, `{new: text}`, `{skipped: n}` or `more`. */
function diffLine(line) {
  if (line === "more") return h("div.skipped", {}, "… the rest is left out");
  const [[kind, text]] = Object.entries(line);
  if (kind === "skipped") return h("div.skipped", {}, `… ${counted(text, "line")} alike`);
  const sign = { same: " ", old: "−", new: "+" }[kind];
  const spoken = { same: null, old: "removed: ", new: "added: " }[kind];
  return h(
    `div.${kind}`,
    {},
    h("span.sign", { "aria-hidden": "true" }, sign),
    spoken === null ? null : h("span.spoken", {}, spoken),
    plain(text),
  );
}

function part(title, lines) {
  if (lines === null || lines.length === 0) return null;
  return h("section", {}, h("h4", {}, title), h("div.diff", {}, ...lines.map(diffLine)));
}

/** Two records side by side. */
export function comparison(diff) {
  const { states } = diff;
  const same =
    states.first_difference === null
      ? `The states are equal (${size(states.a_bytes)}).`
      : `The states differ in ${counted(states.differing_bytes, "byte")}, first at ${count(states.first_difference)}: ${size(states.a_bytes)} and ${size(states.b_bytes)}.`;
  const rows = diff.facts.map((fact) =>
    h(
      "tr",
      {},
      h("th", { scope: "row" }, fact.name.replaceAll("_", " ")),
      h("td", {}, factText(fact.name, fact.a)),
      h("td", {}, factText(fact.name, fact.b)),
    ),
  );
  const head = h(
    "tr",
    {},
    h("th", {}, "differs"),
    h("th", { scope: "col" }, `record ${diff.a}`),
    h("th", { scope: "col" }, `record ${diff.b}`),
  );
  return h(
    "div.comparison",
    {},
    h("p", {}, same),
    part("States", diff.text),
    h(
      "div.scrolls",
      { tabindex: "0", role: "region", "aria-label": "Facts that differ" },
      h("table", {}, h("thead", {}, head), h("tbody", {}, ...rows)),
    ),
    part("Messages that wait", diff.inbox),
    part("Timers", diff.timers),
    part("On the way to others", diff.outbox),
  );
}

/** A state or a message as the API shows it. */
export function bodyBlock(shown, label) {
  const { text, cut, binary } = body(shown);
  const note = [size(shown.body_bytes), binary ? "as bytes" : null, cut ? "the beginning" : null]
    .filter((word) => word !== null)
    .join(", ");
  return h(
    "figure.body",
    {},
    h("figcaption", {}, `${label}: ${note}`),
    h("pre", { tabindex: "0" }, text === "" ? "(empty)" : text),
  );
}
