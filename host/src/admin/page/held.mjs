// What keeps an actor from running, and the ways out, as the book's chapter on bad state has them.
import { act } from "./children.mjs";
import { change } from "./changes.mjs";
import { button, h } from "./dom.mjs";
import { address } from "./route.mjs";
import { cause, plain } from "./text.mjs";
import { phaseOf } from "./tree.mjs";

/** The kind of a hold's cause: `schema`, `damaged`, … */
export function kindOf(hold) {
  const told = hold?.cause;
  return typeof told === "string" ? told : (Object.keys(told ?? {})[0] ?? "other");
}

/** Ways out by the kind of cause: what to do, in words, and the buttons for it. */
const WAYS = {
  schema: [
    "Swap in a version of the plugin that reads this schema, or go back to an earlier record.",
    ["swap", "rollback", "again"],
  ],
  refused: [
    "The plugin refused the state. Swap in one that takes it, let the same one try again once what it needs is mended, or go back.",
    ["retry", "swap", "rollback"],
  ],
  "refused-before": [
    "This version refused the state before, and is not asked again by itself. Let it try once more, swap another one in, or go back.",
    ["retry", "swap", "rollback"],
  ],
  crashed: [
    "It crashed each time that it took the state over. Swap in a version that does not, let it try again, or go back.",
    ["swap", "retry", "rollback"],
  ],
  damaged: [
    "The bytes that were found are in quarantine. Go back to a record that loads, take an export over, or let it begin anew.",
    ["history", "rollback", "forget"],
  ],
  "damaged-head": ["Make a new head of the records that are there.", ["repair", "forget"]],
  "newer-format": ["Run the release of Baton that wrote it, or a newer one.", ["history", "rollback"]],
  "other-plugin": ["Name the right plugin in the configuration, or give the actor another name.", ["history", "fork"]],
  stale: ["Raise max_age_ms in the configuration, or let it begin anew.", ["history", "forget", "again"]],
};
const OTHERWISE = [
  "Look at its history, let it look at its state again, or go back to an earlier record.",
  ["history", "again", "retry", "rollback"],
];

function buttons(context, node, ways) {
  const { name } = node;
  const store = (what, label, title, parameters = {}) =>
    button(
      label,
      (event) => change(context, name, { what, act: title, title: `${title}:`, parameters, pressed: event.target }),
      { kind: what === "forget" ? "danger" : "quiet" },
    );
  const made = {
    swap: () => h("a.button", { href: address("plugins", node.actor?.plugin ?? "", "swap") }, "Swap a version in"),
    history: () => h("a.button", { href: address("actors", name, "history") }, "Look at its history"),
    fork: () => h("a.button", { href: address("actors", name, "history") }, "Fork to another name"),
    again: () => button("Look again", (event) => act(context, node, "restart", event.target), { kind: "quiet" }),
    retry: () => store("retry", "Let it try again", "Let it try again"),
    rollback: () => store("rollback", "Roll back…", "Roll back"),
    repair: () => store("repair", "Repair its head…", "Make a new head for"),
    forget: () => store("forget", "Forget its state…", "Forget state and history"),
  };
  return ways.map((way) => made[way]());
}

/** What is said above the facts of an actor that does not run as it should; nothing, where it does. */
export function cures(context, node) {
  const phase = phaseOf(node);
  const actor = node.actor ?? null;
  if (phase === "held") {
    const [words, ways] = WAYS[kindOf(actor.held)] ?? OTHERWISE;
    return [
      h(
        "div.callout.p-held",
        {},
        h("p", {}, h("strong", {}, "Held: "), plain(actor.note ?? cause(actor.held?.cause))),
        h("p", {}, `Its state is kept as it is. ${words}`),
        h("div.actions.left", {}, ...buttons(context, node, ways)),
      ),
    ];
  }
  if (phase === "failed") {
    const why = actor?.last_exit ?? node.child?.last_exit ?? "it would not start";
    return [
      h(
        "div.callout.p-failed",
        {},
        h("p", {}, h("strong", {}, "Failed: "), plain(why)),
        h(
          "p",
          {},
          "It was restarted too often, or would not start. It stays down until it is started; its count begins anew then.",
        ),
        h(
          "div.actions.left",
          {},
          button("Start", (event) => act(context, node, "start", event.target), { kind: "quiet" }),
          actor === null
            ? null
            : h("a.button", { href: address("actors", node.name, "crashes") }, "Look at its crashes"),
        ),
      ),
    ];
  }
  if (actor?.bad_states > 0 && actor.last_bad_state !== null) {
    return [
      h(
        "div.callout",
        {},
        h("p", {}, h("strong", {}, "Its state could not be used as it was: "), plain(actor.last_bad_state)),
      ),
    ];
  }
  return [];
}
