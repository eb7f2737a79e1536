import assert from "node:assert/strict";
import { test } from "node:test";

import { Harness, load, playFixtures } from "../../../../guest-sdk/assemblyscript/testing.mjs";

const plugin = await load(new URL("..", import.meta.url));
const MOST = 2n ** 64n - 1n;

test("it counts from its argument", () => {
  for (const [args, first] of [
    ["", 3],
    ["null", 3],
    ["40", 43],
  ]) {
    assert.equal(Harness.start(plugin, { args }).call({ add: 3 }), first);
  }
  for (const args of ["-1", "1.5", '"1"', "[]", "x", String(MOST + 1n)]) {
    assert.throws(() => Harness.start(plugin, { args }), { code: "bad-args" });
  }
});

test("a replacement counts on", () => {
  const actor = Harness.start(plugin);
  actor.cast({ add: 5 });
  const next = Harness.resume(plugin, actor.terminate());
  assert.equal(next.call({ add: 1 }), 6);
  assert.equal(next.call("reset"), 0);
});

test("the whole range is counted exactly", () => {
  const actor = Harness.start(plugin, { args: String(MOST - 1n) });
  assert.equal(actor.call({ add: 1 }), MOST);
  const message = "18446744073709551615 + 1 is more than a counter holds (18446744073709551615)";
  assert.throws(() => actor.call({ add: 1 }), { code: "overflow", message });
  for (const add of [-1, 1.5, "1", null, MOST + 1n]) assert.throws(() => actor.call({ add }), { code: "bad-message" });
  assert.equal(actor.call("get"), MOST);
});

// What 1.0.0 wrote of 300: it must be read for ever.
test("the bytes of schema 1 are known", () => {
  const actor = Harness.resume(plugin, { schema: 1, data: [0xac, 0x02] });
  assert.equal(actor.call("get"), 300);
  assert.deepEqual(actor.terminate().data, Uint8Array.of(0xac, 0x02));
  for (const data of [[], [0xac], [1, 1], [...Array(9).fill(0xff), 2], [...Array(10).fill(0x80), 0]]) {
    assert.throws(() => Harness.resume(plugin, { schema: 1, data }), { kind: "corrupt" });
  }
});

playFixtures(plugin, new URL("../../fixtures", import.meta.url));
