//! The table of keys as a JSON schema, for editors, and in the words of the book.

use serde_json::{Map, Value, json};

use super::{Default, Form, Group, Key, TOP};

/// The version of JSON Schema that editors know best; nothing here is of another one.
const DIALECT: &str = "http://json-schema.org/draft-07/schema#";

/// The schema of baton.toml.
pub(in crate::config) fn schema() -> Value {
    let mut schema = object(&TOP);
    let own = [
        ("$schema", json!(DIALECT)),
        ("title", json!("baton.toml")),
        ("description", json!("The configuration of a baton host. Paths are relative to the file's folder.")),
    ];
    schema.extend(own.map(|(key, value)| (key.to_owned(), value)));
    Value::Object(schema)
}

fn object(group: &Group) -> Map<String, Value> {
    let properties: Map<String, Value> = group.keys().map(|key| (key.name.to_owned(), property(key))).collect();
    let required: Vec<_> = group.keys().filter(|key| matches!(key.default, Default::Required)).collect();
    let mut object = Map::new();
    object.insert("type".into(), json!("object"));
    object.insert("additionalProperties".into(), json!(false));
    object.insert("properties".into(), Value::Object(properties));
    if !required.is_empty() {
        object.insert("required".into(), required.iter().map(|key| key.name).collect());
    }
    object
}

fn property(key: &Key) -> Value {
    let mut property = match &key.form {
        Form::Path | Form::Text(_) => json!({ "type": "string", "minLength": 1 }),
        Form::Integer(range) => integer(range),
        Form::Ratio => json!({ "type": "number", "minimum": 0, "maximum": 1 }),
        Form::Words(words) => json!({ "enum": words }),
        Form::WordsOrInteger(words, range) => json!({ "anyOf": [{ "enum": words }, integer(range)] }),
        Form::Boolean => json!({ "type": "boolean" }),
        Form::Texts(_, most) => {
            json!({ "type": "array", "items": { "type": "string" }, "maxItems": most, "uniqueItems": true })
        }
        Form::Pairs(most) => {
            json!({ "type": "object", "additionalProperties": { "type": "string" }, "maxProperties": most })
        }
        Form::Anything => json!({ "type": ["string", "object", "array"] }),
        Form::Table(group) => Value::Object(object(group)),
        Form::Tables(group) => json!({ "type": "array", "items": object(group) }),
    };
    let takes = match key.form {
        Form::Table(_) | Form::Tables(_) => None,
        _ => Some(plain(&key.takes())),
    };
    let default = match key.default {
        Default::Required => None,
        Default::Is(_) | Default::Told(_) => Some(format!("Default: {}.", plain(&key.without()))),
    };
    let parts =
        [Some(format!("{}.", capital(&plain(key.about)))), takes.map(|takes| format!("Takes {takes}.")), default];
    let about: Vec<String> = parts.into_iter().flatten().collect();
    property["description"] = json!(about.join(" "));
    if let Default::Is(value) = key.default {
        property["default"] = value();
    }
    property
}

fn integer(range: &std::ops::RangeInclusive<u64>) -> Value {
    json!({ "type": "integer", "minimum": range.start(), "maximum": range.end() })
}

impl Key {
    /// What it takes, as the book says it.
    pub(in crate::config) fn takes(&self) -> String {
        let unit = self.unit().map(|unit| format!(" {unit}")).unwrap_or_default();
        let range = |range: &std::ops::RangeInclusive<u64>| {
            format!("{} to {}{unit}", grouped(*range.start()), grouped(*range.end()))
        };
        let words = |words: &[&str]| words.iter().map(|word| format!("`\"{word}\"`")).collect::<Vec<_>>().join(", ");
        match &self.form {
            Form::Path => "path".to_owned(),
            Form::Text(what) => (*what).to_owned(),
            Form::Integer(known) => range(known),
            Form::Ratio => "0 to 1".to_owned(),
            Form::Words(known) => words(known),
            Form::WordsOrInteger(known, most) => format!("{}, or {}", range(most), words(known)),
            Form::Boolean => "`true`, `false`".to_owned(),
            Form::Texts(what, most) => format!("array of {what}, at most {}", grouped(*most as u64)),
            Form::Pairs(most) => format!("table of texts, at most {most}"),
            Form::Anything => "text, or a table or an array".to_owned(),
            Form::Table(_) => "table".to_owned(),
            Form::Tables(_) => "tables".to_owned(),
        }
    }

    /// What it is without the key, as the book says it.
    pub(in crate::config) fn without(&self) -> String {
        match &self.default {
            Default::Required => "required".to_owned(),
            Default::Told(words) => (*words).to_owned(),
            Default::Is(value) => match value() {
                Value::Number(number) => number.as_u64().map_or_else(|| number.to_string(), grouped),
                other => format!("`{other}`"),
            },
        }
    }
}

/// A number with its thousands apart.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let apart = |(at, digit): (usize, char)| {
        let comma = (at > 0 && (digits.len() - at).is_multiple_of(3)).then_some(',');
        comma.into_iter().chain([digit])
    };
    digits.chars().enumerate().flat_map(apart).collect()
}

/// The book's words without its marks: a link is its text.
fn plain(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("](") {
        let (outside, link) = before.rsplit_once('[').unwrap_or(("", before));
        plain.extend([outside, link]);
        rest = after.split_once(')').map_or("", |(_, after)| after);
    }
    plain.push_str(rest);
    plain.replace('`', "")
}

fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map(|first| first.to_uppercase().chain(chars).collect()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_words_read_well() {
        assert_eq!([0, 999, 1_000, 86_400_000].map(grouped), ["0", "999", "1,000", "86,400,000"]);
        assert_eq!(plain("see [Two `things`](a.md#b), and [one](c.md). `x`"), "see Two things, and one. x");
        assert_eq!(plain("`x](` open"), "x");
    }
}
