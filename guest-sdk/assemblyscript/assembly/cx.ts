// What an actor knows of itself, and what it can ask of its host.

import { Predecessor } from "./actor";
import { RET, lengthAt, putAt, takeBuffer, takeTextAt } from "./abi";
import { Bytes, textOf, utf8 } from "./bytes";
import { CallError, CallErrorKind, Failure, SendError } from "./errors";
import * as host from "./host";
import { Json } from "./json";
import { toBytes } from "./json-write";
import { Around, sendErrorAt } from "./supervision";

export enum Level {
  Trace,
  Debug,
  Info,
  Warn,
  Error,
}

/** Where a number of milliseconds or of messages may have no limit, or not be known. */
export const NO_LIMIT: u64 = u64.MAX_VALUE;

/** Most bytes that one call of the host's `random` gives. */
const RANDOM_BYTES = 65_536;

/** What a call brought: an error, or a reply. */
export class Answer {
  constructor(
    /** Null: it went well. */
    readonly error: CallError | null,
    /** The reply as JSON, of `call`. */
    readonly json: Json,
    /** The reply as it is. */
    readonly body: Uint8Array,
  ) {}
}

/**
 * What an actor knows of itself, and what it can ask of its host. What is sent or set here leaves when the turn has
 * ended without a crash; `call` acts at once.
 */
export class Cx extends Around {
  /** Counts this actor's instances and always rises. 0 during `init`, where it is not known. */
  generation: u64 = 0;
  /** Where the state comes from that this instance took over; null if it began with a fresh one. */
  predecessor: Predecessor | null = null;
  /** Name of the actor that sent the message in hand; null: it came from outside. */
  sender: string | null = null;
  /** Id of the message in hand, the same when a sender tries again. Empty outside of `handle`. */
  requestId: string = "";
  /** Whether someone waits for the reply to the message in hand. */
  expectsReply: bool = false;
  /** The message in hand, for errors. */
  private inHand: Json = Json.missing();

  constructor(
    /** Name of the actor, unique in its host or cluster. */
    readonly actor: string,
    /** What the actor was started with. */
    readonly args: Uint8Array,
    /** The plugin's name and version, for errors. */
    private readonly plugin: string,
  ) {
    super();
  }

  // Arguments and messages.

  /** What the actor was started with, as JSON. No arguments at all are `null`; what is not JSON is `Invalid`. */
  argsJson(): Json {
    return this.args.length == 0 ? Json.parse("null") : Json.parseBytes(this.args);
  }

  /** What the actor was started with, as text; null where it is not UTF-8. */
  argsText(): string | null {
    return textOf(this.args);
  }

  /** For `init`: the failure `bad-args`, which says what was expected, and what came. */
  badArgs(expected: string): Failure {
    const args = this.argsJson();
    const why = args.isInvalid ? args.problem! : `expected ${expected}, not ${args.excerpt()}`;
    return new Failure("bad-args", `the arguments: ${why}`);
  }

  /** For `handle`: the failure `bad-message`, which says what was expected, and what came. */
  badMessage(expected: string): Failure {
    const came = this.inHand;
    return this.notTaken(came.isMissing ? `expected ${expected}` : `expected ${expected}, not ${came.excerpt()}`);
  }

  /** The failure `bad-message` in words of one's own. */
  notTaken(why: string): Failure {
    return new Failure("bad-message", `${this.plugin} does not take this message: ${why}`);
  }

  /** A body as JSON; it is then the one that `badMessage` shows. */
  messageOf(body: Uint8Array): Json {
    const message = Json.parseBytes(body);
    this.inHand = message;
    return message;
  }

  /** The SDK's: a turn begins, or has ended. */
  turn(id: string, sender: string | null, expectsReply: bool): void {
    this.requestId = id;
    this.sender = sender;
    this.expectsReply = expectsReply;
    this.inHand = Json.missing();
  }

  // The log.

  /** Writes to the host's log. Fields are names and values in turn: `["airport", code, "minutes", "12"]`. */
  log(level: Level, message: string, fields: string[] = []): void {
    writeLog(level, message, fields);
  }

  trace(message: string, fields: string[] = []): void {
    writeLog(Level.Trace, message, fields);
  }

  debug(message: string, fields: string[] = []): void {
    writeLog(Level.Debug, message, fields);
  }

  info(message: string, fields: string[] = []): void {
    writeLog(Level.Info, message, fields);
  }

  warn(message: string, fields: string[] = []): void {
    writeLog(Level.Warn, message, fields);
  }

  error(message: string, fields: string[] = []): void {
    writeLog(Level.Error, message, fields);
  }

  // Clock and chance.

  /** Milliseconds since the Unix epoch. */
  nowMs(): u64 {
    return host.nowMs();
  }

