//! Standing orders.

use baton_guest::Failure;
use serde::{Deserialize, Serialize};

use crate::check_amount;

/// Longest name, in bytes.
const NAME_BYTES: usize = 64;
/// Longest time between two payments, in milliseconds: a year.
const EVERY_MS: u64 = 366 * 24 * 60 * 60 * 1_000;

/// A transfer that is made again and again; the first time after `every_ms`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Order {
    pub(crate) to: String,
    pub(crate) cents: u64,
    pub(crate) every_ms: u64,
    /// How often it is still paid; none: until it is cancelled. What the balance did not allow does not count.
    pub(crate) times: Option<u64>,
    /// How often the balance did not allow it.
    pub(crate) missed: u64,
}

impl Order {
    pub(crate) fn check(&self, name: &str) -> Result<(), Failure> {
        let bad = |why: String| Err(Failure::new("bad-order", why));
        if name.is_empty() || name.len() > NAME_BYTES {
            return bad(format!("the name of a standing order has 1 to {NAME_BYTES} bytes, not {}", name.len()));
        }
        if !(1..=EVERY_MS).contains(&self.every_ms) {
            return bad(format!("every {} ms is not within 1 to {EVERY_MS}", self.every_ms));
        }
        if self.times == Some(0) {
            return bad("it would never be paid".to_owned());
        }
        check_amount(self.cents)
    }

    /// Counts one more try, and says whether there is another.
    pub(crate) fn goes_on(&mut self, paid: bool) -> bool {
        if !paid {
            self.missed = self.missed.saturating_add(1);
            return true;
        }
        self.times = self.times.map(|times| times.saturating_sub(1));
        self.times != Some(0)
    }
}
