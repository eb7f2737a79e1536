//! What a change would do, as functions of heads: decided before anything is touched, and told in a dry run.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::super::{Head, Quarantined, RecordRef, Remains};
use super::{ToolError, Wanted};
use crate::model::ActorName;

#[cfg(test)]
mod tests;

/// What a change takes away.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Loss {
    /// Commits that count no longer, though each was acknowledged.
    pub commits: u64,
    /// Records that are erased for good, newest first.
    pub records: Vec<LostRecord>,
    /// Messages that wait in the current record and are dropped; none: how many is not known.
    pub messages: Option<u64>,
    /// Copies in quarantine that are erased.
    pub copies: u64,
    /// Bytes of these copies.
    pub copy_bytes: u64,
    /// Whether what a damaged head alone knew is lost.
    #[serde(default)]
    pub head: bool,
}

/// A record that is erased.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LostRecord {
    /// Its sequence.
    pub sequence: u64,
    /// Its bytes as stored.
    pub bytes: u64,
    /// When it was committed, in milliseconds since the Unix epoch.
    pub time_ms: u64,
}

impl From<&RecordRef> for LostRecord {
    fn from(record: &RecordRef) -> Self {
        Self { sequence: record.sequence, bytes: record.bytes, time_ms: record.time_ms }
    }
}

impl Loss {
    /// Nothing but what is told with it.
    pub(super) fn nothing() -> Self {
        Self { messages: Some(0), ..Self::default() }
    }

    /// Whether nothing is lost.
    #[must_use]
    pub fn is_nothing(&self) -> bool {
        *self == Self::nothing()
    }

    /// Bytes that are erased: of records and of copies.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.records.iter().map(|record| record.bytes).sum::<u64>() + self.copy_bytes
    }

    /// The same in words, a line for each kind.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        let mut lines = Vec::new();
        if self.commits > 0 {
            lines.push(format!("commits that count no longer: {}", self.commits));
        }
        match self.messages {
            Some(0) => {}
            Some(messages) => lines.push(format!("waiting messages that are dropped: {messages}")),
            None => lines.push("waiting messages that are dropped: how many is not known".to_owned()),
        }
        if let (Some(newest), Some(oldest)) = (self.records.first(), self.records.last()) {
            let (count, bytes) = (self.records.len(), self.bytes() - self.copy_bytes);
            let which = match newest.sequence == oldest.sequence {
                true => newest.sequence.to_string(),
                false => format!("{} to {}", oldest.sequence, newest.sequence),
            };
            lines.push(format!("records erased for good: {count} ({which}), {bytes} bytes"));
        }
        if self.copies > 0 {
            let (copies, bytes) = (self.copies, self.copy_bytes);
            lines.push(format!("copies in quarantine erased for good: {copies}, {bytes} bytes"));
        }
        if self.head {
            let what = "which plugins have refused its records, how it ended, whether the newest one was taken up, and which one a swap goes back to";
            lines.push(format!("what its damaged head alone knew: {what}"));
        }
        lines
    }
}

/// A way back to an earlier record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rollback {
    /// Whose state is taken.
    pub to: RecordRef,
    /// What that takes away. The messages are not dropped: they are kept with the new record.
    pub loss: Loss,
}

/// Going back to the record `to`, or to the one before the current one, in a store that keeps `history` records.
///
/// # Errors
/// If there is no such record, if it is the current one, or if it holds no state.
pub fn plan_rollback(actor: &ActorName, head: &Head, to: Option<u64>, history: usize) -> Result<Rollback, ToolError> {
    let current = head.current().ok_or_else(|| ToolError::NotStored(actor.clone()))?;
    let to = match to {
        None => head.records.get(1).ok_or_else(|| missing(actor, head, Wanted::Before))?,
        Some(sequence) => find(actor, head, sequence)?,
    };
    if to == current {
        return Err(ToolError::Unfit(format!("record {} of `{actor}` is the one that counts already", to.sequence)));
    }
    has_state(actor, to)?;
    let records = pushed_out(head, history).filter(|record| *record != to).map(LostRecord::from).collect();
    let commits = head.sequence.saturating_sub(to.sequence);
    Ok(Rollback { to: to.clone(), loss: Loss { commits, records, ..Loss::nothing() } })
}

/// A copy of a state for another actor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fork {
    /// Whose state is taken.
    pub record: RecordRef,
    /// What the other actor loses by it.
    pub loss: Loss,
}

/// Copying the state of `record`, or of the current one, from `from` to `to`, which has the head `target`, if any.
///
/// # Errors
/// If there is no such record or it holds no state, if both are one actor, or if `to` has a record and `replace` is not
/// said.
pub fn plan_fork(
    (from, head): (&ActorName, &Head),
    (to, target): (&ActorName, Option<&Head>),
    record: Option<u64>,
    replace: bool,
    history: usize,
) -> Result<Fork, ToolError> {
    if from == to {
        return Err(ToolError::Unfit(format!("`{from}` cannot be a copy of itself: name another actor")));
    }
    let current = head.current().ok_or_else(|| ToolError::NotStored(from.clone()))?;
    let record = record.map_or(Ok(current), |sequence| find(from, head, sequence))?;
    has_state(from, record)?;
    let mut loss = Loss::nothing();
    if let Some((target, replaced)) = target.and_then(|target| Some((target, target.current()?))) {
        if !replace {
            return Err(ToolError::Exists { actor: to.clone(), sequence: replaced.sequence });
        }
        let records = pushed_out(target, history).map(LostRecord::from).collect();
        loss = Loss { commits: target.sequence, records, messages: replaced.messages(), ..loss };
    }
    Ok(Fork { record: record.clone(), loss })
}

