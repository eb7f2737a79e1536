//! The function by which the host asks for room in the guest's memory lies about it, and the one by which it says that an
//! answer was read does other than let go.

use super::crashes;
use crate::bad_input::ENDLESS;
use crate::harness::WatGuest;

/// A guest whose room is as it should be until it is sent `!`: then the next time that the host wants some, it does `what`.
fn guest(what: &str) -> WatGuest {
    let honest = "(local $at i32) (local.set $at (i32.and (i32.add (global.get $next) (i32.const 15)) (i32.const -16)))
        (global.set $next (i32.add (local.get $at) (local.get $size)))";
    // A refusal's text is what the host wants room for.
    WatGuest::new("bad")
        .with("(global $lies (mut i32) (i32.const 0)) (data (i32.const 45200) \"a//b\")")
        .realloc(&format!("{honest} (if (global.get $lies) (then {what})) (local.get $at)"))
        .when('!', "(global.set $lies (i32.const 1)) (call $send (i32.const 45200) (i32.const 4) (i32.const 0) (i32.const 0) (i32.const 45100))")
}

#[tokio::test]
async fn room_that_is_not_there_is_a_crash() {
    for at in
        ["(i32.const -1)", "(i32.const 131072)", "(i32.sub (i32.const 131072) (i32.const 1))", "(i32.const -65536)"]
    {
        crashes(&guest(&format!("(return {at})")), |_| {}, &["realloc return: beyond end of memory"]).await;
    }
}

#[tokio::test]
async fn room_that_traps_is_a_crash_and_room_that_never_comes_ends_at_its_deadline() {
    crashes(&guest("unreachable"), |_| {}, &["unreachable"]).await;
    crashes(&guest(ENDLESS), |spec| spec.limits.turn_timeout_ms = 50, &["limit turn_timeout_ms = 50"]).await;
}

#[tokio::test]
async fn whoever_is_asked_for_room_cannot_call_out() {
    let call_out = "(call $save)";
    crashes(&guest(call_out), |_| {}, &["cannot leave component instance"]).await;
}

#[tokio::test]
async fn room_at_the_beginning_is_the_guests_own_affair() {
    // Address 0 is one like any other: the host writes where it was told, within the guest's own memory.
    let mut stage = crate::bad_input::Stage::set(&guest("(return (i32.const 0))"), |_| {}).await;
    stage.ask("!").await.unwrap();
    stage.goes_on().await;
    stage.end().await;
}

/// What is called once an answer to `handle` was read.
fn afterwards(body: &str) -> WatGuest {
    let export = "cabi_post_baton:actor/lifecycle@0.1.0#handle";
    WatGuest::new("bad")
        .with(&format!("(global $does (mut i32) (i32.const 0)) (func (export \"{export}\") (param i32) (if (global.get $does) (then {body})))"))
        .when('!', "(global.set $does (i32.const 1))")
}

#[tokio::test]
async fn what_it_does_once_its_answer_was_read_is_part_of_the_call() {
    crashes(&afterwards("unreachable"), |_| {}, &["unreachable"]).await;
    crashes(&afterwards(ENDLESS), |spec| spec.limits.turn_timeout_ms = 50, &["limit turn_timeout_ms = 50"]).await;
    crashes(&afterwards("(call $save)"), |_| {}, &["cannot leave component instance"]).await;
}
