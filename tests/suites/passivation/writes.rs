//! What a sleep and a wake write, and what is told of a state whose waking did not come about.

use std::sync::Arc;

use baton_host::model::{Durability, Phase, StateRules};
use baton_host::store::{SnapshotStore, StoreError};
use baton_host::{CallError, CallOptions, Host, Pattern, SendError, Template};

use super::{at_once, counters, instances, number, phase, say, until_asleep, until_let_go};
use crate::harness::{Op, StoreDouble, WatGuest, actor, host, name, plugin, until};
use crate::journal::{CHECKPOINT, TERMINATED, Told, journal, say_to, told_to};

/// The stop reason `passivate`.
const PASSIVATE: u32 = 3;

/// A host of journals, those that match `j/*` by a template.
async fn journals(store: &Arc<StoreDouble>, guest: &WatGuest) -> Host {
    let shared: Arc<dyn SnapshotStore> = store.clone();
    let template = Template::new(Pattern::new("j/*").unwrap(), plugin("journal"));
    let host = host().store(shared).plugin_bytes("guest.wasm", guest.build()).template(template);
    host.passivation(at_once()).build().await.unwrap()
}

/// How often the store was asked to write something for `actor`: rests, claims, and all else.
fn writes(store: &StoreDouble, actor: &str) -> [usize; 3] {
    let of = |ops: &[Op]| ops.iter().map(|op| store.asked(*op, &name(actor))).sum();
    [of(&[Op::Rest]), of(&[Op::Claim]), of(&[Op::Commit, Op::TakeUp, Op::Release, Op::Refuse, Op::Forget])]
}

#[tokio::test]
async fn a_sleep_is_one_write_and_so_is_a_wake() {
    let store = StoreDouble::new();
    let host = counters(&store, at_once()).actor(actor("l/1", "counter")).build().await.unwrap();
    for to in ["c/1", "l/1"] {
        assert_eq!(say(&host, to, "a").await, 1);
        until_asleep(&host, to).await;
        let [rests, claims, others] = writes(&store, to);
        for round in 1..=3 {
            assert_eq!(say(&host, to, "a").await, round as u32 + 1);
            until_asleep(&host, to).await;
            assert_eq!(writes(&store, to), [rests + round, claims + round, others], "{to}");
        }
    }
    host.shutdown(None).await;
}

#[tokio::test]
async fn who_is_kept_by_each_turn_sleeps_on_as_well() {
    let store = StoreDouble::new();
    let durable = || {
        let mut template = Template::new(Pattern::new("d/*").unwrap(), plugin("counter"));
        template.spec_mut().state = StateRules { durability: Some(Durability::Turn), ..StateRules::default() };
        template
    };
    let host = counters(&store, at_once()).template(durable()).build().await.unwrap();
    assert_eq!(say(&host, "d/1", "a").await, 1);
    until_let_go(&host, "d/1").await;
    drop(host);
    let host = counters(&store, at_once()).template(durable()).build().await.unwrap();
    until_let_go(&host, "d/1").await;
    assert_eq!((instances(&host), store.asked(Op::Claim, &name("d/1"))), (0, 1), "nobody was started");
    assert_eq!(say(&host, "d/1", "a").await, 2);
    host.shutdown(None).await;
}

#[tokio::test]
async fn a_sleeper_is_told_what_became_of_its_state() {
    let store = StoreDouble::new();
    let host = journals(&store, &journal()).await;
    assert_eq!(say_to(&host, "j/1", "a").await, "a");
    until_let_go(&host, "j/1").await;
    // It does not sleep again: the store does not take it in time.
    store.hold(Op::Rest);
    let slept = Told { had_state: true, origin: TERMINATED, detail: PASSIVATE, turns: 0, generation: 2, wrote: 1 };
    assert_eq!(told_to(&host, "j/1").await, slept);
    assert_eq!(say_to(&host, "j/1", "b").await, "ab");
    host.call(&name("j/1"), "!", CallOptions::default()).await.expect_err("it traps");
    let used = Told { had_state: true, origin: CHECKPOINT, detail: 1, turns: 2, generation: 3, wrote: 1 };
    assert_eq!(told_to(&host, "j/1").await, used, "it has used that state since");
    store.let_through();
    host.shutdown(None).await;
}

