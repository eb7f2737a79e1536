//! What an instance hears beside its messages, and before them.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::{Notify, watch};

use super::control::Request;
use super::exits::{ExitSignal, Verdict, verdict};
use super::{Cell, Envelope};
use crate::model::{ActorName, SendError, log_of};

/// Exits that may wait for an instance that has not heard of them yet. With so many, one more changes nothing.
const EXITS_WAITING: usize = 10_000;
/// Requests that may wait for an instance.
pub(super) const CONTROL_REQUESTS: usize = 64;

/// The way to the instance of the moment. Nobody hears what comes while there is none.
#[derive(Debug, Default)]
pub(crate) struct Lane {
    instance: Mutex<Option<Attending>>,
    came: Notify,
}

/// An instance that hears.
#[derive(Debug)]
struct Attending {
    /// Whether it traps exits, once its `init` has said so and its state is there.
    traps: Option<bool>,
    killed: watch::Sender<bool>,
    exits: VecDeque<ExitSignal>,
    /// Whether the instance is still to come: it hears what came before it.
    awaited: bool,
    /// Whether an exit was taken that ends it in its sleep.
    ends: bool,
    /// None: nothing is taken any more.
    requests: Option<VecDeque<Request>>,
}

/// What comes before messages.
#[derive(Debug)]
pub(super) enum Heard {
    /// It ends the instance as well.
    Exit(ExitSignal),
    Asked(Request),
}

/// What comes for one that sleeps.
#[derive(Debug)]
pub(super) enum Stir {
    /// It ends it.
    Exit(ExitSignal),
    /// Something that only an instance can do.
    Asked,
}

impl Attending {
    fn new(awaited: bool) -> Self {
        let killed = watch::Sender::new(false);
        Self { traps: None, killed, exits: VecDeque::new(), awaited, ends: false, requests: Some(VecDeque::new()) }
    }

    fn next(&mut self) -> Option<Heard> {
        let exit = self.exits.pop_front().map(Heard::Exit);
        exit.or_else(|| self.requests.as_mut()?.pop_front().map(Heard::Asked))
    }
}

/// Why a request was not taken.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum NotTaken {
    NobodyThere,
    TooMany,
}

impl Lane {
    fn instance(&self) -> MutexGuard<'_, Option<Attending>> {
        // Every change below is complete before anything can panic.
        self.instance.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A new instance is there. What its predecessor did not hear is gone with that one.
    pub(super) fn attend(&self) -> watch::Receiver<bool> {
        let mut instance = self.instance();
        let awaited = instance.take().filter(|attending| attending.awaited);
        let attending = instance.insert(awaited.unwrap_or_else(|| Attending::new(false)));
        attending.awaited = false;
        attending.killed.subscribe()
    }

    /// An instance is about to come, and hears what comes for it before.
    pub(super) fn awaits(&self) {
        self.instance().get_or_insert_with(|| Attending::new(true));
    }

    /// Nobody is there any more, unless something came that was not heard, or `moves` says no: false. Nothing comes meanwhile.
    pub(super) fn move_out(&self, moves: impl FnOnce() -> bool) -> bool {
        let mut instance = self.instance();
        let heard = instance.as_ref().is_none_or(|attending| {
            let asked = attending.requests.as_ref().is_some_and(|requests| !requests.is_empty());
            attending.exits.is_empty() && !attending.ends && !asked && !*attending.killed.borrow()
        });
        let moved = heard && moves();
        if moved {
            *instance = None;
        }
        moved
    }

    /// Waits until something comes for one that sleeps. What only an instance can do stays where it is.
    pub(super) async fn stirs(&self) -> Stir {
        loop {
            if let Some(attending) = self.instance().as_mut() {
                if let Some(exit) = attending.exits.pop_front() {
                    attending.ends = true;
                    return Stir::Exit(exit);
                }
                if attending.requests.as_ref().is_some_and(|requests| !requests.is_empty()) {
                    return Stir::Asked;
                }
            }
            self.came.notified().await;
        }
    }

