//! Core modules that know nothing of components: their exports have the contract's names, and the host does the rest.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use baton_host::swap::{SwapOptions, SwapOutcome, SwapSource};
use baton_host::{ActorSpec, CallOptions, ErrorCode, Host, MessageId};

use tracing_subscriber::util::SubscriberInitExt;

use crate::bad_input::limits::Lines;
use crate::bad_input::says;
use crate::harness::{WatGuest, actor, host, name, plugin, repository};

const PREVIEW_1: &str = r#"
(import "wasi_snapshot_preview1" "clock_time_get" (func $clock (param i32 i64 i32) (result i32)))
(import "wasi_snapshot_preview1" "random_get" (func $random_get (param i32 i32) (result i32)))
(import "wasi_snapshot_preview1" "fd_write" (func $fd_write (param i32 i32 i32 i32) (result i32)))"#;

/// A running `plain/1`.
async fn started(guest: &WatGuest, adapt: impl FnOnce(&mut ActorSpec)) -> Host {
    let mut spec = actor("plain/1", "plain");
    adapt(&mut spec);
    host().plugin_bytes("plain.wasm", guest.build()).actor(spec).build().await.unwrap()
}

async fn ask(host: &Host, body: Vec<u8>) -> Vec<u8> {
    host.call(&name("plain/1"), body, CallOptions::default()).await.unwrap().to_vec()
}

/// What is said of a module that is refused, with the cause.
async fn told(text: &str) -> String {
    let error = host().plugin_bytes("plain.wasm", wat::parse_str(text).unwrap()).build().await.unwrap_err();
    assert_eq!(error.code(), ErrorCode::Plugin);
    format!("{error}: {}", std::error::Error::source(&error).map(ToString::to_string).unwrap_or_default())
}

#[tokio::test]
async fn a_plain_core_module_is_a_plugin_whose_state_is_handed_over() {
    let (plain, whole) = (WatGuest::new("plain").plain(), WatGuest::new("plain"));
    let host = started(&plain, |_| {}).await;
    assert_eq!(ask(&host, b"x".to_vec()).await, [1, 0, 0, 0]);
    assert_eq!(ask(&host, b"x".to_vec()).await, [2, 0, 0, 0]);
    // The same plugin as another tool makes it takes the state over.
    let newer = SwapSource::Bytes("newer.wasm".into(), whole.version("1.1.0").build());
    let mut options = SwapOptions::default();
    options.watch = Duration::ZERO;
    let report = host.swap(&plugin("plain"), newer, options).await.unwrap().ended().await.unwrap();
    assert_eq!(report.outcome, SwapOutcome::Done, "{report:?}");
    assert_eq!(ask(&host, b"x".to_vec()).await, [3, 0, 0, 0]);
    assert!(host.shutdown(None).await.all_saved());
}

#[tokio::test]
async fn room_for_arguments_is_added_and_free_again_after_each_message() {
    // What comes in goes out again as it is, from where the host has put it.
    let echo = WatGuest::new("plain").plain().on("handle", "(call $bytes (local.get $body) (local.get $body_len))");
    // 8 MiB: what is sent is some thirty times that.
    let host = started(&echo, |spec| spec.limits.memory_bytes = 8 << 20).await;
    let mut sent = 0;
    for round in 0..2_000_usize {
        let length = [0, 1, 7, 64, 4_096, 65_536, 100_000, 1_000_000][round % 8] + round / 8;
        let body: Vec<u8> = (0..length).map(|at| (at * 31 + round) as u8).collect();
        sent += length;
        assert_eq!(ask(&host, body.clone()).await, body, "{length} bytes");
    }
    assert!(sent > 200 << 20, "{sent} bytes");
    assert!(host.shutdown(None).await.all_saved());
}

#[tokio::test]
async fn the_example_by_hand_counts() {
    let module = wat::parse_file(repository().join("docs/examples/tally.wat")).unwrap();
    let host = host().plugin_bytes("tally.wasm", module).actor(actor("plain/1", "tally")).build().await.unwrap();
    for count in 1..=12 {
        assert_eq!(ask(&host, b"x".to_vec()).await, count.to_string().into_bytes());
    }
    assert!(host.shutdown(None).await.all_saved());
}

