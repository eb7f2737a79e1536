//! Core dumps: off unless asked for; bounded, private, and named in the crash report.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;

use baton_host::{CoreDumps, Host};

use crate::bad_input::{ask, count, says};
use crate::harness::{WatGuest, actor, host};

/// Has something to tell in its memory when it traps.
fn secretive() -> WatGuest {
    WatGuest::new("bad")
        .with("(data (i32.const 50000) \"the secret of a stranger\") (func $traps_here unreachable)")
        .when('!', "(call $traps_here)")
}

async fn with(core_dumps: Option<CoreDumps>, name: &str) -> Host {
    let mut building = host().plugin_bytes("bad.wasm", secretive().build());
    if let Some(core_dumps) = core_dumps {
        building = building.core_dumps(core_dumps);
    }
    building.actor(actor(name, "bad")).build().await.unwrap()
}

fn told(host: &Host) -> Option<String> {
    host.dead_letters().pop().expect("the message that crashed it").core_dump
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_leaves_what_was_in_its_memory_for_its_owner_alone() {
    let dir = tempfile::tempdir().unwrap();
    let rules = CoreDumps::new(dir.path().join("dumps"));
    let host = with(Some(rules.clone()), "a/b").await;
    let error = ask(&host, "a/b", "!").await.unwrap_err().to_string();
    assert!(!error.contains("dumps"), "where the host keeps its files is nothing for callers: {error}");
    let path = PathBuf::from(told(&host).expect("it is told"));
    assert_eq!(path.parent(), Some(rules.dir.as_path()));
    says(path.display(), &["-a_b.coredump"]);
    assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
    assert_eq!(fs::metadata(&rules.dir).unwrap().mode() & 0o777, 0o700);
    let bytes = fs::read(&path).unwrap();
    assert!(bytes.starts_with(b"\0asm"));
    let has = |what: &[u8]| bytes.windows(what.len()).any(|at| at == what);
    assert!(has(b"the secret of a stranger") && has(b"corestack"), "its memory and its stack");
    // The next crash comes too soon for another one, and says so.
    assert_eq!(count(&ask(&host, "a/b", "x").await.unwrap()), 1);
    ask(&host, "a/b", "!").await.unwrap_err();
    match told(&host).expect("it is told") {
        too_soon if too_soon.starts_with("not written: ") => says(too_soon, &["less than 1000 ms"]),
        written => assert!(PathBuf::from(written).exists(), "or a second has passed"),
    }
    host.shutdown(None).await;
}

#[tokio::test]
async fn without_being_asked_nothing_is_written() {
    let host = with(None, "a/b").await;
    ask(&host, "a/b", "!").await.unwrap_err();
    assert_eq!(told(&host), None);
    host.shutdown(None).await;
}

#[tokio::test]
async fn one_with_too_much_memory_is_not_dumped_and_the_report_says_why() {
    let dir = tempfile::tempdir().unwrap();
    let host = with(Some(CoreDumps { bytes: 65_536, ..CoreDumps::new(dir.path()) }), "a/b").await;
    ask(&host, "a/b", "!").await.unwrap_err();
    says(
        told(&host).expect("it is told"),
        &["not written", "131072 bytes of memory", "limit core_dump_bytes = 65536; raise it with"],
    );
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    host.shutdown(None).await;
}

#[tokio::test]
async fn a_folder_that_cannot_be_written_is_told_and_the_host_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("file"), "").unwrap();
    let host = with(Some(CoreDumps::new(dir.path().join("file/below"))), "a/b").await;
    ask(&host, "a/b", "!").await.unwrap_err();
    says(told(&host).expect("it is told"), &["not written: ", "file/below"]);
    assert_eq!(count(&ask(&host, "a/b", "x").await.unwrap()), 1);
    host.shutdown(None).await;
}
