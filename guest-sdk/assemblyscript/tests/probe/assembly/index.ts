// Does whatever a test asks it to.

import {
  Actor,
  BRUTAL_KILL,
  ChildSpec,
  Cx,
  Failure,
  INFINITY,
  Json,
  JsonArray,
  JsonObject,
  Leave,
  NO_LIMIT,
  Predecessor,
  Reader,
  Refusal,
  Reply,
  Restart,
  SendError,
  SupervisionError,
  Writer,
  plugin,
  reply,
} from "baton-guest";

import { everyType, fromJson, written } from "./values";

class Probe extends Actor {
  count: u64 = 0;
  note: string = "";
  big: string[] = [];
  // Not in the state.
  heard: JsonArray = new JsonArray();
  leaves: string = "save";

  init(cx: Cx): Failure | null {
    const args = cx.argsJson();
    const text = cx.argsText();
    if (args.is("fail")) return cx.badArgs("anything else");
    if (args.isInvalid) return cx.badArgs("JSON");
    if (args.isText && text !== null) this.note = `${text.length} ${args.text}`;
    return null;
  }

  trapsExits(cx: Cx): bool {
    return cx.actor != "untrapped";
  }

  started(cx: Cx): Refusal | null {
    if (cx.args.length > 0 && cx.argsJson().is("not now")) return Refusal.unavailable("later");
    this.heard.add("started").add(cx.generation);
    const error = cx.actor == "sets-a-timer" ? cx.setTimer("first", 1_000) : null;
    return error ? Refusal.of(error) : null;
  }

  resumed(predecessor: Predecessor, cx: Cx): Refusal | null {
    if (this.note == "refuse me") return Refusal.stale("it is too old");
    this.heard.add(
      new JsonObject()
        .set("schema", predecessor.schema)
        .set("origin", predecessor.origin)
        .set("reason", predecessor.reason)
        .set("handled", predecessor.handled == NO_LIMIT ? -1 : <i64>predecessor.handled)
        .set("generation", predecessor.generation)
        .set("writtenBy", predecessor.writtenBy)
        .set("ageMs", predecessor.ageMs)
        .set("own", cx.generation),
    );
    return null;
  }

  validate(): string | null {
    return this.note == "broken" ? "the note says so" : null;
  }

  handle(message: Json, cx: Cx): Reply {
    const echo = message.arg("echo");
    if (!echo.isMissing) return written(fromJson(echo));
    const raw = message.arg("raw");
    if (!raw.isMissing) return reply(raw);
    if (message.is("types")) return reply(everyType());
    if (message.is("heard")) return reply(this.heard);
    if (message.is("note")) return reply(this.note);
    if (message.is("who")) return this.who(cx);
    const note = message.arg("note");
    if (note.isText) {
      this.note = note.text;
      return reply(this.note.length);
    }
    const kind = message.arg("kind");
    if (!kind.isMissing) return this.kinds(kind);
    const get = message.arg("get");
    if (get.isArray) return reply(get.items()[0].get(get.items()[1].text));
    const take = message.arg("take");
    if (take.isText) return reply(take.u64);
    const panic = message.arg("panic");
    if (panic.isText) return this.panic(panic.text, cx);
    const std = message.arg("std");
    if (std.isText) return standard(std.text);
    const host = message.arg("host");
    if (host.isObject) return this.asks(host.get("do"), host, cx);
    const tree = message.arg("tree");
    if (tree.isObject) return supervises(tree.get("do").text, tree, cx);
    const grow = message.arg("grow");
    if (grow.isU64) {
      for (let i: u64 = 0; i < grow.u64; i++) this.big.push(`item ${i} of the many that are kept`);
      return reply(this.big.length);
    }
    const leave = message.arg("leave");
    if (leave.isText) {
      this.leaves = leave.text;
      return Reply.none();
    }
    return cx.badMessage("something that is known here");
  }

