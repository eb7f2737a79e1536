//! A type's values as states, found out by looking at the type: what a Rust struct with the same fields in the same order
//! is in postcard.
//!
//! A type that wants to do it by itself has `pub fn encode(self: *const T, out: *Writer) !void` and
//! `pub fn decode(in: *Reader) !T`. Fields that a struct names in `pub const not_saved = .{.cache};` are left out, and
//! begin with their default values.

const std = @import("std");
const containers = @import("containers.zig");
const postcard = @import("postcard.zig");
const Allocator = std.mem.Allocator;
const Reader = postcard.Reader;
const Writer = postcard.Writer;

/// Lists within lists, at most, where a type holds itself.
pub const deepest = 128;

pub fn encode(comptime T: type, value: *const T, out: *Writer) postcard.WriteError!void {
    return encodeAt(T, value, out, 0);
}

fn encodeAt(comptime T: type, value: *const T, out: *Writer, depth: usize) postcard.WriteError!void {
    if (std.meta.hasFn(T, "encode") and std.meta.hasFn(T, "decode")) return value.encode(out);
    switch (@typeInfo(T)) {
        .void => {},
        .bool => try out.boolean(value.*),
        .int => try out.int(value.*),
        .float => try out.float(value.*),
        .optional => |info| {
            try out.boolean(value.* != null);
            if (value.*) |*inner| try encodeAt(info.child, inner, out, depth);
        },
        .@"enum" => |info| inline for (info.field_names, 0..) |name, index| {
            if (value.* == @field(T, name)) try out.count(index);
        },
        .@"union" => switch (value.*) {
            inline else => |*payload, tag| {
                const Payload = @TypeOf(payload.*);
                try out.count(comptime indexOf(T, @tagName(tag)));
                try encodeAt(Payload, payload, out, depth);
            },
        },
        .@"struct" => |info| {
            if (comptime containers.ListItem(T)) |Item| return encodeItems(Item, value.items, out, depth);
            if (comptime containers.MapValue(T)) |V| {
                if (depth > deepest) return out.refuse("lists lie too deep within each other");
                try out.count(value.count());
                for (value.entries()) |*entry| {
                    try out.text(entry.key);
                    try encodeAt(V, &entry.value, out, depth + 1);
                }
                return;
            }
            inline for (info.field_names, info.field_types) |name, Field| {
                if (comptime isSaved(T, name)) try encodeAt(Field, &@field(value, name), out, depth);
            }
        },
        .array => |info| for (value) |*item| try encodeAt(info.child, item, out, depth),
        .pointer => |info| try encodeItems(info.child, value.*, out, depth),
        else => comptime unreachable,
    }
}

fn encodeItems(comptime Item: type, items: []const Item, out: *Writer, depth: usize) postcard.WriteError!void {
    if (Item == u8) return out.text(items);
    if (depth > deepest) return out.refuse("lists lie too deep within each other");
    try out.count(items.len);
    for (items) |*item| try encodeAt(Item, item, out, depth + 1);
}

/// Reads a whole value. What is on the heap is from `in.gpa`; nothing of it stays when it fails.
pub fn decode(comptime T: type, in: *Reader) postcard.ReadError!T {
    comptime check(T, @typeName(T));
    return decodeAt(T, in, 0);
}

fn decodeAt(comptime T: type, in: *Reader, depth: usize) postcard.ReadError!T {
    if (std.meta.hasFn(T, "encode") and std.meta.hasFn(T, "decode")) return T.decode(in);
    switch (@typeInfo(T)) {
        .void => return {},
        .bool => return in.boolean(),
        .int => return in.int(T),
        .float => return in.float(T),
        .optional => |info| return if (try in.boolean()) try decodeAt(info.child, in, depth) else null,
        .@"enum" => |info| {
            const case = try in.case(info.field_names.len);
            inline for (info.field_names, 0..) |name, index| {
                if (case == index) return @field(T, name);
            }
            unreachable;
        },
        .@"union" => |info| {
            const case = try in.case(info.field_names.len);
            inline for (info.field_names, info.field_types, 0..) |name, Payload, index| {
                if (case == index) return @unionInit(T, name, try decodeAt(Payload, in, depth));
            }
            unreachable;
        },
        .@"struct" => {
            if (comptime containers.ListItem(T)) |Item| return decodeItems(Item, in, depth);
            if (comptime containers.MapValue(T)) |V| return decodeMap(T, V, in, depth);
            return decodeStruct(T, in, depth);
        },
        .array => |info| {
            var items: T = undefined;
            for (&items, 0..) |*item, done| {
                errdefer for (items[0..done]) |*read| free(info.child, read, in.gpa);
                item.* = try decodeAt(info.child, in, depth);
            }
            return items;
        },
        .pointer => |info| {
            if (info.child == u8) return in.text();
            var list = try decodeItems(info.child, in, depth);
            errdefer freeItems(info.child, &list, in.gpa);
            return try list.toOwnedSlice(in.gpa);
        },
        else => comptime unreachable,
    }
}

