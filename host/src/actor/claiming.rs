//! Whether an actor may be claimed here, where hosts share a store.

use super::handoff;
use super::run::Instance;
use super::tenure::Tenure;
use crate::events::EventDetail;
use crate::model::{OwnedElsewhere, log_of, owned_elsewhere};
use crate::store::{HostLease, Lease, StoreError};

/// Whose an actor is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Whose {
    /// Nobody's, or this host's.
    Free,
    /// A host's that is gone: it may be taken over. The node of that host, where it is known.
    Left(Option<String>),
    /// Another host's.
    Others(Owner),
}

/// The host that owns an actor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Owner {
    pub(crate) node: String,
    pub(crate) address: Option<String>,
    /// Whether its lease still runs: else it is gone, and its actors wait for it.
    pub(crate) runs: bool,
    /// Whether this host is to look again by itself.
    pub(crate) waits: bool,
}

impl Owner {
    /// What a person is told of `actor`.
    pub(crate) fn of(&self, actor: &str) -> String {
        let gone = if self.runs { "" } else { ", whose lease on the store has ended" };
        format!("{}{gone}", owned_elsewhere(actor, &self.node, self.address.as_deref()))
    }
}

/// Decides whose an actor is that is owned by `owner`, which is not this host. `node`: this host's.
pub(super) fn whose(owner: &str, node: &str, leases: &[HostLease], policy: OwnedElsewhere) -> Whose {
    // One that is not listed has left, or has been gone for so long that nobody waits for it any more.
    let Some(lease) = leases.iter().find(|lease| lease.id == owner) else { return Whose::Left(None) };
    let runs = lease.left_ms > 0;
    // What this node itself has left is its own again, once that lease has ended.
    if !runs && (policy == OwnedElsewhere::TakeOver || lease.node == node) {
        return Whose::Left(Some(lease.node.clone()));
    }
    // One on the same node may be what this host was before it was started again.
    let waits = policy != OwnedElsewhere::Refuse || lease.node == node;
    Whose::Others(Owner { node: lease.node.clone(), address: lease.address.clone(), runs, waits })
}

/// Why an actor was not claimed.
#[derive(Debug)]
pub(super) enum NotClaimed {
    /// Another host owns it.
    Elsewhere(Owner),
    Store(StoreError),
}

impl From<StoreError> for NotClaimed {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl Instance {
    /// Claims the actor under `tenure`, unless another host owns it.
    ///
    /// # Errors
    /// Who owns it; or what the store says.
    pub(super) async fn claim_under(&self, tenure: &Tenure) -> Result<Lease, NotClaimed> {
        let (store, actor) = (&*self.parts.store, self.cell.name());
        let head = store.head(actor).await?;
        let whose = self.parts.tenures.whose(store, head.as_ref().map(|(head, _)| head), tenure.id()).await?;
        if let Whose::Others(owner) = whose {
            return Err(NotClaimed::Elsewhere(owner));
        }
        let early = self.cell.status().early;
        let wakes = head.as_ref().is_some_and(|(head, _)| handoff::is_woken(head, early));
        let revision = head.map(|(_, revision)| revision);
        let claimed = match wakes {
            true => store.wake(actor, revision, tenure.id()).await,
            false => store.claim(actor, revision, tenure.id()).await,
        };
        let lease = claimed.inspect_err(|error| {
            if matches!(error, StoreError::Conflict(_)) {
                tenure.doubt();
            }
        })?;
        self.cell.status().early = lease.head.taken_up.filter(|_| !lease.is_taken_up());
        if let Whose::Left(node) = whose {
            log_of!(info, self.cell.label(), node, "taken over from a host that is gone");
            self.parts.metrics.hosts().takeovers.one_more();
            self.tell(EventDetail::TakenOver { node });
        }
        Ok(lease)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_host_owns_whose_lease_runs_is_never_taken() {
        use OwnedElsewhere::{Refuse, TakeOver, Wait};
        let lease = |id: &str, node: &str, left_ms| HostLease {
            id: id.into(),
            node: node.into(),
            address: Some(format!("http://{id}")),
            left_ms,
        };
        let leases =
            [lease("runs", "b", 1), lease("ended", "b", 0), lease("mine", "here", 0), lease("my twin", "here", 1)];
        let others = |id: &str, node: &str, runs, waits| {
            Whose::Others(Owner { node: node.into(), address: Some(format!("http://{id}")), runs, waits })
        };
        let left = |node: &str| Whose::Left(Some(node.into()));
        let cases = [
            ("runs", Refuse, others("runs", "b", true, false)),
            ("runs", Wait, others("runs", "b", true, true)),
            ("runs", TakeOver, others("runs", "b", true, true)),
            // A second host on the same node is another host, or what this one was.
            ("my twin", Refuse, others("my twin", "here", true, true)),
            ("my twin", TakeOver, others("my twin", "here", true, true)),
            ("ended", Refuse, others("ended", "b", false, false)),
            ("ended", Wait, others("ended", "b", false, true)),
            ("ended", TakeOver, left("b")),
            ("mine", Refuse, left("here")),
            ("mine", Wait, left("here")),
            ("mine", TakeOver, left("here")),
            ("nobody", Refuse, Whose::Left(None)),
            ("nobody", Wait, Whose::Left(None)),
            ("nobody", TakeOver, Whose::Left(None)),
        ];
        for (owner, policy, expected) in cases {
            assert_eq!(whose(owner, "here", &leases, policy), expected, "{owner} {policy:?}");
        }
    }
}
