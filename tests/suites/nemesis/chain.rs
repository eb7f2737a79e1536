//! What must hold of all records that were ever committed, and of what was acknowledged.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use baton_host::store::{Record, RecordRef};

use super::asking::Acknowledged;
use super::watching::Records;

/// What was found, for a person to read.
#[derive(Debug)]
pub(super) struct Found {
    acknowledged: usize,
    records: usize,
    /// Times that an actor was claimed.
    epochs: u64,
    /// Increments that were asked for more than once.
    again: usize,
    longest: Duration,
}

impl std::fmt::Display for Found {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { acknowledged, records, epochs, again, longest } = self;
        write!(
            f,
            "{acknowledged} increments acknowledged, {again} of them asked for again, the slowest after {} ms; \
             {records} records, all looked at, under {epochs} claims",
            longest.as_millis()
        )
    }
}

/// The records of one actor.
type Chain = BTreeMap<u64, (RecordRef, Record)>;

/// Panics at whatever does not hold.
pub(super) fn judge(actors: &[String], records: &Records, acknowledged: &[Acknowledged]) -> Found {
    let none = Chain::new();
    let mut epochs = 0;
    for actor in actors {
        let chain = records.get(actor).unwrap_or(&none);
        linked(actor, chain);
        let by_id = handled(actor, chain);
        epochs += chain.last_key_value().map_or(0, |(_, (_, record))| record.header.epoch);
        let own: Vec<&Acknowledged> = acknowledged.iter().filter(|one| one.actor == *actor).collect();
        let counts: BTreeSet<u64> = own.iter().map(|one| one.count).collect();
        assert_eq!(counts.len(), own.len(), "{actor}: two increments were answered with the same count");
        for one in &own {
            let counted = by_id.get(one.id.as_str());
            assert_eq!(counted, Some(&one.count), "{actor}: {one:?} is not what the records say");
        }
        // Everybody has asked until it was acknowledged.
        assert_eq!(by_id.len(), own.len(), "{actor}: something was counted that nobody heard of");
        let count = chain.last_key_value().map_or(0, |(_, (_, record))| count_in(record));
        assert_eq!(count, own.len() as u64, "{actor}: the count is not how many were acknowledged");
    }
    Found {
        acknowledged: acknowledged.len(),
        records: records.values().map(BTreeMap::len).sum(),
        epochs,
        again: acknowledged.iter().filter(|one| one.trail.len() > 1).count(),
        longest: acknowledged.iter().map(|one| one.took).max().unwrap_or_default(),
    }
}

/// One chain from the first record to the last, none of which was missed.
fn linked(actor: &str, chain: &Chain) {
    let mut before: Option<(&RecordRef, &Record)> = None;
    for (sequence, (reference, record)) in chain {
        let header = &record.header;
        assert_eq!(
            *sequence,
            before.map_or(1, |(reference, _)| reference.sequence + 1),
            "{actor}: a record was missed"
        );
        let parent = before.map(|(reference, _)| (reference.sequence, reference.digest));
        assert_eq!(header.parent, parent, "{actor}: record {sequence} does not follow the one before");
        if let Some((_, earlier)) = before {
            let (then, now) = (&earlier.header, header);
            assert!(
                now.epoch >= then.epoch,
                "{actor}: the epoch went back at {sequence}: {} to {}",
                then.epoch,
                now.epoch
            );
            assert!(now.generation >= then.generation, "{actor}: the generation went back at {sequence}");
            // Under one claim one host writes.
            assert!(now.epoch > then.epoch || now.node == then.node, "{actor}: two hosts wrote in epoch {}", now.epoch);
        }
        before = Some((reference, record));
    }
}

/// The count that each id was answered with, by the first record that says so. Each turn counts one, and no id twice.
fn handled<'r>(actor: &str, chain: &'r Chain) -> HashMap<&'r str, u64> {
    let mut by_id: HashMap<&str, u64> = HashMap::new();
    let (mut count, mut known): (u64, BTreeSet<&str>) = (0, BTreeSet::new());
    for (sequence, (_, record)) in chain {
        let now: BTreeSet<&str> = record.header.traffic.answered.iter().map(|answered| answered.id.as_str()).collect();
        let new: Vec<&&str> = now.difference(&known).collect();
        assert!(new.len() <= 1, "{actor}: record {sequence} holds more than one turn: {new:?}");
        let counted = count_in(record);
        assert_eq!(counted, count + new.len() as u64, "{actor}: record {sequence} counts from {count} to {counted}");
        for id in new {
            let before = by_id.insert(id, counted);
            assert_eq!(before, None, "{actor}: {id} was counted twice, the second time in record {sequence}");
        }
        (count, known) = (counted, now);
    }
    by_id
}

/// The counter's state: one number, seven bits to a byte.
fn count_in(record: &Record) -> u64 {
    record.data.iter().enumerate().map(|(at, byte)| u64::from(byte & 0x7f) << (7 * at)).sum()
}
