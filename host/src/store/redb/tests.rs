//! What can only be seen from within: failing syncs and writes, panics, what is on the disk before which answer.

mod power_loss;

use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc as std_mpsc;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use ::redb::{Database, ReadableTable, TableDefinition};

use super::*;
use crate::model::{ActorName, Digest, PluginName, Version};
use crate::store::{Cause, Head, Lease, NewRecord, Origination, RecordError, SnapshotStore as _, StoreError, Traffic};

fn name(text: &str) -> ActorName {
    ActorName::new(text).expect("valid")
}

fn record(data: Vec<u8>) -> NewRecord {
    let origination = Origination {
        plugin: PluginName::new("p").expect("valid"),
        version: Version::new("1.0.0").expect("valid"),
        digest: Digest([3; 32]),
        schema: 1,
        generation: 1,
        time_ms: 1,
    };
    NewRecord {
        state: Some((origination, data)),
        cause: Cause::Checkpoint,
        node: "n".to_owned(),
        time_ms: 2,
        inbox: vec![],
        timers: vec![],
        traffic: Traffic::default(),
    }
}

fn open(dir: &Path, disk: Disk) -> (RedbStore, Opened) {
    RedbStore::open_on(dir, &RedbOptions::default(), disk).expect("opens")
}

async fn claim(store: &RedbStore, actor: &ActorName) -> Lease {
    let revision = store.head(actor).await.expect("answers").map(|(_, revision)| revision);
    store.claim(actor, revision, "host").await.expect("claims")
}

/// What fails while the switch is on.
type Switch = Arc<AtomicBool>;

fn switched(error: i32) -> (Switch, impl Fn(&Path) -> io::Result<()> + Send + Sync + 'static) {
    let switch = Switch::default();
    let fails = switch.clone();
    let fault = move |_: &Path| match fails.load(Ordering::SeqCst) {
        true => Err(io::Error::from_raw_os_error(error)),
        false => Ok(()),
    };
    (switch, fault)
}

