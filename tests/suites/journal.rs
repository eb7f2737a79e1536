//! A guest that keeps what it is told, and what its tests do with it.

use std::sync::Arc;

use baton_host::store::SnapshotStore;
use baton_host::{ActorSpec, CallOptions, Host, ShutdownReport};

use crate::harness::{Op, StoreDouble, WatGuest, actor, host, name, until};

/// A guest that keeps what it is told: its state is a journal, to which each message adds its body and each timer its
/// name; the reply is the whole journal. Some bodies do more:
/// `!` traps, `S` saves, `T` sets the timer `t` to be due at once, `L` one that is due in a minute, `Q` stops,
/// `>` sends `x` to `other/1`, and `?` is answered with what the instance was handed (see [`Told`]).
pub(crate) fn journal() -> WatGuest {
    WatGuest::new("journal")
        .with(
            r#"(global $len (mut i32) (i32.const 0))
               (global $g (mut i64) (i64.const 0)) (global $had (mut i32) (i32.const 0))
               (global $o (mut i32) (i32.const 0)) (global $a (mut i32) (i32.const 0))
               (global $b (mut i64) (i64.const 0)) (global $w (mut i64) (i64.const 0))
               (data (i32.const 45000) "t") (data (i32.const 45010) "other/1") (data (i32.const 45020) "x")
               (func $journal_state (param $case i32) (result i32)
                 (drop (call $some_state (local.get $case)))
                 (i32.store (i32.const 2060) (i32.const 46000)) (i32.store (i32.const 2064) (global.get $len))
                 (i32.const 2048))"#,
        )
        .on(
            "continue",
            "(global.set $g (local.get $generation)) (global.set $had (local.get $some))
             (global.set $o (local.get $origin)) (global.set $a (local.get $origin_a))
             (global.set $b (local.get $origin_b)) (global.set $w (local.get $wrote))
             (if (local.get $some) (then
               (memory.copy (i32.const 46000) (local.get $data) (local.get $data_len))
               (global.set $len (local.get $data_len))))
             (call $ok)",
        )
        .on(
            "handle",
            "(local $c i32) (local $p i32) (local $n i32)
             (local.set $p (local.get $body)) (local.set $n (local.get $body_len))
             (if (i32.eq (local.get $kind) (i32.const 2)) (then
               (local.set $p (local.get $id)) (local.set $n (local.get $id_len))))
             (local.set $c (i32.load8_u (local.get $p)))
             (if (i32.eq (local.get $c) (i32.const 63)) (then ;; ?
               (i32.store (i32.const 3100) (global.get $had)) (i32.store (i32.const 3104) (global.get $o))
               (i32.store (i32.const 3108) (global.get $a)) (i64.store (i32.const 3112) (global.get $b))
               (i64.store (i32.const 3120) (global.get $g)) (i64.store (i32.const 3128) (global.get $w))
               (return (call $bytes (i32.const 3100) (i32.const 36)))))
             (if (i32.eq (local.get $c) (i32.const 62)) (then ;; >
               (call $send (i32.const 45010) (i32.const 7) (i32.const 45020) (i32.const 1) (i32.const 3200))))
             (if (i32.eq (local.get $c) (i32.const 83)) (then (call $save)))
             (if (i32.eq (local.get $c) (i32.const 84)) (then
               (call $set_timer (i32.const 45000) (i32.const 1) (i64.const 0) (i32.const 3200))))
             (if (i32.eq (local.get $c) (i32.const 76)) (then
               (call $set_timer (i32.const 45000) (i32.const 1) (i64.const 60000) (i32.const 3200))))
             (if (i32.eq (local.get $c) (i32.const 81)) (then (call $stop)))
             (if (i32.eq (i32.load8_u (i32.sub (i32.add (local.get $p) (local.get $n)) (i32.const 1))) (i32.const 33))
               (then unreachable)) ;; ends in !
             (memory.copy (i32.add (i32.const 46000) (global.get $len)) (local.get $p) (local.get $n))
             (global.set $len (i32.add (global.get $len) (local.get $n)))
             (call $bytes (i32.const 46000) (global.get $len))",
        )
        .on("snapshot", "(call $journal_state (i32.const 1))")
        .on("terminate", "(call $journal_state (i32.const 0))")
}

