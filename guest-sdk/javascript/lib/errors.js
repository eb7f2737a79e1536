// Errors that an author meets. A `Failure` that leaves a callback is the reply; any other error is a crash.

/** The plugin's own error: a code for programs, such as `out-of-stock`, and a message for people. */
export class Failure extends Error {
  constructor(code, message) {
    super(String(message));
    this.name = "Failure";
    this.code = String(code);
  }
}

/** A failure with the code `bad-message`: say what was expected. */
export function badMessage(expected) {
  return new Failure("bad-message", expected);
}

const SEND = {
  denied: () => ["send-denied", "this actor is not allowed to send that"],
  limit: (which) => ["send-limit", `a limit of the host was reached: ${which}`],
  encode: (why) => ["not-encodable", `the message cannot be written as JSON: ${why}`],
};

/** Why something could not be sent, or a timer not be set. `kind`: `denied`, `limit`, `encode`. */
export class SendError extends Failure {
  constructor(kind, detail) {
    super(...SEND[kind](detail));
    this.name = "SendError";
    this.kind = kind;
  }
}

const CALL = {
  "unknown-actor": () => ["call-unknown-actor", "there is no actor of that name"],
  "mailbox-full": () => ["call-mailbox-full", "the mailbox of the actor called is full"],
  denied: () => ["call-denied", "this actor is not allowed to call that one"],
  unavailable: () => ["call-unavailable", "the actor called is stopping or parked; it has not seen the message"],
  timeout: () => ["call-timeout", "no answer in time; whether the message was handled is not known"],
  crashed: () => ["call-crashed", "the actor called crashed over the message"],
  deadlock: () => ["call-deadlock", "the actor called waits for this one"],
  limit: (which) => ["call-limit", `a limit of the host was reached: ${which}`],
  // The other actor's own failure is passed on as it is.
  failed: ({ code, message }) => [code, message],
};

/** Why a call brought no reply. `kind` is the contract's case; with `failed`, code and message are the other actor's. */
export class CallError extends Failure {
  constructor(kind, detail) {
    super(...CALL[kind](detail));
    this.name = "CallError";
    this.kind = kind;
  }
}

const SUPERVISION = {
  denied: () => ["supervision-denied", "this actor is not allowed to do that"],
  "unknown-supervisor": () => ["unknown-supervisor", "there is no supervisor of that name"],
  "unknown-child": () => ["unknown-child", "no supervisor has a child of that name"],
  "already-started": () => ["already-started", "an actor of that name runs already"],
  "already-present": () => ["already-present", "a child of that name is there and does not run: restart or delete it"],
  running: () => ["running", "the child runs"],
  restarting: () => ["restarting", "the child is about to be started again"],
  "max-children": () => ["max-children", "the supervisor has as many children as it may have"],
  "unknown-plugin": () => ["unknown-plugin", "the host has no plugin of that name"],
  "bad-spec": (why) => ["bad-spec", why],
  failed: (why) => ["start-failed", why],
  "shutting-down": () => ["shutting-down", "the host is going down"],
  limit: (which) => ["supervision-limit", `a limit of the host was reached: ${which}`],
  other: (why) => ["supervision-failed", why],
};

/** Why something asked of the supervision tree was not done. `kind` is the contract's case. */
export class SupervisionError extends Failure {
  constructor(kind, detail) {
    super(...SUPERVISION[kind](detail));
    this.name = "SupervisionError";
    this.kind = kind;
  }
}

const REFUSALS = ["incompatible", "corrupt", "stale", "unavailable", "other"];

/** Why a state is not taken over. `unavailable` asks to be tried again; the state stays in the store in any case. */
export class Refusal extends Error {
  constructor(kind, message) {
    if (!REFUSALS.includes(kind)) throw new TypeError(`a refusal is one of ${REFUSALS.join(", ")}, not ${kind}`);
    super(String(message));
    this.name = "Refusal";
    this.kind = kind;
  }
}

/** Runs an import; the error of the contract that it throws becomes one of `Kind`. */
export function asking(Kind, run) {
  try {
    return run();
  } catch (error) {
    const payload = error?.payload;
    if (typeof payload?.tag !== "string") throw error;
    throw new Kind(payload.tag, payload.val);
  }
}

/** One line about anything that was thrown. */
export function tell(error) {
  if (!(error instanceof Error)) return `thrown: ${String(error)}`;
  return error.name && error.name !== "Error" ? `${error.name}: ${error.message}` : error.message;
}
