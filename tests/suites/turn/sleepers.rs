//! Timers of actors that sleep: whoever has a template is woken by them.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use baton_host::store::{SnapshotStore, StoreError};
use baton_host::{ActorSpec, Host, Pattern, Restart, Template};

use super::{clerk, handled, head, plain, record, say, until_handled};
use crate::harness::{Op, StoreDouble, WatGuest, host, name, plugin, until};

/// A host with a template `s/*`, and these actors.
async fn sleepy(store: &Arc<StoreDouble>, guest: &WatGuest, actors: Vec<ActorSpec>) -> Host {
    let shared: Arc<dyn SnapshotStore> = store.clone();
    let template = Template::new(Pattern::new("s/*").unwrap(), plugin("clerk"));
    let host = host().store(shared).plugin_bytes("clerk.wasm", guest.build()).template(template);
    actors.into_iter().fold(host, |host, actor| host.actor(actor)).build().await.unwrap()
}

async fn until_sleeps(host: &Host, actor: &str) {
    until(&format!("{actor} sleeps"), || host.actor(&name(actor)).is_none()).await;
}

#[tokio::test]
async fn a_sleeper_is_woken_by_its_timer() {
    let store = StoreDouble::new();
    let host = sleepy(&store, &clerk(), vec![]).await;
    say(&host, "s/1", "T3Q").await;
    until_sleeps(&host, "s/1").await;
    until_handled(&host, "s/1", 1).await;
    assert_eq!(say(&host, "s/1", "b").await, "T3Qtb");
    host.shutdown(None).await;
}

#[tokio::test]
async fn a_sleeper_is_woken_by_its_timer_though_the_host_was_away() {
    let store = StoreDouble::new();
    let host = sleepy(&store, &clerk(), vec![]).await;
    // `N` is three seconds.
    for (actor, body) in [("s/3", "Q"), ("s/2", "TNQ"), ("s/1", "T5Q")] {
        say(&host, actor, body).await;
        until_sleeps(&host, actor).await;
    }
    host.shutdown(None).await;
    let due = record(&store, "s/1").await.header.timers[0].due_ms;
    until("one is overdue", || SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() > u128::from(due))
        .await;
    let host = sleepy(&store, &clerk(), vec![]).await;
    // The other one is still to come.
    until_handled(&host, "s/1", 1).await;
    until_handled(&host, "s/2", 1).await;
    assert_eq!(say(&host, "s/1", "b").await, "T5Qtb");
    assert!(host.actor(&name("s/3")).is_none(), "it has no timer");
    host.shutdown(None).await;
}

#[tokio::test]
async fn a_sleeper_that_is_woken_and_sleeps_again_keeps_its_timer() {
    // It keeps the record that it has: nothing is written at its end.
    let store = StoreDouble::new();
    let keeps = clerk().on("terminate", "(call $journal_state (i32.const 1))");
    let host = sleepy(&store, &keeps, vec![]).await;
    // `D` is two seconds.
    say(&host, "s/1", "TDS").await;
    for _ in 0..2 {
        say(&host, "s/1", "Q").await;
        until_sleeps(&host, "s/1").await;
    }
    assert_eq!(record(&store, "s/1").await.header.timers.len(), 1);
    until_handled(&host, "s/1", 1).await;
    assert_eq!(say(&host, "s/1", "b").await, "TDStb");
    host.shutdown(None).await;
}

#[tokio::test]
async fn a_sleeper_is_woken_though_the_store_could_not_tell_of_it_at_first() {
    let store = StoreDouble::new();
    let host = sleepy(&store, &clerk(), vec![]).await;
    say(&host, "s/1", "T3Q").await;
    until_sleeps(&host, "s/1").await;
    host.shutdown(None).await;
    let before = store.lists();
    store.fail(Op::List, StoreError::Unavailable("gone fishing".into()));
    let host = sleepy(&store, &clerk(), vec![]).await;
    until("it was asked", || store.lists() > before).await;
    store.mend();
    until_handled(&host, "s/1", 1).await;
    host.shutdown(None).await;
}

#[tokio::test]
async fn one_without_a_template_is_not_woken() {
    let store = StoreDouble::new();
    let mut listed = plain("l/1");
    listed.restart = Restart::Transient;
    let host = sleepy(&store, &clerk(), vec![listed]).await;
    say(&host, "l/1", "T1Q").await;
    until_sleeps(&host, "l/1").await;
    // One whose timer is due later is woken meanwhile.
    say(&host, "s/1", "T3Q").await;
    until_sleeps(&host, "s/1").await;
    until_handled(&host, "s/1", 1).await;
    assert!(host.actor(&name("l/1")).is_none());
    assert_eq!(store.asked(Op::Claim, &name("l/1")), 1);
    host.shutdown(None).await;
}

#[tokio::test]
async fn one_that_is_listed_to_run_always_hears_its_timer_after_it_has_ended() {
    let store = StoreDouble::new();
    let mut listed = plain("l/1");
    listed.restart = Restart::Permanent;
    let host = sleepy(&store, &clerk(), vec![listed]).await;
    say(&host, "l/1", "T3Q").await;
    // The timer is the second: what it has handled is counted over restarts.
    until_handled(&host, "l/1", 2).await;
    assert_eq!(store.asked(Op::Claim, &name("l/1")), 2);
    assert_eq!(say(&host, "l/1", "b").await, "T3Qtb");
    host.shutdown(None).await;
}

#[tokio::test]
async fn one_that_is_listed_and_stays_down_hears_its_timer_with_the_next_host() {
    let store = StoreDouble::new();
    let listed = || {
        let mut listed = plain("l/1");
        listed.restart = Restart::Transient;
        vec![listed]
    };
    let host = sleepy(&store, &clerk(), listed()).await;
    say(&host, "l/1", "T1Q").await;
    until_sleeps(&host, "l/1").await;
    host.shutdown(None).await;
    let host = sleepy(&store, &clerk(), listed()).await;
    until_handled(&host, "l/1", 1).await;
    assert_eq!(say(&host, "l/1", "b").await, "T1Qtb");
    host.shutdown(None).await;
}

#[tokio::test]
async fn who_is_forgotten_is_not_woken() {
    let store = StoreDouble::new();
    let forgets = clerk().on("terminate", "(call $journal_state (i32.const 2))");
    let host = sleepy(&store, &forgets, vec![]).await;
    // It has a record with that timer, until it ends.
    say(&host, "s/1", "T1S").await;
    say(&host, "s/1", "Q").await;
    until_sleeps(&host, "s/1").await;
    assert!(head(&store, "s/1").await.current().is_none());
    drop(host);
    let host = sleepy(&store, &clerk(), vec![]).await;
    say(&host, "s/2", "T3Q").await;
    until_sleeps(&host, "s/2").await;
    until_handled(&host, "s/2", 1).await;
    assert_eq!((handled(&host, "s/1"), store.asked(Op::Claim, &name("s/1"))), (0, 1));
    assert!(host.shutdown(Some(Duration::from_secs(20))).await.all_saved());
}
