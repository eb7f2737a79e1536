//! `baton doctor`: what is wrong is found before a host is started, and nothing is touched.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use rustix::process::Signal;
use serde_json::Value;

use crate::cli::Place;

/// All files of a folder with what they hold.
fn content(dir: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut waiting = vec![dir.to_owned()];
    while let Some(dir) = waiting.pop() {
        for entry in fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true => waiting.push(path),
                false => drop(found.insert(path.clone(), fs::read(path).unwrap())),
            }
        }
    }
    found
}

/// The exit code, and the findings.
fn doctor(place: &Place) -> (i32, Vec<Value>) {
    let told = place.baton(&["doctor", "--json"]);
    let found: Vec<Value> = serde_json::from_str(&told.out).unwrap_or_else(|_| panic!("{told:?}"));
    (told.code, found)
}

fn state<'f>(found: &'f [Value], words: &str) -> &'f str {
    let finding = found.iter().find(|finding| finding["found"].as_str().unwrap().contains(words));
    finding.unwrap_or_else(|| panic!("{words} is not in {found:#?}"))["state"].as_str().unwrap()
}

#[test]
fn what_is_good_is_good_with_and_without_a_host_and_nothing_is_written() {
    let place = Place::counter();
    let (code, found) = doctor(&place);
    assert_eq!(code, 0, "{found:#?}");
    assert_eq!(state(&found, "counter 1.0.0, writes schema 1, reads 1 to 1"), "good");
    assert_eq!(state(&found, "the first start makes it"), "good");
    assert!(!place.data("").exists());

    let host = place.host();
    assert_eq!(place.baton(&["call", "counter/1", r#"{"add":2}"#]).out, "2\n");
    let (code, found) = doctor(&place);
    assert_eq!(code, 0, "{found:#?}");
    assert_eq!(state(&found, "all of it whole, through the host"), "good");
    assert_eq!(state(&found, "ready, version "), "good");

    assert_eq!(host.stop(Signal::TERM).code, 0);
    let before = content(&place.data(""));
    let (code, found) = doctor(&place);
    assert_eq!(code, 0, "{found:#?}");
    assert_eq!(state(&found, "1 actors, "), "good");
    assert_eq!(state(&found, "all of it whole, in a copy"), "good");
    assert_eq!(content(&place.data("")), before);
}

#[test]
fn what_is_wrong_is_named_with_what_to_do() {
    let place = Place::counter();
    let host = place.host();
    assert_eq!(place.baton(&["call", "counter/1", r#"{"add":2}"#]).out, "2\n");
    assert_eq!(host.stop(Signal::TERM).code, 0);
    place.write("broken.wasm", b"no plugin");
    place.write(
        "baton.toml",
        b"instances = 1_000_000\n[[plugin]]\npath = \"broken.wasm\"\n[store]\nbackend = \"redb\"\n",
    );
    let before = content(&place.data(""));
    let (code, found) = doctor(&place);
    assert_eq!(code, 1);
    assert_eq!(state(&found, "it holds the store of sled, and the configuration asks for redb"), "wrong");
    assert_eq!(state(&found, "1000000 instances may need"), "note");
    let plugin = found.iter().find(|finding| finding["looked_at"].as_str().unwrap().ends_with("broken.wasm")).unwrap();
    assert_eq!(plugin["state"], "wrong");
    assert_eq!(content(&place.data("")), before);

    // A state that no plugin of the configuration reads, and a store with a hole in it.
    place.write("baton.toml", b"");
    let (code, found) = doctor(&place);
    assert_eq!(code, 0, "{found:#?}");
    assert_eq!(
        state(&found, "no plugin of the configuration reads the states of 1 actors: counter/1 (counter, schema 1)"),
        "note"
    );
    let witness = place.data("store.witness");
    fs::write(&witness, b"torn").unwrap();
    let told = place.baton(&["doctor"]);
    assert_eq!(told.code, 1, "{told:?}");
    assert!(told.out.lines().any(|line| line.starts_with("WRONG  store: it does not open")), "{told:?}");
    assert!(told.out.contains("\n       -> "), "{told:?}");
    place.write("baton.toml", b"instances = 0\n");
    assert_eq!(state(&doctor(&place).1, "`instances` in the file is 0"), "wrong");
}
