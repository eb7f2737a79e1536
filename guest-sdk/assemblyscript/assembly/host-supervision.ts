// Imports of `baton:actor/supervision@0.1.0`, flattened as the canonical ABI does. A plugin that calls none of them
// does not import it. `r` is where the answer goes; `some` says whether an optional text is there.

// @ts-ignore: decorator
@external("baton:actor/supervision@0.1.0", "start-child")
export declare function startChild(
  some: i32,
  supervisor: usize,
  sl: i32,
  name: usize,
  nl: i32,
  plugin: usize,
  pl: i32,
  args: usize,
  al: i32,
  restart: i32,
  shutdown: i32,
  afterMs: u64,
  significant: i32,
  r: usize,
): void;

// @ts-ignore: decorator
@external("baton:actor/supervision@0.1.0", "terminate-child")
export declare function terminateChild(child: usize, cl: i32, r: usize): void;

// @ts-ignore: decorator
@external("baton:actor/supervision@0.1.0", "restart-child")
export declare function restartChild(child: usize, cl: i32, r: usize): void;

// @ts-ignore: decorator
@external("baton:actor/supervision@0.1.0", "delete-child")
export declare function deleteChild(child: usize, cl: i32, r: usize): void;

// @ts-ignore: decorator
@external("baton:actor/supervision@0.1.0", "which-children")
export declare function whichChildren(some: i32, supervisor: usize, sl: i32, r: usize): void;

// @ts-ignore: decorator
@external("baton:actor/supervision@0.1.0", "count-children")
export declare function countChildren(some: i32, supervisor: usize, sl: i32, r: usize): void;

// @ts-ignore: decorator
@external("baton:actor/supervision@0.1.0", "whereis")
export declare function whereis(actor: usize, al: i32, r: usize): void;

// @ts-ignore: decorator
@external("baton:actor/supervision@0.1.0", "members")
export declare function members(group: usize, gl: i32, r: usize): void;

// @ts-ignore: decorator
@external("baton:actor/supervision@0.1.0", "attribute")
export declare function attribute(actor: usize, al: i32, key: usize, kl: i32, r: usize): void;

// @ts-ignore: decorator
@external("baton:actor/supervision@0.1.0", "having")
export declare function having(key: usize, kl: i32, value: usize, vl: i32, r: usize): void;

// @ts-ignore: decorator
@external("baton:actor/supervision@0.1.0", "link")
export declare function link(actor: usize, al: i32, r: usize): void;

// @ts-ignore: decorator
@external("baton:actor/supervision@0.1.0", "unlink")
export declare function unlink(actor: usize, al: i32, r: usize): void;

// @ts-ignore: decorator
@external("baton:actor/supervision@0.1.0", "exit")
export declare function exit(actor: usize, al: i32, reason: usize, rl: i32, r: usize): void;

// @ts-ignore: decorator
@external("baton:actor/supervision@0.1.0", "join")
export declare function join(group: usize, gl: i32, r: usize): void;

// @ts-ignore: decorator
@external("baton:actor/supervision@0.1.0", "leave")
export declare function leave(group: usize, gl: i32, r: usize): void;

// @ts-ignore: decorator
@external("baton:actor/supervision@0.1.0", "dispatch")
export declare function dispatch(group: usize, gl: i32, body: usize, bl: i32, r: usize): void;

// @ts-ignore: decorator
@external("baton:actor/supervision@0.1.0", "set-attribute")
export declare function setAttribute(key: usize, kl: i32, some: i32, value: usize, vl: i32, r: usize): void;
