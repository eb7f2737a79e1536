//! What the actors of a plugin may do beyond calling and being called. What is not granted is refused.

use std::fmt;
use std::str::FromStr;

use super::{ActorName, NameError, Pattern};

/// Names and patterns that one plugin's `supervise` may hold.
pub const SUPERVISE_GRANTS: usize = 1_000;

/// One name, or a pattern of names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NameOrPattern {
    /// This one.
    Name(ActorName),
    /// All that match.
    Pattern(Pattern),
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

/// What the actors of one plugin may do. Nothing, unless told otherwise.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Grants {
    /// Actors and supervisors that they may start, stop, link and end: at most [`SUPERVISE_GRANTS`].
    pub supervise: Vec<NameOrPattern>,
}

impl Grants {
    /// Whether they may start, stop, link and end what has this name.
    #[must_use]
    pub fn may_supervise(&self, name: &ActorName) -> bool {
        self.supervise.iter().any(|granted| granted.matches(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_granted_is_refused() {
        let grants = |texts: &[&str]| Grants {
            supervise: texts.iter().map(|text| text.parse().expect("a name or pattern")).collect(),
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
