// What of the page needs no browser: words, the tree as rows, addresses, the stream of events.
import assert from "node:assert/strict";
import { test } from "node:test";

const page = (name) => import(`../../host/src/admin/page/${name}.mjs`);
const { body, cause, dump, micros, moment, parts, plain, readable, size, span } = await page("text");
const { countBelow, grow, pathOf, phaseOf, rows } = await page("tree");
const { address, readRoute, tokenIn } = await page("route");
const { Frames, query } = await page("api");

test("what would not be seen in a name is written out, and nothing else is", () => {
  for (const [name, shown] of [
    ["cart/1", "cart/1"],
    ["<script>", "<script>"],
    ["Zoë/東京/🎈", "Zoë/東京/🎈"],
    ["a\u202Eb", "a⟨U+202E⟩b"],
    ["a\u200Bb", "a⟨U+200B⟩b"],
    ["\u001b[31m", "⟨U+001B⟩[31m"],
    ["\uFEFF", "⟨U+FEFF⟩"],
    ["a\u2028b", "a⟨U+2028⟩b"],
    ["x\u0007", "x⟨U+0007⟩"],
    ["\u3164", "⟨U+3164⟩"],
    ["\u{E0001}", "⟨U+E0001⟩"],
  ])
    assert.equal(plain(name), shown);
  assert.deepEqual(
    parts("a\u202Eb").map((part) => part.odd),
    [false, true, false],
  );
});

test("bodies are laid out as text where they are text, and as bytes where they are not", () => {
  assert.equal(readable('{"a":[1]}'), '{\n  "a": [\n    1\n  ]\n}');
  assert.equal(readable('{"id":12345678901234567890}'), '{"id":12345678901234567890}', "a number that would change");
  assert.equal(readable("one\ntwo\u001b"), "one\ntwo⟨U+001B⟩");
  assert.deepEqual(body({ body_bytes: 2, body_hex: "ff41" }), { text: dump("ff41"), cut: false, binary: true });
  assert.match(dump("ff41"), /^000000 {2}ff 41 +·A$/);
  assert.equal(body({ body_bytes: 1, body_text: "\u0006" }).binary, true);
  assert.deepEqual(body({ body_bytes: 9, body_text: "abc" }), { text: "abc", cut: true, binary: false });
});

test("sizes and times have the unit that fits", () => {
  assert.deepEqual([0, 1023, 1024, 10_240, 1_048_575, 5 << 20].map(size), [
    "0 B",
    "1023 B",
    "1.0 KiB",
    "10 KiB",
    "1.0 MiB",
    "5.0 MiB",
  ]);
  assert.deepEqual([0, 999, 1_500, 15_000, 1_500_000, null].map(micros), [
    "0 µs",
    "999 µs",
    "1.5 ms",
    "15 ms",
    "1.5 s",
    "–",
  ]);
  assert.deepEqual([5, 59_000, 61_000, 3_600_000, 90_000_000].map(span), [
    "5 ms",
    "59 s",
    "1 min 1 s",
    "1 h 0 min",
    "1 d 1 h",
  ]);
  const noon = new Date(2026, 10, 28, 12, 0, 5).getTime();
  assert.equal(moment(noon, noon), "12:00:05");
  assert.equal(moment(noon, noon + 86_400_000), "2026-11-28 12:00:05");
  assert.equal(cause({ stopped: "restart" }), "stopped (restart)");
});

const child = (name, supervisor = null, supervises = null, state = "running") => ({
  name,
  supervisor,
  supervises,
  state,
  restarts: 0,
});
const one = (name, more = {}) => ({
  name,
  plugin: "p",
  version: "1.0.0",
  phase: "running",
  waiting: 0,
  handled: 0,
  restarts: 0,
  ...more,
});
const S = { strategy: "one_for_one", children: { active: 1, specs: 1 } };
const grown = grow(
  [child("top", null, S), child("a", "top"), child("in", "top", S), child("b", "in"), child("z", null, null, "down")],
  [one("a", { waiting: 7 }), one("b", { phase: "held", plugin: "q" }), one("lost")],
);
const names = (wish) =>
  rows(grown, wish).map((row) => `${" ".repeat(row.level - 1)}${row.node.name}${row.above ? "^" : ""}`);

