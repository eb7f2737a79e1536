//! What follows when an actor's instance has ended: pure decisions, as OTP's supervisors have them.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::model::{CrashKind, Exit, Intensity, Restart};

/// What a supervisor does about an exit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Decision {
    /// Start the next instance.
    Restart,
    /// The actor is done: its name is free.
    Remove,
    /// It stays down under its name until it is started again: what it did since is not to be hidden.
    GiveUp,
}

/// When an actor was restarted, as far back as its intensity looks.
#[derive(Debug, Clone, Default)]
pub(super) struct Restarts(VecDeque<Instant>);

impl Restarts {
    /// Counts a restart at `now`; false where that is one too many: more than `max_restarts` within `max_seconds`.
    fn allow(&mut self, intensity: Intensity, now: Instant) -> bool {
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

/// Decides. `asked`: whether it was told to stop.
pub(super) fn decide(
    exit: &Exit,
    asked: bool,
    restart: Restart,
    intensity: Intensity,
    restarts: &mut Restarts,
    now: Instant,
) -> Decision {
    let again = match (exit, restart) {
        _ if asked => return Decision::Remove,
        // Another host runs it: starting it again here would only take it back, and forth.
        (Exit::Crashed(crash), _) if crash.kind == CrashKind::Fenced => return Decision::GiveUp,
        (_, Restart::Temporary) => return Decision::Remove,
        (Exit::Stopped(..), Restart::Transient) => return Decision::Remove,
        (Exit::Stopped(..), Restart::Permanent) => true,
        (Exit::Crashed(_) | Exit::Refused(_), Restart::Permanent | Restart::Transient) => true,
    };
    if again && restarts.allow(intensity, now) { Decision::Restart } else { Decision::GiveUp }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Crash, Saved, StopReason};

    fn crash(kind: CrashKind) -> Exit {
        Exit::Crashed(Crash { kind, during: "handle".into(), message: "x".into(), backtrace: Vec::new() })
    }

    #[test]
    fn the_restart_policy_decides_as_in_otp() {
        use Decision::{GiveUp, Remove, Restart as Again};
        let normal = || Exit::Stopped(StopReason::Normal, Saved::Kept);
        let cases = [
            (normal(), true, Restart::Permanent, Remove),
            (crash(CrashKind::Trap), true, Restart::Permanent, Remove),
            (normal(), false, Restart::Permanent, Again),
            (normal(), false, Restart::Transient, Remove),
            (normal(), false, Restart::Temporary, Remove),
            (crash(CrashKind::Trap), false, Restart::Permanent, Again),
            (crash(CrashKind::Timeout), false, Restart::Transient, Again),
            (crash(CrashKind::Trap), false, Restart::Temporary, Remove),
            (crash(CrashKind::Fenced), false, Restart::Permanent, GiveUp),
        ];
        for (exit, asked, restart, expected) in cases {
            let (intensity, mut restarts) = (Intensity::default(), Restarts::default());
            let decision = decide(&exit, asked, restart, intensity, &mut restarts, Instant::now());
            assert_eq!(decision, expected, "{exit:?}, asked: {asked}, {restart:?}");
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
}
