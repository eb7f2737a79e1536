//! Recursion without end: in a turn, in start code, and where the host calls the guest for room.

use baton_host::Host;

use super::crashes;
use crate::bad_input::{ask, count, says};
use crate::harness::{WatGuest, actor, host};

/// Goes down without end; what it does with each result keeps it from being a loop.
const DEEPER: &str = "(func $deeper (result i32) (i32.add (call $deeper) (i32.const 1)))";
const WORDS: [&str; 2] =
    ["its call stack was exhausted", "limit stack_bytes = 524288; raise it with `stack_bytes = …` at the top"];

#[tokio::test]
async fn a_turn_that_goes_too_deep_names_the_stack() {
    let guest = WatGuest::new("bad").with(DEEPER).when('!', "(drop (call $deeper))");
    crashes(&guest, |_| {}, &WORDS).await;
}

#[tokio::test]
async fn so_does_what_the_host_calls_in_between() {
    // The host wants room for the text of a refusal.
    let guest = WatGuest::new("bad")
        .with(DEEPER)
        .with("(global $deep (mut i32) (i32.const 0)) (data (i32.const 45200) \"a//b\")")
        .realloc("(if (global.get $deep) (then (return (call $deeper)))) (i32.const 66000)")
        .when('!', "(global.set $deep (i32.const 1)) (call $send (i32.const 45200) (i32.const 4) (i32.const 0) (i32.const 0) (i32.const 45100))");
    crashes(&guest, |_| {}, &WORDS).await;
}

#[tokio::test]
async fn start_code_that_goes_too_deep_is_refused() {
    let guest = WatGuest::new("bad").with(DEEPER).with("(func $begin (drop (call $deeper))) (start $begin)");
    let error = host().plugin_bytes("bad.wasm", guest.build()).build().await.unwrap_err();
    says(error, &WORDS[..1]);
}

/// How deep it can go: it asks a host function at the bottom, which has a stack of its own.
#[tokio::test]
async fn a_larger_stack_is_deeper_and_the_host_has_room_of_its_own_at_the_bottom() {
    // Goes down `$n` and logs there.
    let down = "(func $down (param $n i32) (result i32)
        (if (i32.eqz (local.get $n)) (then (call $log (i32.const 1) (i32.const 0) (i32.const 100) (i32.const 0) (i32.const 0)) (return (i32.const 0))))
        (i32.add (call $down (i32.sub (local.get $n) (i32.const 1))) (i32.const 1)))";
    let guest = WatGuest::new("bad").with(down).when('!', "(drop (call $down (i32.const 60000)))").build();
    let of = async |stack_bytes: usize| -> Host {
        let building = host().stack_bytes(stack_bytes).plugin_bytes("bad.wasm", guest.clone());
        building.actor(actor("bad/1", "bad")).build().await.unwrap()
    };
    let small = of(128 << 10).await;
    says(ask(&small, "bad/1", "!").await.unwrap_err(), &["limit stack_bytes = 131072"]);
    small.shutdown(None).await;
    let large = of(8 << 20).await;
    assert_eq!(count(&ask(&large, "bad/1", "!").await.unwrap()), 1);
    large.shutdown(None).await;
}