  /** Milliseconds that are left of this turn's time; `NO_LIMIT` where there is none. */
  remainingMs(): u64 {
    host.remainingMs(RET);
    return load<u8>(RET) ? load<u64>(RET, 8) : NO_LIMIT;
  }

  /** Bytes from the system's generator. */
  random(count: i32): Uint8Array {
    return randomBytes(count);
  }

  // Effects.

  /** Saves the state at the end of this turn: it is durable before the reply and what was sent leave. */
  save(): void {
    host.save();
  }

  /** Ends this actor normally after this turn. */
  stop(): void {
    host.stop();
  }

  /**
   * Sends a message as JSON to another actor, expecting no reply. An error is only what is known at once: a message to
   * an actor that is not there shows as a dead letter later.
   */
  send<T>(to: string, message: T): SendError | null {
    return this.sendBytes(to, toBytes<T>(message).toArray());
  }

  sendBytes(to: string, body: Uint8Array): SendError | null {
    const name = utf8(to);
    host.send(changetype<usize>(name), name.byteLength, body.dataStart, body.length, RET);
    return sendErrorAt(RET);
  }

  /** Calls another actor with a message as JSON, and waits for its reply. */
  call<T>(to: string, message: T, timeoutMs: u64 = 5_000): Answer {
    const answer = this.callBytes(to, toBytes<T>(message).toArray(), timeoutMs);
    if (answer.error) return answer;
    const json = Json.parseBytes(answer.body);
    if (!json.isInvalid) return new Answer(null, json, answer.body);
    return unanswered(new CallError(CallErrorKind.Failed, "bad-reply", `${to}: ${json.problem!}`));
  }

  callBytes(to: string, body: Uint8Array, timeoutMs: u64 = 5_000): Answer {
    const name = utf8(to);
    host.call(changetype<usize>(name), name.byteLength, body.dataStart, body.length, timeoutMs, RET);
    if (!load<u8>(RET)) {
      const reply = Uint8Array.wrap(takeBuffer(load<usize>(RET, 4), lengthAt(RET + 4)));
      return new Answer(null, Json.missing(), reply);
    }
    const kind = <CallErrorKind>load<u8>(RET, 4);
    if (kind == CallErrorKind.Failed) {
      return unanswered(new CallError(kind, takeTextAt(RET + 8), takeTextAt(RET + 16)));
    }
    return unanswered(CallError.of(kind, kind == CallErrorKind.Limit ? takeTextAt(RET + 8) : ""));
  }

  /**
   * Asks for `timer` after so many milliseconds. A timer of the same name is replaced. Timers are kept with the state:
   * they come due also after a handoff.
   */
  setTimer(name: string, afterMs: u64): SendError | null {
    const text = utf8(name);
    host.setTimer(changetype<usize>(text), text.byteLength, afterMs, RET);
    return sendErrorAt(RET);
  }

  /** Takes a timer back. Nothing happens if there is none of that name. */
  cancelTimer(name: string): void {
    const text = utf8(name);
    host.cancelTimer(changetype<usize>(text), text.byteLength);
  }

  /**
   * Asks for `down` when that actor ends, or at once where nobody has the name. Monitors are the instance's: set those
   * again in `resumed` that should outlive it.
   */
  monitor(actor: string): SendError | null {
    const name = utf8(actor);
    host.monitor(changetype<usize>(name), name.byteLength, RET);
    return sendErrorAt(RET);
  }

  demonitor(actor: string): void {
    const name = utf8(actor);
    host.demonitor(changetype<usize>(name), name.byteLength);
  }
}

function unanswered(error: CallError): Answer {
  return new Answer(error, Json.missing(), new Uint8Array(0));
}

export function writeLog(level: Level, message: string, fields: string[]): void {
  const text = utf8(message);
  // A list of pairs: four words each, which point at texts that `texts` keeps.
  const count = fields.length >> 1;
  const pairs = new ArrayBuffer(count << 4);
  const texts = new Array<ArrayBuffer>(count << 1);
  for (let i = 0; i < count << 1; i++) {
    const field = utf8(fields[i]);
    texts[i] = field;
    putAt(changetype<usize>(pairs) + ((<usize>i) << 3), changetype<usize>(field), field.byteLength);
  }
  host.log(level, changetype<usize>(text), text.byteLength, changetype<usize>(pairs), count);
}

export function randomBytes(count: i32): Uint8Array {
  const out = new Bytes(count);
  while (out.length < count) {
    host.random(min(count - out.length, RANDOM_BYTES), RET);
    const some = takeBuffer(load<usize>(RET), lengthAt(RET));
    out.copy(some, 0, some.byteLength);
  }
  return out.toArray();
}
