//! What an event says.

use std::fmt;
use std::str::FromStr;

use serde::{Serialize, Serializer};

use crate::model::{ActorName, CrashKind, Digest, PluginName, Version};

/// Longest text of an event that is kept, in bytes.
const TEXT_BYTES: usize = 4 << 10;

/// Something that has happened to an actor, or to the host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Event {
    /// Counts the events of a host, from one to the next without a gap. Of a host that was started later it is higher.
    pub sequence: u64,
    /// When, in milliseconds since the Unix epoch.
    pub time_ms: u64,
    /// Of what kind.
    pub kind: EventKind,
    /// Which actor, or which supervisor; none: it is about none.
    pub actor: Option<ActorName>,
    /// Its plugin, or the one that it is about.
    pub plugin: Option<PluginName>,
    /// The version that its instance runs, or the one that it is about.
    pub version: Option<Version>,
    /// Its instance's generation, where it has claimed its state.
    pub generation: Option<u64>,
    /// What else is to be said.
    pub detail: EventDetail,
}

/// Whom an event is about.
#[derive(Debug, Clone, Default)]
pub(crate) struct About {
    pub(crate) actor: Option<ActorName>,
    pub(crate) plugin: Option<PluginName>,
    pub(crate) version: Option<Version>,
    pub(crate) generation: Option<u64>,
}

impl About {
    /// A child of which no more is known than its name.
    pub(crate) fn child(name: &ActorName) -> Self {
        Self { actor: Some(name.clone()), ..Self::default() }
    }

    pub(crate) fn plugin(plugin: &PluginName, version: &Version) -> Self {
        Self { plugin: Some(plugin.clone()), version: Some(version.clone()), ..Self::default() }
    }
}

