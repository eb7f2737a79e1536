//! Who drives an actor's loop: its task, or, for one poll at a time, whoever has a message for an actor that is at rest. The
//! answer is there then when that poll is over, and neither the actor's task was woken nor the sender's again.

use std::any::Any;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};
use std::task::{Context, Poll, Waker};

use futures_util::future::BoxFuture;
use tokio::runtime::{Handle, Id};
use tokio::task::coop::unconstrained;

use super::Cell;
use crate::model::Exit;

/// The loop of the instance of the moment, behind a lock that nobody waits for: whoever does not get it leaves the loop to the
/// one who has it.
#[derive(Default)]
pub(super) struct Driver {
    seat: Mutex<Seat>,
    /// Whether the task's turn came while another one drove.
    missed: AtomicBool,
    /// Whether whoever drives is not the task.
    in_place: AtomicBool,
}

#[derive(Default)]
struct Seat {
    /// None once it has ended.
    work: Option<BoxFuture<'static, Exit>>,
    /// How it has ended, until its task hears of it.
    ended: Option<Ended>,
    /// Its task, and the runtime of that: none before its first poll.
    task: Option<(Waker, Id)>,
}

/// By itself, or by a panic.
type Ended = Result<Exit, Box<dyn Any + Send>>;

impl std::fmt::Debug for Driver {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Driver").finish_non_exhaustive()
    }
}

/// One poll. A panic ends the loop as it ends a task.
fn poll(work: &mut Option<BoxFuture<'static, Exit>>, ended: &mut Option<Ended>, cx: &mut Context<'_>) {
    let Some(going) = work else { return };
    match catch_unwind(AssertUnwindSafe(|| going.as_mut().poll(cx))) {
        Ok(Poll::Pending) => return,
        Ok(Poll::Ready(exit)) => *ended = Some(Ok(exit)),
        Err(panic) => *ended = Some(Err(panic)),
    }
    *work = None;
}

impl Driver {
    fn try_seat(&self) -> Option<MutexGuard<'_, Seat>> {
        match self.seat.try_lock() {
            Ok(seat) => Some(seat),
            // What panics is caught before the lock is given back.
            Err(TryLockError::Poisoned(seat)) => Some(seat.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        }
    }

    fn seat(&self) -> MutexGuard<'_, Seat> {
        self.seat.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the loop is driven by a sender, who waits for it.
    pub(super) fn is_in_place(&self) -> bool {
        self.in_place.load(Ordering::Relaxed)
    }

    /// Polls the loop once, here. False, and nothing was done: another one drives, or it may not be driven here, since its
    /// timers are of another runtime.
    fn drive(&self) -> bool {
        let Ok(here) = Handle::try_current() else { return false };
        let Some(mut seat) = self.try_seat() else { return false };
        let Seat { work, ended, task } = &mut *seat;
        let Some((task, _)) = task.as_ref().filter(|(_, runtime)| *runtime == here.id()) else { return false };
        self.in_place.store(true, Ordering::Relaxed);
        // The sender's own share of its worker is not spent by this: it is bounded by what the loop does in one poll.
        let polled = std::future::poll_fn(|cx| {
            poll(work, ended, cx);
            Poll::Ready(())
        });
        let _ = pin!(unconstrained(polled)).poll(&mut Context::from_waker(task));
        self.in_place.store(false, Ordering::Relaxed);
        let ended = seat.ended.is_some();
        drop(seat);
        // Looked at after the lock is free: a task that does not get it notes that first, and tries once more.
        if self.missed.swap(false, Ordering::SeqCst) || ended {
            self.wake();
        }
        true
    }

    /// Wakes the task. Its waker is behind the lock: whoever has that meanwhile looks for what was missed as well.
    fn wake(&self) {
        let Some(seat) = self.try_seat_or_miss() else { return };
        let task = seat.task.as_ref().map(|(task, _)| task.clone());
        drop(seat);
        if let Some(task) = task {
            task.wake();
        }
    }

    /// The seat; or none, and whoever has it wakes the task when it is done.
    fn try_seat_or_miss(&self) -> Option<MutexGuard<'_, Seat>> {
        self.try_seat().or_else(|| {
            self.missed.store(true, Ordering::SeqCst);
            self.try_seat()
        })
    }
}

impl Cell {
    /// A message has come, and nobody was told: the loop looks for it here and now if it can, and else in its task.
    /// `at_rest`: nobody waits before it, and the loop for nothing but a message.
    pub(super) fn attends(&self, at_rest: bool) {
        // Calls that take long have a place of their own.
        if !(at_rest && self.meter.is_quick() && self.driver.drive()) {
            self.mailbox.rings();
        }
    }
}

/// The task of an actor's instance.
pub(crate) struct Task(Arc<Cell>);

impl Task {
    /// Nothing of `work` is done before the task's first poll.
    pub(crate) fn new(cell: Arc<Cell>, work: impl Future<Output = Exit> + Send + 'static) -> Self {
        *cell.driver.seat() = Seat { work: Some(Box::pin(work)), ended: None, task: None };
        Self(cell)
    }
}

impl Future for Task {
    type Output = Exit;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Exit> {
        let driver = &self.0.driver;
        let Some(mut seat) = driver.try_seat_or_miss() else { return Poll::Pending };
        driver.missed.store(false, Ordering::SeqCst);
        match &mut seat.task {
            Some((task, _)) => task.clone_from(cx.waker()),
            None => seat.task = Some((cx.waker().clone(), Handle::current().id())),
        }
        let Seat { work, ended, .. } = &mut *seat;
        poll(work, ended, cx);
        let ended = ended.take();
        drop(seat);
        match ended {
            None => Poll::Pending,
            Some(Ok(exit)) => Poll::Ready(exit),
            Some(Err(panic)) => resume_unwind(panic),
        }
    }
}