fn decodeStruct(comptime T: type, in: *Reader, depth: usize) postcard.ReadError!T {
    const info = @typeInfo(T).@"struct";
    var value: T = undefined;
    var done: usize = 0;
    errdefer inline for (info.field_names, info.field_types, 0..) |name, Field, i| {
        if (i < done and comptime isSaved(T, name)) free(Field, &@field(value, name), in.gpa);
    };
    inline for (info.field_names, info.field_types, info.field_attrs, 0..) |name, Field, attributes, i| {
        @field(value, name) = if (comptime isSaved(T, name))
            try decodeAt(Field, in, depth)
        else
            comptime attributes.defaultValue(Field).?;
        done = i + 1;
    }
    return value;
}

fn decodeItems(comptime Item: type, in: *Reader, depth: usize) postcard.ReadError!std.ArrayList(Item) {
    if (Item == u8) return .fromOwnedSlice(try in.text());
    if (depth > deepest) return in.refuse("lists lie too deep within each other", .{});
    const count = try in.count(comptime least(Item));
    var list: std.ArrayList(Item) = .empty;
    errdefer freeItems(Item, &list, in.gpa);
    // Not all at once: bytes that are no state say anything of what is to come.
    try list.ensureTotalCapacityPrecise(in.gpa, @min(count, 4096 / @max(@sizeOf(Item), 1) + 1));
    for (0..count) |_| {
        const item = try list.addOne(in.gpa);
        errdefer _ = list.pop();
        item.* = try decodeAt(Item, in, depth + 1);
    }
    return list;
}

fn decodeMap(comptime T: type, comptime V: type, in: *Reader, depth: usize) postcard.ReadError!T {
    if (depth > deepest) return in.refuse("lists lie too deep within each other", .{});
    const count = try in.count(1 + comptime least(V));
    var map: T = .empty;
    errdefer free(T, &map, in.gpa);
    for (0..count) |_| {
        const key = try in.text();
        errdefer in.gpa.free(key);
        var value = try decodeAt(V, in, depth + 1);
        errdefer free(V, &value, in.gpa);
        if (!try map.adopt(in.gpa, key, value)) return in.refuse("a key stands there twice", .{});
    }
    return map;
}

/// Frees what `decode` has put on the heap. Not for values that hold texts of other origin.
pub fn free(comptime T: type, value: *T, gpa: Allocator) void {
    if (std.meta.hasFn(T, "encode") and std.meta.hasFn(T, "decode")) {
        if (std.meta.hasFn(T, "deinit")) value.deinit(gpa);
        return;
    }
    switch (@typeInfo(T)) {
        .optional => |info| if (value.*) |*inner| free(info.child, inner, gpa),
        .@"union" => switch (value.*) {
            inline else => |*payload| free(@TypeOf(payload.*), payload, gpa),
        },
        .@"struct" => |info| {
            if (comptime containers.ListItem(T)) |Item| return freeItems(Item, value, gpa);
            if (comptime containers.MapValue(T)) |V| {
                for (value.entries()) |*entry| free(V, &entry.value, gpa);
                return value.deinit(gpa);
            }
            inline for (info.field_names, info.field_types) |name, Field| {
                if (comptime isSaved(T, name)) free(Field, &@field(value, name), gpa);
            }
        },
        .array => |info| for (value) |*item| free(info.child, item, gpa),
        .pointer => |info| {
            for (value.*) |*item| if (info.child != u8) free(info.child, @constCast(item), gpa);
            gpa.free(value.*);
        },
        else => {},
    }
}

