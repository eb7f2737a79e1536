// The plugin {{name}}: it counts. Takes "get" and {"add": 3}, and answers with the count.

import { Actor, Failure, check, match, plugin } from "baton-guest";

/** More than this, and `add` fails. */
const MOST = 1_000_000;

class {{Type}} extends Actor {
  // The layout of the state. Raise it when the layout changes, and say in `migrations` how the old one becomes the new:
  //
  //   static schema = 2;
  //   static migrations = { 1: ({ count }) => ({ count, since: null }) };
  static schema = 1;

  // The state that an actor begins with: plain JSON. Arguments come from baton.toml (`args = …`).
  init(cx) {
    const first = cx.argsJson() ?? 0;
    return { count: check.integer(first, "the first count", { min: 0, max: MOST }) };
  }

  // What must hold of every state that is taken over. What is returned says what is broken.
  validate({ count }) {
    if (!Number.isInteger(count) || count < 0 || count > MOST) return `the count is ${JSON.stringify(count)}`;
  }

  // One message at a time. Add yours here: `name: () => …` takes "name", `name: (argument) => …` takes {"name": argument}.
  handle(message, _cx) {
    return match(message, {
      get: () => this.state.count,
      add: (n) => this.add(check.integer(n, "add", { min: 0 })),
    });
  }

  add(n) {
    const count = this.state.count + n;
    // A failure is a reply like any other. Any other error that is thrown is a crash: the actor starts again with the
    // state that was saved last.
    if (count > MOST) throw new Failure("too-much", `${this.state.count} + ${n} is more than ${MOST}`);
    this.state.count = count;
    // Saved when the actor stops. `cx.save()` here would save it before the reply leaves.
    return count;
  }
}

// What the host is told of the plugin. Raise the version with every release.
export default plugin({{Type}}, { name: "{{name}}", version: "0.1.0" });
