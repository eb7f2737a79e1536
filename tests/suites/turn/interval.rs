//! Actors that are saved every so many messages, or so long after the first that is not saved yet.

use std::sync::Arc;
use std::time::{Duration, Instant};

use baton_host::model::{Durability, StateRules};
use baton_host::store::{Cause, StoreError};
use baton_host::{ActorSpec, CallOptions, Host};

use super::{head, record};
use crate::harness::{Op, StoreDouble, WatGuest, actor, name, until};
use crate::journal::{CHECKPOINT, Told, journal, say, told, with};

fn every(turns: Option<u32>, ms: Option<u64>) -> ActorSpec {
    let mut spec = actor("j/1", "journal");
    let durability = Durability::Interval { turns, every: ms.map(Duration::from_millis) };
    spec.state = StateRules { durability: Some(durability), ..StateRules::default() };
    spec
}

async fn start(store: &Arc<StoreDouble>, spec: ActorSpec) -> Host {
    with(store, &journal(), spec).await
}

fn sequence(host: &Host) -> Option<u64> {
    host.actor(&name("j/1")).unwrap().sequence
}

#[tokio::test]
async fn after_so_many_messages_there_is_a_checkpoint() {
    let store = StoreDouble::new();
    let host = start(&store, every(Some(3), None)).await;
    for body in ["a", "b", "c", "d", "e", "f", "g"] {
        say(&host, body).await;
    }
    assert_eq!(sequence(&host), Some(2));
    let saved = record(&store, "j/1").await;
    assert_eq!((saved.data.as_slice(), saved.header.cause), (&b"abcdef"[..], Cause::Checkpoint));
    drop(host);
    let host = start(&store, every(Some(3), None)).await;
    assert_eq!(say(&host, "h").await, "abcdefh", "the last one was not saved, and nobody said so");
    host.shutdown(None).await;
}

#[tokio::test]
async fn so_long_after_the_first_message_there_is_a_checkpoint_though_no_other_comes() {
    let store = StoreDouble::new();
    let host = start(&store, every(None, Some(50))).await;
    say(&host, "a").await;
    until("the first checkpoint", || sequence(&host) == Some(1)).await;
    say(&host, "b").await;
    until("the second one", || sequence(&host) == Some(2)).await;
    assert_eq!(record(&store, "j/1").await.data, b"ab");
    assert_eq!(store.asked(Op::Commit, &name("j/1")), 2, "none without a message");
    drop(host);
    let host = start(&store, every(None, Some(50))).await;
    assert_eq!(say(&host, "c").await, "abc");
    host.shutdown(None).await;
}

#[tokio::test]
async fn timers_and_the_inbox_that_is_left_are_in_a_checkpoint() {
    let store = StoreDouble::new();
    let host = start(&store, every(Some(1), None)).await;
    say(&host, "L").await;
    until("the checkpoint", || sequence(&host) == Some(1)).await;
    assert_eq!(record(&store, "j/1").await.header.timers.len(), 1);
    host.shutdown(None).await;
}

#[tokio::test]
async fn a_checkpoint_that_fails_harms_nobody_and_is_tried_again() {
    let store = StoreDouble::new();
    let host = start(&store, every(Some(2), Some(50))).await;
    store.fail(Op::Commit, StoreError::TooLarge { bytes: 2, largest: 1 });
    for (body, expected) in [("a", "a"), ("b", "ab"), ("c", "abc")] {
        assert_eq!(say(&host, body).await, expected);
    }
    until("it was tried again", || store.asked(Op::Commit, &name("j/1")) >= 2).await;
    assert_eq!((sequence(&host), host.actor(&name("j/1")).unwrap().restarts), (None, 0));
    store.mend();
    until("it is saved at last", || sequence(&host) == Some(1)).await;
    assert_eq!(record(&store, "j/1").await.data, b"abc");
    host.shutdown(None).await;
}

#[tokio::test]
async fn a_state_that_may_not_be_saved_does_not_end_its_actor() {
    let store = StoreDouble::new();
    let mut small = every(Some(1), None);
    small.limits.snapshot_bytes = 2;
    let host = start(&store, small).await;
    for (body, expected) in [("a", "a"), ("bc", "abc"), ("d", "abcd")] {
        assert_eq!(say(&host, body).await, expected);
    }
    assert_eq!(record(&store, "j/1").await.data, b"a");
    assert_eq!(host.actor(&name("j/1")).unwrap().restarts, 0);
    drop(host);
}

#[tokio::test]
async fn after_a_crash_the_next_one_is_told_how_many_messages_are_gone() {
    let store = StoreDouble::new();
    let host = start(&store, every(Some(2), None)).await;
    for body in ["a", "b", "c"] {
        say(&host, body).await;
    }
    host.call(&name("j/1"), "!", CallOptions::default()).await.expect_err("it traps");
    let after = Told { had_state: true, origin: CHECKPOINT, detail: 1, turns: 1, generation: 2, wrote: 1 };
    assert_eq!(told(&host).await, after);
    // A host that vanishes cannot say how many.
    drop(host);
    let host = start(&store, every(Some(2), None)).await;
    let unknown = Told { detail: 0, turns: 0, generation: 3, ..after };
    assert_eq!(told(&host).await, unknown);
    assert_eq!(say(&host, "d").await, "abd", "`?` changes nothing");
    host.shutdown(None).await;
}

#[tokio::test]
async fn what_the_guest_saves_itself_counts_and_is_durable_before_the_reply() {
    let store = StoreDouble::new();
    let host = start(&store, every(Some(2), None)).await;
    for body in ["a", "S", "b"] {
        say(&host, body).await;
    }
    let (sequence, data) = (sequence(&host), record(&store, "j/1").await.data);
    assert_eq!((sequence, data), (Some(1), b"aS".to_vec()), "the count begins anew");
    say(&host, "c").await;
    until("the checkpoint", || self::sequence(&host) == Some(2)).await;
    drop(host);
    let host = start(&store, every(Some(2), None)).await;
    assert_eq!(say(&host, "d").await, "aSbcd");
    host.shutdown(None).await;
}

#[tokio::test]
async fn one_that_has_nothing_to_save_goes_on() {
    for spec in [every(Some(1), None), every(None, Some(10))] {
        let store = StoreDouble::new();
        // `snapshot` answers that there is nothing.
        let empty = journal().on("snapshot", "(call $ok)");
        let host = with(&store, &empty, spec).await;
        let started = Instant::now();
        let mut expected = String::new();
        // Until it was due more than once.
        while started.elapsed() < Duration::from_millis(50) {
            expected.push('a');
            assert_eq!(say(&host, "a").await, expected);
        }
        assert!(head(&store, "j/1").await.current().is_none());
        host.shutdown(None).await;
    }
}

#[tokio::test]
async fn a_stop_saves_what_came_after_the_last_checkpoint() {
    let store = StoreDouble::new();
    let counted: WatGuest = journal();
    let host = with(&store, &counted, every(Some(2), None)).await;
    for body in ["a", "b", "c"] {
        say(&host, body).await;
    }
    assert!(host.shutdown(None).await.all_saved());
    assert_eq!(record(&store, "j/1").await.data, b"abc");
}
