//! An actor's life: what it keeps, what it is told of its predecessor, and who waits for whom.

use std::sync::Arc;
use std::time::Duration;

use baton_host::model::{NotSaved, Phase};
use baton_host::store::{SnapshotStore, StoreError};
use baton_host::{
    ActorSpec, CallError, CallOptions, ErrorCode, Host, Pattern, Saved, Shutdown, ShutdownReport, Template,
};
use futures_util::FutureExt;

use crate::harness::{Op, StoreDouble, WatGuest, actor, host, name, plugin, until};

/// A guest that keeps what it is told: its state is a journal, to which each message adds its body and each timer its
/// name; the reply is the whole journal. Some bodies do more:
/// `!` traps, `S` saves, `T` sets the timer `t` to be due at once, `L` one that is due in a minute, `Q` stops,
/// `>` sends `x` to `other/1`, and `?` is answered with what the instance was handed (see [`Told`]).
fn journal() -> WatGuest {
    WatGuest::new("journal")
        .with(
            r#"(global $len (mut i32) (i32.const 0))
               (global $g (mut i64) (i64.const 0)) (global $had (mut i32) (i32.const 0))
               (global $o (mut i32) (i32.const 0)) (global $a (mut i32) (i32.const 0))
               (global $b (mut i64) (i64.const 0)) (global $w (mut i64) (i64.const 0))
               (data (i32.const 45000) "t") (data (i32.const 45010) "other/1") (data (i32.const 45020) "x")
               (func $journal_state (param $case i32) (result i32)
                 (drop (call $some_state (local.get $case)))
                 (i32.store (i32.const 2060) (i32.const 46000)) (i32.store (i32.const 2064) (global.get $len))
                 (i32.const 2048))"#,
        )
        .on(
            "continue",
            "(global.set $g (local.get $generation)) (global.set $had (local.get $some))
             (global.set $o (local.get $origin)) (global.set $a (local.get $origin_a))
             (global.set $b (local.get $origin_b)) (global.set $w (local.get $wrote))
             (if (local.get $some) (then
               (memory.copy (i32.const 46000) (local.get $data) (local.get $data_len))
               (global.set $len (local.get $data_len))))
             (call $ok)",
        )
        .on(
            "handle",
            "(local $c i32) (local $p i32) (local $n i32)
             (local.set $p (local.get $body)) (local.set $n (local.get $body_len))
             (if (i32.eq (local.get $kind) (i32.const 2)) (then
               (local.set $p (local.get $id)) (local.set $n (local.get $id_len))))
             (local.set $c (i32.load8_u (local.get $p)))
             (if (i32.eq (local.get $c) (i32.const 63)) (then ;; ?
               (i32.store (i32.const 3100) (global.get $had)) (i32.store (i32.const 3104) (global.get $o))
               (i32.store (i32.const 3108) (global.get $a)) (i64.store (i32.const 3112) (global.get $b))
               (i64.store (i32.const 3120) (global.get $g)) (i64.store (i32.const 3128) (global.get $w))
               (return (call $bytes (i32.const 3100) (i32.const 36)))))
             (if (i32.eq (local.get $c) (i32.const 62)) (then ;; >
               (call $send (i32.const 45010) (i32.const 7) (i32.const 45020) (i32.const 1) (i32.const 3200))))
             (if (i32.eq (local.get $c) (i32.const 83)) (then (call $save)))
             (if (i32.eq (local.get $c) (i32.const 84)) (then
               (call $set_timer (i32.const 45000) (i32.const 1) (i64.const 0) (i32.const 3200))))
             (if (i32.eq (local.get $c) (i32.const 76)) (then
               (call $set_timer (i32.const 45000) (i32.const 1) (i64.const 60000) (i32.const 3200))))
             (if (i32.eq (local.get $c) (i32.const 81)) (then (call $stop)))
             (if (i32.eq (i32.load8_u (i32.sub (i32.add (local.get $p) (local.get $n)) (i32.const 1))) (i32.const 33))
               (then unreachable)) ;; ends in !
             (memory.copy (i32.add (i32.const 46000) (global.get $len)) (local.get $p) (local.get $n))
             (global.set $len (i32.add (global.get $len) (local.get $n)))
             (call $bytes (i32.const 46000) (global.get $len))",
        )
        .on("snapshot", "(call $journal_state (i32.const 1))")
        .on("terminate", "(call $journal_state (i32.const 0))")
}

