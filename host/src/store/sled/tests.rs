//! What can only be seen from within: failing syncs, panics, crashes between two steps.

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

mod reopen;

use super::super::head::Step;
use super::super::{
    Cause, DEFAULT_HISTORY, Head, Image, Lease, MemoryStore, NewRecord, Origination, RecordError, SnapshotStore,
    StoreError, Traffic,
};
use super::tables::{Marks, Tables};
use super::*;
use crate::model::{ActorName, Digest, PluginName, Version};

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

fn open(dir: &Path, disk: Disk) -> (SledStore, Opened) {
    SledStore::open_on(dir, &SledOptions::default(), disk).expect("opens")
}

async fn claim(store: &SledStore, actor: &ActorName) -> Lease {
    let revision = store.head(actor).await.expect("answers").map(|(_, revision)| revision);
    store.claim(actor, revision, "host").await.expect("claims")
}

#[tokio::test]
async fn a_sync_that_fails_fails_the_store_and_loses_nothing_acknowledged() {
    let dir = tempfile::tempdir().expect("a directory");
    let actor = name("a");
    let mut acknowledged = 0;
    // Each round fails one sync later than the round before, so that every one of a commit's has its turn.
    for syncs in 0..24 {
        let left = Arc::new(AtomicUsize::new(usize::MAX));
        let counter = left.clone();
        let disk = Disk::with_faults(move |_| {
            match counter.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |n| n.checked_sub(1)) {
                Ok(_) => Ok(()),
                Err(_) => Err(io::Error::from(io::ErrorKind::StorageFull)),
            }
        });
        let (store, opened) = open(dir.path(), disk);
        let mut lease = claim(&store, &actor).await;
        let found = lease.head.sequence;
        assert!((acknowledged..=acknowledged + 1).contains(&found), "{acknowledged} were acknowledged, {found} found");
        assert!(opened.recovered.is_none());
        acknowledged = found;

        left.store(syncs, Ordering::SeqCst);
        let error = loop {
            match store.commit(&mut lease, record(vec![1; 9_000])).await {
                Ok(_) => acknowledged += 1,
                Err(error) => break error,
            }
        };
        assert!(matches!(error, StoreError::Unknown(_) | StoreError::Unavailable(_)), "{error}");
        for _ in 0..2 {
            let after = store.head(&actor).await.expect_err("it has failed").to_string();
            assert!(after.contains("opened again") && after.contains("storage"), "{after}");
        }
        let reference = lease.head.current().cloned();
        store.close().await.expect_err("it has failed");
        if let Some(reference) = reference {
            let (store, _) = open(dir.path(), Disk::default());
            store.load(&actor, &reference).await.expect("what was acknowledged can be read");
            store.close().await.expect("closes");
        }
    }
}

/// A disk that notes what is synced.
fn noting() -> (Disk, Arc<Mutex<Vec<PathBuf>>>) {
    let synced: Arc<Mutex<Vec<PathBuf>>> = Arc::default();
    let notes = synced.clone();
    let note = move |path: &Path| {
        notes.lock().expect("the notes").push(path.to_owned());
        Ok(())
    };
    (Disk::with_faults(note), synced)
}

#[tokio::test]
async fn every_step_is_on_the_disk_before_the_next_and_all_before_the_answer() {
    let dir = tempfile::tempdir().expect("a directory");
    let (disk, synced) = noting();
    let (store, _) = open(dir.path(), disk);
    let taken = || std::mem::take(&mut *synced.lock().expect("the notes"));
    taken();
    let (data, names) = (dir.path().join("store/db"), dir.path().join("store"));
    let witness = dir.path().join("store.witness");

    let mut lease = claim(&store, &name("a")).await;
    assert_eq!(taken(), [&data, &witness].map(Clone::clone), "head, witness");
    store.commit(&mut lease, record(vec![1; 9_000])).await.expect("commits");
    assert_eq!(taken(), [&data, &witness].map(Clone::clone), "chunks with the head, witness");
    store.commit(&mut lease, record(vec![1; 600_000])).await.expect("commits");
    assert_eq!(taken(), [&data, &data, &witness].map(Clone::clone), "chunks, head, witness");
    store.take_up(&mut lease).await.expect("marks");
    assert_eq!(taken(), [&data, &witness].map(Clone::clone), "head, witness");
    store.take_up(&mut lease).await.expect("stands already");
    assert!(taken().is_empty(), "nothing was written");
    let reference = lease.head.current().expect("saved").clone();
    store.quarantine(&name("a"), &reference, "why").await.expect("is kept");
    assert_eq!(taken(), [&data, &data].map(Clone::clone), "the copy, what it is");

    // A file that comes, as sled's snapshots do, and one that goes.
    for change in [|file: &Path| std::fs::write(file, b"new"), |file: &Path| std::fs::remove_file(file)] {
        change(&names.join("snap.of-a-test")).expect("a change in the directory");
        store.commit(&mut lease, record(vec![1])).await.expect("commits");
        assert_eq!(taken(), [&data, &names, &witness].map(Clone::clone), "what is new in the directory, too");
        store.commit(&mut lease, record(vec![1])).await.expect("commits");
        assert_eq!(taken(), [&data, &witness].map(Clone::clone), "and nothing more of it");
    }
}