    /// The instance has ended.
    pub(super) fn leave(&self) {
        *self.instance() = None;
    }

    /// Asks the instance for something. It answers once it is at it, or the answer's sender is dropped when it ends.
    pub(super) fn ask(&self, request: Request) -> Result<(), NotTaken> {
        let mut instance = self.instance();
        let requests = instance.as_mut().and_then(|attending| attending.requests.as_mut());
        let requests = requests.ok_or(NotTaken::NobodyThere)?;
        if requests.len() >= CONTROL_REQUESTS {
            return Err(NotTaken::TooMany);
        }
        requests.push_back(request);
        drop(instance);
        self.came.notify_one();
        Ok(())
    }

    /// The instance is about to end: whoever waits for an answer need not wait for that.
    pub(super) fn refuse_requests(&self) {
        if let Some(attending) = self.instance().as_mut() {
            attending.requests = None;
        }
    }

    /// What comes next: exits first. There is one reader: the actor's loop. Nothing is lost if the future is dropped.
    pub(super) async fn next(&self) -> Heard {
        loop {
            if let Some(heard) = self.instance().as_mut().and_then(Attending::next) {
                return heard;
            }
            self.came.notified().await;
        }
    }
}

impl Cell {
    /// Lets the instance of the moment hear of an exit; without one it is nothing.
    ///
    /// # Errors
    /// If it would be a message and is not taken. One of a link always is, however full the mailbox.
    pub(crate) fn hear_exit(&self, signal: ExitSignal) -> Result<(), SendError> {
        let mut instance = self.lane.instance();
        let Some(attending) = instance.as_mut() else { return Ok(()) };
        match verdict(&signal, attending.traps) {
            Verdict::Ignore => {}
            Verdict::Kill => drop(attending.killed.send_replace(true)),
            Verdict::Tell => return self.tell(&signal),
            Verdict::End | Verdict::Wait if attending.exits.len() >= EXITS_WAITING => {
                log_of!(warn, self.label(), from = %signal.from, "an exit is dropped: {EXITS_WAITING} wait");
            }
            Verdict::End | Verdict::Wait => {
                attending.exits.push_back(signal);
                self.lane.came.notify_one();
            }
        }
        Ok(())
    }

    fn tell(&self, signal: &ExitSignal) -> Result<(), SendError> {
        let message = signal.message();
        if signal.linked {
            self.mailbox.notice(message);
            return Ok(());
        }
        self.mailbox.push(Envelope::new(message, None))
    }

    /// The instance is up: what it does about exits is known now, and those that waited for that are decided.
    pub(super) fn traps_exits(&self, traps: bool) {
        let waiting = match self.lane.instance().as_mut() {
            Some(attending) => {
                attending.traps = Some(traps);
                std::mem::take(&mut attending.exits)
            }
            None => return,
        };
        for signal in waiting {
            if let Err(error) = self.hear_exit(signal) {
                log_of!(warn, self.label(), %error, "an exit that was sent to it is dropped");
            }
        }
    }

