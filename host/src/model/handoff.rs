//! What one instance leaves and the next is given; the contract's records as plain data.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{PluginName, StopReason, Version};

/// State as its plugin encoded it. The host never looks inside `data`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    /// Version of the layout of `data`.
    pub schema: u32,
    /// The bytes.
    #[serde(with = "serde_bytes")]
    pub data: Vec<u8>,
}

/// How complete a handed-over state is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Origin {
    /// The predecessor ended with it: nothing was handled after it.
    Terminated(StopReason),
    /// Taken from the running predecessor at a swap: nothing was handled after it.
    Switched,
    /// Saved while the predecessor ran, which then ended without a word; how many messages it had handled since, where
    /// the host knows.
    Checkpoint(Option<u64>),
    /// An operator put it there.
    Restored,
}

/// What a predecessor left, as `continue` gets it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Handoff {
    /// The state.
    pub state: State,
    /// How complete it is.
    pub origin: Origin,
    /// Generation of the instance that wrote it.
    pub generation: u64,
    /// Version of the plugin that wrote it.
    pub written_by: Version,
    /// Age in milliseconds by the host's clock; 0 if that clock went back.
    pub age_ms: u64,
}

/// What a plugin says of itself, read once when it is loaded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Description {
    /// The plugin's name.
    pub name: PluginName,
    /// The plugin's version.
    pub version: Version,
    /// Schema that it writes.
    pub schema: u32,
    /// Oldest schema that it reads.
    pub reads_from: u32,
    /// Newest schema that it reads.
    pub reads_to: u32,
    /// Media type of message bodies.
    pub messages: String,
    /// What else the plugin wants told.
    pub metadata: Vec<(String, String)>,
}

impl Description {
    /// Whether a state of `schema` may be shown to this plugin.
    #[must_use]
    pub fn reads(&self, schema: u32) -> bool {
        (self.reads_from..=self.reads_to).contains(&schema)
    }
}

/// Why a guest does not take a state over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Refusal {
    /// The plugin cannot read that schema.
    Incompatible(String),
    /// The bytes do not decode, or break an invariant.
    Corrupt(String),
    /// Too old to be of use.
    Stale(String),
    /// Something it needs is out of reach now; the same state may be taken over later.
    Unavailable(String),
    /// Anything else.
    Other(String),
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Incompatible(why) => write!(f, "incompatible: {why}"),
            Self::Corrupt(why) => write!(f, "corrupt: {why}"),
            Self::Stale(why) => write!(f, "stale: {why}"),
            Self::Unavailable(why) => write!(f, "unavailable: {why}"),
            Self::Other(why) => f.write_str(why),
        }
    }
}

/// What `terminate` leaves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Legacy {
    /// Save this.
    Save(State),
    /// The state in the store stays as it is.
    Keep,
    /// The state and its history are erased.
    Forget,
}
