//! The one thread on which all of sled runs: it serves, opens again what has failed, and ends. A panic there, or a sync
//! that fails, is a failed store and not a dead host: until the store is open again, everything that is asked is answered
//! `Unavailable`.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use tokio::sync::mpsc;

use super::super::StoreError;
use super::reopen::{self, Closed, Wreck};
use super::worker::{Job, Reply, Worker, gather, words};

/// Why the store answers nothing at present; empty as long as it does.
#[derive(Debug, Clone, Default)]
pub(super) struct Condition(Arc<Mutex<Option<String>>>);

impl Condition {
    fn set(&self, why: Option<String>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = why;
    }

    pub(super) fn error(&self) -> Option<StoreError> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone().map(StoreError::Unavailable)
    }

    fn refusal(&self) -> StoreError {
        self.error().unwrap_or_else(|| StoreError::Unavailable("it has ended".to_owned()))
    }
}

/// Who asked for the end; nobody, where nobody can ask for anything any more.
type Closing = Option<Reply<()>>;

/// Why the thread serves no more.
enum End {
    Over(Closing),
    /// With whoever asked for a close just then.
    Failed(String, Closing),
}

/// Answers until the last sender is gone or the store is closed. Where it fails, opens it again.
pub(super) fn run(mut worker: Worker, mut jobs: mpsc::Receiver<Job>, condition: &Condition) {
    loop {
        let (why, closing) = match serve(&mut worker, &mut jobs) {
            End::Failed(why, closing) => (why, closing),
            End::Over(closing) => {
                condition.set(Some("it was closed".to_owned()));
                refuse_waiting(&mut jobs, condition);
                let Worker { tables, ground, .. } = worker;
                let (_, closed) = tables.close();
                drop(ground);
                let closed = closed.map_err(|panic| StoreError::Unavailable(format!("sled panicked: {panic}")));
                return finish(jobs, condition, closing, closed);
            }
        };
        tracing::error!(why, "the store failed");
        condition.set(Some(format!("it failed and is being opened again: {why}")));
        let mended = match closing {
            Some(reply) => {
                refuse_waiting(&mut jobs, condition);
                drop(Wreck::of(worker));
                Err(Some(reply))
            }
            None => mend(worker, &why, &mut jobs, condition),
        };
        match mended {
            Ok(mended) => worker = mended,
            Err(closing) => {
                let error = condition.refusal();
                return finish(jobs, condition, closing, Err(error));
            }
        }
        tracing::warn!(actors = worker.totals.heads, writes = worker.totals.writes, "the store is open again");
        condition.set(None);
    }
}

fn serve(worker: &mut Worker, jobs: &mut mpsc::Receiver<Job>) -> End {
    while let Some(first) = jobs.blocking_recv() {
        let (batch, closing) = gather(first, jobs);
        let last = closing.is_some();
        match catch_unwind(AssertUnwindSafe(|| worker.serve(batch, last))) {
            Ok(Ok(())) if last => return End::Over(closing),
            Ok(Ok(())) => {}
            Ok(Err(fault)) => return End::Failed(fault.to_string(), closing),
            Err(panic) => return End::Failed(format!("sled panicked: {}", words(&*panic)), closing),
        }
    }
    End::Over(None)
}

/// Opens a store that has failed, as often as it takes. If it is closed meanwhile, gives who asked for that; the directory
/// is free then.
fn mend(worker: Worker, why: &str, jobs: &mut mpsc::Receiver<Job>, condition: &Condition) -> Result<Worker, Closing> {
    let refuse_until = |jobs: &mut mpsc::Receiver<Job>, until| loop {
        match receive(jobs, until) {
            Received::Job(job) => match *job {
                Job::Close { reply } => return Some(Some(reply)),
                job => job.refuse(condition.refusal()),
            },
            Received::End => return Some(None),
            Received::Late => return None,
        }
    };
    // Before anything that may take its time: whoever waits is answered now.
    if let Some(closing) = refuse_until(jobs, Some(Instant::now())) {
        drop(Wreck::of(worker));
        return Err(closing);
    }
    let mut wreck = Wreck::of(worker);
    let mut failed = 0;
    loop {
        let closed;
        (wreck, closed) = match wreck.open() {
            Ok(worker) => return Ok(worker),
            Err(left) => left,
        };
        let (text, until) = match closed {
            Closed::ForNow(what) => {
                let pause = reopen::pause(failed);
                let text =
                    format!("it failed ({why}), cannot be opened again ({what}), and is tried again in {pause:?}");
                (text, Some(Instant::now() + pause))
            }
            Closed::ForGood(what) => (format!("it failed ({why}), and stays closed: {what}"), None),
        };
        failed += 1;
        tracing::error!(why = text, "the store is not open");
        condition.set(Some(text));
        if let Some(closing) = refuse_until(jobs, until) {
            return Err(closing);
        }
    }
}

fn refuse_waiting(jobs: &mut mpsc::Receiver<Job>, condition: &Condition) {
    while let Ok(job) = jobs.try_recv() {
        job.refuse(condition.refusal());
    }
}

/// From here on the directory may be opened again: whoever waits for the channel's end, or for the close, does so.
fn finish(mut jobs: mpsc::Receiver<Job>, condition: &Condition, closing: Closing, closed: Result<(), StoreError>) {
    jobs.close();
    while let Some(job) = jobs.blocking_recv() {
        job.refuse(condition.refusal());
    }
    if let Some(reply) = closing {
        let _ = reply.send(closed);
    }
}

enum Received {
    Job(Box<Job>),
    /// Nobody can ask any more.
    End,
    /// It is time.
    Late,
}

/// Waits for a job, until `until` at the longest; none: for ever.
fn receive(jobs: &mut mpsc::Receiver<Job>, until: Option<Instant>) -> Received {
    struct Unpark(Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    loop {
        match jobs.poll_recv(&mut Context::from_waker(&waker)) {
            Poll::Ready(Some(job)) => return Received::Job(Box::new(job)),
            Poll::Ready(None) => return Received::End,
            Poll::Pending => {}
        }
        match until.map(|until| until.saturating_duration_since(Instant::now())) {
            Some(Duration::ZERO) => return Received::Late,
            Some(left) => thread::park_timeout(left),
            None => thread::park(),
        }
    }
}
