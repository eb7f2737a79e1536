//! The host's functions as a plugin imports them. What nobody calls is not imported: Zig looks at a function only when
//! another one needs it.

const std = @import("std");
const abi = @import("abi.zig");
const host = @import("host.zig");

const Bytes = abi.Bytes;
const Case = abi.Case;

const raw = struct {
    const At = [*]const u8;
    extern "baton:actor/host@0.1.0" fn log(level: u32, at: At, len: usize, fields: [*]const host.Field, count: usize) void;
    extern "baton:actor/host@0.1.0" fn @"now-ms"() u64;
    extern "baton:actor/host@0.1.0" fn random(count: u32, ret: *Bytes) void;
    extern "baton:actor/host@0.1.0" fn @"remaining-ms"(ret: *Number) void;
    extern "baton:actor/host@0.1.0" fn save() void;
    extern "baton:actor/host@0.1.0" fn stop() void;
    extern "baton:actor/host@0.1.0" fn send(to: At, to_len: usize, body: At, body_len: usize, ret: *SendResult) void;
    extern "baton:actor/host@0.1.0" fn call(to: At, to_len: usize, body: At, body_len: usize, timeout_ms: u64, ret: *CallResult) void;
    extern "baton:actor/host@0.1.0" fn @"set-timer"(name: At, len: usize, after_ms: u64, ret: *SendResult) void;
    extern "baton:actor/host@0.1.0" fn @"cancel-timer"(name: At, len: usize) void;
    extern "baton:actor/host@0.1.0" fn monitor(actor: At, len: usize, ret: *SendResult) void;
    extern "baton:actor/host@0.1.0" fn demonitor(actor: At, len: usize) void;
};

/// An `option<u64>`.
const Number = extern struct { some: u8, value: u64 };
/// A `result<_, send-error>`.
pub const SendResult = extern struct {
    is_error: u8,
    problem: Case,

    pub fn get(self: SendResult) host.Sent {
        if (self.is_error == 0) return .ok;
        return if (self.problem.case == 0) .denied else .{ .limit = self.problem.text.slice() };
    }
};
/// A `result<list<u8>, call-error>`.
const CallResult = extern struct {
    is_error: u8,
    value: extern union { reply: Bytes, problem: extern struct { case: u8, text: Bytes, message: Bytes } },
};

comptime {
    std.debug.assert(@sizeOf(SendResult) == 16 and @sizeOf(CallResult) == 24 and @sizeOf(Number) == 16);
}

pub fn log(level: host.Level, message: []const u8, fields: []const host.Field) void {
    raw.log(@backingInt(level), message.ptr, message.len, fields.ptr, fields.len);
}

pub fn nowMs() u64 {
    return raw.@"now-ms"();
}

pub fn random(into: []u8) void {
    var bytes: Bytes = undefined;
    raw.random(into.len, &bytes);
    @memcpy(into, bytes.slice());
}

pub fn remainingMs() ?u64 {
    var number: Number = undefined;
    raw.@"remaining-ms"(&number);
    return if (number.some == 0) null else number.value;
}

pub fn save() void {
    raw.save();
}

pub fn stop() void {
    raw.stop();
}

pub fn send(to: []const u8, body: []const u8) host.Sent {
    var result: SendResult = undefined;
    raw.send(to.ptr, to.len, body.ptr, body.len, &result);
    return result.get();
}

pub fn call(to: []const u8, body: []const u8, timeout_ms: u64) host.Called {
    var result: CallResult = undefined;
    raw.call(to.ptr, to.len, body.ptr, body.len, timeout_ms, &result);
    if (result.is_error == 0) return .{ .reply = result.value.reply.slice() };
    const problem = result.value.problem;
    return switch (problem.case) {
        0 => .unknown_actor,
        1 => .mailbox_full,
        2 => .denied,
        3 => .unavailable,
        4 => .timeout,
        5 => .crashed,
        6 => .deadlock,
        7 => .{ .limit = problem.text.slice() },
        8 => .{ .failed = .{ .code = problem.text.slice(), .message = problem.message.slice() } },
        else => unreachable,
    };
}

pub fn setTimer(name: []const u8, after_ms: u64) host.Sent {
    var result: SendResult = undefined;
    raw.@"set-timer"(name.ptr, name.len, after_ms, &result);
    return result.get();
}

pub fn cancelTimer(name: []const u8) void {
    raw.@"cancel-timer"(name.ptr, name.len);
}

pub fn monitor(actor: []const u8) host.Sent {
    var result: SendResult = undefined;
    raw.monitor(actor.ptr, actor.len, &result);
    return result.get();
}

pub fn demonitor(actor: []const u8) void {
    raw.demonitor(actor.ptr, actor.len);
}

const supervisors = @import("imports_supervision.zig");
pub const startChild = supervisors.startChild;
pub const terminateChild = supervisors.terminateChild;
pub const restartChild = supervisors.restartChild;
pub const deleteChild = supervisors.deleteChild;
pub const whichChildren = supervisors.whichChildren;
pub const countChildren = supervisors.countChildren;
pub const whereis = supervisors.whereis;
pub const members = supervisors.members;
pub const attribute = supervisors.attribute;
pub const having = supervisors.having;
pub const link = supervisors.link;
pub const unlink = supervisors.unlink;
pub const exit = supervisors.exit;
pub const join = supervisors.join;
pub const leave = supervisors.leave;
pub const dispatch = supervisors.dispatch;
pub const setAttribute = supervisors.setAttribute;
