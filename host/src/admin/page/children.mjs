// What is done to a child of a supervisor, with what it would cost said before.
import { named, query } from "./api.mjs";
import { button, confirmed, dialog, doing, field, h, nameOf, tick, toast, trouble } from "./dom.mjs";
import { address } from "./route.mjs";
import { budget, counted, moment, plain, span } from "./text.mjs";
import { countBelow } from "./tree.mjs";

/** What a stop saves, or not, in words. */
function savedText({ supervisor, saved, not_saved: why }) {
  if (why !== null) return `stopped, and not saved: ${why}`;
  if (supervisor) return "stopped, and all below it is saved";
  if (saved === "forgotten") return "stopped; it wished its state erased";
  if (saved === "kept") return "stopped; its last record stays as it was";
  return `stopped, and saved as record ${saved.committed}`;
}

/** The record that would count after a crash, as a sentence. */
async function lastRecord(api, name) {
  try {
    const stored = await api.get(`/v1/store/${named(name)}`);
    const [record] = stored.history;
    if (record === undefined) return "It has no record yet: all that it has done since it began would be lost.";
    const age = span(Date.now() - record.time_ms);
    return `Its last record is ${record.sequence}, of ${moment(record.time_ms)} (${age} ago): what it has done since would be lost, unless its durability is “turn”.`;
  } catch {
    return "What it has done since its last record would be lost, unless its durability is “turn”.";
  }
}

function waitingText(node) {
  const waiting = node.actor?.waiting ?? 0;
  return waiting === 0 ? "No messages wait." : `${counted(waiting, "message waits", "messages wait")}.`;
}

function belowText(live, node) {
  const { actors, supervisors } = countBelow(live.grown, node.name);
  return `Below it: ${counted(actors, "actor")}, ${counted(supervisors, "supervisor")}.`;
}

const isSupervisor = (node) => Boolean(node.child?.supervises);

async function said(live, node, act) {
  const time = `It has ${budget(node.child?.shutdown ?? 5_000)} for that; what is not saved by then goes back to the record before.`;
  if (isSupervisor(node)) {
    const below = belowText(live, node);
    if (act === "kill")
      return [
        below,
        "All of them end at once, and nothing is saved: each comes back with its last record. What follows is up to the supervisor above, as after a crash.",
      ];
    const stop = "They are stopped in reverse order, each saved within its own budget.";
    if (act === "stop")
      return [
        below,
        stop,
        "All stay down until it is started. Children that were added at run time are gone from the tree then; their states stay in the store.",
      ];
    return [
      below,
      stop,
      "Then those that are listed are started again. Children that were added at run time are gone from the tree; their states stay in the store.",
    ];
  }
  if (act === "kill") {
    const restart = node.child?.restart ?? "permanent";
    return [
      await lastRecord(live.api, node.name),
      `The message in hand becomes a dead letter. ${waitingText(node)} They stay for the instance that takes over.`,
      `Its supervisor does what it does after a crash (restart = ${restart}), and counts it.`,
    ];
  }
  const saved = "The turn in hand ends, and its state is saved before it counts as gone: nothing is lost.";
  if (act === "stop")
    return [
      saved,
      time,
      `${waitingText(node)} Casts are kept with its state; calls are told to try again. It stays down until it is started.`,
    ];
  if (act === "restart")
    return [
      saved,
      time,
      `${waitingText(node)} A new instance is handed its state and goes on; that counts as no restart.`,
    ];
  return [
    "Nothing is lost: messages and timers wait until it is resumed.",
    "When its mailbox is full, senders are told.",
  ];
}

const TITLES = { stop: "Stop", restart: "Restart", kill: "Kill", suspend: "Suspend" };

/** Asks, does it, and tells what came of it. */
export async function act(context, node, what, pressed = null) {
  const { live } = context;
  if (what in TITLES) {
    const sentences = await said(live, node, what);
    const title = h("span", {}, `${TITLES[what]} `, nameOf(node.name), "?");
    const yes = await confirmed(
      title,
      sentences.map((text) => h("p", {}, text)),
      TITLES[what],
      { danger: what === "kill" },
    );
    if (!yes) return;
  }
  await doing(pressed, async () => {
    // As long as its budget may be.
    const done = await live.api.post(`/v1/actors/${named(node.name)}/${what}`, { timeout: null });
    const name = plain(node.name);
    const told = { start: "started", restart: "restarted", kill: "killed", suspend: "suspended", resume: "goes on" };
    if (what === "stop") toast(`${name}: ${savedText(done)}`, null);
    else toast(`${name}: ${told[what]}${done.child === null ? ", and has ended already" : ""}`);
  });
  live.look();
}

