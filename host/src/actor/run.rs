//! The loop of one instance: it carries out what `turn` and `handoff` decide.

use std::collections::BTreeMap;
use std::future::{Future, poll_fn};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use tokio::sync::{Notify, oneshot, watch};
use tokio::time::Instant;

use super::ears::{Ears, Stint};
use super::exits::ExitSignal;
use super::lane::Heard;
use super::ledger::Ledger;
use super::lifecycle::{StartFailure, fenced};
use super::outbox::Pump;
use super::rest::Residents;
use super::saving::{Unsaved, settle_soon};
use super::signals::{Cut, Interrupt, Signals};
use super::sleeping::Asleep;
use super::tenure::{Tenure, Tenures};
use super::turn::{self, Plan};
use super::writes::{Shelf, Write, write};
use super::{Budget, Cell, Envelope, Post, Signal};
use crate::catalog::{Catalog, Fault};
use crate::events::{EventDetail, Events};
use crate::model::{
    Crash, CrashKind, Durability, Exit, ExitReason, Keeping, NotSaved, Phase, Saved, Shutdown, StateRules, StopReason,
};
use crate::sandbox::{Effect, Granted, Guest, Out, Outside, Program};
use crate::store::{Lease, SnapshotStore, StoreError, now_ms};
use crate::telemetry::{Begun, Metrics, OfVersion, TraceContext};

/// What an instance is made with.
#[derive(Debug, Clone)]
pub(crate) struct Parts {
    pub(crate) program: Program,
    pub(crate) catalog: Arc<Catalog>,
    pub(crate) store: Arc<dyn SnapshotStore>,
    /// This host, as the owner of heads.
    pub(crate) tenures: Arc<Tenures>,
    /// Whether its place in the tree stays when it has ended: it waits there while another host owns it.
    pub(crate) stays: bool,
    /// This machine, as records name it.
    pub(crate) node: String,
    pub(crate) post: Arc<dyn Post>,
    pub(crate) outside: Arc<dyn Outside>,
    pub(crate) events: Events,
    /// How the actors of this plugin keep their states, where they do not say so themselves.
    pub(crate) rules: StateRules,
    /// What they may do.
    pub(crate) grants: Arc<Granted>,
    /// Whether a turn that nobody called begins a trace.
    pub(crate) traces: bool,
    pub(crate) metrics: Arc<Metrics>,
    /// Those that are awake.
    pub(crate) residents: Arc<Residents>,
    /// Told when this one has fallen asleep.
    pub(crate) asleep: Arc<Notify>,
}

impl Parts {
    /// What is counted of a version.
    pub(super) fn numbers(&self, program: &Program) -> Arc<OfVersion> {
        let plugin = program.description();
        self.metrics.of_version(&plugin.name, Some(&plugin.version))
    }
}

/// One instance of an actor, from `init` to its end.
#[derive(Debug)]
pub(crate) struct Instance {
    pub(super) cell: Arc<Cell>,
    pub(super) parts: Parts,
    pub(super) signals: Signals,
    pub(super) keeping: Keeping,
    /// What is counted of the version that it runs.
    pub(super) numbers: Arc<OfVersion>,
    /// The lease of this host under which it has claimed its actor, or is to.
    pub(super) tenure: Arc<Tenure>,
}

impl Drop for Instance {
    /// However it ended: nobody hears any more.
    fn drop(&mut self) {
        self.cell.lane.leave();
        self.parts.residents.leave(&self.cell);
        self.cell.figures.memory(0);
        let mut status = self.cell.status();
        (status.component, status.started_ms) = (None, None);
    }
}

