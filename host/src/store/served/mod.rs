//! What a store on a server looks like from the outside, whichever server it is: the rules of the head are run here, and
//! the server swaps one state of an actor for the next in one step, or not at all.

mod condition;
mod server;
#[cfg(any(feature = "mysql", feature = "postgres"))]
pub(super) mod sql;
pub(super) mod tls;

use std::future::Future;
use std::sync::Arc;

use futures_util::future::BoxFuture;
use tokio::sync::Semaphore;

use super::head::{self, Found, Held, Step};
use super::hosts::{self, HostLease, Hosts, LEAST_LEASE_TTL_MS, MOST_LEASE_TTL_MS, NewHost};
use super::url::StoreUrl;
use super::{
    Capabilities, Head, Image, Lease, Listed, NewRecord, Quarantined, RecordRef, Refused, Remains, Revision, Seen,
    SnapshotStore, StoreError, quarantine,
};
use crate::model::{ActorName, StopReason};
use condition::Condition;
pub(super) use server::{Copied, Fault, Guard, Pair, Place, Row, Server, Swap};

/// KiB of records that may be on their way to the server at once; who comes later waits.
const UNDER_WAY_KIB: usize = 256 << 10;
/// How often a write is made anew whose head was written by somebody else since it was read, before that is a conflict. Only
/// a write that leaves the revision as it is makes more than one necessary.
const ATTEMPTS: usize = 8;

/// A store on a server.
#[derive(Debug)]
pub(super) struct Served<S: Server> {
    server: Arc<S>,
    condition: Condition,
    under_way: Semaphore,
    history: usize,
}

impl<S: Server> Served<S> {
    /// The store that `server` keeps at `url`, with so many records of each actor.
    pub(super) fn new(server: S, url: &StoreUrl, history: usize) -> Self {
        Self {
            server: Arc::new(server),
            condition: Condition::new(url),
            under_way: Semaphore::new(UNDER_WAY_KIB),
            history: history.clamp(head::LEAST_HISTORY, head::MOST_HISTORY),
        }
    }

    /// Asks something that changes nothing, or whose change may be made twice.
    async fn ask<T>(&self, asked: impl Future<Output = Result<T, Fault>>) -> Result<T, StoreError> {
        self.condition.check()?;
        asked.await.map_err(|fault| StoreError::Unavailable(self.note(&fault)))
    }

    /// Asks for a change.
    async fn change<T>(&self, asked: impl Future<Output = Result<T, Fault>>) -> Result<T, StoreError> {
        self.condition.check()?;
        asked.await.map_err(|fault| {
            let why = self.note(&fault);
            if matches!(fault, Fault::Lost(_)) { StoreError::Unknown(why) } else { StoreError::Unavailable(why) }
        })
    }

    /// Takes note of a fault: from now on nobody waits for a server that does not answer.
    fn note(&self, fault: &Fault) -> String {
        match fault {
            Fault::Refused(why) => self.condition.told(why),
            Fault::Gone(why) | Fault::Lost(why) => self.condition.failed(why, &self.server),
        }
    }

    async fn row(&self, actor: &ActorName) -> Result<Option<Row>, StoreError> {
        self.ask(self.server.row(actor)).await
    }

    async fn write(
        &self,
        actor: &ActorName,
        step: &Step,
        records: &[(RecordRef, Vec<u8>)],
        copies: Option<&[Quarantined]>,
    ) -> Result<Head, StoreError> {
        self.write_over(None, actor, step, records, copies).await.map(|(head, _)| head)
    }

