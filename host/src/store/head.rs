//! The rules of the head, as functions of what is stored and what is asked: which write may take place, and what the
//! head looks like afterwards. Every backend runs these, so that all keep the same promises.

use serde::{Deserialize, Serialize};

use super::record::{self, Header};
use super::{
    Head, Image, Lease, NewRecord, Quarantined, Record, RecordError, RecordRef, Refused, Revision, StoreError,
};
use crate::model::{ActorName, Digest, StopReason};

mod rebuilt;
mod v1;

pub(super) use rebuilt::{Found, reference, remains};
pub(super) use v1::RecordRef1;

#[cfg(test)]
mod tests;

/// Records kept for each actor unless told otherwise, the current one included.
pub const DEFAULT_HISTORY: usize = 3;
/// Fewest records that can be kept: a damaged one can then still fall back to its parent.
pub const LEAST_HISTORY: usize = 2;
/// Most records that can be kept: a head names them all.
pub const MOST_HISTORY: usize = 1_000;
/// Refusals that a head remembers; older ones make room.
pub(super) const REFUSALS: usize = 8;
/// Longest reason of a refusal that is kept, in bytes.
const REFUSAL_BYTES: usize = 500;
/// Longest name of an owner, in bytes: it is part of every head.
const OWNER_BYTES: usize = 255;
/// The newest version of a head that this release reads.
const NEWEST_VERSION: u16 = 2;
/// Bytes of a head's checksum.
const CHECKSUM_BYTES: usize = 32;

/// What a lease says of the head that it expects to find.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Held {
    owner: String,
    epoch: u64,
    revision: Revision,
    /// The record is marked, and nobody has taken it up yet.
    early: bool,
}

impl From<&Lease> for Held {
    fn from(lease: &Lease) -> Self {
        let Lease { owner, revision, early, .. } = lease;
        Self { owner: owner.clone(), epoch: lease.head.epoch, revision: *revision, early: *early }
    }
}

/// One write to a head.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Step {
    /// See [`super::SnapshotStore::claim`]; `wakes`: [`super::SnapshotStore::wake`].
    Claim { expect: Option<Revision>, owner: String, wakes: bool },
    /// See [`super::SnapshotStore::commit`].
    Commit { held: Held, record: RecordRef },
    /// See [`super::SnapshotStore::switch`].
    Switch { held: Held, record: RecordRef },
    /// See [`super::SnapshotStore::take_up`].
    TakeUp { held: Held },
    /// See [`super::SnapshotStore::rest`].
    Rest { held: Held, record: Option<RecordRef> },
    /// See [`super::SnapshotStore::release`].
    Release { held: Held, record: Option<RecordRef>, stopped: StopReason },
    /// See [`super::SnapshotStore::forget`].
    Forget { held: Held },
    /// See [`super::SnapshotStore::refuse`].
    Refuse { held: Held, refused: Refused },
    /// See [`super::SnapshotStore::put`].
    Put { expect: Option<Revision>, head: Box<Head> },
    /// See [`super::SnapshotStore::prune`].
    Prune { keep: usize },
    /// See [`super::SnapshotStore::pardon`].
    Pardon { expect: Revision },
    /// See [`super::SnapshotStore::repair`].
    Repair { head: Box<Head>, dropped: Vec<RecordRef> },
}

impl Step {
    /// The host that writes under a lease of its own; none: it is a tool's.
    pub(super) fn writer(&self) -> Option<&str> {
        match self {
            Self::Claim { owner, .. } => Some(owner),
            Self::Commit { held, .. }
            | Self::Switch { held, .. }
            | Self::TakeUp { held }
            | Self::Rest { held, .. }
            | Self::Release { held, .. }
            | Self::Forget { held }
            | Self::Refuse { held, .. } => Some(&held.owner),
            Self::Put { .. } | Self::Prune { .. } | Self::Pardon { .. } | Self::Repair { .. } => None,
        }
    }
}

/// What a write makes of a head.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Change {
    /// The head from now on. Equal to the one before where there was nothing to do.
    pub(super) head: Head,
    /// The records that it names no more: to be deleted once this head is durable.
    pub(super) dropped: Vec<RecordRef>,
}

/// Names this state of `head`. Its nonce does: it is drawn anew with every write, and never the same twice in a row.
pub(super) fn revision(head: &Head) -> Revision {
    Revision(head.nonce)
}

