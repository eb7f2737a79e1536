//! From nothing to a live instance: `init`, which its starter waits for, then the state, which nobody waits for but the
//! mailbox.

use std::sync::Arc;
use std::time::Duration;

use super::claiming::{Owner, Whose};
use super::ears::Stint;
use super::handoff::{self, Verdict};
use super::ledger::Ledger;
use super::opening::{Opened, Opening, hold_on};
use super::run::{Instance, Live};
use super::saving::Unsaved;
use super::signals::Interrupt;
use super::writes::Backoff;
use super::{Envelope, Gate, NotAgain};
use crate::events::EventDetail;
use crate::model::{
    ActorName, CallError, Crash, CrashKind, Durability, Exit, Failure, Hold, HoldCause, MessageId, Phase, Refusal,
    SendError, StopReason, log_of,
};
use crate::sandbox::{Ambient, Effect, Guest, GuestEnv, Place, Program, TurnBase};
use crate::store::{Lease, Refused, now_ms};
use crate::telemetry::Begun;

/// Refusals that are remembered where the store cannot be told of them.
const REFUSALS: usize = 8;

/// Why `init` did not make an instance ready.
#[derive(Debug, Clone, thiserror::Error)]
pub(crate) enum StartFailure {
    #[error("{0}")]
    Crashed(Crash),
    #[error("`init` failed: {0}")]
    Refused(Failure),
    #[error("it was told to stop before it was ready")]
    Stopped,
}

/// An instance whose `init` has answered.
pub(super) struct Ready {
    guest: Guest,
    trap_exit: bool,
}

impl Instance {
    /// What an instance of this actor that runs `program` has around it.
    pub(super) fn guest_env(&self, program: &Program, place: Place) -> GuestEnv {
        GuestEnv {
            label: Arc::new(program.label(self.cell.name())),
            limits: self.cell.limits.clone(),
            meter: self.cell.meter.clone(),
            grants: self.parts.grants.clone(),
            outside: self.parts.outside.clone(),
            place,
            ambient: Ambient::Real,
        }
    }

    /// Makes an instance and runs its `init`. A stop cuts it short: until `continue` there is nothing to lose.
    pub(super) async fn start(&mut self) -> Result<Ready, (StartFailure, Option<Interrupt>)> {
        let env = self.guest_env(&self.parts.program, Place::Actor);
        let (program, base) = (self.parts.program.clone(), TurnBase::outside());
        let args = self.cell.spec.args.clone();
        let starting = async move {
            let mut guest = program.instantiate(env).await.map_err(StartFailure::Crashed)?;
            match guest.init(&args, base).await {
                Ok(Ok(trap_exit)) => Ok(Ready { guest, trap_exit }),
                Ok(Err(failure)) => Err(StartFailure::Refused(failure)),
                Err(crash) => Err(StartFailure::Crashed(crash)),
            }
        };
        tokio::select! {
            biased;
            interrupt = self.interrupted() => Err((StartFailure::Stopped, Some(interrupt))),
            started = starting => started.map_err(|failure| (failure, None)),
        }
    }

