//! What an operator does to a store: looks at records side by side, verifies, goes back, copies, erases, exports and imports.
//!
//! Everything here works on any backend, and never writes where someone else has written since it looked: a change is
//! refused then. Whether an actor runs is not known here; [`crate::Host`] has the same changes for a store in use, and
//! stops and starts the actors concerned.

mod back;
mod change;
mod diff;
mod file;
mod import;
mod lines;
mod plan;
mod repair;
mod verify;
mod walk;

use std::fmt;

use serde::{Deserialize, Serialize};

use super::StoreError;
use crate::model::{ActorName, HostError, NameError, Pattern};

pub use back::{RollingBack, fork, prepare_rollback, rollback};
pub use change::{Changed, Ended, Writer, copy_of, discard, forget, prune, retry, with_consent};
pub use diff::{Diff, Fact, States, compare, diff};
pub use file::{Contents, EXPORT_FORMAT, Export, FileError, Unread, encode_image, export, export_to_file};
pub use import::{Images, Imported, Taken, import};
pub use lines::Line;
pub use plan::{
    Fork, Loss, LostRecord, Rollback, Verdict, plan_forget, plan_fork, plan_import, plan_prune, plan_rollback,
};
pub use repair::repair;
pub use verify::{Problem, Verified, verify};
pub use walk::image;

/// Why something was not done to what is stored. Nothing was changed, unless it says so.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ToolError {
    /// There is nothing to do it to.
    #[error("nothing is stored for `{0}`")]
    NotStored(ActorName),
    /// The actor has no such record, or not any more.
    #[error("`{actor}` has no record {wanted}: {}", kept_words(.kept))]
    NoRecord {
        /// Whose.
        actor: ActorName,
        /// Its sequence; none: the one before the current one.
        wanted: Wanted,
        /// The sequences that there are, newest first.
        kept: Vec<u64>,
    },
    /// There is something already that would be replaced.
    #[error("`{actor}` has a state already: record {sequence} counts")]
    Exists {
        /// Whose.
        actor: ActorName,
        /// Its current record.
        sequence: u64,
    },
    /// It makes no sense for this record or this actor.
    #[error("{0}")]
    Unfit(String),
    /// The actor runs.
    #[error("`{actor}` runs here (it is {phase})")]
    Running {
        /// Which.
        actor: ActorName,
        /// Where it stands.
        phase: String,
    },
    /// Another host that shares the store owns the actor.
    #[error("{}", crate::model::owned_elsewhere(.actor.as_str(), .node, .address.as_deref()))]
    OwnedElsewhere {
        /// Which.
        actor: ActorName,
        /// The node of that host.
        node: String,
        /// Where that host's API is reached, if it is: a URL.
        address: Option<String>,
    },
    /// Someone else has written since it was looked at: it was started, most likely.
    #[error("`{actor}` was started or changed meanwhile, and was left as it is: {why}")]
    Moved {
        /// Which.
        actor: ActorName,
        /// What the store said.
        why: String,
    },
    /// The export file cannot be used.
    #[error(transparent)]
    File(#[from] FileError),
    /// The store did not do it.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The host could not stop the actor.
    #[error(transparent)]
    Host(#[from] HostError),
}

/// A record that was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    /// The one with this sequence.
    Sequence(u64),
    /// The one before the current one.
    Before,
}

impl fmt::Display for Wanted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sequence(sequence) => sequence.fmt(f),
            Self::Before => f.write_str("before the current one"),
        }
    }
}

fn kept_words(kept: &[u64]) -> String {
    match kept {
        [] => "there is none".to_owned(),
        [only] => format!("there is {only} alone"),
        _ => format!("there are {}", kept.iter().map(u64::to_string).collect::<Vec<_>>().join(", ")),
    }
}

