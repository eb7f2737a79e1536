//! The end of an instance that was told to end: `terminate`, the last record, the release, all within one budget.

use std::time::Duration;

use super::carry::Handled;
use super::lifecycle::fenced;
use super::outbox::Pump;
use super::run::{Instance, Live, apply_timers};
use super::signals::Interrupt;
use super::turn::{self, Plan};
use super::writes::{Write, write};
use super::{Budget, Envelope, Gate, Receipt};
use crate::model::{
    ActorName, CallError, CrashKind, Durability, Exit, Legacy, MessageId, NotSaved, Phase, Saved, SendError, State,
    StopReason, log_of,
};
use crate::sandbox::{Out, TurnBase};
use crate::store::{Cause, Lease};

/// How long a release that only says that the actor is free is tried, in milliseconds: nothing depends on it.
const GIVE_UP_PATIENCE_MS: u64 = 1_000;

impl Instance {
    /// Ends a live instance. The actor counts as gone when this answers.
    pub(super) async fn stop(&mut self, mut live: Live, reason: StopReason, budget: Budget) -> Exit {
        self.cell.enter(Phase::Stopping);
        let rest = self.close_mailbox();
        if !live.trap_exit {
            let saved = self.keep_as_it_was(live, &rest, &reason, budget).await;
            return Exit::Stopped(reason, saved);
        }
        let base = TurnBase::new(MessageId::random(), &live.timers);
        let left = {
            let terminate = live.guest.terminate(&reason, budget.guest_share(), base);
            match self.unless_cut(terminate).await {
                Ok(left) => left,
                Err(exit) => {
                    self.lost(&rest, &format!("its actor ended before it could be kept: {exit}"));
                    return exit;
                }
            }
        };
        let plan = turn::plan(live.guest.take_effects());
        let refused = match left {
            Ok(Ok(Legacy::Save(state))) => match self.acceptable(&state) {
                Ok(()) => return self.save_last(live, state, plan, &rest, reason, budget).await,
                Err(why) => NotSaved::Refused(why),
            },
            Ok(Ok(Legacy::Keep)) => {
                let saved = self.keep_as_it_was(live, &rest, &reason, budget).await;
                return self.end(reason, saved, plan);
            }
            Ok(Ok(Legacy::Forget)) => {
                return self.forget(live, &rest, plan, reason, budget).await;
            }
            Ok(Err(failure)) => NotSaved::Failed(failure.to_string()),
            Err(crash) if crash.kind == CrashKind::Timeout => NotSaved::Budget(budget.total_ms),
            Err(crash) => NotSaved::Crashed(crash.to_string()),
        };
        self.fall_back(live.lease, rest, live.loose, (&reason, budget)).await;
        Exit::Stopped(reason, Saved::Not(refused))
    }

    async fn save_last(
        &mut self,
        mut live: Live,
        state: State,
        mut plan: Plan,
        rest: &[Envelope],
        reason: StopReason,
        budget: Budget,
    ) -> Exit {
        apply_timers(&mut live.timers, &plan);
        if self.keeping.durability == Durability::Turn {
            plan.out = self.keep_in_outbox(&mut live, plan.out);
        }
        let inbox = rest.iter().map(|envelope| envelope.message.clone()).collect();
        let record = self.record(&live, Some(state), Cause::Stopped(reason.clone()), inbox);
        let last = Write::Release(Some(Box::new(record)), reason.clone());
        let saved = self.last(&mut live.lease, last, budget).await;
        match &saved {
            Saved::Not(why) => self.lost(rest, &why.to_string()),
            _ => {
                self.confirm(rest);
                self.cell.figures.recorded();
                self.cell.status().inbox_left = !rest.is_empty();
            }
        }
        if !matches!(saved, Saved::Not(_)) {
            Pump::new().run(&self.cell, &*self.parts.post, &live.ledger, true);
        }
        self.end(reason, saved, plan)
    }

    /// What `terminate` sends is committed with its state. More than the outbox takes leaves without that.
    fn keep_in_outbox(&self, live: &mut Live, outs: Vec<Out>) -> Vec<Out> {
        let members = |group: &_| self.parts.outside.members(group);
        match live.ledger.take(outs.clone(), members, &self.cell.limits) {
            Ok(rest) => rest,
            Err(limit) => {
                log_of!(warn, self.cell.label(), limit, "what its `terminate` sends is not kept");
                outs
            }
        }
    }

    /// The guest wishes its state to stay as the store has it.
    async fn keep_as_it_was(&mut self, live: Live, rest: &[Envelope], reason: &StopReason, budget: Budget) -> Saved {
        let (loose, handled) = (live.loose, Handled::Stands(live.timers));
        self.carry(Some(live.lease), rest, &handled, loose, (reason, budget)).await
    }

