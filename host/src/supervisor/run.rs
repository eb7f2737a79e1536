//! The loop that carries out what the tree decides. It waits for nobody: starting and stopping happen beside it, and come
//! back to it as events.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, mpsc, oneshot, watch};
use tokio::task::AbortHandle;
use tokio::time::Instant;

use super::answer;
use super::handle::going_down;
use super::report::ShutdownReport;
use super::restart::End;
use super::tree::{Ask, Do, Id, Refused, Ticket, Tree};
use crate::actor::{
    Budget, Cell, Envelope, Gate, Instance, Parts, Post, Residents, Signal, StartFailure, Task, Tenures,
};
use crate::catalog::Catalog;
use crate::events::{About, EventDetail, Events};
use crate::model::{
    ActorName, CallError, ChildInfo, Counts, ErrorCode, Exit, ExitReason, HostError, Label, Phase, PluginName, Saved,
    SendError, StateRules, StopReason, log_of,
};
use crate::registry::Registry;
use crate::sandbox::{Granted, Outside};
use crate::store::SnapshotStore;
use crate::telemetry::{Metrics, OfVersion};

/// How long past its deadline an instance is waited for before its task is ended from outside.
const OVERDUE: Duration = Duration::from_secs(2);

/// What actors are made with.
#[derive(Debug, Clone)]
pub(crate) struct Surroundings {
    pub(crate) catalog: Arc<Catalog>,
    pub(crate) registry: Arc<Registry>,
    pub(crate) store: Arc<dyn SnapshotStore>,
    pub(crate) tenures: Arc<Tenures>,
    pub(crate) node: String,
    pub(crate) post: Arc<dyn Post>,
    pub(crate) outside: Arc<dyn Outside>,
    pub(crate) events: Events,
    /// How the actors of each plugin keep their states, where they do not say so themselves.
    pub(crate) rules: Arc<HashMap<PluginName, StateRules>>,
    /// What the actors of each plugin may do.
    pub(crate) grants: Arc<HashMap<PluginName, Arc<Granted>>>,
    /// Whether a turn that nobody called begins a trace.
    pub(crate) traces: bool,
    pub(crate) metrics: Arc<Metrics>,
    /// Those that are awake.
    pub(crate) residents: Arc<Residents>,
}

type Reply<T> = oneshot::Sender<Result<T, HostError>>;

/// What comes to the loop.
#[derive(Debug)]
pub(super) enum Event {
    /// With the cell of an actor whose name is registered already.
    Ask {
        ask: Ask,
        cell: Option<Arc<Cell>>,
        reply: Reply<Saved>,
    },
    Which {
        supervisor: Option<ActorName>,
        reply: Reply<Vec<ChildInfo>>,
    },
    Count {
        supervisor: Option<ActorName>,
        reply: Reply<Counts>,
    },
    Tree(oneshot::Sender<Vec<ChildInfo>>),
    Child {
        name: ActorName,
        reply: oneshot::Sender<Option<ChildInfo>>,
    },
    Started {
        id: Id,
        run: u64,
        failure: Option<StartFailure>,
    },
    /// An actor's instance has gone, and the actor lives: it sleeps.
    Asleep {
        id: Id,
        run: u64,
    },
    Ended {
        id: Id,
        run: u64,
        exit: Exit,
    },
    Woken {
        id: Id,
        run: u64,
    },
    Shutdown {
        budget: Budget,
        done: oneshot::Sender<ShutdownReport>,
    },
    Abandon,
}

/// An actor of the tree, as the loop has it.
struct Actor {
    cell: Arc<Cell>,
    instance: Option<Running>,
    /// Why its last `init` failed.
    failure: Option<StartFailure>,
}

struct Running {
    signal: watch::Sender<Signal>,
    abort: AbortHandle,
}

#[derive(Default)]
struct ShuttingDown {
    report: ShutdownReport,
    /// Whom it names.
    named: HashSet<ActorName>,
    done: Vec<oneshot::Sender<ShutdownReport>>,
}

