//! The lifecycle of actors, through the harness that authors use.

const std = @import("std");
const baton = @import("baton");
const testing = std.testing;

/// Does everything that an actor can.
const Busy = struct {
    total: u64 = 0,
    names: std.ArrayList([]const u8) = .empty,
    seen: []const u8 = "",

    pub const schema = 3;
    pub const migrations = .{
        .{ .schema = 1, .state = V1, .up = v2FromV1 },
        .{ .schema = 2, .state = V2, .up = fromV2 },
        .{ .schema = 4, .state = V4, .down = fromV4 },
    };

    const V1 = struct { total: u8 };
    const V2 = struct { total: u32, name: []const u8 };
    const V4 = struct { total: u64, names: []const []const u8, lost: bool };

    fn v2FromV1(old: V1) V2 {
        return .{ .total = old.total, .name = "" };
    }

    fn fromV2(old: V2, cx: *baton.Cx) !Busy {
        if (old.total == 13) return cx.invalid("13 was never a total", .{});
        var new: Busy = .{ .total = old.total };
        if (old.name.len > 0) try new.names.append(cx.gpa, old.name);
        return new;
    }

    fn fromV4(newer: V4, cx: *baton.Cx) !Busy {
        defer cx.gpa.free(newer.names);
        if (newer.lost) {
            for (newer.names) |name| cx.gpa.free(name);
            return cx.invalid("it would be lost", .{});
        }
        var new: Busy = .{ .total = newer.total };
        try new.names.appendSlice(cx.gpa, newer.names);
        return new;
    }

    const Message = union(enum) {
        get,
        name: []const u8,
        send: []const u8,
        call: []const u8,
        ask: []const u8,
        boom,
        handled,
        bad,
        group: []const u8,
        child: []const u8,
        ids,
        log,
    };

    pub fn init(cx: *baton.Cx) !Busy {
        return .{ .total = try cx.argsJson(?u64) orelse 0 };
    }

    pub fn deinit(self: *Busy, gpa: std.mem.Allocator) void {
        for (self.names.items) |name| gpa.free(name);
        self.names.deinit(gpa);
        gpa.free(self.seen);
    }

    pub fn started(_: *Busy, cx: *baton.Cx) !void {
        try cx.setTimer("tick", 1000);
        if (std.mem.eql(u8, cx.args, "99")) return cx.refuse(.unavailable, "not today", .{});
    }

    pub fn resumed(self: *Busy, predecessor: *const baton.Predecessor, cx: *baton.Cx) !void {
        cx.log(.info, "resumed", .{ .schema = predecessor.schema, .by = predecessor.written_by, .how = predecessor.origin });
        if (self.total == 77) try cx.send("x", .get);
    }

    pub fn validate(self: *const Busy, cx: *baton.Cx) !void {
        if (self.total > 1000) return cx.invalid("a total of {d} is too much", .{self.total});
    }

    pub fn handle(self: *Busy, message: Message, cx: *baton.Cx) !struct { total: u64, text: []const u8 = "" } {
        switch (message) {
            .get => {},
            .name => |name| {
                const copy = try cx.gpa.dupe(u8, name);
                errdefer cx.gpa.free(copy);
                try self.names.append(cx.gpa, copy);
            },
            .send => |to| try cx.send(to, .{ .add = 3 }),
            .call => |to| self.total = try cx.call(u64, to, .get, .{ .timeout_ms = 100 }),
            .ask => |to| return .{ .total = self.total, .text = if (cx.call(u64, to, .get, .{})) |_| "ok" else |err| @errorName(err) },
            .boom => return error.NobodySaidWhy,
            .handled => self.total = std.math.add(u64, self.total, std.math.maxInt(u64)) catch
                return cx.fail("overflow", "{d} is too much \xff", .{self.total}),
            .bad => return .{ .total = 0, .text = "\xff" },
            .group => |group| {
                try cx.join(group);
                try cx.dispatch(group, .hello);
                self.total = (try cx.members(group)).len;
            },
            .child => |name| try cx.startChild(null, .{ .name = name, .plugin = "busy", .args = "1" }),
            .ids => {
                var bytes: [4]u8 = undefined;
                cx.random(&bytes);
                cx.save();
                cx.stop();
                return .{ .total = cx.nowMs(), .text = cx.sender orelse "nobody" };
            },
            .log => {
                cx.warn("{d} of {s}", .{ 3, "\xff" });
                cx.log(.debug, "fields", .{ .n = @as(u8, 3), .text = "a b", .kind = baton.Leave.keep, .none = @as(?u8, null) });
            },
        }
        return .{ .total = self.total };
    }

    pub fn timer(self: *Busy, name: []const u8, cx: *baton.Cx) !void {
        if (!std.mem.eql(u8, name, "tick")) return cx.fail("unexpected-timer", "{s}", .{name});
        self.total += 1;
        try cx.setTimer("tick", 1000);
    }

    pub fn down(self: *Busy, name: []const u8, reason: []const u8, cx: *baton.Cx) !void {
        const words = try std.fmt.allocPrint(cx.gpa, "{s} {s}", .{ name, reason });
        cx.gpa.free(self.seen);
        self.seen = words;
    }

    pub fn terminate(_: *Busy, reason: baton.StopReason, budget_ms: ?u64, cx: *baton.Cx) !baton.Leave {
        if ((budget_ms orelse 1) == 0) return cx.fail("no-time", "none", .{});
        return if (reason == .normal) .forget else .save;
    }
};

