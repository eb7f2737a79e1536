//! Says how often a client may do something: one actor for each client, with a bucket of tokens. Ends itself when the
//! bucket is full again, since a new one would be no different.

const std = @import("std");
const baton = @import("baton");
const Bucket = @import("bucket.zig").Bucket;
const Limits = @import("bucket.zig").Limits;

pub const panic = baton.panic;

comptime {
    baton.plugin(Limiter, .{ .name = "rate-limiter", .version = "1.0.0", .description = "A bucket of tokens each" });
}

const Message = union(enum) {
    take: u32,
    peek,
    configure: struct { capacity: u32, refill: u32, every_ms: u32 },
};

const Reply = struct { allowed: bool, left: u32, retry_after_ms: u64 };

const Limiter = struct {
    bucket: Bucket,
    /// Whether the limits were given by a message: then they outlive other arguments.
    configured: bool = false,
    /// Whether the timer is set that looks whether the bucket is full.
    waiting: bool = false,

    pub const schema = 1;

    /// A full bucket still waits so long before it ends: whoever peeks often does not start it as often.
    const least_wait_ms = 1_000;

    pub fn init(cx: *baton.Cx) !Limiter {
        return .{ .bucket = .full(try limitsOf(cx), cx.nowMs()) };
    }

    fn limitsOf(cx: *baton.Cx) !Limits {
        const limits = try cx.argsJson(?Limits) orelse Limits{};
        return if (limits.problem()) |problem| cx.fail("bad-args", "{s}", .{problem}) else limits;
    }

    pub fn started(self: *Limiter, cx: *baton.Cx) !void {
        try self.wait(cx);
    }

    pub fn resumed(self: *Limiter, predecessor: *const baton.Predecessor, cx: *baton.Cx) !void {
        const limits = try limitsOf(cx);
        if (!self.configured and !std.meta.eql(limits, self.bucket.limits)) {
            self.bucket.fill(cx.nowMs());
            self.bucket.change(limits);
        }
        switch (predecessor.origin) {
            .switched, .terminated => {},
            // Its timer may have been lost.
            else => try self.wait(cx),
        }
    }

    pub fn validate(self: *const Limiter, cx: *baton.Cx) !void {
        if (!self.bucket.isValid()) return cx.invalid("there is more in the bucket than it holds, or its limits are none", .{});
    }

    pub fn handle(self: *Limiter, message: Message, cx: *baton.Cx) !Reply {
        const bucket = &self.bucket;
        bucket.fill(cx.nowMs());
        var tokens: u32 = 1;
        var allowed = true;
        switch (message) {
            .take => |wanted| {
                tokens = wanted;
                if (tokens > bucket.limits.capacity)
                    return cx.fail("too-many", "{d} tokens never fit in this bucket, which holds {d}", .{
                        tokens, bucket.limits.capacity,
                    });
                allowed = bucket.take(tokens);
            },
            .peek => allowed = bucket.left() >= 1,
            .configure => |new| {
                const limits: Limits = .{ .capacity = new.capacity, .refill = new.refill, .every_ms = new.every_ms };
                if (limits.problem()) |problem| return cx.fail("bad-limits", "{s}", .{problem});
                bucket.change(limits);
                self.configured = true;
                cx.save();
                allowed = bucket.left() >= 1;
            },
        }
        if (!self.waiting) try self.wait(cx);
        return .{
            .allowed = allowed,
            .left = bucket.left(),
            .retry_after_ms = if (allowed) 0 else bucket.waitFor(tokens),
        };
    }

    /// One timer at a time: it is not set anew with each message, but looks again when it comes due too early.
    fn wait(self: *Limiter, cx: *baton.Cx) !void {
        const until_full = self.bucket.waitFor(self.bucket.limits.capacity);
        try cx.setTimer("full", @max(until_full, least_wait_ms));
        self.waiting = true;
    }

    pub fn timer(self: *Limiter, name: []const u8, cx: *baton.Cx) !void {
        if (!std.mem.eql(u8, name, "full"))
            return cx.fail("unexpected-timer", "nothing is done with the timer \"{s}\"", .{name});
        self.waiting = false;
        self.bucket.fill(cx.nowMs());
        if (self.bucket.isFull()) cx.stop() else try self.wait(cx);
    }

    /// A full bucket with the limits of the arguments is what a new one would be: nothing of it needs to be kept.
    pub fn terminate(self: *Limiter, reason: baton.StopReason, _: ?u64, cx: *baton.Cx) !baton.Leave {
        self.bucket.fill(cx.nowMs());
        return switch (reason) {
            .normal, .shutdown, .passivate => if (self.bucket.isFull() and !self.configured) .forget else .save,
            else => .save,
        };
    }
};

test {
    _ = @import("bucket.zig");
}

const testing = baton.testing;
const args = "{\"capacity\": 10, \"refill\": 10, \"every_ms\": 60000}";

