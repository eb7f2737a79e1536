//! Exactly as much as is allowed, and one byte more.

use super::crashes;
use crate::bad_input::{Stage, says};
use crate::harness::WatGuest;

#[tokio::test]
async fn a_reply_of_just_the_limit_passes_and_one_byte_more_does_not() {
    let reply = |bytes: usize| {
        WatGuest::new("bad").when('!', &format!("(return (call $bytes (i32.const 40000) (i32.const {bytes})))"))
    };
    let stage = Stage::set(&reply(5_000), |spec| spec.limits.message_bytes = 5_000).await;
    assert_eq!(stage.ask("!").await.unwrap().len(), 5_000);
    stage.end().await;
    let words = ["a reply of 5001 bytes: limit message_bytes = 5000; raise it with"];
    crashes(&reply(5_001), |spec| spec.limits.message_bytes = 5_000, &words).await;
}

#[tokio::test]
async fn a_state_of_just_the_limit_is_saved_and_one_byte_more_is_not() {
    let state = |bytes: usize| {
        let body = format!("(drop (call $state)) (i32.store (i32.const 2064) (i32.const {bytes})) (i32.const 2048)");
        WatGuest::new("bad").when('!', "(call $save)").on("snapshot", &body)
    };
    let bound = |spec: &mut baton_host::ActorSpec| spec.limits.snapshot_bytes = 5_000;
    let stage = Stage::set(&state(5_000), bound).await;
    assert_eq!(stage.count("!").await, 1);
    assert_eq!(stage.bad().sequence, Some(1));
    stage.end().await;
    let stage = Stage::set(&state(5_001), bound).await;
    says(stage.crash("!").await, &["its state has 5001 bytes: limit snapshot_bytes = 5000; raise it with"]);
    assert_eq!(stage.bad().sequence, None);
    stage.end().await;
}
