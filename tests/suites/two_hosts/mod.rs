//! Two hosts on one store: whose an actor is, who is told, and what becomes of a host whose lease has ended.

mod frozen;
mod owning;
mod process;
mod sleeping;
mod taking_over;

use std::sync::Arc;
use std::time::Duration;

use baton_host::events::{EventDetail, EventFilter};
use baton_host::model::{ActorSpec, Durability, HostsSettings, OwnedElsewhere, Phase};
use baton_host::store::{MemoryStore, SnapshotStore};
use baton_host::{ActorInfo, CallError, CallOptions, Host, HostBuilder, SendError};

use super::journal::journal;
use crate::harness::{StoreDouble, actor, host, name, until};

/// A store that hosts share.
struct Shared(Arc<MemoryStore>);

impl Shared {
    fn new() -> Self {
        Self(Arc::new(MemoryStore::shared()))
    }

    /// A host's own way to it.
    fn door(&self) -> Arc<StoreDouble> {
        StoreDouble::over(Arc::new(self.0.connection()))
    }

    /// The host's lease ends, and it does not know.
    async fn end_lease_of(&self, host: &Host) {
        self.0.end_lease(&id_of(host).await);
    }

    async fn owner(&self, actor: &str) -> Option<String> {
        self.0.head(&name(actor)).await.unwrap().and_then(|(head, _)| head.owner)
    }
}

/// Leases that no pause of the machine ends, and looks that nobody waits for.
fn settings(node: &str) -> HostsSettings {
    HostsSettings {
        node: Some(node.to_owned()),
        address: Some(format!("http://{node}.example:7766")),
        lease_ttl: Duration::from_secs(600),
        look: Duration::from_millis(20),
        ..HostsSettings::default()
    }
}

fn with(policy: OwnedElsewhere, node: &str) -> HostsSettings {
    HostsSettings { owned_elsewhere: policy, ..settings(node) }
}

/// A host with journals.
fn builder(door: &Arc<StoreDouble>, settings: HostsSettings) -> HostBuilder {
    let store: Arc<dyn SnapshotStore> = door.clone();
    host().store(store).hosts(settings).plugin_bytes("guest.wasm", journal().build())
}

async fn start(door: &Arc<StoreDouble>, settings: HostsSettings, actors: &[&str]) -> Host {
    actors
        .iter()
        .fold(builder(door, settings), |builder, one| builder.actor(actor(one, "journal")))
        .build()
        .await
        .unwrap()
}

fn durable(of: &str) -> ActorSpec {
    let mut spec = actor(of, "journal");
    spec.state.durability = Some(Durability::Turn);
    spec
}

async fn id_of(host: &Host) -> String {
    joined(host).await;
    host.hosts().await.expect("it shares its store").this.id
}

async fn joined(host: &Host) {
    until("it has joined", || !host.is_frozen()).await;
}

fn info(host: &Host, actor: &str) -> Option<ActorInfo> {
    host.actor(&name(actor))
}

async fn until_in(host: &Host, actor: &str, phase: Phase) {
    until(&format!("{actor} is {phase}"), || info(host, actor).is_some_and(|info| info.phase == phase)).await;
}

async fn call(host: &Host, actor: &str, what: &str) -> Result<String, CallError> {
    let reply = host.call(&name(actor), what.to_owned(), CallOptions::default()).await;
    reply.map(|body| String::from_utf8(body.to_vec()).expect("text"))
}

async fn say(host: &Host, actor: &str, what: &str) -> String {
    call(host, actor, what).await.expect("an answer")
}

/// Where a call is sent, by the error that it brings.
async fn sent_on(host: &Host, actor: &str) -> (String, Option<String>) {
    match call(host, actor, "x").await {
        Err(CallError::NotSent(SendError::Elsewhere { node, address, .. })) => (node, address),
        other => panic!("{other:?}"),
    }
}

/// Whether such an event has been told.
async fn was_told(host: &Host, mut is: impl FnMut(&EventDetail) -> bool) {
    let mut events = host.events_after(EventFilter::default(), 0);
    let heard = async {
        loop {
            let event = events.next().await.expect("it goes on").expect("nothing is missed");
            if is(&event.detail) {
                return;
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(20), heard).await.expect("never told");
}

fn metric(host: &Host, name: &str) -> u64 {
    let text = host.metrics();
    let line = text.lines().find(|line| line.starts_with(name) && !line.starts_with('#'));
    let value = line.and_then(|line| line.split_whitespace().last()).unwrap_or_else(|| panic!("no {name}"));
    value.parse::<f64>().expect("a number") as u64
}
