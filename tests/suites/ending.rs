//! An actor's end: what is kept, in which order, within which bounds, and what is told of what was not.

use std::sync::Arc;
use std::time::Duration;

use baton_host::model::{NotSaved, Phase};
use baton_host::store::{SnapshotStore, StoreError};
use baton_host::{CallOptions, Host, Pattern, Saved, Shutdown, Template};
use futures_util::FutureExt;

use super::journal::{
    CHECKPOINT, SHUTDOWN, TERMINATED, Told, journal, once, say, shut_down_behind, shut_down_now, start, told, with,
};
use crate::harness::{Op, StoreDouble, actor, host, name, plugin, until};

#[tokio::test]
async fn an_actor_is_gone_only_when_its_state_is_committed() {
    let store = StoreDouble::new();
    let host = start(&store).await;
    say(&host, "a").await;
    store.hold(Op::Release);
    let stopping = tokio::spawn({
        let host = host.clone();
        async move { host.stop(&name("j/1")).await }
    });
    until("it stops", || host.actor(&name("j/1")).unwrap().phase == Phase::Stopping).await;
    // Its name is not free yet: the next start waits for that.
    let starting = tokio::spawn({
        let host = host.clone();
        async move { host.start(actor("j/1", "journal")).await }
    });
    let refused = host.call(&name("j/1"), "b", CallOptions::default()).await.expect_err("it stops");
    assert_eq!(refused.code(), "unavailable");
    assert!(!starting.is_finished());
    store.let_through();
    assert_eq!(stopping.await.unwrap().unwrap(), Saved::Committed(1));
    starting.await.unwrap().unwrap();
    assert_eq!(say(&host, "b").await, "ab");
    let order: Vec<Op> = store.log().into_iter().map(|(op, _)| op).collect();
    assert_eq!(order, [Op::Head, Op::Claim, Op::Release, Op::Head, Op::Claim, Op::Load, Op::TakeUp]);
    host.shutdown(None).await;
}

#[tokio::test]
async fn at_a_stop_casts_are_kept_in_order_and_calls_are_told_to_try_again() {
    let store = StoreDouble::new();
    once(&store, &["a"]).await;
    let host = start(&store).await;
    // The first turn ends only when its record is marked: that keeps the actor busy.
    store.hold(Op::TakeUp);
    let actor = name("j/1");
    for body in ["b", "c", "d"] {
        host.cast(&actor, body, None).unwrap();
    }
    let call = tokio::spawn({
        let (host, actor) = (host.clone(), actor.clone());
        async move { host.call(&actor, "e", CallOptions::default()).await }
    });
    until("three wait behind the one in hand", || host.actor(&actor).unwrap().waiting == 3).await;
    assert!(shut_down_now(&host, &store).await.all_saved());
    assert_eq!(call.await.unwrap().expect_err("it was not handled").code(), "unavailable");
    let (head, _) = store.head(&actor).await.unwrap().unwrap();
    let record = store.load(&actor, head.current().unwrap()).await.unwrap();
    assert_eq!((record.data.as_slice(), record.header.inbox.len()), (&b"ab"[..], 2));
    // Later messages come after them.
    let host = start(&store).await;
    assert_eq!(say(&host, "f").await, "abcdf");
    host.shutdown(None).await;
}

#[tokio::test]
async fn an_inbox_that_was_handled_is_not_handed_over_again() {
    let store = StoreDouble::new();
    once(&store, &["a"]).await;
    let host = start(&store).await;
    assert!(shut_down_behind(&host, &store, &["b", "c"]).await.all_saved());
    once(&store, &["d"]).await;
    let host = start(&store).await;
    assert_eq!(say(&host, "e").await, "abcde");
    // After a crash the record is taken over again, with nothing twice.
    host.call(&name("j/1"), "!", CallOptions::default()).await.expect_err("it traps");
    assert_eq!(say(&host, "f").await, "abcdf");
    host.shutdown(None).await;
}

#[tokio::test]
async fn a_message_of_an_inbox_that_crashes_its_actor_does_not_do_so_twice() {
    let store = StoreDouble::new();
    once(&store, &["a"]).await;
    let first = start(&store).await;
    assert!(shut_down_behind(&first, &store, &["b", "!", "c", "!", "d"]).await.all_saved());
    let host = start(&store).await;
    // A crash takes the state back to the record; what came with it is handled again, but for those that crashed.
    until("it has crashed twice", || host.actor(&name("j/1")).unwrap().restarts == 2).await;
    assert_eq!(say(&host, "e").await, "abcde");
    let dead = host.dead_letters();
    assert_eq!(dead.iter().map(|letter| letter.body.as_slice()).collect::<Vec<_>>(), [b"!", b"!"]);
    assert!(!dead[0].backtrace.is_empty());
    host.shutdown(None).await;
}

