//! JSON as values, in the shape that Baton's plugins speak, over the tokens of `std.json.Scanner`.
//!
//! Stricter than `std.json.parseFromSlice`: `"3"` and `3.0` are no integers, and a union without a value is its name alone.
//! What does not fit is told with what was expected, what came, and where. A type with `jsonParse`, such as
//! `std.json.Value`, reads itself.

const std = @import("std");
const containers = @import("containers.zig");
const shapes = @import("json_shape.zig");
const utf8 = @import("utf8.zig");
const Allocator = std.mem.Allocator;
const Scanner = std.json.Scanner;

pub const Error = error{
    /// It is no JSON, or not what was expected: `Why.text` says it in words.
    BadJson,
    OutOfMemory,
};

pub const Why = struct { text: []const u8 = "" };

/// Levels of arrays and objects within each other, at most: reading goes down into them.
pub const deepest = 128;

/// Reads the whole of `text`. What it gives is in memory of `arena`, or in `text` itself.
pub fn decode(comptime T: type, arena: Allocator, text: []const u8, why: *Why) Error!T {
    var reader: Reader = .{ .scanner = .initCompleteInput(arena, text), .arena = arena, .text = text, .why = why };
    if (nesting(text) > deepest) return reader.say("it is nested more than {d} deep", .{deepest});
    const value = try reader.read(T);
    const start = reader.start() catch |err| return err;
    if (start != .end_of_document) return reader.say("something stands behind it", .{});
    return value;
}

/// How deep arrays and objects are within each other; too much for what is no JSON, never too little.
fn nesting(text: []const u8) usize {
    var depth: usize = 0;
    var most: usize = 0;
    var in_string = false;
    var escaped = false;
    for (text) |byte| {
        if (in_string) {
            if (escaped) escaped = false else if (byte == '\\') escaped = true else if (byte == '"') in_string = false;
        } else switch (byte) {
            '"' => in_string = true,
            '[', '{' => {
                depth += 1;
                most = @max(most, depth);
            },
            ']', '}' => depth -|= 1,
            else => {},
        }
    }
    return most;
}

/// The value at the beginning of `text`, as far as a glance tells; of an object or an array, all that is left.
fn extent(text: []const u8) []const u8 {
    if (text.len == 0) return text;
    switch (text[0]) {
        '"' => {
            var at: usize = 1;
            while (at < text.len) : (at += 1) switch (text[at]) {
                '"' => return text[0 .. at + 1],
                '\\' => at += 1,
                else => {},
            };
            return text;
        },
        '{', '[' => return std.mem.trimEnd(u8, text, " \t\r\n"),
        else => return text[0 .. std.mem.indexOfAny(u8, text, ",]} \t\r\n") orelse text.len],
    }
}

