//! A store in the memory of its process: for trying things out, for tests, and for actors whose state may be lost.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::future::BoxFuture;

use super::head::{self, Held, Step};
use super::hosts::{self, HostLease, Hosts, NewHost, Roster};
use super::{
    Capabilities, Durable, Head, Image, Lease, Listed, NewRecord, Quarantined, RecordRef, Refused, Revision,
    SnapshotStore, StoreError,
};
use crate::model::{ActorName, Digest, StopReason};

/// Largest record by default, in bytes.
const LARGEST_RECORD_BYTES: usize = 64 << 20;

/// A [`SnapshotStore`] in memory. Everything is gone with it, and with all its [connections](Self::connection).
#[derive(Debug)]
pub struct MemoryStore {
    kept: Arc<Mutex<Kept>>,
    closed: AtomicBool,
    /// Whether several hosts may use it at once.
    shared: bool,
    largest_record: usize,
    history: usize,
}

/// What all connections see.
#[derive(Debug)]
struct Kept {
    actors: BTreeMap<ActorName, Entry>,
    roster: Roster,
    began: Instant,
    /// By how much its clock was put forward.
    ahead: Duration,
}

impl Kept {
    fn now_ms(&self) -> u64 {
        u64::try_from((self.began.elapsed() + self.ahead).as_millis()).unwrap_or(u64::MAX)
    }
}

#[derive(Debug)]
struct Entry {
    head: Head,
    /// Exactly those that the head names.
    records: BTreeMap<Digest, Bytes>,
    quarantine: Vec<Quarantined>,
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self::new()
    }
}

impl MemoryStore {
    /// An empty store.
    #[must_use]
    pub fn new() -> Self {
        Self::with_largest_record(LARGEST_RECORD_BYTES)
    }

    /// An empty store that takes records of at most so many bytes.
    #[must_use]
    pub fn with_largest_record(bytes: usize) -> Self {
        let kept =
            Kept { actors: BTreeMap::new(), roster: Roster::default(), began: Instant::now(), ahead: Duration::ZERO };
        Self {
            kept: Arc::new(Mutex::new(kept)),
            closed: AtomicBool::new(false),
            shared: false,
            largest_record: bytes.min(u32::MAX as usize),
            history: head::DEFAULT_HISTORY,
        }
    }

    /// The same store with so many records kept for each actor: 2 to 1,000; [`super::DEFAULT_HISTORY`] unless told.
    #[must_use]
    pub fn with_history(mut self, records: usize) -> Self {
        self.history = records.clamp(head::LEAST_HISTORY, head::MOST_HISTORY);
        self
    }

    /// The same store for several hosts at once, all of this process: each has a [connection](Self::connection) of its own.
    #[must_use]
    pub fn shared() -> Self {
        Self { shared: true, ..Self::new() }
    }

    /// Another way to what this store keeps: closed by itself.
    #[must_use]
    pub fn connection(&self) -> Self {
        Self {
            kept: self.kept.clone(),
            closed: AtomicBool::new(false),
            shared: self.shared,
            largest_record: self.largest_record,
            history: self.history,
        }
    }

    /// Puts the clock forward by which leases run.
    pub fn advance(&self, by: Duration) {
        self.lock().ahead += by;
    }

