import assert from "node:assert/strict";
import { test } from "node:test";

import { Actor, CallError, Failure, Refusal, SendError, check, match, plugin } from "../index.js";
import { encoding, struct, u32 } from "../postcard.js";
import { supervision } from "../supervision.js";
import { Harness } from "../testing.js";

const FACTS = { name: "sample", version: "1.2.3" };

/** A plugin of an actor that has these methods besides. */
function sample(methods = {}, statics = {}) {
  class Sample extends Actor {
    init() {
      return { n: 0 };
    }
    handle(message) {
      return message;
    }
  }
  Object.assign(Sample, statics);
  for (const [name, method] of Object.entries(methods)) Sample.prototype[name] = method;
  return plugin(Sample, FACTS);
}

const start = (methods, how) => Harness.start(sample(methods), how);

test("what a plugin is told to be is checked", () => {
  class Good extends Actor {
    init() {}
    handle() {}
  }
  const described = Harness.describe(plugin(Good, { ...FACTS, metadata: { license: "MIT" } }));
  assert.deepEqual(described, {
    name: "sample",
    version: "1.2.3",
    schema: 1,
    readsFrom: 1,
    readsTo: 1,
    messages: "application/json",
    metadata: [
      ["license", "MIT"],
      ["sdk", "baton-guest (javascript) 0.1.0"],
    ],
  });
  const bad = [
    [class {}, FACTS],
    [
      class extends Actor {
        init() {}
      },
      FACTS,
    ],
    [Good, { name: "Upper", version: "1.0.0" }],
    [Good, { name: "a", version: "1" }],
    [Good, { ...FACTS, schema: 2 }],
    [Good, undefined],
  ];
  for (const [actor, facts] of bad) assert.throws(() => plugin(actor, facts), TypeError);
});

test("migrations are a chain up to the schema", () => {
  const same = (state) => state;
  const reads = (statics) => {
    const { readsFrom, readsTo } = Harness.describe(sample({}, statics));
    return [readsFrom, readsTo];
  };
  assert.deepEqual(reads({ schema: 3, migrations: { 1: same, 2: same } }), [1, 3]);
  assert.deepEqual(reads({ schema: 3, migrations: { 2: same }, newer: { 4: same } }), [2, 4]);
  for (const migrations of [{ 1: same }, { 1: same, 3: same }, { 2: null }, { x: same }]) {
    assert.throws(() => reads({ schema: 3, migrations }), TypeError);
  }
  assert.throws(() => reads({ schema: 3, newer: { 5: same } }), TypeError);
  assert.throws(() => reads({ schema: 1, encodings: { 2: {} } }), TypeError);
});

test("an actor is started, answers, and is taken over", () => {
  const told = [];
  const counter = sample({
    init: (cx) => ({ n: cx.argsJson() ?? 0 }),
    started: () => told.push("started"),
    resumed: (predecessor) => told.push(predecessor),
    handle(n) {
      return (this.state.n += n);
    },
  });
  const actor = Harness.start(counter, { args: 40 });
  assert.equal(actor.call(2), 42);
  actor.cast(1);
  assert.deepEqual(actor.state, { n: 43 });
  const handover = actor.terminate();
  assert.equal(Buffer.from(handover.data).toString(), '{"n":43}');
  assert.equal(Harness.resume(counter, { ...handover, ageMs: 7 }).call(0), 43);
  const predecessor = {
    schema: 1,
    origin: { kind: "terminated", reason: "shutdown" },
    generation: 1,
    writtenBy: "1.2.3",
    ageMs: 7,
  };
  assert.deepEqual(told, ["started", predecessor]);
});

test("bodies that are no JSON are a failure", () => {
  const actor = start();
  for (const body of ["", "{", "[1", '"a" "b"']) {
    assert.throws(() => actor.callBytes(new TextEncoder().encode(body)), {
      code: "bad-message",
      message: /sample 1\.2\.3 does not take this message: not JSON: /,
    });
  }
  assert.throws(() => actor.callBytes(Uint8Array.of(0xff)), { code: "bad-message" });
});

test("raw bodies pass as they are", () => {
  class Raw extends Actor {
    init() {
      return {};
    }
    handle(body) {
      return body.length === 0 ? undefined : body[0] === 0 ? { no: 1 } : body[0] === 1 ? "text" : body;
    }
  }
  const actor = Harness.start(plugin(Raw, { ...FACTS, messages: "application/octet-stream" }));
  assert.deepEqual(actor.callBytes(Uint8Array.of(255, 1)), Uint8Array.of(255, 1));
  assert.deepEqual(actor.callBytes(Uint8Array.of(1)), new TextEncoder().encode("text"));
  assert.deepEqual(actor.callBytes(new Uint8Array(0)), new Uint8Array(0));
  assert.throws(() => actor.callBytes(Uint8Array.of(0)), { code: "bad-reply" });
});

