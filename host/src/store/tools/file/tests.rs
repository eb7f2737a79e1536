use std::fs;

use super::*;
use crate::model::{ActorName, Body, Digest, MessageId, PluginName, Request, StopReason, Version};
use crate::store::tools::{self, Selection, ToolError};
use crate::store::{
    Cause, Head, Image, MemoryStore, NewRecord, Origination, Quarantined, RecordRef, SnapshotStore, Traffic,
};

fn name(text: &str) -> ActorName {
    ActorName::new(text).expect("valid")
}

fn reference(sequence: u64, digest: u8, bytes: u64) -> RecordRef {
    RecordRef {
        sequence,
        digest: Digest([digest; 32]),
        bytes,
        time_ms: 4,
        schema: Some(2),
        plugin: Some(("p".to_owned(), "1.0.0".to_owned())),
        cause: Cause::Stopped(StopReason::Shutdown),
        inbox_messages: Some(0),
        outbox_messages: Some(0),
        next_timer_ms: None,
    }
}

/// An actor with two records, one of which was found damaged, and a copy in quarantine; fixed values.
fn image() -> Image {
    let records = vec![reference(2, 0xaa, 6), reference(1, 0xbb, 5)];
    let head = Head {
        epoch: 3,
        generation: 4,
        sequence: 2,
        owner: None,
        nonce: 77,
        stopped: Some(StopReason::Shutdown),
        taken_up: Some(4),
        records: records.clone(),
        line: 88,
        refusals: vec![],
        way_back: None,
    };
    let copy = Quarantined { record: records[1].clone(), why: "cut".to_owned(), time_ms: 9, found: b"ol".to_vec() };
    Image { head, records: vec![b"newest".to_vec(), b"ol".to_vec()], quarantine: vec![copy] }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

// What was exported once must be readable for ever: these bytes never change. A format that changes gets a new number;
// heads and descriptions within it have numbers of their own.
const GOLDEN_1: &str = concat!(
    "4241544f4e4558500100010400000000000000612fc3bc022600000000000000aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaa6e6577657374022200000000000000bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb",
    "bbbbbbbbbbbbbbbbbbbbbb6f6c0343000000000000003d000000000201bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb",
    "bbbbbbbbbbbbbbbbbbbbbb0504010201017005312e302e30000101000100000363757409026f6c0498000000000000000103",
    "0402004d010101040202aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa0604010201017005",
    "312e302e300001010001000001bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb0504010201",
    "017005312e302e30000101000100005800004db9fdd2c2fdc5eb053b355f435493a23b8e98c423c9c222228b674d9bd01ed4",
    "00080000000000000001000000000000006410e3a199fd413a21e5db868e9c3d07363adcec5471d7cafa221619426d6806",
);

#[test]
fn format_1_stays_as_it_was_written() {
    let written = encode_image(&name("a/ü"), &image());
    assert_eq!(hex(&written), GOLDEN_1);
    let mut export = Export::from_bytes(written).expect("format 1");
    let found = export.next_image(&Selection::default()).expect("reads");
    assert_eq!(found, Some((name("a/ü"), image())));
    assert_eq!(export.next_image(&Selection::default()).expect("reads"), None);
    let contents = export.contents();
    assert_eq!((contents.actors, contents.records, contents.record_bytes, contents.copies), (1, 2, 8, 1));
}

fn record(data: Vec<u8>) -> NewRecord {
    NewRecord {
        state: Some((
            Origination {
                plugin: PluginName::new("p").expect("valid"),
                version: Version::new("1.0.0").expect("valid"),
                digest: Digest::of(b"component"),
                schema: 1,
                generation: 1,
                time_ms: 1,
            },
            data,
        )),
        cause: Cause::Checkpoint,
        node: "node".to_owned(),
        time_ms: 2,
        inbox: vec![crate::model::Message::Cast(Request {
            id: MessageId::new("m").expect("valid"),
            sender: None,
            body: Body::from_static(b"x"),
            sent: None,
        })],
        timers: vec![],
        traffic: Traffic::default(),
    }
}

/// A store with so many actors, of three records each.
async fn store(actors: usize) -> std::sync::Arc<MemoryStore> {
    let store = std::sync::Arc::new(MemoryStore::new());
    for n in 0..actors {
        let mut lease = store.claim(&name(&format!("actor/{n}")), None, "host").await.expect("claims");
        for size in [10, 100, 100_000] {
            store.commit(&mut lease, record(vec![7; size])).await.expect("commits");
        }
    }
    store
}

async fn bytes_of(store: std::sync::Arc<dyn SnapshotStore>, wanted: Selection) -> Vec<u8> {
    let mut pieces = export(store, wanted);
    let mut bytes = Vec::new();
    while let Some(piece) = pieces.recv().await {
        bytes.extend_from_slice(&piece);
    }
    bytes
}

#[tokio::test]
async fn what_is_exported_is_what_is_stored() {
    let store = store(5).await;
    let mut export = Export::from_bytes(bytes_of(store.clone(), Selection::default()).await).expect("whole");
    assert_eq!((export.contents().actors, export.contents().records), (5, 15));
    for n in 0..5 {
        let (actor, image) = export.next_image(&Selection::default()).expect("reads").expect("an actor");
        assert_eq!(actor, name(&format!("actor/{n}")));
        assert_eq!(Some(image), tools::image(&*store, &actor).await.expect("answers"));
    }
    let some = Selection::new(["actor/3", "actor/1*"]).expect("valid");
    let wanted = Export::from_bytes(bytes_of(store.clone(), some.clone()).await).expect("whole");
    assert_eq!(wanted.contents().actors, 1, "the pattern stands for names that are longer");
    let mut all = Export::from_bytes(bytes_of(store, Selection::default()).await).expect("whole");
    assert_eq!(all.next_image(&some).expect("reads").map(|(actor, _)| actor), Some(name("actor/3")));
    assert_eq!(all.next_image(&some).expect("reads"), None);
}

#[test]
fn every_byte_that_is_changed_is_found() {
    let good = encode_image(&name("a"), &image());
    for at in 0..good.len() {
        for flip in [0x01, 0x80, 0xff] {
            let mut bad = good.clone();
            bad[at] ^= flip;
            let error = Export::from_bytes(bad).expect_err("damaged");
            let fits = match at {
                0..8 => matches!(error, FileError::Foreign),
                _ => matches!(error, FileError::Damaged { .. } | FileError::Cut { .. } | FileError::BrokenOff(_)),
            };
            assert!(fits, "byte {at} ^ {flip:#x}: {error}");
        }
    }
}

#[test]
fn a_file_of_another_length_is_never_used() {
    let good = encode_image(&name("a"), &image());
    for length in 0..good.len() {
        let error = Export::from_bytes(&good[..length]).expect_err("cut");
        let fits =
            if length == 0 { matches!(error, FileError::Foreign) } else { matches!(error, FileError::Cut { .. }) };
        assert!(fits, "{length} bytes: {error}");
    }
    for more in [&b"x"[..], &good] {
        let error = Export::from_bytes([&good, more].concat()).expect_err("too long");
        assert!(matches!(error, FileError::Damaged { .. }), "{error}");
    }
}

/// With its checksum mended: what a careless program would write.
fn sealed(mut bytes: Vec<u8>) -> Vec<u8> {
    let checksum = blake3::hash(&bytes);
    bytes.extend_from_slice(checksum.as_bytes());
    bytes
}

#[test]
fn a_whole_file_that_makes_no_sense_is_told_as_such() {
    use super::frame::{Kind, prefix, whole};
    let actor = |name: &str| whole(Kind::Actor, &[name.as_bytes()]);
    let head = |image: &Image| whole(Kind::Head, &[&crate::store::head::encode(&image.head)]);
    let empty = Image { head: Head { records: vec![], ..image().head }, records: vec![], quarantine: vec![] };
    let end = |count: u64| whole(Kind::End, &[&count.to_le_bytes()]);
    let file = |parts: &[Vec<u8>]| sealed([&[prefix().to_vec()], parts].concat().concat());
    assert!(Export::from_bytes(file(&[actor("a"), head(&empty), actor("b"), head(&empty), end(2)])).is_ok());
    let cases = [
        (file(&[actor("b"), head(&empty), actor("a"), head(&empty), end(2)]), "`a` stands where it should not"),
        (file(&[actor("a"), head(&empty), actor("a"), head(&empty), end(2)]), "`a` stands where it should not"),
        (file(&[actor("a"), head(&image()), end(1)]), "record 2 of an actor is missing"),
        (file(&[actor("a"), actor("b"), head(&empty), end(2)]), "Actor stands where it should not"),
        (file(&[actor("a//b"), head(&empty), end(1)]), "no usable name"),
        (file(&[actor("a"), whole(Kind::Head, &[b"junk"]), end(1)]), "head cannot be read"),
        (file(&[actor("a"), whole(Kind::Record, &[b"short"]), head(&empty), end(1)]), "too short"),
        (file(&[actor("a"), whole(Kind::Copy, &[&[9, 0, 0, 0]]), head(&empty), end(1)]), "quarantine cannot be read"),
        (file(&[end(1)]), "its end is not where it should be"),
        (file(&[end(0), actor("a")]), "its end is not where it should be"),
        (file(&[vec![99; 9], end(0)]), "unknown kind 99"),
        (file(&[whole(Kind::Unread, &[b"\x09\x00a"]), end(0)]), "does not say which actor is missing"),
    ];
    for (bytes, expected) in cases {
        let error = Export::from_bytes(bytes).expect_err(expected);
        assert!(
            matches!(error, FileError::Malformed(_)) && error.to_string().contains(expected),
            "{expected}: {error}"
        );
    }
    let mut newer = file(&[end(0)]);
    newer.truncate(newer.len() - 32);
    newer[8] = 2;
    let error = Export::from_bytes(sealed(newer)).expect_err("newer").to_string();
    assert!(error.starts_with("the export has format 2, and this release reads up to 1"), "{error}");
    for length in [u64::MAX, u64::MAX - 50, 1 << 40] {
        let mut long = [prefix().to_vec(), whole(Kind::Record, &[])].concat();
        let at = long.len() - 8;
        long[at..].copy_from_slice(&length.to_le_bytes());
        assert!(matches!(Export::from_bytes(sealed(long)), Err(FileError::Cut { .. })), "{length}");
    }
}

#[tokio::test]
async fn a_store_that_fails_half_way_leaves_no_file() {
    let store = store(40).await;
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("out");
    fs::write(&path, b"the export before").expect("written");
    let mut pieces = export(store.clone(), Selection::default());
    // The export goes on only as far as its pieces are taken.
    let first = pieces.recv().await.expect("a piece");
    store.close().await.expect("closes");
    let (again, receiver) = tokio::sync::mpsc::channel(16);
    tokio::spawn(async move {
        drop(again.send(first).await);
        while let Some(piece) = pieces.recv().await {
            drop(again.send(piece).await);
        }
    });
    match export_to_file(receiver, &path).await {
        Err(ToolError::File(FileError::BrokenOff(why))) => assert!(why.contains("it was closed"), "{why}"),
        other => panic!("{other:?}"),
    }
    assert_eq!(fs::read(&path).expect("there"), b"the export before");
    assert_eq!(fs::read_dir(dir.path()).expect("lists").count(), 1, "the half of it is gone");
}

#[tokio::test]
async fn an_export_beside_a_host_at_work_is_consistent_actor_by_actor() {
    let store = store(3).await;
    let writing = {
        let store = store.clone();
        tokio::spawn(async move {
            let actor = name("actor/1");
            let (_, revision) = store.head(&actor).await.expect("answers").expect("a head");
            let mut lease = store.claim(&actor, Some(revision), "host").await.expect("claims");
            for n in 0..2_000u32 {
                store.commit(&mut lease, record(n.to_le_bytes().to_vec())).await.expect("commits");
                tokio::task::yield_now().await;
            }
        })
    };
    while !writing.is_finished() {
        let bytes = bytes_of(store.clone(), Selection::default()).await;
        let mut export = Export::from_bytes(bytes).expect("whole");
        let mut actors = 0;
        while let Some((actor, image)) = export.next_image(&Selection::default()).expect("reads") {
            actors += 1;
            for (reference, bytes) in image.head.records.iter().zip(&image.records) {
                crate::store::head::verify(&actor, reference, bytes).expect("each record that the head names is there");
            }
        }
        assert_eq!(actors, 3);
    }
    writing.await.expect("commits");
}