comptime {
    baton.plugin(Busy, .{ .name = "busy-2", .version = "1.0.0-rc.1+zig", .license = "MIT" });
}

test "messages, failures, effects" {
    const t = try baton.testing.start(Busy, .{ .args = "5" });
    defer t.deinit();
    try t.expectReply("\"get\"", "{\"total\":5,\"text\":\"\"}");
    try t.expectReply("{\"name\": \"a\"}", "{\"total\":5,\"text\":\"\"}");
    try t.expectReply("{\"send\": \"room/1\"}", "{\"total\":5,\"text\":\"\"}");
    try t.expectEffects("set-timer tick 1000\nsend room/1 {\"add\":3}");
    try t.expectFailure("{\"name\": 3}", "bad-message");
    try t.expectFailure("\"handled\"", "overflow");
    switch (try t.call("\"handled\"")) {
        .failure => |failure| try testing.expectEqualStrings("5 is too much \u{fffd}", failure.message),
        .reply => unreachable,
    }
    try t.expectFailure("\"bad\"", "bad-reply");
    try testing.expectError(error.NobodySaidWhy, t.call("\"boom\""));
    try testing.expectEqualStrings("", (try t.cast("\"get\"")).reply);
    switch (try t.call("{\"name\"")) {
        .failure => |failure| try testing.expectEqualStrings(
            "plugin 0.0.0 does not take this message: it is no JSON: it ends too early, at line 1 column 8",
            failure.message,
        ),
        .reply => unreachable,
    }
}

test "calls of others, and their errors" {
    const t = try baton.testing.start(Busy, .{});
    defer t.deinit();
    try t.expectFailure("{\"call\": \"bank/1\"}", "call-unknown-actor");
    try t.answer("bank/1", .{ .reply = "40" });
    try t.expectReply("{\"call\": \"bank/1\"}", "{\"total\":40,\"text\":\"\"}");
    try t.expectEffects("set-timer tick 1000\ncall bank/1 \"get\" 100\ncall bank/1 \"get\" 100");
    try t.answer("bank/1", .{ .reply = "[]" });
    try t.expectFailure("{\"call\": \"bank/1\"}", "bad-reply");
    try t.answer("bank/1", .timeout);
    try t.expectFailure("{\"call\": \"bank/1\"}", "call-timeout");
    try t.expectReply("{\"ask\": \"bank/1\"}", "{\"total\":40,\"text\":\"CallTimeout\"}");
    try t.answer("bank/1", .{ .failed = .{ .code = "out-of-stock", .message = "no more" } });
    try t.expectFailure("{\"call\": \"bank/1\"}", "out-of-stock");
    try t.answer("bank/1", .{ .limit = "turn_calls = 1000" });
    switch (try t.call("{\"call\": \"bank/1\"}")) {
        .failure => |failure| {
            try testing.expectEqualStrings("call-limit", failure.code);
            try testing.expectEqualStrings("a limit of the host was reached: turn_calls = 1000", failure.message);
        },
        .reply => unreachable,
    }
    t.world.sends = .denied;
    try t.expectFailure("{\"send\": \"room/1\"}", "send-denied");
}

test "who sent it, and what the host knows" {
    const t = try baton.testing.start(Busy, .{ .now_ms = 1234 });
    defer t.deinit();
    try t.expectEffects("set-timer tick 1000");
    t.from = "alice";
    try t.expectReply("\"ids\"", "{\"total\":1234,\"text\":\"alice\"}");
    t.from = null;
    try t.expectReply("\"ids\"", "{\"total\":1234,\"text\":\"nobody\"}");
    try t.expectEffects("save\nstop\nsave\nstop");
    try testing.expectEqual(2, t.world.saves);
    _ = try t.call("\"log\"");
    try testing.expectEqualStrings("warn 3 of \u{fffd}", t.world.logged.items[0]);
    try testing.expectEqualStrings("debug fields n=3 text=a b kind=keep none=null", t.world.logged.items[1]);
}

test "timers, ends of others, and what is not known" {
    const t = try baton.testing.start(Busy, .{});
    defer t.deinit();
    try t.advance(3500);
    try t.expectReply("\"get\"", "{\"total\":3,\"text\":\"\"}");
    try testing.expectEqualStrings("unexpected-timer", (try t.timer("tock")).failure.code);
    _ = try t.down("x/1", "crash: it fell");
    try testing.expectEqualStrings("x/1 crash: it fell", t.state().seen);
    _ = try t.exit("x/2", "shutdown");
    try testing.expectEqualStrings("info nothing is done about an exit exit=x/2 reason=shutdown", t.world.logged.items[0]);
    try testing.expectEqualStrings("bad-exit", (try t.other("exit", "{}")).failure.code);
    try testing.expectEqualStrings("unsupported", (try t.other("news", "")).failure.code);
    try testing.expectEqualStrings("no-time", (try t.terminate(.shutdown, 0)).failure.code);
    try testing.expectEqual(.forget, try t.terminate(.normal, null));
}

