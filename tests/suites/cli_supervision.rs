//! What an operator types to see the supervision tree and to change it: real processes and real files.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;

use baton_host::admin::{Socket, serve};
use baton_host::{Children, SupervisorSpec};
use rustix::process::Signal;
use serde_json::{Value, json};

use super::cli::{Place, Told};
use crate::harness::{actor, guest, host, name, until};

/// Its output, of a command that did what it should.
fn done(place: &Place, args: &[&str]) -> String {
    let told = place.baton(args);
    assert_eq!(told.code, 0, "{args:?}: {told:?}");
    told.out
}

/// What a command said that failed with these words.
fn failed(place: &Place, args: &[&str], code: i32, parts: &[&str]) -> Told {
    let told = place.baton(args);
    assert_eq!(told.code, code, "{args:?}: {told:?}");
    for part in parts {
        assert!(told.err.contains(part), "{part:?} for {args:?}: {told:?}");
    }
    told
}

/// Names and states, as the tree has them.
fn tree(place: &Place) -> Vec<(String, String)> {
    let tree = place.json(&["tree", "--json"]);
    let text = |child: &Value, key: &str| child[key].as_str().unwrap().to_owned();
    tree.as_array().unwrap().iter().map(|child| (text(child, "name"), text(child, "state"))).collect()
}

fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect()
}

/// A request past the command; its status and its answer.
pub(crate) fn http(place: &Place, method: &str, path: &str, body: &str) -> (u16, Value) {
    let (status, body) = asked(place, method, path, body);
    (status, serde_json::from_str(&body).unwrap_or(Value::Null))
}

/// The same with the answer as it stands.
pub(crate) fn asked(place: &Place, method: &str, path: &str, body: &str) -> (u16, String) {
    let mut stream = UnixStream::connect(place.data("baton.sock")).unwrap();
    let length = body.len();
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nhost: baton\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}"
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, body.to_owned())
}

