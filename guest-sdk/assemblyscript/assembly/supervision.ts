// Children, links, groups and names: what an actor can ask of those around it, under OTP's names.

import { RET, lengthAt, takeOptionAt, takeTextAt, takeTextsAt } from "./abi";
import { utf8 } from "./bytes";
import { SendError, SendErrorKind, SupervisionError, SupervisionErrorKind } from "./errors";
import * as host from "./host-supervision";
import { toBytes } from "./json-write";

/** When a child that has ended is started again. */
export enum Restart {
  Permanent,
  /** After a crash. */
  Transient,
  Temporary,
}

/** As `shutdownMs`: killed at once, `terminate` is not called. */
export const BRUTAL_KILL: u64 = 0;
/** As `shutdownMs`: it may take as long as it likes. */
export const INFINITY: u64 = u64.MAX_VALUE;

/** An actor to start: permanent, with 5 s to stop, and without arguments, unless told otherwise. */
export class ChildSpec {
  args: Uint8Array = new Uint8Array(0);
  restart: Restart = Restart.Permanent;
  /** How long it may take to stop, 1 to 86,400,000; or `BRUTAL_KILL`, or `INFINITY`. */
  shutdownMs: u64 = 5_000;
  /** Whether its end, when it is not started again, counts for its supervisor's `auto_shutdown`. */
  significant: bool = false;

  constructor(
    /** Its id, and its name as an actor. */
    public name: string,
    public plugin: string,
  ) {}

  /** Sets what its `init` is given, as JSON. */
  withArgs<T>(args: T): ChildSpec {
    this.args = toBytes<T>(args).toArray();
    return this;
  }

  withRestart(restart: Restart): ChildSpec {
    this.restart = restart;
    return this;
  }

  withShutdown(ms: u64): ChildSpec {
    this.shutdownMs = ms;
    return this;
  }
}

/** A child as its supervisor sees it. */
export class ChildInfo {
  name: string = "";
  /** Null: it stands below the root. */
  supervisor: string | null = null;
  /** `worker`, `supervisor`, or another word. */
  kind: string = "";
  /** `down`, `starting`, `up`, `restarting`, `stopping`, `failed`, or another word. */
  state: string = "";
  restart: Restart = Restart.Permanent;
  shutdownMs: u64 = 0;
  significant: bool = false;
  /** Restarts by its supervisor, since it was added. */
  restarts: u64 = 0;
  /** How it ended last. */
  lastExit: string | null = null;
}

/** What `whichChildren` gives: an error, or a list. */
export class Children {
  error: SupervisionError | null = null;
  list: ChildInfo[] = [];
}

/** What `members` and `having` give: an error, or a list. */
export class Names {
  error: SupervisionError | null = null;
  list: string[] = [];
}

/** What `countChildren` gives: an error, or numbers. */
export class Counts {
  error: SupervisionError | null = null;
  specs: u64 = 0;
  /** Children that run, or are being started or stopped. */
  active: u64 = 0;
  supervisors: u64 = 0;
  workers: u64 = 0;
}

// @ts-ignore: decorator
@lazy const KINDS: string[] = ["worker", "supervisor"];
// @ts-ignore: decorator
@lazy const STATES: string[] = ["down", "starting", "up", "restarting", "stopping", "failed"];
// @ts-ignore: decorator
@lazy const PHASES: string[] = [
  "starting",
  "continuing",
  "running",
  "suspended",
  "stopping",
  "restarting",
  "held",
  "failed",
];

/** A variant whose cases have names alone, but for the last one. */
function wordAt(slot: usize, words: string[]): string {
  const tag = <i32>load<u8>(slot);
  return tag < words.length ? words[tag] : takeTextAt(slot + 4);
}

/** The error of a `result<_, send-error>`; null: it went well. */
export function sendErrorAt(slot: usize): SendError | null {
  if (!load<u8>(slot)) return null;
  const kind = <SendErrorKind>load<u8>(slot, 4);
  return new SendError(kind, kind == SendErrorKind.Limit ? takeTextAt(slot + 8) : "");
}

