// State as bytes: encoding, decoding, and the chain of migrations between layouts.

import { Failure, Refusal, tell } from "./errors.js";
import { parseJson, writeJson } from "./json.js";
import { bytes, kind, settled } from "./values.js";
import { decodeUtf8, encodeUtf8 } from "./utf8.js";

/** The encoding of a state where its author names no other. */
export const json = {
  encode(state) {
    checkPlain(state, "state");
    return encodeUtf8(writeJson(state));
  },
  decode: (data) => parseJson(decodeUtf8(data)),
};

/** Writes the current state. */
export function save(plugin, state) {
  try {
    return bytes(plugin.encoding(plugin.schema).encode(state), "what the encoding made of the state");
  } catch (error) {
    throw new Failure("not-encodable", `the state cannot be written: ${error.message}`);
  }
}

/** Brings a state of any layout that the plugin reads to the current one. `report` hears of errors with their place. */
export function load(plugin, actor, schema, data, report) {
  if (schema < plugin.readsFrom || schema > plugin.readsTo) {
    const range = `${plugin.readsFrom} to ${plugin.readsTo}`;
    throw new Refusal("incompatible", `schema ${schema} is not among ${range}`);
  }
  const refused = (kind, why) => new Refusal(kind, `state of schema ${schema}${why}`);
  let state = attempt(
    () => plugin.encoding(schema).decode(data),
    (error) => refused("corrupt", `: ${data.length} bytes do not decode: ${tell(error)}`),
  );
  if (schema > plugin.schema) {
    return valid(
      plugin,
      actor,
      schema,
      step(plugin.newer.get(schema), state, (error) => {
        report(error);
        return refused("incompatible", `: there is no way back to ${plugin.schema}: ${tell(error)}`);
      }),
    );
  }
  for (let from = schema; from < plugin.schema; from++) {
    state = step(plugin.migrations.get(from), state, (error) => {
      report(error);
      return refused("corrupt", `: ${from} does not become ${from + 1}: ${tell(error)}`);
    });
  }
  return valid(plugin, actor, schema, state);
}

function step(migrate, older, refuse) {
  return attempt(() => {
    const state = settled(migrate(older), "a migration");
    if (state === undefined) throw new TypeError("the migration returned nothing");
    return state;
  }, refuse);
}

function valid(plugin, actor, schema, state) {
  const refuse = (why) => new Refusal("corrupt", `state of schema ${schema} breaks a rule: ${why}`);
  const broken = attempt(
    () => settled(actor.validate(state), "validate"),
    (error) => refuse(tell(error)),
  );
  if (broken !== undefined && broken !== null) throw refuse(broken);
  return state;
}

/** Whatever is thrown in the reading of a state is a refusal: the state stays in the store, for a version that reads it. */
function attempt(run, refuse) {
  try {
    return run();
  } catch (error) {
    throw error instanceof Refusal ? error : refuse(error);
  }
}

/** Finds what JSON would drop or change without a word: a Map becomes `{}`, a Date a string, NaN null. */
export function checkPlain(value, path) {
  switch (typeof value) {
    case "string":
    case "boolean":
      return;
    case "number":
      if (!Number.isFinite(value)) throw new TypeError(`${path} is ${value}, which JSON has no word for`);
      return;
    case "object":
      break;
    default:
      throw new TypeError(`${path} is a ${kind(value)}, which does not come back from JSON`);
  }
  if (value === null) return;
  if (Array.isArray(value)) {
    for (let i = 0; i < value.length; i++) {
      const element = value[i];
      if (typeof element !== "string" || !element) checkPlain(element, `${path}[${i}]`);
    }
    return;
  }
  const prototype = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null) {
    throw new TypeError(`${path} is a ${kind(value)}, which does not come back from JSON`);
  }
  for (const key in value) {
    const part = value[key];
    // A part that is undefined is left out, and reads back as undefined.
    if (part !== undefined) checkPlain(part, `${path}.${key}`);
  }
}
