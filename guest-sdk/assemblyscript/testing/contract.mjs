// The contract (`wit/actor/0.1.0/actor.wit`): its types, exports and imports.

import { bool, bytes, enumeration, list, option, record, result, string, tuple, u32, u64, variant } from "./abi.mjs";

const state = record({ schema: u32, data: bytes });
const stopReason = variant({
  normal: null,
  shutdown: null,
  upgrade: null,
  passivate: null,
  relocate: null,
  restart: null,
  other: string,
});
const origin = variant({
  terminated: stopReason,
  switched: null,
  checkpoint: option(u64),
  restored: null,
  other: string,
});
const handoff = record({ state, origin, generation: u64, writtenBy: string, ageMs: u64 });
const description = record({
  name: string,
  version: string,
  schema: u32,
  readsFrom: u32,
  readsTo: u32,
  messages: string,
  metadata: list(tuple(string, string)),
});
const refusal = variant({ incompatible: string, corrupt: string, stale: string, unavailable: string, other: string });
const failure = record({ code: string, message: string });
const request = record({ id: string, sender: option(string), body: bytes });
const message = variant({
  call: request,
  cast: request,
  timer: string,
  down: record({ actor: string, reason: string }),
  other: tuple(string, bytes),
});
const legacy = variant({ save: state, keep: null, forget: null });

/** What a plugin exports: its parameters, and its result. */
export const LIFECYCLE = {
  describe: [[], description],
  init: [[record({ actor: string, args: bytes })], result(record({ trapExit: bool }), failure)],
  continue: [[u64, option(handoff)], result(null, refusal)],
  handle: [[message], result(bytes, failure)],
  snapshot: [[], result(option(state), failure)],
  terminate: [[stopReason, option(u64)], result(legacy, failure)],
};

const level = enumeration("trace", "debug", "info", "warn", "error");
const sendError = variant({ denied: null, limit: string });
const callError = variant({
  "unknown-actor": null,
  "mailbox-full": null,
  denied: null,
  unavailable: null,
  timeout: null,
  crashed: null,
  deadlock: null,
  limit: string,
  failed: failure,
});
const sent = result(null, sendError);

const HOST = {
  log: [[level, string, list(tuple(string, string))], null],
  "now-ms": [[], u64],
  random: [[u32], bytes],
  "remaining-ms": [[], option(u64)],
  save: [[], null],
  send: [[string, bytes], sent],
  call: [[string, bytes, u64], result(bytes, callError)],
  "set-timer": [[string, u64], sent],
  "cancel-timer": [[string], null],
  monitor: [[string], sent],
  demonitor: [[string], null],
  stop: [[], null],
};

const restart = enumeration("permanent", "transient", "temporary");
const shutdown = variant({ "brutal-kill": null, "after-ms": u64, infinity: null });
const childSpec = record({ name: string, plugin: string, args: bytes, restart, shutdown, significant: bool });
const childInfo = record({
  name: string,
  supervisor: option(string),
  kind: variant({ worker: null, supervisor: null, other: string }),
  state: variant({
    down: null,
    starting: null,
    up: null,
    restarting: null,
    stopping: null,
    failed: null,
    other: string,
  }),
  restart,
  shutdown,
  significant: bool,
  restarts: u64,
  lastExit: option(string),
});
const counts = record({ specs: u64, active: u64, supervisors: u64, workers: u64 });
const phase = variant({
  starting: null,
  continuing: null,
  running: null,
  suspended: null,
  stopping: null,
  restarting: null,
  held: null,
  failed: null,
  other: string,
});
const supervisionError = variant({
  denied: null,
  "unknown-supervisor": null,
  "unknown-child": null,
  "already-started": null,
  "already-present": null,
  running: null,
  restarting: null,
  "max-children": null,
  "unknown-plugin": null,
  "bad-spec": string,
  failed: string,
  "shutting-down": null,
  limit: string,
  other: string,
});
const asked = result(null, supervisionError);

const SUPERVISION = {
  "start-child": [[option(string), childSpec], asked],
  "terminate-child": [[string], asked],
  "restart-child": [[string], asked],
  "delete-child": [[string], asked],
  "which-children": [[option(string)], result(list(childInfo), supervisionError)],
  "count-children": [[option(string)], result(counts, supervisionError)],
  whereis: [[string], option(phase)],
  members: [[string], result(list(string), supervisionError)],
  attribute: [[string, string], option(string)],
  having: [[string, string], result(list(string), supervisionError)],
  link: [[string], sent],
  unlink: [[string], sent],
  exit: [[string, string], sent],
  join: [[string], sent],
  leave: [[string], sent],
  dispatch: [[string, bytes], sent],
  "set-attribute": [[string, option(string)], sent],
};

/** What a plugin may import, by module. */
export const IMPORTS = { "baton:actor/host@0.1.0": HOST, "baton:actor/supervision@0.1.0": SUPERVISION };
