//! `description`, `init`, `fresh` and `sizes`: each broken in one way.

use baton_host::conformance::{self, Fixtures, Options, Promise, Verdict};

use super::{breaks, broken, folder, init_after, only_breaks, outcome, put, report, report_with, sound};

#[tokio::test]
async fn a_description_that_changes_is_found() {
    let guest = sound().with("(global $asked (mut i32) (i32.const 0))").on(
        "describe",
        "(global.set $asked (i32.add (global.get $asked) (i32.const 1)))
         (i32.store (i32.const 1048) (global.get $asked)) (i32.const 1024)",
    );
    only_breaks(&report(&guest).await, Promise::Description, &["asked again", "reads-to 1, then 2", "by constants"]);
}

#[tokio::test]
async fn a_description_that_no_host_takes_is_told_and_nothing_else_is_tried() {
    let report = report(&sound().schema(3, (1, 2))).await;
    assert_eq!(broken(&report), ["description"]);
    assert!(outcome(&report, Promise::Description).why.contains("schema 3"), "{report}");
    assert_eq!(report.count(Verdict::NotTried), Promise::ALL.len() - 1);
}

#[tokio::test]
async fn a_file_that_is_no_plugin_is_told() {
    let tested = conformance::test("x.wasm", b"hello".to_vec(), &Fixtures::default(), &Options::default()).await;
    let report = tested.unwrap();
    assert_eq!(broken(&report), ["description"]);
    assert!(outcome(&report, Promise::Description).text().contains("not WebAssembly"), "{report}");
}

#[tokio::test]
async fn a_file_with_another_name_is_worth_a_note() {
    let report = report(&sound().named("other")).await;
    assert!(report.is_kept(), "{report}");
    let notes = &outcome(&report, Promise::Description).notes;
    assert!(notes[0].contains("sound.wasm") && notes[0].contains("other.wasm"), "{notes:?}");
}

#[tokio::test]
async fn arguments_that_make_it_trap_are_told() {
    let first = "(if (i32.gt_u (local.get $args_len) (i32.const 1000)) (then unreachable))";
    let report = report(&sound().on("init", &init_after(first))).await;
    only_breaks(&report, Promise::Init, &["started with the arguments", "it trapped in `init`", "failure"]);
}

#[tokio::test]
async fn an_init_that_calls_others_is_found() {
    let first =
        "(call $call (i32.const 2040) (i32.const 2) (i32.const 2040) (i32.const 2) (i64.const 5) (i32.const 3100))";
    let report = report(&sound().on("init", &init_after(first))).await;
    only_breaks(&report, Promise::Init, &["its `init` called no", "in `continue`"]);
}

#[tokio::test]
async fn arguments_that_are_needed_are_asked_for_and_used() {
    let guest = sound().on(
        "init",
        &format!("(if (i32.eqz (local.get $args_len)) (then (return (call $failure)))) {}", init_after("")),
    );
    let told = report(&guest).await;
    breaks(&told, Promise::Init, &["`init` fails with empty arguments", "into a file in "]);
    breaks(&told, Promise::Handover, &["cannot be started"]);
    let dir = folder();
    put(dir.path(), "args/some", b"x");
    put(dir.path(), "args/none", b"");
    let told = report_with(&guest, dir.path()).await;
    assert!(told.is_kept(), "{told}");
    assert!(outcome(&told, Promise::Init).notes[0].contains("args/none"), "{told}");
}

#[tokio::test]
async fn one_that_cannot_begin_without_a_state_is_found() {
    let guest = sound().on("continue", "(if (i32.eqz (local.get $some)) (then unreachable)) (call $ok)");
    breaks(&report(&guest).await, Promise::Fresh, &["without a state", "it trapped in `continue`"]);
}

#[tokio::test]
async fn a_state_of_another_schema_than_described_is_found() {
    let guest =
        sound().on("snapshot", "(drop (call $state)) (i32.store (i32.const 2056) (i32.const 2)) (i32.const 2048)");
    breaks(&report(&guest).await, Promise::Fresh, &["state of schema 2", "it writes schema 1", "raise `schema`"]);
}

#[tokio::test]
async fn a_state_that_no_host_would_save_is_found() {
    let guest = sound()
        .memory_pages(400)
        .on("snapshot", "(drop (call $state)) (i32.store (i32.const 2064) (i32.const 16777217)) (i32.const 2048)");
    breaks(&report(&guest).await, Promise::Fresh, &["16777217 bytes", "snapshot_bytes"]);
}

#[tokio::test]
async fn a_reply_that_no_host_would_take_is_found() {
    let guest = sound().memory_pages(400).when('t', "(return (call $bytes (i32.const 65536) (i32.const 4194305)))");
    breaks(&report(&guest).await, Promise::Sizes, &["message_bytes", "two"]);
}
