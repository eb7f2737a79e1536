//! What callers and embedders are told.

use std::error::Error as StdError;
use std::fmt;

use schemars::JsonSchema;
use serde::Serialize;

use super::{Failure, Hold, LimitMet};

/// Why a message was not taken. Nothing has happened to the actor.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SendError {
    /// No such actor runs, and no template matches the name.
    #[error("no actor `{0}` runs here, and no template matches its name")]
    UnknownActor(String),
    /// Its mailbox is full.
    #[error(
        "the mailbox of `{actor}` is full: it holds {messages} messages (limit mailbox_messages = {max_messages}) and {bytes} bytes (limit mailbox_bytes = {max_bytes}); try again later, or raise `limits.mailbox_messages` or `limits.mailbox_bytes` under its [[actor]] or [[plugin]]"
    )]
    MailboxFull {
        /// Whose.
        actor: String,
        /// Messages waiting.
        messages: usize,
        /// Its limit of messages.
        max_messages: usize,
        /// Bytes waiting.
        bytes: usize,
        /// Its limit of bytes.
        max_bytes: usize,
    },
    /// The body is larger than the actor takes.
    #[error("a body of {bytes} bytes is too large for `{actor}`: {}", LimitMet::new("message_bytes", *max_bytes))]
    TooLarge {
        /// For whom.
        actor: String,
        /// Its size.
        bytes: usize,
        /// The limit.
        max_bytes: usize,
    },
    /// The actor or the host is stopping, or the actor stays down. The message was not seen: it may be sent again.
    #[error("`{actor}` is not available: {why}; it has not seen the message")]
    Unavailable {
        /// Who.
        actor: String,
        /// Why.
        why: String,
    },
    /// The actor stays down until it is started again. The message was not seen, and trying again does not help.
    #[error(
        "`{actor}` stays down: {why}; mend its plugin or its arguments and start it again, or start the host again"
    )]
    Down {
        /// Who.
        actor: String,
        /// How it ended.
        why: String,
    },
    /// Another host that shares the store owns the actor: that one is to be asked. The message was not seen.
    #[error("{}; it has not seen the message", owned_elsewhere(.actor, .node, .address.as_deref()))]
    Elsewhere {
        /// Who.
        actor: String,
        /// The node of the host that owns it.
        node: String,
        /// Where that host's API is reached, if it is: a URL.
        address: Option<String>,
    },
    /// The actor is parked with a state that could not be used.
    #[error("`{actor}` is held: {hold}")]
    Held {
        /// Who.
        actor: String,
        /// Why.
        hold: Box<Hold>,
    },
}

/// That another host owns an actor, and how that one is reached.
pub(crate) fn owned_elsewhere(actor: &str, node: &str, address: Option<&str>) -> String {
    let at = address.map(|address| format!(", whose API is at {address}")).unwrap_or_default();
    format!("`{actor}` is owned by the host on `{node}`{at}")
}

/// Why a call brought no reply.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CallError {
    /// The message was not taken.
    #[error(transparent)]
    NotSent(#[from] SendError),
    /// No reply in time. Whether the message was or will be handled is not known.
    #[error("`{actor}` did not answer within {timeout_ms} ms; whether it handled the message is not known")]
    Timeout {
        /// Who.
        actor: String,
        /// How long was waited.
        timeout_ms: u64,
    },
    /// The actor's instance ended while it handled the message; the message is not delivered again.
    #[error("`{actor}` crashed while it handled the message: {reason}")]
    Crashed {
        /// Who.
        actor: String,
        /// How.
        reason: String,
    },
    /// This host lost its right to run the actor while the message was handled: another one may have it by now. What was not
    /// committed is gone, and whether this message was is not known.
    #[error("this host lost `{actor}` while it handled the message: {why}; whether the message counts is not known")]
    Fenced {
        /// Who.
        actor: String,
        /// Why.
        why: String,
    },
    /// The callee waits, through others, for the caller.
    #[error("a call to `{actor}` would wait for itself: {chain}")]
    Deadlock {
        /// Who.
        actor: String,
        /// Who waits for whom.
        chain: String,
    },
    /// The guest's own error: the actor lives on.
    #[error(transparent)]
    Failed(#[from] Failure),
}

impl CallError {
    /// A stable word for programs.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotSent(error) => error.code(),
            Self::Timeout { .. } => "timeout",
            Self::Crashed { .. } => "crashed",
            Self::Fenced { .. } => "fenced",
            Self::Deadlock { .. } => "deadlock",
            Self::Failed(_) => "failed",
        }
    }
}

