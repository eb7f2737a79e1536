//! The command with a configuration that names a server.

use std::fs;

use rustix::process::Signal;
use serde_json::json;

use super::*;
use crate::cli::Place;
use crate::harness::servers::PASSWORD;

on_each! {
    a_host_keeps_its_state_on_a_server_and_the_command_finds_it_there
}

/// The URL without its password, as a configuration has it.
fn without_password(url: &str) -> String {
    url.replace(&format!(":{PASSWORD}@"), "@").replace("redis://@", "redis://")
}

async fn a_host_keeps_its_state_on_a_server_and_the_command_finds_it_there(kind: ServerKind) {
    let Some(server) = Server::start(kind) else { return };
    tokio::task::spawn_blocking(move || lives_on(&server)).await.expect("runs");
}

fn lives_on(server: &Server) {
    let place = Place::counter();
    let toml = place.data("").parent().expect("its folder").join("baton.toml");
    let config = fs::read_to_string(toml).expect("reads");
    let url = without_password(&server.url("fleet"));
    place.write("password", format!("{PASSWORD}\n").as_bytes());
    let more = format!("\n[store]\nurl = {}\npassword_file = \"password\"\n", json!(url));
    place.write("baton.toml", format!("{config}{more}").as_bytes());
    let good = |words: &[&str]| {
        let told = place.baton(words);
        assert_eq!(told.code, 0, "{words:?}: {told:?}");
        assert!(!format!("{told:?}").contains(PASSWORD), "{told:?}");
        told.out
    };
    good(&["config", "check"]);
    good(&["config", "show", "--resolved"]);
    let host = place.host();
    good(&["call", "counter/1", "{\"add\": 5}"]);
    assert!(good(&["store", "ls"]).contains("counter/1"), "through the host");
    let again = place.baton(&["run"]);
    assert!(again.code != 0 && again.err.contains("is in use"), "its data directory is one host's: {again:?}");
    assert_eq!(host.stop(Signal::TERM).code, 0);

    assert!(good(&["store", "ls"]).contains("counter/1"), "without a host");
    assert!(good(&["store", "history", "counter/1"]).contains("counter 1.0.0"));
    good(&["store", "verify"]);
    good(&["store", "stats"]);
    good(&["store", "export", "all.baton"]);
    assert!(good(&["store", "ls", "--store", &server.url("fleet")]).contains("counter/1"), "by its URL");
    assert!(!good(&["store", "ls", "--store", &server.url("other")]).contains("counter/1"));
    good(&["store", "migrate", &server.url("fleet"), "redb:copy"]);
    good(&["store", "migrate", "redb:copy", &server.url("back")]);
    assert!(good(&["store", "ls", "--store", &server.url("back")]).contains("counter/1"));
    let doctor = good(&["doctor"]);
    assert!(doctor.contains("survives the loss of power"), "{doctor}");

    let host = place.host();
    assert_eq!(good(&["call", "counter/1", "get"]).trim(), "5", "it took its state over");
    drop(host);
    let wrong = place.baton(&["store", "ls", "--store", &server.url("fleet").replace(PASSWORD, "wr0ng-pa55word")]);
    assert!(wrong.code != 0 && !format!("{wrong:?}").contains("wr0ng-pa55word"), "{wrong:?}");
    let bad = place.baton(&["store", "ls", "--store", "postgres://u:s3cret@h:port/x"]);
    assert!(bad.code == 2 && bad.err.contains("invalid port") && !bad.err.contains("s3cret"), "{bad:?}");
    let bad = place.baton(&["store", "migrate", "postgres://u:s3cret@h:port/x", "redb:x"]);
    assert!(bad.code == 2 && bad.err.contains("FROM: ") && !bad.err.contains("s3cret"), "{bad:?}");
}