    /// Ends the lease of a host, as if its time were over.
    pub fn end_lease(&self, id: &str) {
        let kept = &mut *self.lock();
        let now_ms = kept.now_ms();
        kept.roster.end(id, now_ms);
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        // Nothing in here panics half-way, so what a poisoned lock guards is whole.
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs `ask` on all that is kept.
    fn within<T>(&self, ask: impl FnOnce(&mut Kept) -> Result<T, StoreError>) -> Result<T, StoreError> {
        match self.closed.load(Ordering::Acquire) {
            false => ask(&mut self.lock()),
            true => Err(StoreError::Unavailable("it was closed".to_owned())),
        }
    }

    /// Runs `ask` on what is stored.
    fn with<T>(
        &self,
        ask: impl FnOnce(&mut BTreeMap<ActorName, Entry>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        self.within(|kept| ask(&mut kept.actors))
    }

    fn write(&self, actor: &ActorName, step: &Step, records: Vec<(RecordRef, Vec<u8>)>) -> Result<Head, StoreError> {
        let nonce = head::draw_nonce()?;
        self.within(|kept| {
            let now_ms = kept.now_ms();
            let Kept { actors, roster, .. } = kept;
            let stored = actors.get(actor).map(|entry| &entry.head);
            if self.shared {
                may_write(roster, stored, step, now_ms)?;
            }
            let change = head::apply(stored, step, nonce, self.history)?;
            let entry = actors.entry(actor.clone()).or_insert_with(|| Entry {
                head: change.head.clone(),
                records: BTreeMap::new(),
                quarantine: Vec::new(),
            });
            let named = records.into_iter().filter(|(record, _)| change.head.records.contains(record));
            entry.records.extend(named.map(|(record, bytes)| (record.digest, Bytes::from(bytes))));
            for dropped in &change.dropped {
                entry.records.remove(&dropped.digest);
            }
            if matches!(step, Step::Forget { .. }) {
                entry.quarantine.clear();
            }
            entry.head = change.head.clone();
            Ok(change.head)
        })
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
        let head = self.write(actor, &step, Vec::new())?;
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
        self.renew(lease, &step, sealed)
    }

    fn renew(
        &self,
        lease: &mut Lease,
        step: &Step,
        record: Option<(RecordRef, Vec<u8>)>,
    ) -> Result<Revision, StoreError> {
        lease.head = self.write(&lease.actor, step, record.into_iter().collect())?;
        (lease.revision, lease.early) = (head::revision(&lease.head), false);
        Ok(lease.revision)
    }
}

/// Whether `step` may take place as far as the hosts' leases say.
///
/// # Errors
/// `Conflict` where the lease of the host that writes has ended, or a tool would write to an actor whose owner's lease runs.
fn may_write(roster: &Roster, stored: Option<&Head>, step: &Step, now_ms: u64) -> Result<(), StoreError> {
    let owner = stored.and_then(|head| head.owner.as_deref());
    match (step.writer(), owner) {
        (Some(writer), _) => roster.check(writer, now_ms),
        // Whoever owns the actor goes on as if nothing had been.
        (None, _) if matches!(step, Step::Prune { .. }) => Ok(()),
        (None, Some(owner)) if roster.runs(owner, now_ms) => Err(hosts::owned_by_a_host(owner)),
        (None, _) => Ok(()),
    }
}

impl Hosts for MemoryStore {
    fn join<'a>(&'a self, host: &'a NewHost) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(async move {
            self.within(|kept| {
                let now_ms = kept.now_ms();
                kept.roster.join(host, now_ms)
            })
        })
    }

    fn renew<'a>(&'a self, id: &'a str) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(async move {
            self.within(|kept| {
                let now_ms = kept.now_ms();
                kept.roster.renew(id, now_ms)
            })
        })
    }

    fn leave<'a>(&'a self, id: &'a str) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(async move {
            self.within(|kept| {
                kept.roster.leave(id);
                Ok(())
            })
        })
    }

    fn list(&self) -> BoxFuture<'_, Result<Vec<HostLease>, StoreError>> {
        Box::pin(async move { self.within(|kept| Ok(kept.roster.list(kept.now_ms()))) })
    }
}

impl SnapshotStore for MemoryStore {
    fn hosts(&self) -> Option<&dyn Hosts> {
        self.shared.then_some(self)
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities {
            backend: "memory",
            shared: self.shared,
            durable: Durable::Process,
            largest_record: self.largest_record,
            history: self.history,
        }
    }

    fn head<'a>(&'a self, actor: &'a ActorName) -> BoxFuture<'a, Result<Option<(Head, Revision)>, StoreError>> {
        Box::pin(async move {
            let head = self.with(|actors| Ok(actors.get(actor).map(|entry| entry.head.clone())))?;
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
        Box::pin(self.claimed(actor, expect, owner, false))
    }

    fn wake<'a>(
        &'a self,
        actor: &'a ActorName,
        expect: Option<Revision>,
        owner: &'a str,
    ) -> BoxFuture<'a, Result<Lease, StoreError>> {
        Box::pin(self.claimed(actor, expect, owner, true))
    }

    fn commit<'a>(&'a self, lease: &'a mut Lease, record: NewRecord) -> BoxFuture<'a, Result<Revision, StoreError>> {
        Box::pin(async move {
            let sealed = head::seal(lease, record, self.largest_record)?;
            let step = Step::Commit { held: Held::from(&*lease), record: sealed.0.clone() };
            self.renew(lease, &step, Some(sealed))
        })
    }

    fn switch<'a>(&'a self, lease: &'a mut Lease, record: NewRecord) -> BoxFuture<'a, Result<Revision, StoreError>> {
        Box::pin(async move {
            let sealed = head::seal_switch(lease, record, self.largest_record)?;
            let step = Step::Switch { held: Held::from(&*lease), record: sealed.0.clone() };
            self.renew(lease, &step, Some(sealed))
        })
    }

