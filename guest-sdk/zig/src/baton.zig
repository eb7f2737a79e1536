//! Baton's SDK for Zig: an actor is a struct whose fields are its state. README.md begins with a whole plugin.

const std = @import("std");
const actor = @import("actor.zig");
const errors = @import("errors.zig");
const hosts = @import("host.zig");
const logs = @import("log.zig");
const states = @import("state.zig");

pub const sdk_version = "0.1.0";

pub const Cx = @import("cx.zig").Cx;
pub const CallOptions = @import("cx.zig").CallOptions;
pub const Facts = actor.Facts;
pub const Leave = actor.Leave;
pub const Level = hosts.Level;
pub const Origin = actor.Origin;
pub const Predecessor = actor.Predecessor;
pub const StopReason = actor.StopReason;

pub const CallError = errors.CallError;
pub const Failure = errors.Failure;
pub const Refusal = errors.Refusal;
pub const SendError = errors.SendError;
pub const SupervisionError = errors.SupervisionError;

pub const StringMap = @import("string_map.zig").StringMap;
pub const json = @import("json.zig");
pub const supervision = @import("supervision.zig");

/// States as bytes: for types that have `encode` and `decode` of their own, and for those who want to know a layout.
pub const Reader = @import("postcard.zig").Reader;
pub const Writer = @import("postcard.zig").Writer;
pub const encodeState = states.encode;
pub const decodeState = states.decode;
pub const freeState = states.free;
pub const layout = @import("layout.zig").layout;

/// Runs an actor in native tests.
pub const testing = @import("baton_testing.zig");

/// In the root of a plugin, beside `comptime { baton.plugin(…); }`.
pub const panic = logs.panic;
pub const std_options = logs.std_options;

/// Makes a plugin of `A`: gives the module its exports. Natively, in tests, it only checks what it is given.
pub fn plugin(comptime A: type, comptime facts: Facts) void {
    actor.check(A);
    actor.checkFacts(facts);
    if (!hosts.is_plugin) return;
    const root = @import("root");
    if (!@hasDecl(root, "panic") or root.panic != panic)
        @compileError("what a panic says would be lost: add `pub const panic = baton.panic;` to the plugin's root file");
    @import("exports.zig").add(A, facts);
}
