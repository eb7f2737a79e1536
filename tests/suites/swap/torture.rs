//! Many actors under constant load from several senders with numbered messages, swapped back and forth, with new versions
//! that refuse, trap, hang or eat memory for some of them: all numbers are there once, in order.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use baton_host::Host;
use baton_host::model::{Durability, StateRules};
use baton_host::swap::{Batch, OnFailure, SwapOptions, SwapOutcome, SwapReport};
use baton_host::{CallError, CallOptions, MessageId, SendError};
use tokio::task::JoinHandle;

use super::at_once;
use super::numbers::{Counted, WHIMS, Whim, counted, mean, message, new, old, spec};
use crate::harness::{Dice, WatGuest, host, name, number_from, plugin};

/// Who sends.
const SENDERS: usize = 4;
/// Actors, and swaps, of a run; `BATON_ACTORS` and `BATON_SWAPS` say how many for a longer one.
const ACTORS: usize = 120;
const SWAPS: usize = 8;
/// Messages of a sender between two waits of a millisecond.
const BURST: usize = 8;
/// One actor in so many does not do what a mean version is to do with it.
const WHIMSICAL: usize = 11;

/// Of many, about a hundred: an endless loop takes its time.
fn whim(n: usize) -> Whim {
    let one_in = WHIMSICAL.max(number_from("BATON_ACTORS", ACTORS) / 100);
    if n % one_in == 3 { WHIMS[n / one_in % WHIMS.len()] } else { Whim::None }
}

async fn crowd(actors: usize, turn: bool, dir: Option<&std::path::Path>) -> Host {
    // Each actor has an instance, and the senders' host room to spare.
    let mut building = host().instances(u32::try_from(actors).unwrap() + 50).plugin_bytes("old.wasm", old().build());
    if let Some(dir) = dir {
        building = building.data_dir(dir);
    }
    for n in 0..actors {
        let mut spec = spec(n, whim(n));
        if turn {
            spec.state = StateRules { durability: Some(Durability::Turn), ..StateRules::default() };
        }
        building = building.actor(spec);
    }
    building.build().await.unwrap()
}

