//! A plugin is loaded only if it is the one that was meant: pinned by its digest, signed by a key that is known.

use std::io::Cursor;
use std::path::{Path, PathBuf};

use baton_host::model::{PluginKey, Sha256};
use baton_host::swap::{SwapOutcome, SwapSource};
use baton_host::{ErrorCode, Grants, Host, HostError};
use minisign::KeyPair;

use super::cli::Place;
use super::swap::at_once;
use crate::harness::{WatGuest, actor, guest, plugin, strict_host};

fn keys() -> (KeyPair, PluginKey) {
    let pair = KeyPair::generate_unencrypted_keypair().unwrap();
    let public = pair.pk.to_base64().parse().unwrap();
    (pair, public)
}

fn sign(pair: &KeyPair, bytes: &[u8]) -> String {
    minisign::sign(None, &pair.sk, Cursor::new(bytes), None, None).unwrap().into_string()
}

fn refused<T: std::fmt::Debug>(result: Result<T, HostError>, words: &str) {
    let error = result.unwrap_err();
    assert_eq!(error.code(), ErrorCode::Plugin);
    assert!(error.to_string().contains(words) && error.cure().is_some(), "{error:?}");
}

#[tokio::test]
async fn a_plugin_that_is_not_the_one_that_was_pinned_is_refused_before_it_is_compiled() {
    let bytes = WatGuest::new("plain").build();
    let pinned = |bytes: &[u8], digest| strict_host().plugin_bytes("plain.wasm", bytes.to_vec()).pinned(digest);
    assert!(pinned(&bytes, Sha256::of(&bytes)).build().await.is_ok());
    refused(pinned(&bytes, Sha256::of(b"another")).build().await, "was expected");
    // It is no plugin at all: its digest is looked at first.
    refused(pinned(b"no wasm", Sha256::of(&bytes)).build().await, "was expected");
}

fn file(dir: &Path, signature: Option<&str>) -> PathBuf {
    let path = dir.join("plain.wasm");
    std::fs::write(&path, WatGuest::new("plain").build()).unwrap();
    let beside = dir.join("plain.wasm.minisig");
    match signature {
        Some(text) => std::fs::write(beside, text).unwrap(),
        None => drop(std::fs::remove_file(beside)),
    }
    path
}

#[tokio::test]
async fn a_plugin_is_signed_by_a_key_that_is_known_where_that_is_demanded() {
    let dir = tempfile::tempdir().unwrap();
    let bytes = WatGuest::new("plain").build();
    let ((own, key), (stranger, _)) = (keys(), keys());
    let (_, second) = keys();
    let load = async |signature: Option<&str>, keys: &[&PluginKey]| {
        let keys = keys.iter().map(|&key| key.clone()).collect();
        strict_host().plugin_keys(keys).plugin_file(file(dir.path(), signature)).build().await
    };
    let signature = sign(&own, &bytes);
    assert!(load(Some(&signature), &[&second, &key]).await.is_ok());
    assert!(load(None, &[]).await.is_ok(), "off by default");
    refused(load(None, &[&key]).await, "no signature");
    refused(load(Some("rubbish"), &[&key]).await, "is no signature");
    refused(load(Some(&sign(&stranger, &bytes)), &[&key]).await, "by none of");
    refused(load(Some(&sign(&own, b"other bytes")), &[&key]).await, "of other bytes");
    refused(load(Some(&signature), &[&second]).await, "by none of");
    let loose = strict_host().plugin_keys(vec![key.clone()]).plugin_bytes("plain.wasm", bytes);
    refused(loose.build().await, "no signature");
}

#[test]
fn the_file_pins_and_names_keys_and_inspect_prints_what_to_pin() {
    let bytes = WatGuest::new("plain").build();
    let (pair, _) = keys();
    let config = |digest: &str| {
        format!(
            "plugin_keys = [\"{}\"]\n[[plugin]]\npath = \"plain.wasm\"\nsha256 = \"{digest}\"\n",
            pair.pk.to_base64()
        )
    };
    let digest = Sha256::of(&bytes).to_string();
    let place = Place::new(&config(&digest));
    place.write("plain.wasm", &bytes);
    let told = place.baton(&["inspect", "plain.wasm"]);
    assert!(told.out.contains(&digest) && told.out.contains("none beside it"), "{}", told.out);
    let told = place.baton(&["run"]);
    assert!(told.code != 0 && told.err.contains("minisign -Sm"), "{told:?}");
    place.write("plain.wasm.minisig", sign(&pair, &bytes).as_bytes());
    assert_eq!(place.host().stop(rustix::process::Signal::TERM).code, 0);
    place.write("baton.toml", config(&Sha256::of(b"another").to_string()).as_bytes());
    let told = place.baton(&["run"]);
    assert!(told.code != 0 && told.err.contains(&digest), "{told:?}");
    place.write("baton.toml", config("abc").as_bytes());
    assert_eq!(place.baton(&["run"]).code, 2);
}

fn newer() -> Vec<u8> {
    WatGuest::new("plain").version("2.0.0").build()
}

async fn swap(host: &Host, bytes: &[u8], signature: Option<&str>) -> Result<SwapOutcome, HostError> {
    let label = "newer.wasm".to_owned();
    let source = match signature {
        Some(signature) => SwapSource::Signed(label, bytes.to_vec(), signature.to_owned()),
        None => SwapSource::Bytes(label, bytes.to_vec()),
    };
    Ok(host.swap(&plugin("plain"), source, at_once()).await?.ended().await.unwrap().outcome)
}

