//! The end of an instance that was told to end: `terminate`, the last record, the release, all within one budget.

use std::time::Duration;

use tokio::time::Instant;

use super::lifecycle::{Backoff, inbox_of};
use super::run::{Instance, Interrupt, Live, apply_timers, unix_ms};
use super::turn::{self, Plan};
use super::{Budget, Envelope, Gate};
use crate::model::{
    ActorName, CallError, CrashKind, Exit, Legacy, MessageId, NotSaved, Phase, Saved, SendError, Shutdown, StopReason,
};
use crate::sandbox::TurnBase;
use crate::store::{Cause, Lease, NewRecord, SnapshotStore, StoreError};

/// What of a budget is set aside for the commit: at most this, in milliseconds, and at most a quarter.
const COMMIT_RESERVE_MS: u64 = 500;

impl Budget {
    /// The smaller of a child's own timeout and what is left above it: the more restrictive level wins.
    pub(crate) fn of(own: Shutdown, above: Option<Budget>) -> Self {
        let now = Instant::now();
        let own = match own {
            Shutdown::BrutalKill => Some(Duration::ZERO),
            Shutdown::After(own) => Some(own),
            Shutdown::Infinity => None,
        };
        let above_left = above.and_then(|above| above.deadline).map(|at| at.saturating_duration_since(now));
        match tighter(own, above_left) {
            Some(left) => {
                Self { deadline: now.checked_add(left), total_ms: u64::try_from(left.as_millis()).unwrap_or(u64::MAX) }
            }
            None => Self { deadline: None, total_ms: u64::MAX },
        }
    }

    fn left(&self) -> Option<Duration> {
        self.deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()))
    }
}

/// The tighter of two timeouts; none: no limit.
fn tighter(a: Option<Duration>, b: Option<Duration>) -> Option<Duration> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}

/// What the guest gets of a budget; the rest is for saving what it leaves.
fn guest_share(left: Duration) -> Duration {
    left - Duration::from_millis(COMMIT_RESERVE_MS).min(left / 4)
}

/// What is written last.
enum Last {
    /// This record.
    Record(Box<NewRecord>),
    /// None: the one before stays.
    Nothing,
    /// None, and those before are erased.
    Forget,
}

impl Instance {
    /// Ends a live instance. The actor counts as gone when this answers.
    pub(super) async fn stop(&mut self, mut live: Live, reason: StopReason, budget: Budget) -> Exit {
        self.cell.enter(Phase::Stopping);
        let rest = self.close_mailbox();
        let messages = || rest.iter().map(|envelope| envelope.message.clone()).collect::<Vec<_>>();
        if !live.trap_exit {
            let saved = self.carry_over(Some(live.lease), &rest, &reason, budget).await;
            return Exit::Stopped(reason, saved);
        }
        let share = budget.left().map(guest_share);
        let timers_left = self.cell.limits.timers.saturating_sub(live.timers.len());
        let base = TurnBase { id: MessageId::random(), timers_left };
        let left = {
            let terminate = live.guest.terminate(&reason, share, base);
            match self.unless_cut(terminate).await {
                Ok(left) => left,
                Err(exit) => {
                    self.lost(&rest, "its actor was killed while it stopped");
                    return exit;
                }
            }
        };
        let plan = turn::plan(live.guest.take_effects());
        let refused = match left {
            Ok(Ok(Legacy::Save(state))) => match self.acceptable(&state) {
                Ok(()) => {
                    apply_timers(&mut live.timers, &plan);
                    let cause = Cause::Stopped(reason.clone());
                    let record = self.record(&live, Some(state), cause, messages());
                    let saved = self.release(&mut live.lease, Last::Record(Box::new(record)), &reason, budget).await;
                    return self.end(reason, saved, plan, &rest);
                }
                Err(why) => NotSaved::Refused(why),
            },
            Ok(Ok(Legacy::Keep)) => {
                let saved = self.carry_over(Some(live.lease), &rest, &reason, budget).await;
                return self.end(reason, saved, plan, &rest);
            }
            Ok(Ok(Legacy::Forget)) => {
                let saved = self.release(&mut live.lease, Last::Forget, &reason, budget).await;
                self.lost(&rest, "its actor's state was erased at its own wish");
                return self.end(reason, saved, plan, &[]);
            }
            Ok(Err(failure)) => NotSaved::Failed(failure.to_string()),
            Err(crash) if crash.kind == CrashKind::Timeout => NotSaved::Budget(budget.total_ms),
            Err(crash) => NotSaved::Crashed(crash.to_string()),
        };
        // The record before stays; what was accepted since is kept with it.
        drop(self.carry_over(Some(live.lease), &rest, &reason, budget).await);
        Exit::Stopped(reason, Saved::Not(refused))
    }

