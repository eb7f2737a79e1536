//! A guest that calls what the host offers at random, with arguments at random.

use std::fmt::Write as _;

use baton_host::{ActorSpec, CallError, Grants, Intensity, SendError};

use crate::bad_input::Stage;
use crate::harness::{Dice, WatGuest, assert_no_panic, hear_panics, number_from, strict_host};

/// Arguments of one call, whatever it takes of them.
const ARGUMENTS: usize = 15;
/// Bytes of one call in a message: which, and its arguments.
const CALL_BYTES: usize = 1 + ARGUMENTS * 8;
/// Calls in a message, at most.
const CALLS: usize = 6;
/// One call in so many has arguments that nobody means.
const WILD: usize = 8;
/// Where the guest keeps words that mean something, and where answers go.
const WORDS_AT: u64 = 41_000;
const ANSWER_AT: u64 = 45_100;
const WORDS: &str = "bad/1well/1kid/1kid/2teamticknormalshutdownkillbad{}permanent";
/// Bytes of its memory.
const MEMORY: u64 = 2 << 16;

/// For each call in its message, the guest makes it.
fn guest() -> (WatGuest, usize) {
    let imports = WatGuest::imports();
    let mut cases = String::new();
    for (n, (id, kind)) in imports.iter().enumerate() {
        let kinds = kind.split(|c: char| !c.is_alphanumeric()).filter(|word| matches!(*word, "i32" | "i64"));
        let mut arguments = String::new();
        for (k, kind) in kinds.enumerate() {
            assert!(k < ARGUMENTS, "{id} takes more");
            let _ = write!(arguments, "({kind}.load offset={} (local.get $body))", 1 + k * 8);
        }
        let _ = writeln!(cases, "(if (i32.eq (local.get $i) (i32.const {n})) (then (call {id} {arguments})))");
    }
    let make = format!(
        "(local.set $body_len (i32.sub (local.get $body_len) (i32.const 1)))
         (local.set $body (i32.add (local.get $body) (i32.const 1)))
         (block $done (loop $next
           (br_if $done (i32.lt_s (local.get $body_len) (i32.const {CALL_BYTES})))
           (local.set $i (i32.load8_u (local.get $body)))
           {cases}
           (local.set $body (i32.add (local.get $body) (i32.const {CALL_BYTES})))
           (local.set $body_len (i32.sub (local.get $body_len) (i32.const {CALL_BYTES})))
           (br $next)))"
    );
    let words = format!("(data (i32.const {WORDS_AT}) \"{WORDS}\")");
    (WatGuest::new("bad").supervises().when('!', &make).with(&words), imports.len())
}

/// A place, a length or a number that may well be meant; else, one call in so many, anything.
fn argument(dice: &mut Dice, wild: bool) -> u64 {
    let some = |dice: &mut Dice, most: u64| dice.below(usize::try_from(most).unwrap()) as u64;
    match dice.below(if wild { 9 } else { 6 }) {
        0 | 1 => WORDS_AT + 4 * some(dice, WORDS.len() as u64 / 4),
        2 | 3 => 4 * some(dice, 4),
        4 => some(dice, 4),
        5 => ANSWER_AT,
        6 => MEMORY - some(dice, 20),
        7 => u64::from(u32::MAX) - some(dice, 20),
        _ => u64::MAX >> some(dice, 64),
    }
}

fn program(dice: &mut Dice, imports: usize) -> Vec<u8> {
    let mut program = vec![b'!'];
    for _ in 0..=dice.below(CALLS) {
        program.push(u8::try_from(dice.below(imports)).unwrap());
        let wild = dice.one_in(WILD);
        for _ in 0..ARGUMENTS {
            program.extend(argument(dice, wild).to_le_bytes());
        }
    }
    program
}

/// It may do to itself and its children what it likes, come back at once, and wait for nobody for long.
fn adapt(spec: &mut ActorSpec) {
    spec.intensity = Intensity { max_restarts: u32::MAX, max_seconds: 1 };
    spec.limits.turn_timeout_ms = 500;
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_a_guest_calls_it_is_answered_or_ended_and_nobody_else_hears_of_it() {
    hear_panics();
    let (guest, imports) = guest();
    let granted = |patterns: &[&str]| patterns.iter().map(|pattern| pattern.parse().unwrap()).collect();
    let own = || granted(&["bad/*", "kid/*"]);
    let grants = Grants { call: own(), supervise: own(), groups: granted(&["team"]), ..Grants::default() };
    let mut stage = Stage::with(strict_host().granted_to_all(grants), &guest, adapt).await;
    let (mut dice, mut answered, mut ended) = (Dice::new(), 0, 0);
    for _ in 0..number_from("BATON_CASES", 10_000) {
        match stage.ask(program(&mut dice, imports)).await {
            Ok(_) => answered += 1,
            Err(CallError::Crashed { .. } | CallError::Timeout { .. } | CallError::Failed(_)) => ended += 1,
            // It stopped itself, or its supervisor gave up on it.
            Err(CallError::NotSent(SendError::Down { .. } | SendError::Unavailable { .. })) => {
                ended += 1;
                stage.host.restart(&crate::bad_input::bad()).await.unwrap();
            }
            Err(other) => panic!("{other}"),
        }
        assert_no_panic();
    }
    println!("{answered} messages were answered, {ended} ended the instance");
    assert!(answered > 0 && ended > 0);
    stage.goes_on().await;
    stage.end().await;
    assert_no_panic();
}
