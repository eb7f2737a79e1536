//! How much room a store takes for what it holds, after many commits.
//!
//! `BATON_GROWTH_ACTORS=10000 BATON_GROWTH_COMMITS=1000000 cargo nextest run -E 'test(store_growth)' --no-capture` is the
//! full size; without them it is a small part of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use baton_host::store::{
    Lease, NewRecord, RedbOptions, RedbStore, SledOptions, SledStore, SnapshotStore, Stats, stats,
};

use crate::store_conformance::{claim, name, record};

/// How many actors commit.
const ACTORS: (&str, u64) = ("BATON_GROWTH_ACTORS", 1_000);
/// How often they commit, all together.
const COMMITS: (&str, u64) = ("BATON_GROWTH_COMMITS", 10_000);
/// Commits that are under way at once.
const TASKS: u64 = 200;
/// How often the files are looked at while they grow.
const LOOKS: u64 = 40;
/// Least bytes of a state; each commit's are drawn anew.
const LEAST_STATE_BYTES: u64 = 200;
/// Most bytes of a state.
const MOST_STATE_BYTES: (&str, u64) = ("BATON_GROWTH_STATE_BYTES", 4_096);

fn told((name, default): (&str, u64)) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

/// A number that looks drawn, and is the same each time.
fn drawn(actor: u64, commit: u64) -> u64 {
    let mut x = (actor << 32 | commit).wrapping_add(0x9e37_79b9_7f4a_7c15);
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

fn state(actor: u64, commit: u64) -> NewRecord {
    let bytes = LEAST_STATE_BYTES + drawn(actor, commit) % (told(MOST_STATE_BYTES) - LEAST_STATE_BYTES);
    let words = (0..bytes.div_ceil(8)).flat_map(|at| drawn(at, commit).to_le_bytes());
    record(words.take(usize::try_from(bytes).expect("small")).collect())
}

/// What came of it.
struct Growth {
    stats: Stats,
    /// The largest size of the files while commits went on, once each actor's history was full.
    peak_bytes: u64,
}

async fn grow(store: Arc<dyn SnapshotStore>) -> Growth {
    let (actors, commits) = (told(ACTORS), told(COMMITS));
    let (made, peak) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    let started = Instant::now();
    let tasks = TASKS.min(actors);
    let running: Vec<_> = (0..tasks)
        .map(|task| {
            let (store, made, peak) = (store.clone(), made.clone(), peak.clone());
            tokio::spawn(async move {
                let mut leases: Vec<(u64, Lease)> = Vec::new();
                for actor in (task..actors).step_by(usize::try_from(tasks).expect("small")) {
                    leases.push((actor, claim(&*store, &name(&format!("shop/cart/{actor}")), "host-a").await));
                }
                for commit in 0..commits.div_ceil(actors) {
                    for (actor, lease) in &mut leases {
                        store.commit(lease, state(*actor, commit)).await.expect("commits");
                        let made = made.fetch_add(1, Ordering::Relaxed) + 1;
                        if made > actors * 3 && made.is_multiple_of(commits.div_ceil(LOOKS)) {
                            let disk = store.disk_bytes().await.expect("answers").expect("it has files");
                            peak.fetch_max(disk, Ordering::Relaxed);
                        }
                    }
                }
            })
        })
        .collect();
    for task in running {
        task.await.expect("commits to the end");
    }
    let stats = stats(&*store).await.expect("answers");
    let growth = Growth { stats, peak_bytes: peak.load(Ordering::Relaxed) };
    let ratio = |bytes: u64| bytes as f64 / growth.held() as f64;
    let (disk, seconds) = (stats.disk_bytes.expect("it has files"), started.elapsed().as_secs_f64());
    println!(
        "{}: {actors} actors, {} commits in {seconds:.1} s: held {} B (live {}, history {}), files {disk} B, ratio {:.2}, at most {:.2}",
        store.capabilities().backend,
        made.load(Ordering::Relaxed),
        growth.held(),
        stats.live_bytes,
        stats.history_bytes,
        ratio(disk),
        ratio(growth.peak_bytes),
    );
    growth
}

impl Growth {
    fn held(&self) -> u64 {
        self.stats.held_bytes()
    }

    fn stays_under(&self, times: u64) {
        let disk = self.stats.disk_bytes.expect("it has files").max(self.peak_bytes);
        assert!(disk < times * self.held(), "{disk} bytes of files for {:?}", self.stats);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_sled_files_stay_under_six_times_what_they_hold() {
    let dir = tempfile::tempdir().expect("a directory");
    let (store, _) = SledStore::open(dir.path(), &SledOptions::default()).expect("opens");
    let growth = grow(Arc::new(store)).await;
    growth.stays_under(6);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_redb_files_stay_under_three_times_what_they_hold() {
    let dir = tempfile::tempdir().expect("a directory");
    let (store, _) = RedbStore::open(dir.path(), &RedbOptions::default()).expect("opens");
    let growth = grow(Arc::new(store)).await;
    growth.stays_under(3);
}
