//! Messages as a person types them, and what is told of those that are none.

const std = @import("std");
const baton = @import("baton");
const testing = std.testing;

const Limits = struct {
    capacity: u32,
    refill: f64 = 1,
    name: ?[]const u8,
};

const Message = union(enum) {
    get,
    add: u64,
    configure: Limits,
    @"set-price": struct { []const u8, i64 },
    tags: []const []const u8,
    colour: enum { red, green },
    counts: baton.StringMap(u32),
    raw: std.json.Value,
    maybe: ?bool,
    pair: [2]u8,
    list: std.ArrayList(i8),
};

fn decode(comptime T: type, arena: std.mem.Allocator, text: []const u8) !T {
    var why: baton.json.Why = .{};
    return baton.json.decode(T, arena, text, &why) catch |err| {
        std.debug.print("{s}\n", .{why.text});
        return err;
    };
}

fn expectBack(text: []const u8, written: []const u8) !void {
    var arena: std.heap.ArenaAllocator = .init(testing.allocator);
    defer arena.deinit();
    const message = try decode(Message, arena.allocator(), text);
    try testing.expectEqualStrings(written, try baton.json.encode(arena.allocator(), message));
}

fn expectBad(comptime T: type, text: []const u8, expected: []const u8) !void {
    var arena: std.heap.ArenaAllocator = .init(testing.allocator);
    defer arena.deinit();
    var why: baton.json.Why = .{};
    try testing.expectError(error.BadJson, baton.json.decode(T, arena.allocator(), text, &why));
    try testing.expectEqualStrings(expected, why.text);
}

test "messages are read as a person types them, and written so" {
    try expectBack(" \"get\"\n", "\"get\"");
    try expectBack("{\"get\": null}", "\"get\"");
    try expectBack("{\"add\": 18446744073709551615}", "{\"add\":18446744073709551615}");
    try expectBack("{\"configure\": {\"capacity\": 5}}", "{\"configure\":{\"capacity\":5,\"refill\":1,\"name\":null}}");
    try expectBack(
        "{\"configure\":{\"name\":\"\\u00e4\\ud83d\\ude00\",\"refill\":2.5e-7,\"capacity\":0}}",
        "{\"configure\":{\"capacity\":0,\"refill\":2.5e-7,\"name\":\"ä😀\"}}",
    );
    try expectBack("{\"set-price\": [\"a\", -9223372036854775808]}", "{\"set-price\":[\"a\",-9223372036854775808]}");
    try expectBack("{\"tags\": [\"a\", \"\\\"\"]}", "{\"tags\":[\"a\",\"\\\"\"]}");
    try expectBack("{\"colour\":\"green\"}", "{\"colour\":\"green\"}");
    try expectBack("{\"counts\":{\"b\":1,\"a\":2}}", "{\"counts\":{\"a\":2,\"b\":1}}");
    try expectBack("{\"raw\":{\"x\":[1,2.5,null,\"y\"]}}", "{\"raw\":{\"x\":[1,2.5,null,\"y\"]}}");
    try expectBack("{\"maybe\":null}", "{\"maybe\":null}");
    try expectBack("{\"pair\":[1,255]}", "{\"pair\":[1,255]}");
    try expectBack("{\"list\":[-1,2]}", "{\"list\":[-1,2]}");
}