    /// Ends without a live instance: what was accepted meanwhile is kept with the record as it stands.
    pub(super) async fn leave(&mut self, interrupt: Interrupt, lease: Option<Lease>) -> Exit {
        let Interrupt::Stop(reason, budget) = interrupt else { return self.killed() };
        self.cell.enter(Phase::Stopping);
        // What an earlier instance was given of the record's inbox is in the record still.
        let rest: Vec<Envelope> = self.close_mailbox().into_iter().filter(|e| e.restored.is_none()).collect();
        let rest = Rest::BesidesInbox(&rest);
        let saved = self.carry(lease, &rest, &reason, budget).await;
        Exit::Stopped(reason, saved)
    }

    /// After a commit: effects leave if it went well. What was not saved of the mailbox is told.
    fn end(&self, reason: StopReason, saved: Saved, plan: Plan, rest: &[Envelope]) -> Exit {
        match &saved {
            Saved::Not(why) => self.lost(rest, &why.to_string()),
            _ => self.send_all(plan),
        }
        Exit::Stopped(reason, saved)
    }

    fn close_mailbox(&self) -> Vec<Envelope> {
        let why = "it is stopping";
        self.cell.mailbox.set_gate(Gate::Closed(why.into()));
        self.cell.mailbox.drain(|actor| unseen(actor, why))
    }

    fn lost(&self, rest: &[Envelope], why: &str) {
        for envelope in rest {
            self.parts.post.dead_letter(self.cell.name(), &envelope.message, why, None);
        }
    }

    async fn carry_over(
        &mut self,
        lease: Option<Lease>,
        rest: &[Envelope],
        reason: &StopReason,
        budget: Budget,
    ) -> Saved {
        self.carry(lease, &Rest::WithInbox(rest), reason, budget).await
    }

    /// Keeps accepted messages with the state as the store has it; without any, only gives the actor up.
    async fn carry(&mut self, lease: Option<Lease>, rest: &Rest<'_>, reason: &StopReason, budget: Budget) -> Saved {
        if rest.envelopes().is_empty() {
            if let Some(mut lease) = lease {
                // Nothing is lost if this fails: the next claim does not depend on it.
                drop(self.release(&mut lease, Last::Nothing, reason, budget).await);
            }
            return Saved::Kept;
        }
        let work = carry_record(self, lease, rest);
        let carried = match budget.left() {
            Some(left) => tokio::time::timeout(left, work).await.unwrap_or_else(|_| Err("no time was left".into())),
            None => work.await,
        };
        let saved = match carried {
            Ok((mut lease, record)) => self.release(&mut lease, Last::Record(Box::new(record)), reason, budget).await,
            Err(why) => {
                tracing::error!(actor = %self.cell.name(), why, "accepted messages could not be kept");
                Saved::Not(NotSaved::Messages(rest.envelopes().len()))
            }
        };
        match saved {
            Saved::Not(why) => {
                self.lost(rest.envelopes(), &why.to_string());
                Saved::Not(why)
            }
            // The state itself is as it was.
            _ => Saved::Kept,
        }
    }

    /// Gives the actor up, after what is written last; tried again while the store is out of reach and the budget lasts.
    async fn release(&mut self, lease: &mut Lease, last: Last, reason: &StopReason, budget: Budget) -> Saved {
        let store = self.parts.store.clone();
        let work = retried(&*store, lease, &last, reason);
        let done = async {
            match budget.left() {
                Some(left) => tokio::time::timeout(left, work).await.unwrap_or(Err(NotSaved::Budget(budget.total_ms))),
                None => work.await,
            }
        };
        match self.unless_cut(done).await {
            Ok(Ok(())) => {
                self.committed(lease);
                match last {
                    Last::Record(_) => Saved::Committed(lease.head.sequence),
                    Last::Nothing => Saved::Kept,
                    Last::Forget => Saved::Forgotten,
                }
            }
            Ok(Err(why)) => Saved::Not(why),
            Err(_) => Saved::Not(NotSaved::Budget(budget.total_ms)),
        }
    }
}

