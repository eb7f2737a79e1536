//! What may be handed over, decided before any guest code sees it.

use crate::model::{Description, Handoff, HoldCause, Origin, State};
use crate::store::{Cause, Head, Record, RecordError, StoreError};

/// What a record comes to.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Checked {
    /// `continue` gets this.
    Fits(Option<Handoff>),
    /// The state cannot be used by this plugin; the record itself is whole.
    Unfit(HoldCause),
}

/// Checks a whole record against the plugin that is to take it over: the plugin's name, then the schema.
pub(crate) fn check(record: Record, head: &Head, turns: Option<u64>, plugin: &Description, now_ms: u64) -> Checked {
    let Some(wrote) = record.header.state else { return Checked::Fits(None) };
    if wrote.plugin != plugin.name {
        let (found, expected) = (wrote.plugin.to_string(), plugin.name.to_string());
        return Checked::Unfit(HoldCause::OtherPlugin { found, expected });
    }
    if !plugin.reads(wrote.schema) {
        return Checked::Unfit(HoldCause::Schema {
            found: wrote.schema,
            plugin: plugin.name.to_string(),
            version: plugin.version.to_string(),
            reads_from: plugin.reads_from,
            reads_to: plugin.reads_to,
        });
    }
    Checked::Fits(Some(Handoff {
        state: State { schema: wrote.schema, data: record.data },
        origin: origin(&record.header.cause, head.taken_up.is_some(), turns),
        generation: wrote.generation,
        written_by: wrote.version,
        age_ms: now_ms.saturating_sub(wrote.time_ms),
    }))
}

/// How complete a state is. `taken_up`: an instance has handled messages since; `turns`: how many, where this process
/// knows.
pub(crate) fn origin(cause: &Cause, taken_up: bool, turns: Option<u64>) -> Origin {
    match cause {
        Cause::Checkpoint => Origin::Checkpoint(turns),
        // What was handled after it was acknowledged to nobody.
        Cause::Turn => Origin::Checkpoint(Some(0)),
        _ if taken_up => Origin::Checkpoint(turns),
        Cause::Stopped(reason) => Origin::Terminated(reason.clone()),
        Cause::Switched => Origin::Switched,
        Cause::Restored => Origin::Restored,
    }
}

/// Whether the head needs the mark "taken up" before anything of a first turn leaves: whether its record would be told as
/// complete otherwise.
pub(crate) fn needs_mark(head: &Head) -> bool {
    head.taken_up.is_none()
        && head.current().is_some_and(|record| !matches!(record.cause, Cause::Checkpoint | Cause::Turn))
}

/// What a failed load means for the actor.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum LoadFailure {
    /// The bytes are damaged: they go to the quarantine, and policy decides.
    Damaged(HoldCause),
    /// The store is out of reach: tried again. Never "nothing saved".
    TryAgain,
    /// Another instance owns the actor.
    Lost,
}

/// Sorts the ways in which a load, or a read of a head, fails.
pub(crate) fn failure(error: &StoreError) -> LoadFailure {
    match error {
        StoreError::Corrupt(RecordError::NewerFormat { found, newest }) => {
            LoadFailure::Damaged(HoldCause::NewerFormat { found: *found, newest: *newest })
        }
        StoreError::Corrupt(why) => LoadFailure::Damaged(HoldCause::Damaged(why.to_string())),
        StoreError::Conflict(_) => LoadFailure::Lost,
        // Too large and unsupported are about writes; a store that says so of a read is out of order.
        StoreError::Unknown(_)
        | StoreError::Unavailable(_)
        | StoreError::TooLarge { .. }
        | StoreError::Unsupported(_) => LoadFailure::TryAgain,
    }
}