#[tokio::test]
async fn several_arguments_of_one_call_lie_apart() {
    // The id, the sender and the body of a request: `handle` answers with all three, as the host has put them.
    let body = "(local $n i32) (local.set $n (i32.const 30000))
        (memory.copy (local.get $n) (local.get $id) (local.get $id_len))
        (local.set $n (i32.add (local.get $n) (local.get $id_len)))
        (memory.copy (local.get $n) (local.get $body) (local.get $body_len))
        (local.set $n (i32.add (local.get $n) (local.get $body_len)))
        (call $bytes (i32.const 30000) (i32.sub (local.get $n) (i32.const 30000)))";
    let host = started(&WatGuest::new("plain").plain().on("handle", body), |_| {}).await;
    for length in [0, 1, 3, 500] {
        let options = CallOptions { id: Some(MessageId::new("an-id").unwrap()), ..CallOptions::default() };
        let reply = host.call(&name("plain/1"), vec![b'b'; length], options).await.unwrap();
        assert_eq!(reply.to_vec(), [b"an-id".as_slice(), &vec![b'b'; length]].concat());
    }
    assert!(host.shutdown(None).await.all_saved());
}

#[tokio::test]
async fn what_was_built_for_the_first_preview_of_wasi_has_a_clock_randomness_and_a_log() {
    let guest = WatGuest::new("plain")
        .plain()
        .importing(PREVIEW_1)
        .when('t', "(drop (call $clock (i32.const 0) (i64.const 1) (i32.const 3000))) (return (call $bytes (i32.const 3000) (i32.const 8)))")
        .when('r', "(drop (call $random_get (i32.const 3000) (i32.const 32))) (return (call $bytes (i32.const 3000) (i32.const 32)))")
        .when(
            'w',
            "(i32.store (i32.const 3000) (i32.const 2040)) (i32.store (i32.const 3004) (i32.const 2))
             (i32.store (i32.const 3012) (call $fd_write (i32.const 1) (i32.const 3000) (i32.const 1) (i32.const 3008)))
             (return (call $bytes (i32.const 3008) (i32.const 8)))",
        );
    let host = started(&guest, |_| {}).await;
    let before = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let now = u64::from_le_bytes(ask(&host, b"t".to_vec()).await.try_into().unwrap());
    let after = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    assert!((before.as_nanos()..=after.as_nanos()).contains(&now.into()), "{now}");
    assert_ne!(ask(&host, b"r".to_vec()).await, ask(&host, b"r".to_vec()).await);
    // Two bytes were written, and there was no error.
    assert_eq!(ask(&host, b"w".to_vec()).await, [2, 0, 0, 0, 0, 0, 0, 0]);
    assert!(host.shutdown(None).await.all_saved());
}

#[tokio::test]
async fn what_is_written_in_pieces_is_one_line_that_ends_where_it_says_or_with_its_turn() {
    let lines = Lines::default();
    let _here = tracing_subscriber::fmt().with_ansi(false).with_writer(lines.clone()).finish().set_default();
    // Writes so many bytes of what is at that address, to standard error; the adapter flushes after each.
    let write = "(func $write (param $at i32) (param $length i32)
        (i32.store (i32.const 3000) (local.get $at)) (i32.store (i32.const 3004) (local.get $length))
        (if (call $fd_write (i32.const 2) (i32.const 3000) (i32.const 1) (i32.const 3008)) (then unreachable)))
        (data (i32.const 45000) \"panic: gone\\0agoroutine\")";
    let write = |at: u32, length: u32| (write, format!("(call $write (i32.const {at}) (i32.const {length}))"));
    let (function, panic) = write(45_000, 5);
    let pieces: String =
        [write(45_005, 2), write(45_007, 4), write(45_011, 1), write(45_012, 4)].map(|(_, call)| call).concat();
    let guest = WatGuest::new("plain")
        .plain()
        .importing(PREVIEW_1)
        .with(function)
        .when('p', &format!("{panic} {pieces} {}", write(45_016, 5).1))
        .when('t', &format!("{panic} {pieces} unreachable"))
        .when('l', "(loop $again (call $write (i32.const 45000) (i32.const 5)) (local.set $i (i32.add (local.get $i) (i32.const 1)))
            (br_if $again (i32.lt_u (local.get $i) (i32.const 2000))))");
    let host = started(&guest, |_| {}).await;
    let told = |lines: &Lines| -> Vec<String> {
        let text = lines.text();
        let own = text.lines().filter_map(|line| line.split_once("baton::guest: ")).map(|(_, line)| line.to_owned());
        own.map(|line| line.split(" actor=").next().unwrap().to_owned()).collect()
    };
    ask(&host, b"p".to_vec()).await;
    assert_eq!(told(&lines), ["panic: gone", "goroutine"]);
    // The end of a turn is the end of its line: what the next one writes is another.
    ask(&host, b"p".to_vec()).await;
    assert_eq!(told(&lines)[2..], ["panic: gone", "goroutine"]);
    // 10,000 bytes without an end of line are lines of 4,096 bytes.
    ask(&host, b"l".to_vec()).await;
    assert_eq!(told(&lines)[4..].iter().map(String::len).collect::<Vec<_>>(), [4_096, 4_096, 10_000 - 2 * 4_096]);
    // A crash ends it, too.
    let crashed = host.call(&name("plain/1"), "t", CallOptions::default()).await.unwrap_err();
    says(crashed, &["crashed"]);
    assert_eq!(told(&lines)[7..], ["panic: gone", "goro"]);
    host.shutdown(None).await;
}

