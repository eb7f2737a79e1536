//! Reads every record while it is kept.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use baton_host::store::{MOST_HISTORY, Record, RecordRef, SnapshotStore, connect};

use super::{HEALED, actors};
use crate::harness::name;

/// How often it looks.
const LOOK: Duration = Duration::from_millis(100);

/// What was read of one actor: by sequence, each with the reference by which its head named it.
pub(super) type Records = BTreeMap<String, BTreeMap<u64, (RecordRef, Record)>>;

/// Whoever reads.
pub(super) struct Watch(JoinHandle<Records>);

impl Watch {
    pub(super) fn begin(url: String, over: Arc<AtomicBool>) -> Self {
        let watch = move || {
            runtime().block_on(async {
                let (store, mut records) = (opened(&url).await, Records::new());
                while !over.load(Ordering::Acquire) {
                    // A server that is away for a moment is asked again.
                    let _ = tokio::time::timeout(Duration::from_secs(5), look(&*store, &mut records)).await;
                    tokio::time::sleep(LOOK).await;
                }
                records
            })
        };
        Self(std::thread::spawn(watch))
    }

    /// All of them, once `over`; the last ones are read by [`last`].
    pub(super) fn end(self) -> Records {
        self.0.join().expect("it reads to the end")
    }
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap()
}

async fn opened(url: &str) -> Arc<dyn SnapshotStore> {
    connect(&url.parse().expect("a URL"), MOST_HISTORY).await.expect("it answers now")
}

/// Reads what is not read yet.
async fn look(store: &dyn SnapshotStore, records: &mut Records) -> Option<()> {
    for actor in actors() {
        let Some((head, _)) = store.head(&name(&actor)).await.ok()? else { continue };
        let known = records.entry(actor.clone()).or_default();
        for reference in head.records.iter().rev() {
            match known.get(&reference.sequence) {
                Some((before, _)) => {
                    assert_eq!(
                        before.digest, reference.digest,
                        "{actor}: record {} was written twice",
                        reference.sequence
                    );
                }
                None => {
                    // One that was dropped since is missed, and that is told at the end.
                    let Ok(record) = store.load(&name(&actor), reference).await else { continue };
                    known.insert(reference.sequence, (reference.clone(), record));
                }
            }
        }
    }
    Some(())
}

/// Reads the rest, once nobody writes any more.
pub(super) fn last(url: &str, records: &mut Records) {
    let limit = Instant::now() + HEALED;
    runtime().block_on(async {
        let store = opened(url).await;
        while look(&*store, records).await.is_none() {
            assert!(Instant::now() < limit, "the store does not answer");
            tokio::time::sleep(LOOK).await;
        }
    });
}
