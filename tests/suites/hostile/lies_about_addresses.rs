//! Addresses and lengths that lead out of the guest's memory, wherever one is passed to the host: in every import, and in
//! every answer. None of the host's own memory is ever read.

use super::{ANSWER, crashes};
use crate::bad_input::{Stage, says};
use crate::harness::{WatGuest, host};

/// Address and length of something that is not all there. The guest has two pages.
const LIES: [(u32, u32); 6] =
    [(0, u32::MAX), (u32::MAX, 1), (131_071, 2), (131_072, 1), (0xffff_fff0, 0x20), (0x8000_0000, 0x7fff_ffff)];

/// Calls of imports with `{lie}` in the place of an address and a length; `{list}` likewise for lists of larger things.
const CALLS: [&str; 19] = [
    "$log (i32.const 2) {lie} (i32.const 0) (i32.const 0)",
    "$log (i32.const 2) (i32.const 0) (i32.const 0) {lie}",
    "$send {lie} (i32.const 0) (i32.const 0) {answer}",
    "$send (i32.const 45200) (i32.const 4) {lie} {answer}",
    "$call {lie} (i32.const 0) (i32.const 0) (i64.const 10) {answer}",
    "$call (i32.const 45200) (i32.const 4) {lie} (i64.const 10) {answer}",
    "$set_timer {lie} (i64.const 10) {answer}",
    "$cancel_timer {lie}",
    "$monitor {lie} {answer}",
    "$demonitor {lie}",
    "$whereis {lie} {answer}",
    "$members {lie} {answer}",
    "$attribute (i32.const 45200) (i32.const 4) {lie} {answer}",
    "$having {lie} (i32.const 45200) (i32.const 4) {answer}",
    "$exit (i32.const 45200) (i32.const 4) {lie} {answer}",
    "$dispatch (i32.const 45200) (i32.const 4) {lie} {answer}",
    "$set_attribute (i32.const 45200) (i32.const 4) (i32.const 1) {lie} {answer}",
    "$which_children (i32.const 1) {lie} {answer}",
    "$terminate_child {lie} {answer}",
];

/// One guest that tells all of these lies: the letters `a`, `b`, … choose the call.
fn liar(lie: (u32, u32)) -> WatGuest {
    let lie = format!("(i32.const {}) (i32.const {})", lie.0.cast_signed(), lie.1.cast_signed());
    let data = "(data (i32.const 45200) \"well\")";
    let calls =
        CALLS.iter().zip('a'..).map(|(call, letter)| (letter, call.replace("{lie}", &lie).replace("{answer}", ANSWER)));
    calls.fold(WatGuest::new("bad").supervises().with(data), |guest, (letter, call)| {
        guest.when(letter, &format!("(call {call})"))
    })
}

#[tokio::test]
async fn what_is_passed_to_an_import_lies_within_the_guests_memory_or_is_a_crash() {
    for lie in LIES {
        let quick = |spec: &mut baton_host::ActorSpec| {
            spec.intensity = baton_host::Intensity { max_restarts: 1_000, max_seconds: 1 };
        };
        let mut stage = Stage::set(&liar(lie), quick).await;
        for (letter, call) in ('a'..).zip(CALLS) {
            let reason = stage.crash(&letter.to_string()).await;
            println!("{lie:?} {call}: {reason}");
            says(&reason, &["out of bounds"]);
        }
        stage.goes_on().await;
        stage.end().await;
    }
}

#[tokio::test]
async fn where_an_import_is_to_put_its_answer_lies_within_the_guests_memory_or_is_a_crash() {
    // Past the end, across the end, and where no such thing may begin.
    for at in [131_072_u32, u32::MAX - 3, 131_068, 45_101] {
        let call = format!(
            "(call $send (i32.const 45200) (i32.const 4) (i32.const 0) (i32.const 0) (i32.const {}))",
            at.cast_signed()
        );
        let guest = WatGuest::new("bad").with("(data (i32.const 45200) \"a//b\")").when('!', &call);
        crashes(&guest, |_| {}, &[]).await;
    }
}

#[tokio::test]
async fn an_answer_that_lies_about_its_reply_or_its_error_is_a_crash() {
    for (at, len) in LIES {
        let (at, len) = (at.cast_signed(), len.cast_signed());
        let reply = format!("(return (call $bytes (i32.const {at}) (i32.const {len})))");
        let field = |offset: u32| {
            format!(
                "(drop (call $failure)) (i32.store (i32.const {}) (i32.const {at}))
                 (i32.store (i32.const {}) (i32.const {len})) (return (i32.const 2048))",
                2048 + offset,
                2052 + offset
            )
        };
        for body in [reply, field(4), field(12)] {
            crashes(&WatGuest::new("bad").when('!', &body), |_| {}, &["out of bounds"]).await;
        }
        let state = format!(
            "(drop (call $state)) (i32.store (i32.const 2060) (i32.const {at}))
             (i32.store (i32.const 2064) (i32.const {len})) (i32.const 2048)"
        );
        let guest = WatGuest::new("bad").when('!', "(call $save)").on("snapshot", &state);
        crashes(&guest, |_| {}, &["out of bounds"]).await;
    }
}

#[tokio::test]
async fn a_description_that_lies_is_no_plugin() {
    // The name's address and length are the first two words of the description; its metadata's the last two.
    for offset in [0, 36] {
        for (at, len) in LIES {
            let (at, len) = (at.cast_signed(), len.cast_signed());
            let describe = format!(
                "(i32.store (i32.const {}) (i32.const {at})) (i32.store (i32.const {}) (i32.const {len})) (i32.const 1024)",
                1024 + offset,
                1028 + offset
            );
            let guest = WatGuest::new("bad").on("describe", &describe);
            let error = host().plugin_bytes("bad.wasm", guest.build()).build().await.unwrap_err();
            says(error, &["plugin bad.wasm: `describe` failed", "of its description cannot be read"]);
        }
    }
}

#[tokio::test]
async fn text_that_is_no_utf_8_is_a_crash_wherever_it_is_passed() {
    let text = "(i32.const 46000) (i32.const 2)";
    let calls = [
        "$send {t} (i32.const 0) (i32.const 0) {a}",
        "$set_timer {t} (i64.const 1) {a}",
        "$cancel_timer {t}",
        "$members {t} {a}",
    ];
    for call in calls {
        let call = format!("(call {})", call.replace("{t}", text).replace("{a}", ANSWER));
        let guest = WatGuest::new("bad").supervises().with("(data (i32.const 46000) \"\\ff\\fe\")").when('!', &call);
        crashes(&guest, |_| {}, &["utf-8"]).await;
    }
}
