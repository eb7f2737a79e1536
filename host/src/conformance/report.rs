//! What came of it, in words for the plugin's author.

use serde::Serialize;

use super::promise::Promise;
use crate::model::Description;

/// What the kit found out about a plugin.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// The file, as it was named.
    pub file: String,
    /// What the plugin says of itself; none: it could not be asked.
    pub plugin: Option<Description>,
    /// What chance was drawn from: the same seed draws the same.
    pub seed: u64,
    /// One for each promise that was looked at, in their order.
    pub outcomes: Vec<Outcome>,
    /// What was measured on the way; none: nothing ran.
    pub figures: Option<Figures>,
    /// How long it took, in milliseconds.
    pub took_ms: u64,
}

impl Report {
    /// Whether no promise was found broken.
    #[must_use]
    pub fn is_kept(&self) -> bool {
        self.count(Verdict::Broken) == 0
    }

    /// How many promises came out so.
    #[must_use]
    pub fn count(&self, verdict: Verdict) -> usize {
        self.outcomes.iter().filter(|outcome| outcome.verdict == verdict).count()
    }
}

/// Whether a promise is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// As far as was tried.
    Kept,
    /// It is not.
    Broken,
    /// There was nothing to try it with, or no need.
    NotTried,
}

/// What came of one promise.
#[derive(Debug, Clone, Serialize)]
pub struct Outcome {
    /// Which.
    pub promise: Promise,
    /// Whether it is kept.
    pub verdict: Verdict,
    /// What was tried, what went wrong, or why it was not tried.
    pub why: String,
    /// What to change, where it is broken.
    pub advice: Option<String>,
    /// The messages that led there, in their order.
    pub steps: Vec<String>,
    /// What the plugin logged last before it went wrong.
    pub log: Vec<String>,
    /// The same messages as a script for `fixtures/scripts`, with the answers that were due, where they can be written so.
    pub script: Option<serde_json::Value>,
    /// What is worth a look, and breaks nothing.
    pub notes: Vec<String>,
    /// How long it took, in milliseconds.
    pub took_ms: u64,
}

/// What was measured on the way. Times are of this machine and this build of the host.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Figures {
    /// The file's size, in bytes.
    pub file_bytes: usize,
    /// From the file to something that instances are made of, in milliseconds.
    pub compile_ms: u64,
    /// From nothing to an instance that has begun: the median, in microseconds.
    pub start_us: u64,
    /// One message: the median, in microseconds.
    pub handle_us: u64,
    /// Instances that were started.
    pub instances: u64,
    /// Messages that were handled.
    pub messages: u64,
    /// The largest reply, in bytes.
    pub largest_reply_bytes: usize,
    /// The largest state, in bytes.
    pub largest_state_bytes: usize,
}

/// What a look at a promise found, where nothing was broken.
#[derive(Debug)]
pub(super) enum Finding {
    Kept { why: String, notes: Vec<String> },
    NotTried(String),
}

impl Finding {
    pub(super) fn kept(why: impl Into<String>) -> Self {
        Self::Kept { why: why.into(), notes: Vec::new() }
    }
}

/// A broken promise.
#[derive(Debug, Default)]
pub(super) struct Broken {
    pub(super) why: String,
    pub(super) advice: Option<String>,
    pub(super) steps: Vec<String>,
    pub(super) log: Vec<String>,
    pub(super) script: Option<Box<serde_json::Value>>,
}

impl Broken {
    pub(super) fn new(why: impl Into<String>) -> Self {
        Self { why: why.into(), ..Self::default() }
    }

    pub(super) fn advice(self, advice: impl Into<String>) -> Self {
        Self { advice: Some(advice.into()), ..self }
    }

    pub(super) fn steps(self, steps: Vec<String>) -> Self {
        Self { steps, ..self }
    }
}

pub(super) type Found = Result<Finding, Broken>;

impl Outcome {
    pub(super) fn of(promise: Promise, found: Found, took_ms: u64) -> Self {
        let (steps, log) = (Vec::new(), Vec::new());
        let of = |verdict, why| Self {
            promise,
            verdict,
            why,
            advice: None,
            steps,
            log,
            script: None,
            notes: Vec::new(),
            took_ms,
        };
        match found {
            Ok(Finding::Kept { why, notes }) => Self { notes, ..of(Verdict::Kept, why) },
            Ok(Finding::NotTried(why)) => of(Verdict::NotTried, why),
            Err(Broken { why, advice, steps, log, script }) => {
                Self { advice, steps, log, script: script.map(|script| *script), ..of(Verdict::Broken, why) }
            }
        }
    }
}
