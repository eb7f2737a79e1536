// Tests of a plugin without a host, under `node --test`: the plugin is compiled, and Node runs it.

import { resolve } from "node:path";
import { fileURLToPath } from "node:url";

import { compile } from "./tools/compile.mjs";
import { Guest } from "./testing/guest.mjs";
import { Recorder } from "./testing/recorder.mjs";

export { playFixtures } from "./testing/fixtures.mjs";
export { Crash, Failure, Refusal } from "./testing/guest.mjs";
export { Harness } from "./testing/harness.mjs";

/**
 * Compiles a project's plugin, and asks it what it is.
 *
 *     const plugin = await load(new URL("..", import.meta.url));
 */
export async function load(folder, { entry } = {}) {
  const project = resolve(folder instanceof URL ? fileURLToPath(folder) : folder);
  const wasm = await compile(project, { entry, say: (text) => process.stderr.write(text) });
  const module = new WebAssembly.Module(wasm);
  return { module, ...new Guest(module, new Recorder().functions()).describe() };
}
