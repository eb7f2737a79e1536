//! Values as JSON, in the shape that Baton's plugins speak: a union without a value is its name, `"get"`, one with a value
//! is `{"add": 3}`. Numbers that are none (NaN, infinity) and void are `null`.

const std = @import("std");
const containers = @import("containers.zig");
const Allocator = std.mem.Allocator;
const Stringify = std.json.Stringify;

pub const Error = error{
    /// A text in it is not UTF-8.
    NotEncodable,
    OutOfMemory,
};

/// `value` as JSON, in memory of `arena`.
pub fn encode(arena: Allocator, value: anytype) Error![]const u8 {
    var out: std.Io.Writer.Allocating = .init(arena);
    var json: Stringify = .{ .writer = &out.writer };
    write(&json, value) catch |err| return switch (err) {
        error.NotEncodable => error.NotEncodable,
        error.WriteFailed => error.OutOfMemory,
    };
    return out.written();
}

/// Writes `value` where `json` stands.
pub fn write(json: *Stringify, value: anytype) error{ NotEncodable, WriteFailed }!void {
    const T = @TypeOf(value);
    switch (@typeInfo(T)) {
        .void => try json.write(null),
        .float, .comptime_float => try writeFloat(json, @floatCast(value)),
        .optional => if (value) |inner| try write(json, inner) else try json.write(null),
        .@"union" => |info| {
            if (std.meta.hasFn(T, "jsonStringify")) return value.jsonStringify(json);
            if (info.tag_type == null) @compileError("JSON has no word for the untagged union " ++ @typeName(T));
            switch (value) {
                inline else => |payload, tag| {
                    if (@TypeOf(payload) == void) return json.write(@tagName(tag));
                    try json.beginObject();
                    try json.objectField(@tagName(tag));
                    try write(json, payload);
                    try json.endObject();
                },
            }
        },
        .@"struct" => |info| {
            if (comptime containers.MapValue(T)) |_| return writeMap(json, value);
            if (comptime containers.ListItem(T)) |_| return write(json, value.items);
            if (std.meta.hasFn(T, "jsonStringify")) return value.jsonStringify(json);
            if (info.is_tuple) try json.beginArray() else try json.beginObject();
            inline for (info.field_names, info.field_types) |name, Field| {
                if (Field == void) continue;
                if (!info.is_tuple) try json.objectField(name);
                try write(json, @field(value, name));
            }
            if (info.is_tuple) try json.endArray() else try json.endObject();
        },
        .pointer => |info| switch (info.size) {
            .one => switch (@typeInfo(info.child)) {
                .array => |array| try write(json, @as([]const array.child, value)),
                else => try write(json, value.*),
            },
            .slice => try writeSlice(json, info.child, value),
            .many, .c => try writeSlice(json, info.child, std.mem.span(value)),
        },
        // Bytes in an array are numbers, those in a slice are a text: so they are read, too.
        .array => |info| try writeItems(json, info.child, &value),
        // Numbers, booleans, null, enums, names of errors.
        else => try json.write(value),
    }
}

fn writeSlice(json: *Stringify, comptime Item: type, items: []const Item) !void {
    if (Item == u8) {
        if (!std.unicode.utf8ValidateSlice(items)) return error.NotEncodable;
        return json.write(items);
    }
    return writeItems(json, Item, items);
}

fn writeItems(json: *Stringify, comptime Item: type, items: []const Item) !void {
    try json.beginArray();
    for (items) |item| try write(json, item);
    try json.endArray();
}

fn writeMap(json: *Stringify, map: anytype) !void {
    try json.beginObject();
    for (map.entries()) |entry| {
        if (!std.unicode.utf8ValidateSlice(entry.key)) return error.NotEncodable;
        try json.objectField(entry.key);
        try write(json, entry.value);
    }
    try json.endObject();
}

/// The fewest digits that read back as the same number.
fn writeFloat(json: *Stringify, value: f64) !void {
    const size = @abs(value);
    if (!std.math.isFinite(value)) return json.write(null);
    if (size != 0 and (size < 1e-5 or size >= 1e16)) return json.print("{e}", .{value});
    try json.print("{d}", .{value});
}
