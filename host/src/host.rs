//! The front door: builds the rooms below in order, and takes them down in reverse.

mod builder;
mod keeping;
mod loading;
mod metrics;
mod resuming;
mod sleepers;
mod startup;
mod swapping;
mod sweeping;
mod telling;
mod templates;
mod tenancy;
mod ties;
mod watching;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::watch;

use crate::actor::{Budget, Cell, Tenures, control};
use crate::catalog::Catalog;
use crate::events::{About, EventDetail, Events, HostState};
use crate::logs::Logs;
use crate::model::{
    ActorName, ActorSpec, Body, CallError, ChildInfo, ChildSpec, Counts, Description, ErrorCode, GroupName, HostError,
    MessageId, NameOrPattern, PluginName, Saved, SendError,
};
use crate::registry::Registry;
use crate::router::Router;
use crate::sandbox::{Sandbox, SandboxOptions};
use crate::store::{Premises, SnapshotStore};
use crate::supervisor::Supervisor;
use crate::swap::Swaps;
use crate::telemetry::{Metrics, TraceContext};
use startup::Awaited;

pub use crate::actor::control::StateInfo;
pub use crate::actor::{ActorInfo, OwnedBy, PastExit, TurnTimes};
pub use crate::catalog::PluginInfo;
pub use crate::model::DEFAULT_INSTANCES;
pub use crate::router::DeadLetter;
pub use crate::sandbox::{Inspection, Need};
pub use crate::supervisor::ShutdownReport;
pub use builder::{HostBuilder, Prepared};
pub use startup::Startup;
pub use templates::NewTemplates;
pub use tenancy::{HostsInfo, LeaseState, ThisHost};
pub use ties::{Link, Monitor};

/// How long a call waits for its reply, unless told otherwise.
pub const DEFAULT_CALL_TIMEOUT: Duration = Duration::from_secs(30);
/// How a call is made.
#[derive(Debug, Clone, Default)]
pub struct CallOptions {
    /// The message's id; a sender that tries again uses the same one. None: a random one.
    pub id: Option<MessageId>,
    /// How long to wait for the reply; none: [`DEFAULT_CALL_TIMEOUT`].
    pub timeout: Option<Duration>,
    /// The part of a trace that makes it; none: it begins one, where the host does ([`HostBuilder::traces`]).
    pub trace: Option<TraceContext>,
}

/// How a message is sent that expects no reply.
#[derive(Debug, Clone, Default)]
pub struct CastOptions {
    /// The message's id; a sender that tries again uses the same one. None: a random one.
    pub id: Option<MessageId>,
    /// As [`CallOptions::trace`].
    pub trace: Option<TraceContext>,
}

/// A host: one process's plugins, actors and store. A cheap handle; all clones are the same host.
///
/// A host that is dropped without [`Host::shutdown`] ends its actors at once: their states are those of their last
/// records.
#[derive(Debug, Clone)]
pub struct Host(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    catalog: Arc<Catalog>,
    registry: Arc<Registry>,
    router: Arc<Router>,
    supervisor: Supervisor,
    store: Arc<dyn SnapshotStore>,
    tenures: Arc<Tenures>,
    tenancy: tenancy::Tenancy,
    /// The data directory, where the store is not in it.
    premises: Mutex<Option<Premises>>,
    sandbox: Sandbox,
    swaps: Swaps,
    listed: Awaited,
    events: Events,
    logs: Option<Logs>,
    /// What the shutdown comes to, once one has begun.
    shutdown: Mutex<Option<watch::Receiver<Option<ShutdownReport>>>>,
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.router.close();
        self.swaps.close();
        self.supervisor.abandon();
        self.events.close();
        self.logs.iter().for_each(Logs::close);
    }
}

impl Host {
    /// What a host is made of.
    #[must_use]
    pub fn builder() -> HostBuilder {
        HostBuilder::new()
    }

    /// What a plugin file is, found by loading it in a sandbox that grants nothing.
    ///
    /// # Errors
    /// As loading it would give.
    pub async fn inspect(label: &str, bytes: Vec<u8>) -> Result<Inspection, HostError> {
        let sandbox = Sandbox::new(&SandboxOptions::default())?;
        Ok(sandbox.load(label, bytes).await?.inspection().clone())
    }

