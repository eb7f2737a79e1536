//! What an open store does with what it is asked.

use std::any::Any;

use tokio::sync::{mpsc, oneshot};

use super::super::head;
use super::super::{Head, Listed, Quarantined, RecordRef, StoreError};
use super::group::{self, Write};
use super::open::Ground;
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
            Self::Write(write) => write.record.as_ref().map_or(0, |(_, bytes)| bytes.len()),
            _ => 0,
        }
    }

    pub(super) fn refuse(self, error: StoreError) {
        match self {
            Self::Write(write) => drop(write.reply.send(Err(error))),
            Self::Head { reply, .. } => drop(reply.send(Err(error))),
            Self::Load { reply, .. } => drop(reply.send(Err(error))),
            Self::Quarantine { reply, .. } | Self::Close { reply } => drop(reply.send(Err(error))),
            Self::Quarantined { reply, .. } => drop(reply.send(Err(error))),
            Self::List { reply, .. } => drop(reply.send(Err(error))),
            #[cfg(test)]
            Self::Panic => {}
        }
    }
}

/// Everything that the thread owns. Dropped in this order: the lock goes last.
pub(super) struct Worker {
    pub(super) tables: Tables,
    pub(super) totals: Totals,
    pub(super) witness: Witness,
    pub(super) ground: Ground,
}

/// `first` and what waits behind it, up to the bounds of a batch or to a close; and who asked for that.
pub(super) fn gather(first: Job, jobs: &mut mpsc::Receiver<Job>) -> (Vec<Job>, Option<Reply<()>>) {
    let (mut bytes, mut batch, mut next) = (0, Vec::new(), Some(first));
    while let Some(job) = next {
        if let Job::Close { reply } = job {
            return (batch, Some(reply));
        }
        bytes += job.bytes();
        batch.push(job);
        let more = batch.len() < BATCH_JOBS && bytes < BATCH_BYTES;
        next = if more { jobs.try_recv().ok() } else { None };
    }
    (batch, None)
}

/// What a panic said.
pub(super) fn words(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str).or(panic.downcast_ref::<&str>().copied());
    text.unwrap_or("it did not say why").to_owned()
}

impl Worker {
    /// Answers a batch: reads at once, from what is durable; then the writes together. The last one ends with a barrier.
    pub(super) fn serve(&mut self, batch: Vec<Job>, last: bool) -> Result<(), Fault> {
        let mut writes = Vec::new();
        for job in batch {
            match job {
                Job::Write(write) => writes.push(write),
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
        if last { self.tables.barrier() } else { Ok(()) }
    }

    fn write(&mut self, writes: Vec<Write>) -> Result<(), Fault> {
        match group::commit(&self.tables, &mut self.totals, &mut self.witness, &self.ground.disk, &writes) {
            Ok(group::Done { answers, dropped }) => {
                for (write, answer) in writes.into_iter().zip(answers) {
                    let _ = write.reply.send(answer);
                }
                self.tables.delete_records(&dropped)
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
