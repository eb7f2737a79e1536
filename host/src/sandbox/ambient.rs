//! What an instance takes from around it without asking anyone: the time, and chance. An actor's are the machine's; where
//! the same is to be played twice, both are played.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rand_core::{Infallible, TryRng};
use wasmtime_wasi::{HostMonotonicClock, HostWallClock, WasiCtxBuilder};

use crate::store::now_ms;

/// Lines of a guest's log that are kept, the newest.
const LINES: usize = 20;
/// A guest that has computed or waited for so long in one call sees its steady clock go on, so that a wait ends.
const STEADY: Duration = Duration::from_millis(50);

/// Where time and chance come from.
#[derive(Debug, Clone, Default)]
pub(crate) enum Ambient {
    /// The machine's.
    #[default]
    Real,
    /// As they are set.
    Played(Arc<Played>),
}

/// A clock that stands where it is put, chance that is drawn from a seed, and the last lines of the guest's log.
#[derive(Debug)]
pub(crate) struct Played(Mutex<Inner>);

#[derive(Debug)]
struct Inner {
    seed: u64,
    now_ms: u64,
    chance: u64,
    began: Instant,
    /// Times that the steady clock was read in this call, and the latest that it has shown.
    readings: u64,
    steady: Duration,
    lines: VecDeque<String>,
}

impl Played {
    pub(crate) fn new(seed: u64, now_ms: u64) -> Self {
        let (began, steady) = (Instant::now(), Duration::ZERO);
        Self(Mutex::new(Inner { seed, now_ms, chance: seed, began, readings: 0, steady, lines: VecDeque::new() }))
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        // Each change leaves it whole.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is called next is named `step`: its chance is drawn from that and the seed alone, whatever was drawn before.
    pub(crate) fn begin(&self, step: u64) {
        let mut inner = self.inner();
        inner.chance = mixed(inner.seed ^ mixed(step));
        (inner.began, inner.readings) = (Instant::now(), 0);
    }

    pub(crate) fn now_ms(&self) -> u64 {
        self.inner().now_ms
    }

    /// Puts the clock to a moment, in milliseconds since the Unix epoch.
    pub(crate) fn set_now_ms(&self, now_ms: u64) {
        self.inner().now_ms = now_ms;
    }

    /// What the guest has logged since this was asked last, the newest lines of it.
    pub(crate) fn take_lines(&self) -> Vec<String> {
        std::mem::take(&mut self.inner().lines).into()
    }

    fn fill(&self, bytes: &mut [u8]) {
        let mut inner = self.inner();
        for chunk in bytes.chunks_mut(8) {
            inner.chance = inner.chance.wrapping_add(0x9E37_79B9_7F4A_7C15);
            let drawn = mixed(inner.chance).to_le_bytes();
            chunk.copy_from_slice(&drawn[..chunk.len()]);
        }
    }

    fn steady(&self) -> Duration {
        let mut inner = self.inner();
        inner.readings += 1;
        let waited = Some(inner.began.elapsed()).filter(|elapsed| *elapsed > STEADY).unwrap_or_default();
        let now = Duration::from_millis(inner.now_ms) + Duration::from_micros(inner.readings) + waited;
        // It never goes back, whatever one call was made to see of it.
        inner.steady = inner.steady.max(now);
        inner.steady
    }
}

/// The finishing of splitmix64: neighbours become strangers.
fn mixed(n: u64) -> u64 {
    let n = (n ^ (n >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let n = (n ^ (n >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    n ^ (n >> 31)
}

impl Ambient {
    pub(super) fn now_ms(&self) -> u64 {
        match self {
            Self::Real => now_ms(),
            Self::Played(played) => played.now_ms(),
        }
    }

    pub(super) fn fill(&self, bytes: &mut [u8]) -> Result<(), getrandom::Error> {
        match self {
            Self::Real => getrandom::fill(bytes),
            Self::Played(played) => {
                played.fill(bytes);
                Ok(())
            }
        }
    }

    /// A line that the guest has logged.
    pub(super) fn hear(&self, line: &str) {
        if let Self::Played(played) = self {
            let lines = &mut played.inner().lines;
            if lines.len() == LINES {
                lines.pop_front();
            }
            lines.push_back(line.to_owned());
        }
    }

    /// Has WASI's clocks and generators answer alike.
    pub(super) fn equip(&self, ctx: &mut WasiCtxBuilder) {
        if let Self::Played(played) = self {
            let mut seed = [0; 16];
            played.fill(&mut seed);
            ctx.wall_clock(Clock(played.clone())).monotonic_clock(Clock(played.clone()));
            ctx.secure_random(Chance(played.clone())).insecure_random(Chance(played.clone()));
            ctx.insecure_random_seed(u128::from_le_bytes(seed));
        }
    }
}

struct Clock(Arc<Played>);

impl HostWallClock for Clock {
    fn resolution(&self) -> Duration {
        Duration::from_millis(1)
    }

    fn now(&self) -> Duration {
        Duration::from_millis(self.0.now_ms())
    }
}

impl HostMonotonicClock for Clock {
    fn resolution(&self) -> u64 {
        1
    }

    fn now(&self) -> u64 {
        u64::try_from(self.0.steady().as_nanos()).unwrap_or(u64::MAX)
    }
}

struct Chance(Arc<Played>);

impl TryRng for Chance {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        let mut bytes = [0; 4];
        self.0.fill(&mut bytes);
        Ok(u32::from_le_bytes(bytes))
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        let mut bytes = [0; 8];
        self.0.fill(&mut bytes);
        Ok(u64::from_le_bytes(bytes))
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        self.0.fill(bytes);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(played: &Played) -> [u8; 20] {
        let mut bytes = [0; 20];
        played.fill(&mut bytes);
        bytes
    }

    #[test]
    fn what_a_step_draws_depends_on_the_seed_and_the_step_alone() {
        let (one, other) = (Played::new(7, 0), Played::new(7, 0));
        one.begin(1);
        assert_ne!(drawn(&one), drawn(&one));
        one.begin(2);
        other.begin(2);
        let second = drawn(&one);
        assert_eq!(second, drawn(&other));
        other.begin(3);
        assert_ne!(second, drawn(&other));
        let stranger = Played::new(8, 0);
        stranger.begin(2);
        assert_ne!(second, drawn(&stranger));
    }

    #[test]
    fn the_steady_clock_never_goes_back_and_follows_the_other() {
        let played = Played::new(0, 1_000);
        let first = played.steady();
        assert!(played.steady() > first);
        played.set_now_ms(2_000);
        assert!(played.steady() >= Duration::from_secs(2));
        played.set_now_ms(500);
        assert!(played.steady() >= Duration::from_secs(2));
        assert_eq!(played.now_ms(), 500);
    }

    #[test]
    fn the_newest_lines_are_kept() {
        let played = Arc::new(Played::new(0, 0));
        for n in 0..=LINES {
            Ambient::Played(played.clone()).hear(&n.to_string());
        }
        let lines = played.take_lines();
        assert_eq!((lines.len(), lines[0].as_str()), (LINES, "1"));
        assert!(played.take_lines().is_empty());
    }
}