    /// The plugins that are loaded.
    #[must_use]
    pub fn plugins(&self) -> Vec<PluginInfo> {
        let cells = self.0.registry.all();
        let named = |name: &PluginName| cells.iter().filter(|cell| cell.spec.plugin == *name).count();
        let running = |digest| cells.iter().filter(|cell| cell.status().component == Some(digest)).count();
        self.0.catalog.infos(named, running)
    }

    /// The actors that run, are parked, or stay down, in the order of their names. Of those that sleep only such as have
    /// something in memory beside their names; [`Host::actors_after`] tells of all.
    #[must_use]
    pub fn actors(&self) -> Vec<ActorInfo> {
        self.0.registry.all().iter().map(|cell| cell.info()).collect()
    }

    /// Those of [`Host::actors`] whose names come after `after` and that `which` means, `limit` at most; none: all.
    #[must_use]
    pub fn actors_after(
        &self,
        after: Option<&ActorName>,
        which: Option<&NameOrPattern>,
        limit: usize,
    ) -> Vec<ActorInfo> {
        self.actors_with(after, which, limit, limit)
    }

    /// The same without a limit, but of those that sleep and have nothing in memory but their names the first `most` alone.
    pub(crate) fn actors_and_sleepers(
        &self,
        after: Option<&ActorName>,
        which: Option<&NameOrPattern>,
        most: usize,
    ) -> Vec<ActorInfo> {
        self.actors_with(after, which, usize::MAX, most)
    }

    fn actors_with(
        &self,
        after: Option<&ActorName>,
        which: Option<&NameOrPattern>,
        limit: usize,
        most_sleepers: usize,
    ) -> Vec<ActorInfo> {
        let follows = |name: &ActorName| after.is_none_or(|after| name > after);
        let meant = |name: &ActorName| which.is_none_or(|which| which.matches(name));
        let found = self.0.registry.some(|name| follows(name) && meant(name));
        let mut found: Vec<_> = found.iter().take(limit).map(|cell| cell.info()).collect();
        // Those that sleep stand between them.
        found.extend(self.sleepers_after(after, which, most_sleepers));
        found.sort_by(|a, b| a.name.cmp(&b.name));
        // One that woke or fell asleep meanwhile is there once.
        found.dedup_by(|a, b| a.name == b.name);
        found.truncate(limit);
        found
    }

    /// One actor.
    #[must_use]
    pub fn actor(&self, name: &ActorName) -> Option<ActorInfo> {
        self.0.registry.whereis(name).map(|cell| cell.info()).or_else(|| self.sleeper(name))
    }

    /// What the plugin of `actor` says of itself: the actor may also be one that its first message would start.
    #[must_use]
    pub fn description(&self, actor: &ActorName) -> Option<Description> {
        let running = self.0.registry.whereis(actor).map(|cell| cell.spec.plugin.clone());
        let plugin = running.or_else(|| self.0.router.template_for(actor).map(|(_, spec)| spec.plugin))?;
        let component = self.0.registry.whereis(actor).and_then(|cell| cell.status().component);
        let runs = component.and_then(|digest| self.0.catalog.program(&plugin, digest));
        let program = runs.or_else(|| self.0.catalog.current(&plugin).ok())?;
        Some(program.description().clone())
    }

    /// The media type of an actor's message bodies.
    #[must_use]
    pub fn media_type(&self, actor: &ActorName) -> Option<String> {
        self.description(actor).map(|description| description.messages)
    }

    /// Starts an actor below the root and waits for its `init` alone: its state is loaded beside that, and its messages wait
    /// meanwhile.
    ///
    /// # Errors
    /// As [`Host::start_child`].
    pub async fn start(&self, spec: ActorSpec) -> Result<(), HostError> {
        self.start_child(None, spec).await
    }

