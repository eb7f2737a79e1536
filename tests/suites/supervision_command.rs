//! Supervision as an operator and a plugin meet it: a tree in `baton.toml`, real processes, and the plugin `foreman`, which
//! supervises by JSON.

use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::{Value, json};

use super::cli::Place;
use crate::harness::{WatGuest, guest};

/// `boss` traps exits and may supervise everyone; `intern` runs what was granted nothing.
fn shop(more: &str) -> Place {
    let (foreman, counter) = (guest("foreman"), guest("counter"));
    Place::new(&format!(
        r#"
instances = 50

[[plugin]]
path = {foreman:?}
name = "foreman"
[plugin.grants]
supervise = ["w/*", "pool", "till"]
call = ["boss"]
groups = ["staff"]

[[plugin]]
path = {counter:?}
name = "counter"

[[supervisor]]
name = "shop"
strategy = "one_for_all"
max_restarts = 3
max_seconds = 3600

[[actor]]
name = "till"
plugin = "counter"
supervisor = "shop"

[[actor]]
name = "clerk"
plugin = "counter"
supervisor = "shop"

[[supervisor]]
name = "pool"
dynamic = true
max_children = 2

[[actor]]
name = "boss"
plugin = "foreman"
args = {{ trap-exit = true }}
attributes = {{ role = "boss" }}
groups = ["staff"]
{more}
"#
    ))
}

fn ask(place: &Place, who: &str, what: &Value) -> Value {
    let told = place.baton(&["call", who, &what.to_string()]);
    assert_eq!(told.code, 0, "{what}: {told:?}");
    serde_json::from_str(&told.out).unwrap()
}

/// Why it was refused.
fn refused(place: &Place, who: &str, what: &Value) -> String {
    let told = place.baton(&["call", who, &what.to_string()]);
    assert_ne!(told.code, 0, "{what}: {told:?}");
    told.err
}

fn state(place: &Place, who: &str) -> Option<String> {
    let tree = place.json(&["tree", "--json"]);
    let found = tree.as_array().unwrap().iter().find(|child| child["name"] == who).cloned();
    found.map(|child| child["state"].as_str().unwrap().to_owned())
}

fn comes_to(place: &Place, what: &str, holds: impl Fn() -> bool) {
    let limit = Instant::now() + Duration::from_secs(20);
    while !holds() {
        assert!(Instant::now() < limit, "never came: {what}; {:?}", place.baton(&["tree"]));
    }
}

#[test]
fn siblings_are_restarted_with_their_states_and_the_fourth_time_ends_the_supervisor() {
    let place = shop("");
    let host = place.host();
    ask(&place, "clerk", &json!({ "add": 3 }));
    for restarts in 1..=3 {
        assert_eq!(place.baton(&["kill", "till"]).code, 0);
        comes_to(&place, "the shop is open again", || {
            let tree = place.json(&["tree", "--json"]);
            let till = tree.as_array().unwrap().iter().find(|child| child["name"] == "till").cloned().unwrap();
            let all_run = ["till", "clerk"].iter().all(|who| state(&place, who).as_deref() == Some("running"));
            till["restarts"] == restarts && all_run
        });
        assert_eq!(ask(&place, "clerk", &json!("get")), 3, "its state was handed over");
    }
    assert_eq!(place.baton(&["kill", "till"]).code, 0);
    comes_to(&place, "the shop has failed", || state(&place, "shop").as_deref() == Some("failed"));
    assert_eq!(state(&place, "till"), None);
    assert!(place.baton(&["tree"]).out.contains("max_restarts"), "it says why");
    assert_eq!(ask(&place, "boss", &json!({ "whereis": "boss" })), "running", "the others go on");
    // An operator opens it again, and nothing that was saved is lost.
    assert_eq!(place.baton(&["start", "shop"]).code, 0);
    assert_eq!(ask(&place, "clerk", &json!("get")), 3);
    assert_eq!(host.stop(Signal::TERM).code, 0);
}

