import { dirname } from "node:path";
import { fileURLToPath } from "node:url";

/** The folder of the SDK. */
export const SDK = dirname(dirname(fileURLToPath(import.meta.url)));

/** What ends the build: a message for its author, and what to do about it. */
export class Stop extends Error {
  constructor(message, hint) {
    super(message);
    this.hint = hint;
  }
}