  kinds(value: Json): Reply {
    return reply(
      new JsonObject()
        .set("kind", <i32>value.kind)
        .set("u64", value.isU64)
        .set("i64", value.isI64)
        .set("f64", value.isF64)
        .set("count", value.count())
        .set("upTo10", value.isUpTo(10)),
    );
  }

  who(cx: Cx): Reply {
    const sender = cx.sender;
    return reply(
      new JsonObject()
        .set("actor", cx.actor)
        .set("args", cx.args.length)
        .set("sender", sender)
        .set("id", cx.requestId)
        .set("expects", cx.expectsReply)
        .set("generation", cx.generation)
        .set("resumed", cx.predecessor !== null),
    );
  }

  panic(how: string, cx: Cx): Reply {
    const none: i32[] = [];
    if (how == "throw") throw new Error("thrown by hand");
    else if (how == "assert") assert(how.length > 100, "a rule of mine");
    else if (how == "silent") assert(how.length > 100);
    else if (how == "index") return reply(none[this.note.length]);
    else if (how == "map") return reply(new Map<string, i32>().get(how));
    else if (how == "divide") return reply(7 / none.length);
    else if (how == "deep") return reply(deep(1));
    else if (how == "unreachable") unreachable();
    return reply("nothing happened");
  }

  asks(word: Json, a: Json, cx: Cx): Reply {
    if (word.is("log")) {
      cx.trace("t");
      cx.debug("d", ["n", "1"]);
      cx.info("ö €", ["größe", "😀", "b", ""]);
      cx.warn("w");
      cx.error("e");
    } else if (word.is("now")) return reply(cx.nowMs());
    else if (word.is("remaining")) return reply(cx.remainingMs());
    else if (word.is("random")) return reply(cx.random(<i32>a.get("count").u64).length);
    else if (word.is("save")) cx.save();
    else if (word.is("stop")) cx.stop();
    else if (word.is("send")) return sent(cx.send(a.get("to").text, a.get("body")));
    else if (word.is("timer")) return sent(cx.setTimer(a.get("name").text, a.get("ms").u64));
    else if (word.is("cancel")) cx.cancelTimer(a.get("name").text);
    else if (word.is("monitor")) return sent(cx.monitor(a.get("actor").text));
    else if (word.is("demonitor")) cx.demonitor(a.get("actor").text);
    else if (word.is("call")) {
      const answer = cx.call(a.get("to").text, a.get("body"));
      const error = answer.error;
      if (error) return error;
      return reply(new JsonArray().add(answer.json).add(answer.body.length));
    } else if (word.is("call-bytes")) {
      const answer = cx.callBytes(a.get("to").text, new Uint8Array(3), 10);
      const error = answer.error;
      return error ? reply(<i32>error.kind) : reply(answer.body.length);
    }
    return reply(true);
  }

  timer(name: string, cx: Cx): Failure | null {
    this.heard.add("timer " + name);
    if (name == "again") return cx.setTimer(name, 100);
    return name == "stray" ? super.timer(name, cx) : null;
  }

  down(actor: string, reason: string, cx: Cx): Failure | null {
    if (actor == "stranger") return super.down(actor, reason, cx);
    this.heard.add(`down ${actor} ${reason}`);
    return null;
  }

  exit(actor: string, reason: string, cx: Cx): Failure | null {
    if (actor == "stranger") return super.exit(actor, reason, cx);
    this.heard.add(`exit ${actor} ${reason}`);
    return null;
  }

  terminate(reason: string, budgetMs: u64, cx: Cx): Leave {
    this.note = `${reason} ${budgetMs == NO_LIMIT ? "without limit" : budgetMs.toString()}`;
    if (this.leaves == "keep") return Leave.keep();
    if (this.leaves == "forget") return Leave.forget();
    return this.leaves == "fail" ? Leave.failed(new Failure("busy", "not now")) : Leave.save();
  }

