//! The hosts that share a store: each holds one lease, renewed on the store's own clock, and writes only while that runs.

use std::collections::BTreeMap;

use futures_util::future::BoxFuture;
use schemars::JsonSchema;
use serde::Serialize;

use super::StoreError;

/// How long a lease that has ended is listed, in milliseconds: whoever looks at what its host has left knows by it that this
/// host is gone, and on which node it was. Each join drops older ones.
pub const ENDED_KEPT_MS: u64 = 3_600_000;
/// Shortest and longest time to live of a lease, in milliseconds.
pub const LEAST_LEASE_TTL_MS: u64 = 500;
/// See [`LEAST_LEASE_TTL_MS`].
pub const MOST_LEASE_TTL_MS: u64 = 600_000;

/// The hosts that share a store. Everything is by the store's own clock: a server's, where there is one.
///
/// Every write under a [`Lease`](super::Lease) checks, in the same step as its compare-and-swap, that the lease of its owner
/// still runs, and is a [`StoreError::Conflict`] else: a host that was paused for longer than its lease writes nothing.
pub trait Hosts: Send + Sync {
    /// Adds a host, with a lease that runs from now on. Its id is drawn anew for each join.
    ///
    /// # Errors
    /// `Conflict` if the id is known already; `Unavailable`; `Unknown` if the answer was lost.
    fn join<'a>(&'a self, host: &'a NewHost) -> BoxFuture<'a, Result<(), StoreError>>;

    /// Lets its lease run for its time to live again, from now on.
    ///
    /// # Errors
    /// `Conflict` once the lease has ended, or is not known: an ended lease never comes back. `Unavailable`; `Unknown` if the
    /// answer was lost.
    fn renew<'a>(&'a self, id: &'a str) -> BoxFuture<'a, Result<(), StoreError>>;

    /// Ends its lease and takes it off the list. One that is not listed is left already.
    ///
    /// # Errors
    /// `Unavailable`; `Unknown` if the answer was lost.
    fn leave<'a>(&'a self, id: &'a str) -> BoxFuture<'a, Result<(), StoreError>>;

    /// The leases, in the order of their ids: those that run, and those that ended within the last [`ENDED_KEPT_MS`].
    ///
    /// # Errors
    /// `Unavailable` where the store is out of reach.
    fn list(&self) -> BoxFuture<'_, Result<Vec<HostLease>, StoreError>>;
}

/// A host that joins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewHost {
    /// Drawn anew for each join: the owner, in the heads of its actors.
    pub id: String,
    /// The name of the node that it runs on; the same over restarts.
    pub node: String,
    /// Where its API is reached, if it is: a URL.
    pub address: Option<String>,
    /// How long its lease runs without being renewed, in milliseconds: [`LEAST_LEASE_TTL_MS`] to [`MOST_LEASE_TTL_MS`].
    pub lease_ttl_ms: u64,
}

/// The lease of a host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct HostLease {
    /// The host's id.
    pub id: String,
    /// Its node.
    pub node: String,
    /// Where its API is reached, if it is: a URL.
    pub address: Option<String>,
    /// How much longer it runs, in milliseconds by the store's clock; 0: it has ended.
    pub left_ms: u64,
}

/// What a write, or a renewal, under a lease that has ended is answered with.
#[must_use]
pub fn lease_ended(id: &str) -> StoreError {
    StoreError::Conflict(format!("the lease of host `{id}` on this store has ended"))
}

/// What a tool is told that would write to an actor of a host whose lease runs.
#[must_use]
pub fn owned_by_a_host(id: &str) -> StoreError {
    StoreError::Conflict(format!("host `{id}` owns it, and its lease runs: stop the actor there first"))
}

/// The leases, as functions of what is asked and of the time in milliseconds: for a store that keeps them itself.
#[derive(Debug, Default)]
pub(super) struct Roster(BTreeMap<String, Entry>);

#[derive(Debug)]
struct Entry {
    host: NewHost,
    until_ms: u64,
}

