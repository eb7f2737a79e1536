//! Opening an actor's state: the claim, and which of its records is taken over.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::claiming::{NotClaimed, Owner};
use super::handoff::{self, Checked, LoadFailure, Verdict};
use super::run::{Instance, Parts};
use crate::model::{Handoff, Hold, HoldCause, Message, log_of};
use crate::sandbox::Program;
use crate::store::{Lease, Record, RecordRef, StoreError, Traffic};

/// Copies of damaged records that are kept for one actor; the oldest make room.
const QUARANTINE_COPIES: usize = 16;

/// A claimed actor with what its predecessor left.
pub(super) struct Opened {
    pub(super) lease: Lease,
    pub(super) handoff: Option<Handoff>,
    /// The record that the handoff is of; none where there is none.
    pub(super) reference: Option<RecordRef>,
    /// What the inbox still has to say, each with its place there.
    pub(super) inbox: Vec<(usize, Message)>,
    pub(super) timers: Arc<BTreeMap<String, u64>>,
    pub(super) traffic: Traffic,
    /// Whether the record has messages or timers of its own.
    pub(super) loose: bool,
}

/// What opening an actor's state came to.
pub(super) enum Opening {
    Done(Box<Opened>),
    /// The actor is to run another version: the one that its record names.
    Other(Program),
    TryAgain(String),
    /// Another host owns it.
    Elsewhere(Owner),
    Hold(Box<Hold>, Option<Box<Lease>>),
    /// The actor is to stay down.
    Stop(Box<Hold>, Box<Lease>),
    Lost(String),
}

/// What one record comes to.
enum Judged {
    Fits(Box<Record>, Option<Handoff>),
    /// Its state cannot be used; the record where it can be read, for what else it has to say.
    Unfit(HoldCause, Option<Box<Record>>),
    TryAgain(String),
    Lost(String),
}

impl Instance {
    /// Claims the actor and chooses what is taken over. What happened on the way is in the log and in the status.
    pub(super) async fn open(&self) -> Opening {
        let lease = match self.claim_under(&self.tenure).await {
            Ok(lease) => lease,
            Err(NotClaimed::Elsewhere(owner)) => return Opening::Elsewhere(owner),
            // Someone was quicker, or the answer was lost: what the head says now decides.
            Err(NotClaimed::Store(error @ (StoreError::Conflict(_) | StoreError::Unknown(_)))) => {
                return Opening::TryAgain(error.to_string());
            }
            Err(NotClaimed::Store(error)) => return sorted(&error, None, None),
        };
        {
            let mut status = self.cell.status();
            status.generation = lease.head.generation;
            status.sequence = lease.head.current().map(|record| record.sequence);
            status.schema = lease.head.current().and_then(|record| record.schema);
            status.next_timer_ms = lease.head.current().and_then(|record| record.next_timer_ms);
            status.outbox_left = lease.head.leaves_messages();
        }
        match self.named_by(&lease).await {
            Some(program) => Opening::Other(program),
            None => self.choose(lease).await,
        }
    }

    /// The version that the record names, where that is to count and is not the one at hand.
    async fn named_by(&self, lease: &Lease) -> Option<Program> {
        let Parts { catalog, program, store, .. } = &self.parts;
        let newest = lease.head.current().filter(|_| catalog.runs_as_saved(&self.cell.spec))?;
        // One that cannot be read names nothing; what becomes of it is decided where it is taken over.
        let wrote = store.load(&lease.actor, newest).await.ok()?.header.state?;
        let named = wrote.digest != program.digest() && wrote.plugin == self.cell.spec.plugin;
        catalog.program(&wrote.plugin, wrote.digest).filter(|_| named)
    }

    /// Goes through the records, newest first, until one fits or the policy says what else to do.
    async fn choose(&self, lease: Lease) -> Opening {
        let records = lease.head.records.clone();
        let mut passed: Vec<Record> = Vec::new();
        let mut first: Option<(HoldCause, RecordRef)> = None;
        for reference in &records {
            let (cause, record) = match self.judge(&lease, reference, first.is_some()).await {
                Judged::Fits(record, handoff) => {
                    if let Some((cause, newest)) = &first {
                        let lost = newest.sequence - reference.sequence;
                        self.note(
                            cause,
                            &format!("it goes on from record {}: {lost} commits are given up", reference.sequence),
                        );
                    }
                    return self.opened(lease, Some((*record, reference, handoff)), passed);
                }
                Judged::Unfit(cause, record) => (cause, record),
                Judged::TryAgain(why) => return Opening::TryAgain(why),
                Judged::Lost(why) => return Opening::Lost(why),
            };
            let given_up = self.was_given_up(record.as_deref());
            passed.extend(record.map(|record| *record));
            if first.is_some() {
                continue;
            }
            let verdict = handoff::verdict(&self.keeping, &cause);
            match if given_up { Verdict::Previous } else { verdict } {
                Verdict::Previous => first = Some((cause, reference.clone())),
                Verdict::Hold => return Opening::Hold(hold_on(cause, Some(reference)), Some(Box::new(lease))),
                Verdict::Stop => return Opening::Stop(hold_on(cause, Some(reference)), Box::new(lease)),
                Verdict::Fresh => {
                    self.note(&cause, "it begins anew");
                    passed.extend(self.older(&lease, &records, reference).await);
                    return self.opened(lease, None, passed);
                }
            }
        }
        match first {
            // No earlier one fits either.
            Some((cause, reference)) => Opening::Hold(hold_on(cause, Some(&reference)), Some(Box::new(lease))),
            None => self.opened(lease, None, Vec::new()),
        }
    }

