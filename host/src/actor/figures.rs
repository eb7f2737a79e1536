//! What is measured of an actor: its turns, how long they take, and how much memory its instance has. Of bounded size, and
//! written by its own loop alone.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use schemars::JsonSchema;
use serde::Serialize;

/// Turns that a window holds. What is told is of the last one that is full and of the one that fills.
const WINDOW_TURNS: u16 = 1_024;
/// Parts of each doubling: a time is told as the longest of its part, which is at most an eighth more.
const PARTS: u32 = 8;
/// One for each time below [`PARTS`], and the parts of all doublings above, up to 2^32 µs: more than the longest turn that
/// can be configured.
const BUCKETS: usize = (PARTS + (32 - PARTS.ilog2()) * PARTS) as usize;

/// How long an actor's turns took lately, in microseconds: its last 1,024 to 2,047, or all where it had fewer. From when its
/// message was taken from the mailbox until the reply could leave, its commit included; also turns that crashed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
pub struct TurnTimes {
    /// Half of them took no longer. Never less than the truth, and at most an eighth more.
    pub p50: u64,
    /// All but one in a hundred took no longer. As exact.
    pub p99: u64,
    /// The longest one, exactly.
    pub max: u64,
}

/// One actor's.
#[derive(Debug)]
pub(crate) struct Figures {
    /// None before the first turn: most of many actors sleep.
    turns: Mutex<Option<Box<Turns>>>,
    /// 0: there is no instance.
    memory_bytes: AtomicUsize,
    /// Messages that were handled.
    handled: AtomicU64,
    /// Those since the record that counts.
    since_record: AtomicU64,
}

/// Says of a number that it is not known.
const UNKNOWN: u64 = u64::MAX;

impl Default for Figures {
    fn default() -> Self {
        Self {
            turns: Mutex::default(),
            memory_bytes: AtomicUsize::new(0),
            handled: AtomicU64::new(0),
            since_record: AtomicU64::new(UNKNOWN),
        }
    }
}

impl Figures {
    /// A message was handled.
    pub(super) fn handles(&self) {
        // Nobody else writes: no step that others could come between.
        self.handled.store(self.handled() + 1, Ordering::Relaxed);
        if let Some(since) = self.handled_since_record() {
            self.since_record.store(since + 1, Ordering::Relaxed);
        }
    }

    /// Messages handled since the host started.
    pub(super) fn handled(&self) -> u64 {
        self.handled.load(Ordering::Relaxed)
    }

    /// Messages handled since the record that counts; none: not known in this process.
    pub(super) fn handled_since_record(&self) -> Option<u64> {
        Some(self.since_record.load(Ordering::Relaxed)).filter(|since| *since != UNKNOWN)
    }

    /// All that it has done stands in the record that counts.
    pub(super) fn recorded(&self) {
        self.since_record.store(0, Ordering::Relaxed);
    }

    /// A turn has ended, and left its instance with so much memory.
    pub(super) fn turn(&self, took: Duration, memory_bytes: usize) {
        self.memory(memory_bytes);
        let us = u32::try_from(took.as_micros()).unwrap_or(u32::MAX);
        // Counts stay usable whatever panicked meanwhile.
        self.turns.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert_default().add(us);
    }

    /// What the instance has of linear memory; 0: there is none.
    pub(super) fn memory(&self, bytes: usize) {
        self.memory_bytes.store(bytes, Ordering::Relaxed);
    }

    pub(super) fn memory_bytes(&self) -> Option<usize> {
        Some(self.memory_bytes.load(Ordering::Relaxed)).filter(|bytes| *bytes > 0)
    }

    pub(super) fn turn_times(&self) -> Option<TurnTimes> {
        self.turns.lock().unwrap_or_else(PoisonError::into_inner).as_ref()?.times()
    }
}

#[derive(Debug, Default)]
struct Turns {
    fills: Window,
    full: Window,
}

/// In this order: beside what is written with each turn lie the counts of short ones, which most are, in one cache line.
#[derive(Debug)]
#[repr(C)]
struct Window {
    longest: u32,
    turns: u16,
    counts: [u16; BUCKETS],
}

impl Default for Window {
    fn default() -> Self {
        Self { counts: [0; BUCKETS], turns: 0, longest: 0 }
    }
}

impl Turns {
    fn add(&mut self, us: u32) {
        if self.fills.turns == WINDOW_TURNS {
            self.full = std::mem::take(&mut self.fills);
        }
        let window = &mut self.fills;
        window.counts[bucket(us)] += 1;
        window.turns += 1;
        window.longest = window.longest.max(us);
    }

