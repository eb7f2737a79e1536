//! States as bytes: what Rust's postcard writes of the same values.

const std = @import("std");
const baton = @import("baton");
const testing = std.testing;

fn expectBytes(comptime T: type, value: T, expected: []const u8) !void {
    var out: baton.Writer = .init(testing.allocator);
    defer out.bytes.deinit(testing.allocator);
    try baton.encodeState(T, &value, &out);
    try testing.expectEqualSlices(u8, expected, out.bytes.items);
    var read = try decode(T, expected);
    defer baton.freeState(T, &read, testing.allocator);
    try testing.expectEqualDeep(value, read);
}

fn decode(comptime T: type, bytes: []const u8) !T {
    var arena: std.heap.ArenaAllocator = .init(testing.allocator);
    defer arena.deinit();
    var in: baton.Reader = .{ .bytes = bytes, .gpa = testing.allocator, .arena = arena.allocator() };
    var value = try baton.decodeState(T, &in);
    errdefer baton.freeState(T, &value, testing.allocator);
    try testing.expectEqual(bytes.len, in.at);
    return value;
}

fn expectCorrupt(comptime T: type, bytes: []const u8, why: []const u8) !void {
    var arena: std.heap.ArenaAllocator = .init(testing.allocator);
    defer arena.deinit();
    var in: baton.Reader = .{ .bytes = bytes, .gpa = testing.allocator, .arena = arena.allocator() };
    try testing.expectError(error.Corrupt, baton.decodeState(T, &in));
    try testing.expectEqualStrings(why, in.why);
}

test "integers are varints, signed ones zigzag, those of 8 bits bytes" {
    try expectBytes(u64, 300, &.{ 0xac, 0x02 });
    try expectBytes(u64, std.math.maxInt(u64), &.{ 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1 });
    try expectBytes(u16, 65535, &.{ 0xff, 0xff, 3 });
    try expectBytes(i32, -1, &.{1});
    try expectBytes(i32, 1, &.{2});
    try expectBytes(i64, std.math.minInt(i64), &.{ 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1 });
    try expectBytes(i128, -65, &.{ 0x81, 1 });
    try expectBytes(u8, 255, &.{255});
    try expectBytes(i8, -1, &.{255});
    try expectBytes(u3, 7, &.{7});
    try expectBytes(bool, true, &.{1});
}

test "floats, texts, lists, arrays, options" {
    try expectBytes(f64, 1.5, &.{ 0, 0, 0, 0, 0, 0, 0xf8, 0x3f });
    try expectBytes(f32, -32.005859375, &.{ 0x00, 0x06, 0x00, 0xc2 });
    try expectBytes([]const u8, "hi", &.{ 2, 'h', 'i' });
    try expectBytes([]const u16, &.{ 1, 300 }, &.{ 2, 1, 0xac, 2 });
    try expectBytes([]const []const u8, &.{ "a", "" }, &.{ 2, 1, 'a', 0 });
    try expectBytes([3]u16, .{ 1, 2, 300 }, &.{ 1, 2, 0xac, 2 });
    try expectBytes(?u16, null, &.{0});
    try expectBytes(?u16, 5, &.{ 1, 5 });
}

const Item = union(enum) {
    gift,
    bought: struct { cents: u64, note: ?[]const u8 },
    boxed: []const Item,
};

test "enums and unions by the index of their case, structs field by field" {
    const Colour = enum(u8) { red = 10, green = 20 };
    try expectBytes(Colour, .green, &.{1});
    try expectBytes(Item, .gift, &.{0});
    try expectBytes(Item, .{ .bought = .{ .cents = 5, .note = "x" } }, &.{ 1, 5, 1, 1, 'x' });
    try expectBytes(Item, .{ .boxed = &.{ .gift, .{ .boxed = &.{} } } }, &.{ 2, 2, 0, 2, 0 });
    try expectBytes(struct { u8, bool }, .{ 1, true }, &.{ 1, 1 });
}

