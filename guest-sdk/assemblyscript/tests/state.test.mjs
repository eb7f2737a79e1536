// States: postcard's bytes, migrations, and what is refused. Run `node --test` here.

import assert from "node:assert/strict";
import { test } from "node:test";

import { Crash, Harness, Refusal, load } from "../testing.mjs";

const plugin = await load(new URL("chain", import.meta.url));
const gap = load(new URL("gap", import.meta.url)).catch((error) => error);
const raw = await load(new URL("raw", import.meta.url));

// What Rust's postcard writes of a struct of these values.
const FULL = [
  "01 ff ffff03 ffffffff0f ffffffffffffffffff01", // bool, u8, u16, u32, u64
  "80 ffff03 ffffffff0f ffffffffffffffffff01", // i8, i16, i32, i64
  "000000bf 000000000000f83f", // f32, f64
  "06 c3b6 f09f9880 03 616263 01 04 736f6d65 00 ac02", // texts, bytes, options, a variant
  "02 0161 02 0162 01", // a list
  "02 0161 8001 017a 01", // a map
]
  .join("")
  .replaceAll(" ", "");
const bytes = (hex) => Uint8Array.from(Buffer.from(hex.replaceAll(" ", ""), "hex"));
const hex = (data) => Buffer.from(data).toString("hex");
const resume = (schema, text) => Harness.resume(plugin, { schema, data: bytes(text) });

function refused(schema, text, kind, why) {
  assert.throws(
    () => resume(schema, text),
    (error) => {
      assert.ok(error instanceof Refusal, error.stack);
      assert.deepEqual([error.kind, error.message], [kind, why]);
      return true;
    },
  );
}

test("every type is written as postcard does, and read again", () => {
  const actor = Harness.start(plugin);
  actor.call("fill");
  const left = actor.terminate();
  assert.equal(left.schema, 3);
  assert.equal(hex(left.data), FULL);
  assert.equal(hex(Harness.resume(plugin, left).state), FULL);
});

test("bytes that are cut, changed or left over are refused, and never crash", () => {
  const full = bytes(FULL);
  for (let length = 0; length < full.length; length++) {
    assert.throws(() => Harness.resume(plugin, { schema: 3, data: full.slice(0, length) }), { kind: "corrupt" });
  }
  refused(
    3,
    `${FULL}00`,
    "corrupt",
    `state of schema 3: 1 bytes are left over, at byte ${full.length} of ${full.length + 1}`,
  );
  let refusals = 0;
  for (let bit = 0; bit < full.length * 8; bit++) {
    const data = full.slice();
    data[bit >> 3] ^= 1 << (bit & 7);
    try {
      Harness.resume(plugin, Harness.resume(plugin, { schema: 3, data }).terminate());
    } catch (error) {
      assert.equal(error.kind, "corrupt");
      refusals++;
    }
  }
  assert.ok(refusals > 50, `${refusals}`);
});

test("it is said what does not decode, and where", () => {
  refused(3, "", "corrupt", "state of schema 3: it ends too early, at byte 0 of 0");
  refused(3, "02", "corrupt", "state of schema 3: a bool is 2, at byte 1 of 1");
  refused(3, "01 ff ffff04", "corrupt", "state of schema 3: a number has more than 16 bits, at byte 5 of 5");
  refused(
    1,
    "05 61",
    "corrupt",
    "state of schema 1: 5 items do not fit into the 1 bytes that are left, at byte 1 of 2",
  );
  refused(
    1,
    "ffffffffffffffffff01",
    "corrupt",
    "state of schema 1: 18446744073709551615 items do not fit into the 0 bytes that are left, at byte 10 of 10",
  );
  refused(1, "01 ff", "corrupt", "state of schema 1: a text is not UTF-8, at byte 2 of 2");
  refused(2, "01 61 1a", "corrupt", "state of schema 2: 13 brings bad luck, at byte 3 of 3");
  refused(
    3,
    FULL.replace("c3b6f09f9880", "62726f6b656e"),
    "corrupt",
    "state of schema 3 breaks a rule: the text says so",
  );
  refused(
    3,
    FULL.replace("02 0161 8001 017a 01".replaceAll(" ", ""), "020161010161 01".replaceAll(" ", "")),
    "corrupt",
    "state of schema 3: a key comes twice, at byte 84 of 85",
  );
});

test("older and newer layouts become the current one, step by step", () => {
  assert.deepEqual([plugin.schema, plugin.readsFrom, plugin.readsTo], [3, 1, 4]);
  assert.equal(resume(1, "01 61").call("text"), "a from 1");
  assert.equal(resume(2, "01 61 01").call("text"), "a");
  assert.equal(resume(4, "01 01 61").call("text"), "a");
  assert.equal(resume(1, "01 61").terminate().schema, 3);
});

test("what a step cannot carry is corrupt on the way up, and incompatible on the way back", () => {
  refused(1, "04 6c6f7374", "corrupt", "state of schema 1: the text was lost");
  refused(4, "02 01 61 01 62", "incompatible", "state of schema 4: there is no way back to 3: 2 texts are not one");
  for (const schema of [0, 5, 2 ** 32 - 1])
    refused(schema, "00", "incompatible", `schema ${schema} is not among 1 to 4`);
});

test("a migration that goes astray is a crash that says so", () => {
  assert.throws(
    () => resume(2, "06 617374726179 00"),
    (error) => {
      assert.match(error.message, /the layout of schema 2 does not become that of 3/);
      return error instanceof Crash;
    },
  );
});

test("a gap in the chain is told when the plugin is described", async () => {
  const error = await gap;
  assert.ok(error instanceof Crash, String(error));
  assert.match(error.message, /gap reads the schemas 1 to 3, but says nothing of 2: add \.reads<…>\(2\)/);
});

test("bodies and states that are bytes pass as they are", () => {
  const actor = Harness.start(raw);
  const text = (reply) => new TextDecoder().decode(reply);
  const say = (body) => text(actor.callBytes(new TextEncoder().encode(body)));
  assert.equal(raw.messages, "application/octet-stream");
  assert.equal(say("abc"), "");
  assert.equal(say("?"), "1 ö");
  assert.throws(() => say("!"), { code: "loud" });
  assert.throws(() => say(""), {
    code: "bad-message",
    message: "raw 1.0.0 does not take this message: expected a byte or more",
  });
  const left = actor.terminate();
  assert.equal(text(left.data), "abc");
  const next = Harness.resume(raw, left);
  assert.equal(text(next.callBytes(Uint8Array.of(0xff))), "bc");
  assert.deepEqual(next.state, Uint8Array.of(0xff));
});
