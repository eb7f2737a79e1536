//! A store that a test can watch, hold up, and make fail; what it keeps outlives the hosts that use it.

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use baton_host::ActorName;
use baton_host::model::StopReason;
use baton_host::store::{
    Capabilities, Head, HostLease, Hosts, Image, Lease, MemoryStore, NewHost, NewRecord, Quarantined, Record,
    RecordRef, Refused, Revision, SnapshotStore, StoreError,
};
use futures_util::future::BoxFuture;
use tokio::sync::watch;

/// What a store is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub enum Op {
    Head,
    Claim,
    Commit,
    Switch,
    TakeUp,
    Rest,
    Release,
    Forget,
    Load,
    Refuse,
    Quarantine,
    List,
    Join,
    Renew,
}

/// Changes what `load` answers.
type Tamper = Arc<dyn Fn(Record) -> Result<Record, StoreError> + Send + Sync>;

#[derive(Default)]
struct Rules {
    failing: HashMap<(Op, Option<ActorName>), StoreError>,
    answers_lost: Vec<Op>,
    tamper: Option<Tamper>,
    log: Vec<(Op, ActorName)>,
}

/// A store behind a door, a [`MemoryStore`] unless told. `close` leaves it open, so that the next host finds what this one left.
pub struct StoreDouble {
    inner: Arc<dyn SnapshotStore>,
    rules: Mutex<Rules>,
    /// Operations that wait until they are let through: those of one actor, or of all.
    held: watch::Sender<Vec<(Op, Option<ActorName>)>>,
    /// What has come so far and may wait still.
    came: Mutex<Vec<(Op, ActorName)>>,
    lists: AtomicUsize,
    /// Why it says that it answers nothing.
    trouble: Mutex<Option<String>>,
}

impl fmt::Debug for StoreDouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StoreDouble")
    }
}

impl Default for StoreDouble {
    fn default() -> Self {
        Self::of(Arc::new(MemoryStore::new()))
    }
}

impl StoreDouble {
    fn of(inner: Arc<dyn SnapshotStore>) -> Self {
        Self {
            inner,
            rules: Mutex::default(),
            held: watch::Sender::default(),
            came: Mutex::default(),
            lists: AtomicUsize::default(),
            trouble: Mutex::default(),
        }
    }
}

impl StoreDouble {
    /// An empty one.
    #[must_use]
    pub fn new() -> Arc<Self> {
        Arc::default()
    }

    /// One in front of `inner`.
    #[must_use]
    pub fn over(inner: Arc<dyn SnapshotStore>) -> Arc<Self> {
        Arc::new(Self::of(inner))
    }

    /// From now on it says that it answers nothing, and why; none: it says that it answers.
    pub fn has_trouble(&self, trouble: Option<String>) {
        *self.trouble.lock().unwrap_or_else(PoisonError::into_inner) = trouble;
    }

    /// From now on `op` waits until [`StoreDouble::let_through`].
    pub fn hold(&self, op: Op) {
        self.held.send_modify(|held| held.push((op, None)));
    }

    /// The same for one actor.
    pub fn hold_for(&self, op: Op, actor: &ActorName) {
        self.held.send_modify(|held| held.push((op, Some(actor.clone()))));
    }

    /// Whatever of `actor` waits goes on, as far as it was held for this one alone.
    pub fn let_through_for(&self, actor: &ActorName) {
        self.held.send_modify(|held| held.retain(|(_, by)| by.as_ref() != Some(actor)));
    }

    /// How often `op` was asked for `actor`, what waits included.
    #[must_use]
    pub fn asked(&self, op: Op, actor: &ActorName) -> usize {
        let came = self.came.lock().unwrap_or_else(PoisonError::into_inner);
        came.iter().filter(|(of, by)| (*of, by) == (op, actor)).count()
    }

    /// Whatever waits goes on.
    pub fn let_through(&self) {
        self.held.send_modify(Vec::clear);
    }

    /// From now on `op` fails.
    pub fn fail(&self, op: Op, with: StoreError) {
        self.rules().failing.insert((op, None), with);
    }

    /// The same for one actor.
    pub fn fail_for(&self, op: Op, actor: &ActorName, with: StoreError) {
        self.rules().failing.insert((op, Some(actor.clone())), with);
    }

    /// From now on these take place, and answer that whether they did is not known.
    pub fn lose_answers(&self, of: &[Op]) {
        self.rules().answers_lost.extend(of);
    }

    fn answer<T>(&self, op: Op, done: T) -> Result<T, StoreError> {
        match self.rules().answers_lost.contains(&op) {
            true => Err(StoreError::Unknown("the answer was lost".into())),
            false => Ok(done),
        }
    }

