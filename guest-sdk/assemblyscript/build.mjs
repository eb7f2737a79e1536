#!/usr/bin/env node
// Builds a plugin: a core module whose exports have the contract's names, of which the host makes a component.
//
//     node sdk/build.mjs --out build/plugin.raw.wasm
//
// It runs offline, and reads nothing but the project, the SDK and the compiler in node_modules. The same sources make
// the same bytes, wherever the folder lies.

import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { parseArgs } from "node:util";

import { findAsc } from "./tools/asc.mjs";
import { Stop } from "./tools/common.mjs";
import { compile } from "./tools/compile.mjs";

const USAGE = `Usage: node build.mjs --out FILE [options]
       node build.mjs --check

  --out FILE       where the module goes
  --project DIR    the project [default: this folder]
  --entry FILE     the module that calls \`plugin\` [default: assembly/index.ts]
  --check          print the tools that are found, as JSON`;

const OPTIONS = {
  out: { type: "string" },
  project: { type: "string", default: "." },
  entry: { type: "string" },
  check: { type: "boolean", default: false },
  help: { type: "boolean", short: "h", default: false },
};

async function main() {
  const { values } = usage(() => parseArgs({ options: OPTIONS }));
  if (values.help) return console.log(USAGE);
  const project = resolve(values.project);
  if (values.check) {
    const assemblyscript = findAsc(project)?.version ?? null;
    return console.log(JSON.stringify({ node: process.versions.node, assemblyscript }));
  }
  if (!values.out) throw new Stop(`--out is missing\n\n${USAGE}`);
  const [major] = process.versions.node.split(".");
  if (Number(major) < 20) throw new Stop(`Node ${process.versions.node} is too old`, "install Node 20 or newer");
  const say = (text) => process.stderr.write(text);
  const wasm = await compile(project, { entry: values.entry, say, isTTY: process.stderr.isTTY });
  mkdirSync(dirname(resolve(values.out)), { recursive: true });
  writeFileSync(values.out, wasm);
  console.log(`${values.out}: ${wasm.length} bytes`);
}

function usage(parse) {
  try {
    return parse();
  } catch (error) {
    throw new Stop(`${error.message}\n\n${USAGE}`);
  }
}

try {
  await main();
} catch (error) {
  if (!(error instanceof Stop)) throw error;
  console.error(`error: ${error.message}`);
  if (error.hint) console.error(`hint: ${error.hint}`);
  process.exitCode = 1;
}
