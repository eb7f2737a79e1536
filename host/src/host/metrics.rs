//! The host in numbers, for whoever collects them.

use std::collections::BTreeMap;

use super::Host;
use crate::logs::Logs;
use crate::model::Phase;
use crate::telemetry::{OfActors, Pool, Standing, exposition};

impl Host {
    /// Numbers of the host as a whole and of each version of a plugin, in Prometheus' text format: those of
    /// [`METRICS`](crate::telemetry::METRICS). It looks at each actor once.
    #[must_use]
    pub fn metrics(&self) -> String {
        let (mut actors, mut plugins) = (BTreeMap::<_, u64>::new(), BTreeMap::<String, OfActors>::new());
        for actor in self.actors() {
            let plugin = actor.plugin.to_string();
            *actors.entry((plugin.clone(), actor.phase.to_string())).or_default() += 1;
            let sums = plugins.entry(plugin).or_default();
            sums.waiting += actor.waiting as u64;
            sums.waiting_bytes += actor.waiting_bytes as u64;
            sums.memory_bytes += actor.memory_bytes.unwrap_or(0) as u64;
        }
        for (plugin, count) in self.count_sleepers() {
            *actors.entry((plugin.to_string(), Phase::Asleep.to_string())).or_default() += count as u64;
        }
        let pools = self.0.sandbox.pools().map(|(name, used, size)| Pool { name, used, size }).into();
        let store = &self.0.store;
        let store = (store.capabilities().backend, store.failures(), store.trouble().is_none());
        let events_dropped = self.0.events.dropped();
        let log_lines_dropped = self.0.logs.as_ref().map_or(0, Logs::lines_dropped);
        let standing =
            Standing { actors, plugins, pools, store, events_dropped, log_lines_dropped, frozen: self.is_frozen() };
        exposition(self.0.router.metrics(), standing)
    }
}