impl Drop for Task {
    /// A task that is aborted takes its loop with it, once whoever drives that has ended its poll: nothing of an instance goes
    /// on when it is told of as ended.
    fn drop(&mut self) {
        let seat = std::mem::take(&mut *self.0.driver.seat());
        drop(seat);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use tokio::sync::oneshot;
    use tokio::task::yield_now;

    use super::*;
    use crate::actor::{Envelope, ReplyTo};
    use crate::model::{ActorName, ActorSpec, Body, CallError, Message, MessageId, PluginName, Request};

    fn cell() -> Arc<Cell> {
        let name = ActorName::new("a").expect("valid");
        Arc::new(Cell::new(ActorSpec::new(name, PluginName::new("p").expect("valid"))))
    }

    type Answer = oneshot::Receiver<Result<Body, CallError>>;

    fn call() -> (Envelope, Answer) {
        let (reply, answer) = oneshot::channel();
        let id = MessageId::new("m").expect("valid");
        let request = Request { id, sender: None, body: Body::new(), sent: None };
        (Envelope::new(Message::Call(request), Some(reply)), answer)
    }

    fn asks(cell: &Cell) -> Answer {
        let (envelope, answer) = call();
        cell.offer_in_place(envelope).expect("it has not moved").expect("it is taken");
        answer
    }

    fn answer(reply: Option<ReplyTo>) {
        reply.expect("a call").send(Ok(Body::new())).expect("someone waits");
    }

    async fn echo(cell: Arc<Cell>) -> Exit {
        loop {
            answer(cell.mailbox.next().await.open().reply);
        }
    }

    /// Counts the polls of a task.
    struct Counted(Task, Arc<AtomicUsize>);

    impl Future for Counted {
        type Output = Exit;

        fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Exit> {
            self.1.fetch_add(1, Ordering::Relaxed);
            Pin::new(&mut self.0).poll(cx)
        }
    }

    #[tokio::test]
    async fn a_message_to_one_at_rest_is_handled_where_it_comes_from_and_wakes_nobody() {
        let (cell, polls) = (cell(), Arc::new(AtomicUsize::new(0)));
        let early = asks(&cell);
        tokio::spawn(Counted(Task::new(cell.clone(), echo(cell.clone())), polls.clone()));
        early.await.expect("its task has answered").expect("well");
        let before = polls.load(Ordering::Relaxed);
        for _ in 0..1_000 {
            asks(&cell).try_recv().expect("the answer is there").expect("well");
        }
        yield_now().await;
        assert_eq!(polls.load(Ordering::Relaxed), before);
    }

    #[tokio::test]
    async fn a_panic_in_place_ends_the_task_and_not_the_sender() {
        let cell = cell();
        let work = {
            let cell = cell.clone();
            async move {
                cell.mailbox.next().await;
                panic!("a panic that was asked for")
            }
        };
        let task = tokio::spawn(Task::new(cell.clone(), work));
        yield_now().await;
        assert!(asks(&cell).await.is_err(), "whoever asked hears that there is no answer");
        assert!(task.await.expect_err("it has ended").is_panic());
    }

    #[tokio::test]
    async fn nobody_drives_whose_timers_are_of_another_runtime() {
        let cell = cell();
        tokio::spawn(Task::new(cell.clone(), echo(cell.clone())));
        yield_now().await;
        let elsewhere = {
            let cell = cell.clone();
            std::thread::spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
                let of_another = {
                    let _within = runtime.enter();
                    asks(&cell)
                };
                (of_another, asks(&cell))
            })
        };
        let (mut of_another, mut of_none) = elsewhere.join().expect("it ends");
        assert!(of_another.try_recv().is_err() && of_none.try_recv().is_err());
        of_another.await.expect("its task answers").expect("well");
        of_none.await.expect("its task answers").expect("well");
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_task_whose_turn_comes_meanwhile_has_it_afterwards() {
        let cell = cell();
        let work = {
            let cell = cell.clone();
            async move {
                let reply = cell.mailbox.next().await.open().reply;
                let mut first = true;
                std::future::poll_fn(|cx| {
                    if !std::mem::take(&mut first) {
                        return Poll::Ready(());
                    }
                    // From elsewhere: what a worker itself wakes, it keeps for itself.
                    let task = cx.waker().clone();
                    std::thread::spawn(move || task.wake()).join().expect("it wakes");
                    // In place, until the task has found that another one drives.
                    while cell.driver.is_in_place() && !cell.driver.missed.load(Ordering::SeqCst) {
                        std::thread::yield_now();
                    }
                    Poll::Pending
                })
                .await;
                answer(reply);
                std::future::pending().await
            }
        };
        let task = tokio::spawn(Task::new(cell.clone(), work));
        while cell.driver.seat().task.is_none() {
            yield_now().await;
        }
        let asking = tokio::spawn(async move { asks(&cell).await });
        asking.await.expect("it ends").expect("it is answered").expect("well");
        task.abort();
    }

    #[tokio::test]
    async fn with_its_task_a_loop_is_gone() {
        let (cell, alive) = (cell(), Arc::new(()));
        let work = {
            let (cell, alive) = (cell.clone(), alive.clone());
            async move {
                let _alive = alive;
                echo(cell).await
            }
        };
        let task = tokio::spawn(Task::new(cell.clone(), work));
        yield_now().await;
        task.abort();
        assert!(task.await.expect_err("it was aborted").is_cancelled());
        assert_eq!(Arc::strong_count(&alive), 1);
        assert!(asks(&cell).try_recv().is_err(), "its message waits for another instance");
    }
}
