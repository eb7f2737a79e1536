//! The chain of layouts that lead to an actor's state, and those from which there is a way back.
//!
//! ```zig
//! pub const schema = 3;
//! pub const migrations = .{
//!     .{ .schema = 1, .state = V1, .up = v2FromV1 },
//!     .{ .schema = 2, .state = V2, .up = fromV2 },
//!     .{ .schema = 4, .state = V4, .down = fromV4 },
//! };
//! ```

const std = @import("std");
const actor = @import("actor.zig");
const postcard = @import("postcard.zig");
const state = @import("state.zig");
const Cx = @import("cx.zig").Cx;

/// Oldest and newest schema that `A` reads.
pub fn range(comptime A: type) struct { u32, u32 } {
    const all = listOf(A);
    var oldest: u32 = A.schema;
    var newest: u32 = A.schema;
    inline for (all) |one| {
        oldest = @min(oldest, one.schema);
        newest = @max(newest, one.schema);
    }
    return .{ oldest, newest };
}

fn listOf(comptime A: type) if (@hasDecl(A, "migrations")) @TypeOf(A.migrations) else @TypeOf(.{}) {
    return if (@hasDecl(A, "migrations")) A.migrations else .{};
}

/// Brings a state of any layout that `A` reads to the current one. Errors have been told.
pub fn load(comptime A: type, cx: *Cx, schema: u32, data: []const u8) anyerror!A {
    const oldest, const newest = comptime range(A);
    var value: A = found: {
        if (schema == A.schema) break :found try decode(A, cx, schema, data);
        const all = comptime listOf(A);
        inline for (all, 0..) |one, i| {
            if (schema == one.schema) {
                const read = try decode(one.state, cx, schema, data);
                break :found try if (comptime one.schema < A.schema) climb(A, i, read, cx) else back(A, one, read, cx);
            }
        }
        return cx.refuse(.incompatible, "schema {d} is not among {d} to {d}", .{ schema, oldest, newest });
    };
    errdefer if (@hasDecl(A, "deinit")) value.deinit(cx.gpa);
    if (@hasDecl(A, "validate")) {
        const valid: anyerror!void = A.validate(&value, cx);
        valid catch |err| return refuse(cx, err, .corrupt, "state of schema {d} breaks a rule", .{schema});
    }
    return value;
}

/// From the layout `at` up to the current one, step by step.
fn climb(comptime A: type, comptime at: usize, value: anytype, cx: *Cx) anyerror!A {
    const all = comptime listOf(A);
    const one = all[at];
    const next = actor.callWithCx(one.up, value, cx) catch |err|
        return refuse(cx, err, .corrupt, "state of schema {d} does not become one of {d}", .{ one.schema, one.schema + 1 });
    return if (comptime one.schema + 1 == A.schema) next else climb(A, at + 1, next, cx);
}

/// What the step from a newer layout cannot carry is in order, and still readable by the plugin that wrote it.
fn back(comptime A: type, comptime one: anytype, value: anytype, cx: *Cx) anyerror!A {
    return actor.callWithCx(one.down, value, cx) catch |err|
        refuse(cx, err, .incompatible, "there is no way back from schema {d} to {d}", .{ one.schema, A.schema });
}

fn decode(comptime T: type, cx: *Cx, schema: u32, data: []const u8) anyerror!T {
    var in: postcard.Reader = .{ .bytes = data, .gpa = cx.gpa, .arena = cx.arena };
    var value = state.decode(T, &in) catch |err| switch (err) {
        error.OutOfMemory => return err,
        error.Corrupt => return cx.refuse(.corrupt, "state of schema {d}: {d} bytes do not decode as {s}: {s}", .{
            schema, data.len, @typeName(T), in.why,
        }),
    };
    if (in.at == data.len) return value;
    state.free(T, &value, cx.gpa);
    const left = data.len - in.at;
    return cx.refuse(.corrupt, "state of schema {d}: {d} of {d} bytes are left over after {s}", .{
        schema, left, data.len, @typeName(T),
    });
}

/// An error that was put in words refuses the state; any other ends the instance.
fn refuse(cx: *Cx, err: anyerror, kind: @import("errors.zig").Refusal, comptime what: []const u8, args: anytype) anyerror {
    const failure = cx.failureOf(err) orelse return err;
    return cx.refuse(kind, what ++ ": {s}", args ++ .{failure.message});
}

/// Stops the build where the chain has a gap: what a plugin says that it reads is a range.
pub fn check(comptime A: type) void {
    const all = listOf(A);
    const name = @typeName(A);
    inline for (all, 0..) |one, i| {
        if (!@hasField(@TypeOf(one), "schema") or !@hasField(@TypeOf(one), "state"))
            @compileError(name ++ ".migrations: each is .{ .schema = 1, .state = V1, .up = fromV1 }");
        const here = std.fmt.comptimePrint("{s}.migrations: the one of schema {d}", .{ name, one.schema });
        state.check(one.state, here);
        const older = one.schema < A.schema;
        if (one.schema == A.schema) @compileError(here ++ ", but " ++ name ++ " itself reads that one");
        if (older != @hasField(@TypeOf(one), "up") or older == @hasField(@TypeOf(one), "down"))
            @compileError(here ++ " has `.up` if it is older than the current one, and `.down` if it is newer");
        const next = if (i + 1 < all.len) all[i + 1].schema else 0;
        const wanted = if (one.schema + 1 == A.schema) A.schema + 1 else one.schema + 1;
        const ends = i + 1 == all.len and one.schema + 1 >= A.schema;
        if (i + 1 < all.len and next <= one.schema)
            @compileError(here ++ std.fmt.comptimePrint(" stands before that of {d}: the oldest comes first", .{next}));
        if (!ends and next != wanted) @compileError(here ++ std.fmt.comptimePrint(
            " is followed by a gap: schema {d} is missing on the way to {d}",
            .{ wanted, @max(A.schema, next) },
        ));
        if (i == 0 and one.schema > A.schema + 1)
            @compileError(here ++ std.fmt.comptimePrint(" needs that of {d} before it", .{A.schema + 1}));
        if (older) {
            const Next = if (one.schema + 1 == A.schema) A else all[i + 1].state;
            step(one.up, one.state, Next, here ++ ": `.up`");
        } else step(one.down, one.state, A, here ++ ": `.down`");
    }
}

fn step(comptime function: anytype, comptime From: type, comptime To: type, comptime where: []const u8) void {
    const types = @typeInfo(@TypeOf(function)).@"fn".param_types;
    const fits = types.len >= 1 and types.len <= 2 and types[0] == From and (types.len == 1 or types[1] == *Cx);
    if (!fits or actor.Payload(function) != To)
        @compileError(where ++ " is a function (" ++ @typeName(From) ++ ", *baton.Cx) " ++ @typeName(To) ++
            ", with or without an error");
}