const Reader = struct {
    scanner: Scanner,
    arena: Allocator,
    text: []const u8,
    why: *Why,
    /// Where the value in hand begins.
    at: usize = 0,

    fn read(self: *Reader, comptime T: type) Error!T {
        const kind = try self.start();
        const at = self.at;
        switch (@typeInfo(T)) {
            .void => {
                if (kind != .null) return self.expected(T, at);
                _ = try self.next();
            },
            .bool => {
                if (kind != .true and kind != .false) return self.expected(T, at);
                return try self.next() == .true;
            },
            .int => {
                if (kind != .number) return self.expected(T, at);
                return std.fmt.parseInt(T, (try self.next()).allocated_number, 10) catch self.expected(T, at);
            },
            .float => {
                if (kind != .number) return self.expected(T, at);
                return std.fmt.parseFloat(T, (try self.next()).allocated_number) catch self.expected(T, at);
            },
            .optional => |optional| {
                if (kind != .null) return try self.read(optional.child);
                _ = try self.next();
                return null;
            },
            .@"enum" => {
                if (kind != .string) return self.expected(T, at);
                return std.meta.stringToEnum(T, try self.string()) orelse self.expected(T, at);
            },
            .@"union" => {
                if (std.meta.hasFn(T, "jsonParse")) return self.custom(T, at);
                return self.readUnion(T, kind, at);
            },
            .@"struct" => |info| {
                if (comptime containers.MapValue(T)) |V| return self.readMap(T, V, kind, at);
                if (comptime containers.ListItem(T)) |Item| return self.readList(Item, T, kind, at);
                if (std.meta.hasFn(T, "jsonParse")) return self.custom(T, at);
                return if (info.is_tuple) self.readTuple(T, kind, at) else self.readStruct(T, kind, at);
            },
            .array => |array| {
                if (kind != .array_begin) return self.expected(T, at);
                _ = try self.next();
                var items: T = undefined;
                for (&items) |*item| {
                    if (try self.start() == .array_end) return self.expected(T, at);
                    item.* = try self.read(array.child);
                }
                if (try self.start() != .array_end) return self.expected(T, at);
                _ = try self.next();
                return items;
            },
            .pointer => |pointer| {
                if (pointer.size != .slice) @compileError("JSON is not read as " ++ @typeName(T));
                if (pointer.child == u8) {
                    if (kind != .string) return self.expected(T, at);
                    const text = try self.string();
                    return if (pointer.attrs.@"const") text else try self.arena.dupe(u8, text);
                }
                const list = try self.readList(pointer.child, T, kind, at);
                return list.items;
            },
            else => @compileError("JSON is not read as " ++ @typeName(T)),
        }
    }

    fn readUnion(self: *Reader, comptime T: type, kind: std.json.TokenType, at: usize) Error!T {
        const info = @typeInfo(T).@"union";
        if (info.tag_type == null) @compileError("a message is a tagged union: `union(enum)`, not " ++ @typeName(T));
        if (kind == .string) {
            const name = try self.string();
            inline for (info.field_names, info.field_types) |case, Payload| {
                if (std.mem.eql(u8, case, name)) {
                    if (Payload == void) return @unionInit(T, case, {});
                    return self.expected(T, at);
                }
            }
            return self.expected(T, at);
        }
        if (kind != .object_begin) return self.expected(T, at);
        _ = try self.next();
        if (try self.start() != .string) return self.expected(T, at);
        const name = try self.string();
        const value = inline for (info.field_names, info.field_types) |case, Payload| {
            if (std.mem.eql(u8, case, name)) break @unionInit(T, case, try self.read(Payload));
        } else return self.expected(T, at);
        if (try self.start() != .object_end) return self.expected(T, at);
        _ = try self.next();
        return value;
    }

    fn readStruct(self: *Reader, comptime T: type, kind: std.json.TokenType, at: usize) Error!T {
        const info = @typeInfo(T).@"struct";
        if (kind != .object_begin) return self.expected(T, at);
        _ = try self.next();
        var value: T = undefined;
        var seen: [info.field_names.len]bool = @splat(false);
        while (try self.start() != .object_end) {
            const name_at = self.at;
            const name = try self.string();
            inline for (info.field_names, info.field_types, 0..) |field, Field, i| {
                if (std.mem.eql(u8, field, name)) {
                    if (seen[i]) return self.sayAt(name_at, "the member \"{s}\" stands there twice", .{field});
                    @field(value, field) = try self.read(Field);
                    seen[i] = true;
                    break;
                }
            } else {
                if (!(@hasDecl(T, "ignores_unknown") and T.ignores_unknown))
                    return self.sayAt(name_at, "there is no member \"{s}\" in {s}", .{
                        utf8.cut(name, 40), comptime shapes.of(T),
                    });
                self.scanner.skipValue() catch |err| return self.broken(err);
            }
        }
        _ = try self.next();
        inline for (info.field_names, info.field_types, info.field_attrs, 0..) |field, Field, attributes, i| {
            if (!seen[i]) {
                if (comptime attributes.defaultValue(Field)) |default| {
                    @field(value, field) = default;
                } else if (@typeInfo(Field) == .optional) {
                    @field(value, field) = null;
                } else return self.sayAt(at, "the member \"{s}\" of {s} is missing", .{ field, comptime shapes.of(T) });
            }
        }
        return value;
    }

    fn readTuple(self: *Reader, comptime T: type, kind: std.json.TokenType, at: usize) Error!T {
        if (kind != .array_begin) return self.expected(T, at);
        _ = try self.next();
        var value: T = undefined;
        inline for (@typeInfo(T).@"struct".field_types, 0..) |Field, i| {
            if (try self.start() == .array_end) return self.expected(T, at);
            value[i] = try self.read(Field);
        }
        if (try self.start() != .array_end) return self.expected(T, at);
        _ = try self.next();
        return value;
    }

    fn readList(self: *Reader, comptime Item: type, comptime As: type, kind: std.json.TokenType, at: usize) Error!std.ArrayList(Item) {
        if (kind != .array_begin) return self.expected(As, at);
        _ = try self.next();
        var list: std.ArrayList(Item) = .empty;
        while (try self.start() != .array_end) try list.append(self.arena, try self.read(Item));
        _ = try self.next();
        return list;
    }

    fn readMap(self: *Reader, comptime T: type, comptime V: type, kind: std.json.TokenType, at: usize) Error!T {
        if (kind != .object_begin) return self.expected(T, at);
        _ = try self.next();
        var map: T = .empty;
        while (try self.start() != .object_end) {
            const key_at = self.at;
            const key = try self.string();
            if (!try map.adopt(self.arena, key, try self.read(V)))
                return self.sayAt(key_at, "the member \"{s}\" stands there twice", .{utf8.cut(key, 40)});
        }
        _ = try self.next();
        return map;
    }

    fn custom(self: *Reader, comptime T: type, at: usize) Error!T {
        return T.jsonParse(self.arena, &self.scanner, .{
            .max_value_len = self.text.len,
            .allocate = .alloc_if_needed,
        }) catch |err| switch (@as(anyerror, err)) {
            error.OutOfMemory => error.OutOfMemory,
            error.SyntaxError, error.UnexpectedEndOfInput => self.broken(err),
            else => self.expected(T, at),
        };
    }

    /// What comes next; `at` is where it begins.
    fn start(self: *Reader) Error!std.json.TokenType {
        const kind = self.scanner.peekNextTokenType() catch |err| return self.broken(err);
        self.at = self.scanner.cursor;
        return kind;
    }

    /// The next token; a number or a text is `allocated_`, whether it was allocated or not.
    fn next(self: *Reader) Error!std.json.Token {
        const token = self.scanner.nextAlloc(self.arena, .alloc_if_needed) catch |err| return self.broken(err);
        return switch (token) {
            .number => |text| .{ .allocated_number = @constCast(text) },
            .string => |text| .{ .allocated_string = @constCast(text) },
            else => token,
        };
    }

    fn string(self: *Reader) Error![]const u8 {
        return switch (try self.next()) {
            .allocated_string => |text| text,
            else => self.say("it is no JSON", .{}),
        };
    }

    fn broken(self: *Reader, err: anyerror) Error {
        if (err == error.OutOfMemory) return error.OutOfMemory;
        self.at = @min(self.scanner.cursor, self.text.len);
        if (self.at == self.text.len) return self.say("it is no JSON: it ends too early", .{});
        if (!std.unicode.utf8ValidateSlice(self.text)) return self.say("it is no JSON: it is not UTF-8", .{});
        return self.say("it is no JSON", .{});
    }

    fn expected(self: *Reader, comptime T: type, at: usize) Error {
        return self.mismatch(comptime shapes.of(T), at);
    }

    fn mismatch(self: *Reader, shape: []const u8, at: usize) Error {
        const found = extent(self.text[at..]);
        const shown = utf8.cut(found, 40);
        const more = if (shown.len < found.len) "…" else "";
        return self.sayAt(at, "expected {s}, not {s}{s}", .{ shape, shown, more });
    }

    fn sayAt(self: *Reader, at: usize, comptime format: []const u8, args: anytype) Error {
        self.at = at;
        return self.say(format, args);
    }

    fn say(self: *Reader, comptime format: []const u8, args: anytype) Error {
        const before = self.text[0..self.at];
        const line = 1 + std.mem.count(u8, before, "\n");
        const column = self.at - if (std.mem.lastIndexOfScalar(u8, before, '\n')) |newline| newline + 1 else 0;
        self.why.text = try std.fmt.allocPrint(self.arena, format ++ ", at line {d} column {d}", args ++ .{ line, column + 1 });
        return error.BadJson;
    }
};