    /// Claims the actor, loads and checks what its predecessor left, and runs `continue` until an instance has taken it
    /// over, the actor is parked, or it is told to stop.
    pub(super) async fn take_over(&mut self, ready: Ready) -> Result<Live, Exit> {
        let mut ready = Some(ready);
        let mut backoff = Backoff::new();
        let mut crashes = 0;
        loop {
            let opened = self.open_at_last(&mut ready).await?;
            let Ready { mut guest, trap_exit } = match ready.take() {
                Some(ready) => ready,
                None => match self.start().await {
                    Ok(ready) => ready,
                    Err((failure, interrupt)) => return Err(self.not_started(failure, interrupt).await),
                },
            };
            let Opened { lease, handoff, .. } = &opened;
            let base = TurnBase::new(MessageId::random(), &opened.timers);
            let generation = lease.head.generation;
            let answered = tokio::select! {
                biased;
                interrupt = self.interrupted() => Err(interrupt),
                answer = guest.r#continue(generation, handoff.as_ref(), base) => Ok(answer),
            };
            let answer = match answered {
                Ok(answer) => answer,
                Err(interrupt) => return Err(self.leave(interrupt, Some(opened.lease)).await),
            };
            let hold = match answer {
                Ok(Ok(())) => {
                    let effects = guest.take_effects();
                    return Ok(self.live(guest, trap_exit, opened, effects));
                }
                Ok(Err(Refusal::Unavailable(why))) => {
                    log_of!(warn, self.cell.label(), why, "`continue` cannot take the state over yet");
                    None
                }
                Ok(Err(refusal)) => Some(HoldCause::Refused(refusal)),
                // Without a state there is nothing to judge: it is a crash like any other.
                Err(crash) if handoff.is_none() => return Err(Exit::Crashed(crash)),
                Err(crash) => {
                    crashes += 1;
                    log_of!(warn, self.cell.label(), attempt = crashes, %crash, "`continue` crashed");
                    let spent = crashes >= self.cell.limits.continue_attempts;
                    spent.then(|| HoldCause::Crashed { attempts: crashes, last: crash.to_string() })
                }
            };
            drop(guest);
            if let Some(cause) = hold {
                crashes = 0;
                if let Some(exit) = self.refused(cause, opened).await {
                    return Err(exit);
                }
                continue;
            }
            if let Err(interrupt) = self.pause(backoff.next()).await {
                return Err(self.leave(interrupt, Some(opened.lease)).await);
            }
        }
    }

    /// Opens the state, as often as it takes: a store out of reach is never "nothing saved".
    async fn open_at_last(&mut self, ready: &mut Option<Ready>) -> Result<Opened, Exit> {
        let mut backoff = Backoff::new();
        loop {
            // Nothing is claimed before this host's lease on the store runs.
            let (tenures, mut signals) = (self.parts.tenures.clone(), self.signals.clone());
            self.tenure = tokio::select! {
                biased;
                interrupt = signals.interrupted() => return Err(self.leave(interrupt, None).await),
                tenure = tenures.in_force() => tenure,
            };
            // A read or a claim that is given up half way is settled by the next claim.
            let opening = tokio::select! {
                biased;
                interrupt = signals.interrupted() => Err(interrupt),
                opening = self.open() => Ok(opening),
            };
            let opening = match opening {
                Ok(opening) => opening,
                Err(interrupt) => return Err(self.leave(interrupt, None).await),
            };
            if matches!(opening, Opening::Done(_) | Opening::Hold(..) | Opening::Stop(..)) {
                self.signals.under(self.tenure.clone());
            }
            match opening {
                Opening::Done(opened) => return Ok(*opened),
                Opening::Other(program) => {
                    // The instance that is there is of the wrong version, and has done nothing yet.
                    *ready = None;
                    self.run_from_now_on(program);
                }
                Opening::Elsewhere(owner) => {
                    // It has done nothing yet, and its place may be needed.
                    *ready = None;
                    self.elsewhere(owner).await?;
                }
                Opening::Hold(hold, lease) => return Err(self.hold(*hold, lease.map(|lease| *lease)).await),
                Opening::Stop(hold, lease) => return Err(self.stay_down(*hold, *lease).await),
                Opening::Lost(why) => return Err(Exit::Crashed(fenced("continue", why))),
                Opening::TryAgain(why) => {
                    log_of!(warn, self.cell.label(), why, "its state is out of reach; trying again");
                    if let Err(interrupt) = self.pause(backoff.next()).await {
                        return Err(self.leave(interrupt, None).await);
                    }
                }
            }
        }
    }

    /// The version of the actor's instance is another one.
    pub(super) fn run_from_now_on(&mut self, program: Program) {
        let mut status = self.cell.status();
        status.version = Some(program.description().version.clone());
        status.component = Some(program.digest());
        drop(status);
        self.numbers = self.parts.numbers(&program);
        self.parts.program = program;
    }

