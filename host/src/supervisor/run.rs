//! The loop that starts, restarts and stops actors. It waits for nobody: starting and stopping happen beside it, and
//! come back to it as events.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::AbortHandle;

use super::restart::{Decision, Restarts, decide};
use crate::actor::{Budget, Cell, Gate, Instance, Parts, Post, Signal, StartFailure};
use crate::catalog::Catalog;
use crate::model::{
    ActorName, CallError, ErrorCode, Exit, HostError, NotSaved, Phase, Restart, Saved, SendError, Shutdown, StopReason,
};
use crate::registry::Registry;
use crate::sandbox::Outside;
use crate::store::SnapshotStore;

/// Requests and events that may wait for the loop.
const QUEUE: usize = 1_024;
/// How long past its deadline an instance is waited for before its task is ended from outside.
const OVERDUE: Duration = Duration::from_secs(2);

/// How a child came to be, and so how it is stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ChildKind {
    /// Listed: started in order, stopped one by one in reverse.
    Listed,
    /// Started at run time: stopped side by side, before those that are listed.
    Dynamic,
}

/// What actors are made with.
#[derive(Debug, Clone)]
pub(crate) struct Surroundings {
    pub(crate) catalog: Arc<Catalog>,
    pub(crate) registry: Arc<Registry>,
    pub(crate) store: Arc<dyn SnapshotStore>,
    pub(crate) owner: String,
    pub(crate) node: String,
    pub(crate) post: Arc<dyn Post>,
    pub(crate) outside: Arc<dyn Outside>,
}

/// What became of every actor when the host was shut down, in the order in which they ended.
#[derive(Debug, Clone, Default, Serialize)]
pub struct ShutdownReport {
    /// Each actor, and what became of its state.
    pub stopped: Vec<(ActorName, Saved)>,
    /// What went wrong beside them, if anything did: with the store's last barrier, or with the shutdown itself.
    pub trouble: Option<String>,
}

impl ShutdownReport {
    /// Whether nothing was lost.
    #[must_use]
    pub fn all_saved(&self) -> bool {
        self.trouble.is_none() && self.not_saved().next().is_none()
    }

    /// Those whose state or messages could not be saved, and why.
    pub fn not_saved(&self) -> impl Iterator<Item = (&ActorName, &NotSaved)> {
        self.stopped.iter().filter_map(|(name, saved)| match saved {
            Saved::Not(why) => Some((name, why)),
            _ => None,
        })
    }
}

enum Event {
    Start { cell: Arc<Cell>, kind: ChildKind, started: oneshot::Sender<Result<(), HostError>> },
    Stop { name: ActorName, done: oneshot::Sender<Result<Saved, HostError>> },
    Ended { cell: Arc<Cell>, exit: Exit },
    Shutdown { budget: Budget, done: oneshot::Sender<ShutdownReport> },
    Abandon,
}

/// A handle to the loop. It runs until it has shut everything down.
#[derive(Debug, Clone)]
pub(crate) struct Supervisor(mpsc::Sender<Event>);

impl Supervisor {
    /// Starts the loop. `surroundings` is asked for once the handle exists, since who takes actors' messages may need it.
    pub(crate) fn start(surroundings: impl FnOnce(&Self) -> Surroundings) -> Self {
        let (sender, events) = mpsc::channel(QUEUE);
        let supervisor = Self(sender);
        let state = Run {
            around: surroundings(&supervisor),
            // The loop must not keep itself alive: its own sender is weak.
            events: supervisor.0.downgrade(),
            children: HashMap::new(),
            order: 0,
            shutting_down: None,
        };
        tokio::spawn(state.run(events));
        supervisor
    }

    /// Registers an actor, starts it, and waits for its `init` alone.
    pub(crate) async fn start_child(
        &self,
        register: impl FnOnce() -> Result<Arc<Cell>, HostError>,
        kind: ChildKind,
    ) -> Result<(), HostError> {
        // The place comes first: a name that is taken has to be started.
        let place = self.0.reserve().await.map_err(|_| going_down())?;
        let (started, answer) = oneshot::channel();
        place.send(Event::Start { cell: register()?, kind, started });
        answer.await.map_err(|_| going_down())?
    }

