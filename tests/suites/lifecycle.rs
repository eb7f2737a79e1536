//! An actor's life: what it keeps, what it is told of its predecessor, and who waits for whom.

use std::sync::Arc;

use baton_host::model::Phase;
use baton_host::store::{SnapshotStore, StoreError};
use baton_host::{CallError, CallOptions, Pattern, Saved, Template};
use futures_util::FutureExt;

use super::journal::{CHECKPOINT, NORMAL, SHUTDOWN, TERMINATED, Told, journal, once, say, start, told, with};
use crate::harness::{Op, StoreDouble, actor, host, name, plugin, until};

#[tokio::test]
async fn a_stop_and_a_start_lose_nothing_on_disk() {
    let dir = tempfile::tempdir().unwrap();
    for (round, expected) in ["a", "aa", "aaa"].into_iter().enumerate() {
        let guest = journal().build();
        let host = host().data_dir(dir.path()).plugin_bytes("guest.wasm", guest).actor(actor("j/1", "journal"));
        let host = host.build().await.unwrap();
        assert_eq!(say(&host, "a").await, expected, "round {round}");
        let report = host.shutdown(None).await;
        assert!(report.all_saved(), "{report:?}");
    }
}

#[tokio::test]
async fn init_holds_the_starter_and_the_state_does_not() {
    let store = StoreDouble::new();
    once(&store, &["a"]).await;
    store.hold(Op::Load);
    let host = start(&store).await;
    assert_eq!(host.actor(&name("j/1")).unwrap().phase, Phase::Continuing);
    // Messages wait meanwhile, in order.
    let (actor, first, second) = (name("j/1"), host.clone(), host.clone());
    let first = tokio::spawn(async move { say(&first, "b").await });
    until("one message waits", || host.actor(&actor).unwrap().waiting == 1).await;
    let second = tokio::spawn(async move { say(&second, "c").await });
    until("two messages wait", || host.actor(&actor).unwrap().waiting == 2).await;
    store.let_through();
    assert_eq!((first.await.unwrap().as_str(), second.await.unwrap().as_str()), ("ab", "abc"));
    host.shutdown(None).await;
}

#[tokio::test]
async fn what_was_handed_over_is_told_truly() {
    let store = StoreDouble::new();
    let host = start(&store).await;
    assert_eq!(told(&host).await, Told { had_state: false, origin: 0, detail: 0, turns: 0, generation: 1, wrote: 0 });
    say(&host, "a").await;
    host.shutdown(None).await;
    // It ended with its state.
    let host = start(&store).await;
    let complete = Told { had_state: true, origin: TERMINATED, detail: SHUTDOWN, turns: 0, generation: 2, wrote: 1 };
    assert_eq!(told(&host).await, complete);
    // Now it has handled one message, `?`; it handles another, and crashes.
    say(&host, "b").await;
    host.call(&name("j/1"), "!", CallOptions::default()).await.expect_err("it traps");
    let after = Told { had_state: true, origin: CHECKPOINT, detail: 1, turns: 2, generation: 3, wrote: 1 };
    assert_eq!(told(&host).await, after);
    // A host that vanishes cannot say how many.
    drop(host);
    let host = start(&store).await;
    let unknown = Told { had_state: true, origin: CHECKPOINT, detail: 0, turns: 0, generation: 4, wrote: 1 };
    assert_eq!(told(&host).await, unknown);
    assert_eq!(host.stop(&name("j/1")).await.unwrap(), Saved::Committed(2));
    host.start(actor("j/1", "journal")).await.unwrap();
    let asked = Told { had_state: true, origin: TERMINATED, detail: NORMAL, turns: 0, generation: 5, wrote: 4 };
    assert_eq!(told(&host).await, asked);
    host.shutdown(None).await;
}

