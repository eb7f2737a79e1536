//! What happens to the actors and the host is told as it happens, to whoever listens: real processes, and connections that are
//! read slowly or not at all.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use baton_host::events::{EventFilter, EventKind, KEPT_EVENTS};
use rustix::process::Signal;
use serde_json::{Value, json};

use super::cli::{Place, Running};
use super::cli_supervision::http;
use super::journal::journal;
use crate::harness::{StoreDouble, actor, host};

/// How long the host may be silent before a test gives up.
const PATIENCE: Duration = Duration::from_secs(60);

/// A place with the journal, whose host logs little, since nobody reads it; and what `more` adds to the configuration.
fn place(more: &str) -> Place {
    let config = format!(
        "instances = 50\nlog = \"warn\"\n[[plugin]]\npath = \"journal.wasm\"\n[[actor]]\nname = \"j/1\"\nplugin = \"journal\"\n\
         {more}"
    );
    let place = Place::new(&config);
    place.write("journal.wasm", &journal().build());
    place
}

/// A client of the events.
struct Client(BufReader<UnixStream>);

impl Client {
    fn new(place: &Place, query: &str, last_id: Option<u64>) -> Self {
        let mut stream = UnixStream::connect(place.data("baton.sock")).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let last_id = last_id.map(|id| format!("last-event-id: {id}\r\n")).unwrap_or_default();
        write!(stream, "GET /v1/events{query} HTTP/1.1\r\nhost: baton\r\n{last_id}\r\n").unwrap();
        Self(BufReader::new(stream))
    }

    /// The same, once the host listens to it.
    fn listening(place: &Place, query: &str, last_id: Option<u64>) -> Self {
        let mut client = Self::new(place, query, last_id);
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            assert!(client.0.read_line(&mut head).unwrap() > 0, "{head}");
        }
        assert!(head.starts_with("HTTP/1.1 200 ") && head.contains("content-type: text/event-stream"), "{head}");
        client
    }

    /// The next event, whose id and kind stand beside it too; none: the stream has ended.
    fn next(&mut self) -> Option<Value> {
        let (mut id, mut kind) = (String::new(), String::new());
        loop {
            let mut line = String::new();
            if self.0.read_line(&mut line).unwrap() == 0 {
                return None;
            }
            match line.trim_end().split_once(": ") {
                Some(("id", value)) => id = value.into(),
                Some(("event", value)) => kind = value.into(),
                Some(("data", value)) => {
                    let event: Value = serde_json::from_str(value).unwrap();
                    assert_eq!((event["sequence"].to_string(), event["kind"].as_str()), (id, Some(&*kind)), "{event}");
                    return Some(event);
                }
                // What stands around it: lengths of chunks, ends of events, the last chunk.
                _ => {}
            }
        }
    }

    fn kinds(&mut self, count: usize) -> Vec<String> {
        (0..count).map(|_| self.next().expect("more").get("kind").unwrap().as_str().unwrap().to_owned()).collect()
    }
}

/// A host whose actor handles messages.
fn running(place: &Place) -> Running {
    let host = place.host();
    assert_eq!(Client::listening(place, "?match=j/1&since=0", None).kinds(2), ["starting", "running"]);
    assert_eq!(Client::listening(place, "?kinds=host&since=0", None).kinds(1), ["host"], "it is ready");
    host
}

fn done(place: &Place, args: &[&str]) {
    let told = place.baton(args);
    assert_eq!(told.code, 0, "{args:?}: {told:?}");
}