    /// Writes over a row that the caller knows, or over the one that is there.
    async fn write_over(
        &self,
        known: Option<Row>,
        actor: &ActorName,
        step: &Step,
        records: &[(RecordRef, Vec<u8>)],
        copies: Option<&[Quarantined]>,
    ) -> Result<(Head, Option<Seen>), StoreError> {
        let bytes = records.iter().map(|(_, bytes)| bytes.len()).sum::<usize>();
        let kib = u32::try_from(bytes.div_ceil(1 << 10).min(UNDER_WAY_KIB)).unwrap_or(u32::MAX);
        // It is never closed.
        let _room = self.under_way.acquire_many(kib).await.ok();
        let nonce = head::draw_nonce()?;
        let mut was_read = known.is_none();
        let mut row = match known {
            Some(row) => Some(row),
            None => self.row(actor).await?,
        };
        for _ in 0..ATTEMPTS {
            let stored = row.as_ref().map(|row| row.head.as_slice());
            let (before, change) = match head::apply_to(stored, step, nonce, self.history) {
                // What is refused is refused because of what is stored, and nothing else.
                Err(_) if !was_read => {
                    (row, was_read) = (self.row(actor).await?, true);
                    continue;
                }
                applied => applied?,
            };
            let owner = before.as_ref().and_then(|head| head.owner.as_deref());
            let guard = guard(step, owner);
            // Whose lease counts is asked of the server, whatever there is to write.
            if before.as_ref() == Some(&change.head) && guard == Guard::Free {
                return Ok((change.head, None));
            }
            let mark = head::draw_nonce()?;
            let swap = Swap {
                actor,
                expect: row.as_ref().map(|row| row.mark),
                mark,
                head: head::encode(&change.head),
                guard,
                // What is put may have more history than is kept.
                put: records.iter().filter(|(record, _)| change.head.records.contains(record)).collect(),
                dropped: &change.dropped,
                copies: match step {
                    Step::Forget { .. } => Some(Vec::new()),
                    _ => copies.map(|copies| copies.iter().map(copied).collect()),
                },
            };
            if self.change(self.server.swap(&swap)).await? {
                let seen = Seen { mark, nonce: change.head.nonce };
                return Ok((change.head, Some(seen)));
            }
            let refusal = swap.guard.refusal();
            let again = self.row(actor).await?;
            if let (Some(refusal), true) = (refusal, again == row) {
                return Err(refusal);
            }
            (row, was_read) = (again, true);
        }
        Err(StoreError::Conflict("its head is written again and again".to_owned()))
    }

    async fn renew(
        &self,
        lease: &mut Lease,
        step: &Step,
        record: Option<(RecordRef, Vec<u8>)>,
    ) -> Result<Revision, StoreError> {
        (lease.head, lease.seen) = self.write_over(known(lease), &lease.actor, step, record.as_slice(), None).await?;
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
        let (head, seen) = self.write_over(None, actor, &step, &[], None).await?;
        let revision = head::revision(&head);
        Ok(Lease { seen, ..Lease::new(actor.clone(), owner.to_owned(), head, revision) })
    }

    /// A last record, if there is one, in the same step as what `step` says.
    async fn ended(
        &self,
        lease: &mut Lease,
        record: Option<NewRecord>,
        step: impl FnOnce(Held, Option<RecordRef>) -> Step,
    ) -> Result<Revision, StoreError> {
        let sealed = record.map(|record| head::seal(lease, record, self.largest())).transpose()?;
        let step = step(Held::from(&*lease), sealed.as_ref().map(|(record, _)| record.clone()));
        self.renew(lease, &step, sealed).await
    }

    fn largest(&self) -> usize {
        self.server.largest_record()
    }
}

/// The row that a lease has written last, if its head is still the one that lies in it. Whether the row is still that one, the
/// server says: it compares the mark.
fn known(lease: &Lease) -> Option<Row> {
    let seen = lease.seen.filter(|seen| seen.nonce == lease.head.nonce)?;
    Some(Row { mark: seen.mark, head: head::encode(&lease.head) })
}

/// Whose lease counts for a step.
fn guard<'a>(step: &'a Step, owner: Option<&'a str>) -> Guard<'a> {
    match (step.writer(), owner) {
        (Some(writer), _) => Guard::Runs(writer),
        // Whoever owns the actor goes on as if nothing had been.
        (None, _) if matches!(step, Step::Prune { .. }) => Guard::Free,
        (None, Some(owner)) => Guard::Ended(owner),
        (None, None) => Guard::Free,
    }
}

fn copied(copy: &Quarantined) -> Copied {
    let RecordRef { sequence, digest, .. } = copy.record;
    let place = Place { sequence, digest: digest.0, bytes: copy.found.clone() };
    Copied { place, description: quarantine::encode(copy) }
}

/// The beginning of a digest, by which embedded backends find records.
fn start(digest: &[u8; 32]) -> [u8; 8] {
    let mut start = [0; 8];
    start.copy_from_slice(&digest[..8]);
    start
}

impl<S: Server> SnapshotStore for Served<S> {
    fn capabilities(&self) -> Capabilities {
        Capabilities {
            backend: self.server.backend(),
            shared: true,
            durable: self.server.durable(),
            largest_record: self.largest(),
            history: self.history,
        }
    }

