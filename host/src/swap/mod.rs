//! Another version of a plugin goes live under traffic: staged beside the old one, checked against every state, rehearsed on
//! copies, switched actor by actor, watched, and taken back where it fails.
//!
//! ```no_run
//! use baton_host::Host;
//! use baton_host::swap::{SwapEventKind, SwapOptions, SwapOutcome, SwapSource};
//!
//! # async fn run(host: Host) -> Result<(), Box<dyn std::error::Error>> {
//! let cart = "cart".parse()?;
//! let newer = SwapSource::File("cart-2.1.0.wasm".into());
//! let mut options = SwapOptions::default();
//! options.allow_loss = true;
//! let plan = host.plan_swap(&cart, newer.clone(), &options).await?;
//! if plan.is_clean() {
//!     let mut events = host.swap_events();
//!     let swap = host.swap(&cart, newer, options).await?;
//!     while let Some(event) = events.next().await {
//!         match event {
//!             Ok(event) => match event.kind {
//!                 SwapEventKind::Switched { actor, pause_us, .. } => println!("{actor} after {pause_us} µs"),
//!                 SwapEventKind::Ended { .. } => break,
//!                 _ => {}
//!             },
//!             Err(missed) => println!("{missed} events were missed"),
//!         }
//!     }
//!     assert_eq!(swap.ended().await?.outcome, SwapOutcome::Done);
//! }
//! # Ok(())
//! # }
//! ```

mod one;
mod options;
mod rehearse;
mod report;
mod rollout;
mod run;
mod survey;
mod traced;

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{broadcast, watch};

use crate::catalog::{self, Catalog};
use crate::events::Events;
use crate::model::{ErrorCode, HostError, Part, PluginName};
use crate::registry::Registry;
use crate::router::Router;
use crate::sandbox::{Program, Sandbox};
use crate::store::{SnapshotStore, now_ms};
use crate::supervisor::Supervisor;
use crate::telemetry::Metrics;
use traced::Traced;

pub use crate::actor::switching::SwitchStep;
pub use crate::catalog::Fault;
pub use options::{
    Batch, DEFAULT_AT_ONCE, DEFAULT_REHEARSAL, DEFAULT_SWITCH_TIMEOUT, DEFAULT_WATCH, MOST_AT_ONCE, OnFailure,
    SwapOptions,
};
pub use report::{
    ActorCounts, Rehearsal, Remark, Remarks, SwapEvent, SwapEventKind, SwapFailure, SwapOutcome, SwapPhase, SwapPlan,
    SwapReport, SwapStatus, VersionInfo, WayBack,
};

/// Events that wait for a listener; one that falls further behind is told how many it has missed.
const EVENTS: usize = 4_096;

/// What a swap works on.
#[derive(Debug, Clone)]
pub(crate) struct Ground {
    pub(crate) catalog: Arc<Catalog>,
    pub(crate) registry: Arc<Registry>,
    pub(crate) router: Arc<Router>,
    pub(crate) supervisor: Supervisor,
    pub(crate) store: Arc<dyn SnapshotStore>,
    pub(crate) sandbox: Sandbox,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) events: Events,
}

/// Where the new version comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SwapSource {
    /// A file.
    File(PathBuf),
    /// Bytes; the label names them in messages.
    Bytes(String, Vec<u8>),
    /// The same with the text of its signature, as minisign makes it.
    Signed(String, Vec<u8>, String),
    /// What ran before the last swap, or before the one that was left half-way.
    Back,
}

/// What a swap on its way is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Control {
    Go,
    Stop,
    Back,
}

/// The last swap of a plugin.
#[derive(Debug)]
struct Line {
    status: watch::Receiver<SwapStatus>,
    control: watch::Sender<Control>,
}

/// The swaps of this host.
#[derive(Debug)]
pub(crate) struct Swaps {
    ground: Ground,
    last: Mutex<HashMap<PluginName, Line>>,
    events: broadcast::Sender<SwapEvent>,
    next: AtomicU64,
    closed: watch::Sender<bool>,
}

/// A swap that was begun. It goes on whether anybody holds this or not.
#[derive(Debug, Clone)]
pub struct Swap(watch::Receiver<SwapStatus>);

impl Swap {
    /// Where it stands.
    #[must_use]
    pub fn status(&self) -> SwapStatus {
        self.0.borrow().clone()
    }

    /// Waits until it stands elsewhere than it did when it was last looked at; none: it has ended.
    pub async fn changed(&mut self) -> Option<SwapStatus> {
        self.0.changed().await.ok()?;
        Some(self.0.borrow_and_update().clone())
    }

