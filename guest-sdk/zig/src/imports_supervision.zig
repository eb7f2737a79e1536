//! The functions of `baton:actor/supervision` as a plugin imports them: those that it calls.

const std = @import("std");
const abi = @import("abi.zig");
const host = @import("host.zig");
const supervision = @import("supervision.zig");
const SendResult = @import("imports.zig").SendResult;

const Bytes = abi.Bytes;
const Case = abi.Case;
const Allocator = std.mem.Allocator;

const raw = struct {
    const At = [*]const u8;
    extern "baton:actor/supervision@0.1.0" fn @"start-child"(
        u32,
        At,
        usize, // supervisor
        At,
        usize, // name
        At,
        usize, // plugin
        At,
        usize, // args
        u32, // restart
        u32,
        u64, // shutdown
        u32, // significant
        ret: *Result,
    ) void;
    extern "baton:actor/supervision@0.1.0" fn @"terminate-child"(At, usize, ret: *Result) void;
    extern "baton:actor/supervision@0.1.0" fn @"restart-child"(At, usize, ret: *Result) void;
    extern "baton:actor/supervision@0.1.0" fn @"delete-child"(At, usize, ret: *Result) void;
    extern "baton:actor/supervision@0.1.0" fn @"which-children"(u32, At, usize, ret: *Result) void;
    extern "baton:actor/supervision@0.1.0" fn @"count-children"(u32, At, usize, ret: *CountsResult) void;
    extern "baton:actor/supervision@0.1.0" fn whereis(At, usize, ret: *PhaseOption) void;
    extern "baton:actor/supervision@0.1.0" fn members(At, usize, ret: *Result) void;
    extern "baton:actor/supervision@0.1.0" fn attribute(At, usize, At, usize, ret: *Case) void;
    extern "baton:actor/supervision@0.1.0" fn having(At, usize, At, usize, ret: *Result) void;
    extern "baton:actor/supervision@0.1.0" fn link(At, usize, ret: *SendResult) void;
    extern "baton:actor/supervision@0.1.0" fn unlink(At, usize, ret: *SendResult) void;
    extern "baton:actor/supervision@0.1.0" fn exit(At, usize, At, usize, ret: *SendResult) void;
    extern "baton:actor/supervision@0.1.0" fn join(At, usize, ret: *SendResult) void;
    extern "baton:actor/supervision@0.1.0" fn leave(At, usize, ret: *SendResult) void;
    extern "baton:actor/supervision@0.1.0" fn dispatch(At, usize, At, usize, ret: *SendResult) void;
    extern "baton:actor/supervision@0.1.0" fn @"set-attribute"(At, usize, u32, At, usize, ret: *SendResult) void;
};

/// A `result<T, supervision-error>`, where `T` is nothing or a list: that lies where the error does.
const Result = extern struct {
    is_error: u8,
    value: extern union {
        problem: Case,
        list: extern struct { at: [*]const u8, len: usize },
    },

    fn done(self: Result) host.Asked(void) {
        return if (self.is_error == 0) .{ .ok = {} } else .{ .problem = problemOf(self.value.problem) };
    }

    fn listed(self: Result, comptime Item: type) host.Asked([]const Item) {
        if (self.is_error != 0) return .{ .problem = problemOf(self.value.problem) };
        const list = self.value.list;
        const at: [*]const Item = @ptrCast(@alignCast(list.at));
        return .{ .ok = if (list.len == 0) &.{} else at[0..list.len] };
    }
};
const CountsResult = extern struct {
    is_error: u8,
    value: extern union { problem: Case, counts: supervision.Counts },
};
const PhaseOption = extern struct { some: u8, phase: Case };

/// A `child-info`.
const RawChild = extern struct {
    name: Bytes,
    supervisor: Case,
    kind: Case,
    state: Case,
    restart: u8,
    shutdown: extern struct { case: u8, ms: u64 },
    significant: u8,
    restarts: u64,
    last_exit: Case,

    fn told(self: RawChild) supervision.ChildInfo {
        return .{
            .name = self.name.slice(),
            .supervisor = self.supervisor.option(),
            .kind = self.kind.as(supervision.ChildKind),
            .state = self.state.as(supervision.ChildState),
            .restart = @fromBackingInt(self.restart),
            .shutdown = switch (self.shutdown.case) {
                0 => .brutal_kill,
                1 => .{ .after_ms = self.shutdown.ms },
                else => .infinity,
            },
            .significant = self.significant != 0,
            .restarts = self.restarts,
            .last_exit = self.last_exit.option(),
        };
    }
};

comptime {
    std.debug.assert(@sizeOf(Result) == 16 and @sizeOf(RawChild) == 96 and @offsetOf(RawChild, "restarts") == 72);
    std.debug.assert(@sizeOf(CountsResult) == 40 and @sizeOf(PhaseOption) == 16);
}

fn problemOf(problem: Case) supervision.Problem {
    const detail = problem.text.slice();
    return switch (problem.case) {
        0 => .{ .err = error.SupervisionDenied },
        1 => .{ .err = error.UnknownSupervisor },
        2 => .{ .err = error.UnknownChild },
        3 => .{ .err = error.AlreadyStarted },
        4 => .{ .err = error.AlreadyPresent },
        5 => .{ .err = error.Running },
        6 => .{ .err = error.Restarting },
        7 => .{ .err = error.MaxChildren },
        8 => .{ .err = error.UnknownPlugin },
        9 => .{ .err = error.BadSpec, .detail = detail },
        10 => .{ .err = error.StartFailed, .detail = detail },
        11 => .{ .err = error.ShuttingDown },
        12 => .{ .err = error.SupervisionLimit, .detail = detail },
        else => .{ .err = error.SupervisionFailed, .detail = detail },
    };
}

