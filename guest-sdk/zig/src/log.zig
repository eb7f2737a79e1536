//! The host's log: what a plugin's `std.log` and its panics say goes there, too.

const std = @import("std");
const abi = @import("abi.zig");
const hosts = @import("host.zig");
const json = @import("json_write.zig");
const utf8 = @import("utf8.zig");
const Allocator = std.mem.Allocator;

/// In the root of a plugin: `pub const panic = baton.panic;`. What is said is logged at the level `error`, then the
/// instance traps, and its supervisor decides.
pub const panic = std.debug.FullPanic(logAndTrap);

fn logAndTrap(message: []const u8, _: ?usize) noreturn {
    // What cannot be told without memory is told without: there may be none left.
    var buffer: [1024]u8 = undefined;
    const valid = if (std.unicode.utf8ValidateSlice(message)) message else "(a message that is no text)";
    const told = std.fmt.bufPrint(&buffer, "panic: {s}", .{utf8.cut(valid, 1000)}) catch "panic";
    hosts.host.log(.@"error", told, &.{});
    @trap();
}

/// Ends the instance: a callback has ended with an error that nobody has put in words.
pub fn crash(comptime callback: []const u8, err: anyerror) noreturn {
    var buffer: [256]u8 = undefined;
    const told = std.fmt.bufPrint(&buffer, "`{s}` ended with error.{s}", .{ callback, @errorName(err) });
    hosts.host.log(.@"error", told catch "a callback ended with an error", &.{});
    @trap();
}

/// In the root of a plugin that uses `std.log`: `pub const std_options = baton.std_options;`.
pub const std_options: std.Options = .{ .log_level = .debug, .logFn = logFn };

fn logFn(
    comptime level: std.log.Level,
    comptime scope: @EnumLiteral(),
    comptime format: []const u8,
    args: anytype,
) void {
    const arena = abi.turn.allocator();
    const message = std.fmt.allocPrint(arena, format, args) catch format;
    const fields = [_]hosts.Field{.of("scope", @tagName(scope))};
    hosts.host.log(switch (level) {
        .debug => .debug,
        .info => .info,
        .warn => .warn,
        .err => .@"error",
    }, utf8.text(arena, message), if (scope == .default) &.{} else &fields);
}

/// The fields of a struct, such as `.{ .airport = code, .minutes = 12 }`, as fields of a line in the log.
pub fn fieldsOf(arena: Allocator, values: anytype) Allocator.Error![]const hosts.Field {
    const names = @typeInfo(@TypeOf(values)).@"struct".field_names;
    const fields = try arena.alloc(hosts.Field, names.len);
    inline for (fields, names) |*field, name| field.* = .of(name, try text(arena, @field(values, name)));
    return fields;
}

/// Texts stay as they are, all else is as JSON.
fn text(arena: Allocator, value: anytype) Allocator.Error![]const u8 {
    const T = @TypeOf(value);
    if (comptime isText(T)) return utf8.text(arena, value);
    if (@typeInfo(T) == .optional) return if (value) |inner| text(arena, inner) else "null";
    const written = json.encode(arena, value) catch |err| switch (err) {
        error.OutOfMemory => return error.OutOfMemory,
        error.NotEncodable => return "(not UTF-8)",
    };
    // The name of an enum.
    return if (written[0] == '"') written[1 .. written.len - 1] else written;
}

fn isText(comptime T: type) bool {
    return switch (@typeInfo(T)) {
        .pointer => |pointer| switch (pointer.size) {
            .slice => pointer.child == u8,
            .one => switch (@typeInfo(pointer.child)) {
                .array => |array| array.child == u8,
                else => false,
            },
            else => false,
        },
        else => false,
    };
}
