// Plays a plugin's fixtures under `node --test`, as `baton test` does in a host: every message is answered, every state
// is taken over, and every script goes as it says, plainly and with the actor handed over before each step.

import { deepStrictEqual, fail, ok, strictEqual } from "node:assert/strict";
import { existsSync, readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

import { Failure } from "./guest.mjs";
import { Harness } from "./harness.mjs";
import { jsonBytes, parseJson, readable, writeJson } from "./json.mjs";

/** `folder`: a path, or a file URL such as `new URL("../fixtures", import.meta.url)`. */
export function playFixtures(plugin, folder) {
  const root = folder instanceof URL ? fileURLToPath(folder) : folder;
  const all = (name) => {
    const within = join(root, name);
    if (!existsSync(within)) return [];
    return readdirSync(within)
      .sort()
      .map((file) => [file, readFileSync(join(within, file))]);
  };
  const states = Object.fromEntries(all("states"));
  const starts = existsSync(join(root, "args")) ? all("args") : [["no arguments", Buffer.alloc(0)]];

  for (const [from, args] of starts) {
    test(`every message is answered, from ${from}`, () => {
      const actor = Harness.start(plugin, { args });
      for (const [, body] of all("messages")) told(() => actor.callBytes(body));
      Harness.resume(plugin, actor.terminate());
    });
  }

  for (const [file, data] of Object.entries(states)) {
    test(`the state ${file} is taken over, and written again`, () => {
      const actor = Harness.resume(plugin, { schema: schemaOf(file), data });
      Harness.resume(plugin, actor.terminate());
    });
  }
  test("there is a state of each schema that is read", () => {
    const there = new Set(Object.keys(states).map(schemaOf));
    for (let schema = plugin.readsFrom; schema <= plugin.readsTo; schema++)
      ok(there.has(schema), `none of schema ${schema}`);
  });

  for (const [file, text] of all("scripts")) {
    const steps = parseJson(text.toString());
    test(`the script ${file}`, () => play(plugin, steps, states, false));
    test(`the script ${file}, handed over before each step`, () => play(plugin, steps, states, true));
  }
}

function schemaOf(file) {
  const [, schema] = /^(\d+)-/.exec(file) ?? fail(`${file} is not named SCHEMA-WORD.EXT`);
  return Number(schema);
}

function play(plugin, steps, states, always) {
  const script = new Script(plugin, steps, states);
  steps.forEach((step, i) => {
    if (step.state !== undefined) return;
    if (always || step.handoff) script.handOver();
    try {
      script.play(step);
    } catch (error) {
      error.message = `step ${i + 1}, ${writeJson(step)}: ${error.message}`;
      throw error;
    }
  });
}

class Script {
  #plugin;
  #actor;
  #sent = [];
  /** What the steps have set, which a replacement is to find as well. */
  #settings = [];

  constructor(plugin, steps, states) {
    this.#plugin = plugin;
    const first = steps[0]?.state;
    this.#actor = first
      ? Harness.resume(plugin, {
          schema: first.schema,
          data: states[first.file] ?? fail(`there is no state ${first.file}`),
        })
      : Harness.start(plugin);
  }

  handOver() {
    this.#sent.push(...this.#actor.sent());
    this.#actor = Harness.resume(this.#plugin, this.#actor.snapshot());
    for (const set of this.#settings) set(this.#actor);
  }

  play(step) {
    const actor = this.#actor;
    if ("call" in step) this.#call(step);
    else if ("cast" in step) told(() => actor.castBytes(this.#body(step.cast), step));
    else if ("sent" in step) this.#checkSent(step.sent);
    else if ("advance_ms" in step) this.#advance(step.advance_ms);
    else if ("down" in step) told(() => actor.down(step.down.actor, step.down.reason));
    else if ("answer" in step) this.#set((on) => answer(on, step.answer));
    else if ("members" in step) this.#set((on) => on.setMembers(step.members.group, step.members.are));
    else if (!("handoff" in step)) fail(`${Object.keys(step)} is no step`);
  }

  #call(step) {
    let reply;
    try {
      reply = this.#actor.callBytes(this.#body(step.call), step);
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
      strictEqual(error.code, step.failure, `the failure ${error.code}: ${error.message}`);
      return;
    }
    if (step.failure !== undefined) fail(`no failure, but the reply ${Buffer.from(reply)}`);
    if ("reply" in step)
      deepStrictEqual(this.#read(reply), this.#takesJson() ? step.reply : this.#read(this.#body(step.reply)));
  }

  #advance(ms) {
    // A timer's failure is logged, and time goes on.
    const until = this.#actor.now + ms;
    let done = false;
    while (!done) {
      told(() => {
        this.#actor.advance(until - this.#actor.now);
        done = true;
      });
    }
  }

  #checkSent(expected) {
    const sent = [...this.#sent, ...this.#actor.sent()];
    this.#sent = [];
    // Of a plugin whose bodies are no JSON the script writes them in its own way.
    const bodies = this.#takesJson()
      ? expected
      : expected.map(({ to, body }) => ({ to, body: readable(this.#body(body)) }));
    deepStrictEqual(sent, bodies);
  }

  #set(setting) {
    this.#settings.push(setting);
    setting(this.#actor);
  }

  #takesJson() {
    return this.#plugin.messages === "application/json";
  }

  #read(bytes) {
    return this.#takesJson() ? parseJson(Buffer.from(bytes).toString()) : Buffer.from(bytes).toString("hex");
  }

  /** A body: JSON as it stands, or `{"text": …}` or `{"hex": …}` where bodies are not JSON. */
  #body(body) {
    if (this.#takesJson()) return jsonBytes(body);
    return new Uint8Array("hex" in body ? Buffer.from(body.hex, "hex") : Buffer.from(body.text));
  }
}

function answer(actor, { to, reply, error, detail }) {
  if (error === undefined) actor.answer(to, reply);
  else actor.answerError(to, error, detail ?? "");
}

/** A host logs a failure that nobody waits for. */
function told(run) {
  try {
    run();
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
  }
}
