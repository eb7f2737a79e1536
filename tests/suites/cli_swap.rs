//! What an operator types to swap a plugin: real processes, real plugins, real files.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::process::{Child, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use super::cli::{Place, Told};
use super::journal::journal;
use crate::harness::guest;

const ADD: &str = r#"{"add":{"item":"tea","quantity":2}}"#;

/// Carts of version 1, made when they are first called.
fn carts() -> Place {
    Place::new(&format!(
        "instances = 50\n[[plugin]]\npath = {:?}\nname = \"cart\"\n[[actors]]\npattern = \"cart/*\"\nplugin = \"cart\"\n",
        version("1.0.0")
    ))
}

fn version(version: &str) -> String {
    guest(&format!("cart-{version}")).display().to_string()
}

/// One journal, and a file of a newer version of it that does this in `continue`.
fn journals(body: &str) -> Place {
    let place = Place::new(
        "instances = 50\n[[plugin]]\npath = \"journal.wasm\"\n[[actor]]\nname = \"j/1\"\nplugin = \"journal\"\n",
    );
    place.write("journal.wasm", &journal().build());
    place.write("newer.wasm", &journal().version("2.0.0").on("continue", body).build());
    place
}

fn exits(place: &Place, args: &[&str], code: i32) -> Told {
    let told = place.baton(args);
    assert_eq!(told.code, code, "{args:?}: {told:?}");
    told
}

fn has(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "{part:?} in:\n{text}");
    }
}

/// Versions and generations of the actors.
fn running(place: &Place) -> Vec<(String, u64)> {
    let actors = place.json(&["ps", "--json"]);
    let one = |actor: &Value| (actor["version"].as_str().unwrap().to_owned(), actor["generation"].as_u64().unwrap());
    actors.as_array().unwrap().iter().map(one).collect()
}

#[test]
fn a_plan_says_what_would_happen_and_touches_nothing() {
    let place = carts();
    let _host = place.host();
    exits(&place, &["call", "cart/1", ADD], 0);
    let (before, plugins) = (running(&place), place.json(&["plugins", "--json"]));
    let newer = version("2.1.0");
    for how in [&["--check"][..], &["--rehearse"], &[], &["--no-rehearsal"]] {
        let told = exits(&place, &[&["swap", "cart", &newer][..], how].concat(), 0);
        has(
            &told.out,
            &["from       1.0.0 (", "to         2.1.0 (", "actors     1 run\n", "states     1 of schema 1\n"],
        );
        has(&told.out, &["misfits    none", "only with --allow-loss", "nothing was changed"]);
        let rehearsed = told.out.contains("rehearsal  1 states taken over");
        assert_eq!(rehearsed, how.is_empty() || how == ["--rehearse"], "{how:?}: {}", told.out);
        assert_eq!(told.out.contains("--yes does it"), !how.contains(&"--check") && !how.contains(&"--rehearse"));
    }
    let plan = place.json(&["swap", "cart", &newer, "--part", "nobody", "--json"]);
    assert_eq!((&plan["actors"]["left_out"], &plan["actors"]["running"]), (&json!(1), &json!(0)), "{plan}");
    assert_eq!((&plan["to"]["version"], &plan["way_back"]), (&json!("2.1.0"), &json!("loses")));
    assert_eq!(running(&place), before);
    assert_eq!(place.json(&["plugins", "--json"]), plugins);
    assert_eq!(exits(&place, &["swap", "--status"], 0).out, "nothing was swapped since the host started\n");
    has(&exits(&place, &["swap", "--status", "cart"], 1).err, &["[no-swap]"]);
}

#[test]
fn a_file_is_named_in_what_is_said_of_it_and_taken_for_no_plugin() {
    let place = carts();
    let newer = version("2.1.0");
    // Needs no host.
    let told = exits(&place, &["swap", &newer, "cart"], 2);
    has(
        &told.err,
        &["is a file, and stands where the plugin's name is expected", &format!("`baton swap cart {newer}`")],
    );
    has(&exits(&place, &["swap", "gone.wasm", "cart"], 2).err, &["`baton swap cart gone.wasm`"]);
    let usage = exits(&place, &["swap", "--help"], 0).out;
    has(&usage, &["Usage: baton swap [OPTIONS] <PLUGIN> <FILE>\n"]);
    place.write("notes.txt", b"no plugin");
    let _host = place.host();
    let told = exits(&place, &["swap", "cart", "notes.txt"], 1);
    has(&told.err, &["plugin notes.txt: it is not WebAssembly", "hint: name the .wasm file"]);
}

