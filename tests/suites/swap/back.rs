//! The way back: with all that was done since where the old version reads it, else with no loss that nobody agreed to.

use std::sync::Arc;
use std::time::Duration;

use baton_host::model::{Durability, Phase, StateRules};
use baton_host::store::SnapshotStore;
use baton_host::swap::{SwapOptions, SwapOutcome, SwapPhase, SwapReport, SwapSource, WayBack};
use baton_host::{CallOptions, Host, Pattern, Template};

use super::super::journal::{journal, say, say_to, start, with};
use super::{at_once, newer, of, swap};
use crate::harness::{StoreDouble, actor, host, name, plugin, until};

fn losing() -> SwapOptions {
    let mut options = at_once();
    options.allow_loss = true;
    options
}

async fn back(host: &Host, options: SwapOptions) -> SwapReport {
    host.swap(&plugin("journal"), SwapSource::Back, options).await.unwrap().ended().await.unwrap()
}

fn version(host: &Host, actor: &str) -> String {
    host.actor(&name(actor)).unwrap().version.unwrap().to_string()
}

#[tokio::test]
async fn an_old_version_that_reads_what_the_new_one_wrote_goes_on_with_it() {
    let store = StoreDouble::new();
    let reader = journal().schema(1, (1, 2));
    let host = with(&store, &reader, actor("j/1", "journal")).await;
    say(&host, "a").await;
    swap(&host, &newer(), at_once()).await;
    say(&host, "b").await;
    let plan = host.plan_swap(&plugin("journal"), SwapSource::Back, &at_once()).await.unwrap();
    assert_eq!(plan.misfits.count, 0);
    let report = back(&host, at_once()).await;
    assert_eq!((report.outcome, report.lost.count), (SwapOutcome::Done, 0), "{report:?}");
    assert_eq!((say(&host, "c").await.as_str(), version(&host, "j/1").as_str()), ("abc", "1.0.0"));
    host.shutdown(None).await;
}

#[tokio::test]
async fn an_old_version_that_reads_it_and_refuses_it_goes_on_with_the_record_from_before() {
    let store = StoreDouble::new();
    let picky = journal().schema(1, (1, 2)).on(
        "continue",
        "(if (i32.and (local.get $some) (i32.eq (local.get $schema) (i32.const 2))) (then (return (call $refuse (i32.const 0)))))
         (if (local.get $some) (then
           (memory.copy (i32.const 46000) (local.get $data) (local.get $data_len))
           (global.set $len (local.get $data_len))))
         (call $ok)",
    );
    let host = with(&store, &picky, actor("j/1", "journal")).await;
    say(&host, "a").await;
    swap(&host, &newer(), at_once()).await;
    let report = back(&host, at_once()).await;
    assert_eq!((report.outcome, report.lost.count), (SwapOutcome::Done, 0), "{report:?}");
    assert_eq!((say(&host, "b").await.as_str(), version(&host, "j/1").as_str()), ("ab", "1.0.0"));
    host.shutdown(None).await;
}

#[tokio::test]
async fn without_a_word_since_the_record_from_before_loses_nothing() {
    let store = StoreDouble::new();
    let host = start(&store).await;
    say(&host, "a").await;
    swap(&host, &newer(), at_once()).await;
    let report = back(&host, at_once()).await;
    assert_eq!((report.outcome, report.lost.count), (SwapOutcome::Done, 0), "{report:?}");
    assert_eq!((say(&host, "b").await.as_str(), version(&host, "j/1").as_str()), ("ab", "1.0.0"));
    host.shutdown(None).await;
}

