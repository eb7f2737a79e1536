//! What an operator may ask of a running actor: to wait and to go on, for its state, and to be told of its end.

use std::time::Duration;

use baton_host::model::{ExitReason, Phase};
use baton_host::store::SnapshotStore;
use baton_host::{ActorInfo, CallOptions, ErrorCode, Host, Saved, Shutdown};

use super::journal::{journal, once, say, start, with};
use crate::harness::{Op, StoreDouble, WatGuest, actor, name, until};

async fn state(host: &Host) -> String {
    String::from_utf8(host.get_state(&name("j/1")).await.unwrap().data.to_vec()).unwrap()
}

fn phase(host: &Host) -> Phase {
    host.actor(&name("j/1")).unwrap().phase
}

#[tokio::test]
async fn a_suspended_actor_lets_its_messages_wait_and_handles_them_in_order_once_it_is_resumed() {
    let store = StoreDouble::new();
    let mut spec = actor("j/1", "journal");
    spec.limits.mailbox_messages = 2;
    let host = with(&store, &journal(), spec).await;
    let j = name("j/1");
    say(&host, "a").await;
    host.suspend(&j).await.unwrap();
    host.suspend(&j).await.unwrap();
    assert_eq!(phase(&host), Phase::Suspended);
    for body in ["b", "c"] {
        host.cast(&j, body, None).unwrap();
    }
    assert_eq!(host.cast(&j, "d", None).expect_err("no room").code(), "mailbox-full");
    assert_eq!(state(&host).await, "a", "its state can be looked at meanwhile");
    assert_eq!(host.actor(&j).unwrap().waiting, 2);
    host.resume(&j).await.unwrap();
    assert_eq!(phase(&host), Phase::Running);
    until("both are handled", || host.actor(&j).unwrap().handled == 3).await;
    host.resume(&j).await.unwrap();
    assert_eq!(say(&host, "e").await, "abce");
    host.shutdown(None).await;
}

#[tokio::test]
async fn timers_of_a_suspended_actor_wait_too() {
    let store = StoreDouble::new();
    once(&store, &["a"]).await;
    let host = start(&store).await;
    let j = name("j/1");
    // The turn in hand sets a timer that is due at once; the request goes before it.
    store.hold(Op::TakeUp);
    host.cast(&j, "T", None).unwrap();
    until("it is in hand", || host.actor(&j).unwrap().waiting == 0).await;
    let (suspended, ()) = tokio::join!(host.suspend(&j), async { store.let_through() });
    suspended.unwrap();
    host.cast(&j, "x", None).unwrap();
    assert_eq!((state(&host).await.as_str(), phase(&host)), ("aT", Phase::Suspended));
    host.resume(&j).await.unwrap();
    until("all is handled", || host.actor(&j).unwrap().handled == 3).await;
    assert_eq!(state(&host).await, "aTtx");
    host.shutdown(None).await;
}

#[tokio::test]
async fn a_suspended_actor_can_be_stopped_and_what_waits_is_kept() {
    let store = StoreDouble::new();
    let host = start(&store).await;
    say(&host, "a").await;
    host.suspend(&name("j/1")).await.unwrap();
    host.cast(&name("j/1"), "b", None).unwrap();
    assert!(host.shutdown(None).await.all_saved());
    let host = start(&store).await;
    assert_eq!(say(&host, "c").await, "abc", "a new instance is not suspended");
    let j = name("j/1");
    host.suspend(&j).await.unwrap();
    let (ended, saved) = tokio::join!(host.monitor(&j).unwrap().ended(), host.stop(&j));
    assert!(matches!(ended, ExitReason::Shutdown));
    assert_eq!(saved.unwrap(), Saved::Committed(2));
    host.shutdown(None).await;
}

#[tokio::test]
async fn a_suspended_actor_can_be_killed() {
    let mut spec = actor("j/1", "journal");
    spec.shutdown = Shutdown::BrutalKill;
    let host = with(&StoreDouble::new(), &journal(), spec).await;
    let j = name("j/1");
    host.suspend(&j).await.unwrap();
    let (ended, stopped) = tokio::join!(host.monitor(&j).unwrap().ended(), host.stop(&j));
    stopped.unwrap();
    assert_eq!(ended, ExitReason::Killed);
    host.shutdown(None).await;
}

