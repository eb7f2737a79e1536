//! A trace goes through: from the request over the mailbox, the turn and its commit to whom the actor calls and sends to.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::UnixStream;

use rustix::process::Signal;
use serde_json::{Value, json};

use super::collector::{Collector, Span};
use crate::cli::Place;
use crate::harness::{WatGuest, guest};

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const CALLER: &str = "b7ad6b7169203331";

/// Two actors that do as they are told, and commit each turn; `telemetry` is that section of the configuration.
fn place(telemetry: &str) -> Place {
    place_granting(telemetry, "")
}

/// The same with more grants.
fn place_granting(telemetry: &str, grants: &str) -> Place {
    let actor = |name: &str| {
        format!("[[actor]]\nname = \"{name}\"\nplugin = \"errand\"\ndurability = \"turn\"\ngroups = [\"both\"]\n")
    };
    Place::new(&format!(
        "instances = 50\n[telemetry]\n{telemetry}\n[[plugin]]\npath = {:?}\n[plugin.grants]\ncall = [\"*\"]\n{grants}\n{}{}",
        guest("errand").display().to_string(),
        actor("front"),
        actor("back"),
    ))
}

/// The status and the headers of an answer, in small letters.
struct Answer(String);

impl Answer {
    fn header(&self, name: &str) -> Option<&str> {
        self.0.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    }
}

/// Tells `front` something, by HTTP and with these headers.
fn tell(place: &Place, how: &str, body: &Value, headers: &str) -> Answer {
    post(place, &format!("/v1/actors/front/{how}"), body.to_string().as_bytes(), headers)
}

fn post(place: &Place, path: &str, body: &[u8], headers: &str) -> Answer {
    let mut stream = UnixStream::connect(place.data("baton.sock")).unwrap();
    let head = format!("POST {path} HTTP/1.1\r\nhost: host\r\nconnection: close\r\n{headers}");
    write!(stream, "{head}content-length: {}\r\n\r\n", body.len()).unwrap();
    stream.write_all(body).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    Answer(answer.split("\r\n\r\n").next().unwrap().to_lowercase())
}

fn traceparent(flag: &str) -> String {
    format!("traceparent: 00-{TRACE}-{CALLER}-{flag}\r\n")
}

/// Those spans of `spans` whose parent is this one, by their names.
fn below<'s>(spans: &'s [Span], parent: &str) -> Vec<(&'s str, &'s Span)> {
    let mut found: Vec<_> = spans.iter().filter(|span| span.parent == parent).map(|s| (s.name.as_str(), s)).collect();
    found.sort_by_key(|(name, _)| *name);
    found
}

/// The one span of this name below `parent`.
fn one<'s>(spans: &'s [Span], parent: &str, name: &str) -> &'s Span {
    let found = below(spans, parent);
    let mut named = found.iter().filter(|(found, _)| *found == name);
    let (_, span) = named.next().unwrap_or_else(|| panic!("no {name} below {parent}: {found:?}"));
    assert!(named.next().is_none(), "more than one {name} below {parent}: {found:?}");
    span
}