#[tokio::test]
async fn without_trap_exit_the_record_stays_and_casts_are_kept() {
    let store = StoreDouble::new();
    once(&store, &["a"]).await;
    let plain = journal().on("init", "(call $ok)");
    let host = with(&store, &plain, actor("j/1", "journal")).await;
    say(&host, "b").await;
    let report = host.shutdown(None).await;
    assert_eq!(report.stopped, [(name("j/1"), Saved::Kept)]);
    let host = with(&store, &plain, actor("j/1", "journal")).await;
    assert_eq!(told(&host).await.origin, CHECKPOINT, "messages were handled since: it is not told as complete");
    assert_eq!(say(&host, "c").await, "ac");
    host.shutdown(None).await;
}

/// Leaves a record of the state `a` with `b` and `c` in its inbox.
async fn leave_an_inbox(store: &Arc<StoreDouble>) {
    once(store, &["a"]).await;
    let plain = journal().on("init", "(call $ok)");
    let host = with(store, &plain, actor("j/1", "journal")).await;
    assert!(shut_down_behind(&host, store, &["x", "b", "c"]).await.all_saved());
    let (head, _) = store.head(&name("j/1")).await.unwrap().unwrap();
    assert_eq!(store.load(&name("j/1"), head.current().unwrap()).await.unwrap().header.inbox.len(), 2);
}

#[tokio::test]
async fn an_inbox_that_was_handled_stays_handled_even_if_the_state_is_not_kept() {
    let store = StoreDouble::new();
    leave_an_inbox(&store).await;
    let plain = journal().on("init", "(call $ok)");
    for expected in ["abcd", "ad", "ad"] {
        let host = with(&store, &plain, actor("j/1", "journal")).await;
        assert_eq!(say(&host, "d").await, expected);
        assert!(host.shutdown(None).await.all_saved());
    }
}

#[tokio::test]
async fn an_inbox_is_kept_by_a_stop_that_could_not_save() {
    let store = StoreDouble::new();
    leave_an_inbox(&store).await;
    let fails = journal().on("terminate", "(call $failure)");
    let host = with(&store, &fails, actor("j/1", "journal")).await;
    assert_eq!(say(&host, "d").await, "abcd");
    let report = host.shutdown(None).await;
    assert!(matches!(report.not_saved().next(), Some((_, NotSaved::Failed(_)))), "{report:?}");
    let host = start(&store).await;
    assert_eq!(say(&host, "e").await, "abce", "the state went back, and what came with it is handled again");
    host.shutdown(None).await;
}

#[tokio::test]
async fn a_crash_at_a_stop_keeps_what_waits_behind_it() {
    let store = StoreDouble::new();
    once(&store, &["a"]).await;
    let host = start(&store).await;
    let report = shut_down_behind(&host, &store, &["!", "b"]).await;
    assert!(matches!(report.not_saved().next(), Some((_, NotSaved::Crashed(_)))), "{report:?}");
    let host = start(&store).await;
    assert_eq!(say(&host, "c").await, "abc");
    host.shutdown(None).await;
}

#[tokio::test]
async fn a_template_actor_that_stops_itself_comes_back_for_what_waits() {
    let fails = journal().on("terminate", "(call $failure)");
    for (guest, expected) in [(journal(), "aQbc"), (fails, "abc")] {
        let store = StoreDouble::new();
        once(&store, &["a"]).await;
        let shared: Arc<dyn SnapshotStore> = store.clone();
        let template = Template::new(Pattern::new("j/*").unwrap(), plugin("journal"));
        let host = host().store(shared).plugin_bytes("guest.wasm", guest.build()).template(template);
        let host = host.build().await.unwrap();
        store.hold(Op::TakeUp);
        for body in ["Q", "b"] {
            host.cast(&name("j/1"), body, None).unwrap();
        }
        until("one waits", || host.actor(&name("j/1")).is_some_and(|a| a.waiting == 1)).await;
        store.let_through();
        until("it is back and has handled it", || {
            host.actor(&name("j/1")).is_some_and(|a| a.restarts == 1 && a.phase == Phase::Running && a.handled == 2)
        })
        .await;
        assert_eq!(say(&host, "c").await, expected);
        host.shutdown(None).await;
    }
}