#[test]
fn what_an_actor_goes_through_is_told_in_order() {
    let place = place("");
    let _host = place.host();
    let mut client = Client::listening(&place, "?match=j/1&since=0", None);
    assert_eq!(client.kinds(1), ["starting"]);
    let running = client.next().unwrap();
    assert_eq!(
        (&running["kind"], &running["plugin"], &running["version"]),
        (&json!("running"), &json!("journal"), &json!("1.0.0"))
    );
    assert_eq!((&running["generation"], &running["detail"]["handed_over"]), (&json!(1), &json!(false)));

    assert_eq!(place.baton(&["call", "j/1", "!"]).code, 1);
    assert_eq!(client.kinds(1), ["dead-letter"]);
    let crashed = client.next().unwrap();
    assert_eq!((&crashed["kind"], &crashed["detail"]["during"]), (&json!("crashed"), &json!("handle")));
    assert!(!crashed["detail"]["backtrace"].as_array().unwrap().is_empty(), "{crashed}");
    let restarted = client.next().unwrap();
    assert_eq!((&restarted["kind"], &restarted["detail"]), (&json!("restarted"), &json!({ "restarts": 1 })));
    assert_eq!(client.kinds(2), ["starting", "running"]);

    done(&place, &["suspend", "j/1"]);
    done(&place, &["resume", "j/1"]);
    assert_eq!(client.kinds(2), ["suspended", "resumed"]);
    done(&place, &["call", "j/1", "a"]);
    done(&place, &["stop", "j/1"]);
    let stopped = client.next().unwrap();
    assert_eq!(stopped["detail"], json!({ "reason": "normal", "committed": 1, "not_saved": null }));
    done(&place, &["start", "j/1"]);
    assert_eq!(client.kinds(1), ["starting"]);
    assert_eq!(client.next().unwrap()["detail"], json!({ "handed_over": true, "switched_from": null }));
    done(&place, &["kill", "j/1"]);
    let killed = client.next().unwrap();
    assert_eq!((&killed["kind"], &killed["detail"]["not_saved"]), (&json!("stopped"), &json!("it was killed")));
    assert_eq!(client.kinds(3), ["restarted", "starting", "running"]);
}

#[test]
fn a_swap_is_told_stage_by_stage_and_so_is_what_it_does_to_plugins_and_actors() {
    let place = place("");
    let _host = running(&place);
    let mut swap = Client::listening(&place, "?kinds=swap,plugin", None);
    let mut actor = Client::listening(&place, "?match=j/*", None);
    let file = place.write("new.wasm", &journal().version("2.0.0").build());
    done(&place, &["swap", "journal", file.to_str().unwrap(), "--yes", "--watch", "0s"]);
    let mut told = Vec::new();
    let is_told = |told: &[(String, Value)], what: &str| told.iter().any(|(_, word)| word == what);
    while !(is_told(&told, "ended") && is_told(&told, "unloaded")) {
        let event = swap.next().unwrap();
        let word = if event["kind"] == "swap" { &event["detail"]["phase"] } else { &event["detail"]["change"] };
        told.push((event["version"].as_str().unwrap().to_owned(), word.clone()));
    }
    let words: Vec<(&str, &str)> = told.iter().map(|(version, word)| (&**version, word.as_str().unwrap())).collect();
    let place_of = |what| words.iter().position(|word| *word == what).unwrap_or_else(|| panic!("{what:?}: {words:?}"));
    let course = ["loaded", "rehearsing", "switching", "current", "ended"];
    let places: Vec<usize> = course.into_iter().map(|word| place_of(("2.0.0", word))).collect();
    assert!(places.is_sorted() && place_of(("1.0.0", "unloaded")) > places[3], "{words:?}");
    let running = actor.next().unwrap();
    assert_eq!(
        (&running["kind"], &running["version"], &running["generation"]),
        (&json!("running"), &json!("2.0.0"), &json!(2))
    );
    assert_eq!(running["detail"]["switched_from"], "1.0.0");
}

#[test]
fn what_holds_an_actor_and_what_ends_a_supervisor_is_told() {
    let refuses = journal()
        .named("refuses")
        .on("continue", "(if (local.get $some) (then (return (call $refuse (i32.const 1))))) (call $ok)");
    let place = place(
        "[[plugin]]\npath = \"refuses.wasm\"\n[[actor]]\nname = \"h/1\"\nplugin = \"refuses\"\n\
         [[supervisor]]\nname = \"s\"\nmax_restarts = 0\n[[actor]]\nname = \"s/1\"\nplugin = \"journal\"\nsupervisor = \"s\"\n",
    );
    place.write("refuses.wasm", &refuses.build());
    let _host = place.host();
    let mut held = Client::listening(&place, "?match=h/1&since=0", None);
    assert_eq!(held.kinds(2), ["starting", "running"]);
    done(&place, &["stop", "h/1"]);
    done(&place, &["start", "h/1"]);
    assert_eq!(held.kinds(2), ["stopped", "starting"]);
    let told = held.next().unwrap();
    assert_eq!((&told["kind"], &told["detail"]["record"]), (&json!("held"), &json!(1)));
    assert!(told["detail"]["why"].as_str().unwrap().contains("refused"), "{told}");

    let mut gave_up = Client::listening(&place, "?kinds=crashed,gave-up,failed", None);
    assert_eq!(place.baton(&["call", "s/1", "!"]).code, 1);
    let told: Vec<Value> = (0..3).map(|_| gave_up.next().unwrap()).collect();
    let names: Vec<_> =
        told.iter().map(|event| (event["kind"].as_str().unwrap(), event["actor"].as_str().unwrap())).collect();
    assert_eq!(names, [("crashed", "s/1"), ("gave-up", "s"), ("failed", "s")]);
    assert!(told[1]["detail"]["why"].as_str().unwrap().contains("`s/1` needed more than 0 restarts"), "{}", told[1]);
}

