//! Bodies of messages and replies: when two are the same, where they differ, how they are shown. Pure.

use serde_json::Value;

/// Characters of a body that are shown.
const SHOWN: usize = 160;

/// How the plugin's messages are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Media {
    Json,
    Bytes,
}

impl Media {
    /// By the media type that the plugin describes.
    pub(super) fn of(media_type: &str) -> Self {
        let essence = media_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        if essence == "application/json" || essence.ends_with("+json") { Self::Json } else { Self::Bytes }
    }

    /// Where `found` differs from `expected`, in words; none: they are the same.
    pub(super) fn difference(self, expected: &[u8], found: &[u8]) -> Option<String> {
        if expected == found {
            return None;
        }
        if let (Self::Json, Ok(one), Ok(other)) = (self, json(expected), json(found)) {
            let (place, one, other) = difference(&one, &other, String::new())?;
            return Some(match place.is_empty() {
                true => format!("{} instead of {}", short(&other), short(&one)),
                false => format!("{} instead of {} at `{place}`", short(&other), short(&one)),
            });
        }
        Some(format!("{} instead of {}", show(found), show(expected)))
    }

    /// The bytes that a script means by `value`.
    pub(super) fn body(self, value: &Value) -> Result<Vec<u8>, String> {
        match self {
            Self::Json => Ok(value.to_string().into_bytes()),
            Self::Bytes => {
                let only = value.as_object().filter(|object| object.len() == 1).and_then(|object| object.iter().next());
                match only.map(|(key, value)| (key.as_str(), value.as_str())) {
                    Some(("text", Some(text))) => Ok(text.as_bytes().to_vec()),
                    Some(("hex", Some(hex))) => from_hex(hex),
                    _ => Err(format!(
                        "{} is no body: the plugin's messages are not JSON, so a body is {{\"text\": \"…\"}} or {{\"hex\": \"…\"}}",
                        short(value)
                    )),
                }
            }
        }
    }
}

fn json(bytes: &[u8]) -> serde_json::Result<Value> {
    serde_json::from_slice(bytes)
}

fn from_hex(text: &str) -> Result<Vec<u8>, String> {
    let digits: Option<Vec<u8>> = text
        .chars()
        .filter(|c| !c.is_whitespace())
        .map(|c| c.to_digit(16).and_then(|digit| u8::try_from(digit).ok()))
        .collect();
    let digits = digits.filter(|digits| digits.len().is_multiple_of(2));
    let digits = digits.ok_or_else(|| format!("{text:?} is not made of pairs of the digits 0 to 9 and a to f"))?;
    Ok(digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect())
}

/// The first place where two values differ, and what is there; numbers count as numbers, and the order of keys not at all.
fn difference(one: &Value, other: &Value, place: String) -> Option<(String, Value, Value)> {
    let nothing = Value::String("(nothing)".to_owned());
    match (one, other) {
        (Value::Object(a), Value::Object(b)) => {
            let missing = b.keys().filter(|key| !a.contains_key(*key));
            for key in a.keys().chain(missing) {
                let here = format!("{place}/{key}");
                let found = match (a.get(key), b.get(key)) {
                    (Some(a), Some(b)) => difference(a, b, here),
                    (a, b) => Some((here, a.unwrap_or(&nothing).clone(), b.unwrap_or(&nothing).clone())),
                };
                if found.is_some() {
                    return found;
                }
            }
            None
        }
        (Value::Array(a), Value::Array(b)) => {
            for at in 0..a.len().max(b.len()) {
                let here = format!("{place}/{at}");
                let found = match (a.get(at), b.get(at)) {
                    (Some(a), Some(b)) => difference(a, b, here),
                    (a, b) => Some((here, a.unwrap_or(&nothing).clone(), b.unwrap_or(&nothing).clone())),
                };
                if found.is_some() {
                    return found;
                }
            }
            None
        }
        (Value::Number(a), Value::Number(b)) if same_number(a, b) => None,
        _ if one == other => None,
        _ => Some((place, one.clone(), other.clone())),
    }
}

fn same_number(a: &serde_json::Number, b: &serde_json::Number) -> bool {
    // Whole numbers are compared exactly; 3 and 3.0 are the same.
    a == b || ((a.is_f64() || b.is_f64()) && a.as_f64() == b.as_f64())
}