#[test]
fn a_guest_supervises_what_it_was_granted_and_nothing_else() {
    let place = shop("[[actor]]\nname = \"w/0\"\nplugin = \"counter\"\n");
    let host = place.host();
    let start = |name: &str| json!({ "start": { "supervisor": "pool", "name": name, "plugin": "foreman" } });
    assert_eq!(ask(&place, "boss", &start("w/1")), "ok");
    assert!(refused(&place, "boss", &start("w/1")).contains("already-started"));
    assert!(refused(&place, "boss", &start("w/0")).contains("already-started"), "a name is a name, wherever it stands");
    assert_eq!(ask(&place, "boss", &start("w/2")), "ok");
    assert!(refused(&place, "boss", &start("w/3")).contains("max-children"));
    assert!(refused(&place, "boss", &start("x")).contains("denied"));
    let stranger = json!({ "start": { "supervisor": "pool", "name": "w/4", "plugin": "nobody" } });
    assert!(refused(&place, "boss", &stranger).contains("unknown-plugin"));
    assert!(refused(&place, "boss", &json!({ "terminate": "boss" })).contains("denied"));
    assert!(refused(&place, "boss", &json!({ "link": "clerk" })).contains("denied"));
    let names = ask(&place, "boss", &json!({ "which": "pool" }));
    let names: Vec<&str> = names.as_array().unwrap().iter().map(|child| child["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["w/1", "w/2"]);
    assert_eq!(ask(&place, "boss", &json!({ "count": "pool" }))["active"], 2);
    assert_eq!(ask(&place, "boss", &json!({ "terminate": "w/1" })), "ok");
    assert_eq!(ask(&place, "boss", &json!({ "whereis": "w/1" })), Value::Null);
    assert_eq!(host.stop(Signal::TERM).code, 0);
}

#[test]
fn an_end_is_heard_by_monitors_and_by_links() {
    let place = shop(
        "[[actor]]\nname = \"w/1\"\nplugin = \"foreman\"\nrestart = \"temporary\"\n\
                      [[actor]]\nname = \"w/2\"\nplugin = \"foreman\"\nrestart = \"temporary\"\n",
    );
    let host = place.host();
    let heard = |who: &str| ask(&place, who, &json!({ "heard": null }));
    for what in [json!({ "monitor": "w/1" }), json!({ "link": "w/1" }), json!({ "monitor": "w/9" })] {
        assert_eq!(ask(&place, "boss", &what), "ok", "{what}");
    }
    // `w/2` traps nothing, and so goes with the one it is linked to.
    assert_eq!(ask(&place, "w/2", &json!({ "link": "w/1" })), "ok");
    assert!(refused(&place, "w/1", &json!({ "crash": true })).contains("crashed while it handled the message"));
    comes_to(&place, "boss has heard three ends", || heard("boss").as_array().is_some_and(|heard| heard.len() == 3));
    let text = heard("boss").to_string();
    assert!(text.contains("noproc") && text.matches("crash: ").count() == 2, "{text}");
    comes_to(&place, "w/2 has gone with it", || state(&place, "w/2").is_none());
    assert_eq!(state(&place, "boss").as_deref(), Some("running"));
    assert_eq!(host.stop(Signal::TERM).code, 0);
}

#[test]
fn groups_and_attributes_find_their_actors() {
    let place = shop("[[actor]]\nname = \"w/1\"\nplugin = \"foreman\"\ngroups = [\"staff\"]\n");
    let host = place.host();
    assert_eq!(ask(&place, "boss", &json!({ "members": "staff" })), json!(["boss", "w/1"]));
    assert_eq!(ask(&place, "w/1", &json!({ "having": ["role", "boss"] })), json!(["boss"]));
    assert_eq!(ask(&place, "w/1", &json!({ "set": ["mood", "good"] })), "ok");
    assert_eq!(ask(&place, "boss", &json!({ "get": ["w/1", "mood"] })), "good");
    assert_eq!(ask(&place, "boss", &json!({ "dispatch": ["staff", "hello"] })), "ok");
    for who in ["boss", "w/1"] {
        comes_to(&place, "all have heard it", || {
            ask(&place, who, &json!({ "heard": null })).to_string().contains("hello")
        });
    }
    // A name keeps its groups over a restart, and loses them with its end.
    assert_eq!(place.baton(&["restart", "w/1"]).code, 0);
    assert_eq!(ask(&place, "boss", &json!({ "members": "staff" })), json!(["boss", "w/1"]));
    assert_eq!(place.baton(&["stop", "w/1"]).code, 0);
    assert_eq!(ask(&place, "boss", &json!({ "members": "staff" })), json!(["boss"]));
    assert_eq!(host.stop(Signal::TERM).code, 0);
}

#[test]
fn a_suspended_actor_shows_its_state_and_its_messages_wait() {
    let place = shop("");
    let host = place.host();
    ask(&place, "till", &json!({ "add": 7 }));
    assert_eq!(place.baton(&["suspend", "till"]).code, 0);
    assert_eq!(place.json(&["whereis", "till", "--json"])["child"]["phase"], "suspended");
    assert_eq!(place.baton(&["cast", "till", r#"{"add": 1}"#]).code, 0);
    let shown = place.json(&["state", "till", "--json"]);
    assert_eq!((&shown["schema"], &shown["generation"]), (&json!(1), &json!(1)), "{shown}");
    assert!(place.baton(&["state", "till"]).out.starts_with("schema 1, version "));
    assert_eq!(place.baton(&["resume", "till"]).code, 0);
    assert_eq!(ask(&place, "till", &json!("get")), 8);
    let told = place.baton(&["suspend", "nobody"]);
    assert!(told.code != 0 && told.err.contains("nobody"), "{told:?}");
    assert_eq!(host.stop(Signal::TERM).code, 0);
}

#[test]
fn a_child_that_is_cut_short_is_named_with_both_numbers() {
    let place = shop("shutdown = 60000\n");
    let host = place.host();
    let told = host.stop(Signal::TERM);
    assert!(told.err.contains("`boss`") && told.err.contains("60000 ms") && told.err.contains("30000 ms"), "{told:?}");
}

#[test]
fn a_supervisor_is_stopped_with_what_it_lost_below() {
    let place = shop("");
    let host = place.host();
    let told = place.baton(&["stop", "shop"]);
    assert_eq!((told.code, told.out.as_str()), (0, "stopped: shop, and all below it; nothing was lost\n"));
    assert_eq!(host.stop(Signal::TERM).code, 0);
    let wasm = WatGuest::new("never").on("terminate", "(loop $again (br $again)) (unreachable)").build();
    let place = Place::new(
        "instances = 50\n[[plugin]]\npath = \"never.wasm\"\n[[supervisor]]\nname = \"s\"\nshutdown = 200\n\
         [[actor]]\nname = \"a\"\nplugin = \"never\"\nsupervisor = \"s\"\n",
    );
    place.write("never.wasm", &wasm);
    let host = place.host();
    // Before it has a state there is nothing to lose.
    assert_eq!(place.baton(&["call", "a", "x"]).code, 0);
    let told = place.baton(&["stop", "s"]);
    assert_eq!(told.code, 3, "{told:?}");
    assert!(told.err.contains("not saved: s: its shutdown budget of 200 ms was spent"), "{told:?}");
    host.stop(Signal::TERM);
}

#[test]
fn the_last_exits_of_an_actor_are_shown() {
    let place = shop("");
    let host = place.host();
    let exits = || {
        let actors = place.json(&["ps", "--json"]);
        let boss = actors.as_array().unwrap().iter().find(|actor| actor["name"] == "boss").cloned().unwrap();
        boss["last_exits"].as_array().unwrap().clone()
    };
    assert_eq!(exits(), [Value::Null; 0]);
    refused(&place, "boss", &json!({ "crash": true }));
    comes_to(&place, "it is back", || ask(&place, "boss", &json!({ "heard": null })).is_array() && exits().len() == 1);
    ask(&place, "boss", &json!({ "stop": true }));
    comes_to(&place, "it has ended twice", || exits().len() == 2);
    let told: Vec<String> = exits().iter().map(|exit| format!("{} {}", exit["generation"], exit["exit"])).collect();
    assert!(told[0].starts_with("1 \"crash in `handle`") && told[1] == "2 \"normal\"", "{told:?}");
    assert_eq!(host.stop(Signal::TERM).code, 0);
}
