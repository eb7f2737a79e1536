//! `scripts`: what is written must come, plain and handed over.

use baton_host::conformance::{Promise, Report};

use super::{breaks, folder, only_breaks, outcome, put, report_with, sound};
use crate::harness::WatGuest;

async fn played(guest: &WatGuest, script: &str) -> Report {
    let dir = folder();
    put(dir.path(), "scripts/talk.json", script.as_bytes());
    report_with(guest, dir.path()).await
}

#[tokio::test]
async fn what_does_not_come_out_as_written_is_told_with_its_step() {
    let one = r#"{"call": {"text": "x"}, "reply": {"hex": "01000000"}}"#;
    let cases = [
        (
            format!(r#"[{one}, {{"call": {{"text": "x"}}, "reply": {{"hex": "03000000"}}}}]"#),
            "step 2: `call x`: its reply is",
        ),
        (format!(r#"[{one}, {{"call": {{"text": "x"}}, "failure": "no"}}]"#), "instead of the failure no"),
        (format!(r#"[{one}, {{"sent": [{{"to": "a", "body": {{"text": "b"}}}}]}}]"#), "b was not sent to a"),
        (format!(r#"[{one}, {{"stopped": true}}]"#), "it has not asked to stop"),
        (r#"[{"call": "x"}]"#.to_owned(), "cannot be played: step 1"),
        (r#"[{"state": {"schema": 1, "file": "1-none"}}]"#.to_owned(), "states/1-none"),
        (r#"[{"args": "none"}]"#.to_owned(), "args/none"),
    ];
    for (script, words) in cases {
        only_breaks(&played(&sound(), &script).await, Promise::Scripts, &["scripts/talk.json", words]);
    }
}

#[tokio::test]
async fn a_script_may_begin_with_a_state() {
    let script = r#"[{"state": {"schema": 1, "file": "1-seven.bin"}}, {"handoff": true},
        {"call": {"text": "x"}, "reply": {"hex": "08000000"}}, {"handoff": "terminate"},
        {"call": {"text": "x"}, "from": "alice", "reply": {"hex": "09000000"}}]"#;
    let report = played(&sound(), script).await;
    assert!(report.is_kept(), "{report}");
    assert!(outcome(&report, Promise::Scripts).why.contains("1 script of 5 steps"), "{report}");
}

#[tokio::test]
async fn a_script_that_only_comes_out_without_handovers_says_so() {
    let guest = sound().with("(global $other (mut i32) (i32.const 0))").on(
        "handle",
        "(global.set $other (i32.add (global.get $other) (i32.const 1)))
         (i32.store (i32.const 3000) (global.get $other)) (call $bytes (i32.const 3000) (i32.const 4))",
    );
    let script = r#"[{"cast": {"text": "x"}}, {"call": {"text": "x"}, "reply": {"hex": "02000000"}}]"#;
    let words = ["step 2, handed over before each step", "it came out as written without handovers"];
    breaks(&played(&guest, script).await, Promise::Scripts, &words);
}

#[tokio::test]
async fn what_is_sent_when_a_timer_comes_due_is_seen_and_so_is_the_end() {
    let kind = |kind: u32, then: &str| format!("(if (i32.eq (local.get $kind) (i32.const {kind})) (then {then}))");
    let send = "(call $send (i32.const 2040) (i32.const 2) (i32.const 2040) (i32.const 2) (i32.const 3100)) (return (call $bytes (i32.const 0) (i32.const 0)))";
    let set = "(call $set_timer (i32.const 2040) (i32.const 2) (i64.const 1000) (i32.const 3100)) (return (call $bytes (i32.const 0) (i32.const 0)))";
    let guest = sound().on(
        "handle",
        &format!("{} {} (call $stop) (call $bytes (i32.const 0) (i32.const 0))", kind(2, send), kind(0, set)),
    );
    let script = r#"[{"call": {"text": "go"}}, {"advance_ms": 999}, {"sent": []}, {"advance_ms": 1},
        {"sent": [{"to": "no", "body": {"text": "no"}}]}, {"cast": {"text": "end"}}, {"stopped": true}, {"sent": []}]"#;
    let report = played(&guest, script).await;
    assert!(report.is_kept(), "{report}");
    let script = script.replace("999", "1000");
    breaks(&played(&guest, &script).await, Promise::Scripts, &["step 3", "no was sent to no beside"]);
}