#[tokio::test]
async fn a_state_is_shown_and_not_saved() {
    let store = StoreDouble::new();
    once(&store, &["a"]).await;
    let host = start(&store).await;
    say(&host, "b").await;
    let before = store.head(&name("j/1")).await.unwrap();
    let shown = host.get_state(&name("j/1")).await.unwrap();
    assert_eq!((shown.generation, shown.version.to_string().as_str()), (2, "1.0.0"));
    assert_eq!((shown.schema, shown.bytes, &shown.data[..]), (Some(1), 2, &b"ab"[..]));
    assert_eq!(store.head(&name("j/1")).await.unwrap(), before);
    assert_eq!(say(&host, "c").await, "abc");
    host.shutdown(None).await;
}

#[tokio::test]
async fn what_a_snapshot_asks_for_is_dropped_when_it_is_only_shown() {
    let asks = journal().on(
        "snapshot",
        "(call $send (i32.const 45010) (i32.const 7) (i32.const 45020) (i32.const 1) (i32.const 3200))
         (call $set_timer (i32.const 45000) (i32.const 1) (i64.const 0) (i32.const 3200))
         (call $save) (call $stop) (call $journal_state (i32.const 1))",
    );
    let store = StoreDouble::new();
    let host = with(&store, &asks, actor("j/1", "journal")).await;
    say(&host, "a").await;
    assert_eq!(state(&host).await, "a");
    assert_eq!(say(&host, "b").await, "ab", "neither a timer nor a stop came between");
    assert_eq!(host.dead_letters().len(), 0, "nobody was sent anything");
    assert!(host.actor(&name("j/1")).unwrap().sequence.is_none(), "nothing was saved");
    host.shutdown(None).await;
}

#[tokio::test]
async fn a_plugin_may_have_no_state_to_show_or_a_wrong_one() {
    let cases = [
        ("(drop (call $journal_state (i32.const 0))) (i32.const 2048)", Ok(None)),
        ("(call $failure)", Err("`snapshot` failed: no")),
        ("(drop (call $state)) (i32.store (i32.const 2056) (i32.const 7)) (i32.const 2048)", Err("schema 7")),
    ];
    for (snapshot, expected) in cases {
        let guest = journal().on("snapshot", snapshot);
        let host = with(&StoreDouble::new(), &guest, actor("j/1", "journal")).await;
        let shown = host.get_state(&name("j/1")).await;
        match (shown, expected) {
            (Ok(shown), Ok(schema)) => assert_eq!((shown.schema, shown.bytes), (schema, 0)),
            (Err(error), Err(words)) => {
                assert_eq!(error.code(), ErrorCode::State);
                assert!(error.to_string().contains(words), "{error}");
            }
            (shown, _) => panic!("{snapshot}: {shown:?}"),
        }
        assert_eq!(say(&host, "a").await, "a", "it goes on");
        host.shutdown(None).await;
    }
}

#[tokio::test]
async fn a_trap_in_snapshot_is_a_crash_like_any_other_and_the_new_instance_is_not_suspended() {
    let guest = journal().on("snapshot", "unreachable");
    let host = with(&StoreDouble::new(), &guest, actor("j/1", "journal")).await;
    let j = name("j/1");
    host.suspend(&j).await.unwrap();
    host.cast(&j, "b", None).unwrap();
    let (ended, shown) = tokio::join!(host.monitor(&j).unwrap().ended(), host.get_state(&j));
    let error = shown.expect_err("it crashed");
    assert!(error.code() == ErrorCode::State && error.to_string().contains("crash in `snapshot`"), "{error}");
    assert!(matches!(ended, ExitReason::Crash(_)));
    assert_eq!(say(&host, "c").await, "bc", "what waited is handled by the next one");
    assert_eq!(host.actor(&j).unwrap().restarts, 1);
    host.shutdown(None).await;
}

