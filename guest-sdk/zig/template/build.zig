//! For editors, and for `zig build test`. `baton build` does not need it.

const std = @import("std");

pub fn build(b: *std.Build) void {
    const baton = b.createModule(.{ .root_source_file = b.path("sdk/src/baton.zig") });
    const plugin = b.createModule(.{
        .root_source_file = b.path("src/main.zig"),
        .target = b.standardTargetOptions(.{}),
        .optimize = b.standardOptimizeOption(.{}),
        .imports = &.{.{ .name = "baton", .module = baton }},
    });
    const tests = b.addRunArtifact(b.addTest(.{ .root_module = plugin }));
    b.step("test", "Run the native tests").dependOn(&tests.step);
}
