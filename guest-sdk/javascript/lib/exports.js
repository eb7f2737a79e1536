// The component's exports. An error becomes the contract's, or is written to the log and then is a trap.

import { Failure, Refusal, tell } from "./errors.js";
import { goLive } from "./globals.js";
import { Instance, describe } from "./instance.js";
import { rewriteStack } from "./lines.js";
import { Plugin } from "./plugin.js";

/**
 * The object that the componentizer takes for the interface `lifecycle`. `host` and `supervision` are the imports,
 * `lines` tells where each line of the bundle comes from.
 */
export function exportsOf(plugin, host, supervision, lines) {
  if (!(plugin instanceof Plugin)) throw new TypeError("its default export is not what plugin(…) returns");
  const imports = supervision === null ? host : { ...host, supervision };
  const report = (error) => logCrash(host, error, lines);
  let instance = null;

  // The contract's errors are thrown as plain objects: the componentizer takes an Error for a crash.
  const turn = (run) => {
    goLive(host);
    try {
      return run();
    } catch (error) {
      if (error instanceof Failure) throw { code: error.code.toWellFormed(), message: error.message.toWellFormed() };
      if (error instanceof Refusal) throw { tag: error.kind, val: error.message.toWellFormed() };
      report(error);
      throw error instanceof Error ? error : new Error(tell(error));
    }
  };

  return {
    describe: () => describe(plugin),
    init: (context) =>
      turn(() => {
        instance = new Instance(plugin, imports, report);
        return instance.init(context);
      }),
    continue: (generation, handoff) => turn(() => instance.continue(generation, handoff)),
    handle: (message) => turn(() => instance.handle(message)),
    snapshot: () => turn(() => instance.snapshot()),
    terminate: (reason, budgetMs) => turn(() => instance.terminate(reason, budgetMs)),
  };
}

function logCrash(host, error, lines) {
  const fields = [];
  if (typeof error?.stack === "string") fields.push(["stack", rewriteStack(error.stack, lines).toWellFormed()]);
  for (let cause = error?.cause; cause !== undefined && fields.length < 4; cause = cause?.cause) {
    fields.push(["cause", tell(cause).toWellFormed()]);
  }
  host.log("error", `exception: ${tell(error)}`.toWellFormed(), fields);
}
