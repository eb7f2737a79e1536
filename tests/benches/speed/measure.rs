//! Times, and what is told of them.

use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

/// What is more counts as this: an hour, in nanoseconds.
const MOST: u64 = 3_600_000_000_000;

/// Times of one kind, over several rounds.
pub(crate) struct Series {
    all: Histogram<u64>,
    round: Histogram<u64>,
    medians: Vec<u64>,
    rates: Vec<f64>,
}

impl Series {
    pub(crate) fn new() -> Self {
        let empty = || Histogram::new_with_bounds(1, MOST, 3).expect("the bounds are sound");
        Self { all: empty(), round: empty(), medians: Vec::new(), rates: Vec::new() }
    }

    /// One more in the round in hand.
    pub(crate) fn add(&mut self, took: Duration) {
        self.count(u64::try_from(took.as_nanos()).unwrap_or(u64::MAX));
    }

    /// One more that is no time.
    pub(crate) fn count(&mut self, amount: u64) {
        self.round.saturating_record(amount);
    }

    /// Those that another thread has measured in the same round.
    pub(crate) fn merge(&mut self, other: &Self) {
        self.round.add(&other.round).expect("the bounds are the same");
    }

    /// The round is over: `within` says how long it took, where the number a second is of interest.
    pub(crate) fn end_round(&mut self, within: Option<Duration>) {
        if self.round.is_empty() {
            return;
        }
        self.medians.push(self.round.value_at_quantile(0.5));
        self.rates.extend(within.map(|within| self.round.len() as f64 / within.as_secs_f64()));
        self.all.add(&self.round).expect("the bounds are the same");
        self.round.reset();
    }

    /// Times each of `times` calls of `what`, one after the other, and ends the round.
    pub(crate) fn round_of(&mut self, times: usize, mut what: impl FnMut(usize)) {
        let began = Instant::now();
        let mut before = began;
        for n in 0..times {
            what(n);
            // One look at the clock for each: what it takes is in the floor as well.
            let now = Instant::now();
            self.add(now - before);
            before = now;
        }
        self.end_round(Some(before - began));
    }

    fn per_second(&self) -> Option<f64> {
        median_of(&self.rates)
    }
}

/// The middle one.
pub(crate) fn median_of(numbers: &[f64]) -> Option<f64> {
    let mut sorted = numbers.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied()
}

/// What is told of a series.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Figure {
    /// `group/what`.
    pub(crate) name: String,
    /// What of: `ns` or `bytes`.
    pub(crate) unit: String,
    pub(crate) samples: u64,
    pub(crate) p50: u64,
    pub(crate) p99: u64,
    pub(crate) p999: u64,
    pub(crate) max: u64,
    /// The median of each round.
    pub(crate) medians: Vec<u64>,
    /// How many a second; the median of the rounds.
    pub(crate) per_second: Option<f64>,
    /// The same work without Baton, in the same rounds.
    pub(crate) floor: Option<Floor>,
    /// The same work elsewhere, in the same run.
    #[serde(default)]
    pub(crate) rivals: Vec<Rival>,
}

/// What the work takes without Baton.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Floor {
    pub(crate) what: String,
    pub(crate) p50: u64,
    pub(crate) per_second: Option<f64>,
    /// The figure's median as a multiple of the floor's; the median of the rounds.
    pub(crate) ratio: f64,
}

/// What the work takes with another.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Rival {
    pub(crate) who: String,
    pub(crate) name: String,
    pub(crate) p50: u64,
    pub(crate) p99: u64,
    pub(crate) per_second: Option<f64>,
}

impl Figure {
    /// In nanoseconds.
    pub(crate) fn of(name: impl Into<String>, series: &Series) -> Self {
        let at = |quantile| series.all.value_at_quantile(quantile);
        Self {
            name: name.into(),
            unit: "ns".into(),
            samples: series.all.len(),
            p50: at(0.5),
            p99: at(0.99),
            p999: at(0.999),
            max: series.all.max(),
            medians: series.medians.clone(),
            per_second: series.per_second(),
            floor: None,
            rivals: Vec::new(),
        }
    }

    /// In bytes.
    pub(crate) fn bytes(name: impl Into<String>, series: &Series) -> Self {
        Self { unit: "bytes".into(), per_second: None, ..Self::of(name, series) }
    }

    /// With what the same takes without Baton, measured in turn with it, round by round.
    pub(crate) fn above(mut self, what: &str, floor: &Series) -> Self {
        let rounds = self.medians.iter().zip(&floor.medians);
        let ratios: Vec<f64> = rounds.map(|(own, bare)| *own as f64 / (*bare).max(1) as f64).collect();
        self.floor = median_of(&ratios).map(|ratio| Floor {
            what: what.into(),
            p50: floor.all.value_at_quantile(0.5),
            per_second: floor.per_second(),
            ratio,
        });
        self
    }

    /// As [`Self::above`], where several wait at the same time: the ratio is of how many are done in a second.
    pub(crate) fn above_in_number(self, what: &str, floor: &Series) -> Self {
        let (own, bare) = (self.per_second, floor.per_second());
        let mut figure = self.above(what, floor);
        if let (Some(kept), Some(own), Some(bare)) = (&mut figure.floor, own, bare) {
            kept.ratio = bare / own;
        }
        figure
    }
}

/// A time or a size in three digits.
pub(crate) fn shown(amount: u64, unit: &str) -> String {
    let steps: &[(f64, &str)] = match unit {
        "bytes" => &[(1.0, "B"), (1_024.0, "KiB"), (1_048_576.0, "MiB")],
        _ => &[(1.0, "ns"), (1e3, "µs"), (1e6, "ms"), (1e9, "s")],
    };
    let amount = amount as f64;
    let (step, name) = steps.iter().rev().find(|(step, _)| amount >= *step).unwrap_or(&steps[0]);
    let scaled = amount / step;
    let digits = match scaled {
        ..10.0 if *step > 1.0 => 2,
        ..100.0 if *step > 1.0 => 1,
        _ => 0,
    };
    format!("{scaled:.digits$} {name}")
}

/// A number of something in a second.
pub(crate) fn rate(per_second: f64) -> String {
    match per_second {
        ..1_000.0 => format!("{per_second:.0}"),
        ..1e6 => format!("{},{:03}", per_second as u64 / 1_000, per_second as u64 % 1_000),
        _ => format!("{:.2} million", per_second / 1e6),
    }
}
