//! Messages of a durable sender on their way: each is kept until whoever gets it says that it has it, and is sent again
//! where it got lost. What one receiver cannot take yet keeps those behind it waiting, so that order holds.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use tokio::time::Instant;

use super::ledger::Ledger;
use super::writes::Backoff;
use super::{Cell, Post};
use crate::model::{ActorName, Message, Request, SendError, Sent};
use crate::store::Outgoing;
use crate::telemetry::TraceContext;

/// Where the messages are that an actor has sent. It outlives the actor's instances.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    flights: Mutex<Flights>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct Flights {
    by_number: BTreeMap<Sent, Flight>,
    /// The parts of traces that messages belong to which have not arrived: of this process alone.
    traces: BTreeMap<Sent, TraceContext>,
    /// Whether one that was under way has got lost since the last try.
    lost: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Flight {
    /// It is being given to someone, who may still refuse.
    Offered,
    /// Someone has it and has not said so yet.
    Under,
    Arrived,
}

/// Says that a message has arrived; dropped without a word, that it got lost.
#[derive(Debug)]
pub(crate) struct Receipt {
    outbox: Arc<Outbox>,
    sent: Sent,
}

impl Receipt {
    /// It was handled, or is kept durably, or nobody will ever handle it.
    pub(crate) fn confirm(&self) {
        let mut flights = self.outbox.flights();
        flights.by_number.insert(self.sent, Flight::Arrived);
        flights.traces.remove(&self.sent);
    }
}

impl Drop for Receipt {
    fn drop(&mut self) {
        let mut flights = self.outbox.flights();
        match flights.by_number.get(&self.sent) {
            Some(Flight::Arrived) => {}
            Some(Flight::Under) => {
                flights.by_number.remove(&self.sent);
                flights.lost = true;
            }
            // Whoever offers it hears of that by itself.
            Some(Flight::Offered) | None => {
                flights.by_number.remove(&self.sent);
                return;
            }
        }
        drop(flights);
        self.outbox.changed.notify_one();
    }
}

/// What became of trying to send.
#[derive(Debug, PartialEq, Eq)]
enum Pumped {
    /// All of it is on its way.
    All,
    /// Some could not be taken yet.
    Left,
}

impl Outbox {
    fn flights(&self) -> MutexGuard<'_, Flights> {
        // Entries come and go whole.
        self.flights.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes that a message is offered to someone; false where someone has it already, or had.
    fn offer(&self, sent: Sent) -> bool {
        let mut flights = self.flights();
        let new = !flights.by_number.contains_key(&sent);
        if new {
            flights.by_number.insert(sent, Flight::Offered);
        }
        new
    }

    /// Whoever it was offered to has taken it, and may have dropped it again by now.
    fn taken(&self, sent: Sent) {
        let mut flights = self.flights();
        match flights.by_number.get(&sent) {
            Some(Flight::Offered) => drop(flights.by_number.insert(sent, Flight::Under)),
            Some(Flight::Under | Flight::Arrived) => {}
            None => {
                flights.lost = true;
                drop(flights);
                self.changed.notify_one();
            }
        }
    }

    /// Whether a message has arrived.
    pub(super) fn arrived(&self, sent: &Sent) -> bool {
        self.flights().by_number.get(sent) == Some(&Flight::Arrived)
    }

    /// Forgets messages that no record names any more.
    pub(super) fn forget(&self, still: &BTreeSet<Sent>) {
        let mut flights = self.flights();
        flights.by_number.retain(|sent, flight| *flight != Flight::Arrived || still.contains(sent));
        flights.traces.retain(|sent, _| still.contains(sent));
    }

    /// These messages belong to a trace.
    pub(super) fn traced(&self, sent: impl Iterator<Item = Sent>, trace: &TraceContext) {
        self.flights().traces.extend(sent.map(|sent| (sent, trace.clone())));
    }

    fn trace_of(&self, sent: &Sent) -> Option<TraceContext> {
        self.flights().traces.get(sent).cloned()
    }

    /// Whether a message got lost since this was last asked.
    pub(super) fn has_lost(&self) -> bool {
        std::mem::take(&mut self.flights().lost)
    }

