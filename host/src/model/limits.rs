//! Every bound that a guest or its messages meet.

use std::fmt;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// How many instances may live at once, unless told otherwise.
pub const DEFAULT_INSTANCES: u32 = 10_000;

/// Bounds of one actor: each with its unit last in its name. The defaults fit small plugins.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Messages that may wait.
    pub mailbox_messages: usize,
    /// Bytes of messages that may wait.
    pub mailbox_bytes: usize,
    /// Bytes of one message body, and of one reply.
    pub message_bytes: usize,
    /// Bytes of a state.
    pub snapshot_bytes: usize,
    /// Bytes of linear memory, all memories of an instance together.
    pub memory_bytes: usize,
    /// Linear memories of one instance.
    pub memories: usize,
    /// Elements of each table.
    pub table_elements: usize,
    /// Tables of one instance.
    pub tables: usize,
    /// Core instances that one instance of a component is made of.
    pub core_instances: usize,
    /// Milliseconds for `init`; its supervisor waits for it.
    pub start_timeout_ms: u64,
    /// Milliseconds for `continue`.
    pub continue_timeout_ms: u64,
    /// Milliseconds for one message, `snapshot`, or `describe`.
    pub turn_timeout_ms: u64,
    /// Milliseconds that the guest itself may compute in one call, of whatever kind: waiting for others does not count.
    pub turn_guest_ms: u64,
    /// Fuel for one call, about one unit for each instruction; 0: it is not counted. Counted, the guest computes more slowly.
    pub turn_fuel: u64,
    /// Times that `continue` may trap or run out of time on one record before that counts as a refusal.
    pub continue_attempts: u32,
    /// Messages that one turn may send.
    pub turn_sends: usize,
    /// Bytes that one turn may send.
    pub turn_send_bytes: usize,
    /// Calls of other actors, and questions to and changes of the supervision tree, in one turn.
    pub turn_calls: usize,
    /// Timers that an actor may have.
    pub timers: usize,
    /// Messages that an actor with `durability = "turn"` may have sent and that nobody has confirmed yet.
    pub outbox_messages: usize,
    /// Bytes of them.
    pub outbox_bytes: usize,
    /// Replies that such an actor keeps, for those who ask again with the same id.
    pub replies: usize,
    /// Bytes of them; the last one is kept whatever its size.
    pub replies_bytes: usize,
    /// Milliseconds that they are kept.
    pub replies_ms: u64,
    /// Bytes of one log line with its fields; the rest is cut.
    pub log_line_bytes: usize,
    /// Log lines in one turn; the rest is dropped.
    pub turn_log_lines: usize,
    /// Log lines per second, over all turns: one turn's may come at once. The rest is counted and dropped.
    pub log_lines_per_second: usize,
    /// Files and directories that an instance may have open, where it was granted directories.
    pub open_files: usize,
    /// Sockets that an instance may have open, HTTP requests under way among them, where it was granted any.
    pub open_sockets: usize,
    /// Milliseconds for one HTTP request, from the look-up of its host to the last byte of the answer.
    pub http_timeout_ms: u64,
    /// Bytes of the body of one HTTP request, and of its answer's.
    pub http_body_bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        const MIB: usize = 1 << 20;
        Self {
            mailbox_messages: 1_000,
            mailbox_bytes: 16 * MIB,
            message_bytes: 4 * MIB,
            snapshot_bytes: 16 * MIB,
            memory_bytes: 256 * MIB,
            memories: 4,
            table_elements: 100_000,
            tables: 16,
            core_instances: 32,
            start_timeout_ms: 5_000,
            continue_timeout_ms: 30_000,
            turn_timeout_ms: 30_000,
            turn_guest_ms: 10_000,
            turn_fuel: 0,
            continue_attempts: 3,
            turn_sends: 1_000,
            turn_send_bytes: 16 * MIB,
            turn_calls: 1_000,
            timers: 1_000,
            outbox_messages: 1_000,
            outbox_bytes: 4 * MIB,
            replies: 100,
            replies_bytes: 256 << 10,
            replies_ms: 600_000,
            log_line_bytes: 8 << 10,
            turn_log_lines: 1_000,
            log_lines_per_second: 200,
            open_files: 64,
            open_sockets: 16,
            http_timeout_ms: 30_000,
            http_body_bytes: 16 << 20,
        }
    }
}

/// Where core dumps go, and how much of them is kept: the newest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CoreDumps {
    /// The folder; it is made if need be, for its owner alone.
    pub dir: PathBuf,
    /// How many are kept.
    pub files: usize,
    /// How many bytes all of them may have together; a guest with more memory than that is not dumped.
    pub bytes: u64,
}

impl CoreDumps {
    /// In `dir`: 16 files of 256 MiB together, unless told.
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self { dir: dir.into(), files: 16, bytes: 256 << 20 }
    }
}

/// Most memories, tables and core instances of one instance: what there is room for in the engine's pool.
pub(crate) const MOST_MEMORIES: u32 = 16;
pub(crate) const MOST_TABLES: u32 = 64;
pub(crate) const MOST_CORE_INSTANCES: u32 = 128;

/// A limit that was met, as whoever met it is told: its name, its value, and the line of baton.toml that raises it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LimitMet {
    key: &'static str,
    value: u64,
    of_the_host: bool,
}

const RAISE: &str = "; raise it with ";
const OF_AN_ACTOR: &str = " under its [[actor]] or [[plugin]]";
const OF_THE_HOST: &str = " at the top of baton.toml";

impl LimitMet {
    /// One of [`Limits`].
    pub(crate) fn new(key: &'static str, value: impl TryInto<u64>) -> Self {
        Self { key, value: value.try_into().unwrap_or(u64::MAX), of_the_host: false }
    }

    /// A text in which limits were told, for whoever cannot raise them: without the lines that would.
    pub(crate) fn without_cures(text: &str) -> String {
        let mut parts = text.split(RAISE);
        let first = parts.next().unwrap_or_default().to_owned();
        parts.fold(first, |told, part| {
            let rest = [OF_AN_ACTOR, OF_THE_HOST].iter().find_map(|end| Some(part.split_once(end)?.1));
            told + rest.unwrap_or(part)
        })
    }

    /// One of the host's own.
    pub(crate) fn of_the_host(key: &'static str, value: impl TryInto<u64>) -> Self {
        Self { of_the_host: true, ..Self::new(key, value) }
    }
}

impl fmt::Display for LimitMet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { key, value, of_the_host } = self;
        write!(f, "limit {key} = {value}{RAISE}")?;
        match of_the_host {
            false => write!(f, "`limits.{key} = …`{OF_AN_ACTOR}"),
            true => write!(f, "`{key} = …`{OF_THE_HOST}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_that_is_met_says_its_name_its_value_and_the_line_that_raises_it() {
        let cases = [
            (
                LimitMet::new("turn_sends", 3_usize),
                "limit turn_sends = 3; raise it with `limits.turn_sends = …` under its [[actor]] or [[plugin]]",
            ),
            (
                LimitMet::of_the_host("instances", 7_u32),
                "limit instances = 7; raise it with `instances = …` at the top of baton.toml",
            ),
        ];
        for (met, text) in cases {
            assert_eq!(met.to_string(), text);
        }
        let two = cases.map(|(met, _)| format!("too many ({met})")).join(", ");
        assert_eq!(LimitMet::without_cures(&two), "too many (limit turn_sends = 3), too many (limit instances = 7)");
        assert_eq!(LimitMet::without_cures("no limit"), "no limit");
    }
}
