//! Whether an ended child is started again, how often that may happen, and how long it waits: pure decisions, as OTP's
//! supervisors have them.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

use crate::model::{Backoff, Intensity, Restart};

/// How a child ended, as far as its supervisor cares.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum End {
    /// It asked to stop. Whether it left messages that the next instance is to handle: then it is started again by them, as
    /// a new one would be.
    Normal { inbox_left: bool },
    /// It was told to stop, or is a supervisor that ended with its significant children.
    Shutdown,
    /// It is a supervisor whose intensity is spent: to its own supervisor that is a shutdown.
    GaveUp(String),
    /// Its `init` says that it is not to run: OTP's `ignore`.
    Ignored,
    /// It crashed, was killed, or would not start: how.
    Crashed(String),
    /// It is not to run here: another host runs it, and starting it again would only take it back, and forth; or its state
    /// cannot be used, and it is to stay down then.
    Barred(String),
    /// This host lost the right to run it, and may have it again, or wait for it: it is started again, which counts as no
    /// restart.
    Fenced(String),
    /// Another host runs it, and nothing of it is to stay here.
    Elsewhere(String),
}

impl End {
    /// In words.
    pub(super) fn text(&self) -> String {
        match self {
            Self::Normal { .. } => "normal".into(),
            Self::Shutdown => "shutdown".into(),
            Self::Ignored => "ignored: `init` said that it is not to run".into(),
            Self::GaveUp(why) | Self::Crashed(why) | Self::Barred(why) | Self::Fenced(why) | Self::Elsewhere(why) => {
                why.clone()
            }
        }
    }
}

/// Whether a child that ended so by itself is to be started again.
pub(super) fn again(end: &End, restart: Restart) -> bool {
    match (restart, end) {
        (_, End::Barred(_) | End::Ignored | End::Elsewhere(_)) | (Restart::Temporary, _) => false,
        (Restart::Permanent, _) | (Restart::Transient, End::Crashed(_) | End::Fenced(_)) => true,
        (Restart::Transient, End::Normal { inbox_left }) => *inbox_left,
        (Restart::Transient, End::Shutdown | End::GaveUp(_)) => false,
    }
}

/// When restarts happened, as far back as their intensity looks.
#[derive(Debug, Clone, Default)]
pub(super) struct Restarts(VecDeque<Instant>);

impl Restarts {
    /// Counts a restart at `now`; false where that is one too many: more than `max_restarts` within `max_seconds`.
    pub(super) fn allow(&mut self, intensity: Intensity, now: Instant) -> bool {
        let window = Duration::from_secs(u64::from(intensity.max_seconds));
        while self.0.front().is_some_and(|at| now.duration_since(*at) > window) {
            self.0.pop_front();
        }
        if self.0.len() >= intensity.max_restarts as usize {
            return false;
        }
        self.0.push_back(now);
        true
    }
}

/// How long the `nth` restart in a row waits, counted from 1.
pub(super) fn delay(backoff: Option<Backoff>, nth: u32) -> Duration {
    let Some(Backoff { first, max }) = backoff else { return Duration::ZERO };
    let doublings = nth.saturating_sub(1).min(31);
    first.saturating_mul(1 << doublings).min(max)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_restart_policy_decides_as_in_otp() {
        use Restart::{Permanent, Temporary, Transient};
        let normal = || End::Normal { inbox_left: false };
        let crash = || End::Crashed("x".into());
        let cases = [
            (normal(), [true, false, false]),
            (End::Normal { inbox_left: true }, [true, true, false]),
            (End::Shutdown, [true, false, false]),
            (End::GaveUp("x".into()), [true, false, false]),
            (crash(), [true, true, false]),
            (End::Barred("x".into()), [false, false, false]),
            (End::Ignored, [false, false, false]),
            (End::Fenced("x".into()), [true, true, false]),
            (End::Elsewhere("x".into()), [false, false, false]),
        ];
        for (end, expected) in cases {
            assert_eq!([Permanent, Transient, Temporary].map(|restart| again(&end, restart)), expected, "{end:?}");
        }
    }

    #[test]
    fn three_restarts_in_five_seconds_are_allowed_and_the_fourth_is_not() {
        let intensity = Intensity { max_restarts: 3, max_seconds: 5 };
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let mut restarts = Restarts::default();
        let allowed: Vec<_> = [0, 1_000, 2_000, 3_000, 5_001, 6_000].map(|ms| restarts.allow(intensity, at(ms))).into();
        assert_eq!(allowed, [true, true, true, false, true, false]);
        assert!(!Restarts::default().allow(Intensity { max_restarts: 0, max_seconds: 5 }, start));
    }

    #[test]
    fn a_backoff_doubles_up_to_its_bound_and_none_waits_not_at_all() {
        let ms = Duration::from_millis;
        let backoff = Some(Backoff { first: ms(100), max: ms(1_000) });
        assert_eq!([1, 2, 3, 4, 5, 99].map(|nth| delay(backoff, nth)), [100, 200, 400, 800, 1_000, 1_000].map(ms));
        assert_eq!(delay(None, 7), Duration::ZERO);
    }
}
