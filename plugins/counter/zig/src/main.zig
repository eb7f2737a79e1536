//! Counts. Takes `"get"`, `{"add": 3}` and `"reset"`, and answers with the count; starts at its argument, or at 0.

const std = @import("std");
const baton = @import("baton");

pub const panic = baton.panic;

comptime {
    baton.plugin(Counter, .{ .name = "counter", .version = "1.0.0+zig" });
}

const Message = union(enum) { get, add: u64, reset };

const Counter = struct {
    count: u64,

    pub const schema = 1;

    pub fn init(cx: *baton.Cx) !Counter {
        return .{ .count = try cx.argsJson(?u64) orelse 0 };
    }

    pub fn handle(self: *Counter, message: Message, cx: *baton.Cx) !u64 {
        switch (message) {
            .get => {},
            .add => |n| self.count = std.math.add(u64, self.count, n) catch
                return cx.fail("overflow", "{d} + {d} is more than a counter holds ({d})", .{
                    self.count, n, std.math.maxInt(u64),
                }),
            .reset => self.count = 0,
        }
        return self.count;
    }
};

const testing = baton.testing;

test "counts from its argument" {
    for ([_][]const u8{ "", "null", "40" }, [_][]const u8{ "3", "3", "43" }) |args, first| {
        const counter = try testing.start(Counter, .{ .args = args });
        defer counter.deinit();
        try counter.expectReply("{\"add\": 3}", first);
    }
    for ([_][]const u8{ "-1", "\"40\"", "4.0", "{}", "\xff" }) |args| {
        try testing.expectInitFailure(Counter, .{ .args = args }, "bad-args");
    }
}

test "a replacement counts on" {
    const counter = try testing.start(Counter, .{});
    defer counter.deinit();
    _ = try counter.cast("{\"add\": 5}");
    try counter.handover();
    try counter.expectReply("{\"add\": 1}", "6");
    try counter.expectReply("\"reset\"", "0");
}

test "what does not fit leaves the count alone" {
    const counter = try testing.start(Counter, .{ .args = "18446744073709551615" });
    defer counter.deinit();
    const failure = (try counter.call("{\"add\": 1}")).failure;
    try std.testing.expectEqualStrings("overflow", failure.code);
    try std.testing.expectEqualStrings(
        "18446744073709551615 + 1 is more than a counter holds (18446744073709551615)",
        failure.message,
    );
    for ([_][]const u8{ "{\"add\": -1}", "{\"add\": \"3\"}", "\"subtract\"", "", "\"\xff\"" }) |body| {
        try counter.expectFailure(body, "bad-message");
    }
    try counter.expectReply("\"get\"", "18446744073709551615");
}

// What 1.0.0 wrote of 300: it must be read for ever.
test "the bytes of schema 1 are known" {
    try testing.expectLayout(Counter, "{ count: u64 }");
    const counter = try testing.resumed(Counter, 1, &.{ 0xac, 0x02 }, .{});
    defer counter.deinit();
    try counter.expectReply("\"get\"", "300");
    try counter.expectState(&.{ 0xac, 0x02 });
    for ([_][]const u8{ "", &.{ 1, 1 }, &.{0x80}, &@as([11]u8, @splat(0x80)), &(@as([9]u8, @splat(0xff)) ++ [_]u8{2}) }) |rubbish| {
        try testing.expectRefused(Counter, 1, rubbish, .corrupt, "schema 1");
    }
    try testing.expectRefused(Counter, 2, &.{1}, .incompatible, "schema 2 is not among 1 to 1");
}
