//! A turn and its commit: all of it, or nothing.

use baton_host::store::{Cause, StoreError};
use baton_host::{CallError, Host};

use super::{durable, handled, plain, record, say, saying, until_handled, with};
use crate::harness::{Op, StoreDouble, name, until};

/// A host with `a`, whose commits wait, and `r/1`; and the call to `a` that cannot end.
async fn held_in_its_commit(
    store: &std::sync::Arc<StoreDouble>,
    body: &'static str,
) -> (Host, tokio::task::JoinHandle<Result<baton_host::Body, CallError>>) {
    let host = with(store, [durable("a"), plain("r/1")]).await;
    store.hold_for(Op::Commit, &name("a"));
    let call = saying(&host, "a", body);
    until("the turn is at its commit", || store.asked(Op::Commit, &name("a")) == 1).await;
    (host, call)
}

#[tokio::test]
async fn neither_a_reply_nor_a_message_nor_a_timer_leaves_before_the_commit() {
    let store = StoreDouble::new();
    let (host, call) = held_in_its_commit(&store, "AxT0").await;
    // What is sent after it, from outside, gets there: so what `a` sends would have been there by now.
    assert_eq!(say(&host, "r/1", "y").await, "y");
    assert!(!call.is_finished(), "the reply waits");
    store.let_through();
    assert_eq!(call.await.unwrap().unwrap(), "AxT0");
    until_handled(&host, "a", 2).await;
    assert_eq!((say(&host, "a", "b").await, say(&host, "r/1", "z").await), ("AxT0tb".into(), "yxz".into()));
    host.shutdown(None).await;
}

#[tokio::test]
async fn a_monitor_is_set_after_the_commit() {
    let store = StoreDouble::new();
    let (host, call) = held_in_its_commit(&store, "M").await;
    host.stop(&name("r/1")).await.unwrap();
    assert_eq!(host.actor(&name("a")).unwrap().waiting, 0, "it has not heard of it");
    store.let_through();
    call.await.unwrap().unwrap();
    until_handled(&host, "a", 2).await;
    assert_eq!(say(&host, "a", "b").await, "Mr/1noprocb", "it came too late");
    host.shutdown(None).await;
}

#[tokio::test]
async fn one_record_has_the_state_and_all_that_the_turn_asked_for() {
    let store = StoreDouble::new();
    let host = with(&store, [durable("a"), durable("r/1")]).await;
    store.hold_for(Op::Commit, &name("r/1"));
    assert_eq!(say(&host, "a", "AxT9M").await, "AxT9M");
    let record = record(&store, "a").await;
    assert_eq!((record.data.as_slice(), record.header.cause), (&b"AxT9M"[..], Cause::Turn));
    assert_eq!(record.header.timers.iter().map(|timer| timer.name.as_str()).collect::<Vec<_>>(), ["t"]);
    let traffic = record.header.traffic;
    assert_eq!(traffic.monitors, [name("r/1")]);
    assert_eq!(
        traffic.outbox.iter().map(|out| (out.to.as_str(), &out.body[..])).collect::<Vec<_>>(),
        [("r/1", &b"x"[..])]
    );
    assert_eq!(traffic.answered.iter().map(|one| one.reply.clone()).collect::<Vec<_>>(), [Ok("AxT9M".into())]);
    store.let_through();
    host.shutdown(None).await;
}

#[tokio::test]
async fn a_turn_that_cannot_be_committed_is_taken_back_and_nothing_of_it_has_left() {
    let store = StoreDouble::new();
    let host = with(&store, [durable("a"), plain("r/1")]).await;
    assert_eq!(say(&host, "a", "b").await, "b");
    store.fail_for(Op::Commit, &name("a"), StoreError::TooLarge { bytes: 2, largest: 1 });
    let error = saying(&host, "a", "AxT0M").await.unwrap().expect_err("not committed");
    assert!(
        matches!(&error, CallError::Crashed { reason, .. } if reason.contains("could not be committed")),
        "{error}"
    );
    store.mend();
    assert_eq!(say(&host, "a", "c").await, "bc");
    assert_eq!(say(&host, "r/1", "y").await, "y", "no message");
    host.stop(&name("r/1")).await.unwrap();
    assert_eq!(say(&host, "a", "d").await, "bcd", "no timer, no monitor");
    assert_eq!(super::dead(&host), ["a"]);
    assert_eq!(host.actor(&name("a")).unwrap().restarts, 1);
    host.shutdown(None).await;
}

#[tokio::test]
async fn a_state_that_may_not_be_saved_takes_its_turn_back() {
    let store = StoreDouble::new();
    let mut small = durable("a");
    small.limits.snapshot_bytes = 4;
    let host = with(&store, [small, plain("r/1")]).await;
    assert_eq!(say(&host, "a", "b").await, "b");
    let error = saying(&host, "a", "AxAx").await.unwrap().expect_err("not committed");
    assert!(error.to_string().contains("snapshot_bytes = 4"), "{error}");
    assert_eq!(say(&host, "a", "c").await, "bc");
    assert_eq!(handled(&host, "r/1"), 0);
    host.shutdown(None).await;
}

#[tokio::test]
async fn a_turn_that_is_cut_off_in_its_commit_has_sent_nothing() {
    let store = StoreDouble::new();
    let (host, call) = held_in_its_commit(&store, "Ax").await;
    host.kill(&name("a")).await.unwrap();
    call.await.unwrap().expect_err("killed");
    store.let_through();
    assert_eq!((say(&host, "a", "b").await, say(&host, "r/1", "y").await), ("b".into(), "y".into()));
    host.shutdown(None).await;
}

#[tokio::test]
async fn what_was_replied_to_survives_the_loss_of_the_host() {
    let store = StoreDouble::new();
    for (body, expected) in [("a", "a"), ("b", "ab"), ("c", "abc")] {
        let host = with(&store, [durable("a")]).await;
        assert_eq!(say(&host, "a", body).await, expected);
        drop(host);
    }
}

#[tokio::test]
async fn a_trap_goes_back_by_its_own_turn_alone() {
    let store = StoreDouble::new();
    let host = with(&store, [durable("a"), plain("r/1")]).await;
    for body in ["a", "b"] {
        say(&host, "a", body).await;
    }
    saying(&host, "a", "Ax!").await.unwrap().expect_err("it traps");
    assert_eq!(say(&host, "a", "c").await, "abc");
    assert_eq!(handled(&host, "r/1"), 0);
    host.shutdown(None).await;
}

#[tokio::test]
async fn an_answer_of_the_store_that_was_lost_does_not_take_a_turn_back() {
    let store = StoreDouble::new();
    let host = with(&store, [durable("a"), plain("r/1")]).await;
    store.lose_answers(&[Op::Commit]);
    assert_eq!(say(&host, "a", "Ax").await, "Ax");
    assert_eq!(say(&host, "a", "b").await, "Axb");
    until_handled(&host, "r/1", 1).await;
    assert_eq!(host.actor(&name("a")).unwrap().restarts, 0);
    host.shutdown(None).await;
}
