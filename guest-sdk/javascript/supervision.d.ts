import type { Cx, Failure } from "baton-guest";

/** What stands around the actor. A plugin that does not import this module does not import `baton:actor/supervision`. */
export function supervision(cx: Cx): Supervision;

export interface Supervision {
  // These act at once, and wait at most for what is left of the turn. They throw a `SupervisionError`.

  /** Starts a child below a supervisor, below the root if none is named, and returns when its `init` has. */
  startChild(child: ChildSpec, supervisor?: string): void;
  /** Tells a child to end, and returns when it has. */
  terminateChild(child: string): void;
  /** Starts a child again that has ended. */
  restartChild(child: string): void;
  /** Removes the specification of a child that has ended. */
  deleteChild(child: string): void;
  /** The children of a supervisor, of the root if none is named, in the order of their start. */
  whichChildren(supervisor?: string): ChildInfo[];
  countChildren(supervisor?: string): Counts;
  /** The members of a group, in the order in which they came. */
  members(group: string): string[];
  /** The actors whose attribute `key` is `value`, in the order of their names. */
  having(key: string, value: string): string[];

  /** Where the actor of that name stands; null: nobody has it. */
  whereis(actor: string): Phase | null;
  /** The value of an actor's attribute. */
  attribute(actor: string, key: string): string | null;

  // Effects: they leave when the turn has ended without a crash. They throw a `SendError`.

  /** From then on the end of one of the two ends the other as well, or calls its method `exit` where it traps exits. */
  link(actor: string): void;
  unlink(actor: string): void;
  /** Does to an actor what the end of this one would, were they linked. */
  exit(actor: string, reason: string): void;
  join(group: string): void;
  leave(group: string): void;
  /** Sends a message as JSON to all members of a group, this actor included if it is one. */
  dispatch(group: string, message: unknown): void;
  dispatchBytes(group: string, body: Uint8Array): void;
  /** Sets an attribute of this actor; null removes it. */
  setAttribute(key: string, value: string | null): void;
}

export type Restart = "permanent" | "transient" | "temporary";

/** Milliseconds, 1 to 86,400,000, or one of two words. */
export type Shutdown = number | "brutal-kill" | "infinity";

export interface ChildSpec {
  /** Its id, and its name as an actor. */
  name: string;
  plugin: string;
  /** What its `init` is given: bytes as they are, anything else as JSON. */
  args?: unknown;
  /** `permanent` where nothing is said. */
  restart?: Restart;
  /** 5,000 ms where nothing is said. */
  shutdown?: Shutdown;
  significant?: boolean;
}

export interface ChildInfo {
  name: string;
  /** Null: it stands below the root. */
  supervisor: string | null;
  kind: "worker" | "supervisor" | (string & {});
  state: "down" | "starting" | "up" | "restarting" | "stopping" | "failed" | (string & {});
  restart: Restart;
  shutdown: Shutdown;
  significant: boolean;
  /** Restarts by its supervisor, since it was added. */
  restarts: number;
  /** How it ended last. */
  lastExit: string | null;
}

export interface Counts {
  specs: number;
  active: number;
  supervisors: number;
  workers: number;
}

export type Phase =
  "starting" | "continuing" | "running" | "suspended" | "stopping" | "restarting" | "held" | "failed" | (string & {});

export class SupervisionError extends Failure {
  private constructor();
  readonly kind:
    | "denied"
    | "unknown-supervisor"
    | "unknown-child"
    | "already-started"
    | "already-present"
    | "running"
    | "restarting"
    | "max-children"
    | "unknown-plugin"
    | "bad-spec"
    | "failed"
    | "shutting-down"
    | "limit"
    | "other";
}
