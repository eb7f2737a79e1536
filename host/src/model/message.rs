//! Messages and their parts.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use super::{ActorName, NameError};

/// The bytes of a message or a reply; cheap to clone.
pub type Body = Bytes;

/// Longest message id, in bytes.
pub(crate) const ID_BYTES: usize = 256;

/// Names a message; a sender that tries again uses the same one. 1 to 256 bytes without control characters.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct MessageId(Arc<str>);

impl MessageId {
    /// A random id of 128 bits.
    ///
    /// # Panics
    /// If the system has no source of randomness, without which nothing here is safe.
    #[must_use]
    pub fn random() -> Self {
        let mut bytes = [0; 16];
        getrandom::fill(&mut bytes).expect("the system's random generator answers");
        Self::of_bytes(bytes)
    }

    /// 32 hexadecimal digits.
    pub(super) fn of_bytes(bytes: [u8; 16]) -> Self {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let digit = |half: u8| DIGITS[usize::from(half & 15)];
        let mut text = [0; 32];
        for (two, byte) in text.chunks_exact_mut(2).zip(bytes) {
            (two[0], two[1]) = (digit(byte >> 4), digit(byte));
        }
        Self(str::from_utf8(&text).expect("digits are text").into())
    }

    /// Takes an id that a sender chose.
    ///
    /// # Errors
    /// If it is empty, longer than 256 bytes, or contains control characters.
    pub fn new(id: &str) -> Result<Self, NameError> {
        let why = match id {
            "" => "is empty".to_owned(),
            _ if id.len() > ID_BYTES => format!("has {} bytes; at most {ID_BYTES} are allowed", id.len()),
            _ if id.chars().any(char::is_control) => "contains a control character".to_owned(),
            _ => return Ok(Self(id.into())),
        };
        Err(NameError::of("message id", id, why))
    }

    /// The id of a turn that no message began: always the same for the same actor, generation and turn.
    #[must_use]
    pub fn of_turn(actor: &ActorName, generation: u64, turn: u64) -> Self {
        Self(super::Digest::of(format!("{actor}\n{generation}\n{turn}").as_bytes()).to_string().into())
    }

    /// The id of a turn that something began which a record keeps: always the same for the same actor, the record's sequence,
    /// and what of that record it is.
    #[must_use]
    pub fn of_kept(actor: &ActorName, sequence: u64, what: &str) -> Self {
        Self(super::Digest::of(format!("{actor}\n{sequence}\nkept\n{what}").as_bytes()).to_string().into())
    }

    /// The id of the `ordinal`th message that a turn sent: made of the id of the message that the turn handled, so that
    /// a repeated turn repeats its ids. A chain that grew past the limit is folded into a digest.
    #[must_use]
    pub fn child(&self, ordinal: u32) -> Self {
        Self::folded(format!("{}.{ordinal}", self.0))
    }

    /// The id of the message with this id as one member of a group gets it: the same whoever else is a member.
    #[must_use]
    pub fn for_member(&self, member: &ActorName) -> Self {
        Self::folded(format!("{}@{member}", self.0))
    }

    fn folded(id: String) -> Self {
        if id.len() <= ID_BYTES { Self(id.into()) } else { Self(super::Digest::of(id.as_bytes()).to_string().into()) }
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl JsonSchema for MessageId {
    fn schema_name() -> Cow<'static, str> {
        "MessageId".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "description": "A message's id.", "minLength": 1 })
    }
}

impl Serialize for MessageId {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for MessageId {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let text = String::deserialize(d)?;
        Self::new(&text).map_err(serde::de::Error::custom)
    }
}

/// A call's or a cast's content.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// Stays the same when the sender tries again.
    pub id: MessageId,
    /// The actor that sent it; none: it came from outside.
    pub sender: Option<ActorName>,
    /// What it says.
    pub body: Body,
    /// Its place among those that a durable sender has sent; none: its sender keeps no outbox.
    pub sent: Option<Sent>,
}

/// Where a message stands among all that a durable sender has ever sent. Of one line the numbers rise, and what has a lower
/// one than was handled last came before.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub struct Sent {
    /// Drawn when its sender's head was made: a sender whose state was lost and that begins anew has another.
    pub line: u64,
    /// Its number there: the sender's epoch above, and the count of that epoch's messages below.
    pub number: u64,
}

/// The kind of [`Message::Other`] that tells an actor of the end of one that it is linked to. Its body is a JSON object with
/// the members `actor` and `reason`.
pub const EXIT: &str = "exit";

/// What an actor is given to handle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Message {
    /// Expects a reply.
    Call(Request),
    /// Expects none.
    Cast(Request),
    /// A timer that the actor set has come due; its name.
    Timer(String),
    /// An actor that this one watches has ended: its name, and why.
    Down(ActorName, String),
    /// Something of another kind: the kind, and what it says. [`EXIT`] is one.
    Other(String, Body),
}

impl Message {
    /// What it counts against a mailbox's bytes.
    #[must_use]
    pub fn size(&self) -> usize {
        match self {
            Self::Call(request) | Self::Cast(request) => request.body.len() + request.id.as_str().len(),
            Self::Timer(name) => name.len(),
            Self::Down(actor, reason) => actor.as_str().len() + reason.len(),
            Self::Other(kind, body) => kind.len() + body.len(),
        }
    }
}

/// A guest's own error: a reply like any other.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error, JsonSchema)]
#[error("{code}: {message}")]
pub struct Failure {
    /// For programs.
    pub code: String,
    /// For people.
    pub message: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repeated_turn_repeats_its_ids_however_deep() {
        let mut id = MessageId::new("order-1").expect("valid");
        assert_eq!(id.child(0).as_str(), "order-1.0");
        for _ in 0..1_000 {
            assert_eq!(id.child(3), id.child(3));
            assert_ne!(id.child(3), id.child(4));
            id = id.child(3);
            assert!(id.as_str().len() <= ID_BYTES);
        }
    }

    #[test]
    fn each_member_of_a_group_gets_an_id_of_its_own() {
        let (id, member) = (MessageId::new("m").expect("valid"), |n: &str| ActorName::new(n).expect("valid"));
        assert_eq!(id.for_member(&member("w/1")).as_str(), "m@w/1");
        let (long, longest) = (MessageId::new(&"x".repeat(ID_BYTES)).expect("valid"), "y".repeat(255));
        let folded = long.for_member(&member(&longest));
        assert!(folded.as_str().len() <= ID_BYTES && folded != long.for_member(&member("w/1")));
    }

    #[test]
    fn ids_from_outside_are_checked() {
        for bad in ["", "a\nb", &"x".repeat(ID_BYTES + 1)] {
            assert!(MessageId::new(bad).is_err());
        }
    }
}
