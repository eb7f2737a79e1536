//! Plugins that were built against a released version of the contract are served for ever: some of each are kept, as their
//! tools made them then.

use std::fs;
use std::path::PathBuf;

use baton_host::{CallOptions, Grants, Host};
use serde_json::{Value, json};

use crate::harness::{actor, guest, host, name, repository};

/// What is kept, with the version that it was built against.
fn kept(version: &str, file: &str) -> PathBuf {
    repository().join("tests/fixtures/contract").join(version).join(file)
}

async fn ask(host: &Host, actor: &str, message: Value) -> Value {
    let reply = host.call(&name(actor), message.to_string(), CallOptions::default()).await.unwrap();
    serde_json::from_slice(&reply).unwrap()
}

#[test]
fn of_every_released_version_plugins_are_kept() {
    let mut versions = 0;
    for version in fs::read_dir(repository().join("wit/actor")).unwrap() {
        let version = version.unwrap().file_name().into_string().unwrap();
        for file in ["counter.wasm", "foreman.wasm", "tally.wasm"] {
            assert!(kept(&version, file).is_file(), "{file}, built against {version}, is not kept");
        }
        versions += 1;
    }
    assert!(versions >= 1);
}

#[tokio::test]
async fn a_counter_of_0_1_0_and_one_of_today_take_over_from_each_other() {
    let dir = tempfile::tempdir().unwrap();
    for (round, file) in
        [kept("0.1.0", "counter.wasm"), guest("counter"), kept("0.1.0", "counter.wasm")].into_iter().enumerate()
    {
        let host = host().data_dir(dir.path()).plugin_file(file).actor(actor("c/1", "counter")).build().await.unwrap();
        assert_eq!(ask(&host, "c/1", json!({"add": 1})).await, json!(round + 1));
        assert!(host.shutdown(None).await.all_saved());
    }
}

#[tokio::test]
async fn all_that_0_1_0_offers_is_there() {
    let everyone = Grants { supervise: vec!["*".parse().unwrap()], ..Grants::default() };
    let all = || vec!["*".parse().unwrap()];
    let everyone = Grants { call: all(), groups: all(), ..everyone };
    let builder = host().plugin_file(kept("0.1.0", "foreman.wasm")).granted(everyone);
    let host = builder.actor(actor("boss", "foreman")).actor(actor("w/1", "foreman")).build().await.unwrap();
    let started = ask(&host, "boss", json!({"start": {"name": "w/2", "plugin": "foreman"}})).await;
    assert_eq!(ask(&host, "boss", json!({"whereis": "w/2"})).await, json!("running"), "{started}");
    for (what, actor) in [("link", "w/2"), ("monitor", "w/1"), ("unlink", "w/2"), ("join", "team"), ("leave", "team")] {
        ask(&host, "boss", json!({ what: actor })).await;
    }
    ask(&host, "boss", json!({"set": ["role", "boss"]})).await;
    assert_eq!(ask(&host, "w/1", json!({"get": ["boss", "role"]})).await, json!("boss"));
    ask(&host, "boss", json!({"terminate": "w/2"})).await;
    assert!(host.shutdown(None).await.all_saved());
}

#[tokio::test]
async fn a_plain_module_of_0_1_0_counts() {
    let host = host().plugin_file(kept("0.1.0", "tally.wasm")).actor(actor("t/1", "tally")).build().await.unwrap();
    let reply = host.call(&name("t/1"), "x", CallOptions::default()).await.unwrap();
    assert_eq!(reply.to_vec(), b"1");
    assert!(host.shutdown(None).await.all_saved());
}
