//! Going back, and copying: a state that was written before is written again.

use super::super::{
    Cause, Head, Lease, NewRecord, Record, RecordRef, Revision, SnapshotStore, StoreError, Traffic, now_ms,
};
use super::ToolError;
use super::change::{Changed, Writer, claim, head_of, leave, load, moved};
use super::plan::{self, Loss, plan_fork, plan_rollback};
use crate::model::{ActorName, StopReason};

/// A way back whose record was read: whatever is written meanwhile, this is where it leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RollingBack {
    actor: ActorName,
    to: RecordRef,
    old: Record,
    loss: Loss,
    notes: Vec<String>,
}

/// Reads the record that `actor` is to go back to: the one with the sequence `to`, or the one before the current one.
///
/// # Errors
/// If there is none, or it is damaged.
pub async fn prepare_rollback(
    store: &dyn SnapshotStore,
    actor: &ActorName,
    to: Option<u64>,
) -> Result<RollingBack, ToolError> {
    let (head, _) = head_of(store, actor).await?;
    let plan::Rollback { to, loss } = plan_rollback(actor, &head, to, store.capabilities().history)?;
    let old = load(store, actor, &to).await?;
    let notes = match current_of(store, actor, &head).await? {
        None => vec![unreadable(&head, &to)],
        Some(_) => Vec::new(),
    };
    Ok(RollingBack { actor: actor.clone(), to, old, loss, notes })
}

fn unreadable(head: &Head, to: &RecordRef) -> String {
    let current = head.current();
    let waiting = current.and_then(RecordRef::messages).map_or("the".to_owned(), |count| count.to_string());
    let sequence = current.map_or(0, |record| record.sequence);
    let to = to.sequence;
    format!(
        "record {sequence} cannot be read, so {waiting} messages that wait in it are lost, and those that waited in record {to} come again"
    )
}

impl RollingBack {
    /// What it would do.
    #[must_use]
    pub fn plan(&self) -> Changed {
        Changed {
            taken: Some(self.to.sequence),
            notes: self.notes.clone(),
            ..Changed::of(&self.actor, self.loss.clone())
        }
    }

    /// Writes the earlier state as a new record, with the messages that wait in the current one. The current record stays
    /// in the history.
    ///
    /// # Errors
    /// `Moved` if someone else writes meanwhile.
    pub async fn write(&self, store: &dyn SnapshotStore, writer: &Writer) -> Result<Changed, ToolError> {
        let (head, revision) = head_of(store, &self.actor).await?;
        let current = current_of(store, &self.actor, &head).await?;
        let record = restored(&self.old, current.as_ref(), writer);
        let ended = ending(&head);
        let lease = write_record(store, writer, &self.actor, Some(revision), record, ended).await?;
        let commits = head.sequence.saturating_sub(self.to.sequence);
        let dropped = head.records.iter().filter(|old| !lease.head.records.contains(old) && **old != self.to);
        let records = dropped.map(plan::LostRecord::from).collect();
        let written = lease.head.current().map(|record| record.sequence);
        Ok(Changed { done: true, written, loss: Loss { commits, records, ..Loss::nothing() }, ..self.plan() })
    }
}

/// The record that takes an earlier state up again. What the actor has under way with others is that of the current record,
/// since the others know of it; what it waits for by itself, timers and monitors, is that of the earlier one.
fn restored(old: &Record, current: Option<&Record>, writer: &Writer) -> NewRecord {
    let outward = &current.unwrap_or(old).header;
    NewRecord {
        inbox: outward.inbox.clone(),
        traffic: Traffic { monitors: old.header.traffic.monitors.clone(), ..outward.traffic.clone() },
        ..copied(old, writer)
    }
}

