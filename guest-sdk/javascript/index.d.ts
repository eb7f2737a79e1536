/** A context, in which a callback runs: what the actor knows of itself, and what it can ask of its host. */
export interface Cx {
  /** Name of the actor, unique in its host or cluster. */
  readonly actor: string;
  /** What the actor was started with. */
  readonly args: Uint8Array;
  /** The arguments as text. Throws a failure `bad-args` where they are not UTF-8. */
  argsText(): string;
  /** The arguments as JSON; null where there are none. Throws a failure `bad-args`. */
  argsJson(): unknown;
  /** Counts this actor's instances and always rises. 0 during `init`, where it is not known. */
  readonly generation: number;
  /** Where the state comes from that this instance took over; null if it began with a fresh one. */
  readonly predecessor: Predecessor | null;
  /** Name of the actor that sent the message in hand; null if it came from outside. */
  readonly sender: string | null;
  /** Id of the message in hand, the same when a sender tries again. Empty outside of `handle`. */
  readonly requestId: string;
  /** Whether someone waits for the reply to the message in hand. */
  readonly expectsReply: boolean;

  /** Milliseconds since the Unix epoch, as `Date.now()`. */
  now(): number;
  /** Bytes from the system's generator. */
  random(count: number): Uint8Array;
  /** Milliseconds that are left of this turn's time; null where there is no limit. */
  remaining(): number | null;

  log(level: Level, message: string, fields?: Record<string, unknown>): void;
  trace(message: string, fields?: Record<string, unknown>): void;
  debug(message: string, fields?: Record<string, unknown>): void;
  info(message: string, fields?: Record<string, unknown>): void;
  warn(message: string, fields?: Record<string, unknown>): void;
  error(message: string, fields?: Record<string, unknown>): void;

  /** Saves the state at the end of this turn: it is durable before the reply and what was sent leave. */
  save(): void;
  /** Sends a message as JSON, expecting no reply. Throws a `SendError`. */
  send(to: string, message: unknown): void;
  /** Sends a body as it is. Throws a `SendError`. */
  sendBytes(to: string, body: Uint8Array): void;
  /** Calls another actor with a message as JSON, and waits for its reply, 5,000 ms where nothing is said. Throws a
   * `CallError`. */
  call(to: string, message: unknown, timeoutMs?: number): unknown;
  /** Calls with message and reply as they are. Throws a `CallError`. */
  callBytes(to: string, body: Uint8Array, timeoutMs?: number): Uint8Array;
  /** Asks for `timer` after so many milliseconds. The same name replaces. Kept with the state. Throws a `SendError`. */
  setTimer(name: string, afterMs: number): void;
  cancelTimer(name: string): void;
  /** Asks for one `down` when that actor ends, or at once where nobody has the name. Throws a `SendError`. */
  monitor(actor: string): void;
  demonitor(actor: string): void;
  /** Ends this actor normally after this turn. */
  stop(): void;
}

export type Level = "trace" | "debug" | "info" | "warn" | "error";

/** Where a state that was taken over comes from. */
export interface Predecessor {
  /** Layout of the state before it was migrated. */
  schema: number;
  origin: Origin;
  /** Generation of the instance that wrote it. */
  generation: number;
  /** Version of the plugin that wrote it. */
  writtenBy: string;
  /** Since it was written, by the host's clock; 0 if that clock went back. */
  ageMs: number;
}

/** How complete a state is that was taken over. */
export type Origin =
  | { kind: "terminated"; reason: StopReason }
  | { kind: "switched" }
  | { kind: "checkpoint"; handledSince: number | null }
  | { kind: "restored" }
  | { kind: string & {} };

/** Why an instance ends. */
export type StopReason = "normal" | "shutdown" | "upgrade" | "passivate" | "relocate" | "restart" | (string & {});

/** What `terminate` leaves: the state as it stands, what the store has already, or nothing. */
export type Leave = "save" | "keep" | "forget";

/** Writes and reads the bytes of a state. What `decode` throws refuses the state as corrupt. */
export interface Encoding<State = any> {
  encode(state: State): Uint8Array;
  decode(data: Uint8Array): State;
}

/**
 * An actor. `this.state` is what outlives the instance: plain JSON, unless `encodings` says otherwise. Other fields are
 * gone with the instance. Callbacks are not async.
 */
export abstract class Actor<State = any, Message = any, Reply = unknown> {
  /** Number of the state's layout, 1 where nothing is said. Raise it by one with every change of layout. */
  static schema: number;
  /** By schema n: makes of a state of layout n one of layout n + 1. */
  static migrations: Record<number, (older: any) => unknown>;
  /** By schema n, newer than this: makes of a state of layout n one of this layout. What it throws is `incompatible`. */
  static newer: Record<number, (newer: any) => unknown>;
  /** By schema: how its bytes are written. JSON where nothing is said. */
  static encodings: Record<number, Encoding>;
  /** Whether `terminate` is called at a stop, and `exit` when a linked actor ends; true where nothing is said. */
  static trapExit: boolean;

