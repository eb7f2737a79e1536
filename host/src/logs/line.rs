//! A line of the log.

use std::fmt;
use std::str::FromStr;

use serde::Serialize;
use serde_json::{Map, Value};
use tracing::Level;

use crate::model::ActorName;

/// How grave a line is; the gravest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum LogLevel {
    /// Something has failed.
    Error,
    /// Something is not as it should be.
    Warn,
    /// What an operator may want to know.
    Info,
    /// What helps to find a mistake.
    Debug,
    /// Everything.
    Trace,
}

impl LogLevel {
    const ALL: [(Self, &'static str); 5] = [
        (Self::Error, "error"),
        (Self::Warn, "warn"),
        (Self::Info, "info"),
        (Self::Debug, "debug"),
        (Self::Trace, "trace"),
    ];
}

impl From<&Level> for LogLevel {
    fn from(level: &Level) -> Self {
        match *level {
            Level::ERROR => Self::Error,
            Level::WARN => Self::Warn,
            Level::INFO => Self::Info,
            Level::DEBUG => Self::Debug,
            Level::TRACE => Self::Trace,
        }
    }
}

impl fmt::Display for LogLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(Self::ALL.iter().find(|(level, _)| level == self).map_or("", |(_, word)| *word))
    }
}

impl FromStr for LogLevel {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let found = Self::ALL.iter().find(|(_, word)| word.eq_ignore_ascii_case(text));
        found.map(|(level, _)| *level).ok_or_else(|| {
            let shown: String = text.chars().take(64).collect();
            format!("{shown:?} is no level: error, warn, info, debug or trace")
        })
    }
}

/// A line of the log, and whom it is about, as far as that is known: what it says itself, or the span that it stands in.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct LogLine {
    /// Counts the lines of a host, from one to the next without a gap.
    pub sequence: u64,
    /// When, in milliseconds since the Unix epoch.
    pub time_ms: u64,
    /// How grave it is.
    pub level: LogLevel,
    /// Which part of the host has logged it; `baton::guest`: a plugin.
    pub target: String,
    /// What it says; of a long one the first 8,192 bytes.
    pub message: String,
    /// The actor that it is about.
    pub actor: Option<ActorName>,
    /// Its plugin.
    pub plugin: Option<String>,
    /// The version that its instance runs.
    pub version: Option<String>,
    /// Its instance's generation.
    pub generation: Option<u64>,
    /// What else it says: at most 32 fields, each with at most 2,048 bytes.
    pub fields: Map<String, Value>,
}
