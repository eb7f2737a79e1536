//! Embedded stores on disk: other processes, and damage from outside that each of them finds out alike. What one backend
//! has alone is in `store_sled` and `store_redb`; what is played against chance in `under_fire`.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use baton_host::store::{OpenError, Opened, SnapshotStore};

use crate::store_conformance::{claim, name, record};
use crate::under_fire::{Backend, Store, Writer, on_every_backend};

on_every_backend! {
    a_directory_in_use_names_the_process
    everything_is_there_again_after_a_reopen_and_is_its_owners_alone
    a_store_that_is_gone_is_not_taken_for_a_new_one
    a_store_that_is_older_than_its_witness_is_found_out_and_what_it_has_is_kept
    a_recovery_that_was_cut_short_can_be_done_again
    recovery_changes_nothing_where_all_is_well
    a_witness_that_is_damaged_stops_the_start_and_one_that_is_gone_is_told
    a_directory_that_cannot_be_used_is_named
}

/// A store with three actors of two records each.
pub(crate) async fn filled(backend: &Backend, dir: &Path) {
    let (store, opened) = (backend.told)(dir, false).expect("opens");
    assert!(opened.created);
    for n in 0..3 {
        let mut lease = claim(&*store, &name(&format!("a/{n}")), "host").await;
        for round in 0..2 {
            store.commit(&mut lease, record(vec![n * 10 + round; 20_000])).await.expect("commits");
        }
    }
    store.close().await.expect("closes");
}

pub(crate) async fn holds(store: &dyn SnapshotStore, actors: u8) {
    for n in 0..actors {
        let actor = name(&format!("a/{n}"));
        let (head, _) = store.head(&actor).await.expect("answers").expect("it is there");
        assert_eq!(head.records.len(), 2);
        for (reference, round) in head.records.iter().zip([1, 0]) {
            assert!(store.load(&actor, reference).await.expect("loads").data == vec![n * 10 + round; 20_000]);
        }
    }
}

/// Opens twice without recovery, to see that a refusal changes nothing, then with it.
pub(crate) async fn damaged_then_recovered(backend: &Backend, dir: &Path, case: &str) -> (Store, Opened) {
    for _ in 0..2 {
        let error = (backend.told)(dir, false).map(drop).expect_err(case);
        assert!(matches!(&error, OpenError::Damaged { .. }), "{case}: {error}");
        let text = error.to_string();
        assert!(text.contains("--recover") && text.contains(&dir.display().to_string()), "{case}: {text}");
    }
    let (store, opened) = (backend.told)(dir, true).unwrap_or_else(|error| panic!("{case}: {error}"));
    let recovered = opened.recovered.clone().expect(case);
    assert!(recovered.aside.iter().all(|path| path.exists()), "{case}: {recovered:?}");
    (store, opened)
}

/// It can be written, closed, and opened as if nothing had been.
pub(crate) async fn goes_on(backend: &Backend, store: Store, dir: &Path) {
    let mut lease = claim(&*store, &name("new"), "host").await;
    store.commit(&mut lease, record(vec![5])).await.expect("commits");
    store.close().await.expect("closes");
    let (store, opened) = (backend.told)(dir, false).expect("opens");
    assert!(opened.recovered.is_none() && opened.notes.is_empty(), "{opened:?}");
    assert_eq!(store.head(&name("new")).await.expect("answers").expect("a head").0, lease.head);
    store.close().await.expect("closes");
}

/// Copies a file, or a directory with all that is in it.
pub(crate) fn copy(from: &Path, to: &Path) {
    if !from.is_dir() {
        fs::copy(from, to).expect("copies");
        return;
    }
    fs::create_dir(to).expect("makes");
    for entry in fs::read_dir(from).expect("reads") {
        let path = entry.expect("reads").path();
        copy(&path, &to.join(path.file_name().expect("has a name")));
    }
}

pub(crate) fn remove(at: &Path) {
    if at.is_dir() {
        fs::remove_dir_all(at).expect("removes");
    } else if at.exists() {
        fs::remove_file(at).expect("removes");
    }
}