macro_rules! kinds {
    ($($(#[$doc:meta])* $name:ident = $word:literal,)*) => {
        /// Of which kind an event is.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[non_exhaustive]
        pub enum EventKind {
            $($(#[$doc])* $name,)*
        }

        impl EventKind {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// Its word, as it stands in JSON.
            #[must_use]
            pub fn word(self) -> &'static str {
                match self {
                    $(Self::$name => $word,)*
                }
            }
        }
    };
}

kinds! {
    /// An instance is started: its `init` is about to run.
    Starting = "starting",
    /// An actor handles messages from now on: its state was handed over, or it begins anew, or it was switched to another
    /// version.
    Running = "running",
    /// It is held: its state cannot be used.
    Held = "held",
    /// Its instance has ended as it was told, or as it asked.
    Stopped = "stopped",
    /// Its instance has crashed, or its `init` has failed.
    Crashed = "crashed",
    /// A child is started again by its supervisor: now, or after a pause.
    Restarted = "restarted",
    /// A child stays down until it is started.
    Failed = "failed",
    /// A supervisor ends since its intensity is spent.
    GaveUp = "gave-up",
    /// An actor was suspended.
    Suspended = "suspended",
    /// It goes on.
    Resumed = "resumed",
    /// An actor was put to sleep: its instance has gone, and the next message or timer wakes it.
    Asleep = "asleep",
    /// An actor was to be put to sleep, and its state could not be had or kept.
    StaysAwake = "stays-awake",
    /// A swap has come further.
    Swap = "swap",
    /// A plugin version was loaded or unloaded, or is current from now on.
    Plugin = "plugin",
    /// A message was not handled.
    DeadLetter = "dead-letter",
    /// The store answers nothing, or answers again.
    Store = "store",
    /// The host is ready, stops, or has read its configuration again.
    Host = "host",
    /// Another host owns an actor: it is not started here.
    Elsewhere = "elsewhere",
    /// An actor was taken over from a host that is gone.
    TakenOver = "taken-over",
    /// The host's lease on the store was not renewed in time: nothing begins and nothing leaves.
    Frozen = "frozen",
    /// It was renewed: the host goes on.
    Thawed = "thawed",
    /// It has ended: all actors are stopped, and nothing of them is written.
    LeaseLost = "lease-lost",
}

impl fmt::Display for EventKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

impl FromStr for EventKind {
    type Err = String;
    fn from_str(word: &str) -> Result<Self, String> {
        let found = Self::ALL.iter().find(|kind| kind.word() == word);
        found.copied().ok_or_else(|| {
            let shown: String = word.chars().take(64).collect();
            let words: Vec<_> = Self::ALL.iter().map(|kind| kind.word()).collect();
            format!("{shown:?} is no kind of event; there are {}", words.join(", "))
        })
    }
}

impl Serialize for EventKind {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(self.word())
    }
}

/// What an event says beside whom it is about. In JSON an object, or null where there is nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
#[non_exhaustive]
pub enum EventDetail {
    /// An instance is started.
    Starting,
    /// An actor handles messages.
    #[non_exhaustive]
    Running {
        /// Whether it has taken over a state; else it begins anew.
        handed_over: bool,
        /// The version that it ran until now, where it was switched under way.
        switched_from: Option<Version>,
    },
    /// It is held.
    #[non_exhaustive]
    Held {
        /// Why, and what to do.
        why: String,
        /// Sequence of the record in question, where its head could be read.
        record: Option<u64>,
    },
    /// Its instance has ended as it was told.
    #[non_exhaustive]
    Stopped {
        /// Why it was told to, in one word; `unusable`: its state cannot be used, and it is to stay down then.
        reason: String,
        /// Sequence of the record that was committed; none: none was.
        committed: Option<u64>,
        /// Why nothing was saved, where something may be lost.
        not_saved: Option<String>,
    },
    /// Its instance has crashed.
    #[non_exhaustive]
    Crashed {
        /// What happened, and, for a limit, its name and value.
        why: String,
        /// What kind of crash; none: `init` answered with a failure.
        crash: Option<CrashKind>,
        /// In which call into the guest.
        during: String,
        /// The guest's frames, innermost first.
        backtrace: Vec<String>,
        /// Where its memory was written to, or why it was not, where core dumps are asked for.
        core_dump: Option<String>,
    },
    /// A child is started again.
    #[non_exhaustive]
    Restarted {
        /// How often since the host started.
        restarts: u64,
    },
    /// A child stays down.
    #[non_exhaustive]
    Failed {
        /// Why.
        why: String,
    },
    /// A supervisor ends.
    #[non_exhaustive]
    GaveUp {
        /// Which child needed more restarts than it may.
        why: String,
    },
    /// An actor was suspended.
    Suspended,
    /// It goes on.
    Resumed,
    /// An actor was put to sleep.
    Asleep,
    /// It was to be, and could not.
    #[non_exhaustive]
    StaysAwake {
        /// Why.
        why: String,
    },
    /// A swap has come further.
    #[non_exhaustive]
    Swap {
        /// Counts the host's swaps.
        swap: u64,
        /// The version that ran before.
        from: Version,
        /// The version that is to run.
        to: Version,
        /// What it is at, as `SwapStatus` has it.
        phase: String,
        /// Actors that are done.
        done: usize,
        /// Of how many.
        total: usize,
        /// How it ended, once it has.
        outcome: Option<String>,
        /// Why it did not come to its end, or goes back.
        why: Option<String>,
    },
    /// A plugin version was loaded or unloaded, or is current.
    #[non_exhaustive]
    Plugin {
        /// What has become of it.
        change: PluginChange,
        /// Its component.
        digest: Digest,
    },
    /// A message was not handled.
    #[non_exhaustive]
    DeadLetter {
        /// For whom it was: also names that nobody has.
        to: String,
        /// `call`, `cast`, `timer`, `down` or `other`.
        message: &'static str,
        /// Its id; empty for a timer.
        id: String,
        /// Who sent it; none: it came from outside, or is a timer.
        from: Option<ActorName>,
        /// Why.
        why: String,
        /// How many dead letters no event was told of since the last one: at most 100 are told each second.
        more: u64,
    },
    /// The store.
    #[non_exhaustive]
    Store {
        /// Why it answers nothing; none: it answers again.
        trouble: Option<String>,
    },
    /// The host.
    #[non_exhaustive]
    Host {
        /// Where it stands.
        state: HostState,
    },
    /// Another host owns an actor.
    #[non_exhaustive]
    Elsewhere {
        /// Its node.
        node: String,
        /// Where its API is reached, if it is: a URL.
        address: Option<String>,
    },
    /// An actor was taken over.
    #[non_exhaustive]
    TakenOver {
        /// The node of the host that is gone, where it is known.
        node: Option<String>,
    },
    /// The host is frozen.
    #[non_exhaustive]
    Frozen {
        /// Why the last renewal failed, where that is known.
        why: Option<String>,
    },
    /// The host goes on.
    #[non_exhaustive]
    Thawed {
        /// How long it was frozen, in milliseconds.
        frozen_ms: u64,
    },
    /// The host's lease has ended.
    #[non_exhaustive]
    LeaseLost {
        /// What the store said.
        why: String,
    },
}

/// What has become of a plugin version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum PluginChange {
    /// It was loaded.
    Loaded,
    /// New instances run it from now on, where nothing else is said.
    Current,
    /// Nobody runs it any more.
    Unloaded,
}

/// Where the host stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum HostState {
    /// All actors that are listed have taken over their states, or stay down or held: it is ready.
    Ready,
    /// It takes none any more.
    Stopping,
    /// It has read anew what can change while it runs.
    Reloaded,
}

