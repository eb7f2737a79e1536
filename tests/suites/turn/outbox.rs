//! What a durable actor sends: it arrives, once and in order, whoever is gone meanwhile.

use std::time::Duration;

use baton_host::model::Phase;
use baton_host::{ActorSpec, Pattern, Template};

use super::{
    clerk, dead, durable, handled, head, plain, record, say, saying, stopping, until_handled, until_runs,
    until_settled, with, with_guests,
};
use crate::harness::{Op, StoreDouble, actor, host, name, plugin, until};

/// An actor whose `init` never answers: what is listed after it is started a while later.
fn slow() -> (crate::harness::WatGuest, ActorSpec) {
    let mut spec = actor("slow", "slow");
    spec.limits.start_timeout_ms = 300;
    (clerk().named("slow").on("init", "(loop (br 0)) (unreachable)"), spec)
}

#[tokio::test]
async fn a_message_is_applied_once_though_its_sender_is_lost_before_it_knows() {
    let store = StoreDouble::new();
    let actors = || [durable("a"), durable("r/1")];
    let host = with(&store, actors()).await;
    assert_eq!(say(&host, "a", "AxAy").await, "AxAy");
    // It has arrived, and the sender has not written that down.
    store.hold_for(Op::Commit, &name("a"));
    until_handled(&host, "r/1", 2).await;
    assert_eq!(record(&store, "a").await.header.traffic.outbox.len(), 2);
    drop(host);
    let host = with(&store, actors()).await;
    store.let_through();
    until_settled(&store, "a").await;
    assert_eq!(say(&host, "r/1", "z").await, "xyz");
    assert_eq!(handled(&host, "r/1"), 1, "what was sent again was known");
    host.shutdown(None).await;
}

#[tokio::test]
async fn a_message_is_applied_once_though_its_receiver_is_lost_before_its_commit() {
    let store = StoreDouble::new();
    let actors = || [durable("a"), durable("r/1")];
    let host = with(&store, actors()).await;
    store.hold_for(Op::Commit, &name("r/1"));
    say(&host, "a", "AxAy").await;
    until("the receiver is at its commit", || store.asked(Op::Commit, &name("r/1")) == 1).await;
    drop(host);
    let host = with(&store, actors()).await;
    until_runs(&host, "r/1").await;
    store.let_through();
    until_settled(&store, "a").await;
    assert_eq!(say(&host, "r/1", "z").await, "xyz");
    host.shutdown(None).await;
}

#[tokio::test]
async fn a_message_is_settled_at_the_receivers_commit_and_not_before() {
    let store = StoreDouble::new();
    let host = with(&store, [durable("a"), durable("r/1")]).await;
    store.hold_for(Op::Commit, &name("r/1"));
    say(&host, "a", "Ax").await;
    until("the receiver is at its commit", || store.asked(Op::Commit, &name("r/1")) == 1).await;
    say(&host, "a", "b").await;
    assert_eq!(record(&store, "a").await.header.traffic.outbox.len(), 1, "nobody has confirmed it");
    store.let_through();
    until_settled(&store, "a").await;
    host.shutdown(None).await;
}

#[tokio::test]
async fn a_sender_that_crashes_sends_nothing_twice() {
    let store = StoreDouble::new();
    let host = with(&store, [durable("a"), durable("r/1")]).await;
    store.hold_for(Op::Commit, &name("r/1"));
    say(&host, "a", "AxAy").await;
    saying(&host, "a", "Az!").await.unwrap().expect_err("it traps");
    say(&host, "a", "Av").await;
    store.let_through();
    until_settled(&store, "a").await;
    assert_eq!(say(&host, "r/1", "w").await, "xyvw");
    host.shutdown(None).await;
}

#[tokio::test]
async fn order_holds_while_the_receiver_is_full_and_others_do_not_wait() {
    let store = StoreDouble::new();
    let mut narrow = durable("r/1");
    narrow.limits.mailbox_messages = 2;
    let host = with(&store, [durable("a"), narrow, durable("r/2")]).await;
    store.hold_for(Op::Commit, &name("r/1"));
    for body in ["AaAbAcAd", "Bz", "AeAf", "Ag"] {
        say(&host, "a", body).await;
    }
    until_handled(&host, "r/2", 1).await;
    until("it is full", || host.actor(&name("r/1")).unwrap().waiting == 2).await;
    store.let_through();
    until_settled(&store, "a").await;
    assert_eq!(say(&host, "r/1", "h").await, "abcdefgh");
    host.shutdown(None).await;
}

