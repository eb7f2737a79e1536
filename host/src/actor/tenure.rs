//! This host's right to run the actors of a store that it shares with others: its lease there, as the host's own clock has
//! it. Nothing begins and nothing leaves unless that says, at that very moment, that the lease still runs.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};
use tokio::sync::{Notify, watch};

use super::claiming::{Whose, whose};
use crate::model::OwnedElsewhere;
use crate::store::{Head, HostLease, SnapshotStore, StoreError};

/// Open for ever.
const FOR_EVER: u64 = u64::MAX;

/// A clock that goes on while the machine sleeps: on Linux that is not the monotonic one, elsewhere it is.
#[cfg(target_os = "linux")]
const CLOCK: ClockId = ClockId::Boottime;
#[cfg(not(target_os = "linux"))]
const CLOCK: ClockId = ClockId::Monotonic;

/// The machine's time since it was started, in milliseconds, that in which it slept included: `Instant` on Linux does not
/// count that, and a lease goes on meanwhile.
pub(crate) fn boot_ms() -> u64 {
    let now = clock_gettime(CLOCK);
    let (seconds, nanos) = (u64::try_from(now.tv_sec).unwrap_or(0), u64::try_from(now.tv_nsec).unwrap_or(0));
    seconds * 1_000 + nanos / 1_000_000
}

/// One lease, from when the host joined until it ended.
#[derive(Debug)]
pub(crate) struct Tenure {
    id: String,
    /// Until when something may begin or leave, by [`boot_ms`].
    open_until_ms: AtomicU64,
    told: watch::Sender<Told>,
    doubted: Notify,
}

#[derive(Debug, Default)]
struct Told {
    /// Why it has ended, once it has.
    ended: Option<String>,
}

impl Tenure {
    /// Of a store that is this host's alone.
    pub(crate) fn alone(id: String) -> Self {
        Self { id, open_until_ms: AtomicU64::new(FOR_EVER), told: watch::Sender::default(), doubted: Notify::new() }
    }

    /// Of a lease that was confirmed.
    pub(crate) fn of_lease(id: String, open_until_ms: u64) -> Self {
        Self { open_until_ms: AtomicU64::new(open_until_ms), ..Self::alone(id) }
    }

    /// The host, in heads.
    pub(crate) fn id(&self) -> &str {
        &self.id
    }

    /// Whether something may begin or leave now.
    pub(crate) fn is_open(&self) -> bool {
        match self.open_until_ms.load(Ordering::Acquire) {
            FOR_EVER => true,
            until => boot_ms() < until,
        }
    }