/// Waits until the store's word about an actor is as wanted.
async fn until(store: &RedbStore, what: &str, wanted: impl Fn(&Result<Option<Head>, StoreError>) -> bool) {
    let limit = Instant::now() + Duration::from_secs(20);
    loop {
        let found = store.head(&name("a")).await.map(|head| head.map(|(head, _)| head));
        if wanted(&found) {
            return;
        }
        assert!(Instant::now() < limit, "never came: {what}; last: {found:?}");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

async fn until_open(store: &RedbStore) {
    until(store, "the store is open again", Result::is_ok).await;
}

fn file(dir: &Path) -> u64 {
    std::fs::metadata(dir.join("store.redb")).expect("is there").ino()
}

fn names(dir: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(dir).expect("reads").map(|entry| entry.expect("reads").file_name());
    let mut names: Vec<_> = entries.map(|name| name.into_string().expect("text")).collect();
    names.sort();
    names
}

const ALL_THERE_IS: [&str; 3] = ["store.lock", "store.redb", "store.witness"];

#[tokio::test]
async fn a_sync_that_fails_loses_nothing_acknowledged_and_the_store_serves_again() {
    let dir = tempfile::tempdir().expect("a directory");
    let actor = name("a");
    let left = Arc::new(AtomicUsize::new(usize::MAX));
    let counter = left.clone();
    let disk = Disk::with_faults(move |_| {
        match counter.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |n| n.checked_sub(1)) {
            Ok(_) => Ok(()),
            Err(_) => Err(io::Error::from(io::ErrorKind::StorageFull)),
        }
    });
    let (store, _) = open(dir.path(), disk);
    let mut acknowledged = 0;
    // Each round fails one sync later than the round before, so that every one of a commit's has its turn.
    for syncs in 0..12 {
        let mut lease = claim(&store, &actor).await;
        let found = lease.head.sequence;
        assert!((acknowledged..=acknowledged + 1).contains(&found), "{acknowledged} were acknowledged, {found} found");
        acknowledged = found;
        for reference in &lease.head.records {
            store.load(&actor, reference).await.expect("what was acknowledged can be read");
        }
        left.store(syncs, Ordering::SeqCst);
        let error = loop {
            match store.commit(&mut lease, record(vec![1; 9_000])).await {
                Ok(_) => acknowledged += 1,
                Err(error) => break error,
            }
        };
        assert!(matches!(error, StoreError::Unknown(_) | StoreError::Unavailable(_)), "{error}");
        left.store(usize::MAX, Ordering::SeqCst);
        until_open(&store).await;
    }
    store.close().await.expect("closes");
    let (store, opened) = open(dir.path(), Disk::default());
    assert!(opened.recovered.is_none() && opened.notes.is_empty(), "{opened:?}");
    assert!(claim(&store, &actor).await.head.sequence >= acknowledged);
}

#[tokio::test]
async fn after_a_failed_sync_the_store_is_a_new_file() {
    let dir = tempfile::tempdir().expect("a directory");
    let (switch, fault) = switched(5);
    let (store, _) = open(dir.path(), Disk::with_faults(fault));
    let mut lease = claim(&store, &name("a")).await;
    let mut other = claim(&store, &name("b")).await;
    store.commit(&mut lease, record(vec![1; 90_000])).await.expect("commits");
    store.commit(&mut other, record(vec![2])).await.expect("commits");
    store.quarantine(&name("b"), other.head.current().expect("saved"), "why").await.expect("is kept");
    let before = file(dir.path());

    switch.store(true, Ordering::SeqCst);
    store.commit(&mut lease, record(vec![9; 9_000])).await.expect_err("the disk fails");
    until(&store, "a pause", |found| found.as_ref().is_err_and(|error| error.to_string().contains("tried again in")))
        .await;
    let error = store.commit(&mut other, record(vec![3])).await.expect_err("it is not open");
    assert!(matches!(&error, StoreError::Unavailable(why) if why.contains("Input/output error")), "{error}");
    switch.store(false, Ordering::SeqCst);
    until_open(&store).await;
    assert_ne!(file(dir.path()), before, "what the kernel shows of the old file need not be on the disk");
    assert_eq!(names(dir.path()), ALL_THERE_IS);

    let mut lease = claim(&store, &name("a")).await;
    assert!((1..=2).contains(&lease.head.sequence), "{lease:?}");
    for reference in lease.head.records.clone() {
        store.load(&name("a"), &reference).await.expect("loads");
    }
    store.commit(&mut lease, record(vec![4])).await.expect("commits");
    store.commit(&mut other, record(vec![5])).await.expect("a lease is still good");
    assert_eq!(store.quarantined(&name("b")).await.expect("answers").len(), 1);
    store.close().await.expect("closes");
    let (_store, opened) = open(dir.path(), Disk::default());
    assert_eq!((opened.actors, opened.notes.len()), (2, 0));
}

#[tokio::test]
async fn a_host_that_ends_before_that_leaves_word_for_the_next() {
    let dir = tempfile::tempdir().expect("a directory");
    let (switch, fault) = switched(5);
    let (store, _) = open(dir.path(), Disk::with_faults(fault));
    let mut lease = claim(&store, &name("a")).await;
    store.commit(&mut lease, record(vec![1])).await.expect("commits");
    let before = file(dir.path());
    switch.store(true, Ordering::SeqCst);
    store.commit(&mut lease, record(vec![2])).await.expect_err("the disk fails");
    store.close().await.expect_err("it has failed");

    let (store, opened) = open(dir.path(), Disk::default());
    assert!(opened.recovered.is_none(), "{opened:?}");
    assert_ne!(file(dir.path()), before);
    assert!(claim(&store, &name("a")).await.head.sequence >= 1);
    store.close().await.expect("closes");
    let before = file(dir.path());
    drop(open(dir.path(), Disk::default()));
    assert_eq!(file(dir.path()), before, "once is enough");
}

#[tokio::test]
async fn a_disk_that_was_full_is_used_again_where_it_is() {
    let dir = tempfile::tempdir().expect("a directory");
    let (switch, fault) = switched(28);
    let (store, _) = open(dir.path(), Disk::with_write_faults(move |path, _| fault(path)));
    let mut lease = claim(&store, &name("a")).await;
    store.commit(&mut lease, record(vec![1; 9_000])).await.expect("commits");
    let before = file(dir.path());
    switch.store(true, Ordering::SeqCst);
    let error = store.commit(&mut lease, record(vec![2; 9_000])).await.expect_err("the disk is full");
    assert!(error.to_string().contains("No space left"), "{error}");
    switch.store(false, Ordering::SeqCst);
    until_open(&store).await;
    assert_eq!(file(dir.path()), before, "no sync had failed");
    let mut lease = claim(&store, &name("a")).await;
    store.commit(&mut lease, record(vec![3; 9_000])).await.expect("commits");
    store.close().await.expect("closes");
}

#[tokio::test]
async fn a_panic_of_redbs_is_a_failed_store_that_is_opened_again() {
    let dir = tempfile::tempdir().expect("a directory");
    let (store, _) = open(dir.path(), Disk::default());
    let mut lease = claim(&store, &name("a")).await;
    let before = file(dir.path());
    for round in 1..4 {
        store.front.hand_in_panic().await;
        until_open(&store).await;
        store.commit(&mut lease, record(vec![round])).await.expect("commits");
        assert_eq!(store.load(&name("a"), lease.head.current().expect("saved")).await.expect("loads").data, [round]);
    }
    assert_eq!(file(dir.path()), before);
    store.close().await.expect("closes");
}

#[tokio::test]
async fn a_store_that_came_back_with_less_stays_closed() {
    let dir = tempfile::tempdir().expect("a directory");
    let (switch, fault) = switched(28);
    let (store, _) = open(dir.path(), Disk::with_write_faults(move |path, _| fault(path)));
    let mut lease = claim(&store, &name("a")).await;
    let path = dir.path().join("store.redb");
    let older = std::fs::read(&path).expect("reads");
    store.commit(&mut lease, record(vec![1; 9_000])).await.expect("commits");
    switch.store(true, Ordering::SeqCst);
    store.commit(&mut lease, record(vec![2; 9_000])).await.expect_err("the disk is full");
    // Somebody makes room with an older copy.
    std::fs::write(&path, older).expect("writes");
    switch.store(false, Ordering::SeqCst);
    until(&store, "it says so", |found| found.as_ref().is_err_and(|error| error.to_string().contains("stays closed")))
        .await;
    let error = store.head(&name("a")).await.expect_err("closed").to_string();
    assert!(error.contains("its witness knows of 2 writes"), "{error}");
    store.close().await.expect_err("it has failed");
}

#[tokio::test]
async fn all_is_on_the_disk_before_the_answer() {
    let dir = tempfile::tempdir().expect("a directory");
    let synced: Arc<Mutex<Vec<PathBuf>>> = Arc::default();
    let notes = synced.clone();
    let disk = Disk::with_faults(move |path| {
        notes.lock().expect("the notes").push(path.to_owned());
        Ok(())
    });
    let data_dir = dir.path().join("data");
    let (store, opened) = open(&data_dir, disk);
    assert!(opened.created);
    let taken = || std::mem::take(&mut *synced.lock().expect("the notes"));
    let (file, witness) = (data_dir.join("store.redb"), data_dir.join("store.witness"));
    let opening = taken();
    for path in [&file, &data_dir, &dir.path().to_owned(), &data_dir.join("store.witness.new")] {
        assert!(opening.contains(path), "{} was not synced", path.display());
    }

    let in_order = |what: &str| {
        let synced = taken();
        let (last, before) = synced.split_last().expect("something was synced");
        // More than once where the file grows as well.
        let good = *last == witness && !before.is_empty() && before.iter().all(|path| *path == file);
        assert!(good, "{what}: the file, then its witness: {synced:?}");
    };
    let mut lease = claim(&store, &name("a")).await;
    in_order("claim");
    store.commit(&mut lease, record(vec![1; 90_000])).await.expect("commits");
    in_order("commit");
    store.take_up(&mut lease).await.expect("marks");
    in_order("mark");
    store.take_up(&mut lease).await.expect("stands already");
    assert!(taken().is_empty(), "nothing was written");
    let reference = lease.head.current().expect("saved").clone();
    store.quarantine(&name("a"), &reference, "why").await.expect("is kept");
    assert_eq!(taken(), std::slice::from_ref(&file));
    store.quarantine(&name("a"), &reference, "why").await.expect("is kept already");
    assert!(taken().is_empty(), "nothing was written");
}

#[tokio::test]
async fn commits_that_wait_together_share_their_syncs() {
    let dir = tempfile::tempdir().expect("a directory");
    let syncs = Arc::new(AtomicUsize::new(0));
    let gate: Arc<Mutex<Option<std_mpsc::Receiver<()>>>> = Arc::default();
    let disk = Disk::with_faults({
        let (syncs, gate) = (syncs.clone(), gate.clone());
        move |_| {
            syncs.fetch_add(1, Ordering::SeqCst);
            // Waits until the other end is dropped.
            gate.lock().expect("the gate").take().map(|held| held.recv());
            Ok(())
        }
    });
    let (store, _) = open(dir.path(), disk);
    let store = Arc::new(store);
    let mut leases = Vec::new();
    for n in 0..64 {
        leases.push(claim(&store, &name(&format!("a/{n}"))).await);
    }
    // One commit holds the thread in its first sync until all the others wait.
    let (held, wait) = std_mpsc::channel();
    *gate.lock().expect("the gate") = Some(wait);
    let before = syncs.load(Ordering::SeqCst);
    let mut tasks = Vec::new();
    for mut lease in leases {
        let store = store.clone();
        tasks.push(tokio::spawn(async move { store.commit(&mut lease, record(vec![2])).await }));
        while syncs.load(Ordering::SeqCst) == before {
            tokio::task::yield_now().await;
        }
    }
    while store.front.waiting() < 63 {
        tokio::task::yield_now().await;
    }
    drop(held);
    for task in tasks {
        task.await.expect("runs").expect("commits");
    }
    assert_eq!(syncs.load(Ordering::SeqCst) - before, 4, "64 commits in two batches");
}

#[tokio::test]
async fn a_record_that_was_changed_or_cut_is_told_and_kept() {
    const RECORDS: TableDefinition<'static, &[u8], &[u8]> = TableDefinition::new("records");
    let dir = tempfile::tempdir().expect("a directory");
    let (store, _) = open(dir.path(), Disk::default());
    let mut lease = claim(&store, &name("a")).await;
    store.commit(&mut lease, record(vec![7; 70_000])).await.expect("commits");
    store.close().await.expect("closes");
    let reference = lease.head.current().expect("saved").clone();

    let damage = |change: fn(Vec<u8>) -> Option<Vec<u8>>| {
        let db = Database::create(dir.path().join("store.redb")).expect("opens");
        let transaction = db.begin_write().expect("begins");
        {
            let mut table = transaction.open_table(RECORDS).expect("opens");
            let last = table.last().expect("reads").map(|(key, value)| (key.value().to_vec(), value.value().to_vec()));
            let (key, value) = last.expect("a chunk");
            match change(value) {
                Some(value) => drop(table.insert(key.as_slice(), value.as_slice()).expect("writes")),
                None => drop(table.remove(key.as_slice()).expect("removes")),
            }
        }
        transaction.commit().expect("commits");
    };
    damage(|mut value| {
        value[5] ^= 4;
        Some(value)
    });
    let (store, _) = open(dir.path(), Disk::default());
    let error = store.load(&name("a"), &reference).await.expect_err("damaged");
    assert!(matches!(&error, StoreError::Corrupt(RecordError::Checksum { .. })), "{error}");
    for why in ["first", "second"] {
        store.quarantine(&name("a"), &reference, why).await.expect("is kept");
    }
    store.close().await.expect("closes");

    damage(|_| None);
    let (store, _) = open(dir.path(), Disk::default());
    let error = store.load(&name("a"), &reference).await.expect_err("cut short");
    assert!(matches!(&error, StoreError::Corrupt(RecordError::Cut { found: 64_000, .. })), "{error}");
    let kept = store.quarantined(&name("a")).await.expect("answers");
    assert_eq!(kept.len(), 1, "once is enough");
    assert_eq!((kept[0].why.as_str(), kept[0].found.len() as u64), ("first", reference.bytes));
    assert!(head::verify(&name("a"), &reference, &kept[0].found).is_err(), "as it was found");
}

#[tokio::test]
async fn a_file_that_is_mostly_room_is_made_smaller_when_nobody_waits() {
    let dir = tempfile::tempdir().expect("a directory");
    let (store, _) = open(dir.path(), Disk::default());
    let mut leases = Vec::new();
    for n in 0..40u8 {
        let mut lease = claim(&store, &name(&format!("large/{n}"))).await;
        store.commit(&mut lease, record(vec![n; 1 << 20])).await.expect("commits");
        leases.push(lease);
    }
    let before = store.disk_bytes().await.expect("answers").expect("it has files");
    assert!(before > 40 << 20, "{before}");
    for lease in &mut leases[1..] {
        store.forget(lease).await.expect("is forgotten");
    }
    let path = dir.path().join("store.redb");
    let limit = Instant::now() + Duration::from_secs(20);
    while std::fs::metadata(&path).expect("is there").len() > 4 << 20 {
        assert!(Instant::now() < limit, "it stayed as large as it was");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let left = &leases[0];
    let loaded = store.load(&left.actor, left.head.current().expect("saved")).await.expect("loads");
    assert_eq!(loaded.data, vec![0; 1 << 20]);
    store.close().await.expect("closes");
    let (_store, opened) = open(dir.path(), Disk::default());
    assert_eq!(opened.actors, 40);
}