/// An instance that has taken its state over.
#[derive(Debug)]
pub(super) struct Live {
    pub(super) guest: Guest,
    pub(super) trap_exit: bool,
    pub(super) lease: Lease,
    /// Names, and when they are due in milliseconds since the Unix epoch.
    pub(super) timers: Arc<BTreeMap<String, u64>>,
    /// The same as the record that counts has them.
    pub(super) record_timers: Arc<BTreeMap<String, u64>>,
    /// Whether the record that was taken over has messages or timers of its own.
    pub(super) loose: bool,
    /// Whether the head needs the mark "taken up" before anything of a turn leaves.
    pub(super) mark: bool,
    /// Turns of this instance that no message began, for their ids.
    pub(super) turns: u64,
    /// Of `init` and `continue`, or of the turn in hand.
    pub(super) effects: Vec<Effect>,
    /// Its dealings with others.
    pub(super) ledger: Ledger,
    /// What it has done since its last record.
    pub(super) unsaved: Unsaved,
    /// How long it has gone on without a rest.
    pub(super) stint: Stint,
    /// The turn in hand, as a part of a trace.
    pub(super) turn: Begun,
}

/// What an instance does next.
pub(super) enum Step {
    Interrupt(Interrupt),
    Heard(Heard),
    Message(Envelope),
    /// Its name, and when it was due.
    Timer(String, u64),
    /// A checkpoint is due.
    Save,
    /// A message that it sent has arrived or got lost, or is to be tried again.
    Outbox,
    /// Something may begin again.
    Thawed,
}

/// What an instance waits for besides what others tell it.
struct Waits<'a> {
    timers: &'a BTreeMap<String, u64>,
    unsaved: &'a Unsaved,
    pump: &'a Pump,
}

impl Waits<'_> {
    fn for_messages_alone(&self) -> bool {
        self.timers.is_empty() && !self.unsaved.is_due_ever() && !self.pump.is_due_ever()
    }
}

/// What follows a turn, or something that was asked for.
pub(super) enum Next {
    Go,
    Stop,
    /// Its state is in the store: its instance may go.
    Sleep,
    End(Exit),
}

/// What has become of an instance.
enum Left {
    Ended(Exit),
    Asleep(Asleep),
}

impl Instance {
    pub(crate) fn new(cell: Arc<Cell>, parts: Parts, signal: watch::Receiver<Signal>) -> Self {
        let signals = Signals::new(signal, cell.lane.attend());
        let keeping = cell.spec.state.or(parts.rules).resolved();
        let numbers = parts.numbers(&parts.program);
        let tenure = parts.tenures.current();
        Self { cell, parts, signals, keeping, numbers, tenure }
    }

    /// Runs to the end. `started` hears how `init` went.
    pub(crate) async fn run(mut self, started: oneshot::Sender<Result<(), StartFailure>>) -> Exit {
        let mut started = Some(started);
        let exit = loop {
            // Apart, so that a sleeper has no room for it.
            let asleep = match Box::pin(self.live_on(started.take())).await {
                Left::Ended(exit) => break exit,
                Left::Asleep(asleep) => asleep,
            };
            if let Err(exit) = self.sleep(asleep).await {
                break exit;
            }
        };
        match &exit {
            // Where the store or the host is at fault, the version is not.
            Exit::Crashed(crash) if !matches!(crash.kind, CrashKind::Store | CrashKind::Fenced) => {
                self.fault(crash.to_string());
            }
            Exit::Refused(failure) => self.fault(format!("`init` failed: {failure}")),
            _ => {}
        }
        let (catalog, plugin) = (self.parts.catalog.clone(), self.cell.spec.plugin.clone());
        drop(self);
        // It may have been the last one with its version.
        catalog.sweep(&plugin);
        exit
    }

    /// Tells those who listen what has become of the actor.
    pub(super) fn tell(&self, detail: EventDetail) {
        self.parts.events.tell(self.cell.about(), detail);
    }

    /// Notes that this version has failed its actor.
    pub(super) fn fault(&self, what: String) {
        let fault = Fault { actor: self.cell.name().clone(), what };
        self.parts.catalog.fault(&self.cell.spec.plugin, self.parts.program.digest(), fault);
    }

