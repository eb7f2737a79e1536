//! One actor is switched whole, or nothing has happened to it.

use std::sync::Arc;

use baton_host::CallOptions;
use baton_host::model::Phase;
use baton_host::store::{SnapshotStore, StoreError};
use baton_host::swap::{SwapOutcome, SwapReport, SwitchStep};
use futures_util::FutureExt;

use super::super::journal::{Told, journal, say, start, told, with};
use super::{at_once, newer, swap};
use crate::harness::{Op, StoreDouble, WatGuest, name, until};

/// Origin `switched`.
const SWITCHED: u32 = 1;

#[tokio::test]
async fn a_running_actor_goes_on_with_the_new_version_and_its_state() {
    let store = StoreDouble::new();
    let host = start(&store).await;
    say(&host, "a").await;
    let report = swap(&host, &newer(), at_once()).await;
    assert_eq!((report.outcome, report.switched), (SwapOutcome::Done, 1), "{report:?}");
    let told_now = told(&host).await;
    assert_eq!(told_now, Told { had_state: true, origin: SWITCHED, detail: 0, turns: 0, generation: 2, wrote: 1 });
    assert_eq!(say(&host, "b").await, "ab");
    let info = host.actor(&name("j/1")).unwrap();
    assert_eq!((info.version.unwrap().to_string().as_str(), info.generation, info.schema), ("2.0.0", 2, Some(2)));
    assert_eq!((info.restarts, info.phase), (0, Phase::Running));
    // The record of before is kept beside it.
    let (head, _) = store.head(&name("j/1")).await.unwrap().unwrap();
    assert_eq!(head.before_the_switch().unwrap().schema, Some(1));
    assert!(host.shutdown(None).await.all_saved());
    assert_eq!(host.dead_letters().len(), 0);
}

/// What a version that cannot take over comes to, and where it shows.
fn hopeless() -> Vec<(&'static str, WatGuest, SwitchStep)> {
    let newer = |function, body| newer().on(function, body);
    let wrong_schema =
        "(drop (call $journal_state (i32.const 1))) (i32.store (i32.const 2056) (i32.const 7)) (i32.const 2048)";
    let huge = "(drop (call $journal_state (i32.const 1))) (i32.store (i32.const 2060) (i32.const 0)) (i32.store (i32.const 2064) (i32.const 90000)) (i32.const 2048)";
    vec![
        ("`init` failed", newer("init", "(call $failure)"), SwitchStep::Init),
        ("the new version crashed", newer("init", "unreachable"), SwitchStep::Init),
        (
            "it refused the state: incompatible: no",
            newer("continue", "(call $refuse (i32.const 0))"),
            SwitchStep::Continue,
        ),
        ("yet: no", newer("continue", "(call $refuse (i32.const 3))"), SwitchStep::Continue),
        ("the new version crashed", newer("continue", "unreachable"), SwitchStep::Continue),
        ("continue_timeout_ms = 200", newer("continue", "(loop $l (br $l)) unreachable"), SwitchStep::Continue),
        ("memory_bytes", newer("continue", "(drop (memory.grow (i32.const 10000))) unreachable"), SwitchStep::Continue),
        ("`snapshot` of the new version failed", newer("snapshot", "(call $failure)"), SwitchStep::State),
        ("the new version crashed", newer("snapshot", "unreachable"), SwitchStep::State),
        ("schema 7", newer("snapshot", wrong_schema), SwitchStep::State),
        ("snapshot_bytes = 1000", newer("snapshot", huge), SwitchStep::State),
    ]
}

#[tokio::test]
async fn nothing_has_happened_to_an_actor_that_the_new_version_does_not_take_over() {
    for (why, guest, step) in hopeless() {
        let store = StoreDouble::new();
        let mut spec = crate::harness::actor("j/1", "journal");
        (spec.limits.continue_timeout_ms, spec.limits.snapshot_bytes) = (200, 1_000);
        spec.limits.memory_bytes = 4 << 20;
        let host = with(&store, &journal(), spec).await;
        say(&host, "a").await;
        let report = swap(&host, &guest, at_once()).await;
        assert_eq!(
            (report.outcome, report.switched, report.failed),
            (SwapOutcome::WentBack, 0, 1),
            "{why}: {report:?}"
        );
        let failure = &report.failures[0];
        assert!(failure.step == step && failure.why.contains(why), "{why}: {failure:?}");
        let info = host.actor(&name("j/1")).unwrap();
        assert_eq!((info.version.unwrap().to_string().as_str(), info.generation), ("1.0.0", 1), "{why}");
        assert_eq!((info.phase, info.restarts, info.bad_states), (Phase::Running, 0, 0), "{why}");
        assert_eq!(say(&host, "b").await, "ab", "{why}");
        assert_eq!(host.plugins().len(), 1, "{why}: what nobody runs is unloaded");
        host.shutdown(None).await;
        // And it is handed over as ever.
        let host = start(&store).await;
        assert_eq!(say(&host, "c").await, "abc", "{why}");
        host.shutdown(None).await;
    }
}

