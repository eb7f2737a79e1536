//! Guests that supervise, or say they do: what they ask for is bounded, and a name that is none is an answer, not a trap.

use baton_host::{ActorSpec, Grants, Host};

use super::limits::{WHY, five_times, often};
use super::{Stage, says};
use crate::harness::{WatGuest, host, plugin};

/// A stage whose guest may supervise whomever it names.
async fn granted(guest: &WatGuest, adapt: impl FnOnce(&mut ActorSpec)) -> Stage {
    let all = || vec!["*".parse().unwrap()];
    let everyone = Grants { supervise: all(), call: all(), groups: all(), ..Grants::default() };
    Stage::with(host().grants(plugin("bad"), everyone), guest, adapt).await
}

/// Where the texts lie that these guests pass: at 45,200 each after the other, with their addresses and lengths.
fn texts<const N: usize>(words: [&str; N]) -> (String, [String; N]) {
    let mut data = String::new();
    let mut at = 45_200;
    let passed = words.map(|word| {
        data.push_str(&format!("(data (i32.const {at}) \"{word}\")"));
        let passed = format!("(i32.const {at}) (i32.const {})", word.len());
        at += word.len();
        passed
    });
    (data, passed)
}

/// What is left of a refusal's text once the turn has ended: the host's texts are allocated anew with each call.
const KEEP: &str = "(if (i32.load8_u (i32.const 45100)) (then
    (memory.copy (i32.const 47000) (i32.load (i32.const 45108)) (i32.load (i32.const 45112)))
    (i32.store (i32.const 45108) (i32.const 47000))))";

/// Answers `!` with how many of five were refused, and `w` with why the last one was.
fn repeats(what: &str, words: [&str; 2]) -> WatGuest {
    let (data, [first, second]) = texts(words);
    let what = what.replace("{1}", &first).replace("{2}", &second);
    let call = format!("(call {what} (i32.const 45100)) {KEEP}");
    WatGuest::new("bad").supervises().with(&data).when('!', &five_times(&call)).when('w', WHY)
}

#[tokio::test]
async fn what_supervises_says_so_and_nobody_else_does() {
    let imports = async |guest: WatGuest| Host::inspect("guest.wasm", guest.build()).await.unwrap().imports;
    let supervision = "baton:actor/supervision@0.1.0".to_owned();
    assert!(imports(WatGuest::new("bad").supervises()).await.contains(&supervision));
    assert!(!imports(WatGuest::new("bad")).await.contains(&supervision));
}

/// Each kind of effect, with what it is done to: an actor or a group, and an attribute.
const EFFECTS: [&str; 9] = [
    "$monitor {1}",
    "$link {1}",
    "$unlink {1}",
    "$exit {1} {2}",
    "$join {1}",
    "$leave {1}",
    "$dispatch {1} {2}",
    "$set_attribute {1} (i32.const 1) {2}",
    "$set_attribute {1} (i32.const 0) (i32.const 0) (i32.const 0)",
];

#[tokio::test]
async fn every_effect_counts_against_what_a_turn_may_send() {
    for effect in EFFECTS {
        let stage = granted(&repeats(effect, ["nobody", "text"]), |spec| spec.limits.turn_sends = 3).await;
        assert_eq!(stage.count("!").await, 2, "{effect}: of five");
        says(String::from_utf8_lossy(&stage.ask("w").await.unwrap()), &["limit turn_sends = 3"]);
        stage.end().await;
    }
}

#[tokio::test]
async fn what_could_end_another_is_denied_unless_it_was_granted() {
    for effect in ["$link {1}", "$exit {1} {2}"] {
        let guest = repeats(effect, ["well/1", "killed"]);
        let mut stage = Stage::set(&guest, |_| {}).await;
        assert_eq!(stage.count("!").await, 5, "{effect}");
        stage.goes_on().await;
        stage.end().await;
    }
}

#[tokio::test]
async fn what_effects_carry_counts_in_bytes() {
    for (effect, bytes) in
        [("$dispatch {1} {2}", 4), ("$exit {1} {2}", 11), ("$set_attribute {1} (i32.const 1) {2}", 10)]
    {
        let room = |spec: &mut ActorSpec| spec.limits.turn_send_bytes = 3 * bytes;
        let stage = granted(&repeats(effect, ["nobody", "text"]), room).await;
        assert_eq!(stage.count("!").await, 2, "{effect}");
        says(String::from_utf8_lossy(&stage.ask("w").await.unwrap()), &["limit turn_send_bytes"]);
        stage.end().await;
    }
    let small = |spec: &mut ActorSpec| spec.limits.message_bytes = 199;
    let large = repeats("$dispatch {1} (i32.const 40000) (i32.const 200)", ["nobody", ""]);
    let stage = Stage::set(&large, small).await;
    assert_eq!(stage.count("!").await, 5);
    says(String::from_utf8_lossy(&stage.ask("w").await.unwrap()), &["200 bytes: limit message_bytes = 199"]);
    stage.end().await;
}

