//! Writes to the store that are carried through: tried again while it is out of reach and patience lasts, and settled
//! where an answer was lost.

use std::time::{Duration, Instant};

use super::tenure::Tenure;
use super::{Budget, Cell};
use crate::model::{StopReason, log_of};
use crate::store::{Head, Lease, NewRecord, SnapshotStore, StoreError};
use crate::telemetry::OfVersion;

/// Waits between two tries while something is out of reach, in milliseconds: the first, and the longest.
const BACKOFF_FIRST_MS: u64 = 20;
const BACKOFF_LONGEST_MS: u64 = 2_000;

/// Where records are, and this host's right to write there.
pub(super) type Shelf<'a> = (&'a dyn SnapshotStore, &'a Tenure);

/// Grows with each use.
#[derive(Debug)]
pub(super) struct Backoff(u64);

impl Backoff {
    pub(super) fn new() -> Self {
        Self(BACKOFF_FIRST_MS)
    }

    pub(super) fn next(&mut self) -> Duration {
        let wait = Duration::from_millis(self.0);
        self.0 = (self.0 * 2).min(BACKOFF_LONGEST_MS);
        wait
    }
}

/// What is written.
#[derive(Debug, Clone)]
pub(super) enum Write {
    /// The mark that this generation has taken the record up.
    TakeUp,
    /// A record, the instance going on.
    Checkpoint(Box<NewRecord>),
    /// A record of the instance that takes over while this one waits.
    Switch(Box<NewRecord>),
    /// The last record before a sleep, if there is one.
    Rest(Option<Box<NewRecord>>),
    /// The last record, if there is one, and the release.
    Release(Option<Box<NewRecord>>, StopReason),
    /// The release, and nothing kept.
    Forget,
}

impl Write {
    async fn attempt(&self, store: &dyn SnapshotStore, lease: &mut Lease) -> Result<(), StoreError> {
        match self {
            Self::TakeUp => store.take_up(lease).await,
            Self::Checkpoint(record) => store.commit(lease, (**record).clone()).await.map(drop),
            Self::Switch(record) => store.switch(lease, (**record).clone()).await.map(drop),
            Self::Rest(record) => {
                let record = record.as_ref().map(|record| (**record).clone());
                store.rest(lease, record).await.map(drop)
            }
            Self::Release(record, reason) => {
                let record = record.as_ref().map(|record| (**record).clone());
                store.release(lease, record, reason.clone()).await.map(drop)
            }
            Self::Forget => store.forget(lease).await,
        }
    }

    /// Counts one that took place.
    fn counted(&self, numbers: &OfVersion, lease: &Lease, took: Duration) {
        numbers.commit.time(took);
        let record = match self {
            Self::Checkpoint(record)
            | Self::Switch(record)
            | Self::Rest(Some(record))
            | Self::Release(Some(record), _) => record,
            Self::TakeUp | Self::Rest(None) | Self::Release(None, _) | Self::Forget => return,
        };
        numbers.commit_bytes.more(lease.head.current().map_or(0, |record| record.bytes));
        if let Some((_, state)) = &record.state {
            numbers.snapshot.add(state.len() as u64);
        }
    }

    /// Whether a head that was `before`, and is `now`, shows that this write took place.
    fn shows(&self, before: &Head, now: &Head) -> bool {
        match self {
            Self::TakeUp => now.taken_up == Some(before.generation),
            // An earlier one that nobody waited for any more may have taken place since: they differ in their times.
            Self::Checkpoint(record) | Self::Rest(Some(record)) => {
                let same = now.current().is_some_and(|current| current.time_ms == record.time_ms);
                same && now.sequence > before.sequence
            }
            Self::Rest(None) => now.stopped == Some(StopReason::Passivate),
            Self::Switch(_) => now.generation > before.generation,
            Self::Release(..) | Self::Forget => now.owner.is_none(),
        }
    }
}

/// Writes for the actor of `cell`, as often as `patience` allows, and counts it.
///
/// # Errors
/// Whatever trying again does not help against; and, once there is no time left, what was in the way.
pub(super) async fn write(
    (cell, numbers): (&Cell, &OfVersion),
    shelf: Shelf<'_>,
    lease: &mut Lease,
    what: &Write,
    patience: Budget,
) -> Result<(), StoreError> {
    let began = Instant::now();
    let written = carry_through(cell, shelf, lease, what, patience).await;
    match written {
        Ok(()) => what.counted(numbers, lease, began.elapsed()),
        Err(_) => numbers.commit_failures.one_more(),
    }
    written
}