/// Messages that were not handled, and whether those of the record's own inbox are among them.
enum Rest<'a> {
    WithInbox(&'a [Envelope]),
    BesidesInbox(&'a [Envelope]),
}

impl Rest<'_> {
    fn envelopes(&self) -> &[Envelope] {
        match self {
            Self::WithInbox(rest) | Self::BesidesInbox(rest) => rest,
        }
    }
}

/// The record that counts, its state untouched, with the messages that were not handled. A state that an instance has
/// taken up since is no longer told as complete.
async fn carry_record(
    instance: &Instance,
    lease: Option<Lease>,
    rest: &Rest<'_>,
) -> Result<(Lease, NewRecord), String> {
    let (store, actor) = (&instance.parts.store, instance.cell.name());
    let lease = match lease {
        Some(lease) => lease,
        None => {
            let head = store.head(actor).await.map_err(|e| e.to_string())?;
            let revision = head.map(|(_, revision)| revision);
            store.claim(actor, revision, &instance.parts.owner).await.map_err(|e| e.to_string())?
        }
    };
    let mut inbox = Vec::new();
    let (mut state, mut timers, mut cause) = (None, Vec::new(), Cause::Checkpoint);
    if let Some(reference) = lease.head.current() {
        let record = store.load(actor, reference).await.map_err(|e| e.to_string())?;
        if let Rest::BesidesInbox(_) = rest {
            inbox = inbox_of(&record, &instance.cell.status().not_again);
        }
        if lease.head.taken_up.is_none() {
            cause = record.header.cause.clone();
        }
        timers = record.header.timers;
        state = record.header.state.map(|wrote| (wrote, record.data));
    }
    inbox.extend(rest.envelopes().iter().map(|envelope| envelope.message.clone()));
    let node = instance.parts.node.clone();
    Ok((lease, NewRecord { state, cause, node, time_ms: unix_ms(), inbox, timers }))
}

/// Tries while the store is out of reach; whoever calls bounds the time.
async fn retried(
    store: &dyn SnapshotStore,
    lease: &mut Lease,
    last: &Last,
    reason: &StopReason,
) -> Result<(), NotSaved> {
    let mut backoff = Backoff::new();
    loop {
        let written = match last {
            Last::Record(record) => store.release(lease, Some((**record).clone()), reason.clone()).await.map(drop),
            Last::Nothing => store.release(lease, None, reason.clone()).await.map(drop),
            Last::Forget => store.forget(lease).await,
        };
        match written {
            Ok(()) => return Ok(()),
            Err(StoreError::Unavailable(why)) => {
                tracing::warn!(actor = %lease.actor, why, "the last record waits for the store");
                tokio::time::sleep(backoff.next()).await;
            }
            Err(error) => return Err(NotSaved::Store(error.to_string())),
        }
    }
}

fn unseen(actor: &ActorName, why: &str) -> CallError {
    SendError::Unavailable { actor: actor.to_string(), why: why.to_owned() }.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_more_restrictive_level_wins() {
        let ms = Duration::from_millis;
        let cases = [
            (None, None, None),
            (Some(ms(5)), None, Some(ms(5))),
            (None, Some(ms(7)), Some(ms(7))),
            (Some(ms(5)), Some(ms(7)), Some(ms(5))),
            (Some(ms(9)), Some(ms(7)), Some(ms(7))),
        ];
        for (own, above, expected) in cases {
            assert_eq!(tighter(own, above), expected, "{own:?} under {above:?}");
        }
    }

    #[test]
    fn the_guest_leaves_room_for_the_commit() {
        let ms = Duration::from_millis;
        for (left, expected) in [(0, 0), (100, 75), (2_000, 1_500), (60_000, 59_500)] {
            assert_eq!(guest_share(ms(left)), ms(expected), "of {left} ms");
        }
    }
}
