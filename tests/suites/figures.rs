//! What is told of each actor in numbers: how long its turns take, what memory it has, what waits, and since when it runs.

use std::sync::Arc;
use std::time::{Duration, Instant};

use baton_host::model::Phase;
use baton_host::store::SnapshotStore;
use baton_host::{ActorInfo, Backoff, CallOptions, Host, SupervisorSpec};
use serde_json::{Value, json};

use super::cli::Place;
use super::cli_supervision::http;
use super::journal::{journal, start};
use crate::harness::{Op, StoreDouble, WatGuest, actor, host, name, until};

const PAGE_BYTES: usize = 64 << 10;

fn info(host: &Host, actor: &str) -> ActorInfo {
    host.actor(&name(actor)).unwrap()
}

async fn say(host: &Host, actor: &str, body: &'static str) {
    host.call(&name(actor), body, CallOptions::default()).await.unwrap();
}

#[tokio::test]
async fn memory_is_that_of_the_instance_and_goes_with_it() {
    let grows = WatGuest::new("grows").memory_pages(3).when('g', "(drop (memory.grow (i32.const 2)))");
    let guest = grows.when('!', "unreachable");
    let mut spec = actor("g/1", "grows");
    let long = Duration::from_secs(600);
    spec.backoff = Some(Backoff { first: long, max: long });
    let host = host().plugin_bytes("grows.wasm", guest.build()).actor(spec).build().await.unwrap();
    until("it runs", || info(&host, "g/1").phase == Phase::Running).await;
    let before = info(&host, "g/1");
    assert_eq!((before.memory_bytes, before.turn_us), (Some(3 * PAGE_BYTES), None), "it had no turn yet");
    say(&host, "g/1", "g").await;
    assert_eq!(info(&host, "g/1").memory_bytes, Some(5 * PAGE_BYTES));
    let started = before.started_ms.expect("it runs");
    host.call(&name("g/1"), "!", CallOptions::default()).await.unwrap_err();
    until("its instance is gone", || info(&host, "g/1").started_ms.is_none()).await;
    assert_eq!(info(&host, "g/1").memory_bytes, None);
    host.restart(&name("g/1")).await.unwrap();
    until("it runs again", || info(&host, "g/1").phase == Phase::Running).await;
    let after = info(&host, "g/1");
    assert_eq!(after.memory_bytes, Some(3 * PAGE_BYTES));
    assert!(after.started_ms.is_some_and(|again| again >= started));
    assert!(after.turn_us.is_some(), "what its earlier instances took counts on");
    host.shutdown(None).await;
}

#[tokio::test]
async fn a_turn_takes_as_long_as_its_caller_waits_for_the_actor() {
    let store = StoreDouble::new();
    super::journal::once(&store, &["a"]).await;
    let host = start(&store).await;
    until("it runs", || info(&host, "j/1").phase == Phase::Running).await;
    assert_eq!(info(&host, "j/1").turn_us, None);
    // The first turn waits for the mark in the store.
    store.hold(Op::TakeUp);
    host.cast(&name("j/1"), "b", None).unwrap();
    until("it is in hand", || store.asked(Op::TakeUp, &name("j/1")) > 0).await;
    let began = Instant::now();
    until("some time has gone by", || began.elapsed().as_millis() > 20).await;
    let waited = u64::try_from(began.elapsed().as_micros()).unwrap();
    store.let_through();
    until("it is handled", || info(&host, "j/1").turn_us.is_some()).await;
    for _ in 0..200 {
        host.call(&name("j/1"), "c", CallOptions::default()).await.unwrap();
    }
    until("all are counted", || info(&host, "j/1").handled == 201).await;
    let times = info(&host, "j/1").turn_us.unwrap();
    assert!(times.max >= waited, "{times:?}, and it waited {waited} µs");
    assert!(times.p50 <= times.p99 && times.p99 <= times.max && times.p50 < waited, "{times:?}");
    host.shutdown(None).await;
}