/// A nonce for one write.
///
/// # Errors
/// If the system has no source of randomness.
pub(super) fn draw_nonce() -> Result<u64, StoreError> {
    let unavailable = |e| StoreError::Unavailable(format!("the system's random generator does not answer: {e}"));
    getrandom::u64().map_err(unavailable)
}

/// What `step` makes of the `stored` head, of which `history` records are kept.
///
/// # Errors
/// `Conflict` where the head is not the one that the caller has seen.
pub(super) fn apply(stored: Option<&Head>, step: &Step, nonce: u64, history: usize) -> Result<Change, StoreError> {
    let nonce = match stored {
        Some(head) if head.nonce == nonce => nonce.wrapping_add(1),
        _ => nonce,
    };
    match step {
        Step::Claim { expect, owner, wakes } => {
            let mut change = claim(stored, *expect, owner, nonce)?;
            if *wakes && !change.head.records.is_empty() {
                change.head.taken_up = Some(change.head.generation);
            }
            Ok(change)
        }
        Step::Commit { held, record } => Ok(push(check(stored, held)?, record, nonce, history)),
        Step::Switch { held, record } => {
            let head = check(stored, held)?;
            let way_back = head.current().map(|before| before.sequence);
            let mut change = push(&Head { way_back, ..head.clone() }, record, nonce, history);
            change.head.generation += 1;
            change.head.taken_up = Some(change.head.generation);
            Ok(change)
        }
        Step::TakeUp { held } => Ok(take_up(check(stored, held)?, nonce)),
        Step::Rest { held, record } => {
            let mut change = last(check(stored, held)?, held, record.as_ref(), nonce, history);
            change.head.stopped = Some(StopReason::Passivate);
            Ok(change)
        }
        Step::Release { held, record, stopped } => {
            let mut change = last(check(stored, held)?, held, record.as_ref(), nonce, history);
            change.head.owner = None;
            change.head.stopped = Some(stopped.clone());
            Ok(change)
        }
        Step::Forget { held } => {
            let head = check(stored, held)?;
            let mut erased = Head { nonce, owner: None, stopped: None, taken_up: None, way_back: None, ..head.clone() };
            (erased.records, erased.refusals) = (Vec::new(), Vec::new());
            Ok(Change { head: erased, dropped: head.records.clone() })
        }
        Step::Refuse { held, refused } => {
            let mut change = refuse(check(stored, held)?, refused, nonce);
            change.head.taken_up = change.head.taken_up.filter(|_| !held.early);
            Ok(change)
        }
        Step::Put { expect, head } => put(stored, *expect, head, nonce, history),
        Step::Prune { keep } => {
            let mut head = stored.ok_or_else(|| StoreError::Conflict("it has no head".to_owned()))?.clone();
            // The revision stays: whoever owns the actor goes on as if nothing had been.
            let dropped = beyond(&mut head.records, (*keep).max(1), head.way_back);
            forget_refusals_of(&mut head, &dropped);
            Ok(Change { head, dropped })
        }
        Step::Pardon { expect } => match stored {
            Some(head) if revision(head) == *expect => {
                let head = Head { nonce, refusals: Vec::new(), ..head.clone() };
                Ok(Change { head, dropped: Vec::new() })
            }
            _ => Err(StoreError::Conflict("the head was written since it was looked at".to_owned())),
        },
        Step::Repair { .. } => Err(not_damaged()),
    }
}

/// As [`apply`], of the bytes in which a head is stored; with the head that they are, which a damaged one is not.
///
/// # Errors
/// As `apply`; and `Corrupt` where the bytes are damaged and are not to be replaced.
pub(super) fn apply_to(
    stored: Option<&[u8]>,
    step: &Step,
    nonce: u64,
    history: usize,
) -> Result<(Option<Head>, Change), StoreError> {
    match (stored.map(decode).transpose(), step) {
        (Ok(stored), _) => {
            let change = apply(stored.as_ref(), step, nonce, history)?;
            Ok((stored, change))
        }
        (Err(RecordError::Head(_)), Step::Repair { head, dropped }) => {
            // A head made anew has the nonce for its line, too, unless its records know of one.
            let line = if head.line == 0 { nonce } else { head.line };
            // What is more than is kept, for the way back of a swap perhaps, goes with the next commit.
            let head = Head { nonce, line, ..(**head).clone() };
            Ok((None, Change { head, dropped: dropped.clone() }))
        }
        (Err(error), _) => Err(StoreError::Corrupt(error)),
    }
}

