//! From one store into another: every actor with its records, its history and its quarantine, each read back and compared.

use futures_util::{StreamExt as _, stream};
use serde::Serialize;
use tokio::sync::Semaphore;

use super::{Head, Image, RecordRef, SnapshotStore, StoreError, head};
use crate::model::ActorName;

/// Heads that are asked for at once.
const PAGE_HEADS: usize = 1_000;
/// Actors that are copied at once.
const AT_ONCE_ACTORS: usize = 64;
/// KiB of records that are copied at once, unless one actor alone has more.
const AT_ONCE_KIB: u32 = 64 << 10;
/// Lines of what is wrong that a report has at most; more are counted.
const LINES: usize = 1_000;

/// How actors are copied.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Migration {
    /// Whether the target may hold something already: actors of the same names are replaced then, others stay.
    pub replace: bool,
}

/// What was copied.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Migrated {
    /// Actors that are in the target now, each as it was.
    pub actors: u64,
    /// Their records.
    pub records: u64,
    /// Bytes of these.
    pub bytes: u64,
    /// Copies in quarantine.
    pub quarantined: u64,
    /// Records that the target does not keep, since it keeps fewer for each actor.
    pub left_out: u64,
    /// Records that are damaged, and were copied as they are; at most 1,000 lines.
    pub damaged: Vec<String>,
    /// Actors that could not be copied, since their heads are damaged; at most 1,000 lines.
    pub lost: Vec<String>,
    /// Lines that are missing in the two lists.
    pub more: u64,
}

/// Why actors were not copied, or not all.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MigrateError {
    /// The target holds something already.
    #[error("the target is not empty: it holds `{0}`")]
    NotEmpty(ActorName),
    /// One of the stores did not do what it was asked.
    #[error("{what}: {error}")]
    Store {
        /// Which store, and for whom.
        what: String,
        /// What it said.
        error: StoreError,
    },
    /// The target does not hold what was written to it.
    #[error("the target does not hold what was written to it: `{actor}`: {what}")]
    Differs {
        /// Whose.
        actor: ActorName,
        /// What is not the same.
        what: String,
    },
}

/// Copies all that `from` holds into `to`, and says after each actor how many there are by then. Nobody else may write to
/// either of the two meanwhile.
///
/// What is damaged is copied as it is, and named. What was copied before an error stays in the target.
///
/// # Errors
/// `NotEmpty` where the target holds something and `how` does not say that it may; `Store` where one of them fails or the
/// target does not take a record of this size; `Differs` where an actor, read back, is not what was written.
pub async fn migrate(
    from: &dyn SnapshotStore,
    to: &dyn SnapshotStore,
    how: Migration,
    progress: &mut (dyn FnMut(u64) + Send),
) -> Result<Migrated, MigrateError> {
    let there = to.list(None, 1).await.map_err(|error| failed("the target", error))?;
    if let (Some((actor, _)), false) = (there.first(), how.replace) {
        return Err(MigrateError::NotEmpty(actor.clone()));
    }
    let mut done = Migrated::default();
    let room = Semaphore::new(AT_ONCE_KIB as usize);
    let mut after = None;
    loop {
        let page = from.list(after.as_ref(), PAGE_HEADS).await.map_err(|error| failed("the source", error))?;
        let Some((last, _)) = page.last() else { return Ok(done) };
        after = Some(last.clone());
        let copies = page.into_iter().map(|(actor, found)| copy(from, to, actor, found, &room));
        let mut copies = stream::iter(copies).buffered(AT_ONCE_ACTORS);
        while let Some(copied) = copies.next().await {
            done.add(copied?);
            progress(done.actors);
        }
    }
}

impl Migrated {
    fn add(&mut self, other: Self) {
        self.actors += other.actors;
        self.records += other.records;
        self.bytes += other.bytes;
        self.quarantined += other.quarantined;
        self.left_out += other.left_out;
        for (lines, others) in [(&mut self.damaged, other.damaged), (&mut self.lost, other.lost)] {
            for line in others {
                if lines.len() < LINES { lines.push(line) } else { self.more += 1 }
            }
        }
    }
}

fn failed(what: impl Into<String>, error: StoreError) -> MigrateError {
    MigrateError::Store { what: what.into(), error }
}

/// Copies one actor, and says what that came to.
async fn copy(
    from: &dyn SnapshotStore,
    to: &dyn SnapshotStore,
    actor: ActorName,
    found: Result<Head, String>,
    room: &Semaphore,
) -> Result<Migrated, MigrateError> {
    let mut done = Migrated::default();
    let head = match found {
        Ok(head) => head,
        Err(why) => {
            done.lost.push(format!("`{actor}`: {why}"));
            return Ok(done);
        }
    };
    let actor = &actor;
    let kib = head.records.iter().map(|record| record.bytes).sum::<u64>().div_ceil(1 << 10);
    // The semaphore is never closed.
    let _room = room.acquire_many(u32::try_from(kib).unwrap_or(u32::MAX).min(AT_ONCE_KIB)).await.ok();
    let source = |error| failed(format!("the source, `{actor}`"), error);
    let target = |error| failed(format!("the target, `{actor}`"), error);
    let mut records = Vec::with_capacity(head.records.len());
    for record in &head.records {
        let bytes = from.read(actor, record).await.map_err(source)?;
        if let Err(error) = head::verify(actor, record, &bytes) {
            done.damaged.push(format!("`{actor}`: record {}: {error}", record.sequence));
        }
        records.push(bytes);
    }
    let quarantine = from.quarantined(actor).await.map_err(source)?;
    let image = Image { head, records, quarantine };

    let expect = to.head(actor).await.map_err(target)?.map(|(_, revision)| revision);
    let revision = to.put(actor, expect, image.clone()).await.map_err(target)?;
    if let Some(owner) = owner_to_be_told(&image.head) {
        // Whoever had it when its host was killed is started again by the next host: that is told by the owner.
        to.claim(actor, Some(revision), owner).await.map_err(target)?;
    }
    let kept = compare(to, actor, &image).await?;
    done.actors += 1;
    done.records += kept as u64;
    done.bytes += image.records.iter().take(kept).map(|bytes| bytes.len() as u64).sum::<u64>();
    done.quarantined += image.quarantine.len() as u64;
    done.left_out += (image.records.len() - kept) as u64;
    Ok(done)
}