#[tokio::test]
async fn order_holds_over_a_time_in_which_the_receiver_is_stopped() {
    let store = StoreDouble::new();
    let host = with(&store, [durable("a"), durable("r/1")]).await;
    store.hold_for(Op::Commit, &name("r/1"));
    say(&host, "a", "AaAbAc").await;
    until("the first is at its commit", || store.asked(Op::Commit, &name("r/1")) == 1).await;
    let stopping = stopping(&host, "r/1").await;
    say(&host, "a", "Ad").await;
    store.let_through();
    stopping.await.unwrap();
    say(&host, "a", "AeAf").await;
    assert_eq!(dead(&host), Vec::<String>::new(), "who is listed may come back");
    host.restart_child(&name("r/1")).await.unwrap();
    say(&host, "a", "Ag").await;
    until_settled(&store, "a").await;
    assert_eq!(say(&host, "r/1", "z").await, "abcdefgz");
    assert_eq!(dead(&host), Vec::<String>::new());
    host.shutdown(None).await;
}

#[tokio::test]
async fn a_receiver_that_stays_down_gets_its_messages_when_it_is_started_again() {
    let store = StoreDouble::new();
    let mut brittle = durable("r/1");
    brittle.intensity.max_restarts = 0;
    let host = with(&store, [durable("a"), brittle]).await;
    store.hold_for(Op::Commit, &name("r/1"));
    say(&host, "a", "Ax").await;
    until("the first is at its commit", || store.asked(Op::Commit, &name("r/1")) == 1).await;
    // Behind the one that crashes it, one waits; another comes when it is down.
    say(&host, "a", "A!Ay").await;
    until("two wait", || host.actor(&name("r/1")).unwrap().waiting == 2).await;
    store.let_through();
    until("it stays down", || host.actor(&name("r/1")).unwrap().phase == Phase::Failed).await;
    say(&host, "a", "Az").await;
    host.restart_child(&name("r/1")).await.unwrap();
    until_settled(&store, "a").await;
    assert_eq!(say(&host, "r/1", "w").await, "xyzw");
    assert_eq!(dead(&host), ["r/1"], "the one that crashed it");
    host.shutdown(None).await;
}

#[tokio::test]
async fn a_message_to_nobody_is_a_dead_letter_once_and_the_sender_goes_on() {
    let store = StoreDouble::new();
    let host = with(&store, [durable("a"), durable("r/2")]).await;
    assert_eq!(say(&host, "a", "AxBy").await, "AxBy");
    until_settled(&store, "a").await;
    assert_eq!((dead(&host), say(&host, "r/2", "z").await), (vec!["r/1".to_owned()], "yz".to_owned()));
    host.shutdown(None).await;
    let host = with(&store, [durable("a"), durable("r/1")]).await;
    assert_eq!(say(&host, "r/1", "w").await, "w");
    host.shutdown(None).await;
}

#[tokio::test]
async fn who_was_deleted_from_the_list_does_not_come_back() {
    let store = StoreDouble::new();
    let host = with(&store, [durable("a"), durable("r/1")]).await;
    host.stop(&name("r/1")).await.unwrap();
    host.delete_child(&name("r/1")).await.unwrap();
    say(&host, "a", "Ax").await;
    until_settled(&store, "a").await;
    assert_eq!(dead(&host), ["r/1"]);
    host.shutdown(None).await;
}

#[tokio::test]
async fn while_the_host_starts_a_receiver_that_is_listed_later_is_waited_for() {
    let store = StoreDouble::new();
    let host = with(&store, [durable("a"), durable("r/1")]).await;
    store.hold_for(Op::Commit, &name("r/1"));
    say(&host, "a", "AxAy").await;
    drop(host);
    store.let_through();
    let (guest, slow) = slow();
    let host = with_guests(&store, &[clerk(), guest], [durable("a"), slow, durable("r/1")]).await;
    until_settled(&store, "a").await;
    assert_eq!(say(&host, "r/1", "z").await, "xyz");
    assert_eq!(dead(&host), Vec::<String>::new());
    host.shutdown(None).await;
}

#[tokio::test]
async fn an_outbox_is_bounded_and_what_is_in_it_arrives() {
    let store = StoreDouble::new();
    let mut small = durable("a");
    small.limits.outbox_messages = 2;
    let host = with(&store, [small, durable("r/1")]).await;
    store.hold_for(Op::Commit, &name("r/1"));
    for body in ["Aa", "Ab"] {
        say(&host, "a", body).await;
    }
    let error = saying(&host, "a", "Ac").await.unwrap().expect_err("one too many");
    assert!(error.to_string().contains("outbox_messages = 2"), "{error}");
    assert_eq!(say(&host, "a", "d").await, "AaAbd");
    store.let_through();
    until_settled(&store, "a").await;
    say(&host, "a", "Ae").await;
    until_settled(&store, "a").await;
    assert_eq!(say(&host, "r/1", "z").await, "abez");
    host.shutdown(None).await;
}

