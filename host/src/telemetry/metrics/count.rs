//! Counters that whoever counts shares with whoever reads: atomics alone, so that counting waits for nobody and takes no
//! memory.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Only rises.
#[derive(Debug, Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    pub(crate) fn one_more(&self) {
        self.more(1);
    }

    pub(crate) fn more(&self, by: u64) {
        self.0.fetch_add(by, Ordering::Relaxed);
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Bounds of times, in nanoseconds: from 10 µs to 10 s.
const TIMES: [u64; 19] = [
    10_000,
    25_000,
    50_000,
    100_000,
    250_000,
    500_000,
    1_000_000,
    2_500_000,
    5_000_000,
    10_000_000,
    25_000_000,
    50_000_000,
    100_000_000,
    250_000_000,
    500_000_000,
    1_000_000_000,
    2_500_000_000,
    5_000_000_000,
    10_000_000_000,
];
/// Bounds of sizes, in bytes: from 256 bytes to 64 MiB.
const SIZES: [u64; 10] = [1 << 8, 1 << 10, 1 << 12, 1 << 14, 1 << 16, 1 << 18, 1 << 20, 1 << 22, 1 << 24, 1 << 26];

/// How often something took how much.
#[derive(Debug)]
pub(crate) struct Histogram {
    bounds: &'static [u64],
    /// What one of the unit in which it is told is in that of its bounds.
    per_unit: f64,
    /// For each bound, and one for what is above all of them.
    counts: [AtomicU64; TIMES.len() + 1],
    sum: AtomicU64,
}

/// What a histogram says: the sum, and below each bound how many there are, above the bound before.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Counted {
    pub(crate) sum: f64,
    pub(crate) count: u64,
    pub(crate) buckets: Vec<(f64, u64)>,
}

impl Histogram {
    pub(crate) fn of_times() -> Self {
        Self::new(&TIMES, 1e9)
    }

    pub(crate) fn of_sizes() -> Self {
        Self::new(&SIZES, 1.0)
    }

    fn new(bounds: &'static [u64], per_unit: f64) -> Self {
        Self { bounds, per_unit, counts: Default::default(), sum: AtomicU64::new(0) }
    }

    pub(crate) fn time(&self, took: Duration) {
        self.add(u64::try_from(took.as_nanos()).unwrap_or(u64::MAX));
    }

    pub(crate) fn add(&self, amount: u64) {
        let at = self.bounds.partition_point(|bound| *bound < amount);
        self.counts[at].fetch_add(1, Ordering::Relaxed);
        if amount > 0 {
            self.sum.fetch_add(amount, Ordering::Relaxed);
        }
    }

    pub(crate) fn read(&self) -> Counted {
        let bounds = self.bounds.iter().map(|bound| *bound as f64 / self.per_unit).chain([f64::INFINITY]);
        let counts = self.counts.iter().map(|count| count.load(Ordering::Relaxed));
        let buckets: Vec<_> = bounds.zip(counts).collect();
        let sum = self.sum.load(Ordering::Relaxed) as f64 / self.per_unit;
        Counted { sum, count: buckets.iter().map(|(_, count)| count).sum(), buckets }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_amount_counts_where_it_is_no_more_than_the_bound() {
        let sizes = Histogram::of_sizes();
        [0, 256, 257, 1 << 26, (1 << 26) + 1].into_iter().for_each(|bytes| sizes.add(bytes));
        let read = sizes.read();
        let counts: Vec<u64> = read.buckets.iter().map(|(_, count)| *count).collect();
        assert_eq!(counts, [2, 1, 0, 0, 0, 0, 0, 0, 0, 1, 1]);
        assert_eq!((read.count, read.sum), (5, 134_218_241.0 + 1.0));
        let times = Histogram::of_times();
        times.time(Duration::from_micros(10));
        times.time(Duration::from_secs(60));
        let read = times.read();
        assert_eq!((read.buckets[0], read.buckets[19]), ((0.00001, 1), (f64::INFINITY, 1)));
        assert!((read.sum - 60.00001).abs() < 1e-9, "{}", read.sum);
    }
}