    /// A place in the queue, for a start that nobody waits for; none if too much waits.
    pub(crate) fn place(&self) -> Option<Place<'_>> {
        self.0.try_reserve().ok().map(Place)
    }

    /// Stops an actor and waits until it is gone.
    pub(crate) async fn stop_child(&self, name: ActorName) -> Result<Saved, HostError> {
        let (done, answer) = oneshot::channel();
        self.0.send(Event::Stop { name, done }).await.map_err(|_| going_down())?;
        answer.await.map_err(|_| going_down())?
    }

    /// Ends everything at once, nothing saved: for a host that was dropped. A loop with a full queue is told a moment
    /// later.
    pub(crate) fn abandon(&self) {
        if let Err(mpsc::error::TrySendError::Full(event)) = self.0.try_send(Event::Abandon)
            && let Ok(runtime) = tokio::runtime::Handle::try_current()
        {
            let sender = self.0.clone();
            runtime.spawn(async move { drop(sender.send(event).await) });
        }
    }

    /// Stops everything within `budget`.
    pub(crate) async fn shutdown(&self, budget: Budget) -> ShutdownReport {
        let (done, answer) = oneshot::channel();
        // What cannot be heard of is not taken for saved.
        let lost = || ShutdownReport { stopped: Vec::new(), trouble: Some("the supervisor ended early".into()) };
        if self.0.send(Event::Shutdown { budget, done }).await.is_err() {
            return lost();
        }
        answer.await.unwrap_or_else(|_| lost())
    }
}

/// A place in the supervisor's queue.
pub(crate) struct Place<'a>(mpsc::Permit<'a, Event>);

impl Place<'_> {
    /// Starts a registered actor.
    pub(crate) fn start(self, cell: Arc<Cell>) {
        let (started, _) = oneshot::channel();
        self.0.send(Event::Start { cell, kind: ChildKind::Dynamic, started });
    }
}

fn going_down() -> HostError {
    HostError::new(ErrorCode::ShuttingDown, "the host is going down")
}

struct Child {
    cell: Arc<Cell>,
    kind: ChildKind,
    /// Counts starts, so that those listed are stopped in reverse.
    order: u64,
    restarts: Restarts,
    /// None: no instance; the actor stays down.
    instance: Option<Running>,
    /// Those who wait for its end.
    waiting: Vec<oneshot::Sender<Result<Saved, HostError>>>,
    /// Whether it was told to stop.
    asked: bool,
    /// Dropped once a first start that fails has been dealt with: then its name is free, or shown as failed.
    unsettled: Option<oneshot::Sender<()>>,
}

struct Running {
    signal: watch::Sender<Signal>,
    abort: AbortHandle,
}

struct ShuttingDown {
    budget: Budget,
    report: ShutdownReport,
    done: oneshot::Sender<ShutdownReport>,
    /// Those listed that are still there, in the order in which they started; the last one is stopped next.
    listed: Vec<ActorName>,
    /// The one of them that was told.
    told: Option<ActorName>,
}

struct Run {
    around: Surroundings,
    events: mpsc::WeakSender<Event>,
    children: HashMap<ActorName, Child>,
    order: u64,
    shutting_down: Option<ShuttingDown>,
}

impl Run {
    async fn run(mut self, mut events: mpsc::Receiver<Event>) {
        while let Some(event) = events.recv().await {
            match event {
                Event::Start { cell, kind, started } => self.start(&cell, kind, started),
                Event::Stop { name, done } => self.stop(&name, done),
                Event::Ended { cell, exit } => self.ended(&cell, exit),
                // Without their signals' senders, all instances end at once.
                Event::Abandon => break,
                Event::Shutdown { budget, done } => self.shut_down(budget, done),
            }
            if self.shutting_down.is_some() && self.stop_next() {
                break;
            }
        }
        events.close();
        // Also what has a place in the queue and is still to come.
        while let Some(event) = events.recv().await {
            if let Event::Start { cell, started, .. } = event {
                self.turn_away(&cell, started);
            }
        }
        for child in std::mem::take(&mut self.children).into_values() {
            self.close(&child.cell, "the host is gone");
            self.around.registry.unregister(&child.cell);
        }
    }