    /// Adds a child below a supervisor, or below the root, and starts it: OTP's `start_child`. It waits for an actor's `init`
    /// alone, and for all that is below a supervisor. Below a supervisor with listed children it stands after them; below the
    /// root or a dynamic supervisor it is removed once it has ended.
    ///
    /// # Errors
    /// `AlreadyStarted` if the name is taken, unless by a child of the root that does not run: that one is replaced; a name that is being stopped is waited for;
    /// `AlreadyPresent` if it is known and does not run; `UnknownSupervisor`, `MaxChildren`, `ChildSpec`, `UnknownPlugin`;
    /// `Start` if `init` crashed, failed or ran out of time; and `ShuttingDown`.
    pub async fn start_child(
        &self,
        supervisor: Option<&ActorName>,
        spec: impl Into<ChildSpec>,
    ) -> Result<(), HostError> {
        if self.0.router.is_closed() {
            return Err(HostError::new(ErrorCode::ShuttingDown, "the host is going down"));
        }
        self.0.supervisor.start_child(supervisor.cloned(), spec.into(), false).await
    }

    /// Starts the actor that the first message to `name` would start, below its template's supervisor.
    ///
    /// # Errors
    /// `UnknownActor` if no template matches the name; else as [`Host::start_child`].
    pub async fn start_from_template(&self, name: &ActorName) -> Result<(), HostError> {
        let Some((above, spec)) = self.0.router.template_for(name) else {
            let what = format!("no actor `{name}` runs here, no supervisor has such a child, and no template matches");
            return Err(HostError::new(ErrorCode::UnknownActor, what));
        };
        self.start_child(above.as_ref(), spec).await
    }

    /// Starts a child that is known and does not run: OTP's `restart_child`.
    ///
    /// # Errors
    /// `UnknownActor`, `Running`, `Restarting`, `Start`, `ShuttingDown`.
    pub async fn restart_child(&self, name: &ActorName) -> Result<(), HostError> {
        self.0.supervisor.restart_child(name.clone()).await
    }

    /// Removes a child that is known and does not run: OTP's `delete_child`.
    ///
    /// # Errors
    /// `UnknownActor`, `Running`, `Restarting`, `ShuttingDown`.
    pub async fn delete_child(&self, name: &ActorName) -> Result<(), HostError> {
        self.0.supervisor.delete_child(name.clone()).await?;
        self.0.router.deleted(name);
        Ok(())
    }

    /// Stops a child and starts it again, its state handed over. One that does not run is started. It counts as no restart.
    ///
    /// # Errors
    /// `UnknownActor`, `Start`, `ShuttingDown`.
    pub async fn restart(&self, name: &ActorName) -> Result<(), HostError> {
        self.awake(name, || async { self.0.supervisor.stop_and_start(name.clone()).await }).await
    }

    /// Ends a child at once, nothing saved, as `exit(Pid, kill)` does: its supervisor does what it does after a crash.
    ///
    /// # Errors
    /// `UnknownActor` if it does not run, `ShuttingDown`.
    pub async fn kill(&self, name: &ActorName) -> Result<(), HostError> {
        self.awake(name, || async { self.0.supervisor.kill(name.clone()).await }).await
    }

    /// Suspends an actor, as `sys:suspend` does: it handles no messages and no timers until it is resumed; these wait. It can
    /// be stopped, killed and asked for its state, and a new instance is not suspended.
    ///
    /// # Errors
    /// `UnknownActor`; `State` if it does not run, ends meanwhile, or too many requests wait for it.
    pub async fn suspend(&self, name: &ActorName) -> Result<(), HostError> {
        self.awake(name, || async { control::suspend(&*self.cell(name)?).await }).await
    }

    /// Lets a suspended actor go on.
    ///
    /// # Errors
    /// As [`Host::suspend`].
    pub async fn resume(&self, name: &ActorName) -> Result<(), HostError> {
        self.awake(name, || async { control::resume(&*self.cell(name)?).await }).await
    }

    /// An actor's state as it stands between two messages, through its `snapshot`, as `sys:get_state` does. Nothing is saved.
    ///
    /// # Errors
    /// As [`Host::suspend`]; and if `snapshot` fails, crashes, or gives a state that could not be saved.
    pub async fn get_state(&self, name: &ActorName) -> Result<StateInfo, HostError> {
        self.awake(name, || async { control::get_state(&*self.cell(name)?).await }).await
    }

    fn cell(&self, name: &ActorName) -> Result<Arc<Cell>, HostError> {
        let unknown = || HostError::new(ErrorCode::UnknownActor, format!("no actor `{name}` runs here"));
        self.0.registry.whereis(name).ok_or_else(unknown)
    }

