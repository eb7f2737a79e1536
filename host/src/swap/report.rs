//! What a swap says of itself: the plan before it, where it stands, and what came of it.

use std::collections::BTreeMap;
use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::options::OnFailure;
use crate::actor::switching::SwitchStep;
use crate::catalog::Fault;
use crate::model::{ActorName, Description, Digest, Part, PluginName, Version};

/// Entries of each list of a plan or report that are kept; all are counted.
pub(super) const LISTED: usize = 1_000;

/// A version of a plugin.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct VersionInfo {
    /// Its number.
    pub version: Version,
    /// Digest of its component.
    pub digest: Digest,
    /// Schema that it writes.
    pub schema: u32,
    /// Oldest schema that it reads.
    pub reads_from: u32,
    /// Newest schema that it reads.
    pub reads_to: u32,
}

impl VersionInfo {
    pub(super) fn of(description: &Description, digest: Digest) -> Self {
        let Description { version, schema, reads_from, reads_to, .. } = description.clone();
        Self { version, digest, schema, reads_from, reads_to }
    }
}

impl fmt::Display for VersionInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.version, self.digest.short())
    }
}

/// Something about one actor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Remark {
    /// Whose.
    pub actor: ActorName,
    /// What.
    pub what: String,
}

/// A list that is cut where it is long.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Remarks {
    /// How many there are.
    pub count: usize,
    /// The first 1,000 of them.
    pub first: Vec<Remark>,
}

impl Remarks {
    pub(super) fn add(&mut self, actor: &ActorName, what: impl Into<String>) {
        self.count += 1;
        if self.first.len() < LISTED {
            self.first.push(Remark { actor: actor.clone(), what: what.into() });
        }
    }
}

/// The plugin's actors, counted by where they stand.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ActorCounts {
    /// Run, or are about to.
    pub running: usize,
    /// Are held with a state that could not be used.
    pub held: usize,
    /// Are down, or between two instances.
    pub down: usize,
    /// Sleep: they have a state and no instance.
    pub sleeping: usize,
    /// Stay with a version of their own.
    pub pinned: usize,
    /// Are not of the part that is switched.
    pub left_out: usize,
    /// Run the new version already.
    pub there: usize,
}

/// How the way back would be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum WayBack {
    /// The old version reads what the new one writes: nothing is lost.
    Reads,
    /// It does not: what was done since the switch would be lost, and only with `allow_loss`.
    Loses,
}

/// What a swap would do. Nothing has been touched.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SwapPlan {
    /// The plugin.
    pub plugin: PluginName,
    /// What runs now.
    pub from: VersionInfo,
    /// What is to run.
    pub to: VersionInfo,
    /// Which actors.
    pub part: Part,
    /// The plugin's actors.
    pub actors: ActorCounts,
    /// How many of those that are meant have a state of which schema; 0 stands for none at all.
    pub schemas: BTreeMap<u32, usize>,
    /// Actors whose state the new version does not read.
    pub misfits: Remarks,
    /// What rehearsal said, where there was one.
    pub rehearsal: Option<Rehearsal>,
    /// How the way back would be.
    pub way_back: WayBack,
    /// What else is worth knowing.
    pub notes: Vec<String>,
}

impl SwapPlan {
    /// Whether nothing stands against it.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.misfits.count == 0 && self.rehearsal.as_ref().is_none_or(|rehearsal| rehearsal.failed.count == 0)
    }
}

/// What the new version did with copies of the actors' states.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Rehearsal {
    /// States that it took over.
    pub taken_over: usize,
    /// Those that it did not, and why.
    pub failed: Remarks,
    /// Those where it asked for something whose answer it would have needed, and what for.
    pub inconclusive: Remarks,
    /// What it would have sent or set besides, by kind.
    pub effects: BTreeMap<String, usize>,
    /// Actors that were not reached in time, or could not be asked.
    pub not_reached: usize,
    /// Size of all states before, in bytes.
    pub bytes_before: u64,
    /// Size of all states after, in bytes.
    pub bytes_after: u64,
    /// Time that one takes, in microseconds: at the median, and at most.
    pub median_us: u64,
    /// See `median_us`.
    pub longest_us: u64,
}

/// What a swap is at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum SwapPhase {
    /// The states are tried on the new version.
    Rehearsing,
    /// Actors are switched.
    Switching,
    /// It waits between two batches.
    Pausing,
    /// All are switched; the new version is watched.
    Watching,
    /// Actors go back to the old version.
    GoingBack,
    /// It has ended.
    Ended,
}

impl fmt::Display for SwapPhase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Rehearsing => "rehearsing",
            Self::Switching => "switching",
            Self::Pausing => "pausing",
            Self::Watching => "watching",
            Self::GoingBack => "going back",
            Self::Ended => "ended",
        })
    }
}

