//! A bucket of tokens: the arithmetic, without Baton. It is exact: a part of a token is a number of milliseconds, not a
//! fraction.

const std = @import("std");

/// So many tokens at most, and how many come in how many milliseconds.
pub const Limits = struct {
    capacity: u32 = 10,
    refill: u32 = 1,
    every_ms: u32 = 1_000,

    /// What is wrong with them. Null: nothing.
    pub fn problem(self: Limits) ?[]const u8 {
        if (self.capacity < 1 or self.capacity > 1_000_000) return "capacity is 1 to 1,000,000 tokens";
        if (self.refill < 1 or self.refill > 1_000_000) return "refill is 1 to 1,000,000 tokens";
        if (self.every_ms < 1 or self.every_ms > 86_400_000) return "every_ms is 1 to 86,400,000 milliseconds";
        return null;
    }
};

pub const Bucket = struct {
    limits: Limits,
    /// What is in it, in tokens times `every_ms`: in a millisecond it grows by `refill`.
    level: u64,
    /// Up to when it was filled, by the host's clock.
    at_ms: u64,

    pub fn full(limits: Limits, now_ms: u64) Bucket {
        return .{ .limits = limits, .level = most(limits), .at_ms = now_ms };
    }

    fn most(limits: Limits) u64 {
        return @as(u64, limits.capacity) * limits.every_ms;
    }

    pub fn isValid(self: *const Bucket) bool {
        return self.limits.problem() == null and self.level <= most(self.limits);
    }

    /// Adds what has come since it was filled last. A clock that has gone back brings nothing, and takes nothing: from
    /// then on its new time counts.
    pub fn fill(self: *Bucket, now_ms: u64) void {
        const came = (now_ms -| self.at_ms) *| self.limits.refill;
        self.level = @min(self.level +| came, most(self.limits));
        self.at_ms = now_ms;
    }

    /// Takes so many tokens, all or none.
    pub fn take(self: *Bucket, tokens: u32) bool {
        const needed = @as(u64, tokens) * self.limits.every_ms;
        if (needed > self.level) return false;
        self.level -= needed;
        return true;
    }

    /// Whole tokens that are in it.
    pub fn left(self: *const Bucket) u32 {
        return @intCast(self.level / self.limits.every_ms);
    }

    /// Milliseconds until so many tokens are in it.
    pub fn waitFor(self: *const Bucket, tokens: u32) u64 {
        const missing = @as(u64, tokens) * self.limits.every_ms -| self.level;
        return std.math.divCeil(u64, missing, self.limits.refill) catch unreachable;
    }

    pub fn isFull(self: *const Bucket) bool {
        return self.level == most(self.limits);
    }

    /// Other limits from now on. The tokens that are in it stay, as far as there is room for them.
    pub fn change(self: *Bucket, limits: Limits) void {
        const scaled = @as(u128, self.level) * limits.every_ms / self.limits.every_ms;
        self.limits = limits;
        self.level = @intCast(@min(scaled, most(limits)));
    }
};

const expectEqual = std.testing.expectEqual;

test "tokens are taken, and come back with time" {
    var bucket: Bucket = .full(.{ .capacity = 2, .refill = 3, .every_ms = 1_000 }, 5_000);
    try expectEqual(true, bucket.take(2));
    try expectEqual(false, bucket.take(1));
    try expectEqual(334, bucket.waitFor(1));
    bucket.fill(5_333);
    try expectEqual(0, bucket.left());
    try expectEqual(1, bucket.waitFor(1));
    bucket.fill(5_334);
    try expectEqual(1, bucket.left());
    try expectEqual(false, bucket.isFull());
    bucket.fill(5_667);
    try expectEqual(true, bucket.isFull());
    bucket.fill(std.math.maxInt(u64));
    try expectEqual(2, bucket.left());
}

test "a clock that goes back brings nothing and takes nothing" {
    var bucket: Bucket = .full(.{ .capacity = 1, .refill = 1, .every_ms = 1_000 }, 10_000);
    try expectEqual(true, bucket.take(1));
    bucket.fill(2_000);
    try expectEqual(0, bucket.left());
    bucket.fill(2_500);
    try expectEqual(500, bucket.waitFor(1));
    bucket.fill(3_000);
    try expectEqual(1, bucket.left());
}

test "whatever steps it is filled in, as much comes" {
    var random: std.Random.DefaultPrng = .init(1);
    const draw = random.random();
    for (0..500) |_| {
        const limits: Limits = .{
            .capacity = draw.intRangeAtMost(u32, 1, 1_000_000),
            .refill = draw.intRangeAtMost(u32, 1, 1_000_000),
            .every_ms = draw.intRangeAtMost(u32, 1, 86_400_000),
        };
        var at_once: Bucket = .full(limits, 0);
        at_once.level = 0;
        var in_steps = at_once;
        var now: u64 = 0;
        for (0..20) |_| {
            now += draw.uintLessThan(u64, limits.every_ms);
            in_steps.fill(now);
            try expectEqual(true, in_steps.isValid());
        }
        at_once.fill(now);
        try expectEqual(at_once, in_steps);
        const wait = in_steps.waitFor(limits.capacity);
        in_steps.fill(now + wait -| 1);
        try expectEqual(wait == 0, in_steps.isFull());
        in_steps.fill(now + wait);
        try expectEqual(true, in_steps.isFull());
    }
}

test "other limits keep the tokens that are there" {
    var bucket: Bucket = .full(.{ .capacity = 10, .refill = 1, .every_ms = 1_000 }, 0);
    _ = bucket.take(4);
    bucket.fill(500);
    bucket.change(.{ .capacity = 20, .refill = 1, .every_ms = 60_000 });
    try expectEqual(6, bucket.left());
    try expectEqual(30_000, bucket.waitFor(7));
    bucket.change(.{ .capacity = 3, .refill = 5, .every_ms = 7 });
    try expectEqual(true, bucket.isFull());
}