#[tokio::test]
async fn a_state_that_nobody_has_used_yet_stays_complete() {
    let store = StoreDouble::new();
    once(&store, &["a"]).await;
    let host = start(&store).await;
    until("it runs", || host.actor(&name("j/1")).unwrap().phase == Phase::Running).await;
    drop(host);
    let host = start(&store).await;
    let told = told(&host).await;
    assert_eq!((told.origin, told.generation), (TERMINATED, 3));
    host.shutdown(None).await;
}

#[tokio::test]
async fn the_mark_is_durable_before_the_first_reply_leaves() {
    let store = StoreDouble::new();
    once(&store, &["a"]).await;
    store.hold(Op::TakeUp);
    let host = start(&store).await;
    let mut call = Box::pin(say(&host, ">"));
    assert!((&mut call).now_or_never().is_none());
    until("the message is in hand", || host.actor(&name("j/1")).unwrap().waiting == 0).await;
    // Nothing has left: neither the reply, nor what it sent, which would have become a dead letter.
    assert!((&mut call).now_or_never().is_none() && host.dead_letters().is_empty());
    store.let_through();
    assert_eq!(call.await, "a>");
    until("what it sent has left", || host.dead_letters().len() == 1).await;
    host.shutdown(None).await;
}

#[tokio::test]
async fn a_save_is_durable_before_the_reply_leaves() {
    let store = StoreDouble::new();
    let host = start(&store).await;
    store.hold(Op::Commit);
    let mut call = Box::pin(say(&host, "S"));
    assert!((&mut call).now_or_never().is_none());
    until("the message is in hand", || host.actor(&name("j/1")).unwrap().waiting == 0).await;
    assert!((&mut call).now_or_never().is_none());
    store.let_through();
    assert_eq!(call.await, "S");
    say(&host, "lost").await;
    drop(host);
    let host = start(&store).await;
    assert_eq!(told(&host).await.origin, CHECKPOINT);
    assert_eq!(say(&host, "b").await, "Sb");
    host.shutdown(None).await;
}

#[tokio::test]
async fn a_save_that_fails_takes_the_turn_back() {
    let store = StoreDouble::new();
    let host = start(&store).await;
    say(&host, "a").await;
    store.fail(Op::Commit, StoreError::TooLarge { bytes: 2, largest: 1 });
    let error = host.call(&name("j/1"), "S", CallOptions::default()).await.expect_err("not saved");
    assert!(matches!(&error, CallError::Crashed { reason, .. } if reason.contains("was not saved")), "{error}");
    store.mend();
    assert_eq!(say(&host, "b").await, "b", "the last record counts, and there is none");
    host.shutdown(None).await;
}

#[tokio::test]
async fn a_trap_goes_back_to_the_last_record_and_sends_nothing() {
    let store = StoreDouble::new();
    once(&store, &["a", "b"]).await;
    let host = start(&store).await;
    say(&host, "c").await;
    let error = host.call(&name("j/1"), ">!", CallOptions::default()).await.expect_err("it traps");
    assert!(matches!(&error, CallError::Crashed { reason, .. } if reason.contains("unreachable")), "{error}");
    assert_eq!(say(&host, "d").await, "abd");
    let dead: Vec<_> = host.dead_letters().into_iter().map(|letter| letter.to).collect();
    assert_eq!(dead, ["j/1"], "the message in hand, and nothing that it sent");
    host.shutdown(None).await;
}

#[tokio::test]
async fn timers_are_kept_with_the_state() {
    let store = StoreDouble::new();
    let host = start(&store).await;
    say(&host, "L").await;
    host.shutdown(None).await;
    let (head, _) = store.head(&name("j/1")).await.unwrap().unwrap();
    let record = store.load(&name("j/1"), head.current().unwrap()).await.unwrap();
    let timers: Vec<_> = record.header.timers.iter().map(|timer| timer.name.as_str()).collect();
    assert_eq!(timers, ["t"]);
    // The same name replaces, and this one is due at once.
    let host = start(&store).await;
    say(&host, "T").await;
    let actor = name("j/1");
    until("the timer is handled", || host.actor(&actor).unwrap().handled == 2).await;
    assert_eq!(say(&host, "a").await, "LTta");
    host.shutdown(None).await;
}

