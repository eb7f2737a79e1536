//! The host in native tests: it writes down what an actor asks for, and answers as the test has said.

const std = @import("std");
const errors = @import("errors.zig");
const hosts = @import("host.zig");
const supervision = @import("supervision.zig");
const Allocator = std.mem.Allocator;

/// Whose actor has the turn.
pub var current: ?*World = null;

pub const Timer = struct { name: []const u8, due_ms: u64 };
pub const Answer = struct { to: []const u8, answer: hosts.Called };
pub const Members = struct { group: []const u8, are: []const []const u8 };
pub const Attribute = struct { actor: []const u8, key: []const u8, value: []const u8 };
pub const Standing = struct { actor: []const u8, phase: supervision.Phase };

/// All that is around an actor under test. A test sets its fields as it likes.
pub const World = struct {
    /// What is written down stays until the test ends.
    arena: Allocator,
    now_ms: u64,
    remaining_ms: ?u64 = null,
    random: std.Random.DefaultPrng = .init(0),
    /// What was asked for, a line each, since the test looked last.
    effects: std.ArrayList([]const u8) = .empty,
    /// Lines of the log: the level, the message, the fields.
    logged: std.ArrayList([]const u8) = .empty,
    timers: std.ArrayList(Timer) = .empty,
    saves: usize = 0,
    stopped: bool = false,
    /// What effects come to: `.denied`, or `.{ .limit = "turn_sends = 1000" }`.
    sends: hosts.Sent = .ok,
    /// What calls of others come to; the last one for a name counts. Any other name is unknown.
    answers: std.ArrayList(Answer) = .empty,
    /// What supervisors answer instead of doing what they are asked.
    problem: ?supervision.Problem = null,
    children: []const supervision.ChildInfo = &.{},
    counts: supervision.Counts = .{ .specs = 0, .active = 0, .supervisors = 0, .workers = 0 },
    groups: []const Members = &.{},
    attributes: []const Attribute = &.{},
    standing: []const Standing = &.{},

    pub fn write(self: *World, comptime format: []const u8, args: anytype) void {
        self.note(&self.effects, format, args);
    }

    fn note(self: *World, lines: *std.ArrayList([]const u8), comptime format: []const u8, args: anytype) void {
        const line = std.fmt.allocPrint(self.arena, format, args) catch @panic("out of memory");
        lines.append(self.arena, line) catch @panic("out of memory");
    }

    fn copy(self: *World, bytes: []const u8) []const u8 {
        return self.arena.dupe(u8, bytes) catch @panic("out of memory");
    }

    fn dropTimer(self: *World, name: []const u8) void {
        for (self.timers.items, 0..) |timer, at| {
            if (std.mem.eql(u8, timer.name, name)) {
                _ = self.timers.orderedRemove(at);
                return;
            }
        }
    }

    /// The timer that comes due first, up to a moment; it is taken out.
    pub fn nextTimer(self: *World, until_ms: u64) ?Timer {
        var first: ?usize = null;
        for (self.timers.items, 0..) |timer, at| {
            if (timer.due_ms > until_ms) continue;
            if (first == null or timer.due_ms < self.timers.items[first.?].due_ms) first = at;
        }
        return self.timers.orderedRemove(first orelse return null);
    }
};

fn world() *World {
    return current orelse @panic("an actor asks its host for something, and runs in no test");
}

pub fn log(level: hosts.Level, message: []const u8, fields: []const hosts.Field) void {
    const self = world();
    var line: std.Io.Writer.Allocating = .init(self.arena);
    line.writer.print("{s} {s}", .{ @tagName(level), message }) catch @panic("out of memory");
    for (fields) |field| {
        const name = field.name[0..field.name_len];
        line.writer.print(" {s}={s}", .{ name, field.value[0..field.value_len] }) catch @panic("out of memory");
    }
    self.logged.append(self.arena, line.written()) catch @panic("out of memory");
}

pub fn nowMs() u64 {
    return world().now_ms;
}

pub fn random(into: []u8) void {
    world().random.fill(into);
}

pub fn remainingMs() ?u64 {
    return world().remaining_ms;
}

pub fn save() void {
    world().saves += 1;
    world().write("save", .{});
}

pub fn stop() void {
    world().stopped = true;
    world().write("stop", .{});
}

fn effect(comptime format: []const u8, args: anytype) hosts.Sent {
    if (world().sends == .ok) world().write(format, args);
    return world().sends;
}

pub fn send(to: []const u8, body: []const u8) hosts.Sent {
    return effect("send {s} {s}", .{ to, body });
}

