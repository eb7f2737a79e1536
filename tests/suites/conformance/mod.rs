//! What `baton test` promises: a plugin that keeps the contract is told so, and one that breaks a promise hears which, by
//! which messages, and what to change.

mod beginning;
mod command;
mod handover;
mod messages;
mod plugins;
mod scripts;
mod states;

use std::fs;
use std::path::Path;

use baton_host::conformance::{self, Fixtures, Options, Outcome, Promise, Report, Verdict};
use tempfile::TempDir;

use crate::harness::WatGuest;

/// A plugin that keeps every promise: it counts, and its state is the count. What a test has go wrong replaces a part.
pub(crate) fn sound() -> WatGuest {
    WatGuest::new("sound").on(
        "continue",
        "(if (local.get $some) (then
           (if (i32.ne (local.get $schema) (global.get $own_schema)) (then (return (call $refuse (i32.const 0)))))
           (if (i32.ne (local.get $data_len) (i32.const 4)) (then (return (call $refuse (i32.const 1)))))
           (global.set $count (i32.load (local.get $data)))))
         (call $ok)",
    )
}

/// One that may also ask for the time, as `$now_ms`.
pub(crate) fn with_a_clock() -> WatGuest {
    sound().in_world(
        &[],
        "package test:timed; world timed { include baton:actor/actor@0.1.0; }",
        r#"(import "baton:actor/host@0.1.0" "now-ms" (func $now_ms (result i64)))"#,
    )
}

/// The usual `init`, after `first`.
pub(crate) fn init_after(first: &str) -> String {
    format!("{first} (drop (call $ok)) (i32.store8 (i32.const 2052) (i32.const 1)) (i32.const 2048)")
}

/// A folder of fixtures: messages, and a state of schema 1.
pub(crate) fn folder() -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    for (name, bytes) in [("messages/one", "one"), ("messages/two", "two"), ("states/1-seven.bin", "\u{7}\0\0\0")] {
        put(dir.path(), name, bytes.as_bytes());
    }
    dir
}

pub(crate) fn put(dir: &Path, name: &str, bytes: &[u8]) {
    let file = dir.join(name);
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    fs::write(file, bytes).unwrap();
}

pub(crate) async fn report_with(guest: &WatGuest, dir: &Path) -> Report {
    let options = Options { rounds: 15, seed: 7, ..Options::default() };
    let fixtures = Fixtures::read(dir).unwrap();
    conformance::test("sound.wasm", guest.build(), &fixtures, &options).await.unwrap()
}

pub(crate) async fn report(guest: &WatGuest) -> Report {
    report_with(guest, folder().path()).await
}

pub(crate) fn outcome(report: &Report, promise: Promise) -> &Outcome {
    report.outcomes.iter().find(|outcome| outcome.promise == promise).unwrap()
}

/// The ids of the promises that are broken.
pub(crate) fn broken(report: &Report) -> Vec<&'static str> {
    let broken = report.outcomes.iter().filter(|outcome| outcome.verdict == Verdict::Broken);
    broken.map(|outcome| outcome.promise.id()).collect()
}

/// That just this promise is broken, with these words in what is told of it.
pub(crate) fn only_breaks(report: &Report, promise: Promise, words: &[&str]) {
    assert_eq!(broken(report), [promise.id()], "{report}");
    tells(report, promise, words);
}

/// That this promise is broken, with these words in what is told of it. Others may be as well.
pub(crate) fn breaks(report: &Report, promise: Promise, words: &[&str]) {
    assert!(broken(report).contains(&promise.id()), "{report}");
    tells(report, promise, words);
}

fn tells(report: &Report, promise: Promise, words: &[&str]) {
    let outcome = outcome(report, promise);
    let text = outcome.text();
    for word in words {
        assert!(text.contains(word), "{word:?} is missing: {text}");
    }
    assert!(outcome.advice.is_some(), "nothing is said of what to change: {text}");
}

#[tokio::test]
async fn a_plugin_that_keeps_the_contract_is_told_so() {
    let dir = folder();
    put(dir.path(), "scripts/counts.json", br#"[{"call": {"text": "x"}, "reply": {"hex": "01000000"}}]"#);
    let report = report_with(&sound(), dir.path()).await;
    assert!(report.is_kept(), "{report}");
    assert_eq!(report.count(Verdict::Kept), Promise::ALL.len(), "{report}");
    let figures = report.figures.unwrap();
    assert!(figures.instances > 100 && figures.messages > 100 && figures.largest_state_bytes == 4, "{figures}");
}

#[tokio::test]
async fn the_same_seed_tells_the_same() {
    let guest =
        sound().when('t', "(global.set $count (i32.const 0)) (return (call $bytes (i32.const 0) (i32.const 0)))");
    let told = async || {
        let report = report(&guest).await;
        // Where scripts would lie is another folder each time.
        let same = report.outcomes.iter().filter(|outcome| outcome.promise != Promise::Scripts);
        same.map(|outcome| outcome.text()).collect::<Vec<_>>()
    };
    assert_eq!(told().await, told().await);
}
