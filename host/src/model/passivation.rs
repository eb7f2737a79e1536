//! When actors that nobody needs are put to sleep.

use std::time::Duration;

/// When actors are put to sleep: their state goes to the store, their instance goes, and the next message, timer or call wakes
/// them. Nobody is unless one of these says so, or a plugin's or an actor's own
/// [`StateRules::passivate_after`](super::StateRules::passivate_after).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Passivation {
    /// An actor that has handled nothing for so long; none: idleness by itself is no reason.
    pub after: Option<Duration>,
    /// How many actors may be awake: of more, those that have handled nothing for longest go to sleep. A round of that comes
    /// some milliseconds after one too many has woken; `instances` is what is never exceeded. None: as many as there are.
    pub max_resident: Option<u32>,
    /// Linear memory of all that are awake together, in bytes: where they have more, those that have handled nothing for
    /// longest go to sleep. None: that is no reason.
    pub resident_memory_bytes: Option<usize>,
    /// How long an actor stays awake at least, whatever else is said, so that one which is woken again and again is not put to
    /// sleep as often. 1 s unless told.
    pub least_resident: Duration,
}

impl Default for Passivation {
    fn default() -> Self {
        Self { after: None, max_resident: None, resident_memory_bytes: None, least_resident: Duration::from_secs(1) }
    }
}

impl Passivation {
    /// Whether it says that anybody is put to sleep.
    #[must_use]
    pub fn is_on(&self) -> bool {
        self.after.is_some() || self.max_resident.is_some() || self.resident_memory_bytes.is_some()
    }
}
