//! Records that cannot be used, of actors that once ran: found on a real disk, or given by a store that was tampered
//! with. The actor is held, its record is kept, and everyone else goes on.

use std::path::Path;

use baton_host::model::{BadStatePolicy, Digest, HoldCause, Phase};
use baton_host::store::record::NEWEST_FORMAT;
use baton_host::store::{RecordError, SnapshotStore, StoreError};
use baton_host::{ActorSpec, SendError};

use super::{Stage, ask, bad, count, mended, record, says, two_counted};
use crate::harness::{StoreDouble, WatGuest, actor, host, until};

async fn disk(dir: &Path, guest: &WatGuest) -> Stage {
    Stage::with(host().data_dir(dir), guest, |_| {}).await
}

/// The one chunk of `bad/1`'s record, changed where it lies.
fn tamper(dir: &Path, change: impl FnOnce(&mut Vec<u8>)) {
    let db = sled::open(dir.join("store")).unwrap();
    let chunks = db.open_tree("chunks").unwrap();
    let (key, value) = chunks.scan_prefix("bad/1\0").last().unwrap().unwrap();
    let mut value = value.to_vec();
    change(&mut value);
    chunks.insert(key, value).unwrap();
    db.flush().unwrap();
}

/// Runs the actor on a real disk up to the count 2, spoils its record, and starts it again.
async fn spoilt(change: impl FnOnce(&mut Vec<u8>)) -> (tempfile::TempDir, Stage) {
    let dir = tempfile::tempdir().unwrap();
    let stage = disk(dir.path(), &WatGuest::new("bad")).await;
    assert_eq!((stage.count("x").await, stage.count("x").await), (1, 2));
    assert!(stage.host.shutdown(None).await.all_saved());
    tamper(dir.path(), change);
    let stage = disk(dir.path(), &WatGuest::new("bad")).await;
    assert_eq!(stage.well, 2, "the healthy one's own record is as it was");
    (dir, stage)
}

/// Its bytes are in the quarantine as they were found, and its head still names the record.
async fn quarantined(store: &dyn SnapshotStore) -> Vec<u8> {
    let kept = store.quarantined(&bad()).await.unwrap();
    let [kept] = &kept[..] else { panic!("{kept:?}") };
    assert_eq!(record(store).await.unwrap(), kept.record);
    kept.found.clone()
}

#[tokio::test]
async fn a_flipped_bit_holds_the_actor_and_quarantines_its_record() {
    let mut found = Vec::new();
    let (dir, mut stage) = spoilt(|bytes| {
        let last = bytes.len() - 33;
        bytes[last] ^= 1;
        found.clone_from(bytes);
    })
    .await;
    let hold = stage.held().await;
    assert!(matches!(&hold.cause, HoldCause::Damaged(why) if why.contains("checksum")), "{hold}");
    says(&hold, &["its record is damaged", "it is kept as it is", "baton store show"]);
    assert_eq!(quarantined(&**stage.host.store()).await, found);
    assert_eq!(stage.host.cast(&bad(), "x", None).unwrap_err().code(), "held");
    stage.goes_on().await;
    let report = stage.host.shutdown(None).await;
    assert!(report.all_saved(), "{report:?}");
    // It is found again however often the host starts, and quarantined once.
    let stage = disk(dir.path(), &WatGuest::new("bad").version("2.0.0")).await;
    assert_eq!(stage.held().await.cause, hold.cause);
    assert_eq!(quarantined(&**stage.host.store()).await, found);
    stage.end().await;
}

#[tokio::test]
async fn a_record_cut_short_is_held_too() {
    let (_dir, stage) = spoilt(|bytes| bytes.truncate(bytes.len() / 2)).await;
    let hold = stage.held().await;
    assert!(matches!(&hold.cause, HoldCause::Damaged(why) if why.contains("cut short")), "{hold}");
    assert!(!quarantined(&**stage.host.store()).await.is_empty());
    stage.end().await;
}

