//! What an actor has under way with others, as its record keeps it: with `durability = "turn"` all of this is committed
//! together with the state.

use serde::{Deserialize, Serialize};

use crate::model::{ActorName, Body, Failure, MessageId, Sent};

/// What an actor has sent and is owed for, and what it must recognise when it comes again.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Traffic {
    /// What it has sent and nobody has confirmed yet, in order.
    pub outbox: Vec<Outgoing>,
    /// The actors that it watches.
    pub monitors: Vec<ActorName>,
    /// Its last replies, oldest first: whoever asks again with the same id gets the same one.
    pub answered: Vec<Answered>,
    /// Up to where it has handled what each durable sender sent.
    pub received: Vec<Received>,
}

/// A message on its way to another actor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outgoing {
    /// Its place among all that this actor has sent.
    pub sent: Sent,
    /// For whom.
    pub to: ActorName,
    /// Its id.
    pub id: MessageId,
    /// What it says.
    pub body: Body,
}

/// A reply that was given.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answered {
    /// Who asked; none: it came from outside.
    pub sender: Option<ActorName>,
    /// With which id.
    pub id: MessageId,
    /// When, in milliseconds since the Unix epoch by the host's clock.
    pub time_ms: u64,
    /// The reply; empty for a message that expected none.
    pub reply: Result<Body, Failure>,
}

/// Up to where one sender's messages were handled.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Received {
    /// Whose.
    pub sender: ActorName,
    /// The last one; what comes with a lower or the same number of the same line was handled.
    pub last: Sent,
    /// When, in milliseconds since the Unix epoch by the host's clock.
    pub time_ms: u64,
}

impl Traffic {
    /// What it takes in memory and in a record, roughly and in bytes.
    #[must_use]
    pub fn size(&self) -> usize {
        let outbox = self.outbox.iter().map(|out| out.to.as_str().len() + out.id.as_str().len() + out.body.len() + 20);
        let monitors = self.monitors.iter().map(|name| name.as_str().len());
        let received = self.received.iter().map(|from| from.sender.as_str().len() + 24);
        outbox.chain(monitors).chain(self.answered.iter().map(Answered::size)).chain(received).sum()
    }
}

impl Answered {
    /// What it takes, roughly and in bytes.
    #[must_use]
    pub fn size(&self) -> usize {
        let reply = match &self.reply {
            Ok(body) => body.len(),
            Err(failure) => failure.code.len() + failure.message.len(),
        };
        self.id.as_str().len() + self.sender.as_ref().map_or(0, |name| name.as_str().len()) + reply + 12
    }
}
