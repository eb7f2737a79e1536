//! How values lie in the plugin's memory when they pass between it and the host, after the canonical ABI: written by hand
//! from wit/actor/0.1.0/actor.wit, in which the order of cases is that of the enums and unions here. wasm32 only.

const std = @import("std");
const Turn = @import("turn.zig");

/// A `string` or a `list<u8>`.
pub const Bytes = extern struct {
    /// Anything at all where there are no bytes.
    at: ?[*]const u8 = null,
    len: usize = 0,

    pub fn of(bytes: []const u8) Bytes {
        return .{ .at = bytes.ptr, .len = bytes.len };
    }

    pub fn slice(self: Bytes) []const u8 {
        return if (self.len == 0) "" else self.at.?[0..self.len];
    }
};

/// Bytes that the host passes in. Not as a pointer: a parameter that is one is taken never to be 0, and what a case does
/// not use is 0.
pub fn slice(at: usize, len: usize) []const u8 {
    return Bytes.slice(.{ .at = @ptrFromInt(at), .len = len });
}

/// An `option<string>`, and the beginning of a variant of which some cases have a string.
pub const Case = extern struct {
    case: u8 = 0,
    text: Bytes = .{},

    pub fn option(self: Case) ?[]const u8 {
        return if (self.case == 0) null else self.text.slice();
    }

    /// As a union whose last case is `other`, and whose others are void.
    pub fn as(self: Case, comptime Union: type) Union {
        const names = @typeInfo(Union).@"union".field_names;
        inline for (names[0 .. names.len - 1], 0..) |name, case| {
            if (self.case == case) return @unionInit(Union, name, {});
        }
        return .{ .other = self.text.slice() };
    }
};

/// An `option<string>`, as parameters.
pub fn some(value: ?[]const u8) struct { u32, [*]const u8, usize } {
    const bytes = value orelse return .{ 0, undefined, 0 };
    return .{ 1, bytes.ptr, bytes.len };
}

/// Memory of the turn in hand: what the host passes in, and what it is answered.
pub var turn: Turn = .init(std.heap.wasm_allocator, &first);
var first: [2048]u8 align(16) = undefined;

/// Where the host puts what it passes in. Nothing of it is freed one by one: it goes with the turn.
pub fn realloc(old: ?[*]u8, old_len: usize, alignment: usize, len: usize) callconv(.c) [*]u8 {
    // Nothing is ever read at the address of nothing.
    if (len == 0) return @ptrFromInt(@max(alignment, 1));
    const arena = turn.allocator();
    const aligned: std.mem.Alignment = .fromByteUnits(@max(alignment, 1));
    const new = arena.rawAlloc(len, aligned, @returnAddress()) orelse @panic("out of memory");
    if (old) |at| {
        @memcpy(new[0..@min(old_len, len)], at[0..@min(old_len, len)]);
        if (old_len > 0) arena.rawFree(at[0..old_len], aligned, @returnAddress());
    }
    return new;
}
