//! What is shown of stored things and of messages: plain data for JSON.

use schemars::JsonSchema;
use serde::Serialize;

use crate::host::DeadLetter;
use crate::model::{ActorName, Message};
use crate::store::{
    Capabilities, Head, Origination, Outgoing, Quarantined, Record, RecordRef, SnapshotStore, Stats, StoreError,
    StoredTimer,
};

/// One line of a listing of the store.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct StoredHead {
    /// Whose.
    pub actor: ActorName,
    /// Its head, where it can be read.
    pub head: Option<Head>,
    /// What is wrong with it, where it cannot.
    pub damaged: Option<String>,
}

/// A part of a listing of the store, in the order of names.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct StoredPage {
    /// The heads.
    pub actors: Vec<StoredHead>,
    /// What to give as `after` for those that follow; none: these were the last.
    pub next: Option<ActorName>,
}

/// Everything that is stored for one actor.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct StoredActor {
    /// Whose.
    pub actor: ActorName,
    /// Its head.
    pub head: Head,
    /// Its records, newest first; the first one counts.
    pub history: Vec<StoredRecord>,
    /// Its records in quarantine.
    pub quarantine: Vec<QuarantinedRecord>,
}

/// A record: what its head says, and what it says itself.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct StoredRecord {
    /// What the head says.
    #[serde(flatten)]
    pub reference: RecordRef,
    /// Whether it can be read, and is what was written.
    pub loads: bool,
    /// Why it cannot.
    pub problem: Option<String>,
    /// Its header, where it can.
    pub facts: Option<Facts>,
}

/// A record's header.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Facts {
    /// Under which claim it was committed.
    pub epoch: u64,
    /// Generation of the instance that committed it.
    pub generation: u64,
    /// Sequence of the record before.
    pub parent_sequence: Option<u64>,
    /// The host that wrote it.
    pub node: String,
    /// Who encoded the state.
    pub state: Option<Origination>,
    /// Size of the state.
    pub state_bytes: usize,
    /// Accepted messages that wait in it.
    pub inbox: Vec<Waiting>,
    /// Timers that wait in it.
    pub timers: Vec<StoredTimer>,
    /// What it has sent and nobody has confirmed yet.
    pub outbox: Vec<Sending>,
    /// The actors that it watches.
    pub monitors: Vec<ActorName>,
    /// Replies that it keeps for those who ask again.
    pub replies: usize,
}

/// A message that is on its way to another actor.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Sending {
    /// For whom.
    pub to: ActorName,
    /// Its id.
    pub id: String,
    /// Its content.
    #[serde(flatten)]
    pub body: Shown,
}

/// A message that waits in a record.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Waiting {
    /// `call`, `cast`, `timer`, `down` or `other`.
    pub kind: &'static str,
    /// Its id, or the timer's name, or the actor that ended.
    pub id: String,
    /// Who sent it; none: it came from outside, or from nobody.
    pub from: Option<ActorName>,
    /// Its content.
    #[serde(flatten)]
    pub body: Shown,
}

/// A record in quarantine.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct QuarantinedRecord {
    /// What the head says of it.
    pub record: RecordRef,
    /// What was wrong.
    pub why: String,
    /// When it was put there, in milliseconds since the Unix epoch.
    pub time_ms: u64,
    /// How many of its bytes were found.
    pub found_bytes: usize,
}

impl From<Quarantined> for QuarantinedRecord {
    fn from(q: Quarantined) -> Self {
        Self { record: q.record, why: q.why, time_ms: q.time_ms, found_bytes: q.found.len() }
    }
}

/// A message that nobody handled.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct DeadMessage {
    /// For whom.
    pub to: String,
    /// From whom; none: from outside.
    pub from: Option<ActorName>,
    /// Its id.
    pub id: String,
    /// `call`, `cast`, `timer`, `down` or `other`.
    pub kind: &'static str,
    /// Its content, as much as is kept.
    #[serde(flatten)]
    pub body: Shown,
    /// Why nobody handled it.
    pub why: String,
    /// The guest's frames, innermost first, where it crashed.
    pub backtrace: Vec<String>,
    /// Where its memory was written to, or why it was not, where core dumps are asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub core_dump: Option<String>,
    /// When, in milliseconds since the Unix epoch.
    pub time_ms: u64,
}

