// One file of the author's modules and the SDK.

import { existsSync } from "node:fs";
import { builtinModules } from "node:module";
import { join, relative, resolve } from "node:path";

import { packLines } from "../lib/lines.js";
import { SDK, Stop } from "./common.mjs";
import { readPlaces } from "./sourcemap.mjs";

const HOST = "baton:actor/host@0.1.0";
const SUPERVISION = "baton:actor/supervision@0.1.0";

/** Stands in the bundle where the table of lines goes. */
const LINES = "@baton-lines@";

/** `{ code, world, lines, inputs, warnings }`. */
export async function bundle(esbuild, project, entry) {
  // Whether a plugin imports supervision shows only when it is bundled: what its code does not use is left out.
  let result = await run(esbuild, project, entry, false);
  const supervises =
    (result.metafile.outputs["plugin.js"]?.inputs[input(project, join(SDK, "supervision.js"))]?.bytesInOutput ?? 0) > 0;
  if (supervises) result = await run(esbuild, project, entry, true);

  const file = (end) => result.outputFiles.find(({ path }) => path.endsWith(end)).text;
  const map = JSON.parse(file(".js.map"));
  const lines = { sources: map.sources.map((source) => nameOf(project, source)), places: packLines(readPlaces(map)) };
  return {
    // The table is on a line of its own, so that it moves no other.
    code: file(".js").replace(JSON.stringify(LINES), () => JSON.stringify(lines)),
    world: supervises ? "supervised-actor" : "actor",
    lines,
    inputs: Object.keys(result.metafile.inputs)
      .map((path) => resolve(project, path))
      .filter((path) => existsSync(path)),
    warnings: result.warnings,
  };
}

/** What esbuild calls a file. */
function input(project, file) {
  return relative(project, file).replaceAll("\\", "/");
}

/** What a stack calls a file: the author's by its place in the project, the SDK's by its package. */
function nameOf(project, source) {
  const path = resolve(project, source);
  const within = relative(SDK, path).replaceAll("\\", "/");
  return within.startsWith("..") ? input(project, path) : `baton-guest/${within}`;
}

async function run(esbuild, project, entry, supervises) {
  const own = (file) => JSON.stringify(join(SDK, "lib", file));
  const lines = [
    `import ${own("install.js")};`,
    `import * as host from "${HOST}";`,
    supervises ? `import * as supervision from "${SUPERVISION}";` : "const supervision = null;",
    `import { exportsOf } from ${own("exports.js")};`,
    `import plugin from ${JSON.stringify(`./${input(project, entry)}`)};`,
    `export const lifecycle = exportsOf(plugin, host, supervision, ${JSON.stringify(LINES)});`,
  ];
  try {
    return await esbuild.build({
      stdin: { contents: lines.join("\n"), resolveDir: project, sourcefile: "baton-entry.js" },
      absWorkingDir: project,
      outfile: "plugin.js",
      bundle: true,
      write: false,
      format: "esm",
      platform: "neutral",
      target: "es2024",
      mainFields: ["module", "main"],
      conditions: ["import", "module"],
      charset: "utf8",
      legalComments: "none",
      sourcemap: "external",
      sourcesContent: false,
      metafile: true,
      external: ["baton:*"],
      define: { "process.env.NODE_ENV": '"production"' },
      logLevel: "silent",
      plugins: [sdkOf(), withoutNode()],
    });
  } catch (error) {
    if (!Array.isArray(error.errors)) throw error;
    const told = await esbuild.formatMessages(error.errors, { kind: "error", color: process.stderr.isTTY });
    throw new Stop(`${input(project, entry)} cannot be bundled\n\n${told.join("").trimEnd()}`);
  }
}

/** `baton-guest` is this SDK, whether or not npm has linked it. */
function sdkOf() {
  return {
    name: "baton-guest",
    setup(build) {
      build.onResolve({ filter: /^baton-guest(\/.*)?$/ }, ({ path }) => {
        const part = path.slice("baton-guest/".length) || "index";
        if (["index", "postcard", "supervision"].includes(part)) return { path: join(SDK, `${part}.js`) };
        const text =
          part === "testing" ? `${path} is for tests, which are not part of a plugin` : `there is no ${path}`;
        return { errors: [{ text }] };
      });
    },
  };
}

function withoutNode() {
  const names = builtinModules.filter((name) => !name.startsWith("_")).join("|");
  return {
    name: "without-node",
    setup(build) {
      build.onResolve({ filter: new RegExp(`^(node:.*|(${names})(/.*)?)$`) }, async ({ path, ...how }) => {
        if (how.pluginData === "own") return undefined;
        // A package may have the name of one of Node's modules, such as `events`.
        if (!path.startsWith("node:")) {
          const own = await build.resolve(path, { ...how, pluginData: "own" });
          if (own.errors.length === 0) return own;
        }
        return { errors: [{ text: `there is no ${path} in a plugin: it runs in QuickJS, without what Node brings` }] };
      });
    },
  };
}
