//! Saving while the instance goes on: when it is due, and the checkpoint itself.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use tokio::time::Instant;

use super::ledger::Ledger;
use super::run::{Instance, Live, apply_timers};
use super::turn::Plan;
use super::writes::{Write, write};
use super::{Budget, Cell};
use crate::model::{Crash, CrashKind, Durability, LimitMet, Message, Phase, Sent, State, StopReason, log_of};
use crate::sandbox::{Program, TurnBase};
use crate::store::{Cause, Lease, NewRecord, Origination, StoreError, StoredTimer, now_ms};
use crate::telemetry::{Begun, Parent, part};

/// How long a checkpoint that a turn waits for is tried while the store is out of reach, in milliseconds.
const SAVE_PATIENCE_MS: u64 = 10_000;
/// The same for one that nobody waits for, and that keeps messages waiting.
const DUE_PATIENCE_MS: u64 = 1_000;
/// How long after a message has arrived its sender commits that it need not be sent again, if nothing else is committed
/// meanwhile; in milliseconds.
const SETTLE_MS: u64 = 1_000;
/// How long after a checkpoint that failed the next one is tried, in milliseconds, where the interval has no time.
const RETRY_MS: u64 = 1_000;

/// What an instance has done since its last record.
#[derive(Debug, Default)]
pub(super) struct Unsaved {
    /// Messages since.
    turns: u32,
    /// The checkpoint is due then, whatever comes.
    due: Option<Instant>,
}

impl Unsaved {
    /// A message was handled at `now`.
    pub(super) fn turn(&mut self, durability: Durability, now: Instant) {
        self.turns = self.turns.saturating_add(1);
        if let Durability::Interval { every: Some(every), .. } = durability {
            self.due.get_or_insert(now + every);
        }
    }

    /// Whether so many messages are enough for a checkpoint.
    pub(super) fn enough(&self, durability: Durability) -> bool {
        matches!(durability, Durability::Interval { turns: Some(turns), .. } if self.turns >= turns.max(1))
    }

    /// A checkpoint is due at `at` at the latest.
    fn due_by(&mut self, at: Instant) {
        self.due = Some(self.due.map_or(at, |due| due.min(at)));
    }

    /// One has failed: it is tried again later.
    fn failed(&mut self, durability: Durability, now: Instant) {
        let wait = match durability {
            Durability::Interval { every: Some(every), .. } => every,
            _ => Duration::from_millis(RETRY_MS),
        };
        (self.turns, self.due) = (0, Some(now + wait));
    }

    /// Whether one is due at some time.
    pub(super) fn is_due_ever(&self) -> bool {
        self.due.is_some()
    }

    /// Ready once a checkpoint is due.
    pub(super) async fn due(&self) {
        match self.due {
            Some(due) => tokio::time::sleep_until(due).await,
            None => std::future::pending().await,
        }
    }
}

/// Why a checkpoint was not made.
pub(super) enum Failed {
    /// The instance is gone with it.
    Crashed(Crash),
    /// Its state could not be had, or must not be saved: why.
    State(String),
    Store(StoreError),
}

impl Instance {
    /// What of a turn stays with the actor: its timers, and, where it is due or was asked for, a commit. What is left of the
    /// plan leaves afterwards. `turn`: whether a message was handled.
    pub(super) async fn keep(&self, live: &mut Live, plan: &mut Plan, turn: bool, during: &str) -> Result<(), Crash> {
        apply_timers(&mut live.timers, plan);
        if self.keeping.durability != Durability::Turn {
            return if plan.save { self.save(live, during).await } else { Ok(()) };
        }
        let asked = turn || plan.save || !plan.out.is_empty() || !plan.timers.is_empty();
        let members = |group: &_| self.parts.outside.members(group);
        let before = live.turn.place().and_then(|_| live.ledger.outbox().last()).map(|out| out.sent);
        let rest = live.ledger.take(std::mem::take(&mut plan.out), members, &self.cell.limits);
        if let Some(trace) = live.turn.place() {
            let new = live.ledger.outbox().map(|out| out.sent).filter(|sent| Some(*sent) > before);
            self.cell.outbox.traced(new, trace);
        }
        plan.out = rest.map_err(|limit| {
            let message = format!("it sends faster than its messages are confirmed: {limit}");
            Crash::new(CrashKind::Limit, during, message)
        })?;
        if !asked {
            return Ok(());
        }
        let failed = "what it did could not be committed";
        self.checkpoint(live, Cause::Turn, SAVE_PATIENCE_MS).await.map_err(|error| crash_of(error, during, failed))
    }

