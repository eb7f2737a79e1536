//! What a store in the data directory looks like from the outside, whichever engine is behind it: a queue to the one
//! thread that has the engine to itself, and the wait for its answers.

mod job;
mod thread;

use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc as std_mpsc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};

use super::head::{self, Held, Step};
use super::{
    Capabilities, Durable, Head, Image, Lease, Listed, NewRecord, OpenError, Opened, Quarantined, RecordRef, Refused,
    Remains, Revision, SnapshotStore, StoreError,
};
use crate::model::{ActorName, StopReason};

pub(super) use job::{Job, Reply, Write};
use thread::Condition;
pub(super) use thread::{Closed, Engine, words};

/// Requests that may wait for the thread; who comes later waits to be let in.
const QUEUE_JOBS: usize = 1_024;
/// KiB of records that may wait for the thread.
const QUEUE_KIB: usize = 256 << 10;
/// What a quarter of may be one record: 64 MiB by default.
pub(super) const LARGEST_RECORD_BYTES: usize = 64 << 20;
/// Milliseconds that a request may take by default.
pub(super) const ANSWER_TIMEOUT_MS: u64 = 60_000;

/// What every engine is told.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    pub(super) largest_record_bytes: usize,
    pub(super) history_records: usize,
    pub(super) answer_timeout_ms: u64,
}

/// The way to the thread.
#[derive(Debug)]
pub(super) struct Front {
    backend: &'static str,
    jobs: mpsc::Sender<Job>,
    queue: Arc<Semaphore>,
    condition: Condition,
    largest_record: usize,
    history: usize,
    answer_timeout: Duration,
}

/// A backend that is a front and nothing else is a store.
pub(super) trait Fronted: std::fmt::Debug + Send + Sync + 'static {
    fn front(&self) -> &Front;
}

impl Front {
    /// Starts the thread, opens the engine on it, and waits for that.
    pub(super) fn start<E: Engine>(
        backend: &'static str,
        dir: &Path,
        bounds: Bounds,
        open: impl FnOnce() -> Result<(E, Opened), OpenError> + Send + 'static,
    ) -> Result<(Self, Opened), OpenError> {
        let condition = Condition::default();
        let (jobs, receiver) = mpsc::channel(QUEUE_JOBS);
        let (opened_in, opened_out) = std_mpsc::sync_channel(1);
        let serving = {
            let condition = condition.clone();
            move || match open() {
                Ok((engine, opened)) => {
                    // Where nobody waits for the answer any more, `jobs` is gone as well, and `run` ends at once.
                    let _ = opened_in.send(Ok(opened));
                    thread::run(engine, receiver, &condition);
                }
                Err(error) => drop(opened_in.send(Err(error))),
            }
        };
        let started = std::thread::Builder::new().name("baton-store".to_owned()).spawn(serving);
        started.map_err(|source| OpenError::io("start a thread for", dir, source))?;
        let gone = || OpenError::Damaged { path: dir.to_owned(), what: "its thread ended without a word".to_owned() };
        let opened = opened_out.recv().map_err(|_| gone())??;
        let front = Self {
            backend,
            jobs,
            queue: Arc::new(Semaphore::new(QUEUE_KIB)),
            condition,
            largest_record: bounds.largest_record_bytes.min(QUEUE_KIB << 9),
            history: bounds.history_records.clamp(head::LEAST_HISTORY, head::MOST_HISTORY),
            answer_timeout: Duration::from_millis(bounds.answer_timeout_ms),
        };
        Ok((front, opened))
    }

    /// Asks the thread and waits for its answer.
    async fn ask<T>(
        &self,
        bytes: usize,
        lost: fn(String) -> StoreError,
        job: impl FnOnce(Reply<T>, Option<OwnedSemaphorePermit>) -> Job,
    ) -> Result<T, StoreError> {
        match self.condition.error() {
            Some(error) => Err(error),
            None => self.hand_in(bytes, lost, job).await,
        }
    }

    /// As [`Front::ask`], of a store in whatever condition.
    async fn hand_in<T>(
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
        records: Vec<(RecordRef, Vec<u8>)>,
        copies: Option<Vec<Quarantined>>,
    ) -> Result<Head, StoreError> {
        let nonce = head::draw_nonce()?;
        let actor = actor.clone();
        // What is put at once may be more than waits at most: then it waits alone.
        let copied = copies.iter().flatten().map(|copy| copy.found.len());
        let bytes = records.iter().map(|(_, bytes)| bytes.len()).chain(copied).sum::<usize>().min(QUEUE_KIB << 10);
        let job =
            |reply, permit| Job::Write(Box::new(Write { actor, step, nonce, records, copies, reply, _permit: permit }));
        self.ask(bytes, StoreError::Unknown, job).await
    }