    fn live(&self, guest: Guest, trap_exit: bool, opened: Opened, effects: Vec<Effect>) -> Live {
        let Opened { mut lease, handoff, inbox, timers, traffic, loose, .. } = opened;
        let woken = lease.head.taken_up.is_some() && !lease.is_taken_up();
        lease.takes_up();
        let handed_over = handoff.is_some();
        let line = (lease.head.line, lease.head.epoch);
        let mut ledger = Ledger::open(traffic, line, self.keeping.durability == Durability::Turn);
        let current = lease.head.current().map(|record| record.sequence);
        for crashed in &self.cell.status().not_again {
            match crashed {
                NotAgain::Down(sequence, actor) if Some(*sequence) == current => ledger.unwatch(actor),
                _ => {}
            }
        }
        if let Some(sequence) = current {
            let restored = inbox.into_iter().map(|(place, message)| Envelope::restored(message, sequence, place));
            self.cell.mailbox.restore(restored.collect());
        }
        let mark = handoff::needs_mark(&lease.head);
        {
            let mut status = self.cell.status();
            status.phase = Phase::Running;
            status.early = None;
        }
        // A complete state counts from here; how much a predecessor in another process did is not known.
        if mark || woken || lease.head.current().is_none() {
            self.cell.figures.recorded();
        }
        self.cell.traps_exits(trap_exit);
        self.tell(EventDetail::Running { handed_over, switched_from: None });
        self.parts.catalog.settled(&self.cell.spec.plugin, self.cell.name(), self.parts.program.digest());
        self.cell.figures.memory(guest.memory_bytes());
        let record_timers = timers.clone();
        let (unsaved, stint, turn) = (Unsaved::default(), Stint::default(), Begun::nothing());
        Live {
            mark,
            guest,
            trap_exit,
            lease,
            timers,
            record_timers,
            loose,
            turns: 0,
            effects,
            ledger,
            unsaved,
            stint,
            turn,
        }
    }

    /// A guest has refused a state. That is written beside the record, so that it is not tried for ever; then policy decides.
    /// None: something else is taken over instead.
    async fn refused(&mut self, cause: HoldCause, opened: Opened) -> Option<Exit> {
        let Opened { mut lease, reference, handoff, .. } = opened;
        let Some(reference) = reference.filter(|_| handoff.is_some()) else {
            // It does not even want to begin.
            return Some(self.hold(*hold_on(cause, lease.head.current()), Some(lease)).await);
        };
        let refused = Refused {
            record: reference.digest,
            component: self.parts.program.digest(),
            version: self.parts.program.description().version.to_string(),
            why: cause.to_string(),
            time_ms: now_ms(),
        };
        // If it is cut, the store itself lets nothing through any more.
        drop(self.signals.uncut(self.tenure.open()).await);
        if let Err(error) = self.parts.store.refuse(&mut lease, refused.clone()).await {
            log_of!(warn, self.cell.label(), %error, "the refusal is remembered in this process only");
            let mut status = self.cell.status();
            status.refused.truncate(REFUSALS - 1);
            status.refused.insert(0, refused);
        }
        let is_newest = lease.head.current() == Some(&reference);
        let hold = hold_on(cause, Some(&reference));
        match handoff::verdict(&self.keeping, &hold.cause) {
            Verdict::Hold => Some(self.hold(*hold, Some(lease)).await),
            Verdict::Stop if is_newest => Some(self.stay_down(*hold, lease).await),
            Verdict::Stop | Verdict::Previous | Verdict::Fresh => None,
        }
    }

    /// Ends an actor whose state cannot be used, where it is to stay down then. What came meanwhile is kept with the state.
    async fn stay_down(&mut self, hold: Hold, lease: Lease) -> Exit {
        log_of!(error, self.cell.label(), cause = %hold, "the actor stays down: its state is kept and not replaced");
        self.fault(hold.to_string());
        {
            let mut status = self.cell.status();
            status.bad_states += 1;
            status.last_bad_state = Some(format!("{hold}; it stays down"));
        }
        let own = self.own_budget();
        drop(self.leave(Interrupt::Stop(StopReason::Normal, own), Some(lease)).await);
        Exit::Unusable(hold)
    }

