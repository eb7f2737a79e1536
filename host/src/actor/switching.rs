//! Another version takes over from a running instance: the old one lives until the new one has committed, and goes on as if
//! nothing had been where that fails. OTP's `sys:change_code`, with a way back.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::control::Request;
use super::handoff;
use super::lane::NotTaken;
use super::ledger::Ledger;
use super::run::{Instance, Live, Next, apply_timers, store_crash};
use super::saving::{Writer, named};
use super::turn::{self, Plan};
use super::writes::{Write, write};
use super::{Budget, Cell};
use crate::events::EventDetail;
use crate::model::{
    Durability, Exit, Handoff, Legacy, MessageId, Origin, Phase, Refusal, Shutdown, State, StopReason, Version, log_of,
};
use crate::sandbox::{Guest, Nobody, Out, Place, Program, TurnBase};
use crate::store::{Cause, Lease, StoreError, now_ms};

/// How long each of the two commits of a switch is tried while the store is out of reach, in milliseconds.
const PATIENCE_MS: u64 = 5_000;
/// How long an instance that was replaced may take for its `terminate` at most, in milliseconds.
const RETIRE_MS: u64 = 30_000;

/// What an actor is to be switched to.
#[derive(Debug, Clone)]
pub(crate) struct Order {
    pub(crate) to: Program,
    pub(crate) given: Given,
    /// Whether what was done since the last switch may be lost.
    pub(crate) allow_loss: bool,
    /// How long the new version may take until it has taken over, its own limits apart.
    pub(crate) within: Duration,
}

/// What the new version is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Given {
    /// The state as the old one has it.
    Snapshot,
    /// The state from before the last switch: what was done since is lost, where that is allowed; else nothing may have been.
    BeforeTheSwitch,
}

/// An actor that was switched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Switched {
    /// Generation of the instance that runs now.
    pub(crate) generation: u64,
    /// Schema of the state before; none: there was nothing worth keeping.
    pub(crate) schema_before: Option<u32>,
    /// Schema of the state after.
    pub(crate) schema_after: Option<u32>,
    /// Size of the state before, in bytes.
    pub(crate) bytes_before: usize,
    /// Size of the state after, in bytes.
    pub(crate) bytes_after: usize,
    /// Commits that were given up, where the state from before the last switch was taken.
    pub(crate) given_up: Option<u64>,
    /// How long messages waited for it, in microseconds.
    pub(crate) pause_us: u64,
}

/// At what a switch failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum SwitchStep {
    /// The actor did not run, or its instance ended meanwhile.
    Reach,
    /// It was in a turn, or waited for its state, for too long.
    Busy,
    /// The old version's state could not be had or kept.
    Snapshot,
    /// The new version does not read the state's schema.
    Check,
    /// The new version would not start.
    Init,
    /// The new version would not take the state over.
    Continue,
    /// The new version's own state could not be had, or must not be saved.
    State,
    /// The commit that makes the switch.
    Commit,
}

/// Why an actor was not switched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NotSwitched {
    /// At what it failed.
    pub(crate) step: SwitchStep,
    /// Why, in words.
    pub(crate) why: String,
    /// Whether the old version goes on as if nothing had been; else its instance has ended, and the next one runs the version
    /// that its record names.
    pub(crate) unharmed: bool,
}

impl NotSwitched {
    pub(crate) fn at(step: SwitchStep, why: impl Into<String>) -> Self {
        Self { step, why: why.into(), unharmed: true }
    }
}

/// What keeps a switch from taking place; with an exit where the instance ends as well.
type Obstacle = (NotSwitched, Option<Box<Exit>>);

fn stays<T>(step: SwitchStep, why: impl Into<String>) -> Result<T, Obstacle> {
    Err((NotSwitched::at(step, why), None))
}

fn ends<T>(step: SwitchStep, exit: Exit) -> Result<T, Obstacle> {
    let not = NotSwitched { unharmed: false, ..NotSwitched::at(step, format!("its instance ended: {exit}")) };
    Err((not, Some(Box::new(exit))))
}

/// A new version's instance that has taken the state over, and is still without effect.
struct Successor {
    guest: Guest,
    trap_exit: bool,
    state: Option<State>,
    plan: Plan,
}

/// Whether a switch is still wanted: until it is at its commit it can be withdrawn, and from then on its outcome counts.
#[derive(Debug, Default)]
pub(crate) struct Ticket(AtomicU8);

