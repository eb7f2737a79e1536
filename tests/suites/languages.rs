//! The same plugin in every language: one contract, one documented encoding of the state, and nobody outside can tell which
//! of them runs.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use baton_host::conformance::{self, Fixtures, Options, Verdict};
use baton_host::swap::{SwapOptions, SwapOutcome, SwapSource};
use baton_host::{CallError, CallOptions, Host};
use serde_json::{Value, json};

use crate::harness::{actor, guest, host, name, plugin, repository};

/// In the order in which they take over from each other.
const LANGUAGES: [&str; 7] = ["rust", "javascript", "python", "c", "go", "zig", "assemblyscript"];

/// The counter in a language; none where its tools could not be had.
fn counter(language: &str) -> Option<PathBuf> {
    if language == "rust" {
        return Some(guest("counter"));
    }
    let file = guest("counter").with_file_name(format!("counter-{language}.wasm"));
    if !file.is_file() {
        println!("did not run: the counter in {language} is not built; `cargo xtask guests` builds it");
        return None;
    }
    Some(file)
}

async fn ask(host: &Host, actor: &str, message: Value) -> Result<Value, CallError> {
    let reply = host.call(&name(actor), message.to_string(), CallOptions::default()).await?;
    Ok(serde_json::from_slice(&reply).unwrap())
}

async fn swap(host: &Host, to: PathBuf) {
    let mut options = SwapOptions::default();
    options.watch = Duration::ZERO;
    let report = host.swap(&plugin("counter"), SwapSource::File(to.clone()), options).await.unwrap();
    let report = report.ended().await.unwrap();
    assert_eq!(report.outcome, SwapOutcome::Done, "{}: {report:?}", to.display());
}

#[test]
fn each_language_has_its_counter() {
    for language in LANGUAGES {
        let dir = repository().join("plugins/counter").join(language);
        assert!(dir.join("plugin.toml").is_file(), "there is no counter in {language}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn under_load_the_count_goes_on_from_language_to_language_and_back() {
    let builder = host().plugin_file(guest("counter"));
    let host = builder.actor(actor("c/1", "counter")).actor(actor("c/2", "counter")).build().await.unwrap();
    let (ends, sent) = (Arc::new(AtomicBool::new(false)), [Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0))]);
    let mut senders = Vec::new();
    for sender in 0..4 {
        let (host, ends, sent) = (host.clone(), ends.clone(), sent[sender % 2].clone());
        let actor = format!("c/{}", 1 + sender % 2);
        senders.push(tokio::spawn(async move {
            let mut last = 0;
            while !ends.load(Ordering::Relaxed) {
                // Each is answered, with a count that has grown.
                let count = ask(&host, &actor, json!({"add": 1})).await.unwrap().as_u64().unwrap();
                assert!(count > last, "{actor}: {count} after {last}");
                last = count;
                sent.fetch_add(1, Ordering::Relaxed);
            }
        }));
    }
    let mut ran = 0;
    for language in LANGUAGES.iter().skip(1).chain(&["c", "python", "javascript", "rust"]) {
        let Some(file) = counter(language) else { continue };
        let before: u64 = sent.iter().map(|sent| sent.load(Ordering::Relaxed)).sum();
        swap(&host, file).await;
        ran += 1;
        // It has answered some before the next one comes.
        crate::harness::until("messages are answered", || {
            sent.iter().map(|sent| sent.load(Ordering::Relaxed)).sum::<u64>() > before + 20
        })
        .await;
    }
    ends.store(true, Ordering::Relaxed);
    for sender in senders {
        sender.await.unwrap();
    }
    assert!(ran >= 1);
    for (at, sent) in sent.iter().enumerate() {
        let count = ask(&host, &format!("c/{}", at + 1), json!("get")).await.unwrap();
        assert_eq!(count, json!(sent.load(Ordering::Relaxed)), "after {ran} swaps");
    }
    assert!(host.shutdown(None).await.all_saved());
}

#[tokio::test]
async fn every_language_writes_the_same_bytes_and_takes_the_whole_range() {
    for language in LANGUAGES {
        let Some(file) = counter(language) else { continue };
        let host = host().plugin_file(file).actor(actor("c/1", "counter")).build().await.unwrap();
        for (sum, bytes) in
            [(0, &[0][..]), (300, &[0xac, 2]), (u64::MAX, &[255, 255, 255, 255, 255, 255, 255, 255, 255, 1])]
        {
            let reset = ask(&host, "c/1", json!("reset")).await;
            assert_eq!(reset.unwrap(), json!(0), "{language}");
            assert_eq!(ask(&host, "c/1", json!({ "add": sum })).await.unwrap(), json!(sum), "{language}");
            let state = host.get_state(&name("c/1")).await.unwrap();
            assert_eq!((state.schema, &state.data[..]), (Some(1), bytes), "{language}");
        }
        for (message, code) in
            [(json!({"add": 1}), "overflow"), (json!({"add": -1}), "bad-message"), (json!([]), "bad-message")]
        {
            match ask(&host, "c/1", message).await {
                Err(CallError::Failed(failure)) => assert_eq!(failure.code, code, "{language}"),
                other => panic!("{language}: {other:?}"),
            }
        }
        assert_eq!(ask(&host, "c/1", json!("get")).await.unwrap(), json!(u64::MAX), "{language}");
        assert!(host.shutdown(None).await.all_saved());
    }
}

/// Each plugin that `baton build` has built, with its fixtures: a counter's are those of all counters.
fn built() -> Vec<(PathBuf, PathBuf)> {
    let plugins = repository().join("plugins");
    let counters = LANGUAGES
        .iter()
        .skip(1)
        .filter_map(|language| counter(language).map(|file| (file, plugins.join("counter/fixtures"))));
    let others = ["chat-room", "rate-limiter", "word-index", "scoring"].into_iter().filter_map(|name| {
        let file = guest("counter").with_file_name(format!("{name}.wasm"));
        file.is_file().then(|| (file, plugins.join(name).join("fixtures")))
    });
    counters.chain(others).collect()
}

#[tokio::test]
async fn the_plugins_in_every_language_keep_the_contract() {
    for (file, fixtures) in built() {
        let fixtures = Fixtures::read(&fixtures).unwrap();
        let options = Options { rounds: 15, seconds: 8, ..Options::default() };
        let wasm = std::fs::read(&file).unwrap();
        let report = conformance::test(file.to_str().unwrap(), wasm, &fixtures, &options).await.unwrap();
        assert_eq!(report.count(Verdict::Kept), report.outcomes.len(), "{}: {report}", file.display());
    }
}
