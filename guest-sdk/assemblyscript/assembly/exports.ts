// Exports of `baton:actor/lifecycle@0.1.0`, flattened as the canonical ABI does. The build gives them their names. An
// answer lies at `ANSWER`, and what it points at is kept until it has been read.

import { Leave, Predecessor } from "./actor";
import { forgetTurnover, putAt, takeBuffer, takeText, turnOver } from "./abi";
import { Bytes, utf8 } from "./bytes";
import { Cx, NO_LIMIT } from "./cx";
import { Failure, Refusal, Reply } from "./errors";
import { Instance, notStarted } from "./instance";
import { thePlugin } from "./plugin";

const ANSWER: usize = memory.data(48, 8);

/** What the answer points at. */
const kept: ArrayBuffer[] = [];
let instance: Instance | null = null;

// @ts-ignore: decorator
@lazy const STOP_REASONS: string[] = ["normal", "shutdown", "upgrade", "passivate", "relocate", "restart"];

/** The host asks for room for what it passes in. */
export function cabi_realloc(old: usize, oldSize: usize, align: usize, size: usize): usize {
  if (size == 0) return align;
  return old ? heap.realloc(old, size) : heap.alloc(size);
}

/** After so many bytes that came in or went out all garbage is collected. */
const MOST_TURNOVER: u32 = 1 << 20;
let pages: i32 = memory.size();

/**
 * The host has read the answer. Small garbage is collected as more is made, a little at each allocation; bodies and
 * states of a megabyte would pile up meanwhile, so after some of them all of it is collected at once.
 */
export function release(answer: usize): void {
  let turnover: u32 = 0;
  for (let i = 0; i < kept.length; i++) turnover = turnOver(kept[i].byteLength);
  kept.length = 0;
  if (turnover < MOST_TURNOVER && memory.size() == pages) return;
  forgetTurnover();
  __collect();
  pages = memory.size();
}

function keep(buffer: ArrayBuffer, slot: usize, length: i32): void {
  kept.push(buffer);
  putAt(slot, changetype<usize>(buffer), length);
}

function keepText(text: string, slot: usize): void {
  const bytes = utf8(text);
  keep(bytes, slot, bytes.byteLength);
}

function keepBytes(bytes: Bytes, slot: usize): void {
  keep(bytes.buffer, slot, bytes.length);
}

function fail(failure: Failure): usize {
  store<u8>(ANSWER, 1);
  keepText(failure.code, ANSWER + 4);
  keepText(failure.message, ANSWER + 12);
  return ANSWER;
}

function refuse(refusal: Refusal | null): usize {
  store<u8>(ANSWER, 0);
  if (refusal) {
    store<u8>(ANSWER, 1);
    store<u8>(ANSWER, refusal.kind, 4);
    keepText(refusal.why, ANSWER + 8);
  }
  return ANSWER;
}

/** A state in an `option` or a variant, whose discriminant comes first. */
function state(tag: u8, bytes: Bytes): usize {
  store<u8>(ANSWER, 0);
  store<u8>(ANSWER, tag, 4);
  store<u32>(ANSWER, thePlugin().schemaNumber, 8);
  keepBytes(bytes, ANSWER + 12);
  return ANSWER;
}

export function describe(): usize {
  const plugin = thePlugin();
  keepText(plugin.name, ANSWER);
  keepText(plugin.version, ANSWER + 8);
  store<u32>(ANSWER, plugin.schemaNumber, 16);
  store<u32>(ANSWER, plugin.readsFrom(), 20);
  store<u32>(ANSWER, plugin.readsTo(), 24);
  keepText(plugin.mediaType, ANSWER + 28);
  const facts = plugin.metadata;
  const pairs = new ArrayBuffer(facts.length << 3);
  for (let i = 0; i < facts.length; i++) keepText(facts[i], changetype<usize>(pairs) + (<usize>i << 3));
  keep(pairs, ANSWER + 36, facts.length >> 1);
  return ANSWER;
}

