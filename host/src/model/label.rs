//! What names an instance in the log.

use std::sync::atomic::{AtomicU64, Ordering};

use super::{ActorName, PluginName, Version};

/// Whose instance a line of the log is about: every such line carries all of it.
#[derive(Debug)]
pub(crate) struct Label {
    pub(crate) actor: ActorName,
    /// None: it has not said yet what it is.
    pub(crate) plugin: Option<PluginName>,
    /// None: it has had no instance yet.
    pub(crate) version: Option<Version>,
    generation: AtomicU64,
}

impl Label {
    /// `generation`: 0 before it has claimed its state.
    pub(crate) fn new(actor: ActorName, plugin: Option<PluginName>, version: Option<Version>, generation: u64) -> Self {
        Self { actor, plugin, version, generation: AtomicU64::new(generation) }
    }

    pub(crate) fn generation(&self) -> u64 {
        self.generation.load(Ordering::Relaxed)
    }

    /// It takes over as this generation.
    pub(crate) fn take_over(&self, generation: u64) {
        self.generation.store(generation, Ordering::Relaxed);
    }
}

/// A line of the log about an instance: a level as `tracing` names its macros, a [`Label`], and the rest as these have it.
macro_rules! log_of {
    ($level:ident, target: $target:expr, $label:expr, $($rest:tt)+) => {
        // A match keeps what the label is borrowed from.
        match &$label {
            label => tracing::$level!(
                target: $target,
                actor = %label.actor,
                plugin = label.plugin.as_ref().map(tracing::field::display),
                version = label.version.as_ref().map(tracing::field::display),
                generation = label.generation(),
                $($rest)+
            ),
        }
    };
    ($level:ident, $label:expr, $($rest:tt)+) => {
        $crate::model::log_of!($level, target: module_path!(), $label, $($rest)+)
    };
}
pub(crate) use log_of;
