//! Fuel: what a turn may compute, to the instruction.

use std::time::{Duration, Instant};

use baton_host::{CallError, CallOptions, Host};

use super::crashes;
use crate::bad_input::{ENDLESS, Stage, count, says};
use crate::harness::{WatGuest, actor, host, name};

/// Counts in its memory how often its loop went round, until its fuel is spent; asked otherwise, tells it.
fn counts() -> WatGuest {
    let round = "(loop $again (local.set $i (i32.add (local.get $i) (i32.const 1))) (call $note (local.get $i)) (br $again)) unreachable";
    WatGuest::new("bad").with("(func $note (param i32) (call $log (i32.const 2) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0)))").when('!', round)
}

#[tokio::test]
async fn fuel_ends_a_turn_and_names_its_limit() {
    let spent = &["its fuel was spent (limit turn_fuel = 100000; raise it with `limits.turn_fuel = …`"];
    crashes(&WatGuest::new("bad").when('!', ENDLESS), |spec| spec.limits.turn_fuel = 100_000, spent).await;
}

#[tokio::test]
async fn a_turn_that_just_fits_always_fits_and_one_unit_less_never_does() {
    // A thousand rounds.
    let rounds = "(loop $again (local.set $i (i32.add (local.get $i) (i32.const 1)))
        (br_if $again (i32.lt_u (local.get $i) (i32.const 1000))))";
    let guest = WatGuest::new("bad").when('!', rounds);
    let fits = async |fuel: u64| {
        let stage = Stage::set(&guest, |spec| spec.limits.turn_fuel = fuel).await;
        let asked = stage.ask("!").await;
        if let Err(error) = &asked {
            says(error, &["its fuel was spent"]);
        }
        stage.end().await;
        asked.is_ok()
    };
    // The least that is enough, between what surely is not and what surely is.
    let (mut too_little, mut enough) = (1_000, 100_000);
    while enough - too_little > 1 {
        let middle = (too_little + enough) / 2;
        if fits(middle).await { enough = middle } else { too_little = middle }
    }
    println!("1,000 rounds take {enough} units");
    for _ in 0..3 {
        assert!(fits(enough).await && !fits(enough - 1).await, "exactly");
    }
}

#[tokio::test]
async fn fuel_is_an_actors_own_and_its_neighbours_of_the_same_plugin_have_none() {
    let mut counted = actor("bad/1", "bad");
    counted.limits.turn_fuel = 50_000;
    let host = host()
        .plugin_bytes("bad.wasm", counts().build())
        .actor(counted)
        .actor(actor("bad/2", "bad"))
        .build()
        .await
        .unwrap();
    let ask = async |actor: &str, body: &str| host.call(&name(actor), body.to_owned(), CallOptions::default()).await;
    assert!(matches!(ask("bad/1", "!").await, Err(CallError::Crashed { .. })));
    assert_eq!(count(&ask("bad/2", "x").await.unwrap()), 1);
    assert_eq!(count(&ask("bad/1", "x").await.unwrap()), 1);
    host.shutdown(None).await;
}

/// What counting costs: printed, not asserted.
///
/// ```sh
/// cargo test -p baton-tests --test suites fuel_costs -- --ignored --nocapture
/// ```
#[tokio::test]
#[ignore = "prints figures"]
async fn fuel_costs() {
    let rounds = "(loop $again (local.set $i (i32.add (local.get $i) (i32.const 1)))
        (i32.store (i32.const 45000) (i32.xor (i32.load (i32.const 45000)) (local.get $i)))
        (br_if $again (i32.lt_u (local.get $i) (i32.const 20000000))))";
    let guest = WatGuest::new("bad").when('!', rounds).build();
    let with_fuel = |fuel: u64| {
        let mut spec = actor(&format!("bad/{fuel}"), "bad");
        spec.limits.turn_fuel = fuel;
        spec
    };
    let building = host().plugin_bytes("bad.wasm", guest).actor(with_fuel(0)).actor(with_fuel(1_000_000_000_000));
    let host: Host = building.build().await.unwrap();
    for fuel in ["0", "1000000000000"] {
        let mut best = Duration::MAX;
        for _ in 0..10 {
            let began = Instant::now();
            host.call(&name(&format!("bad/{fuel}")), "!", CallOptions::default()).await.unwrap();
            best = best.min(began.elapsed());
        }
        println!("turn_fuel = {fuel}: 20,000,000 rounds of a loop take {best:.1?} at best");
    }
    host.shutdown(None).await;
}