test "groups and children" {
    const t = try baton.testing.start(Busy, .{});
    defer t.deinit();
    t.world.groups = &.{.{ .group = "room", .are = &.{ "a", "b" } }};
    try t.expectReply("{\"group\": \"room\"}", "{\"total\":2,\"text\":\"\"}");
    try t.expectReply("{\"child\": \"busy/2\"}", "{\"total\":2,\"text\":\"\"}");
    try t.expectEffects("set-timer tick 1000\njoin room\ndispatch room \"hello\"\nstart-child - busy/2 busy 1");
    t.world.problem = .{ .err = error.StartFailed, .detail = "no" };
    try t.expectFailure("{\"child\": \"busy/2\"}", "start-failed");
}

test "states are handed over, migrated, and refused" {
    const t = try baton.testing.start(Busy, .{ .args = "7" });
    defer t.deinit();
    try t.expectReply("{\"name\": \"a\"}", "{\"total\":7,\"text\":\"\"}");
    try t.handover();
    try testing.expectEqualStrings("a", t.state().names.items[0]);
    try testing.expectEqualStrings("info resumed schema=3 by=0.0.0 how=switched", t.world.logged.items[0]);
    try t.expectState(&.{ 7, 1, 1, 'a', 0 });

    const one = try baton.testing.resumed(Busy, 1, &.{9}, .{});
    defer one.deinit();
    try one.expectReply("\"get\"", "{\"total\":9,\"text\":\"\"}");
    try testing.expectEqual(1, one.instance.cx.predecessor.?.schema);
    const two = try baton.testing.resumed(Busy, 2, &.{ 9, 1, 'b' }, .{ .origin = .{ .terminated = .{ .other = "moved" } } });
    defer two.deinit();
    try two.expectState(&.{ 9, 1, 1, 'b', 0 });
    const four = try baton.testing.resumed(Busy, 4, &.{ 9, 1, 1, 'c', 0 }, .{});
    defer four.deinit();
    try four.expectState(&.{ 9, 1, 1, 'c', 0 });

    const refused = baton.testing.expectRefused;
    try refused(Busy, 5, &.{9}, .incompatible, "schema 5 is not among 1 to 4");
    try refused(Busy, 4, &.{ 9, 1, 1, 'c', 1 }, .incompatible, "there is no way back from schema 4 to 3: it would be lost");
    try refused(Busy, 2, &.{ 13, 0 }, .corrupt, "state of schema 2 does not become one of 3: 13 was never a total");
    try refused(Busy, 3, &.{ 0xff, 0x7f, 1, 1, 'a', 0 }, .corrupt, "state of schema 3 breaks a rule: a total of 16383 is too much");
    try refused(Busy, 3, &.{ 9, 1, 1, 'a', 0, 1 }, .corrupt, "state of schema 3: 1 of 6 bytes are left over after actor.Busy");
    try refused(Busy, 3, &.{ 9, 1, 1, 'a' }, .corrupt, "4 bytes do not decode as actor.Busy: it ends too early, at byte 4");
    try refused(Busy, 3, &.{ 9, 2, 1, 'a', 5 }, .corrupt, "do not fit in the 0 bytes that are left, at byte 4");
}

test "it does not start" {
    try baton.testing.expectInitFailure(Busy, .{ .args = "-1" }, "bad-args");
    const t = try baton.testing.Test(Busy).create(.{ .args = "99" });
    defer t.deinit();
    try testing.expectEqual(null, try t.init());
    const refused = (try t.takeOver(null)).refused;
    try testing.expectEqual(.unavailable, refused[0]);
    try testing.expectEqualStrings("not today", refused[1]);
    try testing.expectEqualStrings("not-started", (try t.call("\"get\"")).failure.code);
}

/// The least that an actor is, with bodies that are no JSON.
const Echo = struct {
    pub const schema = 1;
    pub const media_type = "application/octet-stream";
    pub const trap_exit = false;

    pub fn init(_: *baton.Cx) Echo {
        return .{};
    }

    pub fn handle(_: *Echo, body: []const u8, _: *baton.Cx) []const u8 {
        return body;
    }
};

test "bytes pass as they are, and what is left out has defaults" {
    const t = try baton.testing.start(Echo, .{});
    defer t.deinit();
    try t.expectReply("\xff\x00", "\xff\x00");
    try t.expectState("");
    try testing.expect(!t.instance.trapsExits());
    try testing.expectEqualStrings("unexpected-timer", (try t.timer("x")).failure.code);
    _ = try t.down("x/1", "noproc");
    try testing.expectEqualStrings("info nothing is done about the end of an actor down=x/1 reason=noproc", t.world.logged.items[0]);
    try testing.expectEqualStrings("", (try t.terminate(.{ .other = "?" }, 5)).save);
    try t.handover();
    try t.expectEffects("");
}