    /// Waits until something may begin or leave; for ever once it has ended.
    pub(crate) async fn open(&self) {
        if self.is_open() {
            return;
        }
        let mut told = self.told.subscribe();
        loop {
            told.mark_unchanged();
            if self.is_open() {
                return;
            }
            // Its sender lives as long as this does.
            if told.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }

    /// A renewal was confirmed.
    pub(crate) fn renewed(&self, open_until_ms: u64) {
        if self.has_ended().is_none() {
            self.open_until_ms.store(open_until_ms, Ordering::Release);
            self.told.send_modify(|_| {});
        }
    }

    /// The store has refused a write: the lease may have ended, and is to be looked after at once.
    pub(super) fn doubt(&self) {
        self.doubted.notify_one();
    }

    /// Ready when the lease is to be looked after at once.
    pub(crate) async fn doubted(&self) {
        self.doubted.notified().await;
    }

    /// The lease has ended.
    pub(crate) fn end(&self, why: &str) {
        self.open_until_ms.store(0, Ordering::Release);
        self.told.send_modify(|told| {
            told.ended.get_or_insert_with(|| why.to_owned());
        });
    }

    /// Why it has ended, if it has.
    pub(crate) fn has_ended(&self) -> Option<String> {
        self.told.borrow().ended.clone()
    }

    /// Why it has ended, once it has.
    pub(crate) async fn ended(&self) -> String {
        let mut told = self.told.subscribe();
        loop {
            if let Some(why) = told.borrow_and_update().ended.clone() {
                return why;
            }
            // Its sender lives as long as this does.
            if told.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }
}

/// How this host stands among others.
#[derive(Debug)]
pub(crate) struct Tenures {
    node: String,
    policy: OwnedElsewhere,
    look: Duration,
    shared: bool,
    current: watch::Sender<Arc<Tenure>>,
    /// As they were listed last, and when. What is said to have ended there has.
    leases: Mutex<(Option<Instant>, Vec<HostLease>)>,
}

impl Tenures {
    /// Of a store that is this host's alone.
    pub(crate) fn alone(id: String, node: String) -> Self {
        let current = Arc::new(Tenure::alone(id));
        Self {
            node,
            policy: OwnedElsewhere::default(),
            look: Duration::ZERO,
            shared: false,
            current: watch::Sender::new(current),
            leases: Mutex::default(),
        }
    }

    /// Of a store that is shared. Nothing is claimed before the first tenure.
    pub(crate) fn shared(node: String, policy: OwnedElsewhere, look: Duration) -> Self {
        let current = Arc::new(Tenure::of_lease(String::new(), 0));
        let current = watch::Sender::new(current);
        Self { policy, look, shared: true, current, ..Self::alone(String::new(), node) }
    }

    pub(crate) fn is_shared(&self) -> bool {
        self.shared
    }

    /// This host's node.
    pub(crate) fn node(&self) -> &str {
        &self.node
    }

    pub(crate) fn policy(&self) -> OwnedElsewhere {
        self.policy
    }

    /// How long to wait until the next look at an actor that another host owns. Drawn, so that hosts that wait for the same
    /// actors do not look, and claim, all at once.
    pub(super) fn next_look(&self) -> Duration {
        let drawn = u64::from(getrandom::u32().unwrap_or(u32::MAX / 2)) % 1_000;
        // From three quarters of it to five quarters.
        self.look * u32::try_from(750 + drawn / 2).unwrap_or(1_000) / 1_000
    }

    /// The last one.
    pub(crate) fn current(&self) -> Arc<Tenure> {
        self.current.borrow().clone()
    }

    /// Another one has begun.
    pub(crate) fn begin(&self, tenure: Tenure) {
        self.current.send_replace(Arc::new(tenure));
    }

    /// The one under which something may begin, once there is one.
    pub(super) async fn in_force(&self) -> Arc<Tenure> {
        let mut current = self.current.subscribe();
        loop {
            let tenure = current.borrow_and_update().clone();
            tokio::select! {
                biased;
                () = tenure.open() => return tenure,
                changed = current.changed() => if changed.is_err() { std::future::pending::<()>().await },
            }
        }
    }

    /// The leases as they were listed last.
    pub(crate) fn leases(&self) -> Vec<HostLease> {
        self.leases.lock().unwrap_or_else(PoisonError::into_inner).1.clone()
    }

    pub(crate) fn listed(&self, leases: Vec<HostLease>) {
        *self.leases.lock().unwrap_or_else(PoisonError::into_inner) = (Some(Instant::now()), leases);
    }

    /// Whether `me` may claim an actor with this head, which was read before this is asked.
    ///
    /// # Errors
    /// Where the store does not say which hosts there are.
    pub(crate) async fn whose(
        &self,
        store: &dyn SnapshotStore,
        head: Option<&Head>,
        me: &str,
    ) -> Result<Whose, StoreError> {
        let owner = head.and_then(|head| head.owner.as_deref());
        let (Some(owner), Some(hosts)) = (owner.filter(|owner| self.shared && *owner != me), store.hosts()) else {
            return Ok(Whose::Free);
        };
        if let Some(known) = self.known(owner) {
            return Ok(known);
        }
        // Looked up now: whoever owns it has joined before it claimed.
        let leases = hosts.list().await?;
        self.listed(leases.clone());
        Ok(whose(owner, &self.node, &leases, self.policy))
    }

    /// Whose an actor of `owner` is, by the leases that were listed last: an end that is known stays so, and one that ran a
    /// moment ago is asked about again soon.
    fn known(&self, owner: &str) -> Option<Whose> {
        let leases = self.leases.lock().unwrap_or_else(PoisonError::into_inner);
        let (listed, leases) = &*leases;
        let recent = listed.is_some_and(|at| at.elapsed() < self.look);
        let counts = |lease: &&HostLease| lease.id == owner && (lease.left_ms == 0 || recent);
        leases.iter().find(counts).map(|_| whose(owner, &self.node, leases, self.policy))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::pin::pin;

    use futures_util::FutureExt as _;

    #[tokio::test]
    async fn a_tenure_is_open_until_its_time_by_the_hosts_own_clock_and_whoever_waits_hears_of_a_renewal() {
        let tenure = Tenure::of_lease("h".into(), boot_ms());
        assert!(!tenure.is_open());
        {
            let mut waits = pin!(tenure.open());
            assert!(waits.as_mut().now_or_never().is_none());
            tenure.renewed(boot_ms() + 60_000);
            waits.await;
        }
        assert!(tenure.is_open() && tenure.has_ended().is_none());
        tenure.end("why");
        tenure.renewed(boot_ms() + 60_000);
        assert!(!tenure.is_open(), "an end is one");
        assert_eq!(tenure.ended().await, "why");
        assert!(tenure.open().now_or_never().is_none());
        assert!(Tenure::alone("h".into()).is_open());
    }

    #[tokio::test]
    async fn nothing_is_in_force_before_the_host_has_joined_nor_between_two_tenures() {
        let tenures = Tenures::shared("n".into(), OwnedElsewhere::TakeOver, Duration::ZERO);
        assert!(tenures.in_force().now_or_never().is_none());
        let mut waits = pin!(tenures.in_force());
        assert!(waits.as_mut().now_or_never().is_none());
        tenures.begin(Tenure::of_lease("first".into(), boot_ms() + 60_000));
        assert_eq!(waits.await.id(), "first");
        tenures.current().end("paused for too long");
        assert!(tenures.in_force().now_or_never().is_none());
        tenures.begin(Tenure::of_lease("second".into(), boot_ms() + 60_000));
        assert_eq!(tenures.in_force().await.id(), "second");
    }
}
