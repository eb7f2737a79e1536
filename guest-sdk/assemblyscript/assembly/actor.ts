// What an author writes: the actor, and the layouts that its state once had.

import { Cx, Level } from "./cx";
import { Failure, Refusal, Reply } from "./errors";
import { Json } from "./json";
import { Reader, Writer } from "./postcard";

/** A layout of a state: the actor's own, or one that older or newer versions wrote. */
export abstract class State {
  /**
   * Reads the fields in the order in which they were written. What does not decode reads as 0; the SDK looks for it.
   */
  abstract load(r: Reader): void;
}

/**
 * An actor. What `save` writes of its fields outlives the instance, and `load` reads it into the next one; everything
 * else is the instance's own, and gone with it.
 *
 * Only `save`, `load` and `handle` must be there.
 */
export abstract class Actor extends State {
  /** Writes the state. Raise the schema with every change of what is written here. */
  abstract save(w: Writer): void;

  /** Makes a fresh state of `cx.args`. No effects: a state that the predecessor left takes the place of this one. */
  init(cx: Cx): Failure | null {
    return null;
  }

  /** Handles a message, and gives its reply or a failure; the actor lives on with whatever it has changed. */
  handle(message: Json, cx: Cx): Reply {
    return cx.badMessage("nothing: this plugin takes no messages");
  }

  /** Takes bodies as they are, for a plugin whose messages are not JSON. */
  handleBytes(body: Uint8Array, cx: Cx): Reply {
    const message = cx.messageOf(body);
    return message.isInvalid ? cx.notTaken(message.problem!) : this.handle(message, cx);
  }

  /** Nothing was there to take over: the state that `init` made is the one. The place to set first timers. */
  started(cx: Cx): Refusal | null {
    return null;
  }

  /**
   * The fields are now what `predecessor` left: decoded, migrated and valid. A refusal leaves the state in the store.
   */
  resumed(predecessor: Predecessor, cx: Cx): Refusal | null {
    return null;
  }

  /** What must hold of every state taken over. What is returned says what is broken; null: nothing. */
  validate(): string | null {
    return null;
  }

  /** A timer that this actor, or its predecessor, set has come due. */
  timer(name: string, cx: Cx): Failure | null {
    return new Failure("unexpected-timer", `nothing is done with the timer "${name}"`);
  }

  /**
   * An actor that this one monitors has ended, or was not there: `normal`, `shutdown`, `killed`, `noproc`, `crash: …`.
   */
  down(actor: string, reason: string, cx: Cx): Failure | null {
    cx.log(Level.Info, "nothing is done about the end of an actor", ["down", actor, "reason", reason]);
    return null;
  }

  /** An actor that this one is linked to has ended, or sent it an exit. Told only to those who trap exits. */
  exit(actor: string, reason: string, cx: Cx): Failure | null {
    cx.log(Level.Info, "nothing is done about an exit", ["exit", actor, "reason", reason]);
    return null;
  }

  /** A kind of message that this version of the contract has no word for. */
  other(kind: string, data: Uint8Array, cx: Cx): Failure | null {
    return new Failure("unsupported", `messages of the kind "${kind}" are not known here`);
  }

  /**
   * The last call. The reason is `normal`, `shutdown`, `upgrade`, `passivate`, `relocate`, `restart`, or another word;
   * `budgetMs` is what is left for it, `NO_LIMIT` where there is none.
   */
  terminate(reason: string, budgetMs: u64, cx: Cx): Leave {
    return Leave.save();
  }

  /**
   * Whether `terminate` is called when the actor is told to stop, and `exit` when a linked actor ends, instead of
   * ending too. Asked once, right after `init`.
   */
  trapsExits(cx: Cx): bool {
    return true;
  }
}

/** A layout that the state had in an older version, or has in a newer one. Never to be changed once it was released. */
export abstract class Layout extends State {
  /**
   * The next layout: of schema 1 that of schema 2, and so on up to the actor; of a newer one the actor directly. What
   * it cannot carry it says with `repair.fail`, and the state is refused.
   */
  abstract become(repair: Repair): State;
}

/** Where a step of a migration says that it cannot be done. */
export class Repair {
  problem: string | null = null;

  /** The first reason counts; what `become` returns is then not looked at. */
  fail(why: string): void {
    if (this.problem === null) this.problem = why;
  }
}

/** What `terminate` leaves to the replacement. */
export class Leave {
  private constructor(
    readonly tag: i32,
    readonly failure: Failure | null = null,
  ) {}

  /** The state as it stands. */
  static save(): Leave {
    return new Leave(0);
  }

  /** What the store has already. */
  static keep(): Leave {
    return new Leave(1);
  }

  /** Nothing: the state in the store and its history are erased. */
  static forget(): Leave {
    return new Leave(2);
  }

  /** It went wrong: told to the operator, and the state in the store stays as it was. */
  static failed(failure: Failure): Leave {
    return new Leave(-1, failure);
  }
}

/** Where a state that was taken over comes from. */
export class Predecessor {
  constructor(
    /** Layout of the state before it was migrated. */
    readonly schema: u32,
    /** `terminated`, `switched`, `checkpoint`, `restored`, or another word. */
    readonly origin: string,
    /** Why it was terminated, as `terminate` was told; empty for other origins. */
    readonly reason: string,
    /** How many messages it had handled since a checkpoint; `NO_LIMIT` where that is not known. */
    readonly handled: u64,
    /** Generation of the instance that wrote it. */
    readonly generation: u64,
    /** Version of the plugin that wrote it. */
    readonly writtenBy: string,
    /** Milliseconds since it was written, by the host's clock; 0 if that clock went back. */
    readonly ageMs: u64,
  ) {}
}
