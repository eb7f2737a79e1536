//! An actor that nobody needs: its state goes to the store and its instance goes, and it lies there until something comes for
//! it. To all others it is there as before.

use std::time::Duration;

use tokio::time::Instant;

use super::handoff;
use super::lane::Stir;
use super::rest::Why;
use super::run::{Instance, Live, Next};
use super::saving::Failed;
use super::signals::Interrupt;
use super::writes::{Write, write};
use super::{Budget, Signal};
use crate::events::EventDetail;
use crate::model::{Durability, Exit, ExitReason, Phase, StopReason, log_of};
use crate::store::{Cause, StoreError, now_ms};

/// How long the commit of an actor's state is tried while the store is out of reach, in milliseconds: messages wait that come
/// meanwhile.
const PATIENCE_MS: u64 = 1_000;
/// How long an actor is left alone whose state could not be had or kept, in milliseconds.
const REFUSED_PAUSE_MS: u64 = 10_000;

/// What a sleeper waits for besides what others tell it.
pub(super) struct Asleep {
    /// When its first timer is due, in milliseconds since the Unix epoch.
    next_timer_ms: Option<u64>,
}

impl Instance {
    /// Commits the state of an actor that is to sleep, between two turns; where anything is in the way it goes on as if
    /// nothing had been.
    pub(super) async fn fall_asleep(&mut self, live: &mut Live, why: Why, suspended: bool) -> Next {
        let least = self.parts.residents.rules.least_resident;
        if let Some(why_not) = self.in_the_way(live, why, suspended) {
            log_of!(debug, self.cell.label(), why_not, "it is not put to sleep");
            return self.stays_awake(live, least);
        }
        match self.signals.uncut(self.keep_for_sleep(live)).await {
            Ok(Ok(())) => {}
            Ok(Err(Failed::Crashed(crash))) => return Next::End(Exit::Crashed(crash)),
            Ok(Err(Failed::Store(StoreError::Conflict(why)))) => {
                return Next::End(Exit::Crashed(super::lifecycle::fenced("snapshot", why)));
            }
            Ok(Err(Failed::State(why_not))) => return self.cannot_sleep(live, why_not),
            Ok(Err(Failed::Store(error))) => {
                // It may have been written all the same, and would be told as complete.
                live.mark = true;
                return self.cannot_sleep(live, error.to_string());
            }
            Err(why) => return Next::End(self.cut_short(why)),
        }
        // Whoever sent something meanwhile does not wait for another instance.
        if self.cell.mailbox.waiting().0 > 0 || !matches!(self.signals.told(), Signal::Go) {
            return self.stays_awake(live, least);
        }
        Next::Sleep
    }