#[test]
fn a_trace_goes_through_mailboxes_turns_and_commits_of_all_actors() {
    let collector = Collector::listen();
    let place = place(&format!(
        "otlp_endpoint = {:?}\nservice_name = \"shop\"\notlp_headers_file = \"key\"",
        collector.endpoint()
    ));
    place.write("key", b"# what the collector asks for\nX-Key: opensesame\n");
    let host = place.host();
    let call = json!({"call": ["back", "dirs"]});
    let answer = tell(&place, "call", &call, &format!("{}tracestate: a=1\r\n", traceparent("01")));
    assert!(answer.0.starts_with("http/1.1 200 "), "{}", answer.0);
    assert_eq!(answer.header("tracestate"), Some("a=1"));
    let told = answer.header("traceparent").expect("told in which trace it was").to_owned();
    assert_eq!(host.stop(Signal::TERM).code, 0);

    let spans = collector.spans();
    assert!(spans.iter().all(|span| span.trace == TRACE && span.service == "shop" && !span.failed), "{spans:#?}");
    assert!(spans.iter().all(|span| span.state == "a=1" && span.begins <= span.ends), "{spans:#?}");
    let request = one(&spans, CALLER, "POST /v1/actors/{name}/call");
    assert_eq!(told, format!("00-{TRACE}-{}-01", request.id));
    assert_eq!(request.get("http.response.status_code"), "200");
    let mut parent = request;
    for actor in ["front", "back"] {
        let call = one(&spans, &parent.id, "call");
        assert_eq!(call.get("baton.to"), actor);
        let (waits, turn) = (one(&spans, &call.id, "mailbox"), one(&spans, &call.id, "turn"));
        assert_eq!(waits.get("baton.actor"), actor);
        let said = ["baton.actor", "baton.plugin", "baton.generation", "baton.message_kind"].map(|key| turn.get(key));
        assert_eq!(said, [actor, "errand", "1", "call"]);
        let commits: Vec<_> = below(&spans, &turn.id).into_iter().filter(|(name, _)| *name == "commit").collect();
        let causes: Vec<_> = commits.iter().map(|(_, span)| span.get("baton.cause")).collect();
        assert!(causes.contains(&"turn"), "{actor}: {causes:?}");
        assert!(commits.iter().all(|(_, span)| span.get("baton.store") == "sled"), "{commits:?}");
        assert!(waits.ends <= turn.ends && call.begins <= turn.begins, "{spans:#?}");
        parent = turn;
    }
    let named = ["request", "call", "mailbox", "turn", "snapshot", "commit"];
    let others = |span: &&Span| span.parent != CALLER && !named.contains(&span.name.as_str());
    assert!(!spans.iter().any(|span| others(&span)), "{spans:#?}");
    let heads = collector.heads();
    let head = heads.first().expect("a request");
    assert!(head.starts_with("post /v1/traces http/1.1\r\n") && head.contains("\r\nx-key: opensesame\r\n"), "{head}");
}