#[tokio::test]
async fn a_shutdown_that_nobody_waits_for_any_more_ends_in_good_order() {
    let store = StoreDouble::new();
    let host = start(&store).await;
    say(&host, "a").await;
    store.hold(Op::Release);
    assert!(host.shutdown(None).now_or_never().is_none());
    let again = tokio::spawn({
        let host = host.clone();
        async move { host.shutdown(None).await }
    });
    until("it stops", || host.actor(&name("j/1")).unwrap().phase == Phase::Stopping).await;
    assert!(!again.is_finished(), "it is not saved yet");
    store.let_through();
    assert_eq!(again.await.unwrap().stopped, [(name("j/1"), Saved::Committed(1))]);
}

#[tokio::test]
async fn a_shutdown_bounds_a_stop_that_began_without_a_bound() {
    let store = StoreDouble::new();
    let endless = journal().on("terminate", "(loop (br 0)) (unreachable)");
    let mut spec = actor("j/1", "journal");
    spec.shutdown = Shutdown::Infinity;
    let host = with(&store, &endless, spec).await;
    say(&host, "a").await;
    let stopping = tokio::spawn({
        let host = host.clone();
        async move { host.stop(&name("j/1")).await }
    });
    until("it stops", || host.actor(&name("j/1")).unwrap().phase == Phase::Stopping).await;
    let report = host.shutdown(Some(Duration::from_millis(100))).await;
    assert!(matches!(report.not_saved().next(), Some((_, NotSaved::Budget(..=100)))), "{report:?}");
    assert!(matches!(stopping.await.unwrap().unwrap(), Saved::Not(NotSaved::Budget(_))));
}

#[tokio::test]
async fn terminate_may_keep_and_may_forget() {
    let store = StoreDouble::new();
    once(&store, &["a"]).await;
    let keeps = journal().on("terminate", "(call $journal_state (i32.const 1))");
    let host = with(&store, &keeps, actor("j/1", "journal")).await;
    assert_eq!(say(&host, "b").await, "ab");
    assert_eq!(host.stop(&name("j/1")).await.unwrap(), Saved::Kept);
    host.shutdown(None).await;
    let forgets = journal().on("terminate", "(call $journal_state (i32.const 2))");
    let host = with(&store, &forgets, actor("j/1", "journal")).await;
    assert_eq!(say(&host, "c").await, "ac");
    assert_eq!(host.stop(&name("j/1")).await.unwrap(), Saved::Forgotten);
    host.shutdown(None).await;
    let (head, _) = store.head(&name("j/1")).await.unwrap().unwrap();
    assert!(head.records.is_empty());
    let host = start(&store).await;
    let told = told(&host).await;
    assert_eq!((told.had_state, told.generation), (false, 4), "a generation never starts again");
    host.shutdown(None).await;
}

#[tokio::test]
async fn listed_actors_stop_in_reverse_and_the_others_before_them() {
    let store = StoreDouble::new();
    let shared: Arc<dyn SnapshotStore> = store.clone();
    let mut building = host().store(shared).plugin_bytes("guest.wasm", journal().build());
    for listed in ["a", "b", "c"] {
        building = building.actor(actor(listed, "journal"));
    }
    let host = building.build().await.unwrap();
    host.start(actor("d", "journal")).await.unwrap();
    for each in ["a", "b", "c", "d"] {
        host.call(&name(each), "x", CallOptions::default()).await.unwrap();
    }
    let report = host.shutdown(None).await;
    let order: Vec<_> = report.stopped.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(order, ["d", "c", "b", "a"]);
    assert!(report.stopped.iter().all(|(_, saved)| *saved == Saved::Committed(1)), "{report:?}");
}