    /// Messages that are on their way.
    pub(crate) fn under_way(&self) -> usize {
        self.flights().by_number.values().filter(|flight| **flight != Flight::Arrived).count()
    }

    /// Waits until a message has arrived or got lost. There is one who waits: the actor's loop.
    pub(super) async fn changed(&self) {
        self.changed.notified().await;
    }
}

/// Keeps an actor's messages moving.
#[derive(Debug)]
pub(super) struct Pump {
    /// The last message that was looked at.
    last: Option<Sent>,
    backoff: Backoff,
    /// When what could not be taken is tried again.
    again: Option<Instant>,
}

impl Pump {
    pub(super) fn new() -> Self {
        Self { last: None, backoff: Backoff::new(), again: None }
    }

    /// Sends what is new, what got lost, and what could not be taken before and is due again; all of it where `all`.
    pub(super) fn run(&mut self, cell: &Arc<Cell>, post: &dyn Post, ledger: &Ledger, all: bool) {
        let newest = ledger.outbox().last().map(|out| out.sent);
        // Most actors have sent nothing that has to arrive.
        if newest.is_none() && self.again.is_none() {
            return;
        }
        let is_due = self.again.is_some_and(|again| again <= Instant::now());
        let is_new = newest > self.last;
        if !(all || is_due || is_new || cell.outbox.has_lost()) {
            return;
        }
        self.last = newest.max(self.last);
        match pump(cell, post, ledger.outbox()) {
            Pumped::All => (self.backoff, self.again) = (Backoff::new(), None),
            // New messages do not put the others off.
            Pumped::Left if is_due || self.again.is_none() => self.again = Some(Instant::now() + self.backoff.next()),
            Pumped::Left => {}
        }
    }

    /// Whether anything is to be tried again at some time.
    pub(super) fn is_due_ever(&self) -> bool {
        self.again.is_some()
    }

    /// Ready when what could not be taken is to be tried again.
    pub(super) async fn again(&self) {
        match self.again {
            Some(again) => tokio::time::sleep_until(again).await,
            None => std::future::pending().await,
        }
    }
}

/// Sends those of `outbox` that are not on their way and have not arrived. One that nobody will ever take is a dead letter.
fn pump<'a>(cell: &Arc<Cell>, post: &dyn Post, outbox: impl Iterator<Item = &'a Outgoing>) -> Pumped {
    let mut blocked: BTreeSet<&ActorName> = BTreeSet::new();
    for out in outbox {
        if blocked.contains(&out.to) {
            continue;
        }
        if !cell.outbox.offer(out.sent) {
            continue;
        }
        let (sender, sent) = (Some(cell.name().clone()), Some(out.sent));
        let message = Message::Cast(Request { id: out.id.clone(), sender, body: out.body.clone(), sent });
        let receipt = || Receipt { outbox: cell.outbox.clone(), sent: out.sent };
        let trace = cell.outbox.trace_of(&out.sent);
        match post.deliver(&out.to, message.clone(), receipt(), trace.as_ref()) {
            Ok(()) => cell.outbox.taken(out.sent),
            Err(error) if may_be_taken_later(&error) => {
                blocked.insert(&out.to);
            }
            Err(error) => {
                post.dead_letter(&out.to, &message, &error.to_string(), None);
                receipt().confirm();
            }
        }
    }
    if blocked.is_empty() { Pumped::All } else { Pumped::Left }
}

