//! From nothing to a live instance: `init`, which its starter waits for, then the state, which nobody waits for but the
//! mailbox.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::carry::{inbox_of, timers_of};
use super::handoff::{self, Checked, LoadFailure};
use super::run::{Instance, Live};
use super::signals::Interrupt;
use super::writes::Backoff;
use super::{Envelope, Gate};
use crate::model::{
    CallError, Crash, CrashKind, Exit, Failure, Handoff, Hold, HoldCause, Message, MessageId, Phase, Refusal,
};
use crate::sandbox::{Effect, Guest, GuestEnv, TurnBase};
use crate::store::{Lease, Record, RecordRef, StoreError};

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

/// A claimed actor with what its predecessor left.
struct Opened {
    lease: Lease,
    handoff: Option<Handoff>,
    /// What the record's inbox still has to say, each with its place there.
    inbox: Vec<(usize, Message)>,
    timers: Arc<BTreeMap<String, u64>>,
    /// Whether the record has messages or timers of its own.
    loose: bool,
}

/// What opening an actor's state came to.
enum Opening {
    Done(Box<Opened>),
    TryAgain(String),
    Hold(Box<Hold>, Option<Box<Lease>>),
    Lost(String),
}

impl Instance {
    /// Makes an instance and runs its `init`. A stop cuts it short: until `continue` there is nothing to lose.
    pub(super) async fn start(&mut self) -> Result<Ready, (StartFailure, Option<Interrupt>)> {
        let env = GuestEnv {
            actor: self.cell.name().clone(),
            limits: self.cell.limits.clone(),
            outside: self.parts.outside.clone(),
        };
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
            let opened = self.open_at_last().await?;
            let Ready { mut guest, trap_exit } = match ready.take() {
                Some(ready) => ready,
                None => match self.start().await {
                    Ok(ready) => ready,
                    Err((failure, interrupt)) => return Err(self.not_started(failure, interrupt).await),
                },
            };
            let Opened { lease, handoff, .. } = &opened;
            let base = TurnBase { id: MessageId::random(), timers: opened.timers.clone() };
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
                    tracing::warn!(actor = %self.cell.name(), why, "`continue` cannot take the state over yet");
                    None
                }
                Ok(Err(refusal)) => Some(HoldCause::Refused(refusal)),
                // Without a state there is nothing to judge: it is a crash like any other.
                Err(crash) if handoff.is_none() => return Err(Exit::Crashed(crash)),
                Err(crash) => {
                    crashes += 1;
                    tracing::warn!(actor = %self.cell.name(), attempt = crashes, %crash, "`continue` crashed");
                    let spent = crashes >= self.cell.limits.continue_attempts;
                    spent.then(|| HoldCause::Crashed { attempts: crashes, last: crash.to_string() })
                }
            };
            drop(guest);
            if let Some(cause) = hold {
                return Err(self.hold(hold_on(cause, opened.lease.head.current()), Some(opened.lease)).await);
            }
            if let Err(interrupt) = self.pause(backoff.next()).await {
                return Err(self.leave(interrupt, Some(opened.lease)).await);
            }
        }
    }

    /// Opens the state, as often as it takes: a store out of reach is never "nothing saved".
    async fn open_at_last(&mut self) -> Result<Opened, Exit> {
        let mut backoff = Backoff::new();
        loop {
            // A read or a claim that is given up half way is settled by the next claim.
            let mut signals = self.signals.clone();
            let opening = tokio::select! {
                biased;
                interrupt = signals.interrupted() => Err(interrupt),
                opening = self.open() => Ok(opening),
            };
            let opening = match opening {
                Ok(opening) => opening,
                Err(interrupt) => return Err(self.leave(interrupt, None).await),
            };
            match opening {
                Opening::Done(opened) => return Ok(*opened),
                Opening::Hold(hold, lease) => return Err(self.hold(*hold, lease.map(|lease| *lease)).await),
                Opening::Lost(why) => return Err(Exit::Crashed(fenced("continue", why))),
                Opening::TryAgain(why) => {
                    tracing::warn!(actor = %self.cell.name(), why, "its state is out of reach; trying again");
                    if let Err(interrupt) = self.pause(backoff.next()).await {
                        return Err(self.leave(interrupt, None).await);
                    }
                }
            }
        }
    }

    async fn open(&self) -> Opening {
        let (store, actor) = (&self.parts.store, self.cell.name());
        let revision = match store.head(actor).await {
            Ok(head) => head.map(|(_, revision)| revision),
            Err(error) => return sorted(&error, None, None),
        };
        let lease = match store.claim(actor, revision, &self.parts.owner).await {
            Ok(lease) => lease,
            // Someone was quicker, or the answer was lost: what the head says now decides.
            Err(error @ (StoreError::Conflict(_) | StoreError::Unknown(_))) => {
                return Opening::TryAgain(error.to_string());
            }
            Err(error) => return sorted(&error, None, None),
        };
        {
            let mut status = self.cell.status();
            status.generation = lease.head.generation;
            status.sequence = lease.head.current().map(|record| record.sequence);
            status.schema = lease.head.current().and_then(|record| record.schema);
        }
        let Some(reference) = lease.head.current().cloned() else {
            let (inbox, timers) = (Vec::new(), Arc::default());
            return Opening::Done(Box::new(Opened { lease, handoff: None, inbox, timers, loose: false }));
        };
        match store.load(actor, &reference).await {
            Ok(record) => self.checked(record, &reference, lease),
            Err(error) => {
                if let LoadFailure::Damaged(cause) = handoff::failure(&error)
                    && let Err(error) = store.quarantine(actor, &reference, &cause.to_string()).await
                {
                    tracing::error!(%actor, %error, "the damaged record could not be copied to the quarantine");
                }
                sorted(&error, Some(&reference), Some(lease))
            }
        }
    }

    fn checked(&self, record: Record, reference: &RecordRef, lease: Lease) -> Opening {
        let (turns, not_again) = {
            let status = self.cell.status();
            (status.turns_since_record, status.not_again.clone())
        };
        let inbox = inbox_of(&record, &not_again);
        let timers = Arc::new(timers_of(&record, &not_again));
        let loose = !record.header.inbox.is_empty() || !record.header.timers.is_empty();
        let plugin = self.parts.program.description();
        match handoff::check(record, &lease.head, turns, plugin, crate::store::now_ms()) {
            Checked::Fits(handoff) => Opening::Done(Box::new(Opened { lease, handoff, inbox, timers, loose })),
            Checked::Unfit(cause) => Opening::Hold(Box::new(hold_on(cause, Some(reference))), Some(Box::new(lease))),
        }
    }

    fn live(&self, guest: Guest, trap_exit: bool, opened: Opened, effects: Vec<Effect>) -> Live {
        let Opened { lease, inbox, timers, loose, .. } = opened;
        if let Some(sequence) = lease.head.current().map(|record| record.sequence) {
            let restored = inbox.into_iter().map(|(place, message)| Envelope::restored(message, sequence, place));
            self.cell.mailbox.restore(restored.collect());
        }
        let mark = handoff::needs_mark(&lease.head);
        {
            let mut status = self.cell.status();
            status.phase = Phase::Running;
            // A complete state counts from here; how much a predecessor in another process did is not known.
            if mark || lease.head.current().is_none() {
                status.turns_since_record = Some(0);
            }
        }
        self.cell.traps_exits(trap_exit);
        let record_timers = timers.clone();
        Live { mark, guest, trap_exit, lease, timers, record_timers, loose, turns: 0, effects }
    }

    /// Parks the actor with a state that cannot be used, until it is told to stop.
    async fn hold(&mut self, hold: Hold, lease: Option<Lease>) -> Exit {
        tracing::error!(actor = %self.cell.name(), cause = %hold, "the actor is held: its state is kept and not replaced");
        {
            let mut status = self.cell.status();
            status.phase = Phase::Held;
            status.held = Some(hold.clone());
        }
        self.cell.mailbox.set_gate(Gate::Held(Box::new(hold.clone())));
        self.cell.mailbox.answer_calls(|actor| {
            let (actor, hold) = (actor.to_string(), Box::new(hold.clone()));
            CallError::NotSent(crate::model::SendError::Held { actor, hold })
        });
        let interrupt = self.interrupted().await;
        self.leave(interrupt, lease).await
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

fn hold_on(cause: HoldCause, record: Option<&RecordRef>) -> Hold {
    Hold { cause, sequence: record.map(|r| r.sequence), digest: record.map(|r| r.digest) }
}

fn sorted(error: &StoreError, record: Option<&RecordRef>, lease: Option<Lease>) -> Opening {
    match handoff::failure(error) {
        LoadFailure::Damaged(cause) => Opening::Hold(Box::new(hold_on(cause, record)), lease.map(Box::new)),
        LoadFailure::TryAgain => Opening::TryAgain(error.to_string()),
        LoadFailure::Lost => Opening::Lost(error.to_string()),
    }
}

/// The host has lost the right to run the actor.
pub(super) fn fenced(during: &str, why: impl Into<String>) -> Crash {
    Crash { kind: CrashKind::Fenced, during: during.to_owned(), message: why.into(), backtrace: Vec::new() }
}