impl Ticket {
    const WITHDRAWN: u8 = 1;
    const COMMITS: u8 = 2;

    fn is_wanted(&self) -> bool {
        self.0.load(Ordering::Acquire) != Self::WITHDRAWN
    }

    /// False: it is at its commit, or was.
    fn withdraw(&self) -> bool {
        self.0.compare_exchange(0, Self::WITHDRAWN, Ordering::AcqRel, Ordering::Acquire).is_ok()
    }

    /// False: it was withdrawn.
    fn commit(&self) -> bool {
        self.0.compare_exchange(0, Self::COMMITS, Ordering::AcqRel, Ordering::Acquire).is_ok()
    }
}

/// Switches a running actor to another version, between two turns. Also one that is suspended: it stays so. Withdrawn after
/// `how_long`, unless it is at its commit then, which ends soon.
pub(crate) async fn switch(cell: &Cell, order: Order, how_long: Duration) -> Result<Switched, NotSwitched> {
    let (tell, mut answer) = oneshot::channel();
    let ticket = Arc::new(Ticket::default());
    let ended =
        || NotSwitched { unharmed: false, ..NotSwitched::at(SwitchStep::Reach, "its instance ended meanwhile") };
    cell.lane.ask(Request::Switch(Box::new(order), ticket.clone(), tell)).map_err(|why| match why {
        NotTaken::NobodyThere => NotSwitched::at(SwitchStep::Reach, format!("it is {}", cell.status().phase)),
        NotTaken::TooMany => NotSwitched::at(SwitchStep::Reach, "too many requests wait for it"),
    })?;
    let answered = match tokio::time::timeout(how_long, &mut answer).await {
        Ok(answered) => answered,
        Err(_) if ticket.withdraw() => {
            let why = format!("it was busy for too long: it is {}", cell.status().phase);
            return Err(NotSwitched::at(SwitchStep::Busy, why));
        }
        Err(_) => answer.await,
    };
    answered.unwrap_or_else(|_| Err(ended()))
}

