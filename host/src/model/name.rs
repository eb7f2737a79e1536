//! Names: of actors, of plugins, of bytes.

use std::borrow::{Borrow, Cow};
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Longest actor name, in bytes.
pub const NAME_BYTES: usize = 255;
/// Longest plugin name, in bytes.
const PLUGIN_NAME_BYTES: usize = 64;
/// Longest plugin version, in bytes.
const VERSION_BYTES: usize = 64;

/// A name that cannot be used, and why.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} {shown:?} {why}")]
pub struct NameError {
    what: &'static str,
    shown: String,
    why: String,
}

impl NameError {
    pub(super) fn of(what: &'static str, name: &str, why: impl Into<String>) -> Self {
        // What is shown is bounded: a name of megabytes must not fill a log.
        let mut shown: String = name.chars().take(64).collect();
        if shown.len() < name.len() {
            shown.push('…');
        }
        Self { what, shown, why: why.into() }
    }

    /// The same, of a name of another kind.
    pub(super) fn about(self, what: &'static str) -> Self {
        Self { what, ..self }
    }
}

/// The name of an actor, unique in its host: path-like segments separated by `/`, such as `cart/42`.
///
/// 1 to [`NAME_BYTES`] bytes of UTF-8; no control characters; no empty segment, none that is `.` or `..`; no `*`, which
/// stands for a pattern. Cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ActorName(Arc<str>);

impl ActorName {
    /// Checks `name`.
    ///
    /// # Errors
    /// Says which rule the name breaks.
    pub fn new(name: &str) -> Result<Self, NameError> {
        let bad = |why: &str| Err(NameError::of("actor name", name, why));
        if name.is_empty() {
            return bad("is empty");
        }
        if name.len() > NAME_BYTES {
            return bad(&format!("has {} bytes; at most {NAME_BYTES} are allowed", name.len()));
        }
        if let Some(c) = name.chars().find(|c| c.is_control()) {
            return bad(&format!("contains the control character {c:?}"));
        }
        if name.contains('*') {
            return bad("contains '*', which stands for a pattern");
        }
        for segment in name.split('/') {
            match segment {
                "" => return bad("has an empty segment: no '/' at either end, no two in a row"),
                "." | ".." => return bad(&format!("has the segment '{segment}'")),
                _ => {}
            }
        }
        Ok(Self(name.into()))
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ActorName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for ActorName {
    type Err = NameError;
    fn from_str(s: &str) -> Result<Self, NameError> {
        Self::new(s)
    }
}

impl TryFrom<&str> for ActorName {
    type Error = NameError;
    fn try_from(s: &str) -> Result<Self, NameError> {
        Self::new(s)
    }
}

impl Borrow<str> for ActorName {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl AsRef<str> for ActorName {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl Serialize for ActorName {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(&self.0)
    }
}

/// A segment that is neither empty nor `.` or `..`; of all characters that may stand in one, without and with the dot.
const SEGMENT: &str = r"(?:\.{0,2}[^./*\x00-\x1f\x7f-\x9f][^/*\x00-\x1f\x7f-\x9f]*|\.{3}[^/*\x00-\x1f\x7f-\x9f]*)";

/// What a name or a pattern of names is.
pub(super) fn name_or_pattern_schema() -> Schema {
    json_schema!({
        "type": "string",
        "description": "The name of an actor, or a pattern: a prefix and `*`, such as `cart/*`.",
        "minLength": 1,
        "maxLength": NAME_BYTES,
        "pattern": format!(r"^(?:{SEGMENT}(?:/{SEGMENT})*|(?:{SEGMENT}/)*[^/*\x00-\x1f\x7f-\x9f]*\*)$"),
    })
}

impl JsonSchema for ActorName {
    fn schema_name() -> Cow<'static, str> {
        "ActorName".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        // Its length is in bytes, and JSON Schema counts characters: nothing that may be is called too long.
        json_schema!({
            "type": "string",
            "description": "The name of an actor: segments separated by `/`, none of them empty, `.` or `..`; no control characters, no `*`; at most 255 bytes of UTF-8.",
            "minLength": 1,
            "maxLength": NAME_BYTES,
            "pattern": format!("^{SEGMENT}(?:/{SEGMENT})*$"),
            "examples": ["cart/42"],
        })
    }
}

impl<'de> Deserialize<'de> for ActorName {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let text = String::deserialize(d)?;
        Self::new(&text).map_err(serde::de::Error::custom)
    }
}

/// The name of a plugin: lower-case letters, digits, `-` and `_`, beginning with a letter; at most 64 bytes.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct PluginName(Arc<str>);

impl PluginName {
    /// Checks `name`.
    ///
    /// # Errors
    /// Says which rule the name breaks.
    pub fn new(name: &str) -> Result<Self, NameError> {
        let bad = |why: &str| Err(NameError::of("plugin name", name, why));
        if name.len() > PLUGIN_NAME_BYTES {
            return bad(&format!("has {} bytes; at most {PLUGIN_NAME_BYTES} are allowed", name.len()));
        }
        if !name.starts_with(|c: char| c.is_ascii_lowercase()) {
            return bad("does not begin with a lower-case letter");
        }
        let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_';
        match name.chars().find(|c| !allowed(*c)) {
            Some(c) => bad(&format!("contains {c:?}; lower-case letters, digits, '-' and '_' are allowed")),
            None => Ok(Self(name.into())),
        }
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for PluginName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for PluginName {
    type Err = NameError;
    fn from_str(s: &str) -> Result<Self, NameError> {
        Self::new(s)
    }
}

impl JsonSchema for PluginName {
    fn schema_name() -> Cow<'static, str> {
        "PluginName".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "description": "The name of a plugin: lower-case letters, digits, `-` and `_`, beginning with a letter.",
            "maxLength": PLUGIN_NAME_BYTES,
            "pattern": "^[a-z][a-z0-9_-]*$",
            "examples": ["counter"],
        })
    }
}

