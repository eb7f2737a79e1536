// What a message is made of is checked by hand in JavaScript. These say what was expected where it is something else:
// a failure with the code `bad-message`, or `bad-args` within `init`.

import { badMessage } from "./errors.js";
import { brief } from "./values.js";

/**
 * Finds the arm for a message: `"get"` for one without parameters, `{"add": 3}` for one with, which is given the 3.
 */
export function match(message, arms) {
  if (typeof message === "string" && Object.hasOwn(arms, message) && arms[message].length === 0) {
    return arms[message]();
  }
  if (typeof message === "object" && message !== null) {
    const [name, ...more] = Object.keys(message);
    if (more.length === 0 && name !== undefined && Object.hasOwn(arms, name)) {
      const arm = arms[name];
      if (arm.length > 0) return arm(message[name]);
      if (message[name] === null) return arm();
    }
  }
  const forms = Object.entries(arms).map(([name, arm]) => (arm.length === 0 ? `"${name}"` : `{"${name}": …}`));
  throw badMessage(`expected ${oneOf(forms)}, not ${brief(message)}`);
}

function oneOf(forms) {
  return forms.length < 2 ? forms.join() : `${forms.slice(0, -1).join(", ")} or ${forms.at(-1)}`;
}

function expected(what, form, value) {
  return badMessage(`${what}: expected ${form}, not ${value === undefined ? "nothing" : brief(value)}`);
}

export const check = {
  integer(value, what, { min = Number.MIN_SAFE_INTEGER, max = Number.MAX_SAFE_INTEGER } = {}) {
    if (Number.isSafeInteger(value) && value >= min && value <= max) return value;
    throw expected(what, `an integer from ${min} to ${max}`, value);
  },

  /** A whole u64, as a BigInt. */
  u64(value, what) {
    if (Number.isSafeInteger(value) && value >= 0) return BigInt(value);
    if (typeof value === "bigint" && value >= 0n && value < 1n << 64n) return value;
    throw expected(what, "an integer from 0 to 18446744073709551615", value);
  },

  number(value, what) {
    if (typeof value === "number") return value;
    throw expected(what, "a number", value);
  },

  /** `max` counts UTF-16 units, as `length` does. */
  string(value, what, { min = 0, max = Infinity } = {}) {
    if (typeof value === "string" && value.length >= min && value.length <= max) return value;
    throw expected(what, max === Infinity ? "a string" : `a string of ${min} to ${max} characters`, value);
  },

  boolean(value, what) {
    if (typeof value === "boolean") return value;
    throw expected(what, "true or false", value);
  },

  /** Each element goes through `each(element, what)`. */
  array(value, what, each = (element) => element) {
    if (Array.isArray(value)) return value.map((element, i) => each(element, `${what}[${i}]`));
    throw expected(what, "an array", value);
  },

  object(value, what) {
    if (typeof value === "object" && value !== null && !Array.isArray(value)) return value;
    throw expected(what, "an object", value);
  },
};
