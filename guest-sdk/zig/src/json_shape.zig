//! What a type looks like in JSON, in words for whoever has sent something else.

const std = @import("std");
const containers = @import("containers.zig");

/// Such as `"get", {"add": u64} or "reset"`.
pub fn of(comptime T: type) []const u8 {
    comptime return shape(T, 0);
}

fn shape(comptime T: type, comptime depth: usize) []const u8 {
    @setEvalBranchQuota(100_000);
    if (depth > 2) return "…";
    return switch (@typeInfo(T)) {
        .void => "null",
        .bool => "true or false",
        .int => @typeName(T),
        .float => "a number",
        .optional => |info| shape(info.child, depth) ++ " or null",
        .@"enum" => |info| one: {
            var words: [info.field_names.len][]const u8 = undefined;
            for (&words, info.field_names) |*word, name| word.* = "\"" ++ name ++ "\"";
            break :one list(&words, " or ");
        },
        .@"union" => |info| one: {
            if (std.meta.hasFn(T, "jsonParse")) break :one "another value";
            var words: [info.field_names.len][]const u8 = undefined;
            for (&words, info.field_names, info.field_types) |*word, name, Payload| {
                word.* = if (Payload == void)
                    "\"" ++ name ++ "\""
                else
                    "{\"" ++ name ++ "\": " ++ shape(Payload, depth + 1) ++ "}";
            }
            break :one list(&words, " or ");
        },
        .@"struct" => |info| one: {
            if (containers.MapValue(T)) |V| break :one "{\"…\": " ++ shape(V, depth + 1) ++ "}";
            if (containers.ListItem(T)) |Item| break :one "[" ++ shape(Item, depth + 1) ++ "]";
            if (std.meta.hasFn(T, "jsonParse")) break :one "another value";
            var words: [info.field_names.len][]const u8 = undefined;
            for (&words, info.field_names, info.field_types) |*word, name, Field| {
                const inner = shape(Field, depth + 1);
                word.* = if (info.is_tuple) inner else "\"" ++ name ++ "\": " ++ inner;
            }
            const all = list(&words, ", ");
            break :one if (info.is_tuple) "[" ++ all ++ "]" else "{" ++ all ++ "}";
        },
        .array => |info| "[" ++ shape(info.child, depth + 1) ++ "]",
        .pointer => |info| if (info.child == u8) "a text" else "[" ++ shape(info.child, depth + 1) ++ "]",
        else => @typeName(T),
    };
}

fn list(comptime words: []const []const u8, comptime last: []const u8) []const u8 {
    var all: []const u8 = "";
    for (words, 0..) |word, i| {
        const between = if (i == 0) "" else if (i + 1 == words.len) last else ", ";
        all = all ++ between ++ word;
    }
    return all;
}