/// A state with what its actor waits for by itself, and nothing that is under way with others.
fn copied(old: &Record, writer: &Writer) -> NewRecord {
    NewRecord {
        state: old.header.state.clone().map(|origination| (origination, old.data.clone())),
        cause: Cause::Restored,
        node: writer.node.clone(),
        time_ms: now_ms(),
        inbox: Vec::new(),
        timers: old.header.timers.clone(),
        traffic: Traffic { monitors: old.header.traffic.monitors.clone(), ..Traffic::default() },
    }
}

/// Goes back to an earlier record: to the one with the sequence `to`, or to the one before the current one. Unless
/// `really`, it says what it would do.
///
/// # Errors
/// As [`prepare_rollback`] and [`RollingBack::write`].
pub async fn rollback(
    store: &dyn SnapshotStore,
    writer: &Writer,
    actor: &ActorName,
    to: Option<u64>,
    really: bool,
) -> Result<Changed, ToolError> {
    let back = prepare_rollback(store, actor, to).await?;
    if really { back.write(store, writer).await } else { Ok(back.plan()) }
}

/// Copies the state of `record` of `from`, or of its current one, to `to`: with its timers and monitors; its waiting
/// messages, its outbox and its replies stay `from`'s alone. Where `to` has a state it is replaced if `replace` says so,
/// and stays in the history. Unless `really`, it says what it would do.
///
/// # Errors
/// As [`plan_fork`]; if the record is damaged; `Moved` if someone else writes `to` meanwhile.
pub async fn fork(
    store: &dyn SnapshotStore,
    writer: &Writer,
    (from, record): (&ActorName, Option<u64>),
    (to, replace): (&ActorName, bool),
    really: bool,
) -> Result<Changed, ToolError> {
    let (head, _) = head_of(store, from).await?;
    let target = store.head(to).await?;
    let history = store.capabilities().history;
    let named = target.as_ref().map(|(head, _)| head);
    let plan = plan_fork((from, &head), (to, named), record, replace, history)?;
    let old = load(store, from, &plan.record).await?;
    let mut changed = Changed { taken: Some(plan.record.sequence), ..Changed::of(to, plan.loss) };
    if !really {
        return Ok(changed);
    }
    // Nobody has started it: it sleeps until its first message, or is started.
    let ended = target.as_ref().and_then(|(head, _)| head.stopped.clone()).unwrap_or(StopReason::Passivate);
    let revision = target.map(|(_, revision)| revision);
    let lease = write_record(store, writer, to, revision, copied(&old, writer), ended).await?;
    changed.done = true;
    changed.written = lease.head.current().map(|record| record.sequence);
    Ok(changed)
}

/// The record that counts; none: it is damaged, or there is none.
async fn current_of(store: &dyn SnapshotStore, actor: &ActorName, head: &Head) -> Result<Option<Record>, ToolError> {
    let Some(reference) = head.current() else { return Ok(None) };
    match store.load(actor, reference).await {
        Ok(record) => Ok(Some(record)),
        Err(StoreError::Corrupt(_)) => Ok(None),
        Err(error) => Err(moved(actor, error)),
    }
}

/// How an actor ended, as its head will go on saying: one whose host was killed counts as one that ran.
fn ending(head: &Head) -> StopReason {
    let unsaid = if head.owner.is_some() { StopReason::Shutdown } else { StopReason::Passivate };
    head.stopped.clone().unwrap_or(unsaid)
}

/// Writes a record, and leaves the actor to whoever claims it next.
async fn write_record(
    store: &dyn SnapshotStore,
    writer: &Writer,
    actor: &ActorName,
    revision: Option<Revision>,
    record: NewRecord,
    ended: StopReason,
) -> Result<Lease, ToolError> {
    let mut lease = claim(store, writer, actor, revision).await?;
    let written = store.release(&mut lease, Some(record), ended.clone()).await;
    if written.is_err() {
        // So that the head says again how it ended. If that fails as well, the next claim goes on from here.
        drop(store.release(&mut lease, None, ended).await);
    }
    leave(store, &lease.owner).await;
    written.map(|_| lease).map_err(|error| moved(actor, error))
}
