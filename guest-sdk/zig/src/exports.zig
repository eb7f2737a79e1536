//! The component's exports: the only part, beside the imports, that differs from what a native test runs.

const std = @import("std");
const abi = @import("abi.zig");
const actor = @import("actor.zig");
const errors = @import("errors.zig");
const instances = @import("instance.zig");
const logs = @import("log.zig");
const migrations = @import("migrations.zig");

const Bytes = abi.Bytes;
const slice = abi.slice;

const prefix = "baton:actor/lifecycle@0.1.0#";

/// A `failure`.
const RawFailure = extern struct {
    code: Bytes,
    message: Bytes,

    fn of(failure: errors.Failure) RawFailure {
        return .{ .code = .of(failure.code), .message = .of(failure.message) };
    }
};
/// A `result<start, failure>`.
const StartResult = extern struct { is_error: u8, value: extern union { trap_exit: u8, failure: RawFailure } };
/// A `result<_, refusal>`.
const TakenResult = extern struct { is_error: u8, refusal: abi.Case };
/// A `result<list<u8>, failure>`.
const ReplyResult = extern struct { is_error: u8, value: extern union { reply: Bytes, failure: RawFailure } };
/// A `result<option<state>, failure>`, and a `result<legacy, failure>`.
const StateResult = extern struct {
    is_error: u8,
    value: extern union { state: extern struct { case: u8, schema: u32, data: Bytes }, failure: RawFailure },
};
const RawDescription = extern struct {
    name: Bytes,
    version: Bytes,
    schema: u32,
    reads_from: u32,
    reads_to: u32,
    messages: Bytes,
    metadata: extern struct { at: [*]const [2]Bytes, len: usize },
};

/// Where answers lie until the host has read them.
var answer: extern union { start: StartResult, taken: TakenResult, reply: ReplyResult, state: StateResult } = undefined;

pub fn add(comptime A: type, comptime facts: actor.Facts) void {
    comptime {
        std.debug.assert(@sizeOf(StartResult) == 20 and @sizeOf(TakenResult) == 16 and @sizeOf(ReplyResult) == 20);
        std.debug.assert(@sizeOf(StateResult) == 20 and @sizeOf(RawDescription) == 44);
    }
    // By a type of its own, so that the names of functions in backtraces do not tell all facts.
    const exports = Exports(A, struct {
        const told = facts;
    });
    inline for (.{ "describe", "init", "continue", "handle", "snapshot", "terminate" }) |name| {
        const function = if (comptime std.mem.eql(u8, name, "continue")) exports.continue_ else @field(exports, name);
        @export(&function, .{ .name = prefix ++ name });
        @export(&endTurn, .{ .name = "cabi_post_" ++ prefix ++ name });
    }
    @export(&abi.realloc, .{ .name = "cabi_realloc" });
}

/// The host has read the answer: with it goes all that came and went in this turn.
fn endTurn(_: *const anyopaque) callconv(.c) void {
    abi.turn.reset();
}

