//! A store that fails while its host runs.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

use super::*;

/// A disk all of whose syncs fail while the switch is on.
fn failing() -> (Disk, Arc<AtomicBool>) {
    let switch = Arc::new(AtomicBool::new(false));
    let fails = switch.clone();
    let disk = Disk::with_faults(move |_| match fails.load(Ordering::SeqCst) {
        true => Err(io::Error::from_raw_os_error(5)),
        false => Ok(()),
    });
    (disk, switch)
}

/// Waits until the store's word about an actor is as wanted.
async fn until(store: &SledStore, what: &str, wanted: impl Fn(&Result<Option<Head>, StoreError>) -> bool) {
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

/// Waits until an attempt to open has failed and the next one is some time away.
async fn until_it_waits(store: &SledStore) {
    until(store, "a long pause", |found| found.as_ref().is_err_and(|error| error.to_string().contains("in 1.6s")))
        .await;
}

async fn until_open(store: &SledStore) {
    until(store, "the store is open again", Result::is_ok).await;
}

fn data_file(dir: &Path) -> u64 {
    fs::metadata(dir.join("store/db")).expect("is there").ino()
}

fn names(dir: &Path) -> Vec<String> {
    let entries = fs::read_dir(dir).expect("reads").map(|entry| entry.expect("reads").file_name());
    let mut names: Vec<_> = entries.map(|name| name.into_string().expect("text")).collect();
    names.sort();
    names
}

const ALL_THERE_IS: [&str; 3] = ["store", "store.lock", "store.witness"];

/// Commits until one fails.
async fn fail(store: &SledStore, lease: &mut Lease, switch: &AtomicBool) -> StoreError {
    switch.store(true, Ordering::SeqCst);
    store.commit(lease, record(vec![9; 9_000])).await.expect_err("the disk fails")
}

#[tokio::test]
async fn a_panic_of_sleds_is_a_failed_store_that_is_opened_again() {
    let dir = tempfile::tempdir().expect("a directory");
    let (store, _) = open(dir.path(), Disk::default());
    let mut lease = claim(&store, &name("a")).await;
    store.commit(&mut lease, record(vec![1])).await.expect("commits");
    let before = data_file(dir.path());
    for round in 2..5 {
        store.front.hand_in_panic().await;
        // Whatever is asked from here on is refused, or answered by the store that was opened again.
        until_open(&store).await;
        store.commit(&mut lease, record(vec![round])).await.expect("commits");
        assert_eq!(store.load(&name("a"), lease.head.current().expect("saved")).await.expect("loads").data, [round]);
    }
    assert_eq!(data_file(dir.path()), before, "no sync had failed: the files are the same");
    store.close().await.expect("closes");
}

#[tokio::test]
async fn after_a_failed_sync_the_store_serves_again_from_new_files_once_the_disk_is_well() {
    let dir = tempfile::tempdir().expect("a directory");
    let (disk, switch) = failing();
    let (store, _) = open(dir.path(), disk);
    let mut lease = claim(&store, &name("a")).await;
    let mut other = claim(&store, &name("b")).await;
    store.commit(&mut lease, record(vec![1; 9_000])).await.expect("commits");
    store.commit(&mut other, record(vec![2])).await.expect("commits");
    store.quarantine(&name("b"), other.head.current().expect("saved"), "why").await.expect("is kept");
    let before = data_file(dir.path());

    fail(&store, &mut lease, &switch).await;
    until_it_waits(&store).await;
    let error = store.commit(&mut other, record(vec![3])).await.expect_err("it is not open");
    assert!(matches!(&error, StoreError::Unavailable(why) if why.contains("Input/output error")), "{error}");
    switch.store(false, Ordering::SeqCst);
    until_open(&store).await;
    assert_ne!(data_file(dir.path()), before, "what the kernel shows of the old files need not be on the disk");
    assert_eq!(names(dir.path()), ALL_THERE_IS);

    let mut lease = claim(&store, &name("a")).await;
    assert!((1..=2).contains(&lease.head.sequence), "{lease:?}");
    for reference in lease.head.records.clone() {
        store.load(&name("a"), &reference).await.expect("loads");
    }
    store.commit(&mut lease, record(vec![4])).await.expect("commits");
    store.commit(&mut other, record(vec![5])).await.expect("a lease is still good");
    assert_eq!(store.quarantined(&name("b")).await.expect("answers").len(), 1);
    // The second time as well as the first.
    fail(&store, &mut lease, &switch).await;
    switch.store(false, Ordering::SeqCst);
    until_open(&store).await;
    store.close().await.expect("closes");
    let (store, opened) = open(dir.path(), Disk::default());
    assert_eq!((opened.actors, opened.notes.len()), (2, 0));
    assert_eq!(claim(&store, &name("b")).await.head.records, other.head.records);
}

#[tokio::test]
async fn a_host_that_ends_after_a_failed_sync_leaves_word_to_the_next_one() {
    let dir = tempfile::tempdir().expect("a directory");
    let (disk, switch) = failing();
    let (store, _) = open(dir.path(), disk);
    let mut lease = claim(&store, &name("a")).await;
    store.commit(&mut lease, record(vec![1])).await.expect("commits");
    fail(&store, &mut lease, &switch).await;
    let error = store.close().await.expect_err("it has failed");
    assert!(error.to_string().contains("Input/output error"), "{error}");

    let mut files = vec![data_file(dir.path())];
    for fails_first in [false, false, true, false] {
        if fails_first {
            let (disk, switch) = failing();
            switch.store(true, Ordering::SeqCst);
            let refused = SledStore::open_on(dir.path(), &SledOptions::default(), disk).map(drop).expect_err("fails");
            assert!(matches!(refused, OpenError::Io { .. }), "{refused}");
        }
        let (store, opened) = open(dir.path(), Disk::default());
        assert!(!opened.created && opened.recovered.is_none() && opened.notes.is_empty(), "{opened:?}");
        assert!(store.head(&name("a")).await.expect("answers").expect("a head").0.sequence >= 1);
        store.close().await.expect("closes");
        files.push(data_file(dir.path()));
        assert_eq!(names(dir.path()), ALL_THERE_IS);
    }
    let renewed: Vec<bool> = files.windows(2).map(|files| files[0] != files[1]).collect();
    assert_eq!(renewed, [true, false, true, false], "once, and once more after a start that failed: {files:?}");
}

#[tokio::test]
async fn a_store_that_holds_less_than_was_acknowledged_stays_closed() {
    let dir = tempfile::tempdir().expect("a directory");
    let (place, older) = (dir.path().join("store"), dir.path().join("older"));
    let (store, _) = open(dir.path(), Disk::default());
    let mut lease = claim(&store, &name("a")).await;
    store.commit(&mut lease, record(vec![1])).await.expect("commits");
    store.close().await.expect("closes");
    fs::create_dir(&older).expect("makes");
    fs::copy(place.join("db"), older.join("db")).expect("copies");
    fs::copy(place.join("conf"), older.join("conf")).expect("copies");

    let (disk, switch) = failing();
    let (store, _) = open(dir.path(), disk);
    let mut lease = claim(&store, &name("a")).await;
    store.commit(&mut lease, record(vec![2])).await.expect("commits");
    fail(&store, &mut lease, &switch).await;
    until_it_waits(&store).await;
    fs::remove_dir_all(&place).expect("removes");
    fs::rename(&older, &place).expect("puts the older one in its place");
    switch.store(false, Ordering::SeqCst);
    let stays = |found: &Result<_, StoreError>| match found {
        Err(error) => error.to_string().contains("stays closed"),
        Ok(head) => panic!("an older store was taken for the newest: {head:?}"),
    };
    until(&store, "it stays closed", stays).await;
    let error = store.commit(&mut lease, record(vec![3])).await.expect_err("closed").to_string();
    assert!(error.contains("its witness knows of 4 writes") && error.contains("--recover"), "{error}");
    store.close().await.expect_err("it has failed");

    let refused = SledStore::open(dir.path(), &SledOptions::default()).map(drop).expect_err("and it is free");
    assert!(matches!(refused, OpenError::Damaged { .. }), "{refused}");
}

#[tokio::test]
async fn a_current_record_that_was_damaged_meanwhile_is_found_and_one_known_as_such_is_not_in_the_way() {
    for known in [false, true] {
        let dir = tempfile::tempdir().expect("a directory");
        let (disk, switch) = failing();
        let (store, _) = open(dir.path(), disk);
        let mut lease = claim(&store, &name("a")).await;
        store.commit(&mut lease, record(vec![1; 9_000])).await.expect("commits");
        let mut other = claim(&store, &name("b")).await;
        if known {
            store.quarantine(&name("a"), lease.head.current().expect("saved"), "why").await.expect("is kept");
        }
        fail(&store, &mut other, &switch).await;
        until_it_waits(&store).await;
        let db = ::sled::open(dir.path().join("store")).expect("nobody has it open between two attempts");
        let chunks = db.open_tree("chunks").expect("opens");
        let (key, mut value) = chunks.scan_prefix("a").last().expect("a chunk").expect("reads");
        value[5] ^= 4;
        chunks.insert(key, value).expect("writes");
        drop((chunks, db));
        switch.store(false, Ordering::SeqCst);
        if known {
            until_open(&store).await;
            store.close().await.expect("closes");
        } else {
            let stays = |found: &Result<_, StoreError>| {
                found.as_ref().is_err_and(|error| error.to_string().contains("`a`: its record 1"))
            };
            until(&store, "it stays closed", stays).await;
            store.close().await.expect_err("it has failed");
        }
    }
}
