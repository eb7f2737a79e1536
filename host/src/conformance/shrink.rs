//! A failing case made small: fewer messages, one handover. What is tried next is pure; whether it still fails is asked.

use std::collections::BTreeMap;
use std::time::Instant;

use super::play::Case;

/// How many smaller cases are tried.
const TRIES: usize = 400;

/// The smallest case found that still fails, by what `fails` says of each that is tried; none: it does not.
pub(super) async fn shrink<T>(
    case: Case,
    failure: T,
    until: Instant,
    mut fails: impl AsyncFnMut(&Case) -> Option<T>,
) -> (Case, T) {
    let (mut best, mut found) = (case, failure);
    let mut tries = 0;
    'again: loop {
        for smaller in smaller(&best) {
            if tries == TRIES || Instant::now() >= until {
                return (best, found);
            }
            tries += 1;
            if let Some(failure) = fails(&smaller).await {
                (best, found) = (smaller, failure);
                continue 'again;
            }
        }
        return (best, found);
    }
}

/// Smaller cases, the most promising first: one handover, then large pieces left out, then single steps.
fn smaller(case: &Case) -> Vec<Case> {
    let mut out = Vec::new();
    if case.handovers.len() > 1 {
        // The last one is the likeliest to have mattered.
        let single = case
            .handovers
            .iter()
            .rev()
            .map(|(at, kind)| Case { steps: case.steps.clone(), handovers: BTreeMap::from([(*at, *kind)]) });
        out.extend(single);
        let (first, second): (Vec<_>, Vec<_>) =
            case.handovers.iter().map(|(at, kind)| (*at, *kind)).enumerate().partition(|(n, _)| n % 2 == 0);
        for half in [first, second] {
            let handovers = half.into_iter().map(|(_, handover)| handover).collect();
            out.push(Case { steps: case.steps.clone(), handovers });
        }
    }
    let mut size = case.steps.len() / 2;
    while size > 0 {
        let mut from = 0;
        while from < case.steps.len() {
            out.push(without(case, from, (from + size).min(case.steps.len())));
            from += size;
        }
        size /= 2;
    }
    out.retain(|case| !case.steps.is_empty());
    out
}

/// The case without the steps `from..to`. A handover before one of them goes to the step that follows.
pub(super) fn without(case: &Case, from: usize, to: usize) -> Case {
    let steps: Vec<_> = case.steps[..from].iter().chain(&case.steps[to..]).cloned().collect();
    let moved = |at: usize| match at {
        at if at < from => at,
        at if at < to => from,
        at => at - (to - from),
    };
    let handovers = case.handovers.iter().map(|(at, kind)| (moved(*at), *kind));
    let handovers = handovers.filter(|(at, _)| *at < steps.len()).collect();
    Case { steps, handovers }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::actor::Kind;
    use super::super::script::Step;
    use super::*;

    fn case(steps: u64, handovers: &[usize]) -> Case {
        let handovers = handovers.iter().map(|at| (*at, Kind::Snapshot)).collect();
        Case { steps: (0..steps).map(Step::Advance).collect(), handovers }
    }

    #[test]
    fn leaving_steps_out_moves_the_handovers() {
        let small = without(&case(6, &[0, 2, 3, 5]), 2, 4);
        assert_eq!(small.steps.len(), 4);
        assert_eq!(small.handovers.keys().copied().collect::<Vec<_>>(), [0, 2, 3]);
        assert!(without(&case(3, &[2]), 2, 3).handovers.is_empty());
    }

    #[tokio::test]
    async fn only_what_is_needed_to_fail_is_left() {
        // It fails where step 7 stands before step 20 with a handover anywhere between them.
        let fails = async |case: &Case| {
            let at = |ms| case.steps.iter().position(|step| *step == Step::Advance(ms));
            let (early, late) = (at(7)?, at(20)?);
            case.handovers.keys().any(|handover| (early + 1..=late).contains(handover)).then_some(())
        };
        let all: Vec<usize> = (0..40).collect();
        let until = Instant::now() + Duration::from_secs(10);
        let (small, ()) = shrink(case(40, &all), (), until, fails).await;
        assert_eq!(small.steps, [Step::Advance(7), Step::Advance(20)]);
        assert_eq!(small.handovers.len(), 1);
    }
}
