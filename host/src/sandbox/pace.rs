//! How long a guest computes, and where a call goes on that takes long.
//!
//! A call begins on one of the runtime's workers, where most are done at once. One that is still computing when the clock
//! ticks has taken long: it goes on beside the workers, a tick at a time, so that however many of them there are, the
//! workers are free for others, and the operating system shares the processors.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::Poll;
use std::time::{Duration, Instant};

use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::sync::Semaphore;
use tokio::time::{Sleep, sleep_until};

use super::engine::EPOCH_TICK_MS;
use super::meter::{Habit, Meter};

/// A call that computes this long is one that takes long; the next one of the same actor begins where long ones go on.
const LONG: Duration = Duration::from_millis(EPOCH_TICK_MS);

/// A call that has computed less than this when the clock ticks goes on where it is, so often at most.
const SHORT: Duration = Duration::from_millis(2);
const GRACE: u32 = 3;

/// Where calls go on that take long.
#[derive(Debug)]
pub(super) struct Lane {
    guests: Semaphore,
    size: usize,
}

impl Lane {
    /// `guests` compute at once; the others take turns with them. Unless told, one less than there are processors: one is
    /// always there for those whose calls are done at once.
    pub(super) fn new(guests: Option<usize>) -> Self {
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        let size = guests.unwrap_or(processors - 1).max(1);
        Self { guests: Semaphore::new(size), size }
    }

    /// How many compute, and how many may.
    pub(super) fn taken(&self) -> (usize, usize) {
        (self.size.saturating_sub(self.guests.available_permits()), self.size)
    }
}

/// What is known of the call in progress. Only the thread that polls it writes.
#[derive(Debug)]
pub(super) struct Pace {
    /// The wall's clock is read as nanoseconds since then.
    made: Instant,
    /// Where it stood when the call began, until its first poll: that need not read it again.
    now: AtomicU64,
    /// Where it stood when the call ended, if that was read.
    ended: AtomicU64,
    /// Nanoseconds that the guest computed in the polls before this one.
    computed: AtomicU64,
    /// Where the clock of this poll stood when it began, and which clock that is.
    began: AtomicU64,
    by_processor: AtomicBool,
    /// Whether this poll ended since the clock ticked, and not since the guest waits.
    yielded: AtomicBool,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            made: Instant::now(),
            now: AtomicU64::new(UNREAD),
            ended: AtomicU64::new(UNREAD),
            computed: AtomicU64::new(0),
            began: AtomicU64::new(0),
            by_processor: AtomicBool::new(false),
            yielded: AtomicBool::new(false),
        }
    }
}

/// Of the wall's clock: it is to be read.
const UNREAD: u64 = u64::MAX;

impl Pace {
    /// A call begins, and is about to be polled.
    pub(super) fn begin(&self, now: Instant) {
        self.now.store(nanos(now.saturating_duration_since(self.made)), Ordering::Relaxed);
        self.ended.store(UNREAD, Ordering::Relaxed);
        self.computed.store(0, Ordering::Relaxed);
        self.yielded.store(false, Ordering::Relaxed);
    }

    /// Nanoseconds: of the wall's clock, or of the processor's for this thread alone, which is exact where others keep the
    /// processors busy and takes longer to read.
    fn clock(&self, by_processor: bool) -> u64 {
        match by_processor {
            true => processor(),
            false => nanos(self.made.elapsed()),
        }
    }

    /// How long the guest has computed in this call. Asked while it is polled.
    pub(super) fn computed(&self) -> Duration {
        let by_processor = self.by_processor.load(Ordering::Relaxed);
        self.computed_until(self.clock(by_processor), by_processor)
    }

    /// The same of a call that is over.
    fn ends(&self) -> Duration {
        let by_processor = self.by_processor.load(Ordering::Relaxed);
        let now = self.clock(by_processor);
        self.ended.store(if by_processor { UNREAD } else { now }, Ordering::Relaxed);
        self.computed_until(now, by_processor)
    }

    /// When the last call ended; none: that is not known.
    pub(super) fn ended(&self) -> Option<Instant> {
        let ended = Some(self.ended.load(Ordering::Relaxed)).filter(|ended| *ended != UNREAD)?;
        self.made.checked_add(Duration::from_nanos(ended))
    }

    fn computed_until(&self, now: u64, by_processor: bool) -> Duration {
        let mut this_poll = now.saturating_sub(self.began.load(Ordering::Relaxed));
        if !by_processor {
            // The wall's clock goes on while others have the processor: a tick at most is this guest's.
            this_poll = this_poll.min(nanos(LONG));
        }
        Duration::from_nanos(self.computed.load(Ordering::Relaxed) + this_poll)
    }

    /// How long it computed in the polls before this one, or before now where none is on.
    fn computed_before(&self) -> Duration {
        Duration::from_nanos(self.computed.load(Ordering::Relaxed))
    }

    /// The guest gives way.
    pub(super) fn yields(&self) {
        self.yielded.store(true, Ordering::Relaxed);
    }

