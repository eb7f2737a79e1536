//! What is stored for one actor, read so that it fits together while its owner goes on committing.

use std::collections::HashSet;

use super::super::{Head, Image, RecordRef, SnapshotStore, StoreError};
use crate::model::{ActorName, Digest};

/// How often a head is read again because a record that it named was gone; after that, older records that are gone are
/// left out.
const READS: u32 = 8;

/// Reads an actor's records one by one, each once. What [`Walk::head`] gives in the end names none but those.
#[derive(Debug)]
pub(super) struct Walk<'a> {
    store: &'a dyn SnapshotStore,
    actor: &'a ActorName,
    head: Head,
    at: usize,
    seen: HashSet<Digest>,
    reads: u32,
}

impl<'a> Walk<'a> {
    /// Begins with what the head says now; none: there is none.
    pub(super) async fn begin(store: &'a dyn SnapshotStore, actor: &'a ActorName) -> Result<Option<Self>, StoreError> {
        let Some((head, _)) = store.head(actor).await? else { return Ok(None) };
        Ok(Some(Self { store, actor, head, at: 0, seen: HashSet::new(), reads: READS }))
    }

    /// The next record that was not read yet, as its bytes are; none: that was all.
    pub(super) async fn next(&mut self) -> Result<Option<(RecordRef, Vec<u8>)>, StoreError> {
        loop {
            let Some(reference) = self.head.records.get(self.at).cloned() else { return Ok(None) };
            if self.seen.contains(&reference.digest) {
                self.at += 1;
                continue;
            }
            match self.store.read(self.actor, &reference).await {
                Ok(bytes) => {
                    self.at += 1;
                    self.seen.insert(reference.digest);
                    return Ok(Some((reference, bytes)));
                }
                Err(StoreError::Conflict(why)) => self.look_again(&why).await?,
                Err(error) => return Err(error),
            }
        }
    }

    /// A record has dropped out of the history: its owner has committed since.
    async fn look_again(&mut self, why: &str) -> Result<(), StoreError> {
        match self.reads.checked_sub(1) {
            Some(left) => {
                self.reads = left;
                let gone = || StoreError::Unavailable("its head is not there any more".to_owned());
                (self.head, _) = self.store.head(self.actor).await?.ok_or_else(gone)?;
                self.at = 0;
            }
            None if self.at > 0 => self.head.records.truncate(self.at),
            None => {
                let what = format!("`{}` commits faster than it can be read: {why}", self.actor);
                return Err(StoreError::Unavailable(what));
            }
        }
        Ok(())
    }

    /// The head that names what was read.
    pub(super) fn head(self) -> Head {
        self.head
    }
}

/// All that `store` holds for `actor`, in memory at once; none: nothing. It fits together, whatever its owner commits
/// meanwhile: a record that is gone by the time that it is read is left out.
///
/// # Errors
/// As the store's `head`, `read` and `quarantined`.
pub async fn image(store: &dyn SnapshotStore, actor: &ActorName) -> Result<Option<Image>, StoreError> {
    let Some(mut walk) = Walk::begin(store, actor).await? else { return Ok(None) };
    let mut read = Vec::new();
    while let Some((record, bytes)) = walk.next().await? {
        read.push((record.digest, bytes));
    }
    let head = walk.head();
    let bytes_of = |record: &RecordRef| {
        let at = read.iter().position(|(digest, _)| *digest == record.digest);
        at.map(|at| read.swap_remove(at).1).unwrap_or_default()
    };
    let records = head.records.iter().map(bytes_of).collect();
    Ok(Some(Image { records, quarantine: store.quarantined(actor).await?, head }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{Cause, Lease, MemoryStore, NewRecord, Traffic};

    async fn commit(store: &MemoryStore, lease: &mut Lease, records: u32) {
        for _ in 0..records {
            let record = NewRecord {
                state: None,
                cause: Cause::Checkpoint,
                node: "node".to_owned(),
                time_ms: 0,
                inbox: Vec::new(),
                timers: Vec::new(),
                traffic: Traffic::default(),
            };
            store.commit(lease, record).await.expect("commits");
        }
    }

    /// Reads to the end while the actor commits `meanwhile` records after each that is read. Gives the sequences that the
    /// head names in the end, all of which were read.
    async fn walked(history: usize, meanwhile: u32, times: usize) -> Vec<u64> {
        let store = MemoryStore::new().with_history(history);
        let actor = ActorName::new("a").expect("valid");
        let mut lease = store.claim(&actor, None, "host").await.expect("claims");
        commit(&store, &mut lease, 3).await;
        let mut walk = Walk::begin(&store, &actor).await.expect("answers").expect("a head");
        let mut read = HashSet::new();
        while let Some((reference, bytes)) = walk.next().await.expect("reads") {
            assert_eq!(Digest::of(&bytes), reference.digest);
            assert!(read.insert(reference.digest), "each is read once");
            if read.len() <= times {
                commit(&store, &mut lease, meanwhile).await;
            }
        }
        let head = walk.head();
        assert!(head.records.iter().all(|record| read.contains(&record.digest)), "it names what was read");
        head.records.iter().map(|record| record.sequence).collect()
    }

    #[tokio::test]
    async fn what_is_read_fits_together_while_its_owner_commits() {
        assert_eq!(walked(3, 0, 0).await, [3, 2, 1]);
        assert_eq!(walked(3, 1, 1).await, [4, 3, 2], "what is gone is made up for by what came since");
        assert_eq!(walked(2, 2, usize::MAX).await, [19], "as often as it looks again, the one before is gone");
    }
}