impl ShuttingDown {
    fn stopped(&mut self, actor: &ActorName, saved: Saved) {
        self.named.insert(actor.clone());
        self.report.stopped.push((actor.clone(), saved));
    }
}

/// The loop's own.
pub(super) struct Run {
    around: Surroundings,
    events: mpsc::WeakSender<Event>,
    tree: Tree,
    actors: HashMap<Id, Actor>,
    /// Cells that came with a request, by the actor's name, until it is in the tree.
    brought: HashMap<ActorName, (Ticket, Arc<Cell>)>,
    /// Who waits, and which child they asked for.
    tickets: HashMap<Ticket, (ActorName, Reply<Saved>)>,
    /// Why an instance could not even be made.
    unmade: HashMap<Id, HostError>,
    next_ticket: Ticket,
    shutting_down: Option<ShuttingDown>,
}

impl Run {
    pub(super) fn new(around: Surroundings, events: mpsc::WeakSender<Event>) -> Self {
        Self {
            around,
            events,
            tree: Tree::new(root_name()),
            actors: HashMap::new(),
            brought: HashMap::new(),
            tickets: HashMap::new(),
            unmade: HashMap::new(),
            next_ticket: 0,
            shutting_down: None,
        }
    }

    pub(super) async fn run(mut self, mut events: mpsc::Receiver<Event>) {
        while let Some(event) = events.recv().await {
            if matches!(event, Event::Abandon) || self.on(event) {
                break;
            }
        }
        // Whoever still asks is told.
        events.close();
        while let Some(event) = events.recv().await {
            if let Event::Ask { cell: Some(cell), .. } = event {
                self.turn_away(&cell, "the host is going down");
            }
        }
    }

    /// True once everything has ended.
    fn on(&mut self, event: Event) -> bool {
        let now = Instant::now();
        match event {
            Event::Ask { ask, cell, reply } => self.asked(ask, cell, reply, now),
            Event::Which { supervisor, reply } => {
                let which = self.tree.which(supervisor.as_ref());
                drop(reply.send(which.ok_or_else(|| no_supervisor(supervisor.as_ref()))));
            }
            Event::Count { supervisor, reply } => {
                let count = self.tree.count(supervisor.as_ref());
                drop(reply.send(count.ok_or_else(|| no_supervisor(supervisor.as_ref()))));
            }
            Event::Tree(reply) => drop(reply.send(self.tree.all())),
            Event::Child { name, reply } => drop(reply.send(self.tree.child(&name))),
            Event::Started { id, run, failure: None } => self.tree.started(id, run, now),
            Event::Started { id, failure, .. } => {
                if let Some(actor) = self.actors.get_mut(&id) {
                    actor.failure = failure;
                }
            }
            Event::Asleep { id, run } => self.asleep(id, run),
            Event::Ended { id, run, exit } => self.ended(id, run, exit, now),
            Event::Woken { id, run } => self.tree.woken(id, run, now),
            Event::Shutdown { budget, done } => {
                self.shutting_down.get_or_insert_with(ShuttingDown::default).done.push(done);
                self.tree.shut_down(budget, now);
            }
            Event::Abandon => {}
        }
        self.carry_out(now)
    }

    fn asked(&mut self, ask: Ask, cell: Option<Arc<Cell>>, reply: Reply<Saved>, now: Instant) {
        let name = ask.about().clone();
        if let Err(error) = self.check(&ask) {
            if let Some(cell) = cell {
                self.turn_away(&cell, &error.to_string());
            }
            drop(reply.send(Err(error)));
            return;
        }
        let ticket = self.next_ticket;
        self.next_ticket += 1;
        if let Some(cell) = cell {
            self.brought.insert(name.clone(), (ticket, cell));
        }
        // One that nobody waits for is answered too: its cell may have to be turned away.
        self.tickets.insert(ticket, (name, reply));
        self.tree.ask(ticket, ask, now);
    }

    /// What the tree cannot know: whether there are such plugins.
    fn check(&self, ask: &Ask) -> Result<(), HostError> {
        let Ask::Start { spec, .. } = ask else { return Ok(()) };
        spec.actors().try_for_each(|actor| self.around.catalog.choose(actor).map(drop))
    }

