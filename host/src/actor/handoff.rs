//! What may be handed over, decided before any guest code sees it.

use crate::model::{BadStatePolicy, Description, Handoff, HoldCause, Keeping, Message, Origin, State, StopReason};
use crate::store::{Cause, Head, Record, RecordError, StoreError, StoredTimer, Traffic};

/// What a record comes to.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Checked {
    /// `continue` gets this.
    Fits(Option<Handoff>),
    /// The state cannot be used by this plugin; the record itself is whole.
    Unfit(HoldCause),
}

/// Checks a whole record against the plugin that is to take it over: the plugin's name, then the schema, then the age.
/// `taken_up`: an instance has taken it over before.
pub(crate) fn check(
    record: &Record,
    taken_up: bool,
    turns: Option<u64>,
    plugin: &Description,
    keeping: &Keeping,
    now_ms: u64,
) -> Checked {
    let Some(wrote) = &record.header.state else { return Checked::Fits(None) };
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
    let age_ms = now_ms.saturating_sub(wrote.time_ms);
    if let Some(max_age) = keeping.max_age
        && u128::from(age_ms) > max_age.as_millis()
    {
        let max_age_ms = u64::try_from(max_age.as_millis()).unwrap_or(u64::MAX);
        return Checked::Unfit(HoldCause::Stale { age_ms, max_age_ms });
    }
    Checked::Fits(Some(Handoff {
        state: State { schema: wrote.schema, data: record.data.clone() },
        origin: origin(&record.header.cause, taken_up, turns),
        generation: wrote.generation,
        written_by: wrote.version.clone(),
        age_ms,
    }))
}

/// The handoff of a record that is not the newest: it is complete no more, and nobody counts what came after it.
pub(crate) fn given_up_after(handoff: Handoff) -> Handoff {
    Handoff { origin: Origin::Checkpoint(None), ..handoff }
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

/// Whether an actor with this head is woken from a sleep that it slept in peace: then the mark can be set with the claim,
/// since a message waits for it. `early`: the generation that was to take the record up and has not, where this host knows
/// of one.
pub(crate) fn is_woken(head: &Head, early: Option<u64>) -> bool {
    let kept = head.current().is_some_and(|record| record.cause == Cause::Stopped(StopReason::Passivate));
    kept && (head.taken_up.is_none() || head.taken_up == early)
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
        StoreError::Corrupt(RecordError::NewerFormat { found, newest } | RecordError::NewerHead { found, newest }) => {
            LoadFailure::Damaged(HoldCause::NewerFormat { found: *found, newest: *newest })
        }
        StoreError::Corrupt(RecordError::Head(why)) => LoadFailure::Damaged(HoldCause::DamagedHead(why.clone())),
        StoreError::Corrupt(why) => LoadFailure::Damaged(HoldCause::Damaged(why.to_string())),
        StoreError::Conflict(_) => LoadFailure::Lost,
        // Too large and unsupported are about writes; a store that says so of a read is out of order.
        StoreError::Unknown(_)
        | StoreError::Unavailable(_)
        | StoreError::TooLarge { .. }
        | StoreError::Unsupported(_) => LoadFailure::TryAgain,
    }
}

/// What follows from a state that cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The actor is parked.
    Hold,
    /// An earlier record is taken over, or the actor is parked.
    Previous,
    /// The actor begins anew.
    Fresh,
    /// The actor stays down.
    Stop,
}

/// Applies the policy.
pub(crate) fn verdict(keeping: &Keeping, cause: &HoldCause) -> Verdict {
    match (cause, keeping.on_bad_state) {
        (HoldCause::Stale { .. }, _) => match keeping.on_stale {
            BadStatePolicy::Fresh => Verdict::Fresh,
            BadStatePolicy::Stop => Verdict::Stop,
            // No earlier record is younger.
            BadStatePolicy::Hold | BadStatePolicy::Previous => Verdict::Hold,
        },
        (_, BadStatePolicy::Hold) => Verdict::Hold,
        (_, BadStatePolicy::Previous) => Verdict::Previous,
        (_, BadStatePolicy::Fresh) => Verdict::Fresh,
        (_, BadStatePolicy::Stop) => Verdict::Stop,
    }
}

/// What records say besides their states.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Left {
    pub(crate) inbox: Vec<Message>,
    pub(crate) timers: Vec<StoredTimer>,
    pub(crate) traffic: Traffic,
}