impl Instance {
    /// Switches to another version, or goes on as if nothing had been.
    pub(super) async fn switch(
        &mut self,
        live: &mut Live,
        (order, ticket): (Order, Arc<Ticket>),
        answer: oneshot::Sender<Result<Switched, NotSwitched>>,
    ) -> Next {
        let began = Instant::now();
        // Whoever asked and is gone wants it no more.
        let wanted = || !answer.is_closed() && ticket.is_wanted();
        let outcome = self.try_switch(live, &order, wanted, || ticket.commit()).await;
        // Whoever hears the answer may unload what nobody holds.
        drop(order);
        let (told, next) = match outcome {
            Ok((switched, stop)) => {
                let pause_us = u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX);
                (Ok(Switched { pause_us, ..switched }), if stop { Next::Stop } else { Next::Go })
            }
            Err((not, exit)) => {
                log_of!(warn, self.cell.label(), step = ?not.step, why = not.why, "it was not switched");
                (Err(not), exit.map_or(Next::Go, |exit| Next::End(*exit)))
            }
        };
        drop(answer.send(told));
        next
    }

    async fn try_switch(
        &mut self,
        live: &mut Live,
        order: &Order,
        wanted: impl Fn() -> bool,
        commits: impl Fn() -> bool,
    ) -> Result<(Switched, bool), Obstacle> {
        if !wanted() {
            return stays(SwitchStep::Reach, "nobody waits for it any more");
        }
        if order.to.digest() == self.parts.program.digest() {
            return stays(SwitchStep::Reach, "it runs that version already");
        }
        // On a way back that may lose it, a state that cannot be had is no obstacle.
        let own = match self.own_state(live).await {
            Err((_, None)) if order.given == Given::BeforeTheSwitch && order.allow_loss => None,
            own => Some(own?),
        };
        let (handoff, given_up) = match order.given {
            Given::Snapshot => (self.handoff_of(live, own.as_ref().and_then(Option::as_ref)), None),
            Given::BeforeTheSwitch => {
                let (handoff, lost) = self.state_before(&live.lease, order.allow_loss).await?;
                (Some(handoff), Some(lost))
            }
        };
        check(&order.to, handoff.as_ref())?;
        let (schema_before, bytes_before) = facts(own.as_ref().and_then(Option::as_ref));
        let mut signals = self.signals.clone();
        let made = tokio::time::timeout(
            order.within,
            self.successor(order, handoff.as_ref(), (live.timers.clone(), live.lease.head.generation + 1)),
        );
        let made = tokio::select! {
            biased;
            _ = signals.interrupted() => return stays(SwitchStep::Reach, "it was told to stop"),
            made = made => made,
        };
        let in_time = |_| (NotSwitched::at(SwitchStep::Continue, in_words(order.within)), None);
        let successor = made.map_err(in_time)??;
        // Only now: of a takeover that fails nothing is written.
        if let Some(own) = own.filter(|_| wanted()) {
            self.keep_way_back(live, own, order.within).await?;
        }
        if !wanted() || !commits() {
            return stays(SwitchStep::Reach, "nobody waits for it any more");
        }
        let (schema_after, bytes_after) = facts(successor.state.as_ref());
        let stop = self.take_its_place(live, order, successor).await?;
        let generation = live.lease.head.generation;
        let switched =
            Switched { generation, schema_before, schema_after, bytes_before, bytes_after, given_up, pause_us: 0 };
        Ok((switched, stop))
    }

    /// The state of the instance that runs.
    async fn own_state(&self, live: &mut Live) -> Result<Option<State>, Obstacle> {
        let step = SwitchStep::Snapshot;
        let state = match self.signals.uncut(live.guest.snapshot(TurnBase::outside())).await {
            Ok(Ok(Ok(state))) => state,
            Ok(Ok(Err(failure))) => return stays(step, format!("`snapshot` of the old version failed: {failure}")),
            Ok(Err(crash)) => return ends(step, Exit::Crashed(crash)),
            Err(why) => return ends(step, self.cut_short(why)),
        };
        // It is not a turn of its own: what it asks for has no place.
        drop(live.guest.take_effects());
        match state.as_ref().map(|state| self.acceptable(state)) {
            Some(Err(why)) => stays(step, format!("of the old version: {why}")),
            _ => Ok(state),
        }
    }

    fn handoff_of(&self, live: &Live, state: Option<&State>) -> Option<Handoff> {
        Some(Handoff {
            state: state?.clone(),
            origin: Origin::Switched,
            generation: live.lease.head.generation,
            written_by: self.version(),
            age_ms: 0,
        })
    }

    fn version(&self) -> Version {
        self.parts.program.description().version.clone()
    }

    /// What the actor had before its last switch, and how many commits have followed it.
    async fn state_before(&self, lease: &Lease, allow_loss: bool) -> Result<(Handoff, u64), Obstacle> {
        let step = SwitchStep::Snapshot;
        let head = &lease.head;
        let Some(reference) = head.before_the_switch() else {
            return stays(step, "no record from before a switch is kept");
        };
        // The switch itself is one commit.
        let commits = (head.sequence - reference.sequence).saturating_sub(1);
        let turns = self.cell.figures.handled_since_record();
        if !allow_loss && (commits > 0 || turns != Some(0)) {
            let turns = turns.map_or_else(|| "an unknown number of".to_owned(), |turns| turns.to_string());
            let why = format!(
                "going back would lose what it has done since the switch: {commits} commits, and {turns} messages since \
                 the last one (allow_loss)"
            );
            return stays(SwitchStep::Check, why);
        }
        let record = match self.parts.store.load(&lease.actor, reference).await {
            Ok(record) => record,
            Err(error) => return stays(step, format!("the record from before the switch cannot be used: {error}")),
        };
        let Some(wrote) = record.header.state else {
            return stays(step, "there was no state before the switch");
        };
        let handoff = Handoff {
            state: State { schema: wrote.schema, data: record.data },
            origin: Origin::Switched,
            generation: wrote.generation,
            written_by: wrote.version,
            age_ms: now_ms().saturating_sub(wrote.time_ms),
        };
        Ok((handoff::given_up_after(handoff), commits))
    }

    /// The state before the switch, durably: what the way back leads to.
    async fn keep_way_back(&self, live: &mut Live, state: Option<State>, within: Duration) -> Result<(), Obstacle> {
        let step = SwitchStep::Snapshot;
        let durable = self.keeping.durability == Durability::Turn;
        // With each turn committed, the record that counts is that state already.
        let fresh = durable && self.cell.figures.handled_since_record() == Some(0);
        if fresh && live.lease.head.current().is_some_and(|record| record.schema.is_some()) {
            return Ok(());
        }
        let cause = if durable { Cause::Turn } else { Cause::Checkpoint };
        let record = self.record(live, state, cause, self.cell.mailbox.restored());
        let named = named(&record);
        let what = Write::Checkpoint(Box::new(record));
        let patience = patience(within);
        match self
            .signals
            .uncut(write((&self.cell, &self.numbers), self.shelf(), &mut live.lease, &what, patience))
            .await
        {
            Ok(Ok(())) => {
                self.committed(live, &named);
                Ok(())
            }
            Ok(Err(error @ StoreError::Conflict(_))) => {
                ends(step, Exit::Crashed(store_crash("snapshot", "its state could not be kept", &error)))
            }
            Ok(Err(error)) => stays(step, format!("its state could not be kept: {error}")),
            Err(why) => ends(step, self.cut_short(why)),
        }
    }

    /// Makes the new version's instance, and lets it take the state over. Nothing that it asks for leaves.
    async fn successor(
        &self,
        order: &Order,
        handoff: Option<&Handoff>,
        (timers, generation): (Arc<BTreeMap<String, u64>>, u64),
    ) -> Result<Successor, Obstacle> {
        let env = self.guest_env(&order.to, Place::Spare);
        let crashed = |step, crash| (NotSwitched::at(step, format!("the new version crashed: {crash}")), None);
        let start = |crash| crashed(SwitchStep::Init, crash);
        let mut guest = order.to.instantiate(env).await.map_err(start)?;
        let args = self.cell.spec.args.clone();
        let trap_exit = match guest.init(&args, TurnBase::outside()).await.map_err(start)? {
            Ok(trap_exit) => trap_exit,
            Err(failure) => return stays(SwitchStep::Init, format!("`init` failed: {failure}")),
        };
        let base = TurnBase::new(MessageId::random(), &timers);
        let continued = guest.r#continue(generation, handoff, base).await;
        match continued.map_err(|crash| crashed(SwitchStep::Continue, crash))? {
            Ok(()) => {}
            Err(Refusal::Unavailable(why)) => {
                return stays(SwitchStep::Continue, format!("it cannot take the state over yet: {why}"));
            }
            Err(refusal) => return stays(SwitchStep::Continue, format!("it refused the state: {refusal}")),
        }
        let plan = turn::plan(guest.take_effects());
        let snapshot = guest.snapshot(TurnBase::outside()).await;
        let state = match snapshot.map_err(|crash| crashed(SwitchStep::State, crash))? {
            Ok(state) => state,
            Err(failure) => {
                return stays(SwitchStep::State, format!("`snapshot` of the new version failed: {failure}"));
            }
        };
        drop(guest.take_effects());
        match state.as_ref().map(|state| self.acceptable_of(&order.to, state)) {
            Some(Err(why)) => stays(SwitchStep::State, format!("of the new version: {why}")),
            _ => Ok(Successor { guest, trap_exit, state, plan }),
        }
    }

    /// The commit that is the switch, and what follows it. True where the new instance asked to stop.
    async fn take_its_place(&mut self, live: &mut Live, order: &Order, successor: Successor) -> Result<bool, Obstacle> {
        let Successor { mut guest, trap_exit, state, mut plan } = successor;
        let (mut timers, mut ledger) = (live.timers.clone(), live.ledger.clone());
        apply_timers(&mut timers, &plan);
        plan.out = self.keep_in_ledger(&mut ledger, std::mem::take(&mut plan.out))?;
        let has_state = state.is_some();
        let by = Writer { program: &order.to, generation: live.lease.head.generation + 1 };
        let inbox = self.cell.mailbox.restored();
        let record = self.record_by(by, (&timers, &ledger), state, Cause::Switched, inbox);
        let named = named(&record);
        self.commit_switch(live, Write::Switch(Box::new(record)), order).await?;

        guest.take_place_of(&mut live.guest);
        let old = std::mem::replace(&mut live.guest, guest);
        self.retire(old, std::mem::replace(&mut live.trap_exit, trap_exit), StopReason::Upgrade);
        (live.timers, live.ledger, live.turns) = (timers, ledger, 0);
        self.committed(live, &named);
        let (switched_from, handed_over) = (Some(self.version()), has_state);
        self.run_from_now_on(order.to.clone());
        self.cell.figures.memory(live.guest.memory_bytes());
        {
            let mut status = self.cell.status();
            (status.generation, status.started_ms) = (live.lease.head.generation, Some(now_ms()));
        }
        self.tell(EventDetail::Running { handed_over, switched_from });
        self.parts.catalog.switched(&self.cell.spec.plugin, self.cell.name());
        self.cell.traps_exits(trap_exit);
        let stop = plan.stop;
        self.send_all(plan, None);
        Ok(stop)
    }

    /// With `durability = "turn"`, what the new instance sends is part of the commit.
    fn keep_in_ledger(&self, ledger: &mut Ledger, outs: Vec<Out>) -> Result<Vec<Out>, Obstacle> {
        if self.keeping.durability != Durability::Turn {
            return Ok(outs);
        }
        let members = |group: &_| self.parts.outside.members(group);
        ledger.take(outs, members, &self.cell.limits).or_else(|limit| stays(SwitchStep::Continue, limit))
    }

    async fn commit_switch(
        &self,
        live: &mut Live,
        what: Write,
        Order { to, within, .. }: &Order,
    ) -> Result<(), Obstacle> {
        let step = SwitchStep::Commit;
        let patience = patience(*within);
        let exit = match self
            .signals
            .uncut(write((&self.cell, &self.numbers), self.shelf(), &mut live.lease, &what, patience))
            .await
        {
            Ok(Ok(())) => return Ok(()),
            Ok(Err(error @ (StoreError::Unknown(_) | StoreError::Conflict(_)))) => {
                Exit::Crashed(store_crash("continue", "whether it was switched is not known", &error))
            }
            Ok(Err(error)) => return stays(step, format!("the switch could not be committed: {error}")),
            Err(why) => self.cut_short(why),
        };
        let between = (self.parts.program.digest(), to.digest());
        self.parts.catalog.unsettled(&self.cell.spec.plugin, self.cell.name(), between);
        ends(step, exit)
    }

    /// The last call of an instance whose state is kept already. It has no right to write, and nothing of what it asks for
    /// happens.
    pub(super) fn retire(&self, mut old: Guest, trap_exit: bool, reason: StopReason) {
        let within = match self.cell.spec.shutdown {
            Shutdown::BrutalKill => return,
            Shutdown::After(own) => own.min(Duration::from_millis(RETIRE_MS)),
            Shutdown::Infinity => Duration::from_millis(RETIRE_MS),
        };
        if !trap_exit {
            return;
        }
        let label = self.cell.label();
        old.detach(Arc::new(Nobody));
        let (catalog, plugin) = (self.parts.catalog.clone(), self.cell.spec.plugin.clone());
        tokio::spawn(async move {
            match old.terminate(&reason, Some(within), TurnBase::outside()).await {
                Ok(Ok(Legacy::Save(_) | Legacy::Keep | Legacy::Forget)) => {}
                Ok(Err(failure)) => log_of!(info, label, %reason, %failure, "the last call of an instance failed"),
                Err(crash) => log_of!(info, label, %reason, %crash, "an instance crashed in its last call"),
            }
            drop(old);
            catalog.sweep(&plugin);
        });
    }
}

