//! A head anew, from the records that a damaged one has left.

use crate::model::{ActorName, Digest};
use crate::store::record::{self, Header};
use crate::store::{Cause, Head, Quarantined, RecordError, RecordRef, Remains, now_ms};

/// How far an actor's numbers leap where the last ones are not known. No actor is claimed so often between two records,
/// and sixteen leaps fit below what the numbers of messages leave to an epoch.
const LEAP: u64 = 1_000_000;
const _: () = assert!(LEAP * 16 < 1 << 24, "the numbers of messages have 40 of 64 bits below the epoch");

/// What lies under the key of one of an actor's records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::store) struct Found {
    /// As the key has it.
    pub(in crate::store) sequence: u64,
    /// The first bytes of the record's digest, as the key has them.
    pub(in crate::store) digest: [u8; 8],
    /// What is there.
    pub(in crate::store) bytes: Vec<u8>,
}

impl Found {
    /// What leads to it, and no more: of its digest no more is known than its key says.
    pub(in crate::store) fn reference(&self) -> RecordRef {
        let mut digest = Digest([0; 32]);
        digest.0[..8].copy_from_slice(&self.digest);
        RecordRef {
            sequence: self.sequence,
            digest,
            bytes: self.bytes.len() as u64,
            time_ms: 0,
            schema: None,
            plugin: None,
            cause: Cause::Checkpoint,
            inbox_messages: None,
            outbox_messages: None,
            next_timer_ms: None,
        }
    }
}

/// What a head knows of a record with this header.
pub(in crate::store) fn reference(header: &Header, digest: Digest, bytes: u64) -> RecordRef {
    let state = header.state.as_ref();
    RecordRef {
        sequence: header.sequence,
        digest,
        bytes,
        time_ms: header.time_ms,
        schema: state.map(|state| state.schema),
        plugin: state.map(|state| (state.plugin.as_str().to_owned(), state.version.as_str().to_owned())),
        cause: header.cause.clone(),
        inbox_messages: Some(header.inbox.len() as u64),
        outbox_messages: Some(header.traffic.outbox.len() as u64),
        next_timer_ms: header.timers.iter().map(|timer| timer.due_ms).min(),
    }
}

/// A record that is whole, with what it knows that a head should.
struct Whole {
    reference: RecordRef,
    epoch: u64,
    generation: u64,
    line: Option<u64>,
}

/// What is left of an actor whose head is damaged, as `why` says: the records that were `found`, one at a time in memory.
pub(in crate::store) fn remains<E>(
    actor: &ActorName,
    why: RecordError,
    found: impl Iterator<Item = Result<Found, E>>,
) -> Result<Remains, E> {
    let (mut whole, mut damaged): (Vec<Whole>, Vec<Quarantined>) = (Vec::new(), Vec::new());
    for found in found {
        let found = found?;
        match read(actor, &found) {
            Ok(one) => whole.push(one),
            Err(error) => damaged.push(Quarantined {
                record: found.reference(),
                why: error.to_string(),
                time_ms: now_ms(),
                found: found.bytes,
            }),
        }
    }
    whole.sort_by_key(|one| std::cmp::Reverse(one.reference.sequence));
    damaged.sort_by_key(|copy| std::cmp::Reverse(copy.record.sequence));
    let leap = |last: Option<u64>| last.unwrap_or_default().saturating_add(LEAP);
    let sequences =
        whole.iter().map(|one| one.reference.sequence).chain(damaged.iter().map(|copy| copy.record.sequence));
    let generation = leap(whole.iter().map(|one| one.generation).max());
    let head = Head {
        epoch: leap(whole.iter().map(|one| one.epoch).max()),
        generation,
        sequence: leap(sequences.max()),
        owner: None,
        nonce: 0,
        stopped: None,
        // Nobody knows what came after it.
        taken_up: Some(generation).filter(|_| !whole.is_empty()),
        // What waits to be sent again must be known again by those who have it already. 0: none is known.
        line: whole.first().and_then(|newest| newest.line).unwrap_or(0),
        records: whole.into_iter().map(|one| one.reference).collect(),
        refusals: Vec::new(),
        way_back: None,
    };
    Ok(Remains { why, head, damaged })
}

