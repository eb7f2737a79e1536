// What an actor asks of its host, and what it is told. Run `node --test` here.

import assert from "node:assert/strict";
import { test } from "node:test";

import { Failure, Harness, Refusal, load } from "../testing.mjs";

const plugin = await load(new URL("probe", import.meta.url));
const asks = (actor, word, more = {}) => actor.call({ host: { do: word, ...more } });
const tree = (actor, word, more = {}) => actor.call({ tree: { do: word, ...more } });

test("the plugin says who it is", () => {
  const { name, version, schema, readsFrom, readsTo, messages, metadata } = plugin;
  assert.deepEqual(
    { name, version, schema, readsFrom, readsTo, messages },
    { name: "probe", version: "1.2.3", schema: 1, readsFrom: 1, readsTo: 1, messages: "application/json" },
  );
  assert.deepEqual(metadata.slice(1), [
    ["license", "Apache-2.0"],
    ["authors", "A"],
    ["homepage", "https://example.org"],
  ]);
  assert.match(metadata[0].join(" "), /^sdk baton-guest for AssemblyScript/);
});

test("it knows itself, its arguments and who asks", () => {
  const actor = Harness.start(plugin, { name: "ä/1", args: '"é"' });
  const who = { actor: "ä/1", args: 4, sender: null, id: "x", expects: true, generation: 1, resumed: false };
  assert.deepEqual(actor.call("who", { id: "x" }), who);
  assert.deepEqual(actor.call("who", { id: "", from: "bob" }), { ...who, id: "", sender: "bob" });
  assert.equal(actor.call("note"), "3 é");
  assert.equal(actor.trapExit, true);
  assert.equal(Harness.start(plugin, { name: "untrapped" }).trapExit, false);
  assert.throws(() => Harness.start(plugin, { args: '"fail"' }), {
    code: "bad-args",
    message: 'the arguments: expected anything else, not "fail"',
  });
  assert.throws(() => Harness.start(plugin, { args: "{" }), {
    message: "the arguments: a key in quotes was expected at line 1 column 2",
  });
});

test("a refusal and a failure of what was set in `started` come out", () => {
  assert.throws(
    () => Harness.start(plugin, { args: '"not now"' }),
    (error) => {
      assert.ok(error instanceof Refusal);
      return error.kind === "unavailable" && error.message === "later";
    },
  );
  const actor = Harness.start(plugin, { name: "sets-a-timer" });
  assert.deepEqual(actor.timers, { first: 1000 });
  assert.deepEqual(actor.call("heard"), ["started", 1]);
  actor.advance(1000);
  assert.deepEqual(actor.call("heard"), ["started", 1, "timer first"]);
});

test("effects are asked for, and a refused one is the failure of the turn", () => {
  const actor = Harness.start(plugin);
  asks(actor, "send", { to: "röm/1", body: { a: [1] } });
  asks(actor, "timer", { name: "again", ms: 100 });
  asks(actor, "monitor", { actor: "a" });
  asks(actor, "demonitor", { actor: "a" });
  asks(actor, "save");
  asks(actor, "stop");
  assert.deepEqual(actor.sent(), [{ to: "röm/1", body: { a: [1] } }]);
  assert.deepEqual(actor.timers, { again: 100 });
  assert.deepEqual(actor.asked(), [
    ["monitor", "a"],
    ["demonitor", "a"],
  ]);
  assert.deepEqual([actor.saves, actor.stopped], [1, true]);
  actor.advance(250);
  assert.deepEqual(actor.timers, { again: 300 });
  asks(actor, "cancel", { name: "again" });
  assert.deepEqual(actor.timers, {});

  actor.refuseSends("denied");
  const message = "this actor is not allowed to send that";
  assert.throws(() => asks(actor, "send", { to: "a", body: 1 }), { code: "send-denied", message });
  assert.throws(() => asks(actor, "monitor", { actor: "a" }), { code: "send-denied" });
  actor.refuseSends("limit", "turn_sends = 1000");
  assert.throws(() => asks(actor, "timer", { name: "a", ms: 1 }), {
    code: "send-limit",
    message: "a limit of the host was reached: turn_sends = 1000",
  });
});