/// What is wrong with a head that is damaged, and may be repaired.
///
/// # Errors
/// `Conflict` where it is not damaged, or there is none; `Corrupt` where a newer release wrote it.
pub(super) fn why_damaged(stored: Option<&[u8]>) -> Result<RecordError, StoreError> {
    match stored.map(decode) {
        None => Err(StoreError::Conflict("it has no head".to_owned())),
        Some(Ok(_)) => Err(not_damaged()),
        Some(Err(why @ RecordError::Head(_))) => Ok(why),
        Some(Err(error)) => Err(StoreError::Corrupt(error)),
    }
}

/// What is said where a head that can be read is to be repaired.
pub(super) fn not_damaged() -> StoreError {
    StoreError::Conflict("its head is not damaged".to_owned())
}

fn claim(stored: Option<&Head>, expect: Option<Revision>, owner: &str, nonce: u64) -> Result<Change, StoreError> {
    if owner.len() > OWNER_BYTES {
        return Err(StoreError::Unsupported("take an owner whose name is longer than 255 bytes"));
    }
    let head = match (stored, expect) {
        (None, None) => Head {
            epoch: 0,
            generation: 0,
            sequence: 0,
            owner: None,
            nonce,
            stopped: None,
            taken_up: None,
            records: Vec::new(),
            line: nonce,
            refusals: Vec::new(),
            way_back: None,
        },
        (Some(head), Some(expect)) if revision(head) == expect => head.clone(),
        (Some(head), _) => return Err(StoreError::Conflict(format!("the head was written since: {}", describe(head)))),
        (None, Some(_)) => return Err(StoreError::Conflict("the head that was seen is not there any more".to_owned())),
    };
    let head = Head {
        epoch: head.epoch + 1,
        generation: head.generation + 1,
        owner: Some(owner.to_owned()),
        nonce,
        stopped: None,
        ..head
    };
    Ok(Change { head, dropped: Vec::new() })
}

/// The stored head, if `held` is still the right to write it.
fn check<'a>(stored: Option<&'a Head>, held: &Held) -> Result<&'a Head, StoreError> {
    let Some(head) = stored else {
        return Err(StoreError::Conflict("its head is not there any more".to_owned()));
    };
    let same_owner = head.owner.as_deref() == Some(&held.owner);
    if head.epoch != held.epoch || !same_owner {
        let mine = format!("this lease is `{}`'s, of epoch {}", held.owner, held.epoch);
        return Err(StoreError::Conflict(format!("{}; {mine}", describe(head))));
    }
    if revision(head) != held.revision {
        return Err(StoreError::Conflict(format!("the head was written since under the same epoch {}", held.epoch)));
    }
    Ok(head)
}

fn describe(head: &Head) -> String {
    match &head.owner {
        Some(owner) => format!("`{owner}` owns it, epoch {}", head.epoch),
        None => format!("it was given up in epoch {}", head.epoch),
    }
}

/// With `record` as the one that counts, where there is one, and without a mark that came too early.
fn last(head: &Head, held: &Held, record: Option<&RecordRef>, nonce: u64, history: usize) -> Change {
    match record {
        Some(record) => push(head, record, nonce, history),
        None => {
            let taken_up = head.taken_up.filter(|_| !held.early);
            Change { head: Head { nonce, taken_up, ..head.clone() }, dropped: Vec::new() }
        }
    }
}

/// With `record` as the one that counts.
fn push(head: &Head, record: &RecordRef, nonce: u64, history: usize) -> Change {
    let mut records = Vec::with_capacity(history.min(head.records.len()) + 1);
    records.push(record.clone());
    records.extend_from_slice(&head.records);
    let dropped = beyond(&mut records, history, head.way_back);
    let mut head = Head { sequence: head.sequence + 1, nonce, stopped: None, taken_up: None, records, ..head.clone() };
    forget_refusals_of(&mut head, &dropped);
    Change { head, dropped }
}

/// Takes what is more than `keep` records out of `records`, but for the one that is the way back.
fn beyond(records: &mut Vec<RecordRef>, keep: usize, way_back: Option<u64>) -> Vec<RecordRef> {
    let old = records.split_off(records.len().min(keep));
    let (kept, dropped) = old.into_iter().partition(|record| Some(record.sequence) == way_back);
    records.extend::<Vec<_>>(kept);
    dropped
}

fn forget_refusals_of(head: &mut Head, dropped: &[RecordRef]) {
    if !dropped.is_empty() {
        head.refusals.retain(|refused| head.records.iter().any(|record| record.digest == refused.record));
    }
}

