//! Commits: one writer or 64, by store; beside each the same bytes put into its engine alone, as durably.

use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use baton_host::model::{Digest, Version};
use baton_host::store::{
    Cause, Lease, MemoryStore, NewRecord, Origination, RedbOptions, RedbStore, SledOptions, SledStore, SnapshotStore,
    Traffic,
};
use redb::{Database, Durability, TableDefinition};
use tokio::runtime::Runtime;

use crate::calls::threads;
use crate::measure::{Figure, Series};
use crate::{Run, name, plugin};

/// Who writes.
pub(crate) const OWNER: &str = "bench";

const TABLE: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("floor");

/// A file that is appended to, and synced: what the disk alone takes.
pub(crate) struct BareFile(File);

impl BareFile {
    pub(crate) fn create(dir: &Path) -> Self {
        Self(File::create(dir.join("file")).expect("it can be made"))
    }

    pub(crate) fn append(&mut self, bytes: usize) {
        self.0.write_all(&vec![7; bytes]).expect("it is written");
        self.0.sync_data().expect("it is synced");
    }
}

/// An engine alone: so many records, in batches, each batch durable before the next.
trait Engine {
    fn put(&mut self, batch: usize, bytes: usize);
}

struct SledAlone {
    db: sled::Db,
    file: File,
    next: u64,
}

impl SledAlone {
    fn open(dir: &Path) -> Self {
        let db = sled::Config::new().path(dir).cache_capacity(64 << 20).flush_every_ms(None).open().expect("it opens");
        let file = File::open(dir.join("db")).expect("its file is there");
        Self { db, file, next: 0 }
    }
}

impl Engine for SledAlone {
    fn put(&mut self, batch: usize, bytes: usize) {
        let mut puts = sled::Batch::default();
        for _ in 0..batch {
            self.next += 1;
            puts.insert(&self.next.to_be_bytes(), vec![7; bytes]);
        }
        self.db.apply_batch(puts).expect("it is put");
        self.db.flush().expect("it is flushed");
        // A flush of sled's is not a sync on Linux.
        self.file.sync_all().expect("it is synced");
    }
}

struct RedbAlone {
    db: Database,
    next: u64,
}

impl RedbAlone {
    fn open(dir: &Path) -> Self {
        Self { db: Database::create(dir.join("floor.redb")).expect("it opens"), next: 0 }
    }
}

impl Engine for RedbAlone {
    fn put(&mut self, batch: usize, bytes: usize) {
        let mut write = self.db.begin_write().expect("it begins");
        write.set_durability(Durability::Immediate).expect("it can be set");
        {
            let mut table = write.open_table(TABLE).expect("it is there");
            for _ in 0..batch {
                self.next += 1;
                table.insert(self.next, &vec![7; bytes][..]).expect("it is put");
            }
        }
        write.commit().expect("it is durable");
    }
}

/// So many puts into sled alone, 64 for each sync.
pub(crate) fn sled_alone(dir: &Path, puts: usize, bytes: usize) {
    let mut engine = SledAlone::open(dir);
    for _ in 0..puts.div_ceil(64) {
        engine.put(64, bytes);
    }
}

pub(crate) fn measure(run: &Run) -> Vec<Figure> {
    let mut figures = Vec::new();
    for backend in ["memory", "sled", "redb"] {
        for load in Load::ALL {
            figures.push(embedded(run, backend, load));
        }
    }
    figures
}

/// Who writes, and what.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Load {
    pub(crate) writers: usize,
    size: &'static str,
    pub(crate) bytes: usize,
}

impl Load {
    pub(crate) const ALL: [Self; 4] = [
        Self::of(1, "256-B", 256),
        Self::of(1, "16-KiB", 16 << 10),
        Self::of(64, "256-B", 256),
        Self::of(64, "16-KiB", 16 << 10),
    ];

    const fn of(writers: usize, size: &'static str, bytes: usize) -> Self {
        Self { writers, size, bytes }
    }

    /// The name of its figure.
    pub(crate) fn figure(self, backend: &str) -> String {
        format!("commit/{backend}/{}/{}", self.writers, self.size)
    }
}

