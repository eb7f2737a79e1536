// Says nothing of schema 2.

import { Actor, Layout, Reader, Repair, State, Writer, plugin } from "baton-guest";

class Gap extends Actor {
  save(w: Writer): void {}
  load(r: Reader): void {}
}

class GapV1 extends Layout {
  load(r: Reader): void {}
  become(repair: Repair): State {
    return new Gap();
  }
}

plugin<Gap>("gap", "1.0.0").schema(3).reads<GapV1>(1);
