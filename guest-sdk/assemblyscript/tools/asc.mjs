// The compiler: an npm package of the project, of the folders that BATON_TOOLS and NODE_PATH name, or of the SDK.

import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { delimiter, dirname, join } from "node:path";
import { pathToFileURL } from "node:url";

import { SDK, Stop } from "./common.mjs";

/** The version that the SDK is tried with. */
export const WANTED = "0.28.20";
const OLDEST = [0, 28];

/** Where the package lies, and its version; null where it is not installed. */
export function findAsc(project) {
  const named = (process.env.BATON_TOOLS ?? "").split(delimiter).filter((folder) => folder !== "");
  for (const root of [project, ...named, SDK]) {
    const folders = createRequire(join(root, "package.json")).resolve.paths("assemblyscript") ?? [];
    for (const folder of folders) {
      const manifest = join(folder, "assemblyscript", "package.json");
      if (existsSync(manifest))
        return { folder: dirname(manifest), version: JSON.parse(readFileSync(manifest, "utf8")).version };
    }
  }
  return null;
}

/** The compiler's own module: `main`, and the library that it brings. */
export async function loadAsc(project) {
  const found = findAsc(project);
  if (found === null) {
    throw new Stop(
      `assemblyscript is not installed for ${project}`,
      `run \`npm install\` there; its package.json names "assemblyscript": "${WANTED}" among its devDependencies`,
    );
  }
  const [major, minor] = found.version.split(".").map(Number);
  if (major < OLDEST[0] || (major === OLDEST[0] && minor < OLDEST[1])) {
    throw new Stop(
      `assemblyscript ${found.version} in ${found.folder} is too old: ${OLDEST.join(".")} or newer is needed`,
      `run \`npm install --save-dev assemblyscript@${WANTED}\``,
    );
  }
  try {
    return await import(pathToFileURL(join(found.folder, "dist", "asc.js")));
  } catch (error) {
    throw new Stop(
      `assemblyscript ${found.version} in ${found.folder} does not load: ${error.message.split("\n")[0]}`,
      "remove node_modules and run `npm install`",
    );
  }
}