    /// From `init` until its instance goes. `started`: who waits for `init`; none where it wakes.
    async fn live_on(&mut self, started: Option<oneshot::Sender<Result<(), StartFailure>>>) -> Left {
        {
            let mut status = self.cell.status();
            status.phase = Phase::Starting;
            status.version = Some(self.parts.program.description().version.clone());
            status.component = Some(self.parts.program.digest());
            status.started_ms = Some(now_ms());
            (status.held, status.owner) = (None, None);
            status.inbox_left = false;
        }
        self.tell(EventDetail::Starting);
        let ready = match self.start().await {
            Ok(ready) => ready,
            Err((failure, interrupt)) => {
                // A starter that has gone does not miss the answer.
                drop(started.map(|started| started.send(Err(failure.clone()))));
                return Left::Ended(self.not_started(failure, interrupt).await);
            }
        };
        {
            let mut status = self.cell.status();
            status.was_ready = true;
            status.phase = Phase::Continuing;
        }
        drop(started.map(|started| started.send(Ok(()))));
        let mut live = match self.take_over(ready).await {
            Ok(live) => live,
            Err(exit) => return Left::Ended(exit),
        };
        let effects = std::mem::take(&mut live.effects);
        Left::Ended(match self.signals.uncut(self.carry_out(&mut live, effects, "continue")).await {
            Ok(Ok(false)) => {
                self.parts.residents.enter(&self.cell, self.keeping.passivate_after);
                return self.serve(live).await;
            }
            Ok(Ok(true)) => self.stop(live, StopReason::Normal, self.own_budget()).await,
            Ok(Err(crash)) => self.crashed_for_good(live, crash).await,
            Err(why) => self.cut_short(why),
        })
    }

    pub(super) async fn not_started(&mut self, failure: StartFailure, interrupt: Option<Interrupt>) -> Exit {
        match (failure, interrupt) {
            (_, Some(interrupt)) => self.leave(interrupt, None).await,
            (StartFailure::Crashed(crash), None) => Exit::Crashed(crash),
            (StartFailure::Refused(failure), None) => Exit::Refused(failure),
            (StartFailure::Stopped, None) => Exit::Stopped(StopReason::Normal, Saved::Kept),
        }
    }

    /// Signals, requests, messages and timers, until the end.
    async fn serve(&mut self, mut live: Live) -> Left {
        let (mut after_timer, mut suspended) = (false, false);
        let mut pump = Pump::new();
        pump.run(&self.cell, &*self.parts.post, &live.ledger, true);
        let mut ears = Ears::new(&self.signals, &self.cell);
        self.signals.ring(ears.bell());
        loop {
            live.stint.gives_way(self.cell.driver.is_in_place()).await;
            let Live { timers, unsaved, stint, .. } = &mut live;
            let waits = Waits { timers, unsaved, pump: &pump };
            let step = match suspended || !waits.for_messages_alone() || !self.tenure.is_open() {
                true => stint.rests(self.next_step(waits, &mut ears, suspended, after_timer)).await,
                false => stint.rests(self.next_message(&mut ears)).await,
            };
            if !matches!(step, Step::Message(_)) {
                self.cell.mailbox.rests_no_more();
                self.leaves_the_sender().await;
            }
            let next = match step {
                Step::Interrupt(Interrupt::Stop(reason, budget)) => {
                    return Left::Ended(self.stop(live, reason, budget).await);
                }
                Step::Interrupt(Interrupt::Kill) => return Left::Ended(self.killed()),
                Step::Interrupt(Interrupt::Fenced(why)) => return Left::Ended(Exit::Crashed(fenced("handle", why))),
                Step::Thawed => Next::Go,
                // The host has frozen since: it waits for that to pass, in its place.
                Step::Message(envelope) if !self.tenure.is_open() => {
                    self.cell.mailbox.put_back(envelope);
                    Next::Go
                }
                Step::Timer(..) | Step::Save if !self.tenure.is_open() => Next::Go,
                Step::Heard(Heard::Exit(signal)) => return Left::Ended(self.follow(live, &signal).await),
                Step::Heard(Heard::Asked(request)) => self.serve_request(&mut live, request, &mut suspended).await,
                Step::Message(envelope) => {
                    after_timer = false;
                    self.turn(&mut live, (envelope, None)).await
                }
                Step::Save => self.save_between_turns(&mut live).await,
                Step::Outbox => {
                    settle_soon(&self.cell, &mut live);
                    Next::Go
                }
                Step::Timer(name, due) => {
                    after_timer = true;
                    Arc::make_mut(&mut live.timers).remove(&name);
                    let turn = self.not_again_if_it_crashes(&live, &name, due);
                    self.turn(&mut live, turn).await
                }
            };
            // What a turn was to send that was not committed never leaves.
            if matches!(next, Next::Go | Next::Stop) {
                pump.run(&self.cell, &*self.parts.post, &live.ledger, false);
            }
            live.turn = Begun::nothing();
            if !matches!(next, Next::Go) {
                self.leaves_the_sender().await;
            }
            match next {
                Next::Go => {}
                Next::Sleep => return Left::Asleep(self.lie_down(live).await),
                Next::Stop => return Left::Ended(self.stop(live, StopReason::Normal, self.own_budget()).await),
                Next::End(Exit::Crashed(crash)) => return Left::Ended(self.crashed_for_good(live, crash).await),
                Next::End(exit) => return Left::Ended(exit),
            }
        }
    }