#[tokio::test]
async fn a_newer_format_is_told_as_such() {
    let (_dir, stage) = spoilt(|bytes| {
        // The format follows the eight bytes that every record begins with; the checksum ends it.
        bytes[8..10].copy_from_slice(&7_u16.to_le_bytes());
        let checksum = bytes.len() - 32;
        let sum = Digest::of(&bytes[..checksum]);
        bytes[checksum..].copy_from_slice(&sum.0);
    })
    .await;
    let hold = stage.held().await;
    assert_eq!(hold.cause, HoldCause::NewerFormat { found: 7, newest: NEWEST_FORMAT });
    says(&hold, &["format 7", "reads up to 2", "run the release that wrote it, or a newer one"]);
    quarantined(&**stage.host.store()).await;
    stage.end().await;
}

#[tokio::test]
async fn a_whole_record_of_another_actor_is_not_taken_for_its_own() {
    let (store, before) = two_counted().await;
    store.tamper(|record| match record.header.actor == bad() {
        true => Err(StoreError::Corrupt(RecordError::Mismatch("it is one of `other/1`".into()))),
        false => Ok(record),
    });
    let stage = Stage::on(&store, &WatGuest::new("bad"), |_| {}).await;
    says(stage.held().await, &["its record is damaged", "it is one of `other/1`"]);
    stage.end().await;
    assert_eq!(record(&*store).await.unwrap(), before);
    mended(&store).await;
}

#[tokio::test]
async fn a_state_of_another_plugin_is_not_shown_to_this_one() {
    let (store, before) = two_counted().await;
    // Its `continue` would trap on any state.
    let other = WatGuest::new("other").on("continue", "(if (local.get $some) (then unreachable)) (call $ok)");
    let builder = host().store(store.clone()).plugin_bytes("other.wasm", other.build());
    let mut stage = Stage::with(builder, &WatGuest::new("bad"), |spec| {
        *spec = ActorSpec::new(spec.name.clone(), crate::harness::plugin("other"));
    })
    .await;
    let hold = stage.held().await;
    let (found, expected) = ("bad".to_owned(), "other".to_owned());
    assert_eq!(hold.cause, HoldCause::OtherPlugin { found, expected });
    says(&hold, &["written by plugin `bad`", "runs plugin `other`", "name the right plugin"]);
    stage.goes_on().await;
    stage.end().await;
    assert_eq!(record(&*store).await.unwrap(), before);
    mended(&store).await;
}

#[tokio::test]
async fn a_schema_outside_what_the_plugin_reads_is_held_until_a_version_reads_it() {
    let (store, before) = two_counted().await;
    let newer = WatGuest::new("bad").version("3.0.0").schema(3, (2, 3));
    let newer = newer.on("continue", "(if (local.get $some) (then unreachable)) (call $ok)");
    let mut stage = Stage::on(&store, &newer, |_| {}).await;
    let hold = stage.held().await;
    assert!(matches!(&hold.cause, HoldCause::Schema { found: 1, reads_from: 2, reads_to: 3, .. }), "{hold}");
    says(&hold, &["its state has schema 1", "`bad` 3.0.0 reads 2 to 3", "run a version that reads 1"]);
    stage.goes_on().await;
    stage.end().await;
    assert_eq!(record(&*store).await.unwrap(), before);
    let fixed = WatGuest::new("bad").version("3.0.1").schema(3, (1, 3));
    let stage = Stage::on(&store, &fixed, |_| {}).await;
    assert_eq!(stage.count("x").await, 3);
    assert!(stage.host.shutdown(None).await.all_saved());
    let after = record(&*store).await.unwrap();
    assert_eq!((after.schema, after.sequence), (Some(3), before.sequence + 1));
}

#[tokio::test]
async fn a_held_actor_is_let_go_by_a_stop_and_its_record_stays() {
    let (store, before) = two_counted().await;
    let refuses = WatGuest::new("bad").on("continue", "(call $refuse (i32.const 1))").version("1.1.0");
    let stage = Stage::on(&store, &refuses, |_| {}).await;
    stage.held().await;
    stage.host.stop(&bad()).await.unwrap();
    assert!(stage.host.actor(&bad()).is_none());
    assert_eq!(record(&*store).await.unwrap(), before);
    stage.end().await;
    mended(&store).await;
}