impl EventDetail {
    pub(super) fn kind(&self) -> EventKind {
        match self {
            Self::Starting => EventKind::Starting,
            Self::Running { .. } => EventKind::Running,
            Self::Held { .. } => EventKind::Held,
            Self::Stopped { .. } => EventKind::Stopped,
            Self::Crashed { .. } => EventKind::Crashed,
            Self::Restarted { .. } => EventKind::Restarted,
            Self::Failed { .. } => EventKind::Failed,
            Self::GaveUp { .. } => EventKind::GaveUp,
            Self::Suspended => EventKind::Suspended,
            Self::Resumed => EventKind::Resumed,
            Self::Asleep => EventKind::Asleep,
            Self::StaysAwake { .. } => EventKind::StaysAwake,
            Self::Swap { .. } => EventKind::Swap,
            Self::Plugin { .. } => EventKind::Plugin,
            Self::DeadLetter { .. } => EventKind::DeadLetter,
            Self::Store { .. } => EventKind::Store,
            Self::Host { .. } => EventKind::Host,
            Self::Elsewhere { .. } => EventKind::Elsewhere,
            Self::TakenOver { .. } => EventKind::TakenOver,
            Self::Frozen { .. } => EventKind::Frozen,
            Self::Thawed { .. } => EventKind::Thawed,
            Self::LeaseLost { .. } => EventKind::LeaseLost,
        }
    }

    /// The same with no text longer than what is kept.
    pub(super) fn bounded(mut self) -> Self {
        self.texts().into_iter().for_each(clip);
        self
    }

    /// How many bytes its texts have.
    pub(super) fn bytes(&mut self) -> usize {
        self.texts().into_iter().map(|text| text.len()).sum()
    }

    fn texts(&mut self) -> Vec<&mut String> {
        match self {
            Self::Held { why, .. }
            | Self::Failed { why }
            | Self::GaveUp { why }
            | Self::LeaseLost { why }
            | Self::StaysAwake { why } => vec![why],
            Self::Elsewhere { node, address } => [node].into_iter().chain(address).collect(),
            Self::TakenOver { node: why } | Self::Frozen { why } => why.iter_mut().collect(),
            Self::Stopped { reason, not_saved, .. } => [reason].into_iter().chain(not_saved).collect(),
            Self::Crashed { why, during, backtrace, core_dump, .. } => {
                [why, during].into_iter().chain(core_dump).chain(backtrace).collect()
            }
            Self::Swap { phase, outcome, why, .. } => [phase].into_iter().chain(outcome).chain(why).collect(),
            Self::DeadLetter { to, id, why, .. } => vec![to, id, why],
            Self::Store { trouble } => trouble.iter_mut().collect(),
            Self::Starting
            | Self::Running { .. }
            | Self::Restarted { .. }
            | Self::Suspended
            | Self::Resumed
            | Self::Asleep
            | Self::Plugin { .. }
            | Self::Thawed { .. }
            | Self::Host { .. } => Vec::new(),
        }
    }
}

fn clip(text: &mut String) {
    if text.len() > TEXT_BYTES {
        let mut end = TEXT_BYTES - '…'.len_utf8();
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        text.truncate(end);
        text.push('…');
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn each_kind_has_a_word_that_reads_back() {
        for kind in EventKind::ALL {
            assert_eq!(kind.word().parse(), Ok(*kind));
        }
        let why = "molten".parse::<EventKind>().expect_err("no kind");
        assert!(why.contains("starting, running, held") && why.contains("dead-letter"), "{why}");
    }

    #[test]
    fn what_is_said_is_an_object_or_null() {
        let says = |detail: EventDetail| serde_json::to_value(detail).expect("plain data");
        assert_eq!(says(EventDetail::Starting), json!(null));
        assert_eq!(says(EventDetail::Suspended), json!(null));
        assert_eq!(says(EventDetail::Restarted { restarts: 3 }), json!({ "restarts": 3 }));
        assert_eq!(says(EventDetail::Host { state: HostState::Stopping }), json!({ "state": "stopping" }));
        assert_eq!(says(EventDetail::Store { trouble: None }), json!({ "trouble": null }));
    }

    #[test]
    fn texts_are_kept_up_to_their_bound() {
        let long = |n: usize| "ü".repeat(n);
        let crashed = |why: String, frame: String| EventDetail::Crashed {
            why,
            crash: None,
            during: "handle".into(),
            backtrace: vec![frame],
            core_dump: None,
        };
        let mut kept = crashed(long(TEXT_BYTES), long(TEXT_BYTES)).bounded();
        assert!(kept.bytes() <= 2 * TEXT_BYTES + "handle".len());
        let EventDetail::Crashed { why, .. } = &kept else { panic!("another kind") };
        assert!(why.ends_with("ü…") && why.len() > TEXT_BYTES - 8, "{} bytes", why.len());
        let fits = crashed(long(TEXT_BYTES / 2), "f".into());
        assert_eq!(fits.clone().bounded(), fits);
    }
}
