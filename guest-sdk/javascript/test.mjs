#!/usr/bin/env node
// Runs a project's test/*.test.ts and test/*.test.js under `node --test`. Each is bundled first: so Node 20 runs
// TypeScript as well, and `baton-guest` is found where npm has not linked it. Further arguments go to `node --test`.

import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync } from "node:fs";
import { extname, join, resolve } from "node:path";
import { pathToFileURL } from "node:url";

import { SDK } from "./build/common.mjs";
import { load } from "./build/tools.mjs";

const project = resolve(".");
// Beside the sources, so that what is left outside of the bundle is found from there.
const out = join(project, "build", "test");

try {
  const esbuild = await load("esbuild", project);
  const folder = join(project, "test");
  const files = existsSync(folder) ? readdirSync(folder).filter((file) => /\.test\.[cm]?[jt]s$/.test(file)) : [];
  if (files.length === 0) throw new Error(`there is no test/*.test.ts or .js in ${project}`);
  rmSync(out, { recursive: true, force: true });
  mkdirSync(out, { recursive: true });
  await esbuild.build({
    entryPoints: files.map((file) => join(folder, file)),
    outdir: out,
    outExtension: { ".js": ".mjs" },
    bundle: true,
    format: "esm",
    platform: "node",
    target: "node20",
    sourcemap: "inline",
    logLevel: "warning",
    plugins: [{ name: "project", setup: keepPlaces }],
  });
  const tests = readdirSync(out).map((file) => join(out, file));
  const { status } = spawnSync(
    process.execPath,
    ["--enable-source-maps", "--test", ...process.argv.slice(2), ...tests],
    { stdio: "inherit" },
  );
  process.exitCode = status ?? 1;
} catch (error) {
  console.error(`error: ${error.message}`);
  if (error.hint) console.error(`hint: ${error.hint}`);
  process.exitCode = 1;
}

/** The SDK is imported as it is, so that there is one of it, and `import.meta.url` is that of the source. */
function keepPlaces(build) {
  build.onResolve({ filter: /^baton-guest(\/.*)?$/ }, ({ path }) => {
    const part = path.slice("baton-guest/".length) || "index";
    return { path: pathToFileURL(join(SDK, `${part}.js`)).href, external: true };
  });
  build.onLoad({ filter: /\.[cm]?[jt]sx?$/ }, ({ path }) => {
    const url = JSON.stringify(pathToFileURL(path).href);
    const loader = extname(path).replace(/[.cm]/g, "");
    return { contents: readFileSync(path, "utf8").replaceAll("import.meta.url", url), loader };
  });
}