impl SendError {
    /// A stable word for programs.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::UnknownActor(_) => "unknown-actor",
            Self::MailboxFull { .. } => "mailbox-full",
            Self::TooLarge { .. } => "too-large",
            Self::Unavailable { .. } => "unavailable",
            Self::Down { .. } => "down",
            Self::Elsewhere { .. } => "owned-elsewhere",
            Self::Held { .. } => "held",
        }
    }
}

/// What went wrong in the host, by kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum ErrorCode {
    /// A file could not be read or written.
    Io,
    /// The configuration is wrong.
    Config,
    /// A plugin file cannot be used.
    Plugin,
    /// No such plugin is loaded.
    UnknownPlugin,
    /// No such actor runs.
    UnknownActor,
    /// The name is taken.
    AlreadyStarted,
    /// A child of that name is there and does not run: start it again, or delete it.
    AlreadyPresent,
    /// No such supervisor runs.
    UnknownSupervisor,
    /// The child runs, which stands against what was asked.
    Running,
    /// The child is about to be started again, which stands against what was asked.
    Restarting,
    /// The supervisor has as many children as it may have.
    MaxChildren,
    /// The child specification cannot be used.
    ChildSpec,
    /// It was not granted.
    Denied,
    /// The actor could not be asked for its state.
    State,
    /// It was stopped before it was ready.
    Stopped,
    /// The actor would not start.
    Start,
    /// The store cannot be used.
    Store,
    /// The store would not open as it is; see `--recover`.
    StoreDamaged,
    /// Another process has the data directory.
    InUse,
    /// The engine refused.
    Engine,
    /// A swap could not be made, or not begin.
    Swap,
    /// The host is going down.
    ShuttingDown,
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Io => "io",
            Self::Config => "config",
            Self::Plugin => "plugin",
            Self::UnknownPlugin => "unknown-plugin",
            Self::UnknownActor => "unknown-actor",
            Self::AlreadyStarted => "already-started",
            Self::AlreadyPresent => "already-present",
            Self::UnknownSupervisor => "unknown-supervisor",
            Self::Running => "running",
            Self::Restarting => "restarting",
            Self::MaxChildren => "max-children",
            Self::ChildSpec => "child-spec",
            Self::Denied => "denied",
            Self::State => "state",
            Self::Stopped => "stopped",
            Self::Start => "start",
            Self::Store => "store",
            Self::StoreDamaged => "store-damaged",
            Self::InUse => "in-use",
            Self::Engine => "engine",
            Self::Swap => "swap",
            Self::ShuttingDown => "shutting-down",
        })
    }
}

/// An error of the host: a code for programs, a message that says what was wrong and where, and, where there is one, what
/// to do. The types of the libraries beneath do not show; their words do, as its source.
#[derive(Debug)]
pub struct HostError {
    code: ErrorCode,
    message: String,
    hint: Option<String>,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

impl HostError {
    /// An error of this kind.
    #[must_use]
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), hint: None, source: None }
    }

    /// With what to do about it.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// With what it came from.
    #[must_use]
    pub fn source(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// Its kind.
    #[must_use]
    pub fn code(&self) -> ErrorCode {
        self.code
    }

    /// What to do about it, where the host knows.
    #[must_use]
    pub fn cure(&self) -> Option<&str> {
        self.hint.as_deref()
    }
}

impl fmt::Display for HostError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        if let Some(source) = &self.source {
            write!(f, ": {source}")?;
        }
        if let Some(hint) = &self.hint {
            write!(f, " ({hint})")?;
        }
        Ok(())
    }
}

impl StdError for HostError {
    // The source's words are part of the message already.
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        None
    }
}