/// With `refused` as its newest refusal, in place of an older one of the same record by the same component.
fn refuse(head: &Head, refused: &Refused, nonce: u64) -> Change {
    let mut head = Head { nonce, ..head.clone() };
    head.refusals.retain(|old| (old.record, old.component) != (refused.record, refused.component));
    let why = refused.why.chars().scan(0, |bytes, c| {
        *bytes += c.len_utf8();
        (*bytes <= REFUSAL_BYTES).then_some(c)
    });
    head.refusals.insert(0, Refused { why: why.collect(), ..refused.clone() });
    head.refusals.truncate(REFUSALS);
    Change { head, dropped: Vec::new() }
}

/// With what `image` says of records and of how the actor ended. No counter goes back: what held a lease before does not
/// hold one after.
fn put(
    stored: Option<&Head>,
    expect: Option<Revision>,
    image: &Head,
    nonce: u64,
    history: usize,
) -> Result<Change, StoreError> {
    if stored.map(revision) != expect {
        return Err(StoreError::Conflict("the head was written since it was looked at".to_owned()));
    }
    let before = |number: fn(&Head) -> u64| stored.map_or(0, number).max(number(image));
    let mut head = Head {
        epoch: before(|head| head.epoch) + 1,
        generation: before(|head| head.generation),
        sequence: before(|head| head.sequence),
        owner: None,
        nonce,
        line: stored.map_or(image.line, |head| head.line),
        ..image.clone()
    };
    beyond(&mut head.records, history, head.way_back);
    let named = |record: &&RecordRef| !head.records.iter().any(|kept| same_bytes(kept, record));
    let dropped = stored.map(|old| old.records.iter().filter(named).cloned().collect()).unwrap_or_default();
    let kept: Vec<Digest> = head.records.iter().map(|record| record.digest).collect();
    head.refusals.retain(|refused| kept.contains(&refused.record));
    Ok(Change { head, dropped })
}

/// Whether two references lie in the same place of a store.
fn same_bytes(one: &RecordRef, other: &RecordRef) -> bool {
    (one.sequence, one.digest) == (other.sequence, other.digest)
}

fn take_up(head: &Head, nonce: u64) -> Change {
    let mut head = head.clone();
    // With no record there is nothing to mark, and a mark that stands needs no second write.
    if !head.records.is_empty() && head.taken_up != Some(head.generation) {
        (head.taken_up, head.stopped) = (Some(head.generation), None);
        head.nonce = nonce;
    }
    Change { head, dropped: Vec::new() }
}

/// The bytes of `new` as the next record under `lease`, and what the head will know of it.
///
/// # Errors
/// `TooLarge` above `largest` bytes.
pub(super) fn seal(lease: &Lease, new: NewRecord, largest: usize) -> Result<(RecordRef, Vec<u8>), StoreError> {
    // Checked before anything is copied as well: what is far too large must not take its size in memory once more.
    let inbox: usize = new.inbox.iter().map(crate::model::Message::size).sum();
    let least = inbox + new.traffic.size() + new.state.as_ref().map_or(0, |(_, data)| data.len());
    if least > largest {
        return Err(StoreError::TooLarge { bytes: least, largest });
    }
    let (state, data) = new.state.map_or((None, Vec::new()), |(origination, data)| (Some(origination), data));
    let header = Header {
        actor: lease.actor.clone(),
        epoch: lease.head.epoch,
        generation: lease.head.generation,
        sequence: lease.head.sequence + 1,
        parent: lease.head.current().map(|parent| (parent.sequence, parent.digest)),
        cause: new.cause,
        node: new.node,
        time_ms: new.time_ms,
        state,
        inbox: new.inbox,
        timers: new.timers,
        traffic: new.traffic,
    };
    let (bytes, digest) = record::encode_with_digest(&header, &data);
    if bytes.len() > largest {
        return Err(StoreError::TooLarge { bytes: bytes.len(), largest });
    }
    Ok((reference(&header, digest, bytes.len() as u64), bytes))
}

/// The same for a record of the instance that takes over.
///
/// # Errors
/// As [`seal`].
pub(super) fn seal_switch(lease: &Lease, new: NewRecord, largest: usize) -> Result<(RecordRef, Vec<u8>), StoreError> {
    let mut next = lease.clone();
    next.head.generation += 1;
    seal(&next, new, largest)
}

