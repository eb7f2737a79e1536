//! `init` that goes wrong: its starter hears of it, and the name is free again.

use baton_host::model::Phase;
use baton_host::{ActorSpec, ErrorCode, HostError, SendError};

use super::{ENDLESS, Stage, ask, bad, count, says};
use crate::harness::{WatGuest, actor, name};

/// Starts an actor of `guest` at run time, whose `init` must fail; then a healthy plugin takes the same name.
async fn refused(guest: WatGuest, adapt: impl FnOnce(&mut ActorSpec)) -> HostError {
    // `bad/1` is one of those that are listed; this is about `bad/2`.
    let mut stage = Stage::set(&guest, |_| {}).await;
    let mut spec = actor("bad/2", "bad");
    adapt(&mut spec);
    let error = stage.host.start(spec).await.unwrap_err();
    assert_eq!(error.code(), ErrorCode::Start);
    says(&error, &["actor `bad/2` would not start"]);
    stage.goes_on().await;
    stage.host.start(actor("bad/2", "well")).await.expect("the name is free again");
    assert_eq!(count(&ask(&stage.host, "bad/2", "x").await.unwrap()), 1);
    stage.end().await;
    error
}

#[tokio::test]
async fn a_failure_of_init_is_told_in_its_own_words() {
    says(refused(WatGuest::new("bad").on("init", "(call $failure)"), |_| {}).await, &["`init` failed: no: no"]);
}

#[tokio::test]
async fn a_trap_in_init_says_where() {
    let error = refused(WatGuest::new("bad").on("init", "unreachable"), |_| {}).await;
    says(error, &["unreachable", "the guest was in", "init"]);
}

#[tokio::test]
async fn an_init_without_end_is_cut_off_and_names_its_limit() {
    let guest = WatGuest::new("bad").on("init", ENDLESS);
    // The one that is listed has the same limit, so that the host does not wait long for it.
    let mut stage = Stage::set(&guest, |spec| spec.limits.start_timeout_ms = 50).await;
    let mut spec = actor("bad/2", "bad");
    spec.limits.start_timeout_ms = 50;
    says(stage.host.start(spec).await.unwrap_err(), &["`init` ran past its time", "start_timeout_ms = 50"]);
    stage.goes_on().await;
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_name_of_what_would_not_start_is_free_at_once() {
    let stage = Stage::set(&WatGuest::new("bad").on("init", "(call $failure)"), |_| {}).await;
    for _ in 0..20 {
        let error = stage.host.start(actor("bad/2", "bad")).await.unwrap_err();
        assert_eq!(error.code(), ErrorCode::Start, "{error}");
    }
    assert!(stage.host.actor(&name("bad/2")).is_none());
    stage.end().await;
}

#[tokio::test]
async fn start_code_of_its_own_is_held_to_the_same_limits() {
    // A core module's start function runs before anything else of it; this one does no harm.
    let harmless = WatGuest::new("bad").with("(func $begin (global.set $count (i32.const 5))) (start $begin)");
    let stage = Stage::set(&harmless, |_| {}).await;
    assert_eq!(stage.count("x").await, 6);
    stage.end().await;
    let traps = WatGuest::new("bad").with("(func $begin unreachable) (start $begin)");
    let error = crate::harness::host().plugin_bytes("that.wasm", traps.build()).build().await.unwrap_err();
    says(error, &["plugin that.wasm", "`start` failed", "unreachable"]);
}

#[tokio::test]
async fn more_memory_at_the_start_than_it_may_have_names_the_limit() {
    let stage = Stage::set(&WatGuest::new("bad"), |_| {}).await;
    let mut spec = actor("bad/2", "bad");
    spec.limits.memory_bytes = 65_536;
    let error = stage.host.start(spec).await.unwrap_err();
    assert_eq!(error.code(), ErrorCode::Start);
    says(error, &["memory_bytes = 65536", "131072"]);
    stage.end().await;
}

#[tokio::test]
async fn a_listed_actor_that_would_not_start_stays_under_its_name_and_says_why() {
    let mut stage = Stage::set(&WatGuest::new("bad").on("init", "(call $failure)"), |_| {}).await;
    let info = stage.comes_to(Phase::Failed).await;
    says(info.last_exit.unwrap(), &["`init` failed: no: no"]);
    says(stage.ask("x").await.unwrap_err(), &["`bad/1` stays down", "no: no", "start it again"]);
    let cast = stage.host.cast(&bad(), "x", None).unwrap_err();
    assert!(matches!(cast, SendError::Down { .. }), "{cast}");
    stage.goes_on().await;
    // Once it is stopped, its name is free.
    stage.host.stop(&bad()).await.unwrap();
    stage.host.start(actor("bad/1", "well")).await.unwrap();
    assert_eq!(stage.count("x").await, 1);
    stage.end().await;
}
