//! The one thread on which an engine runs: it serves, opens again what has failed, and ends. A panic there, or a sync that
//! fails, is a failed store and not a dead host: until the store is open again, everything that is asked is answered
//! `Unavailable`.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use tokio::sync::mpsc;

use super::super::StoreError;
use super::job::{Job, Reply, gather};

/// Milliseconds between the first attempt that failed and the next; each further wait is twice as long.
const FIRST_PAUSE_MS: u64 = 200;
/// Milliseconds that a wait has at most.
const LONGEST_PAUSE_MS: u64 = 10_000;

/// A store that is open, as its thread sees it.
pub(in crate::store) trait Engine: Sized {
    /// What is left of it after a failure: what is needed to open it again, its lock among it.
    type Wreck;

    /// Answers a batch.
    ///
    /// # Errors
    /// Says what failed. Everyone in the batch has been told then, and nothing is asked of this engine any more.
    fn serve(&mut self, batch: Vec<Job>) -> Result<(), String>;

    /// When there is time to clear up, if there is something to clear up.
    fn tidy_at(&self) -> Option<Instant>;

    /// Clears up.
    ///
    /// # Errors
    /// As `serve`.
    fn tidy(&mut self) -> Result<(), String>;

    /// Ends with a last barrier, and frees the directory.
    ///
    /// # Errors
    /// Says what failed; the directory is free all the same.
    fn close(self) -> Result<(), String>;

    /// Lets go of everything that is open, but for the lock.
    fn wreck(self) -> Self::Wreck;

    /// One attempt to open it again and to verify that it holds what was acknowledged. Guards itself against panics.
    ///
    /// # Errors
    /// Why it stays closed, for now or for good.
    fn reopen(wreck: Self::Wreck) -> Result<Self, (Self::Wreck, Closed)>;
}

/// Why a store is not open again.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::store) enum Closed {
    /// Another attempt may succeed.
    ForNow(String),
    /// It holds less than was acknowledged: nothing here can help.
    ForGood(String),
}

/// Why the store answers nothing at present; empty as long as it does.
#[derive(Debug, Clone, Default)]
pub(super) struct Condition {
    why: Arc<Mutex<Option<String>>>,
    failures: Arc<AtomicU64>,
}

impl Condition {
    fn set(&self, why: Option<String>) {
        *self.why.lock().unwrap_or_else(PoisonError::into_inner) = why;
    }

    pub(super) fn trouble(&self) -> Option<String> {
        self.why.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn failures(&self) -> u64 {
        self.failures.load(Ordering::Relaxed)
    }

    pub(super) fn error(&self) -> Option<StoreError> {
        self.trouble().map(StoreError::Unavailable)
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
pub(super) fn run<E: Engine>(mut engine: E, mut jobs: mpsc::Receiver<Job>, condition: &Condition) {
    loop {
        let (why, closing) = match serve(&mut engine, &mut jobs) {
            End::Failed(why, closing) => (why, closing),
            End::Over(closing) => {
                condition.set(Some("it was closed".to_owned()));
                refuse_waiting(&mut jobs, condition);
                let closed = guarded(|| engine.close()).map_err(StoreError::Unavailable);
                return finish(jobs, condition, closing, closed);
            }
        };
        tracing::error!(why, "the store failed");
        condition.failures.fetch_add(1, Ordering::Relaxed);
        condition.set(Some(format!("it failed and is being opened again: {why}")));
        let mended = match closing {
            Some(reply) => {
                refuse_waiting(&mut jobs, condition);
                drop(engine.wreck());
                Err(Some(reply))
            }
            None => mend(engine, &why, &mut jobs, condition),
        };
        match mended {
            Ok(mended) => engine = mended,
            Err(closing) => {
                let error = condition.refusal();
                return finish(jobs, condition, closing, Err(error));
            }
        }
        tracing::warn!("the store is open again");
        condition.set(None);
    }
}

fn serve<E: Engine>(engine: &mut E, jobs: &mut mpsc::Receiver<Job>) -> End {
    loop {
        let (done, closing) = match receive(jobs, engine.tidy_at()) {
            Received::End => return End::Over(None),
            Received::Late => (guarded(|| engine.tidy()), None),
            Received::Job(first) => {
                let (batch, closing) = gather(first, jobs);
                let done = guarded(|| engine.serve(batch));
                if done.is_ok() && closing.is_some() {
                    return End::Over(closing);
                }
                (done, closing)
            }
        };
        if let Err(why) = done {
            return End::Failed(why, closing);
        }
    }
}

/// What a panic says is a failure like another.
fn guarded<T>(run: impl FnOnce() -> Result<T, String>) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|panic| Err(format!("it panicked: {}", words(&*panic))))
}

/// What a panic said.
pub(in crate::store) fn words(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str).or(panic.downcast_ref::<&str>().copied());
    text.unwrap_or("it did not say why").to_owned()
}

/// Opens a store that has failed, as often as it takes. If it is closed meanwhile, gives who asked for that; the directory
/// is free then.
fn mend<E: Engine>(engine: E, why: &str, jobs: &mut mpsc::Receiver<Job>, condition: &Condition) -> Result<E, Closing> {
    // Before anything that may take its time: whoever waits is answered now.
    let asked = refuse_until(jobs, Some(Instant::now()), condition);
    let mut wreck = engine.wreck();
    if let Some(closing) = asked {
        return Err(closing);
    }
    let mut failed = 0;
    loop {
        let closed;
        (wreck, closed) = match E::reopen(wreck) {
            Ok(engine) => return Ok(engine),
            Err(left) => left,
        };
        let (text, until) = match closed {
            Closed::ForNow(what) => {
                let pause = pause(failed);
                let text =
                    format!("it failed ({why}), cannot be opened again ({what}), and is tried again in {pause:?}");
                (text, Some(Instant::now() + pause))
            }
            Closed::ForGood(what) => (format!("it failed ({why}), and stays closed: {what}"), None),
        };
        failed += 1;
        tracing::error!(why = text, "the store is not open");
        condition.set(Some(text));
        if let Some(closing) = refuse_until(jobs, until, condition) {
            return Err(closing);
        }
    }
}

/// Refuses what is asked; gives who asked for a close.
fn refuse_until(jobs: &mut mpsc::Receiver<Job>, until: Option<Instant>, condition: &Condition) -> Option<Closing> {
    loop {
        match receive(jobs, until) {
            Received::Job(Job::Close { reply }) => return Some(Some(reply)),
            Received::Job(job) => job.refuse(condition.refusal()),
            Received::End => return Some(None),
            Received::Late => return None,
        }
    }
}

/// How long to wait after attempt number `failed`, counted from 0.
fn pause(failed: u32) -> Duration {
    let doubled = FIRST_PAUSE_MS.saturating_mul(1 << failed.min(20));
    Duration::from_millis(doubled.min(LONGEST_PAUSE_MS))
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

#[allow(clippy::large_enum_variant, reason = "one at a time, on the stack")]
enum Received {
    Job(Job),
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
            Poll::Ready(Some(job)) => return Received::Job(job),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pauses_double_up_to_the_longest() {
        for (failed, ms) in [(0, 200), (1, 400), (2, 800), (5, 6_400), (6, 10_000), (40, 10_000), (u32::MAX, 10_000)] {
            assert_eq!(pause(failed), Duration::from_millis(ms), "{failed}");
        }
    }
}
