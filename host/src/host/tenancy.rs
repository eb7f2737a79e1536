//! The host's lease on a store that it shares with others: joined before anything is claimed, renewed in time, and given
//! back at the end. By it the host's actors freeze and end.

use std::collections::BTreeSet;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use schemars::JsonSchema;
use serde::Serialize;
use tokio::sync::Notify;
use tokio::time::{sleep, timeout};

use super::{Host, Inner};
use crate::actor::{Tenure, boot_ms};
use crate::events::{About, EventDetail};
use crate::model::{HostsSettings, MessageId, OwnedElsewhere};
use crate::store::{HostLease, Hosts, NewHost, SnapshotStore, StoreError};
use crate::telemetry::OfHosts;

/// Waits between two tries to join, in milliseconds: the first, and the longest.
const JOIN_FIRST_MS: u64 = 50;
const JOIN_LONGEST_MS: u64 = 2_000;
/// How soon a lease is renewed once the store has refused a write, in milliseconds: many may be refused at once.
const DOUBT_MS: u64 = 20;
/// How long the host waits for the store when it leaves, and when it is asked who shares it; in milliseconds.
const ANSWER_TIMEOUT_MS: u64 = 2_000;

/// When a lease is renewed, and when the host may rely on it: all by the host's own clock, which counts from when the last
/// renewal that was confirmed was sent. The store's clock has begun later, so the lease ends there later.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Terms {
    ttl_ms: u64,
    margin_ms: u64,
}

/// How a lease stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    /// Something may begin and leave; the next renewal is to be sent in so many milliseconds.
    Open(u64),
    /// Nothing may. Whether the lease has ended, the store alone can say.
    Frozen,
}

impl Terms {
    /// Until when something may begin and leave after a renewal that was sent then.
    fn open_until(self, sent_ms: u64) -> u64 {
        sent_ms.saturating_add(self.ttl_ms.saturating_sub(self.margin_ms))
    }

    /// How often it is renewed.
    fn every_ms(self) -> u64 {
        (self.ttl_ms / 4).max(1)
    }

    /// How long after a renewal that failed the next one is sent.
    fn again_ms(self) -> u64 {
        (self.ttl_ms / 20).max(1)
    }

    fn standing(self, sent_ms: u64, now_ms: u64) -> Standing {
        if now_ms >= self.open_until(sent_ms) {
            return Standing::Frozen;
        }
        Standing::Open(sent_ms.saturating_add(self.every_ms()).saturating_sub(now_ms))
    }
}

/// What a host knows of its lease.
#[derive(Debug)]
pub(super) struct Tenancy {
    settings: HostsSettings,
    address: Mutex<Option<String>>,
    /// The host has given its lease back, and joins no more.
    has_left: AtomicBool,
    /// Told whenever another host may have left actors behind.
    left_behind: Arc<Notify>,
}

impl Tenancy {
    pub(super) fn new(settings: HostsSettings) -> Self {
        let address = Mutex::new(settings.address.clone());
        Self { settings, address, has_left: AtomicBool::new(false), left_behind: Arc::default() }
    }

    pub(super) fn reached_at(&self, address: &str) {
        self.lock().get_or_insert_with(|| address.to_owned());
    }

    pub(super) fn left_behind(&self) -> Arc<Notify> {
        self.left_behind.clone()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<String>> {
        // It is changed whole.
        self.address.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn terms(&self) -> Terms {
        let ms = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        Terms { ttl_ms: ms(self.settings.lease_ttl), margin_ms: ms(self.settings.lease_margin) }
    }
}

/// A host's id: drawn anew at each join.
pub(super) fn new_id() -> String {
    format!("host-{}", MessageId::random())
}

/// Who shares the store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct HostsInfo {
    /// This host.
    pub this: ThisHost,
    /// All of them, this one included, in the order of their ids. Those whose lease has ended are listed for an hour.
    pub hosts: Vec<HostLease>,
    /// Why the store does not say so now; then `hosts` is what it said last.
    pub trouble: Option<String>,
}

/// How this host stands among them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct ThisHost {
    /// Its id, drawn anew at each join; empty before the first.
    pub id: String,
    /// Its node.
    pub node: String,
    /// Where it says that its API is: a URL.
    pub address: Option<String>,
    /// How its lease stands.
    pub lease: LeaseState,
    /// What it does with actors of its own that others own.
    pub owned_elsewhere: OwnedElsewhere,
}