/// Says numbers to all actors in turn until told to end: how many were said to each.
async fn cast_on(host: Host, sender: usize, actors: usize, ends: Arc<AtomicBool>) -> Vec<u32> {
    let names: Vec<_> = (0..actors).map(|n| name(&format!("n/{n}"))).collect();
    let mut said = vec![0; actors];
    for n in (0..actors).cycle() {
        if ends.load(Ordering::Relaxed) {
            break;
        }
        match host.cast(&names[n], message(sender, said[n] + 1), None) {
            Ok(_) => said[n] += 1,
            // Whoever is told so says it again.
            Err(SendError::MailboxFull { .. }) => {}
            Err(error) => panic!("{error}"),
        }
        if n % BURST == 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
    said
}

/// The same with calls, and ids of the sender's own: each is said until it is answered, some again although they were, and
/// then the first answer comes.
async fn call_on(
    host: Host,
    sender: usize,
    actors: usize,
    (ends, again): (Arc<AtomicBool>, Arc<AtomicU64>),
) -> Vec<u32> {
    let mut dice = Dice::new();
    let mut said = vec![0_u32; actors];
    while !ends.load(Ordering::Relaxed) {
        let n = dice.below(actors);
        let number = said[n] + 1;
        let id = MessageId::new(&format!("{sender}-{n}-{number}")).unwrap();
        let mut first = None;
        let times = 1 + usize::from(dice.one_in(4));
        while first.is_none() || dice.below(times) > 0 {
            let options = CallOptions { id: Some(id.clone()), ..CallOptions::default() };
            match host.call(&name(&format!("n/{n}")), message(sender, number), options).await {
                Ok(reply) => {
                    if let Some(first) = &first {
                        again.fetch_add(1, Ordering::Relaxed);
                        assert_eq!(Counted::read(&reply), *first, "another reply than the first one");
                    }
                    first = Some(Counted::read(&reply));
                }
                Err(CallError::NotSent(SendError::MailboxFull { .. })) => tokio::task::yield_now().await,
                Err(error) => panic!("{error}"),
            }
        }
        said[n] += 1;
    }
    said
}

/// Which version comes next, how, and what may come of it.
fn step(n: usize) -> (WatGuest, OnFailure, SwapOutcome) {
    match n % 4 {
        0 => (new(), OnFailure::Back, SwapOutcome::Done),
        1 => (mean(), OnFailure::Back, SwapOutcome::WentBack),
        2 => (mean(), OnFailure::Skip, SwapOutcome::Done),
        _ => (old(), OnFailure::Back, SwapOutcome::Done),
    }
}

fn options(on_failure: OnFailure) -> SwapOptions {
    let mut options = at_once();
    (options.on_failure, options.batch) = (on_failure, Batch::Percent(25));
    options
}

async fn swap_on(host: &Host, swaps: usize) {
    for n in 0..swaps {
        let (guest, on_failure, outcome) = step(n);
        let source = super::of(&guest);
        let report = host.swap(&plugin("numbers"), source, options(on_failure)).await.unwrap().ended().await.unwrap();
        assert_eq!(report.outcome, outcome, "swap {n}: {report:?}");
        assert_eq!(
            report.failures.iter().filter(|failure| !is_whim(&failure.actor)).count(),
            0,
            "swap {n}: {report:?}"
        );
        shown(n, &report);
    }
}

fn is_whim(actor: &baton_host::ActorName) -> bool {
    whim(actor.as_str()[2..].parse().unwrap()) != Whim::None
}

fn shown(n: usize, report: &SwapReport) {
    let SwapReport { outcome, switched, went_back, failed, took_ms, .. } = report;
    println!(
        "swap {n}: {outcome}, {switched} switched, {went_back} went back, {failed} not, in {took_ms} ms; pauses of {} us at the \
         median, {} us at p99, {} us at most",
        report.pause_median_us, report.pause_p99_us, report.pause_longest_us
    );
}

/// All numbers that were said are there once, in order, for every sender.
async fn all_there(host: &Host, said: &[Vec<u32>]) {
    let mut messages = 0;
    for n in 0..said[0].len() {
        let of_each: Vec<u32> = said.iter().map(|said| said[n]).collect();
        assert_eq!(counted(host, n).await, Counted::expected(&of_each), "n/{n}");
        messages += of_each.iter().sum::<u32>();
    }
    assert!(host.dead_letters().is_empty(), "{:?}", host.dead_letters());
    assert!(host.actors().iter().all(|actor| actor.restarts == 0));
    println!("{messages} messages");
}

/// Swaps while the senders are at work; then what each of them said must all be there.
async fn swap_and_count(host: &Host, swaps: usize, ends: &AtomicBool, senders: Vec<JoinHandle<Vec<u32>>>) {
    swap_on(host, swaps).await;
    ends.store(true, Ordering::Relaxed);
    let mut said = Vec::new();
    for sender in senders {
        said.push(sender.await.unwrap());
    }
    all_there(host, &said).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn all_numbers_are_there_once_in_order_after_swaps_under_load() {
    let (actors, swaps) = (number_from("BATON_ACTORS", ACTORS), number_from("BATON_SWAPS", SWAPS));
    let host = crowd(actors, false, None).await;
    let ends = Arc::new(AtomicBool::new(false));
    let senders: Vec<_> =
        (0..SENDERS).map(|sender| tokio::spawn(cast_on(host.clone(), sender, actors, ends.clone()))).collect();
    swap_and_count(&host, swaps, &ends, senders).await;
    assert!(host.shutdown(None).await.all_saved());
}

#[tokio::test(flavor = "multi_thread")]
async fn with_each_turn_committed_who_asks_again_across_a_swap_gets_the_first_reply() {
    let (actors, swaps) = (number_from("BATON_ACTORS", ACTORS), number_from("BATON_SWAPS", SWAPS));
    let dir = tempfile::tempdir().unwrap();
    let host = crowd(actors, true, Some(dir.path())).await;
    let (ends, again) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let senders: Vec<_> = (0..SENDERS)
        .map(|sender| tokio::spawn(call_on(host.clone(), sender, actors, (ends.clone(), again.clone()))))
        .collect();
    swap_and_count(&host, swaps, &ends, senders).await;
    println!("{} asked again though answered", again.load(Ordering::Relaxed));
    assert!(host.shutdown(None).await.all_saved());
}