    fn turn_away(&self, cell: &Arc<Cell>, started: oneshot::Sender<Result<(), HostError>>) {
        self.close(cell, "the host is going down");
        self.around.registry.unregister(cell);
        drop(started.send(Err(going_down())));
    }

    fn start(&mut self, cell: &Arc<Cell>, kind: ChildKind, started: oneshot::Sender<Result<(), HostError>>) {
        if self.shutting_down.is_some() {
            self.turn_away(cell, started);
            return;
        }
        self.order += 1;
        let (unsettled, settled) = oneshot::channel();
        let child = Child {
            cell: cell.clone(),
            kind,
            order: self.order,
            restarts: Restarts::default(),
            instance: None,
            waiting: Vec::new(),
            asked: false,
            unsettled: Some(unsettled),
        };
        let name = cell.name().clone();
        self.children.insert(name.clone(), child);
        let (heard, answer) = oneshot::channel();
        match self.spawn(&name, heard) {
            Ok(()) => {
                tokio::spawn(async move {
                    let answer = answer.await.unwrap_or(Err(StartFailure::Stopped));
                    if answer.is_err() {
                        // Whoever hears of it may try again at once. Nothing is sent: it ends with its sender.
                        drop(settled.await);
                    }
                    drop(started.send(answer.map_err(|failure| start_error(&name, &failure))));
                });
            }
            Err(error) => {
                match kind {
                    ChildKind::Listed => self.give_up(&name, &error.to_string()),
                    ChildKind::Dynamic => self.remove(&name, &Saved::Kept, &error.to_string()),
                }
                drop(started.send(Err(error)));
            }
        }
    }

    /// The next instance of an actor, with the plugin version that is current now.
    fn spawn(&mut self, name: &ActorName, started: oneshot::Sender<Result<(), StartFailure>>) -> Result<(), HostError> {
        let Some(child) = self.children.get_mut(name) else { return Err(going_down()) };
        let around = &self.around;
        let parts = Parts {
            program: around.catalog.current(&child.cell.spec.plugin)?,
            store: around.store.clone(),
            owner: around.owner.clone(),
            node: around.node.clone(),
            post: around.post.clone(),
            outside: around.outside.clone(),
        };
        let (signal, receiver) = watch::channel(Signal::Go);
        let cell = child.cell.clone();
        let task = tokio::spawn(Instance::new(cell.clone(), parts, receiver).run(started));
        child.instance = Some(Running { signal, abort: task.abort_handle() });
        let events = self.events.clone();
        tokio::spawn(async move {
            let exit = task.await.unwrap_or_else(|error| ended_from_outside(&error));
            if let Some(events) = events.upgrade() {
                drop(events.send(Event::Ended { cell, exit }).await);
            }
        });
        Ok(())
    }

    fn stop(&mut self, name: &ActorName, done: oneshot::Sender<Result<Saved, HostError>>) {
        let Some(child) = self.children.get_mut(name) else {
            let message = format!("no actor `{name}` runs here");
            drop(done.send(Err(HostError::new(ErrorCode::UnknownActor, message))));
            return;
        };
        child.waiting.push(done);
        let above = self.shutting_down.as_ref().map(|down| down.budget);
        child.tell_to_stop(StopReason::Normal, above);
        if child.instance.is_none() {
            self.remove(&name.clone(), &Saved::Kept, "it has ended");
        }
    }