    async fn forget(
        &mut self,
        mut live: Live,
        rest: &[Envelope],
        plan: Plan,
        reason: StopReason,
        budget: Budget,
    ) -> Exit {
        let saved = self.last(&mut live.lease, Write::Forget, budget).await;
        if let Saved::Not(why) = &saved {
            self.lost(rest, &why.to_string());
            return Exit::Stopped(reason, saved);
        }
        self.send_all(plan, None);
        self.confirm(rest);
        for envelope in rest {
            // Those that came with a record have gone with it.
            let why = "its actor's state was erased at its own wish";
            self.parts.post.dead_letter(self.cell.name(), &envelope.message, why, None);
        }
        let saved = if rest.is_empty() { saved } else { Saved::Not(NotSaved::Messages(rest.len())) };
        Exit::Stopped(reason, saved)
    }

    /// The state that the instance leaves cannot be saved: the record before stays, and so does what it has to say.
    pub(super) async fn fall_back(
        &mut self,
        lease: Lease,
        rest: Vec<Envelope>,
        loose: bool,
        within: (&StopReason, Budget),
    ) {
        // What came with the record is in the record still.
        let rest: Vec<Envelope> = rest.into_iter().filter(|envelope| envelope.restored.is_none()).collect();
        // What is lost by this as well is told as dead letters; why the state was not saved says more.
        drop(self.carry(Some(lease), &rest, &Handled::TakenBack, loose, within).await);
    }

    /// Ends without a live instance: what was accepted meanwhile is kept with the record as it stands.
    pub(super) async fn leave(&mut self, interrupt: Interrupt, lease: Option<Lease>) -> Exit {
        let (reason, budget) = match interrupt {
            Interrupt::Stop(reason, budget) => (reason, budget),
            Interrupt::Kill => return self.killed(),
            // What waits for the actor waits for the next instance, here or for nobody.
            Interrupt::Fenced(why) => return Exit::Crashed(fenced("continue", why)),
        };
        self.cell.enter(Phase::Stopping);
        // What an earlier instance was given of the record's inbox is in the record still.
        let rest: Vec<Envelope> = self.close_mailbox().into_iter().filter(|e| e.restored.is_none()).collect();
        let loose = !self.cell.status().not_again.is_empty();
        let saved = self.carry(lease, &rest, &Handled::TakenBack, loose, (&reason, budget)).await;
        Exit::Stopped(reason, saved)
    }

    /// Effects leave once the end is written.
    fn end(&self, reason: StopReason, saved: Saved, plan: Plan) -> Exit {
        if !matches!(saved, Saved::Not(_)) {
            self.send_all(plan, None);
        }
        Exit::Stopped(reason, saved)
    }

    pub(super) fn close_mailbox(&self) -> Vec<Envelope> {
        self.cell.lane.refuse_requests();
        let why = "it is stopping";
        self.cell.mailbox.set_gate(Gate::Closed(why.into()));
        self.cell.mailbox.drain(|actor| unseen(actor, why))
    }

    /// Messages that are kept with the state, or that nobody will ever handle: they need not be sent again.
    pub(super) fn confirm(&self, rest: &[Envelope]) {
        rest.iter().filter_map(|envelope| envelope.receipt.as_ref()).for_each(Receipt::confirm);
    }

    /// Messages that nobody will handle. Those that came with a record are in it still, and come again.
    pub(super) fn lost(&self, rest: &[Envelope], why: &str) {
        // Those of durable senders are with their senders still.
        for envelope in rest.iter().filter(|envelope| envelope.restored.is_none() && envelope.receipt.is_none()) {
            self.parts.post.dead_letter(self.cell.name(), &envelope.message, why, None);
        }
    }

    /// The last write, while the budget lasts.
    pub(super) async fn last(&mut self, lease: &mut Lease, what: Write, budget: Budget) -> Saved {
        let (cell, numbers) = (self.cell.clone(), self.numbers.clone());
        let (store, tenure) = (self.parts.store.clone(), self.tenure.clone());
        let written = self.unless_cut(write((&cell, &numbers), (&*store, &tenure), lease, &what, budget)).await;
        match written {
            Ok(Ok(())) => {
                self.recorded(lease);
                match what {
                    Write::Forget => Saved::Forgotten,
                    _ => Saved::Committed(lease.head.sequence),
                }
            }
            Ok(Err(error)) => Saved::Not(NotSaved::Store(error.to_string())),
            Err(Exit::Stopped(_, saved)) => saved,
            Err(other) => Saved::Not(NotSaved::Crashed(other.to_string())),
        }
    }

    /// Says that the actor is free. If that fails, nothing is lost: the next claim does not depend on it.
    pub(super) async fn give_up(&mut self, mut lease: Lease, reason: &StopReason, budget: Budget) {
        let what = Write::Release(None, reason.clone());
        let patience = Budget::within(Some(Duration::from_millis(GIVE_UP_PATIENCE_MS))).or_sooner(budget);
        drop(write((&self.cell, &self.numbers), self.shelf(), &mut lease, &what, patience).await);
    }
}

fn unseen(actor: &ActorName, why: &str) -> CallError {
    SendError::Unavailable { actor: actor.to_string(), why: why.to_owned() }.into()
}
