//! How message bodies are written.

use serde::Serialize;
use serde::de::DeserializeOwned;

/// Turns bodies into messages, and replies into bodies.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot carry the messages `{M}` and replies `{R}`",
    note = "`Json` takes messages that implement `serde::Deserialize` and replies that implement `serde::Serialize`",
    note = "`Raw` takes messages made of a `Vec<u8>` and replies that turn into one"
)]
pub trait Codec<M, R> {
    /// Media type of the bodies. Tools show and take them by it.
    const MEDIA_TYPE: &'static str;

    /// Reads a whole body.
    ///
    /// # Errors
    /// Says what was expected, and where.
    fn decode(body: &[u8]) -> Result<M, String>;

    /// Writes a reply.
    ///
    /// # Errors
    /// Says what cannot be written.
    fn encode(reply: R) -> Result<Vec<u8>, String>;
}

/// Bodies are JSON, so that a person can type them: the default.
#[derive(Debug, Clone, Copy)]
pub enum Json {}

impl<M: DeserializeOwned, R: Serialize> Codec<M, R> for Json {
    const MEDIA_TYPE: &'static str = "application/json";

    fn decode(body: &[u8]) -> Result<M, String> {
        serde_json::from_slice(body).map_err(|error| error.to_string())
    }

    fn encode(reply: R) -> Result<Vec<u8>, String> {
        serde_json::to_vec(&reply).map_err(|error| error.to_string())
    }
}

/// Bodies are bytes that only the plugin understands: `plugin!(Thumbnails, codec = baton_guest::Raw)`.
#[derive(Debug, Clone, Copy)]
pub enum Raw {}

impl<M: TryFrom<Vec<u8>, Error: std::fmt::Display>, R: Into<Vec<u8>>> Codec<M, R> for Raw {
    const MEDIA_TYPE: &'static str = "application/octet-stream";

    fn decode(body: &[u8]) -> Result<M, String> {
        M::try_from(body.to_vec()).map_err(|error| error.to_string())
    }

    fn encode(reply: R) -> Result<Vec<u8>, String> {
        Ok(reply.into())
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(rename_all = "kebab-case")]
    enum Message {
        Get,
        Add(u32),
    }

    #[test]
    fn json_messages_read_as_a_person_types_them() {
        for (body, message) in [(r#""get""#, Message::Get), (" {\"add\": 3}\n", Message::Add(3))] {
            assert_eq!(<Json as Codec<Message, ()>>::decode(body.as_bytes()), Ok(message));
        }
    }

    #[test]
    fn bad_json_is_told_with_what_was_expected_and_where() {
        let cases = [
            ("", "EOF while parsing a value at line 1 column 0"),
            ("get", "expected value at line 1 column 1"),
            (r#""sub""#, "unknown variant `sub`, expected `get` or `add` at line 1 column 5"),
            ("{\"add\":\n -1}", "invalid value: integer `-1`, expected u32 at line 2 column 3"),
            (r#""get" "get""#, "trailing characters at line 1 column 7"),
        ];
        for (body, error) in cases {
            assert_eq!(<Json as Codec<Message, ()>>::decode(body.as_bytes()), Err(error.to_owned()));
        }
    }

    #[test]
    fn raw_bodies_pass_as_they_are() {
        let body: Vec<u8> = <Raw as Codec<Vec<u8>, Vec<u8>>>::decode(&[0, 255]).expect("bytes are bytes");
        assert_eq!(<Raw as Codec<Vec<u8>, Vec<u8>>>::encode(body), Ok(vec![0, 255]));
    }
}