    fn ended(&mut self, cell: &Arc<Cell>, exit: Exit) {
        let name = cell.name().clone();
        let Some(child) = self.children.get_mut(&name) else { return };
        child.instance = None;
        let exit_text = exit.to_string();
        cell.status().last_exit = Some(exit_text.clone());
        let going_down = self.shutting_down.is_some();
        let spec = &cell.spec;
        let now = std::time::Instant::now();
        let asked = child.asked || going_down;
        let exit = if asked { as_its_spec_wished(spec.shutdown, exit) } else { exit };
        let (was_ready, inbox_left) = {
            let status = cell.status();
            (status.was_ready, status.inbox_left)
        };
        let decision = match (was_ready, child.kind) {
            (true, _) => {
                // One that ended with messages behind it is started again by them, as it would be by a new one.
                let restart =
                    if inbox_left && spec.restart == Restart::Transient { Restart::Permanent } else { spec.restart };
                decide(&exit, asked, restart, spec.intensity, &mut child.restarts, now)
            }
            // A first start that fails is its starter's to judge, not a crash to be mended.
            (false, _) if asked => Decision::Remove,
            (false, ChildKind::Dynamic) => Decision::Remove,
            (false, ChildKind::Listed) => Decision::GiveUp,
        };
        match (&exit, decision) {
            (Exit::Crashed(crash), _) => tracing::error!(
                actor = %name, kind = ?crash.kind, during = crash.during, backtrace = ?crash.backtrace, next = ?decision, "crash: {crash}"
            ),
            (Exit::Refused(failure), _) => tracing::error!(actor = %name, next = ?decision, "`init` failed: {failure}"),
            (Exit::Stopped(reason, Saved::Not(why)), _) => {
                tracing::error!(actor = %name, %reason, "stopped, and not saved: {why}");
            }
            (Exit::Stopped(reason, saved), _) => tracing::debug!(actor = %name, %reason, ?saved, "stopped"),
        }
        match decision {
            Decision::Restart => self.restart(&name, cell),
            Decision::Remove => {
                let saved = match exit {
                    Exit::Stopped(_, saved) => saved,
                    Exit::Crashed(crash) => Saved::Not(NotSaved::Crashed(crash.to_string())),
                    // Nothing was loaded yet, so nothing is lost.
                    Exit::Refused(_) => Saved::Kept,
                };
                let why = if was_ready { "it has ended".to_owned() } else { exit_text };
                self.remove(&name, &saved, &why);
            }
            Decision::GiveUp => self.give_up(&name, &exit_text),
        }
    }

    fn restart(&mut self, name: &ActorName, cell: &Arc<Cell>) {
        {
            let mut status = cell.status();
            status.phase = Phase::Restarting;
            status.restarts += 1;
        }
        // A stop that the actor asked for has closed its mailbox.
        cell.mailbox.set_gate(Gate::Open);
        let (started, _) = oneshot::channel();
        if let Err(error) = self.spawn(name, started) {
            self.give_up(name, &error.to_string());
        }
    }

    /// The actor stays down, under its name.
    fn give_up(&mut self, name: &ActorName, why: &str) {
        let Some(child) = self.children.get_mut(name) else { return };
        let (cell, unsettled) = (child.cell.clone(), child.unsettled.take());
        tracing::error!(actor = %name, why, "the actor stays down until it is started again");
        {
            let mut status = cell.status();
            status.phase = Phase::Failed;
            status.last_exit = Some(why.to_owned());
        }
        let stays_down = |actor: &ActorName| SendError::Down { actor: actor.to_string(), why: why.to_owned() };
        self.shut(&cell, Gate::Down(why.to_owned()), &format!("it stays down: {why}"), stays_down);
        drop(unsettled);
    }

    fn remove(&mut self, name: &ActorName, saved: &Saved, why: &str) {
        let Some(child) = self.children.remove(name) else { return };
        self.close(&child.cell, why);
        self.around.registry.unregister(&child.cell);
        if let Some(down) = &mut self.shutting_down {
            down.report.stopped.push((name.clone(), saved.clone()));
            if child.kind == ChildKind::Listed {
                down.listed.retain(|listed| listed != name);
            }
        }
        for waiting in child.waiting {
            drop(waiting.send(Ok(saved.clone())));
        }
    }

    /// Takes no more messages, and says so to those that wait.
    fn close(&self, cell: &Arc<Cell>, why: &str) {
        let unseen = |actor: &ActorName| SendError::Unavailable { actor: actor.to_string(), why: why.to_owned() };
        self.shut(cell, Gate::Closed(why.to_owned()), why, unseen);
    }

    fn shut(&self, cell: &Arc<Cell>, gate: Gate, why: &str, unseen: impl Fn(&ActorName) -> SendError) {
        cell.mailbox.set_gate(gate);
        let unseen = |actor: &ActorName| -> CallError { unseen(actor).into() };
        // Those that came with a record are in it still.
        for envelope in cell.mailbox.drain(unseen).into_iter().filter(|envelope| envelope.restored.is_none()) {
            self.around.post.dead_letter(cell.name(), &envelope.message, why, None);
        }
    }