/// How a host's own lease stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum LeaseState {
    /// It runs.
    Open,
    /// It was not renewed in time: nothing begins, and nothing leaves.
    Frozen,
    /// There is none: it has ended, or the host has not joined yet.
    None,
}

impl Host {
    /// Whether nothing begins and nothing leaves at present, since the host's lease on a store that it shares was not renewed
    /// in time, or is none. Messages wait.
    #[must_use]
    pub fn is_frozen(&self) -> bool {
        !self.0.tenures.current().is_open()
    }

    /// Who shares the store; none: it is this host's alone.
    pub async fn hosts(&self) -> Option<HostsInfo> {
        let (tenures, shared) = (&self.0.tenures, self.0.store.hosts()?);
        let trouble = match timeout(Duration::from_millis(ANSWER_TIMEOUT_MS), shared.list()).await {
            Ok(Ok(leases)) => {
                tenures.listed(leases);
                None
            }
            Ok(Err(error)) => Some(error.to_string()),
            Err(_) => Some(format!("no answer within {ANSWER_TIMEOUT_MS} ms")),
        };
        let tenure = tenures.current();
        let lease = match (tenure.is_open(), tenure.has_ended()) {
            (true, _) => LeaseState::Open,
            (false, None) if !tenure.id().is_empty() => LeaseState::Frozen,
            (false, _) => LeaseState::None,
        };
        let this = ThisHost {
            id: tenure.id().to_owned(),
            node: tenures.node().to_owned(),
            address: self.0.tenancy.lock().clone(),
            lease,
            owned_elsewhere: tenures.policy(),
        };
        Some(HostsInfo { this, hosts: tenures.leases(), trouble })
    }

    /// Gives the lease back: others need not wait for its end. What could not be released is left behind by it.
    pub(super) async fn leave(&self) {
        let Some(hosts) = self.0.store.hosts() else { return };
        self.0.tenancy.has_left.store(true, Ordering::Release);
        let tenure = self.0.tenures.current();
        tenure.end("the host has left");
        give_back(hosts, tenure.id()).await;
    }
}

async fn give_back(hosts: &dyn Hosts, id: &str) {
    let left = timeout(Duration::from_millis(ANSWER_TIMEOUT_MS), hosts.leave(id)).await;
    if !matches!(left, Ok(Ok(()))) {
        tracing::warn!("the store did not hear that this host has left: its lease there ends by itself");
    }
}

/// Keeps the lease, as long as the host is there. Each one that has ended is followed by another.
pub(super) async fn keep(host: Weak<Inner>) {
    let mut first = true;
    loop {
        let Some(sent_ms) = join(&host).await else { return };
        if !std::mem::replace(&mut first, false)
            && let Some(host) = host.upgrade()
        {
            // What it had may be free again, with nobody to start it.
            host.tenancy.left_behind.notify_one();
        }
        let Some(mut keeper) = Keeper::of(&host, sent_ms) else { return };
        let Some(why) = keeper.until_lost(&host).await else { return };
        let Some(host) = host.upgrade().filter(|host| !host.tenancy.has_left.load(Ordering::Acquire)) else { return };
        tracing::error!(why, "the host's lease on the store has ended: its actors are stopped, and nothing is written");
        host.router.metrics().hosts().lost_leases.one_more();
        keeper.tenure.end(&why);
        host.events.tell(About::default(), EventDetail::LeaseLost { why });
    }
}

