export { Actor } from "./lib/actor.js";
export { check, match } from "./lib/check.js";
export { CallError, Failure, Refusal, SendError, badMessage } from "./lib/errors.js";
export { plugin } from "./lib/plugin.js";
export { decodeText, encodeText } from "./lib/text.js";
