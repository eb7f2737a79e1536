// How a phase looks: a sign, a colour, a word. Never a colour alone.
import { h } from "./dom.mjs";

const SIGNS = {
  running: "●",
  suspended: "‖",
  asleep: "☾",
  held: "◆",
  failed: "✕",
  restarting: "↻",
  starting: "◌",
  continuing: "◔",
  stopping: "◑",
  down: "○",
  "not-started": "○",
};

/** The sign alone, for lists; the word stands in a cell of its own. */
export function signOf(phase) {
  return SIGNS[phase] ?? "●";
}

/** A sign and a word. */
export function pill(phase) {
  return h(`span.pill.p-${phase}`, {}, h("span", { "aria-hidden": "true" }, signOf(phase)), ` ${phase}`);
}