test("calls bring replies, and each error is told apart", () => {
  const actor = Harness.start(plugin);
  actor.answer("bank/1", { left: 2n ** 64n - 1n });
  assert.deepEqual(asks(actor, "call", { to: "bank/1", body: "balance" }), [{ left: 2n ** 64n - 1n }, 29]);
  assert.deepEqual(actor.called(), [{ to: "bank/1", body: "balance", timeoutMs: 5000 }]);
  actor.answer("bank/1", new Uint8Array(1000));
  assert.equal(asks(actor, "call-bytes", { to: "bank/1" }), 1000);
  assert.throws(() => asks(actor, "call", { to: "bank/1", body: 1 }), { code: "bad-reply", message: /^bank\/1: / });
  const errors = ["unknown-actor", "mailbox-full", "denied", "unavailable", "timeout", "crashed", "deadlock", "limit"];
  errors.forEach((error, i) => {
    actor.answerError("bank/1", error, "nested_calls = 8");
    assert.throws(() => asks(actor, "call", { to: "bank/1", body: 1 }), { code: `call-${error}` });
    assert.equal(asks(actor, "call-bytes", { to: "bank/1" }), i);
  });
  actor.answerError("bank/1", "failed", { code: "out-of-stock", message: "nö" });
  assert.throws(() => asks(actor, "call", { to: "bank/1", body: 1 }), { code: "out-of-stock", message: "nö" });
  assert.equal(asks(actor, "call-bytes", { to: "bank/1" }), 8);
});

test("the log, the clock and chance are the host's", () => {
  const actor = Harness.start(plugin, { now: 1_700_000_000_123 });
  asks(actor, "log");
  assert.deepEqual(actor.logged(), [
    { level: "trace", message: "t", fields: {} },
    { level: "debug", message: "d", fields: { n: "1" } },
    { level: "info", message: "ö €", fields: { größe: "😀", b: "" } },
    { level: "warn", message: "w", fields: {} },
    { level: "error", message: "e", fields: {} },
  ]);
  assert.equal(asks(actor, "now"), 1_700_000_000_123);
  assert.equal(asks(actor, "remaining"), 2n ** 64n - 1n);
  actor.setRemaining(77);
  assert.equal(asks(actor, "remaining"), 77);
  for (const count of [0, 1, 65_536, 200_000]) assert.equal(asks(actor, "random", { count }), count);
});

test("the language's own library asks the host as well", () => {
  const actor = Harness.start(plugin, { now: 1_700_000_000_123 });
  assert.equal(actor.call({ std: "date" }), 1_700_000_000_123);
  assert.equal(actor.call({ std: "iso" }), "2023-11-14T22:13:20.123Z");
  assert.equal(actor.call({ std: "performance" }), 1_700_000_000_123);
  const draws = Array.from({ length: 50 }, () => actor.call({ std: "random" }));
  assert.ok(draws.every((draw) => draw >= 0 && draw < 1) && new Set(draws).size === 50);
  // Another instance draws on: nothing of it is the instance's own.
  assert.notEqual(Harness.start(plugin).call({ std: "randomF32" }), undefined);
  assert.ok(actor.call({ std: "values" }) > 0);
  assert.equal(actor.call({ std: "console" }), "console");
  assert.deepEqual(
    actor.logged().map(({ level, message, fields }) => [level, message, ...Object.values(fields)]),
    [
      ["info", "log"],
      ["debug", "debug"],
      ["info", "info"],
      ["warn", "warn"],
      ["error", "error"],
      ["error", "assert"],
      ["debug", "trace", "1.0", "2.5"],
    ],
  );
});

test("ends and strange messages are told, or done something about by default", () => {
  const actor = Harness.start(plugin);
  actor.down("a", "noproc");
  actor.exit("b", 'crash: "x"');
  assert.deepEqual(actor.call("heard"), ["started", 1, "down a noproc", 'exit b crash: "x"']);
  actor.down("stranger", "killed");
  actor.exit("stranger", "normal");
  assert.deepEqual(actor.logged(), [
    {
      level: "info",
      message: "nothing is done about the end of an actor",
      fields: { down: "stranger", reason: "killed" },
    },
    { level: "info", message: "nothing is done about an exit", fields: { exit: "stranger", reason: "normal" } },
  ]);
  assert.throws(() => actor.other("exit", "{}"), { code: "bad-exit" });
  assert.throws(() => actor.other("exit", "x"), { code: "bad-exit" });
  assert.throws(() => actor.other("weather", new Uint8Array(0)), {
    code: "unsupported",
    message: 'messages of the kind "weather" are not known here',
  });
  asks(actor, "timer", { name: "stray", ms: 0 });
  assert.throws(() => actor.advance(0), {
    code: "unexpected-timer",
    message: 'nothing is done with the timer "stray"',
  });
});

test("a cast is handled, and its reply is not written", () => {
  const actor = Harness.start(plugin);
  actor.cast({ note: "kept" });
  assert.equal(actor.call("note"), "kept");
  assert.throws(() => actor.cast("what"), Failure);
});

