//! What the host logs is kept for those who ask: the last lines, by level and by actor, and what follows.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::process::Stdio;
use std::time::Duration;

use rustix::process::Signal;
use serde_json::{Value, json};

use super::cli::Place;
use super::cli_supervision::{asked, http};
use crate::harness::{WatGuest, host};

/// A host of a guest that logs what it is told, as a warning, and traps on `!`.
fn place() -> Place {
    let log = "(call $log (i32.const 3) (local.get $body) (local.get $body_len) (i32.const 0) (i32.const 0))";
    let guest = WatGuest::new("says").when('l', log).when('!', "unreachable");
    let place = Place::new(
        "instances = 50\n[[plugin]]\npath = \"says.wasm\"\n[[actor]]\nname = \"s/1\"\nplugin = \"says\"\n\
         [[actor]]\nname = \"s/2\"\nplugin = \"says\"\n",
    );
    place.write("says.wasm", &guest.build());
    place
}

fn tell(place: &Place, actor: &str, what: &str) {
    assert_eq!(place.baton(&["call", actor, what]).code, 0);
}

fn lines(place: &Place, args: &[&str]) -> Vec<Value> {
    let told = place.baton(&[&["logs", "--json"], args].concat());
    assert_eq!(told.code, 0, "{told:?}");
    told.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn the_last_lines_are_told_by_level_and_by_actor() {
    let place = place();
    let _host = place.host();
    for (actor, what) in [("s/1", "l one"), ("s/2", "l two"), ("s/1", "l three")] {
        tell(&place, actor, what);
    }
    assert_eq!(place.baton(&["call", "s/2", "!"]).code, 1);
    let said = |args: &[&str]| {
        let told = lines(&place, args);
        told.iter().map(|line| line["message"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(said(&["s/1", "--level", "warn"]), ["l one", "l three"]);
    assert_eq!(said(&["s/1", "--level", "warn", "--tail", "1"]), ["l three"]);
    assert!(said(&["--level", "error"]).iter().any(|line| line.starts_with("crash: ")), "{:?}", said(&[]));
    assert!(said(&["--level", "error", "s/1"]).is_empty());
    assert!(said(&[]).len() > said(&["--level", "warn"]).len() && said(&["--tail", "0"]).is_empty());
    let line = &lines(&place, &["s/2", "--level", "warn"])[0];
    assert_eq!(
        (&line["level"], &line["target"], &line["actor"]),
        (&json!("warn"), &json!("baton::guest"), &json!("s/2"))
    );
    assert!(line["time_ms"].as_u64().unwrap() > 1_600_000_000_000, "{line}");

    let shown = place.baton(&["logs", "s/1", "--level", "warn"]);
    assert!(shown.out.lines().all(|line| line.contains("  WARN   s/1")), "{shown:?}");
    assert!(shown.out.lines().next().unwrap().ends_with("  l one"), "{shown:?}");
    for (args, says) in
        [(&["logs", "--level", "loud"][..], "is no level"), (&["logs", "--tail", "9000"], "tail = 9000")]
    {
        let told = place.baton(args);
        assert!(told.code != 0 && told.err.contains(says), "{told:?}");
    }
}

#[test]
fn what_would_be_obeyed_by_a_terminal_is_harmless() {
    let place = place();
    let _host = place.host();
    tell(&place, "s/1", "l \u{1b}[2J\u{1b}]0;title\u{7} \u{202e}dlrow");
    let shown = place.baton(&["logs", "s/1"]);
    assert!(shown.out.contains("title") && !shown.out.contains(['\u{1b}', '\u{7}', '\u{202e}']), "{shown:?}");
}

#[test]
fn whoever_follows_hears_the_last_lines_and_those_that_come_until_the_host_ends() {
    let place = place();
    let running = place.host();
    tell(&place, "s/1", "l one");
    let mut stream = UnixStream::connect(place.data("baton.sock")).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    write!(stream, "GET /v1/logs?match=s/1&tail=1&level=warn&follow=true HTTP/1.0\r\nhost: baton\r\n\r\n").unwrap();
    let mut answer = BufReader::new(stream).lines().map_while(Result::ok);
    assert_eq!(answer.next().as_deref(), Some("HTTP/1.0 200 OK"));
    // Without chunks: a line of the answer is a line of the log.
    let head: Vec<String> = answer.by_ref().take_while(|line| !line.is_empty()).collect();
    assert!(head.contains(&"content-type: application/x-ndjson".to_owned()), "{head:?}");
    let mut told = answer.filter(|line| !line.is_empty()).map(|line| serde_json::from_str::<Value>(&line).unwrap());
    assert_eq!(told.next().unwrap()["message"], "l one");
    tell(&place, "s/1", "l two");
    assert_eq!(told.next().unwrap()["message"], "l two");

    let mut command = place.command(&["logs", "--follow", "--tail", "2", "--level", "warn", "--json"]);
    let mut follower = command.stdout(Stdio::piped()).spawn().unwrap();
    let mut heard = BufReader::new(follower.stdout.take().unwrap()).lines().map_while(Result::ok);
    assert!(heard.next().unwrap().contains("l one") && heard.next().unwrap().contains("l two"));
    let end = running.stop(Signal::TERM);
    assert!(end.code == 0 && !end.err.contains("cut off"), "nobody waits for those who follow: {end:?}");
    assert_eq!(told.count(), 0);
    assert!(follower.wait().unwrap().success());
}

#[test]
fn what_cannot_be_asked_for_is_told() {
    let place = place();
    let _host = place.host();
    for (query, says) in [
        ("?level=loud", "is no level"),
        ("?tail=8193", "tail = 8193 is not from 0 to 8192"),
        ("?match=a*b", "'*'"),
        ("?folow=true", "unknown field `folow`"),
    ] {
        let (status, problem) = http(&place, "GET", &format!("/v1/logs{query}"), "");
        let expected = if problem["code"] == "bad-name" { 422 } else { 400 };
        assert_eq!(status, expected, "{problem}");
        assert!(problem["detail"].as_str().unwrap().contains(says), "{query}: {problem}");
    }
}

#[test]
fn a_log_that_nobody_reads_keeps_nobody_waiting() {
    let place = place();
    let mut host = place.host_as(&["run", "--log", "trace"], &[]);
    let dropped = || {
        let (status, metrics) = asked(&place, "GET", "/metrics", "");
        assert_eq!(status, 200, "{metrics}");
        let line = metrics.lines().find_map(|line| line.strip_prefix("baton_log_lines_dropped_total "));
        line.unwrap_or_else(|| panic!("{metrics}")).parse::<u64>().unwrap()
    };
    // More than the pipe takes, and than waits for it.
    let line = "{\"actor\": \"s/1\", \"body\": \"x\"}\n";
    let file = place.write("lines", line.repeat(500).as_bytes());
    let answered = (0..100).any(|_| {
        let told = place.baton(&["call", "--batch", file.to_str().unwrap()]);
        assert_eq!(told.code, 0, "each call is answered: {told:?}");
        dropped() > 0
    });
    assert!(answered, "the log was never more than could wait");
    // Whoever asks gets them all the same, and whoever reads again is told that some are missing.
    tell(&place, "s/1", "l and the last");
    assert_eq!(lines(&place, &["s/1", "--level", "warn", "--tail", "1"])[0]["message"], "l and the last");
    host.logs("lines of the log were dropped, as they were not read in time");
    assert_eq!(host.stop(Signal::TERM).code, 0);
}

#[test]
fn a_host_whose_log_nobody_reads_ends_in_good_order() {
    let place = place();
    let host = place.host_as(&["run", "--log", "trace"], &[]);
    let file = place.write("lines", "{\"actor\": \"s/1\", \"body\": \"x\"}\n".repeat(500).as_bytes());
    assert_eq!(place.baton(&["call", "--batch", file.to_str().unwrap()]).code, 0);
    assert_eq!(host.stop_unread(Signal::TERM), 0);
}

#[tokio::test]
async fn a_host_that_was_given_no_log_has_none() {
    let host = host().build().await.unwrap();
    assert!(host.logs().is_none());
    host.shutdown(None).await;
}
