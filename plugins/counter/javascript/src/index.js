// Counts. Takes "get", {"add": 3} and "reset", and answers with the count; starts at its argument, or at 0.

import { Actor, Failure, check, match, plugin } from "baton-guest";
import { encoding, struct, u64 } from "baton-guest/postcard";

const MOST = (1n << 64n) - 1n;

class Counter extends Actor {
  static schema = 1;
  // As the counters in other languages write it, so that each can take over from any other.
  static encodings = { 1: encoding(struct({ count: u64 })) };

  init(cx) {
    const first = cx.argsJson();
    return { count: first === null ? 0n : check.u64(first, "the first count") };
  }

  handle(message) {
    return match(message, {
      get: () => this.state.count,
      add: (n) => (this.state.count = sum(this.state.count, check.u64(n, "add"))),
      reset: () => (this.state.count = 0n),
    });
  }
}

function sum(count, n) {
  if (count + n <= MOST) return count + n;
  throw new Failure("overflow", `${count} + ${n} is more than a counter holds (${MOST})`);
}

export default plugin(Counter, { name: "counter", version: "1.0.0+js", metadata: { license: "Apache-2.0" } });