    /// Does what the tree has decided. True once everything has ended.
    fn carry_out(&mut self, now: Instant) -> bool {
        loop {
            let all = self.tree.take();
            if all.is_empty() {
                self.unmade.clear();
                return false;
            }
            for step in all {
                match step {
                    Do::Spawn { id, run } => {
                        if let Err(error) = self.spawn(id, run) {
                            let end = End::Crashed(error.to_string());
                            self.unmade.insert(id, error);
                            self.tree.ended(id, run, end, Saved::Kept, now);
                        }
                    }
                    Do::Stop { id, reason, budget, .. } => self.tell_to_stop(id, &reason, budget),
                    Do::Kill { id, .. } => {
                        if let Some(running) = self.actors.get(&id).and_then(|actor| actor.instance.as_ref()) {
                            running.signal.send_replace(Signal::Kill);
                        }
                    }
                    Do::Wake { id, run, at } => self.wake_at(id, run, at),
                    Do::Restarting { id } => self.restarting(id),
                    Do::GiveUp { id, why } => self.gives_up(id, why),
                    Do::Fail { id, why } => self.stays_down(id, &why),
                    Do::Free { id, name, why } => self.free(id, &name, &why),
                    Do::Answer { ticket, id, answer } => self.answer(ticket, id, answer),
                    Do::Over => {
                        self.report();
                        return true;
                    }
                }
            }
        }
    }

    /// The next instance of an actor, with the plugin version that it is to run now.
    fn spawn(&mut self, id: Id, run: u64) -> Result<(), HostError> {
        let Some(spec) = self.tree.actor(id) else { return Err(going_down()) };
        let around = &self.around;
        let program = around.catalog.choose(spec)?;
        if !self.actors.contains_key(&id) {
            let cell = match self.brought.remove(&spec.name) {
                Some((_, cell)) => cell,
                None => {
                    let cell = Arc::new(Cell::under(self.tree.above(id).cloned(), spec.clone()));
                    around.registry.register(cell).map_err(|taken| {
                        HostError::new(ErrorCode::AlreadyStarted, format!("the name `{}` is taken", taken.name()))
                    })?
                }
            };
            self.actors.insert(id, Actor { cell, instance: None, failure: None });
        }
        let Some(actor) = self.actors.get_mut(&id) else { return Err(going_down()) };
        let parts = Parts {
            program,
            catalog: around.catalog.clone(),
            store: around.store.clone(),
            tenures: around.tenures.clone(),
            stays: self.tree.stays(id),
            node: around.node.clone(),
            post: around.post.clone(),
            outside: around.outside.clone(),
            events: around.events.clone(),
            rules: around.rules.get(&actor.cell.spec.plugin).copied().unwrap_or_default(),
            grants: around.grants.get(&actor.cell.spec.plugin).cloned().unwrap_or_default(),
            traces: around.traces,
            metrics: around.metrics.clone(),
            residents: around.residents.clone(),
            asleep: Arc::default(),
        };
        let (signal, receiver) = watch::channel(Signal::Go);
        // A stop before has closed its mailbox.
        actor.cell.mailbox.set_gate(Gate::Open);
        actor.failure = None;
        let (started, heard) = oneshot::channel();
        let asleep: Arc<Notify> = parts.asleep.clone();
        let mut task = tokio::spawn(Task::new(
            actor.cell.clone(),
            Instance::new(actor.cell.clone(), parts, receiver).run(started),
        ));
        actor.instance = Some(Running { signal, abort: task.abort_handle() });
        let events = self.events.clone();
        tokio::spawn(async move {
            let failure = heard.await.unwrap_or(Err(StartFailure::Stopped)).err();
            send(&events, Event::Started { id, run, failure }).await;
            let exit = loop {
                tokio::select! {
                    biased;
                    exit = &mut task => break exit,
                    () = asleep.notified() => send(&events, Event::Asleep { id, run }).await,
                }
            };
            let exit = exit.unwrap_or_else(|error| answer::ended_from_outside(&error));
            send(&events, Event::Ended { id, run, exit }).await;
        });
        Ok(())
    }

