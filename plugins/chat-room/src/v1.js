// The layout of 1.0.0: rooms knew neither times nor numbers. Never to be changed.
//
//     { kind: "room", topic: "tea", members: ["user/ann"], lines: [{ from: "user/ann", text: "hello" }] }
//     { kind: "user", rooms: ["room/tea"], inbox: [{ room: "room/tea", from: "user/ann", text: "hello" }] }

/** What 1.0.0 did not know stays unknown: null. */
export function fromSchema1(older) {
  return older.kind === "room" ? room(older) : user(older);
}

function room({ topic, members, lines }) {
  return {
    kind: "room",
    topic: topic === "" ? null : { text: topic, by: null, until: null },
    members: members.map((name) => ({ name, since: null })),
    history: lines.map(({ from, text }, i) => ({ n: i + 1, from, text, at: null })),
    next: lines.length + 1,
  };
}

function user({ rooms, inbox }) {
  const messages = inbox.map(({ room, from, text }) => ({ room, said: { n: null, from, text } }));
  return { kind: "user", rooms, inbox: messages, missed: 0 };
}
