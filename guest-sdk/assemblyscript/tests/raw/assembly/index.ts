// Bodies and state are bytes of its own.

import { Actor, Cx, Failure, Reader, Reply, Writer, plugin } from "baton-guest";

class Raw extends Actor {
  last: Uint8Array = new Uint8Array(0);

  handleBytes(body: Uint8Array, cx: Cx): Reply {
    if (body.length == 0) return cx.badMessage("a byte or more");
    if (body[0] == 0x21) return new Failure("loud", "not so loud");
    if (body[0] == 0x3f) return Reply.text(`${body.length} ö`);
    const before = this.last;
    this.last = body;
    return before.length == 0 ? Reply.empty() : Reply.bytes(before.subarray(1));
  }

  save(w: Writer): void {
    w.raw(this.last);
  }

  load(r: Reader): void {
    this.last = r.raw(r.left);
  }
}

plugin<Raw>("raw", "1.0.0").messages("application/octet-stream");
