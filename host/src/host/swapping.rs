//! What an embedder asks of swaps.

use super::Host;
use crate::model::{HostError, PluginName};
use crate::swap::{Swap, SwapEvents, SwapOptions, SwapPlan, SwapSource, SwapStatus};

impl Host {
    /// What a swap of `plugin` would do: who would be switched, whose state the new version does not read, and what it does with
    /// copies of their states, where the options ask for a rehearsal. The new version is loaded for that; nothing else is
    /// touched.
    ///
    /// # Errors
    /// `UnknownPlugin`; `Plugin` if the new version cannot be used; `Swap` if it is what all run already, is of another plugin,
    /// or another swap was left half-way; `Store` if the states of those that sleep cannot be looked at.
    pub async fn plan_swap(
        &self,
        plugin: &PluginName,
        source: SwapSource,
        options: &SwapOptions,
    ) -> Result<SwapPlan, HostError> {
        self.0.swaps.plan(plugin, source, options).await
    }

    /// Swaps the version that the actors of `plugin` run, under traffic: it is checked against every state, rehearsed on copies,
    /// and then switched actor by actor, the old instance alive until the new one has committed. Answers once that is on its
    /// way; [`Swap::ended`] waits for what comes of it. With a data directory, the outcome stands until the configuration names
    /// another component.
    ///
    /// With [`SwapSource::Back`] it goes back to what ran before; a swap that runs still turns round.
    ///
    /// # Errors
    /// As [`Host::plan_swap`]; and `Swap` if one of the same plugin runs, with who began it.
    pub async fn swap(&self, plugin: &PluginName, source: SwapSource, options: SwapOptions) -> Result<Swap, HostError> {
        self.0.swaps.begin(plugin, source, options).await
    }

    /// Tells a swap that runs to stop where it is: those that were switched stay with the new version, and no others follow.
    ///
    /// # Errors
    /// `Swap` if none runs.
    pub fn stop_swap(&self, plugin: &PluginName) -> Result<Swap, HostError> {
        self.0.swaps.stop(plugin)
    }

    /// The swap of `plugin` that runs, or the last one that did since the host started.
    #[must_use]
    pub fn swap_status(&self, plugin: &PluginName) -> Option<SwapStatus> {
        self.0.swaps.status(plugin)
    }

    /// The same, to be followed to its end.
    #[must_use]
    pub fn follow_swap(&self, plugin: &PluginName) -> Option<Swap> {
        self.0.swaps.follow(plugin)
    }

    /// The same for all plugins, in the order in which they began.
    #[must_use]
    pub fn swaps(&self) -> Vec<SwapStatus> {
        self.0.swaps.statuses()
    }

    /// What happens in the course of swaps, from now on.
    #[must_use]
    pub fn swap_events(&self) -> SwapEvents {
        self.0.swaps.events()
    }
}
