//! Random numbers that can be had again.

use std::time::{SystemTime, UNIX_EPOCH};

/// A seeded generator (splitmix64). Where a test fails, it says its seed; `BATON_SEED` plays it again.
#[derive(Debug)]
pub struct Dice {
    seed: u64,
    state: u64,
}

impl Dice {
    /// With the seed of `BATON_SEED`, or else of this moment.
    ///
    /// # Panics
    /// If the clock stands before 1970.
    #[must_use]
    pub fn new() -> Self {
        let told = std::env::var("BATON_SEED").ok().and_then(|seed| seed.parse().ok());
        let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").subsec_nanos();
        Self::with_seed(told.unwrap_or(now.into()))
    }

    /// With this seed.
    #[must_use]
    pub fn with_seed(seed: u64) -> Self {
        Self { seed, state: seed }
    }

    /// The next number below `limit`, which is not 0.
    pub fn below(&mut self, limit: usize) -> usize {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        usize::try_from((z ^ (z >> 31)) % limit as u64).expect("below a usize")
    }

    /// A number below `limit`, which is not 0, by Zipf's law with exponent 1: the busiest comes twice as often as the next, and
    /// so on. Busy ones are no neighbours: each rank is multiplied by a large prime.
    pub fn zipf(&mut self, limit: usize) -> usize {
        let chance = self.below(1 << 53) as f64 / (1_u64 << 53) as f64;
        let rank = (limit as f64).powf(chance) as usize % limit;
        rank.wrapping_mul(2_654_435_761) % limit
    }

    /// Whether one of `sides` equal chances came.
    pub fn one_in(&mut self, sides: usize) -> bool {
        self.below(sides) == 0
    }
}

impl Default for Dice {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Dice {
    fn drop(&mut self) {
        if std::thread::panicking() {
            println!("BATON_SEED={} plays it again", self.seed);
        }
    }
}

/// A number from the environment, or `otherwise`: how long a suite shall play.
#[must_use]
pub fn number_from(variable: &str, otherwise: usize) -> usize {
    std::env::var(variable).ok().and_then(|number| number.parse().ok()).unwrap_or(otherwise)
}
