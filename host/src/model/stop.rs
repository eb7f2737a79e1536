//! How instances end, and where an actor stands.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Digest, Refusal};

/// Why an instance is told to end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum StopReason {
    /// The actor asked to stop, or someone asked for it alone.
    Normal,
    /// Its supervisor or the whole host is going down.
    Shutdown,
    /// Another version of the plugin has taken over.
    Upgrade,
    /// It is idle.
    Passivate,
    /// It moves to another node.
    Relocate,
    /// Its supervisor restarts it together with a sibling.
    Restart,
}

impl fmt::Display for StopReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Normal => "normal",
            Self::Shutdown => "shutdown",
            Self::Upgrade => "upgrade",
            Self::Passivate => "passivate",
            Self::Relocate => "relocate",
            Self::Restart => "restart",
        })
    }
}

/// What kind of crash it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum CrashKind {
    /// The guest trapped: a panic, an unreachable instruction, memory out of bounds.
    Trap,
    /// It ran past its time.
    Timeout,
    /// It went past another limit.
    Limit,
    /// It answered something that the contract does not allow.
    Contract,
    /// The host lost the right to run it: another instance owns the actor now.
    Fenced,
    /// The store could not do what the turn needed.
    Store,
    /// An actor that it was linked to ended, and it does not trap exits.
    Linked,
}

/// An instance's end that nobody asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error, JsonSchema)]
#[error("{message}")]
pub struct Crash {
    /// What kind.
    pub kind: CrashKind,
    /// In which call into the guest: `init`, `continue`, `handle`, `snapshot`, `terminate`, `describe`.
    pub during: String,
    /// What happened, and, for a limit, its name and value.
    pub message: String,
    /// The guest's frames, innermost first, where there are any.
    pub backtrace: Vec<String>,
    /// Where its memory was written to, or why it was not, where core dumps are asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub core_dump: Option<String>,
}

impl Crash {
    /// One without frames.
    #[must_use]
    pub fn new(kind: CrashKind, during: impl Into<String>, message: impl Into<String>) -> Self {
        Self { kind, during: during.into(), message: message.into(), backtrace: Vec::new(), core_dump: None }
    }
}

/// How an instance ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Exit {
    /// As it was told, or as it asked.
    Stopped(StopReason, Saved),
    /// By a crash.
    Crashed(Crash),
    /// `init` answered with a failure.
    Refused(super::Failure),
    /// Its state cannot be used, and it is to stay down then.
    Unusable(Hold),
    /// Another host owns the actor: it was not started here.
    Elsewhere(String),
}

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stopped(reason, Saved::Not(why)) => write!(f, "{reason}, not saved: {why}"),
            Self::Stopped(reason, _) => write!(f, "{reason}"),
            Self::Crashed(crash) => write!(f, "crash in `{}`: {crash}", crash.during),
            Self::Refused(failure) => write!(f, "`init` failed: {failure}"),
            Self::Unusable(hold) => write!(f, "its state cannot be used: {hold}"),
            Self::Elsewhere(who) => write!(f, "not started here: {who}"),
        }
    }
}

/// Why an actor ended, as those hear of it who monitor it or are linked to it. The words are OTP's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ExitReason {
    /// It asked to stop.
    Normal,
    /// It was told to: by its supervisor, by an operator, or since the host goes down.
    Shutdown,
    /// It was killed.
    Killed,
    /// There was no such actor.
    Noproc,
    /// It crashed, or its `init` failed: how.
    Crash(String),
}

impl ExitReason {
    /// Whether those linked to it end as well, unless they trap exits.
    #[must_use]
    pub fn is_abnormal(&self) -> bool {
        !matches!(self, Self::Normal)
    }
}

impl fmt::Display for ExitReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Normal => f.write_str("normal"),
            Self::Shutdown => f.write_str("shutdown"),
            Self::Killed => f.write_str("killed"),
            Self::Noproc => f.write_str("noproc"),
            Self::Crash(how) => write!(f, "crash: {how}"),
        }
    }
}

impl Exit {
    /// The reason that others are told.
    #[must_use]
    pub fn reason(&self) -> ExitReason {
        match self {
            Self::Stopped(_, Saved::Not(NotSaved::Killed)) => ExitReason::Killed,
            Self::Stopped(StopReason::Normal, _) => ExitReason::Normal,
            Self::Stopped(..) => ExitReason::Shutdown,
            Self::Crashed(crash) => ExitReason::Crash(crash.to_string()),
            Self::Refused(failure) => ExitReason::Crash(failure.to_string()),
            Self::Unusable(hold) => ExitReason::Crash(hold.to_string()),
            Self::Elsewhere(_) => ExitReason::Noproc,
        }
    }
}

/// What became of an instance's state when it ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Saved {
    /// A record was committed; its sequence.
    Committed(u64),
    /// The record before stays, as the guest or `trap-exit = false` wished.
    Kept,
    /// The guest wished its state and history erased.
    Forgotten,
    /// Nothing was saved, and something may be lost.
    Not(NotSaved),
}

