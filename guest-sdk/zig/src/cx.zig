//! What an actor knows of itself, and what it can ask of its host.

const std = @import("std");
const actors = @import("actor.zig");
const errors = @import("errors.zig");
const hosts = @import("host.zig");
const json = @import("json.zig");
const logs = @import("log.zig");
const supervisors = @import("supervision.zig");
const utf8 = @import("utf8.zig");
const Allocator = std.mem.Allocator;
const host = hosts.host;

pub const CallOptions = struct { timeout_ms: u64 = 5_000 };

/// What is sent or set here leaves when the turn has ended without a trap; `call` acts at once.
pub const Cx = struct {
    /// Name of the actor, unique in its host or cluster.
    actor: []const u8,
    /// What the actor was started with.
    args: []const u8,
    /// Memory of the state: lives until it is freed.
    gpa: Allocator,
    /// Memory of the turn: whatever comes of it is gone when the turn has ended, and nobody frees it.
    arena: Allocator,
    /// Counts this actor's instances and always rises. 0 during `init`, where it is not known.
    generation: u64 = 0,
    /// Where the state comes from that this instance took over; null if it began with a fresh one.
    predecessor: ?actors.Predecessor = null,
    /// Name of the actor that sent the message in hand; null if it came from outside.
    sender: ?[]const u8 = null,
    /// Id of the message in hand, the same when a sender tries again. Empty outside of `handle`.
    request_id: []const u8 = "",
    /// Whether someone waits for the reply to the message in hand.
    expects_reply: bool = false,
    last: ?errors.Told = null,

    /// Ends a callback with a failure, a reply like any other: `return cx.fail("out-of-stock", "no {s} left", .{name})`.
    pub fn fail(cx: *Cx, code: []const u8, comptime format: []const u8, args: anytype) error{Failure} {
        cx.last = .{ .err = error.Failure, .failure = .{ .code = cx.text(code), .message = cx.print(format, args) } };
        return error.Failure;
    }

    /// Ends `started` or `resumed`, and the state is not taken over.
    pub fn refuse(cx: *Cx, kind: errors.Refusal, comptime format: []const u8, args: anytype) error{Refused} {
        const failure: errors.Failure = .{ .code = @tagName(kind), .message = cx.print(format, args) };
        cx.last = .{ .err = error.Refused, .failure = failure, .refusal = kind };
        return error.Refused;
    }

    /// Ends `validate`, or a migration: it says what is broken.
    pub fn invalid(cx: *Cx, comptime format: []const u8, args: anytype) error{Invalid} {
        const failure: errors.Failure = .{ .code = "invalid", .message = cx.print(format, args) };
        cx.last = .{ .err = error.Invalid, .failure = failure, .refusal = .corrupt };
        return error.Invalid;
    }

    /// What the host has said of the error that `send`, `call` or their like gave last, as the failure that it becomes
    /// when it ends a callback.
    pub fn problem(cx: *const Cx) errors.Failure {
        return if (cx.last) |last| last.failure else .{ .code = "", .message = "" };
    }

    /// The failure that `cause` stands for. Null: nobody has put it in words, so it is a mistake of the program.
    pub fn failureOf(cx: *const Cx, cause: anyerror) ?errors.Failure {
        const last = cx.last orelse return null;
        return if (last.err == cause) last.failure else null;
    }

    /// The arguments, read as JSON. None at all read as `null`, so that an optional type works.
    pub fn argsJson(cx: *Cx, comptime T: type) error{ Failure, OutOfMemory }!T {
        var why: json.Why = .{};
        return json.decode(T, cx.arena, if (cx.args.len == 0) "null" else cx.args, &why) catch |cause| switch (cause) {
            error.OutOfMemory => error.OutOfMemory,
            error.BadJson => cx.fail("bad-args", "the arguments: {s}", .{why.text}),
        };
    }

    /// Writes to the host's log, with fields: `cx.log(.warn, "delayed", .{ .airport = code, .minutes = 12 })`.
    pub fn log(cx: *Cx, level: hosts.Level, message: []const u8, values: anytype) void {
        const fields = logs.fieldsOf(cx.arena, values) catch &.{};
        host.log(level, cx.text(message), fields);
    }

    pub fn trace(cx: *Cx, comptime format: []const u8, args: anytype) void {
        host.log(.trace, cx.print(format, args), &.{});
    }

    pub fn debug(cx: *Cx, comptime format: []const u8, args: anytype) void {
        host.log(.debug, cx.print(format, args), &.{});
    }

    pub fn info(cx: *Cx, comptime format: []const u8, args: anytype) void {
        host.log(.info, cx.print(format, args), &.{});
    }

    pub fn warn(cx: *Cx, comptime format: []const u8, args: anytype) void {
        host.log(.warn, cx.print(format, args), &.{});
    }

    pub fn err(cx: *Cx, comptime format: []const u8, args: anytype) void {
        host.log(.@"error", cx.print(format, args), &.{});
    }

    /// Milliseconds since the Unix epoch, by the host's clock, which may go back.
    pub fn nowMs(_: *const Cx) u64 {
        return host.nowMs();
    }

    /// Fills `bytes` from the system's generator.
    pub fn random(_: *const Cx, bytes: []u8) void {
        var rest = bytes;
        while (rest.len > 0) {
            const most = @min(rest.len, 65_536);
            host.random(rest[0..most]);
            rest = rest[most..];
        }
    }

    /// Milliseconds that are left of this turn's time; null where there is no limit.
    pub fn remainingMs(_: *const Cx) ?u64 {
        return host.remainingMs();
    }

    /// Saves the state at the end of this turn: it is durable before the reply and what was sent leave.
    pub fn save(_: *const Cx) void {
        host.save();
    }

    /// Ends this actor normally after this turn.
    pub fn stop(_: *const Cx) void {
        host.stop();
    }

    /// Sends `message` as JSON to another actor, expecting no reply: `try cx.send("room/1", .{ .say = text })`.
    pub fn send(cx: *Cx, to: []const u8, message: anytype) errors.SendError!void {
        return cx.sendBytes(to, try cx.encoded(to, message));
    }

    /// `send` with the body as it is.
    pub fn sendBytes(cx: *Cx, to: []const u8, body: []const u8) errors.SendError!void {
        return cx.sent(host.send(cx.text(to), body));
    }

    /// Calls another actor with `message` as JSON, and waits for its reply, which is read as `R`. With void as `R` it may
    /// be anything.
    pub fn call(cx: *Cx, comptime R: type, to: []const u8, message: anytype, options: CallOptions) errors.CallError!R {
        const reply = try cx.callBytes(to, try cx.encoded(to, message), options);
        if (R == void) return;
        var why: json.Why = .{};
        return json.decode(R, cx.arena, reply, &why) catch |cause| switch (cause) {
            error.OutOfMemory => error.OutOfMemory,
            error.BadJson => {
                cx.tell(error.BadReply, .{ .code = "bad-reply", .message = cx.print("{s}: {s}", .{ to, why.text }) });
                return error.BadReply;
            },
        };
    }

    /// `call` with message and reply as they are.
    pub fn callBytes(cx: *Cx, to: []const u8, body: []const u8, options: CallOptions) errors.CallError![]const u8 {
        const cause: errors.CallError, const detail: []const u8 = switch (host.call(cx.text(to), body, options.timeout_ms)) {
            .reply => |reply| return reply,
            .failed => |failure| {
                cx.tell(error.CallFailed, failure);
                return error.CallFailed;
            },
            .unknown_actor => .{ error.CallUnknownActor, "" },
            .mailbox_full => .{ error.CallMailboxFull, "" },
            .denied => .{ error.CallDenied, "" },
            .unavailable => .{ error.CallUnavailable, "" },
            .timeout => .{ error.CallTimeout, "" },
            .crashed => .{ error.CallCrashed, "" },
            .deadlock => .{ error.CallDeadlock, "" },
            .limit => |limit| .{ error.CallLimit, cx.print("a limit of the host was reached: {s}", .{limit}) },
        };
        cx.tellOf(cause, detail);
        return cause;
    }

    /// Asks for `timer` after so many milliseconds. A timer of the same name is replaced. Timers are kept with the state.
    pub fn setTimer(cx: *Cx, name: []const u8, after_ms: u64) errors.SendError!void {
        return cx.sent(host.setTimer(cx.text(name), after_ms));
    }

    /// Takes a timer back. Nothing happens if there is none of that name.
    pub fn cancelTimer(cx: *Cx, name: []const u8) void {
        host.cancelTimer(cx.text(name));
    }

    /// Asks for `down` when that actor ends, or at once where nobody has the name. Monitors are the instance's: set those
    /// again in `resumed` that should outlive it.
    pub fn monitor(cx: *Cx, name: []const u8) errors.SendError!void {
        return cx.sent(host.monitor(cx.text(name)));
    }

    pub fn demonitor(cx: *Cx, name: []const u8) void {
        host.demonitor(cx.text(name));
    }

    /// Starts a child below a supervisor, below the root if none is named, and returns when its `init` has.
    pub fn startChild(cx: *Cx, supervisor: ?[]const u8, child: supervisors.ChildSpec) errors.SupervisionError!void {
        var spec = child;
        spec.name = cx.text(child.name);
        spec.plugin = cx.text(child.plugin);
        return cx.asked(void, host.startChild(cx.textOrNull(supervisor), spec));
    }

    /// Tells a child to end, and returns when it has.
    pub fn terminateChild(cx: *Cx, child: []const u8) errors.SupervisionError!void {
        return cx.asked(void, host.terminateChild(cx.text(child)));
    }

    /// Starts a child again that has ended.
    pub fn restartChild(cx: *Cx, child: []const u8) errors.SupervisionError!void {
        return cx.asked(void, host.restartChild(cx.text(child)));
    }

    /// Removes the specification of a child that has ended.
    pub fn deleteChild(cx: *Cx, child: []const u8) errors.SupervisionError!void {
        return cx.asked(void, host.deleteChild(cx.text(child)));
    }

    /// The children of a supervisor, of the root if none is named, in the order of their start.
    pub fn whichChildren(
        cx: *Cx,
        supervisor: ?[]const u8,
    ) (errors.SupervisionError || Allocator.Error)![]const supervisors.ChildInfo {
        return cx.asked([]const supervisors.ChildInfo, try host.whichChildren(cx.arena, cx.textOrNull(supervisor)));
    }

    pub fn countChildren(cx: *Cx, supervisor: ?[]const u8) errors.SupervisionError!supervisors.Counts {
        return cx.asked(supervisors.Counts, host.countChildren(cx.textOrNull(supervisor)));
    }

    /// Where the actor of that name stands; null: nobody has it.
    pub fn whereis(cx: *Cx, name: []const u8) ?supervisors.Phase {
        return host.whereis(cx.text(name));
    }

    /// The members of a group, in the order in which they came.
    pub fn members(cx: *Cx, group: []const u8) (errors.SupervisionError || Allocator.Error)![]const []const u8 {
        return cx.asked([]const []const u8, try host.members(cx.arena, cx.text(group)));
    }

    /// The value of an actor's attribute.
    pub fn attribute(cx: *Cx, name: []const u8, key: []const u8) ?[]const u8 {
        return host.attribute(cx.text(name), cx.text(key));
    }

    /// The actors whose attribute `key` is `value`, in the order of their names.
    pub fn having(
        cx: *Cx,
        key: []const u8,
        value: []const u8,
    ) (errors.SupervisionError || Allocator.Error)![]const []const u8 {
        return cx.asked([]const []const u8, try host.having(cx.arena, cx.text(key), cx.text(value)));
    }

    /// From then on the end of one of the two ends the other as well, unless it was normal; one that traps exits gets
    /// `exit` instead.
    pub fn link(cx: *Cx, name: []const u8) errors.SendError!void {
        return cx.sent(host.link(cx.text(name)));
    }

    pub fn unlink(cx: *Cx, name: []const u8) errors.SendError!void {
        return cx.sent(host.unlink(cx.text(name)));
    }

    /// Does to an actor what the end of this one would, were they linked: `normal`, `shutdown`, `killed`, or a text of
    /// one's own, which is a crash.
    pub fn exit(cx: *Cx, name: []const u8, reason: []const u8) errors.SendError!void {
        return cx.sent(host.exit(cx.text(name), cx.text(reason)));
    }

    /// Makes this actor a member of a group.
    pub fn join(cx: *Cx, group: []const u8) errors.SendError!void {
        return cx.sent(host.join(cx.text(group)));
    }

    pub fn leave(cx: *Cx, group: []const u8) errors.SendError!void {
        return cx.sent(host.leave(cx.text(group)));
    }

    /// Sends `message` as JSON to all members of a group, this actor included if it is one.
    pub fn dispatch(cx: *Cx, group: []const u8, message: anytype) errors.SendError!void {
        return cx.dispatchBytes(group, try cx.encoded(group, message));
    }

    pub fn dispatchBytes(cx: *Cx, group: []const u8, body: []const u8) errors.SendError!void {
        return cx.sent(host.dispatch(cx.text(group), body));
    }

    /// Sets an attribute of this actor; null removes it.
    pub fn setAttribute(cx: *Cx, key: []const u8, value: ?[]const u8) errors.SendError!void {
        return cx.sent(host.setAttribute(cx.text(key), cx.textOrNull(value)));
    }

    fn encoded(cx: *Cx, to: []const u8, message: anytype) error{ NotEncodable, OutOfMemory }![]const u8 {
        return json.encode(cx.arena, message) catch |cause| {
            if (cause == error.NotEncodable) cx.tell(cause, .{
                .code = "not-encodable",
                .message = cx.print("the message to {s} cannot be written as JSON: a text is not UTF-8", .{to}),
            });
            return cause;
        };
    }

    fn sent(cx: *Cx, outcome: hosts.Sent) errors.SendError!void {
        switch (outcome) {
            .ok => {},
            .denied => {
                cx.tellOf(error.SendDenied, "");
                return error.SendDenied;
            },
            .limit => |limit| {
                cx.tellOf(error.SendLimit, cx.print("a limit of the host was reached: {s}", .{limit}));
                return error.SendLimit;
            },
        }
    }

    fn asked(cx: *Cx, comptime T: type, outcome: hosts.Asked(T)) errors.SupervisionError!T {
        const cause = switch (outcome) {
            .ok => |value| return value,
            .problem => |cause| cause,
        };
        const detail = if (cause.err == error.SupervisionLimit)
            cx.print("a limit of the host was reached: {s}", .{cause.detail})
        else
            cause.detail;
        cx.tellOf(cause.err, detail);
        return cause.err;
    }

    fn tellOf(cx: *Cx, cause: anyerror, detail: []const u8) void {
        const code, const message = errors.told(cause, detail);
        cx.tell(cause, .{ .code = code, .message = message });
    }

    fn tell(cx: *Cx, cause: anyerror, failure: errors.Failure) void {
        cx.last = .{ .err = cause, .failure = failure };
    }

    fn print(cx: *Cx, comptime format: []const u8, args: anytype) []const u8 {
        return cx.text(std.fmt.allocPrint(cx.arena, format, args) catch return "out of memory");
    }

    fn text(cx: *Cx, bytes: []const u8) []const u8 {
        return utf8.text(cx.arena, bytes);
    }

    fn textOrNull(cx: *Cx, bytes: ?[]const u8) ?[]const u8 {
        return if (bytes) |some| cx.text(some) else null;
    }
};
