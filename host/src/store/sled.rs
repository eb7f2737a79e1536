//! The embedded store: sled 0.34.7 in the data directory, under rules that make its promises hold on a disk that loses
//! power.
//!
//! 1. Before sled opens the directory and after, every file and directory is synced: sled does not. What sled had not
//!    finished is deleted before, and a new store comes to its place as a whole: half of either would not open.
//! 2. Records lie in chunks, so that sled makes no blob files, which it never syncs.
//! 3. Chunks, barrier, heads, barrier, witness, answer. A barrier is sled's flush and our own syncs; many writes share it.
//! 4. sled's asynchronous flush is never used, nor its own flusher. One thread has sled to itself, and its panic is not
//!    the host's: after it, or after an error of the disk, the store is opened again and verified; from new files, where a
//!    sync has failed.
//! 5. A damaged record can fall back to its parent, and is kept in quarantine.
//! 6. A directory that will not open, or holds less than its witness says, is not used. Recovery moves it aside.
//! 7. One process at a time.
//!
//! In the data directory: `store/` is sled's, `store.witness` says how much it must hold, `store.lock` names the process
//! that uses it. An older copy of the whole data directory is consistent with itself, and nothing in here can tell.

mod disk;
mod files;
mod group;
mod lock;
mod open;
mod recover;
mod reopen;
mod tables;
mod thread;
mod witness;
mod worker;

#[cfg(test)]
mod tests;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc as std_mpsc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};

use super::head::{self, Held, Step};
use super::{
    Capabilities, Durable, Head, Lease, Listed, NewRecord, Quarantined, Record, RecordRef, Revision, SnapshotStore,
    StoreError,
};
use crate::model::{ActorName, StopReason};
use disk::Disk;
use group::Write;
use thread::Condition;
use worker::{Job, Reply};

/// Requests that may wait for the thread; who comes later waits to be let in.
const QUEUE_JOBS: usize = 1_024;
/// KiB of records that may wait for the thread.
const QUEUE_KIB: usize = 256 << 10;

/// How a [`SledStore`] is opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SledOptions {
    /// If the directory will not open, or holds less than it should: move it aside, keep what is good, and go on. Changes
    /// nothing where all is well.
    pub recover: bool,
    /// Largest record, in bytes: 64 MiB by default; at most 128 MiB count.
    pub largest_record_bytes: usize,
    /// What sled may keep in memory of what it has read, in bytes: 64 MiB by default.
    pub cache_bytes: u64,
    /// Milliseconds that a request may take, the wait for others included: 60,000 by default. Then a read is
    /// `Unavailable`, and a write is `Unknown`.
    pub answer_timeout_ms: u64,
}

impl Default for SledOptions {
    fn default() -> Self {
        Self { recover: false, largest_record_bytes: 64 << 20, cache_bytes: 64 << 20, answer_timeout_ms: 60_000 }
    }
}

/// What was found when a store was opened.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Opened {
    /// Whether it was made just now.
    pub created: bool,
    /// Actors that have a head.
    pub actors: u64,
    /// Writes of heads so far.
    pub writes: u64,
    /// Records that a crash had left half-written or half-deleted, and that are gone now.
    pub orphans: usize,
    /// What an operator should know.
    pub notes: Vec<String>,
    /// What a recovery did, where there was one.
    pub recovered: Option<Recovered>,
}

/// What a recovery did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recovered {
    /// What was wrong.
    pub why: String,
    /// Where the old files are now.
    pub aside: Vec<PathBuf>,
    /// Actors that were kept.
    pub actors: u64,
    /// What was lost or is damaged, as far as that can be told; at most 1,000 lines.
    pub lost: Vec<String>,
}

/// Why a store was not opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// Another host, or another store in this process, has the directory.
    #[error("{} is in use{}: stop it, or name another data directory", path.display(), by(*pid))]
    InUse {
        /// The file that is locked.
        path: PathBuf,
        /// The process that has it, where that is known.
        pid: Option<u32>,
    },
    /// What is there cannot be trusted. Nothing was changed.
    #[error("the store in {} is damaged: {what}. Restore a copy of the data directory, or start with --recover, which moves the damaged store aside and goes on with what is good in it", path.display())]
    Damaged {
        /// The data directory.
        path: PathBuf,
        /// What is wrong.
        what: String,
    },
    /// A file or directory could not be used.
    #[error("cannot {what} {}: {source}", path.display())]
    Io {
        /// What was tried.
        what: &'static str,
        /// On what.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
}

impl OpenError {
    fn io(what: &'static str, path: &Path, source: io::Error) -> Self {
        Self::Io { what, path: path.to_owned(), source }
    }
}

fn by(pid: Option<u32>) -> String {
    pid.map_or_else(|| " by another process".to_owned(), |pid| format!(" by process {pid}"))
}