pub fn startChild(supervisor: ?[]const u8, child: supervision.ChildSpec) host.Asked(void) {
    const under = abi.some(supervisor);
    const case: u32, const ms: u64 = switch (child.shutdown) {
        .brutal_kill => .{ 0, 0 },
        .after_ms => |ms| .{ 1, ms },
        .infinity => .{ 2, 0 },
    };
    var result: Result = undefined;
    raw.@"start-child"(
        under[0],
        under[1],
        under[2],
        child.name.ptr,
        child.name.len,
        child.plugin.ptr,
        child.plugin.len,
        child.args.ptr,
        child.args.len,
        @backingInt(child.restart),
        case,
        ms,
        @intFromBool(child.significant),
        &result,
    );
    return result.done();
}

pub fn terminateChild(child: []const u8) host.Asked(void) {
    var result: Result = undefined;
    raw.@"terminate-child"(child.ptr, child.len, &result);
    return result.done();
}

pub fn restartChild(child: []const u8) host.Asked(void) {
    var result: Result = undefined;
    raw.@"restart-child"(child.ptr, child.len, &result);
    return result.done();
}

pub fn deleteChild(child: []const u8) host.Asked(void) {
    var result: Result = undefined;
    raw.@"delete-child"(child.ptr, child.len, &result);
    return result.done();
}

pub fn whichChildren(arena: Allocator, supervisor: ?[]const u8) Allocator.Error!host.Asked([]const supervision.ChildInfo) {
    const under = abi.some(supervisor);
    var result: Result = undefined;
    raw.@"which-children"(under[0], under[1], under[2], &result);
    const listed = switch (result.listed(RawChild)) {
        .ok => |listed| listed,
        .problem => |problem| return .{ .problem = problem },
    };
    const children = try arena.alloc(supervision.ChildInfo, listed.len);
    for (children, listed) |*child, one| child.* = one.told();
    return .{ .ok = children };
}

pub fn countChildren(supervisor: ?[]const u8) host.Asked(supervision.Counts) {
    const under = abi.some(supervisor);
    var result: CountsResult = undefined;
    raw.@"count-children"(under[0], under[1], under[2], &result);
    if (result.is_error != 0) return .{ .problem = problemOf(result.value.problem) };
    return .{ .ok = result.value.counts };
}

pub fn whereis(actor: []const u8) ?supervision.Phase {
    var result: PhaseOption = undefined;
    raw.whereis(actor.ptr, actor.len, &result);
    return if (result.some == 0) null else result.phase.as(supervision.Phase);
}

pub fn members(arena: Allocator, group: []const u8) Allocator.Error!host.Asked([]const []const u8) {
    var result: Result = undefined;
    raw.members(group.ptr, group.len, &result);
    return names(arena, result);
}

pub fn having(arena: Allocator, key: []const u8, value: []const u8) Allocator.Error!host.Asked([]const []const u8) {
    var result: Result = undefined;
    raw.having(key.ptr, key.len, value.ptr, value.len, &result);
    return names(arena, result);
}

fn names(arena: Allocator, result: Result) Allocator.Error!host.Asked([]const []const u8) {
    const listed = switch (result.listed(Bytes)) {
        .ok => |listed| listed,
        .problem => |problem| return .{ .problem = problem },
    };
    const all = try arena.alloc([]const u8, listed.len);
    for (all, listed) |*name, one| name.* = one.slice();
    return .{ .ok = all };
}

pub fn attribute(actor: []const u8, key: []const u8) ?[]const u8 {
    var result: Case = undefined;
    raw.attribute(actor.ptr, actor.len, key.ptr, key.len, &result);
    return result.option();
}

pub fn link(actor: []const u8) host.Sent {
    var result: SendResult = undefined;
    raw.link(actor.ptr, actor.len, &result);
    return result.get();
}

pub fn unlink(actor: []const u8) host.Sent {
    var result: SendResult = undefined;
    raw.unlink(actor.ptr, actor.len, &result);
    return result.get();
}

pub fn exit(actor: []const u8, reason: []const u8) host.Sent {
    var result: SendResult = undefined;
    raw.exit(actor.ptr, actor.len, reason.ptr, reason.len, &result);
    return result.get();
}

pub fn join(group: []const u8) host.Sent {
    var result: SendResult = undefined;
    raw.join(group.ptr, group.len, &result);
    return result.get();
}

pub fn leave(group: []const u8) host.Sent {
    var result: SendResult = undefined;
    raw.leave(group.ptr, group.len, &result);
    return result.get();
}

pub fn dispatch(group: []const u8, body: []const u8) host.Sent {
    var result: SendResult = undefined;
    raw.dispatch(group.ptr, group.len, body.ptr, body.len, &result);
    return result.get();
}

pub fn setAttribute(key: []const u8, value: ?[]const u8) host.Sent {
    const given = abi.some(value);
    var result: SendResult = undefined;
    raw.@"set-attribute"(key.ptr, key.len, given[0], given[1], given[2], &result);
    return result.get();
}
