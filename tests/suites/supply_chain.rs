//! A plugin is loaded only if it is the one that was meant: pinned by its digest, signed by a key that is known.

use std::io::Cursor;
use std::path::{Path, PathBuf};

use baton_host::model::{PluginKey, Sha256};
use baton_host::{ErrorCode, HostError};
use minisign::KeyPair;

use super::cli::Place;
use crate::harness::{WatGuest, strict_host};

fn keys() -> (KeyPair, PluginKey) {
    let pair = KeyPair::generate_unencrypted_keypair().unwrap();
    let public = pair.pk.to_base64().parse().unwrap();
    (pair, public)
}

fn sign(pair: &KeyPair, bytes: &[u8]) -> String {
    minisign::sign(None, &pair.sk, Cursor::new(bytes), None, None).unwrap().into_string()
}

fn refused(result: Result<baton_host::Host, HostError>, words: &str) {
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