    fn trouble(&self) -> Option<String> {
        self.condition.trouble()
    }

    fn failures(&self) -> u64 {
        self.condition.failures()
    }

    fn hosts(&self) -> Option<&dyn Hosts> {
        Some(self)
    }

    fn head<'a>(&'a self, actor: &'a ActorName) -> BoxFuture<'a, Result<Option<(Head, Revision)>, StoreError>> {
        Box::pin(async move {
            let Some(row) = self.row(actor).await? else { return Ok(None) };
            let head = head::decode(&row.head).map_err(StoreError::Corrupt)?;
            let revision = head::revision(&head);
            Ok(Some((head, revision)))
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
            let sealed = head::seal(lease, record, self.largest())?;
            let step = Step::Commit { held: Held::from(&*lease), record: sealed.0.clone() };
            self.renew(lease, &step, Some(sealed)).await
        })
    }

    fn switch<'a>(&'a self, lease: &'a mut Lease, record: NewRecord) -> BoxFuture<'a, Result<Revision, StoreError>> {
        Box::pin(async move {
            let sealed = head::seal_switch(lease, record, self.largest())?;
            let step = Step::Switch { held: Held::from(&*lease), record: sealed.0.clone() };
            self.renew(lease, &step, Some(sealed)).await
        })
    }

    fn take_up<'a>(&'a self, lease: &'a mut Lease) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(async move {
            let step = Step::TakeUp { held: Held::from(&*lease) };
            self.renew(lease, &step, None).await.map(drop)
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
            self.renew(lease, &step, None).await.map(drop)
        })
    }

    fn refuse<'a>(&'a self, lease: &'a mut Lease, refused: Refused) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(async move {
            let step = Step::Refuse { held: Held::from(&*lease), refused };
            self.renew(lease, &step, None).await.map(drop)
        })
    }

    fn read<'a>(
        &'a self,
        actor: &'a ActorName,
        reference: &'a RecordRef,
    ) -> BoxFuture<'a, Result<Vec<u8>, StoreError>> {
        Box::pin(async move {
            let found = self.ask(self.server.record(actor, reference)).await?;
            let (head, mut bytes) = found.ok_or_else(|| head::not_named(reference))?;
            let head = head::decode(&head).map_err(StoreError::Corrupt)?;
            if !head.records.contains(reference) {
                return Err(head::not_named(reference));
            }
            // Never more than it should have.
            bytes.truncate(usize::try_from(reference.bytes).unwrap_or(usize::MAX));
            Ok(bytes)
        })
    }

    fn put<'a>(
        &'a self,
        actor: &'a ActorName,
        expect: Option<Revision>,
        image: Image,
    ) -> BoxFuture<'a, Result<Revision, StoreError>> {
        Box::pin(async move {
            let (step, records, copies) = head::unpack(expect, image, self.largest())?;
            let head = self.write(actor, &step, &records, Some(&copies)).await?;
            Ok(head::revision(&head))
        })
    }

    fn prune<'a>(&'a self, actor: &'a ActorName, keep: usize) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(async move { self.write(actor, &Step::Prune { keep }, &[], None).await.map(drop) })
    }

    fn pardon<'a>(&'a self, actor: &'a ActorName, expect: Revision) -> BoxFuture<'a, Result<Revision, StoreError>> {
        Box::pin(async move {
            let head = self.write(actor, &Step::Pardon { expect }, &[], None).await?;
            Ok(head::revision(&head))
        })
    }

    fn remains<'a>(&'a self, actor: &'a ActorName) -> BoxFuture<'a, Result<Remains, StoreError>> {
        Box::pin(async move {
            let row = self.row(actor).await?;
            let why = head::why_damaged(row.as_ref().map(|row| row.head.as_slice()))?;
            let places = self.ask(self.server.records(actor)).await?;
            let found = places
                .into_iter()
                .map(|place| Ok(Found { sequence: place.sequence, digest: start(&place.digest), bytes: place.bytes }));
            head::remains(actor, why, found)
        })
    }

    fn repair<'a>(&'a self, actor: &'a ActorName, remains: Remains) -> BoxFuture<'a, Result<Revision, StoreError>> {
        Box::pin(async move {
            let Remains { head, damaged, .. } = remains;
            let dropped = damaged.iter().map(|copy| copy.record.clone()).collect();
            let copies = [self.quarantined(actor).await?, damaged].concat();
            let step = Step::Repair { head: Box::new(head), dropped };
            let head = self.write(actor, &step, &[], Some(&copies)).await?;
            Ok(head::revision(&head))
        })
    }

    fn discard<'a>(
        &'a self,
        actor: &'a ActorName,
        record: Option<&'a RecordRef>,
    ) -> BoxFuture<'a, Result<usize, StoreError>> {
        Box::pin(async move {
            let gone = self.ask(self.server.discard(actor, record)).await?;
            Ok(usize::try_from(gone).unwrap_or(usize::MAX))
        })
    }

    fn disk_bytes(&self) -> BoxFuture<'_, Result<Option<u64>, StoreError>> {
        Box::pin(self.ask(self.server.disk_bytes()))
    }

    fn quarantine<'a>(
        &'a self,
        actor: &'a ActorName,
        reference: &'a RecordRef,
        why: &'a str,
    ) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(async move {
            let found = self.read(actor, reference).await?;
            let (record, why) = (reference.clone(), why.to_owned());
            let copy = copied(&Quarantined { record, why, time_ms: super::now_ms(), found });
            self.ask(self.server.put_copy(actor, &copy)).await
        })
    }

    fn quarantined<'a>(&'a self, actor: &'a ActorName) -> BoxFuture<'a, Result<Vec<Quarantined>, StoreError>> {
        Box::pin(async move {
            let found = self.ask(self.server.copies(actor)).await?;
            let copies = found.into_iter().filter_map(|(description, bytes)| {
                let copy = quarantine::decode(&description);
                if copy.is_none() {
                    tracing::warn!(%actor, "an entry in quarantine cannot be read");
                }
                copy.map(|(copy, _)| Quarantined { found: bytes, ..copy })
            });
            Ok(copies.collect())
        })
    }

    fn list<'a>(
        &'a self,
        after: Option<&'a ActorName>,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<Listed>, StoreError>> {
        Box::pin(async move {
            let limit = u64::try_from(limit).unwrap_or(u64::MAX).min(u64::from(u32::MAX));
            let rows = self.ask(self.server.list(after, limit)).await?;
            // Only names are written as keys here.
            let listed = rows.into_iter().filter_map(|(name, head)| {
                let name = std::str::from_utf8(&name).ok().and_then(|name| ActorName::new(name).ok())?;
                Some((name, head::decode(&head).map_err(|error| error.to_string())))
            });
            Ok(listed.collect())
        })
    }

    fn close(&self) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(async move {
            self.condition.close()?;
            self.server.close().await;
            Ok(())
        })
    }
}

