//! How an embedder hears of an actor's end, and shares its fate.

use std::sync::Arc;

use tokio::sync::oneshot;

use crate::actor::ExitSignal;
use crate::model::{ActorName, ExitReason};
use crate::registry::Registry;

/// Who ends an actor that an embedder is linked to, in the actor's words.
const EMBEDDER: &str = "embedder";

/// Waits for an actor's end; see [`Host::monitor`](super::Host::monitor).
#[derive(Debug)]
pub struct Monitor(pub(super) oneshot::Receiver<ExitReason>);

impl Monitor {
    /// Why it ended: `noproc` if nobody had the name, or the host is gone.
    pub async fn ended(self) -> ExitReason {
        self.0.await.unwrap_or(ExitReason::Noproc)
    }
}

/// Ties an actor's present instance to whoever holds this; see [`Host::link`](super::Host::link).
///
/// Dropped, it ends the actor as a linked actor's end would: with `shutdown`, or as after a crash where its holder panics.
/// [`Link::unlink`] lets the actor go.
#[derive(Debug)]
pub struct Link {
    pub(super) actor: ActorName,
    pub(super) registry: Arc<Registry>,
    /// None: it has ended, or was let go.
    pub(super) monitor: Option<Monitor>,
}

impl Link {
    /// Waits for the actor's end, and says why it came. If the future is dropped before, the actor is let go.
    pub async fn ended(mut self) -> ExitReason {
        match self.monitor.take() {
            Some(monitor) => monitor.ended().await,
            None => ExitReason::Noproc,
        }
    }

    /// Lets the actor go: nothing happens to it.
    pub fn unlink(mut self) {
        self.monitor = None;
    }

    /// Ends as `reason` says, and the actor with it: one that traps exits is told; of the others, `normal` ends none.
    pub fn exit(mut self, reason: &ExitReason) {
        self.signal(reason);
    }

    fn signal(&mut self, reason: &ExitReason) {
        let Some(Monitor(mut heard)) = self.monitor.take() else { return };
        // The instance that it was tied to has ended: the next one is not tied to anyone.
        if heard.try_recv() != Err(oneshot::error::TryRecvError::Empty) {
            return;
        }
        if let (Some(cell), Ok(from)) = (self.registry.whereis(&self.actor), ActorName::new(EMBEDDER)) {
            // One of a link is always taken.
            drop(cell.hear_exit(ExitSignal::of_link(from, reason)));
        }
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        let reason = match std::thread::panicking() {
            true => ExitReason::Crash("whoever was linked to it panicked".into()),
            false => ExitReason::Shutdown,
        };
        self.signal(&reason);
    }
}
