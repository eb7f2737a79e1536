// Not run: `tsc` reads it, to see that the declarations say what the SDK does.

import { Actor, CallError, Failure, Refusal, check, match, plugin } from "baton-guest";
import type { Cx, Leave, Predecessor, StopReason } from "baton-guest";
import {
  Reader,
  Writer,
  choice,
  dict,
  encoding,
  list,
  map,
  option,
  struct,
  tuple,
  u53,
  u64,
  u8,
  string,
  unit,
} from "baton-guest/postcard";
import type { Of } from "baton-guest/postcard";
import { SupervisionError, supervision } from "baton-guest/supervision";
import { Harness } from "baton-guest/testing";

const layout = struct({
  count: u64,
  seen: option(u53),
  tags: list(string),
  pair: tuple(u8, string),
  names: map(string, u8),
  by: dict(u64),
  kind: choice({ empty: unit, full: u8 }),
});
type State = Of<typeof layout>;

interface Old {
  count: number;
}

class Sample extends Actor<State, unknown, bigint | null> {
  static override schema = 3;
  static override migrations = { 1: (old: Old) => old, 2: (old: Old) => ({ ...old, seen: null }) };
  static override encodings = { 3: encoding(layout) };
  static override trapExit = false;

  init(cx: Cx): State {
    const first: bigint = check.u64(cx.argsJson(), "first");
    return { count: first, seen: null, tags: [], pair: [1, "a"], names: new Map(), by: {}, kind: { full: 3 } };
  }

  handle(message: unknown, cx: Cx): bigint | null {
    return match<bigint | null>(message, {
      get: () => this.state.count,
      call: (to: unknown) => {
        try {
          cx.call(check.string(to, "to"), { get: null }, 100);
        } catch (error) {
          if (error instanceof CallError && error.kind === "timeout") throw new Failure("slow", error.message);
          throw error;
        }
        return null;
      },
      tree: () => {
        const around = supervision(cx);
        try {
          around.startChild({ name: "w/1", plugin: "worker", shutdown: "infinity" }, "boss");
        } catch (error) {
          if (!(error instanceof SupervisionError) || error.kind !== "already-started") throw error;
        }
        return BigInt(around.countChildren().active);
      },
    });
  }

  override resumed({ origin, schema }: Predecessor): void {
    if (origin.kind === "checkpoint") throw new Refusal("stale", `schema ${schema}`);
  }

  override validate({ count }: State) {
    return count > 5n ? "too much" : null;
  }

  override terminate(reason: StopReason): Leave {
    return reason === "shutdown" ? "save" : "keep";
  }
}

export default plugin(Sample, { name: "sample", version: "1.0.0" });

const actor = Harness.start<State>(plugin(Sample, { name: "sample", version: "1.0.0" }), { args: 3 });
const count: bigint = actor.state.count;
const writer = new Writer();
writer.u64(count);
const read: bigint = new Reader(writer.finish()).u64();
export { read };

class Wrong extends Actor<{ n: number }> {
  // @ts-expect-error: the state is of another type
  init(): string {
    return "";
  }
  handle(): void {}
}
// @ts-expect-error: no version
plugin(Wrong, { name: "wrong" });
// @ts-expect-error: no actor
plugin(class {}, { name: "wrong", version: "1.0.0" });