#[tokio::test]
async fn an_answer_of_the_store_that_was_lost_is_settled() {
    let store = StoreDouble::new();
    once(&store, &["a"]).await;
    let host = start(&store).await;
    // Each of them takes place, and says that it does not know.
    store.lose_answers(&[Op::TakeUp, Op::Commit, Op::Release]);
    assert_eq!(say(&host, "b").await, "ab");
    assert_eq!(say(&host, "S").await, "abS");
    assert!(host.shutdown(None).await.all_saved());
    store.mend();
    let host = start(&store).await;
    assert_eq!((told(&host).await.origin, host.actor(&name("j/1")).unwrap().sequence), (TERMINATED, Some(3)));
    assert_eq!(say(&host, "c").await, "abSc");
    host.shutdown(None).await;
}

#[tokio::test]
async fn an_actor_that_stops_by_itself_is_saved_and_started_again_if_permanent() {
    let store = StoreDouble::new();
    let host = start(&store).await;
    assert_eq!(say(&host, "Q").await, "Q");
    until("it is started again", || {
        host.actor(&name("j/1")).is_some_and(|a| a.phase == Phase::Running && a.restarts == 1)
    })
    .await;
    let told = told(&host).await;
    assert_eq!((told.origin, told.detail), (TERMINATED, NORMAL));
    assert_eq!(say(&host, "a").await, "Qa");
    host.shutdown(None).await;
}

#[tokio::test]
async fn a_template_starts_actors_with_their_first_message_and_resumes_them() {
    let store = StoreDouble::new();
    let build = || {
        let store: Arc<dyn SnapshotStore> = store.clone();
        let template = Template::new(Pattern::new("j/*").unwrap(), plugin("journal"));
        host().store(store).plugin_bytes("guest.wasm", journal().build()).template(template).build()
    };
    let host = build().await.unwrap();
    assert!(host.actors().is_empty());
    assert_eq!(say(&host, "a").await, "a");
    host.cast(&name("j/2"), "b", None).unwrap();
    assert_eq!(host.cast(&name("k/1"), "c", None).expect_err("no such pattern").code(), "unknown-actor");
    host.stop(&name("j/2")).await.unwrap();
    assert!(host.shutdown(None).await.all_saved());
    let host = build().await.unwrap();
    until("the one that ran is back", || host.actor(&name("j/1")).is_some_and(|a| a.phase == Phase::Running)).await;
    assert!(host.actor(&name("j/2")).is_none(), "it was stopped on purpose");
    assert_eq!(say(&host, "d").await, "ad");
    assert_eq!(host.call(&name("j/2"), "e", CallOptions::default()).await.unwrap(), "be");
    host.shutdown(None).await;
}

#[tokio::test]
async fn a_newer_version_takes_over_what_the_older_one_left() {
    let store = StoreDouble::new();
    once(&store, &["a"]).await;
    let newer = journal().version("2.0.0").schema(2, (1, 2));
    let host = with(&store, &newer, actor("j/1", "journal")).await;
    assert_eq!(say(&host, "b").await, "ab");
    assert_eq!(host.actor(&name("j/1")).unwrap().schema, Some(1));
    host.shutdown(None).await;
    // Back to the older one: it does not read schema 2, and is never shown it.
    let host = start(&store).await;
    until("it is held", || host.actor(&name("j/1")).unwrap().phase == Phase::Held).await;
    let error = host.call(&name("j/1"), "c", CallOptions::default()).await.expect_err("held");
    assert_eq!(error.code(), "held");
    assert!(error.to_string().contains("schema 2") && error.to_string().contains("reads 1 to 1"), "{error}");
    assert!(host.shutdown(None).await.all_saved());
    let host = with(&store, &newer, actor("j/1", "journal")).await;
    assert_eq!(say(&host, "d").await, "abd");
    host.shutdown(None).await;
}
