// A user: speaks for someone outside, and keeps what rooms send until it is read.
//
// From outside: {"join": "room/tea"}, {"leave": "room/tea"}, {"say": {"room": "room/tea", "text": "hello"}},
// {"topic": {"room": "room/tea", "text": "tea", "for_ms": 60000}}, "inbox", "read", "rooms".
// From rooms: {"said": {…}}, {"news": {…}}, {"removed": "silent"}.

import { CallError, Failure, check, match } from "baton-guest";

export class User {
  static fresh() {
    return { kind: "user", rooms: [], inbox: [], missed: 0 };
  }

  static validate({ rooms, inbox, missed }) {
    if (!Array.isArray(rooms) || !rooms.every((room) => typeof room === "string")) return "a user's rooms are no names";
    if (!Array.isArray(inbox)) return "a user's inbox is no array";
    if (!Number.isSafeInteger(missed) || missed < 0) return `a user has missed ${JSON.stringify(missed)} messages`;
  }

  constructor(state, settings) {
    this.state = state;
    this.settings = settings;
  }

  resumed() {}

  handle(message, cx) {
    return match(message, {
      join: (room) => this.#join(check.string(room, "join"), cx),
      leave: (room) => this.#leave(check.string(room, "leave"), cx),
      say: (said) => {
        const { room, text } = check.object(said, "say");
        return this.#ask(check.string(room, "room"), { post: text }, cx);
      },
      topic: (topic) => {
        const { room, ...about } = check.object(topic, "topic");
        return this.#ask(check.string(room, "room"), { topic: about }, cx);
      },
      inbox: () => ({ missed: this.state.missed, messages: this.state.inbox }),
      read: () => this.#read(cx),
      rooms: () => this.state.rooms,
      said: (said) => this.#keep({ room: this.#room(cx), said: check.object(said, "said") }),
      news: (news) => this.#keep({ room: this.#room(cx), news: check.object(news, "news") }),
      removed: (why) => {
        const room = this.#room(cx);
        this.#forget(room);
        this.#keep({ room, removed: check.string(why, "removed") });
      },
    });
  }

  #join(room, cx) {
    const found = cx.call(room, "join");
    if (!this.state.rooms.includes(room)) this.state.rooms.push(room);
    cx.save();
    return found;
  }

  #leave(room, cx) {
    const left = this.#ask(room, "leave", cx);
    this.#forget(room);
    cx.save();
    return left;
  }

  /** What a room fails with is passed on; one that does not know us any more is left. */
  #ask(room, message, cx) {
    try {
      return cx.call(room, message);
    } catch (error) {
      if (error instanceof CallError && error.code === "not-a-member") this.#forget(room);
      throw error;
    }
  }

  #read(cx) {
    const { missed, inbox } = this.state;
    this.state.inbox = [];
    this.state.missed = 0;
    // What has been read is not shown again after a crash.
    cx.save();
    return { missed, messages: inbox };
  }

  /** The oldest make room, and are counted. */
  #keep(message) {
    const { inbox } = this.state;
    inbox.push(message);
    while (inbox.length > this.settings.inbox) {
      inbox.shift();
      this.state.missed++;
    }
    return null;
  }

  #forget(room) {
    this.state.rooms = this.state.rooms.filter((name) => name !== room);
  }

  /** The sender, which must be a room that was joined. */
  #room(cx) {
    if (this.state.rooms.includes(cx.sender)) return cx.sender;
    throw new Failure("not-my-room", `${cx.actor} is not in ${cx.sender ?? "a room without a name"}`);
  }

  timer(name) {
    throw new Failure("unexpected-timer", `a user sets no timers, and ${name} came due`);
  }

  down() {}
}
