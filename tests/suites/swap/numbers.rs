//! A guest that counts numbered messages per sender, and tells a gap, a double or a wrong order from all being well.

use baton_host::{ActorSpec, Host};

use crate::harness::{WatGuest, actor, name};

/// Senders that a guest can tell apart.
pub(crate) const SENDERS: usize = 8;
/// Bytes of its state: the last number and a checksum of each sender, then gaps and doubles.
const STATE: usize = SENDERS * 8 + 8;

/// What an instance of [`mean`] does when it is to take over, by the first byte of its actor's args.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Whim {
    None = 0,
    Refuses = 1,
    Traps = 2,
    Hangs = 3,
    EatsMemory = 4,
    /// Takes over, and its state cannot be had.
    HasNoState = 5,
}

pub(crate) const WHIMS: [Whim; 5] = [Whim::Refuses, Whim::Traps, Whim::Hangs, Whim::EatsMemory, Whim::HasNoState];

/// A message is a byte for its sender, three that mean nothing, and the number in four bytes; any other length is answered
/// with the state and counts for nothing.
fn counts(version: &str, schema: u32) -> WatGuest {
    WatGuest::new("numbers")
        .version(version)
        .schema(schema, (1, 2))
        .with(&format!(
            r#"(global $whim (mut i32) (i32.const 0))
               (func $numbers_state (param $case i32) (result i32)
                 (drop (call $some_state (local.get $case)))
                 (i32.store (i32.const 2060) (i32.const 46000)) (i32.store (i32.const 2064) (i32.const {STATE}))
                 (i32.const 2048))"#
        ))
        .on(
            "init",
            "(global.set $whim (call $letter (local.get $args) (local.get $args_len)))
             (drop (call $ok)) (i32.store8 (i32.const 2052) (i32.const 1)) (i32.const 2048)",
        )
        .on(
            "continue",
            "(if (local.get $some) (then (memory.copy (i32.const 46000) (local.get $data) (local.get $data_len))))
             (call $ok)",
        )
        .on(
            "handle",
            &format!(
                "(local $at i32) (local $n i32)
             (if (i32.eq (local.get $body_len) (i32.const 8)) (then
               (local.set $at (i32.add (i32.const 46000) (i32.shl (i32.load8_u (local.get $body)) (i32.const 3))))
               (local.set $n (i32.load (i32.add (local.get $body) (i32.const 4))))
               (if (i32.le_u (local.get $n) (i32.load (local.get $at))) (then
                 (i32.store (i32.const {doubles}) (i32.add (i32.load (i32.const {doubles})) (i32.const 1))))
               (else
                 (if (i32.ne (local.get $n) (i32.add (i32.load (local.get $at)) (i32.const 1))) (then
                   (i32.store (i32.const {gaps}) (i32.add (i32.load (i32.const {gaps})) (i32.const 1)))))
                 (i32.store (local.get $at) (local.get $n))))
               (i32.store offset=4 (local.get $at) (i32.add (local.get $n)
                 (i32.mul (i32.load offset=4 (local.get $at)) (i32.const 31))))))
             (call $bytes (i32.const 46000) (i32.const {STATE}))",
                gaps = 46_000 + SENDERS * 8,
                doubles = 46_004 + SENDERS * 8,
            ),
        )
        .on("snapshot", "(call $numbers_state (i32.const 1))")
        .on("terminate", "(call $numbers_state (i32.const 0))")
}

pub(crate) fn old() -> WatGuest {
    counts("1.0.0", 1)
}

pub(crate) fn new() -> WatGuest {
    counts("2.0.0", 2)
}

/// A version that does what its actor's [`Whim`] is instead of taking over.
pub(crate) fn mean() -> WatGuest {
    let is = |whim: Whim| format!("(i32.eq (global.get $whim) (i32.const {}))", whim as i32);
    let whims = format!(
        "(if {} (then (return (call $refuse (i32.const 0)))))
         (if {} (then unreachable))
         (if {} (then (loop $l (br $l))))
         (if {} (then (loop $l (drop (memory.grow (i32.const 1000))) (br $l))))
         (if (local.get $some) (then (memory.copy (i32.const 46000) (local.get $data) (local.get $data_len))))
         (call $ok)",
        is(Whim::Refuses),
        is(Whim::Traps),
        is(Whim::Hangs),
        is(Whim::EatsMemory),
    );
    let snapshot =
        format!("(if {} (then (return (call $failure)))) (call $numbers_state (i32.const 1))", is(Whim::HasNoState));
    counts("3.0.0", 2).on("continue", &whims).on("snapshot", &snapshot)
}

pub(crate) fn spec(n: usize, whim: Whim) -> ActorSpec {
    let mut spec = actor(&format!("n/{n}"), "numbers");
    spec.args = vec![whim as u8].into();
    spec.limits.continue_timeout_ms = 500;
    spec.limits.memory_bytes = 4 << 20;
    spec
}

/// The message with which `sender` says `number`.
pub(crate) fn message(sender: usize, number: u32) -> Vec<u8> {
    let mut body = vec![u8::try_from(sender).unwrap(), 0, 0, 0];
    body.extend(number.to_le_bytes());
    body
}

/// What an actor has counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Counted {
    /// Last number and checksum of each sender.
    pub(crate) senders: Vec<(u32, u32)>,
    pub(crate) gaps: u32,
    pub(crate) doubles: u32,
}

impl Counted {
    pub(crate) fn read(bytes: &[u8]) -> Self {
        let words: Vec<u32> = bytes.chunks_exact(4).map(|word| u32::from_le_bytes(word.try_into().unwrap())).collect();
        let senders = words[..SENDERS * 2].chunks_exact(2).map(|pair| (pair[0], pair[1])).collect();
        Self { senders, gaps: words[SENDERS * 2], doubles: words[SENDERS * 2 + 1] }
    }

    /// What it is where each sender has said so many numbers, from 1 on.
    pub(crate) fn expected(said: &[u32]) -> Self {
        let sum = |last: u32| (1..=last).fold(0_u32, |sum, n| sum.wrapping_mul(31).wrapping_add(n));
        let mut senders: Vec<_> = said.iter().map(|last| (*last, sum(*last))).collect();
        senders.resize(SENDERS, (0, 0));
        Self { senders, gaps: 0, doubles: 0 }
    }
}

pub(crate) async fn counted(host: &Host, n: usize) -> Counted {
    let reply = host.call(&name(&format!("n/{n}")), "?", baton_host::CallOptions::default()).await.unwrap();
    Counted::read(&reply)
}
