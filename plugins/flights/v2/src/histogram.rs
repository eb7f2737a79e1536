//! How many flights had which delay, in fixed buckets.

use serde::{Deserialize, Serialize};

/// Upper bounds of the buckets, in minutes. A last one without a bound follows. Part of the state's layout.
const BOUNDS: [i32; 22] =
    [-30, -20, -15, -10, -5, 0, 5, 10, 15, 20, 25, 30, 45, 60, 75, 90, 120, 150, 180, 240, 360, 480];

#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Histogram {
    counts: [u64; BOUNDS.len() + 1],
}

/// A bucket as it is told.
#[derive(Serialize)]
pub(crate) struct Bucket {
    /// None: no bound.
    to: Option<i32>,
    flights: u64,
}

impl Histogram {
    pub(crate) fn add(&mut self, delay: i32) {
        self.counts[BOUNDS.partition_point(|bound| *bound < delay)] += 1;
    }

    /// None where a state that was read is beyond all counting.
    pub(crate) fn flights(&self) -> Option<u64> {
        self.counts.iter().try_fold(0_u64, |sum, count| sum.checked_add(*count))
    }

    /// The upper bound of the bucket in which the percentile lies; `longest` in the one without a bound.
    pub(crate) fn percentile(&self, percent: u64, longest: i32) -> Option<i32> {
        let flights = self.flights().filter(|flights| *flights > 0)?;
        let rank = (u128::from(flights) * u128::from(percent)).div_ceil(100);
        let mut seen = 0_u128;
        let bucket = self.counts.iter().position(|count| {
            seen += u128::from(*count);
            seen >= rank
        })?;
        Some(BOUNDS.get(bucket).copied().unwrap_or(longest))
    }

    pub(crate) fn buckets(&self) -> Vec<Bucket> {
        let bounds = BOUNDS.iter().copied().map(Some).chain([None]);
        bounds.zip(self.counts).map(|(to, flights)| Bucket { to, flights }).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(delays: &[i32]) -> Histogram {
        let mut histogram = Histogram::default();
        for delay in delays {
            histogram.add(*delay);
        }
        histogram
    }

    #[test]
    fn a_delay_falls_into_the_first_bucket_that_reaches_it() {
        for (delay, to) in
            [(-31, Some(-30)), (-30, Some(-30)), (-29, Some(-20)), (0, Some(0)), (1, Some(5)), (481, None)]
        {
            let buckets = of(&[delay]).buckets();
            let hit: Vec<_> = buckets.iter().filter(|bucket| bucket.flights == 1).map(|bucket| bucket.to).collect();
            assert_eq!(hit, [to], "{delay}");
        }
    }

    #[test]
    fn percentiles_are_upper_bounds() {
        let ten = of(&[-3, -3, 1, 2, 3, 8, 14, 40, 100, 900]);
        let expected =
            [(1, 0), (20, 0), (21, 5), (50, 5), (51, 10), (60, 10), (80, 45), (90, 120), (99, 900), (100, 900)];
        for (percent, minutes) in expected {
            assert_eq!(ten.percentile(percent, 900), Some(minutes), "{percent}");
        }
        assert_eq!(of(&[]).percentile(50, 0), None);
    }
}
