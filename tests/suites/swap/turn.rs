//! Actors that commit with each turn, across a switch: who asks again gets the first reply, and what was sent comes once.

use std::sync::Arc;

use baton_host::model::{Durability, StateRules};
use baton_host::store::SnapshotStore;
use baton_host::swap::SwapOutcome;
use baton_host::{ActorSpec, CallOptions, Host, MessageId};

use super::super::journal::{journal, say_to};
use super::{at_once, newer, swap};
use crate::harness::{StoreDouble, WatGuest, actor, host, name, until};

fn durable(called: &str, plugin: &str) -> ActorSpec {
    let mut spec = actor(called, plugin);
    spec.state = StateRules { durability: Some(Durability::Turn), ..StateRules::default() };
    spec
}

async fn pair(store: &Arc<StoreDouble>, guest: &WatGuest) -> Host {
    let shared: Arc<dyn SnapshotStore> = store.clone();
    let building = host().store(shared).plugin_bytes("guest.wasm", guest.build());
    let building = building.plugin_bytes("other.wasm", journal().named("other").build());
    building.actor(durable("other/1", "other")).actor(durable("j/1", "journal")).build().await.unwrap()
}

async fn say_as(host: &Host, id: &str, body: &'static str) -> String {
    let options = CallOptions { id: Some(MessageId::new(id).unwrap()), ..CallOptions::default() };
    String::from_utf8(host.call(&name("j/1"), body, options).await.unwrap().to_vec()).unwrap()
}

#[tokio::test]
async fn who_asks_again_after_a_switch_gets_the_first_reply() {
    let store = StoreDouble::new();
    let host = pair(&store, &journal()).await;
    assert_eq!((say_as(&host, "1", "a").await, say_as(&host, "2", "b").await), ("a".into(), "ab".into()));
    assert_eq!(swap(&host, &newer(), at_once()).await.outcome, SwapOutcome::Done);
    assert_eq!((say_as(&host, "1", "a").await, say_as(&host, "2", "b").await), ("a".into(), "ab".into()));
    assert_eq!(say_as(&host, "3", "c").await, "abc");
    // Also after the loss of the host, by the record of the switch and those after it.
    drop(host);
    let host = pair(&store, &newer()).await;
    assert_eq!((say_as(&host, "1", "a").await, say_as(&host, "3", "c").await), ("a".into(), "abc".into()));
    host.shutdown(None).await;
}

#[tokio::test]
async fn what_was_sent_before_and_by_a_switch_comes_once() {
    let store = StoreDouble::new();
    let host = pair(&store, &journal()).await;
    host.suspend(&name("other/1")).await.unwrap();
    say_to(&host, "j/1", ">a").await;
    let eager = newer().on(
        "continue",
        "(memory.copy (i32.const 46000) (local.get $data) (local.get $data_len))
         (global.set $len (local.get $data_len))
         (call $send (i32.const 45010) (i32.const 7) (i32.const 45020) (i32.const 1) (i32.const 3200)) (call $ok)",
    );
    assert_eq!(swap(&host, &eager, at_once()).await.outcome, SwapOutcome::Done);
    host.resume(&name("other/1")).await.unwrap();
    until("both are there", || host.actor(&name("other/1")).unwrap().handled >= 2).await;
    until("both are confirmed", || host.actor(&name("j/1")).unwrap().outbox_messages == 0).await;
    assert_eq!(say_to(&host, "other/1", "y").await, "xxy");
    drop(host);
    let host = pair(&store, &newer()).await;
    assert_eq!(say_to(&host, "j/1", "b").await, ">ab");
    assert_eq!(say_to(&host, "other/1", "z").await, "xxyz");
    host.shutdown(None).await;
}