#[tokio::test]
async fn what_outlives_its_budget_is_killed_and_named_and_its_record_stays() {
    let store = StoreDouble::new();
    once(&store, &["a"]).await;
    let endless = journal().on("terminate", "(loop (br 0)) (unreachable)");
    let mut spec = actor("j/1", "journal");
    spec.shutdown = Shutdown::After(Duration::from_millis(100));
    let host = with(&store, &endless, spec.clone()).await;
    assert_eq!(say(&host, "b").await, "ab");
    let report = host.shutdown(None).await;
    let named: Vec<_> = report.not_saved().map(|(name, why)| (name.to_string(), why.clone())).collect();
    assert!(matches!(&named[..], [(name, NotSaved::Budget(..=100))] if name == "j/1"), "{report:?}");
    // The tighter budget above wins over a child's own.
    spec.shutdown = Shutdown::Infinity;
    let host = with(&store, &endless, spec).await;
    assert_eq!(say(&host, "c").await, "ac");
    let report = host.shutdown(Some(Duration::from_millis(200))).await;
    assert!(matches!(report.not_saved().next(), Some((_, NotSaved::Budget(..=200)))), "{report:?}");
}

#[tokio::test]
async fn a_brutal_kill_calls_nothing() {
    let store = StoreDouble::new();
    once(&store, &["a"]).await;
    let mut spec = actor("j/1", "journal");
    spec.shutdown = Shutdown::BrutalKill;
    let host = with(&store, &journal(), spec).await;
    assert_eq!(say(&host, "b").await, "ab");
    let report = host.shutdown(None).await;
    assert_eq!(report.stopped, [(name("j/1"), Saved::Kept)], "as its spec wishes");
    assert!(report.all_saved());
    let host = start(&store).await;
    assert_eq!(say(&host, "c").await, "ac");
    host.shutdown(None).await;
}

#[tokio::test]
async fn a_store_out_of_reach_delays_the_last_record_and_does_not_lose_it() {
    let store = StoreDouble::new();
    let host = start(&store).await;
    say(&host, "a").await;
    store.fail(Op::Release, StoreError::Unavailable("gone fishing".into()));
    let down = tokio::spawn(async move { host.shutdown(Some(Duration::from_secs(20))).await });
    let releases = || store.log().iter().filter(|(op, _)| *op == Op::Release).count();
    until("it was tried again", || releases() >= 3).await;
    store.mend();
    assert!(down.await.unwrap().all_saved());
    let host = start(&store).await;
    assert_eq!(say(&host, "b").await, "ab");
    host.shutdown(None).await;
}

#[tokio::test]
async fn a_store_that_stays_out_of_reach_is_named_as_the_reason() {
    let store = StoreDouble::new();
    let mut spec = actor("j/1", "journal");
    spec.shutdown = Shutdown::After(Duration::from_millis(200));
    let host = with(&store, &journal(), spec).await;
    say(&host, "a").await;
    store.fail(Op::Release, StoreError::Unavailable("gone fishing".into()));
    let report = host.shutdown(None).await;
    assert!(!report.all_saved());
    let why = report.not_saved().next().map(|(_, why)| why.to_string()).unwrap();
    assert!(why.contains("gone fishing"), "{why}");
}

#[tokio::test]
async fn a_held_actor_keeps_the_casts_that_it_had_accepted() {
    let store = StoreDouble::new();
    let newer = journal().version("2.0.0").schema(2, (1, 2));
    let host = with(&store, &newer, actor("j/1", "journal")).await;
    assert_eq!(say(&host, "a").await, "a");
    host.shutdown(None).await;
    store.hold(Op::Load);
    let host = start(&store).await;
    host.cast(&name("j/1"), "b", None).unwrap();
    store.let_through();
    until("it is held", || host.actor(&name("j/1")).unwrap().phase == Phase::Held).await;
    assert_eq!(host.cast(&name("j/1"), "c", None).expect_err("no more").code(), "held");
    assert!(host.shutdown(None).await.all_saved());
    let host = with(&store, &newer, actor("j/1", "journal")).await;
    let told = told_after(&host, "b").await;
    assert_eq!((told.origin, told.detail), (TERMINATED, SHUTDOWN), "nobody has handled anything since");
    assert_eq!(say(&host, "d").await, "abd");
    host.shutdown(None).await;
}

/// Asks once the message before is handled.
async fn told_after(host: &Host, before: &str) -> Told {
    until(before, || host.actor(&name("j/1")).unwrap().handled == 1).await;
    told(host).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_that_has_ended_holds_nothing_any_more() {
    for _ in 0..50 {
        let store = StoreDouble::new();
        let host = start(&store).await;
        say(&host, "a").await;
        assert!(host.shutdown(None).await.all_saved());
        drop(host);
        assert_eq!(Arc::strong_count(&store), 1, "whoever hears of the end may build the next one where this one was");
    }
}
