//! Handles of resources: dropped twice, used once they are dropped, invented, another instance's, and without end.

use super::crashes;
use crate::bad_input::{Stage, ask, says};
use crate::harness::{WatGuest, actor, host};

/// What of WASI these guests need.
const WASI: [&str; 2] = [
    "package wasi:io@0.2.0; interface poll { resource pollable { ready: func() -> bool; } }",
    "package wasi:clocks@0.2.0; interface monotonic-clock {
       use wasi:io/poll@0.2.0.{pollable}; subscribe-duration: func(when: u64) -> pollable; }",
];
const WORLD: &str = "package test:hostile; world guest {
    include baton:actor/actor@0.1.0; import wasi:io/poll@0.2.0; import wasi:clocks/monotonic-clock@0.2.0; }";
const IMPORTS: &str = r#"
    (import "wasi:clocks/monotonic-clock@0.2.0" "subscribe-duration" (func $subscribe (param i64) (result i32)))
    (import "wasi:io/poll@0.2.0" "[method]pollable.ready" (func $ready (param i32) (result i32)))
    (import "wasi:io/poll@0.2.0" "[resource-drop]pollable" (func $drop_it (param i32)))"#;
const SUBSCRIBE: &str = "(local.set $i (call $subscribe (i64.const 3600000000000)))";

fn guest(body: &str) -> WatGuest {
    WatGuest::new("bad").in_world(&WASI, WORLD, IMPORTS).when('!', body)
}

#[tokio::test]
async fn a_handle_is_used_while_it_is_there_and_never_after() {
    let used = format!("{SUBSCRIBE} (drop (call $ready (local.get $i))) (call $drop_it (local.get $i))");
    let stage = Stage::set(&guest(&used), |_| {}).await;
    assert_eq!(stage.count("!").await, 1);
    stage.end().await;
    for wrong in ["(call $drop_it (local.get $i))", "(drop (call $ready (local.get $i)))"] {
        crashes(&guest(&format!("{SUBSCRIBE} (call $drop_it (local.get $i)) {wrong}")), |_| {}, &["handle"]).await;
    }
}

#[tokio::test]
async fn a_handle_that_was_invented_is_a_crash() {
    for handle in [0, 1, 2, 99, -1, i32::MAX] {
        for call in ["(drop (call $ready (i32.const {})))", "(call $drop_it (i32.const {}))"] {
            crashes(&guest(&call.replace("{}", &handle.to_string())), |_| {}, &["handle"]).await;
        }
    }
}

#[tokio::test]
async fn another_instances_handle_means_nothing() {
    // Both are of one plugin; `k` keeps a handle and tells its number, `!` uses that number.
    let keep = format!(
        "{SUBSCRIBE} (i32.store (i32.const 45000) (local.get $i)) (return (call $bytes (i32.const 45000) (i32.const 4)))"
    );
    let plugin = guest("(drop (call $ready (i32.load (i32.add (local.get $body) (i32.const 4)))))").when('k', &keep);
    let building = host().plugin_bytes("bad.wasm", plugin.build());
    let host = building.actor(actor("bad/1", "bad")).actor(actor("bad/2", "bad")).build().await.unwrap();
    let handle = ask(&host, "bad/1", "k").await.unwrap();
    let use_it = [b"!---".as_slice(), &handle].concat();
    ask(&host, "bad/1", use_it.clone()).await.expect("it is its own");
    says(ask(&host, "bad/2", use_it).await.unwrap_err(), &["`bad/2` crashed", "handle"]);
    host.shutdown(None).await;
}

#[tokio::test]
async fn handles_without_end_are_bounded() {
    let forever = format!("(loop $more {SUBSCRIBE} (br $more)) unreachable");
    crashes(&guest(&forever), |_| {}, &["1000 streams, pollables and the like, which is fixed"]).await;
}
