//! The host as an actor sees it: imports in a plugin, a record in a test. Both have the same functions, and a plugin
//! imports those alone that it calls.

const builtin = @import("builtin");
const errors = @import("errors.zig");
const supervision = @import("supervision.zig");

pub const is_plugin = builtin.target.cpu.arch.isWasm();

pub const host = if (is_plugin) @import("imports.zig") else @import("recorder.zig");

pub const Level = enum(u8) { trace, debug, info, warn, @"error" };

/// A named value in a line of the log.
pub const Field = extern struct {
    name: [*]const u8,
    name_len: usize,
    value: [*]const u8,
    value_len: usize,

    pub fn of(name: []const u8, value: []const u8) Field {
        return .{ .name = name.ptr, .name_len = name.len, .value = value.ptr, .value_len = value.len };
    }
};

/// What comes of asking for an effect.
pub const Sent = union(enum) {
    ok,
    denied,
    limit: []const u8,
};

/// What comes of a call.
pub const Called = union(enum) {
    reply: []const u8,
    unknown_actor,
    mailbox_full,
    denied,
    unavailable,
    timeout,
    crashed,
    deadlock,
    limit: []const u8,
    failed: errors.Failure,
};

/// What comes of asking a supervisor.
pub fn Asked(comptime T: type) type {
    return union(enum) { ok: T, problem: supervision.Problem };
}