fn freeItems(comptime Item: type, list: *std.ArrayList(Item), gpa: Allocator) void {
    for (list.items) |*item| free(Item, item, gpa);
    list.deinit(gpa);
}

/// Fewest bytes that a value takes.
fn least(comptime T: type) usize {
    if (std.meta.hasFn(T, "encode") and std.meta.hasFn(T, "decode")) return 0;
    return switch (@typeInfo(T)) {
        .void => 0,
        .float => @sizeOf(T),
        .@"struct" => |info| all: {
            if (containers.ListItem(T) != null or containers.MapValue(T) != null) break :all 1;
            var sum: usize = 0;
            for (info.field_names, info.field_types) |name, Field| {
                if (isSaved(T, name)) sum += least(Field);
            }
            break :all sum;
        },
        .array => |info| info.len * least(info.child),
        else => 1,
    };
}

fn indexOf(comptime T: type, comptime name: []const u8) usize {
    for (@typeInfo(T).@"union".field_names, 0..) |field, index| {
        if (std.mem.eql(u8, field, name)) return index;
    }
    unreachable;
}

pub fn isSaved(comptime T: type, comptime name: []const u8) bool {
    if (!@hasDecl(T, "not_saved")) return true;
    for (T.not_saved) |field| {
        if (std.mem.eql(u8, @tagName(field), name)) return false;
    }
    return true;
}

/// Stops the build where a type holds what a state cannot.
pub fn check(comptime T: type, comptime path: []const u8) void {
    checkWithin(T, path, &.{});
}

fn checkWithin(comptime T: type, comptime path: []const u8, comptime outer: []const type) void {
    @setEvalBranchQuota(100_000);
    if (std.meta.hasFn(T, "encode") and std.meta.hasFn(T, "decode")) return;
    for (outer) |seen| if (seen == T) return;
    const inner = outer ++ .{T};
    switch (@typeInfo(T)) {
        .void, .bool => {},
        .int => |info| if (info.bits > 128) refuse(T, path, "integers have at most 128 bits"),
        .float => |info| if (info.bits != 32 and info.bits != 64) refuse(T, path, "numbers are f32 or f64"),
        .optional => |info| checkWithin(info.child, path ++ ".?", inner),
        .@"enum" => |info| if (info.mode == .nonexhaustive) refuse(T, path, "an enum names all its cases"),
        .@"union" => |info| {
            if (info.tag_type == null) refuse(T, path, "a union is tagged: `union(enum)`");
            for (info.field_names, info.field_types) |name, Payload| checkWithin(Payload, path ++ "." ++ name, inner);
        },
        .@"struct" => |info| {
            if (containers.ListItem(T)) |Item| return checkWithin(Item, path ++ ".items", inner);
            if (containers.MapValue(T)) |V| return checkWithin(V, path ++ ".value", inner);
            if (@hasDecl(T, "KV") and @hasField(T, "metadata"))
                refuse(T, path, "a hash map has no order, so that equal states had unequal bytes: baton.StringMap has one");
            if (info.layout == .@"packed") refuse(T, path, "a struct is not packed: its fields are written one by one");
            for (info.field_names, info.field_types, info.field_attrs) |name, Field, attributes| {
                if (isSaved(T, name)) {
                    checkWithin(Field, path ++ "." ++ name, inner);
                } else if (attributes.default_value_ptr == null) {
                    refuse(Field, path ++ "." ++ name, "what is not saved has a default value");
                }
            }
        },
        .array => |info| checkWithin(info.child, path ++ "[]", inner),
        .pointer => |info| {
            if (info.size != .slice) refuse(T, path, "what it points to belongs into the struct, or into a slice");
            if (info.sentinel_ptr != null) refuse(T, path, "a slice has no end of its own: `[]const u8`, not `[:0]`");
            checkWithin(info.child, path ++ "[]", inner);
        },
        else => refuse(T, path, "a state holds integers, floats, bool, optionals, enums, tagged unions, structs, " ++
            "arrays, slices, std.ArrayList and baton.StringMap"),
    }
}

fn refuse(comptime T: type, comptime path: []const u8, comptime why: []const u8) noreturn {
    @compileError(path ++ " is " ++ @typeName(T) ++ ", which no state can hold: " ++ why ++
        ". Name the field in `pub const not_saved = .{…}`, or give the type `encode` and `decode`");
}