#[tokio::test]
async fn after_opening_everything_has_been_synced_once() {
    fn all(dir: &Path, found: &mut Vec<PathBuf>) {
        found.push(dir.to_owned());
        for entry in std::fs::read_dir(dir).expect("reads") {
            let path = entry.expect("reads").path();
            if path.is_dir() { all(&path, found) } else { found.push(path) }
        }
    }
    let dir = tempfile::tempdir().expect("a directory");
    let data_dir = dir.path().join("data");
    // Once new, once with what sled makes of an older one.
    for new in [true, false] {
        let (disk, synced) = noting();
        let (store, opened) = open(&data_dir, disk);
        assert_eq!(opened.created, new);
        let mut expected = vec![data_dir.clone(), data_dir.join("store.witness.new")];
        expected.extend(new.then(|| dir.path().to_owned()));
        all(&data_dir.join("store"), &mut expected);
        let synced = synced.lock().expect("the notes").clone();
        for path in expected {
            assert!(synced.contains(&path), "{} was not synced", path.display());
        }
        store.close().await.expect("closes");
    }
}

#[tokio::test]
async fn what_a_crash_leaves_between_two_steps_is_cleaned_up() {
    let dir = tempfile::tempdir().expect("a directory");
    let (store, _) = open(dir.path(), Disk::default());
    let mut lease = claim(&store, &name("a")).await;
    store.commit(&mut lease, record(vec![1; 10_000])).await.expect("commits");
    let (ahead, bytes) = head::seal(&lease, record(vec![2; 10_000]), usize::MAX).expect("seals");
    store.close().await.expect("closes");

    // A crash after the chunks and before the head; and one after the head that named it, before its mark was taken.
    let tables = Tables::open(&dir.path().join("store"), 1 << 20, &Disk::default()).expect("opens");
    let orphan = super::super::keys::of_record(&name("a"), &ahead);
    let named = super::super::keys::of_record(&name("a"), lease.head.current().expect("saved"));
    tables.write_records([(orphan, bytes.as_slice())].into_iter()).expect("writes");
    tables.write_records([(named, [].as_slice())].into_iter()).expect("marks");
    assert_eq!(tables.read_record(&name("a"), &ahead).expect("reads"), bytes);
    drop(tables);

    let (store, opened) = open(dir.path(), Disk::default());
    assert_eq!(opened.orphans, 1);
    let kept = store.load(&name("a"), lease.head.current().expect("saved")).await.expect("loads");
    assert_eq!(kept.data, vec![1; 10_000]);
    store.close().await.expect("closes");

    let tables = Tables::open(&dir.path().join("store"), 1 << 20, &Disk::default()).expect("opens");
    assert_eq!(tables.read_record(&name("a"), &ahead).expect("reads"), b"");
    assert_eq!(tables.delete_orphans().expect("looks"), 0, "nothing is left to clean up");
}

#[tokio::test]
async fn records_that_drop_out_of_the_history_leave_nothing_behind() {
    let dir = tempfile::tempdir().expect("a directory");
    let (store, _) = open(dir.path(), Disk::default());
    let mut lease = claim(&store, &name("a")).await;
    let mut all = Vec::new();
    for n in 0..6 {
        store.commit(&mut lease, record(vec![n; 10_000])).await.expect("commits");
        all.push(lease.head.current().expect("saved").clone());
    }
    store.close().await.expect("closes");
    let tables = Tables::open(&dir.path().join("store"), 1 << 20, &Disk::default()).expect("opens");
    let found: Vec<bool> = all.iter().map(|r| !tables.read_record(&name("a"), r).expect("reads").is_empty()).collect();
    assert_eq!(found, [false, false, false, true, true, true]);
}

