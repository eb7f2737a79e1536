//! Two hosts on one server: real processes, real signals.

use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::{Value, json};

use super::super::api::{CALL, READ, ask, url, write_tokens};
use super::super::cli::{Place, Running};
use super::super::nemesis::hosts::without_password;
use crate::harness::guest;
use crate::harness::servers::{PASSWORD, Server, ServerKind};

/// How long leases run here, in milliseconds.
const LEASE_TTL_MS: u64 = 3_000;

#[test]
fn hosts_on_postgres_take_over_from_each_other() {
    on(ServerKind::Postgres);
}

#[test]
fn hosts_on_mariadb_take_over_from_each_other() {
    on(ServerKind::Mariadb);
}

#[test]
fn hosts_on_mysql_take_over_from_each_other() {
    on(ServerKind::Mysql);
}

#[test]
fn hosts_on_redis_take_over_from_each_other() {
    on(ServerKind::Redis);
}

/// All of it on one server, which takes longer to start than this takes.
fn on(kind: ServerKind) {
    let Some(server) = Server::start(kind) else { return };
    one_that_stops_hands_over(&server.url("stops"));
    one_that_is_paused_for_longer_than_its_lease_writes_nothing(&server.url("paused"));
    a_server_that_is_away_freezes_its_hosts_and_they_go_on(&server);
}

fn place(url: &str, node: &str) -> Place {
    let place = Place::new(&format!(
        "instances = 50\n[store]\nurl = {:?}\npassword_file = \"password\"\n[api]\nlisten = \"127.0.0.1:0\"\ntokens = \"tokens.toml\"\n\
         insecure_loopback = true\n\
         [hosts]\nnode = \"{node}\"\nlease_ttl_ms = {LEASE_TTL_MS}\nlease_margin_ms = 1000\nlook_ms = 50\n\
         [[plugin]]\npath = {:?}\nname = \"counter\"\ndurability = \"turn\"\n\
         [[actor]]\nname = \"counter/1\"\nplugin = \"counter\"\n",
        without_password(url),
        guest("counter").display().to_string()
    ));
    place.write("password", PASSWORD.as_bytes());
    let tokens = [("reader", "read", READ), ("caller", "call", CALL)];
    let lines =
        tokens.map(|(name, role, token)| format!("[tokens.{name}]\nroles = [\"{role}\"]\ntoken = \"{token}\"\n"));
    write_tokens(&place, &lines.concat());
    place
}

/// Calls the counter: the status, and the answer.
fn call(host: &Running, body: &str) -> (u16, String) {
    let answer = ask(&url(host), "POST /v1/actors/counter%2F1/call", Some(CALL), body);
    (answer.status, answer.body)
}

fn ready(host: &Running) -> (u16, Value) {
    let answer = ask(&url(host), "GET /readyz", None, "");
    (answer.status, answer.json()["state"].clone())
}