  state: State;

  /** Makes a fresh state from `cx.args`. Has no effect on the world: a predecessor's state may take its place. */
  abstract init(cx: Cx): State;
  /** Handles a message. What it returns is the reply; a `Failure` that it throws is one too, any other error a crash. */
  abstract handle(message: Message, cx: Cx): Reply;

  /** Whether this instance traps exits, asked once after `init`. */
  trapsExits(cx: Cx): boolean;
  /** Nothing was there to take over: the place for first timers. */
  started(cx: Cx): void;
  /** `this.state` is now what the predecessor left. May throw a `Refusal`. */
  resumed(predecessor: Predecessor, cx: Cx): void;
  /** What must hold of every state taken over. What it returns or throws says what is broken. */
  validate(state: State): string | null | undefined | void;
  /** A timer that this actor, or its predecessor, set has come due. */
  timer(name: string, cx: Cx): void;
  /** An actor that this one monitors has ended: `normal`, `shutdown`, `killed`, `noproc`, or `crash: ` and how. */
  down(actor: string, reason: string, cx: Cx): void;
  /** An actor that this one is linked to has ended, or sent it an exit. */
  exit(actor: string, reason: string, cx: Cx): void;
  /** A kind of message that this version of the contract has no word for. */
  other(kind: string, data: Uint8Array, cx: Cx): void;
  /** The last call; `budgetMs` is what is left for it. Nothing returned means "save". */
  terminate(reason: StopReason, budgetMs: number | null, cx: Cx): Leave | void;
}

/** The plugin's own error: a code for programs, such as `out-of-stock`, and a message for people. */
export class Failure extends Error {
  constructor(code: string, message: string);
  readonly code: string;
}

/** A failure with the code `bad-message`. */
export function badMessage(expected: string): Failure;

export class SendError extends Failure {
  private constructor();
  readonly kind: "denied" | "limit" | "encode";
}

export class CallError extends Failure {
  private constructor();
  readonly kind:
    | "unknown-actor"
    | "mailbox-full"
    | "denied"
    | "unavailable"
    | "timeout"
    | "crashed"
    | "deadlock"
    | "limit"
    | "failed";
}

/** Why a state is not taken over. It stays in the store; `unavailable` asks to be tried again. */
export class Refusal extends Error {
  constructor(kind: "incompatible" | "corrupt" | "stale" | "unavailable" | "other", message: string);
  readonly kind: string;
}

/**
 * Finds the arm for a message: `"get"` for one without parameters, `{"add": 3}` for one with, which is given the 3.
 * Anything else is a failure `bad-message` that names the arms.
 */
export function match<R>(message: unknown, arms: Record<string, (argument: any) => R>): R;

/**
 * Each returns the value where it is what was expected, and throws a failure `bad-message` otherwise; within `init` that
 * is told as `bad-args`.
 */
export const check: {
  integer(value: unknown, what: string, limits?: { min?: number; max?: number }): number;
  /** A whole u64, as a BigInt. */
  u64(value: unknown, what: string): bigint;
  number(value: unknown, what: string): number;
  /** Limits count UTF-16 units, as `length` does. */
  string(value: unknown, what: string, limits?: { min?: number; max?: number }): string;
  boolean(value: unknown, what: string): boolean;
  array<T = unknown>(value: unknown, what: string, each?: (element: unknown, what: string) => T): T[];
  object(value: unknown, what: string): Record<string, unknown>;
};

/** What a component is made of: see `plugin`. */
export interface Plugin {
  readonly name: string;
  readonly version: string;
  readonly schema: number;
  readonly readsFrom: number;
  readonly readsTo: number;
  readonly messages: string;
}

export interface Facts {
  /** Lower-case letters, digits, `-` and `_`, beginning with a letter; at most 64. */
  name: string;
  /** Semantic version. */
  version: string;
  /** Media type of message bodies, `application/json` where nothing is said. With one that is not JSON they are bytes. */
  messages?: string;
  /** Further facts by name, such as `license` and `authors`. */
  metadata?: Record<string, string>;
}

/** A class that extends `Actor`. */
export interface ActorClass {
  new (): Actor<any, any, any>;
  schema: number;
  migrations: Record<number, (older: any) => unknown>;
  newer: Record<number, (newer: any) => unknown>;
  encodings: Record<number, Encoding>;
  trapExit: boolean;
}

/** Makes a plugin of an actor's class; it is the default export of the main module. */
export function plugin(actor: ActorClass, facts: Facts): Plugin;

export function encodeText(text: string): Uint8Array;

/** Throws a failure `bad-message` where the bytes are not UTF-8. */
export function decodeText(body: Uint8Array): string;
