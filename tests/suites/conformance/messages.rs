//! `bad-messages`: broken by one message, and by one after another.

use baton_host::conformance::Promise;

use super::{breaks, only_breaks, outcome, report, sound};

#[tokio::test]
async fn a_message_that_makes_it_trap_is_told() {
    let guest = sound().on(
        "handle",
        "(if (i32.and (i32.lt_u (local.get $kind) (i32.const 2)) (i32.eqz (local.get $body_len))) (then unreachable))
         (global.set $count (i32.add (global.get $count) (i32.const 1)))
         (i32.store (i32.const 3000) (global.get $count)) (call $bytes (i32.const 3000) (i32.const 4))",
    );
    let report = report(&guest).await;
    only_breaks(&report, Promise::BadMessages, &["it trapped in `handle`", " 1. call nothing (0 bytes)"]);
    assert_eq!(outcome(&report, Promise::BadMessages).steps.len(), 1);
}

#[tokio::test]
async fn a_timer_that_it_never_set_may_not_make_it_trap() {
    let guest = sound().on(
        "handle",
        "(if (i32.eq (local.get $kind) (i32.const 2)) (then unreachable))
         (global.set $count (i32.add (global.get $count) (i32.const 1)))
         (i32.store (i32.const 3000) (global.get $count)) (call $bytes (i32.const 3000) (i32.const 4))",
    );
    only_breaks(&report(&guest).await, Promise::BadMessages, &["timer \"unknown\""]);
}

#[tokio::test]
async fn one_that_traps_after_others_is_told_with_them() {
    // The second long message is one too many.
    let guest = sound().with("(global $long (mut i32) (i32.const 0))").on(
        "handle",
        "(if (i32.gt_u (local.get $body_len) (i32.const 1000000)) (then
           (if (global.get $long) (then unreachable)) (global.set $long (i32.const 1))))
         (global.set $count (i32.add (global.get $count) (i32.const 1)))
         (i32.store (i32.const 3000) (global.get $count)) (call $bytes (i32.const 3000) (i32.const 4))",
    );
    let report = report(&guest).await;
    breaks(&report, Promise::BadMessages, &["told the last of these", "(1048576 bytes)"]);
    assert!(outcome(&report, Promise::BadMessages).steps.len() > 1, "{report}");
}

#[tokio::test]
async fn a_state_that_rubbish_has_spoilt_is_found() {
    // A message of one byte leaves a state of another length behind.
    let guest = sound().with("(global $spoilt (mut i32) (i32.const 0))").on(
        "handle",
        "(if (i32.eq (local.get $body_len) (i32.const 1)) (then (global.set $spoilt (i32.const 1))))
         (global.set $count (i32.add (global.get $count) (i32.const 1)))
         (i32.store (i32.const 3000) (global.get $count)) (call $bytes (i32.const 3000) (i32.const 4))",
    );
    let guest = guest.on(
        "snapshot",
        "(drop (call $state))
         (if (global.get $spoilt) (then (i32.store (i32.const 2064) (i32.const 3)))) (i32.const 2048)",
    );
    let report = report(&guest).await;
    only_breaks(&report, Promise::BadMessages, &["its own state after messages that were rubbish", "check first"]);
}