/** Takes a child that does not run out of the tree. */
export async function remove(context, node, pressed) {
  const content = [
    h("p", {}, "It goes out of the tree. Its state stays in the store, and an actor of this name goes on with it."),
  ];
  if (!(await confirmed(h("span", {}, "Remove ", nameOf(node.name), " from the tree?"), content, "Remove"))) return;
  await doing(pressed, async () => {
    await context.live.api.json("DELETE", `/v1/children/${named(node.name)}`);
    toast(`${plain(node.name)}: removed from the tree`);
    context.go(address("actors"));
  });
  context.live.look();
}

/** Text as it stands, all else as JSON, as the API wants arguments. */
function readArgs(text) {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

function spec(inputs) {
  const given = { name: inputs.name.value.trim() };
  if (inputs.plugin.value === "") return given;
  given.plugin = inputs.plugin.value;
  if (inputs.supervisor.value !== "") given.supervisor = inputs.supervisor.value;
  if (inputs.args.value !== "") given.args = readArgs(inputs.args.value);
  given.restart = inputs.restart.value;
  const shutdown = inputs.shutdown.value.trim();
  if (shutdown !== "") given.shutdown = /^\d+$/.test(shutdown) ? Number(shutdown) : shutdown;
  const groups = inputs.groups.value.split(/[\s,]+/).filter((group) => group !== "");
  if (groups.length > 0) given.groups = groups;
  if (inputs.significant.checked) given.significant = true;
  return given;
}

/** A new actor, of a plugin or of a template. */
export async function startChild(context) {
  const { live } = context;
  const option = (value, label = value) => h("option", { value }, label);
  const supervisors = [...live.grown.nodes.values()].filter(isSupervisor).map((node) => node.name);
  const inputs = {
    name: h("input", { required: true, autocomplete: "off", spellcheck: "false" }),
    plugin: h(
      "select",
      {},
      option("", "what its template says"),
      ...new Set(live.plugins.map(({ name }) => name))
        .values()
        .map((name) => option(name))
        .toArray(),
    ),
    supervisor: h("select", {}, option("", "the root"), ...supervisors.map((name) => option(name, plain(name)))),
    args: h("textarea", { rows: "2", spellcheck: "false" }),
    restart: h("select", {}, ...["permanent", "transient", "temporary"].map((word) => option(word))),
    shutdown: h("input", { placeholder: "5000", autocomplete: "off" }),
    groups: h("input", { autocomplete: "off", spellcheck: "false" }),
    significant: h("input", { type: "checkbox" }),
  };
  const wrong = h("div");
  const started = await dialog("Start an actor", (close) =>
    h(
      "form",
      {
        onsubmit: async (event) => {
          event.preventDefault();
          try {
            close(await live.api.post("/v1/children", { body: JSON.stringify(spec(inputs)), timeout: null }));
          } catch (error) {
            wrong.replaceChildren(trouble(error));
          }
        },
      },
      field("Name", inputs.name),
      field("Plugin", inputs.plugin, "Without one, a template of the configuration says all the rest."),
      h(
        "details",
        {},
        h("summary", {}, "With a plugin"),
        field("Supervisor", inputs.supervisor),
        field("Arguments", inputs.args, "Text as it stands; what is JSON as JSON."),
        field("Restart", inputs.restart),
        field("Shutdown", inputs.shutdown, "Milliseconds, infinity or brutal-kill."),
        field("Groups", inputs.groups),
        tick("Significant", inputs.significant, "Its end counts for its supervisor’s auto_shutdown."),
      ),
      wrong,
      h(
        "div.actions",
        {},
        button("Cancel", () => close(null), { kind: "quiet" }),
        h("button.main", {}, "Start"),
      ),
    ),
  );
  if (started === null) return;
  toast(`${plain(started.name)}: ${started.child === null ? "started, and has ended already" : "started"}`);
  await live.look();
  context.go(address("actors", started.name));
}

/** Of a change's query: only what it has a use for. */
export function changePath(name, what, parameters) {
  return `/v1/store/${named(name)}/${what}${query(parameters)}`;
}