#[tokio::test]
async fn a_stop_in_good_order_leaves_what_is_under_way_and_doubles_nothing() {
    // Whoever of the two stops first.
    for sender_first in [true, false] {
        let store = StoreDouble::new();
        let actors = || match sender_first {
            true => [durable("a"), durable("r/1")],
            false => [durable("r/1"), durable("a")],
        };
        let host = with(&store, actors()).await;
        store.hold_for(Op::Commit, &name("r/1"));
        say(&host, "a", "AaAbAc").await;
        until("the first is at its commit", || store.asked(Op::Commit, &name("r/1")) == 1).await;
        let down = tokio::spawn({
            let host = host.clone();
            async move { host.shutdown(None).await }
        });
        until("the host closes", || !host.is_ready()).await;
        store.let_through();
        assert!(down.await.unwrap().all_saved());
        assert_eq!(dead(&host), Vec::<String>::new());
        let (at_a, at_r) = (record(&store, "a").await, record(&store, "r/1").await);
        assert_eq!(at_r.data, b"a", "sender first: {sender_first}");
        let under_way = at_a.header.traffic.outbox.len().max(at_r.header.inbox.len());
        assert!(under_way >= 2, "{at_a:?} {at_r:?}");
        let host = with(&store, actors()).await;
        until_settled(&store, "a").await;
        assert_eq!(say(&host, "r/1", "z").await, "abcz", "sender first: {sender_first}");
        host.shutdown(None).await;
    }
}

#[tokio::test]
async fn what_terminate_sends_is_kept_for_a_receiver_that_has_stopped_before() {
    let store = StoreDouble::new();
    let farewell = clerk().on(
        "terminate",
        "(call $send (i32.const 45010) (i32.const 3) (i32.const 45040) (i32.const 1) (i32.const 3200))
         (call $journal_state (i32.const 0))",
    );
    let mut sender = durable("a");
    sender.plugin = plugin("farewell");
    let guests = [clerk(), farewell.named("farewell")];
    // They stop in reverse.
    let host = with_guests(&store, &guests, [sender, durable("r/1")]).await;
    say(&host, "a", "x").await;
    assert!(host.shutdown(None).await.all_saved());
    assert_eq!(dead(&host), Vec::<String>::new());
    assert_eq!(record(&store, "a").await.header.traffic.outbox.len(), 1);
    let mut sender = durable("a");
    sender.plugin = plugin("farewell");
    let host = with_guests(&store, &guests, [sender, durable("r/1")]).await;
    until_settled(&store, "a").await;
    assert_eq!(say(&host, "r/1", "w").await, "zw");
    drop(host);
}

#[tokio::test]
async fn a_sender_that_sleeps_is_woken_for_what_it_has_sent() {
    let store = StoreDouble::new();
    let build = || {
        let shared: std::sync::Arc<dyn baton_host::store::SnapshotStore> = store.clone();
        let mut template = Template::new(Pattern::new("s/*").unwrap(), plugin("clerk"));
        template.spec_mut().state = durable("a").state;
        let host = host().store(shared).plugin_bytes("clerk.wasm", clerk().build()).template(template);
        host.actor(durable("r/1")).build()
    };
    let host = build().await.unwrap();
    store.hold_for(Op::Commit, &name("r/1"));
    say(&host, "s/1", "AxQ").await;
    until("it sleeps", || host.actor(&name("s/1")).is_none()).await;
    drop(host);
    store.let_through();
    let host = build().await.unwrap();
    until_handled(&host, "r/1", 1).await;
    until_settled(&store, "s/1").await;
    assert_eq!(say(&host, "r/1", "y").await, "xy");
    host.shutdown(None).await;
}

#[tokio::test]
async fn what_a_durable_actor_sends_to_one_that_is_not_arrives_as_well() {
    let store = StoreDouble::new();
    let host = with(&store, [durable("a"), plain("r/1")]).await;
    say(&host, "a", "AxAy").await;
    until_settled(&store, "a").await;
    assert_eq!(say(&host, "r/1", "z").await, "xyz");
    assert!(host.shutdown(Some(Duration::from_secs(20))).await.all_saved());
    assert!(head(&store, "r/1").await.current().is_some());
}
