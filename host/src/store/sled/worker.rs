//! What an open store does with what it is asked.

use std::time::Instant;

use super::super::embedded::{Closed, Engine, Job, Reply, Write};
use super::super::head;
use super::super::{Head, Listed, RecordRef, Remains, StoreError};
use super::group;
use super::open::Ground;
use super::reopen::Wreck;
use super::tables::{Fault, Tables};
use super::witness::{Totals, Witness};
use crate::model::ActorName;

/// Everything that the thread owns. Dropped in this order: the lock goes last.
pub(super) struct Worker {
    pub(super) tables: Tables,
    pub(super) totals: Totals,
    pub(super) witness: Witness,
    pub(super) ground: Ground,
}

impl Engine for Worker {
    type Wreck = Box<Wreck>;

    fn serve(&mut self, batch: Vec<Job>) -> Result<(), String> {
        self.answer_all(batch).map_err(|fault| fault.to_string())
    }

    /// sled clears up by itself.
    fn tidy_at(&self) -> Option<Instant> {
        None
    }

    fn tidy(&mut self) -> Result<(), String> {
        Ok(())
    }

    fn close(self) -> Result<(), String> {
        let barrier = self.tables.barrier().map_err(|fault| fault.to_string());
        let Self { tables, ground, .. } = self;
        let (_, closed) = tables.close();
        drop(ground);
        barrier.and(closed.map_err(|panic| format!("sled panicked: {panic}")))
    }

    fn wreck(self) -> Box<Wreck> {
        Wreck::of(self)
    }

    fn reopen(wreck: Box<Wreck>) -> Result<Self, (Box<Wreck>, Closed)> {
        wreck.open()
    }
}

impl Worker {
    /// Answers a batch: reads at once, from what is durable; then the writes together.
    fn answer_all(&mut self, batch: Vec<Job>) -> Result<(), Fault> {
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
        if writes.is_empty() { Ok(()) } else { self.write(writes) }
    }

    #[allow(clippy::vec_box, reason = "they come in boxes, and are as large as they are rare to be moved")]
    fn write(&mut self, writes: Vec<Box<Write>>) -> Result<(), Fault> {
        let Ground { disk, .. } = &self.ground;
        let history = self.ground.history();
        match group::commit(&self.tables, &mut self.totals, &mut self.witness, disk, history, &writes) {
            Ok(group::Done { answers, dropped, erased, replaced }) => {
                // Whoever is told that an actor is forgotten finds nothing of it.
                let erasing = erased.iter().try_for_each(|actor| self.tables.erase_quarantine(actor));
                let replacing = replaced.iter().try_for_each(|index| {
                    let Write { actor, copies, .. } = &*writes[*index];
                    self.tables.replace_quarantine(actor, copies.as_deref().unwrap_or_default())
                });
                for (write, answer) in writes.into_iter().zip(answers) {
                    let _ = write.reply.send(answer);
                }
                erasing.and(replacing).and_then(|()| self.tables.delete_records(&dropped))
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
            Job::Remains { actor, reply } => answer(reply, self.remains(&actor)),
            Job::Quarantine { actor, record, why, reply } => {
                answer(reply, self.tables.quarantine(&actor, &record, &why).map(Ok))
            }
            Job::Quarantined { actor, reply } => answer(reply, self.tables.quarantined(&actor).map(Ok)),
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

    fn remains(&self, actor: &ActorName) -> Result<Result<Remains, StoreError>, Fault> {
        match head::why_damaged(self.tables.head(actor)?.as_deref()) {
            Ok(why) => Ok(Ok(head::remains(actor, why, self.tables.found(actor)?)?)),
            Err(error) => Ok(Err(error)),
        }
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