impl<'de> Deserialize<'de> for PluginName {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let text = String::deserialize(d)?;
        Self::new(&text).map_err(serde::de::Error::custom)
    }
}

/// A plugin's version: `MAJOR.MINOR.PATCH`, optionally followed by `-pre` and `+build` as semantic versioning has them.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, JsonSchema)]
#[serde(transparent)]
pub struct Version(Arc<str>);

impl Version {
    /// Checks `version`.
    ///
    /// # Errors
    /// Says which rule the version breaks.
    pub fn new(version: &str) -> Result<Self, NameError> {
        let bad = |why: &str| Err(NameError::of("version", version, why));
        if version.len() > VERSION_BYTES {
            return bad(&format!("has {} bytes; at most {VERSION_BYTES} are allowed", version.len()));
        }
        let core = version.split(['-', '+']).next().unwrap_or_default();
        let parts: Vec<&str> = core.split('.').collect();
        let is_number = |p: &&str| !p.is_empty() && p.bytes().all(|b| b.is_ascii_digit());
        if parts.len() != 3 || !parts.iter().all(is_number) {
            return bad("is not MAJOR.MINOR.PATCH");
        }
        let rest = &version[core.len()..];
        let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '+' | '.');
        match rest.chars().find(|c| !allowed(*c)) {
            Some(c) => bad(&format!("contains {c:?}")),
            None => Ok(Self(version.into())),
        }
    }

    /// The version as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Version {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let text = String::deserialize(d)?;
        Self::new(&text).map_err(serde::de::Error::custom)
    }
}

/// A BLAKE3 digest of 32 bytes; shown as hexadecimal.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Digest(pub [u8; 32]);

impl Digest {
    /// The digest of `bytes`.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self(*blake3::hash(bytes).as_bytes())
    }

    /// The first 12 hexadecimal digits, enough for a person to tell two apart.
    #[must_use]
    pub fn short(&self) -> String {
        self.to_string()[..12].to_owned()
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|b| write!(f, "{b:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Digest({self})")
    }
}

impl Serialize for Digest {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        if s.is_human_readable() { s.collect_str(self) } else { self.0.serialize(s) }
    }
}

impl JsonSchema for Digest {
    fn schema_name() -> Cow<'static, str> {
        "Digest".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "description": "A BLAKE3 digest, hexadecimal.", "pattern": "^[0-9a-f]{64}$" })
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        if !d.is_human_readable() {
            return <[u8; 32]>::deserialize(d).map(Self);
        }
        let text = String::deserialize(d)?;
        let bad = || serde::de::Error::custom("a digest is 64 hexadecimal digits");
        if text.len() != 64 || !text.is_ascii() {
            return Err(bad());
        }
        let mut bytes = [0; 32];
        for (i, byte) in bytes.iter_mut().enumerate() {
            *byte = u8::from_str_radix(&text[2 * i..2 * i + 2], 16).map_err(|_| bad())?;
        }
        Ok(Self(bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn actor_names_that_could_be_mistaken_for_something_else_are_refused() {
        let long = "a".repeat(NAME_BYTES + 1);
        let huge = "a/".repeat(5_000);
        for bad in ["", "/", "a/", "/a", "a//b", "a/../b", "..", "./a", "a\0b", "a\nb", "a*", &long, &huge] {
            let error = ActorName::new(bad).expect_err(bad).to_string();
            assert!(error.len() < 400, "the error stays short: {} bytes", error.len());
        }
        for good in ["a", "cart/42", "flughafen/MÜC", "a b", "a.b", "..a", &"a".repeat(NAME_BYTES)] {
            assert_eq!(ActorName::new(good).expect(good).as_str(), good);
        }
    }

    #[test]
    fn versions_are_semantic() {
        for bad in ["", "1", "1.0", "1.0.x", "1..0", "v1.0.0", "1.0.0 ", "1.0.0-a b"] {
            assert!(Version::new(bad).is_err(), "{bad:?}");
        }
        for good in ["1.0.0", "0.1.20", "1.0.0-rc.1", "1.0.0+build.5"] {
            assert!(Version::new(good).is_ok(), "{good:?}");
        }
    }

    #[test]
    fn a_digest_reads_back_from_text() {
        let digest = Digest::of(b"baton");
        let text = serde_json::to_string(&digest).expect("serializes");
        assert_eq!(serde_json::from_str::<Digest>(&text).expect("parses"), digest);
        assert!(serde_json::from_str::<Digest>("\"zz\"").is_err());
    }
}