/// Whether trying again may help.
fn may_be_taken_later(error: &SendError) -> bool {
    match error {
        SendError::MailboxFull { .. }
        | SendError::Unavailable { .. }
        | SendError::Held { .. }
        | SendError::Elsewhere { .. }
        | SendError::Down { .. } => true,
        SendError::UnknownActor(_) | SendError::TooLarge { .. } => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::actor::Envelope;
    use crate::model::{ActorSpec, Body, Crash, ExitReason, MessageId, PluginName};
    use crate::sandbox::Out;

    /// Takes what fits into its mailboxes.
    #[derive(Debug, Default)]
    struct Taker {
        full: Mutex<BTreeSet<ActorName>>,
        taken: Mutex<Vec<(ActorName, u64, Receipt)>>,
        dead: Mutex<Vec<ActorName>>,
    }

    impl Post for Taker {
        fn is_bound(&self, _: &Cell) -> bool {
            false
        }

        fn let_go(&self, _: &Arc<Cell>) -> bool {
            false
        }

        fn take(&self, _: &Arc<Cell>, _: Out, _: Option<&TraceContext>) {}
        fn ended(&self, _: &Cell, _: &ExitReason) {}
        fn dead_letter(&self, to: &ActorName, _: &Message, _: &str, _: Option<&Crash>) {
            self.dead.lock().expect("whole").push(to.clone());
        }
        fn deliver(
            &self,
            to: &ActorName,
            message: Message,
            receipt: Receipt,
            _: Option<&TraceContext>,
        ) -> Result<(), SendError> {
            let actor = to.to_string();
            if actor == "nobody" {
                return Err(SendError::UnknownActor(actor));
            }
            if self.full.lock().expect("whole").contains(to) {
                return Err(SendError::Unavailable { actor, why: "stopping".into() });
            }
            let Message::Cast(request) = message else { panic!("{message:?}") };
            let number = request.sent.expect("numbered").number;
            self.taken.lock().expect("whole").push((to.clone(), number, receipt));
            Ok(())
        }
    }

    impl Taker {
        fn numbers(&self) -> Vec<u64> {
            self.taken.lock().expect("whole").iter().map(|(_, number, _)| *number).collect()
        }
    }

    fn name(text: &str) -> ActorName {
        ActorName::new(text).expect("valid")
    }

    fn sender() -> Arc<Cell> {
        Arc::new(Cell::new(ActorSpec::new(name("a"), PluginName::new("p").expect("valid"))))
    }

    fn out(to: &str, number: u64) -> Outgoing {
        let id = MessageId::new(&number.to_string()).expect("valid");
        Outgoing { sent: Sent { line: 1, number }, to: name(to), id, body: Body::new() }
    }

    #[test]
    fn what_waits_for_one_receiver_does_not_overtake_and_does_not_hold_up_others() {
        let (cell, taker) = (sender(), Taker::default());
        let all = [out("b", 1), out("c", 2), out("b", 3), out("nobody", 4)];
        taker.full.lock().expect("whole").insert(name("b"));
        assert_eq!(pump(&cell, &taker, all.iter()), Pumped::Left);
        assert_eq!((taker.numbers(), &*taker.dead.lock().expect("whole")), (vec![2], &vec![name("nobody")]));
        assert!(cell.outbox.arrived(&all[3].sent), "nobody will ever take it");
        taker.full.lock().expect("whole").clear();
        assert_eq!(pump(&cell, &taker, all.iter()), Pumped::All);
        assert_eq!(taker.numbers(), [2, 1, 3], "each once");
    }

    #[test]
    fn what_got_lost_is_sent_again_and_what_arrived_is_not() {
        let (cell, taker) = (sender(), Taker::default());
        let all = [out("b", 1), out("b", 2)];
        assert_eq!(pump(&cell, &taker, all.iter()), Pumped::All);
        let mut taken = std::mem::take(&mut *taker.taken.lock().expect("whole"));
        let (_, _, second) = taken.pop().expect("two");
        drop(taken);
        second.confirm();
        assert_eq!(pump(&cell, &taker, all.iter()), Pumped::All);
        assert_eq!(taker.numbers(), [1]);
        assert!(cell.outbox.arrived(&all[1].sent) && !cell.outbox.arrived(&all[0].sent));
        cell.outbox.forget(&BTreeSet::new());
        assert!(!cell.outbox.arrived(&all[1].sent));
        // What is under way stays known: it is not sent a second time by the next instance.
        assert_eq!(pump(&cell, &taker, all[..1].iter()), Pumped::All);
        assert_eq!(taker.numbers(), [1]);
        let envelope = Envelope::restored(Message::Timer("t".into()), 1, 0);
        assert!(envelope.receipt.is_none());
    }
}