    /// The children of a supervisor, or of the root, in the order of their start.
    ///
    /// # Errors
    /// `UnknownSupervisor`, `ShuttingDown`.
    pub async fn which_children(&self, supervisor: Option<&ActorName>) -> Result<Vec<ChildInfo>, HostError> {
        self.0.supervisor.which_children(supervisor.cloned()).await
    }

    /// How many children a supervisor, or the root, has.
    ///
    /// # Errors
    /// `UnknownSupervisor`, `ShuttingDown`.
    pub async fn count_children(&self, supervisor: Option<&ActorName>) -> Result<Counts, HostError> {
        self.0.supervisor.count_children(supervisor.cloned()).await
    }

    /// All children of the tree: each supervisor before its own, these in the order of their start.
    ///
    /// # Errors
    /// `ShuttingDown`.
    pub async fn tree(&self) -> Result<Vec<ChildInfo>, HostError> {
        self.0.supervisor.tree().await
    }

    /// One child of the tree; none: nobody has the name.
    ///
    /// # Errors
    /// `ShuttingDown`.
    pub async fn child(&self, name: &ActorName) -> Result<Option<ChildInfo>, HostError> {
        self.0.supervisor.child(name.clone()).await
    }

    /// Waits for the end of an actor's present instance, as `erlang:monitor` does: a crash counts, though its supervisor
    /// starts it again.
    ///
    /// # Errors
    /// If too many watch that actor already.
    pub fn monitor(&self, name: &ActorName) -> Result<Monitor, HostError> {
        let watched = self.0.registry.watch(name);
        watched.map(Monitor).map_err(|refused| HostError::new(ErrorCode::Start, refused.to_string()))
    }

    /// Ties an actor's present instance to the holder of the answer, as `erlang:link` does: dropped, it ends the actor.
    ///
    /// # Errors
    /// If too many watch that actor already.
    pub fn link(&self, name: &ActorName) -> Result<Link, HostError> {
        let monitor = Some(self.monitor(name)?);
        Ok(Link { actor: name.clone(), registry: self.0.registry.clone(), monitor })
    }

    /// The groups that have members, in the order of their names, and how many.
    #[must_use]
    pub fn groups(&self) -> Vec<(GroupName, usize)> {
        self.0.registry.groups()
    }

    /// The members of a group, in the order in which they came.
    #[must_use]
    pub fn members(&self, group: &GroupName) -> Vec<ActorName> {
        self.0.registry.members(group)
    }

    /// An actor's attribute.
    #[must_use]
    pub fn attribute(&self, name: &ActorName, key: &str) -> Option<String> {
        self.0.registry.attribute(name, key)
    }

    /// The actors whose attribute `key` is `value`, in the order of their names.
    #[must_use]
    pub fn having(&self, key: &str, value: &str) -> Vec<ActorName> {
        self.0.registry.having(key, value)
    }

    /// Puts a message into the mailbox of every member of a group, and answers with how many took it.
    pub fn dispatch(&self, group: &GroupName, body: &Body) -> usize {
        self.dispatch_within(group, body, None)
    }

    /// The same as a part of a trace.
    pub(crate) fn dispatch_within(&self, group: &GroupName, body: &Body, trace: Option<&TraceContext>) -> usize {
        let options = || CastOptions { id: None, trace: trace.cloned() };
        let members = self.0.registry.members(group);
        members.iter().filter(|member| self.cast_with(member, body.clone(), options()).is_ok()).count()
    }

    /// Sends a message and waits for its reply.
    ///
    /// # Errors
    /// Each variant of [`CallError`] says whether the actor has seen the message.
    pub async fn call(&self, name: &ActorName, body: impl Into<Body>, options: CallOptions) -> Result<Body, CallError> {
        let id = options.id.unwrap_or_else(|| self.0.router.ids().draw());
        let timeout = options.timeout.unwrap_or(DEFAULT_CALL_TIMEOUT);
        self.0.router.call(name, id, body.into(), timeout, options.trace.as_ref()).await
    }

