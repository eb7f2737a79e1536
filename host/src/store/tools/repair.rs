//! A new head in the place of a damaged one.

use super::super::{Remains, SnapshotStore, StoreError};
use super::ToolError;
use super::change::{Changed, moved};
use super::plan::plan_repair;
use crate::model::ActorName;

/// Makes a new head for an actor whose head is damaged, of the records that are there: the newest one that is whole counts.
/// What cannot be read goes into quarantine. Unless `really`, it says what it would do.
///
/// # Errors
/// `Unfit` if its head is not damaged, if no record of it is whole, or if a newer release wrote its head; `Moved` if someone
/// else has repaired it meanwhile.
pub async fn repair(store: &dyn SnapshotStore, actor: &ActorName, really: bool) -> Result<Changed, ToolError> {
    let remains = remains_of(store, actor).await?;
    let Some(newest) = remains.head.current().map(|record| record.sequence) else {
        let what = format!("the head of `{actor}` is damaged, and none of its records can be read");
        return Err(ToolError::Unfit(what));
    };
    let mut changed = Changed { taken: Some(newest), ..Changed::of(actor, plan_repair(&remains)) };
    changed.notes.push(remains.why.to_string());
    let kept: Vec<_> = remains.head.records.iter().map(|record| record.sequence.to_string()).collect();
    changed.notes.push(format!("records that are whole: {}", kept.join(", ")));
    let unread = remains.damaged.iter().map(|copy| (copy.record.sequence, &copy.why));
    changed.notes.extend(unread.map(|(sequence, why)| format!("record {sequence} goes into quarantine: {why}")));
    if really {
        store.repair(actor, remains).await.map_err(|error| moved(actor, error))?;
        changed.done = true;
    }
    Ok(changed)
}

async fn remains_of(store: &dyn SnapshotStore, actor: &ActorName) -> Result<Remains, ToolError> {
    store.remains(actor).await.map_err(|error| match error {
        StoreError::Conflict(why) => ToolError::Unfit(format!("`{actor}` is not to be repaired: {why}")),
        StoreError::Corrupt(why) => ToolError::Unfit(format!("`{actor}` is not to be repaired: {why}")),
        other => ToolError::Store(other),
    })
}

/// Makes way for what replaces or erases all that is stored: a damaged head is repaired first, whatever is left. Gives what
/// that is; none: its head is not damaged.
pub(super) async fn make_way(
    store: &dyn SnapshotStore,
    actor: &ActorName,
    really: bool,
) -> Result<Option<Remains>, ToolError> {
    match store.head(actor).await {
        Err(StoreError::Corrupt(_)) => {}
        other => return other.map(|_| None).map_err(ToolError::from),
    }
    let remains = remains_of(store, actor).await?;
    if really {
        store.repair(actor, remains.clone()).await.map_err(|error| moved(actor, error))?;
    }
    Ok(Some(remains))
}