/// What `?` is answered with.
#[derive(Debug, PartialEq, Eq)]
struct Told {
    had_state: bool,
    /// 0 terminated, 1 switched, 2 checkpoint, 3 restored.
    origin: u32,
    /// Of terminated: the stop reason's place; of checkpoint: whether the turns are known.
    detail: u32,
    /// Of checkpoint: the turns.
    turns: u64,
    generation: u64,
    wrote: u64,
}

const TERMINATED: u32 = 0;
const CHECKPOINT: u32 = 2;
const NORMAL: u32 = 0;
const SHUTDOWN: u32 = 1;

async fn told(host: &Host) -> Told {
    let reply = host.call(&name("j/1"), "?", CallOptions::default()).await.unwrap();
    let word = |at: usize| u32::from_le_bytes(reply[at..at + 4].try_into().unwrap());
    let long = |at: usize| u64::from_le_bytes(reply[at..at + 8].try_into().unwrap());
    Told {
        had_state: word(0) == 1,
        origin: word(4),
        detail: word(8),
        turns: long(12),
        generation: long(20),
        wrote: long(28),
    }
}

async fn say(host: &Host, what: &str) -> String {
    String::from_utf8(host.call(&name("j/1"), what.to_owned(), CallOptions::default()).await.unwrap().to_vec()).unwrap()
}

async fn with(store: &Arc<StoreDouble>, guest: &WatGuest, spec: ActorSpec) -> Host {
    let store: Arc<dyn SnapshotStore> = store.clone();
    host().store(store).plugin_bytes("guest.wasm", guest.build()).actor(spec).build().await.unwrap()
}

async fn start(store: &Arc<StoreDouble>) -> Host {
    with(store, &journal(), actor("j/1", "journal")).await
}

/// Starts a host, says `words` to the actor, and shuts the host down.
async fn once(store: &Arc<StoreDouble>, words: &[&str]) {
    let host = start(store).await;
    for word in words {
        say(&host, word).await;
    }
    assert!(host.shutdown(None).await.all_saved());
}

/// Shuts the host down while the first of `bodies` is in hand and the others wait behind it. The turn in hand ends only when
/// its record is marked as taken up: that keeps the actor busy.
async fn shut_down_behind(host: &Host, store: &StoreDouble, bodies: &[&'static str]) -> ShutdownReport {
    store.hold(Op::TakeUp);
    for body in bodies {
        host.cast(&name("j/1"), *body, None).unwrap();
    }
    let waiting = bodies.len() - 1;
    until("the first is in hand", || host.actor(&name("j/1")).unwrap().mailbox_messages == waiting).await;
    shut_down_now(host, store).await
}

/// Shuts the host down, and lets the store go on once that is under way.
async fn shut_down_now(host: &Host, store: &StoreDouble) -> ShutdownReport {
    let down = tokio::spawn({
        let host = host.clone();
        async move { host.shutdown(None).await }
    });
    until("the host closes", || !host.is_ready()).await;
    store.let_through();
    down.await.unwrap()
}

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
    until("one message waits", || host.actor(&actor).unwrap().mailbox_messages == 1).await;
    let second = tokio::spawn(async move { say(&second, "c").await });
    until("two messages wait", || host.actor(&actor).unwrap().mailbox_messages == 2).await;
    store.let_through();
    assert_eq!((first.await.unwrap().as_str(), second.await.unwrap().as_str()), ("ab", "abc"));
    host.shutdown(None).await;
}

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
    let taken = host.start(actor("j/1", "journal")).await.expect_err("its name is not free yet");
    assert_eq!(taken.code(), ErrorCode::AlreadyStarted);
    let refused = host.call(&name("j/1"), "b", CallOptions::default()).await.expect_err("it stops");
    assert_eq!(refused.code(), "unavailable");
    store.let_through();
    assert_eq!(stopping.await.unwrap().unwrap(), Saved::Committed(1));
    host.start(actor("j/1", "journal")).await.unwrap();
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
    until("three wait behind the one in hand", || host.actor(&actor).unwrap().mailbox_messages == 3).await;
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
    until("the message is in hand", || host.actor(&name("j/1")).unwrap().mailbox_messages == 0).await;
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
    until("the message is in hand", || host.actor(&name("j/1")).unwrap().mailbox_messages == 0).await;
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
        until("one waits", || host.actor(&name("j/1")).is_some_and(|a| a.mailbox_messages == 1)).await;
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
