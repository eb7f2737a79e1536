//! Where sleepers are shown.

use baton_host::events::{EventFilter, EventKind};
use baton_host::model::{NameOrPattern, Phase};

use super::{at_once, counters, say, until_let_go};
use crate::harness::{StoreDouble, name, until};

#[tokio::test]
async fn sleepers_are_told_page_by_page_between_those_that_are_awake() {
    let store = StoreDouble::new();
    let host =
        counters(&store, at_once()).actor(super::awake(crate::harness::actor("c/b", "counter"))).build().await.unwrap();
    for to in ["c/a", "c/c", "c/d"] {
        say(&host, to, "a").await;
        until_let_go(&host, to).await;
    }
    let page = |after: Option<&str>, which: Option<&str>, limit| -> Vec<String> {
        let (after, which) = (after.map(name), which.map(|which| NameOrPattern::new(which).unwrap()));
        let found = host.actors_after(after.as_ref(), which.as_ref(), limit);
        found.iter().map(|info| format!("{} {}", info.name, info.phase)).collect()
    };
    until("the other one runs", || host.actor(&name("c/b")).is_some_and(|info| info.phase == Phase::Running)).await;
    let all = ["c/a asleep", "c/b running", "c/c asleep", "c/d asleep"];
    assert_eq!(page(None, None, usize::MAX), all);
    assert_eq!(page(None, None, 3), all[..3]);
    assert_eq!(page(Some("c/b"), None, 1), all[2..3]);
    assert_eq!(page(None, Some("c/d"), 9), all[3..]);
    let text = host.metrics();
    assert!(text.contains(r#"baton_actors{plugin="counter",phase="asleep"} 3"#), "{text}");
    assert!(text.contains(r#"baton_sleeps_total{plugin="counter",version="1.0.0"} 3"#), "{text}");
    host.shutdown(None).await;
}

#[tokio::test]
async fn each_sleep_is_an_event_and_no_end() {
    let store = StoreDouble::new();
    let host = counters(&store, at_once()).build().await.unwrap();
    for _ in 0..2 {
        say(&host, "c/1", "a").await;
        until_let_go(&host, "c/1").await;
    }
    let mut events = host
        .events_after(EventFilter { actors: Some(NameOrPattern::new("c/1").unwrap()), ..EventFilter::default() }, 0);
    let mut kinds = Vec::new();
    while kinds.iter().filter(|kind| **kind == EventKind::Asleep).count() < 2 {
        kinds.push(events.next().await.unwrap().unwrap().kind);
    }
    assert_eq!(kinds, [EventKind::Starting, EventKind::Running, EventKind::Asleep].repeat(2));
    host.shutdown(None).await;
}
