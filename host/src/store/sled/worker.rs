//! The one thread on which all of sled runs. A panic there, or a sync that fails, is a failed store and not a dead host:
//! from then on everything that is asked is answered `Unavailable`, until the store is opened and checked anew.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, OnceLock};

use tokio::sync::{mpsc, oneshot};

use super::super::head;
use super::super::{Head, Listed, Quarantined, RecordRef, StoreError};
use super::disk::Disk;
use super::group::{self, Write};
use super::lock::Lock;
use super::tables::{Fault, Tables};
use super::witness::{Totals, Witness};
use crate::model::ActorName;

/// Most requests that share a pair of barriers.
const BATCH_JOBS: usize = 256;
/// Most bytes of records that share a pair of barriers, unless one alone has more.
const BATCH_BYTES: usize = 32 << 20;

/// Where an answer goes. Whoever asked may be gone.
pub(super) type Reply<T> = oneshot::Sender<Result<T, StoreError>>;

/// What the thread can be asked.
pub(super) enum Job {
    Write(Write),
    Head {
        actor: ActorName,
        reply: Reply<Option<Head>>,
    },
    Load {
        actor: ActorName,
        record: RecordRef,
        reply: Reply<Vec<u8>>,
    },
    Quarantine {
        actor: ActorName,
        record: RecordRef,
        why: String,
        reply: Reply<()>,
    },
    Quarantined {
        actor: ActorName,
        reply: Reply<Vec<Quarantined>>,
    },
    ReplaceQuarantine {
        actor: ActorName,
        copies: Vec<Quarantined>,
        reply: Reply<()>,
    },
    Discard {
        actor: ActorName,
        record: Option<RecordRef>,
        reply: Reply<usize>,
    },
    DiskBytes {
        reply: Reply<Option<u64>>,
    },
    List {
        after: Option<ActorName>,
        limit: usize,
        reply: Reply<Vec<Listed>>,
    },
    Close {
        reply: Reply<()>,
    },
    #[cfg(test)]
    Panic,
}

impl Job {
    fn bytes(&self) -> usize {
        match self {
            Self::Write(write) => write.records.iter().map(|(_, bytes)| bytes.len()).sum(),
            _ => 0,
        }
    }

    fn refuse(self, error: StoreError) {
        match self {
            Self::Write(write) => drop(write.reply.send(Err(error))),
            Self::Head { reply, .. } => drop(reply.send(Err(error))),
            Self::Load { reply, .. } => drop(reply.send(Err(error))),
            Self::Quarantine { reply, .. } | Self::ReplaceQuarantine { reply, .. } | Self::Close { reply } => {
                drop(reply.send(Err(error)));
            }
            Self::Discard { reply, .. } => drop(reply.send(Err(error))),
            Self::DiskBytes { reply } => drop(reply.send(Err(error))),
            Self::Quarantined { reply, .. } => drop(reply.send(Err(error))),
            Self::List { reply, .. } => drop(reply.send(Err(error))),
            #[cfg(test)]
            Self::Panic => {}
        }
    }
}

/// Why the store answers nothing any more; empty as long as it does.
#[derive(Debug, Clone, Default)]
pub(super) struct Ended(Arc<OnceLock<String>>);

impl Ended {
    pub(super) fn with(&self, why: String) {
        // The first reason is the one that counts.
        let _ = self.0.set(why);
    }

    pub(super) fn error(&self) -> Option<StoreError> {
        self.0.get().map(|why| StoreError::Unavailable(why.clone()))
    }
}

/// Everything that the thread owns. Dropped in this order: the lock goes last.
pub(super) struct Worker {
    pub(super) tables: Tables,
    pub(super) totals: Totals,
    pub(super) witness: Witness,
    pub(super) disk: Disk,
    /// Records kept for each actor.
    pub(super) history: usize,
    /// Held for as long as sled is open.
    pub(super) _lock: Lock,
}

/// Answers until the last sender is gone, the store is closed, or it fails.
pub(super) fn run(mut worker: Worker, mut jobs: mpsc::Receiver<Job>, ended: &Ended) {
    let mut closed = None;
    while let Some(first) = jobs.blocking_recv() {
        let batch = gather(first, &mut jobs);
        let outcome = catch_unwind(AssertUnwindSafe(|| worker.serve(batch)));
        let why = match outcome {
            Ok(Ok(None)) => continue,
            Ok(Ok(Some(reply))) => {
                closed = Some(reply);
                "it was closed".to_owned()
            }
            Ok(Err(fault)) => format!("it failed and must be opened again: {fault}"),
            Err(panic) => format!("it failed and must be opened again: sled panicked: {}", words(&*panic)),
        };
        if closed.is_none() {
            tracing::error!(why, "the store failed");
        }
        ended.with(why);
        break;
    }
    let refusal = || ended.error().unwrap_or_else(|| StoreError::Unavailable("it has ended".to_owned()));
    // Before anything that may take its time: nobody waits for a store that has ended.
    while let Ok(job) = jobs.try_recv() {
        job.refuse(refusal());
    }
    // sled syncs once more as it is dropped, and panics where that fails.
    let dropped = catch_unwind(AssertUnwindSafe(move || drop(worker)));
    // From here on the directory may be opened again: whoever waits for this channel's end, or for the close, does so.
    jobs.close();
    while let Some(job) = jobs.blocking_recv() {
        job.refuse(refusal());
    }
    if let Some(reply) = closed {
        let failed = |panic: Box<dyn Any + Send>| StoreError::Unavailable(format!("sled panicked: {}", words(&*panic)));
        let _ = reply.send(dropped.map_err(failed));
    }
}

