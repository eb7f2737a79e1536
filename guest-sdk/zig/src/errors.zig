//! What goes wrong: the errors of the host, and what is told of them.

const std = @import("std");

/// The guest's own error, a reply like any other: a code for programs, such as `out-of-stock`, and a message for people.
pub const Failure = struct {
    code: []const u8,
    message: []const u8,
};

/// Why a state is not taken over.
pub const Refusal = enum {
    /// This plugin cannot read that schema.
    incompatible,
    /// The bytes do not decode, or break a rule.
    corrupt,
    /// Too old to be of use.
    stale,
    /// Something it needs is out of reach now; the same state may be taken over later.
    unavailable,
    other,
};

/// An error that has been told in words: when it is what ends the callback, these are what is answered.
pub const Told = struct {
    err: anyerror,
    failure: Failure,
    refusal: Refusal = .other,
};

/// Why something could not be sent, or a timer not be set. Known at once; whether a message arrives shows later.
pub const SendError = error{
    /// This actor is not allowed to.
    SendDenied,
    /// A limit of the host, which `cx.problem()` names.
    SendLimit,
    /// The message cannot be written as JSON.
    NotEncodable,
    OutOfMemory,
};

/// Why a call brought no reply.
pub const CallError = error{
    CallUnknownActor,
    CallMailboxFull,
    CallDenied,
    /// The actor is stopping or parked. It has not seen the message: try again.
    CallUnavailable,
    /// No answer in time. Whether the message was handled is not known.
    CallTimeout,
    /// The actor trapped while it handled the message.
    CallCrashed,
    /// The actor called waits, through others, for this one.
    CallDeadlock,
    /// A limit of the host, which `cx.problem()` names.
    CallLimit,
    /// The actor answered with a failure, which `cx.problem()` is.
    CallFailed,
    /// The reply is not what was expected.
    BadReply,
    /// The message cannot be written as JSON.
    NotEncodable,
    OutOfMemory,
};

/// Why a supervisor did not do what it was asked.
pub const SupervisionError = error{
    SupervisionDenied,
    UnknownSupervisor,
    UnknownChild,
    AlreadyStarted,
    AlreadyPresent,
    Running,
    Restarting,
    MaxChildren,
    UnknownPlugin,
    BadSpec,
    StartFailed,
    ShuttingDown,
    SupervisionLimit,
    SupervisionFailed,
};

/// Code and message of an error of the host; of some, the host says more than the error does.
pub fn told(err: anyerror, detail: []const u8) struct { []const u8, []const u8 } {
    return switch (err) {
        error.SendDenied => .{ "send-denied", "this actor is not allowed to send that" },
        error.SendLimit => .{ "send-limit", detail },
        error.CallUnknownActor => .{ "call-unknown-actor", "there is no actor of that name" },
        error.CallMailboxFull => .{ "call-mailbox-full", "the mailbox of the actor called is full" },
        error.CallDenied => .{ "call-denied", "this actor is not allowed to call that one" },
        error.CallUnavailable => .{
            "call-unavailable",
            "the actor called is stopping or parked; it has not seen the message",
        },
        error.CallTimeout => .{ "call-timeout", "no answer in time; whether the message was handled is not known" },
        error.CallCrashed => .{ "call-crashed", "the actor called crashed over the message" },
        error.CallDeadlock => .{ "call-deadlock", "the actor called waits for this one" },
        error.CallLimit => .{ "call-limit", detail },
        error.SupervisionDenied => .{ "supervision-denied", "this actor is not allowed to do that" },
        error.UnknownSupervisor => .{ "unknown-supervisor", "there is no supervisor of that name" },
        error.UnknownChild => .{ "unknown-child", "no supervisor has a child of that name" },
        error.AlreadyStarted => .{ "already-started", "an actor of that name runs already" },
        error.AlreadyPresent => .{
            "already-present",
            "a child of that name is there and does not run: restart or delete it",
        },
        error.Running => .{ "running", "the child runs" },
        error.Restarting => .{ "restarting", "the child is about to be started again" },
        error.MaxChildren => .{ "max-children", "the supervisor has as many children as it may have" },
        error.UnknownPlugin => .{ "unknown-plugin", "the host has no plugin of that name" },
        error.BadSpec => .{ "bad-spec", detail },
        error.StartFailed => .{ "start-failed", detail },
        error.ShuttingDown => .{ "shutting-down", "the host is going down" },
        error.SupervisionLimit => .{ "supervision-limit", detail },
        error.SupervisionFailed => .{ "supervision-failed", detail },
        else => .{ @errorName(err), detail },
    };
}
