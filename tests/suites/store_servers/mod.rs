//! Stores on real servers that die, stop, lose answers, have no room, or are not what they should be.

mod command;
mod connecting;
mod faults;
mod hosts;
mod tls;

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use baton_host::model::ActorName;
use baton_host::store::{DEFAULT_HISTORY, Lease, SnapshotStore, StoreError, connect};

use super::store_conformance::{claim, join, name, record};
use crate::harness::servers::{Server, ServerKind};

/// How long anything here may take that is waited for.
const PATIENCE: Duration = Duration::from_secs(60);

/// The cases, on each server.
macro_rules! on_each {
    ($($case:ident)*) => {
        mod postgres {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $case() {
                super::$case(super::ServerKind::Postgres).await;
            })*
        }
        mod mariadb {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $case() {
                super::$case(super::ServerKind::Mariadb).await;
            })*
        }
        mod mysql {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $case() {
                super::$case(super::ServerKind::Mysql).await;
            })*
        }
        mod redis {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $case() {
                super::$case(super::ServerKind::Redis).await;
            })*
        }
    };
}
use on_each;

/// The store at a URL, with short times.
async fn open(url: &str) -> Arc<dyn SnapshotStore> {
    let url = format!("{url}&connect_timeout_ms=2000&answer_timeout_ms=2000");
    let url = match url.starts_with("redis") {
        true => url,
        false => format!("{url}&acquire_timeout_ms=1000"),
    };
    connect(&url.parse().expect("a URL"), DEFAULT_HISTORY).await.expect("connects")
}

/// Asks again and again until there is something.
async fn until<T, F: Future<Output = Option<T>>>(what: &str, mut look: impl FnMut() -> F) -> T {
    let began = Instant::now();
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(began.elapsed() < PATIENCE, "{what}: not within {PATIENCE:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Waits until the store answers.
async fn answers(store: &Arc<dyn SnapshotStore>) {
    until("the store answers again", || async { store.list(None, 1).await.ok() }).await;
}

/// Who counts in a record, and knows what of it was acknowledged.
struct Counter {
    store: Arc<dyn SnapshotStore>,
    lease: Lease,
    acknowledged: u64,
    /// Writes whose answer was lost, those that took place, and those that did not.
    settled: (u64, u64),
}

impl Counter {
    async fn new(store: &Arc<dyn SnapshotStore>, actor: &ActorName) -> Self {
        let lease = claim(&**store, actor, "host-a").await;
        Self { store: store.clone(), lease, acknowledged: 0, settled: (0, 0) }
    }

    /// Tries once to count one further; whatever was lost is settled as a host would.
    async fn count(&mut self) -> Result<(), StoreError> {
        let next = self.acknowledged + 1;
        let new = record(next.to_le_bytes().to_vec());
        let mut lease = self.lease.clone();
        match self.store.commit(&mut lease, new).await {
            Ok(_) => {
                self.lease = lease;
                self.acknowledged = next;
                Ok(())
            }
            // It may be with a write of one's own that was only delayed: that one counted.
            Err(error @ StoreError::Conflict(_)) => match self.settle(&error).await {
                true => Ok(()),
                false => Err(error),
            },
            Err(error) => {
                if matches!(error, StoreError::Unknown(_)) {
                    self.settle(&error).await;
                }
                Err(error)
            }
        }
    }

    /// Whether the write took place.
    async fn settle(&mut self, why: &StoreError) -> bool {
        let actor = self.lease.actor.clone();
        let (head, revision) =
            until("the head is read", || async { self.store.head(&actor).await.ok().flatten() }).await;
        assert_eq!(head.epoch, self.lease.head.epoch, "nobody else has claimed it: {why}");
        let took_place = head.sequence > self.lease.head.sequence;
        if took_place {
            assert_eq!(head.sequence, self.lease.head.sequence + 1);
            self.acknowledged += 1;
            self.settled.0 += 1;
        } else {
            self.settled.1 += 1;
        }
        (self.lease.head, self.lease.revision) = (head, revision);
        took_place
    }

    /// That what is stored is what was acknowledged last, or one more that nobody was told of.
    async fn check(&self, store: &Arc<dyn SnapshotStore>) {
        let actor = &self.lease.actor;
        let head = store.head(actor).await.expect("answers").expect("a head").0;
        let Some(current) = head.current() else {
            assert_eq!(self.acknowledged, 0, "{actor}");
            return;
        };
        let data = store.load(actor, current).await.expect("loads").data;
        let found = u64::from_le_bytes(data[..8].try_into().expect("a number"));
        assert!(
            (self.acknowledged..=self.acknowledged + 1).contains(&found),
            "{actor}: {found} of {}",
            self.acknowledged
        );
        for older in &head.records {
            store.load(actor, older).await.expect("all of its history can be read");
        }
    }
}
