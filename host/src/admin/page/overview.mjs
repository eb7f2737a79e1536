// The facts and numbers of one actor or supervisor.
import { facts, h, put } from "./dom.mjs";
import { address } from "./route.mjs";
import { budget, count, counted, micros, moment, plain, size, span } from "./text.mjs";
import { countBelow } from "./tree.mjs";

/** Facts and numbers. */
export class Overview {
  constructor(detail, supervisor) {
    this.detail = detail;
    this.supervisor = supervisor;
    this.element = h("div.overview");
  }

  update() {
    const { node } = this.detail;
    if (node === null) return;
    const drawn = JSON.stringify([node.child, node.actor, node.rate]);
    if (drawn === this.drawn) return;
    this.drawn = drawn;
    if (this.supervisor) put(this.element, this.ofSupervisor(node));
    else put(this.element, this.numbers(node), this.ofActor(node), this.exits(node));
  }

  numbers({ actor, rate }) {
    if (!actor) return null;
    const turn = actor.turn_us;
    const tile = (label, value, hint) =>
      h("div.tile", {}, h("span.label", {}, label), h("b", {}, value), h("span.hint", {}, hint ?? ""));
    return h(
      "div.tiles",
      {},
      tile("Mailbox", count(actor.waiting), size(actor.waiting_bytes)),
      tile(
        "Handled",
        count(actor.handled),
        rate === null || rate === undefined ? "" : `${rate < 10 ? rate.toFixed(1) : count(Math.round(rate))} a second`,
      ),
      tile(
        "Turn, p50 · p99",
        turn ? `${micros(turn.p50)} · ${micros(turn.p99)}` : "–",
        turn ? `at most ${micros(turn.max)}` : "no turn lately",
      ),
      tile("Memory", size(actor.memory_bytes), "linear"),
      tile(
        "Restarts",
        count(Math.max(actor.restarts, this.detail.node.child?.restarts ?? 0)),
        "since the host started",
      ),
    );
  }

  ofActor({ actor, child }) {
    const started = actor?.started_ms;
    return facts([
      [
        "Plugin",
        actor ? h("a", { href: address("plugins", actor.plugin) }, `${actor.plugin} ${actor.version ?? ""}`) : null,
      ],
      ["Generation", actor ? count(actor.generation) : null],
      ["Up since", started ? `${moment(started)} (${span(Date.now() - started)})` : null],
      ["Record", actor?.sequence ? `${actor.sequence}, schema ${actor.schema}` : actor ? "none yet" : null],
      ["On their way", actor?.outbox_messages ? counted(actor.outbox_messages, "message") : null],
      ["Restart", child?.restart],
      ["Time to stop", child ? budget(child.shutdown) : null],
      ["Significant", child?.significant ? "yes: its end counts for its supervisor" : null],
      ["Bad states", actor?.bad_states ? `${count(actor.bad_states)}; the last: ${plain(actor.last_bad_state)}` : null],
      ["Ended last with", plainOr(actor?.last_exit ?? child?.last_exit)],
    ]);
  }

  exits({ actor }) {
    const exits = actor?.last_exits ?? [];
    if (exits.length === 0) return null;
    const rows = exits
      .toReversed()
      .map((exit) =>
        h(
          "tr",
          {},
          h("th", { scope: "row" }, String(exit.generation)),
          h("td", {}, moment(exit.time_ms)),
          h("td", {}, plain(exit.exit)),
        ),
      );
    const heads = ["Generation", "Ended", "How"].map((label) => h("th", { scope: "col" }, label));
    return h(
      "section",
      {},
      h("h3", {}, "How its last instances ended"),
      h("table.exits", {}, h("thead", {}, h("tr", {}, ...heads)), h("tbody", {}, ...rows)),
    );
  }

  ofSupervisor({ child, name }) {
    const of = child.supervises;
    const below = countBelow(this.detail.context.live.grown, name);
    return facts([
      ["Strategy", of.dynamic ? "one_for_one, dynamic: its children come and go at run time" : of.strategy],
      [
        "Intensity",
        `${counted(of.max_restarts, "restart")} within ${of.max_seconds} s; one more, and it ends with all of them`,
      ],
      ["Auto shutdown", of.auto_shutdown],
      [
        "Children",
        `${count(of.children.active)} of ${count(of.children.specs)} up: ${counted(of.children.workers, "actor")}, ${counted(of.children.supervisors, "supervisor")}`,
      ],
      ["At most", of.max_children === null ? null : counted(of.max_children, "child", "children")],
      ["All below it", `${counted(below.actors, "actor")}, ${counted(below.supervisors, "supervisor")}`],
      ["Its own restarts", count(child.restarts)],
      ["Restart", child.restart],
      ["Time to stop", budget(child.shutdown)],
      ["Ended last with", plainOr(child.last_exit)],
    ]);
  }
}

function plainOr(text) {
  return text === null || text === undefined ? null : plain(text);
}
