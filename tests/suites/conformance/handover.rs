//! `handover`: what is not in the state, and what is made anew at a start.

use baton_host::conformance::{Promise, Report};

use super::{breaks, init_after, only_breaks, outcome, report, sound, with_a_clock};

/// A reply of 4 bytes that lie at 3,000.
const REPLY: &str = "(call $bytes (i32.const 3000) (i32.const 4))";

fn steps(report: &Report) -> &[String] {
    &outcome(report, Promise::Handover).steps
}

#[tokio::test]
async fn a_count_that_is_not_in_the_state_is_found_by_two_messages() {
    let guest = sound().with("(global $other (mut i32) (i32.const 0))").on(
        "handle",
        &format!(
            "(global.set $other (i32.add (global.get $other) (i32.const 1)))
             (i32.store (i32.const 3000) (global.get $other)) {REPLY}"
        ),
    );
    let report = report(&guest).await;
    let words =
        ["the one that was handed over answered", "where the one that lived on answered", "is not in the state"];
    breaks(&report, Promise::Handover, &words);
    // One message that counts, the handover, one that shows it, and what should have come.
    assert_eq!(steps(&report).len(), 4, "{report}");
    assert!(steps(&report)[1].starts_with("(handed over here: `snapshot`"), "{report}");
    assert!(steps(&report)[3].starts_with("(the one that lived on: call"), "{report}");
}

#[tokio::test]
async fn what_only_terminate_forgets_is_told_of_terminate() {
    let guest = sound().on("terminate", "(global.set $count (i32.const 0)) (call $legacy (i32.const 0))");
    let report = report(&guest).await;
    only_breaks(&report, Promise::Handover, &["handed over here: `terminate`", "the state that `terminate` gives"]);
}

#[tokio::test]
async fn an_effect_that_is_left_out_is_found() {
    // It greets once, and an heir greets again.
    let greet = "(if (i32.eqz (global.get $greeted)) (then
        (global.set $greeted (i32.const 1))
        (call $send (i32.const 2040) (i32.const 2) (i32.const 2040) (i32.const 2) (i32.const 3100))))";
    let guest = sound().with("(global $greeted (mut i32) (i32.const 0))").on(
        "handle",
        &format!(
            "{greet} (global.set $count (i32.add (global.get $count) (i32.const 1)))
             (i32.store (i32.const 3000) (global.get $count)) {REPLY}"
        ),
    );
    breaks(&report(&guest).await, Promise::Handover, &["sent no no where the one that lived on did nothing more"]);
}

#[tokio::test]
async fn a_call_that_only_an_heir_makes_is_found() {
    // It asks another once, and an heir asks again.
    let ask = "(if (i32.eqz (global.get $asked)) (then
        (global.set $asked (i32.const 1))
        (call $call (i32.const 2040) (i32.const 2) (i32.const 2040) (i32.const 2) (i64.const 5) (i32.const 3100))))";
    let guest = sound().with("(global $asked (mut i32) (i32.const 0))").on(
        "handle",
        &format!(
            "{ask} (global.set $count (i32.add (global.get $count) (i32.const 1)))
             (i32.store (i32.const 3000) (global.get $count)) {REPLY}"
        ),
    );
    breaks(
        &report(&guest).await,
        Promise::Handover,
        &["called no with no where the one that lived on did nothing more"],
    );
}

#[tokio::test]
async fn the_time_of_a_start_is_not_the_actors_time() {
    let guest = with_a_clock()
        .with("(global $since (mut i64) (i64.const 0))")
        .on("init", &init_after("(global.set $since (call $now_ms))"))
        .on("handle", &format!("(i32.store (i32.const 3000) (i32.wrap_i64 (global.get $since))) {REPLY}"));
    let report = report(&guest).await;
    breaks(&report, Promise::Handover, &["ms pass", "made anew at a start (a time"]);
}

