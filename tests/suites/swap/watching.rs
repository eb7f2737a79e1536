//! The file of a plugin changes, and its actors run what is in it: real files, written as editors and builds write them.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

use baton_host::Host;
use baton_host::swap::{SwapEventKind, SwapEvents, SwapOutcome, SwapReport};

use super::super::journal::{journal, say};
use super::newer;
use crate::harness::{WatGuest, actor, host, name};

struct Watched {
    _dir: tempfile::TempDir,
    path: PathBuf,
    host: Host,
    events: SwapEvents,
}

/// A journal that runs from a file that is watched.
async fn watched() -> Watched {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("journal.wasm");
    fs::write(&path, journal().build()).unwrap();
    let host = host().plugin_file(&path).watched().actor(actor("j/1", "journal")).build().await.unwrap();
    let events = host.swap_events();
    Watched { _dir: dir, path, host, events }
}

impl Watched {
    /// What comes next of a swap, or of a file that was not taken.
    async fn next(&mut self) -> Result<SwapReport, String> {
        loop {
            match self.events.next().await.unwrap().unwrap().kind {
                SwapEventKind::Ended { report } => return Ok(*report),
                SwapEventKind::NotTaken { why, .. } => return Err(why),
                _ => {}
            }
        }
    }

    async fn done(&mut self, version: &str) {
        let report = self.next().await.unwrap();
        assert_eq!((report.outcome, report.switched), (SwapOutcome::Done, 1), "{report:?}");
        assert_eq!(self.host.actor(&name("j/1")).unwrap().version.unwrap().to_string(), version);
    }
}

/// As a build does it: another file, renamed over.
fn rename_over(path: &Path, guest: &WatGuest) {
    let new = path.with_extension("new");
    fs::write(&new, guest.build()).unwrap();
    fs::rename(new, path).unwrap();
}

#[tokio::test]
async fn a_file_that_changes_is_swapped_in_with_the_states_of_its_actors() {
    let mut watched = watched().await;
    say(&watched.host, "a").await;
    rename_over(&watched.path, &newer());
    watched.done("2.0.0").await;
    assert_eq!(say(&watched.host, "b").await, "ab");
    // The same version with other code, written in place, is what development is like.
    fs::write(&watched.path, newer().memory_pages(8).build()).unwrap();
    watched.done("2.0.0").await;
    assert_eq!(say(&watched.host, "c").await, "abc");
    // And what was there before.
    rename_over(&watched.path, &newer());
    watched.done("2.0.0").await;
    assert_eq!(say(&watched.host, "d").await, "abcd");
    assert_eq!(watched.host.plugins().len(), 1, "those of before are unloaded");
    assert!(watched.host.shutdown(None).await.all_saved());
}

#[tokio::test]
async fn a_file_that_is_half_written_is_told_once_and_taken_when_it_is_whole() {
    let mut watched = watched().await;
    say(&watched.host, "a").await;
    let bytes = newer().build();
    let (first, rest) = bytes.split_at(bytes.len() / 2);
    let mut file = File::create(&watched.path).unwrap();
    file.write_all(first).unwrap();
    // It stands still meanwhile, as when the writer is slow.
    let why = watched.next().await.unwrap_err();
    assert!(why.contains("journal.wasm"), "{why}");
    assert_eq!(say(&watched.host, "b").await, "ab");
    file.write_all(rest).unwrap();
    watched.done("2.0.0").await;
    assert_eq!(say(&watched.host, "c").await, "abc");
    assert!(watched.host.shutdown(None).await.all_saved());
}

#[tokio::test]
async fn garbage_is_told_once_for_each_content_and_mended() {
    let mut watched = watched().await;
    say(&watched.host, "a").await;
    fs::write(&watched.path, "garbage").unwrap();
    assert!(watched.next().await.unwrap_err().contains("not WebAssembly"));
    // The same again is no news; the next thing told is of what comes after it.
    fs::write(&watched.path, "garbage").unwrap();
    File::create(&watched.path).unwrap();
    let why = watched.next().await.unwrap_err();
    assert!(why.contains("journal.wasm"), "{why}");
    fs::write(&watched.path, WatGuest::new("other").build()).unwrap();
    let why = watched.next().await.unwrap_err();
    assert!(why.contains("other"), "{why}");
    fs::remove_file(&watched.path).unwrap();
    rename_over(&watched.path, &newer());
    watched.done("2.0.0").await;
    assert_eq!(say(&watched.host, "b").await, "ab");
    assert!(watched.host.shutdown(None).await.all_saved());
}

#[tokio::test]
async fn a_version_that_does_not_take_over_leaves_everybody_with_the_old_one() {
    let mut watched = watched().await;
    say(&watched.host, "a").await;
    rename_over(&watched.path, &newer().on("continue", "unreachable"));
    let report = watched.next().await.unwrap();
    assert_eq!((report.outcome, report.failed), (SwapOutcome::WentBack, 1), "{report:?}");
    assert_eq!(say(&watched.host, "b").await, "ab");
    rename_over(&watched.path, &newer());
    watched.done("2.0.0").await;
    assert_eq!(say(&watched.host, "c").await, "abc");
    assert!(watched.host.shutdown(None).await.all_saved());
}

#[tokio::test]
async fn only_the_file_of_the_current_version_can_be_watched() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("journal.wasm");
    fs::write(&path, journal().build()).unwrap();
    let build = host().plugin_file(&path).watched().plugin_bytes("newer", newer().build()).build();
    assert!(build.await.unwrap_err().to_string().contains("another version is current"));
    let build = host().plugin_bytes("bytes", newer().build()).watched().build();
    assert!(build.await.unwrap_err().to_string().contains("no file that could be watched"));
}
