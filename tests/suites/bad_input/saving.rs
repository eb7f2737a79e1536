//! `snapshot` and `terminate` that go wrong: the record before stays the one that counts.

use std::time::Duration;

use baton_host::model::NotSaved;
use baton_host::{Saved, Shutdown};

use super::{ENDLESS, Stage, mended, record, says, two_counted};
use crate::harness::{StoreDouble, WatGuest};

/// As `snapshot` or `terminate` gives it, with the state changed by `change`.
fn state(change: &str) -> String {
    format!("(drop (call STATE)) {change} (i32.const 2048)")
}

const TOO_LARGE: &str = "(i32.store (i32.const 2064) (i32.const 5000))";
const OTHER_SCHEMA: &str = "(i32.store (i32.const 2056) (i32.const 9))";

/// What `snapshot` or `terminate` does, and the words that follow from it.
fn wrongs(state_call: &str) -> Vec<(String, Vec<&'static str>)> {
    let state = |change| state(change).replace("STATE", state_call);
    vec![
        ("unreachable".into(), vec!["unreachable"]),
        ("(call $failure)".into(), vec!["no: no"]),
        (state(TOO_LARGE), vec!["its state has 5000 bytes", "snapshot_bytes = 4096"]),
        (state(OTHER_SCHEMA), vec!["its state has schema 9", "the plugin described schema 1"]),
    ]
}

#[tokio::test]
async fn a_checkpoint_that_cannot_be_made_takes_the_turn_back() {
    for (body, words) in wrongs("$state") {
        let store = StoreDouble::new();
        let guest = WatGuest::new("bad")
            .on("snapshot", &body)
            .with("(data (i32.const 45000) \"well/1\")")
            .when('s', "(call $save) (call $send (i32.const 45000) (i32.const 6) (i32.const 45000) (i32.const 1) (i32.const 45100))");
        let mut stage = Stage::on(&store, &guest, |spec| spec.limits.snapshot_bytes = 4_096).await;
        assert_eq!(stage.count("x").await, 1);
        says(stage.crash("s").await, &words);
        assert_eq!(stage.count("x").await, 1, "there is no record: it begins anew");
        stage.goes_on().await;
        assert!(record(&*store).await.is_none());
        assert_eq!(stage.host.dead_letters().len(), 1);
        stage.end().await;
    }
}

#[tokio::test]
async fn a_snapshot_without_end_is_cut_off() {
    let guest = WatGuest::new("bad").on("snapshot", ENDLESS).when('s', "(call $save)");
    let stage = Stage::set(&guest, |spec| spec.limits.turn_timeout_ms = 50).await;
    says(stage.crash("s").await, &["`snapshot` ran past its time", "turn_timeout_ms = 50"]);
    assert_eq!(stage.count("x").await, 1);
    stage.end().await;
}

#[tokio::test]
async fn nothing_worth_keeping_is_no_mistake() {
    let store = StoreDouble::new();
    let guest = WatGuest::new("bad").on("snapshot", "(call $some_state (i32.const 0))").when('s', "(call $save)");
    let stage = Stage::on(&store, &guest, |_| {}).await;
    assert_eq!((stage.count("s").await, stage.count("x").await), (1, 2));
    assert!(record(&*store).await.is_none());
    stage.end().await;
}

#[tokio::test]
async fn a_terminate_that_goes_wrong_is_named_and_the_record_before_stays() {
    for (body, words) in wrongs("$legacy (i32.const 0)") {
        let (store, before) = two_counted().await;
        let guest = WatGuest::new("bad").version("1.1.0").on("terminate", &body);
        let mut stage = Stage::on(&store, &guest, |spec| spec.limits.snapshot_bytes = 4_096).await;
        assert_eq!(stage.count("x").await, 3);
        stage.goes_on().await;
        let report = stage.host.shutdown(None).await;
        let (named, why) = report.not_saved().next().expect("it is named");
        assert_eq!(named.as_str(), "bad/1");
        says(why, &words);
        let kind = match why {
            NotSaved::Crashed(_) => "unreachable",
            NotSaved::Failed(_) => "no: no",
            NotSaved::Refused(_) => "its state has",
            other => panic!("{other}"),
        };
        says(why, &[kind]);
        assert_eq!(report.not_saved().count(), 1, "the healthy one is saved");
        assert_eq!(record(&*store).await.unwrap(), before);
        mended(&store).await;
    }
}

#[tokio::test]
async fn a_stop_of_one_tells_the_same() {
    let (store, before) = two_counted().await;
    let guest = WatGuest::new("bad").version("1.1.0").on("terminate", "unreachable");
    let stage = Stage::on(&store, &guest, |_| {}).await;
    assert_eq!(stage.count("x").await, 3);
    let saved = stage.host.stop(&super::bad()).await.unwrap();
    assert!(matches!(&saved, Saved::Not(NotSaved::Crashed(why)) if why.contains("unreachable")), "{saved:?}");
    assert!(stage.host.actor(&super::bad()).is_none());
    assert_eq!(record(&*store).await.unwrap(), before);
    stage.end().await;
    mended(&store).await;
}

#[tokio::test]
async fn a_terminate_without_end_is_cut_off_within_its_budget() {
    let (store, before) = two_counted().await;
    let guest = WatGuest::new("bad").version("1.1.0").on("terminate", ENDLESS);
    let stage = Stage::on(&store, &guest, |spec| spec.shutdown = Shutdown::After(Duration::from_millis(200))).await;
    assert_eq!(stage.count("x").await, 3);
    let report = stage.host.shutdown(None).await;
    let not_saved: Vec<_> = report.not_saved().map(|(name, why)| format!("{name}: {why}")).collect();
    assert!(matches!(&not_saved[..], [one] if one.contains("bad/1") && one.contains("budget of")), "{not_saved:?}");
    assert_eq!(record(&*store).await.unwrap(), before);
    mended(&store).await;
}

#[tokio::test]
async fn effects_of_a_terminate_that_fails_do_not_leave() {
    let (store, _) = two_counted().await;
    let send =
        "(call $send (i32.const 45000) (i32.const 6) (i32.const 45000) (i32.const 1) (i32.const 45100)) unreachable";
    let guest = WatGuest::new("bad").version("1.1.0").with("(data (i32.const 45000) \"well/1\")").on("terminate", send);
    let mut stage = Stage::on(&store, &guest, |_| {}).await;
    stage.host.stop(&super::bad()).await.unwrap();
    stage.goes_on().await;
    stage.end().await;
}

#[tokio::test]
async fn what_came_meanwhile_is_kept_with_the_record_before() {
    let (store, _) = two_counted().await;
    let never = WatGuest::new("bad").version("1.1.0").on("continue", "(call $refuse (i32.const 3))");
    let stage = Stage::on(&store, &never, |_| {}).await;
    stage.host.cast(&super::bad(), "x", None).unwrap();
    assert!(stage.host.shutdown(None).await.all_saved());
    let stage = Stage::on(&store, &WatGuest::new("bad"), |_| {}).await;
    assert_eq!(stage.count("x").await, 4);
    stage.end().await;
}
