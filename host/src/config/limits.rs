//! The `limits` of a section: what is sensible, and what is inherited.

use std::ops::RangeInclusive;

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
    ($($field:ident: $range:expr,)*) => {
        /// The keys of all limits.
        pub(super) const KEYS: &[&str] = &[$(stringify!($field)),*];
        const LIMITS: &[Limit] = &[$(Limit {
            key: stringify!($field),
            range: $range,
            set: |limits, value| limits.$field = fit(value, limits.$field),
        }),*];
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
    mailbox_messages: 1..=1_000_000,
    mailbox_bytes: 1..=SAVED_BYTES,
    message_bytes: 1..=32 * MIB,
    snapshot_bytes: 1..=SAVED_BYTES,
    memory_bytes: 64 << 10..=4_096 * MIB,
    memories: 1..=u64_of(MOST_MEMORIES),
    table_elements: 1..=10_000_000,
    tables: 1..=u64_of(MOST_TABLES),
    core_instances: 1..=u64_of(MOST_CORE_INSTANCES),
    start_timeout_ms: START_TIMEOUT_MS,
    continue_timeout_ms: 1..=HOUR_MS,
    turn_timeout_ms: 1..=HOUR_MS,
    turn_guest_ms: 1..=HOUR_MS,
    turn_fuel: 0..=MOST_FUEL,
    continue_attempts: 1..=100,
    turn_sends: 0..=1_000_000,
    turn_send_bytes: 0..=1_024 * MIB,
    turn_calls: 0..=1_000_000,
    timers: 0..=1_000_000,
    outbox_messages: 1..=1_000_000,
    outbox_bytes: 1..=SAVED_BYTES,
    replies: 1..=1_000_000,
    replies_bytes: 0..=SAVED_BYTES,
    replies_ms: 0..=DAY_MS,
    log_line_bytes: 64..=MIB,
    turn_log_lines: 0..=1_000_000,
    log_lines_per_second: 0..=1_000_000,
    open_files: 0..=900,
    open_sockets: 0..=900,
    http_timeout_ms: 1..=HOUR_MS,
    http_body_bytes: 0..=4_096 * MIB,
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
