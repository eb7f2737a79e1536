#!/usr/bin/env node
// Builds a plugin: bundles the project, and makes a component of the bundle and QuickJS.
//
//     node sdk/build.mjs --out NAME.wasm
//
// It runs offline, and reads nothing but the project, the SDK and the tools in node_modules.

import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { parseArgs } from "node:util";

import { bundle } from "./build/bundle.mjs";
import { SDK, Stop } from "./build/common.mjs";
import { findPackage, load, versions } from "./build/tools.mjs";
import { rewriteStack } from "./lib/lines.js";

const USAGE = `Usage: node build.mjs --out FILE [options]
       node build.mjs --check

  --out FILE       where the component goes
  --project DIR    the project [default: this folder]
  --entry FILE     the module whose default export is the plugin [default: "main" of package.json]
  --speed          the larger QuickJS, which computes about twice as fast; as "baton": {"optimize": "speed"} in package.json
  --no-types       do not check the types of a project that has a tsconfig.json
  --bundle FILE    write the bundle there as well
  --inputs FILE    write the files that went into it there, one a line
  --check          print the tools that are found, as JSON`;

const OPTIONS = {
  out: { type: "string" },
  project: { type: "string", default: "." },
  entry: { type: "string" },
  speed: { type: "boolean", default: false },
  "no-types": { type: "boolean", default: false },
  bundle: { type: "string" },
  inputs: { type: "string" },
  check: { type: "boolean", default: false },
  help: { type: "boolean", short: "h", default: false },
};

async function main() {
  const { values } = usage(() => parseArgs({ options: OPTIONS }));
  if (values.help) return console.log(USAGE);
  const project = resolve(values.project);
  if (values.check) return console.log(JSON.stringify({ node: process.versions.node, ...versions(project) }));
  if (!values.out) throw new Stop(`--out is missing\n\n${USAGE}`);

  const [major] = process.versions.node.split(".");
  if (Number(major) < 20) throw new Stop(`Node ${process.versions.node} is too old`, "install Node 20 or newer");
  const manifest = readManifest(project);
  const entry = findEntry(project, values.entry ?? manifest.main);
  const esbuild = await load("esbuild", project);
  const { componentize } = await load("componentize-qjs", project);
  if (!values["no-types"]) checkTypes(project);

  const made = await bundle(esbuild, project, entry);
  for (const warning of await esbuild.formatMessages(made.warnings, { kind: "warning", color: process.stderr.isTTY })) {
    process.stderr.write(warning);
  }
  if (values.bundle) write(values.bundle, made.code);
  if (values.inputs) write(values.inputs, `${made.inputs.join("\n")}\n`);

  const component = await makeComponent(componentize, made, entry, values.speed || wantsSpeed(manifest));
  write(values.out, component);
  console.log(`${values.out}: ${component.length} bytes, world ${made.world}`);
}

function usage(parse) {
  try {
    return parse();
  } catch (error) {
    throw new Stop(`${error.message}\n\n${USAGE}`);
  }
}

function readManifest(project) {
  const file = join(project, "package.json");
  if (!existsSync(file)) throw new Stop(`there is no package.json in ${project}`);
  try {
    return JSON.parse(readFileSync(file, "utf8"));
  } catch (error) {
    throw new Stop(`${file} is no JSON: ${error.message}`);
  }
}

function findEntry(project, main) {
  if (typeof main !== "string") {
    throw new Stop(`package.json has no "main"`, 'name the module that exports the plugin: "main": "src/index.js"');
  }
  const entry = resolve(project, main);
  if (!existsSync(entry)) throw new Stop(`there is no ${entry}`);
  return entry;
}

/** What package.json says under "baton". */
function wantsSpeed({ baton = {} }) {
  const { optimize = "size" } = baton;
  if (optimize !== "size" && optimize !== "speed") {
    throw new Stop(`package.json: "optimize" is "size" or "speed", not ${JSON.stringify(optimize)}`);
  }
  return optimize === "speed";
}

/** esbuild drops types without a look at them. */
function checkTypes(project) {
  if (!existsSync(join(project, "tsconfig.json"))) return;
  const typescript = findPackage("typescript", project);
  if (typescript === null) return console.error("note: typescript is not installed, so types are not checked");
  const tsc = join(typescript.folder, "bin", "tsc");
  const { status, stdout } = spawnSync(process.execPath, [tsc, "--noEmit", "--project", project], {
    encoding: "utf8",
    cwd: project,
  });
  if (status !== 0)
    throw new Stop(`the types do not fit\n\n${(stdout ?? "").trimEnd()}`, "`--no-types` builds without looking");
}

async function makeComponent(componentize, { code, world, lines }, entry, speed) {
  try {
    const { component } = await componentize({
      witPath: join(SDK, "wit", "actor.wit"),
      world,
      jsSource: code,
      // The host grants nothing that QuickJS would ask WASI for.
      stubWasi: true,
      sync: true,
      optSize: !speed,
    });
    return component;
  } catch (error) {
    const told = rewriteStack(error.message, lines).replace(
      /^\W*(Failed to \w+ (user )?JavaScript module( \w+)?: )+/,
      "",
    );
    throw new Stop(
      `${relative(process.cwd(), entry)} fails when it is run for the first time, which is now:\n\n${told}`,
    );
  }
}

/** Whole or not at all. */
function write(file, data) {
  mkdirSync(dirname(resolve(file)), { recursive: true });
  const beside = `${file}.${process.pid}.new`;
  writeFileSync(beside, data);
  renameSync(beside, file);
}

main().catch((error) => {
  console.error(`error: ${error instanceof Stop ? error.message : error.stack}`);
  if (error.hint) console.error(`hint: ${error.hint}`);
  process.exitCode = 1;
});
