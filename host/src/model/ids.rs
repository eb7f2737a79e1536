//! Ids for messages that came without one.

use std::hash::{BuildHasher as _, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};

use super::MessageId;

/// Draws ids: each is a number in turn, hashed by SipHash under a key of its host's own, and so as unlikely to come twice as a
/// random one, and not to be guessed. The system, which takes longer to answer than a guest, is asked once.
#[derive(Debug)]
pub(crate) struct Ids {
    /// Drawn by the system.
    key: RandomState,
    drawn: AtomicU64,
}

impl Ids {
    /// # Panics
    /// If the system has no source of randomness, without which nothing here is safe.
    pub(crate) fn new() -> Self {
        Self { key: RandomState::new(), drawn: AtomicU64::new(0) }
    }

    /// Another one.
    pub(crate) fn draw(&self) -> MessageId {
        let number = self.drawn.fetch_add(1, Ordering::Relaxed);
        let [low, high] = [0_u8, 1].map(|half| u128::from(self.key.hash_one((number, half))));
        MessageId::of_bytes((high << 64 | low).to_le_bytes())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn ids_look_like_random_ones_and_none_comes_twice() {
        let (one, other) = (Ids::new(), Ids::new());
        let drawn: HashSet<String> =
            (0..1_000).flat_map(|_| [one.draw(), other.draw()]).map(|id| id.to_string()).collect();
        assert_eq!(drawn.len(), 2_000);
        assert!(drawn.iter().all(|id| id.len() == 32 && id.bytes().all(|b| b.is_ascii_hexdigit())));
    }

    #[test]
    fn the_same_key_and_number_give_the_same_id() {
        let key = RandomState::new();
        let ids = || Ids { key: key.clone(), drawn: AtomicU64::new(41) };
        assert_eq!(ids().draw(), ids().draw());
        assert_ne!(ids().draw(), Ids { key: RandomState::new(), drawn: AtomicU64::new(41) }.draw());
    }
}
