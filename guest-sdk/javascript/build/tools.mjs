// The tools of a build: npm packages of the project, of the folders that BATON_TOOLS names, or of the SDK.

import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { delimiter, dirname, join } from "node:path";
import { pathToFileURL } from "node:url";

import { SDK, Stop } from "./common.mjs";

/** Versions that the SDK is tried with. TypeScript is for projects that are written in it. */
const WANTED = { esbuild: "0.28.2", "componentize-qjs": "0.4.5", typescript: "7.0.2" };

/** Where a package lies, and its version; null where it is not installed. */
export function findPackage(name, project) {
  const named = (process.env.BATON_TOOLS ?? "").split(delimiter).filter((folder) => folder !== "");
  for (const root of [project, ...named, SDK]) {
    // By its file: packages need not export their package.json.
    const folders = createRequire(join(root, "package.json")).resolve.paths(name) ?? [];
    for (const folder of folders) {
      const manifest = join(folder, name, "package.json");
      if (existsSync(manifest))
        return { folder: dirname(manifest), version: JSON.parse(readFileSync(manifest, "utf8")).version };
    }
  }
  return null;
}

export async function load(name, project) {
  const found = findPackage(name, project);
  if (found === null) {
    throw new Stop(
      `${name} is not installed for ${project}`,
      `run \`npm install\` there; its package.json names "${name}": "${WANTED[name]}" among its devDependencies`,
    );
  }
  try {
    const require = createRequire(join(found.folder, "package.json"));
    return await import(pathToFileURL(require.resolve(found.folder)));
  } catch (error) {
    throw new Stop(
      `${name} ${found.version} in ${found.folder} does not load: ${error.message.split("\n")[0]}`,
      "it has a part for each kind of machine: if node_modules came from another one, remove it and run `npm install`",
    );
  }
}

/** What `--check` prints: each tool with its version. */
export function versions(project) {
  return Object.fromEntries(Object.keys(WANTED).map((name) => [name, findPackage(name, project)?.version ?? null]));
}
