//! What an author writes, as the SDK sees it: an actor is a struct whose fields are its state, and whose public functions
//! are called by name.

const std = @import("std");
const errors = @import("errors.zig");
const state = @import("state.zig");
const Cx = @import("cx.zig").Cx;

/// What the host is told of a plugin.
pub const Facts = struct {
    /// Lower-case letters, digits, `-` and `_`, beginning with a letter; at most 64 bytes.
    name: []const u8,
    /// Semantic version.
    version: []const u8,
    description: []const u8 = "",
    authors: []const u8 = "",
    license: []const u8 = "",
    homepage: []const u8 = "",
    repository: []const u8 = "",
    /// Further facts: `&.{.{ "contact", "…" }}`.
    metadata: []const [2][]const u8 = &.{},
};

/// How complete the state of a predecessor is.
pub const Origin = union(enum) {
    /// It ended with it: nothing was handled after it.
    terminated: StopReason,
    /// Taken from the running predecessor at a swap.
    switched,
    /// Saved while it ran; how many messages it handled since, where the host knows.
    checkpoint: ?u64,
    /// An operator put it there.
    restored,
    other: []const u8,
};

/// Why an instance ends.
pub const StopReason = union(enum) {
    normal,
    shutdown,
    upgrade,
    passivate,
    relocate,
    restart,
    other: []const u8,
};

/// Where a state that was taken over comes from.
pub const Predecessor = struct {
    /// Layout of the state before it was migrated.
    schema: u32,
    origin: Origin,
    /// Generation of the instance that wrote it.
    generation: u64,
    /// Version of the plugin that wrote it.
    written_by: []const u8,
    /// Milliseconds since it was written, by the host's clock; 0 if that clock went back.
    age_ms: u64,
};

/// What `terminate` leaves.
pub const Leave = enum {
    /// The state as it stands.
    save,
    /// What the store has already.
    keep,
    /// Nothing: the state in the store and its history are erased.
    forget,
};

/// What an actor's declarations say.
pub fn Of(comptime A: type) type {
    return struct {
        pub const schema: u32 = A.schema;
        pub const media_type: []const u8 = if (@hasDecl(A, "media_type")) A.media_type else "application/json";
        /// Bodies are bytes as they are, unless their media type says that they are JSON.
        pub const is_raw = !std.mem.eql(u8, media_type, "application/json") and !std.mem.endsWith(u8, media_type, "+json");
        pub const traps_exits: bool = if (@hasDecl(A, "trap_exit")) A.trap_exit else true;
        pub const Message = parameter(A.handle, 1);
        pub const Reply = Payload(A.handle);
    };
}

/// What a function gives, errors aside.
pub fn Payload(comptime function: anytype) type {
    const Return = @typeInfo(@TypeOf(function)).@"fn".return_type.?;
    return switch (@typeInfo(Return)) {
        .error_union => |info| info.payload,
        else => Return,
    };
}

fn parameter(comptime function: anytype, comptime index: usize) type {
    return @typeInfo(@TypeOf(function)).@"fn".param_types[index].?;
}

/// Calls what is declared as `fn (value)` or as `fn (value, cx)`.
pub fn callWithCx(comptime function: anytype, value: anytype, cx: *Cx) anyerror!Payload(function) {
    const parameters = @typeInfo(@TypeOf(function)).@"fn".param_types.len;
    return if (parameters == 1) function(value) else function(value, cx);
}

/// Stops the build, in words, where `A` is no actor.
pub fn check(comptime A: type) void {
    comptime {
        const name = @typeName(A);
        if (@typeInfo(A) != .@"struct") @compileError(name ++ " is no actor: an actor is a struct");
        if (!@hasDecl(A, "schema"))
            @compileError(name ++ " says which number the layout of its state has: `pub const schema = 1;` at first");
        const needed = .{
            .{ "init", "pub fn init(cx: *baton.Cx) !" ++ name },
            .{ "handle", "pub fn handle(self: *" ++ name ++ ", message: Message, cx: *baton.Cx) !Reply" },
        };
        for (needed) |one| if (!std.meta.hasFn(A, one[0])) @compileError(name ++ " needs `" ++ one[1] ++ "`, public");
        takes(A, "init", &.{*Cx});
        takes(A, "handle", &.{ *A, null, *Cx });
        takes(A, "started", &.{ *A, *Cx });
        takes(A, "resumed", &.{ *A, *const Predecessor, *Cx });
        takes(A, "validate", &.{ *const A, *Cx });
        takes(A, "timer", &.{ *A, []const u8, *Cx });
        takes(A, "down", &.{ *A, []const u8, []const u8, *Cx });
        takes(A, "exit", &.{ *A, []const u8, []const u8, *Cx });
        takes(A, "other", &.{ *A, []const u8, []const u8, *Cx });
        takes(A, "terminate", &.{ *A, StopReason, ?u64, *Cx });
        takes(A, "deinit", &.{ *A, std.mem.Allocator });
        if (Payload(A.init) != A) @compileError(name ++ ".init gives a " ++ name ++ ", a fresh state");
        const of = Of(A);
        if (of.is_raw and of.Message != []const u8)
            @compileError(name ++ ".handle takes []const u8: bodies of " ++ of.media_type ++ " are bytes as they are");
        state.check(A, name);
        @import("migrations.zig").check(A);
    }
}

/// Null stands for a type that is the author's.
fn takes(comptime A: type, comptime callback: []const u8, comptime expected: []const ?type) void {
    if (!@hasDecl(A, callback)) return;
    const where = @typeName(A) ++ "." ++ callback;
    const types = switch (@typeInfo(@TypeOf(@field(A, callback)))) {
        .@"fn" => |info| info.param_types,
        else => @compileError(where ++ " is a callback of actors, and so a function"),
    };
    var fits = types.len == expected.len;
    var words: []const u8 = "";
    for (expected, 0..) |Expected, i| {
        const word = if (Expected) |Type| @typeName(Type) else "Message";
        words = words ++ (if (i == 0) "" else ", ") ++ word;
        const found = if (i < types.len) types[i] else null;
        const T = found orelse {
            fits = false;
            continue;
        };
        if (Expected) |Type| if (T != Type and T != Constant(Type)) {
            fits = false;
        };
    }
    if (!fits) @compileError(where ++ " takes (" ++ words ++ ")");
}

/// `*const T` will do where a `*T` is given.
fn Constant(comptime T: type) type {
    return switch (@typeInfo(T)) {
        .pointer => |info| if (info.size == .one) *const info.child else T,
        else => T,
    };
}

/// Stops the build where the facts would be refused by the host.
pub fn checkFacts(comptime facts: Facts) void {
    comptime {
        @setEvalBranchQuota(100_000);
        const name = facts.name;
        var fits = name.len > 0 and name.len <= 64 and std.ascii.isLower(name[0]);
        for (name) |letter| fits = fits and (std.ascii.isLower(letter) or std.ascii.isDigit(letter) or
            letter == '-' or letter == '_');
        if (!fits) @compileError("\"" ++ name ++ "\" is no plugin's name: lower-case letters, digits, `-` and `_`, " ++
            "beginning with a letter, at most 64 of them");
        _ = std.SemanticVersion.parse(facts.version) catch
            @compileError("\"" ++ facts.version ++ "\" is no version: write it as 1.0.0");
    }
}