#[tokio::test]
async fn what_was_done_since_is_not_lost_unless_that_is_allowed() {
    for durability in [Durability::Stop, Durability::Turn] {
        let store = StoreDouble::new();
        let mut spec = actor("j/1", "journal");
        spec.state = StateRules { durability: Some(durability), ..StateRules::default() };
        let host = with(&store, &journal(), spec).await;
        say(&host, "a").await;
        let plan = host.plan_swap(&plugin("journal"), of(&newer()), &at_once()).await.unwrap();
        assert_eq!(plan.way_back, WayBack::Loses);
        swap(&host, &newer(), at_once()).await;
        // More commits than records are kept, with `turn`.
        for _ in 0..8 {
            say(&host, "b").await;
        }
        let report = back(&host, at_once()).await;
        assert_eq!((report.outcome, report.failed), (SwapOutcome::HalfWay, 1), "{report:?}");
        assert!(report.failures[0].why.contains("would lose"), "{report:?}");
        assert_eq!(say(&host, "c").await, "abbbbbbbbc", "it has stayed where it was");
        assert_eq!(version(&host, "j/1"), "2.0.0");
        let report = back(&host, losing()).await;
        assert_eq!((report.outcome, report.lost.count), (SwapOutcome::Done, 1), "{report:?}");
        let commits = if durability == Durability::Turn { "9 commits" } else { "0 commits" };
        assert!(report.lost.first[0].what.contains(commits), "{report:?}");
        assert_eq!((say(&host, "d").await.as_str(), version(&host, "j/1").as_str()), ("ad", "1.0.0"), "{durability:?}");
        assert!(host.shutdown(None).await.all_saved());
    }
}

#[tokio::test]
async fn who_crashed_with_the_new_version_is_not_held_by_the_way_back() {
    let store = StoreDouble::new();
    let shared: Arc<dyn SnapshotStore> = store.clone();
    let building = host().store(shared).plugin_bytes("old.wasm", journal().build());
    let host = building.actor(actor("j/1", "journal")).actor(actor("j/2", "journal")).build().await.unwrap();
    for actor in ["j/1", "j/2"] {
        say_to(&host, actor, "a").await;
    }
    let mut options = at_once();
    options.watch = Duration::from_secs(3_600);
    let swapping = host.swap(&plugin("journal"), of(&newer()), options).await.unwrap();
    until("it is watched", || swapping.status().phase == SwapPhase::Watching).await;
    say(&host, "S").await;
    assert!(host.call(&name("j/1"), "!", CallOptions::default()).await.is_err());
    let report = swapping.ended().await.unwrap();
    assert_eq!((report.outcome, report.stay.count), (SwapOutcome::HalfWay, 1), "{report:?}");
    assert_eq!(report.stay.first[0].actor, name("j/1"), "{report:?}");
    until("it runs", || host.actor(&name("j/1")).unwrap().phase == Phase::Running).await;
    assert_eq!((version(&host, "j/1").as_str(), say(&host, "b").await.as_str()), ("2.0.0", "aSb"));
    assert_eq!((version(&host, "j/2").as_str(), say_to(&host, "j/2", "b").await.as_str()), ("1.0.0", "ab"));
    // A way back that was left half-way goes on.
    let report = back(&host, losing()).await;
    assert_eq!((report.outcome, version(&host, "j/1").as_str()), (SwapOutcome::Done, "1.0.0"), "{report:?}");
    assert_eq!(say(&host, "c").await, "ac");
    host.shutdown(None).await;
}

#[tokio::test]
async fn who_sleeps_with_a_newer_record_stays_with_the_newer_version_unless_it_may_be_lost() {
    let store = StoreDouble::new();
    let shared: Arc<dyn SnapshotStore> = store.clone();
    let template = Template::new(Pattern::new("j/*").unwrap(), plugin("journal"));
    let building = host().store(shared).plugin_bytes("old.wasm", journal().build());
    let host = building.template(template).build().await.unwrap();
    let sleep = async || {
        host.stop(&name("j/1")).await.unwrap();
        until("it sleeps", || host.actor(&name("j/1")).is_none()).await;
    };
    say(&host, "a").await;
    sleep().await;
    swap(&host, &newer(), at_once()).await;
    say(&host, "b").await;
    sleep().await;
    let report = back(&host, at_once()).await;
    assert_eq!((report.outcome, report.stay.count), (SwapOutcome::HalfWay, 1), "{report:?}");
    assert_eq!(report.stay.first[0].actor, name("j/1"), "{report:?}");
    assert_eq!((say(&host, "c").await.as_str(), version(&host, "j/1").as_str()), ("abc", "2.0.0"));
    sleep().await;
    let report = back(&host, losing()).await;
    assert_eq!(report.outcome, SwapOutcome::Done, "{report:?}");
    assert_eq!((say(&host, "d").await.as_str(), version(&host, "j/1").as_str()), ("ad", "1.0.0"));
    host.shutdown(None).await;
}
