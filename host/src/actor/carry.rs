//! What stays when an actor ends and its state stays as the store has it: the messages that it had accepted, and its
//! timers, are kept with that state.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::claiming::NotClaimed;
use super::run::Instance;
use super::writes::{Backoff, Write};
use super::{Budget, Envelope, NotAgain};
use crate::model::{Message, NotSaved, Saved, StopReason, log_of};
use crate::store::{Cause, Lease, NewRecord, Record, StoreError, StoredTimer, Traffic, now_ms};

/// What of the record's own inbox and timers still counts.
#[derive(Debug)]
pub(super) enum Handled {
    /// What the instance has handled stays handled, though its state is not kept; these are its timers now.
    Stands(Arc<BTreeMap<String, u64>>),
    /// What was handled was taken back with the state: all of it counts, but for what crashed.
    TakenBack,
}

/// A claimed actor, what is to be written in place of its record, and whether messages wait in what counts then.
struct Gathered {
    lease: Lease,
    changed: Option<NewRecord>,
    waiting: bool,
}

impl Instance {
    /// Keeps `rest` with the state as the store has it, and gives the actor up. `loose`: whether the record in the store
    /// has messages or timers that may no longer count.
    pub(super) async fn carry(
        &mut self,
        lease: Option<Lease>,
        rest: &[Envelope],
        handled: &Handled,
        loose: bool,
        (reason, budget): (&StopReason, Budget),
    ) -> Saved {
        self.cell.status().inbox_left = false;
        if rest.is_empty() && !loose {
            if let Some(lease) = lease {
                self.give_up(lease, reason, budget).await;
            }
            return Saved::Kept;
        }
        // A tighter budget may come from above meanwhile.
        let gathered = match self.signals.uncut(budget.bound(self.gather(lease, rest, handled))).await {
            Ok(Some(gathered)) => gathered,
            Ok(None) | Err(_) => Err("no time was left".to_owned()),
        };
        let mut inbox_left = false;
        let saved = match gathered {
            Ok(Gathered { lease, changed: None, waiting }) => {
                inbox_left = waiting;
                self.give_up(lease, reason, budget).await;
                Saved::Kept
            }
            Ok(Gathered { mut lease, changed: Some(record), waiting }) => {
                inbox_left = waiting;
                self.last(&mut lease, Write::Release(Some(Box::new(record)), reason.clone()), budget).await
            }
            Err(_) if rest.is_empty() => Saved::Kept,
            Err(why) => {
                log_of!(error, self.cell.label(), why, "accepted messages could not be kept");
                Saved::Not(NotSaved::Messages(rest.len()))
            }
        };
        match saved {
            Saved::Not(why) => {
                self.lost(rest, &why.to_string());
                Saved::Not(why)
            }
            // The state itself is as it was.
            _ => {
                self.confirm(rest);
                self.cell.status().inbox_left = inbox_left;
                Saved::Kept
            }
        }
    }

    /// The record that counts, adapted; none where nothing has changed.
    async fn gather(&self, mut lease: Option<Lease>, rest: &[Envelope], handled: &Handled) -> Result<Gathered, String> {
        let mut backoff = Backoff::new();
        loop {
            match self.claimed_and_loaded(&mut lease).await {
                Ok((lease, record)) => {
                    let rest = rest.iter().map(|envelope| envelope.message.clone()).collect();
                    let not_again = self.cell.status().not_again.clone();
                    let taken_up = lease.is_taken_up();
                    let had = record.as_ref().is_some_and(|record| !record.header.inbox.is_empty());
                    let carried = carried(record, rest, handled, &not_again, taken_up);
                    let waiting = carried.as_ref().map_or(had, |record| !record.inbox.is_empty());
                    let node = self.parts.node.clone();
                    let changed = carried.map(|record| NewRecord { node, time_ms: now_ms(), ..record });
                    return Ok(Gathered { lease, changed, waiting });
                }
                // Someone was quicker with a claim, or the store is away for a moment: the budget says how long to try.
                Err(NotClaimed::Store(StoreError::Conflict(_))) if lease.is_none() => {
                    tokio::time::sleep(backoff.next()).await;
                }
                Err(NotClaimed::Store(StoreError::Unavailable(_) | StoreError::Unknown(_))) => {
                    tokio::time::sleep(backoff.next()).await;
                }
                Err(NotClaimed::Store(error)) => return Err(error.to_string()),
                Err(NotClaimed::Elsewhere(owner)) => return Err(owner.of(self.cell.name().as_str())),
            }
        }
    }

    async fn claimed_and_loaded(&self, lease: &mut Option<Lease>) -> Result<(Lease, Option<Record>), NotClaimed> {
        let (store, actor) = (&self.parts.store, self.cell.name());
        let held = match lease {
            Some(lease) => lease,
            None => lease.insert(self.claim_under(&self.tenure).await?),
        };
        let record = match held.head.current() {
            Some(reference) => Some(store.load(actor, reference).await?),
            None => None,
        };
        Ok((held.clone(), record))
    }
}

