//! By what records are found: the keys that every embedded backend gives them.
//!
//! `name · 0 · sequence · 8 bytes of the record's digest`, and behind that the number of a chunk. No name has a control
//! character, so no key of one actor begins like another's, and records of one sequence (an attempt that crashed, and the
//! next) never mix.

use super::RecordRef;
use crate::model::ActorName;

/// Bytes of a record's key behind the name and its end.
const NUMBERS_BYTES: usize = 16;

/// What all of an actor's keys begin with.
pub(super) fn of_actor(actor: &ActorName) -> Vec<u8> {
    [actor.as_str().as_bytes(), &[0]].concat()
}

/// Of a record.
pub(super) fn of_record(actor: &ActorName, record: &RecordRef) -> Vec<u8> {
    [&of_actor(actor), &record.sequence.to_be_bytes()[..], &record.digest.0[..8]].concat()
}

/// Of one of a record's chunks.
pub(super) fn of_chunk(record: &[u8], index: u32) -> Vec<u8> {
    [record, &index.to_be_bytes()].concat()
}

/// The keys of the records to which these chunks belong: those of one actor, in order.
pub(super) fn records<K: AsRef<[u8]>, E>(
    actor: &ActorName,
    chunks: impl IntoIterator<Item = Result<K, E>>,
) -> Result<Vec<Vec<u8>>, E> {
    let length = of_actor(actor).len() + NUMBERS_BYTES;
    let mut records: Vec<Vec<u8>> = Vec::new();
    for chunk in chunks {
        let chunk = chunk?;
        if let Some(record) =
            chunk.as_ref().get(..length).filter(|record| records.last().is_none_or(|last| last != record))
        {
            records.push(record.to_vec());
        }
    }
    Ok(records)
}

/// The sequence and the digest's bytes of a record's key.
pub(super) fn numbers(record: &[u8]) -> (u64, [u8; 8]) {
    let (mut sequence, mut digest) = ([0; 8], [0; 8]);
    if let Some((_, numbers)) = record.split_last_chunk::<NUMBERS_BYTES>() {
        sequence.copy_from_slice(&numbers[..8]);
        digest.copy_from_slice(&numbers[8..]);
    }
    (u64::from_be_bytes(sequence), digest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Digest;
    use crate::store::Cause;

    #[test]
    fn a_record_is_found_by_its_chunks_and_its_key_says_which_it_is() {
        let actor = ActorName::new("a/1").expect("valid");
        let record = |sequence, byte| RecordRef {
            sequence,
            digest: Digest([byte; 32]),
            bytes: 1,
            time_ms: 0,
            schema: None,
            plugin: None,
            cause: Cause::Checkpoint,
            inbox_messages: None,
            outbox_messages: None,
            next_timer_ms: None,
        };
        let (one, other) = (of_record(&actor, &record(1, 7)), of_record(&actor, &record(0x0102, 8)));
        assert_eq!(one, b"a/1\0\0\0\0\0\0\0\0\x01\x07\x07\x07\x07\x07\x07\x07\x07");
        assert_eq!(of_chunk(b"x", 3), b"x\0\0\0\x03");
        let chunks = [of_chunk(&one, 0), of_chunk(&one, 1), of_chunk(&other, 0), b"a/1\0short".to_vec()];
        let found = records(&actor, chunks.map(Ok::<_, ()>)).expect("reads");
        assert_eq!(found, [one.clone(), other.clone()]);
        assert_eq!((numbers(&one), numbers(&other)), ((1, [7; 8]), (0x0102, [8; 8])));
        assert_eq!(numbers(b""), (0, [0; 8]));
    }
}