/// What counts of the record that is `used` (none: the actor begins anew) and of the newer ones that were `passed` over,
/// newest first. Timers, replies and what was heard belong to a state, and go with it. Accepted messages that nobody has
/// handled, and sent ones that nobody has confirmed, belong to their senders: those of the newer records count as well.
pub(crate) fn left(used: Option<Record>, passed: Vec<Record>) -> Left {
    let newest_outbox = passed.first().map(|record| record.header.traffic.outbox.clone());
    let began_anew = used.is_none();
    let mut left = used.map_or_else(Left::default, |record| Left {
        inbox: record.header.inbox,
        timers: record.header.timers,
        traffic: record.header.traffic,
    });
    if let Some(outbox) = newest_outbox {
        left.traffic.outbox = outbox;
    }
    for record in passed.into_iter().rev() {
        if began_anew {
            // What it has heard is handled, whatever became of the state.
            left.traffic.received = record.header.traffic.received;
        }
        for message in record.header.inbox {
            if !left.inbox.contains(&message) {
                left.inbox.push(message);
            }
        }
    }
    left
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::model::{ActorName, Digest, PluginName, Sent, StopReason, Version};
    use crate::store::{Origination, Outgoing, Received, record::Header};

    fn record(sequence: u64, inbox: &[&str]) -> Record {
        let name = |text: &str| ActorName::new(text).expect("valid");
        let sent = Sent { line: 1, number: sequence };
        let id = crate::model::MessageId::new("m").expect("valid");
        let traffic = Traffic {
            outbox: vec![Outgoing { sent, to: name("b"), id, body: crate::model::Body::new() }],
            received: vec![Received { sender: name("c"), last: sent, time_ms: 1 }],
            ..Traffic::default()
        };
        let header = Header {
            actor: name("a"),
            epoch: 1,
            generation: 1,
            sequence,
            parent: None,
            cause: Cause::Stopped(StopReason::Shutdown),
            node: "n".into(),
            time_ms: 1_000,
            state: Some(Origination {
                plugin: PluginName::new("p").expect("valid"),
                version: Version::new("1.0.0").expect("valid"),
                digest: Digest([1; 32]),
                schema: 2,
                generation: 1,
                time_ms: 1_000,
            }),
            inbox: inbox.iter().map(|name| Message::Timer((*name).into())).collect(),
            timers: vec![StoredTimer { name: "t".into(), due_ms: sequence }],
            traffic,
        };
        Record { header, data: vec![7] }
    }

    fn plugin() -> Description {
        Description {
            name: PluginName::new("p").expect("valid"),
            version: Version::new("1.0.0").expect("valid"),
            schema: 2,
            reads_from: 2,
            reads_to: 2,
            messages: String::new(),
            metadata: Vec::new(),
        }
    }

    #[test]
    fn a_state_older_than_it_may_be_is_stale_and_judged_by_its_own_policy() {
        let keeping = Keeping { max_age: Some(Duration::from_millis(500)), ..Keeping::default() };
        let at = |now| check(&record(1, &[]), false, None, &plugin(), &keeping, now);
        assert!(matches!(at(1_500), Checked::Fits(Some(_))), "just not too old");
        let Checked::Unfit(stale) = at(1_501) else { panic!("too old") };
        assert_eq!(stale, HoldCause::Stale { age_ms: 501, max_age_ms: 500 });
        assert!(matches!(at(10), Checked::Fits(Some(handoff)) if handoff.age_ms == 0), "the clock went back");

        use BadStatePolicy::{Fresh, Hold, Previous, Stop};
        let bad = HoldCause::Damaged("x".into());
        for (policy, for_stale, for_bad) in [
            (Hold, Verdict::Hold, Verdict::Hold),
            (Previous, Verdict::Hold, Verdict::Previous),
            (Fresh, Verdict::Fresh, Verdict::Fresh),
            (Stop, Verdict::Stop, Verdict::Stop),
        ] {
            let keeping = Keeping { on_stale: policy, ..Keeping::default() };
            assert_eq!((verdict(&keeping, &stale), verdict(&keeping, &bad)), (for_stale, Verdict::Hold), "{policy:?}");
            let keeping = Keeping { on_bad_state: policy, ..Keeping::default() };
            assert_eq!((verdict(&keeping, &stale), verdict(&keeping, &bad)), (Verdict::Hold, for_bad), "{policy:?}");
        }
    }

    #[test]
    fn a_turns_commit_is_complete_and_a_record_that_was_not_the_newest_is_not() {
        assert_eq!(origin(&Cause::Turn, true, Some(9)), Origin::Checkpoint(Some(0)));
        let handoff = Handoff {
            state: State { schema: 1, data: vec![] },
            origin: Origin::Terminated(StopReason::Shutdown),
            generation: 1,
            written_by: Version::new("1.0.0").expect("valid"),
            age_ms: 0,
        };
        assert_eq!(given_up_after(handoff).origin, Origin::Checkpoint(None));
    }

    #[test]
    fn messages_of_records_that_are_passed_over_are_not_lost() {
        let timers = |names: &[&str]| names.iter().map(|name| Message::Timer((*name).into())).collect::<Vec<_>>();
        let passed = || vec![record(9, &["c", "d"]), record(8, &["b", "c"])];
        let previous = left(Some(record(7, &["a", "b"])), passed());
        assert_eq!(previous.inbox, timers(&["a", "b", "c", "d"]), "each once, in order");
        assert_eq!(previous.timers[0].due_ms, 7, "with the state");
        assert_eq!(previous.traffic.outbox[0].sent.number, 9, "the newest has all that was not confirmed");
        assert_eq!(previous.traffic.received[0].last.number, 7, "with the state");
        let fresh = left(None, passed());
        assert_eq!((fresh.inbox, fresh.timers), (timers(&["b", "c", "d"]), vec![]));
        assert_eq!(fresh.traffic.received[0].last.number, 9);
        assert_eq!(left(None, vec![]), Left::default());
    }
}