    async fn renew(
        &self,
        lease: &mut Lease,
        step: Step,
        record: Option<(RecordRef, Vec<u8>)>,
    ) -> Result<Revision, StoreError> {
        lease.head = self.write(&lease.actor, step, record.into_iter().collect(), None).await?;
        (lease.revision, lease.early) = (head::revision(&lease.head), false);
        Ok(lease.revision)
    }

    /// A claim; `wakes`: with the mark.
    async fn claimed(
        &self,
        actor: &ActorName,
        expect: Option<Revision>,
        owner: &str,
        wakes: bool,
    ) -> Result<Lease, StoreError> {
        let step = Step::Claim { expect, owner: owner.to_owned(), wakes };
        let head = self.write(actor, step, Vec::new(), None).await?;
        let revision = head::revision(&head);
        Ok(Lease::new(actor.clone(), owner.to_owned(), head, revision))
    }

    /// A last record, if there is one, in the same step as what `step` says.
    async fn ended(
        &self,
        lease: &mut Lease,
        record: Option<NewRecord>,
        step: impl FnOnce(Held, Option<RecordRef>) -> Step,
    ) -> Result<Revision, StoreError> {
        let sealed = record.map(|record| head::seal(lease, record, self.largest_record)).transpose()?;
        let step = step(Held::from(&*lease), sealed.as_ref().map(|(record, _)| record.clone()));
        self.renew(lease, step, sealed).await
    }

    /// Makes the thread panic.
    #[cfg(test)]
    pub(super) async fn hand_in_panic(&self) {
        self.jobs.send(Job::Panic).await.expect("it listens");
    }

    /// How many requests wait.
    #[cfg(test)]
    pub(super) fn waiting(&self) -> usize {
        self.jobs.max_capacity() - self.jobs.capacity()
    }

    async fn look<T>(&self, job: impl FnOnce(Reply<T>) -> Job) -> Result<T, StoreError> {
        self.ask(0, StoreError::Unavailable, |reply, _| job(reply)).await
    }
}

impl<S: Fronted> SnapshotStore for S {
    fn capabilities(&self) -> Capabilities {
        let front = self.front();
        Capabilities {
            backend: front.backend,
            shared: false,
            durable: Durable::PowerLoss,
            largest_record: front.largest_record,
            history: front.history,
        }
    }

    fn trouble(&self) -> Option<String> {
        self.front().condition.trouble()
    }

    fn failures(&self) -> u64 {
        self.front().condition.failures()
    }

    fn head<'a>(&'a self, actor: &'a ActorName) -> BoxFuture<'a, Result<Option<(Head, Revision)>, StoreError>> {
        Box::pin(async move {
            let head = self.front().look(|reply| Job::Head { actor: actor.clone(), reply }).await?;
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
        Box::pin(self.front().claimed(actor, expect, owner, false))
    }

    fn wake<'a>(
        &'a self,
        actor: &'a ActorName,
        expect: Option<Revision>,
        owner: &'a str,
    ) -> BoxFuture<'a, Result<Lease, StoreError>> {
        Box::pin(self.front().claimed(actor, expect, owner, true))
    }

    fn commit<'a>(&'a self, lease: &'a mut Lease, record: NewRecord) -> BoxFuture<'a, Result<Revision, StoreError>> {
        Box::pin(async move {
            let (record, bytes) = head::seal(lease, record, self.front().largest_record)?;
            let step = Step::Commit { held: Held::from(&*lease), record: record.clone() };
            self.front().renew(lease, step, Some((record, bytes))).await
        })
    }

    fn switch<'a>(&'a self, lease: &'a mut Lease, record: NewRecord) -> BoxFuture<'a, Result<Revision, StoreError>> {
        Box::pin(async move {
            let (record, bytes) = head::seal_switch(lease, record, self.front().largest_record)?;
            let step = Step::Switch { held: Held::from(&*lease), record: record.clone() };
            self.front().renew(lease, step, Some((record, bytes))).await
        })
    }