pub fn call(to: []const u8, body: []const u8, timeout_ms: u64) hosts.Called {
    const self = world();
    self.write("call {s} {s} {d}", .{ to, body, timeout_ms });
    var at = self.answers.items.len;
    while (at > 0) : (at -= 1) {
        const answer = self.answers.items[at - 1];
        if (std.mem.eql(u8, answer.to, to)) return answer.answer;
    }
    return .unknown_actor;
}

pub fn setTimer(name: []const u8, after_ms: u64) hosts.Sent {
    const self = world();
    if (self.sends == .ok) {
        self.dropTimer(name);
        const timer: Timer = .{ .name = self.copy(name), .due_ms = self.now_ms +| after_ms };
        self.timers.append(self.arena, timer) catch @panic("out of memory");
    }
    return effect("set-timer {s} {d}", .{ name, after_ms });
}

pub fn cancelTimer(name: []const u8) void {
    world().dropTimer(name);
    world().write("cancel-timer {s}", .{name});
}

pub fn monitor(actor: []const u8) hosts.Sent {
    return effect("monitor {s}", .{actor});
}

pub fn demonitor(actor: []const u8) void {
    world().write("demonitor {s}", .{actor});
}

fn asked(comptime format: []const u8, args: anytype) hosts.Asked(void) {
    world().write(format, args);
    return if (world().problem) |problem| .{ .problem = problem } else .{ .ok = {} };
}

pub fn startChild(supervisor: ?[]const u8, child: supervision.ChildSpec) hosts.Asked(void) {
    return asked("start-child {s} {s} {s} {s}", .{ supervisor orelse "-", child.name, child.plugin, child.args });
}

pub fn terminateChild(child: []const u8) hosts.Asked(void) {
    return asked("terminate-child {s}", .{child});
}

pub fn restartChild(child: []const u8) hosts.Asked(void) {
    return asked("restart-child {s}", .{child});
}

pub fn deleteChild(child: []const u8) hosts.Asked(void) {
    return asked("delete-child {s}", .{child});
}

pub fn whichChildren(_: Allocator, _: ?[]const u8) Allocator.Error!hosts.Asked([]const supervision.ChildInfo) {
    return if (world().problem) |problem| .{ .problem = problem } else .{ .ok = world().children };
}

pub fn countChildren(_: ?[]const u8) hosts.Asked(supervision.Counts) {
    return if (world().problem) |problem| .{ .problem = problem } else .{ .ok = world().counts };
}

pub fn whereis(actor: []const u8) ?supervision.Phase {
    for (world().standing) |one| if (std.mem.eql(u8, one.actor, actor)) return one.phase;
    return null;
}

pub fn members(_: Allocator, group: []const u8) Allocator.Error!hosts.Asked([]const []const u8) {
    if (world().problem) |problem| return .{ .problem = problem };
    for (world().groups) |one| if (std.mem.eql(u8, one.group, group)) return .{ .ok = one.are };
    return .{ .ok = &.{} };
}

pub fn attribute(actor: []const u8, key: []const u8) ?[]const u8 {
    for (world().attributes) |one| {
        if (std.mem.eql(u8, one.actor, actor) and std.mem.eql(u8, one.key, key)) return one.value;
    }
    return null;
}

pub fn having(arena: Allocator, key: []const u8, value: []const u8) Allocator.Error!hosts.Asked([]const []const u8) {
    if (world().problem) |problem| return .{ .problem = problem };
    var found: std.ArrayList([]const u8) = .empty;
    for (world().attributes) |one| {
        if (std.mem.eql(u8, one.key, key) and std.mem.eql(u8, one.value, value)) try found.append(arena, one.actor);
    }
    return .{ .ok = found.items };
}

pub fn link(actor: []const u8) hosts.Sent {
    return effect("link {s}", .{actor});
}

pub fn unlink(actor: []const u8) hosts.Sent {
    return effect("unlink {s}", .{actor});
}

pub fn exit(actor: []const u8, reason: []const u8) hosts.Sent {
    return effect("exit {s} {s}", .{ actor, reason });
}

pub fn join(group: []const u8) hosts.Sent {
    return effect("join {s}", .{group});
}

pub fn leave(group: []const u8) hosts.Sent {
    return effect("leave {s}", .{group});
}

pub fn dispatch(group: []const u8, body: []const u8) hosts.Sent {
    return effect("dispatch {s} {s}", .{ group, body });
}

pub fn setAttribute(key: []const u8, value: ?[]const u8) hosts.Sent {
    return effect("set-attribute {s} {s}", .{ key, value orelse "-" });
}
