import assert from "node:assert/strict";
import { test } from "node:test";

import { Harness, playFixtures } from "baton-guest/testing";

import plugin from "../src/index.js";

const room = (args) => Harness.start(plugin, { name: "room/tea", args, now: 1_000 });
const user = (args) => Harness.start(plugin, { name: "user/ann", args });
const ann = { from: "user/ann" };
const bob = { from: "user/bob" };

test("the kind is in the arguments, or else in the name", () => {
  const kind = (name, args) => Harness.start(plugin, { name, args }).state.kind;
  assert.equal(kind("room/tea"), "room");
  assert.equal(kind("user/ann"), "user");
  assert.equal(kind("ann", { kind: "user" }), "user");
  for (const args of ["7", "{", { kind: "door" }, { kind: "__proto__" }, { history: 0 }, { colour: "red" }]) {
    assert.throws(() => kind("room/tea", args), { code: "bad-args" });
  }
});

test("the history is bounded, and its numbers go on", () => {
  const actor = room({ history: 2 });
  actor.call("join", ann);
  for (const text of ["a", "b", "c"]) actor.call({ post: text }, ann);
  assert.deepEqual(actor.call("look").history, [
    { n: 2, from: "user/ann", text: "b", at: 1_000 },
    { n: 3, from: "user/ann", text: "c", at: 1_000 },
  ]);
  assert.equal(actor.saves, 4);
});

test("who joins is told of the last ten posts", () => {
  const actor = room();
  actor.call("join", ann);
  for (let i = 0; i < 12; i++) actor.call({ post: `${i}` }, ann);
  assert.deepEqual(
    actor.call("join", bob).history.map(({ text }) => text),
    [2, 3, 4, 5, 6, 7, 8, 9, 10, 11].map(String),
  );
});

test("a room is full some time", () => {
  const actor = room({ members: 1 });
  actor.call("join", ann);
  actor.call("join", ann);
  assert.throws(() => actor.call("join", bob), { code: "full" });
});

test("members are monitored by each instance of the room", () => {
  const actor = room();
  actor.call("join", ann);
  actor.call({ post: "a" }, ann);
  assert.deepEqual(actor.asked(), [["monitor", "user/ann"]]);
  const next = Harness.resume(plugin, actor.terminate());
  assert.deepEqual(next.asked(), [["monitor", "user/ann"]]);
  // Not there yet, after a start of the host: monitored again when it says something.
  next.down("user/ann", "noproc");
  next.call({ post: "b" }, ann);
  assert.deepEqual(next.asked(), [["monitor", "user/ann"]]);
  next.down("user/ann", "killed");
  assert.throws(() => next.call({ post: "c" }, ann), { code: "not-a-member" });
  assert.deepEqual(next.timers, {});
});

test("a user's inbox is bounded, and counts what it lost", () => {
  const actor = user({ inbox: 2 });
  actor.answer("room/tea", {});
  actor.call({ join: "room/tea" });
  for (let n = 1; n <= 3; n++) actor.cast({ said: { n, from: "user/bob", text: "x" } }, { from: "room/tea" });
  const { missed, messages } = actor.call("read");
  assert.deepEqual([missed, messages.map(({ said }) => said.n)], [1, [2, 3]]);
  assert.deepEqual(actor.call("read"), { missed: 0, messages: [] });
});

test("a user leaves a room that has forgotten it", () => {
  const actor = user();
  actor.answer("room/tea", {});
  actor.call({ join: "room/tea" });
  actor.answerError("room/tea", "failed", { code: "not-a-member", message: "join first" });
  assert.throws(() => actor.call({ say: { room: "room/tea", text: "hello" } }), { code: "not-a-member" });
  assert.deepEqual(actor.call("rooms"), []);
});

test("states that are none are refused", () => {
  for (const data of [
    "null",
    "{}",
    '{"kind":"door"}',
    '{"kind":"room","members":[1],"history":[],"next":1}',
    '{"kind":"room","members":[],"history":[{"n":1}],"next":1}',
    '{"kind":"user","rooms":[],"inbox":[],"missed":-1}',
  ]) {
    assert.throws(() => Harness.resume(plugin, { schema: 2, data }), { kind: "corrupt" }, data);
  }
  assert.throws(() => Harness.resume(plugin, { schema: 1, data: '{"kind":"room"}' }), { kind: "corrupt" });
});

playFixtures(plugin, new URL("../fixtures", import.meta.url));