    /// A checkpoint that the guest asked for, durable when this answers.
    async fn save(&self, live: &mut Live, during: &str) -> Result<(), Crash> {
        let failed = "the checkpoint that it asked for was not saved";
        let saved = self.checkpoint(live, Cause::Checkpoint, SAVE_PATIENCE_MS).await;
        saved.map_err(|error| crash_of(error, during, failed))
    }

    /// A checkpoint that is due. One that fails is told, and tried again later: nobody was promised this very one.
    pub(super) async fn save_if_due(&self, live: &mut Live) -> Result<(), Crash> {
        let cause = match self.keeping.durability {
            Durability::Turn => Cause::Turn,
            Durability::Stop | Durability::Interval { .. } => Cause::Checkpoint,
        };
        let why = match self.checkpoint(live, cause, DUE_PATIENCE_MS).await {
            Ok(()) => return Ok(()),
            Err(Failed::Crashed(crash)) => return Err(crash),
            Err(error @ Failed::Store(StoreError::Conflict(_))) => {
                return Err(crash_of(error, "snapshot", "a checkpoint"));
            }
            Err(Failed::Store(error)) => error.to_string(),
            Err(Failed::State(why)) => why,
        };
        log_of!(warn, self.cell.label(), why, "a checkpoint failed; it is tried again later");
        live.unsaved.failed(self.keeping.durability, Instant::now());
        Ok(())
    }

    /// The state as it stands, with all that belongs to it, in one commit.
    pub(super) async fn checkpoint(&self, live: &mut Live, cause: Cause, patience_ms: u64) -> Result<(), Failed> {
        let within = Parent::within(live.turn.place());
        let part = part!(within, "snapshot", baton.actor = %self.cell.name());
        let snapshot = live.guest.snapshot(TurnBase::outside()).await.map_err(Failed::Crashed)?;
        drop(part);
        // A snapshot is not a turn of its own: what it asks for has no place.
        drop(live.guest.take_effects());
        let state = match snapshot {
            Ok(state) => state,
            Err(failure) => return Err(Failed::State(format!("`snapshot` failed: {failure}"))),
        };
        match &state {
            Some(state) => self.acceptable(state).map_err(Failed::State)?,
            // With nothing worth keeping there is nothing to save, unless a turn has promised that all else is.
            None if cause == Cause::Checkpoint => {
                live.unsaved = Unsaved::default();
                return Ok(());
            }
            None if matches!(cause, Cause::Stopped(_)) => {
                return Err(Failed::State("its `snapshot` gives nothing to be kept".to_owned()));
            }
            None => {}
        }
        let record = self.record(live, state, cause, self.cell.mailbox.restored());
        let (named, part) = (named(&record), self.commit_of(live, &record.cause));
        let rests = record.cause == Cause::Stopped(StopReason::Passivate) && self.sleeps_on();
        let record = Box::new(record);
        let what = if rests { Write::Rest(Some(record)) } else { Write::Checkpoint(record) };
        let patience = Budget::within(Some(Duration::from_millis(patience_ms)));
        let written = write((&self.cell, &self.numbers), self.shelf(), &mut live.lease, &what, patience).await;
        written.inspect_err(|error| part.failed(|| error.to_string())).map_err(Failed::Store)?;
        drop(part);
        self.committed(live, &named);
        Ok(())
    }

    /// A durable write of the turn in hand, as a part of its trace.
    pub(super) fn commit_of(&self, live: &Live, what: &dyn std::fmt::Display) -> Begun {
        let within = Parent::within(live.turn.place());
        part!(
            within,
            "commit",
            baton.actor = %self.cell.name(),
            baton.store = self.parts.store.capabilities().backend,
            baton.cause = %what,
        )
    }

    /// Notes that all of it stands in the record that counts. `named`: what of its outbox does.
    pub(super) fn committed(&self, live: &mut Live, named: &BTreeSet<Sent>) {
        live.ledger.trim(|sent| !named.contains(sent));
        self.cell.outbox.forget(named);
        self.recorded(&live.lease);
        self.cell.figures.recorded();
        (live.mark, live.loose, live.record_timers) = (false, true, live.timers.clone());
        live.unsaved = Unsaved::default();
    }

    /// Notes in the cell that the head names another record now.
    pub(super) fn recorded(&self, lease: &Lease) {
        let current = lease.head.current();
        if let Some(record) = current {
            self.cell.mailbox.retag(record.sequence);
        }
        let mut status = self.cell.status();
        status.sequence = current.map(|record| record.sequence);
        status.schema = current.and_then(|record| record.schema);
        status.next_timer_ms = current.and_then(|record| record.next_timer_ms);
        status.outbox_left = lease.head.leaves_messages();
        status.not_again.clear();
    }