fn Exports(comptime A: type, comptime Told: type) type {
    const facts = Told.told;
    return struct {
        var instance: instances.Instance(A) = .{
            .name = facts.name,
            .version = facts.version,
            .keep = undefined,
            .cx = .{ .actor = "", .args = "", .gpa = std.heap.wasm_allocator, .arena = undefined },
        };

        /// An actor that has nothing else on the heap should not need pages for its name.
        var kept: std.heap.BufferFirstAllocator = .init(&kept_first, std.heap.wasm_allocator);
        var kept_first: [512]u8 = undefined;

        fn describe() callconv(.c) *const RawDescription {
            const metadata = comptime metadataOf(facts);
            const oldest, const newest = comptime migrations.range(A);
            const description = struct {
                const value: RawDescription = .{
                    .name = .of(facts.name),
                    .version = .of(facts.version),
                    .schema = A.schema,
                    .reads_from = oldest,
                    .reads_to = newest,
                    .messages = .of(actor.Of(A).media_type),
                    .metadata = .{ .at = &metadata, .len = metadata.len },
                };
            };
            return &description.value;
        }

        fn init(name: usize, name_len: usize, args: usize, args_len: usize) callconv(.c) *const StartResult {
            instance.cx.arena = abi.turn.allocator();
            instance.keep = kept.allocator();
            const failed = instance.init(slice(name, name_len), slice(args, args_len)) catch |err| logs.crash("init", err);
            answer = .{ .start = if (failed) |failure|
                .{ .is_error = 1, .value = .{ .failure = .of(failure) } }
            else
                .{ .is_error = 0, .value = .{ .trap_exit = @intFromBool(instance.trapsExits()) } } };
            return &answer.start;
        }

        fn continue_(
            generation: u64,
            some: u32,
            schema: u32,
            data: usize,
            data_len: usize,
            origin: u32,
            origin_a: u32,
            origin_b: u64,
            origin_c: u32,
            written_generation: u64,
            version: usize,
            version_len: usize,
            age_ms: u64,
        ) callconv(.c) *const TakenResult {
            const handoff: ?instances.Handoff = if (some == 0) null else .{
                .data = slice(data, data_len),
                .predecessor = .{
                    .schema = schema,
                    .origin = originOf(origin, origin_a, origin_b, origin_c),
                    .generation = written_generation,
                    .written_by = slice(version, version_len),
                    .age_ms = age_ms,
                },
            };
            const taken = instance.takeOver(generation, handoff) catch |err| logs.crash("continue", err);
            answer = .{ .taken = switch (taken) {
                .ok => .{ .is_error = 0, .refusal = .{} },
                .refused => |why| .{ .is_error = 1, .refusal = .{ .case = @backingInt(why[0]), .text = .of(why[1]) } },
            } };
            return &answer.taken;
        }

        fn handle(
            case: u32,
            a: usize,
            a_len: usize,
            b_some: usize,
            b: usize,
            b_len: usize,
            body: usize,
            body_len: usize,
        ) callconv(.c) *const ReplyResult {
            const outcome = switch (case) {
                0, 1 => instance.request(.{
                    .id = slice(a, a_len),
                    .sender = if (b_some == 0) null else slice(b, b_len),
                    .body = slice(body, body_len),
                    .expects_reply = case == 0,
                }),
                2 => instance.timer(slice(a, a_len)),
                // The second text begins where a request says whether there is a sender.
                3 => instance.down(slice(a, a_len), slice(b_some, b)),
                else => instance.other(slice(a, a_len), slice(b_some, b)),
            } catch |err| logs.crash("handle", err);
            answer = .{ .reply = switch (outcome) {
                .reply => |reply| .{ .is_error = 0, .value = .{ .reply = .of(reply) } },
                .failure => |failure| .{ .is_error = 1, .value = .{ .failure = .of(failure) } },
            } };
            return &answer.reply;
        }

        fn snapshot() callconv(.c) *const StateResult {
            answer.state = switch (instance.snapshot() catch |err| logs.crash("snapshot", err)) {
                .data => |data| stateOf(1, data),
                .failure => |failure| .{ .is_error = 1, .value = .{ .failure = .of(failure) } },
            };
            return &answer.state;
        }

        fn terminate(reason: u32, text: usize, text_len: usize, limited: u32, budget_ms: u64) callconv(.c) *const StateResult {
            const why = reasonOf(reason, text, text_len);
            const budget: ?u64 = if (limited == 0) null else budget_ms;
            answer.state = switch (instance.terminate(why, budget) catch |err| logs.crash("terminate", err)) {
                .save => |data| stateOf(0, data),
                .keep => stateOf(1, ""),
                .forget => stateOf(2, ""),
                .failure => |failure| .{ .is_error = 1, .value = .{ .failure = .of(failure) } },
            };
            return &answer.state;
        }

        fn stateOf(case: u8, data: []const u8) StateResult {
            return .{ .is_error = 0, .value = .{ .state = .{ .case = case, .schema = A.schema, .data = .of(data) } } };
        }
    };
}

fn metadataOf(comptime facts: actor.Facts) [countOf(facts)][2]Bytes {
    var all: [countOf(facts)][2]Bytes = undefined;
    var at: usize = 0;
    for (known(facts) ++ facts.metadata) |fact| {
        if (fact[1].len == 0) continue;
        all[at] = .{ .of(fact[0]), .of(fact[1]) };
        at += 1;
    }
    return all;
}

fn countOf(comptime facts: actor.Facts) usize {
    var count: usize = 0;
    for (known(facts) ++ facts.metadata) |fact| count += @intFromBool(fact[1].len > 0);
    return count;
}

fn known(comptime facts: actor.Facts) []const [2][]const u8 {
    return &.{
        .{ "description", facts.description },
        .{ "authors", facts.authors },
        .{ "license", facts.license },
        .{ "homepage", facts.homepage },
        .{ "repository", facts.repository },
        .{ "sdk", "baton-zig " ++ @import("baton.zig").sdk_version },
    };
}

fn originOf(case: u32, a: u32, b: u64, c: u32) actor.Origin {
    return switch (case) {
        0 => .{ .terminated = reasonOf(a, @truncate(b), c) },
        1 => .switched,
        2 => .{ .checkpoint = if (a == 0) null else b },
        3 => .restored,
        else => .{ .other = slice(a, @truncate(b)) },
    };
}

fn reasonOf(case: u32, text: usize, text_len: usize) actor.StopReason {
    return switch (case) {
        0 => .normal,
        1 => .shutdown,
        2 => .upgrade,
        3 => .passivate,
        4 => .relocate,
        5 => .restart,
        else => .{ .other = slice(text, text_len) },
    };
}