impl<S: Server> Hosts for Served<S> {
    fn join<'a>(&'a self, host: &'a NewHost) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(async move {
            let ttl_ms = host.lease_ttl_ms.clamp(LEAST_LEASE_TTL_MS, MOST_LEASE_TTL_MS);
            match self.change(self.server.join(host, ttl_ms)).await? {
                true => Ok(()),
                false => Err(StoreError::Conflict(format!("host `{}` has joined already", host.id))),
            }
        })
    }

    fn renew<'a>(&'a self, id: &'a str) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(async move {
            match self.change(self.server.renew(id)).await? {
                true => Ok(()),
                false => Err(hosts::lease_ended(id)),
            }
        })
    }

    fn leave<'a>(&'a self, id: &'a str) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(self.change(self.server.leave(id)))
    }

    fn list(&self) -> BoxFuture<'_, Result<Vec<HostLease>, StoreError>> {
        Box::pin(self.ask(self.server.leases()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_writes_under_its_lease_and_a_tool_where_nobody_holds_one() {
        let claim = Step::Claim { expect: None, owner: "a".into(), wakes: false };
        let pardon = Step::Pardon { expect: Revision(1) };
        let cases = [
            (&claim, Some("b"), Guard::Runs("a")),
            (&claim, None, Guard::Runs("a")),
            (&pardon, Some("b"), Guard::Ended("b")),
            (&pardon, None, Guard::Free),
            (&Step::Prune { keep: 1 }, Some("b"), Guard::Free),
        ];
        for (step, owner, expected) in cases {
            assert_eq!(guard(step, owner), expected, "{step:?} {owner:?}");
        }
    }
}
