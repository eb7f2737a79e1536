//! The head as version 1 wrote it. Nothing in here ever changes.

use serde::Deserialize;

use crate::model::{Digest, StopReason};
use crate::store::{Cause, RecordRef};

#[derive(Deserialize)]
pub(super) struct Head {
    epoch: u64,
    generation: u64,
    sequence: u64,
    owner: Option<String>,
    nonce: u64,
    stopped: Option<StopReason>,
    taken_up: Option<u64>,
    records: Vec<RecordRef1>,
}

#[derive(Deserialize)]
pub(in crate::store) struct RecordRef1 {
    sequence: u64,
    digest: Digest,
    bytes: u64,
    time_ms: u64,
    schema: Option<u32>,
    plugin: Option<(String, String)>,
    cause: Cause,
}

impl From<RecordRef1> for RecordRef {
    fn from(record: RecordRef1) -> Self {
        Self {
            sequence: record.sequence,
            digest: record.digest,
            bytes: record.bytes,
            time_ms: record.time_ms,
            schema: record.schema,
            plugin: record.plugin,
            cause: record.cause,
            inbox_messages: None,
            outbox_messages: None,
            next_timer_ms: None,
        }
    }
}

impl From<Head> for crate::store::Head {
    fn from(head: Head) -> Self {
        Self {
            epoch: head.epoch,
            generation: head.generation,
            sequence: head.sequence,
            owner: head.owner,
            nonce: head.nonce,
            stopped: head.stopped,
            taken_up: head.taken_up,
            records: head.records.into_iter().map(RecordRef::from).collect(),
            // Version 1 had none: it sent nothing durably.
            line: 0,
            refusals: Vec::new(),
            way_back: None,
        }
    }
}
