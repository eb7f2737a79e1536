//! Actors that stand for many: patterns of names, and what each actor of a pattern is.

use std::fmt;

use super::{ActorName, ActorSpec, NameError, PluginName, Restart};

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
    /// The dynamic supervisor that they stand under; none: the root.
    pub supervisor: Option<ActorName>,
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
        Self { pattern, supervisor: None, spec }
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
}