impl ToolError {
    /// A stable word for programs.
    #[must_use]
    pub fn code(&self) -> String {
        match self {
            Self::NotStored(_) => "not-stored".to_owned(),
            Self::NoRecord { .. } => "no-record".to_owned(),
            Self::Exists { .. } => "exists".to_owned(),
            Self::Unfit(_) => "unfit".to_owned(),
            Self::Running { .. } => "running".to_owned(),
            Self::OwnedElsewhere { .. } => "owned-elsewhere".to_owned(),
            Self::Moved { .. } => "conflict".to_owned(),
            Self::File(_) => "bad-export".to_owned(),
            Self::Store(StoreError::Unavailable(_) | StoreError::Unknown(_)) => "store-unavailable".to_owned(),
            Self::Store(StoreError::Corrupt(_)) => "store-damaged".to_owned(),
            Self::Store(_) => "store".to_owned(),
            Self::Host(error) => error.code().to_string(),
        }
    }

    /// What to do about it, where that is known. The flags are the command's; over HTTP and in the library the same words
    /// stand with `_`.
    #[must_use]
    pub fn cure(&self) -> Option<&str> {
        match self {
            Self::NotStored(_) => Some("`baton store ls` lists what is stored"),
            Self::NoRecord { .. } => Some("`baton store history` lists an actor's records"),
            Self::Exists { .. } => Some("--replace puts the other one in its place"),
            Self::Running { .. } => Some("--stop-it stops it in good order, changes it, and starts it again"),
            Self::OwnedElsewhere { .. } => Some("ask that host, or stop it there first"),
            Self::Moved { .. } => Some("look at it again; --stop-it stops an actor that runs"),
            Self::Host(error) => error.cure(),
            Self::Store(error) => error.cure(),
            Self::Unfit(_) | Self::File(_) => None,
        }
    }
}

/// Which actors are meant: some by their names, some by patterns such as `cart/*`; all, where nothing is said.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selection(Vec<Choice>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Choice {
    One(ActorName),
    Many(Pattern),
}

impl Selection {
    /// Reads names and patterns.
    ///
    /// # Errors
    /// If one of them is neither.
    pub fn new<'a>(words: impl IntoIterator<Item = &'a str>) -> Result<Self, NameError> {
        let choice = |word: &str| match word.ends_with('*') {
            true => Pattern::new(word).map(Choice::Many),
            false => ActorName::new(word).map(Choice::One),
        };
        words.into_iter().map(choice).collect::<Result<_, _>>().map(Self)
    }

    /// Whether nothing was said.
    #[must_use]
    pub fn is_all(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether `name` is meant.
    #[must_use]
    pub fn matches(&self, name: &ActorName) -> bool {
        let meant = |choice: &Choice| match choice {
            Choice::One(one) => one == name,
            Choice::Many(pattern) => pattern.matches(name),
        };
        self.is_all() || self.0.iter().any(meant)
    }
}

/// What may be done on the way to a change.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Consent {
    /// Do it. Else it is a dry run, which says what would be lost.
    pub yes: bool,
    /// Stop an actor that runs, in good order, and start it again afterwards. Else it is refused.
    pub stop_it: bool,
    /// For history and quarantine alone: leave an actor that runs running.
    pub running: bool,
}

impl Consent {
    /// Whether a change that loses this may be made.
    #[must_use]
    pub fn allows(&self, loss: &Loss) -> bool {
        self.yes || loss.is_nothing()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_selection_means_names_and_patterns_and_all_where_it_says_nothing() {
        let name = |text: &str| ActorName::new(text).expect("valid");
        let some = Selection::new(["cart/*", "tally"]).expect("valid");
        for (actor, meant) in [("cart/1", true), ("tally", true), ("cart", false), ("tally/1", false)] {
            assert_eq!(some.matches(&name(actor)), meant, "{actor}");
            assert!(Selection::default().matches(&name(actor)));
        }
        assert!(Selection::new(["a*b"]).is_err() && Selection::new([""]).is_err());
    }

    #[test]
    fn a_record_that_is_missing_is_told_with_those_that_are_there() {
        let told = |wanted, kept: &[u64]| {
            let actor = ActorName::new("a").expect("valid");
            ToolError::NoRecord { actor, wanted, kept: kept.to_vec() }.to_string()
        };
        assert_eq!(told(Wanted::Sequence(2), &[5, 4]), "`a` has no record 2: there are 5, 4");
        assert_eq!(told(Wanted::Before, &[5]), "`a` has no record before the current one: there is 5 alone");
        assert_eq!(told(Wanted::Sequence(1), &[]), "`a` has no record 1: there is none");
    }
}
