//! What an open store does with what it is asked: reads at once, from what is durable; then all that changes something,
//! in one transaction.

use std::time::{Duration, Instant};

use super::super::disk::bytes_at;
use super::super::embedded::{Closed, Engine, Job, Reply, Write};
use super::super::head::{self, Change, Step};
use super::super::witness::{Totals, Witness};
use super::super::{Head, Listed, RecordRef, Remains, StoreError};
use super::open::{Ground, Places};
use super::reopen::{self, Wreck};
use super::tables::{Failed, Fault, Reader, Tables, Writer};
use crate::model::ActorName;

/// How many times what it holds a file may take before it is made smaller.
const TIDY_TIMES: u64 = 3;
/// Bytes that a file may take in any case.
const TIDY_FLOOR_BYTES: u64 = 16 << 20;
/// Bytes of the largest file that is made smaller while the store serves: it takes a second or two for each 100 MiB on a
/// slow disk. A larger one has to wait until the store is opened.
const TIDY_MOST_BYTES: u64 = 256 << 20;
/// Milliseconds without a request after which a file is made smaller.
const TIDY_IDLE_MS: u64 = 500;

/// Whether a file of so many bytes is to be made smaller, which holds so many, and had so many when that was last done.
fn too_large(file: u64, held: u64, before: u64) -> bool {
    // What did not help is not done again before the file has grown by half.
    file > TIDY_FLOOR_BYTES.max(held.saturating_mul(TIDY_TIMES)) && file > before.saturating_add(before / 2)
}

/// Everything that the thread owns. Dropped in this order: the lock goes last.
pub(super) struct Worker {
    pub(super) tables: Tables,
    pub(super) totals: Totals,
    pub(super) witness: Witness,
    pub(super) ground: Ground,
    /// Bytes of heads and of the records that they name.
    held: u64,
    /// Bytes of the file after it was last made smaller.
    tidied: u64,
    /// When it last had something to do.
    served: Instant,
}

/// An answer that waits until what it says is durable; with an error it says that instead.
type Pending = Box<dyn FnOnce(Option<StoreError>)>;

fn pending<T: 'static>(reply: Reply<T>, answer: Result<T, StoreError>) -> Pending {
    // Whoever asked may be gone.
    Box::new(move |failed| drop(reply.send(failed.map_or(answer, Err))))
}

impl Engine for Worker {
    type Wreck = Box<Wreck>;

    fn serve(&mut self, batch: Vec<Job>) -> Result<(), String> {
        let (changes, reads): (Vec<_>, Vec<_>) = batch.into_iter().partition(changes);
        if let Err(fault) = self.read(reads) {
            let lost = StoreError::Unavailable(fault.to_string());
            changes.into_iter().for_each(|job| job.refuse(lost.clone()));
            return Err(fault.to_string());
        }
        let done = if changes.is_empty() { Ok(()) } else { self.change(changes) };
        self.served = Instant::now();
        done
    }

    fn tidy_at(&self) -> Option<Instant> {
        let file = self.tables.file_bytes().unwrap_or_default();
        let due = file <= TIDY_MOST_BYTES && too_large(file, self.held, self.tidied);
        due.then(|| self.served + Duration::from_millis(TIDY_IDLE_MS))
    }

    fn tidy(&mut self) -> Result<(), String> {
        self.compact().map_err(|fault| fault.to_string())
    }

    fn close(self) -> Result<(), String> {
        let (_, closed) = self.tables.close();
        drop(self.ground);
        closed.map_err(|fault| fault.to_string())
    }

    fn wreck(self) -> Box<Wreck> {
        Wreck::of(self)
    }

    fn reopen(wreck: Box<Wreck>) -> Result<Self, (Box<Wreck>, Closed)> {
        reopen::reopen(wreck)
    }
}

/// Whether a job changes something.
fn changes(job: &Job) -> bool {
    match job {
        Job::Write(_) | Job::Quarantine { .. } | Job::Discard { .. } => true,
        Job::Head { .. } | Job::Load { .. } | Job::Remains { .. } | Job::Quarantined { .. } => false,
        Job::DiskBytes { .. } | Job::List { .. } => false,
        // The thread keeps these for itself.
        Job::Close { .. } => false,
        #[cfg(test)]
        Job::Panic => false,
    }
}

impl Worker {
    /// The store, whose heads and records have `held` bytes.
    pub(super) fn new(tables: Tables, totals: Totals, held: u64, witness: Witness, ground: Ground) -> Self {
        Self { tables, totals, witness, ground, held, tidied: 0, served: Instant::now() }
    }

    /// Makes the file smaller if it is too large, whatever time it takes.
    pub(super) fn compact_if_due(&mut self) -> Result<(), Fault> {
        if too_large(self.tables.file_bytes()?, self.held, self.tidied) { self.compact() } else { Ok(()) }
    }

