//! How a host shares its store with others.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a host does with an actor of its own that another host owns.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum OwnedElsewhere {
    /// The actor is not started here until someone asks for it, even once the other host has given it up.
    Refuse,
    /// It waits until the other host has given it up. What a host has left whose lease ended is that node's own, for an hour.
    Wait,
    /// It waits until the other host has given it up, or its lease has ended.
    #[default]
    TakeOver,
}

impl OwnedElsewhere {
    /// Its word.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Refuse => "refuse",
            Self::Wait => "wait",
            Self::TakeOver => "take-over",
        }
    }
}

/// How a host shares its store with others. It counts only where the store can be shared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostsSettings {
    /// The node's name, the same over restarts; none: the machine's.
    pub node: Option<String>,
    /// Where others are told that this host's API is; none: where it listens, if others can reach that.
    pub address: Option<String>,
    /// How long this host's lease on the store runs without being renewed.
    pub lease_ttl: Duration,
    /// How long before that, by its own clock, the host freezes its actors.
    pub lease_margin: Duration,
    /// How often it looks whether an actor that it waits for is free.
    pub look: Duration,
    /// What it does with actors of its own that others own.
    pub owned_elsewhere: OwnedElsewhere,
}

impl Default for HostsSettings {
    fn default() -> Self {
        Self {
            node: None,
            address: None,
            lease_ttl: Duration::from_secs(10),
            lease_margin: Duration::from_secs(2),
            look: Duration::from_secs(1),
            owned_elsewhere: OwnedElsewhere::default(),
        }
    }
}
