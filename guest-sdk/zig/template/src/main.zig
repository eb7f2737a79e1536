//! {{name}}: adds numbers up. Takes "get" and {"add": 3}, and answers with the sum.

const std = @import("std");
const baton = @import("baton");

// What a panic says goes to the host's log.
pub const panic = baton.panic;
pub const std_options = baton.std_options;

comptime {
    baton.plugin(Total, .{ .name = "{{name}}", .version = "0.1.0", .description = "Adds numbers up." });
}

/// What it is asked: "get" is `.get`, {"add": 3} is `.{ .add = 3 }`. Add your own messages here.
const Message = union(enum) {
    get,
    add: u64,
};

/// The fields are the state: all that outlives this instance. Another field, or another type of one, is another layout:
/// raise `schema`, and see "A new layout" in sdk/README.md before the first release with it.
const Total = struct {
    total: u64,

    pub const schema = 1;

    /// A fresh state. The arguments are what the actor was started with: nothing, null, or a number to begin at.
    pub fn init(cx: *baton.Cx) !Total {
        return .{ .total = try cx.argsJson(?u64) orelse 0 };
    }

    /// One message, and its reply. A failure is a reply like any other. `cx` has what the host can do: `cx.send`,
    /// `cx.call`, `cx.setTimer`, `cx.info`, `cx.save`, …
    pub fn handle(self: *Total, message: Message, cx: *baton.Cx) !u64 {
        switch (message) {
            .get => {},
            .add => |n| self.total = std.math.add(u64, self.total, n) catch
                return cx.fail("overflow", "the sum would be too large", .{}),
        }
        return self.total;
    }

    // More callbacks, each of them public: started, resumed, validate, timer, down, exit, other, terminate, deinit.
};

test "adds up, and goes on after a handover" {
    const t = try baton.testing.start(Total, .{});
    defer t.deinit();
    try t.expectReply("{\"add\": 3}", "3");
    try t.handover();
    try t.expectReply("\"get\"", "3");
    try t.expectFailure("{\"add\": \"three\"}", "bad-message");
    try t.expectFailure("{\"add\": 18446744073709551615}", "overflow");
    // It asked for nothing: no send, no timer, no save.
    try t.expectEffects("");
}

test "begins where its argument says" {
    const t = try baton.testing.start(Total, .{ .args = "40" });
    defer t.deinit();
    try t.expectReply("\"get\"", "40");
    try baton.testing.expectInitFailure(Total, .{ .args = "\"forty\"" }, "bad-args");
}

test "states of released versions are read" {
    const t = try baton.testing.resumed(Total, 1, &.{3}, .{});
    defer t.deinit();
    try t.expectReply("\"get\"", "3");
    // Changed without a raised schema, this fails.
    try baton.testing.expectLayout(Total, "{ total: u64 }");
}