#[test]
fn what_an_actor_sends_is_a_part_of_its_turn() {
    let collector = Collector::listen();
    let place = place(&format!("otlp_endpoint = {:?}", collector.endpoint()));
    let host = place.host();
    let answer = tell(&place, "cast", &json!({"send": ["back", "dirs"]}), "");
    assert!(answer.0.starts_with("http/1.1 202 "), "{}", answer.0);
    // `back` has handled it once it has answered this.
    place.baton(&["call", "front", r#"{"call": ["back", "dirs"]}"#]);
    assert_eq!(host.stop(Signal::TERM).code, 0);
    let told = answer.header("traceparent").expect("it began a trace").to_owned();
    let trace = told.split('-').nth(1).expect("a trace");
    let spans: Vec<Span> = collector.spans().into_iter().filter(|span| span.trace == trace).collect();
    let request = one(&spans, "", "POST /v1/actors/{name}/cast");
    assert_eq!((request.service.as_str(), told.as_str()), ("baton", &*format!("00-{trace}-{}-01", request.id)));
    let mut parent = request;
    for actor in ["front", "back"] {
        let sent = one(&spans, &parent.id, "send");
        assert_eq!(sent.get("baton.to"), actor);
        one(&spans, &sent.id, "mailbox");
        parent = one(&spans, &sent.id, "turn");
        assert_eq!((parent.get("baton.actor"), parent.get("baton.message_kind")), (actor, "cast"));
    }
}

#[test]
fn what_a_group_is_sent_from_outside_is_a_part_of_the_request_for_each_member() {
    let collector = Collector::listen();
    let place = place(&format!("otlp_endpoint = {:?}", collector.endpoint()));
    let host = place.host();
    let message = json!({"send": ["nobody", "dirs"]});
    let answer = post(&place, "/v1/groups/both/dispatch", message.to_string().as_bytes(), &traceparent("01"));
    assert!(answer.0.starts_with("http/1.1 202 "), "{}", answer.0);
    for actor in ["front", "back"] {
        // It has handled it once it has answered this.
        assert_eq!(place.baton(&["call", actor, "\"dirs\""]).code, 0);
    }
    assert_eq!(host.stop(Signal::TERM).code, 0);
    let spans = collector.spans();
    let request = one(&spans, CALLER, "POST /v1/groups/{group}/dispatch");
    let sent = below(&spans, &request.id);
    let mut to: Vec<_> = sent.iter().map(|(name, span)| (*name, span.get("baton.to"))).collect();
    to.sort_unstable();
    assert_eq!(to, [("send", "back"), ("send", "front")]);
    for (_, sent) in sent {
        assert_eq!(one(&spans, &sent.id, "turn").get("baton.actor"), sent.get("baton.to"));
    }
}

/// The head of a request, which is answered.
fn head(mut stream: TcpStream) -> String {
    let mut head = String::new();
    let mut reader = BufReader::new(&stream);
    while !head.ends_with("\r\n\r\n") {
        assert!(reader.read_line(&mut head).unwrap() > 0, "it ended early: {head}");
    }
    stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").unwrap();
    head.to_lowercase()
}

#[test]
fn a_guests_request_carries_the_trace_of_its_turn_and_none_where_there_is_none() {
    let (collector, listener) = (Collector::listen(), TcpListener::bind("127.0.0.1:0").unwrap());
    let port = listener.local_addr().unwrap().port().to_string();
    let server =
        std::thread::spawn(move || -> Vec<String> { listener.incoming().take(2).map(|s| head(s.unwrap())).collect() });
    let place = place_granting(
        &format!("otlp_endpoint = {:?}\nsample_ratio = 0", collector.endpoint()),
        &format!("http = [{{ host = \"127.0.0.1\", port = {port}, scheme = \"http\", methods = [\"GET\"] }}]"),
    );
    let host = place.host();
    let get =
        json!({"http": {"method": "GET", "scheme": "http", "authority": format!("127.0.0.1:{port}"), "path": "/"}});
    for headers in [format!("{}tracestate: a=1\r\n", traceparent("01")), String::new()] {
        let answer = tell(&place, "call", &get, &headers);
        assert!(answer.0.starts_with("http/1.1 200 "), "{}", answer.0);
    }
    assert_eq!(host.stop(Signal::TERM).code, 0);
    let spans = collector.spans();
    let request = one(&spans, CALLER, "POST /v1/actors/{name}/call");
    let turn = one(&spans, &one(&spans, &request.id, "call").id, "turn");
    let http = one(&spans, &turn.id, "GET");
    let said =
        ["http.request.method", "server.address", "server.port", "http.response.status_code"].map(|k| http.get(k));
    assert_eq!(said, ["GET", "127.0.0.1", &*port, "200"]);
    let [traced, untraced] = <[String; 2]>::try_from(server.join().unwrap()).unwrap();
    assert!(traced.contains(&format!("\r\ntraceparent: 00-{TRACE}-{}-01\r\n", http.id)), "{traced}");
    assert!(traced.contains("\r\ntracestate: a=1\r\n") && !untraced.contains("\r\ntrace"), "{traced}{untraced}");
}

#[test]
fn a_swap_is_a_part_of_the_request_that_asked_for_it_with_a_part_for_each_phase() {
    let collector = Collector::listen();
    let version = |version: &str| WatGuest::new("cart").version(version).build();
    let actors = "[[actor]]\nname = \"c/1\"\nplugin = \"cart\"\n[[actor]]\nname = \"c/2\"\nplugin = \"cart\"\n";
    let telemetry = format!("[telemetry]\notlp_endpoint = {:?}\n", collector.endpoint());
    let place = Place::new(&format!("instances = 50\n{telemetry}[[plugin]]\npath = \"cart.wasm\"\n{actors}"));
    place.write("cart.wasm", &version("1.0.0"));
    let host = place.host();
    let path = "/v1/plugins/cart/swap?batch=1&pause_ms=1&watch_ms=1";
    let answer = post(&place, path, &version("2.0.0"), &traceparent("01"));
    assert!(answer.0.starts_with("http/1.1 202 "), "{}", answer.0);
    assert_eq!(place.baton(&["swap", "cart", "--follow"]).code, 0);
    assert_eq!(host.stop(Signal::TERM).code, 0);
    let spans = collector.spans();
    let swap = one(&spans, &one(&spans, CALLER, "POST /v1/plugins/{name}/swap").id, "swap");
    let said = ["baton.plugin", "baton.from", "baton.to", "baton.outcome", "baton.switched"].map(|key| swap.get(key));
    assert_eq!(said, ["cart", "1.0.0", "2.0.0", "done", "2"]);
    let mut phases: Vec<&Span> = below(&spans, &swap.id).into_iter().map(|(_, span)| span).collect();
    phases.sort_by_key(|span| (span.begins, span.ends));
    let names: Vec<_> = phases.iter().map(|span| span.name.as_str()).collect();
    let expected = ["rehearsing", "switching", "pausing", "switching", "watching"].map(|phase| format!("swap {phase}"));
    assert_eq!(names, expected);
    assert!(phases.windows(2).all(|pair| pair[0].ends <= pair[1].begins), "{phases:#?}");
    assert!(phases.iter().all(|span| span.begins >= swap.begins && span.ends <= swap.ends), "{spans:#?}");
}

#[test]
fn a_collector_is_spoken_to_over_tls_if_its_certificate_is_trusted() {
    let (collector, pem) = Collector::over_tls();
    for trusted in [true, false] {
        let ca = if trusted { "otlp_ca_file = \"ca.pem\"" } else { "" };
        let place = place(&format!("otlp_endpoint = {:?}\n{ca}", collector.endpoint()));
        place.write("ca.pem", pem.as_bytes());
        let host = place.host();
        let before = collector.spans().len();
        let answer = tell(&place, "call", &json!("dirs"), &traceparent("01"));
        assert!(answer.0.starts_with("http/1.1 200 "), "{}", answer.0);
        assert_eq!(host.stop(Signal::TERM).code, 0);
        let spans = collector.spans().split_off(before);
        assert_eq!(spans.iter().any(|span| span.name == "turn" && span.trace == TRACE), trusted, "{spans:#?}");
    }
}

#[test]
fn who_began_a_trace_decides_whether_it_is_kept_and_else_the_ratio() {
    let collector = Collector::listen();
    let place = place(&format!("otlp_endpoint = {:?}\nsample_ratio = 0", collector.endpoint()));
    let host = place.host();
    let call = json!({"call": ["back", "dirs"]});
    let answer = tell(&place, "call", &call, &traceparent("00"));
    assert_eq!(answer.header("traceparent"), Some(&*format!("00-{TRACE}-{CALLER}-00")), "as it came");
    let drawn = tell(&place, "call", &call, "");
    let drawn = drawn.header("traceparent").expect("it has a trace, which is not kept").to_owned();
    assert!(drawn.ends_with("-00") && !drawn.contains(TRACE), "{drawn}");
    // What no one can read is as if it were not there.
    let answer = tell(&place, "call", &call, "traceparent: nonsense\r\n");
    assert!(answer.header("traceparent").is_some_and(|told| told.ends_with("-00")), "{}", answer.0);
    tell(&place, "call", &call, &traceparent("01"));
    assert_eq!(host.stop(Signal::TERM).code, 0);
    let spans = collector.spans();
    assert!(!spans.is_empty() && spans.iter().all(|span| span.trace == TRACE), "{spans:#?}");
    assert_eq!(below(&spans, CALLER).len(), 1, "only the one that was to be kept: {spans:#?}");
}

#[test]
fn a_turn_that_fails_is_told_as_such_and_so_are_those_that_wait_for_it() {
    let collector = Collector::listen();
    let place = place(&format!("otlp_endpoint = {:?}", collector.endpoint()));
    let host = place.host();
    let answer = tell(&place, "call", &json!({"call": ["nobody", "dirs"]}), &traceparent("01"));
    assert!(!answer.0.starts_with("http/1.1 200 "), "{}", answer.0);
    assert_eq!(host.stop(Signal::TERM).code, 0);
    let spans = collector.spans();
    let request = one(&spans, CALLER, "POST /v1/actors/{name}/call");
    let call = one(&spans, &request.id, "call");
    let turn = one(&spans, &call.id, "turn");
    let nested = one(&spans, &turn.id, "call");
    assert!(nested.failed && call.failed, "{spans:#?}");
    assert!(!turn.failed && !turn.get("baton.failure").is_empty(), "a failure is a reply like any other: {turn:#?}");
}

#[test]
fn a_collector_that_is_away_or_silent_keeps_nobody_waiting() {
    let silent = Collector::silent();
    for endpoint in [Collector::gone(), silent.endpoint()] {
        let place = place(&format!("otlp_endpoint = {endpoint:?}\nqueue_spans = 8\nflush_timeout_ms = 50"));
        let host = place.host();
        for _ in 0..20 {
            let answer = tell(&place, "call", &json!({"call": ["back", "dirs"]}), "");
            assert!(answer.0.starts_with("http/1.1 200 "), "{}", answer.0);
        }
        assert_eq!(host.stop(Signal::TERM).code, 0, "{endpoint}");
    }
}

#[test]
fn a_host_that_traces_nothing_tells_a_trace_as_it_came() {
    let place = place("");
    let _host = place.host();
    let answer = tell(&place, "call", &json!("dirs"), &traceparent("01"));
    assert_eq!(answer.header("traceparent"), Some(&*format!("00-{TRACE}-{CALLER}-01")));
    assert_eq!(tell(&place, "call", &json!("dirs"), "").header("traceparent"), None);
}
