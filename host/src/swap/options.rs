//! How a swap is made.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::model::Part;
use crate::telemetry::TraceContext;

/// Actors that are switched at once, unless told otherwise: each has two instances for a moment.
pub const DEFAULT_AT_ONCE: usize = 32;
/// Most actors that can be switched at once.
pub const MOST_AT_ONCE: usize = 48;
/// How long the new version is watched after the last batch, unless told otherwise.
pub const DEFAULT_WATCH: Duration = Duration::from_secs(60);
/// How long one actor may wait for the new version to take over, unless told otherwise.
pub const DEFAULT_SWITCH_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a rehearsal of all actors may take, unless told otherwise: those that were not reached are counted as such.
pub const DEFAULT_REHEARSAL: Duration = Duration::from_secs(60);

/// So many actors at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Batch {
    /// Of a hundred, 1 to 100; at least one actor.
    Percent(u8),
    /// This many; at least one.
    Actors(usize),
}

impl Default for Batch {
    fn default() -> Self {
        Self::Percent(10)
    }
}

impl Batch {
    /// How many of `total` actors a batch has.
    #[must_use]
    pub fn of(self, total: usize) -> usize {
        match self {
            Self::Percent(percent) => (total * usize::from(percent.min(100))).div_ceil(100).max(1),
            Self::Actors(actors) => actors.max(1),
        }
    }

    /// Reads `10%` or `500`.
    ///
    /// # Errors
    /// Says what is expected.
    pub fn new(text: &str) -> Result<Self, String> {
        let wrong = || format!("{text:?} is neither a percentage from 1% to 100% nor a number of actors from 1 on");
        match text.strip_suffix('%') {
            Some(percent) => {
                let percent = percent.trim().parse().ok().filter(|percent| (1..=100).contains(percent));
                percent.map(Self::Percent).ok_or_else(wrong)
            }
            None => text.parse().ok().filter(|actors| *actors > 0).map(Self::Actors).ok_or_else(wrong),
        }
    }
}

/// What happens when more has failed than may.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum OnFailure {
    /// Whoever was switched goes back.
    #[default]
    Back,
    /// Nobody more is switched; each stays with what it runs.
    Stop,
    /// Those that cannot be switched stay with the old version, and the others go on.
    Skip,
}

/// How a swap is made.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SwapOptions {
    /// Which actors; the others stay with the old version.
    pub part: Part,
    /// How many are switched before it is looked at how that went.
    pub batch: Batch,
    /// How many of them at once; at most [`MOST_AT_ONCE`].
    pub at_once: usize,
    /// How long it waits between two batches.
    pub pause: Duration,
    /// How long the new version is watched after the last batch; crashes in that time count as failures.
    pub watch: Duration,
    /// Failures, and crashes of the new version, that change nothing.
    pub max_failures: u64,
    /// What happens with more.
    pub on_failure: OnFailure,
    /// Whether the way back may lose what was done since the switch, where the old version does not read what the new one has
    /// written.
    pub allow_loss: bool,
    /// How long the new version is tried on copies of the actors' states before anything is switched; none: it is not.
    pub rehearsal: Option<Duration>,
    /// How long one actor may wait for the new version to take over.
    pub switch_timeout: Duration,
    /// Who asked for it, for others to see.
    pub by: String,
    /// Where in a trace it belongs; none: it begins one of its own, where there are any.
    pub trace: Option<TraceContext>,
}

impl Default for SwapOptions {
    fn default() -> Self {
        Self {
            part: Part::All,
            batch: Batch::default(),
            at_once: DEFAULT_AT_ONCE,
            pause: Duration::ZERO,
            watch: DEFAULT_WATCH,
            max_failures: 0,
            on_failure: OnFailure::default(),
            allow_loss: false,
            rehearsal: Some(DEFAULT_REHEARSAL),
            switch_timeout: DEFAULT_SWITCH_TIMEOUT,
            by: "the library".to_owned(),
            trace: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_is_a_share_or_a_number_and_never_nobody() {
        for (text, total, expected) in
            [("10%", 10_000, 1_000), ("10%", 5, 1), ("1%", 101, 2), ("100%", 7, 7), ("3", 10_000, 3), ("10%", 0, 1)]
        {
            assert_eq!(Batch::new(text).expect(text).of(total), expected, "{text} of {total}");
        }
        for bad in ["0%", "101%", "0", "-1", "x", ""] {
            assert!(Batch::new(bad).is_err(), "{bad:?}");
        }
    }
}