/// Why something was not saved at a stop.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, thiserror::Error, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum NotSaved {
    /// The budget was spent; what it was, in milliseconds.
    #[error("its shutdown budget of {0} ms was spent")]
    Budget(u64),
    /// It was killed, as its shutdown `brutal-kill` says or as someone asked.
    #[error("it was killed")]
    Killed,
    /// It crashed while it was stopped.
    #[error("it crashed: {0}")]
    Crashed(String),
    /// `terminate` answered with a failure.
    #[error("terminate failed: {0}")]
    Failed(String),
    /// The state was not acceptable: too large, or of another schema than described.
    #[error("its state was refused: {0}")]
    Refused(String),
    /// The store did not take it.
    #[error("the store did not take it: {0}")]
    Store(String),
    /// Its state is as it was, and this many messages that it had accepted could not be kept: the record cannot be read or
    /// was erased, or there was no time left.
    #[error("{0} messages that it had accepted could not be kept with its state")]
    Messages(usize),
}

/// Why an actor is parked with a state that nobody could use.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error, JsonSchema)]
#[error("{cause}")]
pub struct Hold {
    /// What was wrong.
    pub cause: HoldCause,
    /// Sequence of the record in question, where its head could be read.
    pub sequence: Option<u64>,
    /// Its digest, likewise.
    pub digest: Option<Digest>,
}

/// What was wrong with a state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum HoldCause {
    /// The record's bytes are not what was written.
    #[error("its record is damaged ({0}); it is kept as it is, and `baton store show` shows what was found")]
    Damaged(String),
    /// The entry that says which record counts is not what was written.
    #[error(
        "its head is damaged ({0}): it is kept as it is; `baton store repair` makes a new one of the records that are there, `baton store forget` erases the actor"
    )]
    DamagedHead(String),
    /// The record is in a format that this release does not know.
    #[error(
        "its record has format {found}, and this release reads up to {newest}: run the release that wrote it, or a newer one"
    )]
    NewerFormat {
        /// The format found.
        found: u16,
        /// The newest that this release reads.
        newest: u16,
    },
    /// Another plugin wrote it.
    #[error(
        "its record was written by plugin `{found}`, and the actor runs plugin `{expected}`: name the right plugin, or give the actor another name"
    )]
    OtherPlugin {
        /// Who wrote it.
        found: String,
        /// Who should read it.
        expected: String,
    },
    /// The schema is outside what the plugin reads.
    #[error(
        "its state has schema {found}, and `{plugin}` {version} reads {reads_from} to {reads_to}: run a version that reads {found}"
    )]
    Schema {
        /// The schema found.
        found: u32,
        /// The plugin that should read it.
        plugin: String,
        /// Its version.
        version: String,
        /// Oldest that it reads.
        reads_from: u32,
        /// Newest that it reads.
        reads_to: u32,
    },
    /// The guest refused it.
    #[error("`continue` refused the state: {0}")]
    Refused(Refusal),
    /// The same component refused the same state before, and was not asked again.
    #[error(
        "version {version} of its plugin refused this state before ({why}): run another version, roll the state back, or let it be tried again with `baton store retry`"
    )]
    RefusedBefore {
        /// Why.
        why: String,
        /// The plugin's version.
        version: String,
        /// When, in milliseconds since the Unix epoch.
        time_ms: u64,
    },
    /// It is older than it may be.
    #[error("its state is {age_ms} ms old, and may be {max_age_ms} ms old at most (`max_age_ms`)")]
    Stale {
        /// How old it is, in milliseconds.
        age_ms: u64,
        /// How old it may be, in milliseconds.
        max_age_ms: u64,
    },
    /// `continue` crashed on it as often as it may.
    #[error("`continue` failed {attempts} times on this state, last with: {last}")]
    Crashed {
        /// How often.
        attempts: u32,
        /// The last crash.
        last: String,
    },
}

/// Where an actor stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// `init` runs.
    Starting,
    /// Its state is being loaded, or `continue` runs; messages wait.
    Continuing,
    /// It handles messages.
    Running,
    /// It was suspended: messages and timers wait until it is resumed.
    Suspended,
    /// It was put to sleep: its state is in the store, and it has no instance until its next message or timer.
    Asleep,
    /// It was told to end.
    Stopping,
    /// It crashed and waits to be started again.
    Restarting,
    /// Parked with a state that nobody could use.
    Held,
    /// Another host owns it: it is not started here.
    Elsewhere,
    /// It crashed more often than its restart intensity allows, or would not start; it stays down until it is started
    /// again.
    Failed,
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Starting => "starting",
            Self::Continuing => "continuing",
            Self::Running => "running",
            Self::Suspended => "suspended",
            Self::Asleep => "asleep",
            Self::Stopping => "stopping",
            Self::Restarting => "restarting",
            Self::Held => "held",
            Self::Elsewhere => "elsewhere",
            Self::Failed => "failed",
        })
    }
}
