//! Errors with megabytes of text, and of control characters: what is kept, told and logged of them is short.

use baton_host::CallError;
use baton_host::model::Phase;

use super::crashes;
use crate::bad_input::{Stage, says};
use crate::harness::WatGuest;

/// Its code and its message are `bytes` of memory.
fn failure(bytes: u32) -> String {
    format!(
        "(drop (call $failure)) (memory.fill (i32.const 65536) (i32.const 27) (i32.const {bytes}))
         (i32.store (i32.const 2052) (i32.const 65536)) (i32.store (i32.const 2056) (i32.const {bytes}))
         (i32.store (i32.const 2060) (i32.const 65536)) (i32.store (i32.const 2064) (i32.const {bytes})) (i32.const 2048)"
    )
}

#[tokio::test]
async fn a_failure_of_megabytes_is_cut_to_a_line() {
    let guest = WatGuest::new("bad").memory_pages(40).when('!', &format!("(return {})", failure(1_000_000)));
    let stage = Stage::set(&guest, |_| {}).await;
    let Err(CallError::Failed(failure)) = stage.ask("!").await else { panic!("it is a failure") };
    assert_eq!((failure.code.len(), failure.message.len()), (64, 4_096));
    assert!(!failure.message.contains('\u{1b}'), "no escape codes");
    assert_eq!(stage.count("x").await, 1);
    stage.end().await;
}

#[tokio::test]
async fn one_that_is_larger_than_any_message_is_a_crash_that_names_the_limits() {
    let guest = WatGuest::new("bad").memory_pages(200).when('!', &format!("(return {})", failure(6_000_000)));
    crashes(&guest, |_| {}, &["it handed over more at once", "limit message_bytes = 4194304"]).await;
    // The same of a reply: it is not even read.
    let reply = "(return (call $bytes (i32.const 0) (i32.const 13000000)))";
    crashes(&WatGuest::new("bad").memory_pages(200).when('!', reply), |_| {}, &["limit message_bytes = 4194304"]).await;
}

#[tokio::test]
async fn an_init_that_fails_at_length_says_so_in_few_words() {
    let guest = WatGuest::new("bad").memory_pages(40).on("init", &failure(1_000_000));
    let stage = Stage::set(&guest, |_| {}).await;
    let info = stage.comes_to(Phase::Failed).await;
    let told = info.last_exit.unwrap();
    says(&told, &["`init` failed"]);
    assert!(told.len() < 5_000 && !told.contains('\u{1b}'), "{} bytes", told.len());
    stage.end().await;
}

#[tokio::test]
async fn a_refusal_at_length_holds_the_actor_in_few_words() {
    let refuse = "(drop (call $refuse (i32.const 4))) (memory.fill (i32.const 65536) (i32.const 27) (i32.const 1000000))
        (i32.store (i32.const 2056) (i32.const 65536)) (i32.store (i32.const 2060) (i32.const 1000000)) (i32.const 2048)";
    let guest = WatGuest::new("bad")
        .memory_pages(40)
        .on("continue", &format!("(if (local.get $some) (then (return {refuse}))) (call $ok)"));
    let store = crate::harness::StoreDouble::new();
    let stage = Stage::on(&store, &WatGuest::new("bad"), |_| {}).await;
    stage.count("x").await;
    assert!(stage.host.shutdown(None).await.all_saved());
    let stage = Stage::on(&store, &guest.version("2.0.0"), |_| {}).await;
    let held = stage.held().await.to_string();
    assert!(held.len() < 5_000 && !held.contains('\u{1b}'), "{} bytes", held.len());
    stage.end().await;
}