impl From<DeadLetter> for DeadMessage {
    fn from(letter: DeadLetter) -> Self {
        let body = Shown { body_bytes: letter.body_bytes, ..Shown::of(&letter.body) };
        Self {
            to: letter.to,
            from: letter.from,
            id: letter.id,
            kind: letter.kind,
            body,
            why: letter.why,
            backtrace: letter.backtrace,
            core_dump: letter.core_dump,
            time_ms: letter.time_ms,
        }
    }
}

/// A message's content: as text where it is text, else as hexadecimal digits; its beginning, where it is long.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Shown {
    /// How many bytes it has.
    pub body_bytes: usize,
    /// As text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub body_text: Option<String>,
    /// As digits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub body_hex: Option<String>,
}

impl Shown {
    /// Most bytes that are shown.
    const BYTES: usize = 4 << 10;

    pub(super) fn of(body: &[u8]) -> Self {
        let start = &body[..body.len().min(Self::BYTES)];
        let text = match std::str::from_utf8(start) {
            Ok(text) => Some(text),
            // A character that the cut has gone through does not make it anything but text.
            Err(error) if error.error_len().is_none() => std::str::from_utf8(&start[..error.valid_up_to()]).ok(),
            Err(_) => None,
        };
        let hex = || start.iter().map(|byte| format!("{byte:02x}")).collect();
        Self {
            body_bytes: body.len(),
            body_text: text.map(str::to_owned),
            body_hex: if text.is_none() { Some(hex()) } else { None },
        }
    }
}

impl From<&Message> for Waiting {
    fn from(message: &Message) -> Self {
        let (kind, id, from, body): (_, _, _, &[u8]) = match message {
            Message::Call(request) => ("call", request.id.to_string(), request.sender.clone(), &request.body),
            Message::Cast(request) => ("cast", request.id.to_string(), request.sender.clone(), &request.body),
            Message::Timer(name) => ("timer", name.clone(), None, &[]),
            Message::Down(actor, reason) => ("down", actor.to_string(), None, reason.as_bytes()),
            Message::Other(kind, body) => ("other", kind.clone(), None, body),
        };
        Self { kind, id, from, body: Shown::of(body) }
    }
}

impl From<&Outgoing> for Sending {
    fn from(out: &Outgoing) -> Self {
        Self { to: out.to.clone(), id: out.id.to_string(), body: Shown::of(&out.body) }
    }
}

impl From<&Record> for Facts {
    fn from(record: &Record) -> Self {
        let header = &record.header;
        Self {
            epoch: header.epoch,
            generation: header.generation,
            parent_sequence: header.parent.map(|(sequence, _)| sequence),
            node: header.node.clone(),
            state: header.state.clone(),
            state_bytes: record.data.len(),
            inbox: header.inbox.iter().map(Waiting::from).collect(),
            timers: header.timers.clone(),
            outbox: header.traffic.outbox.iter().map(Sending::from).collect(),
            monitors: header.traffic.monitors.clone(),
            replies: header.traffic.answered.len(),
        }
    }
}

/// Heads in the order of names, those after `after`, at most `limit`.
///
/// # Errors
/// As the store's `list`.
pub async fn list(
    store: &dyn SnapshotStore,
    after: Option<&ActorName>,
    limit: usize,
) -> Result<StoredPage, StoreError> {
    let found = store.list(after, limit).await?;
    let next = if found.len() < limit { None } else { found.last().map(|(name, _)| name.clone()) };
    let line = |(actor, head): (ActorName, Result<Head, String>)| match head {
        Ok(head) => StoredHead { actor, head: Some(head), damaged: None },
        Err(why) => StoredHead { actor, head: None, damaged: Some(why) },
    };
    Ok(StoredPage { actors: found.into_iter().map(line).collect(), next })
}