test("promises are errors, not replies", () => {
  const actor = start({ handle: async () => 1 });
  assert.throws(() => actor.call(1), /handle returned a promise/);
  assert.throws(() => start({ init: async () => 1 }), /init returned a promise/);
});

test("a crash is a crash of the test", () => {
  const actor = start({ handle: () => null.x });
  assert.throws(() => actor.call(1), TypeError);
});

test("arguments are checked as messages are", () => {
  const methods = { init: (cx) => ({ n: check.integer(cx.argsJson(), "n") }) };
  assert.deepEqual(start(methods, { args: "7" }).state, { n: 7 });
  for (const args of ["", "x", "null", Uint8Array.of(0xff)])
    assert.throws(() => start(methods, { args }), { code: "bad-args" });
});

test("match finds the arm, and names the arms", () => {
  const arms = { get: () => "got", add: (n) => n, reset: () => "reset" };
  assert.equal(match("get", arms), "got");
  assert.equal(match({ reset: null }, arms), "reset");
  assert.equal(match({ add: 3 }, arms), 3);
  const expected = /^expected "get", \{"add": …\} or "reset", not /;
  for (const message of ["add", "toString", { get: 1 }, { add: 1, get: null }, {}, [], null, 7, undefined]) {
    assert.throws(() => match(message, arms), { code: "bad-message", message: expected });
  }
});

test("checks say what was expected", () => {
  const cases = [
    [() => check.integer(1.5, "n"), "n: expected an integer from -9007199254740991 to 9007199254740991, not 1.5"],
    [() => check.integer(11, "n", { min: 0, max: 10 }), "n: expected an integer from 0 to 10, not 11"],
    [() => check.u64(-1, "n"), "n: expected an integer from 0 to 18446744073709551615, not -1"],
    [() => check.string(undefined, "name"), "name: expected a string, not nothing"],
    [() => check.string("", "name", { min: 1, max: 5 }), 'name: expected a string of 1 to 5 characters, not ""'],
    [() => check.array([1, "a"], "all", check.number), 'all[1]: expected a number, not "a"'],
    [() => check.object([], "it"), "it: expected an object, not []"],
    [() => check.boolean(0, "flag"), "flag: expected true or false, not 0"],
  ];
  for (const [run, message] of cases) assert.throws(run, { code: "bad-message", message });
  assert.equal(check.u64(3, "n"), 3n);
  assert.equal(check.u64(2n ** 64n - 1n, "n"), 2n ** 64n - 1n);
});

test("a state goes through the chain, and is checked", () => {
  const counter = sample(
    { validate: ({ n }) => (n > 99 ? `${n} is too much` : undefined) },
    {
      schema: 3,
      migrations: { 1: (n) => ({ n }), 2: ({ n }) => ({ n: n.valueOf() * 10 }) },
      encodings: { 1: encoding({ write() {}, read: (r) => r.u32() }) },
    },
  );
  const resume = (schema, data) => Harness.resume(counter, { schema, data });
  assert.deepEqual(resume(1, [3]).state, { n: 30 });
  assert.deepEqual(resume(2, '{"n":4}').state, { n: 40 });
  assert.deepEqual(resume(3, '{"n":4}').state, { n: 4 });
  const refusals = [
    [0, "", "incompatible", "schema 0 is not among 1 to 3"],
    [4, "", "incompatible", "schema 4 is not among 1 to 3"],
    [3, "", "corrupt", /^state of schema 3: 0 bytes do not decode: SyntaxError: /],
    [1, [3, 3], "corrupt", "state of schema 1: 2 bytes do not decode: RangeError: 1 of 2 bytes are left over"],
    [3, [0xff], "corrupt", "state of schema 3: 1 bytes do not decode: TypeError: the bytes are not UTF-8"],
    [2, "{}", "corrupt", /^state of schema 2: 2 does not become 3: TypeError: /],
    [3, '{"n":100}', "corrupt", "state of schema 3 breaks a rule: 100 is too much"],
  ];
  for (const [schema, data, kind, message] of refusals) {
    assert.throws(
      () => resume(schema, data),
      (error) => {
        assert.ok(error instanceof Refusal);
        assert.equal(error.kind, kind);
        assert.match(error.message, message instanceof RegExp ? message : new RegExp(`^${message}$`));
        return true;
      },
    );
  }
});

