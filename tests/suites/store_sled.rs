//! The store on disk: other processes, and damage from outside. What backends have in common here is in `under_fire`.

use std::fs;
use std::path::Path;

use baton_host::store::{OpenError, Opened, RecordError, SledOptions, SledStore, SnapshotStore, StoreError};

use crate::store_conformance::{claim, name, record};
use crate::under_fire::{SLED, Writer};

fn open(dir: &Path) -> Result<(SledStore, Opened), OpenError> {
    SledStore::open(dir, &SledOptions::default())
}

fn recover(dir: &Path) -> Result<(SledStore, Opened), OpenError> {
    SledStore::open(dir, &SledOptions { recover: true, ..SledOptions::default() })
}

#[tokio::test]
async fn a_directory_in_use_names_the_process() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut child = Writer::new(&SLED, dir.path()).start();
    assert!(child.lines().any(|line| line.ends_with("open")), "the child opened its store");
    for options in [SledOptions::default(), SledOptions { recover: true, ..SledOptions::default() }] {
        let error = SledStore::open(dir.path(), &options).map(drop).expect_err("in use");
        assert!(matches!(&error, OpenError::InUse { pid: Some(pid), .. } if *pid == child.id()), "{error}");
        assert!(error.to_string().contains(&format!("by process {}", child.id())), "{error}");
    }
    drop(child);

    let (store, _) = open(dir.path()).expect("a lock ends with its process");
    let error = open(dir.path()).map(drop).expect_err("in use by this process");
    assert!(matches!(error, OpenError::InUse { pid: Some(pid), .. } if pid == std::process::id()));
    store.close().await.expect("closes");
    open(dir.path()).map(drop).expect("free as soon as the close is answered");
}

/// A store with three actors of two records each.
async fn filled(dir: &Path) {
    let (store, opened) = open(dir).expect("opens");
    assert!(opened.created);
    for n in 0..3 {
        let mut lease = claim(&store, &name(&format!("a/{n}")), "host").await;
        for round in 0..2 {
            store.commit(&mut lease, record(vec![n * 10 + round; 20_000])).await.expect("commits");
        }
    }
    store.close().await.expect("closes");
}

async fn holds(store: &SledStore, actors: u8) {
    for n in 0..actors {
        let actor = name(&format!("a/{n}"));
        let (head, _) = store.head(&actor).await.expect("answers").expect("it is there");
        assert_eq!(head.records.len(), 2);
        for (reference, round) in head.records.iter().zip([1, 0]) {
            assert!(store.load(&actor, reference).await.expect("loads").data == vec![n * 10 + round; 20_000]);
        }
    }
}

#[tokio::test]
async fn everything_is_there_again_after_a_reopen() {
    let dir = tempfile::tempdir().expect("a directory");
    filled(dir.path()).await;
    for _ in 0..3 {
        let (store, opened) = open(dir.path()).expect("opens");
        assert_eq!((opened.created, opened.actors, opened.writes, opened.orphans), (false, 3, 9, 0));
        assert!(opened.notes.is_empty(), "{opened:?}");
        holds(&store, 3).await;
        store.close().await.expect("closes");
    }
    use std::os::unix::fs::PermissionsExt;
    let fresh = dir.path().join("deep/er");
    open(&fresh).map(drop).expect("makes the directory");
    assert_eq!(fs::metadata(&fresh).expect("is there").permissions().mode() & 0o777, 0o700);
}

#[tokio::test]
async fn large_records_make_no_files_that_sled_does_not_sync() {
    let dir = tempfile::tempdir().expect("a directory");
    let (store, _) = open(dir.path()).expect("opens");
    for n in 0..4 {
        let mut lease = claim(&store, &name(&format!("large/{n}")), "host").await;
        store.commit(&mut lease, record(vec![n; 5 << 20])).await.expect("commits");
    }
    let blobs = fs::read_dir(dir.path().join("store/blobs")).expect("sled makes it").count();
    assert_eq!(blobs, 0);
}

/// Opens twice without recovery, to see that a refusal changes nothing, then with it.
async fn damaged_then_recovered(dir: &Path, case: &str) -> (SledStore, Opened) {
    for _ in 0..2 {
        let error = open(dir).map(drop).expect_err(case);
        assert!(matches!(&error, OpenError::Damaged { .. }), "{case}: {error}");
        let text = error.to_string();
        assert!(text.contains("--recover") && text.contains(&dir.display().to_string()), "{case}: {text}");
    }
    let (store, opened) = recover(dir).unwrap_or_else(|error| panic!("{case}: {error}"));
    let recovered = opened.recovered.clone().expect(case);
    assert!(recovered.aside.iter().all(|path| path.exists()), "{case}: {recovered:?}");
    (store, opened)
}

