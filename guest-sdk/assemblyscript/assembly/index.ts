// All that a plugin's author needs: `import { Actor, Cx, … } from "baton-guest"`.

export { Actor, Layout, Leave, Predecessor, Repair, State } from "./actor";
export { Answer, Cx, Level, NO_LIMIT } from "./cx";
export {
  CallError,
  CallErrorKind,
  Failure,
  Refusal,
  RefusalKind,
  Reply,
  SendError,
  SendErrorKind,
  SupervisionError,
  SupervisionErrorKind,
  reply,
} from "./errors";
export { Each, Json, JsonKind } from "./json";
export { JsonArray, JsonObject } from "./json-write";
export { Plugin, plugin } from "./plugin";
export { Reader, Writer } from "./postcard";
export { BRUTAL_KILL, ChildInfo, ChildSpec, Children, Counts, INFINITY, Names, Restart } from "./supervision";
