//! Loops without end, on as many workers as there are and more.

use std::time::Duration;

use baton_host::{CallError, CallOptions, Host};

use crate::bad_input::{ENDLESS, ask, count, says};
use crate::harness::{WatGuest, actor, host, name, until};

/// A host with `spinners` guests that never end a turn that begins with `!`, and a well-behaved one.
async fn spinning(spinners: usize, adapt: impl Fn(&mut baton_host::Limits)) -> Host {
    let bad = WatGuest::new("bad").when('!', ENDLESS).build();
    let mut building = host().plugin_bytes("bad.wasm", bad).plugin_bytes("well.wasm", WatGuest::new("well").build());
    for n in 0..spinners {
        let mut spec = actor(&format!("bad/{n}"), "bad");
        adapt(&mut spec.limits);
        building = building.actor(spec);
    }
    building.actor(actor("well/1", "well")).build().await.unwrap()
}

fn patient() -> CallOptions {
    CallOptions { timeout: Some(Duration::from_secs(600)), ..CallOptions::default() }
}

/// All of them begin to spin; what becomes of each.
fn spin(host: &Host, spinners: usize) -> Vec<tokio::task::JoinHandle<CallError>> {
    let ask_one = |n: usize| {
        let (host, bad) = (host.clone(), name(&format!("bad/{n}")));
        tokio::spawn(async move { host.call(&bad, "!", patient()).await.unwrap_err() })
    };
    (0..spinners).map(ask_one).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn more_guests_that_spin_than_workers_leave_the_others_their_answers_and_end_at_their_limit() {
    for spinners in [2, 5] {
        // However busy the machine is: what they compute ends them, not the time that it takes them.
        let host = spinning(spinners, |limits| {
            limits.turn_guest_ms = 200;
            limits.turn_timeout_ms = 600_000;
        });
        let host = host.await;
        let ends = spin(&host, spinners);
        for n in 1..=100 {
            assert_eq!(count(&ask(&host, "well/1", "x").await.unwrap()), n);
        }
        for end in ends {
            says(end.await.unwrap(), &["`handle` computed for too long", "limit turn_guest_ms = 200; raise it with"]);
        }
        for n in 0..spinners {
            assert_eq!(count(&ask(&host, &format!("bad/{n}"), "x").await.unwrap()), 1, "a new instance");
        }
        host.shutdown(None).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_that_has_no_turn_at_the_processor_still_ends_at_its_deadline() {
    let host = spinning(20, |limits| limits.turn_timeout_ms = 400).await;
    let ends = spin(&host, 20);
    for end in ends {
        says(end.await.unwrap(), &["`handle` ran past its time", "limit turn_timeout_ms = 400; raise it with"]);
    }
    assert_eq!(count(&ask(&host, "well/1", "x").await.unwrap()), 1);
    host.shutdown(None).await;
}

#[tokio::test]
async fn a_runtime_with_one_thread_is_shared_as_well() {
    let host = spinning(3, |limits| {
        limits.turn_guest_ms = 100;
        limits.turn_timeout_ms = 600_000;
    });
    let host = host.await;
    let ends = spin(&host, 3);
    for n in 1..=10 {
        assert_eq!(count(&ask(&host, "well/1", "x").await.unwrap()), n);
    }
    for end in ends {
        says(end.await.unwrap(), &["limit turn_guest_ms = 100;"]);
    }
    host.shutdown(None).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn waiting_for_another_is_no_computing() {
    // Asks `slow/1`, which takes its time, and then answers.
    let call = "(call $call (i32.const 45000) (i32.const 6) (i32.const 45010) (i32.const 1) (i64.const 600000) (i32.const 45100))";
    let caller =
        WatGuest::new("bad").with("(data (i32.const 45000) \"slow/1\") (data (i32.const 45010) \"!\")").when('!', call);
    let slow = WatGuest::new("slow").when('!', ENDLESS);
    let mut waits = actor("bad/1", "bad");
    waits.limits.turn_guest_ms = 100;
    waits.limits.turn_timeout_ms = 600_000;
    let mut takes_long = actor("slow/1", "slow");
    takes_long.limits.turn_guest_ms = 400;
    takes_long.limits.turn_timeout_ms = 600_000;
    let building = host().plugin_bytes("bad.wasm", caller.build()).plugin_bytes("slow.wasm", slow.build());
    let host = building.actor(waits).actor(takes_long).build().await.unwrap();
    // It waited four times as long as it may compute.
    assert_eq!(count(&host.call(&name("bad/1"), "!", patient()).await.unwrap()), 1);
    until("the slow one is started again", || host.actor(&name("slow/1")).unwrap().restarts == 1).await;
    assert_eq!(host.actor(&name("bad/1")).unwrap().restarts, 0);
    host.shutdown(None).await;
}
