//! Calls and casts race with actors that fall asleep and wake, thousands of times.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use baton_host::store::{MemoryStore, SnapshotStore};
use baton_host::{CallOptions, Host, Pattern, Template};

use super::{at_once, counter, number};
use crate::harness::{actor, host, name, plugin, until};

const ROUNDS: u32 = 1_500;

/// How often actors were put to sleep.
fn sleeps(host: &Host) -> u64 {
    let text = host.metrics();
    let lines = text.lines().filter(|line| line.starts_with("baton_sleeps_total{"));
    lines.map(|line| line.rsplit(' ').next().unwrap().parse::<f64>().unwrap() as u64).sum()
}

async fn race(to: &'static [&'static str]) {
    let store: Arc<dyn SnapshotStore> = Arc::new(MemoryStore::new());
    let template = Template::new(Pattern::new("c/*").unwrap(), plugin("counter"));
    let building = host().store(store).plugin_bytes("counter.wasm", counter().build()).template(template);
    let building =
        to.iter().filter(|to| to.starts_with("l/")).fold(building, |building, to| building.actor(actor(to, "counter")));
    let host = building.passivation(at_once()).build().await.unwrap();
    let mut senders = Vec::new();
    for to in to {
        let sent = Arc::new(AtomicU32::new(0));
        for sender in 0..2_u32 {
            let (host, sent) = (host.clone(), sent.clone());
            senders.push(tokio::spawn(async move {
                let mut last = 0;
                for round in 0..ROUNDS {
                    if (round + sender).is_multiple_of(3) {
                        host.cast(&name(to), "a", None).unwrap();
                        sent.fetch_add(1, Ordering::Relaxed);
                    }
                    let reply = host.call(&name(to), "a", CallOptions::default()).await.unwrap();
                    sent.fetch_add(1, Ordering::Relaxed);
                    let count = number(&reply);
                    assert!(count > last, "{to}: {count} after {last}");
                    last = count;
                    // Now and then long enough for a sleep.
                    if round.is_multiple_of(5 + sender) {
                        tokio::time::sleep(Duration::from_micros(u64::from(round % 7) * 1_500)).await;
                    }
                }
            }));
        }
        senders.push(tokio::spawn({
            let host = host.clone();
            let sent = sent.clone();
            async move {
                until("all was sent", || sent.load(Ordering::Relaxed) == 2 * (ROUNDS + ROUNDS / 3)).await;
                let reply = host.call(&name(to), "a", CallOptions::default()).await.unwrap();
                assert_eq!(number(&reply), 2 * (ROUNDS + ROUNDS / 3) + 1, "{to}: none was lost, none doubled");
            }
        }));
    }
    for sender in senders {
        sender.await.unwrap();
    }
    assert!(sleeps(&host) > 200, "{} sleeps only", sleeps(&host));
    assert!(host.dead_letters().is_empty());
    host.shutdown(None).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_reply_is_lost_doubled_or_out_of_order_while_actors_of_a_template_sleep_and_wake() {
    race(&["c/1", "c/2", "c/3", "c/4"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_reply_is_lost_doubled_or_out_of_order_while_listed_actors_sleep_and_wake() {
    race(&["l/1", "l/2", "l/3"]).await;
}
