//! The header as version 1 wrote it. Nothing in here ever changes.

use serde::Deserialize;

use super::{Cause, Origination, StoredTimer};
use crate::model::{ActorName, Body, Digest, Message, MessageId, Request};
use crate::store::Traffic;

#[derive(Deserialize)]
pub(super) struct Header {
    actor: ActorName,
    epoch: u64,
    generation: u64,
    sequence: u64,
    parent: Option<(u64, Digest)>,
    cause: Cause,
    node: String,
    time_ms: u64,
    state: Option<Origination>,
    inbox: Vec<Message1>,
    timers: Vec<StoredTimer>,
}

#[derive(Deserialize)]
enum Message1 {
    Call(Request1),
    Cast(Request1),
    Timer(String),
    Down(ActorName, String),
    Other(String, Body),
}

#[derive(Deserialize)]
struct Request1 {
    id: MessageId,
    sender: Option<ActorName>,
    body: Body,
}

impl From<Request1> for Request {
    fn from(Request1 { id, sender, body }: Request1) -> Self {
        Self { id, sender, body, sent: None }
    }
}

impl From<Message1> for Message {
    fn from(message: Message1) -> Self {
        match message {
            Message1::Call(request) => Self::Call(request.into()),
            Message1::Cast(request) => Self::Cast(request.into()),
            Message1::Timer(name) => Self::Timer(name),
            Message1::Down(actor, reason) => Self::Down(actor, reason),
            Message1::Other(kind, body) => Self::Other(kind, body),
        }
    }
}

impl From<Header> for super::Header {
    fn from(header: Header) -> Self {
        Self {
            actor: header.actor,
            epoch: header.epoch,
            generation: header.generation,
            sequence: header.sequence,
            parent: header.parent,
            cause: header.cause,
            node: header.node,
            time_ms: header.time_ms,
            state: header.state,
            inbox: header.inbox.into_iter().map(Message::from).collect(),
            timers: header.timers,
            traffic: Traffic::default(),
        }
    }
}
