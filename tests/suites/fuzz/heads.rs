//! The bytes of heads, as a store finds them on its disk.

use std::path::Path;

use baton_host::ActorName;
use baton_host::model::StopReason;
use baton_host::store::tools::{repair, verify};
use baton_host::store::{OpenError, SledOptions, SledStore, SnapshotStore as _, StoreError};

use super::sealed;
use crate::harness::{Corpus, Dice, name, number_from};
use crate::store_conformance::{claim, record};
use crate::store_tools::two_busy_records;

/// Heads that lie in one store at once.
const BATCH: usize = 250;
/// Stores that a run opens; `BATON_CASES` counts heads.
const BATCHES: usize = 8;

/// Opens it; where a head that is whole says less than was saved, it is opened as an operator does who has been told so.
fn open(dir: &Path) -> SledStore {
    match SledStore::open(dir, &SledOptions::default()) {
        Ok((store, _)) => store,
        Err(OpenError::Damaged { what, .. }) if what.contains("older than its records") => {
            SledStore::open(dir, &SledOptions { recover: true, ..SledOptions::default() }).unwrap().0
        }
        Err(error) => panic!("{error}"),
    }
}

fn heads(dir: &Path) -> sled::Tree {
    sled::open(dir.join("store")).unwrap().open_tree("heads").unwrap()
}

fn numbered(n: usize) -> ActorName {
    name(&format!("m/{n}"))
}

/// A store with an actor that has records, one that let go, one whose state was forgotten, and a batch of others; and the
/// bytes of their heads.
async fn seeded(dir: &Path) -> Vec<Vec<u8>> {
    let store = open(dir);
    two_busy_records(&store).await;
    for n in 0..BATCH {
        let mut lease = claim(&store, &numbered(n), "host").await;
        store.commit(&mut lease, record(b"first".to_vec())).await.unwrap();
        store.commit(&mut lease, record(b"second".to_vec())).await.unwrap();
    }
    for actor in ["released", "forgotten"] {
        let mut lease = claim(&store, &name(actor), "host").await;
        store.commit(&mut lease, record(b"state".to_vec())).await.unwrap();
        match actor {
            "released" => drop(store.release(&mut lease, None, StopReason::Shutdown).await.unwrap()),
            _ => store.forget(&mut lease).await.unwrap(),
        }
    }
    store.close().await.unwrap();
    drop(store);
    heads(dir).iter().map(|entry| entry.unwrap().1.to_vec()).collect()
}

#[tokio::test]
async fn a_head_is_what_was_written_or_damaged_and_harms_nobody_else() {
    let dir = tempfile::tempdir().unwrap();
    let corpus = Corpus::new("heads", seeded(dir.path()).await);
    let (mut dice, mut damaged, mut repaired, mut read) = (Dice::new(), 0, 0, 0);
    for _ in 0..number_from("BATON_CASES", BATCH * BATCHES).div_ceil(BATCH) {
        {
            let heads = heads(dir.path());
            for n in 0..BATCH {
                let bytes = corpus.input(&mut dice);
                // Every other one as a bad disk leaves it.
                let bytes = if n % 2 == 0 { bytes } else { sealed(&bytes) };
                heads.insert(numbered(n).as_str(), bytes).unwrap();
            }
            heads.flush().unwrap();
        }
        let store = open(dir.path());
        let page = store.list(None, BATCH + 10).await.unwrap();
        assert_eq!(page.len(), BATCH + 3, "all are listed");
        verify(&store, None, 1_000).await.unwrap();
        for (actor, listed) in page {
            if !actor.as_str().starts_with("m/") {
                assert!(listed.is_ok(), "{actor}: {listed:?}");
                continue;
            }
            match (listed, store.head(&actor).await) {
                (Err(_), Err(StoreError::Corrupt(_))) => {
                    damaged += 1;
                    // What a newer release wrote stays as it is.
                    if repair(&store, &actor, true).await.is_ok() {
                        repaired += 1;
                        let (head, _) = store.head(&actor).await.unwrap().unwrap();
                        assert!(store.load(&actor, head.current().unwrap()).await.is_ok(), "{actor}: {head:?}");
                    }
                }
                (Ok(listed), Ok(Some((head, revision)))) => {
                    read += 1;
                    assert_eq!(listed, head);
                    if let Ok(mut lease) = store.claim(&actor, Some(revision), "host").await {
                        drop(store.commit(&mut lease, record(b"next".to_vec())).await);
                    }
                }
                (listed, head) => panic!("{actor}: listed as {listed:?}, read as {head:?}"),
            }
        }
        assert!(claim(&store, &name("a"), "host").await.head.epoch > 0, "the others work");
        store.close().await.unwrap();
    }
    println!("{damaged} damaged heads, {repaired} of them repaired, {read} that could be read");
    assert!(repaired > 0 && read > 0);
}
