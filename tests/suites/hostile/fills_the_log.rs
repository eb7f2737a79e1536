//! Lines without end: over many turns and instances, by way of failures that nobody waits for, and of letters to nobody.

use std::time::Instant;

use baton_host::Intensity;
use tracing_subscriber::util::SubscriberInitExt;

use crate::bad_input::limits::Lines;
use crate::bad_input::{Stage, bad};
use crate::harness::{WatGuest, until};

const PER_SECOND: usize = 5;
const TURNS: usize = 40;

/// What was logged while `TURNS` casts of `letter` were handled, and how many lines its rate allows for.
async fn logged(guest: &WatGuest, letter: &str) -> (String, usize) {
    let lines = Lines::default();
    let subscriber = tracing_subscriber::fmt().with_ansi(false).with_writer(lines.clone()).finish();
    let _here = subscriber.set_default();
    let stage = Stage::set(guest, |spec| {
        (spec.limits.log_lines_per_second, spec.limits.turn_log_lines) = (PER_SECOND, PER_SECOND);
        spec.intensity = Intensity { max_restarts: 1_000, max_seconds: 1 };
    })
    .await;
    let began = Instant::now();
    for _ in 0..TURNS {
        stage.host.cast(&bad(), letter.to_owned(), None).unwrap();
    }
    until("all were handled", || stage.bad().waiting == 0).await;
    // The last one is handled once this is.
    drop(stage.ask("x").await);
    let seconds = usize::try_from(began.elapsed().as_secs()).unwrap() + 1;
    stage.end().await;
    (lines.text(), PER_SECOND * (seconds + 1))
}

#[tokio::test]
async fn a_little_in_each_of_many_turns_is_bounded_too() {
    let log = "(call $log (i32.const 2) (i32.const 45000) (i32.const 4) (i32.const 0) (i32.const 0))";
    let data = "(data (i32.const 45000) \"said\")";
    for guest in [
        WatGuest::new("bad").with(data).when('!', &format!("{log} {log} {log}")),
        // Another instance has what the one before has left.
        WatGuest::new("bad").with(data).when('!', &format!("{log} {log} unreachable")),
    ] {
        let (text, allowed) = logged(&guest, "!").await;
        let said = text.lines().filter(|line| line.contains("baton::guest: said")).count();
        assert!(said >= PER_SECOND && said <= allowed, "{said} lines, {allowed} allowed: {text}");
        assert!(text.contains("log lines are dropped (limit log_lines_per_second = 5; raise it with"), "{text}");
    }
}

#[tokio::test]
async fn failures_that_nobody_waits_for_are_no_way_to_fill_it() {
    let (text, allowed) = logged(&WatGuest::new("bad").when('!', "(return (call $failure))"), "!").await;
    let told = text.matches("a message that expects no reply failed").count();
    assert!(told >= 1 && told <= allowed, "{told} lines, {allowed} allowed");
}

#[tokio::test]
async fn letters_to_nobody_are_no_way_to_fill_it() {
    let send = "(loop $again
        (call $send (i32.const 45200) (i32.const 6) (i32.const 0) (i32.const 0) (i32.const 45100))
        (local.set $i (i32.add (local.get $i) (i32.const 1))) (br_if $again (i32.lt_u (local.get $i) (i32.const 900))))";
    let guest = WatGuest::new("bad").with("(data (i32.const 45200) \"nobody\")").when('!', send);
    let began = Instant::now();
    let (text, _) = logged(&guest, "!").await;
    let told = text.lines().filter(|line| line.contains("dead letter ")).count();
    let allowed = 100 * (usize::try_from(began.elapsed().as_secs()).unwrap() + 2);
    assert!(told >= 100 && told <= allowed && told < 900 * TURNS, "{told} lines, {allowed} allowed");
    assert!(text.contains("dead letters are not logged: more than 100 a second"), "it says so");
}
