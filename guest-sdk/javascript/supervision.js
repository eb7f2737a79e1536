// Children, names, links and groups, under OTP's names. Apart from `Cx`: a plugin that does not import this module does
// not import `baton:actor/supervision` either.

import { HOST, encode } from "./lib/cx.js";
import { SendError, SupervisionError, asking } from "./lib/errors.js";
import { brief, bytes, jsonBytes, millis, text } from "./lib/values.js";

export { SupervisionError };

/** What stands around the actor: `supervision(cx).startChild(…)`. */
export function supervision(cx) {
  return new Supervision(cx[HOST].supervision);
}

class Supervision {
  #tree;

  constructor(tree) {
    this.#tree = tree;
  }

  // Children. These act at once, and wait at most for what is left of the turn.

  startChild(child, supervisor) {
    const spec = childSpec(child);
    asking(SupervisionError, () => this.#tree.startChild(option(supervisor, "the supervisor"), spec));
  }

  terminateChild(child) {
    asking(SupervisionError, () => this.#tree.terminateChild(text(child, "the child")));
  }

  restartChild(child) {
    asking(SupervisionError, () => this.#tree.restartChild(text(child, "the child")));
  }

  deleteChild(child) {
    asking(SupervisionError, () => this.#tree.deleteChild(text(child, "the child")));
  }

  whichChildren(supervisor) {
    const children = asking(SupervisionError, () => this.#tree.whichChildren(option(supervisor, "the supervisor")));
    return children.map(({ kind, state, shutdown, ...facts }) => {
      const told = shutdown.tag === "after-ms" ? shutdown.val : shutdown.tag;
      return { ...facts, kind: word(kind), state: word(state), shutdown: told };
    });
  }

  countChildren(supervisor) {
    return asking(SupervisionError, () => this.#tree.countChildren(option(supervisor, "the supervisor")));
  }

  // Names. These act at once.

  whereis(actor) {
    const phase = this.#tree.whereis(text(actor, "the actor"));
    return phase === null ? null : word(phase);
  }

  members(group) {
    return asking(SupervisionError, () => this.#tree.members(text(group, "the group")));
  }

  attribute(actor, key) {
    return this.#tree.attribute(text(actor, "the actor"), text(key, "the key"));
  }

  having(key, value) {
    return asking(SupervisionError, () => this.#tree.having(text(key, "the key"), text(value, "the value")));
  }

  // Effects. They leave when the turn has ended without a crash.

  link(actor) {
    asking(SendError, () => this.#tree.link(text(actor, "the actor")));
  }

  unlink(actor) {
    asking(SendError, () => this.#tree.unlink(text(actor, "the actor")));
  }

  exit(actor, reason) {
    asking(SendError, () => this.#tree.exit(text(actor, "the actor"), text(reason, "the reason")));
  }

  join(group) {
    asking(SendError, () => this.#tree.join(text(group, "the group")));
  }

  leave(group) {
    asking(SendError, () => this.#tree.leave(text(group, "the group")));
  }

  dispatch(group, message) {
    this.dispatchBytes(
      group,
      encode(message, (why) => new SendError("encode", why)),
    );
  }

  dispatchBytes(group, body) {
    asking(SendError, () => this.#tree.dispatch(text(group, "the group"), bytes(body, "the body")));
  }

  setAttribute(key, value) {
    asking(SendError, () => this.#tree.setAttribute(text(key, "the key"), option(value, "the value")));
  }
}

/** A child with what OTP's workers have where nothing is said: permanent, and 5 s to stop. */
function childSpec({ name, plugin, args, restart = "permanent", shutdown = 5_000, significant = false }) {
  if (!["permanent", "transient", "temporary"].includes(restart)) {
    throw new TypeError(`restart is "permanent", "transient" or "temporary", not ${brief(restart)}`);
  }
  return {
    name: text(name, "the child's name"),
    plugin: text(plugin, "the child's plugin"),
    args: argsBytes(args),
    restart,
    shutdown:
      shutdown === "brutal-kill" || shutdown === "infinity"
        ? { tag: shutdown }
        : { tag: "after-ms", val: millis(shutdown, "shutdown") },
    significant: Boolean(significant),
  };
}

function argsBytes(args) {
  if (args === undefined) return new Uint8Array(0);
  return args instanceof Uint8Array ? args : jsonBytes(args);
}

function option(value, what) {
  return value === undefined || value === null ? null : text(value, what);
}

/** A case without a payload as its name; `other` as what it says. */
function word(variant) {
  return variant.tag === "other" ? variant.val : variant.tag;
}