    /// Waits for its end.
    ///
    /// # Errors
    /// If the host ended first.
    pub async fn ended(mut self) -> Result<SwapReport, HostError> {
        let gone = || HostError::new(ErrorCode::ShuttingDown, "the host ended in the middle of the swap");
        let status = self.0.wait_for(|status| status.report.is_some()).await.map_err(|_| gone())?;
        status.report.clone().ok_or_else(gone)
    }
}

/// What happens in the course of a host's swaps, from now on.
#[derive(Debug)]
pub struct SwapEvents(broadcast::Receiver<SwapEvent>);

impl SwapEvents {
    /// The next event, or how many were missed since the last one: 4,096 are kept. None: the host is gone.
    pub async fn next(&mut self) -> Option<Result<SwapEvent, u64>> {
        match self.0.recv().await {
            Ok(event) => Some(Ok(event)),
            Err(broadcast::error::RecvError::Lagged(missed)) => Some(Err(missed)),
            Err(broadcast::error::RecvError::Closed) => None,
        }
    }
}

impl Swaps {
    pub(crate) fn new(ground: Ground) -> Self {
        let (events, _) = broadcast::channel(EVENTS);
        Self { ground, last: Mutex::default(), events, next: AtomicU64::new(1), closed: watch::Sender::new(false) }
    }

    fn last(&self) -> MutexGuard<'_, HashMap<PluginName, Line>> {
        // Every change below is complete before anything can panic.
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From now on nothing is switched any more.
    pub(crate) fn close(&self) {
        self.closed.send_replace(true);
    }

    pub(crate) fn events(&self) -> SwapEvents {
        SwapEvents(self.events.subscribe())
    }

    /// Tells that a file that is watched was not taken.
    pub(crate) fn not_taken(&self, plugin: &PluginName, file: String, why: String) {
        let kind = SwapEventKind::NotTaken { file, why };
        // Nobody may listen.
        drop(self.events.send(SwapEvent { swap: 0, plugin: plugin.clone(), time_ms: now_ms(), kind }));
    }

    /// The swap of a plugin that runs, or the last one that did.
    pub(crate) fn status(&self, plugin: &PluginName) -> Option<SwapStatus> {
        self.last().get(plugin).map(|line| line.status.borrow().clone())
    }

    /// The same, to be followed.
    pub(crate) fn follow(&self, plugin: &PluginName) -> Option<Swap> {
        self.last().get(plugin).map(|line| Swap(line.status.clone()))
    }

    /// All of them.
    pub(crate) fn statuses(&self) -> Vec<SwapStatus> {
        let mut all: Vec<_> = self.last().values().map(|line| line.status.borrow().clone()).collect();
        all.sort_by_key(|status| status.id);
        all
    }

    /// What a swap would do. The new version is loaded for that, and nothing else is touched.
    pub(crate) async fn plan(
        &self,
        plugin: &PluginName,
        source: SwapSource,
        options: &SwapOptions,
    ) -> Result<SwapPlan, HostError> {
        let to = self.staged(plugin, source).await?;
        let planned = self.planned(plugin, &to, options).await;
        drop(to);
        self.ground.catalog.sweep(plugin);
        planned
    }

    async fn planned(&self, plugin: &PluginName, to: &Program, options: &SwapOptions) -> Result<SwapPlan, HostError> {
        let from = self.from(plugin, to, &options.part).await?;
        let mut survey = survey::survey(&self.ground, (&from, to), options).await?;
        if let Some(within) = options.rehearsal {
            survey.plan.rehearsal = Some(rehearse::rehearse(&self.ground, to, &survey, within).await);
        }
        Ok(survey.plan)
    }

    /// Begins a swap, and answers once it is on its way.
    pub(crate) async fn begin(
        &self,
        plugin: &PluginName,
        source: SwapSource,
        options: SwapOptions,
    ) -> Result<Swap, HostError> {
        let back = source == SwapSource::Back;
        if back && let Some(swap) = self.turned_back(plugin) {
            return Ok(swap);
        }
        // Told before anything is loaded: it is the first that whoever asks should know.
        Self::runs_none(plugin, &self.last())?;
        let to = self.staged(plugin, source).await?;
        let from = match self.from(plugin, &to, &options.part).await {
            Ok(from) => from,
            Err(error) => {
                drop(to);
                self.ground.catalog.sweep(plugin);
                return Err(error);
            }
        };
        let (swap, receiver) = self.entered(plugin, (from, to), back, options)?;
        let to = swap.status.borrow().to.clone();
        swap.told_of(to);
        tokio::spawn(swap.run());
        Ok(Swap(receiver))
    }

    /// That no swap of the plugin runs; else who began it, and where it is.
    fn runs_none(plugin: &PluginName, last: &HashMap<PluginName, Line>) -> Result<(), HostError> {
        let status = last.get(plugin).map(|line| line.status.borrow());
        let Some(running) = status.filter(|status| status.report.is_none()) else { return Ok(()) };
        let SwapStatus { from, to, by, phase, done, total, .. } = &*running;
        let what = format!(
            "a swap of `{plugin}` from {from} to {to} runs already, begun by {by}: it is {phase}, {done} of {total}"
        );
        Err(HostError::new(ErrorCode::Swap, what).hint("wait for its end, or tell it to stop or to go back"))
    }