test("the way back from a newer state may be closed", () => {
  const back = {
    newer: {
      2: ({ n, name }) => {
        if (name) throw new Error(`its name ${name} would be lost`);
        return { n };
      },
    },
  };
  const resume = (data) => Harness.resume(sample({}, back), { schema: 2, data });
  assert.deepEqual(resume('{"n":1}').state, { n: 1 });
  assert.throws(() => resume('{"n":1,"name":"x"}'), {
    kind: "incompatible",
    message: "state of schema 2: there is no way back to 1: its name x would be lost",
  });
});

test("a state that JSON would change is not written", () => {
  const lost = {
    map: new Map(),
    date: new Date(0),
    nan: NaN,
    big: 1n,
    f: () => {},
    list: [undefined],
    own: new (class Own {})(),
    symbol: Symbol("a"),
  };
  for (const [name, part] of Object.entries(lost)) {
    const actor = start({ init: () => ({ in: { [name]: part } }) });
    assert.throws(() => actor.snapshot(), {
      code: "not-encodable",
      message: new RegExp(`the state cannot be written: state\\.in\\.${name}`),
    });
  }
  const actor = start({ init: () => ({ a: undefined, b: [null, "x", 1, true], c: Object.create(null) }) });
  assert.equal(Buffer.from(actor.snapshot().data).toString(), '{"b":[null,"x",1,true],"c":{}}');
});

test("an encoding that loses something is found by the harness", () => {
  const forgetful = { encode: ({ n }) => Uint8Array.of(n), decode: () => ({ n: 0 }) };
  const actor = Harness.start(sample({ init: () => ({ n: 1 }) }, { encodings: { 1: forgetful } }));
  assert.throws(() => actor.snapshot(), /reads back as another one/);
  const sound = Harness.start(sample({}, { encodings: { 1: encoding(struct({ n: u32 })) } }));
  assert.deepEqual(sound.terminate().data, Uint8Array.of(0));
});

test("effects are recorded, and errors of the host are failures", () => {
  const actor = start({
    handle(message, cx) {
      return match(message, {
        effects: () => {
          cx.send("a", { hi: 1n });
          cx.sendBytes("b", Uint8Array.of(255));
          cx.setTimer("t", 9.5);
          cx.monitor("c");
          cx.demonitor("c");
          cx.save();
          cx.log("warn", "told", { n: 1, o: { a: [] } });
          cx.stop();
        },
        ask: (to) => cx.call(to, "get"),
        careful: (to) => {
          try {
            cx.call(to, "get", 100);
          } catch (error) {
            return [error instanceof CallError, error.kind, error.code];
          }
        },
        odd: () => cx.send("a", () => {}),
        wrong: () => cx.send(7, null),
      });
    },
  });
  actor.call("effects");
  assert.deepEqual(actor.sent(), [
    { to: "a", body: { hi: 1 } },
    { to: "b", body: Uint8Array.of(255) },
  ]);
  assert.deepEqual(actor.timers, { t: 10 });
  assert.deepEqual(actor.asked(), [
    ["monitor", "c"],
    ["demonitor", "c"],
  ]);
  assert.deepEqual(actor.logged(), [{ level: "warn", message: "told", fields: { n: "1", o: '{"a":[]}' } }]);
  assert.deepEqual([actor.saves, actor.stopped], [1, true]);

  actor.refuseSends("limit", "turn_sends = 1000");
  assert.throws(
    () => actor.call("effects"),
    (error) => error instanceof SendError && error.code === "send-limit",
  );
  actor.refuseSends(null);

  assert.throws(() => actor.call({ ask: "x" }), { code: "call-unknown-actor" });
  actor.answer("x", { got: 1 });
  assert.deepEqual(actor.call({ ask: "x" }), { got: 1 });
  assert.deepEqual(actor.called()[1], { to: "x", body: "get", timeoutMs: 5000 });
  actor.answer("x", Uint8Array.of(0xff));
  assert.throws(() => actor.call({ ask: "x" }), { code: "bad-reply" });
  actor.answerError("x", "failed", { code: "own", message: "its own" });
  assert.throws(() => actor.call({ ask: "x" }), { code: "own", message: "its own" });
  actor.answerError("x", "timeout");
  assert.deepEqual(actor.call({ careful: "x" }), [true, "timeout", "call-timeout"]);
  assert.throws(() => actor.call("odd"), { code: "not-encodable" });
  assert.throws(() => actor.call("wrong"), TypeError);
});

