//! What is to run: actors, and how they are restarted and stopped. The words are OTP's child specification's.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{ActorName, Body, Limits, NameError, PluginName};

/// When an ended actor is started again.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
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

impl<'de> Deserialize<'de> for Shutdown {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged, expecting = "expected \"brutal-kill\", \"infinity\" or a number of milliseconds")]
        enum Raw {
            Ms(u64),
            Word(Word),
        }
        #[derive(Deserialize)]
        #[serde(rename_all = "kebab-case")]
        enum Word {
            BrutalKill,
            Infinity,
        }
        Ok(match Raw::deserialize(d)? {
            Raw::Ms(ms) => Self::After(Duration::from_millis(ms)),
            Raw::Word(Word::BrutalKill) => Self::BrutalKill,
            Raw::Word(Word::Infinity) => Self::Infinity,
        })
    }
}

/// How often an actor may be restarted: more than `max_restarts` within `max_seconds`, and it stays down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
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

/// What happens to an actor whose state cannot be used.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum BadStatePolicy {
    /// It is parked until an operator decides; calls get `held`.
    #[default]
    Hold,
}

/// One actor that is to run.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ActorSpec {
    /// Its name.
    pub name: ActorName,
    /// Its plugin.
    pub plugin: PluginName,
    /// What `init` is given.
    pub args: Body,
    /// When it is started again.
    pub restart: Restart,
    /// How long it may take to stop.
    pub shutdown: Shutdown,
    /// How often it may be restarted.
    pub intensity: Intensity,
    /// What happens if its state cannot be used.
    pub on_bad_state: BadStatePolicy,
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
            args: Body::new(),
            restart: Restart::default(),
            shutdown: Shutdown::default(),
            intensity: Intensity::default(),
            on_bad_state: BadStatePolicy::default(),
            limits: Limits::default(),
        }
    }
}

/// A pattern of actor names: a prefix followed by `*`, such as `cart/*`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern(String);

impl Pattern {
    /// Checks `pattern`.
    ///
    /// # Errors
    /// If it does not end in its only `*`, or its prefix could not begin a name.
    pub fn new(pattern: &str) -> Result<Self, NameError> {
        let bad = |why: &str| Err(NameError::of("name pattern", pattern, why));
        let Some(prefix) = pattern.strip_suffix('*') else { return bad("does not end in '*'") };
        // Whatever may follow the prefix, `x` may; so the rules for names check the prefix.
        match ActorName::new(&format!("{prefix}x")) {
            Ok(_) => Ok(Self(prefix.to_owned())),
            Err(error) => bad(&format!("can match no name: {error}")),
        }
    }

    /// Whether `name` is one of those meant.
    #[must_use]
    pub fn matches(&self, name: &ActorName) -> bool {
        name.as_str().len() > self.0.len() && name.as_str().starts_with(&self.0)
    }

    /// How specific it is: of two patterns that match, the longer one counts.
    #[must_use]
    pub fn specificity(&self) -> usize {
        self.0.len()
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}*", self.0)
    }
}

/// Actors that are started when they are first called: all whose names match.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Template {
    /// Which names.
    pub pattern: Pattern,
    /// Everything else; the name in it is replaced.
    spec: ActorSpec,
}

impl Template {
    /// A template with defaults for everything but its pattern and plugin; restart is `transient`.
    ///
    /// # Panics
    /// Never: the placeholder name is valid.
    #[must_use]
    pub fn new(pattern: Pattern, plugin: PluginName) -> Self {
        let placeholder = ActorName::new("template").expect("a valid name");
        // An actor that stops by itself comes back with its next message, not at once.
        let spec = ActorSpec { restart: Restart::Transient, ..ActorSpec::new(placeholder, plugin) };
        Self { pattern, spec }
    }

    /// The spec that every actor of this template gets, to be adapted.
    pub fn spec_mut(&mut self) -> &mut ActorSpec {
        &mut self.spec
    }

    /// The spec that every actor of this template gets; the name in it stands for none.
    #[must_use]
    pub fn spec(&self) -> &ActorSpec {
        &self.spec
    }

    /// The plugin that its actors run.
    #[must_use]
    pub fn plugin(&self) -> &PluginName {
        &self.spec.plugin
    }

    /// The spec for the actor `name`.
    #[must_use]
    pub fn spec_for(&self, name: ActorName) -> ActorSpec {
        ActorSpec { name, ..self.spec.clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_matches_what_begins_like_it_and_is_longer() {
        let pattern = Pattern::new("cart/*").expect("valid");
        let name = |n| ActorName::new(n).expect("valid");
        assert!(pattern.matches(&name("cart/1")) && pattern.matches(&name("cart/a/b")));
        assert!(!pattern.matches(&name("cart")) && !pattern.matches(&name("cartoon/1")));
        for bad in ["cart", "a*b", "a**", "/*", "a/../*", ""] {
            assert!(Pattern::new(bad).is_err(), "{bad:?}");
        }
        assert!(Pattern::new("*").expect("all").matches(&name("anything")));
    }

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
