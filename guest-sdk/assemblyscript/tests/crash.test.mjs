// Crashes, and memory. Run `node --test` here.

import assert from "node:assert/strict";
import { test } from "node:test";

import { Crash, Harness, load } from "../testing.mjs";

const plugin = await load(new URL("probe", import.meta.url));

test("a panic is logged with its place, and is a trap", () => {
  for (const [how, why] of [
    ["throw", /^panic: thrown by hand \(location=assembly\/index\.ts:\d+:\d+\)$/],
    ["assert", /^panic: a rule of mine \(location=assembly\/index\.ts:\d+:\d+\)$/],
    ["index", /^panic: Index out of range \(location=~lib\/array\.ts:\d+:\d+\)$/],
    ["map", /^panic: Key does not exist/],
    ["divide", /divide by zero/],
    ["silent", /^panic: an assertion does not hold \(location=assembly\/index\.ts:\d+:\d+\)$/],
    ["deep", /^panic: too many calls within each other: the stack is full$/],
    ["unreachable", /unreachable/],
  ]) {
    const actor = Harness.start(plugin);
    actor.call({ note: "x" });
    assert.throws(
      () => actor.call({ panic: how }),
      (error) => {
        assert.match(error.message, why);
        return error instanceof Crash;
      },
    );
    assert.throws(() => actor.call("note"), /nothing of the instance is used again/);
  }
});

test("200,000 messages leave the memory as it was", () => {
  const actor = Harness.start(plugin);
  const messages = ["note", { note: "a note of some length" }, { echo: [1, { a: "b" }] }, "nonsense", "types"];
  const bodies = messages.map((message) => new TextEncoder().encode(JSON.stringify(message)));
  const replies = [];
  const say = (i) => {
    const n = i % bodies.length;
    let reply;
    try {
      reply = Buffer.from(actor.callBytes(bodies[n])).toString();
    } catch (error) {
      if (error.code !== "bad-message") throw error;
      reply = error.message;
    }
    // Whatever the collector does, the answer stays the same.
    if (i >= 2 * bodies.length) assert.equal(reply, replies[n]);
    replies[n] = reply;
  };
  for (let i = 0; i < 2000; i++) say(i);
  const before = actor.memory;
  for (let i = 0; i < 200_000; i++) say(i);
  assert.equal(actor.memory, before);
});

test("messages of a megabyte pass, and their memory is used again", () => {
  const actor = Harness.start(plugin);
  const long = `{"raw":"${"é".repeat(524_288)}"}`;
  const many = `{"raw":[${Array.from({ length: 100_000 }, (_, i) => `{"a":${i}}`).join(",")}]}`;
  const note = `{"note":"${"ab".repeat(524_288)}"}`;
  let before = 0;
  for (let i = 0; i < 60; i++) {
    for (const json of [long, many, note]) {
      const reply = actor.callBytes(new TextEncoder().encode(json));
      if (json !== note) assert.ok(reply.length > 1_000_000);
    }
    actor.snapshot();
    if (i === 5) before = actor.memory;
  }
  assert.ok(before < 32 << 20, `${before}`);
  assert.ok(actor.memory <= before * 2, `${before} became ${actor.memory}`);
});

test("a large state does not slow the small messages down, and garbage of its neighbours goes", () => {
  const actor = Harness.start(plugin);
  actor.call({ grow: 100_000 });
  const long = new TextEncoder().encode(`{"raw":"${"é".repeat(262_144)}"}`);
  for (let i = 0; i < 60; i++) actor.callBytes(long);
  const before = actor.memory;
  for (let i = 0; i < 150; i++) actor.callBytes(long);
  assert.ok(actor.memory <= before, `${before} became ${actor.memory}`);
  const next = Harness.resume(plugin, actor.terminate());
  assert.equal(next.call({ grow: 0 }), 100_000);
});
