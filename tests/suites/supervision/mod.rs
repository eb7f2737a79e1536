//! Supervision through the library, with real instances and real states: that the running tree does what the rules say.

mod dynamic;
mod running_tree;
mod stopping;
mod strategies;

use std::sync::Arc;
use std::time::{Duration, Instant};

use baton_host::model::Phase;
use baton_host::store::SnapshotStore;
use baton_host::{ActorSpec, CallError, CallOptions, ChildInfo, ChildSpec, ChildState, Host, SupervisorSpec};

use super::journal::journal;
use crate::harness::{StoreDouble, WatGuest, actor, host, name, until};

/// How long a tree may take to come to what a test waits for.
const PATIENCE: Duration = Duration::from_secs(30);

fn supervisor(called: &str) -> SupervisorSpec {
    SupervisorSpec::new(name(called))
}

fn worker(called: &str) -> ActorSpec {
    actor(called, "journal")
}

/// A supervisor with these workers.
fn over(called: &str, workers: &[&str]) -> SupervisorSpec {
    workers.iter().fold(supervisor(called), |above, each| above.child(worker(each)))
}

/// A journal whose `init` answers with a failure.
fn refuses() -> WatGuest {
    journal().named("refuses").on("init", "(call $failure)")
}

/// A journal whose `init` says that it is not to run.
fn ignores() -> WatGuest {
    journal().named("ignores").with(r#"(data (i32.const 45100) "ignore")"#).on(
        "init",
        "(drop (call $failure)) (i32.store (i32.const 2052) (i32.const 45100))
         (i32.store (i32.const 2056) (i32.const 6)) (i32.const 2048)",
    )
}

/// A journal whose `function` never answers.
fn endless(function: &str) -> WatGuest {
    journal().named("endless").on(function, "(loop (br 0)) (unreachable)")
}

/// A host with the plugin `journal`, others, and these children below its root.
async fn with(store: &Arc<StoreDouble>, others: &[WatGuest], children: impl IntoIterator<Item = ChildSpec>) -> Host {
    let shared: Arc<dyn SnapshotStore> = store.clone();
    let mut building = host().store(shared).plugin_bytes("journal.wasm", journal().build());
    for guest in others {
        building = building.plugin_bytes("other.wasm", guest.build());
    }
    children.into_iter().fold(building, |building, child| building.child(child)).build().await.unwrap()
}

/// Makes an actor trap.
async fn crash(host: &Host, actor: &str) {
    let error = host.call(&name(actor), "!", CallOptions::default()).await.expect_err("it traps");
    assert!(matches!(error, CallError::Crashed { .. }), "{error}");
}

/// Waits until the instance of this generation handles messages.
async fn runs_as(host: &Host, actor: &str, generation: u64) {
    let actor = name(actor);
    until(&format!("generation {generation} of {actor} runs"), || {
        host.actor(&actor).is_some_and(|a| a.generation == generation && a.phase == Phase::Running)
    })
    .await;
}

/// Waits until a child stands so.
async fn is(host: &Host, child: &str, state: ChildState) -> ChildInfo {
    let limit = Instant::now() + PATIENCE;
    loop {
        let found = host.child(&name(child)).await.unwrap();
        if let Some(info) = found.clone().filter(|info| info.state == state) {
            return info;
        }
        assert!(Instant::now() < limit, "`{child}` never came to be {state}: {found:?}");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

/// The names of all actors that are registered.
fn actors(host: &Host) -> Vec<String> {
    host.actors().iter().map(|actor| actor.name.to_string()).collect()
}

/// What the record that counts holds.
async fn recorded(store: &StoreDouble, actor: &str) -> Vec<u8> {
    let actor = name(actor);
    let (head, _) = store.head(&actor).await.unwrap().unwrap();
    store.load(&actor, head.current().unwrap()).await.unwrap().data
}