/** The supervision error whose payload is at `slot`. */
function errorAt(slot: usize): SupervisionError {
  const kind = <SupervisionErrorKind>load<u8>(slot);
  const tells =
    kind == SupervisionErrorKind.BadSpec ||
    kind == SupervisionErrorKind.Failed ||
    kind == SupervisionErrorKind.Limit ||
    kind == SupervisionErrorKind.Other;
  return new SupervisionError(kind, tells ? takeTextAt(slot + 4) : "");
}

function doneOrError(): SupervisionError | null {
  return load<u8>(RET) ? errorAt(RET + 4) : null;
}

function childAt(at: usize): ChildInfo {
  const child = new ChildInfo();
  child.name = takeTextAt(at);
  child.supervisor = takeOptionAt(at + 8);
  child.kind = wordAt(at + 20, KINDS);
  child.state = wordAt(at + 32, STATES);
  child.restart = <Restart>load<u8>(at, 44);
  const shutdown = load<u8>(at, 48);
  child.shutdownMs = shutdown == 0 ? BRUTAL_KILL : shutdown == 1 ? load<u64>(at, 56) : INFINITY;
  child.significant = load<bool>(at, 64);
  child.restarts = load<u64>(at, 72);
  child.lastExit = takeOptionAt(at + 80);
  return child;
}
const CHILD_BYTES: usize = 96;

function optional(text: string | null): ArrayBuffer {
  return text !== null ? utf8(text) : new ArrayBuffer(0);
}

/**
 * The half of `Cx` that is about others. The first six functions wait, at most for what is left of the turn, and act at
 * once, as do the four after them; from `link` on they are effects, and leave when the turn has ended without a crash.
 */
export abstract class Around {
  /** Starts a child below a supervisor, below the root if none is named, and returns when its `init` has. */
  startChild(child: ChildSpec, supervisor: string | null = null): SupervisionError | null {
    const below = optional(supervisor);
    const name = utf8(child.name);
    const plugin = utf8(child.plugin);
    const kill = child.shutdownMs == BRUTAL_KILL;
    const waits = child.shutdownMs == INFINITY;
    host.startChild(
      supervisor !== null ? 1 : 0,
      changetype<usize>(below),
      below.byteLength,
      changetype<usize>(name),
      name.byteLength,
      changetype<usize>(plugin),
      plugin.byteLength,
      child.args.dataStart,
      child.args.length,
      child.restart,
      kill ? 0 : waits ? 2 : 1,
      kill || waits ? 0 : child.shutdownMs,
      child.significant ? 1 : 0,
      RET,
    );
    return doneOrError();
  }

  /** Tells a child to end, and returns when it has. */
  terminateChild(child: string): SupervisionError | null {
    const name = utf8(child);
    host.terminateChild(changetype<usize>(name), name.byteLength, RET);
    return doneOrError();
  }

  /** Starts a child again that has ended. */
  restartChild(child: string): SupervisionError | null {
    const name = utf8(child);
    host.restartChild(changetype<usize>(name), name.byteLength, RET);
    return doneOrError();
  }

  /** Removes the specification of a child that has ended. */
  deleteChild(child: string): SupervisionError | null {
    const name = utf8(child);
    host.deleteChild(changetype<usize>(name), name.byteLength, RET);
    return doneOrError();
  }

  /** The children of a supervisor, of the root if none is named, in the order of their start; at most 10,000. */
  whichChildren(supervisor: string | null = null): Children {
    const below = optional(supervisor);
    host.whichChildren(supervisor !== null ? 1 : 0, changetype<usize>(below), below.byteLength, RET);
    const children = new Children();
    if (load<u8>(RET)) {
      children.error = errorAt(RET + 4);
      return children;
    }
    const at = load<usize>(RET, 4);
    const count = lengthAt(RET + 4);
    for (let i = 0; i < count; i++) children.list.push(childAt(at + <usize>i * CHILD_BYTES));
    if (count > 0) heap.free(at);
    return children;
  }