/// It can be written, closed, and opened as if nothing had been.
async fn goes_on(store: SledStore, dir: &Path) {
    let mut lease = claim(&store, &name("new"), "host").await;
    store.commit(&mut lease, record(vec![5])).await.expect("commits");
    store.close().await.expect("closes");
    let (store, opened) = open(dir).expect("opens");
    assert!(opened.recovered.is_none() && opened.notes.is_empty(), "{opened:?}");
    assert_eq!(store.head(&name("new")).await.expect("answers").expect("a head").0, lease.head);
    store.close().await.expect("closes");
}

#[tokio::test]
async fn a_store_that_is_gone_is_not_taken_for_a_new_one() {
    for emptied in [false, true] {
        let dir = tempfile::tempdir().expect("a directory");
        filled(dir.path()).await;
        fs::remove_dir_all(dir.path().join("store")).expect("removes");
        if emptied {
            fs::create_dir(dir.path().join("store")).expect("makes");
        }
        let (store, opened) = damaged_then_recovered(dir.path(), "gone").await;
        let recovered = opened.recovered.expect("recovered");
        assert_eq!((opened.actors, recovered.actors), (0, 0));
        assert!(recovered.lost.iter().any(|line| line.contains("3 of 3 actors")), "{recovered:?}");
        goes_on(store, dir.path()).await;
    }
}

#[tokio::test]
async fn a_store_that_is_older_than_its_witness_is_found_out_and_what_it_has_is_kept() {
    let dir = tempfile::tempdir().expect("a directory");
    filled(dir.path()).await;
    let copy = dir.path().join("copy");
    copy_dir(&dir.path().join("store"), &copy);
    let (store, _) = open(dir.path()).expect("opens");
    let mut lease = claim(&store, &name("later"), "host").await;
    store.commit(&mut lease, record(vec![1])).await.expect("commits");
    store.close().await.expect("closes");
    fs::remove_dir_all(dir.path().join("store")).expect("removes");
    fs::rename(&copy, dir.path().join("store")).expect("puts the older one in its place");

    let (store, opened) = damaged_then_recovered(dir.path(), "older").await;
    let recovered = opened.recovered.expect("recovered");
    assert_eq!(recovered.actors, 3);
    let lost = recovered.lost.join("\n");
    assert!(lost.contains("the last 2 of 11 writes") && lost.contains("1 of 4 actors"), "{lost}");
    holds(&store, 3).await;
    assert_eq!(store.head(&name("later")).await, Ok(None));
    goes_on(store, dir.path()).await;
}

#[tokio::test]
async fn a_recovery_that_was_cut_short_can_be_done_again() {
    let dir = tempfile::tempdir().expect("a directory");
    let place = |name: &str| dir.path().join(name);
    filled(dir.path()).await;
    // Cut short while it built the new store; then after it was put in place, and before the witness knew.
    fs::copy(place("store.witness"), place("old.witness")).expect("copies");
    fs::create_dir_all(place("store.recovering/blobs")).expect("makes");
    fs::write(place("store.recovering/db"), b"half of it").expect("writes");
    fs::write(place("store.witness"), b"nonsense").expect("writes");
    let (store, opened) = damaged_then_recovered(dir.path(), "half built").await;
    let aside = opened.recovered.expect("recovered").aside;
    assert_eq!(aside.len(), 3, "the unfinished one, the old one, its witness: {aside:?}");
    holds(&store, 3).await;
    store.close().await.expect("closes");

    fs::copy(place("old.witness"), place("store.witness")).expect("copies");
    let (store, opened) = damaged_then_recovered(dir.path(), "not yet witnessed").await;
    assert_eq!(opened.recovered.expect("recovered").actors, 3);
    holds(&store, 3).await;
    goes_on(store, dir.path()).await;
}

fn copy_dir(from: &Path, to: &Path) {
    fs::create_dir(to).expect("makes");
    for entry in fs::read_dir(from).expect("reads") {
        let path = entry.expect("reads").path();
        let target = to.join(path.file_name().expect("has a name"));
        if path.is_dir() {
            copy_dir(&path, &target);
        } else {
            fs::copy(&path, &target).expect("copies");
        }
    }
}