#[test]
fn what_is_stopped_and_started_goes_on_where_it_was() {
    let place = Place::counter();
    let _host = place.host();
    for (name, left) in [("counter/1", "down"), ("more/a", "")] {
        done(&place, &["call", name, r#"{"add": 3}"#]);
        assert_eq!(done(&place, &["stop", name]), format!("stopped: {name}: saved as record 1\n"));
        let state = tree(&place).into_iter().find(|(child, _)| child == name).map_or(String::new(), |(_, state)| state);
        assert_eq!(state, left, "who is listed stays in the tree, and who is of a template goes");
        let running = place.json(&["ps", "--json"]);
        assert!(running.as_array().unwrap().iter().all(|actor| actor["name"] != name), "{running}");
        assert!(done(&place, &["start", name]).starts_with(&format!("started: {name}: ")));
        assert_eq!(done(&place, &["call", name, "get"]), "3\n");
    }
}

#[test]
fn the_tree_and_the_listing_of_actors_go_together() {
    let place = Place::counter();
    let _host = place.host();
    done(&place, &["start", "b", "--plugin", "counter", "--args", "40", "--restart", "temporary", "--shutdown", "250"]);
    assert_eq!(done(&place, &["call", "b", r#"{"add": 2}"#]), "42\n");
    assert_eq!(tree(&place), pairs(&[("counter/1", "running"), ("b", "running")]), "in the order of their start");
    let children = place.json(&["children", "--json"]);
    let b = &children[1];
    assert_eq!((&b["restart"], &b["shutdown"], &b["plugin"]), (&json!("temporary"), &json!(250), &json!("counter")));
    assert_eq!(done(&place, &["children", "--count"]), "2 children, 2 of them active: 0 supervisors, 2 workers\n");
    assert_eq!(place.json(&["children", "--count", "--json"])["workers"], 2);
    let text = done(&place, &["tree"]);
    assert!(text.starts_with("NAME ") && text.contains("\nb ") && text.contains("counter 1.0.0"), "{text}");

    assert!(done(&place, &["whereis", "b"]).contains("the root"));
    let found = place.json(&["whereis", "b", "--json"]);
    assert_eq!((&found["path"], &found["child"]["state"]), (&json!([]), &json!("running")));
    done(&place, &["stop", "b"]);
    failed(&place, &["whereis", "b"], 1, &["[unknown-actor]"]);
    failed(&place, &["whereis", "more/x"], 1, &["[unknown-actor]", "its first message, or `start`, would start it"]);
    assert_eq!(tree(&place), pairs(&[("counter/1", "running")]), "what was added under the root goes with its end");
}

#[test]
fn a_restart_hands_the_state_over_and_counts_as_none() {
    let place = Place::counter();
    let _host = place.host();
    done(&place, &["call", "counter/1", r#"{"add": 3}"#]);
    let before = place.json(&["ps", "--json"])[0]["generation"].as_u64().unwrap();
    assert!(done(&place, &["restart", "counter/1"]).starts_with("restarted: counter/1: "));
    assert_eq!(done(&place, &["call", "counter/1", "get"]), "3\n");
    let after = place.json(&["ps", "--json"])[0].clone();
    assert!(after["generation"].as_u64().unwrap() > before, "{after}");
    assert_eq!(place.json(&["tree", "--json"])[0]["restarts"], 0);
}

#[tokio::test]
async fn a_kill_loses_what_was_not_saved_and_is_followed_by_a_restart() {
    let place = Place::counter();
    let _host = place.host();
    done(&place, &["call", "counter/1", r#"{"add": 3}"#]);
    done(&place, &["restart", "counter/1"]);
    assert_eq!(done(&place, &["call", "counter/1", r#"{"add": 4}"#]), "7\n");
    assert_eq!(done(&place, &["kill", "counter/1"]), "killed: counter/1\n");
    until("its restart", || place.json(&["tree", "--json"])[0]["restarts"] == 1).await;
    until("an answer", || place.baton(&["call", "counter/1", "get"]).out == "3\n").await;
}

#[test]
fn what_does_not_run_is_deleted_and_its_state_is_kept() {
    let place = Place::counter();
    let host = place.host();
    done(&place, &["call", "counter/1", r#"{"add": 3}"#]);
    failed(&place, &["delete", "counter/1"], 1, &["`counter/1` runs [running]", "hint: stop it first"]);
    done(&place, &["stop", "counter/1"]);
    assert_eq!(done(&place, &["delete", "counter/1"]), "deleted: counter/1; its state is kept\n");
    assert_eq!(tree(&place), []);
    failed(&place, &["start", "counter/1"], 1, &["[unknown-actor]", "hint: `baton tree` shows who is there"]);
    done(&place, &["start", "counter/1", "--plugin", "counter"]);
    assert_eq!(done(&place, &["call", "counter/1", "get"]), "3\n");
    assert_eq!(host.stop(Signal::TERM).code, 0);
}

#[test]
fn what_cannot_be_done_says_why_and_what_to_do() {
    let place = Place::counter();
    let _host = place.host();
    let start = |more: &[&'static str]| [&["start", "counter/1", "--plugin", "counter"], more].concat();
    let new = |more: &[&'static str]| [&["start", "new", "--plugin"], more].concat();
    let cases: [(Vec<&str>, i32, &[&str]); 14] = [
        (vec!["start", "counter/1"], 1, &["[running]", "hint: `baton restart`"]),
        (start(&[]), 1, &["`counter/1` is started already; it is running [already-started]"]),
        (start(&["--restart", "never"]), 2, &["expected one of `permanent`"]),
        (start(&["--shutdown", "soon"]), 2, &["brutal-kill"]),
        (vec!["start", "new", "--args", "1"], 2, &["--plugin"]),
        (new(&["cuonter"]), 1, &["[unknown-plugin]"]),
        (new(&["counter", "--supervisor", "cuonter/1"]), 1, &["[unknown-supervisor]", "did you mean `counter/1`?"]),
        (new(&["counter", "--args", "\"no number\""]), 1, &["`new` would not start", "[start]"]),
        (vec!["stop", "cuonter/1"], 1, &["[unknown-actor]", "hint: did you mean `counter/1`?"]),
        (vec!["restart", "nobody"], 1, &["[unknown-actor]", "`baton tree` shows who is there"]),
        (vec!["kill", "nobody"], 1, &["[unknown-actor]"]),
        (vec!["delete", "nobody"], 1, &["[unknown-actor]"]),
        (vec!["children", "counter/1"], 1, &["[unknown-supervisor]"]),
        (vec!["stop", "a//b"], 2, &["empty segment"]),
    ];
    for (args, code, parts) in &cases {
        let told = failed(&place, args, *code, parts);
        assert!(told.out.is_empty(), "{args:?}: {told:?}");
    }
    assert_eq!(done(&place, &["call", "counter/1", "get"]), "0\n", "nothing of that has touched the actor");
    assert_eq!(place.baton(&["group", "nobody's"]).code, 0, "a group without members is none, and no error");
}

#[test]
fn a_stop_that_saves_nothing_is_told_as_at_the_hosts_end() {
    let place = Place::never_ending("", "shutdown = 200");
    let _host = place.host();
    done(&place, &["call", "never/1", "x"]);
    let told = failed(&place, &["stop", "never/1"], 3, &["not saved: never/1: "]);
    assert_eq!(told.out, "stopped: never/1: not saved\n");
}

#[test]
fn no_host_is_told_as_everywhere() {
    let place = Place::counter();
    for args in [&["tree"][..], &["start", "a"], &["stop", "a"], &["children"], &["whereis", "a"], &["group", "g"]] {
        failed(&place, args, 4, &["no host answers at data/baton.sock"]);
    }
}

#[test]
fn a_child_specification_is_sent_whole_over_http() {
    let place = Place::counter();
    let _host = place.host();
    let spec = |name: &str, more: Value| {
        let mut spec = json!({ "name": name, "plugin": "counter", "groups": ["workers"] });
        spec.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        spec.to_string()
    };
    let (status, answer) = http(&place, "POST", "/v1/children", &spec("w/1", json!({ "args": 40 })));
    assert_eq!((status, &answer["child"]["name"], &answer["child"]["plugin"]), (201, &json!("w/1"), &json!("counter")));
    let (status, _) = http(&place, "POST", "/v1/children", &spec("w/2", json!({ "attributes": { "region": "eu" } })));
    assert_eq!(status, 201);
    assert_eq!(done(&place, &["group", "workers"]), "w/1\nw/2\n");
    assert_eq!(place.json(&["group", "workers", "--json"]), json!(["w/1", "w/2"]));
    let sent = http(&place, "POST", "/v1/groups/workers/dispatch", r#"{"add": 2}"#);
    assert_eq!(sent, (202, json!({ "group": "workers", "taken": 2 })));
    assert_eq!(done(&place, &["call", "w/1", "get"]), "42\n");
    let (status, answer) = http(&place, "POST", "/v1/children", r#"{"name": "more/x"}"#);
    assert_eq!((status, &answer["child"]["restart"]), (201, &json!("transient")), "as its template says");

    let large = spec("w/3", json!({ "args": "x".repeat((1 << 20) + 1) }));
    let cases = [
        ("POST", "/v1/children", "no JSON", 400, "bad-request"),
        ("POST", "/v1/children", r#"{"name": "x", "plugin": "counter", "pulgin": 1}"#, 400, "bad-request"),
        ("POST", "/v1/children", r#"{"name": "more/y", "restart": "permanent"}"#, 422, "child-spec"),
        ("POST", "/v1/children", r#"{"name": "x"}"#, 404, "unknown-actor"),
        ("POST", "/v1/children", r#"{"name": "w/1", "plugin": "counter"}"#, 409, "already-started"),
        ("POST", "/v1/children", r#"{"name": "x", "plugin": "counter", "args": -1}"#, 422, "start"),
        ("POST", "/v1/children", &large, 422, "child-spec"),
        ("POST", "/v1/actors/w%2F1/start", "", 409, "running"),
        ("POST", "/v1/actors/w%2F1/stop?now=1", "", 400, "bad-request"),
        ("POST", "/v1/actors/nobody/stop", "", 404, "unknown-actor"),
        ("DELETE", "/v1/children/w%2F1", "", 409, "running"),
        ("GET", "/v1/children?supervisor=nobody", "", 404, "unknown-supervisor"),
        ("GET", "/v1/groups/a%2F%2Fb", "", 422, "bad-name"),
        ("PUT", "/v1/tree", "", 405, "method-not-allowed"),
    ];
    for (method, path, body, status, code) in cases {
        let (found, problem) = http(&place, method, path, body);
        assert_eq!((found, &problem["code"]), (status, &json!(code)), "{method} {path}: {problem}");
    }
}

/// A host within the test, for trees that its commands then meet.
#[tokio::test(flavor = "multi_thread")]
async fn children_stand_under_their_supervisors() {
    let place = Place::new("");
    let mut pool = SupervisorSpec::dynamic(name("pool"));
    pool.children = Children::Dynamic { max_children: 2 };
    let top = SupervisorSpec::new(name("top")).child(actor("first", "counter")).child(pool);
    let host = host().data_dir(place.data("")).plugin_file(guest("counter")).child(top).build().await.unwrap();
    let socket = Socket::bind(&place.data("")).unwrap();
    let serving = tokio::spawn(serve(socket, None, host.clone(), 1 << 20, None, std::future::pending()));

    let add = |child: &'static str| ["start", child, "--plugin", "counter", "--supervisor", "pool"];
    done(&place, &add("w/1"));
    done(&place, &add("w/2"));
    failed(&place, &add("w/3"), 1, &["max_children = 2 [max-children]", "hint: stop others first"]);
    let text = done(&place, &["tree"]);
    let drawn: Vec<&str> = text.lines().map(|line| line.split("  ").next().unwrap().trim_end()).collect();
    assert_eq!(drawn[1..3], ["top", "├─ first"], "{text}");
    assert!(text.contains("└─ pool") && text.contains("one_for_one, dynamic") && text.contains("3 in 5 s"), "{text}");
    assert!(text.contains("\n   ├─ w/1") && text.contains("\n   └─ w/2"), "{text}");
    assert!(done(&place, &["whereis", "w/2"]).contains("top > pool"));
    assert_eq!(place.json(&["whereis", "w/2", "--json"])["path"], json!(["top", "pool"]));
    assert_eq!(place.json(&["children", "pool", "--count", "--json"])["workers"], 2);

    done(&place, &["call", "w/1", r#"{"add": 3}"#]);
    done(&place, &["stop", "pool"]);
    assert_eq!(tree(&place), pairs(&[("top", "running"), ("first", "running"), ("pool", "down")]));
    failed(&place, &["start", "pool", "--plugin", "counter"], 1, &["[already-present]", "hint: start it by its name"]);
    done(&place, &["start", "pool"]);
    done(&place, &add("w/1"));
    assert_eq!(done(&place, &["call", "w/1", "get"]), "3\n");
    assert!(host.shutdown(None).await.all_saved());
    serving.abort();
}
