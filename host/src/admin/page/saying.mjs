// What an event says, in words: the same that `baton events` has for it. Pure.
import { count, short } from "./text.mjs";

function running({ switched_from: from, handed_over: over }) {
  if (from) return `switched from ${from}`;
  return over ? "its state was handed over" : "it begins anew";
}

function stopped({ reason, committed, not_saved: why }) {
  if (why) return `${reason}, not saved: ${why}`;
  return committed ? `${reason}, saved as record ${committed}` : reason;
}

function swap({ from, to, phase, done, total, outcome, why }) {
  const course = `${from} to ${to}: ${phase}, ${count(done)} of ${count(total)}`;
  return [course, outcome ? `, ${outcome}` : "", why ? `: ${why}` : ""].join("");
}

function letter({ to, message, from, why, more }) {
  const untold = more ? ` (and ${count(more)} before it that were not told)` : "";
  return `${message} for ${to}${from ? ` from ${from}` : ""}: ${why}${untold}`;
}

const SAYINGS = new Map([
  ["running", running],
  ["stopped", stopped],
  ["crashed", ({ during, why }) => `in ${during}: ${why}`],
  ["restarted", ({ restarts }) => `restart ${count(restarts)}`],
  ["held", ({ why }) => why],
  ["failed", ({ why }) => why],
  ["gave-up", ({ why }) => why],
  ["swap", swap],
  ["plugin", ({ change, digest }) => `${change} (${short(digest)})`],
  ["dead-letter", letter],
  ["store", ({ trouble }) => trouble ?? "it answers again"],
  ["host", ({ state, note }) => note ?? state],
  [
    "behind",
    ({ missed }) => (missed === null ? "what an earlier host told is not kept" : `${count(missed)} events were missed`),
  ],
]);

/** What it says besides its kind and whom it is about. */
export function eventText({ kind, detail }) {
  if (detail === null || detail === undefined) return "";
  const saying = SAYINGS.get(kind);
  // A newer host may tell of what this page does not know.
  return saying === undefined ? JSON.stringify(detail) : String(saying(detail) ?? "");
}