    /// A swap that runs and is told to go back.
    fn turned_back(&self, plugin: &PluginName) -> Option<Swap> {
        let last = self.last();
        let line = last.get(plugin).filter(|line| line.status.borrow().report.is_none())?;
        line.control.send_replace(Control::Back);
        Some(Swap(line.status.clone()))
    }

    /// Tells a swap that runs to stop where it is.
    pub(crate) fn stop(&self, plugin: &PluginName) -> Result<Swap, HostError> {
        let last = self.last();
        let running = last.get(plugin).filter(|line| line.status.borrow().report.is_none());
        let line = running.ok_or_else(|| HostError::new(ErrorCode::Swap, format!("no swap of `{plugin}` runs")))?;
        line.control.send_replace(Control::Stop);
        Ok(Swap(line.status.clone()))
    }

    async fn staged(&self, plugin: &PluginName, source: SwapSource) -> Result<Program, HostError> {
        let Ground { catalog, sandbox, .. } = &self.ground;
        catalog.current(plugin)?;
        let (label, bytes, signature) = match source {
            SwapSource::Back => {
                let nowhere =
                    || HostError::new(ErrorCode::Swap, format!("`{plugin}` was not swapped: there is no way back"));
                return catalog.recall(sandbox, plugin, catalog.back(plugin).ok_or_else(nowhere)?).await;
            }
            SwapSource::Bytes(label, bytes) => (label, bytes, None),
            SwapSource::Signed(label, bytes, signature) => (label, bytes, Some(signature)),
            SwapSource::File(path) => {
                let label = path.display().to_string();
                let read = tokio::task::spawn_blocking(move || catalog::read_signed(&path)).await;
                let read = read.map_err(std::io::Error::other).and_then(|read| read);
                let failed = |error: std::io::Error| {
                    HostError::new(ErrorCode::Plugin, format!("{label}: the file cannot be read")).source(error)
                };
                let (bytes, signature) = read.map_err(failed)?;
                (label, bytes, signature)
            }
        };
        let signed = catalog.trusted(&label, bytes, signature, None).await?;
        let program = catalog.stage(sandbox, &label, signed).await?;
        let name = program.description().name.clone();
        if name == *plugin {
            return Ok(program);
        }
        drop(program);
        catalog.sweep(&name);
        Err(HostError::new(ErrorCode::Swap, format!("{label} is of the plugin `{name}`, not of `{plugin}`")))
    }

    /// What a swap to `to` would replace.
    async fn from(&self, plugin: &PluginName, to: &Program, part: &Part) -> Result<Program, HostError> {
        let from = self.ground.catalog.may_begin(plugin, to.digest(), part)?;
        self.ground.catalog.recall(&self.ground.sandbox, plugin, from).await
    }

    /// Takes the plugin's place among the swaps, of which one runs at a time.
    fn entered(
        &self,
        plugin: &PluginName,
        (from, to): (Program, Program),
        back: bool,
        options: SwapOptions,
    ) -> Result<(run::Swap, watch::Receiver<SwapStatus>), HostError> {
        let mut last = self.last();
        if *self.closed.borrow() {
            return Err(HostError::new(ErrorCode::ShuttingDown, "the host is going down"));
        }
        Self::runs_none(plugin, &last)?;
        // Another one may have ended since this one was staged.
        if self.ground.catalog.may_begin(plugin, to.digest(), &options.part)? != from.digest() {
            return Err(HostError::new(ErrorCode::Swap, format!("another swap of `{plugin}` ended meanwhile")));
        }
        let (control, told) = watch::channel(Control::Go);
        let version = |program: &Program| VersionInfo::of(program.description(), program.digest());
        let (status, receiver) = watch::channel(SwapStatus {
            id: self.next.fetch_add(1, Ordering::Relaxed),
            plugin: plugin.clone(),
            from: version(&from),
            to: version(&to),
            back,
            part: options.part.clone(),
            by: options.by.clone(),
            began_ms: now_ms(),
            phase: SwapPhase::Rehearsing,
            total: 0,
            done: 0,
            report: None,
        });
        last.insert(plugin.clone(), Line { status: receiver.clone(), control });
        let (ground, events, closed) = (self.ground.clone(), self.events.clone(), self.closed.subscribe());
        let plugin = plugin.clone();
        let traced = Traced::begin(&plugin, &status.borrow(), &options, ground.router.traces());
        let swap = run::Swap { ground, plugin, from, to, options, back, status, events, control: told, closed, traced };
        Ok((swap, receiver))
    }
}
