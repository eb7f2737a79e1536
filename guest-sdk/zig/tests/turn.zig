//! The memory of a turn.

const std = @import("std");
const Turn = @import("baton").testing.Turn;
const testing = std.testing;

test "everything goes when the turn has ended" {
    var first: [256]u8 align(16) = undefined;
    var turn: Turn = .init(testing.allocator, &first);
    const arena = turn.allocator();
    var random: std.Random.DefaultPrng = .init(1);
    for (0..50) |_| {
        var kept: std.ArrayList([]u8) = .empty;
        for (0..100) |i| {
            const sizes = [_]usize{ 1, 7, 100, 3000, 4095, 4096, 9000, 70_000 };
            const size = sizes[random.random().uintLessThan(usize, sizes.len)];
            const piece = try arena.alloc(u8, size);
            @memset(piece, @truncate(i));
            try kept.append(arena, piece);
        }
        // Growing, shrinking and freeing touch nothing of the others.
        for (kept.items, 0..) |*piece, i| switch (i % 4) {
            0 => piece.* = try arena.realloc(piece.*, piece.len * 2),
            1 => piece.* = try arena.realloc(piece.*, piece.len / 2 + 1),
            2 => {
                arena.free(piece.*);
                piece.* = piece.*[0..0];
            },
            else => {},
        };
        for (kept.items, 0..) |piece, i| {
            const untouched = if (i % 4 == 0) piece[0 .. piece.len / 2] else piece;
            for (untouched) |byte| try testing.expectEqual(@as(u8, @truncate(i)), byte);
        }
        turn.reset();
    }
    // What is small needs no other memory.
    const piece = try arena.alloc(u64, 20);
    try testing.expect(@intFromPtr(piece.ptr) >= @intFromPtr(&first) and @intFromPtr(piece.ptr) < @intFromPtr(&first) + 256);
    turn.reset();
}

test "the standard library's own tests of allocators" {
    var first: [64]u8 align(16) = undefined;
    var turn: Turn = .init(testing.allocator, &first);
    try std.heap.testAllocator(turn.allocator());
    try std.heap.testAllocatorAlignedShrink(turn.allocator());
    turn.reset();
}