test("timers come due in order, and outlive the instance", () => {
  const seen = [];
  const clock = sample({
    handle(message, cx) {
      for (const [name, ms] of Object.entries(message)) cx.setTimer(name, ms);
    },
    timer(name, cx) {
      seen.push([name, cx.now(), Date.now(), new Date().getTime()]);
      if (name === "a") cx.setTimer("again", 5);
    },
  });
  const actor = Harness.start(clock, { now: 1000 });
  actor.call({ b: 20, a: 10, c: 100 });
  actor.advance(50);
  const next = Harness.resume(clock, actor.terminate());
  next.advance(50);
  assert.deepEqual(
    seen,
    [
      ["a", 1010],
      ["again", 1015],
      ["b", 1020],
      ["c", 1100],
    ].map(([name, at]) => [name, at, at, at]),
  );
  assert.throws(() => next.fireTimer("x"), { code: "no-such-timer" });
});

test("chance is the harness's, and the same in each run", () => {
  const dice = { handle: (_, cx) => [Math.random(), ...cx.random(3)] };
  const [first, second] = [start(dice).call(1), start(dice).call(1)];
  assert.deepEqual(first, second);
  assert.ok(first[0] >= 0 && first[0] < 1);
  assert.equal(start({ handle: (_, cx) => cx.random(100_000).length }).call(1), 100_000);
});

test("callbacks that are not there do what they should", () => {
  const actor = start({ handle: (_, cx) => cx.setTimer("t", 1) });
  actor.call(1);
  assert.throws(() => actor.fireTimer("t"), { code: "unexpected-timer" });
  actor.down("a", "normal");
  actor.exit("b", "crash: x");
  assert.deepEqual(
    actor.logged().map(({ fields }) => fields),
    [
      { down: "a", reason: "normal" },
      { exit: "b", reason: "crash: x" },
    ],
  );
  assert.throws(() => actor.other("exit", new TextEncoder().encode("{}")), { code: "bad-exit" });
  assert.throws(() => actor.other("news", new Uint8Array(0)), { code: "unsupported" });
  assert.equal(actor.trapExit, true);
  assert.equal(start({ trapsExits: () => false }).trapExit, false);
});

test("an actor says what it leaves", () => {
  const leaving = (left) =>
    start({ terminate: (reason, budget) => (assert.deepEqual([reason, budget], ["moved", 5]), left) }).stop("moved", 5);
  assert.equal(leaving("keep").left, "keep");
  assert.equal(leaving("forget").left, "forget");
  assert.equal(leaving(undefined).handover.schema, 1);
  assert.throws(() => leaving("all"), TypeError);
  assert.throws(
    () =>
      start({
        terminate: () => {
          throw new Failure("busy", "not now");
        },
      }).stop(),
    { code: "busy" },
  );
});

test("the tree is asked by its own module", () => {
  const actor = start({
    handle(_, cx) {
      const around = supervision(cx);
      around.startChild({ name: "w/1", plugin: "worker", args: { n: 1 } }, "boss");
      around.startChild({
        name: "w/2",
        plugin: "worker",
        restart: "temporary",
        shutdown: "infinity",
        significant: true,
      });
      around.link("a");
      around.exit("b", "shutdown");
      around.dispatch("news", { say: 1 });
      around.setAttribute("colour", null);
      return [
        around.whereis("a"),
        around.whereis("x"),
        around.members("g"),
        around.attribute("a", "k"),
        around.having("k", "v"),
        around.whichChildren(),
        around.countChildren(),
      ];
    },
  });
  actor.setPhase("a", "running");
  actor.setMembers("g", ["a"]);
  actor.setAttribute("a", "k", "v");
  const child = {
    name: "w/1",
    supervisor: null,
    kind: { tag: "worker" },
    state: { tag: "up" },
    restart: "permanent",
    shutdown: { tag: "after-ms", val: 5000 },
    significant: false,
    restarts: 0,
    lastExit: null,
  };
  actor.setChildren(null, [child]);
  const told = { ...child, kind: "worker", state: "up", shutdown: 5000 };
  assert.deepEqual(actor.call(1), [
    "running",
    null,
    ["a"],
    "v",
    ["a"],
    [told],
    { specs: 1, active: 1, supervisors: 0, workers: 1 },
  ]);
  assert.deepEqual(actor.asked(), [
    [
      "start-child",
      "boss",
      {
        name: "w/1",
        plugin: "worker",
        args: { n: 1 },
        restart: "permanent",
        shutdown: { tag: "after-ms", val: 5000 },
        significant: false,
      },
    ],
    [
      "start-child",
      null,
      {
        name: "w/2",
        plugin: "worker",
        args: new Uint8Array(0),
        restart: "temporary",
        shutdown: { tag: "infinity" },
        significant: true,
      },
    ],
    ["link", "a"],
    ["exit", "b", "shutdown"],
    ["dispatch", "news", { say: 1 }],
    ["set-attribute", "colour", null],
  ]);
  actor.refuseSends("already-started");
  assert.throws(() => actor.call(1), { name: "SupervisionError", kind: "already-started" });
});
