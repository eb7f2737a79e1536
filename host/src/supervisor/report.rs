//! What a shutdown came to.

use serde::Serialize;

use crate::model::{ActorName, NotSaved, Saved};

/// What became of every actor when the host was shut down, in the order in which they ended.
#[derive(Debug, Clone, Default, Serialize)]
pub struct ShutdownReport {
    /// Each actor, and what became of its state.
    pub stopped: Vec<(ActorName, Saved)>,
    /// What went wrong beside them, if anything did: with the store's last barrier, or with the shutdown itself.
    pub trouble: Option<String>,
}

impl ShutdownReport {
    /// Whether nothing was lost.
    #[must_use]
    pub fn all_saved(&self) -> bool {
        self.trouble.is_none() && self.not_saved().next().is_none()
    }

    /// Those whose state or messages could not be saved, and why.
    pub fn not_saved(&self) -> impl Iterator<Item = (&ActorName, &NotSaved)> {
        self.stopped.iter().filter_map(|(name, saved)| match saved {
            Saved::Not(why) => Some((name, why)),
            _ => None,
        })
    }
}
