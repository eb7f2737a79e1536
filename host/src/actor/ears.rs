//! What an instance listens to beside its mailbox, at rest: heard when there is something, and asked for nothing else.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use super::Cell;
use super::run::Step;
use super::signals::Signals;

/// How long an actor has turns one after the other before others on its worker have theirs.
const GIVES_WAY_AFTER: Duration = Duration::from_millis(1);
/// The same in steps, of which not all are turns.
const STEPS: u32 = 1_000;
/// And where a sender waits for it: its own message, and a few that came meanwhile.
const STEPS_IN_PLACE: u32 = 4;

/// Signals, what comes before messages, and word of what was sent, as one future that goes on over many turns: it is polled
/// when one of them has something, and costs a look at a flag else.
pub(super) struct Ears {
    signals: Signals,
    cell: Arc<Cell>,
    hears: Pin<Box<dyn Future<Output = Step> + Send>>,
    rung: Arc<Bell>,
    /// The bell, as a waker.
    waker: Waker,
    /// Whose turn the bell was told that it is.
    task: Waker,
}

/// Rung by whoever has something.
#[derive(Debug)]
pub(super) struct Bell {
    rung: AtomicBool,
    /// Whose turn it is then.
    task: Mutex<Waker>,
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.rung.store(true, Ordering::Release);
        self.task.lock().unwrap_or_else(PoisonError::into_inner).wake_by_ref();
    }
}

impl Bell {
    /// Whether there may be something: it rings before anybody listens, and once nobody does any more.
    pub(super) fn has_rung(&self) -> bool {
        self.rung.load(Ordering::Acquire)
    }
}

impl Drop for Ears {
    fn drop(&mut self) {
        self.rung.rung.store(true, Ordering::Release);
    }
}

impl Ears {
    pub(super) fn new(signals: &Signals, cell: &Arc<Cell>) -> Self {
        // It listens from its first poll on.
        let task = Waker::noop().clone();
        let rung = Arc::new(Bell { rung: AtomicBool::new(true), task: Mutex::new(task.clone()) });
        let (signals, cell) = (signals.clone(), cell.clone());
        Self { hears: hears(&signals, &cell), signals, cell, waker: rung.clone().into(), rung, task }
    }

    pub(super) fn bell(&self) -> Arc<Bell> {
        self.rung.clone()
    }

    /// Waits until something is said. Nothing is lost if the future is dropped.
    pub(super) async fn hear(&mut self) -> Step {
        poll_fn(|cx| self.poll(cx)).await
    }

    /// What was said, if anything was: what was said before a message came is heard before that message.
    pub(super) fn poll(&mut self, cx: &Context<'_>) -> Poll<Step> {
        // The same task as the last time, most often: then there is no lock to be taken.
        if !self.task.will_wake(cx.waker()) {
            self.task.clone_from(cx.waker());
            self.rung.task.lock().unwrap_or_else(PoisonError::into_inner).clone_from(cx.waker());
        }
        if !self.rung.has_rung() {
            return Poll::Pending;
        }
        self.rung.rung.swap(false, Ordering::Acquire);
        let heard = self.hears.as_mut().poll(&mut Context::from_waker(&self.waker));
        if heard.is_ready() {
            self.hears = hears(&self.signals, &self.cell);
            self.rung.rung.store(true, Ordering::Release);
        }
        heard
    }
}

fn hears(signals: &Signals, cell: &Arc<Cell>) -> Pin<Box<dyn Future<Output = Step> + Send>> {
    let (mut signals, cell) = (signals.clone(), cell.clone());
    Box::pin(async move {
        tokio::select! {
            biased;
            interrupt = signals.interrupted() => Step::Interrupt(interrupt),
            heard = cell.lane.next() => Step::Heard(heard),
            () = cell.outbox.changed() => Step::Outbox,
        }
    })
}

/// Turns that follow each other without a rest between them.
#[derive(Debug, Default)]
pub(super) struct Stint {
    steps: u32,
    busy: Duration,
}

impl Stint {
    /// A turn took so long.
    pub(super) fn turn(&mut self, took: Duration) {
        self.busy += took;
    }

    /// One that always has a message or a timer would keep its worker for itself; or, `in_place`, that of a sender who has its
    /// answer by now.
    pub(super) async fn gives_way(&mut self, in_place: bool) {
        self.steps += 1;
        let steps = if in_place { STEPS_IN_PLACE } else { STEPS };
        if self.busy >= GIVES_WAY_AFTER || self.steps > steps {
            *self = Self::default();
            tokio::task::yield_now().await;
        }
    }

    /// Waits for `what`. If it had to, others have had their time.
    pub(super) async fn rests<T>(&mut self, what: impl Future<Output = T>) -> T {
        let mut what = pin!(what);
        poll_fn(|cx| {
            let polled = what.as_mut().poll(cx);
            if polled.is_pending() {
                *self = Self::default();
            }
            polled
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use tokio::sync::watch;

    use super::super::signals::{Cut, Interrupt};
    use super::*;
    use crate::actor::Signal;
    use crate::model::{ActorName, ActorSpec, PluginName};

    #[tokio::test]
    async fn the_bell_is_silent_only_while_somebody_listens_and_nothing_was_told() {
        let name = ActorName::new("a").expect("valid");
        let cell = Arc::new(Cell::new(ActorSpec::new(name, PluginName::new("p").expect("valid"))));
        let (tells, told) = watch::channel(Signal::Go);
        let mut signals = Signals::new(told, cell.lane.attend());
        let mut ears = Ears::new(&signals, &cell);
        let bell = ears.bell();
        signals.ring(bell.clone());
        let listens = |ears: &mut Ears| ears.poll(&Context::from_waker(Waker::noop()));
        assert!(bell.has_rung(), "nobody has listened yet");
        assert!(listens(&mut ears).is_pending() && !bell.has_rung());
        assert!(signals.uncut(async { 7 }).await.is_ok_and(|done| done == 7));
        tells.send(Signal::Kill).expect("it listens");
        assert!(bell.has_rung());
        assert!(matches!(signals.uncut(pending::<()>()).await, Err(Cut::Killed)));
        assert!(matches!(listens(&mut ears), Poll::Ready(Step::Interrupt(Interrupt::Kill))));
        assert!(bell.has_rung(), "what was heard is true still");
        // Whatever was heard last.
        bell.rung.store(false, Ordering::Release);
        drop(ears);
        assert!(bell.has_rung(), "nobody listens any more");
    }
}