/// A [`SnapshotStore`] on the local disk. What it has acknowledged survives the loss of power.
///
/// After an error of the disk or of sled nothing is assumed: everything is answered `Unavailable` while the store is
/// opened again and verified, as often as it takes. If it then holds less than was acknowledged, it stays closed and says
/// so. The directory is free once [`SledStore::close`] has answered, of a failed store as well; dropped without it, the
/// store ends in the background.
#[derive(Debug)]
pub struct SledStore {
    jobs: mpsc::Sender<Job>,
    queue: Arc<Semaphore>,
    condition: Condition,
    largest_record: usize,
    answer_timeout: Duration,
}

impl SledStore {
    /// Opens the store in the data directory `dir`, or makes one. Blocks: the larger the store, the longer.
    ///
    /// # Errors
    /// `InUse` where another process has it; `Damaged` where it will not open or holds less than it should; `Io` where
    /// the directory cannot be used.
    pub fn open(dir: &Path, options: &SledOptions) -> Result<(Self, Opened), OpenError> {
        Self::open_on(dir, options, Disk::default())
    }

    fn open_on(dir: &Path, options: &SledOptions, disk: Disk) -> Result<(Self, Opened), OpenError> {
        let largest_record = options.largest_record_bytes.min(QUEUE_KIB << 9);
        let condition = Condition::default();
        let (jobs, receiver) = mpsc::channel(QUEUE_JOBS);
        let (opened_in, opened_out) = std_mpsc::sync_channel(1);
        let serving = {
            let (dir, options, condition) = (dir.to_owned(), options.clone(), condition.clone());
            move || match open::open(&dir, &options, &disk) {
                Ok((worker, opened)) => {
                    // Where nobody waits for the answer any more, `jobs` is gone as well, and `run` ends at once.
                    let _ = opened_in.send(Ok(opened));
                    thread::run(worker, receiver, &condition);
                }
                Err(error) => drop(opened_in.send(Err(error))),
            }
        };
        let started = std::thread::Builder::new().name("baton-store".to_owned()).spawn(serving);
        started.map_err(|source| OpenError::io("start a thread for", dir, source))?;
        let gone = || OpenError::Damaged { path: dir.to_owned(), what: "its thread ended without a word".to_owned() };
        let opened = opened_out.recv().map_err(|_| gone())??;
        let store = Self {
            jobs,
            queue: Arc::new(Semaphore::new(QUEUE_KIB)),
            condition,
            largest_record,
            answer_timeout: Duration::from_millis(options.answer_timeout_ms),
        };
        Ok((store, opened))
    }

    /// Asks the thread and waits for its answer.
    async fn ask<T>(
        &self,
        bytes: usize,
        lost: fn(String) -> StoreError,
        job: impl FnOnce(Reply<T>, Option<OwnedSemaphorePermit>) -> Job,
    ) -> Result<T, StoreError> {
        if let Some(error) = self.condition.error() {
            return Err(error);
        }
        self.put(bytes, lost, job).await
    }

    /// As [`SledStore::ask`], of a store in whatever condition.
    async fn put<T>(
        &self,
        bytes: usize,
        lost: fn(String) -> StoreError,
        job: impl FnOnce(Reply<T>, Option<OwnedSemaphorePermit>) -> Job,
    ) -> Result<T, StoreError> {
        let ended = |otherwise: StoreError| self.condition.error().unwrap_or(otherwise);
        let (reply, answer) = oneshot::channel();
        let sent = async {
            // The store never closes the semaphore, and no record is larger than all of it.
            let kib = u32::try_from(bytes.div_ceil(1 << 10)).unwrap_or(u32::MAX);
            let permit = self.queue.clone().acquire_many_owned(kib).await.ok();
            self.jobs.send(job(reply, permit)).await
        };
        let seconds = self.answer_timeout.as_secs_f32();
        match tokio::time::timeout(self.answer_timeout, sent).await {
            Ok(Ok(())) => {}
            Ok(Err(_)) => return Err(ended(StoreError::Unavailable("it has ended".to_owned()))),
            Err(_) => return Err(StoreError::Unavailable(format!("no room in its queue for {seconds} s"))),
        }
        match tokio::time::timeout(self.answer_timeout, answer).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(_)) => Err(lost("it failed before it answered".to_owned())),
            Err(_) => Err(lost(format!("no answer for {seconds} s"))),
        }
    }

    async fn write(
        &self,
        actor: &ActorName,
        step: Step,
        record: Option<(RecordRef, Vec<u8>)>,
    ) -> Result<Head, StoreError> {
        let nonce = head::draw_nonce()?;
        let actor = actor.clone();
        let bytes = record.as_ref().map_or(0, |(_, bytes)| bytes.len());
        let job = |reply, permit| Job::Write(Write { actor, step, nonce, record, reply, _permit: permit });
        self.ask(bytes, StoreError::Unknown, job).await
    }

    async fn renew(
        &self,
        lease: &mut Lease,
        step: Step,
        record: Option<(RecordRef, Vec<u8>)>,
    ) -> Result<Revision, StoreError> {
        lease.head = self.write(&lease.actor, step, record).await?;
        lease.revision = head::revision(&lease.head);
        Ok(lease.revision)
    }

    async fn read<T>(&self, job: impl FnOnce(Reply<T>) -> Job) -> Result<T, StoreError> {
        self.ask(0, StoreError::Unavailable, |reply, _| job(reply)).await
    }
}