    /// What speaks against it at present; it says nothing of the actor itself.
    fn in_the_way(&self, live: &Live, why: Why, suspended: bool) -> Option<&'static str> {
        let rules = &self.parts.residents.rules;
        let now = Instant::now();
        let after = self.keeping.passivate_after.or(rules.after);
        let soon = now_ms().saturating_add(u64::try_from(rules.least_resident.as_millis()).unwrap_or(u64::MAX));
        match () {
            () if !self.tenure.is_open() => Some("the host may not write"),
            () if suspended => Some("it is suspended"),
            () if self.cell.mailbox.waiting().0 > 0 => Some("messages wait"),
            () if live.ledger.outbox().next().is_some() => Some("messages that it sent are under way"),
            () if live.timers.values().any(|due| *due <= soon) => Some("a timer is due soon"),
            () if why == Why::Idle && after.is_some_and(|after| self.cell.rest.idle(now) < after) => {
                Some("it was needed meanwhile")
            }
            () => None,
        }
    }

    /// Its state, durably, with all that belongs to it.
    async fn keep_for_sleep(&self, live: &mut Live) -> Result<(), Failed> {
        // With each turn committed, the record that counts is that state already.
        let fresh = self.keeping.durability == Durability::Turn && self.cell.figures.handled_since_record() == Some(0);
        if fresh && live.lease.head.current().is_some_and(|record| record.schema.is_some()) {
            if self.sleeps_on() {
                let patience = Budget::within(Some(Duration::from_millis(PATIENCE_MS)));
                let who = (&*self.cell, &*self.numbers);
                write(who, self.shelf(), &mut live.lease, &Write::Rest(None), patience).await.map_err(Failed::Store)?;
            }
            return Ok(());
        }
        self.checkpoint(live, Cause::Stopped(StopReason::Passivate), PATIENCE_MS).await
    }

    /// Whether it goes on sleeping when the host starts again, even after a crash. Whoever is in a group, or watches others,
    /// is started with the host: it takes part in what others do.
    fn may_sleep_on(&self) -> bool {
        !self.parts.post.is_bound(&self.cell)
    }

    /// Whether the last record before its sleep says so. Among hosts that share a store it is given up afterwards instead, so
    /// that any of them may wake it.
    pub(super) fn sleeps_on(&self) -> bool {
        !self.parts.tenures.is_shared() && self.may_sleep_on()
    }

    fn stays_awake(&self, live: &mut Live, pause: Duration) -> Next {
        // What was committed for the sleep would be told as complete.
        live.mark |= handoff::needs_mark(&live.lease.head);
        self.cell.rest.stays_awake(Instant::now(), pause);
        Next::Go
    }

    fn cannot_sleep(&self, live: &mut Live, why: String) -> Next {
        log_of!(warn, self.cell.label(), why, "it could not be put to sleep, and stays awake");
        self.numbers.sleepless.one_more();
        self.tell(EventDetail::StaysAwake { why });
        self.stays_awake(live, Duration::from_millis(REFUSED_PAUSE_MS))
    }

    /// The instance of an actor whose state is in the store goes, and with it all that it had.
    pub(super) async fn lie_down(&mut self, live: Live) -> Asleep {
        self.parts.residents.leave(&self.cell);
        let Live { guest, trap_exit, lease, timers, .. } = live;
        self.retire(guest, trap_exit, StopReason::Passivate);
        {
            let mut status = self.cell.status();
            status.phase = Phase::Asleep;
            (status.component, status.started_ms) = (None, None);
        }
        self.cell.figures.memory(0);
        // Where it is listed, other hosts wait for what is given up.
        if self.parts.tenures.is_shared() && !self.parts.stays && self.may_sleep_on() {
            self.give_up(lease, &StopReason::Passivate, Budget::within(None)).await;
        }
        // The end of the host's lease on the store ends nobody who does nothing.
        self.signals.free();
        self.numbers.sleeps.one_more();
        self.tell(EventDetail::Asleep);
        Asleep { next_timer_ms: timers.values().min().copied() }
    }

    /// Waits until something comes for a sleeper. With how it ended, if it did.
    pub(super) async fn sleep(&mut self, asleep: Asleep) -> Result<(), Exit> {
        self.cell.rest.has_slept();
        self.parts.catalog.sweep(&self.cell.spec.plugin);
        // Whoever supervises it may let it go altogether, until it wakes.
        self.cell.mailbox.sleeps();
        self.parts.asleep.notify_one();
        let Asleep { next_timer_ms } = asleep;
        let (lane, mailbox) = (&self.cell.lane, &self.cell.mailbox);
        let stirs = tokio::select! {
            biased;
            interrupt = self.signals.interrupted() => Err(interrupt),
            stir = lane.stirs() => Ok(stir),
            () = mailbox.stirs() => Ok(Stir::Asked),
            () = at(next_timer_ms) => Ok(Stir::Asked),
        };
        if !self.cell.mailbox.wakes() {
            // Another cell has its name: what is left is to go.
            let interrupt = self.signals.interrupted().await;
            return Err(self.leave(interrupt, None).await);
        }
        match stirs {
            Err(interrupt) => Err(self.leave(interrupt, None).await),
            Ok(Stir::Exit(signal)) if signal.reason == ExitReason::Shutdown => {
                let own = self.own_budget();
                Err(self.leave(Interrupt::Stop(StopReason::Shutdown, own), None).await)
            }
            Ok(Stir::Exit(signal)) => Err(Exit::Crashed(signal.crash())),
            Ok(Stir::Asked) => {
                // The version that it is to run may be another one by now.
                if let Ok(program) = self.parts.catalog.choose(&self.cell.spec) {
                    self.run_from_now_on(program);
                }
                Ok(())
            }
        }
    }
}

/// Ready at `due`, in milliseconds since the Unix epoch, however the clock is set meanwhile: it is looked at each minute.
async fn at(due: Option<u64>) {
    const LOOK_MS: u64 = 60_000;
    let Some(due) = due else { return std::future::pending().await };
    loop {
        let wait = due.saturating_sub(now_ms());
        if wait == 0 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(wait.min(LOOK_MS))).await;
    }
}
