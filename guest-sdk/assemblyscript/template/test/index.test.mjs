import assert from "node:assert/strict";
import { test } from "node:test";

import { Harness, load, playFixtures } from "../sdk/testing.mjs";

// Compiles the plugin. It then runs in Node, without a host.
const plugin = await load(new URL("..", import.meta.url));

test("it adds up, beginning at its argument", () => {
  assert.equal(Harness.start(plugin).call({ add: 3 }), 3);
  assert.equal(Harness.start(plugin, { args: 40 }).call({ add: 3 }), 43);
  assert.throws(() => Harness.start(plugin, { args: -1 }), { code: "bad-args" });
});

test("a replacement goes on", () => {
  const actor = Harness.start(plugin);
  actor.cast({ add: 5 });
  const next = Harness.resume(plugin, actor.terminate());
  assert.equal(next.call({ add: 1 }), 6);
});

test("what does not fit leaves the sum alone", () => {
  const actor = Harness.start(plugin, { args: 999_999 });
  assert.throws(() => actor.call({ add: 2 }), { code: "too-much" });
  assert.throws(() => actor.call({ add: "2" }), { code: "bad-message" });
  assert.equal(actor.call("get"), 999_999);
});

test("a state that breaks a rule is not taken over", () => {
  assert.throws(() => Harness.resume(plugin, { schema: 1, data: [0xc1, 0x84, 0x3d] }), { kind: "corrupt" });
});

// Messages, states and conversations in files, which `baton test` plays in a host.
playFixtures(plugin, new URL("../fixtures", import.meta.url));
