import assert from "node:assert/strict";
import { test } from "node:test";

import { decodeText, encodeText } from "../index.js";
import { MAX_DEPTH, parseJson, writeJson } from "../lib/json.js";
import { decodeByBase64, encodeByBase64 } from "../lib/utf8.js";

// What QuickJS has and Node 20 has not.
Uint8Array.fromBase64 ??= (text) => new Uint8Array(Buffer.from(text, "base64"));
Uint8Array.prototype.toBase64 ??= function () {
  return Buffer.from(this).toString("base64");
};

const TEXTS = ["", "a", "plain ASCII \0 \x7f", "Grüße", "漢字", "😀 a 😀", "\ufeffbom", "é".repeat(10_000), "%41 %zz"];

test("what plugins do with text is what Node does", () => {
  for (const text of TEXTS) {
    const bytes = encodeByBase64(text);
    assert.deepEqual(bytes, new TextEncoder().encode(text));
    assert.equal(decodeByBase64(bytes), text);
    assert.equal(decodeText(encodeText(text)), text);
  }
  assert.deepEqual(encodeByBase64("a\ud800ä"), new TextEncoder().encode("a\ufffdä"));
});

test("bytes that are not UTF-8 are refused", () => {
  const broken = [
    [0x80],
    [0xff],
    [0xc3],
    [0xc0, 0x80],
    [0xe2, 0x82],
    [0xed, 0xa0, 0x80],
    [0xf4, 0x90, 0x80, 0x80],
    [0xf0, 0x80, 0x80, 0x80],
  ];
  for (const bytes of broken.map((bytes) => Uint8Array.from(bytes))) {
    assert.throws(() => decodeByBase64(bytes), TypeError);
    assert.throws(() => decodeText(bytes), { code: "bad-message" });
  }
});

test("no integer loses a digit", () => {
  const cases = [
    ["18446744073709551615", 18446744073709551615n],
    ["-9007199254740993", -9007199254740993n],
    ["9007199254740991", 9007199254740991],
    ["1234567890123456.5", 1234567890123456.5],
    ["1e400", Infinity],
    ["12345678901234567890e2", 12345678901234567890e2],
    ["0.12345678901234567890", 0.1234567890123456789],
    [
      ' { "a\\"1" : [ 12345678901234567890 , true,false , null , "12345678901234567890", {} , [] ] , "__proto__": 1 } ',
      JSON.parse('{"a\\"1":["n",true,false,null,"12345678901234567890",{},[]],"__proto__":1}', (_, part) =>
        part === "n" ? 12345678901234567890n : part,
      ),
    ],
  ];
  for (const [text, value] of cases) assert.deepEqual(parseJson(text), value, text);
});

test("big integers are written as they are", () => {
  assert.equal(writeJson(2n ** 64n - 1n), "18446744073709551615");
  assert.equal(writeJson({ "\0": [1n, "\0", "\0\0"], b: -2n }), '{"\\u0000":[1,"\\u0000","\\u0000\\u0000"],"b":-2}');
  assert.equal(writeJson(undefined), "null");
  assert.throws(() => writeJson(() => {}), TypeError);
  const cycle = {};
  cycle.cycle = cycle;
  assert.throws(() => writeJson(cycle), TypeError);
});

test("nesting is bounded, brackets in strings aside", () => {
  const nested = (depth) => "[".repeat(depth) + "]".repeat(depth);
  parseJson(nested(MAX_DEPTH));
  assert.throws(() => parseJson(nested(MAX_DEPTH + 1)), /more than 128 values are nested/);
  assert.throws(() => parseJson("[".repeat(1_000_000)), SyntaxError);
  assert.throws(() => parseJson('{"a":'.repeat(1_000)), SyntaxError);
  assert.throws(() => parseJson(`["\\"", ${nested(MAX_DEPTH)}]`), SyntaxError);
  parseJson(JSON.stringify("[".repeat(1_000)));
  parseJson(JSON.stringify(Array.from({ length: 1_000 }, () => ({ a: [1, "]"] }))));
});

test("what is no JSON is refused", () => {
  for (const text of ["", "get", "{", "[1,]", "01", "1234567890123456789x", '"\u0001"']) {
    assert.throws(() => parseJson(text), SyntaxError, text);
  }
});
