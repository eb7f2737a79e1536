//! How far the start has come: who of the actors that the configuration lists has taken over its state.

use std::sync::Weak;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use schemars::JsonSchema;
use serde::Serialize;
use tokio::time::timeout;

use super::{Host, Inner};
use crate::events::{About, EventDetail, HostState};
use crate::model::{ActorName, Phase};

/// How often it is looked whether the start is over.
const LOOK: Duration = Duration::from_millis(100);

/// How far a host's start has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Startup {
    /// Actors that are started with the host. Those of templates are not among them: they come as they are called.
    pub listed: usize,
    /// Those of them that have taken over their states and handle messages, or stay down or held, of which no more is to be
    /// expected by itself.
    pub settled: usize,
    /// Whether the start is over. A host that was there once stays so: an actor that is restarted later does not count.
    pub done: bool,
}

/// The actors that are listed, and whether all of them have been there.
#[derive(Debug)]
pub(super) struct Awaited {
    names: Vec<ActorName>,
    /// Whether all of them have been told to start.
    started: AtomicBool,
    done: AtomicBool,
}

impl Awaited {
    pub(super) fn new(names: Vec<ActorName>) -> Self {
        Self { names, started: AtomicBool::new(false), done: AtomicBool::new(false) }
    }

    /// All have been told to start: whoever is not there now was stopped, or has ended.
    pub(super) fn started(&self) {
        self.started.store(true, Ordering::Release);
    }
}

impl Host {
    /// Whether all actors that are listed have been told to start; before that nobody is to be called.
    #[must_use]
    pub fn has_started(&self) -> bool {
        self.0.listed.started.load(Ordering::Acquire)
    }

    /// Whether its supervisor answers within `limit`: a host that does not is of no use any more. One that stops answers to
    /// its end.
    pub async fn answers_within(&self, limit: Duration) -> bool {
        timeout(limit, self.0.supervisor.count_children(None)).await.is_ok()
    }

    /// How far the start has come. A host takes messages from the moment it is built; those for actors that still load their
    /// states wait.
    #[must_use]
    pub fn startup(&self) -> Startup {
        let own = &self.0.listed;
        let listed = own.names.len();
        if own.done.load(Ordering::Acquire) {
            return Startup { listed, settled: listed, done: true };
        }
        let started = own.started.load(Ordering::Acquire);
        let phase = |name: &ActorName| self.0.registry.whereis(name).map(|cell| cell.status().phase);
        let settled = own.names.iter().filter(|name| is_settled(phase(name), started)).count();
        let done = started && settled == listed;
        if done && !own.done.swap(true, Ordering::AcqRel) {
            self.0.events.tell(About::default(), EventDetail::Host { state: HostState::Ready });
        }
        Startup { listed, settled, done }
    }
}

/// Looks whether the start is over, until it is, or the host is gone: those who listen hear of it also where nobody else asks.
pub(super) async fn follow(host: Weak<Inner>) {
    while let Some(host) = host.upgrade().map(Host) {
        if host.startup().done || !host.is_ready() {
            return;
        }
        drop(host);
        tokio::time::sleep(LOOK).await;
    }
}

/// Whether an actor that stands in `phase`, or is not there, needs no more time to be what it will be.
fn is_settled(phase: Option<Phase>, started: bool) -> bool {
    match phase {
        None => started,
        Some(Phase::Running | Phase::Suspended | Phase::Asleep) => true,
        // It is tried again after a while, as often as its supervisor allows.
        Some(Phase::Starting | Phase::Continuing | Phase::Restarting) => false,
        Some(Phase::Stopping | Phase::Held | Phase::Elsewhere | Phase::Failed) => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_loads_its_state_is_waited_for_and_who_stays_down_is_not() {
        let cases = [
            (None, false, false),
            (None, true, true),
            (Some(Phase::Starting), true, false),
            (Some(Phase::Continuing), true, false),
            (Some(Phase::Restarting), true, false),
            (Some(Phase::Running), false, true),
            (Some(Phase::Held), true, true),
            (Some(Phase::Elsewhere), true, true),
            (Some(Phase::Failed), true, true),
        ];
        for (phase, started, settled) in cases {
            assert_eq!(is_settled(phase, started), settled, "{phase:?} {started}");
        }
    }
}