    /// Whether what a record's version did may be lost: it was taken back, and whoever did that was ready to lose it.
    fn was_given_up(&self, record: Option<&Record>) -> bool {
        let wrote = record.and_then(|record| record.header.state.as_ref());
        wrote.is_some_and(|wrote| self.parts.catalog.given_up(&self.cell.spec.plugin) == Some(wrote.digest))
    }

    /// For an actor that begins anew: the newest record before `reference` that can be read, where that one cannot, for the
    /// messages that it has to say.
    async fn older(&self, lease: &Lease, records: &[RecordRef], reference: &RecordRef) -> Option<Record> {
        let damaged = self.parts.store.load(&lease.actor, reference).await.is_err();
        for older in records.iter().filter(|older| damaged && older.sequence < reference.sequence) {
            if let Ok(record) = self.parts.store.load(&lease.actor, older).await {
                return Some(record);
            }
        }
        None
    }

    async fn judge(&self, lease: &Lease, reference: &RecordRef, is_older: bool) -> Judged {
        let (store, actor) = (&self.parts.store, self.cell.name());
        let record = match store.load(actor, reference).await {
            Ok(record) => record,
            Err(error) => {
                return match handoff::failure(&error) {
                    LoadFailure::Damaged(cause) => {
                        if let Err(error) = self.quarantine(reference, &cause.to_string()).await {
                            log_of!(error, self.cell.label(), %error, "the damaged record could not be copied to the quarantine");
                        }
                        Judged::Unfit(cause, None)
                    }
                    LoadFailure::TryAgain => Judged::TryAgain(error.to_string()),
                    LoadFailure::Lost => Judged::Lost(error.to_string()),
                };
            }
        };
        if let Some(cause) = self.refused_before(lease, reference) {
            return Judged::Unfit(cause, Some(Box::new(record)));
        }
        let turns = self.cell.figures.handled_since_record().filter(|_| !is_older);
        let (plugin, now) = (self.parts.program.description(), crate::store::now_ms());
        match handoff::check(&record, lease.is_taken_up(), turns, plugin, &self.keeping, now) {
            Checked::Fits(handoff) if is_older => Judged::Fits(Box::new(record), handoff.map(handoff::given_up_after)),
            Checked::Fits(handoff) => Judged::Fits(Box::new(record), handoff),
            Checked::Unfit(cause) => Judged::Unfit(cause, Some(Box::new(record))),
        }
    }

    /// Keeps a copy of a damaged record, and no more copies than may be kept.
    async fn quarantine(&self, reference: &RecordRef, why: &str) -> Result<(), StoreError> {
        let (store, actor) = (&self.parts.store, self.cell.name());
        store.quarantine(actor, reference, why).await?;
        let mut copies = store.quarantined(actor).await?;
        copies.sort_by_key(|copy| copy.record.sequence);
        let more = copies.len().saturating_sub(QUARANTINE_COPIES);
        for old in copies.iter().filter(|copy| copy.record != *reference).take(more) {
            store.discard(actor, Some(&old.record)).await?;
        }
        Ok(())
    }

    /// Whether this component has refused this record before: it is not tried again.
    fn refused_before(&self, lease: &Lease, reference: &RecordRef) -> Option<HoldCause> {
        let component = self.parts.program.digest();
        let status = self.cell.status();
        let known = lease.head.refusals.iter().chain(&status.refused);
        let refused = known.into_iter().find(|one| (one.record, one.component) == (reference.digest, component))?;
        let (why, version, time_ms) = (refused.why.clone(), refused.version.clone(), refused.time_ms);
        Some(HoldCause::RefusedBefore { why, version, time_ms })
    }

    /// Writes down what was done about a state that could not be used as it was.
    fn note(&self, cause: &HoldCause, done: &str) {
        log_of!(error, self.cell.label(), %cause, "its state cannot be used as it is: {done}");
        let mut status = self.cell.status();
        status.bad_states += 1;
        status.last_bad_state = Some(format!("{cause}; {done}"));
    }

    /// `passed`: newer records that were passed over, newest first.
    fn opened(
        &self,
        lease: Lease,
        used: Option<(Record, &RecordRef, Option<Handoff>)>,
        passed: Vec<Record>,
    ) -> Opening {
        let not_again = self.cell.status().not_again.clone();
        let sequence = lease.head.current().map_or(0, |record| record.sequence);
        let (record, reference, handoff) = match used {
            Some((record, reference, handoff)) => (Some(record), Some(reference.clone()), handoff),
            None => (None, None, None),
        };
        let left = handoff::left(record, passed);
        let loose = !left.inbox.is_empty() || !left.timers.is_empty();
        let inbox = super::carry::still_to_handle(left.inbox, sequence, &not_again);
        let timers = Arc::new(super::carry::still_to_fire(&left.timers, sequence, &not_again));
        let traffic = left.traffic;
        Opening::Done(Box::new(Opened { lease, handoff, reference, inbox, timers, traffic, loose }))
    }
}

pub(super) fn hold_on(cause: HoldCause, record: Option<&RecordRef>) -> Box<Hold> {
    Box::new(Hold { cause, sequence: record.map(|r| r.sequence), digest: record.map(|r| r.digest) })
}

fn sorted(error: &StoreError, record: Option<&RecordRef>, lease: Option<Lease>) -> Opening {
    match handoff::failure(error) {
        LoadFailure::Damaged(cause) => Opening::Hold(hold_on(cause, record), lease.map(Box::new)),
        LoadFailure::TryAgain => Opening::TryAgain(error.to_string()),
        LoadFailure::Lost => Opening::Lost(error.to_string()),
    }
}