    /// What follows is for the task: a sender that drives waits for its answer, and for no more.
    async fn leaves_the_sender(&self) {
        if self.cell.driver.is_in_place() {
            tokio::task::yield_now().await;
        }
    }

    /// Waits for the next message where nothing else is to come of itself: as [`Self::next_step`], but those who have nothing to
    /// say are not asked each time.
    async fn next_message(&self, ears: &mut Ears) -> Step {
        poll_fn(|cx| match ears.poll(cx) {
            Poll::Ready(step) => Poll::Ready(step),
            Poll::Pending => self.cell.mailbox.poll_next(cx).map(Step::Message),
        })
        .await
    }

    /// Waits for what comes next. Neither messages nor timers do while the actor is suspended.
    async fn next_step(&self, waits: Waits<'_>, ears: &mut Ears, suspended: bool, after_timer: bool) -> Step {
        let Waits { timers, unsaved, pump } = waits;
        let frozen = !self.tenure.is_open();
        let suspended = suspended || frozen;
        let due = timers.iter().filter(|_| !suspended).min_by_key(|(_, due)| **due);
        // A timer that is due goes before the mailbox, but for one message between two of them.
        let first = !after_timer && due.is_some_and(|(_, due)| *due <= now_ms());
        tokio::select! {
            biased;
            step = ears.hear() => step,
            step = timer(due), if first => step,
            () = self.tenure.open(), if frozen => Step::Thawed,
            () = unsaved.due(), if !frozen => Step::Save,
            envelope = self.cell.mailbox.next(), if !suspended => Step::Message(envelope),
            step = timer(due) => step,
            () = pump.again() => Step::Outbox,
        }
    }

    /// Another actor has ended, and this one with it: for the same reason, and with no word of its own, since it does not
    /// trap exits.
    async fn follow(&mut self, live: Live, signal: &ExitSignal) -> Exit {
        match signal.reason {
            ExitReason::Shutdown => self.stop(live, StopReason::Shutdown, self.own_budget()).await,
            _ => self.crashed_for_good(live, signal.crash()).await,
        }
    }

    /// A crash while the actor is told to stop is its end: nobody starts it again, so what waits is kept here.
    async fn crashed_for_good(&mut self, live: Live, crash: Crash) -> Exit {
        let Signal::Stop(reason, budget) = self.signals.told() else { return Exit::Crashed(crash) };
        self.cell.enter(Phase::Stopping);
        let rest = self.close_mailbox();
        self.fall_back(live.lease, rest, live.loose, (&reason, budget)).await;
        Exit::Stopped(reason, Saved::Not(NotSaved::Crashed(crash.to_string())))
    }

    /// A checkpoint that is due, and that nobody waits for.
    pub(super) async fn save_between_turns(&self, live: &mut Live) -> Next {
        match self.signals.uncut(self.save_if_due(live)).await {
            Err(why) => Next::End(self.cut_short(why)),
            Ok(Err(crash)) => Next::End(Exit::Crashed(crash)),
            Ok(Ok(())) => Next::Go,
        }
    }

