// Has come to its third layout, which has every type of postcard, and reads a fourth.

import { Actor, Cx, Json, Layout, Reader, Repair, Reply, State, Writer, plugin, reply } from "baton-guest";

class Pair {
  constructor(
    readonly key: string,
    readonly value: i16,
  ) {}
}

class Chain extends Actor {
  yes: bool = true;
  byte: u8 = 0;
  small: u16 = 0;
  whole: u32 = 0;
  big: u64 = 0;
  i8: i8 = 0;
  i16: i16 = 0;
  i32: i32 = 0;
  i64: i64 = 0;
  f32: f32 = 0;
  f64: f64 = 0;
  text: string = "";
  bytes: Uint8Array = new Uint8Array(0);
  some: string | null = null;
  none: string | null = null;
  variant: u32 = 0;
  pairs: Pair[] = [];
  map: Map<string, u64> = new Map<string, u64>();

  handle(message: Json, cx: Cx): Reply {
    if (message.is("fill")) this.fill();
    return reply(this.text);
  }

  fill(): void {
    this.byte = 255;
    this.small = 65535;
    this.whole = 4294967295;
    this.big = u64.MAX_VALUE;
    this.i8 = -128;
    this.i16 = -32768;
    this.i32 = i32.MIN_VALUE;
    this.i64 = i64.MIN_VALUE;
    this.f32 = -0.5;
    this.f64 = 1.5;
    this.text = "ö😀";
    this.bytes = Uint8Array.wrap(String.UTF8.encode("abc"));
    this.some = "some";
    this.variant = 300;
    this.pairs = [new Pair("a", 1), new Pair("b", -1)];
    this.map.set("z", 1);
    this.map.set("a", 128);
  }

  validate(): string | null {
    return this.text == "broken" ? "the text says so" : null;
  }

  save(w: Writer): void {
    w.bool(this.yes);
    w.u8(this.byte);
    w.u16(this.small);
    w.u32(this.whole);
    w.u64(this.big);
    w.i8(this.i8);
    w.i16(this.i16);
    w.i32(this.i32);
    w.i64(this.i64);
    w.f32(this.f32);
    w.f64(this.f64);
    w.string(this.text);
    w.bytes(this.bytes);
    w.optionalString(this.some);
    w.optionalString(this.none);
    w.variant(this.variant);
    w.list<Pair>(this.pairs, (w, pair) => {
      w.string(pair.key);
      w.i16(pair.value);
    });
    w.map<string, u64>(this.map, (w, key, value) => {
      w.string(key);
      w.u64(value);
    });
  }

  load(r: Reader): void {
    this.yes = r.bool();
    this.byte = r.u8();
    this.small = r.u16();
    this.whole = r.u32();
    this.big = r.u64();
    this.i8 = r.i8();
    this.i16 = r.i16();
    this.i32 = r.i32();
    this.i64 = r.i64();
    this.f32 = r.f32();
    this.f64 = r.f64();
    this.text = r.string();
    this.bytes = r.bytes();
    this.some = r.optionalString();
    this.none = r.optionalString();
    this.variant = r.variant(301);
    this.pairs = r.list<Pair>((r) => new Pair(r.string(), r.i16()));
    this.map = r.map<string, u64>(
      (r) => r.string(),
      (r) => r.u64(),
    );
  }
}

/** A text. */
class ChainV1 extends Layout {
  text: string = "";

  load(r: Reader): void {
    this.text = r.string();
  }

  become(repair: Repair): State {
    if (this.text == "lost") repair.fail("the text was lost");
    const next = new ChainV2();
    next.text = this.text + " from 1";
    return next;
  }
}

/** A text, and a number that nobody needs any more. */
class ChainV2 extends Layout {
  text: string = "";
  number: i64 = 0;

  load(r: Reader): void {
    this.text = r.string();
    this.number = r.i64();
    if (this.number == 13) r.fail("13 brings bad luck");
  }

  become(repair: Repair): State {
    // What a mistake in a migration leads to: not the layout that is due.
    if (this.text == "astray") return new ChainV1();
    const next = new Chain();
    next.text = this.text;
    return next;
  }
}

/** Of the next version: texts. */
class ChainV4 extends Layout {
  texts: string[] = [];

  load(r: Reader): void {
    this.texts = r.list<string>((r) => r.string());
  }

  become(repair: Repair): State {
    if (this.texts.length != 1) repair.fail(`${this.texts.length} texts are not one`);
    const back = new Chain();
    if (this.texts.length > 0) back.text = this.texts[0];
    return back;
  }
}

plugin<Chain>("chain", "3.0.0").schema(3).reads<ChainV1>(1).reads<ChainV2>(2).reads<ChainV4>(4);
