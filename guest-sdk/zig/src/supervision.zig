//! Children, links, groups and names: what an actor can ask of those around it, under OTP's names. `Cx` has the
//! functions; a plugin that calls none of them does not import them.

/// When a child that has ended is started again.
pub const Restart = enum(u8) {
    permanent,
    /// After a crash.
    transient,
    temporary,
};

/// How long a child may take to stop before it is killed.
pub const Shutdown = union(enum) {
    /// Killed at once: `terminate` is not called.
    brutal_kill,
    /// Milliseconds, 1 to 86,400,000.
    after_ms: u64,
    infinity,
};

/// An actor to start.
pub const ChildSpec = struct {
    /// Its id, and its name as an actor.
    name: []const u8,
    plugin: []const u8,
    /// What its `init` is given.
    args: []const u8 = "",
    restart: Restart = .permanent,
    shutdown: Shutdown = .{ .after_ms = 5_000 },
    /// Whether its end, when it is not started again, counts for its supervisor's `auto_shutdown`.
    significant: bool = false,
};

pub const ChildKind = union(enum) { worker, supervisor, other: []const u8 };

/// Where a child stands.
pub const ChildState = union(enum) {
    /// It does not run, and nobody is about to start it.
    down,
    starting,
    up,
    /// It ended, and waits to be started again.
    restarting,
    stopping,
    /// It was restarted too often, or would not start; it stays down until it is started again.
    failed,
    other: []const u8,
};

/// A child as its supervisor sees it.
pub const ChildInfo = struct {
    name: []const u8,
    /// Null: it stands below the root.
    supervisor: ?[]const u8,
    kind: ChildKind,
    state: ChildState,
    restart: Restart,
    shutdown: Shutdown,
    significant: bool,
    /// Restarts by its supervisor, since it was added.
    restarts: u64,
    /// How it ended last.
    last_exit: ?[]const u8,
};

/// What OTP's `count_children` says.
pub const Counts = extern struct { specs: u64, active: u64, supervisors: u64, workers: u64 };

/// Where an actor stands.
pub const Phase = union(enum) {
    starting,
    continuing,
    running,
    suspended,
    stopping,
    restarting,
    /// Parked with a state that nobody could use.
    held,
    failed,
    other: []const u8,
};

/// Why a supervisor did not do what it was asked.
pub const Problem = struct {
    err: @import("errors.zig").SupervisionError,
    detail: []const u8 = "",
};
