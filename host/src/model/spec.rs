//! What is to run: actors, and how they are restarted and stopped. The words are OTP's child specification's.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{ActorName, Attributes, Body, GroupName, Limits, PluginName, StateRules, Version};

/// When an ended actor is started again.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Restart {
    /// Always.
    #[default]
    Permanent,
    /// After a crash.
    Transient,
    /// Never.
    Temporary,
}

/// How long an actor may take to stop before it is killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shutdown {
    /// Killed at once: `terminate` is not called.
    BrutalKill,
    /// This long, the turn in hand and the commit included.
    After(Duration),
    /// As long as it takes. A tighter budget above still wins.
    Infinity,
}

impl Default for Shutdown {
    /// 5 s, as OTP's workers have.
    fn default() -> Self {
        Self::After(Duration::from_secs(5))
    }
}

impl fmt::Display for Shutdown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BrutalKill => f.write_str("brutal-kill"),
            Self::After(d) => write!(f, "{} ms", d.as_millis()),
            Self::Infinity => f.write_str("infinity"),
        }
    }
}

impl Serialize for Shutdown {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::After(d) => s.serialize_u64(u64::try_from(d.as_millis()).unwrap_or(u64::MAX)),
            _ => s.collect_str(self),
        }
    }
}

impl JsonSchema for Shutdown {
    fn schema_name() -> Cow<'static, str> {
        "Shutdown".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "How long an actor may take to stop: milliseconds, or a word.",
            "oneOf": [{ "type": "integer", "minimum": 0, "format": "uint64" }, { "enum": ["brutal-kill", "infinity"] }],
        })
    }
}

impl<'de> Deserialize<'de> for Shutdown {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged, expecting = "expected \"brutal-kill\", \"infinity\" or a number of milliseconds")]
        enum Raw {
            Ms(u64),
            /// JSON does not tell 5.0 from 5.
            Whole(f64),
            Word(Word),
        }
        #[derive(Deserialize)]
        #[serde(rename_all = "kebab-case")]
        enum Word {
            BrutalKill,
            Infinity,
        }
        Ok(match Raw::deserialize(d)? {
            // What is below 2^53 is exact; what is not whole, or negative, is none.
            Raw::Whole(ms) if ms.fract() == 0.0 && (0.0..9_007_199_254_740_992.0).contains(&ms) => {
                Self::After(Duration::from_secs_f64(ms / 1_000.0))
            }
            Raw::Whole(_) => {
                let expected = "expected \"brutal-kill\", \"infinity\" or a number of milliseconds";
                return Err(serde::de::Error::custom(expected));
            }
            Raw::Ms(ms) => Self::After(Duration::from_millis(ms)),
            Raw::Word(Word::BrutalKill) => Self::BrutalKill,
            Raw::Word(Word::Infinity) => Self::Infinity,
        })
    }
}

/// How many restarts a supervisor allows: with more than `max_restarts` within `max_seconds` it ends, and its children with
/// it. An actor that stands under the root has its own, and stays down by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Intensity {
    /// Restarts that are allowed within the window.
    pub max_restarts: u32,
    /// The window, in seconds.
    pub max_seconds: u32,
}

impl Default for Intensity {
    /// 3 restarts in 5 s.
    fn default() -> Self {
        Self { max_restarts: 3, max_seconds: 5 }
    }
}

/// How long a restart waits; OTP has none. The first waits `first`, each further one twice as long as the one before, at
/// most `max`; who has stayed up for longer than the intensity's window begins anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Backoff {
    /// The first wait.
    pub first: Duration,
    /// The longest wait.
    pub max: Duration,
}

/// One actor that is to run.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ActorSpec {
    /// Its name.
    pub name: ActorName,
    /// Its plugin.
    pub plugin: PluginName,
    /// The version of it that the actor is to stay with, whatever is swapped; none: the one that is current.
    pub version: Option<Version>,
    /// What `init` is given.
    pub args: Body,
    /// When it is started again.
    pub restart: Restart,
    /// How long it may take to stop.
    pub shutdown: Shutdown,
    /// Whether its end, when it is not started again, counts for its supervisor's `auto_shutdown`. Never with
    /// [`Restart::Permanent`].
    pub significant: bool,
    /// How often it may be restarted, where it stands under the root; below a supervisor the supervisor's counts.
    pub intensity: Intensity,
    /// Whether a restart waits, where it stands under the root; below a supervisor the supervisor's counts.
    pub backoff: Option<Backoff>,
    /// What is known of it under its name, to find it by.
    pub attributes: Attributes,
    /// Groups that it is a member of from the start.
    pub groups: Vec<GroupName>,
    /// How its state is kept, as far as that differs from its plugin's rules.
    pub state: StateRules,
    /// Its bounds.
    pub limits: Limits,
}

impl ActorSpec {
    /// An actor with defaults for everything but its name and plugin.
    #[must_use]
    pub fn new(name: ActorName, plugin: PluginName) -> Self {
        Self {
            name,
            plugin,
            version: None,
            args: Body::new(),
            restart: Restart::default(),
            shutdown: Shutdown::default(),
            significant: false,
            intensity: Intensity::default(),
            backoff: None,
            attributes: Attributes::new(),
            groups: Vec::new(),
            state: StateRules::default(),
            limits: Limits::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shutdown_reads_as_a_person_writes_it() {
        let read = |text| serde_json::from_str::<Shutdown>(text);
        assert_eq!(read("\"brutal-kill\"").expect("word"), Shutdown::BrutalKill);
        assert_eq!(read("\"infinity\"").expect("word"), Shutdown::Infinity);
        assert_eq!(read("250").expect("number"), Shutdown::After(Duration::from_millis(250)));
        assert!(read("\"soon\"").expect_err("unknown").to_string().contains("brutal-kill"));
        assert!(read("-1").is_err());
    }
}