    fn tell_to_stop(&self, id: Id, reason: &StopReason, budget: Budget) {
        let Some(running) = self.actors.get(&id).and_then(|actor| actor.instance.as_ref()) else { return };
        running.signal.send_modify(|now| match now {
            Signal::Go => *now = Signal::Stop(reason.clone(), budget),
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

    fn wake_at(&self, id: Id, run: u64, at: Instant) {
        let events = self.events.clone();
        tokio::spawn(async move {
            tokio::time::sleep_until(at).await;
            send(&events, Event::Woken { id, run }).await;
        });
    }

    /// An actor that sleeps is let go where the next message to its name makes the same one: nothing of it is here then.
    fn asleep(&mut self, id: Id, run: u64) {
        let Some(actor) = self.actors.get(&id) else { return };
        if self.tree.may_go(id, run) && self.around.post.let_go(&actor.cell) {
            self.tree.let_go(id);
            // Its task ends once nobody can tell it anything.
            self.actors.remove(&id);
        }
    }

    fn ended(&mut self, id: Id, run: u64, exit: Exit, now: Instant) {
        let Some(actor) = self.actors.get_mut(&id) else { return };
        actor.instance = None;
        let cell = actor.cell.clone();
        self.around.catalog.sweep(&cell.spec.plugin);
        let asked = self.tree.is_stopping(id);
        // To others, who is told to stop ends with `shutdown`, as in OTP; `normal` is an end of one's own.
        let reason = match exit.reason() {
            ExitReason::Normal if asked => ExitReason::Shutdown,
            reason => reason,
        };
        self.around.post.ended(&cell, &reason);
        let exit = match asked {
            true => answer::as_its_spec_wished(cell.spec.shutdown, exit),
            false => exit,
        };
        let inbox_left = {
            let mut status = cell.status();
            status.ended(&exit);
            status.inbox_left
        };
        log(&cell.label(), &exit);
        if let Exit::Crashed(crash) = &exit {
            self.numbers(&cell).crash(crash.kind);
        }
        self.around.events.tell(cell.about(), answer::told(&exit));
        let (saved, shared) = (answer::saved(&exit), self.around.tenures.is_shared());
        if let Some(down) = &mut self.shutting_down {
            down.stopped(cell.name(), saved.clone());
        }
        self.tree.ended(id, run, answer::end(&exit, inbox_left, shared), saved, now);
    }

    fn numbers(&self, cell: &Cell) -> Arc<OfVersion> {
        let version = cell.status().version.clone();
        self.around.metrics.of_version(&cell.spec.plugin, version.as_ref())
    }

    /// It waits to be started again, and its messages with it.
    fn restarting(&self, id: Id) {
        let Some(actor) = self.actors.get(&id) else { return };
        let restarts = {
            let mut status = actor.cell.status();
            status.phase = Phase::Restarting;
            status.restarts += 1;
            status.restarts
        };
        self.numbers(&actor.cell).restarts.one_more();
        self.around.events.tell(actor.cell.about(), EventDetail::Restarted { restarts });
        actor.cell.mailbox.set_gate(Gate::Open);
    }

    /// A supervisor ends, and what is below it first.
    fn gives_up(&self, id: Id, why: String) {
        let Some(name) = self.tree.name(id) else { return };
        tracing::warn!(supervisor = %name, why, "it gives up");
        self.around.events.tell(About::child(name), EventDetail::GaveUp { why });
    }

    /// The actor stays down, under its name.
    fn stays_down(&mut self, id: Id, why: &str) {
        let Some(name) = self.tree.name(id) else { return };
        let about = self.actors.get(&id).map_or_else(|| About::child(name), |actor| actor.cell.about());
        self.around.events.tell(about, EventDetail::Failed { why: why.to_owned() });
        let Some(actor) = self.actors.get(&id) else {
            return tracing::error!(child = %name, why, "it stays down until it is started again");
        };
        log_of!(error, actor.cell.label(), why, "it stays down until it is started again");
        {
            let mut status = actor.cell.status();
            status.phase = Phase::Failed;
            status.last_exit = Some(why.to_owned());
        }
        // For those who came to watch it since its last instance ended.
        self.around.post.ended(&actor.cell, &ExitReason::Noproc);
        let stays_down = |actor: &ActorName| SendError::Down { actor: actor.to_string(), why: why.to_owned() };
        self.shut(&actor.cell.clone(), Gate::Down(why.to_owned()), &format!("it stays down: {why}"), stays_down);
    }

    fn free(&mut self, id: Id, name: &ActorName, why: &str) {
        if let Some(actor) = self.actors.remove(&id) {
            if let Some(failure) = &actor.failure {
                self.unmade.insert(id, answer::start_error(name, failure));
            }
            self.turn_away(&actor.cell, why);
            if let Some(down) = &mut self.shutting_down
                && !down.named.contains(name)
            {
                down.stopped(name, Saved::Kept);
            }
        }
    }

    /// Takes no more messages, says so to those that wait, and frees the name.
    fn turn_away(&self, cell: &Arc<Cell>, why: &str) {
        let unseen = |actor: &ActorName| SendError::Unavailable { actor: actor.to_string(), why: why.to_owned() };
        self.shut(cell, Gate::Closed(why.to_owned()), why, unseen);
        self.around.registry.unregister(cell);
    }

    fn shut(&self, cell: &Arc<Cell>, gate: Gate, why: &str, unseen: impl Fn(&ActorName) -> SendError) {
        cell.mailbox.set_gate(gate);
        let unseen = |actor: &ActorName| -> CallError { unseen(actor).into() };
        // Those that came with a record are in it still, and those of durable senders are with these.
        let gone = |envelope: &Envelope| envelope.restored.is_none() && envelope.receipt.is_none();
        for envelope in cell.mailbox.drain(unseen).into_iter().filter(gone) {
            self.around.post.dead_letter(cell.name(), &envelope.message, why, None);
        }
    }

    fn answer(&mut self, ticket: Ticket, id: Id, answer: Result<Saved, Refused>) {
        let Some((name, reply)) = self.tickets.remove(&ticket) else { return };
        let failure = self.actors.get_mut(&id).and_then(|actor| actor.failure.take());
        let unmade = self.unmade.remove(&id);
        let answer = answer.map_err(|refused| {
            let error = unmade.unwrap_or_else(|| answer::error(&refused, failure.as_ref()));
            if self.brought.get(&name).is_some_and(|(brought, _)| *brought == ticket)
                && let Some((_, cell)) = self.brought.remove(&name)
            {
                self.turn_away(&cell, &error.to_string());
            }
            error
        });
        // Whoever asked and went away does not miss the answer.
        drop(reply.send(answer));
    }

    fn report(&mut self) {
        let Some(down) = self.shutting_down.take() else { return };
        for done in down.done {
            drop(done.send(down.report.clone()));
        }
    }
}

async fn send(events: &mpsc::WeakSender<Event>, event: Event) {
    if let Some(events) = events.upgrade() {
        drop(events.send(event).await);
    }
}

fn no_supervisor(name: Option<&ActorName>) -> HostError {
    let name = name.map(ToString::to_string).unwrap_or_default();
    HostError::new(ErrorCode::UnknownSupervisor, format!("no supervisor `{name}` runs here"))
}

/// The root's name; nobody can ask for it.
fn root_name() -> ActorName {
    ActorName::new("root").expect("a valid name")
}

fn log(label: &Label, exit: &Exit) {
    match exit {
        Exit::Crashed(crash) => log_of!(
            error, label, kind = ?crash.kind, during = crash.during, backtrace = ?crash.backtrace,
            core_dump = crash.core_dump, "crash: {crash}"
        ),
        Exit::Refused(failure) => log_of!(error, label, "`init` failed: {failure}"),
        // It was told already.
        Exit::Unusable(_) | Exit::Elsewhere(_) => {}
        Exit::Stopped(reason, Saved::Not(why)) => log_of!(error, label, %reason, "stopped, and not saved: {why}"),
        Exit::Stopped(reason, saved) => log_of!(debug, label, %reason, ?saved, "stopped"),
    }
}