/// `first` and what waits behind it, up to the bounds of a batch.
fn gather(first: Job, jobs: &mut mpsc::Receiver<Job>) -> Vec<Job> {
    let mut bytes = first.bytes();
    let mut batch = vec![first];
    while batch.len() < BATCH_JOBS && bytes < BATCH_BYTES {
        let Ok(job) = jobs.try_recv() else { break };
        bytes += job.bytes();
        batch.push(job);
    }
    batch
}

/// What a panic said.
pub(super) fn words(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str).or(panic.downcast_ref::<&str>().copied());
    text.unwrap_or("it did not say why").to_owned()
}

impl Worker {
    /// Answers a batch: reads at once, from what is durable; then the writes together. Gives who asked for a close.
    fn serve(&mut self, batch: Vec<Job>) -> Result<Option<Reply<()>>, Fault> {
        let mut writes = Vec::new();
        let mut close = None;
        for job in batch {
            match job {
                // What waits behind a close was asked afterwards.
                job if close.is_some() => job.refuse(StoreError::Unavailable("it was closed".to_owned())),
                Job::Write(write) => writes.push(write),
                Job::Close { reply } => close = Some(reply),
                read => {
                    if let Err(fault) = self.read(read) {
                        let lost = StoreError::Unavailable(fault.to_string());
                        writes.into_iter().for_each(|write| Job::Write(write).refuse(lost.clone()));
                        return Err(fault);
                    }
                }
            }
        }
        if !writes.is_empty() {
            self.write(writes)?;
        }
        if close.is_some() {
            self.tables.barrier()?;
        }
        Ok(close)
    }

    fn write(&mut self, writes: Vec<Write>) -> Result<(), Fault> {
        match group::commit(&self.tables, &mut self.totals, &mut self.witness, &self.disk, self.history, &writes) {
            Ok(group::Done { answers, dropped, erased }) => {
                // Whoever is told that an actor is forgotten finds nothing of it.
                let erasing = erased.iter().try_for_each(|actor| self.tables.erase_quarantine(actor));
                for (write, answer) in writes.into_iter().zip(answers) {
                    let _ = write.reply.send(answer);
                }
                erasing.and_then(|()| self.tables.delete_records(&dropped))
            }
            Err(failed) => {
                let text = failed.fault.to_string();
                let error = match failed.heads_may_be_written {
                    true => StoreError::Unknown(text),
                    false => StoreError::Unavailable(text),
                };
                writes.into_iter().for_each(|write| Job::Write(write).refuse(error.clone()));
                Err(failed.fault)
            }
        }
    }

    /// Answers what needs no batch. A fault is answered as well as given back.
    fn read(&self, job: Job) -> Result<(), Fault> {
        match job {
            Job::Head { actor, reply } => answer(reply, self.head(&actor)),
            Job::Load { actor, record, reply } => answer(reply, self.load(&actor, &record)),
            Job::Quarantine { actor, record, why, reply } => {
                answer(reply, self.tables.quarantine(&actor, &record, &why).map(Ok))
            }
            Job::Quarantined { actor, reply } => answer(reply, self.tables.quarantined(&actor).map(Ok)),
            Job::ReplaceQuarantine { actor, copies, reply } => {
                answer(reply, self.tables.replace_quarantine(&actor, &copies).map(Ok))
            }
            Job::Discard { actor, record, reply } => {
                answer(reply, self.tables.discard(&actor, record.as_ref()).map(Ok))
            }
            Job::DiskBytes { reply } => answer(reply, self.tables.disk_bytes().map(|bytes| Ok(Some(bytes)))),
            Job::List { after, limit, reply } => answer(reply, self.list(after.as_ref(), limit)),
            #[cfg(test)]
            Job::Panic => panic!("a panic that was asked for"),
            Job::Write(_) | Job::Close { .. } => Ok(()),
        }
    }

    fn head(&self, actor: &ActorName) -> Result<Result<Option<Head>, StoreError>, Fault> {
        let bytes = self.tables.head(actor)?;
        Ok(bytes.as_deref().map(head::decode).transpose().map_err(StoreError::Corrupt))
    }

    fn load(&self, actor: &ActorName, record: &RecordRef) -> Result<Result<Vec<u8>, StoreError>, Fault> {
        match self.head(actor)? {
            Ok(Some(head)) if head.records.contains(record) => self.tables.read_record(actor, record).map(Ok),
            Ok(_) => Ok(Err(head::not_named(record))),
            Err(error) => Ok(Err(error)),
        }
    }

    fn list(&self, after: Option<&ActorName>, limit: usize) -> Result<Result<Vec<Listed>, StoreError>, Fault> {
        let mut listed = Vec::new();
        for entry in self.tables.heads_after(after).take(limit) {
            let (name, head) = entry?;
            // Only names are written as keys here.
            if let Some(name) = std::str::from_utf8(&name).ok().and_then(|name| ActorName::new(name).ok()) {
                listed.push((name, head::decode(&head).map_err(|error| error.to_string())));
            }
        }
        Ok(Ok(listed))
    }
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