/// Everything that is stored for `actor`; none: nothing is.
///
/// # Errors
/// If the head or the quarantine cannot be read. A record that cannot is part of the answer.
pub async fn show(store: &dyn SnapshotStore, actor: &ActorName) -> Result<Option<StoredActor>, StoreError> {
    let Some((head, _)) = store.head(actor).await? else { return Ok(None) };
    let mut history = Vec::with_capacity(head.records.len());
    for reference in &head.records {
        let loaded = store.load(actor, reference).await;
        history.push(StoredRecord {
            reference: reference.clone(),
            loads: loaded.is_ok(),
            problem: loaded.as_ref().err().map(ToString::to_string),
            facts: loaded.as_ref().ok().map(Facts::from),
        });
    }
    let quarantine = store.quarantined(actor).await?.into_iter().map(QuarantinedRecord::from).collect();
    Ok(Some(StoredActor { actor: actor.clone(), head, history, quarantine }))
}

/// What an actor has in quarantine.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct QuarantinedActor {
    /// Whose.
    pub actor: ActorName,
    /// The copies.
    pub copies: Vec<QuarantinedRecord>,
}

/// A part of a listing of the quarantine, in the order of names.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct QuarantinePage {
    /// Those that have something there.
    pub actors: Vec<QuarantinedActor>,
    /// What to give as `after` for those that follow; none: these were the last.
    pub next: Option<ActorName>,
}

/// What is in quarantine for `actor`.
///
/// # Errors
/// If it cannot be read.
pub async fn quarantined(store: &dyn SnapshotStore, actor: &ActorName) -> Result<QuarantinedActor, StoreError> {
    let copies = store.quarantined(actor).await?.into_iter().map(QuarantinedRecord::from).collect();
    Ok(QuarantinedActor { actor: actor.clone(), copies })
}

/// What is in quarantine, for the `limit` actors after `after`.
///
/// # Errors
/// If it cannot be read.
pub async fn quarantine(
    store: &dyn SnapshotStore,
    after: Option<&ActorName>,
    limit: usize,
) -> Result<QuarantinePage, StoreError> {
    let StoredPage { actors: page, next } = list(store, after, limit).await?;
    let mut actors = Vec::new();
    for StoredHead { actor, .. } in page {
        let found = quarantined(store, &actor).await?;
        if !found.copies.is_empty() {
            actors.push(found);
        }
    }
    Ok(QuarantinePage { actors, next })
}

/// How much a store holds, and what it can do.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct StoreStats {
    /// What it can do.
    pub capabilities: Capabilities,
    /// How much it holds.
    #[serde(flatten)]
    pub stats: Stats,
}

/// Counts what is stored.
///
/// # Errors
/// If it cannot be read.
pub async fn stats(store: &dyn SnapshotStore) -> Result<StoreStats, StoreError> {
    Ok(StoreStats { capabilities: store.capabilities(), stats: crate::store::stats(store).await? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_is_shown_as_text_where_it_is_text() {
        let text = |body: &[u8]| Shown::of(body).body_text;
        assert_eq!(text(b"{\"a\":1}").as_deref(), Some("{\"a\":1}"));
        assert_eq!(text(b"").as_deref(), Some(""));
        let long = "ü".repeat(Shown::BYTES);
        let cut = Shown::of(&long.as_bytes()[1..]);
        assert_eq!((cut.body_bytes, cut.body_text), (long.len() - 1, None), "begins within a character: no text");
        let cut = Shown::of(format!("x{long}").as_bytes());
        assert_eq!(cut.body_text.map(|text| text.len()), Some(Shown::BYTES - 1), "ends within one");
        assert_eq!(Shown::of(&[0xff, 1]).body_hex.as_deref(), Some("ff01"));
    }
}