test "tokens are taken until there are none" {
    const t = try testing.start(Limiter, .{ .args = args });
    defer t.deinit();
    try t.expectReply("{\"take\": 1}", "{\"allowed\":true,\"left\":9,\"retry_after_ms\":0}");
    try t.expectReply("{\"take\": 9}", "{\"allowed\":true,\"left\":0,\"retry_after_ms\":0}");
    try t.expectReply("{\"take\": 3}", "{\"allowed\":false,\"left\":0,\"retry_after_ms\":18000}");
    try t.expectReply("\"peek\"", "{\"allowed\":false,\"left\":0,\"retry_after_ms\":6000}");
    try t.handover();
    t.world.now_ms += 6_000;
    try t.expectReply("\"peek\"", "{\"allowed\":true,\"left\":1,\"retry_after_ms\":0}");
    try t.expectFailure("{\"take\": 11}", "too-many");
    try t.expectFailure("{\"take\": -1}", "bad-message");
    try t.expectFailure("{\"take\": 4294967296}", "bad-message");
}

test "it ends when it is full again, and not before" {
    const t = try testing.start(Limiter, .{ .args = args });
    defer t.deinit();
    try t.expectEffects("set-timer full 1000");
    _ = try t.call("{\"take\": 1}");
    // The timer looks, and waits for the rest.
    try t.advance(1_000);
    try t.expectEffects("set-timer full 5000");
    _ = try t.call("{\"take\": 1}");
    try t.advance(5_000);
    try t.expectEffects("set-timer full 6000");
    try t.advance(6_000);
    try t.expectEffects("stop");
    try std.testing.expectEqual(.forget, try t.terminate(.normal, null));
}

test "what is not full, or has limits of its own, is kept" {
    const t = try testing.start(Limiter, .{});
    defer t.deinit();
    _ = try t.call("{\"take\": 1}");
    try std.testing.expect(try t.terminate(.shutdown, null) == .save);
    try t.expectReply(
        "{\"configure\": {\"capacity\": 2, \"refill\": 1, \"every_ms\": 10}}",
        "{\"allowed\":true,\"left\":2,\"retry_after_ms\":0}",
    );
    try t.expectEffects("set-timer full 1000\nsave");
    try t.advance(2_000);
    try t.expectEffects("stop");
    try std.testing.expect(try t.terminate(.normal, null) == .save);
    try t.handover();
    try t.expectFailure("{\"take\": 3}", "too-many");
    try t.expectFailure("{\"configure\": {\"capacity\": 0, \"refill\": 1, \"every_ms\": 10}}", "bad-limits");
    try t.expectFailure("{\"configure\": {\"capacity\": 5}}", "bad-message");
}

test "other arguments change the limits, unless a message has set them" {
    const t = try testing.start(Limiter, .{});
    defer t.deinit();
    _ = try t.call("{\"take\": 4}");
    const data = try t.snapshot();
    const next = try testing.resumed(Limiter, 1, data, .{ .args = args });
    defer next.deinit();
    try next.expectReply("{\"take\": 1}", "{\"allowed\":true,\"left\":5,\"retry_after_ms\":0}");
    try std.testing.expectEqual(60_000, next.state().bucket.limits.every_ms);
}

test "a clock that goes back" {
    const t = try testing.start(Limiter, .{ .args = args });
    defer t.deinit();
    _ = try t.call("{\"take\": 10}");
    t.world.now_ms -= 1_000_000;
    try t.expectReply("\"peek\"", "{\"allowed\":false,\"left\":0,\"retry_after_ms\":6000}");
    t.world.now_ms += 6_000;
    try t.expectReply("{\"take\": 1}", "{\"allowed\":true,\"left\":0,\"retry_after_ms\":0}");
}

test "arguments and states that are none" {
    for ([_][]const u8{ "{\"capacity\": 0}", "{\"capacty\": 1}", "[]", "{\"every_ms\": 86400001}" }) |bad| {
        try testing.expectInitFailure(Limiter, .{ .args = bad }, "bad-args");
    }
    // Level 10,001 of 10,000; limits of 0.
    try testing.expectRefused(Limiter, 1, &.{ 10, 1, 0xe8, 7, 0x91, 0x4e, 5, 0, 0 }, .corrupt, "breaks a rule");
    try testing.expectRefused(Limiter, 1, &.{ 0, 1, 1, 0, 5, 0, 0 }, .corrupt, "breaks a rule");
    try testing.expectLayout(
        Limiter,
        "{ bucket: { limits: { capacity: u32, refill: u32, every_ms: u32 }, level: u64, at_ms: u64 }, " ++
            "configured: bool, waiting: bool }",
    );
}

// What 1.0.0 wrote: 7 of 10 tokens, filled up to 1,800,000,000,000 ms.
test "the bytes of schema 1 are known" {
    const bytes = [_]u8{ 10, 1, 0xe8, 7, 0xd8, 0x36, 0x80, 0xa0, 0xf1, 0xc2, 0xb1, 0x34, 0, 1 };
    const t = try testing.resumed(Limiter, 1, &bytes, .{});
    defer t.deinit();
    try t.expectState(&bytes);
    try t.expectReply("\"peek\"", "{\"allowed\":true,\"left\":7,\"retry_after_ms\":0}");
}
