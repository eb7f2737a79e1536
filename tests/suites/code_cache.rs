//! Compiled code on disk: used where it is good, and never loaded on trust.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use baton_host::CallOptions;

use crate::harness::{WatGuest, actor, host, name};

fn guest() -> WatGuest {
    WatGuest::new("count")
}

/// Loads the plugin with its compiled code in `dir`, and asks it something.
async fn load(dir: &Path, guest: &WatGuest) {
    let building = host().code_cache(dir).plugin_bytes("count.wasm", guest.build()).actor(actor("c/1", "count"));
    let host = building.build().await.unwrap();
    let reply = host.call(&name("c/1"), "x", CallOptions::default()).await.unwrap();
    assert_eq!(reply, 1_u32.to_le_bytes().as_slice());
    assert_eq!(host.plugins().len(), 1);
    host.shutdown(None).await;
}

/// A folder in which the guest's compiled code is, and its one entry.
async fn filled() -> (tempfile::TempDir, PathBuf, PathBuf) {
    let place = tempfile::tempdir().unwrap();
    let dir = place.path().join("code");
    load(&dir, &guest()).await;
    let entry = only_entry(&dir);
    (place, dir, entry)
}

fn files(dir: &Path) -> Vec<PathBuf> {
    let mut files: Vec<_> = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

fn only_entry(dir: &Path) -> PathBuf {
    let files = files(dir);
    let [entry, key] = &files[..] else { panic!("an entry and a key, nothing half-written: {files:?}") };
    assert!(entry.extension().is_some_and(|e| e == "cwasm") && key.ends_with("key"), "{files:?}");
    entry.clone()
}

/// Which file it is: a new one takes its place by a rename, so that it never has the number of the old one.
fn which(file: &Path) -> (u64, i64, i64) {
    let meta = fs::metadata(file).unwrap();
    (meta.ino(), meta.mtime(), meta.mtime_nsec())
}

/// The entry is not used but made anew, and the new one is good.
async fn is_replaced(dir: &Path, entry: &Path) {
    let before = which(entry);
    load(dir, &guest()).await;
    let after = which(entry);
    assert_ne!(before, after, "it was taken as it was");
    load(dir, &guest()).await;
    assert_eq!(which(&only_entry(dir)), after, "the new one is good");
}

#[tokio::test]
async fn a_good_entry_is_used_as_it_is() {
    let (_place, dir, entry) = filled().await;
    let before = which(&entry);
    for _ in 0..3 {
        load(&dir, &guest()).await;
    }
    assert_eq!(which(&only_entry(&dir)), before);
}

#[tokio::test]
async fn one_flipped_bit_anywhere_has_it_compiled_again() {
    let (_place, dir, entry) = filled().await;
    let length = fs::read(&entry).unwrap().len();
    // The tag's first and last byte, the code's first, its middle, its last.
    for at in [0, 31, 32, length / 2, length - 1] {
        let mut bytes = fs::read(&entry).unwrap();
        bytes[at] ^= 1;
        fs::write(&entry, bytes).unwrap();
        is_replaced(&dir, &entry).await;
    }
}

#[tokio::test]
async fn an_entry_cut_short_or_grown_has_it_compiled_again() {
    let (_place, dir, entry) = filled().await;
    let good = fs::read(&entry).unwrap();
    for length in [0, 10, 32, good.len() / 2, good.len() - 1] {
        fs::write(&entry, &good[..length]).unwrap();
        is_replaced(&dir, &entry).await;
    }
    fs::write(&entry, [&good[..], b"more"].concat()).unwrap();
    is_replaced(&dir, &entry).await;
}

#[tokio::test]
async fn an_entry_of_another_component_is_not_taken_for_this_one() {
    let (_place, dir, entry) = filled().await;
    // Good code with a good tag, made with the same key, for another plugin.
    let place = tempfile::tempdir().unwrap();
    let elsewhere = place.path().join("code");
    fs::create_dir(&elsewhere).unwrap();
    fs::set_permissions(&elsewhere, Permissions::from_mode(0o700)).unwrap();
    fs::copy(dir.join("key"), elsewhere.join("key")).unwrap();
    load(&elsewhere, &guest().version("2.0.0")).await;
    assert_eq!(fs::read(elsewhere.join("key")).unwrap(), fs::read(dir.join("key")).unwrap());
    fs::copy(only_entry(&elsewhere), &entry).unwrap();
    is_replaced(&dir, &entry).await;
}

#[tokio::test]
async fn an_entry_made_with_another_key_is_foreign() {
    let (_place, dir, entry) = filled().await;
    let (_elsewhere, _, foreign) = filled().await;
    assert_eq!(entry.file_name(), foreign.file_name(), "the same component, the same settings");
    fs::copy(foreign, &entry).unwrap();
    is_replaced(&dir, &entry).await;
}

#[tokio::test]
async fn with_another_key_everything_is_compiled_again() {
    let (_place, dir, entry) = filled().await;
    let key = dir.join("key");
    let good = fs::read(&key).unwrap();
    assert_eq!(good.len(), 32);
    // Another one of the right length is used; one that cannot be right is replaced.
    fs::write(&key, [7; 32]).unwrap();
    is_replaced(&dir, &entry).await;
    assert_eq!(fs::read(&key).unwrap(), [7; 32]);
    for junk in [&good[..31], &[&good[..], b"x"].concat(), b""] {
        fs::write(&key, junk).unwrap();
        is_replaced(&dir, &entry).await;
        assert_eq!(fs::read(&key).unwrap().len(), 32);
    }
    fs::remove_file(&key).unwrap();
    is_replaced(&dir, &entry).await;
}

#[tokio::test]
async fn a_key_that_others_could_read_is_replaced() {
    let (_place, dir, entry) = filled().await;
    let key = dir.join("key");
    let before = fs::read(&key).unwrap();
    fs::set_permissions(&key, Permissions::from_mode(0o644)).unwrap();
    is_replaced(&dir, &entry).await;
    assert_ne!(fs::read(&key).unwrap(), before);
    assert_eq!(fs::metadata(&key).unwrap().mode() & 0o777, 0o600);
}

#[tokio::test]
async fn everything_in_it_is_its_owners_alone() {
    let (_place, dir, _) = filled().await;
    assert_eq!(fs::metadata(&dir).unwrap().mode() & 0o777, 0o700);
    for file in files(&dir) {
        assert_eq!(fs::metadata(&file).unwrap().mode() & 0o777, 0o600, "{}", file.display());
    }
}

#[tokio::test]
async fn a_folder_that_others_can_enter_is_not_used() {
    for mode in [0o755, 0o750, 0o701] {
        let (_place, dir, entry) = filled().await;
        fs::set_permissions(&dir, Permissions::from_mode(mode)).unwrap();
        let mut bytes = fs::read(&entry).unwrap();
        bytes[40] ^= 1;
        fs::write(&entry, &bytes).unwrap();
        load(&dir, &guest()).await;
        load(&dir, &guest().version("2.0.0")).await;
        assert_eq!(files(&dir).len(), 2, "nothing was written");
        assert_eq!(fs::read(&entry).unwrap(), bytes, "nothing was mended");
        assert_eq!(fs::metadata(&dir).unwrap().mode() & 0o777, mode, "it is for its owner to change");
    }
}

#[tokio::test]
async fn what_is_no_folder_is_not_used_and_the_host_works() {
    let (place, dir, _) = filled().await;
    let (file, link) = (place.path().join("file"), place.path().join("link"));
    fs::write(&file, b"mine").unwrap();
    load(&file, &guest()).await;
    load(&file.join("below"), &guest()).await;
    assert_eq!(fs::read(&file).unwrap(), b"mine");
    // Whoever made the link could make it point elsewhere.
    symlink(&dir, &link).unwrap();
    load(&link, &guest().version("2.0.0")).await;
    assert_eq!(files(&dir).len(), 2);
}

#[tokio::test]
async fn each_component_has_an_entry_of_its_own() {
    let (_place, dir, entry) = filled().await;
    let before = which(&entry);
    load(&dir, &guest().version("2.0.0")).await;
    assert_eq!(files(&dir).len(), 3);
    assert_eq!(which(&entry), before);
}
