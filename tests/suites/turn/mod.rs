//! Actors that commit with each turn: nothing leaves before, nothing is lost after, and nothing is done twice. What the
//! loss of a host is to them is played by dropping it.

mod commit;
mod interval;
mod outbox;
mod receivers;
mod replies;
mod sleepers;
mod timers;

use std::sync::Arc;
use std::time::Duration;

use baton_host::model::{Durability, Phase, StateRules};
use baton_host::store::{Head, Record, SnapshotStore};
use baton_host::{ActorSpec, Body, CallError, CallOptions, ChildState, Host, MessageId, Saved};

use crate::harness::{StoreDouble, WatGuest, actor, host, name, until};

/// A guest whose state is a journal of what it was told: each message adds its body, each timer its name, and each end that
/// it hears of the actor and the reason; the reply is the whole journal. Each character of a message or of a timer's name is
/// carried out as well, in order:
///
/// `A` and `B` send the character that follows to `r/1` and `r/2`, `C` calls `r/1` with it; `T` and a digit set the timer `t`
/// to so many tenths of a second, and `U` the timer `Cz`; `M` monitors `r/1`; `S` saves, `Q` stops, `F` fails in the end,
/// `!` traps; others mean nothing.
fn clerk() -> WatGuest {
    let send = |to: usize| {
        format!("(call $send (i32.const {to}) (i32.const 3) (local.get $p) (i32.const 1) (i32.const 3200))")
    };
    let timer = |called: usize, len: usize| {
        format!(
            "(call $set_timer (i32.const {called}) (i32.const {len})
               (i64.mul (i64.extend_i32_u (i32.sub (i32.load8_u (local.get $p)) (i32.const 48))) (i64.const 100))
               (i32.const 3200))"
        )
    };
    let call =
        "(call $call (i32.const 45010) (i32.const 3) (local.get $p) (i32.const 1) (i64.const 5000) (i32.const 3200))";
    let with_argument = [('A', send(45_010)), ('B', send(45_020)), ('C', call.to_owned())];
    let with_argument = with_argument.into_iter().chain([('T', timer(45_000, 1)), ('U', timer(45_030, 2))]);
    let plain = [
        ('M', "(call $monitor (i32.const 45010) (i32.const 3) (i32.const 3200))"),
        ('S', "(call $save)"),
        ('Q', "(call $stop)"),
        ('F', "(local.set $fails (i32.const 1))"),
        ('!', "unreachable"),
    ];
    let case = |letter: char, body: &str| {
        format!("(if (i32.eq (local.get $c) (i32.const {})) (then {body}))\n", u32::from(letter))
    };
    let next = "(local.set $p (i32.add (local.get $p) (i32.const 1)))";
    let mut cases: String = with_argument.map(|(letter, body)| case(letter, &format!("{body} {next}"))).collect();
    cases.extend(plain.map(|(letter, body)| case(letter, body)));
    let handle = format!(
        "(local $p i32) (local $end i32) (local $c i32) (local $fails i32)
         (local.set $p (local.get $body)) (local.set $end (i32.add (local.get $body) (local.get $body_len)))
         (if (i32.ge_u (local.get $kind) (i32.const 2)) (then
           (local.set $p (local.get $id)) (local.set $end (i32.add (local.get $id) (local.get $id_len)))))
         (call $note (local.get $p) (i32.sub (local.get $end) (local.get $p)))
         (if (i32.eq (local.get $kind) (i32.const 3)) (then
           (if (i32.eq (i32.load8_u (i32.const 46000)) (i32.const 88)) (then unreachable)) ;; X
           (call $note (local.get $from) (local.get $from_ptr))))
         (if (i32.le_u (local.get $kind) (i32.const 2)) (then (block $all (loop $more
           (br_if $all (i32.ge_u (local.get $p) (local.get $end)))
           (local.set $c (i32.load8_u (local.get $p))) {next}
           {cases}
           (br $more)))))
         (if (local.get $fails) (then (return (call $failure))))
         (call $bytes (i32.const 46000) (global.get $len))"
    );
    WatGuest::new("clerk")
        .with(
            r#"(global $len (mut i32) (i32.const 0))
               (data (i32.const 45000) "t") (data (i32.const 45010) "r/1") (data (i32.const 45020) "r/2")
               (data (i32.const 45030) "Cz") (data (i32.const 45040) "z")
               (func $note (param $at i32) (param $n i32)
                 (memory.copy (i32.add (i32.const 46000) (global.get $len)) (local.get $at) (local.get $n))
                 (global.set $len (i32.add (global.get $len) (local.get $n))))
               (func $journal_state (param $case i32) (result i32)
                 (drop (call $some_state (local.get $case)))
                 (i32.store (i32.const 2060) (i32.const 46000)) (i32.store (i32.const 2064) (global.get $len))
                 (i32.const 2048))"#,
        )
        .on("continue", "(if (local.get $some) (then (call $note (local.get $data) (local.get $data_len)))) (call $ok)")
        .on("handle", &handle)
        .on("snapshot", "(call $journal_state (i32.const 1))")
        .on("terminate", "(call $journal_state (i32.const 0))")
}

