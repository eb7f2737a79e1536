//! How an actor's state is kept, and what happens to one that cannot be used.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// What happens to an actor whose state cannot be used.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum BadStatePolicy {
    /// It is parked until an operator decides; calls get `held`.
    #[default]
    Hold,
    /// It goes on from the newest earlier record that fits, as far back as they are kept, and is parked where none does. What
    /// was committed after that record is given up; the log says how many commits that were.
    Previous,
    /// It begins anew, without a state. The record is kept until newer ones push it out.
    Fresh,
    /// It stays down, and its supervisor does not start it again.
    Stop,
}

/// When an actor's state is saved, besides at its own wish.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Durability {
    /// When it stops, sleeps or is swapped.
    #[default]
    Stop,
    /// Also after so many messages, or so long after the first message that is not saved yet: whichever comes first.
    Interval {
        /// Messages; none: they do not count.
        turns: Option<u32>,
        /// How long; none: time does not count.
        every: Option<Duration>,
    },
    /// With each message: state, what it sends, its timers, its monitors and its reply are durable in one step before any of
    /// them leaves.
    Turn,
}

/// What is said of how state is kept; what is not said here is said elsewhere: an actor's count first, then its plugin's,
/// then the defaults of [`Keeping`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct StateRules {
    /// See [`Keeping::durability`].
    pub durability: Option<Durability>,
    /// See [`Keeping::on_bad_state`].
    pub on_bad_state: Option<BadStatePolicy>,
    /// See [`Keeping::on_stale`].
    pub on_stale: Option<BadStatePolicy>,
    /// See [`Keeping::max_age`]; [`Duration::MAX`] says that there is none.
    pub max_age: Option<Duration>,
    /// After how long without a message an actor is put to sleep; [`Duration::MAX`]: it never is, for no other reason either.
    /// What is said nowhere is [`Passivation::after`](super::Passivation::after).
    pub passivate_after: Option<Duration>,
}

/// How an actor's state is kept.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Keeping {
    /// When it is saved. [`Durability::Stop`] unless told.
    pub durability: Durability,
    /// What happens to a state that cannot be used. [`BadStatePolicy::Hold`] unless told.
    pub on_bad_state: BadStatePolicy,
    /// What happens to a state older than `max_age`. [`BadStatePolicy::Hold`] unless told; with [`BadStatePolicy::Previous`]
    /// it is parked as well, since no earlier record is younger.
    pub on_stale: BadStatePolicy,
    /// How old a state may be when it is taken over, since its guest wrote it and by the host's clock; none: as old as it is.
    pub max_age: Option<Duration>,
    /// After how long without a message it is put to sleep; [`Duration::MAX`]: never; none: as the host has it.
    pub passivate_after: Option<Duration>,
}

impl StateRules {
    /// These rules, and `otherwise` where they say nothing.
    #[must_use]
    pub fn or(self, otherwise: Self) -> Self {
        Self {
            durability: self.durability.or(otherwise.durability),
            on_bad_state: self.on_bad_state.or(otherwise.on_bad_state),
            on_stale: self.on_stale.or(otherwise.on_stale),
            max_age: self.max_age.or(otherwise.max_age),
            passivate_after: self.passivate_after.or(otherwise.passivate_after),
        }
    }

    /// With the defaults in place of what is not said.
    #[must_use]
    pub fn resolved(self) -> Keeping {
        Keeping {
            durability: self.durability.unwrap_or_default(),
            on_bad_state: self.on_bad_state.unwrap_or_default(),
            on_stale: self.on_stale.unwrap_or_default(),
            max_age: self.max_age.filter(|age| *age != Duration::MAX),
            passivate_after: self.passivate_after,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_actors_rules_count_before_its_plugins() {
        let age = |secs| Some(Duration::from_secs(secs));
        let plugin = StateRules {
            durability: Some(Durability::Turn),
            on_bad_state: Some(BadStatePolicy::Fresh),
            max_age: age(60),
            ..StateRules::default()
        };
        let actor = StateRules { on_bad_state: Some(BadStatePolicy::Stop), ..StateRules::default() };
        let kept = actor.or(plugin).resolved();
        assert_eq!((kept.durability, kept.on_bad_state), (Durability::Turn, BadStatePolicy::Stop));
        assert_eq!((kept.on_stale, kept.max_age), (BadStatePolicy::Hold, age(60)));
        let ageless = StateRules { max_age: Some(Duration::MAX), ..StateRules::default() };
        assert_eq!(ageless.or(plugin).resolved().max_age, None);
        assert_eq!(StateRules::default().resolved(), Keeping::default());
    }
}