#[test]
fn whoever_comes_back_hears_what_it_missed_and_whether_there_was_more() {
    let place = place("");
    let host = running(&place);
    let mut client = Client::listening(&place, "?since=0", None);
    let first = client.next().unwrap()["sequence"].as_u64().unwrap();
    drop(client);
    done(&place, &["suspend", "j/1"]);
    done(&place, &["resume", "j/1"]);
    let mut client = Client::listening(&place, "", Some(first));
    let mut last = first;
    loop {
        let event = client.next().unwrap();
        last += 1;
        assert_eq!(event["sequence"], last, "one after the other: {event}");
        if event["kind"] == "resumed" {
            break;
        }
    }
    // Nothing of what is kept comes twice, and what comes next follows.
    done(&place, &["suspend", "j/1"]);
    let event = client.next().unwrap();
    assert_eq!((&event["kind"], &event["sequence"]), (&json!("suspended"), &json!(last + 1)));
    drop(client);
    assert_eq!(host.stop(Signal::TERM).code, 0);

    let _next = place.host();
    let mut client = Client::listening(&place, "", Some(last + 1));
    let behind = client.next().unwrap();
    assert_eq!(
        (&behind["kind"], &behind["detail"]),
        (&json!("behind"), &json!({ "missed": null })),
        "an earlier host's"
    );
    assert!(behind["sequence"].as_u64().unwrap() > last, "{behind}");
    let event = client.next().unwrap();
    assert_eq!(event["sequence"].as_u64(), behind["sequence"].as_u64().map(|before| before + 1), "and it goes on");
}

/// Suspends the actor and lets it go on, over one connection.
fn go_round(place: &Place, times: usize) {
    let stream = UnixStream::connect(place.data("baton.sock")).unwrap();
    let mut answers = BufReader::new(stream.try_clone().unwrap());
    let mut requests = stream;
    for round in 0..times {
        let what = if round % 2 == 0 { "suspend" } else { "resume" };
        write!(requests, "POST /v1/actors/j%2F1/{what} HTTP/1.1\r\nhost: baton\r\n\r\n").unwrap();
        let (mut length, mut line) = (0, String::new());
        while line != "\r\n" {
            line.clear();
            answers.read_line(&mut line).unwrap();
            if let Some(value) = line.strip_prefix("content-length: ") {
                length = value.trim_end().parse().unwrap();
            }
        }
        answers.read_exact(&mut vec![0; length]).unwrap();
    }
}

#[test]
fn a_client_that_does_not_read_is_told_how_much_it_missed_and_dropped_and_nobody_waits_for_it() {
    let place = place("");
    let _host = running(&place);
    let mut slow = Client::listening(&place, "?match=j/1", None);
    // More than is kept, and than the connection takes.
    go_round(&place, KEPT_EVENTS + 4_000);
    done(&place, &["call", "j/1", "a"]);
    let (mut heard, mut last) = (0, Value::Null);
    while let Some(event) = slow.next() {
        (heard, last) = (heard + 1, event);
    }
    assert_eq!(last["kind"], "behind", "after {heard} events: {last}");
    let missed = last["detail"]["missed"].as_u64().unwrap();
    assert!(missed > 0 && heard > 1, "{heard} heard, {missed} missed");
    let (status, metrics) = super::cli_supervision::asked(&place, "GET", "/metrics", "");
    assert!(status == 200 && metrics.contains(&format!("\nbaton_events_dropped_total {missed}\n")), "{metrics}");
    let mut again = Client::listening(&place, "?match=j/1", last["sequence"].as_u64());
    let next = again.next().unwrap();
    assert_eq!(next["sequence"].as_u64(), last["sequence"].as_u64().map(|before| before + 1));
    assert!((2..KEPT_EVENTS).all(|_| again.next().unwrap()["kind"] != "behind"), "it goes on with what is kept");
}