impl Roster {
    /// # Errors
    /// As [`Hosts::join`].
    pub(super) fn join(&mut self, host: &NewHost, now_ms: u64) -> Result<(), StoreError> {
        if self.0.contains_key(&host.id) {
            return Err(StoreError::Conflict(format!("host `{}` has joined already", host.id)));
        }
        self.0.retain(|_, entry| entry.until_ms.saturating_add(ENDED_KEPT_MS) > now_ms);
        let until_ms = now_ms + host.lease_ttl_ms.clamp(LEAST_LEASE_TTL_MS, MOST_LEASE_TTL_MS);
        self.0.insert(host.id.clone(), Entry { host: host.clone(), until_ms });
        Ok(())
    }

    /// # Errors
    /// As [`Hosts::renew`].
    pub(super) fn renew(&mut self, id: &str, now_ms: u64) -> Result<(), StoreError> {
        self.check(id, now_ms)?;
        if let Some(entry) = self.0.get_mut(id) {
            entry.until_ms = now_ms + entry.host.lease_ttl_ms.clamp(LEAST_LEASE_TTL_MS, MOST_LEASE_TTL_MS);
        }
        Ok(())
    }

    pub(super) fn leave(&mut self, id: &str) {
        self.0.remove(id);
    }

    /// Ends its lease now.
    pub(super) fn end(&mut self, id: &str, now_ms: u64) {
        if let Some(entry) = self.0.get_mut(id) {
            entry.until_ms = entry.until_ms.min(now_ms);
        }
    }

    /// That the lease of `id` runs.
    ///
    /// # Errors
    /// `Conflict` if it has ended, or never was.
    pub(super) fn check(&self, id: &str, now_ms: u64) -> Result<(), StoreError> {
        if self.runs(id, now_ms) { Ok(()) } else { Err(lease_ended(id)) }
    }

    pub(super) fn runs(&self, id: &str, now_ms: u64) -> bool {
        self.0.get(id).is_some_and(|entry| entry.until_ms > now_ms)
    }

    pub(super) fn list(&self, now_ms: u64) -> Vec<HostLease> {
        let lease = |Entry { host, until_ms }: &Entry| HostLease {
            id: host.id.clone(),
            node: host.node.clone(),
            address: host.address.clone(),
            left_ms: until_ms.saturating_sub(now_ms),
        };
        let known = |entry: &&Entry| entry.until_ms.saturating_add(ENDED_KEPT_MS) > now_ms;
        self.0.values().filter(known).map(lease).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(id: &str) -> NewHost {
        NewHost { id: id.into(), node: "n".into(), address: None, lease_ttl_ms: 1_000 }
    }

    #[test]
    fn a_lease_runs_from_each_renewal_on_and_never_comes_back() {
        let mut roster = Roster::default();
        roster.join(&host("a"), 100).expect("joins");
        assert!(matches!(roster.join(&host("a"), 100), Err(StoreError::Conflict(_))), "an id is drawn anew");
        roster.renew("a", 1_099).expect("it runs");
        assert_eq!(roster.list(1_100)[0].left_ms, 999);
        for now in [2_099, 2_100, 1_000_000] {
            assert_eq!(roster.renew("a", now), Err(lease_ended("a")), "{now}");
            assert_eq!(roster.list(now)[0].left_ms, 0, "{now}");
        }
        assert_eq!(roster.renew("b", 0), Err(lease_ended("b")));
        roster.join(&host("b"), 2_000_000).expect("joins");
        roster.leave("b");
        roster.leave("b");
        assert_eq!(roster.renew("b", 2_000_001), Err(lease_ended("b")), "it has left");
    }

    #[test]
    fn a_lease_that_has_ended_is_listed_for_a_while() {
        let mut roster = Roster::default();
        roster.join(&host("a"), 0).expect("joins");
        let listed = |roster: &Roster, now| roster.list(now).into_iter().map(|lease| lease.id).collect::<Vec<_>>();
        assert_eq!(listed(&roster, 1_000 + ENDED_KEPT_MS - 1), ["a"]);
        assert!(listed(&roster, 1_000 + ENDED_KEPT_MS).is_empty());
        roster.join(&host("b"), 1_000 + ENDED_KEPT_MS).expect("joins");
        assert_eq!(roster.0.len(), 1, "and then it is dropped");
    }
}
