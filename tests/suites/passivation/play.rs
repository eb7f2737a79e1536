//! Random plays over all that can happen to a few counters that sleep whenever they can. What each has counted is known at the
//! end: no message was lost, none was handled twice. A number draws the play; `BATON_SEED` repeats one, `BATON_ROUNDS` says how
//! many steps it has.

use std::collections::BTreeMap;
use std::time::Duration;

use baton_host::swap::{SwapOptions, SwapOutcome, SwapSource};
use baton_host::{Host, Pattern, Template};

use super::{at_once, counter, counters, say, until_asleep};
use crate::harness::{Dice, StoreDouble, actor, name, number_from, plugin, until};

/// Steps of a play.
const STEPS: usize = 300;
/// Those of a template, those with a place in the tree, and one that others watch.
const PLAYERS: [&str; 6] = ["c/1", "c/2", "c/3", "l/1", "l/2", "w/1"];

/// What each is expected to have counted.
type Counts = BTreeMap<&'static str, u32>;

/// One step; casts are counted when they were taken.
async fn step(host: &Host, dice: &mut Dice, counts: &mut Counts, version: &mut u32) {
    let to = PLAYERS[dice.below(PLAYERS.len())];
    let call = async |counts: &mut Counts, body: &str| {
        let count = counts.entry(to).or_default();
        *count += 1;
        assert_eq!(say(host, to, body).await, *count, "{to} was told {body}");
    };
    match dice.below(14) {
        0..=3 => call(counts, "a").await,
        4 | 5 => {
            for _ in 0..=dice.below(4) {
                host.cast(&name(to), "a", None).unwrap();
                *counts.entry(to).or_default() += 1;
            }
        }
        6 => {
            // The timer counts one, whenever it comes.
            call(counts, "T").await;
            *counts.entry(to).or_default() += 1;
            let expected = counts[to];
            until_asleep(host, to).await;
            while host.get_state(&name(to)).await.unwrap().data[..] != expected.to_le_bytes() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
        7 => call(counts, ["J", "A"][dice.below(2)]).await,
        8 if to != "w/1" => {
            call(counts, "M").await;
            // It hears of no sleep, and of this end.
            until_asleep(host, to).await;
            host.restart(&name("w/1")).await.unwrap();
            *counts.entry(to).or_default() += 1;
            let expected = counts[to];
            while host.get_state(&name(to)).await.unwrap().data[..] != expected.to_le_bytes() {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        }
        9 => {
            // One that has never run cannot be suspended.
            call(counts, "a").await;
            host.suspend(&name(to)).await.unwrap();
        }
        10 if to.starts_with("c/") => {
            call(counts, "a").await;
            host.stop(&name(to)).await.unwrap();
            until("its name is free", || host.actor(&name(to)).is_none()).await;
        }
        11 if dice.below(4) == 0 => {
            *version += 1;
            let guest = counter().version(&format!("1.0.{version}"));
            let mut options = SwapOptions::default();
            (options.watch, options.rehearsal) = (Duration::ZERO, None);
            let source = SwapSource::Bytes("newer.wasm".into(), guest.build());
            let report = host.swap(&plugin("counter"), source, options).await.unwrap().ended().await.unwrap();
            assert_eq!(report.outcome, SwapOutcome::Done, "{report:?}");
        }
        12 => drop(tokio::time::timeout(Duration::from_millis(40), until_asleep(host, to)).await),
        _ => tokio::time::sleep(Duration::from_micros(dice.below(12_000) as u64)).await,
    }
    // Whoever is suspended is so for one step.
    if host.actor(&name(to)).is_some_and(|info| info.phase == baton_host::model::Phase::Suspended) {
        host.resume(&name(to)).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_happens_to_actors_that_sleep_and_wake_each_message_counts_once() {
    let store = StoreDouble::new();
    let template = Template::new(Pattern::new("w/*").unwrap(), plugin("counter"));
    let host = counters(&store, at_once()).template(template);
    let host = host.actor(actor("l/1", "counter")).actor(actor("l/2", "counter")).build().await.unwrap();
    let (mut dice, mut counts, mut version) = (Dice::new(), Counts::new(), 0);
    counts.insert("w/1", 1);
    assert_eq!(say(&host, "w/1", "a").await, 1);
    for _ in 0..number_from("BATON_ROUNDS", STEPS) {
        step(&host, &mut dice, &mut counts, &mut version).await;
    }
    for (to, count) in &counts {
        assert_eq!(say(&host, to, "a").await, count + 1, "{to}");
    }
    until("all of the template sleep", || {
        ["c/1", "c/2", "c/3"]
            .iter()
            .all(|to| !counts.contains_key(to) || super::phase(&host, to) == Some(baton_host::model::Phase::Asleep))
    })
    .await;
    assert_eq!(host.dead_letters().len(), 0, "{:?}", host.dead_letters());
    assert!(host.shutdown(None).await.all_saved());
}
