//! Who sleeps at one host may be woken by another.

use std::time::Duration;

use baton_host::model::Phase;
use baton_host::{Host, Passivation, Pattern, Template};
use futures_util::FutureExt;

use super::{Shared, builder, id_of, joined, say, sent_on, settings, until_in};
use crate::harness::{StoreDouble, name, plugin, until};

/// A host that wakes journals for their messages, and puts them to sleep at once.
async fn sleepy(door: &std::sync::Arc<StoreDouble>, node: &str) -> Host {
    let mut rules = Passivation::default();
    (rules.after, rules.least_resident) = (Some(Duration::from_millis(1)), Duration::ZERO);
    let template = Template::new(Pattern::new("j/*").unwrap(), plugin("journal"));
    let host = builder(door, settings(node)).template(template).passivation(rules).build().await.unwrap();
    joined(&host).await;
    host
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_sleeps_is_given_up_and_each_host_wakes_it_with_what_the_other_left() {
    let shared = Shared::new();
    let hosts = [sleepy(&shared.door(), "a").await, sleepy(&shared.door(), "b").await];
    let mut expected = String::new();
    for (turn, word) in ["a", "b", "c", "d"].into_iter().enumerate() {
        expected.push_str(word);
        assert_eq!(say(&hosts[turn % 2], "j/1", word).await, expected);
        until("it is nobody's", || shared.owner("j/1").now_or_never().is_some_and(|owner| owner.is_none())).await;
    }
    for host in hosts {
        assert!(host.shutdown(None).await.all_saved());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_awake_at_one_host_is_woken_by_no_other() {
    let shared = Shared::new();
    let (a, b) = (sleepy(&shared.door(), "a").await, sleepy(&shared.door(), "b").await);
    assert_eq!(say(&a, "j/1", "a").await, "a");
    a.suspend(&name("j/1")).await.unwrap();
    until_in(&a, "j/1", Phase::Suspended).await;
    assert_eq!(shared.owner("j/1").await, Some(id_of(&a).await));
    assert_eq!(sent_on(&b, "j/1").await.0, "a");
    a.resume(&name("j/1")).await.unwrap();
    assert_eq!(say(&a, "j/1", "b").await, "ab");
    for host in [a, b] {
        assert!(host.shutdown(None).await.all_saved());
    }
}