test "lists of the standard library and maps" {
    const State = struct {
        list: std.ArrayList(u16) = .empty,
        map: baton.StringMap([]const u8) = .empty,
        cache: ?*u8 = null,
        pub const not_saved = .{.cache};
    };
    var state: State = .{};
    defer baton.freeState(State, &state, testing.allocator);
    try state.list.append(testing.allocator, 7);
    try state.map.put(testing.allocator, "b", try testing.allocator.dupe(u8, "2"));
    try state.map.put(testing.allocator, "a", try testing.allocator.dupe(u8, "1"));
    var out: baton.Writer = .init(testing.allocator);
    defer out.bytes.deinit(testing.allocator);
    try baton.encodeState(State, &state, &out);
    const expected = [_]u8{ 1, 7, 2, 1, 'a', 1, '1', 1, 'b', 1, '2' };
    try testing.expectEqualSlices(u8, &expected, out.bytes.items);
    var read = try decode(State, &expected);
    defer baton.freeState(State, &read, testing.allocator);
    try testing.expectEqualStrings("1", read.map.get("a").?);
    try testing.expectEqual(1, read.list.items.len);
    // Whatever the order they are read in: a hash map of another language has none.
    var mixed = try decode(baton.StringMap(u8), &.{ 3, 1, 'b', 2, 1, 'c', 3, 1, 'a', 1 });
    defer mixed.deinit(testing.allocator);
    for ("abc", mixed.entries(), 1..) |key, entry, value| {
        try testing.expectEqual(key, entry.key[0]);
        try testing.expectEqual(value, entry.value);
    }
    try testing.expectEqual(2, mixed.remove(testing.allocator, "b").?);
    try testing.expectEqual(null, mixed.get("b"));
}

test "what is no such state is told with the place, and nothing of it leaks" {
    try expectCorrupt(u64, &.{}, "it ends too early, at byte 0");
    try expectCorrupt(u64, &.{0x80}, "it ends too early, at byte 1");
    try expectCorrupt(u64, &(@as([9]u8, @splat(0xff)) ++ [_]u8{2}), "a number has more than 64 bits, at byte 10");
    try expectCorrupt(u64, &@as([11]u8, @splat(0x80)), "a number has more than 10 bytes, at byte 10");
    try expectCorrupt(u16, &.{ 0xff, 0xff, 4 }, "81919 is no u16, at byte 3");
    try expectCorrupt(bool, &.{2}, "2 is no boolean, at byte 1");
    try expectCorrupt(Item, &.{3}, "3 is none of 3 cases, at byte 0");
    try expectCorrupt([]const u8, &.{ 3, 'a' }, "3 items do not fit in the 1 bytes that are left, at byte 0");
    try expectCorrupt([]const []const u8, &.{ 2, 1, 'a', 9, 'b' }, "9 items do not fit in the 1 bytes that are left, at byte 3");
    try expectCorrupt(baton.StringMap(u8), &.{ 2, 1, 'a', 1, 1, 'a', 2 }, "a key stands there twice, at byte 7");
    try expectCorrupt([2][]const u8, &.{ 1, 'a', 2, 'b' }, "2 items do not fit in the 1 bytes that are left, at byte 2");
    try expectCorrupt([]const void, &.{ 0xff, 0xff, 0xff, 0x7f }, "268435455 items do not fit in the 0 bytes that are left, at byte 0");
    try expectCorrupt(Item, &@as([400]u8, @bitCast(@as([200][2]u8, @splat(.{ 2, 1 })))), "lists lie too deep within each other, at byte 259");
}

test "random bytes are read or refused" {
    var random: std.Random.DefaultPrng = .init(7);
    const State = struct { a: []const Item, b: baton.StringMap(?i32), c: [2]bool, d: []const []const u16 };
    for (0..2000) |_| {
        var bytes: [40]u8 = undefined;
        random.fill(&bytes);
        for (&bytes) |*byte| if (random.random().boolean()) {
            byte.* %= 4;
        };
        var arena: std.heap.ArenaAllocator = .init(testing.allocator);
        defer arena.deinit();
        var in: baton.Reader = .{ .bytes = &bytes, .gpa = testing.allocator, .arena = arena.allocator() };
        var state = baton.decodeState(State, &in) catch continue;
        baton.freeState(State, &state, testing.allocator);
    }
}

const Own = struct {
    hidden: u32,

    pub fn encode(self: *const Own, out: *baton.Writer) !void {
        try out.raw(&.{ 'n', @intCast(self.hidden) });
    }

    pub fn decode(in: *baton.Reader) !Own {
        if (try in.byte() != 'n') return in.refuse("it begins with n", .{});
        return .{ .hidden = try in.byte() };
    }
};

test "a type may write itself" {
    try expectBytes(struct { own: Own, x: u8 }, .{ .own = .{ .hidden = 7 }, .x = 1 }, &.{ 'n', 7, 1 });
    try expectCorrupt(Own, "x7", "it begins with n, at byte 1");
}

test "layouts are told" {
    const State = struct { count: u64, items: []const Item, names: baton.StringMap(f64), on: ?bool, at: [2]i8, own: Own };
    try baton.testing.expectLayout(State, "{ count: u64, items: [(gift | bought { cents: u64, note: text? } | boxed [^1])]," ++
        " names: {text: f64}, on: bool?, at: [i8; 2], own: state.Own }");
}
