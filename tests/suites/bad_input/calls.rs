//! Calls between actors that cannot be answered.

use std::time::Duration;

use baton_host::{CallOptions, Host};

use super::{ENDLESS, Stage, ask, says};
use crate::harness::{WatGuest, actor, host, name, until};

/// Places of the contract's `call-error`.
const UNKNOWN_ACTOR: u8 = 0;
const MAILBOX_FULL: u8 = 1;
const UNAVAILABLE: u8 = 3;
const TIMEOUT: u8 = 4;
const CRASHED: u8 = 5;
const DEADLOCK: u8 = 6;
const LIMIT: u8 = 7;
const FAILED: u8 = 8;

/// Calls `to` when it is asked `!`, and answers with what came of it: the reply, or `E` and the place of the error. Asked
/// `w`, it calls `never/1` first.
fn caller(plugin: &str, to: &str, timeout_ms: u32) -> WatGuest {
    let call = format!(
        "(call $call (i32.const 45000) (i32.const {}) (i32.const 45050) (i32.const 1) (i64.const {timeout_ms}) (i32.const 45100))
         (if (i32.load8_u (i32.const 45100)) (then
           (i32.store8 (i32.const 45200) (i32.const 69))
           (i32.store8 (i32.const 45201) (i32.load8_u (i32.const 45104)))
           (return (call $bytes (i32.const 45200) (i32.const 2)))))
         (return (call $bytes (i32.load (i32.const 45104)) (i32.load (i32.const 45108))))",
        to.len()
    );
    let wait = "(call $call (i32.const 45300) (i32.const 7) (i32.const 45050) (i32.const 1) (i64.const 60000) (i32.const 45100))";
    WatGuest::new(plugin)
        .with(&format!(
            "(data (i32.const 45000) \"{to}\") (data (i32.const 45050) \"!\") (data (i32.const 45300) \"never/1\")"
        ))
        .when('w', &format!("{wait} {call}"))
        .when('!', &call)
}

fn error(place: u8) -> Vec<u8> {
    vec![b'E', place]
}

async fn host_of(guests: &[(&str, WatGuest)]) -> Host {
    let mut building = host();
    for (name, guest) in guests {
        let plugin = name.split('/').next().unwrap();
        building = building.plugin_bytes(*name, guest.build()).actor(actor(name, plugin));
    }
    building.build().await.unwrap()
}

#[tokio::test]
async fn an_actor_that_calls_itself_is_told_so() {
    let stage = Stage::set(&caller("bad", "bad/1", 60_000), |_| {}).await;
    assert_eq!(stage.ask("!").await.unwrap(), error(DEADLOCK));
    assert_eq!(stage.count("x").await, 1);
    assert_eq!(stage.bad().restarts, 0);
    stage.end().await;
}

#[tokio::test]
async fn a_circle_of_calls_is_told_to_the_one_that_would_close_it() {
    let guests =
        [("a/1", caller("a", "b/1", 60_000)), ("b/1", caller("b", "c/1", 60_000)), ("c/1", caller("c", "a/1", 60_000))];
    let host = host_of(&guests).await;
    assert_eq!(ask(&host, "a/1", "!").await.unwrap(), error(DEADLOCK), "c's answer, passed on");
    for each in ["a/1", "b/1", "c/1"] {
        ask(&host, each, "x").await.unwrap();
    }
    host.shutdown(None).await;
}

#[tokio::test]
async fn two_that_call_each_other_at_the_same_time_are_told_so() {
    let never = WatGuest::new("never").on("continue", "(call $refuse (i32.const 3))");
    let guests = [("never/1", never), ("a/1", caller("a", "b/1", 60_000)), ("b/1", caller("b", "a/1", 60_000))];
    let host = host_of(&guests).await;
    let asked = |who: &'static str, what: &'static str| {
        let host = host.clone();
        tokio::spawn(async move {
            let timeout = Some(Duration::from_secs(20));
            host.call(&name(who), what, CallOptions { timeout, ..CallOptions::default() }).await
        })
    };
    // `b` is in the middle of a turn when `a` calls it, and then calls `a`.
    let b = asked("b/1", "w");
    until("b waits", || host.actor(&name("never/1")).unwrap().waiting == 1).await;
    let a = asked("a/1", "!");
    until("a waits for b", || host.actor(&name("b/1")).unwrap().waiting == 1).await;
    host.stop(&name("never/1")).await.unwrap();
    assert_eq!(b.await.unwrap().expect("answered"), error(DEADLOCK));
    // With b's turn over, a's call is handled; it finds `a` waiting in its turn.
    assert_eq!(a.await.unwrap().expect("answered"), error(DEADLOCK));
    host.shutdown(None).await;
}

#[tokio::test]
async fn whatever_becomes_of_a_call_its_caller_hears_which_it_was() {
    let never = || WatGuest::new("other").on("continue", "(call $refuse (i32.const 3))");
    let other = || WatGuest::new("other");
    let cases = [
        ("nobody", other(), UNKNOWN_ACTOR),
        ("a/../b", other(), UNKNOWN_ACTOR),
        ("other/1", never(), TIMEOUT),
        ("other/1", other().when('!', "unreachable"), CRASHED),
        ("other/1", other().when('!', ENDLESS), CRASHED),
        ("other/1", other().when('!', "(return (call $failure))"), FAILED),
        ("other/1", other().on("init", "(call $failure)"), UNAVAILABLE),
    ];
    for (to, guest, expected) in cases {
        let mut spec = actor("other/1", "other");
        spec.limits.turn_timeout_ms = 50;
        let timeout_ms = if expected == TIMEOUT { 50 } else { 20_000 };
        let builder = host().plugin_bytes("other.wasm", guest.build()).actor(spec);
        let stage = Stage::with(builder, &caller("bad", to, timeout_ms), |_| {}).await;
        assert_eq!(stage.ask("!").await.unwrap(), error(expected), "{to}");
        assert_eq!(stage.count("x").await, 1);
        assert_eq!(stage.bad().restarts, 0, "its caller goes on");
        stage.end().await;
    }
}

#[tokio::test]
async fn limits_of_calls_are_told_to_the_guest() {
    let never = WatGuest::new("other").on("continue", "(call $refuse (i32.const 3))");
    let mut full = actor("other/1", "other");
    full.limits.mailbox_messages = 0;
    let builder = host().plugin_bytes("other.wasm", never.build()).actor(full);
    let stage = Stage::with(builder, &caller("bad", "other/1", 20_000), |_| {}).await;
    assert_eq!(stage.ask("!").await.unwrap(), error(MAILBOX_FULL));
    stage.end().await;
    let mut small = actor("other/1", "other");
    small.limits.message_bytes = 0;
    let builder = host().plugin_bytes("other.wasm", WatGuest::new("other").build()).actor(small);
    let stage = Stage::with(builder, &caller("bad", "other/1", 20_000), |_| {}).await;
    assert_eq!(stage.ask("!").await.unwrap(), error(LIMIT));
    stage.end().await;
}

#[tokio::test]
async fn a_call_from_outside_that_waits_too_long_says_how_long() {
    let never = WatGuest::new("bad").on("continue", "(call $refuse (i32.const 3))");
    let stage = Stage::set(&never, |_| {}).await;
    let options = CallOptions { timeout: Some(Duration::from_millis(30)), ..CallOptions::default() };
    let error = stage.host.call(&super::bad(), "x", options).await.unwrap_err();
    assert_eq!(error.code(), "timeout");
    says(error, &["`bad/1` did not answer within 30 ms", "is not known"]);
    stage.end().await;
}
