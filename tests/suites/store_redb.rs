//! What redb alone has: its file, and what becomes of it. What backends have in common is in `store_files`.

use std::fs;
use std::path::Path;

use baton_host::store::{OpenError, Opened, SledOptions, SledStore, StoreError};

use crate::store_conformance::name;
use crate::store_files::{damaged_then_recovered, filled, goes_on, holds};
use crate::under_fire::{REDB, Store};

/// Set to anything, every bit of the header is changed and eight times as many of the rest.
const ALL_FLIPS: &str = "BATON_TEST_ALL_FLIPS";
/// Bits of a small store that are changed, one after the other; each is drawn from another stretch of it.
const BIT_FLIPS: usize = 200;
/// Bytes of redb's header.
const HEADER_BYTES: usize = 320;
/// Lengths at which a small store is cut.
const CUTS: usize = 30;

fn open(dir: &Path) -> Result<(Store, Opened), OpenError> {
    (REDB.told)(dir, false)
}

#[tokio::test]
async fn one_backends_directory_is_not_an_empty_one_to_another() {
    let dir = tempfile::tempdir().expect("a directory");
    filled(&REDB, dir.path()).await;
    for recover in [false, true] {
        let error = SledStore::open(dir.path(), &SledOptions { recover, ..SledOptions::default() });
        let error = error.map(drop).expect_err("it is redb's");
        assert!(matches!(&error, OpenError::OtherBackend { .. }), "{error}");
        let text = error.to_string();
        assert!(text.contains("holds a redb store") && text.contains("baton store migrate redb:"), "{text}");
    }
    let (store, _) = open(dir.path()).expect("opens");
    holds(&*store, 3).await;

    let other = tempfile::tempdir().expect("a directory");
    SledStore::open(other.path(), &SledOptions::default()).map(drop).expect("opens");
    let error = open(other.path()).map(drop).expect_err("it is sled's");
    assert!(error.to_string().contains("baton store migrate sled:"), "{error}");
    fs::write(other.path().join("store.redb"), b"x").expect("writes");
    let error = open(other.path()).map(drop).expect_err("two stores");
    assert!(matches!(&error, OpenError::Several { .. }), "{error}");
}

/// Whatever is there is either refused in words, or is what was written.
async fn refused_or_right(dir: &Path, case: &str) -> bool {
    match open(dir) {
        Err(OpenError::Damaged { .. }) => true,
        Err(other) => panic!("{case}: {other}"),
        Ok((store, opened)) => {
            assert_eq!(opened.actors, 3, "{case}");
            holds(&*store, 3).await;
            store.close().await.expect(case);
            false
        }
    }
}

/// A small store, and a way to have it once more with another file.
async fn small() -> (tempfile::TempDir, Vec<u8>) {
    let dir = tempfile::tempdir().expect("a directory");
    filled(&REDB, dir.path()).await;
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
            let (store, opened) = (REDB.told)(dir.path(), true).unwrap_or_else(|error| panic!("bit {bit}: {error}"));
            let recovered = opened.recovered.expect("recovered");
            kept += recovered.actors;
            assert!(recovered.actors == 3 || !recovered.lost.is_empty(), "bit {bit}: {recovered:?}");
            for n in 0..3 {
                let actor = name(&format!("a/{n}"));
                let head = match store.head(&actor).await {
                    Ok(Some((head, _))) => head,
                    // Gone, or kept as it is: its actor is held, and does not begin anew.
                    Ok(None) | Err(StoreError::Corrupt(_)) => continue,
                    Err(error) => panic!("bit {bit}: {error}"),
                };
                for (reference, round) in head.records.iter().zip([1, 0]) {
                    if let Ok(loaded) = store.load(&actor, reference).await {
                        assert!(loaded.data == vec![n * 10 + round; 20_000], "bit {bit}");
                    }
                }
            }
            goes_on(&REDB, store, dir.path()).await;
        }
    }
    println!("{refused} changes were refused, and of every 16th {kept} actors were kept");
    assert!(refused > BIT_FLIPS / 4 && kept > 0, "{refused} refused, {kept} kept");
}

#[tokio::test]
async fn a_file_cut_at_any_length_is_refused_or_all_of_it_is_there() {
    let (pristine, bytes) = small().await;
    let mut refused = 0;
    for n in 0..CUTS {
        let length = bytes.len() * n / CUTS + n % 3;
        let dir = with(pristine.path(), &bytes[..length]);
        if !refused_or_right(dir.path(), &format!("cut at {length}")).await {
            continue;
        }
        refused += 1;
        let (store, _) = damaged_then_recovered(&REDB, dir.path(), &format!("cut at {length}")).await;
        goes_on(&REDB, store, dir.path()).await;
    }
    assert!(refused > CUTS / 2, "{refused} of {CUTS} were refused");
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
    let (store, opened) = damaged_then_recovered(&REDB, dir.path(), "record").await;
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
    goes_on(&REDB, store, dir.path()).await;
}
