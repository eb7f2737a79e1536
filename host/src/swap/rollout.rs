//! What follows in a rollout: decisions only.

use std::collections::VecDeque;

use super::options::{OnFailure, SwapOptions};
use crate::model::{ActorName, Description};

/// Whether a rollout goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    Go,
    /// Nobody more is switched.
    Stop,
    /// Whoever was switched goes back.
    Back,
}

/// What follows from so many failures, and so many faults of the new version since the first batch.
pub(super) fn verdict(failures: u64, faults: u64, options: &SwapOptions) -> Verdict {
    match options.on_failure {
        _ if failures + faults <= options.max_failures => Verdict::Go,
        OnFailure::Skip => Verdict::Go,
        OnFailure::Stop => Verdict::Stop,
        OnFailure::Back => Verdict::Back,
    }
}

/// The actors in batches, in the order in which they are given.
pub(super) fn batches(actors: &[ActorName], options: &SwapOptions) -> VecDeque<Vec<ActorName>> {
    let size = options.batch.of(actors.len());
    actors.chunks(size).map(<[_]>::to_vec).collect()
}

/// Why a state may not be shown to a version, if it may not.
pub(super) fn misfit(schema: Option<u32>, to: &Description) -> Option<String> {
    let schema = schema.filter(|schema| !to.reads(*schema))?;
    let (name, version, from, until) = (&to.name, &to.version, to.reads_from, to.reads_to);
    Some(format!("its state has schema {schema}, and {name} {version} reads {from} to {until}"))
}

/// The median, the 99th of a hundred, and the longest of so many times.
pub(super) fn percentiles(times: &mut [u64]) -> (u64, u64, u64) {
    times.sort_unstable();
    let at = |share: usize| times.get((times.len() * share / 100).min(times.len().saturating_sub(1)));
    (at(50).copied().unwrap_or(0), at(99).copied().unwrap_or(0), times.last().copied().unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::super::options::Batch;
    use super::*;

    fn options(max_failures: u64, on_failure: OnFailure) -> SwapOptions {
        SwapOptions { max_failures, on_failure, ..SwapOptions::default() }
    }

    #[test]
    fn what_more_failures_than_may_be_lead_to_is_said_before() {
        use OnFailure::{Back, Skip, Stop};
        let cases = [
            (0, 0, 0, Back, Verdict::Go),
            (1, 0, 0, Back, Verdict::Back),
            (0, 1, 0, Back, Verdict::Back),
            (1, 1, 2, Back, Verdict::Go),
            (2, 1, 2, Back, Verdict::Back),
            (1, 0, 0, Stop, Verdict::Stop),
            (0, 3, 2, Stop, Verdict::Stop),
            (9, 9, 0, Skip, Verdict::Go),
        ];
        for (failures, faults, max, on_failure, expected) in cases {
            assert_eq!(verdict(failures, faults, &options(max, on_failure)), expected, "{failures}, {faults}, {max}");
        }
    }

    #[test]
    fn every_actor_is_in_one_batch() {
        let names: Vec<_> = (0..95).map(|n| ActorName::new(&format!("a/{n}")).expect("valid")).collect();
        for (batch, expected) in [(Batch::Percent(10), 10), (Batch::Percent(100), 1), (Batch::Actors(40), 3)] {
            let options = SwapOptions { batch, ..SwapOptions::default() };
            let batches = batches(&names, &options);
            assert_eq!(batches.len(), expected, "{batch:?}");
            assert_eq!(batches.into_iter().flatten().collect::<Vec<_>>(), names);
        }
        assert!(batches(&[], &SwapOptions::default()).is_empty());
    }

    #[test]
    fn times_are_told_by_their_rank() {
        assert_eq!(percentiles(&mut []), (0, 0, 0));
        assert_eq!(percentiles(&mut [7]), (7, 7, 7));
        let mut times: Vec<u64> = (1..=200).rev().collect();
        assert_eq!(percentiles(&mut times), (101, 199, 200));
    }
}