#[tokio::test]
async fn a_host_that_goes_between_a_wake_and_its_first_reply_leaves_a_state_that_is_not_told_as_complete() {
    let store = StoreDouble::new();
    let host = journals(&store, &journal()).await;
    assert_eq!(say_to(&host, "j/1", "a").await, "a");
    until_let_go(&host, "j/1").await;
    store.hold(Op::Load);
    let call = tokio::spawn({
        let host = host.clone();
        async move { host.call(&name("j/1"), "b", CallOptions::default()).await }
    });
    until("it is claimed", || store.asked(Op::Load, &name("j/1")) > 0).await;
    call.abort();
    drop(call.await);
    drop(host);
    store.let_through();
    let host = journals(&store, &journal()).await;
    // What cannot be proven is told as the less.
    let told = told_to(&host, "j/1").await;
    assert_eq!((told.had_state, told.origin, told.detail, told.wrote), (true, CHECKPOINT, 0, 1));
    assert_eq!(say_to(&host, "j/1", "b").await, "ab", "nothing of it was lost");
    host.shutdown(None).await;
}

#[tokio::test]
async fn a_state_that_a_version_refused_when_it_was_woken_stays_complete_for_the_next_version() {
    let store = StoreDouble::new();
    let first = journals(&store, &journal()).await;
    assert_eq!(say_to(&first, "j/1", "a").await, "a");
    until_let_go(&first, "j/1").await;
    first.shutdown(None).await;

    let refuses = journal().version("2.0.0").on("continue", "(call $refuse (i32.const 0))");
    let second = journals(&store, &refuses).await;
    let held = second.call(&name("j/1"), "b", CallOptions::default()).await;
    assert!(matches!(held, Err(CallError::NotSent(SendError::Held { .. }))), "{held:?}");
    assert_eq!(phase(&second, "j/1"), Some(Phase::Held));
    second.shutdown(None).await;

    let third = journals(&store, &journal().version("3.0.0")).await;
    let told = told_to(&third, "j/1").await;
    assert_eq!((told.had_state, told.origin, told.detail, told.wrote), (true, TERMINATED, PASSIVATE, 1));
    third.shutdown(None).await;
}

#[tokio::test]
async fn a_wake_that_has_to_try_again_is_told_as_if_it_had_not() {
    let store = StoreDouble::new();
    let host = journals(&store, &journal()).await;
    assert_eq!(say_to(&host, "j/1", "a").await, "a");
    until_let_go(&host, "j/1").await;
    // The record is out of reach when it is woken: it is claimed again and again.
    store.tamper(|_| Err(StoreError::Unavailable("gone fishing".into())));
    let call = tokio::spawn({
        let host = host.clone();
        async move { told_to(&host, "j/1").await }
    });
    let claims = store.asked(Op::Claim, &name("j/1"));
    until("it has tried again", || store.asked(Op::Claim, &name("j/1")) >= claims + 2).await;
    store.mend();
    let told = call.await.unwrap();
    assert_eq!((told.had_state, told.origin, told.detail, told.wrote), (true, TERMINATED, PASSIVATE, 1));
    host.shutdown(None).await;
}

#[tokio::test]
async fn an_answer_that_is_lost_puts_nobody_to_sleep_twice_and_loses_nothing() {
    let store = StoreDouble::new();
    let host = counters(&store, at_once()).build().await.unwrap();
    store.lose_answers(&[Op::Rest]);
    for count in 1..=3 {
        assert_eq!(say(&host, "c/1", "a").await, count);
        until_asleep(&host, "c/1").await;
    }
    store.mend();
    let reply = host.call(&name("c/1"), "a", CallOptions::default()).await.unwrap();
    assert_eq!(number(&reply), 4);
    assert!(host.shutdown(None).await.all_saved());
}
