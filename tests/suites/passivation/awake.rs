//! Who cannot be put to sleep stays awake, and who may not be is left alone.

use std::time::Duration;

use baton_host::events::{EventFilter, EventKind};
use baton_host::model::Phase;
use baton_host::store::StoreError;
use baton_host::{CallOptions, Host};

use super::{at_once, awake, counter, counters, of, phase, say, until_asleep};
use crate::harness::{Op, StoreDouble, WatGuest, actor, name, until};

/// Waits until it is told that an actor stays awake, and why.
async fn stays_awake(host: &Host, actor: &str) -> String {
    let filter = EventFilter { kinds: vec![EventKind::StaysAwake], ..EventFilter::default() };
    let mut told = host.events_after(filter, 0);
    let next = tokio::time::timeout(Duration::from_secs(20), told.next()).await.expect("it is told").expect("a host");
    let text = serde_json::to_value(&*next.expect("none was missed")).unwrap();
    assert!(text["actor"] == actor, "{text}");
    text["detail"]["why"].as_str().unwrap().to_owned()
}

async fn cannot(guest: &WatGuest, expected: &str) {
    let store = StoreDouble::new();
    let host = of(guest, &store, at_once()).build().await.unwrap();
    assert_eq!(say(&host, "c/1", "a").await, 1);
    let why = stays_awake(&host, "c/1").await;
    assert!(why.contains(expected), "{why}");
    assert_eq!(phase(&host, "c/1"), Some(Phase::Running));
    assert_eq!((say(&host, "c/1", "a").await, store.asked(Op::Rest, &name("c/1"))), (2, 0));
    host.shutdown(None).await;
}

#[tokio::test]
async fn who_gives_no_snapshot_stays_awake_and_is_told() {
    cannot(&counter().on("snapshot", "(call $failure)"), "`snapshot` failed").await;
    cannot(&counter().on("snapshot", "(call $some_state (i32.const 0))"), "nothing to be kept").await;
    let other =
        counter().on("snapshot", "(drop (call $state)) (i32.store (i32.const 2056) (i32.const 9)) (i32.const 2048)");
    cannot(&other, "schema 9").await;
}

#[tokio::test]
async fn who_cannot_be_kept_goes_on_and_is_not_tried_again_at_once() {
    let store = StoreDouble::new();
    let host = counters(&store, at_once()).build().await.unwrap();
    store.fail(Op::Rest, StoreError::Unavailable("gone fishing".into()));
    assert_eq!(say(&host, "c/1", "a").await, 1);
    let why = stays_awake(&host, "c/1").await;
    assert!(why.contains("gone fishing"), "{why}");
    let tried = store.asked(Op::Rest, &name("c/1"));
    for count in 2..100 {
        assert_eq!(say(&host, "c/1", "a").await, count);
    }
    assert_eq!((phase(&host, "c/1"), store.asked(Op::Rest, &name("c/1"))), (Some(Phase::Running), tried));
    assert_eq!(store.asked(Op::Claim, &name("c/1")), 1, "it is the same instance");
    store.mend();
    assert!(host.shutdown(None).await.all_saved());
}

#[tokio::test]
async fn a_message_while_it_is_kept_finds_the_same_instance() {
    let store = StoreDouble::new();
    let host = counters(&store, at_once()).build().await.unwrap();
    store.hold(Op::Rest);
    assert_eq!(say(&host, "c/1", "a").await, 1);
    until("it is about to sleep", || store.asked(Op::Rest, &name("c/1")) > 0).await;
    let call = tokio::spawn({
        let host = host.clone();
        async move { host.call(&name("c/1"), "b", CallOptions::default()).await }
    });
    until("it waits", || host.actor(&name("c/1")).is_some_and(|info| info.waiting == 1)).await;
    store.let_through();
    assert_eq!(super::number(&call.await.unwrap().unwrap()), 2);
    assert_eq!(store.asked(Op::TakeUp, &name("c/1")), 1, "what was kept for the sleep is complete no more");
    until_asleep(&host, "c/1").await;
    assert_eq!(store.asked(Op::Claim, &name("c/1")), 1, "and nobody was started for it");
    host.shutdown(None).await;
}

#[tokio::test]
async fn who_is_suspended_held_or_never_to_sleep_is_left_alone() {
    let store = StoreDouble::new();
    let host = counters(&store, at_once()).actor(awake(actor("never/1", "counter"))).actor(actor("l/1", "counter"));
    let host = host.build().await.unwrap();
    until_asleep(&host, "l/1").await;
    host.suspend(&name("l/1")).await.unwrap();
    // Others come and go meanwhile.
    for n in 1..=20 {
        let to = format!("c/{n}");
        say(&host, &to, "a").await;
        until_asleep(&host, &to).await;
    }
    assert_eq!((phase(&host, "l/1"), phase(&host, "never/1")), (Some(Phase::Suspended), Some(Phase::Running)));
    host.resume(&name("l/1")).await.unwrap();
    until_asleep(&host, "l/1").await;
    host.shutdown(None).await;
}

#[tokio::test]
async fn what_terminate_does_at_a_sleep_changes_nothing() {
    // It would forget its state, and sends as well.
    let forgets = counter().on(
        "terminate",
        "(call $send (i32.const 45010) (i32.const 3) (i32.const 45030) (i32.const 1) (i32.const 3200))
         (call $some_state (i32.const 2))",
    );
    let crashes = counter().on("terminate", "unreachable");
    for guest in [forgets, crashes] {
        let store = StoreDouble::new();
        let host = of(&guest, &store, at_once()).actor(awake(actor("w/1", "counter"))).build().await.unwrap();
        for count in 1..=3 {
            assert_eq!(say(&host, "c/1", "a").await, count);
            until_asleep(&host, "c/1").await;
        }
        assert_eq!(say(&host, "w/1", "a").await, 1, "nothing was sent");
        assert!(host.dead_letters().is_empty());
        host.shutdown(None).await;
    }
}

#[tokio::test]
async fn who_does_not_trap_exits_sleeps_without_a_terminate() {
    let store = StoreDouble::new();
    let plain = counter().on("init", "(call $ok)").on("terminate", "unreachable");
    let host = of(&plain, &store, at_once()).build().await.unwrap();
    for count in 1..=3 {
        assert_eq!(say(&host, "c/1", "a").await, count);
        until_asleep(&host, "c/1").await;
    }
    host.shutdown(None).await;
}

#[tokio::test]
async fn nobody_sleeps_unless_it_is_said() {
    let store = StoreDouble::new();
    let host = counters(&store, baton_host::Passivation::default()).build().await.unwrap();
    assert_eq!(say(&host, "c/1", "a").await, 1);
    let stays = tokio::time::timeout(Duration::from_millis(300), until_asleep(&host, "c/1")).await;
    assert!(stays.is_err() && phase(&host, "c/1") == Some(Phase::Running));
    host.shutdown(None).await;
}
