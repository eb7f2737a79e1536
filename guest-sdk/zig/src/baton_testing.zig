//! Runs an actor in native tests, through the code that its exports run through. The host is a recorder.
//!
//! ```zig
//! test "counts" {
//!     var t = try baton.testing.start(Counter, .{});
//!     defer t.deinit();
//!     try t.expectReply("{\"add\": 3}", "3");
//!     try t.handover();
//!     try t.expectReply("\"get\"", "3");
//! }
//! ```

const std = @import("std");
const actors = @import("actor.zig");
const errors = @import("errors.zig");
const hosts = @import("host.zig");
const instances = @import("instance.zig");
const recorder = @import("recorder.zig");
pub const Turn = @import("turn.zig");
const layouts = @import("layout.zig");
const Allocator = std.mem.Allocator;
const testing = std.testing;

pub const World = recorder.World;
pub const Outcome = instances.Outcome;
pub const Legacy = instances.Legacy;

pub const Options = struct {
    actor: []const u8 = "test/1",
    args: []const u8 = "",
    now_ms: u64 = 1_800_000_000_000,
    origin: actors.Origin = .{ .terminated = .shutdown },
    written_by: []const u8 = "0.0.0",
    age_ms: u64 = 0,
};

/// An actor that begins anew. It fails the test if `init` or `started` do.
pub fn start(comptime A: type, options: Options) !*Test(A) {
    const t = try Test(A).create(options);
    errdefer t.deinit();
    if (try t.init()) |failure| {
        std.debug.print("`init` failed: {s}: {s}\n", .{ failure.code, failure.message });
        return error.InitFailed;
    }
    try t.expectTaken(try t.takeOver(null));
    return t;
}

/// An actor that takes over a state, as it came out of a store. It fails the test if the state is refused.
pub fn resumed(comptime A: type, schema: u32, data: []const u8, options: Options) !*Test(A) {
    const t = try Test(A).create(options);
    errdefer t.deinit();
    _ = try t.init();
    try t.expectTaken(try t.takeOver(Test(A).handoff(schema, data, options)));
    return t;
}

/// Arguments with which it does not start: `init` gives a failure with this code.
pub fn expectInitFailure(comptime A: type, options: Options, code: []const u8) !void {
    const t = try Test(A).create(options);
    defer t.deinit();
    const failure = try t.init() orelse {
        std.debug.print("`init` took the arguments {s}\n", .{options.args});
        return error.TestUnexpectedResult;
    };
    try testing.expectEqualStrings(code, failure.code);
}

/// A state that is refused, and what the words for it contain.
pub fn expectRefused(
    comptime A: type,
    schema: u32,
    data: []const u8,
    kind: errors.Refusal,
    words: []const u8,
) !void {
    const t = try Test(A).create(.{});
    defer t.deinit();
    _ = try t.init();
    switch (try t.takeOver(Test(A).handoff(schema, data, .{}))) {
        .ok => {
            std.debug.print("the state {x} of schema {d} was taken over\n", .{ data, schema });
            return error.TestUnexpectedResult;
        },
        .refused => |why| {
            try testing.expectEqual(kind, why[0]);
            if (std.mem.indexOf(u8, why[1], words) == null) {
                std.debug.print("expected the words \"{s}\" in: {s}\n", .{ words, why[1] });
                return error.TestUnexpectedResult;
            }
        },
    }
}

/// The layouts of states that a plugin reads, as `baton.layout` tells them: they change only with the schema.
pub fn expectLayout(comptime State: type, expected: []const u8) !void {
    try testing.expectEqualStrings(expected, comptime layouts.layout(State));
}