/// Asks until it answers with 200: what.
fn count(host: &Running) -> u64 {
    until("it counts", || Some(call(host, r#""get""#)).filter(|(status, _)| *status == 200)).1.trim().parse().unwrap()
}

fn until<T>(what: &str, mut found: impl FnMut() -> Option<T>) -> T {
    let limit = Instant::now() + Duration::from_secs(60);
    loop {
        if let Some(found) = found() {
            return found;
        }
        assert!(Instant::now() < limit, "never came: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn one_that_stops_hands_over(store: &str) {
    let (a, b) = (place(store, "a"), place(store, "b"));
    let first = a.host();
    assert_eq!(
        until("it counts", || Some(call(&first, r#"{"add": 3}"#)).filter(|(status, _)| *status == 200)).1.trim(),
        "3"
    );
    let second = b.host();
    let elsewhere = until("it knows", || {
        let (status, body) = call(&second, r#""get""#);
        (status == 421).then(|| serde_json::from_str::<Value>(&body).unwrap())
    });
    assert_eq!((&elsewhere["code"], &elsewhere["node"]), (&json!("owned-elsewhere"), &json!("a")));
    assert_eq!(elsewhere["address"], json!(url(&first)));
    let told = b.baton(&["call", "counter/1", "get"]);
    assert!(told.code != 0 && told.err.contains(&format!("--url {}", url(&first))), "{told:?}");
    let listed = b.json(&["hosts", "--json"]);
    assert_eq!(
        (&listed["shared"], &listed["this"]["node"], &listed["this"]["lease"]),
        (&json!(true), &json!("b"), &json!("open"))
    );
    assert_eq!(listed["hosts"].as_array().unwrap().len(), 2, "{listed}");
    let table = b.baton(&["hosts"]);
    assert!(table.out.contains("this host") && table.out.contains(&url(&first)), "{table:?}");
    assert_eq!(b.json(&["ps", "--json"])[0]["phase"], json!("elsewhere"));
    assert_eq!(ready(&second), (200, json!("ready")));
    assert_eq!(first.stop(Signal::TERM).code, 0);
    assert_eq!(count(&second), 3);
    assert_eq!(b.json(&["hosts", "--json"])["hosts"].as_array().unwrap().len(), 1, "it has left");
    assert_eq!(second.stop(Signal::TERM).code, 0);
}

fn one_that_is_paused_for_longer_than_its_lease_writes_nothing(store: &str) {
    let (a, b) = (place(store, "a"), place(store, "b"));
    let first = a.host();
    until("it counts", || (call(&first, r#"{"add": 3}"#).0 == 200).then_some(()));
    let second = b.host();
    first.signal(Signal::STOP);
    // It waits where the paused one will find it.
    let to = url(&first);
    let late = std::thread::spawn(move || {
        let answer = ask(&to, "POST /v1/actors/counter%2F1/call", Some(CALL), r#"{"add": 100}"#);
        (answer.status, answer.body)
    });
    assert_eq!(
        until("it is taken over", || Some(call(&second, r#"{"add": 1}"#)).filter(|(status, _)| *status == 200))
            .1
            .trim(),
        "4"
    );
    first.signal(Signal::CONT);
    let (status, body) = late.join().unwrap();
    assert!(matches!(status, 421 | 503 | 504), "{status}: {body}");
    let elsewhere = until("it knows", || Some(call(&first, r#""get""#)).filter(|(status, _)| *status == 421));
    assert!(elsewhere.1.contains("\"node\":\"b\""), "{elsewhere:?}");
    assert_eq!(count(&second), 4, "nothing of the other one is there");
    let events = a.baton(&["events", "--no-follow", "--kinds", "lease-lost,elsewhere"]);
    assert!(events.out.contains("lease-lost") && events.out.contains("elsewhere"), "{events:?}");
    for host in [first, second] {
        assert_eq!(host.stop(Signal::TERM).code, 0);
    }
}

fn a_server_that_is_away_freezes_its_hosts_and_they_go_on(server: &Server) {
    let a = place(&server.url("away"), "a");
    let host = a.host();
    until("it counts", || (call(&host, r#"{"add": 3}"#).0 == 200).then_some(()));
    until("it is ready", || (ready(&host).0 == 200).then_some(()));
    server.pause();
    until("it is frozen", || (ready(&host) == (503, json!("frozen"))).then_some(()));
    std::thread::sleep(Duration::from_millis(LEASE_TTL_MS));
    server.resume();
    until("it is ready again", || (ready(&host).0 == 200).then_some(()));
    assert_eq!(count(&host), 3);
    until("it counts", || (call(&host, r#"{"add": 1}"#).0 == 200).then_some(()));
    let metrics = ask(&url(&host), "GET /metrics", Some(READ), "").body;
    assert!(metrics.contains("baton_host_frozen 0") && !metrics.contains("baton_host_freezes_total 0"), "{metrics}");
    assert_eq!(host.stop(Signal::TERM).code, 0);
}
