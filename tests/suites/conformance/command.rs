//! `baton test` as it is typed: exit codes, JSON, JUnit, what it saves.

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

use super::{folder, put, sound};
use crate::harness::{WatGuest, baton_bin};

fn baton(dir: &Path, args: &[&str]) -> Output {
    Command::new(baton_bin()).arg("test").args(args).current_dir(dir).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// A plugin's folder with the fixtures beside the file.
fn project(guest: &WatGuest) -> tempfile::TempDir {
    let (dir, fixtures) = (tempfile::tempdir().unwrap(), folder());
    for file in ["messages/one", "messages/two", "states/1-seven.bin"] {
        put(dir.path(), &format!("fixtures/{file}"), &std::fs::read(fixtures.path().join(file)).unwrap());
    }
    put(dir.path(), "sound.wasm", &guest.build());
    dir
}

/// One that keeps its count outside its state.
fn forgetful() -> WatGuest {
    sound().with("(global $other (mut i32) (i32.const 0))").on(
        "handle",
        "(global.set $other (i32.add (global.get $other) (i32.const 1)))
         (i32.store (i32.const 3000) (global.get $other)) (call $bytes (i32.const 3000) (i32.const 4))",
    )
}

#[test]
fn exit_codes_say_what_came_of_it() {
    let kept = project(&sound());
    let done = baton(kept.path(), &["sound.wasm", "--rounds", "5", "--seed", "1"]);
    assert_eq!(done.status.code(), Some(0), "{done:?}");
    assert!(text(&done.stdout).contains("9 kept, 0 broken, 1 not tried"), "{}", text(&done.stdout));
    let broken = project(&forgetful());
    let done = baton(broken.path(), &["sound.wasm", "--rounds", "5", "--seed", "1"]);
    assert_eq!(done.status.code(), Some(1), "{done:?}");
    assert!(text(&done.stdout).contains("with seed 1"), "{}", text(&done.stdout));
    let cases: [&[&str]; 6] = [
        &["none.wasm"],
        &["sound.wasm", "--only", "happiness"],
        &["sound.wasm", "--fixtures", "nowhere"],
        &["sound.wasm", "--rounds", "0"],
        &["--frobnicate"],
        // Without a plugin.toml nobody knows which file is meant.
        &[],
    ];
    for args in cases {
        let done = baton(kept.path(), args);
        assert_eq!(done.status.code(), Some(2), "{args:?}: {done:?}");
        assert!(!done.stderr.is_empty(), "{args:?}");
    }
}

#[test]
fn in_a_plugins_folder_the_file_is_found() {
    let dir = project(&sound());
    put(dir.path(), "plugin.toml", b"language = \"c\"\n");
    assert_eq!(baton(dir.path(), &["--only", "fresh"]).status.code(), Some(0));
    assert_eq!(baton(Path::new("/"), &[dir.path().to_str().unwrap(), "--only", "fresh"]).status.code(), Some(0));
    put(dir.path(), "sound.raw.wasm", b"what the build left");
    assert_eq!(baton(dir.path(), &["--only", "fresh"]).status.code(), Some(0));
    put(dir.path(), "other.wasm", b"");
    let done = baton(dir.path(), &[]);
    assert_eq!(done.status.code(), Some(2));
    assert!(text(&done.stderr).contains("other.wasm, sound.wasm"), "{}", text(&done.stderr));
}

#[test]
fn the_promises_are_listed_and_one_can_be_picked() {
    let dir = project(&sound());
    let listed = text(&baton(dir.path(), &["--list"]).stdout);
    assert_eq!(listed.lines().count(), 10);
    for line in listed.lines() {
        let id = line.split(' ').next().unwrap();
        let done = baton(dir.path(), &["sound.wasm", "--rounds", "2", "--only", id, "--json"]);
        let report: Value = serde_json::from_slice(&done.stdout).unwrap();
        assert_eq!(report["outcomes"].as_array().unwrap().len(), 1, "{report}");
        assert_eq!(report["outcomes"][0]["promise"], id, "{report}");
    }
}

#[test]
fn what_failed_is_saved_as_a_script_that_fails_alike() {
    let dir = project(&forgetful());
    let saved = dir.path().join("fixtures/scripts/found.json");
    std::fs::create_dir_all(saved.parent().unwrap()).unwrap();
    let path = saved.to_str().unwrap();
    let done = baton(dir.path(), &["sound.wasm", "--only", "handover", "--save-failure", path]);
    assert_eq!(done.status.code(), Some(1), "{done:?}");
    let script: Value = serde_json::from_slice(&std::fs::read(&saved).unwrap()).unwrap();
    assert_eq!(script[1]["handoff"], true, "{script}");
    let again = baton(dir.path(), &["sound.wasm", "--only", "scripts"]);
    assert_eq!(again.status.code(), Some(1), "{again:?}");
    assert!(text(&again.stdout).contains("scripts/found.json, step 3"), "{}", text(&again.stdout));
    // Mended, it comes out as written.
    put(dir.path(), "sound.wasm", &sound().build());
    assert_eq!(baton(dir.path(), &["sound.wasm", "--only", "scripts"]).status.code(), Some(0));
    // What was collected is not written over.
    put(dir.path(), "sound.wasm", &forgetful().build());
    let done = baton(dir.path(), &["sound.wasm", "--only", "handover", "--save-failure", path]);
    assert_eq!(done.status.code(), Some(2), "{done:?}");
}

#[test]
fn a_state_to_keep_is_written() {
    let dir = project(&sound());
    let done = baton(dir.path(), &["sound.wasm", "--save-state", "fixtures/states/1-two.bin"]);
    assert_eq!(done.status.code(), Some(0), "{done:?}");
    assert_eq!(std::fs::read(dir.path().join("fixtures/states/1-two.bin")).unwrap(), [2, 0, 0, 0]);
}

#[test]
fn junit_is_written_and_is_xml() {
    let dir = project(&sound().when('t', "unreachable"));
    put(dir.path(), "fixtures/messages/two", b"two </failure> & \"quotes\"");
    let done = baton(dir.path(), &["sound.wasm", "--rounds", "5", "--junit", "report.xml"]);
    assert_eq!(done.status.code(), Some(1), "{done:?}");
    let xml = std::fs::read_to_string(dir.path().join("report.xml")).unwrap();
    let tags = tags(&xml);
    let count = |name: &str| tags.iter().filter(|tag| *tag == name).count();
    assert_eq!((count("testsuites"), count("testsuite"), count("testcase")), (1, 1, 10), "{xml}");
    assert!(count("failure") >= 1 && xml.contains("name=\"handover\""), "{xml}");
    let told = format!("failures=\"{}\"", count("failure"));
    assert_eq!(xml.matches(&told).count(), 2, "{xml}");
}

/// The names of the elements of a document that is well-formed; anything else is a panic.
fn tags(xml: &str) -> Vec<String> {
    let body = xml.strip_prefix("<?xml version=\"1.0\" encoding=\"UTF-8\"?>").expect("the declaration");
    let (mut rest, mut open, mut found) = (body, Vec::new(), Vec::new());
    while let Some(from) = rest.find('<') {
        text_is_escaped(&rest[..from]);
        let to = from + rest[from..].find('>').expect("a tag ends");
        let tag = &rest[from + 1..to];
        rest = &rest[to + 1..];
        if let Some(name) = tag.strip_prefix('/') {
            assert_eq!(open.pop(), Some(name.to_owned()), "{tag}");
            continue;
        }
        let (inner, is_empty) = tag.strip_suffix('/').map_or((tag, false), |inner| (inner, true));
        let name = inner.split(' ').next().unwrap().to_owned();
        attributes(inner[name.len()..].trim());
        found.push(name.clone());
        if !is_empty {
            open.push(name);
        }
    }
    assert!(open.is_empty() && rest.trim().is_empty(), "{open:?} {rest:?}");
    found
}

fn attributes(mut rest: &str) {
    while !rest.is_empty() {
        let (name, after) = rest.split_once("=\"").expect("name=\"value\"");
        assert!(name.bytes().all(|byte| byte.is_ascii_alphabetic()), "{name}");
        let (value, after) = after.split_once('"').expect("a value ends");
        text_is_escaped(value);
        rest = after.trim_start();
    }
}

fn text_is_escaped(text: &str) {
    assert!(!text.contains('<') && text.chars().all(|c| !c.is_control() || c == '\n'), "{text:?}");
    for part in text.split('&').skip(1) {
        let entity = part.split_once(';').expect("an entity ends").0;
        assert!(["amp", "lt", "gt", "quot", "apos", "#10", "#9"].contains(&entity), "{entity}");
    }
}