/// Joins, as often as it takes. When what was confirmed was sent; none: the host is gone, or the store is its own.
async fn join(host: &Weak<Inner>) -> Option<u64> {
    let mut pause_ms = JOIN_FIRST_MS;
    loop {
        let host = host.upgrade().filter(|host| !host.tenancy.has_left.load(Ordering::Acquire))?;
        let (hosts, terms) = (host.store.hosts()?, host.tenancy.terms());
        let (node, address) = (host.tenures.node().to_owned(), host.tenancy.lock().clone());
        let new = NewHost { id: new_id(), node, address, lease_ttl_ms: terms.ttl_ms };
        let sent_ms = boot_ms();
        let error = match timeout(Duration::from_millis(terms.every_ms()), hosts.join(&new)).await {
            // One that was confirmed too late to be of use ends by itself.
            Ok(Ok(())) if boot_ms() < terms.open_until(sent_ms) => {
                if host.tenancy.has_left.load(Ordering::Acquire) {
                    give_back(hosts, &new.id).await;
                    return None;
                }
                tracing::info!(id = new.id, node = new.node, "the host has joined those that share the store");
                host.tenures.begin(Tenure::of_lease(new.id, terms.open_until(sent_ms)));
                return Some(sent_ms);
            }
            Ok(Ok(())) => "its answer came too late".to_owned(),
            Ok(Err(error)) => error.to_string(),
            Err(_) => format!("no answer within {} ms", terms.every_ms()),
        };
        tracing::warn!(error, "the host has not joined those that share the store yet: its actors wait");
        drop(host);
        sleep(Duration::from_millis(pause_ms)).await;
        pause_ms = (pause_ms * 2).min(JOIN_LONGEST_MS);
    }
}

/// One lease, while it lasts.
struct Keeper {
    tenure: Arc<Tenure>,
    store: Arc<dyn SnapshotStore>,
    terms: Terms,
    /// When the last renewal that was confirmed was sent.
    sent_ms: u64,
    /// Since when it is frozen.
    frozen_ms: Option<u64>,
    /// Why the last renewal failed.
    failed: Option<String>,
    /// The other hosts that ran when they were listed last.
    running: BTreeSet<String>,
}

impl Keeper {
    fn of(host: &Weak<Inner>, sent_ms: u64) -> Option<Self> {
        let host = host.upgrade()?;
        Some(Self {
            tenure: host.tenures.current(),
            store: host.store.clone(),
            terms: host.tenancy.terms(),
            sent_ms,
            frozen_ms: None,
            failed: None,
            running: BTreeSet::new(),
        })
    }

    /// Renews until the lease has ended: why. None: the host is gone.
    async fn until_lost(&mut self, host: &Weak<Inner>) -> Option<String> {
        self.look_around(host).await;
        let mut pause_ms = self.terms.every_ms();
        loop {
            let tenure = self.tenure.clone();
            let pause = async {
                tokio::select! {
                    () = sleep(Duration::from_millis(pause_ms)) => {}
                    () = tenure.doubted() => sleep(Duration::from_millis(DOUBT_MS.min(pause_ms))).await,
                }
            };
            self.telling(host, pause).await;
            if host.upgrade().is_none_or(|host| host.tenancy.has_left.load(Ordering::Acquire)) {
                return None;
            }
            let store = self.store.clone();
            let hosts = store.hosts()?;
            let sent_ms = boot_ms();
            let limit = Duration::from_millis(self.terms.every_ms());
            let renewed = self.telling(host, timeout(limit, hosts.renew(tenure.id()))).await;
            self.failed = match renewed {
                Ok(Ok(())) => None,
                Ok(Err(StoreError::Conflict(why))) => return Some(why),
                Ok(Err(error)) => Some(error.to_string()),
                Err(_) => Some(format!("no answer within {} ms", limit.as_millis())),
            };
            pause_ms = match &self.failed {
                None => {
                    self.confirmed(host, sent_ms);
                    self.look_around(host).await;
                    match self.terms.standing(self.sent_ms, boot_ms()) {
                        Standing::Open(left) => left,
                        Standing::Frozen => 0,
                    }
                }
                Some(why) => {
                    tracing::warn!(why, "the host's lease on the store was not renewed; trying again");
                    count(host, |hosts| hosts.failed_renewals.one_more());
                    self.terms.again_ms()
                }
            };
        }
    }

