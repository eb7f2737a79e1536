//! What a plugin promises, each with a name and a sentence.

use std::fmt;
use std::str::FromStr;

use serde::{Serialize, Serializer};

/// One of the promises that the contract asks of a plugin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Promise {
    /// It says who it is.
    Description,
    /// `init` makes an instance ready, and does nothing else.
    Init,
    /// It begins without a state.
    Fresh,
    /// It reads what it writes.
    OwnSnapshots,
    /// It reads what its earlier versions wrote.
    Schemas,
    /// It refuses what is no state.
    BadStates,
    /// No message ends it.
    BadMessages,
    /// Nobody notices that it was handed over.
    Handover,
    /// It keeps to its own conversations.
    Scripts,
    /// What it gives fits.
    Sizes,
}

impl Promise {
    /// All, in the order in which they are looked at.
    pub const ALL: [Self; 10] = [
        Self::Description,
        Self::Init,
        Self::Fresh,
        Self::OwnSnapshots,
        Self::Schemas,
        Self::BadStates,
        Self::BadMessages,
        Self::Handover,
        Self::Scripts,
        Self::Sizes,
    ];

    /// Its name, for programs and for `--only`.
    #[must_use]
    pub fn id(self) -> &'static str {
        match self {
            Self::Description => "description",
            Self::Init => "init",
            Self::Fresh => "fresh",
            Self::OwnSnapshots => "own-snapshots",
            Self::Schemas => "schemas",
            Self::BadStates => "bad-states",
            Self::BadMessages => "bad-messages",
            Self::Handover => "handover",
            Self::Scripts => "scripts",
            Self::Sizes => "sizes",
        }
    }

    /// What is promised.
    #[must_use]
    pub fn sentence(self) -> &'static str {
        match self {
            Self::Description => "it says who it is, twice the same",
            Self::Init => "`init` is quick, asks nobody for anything, and fails rather than traps",
            Self::Fresh => "it begins where there is no state",
            Self::OwnSnapshots => "it takes over every state that it gives, and ends in time",
            Self::Schemas => "it takes over the states of every schema that it says it reads",
            Self::BadStates => "it refuses what is no state, and does not trap on it",
            Self::BadMessages => "no message makes it trap",
            Self::Handover => "handed over at any point, it behaves as the one that lived on",
            Self::Scripts => "its scripts come out as written, also when it is handed over before each step",
            Self::Sizes => "its replies and states are within the host's limits",
        }
    }
}

impl fmt::Display for Promise {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.id())
    }
}

impl FromStr for Promise {
    type Err = String;

    fn from_str(id: &str) -> Result<Self, String> {
        let known = Self::ALL.into_iter().find(|promise| promise.id() == id);
        known.ok_or_else(|| {
            format!("there is no promise of that name; there are {}", Self::ALL.map(Self::id).join(", "))
        })
    }
}

impl Serialize for Promise {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(self.id())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_promise_is_found_by_its_name() {
        for promise in Promise::ALL {
            assert_eq!(promise.id().parse(), Ok(promise));
        }
        assert!("frsh".parse::<Promise>().expect_err("is none").contains("own-snapshots"));
    }
}
