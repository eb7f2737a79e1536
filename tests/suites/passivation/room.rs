//! How many are awake, how much memory they have, and what a full machine does.

use std::time::Duration;

use baton_host::model::Phase;
use baton_host::{CallOptions, Host, Passivation};

use super::{counter, counters, instances, number, of, phase, say};
use crate::harness::{StoreDouble, name, until};

fn room(most: Option<u32>, bytes: Option<usize>) -> Passivation {
    let mut rules = Passivation::default();
    (rules.max_resident, rules.resident_memory_bytes, rules.least_resident) = (most, bytes, Duration::ZERO);
    rules
}

fn awake(host: &Host, of: impl Iterator<Item = u32>) -> Vec<u32> {
    of.filter(|n| phase(host, &format!("c/{n}")) == Some(Phase::Running)).collect()
}

#[tokio::test]
async fn of_too_many_those_that_were_needed_least_recently_sleep() {
    let store = StoreDouble::new();
    let host = counters(&store, room(Some(3), None)).build().await.unwrap();
    for n in [1, 2, 3, 1, 4] {
        say(&host, &format!("c/{n}"), "a").await;
        // Times are told by the millisecond.
        tokio::time::sleep(Duration::from_millis(3)).await;
    }
    until("three are awake", || instances(&host) == 3).await;
    assert_eq!(awake(&host, 1..=4), [1, 3, 4]);
    host.shutdown(None).await;
}

#[tokio::test]
async fn memory_beyond_the_budget_is_given_back() {
    let store = StoreDouble::new();
    let large = counter().memory_pages(16);
    let host = of(&large, &store, room(None, Some(3 << 20))).build().await.unwrap();
    for n in 1..=6 {
        say(&host, &format!("c/{n}"), "a").await;
        tokio::time::sleep(Duration::from_millis(3)).await;
    }
    until("three of a mebibyte each are awake", || instances(&host) == 3).await;
    assert_eq!(awake(&host, 1..=6), [4, 5, 6]);
    host.shutdown(None).await;
}

#[tokio::test]
async fn a_full_machine_makes_callers_wait_and_refuses_nobody() {
    let store = StoreDouble::new();
    let mut rules = room(None, None);
    rules.after = Some(Duration::from_secs(3_600));
    let host = counters(&store, rules).instances(4).build().await.unwrap();
    for round in 1..=5 {
        let calls: Vec<_> = (0..60)
            .map(|n| {
                let host = host.clone();
                tokio::spawn(async move { host.call(&name(&format!("c/{n}")), "a", CallOptions::default()).await })
            })
            .collect();
        for call in calls {
            assert_eq!(number(&call.await.unwrap().unwrap()), round);
        }
        assert!(instances(&host) <= 4);
    }
    assert!(host.dead_letters().is_empty());
    assert!(host.shutdown(None).await.all_saved());
}

#[tokio::test]
async fn who_has_woken_stays_awake_for_as_long_as_is_said() {
    let store = StoreDouble::new();
    let mut rules = room(Some(1), None);
    rules.least_resident = Duration::from_secs(3_600);
    let host = counters(&store, rules).build().await.unwrap();
    for n in 1..=5 {
        say(&host, &format!("c/{n}"), "a").await;
    }
    let fewer = tokio::time::timeout(Duration::from_millis(300), until("one sleeps", || instances(&host) < 5)).await;
    assert!(fewer.is_err());
    host.shutdown(None).await;
}