    fn poll<T>(&self, by_processor: bool, poll: impl FnOnce() -> Poll<T>) -> (Poll<T>, bool) {
        self.by_processor.store(by_processor, Ordering::Relaxed);
        // Nobody else writes: read and written apart, which takes less than a swap.
        let began = match self.now.load(Ordering::Relaxed) {
            now if now != UNREAD && !by_processor => now,
            _ => self.clock(by_processor),
        };
        self.now.store(UNREAD, Ordering::Relaxed);
        self.began.store(began, Ordering::Relaxed);
        let polled = poll();
        if polled.is_pending() {
            self.computed.store(nanos(self.computed()), Ordering::Relaxed);
        }
        let yielded = self.yielded.load(Ordering::Relaxed);
        self.yielded.store(false, Ordering::Relaxed);
        (polled, yielded)
    }
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

/// How long this thread has had a processor, in nanoseconds.
fn processor() -> u64 {
    use rustix::time::{ClockId, clock_gettime};
    let at = clock_gettime(ClockId::ThreadCPUTime);
    u64::try_from(at.tv_sec)
        .unwrap_or(0)
        .saturating_mul(1_000_000_000)
        .saturating_add(u64::try_from(at.tv_nsec).unwrap_or(0))
}

/// Waits for `what` until `deadline`, and answers with none where that comes first; none: as long as it takes. What is done at
/// once needs no timer.
pub(crate) async fn by<T>(deadline: Option<tokio::time::Instant>, what: impl Future<Output = T>) -> Option<T> {
    let (mut what, mut timer) = (pin!(what), pin!(None::<Sleep>));
    poll_fn(|cx| {
        if let Poll::Ready(done) = what.as_mut().poll(cx) {
            return Poll::Ready(Some(done));
        }
        let Some(deadline) = deadline else { return Poll::Pending };
        if timer.is_none() {
            timer.set(Some(sleep_until(deadline)));
        }
        match timer.as_mut().as_pin_mut() {
            Some(timer) => timer.poll(cx).map(|()| None),
            None => Poll::Pending,
        }
    })
    .await
}

/// Runs a call into a guest to its end.
pub(super) async fn run<F: Future>(call: F, pace: &Pace, meter: &Meter, lane: &Lane) -> F::Output {
    let mut call = pin!(call);
    let habit = meter.habit();
    if habit != Habit::Slow {
        // The processor's clock takes longer to read: it is for those that go on, and for those in doubt.
        let doubtful = habit == Habit::Doubtful;
        // The clock may tick in a call that is nearly done.
        for _ in 0..GRACE {
            let quick = poll_fn(|cx| match pace.poll(doubtful, || call.as_mut().poll(cx)) {
                (Poll::Ready(out), _) => Poll::Ready(Some(out)),
                (Poll::Pending, true) => Poll::Ready(None),
                (Poll::Pending, false) => Poll::Pending,
            });
            if let Some(out) = quick.await {
                // What cannot give way, such as filling a large memory, is known only once it is over.
                meter.showed(match (pace.ends() >= LONG, doubtful) {
                    (true, true) => Habit::Slow,
                    (true, false) => Habit::Doubtful,
                    (false, _) => Habit::Quick,
                });
                return out;
            }
            tokio::task::yield_now().await;
            if pace.computed_before() >= SHORT {
                break;
            }
        }
    }
    loop {
        // The semaphore is never closed; were it, the call would go on without its permit.
        let permit = lane.guests.acquire().await;
        let step = poll_fn(|cx| Poll::Ready(beside(|| pace.poll(true, || call.as_mut().poll(cx)))));
        let polled = step.await;
        drop(permit);
        match polled {
            (Poll::Ready(out), _) => {
                meter.showed(if pace.ends() >= LONG { Habit::Slow } else { Habit::Quick });
                return out;
            }
            (Poll::Pending, true) => {
                meter.showed(Habit::Slow);
                tokio::task::yield_now().await;
            }
            (Poll::Pending, false) => woken().await,
        }
    }
}

/// Waits for whatever the poll before this has asked to be woken by.
async fn woken() {
    let mut first = true;
    poll_fn(|_| if std::mem::take(&mut first) { Poll::Pending } else { Poll::Ready(()) }).await;
}

/// Does what takes long and cannot give way, while another thread takes over as this worker, where the runtime has such.
pub(super) fn beside<T>(what: impl FnOnce() -> T) -> T {
    match Handle::try_current().map(|runtime| runtime.runtime_flavor()) {
        Ok(RuntimeFlavor::MultiThread) => tokio::task::block_in_place(what),
        _ => what(),
    }
}

/// Lets go of what takes long to drop beside the workers.
pub(super) struct Beside<T> {
    /// There until it is dropped.
    kept: Option<T>,
    is_large: fn(&T) -> bool,
}

impl<T> Beside<T> {
    pub(super) fn new(kept: T, is_large: fn(&T) -> bool) -> Self {
        Self { kept: Some(kept), is_large }
    }
}

impl<T> std::ops::Deref for Beside<T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.kept.as_ref().expect("it is there until it is dropped")
    }
}

impl<T> std::ops::DerefMut for Beside<T> {
    fn deref_mut(&mut self) -> &mut T {
        self.kept.as_mut().expect("it is there until it is dropped")
    }
}

impl<T> Drop for Beside<T> {
    fn drop(&mut self) {
        match self.kept.take() {
            Some(kept) if (self.is_large)(&kept) && !std::thread::panicking() => beside(|| drop(kept)),
            kept => drop(kept),
        }
    }
}
