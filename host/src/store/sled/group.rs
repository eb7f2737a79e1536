//! Group commit: many writes, one barrier; a pair of them where records are large.

use std::collections::BTreeMap;

use super::super::embedded::Write;
use super::super::head::{self, Change, Step};
use super::super::{Head, StoreError, keys};
use super::disk::Disk;
use super::tables::{Fault, Marks, Tables};
use super::witness::{Totals, Witness};
use crate::model::ActorName;

/// Bytes of records that go with their heads in one atomic step: about what sled holds in a buffer of its log. They are
/// bounded since all of them are in memory at once.
const TOGETHER_BYTES: usize = 512 << 10;

/// Why a batch failed.
#[derive(Debug)]
pub(super) struct Failed {
    pub(super) fault: Fault,
    /// Whether some of its heads may have been written all the same.
    pub(super) heads_may_be_written: bool,
}

/// What a batch has done.
pub(super) struct Done {
    /// For each write, in order: its answer.
    pub(super) answers: Vec<Result<Head, StoreError>>,
    /// Records that no durable head names any more.
    pub(super) dropped: Vec<Vec<u8>>,
    /// Actors whose quarantine goes with all the rest.
    pub(super) erased: Vec<ActorName>,
    /// Indexes of the writes that bring a quarantine of their own.
    pub(super) replaced: Vec<usize>,
}

/// What a batch is going to do.
#[derive(Default)]
struct Plan {
    /// For each write, in order: its answer.
    answers: Vec<Result<Head, StoreError>>,
    /// The heads as they will be, with the bytes that they replace.
    heads: BTreeMap<ActorName, Staged>,
    /// Indexes of the writes whose records are to be written.
    records: Vec<usize>,
    /// Records that no head will name any more.
    dropped: Vec<Vec<u8>>,
    /// Actors that are forgotten.
    erased: Vec<ActorName>,
    /// Indexes of the writes that bring a quarantine of their own.
    replaced: Vec<usize>,
}

struct Staged {
    head: Head,
    replaces: Option<::sled::IVec>,
    writes: u64,
}

/// Makes `writes`, durably, in order: as if each had been made alone. One answer for each.
///
/// Chunks and heads, barrier, witness; or, of large records, chunks, barrier, heads, barrier, witness. Who waits is told
/// afterwards. This thread is the only one that writes, so a comparison here and the heads' atomic step are together a
/// compare-and-swap.
pub(super) fn commit(
    tables: &Tables,
    totals: &mut Totals,
    witness: &mut Witness,
    disk: &Disk,
    history: usize,
    writes: &[Box<Write>],
) -> Result<Done, Failed> {
    let before = |fault| Failed { fault, heads_may_be_written: false };
    let after = |fault| Failed { fault, heads_may_be_written: true };

    let plan = plan(tables, history, writes).map_err(before)?;
    if plan.heads.is_empty() {
        return Ok(Done { answers: plan.answers, dropped: plan.dropped, erased: plan.erased, replaced: plan.replaced });
    }
    let records = plan.records.iter().flat_map(|index| {
        let (write, kept) = (&writes[*index], plan.answers[*index].as_ref().ok());
        // What is put may have more history than is kept.
        let named = write.records.iter().filter(move |(record, _)| kept.is_some_and(|h| h.records.contains(record)));
        named.map(|(record, bytes)| (keys::of_record(&write.actor, record), bytes.as_slice()))
    });
    let together = records.clone().map(|(_, bytes)| bytes.len()).sum::<usize>() <= TOGETHER_BYTES;
    if !together {
        tables.write_records(records.clone()).map_err(before)?;
    }

    let named: Vec<Vec<u8>> = records.clone().filter(|_| !together).map(|(key, _)| key).collect();
    let mut new_totals = *totals;
    let mut heads = Vec::with_capacity(plan.heads.len());
    for (actor, staged) in plan.heads {
        let bytes = head::encode(&staged.head);
        match &staged.replaces {
            Some(replaced) => new_totals.toggle(actor.as_str().as_bytes(), replaced),
            None => new_totals.heads += 1,
        }
        new_totals.toggle(actor.as_str().as_bytes(), &bytes);
        new_totals.writes += staged.writes;
        heads.push((actor, bytes));
    }
    let marks = Marks { named: &named, dropped: &plan.dropped, erased: &plan.erased };
    tables.write_with(records.filter(|_| together), &heads, &new_totals, &marks).map_err(after)?;
    *totals = new_totals;
    witness.tell(totals, disk).map_err(|error| after(Fault::disk("write", witness.path())(error)))?;
    Ok(Done { answers: plan.answers, dropped: plan.dropped, erased: plan.erased, replaced: plan.replaced })
}

/// Decides every write in order, each on what the ones before it leave.
fn plan(tables: &Tables, history: usize, writes: &[Box<Write>]) -> Result<Plan, Fault> {
    let mut plan = Plan::default();
    for (index, write) in writes.iter().enumerate() {
        let Write { step, nonce, .. } = &**write;
        let (outcome, replaces) = match plan.heads.get(&write.actor) {
            Some(Staged { head, .. }) => {
                let change = head::apply(Some(head), step, *nonce, history);
                (change.map(|change| (Some(head.clone()), change)), None)
            }
            None => {
                let bytes = tables.head(&write.actor)?;
                (head::apply_to(bytes.as_deref(), step, *nonce, history), bytes)
            }
        };
        let outcome = outcome.map(|(stored, change)| (stored.as_ref() != Some(&change.head), change));
        plan.answers.push(outcome.map(|(changed, Change { head, dropped })| {
            if changed {
                plan.dropped.extend(dropped.iter().map(|record| keys::of_record(&write.actor, record)));
                if !write.records.is_empty() {
                    plan.records.push(index);
                }
                if write.copies.is_some() {
                    plan.replaced.push(index);
                }
                if matches!(write.step, Step::Forget { .. }) {
                    plan.erased.push(write.actor.clone());
                }
                let new = Staged { head: head.clone(), replaces, writes: 0 };
                let staged = plan.heads.entry(write.actor.clone()).or_insert(new);
                staged.head = head.clone();
                staged.writes += 1;
            }
            head
        }));
    }
    Ok(plan)
}