export function init(actor: usize, actorLength: i32, args: usize, argsLength: i32): usize {
  const plugin = thePlugin();
  const about = `${plugin.name} ${plugin.version}`;
  const given = Uint8Array.wrap(takeBuffer(args, argsLength));
  const cx = new Cx(takeText(actor, actorLength), given, about);
  const made = plugin.make();
  const failure = made.init(cx);
  if (failure) return fail(failure);
  instance = new Instance(plugin, cx, made);
  store<u8>(ANSWER, 0);
  store<u8>(ANSWER, made.trapsExits(cx) ? 1 : 0, 4);
  return ANSWER;
}

/** `continue`, which AssemblyScript keeps for itself. */
export function takeOver(
  generation: u64,
  some: i32,
  schema: u32,
  data: usize,
  dataLength: i32,
  origin: i32,
  a: i32,
  b: u64,
  c: i32,
  writer: u64,
  version: usize,
  versionLength: i32,
  ageMs: u64,
): usize {
  const it = instance;
  if (!it) return refuse(Refusal.of(notStarted()));
  if (!some) return refuse(it.begin(generation));
  const bytes = Bytes.of(takeBuffer(data, dataLength));
  // The cases of `origin` share the three numbers.
  let word = "switched";
  let reason = "";
  let handled: u64 = NO_LIMIT;
  if (origin == 0) {
    word = "terminated";
    reason = stopReason(a, <usize>b, c);
  } else if (origin == 2) {
    word = "checkpoint";
    if (a) handled = b;
  } else if (origin == 3) {
    word = "restored";
  } else if (origin == 4) {
    word = takeText(<usize>a, <i32>b);
  }
  const writtenBy = takeText(version, versionLength);
  const predecessor = new Predecessor(schema, word, reason, handled, writer, writtenBy, ageMs);
  return refuse(it.takeOver(generation, bytes, predecessor));
}

function stopReason(tag: i32, other: usize, length: i32): string {
  return tag < STOP_REASONS.length ? STOP_REASONS[tag] : takeText(other, length);
}

/** The cases of `message` share the numbers: a call and a cast have a sender and a body, others two texts at most. */
export function handle(
  tag: i32,
  first: usize,
  firstLength: i32,
  second: usize,
  secondLength: i32,
  third: i32,
  body: usize,
  bodyLength: i32,
): usize {
  const name = takeText(first, firstLength);
  let reply: Reply;
  const it = instance;
  const early = it ? it.notStarted() : notStarted();
  if (tag <= 1) {
    // Of an optional text `second` says whether it is there.
    const sender = second ? takeText(<usize>secondLength, third) : null;
    const bytes = Uint8Array.wrap(takeBuffer(body, bodyLength));
    reply = early ? early : it!.request(name, sender, bytes, tag == 0);
  } else if (tag == 2) {
    reply = early ? early : it!.timer(name);
  } else if (tag == 3) {
    const reason = takeText(second, secondLength);
    reply = early ? early : it!.down(name, reason);
  } else {
    const data = Uint8Array.wrap(takeBuffer(second, secondLength));
    reply = early ? early : it!.other(name, data);
  }
  if (reply instanceof Failure) return fail(reply as Failure);
  store<u8>(ANSWER, 0);
  keepBytes(reply.body!, ANSWER + 4);
  return ANSWER;
}

export function snapshot(): usize {
  const it = instance;
  const early = it ? it.notStarted() : notStarted();
  return early ? fail(early) : state(1, it!.state());
}

export function terminate(reason: i32, other: usize, otherLength: i32, limited: i32, budgetMs: u64): usize {
  const word = stopReason(reason, other, otherLength);
  const it = instance;
  const early = it ? it.notStarted() : notStarted();
  if (early) return fail(early);
  const leave: Leave = it!.terminate(word, limited ? budgetMs : NO_LIMIT);
  const failure = leave.failure;
  if (failure) return fail(failure);
  if (leave.tag == 0) return state(0, it!.state());
  store<u8>(ANSWER, 0);
  store<u8>(ANSWER, <u8>leave.tag, 4);
  return ANSWER;
}
