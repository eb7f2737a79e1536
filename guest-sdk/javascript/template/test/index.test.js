import assert from "node:assert/strict";
import { test } from "node:test";

import { Harness, playFixtures } from "baton-guest/testing";

import plugin from "../src/index.js";

test("it counts from its argument", () => {
  assert.equal(Harness.start(plugin).call({ add: 3 }), 3);
  assert.equal(Harness.start(plugin, { args: 40 }).call({ add: 3 }), 43);
  assert.throws(() => Harness.start(plugin, { args: -1 }), { code: "bad-args" });
});

test("a replacement counts on", () => {
  const actor = Harness.start(plugin);
  actor.cast({ add: 5 });
  const next = Harness.resume(plugin, actor.terminate());
  assert.equal(next.call({ add: 1 }), 6);
});

test("what does not fit leaves the count alone", () => {
  const actor = Harness.start(plugin, { args: 999_999 });
  assert.throws(() => actor.call({ add: 2 }), { code: "too-much" });
  assert.throws(() => actor.call({ add: "2" }), { code: "bad-message" });
  assert.equal(actor.call("get"), 999_999);
});

// Messages, states and conversations in files, which `baton test` plays in a host.
playFixtures(plugin, new URL("../fixtures", import.meta.url));