    fn take_up<'a>(&'a self, lease: &'a mut Lease) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(async move {
            let step = Step::TakeUp { held: Held::from(&*lease) };
            self.front().renew(lease, step, None).await.map(drop)
        })
    }

    fn rest<'a>(
        &'a self,
        lease: &'a mut Lease,
        record: Option<NewRecord>,
    ) -> BoxFuture<'a, Result<Revision, StoreError>> {
        Box::pin(self.front().ended(lease, record, |held, record| Step::Rest { held, record }))
    }

    fn release<'a>(
        &'a self,
        lease: &'a mut Lease,
        record: Option<NewRecord>,
        stopped: StopReason,
    ) -> BoxFuture<'a, Result<Revision, StoreError>> {
        Box::pin(self.front().ended(lease, record, |held, record| Step::Release { held, record, stopped }))
    }

    fn forget<'a>(&'a self, lease: &'a mut Lease) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(async move {
            let step = Step::Forget { held: Held::from(&*lease) };
            self.front().renew(lease, step, None).await.map(drop)
        })
    }

    fn refuse<'a>(&'a self, lease: &'a mut Lease, refused: Refused) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(async move {
            let step = Step::Refuse { held: Held::from(&*lease), refused };
            self.front().renew(lease, step, None).await.map(drop)
        })
    }

    fn read<'a>(
        &'a self,
        actor: &'a ActorName,
        reference: &'a RecordRef,
    ) -> BoxFuture<'a, Result<Vec<u8>, StoreError>> {
        Box::pin(async move {
            let (actor, record) = (actor.clone(), reference.clone());
            self.front().look(|reply| Job::Load { actor, record, reply }).await
        })
    }

    fn put<'a>(
        &'a self,
        actor: &'a ActorName,
        expect: Option<Revision>,
        image: Image,
    ) -> BoxFuture<'a, Result<Revision, StoreError>> {
        Box::pin(async move {
            let (step, records, copies) = head::unpack(expect, image, self.front().largest_record)?;
            let head = self.front().write(actor, step, records, Some(copies)).await?;
            Ok(head::revision(&head))
        })
    }

    fn prune<'a>(&'a self, actor: &'a ActorName, keep: usize) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(async move { self.front().write(actor, Step::Prune { keep }, Vec::new(), None).await.map(drop) })
    }

    fn pardon<'a>(&'a self, actor: &'a ActorName, expect: Revision) -> BoxFuture<'a, Result<Revision, StoreError>> {
        Box::pin(async move {
            let head = self.front().write(actor, Step::Pardon { expect }, Vec::new(), None).await?;
            Ok(head::revision(&head))
        })
    }

    fn remains<'a>(&'a self, actor: &'a ActorName) -> BoxFuture<'a, Result<Remains, StoreError>> {
        Box::pin(async move { self.front().look(|reply| Job::Remains { actor: actor.clone(), reply }).await })
    }

    fn repair<'a>(&'a self, actor: &'a ActorName, remains: Remains) -> BoxFuture<'a, Result<Revision, StoreError>> {
        Box::pin(async move {
            let Remains { head, damaged, .. } = remains;
            let dropped = damaged.iter().map(|copy| copy.record.clone()).collect();
            let copies = [self.quarantined(actor).await?, damaged].concat();
            let step = Step::Repair { head: Box::new(head), dropped };
            let head = self.front().write(actor, step, Vec::new(), Some(copies)).await?;
            Ok(head::revision(&head))
        })
    }

    fn discard<'a>(
        &'a self,
        actor: &'a ActorName,
        record: Option<&'a RecordRef>,
    ) -> BoxFuture<'a, Result<usize, StoreError>> {
        Box::pin(async move {
            let (actor, record) = (actor.clone(), record.cloned());
            self.front().look(|reply| Job::Discard { actor, record, reply }).await
        })
    }

    fn disk_bytes(&self) -> BoxFuture<'_, Result<Option<u64>, StoreError>> {
        Box::pin(async move { self.front().look(|reply| Job::DiskBytes { reply }).await })
    }

    fn quarantine<'a>(
        &'a self,
        actor: &'a ActorName,
        reference: &'a RecordRef,
        why: &'a str,
    ) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(async move {
            let (actor, record, why) = (actor.clone(), reference.clone(), why.to_owned());
            self.front().look(|reply| Job::Quarantine { actor, record, why, reply }).await
        })
    }

    fn quarantined<'a>(&'a self, actor: &'a ActorName) -> BoxFuture<'a, Result<Vec<Quarantined>, StoreError>> {
        Box::pin(async move { self.front().look(|reply| Job::Quarantined { actor: actor.clone(), reply }).await })
    }

    fn list<'a>(
        &'a self,
        after: Option<&'a ActorName>,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<Listed>, StoreError>> {
        Box::pin(async move { self.front().look(|reply| Job::List { after: after.cloned(), limit, reply }).await })
    }

    fn close(&self) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(async move {
            let front = self.front();
            let closed = front.hand_in(0, StoreError::Unavailable, |reply, _| Job::Close { reply }).await;
            if closed.is_err() {
                // Of one that was closed before as well, this is the wait until the directory is free.
                let _ = tokio::time::timeout(front.answer_timeout, front.jobs.closed()).await;
            }
            closed
        })
    }
}