test("the tree is told in its order, and what is closed hides what is below", () => {
  assert.deepEqual(names({}), ["top", " a", " in", "  b", "z", "lost"]);
  assert.deepEqual(names({ collapsed: new Set(["in"]) }), ["top", " a", " in", "z", "lost"]);
  assert.deepEqual(
    rows(grown, {}).map((row) => [row.at, row.of]),
    [
      [1, 3],
      [1, 2],
      [2, 2],
      [1, 1],
      [2, 3],
      [3, 3],
    ],
  );
  assert.equal(phaseOf(grown.nodes.get("z")), "down");
  assert.deepEqual(pathOf(grown, "b"), ["top", "in"]);
  assert.deepEqual(countBelow(grown, "top"), { actors: 2, supervisors: 1 });
});

test("a search keeps what stands above its matches, and sorting lays all flat", () => {
  assert.deepEqual(names({ query: "B" }), ["top^", " in^", "  b"]);
  assert.deepEqual(names({ plugin: "q" }), ["top^", " in^", "  b"]);
  assert.deepEqual(names({ phases: new Set(["held"]) }), ["top^", " in^", "  b"]);
  assert.deepEqual(names({ query: "nobody" }), []);
  assert.deepEqual(names({ sort: "mailbox" }).slice(0, 2), ["a", "b"]);
  assert.deepEqual(names({ sort: "name", turned: true }), ["z", "top", "lost", "in", "b", "a"]);
  assert.deepEqual(names({ sort: "phase" })[0], "b");
});

test("an address leads where it says, whatever stands in it", () => {
  for (const name of ["a/b", "<script>", "%", "#x", "..", "ü\u202E"]) {
    assert.deepEqual(readRoute(address("actors", name, "history")), { view: "actors", name, tab: "history" });
  }
  for (const bad of ["", "#", "#/nowhere/x", "#/actors/%E0%A4%A"]) {
    assert.deepEqual(readRoute(bad), { view: "actors", name: null, tab: null });
  }
  assert.equal(tokenIn("#token=a%2Bb"), "a+b");
  assert.equal(tokenIn("#/actors/token=x"), null);
  assert.equal(query({ a: "x y", b: null, c: 0 }), "?a=x%20y&c=0");
});

test("events are whole however the stream is cut", () => {
  const stream =
    ': heart\n\nid: 7\nevent: crashed\ndata: {"sequence":7,\ndata: "x":"é"}\n\n:\n\nid: 8\nevent: running\ndata: {}\n\n';
  for (const step of [1, 3, 7, stream.length]) {
    const frames = new Frames();
    const found = [];
    for (let at = 0; at < stream.length; at += step) found.push(...frames.push(stream.slice(at, at + step)));
    assert.deepEqual(
      found.map((event) => [event.id, event.event]),
      [
        ["7", "crashed"],
        ["8", "running"],
      ],
    );
    assert.deepEqual(JSON.parse(found[0].data), { sequence: 7, x: "é" });
  }
});

test("an event is told in the words of the command, and a kind that is new as it is", async () => {
  const { eventText } = await page("saying");
  for (const [kind, detail, says] of [
    ["starting", null, ""],
    ["running", { handed_over: true, switched_from: null }, "its state was handed over"],
    ["running", { handed_over: true, switched_from: "0.9.0" }, "switched from 0.9.0"],
    ["running", { handed_over: false, switched_from: null }, "it begins anew"],
    ["stopped", { reason: "normal", committed: 4, not_saved: null }, "normal, saved as record 4"],
    ["stopped", { reason: "shutdown", not_saved: "it was killed" }, "shutdown, not saved: it was killed"],
    ["crashed", { why: "unreachable", during: "handle" }, "in handle: unreachable"],
    ["restarted", { restarts: 2 }, "restart 2"],
    [
      "swap",
      { from: "1.0.0", to: "2.0.0", phase: "ended", done: 3, total: 3, outcome: "done", why: null },
      "1.0.0 to 2.0.0: ended, 3 of 3, done",
    ],
    ["plugin", { change: "loaded", digest: "0123456789abcdef" }, "loaded (0123456789ab)"],
    [
      "dead-letter",
      { to: "x", message: "cast", from: "y", why: "no such actor", more: 2 },
      "cast for x from y: no such actor (and 2 before it that were not told)",
    ],
    ["store", { trouble: null }, "it answers again"],
    ["host", { state: "ready" }, "ready"],
    ["behind", { missed: null }, "what an earlier host told is not kept"],
    ["novel", { a: 1 }, '{"a":1}'],
  ])
    assert.equal(eventText({ kind, detail }), says, kind);
});
