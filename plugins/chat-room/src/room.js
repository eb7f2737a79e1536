// A room: who is in it, what was said in it, and what it is about for now.
//
// From users: "join", "leave", {"post": "hello"}, {"topic": {"text": "tea", "for_ms": 60000}}. From anybody: "look".

import { Failure, check, match } from "baton-guest";

/** Prefix of the timer of a member. */
const SILENT = "silent:";

/** So that a timer may be named after a member. */
const NAME_LENGTH = 100;

/** How much of the history someone who joins is told. */
const RECENT = 10;

export class Room {
  /** Members that this instance monitors: the host forgets monitors with the instance. */
  #watched = new Set();

  static fresh() {
    return { kind: "room", topic: null, members: [], history: [], next: 1 };
  }

  static validate({ members, history, next }) {
    if (!Array.isArray(members) || !members.every((member) => typeof member?.name === "string"))
      return "a room's members have no names";
    if (!Array.isArray(history)) return "a room's history is no array";
    if (!Number.isSafeInteger(next)) return `the next post is number ${JSON.stringify(next)}`;
    const last = history.at(-1);
    if (last !== undefined && !(last.n < next)) return `post ${last.n} was made, and the next is ${next}`;
  }

  constructor(state, settings) {
    this.state = state;
    this.settings = settings;
  }

  resumed({ schema }, cx) {
    for (const { name } of this.state.members) {
      this.#watch(name, cx);
      // 1.0.0 waited for silent members for ever.
      if (schema === 1) this.#wait(name, cx);
    }
  }

  handle(message, cx) {
    return match(message, {
      join: () => this.#join(memberName(cx), cx),
      leave: () => this.#leave(this.#member(cx), cx),
      post: (text) => this.#post(this.#member(cx), check.string(text, "post", { min: 1, max: 2_000 }), cx),
      topic: (topic) => this.#setTopic(this.#member(cx), check.object(topic, "topic"), cx),
      look: () => ({ ...this.#shown(), history: this.state.history }),
    });
  }

  #join(name, cx) {
    const { members, history } = this.state;
    // A user that has forgotten, after a crash perhaps, may join again.
    if (!this.#has(name)) {
      if (members.length >= this.settings.members)
        throw new Failure("full", `${members.length} members are as many as fit`);
      this.#tell({ news: { who: name, did: "joined" } }, cx);
      members.push({ name, since: cx.now() });
    }
    this.#watch(name, cx);
    this.#wait(name, cx);
    cx.save();
    return { ...this.#shown(), history: history.slice(-RECENT) };
  }

  #leave(name, cx) {
    this.#remove(name, "left", cx);
    cx.demonitor(name);
    return null;
  }

  #post(from, text, cx) {
    const { history } = this.state;
    const said = { n: this.state.next++, from, text };
    history.push({ ...said, at: cx.now() });
    if (history.length > this.settings.history) history.shift();
    this.#watch(from, cx);
    this.#wait(from, cx);
    this.#tell({ said }, cx);
    // The number is told to whoever posted: it must not be given to another post after a crash.
    cx.save();
    return said.n;
  }

  #setTopic(by, { text, for_ms }, cx) {
    const lasts = check.integer(for_ms, "for_ms", { min: 1, max: 86_400_000 });
    this.state.topic = { text: check.string(text, "text", { min: 1, max: 200 }), by, until: cx.now() + lasts };
    cx.setTimer("topic", lasts);
    this.#wait(by, cx);
    this.#tell({ news: { who: by, did: "topic", text } }, cx);
    cx.save();
    return null;
  }

  timer(name, cx) {
    if (name === "topic") {
      this.state.topic = null;
      this.#tell({ news: { who: null, did: "topic", text: null } }, cx);
      return;
    }
    const silent = name.slice(SILENT.length);
    if (name.startsWith(SILENT) && this.#has(silent)) {
      cx.send(silent, { removed: "silent" });
      cx.demonitor(silent);
      this.#remove(silent, "fell silent", cx);
    }
  }

  down(actor, reason, cx) {
    this.#watched.delete(actor);
    if (!this.#has(actor)) return;
    // Who stops with the host comes back with it, and is not there yet when the room is: silence will tell.
    if (reason === "shutdown" || reason === "noproc") return;
    this.#remove(actor, "is gone", cx);
  }

  /** The sender, which must be a member. */
  #member(cx) {
    const name = memberName(cx);
    if (this.#has(name)) return name;
    throw new Failure("not-a-member", `${name} is not in ${cx.actor}: join first`);
  }

  #has(name) {
    return this.state.members.some((member) => member.name === name);
  }

  #remove(name, did, cx) {
    this.state.members = this.state.members.filter((member) => member.name !== name);
    this.#watched.delete(name);
    cx.cancelTimer(SILENT + name);
    this.#tell({ news: { who: name, did } }, cx);
    cx.save();
  }

  #watch(name, cx) {
    if (this.#watched.has(name)) return;
    cx.monitor(name);
    this.#watched.add(name);
  }

  /** From now on, as long as a member may be silent. */
  #wait(name, cx) {
    cx.setTimer(SILENT + name, this.settings.silentMs);
  }

  #tell(message, cx) {
    for (const { name } of this.state.members) cx.send(name, message);
  }

  #shown() {
    const { topic, members } = this.state;
    return { topic: topic && topic.text, members: members.map(({ name }) => name) };
  }
}

/** A room knows its members by their names as actors. */
function memberName(cx) {
  if (cx.sender === null) throw new Failure("no-name", "only actors can be members: have a user say it");
  if (cx.sender.length > NAME_LENGTH)
    throw new Failure("bad-name", `names of members have at most ${NAME_LENGTH} characters`);
  return cx.sender;
}