fn embedded(run: &Run, backend: &str, load: Load) -> Figure {
    let what = load.figure(backend);
    let label = what.replace('/', "-");
    let runtime = threads(2);
    let store = open(backend, &run.dir(&label));
    let mut engine = alone(backend, &run.dir(&format!("{label}-floor")));
    let each = run.times(match (backend, load.writers) {
        ("memory", 1) => 20_000,
        ("memory", _) => 1_000,
        (_, 1) => 500,
        _ => 60,
    });
    let mut put = |each: usize, floor: &mut Series| {
        let Some(engine) = &mut engine else { return };
        let began = Instant::now();
        for _ in 0..each {
            let began = Instant::now();
            engine.put(load.writers, load.bytes);
            // Each of a batch has waited for the whole.
            (0..load.writers).for_each(|_| floor.add(began.elapsed()));
        }
        floor.end_round(Some(began.elapsed()));
    };
    let (own, floor) = commits(&runtime, &store, load, (run.rounds(), each), &mut put);
    runtime.block_on(store.close()).expect("it closes");
    let figure = Figure::of(what, &own);
    if engine.is_some() { figure.above(&format!("{backend} alone, as many in a batch"), &floor) } else { figure }
}

/// Every writer puts so many records, in each of so many rounds, after one that warms up; `put` does the same without Baton.
pub(crate) fn commits(
    runtime: &Runtime,
    store: &Arc<dyn SnapshotStore>,
    load: Load,
    (rounds, each): (usize, usize),
    put: &mut dyn FnMut(usize, &mut Series),
) -> (Series, Series) {
    let claimed = |n| {
        let actor = name(&format!("{}-{}/{n}", load.writers, load.size));
        runtime.block_on(store.claim(&actor, None, OWNER)).expect("it is claimed")
    };
    let mut leases: Vec<Lease> = (0..load.writers).map(claimed).collect();
    let (mut own, mut floor) = (Series::new(), Series::new());
    for round in 0..=rounds {
        let each = if round == 0 { each / 10 + 1 } else { each };
        let mut discarded = (Series::new(), Series::new());
        let (own, floor) = if round == 0 { (&mut discarded.0, &mut discarded.1) } else { (&mut own, &mut floor) };
        put(each, floor);
        let began = Instant::now();
        let busy: Vec<_> =
            leases.drain(..).map(|lease| runtime.spawn(write_on(store.clone(), lease, each, load.bytes))).collect();
        for writer in busy {
            let (lease, series) = runtime.block_on(writer).expect("it ends");
            own.merge(&series);
            leases.push(lease);
        }
        own.end_round(Some(began.elapsed()));
    }
    (own, floor)
}

fn open(backend: &str, dir: &Path) -> Arc<dyn SnapshotStore> {
    match backend {
        "memory" => Arc::new(MemoryStore::new()),
        "sled" => Arc::new(SledStore::open(dir, &SledOptions::default()).expect("it opens").0),
        _ => Arc::new(RedbStore::open(dir, &RedbOptions::default()).expect("it opens").0),
    }
}

fn alone(backend: &str, dir: &Path) -> Option<Box<dyn Engine>> {
    match backend {
        "memory" => None,
        "sled" => Some(Box::new(SledAlone::open(dir))),
        _ => Some(Box::new(RedbAlone::open(dir))),
    }
}

async fn write_on(store: Arc<dyn SnapshotStore>, mut lease: Lease, times: usize, bytes: usize) -> (Lease, Series) {
    let mut series = Series::new();
    for _ in 0..times {
        let record = record(&lease, bytes);
        let began = Instant::now();
        store.commit(&mut lease, record).await.expect("it is durable");
        series.add(began.elapsed());
    }
    (lease, series)
}

fn record(lease: &Lease, bytes: usize) -> NewRecord {
    let time_ms = std::time::SystemTime::UNIX_EPOCH.elapsed().map_or(0, |since| since.as_millis() as u64);
    let wrote = Origination {
        plugin: plugin("bench"),
        version: Version::new("1.0.0").expect("a version"),
        digest: Digest::of(b"bench"),
        schema: 1,
        generation: lease.head.generation,
        time_ms,
    };
    NewRecord {
        state: Some((wrote, vec![7; bytes])),
        cause: Cause::Turn,
        node: OWNER.into(),
        time_ms,
        inbox: Vec::new(),
        timers: Vec::new(),
        traffic: Traffic::default(),
    }
}