impl SnapshotStore for SledStore {
    fn capabilities(&self) -> Capabilities {
        Capabilities {
            backend: "sled",
            shared: false,
            durable: Durable::PowerLoss,
            largest_record: self.largest_record,
            history: head::HISTORY_RECORDS,
        }
    }

    fn head<'a>(&'a self, actor: &'a ActorName) -> BoxFuture<'a, Result<Option<(Head, Revision)>, StoreError>> {
        Box::pin(async move {
            let head = self.read(|reply| Job::Head { actor: actor.clone(), reply }).await?;
            Ok(head.map(|head| {
                let revision = head::revision(&head);
                (head, revision)
            }))
        })
    }

    fn claim<'a>(
        &'a self,
        actor: &'a ActorName,
        expect: Option<Revision>,
        owner: &'a str,
    ) -> BoxFuture<'a, Result<Lease, StoreError>> {
        Box::pin(async move {
            let head = self.write(actor, Step::Claim { expect, owner: owner.to_owned() }, None).await?;
            let revision = head::revision(&head);
            Ok(Lease { actor: actor.clone(), owner: owner.to_owned(), head, revision })
        })
    }

    fn commit<'a>(&'a self, lease: &'a mut Lease, record: NewRecord) -> BoxFuture<'a, Result<Revision, StoreError>> {
        Box::pin(async move {
            let (record, bytes) = head::seal(lease, record, self.largest_record)?;
            let step = Step::Commit { held: Held::from(&*lease), record: record.clone() };
            self.renew(lease, step, Some((record, bytes))).await
        })
    }

    fn take_up<'a>(&'a self, lease: &'a mut Lease) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(async move {
            let step = Step::TakeUp { held: Held::from(&*lease) };
            self.renew(lease, step, None).await.map(drop)
        })
    }

    fn release<'a>(
        &'a self,
        lease: &'a mut Lease,
        record: Option<NewRecord>,
        stopped: StopReason,
    ) -> BoxFuture<'a, Result<Revision, StoreError>> {
        Box::pin(async move {
            let sealed = record.map(|record| head::seal(lease, record, self.largest_record)).transpose()?;
            let record = sealed.as_ref().map(|(record, _)| record.clone());
            let step = Step::Release { held: Held::from(&*lease), record, stopped };
            self.renew(lease, step, sealed).await
        })
    }

    fn forget<'a>(&'a self, lease: &'a mut Lease) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(async move {
            let step = Step::Forget { held: Held::from(&*lease) };
            self.renew(lease, step, None).await.map(drop)
        })
    }

    fn load<'a>(&'a self, actor: &'a ActorName, reference: &'a RecordRef) -> BoxFuture<'a, Result<Record, StoreError>> {
        Box::pin(async move {
            let (name, record) = (actor.clone(), reference.clone());
            let bytes = self.read(|reply| Job::Load { actor: name, record, reply }).await?;
            head::verify(actor, reference, &bytes)
        })
    }

    fn quarantine<'a>(
        &'a self,
        actor: &'a ActorName,
        reference: &'a RecordRef,
        why: &'a str,
    ) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(async move {
            let (actor, record, why) = (actor.clone(), reference.clone(), why.to_owned());
            self.read(|reply| Job::Quarantine { actor, record, why, reply }).await
        })
    }

    fn quarantined<'a>(&'a self, actor: &'a ActorName) -> BoxFuture<'a, Result<Vec<Quarantined>, StoreError>> {
        Box::pin(async move { self.read(|reply| Job::Quarantined { actor: actor.clone(), reply }).await })
    }

    fn list<'a>(
        &'a self,
        after: Option<&'a ActorName>,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<Listed>, StoreError>> {
        Box::pin(async move { self.read(|reply| Job::List { after: after.cloned(), limit, reply }).await })
    }

    fn close(&self) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(async move {
            let closed = self.put(0, StoreError::Unavailable, |reply, _| Job::Close { reply }).await;
            if closed.is_err() {
                // Of one that was closed before as well, this is the wait until the directory is free.
                let _ = tokio::time::timeout(self.answer_timeout, self.jobs.closed()).await;
            }
            closed
        })
    }
}
