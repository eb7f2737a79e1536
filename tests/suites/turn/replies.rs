//! Who tries again gets the first reply, and nothing is done twice.

use baton_host::{CallError, CallOptions, MessageId};

use super::{clerk, durable, handled, plain, say, say_as, saying, until_handled, until_runs, with};
use crate::harness::{Op, StoreDouble, name, until};

#[tokio::test]
async fn who_tries_again_with_the_same_id_gets_the_first_reply_and_the_guest_is_not_asked() {
    let store = StoreDouble::new();
    let host = with(&store, [durable("a")]).await;
    assert_eq!(say_as(&host, "1", "a", "x").await.unwrap(), "x");
    assert_eq!(say(&host, "a", "y").await, "xy");
    assert_eq!(say_as(&host, "1", "a", "x").await.unwrap(), "x");
    // Whatever it says this time: the id counts.
    assert_eq!(say_as(&host, "1", "a", "!").await.unwrap(), "x");
    host.cast(&name("a"), "x", Some(MessageId::new("1").unwrap())).unwrap();
    assert_eq!(say(&host, "a", "z").await, "xyz");
    assert_eq!(handled(&host, "a"), 3);
    // After a crash, a stop in good order, and the loss of the host.
    saying(&host, "a", "!").await.unwrap().expect_err("it traps");
    assert_eq!(say_as(&host, "1", "a", "x").await.unwrap(), "x");
    assert!(host.shutdown(None).await.all_saved());
    let host = with(&store, [durable("a")]).await;
    assert_eq!(say_as(&host, "1", "a", "x").await.unwrap(), "x");
    drop(host);
    let host = with(&store, [durable("a")]).await;
    assert_eq!(say_as(&host, "1", "a", "x").await.unwrap(), "x");
    assert_eq!(say(&host, "a", "w").await, "xyzw");
    host.shutdown(None).await;
}

#[tokio::test]
async fn whoever_calls_an_actor_at_rest_has_its_answer_before_anybody_else_has_a_turn() {
    let store = StoreDouble::new();
    let host = with(&store, [plain("a")]).await;
    assert_eq!(say(&host, "a", "x").await, "x");
    for expected in ["xy", "xyy"] {
        let called = name("a");
        let answer = tokio::select! {
            biased;
            answer = host.call(&called, "y", CallOptions::default()) => answer.unwrap(),
            () = std::future::ready(()) => panic!("it had to wait"),
        };
        assert_eq!(answer[..], *expected.as_bytes());
    }
    host.shutdown(None).await;
}

#[tokio::test]
async fn two_who_ask_at_once_with_one_id_get_one_reply() {
    let store = StoreDouble::new();
    let host = with(&store, [durable("a")]).await;
    store.hold_for(Op::Commit, &name("a"));
    let asking = || {
        let host = host.clone();
        tokio::spawn(async move { say_as(&host, "1", "a", "x").await.unwrap() })
    };
    let (one, other) = (asking(), asking());
    until("one is at its commit, and the other waits", || {
        store.asked(Op::Commit, &name("a")) == 1 && host.actor(&name("a")).unwrap().waiting == 1
    })
    .await;
    store.let_through();
    assert_eq!((one.await.unwrap(), other.await.unwrap()), ("x".to_owned(), "x".to_owned()));
    assert_eq!(handled(&host, "a"), 1);
    host.shutdown(None).await;
}

#[tokio::test]
async fn a_failure_is_a_first_reply_like_any_other() {
    let store = StoreDouble::new();
    let host = with(&store, [durable("a")]).await;
    let first = say_as(&host, "1", "a", "F").await.expect_err("it fails");
    assert!(matches!(&first, CallError::Failed(failure) if failure.code == "no"), "{first}");
    drop(host);
    let host = with(&store, [durable("a")]).await;
    assert_eq!(say_as(&host, "1", "a", "F").await.expect_err("it failed"), first);
    assert_eq!(say(&host, "a", "x").await, "Fx", "once");
    host.shutdown(None).await;
}

#[tokio::test]
async fn a_crash_is_no_reply_and_who_tries_again_is_heard() {
    let store = StoreDouble::new();
    let host = with(&store, [durable("a")]).await;
    say_as(&host, "1", "a", "!").await.expect_err("it traps");
    assert_eq!(say_as(&host, "1", "a", "x").await.unwrap(), "x");
    host.shutdown(None).await;
}

#[tokio::test]
async fn a_cast_that_comes_again_is_handled_once() {
    let store = StoreDouble::new();
    let host = with(&store, [durable("a")]).await;
    for _ in 0..3 {
        host.cast(&name("a"), "x", Some(MessageId::new("1").unwrap())).unwrap();
    }
    assert_eq!(say(&host, "a", "y").await, "xy");
    host.shutdown(None).await;
}

