import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";

import { findPackage } from "../build/tools.mjs";
import { packLines, placeOf, rewriteStack } from "../lib/lines.js";

const SDK = dirname(dirname(fileURLToPath(import.meta.url)));
const FOLDER = mkdtempSync(join(tmpdir(), "baton-guest-"));
after(() => rmSync(FOLDER, { recursive: true }));

const skip =
  findPackage("esbuild", SDK) && findPackage("componentize-qjs", SDK)
    ? false
    : "run `npm ci` in guest-sdk/javascript first";

const HEAD = `import { Actor, Failure, match, plugin } from "baton-guest";
class Sample extends Actor {
  init() { return {}; }
  handle(message) { return message; }
}
`;
const EXPORT = `export default plugin(Sample, { name: "sample", version: "1.0.0" });\n`;

let projects = 0;

/** Builds a project of these files. */
function build(files, ...options) {
  const project = join(FOLDER, `${++projects}`);
  const manifest = { type: "module", main: "src/index.js" };
  for (const [name, text] of Object.entries({ "package.json": JSON.stringify(manifest), ...files })) {
    mkdirSync(dirname(join(project, name)), { recursive: true });
    writeFileSync(join(project, name), text);
  }
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    [join(SDK, "build.mjs"), "--out", "out/it.wasm", ...options],
    { cwd: project, encoding: "utf8" },
  );
  return { project, status, stdout, stderr, component: join(project, "out/it.wasm") };
}

function fails(files, expected) {
  const { status, stderr, component } = build(files);
  assert.equal(status, 1, stderr);
  assert.match(stderr, expected);
  assert.ok(!existsSync(component));
}

test(
  "the contract is that of the host",
  { skip: !existsSync(join(SDK, "../../wit")) && "not in Baton's own tree" },
  () => {
    const host = readFileSync(join(SDK, "../../wit/actor/0.1.0/actor.wit"), "utf8");
    assert.equal(readFileSync(join(SDK, "wit/actor.wit"), "utf8"), host);
  },
);

test("a project becomes a component", { skip }, () => {
  const files = { "src/index.js": `import "./more.js";\n${HEAD}${EXPORT}`, "src/more.js": "export const more = 1;\n" };
  const { status, stdout, stderr, component, project } = build(
    files,
    "--inputs",
    "out/inputs",
    "--bundle",
    "out/it.js",
  );
  assert.equal(status, 0, stderr);
  assert.match(stdout, /it\.wasm: \d+ bytes, world actor$/m);
  assert.deepEqual([...readFileSync(component).subarray(0, 8)], [0, 0x61, 0x73, 0x6d, 0x0d, 0, 1, 0]);
  assert.ok(statSync(component).size < 1_700_000);
  assert.ok(readFileSync(join(project, "out/inputs"), "utf8").includes(join(project, "src", "more.js")));
  assert.doesNotMatch(readFileSync(join(project, "out/it.js"), "utf8"), /baton:actor\/supervision/);
});

test("supervision is imported where it is used", { skip }, () => {
  const used = `import { supervision } from "baton-guest/supervision";\nglobalThis.around = supervision;\n`;
  const { status, stdout, stderr } = build({ "src/index.js": used + HEAD + EXPORT });
  assert.equal(status, 0, stderr);
  assert.match(stdout, /world supervised-actor$/m);
});

test("what is wrong is told with its place", { skip }, () => {
  const index = (code) => ({ "src/index.js": code });
  fails(index(`${HEAD}let x = ;`), /src\/index\.js:6:8/);
  fails(index(HEAD), /No matching export in "src\/index\.js" for import "default"/);
  fails(index(`${HEAD}export default Sample;`), /its default export is not what plugin\(…\) returns/);
  fails(index(`import "node:fs";\n${HEAD}${EXPORT}`), /there is no node:fs in a plugin/);
  fails(index(`import "baton-guest/testing";\n${HEAD}${EXPORT}`), /baton-guest\/testing is for tests/);
  fails(
    index(`${HEAD}\nconst now = Date.now();\n${EXPORT}`),
    /Date\.now\(\) outside of the actor's methods[^]*src\/index\.js:7/,
  );
  fails(index(`${HEAD}\nconst dice = Math.random();\n${EXPORT}`), /Math\.random\(\) outside of the actor's methods/);
  fails(
    index(`${HEAD}Sample.schema = 3;\nSample.migrations = { 1: (older) => older };\n${EXPORT}`),
    /migrations must lead up to schema 3 without a gap/,
  );
  fails({}, /there is no .*index\.js/);
  fails({ "package.json": "{}" }, /package\.json has no "main"/);
  fails({ "package.json": "{" }, /is no JSON/);
});

test(
  "the types of the SDK say what it does",
  { skip: findPackage("typescript", SDK) === null && "typescript is not installed" },
  () => {
    const tsc = join(findPackage("typescript", SDK).folder, "bin/tsc");
    const { status, stdout } = spawnSync(process.execPath, [tsc, "-p", join(SDK, "tests")], { encoding: "utf8" });
    assert.equal(status, 0, stdout);
  },
);

test("a stack names the author's files", () => {
  const places = [
    null,
    { source: 0, line: 1 },
    { source: 0, line: 2 },
    { source: 0, line: 9 },
    null,
    { source: 1, line: 3 },
    { source: 0, line: 4 },
  ];
  const packed = packLines(places);
  assert.equal(packed, "-,0:1,,6,-,1:3,0:4");
  const lines = { sources: ["src/a.js", "baton-guest/lib/exports.js"], places: packed };
  assert.deepEqual(
    [1, 2, 3, 4, 5, 6, 7, 8].map((line) => placeOf(lines, line)),
    [null, "src/a.js:1", "src/a.js:2", "src/a.js:9", null, "baton-guest/lib/exports.js:3", "src/a.js:4", null],
  );
  const stack =
    "    at f (componentize-qjs:user.js:4:7)\n    at map (native)\n    at turn (componentize-qjs:user.js:6:1)\n";
  assert.equal(rewriteStack(stack, lines), "at f (src/a.js:9)\nat map (native)");
});
