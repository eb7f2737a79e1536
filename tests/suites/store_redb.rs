//! The second store on disk: other processes, kills, and damage from outside.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use baton_host::store::{OpenError, Opened, RedbOptions, RedbStore, SledOptions, SledStore, SnapshotStore};

use crate::store_conformance::{claim, name, record};
use crate::under_fire::{REDB, Writer};

/// Set to anything, every bit of the header is changed and eight times as many of the rest.
const ALL_FLIPS: &str = "BATON_TEST_ALL_FLIPS";
/// Bits of a small store that are changed, one after the other; each is drawn from another stretch of it.
const BIT_FLIPS: usize = 200;
/// Bytes of redb's header.
const HEADER_BYTES: usize = 320;
/// Lengths at which a small store is cut.
const CUTS: usize = 30;

fn open(dir: &Path) -> Result<(RedbStore, Opened), OpenError> {
    RedbStore::open(dir, &RedbOptions::default())
}

fn recover(dir: &Path) -> Result<(RedbStore, Opened), OpenError> {
    RedbStore::open(dir, &RedbOptions { recover: true, ..RedbOptions::default() })
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

async fn holds(store: &RedbStore, actors: u8) {
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
async fn damaged_then_recovered(dir: &Path, case: &str) -> (RedbStore, Opened) {
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
async fn goes_on(store: RedbStore, dir: &Path) {
    let mut lease = claim(&store, &name("new"), "host").await;
    store.commit(&mut lease, record(vec![5])).await.expect("commits");
    store.close().await.expect("closes");
    let (store, opened) = open(dir).expect("opens");
    assert!(opened.recovered.is_none() && opened.notes.is_empty(), "{opened:?}");
    assert_eq!(store.head(&name("new")).await.expect("answers").expect("a head").0, lease.head);
    store.close().await.expect("closes");
}

#[tokio::test]
async fn a_directory_in_use_names_the_process() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut child = Writer::new(&REDB, dir.path()).start();
    assert!(child.lines().any(|line| line.ends_with("open")), "the child opened its store");
    for options in [RedbOptions::default(), RedbOptions { recover: true, ..RedbOptions::default() }] {
        let error = RedbStore::open(dir.path(), &options).map(drop).expect_err("in use");
        assert!(matches!(&error, OpenError::InUse { pid: Some(pid), .. } if *pid == child.id()), "{error}");
    }
    drop(child);

    let (store, _) = open(dir.path()).expect("a lock ends with its process");
    let error = open(dir.path()).map(drop).expect_err("in use by this process");
    assert!(matches!(error, OpenError::InUse { pid: Some(pid), .. } if pid == std::process::id()));
    store.close().await.expect("closes");
    open(dir.path()).map(drop).expect("free as soon as the close is answered");
}

#[tokio::test]
async fn everything_is_there_again_after_a_reopen_and_is_its_owners_alone() {
    let dir = tempfile::tempdir().expect("a directory");
    filled(dir.path()).await;
    for _ in 0..3 {
        let (store, opened) = open(dir.path()).expect("opens");
        assert_eq!((opened.created, opened.actors, opened.writes), (false, 3, 9));
        assert!(opened.notes.is_empty(), "{opened:?}");
        holds(&store, 3).await;
        store.close().await.expect("closes");
    }
    let fresh = dir.path().join("deep/er");
    open(&fresh).map(drop).expect("makes the directory");
    let mode = |path: &Path| fs::metadata(path).expect("is there").permissions().mode() & 0o777;
    assert_eq!(mode(&fresh), 0o700);
    for file in ["store.redb", "store.witness", "store.lock"] {
        assert_eq!(mode(&dir.path().join(file)), 0o600, "{file}");
    }
}

#[tokio::test]
async fn one_backends_directory_is_not_an_empty_one_to_another() {
    let dir = tempfile::tempdir().expect("a directory");
    filled(dir.path()).await;
    for recover in [false, true] {
        let error = SledStore::open(dir.path(), &SledOptions { recover, ..SledOptions::default() });
        let error = error.map(drop).expect_err("it is redb's");
        assert!(matches!(&error, OpenError::OtherBackend { .. }), "{error}");
        let text = error.to_string();
        assert!(text.contains("holds a redb store") && text.contains("baton store migrate redb:"), "{text}");
    }
    let (store, _) = open(dir.path()).expect("opens");
    holds(&store, 3).await;

    let other = tempfile::tempdir().expect("a directory");
    SledStore::open(other.path(), &SledOptions::default()).map(drop).expect("opens");
    let error = open(other.path()).map(drop).expect_err("it is sled's");
    assert!(error.to_string().contains("baton store migrate sled:"), "{error}");
    fs::write(other.path().join("store.redb"), b"x").expect("writes");
    let error = open(other.path()).map(drop).expect_err("two stores");
    assert!(matches!(&error, OpenError::Several { .. }), "{error}");
}

#[tokio::test]
async fn a_store_that_is_gone_is_not_taken_for_a_new_one() {
    for emptied in [false, true] {
        let dir = tempfile::tempdir().expect("a directory");
        filled(dir.path()).await;
        fs::remove_file(dir.path().join("store.redb")).expect("removes");
        if emptied {
            fs::write(dir.path().join("store.redb"), b"").expect("makes");
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
    let older = fs::read(dir.path().join("store.redb")).expect("reads");
    let (store, _) = open(dir.path()).expect("opens");
    let mut lease = claim(&store, &name("later"), "host").await;
    store.commit(&mut lease, record(vec![1])).await.expect("commits");
    store.close().await.expect("closes");
    fs::write(dir.path().join("store.redb"), older).expect("puts the older one in its place");

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
async fn a_recovery_that_was_cut_short_can_be_done_again_and_one_that_is_not_needed_changes_nothing() {
    let dir = tempfile::tempdir().expect("a directory");
    let place = |name: &str| dir.path().join(name);
    filled(dir.path()).await;
    fs::copy(place("store.witness"), place("old.witness")).expect("copies");
    // Cut short while it built the new store; then after it was put in place, and before the witness knew.
    fs::write(place("store.redb.new"), b"half of it").expect("writes");
    fs::write(place("store.witness"), b"nonsense").expect("writes");
    let (store, _) = damaged_then_recovered(dir.path(), "half built").await;
    holds(&store, 3).await;
    store.close().await.expect("closes");

    fs::copy(place("old.witness"), place("store.witness")).expect("copies");
    let (store, opened) = damaged_then_recovered(dir.path(), "not yet witnessed").await;
    assert_eq!(opened.recovered.expect("recovered").actors, 3);
    holds(&store, 3).await;
    store.close().await.expect("closes");

    let names = || fs::read_dir(dir.path()).expect("reads").count();
    let before = names();
    let (store, opened) = recover(dir.path()).expect("opens");
    assert_eq!(opened.recovered, None);
    holds(&store, 3).await;
    store.close().await.expect("closes");
    assert_eq!(names(), before);
}

/// Whatever is there is either refused in words, or is what was written.
async fn refused_or_right(dir: &Path, case: &str) -> bool {
    match open(dir) {
        Err(OpenError::Damaged { .. }) => true,
        Err(other) => panic!("{case}: {other}"),
        Ok((store, opened)) => {
            assert_eq!(opened.actors, 3, "{case}");
            holds(&store, 3).await;
            store.close().await.expect(case);
            false
        }
    }
}

/// A small store, and a way to have it once more with another file.
async fn small() -> (tempfile::TempDir, Vec<u8>) {
    let dir = tempfile::tempdir().expect("a directory");
    filled(dir.path()).await;
    let bytes = fs::read(dir.path().join("store.redb")).expect("reads");
    (dir, bytes)
}

fn with(pristine: &Path, bytes: &[u8]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("a directory");
    fs::copy(pristine.join("store.witness"), dir.path().join("store.witness")).expect("copies");
    fs::write(dir.path().join("store.redb"), bytes).expect("writes");
    dir
}

#[tokio::test]
async fn a_changed_bit_is_found_or_does_no_harm() {
    let (pristine, bytes) = small().await;
    let all = std::env::var_os(ALL_FLIPS).is_some();
    let flips = if all { BIT_FLIPS * 8 } else { BIT_FLIPS };
    // Of the header a bit of every byte; of the rest one of every stretch.
    let header = (0..HEADER_BYTES * 8).filter(|bit| all || bit % 8 == bit / 8 % 8);
    let rest = (0..flips).map(|n| HEADER_BYTES * 8 + n * (bytes.len() - HEADER_BYTES) * 8 / flips + n % 8);
    let (mut refused, mut kept) = (0, 0);
    for bit in header.chain(rest) {
        let mut changed = bytes.clone();
        changed[bit / 8] ^= 1 << (bit % 8);
        let dir = with(pristine.path(), &changed);
        if !refused_or_right(dir.path(), &format!("bit {bit}")).await {
            continue;
        }
        refused += 1;
        // A recovery of a few of them, as each takes its time.
        if refused % 16 == 0 {
            let (store, opened) = recover(dir.path()).unwrap_or_else(|error| panic!("bit {bit}: {error}"));
            let recovered = opened.recovered.expect("recovered");
            kept += recovered.actors;
            assert!(recovered.actors == 3 || !recovered.lost.is_empty(), "bit {bit}: {recovered:?}");
            for n in 0..3 {
                let actor = name(&format!("a/{n}"));
                let Some((head, _)) = store.head(&actor).await.expect("answers") else { continue };
                for (reference, round) in head.records.iter().zip([1, 0]) {
                    if let Ok(loaded) = store.load(&actor, reference).await {
                        assert!(loaded.data == vec![n * 10 + round; 20_000], "bit {bit}");
                    }
                }
            }
            goes_on(store, dir.path()).await;
        }
    }
    println!("{refused} changes were refused, and of every 16th {kept} actors were kept");
    assert!(refused > BIT_FLIPS / 4 && kept > 0, "{refused} refused, {kept} kept");
}

#[tokio::test]
async fn a_file_cut_at_any_length_is_refused() {
    let (pristine, bytes) = small().await;
    for n in 0..CUTS {
        let length = bytes.len() * n / CUTS + n % 3;
        let dir = with(pristine.path(), &bytes[..length]);
        assert!(refused_or_right(dir.path(), &format!("cut at {length}")).await, "cut at {length}");
        let (store, _) = damaged_then_recovered(dir.path(), &format!("cut at {length}")).await;
        goes_on(store, dir.path()).await;
    }
}

#[tokio::test]
async fn what_is_good_in_a_damaged_file_is_kept() {
    let (pristine, bytes) = small().await;
    // A byte in the middle of a record: its page is not what its checksum says.
    let needle = [11u8; 64];
    let at = bytes.windows(64).position(|window| window == needle).expect("the second record of a/1");
    let mut changed = bytes.clone();
    changed[at + 32] ^= 1;
    let dir = with(pristine.path(), &changed);
    let (store, opened) = damaged_then_recovered(dir.path(), "record").await;
    let recovered = opened.recovered.expect("recovered");
    assert_eq!(recovered.actors, 3);
    assert!(matches!(recovered.lost.as_slice(), [line] if line.contains("`a/1`: record 2")), "{recovered:?}");
    let (head, _) = store.head(&name("a/1")).await.expect("answers").expect("kept");
    store.load(&name("a/1"), &head.records[0]).await.expect_err("it is damaged");
    store.load(&name("a/1"), &head.records[1]).await.expect("its parent is good");
    for actor in ["a/0", "a/2"] {
        let (head, _) = store.head(&name(actor)).await.expect("answers").expect("kept");
        store.load(&name(actor), &head.records[0]).await.expect("is good");
    }
    goes_on(store, dir.path()).await;
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
    fs::create_dir_all(store.join("store.redb")).expect("makes");
    let error = open(&store).map(drop).expect_err("a folder in the store's place");
    assert!(matches!(error, OpenError::Io { .. }), "{error}");
}