    fn times(&self) -> Option<TurnTimes> {
        let turns = u32::from(self.fills.turns) + u32::from(self.full.turns);
        let max = u64::from(self.fills.longest.max(self.full.longest));
        // The least time that so many of a hundred turns did not exceed.
        let within = |percent: u32| {
            let rank = (turns * percent).div_ceil(100);
            let mut counted = 0;
            let reached = (0..BUCKETS).find(|at| {
                counted += u32::from(self.fills.counts[*at]) + u32::from(self.full.counts[*at]);
                counted >= rank
            });
            reached.map_or(max, |at| longest_of(at).min(max))
        };
        (turns > 0).then(|| TurnTimes { p50: within(50), p99: within(99), max })
    }
}

fn bucket(us: u32) -> usize {
    if us < PARTS {
        return us as usize;
    }
    let doubling = us.ilog2() - PARTS.ilog2();
    let part = (us >> doubling) - PARTS;
    (PARTS + doubling * PARTS + part) as usize
}

/// The longest time that a bucket counts.
fn longest_of(bucket: usize) -> u64 {
    let (bucket, parts) = (bucket as u64, u64::from(PARTS));
    match bucket.checked_sub(parts) {
        None => bucket,
        Some(above) => ((parts + above % parts + 1) << (above / parts)) - 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_told_as_at_most_an_eighth_more_and_never_as_less() {
        let mut before = None;
        for us in (0..5_000).chain((12..32).flat_map(|n| [(1 << n) - 1, 1 << n, (1 << n) + 1])).chain([u32::MAX]) {
            let (at, told) = (bucket(us), longest_of(bucket(us)));
            assert!(at < BUCKETS && told >= u64::from(us), "{us}: {told}");
            assert!(told - u64::from(us) <= u64::from(us / PARTS), "{us}: {told}");
            assert!(before.is_none_or(|before| before <= at || us == (1 << 12) - 1), "{us}");
            before = Some(at);
        }
        assert_eq!(bucket(u32::MAX), BUCKETS - 1);
    }

    #[test]
    fn quantiles_are_of_the_turns_that_there_were() {
        let mut turns = Turns::default();
        assert_eq!(turns.times(), None);
        turns.add(100);
        assert_eq!(turns.times(), Some(TurnTimes { p50: 100, p99: 100, max: 100 }));
        (0..97).for_each(|_| turns.add(5));
        turns.add(7);
        assert_eq!(turns.times(), Some(TurnTimes { p50: 5, p99: 100, max: 100 }), "the 99th of 99 is the longest");
        turns.add(6);
        assert_eq!(turns.times(), Some(TurnTimes { p50: 5, p99: 7, max: 100 }), "of 100 it is the one before");
    }

    #[test]
    fn what_was_long_ago_is_forgotten() {
        let mut turns = Turns::default();
        turns.add(1_000_000);
        let longest = |turns: &Turns| turns.times().map(|times| times.max);
        for _ in 1..2 * WINDOW_TURNS {
            turns.add(3);
        }
        assert_eq!(longest(&turns), Some(1_000_000), "2,048 are remembered at most");
        turns.add(3);
        assert_eq!(turns.times(), Some(TurnTimes { p50: 3, p99: 3, max: 3 }));
        assert_eq!(turns.fills.turns, 1, "and 1,024 at least");
    }

    #[test]
    fn an_actor_without_a_turn_has_no_times_and_one_without_an_instance_no_memory() {
        let figures = Figures::default();
        assert_eq!((figures.turn_times(), figures.memory_bytes()), (None, None));
        figures.turn(Duration::from_secs(1 << 40), 65_536);
        assert_eq!(figures.memory_bytes(), Some(65_536));
        assert_eq!(figures.turn_times().map(|times| times.max), Some(u64::from(u32::MAX)));
        figures.memory(0);
        assert_eq!(figures.memory_bytes(), None);
    }

    #[test]
    fn messages_are_counted_from_a_record_on_once_there_is_one() {
        let figures = Figures::default();
        let seen = || (figures.handled(), figures.handled_since_record());
        figures.handles();
        assert_eq!(seen(), (1, None), "how much was done before is not known");
        figures.recorded();
        figures.handles();
        figures.handles();
        assert_eq!(seen(), (3, Some(2)));
        figures.recorded();
        assert_eq!(seen(), (3, Some(0)));
    }
}
