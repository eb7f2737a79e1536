//! A copy's description, as backends keep it beside the copy's bytes.

use serde::{Deserialize, Serialize};

use super::{Quarantined, RecordRef, head};

/// What a versioned description begins with. The first ones had no version and began with a sequence, which is never 0.
const VERSIONED: u8 = 0;
/// The newest version.
const VERSION: u8 = 2;

#[derive(Serialize, Deserialize)]
struct Description<R> {
    record: R,
    why: String,
    time_ms: u64,
    length: u64,
}

/// The bytes that describe `copy`.
pub(super) fn encode(copy: &Quarantined) -> Vec<u8> {
    let (record, why, length) = (&copy.record, copy.why.clone(), copy.found.len() as u64);
    let description = Description { record, why, time_ms: copy.time_ms, length };
    // Only a type that refuses to be serialized makes this fail, and none of these does.
    let body = postcard::to_stdvec(&description).expect("a description can always be encoded");
    [&[VERSIONED, VERSION][..], &body].concat()
}

/// What `bytes` describe, without the copy itself, and how many bytes that has; none where they describe nothing.
pub(super) fn decode(bytes: &[u8]) -> Option<(Quarantined, u64)> {
    let described: Description<RecordRef> = match bytes {
        [VERSIONED, VERSION, body @ ..] => postcard::from_bytes(body).ok()?,
        [VERSIONED, ..] => return None,
        old => {
            let old: Description<head::RecordRef1> = postcard::from_bytes(old).ok()?;
            Description { record: old.record.into(), why: old.why, time_ms: old.time_ms, length: old.length }
        }
    };
    let Description { record, why, time_ms, length } = described;
    Some((Quarantined { record, why, time_ms, found: Vec::new() }, length))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Digest;
    use crate::store::Cause;

    fn copy() -> Quarantined {
        let record = RecordRef {
            sequence: 3,
            digest: Digest([7; 32]),
            bytes: 10,
            time_ms: 4,
            schema: Some(1),
            plugin: Some(("p".to_owned(), "1.0.0".to_owned())),
            cause: Cause::Checkpoint,
            inbox_messages: None,
            outbox_messages: None,
            next_timer_ms: None,
        };
        Quarantined { record, why: "cut short".to_owned(), time_ms: 5, found: Vec::new() }
    }

    #[test]
    fn descriptions_of_every_version_are_read() {
        assert_eq!(decode(&encode(&Quarantined { found: vec![1, 2], ..copy() })), Some((copy(), 2)));
        let first = (
            (3u64, Digest([7; 32]), 10u64, 4u64, Some(1u32), Some(("p", "1.0.0")), Cause::Checkpoint),
            "cut short",
            5u64,
            9u64,
        );
        let first = postcard::to_stdvec(&first).expect("encodes");
        assert_eq!(decode(&first), Some((copy(), 9)));
        assert_eq!(decode(&[VERSIONED, 9, 1]), None, "a newer one");
        assert_eq!(decode(b""), None);
    }
}
