// The canonical ABI (https://github.com/WebAssembly/component-model): how values lie in memory, and how they are
// passed. Types are made of the functions below; layouts are computed, and nothing here knows those of the SDK.

const UTF8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const align = (at, to) => Math.ceil(at / to) * to;
const safe = (n) => (n <= Number.MAX_SAFE_INTEGER ? Number(n) : n);

/**
 * What a type needs: its size and alignment, the core types it is passed as, and ways in and out of memory and numbers.
 */
function plain(size, flat, load, store, lift, lower) {
  return { size, align: size, flat: [flat], load, store, lift: (_, next) => lift(next()), lower: (_, v) => [lower(v)] };
}

export const bool = plain(
  1,
  "i32",
  (m, at) => m.view.getUint8(at) !== 0,
  (m, at, v) => m.view.setUint8(at, v ? 1 : 0),
  (v) => v !== 0,
  (v) => (v ? 1 : 0),
);
const u8 = plain(
  1,
  "i32",
  (m, at) => m.view.getUint8(at),
  (m, at, v) => m.view.setUint8(at, v),
  (v) => v,
  (v) => v,
);
export const u32 = plain(
  4,
  "i32",
  (m, at) => m.view.getUint32(at, true),
  (m, at, v) => m.view.setUint32(at, v, true),
  (v) => v >>> 0,
  (v) => v,
);
export const u64 = plain(
  8,
  "i64",
  (m, at) => safe(m.view.getBigUint64(at, true)),
  (m, at, v) => m.view.setBigUint64(at, BigInt(v), true),
  (v) => safe(BigInt.asUintN(64, v)),
  (v) => BigInt.asIntN(64, BigInt(v)),
);

function pointed(read, write) {
  const lift = (m, next) => read(m, next() >>> 0, next() >>> 0);
  const load = (m, at) => read(m, u32.load(m, at), u32.load(m, at + 4));
  const store = (m, at, v) => {
    const [address, length] = write(m, v);
    u32.store(m, at, address);
    u32.store(m, at + 4, length);
  };
  return { size: 8, align: 4, flat: ["i32", "i32"], load, store, lift, lower: write };
}

/** `list<u8>`, as a Uint8Array. */
export const bytes = pointed(
  (m, at, length) => m.bytes(at, length).slice(),
  (m, v) => {
    const at = m.room(v.length, 1);
    m.bytes(at, v.length).set(v);
    return [at, v.length];
  },
);

export const string = pointed(
  (m, at, length) => UTF8.decode(m.bytes(at, length)),
  (m, v) => bytes.lower(m, new TextEncoder().encode(v)),
);

export const list = (of) =>
  pointed(
    (m, at, length) => {
      m.bytes(at, length * of.size);
      return Array.from({ length }, (_, i) => of.load(m, at + i * of.size));
    },
    (m, v) => {
      const at = m.room(v.length * of.size, of.align);
      v.forEach((item, i) => of.store(m, at + i * of.size, item));
      return [at, v.length];
    },
  );

/** Fields by name, in their order. */
export function record(fields) {
  const names = Object.keys(fields);
  const types = Object.values(fields);
  const within = tuple(...types);
  const object = (values) => Object.fromEntries(names.map((name, i) => [name, values[i]]));
  const values = (v) => names.map((name) => v[name]);
  return {
    ...within,
    load: (m, at) => object(within.load(m, at)),
    store: (m, at, v) => within.store(m, at, values(v)),
    lift: (m, next) => object(within.lift(m, next)),
    lower: (m, v) => within.lower(m, values(v)),
  };
}

export function tuple(...types) {
  let size = 0;
  const places = types.map((type) => {
    const at = align(size, type.align);
    size = at + type.size;
    return at;
  });
  const alignment = Math.max(...types.map((type) => type.align));
  return {
    size: align(size, alignment),
    align: alignment,
    flat: types.flatMap((type) => type.flat),
    load: (m, at) => types.map((type, i) => type.load(m, at + places[i])),
    store: (m, at, v) => types.forEach((type, i) => type.store(m, at + places[i], v[i])),
    lift: (m, next) => types.map((type) => type.lift(m, next)),
    lower: (m, v) => types.flatMap((type, i) => type.lower(m, v[i])),
  };
}

/** Cases by name, each with a type or null. A value is `{ tag, val }`. */
export function variant(cases) {
  const names = Object.keys(cases);
  const types = Object.values(cases);
  const known = types.filter((type) => type !== null);
  const alignment = Math.max(1, ...known.map((type) => type.align));
  const place = align(1, alignment);
  const size = align(place + Math.max(0, ...known.map((type) => type.size)), alignment);
  // Cases share the numbers: where one has 32 bits and another 64, there are 64.
  const shared = [];
  for (const { flat } of known) flat.forEach((type, i) => (shared[i] = (shared[i] ?? type) === type ? type : "i64"));
  const indexOf = (tag) => {
    if (!names.includes(tag)) throw new Error(`there is no case ${tag} among ${names.join(", ")}`);
    return names.indexOf(tag);
  };
  const typeOf = (i) => {
    if (i >= names.length) throw new Error(`there is no case ${i} of ${names.length}: ${names.join(", ")}`);
    return types[i];
  };
  const made = (i, val) => (types[i] === null ? { tag: names[i] } : { tag: names[i], val });
  return {
    size,
    align: alignment,
    flat: ["i32", ...shared],
    load(m, at) {
      const i = u8.load(m, at);
      return made(i, typeOf(i)?.load(m, at + place));
    },
    store(m, at, { tag, val }) {
      const i = indexOf(tag);
      u8.store(m, at, i);
      types[i]?.store(m, at + place, val);
    },
    lift(m, next) {
      const i = next();
      const type = typeOf(i);
      const given = shared.map((kind, n) => {
        const v = next();
        return kind === "i64" && type?.flat[n] === "i32" ? Number(BigInt.asUintN(32, v)) : v;
      });
      let n = 0;
      return made(
        i,
        type?.lift(m, () => given[n++]),
      );
    },
    lower(m, { tag, val }) {
      const i = indexOf(tag);
      const given = types[i]?.lower(m, val) ?? [];
      return [i, ...shared.map((kind, n) => (kind === "i64" ? BigInt(given[n] ?? 0) : (given[n] ?? 0)))];
    },
  };
}

/** As another type, with values turned on the way in and out. */
function as(type, into, from) {
  return {
    ...type,
    load: (m, at) => into(type.load(m, at)),
    store: (m, at, v) => type.store(m, at, from(v)),
    lift: (m, next) => into(type.lift(m, next)),
    lower: (m, v) => type.lower(m, from(v)),
  };
}

/** A word. */
export const enumeration = (...names) =>
  as(
    variant(Object.fromEntries(names.map((name) => [name, null]))),
    ({ tag }) => tag,
    (tag) => ({ tag }),
  );

/** A value, or null. */
export const option = (some) =>
  as(
    variant({ none: null, some }),
    ({ val }) => val ?? null,
    (v) => (v === null || v === undefined ? { tag: "none" } : { tag: "some", val: v }),
  );

export const result = (ok, err) => ({ ...variant({ ok, err }), fallible: true });
