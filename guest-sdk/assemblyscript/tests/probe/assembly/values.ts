// JSON that is read value by value, and written again.

import { Json, JsonArray, JsonKind, JsonObject, Reply, reply } from "baton-guest";

/** A value that was read. */
class Value {
  kind: JsonKind = JsonKind.Null;
  text: string = "";
  integer: i64 = 0;
  natural: u64 = 0;
  double: f64 = 0;
  /** n, i or f. */
  number: string = "f";
  truth: bool = false;
  items: Value[] = [];
  keys: string[] = [];
}

export function fromJson(json: Json): Value {
  const value = new Value();
  value.kind = json.kind;
  if (json.isText) value.text = json.text;
  if (json.isBool) value.truth = json.bool;
  if (json.isU64) {
    value.number = "n";
    value.natural = json.u64;
  } else if (json.isI64) {
    value.number = "i";
    value.integer = json.i64;
  } else if (json.isF64) {
    value.double = json.f64;
  }
  for (const each = json.each(); each.next();) {
    value.items.push(fromJson(each.value));
    if (json.isObject) value.keys.push(each.key);
  }
  return value;
}

export function written(value: Value): Reply {
  return reply(toArray(value));
}

/** An array with the one value in it. */
function toArray(value: Value): JsonArray {
  const out = new JsonArray();
  put(out, value);
  return out;
}

function put(out: JsonArray, value: Value): void {
  if (value.kind == JsonKind.Text) out.add(value.text);
  else if (value.kind == JsonKind.Bool) out.add(value.truth);
  else if (value.kind == JsonKind.Number) {
    if (value.number == "n") out.add(value.natural);
    else if (value.number == "i") out.add(value.integer);
    else out.add(value.double);
  } else if (value.kind == JsonKind.Array) {
    const items = new JsonArray();
    for (let i = 0; i < value.items.length; i++) put(items, value.items[i]);
    out.add(items);
  } else if (value.kind == JsonKind.Object) {
    const object = new JsonObject();
    for (let i = 0; i < value.items.length; i++) object.set(value.keys[i], toArray(value.items[i]));
    out.add(object);
  } else {
    out.add<string | null>(null);
  }
}

class Point {
  constructor(
    readonly x: i32,
    readonly y: f32,
  ) {}

  toJSON(): JsonObject {
    return new JsonObject().set("x", this.x).set("y", this.y);
  }
}

export function everyType(): JsonObject {
  const map = new Map<string, u8[]>();
  map.set('a"b', [1, 255]);
  map.set("\u0001", []);
  const numbers = new Map<i32, bool>();
  numbers.set(-7, true);
  const points: (Point | null)[] = [new Point(-1, 0.5), null];
  const none: string | null = null;
  return new JsonObject()
    .set<i8>("i8", -128)
    .set<u8>("u8", 255)
    .set<i16>("i16", -32768)
    .set<u16>("u16", 65535)
    .set<i32>("i32", i32.MIN_VALUE)
    .set<u32>("u32", u32.MAX_VALUE)
    .set<i64>("i64", i64.MIN_VALUE)
    .set<u64>("u64", u64.MAX_VALUE)
    .set<f32>("f32", 0.25)
    .set<f64>("f64", 1e300)
    .set<f64>("nan", NaN)
    .set<f64>("infinity", Infinity)
    .set("yes", true)
    .set("text", 'tab\t quote" back\\ line\n \u001f ö € 😀 \ud800')
    .set("none", none)
    .set("map", map)
    .set("numbers", numbers)
    .set("points", points)
    .set("nested", [["a"], [], ["b", "c"]])
    .set("json", Json.parse(' [1, {"a": null}] '))
    .set("missing", Json.missing());
}
