//! Reading everything, and saying what is wrong with it.

use std::collections::HashMap;

use schemars::JsonSchema;
use serde::Serialize;

use super::super::{Head, Record, RecordRef, SnapshotStore, StoreError, head};
use super::walk::Walk;
use crate::model::{ActorName, Digest};

/// Bytes of records after which a page ends: a page is answered in a time that somebody waits for.
const PAGE_BYTES: u64 = 256 << 20;
/// Actors that are verified at once, at most.
const PAGE_ACTORS: usize = 1_000;

/// Something that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Problem {
    /// Whose.
    pub actor: ActorName,
    /// With which record; none: with its head.
    pub sequence: Option<u64>,
    /// What.
    pub what: String,
}

/// What was read, in numbers, and what was wrong.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Verified {
    /// Heads that were read.
    pub actors: u64,
    /// Records that were read.
    pub records: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Copies of damaged records in quarantine. They are kept for inspection, and are no problem by themselves.
    pub copies: u64,
    /// What is wrong.
    pub problems: Vec<Problem>,
    /// Where to go on; none: all was read.
    pub next: Option<ActorName>,
}

/// Reads the actors after `after`, in the order of their names, at most `limit`: every head, every record, whether it is
/// the one that its head means and linked to the one before, and what is in quarantine. Beside a working host it reads what
/// fits together.
///
/// # Errors
/// `Unavailable` where the store is out of reach. What is damaged is part of the answer.
pub async fn verify(
    store: &dyn SnapshotStore,
    after: Option<&ActorName>,
    limit: usize,
) -> Result<Verified, StoreError> {
    let limit = limit.clamp(1, PAGE_ACTORS);
    let page = store.list(after, limit).await?;
    let full = page.len() == limit;
    let mut found = Verified::default();
    let last = page.len().saturating_sub(1);
    for (at, (actor, listed)) in page.into_iter().enumerate() {
        found.actors += 1;
        match listed {
            Ok(_) => one(store, &actor, &mut found).await?,
            Err(what) => found.problems.push(Problem { actor: actor.clone(), sequence: None, what }),
        }
        let goes_on = if at == last { full } else { found.bytes >= PAGE_BYTES };
        if goes_on {
            found.next = Some(actor);
            break;
        }
    }
    Ok(found)
}

/// What a record says of itself, as far as its neighbours matter.
type Parent = Option<(u64, Digest)>;

async fn one(store: &dyn SnapshotStore, actor: &ActorName, found: &mut Verified) -> Result<(), StoreError> {
    let walk = match Walk::begin(store, actor).await {
        Ok(walk) => walk,
        Err(StoreError::Corrupt(why)) => {
            found.problems.push(Problem { actor: actor.clone(), sequence: None, what: why.to_string() });
            return Ok(());
        }
        Err(error) => return Err(error),
    };
    let Some(mut walk) = walk else { return Ok(()) };
    let mut read: HashMap<Digest, (Parent, Vec<String>)> = HashMap::new();
    while let Some((reference, bytes)) = walk.next().await? {
        found.records += 1;
        found.bytes += bytes.len() as u64;
        let seen = match head::verify(actor, &reference, &bytes) {
            Ok(record) => (record.header.parent, differences(&reference, &record)),
            Err(StoreError::Corrupt(why)) => (None, vec![why.to_string()]),
            Err(error) => return Err(error),
        };
        read.insert(reference.digest, seen);
    }
    let head = walk.head();
    let of_head = in_order(&head).into_iter().map(|what| (None, what));
    let of_records = head.records.iter().enumerate().flat_map(|(at, reference)| {
        let (parent, mut wrong) = read.remove(&reference.digest).unwrap_or_default();
        // A record that cannot be read says nothing of its parent.
        if wrong.is_empty() {
            wrong.extend(unlinked(parent, head.records.get(at + 1)));
        }
        wrong.into_iter().map(|what| (Some(reference.sequence), what)).collect::<Vec<_>>()
    });
    let problems = of_head.chain(of_records);
    found.problems.extend(problems.map(|(sequence, what)| Problem { actor: actor.clone(), sequence, what }));
    found.copies += store.quarantined(actor).await?.len() as u64;
    Ok(())
}

/// Whether the numbers of a head can be.
fn in_order(head: &Head) -> Vec<String> {
    let mut wrong = Vec::new();
    if let Some(first) = head.current()
        && first.sequence > head.sequence
    {
        wrong.push(format!("it counts {} commits, and its record is the {}th", head.sequence, first.sequence));
    }
    for pair in head.records.windows(2) {
        if pair[1].sequence >= pair[0].sequence {
            wrong.push(format!("record {} stands before record {}", pair[0].sequence, pair[1].sequence));
        }
    }
    wrong
}

/// Whether a record is linked to the one that its head has before it.
fn unlinked(parent: Parent, before: Option<&RecordRef>) -> Option<String> {
    let before = before?;
    match parent {
        Some(parent) if parent == (before.sequence, before.digest) => None,
        Some((sequence, digest)) => Some(format!(
            "it follows record {sequence} ({}), and its head has record {} ({}) there",
            digest.short(),
            before.sequence,
            before.digest.short()
        )),
        None => Some(format!("it follows no record, and its head has record {} there", before.sequence)),
    }
}

/// What a head says otherwise of a record than the record itself.
fn differences(reference: &RecordRef, record: &Record) -> Vec<String> {
    let mut told = head::reference(&record.header, reference.digest, reference.bytes);
    if reference.inbox_messages.is_none() {
        // Heads of the first version do not say these three.
        (told.inbox_messages, told.outbox_messages, told.next_timer_ms) = (None, None, reference.next_timer_ms);
    }
    if told == *reference { Vec::new() } else { vec!["its head describes another record than it is".to_owned()] }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Cause;

    fn reference(sequence: u64) -> RecordRef {
        RecordRef {
            sequence,
            digest: Digest([u8::try_from(sequence).expect("small"); 32]),
            bytes: 10,
            time_ms: 0,
            schema: None,
            plugin: None,
            cause: Cause::Checkpoint,
            inbox_messages: Some(0),
            outbox_messages: Some(0),
            next_timer_ms: None,
        }
    }

    #[test]
    fn a_record_is_linked_to_the_one_before_it() {
        let (before, other) = (reference(3), reference(2));
        let link = |record: &RecordRef| Some((record.sequence, record.digest));
        assert_eq!(unlinked(link(&before), Some(&before)), None);
        assert_eq!(unlinked(link(&before), None), None, "what it follows is not kept any more");
        assert!(unlinked(link(&other), Some(&before)).is_some_and(|what| what.contains("follows record 2")));
        assert!(unlinked(None, Some(&before)).is_some());
        let forged = Some((before.sequence, other.digest));
        assert!(unlinked(forged, Some(&before)).is_some());
    }
}
