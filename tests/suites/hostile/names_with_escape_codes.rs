//! Names that a terminal would obey, in a plugin's functions, exports and description: harmless wherever they are shown.

use baton_host::Host;
use tracing_subscriber::util::SubscriberInitExt;

use crate::bad_input::limits::Lines;
use crate::bad_input::{Stage, says};
use crate::harness::{WatGuest, guest, host};

/// Clears the screen, goes home, turns the text round, and ends the line.
const NAME: &str = "\\1b[2J\\1b[Hevil\\e2\\80\\ae\\0d\\0aforged line";

fn traps_in_it() -> WatGuest {
    WatGuest::new("bad").with(&format!("(func $\"{NAME}\" unreachable)")).when('!', &format!("(call $\"{NAME}\")"))
}

/// Nothing in it would be obeyed.
fn harmless(text: &str) -> bool {
    !text.contains(|c: char| (c.is_control() && c != '\n') || c == '\u{202e}')
}

#[tokio::test]
async fn a_functions_name_is_shown_and_not_obeyed() {
    let lines = Lines::default();
    let subscriber = tracing_subscriber::fmt().with_ansi(false).with_writer(lines.clone()).finish();
    let _here = subscriber.set_default();
    let stage = Stage::set(&traps_in_it(), |_| {}).await;
    stage.crash("!").await;
    assert_eq!(stage.count("x").await, 1);
    let letter = stage.host.dead_letters().pop().unwrap();
    says(&letter.backtrace[0], &["evil", "forged line"]);
    assert!(letter.backtrace.iter().all(|frame| harmless(frame) && !frame.contains('\n')), "{:?}", letter.backtrace);
    let text = lines.text();
    assert!(text.contains("evil") && harmless(&text), "{text:?}");
    assert!(!text.lines().any(|line| line.starts_with("forged line")), "{text}");
    stage.end().await;
}

#[tokio::test]
async fn what_a_plugin_says_of_itself_is_shown_and_not_obeyed() {
    let error = host()
        .plugin_bytes("bad.wasm", WatGuest::new("bad").messages("text/\u{1b}[2J").build())
        .build()
        .await
        .unwrap_err();
    says(error, &["`messages` is not a media type"]);
    // One entry of metadata, whose key and value are seven bytes at 45,000.
    let describe = "(i32.store (i32.const 1060) (i32.const 45100)) (i32.store (i32.const 1064) (i32.const 1))
        (i32.store (i32.const 45100) (i32.const 45000)) (i32.store (i32.const 45104) (i32.const 7))
        (i32.store (i32.const 45108) (i32.const 45000)) (i32.store (i32.const 45112) (i32.const 7)) (i32.const 1024)";
    let plugin = WatGuest::new("bad").with("(data (i32.const 45000) \"\\1b[2Jabc\")").on("describe", describe);
    let found = Host::inspect("bad.wasm", plugin.build()).await.unwrap();
    assert_eq!(found.description.metadata, [(" [2Jabc".to_owned(), " [2Jabc".to_owned())]);
}

#[tokio::test]
async fn names_of_imports_in_a_refusal_are_harmless() {
    let module =
        wat::parse_str("(module (import \"\\1b[2J\" \"\\0a\\1b]0;title\\07\" (func)) (func (export \"main\")))")
            .unwrap();
    let error = host().plugin_bytes("bad.wasm", module).build().await.unwrap_err();
    let cause = std::error::Error::source(&error).map(ToString::to_string).unwrap_or_default();
    assert!(harmless(&error.to_string()) && harmless(&cause), "{error:?}");
}

/// Names of functions where a guest has them, and their numbers where it has not.
#[tokio::test]
async fn every_kind_of_guest_has_a_backtrace() {
    let named = WatGuest::new("bad").with("(func $here_it_traps unreachable)").when('!', "(call $here_it_traps)");
    let stage = Stage::set(&named, |_| {}).await;
    stage.crash("!").await;
    let frames = stage.host.dead_letters().pop().unwrap().backtrace;
    says(frames.join("\n"), &["here_it_traps at 0x", "handle at 0x"]);
    stage.end().await;
    // The same without its names.
    let mut bare = named.build();
    let at = (0..bare.len()).find(|at| bare[*at..].starts_with(b"\x04name")).expect("names");
    bare[at + 1..at + 5].copy_from_slice(b"eman");
    let host =
        host().plugin_bytes("bad.wasm", bare).actor(crate::harness::actor("bad/1", "bad")).build().await.unwrap();
    crate::bad_input::ask(&host, "bad/1", "!").await.unwrap_err();
    let frames = host.dead_letters().pop().unwrap().backtrace;
    assert!(frames.iter().all(|frame| frame.starts_with("function ")) && frames.len() >= 2, "{frames:?}");
    host.shutdown(None).await;
}

#[tokio::test]
async fn a_guest_in_rust_tells_its_functions_by_their_names() {
    let mut spec = crate::harness::actor("counter/1", "counter");
    // An overflow of its stack or of its time would do as well: this runs out of memory, and Rust aborts.
    spec.limits.memory_bytes = 2 << 20;
    let host = host().plugin_file(guest("counter")).actor(spec).build().await.unwrap();
    let error = crate::bad_input::ask(&host, "counter/1", vec![b'x'; 3 << 20]).await.unwrap_err();
    says(error, &["memory_bytes = 2097152"]);
    let frames = host.dead_letters().pop().unwrap().backtrace;
    assert!(frames.iter().any(|frame| frame.contains("cabi_realloc")), "{frames:?}");
    host.shutdown(None).await;
}
