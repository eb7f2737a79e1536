// What a turn is answered with. Failures are values: AssemblyScript has no exceptions, and a `throw` is a crash.

import { Bytes } from "./bytes";
import { toBytes } from "./json-write";

/** What `handle` gives: a value (`reply(3)`), or a `Failure`. */
export class Reply {
  constructor(
    /** The body as it leaves; null in a failure. */
    readonly body: Bytes | null,
  ) {}

  /** A body as it is, for a plugin whose messages are not JSON. */
  static bytes(body: Uint8Array): Reply {
    return new Reply(Bytes.of(body.buffer.slice(body.byteOffset, body.byteOffset + body.length)));
  }

  /** A text as it is, as UTF-8. */
  static text(body: string): Reply {
    const bytes = new Bytes(body.length);
    bytes.text(body);
    return new Reply(bytes);
  }

  /** `null`, as JSON. */
  static none(): Reply {
    return Reply.text("null");
  }

  /** No bytes at all. */
  static empty(): Reply {
    return new Reply(new Bytes(0));
  }
}

/**
 * A reply as JSON: of a number, bool or string, null, a JsonObject, an array, or whatever else `JsonObject.set` takes.
 */
export function reply<T>(value: T): Reply {
  return new Reply(toBytes<T>(value));
}

/** The plugin's own error, a reply like any other: the actor lives on, and what it has sent leaves. */
export class Failure extends Reply {
  constructor(
    /** For programs, such as `out-of-stock`. */
    readonly code: string,
    /** For people. */
    readonly message: string,
  ) {
    super(null);
  }
}

export enum SendErrorKind {
  /** This actor is not allowed to. */
  Denied,
  /** A limit of the host, which it names. */
  Limit,
}

/** Why something could not be sent, or a timer not be set. Where nothing is done about it, it is the turn's failure. */
export class SendError extends Failure {
  constructor(
    readonly kind: SendErrorKind,
    readonly detail: string,
  ) {
    super(
      kind == SendErrorKind.Limit ? "send-limit" : "send-denied",
      kind == SendErrorKind.Limit ? overLimit(detail) : "this actor is not allowed to send that",
    );
  }
}

export enum CallErrorKind {
  UnknownActor,
  MailboxFull,
  Denied,
  /** The actor is stopping or parked. It has not seen the message: try again. */
  Unavailable,
  /** No answer in time. Whether the message was handled is not known. */
  Timeout,
  /** The actor crashed while it handled the message. */
  Crashed,
  /** The actor called waits, through others, for this one. */
  Deadlock,
  /** A limit of the host, which it names. */
  Limit,
  /** The other actor's own failure, with its code and message. */
  Failed,
}

/** Why a call brought no reply. Where nothing is done about it, it is the turn's failure. */
export class CallError extends Failure {
  constructor(
    readonly kind: CallErrorKind,
    code: string,
    message: string,
  ) {
    super(code, message);
  }

  static of(kind: CallErrorKind, detail: string): CallError {
    switch (kind) {
      case CallErrorKind.UnknownActor:
        return new CallError(kind, "call-unknown-actor", "there is no actor of that name");
      case CallErrorKind.MailboxFull:
        return new CallError(kind, "call-mailbox-full", "the mailbox of the actor called is full");
      case CallErrorKind.Denied:
        return new CallError(kind, "call-denied", "this actor is not allowed to call that one");
      case CallErrorKind.Unavailable:
        return new CallError(
          kind,
          "call-unavailable",
          "the actor called is stopping or parked; it has not seen the message",
        );
      case CallErrorKind.Timeout:
        return new CallError(
          kind,
          "call-timeout",
          "no answer in time; whether the message was handled is not known",
        );
      case CallErrorKind.Crashed:
        return new CallError(kind, "call-crashed", "the actor called crashed over the message");
      case CallErrorKind.Deadlock:
        return new CallError(kind, "call-deadlock", "the actor called waits for this one");
      default:
        return new CallError(kind, "call-limit", overLimit(detail));
    }
  }
}

export enum SupervisionErrorKind {
  Denied,
  UnknownSupervisor,
  UnknownChild,
  /** The name is taken, by an actor that runs. */
  AlreadyStarted,
  /** A child of that name is there and does not run: restart or delete it. */
  AlreadyPresent,
  /** The child runs, which stands against what was asked. */
  Running,
  /** The child is about to be started again, which stands against what was asked. */
  Restarting,
  MaxChildren,
  UnknownPlugin,
  /** A name or a child specification that cannot be used, and why. */
  BadSpec,
  /** The child would not start, or was stopped before it was ready: why. */
  Failed,
  ShuttingDown,
  /** A limit of the host, which it names. */
  Limit,
  Other,
}

// @ts-ignore: decorator
@lazy const SUPERVISION_CODES: string[] = [
  "supervision-denied",
  "unknown-supervisor",
  "unknown-child",
  "already-started",
  "already-present",
  "running",
  "restarting",
  "max-children",
  "unknown-plugin",
  "bad-spec",
  "start-failed",
  "shutting-down",
  "supervision-limit",
  "supervision-failed",
];

// @ts-ignore: decorator
@lazy const SUPERVISION_MESSAGES: string[] = [
  "this actor is not allowed to do that",
  "there is no supervisor of that name",
  "no supervisor has a child of that name",
  "an actor of that name runs already",
  "a child of that name is there and does not run: restart or delete it",
  "the child runs",
  "the child is about to be started again",
  "the supervisor has as many children as it may have",
  "the host has no plugin of that name",
  "",
  "",
  "the host is going down",
  "a limit of the host was reached: ",
  "",
];

/** What the supervision tree says no with. Where nothing is done about it, it is the turn's failure. */
export class SupervisionError extends Failure {
  constructor(
    readonly kind: SupervisionErrorKind,
    readonly detail: string,
  ) {
    super(SUPERVISION_CODES[kind], SUPERVISION_MESSAGES[kind] + detail);
  }
}

function overLimit(detail: string): string {
  return `a limit of the host was reached: ${detail}`;
}

export enum RefusalKind {
  /** This plugin cannot read that schema. */
  Incompatible,
  /** The bytes do not decode, or break a rule. */
  Corrupt,
  /** Too old to be of use. */
  Stale,
  /** Something it needs is out of reach now; the same state may be taken over later. */
  Unavailable,
  Other,
}

/** Why a state is not taken over. It stays in the store. */
export class Refusal {
  constructor(
    readonly kind: RefusalKind,
    readonly why: string,
  ) {}

  /** Something that is needed is out of reach now: to be tried again. */
  static unavailable(why: string): Refusal {
    return new Refusal(RefusalKind.Unavailable, why);
  }

  static corrupt(why: string): Refusal {
    return new Refusal(RefusalKind.Corrupt, why);
  }

  static stale(why: string): Refusal {
    return new Refusal(RefusalKind.Stale, why);
  }

  /** For `started` and `resumed`, where what is sent or set may fail. */
  static of(failure: Failure): Refusal {
    return new Refusal(RefusalKind.Other, `${failure.code}: ${failure.message}`);
  }
}
