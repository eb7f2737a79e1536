"""What must not compile, and the words for it: `python3 tests/refused.py zig`, or whatever runs Zig."""

import pathlib
import subprocess
import sys
import tempfile

SDK = pathlib.Path(__file__).resolve().parent.parent / "src" / "baton.zig"
PARTS = {
    "panic": "pub const panic = baton.panic;",
    "facts": '.name = "a", .version = "1.0.0"',
    "more": "",
    "fields": "n: u64 = 0,",
    "schema": "pub const schema = 3;",
    "init": "pub fn init(_: *baton.Cx) !A { return .{}; }",
    "handle": "pub fn handle(self: *A, _: enum { get }, _: *baton.Cx) !u64 { return self.n; }",
    "rest": "",
}
LAYOUTS = """const V1 = struct { n: u8 };
const V2 = struct { n: u16 };
fn up1(old: V1) V2 { return .{ .n = old.n }; }
fn up2(old: V2) A { return .{ .n = old.n }; }"""
ONE = ".{ .schema = 1, .state = V1, .up = up1 }"
TWO = ".{ .schema = 2, .state = V2, .up = up2 }"
FIVE = ".{ .schema = 5, .state = V2, .down = up2 }"


def chain(*steps):
    return {"more": LAYOUTS, "rest": "pub const migrations = .{ " + ", ".join(steps) + " };"}


CASES = [
    ({}, None),
    (chain(ONE, TWO), None),
    (chain(TWO), None),
    ({"panic": ""}, "add `pub const panic = baton.panic;`"),
    ({"facts": '.name = "Ab", .version = "1.0.0"'}, "is no plugin's name"),
    ({"facts": '.name = "a", .version = "1.0"'}, "is no version"),
    ({"handle": ""}, "main.A needs `pub fn handle("),
    ({"handle": PARTS["handle"].replace("pub ", "")}, "main.A needs `pub fn handle("),
    ({"schema": ""}, "`pub const schema = 1;` at first"),
    ({"init": "pub fn init(_: *baton.Cx) !u8 { return 1; }"}, "main.A.init gives a main.A"),
    ({"rest": "pub fn timer(_: *A, _: u32, _: *baton.Cx) !void {}"}, "main.A.timer takes (*main.A, []const u8, *cx.Cx)"),
    ({"rest": 'pub const media_type = "text/plain";'}, "main.A.handle takes []const u8"),
    ({"fields": "n: u64 = 0, p: ?*u8 = null,"}, "main.A.p.? is *u8, which no state can hold"),
    ({"fields": "n: u64 = 0, m: std.StringHashMapUnmanaged(u8) = .empty,"}, "baton.StringMap has one"),
    (chain(ONE), "a gap: schema 2 is missing on the way to 3"),
    (chain(TWO, FIVE), "a gap: schema 4 is missing on the way to 5"),
    (chain(FIVE), "needs that of 4 before it"),
    (chain(TWO, ONE), "the oldest comes first"),
    (chain(TWO.replace("up2", "up1")), "`.up` is a function (main.V2, *baton.Cx) main.A"),
    (chain(TWO.replace(".up ", ".down ")), "has `.up` if it is older"),
]


def compiled(zig, folder, changes):
    parts = PARTS | changes
    (folder / "main.zig").write_text(
        'const std = @import("std");\nconst baton = @import("baton");\n%(panic)s\n'
        "comptime { baton.plugin(A, .{ %(facts)s }); }\n%(more)s\n"
        "const A = struct {\n%(fields)s\n%(schema)s\n%(init)s\n%(handle)s\n%(rest)s\n};\n" % parts
    )
    words = ["build-exe", "-target", "wasm32-freestanding", "--dep", "baton", "-Mroot=main.zig", f"-Mbaton={SDK}"]
    words += ["-fno-entry", "-rdynamic", "-fno-emit-bin"]
    return subprocess.run(zig + words, cwd=folder, capture_output=True, text=True, check=False)


def main(zig):
    broken = 0
    with tempfile.TemporaryDirectory() as folder:
        for changes, words in CASES:
            done = compiled(zig, pathlib.Path(folder), changes)
            kept = done.returncode == 0 if words is None else done.returncode != 0 and words in done.stderr
            if not kept:
                broken += 1
                print(f"{changes}: expected {words or 'that it compiles'}, and got\n{done.stderr}")
    print(f"{len(CASES) - broken} of {len(CASES)} as expected")
    return broken


if __name__ == "__main__":
    sys.exit(1 if main(sys.argv[1:] or ["zig"]) else 0)
