//! `handle` that goes wrong.

use baton_host::model::Phase;
use baton_host::{CallError, Saved, SendError, Shutdown};

use super::{ENDLESS, Stage, ask, bad, says};
use crate::harness::{StoreDouble, WatGuest, actor, until};

/// Asked `!`, it asks for everything that a turn may ask for, and then traps. Asked `s`, it saves.
fn traps() -> WatGuest {
    let all = "(call $send (i32.const 45000) (i32.const 6) (i32.const 45000) (i32.const 1) (i32.const 45100))
               (call $set_timer (i32.const 45000) (i32.const 1) (i64.const 0) (i32.const 45100))
               (call $save) (call $stop) unreachable";
    WatGuest::new("bad").with("(data (i32.const 45000) \"well/1\")").when('!', all).when('s', "(call $save)")
}

#[tokio::test]
async fn a_trap_sends_nothing_saves_nothing_and_goes_back_to_the_last_record() {
    let store = StoreDouble::new();
    let mut stage = Stage::on(&store, &traps(), |_| {}).await;
    assert_eq!((stage.count("x").await, stage.count("s").await, stage.count("x").await), (1, 2, 3));
    let reason = stage.crash("!").await;
    says(&reason, &["unreachable"]);
    // The next instance has taken the record over, so all of the last one is done.
    assert_eq!(stage.count("x").await, 3, "2 were saved");
    assert_eq!(stage.count("x").await, 4, "no timer came between");
    stage.goes_on().await;
    let info = stage.bad();
    assert_eq!((info.restarts, info.sequence, info.phase), (1, Some(1), Phase::Running));
    says(info.last_exit.unwrap(), &["crash in `handle`", "unreachable"]);
    let dead = stage.host.dead_letters();
    let [letter] = &dead[..] else { panic!("{dead:?}") };
    assert_eq!((letter.to.as_str(), letter.kind, letter.body.as_slice()), ("bad/1", "call", &b"!"[..]));
    says(&letter.why, &["it crashed its actor", "unreachable"]);
    assert!(letter.backtrace.iter().any(|frame| frame.contains("handle")), "{:?}", letter.backtrace);
    stage.end().await;
}

#[tokio::test]
async fn a_cast_that_traps_is_kept_as_a_dead_letter_and_not_delivered_again() {
    let mut stage = Stage::set(&traps(), |_| {}).await;
    stage.host.cast(&bad(), "!", None).unwrap();
    assert_eq!(stage.count("x").await, 1);
    assert_eq!(stage.bad().restarts, 1);
    let dead: Vec<_> = stage.host.dead_letters().into_iter().map(|letter| (letter.kind, letter.body)).collect();
    assert_eq!(dead, [("cast", b"!".to_vec())]);
    stage.goes_on().await;
    stage.end().await;
}

#[tokio::test]
async fn more_crashes_than_the_intensity_allows_leave_it_down_and_say_why() {
    let mut stage = Stage::set(&traps(), |_| {}).await;
    for _ in 0..4 {
        stage.crash("!").await;
    }
    let info = stage.comes_to(Phase::Failed).await;
    assert_eq!(info.restarts, 3);
    match stage.ask("x").await.unwrap_err() {
        CallError::NotSent(SendError::Down { actor, why }) if actor == "bad/1" => {
            says(why, &["crash in `handle`", "unreachable"]);
        }
        other => panic!("{other}"),
    }
    stage.goes_on().await;
    // An operator can have it back.
    stage.host.stop(&bad()).await.unwrap();
    stage.host.start(actor("bad/1", "bad")).await.unwrap();
    assert_eq!(stage.count("x").await, 1);
    stage.end().await;
}

#[tokio::test]
async fn messages_that_wait_when_it_stays_down_are_answered_or_kept_as_dead_letters() {
    let stage = Stage::set(&traps(), |spec| spec.intensity.max_restarts = 0).await;
    for body in ["!", "after"] {
        stage.host.cast(&bad(), body, None).unwrap();
    }
    let error = stage.ask("x").await.unwrap_err();
    assert_eq!(error.code(), "down", "{error}");
    let dead: Vec<_> = stage.host.dead_letters().into_iter().map(|letter| letter.body).collect();
    assert_eq!(dead, [b"!".to_vec(), b"after".to_vec()]);
    stage.end().await;
}

