import assert from "node:assert/strict";
import { test } from "node:test";

import * as p from "../postcard.js";

const written = (codec, value) => Buffer.from(p.encoding(codec).encode(value)).toString("hex");
const read = (codec, hex) => p.encoding(codec).decode(Uint8Array.from(Buffer.from(hex, "hex")));

// As the crate `postcard` writes them.
const CASES = [
  [p.bool, true, "01"],
  [p.u8, 255, "ff"],
  [p.u16, 300, "ac02"],
  [p.u32, 4294967295, "ffffffff0f"],
  [p.u64, 300n, "ac02"],
  [p.u64, 2n ** 64n - 1n, "ffffffffffffffffff01"],
  [p.u53, Number.MAX_SAFE_INTEGER, "ffffffffffffff0f"],
  [p.i8, -1, "ff"],
  [p.i16, -1, "01"],
  [p.i16, -32768, "ffff03"],
  [p.i32, 1, "02"],
  [p.i32, -2147483648, "ffffffff0f"],
  [p.i64, -(2n ** 63n), "ffffffffffffffffff01"],
  [p.i64, 2n ** 63n - 1n, "feffffffffffffffff01"],
  [p.f32, -32.005859375, "000600c2"],
  [p.f64, 1.5, "000000000000f83f"],
  [p.string, "hé", "0368c3a9"],
  [p.bytes, Uint8Array.of(1, 2), "020102"],
  [p.unit, null, ""],
  [p.option(p.u8), null, "00"],
  [p.option(p.u8), 7, "0107"],
  [p.list(p.u16), [1, 300], "0201ac02"],
  [p.tuple(p.u8, p.string), [1, "a"], "010161"],
  [p.struct({ a: p.u8, b: p.list(p.bool) }), { a: 1, b: [true] }, "010101"],
  [
    p.map(p.u8, p.u8),
    new Map([
      [2, 1],
      [1, 2],
    ]),
    "0202010102",
  ],
  [p.dict(p.u8), { a: 1, b: 2 }, "020161010162" + "02"],
  [p.choice({ empty: p.unit, full: p.u8 }), "empty", "00"],
  [p.choice({ empty: p.unit, full: p.u8 }), { full: 3 }, "0103"],
];

test("bytes are postcard's", () => {
  for (const [codec, value, hex] of CASES) {
    assert.equal(written(codec, value), hex);
    assert.deepEqual(read(codec, hex), value);
  }
  assert.equal(written(p.dict(p.u8), { b: 2, a: 1 }), written(p.dict(p.u8), { a: 1, b: 2 }));
});

test("bytes that are cut, left over or too large are refused", () => {
  for (const [codec, , hex] of CASES) {
    assert.throws(() => read(codec, hex + "00"), /left over/);
    if (hex !== "") assert.throws(() => read(codec, hex.slice(0, -2)), RangeError);
  }
  const broken = [
    [p.bool, "02"],
    [p.u16, "808004"],
    [p.u32, "ffffffff10"],
    [p.u64, "ffffffffffffffffff02"],
    [p.u64, "8080808080808080808000"],
    [p.u53, "8080808080808010"],
    [p.string, "01ff"],
    [p.list(p.u8), "ffffffff0f"],
    [p.list(p.unit), "ffffffff0f"],
    [p.choice({ a: p.unit }), "01"],
  ];
  for (const [codec, hex] of broken) assert.throws(() => read(codec, hex), RangeError, hex);
});

test("values that do not fit are refused, with the field", () => {
  const refused = [
    [p.u8, 256],
    [p.u8, -1],
    [p.u32, 1.5],
    [p.u32, "1"],
    [p.u64, 2n ** 64n],
    [p.u64, -1n],
    [p.i8, 128],
    [p.i64, 2n ** 63n],
    [p.bool, 1],
    [p.string, null],
    [p.bytes, [1]],
    [p.f64, "1"],
    [p.choice({ a: p.unit }), "b"],
  ];
  for (const [codec, value] of refused) assert.throws(() => written(codec, value), /./, String(value));
  assert.throws(
    () => written(p.struct({ a: p.struct({ b: p.u8 }) }), { a: { b: -1 } }),
    /^RangeError: a: b: -1 is not an integer from 0 to 255/,
  );
});

test("a long state grows its writer", () => {
  const codec = p.list(p.string);
  const value = Array.from({ length: 1_000 }, (_, i) => `number ${i}`);
  assert.deepEqual(read(codec, written(codec, value)), value);
});