#[tokio::test]
async fn an_effect_on_no_name_is_refused_with_the_rule() {
    for (effect, word) in EFFECTS.into_iter().zip(["actor"; 4].into_iter().chain(["group"; 3]).chain(["attribute"; 2]))
    {
        let stage = granted(&repeats(effect, ["", "text"]), |_| {}).await;
        assert_eq!(stage.count("!").await, 5, "{effect}");
        says(String::from_utf8_lossy(&stage.ask("w").await.unwrap()), &[word, "empty"]);
        stage.end().await;
    }
}

#[tokio::test]
async fn monitors_that_are_taken_back_are_bounded_too() {
    let (data, [someone, nobody]) = texts(["well/1", "a//b"]);
    let guest = WatGuest::new("bad")
        .with(&data)
        .when('n', &often(&format!("(call $demonitor {nobody})")))
        .when('!', &often(&format!("(call $demonitor {someone})")));
    let stage = Stage::set(&guest, |_| {}).await;
    assert_eq!(stage.count("n").await, 1, "no actor has such a name");
    says(stage.crash("!").await, &["it took back more than 10000 monitors in one turn"]);
    assert_eq!(stage.count("x").await, 1);
    stage.end().await;
}

/// Answers with the case of the error that is at 45,104; `bad-spec` is 9.
const BAD_SPEC: &str = "(return (call $bytes (i32.const 45104) (i32.const 4)))";

#[tokio::test]
async fn a_name_that_is_none_is_a_bad_spec() {
    let some = "(i32.const 1) {1}";
    let none = "(i32.const 0) (i32.const 0) (i32.const 0)";
    let child = |name: &str, plugin: &str, shutdown_ms: u64| {
        format!(
            "{name} {plugin} (i32.const 0) (i32.const 0) (i32.const 2) (i32.const 1) (i64.const {shutdown_ms}) \
             (i32.const 0)"
        )
    };
    let cases = [
        format!("$start_child {some} {}", child("{2}", "{2}", 100)),
        format!("$start_child {none} {}", child("{1}", "{2}", 100)),
        format!("$start_child {none} {}", child("{2}", "{1}", 100)),
        format!("$start_child {none} {}", child("{2}", "{2}", 0)),
        "$terminate_child {1}".into(),
        "$restart_child {1}".into(),
        "$delete_child {1}".into(),
        format!("$which_children {some}"),
        format!("$count_children {some}"),
        "$members {1}".into(),
        "$having {1} {2}".into(),
    ];
    for case in cases {
        let (data, [bad, good]) = texts(["", "p"]);
        let case = case.replace("{1}", &bad).replace("{2}", &good);
        // The numbers of a count are aligned to 8, and what is beside them with them.
        let at = if case.contains("count") { 45_096 } else { 45_100 };
        let ask = format!("(call {case} (i32.const {at})) {BAD_SPEC}");
        let stage = Stage::set(&WatGuest::new("bad").supervises().with(&data).when('!', &ask), |_| {}).await;
        assert_eq!(stage.count("!").await, 9, "{case}");
        stage.end().await;
    }
}

#[tokio::test]
async fn nobody_has_a_name_that_is_none() {
    let (data, [well, nobody]) = texts(["well/1", "a//b"]);
    let answer =
        |what: &str| format!("(call {what} (i32.const 45100)) (return (call $bytes (i32.const 45100) (i32.const 8)))");
    let guest = WatGuest::new("bad")
        .supervises()
        .with(&data)
        .when('w', &answer(&format!("$whereis {well}")))
        .when('!', &answer(&format!("$whereis {nobody}")))
        .when('a', &answer(&format!("$attribute {nobody} {well}")));
    let stage = Stage::set(&guest, |_| {}).await;
    // An option's first byte, and the phase four bytes on: `running` is 2.
    let there = stage.ask("w").await.unwrap();
    assert_eq!((there[0], there[4]), (1, 2));
    for letter in ["!", "a"] {
        assert_eq!(stage.ask(letter).await.unwrap()[0], 0, "{letter}");
    }
    stage.end().await;
}