    /// The effects of a turn that nobody called: true where the actor asked to stop.
    async fn carry_out(&self, live: &mut Live, effects: Vec<Effect>, during: &str) -> Result<bool, Crash> {
        let mut plan = turn::plan(effects);
        if !plan.out.is_empty() {
            self.mark(live).await?;
        }
        self.keep(live, &mut plan, false, during).await?;
        // What its predecessor watched, it watches.
        for actor in live.ledger.monitors().filter(|_| self.keeping.durability == Durability::Turn) {
            self.parts.post.take(&self.cell, Out::Monitor(actor.clone()), None);
        }
        self.tenure.open().await;
        let stop = plan.stop;
        self.send_all(plan, None);
        Ok(stop)
    }

    /// Sets the mark "taken up" where the head needs it, as often as it takes: nothing may leave a first turn before.
    pub(super) async fn mark(&self, live: &mut Live) -> Result<(), Crash> {
        if live.mark {
            let forever = Budget::within(None);
            let part = self.commit_of(live, &"take-up");
            let marked =
                write((&self.cell, &self.numbers), self.shelf(), &mut live.lease, &Write::TakeUp, forever).await;
            let marked = marked.inspect_err(|error| part.failed(|| error.to_string()));
            marked.map_err(|error| store_crash("handle", "its state could not be marked as taken up", &error))?;
            live.mark = false;
        }
        Ok(())
    }

    pub(super) fn send_all(&self, plan: Plan, trace: Option<&TraceContext>) {
        for out in plan.out {
            self.parts.post.take(&self.cell, out, trace);
        }
    }

    /// The budget of a stop that the actor itself asked for: its own shutdown timeout. Brutality is for supervisors.
    pub(super) fn own_budget(&self) -> Budget {
        match self.cell.spec.shutdown {
            Shutdown::BrutalKill => Budget::of(Shutdown::default(), None, Instant::now()),
            own => Budget::of(own, None, Instant::now()),
        }
    }

    /// Where its records are, and its right to write there.
    pub(super) fn shelf(&self) -> Shelf<'_> {
        (&*self.parts.store, &self.tenure)
    }

    pub(super) fn killed(&self) -> Exit {
        Exit::Stopped(StopReason::Shutdown, Saved::Not(NotSaved::Killed))
    }

    pub(super) fn cut_short(&self, why: Cut) -> Exit {
        match why {
            Cut::Killed => self.killed(),
            Cut::Spent(reason, total_ms) => Exit::Stopped(reason, Saved::Not(NotSaved::Budget(total_ms))),
            Cut::Fenced(why) => Exit::Crashed(fenced("handle", why)),
        }
    }

    /// Ready as soon as anyone wants this instance to end.
    pub(super) async fn interrupted(&mut self) -> Interrupt {
        self.signals.interrupted().await
    }

    /// Runs `work` unless the instance is killed or its budget is spent first.
    pub(super) async fn unless_cut<T>(&mut self, work: impl Future<Output = T>) -> Result<T, Exit> {
        self.signals.uncut(work).await.map_err(|why| self.cut_short(why))
    }
}

/// The timer that is due next, once it is.
async fn timer(due: Option<(&String, &u64)>) -> Step {
    let Some((name, due)) = due else { return std::future::pending().await };
    let wait = due.saturating_sub(now_ms());
    if wait > 0 {
        tokio::time::sleep(Duration::from_millis(wait)).await;
    }
    Step::Timer(name.clone(), *due)
}

pub(super) fn apply_timers(timers: &mut Arc<BTreeMap<String, u64>>, plan: &Plan) {
    if plan.timers.is_empty() {
        return;
    }
    let timers = Arc::make_mut(timers);
    for (name, due) in &plan.timers {
        match due {
            Some(due) => drop(timers.insert(name.clone(), *due)),
            None => drop(timers.remove(name)),
        }
    }
}

/// A turn that the store did not let end.
pub(super) fn store_crash(during: &str, what: &str, error: &StoreError) -> Crash {
    match error {
        StoreError::Conflict(why) => fenced(during, why),
        error => {
            let kind = match error {
                StoreError::TooLarge { .. } => CrashKind::Limit,
                _ => CrashKind::Store,
            };
            Crash::new(kind, during, format!("{what}: {error}"))
        }
    }
}
