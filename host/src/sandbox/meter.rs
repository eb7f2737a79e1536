//! What is counted of an actor over all its turns and instances: the lines that it logs, and whether its calls take long.

use std::borrow::Borrow;
use std::fmt;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::model::{Label, LimitMet, Limits, log_of};

/// How often the log says at most that lines of an actor are dropped.
const TELL_EVERY: Duration = Duration::from_secs(1);

/// One actor's; what starts its instances keeps it.
#[derive(Debug, Default)]
pub(crate) struct Meter {
    lines: Mutex<Bucket>,
    /// Up to [`DOUBT`] it is in doubt whether its calls take long, and above that they do.
    slowness: AtomicU8,
}

/// How many calls of an actor are measured exactly after one that seemed to take long.
const DOUBT: u8 = 4;
/// How many calls of an actor that takes long begin where long ones go on, before it is in doubt again: an instance that
/// crashes takes little time to start, and then as long as the one before.
const SLOW: u8 = 8;

/// How long an actor's calls take, as its last ones showed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Habit {
    /// They are done at once.
    Quick,
    /// One took long by the wall's clock; but others may have had the processor.
    Doubtful,
    /// They take long: the next one begins where long ones go on.
    Slow,
}

/// What becomes of a line.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Line {
    pub(crate) passes: bool,
    /// How many were dropped since this was told last; none: nothing is to be told now.
    pub(crate) dropped: Option<u64>,
}

impl Meter {
    /// Whether a line may be written of what an actor does or says; now and then, that others were dropped.
    pub(crate) fn may_log<L: Borrow<Label>>(&self, limits: &Limits, label: impl FnOnce() -> L) -> bool {
        let rate = limits.log_lines_per_second;
        let line = self.line_of(rate, limits.turn_log_lines);
        if let Some(dropped) = line.dropped {
            let met = LimitMet::new("log_lines_per_second", rate);
            let label = label();
            let label: &Label = label.borrow();
            log_of!(warn, target: "baton::guest", label, dropped, "log lines are dropped ({met})");
        }
        line.passes
    }

    /// Takes a line of `rate` a second, of which `at_once` may come together.
    pub(crate) fn line_of(&self, rate: usize, at_once: usize) -> Line {
        let mut bucket = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        bucket.take(rate, at_once, Instant::now())
    }

    /// Whether its calls are done at once, as far as is known.
    pub(crate) fn is_quick(&self) -> bool {
        self.habit() == Habit::Quick
    }

    pub(super) fn habit(&self) -> Habit {
        match self.slowness.load(Ordering::Relaxed) {
            0 => Habit::Quick,
            1..=DOUBT => Habit::Doubtful,
            _ => Habit::Slow,
        }
    }

    /// A call has shown it. One that was quick does not make a slow actor quick at once.
    pub(super) fn showed(&self, habit: Habit) {
        // An actor has one call at a time, so nobody else writes.
        let before = self.slowness.load(Ordering::Relaxed);
        let after = match habit {
            Habit::Quick => before.saturating_sub(1),
            Habit::Doubtful => before.max(DOUBT),
            Habit::Slow => DOUBT + SLOW,
        };
        if after != before {
            self.slowness.store(after, Ordering::Relaxed);
        }
    }
}

/// Fills with `rate` lines each second, up to a second's or a turn's. In thousandths of a line.
#[derive(Default)]
struct Bucket {
    left: u64,
    filled: Option<Instant>,
    dropped: u64,
    told: Option<Instant>,
}

impl fmt::Debug for Bucket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bucket").field("left", &self.left).field("dropped", &self.dropped).finish_non_exhaustive()
    }
}

impl Bucket {
    fn take(&mut self, rate: usize, turn: usize, now: Instant) -> Line {
        let full = if rate == 0 { 0 } else { rate.max(turn) as u64 * 1_000 };
        let since = self.filled.map(|at| now.duration_since(at));
        let more = since
            .map_or(full, |since| u64::try_from(since.as_millis()).unwrap_or(u64::MAX).saturating_mul(rate as u64));
        if more > 0 {
            self.left = self.left.saturating_add(more).min(full);
            self.filled = Some(now);
        }
        let passes = self.left >= 1_000;
        if passes {
            self.left -= 1_000;
        } else {
            self.dropped += 1;
        }
        let due = self.dropped > 0 && self.told.is_none_or(|told| now.duration_since(told) >= TELL_EVERY);
        let dropped = due.then(|| {
            self.told = Some(now);
            std::mem::take(&mut self.dropped)
        });
        Line { passes, dropped }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_took_long_is_not_quick_again_at_once_and_who_is_in_doubt_is_measured() {
        let meter = Meter::default();
        let quick = |times: u8| {
            (0..times).for_each(|_| meter.showed(Habit::Quick));
            meter.habit()
        };
        assert_eq!(quick(3), Habit::Quick);
        meter.showed(Habit::Doubtful);
        assert_eq!((meter.habit(), quick(DOUBT - 1), quick(1)), (Habit::Doubtful, Habit::Doubtful, Habit::Quick));
        meter.showed(Habit::Slow);
        // A new instance takes little time to start.
        assert_eq!((meter.habit(), quick(SLOW - 1)), (Habit::Slow, Habit::Slow));
        meter.showed(Habit::Doubtful);
        assert_eq!(meter.habit(), Habit::Slow, "it is worse than in doubt");
        assert_eq!((quick(1), quick(DOUBT)), (Habit::Doubtful, Habit::Quick));
    }

    #[test]
    fn lines_pass_at_their_rate_and_what_is_dropped_is_told_once_a_second() {
        let start = Instant::now();
        let (mut bucket, rate, turn) = (Bucket::default(), 10, 20);
        let mut at = |ms: u64, times: usize| {
            let lines: Vec<_> =
                (0..times).map(|_| bucket.take(rate, turn, start + Duration::from_millis(ms))).collect();
            let told: Vec<_> = lines.iter().filter_map(|line| line.dropped).collect();
            (lines.iter().filter(|line| line.passes).count(), told)
        };
        assert_eq!(at(0, 20), (20, vec![]), "a turn's lines may come at once");
        assert_eq!(at(0, 5), (0, vec![1]), "then no more");
        assert_eq!(at(100, 5), (1, vec![]), "a tenth of a second is one line");
        assert_eq!(at(950, 20), (8, vec![]));
        assert_eq!(at(1_100, 4), (2, vec![20]), "4 + 4 + 12 were dropped since it was told");
        assert_eq!(at(60_000, 30), (20, vec![2]), "it never holds more than a turn's");
        assert_eq!(at(61_500, 1), (1, vec![10]), "told with the next line, whichever it is");
        let none = Bucket::default().take(0, turn, start);
        assert_eq!(none, Line { passes: false, dropped: Some(1) });
    }
}