async fn a_directory_in_use_names_the_process(backend: &Backend) {
    let dir = tempfile::tempdir().expect("a directory");
    let mut child = Writer::new(backend, dir.path()).start();
    assert!(child.lines().any(|line| line.ends_with("open")), "the child opened its store");
    for recover in [false, true] {
        let error = (backend.told)(dir.path(), recover).map(drop).expect_err("in use");
        assert!(matches!(&error, OpenError::InUse { pid: Some(pid), .. } if *pid == child.id()), "{error}");
        assert!(error.to_string().contains(&format!("by process {}", child.id())), "{error}");
    }
    drop(child);

    let store = (backend.open)(dir.path()).expect("a lock ends with its process");
    let error = (backend.open)(dir.path()).map(drop).expect_err("in use by this process");
    assert!(matches!(error, OpenError::InUse { pid: Some(pid), .. } if pid == std::process::id()));
    store.close().await.expect("closes");
    (backend.open)(dir.path()).map(drop).expect("free as soon as the close is answered");
}

async fn everything_is_there_again_after_a_reopen_and_is_its_owners_alone(backend: &Backend) {
    let dir = tempfile::tempdir().expect("a directory");
    filled(backend, dir.path()).await;
    for _ in 0..3 {
        let (store, opened) = (backend.told)(dir.path(), false).expect("opens");
        assert_eq!((opened.created, opened.actors, opened.writes, opened.orphans), (false, 3, 9, 0));
        assert!(opened.notes.is_empty(), "{opened:?}");
        holds(&*store, 3).await;
        store.close().await.expect("closes");
    }
    let fresh = dir.path().join("deep/er");
    (backend.open)(&fresh).map(drop).expect("makes the directory");
    let mode = |path: &Path| fs::metadata(path).expect("is there").permissions().mode() & 0o777;
    assert_eq!(mode(&fresh), 0o700);
    let store = dir.path().join(backend.place);
    assert_eq!(mode(&store), if store.is_dir() { 0o700 } else { 0o600 });
    for file in ["store.witness", "store.lock"] {
        assert_eq!(mode(&dir.path().join(file)), 0o600, "{file}");
    }
}

async fn a_store_that_is_gone_is_not_taken_for_a_new_one(backend: &Backend) {
    for emptied in [false, true] {
        let dir = tempfile::tempdir().expect("a directory");
        filled(backend, dir.path()).await;
        let store = dir.path().join(backend.place);
        let is_dir = store.is_dir();
        remove(&store);
        match (emptied, is_dir) {
            (false, _) => {}
            (true, true) => fs::create_dir(&store).expect("makes"),
            (true, false) => fs::write(&store, b"").expect("makes"),
        }
        let (store, opened) = damaged_then_recovered(backend, dir.path(), "gone").await;
        let recovered = opened.recovered.expect("recovered");
        assert_eq!((opened.actors, recovered.actors), (0, 0));
        assert!(recovered.lost.iter().any(|line| line.contains("3 of 3 actors")), "{recovered:?}");
        goes_on(backend, store, dir.path()).await;
    }
}

async fn a_store_that_is_older_than_its_witness_is_found_out_and_what_it_has_is_kept(backend: &Backend) {
    let dir = tempfile::tempdir().expect("a directory");
    filled(backend, dir.path()).await;
    let (place, older) = (dir.path().join(backend.place), dir.path().join("copy"));
    copy(&place, &older);
    let store = (backend.open)(dir.path()).expect("opens");
    let mut lease = claim(&*store, &name("later"), "host").await;
    store.commit(&mut lease, record(vec![1])).await.expect("commits");
    store.close().await.expect("closes");
    remove(&place);
    fs::rename(&older, &place).expect("puts the older one in its place");

    let (store, opened) = damaged_then_recovered(backend, dir.path(), "older").await;
    let recovered = opened.recovered.expect("recovered");
    assert_eq!(recovered.actors, 3);
    let lost = recovered.lost.join("\n");
    assert!(lost.contains("the last 2 of 11 writes") && lost.contains("1 of 4 actors"), "{lost}");
    holds(&*store, 3).await;
    assert_eq!(store.head(&name("later")).await, Ok(None));
    goes_on(backend, store, dir.path()).await;
}