    /// It is linked to this actor no more: what is on its way from there has no meaning any more.
    pub(crate) fn forget_link(&self, to: &ActorName) {
        if let Some(attending) = self.lane.instance().as_mut() {
            attending.exits.retain(|signal| !signal.linked || signal.from != *to);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{ActorSpec, CallError, ExitReason, Limits, Message, PluginName};

    fn name(name: &str) -> ActorName {
        ActorName::new(name).expect("valid")
    }

    fn cell() -> Cell {
        let mut spec = ActorSpec::new(name("a"), PluginName::new("p").expect("valid"));
        spec.limits = Limits { mailbox_messages: 1, ..Limits::default() };
        Cell::new(spec)
    }

    fn link(from: &str, reason: &ExitReason) -> ExitSignal {
        ExitSignal::of_link(name(from), reason)
    }

    fn sent(from: &str, reason: &ExitReason) -> ExitSignal {
        ExitSignal::sent(name(from), reason)
    }

    fn waiting(cell: &Cell) -> Vec<Message> {
        let nobody = |_: &ActorName| -> CallError { unreachable!("no call waits") };
        cell.mailbox.drain(nobody).into_iter().map(|envelope| envelope.open().message).collect()
    }

    fn exits(cell: &Cell) -> Vec<String> {
        let instance = cell.lane.instance();
        instance.iter().flat_map(|attending| &attending.exits).map(|signal| signal.from.to_string()).collect()
    }

    #[test]
    fn nobody_hears_what_comes_before_an_instance_or_after_it() {
        let cell = cell();
        cell.hear_exit(link("x", &ExitReason::Noproc)).expect("nothing");
        let killed = cell.lane.attend();
        cell.lane.leave();
        cell.hear_exit(sent("x", &ExitReason::Killed)).expect("nothing");
        assert!(!*killed.borrow() && waiting(&cell).is_empty());
        drop(cell.lane.attend());
        assert_eq!(exits(&cell), [""; 0], "a new instance does not hear what was for the one before");
    }

    #[test]
    fn exits_wait_until_it_is_known_whether_they_are_trapped() {
        let come = |traps| {
            let cell = cell();
            let _killed = cell.lane.attend();
            for signal in [link("x", &ExitReason::Normal), link("y", &ExitReason::Shutdown)] {
                cell.hear_exit(signal).expect("it waits");
            }
            assert_eq!((exits(&cell), waiting(&cell).len()), (vec!["x".into(), "y".into()], 0));
            cell.traps_exits(traps);
            (exits(&cell), waiting(&cell))
        };
        assert_eq!(come(false), (vec!["y".into()], Vec::new()));
        let messages = [link("x", &ExitReason::Normal), link("y", &ExitReason::Shutdown)].map(|s| s.message());
        assert_eq!(come(true), (Vec::new(), messages.into()));
    }

    #[test]
    fn a_links_exit_is_never_refused_and_a_sent_one_needs_room() {
        let cell = cell();
        let _killed = cell.lane.attend();
        cell.traps_exits(true);
        for _ in 0..3 {
            cell.hear_exit(link("x", &ExitReason::Noproc)).expect("a full mailbox takes it");
        }
        let refused = cell.hear_exit(sent("x", &ExitReason::Shutdown)).expect_err("no room");
        assert!(matches!(refused, SendError::MailboxFull { messages: 3, .. }), "{refused}");
        assert_eq!(waiting(&cell).len(), 3);
        cell.hear_exit(sent("x", &ExitReason::Shutdown)).expect("room");
    }

    #[test]
    fn a_kill_reaches_whoever_traps_exits_and_does_not_wait() {
        for traps in [None, Some(false), Some(true)] {
            let cell = cell();
            let killed = cell.lane.attend();
            if let Some(traps) = traps {
                cell.traps_exits(traps);
            }
            cell.hear_exit(link("x", &ExitReason::Killed)).expect("heard");
            assert!(!*killed.borrow(), "that another one was killed does not kill");
            cell.hear_exit(sent("x", &ExitReason::Killed)).expect("heard");
            assert!(*killed.borrow());
        }
    }

    #[test]
    fn what_is_on_its_way_from_a_link_that_was_undone_has_no_effect() {
        let cell = cell();
        let _killed = cell.lane.attend();
        cell.traps_exits(false);
        for signal in [link("x", &ExitReason::Noproc), link("y", &ExitReason::Noproc), sent("x", &ExitReason::Shutdown)]
        {
            cell.hear_exit(signal).expect("heard");
        }
        cell.forget_link(&name("x"));
        assert_eq!(exits(&cell), ["y", "x"], "what x sent by hand stays");
    }

    #[test]
    fn exits_that_wait_are_bounded() {
        let cell = cell();
        let _killed = cell.lane.attend();
        for _ in 0..=EXITS_WAITING {
            cell.hear_exit(sent("x", &ExitReason::Shutdown)).expect("heard, or dropped");
        }
        assert_eq!(exits(&cell).len(), EXITS_WAITING);
    }
}