    fn confirmed(&mut self, host: &Weak<Inner>, sent_ms: u64) {
        self.sent_ms = sent_ms;
        self.tenure.renewed(self.terms.open_until(sent_ms));
        count(host, |hosts| hosts.renewals.one_more());
        if self.tenure.is_open()
            && let Some(since) = self.frozen_ms.take()
        {
            let frozen_ms = boot_ms().saturating_sub(since);
            tracing::warn!(frozen_ms, "the host's lease on the store was renewed: its actors go on");
            tell(host, EventDetail::Thawed { frozen_ms });
        }
    }

    /// Waits for `work`, and tells when the host freezes meanwhile. The actors themselves look at the clock.
    async fn telling<T>(&mut self, host: &Weak<Inner>, work: impl Future<Output = T>) -> T {
        let mut work = pin!(work);
        loop {
            let left_ms = self.terms.open_until(self.sent_ms).saturating_sub(boot_ms());
            tokio::select! {
                biased;
                done = &mut work => return done,
                () = sleep(Duration::from_millis(left_ms)), if self.frozen_ms.is_none() => {
                    if self.terms.standing(self.sent_ms, boot_ms()) == Standing::Frozen {
                        self.frozen_ms = Some(boot_ms());
                        let why = self.failed.clone();
                        tracing::error!(why, "the host is frozen: its lease on the store was not renewed in time");
                        count(host, |hosts| hosts.freezes.one_more());
                        tell(host, EventDetail::Frozen { why });
                    }
                }
            }
        }
    }

    /// Who else is there, and whether somebody has gone since.
    async fn look_around(&mut self, host: &Weak<Inner>) {
        let store = self.store.clone();
        let Some(hosts) = store.hosts() else { return };
        let limit = Duration::from_millis(self.terms.every_ms());
        let Ok(Ok(leases)) = self.telling(host, timeout(limit, hosts.list())).await else { return };
        let running = others(&leases, self.tenure.id());
        let gone = self.running.iter().any(|id| !running.contains(id));
        self.running = running;
        if let Some(host) = host.upgrade() {
            host.tenures.listed(leases);
            if gone {
                host.tenancy.left_behind.notify_one();
            }
        }
    }
}

/// The other hosts whose leases run.
fn others(leases: &[HostLease], me: &str) -> BTreeSet<String> {
    let others = leases.iter().filter(|lease| lease.left_ms > 0 && lease.id != me);
    others.map(|lease| lease.id.clone()).collect()
}

fn count(host: &Weak<Inner>, what: impl FnOnce(&OfHosts)) {
    if let Some(host) = host.upgrade() {
        what(host.router.metrics().hosts());
    }
}

fn tell(host: &Weak<Inner>, detail: EventDetail) {
    if let Some(host) = host.upgrade() {
        host.events.tell(About::default(), detail);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_freezes_by_its_own_clock_before_its_lease_can_have_ended() {
        let terms = Terms { ttl_ms: 10_000, margin_ms: 2_000 };
        let sent = 1_000_000;
        let cases = [
            (0, Standing::Open(2_500)),
            (1, Standing::Open(2_499)),
            (2_500, Standing::Open(0)),
            (7_999, Standing::Open(0)),
            (8_000, Standing::Frozen),
            (10_000, Standing::Frozen),
            (1_000_000, Standing::Frozen),
        ];
        for (later, standing) in cases {
            assert_eq!(terms.standing(sent, sent + later), standing, "{later} ms after it was sent");
        }
        // However late it began there: the lease ends on the store's clock when this has been frozen for the margin at least.
        assert!(terms.open_until(sent) + terms.margin_ms <= sent + terms.ttl_ms);
        let silly = Terms { ttl_ms: 1, margin_ms: 2 };
        assert_eq!((silly.standing(sent, sent), silly.every_ms(), silly.again_ms()), (Standing::Frozen, 1, 1));
    }

    #[test]
    fn hosts_whose_leases_ended_do_not_run() {
        let lease = |id: &str, left_ms| HostLease { id: id.into(), node: "n".into(), address: None, left_ms };
        let leases = [lease("a", 1), lease("b", 0), lease("me", 1)];
        assert_eq!(others(&leases, "me"), BTreeSet::from(["a".to_owned()]));
    }
}