#[tokio::test]
async fn the_same_id_of_another_sender_is_another_message() {
    let store = StoreDouble::new();
    let host = with(&store, [durable("r/1"), durable("a"), plain("b")]).await;
    // The nested calls of both have the id `1.0`, and so has the one from outside.
    for (actor, body) in [("a", "Cx"), ("b", "Cy"), ("a", "Cw")] {
        say_as(&host, "1", actor, body).await.unwrap();
    }
    assert_eq!(say_as(&host, "1.0", "r/1", "z").await.unwrap(), "xyz", "each of the three senders once");
    host.shutdown(None).await;
}

#[tokio::test]
async fn replies_are_kept_only_so_many() {
    let store = StoreDouble::new();
    let mut few = durable("a");
    few.limits.replies = 2;
    let host = with(&store, [few]).await;
    for id in ["1", "2", "3"] {
        say_as(&host, id, "a", id).await.unwrap();
    }
    assert_eq!(say_as(&host, "2", "a", "2").await.unwrap(), "12");
    assert_eq!(say_as(&host, "1", "a", "1").await.unwrap(), "1231", "it was pushed out");
    assert_eq!(super::record(&store, "a").await.header.traffic.answered.len(), 2);
    host.shutdown(None).await;
}

#[tokio::test]
async fn replies_are_kept_only_so_many_bytes_and_so_long() {
    let store = StoreDouble::new();
    let (mut few, mut brief) = (durable("a"), durable("b"));
    few.limits.replies_bytes = 60;
    brief.limits.replies_ms = 1;
    let host = with(&store, [few, brief]).await;
    for id in ["1", "2", "3", "4", "5", "6"] {
        say_as(&host, id, "a", "x").await.unwrap();
    }
    let kept = super::record(&store, "a").await.header.traffic.answered;
    assert!((1..6).contains(&kept.len()), "{kept:?}");
    say_as(&host, "1", "b", "x").await.unwrap();
    let again = || async { say_as(&host, "1", "b", "x").await.unwrap() != "x" };
    let limit = std::time::Instant::now() + std::time::Duration::from_secs(20);
    while !again().await {
        assert!(std::time::Instant::now() < limit, "never came: it is too long ago");
    }
    host.shutdown(None).await;
}

#[tokio::test]
async fn one_who_commits_when_it_stops_remembers_no_replies() {
    let store = StoreDouble::new();
    let host = with(&store, [plain("a")]).await;
    for expected in ["x", "xx"] {
        assert_eq!(say_as(&host, "1", "a", "x").await.unwrap(), expected);
    }
    host.shutdown(None).await;
}

#[tokio::test]
async fn a_call_of_a_turn_that_is_repeated_is_applied_once() {
    let store = StoreDouble::new();
    let actors = || [durable("a"), durable("r/1")];
    let host = with(&store, actors()).await;
    store.hold_for(Op::Commit, &name("a"));
    let first = tokio::spawn({
        let host = host.clone();
        async move { say_as(&host, "1", "a", "Cx").await }
    });
    until("the other has answered, and the turn is at its commit", || store.asked(Op::Commit, &name("a")) == 1).await;
    first.abort();
    drop(first.await);
    drop(host);
    // The one that is gone writes no more once the next one has claimed its state.
    let host = with(&store, actors()).await;
    until_runs(&host, "a").await;
    store.let_through();
    assert_eq!(say_as(&host, "1", "a", "Cx").await.unwrap(), "Cx");
    assert_eq!(say(&host, "r/1", "y").await, "xy", "once");
    host.shutdown(None).await;
}

#[tokio::test]
async fn a_call_of_a_timers_turn_that_is_repeated_is_applied_once() {
    let store = StoreDouble::new();
    // Who is called is there first.
    let actors = || [durable("r/1"), durable("a")];
    let host = with(&store, actors()).await;
    say(&host, "a", "U1").await;
    store.hold_for(Op::Commit, &name("a"));
    until("the timer's turn is at its commit", || store.asked(Op::Commit, &name("a")) == 2).await;
    assert_eq!(handled(&host, "r/1"), 1);
    drop(host);
    let host = with(&store, actors()).await;
    until("the repeated one is as well", || store.asked(Op::Commit, &name("a")) == 3).await;
    store.let_through();
    until_handled(&host, "a", 1).await;
    assert_eq!(say(&host, "r/1", "y").await, "zy", "once");
    // The next timer of that name is another one.
    say(&host, "a", "U0").await;
    until_handled(&host, "a", 3).await;
    assert_eq!(say(&host, "r/1", "x").await, "zyzx");
    host.shutdown(None).await;
}

#[tokio::test]
async fn a_plugins_rules_make_its_actors_durable_too() {
    let store = StoreDouble::new();
    let build = || {
        let shared: std::sync::Arc<dyn baton_host::store::SnapshotStore> = store.clone();
        let rules = durable("a").state;
        let host = crate::harness::host().store(shared).plugin_bytes("clerk.wasm", clerk().build()).keeping(rules);
        host.actor(plain("a")).build()
    };
    let host = build().await.unwrap();
    say(&host, "a", "x").await;
    drop(host);
    let host = build().await.unwrap();
    assert_eq!(say(&host, "a", "y").await, "xy");
    host.shutdown(None).await;
}