  save(w: Writer): void {
    w.u64(this.count);
    w.string(this.note);
    w.list<string>(this.big, (w, item) => w.string(item));
  }

  load(r: Reader): void {
    this.count = r.u64();
    this.note = r.string();
    this.big = r.list<string>((r) => r.string());
  }
}

function deep(n: i32): i32 {
  const held = [n];
  return deep(n + 1) + held[0];
}

function sent(error: SendError | null): Reply {
  return error ? error : reply(true);
}

function standard(what: string): Reply {
  if (what == "date") return reply(Date.now());
  if (what == "iso") return reply(new Date(Date.now()).toISOString());
  if (what == "random") return reply(Math.random());
  if (what == "randomF32") return reply(Mathf.random());
  if (what == "performance") return reply(performance.now());
  if (what == "values") {
    const values = new Uint8Array(16);
    crypto.getRandomValues(values);
    let sum = 0;
    for (let i = 0; i < 16; i++) sum += values[i];
    return reply(sum);
  }
  console.log("log");
  console.debug("debug");
  console.info("info");
  console.warn("warn");
  console.error("error");
  console.assert(what == "", "assert");
  trace("trace", 2, 1, 2.5);
  return reply(what);
}

function done(error: SupervisionError | null): Reply {
  return error ? error : reply(true);
}

function supervises(word: string, a: Json, cx: Cx): Reply {
  const on = a.get("on");
  const name = on.isText ? on.text : null;
  if (word == "start") return done(cx.startChild(new ChildSpec("w/1", "worker").withArgs(3), name));
  if (word == "start-odd") {
    const spec = new ChildSpec("w/2", "worker").withRestart(Restart.Temporary);
    spec.significant = true;
    spec.shutdownMs = a.get("kill").isBool ? BRUTAL_KILL : INFINITY;
    return done(cx.startChild(spec));
  }
  if (word == "which") {
    const children = cx.whichChildren(name);
    const error = children.error;
    if (error) return error;
    const list = new JsonArray();
    for (let i = 0; i < children.list.length; i++) {
      const child = children.list[i];
      list.add(
        new JsonObject()
          .set("name", child.name)
          .set("supervisor", child.supervisor)
          .set("kind", child.kind)
          .set("state", child.state)
          .set("restart", <i32>child.restart)
          .set("shutdownMs", child.shutdownMs)
          .set("significant", child.significant)
          .set("restarts", child.restarts)
          .set("lastExit", child.lastExit),
      );
    }
    return reply(list);
  }
  if (word == "count") {
    const counts = cx.countChildren(name);
    const error = counts.error;
    if (error) return error;
    return reply<u64[]>([counts.specs, counts.active, counts.supervisors, counts.workers]);
  }
  if (word == "whereis") return reply(cx.whereis(name!));
  if (word == "attribute") return reply(cx.attribute(name!, "key"));
  if (word == "members" || word == "having") {
    const names = word == "members" ? cx.members(name!) : cx.having("key", name!);
    const error = names.error;
    return error ? error : reply(names.list);
  }
  if (word == "terminate") return done(cx.terminateChild(name!));
  if (word == "restart") return done(cx.restartChild(name!));
  if (word == "delete") return done(cx.deleteChild(name!));
  if (word == "link") return sent(cx.link(name!));
  if (word == "unlink") return sent(cx.unlink(name!));
  if (word == "exit") return sent(cx.exit(name!, "because"));
  if (word == "join") return sent(cx.join(name!));
  if (word == "leave") return sent(cx.leave(name!));
  if (word == "dispatch") return sent(cx.dispatch(name!, new JsonObject().set("say", "hi")));
  if (word == "attribute-set") return sent(cx.setAttribute("key", name));
  return cx.badMessage("something that the tree is asked");
}

plugin<Probe>("probe", "1.2.3").license("Apache-2.0").authors("A").about("homepage", "https://example.org");
