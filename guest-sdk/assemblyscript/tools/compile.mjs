// Runs the compiler over a project, and makes of what it gives a core module with the contract's names.

import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join, relative, resolve } from "node:path";

import { loadAsc } from "./asc.mjs";
import { SDK, Stop } from "./common.mjs";

const LIFECYCLE = "baton:actor/lifecycle@0.1.0";

/** The contract's names of what `assembly/exports.ts` exports. Everything else that is exported is dropped. */
const NAMES = {
  cabi_realloc: ["cabi_realloc"],
  describe: [`${LIFECYCLE}#describe`],
  init: [`${LIFECYCLE}#init`],
  takeOver: [`${LIFECYCLE}#continue`],
  handle: [`${LIFECYCLE}#handle`],
  snapshot: [`${LIFECYCLE}#snapshot`],
  terminate: [`${LIFECYCLE}#terminate`],
  release: ["describe", "init", "continue", "handle", "snapshot", "terminate"].map(
    (name) => `cabi_post_${LIFECYCLE}#${name}`,
  ),
};

/** Functions of AssemblyScript's own library, and what of `assembly/globals.ts` is called in their place. */
const REPLACED = {
  "~lib/math/NativeMath.random": "random",
  "~lib/math/NativeMathf.random": "randomF32",
  "~lib/bindings/dom/crypto.getRandomValuesN": "randomValues",
  "~lib/bindings/dom/Date.now": "now",
  "~lib/bindings/dom/performance.now": "now",
  "~lib/bindings/dom/console.assert": "logUnless",
  "~lib/bindings/dom/console.log": "logInfo",
  "~lib/bindings/dom/console.debug": "logDebug",
  "~lib/bindings/dom/console.info": "logInfo",
  "~lib/bindings/dom/console.warn": "logWarn",
  "~lib/bindings/dom/console.error": "logError",
  "~lib/bindings/dom/console.time": "logTime",
  "~lib/bindings/dom/console.timeLog": "logTime",
  "~lib/bindings/dom/console.timeEnd": "logTime",
};

const ENTRY = "baton-entry.ts";
const PACKAGE = /[\\/]node_modules[\\/]baton-guest[\\/](.*)$/;
const OUT = "plugin.wasm";

const OPTIONS = [
  ["--optimizeLevel", "3"],
  ["--shrinkLevel", "1"],
  ["--runtime", "incremental"],
  ["--stackSize", "65536"],
  // Called first, when the host can be asked already: it cannot, in a start function.
  ["--exportStart", "_initialize"],
  ["--use", "abort=baton_abort"],
  ["--use", "trace=baton_trace"],
  // The names of functions, for backtraces.
  ["--debug"],
  ["--outFile", OUT],
].flat();

/**
 * The core module of a project. `say` gets what the compiler prints.
 *
 * @param {string} project its folder
 * @param {{ entry?: string, say?: (text: string) => void, isTTY?: boolean }} how
 */
export async function compile(project, { entry = "assembly/index.ts", say = () => {}, isTTY = false } = {}) {
  const asc = await loadAsc(project);
  if (!existsSync(join(project, entry))) throw new Stop(`there is no ${entry} in ${project}`);
  let wasm = null;
  const { error } = await asc.main([ENTRY, ...OPTIONS, "--baseDir", project], {
    stdout: { write: (text) => say(String(text)), isTTY },
    stderr: { write: (text) => say(String(text)), isTTY },
    readFile: (file, folder) => read(project, entry, resolve(folder, file)),
    writeFile: (file, contents) => {
      if (file === OUT) wasm = contents;
    },
    transforms: [Names],
  });
  if (error) throw new Stop(`${entry} does not compile: ${error.message}`);
  checkImports(new WebAssembly.Module(wasm));
  return wasm;
}

async function read(project, entry, file) {
  if (file === join(project, ENTRY)) {
    const own = `./${relative(project, join(project, entry)).replaceAll("\\", "/")}`.replace(/\.ts$/, "");
    return [
      `export { ${Object.keys(NAMES).join(", ")} } from "baton-guest/assembly/exports";`,
      `export { ${[...new Set(Object.values(REPLACED))].join(", ")} } from "baton-guest/assembly/globals";`,
      `import "${own}";`,
    ].join("\n");
  }
  // The package is this SDK, whether or not npm has linked it.
  const [, within] = PACKAGE.exec(file) ?? [];
  try {
    return await readFile(within === undefined ? file : join(SDK, within), "utf8");
  } catch {
    return null;
  }
}

/**
 * The compiler calls this with what it has made, before that is optimized: what nobody calls any more is then dropped.
 */
class Names {
  afterCompile(module) {
    const { binaryen } = this;
    const exported = new Map();
    for (let i = 0; i < module.getNumExports(); i++) {
      const { name, value, kind } = binaryen.getExportInfo(module.getExportByIndex(i));
      if (kind === binaryen.ExternalFunction) exported.set(name, value);
    }
    for (const [name, own] of Object.entries(REPLACED)) {
      const found = module.getFunction(name);
      if (!found) continue;
      const { params, results } = binaryen.getFunctionInfo(found);
      const given = binaryen.expandType(params).map((type, i) => module.local.get(i, type));
      module.removeFunction(name);
      module.addFunction(name, params, results, [], module.call(exported.get(own), given, results));
    }
    for (const [name, value] of exported) {
      if (name === "_initialize") continue;
      module.removeExport(name);
      for (const its of NAMES[name] ?? []) module.addFunctionExport(value, its);
    }
  }
}

/** What a host of Baton does not have is told here, by its name in the language. */
function checkImports(module) {
  const strange = WebAssembly.Module.imports(module).filter(
    ({ module: from }) => !from.includes(":") && !from.startsWith("wasi_"),
  );
  if (strange.length === 0) return;
  const names = strange.map(({ module: from, name }) => (from === "env" ? name : `${from}.${name}`)).join(", ");
  throw new Stop(
    `a plugin cannot import ${names}: there is no browser, and no Node, around it`,
    "`cx` asks the host; Date.now, Math.random, console.log, performance.now and crypto.getRandomValues do as well",
  );
}
