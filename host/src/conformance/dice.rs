//! Chance that can be had again: random runs of messages, and bytes that are nearly a state.

use super::script::{Expect, How, Step};
use crate::model::ActorName;

/// Most steps of a random run.
pub(super) const STEPS: usize = 60;
/// How far the clock goes on in one step of a run, in milliseconds.
const ADVANCES: [u64; 6] = [1, 50, 1_000, 20_000, 60_000, 900_000];

/// A seeded generator (splitmix64).
#[derive(Debug)]
pub(super) struct Dice(u64);

impl Dice {
    /// One that draws for `what` alone: what others draw does not change it.
    pub(super) fn of(seed: u64, what: &str) -> Self {
        let salt = what
            .bytes()
            .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3));
        Self(seed ^ salt)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// The next number below `limit`; 0 where that is 0.
    pub(super) fn below(&mut self, limit: usize) -> usize {
        let drawn = self.next().checked_rem(limit as u64).unwrap_or(0);
        // It is below a usize.
        usize::try_from(drawn).unwrap_or(0)
    }

    pub(super) fn one_in(&mut self, sides: usize) -> bool {
        self.below(sides) == 0
    }

    pub(super) fn pick<'a, T>(&mut self, from: &'a [T]) -> Option<&'a T> {
        from.get(self.below(from.len()))
    }

    pub(super) fn bytes(&mut self, count: usize) -> Vec<u8> {
        (0..count).map(|_| self.next().to_le_bytes()[0]).collect()
    }

    /// A run of at most `most` steps: messages of `bodies` as calls and casts, with and without a sender, and time that
    /// passes between them.
    pub(super) fn run(&mut self, bodies: &[&[u8]], senders: &[ActorName], most: usize) -> Vec<Step> {
        let count = 1 + self.below(most.clamp(1, STEPS));
        let mut steps = Vec::with_capacity(count);
        while steps.len() < count {
            if self.one_in(7) {
                steps.push(Step::Advance(ADVANCES[self.below(ADVANCES.len())]));
                continue;
            }
            let Some(body) = self.pick(bodies) else { break };
            let body = body.to_vec();
            let how = if self.one_in(3) { How::Cast } else { How::Call };
            let from = if self.one_in(3) { self.pick(senders).cloned() } else { None };
            steps.push(Step::Say { how, from, body, expect: Expect::Anything });
        }
        steps
    }

    /// Nearly what it was: a bit the other way round, a part left out, said twice, or something in between.
    pub(super) fn damaged(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut out = bytes.to_vec();
        if out.is_empty() {
            return self.bytes(1);
        }
        let at = self.below(out.len());
        match self.below(4) {
            0 | 1 => out[at] ^= 1 << self.below(8),
            2 => drop(out.drain(at..(at + 1 + self.below(8)).min(bytes.len()))),
            _ => {
                let between = 1 + self.below(8);
                let between = self.bytes(between);
                out.splice(at..at, between);
            }
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_draws_the_same_run_and_another_another() {
        let bodies: [&[u8]; 3] = [b"a", b"b", b"c"];
        let run = |seed| Dice::of(seed, "x").run(&bodies, &[], STEPS);
        assert_eq!(run(1), run(1));
        assert!((1..50).any(|seed| run(seed) != run(1)));
        assert!((0..200).all(|seed| (1..=STEPS).contains(&run(seed).len())));
    }

    #[test]
    fn damage_changes_something() {
        let mut dice = Dice::of(3, "damage");
        for length in [0, 1, 2, 40] {
            let whole = vec![7; length];
            let changed = (0..100).filter(|_| dice.damaged(&whole) != whole).count();
            assert!(changed > 90, "{length}: {changed}");
        }
    }
}
