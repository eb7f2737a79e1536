//! The lifecycle of one instance, the same in a plugin and in a test. Where a function gives an error, a callback has ended
//! with one that nobody has put in words: the instance is not to be used any more.

const std = @import("std");
const actor = @import("actor.zig");
const errors = @import("errors.zig");
const json = @import("json.zig");
const migrations = @import("migrations.zig");
const postcard = @import("postcard.zig");
const states = @import("state.zig");
const Cx = @import("cx.zig").Cx;
const Allocator = std.mem.Allocator;

pub const Outcome = union(enum) { reply: []const u8, failure: errors.Failure };
pub const Taken = union(enum) { ok, refused: struct { errors.Refusal, []const u8 } };
pub const State = union(enum) { data: []const u8, failure: errors.Failure };
pub const Legacy = union(enum) { save: []const u8, keep, forget, failure: errors.Failure };

pub const Request = struct { id: []const u8, sender: ?[]const u8, body: []const u8, expects_reply: bool };
pub const Handoff = struct { data: []const u8, predecessor: actor.Predecessor };

const not_started: errors.Failure = .{
    .code = "not-started",
    .message = "the instance has not been through `init` and `continue`",
};

pub fn Instance(comptime A: type) type {
    const of = actor.Of(A);
    return struct {
        /// Name and version, for what is told of a message that is none.
        name: []const u8,
        version: []const u8,
        cx: Cx,
        /// Where name, arguments and what is told of the predecessor live on.
        keep: Allocator,
        state: A = undefined,
        /// Whether `init` has made a state.
        made: bool = false,
        /// Whether `continue` has succeeded: before that there is no state to speak of.
        started: bool = false,

        const Self = @This();

        /// The memory of name and arguments is that of a turn; the instance keeps copies.
        pub fn init(self: *Self, name: []const u8, args: []const u8) anyerror!?errors.Failure {
            self.cx.actor = try self.keep.dupe(u8, name);
            self.cx.args = try self.keep.dupe(u8, args);
            const made: anyerror!A = A.init(&self.cx);
            self.state = made catch |err| return self.cx.failureOf(err) orelse err;
            self.made = true;
            return null;
        }

        pub fn trapsExits(self: *Self) bool {
            return if (@hasDecl(A, "trapsExits")) self.state.trapsExits(&self.cx) else of.traps_exits;
        }

        /// Takes over what the predecessor left. After a refusal the instance is of no further use.
        pub fn takeOver(self: *Self, generation: u64, handoff: ?Handoff) anyerror!Taken {
            const cx = self.begin();
            if (!self.made) return .{ .refused = .{ .other, not_started.message } };
            cx.generation = generation;
            self.take(handoff) catch |err| {
                const failure = cx.failureOf(err) orelse return err;
                return .{ .refused = .{ cx.last.?.refusal, failure.message } };
            };
            self.started = true;
            return .ok;
        }

        fn take(self: *Self, handoff: ?Handoff) anyerror!void {
            const cx = &self.cx;
            const left = handoff orelse {
                const done: anyerror!void = if (@hasDecl(A, "started")) self.state.started(cx);
                return done;
            };
            const loaded = try migrations.load(A, cx, left.predecessor.schema, left.data);
            if (@hasDecl(A, "deinit")) self.state.deinit(cx.gpa);
            self.state = loaded;
            cx.predecessor = try kept(self.keep, left.predecessor);
            const done: anyerror!void = if (@hasDecl(A, "resumed")) self.state.resumed(&cx.predecessor.?, cx);
            return done;
        }

        pub fn request(self: *Self, message: Request) anyerror!Outcome {
            const cx = self.begin();
            if (!self.started) return .{ .failure = not_started };
            cx.request_id = message.id;
            cx.sender = message.sender;
            cx.expects_reply = message.expects_reply;
            return self.answered(self.reply(message.body));
        }

        fn reply(self: *Self, body: []const u8) anyerror![]const u8 {
            const cx = &self.cx;
            const answer: anyerror!of.Reply = self.state.handle(try self.decoded(body), cx);
            const value = try answer;
            // Nobody reads the reply to a cast: it isn't worth its bytes.
            if (!cx.expects_reply) return "";
            if (of.is_raw) return if (of.Reply == void) "" else value;
            return json.encode(cx.arena, value) catch |err| switch (err) {
                error.OutOfMemory => err,
                error.NotEncodable => cx.fail("bad-reply", "the message was handled; its reply: a text is not UTF-8", .{}),
            };
        }

        fn decoded(self: *Self, body: []const u8) anyerror!of.Message {
            if (of.is_raw) return body;
            var why: json.Why = .{};
            return json.decode(of.Message, self.cx.arena, body, &why) catch |err| switch (err) {
                error.OutOfMemory => err,
                error.BadJson => self.cx.fail("bad-message", "{s} {s} does not take this message: {s}", .{
                    self.name, self.version, why.text,
                }),
            };
        }

        pub fn timer(self: *Self, name: []const u8) anyerror!Outcome {
            const cx = self.begin();
            if (!self.started) return .{ .failure = not_started };
            const done: anyerror!void = if (@hasDecl(A, "timer"))
                self.state.timer(name, cx)
            else
                cx.fail("unexpected-timer", "nothing is done with the timer \"{s}\"", .{name});
            return self.answered(done);
        }

        pub fn down(self: *Self, name: []const u8, reason: []const u8) anyerror!Outcome {
            const cx = self.begin();
            if (!self.started) return .{ .failure = not_started };
            if (!@hasDecl(A, "down")) {
                cx.log(.info, "nothing is done about the end of an actor", .{ .down = name, .reason = reason });
                return .{ .reply = "" };
            }
            const done: anyerror!void = self.state.down(name, reason, cx);
            return self.answered(done);
        }

        /// A message of a kind that has no case of its own. `exit` says that a linked actor has ended.
        pub fn other(self: *Self, kind: []const u8, data: []const u8) anyerror!Outcome {
            const cx = self.begin();
            if (!self.started) return .{ .failure = not_started };
            if (std.mem.eql(u8, kind, "exit")) return self.answered(self.exit(data));
            const done: anyerror!void = if (@hasDecl(A, "other"))
                self.state.other(kind, data, cx)
            else
                cx.fail("unsupported", "messages of the kind \"{s}\" are not known here", .{kind});
            return self.answered(done);
        }

        fn exit(self: *Self, data: []const u8) anyerror!void {
            const cx = &self.cx;
            const Exit = struct {
                actor: []const u8,
                reason: []const u8,
                pub const ignores_unknown = true;
            };
            var why: json.Why = .{};
            const told = json.decode(Exit, cx.arena, data, &why) catch |err| switch (err) {
                error.OutOfMemory => return err,
                error.BadJson => return cx.fail("bad-exit", "the end of a linked actor was told wrongly: {s}", .{why.text}),
            };
            if (@hasDecl(A, "exit")) return self.state.exit(told.actor, told.reason, cx);
            cx.log(.info, "nothing is done about an exit", .{ .exit = told.actor, .reason = told.reason });
        }

        pub fn snapshot(self: *Self) anyerror!State {
            _ = self.begin();
            if (!self.started) return .{ .failure = not_started };
            const data = self.encoded() catch |err| return .{ .failure = self.cx.failureOf(err) orelse return err };
            return .{ .data = data };
        }

        pub fn terminate(self: *Self, reason: actor.StopReason, budget_ms: ?u64) anyerror!Legacy {
            const cx = self.begin();
            if (!self.started) return .{ .failure = not_started };
            const left: anyerror!actor.Leave = if (@hasDecl(A, "terminate"))
                self.state.terminate(reason, budget_ms, cx)
            else
                .save;
            const leave = left catch |err| return .{ .failure = cx.failureOf(err) orelse return err };
            return switch (leave) {
                .keep => .keep,
                .forget => .forget,
                .save => .{ .save = self.encoded() catch |err| return .{ .failure = cx.failureOf(err) orelse return err } },
            };
        }

        fn encoded(self: *Self) anyerror![]const u8 {
            var out: postcard.Writer = .init(self.cx.arena);
            states.encode(A, &self.state, &out) catch |err| switch (err) {
                error.OutOfMemory => return err,
                error.NotEncodable => return self.cx.fail("not-encodable", "the state cannot be written: {s}", .{out.why}),
            };
            return out.bytes.items;
        }

        /// A turn begins.
        fn begin(self: *Self) *Cx {
            self.cx.last = null;
            self.cx.sender = null;
            self.cx.request_id = "";
            self.cx.expects_reply = false;
            return &self.cx;
        }

        fn answered(self: *Self, result: anytype) anyerror!Outcome {
            defer _ = self.begin();
            const value = result catch |err| return .{ .failure = self.cx.failureOf(err) orelse return err };
            return .{ .reply = if (@TypeOf(value) == void) "" else value };
        }

        /// Frees the state, if it knows how, and what the instance has kept.
        pub fn deinit(self: *Self) void {
            const cx = &self.cx;
            if (self.made and @hasDecl(A, "deinit")) self.state.deinit(cx.gpa);
            self.keep.free(cx.actor);
            self.keep.free(cx.args);
            const predecessor = cx.predecessor orelse return;
            self.keep.free(predecessor.written_by);
            switch (predecessor.origin) {
                .other => |text| self.keep.free(text),
                .terminated => |reason| switch (reason) {
                    .other => |text| self.keep.free(text),
                    else => {},
                },
                else => {},
            }
        }
    };
}

/// A copy that outlives the turn.
fn kept(keep: Allocator, predecessor: actor.Predecessor) Allocator.Error!actor.Predecessor {
    var copy = predecessor;
    copy.written_by = try keep.dupe(u8, predecessor.written_by);
    switch (copy.origin) {
        .other => |*text| text.* = try keep.dupe(u8, text.*),
        .terminated => |*reason| switch (reason.*) {
            .other => |*text| text.* = try keep.dupe(u8, text.*),
            else => {},
        },
        else => {},
    }
    return copy;
}