fn read(actor: &ActorName, found: &Found) -> Result<Whole, RecordError> {
    let record = record::decode(&found.bytes)?;
    let digest = Digest::of(&found.bytes);
    let header = &record.header;
    if header.actor != *actor || header.sequence != found.sequence || digest.0[..8] != found.digest {
        return Err(RecordError::Mismatch("it lies in the place of another".to_owned()));
    }
    Ok(Whole {
        reference: reference(header, digest, found.bytes.len() as u64),
        epoch: header.epoch,
        generation: header.generation,
        line: header.traffic.outbox.first().map(|outgoing| outgoing.sent.line),
    })
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::*;
    use crate::model::{Body, MessageId, Sent, StopReason};
    use crate::store::{Outgoing, Traffic};

    fn name(name: &str) -> ActorName {
        ActorName::new(name).expect("valid")
    }

    /// A record of `a` as it lies in a store; `line`: of a message that nobody has confirmed.
    fn found(sequence: u64, epoch: u64, line: Option<u64>) -> Found {
        let waiting = line.map(|line| Outgoing {
            sent: Sent { line, number: 1 },
            to: name("b"),
            id: MessageId::new("m").expect("valid"),
            body: Body::new(),
        });
        let header = Header {
            actor: name("a"),
            epoch,
            generation: epoch + 1,
            sequence,
            parent: None,
            cause: Cause::Stopped(StopReason::Shutdown),
            node: "n".to_owned(),
            time_ms: 7,
            state: None,
            inbox: vec![],
            timers: vec![],
            traffic: Traffic { outbox: waiting.into_iter().collect(), ..Traffic::default() },
        };
        let (bytes, digest) = record::encode_with_digest(&header, &[]);
        let mut start = [0; 8];
        start.copy_from_slice(&digest.0[..8]);
        Found { sequence, digest: start, bytes }
    }

    fn left(all: Vec<Found>) -> Remains {
        let why = RecordError::Head("bad".to_owned());
        let all = all.into_iter().map(Ok::<_, Infallible>);
        remains(&name("a"), why, all).expect("reads")
    }

    #[test]
    fn the_newest_record_that_is_whole_counts_and_no_number_comes_again() {
        let Remains { head, damaged, .. } = left(vec![found(3, 5, None), found(5, 9, Some(44)), found(4, 9, Some(43))]);
        assert_eq!(head.records.iter().map(|record| record.sequence).collect::<Vec<_>>(), [5, 4, 3]);
        assert_eq!((head.epoch, head.generation, head.sequence), (LEAP + 9, LEAP + 10, LEAP + 5));
        assert_eq!(head.taken_up, Some(LEAP + 10), "what came after it is not known");
        assert_eq!((head.line, damaged.len()), (44, 0), "what waits to be confirmed is known again");
        assert_eq!(left(vec![found(1, 1, None)]).head.line, 0);
        let nothing = left(vec![]).head;
        assert_eq!((nothing.epoch, nothing.taken_up, nothing.records.len()), (LEAP, None, 0));
    }

    #[test]
    fn what_is_damaged_or_in_the_place_of_another_is_kept_apart() {
        let mut bad = found(6, 9, None);
        let at = bad.bytes.len() - 40;
        bad.bytes[at] ^= 1;
        let elsewhere = Found { sequence: 7, ..found(2, 9, None) };
        let Remains { head, damaged, .. } = left(vec![found(4, 9, None), bad.clone(), elsewhere]);
        assert_eq!(head.records.len(), 1);
        assert_eq!(head.sequence, LEAP + 7, "of those that cannot be read as well");
        let [first, second] = &damaged[..] else { panic!("{damaged:?}") };
        assert!((first.record.sequence, second.record.sequence) == (7, 6) && first.why.contains("place of another"));
        assert_eq!((&second.found, second.record.digest.0[..8].to_vec()), (&bad.bytes, bad.digest.to_vec()));
        let others =
            remains(&name("b"), RecordError::Head(String::new()), [Ok::<_, Infallible>(found(4, 9, None))].into_iter());
        assert!(others.expect("reads").head.records.is_empty(), "it is one of another actor");
    }
}