#[test]
fn a_cart_goes_from_version_to_version_and_back_with_what_is_in_it() {
    let place = carts();
    let _host = place.host();
    exits(&place, &["call", "cart/1", ADD], 0);
    for to in ["2.1.0", "3.0.0"] {
        let told = exits(&place, &["swap", "cart", &version(to), "--yes", "--watch", "0s"], 0);
        has(&told.out, &["outcome    done\n", "actors     1 switched\n", "pauses     "]);
        assert_eq!(running(&place)[0].0, to);
        has(&exits(&place, &["call", "cart/1", r#""show""#], 0).out, &["tea"]);
    }
    let plugins = exits(&place, &["plugins"], 0).out;
    assert_eq!(plugins.lines().count(), 2, "the versions that nobody runs are unloaded: {plugins}");
    has(&plugins, &["cart    3.0.0 ", " yes "]);

    has(&exits(&place, &["swap", "--back", "cart"], 0).out, &["loss       nothing is lost", "--yes does it"]);
    let told = place.json(&["swap", "--back", "cart", "--yes", "--watch", "0s", "--json"]);
    assert_eq!((&told["to"]["version"], &told["report"]["outcome"]), (&json!("2.1.0"), &json!("done")), "{told}");
    has(told["by"].as_str().unwrap(), &["uid ", "process "]);
    assert_eq!(place.json(&["swap", "--status", "cart", "--json"]), told);
    assert_eq!(running(&place)[0].0, "2.1.0");
    has(&exits(&place, &["call", "cart/1", r#""show""#], 0).out, &["tea"]);
    has(&exits(&place, &["swap", "--status"], 0).out, &["3.0.0 (", "2.1.0 (", "done", "1 of 1"]);
}

#[test]
fn what_the_way_back_would_lose_is_named_before_it_is_lost() {
    let place = carts();
    let _host = place.host();
    exits(&place, &["call", "cart/1", ADD], 0);
    exits(&place, &["swap", "cart", &version("2.1.0"), "--yes", "--watch", "0s"], 0);
    exits(&place, &["call", "cart/1", r#"{"add":{"item":"salt"}}"#], 0);
    let plan = exits(&place, &["swap", "--back", "cart"], 0).out;
    has(
        &plan,
        &["misfits    cart/1: its state has schema 2", "loss       1 states are not read by 1.0.0", "--allow-loss"],
    );
    let told = exits(&place, &["swap", "--back", "cart", "--yes"], 6);
    has(&told.out, &["outcome    half-way", "would lose what it has done since", "--yes` to 1.0.0"]);
    has(&exits(&place, &["call", "cart/1", r#""show""#], 0).out, &["tea", "salt"]);
    let told = place.json(&["swap", "--back", "cart", "--yes", "--watch", "0s", "--allow-loss", "--json"]);
    assert_eq!((&told["report"]["outcome"], &told["report"]["lost"]["count"]), (&json!("done"), &json!(1)), "{told}");
    let left = exits(&place, &["call", "cart/1", r#""show""#], 0).out;
    assert!(left.contains("tea") && !left.contains("salt"), "{left}");
}

#[test]
fn the_exit_code_says_what_came_of_it() {
    let place = journals("(call $refuse (i32.const 0))");
    let _host = place.host();
    exits(&place, &["call", "j/1", "a"], 0);
    let swap = |more: &[&str], code| exits(&place, &[&["swap", "journal", "newer.wasm"][..], more].concat(), code);
    has(
        &swap(&[], 1).err,
        &["the swap would be refused: 0 states do not fit, and 1 failed in the rehearsal", "hint: "],
    );
    has(&swap(&["--yes"], 1).out, &["outcome    refused: ", "nothing was touched"]);
    has(&swap(&["--yes", "--no-rehearsal"], 5).out, &["outcome    went back: ", "failures   j/1: "]);
    has(&swap(&["--yes", "--no-rehearsal", "--on-failure", "stop"], 6).out, &["outcome    half-way: "]);
    exits(&place, &["swap", "--back", "journal", "--yes", "--watch", "0s"], 0);
    has(
        &swap(&["--yes", "--on-failure", "skip", "--watch", "0s"], 0).out,
        &["outcome    done", "1 could not be switched"],
    );
    assert_eq!(running(&place)[0].0, "1.0.0");
    assert_eq!(exits(&place, &["call", "j/1", "b"], 0).out.trim_end(), "ab", "nothing has happened to it");

    has(&exits(&place, &["swap", "journal", "absent.wasm"], 1).err, &["absent.wasm"]);
    has(&exits(&place, &["swap", "journal", "baton.toml"], 1).err, &["[plugin]", "not WebAssembly"]);
    has(&exits(&place, &["swap", "jornal", "newer.wasm"], 1).err, &["[unknown-plugin]"]);
    has(&exits(&place, &["swap", "--stop", "journal"], 1).err, &["no swap of `journal` runs"]);
    exits(&place, &["swap", "journal", "newer.wasm", "--batch", "0%"], 2);
    assert_eq!(exits(&carts(), &["swap", "cart", &version("2.1.0")], 4).out, "");
}

/// A command that follows a swap, once it has said so.
fn following(place: &Place, args: &[&str], words: &str) -> (Child, BufReader<std::process::ChildStderr>) {
    let mut child = place.command(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut err = BufReader::new(child.stderr.take().unwrap());
    let mut said = String::new();
    while !said.contains(words) {
        assert!(err.read_line(&mut said).unwrap() > 0, "it ended without {words:?}: {said}");
    }
    (child, err)
}

fn end(child: Child) -> (Option<i32>, String) {
    let output = child.wait_with_output().unwrap();
    (output.status.code(), String::from_utf8(output.stdout).unwrap())
}

#[test]
fn a_second_swap_is_told_who_runs_one_and_an_interrupt_leaves_it_alone() {
    let place = carts();
    let _host = place.host();
    exits(&place, &["call", "cart/1", ADD], 0);
    let newer = version("2.1.0");
    let (first, mut err) = following(&place, &["swap", "cart", &newer, "--yes", "--watch", "24h"], "watching: 1 of 1");
    let refused = exits(&place, &["swap", "cart", &version("3.0.0"), "--yes"], 1).err;
    has(&refused, &["from 1.0.0", "runs already, begun by ", &format!("process {})", first.id()), "[swap]"]);

    kill_process(Pid::from_child(&first), Signal::INT).unwrap();
    let mut note = String::new();
    err.read_to_string(&mut note).unwrap();
    has(
        &note,
        &["the swap of cart goes on", "baton swap --follow cart", "baton swap --stop cart", "baton swap --back cart"],
    );
    assert_eq!(end(first).0, Some(130));
    let status = place.json(&["swap", "--status", "cart", "--json"]);
    assert_eq!((&status["phase"], &status["report"]), (&json!("watching"), &Value::Null));
    has(&exits(&place, &["swap", "--back", "cart"], 0).out, &["watching: 1 of 1", "--yes turns it round"]);

    let (follower, _err) = following(&place, &["swap", "--follow", "cart"], "watching: 1 of 1");
    has(&exits(&place, &["swap", "--stop", "cart"], 0).out, &["outcome    half-way: it was told to stop"]);
    assert_eq!(end(follower).0, Some(6));
    has(&exits(&place, &["swap", "cart", &version("3.0.0"), "--yes"], 1).err, &["was left half-way", "hint: "]);
    exits(&place, &["swap", "cart", &newer, "--yes", "--watch", "0s"], 0);
}

#[test]
fn a_swap_that_runs_is_turned_round() {
    let place = carts();
    let _host = place.host();
    exits(&place, &["call", "cart/1", ADD], 0);
    exits(&place, &["swap", "cart", &version("2.1.0"), "--yes", "--watch", "0s"], 0);
    let args = ["swap", "cart", &version("3.0.0"), "--yes", "--watch", "24h"];
    let (first, _err) = following(&place, &args, "watching: 1 of 1");
    has(&exits(&place, &["swap", "--back", "cart", "--yes"], 0).out, &["outcome    went back: it was told to go back"]);
    assert_eq!(end(first).0, Some(5));
    assert_eq!(running(&place)[0].0, "2.1.0");
}

#[test]
fn a_canary_is_some_of_the_actors_and_a_pinned_actor_is_none_of_them() {
    let place = Place::new(&format!(
        "instances = 50\n[[plugin]]\npath = {:?}\n[[plugin]]\npath = {:?}\n\
         [[actors]]\npattern = \"cart/*\"\nplugin = \"cart\"\n\
         [[actor]]\nname = \"old\"\nplugin = \"cart\"\nversion = \"1.0.0\"\n",
        version("1.0.0"),
        version("2.1.0")
    ));
    let host = place.host();
    for name in ["old", "cart/1", "cart/2"] {
        exits(&place, &["call", name, ADD], 0);
    }
    let versions = || {
        let actors = place.json(&["ps", "--json"]);
        let one =
            |actor: &Value| (actor["name"].as_str().unwrap().to_owned(), actor["version"].as_str().unwrap().to_owned());
        actors.as_array().unwrap().iter().map(one).collect::<Vec<_>>()
    };
    let expected = |first: &str, second: &str| {
        [("cart/1", first), ("cart/2", second), ("old", "1.0.0")].map(|(a, b)| (a.to_owned(), b.to_owned())).to_vec()
    };
    assert_eq!(versions(), expected("2.1.0", "2.1.0"));
    let newer = version("3.0.0");
    let plan = exits(&place, &["swap", "cart", &newer, "--part", "cart/2,other"], 0).out;
    has(&plan, &["part       cart/2, other", "1 are pinned and stay", "1 are not of the part and stay"]);
    exits(&place, &["swap", "cart", &newer, "--part", "cart/2,other", "--yes", "--watch", "0s"], 0);
    assert_eq!(versions(), expected("2.1.0", "3.0.0"));
    let plugins = place.json(&["plugins", "--json"]);
    let of = |version: &str| plugins.as_array().unwrap().iter().find(|one| one["version"] == version).unwrap();
    assert_eq!((&of("3.0.0")["part"], &of("3.0.0")["running"]), (&json!("cart/2, other"), &json!(1)), "{plugins}");
    assert_eq!((&of("2.1.0")["current"], &of("2.1.0")["running"]), (&json!(true), &json!(1)), "{plugins}");

    // What a swap has led to stands over the host's end.
    drop(host.stop(Signal::TERM));
    let _host = place.host();
    exits(&place, &["call", "cart/1", ADD], 0);
    exits(&place, &["call", "cart/2", ADD], 0);
    assert_eq!(versions(), expected("2.1.0", "3.0.0"));
    exits(&place, &["swap", "cart", &newer, "--yes", "--watch", "0s"], 0);
    assert_eq!(versions(), expected("3.0.0", "3.0.0"));
}

#[test]
fn a_version_that_is_not_listed_cannot_be_pinned_to() {
    let place = Place::new(&format!(
        "[[plugin]]\npath = {:?}\n[[actor]]\nname = \"old\"\nplugin = \"cart\"\nversion = \"0.9.0\"\n",
        version("1.0.0")
    ));
    has(&exits(&place, &["run"], 1).err, &["`old` is to run cart 0.9.0, and loaded are: 1.0.0", "another [[plugin]]"]);
}

/// A request past the command; its status and its answer.
fn http(place: &Place, head: &str) -> (u16, Value) {
    let mut stream = UnixStream::connect(place.data("baton.sock")).unwrap();
    write!(stream, "{head}\r\nhost: baton\r\nconnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.split(' ').nth(1).unwrap().parse().unwrap(), serde_json::from_str(body).unwrap_or(Value::Null))
}

#[test]
fn a_request_that_is_wrong_is_told_what_is() {
    let place = carts();
    let _host = place.host();
    for (head, status, code, detail) in [
        ("POST /v1/plugins/cart/swap?speed=11 HTTP/1.1", 400, "bad-request", "unknown field `speed`"),
        ("POST /v1/plugins/cart/swap?at_once=99 HTTP/1.1", 422, "unfit", "at_once = 99 is not from 1 to 48"),
        ("POST /v1/plugins/cart/swap HTTP/1.1", 400, "bad-request", "the body is empty"),
        ("POST /v1/plugins/c%00/swap HTTP/1.1", 422, "bad-name", ""),
        ("POST /v1/plugins/cart/swap/back HTTP/1.1", 409, "swap", "there is no way back"),
        ("POST /v1/plugins/cart/swap/stop HTTP/1.1", 409, "swap", "no swap of `cart` runs"),
        (
            "GET /v1/plugins/cart/swap?wait_ms=60001 HTTP/1.1",
            400,
            "bad-request",
            "wait_ms = 60001 is not from 0 to 60000",
        ),
        ("GET /v1/plugins/crt/swap HTTP/1.1", 404, "unknown-plugin", "`crt`"),
    ] {
        let (found, document) = http(&place, head);
        assert_eq!((found, document["code"].as_str()), (status, Some(code)), "{head}: {document}");
        has(document["detail"].as_str().unwrap(), &[detail]);
    }
    assert_eq!(http(&place, "GET /v1/swaps HTTP/1.1"), (200, json!({ "swaps": [] })));
    let large = "POST /v1/plugins/cart/swap HTTP/1.1\r\ncontent-length: 268435457";
    let (status, document) = http(&place, large);
    assert_eq!((status, &document["code"]), (413, &json!("too-large")), "{document}");
    has(document["detail"].as_str().unwrap(), &["at most 268435456 bytes"]);
}
