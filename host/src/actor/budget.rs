//! Shutdown timeouts: the tightest level wins, and saving gets its share.

use std::time::Duration;

use tokio::time::Instant;

use crate::model::Shutdown;

/// What of a budget is set aside for the commit: at most this, in milliseconds, and at most a quarter.
const COMMIT_RESERVE_MS: u64 = 500;

/// What is left of a shutdown timeout.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Budget {
    /// When it is spent; none: never.
    pub(crate) deadline: Option<Instant>,
    /// What it was, in milliseconds, for messages.
    pub(crate) total_ms: u64,
}

impl Budget {
    /// The smaller of a child's own timeout and what is left above it: the more restrictive level wins.
    pub(crate) fn of(own: Shutdown, above: Option<Budget>, now: Instant) -> Self {
        let own = match own {
            Shutdown::BrutalKill => Some(Duration::ZERO),
            Shutdown::After(own) => Some(own),
            Shutdown::Infinity => None,
        };
        let above_left = above.and_then(|above| above.deadline).map(|at| at.saturating_duration_since(now));
        Self::from(tighter(own, above_left), now)
    }

    /// This long from now; none: for ever.
    pub(crate) fn within(left: Option<Duration>) -> Self {
        Self::from(left, Instant::now())
    }

    fn from(left: Option<Duration>, now: Instant) -> Self {
        let total_ms = left.map_or(u64::MAX, |left| u64::try_from(left.as_millis()).unwrap_or(u64::MAX));
        Self { deadline: left.and_then(|left| now.checked_add(left)), total_ms }
    }

    /// The one of the two that ends first.
    pub(crate) fn or_sooner(self, other: Self) -> Self {
        match (self.deadline, other.deadline) {
            (Some(a), Some(b)) if b < a => other,
            (None, Some(_)) => other,
            _ => self,
        }
    }

    pub(super) fn left(&self) -> Option<Duration> {
        self.deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()))
    }

    /// What the guest gets of what is left; the rest is for saving what it leaves.
    pub(super) fn guest_share(&self) -> Option<Duration> {
        self.left().map(guest_share)
    }

    /// Waits for `work` while the budget lasts.
    pub(super) async fn bound<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        match self.left() {
            Some(left) => tokio::time::timeout(left, work).await.ok(),
            None => Some(work.await),
        }
    }
}

/// The tighter of two timeouts; none: no limit.
fn tighter(a: Option<Duration>, b: Option<Duration>) -> Option<Duration> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}

fn guest_share(left: Duration) -> Duration {
    left - Duration::from_millis(COMMIT_RESERVE_MS).min(left / 4)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_more_restrictive_level_wins() {
        let ms = Duration::from_millis;
        let cases = [
            (None, None, None),
            (Some(ms(5)), None, Some(ms(5))),
            (None, Some(ms(7)), Some(ms(7))),
            (Some(ms(5)), Some(ms(7)), Some(ms(5))),
            (Some(ms(9)), Some(ms(7)), Some(ms(7))),
        ];
        for (own, above, expected) in cases {
            assert_eq!(tighter(own, above), expected, "{own:?} under {above:?}");
        }
    }

    #[test]
    fn a_budget_that_was_given_is_only_ever_shortened() {
        let (long, short) = (Some(Duration::from_secs(9)), Some(Duration::from_secs(1)));
        for (first, second, expected) in [(long, short, 1_000), (short, long, 1_000), (None, long, 9_000)] {
            assert_eq!(Budget::within(first).or_sooner(Budget::within(second)).total_ms, expected);
        }
        assert!(Budget::within(None).or_sooner(Budget::within(None)).deadline.is_none());
    }

    #[test]
    fn the_guest_leaves_room_for_the_commit() {
        let ms = Duration::from_millis;
        for (left, expected) in [(0, 0), (100, 75), (2_000, 1_500), (60_000, 59_500)] {
            assert_eq!(guest_share(ms(left)), ms(expected), "of {left} ms");
        }
    }
}
