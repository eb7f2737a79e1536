//! Memory of one turn, that is of one call of the host: what it passed in, what came of it, what it is answered.
//!
//! All of it goes at once when the host has read the answer, so nothing of a turn can leak. Small pieces are cut from
//! blocks one after the other; large ones, such as bodies of a megabyte, are the allocator's own and can go earlier.

const std = @import("std");
const builtin = @import("builtin");
const Allocator = std.mem.Allocator;
const Alignment = std.mem.Alignment;

const Turn = @This();

/// What is aligned to more is not to be had.
const most_aligned: Alignment = .@"16";
/// Pieces from this size on stand alone.
const large_from = 4096;
/// With what the allocator keeps for itself, a power of two.
const block_bytes = 16 * 1024 - 16;

gpa: Allocator,
/// Memory that is there before anything is allocated: small turns need no other.
first: []align(16) u8,
current: []align(16) u8,
used: usize = 0,
blocks: ?*Block = null,
large: ?*Large = null,

const Block = struct {
    next: ?*Block,
    const head = std.mem.alignForward(usize, @sizeOf(Block), 16);
};

const Large = struct {
    next: ?*Large,
    before: ?*Large,
    total: usize,
    const head = std.mem.alignForward(usize, @sizeOf(Large), 16);

    fn whole(self: *Large) []align(16) u8 {
        return @as([*]align(16) u8, @ptrCast(@alignCast(self)))[0..self.total];
    }

    fn of(memory: []u8) *Large {
        return @ptrCast(@alignCast(memory.ptr - head));
    }
};

pub fn init(gpa: Allocator, first: []align(16) u8) Turn {
    return .{ .gpa = gpa, .first = first, .current = first };
}

pub fn allocator(self: *Turn) Allocator {
    return .{ .ptr = self, .vtable = &.{ .alloc = alloc, .resize = resize, .remap = remap, .free = free } };
}

/// The turn has ended: everything goes.
pub fn reset(self: *Turn) void {
    while (self.blocks) |block| {
        self.blocks = block.next;
        const bytes: [*]align(16) u8 = @ptrCast(@alignCast(block));
        self.gpa.free(bytes[0..block_bytes]);
    }
    while (self.large) |large| {
        self.large = large.next;
        self.gpa.free(large.whole());
    }
    // So that a test sees who keeps what was the turn's.
    if (builtin.mode == .debug) @memset(self.first, 0xaa);
    self.current = self.first;
    self.used = 0;
}

fn alloc(context: *anyopaque, len: usize, alignment: Alignment, _: usize) ?[*]u8 {
    const self: *Turn = @ptrCast(@alignCast(context));
    if (alignment.compare(.gt, most_aligned)) return null;
    if (len >= large_from) return self.allocLarge(len);
    if (self.cut(len, alignment)) |piece| return piece;
    const bytes = self.gpa.alignedAlloc(u8, most_aligned, block_bytes) catch return null;
    const block: *Block = @ptrCast(bytes.ptr);
    block.* = .{ .next = self.blocks };
    self.blocks = block;
    self.current = @alignCast(bytes[Block.head..]);
    self.used = 0;
    return self.cut(len, alignment);
}

fn cut(self: *Turn, len: usize, alignment: Alignment) ?[*]u8 {
    const at = alignment.forward(self.used);
    if (at + len > self.current.len) return null;
    self.used = at + len;
    return self.current.ptr + at;
}

fn allocLarge(self: *Turn, len: usize) ?[*]u8 {
    const total = std.math.add(usize, len, Large.head) catch return null;
    const bytes = self.gpa.alignedAlloc(u8, most_aligned, total) catch return null;
    const large: *Large = @ptrCast(bytes.ptr);
    large.* = .{ .next = self.large, .before = null, .total = total };
    if (self.large) |next| next.before = large;
    self.large = large;
    return bytes.ptr + Large.head;
}

fn isLast(self: *const Turn, memory: []u8) bool {
    return @intFromPtr(memory.ptr) + memory.len == @intFromPtr(self.current.ptr) + self.used;
}

fn resize(context: *anyopaque, memory: []u8, _: Alignment, new_len: usize, address: usize) bool {
    const self: *Turn = @ptrCast(@alignCast(context));
    if (memory.len >= large_from) {
        // One that has become small would be taken for a piece of a block.
        if (new_len < large_from) return false;
        const large = Large.of(memory);
        const total = std.math.add(usize, new_len, Large.head) catch return false;
        if (!self.gpa.rawResize(large.whole(), most_aligned, total, address)) return false;
        large.total = total;
        return true;
    }
    if (new_len >= large_from) return false;
    if (!self.isLast(memory)) return new_len <= memory.len;
    const start = self.used - memory.len;
    if (start + new_len > self.current.len) return false;
    self.used = start + new_len;
    return true;
}

fn remap(context: *anyopaque, memory: []u8, alignment: Alignment, new_len: usize, address: usize) ?[*]u8 {
    return if (resize(context, memory, alignment, new_len, address)) memory.ptr else null;
}

fn free(context: *anyopaque, memory: []u8, _: Alignment, _: usize) void {
    const self: *Turn = @ptrCast(@alignCast(context));
    if (memory.len >= large_from) {
        const large = Large.of(memory);
        if (large.before) |before| before.next = large.next else self.large = large.next;
        if (large.next) |next| next.before = large.before;
        self.gpa.free(large.whole());
    } else if (self.isLast(memory)) {
        self.used -= memory.len;
    }
}
