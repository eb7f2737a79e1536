/** A plugin that was compiled, and what it says of itself. */
export interface Plugin {
  readonly module: WebAssembly.Module;
  readonly name: string;
  readonly version: string;
  readonly schema: number;
  readonly readsFrom: number;
  readonly readsTo: number;
  readonly messages: string;
  readonly metadata: [string, string][];
}

/** Compiles a project's plugin: `await load(new URL("..", import.meta.url))`. */
export function load(folder: string | { href: string }, how?: { entry?: string }): Promise<Plugin>;

/** The plugin's own error, as it answered. */
export class Failure extends Error {
  readonly code: string;
}

/** Why a state was not taken over. */
export class Refusal extends Error {
  readonly kind: "incompatible" | "corrupt" | "stale" | "unavailable" | "other";
}

/** A trap. The message is what the plugin logged of it, where it did. */
export class Crash extends Error {}

export type Level = "trace" | "debug" | "info" | "warn" | "error";

/** What a replacement is handed: made by `terminate` and `snapshot`, or by hand from the bytes that an older version wrote. */
export interface Handover {
  schema: number;
  /** A string is taken as UTF-8. */
  data: Uint8Array | number[] | string;
  name?: string;
  args?: unknown;
  /** In the shape of the contract: `{ tag: "switched" }`. Left at a shutdown where nothing is said. */
  origin?: { tag: string; val?: unknown };
  generation?: number;
  writtenBy?: string;
  /** The replacement's clock is that much ahead. */
  ageMs?: number;
  now?: number;
  timers?: Record<string, number>;
}

export interface About {
  /** Name of the actor that sends it. */
  from?: string;
  id?: string;
}

/** An actor under test. What it sends or sets is recorded. A failure and a crash are thrown. */
export class Harness {
  private constructor();

  /** Starts an actor that has left nothing before. Arguments: bytes or text as they are, anything else as JSON. */
  static start(plugin: Plugin, how?: { name?: string; args?: unknown; now?: number }): Harness;
  /** Starts the replacement of an actor that has ended. Throws its `Refusal`. */
  static resume(plugin: Plugin, handover: Handover): Harness;

  readonly name: string;
  readonly generation: number;
  readonly trapExit: boolean;
  /** The state as it would be saved now. */
  readonly state: Uint8Array;
  readonly now: number;
  /** Timers that are set, with the time at which they come due. */
  readonly timers: Record<string, number>;
  readonly saves: number;
  readonly stopped: boolean;
  /** Bytes of the instance's memory. */
  readonly memory: number;

  terminate(reason?: string, budgetMs?: number | null): Handover & { data: Uint8Array };
  stop(
    reason?: string,
    budgetMs?: number | null,
  ): { left: "save" | "keep" | "forget"; handover: (Handover & { data: Uint8Array }) | null };
  snapshot(origin?: { tag: string; val?: unknown }): Handover & { data: Uint8Array };

  /** Calls the actor with a message as JSON, and gives its reply. Integers that a number cannot hold are BigInts. */
  call(message: unknown, about?: About): any;
  callBytes(body: Uint8Array, about?: About): Uint8Array;
  cast(message: unknown, about?: About): void;
  castBytes(body: Uint8Array, about?: About): void;
  /** Makes a timer come due now. */
  fireTimer(name: string): void;
  /** Moves the clock on; timers that come due meanwhile fire in their order, each at its time. */
  advance(byMs: number): void;
  down(actor: string, reason: string): void;
  exit(actor: string, reason: string): void;
  other(kind: string, data: Uint8Array | string): void;

  /** From now on calls to `actor` are answered so; a function is given the message. */
  answer(actor: string, reply: unknown): void;
  /** From now on calls to `actor` fail so. Without either they get `unknown-actor`. */
  answerError(actor: string, error: string, detail?: unknown): void;
  /** Lets the host refuse whatever the actor sends or sets; null ends that. */
  refuseSends(kind: string | null, detail?: string): void;
  setRemaining(ms: number | null): void;
  setMembers(group: string, actors: string[]): void;
  /** In the shapes of the contract. */
  setChildren(supervisor: string | null, children: unknown[]): void;
  setPhase(actor: string, phase: string): void;
  setAttribute(actor: string, key: string, value: string): void;

  /** What has been sent, called, logged, asked since this was asked last. Bodies are read as JSON where they are that. */
  sent(): { to: string; body: any }[];
  called(): { to: string; body: any; timeoutMs: number }[];
  logged(): { level: Level; message: string; fields: Record<string, string> }[];
  /** Monitors, and what was asked of the supervision tree: `[["monitor", "a"], …]`. */
  asked(): unknown[][];
}

/** Makes tests of a plugin's folder `fixtures`, for `node --test`. */
export function playFixtures(plugin: Plugin, folder: string | { href: string }): void;