#[tokio::test]
async fn a_damaged_head_holds_its_actor_whatever_its_policy_says() {
    let dir = tempfile::tempdir().unwrap();
    let stage = disk(dir.path(), &WatGuest::new("bad")).await;
    assert_eq!(stage.count("x").await, 1);
    assert!(stage.host.shutdown(None).await.all_saved());
    {
        let db = sled::open(dir.path().join("store")).unwrap();
        let heads = db.open_tree("heads").unwrap();
        let (key, value) = heads.scan_prefix("bad/1").last().unwrap().unwrap();
        let mut value = value.to_vec();
        value[3] ^= 1;
        heads.insert(key, value).unwrap();
        db.flush().unwrap();
    }
    // An actor whose head cannot be read must not look like one that was never there.
    for policy in [BadStatePolicy::Fresh, BadStatePolicy::Previous, BadStatePolicy::Stop, BadStatePolicy::Hold] {
        let rule = |spec: &mut ActorSpec| spec.state.on_bad_state = Some(policy);
        let mut stage = Stage::with(host().data_dir(dir.path()), &WatGuest::new("bad"), rule).await;
        let hold = stage.held().await;
        assert!(matches!(&hold.cause, HoldCause::DamagedHead(why) if why.contains("checksum")), "{hold}");
        says(&hold, &["its head is damaged", "baton store repair", "baton store forget"]);
        stage.goes_on().await;
        assert!(stage.host.shutdown(None).await.all_saved());
    }
}

#[tokio::test]
async fn casts_that_waited_for_a_state_that_turns_out_damaged_are_named_at_the_stop() {
    let (store, _) = two_counted().await;
    store.hold(crate::harness::Op::Load);
    store.tamper(|record| match record.header.actor == bad() {
        true => Err(StoreError::Corrupt(RecordError::Checksum { bytes: 100 })),
        false => Ok(record),
    });
    let shared: std::sync::Arc<dyn SnapshotStore> = store.clone();
    let guest = WatGuest::new("bad").build();
    let host = host().store(shared).plugin_bytes("bad.wasm", guest).actor(actor("bad/1", "bad")).build().await.unwrap();
    host.cast(&bad(), "x", None).unwrap();
    store.let_through();
    until("it is held", || host.actor(&bad()).unwrap().phase == Phase::Held).await;
    let error = host.cast(&bad(), "y", None).unwrap_err();
    assert!(matches!(error, SendError::Held { .. }), "{error}");
    let report = host.shutdown(None).await;
    let not_saved: Vec<_> = report.not_saved().map(|(name, why)| format!("{name}: {why}")).collect();
    assert_eq!(not_saved, ["bad/1: 1 messages that it had accepted could not be kept with its state"]);
    assert_eq!(host.dead_letters().len(), 1);
    mended(&store).await;
}

#[tokio::test]
async fn a_record_larger_than_the_store_takes_is_told_and_the_one_before_stays() {
    let (store, before) = two_counted().await;
    let stage = Stage::on(&store, &WatGuest::new("bad"), |_| {}).await;
    assert_eq!(stage.count("x").await, 3);
    store.fail(crate::harness::Op::Release, StoreError::TooLarge { bytes: 70_000_000, largest: 67_108_864 });
    let report = stage.host.shutdown(None).await;
    let why = report.not_saved().find(|(name, _)| **name == bad()).expect("it is named").1.to_string();
    says(why, &["the store did not take it", "70000000 bytes", "67108864"]);
    assert_eq!(record(&*store).await.unwrap(), before);
    mended(&store).await;
    let fresh = StoreDouble::new();
    let stage = Stage::on(&fresh, &WatGuest::new("bad"), |_| {}).await;
    assert_eq!(count(&ask(&stage.host, "bad/1", "x").await.unwrap()), 1);
    stage.end().await;
}
