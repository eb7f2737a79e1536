// Imports of `baton:actor/host@0.1.0`, flattened as the canonical ABI does. A plugin imports what it calls, and no
// more. `r` is where the answer goes; a text or list is an address and a length.

// @ts-ignore: decorator
@external("baton:actor/host@0.1.0", "log")
export declare function log(level: i32, m: usize, ml: i32, fields: usize, fl: i32): void;

// @ts-ignore: decorator
@external("baton:actor/host@0.1.0", "now-ms")
export declare function nowMs(): u64;

// @ts-ignore: decorator
@external("baton:actor/host@0.1.0", "random")
export declare function random(count: i32, r: usize): void;

// @ts-ignore: decorator
@external("baton:actor/host@0.1.0", "remaining-ms")
export declare function remainingMs(r: usize): void;

// @ts-ignore: decorator
@external("baton:actor/host@0.1.0", "save")
export declare function save(): void;

// @ts-ignore: decorator
@external("baton:actor/host@0.1.0", "send")
export declare function send(to: usize, tl: i32, body: usize, bl: i32, r: usize): void;

// @ts-ignore: decorator
@external("baton:actor/host@0.1.0", "call")
export declare function call(to: usize, tl: i32, body: usize, bl: i32, timeoutMs: u64, r: usize): void;

// @ts-ignore: decorator
@external("baton:actor/host@0.1.0", "set-timer")
export declare function setTimer(name: usize, nl: i32, afterMs: u64, r: usize): void;

// @ts-ignore: decorator
@external("baton:actor/host@0.1.0", "cancel-timer")
export declare function cancelTimer(name: usize, nl: i32): void;

// @ts-ignore: decorator
@external("baton:actor/host@0.1.0", "monitor")
export declare function monitor(actor: usize, al: i32, r: usize): void;

// @ts-ignore: decorator
@external("baton:actor/host@0.1.0", "demonitor")
export declare function demonitor(actor: usize, al: i32): void;

// @ts-ignore: decorator
@external("baton:actor/host@0.1.0", "stop")
export declare function stop(): void;