/// A clerk that commits with each turn.
fn durable(called: &str) -> ActorSpec {
    let mut spec = actor(called, "clerk");
    spec.state = StateRules { durability: Some(Durability::Turn), ..StateRules::default() };
    spec
}

/// A clerk that is saved when it stops.
fn plain(called: &str) -> ActorSpec {
    actor(called, "clerk")
}

/// A host with the plugin `clerk` and these actors, in this order.
async fn with(store: &Arc<StoreDouble>, actors: impl IntoIterator<Item = ActorSpec>) -> Host {
    with_guests(store, &[clerk()], actors).await
}

async fn with_guests(
    store: &Arc<StoreDouble>,
    guests: &[WatGuest],
    actors: impl IntoIterator<Item = ActorSpec>,
) -> Host {
    let shared: Arc<dyn SnapshotStore> = store.clone();
    let mut building = host().store(shared);
    for guest in guests {
        building = building.plugin_bytes("guest.wasm", guest.build());
    }
    let building = actors.into_iter().fold(building, |building, actor| building.actor(actor));
    // Apart: what builds a host is large, and so would be whoever waits for it.
    Box::pin(building.build()).await.unwrap()
}

/// Calls `actor`, and gives its journal.
async fn say(host: &Host, actor: &str, body: &str) -> String {
    text(&host.call(&name(actor), body.to_owned(), CallOptions::default()).await.unwrap())
}

/// The same with an id of the caller's own.
async fn say_as(host: &Host, id: &str, actor: &str, body: &str) -> Result<String, CallError> {
    let options = CallOptions { id: Some(MessageId::new(id).unwrap()), ..CallOptions::default() };
    host.call(&name(actor), body.to_owned(), options).await.map(|body| text(&body))
}

fn text(body: &Body) -> String {
    String::from_utf8(body.to_vec()).unwrap()
}

/// A call beside the test.
fn saying(host: &Host, actor: &str, body: &'static str) -> tokio::task::JoinHandle<Result<Body, CallError>> {
    let (host, actor) = (host.clone(), name(actor));
    tokio::spawn(async move { host.call(&actor, body, CallOptions::default()).await })
}

/// Messages that an actor has handled since the host started.
fn handled(host: &Host, actor: &str) -> u64 {
    host.actor(&name(actor)).map_or(0, |actor| actor.handled)
}

async fn until_handled(host: &Host, actor: &str, messages: u64) {
    until(&format!("{actor} has handled {messages}"), || handled(host, actor) >= messages).await;
}

async fn until_runs(host: &Host, actor: &str) {
    let actor = name(actor);
    until(&format!("{actor} runs"), || host.actor(&actor).is_some_and(|a| a.phase == Phase::Running)).await;
}

/// Tells `actor` to stop, beside the test; it has heard so when this answers.
async fn stopping(host: &Host, actor: &str) -> tokio::task::JoinHandle<Saved> {
    let stopping = tokio::spawn({
        let (host, actor) = (host.clone(), name(actor));
        async move { host.stop(&actor).await.unwrap() }
    });
    while host.child(&name(actor)).await.unwrap().is_none_or(|child| child.state != ChildState::Stopping) {
        assert!(!stopping.is_finished(), "{actor} stopped too soon");
        tokio::task::yield_now().await;
    }
    stopping
}

async fn head(store: &StoreDouble, actor: &str) -> Head {
    store.head(&name(actor)).await.unwrap().expect("it has a head").0
}

/// The record that counts.
async fn record(store: &StoreDouble, actor: &str) -> Record {
    let head = head(store, actor).await;
    store.load(&name(actor), head.current().expect("it has a record")).await.unwrap()
}

/// Waits until `actor` has written down that all it has sent has arrived.
async fn until_settled(store: &StoreDouble, actor: &str) {
    let limit = std::time::Instant::now() + Duration::from_secs(20);
    while head(store, actor).await.current().and_then(|record| record.outbox_messages) != Some(0) {
        assert!(std::time::Instant::now() < limit, "never came: nothing of {actor} is under way");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// The names of those who did not get a message, and why, in order.
fn dead(host: &Host) -> Vec<String> {
    host.dead_letters().into_iter().map(|letter| letter.to).collect()
}
