// One instance of a plugin's core module, called as a host calls it.

import { IMPORTS, LIFECYCLE } from "./contract.mjs";

const EXPORTS = "baton:actor/lifecycle@0.1.0#";

/** The plugin's own error, as it answered. */
export class Failure extends Error {
  name = "Failure";

  constructor(code, message) {
    super(message);
    this.code = code;
  }
}

/** Why a state was not taken over; `kind` is a word of the contract, such as `corrupt`. */
export class Refusal extends Error {
  name = "Refusal";

  constructor(kind, why) {
    super(why);
    this.kind = kind;
  }
}

/** A trap: the actor has ended, and nothing of the turn would leave. The message is what it logged, where it did. */
export class Crash extends Error {
  name = "Crash";
}

/** What an import answers with where it is refused: thrown by the host of a test. */
export class Refused extends Error {
  constructor(tag, val) {
    super(tag);
    this.error = { tag, val };
  }
}

export class Guest {
  #exports;
  #panic = null;
  #crashed = false;

  /** `host` has a function of each import, by its name; those with a result of `result` give what is in its `ok`. */
  constructor(module, host) {
    this.#exports = new WebAssembly.Instance(module, this.#imports(host)).exports;
    this.#run(() => this.#exports._initialize?.());
  }

  describe() {
    return this.#call("describe");
  }

  init(context) {
    return unwrap(this.#call("init", context));
  }

  continue(generation, handoff) {
    const { tag, val } = this.#call("continue", generation, handoff);
    if (tag === "err") throw new Refusal(val.tag, val.val);
  }

  handle(message) {
    return unwrap(this.#call("handle", message));
  }

  snapshot() {
    return unwrap(this.#call("snapshot"));
  }

  terminate(reason, budgetMs) {
    return unwrap(this.#call("terminate", reason, budgetMs));
  }

  /** Bytes of its linear memory. */
  get memory() {
    return this.#exports.memory.buffer.byteLength;
  }

  // What a type needs of a memory.

  get view() {
    return new DataView(this.#exports.memory.buffer);
  }

  bytes(at, length) {
    return new Uint8Array(this.#exports.memory.buffer, at, length);
  }

  room(size, align) {
    const at = this.#exports.cabi_realloc(0, 0, align, size) >>> 0;
    if (at % align !== 0) throw new Error(`cabi_realloc gave ${at}, which is not aligned to ${align}`);
    return at;
  }

  #call(name, ...args) {
    if (this.#crashed) throw new Error("the actor has crashed: nothing of the instance is used again");
    const [params, result] = LIFECYCLE[name];
    return this.#run(() => {
      const given = params.flatMap((type, i) => type.lower(this, args[i]));
      const at = this.#exports[EXPORTS + name](...given) >>> 0;
      const answer = result.load(this, at);
      this.#exports[`cabi_post_${EXPORTS}${name}`]?.(at);
      return answer;
    });
  }

  #run(turn) {
    this.#panic = null;
    try {
      return turn();
    } catch (error) {
      if (!(error instanceof WebAssembly.RuntimeError) && !(error instanceof RangeError)) throw error;
      this.#crashed = true;
      throw new Crash(this.#panic ?? error.message, { cause: error });
    }
  }

  #imports(host) {
    const modules = {};
    for (const [module, functions] of Object.entries(IMPORTS)) {
      modules[module] = {};
      for (const [name, [params, result]] of Object.entries(functions)) {
        modules[module][name] = (...given) => {
          let n = 0;
          const args = params.map((type) => type.lift(this, () => given[n++]));
          if (name === "log" && args[0] === "error") this.#panic = told(args);
          const answer = answered(result, () => host[name](...args));
          if (result === null) return undefined;
          if (result.flat.length === 1) return result.lower(this, answer)[0];
          result.store(this, given[n], answer);
          return undefined;
        };
      }
    }
    return modules;
  }
}

function told([, message, fields]) {
  const words = fields.map(([name, value]) => `${name}=${value}`);
  return words.length === 0 ? message : `${message} (${words.join(", ")})`;
}

/** What a function of the host gives, in the shape of its result. */
function answered(result, run) {
  if (!result?.fallible) return run();
  try {
    return { tag: "ok", val: run() };
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    return { tag: "err", val: error.error };
  }
}

function unwrap({ tag, val }) {
  if (tag === "err") throw new Failure(val.code, val.message);
  return val;
}
