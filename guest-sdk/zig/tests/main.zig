//! Tests of the SDK: `zig test --dep baton -Mroot=tests/main.zig -Mbaton=src/baton.zig`.

test {
    _ = @import("actor.zig");
    _ = @import("state.zig");
    _ = @import("json.zig");
    _ = @import("turn.zig");
}
