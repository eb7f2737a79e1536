// What the host is told of a plugin: declared once, and checked when the module is first run, which is at the build.

import { Actor } from "./actor.js";
import { json } from "./state.js";
import { text } from "./values.js";

/** The SDK, in the plugin's metadata. */
const SDK = "baton-guest (javascript) 0.1.0";

export class Plugin {
  constructor(actor, facts) {
    if (typeof actor !== "function" || !(actor.prototype instanceof Actor)) {
      throw new TypeError("plugin(…) takes a class that extends Actor, and the facts { name, version }");
    }
    for (const callback of ["init", "handle"]) {
      if (typeof actor.prototype[callback] !== "function") {
        throw new TypeError(`the class ${actor.name} has no method ${callback}`);
      }
    }
    const { name, version, messages = "application/json", metadata = {}, ...rest } = facts ?? {};
    const [unknown] = Object.keys(rest);
    if (unknown !== undefined)
      throw new TypeError(`${unknown} is no fact of a plugin: name, version, messages, metadata are`);
    if (!/^[a-z][a-z0-9_-]{0,63}$/.test(name)) {
      throw new TypeError(
        `the name ${JSON.stringify(name)} is not up to 64 of a to z, 0 to 9, - and _, beginning with a letter`,
      );
    }
    if (!/^\d+\.\d+\.\d+([-+].+)?$/.test(version)) {
      throw new TypeError(`the version ${JSON.stringify(version)} is no semantic version, such as 1.0.0`);
    }
    this.actor = actor;
    this.name = name;
    this.version = version;
    this.messages = text(messages, "the media type");
    this.metadata = Object.entries({ ...metadata, sdk: SDK }).map(([key, value]) => [key, text(value, key)]);
    /** Whether bodies are JSON, and not bytes that only the plugin understands. */
    this.takesJson = /^[^;]*[/+]json\s*(;|$)/.test(messages);
    this.schema = schemaNumber(actor.schema, "schema");
    this.migrations = chain(actor);
    this.newer = beyond(actor);
    this.readsFrom = this.schema - this.migrations.size;
    this.readsTo = this.schema + this.newer.size;
    this.encodings = new Map(functionsBySchema(actor.encodings, "encodings", "object"));
    for (const schema of this.encodings.keys()) {
      if (schema < this.readsFrom || schema > this.readsTo) {
        throw new TypeError(`encodings has schema ${schema}, which is not among ${this.readsFrom} to ${this.readsTo}`);
      }
    }
  }

  /** How states of a schema are written. */
  encoding(schema) {
    return this.encodings.get(schema) ?? json;
  }
}

/** Makes a plugin of an actor's class: `export default plugin(Counter, { name: "counter", version: "1.0.0" })`. */
export function plugin(actor, facts) {
  return new Plugin(actor, facts);
}

/** Older layouts, which must lead up to the current one: what a plugin says that it reads is a range. */
function chain({ schema, migrations }) {
  const steps = functionsBySchema(migrations, "migrations", "function");
  steps.forEach(([from], i) => {
    const expected = schema - (steps.length - i);
    if (from !== expected) {
      throw new TypeError(
        `migrations must lead up to schema ${schema} without a gap: ${steps.map(([n]) => n).join(", ")} ` +
          `is not ${steps.map((_, j) => schema - steps.length + j).join(", ")}`,
      );
    }
  });
  return new Map(steps);
}

function beyond({ schema, newer }) {
  const steps = functionsBySchema(newer, "newer", "function");
  steps.forEach(([from], i) => {
    if (from !== schema + 1 + i) {
      throw new TypeError(`newer must follow schema ${schema} without a gap: it has ${from} for ${schema + 1 + i}`);
    }
  });
  return new Map(steps);
}

function functionsBySchema(object, what, type) {
  return Object.entries(object)
    .map(([key, value]) => {
      const schema = schemaNumber(Number(key), `${what} by ${JSON.stringify(key)}`);
      if (typeof value !== type || value === null) throw new TypeError(`${what}: ${schema} is no ${type}`);
      return [schema, value];
    })
    .sort(([a], [b]) => a - b);
}

function schemaNumber(value, what) {
  // The componentizer takes a u32 from a signed number.
  if (Number.isInteger(value) && value >= 0 && value < 2 ** 31) return value;
  throw new TypeError(`${what}: a schema is a whole number from 0 on, not ${value}`);
}
