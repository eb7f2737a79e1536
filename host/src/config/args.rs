//! What `init` is given: text as it stands, a table or an array as JSON, or a file.

use std::path::Path;

use bytes::Bytes;
use serde_json::{Map, Number, Value as Json};
use toml::Spanned;
use toml::de::DeValue;

use super::problem::Problems;
use super::section::Section;
use super::{ARGS_BYTES, Files};

/// The `args` or `args_file` of a section; empty where it has neither.
pub(super) fn read(section: &mut Section<'_>, base_dir: &Path, files: &dyn Files, problems: &mut Problems) -> Bytes {
    let file = section.string("args_file", "a path", problems);
    let inline = section.take("args");
    if inline.is_some() && file.is_some() {
        let label = &section.label;
        problems
            .add(section.place("args_file"), format!("{label} has both `args` and `args_file`; expected one of them"));
    }
    if let Some(file) = file {
        let path = base_dir.join(file);
        return files.read(&path, ARGS_BYTES).map(Bytes::from).unwrap_or_else(|error| {
            let label = &section.label;
            problems.add(
                section.place("args_file"),
                format!("`args_file` in {label}: {} cannot be read: {error}", path.display()),
            );
            Bytes::new()
        });
    }
    let Some(value) = inline else { return Bytes::new() };
    let bytes = match value.get_ref() {
        DeValue::String(text) => Bytes::copy_from_slice(text.as_bytes()),
        DeValue::Table(_) | DeValue::Array(_) => Bytes::from(to_json(value, &section.label, problems).to_string()),
        _ => {
            let label = &section.label;
            let message = format!("`args` in {label} is neither text nor a table or array; write it in quotes");
            problems.add(value.span().start, message);
            Bytes::new()
        }
    };
    if bytes.len() as u64 > ARGS_BYTES {
        let message =
            format!("`args` in {} has {} bytes; at most {ARGS_BYTES} are allowed", section.label, bytes.len());
        problems.add(value.span().start, message);
    }
    bytes
}

pub(super) fn to_json(value: &Spanned<DeValue<'_>>, label: &str, problems: &mut Problems) -> Json {
    let mut unfit = |what: String| {
        problems.add(value.span().start, format!("`args` in {label}: JSON has no {what}"));
        Json::Null
    };
    match value.get_ref() {
        DeValue::String(text) => Json::String(text.to_string()),
        DeValue::Boolean(value) => Json::Bool(*value),
        DeValue::Datetime(date) => Json::String(date.to_string()),
        DeValue::Integer(number) => match i64::from_str_radix(number.as_str(), number.radix()) {
            Ok(number) => Json::Number(number.into()),
            Err(_) => unfit(format!("integer {number} of 64 bits")),
        },
        DeValue::Float(number) => match number.as_str().parse().ok().and_then(Number::from_f64) {
            Some(number) => Json::Number(number),
            None => unfit(format!("number {number}")),
        },
        DeValue::Array(items) => items.iter().map(|item| to_json(item, label, problems)).collect(),
        DeValue::Table(table) => {
            let pairs = table.iter().map(|(key, item)| (key.get_ref().to_string(), to_json(item, label, problems)));
            Json::Object(pairs.collect::<Map<String, Json>>())
        }
    }
}