    /// A write under `lease`. Where its answer is lost, the caller's lease is left as it was: it does not know.
    async fn under<T>(
        &self,
        op: Op,
        lease: &mut Lease,
        write: impl AsyncFnOnce(&mut Lease) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        self.pass(op, &lease.actor).await?;
        if self.answer(op, ()).is_err() {
            let done = write(&mut lease.clone()).await?;
            return self.answer(op, done);
        }
        write(lease).await
    }

    /// Nothing fails any more, and records are what they are.
    pub fn mend(&self) {
        let mut rules = self.rules();
        rules.failing.clear();
        rules.answers_lost.clear();
        rules.tamper = None;
    }

    /// From now on `load` answers this.
    pub fn tamper(&self, with: impl Fn(Record) -> Result<Record, StoreError> + Send + Sync + 'static) {
        self.rules().tamper = Some(Arc::new(with));
    }

    /// How often it was asked for heads; the log says nothing of that.
    #[must_use]
    pub fn lists(&self) -> usize {
        self.lists.load(Ordering::Relaxed)
    }

    /// What was asked so far, in order, of reads and writes alike.
    #[must_use]
    pub fn log(&self) -> Vec<(Op, ActorName)> {
        self.rules().log.clone()
    }

    fn rules(&self) -> MutexGuard<'_, Rules> {
        self.rules.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The same for what is of no actor.
    async fn pass_of_host(&self, op: Op) -> Result<(), StoreError> {
        let mut held = self.held.subscribe();
        // The sender lives as long as this does.
        drop(held.wait_for(|held| !held.contains(&(op, None))).await);
        let failing = self.rules().failing.get(&(op, None)).cloned();
        failing.map_or(Ok(()), Err)
    }

    async fn pass(&self, op: Op, actor: &ActorName) -> Result<(), StoreError> {
        self.came.lock().unwrap_or_else(PoisonError::into_inner).push((op, actor.clone()));
        let mut held = self.held.subscribe();
        let is_held = |(of, by): &(Op, Option<ActorName>)| *of == op && by.as_ref().is_none_or(|by| by == actor);
        // The sender lives as long as this does.
        drop(held.wait_for(|held| !held.iter().any(is_held)).await);
        let mut rules = self.rules();
        rules.log.push((op, actor.clone()));
        let failing = rules.failing.get(&(op, None)).or_else(|| rules.failing.get(&(op, Some(actor.clone()))));
        failing.cloned().map_or(Ok(()), Err)
    }
}

impl StoreDouble {
    fn shared(&self) -> Result<&dyn Hosts, StoreError> {
        self.inner.hosts().ok_or(StoreError::Unsupported("be shared"))
    }
}

impl Hosts for StoreDouble {
    fn join<'a>(&'a self, host: &'a NewHost) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(async move {
            self.pass_of_host(Op::Join).await?;
            self.shared()?.join(host).await
        })
    }

    fn renew<'a>(&'a self, id: &'a str) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(async move {
            self.pass_of_host(Op::Renew).await?;
            self.shared()?.renew(id).await
        })
    }

    fn leave<'a>(&'a self, id: &'a str) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(async move { self.shared()?.leave(id).await })
    }

    fn list(&self) -> BoxFuture<'_, Result<Vec<HostLease>, StoreError>> {
        Box::pin(async move { self.shared()?.list().await })
    }
}

impl SnapshotStore for StoreDouble {
    fn hosts(&self) -> Option<&dyn Hosts> {
        self.inner.hosts().is_some().then_some(self)
    }

    fn capabilities(&self) -> Capabilities {
        self.inner.capabilities()
    }

