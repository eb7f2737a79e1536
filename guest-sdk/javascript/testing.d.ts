import type { Level, Leave, Plugin, StopReason } from "baton-guest";

/**
 * What a replacement is handed: made by `terminate` and `snapshot`, or by hand from the bytes that an older version wrote.
 */
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

export class Harness<State = any> {
  private constructor();

  static describe(plugin: Plugin): {
    name: string;
    version: string;
    schema: number;
    readsFrom: number;
    readsTo: number;
    messages: string;
    metadata: [string, string][];
  };
  /** Starts an actor that has left nothing before. Arguments: bytes or text as they are, anything else as JSON. */
  static start<State = any>(plugin: Plugin, how?: { name?: string; args?: unknown; now?: number }): Harness<State>;
  /** Starts the replacement of an actor that has ended. Throws its `Refusal`. */
  static resume<State = any>(plugin: Plugin, handover: Handover): Harness<State>;

  readonly name: string;
  readonly generation: number;
  readonly trapExit: boolean;
  readonly state: State;
  readonly now: number;
  readonly timers: Record<string, number>;
  readonly saves: number;
  readonly stopped: boolean;

  terminate(reason?: StopReason, budgetMs?: number | null): Handover & { data: Uint8Array };
  stop(
    reason?: StopReason,
    budgetMs?: number | null,
  ): { left: Leave; handover: (Handover & { data: Uint8Array }) | null };
  snapshot(origin?: { tag: string; val?: unknown }): Handover & { data: Uint8Array };

  /** Calls the actor with a message as JSON, and gives its reply. Throws its failure. */
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
  other(kind: string, data: Uint8Array): void;

  /** From now on calls to `actor` are answered so; a function is given the message. */
  answer(actor: string, reply: unknown): void;
  /** From now on calls to `actor` fail so. Without either they get `unknown-actor`. */
  answerError(actor: string, kind: string, detail?: unknown): void;
  /** Lets the host refuse whatever the actor sends or sets; null ends that. */
  refuseSends(kind: "denied" | "limit" | null, detail?: string): void;
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
