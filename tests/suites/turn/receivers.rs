//! What becomes of a durable actor's message when its receiver ends in the middle of it: lost only if it was at fault.

use std::time::Duration;

use baton_host::store::StoreError;

use super::{dead, durable, handled, record, say, stopping, until_handled, until_runs, until_settled, with};
use crate::harness::{Op, StoreDouble, name, until};

#[tokio::test]
async fn a_message_that_crashes_its_receiver_is_a_dead_letter_once_and_the_next_is_handled() {
    let store = StoreDouble::new();
    let actors = || [durable("a"), durable("r/1")];
    let host = with(&store, actors()).await;
    say(&host, "a", "AxA!Ay").await;
    until_handled(&host, "r/1", 2).await;
    until_settled(&store, "a").await;
    assert_eq!(dead(&host), ["r/1"]);
    assert_eq!(say(&host, "r/1", "z").await, "xyz");
    drop(host);
    let host = with(&store, actors()).await;
    assert_eq!(say(&host, "r/1", "w").await, "xyzw");
    assert_eq!((dead(&host), host.actor(&name("r/1")).unwrap().restarts), (vec![], 0));
    host.shutdown(None).await;
}

#[tokio::test]
async fn a_message_whose_receiver_is_killed_meanwhile_is_sent_again() {
    let store = StoreDouble::new();
    let host = with(&store, [durable("a"), durable("r/1")]).await;
    store.hold_for(Op::Commit, &name("r/1"));
    say(&host, "a", "AxAy").await;
    until("the first is at its commit", || store.asked(Op::Commit, &name("r/1")) == 1).await;
    host.kill(&name("r/1")).await.unwrap();
    until("it is started again", || host.actor(&name("r/1")).is_some_and(|actor| actor.restarts == 1)).await;
    until_runs(&host, "r/1").await;
    store.let_through();
    until_settled(&store, "a").await;
    assert_eq!(say(&host, "r/1", "z").await, "xyz");
    assert_eq!(dead(&host), Vec::<String>::new());
    host.shutdown(None).await;
}

#[tokio::test]
async fn a_message_in_hand_at_the_end_of_a_budget_is_sent_again_by_the_next_host() {
    let store = StoreDouble::new();
    let actors = || [durable("a"), durable("r/1")];
    let host = with(&store, actors()).await;
    store.hold_for(Op::Commit, &name("r/1"));
    say(&host, "a", "AxAy").await;
    until("the first is at its commit", || store.asked(Op::Commit, &name("r/1")) == 1).await;
    assert!(!host.shutdown(Some(Duration::from_millis(200))).await.all_saved());
    assert_eq!(dead(&host), Vec::<String>::new());
    store.let_through();
    let host = with(&store, actors()).await;
    until_settled(&store, "a").await;
    assert_eq!(say(&host, "r/1", "z").await, "xyz");
    host.shutdown(None).await;
}

#[tokio::test]
async fn a_message_that_the_store_would_not_let_end_is_sent_again() {
    let store = StoreDouble::new();
    let mut patient = durable("r/1");
    patient.intensity.max_restarts = u32::MAX;
    let host = with(&store, [durable("a"), patient]).await;
    store.fail_for(Op::Commit, &name("r/1"), StoreError::Unsupported("be of any use"));
    say(&host, "a", "AxAy").await;
    until("it was tried twice", || store.asked(Op::Commit, &name("r/1")) >= 2).await;
    store.mend();
    until_settled(&store, "a").await;
    assert_eq!(say(&host, "r/1", "z").await, "xyz");
    assert_eq!(dead(&host), Vec::<String>::new());
    host.shutdown(None).await;
}

#[tokio::test]
async fn a_timer_whose_turn_the_store_would_not_let_end_fires_again() {
    let store = StoreDouble::new();
    let mut patient = durable("a");
    patient.intensity.max_restarts = u32::MAX;
    let host = with(&store, [patient]).await;
    say(&host, "a", "T2").await;
    store.fail_for(Op::Commit, &name("a"), StoreError::Unsupported("be of any use"));
    until("it was tried twice", || store.asked(Op::Commit, &name("a")) >= 3).await;
    store.mend();
    until_handled(&host, "a", 2).await;
    until("its turn has ended", || host.actor(&name("a")).unwrap().sequence == Some(2)).await;
    assert_eq!(say(&host, "a", "b").await, "T2tb");
    assert_eq!(dead(&host), Vec::<String>::new());
    host.shutdown(None).await;
}

#[tokio::test]
async fn a_record_that_is_too_large_for_the_store_is_its_messages_own_fault() {
    let store = StoreDouble::new();
    let host = with(&store, [durable("a"), durable("r/1")]).await;
    store.fail_for(Op::Commit, &name("r/1"), StoreError::TooLarge { bytes: 2, largest: 1 });
    say(&host, "a", "Ax").await;
    until_settled(&store, "a").await;
    assert_eq!(dead(&host), ["r/1"]);
    store.mend();
    assert_eq!(say(&host, "r/1", "y").await, "y");
    host.shutdown(None).await;
}

#[tokio::test]
async fn a_durable_receivers_inbox_comes_first_and_what_is_sent_again_is_known() {
    let store = StoreDouble::new();
    let actors = || [durable("a"), durable("r/1")];
    let host = with(&store, actors()).await;
    store.hold_for(Op::Commit, &name("r/1"));
    host.cast(&name("r/1"), "o", None).unwrap();
    until("the first is at its commit", || store.asked(Op::Commit, &name("r/1")) == 1).await;
    say(&host, "a", "AxAy").await;
    host.cast(&name("r/1"), "p", None).unwrap();
    until("three wait", || host.actor(&name("r/1")).unwrap().waiting == 3).await;
    // The sender may not write down that they have arrived.
    store.hold_for(Op::Commit, &name("a"));
    let stopping = stopping(&host, "r/1").await;
    store.let_through_for(&name("r/1"));
    stopping.await.unwrap();
    let left = record(&store, "r/1").await;
    assert_eq!((left.data.as_slice(), left.header.inbox.len()), (&b"o"[..], 3));
    assert_eq!(record(&store, "a").await.header.traffic.outbox.len(), 2);
    drop(host);
    let host = with(&store, actors()).await;
    store.let_through();
    until_settled(&store, "a").await;
    assert_eq!(say(&host, "r/1", "z").await, "oxypz");
    assert_eq!(handled(&host, "r/1"), 4);
    drop(host);
    let host = with(&store, actors()).await;
    assert_eq!(say(&host, "r/1", "w").await, "oxypzw");
    host.shutdown(None).await;
}

#[tokio::test]
async fn what_is_left_of_an_inbox_is_in_the_commit_of_each_turn() {
    let store = StoreDouble::new();
    let host = with(&store, [durable("r/1")]).await;
    store.hold_for(Op::Commit, &name("r/1"));
    host.cast(&name("r/1"), "o", None).unwrap();
    until("the first is at its commit", || store.asked(Op::Commit, &name("r/1")) == 1).await;
    for body in ["x", "!", "y", "w"] {
        host.cast(&name("r/1"), body, None).unwrap();
    }
    let stopping = stopping(&host, "r/1").await;
    store.let_through();
    stopping.await.unwrap();
    assert_eq!(record(&store, "r/1").await.header.inbox.len(), 4);
    host.restart_child(&name("r/1")).await.unwrap();
    until_handled(&host, "r/1", 3).await;
    assert_eq!(say(&host, "r/1", "z").await, "oxywz", "the one that crashed it is left out");
    assert_eq!(dead(&host), ["r/1"]);
    host.shutdown(None).await;
}
