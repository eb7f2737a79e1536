//! `own-snapshots`, `schemas` and `bad-states`: each broken in one way.

use baton_host::conformance::Promise;

use super::{breaks, broken, folder, init_after, only_breaks, outcome, put, report, report_with, sound};
use crate::harness::WatGuest;

/// A `continue` that takes states of 4 bytes over, `check` coming first.
fn checking(check: &str) -> WatGuest {
    sound().on(
        "continue",
        &format!("(if (local.get $some) (then {check} (global.set $count (i32.load (local.get $data))))) (call $ok)"),
    )
}

const SCHEMA: &str =
    "(if (i32.ne (local.get $schema) (global.get $own_schema)) (then (return (call $refuse (i32.const 0)))))";
const LENGTH: &str = "(if (i32.ne (local.get $data_len) (i32.const 4)) (then (return (call $refuse (i32.const 1)))))";

#[tokio::test]
async fn a_state_of_its_own_that_it_refuses_is_found() {
    let many =
        "(if (i32.gt_u (i32.load (local.get $data)) (i32.const 10)) (then (return (call $refuse (i32.const 1)))))";
    let report = report(&checking(&format!("{SCHEMA} {LENGTH} {many}"))).await;
    breaks(
        &report,
        Promise::OwnSnapshots,
        &["given a state of its own (4 bytes", "its `continue` refused: corrupt", " 11. "],
    );
}

#[tokio::test]
async fn a_legacy_that_is_no_state_is_found() {
    let guest = sound().on(
        "terminate",
        "(drop (call $legacy (i32.const 0))) (i32.store (i32.const 2064) (i32.const 3)) (i32.const 2048)",
    );
    breaks(&report(&guest).await, Promise::OwnSnapshots, &["what its `terminate` (shutdown) left", "corrupt"]);
}

#[tokio::test]
async fn one_that_does_not_look_at_its_budget_is_found() {
    let guest = sound().on("terminate", "(loop $again (br $again)) (unreachable)");
    let report = report(&guest).await;
    breaks(&report, Promise::OwnSnapshots, &["told to terminate (shutdown) with 1 ms left", "ms or more", "budget"]);
}

#[tokio::test]
async fn one_that_traps_on_a_reason_of_tomorrow_is_found() {
    let guest = sound().on(
        "terminate",
        "(if (i32.eq (local.get $reason) (i32.const 6)) (then unreachable)) (call $legacy (i32.const 0))",
    );
    only_breaks(&report(&guest).await, Promise::OwnSnapshots, &["a-reason-of-tomorrow", "trapped in `terminate`"]);
}

#[tokio::test]
async fn one_that_is_never_told_to_terminate_is_worth_a_note() {
    let quiet = "(drop (call $ok)) (i32.const 2048)";
    let report = report(&sound().on("init", quiet).on("terminate", "unreachable")).await;
    assert!(report.is_kept(), "{report}");
    assert!(outcome(&report, Promise::OwnSnapshots).notes[0].contains("does not trap exits"), "{report}");
}

#[tokio::test]
async fn a_schema_without_a_state_to_try_is_named_with_the_file_to_add() {
    let guest = sound().schema(2, (1, 2));
    let report = report(&guest).await;
    breaks(&report, Promise::Schemas, &["given states/1-seven.bin", "incompatible", "up to schema 2"]);
    let takes_both = checking(LENGTH).schema(3, (1, 3));
    let dir = folder();
    let told = report_with(&takes_both, dir.path()).await;
    breaks(&told, Promise::Schemas, &["schema 2 and 3", "states/2-WORD.EXT and ", "states/3-WORD.EXT is missing"]);
    put(dir.path(), "states/2-x", &[1, 0, 0, 0]);
    put(dir.path(), "states/3-x", &[1, 0, 0, 0]);
    let told = report_with(&takes_both, dir.path()).await;
    assert!(!broken(&told).contains(&"schemas"), "{told}");
}

#[tokio::test]
async fn one_that_takes_anything_for_a_state_is_found() {
    let report = report(&checking(SCHEMA)).await;
    only_breaks(&report, Promise::BadStates, &["it takes any bytes for a state", "refuse them as corrupt"]);
}

#[tokio::test]
async fn one_that_takes_schemas_that_it_does_not_read_is_found() {
    let report = report(&checking(LENGTH)).await;
    only_breaks(&report, Promise::BadStates, &["a state of schema 0", "it took it over", "as incompatible"]);
    let corrupt = SCHEMA.replace("i32.const 0", "i32.const 1");
    let report = super::report(&checking(&format!("{corrupt} {LENGTH}"))).await;
    only_breaks(&report, Promise::BadStates, &["not as incompatible: corrupt"]);
}

#[tokio::test]
async fn one_that_traps_on_rubbish_is_found() {
    let trap = LENGTH.replace("(return (call $refuse (i32.const 1)))", "unreachable");
    let report = report(&checking(&format!("{SCHEMA} {trap}"))).await;
    only_breaks(&report, Promise::BadStates, &["it trapped in `continue`", "as a state of schema 1"]);
}

#[tokio::test]
async fn one_that_traps_later_on_what_it_took_is_found() {
    let guest = checking(&format!("{SCHEMA} {LENGTH}"))
        .on("snapshot", "(if (i32.gt_u (global.get $count) (i32.const 100000)) (then unreachable)) (call $state)");
    only_breaks(
        &report(&guest).await,
        Promise::BadStates,
        &["it took it over; then, it trapped in `snapshot`", "validate"],
    );
}

#[tokio::test]
async fn one_that_keeps_nothing_need_not_read_anything() {
    let guest = WatGuest::new("sound")
        .on("init", &init_after(""))
        .on("continue", &format!("(if (local.get $some) (then {SCHEMA})) (call $ok)"))
        .on("handle", "(call $bytes (i32.const 0) (i32.const 0))")
        .on("snapshot", "(drop (call $state)) (i32.store (i32.const 2052) (i32.const 0)) (i32.const 2048)")
        .on("terminate", "(call $legacy (i32.const 1))");
    let dir = folder();
    std::fs::remove_dir_all(dir.path().join("states")).unwrap();
    let report = report_with(&guest, dir.path()).await;
    assert!(report.is_kept(), "{report}");
    assert!(outcome(&report, Promise::Schemas).why.contains("it gave no state"), "{report}");
}
