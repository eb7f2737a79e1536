//! What a plugin says of itself, and what is said where it cannot.

use super::imports::log_line;
use super::program::plugin_error;
use super::unchecked::Field;
use crate::model::{Crash, CrashKind, Description, HostError, LimitMet, PluginName, Version};

/// Entries of a description's metadata, and bytes of all of them together.
const METADATA_ENTRIES: usize = 64;
const METADATA_BYTES: usize = 16 << 10;
/// Longest media type, in bytes.
const MEDIA_TYPE_BYTES: usize = 127;

/// What a plugin says of itself, as it is: whatever version of the contract it was built against.
pub(super) struct Described {
    pub(super) name: Field<String>,
    pub(super) version: Field<String>,
    pub(super) schema: u32,
    pub(super) reads_from: u32,
    pub(super) reads_to: u32,
    pub(super) messages: Field<String>,
    pub(super) metadata: Field<Vec<(String, String)>>,
}

/// A field of the description, as far as the guest's memory has it.
fn read<T>(field: &str, answer: Field<T>) -> Result<T, Crash> {
    answer.0.map_err(|unread| {
        Crash::new(CrashKind::Contract, "describe", format!("`{field}` of its description cannot be read: {unread}"))
    })
}

/// A description is a stranger's word: names, versions and sizes are checked before anything uses them.
pub(super) fn checked(answer: Described) -> Result<Description, Crash> {
    let wrong =
        |why: String| Crash::new(CrashKind::Contract, "describe", format!("its description cannot be used: {why}"));
    let name = read("name", answer.name)?;
    let version = read("version", answer.version)?;
    let messages = read("messages", answer.messages)?;
    let metadata = read("metadata", answer.metadata)?;
    let name = PluginName::new(&name).map_err(|e| wrong(e.to_string()))?;
    let version = Version::new(&version).map_err(|e| wrong(e.to_string()))?;
    let (schema, reads_from, reads_to) = (answer.schema, answer.reads_from, answer.reads_to);
    if reads_from > reads_to {
        return Err(wrong(format!("reads-from {reads_from} is above reads-to {reads_to}")));
    }
    if !(reads_from..=reads_to).contains(&schema) {
        return Err(wrong(format!(
            "it writes schema {schema} and reads {reads_from} to {reads_to}: it could not take over its own state"
        )));
    }
    let printable = |text: &str| text.chars().all(|c| c == ' ' || c.is_ascii_graphic());
    if messages.len() > MEDIA_TYPE_BYTES || !messages.contains('/') || !printable(&messages) {
        return Err(wrong(format!(
            "`messages` is not a media type of at most {MEDIA_TYPE_BYTES} bytes, such as application/json"
        )));
    }
    let bytes: usize = metadata.iter().map(|(key, value)| key.len() + value.len()).sum();
    if metadata.len() > METADATA_ENTRIES || bytes > METADATA_BYTES {
        return Err(wrong(format!("its metadata has more than {METADATA_ENTRIES} entries or {METADATA_BYTES} bytes")));
    }
    // It is shown to people; what a terminal would obey is no part of it.
    let plain =
        |(key, value): (String, String)| (log_line(&key, &[], METADATA_BYTES), log_line(&value, &[], METADATA_BYTES));
    let metadata = metadata.into_iter().map(plain).collect();
    Ok(Description { name, version, schema, reads_from, reads_to, messages, metadata })
}

/// A plugin that could not say who it is. Nobody has configured anything for it: no line of `baton.toml` helps.
pub(super) fn undescribed(label: &str, contract: &str, crash: &Crash) -> HostError {
    let hint = match (crash.during.as_str(), crash.kind, crash.backtrace.as_slice()) {
        ("describe", CrashKind::Contract, _) => {
            format!(
                "`describe` answers with the record `description` of wit/actor/{contract}/actor.wit; how it lies in memory is \
                 in the book's page \"Plugins from the WIT alone\""
            )
        }
        (_, CrashKind::Contract, _) => {
            format!("build it against wit/actor/{contract}")
        }
        (_, _, []) => {
            "it is asked who it is without files, environment and other actors, and says what it knows from the \
                       beginning"
                .to_owned()
        }
        (_, _, frames) => format!("the guest was in {}", frames.join(" ← ")),
    };
    let told = LimitMet::without_cures(&crash.to_string());
    plugin_error(label, format!("`{}` failed: {told}", crash.during)).hint(hint)
}