/// Where a swap stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SwapStatus {
    /// Counts the host's swaps.
    pub id: u64,
    /// The plugin.
    pub plugin: PluginName,
    /// What ran before.
    pub from: VersionInfo,
    /// What is to run.
    pub to: VersionInfo,
    /// Whether it leads back to what ran before.
    pub back: bool,
    /// Which actors.
    pub part: Part,
    /// Who asked for it.
    pub by: String,
    /// When it began, in milliseconds since the Unix epoch.
    pub began_ms: u64,
    /// What it is at.
    pub phase: SwapPhase,
    /// Actors that are to be switched, or to go back.
    pub total: usize,
    /// How many of them are done, one way or the other.
    pub done: usize,
    /// What came of it, once it has ended.
    pub report: Option<SwapReport>,
}

/// How a swap ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum SwapOutcome {
    /// The actors that were meant run the new version, but for those that were left out.
    Done,
    /// Nothing was touched.
    Refused,
    /// It failed, and all run the old version again.
    WentBack,
    /// It stopped on the way: two versions run side by side.
    HalfWay,
}

impl SwapOutcome {
    /// As it is called in the API, and in numbers.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Refused => "refused",
            Self::WentBack => "went-back",
            Self::HalfWay => "half-way",
        }
    }
}

impl fmt::Display for SwapOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Done => "done",
            Self::Refused => "refused",
            Self::WentBack => "went back",
            Self::HalfWay => "half-way",
        })
    }
}

/// An actor that was not switched, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SwapFailure {
    /// Whose.
    pub actor: ActorName,
    /// At what it failed.
    pub step: SwitchStep,
    /// Why.
    pub why: String,
}

/// What came of a swap.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SwapReport {
    /// How it ended.
    pub outcome: SwapOutcome,
    /// Why it did not go on, where it did not.
    pub why: Option<String>,
    /// Actors that run the new version for it.
    pub switched: usize,
    /// Actors that do not run now and begin with the new version when they do; sleepers are not counted.
    pub later: usize,
    /// Actors that could not be switched: how many.
    pub failed: usize,
    /// The first 1,000 of them.
    pub failures: Vec<SwapFailure>,
    /// Crashes of the new version, and states that it could not use, since the first batch.
    pub faults: u64,
    /// The last 20 of them.
    pub last_faults: Vec<Fault>,
    /// Actors that went back.
    pub went_back: usize,
    /// Actors that could not go back, and why: they stay with the new version.
    pub stay: Remarks,
    /// Actors that lost what they had done since the switch, and how much that was.
    pub lost: Remarks,
    /// How long messages waited, in microseconds: at the median, at the 99th of a hundred, and at most.
    pub pause_median_us: u64,
    /// See `pause_median_us`.
    pub pause_p99_us: u64,
    /// See `pause_median_us`.
    pub pause_longest_us: u64,
    /// How long switching took, pauses between batches included, in milliseconds.
    pub took_ms: u64,
    /// What was to happen on a failure.
    pub on_failure: OnFailure,
}

/// What happens in the course of a swap.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", tag = "event")]
#[non_exhaustive]
pub enum SwapEventKind {
    /// The new version is loaded beside the old one.
    Staged {
        /// It.
        to: VersionInfo,
    },
    /// All states were looked at.
    Checked {
        /// What it would do.
        plan: Box<SwapPlan>,
    },
    /// It begins to switch.
    Began {
        /// How many actors.
        total: usize,
    },
    /// An actor was switched.
    Switched {
        /// It.
        actor: ActorName,
        /// Generation of the instance that runs now.
        generation: u64,
        /// How long messages waited, in microseconds.
        pause_us: u64,
    },
    /// An actor was not.
    NotSwitched {
        /// It.
        actor: ActorName,
        /// Why.
        why: String,
    },
    /// A batch is done.
    BatchDone {
        /// Actors that are done so far.
        done: usize,
        /// Of how many.
        total: usize,
    },
    /// All are switched; the new version is watched for so long, in milliseconds.
    Watching {
        /// How long.
        for_ms: u64,
    },
    /// It goes back.
    GoingBack {
        /// Why.
        why: String,
    },
    /// An actor went back.
    WentBack {
        /// It.
        actor: ActorName,
    },
    /// The file of a plugin that is watched has changed, and was not taken: it is not whole yet, or no component that could
    /// take over. Told once for each content.
    NotTaken {
        /// The file.
        file: String,
        /// Why.
        why: String,
    },
    /// It has ended.
    Ended {
        /// How.
        report: Box<SwapReport>,
    },
}

/// What happened in the course of a swap.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SwapEvent {
    /// Which swap: see [`SwapStatus::id`]; 0 where there is none.
    pub swap: u64,
    /// The plugin.
    pub plugin: PluginName,
    /// When, in milliseconds since the Unix epoch.
    pub time_ms: u64,
    /// What.
    #[serde(flatten)]
    pub kind: SwapEventKind,
}