/// Reads an actor back. Says how many of its records are there.
async fn compare(to: &dyn SnapshotStore, actor: &ActorName, image: &Image) -> Result<usize, MigrateError> {
    let target = |error| failed(format!("the target, `{actor}`"), error);
    let differs = |what: String| MigrateError::Differs { actor: actor.clone(), what };
    let (found, _) = to.head(actor).await.map_err(target)?.ok_or_else(|| differs("it has no head".to_owned()))?;
    let history = to.capabilities().history;
    let expected: &[RecordRef] = &image.head.records[..image.head.records.len().min(history)];
    if found.records != expected {
        return Err(differs("its head names other records".to_owned()));
    }
    if let Some(what) = head_differs(&found, &image.head) {
        return Err(differs(format!("its {what} is another")));
    }
    for (record, bytes) in expected.iter().zip(&image.records) {
        if to.read(actor, record).await.map_err(target)? != *bytes {
            return Err(differs(format!("record {} has other bytes", record.sequence)));
        }
    }
    if to.quarantined(actor).await.map_err(target)? != image.quarantine {
        return Err(differs("its quarantine is another".to_owned()));
    }
    Ok(expected.len())
}

/// Whose host was killed while the actor was awake. Of a sleeper it says nothing.
fn owner_to_be_told(head: &Head) -> Option<&str> {
    head.owner.as_deref().filter(|_| head.stopped.is_none())
}

/// What of a copied head is not what it was, or went back.
fn head_differs(found: &Head, was: &Head) -> Option<&'static str> {
    let checks = [
        ("owner", found.owner.as_deref() == owner_to_be_told(was)),
        ("stop", found.stopped == was.stopped),
        ("mark of who took it up", found.taken_up == was.taken_up),
        ("epoch", found.epoch > was.epoch),
        ("generation", found.generation >= was.generation),
        ("sequence", found.sequence >= was.sequence),
    ];
    checks.into_iter().find(|(_, same)| !same).map(|(what, _)| what)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::StopReason;
    use crate::store::{Cause, MemoryStore, NewRecord, Traffic};

    fn name(text: &str) -> ActorName {
        ActorName::new(text).expect("valid")
    }

    fn record(time_ms: u64) -> NewRecord {
        NewRecord {
            state: None,
            cause: Cause::Checkpoint,
            node: "n".to_owned(),
            time_ms,
            inbox: vec![],
            timers: vec![],
            traffic: Traffic::default(),
        }
    }

    async fn filled() -> MemoryStore {
        let store = MemoryStore::new().with_history(4);
        for (actor, stopped) in [("a", Some(StopReason::Shutdown)), ("b", None)] {
            let mut lease = store.claim(&name(actor), None, "host-1").await.expect("claims");
            for time in 1..=3 {
                store.commit(&mut lease, record(time)).await.expect("commits");
            }
            store.take_up(&mut lease).await.expect("marks");
            store.quarantine(&name(actor), &lease.head.records[1], "bad").await.expect("is kept");
            if let Some(stopped) = stopped {
                store.release(&mut lease, None, stopped).await.expect("releases");
            }
        }
        store
    }

    #[tokio::test]
    async fn every_actor_comes_over_with_how_it_ended() {
        let (from, to) = (filled().await, MemoryStore::new().with_history(2));
        let mut told = Vec::new();
        let done = migrate(&from, &to, Migration::default(), &mut |actors| told.push(actors)).await.expect("copies");
        assert_eq!((done.actors, done.records, done.left_out, done.quarantined), (2, 4, 2, 2));
        assert_eq!((done.damaged.len(), done.lost.len(), told), (0, 0, vec![1, 2]));
        for (actor, owner, stopped) in [("a", None, Some(StopReason::Shutdown)), ("b", Some("host-1"), None)] {
            let (was, _) = from.head(&name(actor)).await.expect("answers").expect("a head");
            let (head, _) = to.head(&name(actor)).await.expect("answers").expect("a head");
            assert_eq!((head.owner.as_deref(), &head.stopped), (owner, &stopped), "{actor}");
            assert_eq!((&head.records[..], head.taken_up), (&was.records[..2], was.taken_up));
            assert!(head.epoch > was.epoch);
        }
    }

    #[tokio::test]
    async fn a_target_that_holds_something_is_left_alone_unless_told() {
        let (from, to) = (filled().await, MemoryStore::new());
        let mut other = to.claim(&name("b"), None, "host-2").await.expect("claims");
        to.commit(&mut other, record(9)).await.expect("commits");
        let refused = migrate(&from, &to, Migration::default(), &mut |_| ()).await;
        assert!(matches!(refused, Err(MigrateError::NotEmpty(actor)) if actor == name("b")));
        assert_eq!(to.head(&name("a")).await, Ok(None));

        let done = migrate(&from, &to, Migration { replace: true }, &mut |_| ()).await.expect("copies");
        assert_eq!((done.actors, done.records), (2, 6));
        assert!(matches!(to.commit(&mut other, record(10)).await, Err(StoreError::Conflict(_))), "the old lease");
    }
}
