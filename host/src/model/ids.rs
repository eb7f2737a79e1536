//! Ids for messages that came without one.

use std::sync::atomic::{AtomicU64, Ordering};

use super::MessageId;

/// Draws ids: each is a number in turn under a key of its host's own, and so as hard to guess, and as unlikely to come
/// twice, as a random one. The system, which takes longer to answer than a guest, is asked once.
#[derive(Debug)]
pub(crate) struct Ids {
    key: [u8; 32],
    drawn: AtomicU64,
}

impl Ids {
    /// # Panics
    /// If the system has no source of randomness, without which nothing here is safe.
    pub(crate) fn new() -> Self {
        let mut key = [0; 32];
        getrandom::fill(&mut key).expect("the system's random generator answers");
        Self { key, drawn: AtomicU64::new(0) }
    }

    /// Another one.
    pub(crate) fn draw(&self) -> MessageId {
        let number = self.drawn.fetch_add(1, Ordering::Relaxed);
        let hash = blake3::keyed_hash(&self.key, &number.to_le_bytes());
        let (half, _) = hash.as_bytes().split_at(16);
        MessageId::of_bytes(half.try_into().expect("it is split at 16"))
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
        let ids = || Ids { key: [7; 32], drawn: AtomicU64::new(41) };
        assert_eq!(ids().draw(), ids().draw());
        assert_ne!(ids().draw(), Ids { key: [8; 32], drawn: AtomicU64::new(41) }.draw());
    }
}