    /// Everyone is told to stop: those at run time side by side, so that their commits share a barrier, and at once; those
    /// listed one by one after them.
    fn shut_down(&mut self, budget: Budget, done: oneshot::Sender<ShutdownReport>) {
        let stay_down = self.children.values().filter(|child| child.instance.is_none());
        let stay_down: Vec<_> = stay_down.map(|child| child.cell.name().clone()).collect();
        let report = ShutdownReport::default();
        self.shutting_down = Some(ShuttingDown { budget, report, done, listed: Vec::new(), told: None });
        for name in stay_down {
            self.remove(&name, &Saved::Kept, "it has ended");
        }
        let mut listed = Vec::new();
        for child in self.children.values_mut() {
            match child.kind {
                ChildKind::Dynamic => child.tell_to_stop(StopReason::Shutdown, Some(budget)),
                ChildKind::Listed => listed.push((child.order, child.cell.name().clone())),
            }
        }
        listed.sort();
        if let Some(down) = &mut self.shutting_down {
            down.listed = listed.into_iter().map(|(_, name)| name).collect();
        }
    }

    /// While the host goes down: tells the next one to stop. True when nobody is left, and the report is out.
    fn stop_next(&mut self) -> bool {
        let Some(down) = &mut self.shutting_down else { return false };
        while down.listed.last().is_some_and(|name| !self.children.contains_key(name)) {
            down.listed.pop();
        }
        if let Some(down) = self.shutting_down.take_if(|_| self.children.is_empty()) {
            drop(down.done.send(down.report));
            return true;
        }
        let Some(down) = &mut self.shutting_down else { return false };
        let dynamic_left = self.children.len() > down.listed.len();
        if let Some(last) = down.listed.last().filter(|last| !dynamic_left && down.told.as_ref() != Some(last))
            && let Some(child) = self.children.get_mut(last)
        {
            down.told = Some(last.clone());
            child.tell_to_stop(StopReason::Shutdown, Some(down.budget));
        }
        false
    }
}

impl Child {
    /// One that was told before keeps its reason, and gets no more time than it had.
    fn tell_to_stop(&mut self, reason: StopReason, above: Option<Budget>) {
        self.asked = true;
        let Some(running) = &self.instance else { return };
        let budget = Budget::of(self.cell.spec.shutdown, above);
        let brutal = self.cell.spec.shutdown == Shutdown::BrutalKill;
        running.signal.send_modify(|now| match now {
            Signal::Go if brutal => *now = Signal::Kill,
            Signal::Go => *now = Signal::Stop(reason, budget),
            Signal::Stop(_, before) => *before = before.or_sooner(budget),
            Signal::Kill => {}
        });
        if let Some(deadline) = budget.deadline {
            let abort = running.abort.clone();
            tokio::spawn(async move {
                tokio::time::sleep_until(deadline + OVERDUE).await;
                abort.abort();
            });
        }
    }
}

/// An actor that is to be killed at once has nothing saved, and that is what its spec says.
fn as_its_spec_wished(shutdown: Shutdown, exit: Exit) -> Exit {
    match exit {
        Exit::Stopped(reason, Saved::Not(NotSaved::Killed)) if shutdown == Shutdown::BrutalKill => {
            Exit::Stopped(reason, Saved::Kept)
        }
        other => other,
    }
}

fn start_error(name: &ActorName, failure: &StartFailure) -> HostError {
    let error = HostError::new(ErrorCode::Start, format!("actor `{name}` would not start: {failure}"));
    match failure {
        StartFailure::Crashed(crash) if !crash.backtrace.is_empty() => {
            error.hint(format!("the guest was in {}", crash.backtrace.join(" ← ")))
        }
        _ => error,
    }
}

/// An instance's task that did not end by itself: it was overdue, or the host's own code panicked in it.
fn ended_from_outside(error: &tokio::task::JoinError) -> Exit {
    if error.is_cancelled() {
        return Exit::Stopped(StopReason::Shutdown, Saved::Not(NotSaved::Killed));
    }
    Exit::Crashed(crate::model::Crash {
        kind: crate::model::CrashKind::Trap,
        during: "host".into(),
        message: format!("the host's own code panicked: {error}"),
        backtrace: Vec::new(),
    })
}
