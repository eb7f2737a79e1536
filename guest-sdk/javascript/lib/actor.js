// What an author writes.

import { Failure } from "./errors.js";

/** An actor. `this.state` is what outlives the instance; other fields are gone with it. */
export class Actor {
  /** Number of the state's layout. */
  static schema = 1;
  /** By schema n: the function that makes of a state of layout n one of layout n + 1. */
  static migrations = {};
  /** By schema n, newer than this: the function that makes of a state of layout n one of this layout. */
  static newer = {};
  /** By schema: how its bytes are written. JSON where nothing is said. */
  static encodings = {};
  /** Whether `terminate` is called at a stop, and `exit` when a linked actor ends, in place of ending with it. */
  static trapExit = true;

  state;

  trapsExits(_cx) {
    return this.constructor.trapExit;
  }

  started(_cx) {}

  resumed(_predecessor, _cx) {}

  validate(_state) {}

  timer(name, _cx) {
    throw new Failure("unexpected-timer", `nothing is done with the timer ${JSON.stringify(name)}`);
  }

  down(actor, reason, cx) {
    cx.info("nothing is done about the end of an actor", { down: actor, reason });
  }

  exit(actor, reason, cx) {
    cx.info("nothing is done about an exit", { exit: actor, reason });
  }

  other(kind, _data, _cx) {
    throw new Failure("unsupported", `messages of the kind ${JSON.stringify(kind)} are not known here`);
  }

  terminate(_reason, _budgetMs, _cx) {
    return "save";
  }
}
