//! What the actors of a plugin may do beyond being called. What is not granted is refused.

mod address;
mod files;
mod net;

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator};

use super::name::name_or_pattern_schema;
use super::{ActorName, GroupName, NameError, Pattern};

pub use address::{Network, Reach};
pub use files::{Access, DirGrant, EnvGrant};
pub use net::{HostPattern, HttpGrant, SocketGrant, Transport};

/// Entries of each list that one plugin's grants may hold.
pub const GRANTS: usize = 1_000;
/// Directories that one plugin may be granted: each is held open.
pub const DIR_GRANTS: usize = 64;

/// A grant that cannot be read, and why.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{shown:?} {why}")]
pub struct GrantError {
    shown: String,
    why: String,
}

impl GrantError {
    fn of(text: &str, why: impl Into<String>) -> Self {
        Self { shown: text.chars().take(128).collect(), why: why.into() }
    }
}

/// One name, or a pattern of names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NameOrPattern {
    /// This one.
    Name(ActorName),
    /// All that match.
    Pattern(Pattern),
}

impl JsonSchema for NameOrPattern {
    fn schema_name() -> Cow<'static, str> {
        "NameOrPattern".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        name_or_pattern_schema()
    }
}

impl NameOrPattern {
    /// Checks `text`: a pattern where it has a `*`, else a name.
    ///
    /// # Errors
    /// Says which rule it breaks.
    pub fn new(text: &str) -> Result<Self, NameError> {
        match text.contains('*') {
            true => Pattern::new(text).map(Self::Pattern),
            false => ActorName::new(text).map(Self::Name),
        }
    }

    /// Whether `name` is one of those meant.
    #[must_use]
    pub fn matches(&self, name: &ActorName) -> bool {
        match self {
            Self::Name(own) => own == name,
            Self::Pattern(pattern) => pattern.matches(name),
        }
    }
}

impl fmt::Display for NameOrPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => name.fmt(f),
            Self::Pattern(pattern) => pattern.fmt(f),
        }
    }
}

impl FromStr for NameOrPattern {
    type Err = NameError;
    fn from_str(s: &str) -> Result<Self, NameError> {
        Self::new(s)
    }
}

/// What the actors of one plugin may do beyond logging, clocks, randomness, their own timers and replies. Nothing, unless
/// told otherwise.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Grants {
    /// Actors and supervisors that they may start, stop, link and end: at most [`GRANTS`], as of each of these lists.
    pub supervise: Vec<NameOrPattern>,
    /// Actors that they may call, send to, monitor and look up.
    pub call: Vec<NameOrPattern>,
    /// Groups that they may join, send to, and ask for their members.
    pub groups: Vec<NameOrPattern>,
    /// Directories of the host that they see: at most [`DIR_GRANTS`].
    pub dirs: Vec<DirGrant>,
    /// What they find in their environment.
    pub env: Vec<EnvGrant>,
    /// HTTP requests that they may make.
    pub http: Vec<HttpGrant>,
    /// Addresses that they may connect to, or exchange datagrams with.
    pub sockets: Vec<SocketGrant>,
    /// Names that they may have resolved to addresses.
    pub lookups: Vec<HostPattern>,
    /// Whether the plugin is refused if it imports what it is not granted, instead of that being told. The contract's
    /// `host`, which plugins import whole, does not count.
    pub strict: bool,
}

impl Grants {
    /// Whether they may start, stop, link and end what has this name.
    #[must_use]
    pub fn may_supervise(&self, name: &ActorName) -> bool {
        self.supervise.iter().any(|granted| granted.matches(name))
    }

    /// Whether `from`, one of them, may call, send to and monitor `to`. Each may do so with itself.
    #[must_use]
    pub fn may_call(&self, from: &ActorName, to: &ActorName) -> bool {
        from == to || self.call.iter().any(|granted| granted.matches(to))
    }

    /// Whether `from`, one of them, may know whether `of` is there, and what it can be found by.
    #[must_use]
    pub fn may_see(&self, from: &ActorName, of: &ActorName) -> bool {
        self.may_call(from, of) || self.may_supervise(of)
    }

    /// Whether they may join a group, send to it, and know who is in it.
    #[must_use]
    pub fn may_use_group(&self, group: &GroupName) -> bool {
        self.groups.iter().any(|granted| granted.matches(group.as_actor()))
    }

    /// Fills in the values of what is to be taken from the environment; those that `value` does not have stay away.
    pub fn fill_env(&mut self, value: impl Fn(&str) -> Option<String>) {
        for granted in &mut self.env {
            if granted.value.is_none() {
                granted.value = value(&granted.name);
            }
        }
    }

    /// Whether nothing is granted.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self { strict: self.strict, ..Self::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_granted_is_refused() {
        let grants = |texts: &[&str]| Grants {
            supervise: texts.iter().map(|text| text.parse().expect("a name or pattern")).collect(),
            ..Grants::default()
        };
        let cases: [(&[&str], &str, bool); 9] = [
            (&[], "a", false),
            (&["a"], "a", true),
            (&["a"], "a/b", false),
            (&["a/b"], "a", false),
            (&["cart/*"], "cart/1", true),
            (&["cart/*"], "cart", false),
            (&["cart/*"], "cartoon/1", false),
            (&["cart/*", "pool"], "pool", true),
            (&["*"], "anything/at/all", true),
        ];
        for (granted, name, expected) in cases {
            let name = ActorName::new(name).expect("valid");
            assert_eq!(grants(granted).may_supervise(&name), expected, "{granted:?} and {name}");
        }
    }

    #[test]
    fn an_actor_reaches_itself_and_whom_it_was_granted() {
        let name = |text: &str| ActorName::new(text).expect("valid");
        let grants = Grants {
            call: vec!["room/*".parse().expect("valid")],
            supervise: vec!["pool".parse().expect("valid")],
            groups: vec!["lobby".parse().expect("valid")],
            ..Grants::default()
        };
        for (to, call, see) in
            [("me", true, true), ("room/1", true, true), ("pool", false, true), ("you", false, false)]
        {
            assert_eq!(grants.may_call(&name("me"), &name(to)), call, "{to}");
            assert_eq!(grants.may_see(&name("me"), &name(to)), see, "{to}");
        }
        for (group, may) in [("lobby", true), ("lobby/1", false)] {
            assert_eq!(grants.may_use_group(&GroupName::new(group).expect("valid")), may);
        }
        assert!(!grants.is_empty() && Grants { strict: true, ..Grants::default() }.is_empty());
    }

    #[test]
    fn what_is_neither_a_name_nor_a_pattern_is_refused() {
        for (text, kind) in
            [("a*b", "name pattern"), ("**", "name pattern"), ("a//b", "actor name"), ("", "actor name")]
        {
            let error = NameOrPattern::new(text).expect_err(text).to_string();
            assert!(error.starts_with(kind), "{error}");
        }
        for text in ["a", "a/b", "*", "a/*"] {
            assert_eq!(NameOrPattern::new(text).expect(text).to_string(), text);
        }
    }
}