#[tokio::test]
async fn a_message_without_end_is_cut_off_and_names_its_limit() {
    let guest = WatGuest::new("bad").when('!', ENDLESS);
    let stage = Stage::set(&guest, |spec| spec.limits.turn_timeout_ms = 50).await;
    says(stage.crash("!").await, &["`handle` ran past its time", "turn_timeout_ms = 50"]);
    assert_eq!(stage.count("x").await, 1);
    let dead = stage.host.dead_letters();
    assert!(dead.len() == 1 && !dead[0].backtrace.is_empty(), "{dead:?}");
    stage.end().await;
}

#[tokio::test]
async fn a_message_without_end_leaves_room_for_others_and_can_be_killed() {
    // One thread runs all of this: a guest that kept it would keep everything.
    let guest = WatGuest::new("bad").when('!', ENDLESS);
    let mut stage = Stage::set(&guest, |spec| spec.shutdown = Shutdown::BrutalKill).await;
    until("it runs", || stage.bad().phase == Phase::Running).await;
    let host = stage.host.clone();
    let endless = tokio::spawn(async move { ask(&host, "bad/1", "!").await });
    for _ in 0..5 {
        stage.goes_on().await;
    }
    assert!(!endless.is_finished());
    assert_eq!(stage.host.stop(&bad()).await.unwrap(), Saved::Kept, "as its spec wishes");
    says(endless.await.unwrap().unwrap_err(), &["`bad/1` crashed", "the actor was killed"]);
    assert_eq!(stage.host.dead_letters().len(), 1);
    stage.end().await;
}

#[tokio::test]
async fn whatever_a_guest_does_to_itself_stays_in_its_instance() {
    let cases = [
        ("(i32.store (i32.const -4) (i32.const 1))", "out of bounds"),
        ("(drop (i32.div_u (i32.const 1) (local.get $i)))", "divide by zero"),
        ("(call $deeper)", "call stack"),
        ("(return (i32.const 3))", "not aligned"),
        ("(i32.store (i32.const 45104) (i32.const -1)) (return (i32.const 45100))", ""),
        (
            "(i64.store (i32.const 45100) (i64.const 0)) (i64.store (i32.const 45104) (i64.const -1))
          (return (i32.const 45100))",
            "out of bounds",
        ),
        ("(call $log (i32.const 77) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0))", ""),
        ("(call $log (i32.const 1) (i32.const -8) (i32.const 16) (i32.const 0) (i32.const 0))", "out of bounds"),
        ("(call $log (i32.const 1) (i32.const 46000) (i32.const 2) (i32.const 0) (i32.const 0))", "utf-8"),
    ];
    let extra = "(func $deeper (call $deeper) (call $deeper)) (data (i32.const 46000) \"\\ff\\fe\")";
    for (body, words) in cases {
        let guest = WatGuest::new("bad").with(extra).when('!', body);
        let stage = Stage::set(&guest, |_| {}).await;
        let reason = stage.crash("!").await;
        println!("{body}: {reason}");
        says(&reason, &[words]);
        assert_eq!(stage.count("x").await, 1);
        assert_eq!(stage.bad().restarts, 1);
        stage.end().await;
    }
}

#[tokio::test]
async fn a_failure_is_a_reply_like_any_other() {
    let stage = Stage::set(&WatGuest::new("bad").when('!', "(return (call $failure))"), |_| {}).await;
    let error = stage.ask("!").await.unwrap_err();
    assert!(matches!(&error, CallError::Failed(failure) if failure.code == "no" && failure.message == "no"), "{error}");
    assert_eq!(stage.count("x").await, 1);
    assert_eq!((stage.bad().restarts, stage.bad().handled), (0, 2));
    assert!(stage.host.dead_letters().is_empty());
    stage.end().await;
}
