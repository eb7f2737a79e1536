//! From one backend to the other: the function, and the command.

use std::path::Path;
use std::process::{Command, Output};

use baton_host::Host;
use baton_host::model::{ErrorCode, StopReason};
use baton_host::store::{Backend, Head, StoreOptions};
use futures_util::{StreamExt as _, stream};
use serde_json::Value;

use crate::harness::baton_bin;
use crate::store_conformance::{claim, name, record};

/// More than is asked for at once, so that a page ends somewhere.
const ACTORS: u64 = 1_050;

async fn filled(backend: Backend, dir: &Path, actors: u64) {
    let (store, _) = backend.open(dir, &StoreOptions::default()).expect("opens");
    let fill = |n: u64| {
        let store = store.clone();
        async move {
            let mut lease = claim(&*store, &name(&format!("a/{n:04}")), "host").await;
            for round in 1..=4u8 {
                store
                    .commit(&mut lease, record(vec![round; usize::try_from(n).expect("small")]))
                    .await
                    .expect("commits");
            }
            if n.is_multiple_of(2) {
                store.release(&mut lease, None, StopReason::Shutdown).await.expect("releases");
            }
            if n.is_multiple_of(100) {
                store.quarantine(&lease.actor, &lease.head.records[2], "looked odd").await.expect("is kept");
            }
        }
    };
    stream::iter((0..actors).map(fill)).buffer_unordered(200).collect::<()>().await;
    store.close().await.expect("closes");
}

/// All that a store holds, but for what no copy can have.
async fn everything(backend: Backend, dir: &Path) -> Vec<(String, Head, Vec<Vec<u8>>, usize)> {
    let (store, opened) = backend.open(dir, &StoreOptions::default()).expect("opens");
    assert!(opened.notes.is_empty(), "{opened:?}");
    let mut all = Vec::new();
    let mut after = None;
    loop {
        let page = store.list(after.as_ref(), 500).await.expect("answers");
        let Some((last, _)) = page.last() else { break };
        after = Some(last.clone());
        for (actor, head) in page {
            let head = head.expect("is good");
            let mut records = Vec::new();
            for reference in &head.records {
                records.push(store.load(&actor, reference).await.expect("loads").data);
            }
            let copies = store.quarantined(&actor).await.expect("answers").len();
            all.push((actor.to_string(), Head { epoch: 0, generation: 0, nonce: 0, ..head }, records, copies));
        }
    }
    store.close().await.expect("closes");
    all
}

fn baton(args: &[&str]) -> Output {
    Command::new(baton_bin()).args(args).output().expect("runs")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[tokio::test]
async fn a_store_goes_to_the_other_backend_and_back_unchanged() {
    let dir = tempfile::tempdir().expect("a directory");
    let [first, second, third] = ["first", "second", "third"].map(|name| dir.path().join(name));
    filled(Backend::Sled, &first, ACTORS).await;
    let before = everything(Backend::Sled, &first).await;
    assert_eq!(before.len() as u64, ACTORS);

    let (sled, redb) = (format!("sled:{}", first.display()), format!("redb:{}", second.display()));
    let done = baton(&["store", "migrate", &sled, &redb]);
    assert!(done.status.success(), "{}", text(&done.stderr));
    let said = text(&done.stdout);
    assert!(said.contains("1050 actors, 3150 records") && said.contains("11 copies in quarantine"), "{said}");
    assert!(everything(Backend::Redb, &second).await == before, "what was copied");

    let back = format!("sled:{}", third.display());
    let done = baton(&["store", "migrate", &redb, &back, "--json"]);
    assert!(done.status.success(), "{}", text(&done.stderr));
    let said: Value = serde_json::from_slice(&done.stdout).expect("JSON");
    assert_eq!((said["actors"].as_u64(), said["left_out"].as_u64()), (Some(ACTORS), Some(0)), "{said}");
    assert!(everything(Backend::Sled, &third).await == before, "what came back");
    assert!(everything(Backend::Sled, &first).await == before, "the source stays as it was");

    let listed = baton(&["store", "ls", "--json", "--data-dir", &second.display().to_string()]);
    assert!(listed.status.success(), "{}", text(&listed.stderr));
    let listed: Value = serde_json::from_slice(&listed.stdout).expect("JSON");
    assert_eq!(listed.as_array().map(|lines| lines.len() as u64), Some(ACTORS), "found by its files");
}

#[tokio::test]
async fn a_migration_that_would_lose_something_is_refused() {
    let dir = tempfile::tempdir().expect("a directory");
    let [first, second] = ["first", "second"].map(|name| dir.path().join(name));
    filled(Backend::Sled, &first, 2).await;
    filled(Backend::Redb, &second, 3).await;
    let (sled, redb) = (format!("sled:{}", first.display()), format!("redb:{}", second.display()));
    let refused = |args: &[&str], code: i32, words: &[&str]| {
        let done = baton(&[&["store", "migrate"], args].concat());
        let error = text(&done.stderr);
        assert_eq!(done.status.code(), Some(code), "{args:?}: {error}");
        assert!(words.iter().all(|word| error.contains(word)), "{args:?}: {error}");
    };
    refused(&[&sled, &redb], 1, &["not empty", "`a/0000`", "--replace"]);
    refused(&[&format!("redb:{}", first.display()), "redb:x"], 1, &["no redb store", &sled]);
    refused(&[&sled, &format!("redb:{}", first.display())], 2, &["both stores"]);
    refused(&["data", "redb:x"], 2, &["sled:DIR"]);
    refused(&["rocks:data", "redb:x"], 2, &["sled and redb"]);
    refused(&[&redb, &format!("sled:{}", second.join("../first").display())], 1, &["not empty"]);

    let (store, _) = Backend::Sled.open(&first, &StoreOptions::default()).expect("opens");
    refused(&[&sled, &redb, "--replace"], 1, &["in use by process", "stop the host"]);
    store.close().await.expect("closes");
    assert_eq!(everything(Backend::Redb, &second).await.len(), 3);

    let done = baton(&["store", "migrate", &sled, &redb, "--replace"]);
    assert!(done.status.success(), "{}", text(&done.stderr));
    assert_eq!(everything(Backend::Redb, &second).await.len(), 3, "the one that was there alone stays");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_keeps_its_state_with_the_backend_that_it_is_told() {
    let dir = tempfile::tempdir().expect("a directory");
    let host = |backend| Host::builder().data_dir(dir.path()).backend(backend).history(5).instances(10);
    let redb = host(Backend::Redb).build().await.expect("builds");
    assert!(Backend::Redb.is_in(dir.path()) && !Backend::Sled.is_in(dir.path()));
    assert!(redb.shutdown(None).await.all_saved());
    let error = host(Backend::Sled).build().await.expect_err("it holds another store");
    assert_eq!(error.code(), ErrorCode::Config);
    assert!(error.to_string().contains("baton store migrate redb:"), "{error}");

    let config = dir.path().join("baton.toml");
    let data = dir.path().display();
    std::fs::write(&config, format!("data_dir = \"{data}\"\n[store]\nbackend = \"sled\"\n")).expect("writes");
    let refused = baton(&["run", &config.display().to_string()]);
    let error = text(&refused.stderr);
    assert!(refused.status.code() == Some(2) && error.contains("holds a redb store"), "{error}");
}