    /// Whether a state may be saved: its size, and its schema as the plugin described it.
    pub(super) fn acceptable(&self, state: &State) -> Result<(), String> {
        self.acceptable_of(&self.parts.program, state)
    }

    /// The same for a state of another version.
    pub(super) fn acceptable_of(&self, program: &Program, state: &State) -> Result<(), String> {
        let limit = self.cell.limits.snapshot_bytes;
        let plugin = program.description();
        if state.data.len() > limit {
            let met = LimitMet::new("snapshot_bytes", limit);
            return Err(format!("its state has {} bytes: {met}", state.data.len()));
        }
        if state.schema != plugin.schema {
            let (found, said) = (state.schema, plugin.schema);
            return Err(format!("its state has schema {found}, and the plugin described schema {said}"));
        }
        Ok(())
    }

    /// A record of `state` as this instance would write it now.
    pub(super) fn record(&self, live: &Live, state: Option<State>, cause: Cause, inbox: Vec<Message>) -> NewRecord {
        let by = Writer { program: &self.parts.program, generation: live.lease.head.generation };
        self.record_by(by, (&live.timers, &live.ledger), state, cause, inbox)
    }

    /// The same for what another instance leaves.
    pub(super) fn record_by(
        &self,
        by: Writer<'_>,
        (timers, ledger): (&BTreeMap<String, u64>, &Ledger),
        state: Option<State>,
        cause: Cause,
        inbox: Vec<Message>,
    ) -> NewRecord {
        let now = now_ms();
        let plugin = by.program.description();
        let timer = |(name, due): (&String, &u64)| StoredTimer { name: name.clone(), due_ms: *due };
        let state = state.map(|state| {
            let wrote = Origination {
                plugin: plugin.name.clone(),
                version: plugin.version.clone(),
                digest: by.program.digest(),
                schema: state.schema,
                generation: by.generation,
                time_ms: now,
            };
            (wrote, state.data)
        });
        let timers = timers.iter().map(timer).collect();
        let traffic = ledger.traffic(|sent| self.cell.outbox.arrived(sent));
        NewRecord { state, cause, node: self.parts.node.clone(), time_ms: now, inbox, timers, traffic }
    }
}

/// Who encoded a state.
#[derive(Debug, Clone, Copy)]
pub(super) struct Writer<'a> {
    pub(super) program: &'a Program,
    pub(super) generation: u64,
}

/// What of an outbox a record names.
pub(super) fn named(record: &NewRecord) -> BTreeSet<Sent> {
    record.traffic.outbox.iter().map(|out| out.sent).collect()
}

/// A message of a durable sender's has arrived or got lost: what has arrived is settled soon, so that it is not sent again
/// after a crash of the host.
pub(super) fn settle_soon(cell: &Cell, live: &mut Live) {
    if cell.status().phase == Phase::Running && live.ledger.outbox().any(|out| cell.outbox.arrived(&out.sent)) {
        live.unsaved.due_by(Instant::now() + Duration::from_millis(SETTLE_MS));
    }
}

/// What a failed checkpoint is to the turn that needed it.
fn crash_of(error: Failed, during: &str, what: &str) -> Crash {
    match error {
        Failed::Crashed(crash) => crash,
        Failed::Store(error) => super::run::store_crash(during, what, &error),
        Failed::State(why) => Crash::new(CrashKind::Contract, during, format!("{what}: {why}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interval_is_so_many_messages_or_so_long() {
        let interval = |turns, ms: Option<u64>| Durability::Interval { turns, every: ms.map(Duration::from_millis) };
        let now = Instant::now();
        let mut unsaved = Unsaved::default();
        let three = interval(Some(3), None);
        for enough in [false, false, true] {
            unsaved.turn(three, now);
            assert_eq!(unsaved.enough(three), enough);
        }
        assert_eq!(unsaved.due, None);
        assert!(!unsaved.enough(Durability::Stop) && !unsaved.enough(Durability::Turn));
        unsaved.failed(three, now);
        assert!(!unsaved.enough(three) && unsaved.due == Some(now + Duration::from_millis(RETRY_MS)));

        let mut unsaved = Unsaved::default();
        let timed = interval(None, Some(50));
        unsaved.turn(timed, now);
        unsaved.turn(timed, now + Duration::from_millis(40));
        assert_eq!(unsaved.due, Some(now + Duration::from_millis(50)), "from the first on");
        unsaved.failed(timed, now);
        assert_eq!(unsaved.due, Some(now + Duration::from_millis(50)));
        unsaved.due_by(now + Duration::from_millis(9));
        unsaved.due_by(now + Duration::from_millis(90));
        assert_eq!(unsaved.due, Some(now + Duration::from_millis(9)), "the sooner one");
    }
}
