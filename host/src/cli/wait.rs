//! Trying again.

use std::time::Duration;

use tokio::time::{Instant, sleep};

/// The first pause; each one after is twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(20);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);
/// The longest wait that can be asked for.
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

/// Reads `500ms`, `10s`, `2m` or `1h`.
pub(super) fn parse(text: &str) -> Result<Duration, String> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let bad = || format!("{text:?} is no duration: write it like 500ms, 10s, 2m or 1h");
    let unit_ms: u64 = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        _ => return Err(bad()),
    };
    let number: u64 = number.parse().map_err(|_| bad())?;
    let wait = number.checked_mul(unit_ms).map(Duration::from_millis).filter(|wait| *wait <= LONGEST);
    wait.ok_or_else(|| format!("{text:?} is longer than 24h"))
}

/// As `parse`, for what must be longer than nothing.
pub(super) fn parse_positive(text: &str) -> Result<Duration, String> {
    parse(text).and_then(|wait| if wait.is_zero() { Err("it must be longer than 0".to_owned()) } else { Ok(wait) })
}

/// Pauses until a deadline, longer from one to the next.
#[derive(Debug)]
pub(super) struct Backoff {
    until: Instant,
    pause: Duration,
}

impl Backoff {
    pub(super) fn new(longest: Duration) -> Self {
        Self { until: Instant::now() + longest, pause: FIRST_PAUSE }
    }

    /// Pauses. False: there is no time left to try again.
    pub(super) async fn pause(&mut self) -> bool {
        let left = self.until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return false;
        }
        sleep(self.pause.min(left)).await;
        self.pause = (self.pause * 2).min(LONGEST_PAUSE);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_a_unit() {
        for (text, ms) in [("0s", 0), ("500ms", 500), ("10s", 10_000), ("2m", 120_000), ("24h", 86_400_000)] {
            assert_eq!(parse(text), Ok(Duration::from_millis(ms)), "{text}");
        }
        for bad in ["", "5", "s", "1.5s", "-1s", "5 s", "99999999999999999999s", "25h", "18446744073709551615h"] {
            assert!(parse(bad).is_err(), "{bad}");
        }
        assert!(parse_positive("0ms").is_err());
    }

    #[tokio::test]
    async fn no_wait_means_no_second_try() {
        assert!(!Backoff::new(Duration::ZERO).pause().await);
        assert!(Backoff::new(Duration::from_secs(60)).pause().await);
    }
}
