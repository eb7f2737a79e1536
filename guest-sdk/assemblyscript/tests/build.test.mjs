// What the build says no to, and what it makes. Run `node --test` here.

import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

const SCRIPT = fileURLToPath(new URL("../build.mjs", import.meta.url));
const RAW = readFileSync(new URL("raw/assembly/index.ts", import.meta.url), "utf8");

/** A project's folder with this source, as long as `use` runs. */
function inFolder(source, use) {
  const folder = mkdtempSync(join(tmpdir(), "baton-"));
  try {
    mkdirSync(join(folder, "assembly"));
    if (source !== null) writeFileSync(join(folder, "assembly", "index.ts"), source);
    return use(folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function built(source) {
  return inFolder(source, (folder) => {
    execFileSync(process.execPath, [SCRIPT, "--out", "build/plugin.raw.wasm"], { cwd: folder });
    return readFileSync(join(folder, "build", "plugin.raw.wasm"));
  });
}

function refused(source, ...words) {
  inFolder(source, (folder) => {
    const { status, stderr } = spawnSync(process.execPath, [SCRIPT, "--out", "x.wasm"], { cwd: folder });
    const said = stderr.toString();
    assert.equal(status, 1, said);
    for (const word of words) assert.ok(said.includes(word), said);
  });
}

test("the same sources make the same bytes, wherever they lie", () => {
  assert.deepEqual(built(RAW), built(RAW));
});

test("a module has the contract's names, and imports what it uses", () => {
  const module = new WebAssembly.Module(built(`${RAW}\nexport function mine(): void {}`));
  const names = WebAssembly.Module.exports(module).map(({ name }) => name);
  const its = ["describe", "init", "continue", "handle", "snapshot", "terminate"];
  const lifecycle = its.map((name) => `baton:actor/lifecycle@0.1.0#${name}`);
  const all = ["memory", "_initialize", "cabi_realloc", ...lifecycle, ...lifecycle.map((name) => `cabi_post_${name}`)];
  assert.deepEqual(names.sort(), all.sort());
  assert.deepEqual(WebAssembly.Module.imports(module), [
    { module: "baton:actor/host@0.1.0", name: "log", kind: "function" },
  ]);
});

test("what is wrong is told with what to do", () => {
  refused(null, "there is no assembly/index.ts in");
  refused(RAW.replace("body.length", "body.size"), "assembly/index.ts(", "does not compile: 1 compile error");
  refused(RAW.replace("const before", "process.exit(1); const before"), "a plugin cannot import process.exit");
  refused(`declare function beep(): void;\nbeep();\n${RAW}`, "a plugin cannot import index.beep");
});

test("the tools that are found are told", () => {
  const told = JSON.parse(execFileSync(process.execPath, [SCRIPT, "--check"]).toString());
  assert.equal(told.node, process.versions.node);
  assert.match(told.assemblyscript, /^0\.\d+\.\d+/);
});
