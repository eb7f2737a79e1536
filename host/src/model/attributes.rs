//! What is known of an actor beside its name: attributes to find it by, and groups that it is a member of.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{ActorName, NameError};

/// Attributes that one actor may have.
pub const ATTRIBUTES: usize = 64;
/// Longest key of an attribute, in bytes.
pub const ATTRIBUTE_KEY_BYTES: usize = 64;
/// Longest value of an attribute, in bytes.
pub const ATTRIBUTE_VALUE_BYTES: usize = 1_024;
/// Groups that one actor may be a member of.
pub const GROUPS: usize = 64;

/// Attributes by their keys.
pub type Attributes = BTreeMap<String, String>;

/// Checks an attribute: a key of 1 to [`ATTRIBUTE_KEY_BYTES`] bytes, a value of at most [`ATTRIBUTE_VALUE_BYTES`], neither
/// with control characters.
///
/// # Errors
/// Says which rule it breaks.
pub fn check_attribute(key: &str, value: &str) -> Result<(), NameError> {
    let bad = |what, text: &str, why: String| Err(NameError::of(what, text, why));
    if key.is_empty() {
        return bad("attribute", key, "has an empty key".into());
    }
    for (what, text, limit) in [("attribute", key, ATTRIBUTE_KEY_BYTES), ("value", value, ATTRIBUTE_VALUE_BYTES)] {
        if text.len() > limit {
            return bad(what, text, format!("has {} bytes; at most {limit} are allowed", text.len()));
        }
        if let Some(c) = text.chars().find(|c| c.is_control()) {
            return bad(what, text, format!("contains the control character {c:?}"));
        }
    }
    Ok(())
}

/// The name of a group of actors. The rules are those of [`ActorName`]; the two do not meet: an actor and a group may have
/// one name.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct GroupName(ActorName);

impl GroupName {
    /// Checks `name`.
    ///
    /// # Errors
    /// Says which rule the name breaks.
    pub fn new(name: &str) -> Result<Self, NameError> {
        ActorName::new(name).map(Self).map_err(|error| error.about("group name"))
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// For patterns, which know the names of actors.
    pub(super) fn as_actor(&self) -> &ActorName {
        &self.0
    }
}

impl fmt::Display for GroupName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for GroupName {
    type Err = NameError;
    fn from_str(s: &str) -> Result<Self, NameError> {
        Self::new(s)
    }
}

impl Serialize for GroupName {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(s)
    }
}

impl JsonSchema for GroupName {
    fn schema_name() -> Cow<'static, str> {
        "GroupName".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        // The rules are the same.
        ActorName::json_schema(generator)
    }
}

impl<'de> Deserialize<'de> for GroupName {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let text = String::deserialize(d)?;
        Self::new(&text).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_and_groups_are_bounded() {
        check_attribute("region", "eu").expect("fine");
        check_attribute("note", "").expect("an empty value is a value");
        for (key, value) in [("", "x"), (&*"k".repeat(65), "x"), ("k", &*"v".repeat(1_025)), ("a\nb", "x"), ("k", "\0")]
        {
            assert!(check_attribute(key, value).is_err(), "{key:?} = {value:?}");
        }
        assert!(GroupName::new("workers/fast").is_ok());
        let error = GroupName::new("a//b").expect_err("empty segment").to_string();
        assert!(error.starts_with("group name"), "{error}");
    }
}