async fn carry_through(
    cell: &Cell,
    (store, tenure): Shelf<'_>,
    lease: &mut Lease,
    what: &Write,
    patience: Budget,
) -> Result<(), StoreError> {
    let mut backoff = Backoff::new();
    loop {
        // Nothing leaves a host that is frozen; one whose lease has ended will never be anything else.
        let opens = async {
            tokio::select! {
                biased;
                why = tenure.ended() => Err(StoreError::Conflict(why)),
                () = tenure.open() => Ok(()),
            }
        };
        match patience.bound(opens).await {
            Some(opened) => opened?,
            None => {
                return Err(StoreError::Unavailable("this host is frozen: its lease was not renewed in time".into()));
            }
        }
        let tried = patience.bound(attempt(store, lease, what)).await;
        let error = match tried {
            Some(Ok(())) => return Ok(()),
            Some(Err(error @ (StoreError::Unavailable(_) | StoreError::Unknown(_)))) => error,
            Some(Err(error)) => {
                if matches!(error, StoreError::Conflict(_)) {
                    tenure.doubt();
                }
                return Err(error);
            }
            None => return Err(StoreError::Unknown("there was no answer in the time that was left".into())),
        };
        log_of!(warn, cell.label(), %error, "a write waits for the store");
        let wait = backoff.next();
        if patience.left().is_some_and(|left| left <= wait) {
            return Err(error);
        }
        tokio::time::sleep(wait).await;
    }
}

async fn attempt(store: &dyn SnapshotStore, lease: &mut Lease, what: &Write) -> Result<(), StoreError> {
    match what.attempt(store, lease).await {
        // A conflict may be with a write of one's own that was only delayed.
        Err(error @ (StoreError::Unknown(_) | StoreError::Conflict(_))) => {
            let before = lease.revision;
            match settle(store, lease, what).await? {
                true => Ok(()),
                // The head is as it was seen: it is not what stands against the write, but this host's own lease.
                false if matches!(error, StoreError::Conflict(_)) && lease.revision == before => Err(error),
                false => Err(StoreError::Unknown(error.to_string())),
            }
        }
        other => other,
    }
}

/// Whether a write whose answer was lost took place. The lease then stands where the head stands: another try begins there,
/// and whichever of the two is second meets a conflict, and is settled in turn.
async fn settle(store: &dyn SnapshotStore, lease: &mut Lease, what: &Write) -> Result<bool, StoreError> {
    let mut backoff = Backoff::new();
    loop {
        match store.head(&lease.actor).await {
            Ok(Some((head, revision))) if head.epoch == lease.head.epoch => {
                let done = what.shows(&lease.head, &head);
                (lease.head, lease.revision) = (head, revision);
                return Ok(done);
            }
            Ok(Some((Head { owner: Some(owner), epoch, .. }, _))) => {
                return Err(StoreError::Conflict(format!("`{owner}` has claimed it since, epoch {epoch}")));
            }
            Ok(_) => return Err(StoreError::Conflict("its head belongs to another".into())),
            Err(StoreError::Unavailable(_) | StoreError::Unknown(_)) => tokio::time::sleep(backoff.next()).await,
            Err(error) => return Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::RecordRef;

    #[test]
    fn a_head_shows_whether_a_write_took_place() {
        let before = Head {
            epoch: 3,
            generation: 5,
            sequence: 7,
            owner: Some("host".into()),
            nonce: 1,
            stopped: None,
            taken_up: Some(4),
            records: Vec::new(),
            line: 1,
            refusals: Vec::new(),
            way_back: None,
        };
        let empty = NewRecord {
            state: None,
            cause: crate::store::Cause::Checkpoint,
            node: String::new(),
            time_ms: 0,
            inbox: Vec::new(),
            timers: Vec::new(),
            traffic: crate::store::Traffic::default(),
        };
        let marked = Head { taken_up: Some(5), ..before.clone() };
        let records = vec![RecordRef {
            sequence: 8,
            digest: crate::model::Digest([1; 32]),
            bytes: 1,
            time_ms: 0,
            schema: None,
            plugin: None,
            cause: crate::store::Cause::Checkpoint,
            inbox_messages: Some(0),
            outbox_messages: Some(0),
            next_timer_ms: None,
        }];
        let committed = Head { sequence: 8, records, ..before.clone() };
        let switched = Head { generation: 6, ..committed.clone() };
        let released = Head { owner: None, ..before.clone() };
        let cases = [
            (Write::TakeUp, &marked),
            (Write::Checkpoint(Box::new(empty.clone())), &committed),
            (Write::Switch(Box::new(empty.clone())), &switched),
            (Write::Release(None, StopReason::Normal), &released),
            (Write::Forget, &released),
        ];
        for (write, after) in cases {
            assert!(write.shows(&before, after), "{write:?}");
            assert!(!write.shows(&before, &before), "{write:?}");
        }
        let later = NewRecord { time_ms: 1, ..empty };
        assert!(!Write::Checkpoint(Box::new(later)).shows(&before, &committed), "that was the one before");
    }
}