#[test]
fn a_host_that_stops_says_so_and_ends_the_stream() {
    let place = place("");
    let host = running(&place);
    let mut client = Client::listening(&place, "", None);
    let mut command = place.command(&["events", "--json", "--kinds", "host"]);
    let listener = command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped()).spawn().unwrap();
    // It has to be there before the host stops: the first event that it could tell of is the last but one.
    while http(&place, "GET", "/v1/events?follow=false&since=0", "").0 != 200 {}
    let end = host.stop(Signal::TERM);
    assert_eq!(end.code, 0, "{end:?}");
    assert!(!end.err.contains("cut off"), "nobody waited for those who listen: {end:?}");
    let told: Vec<Value> = std::iter::from_fn(|| client.next()).collect();
    let kinds: Vec<_> = told.iter().map(|event| event["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["host", "stopped"]);
    assert_eq!(told[0]["detail"], json!({ "state": "stopping" }));
    let ended = listener.wait_with_output().unwrap();
    assert!(matches!(ended.status.code(), Some(0 | 4)), "{ended:?}");
}

#[test]
fn what_cannot_be_asked_for_is_told_and_so_many_may_listen_at_once() {
    let place = place("");
    let _host = place.host();
    for (query, says) in [
        ("?kinds=molten", "no kind of event"),
        ("?match=a*b", "'*'"),
        ("?since=yesterday", "since"),
        ("?kind=held", "unknown field `kind`"),
    ] {
        let (status, problem) = http(&place, "GET", &format!("/v1/events{query}"), "");
        let expected = if problem["code"] == "bad-name" { 422 } else { 400 };
        assert_eq!(status, expected, "{problem}");
        assert!(problem["detail"].as_str().unwrap().contains(says), "{query}: {problem}");
    }
    let told = place.baton(&["events", "--kinds", "molten"]);
    assert!(told.code == 2 && told.err.contains("dead-letter"), "{told:?}");
    let clients: Vec<Client> = (0..64).map(|_| Client::listening(&place, "", None)).collect();
    let (status, problem) = http(&place, "GET", "/v1/events", "");
    assert_eq!((status, &problem["code"]), (503, &json!("busy")));
    drop(clients);
    while http(&place, "GET", "/v1/events?follow=false&since=0", "").0 != 200 {}
}

#[test]
fn the_command_tells_events_in_lines_for_people_and_for_programs() {
    let place = place("");
    let _host = place.host();
    assert_eq!(place.baton(&["call", "j/1", "!"]).code, 1);
    let mut client = Client::listening(&place, "?match=j/1&since=0", None);
    assert_eq!(client.kinds(7).last().unwrap(), "running");
    let told = place.baton(&["events", "j/*", "--no-follow"]);
    let kinds: Vec<_> = told.out.lines().map(|line| line.split_whitespace().nth(2).unwrap()).collect();
    assert_eq!(
        kinds,
        ["starting", "running", "dead-letter", "crashed", "restarted", "starting", "running"],
        "{told:?}"
    );
    assert!(told.out.contains("j/1  journal 1.0.0 #1  in `handle`: "), "{told:?}");
    let told = place.baton(&["events", "--no-follow", "--json", "--kinds", "restarted,failed"]);
    let events: Vec<Value> = told.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(events.len(), 1, "{told:?}");
    assert_eq!((&events[0]["actor"], &events[0]["detail"]["restarts"]), (&json!("j/1"), &json!(1)));
    let after = events[0]["sequence"].to_string();
    let told = place.baton(&["events", "j/1", "--no-follow", "--since", &after]);
    assert_eq!(told.out.lines().count(), 2, "{told:?}");
}

#[tokio::test]
async fn an_embedder_hears_when_the_store_fails_and_when_it_answers_again() {
    let store = StoreDouble::new();
    let shared: std::sync::Arc<dyn baton_host::store::SnapshotStore> = store.clone();
    let building = host().store(shared).plugin_bytes("journal.wasm", journal().build());
    let host = building.actor(actor("j/1", "journal")).build().await.unwrap();
    let mut events =
        host.events_after(EventFilter { kinds: vec![EventKind::Store, EventKind::Host], ..EventFilter::default() }, 0);
    assert_eq!(serde_json::to_value(&events.next().await.unwrap().unwrap().detail).unwrap()["state"], "ready");
    for trouble in [Some("no space".to_owned()), None] {
        store.has_trouble(trouble.clone());
        let event = events.next().await.unwrap().unwrap();
        let told = serde_json::to_value(&event.detail).unwrap();
        assert_eq!((event.kind, told), (EventKind::Store, json!({ "trouble": trouble })));
    }
    host.tell_reloaded();
    assert_eq!(serde_json::to_value(&events.next().await.unwrap().unwrap().detail).unwrap()["state"], "reloaded");
    host.shutdown(None).await;
    assert_eq!(serde_json::to_value(&events.next().await.unwrap().unwrap().detail).unwrap()["state"], "stopping");
    assert!(events.next().await.is_none(), "nothing follows the end");
}