#[tokio::test]
async fn what_only_a_libc_imports_is_told_apart_from_what_a_plugin_asks_for() {
    let libc = WatGuest::new("plain").plain().importing(PREVIEW_1).build();
    let found = Host::inspect("plain.wasm", libc).await.unwrap();
    let dirs = found.needs.iter().find(|need| need.grant == "dirs").unwrap();
    assert!(dirs.by_libc, "{found:?}");
    assert!(found.needs.iter().all(|need| need.by_libc == (need.grant == "dirs" || need.grant == "env")), "{found:?}");
}

#[tokio::test]
async fn a_core_module_that_keeps_half_of_the_contract_is_told_which_half_is_missing() {
    let text = WatGuest::new("plain").plain().text();
    let gone = text.replace("(export \"baton:actor/lifecycle@0.1.0#snapshot\")", "");
    says(
        told(&gone).await,
        &[
            "could not be made a component",
            "need the contract's signatures",
            "`baton:actor/lifecycle@0.1.0`",
            "`snapshot`",
        ],
    );
    let later = text.replace("lifecycle@0.1.0", "lifecycle@0.9.0");
    says(
        told(&later).await,
        &["it exports baton:actor/lifecycle@0.9.0, and this host knows baton:actor/lifecycle@0.1.0"],
    );
    for prefix in ["", "lifecycle#", "baton:actor/lifecycle#"] {
        let none = text.replace("baton:actor/lifecycle@0.1.0#", prefix);
        says(
            told(&none).await,
            &[
                &format!("it exports `{prefix}describe`, a name without the contract's version"),
                "`baton:actor/lifecycle@0.1.0#describe` is expected",
                "Plugins from the WIT alone",
            ],
        );
    }
}

#[tokio::test]
async fn an_object_file_is_told_that_it_is_not_linked_and_with_what() {
    let object = r#"(module (import "env" "__linear_memory" (memory 1)) (func $d (result i32) (i32.const 1024))
        (export "baton:actor/lifecycle@0.1.0#describe" (func $d)) (@custom "linking" "\02"))"#;
    says(told(object).await, &["an object file: compiled, and not linked", "wasm-ld --no-entry", "without `-c`"]);
    // One that is linked may have the section still: a linker was asked to keep it.
    let linked = WatGuest::new("plain").plain().with("(@custom \"linking\" \"\\02\")");
    let host = started(&linked, |_| {}).await;
    assert_eq!(ask(&host, b"x".to_vec()).await, [1, 0, 0, 0]);
    assert!(host.shutdown(None).await.all_saved());
}

#[tokio::test]
async fn a_core_module_with_a_wrong_signature_is_told_which_and_what_it_should_be() {
    let plain = || WatGuest::new("plain").plain();
    let own = plain().text().replace(
        "(export \"baton:actor/lifecycle@0.1.0#snapshot\") (result i32)",
        "(export \"baton:actor/lifecycle@0.1.0#snapshot\") (param i32 i32) (result i32)",
    );
    says(
        told(&own).await,
        &["need the contract's signatures", "Plugins from the WIT alone", "snapshot", "expected", "found"],
    );
    let theirs = plain().importing(r#"(import "baton:actor/host@0.1.0" "now-ms" (func $now (result i32)))"#);
    says(told(&theirs.text()).await, &["now-ms", "expected", "I64", "found", "I32"]);
    let stranger = plain().importing(r#"(import "env" "printf" (func $printf (param i32)))"#);
    says(told(&stranger.text()).await, &["`env`", "`env` is where compilers look for what was given no module"]);
}
