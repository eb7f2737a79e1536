// The lifecycle of one instance.

import { Actor, Leave, Predecessor } from "./actor";
import { Bytes } from "./bytes";
import { Cx } from "./cx";
import { Failure, Refusal, Reply } from "./errors";
import { Json } from "./json";
import { Plugin } from "./plugin";

/** An instance that has been through `init`. */
export class Instance {
  /** Whether `continue` has succeeded: before that there is no state to speak of. */
  private isStarted: bool = false;

  constructor(
    private readonly plugin: Plugin,
    readonly cx: Cx,
    private actor: Actor,
  ) {}

  /** What a call before `init` and `continue` is answered with; null: all is well. */
  notStarted(): Failure | null {
    return this.isStarted ? null : notStarted();
  }

  begin(generation: u64): Refusal | null {
    this.cx.generation = generation;
    const refusal = this.actor.started(this.cx);
    this.isStarted = refusal === null;
    return refusal;
  }

  /** Takes over what the predecessor left. On a refusal the instance is of no further use. */
  takeOver(generation: u64, data: Bytes, predecessor: Predecessor): Refusal | null {
    const cx = this.cx;
    cx.generation = generation;
    const loaded = this.plugin.load(predecessor.schema, data);
    const actor = loaded.actor;
    if (!actor) return loaded.refusal;
    this.actor = actor;
    const refusal = actor.resumed(predecessor, cx);
    cx.predecessor = predecessor;
    this.isStarted = refusal === null;
    return refusal;
  }

  request(id: string, sender: string | null, body: Uint8Array, expectsReply: bool): Reply {
    const cx = this.cx;
    cx.turn(id, sender, expectsReply);
    const reply = this.actor.handleBytes(body, cx);
    cx.turn("", null, false);
    // Nobody reads the reply to a cast: it isn't worth its bytes.
    return expectsReply || reply instanceof Failure ? reply : Reply.empty();
  }

  timer(name: string): Reply {
    return done(this.actor.timer(name, this.cx));
  }

  down(actor: string, reason: string): Reply {
    return done(this.actor.down(actor, reason, this.cx));
  }

  other(kind: string, data: Uint8Array): Reply {
    if (kind != "exit") return done(this.actor.other(kind, data, this.cx));
    const told = Json.parseBytes(data);
    const actor = told.get("actor");
    const reason = told.get("reason");
    if (actor.isText && reason.isText) return done(this.actor.exit(actor.text, reason.text, this.cx));
    return new Failure("bad-exit", `the end of a linked actor was told wrongly: ${told.excerpt()}`);
  }

  /** The state as it stands. */
  state(): Bytes {
    return this.plugin.save(this.actor);
  }

  terminate(reason: string, budgetMs: u64): Leave {
    return this.actor.terminate(reason, budgetMs, this.cx);
  }
}

function done(failure: Failure | null): Reply {
  return failure ? failure : Reply.empty();
}

/** The host called something before `init` and `continue` have succeeded. */
export function notStarted(): Failure {
  return new Failure("not-started", "the instance has not been through `init` and `continue`");
}
