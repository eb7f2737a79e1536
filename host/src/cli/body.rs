//! How what was typed becomes a message, and how a reply is shown.

use bytes::Bytes;
use serde::Serialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

pub(super) const JSON: &str = "application/json";
pub(super) const BYTES: &str = "application/octet-stream";

/// A message before it is known what its actor takes.
#[derive(Debug, Clone)]
pub(super) enum Given {
    /// As typed on the command line or read from stdin.
    Text(Bytes),
    /// The `body` of a line of a batch.
    Json(Box<RawValue>),
}

impl Given {
    /// Whether it is the same whatever the actor takes.
    pub(super) fn settled(&self) -> bool {
        match self {
            Self::Text(text) => is_json(text),
            Self::Json(value) => !value.get().starts_with('"'),
        }
    }

    /// The message's bytes and media type, for an actor that takes `media_type`.
    pub(super) fn encode(&self, media_type: Option<&str>) -> (Bytes, &'static str) {
        let json = media_type.is_none_or(takes_json);
        match self {
            Self::Text(text) if is_json(text) => (text.clone(), JSON),
            Self::Text(text) => match std::str::from_utf8(text) {
                Ok(text) if json => (Bytes::from(serde_json::Value::from(text).to_string()), JSON),
                _ => (text.clone(), BYTES),
            },
            // A string, for an actor that takes something else: what it says.
            Self::Json(value) if !json => match serde_json::from_str::<String>(value.get()) {
                Ok(text) => (Bytes::from(text), BYTES),
                Err(_) => (Bytes::copy_from_slice(value.get().as_bytes()), JSON),
            },
            Self::Json(value) => (Bytes::copy_from_slice(value.get().as_bytes()), JSON),
        }
    }
}

fn is_json(text: &[u8]) -> bool {
    serde_json::from_slice::<IgnoredAny>(text).is_ok()
}

fn takes_json(media_type: &str) -> bool {
    let essence = media_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    essence == JSON || essence.ends_with("+json")
}

/// A reply within a line of JSON: as the JSON it is, else as text, else as hexadecimal digits.
#[derive(Debug, Default, Serialize)]
pub(super) struct Reply {
    #[serde(skip_serializing_if = "Option::is_none")]
    reply: Option<Box<RawValue>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reply_hex: Option<String>,
}

impl Reply {
    pub(super) fn of(body: &[u8]) -> Self {
        let text = match std::str::from_utf8(body) {
            Ok(text) => text,
            Err(_) => {
                let hex = body.iter().map(|byte| format!("{byte:02x}")).collect();
                return Self { reply: None, reply_hex: Some(hex) };
            }
        };
        // A line of output is one line, however the guest laid its reply out.
        let compact = match serde_json::from_str::<&RawValue>(text) {
            Ok(value) if !value.get().contains(['\n', '\r']) => Ok(value.to_owned()),
            Ok(value) => {
                serde_json::from_str::<serde_json::Value>(value.get()).and_then(|v| serde_json::value::to_raw_value(&v))
            }
            Err(_) if text.is_empty() => serde_json::value::to_raw_value(&()),
            Err(_) => serde_json::value::to_raw_value(text),
        };
        Self { reply: compact.ok(), reply_hex: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_typed_reaches_the_actor_as_it_takes_it() {
        let text = |text: &'static str| Given::Text(Bytes::from_static(text.as_bytes()));
        let json = |text: &str| Given::Json(serde_json::from_str(text).expect("JSON"));
        let cases: [(Given, Option<&str>, &str, &str); 12] = [
            (text("get"), Some("application/json"), "\"get\"", JSON),
            (text("get"), Some("Application/JSON; charset=utf-8"), "\"get\"", JSON),
            (text("get"), Some("application/vnd.cart+json"), "\"get\"", JSON),
            (text("get"), None, "\"get\"", JSON),
            (text("get"), Some("text/plain"), "get", BYTES),
            (text("say \"hi\""), Some("application/json"), r#""say \"hi\"""#, JSON),
            (text("{\"b\":1, \"a\":1e99}"), Some("application/json"), "{\"b\":1, \"a\":1e99}", JSON),
            (text("5"), Some("text/plain"), "5", JSON),
            (json("{\"b\": 1,\"a\":2}"), Some("application/json"), "{\"b\": 1,\"a\":2}", JSON),
            (json("\"get\""), Some("application/json"), "\"get\"", JSON),
            (json("\"a\\nb\""), Some("text/plain"), "a\nb", BYTES),
            (json("[1]"), Some("text/plain"), "[1]", JSON),
        ];
        for (given, media_type, bytes, sent_as) in cases {
            let (body, media) = given.encode(media_type);
            assert_eq!((&body[..], media), (bytes.as_bytes(), sent_as), "{given:?} for {media_type:?}");
            if given.settled() {
                assert_eq!(given.encode(None).0, given.encode(Some("text/plain")).0, "{given:?}");
            }
        }
        let raw = Given::Text(Bytes::from_static(b"\xff"));
        assert_eq!(raw.encode(Some(JSON)), (Bytes::from_static(b"\xff"), BYTES));
    }

    #[test]
    fn a_reply_fits_into_its_line() {
        let shown = |body: &[u8]| serde_json::to_string(&Reply::of(body)).expect("plain data");
        for (body, line) in [
            (&b"{\"n\": 12345678901234567890123}"[..], r#"{"reply":{"n": 12345678901234567890123}}"#),
            (b"{\n  \"n\": 1\n}\n", r#"{"reply":{"n":1}}"#),
            (b"", r#"{"reply":null}"#),
            (b"hello\nyou", r#"{"reply":"hello\nyou"}"#),
            (b"\xff\x00", r#"{"reply_hex":"ff00"}"#),
        ] {
            assert_eq!(shown(body), line);
        }
    }
}