test "what fits none is told with what was expected, and where" {
    const Small = union(enum) { get, add: u64, reset };
    const all = "\"get\", {\"add\": u64} or \"reset\"";
    try expectBad(Small, "", "it is no JSON: it ends too early, at line 1 column 1");
    try expectBad(Small, "get", "it is no JSON, at line 1 column 1");
    try expectBad(Small, "\"sub\"", "expected " ++ all ++ ", not \"sub\", at line 1 column 1");
    try expectBad(Small, "\"add\"", "expected " ++ all ++ ", not \"add\", at line 1 column 1");
    try expectBad(Small, "{\"add\":\n -1}", "expected u64, not -1, at line 2 column 2");
    try expectBad(Small, "{\"add\": \"3\"}", "expected u64, not \"3\", at line 1 column 9");
    try expectBad(Small, "{\"add\": 3.0}", "expected u64, not 3.0, at line 1 column 9");
    try expectBad(Small, "{\"add\": 18446744073709551616}", "expected u64, not 18446744073709551616, at line 1 column 9");
    try expectBad(Small, "{\"add\": 3, \"get\": null}", "expected " ++ all ++
        ", not {\"add\": 3, \"get\": null}, at line 1 column 1");
    try expectBad(Small, "{}", "expected " ++ all ++ ", not {}, at line 1 column 1");
    try expectBad(Small, "\"get\" \"get\"", "it is no JSON, at line 1 column 7");
    try expectBad(Small, "{\"add\": 3", "it is no JSON: it ends too early, at line 1 column 10");
    try expectBad(Small, "\"\xff\xfe\"", "it is no JSON: it is not UTF-8, at line 1 column 2");
    try expectBad(Limits, "{\"capacty\": 1}", "there is no member \"capacty\" in {\"capacity\": u32, \"refill\": a number," ++
        " \"name\": a text or null}, at line 1 column 2");
    try expectBad(Limits, "{\"capacity\": 1, \"capacity\": 1}", "the member \"capacity\" stands there twice, at line 1 column 17");
    try expectBad(Limits, "{}", "the member \"capacity\" of {\"capacity\": u32, \"refill\": a number," ++
        " \"name\": a text or null} is missing, at line 1 column 1");
    const deep: [129]u8 = @splat('[');
    try expectBad(std.json.Value, &deep, "it is nested more than 128 deep, at line 1 column 1");
}

test "a long value is told shortened, and not within a character" {
    const text = "\"" ++ "ääääääääääääääääääääääääääääää" ++ "\"";
    try expectBad(u8, text, "expected u8, not \"" ++ "äääääääääääääääääää" ++ "…, at line 1 column 1");
}

test "unknown members are skipped where the type says so" {
    const Open = struct {
        a: u8,
        pub const ignores_unknown = true;
    };
    var arena: std.heap.ArenaAllocator = .init(testing.allocator);
    defer arena.deinit();
    const open = try decode(Open, arena.allocator(), "{\"b\": {\"c\": [1]}, \"a\": 2}");
    try testing.expectEqual(2, open.a);
}

test "values of all kinds are written" {
    var arena: std.heap.ArenaAllocator = .init(testing.allocator);
    defer arena.deinit();
    const cases = .{
        .{ .get, "\"get\"" },
        .{ .{ .add = 3 }, "{\"add\":3}" },
        .{ .{ .say = .{ .text = "hi", .to = @as(?u8, null) } }, "{\"say\":{\"text\":\"hi\",\"to\":null}}" },
        .{ {}, "null" },
        .{ std.math.nan(f64), "null" },
        .{ @as(f64, 1e300), "1e300" },
        .{ @as(f64, 0.1), "0.1" },
        .{ @as(f64, -3), "-3" },
        .{ @as(f64, 0), "0" },
        .{ @as(u64, std.math.maxInt(u64)), "18446744073709551615" },
        .{ [_]u16{ 1, 2 }, "[1,2]" },
        .{ .{ true, "x" }, "[true,\"x\"]" },
    };
    inline for (cases) |case| {
        try testing.expectEqualStrings(case[1], try baton.json.encode(arena.allocator(), case[0]));
    }
    try testing.expectError(error.NotEncodable, baton.json.encode(arena.allocator(), .{ .text = "\xff" }));
}

test "rubbish is refused, and never more than that" {
    var random: std.Random.DefaultPrng = .init(3);
    const seeds = [_][]const u8{
        "{\"configure\": {\"capacity\": 5, \"name\": \"\\u00e4\"}}", "{\"raw\":{\"x\":[1,2.5,null,\"y\"]}}", "{\"tags\": [\"a\", \"b\"]}",
    };
    for (0..3000) |round| {
        var arena: std.heap.ArenaAllocator = .init(testing.allocator);
        defer arena.deinit();
        const text = try arena.allocator().dupe(u8, seeds[round % seeds.len]);
        for (0..random.random().uintLessThan(usize, 4)) |_| {
            text[random.random().uintLessThan(usize, text.len)] = random.random().int(u8);
        }
        var why: baton.json.Why = .{};
        const cut = text[0..random.random().uintAtMost(usize, text.len)];
        _ = baton.json.decode(Message, arena.allocator(), cut, &why) catch |err| {
            try testing.expectEqual(error.BadJson, err);
            continue;
        };
    }
}
