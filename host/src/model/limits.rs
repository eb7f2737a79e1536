//! Every bound that a guest or its messages meet.

use serde::{Deserialize, Serialize};

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
    /// Elements of each table.
    pub table_elements: usize,
    /// Milliseconds for `init`; its supervisor waits for it.
    pub start_timeout_ms: u64,
    /// Milliseconds for `continue`.
    pub continue_timeout_ms: u64,
    /// Milliseconds for one message, `snapshot`, or `describe`.
    pub turn_timeout_ms: u64,
    /// Times that `continue` may trap or run out of time on one record before that counts as a refusal.
    pub continue_attempts: u32,
    /// Messages that one turn may send.
    pub turn_sends: usize,
    /// Bytes that one turn may send.
    pub turn_send_bytes: usize,
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
    /// Log lines in one turn; the rest is counted and dropped.
    pub turn_log_lines: usize,
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
            table_elements: 100_000,
            start_timeout_ms: 5_000,
            continue_timeout_ms: 30_000,
            turn_timeout_ms: 30_000,
            continue_attempts: 3,
            turn_sends: 1_000,
            turn_send_bytes: 16 * MIB,
            timers: 1_000,
            outbox_messages: 1_000,
            outbox_bytes: 4 * MIB,
            replies: 100,
            replies_bytes: 256 << 10,
            replies_ms: 600_000,
            log_line_bytes: 8 << 10,
            turn_log_lines: 1_000,
        }
    }
}
