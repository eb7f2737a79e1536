//! States as bytes, in postcard's format (https://postcard.jamesmunns.com/wire-format): what `state.zig` writes of a type,
//! and what an author who takes that into his own hands writes.

const std = @import("std");
const Allocator = std.mem.Allocator;

pub const WriteError = error{
    /// Something in it has no encoding. `Writer.why` says what.
    NotEncodable,
    OutOfMemory,
};

pub const Writer = struct {
    gpa: Allocator,
    bytes: std.ArrayList(u8) = .empty,
    why: []const u8 = "",

    pub fn init(gpa: Allocator) Writer {
        return .{ .gpa = gpa };
    }

    pub fn boolean(self: *Writer, value: bool) WriteError!void {
        try self.byte(@intFromBool(value));
    }

    /// Integers of 8 bits are one byte; wider ones are varints, signed ones zigzag before.
    pub fn int(self: *Writer, value: anytype) WriteError!void {
        const info = @typeInfo(@TypeOf(value)).int;
        if (info.bits <= 8) return self.byte(@bitCast(@as(@Int(info.signedness, 8), value)));
        const Wide = @Int(.unsigned, if (info.bits <= 64) 64 else 128);
        if (info.signedness == .unsigned) return self.varint(@as(Wide, value));
        const signed: @Int(.signed, @bitSizeOf(Wide)) = value;
        const doubled: Wide = @as(Wide, @bitCast(signed)) << 1;
        return self.varint(doubled ^ @as(Wide, @bitCast(signed >> (@bitSizeOf(Wide) - 1))));
    }

    pub fn float(self: *Writer, value: anytype) WriteError!void {
        const Bits = @Int(.unsigned, @bitSizeOf(@TypeOf(value)));
        var bytes: [@sizeOf(@TypeOf(value))]u8 = undefined;
        std.mem.writeInt(Bits, &bytes, @bitCast(value), .little);
        try self.raw(&bytes);
    }

    /// A length, an index of a case.
    pub fn count(self: *Writer, value: usize) WriteError!void {
        try self.varint(@as(u64, value));
    }

    /// Bytes or a text: the length, then they.
    pub fn text(self: *Writer, value: []const u8) WriteError!void {
        try self.count(value.len);
        try self.raw(value);
    }

    /// Bytes as they are.
    pub fn raw(self: *Writer, value: []const u8) WriteError!void {
        try self.bytes.appendSlice(self.gpa, value);
    }

    pub fn byte(self: *Writer, value: u8) WriteError!void {
        try self.bytes.append(self.gpa, value);
    }

    /// Refuses to write: `return out.refuse("…")`.
    pub fn refuse(self: *Writer, why: []const u8) WriteError {
        self.why = why;
        return error.NotEncodable;
    }

    fn varint(self: *Writer, value: anytype) WriteError!void {
        var rest = value;
        while (rest >= 0x80) : (rest >>= 7) try self.byte(@as(u8, @truncate(rest)) | 0x80);
        try self.byte(@truncate(rest));
    }
};

pub const ReadError = error{
    /// The bytes are no such state. `Reader.why` says what is wrong, and where.
    Corrupt,
    OutOfMemory,
};

pub const Reader = struct {
    bytes: []const u8,
    at: usize = 0,
    /// Where what is read lives on.
    gpa: Allocator,
    /// Where `why` is written.
    arena: Allocator,
    why: []const u8 = "",

    pub fn boolean(self: *Reader) ReadError!bool {
        return switch (try self.byte()) {
            0 => false,
            1 => true,
            else => |value| self.refuse("{d} is no boolean", .{value}),
        };
    }

    pub fn int(self: *Reader, comptime T: type) ReadError!T {
        const info = @typeInfo(T).int;
        if (info.bits <= 8) {
            const value: @Int(info.signedness, 8) = @bitCast(try self.byte());
            return std.math.cast(T, value) orelse self.refuse("{d} is no {s}", .{ value, @typeName(T) });
        }
        const Wide = @Int(.unsigned, if (info.bits <= 64) 64 else 128);
        const value = try self.varint(Wide);
        if (info.signedness == .unsigned)
            return std.math.cast(T, value) orelse self.refuse("{d} is no {s}", .{ value, @typeName(T) });
        const half: @Int(.signed, @bitSizeOf(Wide)) = @bitCast(value >> 1);
        const whole = half ^ -@as(@TypeOf(half), @intCast(value & 1));
        return std.math.cast(T, whole) orelse self.refuse("{d} is no {s}", .{ whole, @typeName(T) });
    }

    pub fn float(self: *Reader, comptime T: type) ReadError!T {
        const Bits = @Int(.unsigned, @bitSizeOf(T));
        const bytes = try self.raw(@sizeOf(T));
        return @bitCast(std.mem.readInt(Bits, bytes[0..@sizeOf(T)], .little));
    }

    /// A length of what takes at least `least` bytes each: never more than the bytes that are left can hold.
    pub fn count(self: *Reader, least: usize) ReadError!usize {
        const start = self.at;
        const value = try self.varint(u64);
        const left = self.bytes.len - self.at;
        // What takes no bytes at all could be there in any number.
        const most = if (least == 0) 65_536 else left / least;
        if (value > most) {
            self.at = start;
            return self.refuse("{d} items do not fit in the {d} bytes that are left", .{ value, left });
        }
        return @intCast(value);
    }

    /// The index of one of `cases` cases.
    pub fn case(self: *Reader, cases: usize) ReadError!usize {
        const start = self.at;
        const value = try self.varint(u64);
        if (value < cases) return @intCast(value);
        self.at = start;
        return self.refuse("{d} is none of {d} cases", .{ value, cases });
    }

    /// Bytes or a text, as a copy that lives on.
    pub fn text(self: *Reader) ReadError![]u8 {
        return self.gpa.dupe(u8, try self.raw(try self.count(1)));
    }

    /// So many bytes, which live until the turn has ended.
    pub fn raw(self: *Reader, len: usize) ReadError![]const u8 {
        if (len > self.bytes.len - self.at) return self.refuse("it ends too early", .{});
        defer self.at += len;
        return self.bytes[self.at..][0..len];
    }

    /// All bytes that are left.
    pub fn rest(self: *Reader) []const u8 {
        defer self.at = self.bytes.len;
        return self.bytes[self.at..];
    }

    pub fn byte(self: *Reader) ReadError!u8 {
        return (try self.raw(1))[0];
    }

    /// Refuses to read on: `return in.refuse("a count of {d} is too large", .{count})`.
    pub fn refuse(self: *Reader, comptime format: []const u8, args: anytype) ReadError {
        self.why = std.fmt.allocPrint(self.arena, format ++ ", at byte {d}", args ++ .{self.at}) catch "out of memory";
        return error.Corrupt;
    }

    fn varint(self: *Reader, comptime Wide: type) ReadError!Wide {
        const most = (@bitSizeOf(Wide) + 6) / 7;
        var value: Wide = 0;
        inline for (0..most) |i| {
            const byte_ = try self.byte();
            const low: Wide = byte_ & 0x7f;
            const shift = 7 * i;
            if (i == most - 1 and (low >> (@bitSizeOf(Wide) - shift)) != 0)
                return self.refuse("a number has more than {d} bits", .{@bitSizeOf(Wide)});
            value |= low << shift;
            if (byte_ < 0x80) return value;
        }
        return self.refuse("a number has more than {d} bytes", .{most});
    }
};
