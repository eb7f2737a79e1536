//! What bad input gets: an error that says what was wrong and what to do, from a host that goes on; and nothing else is
//! touched. Every guest here is a real one, made to go wrong in one place.

mod calls;
mod continuing;
mod descriptions;
mod files;
mod handling;
pub(crate) mod limits;
mod mailboxes;
mod names;
mod policies;
mod records;
mod saving;
mod starting;
mod supervising;

use std::sync::Arc;

use baton_host::model::{Hold, Phase};
use baton_host::store::{RecordRef, SnapshotStore};
use baton_host::{ActorInfo, ActorName, ActorSpec, Body, CallError, CallOptions, Host, HostBuilder, SendError};

use crate::harness::{StoreDouble, WatGuest, actor, host, name, until};

/// Runs for ever; stands in for any body.
pub(crate) const ENDLESS: &str = "(loop $for_ever (br $for_ever)) unreachable";

/// A host with the actor `bad/1`, whose plugin goes wrong, and a healthy one beside it, `well/1`.
pub(crate) struct Stage {
    pub(crate) host: Host,
    /// What the healthy one has counted.
    pub(crate) well: u32,
}

impl Stage {
    /// A guest that goes wrong, with what else its actor needs.
    pub(crate) async fn set(guest: &WatGuest, adapt: impl FnOnce(&mut ActorSpec)) -> Self {
        Self::with(host(), guest, adapt).await
    }

    /// The same on what an earlier host left.
    pub(crate) async fn on(store: &Arc<StoreDouble>, guest: &WatGuest, adapt: impl FnOnce(&mut ActorSpec)) -> Self {
        let store: Arc<dyn SnapshotStore> = store.clone();
        Self::with(host().store(store), guest, adapt).await
    }

    pub(crate) async fn with(builder: HostBuilder, guest: &WatGuest, adapt: impl FnOnce(&mut ActorSpec)) -> Self {
        let mut spec = actor("bad/1", "bad");
        adapt(&mut spec);
        let well = WatGuest::new("well").build();
        let builder = builder.plugin_bytes("well.wasm", well).plugin_bytes("bad.wasm", guest.build());
        let host = builder.actor(actor("well/1", "well")).actor(spec).build().await.unwrap();
        let well = count(&ask(&host, "well/1", "x").await.unwrap());
        Self { host, well }
    }

    /// Asks the one that goes wrong.
    pub(crate) async fn ask(&self, body: impl Into<Body>) -> Result<Body, CallError> {
        ask(&self.host, "bad/1", body).await
    }

    /// The number that it answers with.
    pub(crate) async fn count(&self, body: &str) -> u32 {
        count(&self.ask(body.to_owned()).await.unwrap())
    }

    /// The words of the crash that `body` brings about.
    pub(crate) async fn crash(&self, body: &str) -> String {
        match self.ask(body.to_owned()).await {
            Err(CallError::Crashed { actor, reason }) if actor == "bad/1" => reason,
            other => panic!("{other:?}"),
        }
    }

    pub(crate) fn bad(&self) -> ActorInfo {
        self.host.actor(&bad()).unwrap()
    }

    pub(crate) async fn comes_to(&self, phase: Phase) -> ActorInfo {
        until(&format!("bad/1 is {phase}"), || self.bad().phase == phase).await;
        self.bad()
    }

    /// Why it is held; a call says the same.
    pub(crate) async fn held(&self) -> Hold {
        let hold = self.comes_to(Phase::Held).await.held.unwrap();
        match self.ask("x").await.unwrap_err() {
            CallError::NotSent(SendError::Held { actor, hold: told }) if actor == "bad/1" => assert_eq!(*told, hold),
            other => panic!("{other}"),
        }
        hold
    }

    /// The healthy one is the same instance as ever, and nobody but this has sent it anything.
    pub(crate) async fn goes_on(&mut self) {
        self.well += 1;
        assert_eq!(count(&ask(&self.host, "well/1", "x").await.unwrap()), self.well);
        let well = self.host.actor(&name("well/1")).unwrap();
        assert_eq!((well.phase, well.restarts), (Phase::Running, 0));
    }

    pub(crate) async fn end(mut self) {
        self.goes_on().await;
        self.host.shutdown(None).await;
    }
}

pub(crate) fn bad() -> ActorName {
    name("bad/1")
}

/// The number in a reply.
pub(crate) fn count(reply: &[u8]) -> u32 {
    u32::from_le_bytes(reply.try_into().expect("four bytes"))
}

pub(crate) async fn ask(host: &Host, actor: &str, body: impl Into<Body>) -> Result<Body, CallError> {
    host.call(&name(actor), body, CallOptions::default()).await
}

/// A store in which `bad/1` has left the count 2, saved by version 1.0.0 of its plugin; and the record.
async fn two_counted() -> (Arc<StoreDouble>, RecordRef) {
    let store = StoreDouble::new();
    let stage = Stage::on(&store, &WatGuest::new("bad"), |_| {}).await;
    assert_eq!((stage.count("x").await, stage.count("x").await), (1, 2));
    assert!(stage.host.shutdown(None).await.all_saved());
    let record = record(&*store).await.unwrap();
    (store, record)
}

/// The record of `bad/1` that counts.
async fn record(store: &dyn SnapshotStore) -> Option<RecordRef> {
    store.head(&bad()).await.unwrap()?.0.current().cloned()
}

/// Another version of the plugin that is in order takes the count of two over, whatever happened meanwhile.
async fn mended(store: &Arc<StoreDouble>) {
    store.mend();
    let stage = Stage::on(store, &WatGuest::new("bad").version("9.0.0"), |_| {}).await;
    assert_eq!(stage.count("x").await, 3);
    assert_eq!(stage.bad().restarts, 0);
    stage.end().await;
}

/// That `text` has all of `words`.
pub(crate) fn says(text: impl std::fmt::Display, words: &[&str]) {
    let text = text.to_string();
    for word in words {
        assert!(text.contains(word), "{word:?} is missing: {text}");
    }
}
