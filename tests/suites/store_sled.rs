//! What sled alone has: its files, and what becomes of them. What backends have in common is in `store_files`.

use std::fs;
use std::path::Path;

use baton_host::store::{RecordError, SledOptions, SledStore, SnapshotStore, StoreError};

use crate::store_conformance::{claim, name, record};
use crate::store_files::{copy, damaged_then_recovered, filled, goes_on};
use crate::under_fire::SLED;

#[tokio::test]
async fn large_records_make_no_files_that_sled_does_not_sync() {
    let dir = tempfile::tempdir().expect("a directory");
    let (store, _) = SledStore::open(dir.path(), &SledOptions::default()).expect("opens");
    for n in 0..4 {
        let mut lease = claim(&store, &name(&format!("large/{n}")), "host").await;
        store.commit(&mut lease, record(vec![n; 5 << 20])).await.expect("commits");
    }
    let blobs = fs::read_dir(dir.path().join("store/blobs")).expect("sled makes it").count();
    assert_eq!(blobs, 0);
}

#[tokio::test]
async fn a_damaged_directory_stops_the_start_whatever_sled_makes_of_it() {
    let dir = tempfile::tempdir().expect("a directory");
    filled(&SLED, dir.path()).await;
    let pristine = dir.path().join("pristine");
    fs::create_dir(&pristine).expect("makes");
    copy(&dir.path().join("store"), &pristine.join("store"));
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
        copy(&pristine.join("store"), &dir.path().join("store"));
        fs::copy(pristine.join("store.witness"), dir.path().join("store.witness")).expect("copies");
        // Without the snapshots that sled makes at opening, which would hide what it reads from the log.
        fs::write(dir.path().join("store/db"), damage(db(&pristine))).expect("damages");
        let (store, opened) = damaged_then_recovered(&SLED, dir.path(), case).await;
        let recovered = opened.recovered.expect("recovered");
        assert!(!recovered.lost.is_empty(), "{case}: {recovered:?}");
        goes_on(&SLED, store, dir.path()).await;
    }
}

#[tokio::test]
async fn a_recovery_keeps_a_damaged_record_beside_its_head() {
    let dir = tempfile::tempdir().expect("a directory");
    filled(&SLED, dir.path()).await;
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

    let (store, opened) = damaged_then_recovered(&SLED, dir.path(), "record").await;
    let recovered = opened.recovered.expect("recovered");
    assert_eq!(recovered.actors, 3);
    assert!(matches!(recovered.lost.as_slice(), [line] if line.contains("`a/1`: record 2")), "{recovered:?}");
    let (head, _) = store.head(&name("a/1")).await.expect("answers").expect("kept");
    let damaged = store.load(&name("a/1"), &head.records[0]).await;
    assert!(matches!(damaged, Err(StoreError::Corrupt(RecordError::Checksum { .. }))), "{damaged:?}");
    store.load(&name("a/1"), &head.records[1]).await.expect("its parent is good");
}