/// What is to be written for `image`: the step, its records with their references, and its quarantine.
///
/// # Errors
/// `TooLarge` where one of its records has more than `largest` bytes; `Corrupt` where it has not as many as it names.
#[allow(clippy::type_complexity, reason = "three things that are taken apart at once")]
pub(super) fn unpack(
    expect: Option<Revision>,
    image: Image,
    largest: usize,
) -> Result<(Step, Vec<(RecordRef, Vec<u8>)>, Vec<Quarantined>), StoreError> {
    let Image { head, records, quarantine } = image;
    if records.len() != head.records.len() {
        let what = format!("it names {} records, and there are {}", head.records.len(), records.len());
        return Err(StoreError::Corrupt(RecordError::Head(what)));
    }
    let found = quarantine.iter().map(|copy| &copy.found);
    if let Some(bytes) = records.iter().chain(found).map(Vec::len).find(|bytes| *bytes > largest) {
        return Err(StoreError::TooLarge { bytes, largest });
    }
    let records = head.records.iter().cloned().zip(records).collect();
    Ok((Step::Put { expect, head: Box::new(head) }, records, quarantine))
}

/// What is said of a record that the head does not name: it was dropped from the history since, or never was there.
pub(super) fn not_named(reference: &RecordRef) -> StoreError {
    StoreError::Conflict(format!("its head does not name record {} any more", reference.sequence))
}

/// The record in `bytes`, if it is whole, and the one that `reference` means.
///
/// # Errors
/// `Corrupt`, with what is wrong.
pub(super) fn verify(actor: &ActorName, reference: &RecordRef, bytes: &[u8]) -> Result<Record, StoreError> {
    let found = bytes.len() as u64;
    if found < reference.bytes {
        return Err(StoreError::Corrupt(RecordError::Cut { expected: reference.bytes, found }));
    }
    let record = record::decode(bytes).map_err(StoreError::Corrupt)?;
    let mismatch = |why: String| Err(StoreError::Corrupt(RecordError::Mismatch(why)));
    if record.header.actor != *actor {
        return mismatch(format!("it is one of `{}`", record.header.actor));
    }
    if record.header.sequence != reference.sequence {
        return mismatch(format!("its sequence is {}, not {}", record.header.sequence, reference.sequence));
    }
    if Digest::of(bytes) != reference.digest {
        return mismatch("its digest is another".to_owned());
    }
    Ok(record)
}

/// The head as it is written. Its position here is its number on disk; variants are only ever added, and a field added
/// to anything within a head needs one.
#[derive(Serialize)]
enum Written<'a> {
    /// Only ever read: [`v1::Head`].
    #[allow(dead_code, reason = "it keeps the place of version 1")]
    V1,
    V2(&'a Head),
}

/// The head as it is read: the same variants in the same order.
#[derive(Deserialize)]
enum Read {
    V1(v1::Head),
    V2(Head),
}

/// The bytes of a head: the versioned head, then BLAKE3 of it.
pub(super) fn encode(head: &Head) -> Vec<u8> {
    // Only a type that refuses to be serialized makes this fail, and none within a head does.
    let mut bytes = postcard::to_stdvec(&Written::V2(head)).expect("a head can always be encoded");
    let checksum = blake3::hash(&bytes);
    bytes.extend_from_slice(checksum.as_bytes());
    bytes
}

/// Reads and checks the bytes of a head.
///
/// # Errors
/// Says what is wrong with them.
pub(super) fn decode(bytes: &[u8]) -> Result<Head, RecordError> {
    let bad = |why: String| Err(RecordError::Head(why));
    let Some(length) = bytes.len().checked_sub(CHECKSUM_BYTES) else {
        return bad(format!("it has {} bytes only", bytes.len()));
    };
    let (body, checksum) = bytes.split_at(length);
    if blake3::hash(body).as_bytes().as_slice() != checksum {
        return bad("its checksum does not match".to_owned());
    }
    match postcard::take_from_bytes::<u32>(body) {
        Ok((0 | 1, _)) => {}
        Ok((number, _)) => {
            let found = u16::try_from(number).unwrap_or(u16::MAX).saturating_add(1);
            return Err(RecordError::NewerHead { found, newest: NEWEST_VERSION });
        }
        Err(error) => return bad(error.to_string()),
    }
    match postcard::take_from_bytes(body) {
        Ok((Read::V1(head), [])) => Ok(head.into()),
        Ok((Read::V2(head), [])) => Ok(head),
        Ok((_, rest)) => bad(format!("{} bytes follow it", rest.len())),
        Err(error) => bad(error.to_string()),
    }
}
