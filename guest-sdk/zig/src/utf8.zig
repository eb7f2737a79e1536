//! Texts that leave for the host are UTF-8: it would trap over others.

const std = @import("std");

/// `bytes` if they are UTF-8, else a copy in which what is not is replaced.
pub fn text(arena: std.mem.Allocator, bytes: []const u8) []const u8 {
    if (std.unicode.utf8ValidateSlice(bytes)) return bytes;
    return std.fmt.allocPrint(arena, "{f}", .{std.unicode.fmtUtf8(bytes)}) catch "(not UTF-8)";
}

/// At most `most` bytes of `bytes`, not cut within a character.
pub fn cut(bytes: []const u8, most: usize) []const u8 {
    if (bytes.len <= most) return bytes;
    var end = most;
    while (end > 0 and bytes[end] & 0xc0 == 0x80) end -= 1;
    return bytes[0..end];
}
