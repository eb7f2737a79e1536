//! Actors that nobody needs are put to sleep, and no sender can tell.

mod awake;
mod play;
mod promises;
mod race;
mod room;
mod told;
mod writes;

use std::sync::Arc;
use std::time::{Duration, Instant};

use baton_host::model::{Phase, StateRules};
use baton_host::store::SnapshotStore;
use baton_host::{ActorSpec, Body, CallOptions, Grants, Host, HostBuilder, Passivation, Pattern, Template};

use crate::harness::{StoreDouble, WatGuest, host, name, plugin, until};

/// A counter: each message counts one, and is answered with the count. A message that begins with one of these letters does
/// more first:
///
/// `T` sets the timer `t` to a fifth of a second; `M` monitors `w/1`, `L` links to it; `J` joins the group `g`; `A` gives its
/// attribute `k` the value `v`; `X` makes `w/1` exit as if it crashed, `K` has it killed; `D` sends to all of the group `g`.
fn counter() -> WatGuest {
    let to = "(i32.const 45010) (i32.const 3)";
    WatGuest::new("counter")
        .supervises()
        .with(r#"(data (i32.const 45000) "t") (data (i32.const 45010) "w/1") (data (i32.const 45020) "g")
                 (data (i32.const 45030) "k") (data (i32.const 45040) "v") (data (i32.const 45050) "boom")
                 (data (i32.const 45060) "killed")"#)
        .when('T', "(call $set_timer (i32.const 45000) (i32.const 1) (i64.const 200) (i32.const 3200))")
        .when('M', &format!("(call $monitor {to} (i32.const 3200))"))
        .when('L', &format!("(call $link {to} (i32.const 3200))"))
        .when('J', "(call $join (i32.const 45020) (i32.const 1) (i32.const 3200))")
        .when('D', "(call $dispatch (i32.const 45020) (i32.const 1) (i32.const 45030) (i32.const 1) (i32.const 3200))")
        .when('A', "(call $set_attribute (i32.const 45030) (i32.const 1) (i32.const 1) (i32.const 45040) (i32.const 1) (i32.const 3200))")
        .when('X', &format!("(call $exit {to} (i32.const 45050) (i32.const 4) (i32.const 3200))"))
        .when('K', &format!("(call $exit {to} (i32.const 45060) (i32.const 6) (i32.const 3200))"))
}

/// Whoever handled nothing for a moment sleeps.
fn at_once() -> Passivation {
    let mut rules = Passivation::default();
    (rules.after, rules.least_resident) = (Some(Duration::from_millis(1)), Duration::ZERO);
    rules
}

/// A host of counters, those that match `c/*` by a template.
fn counters(store: &Arc<StoreDouble>, rules: Passivation) -> HostBuilder {
    of(&counter(), store, rules)
}

fn of(guest: &WatGuest, store: &Arc<StoreDouble>, rules: Passivation) -> HostBuilder {
    let shared: Arc<dyn SnapshotStore> = store.clone();
    let template = Template::new(Pattern::new("c/*").unwrap(), plugin("counter"));
    let all = || vec!["*".parse().unwrap()];
    let grants = Grants { call: all(), groups: all(), supervise: all(), ..Grants::default() };
    host()
        .granted_to_all(grants)
        .store(shared)
        .plugin_bytes("counter.wasm", guest.build())
        .template(template)
        .passivation(rules)
}

/// One that never sleeps.
fn awake(mut spec: ActorSpec) -> ActorSpec {
    spec.state = StateRules { passivate_after: Some(Duration::MAX), ..spec.state };
    spec
}

async fn say(host: &Host, actor: &str, body: &str) -> u32 {
    number(&host.call(&name(actor), body.to_owned(), CallOptions::default()).await.unwrap())
}

fn number(body: &Body) -> u32 {
    u32::from_le_bytes(body[..].try_into().unwrap())
}

fn phase(host: &Host, actor: &str) -> Option<Phase> {
    host.actor(&name(actor)).map(|info| info.phase)
}

async fn until_asleep(host: &Host, actor: &str) {
    let limit = Instant::now() + Duration::from_secs(20);
    while phase(host, actor) != Some(Phase::Asleep) {
        assert!(Instant::now() < limit, "it never sleeps: {:?}", host.actor(&name(actor)));
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

/// Waits until one that sleeps is nothing but a name.
async fn until_let_go(host: &Host, actor: &str) {
    until(&format!("{actor} was let go"), || {
        phase(host, actor) == Some(Phase::Asleep) && host.actors().iter().all(|info| info.name != name(actor))
    })
    .await;
}

/// How many instances live.
fn instances(host: &Host) -> u64 {
    let text = host.metrics();
    let line = text.lines().find(|line| line.starts_with("baton_pool_used{pool=\"instances\"}")).unwrap();
    line.rsplit(' ').next().unwrap().parse::<f64>().unwrap() as u64
}