  countChildren(supervisor: string | null = null): Counts {
    const below = optional(supervisor);
    host.countChildren(supervisor !== null ? 1 : 0, changetype<usize>(below), below.byteLength, RET);
    const counts = new Counts();
    if (load<u8>(RET)) {
      counts.error = errorAt(RET + 8);
      return counts;
    }
    counts.specs = load<u64>(RET, 8);
    counts.active = load<u64>(RET, 16);
    counts.supervisors = load<u64>(RET, 24);
    counts.workers = load<u64>(RET, 32);
    return counts;
  }

  /**
   * Where the actor of that name stands: `starting`, `continuing`, `running`, `suspended`, `stopping`, `restarting`,
   * `held`, `failed`, or another word; null: nobody has the name.
   */
  whereis(actor: string): string | null {
    const name = utf8(actor);
    host.whereis(changetype<usize>(name), name.byteLength, RET);
    return load<u8>(RET) ? wordAt(RET + 4, PHASES) : null;
  }

  /** The members of a group, in the order in which they came; at most 10,000. */
  members(group: string): Names {
    const name = utf8(group);
    host.members(changetype<usize>(name), name.byteLength, RET);
    return this.names();
  }

  /** The value of an actor's attribute. */
  attribute(actor: string, key: string): string | null {
    const name = utf8(actor);
    const which = utf8(key);
    host.attribute(changetype<usize>(name), name.byteLength, changetype<usize>(which), which.byteLength, RET);
    return takeOptionAt(RET);
  }

  /** The actors whose attribute `key` is `value`, in the order of their names; at most 10,000. */
  having(key: string, value: string): Names {
    const which = utf8(key);
    const text = utf8(value);
    host.having(changetype<usize>(which), which.byteLength, changetype<usize>(text), text.byteLength, RET);
    return this.names();
  }

  private names(): Names {
    const names = new Names();
    if (load<u8>(RET)) names.error = errorAt(RET + 4);
    else names.list = takeTextsAt(RET + 4);
    return names;
  }

  /**
   * From then on the end of one of the two ends the other as well, unless it was normal; one that traps exits gets
   * `exit` instead. Links are the instance's: set those again in `resumed` that should outlive it.
   */
  link(actor: string): SendError | null {
    const name = utf8(actor);
    host.link(changetype<usize>(name), name.byteLength, RET);
    return sendErrorAt(RET);
  }

  unlink(actor: string): SendError | null {
    const name = utf8(actor);
    host.unlink(changetype<usize>(name), name.byteLength, RET);
    return sendErrorAt(RET);
  }

  /**
   * Does to an actor what the end of this one would, were they linked. The reason is `normal`, `shutdown`, `killed`,
   * which nobody traps, or a text of one's own, which is a crash.
   */
  exit(actor: string, reason: string): SendError | null {
    const name = utf8(actor);
    const why = utf8(reason);
    host.exit(changetype<usize>(name), name.byteLength, changetype<usize>(why), why.byteLength, RET);
    return sendErrorAt(RET);
  }

  /** Makes this actor a member of a group. */
  join(group: string): SendError | null {
    const name = utf8(group);
    host.join(changetype<usize>(name), name.byteLength, RET);
    return sendErrorAt(RET);
  }

  leave(group: string): SendError | null {
    const name = utf8(group);
    host.leave(changetype<usize>(name), name.byteLength, RET);
    return sendErrorAt(RET);
  }

  /** Sends a message as JSON to all members of a group, this actor included if it is one. */
  dispatch<T>(group: string, message: T): SendError | null {
    return this.dispatchBytes(group, toBytes<T>(message).toArray());
  }

  dispatchBytes(group: string, body: Uint8Array): SendError | null {
    const name = utf8(group);
    host.dispatch(changetype<usize>(name), name.byteLength, body.dataStart, body.length, RET);
    return sendErrorAt(RET);
  }

  /** Sets an attribute of this actor; null removes it. */
  setAttribute(key: string, value: string | null): SendError | null {
    const which = utf8(key);
    const text = optional(value);
    const at = changetype<usize>(text);
    host.setAttribute(changetype<usize>(which), which.byteLength, value !== null ? 1 : 0, at, text.byteLength, RET);
    return sendErrorAt(RET);
  }
}
