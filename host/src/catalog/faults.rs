//! What goes wrong with a version while it runs: counted, and the last of it kept in words.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use crate::model::ActorName;

/// Failures of one version that are kept in words; all are counted.
const FAULTS: usize = 20;

/// That an instance of some version crashed, or could not use its state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Fault {
    /// Whose.
    pub actor: ActorName,
    /// What happened.
    pub what: String,
}

/// Those of one version.
#[derive(Debug, Default)]
pub(super) struct Faults {
    count: watch::Sender<u64>,
    last: Mutex<VecDeque<Fault>>,
}

impl Faults {
    pub(super) fn note(&self, fault: Fault) {
        {
            let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
            if last.len() >= FAULTS {
                last.pop_front();
            }
            last.push_back(fault);
        }
        self.count.send_modify(|count| *count += 1);
    }

    /// How many there were; it changes with each.
    pub(super) fn count(&self) -> watch::Receiver<u64> {
        self.count.subscribe()
    }

    /// The last of them, oldest first.
    pub(super) fn last(&self) -> Vec<Fault> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }
}
