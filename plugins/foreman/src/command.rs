//! What a foreman is asked, and how it tells what it sees.

use baton_guest::supervision::{ChildInfo, ChildKind, ChildSpec, ChildState, Counts, Phase, Restart, Shutdown};
use serde::Deserialize;
use serde_json::{Value, json};

/// One request, such as `{"start": {"supervisor": "pool", "name": "w/1", "plugin": "foreman"}}`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Command {
    Start(Start),
    Terminate(String),
    Restart(String),
    Delete(String),
    /// The children of a supervisor; null: of the root.
    Which(Option<String>),
    Count(Option<String>),
    Monitor(String),
    Demonitor(String),
    Link(String),
    Unlink(String),
    /// An actor, and the reason.
    Exit(String, String),
    Join(String),
    Leave(String),
    /// A group, and what its members are told.
    Dispatch(String, Value),
    Members(String),
    Whereis(String),
    /// A key, and its value; null removes it.
    Set(String, Option<String>),
    /// An actor, and a key.
    Get(String, String),
    /// A key, and a value.
    Having(String, String),
    /// What it has heard, the latest 1,000.
    Heard,
    /// How much it has handled and heard.
    Counts,
    Save,
    Crash(bool),
    Stop(bool),
}

/// A child to start; with all else as OTP's workers have it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct Start {
    pub(crate) supervisor: Option<String>,
    name: String,
    plugin: String,
    #[serde(default)]
    args: Value,
    #[serde(default)]
    restart: WantedRestart,
    shutdown: Option<WantedShutdown>,
    #[serde(default)]
    significant: bool,
}

#[derive(Debug, Default, Clone, Copy, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum WantedRestart {
    #[default]
    Permanent,
    Transient,
    Temporary,
}

/// Milliseconds, or a word.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(untagged, expecting = "expected a number of milliseconds, \"brutal-kill\" or \"infinity\"")]
enum WantedShutdown {
    Ms(u64),
    Word(Word),
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Word {
    BrutalKill,
    Infinity,
}

impl Start {
    pub(crate) fn child(&self) -> ChildSpec {
        let restart = match self.restart {
            WantedRestart::Permanent => Restart::Permanent,
            WantedRestart::Transient => Restart::Transient,
            WantedRestart::Temporary => Restart::Temporary,
        };
        let mut child = ChildSpec::new(&self.name, &self.plugin).with_restart(restart);
        // Nothing is what nobody wrote.
        if !self.args.is_null() {
            child.args = self.args.to_string().into_bytes();
        }
        match self.shutdown {
            None => {}
            Some(WantedShutdown::Ms(ms)) => child.shutdown = Shutdown::AfterMs(ms),
            Some(WantedShutdown::Word(Word::BrutalKill)) => child.shutdown = Shutdown::BrutalKill,
            Some(WantedShutdown::Word(Word::Infinity)) => child.shutdown = Shutdown::Infinity,
        }
        child.significant = self.significant;
        child
    }
}

pub(crate) fn children(children: Vec<ChildInfo>) -> Value {
    children.into_iter().map(child).collect()
}

fn child(child: ChildInfo) -> Value {
    let kind = match child.kind {
        ChildKind::Worker => "worker".to_owned(),
        ChildKind::Supervisor => "supervisor".to_owned(),
        ChildKind::Other(other) => other,
    };
    let state = match child.state {
        ChildState::Down => "down".to_owned(),
        ChildState::Starting => "starting".to_owned(),
        ChildState::Up => "up".to_owned(),
        ChildState::Restarting => "restarting".to_owned(),
        ChildState::Stopping => "stopping".to_owned(),
        ChildState::Failed => "failed".to_owned(),
        ChildState::Other(other) => other,
    };
    let restart = match child.restart {
        Restart::Permanent => "permanent",
        Restart::Transient => "transient",
        Restart::Temporary => "temporary",
    };
    let shutdown = match child.shutdown {
        Shutdown::BrutalKill => json!("brutal-kill"),
        Shutdown::AfterMs(ms) => json!(ms),
        Shutdown::Infinity => json!("infinity"),
    };
    json!({
        "name": child.name,
        "supervisor": child.supervisor,
        "kind": kind,
        "state": state,
        "restart": restart,
        "shutdown": shutdown,
        "significant": child.significant,
        "restarts": child.restarts,
        "last-exit": child.last_exit,
    })
}

pub(crate) fn counts(counts: Counts) -> Value {
    let Counts { specs, active, supervisors, workers } = counts;
    json!({ "specs": specs, "active": active, "supervisors": supervisors, "workers": workers })
}

pub(crate) fn phase(phase: Phase) -> String {
    match phase {
        Phase::Starting => "starting".to_owned(),
        Phase::Continuing => "continuing".to_owned(),
        Phase::Running => "running".to_owned(),
        Phase::Suspended => "suspended".to_owned(),
        Phase::Stopping => "stopping".to_owned(),
        Phase::Restarting => "restarting".to_owned(),
        Phase::Held => "held".to_owned(),
        Phase::Failed => "failed".to_owned(),
        Phase::Other(other) => other,
    }
}
