//! The `limits` of a section: what is sensible, and what is inherited.

use std::ops::RangeInclusive;

use serde_json::json;

use super::keys::Key;
use super::problem::Problems;
use super::section::{Elsewhere, Section};
use super::settings::{DAY_MS, TOP_KEYS};
use crate::model::{Limits, MOST_CORE_INSTANCES, MOST_MEMORIES, MOST_TABLES};

/// An hour, the longest that one call into a guest may take.
const HOUR_MS: u64 = 60 * 60 * 1_000;
/// What `start_timeout_ms` may be.
pub(super) const START_TIMEOUT_MS: RangeInclusive<u64> = 1..=HOUR_MS;

/// More than an hour's instructions.
const MOST_FUEL: u64 = 1_000_000_000_000_000;

const fn u64_of(n: u32) -> u64 {
    n as u64
}

/// A limit: its key, what is sensible, and where it goes.
struct Limit {
    key: &'static str,
    range: RangeInclusive<u64>,
    set: fn(&mut Limits, u64),
}

macro_rules! limits {
    ($($field:ident: $range:expr, $about:literal;)*) => {
        /// The keys of all limits.
        pub(super) const KEYS: &[&str] = &[$(stringify!($field)),*];
        const LIMITS: &[Limit] = &[$(Limit {
            key: stringify!($field),
            range: $range,
            set: |limits, value| limits.$field = fit(value, limits.$field),
        }),*];
        /// The same, as the table of all keys has them.
        pub(super) const ROWS: &[Key] =
            &[$(Key::limit(stringify!($field), $range, || json!(Limits::default().$field), $about)),*];
        /// A limit that the model gains and this table lacks does not compile.
        #[cfg(test)]
        pub(super) fn every_limit_has_its_row(Limits { $($field: _),* }: Limits) -> usize { LIMITS.len() }
    };
}

/// The number in the field's own type; every range fits it, so `otherwise` is never taken.
fn fit<T: TryFrom<u64>>(value: u64, otherwise: T) -> T {
    T::try_from(value).unwrap_or(otherwise)
}

const MIB: u64 = 1 << 20;
/// A state and the messages that wait are saved as one record, of at most 64 MiB; the rest is for its header.
const SAVED_BYTES: u64 = 60 * MIB;
limits! {
    mailbox_messages: 1..=1_000_000, "messages that wait";
    mailbox_bytes: 1..=SAVED_BYTES, "bytes that wait, ids included";
    message_bytes: 1..=32 * MIB, "one message, one reply";
    snapshot_bytes: 1..=SAVED_BYTES, "a state";
    memory_bytes: 64 << 10..=4_096 * MIB, "all linear memory of an instance";
    memories: 1..=u64_of(MOST_MEMORIES), "linear memories of an instance";
    table_elements: 1..=10_000_000, "elements of one table; 1,048,576 are the most that there is room for";
    tables: 1..=u64_of(MOST_TABLES), "tables of an instance";
    core_instances: 1..=u64_of(MOST_CORE_INSTANCES), "core instances that a component is made of: its modules, and what adapts them";
    start_timeout_ms: START_TIMEOUT_MS, "instantiation, and `init`";
    continue_timeout_ms: 1..=HOUR_MS, "`continue`";
    turn_timeout_ms: 1..=HOUR_MS, "one `handle`, one `snapshot`";
    turn_guest_ms: 1..=HOUR_MS, "what the guest itself computes in one call, of whatever kind: neither waiting for another actor counts nor waiting for a processor";
    turn_fuel: 0..=MOST_FUEL, "fuel of one call, about one unit for each instruction: the same call always takes the same";
    continue_attempts: 1..=100, "crashes of `continue` on one state";
    turn_sends: 0..=1_000_000, "messages that one turn sends; each monitor, link, unlink, exit, join, leave, dispatch and set attribute counts as one";
    turn_send_bytes: 0..=1_024 * MIB, "bytes that one turn sends, with the bodies of dispatches, the reasons of exits and the attributes";
    turn_calls: 0..=1_000_000, "calls of others in one turn, and questions to the supervision tree";
    timers: 0..=1_000_000, "timers of an actor";
    outbox_messages: 1..=1_000_000, "with `durability = \"turn\"`: messages that were sent and that nobody has confirmed yet";
    outbox_bytes: 1..=SAVED_BYTES, "bytes of them";
    replies: 1..=1_000_000, "with `durability = \"turn\"`: replies kept for those who ask again";
    replies_bytes: 0..=SAVED_BYTES, "bytes of them; the last one is kept whatever its size";
    replies_ms: 0..=DAY_MS, "how long they are kept";
    log_line_bytes: 64..=MIB, "one log line with its fields";
    turn_log_lines: 0..=1_000_000, "log lines of one turn";
    log_lines_per_second: 0..=1_000_000, "log lines of an actor over all its turns and instances; one turn's may come at once";
    open_files: 0..=900, "files and directories that an instance has open";
    open_sockets: 0..=900, "sockets of an instance, HTTP requests under way among them";
    http_timeout_ms: 1..=HOUR_MS, "one HTTP request, from the look-up to the last byte of the answer";
    http_body_bytes: 0..=4_096 * MIB, "the body of an HTTP request, and of its answer";
}

/// The `limits` of a section over those that it inherits.
pub(super) fn read(section: &mut Section<'_>, label: &str, inherited: Limits, problems: &mut Problems) -> Limits {
    let mut limits = inherited;
    let Some(mut own) = section.table("limits", label, problems) else { return limits };
    for limit in LIMITS {
        if let Some(value) = own.integer(limit.key, &limit.range, problems) {
            (limit.set)(&mut limits, value);
        }
    }
    check_sizes(&own, &limits, problems);
    own.finish(&[Elsewhere { place: "at the top of the file", keys: TOP_KEYS }], problems);
    limits
}

/// What is fine by itself and not together.
fn check_sizes(own: &Section<'_>, limits: &Limits, problems: &mut Problems) {
    let (message, mailbox, snapshot) = (limits.message_bytes, limits.mailbox_bytes, limits.snapshot_bytes);
    let label = &own.label;
    let given = |keys: [&'static str; 2]| keys.into_iter().find(|key| own.has(key));
    if let Some(key) = given(["message_bytes", "mailbox_bytes"])
        && message > mailbox
    {
        let text = format!(
            "message_bytes = {message} is more than mailbox_bytes = {mailbox} in {label}: such a message would never fit"
        );
        problems.add(own.place(key), text);
    }
    if let Some(key) = given(["snapshot_bytes", "mailbox_bytes"])
        && snapshot.saturating_add(mailbox) as u64 > SAVED_BYTES
    {
        let text = format!(
            "snapshot_bytes = {snapshot} and mailbox_bytes = {mailbox} in {label} are more than {SAVED_BYTES} together: a state and the messages that wait are saved as one"
        );
        problems.add(own.place(key), text);
    }
}