test("children, links, groups and attributes", () => {
  const actor = Harness.start(plugin);
  const on = "w/1";
  tree(actor, "start");
  tree(actor, "start", { on: "sup" });
  tree(actor, "start-odd");
  tree(actor, "start-odd", { kill: true });
  for (const word of ["terminate", "restart", "delete", "link", "unlink", "exit", "join", "leave", "dispatch"])
    tree(actor, word, { on });
  tree(actor, "attribute-set", { on: "" });
  tree(actor, "attribute-set");
  const spec = {
    name: "w/1",
    plugin: "worker",
    restart: "permanent",
    shutdown: { tag: "after-ms", val: 5000 },
    significant: false,
    args: 3,
  };
  const odd = { ...spec, name: "w/2", restart: "temporary", significant: true, args: new Uint8Array(0) };
  assert.deepEqual(actor.asked(), [
    ["start-child", null, spec],
    ["start-child", "sup", spec],
    ["start-child", null, { ...odd, shutdown: { tag: "infinity" } }],
    ["start-child", null, { ...odd, shutdown: { tag: "brutal-kill" } }],
    ["terminate-child", on],
    ["restart-child", on],
    ["delete-child", on],
    ["link", on],
    ["unlink", on],
    ["exit", on, "because"],
    ["join", on],
    ["leave", on],
    ["dispatch", on, { say: "hi" }],
    ["set-attribute", "key", ""],
    ["set-attribute", "key", null],
  ]);

  const child = {
    name: "w/1",
    supervisor: null,
    kind: { tag: "worker" },
    state: { tag: "up" },
    restart: "transient",
    shutdown: { tag: "after-ms", val: 7 },
    significant: true,
    restarts: 2n ** 40n,
    lastExit: "crash: x",
  };
  const other = {
    ...child,
    supervisor: "sup",
    kind: { tag: "other", val: "node" },
    state: { tag: "other", val: "lost" },
    shutdown: { tag: "infinity" },
    lastExit: null,
  };
  actor.setChildren(null, [child, other]);
  assert.deepEqual(tree(actor, "which"), [
    {
      name: "w/1",
      supervisor: null,
      kind: "worker",
      state: "up",
      restart: 1,
      shutdownMs: 7,
      significant: true,
      restarts: 2 ** 40,
      lastExit: "crash: x",
    },
    {
      name: "w/1",
      supervisor: "sup",
      kind: "node",
      state: "lost",
      restart: 1,
      shutdownMs: 2n ** 64n - 1n,
      significant: true,
      restarts: 2 ** 40,
      lastExit: null,
    },
  ]);
  assert.deepEqual(tree(actor, "which", { on: "empty" }), []);
  assert.deepEqual(tree(actor, "count"), [2, 1, 1, 1]);
  actor.setPhase("a", "held");
  actor.setMembers("g", ["a", "bö"]);
  actor.setAttribute("a", "key", "välue");
  assert.equal(tree(actor, "whereis", { on: "a" }), "held");
  assert.equal(tree(actor, "whereis", { on: "b" }), null);
  assert.deepEqual(tree(actor, "members", { on: "g" }), ["a", "bö"]);
  assert.deepEqual(tree(actor, "members", { on: "h" }), []);
  assert.deepEqual(tree(actor, "having", { on: "välue" }), ["a"]);
  assert.equal(tree(actor, "attribute", { on: "a" }), "välue");
  assert.equal(tree(actor, "attribute", { on: "b" }), null);
});

test("each error of the tree has a code of its own", () => {
  const codes = new Set();
  const kinds = ["denied", "unknown-supervisor", "unknown-child", "already-started", "already-present", "running"];
  kinds.push("restarting", "max-children", "unknown-plugin", "bad-spec", "failed", "shutting-down", "limit", "other");
  for (const kind of kinds) {
    const actor = Harness.start(plugin);
    actor.refuseSends(kind, "why it is so");
    assert.throws(
      () => tree(actor, "start"),
      (error) => {
        codes.add(error.code);
        const tells = ["bad-spec", "failed", "limit", "other"].includes(kind);
        return error instanceof Failure && error.message.includes("why it is so") === tells && error.message !== "";
      },
    );
  }
  assert.equal(codes.size, kinds.length);
});

test("it leaves what it is told to, with the reason and the time that it was given", () => {
  for (const [leave, left] of [
    ["save", "save"],
    ["keep", "keep"],
    ["forget", "forget"],
  ]) {
    const actor = Harness.start(plugin);
    actor.call({ leave });
    assert.equal(actor.stop("upgrade", 250).left, left);
    assert.equal(actor.call("note"), "upgrade 250");
  }
  const actor = Harness.start(plugin);
  actor.stop("moved by hand");
  assert.equal(actor.call("note"), "moved by hand without limit");
  actor.call({ leave: "fail" });
  assert.throws(() => actor.stop(), { code: "busy", message: "not now" });
});