/// Dropping all but the newest `keep` records, at least one of which stays.
#[must_use]
pub fn plan_prune(head: &Head, keep: usize) -> Loss {
    let records = head.records.iter().skip(keep.max(1)).map(LostRecord::from).collect();
    Loss { records, ..Loss::nothing() }
}

/// Erasing everything.
#[must_use]
pub fn plan_forget(head: &Head, quarantine: &[Quarantined]) -> Loss {
    let commits = if head.records.is_empty() { 0 } else { head.sequence };
    Loss {
        commits,
        records: head.records.iter().map(LostRecord::from).collect(),
        messages: head.current().map_or(Some(0), RecordRef::messages),
        ..of_copies(quarantine)
    }
}

/// Erasing everything of an actor whose head is damaged.
pub(super) fn plan_forget_remains(remains: &Remains, quarantine: &[Quarantined]) -> Loss {
    let damaged = remains.damaged.iter().map(|copy| &copy.record);
    let mut records: Vec<_> = remains.head.records.iter().chain(damaged).map(LostRecord::from).collect();
    records.sort_by_key(|record| std::cmp::Reverse(record.sequence));
    Loss {
        commits: records.first().map_or(0, |record| record.sequence),
        messages: remains.head.current().and_then(RecordRef::messages),
        records,
        head: true,
        ..of_copies(quarantine)
    }
}

/// Making a new head of the records that are there.
pub(super) fn plan_repair(remains: &Remains) -> Loss {
    let newest = remains.head.current().map_or(0, |record| record.sequence);
    let last = remains.damaged.iter().map(|copy| copy.record.sequence).max().unwrap_or_default();
    Loss { commits: last.saturating_sub(newest), head: true, ..Loss::nothing() }
}

/// Erasing copies in quarantine.
pub(super) fn of_copies<'a>(copies: impl IntoIterator<Item = &'a Quarantined>) -> Loss {
    copies.into_iter().fold(Loss::nothing(), |loss, copy| Loss {
        copies: loss.copies + 1,
        copy_bytes: loss.copy_bytes + copy.found.len() as u64,
        ..loss
    })
}

/// What becomes of an actor of an export.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It is put where nothing is.
    Take,
    /// It is put in the place of what is there.
    Replace(Loss),
    /// What is there stays, and why.
    Skip(String),
}

/// Importing the head `image` over `target`, if any, with its quarantine.
#[must_use]
pub fn plan_import(image: &Head, target: Option<&Head>, quarantine: &[Quarantined], replace: bool) -> Verdict {
    let Some((target, current)) = target.and_then(|target| Some((target, target.current()?))) else {
        return match quarantine {
            [] => Verdict::Take,
            _ if replace => Verdict::Replace(of_copies(quarantine)),
            copies => Verdict::Skip(format!("{} copies of it are in quarantine here", copies.len())),
        };
    };
    let Some(taken) = image.current() else {
        return Verdict::Skip("the export has no record of it".to_owned());
    };
    if taken.digest == current.digest {
        return Verdict::Skip(format!("record {} counts here as well", current.sequence));
    }
    if !replace {
        return Verdict::Skip(format!("it has a state here: record {} counts", current.sequence));
    }
    let kept = |record: &&RecordRef| !image.records.iter().any(|other| other.digest == record.digest);
    let shared = target.records.iter().find(|record| record.digest == taken.digest);
    Verdict::Replace(Loss {
        commits: target.sequence - shared.map_or(0, |record| record.sequence.min(target.sequence)),
        records: target.records.iter().filter(kept).map(LostRecord::from).collect(),
        messages: current.messages(),
        ..of_copies(quarantine)
    })
}

/// The record of `head` with this sequence.
pub(super) fn find<'a>(actor: &ActorName, head: &'a Head, sequence: u64) -> Result<&'a RecordRef, ToolError> {
    let found = head.records.iter().find(|record| record.sequence == sequence);
    found.ok_or_else(|| missing(actor, head, Wanted::Sequence(sequence)))
}

pub(super) fn missing(actor: &ActorName, head: &Head, wanted: Wanted) -> ToolError {
    let kept = head.records.iter().map(|record| record.sequence).collect();
    ToolError::NoRecord { actor: actor.clone(), wanted, kept }
}

fn has_state(actor: &ActorName, record: &RecordRef) -> Result<(), ToolError> {
    let none = || ToolError::Unfit(format!("record {} of `{actor}` holds no state", record.sequence));
    record.schema.map(drop).ok_or_else(none)
}

/// The records that one more pushes out.
fn pushed_out(head: &Head, history: usize) -> impl Iterator<Item = &RecordRef> {
    head.records.iter().skip(history.saturating_sub(1).max(1))
}