/// Whether the new version reads the state, before any of its code sees it.
fn check(to: &Program, handoff: Option<&Handoff>) -> Result<(), Obstacle> {
    let to = to.description();
    match handoff {
        Some(Handoff { state, written_by, .. }) if !to.reads(state.schema) => {
            let (found, from, until) = (state.schema, to.reads_from, to.reads_to);
            let why = format!(
                "its state has schema {found}, written by {written_by}, and {} {} reads {from} to {until}",
                to.name, to.version
            );
            stays(SwitchStep::Check, why)
        }
        _ => Ok(()),
    }
}

fn patience(within: Duration) -> Budget {
    Budget::within(Some(within.min(Duration::from_millis(PATIENCE_MS))))
}

fn facts(state: Option<&State>) -> (Option<u32>, usize) {
    (state.map(|state| state.schema), state.map_or(0, |state| state.data.len()))
}

fn in_words(within: Duration) -> String {
    format!("the new version took longer than the {} ms that a switch may take (switch_timeout_ms)", within.as_millis())
}

/// Whether an actor in this phase hears of a switch at all.
pub(crate) fn hears(phase: Phase) -> bool {
    // One that sleeps is woken for it.
    matches!(phase, Phase::Running | Phase::Suspended | Phase::Asleep | Phase::Starting | Phase::Continuing)
}