    fn trouble(&self) -> Option<String> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner).clone().or_else(|| self.inner.trouble())
    }

    fn head<'a>(&'a self, actor: &'a ActorName) -> BoxFuture<'a, Result<Option<(Head, Revision)>, StoreError>> {
        Box::pin(async move {
            self.pass(Op::Head, actor).await?;
            self.inner.head(actor).await
        })
    }

    fn claim<'a>(
        &'a self,
        actor: &'a ActorName,
        expect: Option<Revision>,
        owner: &'a str,
    ) -> BoxFuture<'a, Result<Lease, StoreError>> {
        Box::pin(async move {
            self.pass(Op::Claim, actor).await?;
            self.inner.claim(actor, expect, owner).await
        })
    }

    fn wake<'a>(
        &'a self,
        actor: &'a ActorName,
        expect: Option<Revision>,
        owner: &'a str,
    ) -> BoxFuture<'a, Result<Lease, StoreError>> {
        Box::pin(async move {
            self.pass(Op::Claim, actor).await?;
            self.inner.wake(actor, expect, owner).await
        })
    }

    fn commit<'a>(&'a self, lease: &'a mut Lease, record: NewRecord) -> BoxFuture<'a, Result<Revision, StoreError>> {
        let written = async |lease: &mut Lease| self.inner.commit(lease, record).await;
        Box::pin(self.under(Op::Commit, lease, written))
    }

    fn switch<'a>(&'a self, lease: &'a mut Lease, record: NewRecord) -> BoxFuture<'a, Result<Revision, StoreError>> {
        let written = async |lease: &mut Lease| self.inner.switch(lease, record).await;
        Box::pin(self.under(Op::Switch, lease, written))
    }

    fn take_up<'a>(&'a self, lease: &'a mut Lease) -> BoxFuture<'a, Result<(), StoreError>> {
        let written = async |lease: &mut Lease| self.inner.take_up(lease).await;
        Box::pin(self.under(Op::TakeUp, lease, written))
    }

    fn rest<'a>(
        &'a self,
        lease: &'a mut Lease,
        record: Option<NewRecord>,
    ) -> BoxFuture<'a, Result<Revision, StoreError>> {
        let written = async |lease: &mut Lease| self.inner.rest(lease, record).await;
        Box::pin(self.under(Op::Rest, lease, written))
    }

    fn release<'a>(
        &'a self,
        lease: &'a mut Lease,
        record: Option<NewRecord>,
        stopped: StopReason,
    ) -> BoxFuture<'a, Result<Revision, StoreError>> {
        let written = async |lease: &mut Lease| self.inner.release(lease, record, stopped).await;
        Box::pin(self.under(Op::Release, lease, written))
    }

    fn forget<'a>(&'a self, lease: &'a mut Lease) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(async move {
            self.pass(Op::Forget, &lease.actor).await?;
            self.inner.forget(lease).await
        })
    }

    fn load<'a>(&'a self, actor: &'a ActorName, reference: &'a RecordRef) -> BoxFuture<'a, Result<Record, StoreError>> {
        Box::pin(async move {
            self.pass(Op::Load, actor).await?;
            let record = self.inner.load(actor, reference).await?;
            let tamper = self.rules().tamper.clone();
            tamper.map_or(Ok(record.clone()), |tamper| tamper(record))
        })
    }

    fn refuse<'a>(&'a self, lease: &'a mut Lease, refused: Refused) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(async move {
            self.pass(Op::Refuse, &lease.actor).await?;
            self.inner.refuse(lease, refused).await
        })
    }

    fn read<'a>(
        &'a self,
        actor: &'a ActorName,
        reference: &'a RecordRef,
    ) -> BoxFuture<'a, Result<Vec<u8>, StoreError>> {
        self.inner.read(actor, reference)
    }

    fn put<'a>(
        &'a self,
        actor: &'a ActorName,
        expect: Option<Revision>,
        image: Image,
    ) -> BoxFuture<'a, Result<Revision, StoreError>> {
        self.inner.put(actor, expect, image)
    }

    fn prune<'a>(&'a self, actor: &'a ActorName, keep: usize) -> BoxFuture<'a, Result<(), StoreError>> {
        self.inner.prune(actor, keep)
    }

    fn pardon<'a>(&'a self, actor: &'a ActorName, expect: Revision) -> BoxFuture<'a, Result<Revision, StoreError>> {
        self.inner.pardon(actor, expect)
    }

    fn discard<'a>(
        &'a self,
        actor: &'a ActorName,
        record: Option<&'a RecordRef>,
    ) -> BoxFuture<'a, Result<usize, StoreError>> {
        self.inner.discard(actor, record)
    }

    fn disk_bytes(&self) -> BoxFuture<'_, Result<Option<u64>, StoreError>> {
        self.inner.disk_bytes()
    }

    fn quarantine<'a>(
        &'a self,
        actor: &'a ActorName,
        reference: &'a RecordRef,
        why: &'a str,
    ) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(async move {
            self.pass(Op::Quarantine, actor).await?;
            self.inner.quarantine(actor, reference, why).await
        })
    }

    fn quarantined<'a>(&'a self, actor: &'a ActorName) -> BoxFuture<'a, Result<Vec<Quarantined>, StoreError>> {
        self.inner.quarantined(actor)
    }

    fn list<'a>(
        &'a self,
        after: Option<&'a ActorName>,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<(ActorName, Result<Head, String>)>, StoreError>> {
        Box::pin(async move {
            let failing = self.rules().failing.get(&(Op::List, None)).cloned();
            self.lists.fetch_add(1, Ordering::Relaxed);
            failing.map_or(Ok(()), Err)?;
            self.inner.list(after, limit).await
        })
    }

    fn close(&self) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(async { Ok(()) })
    }
}
