// Rooms and users: one plugin, two kinds of actors. Users join rooms and say things in them; a room sends what is said
// to each of its members, who keep it in an inbox.

import { Actor, Failure, check, plugin } from "baton-guest";

import { Room } from "./room.js";
import { User } from "./user.js";
import { fromSchema1 } from "./v1.js";

const KINDS = { room: Room, user: User };

class Chat extends Actor {
  static schema = 2;
  static migrations = { 1: fromSchema1 };

  #part = null;

  /** Arguments: `{"kind": "room", "history": 100, "inbox": 100, "members": 200, "silent_ms": 600000}`, or some of them. */
  init(cx) {
    const {
      kind,
      history = 100,
      inbox = 100,
      members = 200,
      silent_ms = 600_000,
      ...rest
    } = check.object(cx.argsJson() ?? {}, "the arguments");
    const [unknown] = Object.keys(rest);
    if (unknown !== undefined) throw new Failure("bad-args", `nothing is known of ${unknown}`);
    this.settings = {
      history: check.integer(history, "history", { min: 1, max: 1_000 }),
      inbox: check.integer(inbox, "inbox", { min: 1, max: 1_000 }),
      // Each is monitored, and sent what is said: both count against what one turn may send.
      members: check.integer(members, "members", { min: 1, max: 400 }),
      silentMs: check.integer(silent_ms, "silent_ms", { min: 1_000 }),
    };
    // By its name, where the arguments leave it open.
    const found = kind ?? (cx.actor.startsWith("user/") ? "user" : "room");
    if (!Object.hasOwn(KINDS, found)) throw new Failure("bad-args", `kind: expected "room" or "user"`);
    return KINDS[found].fresh();
  }

  /** Made of the state that was taken over, where there was one; so not before the first message. */
  get part() {
    this.#part ??= new KINDS[this.state.kind](this.state, this.settings);
    return this.#part;
  }

  validate(state) {
    if (!Object.hasOwn(KINDS, state?.kind)) return `it is the state of neither a room nor a user`;
    return KINDS[state.kind].validate(state);
  }

  resumed(predecessor, cx) {
    this.part.resumed(predecessor, cx);
  }

  handle(message, cx) {
    return this.part.handle(message, cx);
  }

  timer(name, cx) {
    this.part.timer(name, cx);
  }

  down(actor, reason, cx) {
    this.part.down(actor, reason, cx);
  }
}

export default plugin(Chat, { name: "chat-room", version: "2.0.0", metadata: { license: "Apache-2.0" } });