#[tokio::test]
async fn requests_wait_for_the_turn_in_hand_and_end_with_the_instance() {
    let store = StoreDouble::new();
    once(&store, &["a"]).await;
    let host = start(&store).await;
    let j = name("j/1");
    store.hold(Op::TakeUp);
    host.cast(&j, "b!", None).unwrap();
    until("it is in hand", || host.actor(&j).unwrap().waiting == 0).await;
    let asked = tokio::spawn({
        let (host, j) = (host.clone(), j.clone());
        async move { host.get_state(&j).await }
    });
    tokio::time::timeout(Duration::from_millis(20), host.suspend(&j)).await.expect_err("a turn is in hand");
    assert!(!asked.is_finished());
    store.let_through();
    let error = asked.await.unwrap().expect_err("it crashed first");
    assert!(error.to_string().contains("ended meanwhile"), "{error}");
    assert_eq!(say(&host, "c").await, "ac");
    host.shutdown(None).await;
}

#[tokio::test]
async fn nobody_can_be_asked_who_does_not_run() {
    let store = StoreDouble::new();
    let host = start(&store).await;
    assert_eq!(host.suspend(&name("nobody")).await.expect_err("not there").code(), ErrorCode::UnknownActor);
    assert_eq!(host.monitor(&name("nobody")).unwrap().ended().await, ExitReason::Noproc);
    store.hold(Op::Release);
    say(&host, "a").await;
    let stopping = tokio::spawn({
        let host = host.clone();
        async move { host.stop(&name("j/1")).await }
    });
    until("it stops", || phase(&host) == Phase::Stopping).await;
    let error = host.get_state(&name("j/1")).await.expect_err("it stops");
    assert!(error.code() == ErrorCode::State && error.to_string().contains("is stopping"), "{error}");
    store.let_through();
    stopping.await.unwrap().unwrap();
    host.shutdown(None).await;
}

#[tokio::test]
async fn whoever_is_linked_from_the_library_shares_the_fate_of_its_actor() {
    let store = StoreDouble::new();
    // One that traps no exits.
    let guest = WatGuest::new("plain").on("init", "(call $ok)");
    let host = with(&store, &guest, actor("j/1", "plain")).await;
    let j = name("j/1");
    let runs_as = async |generation| {
        let is = |info: ActorInfo| info.phase == Phase::Running && info.generation == generation;
        until("it runs", || host.actor(&j).is_some_and(is)).await;
    };
    // Let go, it goes on; and nobody follows one that ends well.
    runs_as(1).await;
    host.link(&j).unwrap().unlink();
    host.link(&j).unwrap().exit(&ExitReason::Normal);
    host.call(&j, "a", CallOptions::default()).await.unwrap();
    assert_eq!(host.actor(&j).unwrap().generation, 1);
    // Tied, it ends with its holder.
    let ended = host.monitor(&j).unwrap();
    host.link(&j).unwrap().exit(&ExitReason::Crash("it fell over".into()));
    let reason = ended.ended().await;
    assert!(reason.to_string().contains("linked actor `embedder` ended: crash: it fell over"), "{reason}");
    runs_as(2).await;
    let (link, ended) = (host.link(&j).unwrap(), host.monitor(&j).unwrap());
    drop(link);
    assert_eq!(ended.ended().await, ExitReason::Shutdown);
    runs_as(3).await;
    // And the other way round. Whoever is tied to an instance is not tied to the next one.
    let (link, late) = (host.link(&j).unwrap(), host.link(&j).unwrap());
    host.kill(&j).await.unwrap();
    assert_eq!(link.ended().await, ExitReason::Killed);
    runs_as(4).await;
    drop(late);
    host.call(&j, "a", CallOptions::default()).await.unwrap();
    assert_eq!(host.actor(&j).unwrap().generation, 4);
    assert_eq!(host.link(&name("nobody")).unwrap().ended().await, ExitReason::Noproc);
    host.shutdown(None).await;
}