    /// Parks the actor with a state that cannot be used, until it is told to stop.
    async fn hold(&mut self, hold: Hold, lease: Option<Lease>) -> Exit {
        log_of!(error, self.cell.label(), cause = %hold, "the actor is held: its state is kept and not replaced");
        self.fault(hold.to_string());
        self.cell.figures.memory(0);
        self.numbers.holds.one_more();
        {
            let mut status = self.cell.status();
            status.phase = Phase::Held;
            status.held = Some(hold.clone());
            status.bad_states += 1;
            status.last_bad_state = Some(format!("{hold}; it is held"));
        }
        self.tell(EventDetail::Held { why: hold.to_string(), record: hold.sequence });
        // Who waits for an answer of this instance need not wait for that.
        self.cell.lane.refuse_requests();
        self.cell.mailbox.set_gate(Gate::Held(Box::new(hold.clone())));
        self.cell.mailbox.answer_calls(|actor| {
            let (actor, hold) = (actor.to_string(), Box::new(hold.clone()));
            CallError::NotSent(SendError::Held { actor, hold })
        });
        let interrupt = self.interrupted().await;
        self.leave(interrupt, lease).await
    }

    /// Another host owns the actor: whoever calls it is told. Answers once it may be claimed here; one whose place in the
    /// tree does not stay ends.
    async fn elsewhere(&mut self, owner: Owner) -> Result<(), Exit> {
        log_of!(info, self.cell.label(), "not started here: {}", owner.of(self.cell.name().as_str()));
        self.cell.figures.memory(0);
        self.owned_by(&owner);
        if !self.parts.stays {
            let rest = self.cell.mailbox.drain(|actor| not_here(actor, &owner).into());
            let why = owner.of(self.cell.name().as_str());
            self.lost(&rest, &why);
            return Err(Exit::Elsewhere(why));
        }
        self.tell(EventDetail::Elsewhere { node: owner.node.clone(), address: owner.address.clone() });
        let (mut known, mut waits) = (owner.clone(), owner.waits);
        loop {
            if !waits {
                let interrupt = self.interrupted().await;
                return Err(self.leave(interrupt, None).await);
            }
            if let Err(interrupt) = self.pause(self.parts.tenures.next_look()).await {
                return Err(self.leave(interrupt, None).await);
            }
            let (store, tenures) = (self.parts.store.clone(), self.parts.tenures.clone());
            let me = tenures.current();
            // Out of reach is no answer: it is asked again.
            let Ok(head) = store.head(self.cell.name()).await else { continue };
            let whose = tenures.whose(&*store, head.as_ref().map(|(head, _)| head), me.id()).await;
            match whose {
                Ok(Whose::Others(owner)) if owner != known => {
                    self.owned_by(&owner);
                    (waits, known) = (owner.waits, owner);
                }
                Ok(Whose::Others(_)) | Err(_) => {}
                Ok(Whose::Free | Whose::Left(_)) => break,
            }
        }
        {
            let mut status = self.cell.status();
            (status.phase, status.owner) = (Phase::Continuing, None);
        }
        self.cell.mailbox.set_gate(Gate::Open);
        Ok(())
    }

    /// Whoever calls the actor, or waits for it, is told who owns it.
    fn owned_by(&self, owner: &Owner) {
        {
            let mut status = self.cell.status();
            (status.phase, status.owner) = (Phase::Elsewhere, Some(owner.clone()));
        }
        self.cell.mailbox.set_gate(Gate::Elsewhere(Box::new(owner.clone())));
        self.cell.mailbox.answer_calls(|actor| not_here(actor, owner).into());
    }

    /// Waits, unless told to end.
    async fn pause(&mut self, wait: Duration) -> Result<(), Interrupt> {
        tokio::select! {
            biased;
            interrupt = self.interrupted() => Err(interrupt),
            () = tokio::time::sleep(wait) => Ok(()),
        }
    }
}

/// Another host is to be asked.
pub(super) fn not_here(actor: &ActorName, owner: &Owner) -> SendError {
    let (node, address) = (owner.node.clone(), owner.address.clone());
    SendError::Elsewhere { actor: actor.to_string(), node, address }
}

/// The host has lost the right to run the actor.
pub(super) fn fenced(during: &str, why: impl Into<String>) -> Crash {
    Crash::new(CrashKind::Fenced, during, why)
}