async fn half_switched(store: &Arc<StoreDouble>, op: Op) -> (baton_host::Host, tokio::task::JoinHandle<SwapReport>) {
    let host = start(store).await;
    say(&host, "a").await;
    let before = store.asked(op, &name("j/1"));
    store.hold(op);
    let swapping = {
        let host = host.clone();
        tokio::spawn(async move { swap(&host, &newer(), at_once()).await })
    };
    until("it waits for the store", || store.asked(op, &name("j/1")) > before).await;
    (host, swapping)
}

#[tokio::test]
async fn messages_wait_for_the_switch_and_keep_their_order() {
    for op in [Op::Commit, Op::Switch] {
        let store = StoreDouble::new();
        let (host, swapping) = half_switched(&store, op).await;
        let mut call = Box::pin(say(&host, "b"));
        assert!((&mut call).now_or_never().is_none());
        host.cast(&name("j/1"), "c", None).unwrap();
        assert_eq!(host.actor(&name("j/1")).unwrap().waiting, 2, "{op:?}");
        store.let_through();
        assert_eq!(swapping.await.unwrap().outcome, SwapOutcome::Done, "{op:?}");
        assert_eq!(call.await, "ab", "{op:?}");
        assert_eq!(say(&host, "d").await, "abcd", "{op:?}");
        assert_eq!(told(&host).await.generation, 2, "{op:?}");
        host.shutdown(None).await;
    }
}

#[tokio::test]
async fn a_store_that_does_not_take_the_switch_leaves_all_as_it_was() {
    for op in [Op::Commit, Op::Switch] {
        let store = StoreDouble::new();
        let host = start(&store).await;
        say(&host, "a").await;
        store.fail(op, StoreError::Unavailable("the disk is full".into()));
        let mut options = at_once();
        options.switch_timeout = std::time::Duration::from_millis(100);
        let report = swap(&host, &newer(), options).await;
        assert_eq!((report.outcome, report.failed), (SwapOutcome::WentBack, 1), "{op:?}: {report:?}");
        assert!(report.failures[0].why.contains("the disk is full"), "{report:?}");
        store.mend();
        assert_eq!(say(&host, "b").await, "ab");
        assert_eq!(told(&host).await.generation, 1);
        assert!(host.shutdown(None).await.all_saved());
    }
}

#[tokio::test]
async fn an_answer_that_was_lost_is_settled_by_the_head() {
    let store = StoreDouble::new();
    let host = start(&store).await;
    say(&host, "a").await;
    store.lose_answers(&[Op::Switch]);
    let report = swap(&host, &newer(), at_once()).await;
    assert_eq!((report.outcome, report.switched), (SwapOutcome::Done, 1), "{report:?}");
    assert_eq!((say(&host, "b").await.as_str(), told(&host).await.generation), ("ab", 2));
    host.shutdown(None).await;
}

#[tokio::test]
async fn a_switch_of_which_nobody_knows_is_settled_by_the_record() {
    // The commit took place, and the head cannot be asked.
    let store = StoreDouble::new();
    let host = start(&store).await;
    say(&host, "a").await;
    store.lose_answers(&[Op::Switch]);
    store.fail(Op::Head, StoreError::Unavailable("out of reach".into()));
    let mut options = at_once();
    options.switch_timeout = std::time::Duration::from_millis(100);
    let report = swap(&host, &newer(), options).await;
    assert_eq!(report.failed, 1, "{report:?}");
    store.mend();
    until("it runs again", || host.actor(&name("j/1")).unwrap().phase == Phase::Running).await;
    // It was told to go back, and goes on from what the switch had committed.
    let reply = host.call(&name("j/1"), "b", CallOptions::default()).await.unwrap();
    assert_eq!(&reply[..], b"ab");
    host.shutdown(None).await;
}
