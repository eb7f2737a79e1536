//! What goes wrong with an instance, and what its author should do about it.

use super::report::Broken;
use super::world::World;
use crate::model::{Crash, CrashKind, Failure, Refusal};

/// Frames of a backtrace that are shown.
const FRAMES: usize = 6;

/// Why an instance did not do what was asked.
#[derive(Debug, Clone)]
pub(super) enum Fault {
    /// It trapped, or ran out of time; and what it had logged.
    Crashed { crash: Box<Crash>, log: Vec<String> },
    /// It answered with a failure where one is of no use.
    Failed { during: &'static str, failure: Failure },
    /// `continue` refused.
    Refused(Refusal),
    /// A state of another schema than was described.
    Schema { found: u32, described: u32 },
    /// A state that no host would save.
    TooLarge { bytes: usize, most: usize },
}

impl Fault {
    pub(super) fn crash(crash: Crash, world: &World) -> Self {
        Self::Crashed { crash: Box::new(crash), log: world.played.take_lines() }
    }

    /// What happened, in words that go on after "it" or stand alone.
    pub(super) fn words(&self) -> String {
        match self {
            Self::Crashed { crash, .. } => match crash.kind {
                CrashKind::Trap => format!("it trapped in `{}`: {crash}", crash.during),
                _ => format!("it was ended in `{}`: {crash}", crash.during),
            },
            Self::Failed { during, failure } => format!("its `{during}` failed: {failure}"),
            Self::Refused(refusal) => format!("its `continue` refused: {refusal}"),
            Self::Schema { found, described } => {
                format!("it gave a state of schema {found}, and described that it writes schema {described}")
            }
            Self::TooLarge { bytes, most } => {
                format!("it gave a state of {bytes} bytes; a host takes {most} unless told (limit snapshot_bytes)")
            }
        }
    }

    fn advice(&self) -> &'static str {
        match self {
            Self::Crashed { crash, .. } if crash.kind == CrashKind::Timeout => {
                "look for a loop or a wait without an end"
            }
            Self::Crashed { crash, .. } if crash.kind == CrashKind::Contract => {
                "what lies at the address that it returned is not laid out as the contract says: see the book's page \"Plugins \
                 from the WIT alone\""
            }
            Self::Crashed { .. } => {
                "answer with a failure (or, in `continue`, with a refusal) instead; a trap ends the instance, and all that happened since its last state was saved is lost"
            }
            Self::Failed { during: "init", .. } => {
                "put arguments that `init` takes into a file in fixtures/args, or let it do without any"
            }
            Self::Failed { .. } => "a host saves nothing then; give the state as it is",
            Self::Refused(_) => {
                "`continue` has to take over what the plugin itself gives, and to begin where there is nothing"
            }
            Self::Schema { .. } => {
                "raise `schema` in the description together with the layout of the state, and write that schema in `snapshot` and `terminate`"
            }
            Self::TooLarge { .. } => {
                "keep less in the state, or say in your README that `limits.snapshot_bytes` has to be raised"
            }
        }
    }

    /// The promise is broken by that, after `context`.
    pub(super) fn breaks(self, context: &str) -> Broken {
        let mut why = self.words();
        if !context.is_empty() {
            why = format!("{context}, {why}");
        }
        let advice = self.advice();
        let log = match self {
            Self::Crashed { crash, log } => {
                let frames: Vec<&str> = crash.backtrace.iter().take(FRAMES).map(String::as_str).collect();
                if !frames.is_empty() {
                    why.push_str(&format!(" (it was in {})", frames.join(" ← ")));
                }
                log
            }
            _ => Vec::new(),
        };
        Broken { log, ..Broken::new(why).advice(advice) }
    }
}

impl From<Fault> for Broken {
    fn from(fault: Fault) -> Self {
        fault.breaks("")
    }
}
