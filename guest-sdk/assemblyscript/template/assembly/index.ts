// The plugin {{name}}: it adds numbers up. Takes "get" and {"add": 3}, and answers with the sum.

import { Actor, Cx, Failure, Json, Reader, Reply, Writer, plugin, reply } from "baton-guest";

/** More than this, and `add` fails. */
const MOST: u64 = 1_000_000;

class {{Type}}Actor extends Actor {
  // The state: what `save` below writes of these fields outlives this instance. Add yours, there and in `load`.
  sum: u64 = 0;

  // A fresh state. Arguments come from baton.toml (`args = …`): here nothing, null, or a number to begin at.
  init(cx: Cx): Failure | null {
    const first = cx.argsJson();
    if (first.isUpTo(MOST)) this.sum = first.u64;
    else if (!first.isNull) return cx.badArgs(`nothing, null, or a whole number up to ${MOST}`);
    return null;
  }

  // One message at a time. Add yours here: `is("word")` knows a bare word, `arg("word")` what {"word": …} says.
  handle(message: Json, cx: Cx): Reply {
    if (message.is("get")) return reply(this.sum);

    const add = message.arg("add");
    if (add.isU64) return this.add(add.u64);

    return cx.badMessage('"get" or {"add": N}');
  }

  add(n: u64): Reply {
    // A failure is a reply like any other: the actor lives on. A `throw` is a crash: the actor starts again with the
    // state that was saved last.
    if (n > MOST - this.sum) return new Failure("too-much", `${this.sum} + ${n} is more than ${MOST}`);
    this.sum += n;
    // Saved when the actor stops. `cx.save()` here would save it before the reply leaves.
    return reply(this.sum);
  }

  // The state as bytes, field after field, and back: the same fields in the same order. Whatever changes here is
  // another layout: raise the schema below, and keep the old one, so that states which are out there are still read:
  //
  //   plugin<…>(…).schema(2).reads<SumV1>(1);
  save(w: Writer): void {
    w.u64(this.sum);
  }

  load(r: Reader): void {
    this.sum = r.u64();
  }

  // What must hold of every state that is taken over. What is returned says what is broken.
  validate(): string | null {
    return this.sum > MOST ? `the sum ${this.sum} is more than ${MOST}` : null;
  }

  // There is more to write: started, resumed, timer, down, exit, terminate. sdk/README.md has them all.
}

// What the host is told of the plugin. Raise the version with every release.
plugin<{{Type}}Actor>("{{name}}", "0.1.0").schema(1);
