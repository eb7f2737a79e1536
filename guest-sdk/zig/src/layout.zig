//! A state's layout as text, so that a test notices when it changes.

const std = @import("std");
const containers = @import("containers.zig");
const state = @import("state.zig");

/// Such as `{ count: u64, names: [text], last: u64? }`. What has an encoding of its own is told by its type's name.
pub fn layout(comptime T: type) []const u8 {
    comptime {
        @setEvalBranchQuota(100_000);
        state.check(T, @typeName(T));
        return tell(T, &.{});
    }
}

fn tell(comptime T: type, comptime outer: []const type) []const u8 {
    if (std.meta.hasFn(T, "encode") and std.meta.hasFn(T, "decode")) return @typeName(T);
    for (outer, 0..) |seen, i| {
        if (seen == T) return std.fmt.comptimePrint("^{d}", .{outer.len - i});
    }
    // What holds itself is told by how far out it begins.
    const named = @typeInfo(T) == .@"struct" or @typeInfo(T) == .@"union";
    const inner = if (named) outer ++ .{T} else outer;
    return switch (@typeInfo(T)) {
        .optional => |info| tell(info.child, inner) ++ "?",
        .@"enum" => |info| one: {
            var all: []const u8 = "";
            for (info.field_names, 0..) |name, i| all = all ++ (if (i == 0) "" else " | ") ++ name;
            break :one "(" ++ all ++ ")";
        },
        .@"union" => |info| one: {
            var all: []const u8 = "";
            for (info.field_names, info.field_types, 0..) |name, Payload, i| {
                const value = if (Payload == void) "" else " " ++ tell(Payload, inner);
                all = all ++ (if (i == 0) "" else " | ") ++ name ++ value;
            }
            break :one "(" ++ all ++ ")";
        },
        .@"struct" => |info| one: {
            if (containers.ListItem(T)) |Item| break :one list(Item, inner);
            if (containers.MapValue(T)) |V| break :one "{text: " ++ tell(V, inner) ++ "}";
            var all: []const u8 = "";
            for (info.field_names, info.field_types) |name, Field| {
                if (!state.isSaved(T, name)) continue;
                const field = if (info.is_tuple) "" else name ++ ": ";
                all = all ++ (if (all.len == 0) " " else ", ") ++ field ++ tell(Field, inner);
            }
            break :one "{" ++ all ++ " }";
        },
        .array => |info| std.fmt.comptimePrint("[{s}; {d}]", .{ tell(info.child, inner), info.len }),
        .pointer => |info| list(info.child, inner),
        else => @typeName(T),
    };
}

fn list(comptime Item: type, comptime outer: []const type) []const u8 {
    return if (Item == u8) "text" else "[" ++ tell(Item, outer) ++ "]";
}