#[tokio::test]
async fn a_plugin_that_is_pinned_is_swapped_to_nothing_else() {
    let (old, new) = (WatGuest::new("plain").build(), newer());
    let pinned = |bytes: &[u8]| strict_host().plugin_bytes("plain.wasm", bytes.to_vec()).pinned(Sha256::of(bytes));
    let host = pinned(&old).actor(actor("a", "plain")).build().await.unwrap();
    refused(swap(&host, &new, None).await, &format!("its sha256 is {}", Sha256::of(&new)));
    assert_eq!(host.plugins().len(), 1, "and is not kept");
    host.shutdown(None).await;

    let both = pinned(&new).plugin_bytes("plain.wasm", old.clone()).pinned(Sha256::of(&old));
    let host = both.actor(actor("a", "plain")).build().await.unwrap();
    assert_eq!(swap(&host, &new, None).await.unwrap(), SwapOutcome::Done);
    refused(swap(&host, &WatGuest::new("plain").version("3.0.0").build(), None).await, " or ");
    host.shutdown(None).await;
}

#[tokio::test]
async fn a_plugin_with_strict_grants_is_swapped_to_nothing_that_imports_more() {
    let errand = std::fs::read(guest("errand")).unwrap();
    let strict = Grants { strict: true, ..Grants::default() };
    let modest = WatGuest::new("errand").version("0.0.1").messages("application/json");
    let building = strict_host().plugin_bytes("modest.wasm", modest.build()).granted(strict);
    let host = building.actor(actor("a", "errand")).build().await.unwrap();
    let source = SwapSource::Bytes("errand.wasm".to_owned(), errand);
    refused(host.swap(&plugin("errand"), source, at_once()).await, "imports what it is not granted");
    host.shutdown(None).await;
}

#[tokio::test]
async fn a_swap_brings_a_signature_where_that_is_demanded_and_it_is_kept() {
    let (old, new) = (WatGuest::new("plain").build(), newer());
    let ((own, key), (stranger, _)) = (keys(), keys());
    let dir = tempfile::tempdir().unwrap();
    let host = async |keys: &[&PluginKey]| {
        let keys = keys.iter().map(|&key| key.clone()).collect();
        let building = strict_host().data_dir(dir.path()).plugin_keys(keys);
        building
            .plugin_bytes("plain.wasm", old.clone())
            .signed(sign(&own, &old))
            .actor(actor("a", "plain"))
            .build()
            .await
    };
    let running = host(&[&key]).await.unwrap();
    refused(swap(&running, &new, None).await, "no signature");
    refused(swap(&running, &new, Some(&sign(&stranger, &new))).await, "by none of");
    assert_eq!(swap(&running, &new, Some(&sign(&own, &new))).await.unwrap(), SwapOutcome::Done);
    running.shutdown(None).await;
    // What it led to is there again, with its signature.
    let running = host(&[&key]).await.unwrap();
    assert_eq!(running.actors()[0].version.as_ref().unwrap().as_str(), "2.0.0");
    running.shutdown(None).await;
}

#[tokio::test]
async fn what_an_earlier_swap_led_to_is_held_to_what_is_demanded_since() {
    let (old, new) = (WatGuest::new("plain").build(), newer());
    let (own, key) = keys();
    let dir = tempfile::tempdir().unwrap();
    let building = || {
        let building = strict_host().data_dir(dir.path()).plugin_bytes("plain.wasm", old.clone());
        building.signed(sign(&own, &old)).actor(actor("a", "plain"))
    };
    let running = building().build().await.unwrap();
    assert_eq!(swap(&running, &new, None).await.unwrap(), SwapOutcome::Done);
    running.shutdown(None).await;
    refused(building().plugin_keys(vec![key]).build().await, "no signature");
    refused(building().pinned(Sha256::of(&old)).build().await, "is pinned");
    let running = building().build().await.unwrap();
    assert_eq!(running.actors()[0].version.as_ref().unwrap().as_str(), "2.0.0", "nothing was changed");
    running.shutdown(None).await;
}

#[test]
fn the_command_takes_the_signature_that_lies_beside_the_file_along() {
    let (pair, _) = keys();
    let (old, new) = (WatGuest::new("plain").build(), newer());
    let place = Place::new(&format!(
        "instances = 50\nplugin_keys = [\"{}\"]\n[[plugin]]\npath = \"plain.wasm\"\n[[actor]]\nname = \"a\"\nplugin = \"plain\"\n",
        pair.pk.to_base64()
    ));
    place.write("plain.wasm", &old);
    place.write("plain.wasm.minisig", sign(&pair, &old).as_bytes());
    place.write("newer.wasm", &new);
    let host = place.host();
    let swap = ["swap", "plain", "newer.wasm", "--yes", "--watch", "0s"];
    let told = place.baton(&swap);
    assert!(told.code == 1 && told.err.contains("no signature"), "{told:?}");
    place.write("newer.wasm.minisig", sign(&pair, &new).as_bytes());
    let told = place.baton(&swap);
    assert_eq!(told.code, 0, "{told:?}");
    assert_eq!(host.stop(rustix::process::Signal::TERM).code, 0);
}
