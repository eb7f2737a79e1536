//! The bytes of exports, and what comes of those that are whole.

use baton_host::ActorName;
use baton_host::store::tools::{self, Export, Selection, encode_image, verify};
use baton_host::store::{Image, MemoryStore, SnapshotStore};

use super::sealed;
use crate::harness::{Corpus, name};
use crate::store_conformance::{claim, record};
use crate::store_tools::{image, two_busy_records};

/// Actors of one export that are taken over: a changed one may hold some thousand.
const MOST: usize = 20;

/// Exports of one actor each: one with everything, one whose state was forgotten.
async fn seeds() -> Vec<Vec<u8>> {
    let store = MemoryStore::new();
    two_busy_records(&store).await;
    let mut lease = claim(&store, &name("b"), "host").await;
    store.commit(&mut lease, record(b"state".to_vec())).await.unwrap();
    store.forget(&mut lease).await.unwrap();
    let mut seeds = Vec::new();
    for actor in ["a", "b"] {
        seeds.push(encode_image(&name(actor), &image(&store, actor).await));
    }
    seeds
}

/// All that a checked export holds, or what is wrong with it.
fn read(bytes: &[u8]) -> Result<Vec<(ActorName, Image)>, String> {
    let mut export = Export::from_bytes(bytes).map_err(|error| error.to_string())?;
    let mut images = Vec::new();
    while let Some(image) = export.next_image(&Selection::default()).map_err(|error| error.to_string())? {
        images.push(image);
        if images.len() == MOST {
            break;
        }
    }
    Ok(images)
}

/// A store that has taken them over works: it can be verified, and its actors claimed and read, or not, for a reason.
async fn taken_over(images: &[(ActorName, Image)]) {
    let store = MemoryStore::new();
    for (actor, image) in images {
        if let Err(error) = tools::import(&store, actor, image, true, true).await {
            assert!(!error.to_string().is_empty());
        }
    }
    verify(&store, None, 100).await.unwrap();
    for (actor, _) in images {
        let Some((head, revision)) = store.head(actor).await.unwrap() else { continue };
        if let Some(current) = head.current() {
            drop(store.load(actor, current).await);
        }
        if let Ok(mut lease) = store.claim(actor, Some(revision), "host").await {
            drop(store.commit(&mut lease, record(b"next".to_vec())).await);
        }
    }
}

#[tokio::test]
async fn an_export_is_what_was_written_or_none() {
    let (seeds, mut whole) = (seeds().await, Vec::new());
    Corpus::new("exports", seeds.clone()).each(100_000, |bytes| {
        let found = read(bytes);
        assert!(found.is_err() || seeds.iter().any(|seed| seed == bytes), "{found:?}");
        whole.extend(read(&sealed(bytes)).ok().filter(|images| !images.is_empty()));
    });
    assert!(whole.len() > seeds.len(), "no changed export was whole");
    for images in &whole {
        taken_over(images).await;
    }
    println!("{} whole ones were taken over", whole.len());
}
