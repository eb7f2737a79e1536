//! The changes, carried out on a store: each looks first, says what it would do, and does it where it is told to. The store
//! compares and swaps, so that what was written meanwhile is never written over.

use futures_util::future::BoxFuture;
use schemars::JsonSchema;
use serde::Serialize;

use super::super::{
    Head, Lease, NewHost, Quarantined, Record, RecordRef, Refused, Revision, SnapshotStore, StoreError,
};
use super::plan::{self, Loss, plan_forget, plan_prune};
use super::repair::make_way;
use super::{Consent, ToolError, Wanted};
use crate::model::{ActorName, MessageId, Saved};

/// How long a tool may take over an actor that it has claimed, among hosts that share a store; in milliseconds.
const TOOL_LEASE_MS: u64 = 10_000;

/// In whose name a change is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Writer {
    /// Owns an actor while it is changed; drawn anew for each writer.
    pub owner: String,
    /// The host's name, as records have it.
    pub node: String,
}

impl Writer {
    /// One of this machine.
    #[must_use]
    pub fn new() -> Self {
        let node = rustix::system::uname().nodename().to_string_lossy().into_owned();
        Self { owner: format!("operator-{}", MessageId::random()), node }
    }
}

impl Default for Writer {
    fn default() -> Self {
        Self::new()
    }
}

/// What a change has done, or would do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Changed {
    /// Whose state it is about.
    pub actor: ActorName,
    /// Whether it took place; else this is a dry run, or there was nothing to do.
    pub done: bool,
    /// Whether there is nothing to do.
    pub idle: bool,
    /// The record whose state counts from now on, before it was written again.
    pub taken: Option<u64>,
    /// The record that was written.
    pub written: Option<u64>,
    /// What is lost by it.
    pub loss: Loss,
    /// What else an operator should know.
    pub notes: Vec<String>,
    /// Where the actor stands, if it runs and would have to be stopped.
    pub runs: Option<String>,
    /// How it was stopped and started again, if it was.
    pub ended: Option<Ended>,
}

/// How an actor was stopped for a change, and started again after it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Ended {
    /// What became of its state before it was changed.
    pub saved: Saved,
    /// Why it was not started again; none: it was.
    pub not_started: Option<String>,
}

impl Changed {
    pub(super) fn of(actor: &ActorName, loss: Loss) -> Self {
        Self {
            actor: actor.clone(),
            done: false,
            idle: false,
            taken: None,
            written: None,
            loss,
            notes: Vec::new(),
            runs: None,
            ended: None,
        }
    }
}

/// Drops all but the newest `keep` records of an actor, at least one of which stays. Whoever owns it goes on. Unless
/// `really`, it says what it would do.
///
/// # Errors
/// `NotStored` if it has no head.
pub async fn prune(
    store: &dyn SnapshotStore,
    actor: &ActorName,
    keep: usize,
    really: bool,
) -> Result<Changed, ToolError> {
    let (head, _) = head_of(store, actor).await?;
    let mut changed = Changed::of(actor, plan_prune(&head, keep));
    changed.idle = changed.loss.is_nothing();
    if really && !changed.idle {
        store.prune(actor, keep).await?;
        changed.done = true;
    }
    Ok(changed)
}

/// Erases an actor's state, history and quarantine for good. Its numbers stay, so that they never start again.
/// Unless `really`, it says what it would do.
///
/// # Errors
/// `NotStored` if there is nothing; `Moved` if someone else writes meanwhile.
pub async fn forget(
    store: &dyn SnapshotStore,
    writer: &Writer,
    actor: &ActorName,
    really: bool,
) -> Result<Changed, ToolError> {
    let quarantine = store.quarantined(actor).await?;
    if let Some(remains) = make_way(store, actor, really).await?
        && !really
    {
        let mut changed = Changed::of(actor, plan::plan_forget_remains(&remains, &quarantine));
        changed.notes.push(LEFT_BEHIND.to_owned());
        return Ok(changed);
    }
    let (head, revision) = head_of(store, actor).await?;
    let loss = plan_forget(&head, &quarantine);
    if loss.is_nothing() {
        return Err(ToolError::NotStored(actor.clone()));
    }
    let mut changed = Changed::of(actor, loss);
    changed.notes.push(LEFT_BEHIND.to_owned());
    if really {
        let mut lease = claim(store, writer, actor, Some(revision)).await?;
        let forgotten = store.forget(&mut lease).await;
        leave(store, &lease.owner).await;
        forgotten.map_err(|error| moved(actor, error))?;
        changed.done = true;
    }
    Ok(changed)
}

/// What forgetting does not reach.
const LEFT_BEHIND: &str = "the store's files, and the disk beneath them, may hold old bytes until they are written over; \
    exports and copies of the data directory, stores that a recovery has put aside, and what the actor has sent to others \
    keep what they hold; the name stays with its numbers";

/// Forgets which components have refused an actor's records, so that the same plugin tries again. Loses nothing. Unless
/// `really`, it says what it would do.
///
/// # Errors
/// `NotStored` if it has no head; `Moved` if someone else writes meanwhile.
pub async fn retry(store: &dyn SnapshotStore, actor: &ActorName, really: bool) -> Result<Changed, ToolError> {
    let (head, revision) = head_of(store, actor).await?;
    let mut changed = Changed::of(actor, Loss::nothing());
    if head.refusals.is_empty() {
        changed.notes.push("no refusal is remembered".to_owned());
        changed.idle = true;
        return Ok(changed);
    }
    let note = |refused: &Refused| format!("{} refused it: {}", refused.version, refused.why);
    changed.notes.extend(head.refusals.iter().map(note));
    if really {
        store.pardon(actor, revision).await.map_err(|error| moved(actor, error))?;
        changed.done = true;
    }
    Ok(changed)
}