    fn compact(&mut self) -> Result<(), Fault> {
        let (before, started) = (self.tables.file_bytes()?, Instant::now());
        self.tables.compact()?;
        self.tidied = self.tables.file_bytes()?;
        tracing::info!(before, after = self.tidied, held = self.held, took = ?started.elapsed(), "the store's file was made smaller");
        Ok(())
    }

    /// Answers jobs that change nothing. A fault is answered as well as given back.
    fn read(&self, jobs: Vec<Job>) -> Result<(), Fault> {
        let mut jobs = jobs.into_iter().peekable();
        if jobs.peek().is_none() {
            return Ok(());
        }
        let reading = self.tables.read().and_then(|reader| jobs.try_for_each(|job| self.answer(&reader, job)));
        if let Err(fault) = &reading {
            let error = StoreError::Unavailable(fault.to_string());
            jobs.for_each(|job| job.refuse(error.clone()));
        }
        reading
    }

    fn answer(&self, reader: &Reader, job: Job) -> Result<(), Fault> {
        match job {
            Job::Head { actor, reply } => answer(reply, stored(reader, &actor)),
            Job::Load { actor, record, reply } => answer(reply, load(reader, &actor, &record)),
            Job::Remains { actor, reply } => answer(reply, remains(reader, &actor)),
            Job::Quarantined { actor, reply } => answer(reply, reader.quarantined(&actor).map(Ok)),
            Job::List { after, limit, reply } => answer(reply, list(reader, after.as_ref(), limit).map(Ok)),
            Job::DiskBytes { reply } => answer(reply, self.disk_bytes().map(|bytes| Ok(Some(bytes)))),
            #[cfg(test)]
            Job::Panic => panic!("a panic that was asked for"),
            Job::Write(_) | Job::Quarantine { .. } | Job::Discard { .. } | Job::Close { .. } => Ok(()),
        }
    }

    /// Makes changes, durably, in order: as if each had been made alone. Who waits is told afterwards.
    fn change(&mut self, jobs: Vec<Job>) -> Result<(), String> {
        let (mut totals, mut held) = (self.totals, self.held);
        let mut answers: Vec<Pending> = Vec::new();
        let history = self.ground.history();
        // In order, so that those that were not reached are told as well.
        let mut jobs = jobs.into_iter();
        let written = self.tables.write(|writer| {
            let mut changed = false;
            for job in jobs.by_ref() {
                changed |= apply(writer, (&mut totals, &mut held), history, job, &mut answers)?;
            }
            if totals.writes != self.totals.writes {
                writer.put_totals(&totals)?;
            }
            Ok(((), changed))
        });
        let told = written.and_then(|()| {
            if totals.writes == self.totals.writes {
                return Ok(());
            }
            (self.totals, self.held) = (totals, held);
            let telling = self.witness.tell(&totals, &self.ground.disk);
            let fault = Fault::disk("write", self.witness.path());
            telling.map_err(|error| Failed { fault: fault(error), may_be_kept: true })
        });
        let failed = told.err().map(|Failed { fault, may_be_kept }| {
            let text = fault.to_string();
            let error =
                if may_be_kept { StoreError::Unknown(text.clone()) } else { StoreError::Unavailable(text.clone()) };
            (text, error)
        });
        let error = failed.as_ref().map(|(_, error)| error.clone());
        answers.into_iter().for_each(|answer| answer(error.clone()));
        // After a fault, those that were not reached.
        for job in jobs {
            job.refuse(error.clone().unwrap_or_else(|| StoreError::Unavailable("it failed".to_owned())));
        }
        failed.map_or(Ok(()), |(text, _)| Err(text))
    }

    /// Bytes of all files of the store.
    fn disk_bytes(&self) -> Result<u64, Fault> {
        let Places { store, witness, lock, .. } = &self.ground.places;
        [store, witness, lock].into_iter().try_fold(0, |sum, path| {
            let bytes = bytes_at(path).map_err(Fault::disk("look at", path))?;
            Ok(sum + bytes)
        })
    }
}

/// Makes one change, and says whether there was one. Whoever asked for it has an answer waiting then, after a fault as well.
fn apply(
    writer: &mut Writer<'_>,
    counts: (&mut Totals, &mut u64),
    history: usize,
    job: Job,
    answers: &mut Vec<Pending>,
) -> Result<bool, Fault> {
    match job {
        Job::Write(write) => {
            let made = apply_write(writer, counts, history, &write);
            wait(answers, write.reply, made)
        }
        Job::Quarantine { actor, record, why, reply } => {
            let kept = writer.quarantine(&actor, &record, &why);
            wait(answers, reply, kept.map(|kept| (Ok(()), kept)))
        }
        Job::Discard { actor, record, reply } => {
            let copies = writer.discard(&actor, record.as_ref());
            wait(answers, reply, copies.map(|copies| (Ok(copies), copies > 0)))
        }
        _ => Ok(false),
    }
}