fn short(value: &Value) -> String {
    shortened(&value.to_string())
}

/// A body as a person reads it: text where it is any, else its bytes; cut.
pub(super) fn show(body: &[u8]) -> String {
    match std::str::from_utf8(body) {
        Ok("") => "nothing (0 bytes)".to_owned(),
        Ok(text) if !text.chars().any(|c| c.is_control() && !c.is_whitespace()) => shortened(text.trim_end()),
        _ => {
            let hex: String = body.iter().take(SHOWN / 4).map(|byte| format!("{byte:02x}")).collect();
            let more = if body.len() > SHOWN / 4 { "…" } else { "" };
            format!("0x{hex}{more} ({} bytes)", body.len())
        }
    }
}

/// A text on one line, cut, with its length where it was.
pub(super) fn shortened(text: &str) -> String {
    // What was laid out on several lines is shown on one.
    let laid_out = text.contains('\n').then(|| text.split_whitespace().collect::<Vec<_>>().join(" "));
    let line = laid_out.as_deref().unwrap_or(text);
    let mut out: String = line
        .chars()
        .take(SHOWN)
        .flat_map(|c| if c.is_control() { c.escape_default().collect() } else { vec![c] })
        .collect();
    if line.chars().nth(SHOWN).is_some() {
        out.push_str(&format!("… ({} bytes)", text.len()));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_compared_by_what_it_means() {
        let same = [("3", "3.0"), (r#"{"a":1,"b":[2]}"#, "{ \"b\": [2.0], \"a\": 1 }"), ("null", " null")];
        for (one, other) in same {
            assert_eq!(Media::Json.difference(one.as_bytes(), other.as_bytes()), None, "{one} {other}");
        }
        let differ = [
            ("18446744073709551615", "18446744073709551614", "18446744073709551614 instead of 18446744073709551615"),
            (r#"{"a":{"b":[1,2]}}"#, r#"{"a":{"b":[1,3]}}"#, "3 instead of 2 at `/a/b/1`"),
            (r#"{"a":1}"#, "{}", "\"(nothing)\" instead of 1 at `/a`"),
            ("[]", "[7]", "7 instead of \"(nothing)\" at `/0`"),
            ("1", "x", "x instead of 1"),
            ("", "1", "1 instead of nothing (0 bytes)"),
        ];
        for (one, other, words) in differ {
            assert_eq!(Media::Json.difference(one.as_bytes(), other.as_bytes()).as_deref(), Some(words));
        }
        assert!(Media::Bytes.difference(b"3", b"3.0").is_some());
    }

    #[test]
    fn the_media_type_says_what_is_json() {
        for json in ["application/json", "Application/JSON; charset=utf-8", "application/geo+json"] {
            assert_eq!(Media::of(json), Media::Json, "{json}");
        }
        for other in ["text/plain", "application/octet-stream", "application/jsonx", ""] {
            assert_eq!(Media::of(other), Media::Bytes, "{other}");
        }
    }

    #[test]
    fn a_script_writes_bodies_as_text_or_hex() {
        let body = |text: &str| Media::Bytes.body(&serde_json::from_str(text).expect("valid"));
        assert_eq!(body(r#"{"text":"hi"}"#), Ok(b"hi".to_vec()));
        assert_eq!(body(r#"{"hex":"ac 02"}"#), Ok(vec![0xac, 2]));
        for bad in [r#"{"hex":"a"}"#, r#"{"hex":"zz"}"#, r#""hi""#, r#"{"text":"a","hex":""}"#, "{}"] {
            assert!(body(bad).is_err(), "{bad}");
        }
        assert_eq!(Media::Json.body(&serde_json::json!({"a": 1})), Ok(br#"{"a":1}"#.to_vec()));
    }

    #[test]
    fn what_is_shown_is_short_and_harmless() {
        assert_eq!(show(b"\x1b[2J\n"), "0x1b5b324a0a (5 bytes)");
        assert_eq!(show(b"a\r\nb"), "a b");
        assert_eq!(show(&[0xff, 1]), "0xff01 (2 bytes)");
        assert!(show(&[b'a'; 1 << 20]).ends_with("… (1048576 bytes)"));
        assert!(show(&[0xff; 1 << 20]).len() < 200);
    }
}