    /// Puts a message into an actor's mailbox, and answers with its id. It is not durable before it was handled and saved, or
    /// its actor has stopped.
    ///
    /// # Errors
    /// If it was not taken.
    pub fn cast(&self, name: &ActorName, body: impl Into<Body>, id: Option<MessageId>) -> Result<MessageId, SendError> {
        self.cast_with(name, body, CastOptions { id, trace: None })
    }

    /// As [`Host::cast`], with more said of it.
    ///
    /// # Errors
    /// If it was not taken.
    pub fn cast_with(
        &self,
        name: &ActorName,
        body: impl Into<Body>,
        options: CastOptions,
    ) -> Result<MessageId, SendError> {
        let id = options.id.unwrap_or_else(|| self.0.router.ids().draw());
        self.0.router.cast(name, id.clone(), body.into(), options.trace.as_ref())?;
        Ok(id)
    }

    /// What is counted here.
    pub(crate) fn counts(&self) -> &Metrics {
        self.0.router.metrics()
    }

    /// Whether traces begin here.
    pub(crate) fn traces(&self) -> bool {
        self.0.router.traces()
    }

    /// Stops one child, each actor's state saved within its shutdown timeout, and waits until it is gone: OTP's
    /// `terminate_child`. A listed one stays known to its supervisor, for [`Host::restart_child`].
    ///
    /// # Errors
    /// `UnknownActor`, `ShuttingDown`.
    pub async fn stop(&self, name: &ActorName) -> Result<Saved, HostError> {
        self.awake(name, || async { self.0.supervisor.terminate_child(name.clone()).await }).await
    }

    /// The store, to look at. Whatever is written past the host takes an actor away from it.
    #[must_use]
    pub fn store(&self) -> &Arc<dyn SnapshotStore> {
        &self.0.store
    }

    /// Messages that nobody handled, oldest first; the last 1,000 are kept.
    #[must_use]
    pub fn dead_letters(&self) -> Vec<DeadLetter> {
        self.0.router.dead_letters()
    }

    /// What the process logs, where it was [told](HostBuilder::logs).
    #[must_use]
    pub fn logs(&self) -> Option<&Logs> {
        self.0.logs.as_ref()
    }

    /// From now on nothing is taken from outside: readiness is off. [`Host::shutdown`] does this first.
    pub fn close_to_outside(&self) {
        if self.0.router.close() {
            self.0.events.tell(About::default(), EventDetail::Host { state: HostState::Stopping });
        }
    }

    /// Whether the host takes work: it is not going down. One that is [frozen](Host::is_frozen) takes it, and lets it wait.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        !self.0.router.is_closed()
    }

    /// Stops everything: no more work from outside, then every actor within its own timeout and what is left of
    /// `budget` (none: as long as it takes), then the store's last barrier. A second call waits for the first and gets
    /// the same report.
    pub async fn shutdown(&self, budget: Option<Duration>) -> ShutdownReport {
        self.close_to_outside();
        self.0.swaps.close();
        let mut report = {
            let mut begun = self.0.shutdown.lock().unwrap_or_else(PoisonError::into_inner);
            begun.get_or_insert_with(|| self.begin_shutdown(budget)).clone()
        };
        let ended = report.wait_for(Option::is_some).await.ok().and_then(|report| report.clone());
        let failed = || ShutdownReport { stopped: Vec::new(), trouble: Some("the shutdown itself failed".into()) };
        ended.unwrap_or_else(failed)
    }

    /// In a task of its own: whoever asked may go away, and it still ends in good order.
    fn begin_shutdown(&self, budget: Option<Duration>) -> watch::Receiver<Option<ShutdownReport>> {
        let (tell, report) = watch::channel(None);
        let host = self.clone();
        tokio::spawn(async move {
            let mut report = host.0.supervisor.shutdown(Budget::within(budget)).await;
            host.leave().await;
            if let Err(error) = host.0.store.close().await {
                report.trouble.get_or_insert(format!("the store's last barrier failed: {error}"));
            }
            // Another host may have the data directory from now on.
            drop(host.0.premises.lock().unwrap_or_else(PoisonError::into_inner).take());
            host.0.events.close();
            host.0.logs.iter().for_each(Logs::close);
            // Whoever hears of it may make another host at once, and there are addresses for one room full of instances.
            drop(host);
            tell.send_replace(Some(report));
        });
        report
    }
}