#[tokio::test]
async fn commits_that_wait_together_share_their_barriers() {
    let dir = tempfile::tempdir().expect("a directory");
    let syncs = Arc::new(AtomicUsize::new(0));
    let gate: Arc<Mutex<Option<std::sync::mpsc::Receiver<()>>>> = Arc::default();
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
    let mut alone = leases.pop().expect("64");
    let before = syncs.load(Ordering::SeqCst);
    store.commit(&mut alone, record(vec![1])).await.expect("commits");
    let for_one = syncs.load(Ordering::SeqCst) - before;

    // One commit holds the thread in its first sync until all the others wait.
    let (held, wait) = std::sync::mpsc::channel();
    *gate.lock().expect("the gate") = Some(wait);
    let before = syncs.load(Ordering::SeqCst);
    let mut tasks = Vec::new();
    for mut lease in std::iter::once(alone).chain(leases) {
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
    assert_eq!(syncs.load(Ordering::SeqCst) - before, 2 * for_one, "64 commits in two batches");
}

#[tokio::test]
async fn a_chunk_that_was_changed_or_is_gone_is_told_and_kept() {
    let dir = tempfile::tempdir().expect("a directory");
    let (store, _) = open(dir.path(), Disk::default());
    let mut lease = claim(&store, &name("a")).await;
    store.commit(&mut lease, record(vec![7; 10_000])).await.expect("commits");
    store.close().await.expect("closes");
    let reference = lease.head.current().expect("saved").clone();
    let path = dir.path().join("store");

    let damage = |change: &dyn Fn(&::sled::Tree)| {
        let db = ::sled::open(&path).expect("opens");
        change(&db.open_tree("chunks").expect("opens"));
        db.flush().expect("flushes");
    };
    let last = |tree: &::sled::Tree| tree.last().expect("reads").expect("a chunk");
    damage(&|tree| {
        let (key, mut value) = last(tree);
        value[5] ^= 4;
        tree.insert(key, value).expect("writes");
    });
    let (store, _) = open(dir.path(), Disk::default());
    let error = store.load(&name("a"), &reference).await.expect_err("damaged");
    assert!(matches!(&error, StoreError::Corrupt(RecordError::Checksum { .. })), "{error}");
    for why in ["first", "second"] {
        store.quarantine(&name("a"), &reference, why).await.expect("is kept");
    }
    store.close().await.expect("closes");

    damage(&|tree| drop(tree.remove(last(tree).0).expect("removes")));
    let (store, _) = open(dir.path(), Disk::default());
    let error = store.load(&name("a"), &reference).await.expect_err("cut short");
    assert!(matches!(&error, StoreError::Corrupt(RecordError::Cut { found: 8_192, .. })), "{error}");
    let kept = store.quarantined(&name("a")).await.expect("answers");
    assert_eq!(kept.len(), 1, "once is enough");
    assert_eq!((kept[0].why.as_str(), kept[0].found.len() as u64), ("first", reference.bytes));
    assert!(head::verify(&name("a"), &reference, &kept[0].found).is_err(), "as it was found");
}

#[tokio::test]
async fn what_is_put_and_not_kept_takes_no_room() {
    let from = MemoryStore::new().with_history(4);
    let mut lease = from.claim(&name("a"), None, "host").await.expect("claims");
    let mut records = Vec::new();
    for n in 0..4 {
        from.commit(&mut lease, record(vec![n; 9_000])).await.expect("commits");
    }
    for reference in &lease.head.records {
        records.push(from.read(&name("a"), reference).await.expect("reads"));
    }
    let dir = tempfile::tempdir().expect("a directory");
    let options = SledOptions { history_records: 2, ..SledOptions::default() };
    let (store, _) = SledStore::open_on(dir.path(), &options, Disk::default()).expect("opens");
    let image = Image { head: lease.head, records, quarantine: vec![] };
    store.put(&name("a"), None, image).await.expect("puts");
    store.close().await.expect("closes");
    let db = ::sled::open(dir.path().join("store")).expect("opens");
    assert_eq!(db.open_tree("chunks").expect("opens").len(), 2 * 3, "three chunks of each of two records");
}

#[tokio::test]
async fn an_actor_whose_head_is_damaged_does_not_hide_the_others() {
    let dir = tempfile::tempdir().expect("a directory");
    let tables = Tables::open(&dir.path().join("store"), 1 << 20, &Disk::default()).expect("opens");
    let mut totals = witness::Totals { heads: 2, writes: 2, ..witness::Totals::new([1; 16]) };
    let good = head::encode(
        &head::apply(None, &Step::Claim { expect: None, owner: "h".to_owned(), wakes: false }, 1, DEFAULT_HISTORY)
            .expect("ok")
            .head,
    );
    let heads = [(name("bad"), b"nonsense".to_vec()), (name("good"), good)];
    heads.iter().for_each(|(actor, bytes)| totals.toggle(actor.as_str().as_bytes(), bytes));
    tables.write_heads(&heads, &totals, &Marks::NONE).expect("writes");
    drop(tables);

    let (store, opened) = open(dir.path(), Disk::default());
    assert_eq!(opened.notes.len(), 2, "there was no witness, and one head is damaged: {:?}", opened.notes);
    assert!(matches!(store.head(&name("bad")).await, Err(StoreError::Corrupt(RecordError::Head(_)))));
    assert!(matches!(store.claim(&name("bad"), None, "h").await, Err(StoreError::Corrupt(RecordError::Head(_)))));
    let listed = store.list(None, 10).await.expect("answers");
    let listed: Vec<_> = listed.iter().map(|(actor, head)| (actor.as_str(), head.is_ok())).collect();
    assert_eq!(listed, [("bad", false), ("good", true)]);
}