/// What `?` is answered with.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Told {
    pub(crate) had_state: bool,
    /// 0 terminated, 1 switched, 2 checkpoint, 3 restored.
    pub(crate) origin: u32,
    /// Of terminated: the stop reason's place; of checkpoint: whether the turns are known.
    pub(crate) detail: u32,
    /// Of checkpoint: the turns.
    pub(crate) turns: u64,
    pub(crate) generation: u64,
    pub(crate) wrote: u64,
}

pub(crate) const TERMINATED: u32 = 0;
pub(crate) const CHECKPOINT: u32 = 2;
pub(crate) const NORMAL: u32 = 0;
pub(crate) const SHUTDOWN: u32 = 1;
pub(crate) const RESTART: u32 = 5;

pub(crate) async fn told(host: &Host) -> Told {
    told_to(host, "j/1").await
}

/// What the instance of `actor` was handed.
pub(crate) async fn told_to(host: &Host, actor: &str) -> Told {
    let reply = host.call(&name(actor), "?", CallOptions::default()).await.unwrap();
    let word = |at: usize| u32::from_le_bytes(reply[at..at + 4].try_into().unwrap());
    let long = |at: usize| u64::from_le_bytes(reply[at..at + 8].try_into().unwrap());
    Told {
        had_state: word(0) == 1,
        origin: word(4),
        detail: word(8),
        turns: long(12),
        generation: long(20),
        wrote: long(28),
    }
}

pub(crate) async fn say(host: &Host, what: &str) -> String {
    say_to(host, "j/1", what).await
}

/// Says `what` to `actor`, and answers with its journal.
pub(crate) async fn say_to(host: &Host, actor: &str, what: &str) -> String {
    String::from_utf8(host.call(&name(actor), what.to_owned(), CallOptions::default()).await.unwrap().to_vec()).unwrap()
}

pub(crate) async fn with(store: &Arc<StoreDouble>, guest: &WatGuest, spec: ActorSpec) -> Host {
    let store: Arc<dyn SnapshotStore> = store.clone();
    host().store(store).plugin_bytes("guest.wasm", guest.build()).actor(spec).build().await.unwrap()
}

pub(crate) async fn start(store: &Arc<StoreDouble>) -> Host {
    with(store, &journal(), actor("j/1", "journal")).await
}

/// Starts a host, says `words` to the actor, and shuts the host down.
pub(crate) async fn once(store: &Arc<StoreDouble>, words: &[&str]) {
    let host = start(store).await;
    for word in words {
        say(&host, word).await;
    }
    assert!(host.shutdown(None).await.all_saved());
}

/// Shuts the host down while the first of `bodies` is in hand and the others wait behind it. The turn in hand ends only when
/// its record is marked as taken up: that keeps the actor busy.
pub(crate) async fn shut_down_behind(host: &Host, store: &StoreDouble, bodies: &[&'static str]) -> ShutdownReport {
    store.hold(Op::TakeUp);
    for body in bodies {
        host.cast(&name("j/1"), *body, None).unwrap();
    }
    let waiting = bodies.len() - 1;
    until("the first is in hand", || host.actor(&name("j/1")).unwrap().waiting == waiting).await;
    shut_down_now(host, store).await
}

/// Shuts the host down, and lets the store go on once that is under way.
pub(crate) async fn shut_down_now(host: &Host, store: &StoreDouble) -> ShutdownReport {
    let down = tokio::spawn({
        let host = host.clone();
        async move { host.shutdown(None).await }
    });
    until("the host closes", || !host.is_ready()).await;
    store.let_through();
    down.await.unwrap()
}