#[tokio::test]
async fn each_actor_says_which_supervisor_it_stands_under() {
    let store: Arc<dyn SnapshotStore> = StoreDouble::new();
    let shop = SupervisorSpec::new(name("shop")).child(SupervisorSpec::dynamic(name("carts")));
    let shop = shop.child(actor("stock", "journal"));
    let building = host().store(store).plugin_bytes("journal.wasm", journal().build());
    let host = building.child(shop).actor(actor("alone", "journal")).build().await.unwrap();
    host.start_child(Some(&name("carts")), actor("cart/1", "journal")).await.unwrap();
    let above = host.actors().into_iter().map(|actor| (actor.name.to_string(), actor.supervisor)).collect::<Vec<_>>();
    let expected = [("alone", None), ("cart/1", Some("carts")), ("stock", Some("shop"))];
    assert_eq!(above, expected.map(|(actor, above)| (actor.to_owned(), above.map(name))));
    host.shutdown(None).await;
}

fn names(answer: &Value) -> Vec<&str> {
    answer["actors"].as_array().unwrap().iter().map(|actor| actor["name"].as_str().unwrap()).collect()
}

#[test]
fn actors_are_told_page_by_page_and_by_pattern() {
    let place = Place::counter();
    let _host = place.host();
    for actor in ["more/a", "more/b", "more/c", "more/d e"] {
        assert_eq!(place.baton(&["call", actor, "get"]).code, 0);
    }
    let get = |query: &str| http(&place, "GET", &format!("/v1/actors{query}"), "");
    let (status, all) = get("");
    assert_eq!((status, &all["next"]), (200, &Value::Null));
    assert_eq!(names(&all), ["counter/1", "more/a", "more/b", "more/c", "more/d e"]);
    let first = get("?limit=2").1;
    assert_eq!((names(&first), &first["next"]), (vec!["counter/1", "more/a"], &json!("more/a")));
    let second = get("?limit=2&after=more/a").1;
    assert_eq!((names(&second), &second["next"]), (vec!["more/b", "more/c"], &json!("more/c")));
    let last = get("?limit=2&after=more%2Fc").1;
    assert_eq!((names(&last), &last["next"]), (vec!["more/d e"], &Value::Null));
    let exact = get("?limit=4&match=more/*").1;
    assert_eq!((names(&exact).len(), &exact["next"]), (4, &Value::Null), "a full page need not be followed by another");
    assert_eq!(names(&get("?match=more/d%20e").1), ["more/d e"]);
    for (query, code, says) in [
        ("?limit=0", "bad-request", "limit = 0 is not from 1 to 10000"),
        ("?limit=10001", "bad-request", "limit = 10001"),
        ("?match=a*b", "bad-name", "'*'"),
        ("?after=a//b", "bad-name", "empty segment"),
        ("?mtach=a", "bad-request", "unknown field `mtach`"),
    ] {
        let (status, problem) = get(query);
        let expected = if code == "bad-name" { 422 } else { 400 };
        assert_eq!((status, &problem["code"]), (expected, &json!(code)), "{query}");
        assert!(problem["detail"].as_str().unwrap().contains(says), "{query}: {problem}");
    }
    let one = &all["actors"][1];
    assert!(one["turn_us"]["max"].as_u64().unwrap() > 0 && one["memory_bytes"].as_u64().unwrap() > 0, "{one}");
    assert!(one["started_ms"].as_u64().unwrap() > 1_600_000_000_000, "{one}");
    assert_eq!((&one["supervisor"], &one["waiting"], &one["waiting_bytes"]), (&Value::Null, &json!(0), &json!(0)));

    let shown = place.json(&["ps", "more/*", "--json"]);
    assert_eq!(shown.as_array().unwrap().len(), 4);
    let none = place.baton(&["ps", "nobody"]);
    assert_eq!((none.code, none.out.lines().count()), (0, 1), "{none:?}");
    assert_eq!(place.baton(&["ps", "a*b"]).code, 2);
}