async fn a_recovery_that_was_cut_short_can_be_done_again(backend: &Backend) {
    let dir = tempfile::tempdir().expect("a directory");
    let place = |name: &str| dir.path().join(name);
    filled(backend, dir.path()).await;
    // Cut short while it built the new store; then after it was put in place, and before the witness knew.
    fs::copy(place("store.witness"), place("old.witness")).expect("copies");
    let aside = if backend.name == "sled" {
        fs::create_dir_all(place("store.recovering/blobs")).expect("makes");
        fs::write(place("store.recovering/db"), b"half of it").expect("writes");
        vec!["the unfinished one", "the old one", "its witness"]
    } else {
        fs::write(place("store.redb.new"), b"half of it").expect("writes");
        vec!["the old one", "its witness"]
    };
    fs::write(place("store.witness"), b"nonsense").expect("writes");
    let (store, opened) = damaged_then_recovered(backend, dir.path(), "half built").await;
    let found = opened.recovered.expect("recovered").aside;
    assert_eq!(found.len(), aside.len(), "{aside:?}: {found:?}");
    holds(&*store, 3).await;
    store.close().await.expect("closes");

    fs::copy(place("old.witness"), place("store.witness")).expect("copies");
    let (store, opened) = damaged_then_recovered(backend, dir.path(), "not yet witnessed").await;
    assert_eq!(opened.recovered.expect("recovered").actors, 3);
    holds(&*store, 3).await;
    goes_on(backend, store, dir.path()).await;
}

async fn recovery_changes_nothing_where_all_is_well(backend: &Backend) {
    let dir = tempfile::tempdir().expect("a directory");
    filled(backend, dir.path()).await;
    let (store, opened) = (backend.told)(dir.path(), true).expect("opens");
    assert_eq!((opened.recovered, opened.writes), (None, 9));
    holds(&*store, 3).await;
    store.close().await.expect("closes");
    let names = fs::read_dir(dir.path()).expect("reads").map(|entry| entry.expect("reads").file_name());
    assert_eq!(names.count(), 3, "the store, its witness and its lock");
}

async fn a_witness_that_is_damaged_stops_the_start_and_one_that_is_gone_is_told(backend: &Backend) {
    let dir = tempfile::tempdir().expect("a directory");
    filled(backend, dir.path()).await;
    fs::write(dir.path().join("store.witness"), b"nonsense").expect("writes");
    let (store, opened) = damaged_then_recovered(backend, dir.path(), "witness").await;
    assert_eq!((opened.actors, opened.recovered.expect("recovered").lost), (3, vec![]), "nothing is lost");
    holds(&*store, 3).await;
    goes_on(backend, store, dir.path()).await;

    fs::remove_file(dir.path().join("store.witness")).expect("removes");
    let (store, opened) = (backend.told)(dir.path(), false).expect("opens");
    assert!(opened.notes.len() == 1 && opened.notes[0].contains("witness"), "{opened:?}");
    holds(&*store, 3).await;
    store.close().await.expect("closes");
}

async fn a_directory_that_cannot_be_used_is_named(backend: &Backend) {
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("file");
    fs::write(&file, b"").expect("writes");
    for unusable in [file.clone(), file.join("below")] {
        let error = (backend.open)(&unusable).map(drop).expect_err("no directory");
        assert!(matches!(error, OpenError::Io { .. }), "{error}");
        assert!(error.to_string().contains(&unusable.display().to_string()), "{error}");
    }
    // A file where a folder belongs, and the other way round.
    let store = dir.path().join("data");
    fs::create_dir(&store).expect("makes");
    if backend.name == "sled" {
        fs::write(store.join(backend.place), b"").expect("writes");
    } else {
        fs::create_dir(store.join(backend.place)).expect("makes");
    }
    let error = (backend.open)(&store).map(drop).expect_err("something else in the store's place");
    assert!(matches!(error, OpenError::Io { .. }), "{error}");
}
