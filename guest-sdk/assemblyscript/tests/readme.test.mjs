// The examples of README.md compile, and do what it says. Run `node --test` here.

import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";

import { Harness, load } from "../testing.mjs";

const readme = readFileSync(new URL("../README.md", import.meta.url), "utf8");
const examples = [...readme.matchAll(/```ts\n([\s\S]*?)```/g)].map(([, code]) => code);

async function compiled(source) {
  const folder = mkdtempSync(join(tmpdir(), "baton-"));
  try {
    mkdirSync(join(folder, "assembly"));
    writeFileSync(join(folder, "assembly", "index.ts"), source);
    return await load(folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

test("the first example is a whole plugin", async () => {
  const plugin = await compiled(examples[0]);
  const actor = Harness.start(plugin);
  assert.equal(actor.call({ add: 3 }), 3);
  assert.equal(Harness.resume(plugin, actor.terminate()).call("get"), 3);
  assert.throws(() => actor.call({ add: -1 }), { code: "bad-message" });
});

test("a new layout reads the old one", async () => {
  const names = "Actor, Cx, Failure, Json, Layout, Reader, Repair, Reply, State, Writer, plugin, reply";
  const first = examples[0].replace(/import .*\n/, "").replace(/plugin<.*\n/, "");
  const layout = examples.find((code) => code.includes("extends Layout"));
  const plugin = await compiled(`import { ${names} } from "baton-guest";\n${first}\n${layout}`);
  assert.deepEqual([plugin.version, plugin.schema, plugin.readsFrom], ["2.0.0", 2, 1]);
  assert.equal(Harness.resume(plugin, { schema: 1, data: [0xac, 0x02] }).call("get"), 300);
});

test("the other examples compile", async () => {
  const failures = examples.find((code) => code.includes("ledger/1"));
  const lists = examples.find((code) => code.includes("w.list"));
  const [write, read] = lists.split("this.items = r");
  const plugin = await compiled(`
    import { Actor, CallErrorKind, Cx, Json, JsonObject, Reader, Reply, Writer, plugin, reply } from "baton-guest";
    class Item { constructor(readonly name: string, readonly quantity: u32) {} }
    class Shop extends Actor {
      items: Item[] = [];
      handle(message: Json, cx: Cx): Reply {
        const item = message.text;
        this.items.push(new Item(item, 3));
        ${failures}
        return reply(balance);
      }
      save(w: Writer): void { ${write} }
      load(r: Reader): void { this.items = r${read} }
    }
    plugin<Shop>("shop", "1.0.0");`);
  const actor = Harness.start(plugin);
  actor.answer("bank/1", { left: 2 });
  assert.deepEqual(actor.call("tea"), { left: 2 });
  assert.deepEqual(actor.sent(), [{ to: "ledger/1", body: { sold: "tea" } }]);
  actor.answerError("bank/1", "timeout");
  assert.equal(actor.call("tea"), "perhaps");
  actor.answerError("bank/1", "denied");
  assert.throws(() => actor.call("tea"), { code: "call-denied" });
  const next = Harness.resume(plugin, actor.terminate());
  assert.deepEqual(next.state, actor.state);
});