#[tokio::test]
async fn the_time_of_a_turn_is_the_same_for_both() {
    let guest =
        with_a_clock().on("handle", &format!("(i32.store (i32.const 3000) (i32.wrap_i64 (call $now_ms))) {REPLY}"));
    let report = report(&guest).await;
    assert!(report.is_kept(), "{report}");
}

#[tokio::test]
async fn chance_in_a_turn_is_the_same_for_both_and_at_a_start_it_is_not() {
    let draw = "(call $random (i32.const 4) (i32.const 3100)) (i32.store (i32.const 3000) (i32.load (i32.load (i32.const 3100))))";
    let in_a_turn = report(&sound().on("handle", &format!("{draw} {REPLY}"))).await;
    assert!(in_a_turn.is_kept(), "{in_a_turn}");
    let at_a_start = sound()
        .with("(global $drawn (mut i32) (i32.const 0))")
        .on("init", &init_after(&format!("{draw} (global.set $drawn (i32.load (i32.const 3000)))")))
        .on("handle", &format!("(i32.store (i32.const 3000) (global.get $drawn)) {REPLY}"));
    let at_a_start = report(&at_a_start).await;
    breaks(&at_a_start, Promise::Handover, &["chance at its start", "belongs into the state"]);
}

#[tokio::test]
async fn a_timer_that_is_set_anew_by_each_heir_is_found() {
    // At the end of `continue`, whether there was a state or not.
    let set = "(call $set_timer (i32.const 2040) (i32.const 2) (i64.const 1000) (i32.const 3100))";
    let sound_continue = "(if (local.get $some) (then
           (if (i32.ne (local.get $schema) (global.get $own_schema)) (then (return (call $refuse (i32.const 0)))))
           (if (i32.ne (local.get $data_len) (i32.const 4)) (then (return (call $refuse (i32.const 1)))))
           (global.set $count (i32.load (local.get $data)))))";
    let guest = sound().on("continue", &format!("{sound_continue} {set} (call $ok)"));
    let report = report(&guest).await;
    only_breaks(&report, Promise::Handover, &["set the timer \"no\" anew", "timers are kept"]);
}

#[tokio::test]
async fn timers_are_kept_over_a_handover() {
    // Each message sets the timer; what it brings is counted.
    let guest = sound().on(
        "handle",
        &format!(
            "(call $set_timer (i32.const 2040) (i32.const 2) (i64.const 900) (i32.const 3100))
             (global.set $count (i32.add (global.get $count) (i32.add (i32.const 1) (local.get $kind))))
             (i32.store (i32.const 3000) (global.get $count)) {REPLY}"
        ),
    );
    let report = report(&guest).await;
    assert!(report.is_kept(), "{report}");
}

#[tokio::test]
async fn a_snapshot_that_changes_something_is_found() {
    let guest = sound().on("snapshot", "(drop (call $state)) (global.set $count (i32.const 0)) (i32.const 2048)");
    let report = report(&guest).await;
    breaks(&report, Promise::Handover, &["the one whose state was looked at", "may not change anything"]);
}

#[tokio::test]
async fn a_message_of_the_fixtures_that_traps_is_told() {
    let report = report(&sound().when('t', "unreachable")).await;
    breaks(&report, Promise::Handover, &["without any handover, it trapped in `handle`", "two"]);
    assert_eq!(steps(&report).len(), 1, "{report}");
}

#[tokio::test]
async fn one_that_cannot_be_handed_over_after_some_messages_is_found() {
    let guest = sound().on(
        "snapshot",
        "(if (i32.eq (global.get $count) (i32.const 3)) (then (return (call $failure)))) (call $state)",
    );
    let report = report(&guest).await;
    breaks(&report, Promise::Handover, &["when it was to be handed over", "its `snapshot` failed: no: no"]);
}

#[tokio::test]
async fn without_messages_it_is_told_what_to_add() {
    let dir = tempfile::tempdir().unwrap();
    let report = super::report_with(&sound(), dir.path()).await;
    for promise in [Promise::OwnSnapshots, Promise::Handover] {
        breaks(&report, promise, &["put message bodies into fixtures/messages, one file each"]);
    }
}