/// Keeps an answer until what it says is durable.
fn wait<T: 'static>(
    answers: &mut Vec<Pending>,
    reply: Reply<T>,
    made: Result<(Result<T, StoreError>, bool), Fault>,
) -> Result<bool, Fault> {
    match made {
        Ok((answer, changed)) => {
            answers.push(pending(reply, answer));
            Ok(changed)
        }
        Err(fault) => {
            answers.push(pending(reply, Err(StoreError::Unavailable(fault.to_string()))));
            Err(fault)
        }
    }
}

fn apply_write(
    writer: &mut Writer<'_>,
    (totals, held): (&mut Totals, &mut u64),
    history: usize,
    write: &Write,
) -> Result<(Result<Head, StoreError>, bool), Fault> {
    let Write { actor, step, nonce, records, copies, .. } = write;
    let bytes = writer.head(actor)?;
    let (before, Change { head, dropped }) = match head::apply_to(bytes.as_deref(), step, *nonce, history) {
        Ok(outcome) => outcome,
        Err(error) => return Ok((Err(error), false)),
    };
    if before.as_ref() == Some(&head) {
        return Ok((Ok(head), false));
    }
    // What is put may have more history than is kept.
    for (record, bytes) in records.iter().filter(|(record, _)| head.records.contains(record)) {
        writer.put_record(actor, record, bytes)?;
    }
    for record in &dropped {
        writer.remove_record(actor, record)?;
    }
    if copies.is_some() || matches!(step, Step::Forget { .. }) {
        writer.discard(actor, None)?;
    }
    for copy in copies.iter().flatten() {
        writer.put_copy(actor, copy)?;
    }
    let (name, new) = (actor.as_str().as_bytes(), head::encode(&head));
    match &bytes {
        Some(replaced) => totals.toggle(name, replaced),
        None => totals.heads += 1,
    }
    totals.toggle(name, &new);
    totals.writes += 1;
    let old = before.map_or(0, |before| size(&before, bytes.as_deref().unwrap_or_default()));
    *held = held.saturating_sub(old) + size(&head, &new);
    writer.put_head(actor, &new)?;
    Ok((Ok(head), true))
}

/// Bytes of a head and of the records that it names.
pub(super) fn size(head: &Head, bytes: &[u8]) -> u64 {
    bytes.len() as u64 + head.records.iter().map(|record| record.bytes).sum::<u64>()
}

fn stored(reader: &Reader, actor: &ActorName) -> Result<Result<Option<Head>, StoreError>, Fault> {
    let bytes = reader.head(actor)?;
    Ok(bytes.as_deref().map(head::decode).transpose().map_err(StoreError::Corrupt))
}

fn remains(reader: &Reader, actor: &ActorName) -> Result<Result<Remains, StoreError>, Fault> {
    match head::why_damaged(reader.head(actor)?.as_deref()) {
        Ok(why) => Ok(Ok(head::remains(actor, why, reader.found(actor)?)?)),
        Err(error) => Ok(Err(error)),
    }
}

fn load(reader: &Reader, actor: &ActorName, record: &RecordRef) -> Result<Result<Vec<u8>, StoreError>, Fault> {
    match stored(reader, actor)? {
        Ok(Some(head)) if head.records.contains(record) => reader.record(actor, record).map(Ok),
        Ok(_) => Ok(Err(head::not_named(record))),
        Err(error) => Ok(Err(error)),
    }
}

fn list(reader: &Reader, after: Option<&ActorName>, limit: usize) -> Result<Vec<Listed>, Fault> {
    let mut listed = Vec::new();
    for entry in reader.heads_after(after)?.take(limit) {
        let (name, head) = entry?;
        // Only names are written as keys here.
        if let Some(name) = std::str::from_utf8(&name).ok().and_then(|name| ActorName::new(name).ok()) {
            listed.push((name, head::decode(&head).map_err(|error| error.to_string())));
        }
    }
    Ok(listed)
}

fn answer<T>(reply: Reply<T>, outcome: Result<Result<T, StoreError>, Fault>) -> Result<(), Fault> {
    match outcome {
        Ok(answer) => {
            let _ = reply.send(answer);
            Ok(())
        }
        Err(fault) => {
            let _ = reply.send(Err(StoreError::Unavailable(fault.to_string())));
            Err(fault)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_made_smaller_where_that_helps() {
        const MIB: u64 = 1 << 20;
        let cases = [
            ("small, whatever is in it", 16 * MIB, 0, 0, false),
            ("mostly room", 100 * MIB, 30 * MIB, 0, true),
            ("mostly data", 100 * MIB, 40 * MIB, 0, false),
            ("just done", 100 * MIB, 30 * MIB, 100 * MIB, false),
            ("has grown since", 151 * MIB, 30 * MIB, 100 * MIB, true),
            ("larger than can be", u64::MAX, u64::MAX, 0, false),
        ];
        for (case, file, held, before, expected) in cases {
            assert_eq!(too_large(file, held, before), expected, "{case}");
        }
    }
}