#[tokio::test]
async fn a_damaged_directory_stops_the_start_whatever_sled_makes_of_it() {
    let dir = tempfile::tempdir().expect("a directory");
    filled(dir.path()).await;
    let pristine = dir.path().join("pristine");
    fs::create_dir(&pristine).expect("makes");
    copy_dir(&dir.path().join("store"), &pristine.join("store"));
    fs::copy(dir.path().join("store.witness"), pristine.join("store.witness")).expect("copies");

    let db = |dir: &Path| fs::read(dir.join("store/db")).expect("reads");
    type Damage = fn(Vec<u8>) -> Vec<u8>;
    let cases: [(&str, Damage); 5] = [
        ("emptied", |_| vec![]),
        ("cut short", |bytes| bytes[..bytes.len() / 3].to_vec()),
        ("zeros", |bytes| vec![0; bytes.len()]),
        ("noise", |bytes| {
            bytes.iter().enumerate().map(|(i, b)| b ^ u8::try_from(i * 7 % 255).expect("small")).collect()
        }),
        ("zeros in the middle", |mut bytes| {
            let third = bytes.len() / 3;
            bytes[third..2 * third].fill(0);
            bytes
        }),
    ];
    for (case, damage) in cases {
        let dir = tempfile::tempdir().expect("a directory");
        copy_dir(&pristine.join("store"), &dir.path().join("store"));
        fs::copy(pristine.join("store.witness"), dir.path().join("store.witness")).expect("copies");
        // Without the snapshots that sled makes at opening, which would hide what it reads from the log.
        fs::write(dir.path().join("store/db"), damage(db(&pristine))).expect("damages");
        let (store, opened) = damaged_then_recovered(dir.path(), case).await;
        let recovered = opened.recovered.expect("recovered");
        assert!(!recovered.lost.is_empty(), "{case}: {recovered:?}");
        goes_on(store, dir.path()).await;
    }
}

#[tokio::test]
async fn a_witness_that_is_damaged_stops_the_start_and_one_that_is_gone_is_told() {
    let dir = tempfile::tempdir().expect("a directory");
    filled(dir.path()).await;
    fs::write(dir.path().join("store.witness"), b"nonsense").expect("writes");
    let (store, opened) = damaged_then_recovered(dir.path(), "witness").await;
    assert_eq!((opened.actors, opened.recovered.expect("recovered").lost), (3, vec![]), "nothing is lost");
    holds(&store, 3).await;
    goes_on(store, dir.path()).await;

    fs::remove_file(dir.path().join("store.witness")).expect("removes");
    let (store, opened) = open(dir.path()).expect("opens");
    assert!(opened.notes.len() == 1 && opened.notes[0].contains("witness"), "{opened:?}");
    holds(&store, 3).await;
    store.close().await.expect("closes");
}

#[tokio::test]
async fn recovery_changes_nothing_where_all_is_well() {
    let dir = tempfile::tempdir().expect("a directory");
    filled(dir.path()).await;
    let (store, opened) = recover(dir.path()).expect("opens");
    assert_eq!((opened.recovered, opened.writes), (None, 9));
    holds(&store, 3).await;
    store.close().await.expect("closes");
    let names = fs::read_dir(dir.path()).expect("reads").map(|entry| entry.expect("reads").file_name());
    assert_eq!(names.count(), 3, "the store, its witness and its lock");
}

#[tokio::test]
async fn a_recovery_keeps_a_damaged_record_beside_its_head() {
    let dir = tempfile::tempdir().expect("a directory");
    filled(dir.path()).await;
    let db = loop {
        // A process that another test starts at this moment has the file open for an instant.
        match sled::open(dir.path().join("store")) {
            Err(error) if error.to_string().contains("acquire lock") => std::thread::yield_now(),
            opened => break opened.expect("opens"),
        }
    };
    let chunks = db.open_tree("chunks").expect("opens");
    let (key, mut value) = chunks.scan_prefix("a/1\0").last().expect("a chunk").expect("reads");
    value[100] ^= 1;
    chunks.insert(key, value).expect("writes");
    drop((chunks, db));
    fs::write(dir.path().join("store.witness"), b"nonsense").expect("writes");

    let (store, opened) = damaged_then_recovered(dir.path(), "record").await;
    let recovered = opened.recovered.expect("recovered");
    assert_eq!(recovered.actors, 3);
    assert!(matches!(recovered.lost.as_slice(), [line] if line.contains("`a/1`: record 2")), "{recovered:?}");
    let (head, _) = store.head(&name("a/1")).await.expect("answers").expect("kept");
    let damaged = store.load(&name("a/1"), &head.records[0]).await;
    assert!(matches!(damaged, Err(StoreError::Corrupt(RecordError::Checksum { .. }))), "{damaged:?}");
    store.load(&name("a/1"), &head.records[1]).await.expect("its parent is good");
}

#[test]
fn a_directory_that_cannot_be_used_is_named() {
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("file");
    fs::write(&file, b"").expect("writes");
    for unusable in [file.clone(), file.join("below")] {
        let error = open(&unusable).map(drop).expect_err("no directory");
        assert!(matches!(error, OpenError::Io { .. }), "{error}");
        assert!(error.to_string().contains(&unusable.display().to_string()), "{error}");
    }
    let store = dir.path().join("data");
    fs::create_dir(&store).expect("makes");
    fs::write(store.join("store"), b"").expect("writes");
    let error = open(&store).map(drop).expect_err("a file in the store's place");
    assert!(matches!(error, OpenError::Io { .. }), "{error}");
}
