// Counts. Takes "get", {"add": 3} and "reset", and answers with the count; starts at its argument, or at 0.

import { Actor, Cx, Failure, Json, Reader, Reply, Writer, plugin, reply } from "baton-guest";

class Counter extends Actor {
  count: u64 = 0;

  init(cx: Cx): Failure | null {
    const first = cx.argsJson();
    if (first.isU64) this.count = first.u64;
    else if (!first.isNull) return cx.badArgs("nothing, null, or a first count");
    return null;
  }

  handle(message: Json, cx: Cx): Reply {
    const add = message.arg("add");
    if (add.isU64) {
      const n = add.u64;
      if (n > u64.MAX_VALUE - this.count) return overflow(this.count, n);
      this.count += n;
    } else if (message.is("reset")) {
      this.count = 0;
    } else if (!message.is("get")) {
      return cx.badMessage('"get", "reset" or {"add": N}');
    }
    return reply(this.count);
  }

  // A varint and nothing else, as the counters in other languages write it, so that each can take over from any other.
  save(w: Writer): void {
    w.u64(this.count);
  }

  load(r: Reader): void {
    this.count = r.u64();
  }
}

function overflow(count: u64, n: u64): Failure {
  return new Failure("overflow", `${count} + ${n} is more than a counter holds (${u64.MAX_VALUE})`);
}

plugin<Counter>("counter", "1.0.0+as").license("Apache-2.0");