/// Decides what is written in place of `record`, its state untouched; none: nothing.
fn carried(
    record: Option<Record>,
    rest: Vec<Message>,
    handled: &Handled,
    not_again: &[NotAgain],
    taken_up: bool,
) -> Option<NewRecord> {
    let Some(record) = record else {
        let nothing = NewRecord {
            state: None,
            cause: Cause::Checkpoint,
            node: String::new(),
            time_ms: 0,
            inbox: rest,
            timers: Vec::new(),
            traffic: Traffic::default(),
        };
        return (!nothing.inbox.is_empty()).then_some(nothing);
    };
    let (inbox, timers): (_, Vec<StoredTimer>) = match handled {
        Handled::Stands(now) => {
            let stands = |timer: &&StoredTimer| now.get(&timer.name) == Some(&timer.due_ms);
            (rest, record.header.timers.iter().filter(stands).cloned().collect())
        }
        Handled::TakenBack => {
            let timers = still_to_fire(&record.header.timers, record.header.sequence, not_again);
            let timers = timers.into_iter().map(|(name, due_ms)| StoredTimer { name, due_ms }).collect();
            let inbox = inbox_of(&record, not_again);
            (inbox.into_iter().chain(rest).collect::<Vec<_>>(), timers)
        }
    };
    let same_timers = timers.len() == record.header.timers.len();
    if inbox == record.header.inbox && same_timers {
        return None;
    }
    // A state that an instance has taken up since is no longer told as complete.
    let cause = if taken_up { Cause::Checkpoint } else { record.header.cause.clone() };
    let state = record.header.state.map(|wrote| (wrote, record.data));
    let traffic = record.header.traffic;
    Some(NewRecord { state, cause, node: String::new(), time_ms: 0, inbox, timers, traffic })
}

/// What a record's inbox still has to say.
fn inbox_of(record: &Record, not_again: &[NotAgain]) -> Vec<Message> {
    let inbox = still_to_handle(record.header.inbox.clone(), record.header.sequence, not_again);
    inbox.into_iter().map(|(_, message)| message).collect()
}

/// What an inbox still has to say, each message with its place there. `sequence`: of the record that counts.
pub(super) fn still_to_handle(inbox: Vec<Message>, sequence: u64, not_again: &[NotAgain]) -> Vec<(usize, Message)> {
    let wanted = |place| !not_again.contains(&NotAgain::Message(sequence, place));
    inbox.into_iter().enumerate().filter(|(place, _)| wanted(*place)).collect()
}

/// Timers that may still fire. `sequence`: of the record that counts.
pub(super) fn still_to_fire(timers: &[StoredTimer], sequence: u64, not_again: &[NotAgain]) -> BTreeMap<String, u64> {
    let timers = timers.iter().map(|timer| (timer.name.clone(), timer.due_ms));
    timers.filter(|(name, due)| !not_again.contains(&NotAgain::Timer(sequence, name.clone(), *due))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ActorName;
    use crate::store::record::Header;

    fn timer(name: &str, due_ms: u64) -> StoredTimer {
        StoredTimer { name: name.into(), due_ms }
    }

    fn messages(names: &[&str]) -> Vec<Message> {
        names.iter().map(|name| Message::Timer((*name).into())).collect()
    }

    fn record(inbox: &[&str], timers: Vec<StoredTimer>) -> Record {
        let header = Header {
            actor: ActorName::new("a").expect("valid"),
            epoch: 1,
            generation: 1,
            sequence: 9,
            parent: None,
            cause: Cause::Stopped(StopReason::Shutdown),
            node: "n".into(),
            time_ms: 1,
            state: None,
            inbox: messages(inbox),
            timers,
            traffic: Traffic::default(),
        };
        Record { header, data: Vec::new() }
    }

    #[test]
    fn what_was_handled_in_peace_is_not_handed_over_again() {
        let stands = |timers: &[(&str, u64)]| {
            let timers: BTreeMap<_, _> = timers.iter().map(|(name, due)| ((*name).to_owned(), *due)).collect();
            Handled::Stands(Arc::new(timers))
        };
        let with = || Some(record(&["1", "2"], vec![timer("t", 5), timer("u", 6)]));
        let left = carried(with(), messages(&["2", "3"]), &stands(&[("u", 6)]), &[], true).expect("changed");
        assert_eq!((left.inbox, left.timers), (messages(&["2", "3"]), vec![timer("u", 6)]));
        let left = carried(with(), Vec::new(), &stands(&[("t", 5), ("u", 7)]), &[], false).expect("changed");
        assert_eq!(
            (left.inbox, left.timers, left.cause),
            (Vec::new(), vec![timer("t", 5)], Cause::Stopped(StopReason::Shutdown))
        );
        let same = stands(&[("t", 5), ("u", 6), ("new", 1)]);
        assert_eq!(carried(with(), messages(&["1", "2"]), &same, &[], true), None, "nothing changed");
    }

    #[test]
    fn what_was_taken_back_comes_again_but_for_what_crashed() {
        let with = || Some(record(&["1", "2"], vec![timer("t", 5)]));
        assert_eq!(carried(with(), Vec::new(), &Handled::TakenBack, &[], true), None);
        let crashed = [NotAgain::Message(9, 0), NotAgain::Message(8, 1), NotAgain::Timer(9, "t".into(), 5)];
        let left = carried(with(), messages(&["3"]), &Handled::TakenBack, &crashed, true).expect("changed");
        assert_eq!((left.inbox, left.timers, left.cause), (messages(&["2", "3"]), Vec::new(), Cause::Checkpoint));
    }

    #[test]
    fn messages_are_kept_where_there_is_no_state_yet() {
        assert_eq!(carried(None, Vec::new(), &Handled::TakenBack, &[], false), None);
        let left = carried(None, messages(&["1"]), &Handled::TakenBack, &[], false).expect("kept");
        assert_eq!((left.state, left.inbox), (None, messages(&["1"])));
    }
}
