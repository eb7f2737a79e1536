//! What an embedder hears in the course of a swap.

use std::time::Duration;

use baton_host::swap::{Batch, SwapEvent, SwapEventKind, SwapEvents};

use super::numbers::{Whim, mean, new, old, spec};
use super::{at_once, of};
use crate::harness::{host, plugin};

fn word(event: &SwapEvent) -> &'static str {
    match event.kind {
        SwapEventKind::Staged { .. } => "staged",
        SwapEventKind::Checked { .. } => "checked",
        SwapEventKind::Began { .. } => "began",
        SwapEventKind::Switched { .. } => "switched",
        SwapEventKind::NotSwitched { .. } => "not",
        SwapEventKind::BatchDone { .. } => "batch",
        SwapEventKind::Watching { .. } => "watching",
        SwapEventKind::GoingBack { .. } => "going back",
        SwapEventKind::WentBack { .. } => "went back",
        SwapEventKind::Ended { .. } => "ended",
        _ => "another",
    }
}

async fn to_the_end(events: &mut SwapEvents) -> Vec<&'static str> {
    let mut words = Vec::new();
    while words.last() != Some(&"ended") {
        words.push(word(&events.next().await.unwrap().unwrap()));
    }
    words
}

#[tokio::test]
async fn each_stage_is_heard_in_order() {
    let building = host().plugin_bytes("old.wasm", old().build());
    let whim = |n| if n == 2 { Whim::Refuses } else { Whim::None };
    let host = (0..3).fold(building, |building, n| building.actor(spec(n, whim(n)))).build().await.unwrap();
    let mut events = host.swap_events();
    let mut options = at_once();
    (options.batch, options.at_once, options.watch) = (Batch::Actors(2), 1, Duration::from_millis(1));
    host.swap(&plugin("numbers"), of(&new()), options.clone()).await.unwrap().ended().await.unwrap();
    let expected =
        ["staged", "checked", "began", "switched", "switched", "batch", "switched", "batch", "watching", "ended"];
    assert_eq!(to_the_end(&mut events).await, expected);
    host.swap(&plugin("numbers"), of(&mean()), options).await.unwrap().ended().await.unwrap();
    let expected = [
        "staged",
        "checked",
        "began",
        "switched",
        "switched",
        "batch",
        "not",
        "batch",
        "going back",
        "went back",
        "went back",
        "ended",
    ];
    assert_eq!(to_the_end(&mut events).await, expected);
    host.shutdown(None).await;
}

#[tokio::test]
async fn a_slow_listener_is_told_how_much_it_missed() {
    let building = host().plugin_bytes("old.wasm", old().build());
    let host = (0..180).fold(building, |building, n| building.actor(spec(n, Whim::None))).build().await.unwrap();
    let mut events = host.swap_events();
    // Each swap has more than 180 events, and 4,096 are kept.
    for n in 0..24 {
        let guest = if n % 2 == 0 { new() } else { old() };
        host.swap(&plugin("numbers"), of(&guest), at_once()).await.unwrap().ended().await.unwrap();
    }
    assert!(events.next().await.unwrap().is_err_and(|missed| missed >= 24 * 180 - 4_096));
    assert!(events.next().await.unwrap().is_ok(), "and what follows comes");
    host.shutdown(None).await;
}