    fn take_up<'a>(&'a self, lease: &'a mut Lease) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(async move {
            let step = Step::TakeUp { held: Held::from(&*lease) };
            self.renew(lease, &step, None).map(drop)
        })
    }

    fn rest<'a>(
        &'a self,
        lease: &'a mut Lease,
        record: Option<NewRecord>,
    ) -> BoxFuture<'a, Result<Revision, StoreError>> {
        Box::pin(self.ended(lease, record, |held, record| Step::Rest { held, record }))
    }

    fn release<'a>(
        &'a self,
        lease: &'a mut Lease,
        record: Option<NewRecord>,
        stopped: StopReason,
    ) -> BoxFuture<'a, Result<Revision, StoreError>> {
        Box::pin(self.ended(lease, record, |held, record| Step::Release { held, record, stopped }))
    }

    fn forget<'a>(&'a self, lease: &'a mut Lease) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(async move {
            let step = Step::Forget { held: Held::from(&*lease) };
            self.renew(lease, &step, None).map(drop)
        })
    }

    fn refuse<'a>(&'a self, lease: &'a mut Lease, refused: Refused) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(async move {
            let step = Step::Refuse { held: Held::from(&*lease), refused };
            self.renew(lease, &step, None).map(drop)
        })
    }

    fn read<'a>(
        &'a self,
        actor: &'a ActorName,
        reference: &'a RecordRef,
    ) -> BoxFuture<'a, Result<Vec<u8>, StoreError>> {
        Box::pin(async move {
            self.with(|actors| {
                let entry = actors.get(actor).filter(|entry| entry.head.records.contains(reference));
                let entry = entry.ok_or_else(|| head::not_named(reference))?;
                Ok(entry.records.get(&reference.digest).map(|bytes| bytes.to_vec()).unwrap_or_default())
            })
        })
    }

    fn put<'a>(
        &'a self,
        actor: &'a ActorName,
        expect: Option<Revision>,
        image: Image,
    ) -> BoxFuture<'a, Result<Revision, StoreError>> {
        Box::pin(async move {
            let (step, records, quarantine) = head::unpack(expect, image, self.largest_record)?;
            let head = self.write(actor, &step, records)?;
            self.with(|actors| {
                if let Some(entry) = actors.get_mut(actor) {
                    entry.quarantine = quarantine;
                }
                Ok(())
            })?;
            Ok(head::revision(&head))
        })
    }

    fn prune<'a>(&'a self, actor: &'a ActorName, keep: usize) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(async move { self.write(actor, &Step::Prune { keep }, Vec::new()).map(drop) })
    }

    fn pardon<'a>(&'a self, actor: &'a ActorName, expect: Revision) -> BoxFuture<'a, Result<Revision, StoreError>> {
        Box::pin(async move {
            let head = self.write(actor, &Step::Pardon { expect }, Vec::new())?;
            Ok(head::revision(&head))
        })
    }

    fn discard<'a>(
        &'a self,
        actor: &'a ActorName,
        record: Option<&'a RecordRef>,
    ) -> BoxFuture<'a, Result<usize, StoreError>> {
        Box::pin(async move {
            self.with(|actors| {
                let Some(entry) = actors.get_mut(actor) else { return Ok(0) };
                let before = entry.quarantine.len();
                entry.quarantine.retain(|copy| record.is_some_and(|record| copy.record != *record));
                Ok(before - entry.quarantine.len())
            })
        })
    }

    fn disk_bytes(&self) -> BoxFuture<'_, Result<Option<u64>, StoreError>> {
        Box::pin(async move { self.with(|_| Ok(None)) })
    }

    fn quarantine<'a>(
        &'a self,
        actor: &'a ActorName,
        reference: &'a RecordRef,
        why: &'a str,
    ) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(async move {
            self.with(|actors| {
                let entry = actors.get_mut(actor).ok_or_else(|| head::not_named(reference))?;
                let found = entry.records.get(&reference.digest).map(|bytes| bytes.to_vec()).unwrap_or_default();
                if !entry.quarantine.iter().any(|q| q.record == *reference) {
                    let why = why.to_owned();
                    entry.quarantine.push(Quarantined {
                        record: reference.clone(),
                        why,
                        time_ms: super::now_ms(),
                        found,
                    });
                }
                Ok(())
            })
        })
    }

    fn quarantined<'a>(&'a self, actor: &'a ActorName) -> BoxFuture<'a, Result<Vec<Quarantined>, StoreError>> {
        Box::pin(async move {
            self.with(|actors| Ok(actors.get(actor).map(|entry| entry.quarantine.clone()).unwrap_or_default()))
        })
    }

    fn list<'a>(
        &'a self,
        after: Option<&'a ActorName>,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<Listed>, StoreError>> {
        Box::pin(async move {
            self.with(|actors| {
                let from = after.map_or(Bound::Unbounded, Bound::Excluded);
                let heads = actors.range::<ActorName, _>((from, Bound::Unbounded));
                Ok(heads.take(limit).map(|(name, entry)| (name.clone(), Ok(entry.head.clone()))).collect())
            })
        })
    }

    fn close(&self) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(async move {
            self.with(|_| Ok(()))?;
            self.closed.store(true, Ordering::Release);
            if !self.shared {
                self.lock().actors.clear();
            }
            Ok(())
        })
    }
}