/// Erases what lies in quarantine for an actor: all of it, or the copies of the record with this sequence. Unless
/// `really`, it says what it would do.
///
/// # Errors
/// `NotStored` if nothing lies there; `NoRecord` if no copy of that record does.
pub async fn discard(
    store: &dyn SnapshotStore,
    actor: &ActorName,
    record: Option<u64>,
    really: bool,
) -> Result<Changed, ToolError> {
    let copies = store.quarantined(actor).await?;
    let chosen = choose(actor, &copies, record)?;
    let mut changed = Changed::of(actor, plan::of_copies(chosen.iter().copied()));
    if really {
        for copy in chosen {
            store.discard(actor, Some(&copy.record)).await?;
        }
        changed.done = true;
    }
    Ok(changed)
}

/// The bytes of an actor's copy in quarantine, as they were found: of the newest one of the record with this sequence.
///
/// # Errors
/// `NoRecord` if there is none.
pub async fn copy_of(store: &dyn SnapshotStore, actor: &ActorName, sequence: u64) -> Result<Vec<u8>, ToolError> {
    let mut copies = store.quarantined(actor).await?;
    choose(actor, &copies, Some(sequence))?;
    copies.retain(|copy| copy.record.sequence == sequence);
    Ok(copies.into_iter().max_by_key(|copy| copy.time_ms).map(|copy| copy.found).unwrap_or_default())
}

fn choose<'a>(
    actor: &ActorName,
    copies: &'a [Quarantined],
    record: Option<u64>,
) -> Result<Vec<&'a Quarantined>, ToolError> {
    let chosen: Vec<_> =
        copies.iter().filter(|copy| record.is_none_or(|sequence| copy.record.sequence == sequence)).collect();
    match (chosen.is_empty(), record) {
        (true, Some(sequence)) => {
            let kept = copies.iter().map(|copy| copy.record.sequence).collect();
            Err(ToolError::NoRecord { actor: actor.clone(), wanted: Wanted::Sequence(sequence), kept })
        }
        (true, None) => Err(ToolError::Unfit(format!("nothing of `{actor}` is in quarantine"))),
        (false, _) => Ok(chosen),
    }
}

pub(super) async fn head_of(store: &dyn SnapshotStore, actor: &ActorName) -> Result<(Head, Revision), ToolError> {
    store.head(actor).await?.ok_or_else(|| ToolError::NotStored(actor.clone()))
}

pub(super) async fn load(
    store: &dyn SnapshotStore,
    actor: &ActorName,
    record: &RecordRef,
) -> Result<Record, ToolError> {
    store.load(actor, record).await.map_err(|error| match error {
        StoreError::Corrupt(why) => {
            ToolError::Unfit(format!("record {} of `{actor}` cannot be used: {why}", record.sequence))
        }
        other => moved(actor, other),
    })
}

pub(super) async fn claim(
    store: &dyn SnapshotStore,
    writer: &Writer,
    actor: &ActorName,
    revision: Option<Revision>,
) -> Result<Lease, ToolError> {
    let Some(hosts) = store.hosts() else {
        return store.claim(actor, revision, &writer.owner).await.map_err(|error| moved(actor, error));
    };
    // Among hosts a tool is one of them, for as long as it takes. Looked at after the head: who owns it has joined before.
    let head = store.head(actor).await?;
    if let Some(owner) = head.and_then(|(head, _)| head.owner) {
        let leases = hosts.list().await?;
        if let Some(lease) = leases.into_iter().find(|lease| lease.id == owner && lease.left_ms > 0) {
            let (actor, node, address) = (actor.clone(), lease.node, lease.address);
            return Err(ToolError::OwnedElsewhere { actor, node, address });
        }
    }
    let id = format!("operator-{}", MessageId::random());
    let joins = NewHost { id: id.clone(), node: writer.node.clone(), address: None, lease_ttl_ms: TOOL_LEASE_MS };
    hosts.join(&joins).await?;
    match store.claim(actor, revision, &id).await {
        Ok(lease) => Ok(lease),
        Err(error) => {
            leave(store, &id).await;
            Err(moved(actor, error))
        }
    }
}

/// A tool is done with what it has claimed. What is not taken off the list for a failure here ends by itself.
pub(super) async fn leave(store: &dyn SnapshotStore, owner: &str) {
    if let Some(hosts) = store.hosts() {
        drop(hosts.leave(owner).await);
    }
}

/// Does a change, or says what it would do: it is done if nothing is lost by it, or if `consent` says so.
///
/// # Errors
/// Those of the change.
pub async fn with_consent<'a>(
    consent: Consent,
    change: impl Fn(bool) -> BoxFuture<'a, Result<Changed, ToolError>>,
) -> Result<Changed, ToolError> {
    let told = change(false).await?;
    if told.idle || !consent.allows(&told.loss) { Ok(told) } else { change(true).await }
}

pub(super) fn moved(actor: &ActorName, error: StoreError) -> ToolError {
    match error {
        StoreError::Conflict(why) => ToolError::Moved { actor: actor.clone(), why },
        other => ToolError::Store(other),
    }
}