/// What is freed twice, or not, is a failure of the test if the actor has a `deinit`.
pub fn Test(comptime A: type) type {
    return struct {
        world: World,
        /// Who sends the next messages. Null: they come from outside.
        from: ?[]const u8 = null,
        notes: std.heap.ArenaAllocator,
        states: std.heap.ArenaAllocator,
        turn: Turn,
        instance: instances.Instance(A),
        generation: u64 = 1,

        const Self = @This();

        /// Before `init`. `start` and `resumed` do all three steps.
        pub fn create(options: Options) !*Self {
            comptime actors.check(A);
            const t = try testing.allocator.create(Self);
            t.* = .{
                .notes = .init(testing.allocator),
                .states = .init(testing.allocator),
                .turn = .init(testing.allocator, &.{}),
                .world = undefined,
                .instance = undefined,
            };
            t.world = .{ .arena = t.notes.allocator(), .now_ms = options.now_ms };
            t.instance = t.fresh();
            t.instance.cx.actor = options.actor;
            t.instance.cx.args = options.args;
            return t;
        }

        /// An actor that does not free its state has it freed for it.
        fn gpa(t: *Self) Allocator {
            return if (@hasDecl(A, "deinit")) testing.allocator else t.states.allocator();
        }

        fn fresh(t: *Self) instances.Instance(A) {
            const cx: @import("cx.zig").Cx = .{ .actor = "", .args = "", .gpa = t.gpa(), .arena = t.turn.allocator() };
            return .{ .name = "plugin", .version = "0.0.0", .cx = cx, .keep = testing.allocator };
        }

        pub fn init(t: *Self) !?errors.Failure {
            t.begin();
            return t.instance.init(t.instance.cx.actor, t.instance.cx.args);
        }

        pub fn handoff(schema: u32, data: []const u8, options: Options) instances.Handoff {
            return .{ .data = data, .predecessor = .{
                .schema = schema,
                .origin = options.origin,
                .generation = 0,
                .written_by = options.written_by,
                .age_ms = options.age_ms,
            } };
        }

        pub fn takeOver(t: *Self, left: ?instances.Handoff) !instances.Taken {
            t.begin();
            return t.instance.takeOver(t.generation, left);
        }

        fn expectTaken(_: *Self, taken: instances.Taken) !void {
            switch (taken) {
                .ok => {},
                .refused => |why| {
                    std.debug.print("the state was refused as {t}: {s}\n", .{ why[0], why[1] });
                    return error.Refused;
                },
            }
        }

        /// Answers of the turn before are gone.
        fn begin(t: *Self) void {
            t.turn.reset();
            recorder.current = &t.world;
        }

        pub fn deinit(t: *Self) void {
            t.instance.deinit();
            t.turn.reset();
            t.states.deinit();
            t.notes.deinit();
            recorder.current = null;
            testing.allocator.destroy(t);
        }

        /// The actor itself.
        pub fn state(t: *Self) *A {
            return &t.instance.state;
        }

        /// A message that expects a reply. What it gives is there until the next turn. An error is that of a callback which
        /// nobody has put in words: in a plugin it is a crash.
        pub fn call(t: *Self, body: []const u8) !Outcome {
            t.begin();
            return t.instance.request(.{ .id = "id", .sender = t.from, .body = body, .expects_reply = true });
        }

        /// A message that expects none.
        pub fn cast(t: *Self, body: []const u8) !Outcome {
            t.begin();
            return t.instance.request(.{ .id = "id", .sender = t.from, .body = body, .expects_reply = false });
        }

        pub fn expectReply(t: *Self, body: []const u8, expected: []const u8) !void {
            switch (try t.call(body)) {
                .reply => |reply| try testing.expectEqualStrings(expected, reply),
                .failure => |failure| {
                    std.debug.print("{s} failed: {s}: {s}\n", .{ body, failure.code, failure.message });
                    return error.TestUnexpectedResult;
                },
            }
        }

        /// A failure with this code.
        pub fn expectFailure(t: *Self, body: []const u8, code: []const u8) !void {
            switch (try t.call(body)) {
                .reply => |reply| {
                    std.debug.print("{s} was answered: {s}\n", .{ body, reply });
                    return error.TestUnexpectedResult;
                },
                .failure => |failure| try testing.expectEqualStrings(code, failure.code),
            }
        }

        /// All that was asked for since the test looked last, a line each, such as `send room/1 {"say":"hi"}`, `save`,
        /// `set-timer tick 60000`.
        pub fn expectEffects(t: *Self, expected: []const u8) !void {
            const lines = try std.mem.join(t.world.arena, "\n", t.world.effects.items);
            t.world.effects.clearRetainingCapacity();
            try testing.expectEqualStrings(expected, lines);
        }

        /// What later calls of `to` come to: `.{ .reply = "5" }`, `.timeout`, `.{ .failed = .{ .code = …, … } }`.
        pub fn answer(t: *Self, to: []const u8, with: hosts.Called) !void {
            try t.world.answers.append(t.world.arena, .{ .to = to, .answer = with });
        }

        /// The clock goes on; timers that come due are told, in order. Their failures fail the test.
        pub fn advance(t: *Self, ms: u64) !void {
            const until = t.world.now_ms + ms;
            while (t.world.nextTimer(until)) |due| {
                t.world.now_ms = @max(t.world.now_ms, due.due_ms);
                switch (try t.timer(due.name)) {
                    .reply => {},
                    .failure => |failure| {
                        std.debug.print("the timer {s} failed: {s}: {s}\n", .{ due.name, failure.code, failure.message });
                        return error.TestUnexpectedResult;
                    },
                }
            }
            t.world.now_ms = until;
        }

        /// A timer comes due, whether it was set or not.
        pub fn timer(t: *Self, name: []const u8) !Outcome {
            t.begin();
            return t.instance.timer(name);
        }

        /// A monitored actor has ended.
        pub fn down(t: *Self, actor: []const u8, reason: []const u8) !Outcome {
            t.begin();
            return t.instance.down(actor, reason);
        }

        /// A linked actor has ended.
        pub fn exit(t: *Self, actor: []const u8, reason: []const u8) !Outcome {
            t.begin();
            const json = @import("json.zig");
            return t.instance.other("exit", try json.encode(t.world.arena, .{ .actor = actor, .reason = reason }));
        }

        /// A message of a kind to come.
        pub fn other(t: *Self, kind: []const u8, data: []const u8) !Outcome {
            t.begin();
            return t.instance.other(kind, data);
        }

        /// The state as bytes, as long as the test runs.
        pub fn snapshot(t: *Self) ![]const u8 {
            t.begin();
            return switch (try t.instance.snapshot()) {
                .data => |data| try t.world.arena.dupe(u8, data),
                .failure => |failure| {
                    std.debug.print("no snapshot: {s}: {s}\n", .{ failure.code, failure.message });
                    return error.TestUnexpectedResult;
                },
            };
        }

        pub fn expectState(t: *Self, expected: []const u8) !void {
            try testing.expectEqualSlices(u8, expected, try t.snapshot());
        }

        pub fn terminate(t: *Self, reason: actors.StopReason, budget_ms: ?u64) !Legacy {
            t.begin();
            return t.instance.terminate(reason, budget_ms);
        }

        /// Another instance goes on with what this one leaves, as at a swap. What was asked for, timers and clock stay.
        pub fn handover(t: *Self) !void {
            const data = try t.snapshot();
            const name = try t.world.arena.dupe(u8, t.instance.cx.actor);
            const args = try t.world.arena.dupe(u8, t.instance.cx.args);
            t.instance.deinit();
            t.instance = t.fresh();
            t.generation += 1;
            t.begin();
            if (try t.instance.init(name, args)) |failure| {
                std.debug.print("`init` failed: {s}: {s}\n", .{ failure.code, failure.message });
                return error.InitFailed;
            }
            try t.expectTaken(try t.takeOver(handoff(A.schema, data, .{ .origin = .switched })));
        }
    };
}
