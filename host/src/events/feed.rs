//! Something that is told as it happens, to whoever likes to hear it, each at its own pace.

use std::collections::VecDeque;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use super::ring::{Missed, Most, Ring};

/// What a reader takes from the ring at once.
const AT_ONCE: usize = 64;

/// Where it is told; all clones are the same. Whoever tells waits for nobody who reads.
#[derive(Debug)]
pub(crate) struct Feed<T>(Arc<Bus<T>>);

#[derive(Debug)]
struct Bus<T> {
    ring: Mutex<Ring<T>>,
    news: watch::Sender<News>,
    /// What readers missed, each by itself.
    dropped: AtomicU64,
}

#[derive(Debug, Clone, Copy, Default)]
struct News {
    last: u64,
    closed: bool,
}

impl<T> Clone for Feed<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T> Bus<T> {
    fn ring(&self) -> MutexGuard<'_, Ring<T>> {
        // Every change is complete before anything can panic.
        self.ring.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn counted(&self, missed: Missed) -> Missed {
        self.dropped.fetch_add(missed.count.unwrap_or(0), Ordering::Relaxed);
        missed
    }
}

impl<T> Feed<T> {
    /// The first one has the sequence after `start`.
    pub(crate) fn new(start: u64, most: Most) -> Self {
        let (ring, news) = (Mutex::new(Ring::new(start, most)), watch::Sender::new(News::default()));
        Self(Arc::new(Bus { ring, news, dropped: AtomicU64::new(0) }))
    }

    /// Tells of something that takes so many bytes, and to which `make` gives its sequence.
    pub(crate) fn tell(&self, bytes: usize, make: impl FnOnce(u64) -> T) {
        let mut ring = self.0.ring();
        ring.push(bytes, make);
        let last = ring.last();
        drop(ring);
        self.0.news.send_modify(|news| news.last = news.last.max(last));
    }

    /// How many readers have missed, each by itself.
    pub(crate) fn dropped(&self) -> u64 {
        self.0.dropped.load(Ordering::Relaxed)
    }

    /// Nothing will be told any more: whoever reads hears what is left, and that this was all.
    pub(crate) fn close(&self) {
        self.0.news.send_modify(|news| news.closed = true);
    }

    /// Reads what is told from now on and is `wanted`.
    pub(crate) fn read(&self, wanted: impl Fn(&T) -> bool + Send + Sync + 'static) -> Reader<T> {
        let next = self.0.ring().last() + 1;
        self.reader(Box::new(wanted), next, None)
    }

    /// The same from what came after `since`; 0: all that is kept.
    pub(crate) fn read_after(&self, since: u64, wanted: impl Fn(&T) -> bool + Send + Sync + 'static) -> Reader<T> {
        let place = self.0.ring().after(since);
        self.reader(Box::new(wanted), place.next, place.missed)
    }

    /// The same from the last `count` on.
    pub(crate) fn read_last(&self, count: usize, wanted: impl Fn(&T) -> bool + Send + Sync + 'static) -> Reader<T> {
        let next = self.0.ring().tail(count, &wanted);
        self.reader(Box::new(wanted), next, None)
    }

    fn reader(&self, wanted: Wanted<T>, next: u64, missed: Option<Missed>) -> Reader<T> {
        Reader { bus: self.0.clone(), news: self.0.news.subscribe(), wanted, next, missed, ahead: VecDeque::new() }
    }
}

type Wanted<T> = Box<dyn Fn(&T) -> bool + Send + Sync>;

/// Reads what is told, one after the other.
pub(crate) struct Reader<T> {
    bus: Arc<Bus<T>>,
    news: watch::Receiver<News>,
    wanted: Wanted<T>,
    next: u64,
    missed: Option<Missed>,
    /// Read and not told yet.
    ahead: VecDeque<Arc<T>>,
}

impl<T> fmt::Debug for Reader<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reader").field("next", &self.next).field("ahead", &self.ahead.len()).finish_non_exhaustive()
    }
}

impl<T> Reader<T> {
    /// The next one; or that some were missed, since more have followed than are kept. It goes on with the oldest one then.
    /// None: this was all. Nothing is lost if the future is dropped.
    pub(crate) async fn next(&mut self) -> Option<Result<Arc<T>, Missed>> {
        loop {
            // Looked at first: what comes after is news again.
            let closed = self.news.borrow_and_update().closed;
            if let Some(told) = self.at_hand() {
                return Some(told);
            }
            if closed || self.news.changed().await.is_err() {
                return None;
            }
        }
    }

    /// The same without waiting; none: there is none at present.
    pub(crate) fn at_hand(&mut self) -> Option<Result<Arc<T>, Missed>> {
        if let Some(missed) = self.missed.take() {
            return Some(Err(self.bus.counted(missed)));
        }
        if self.ahead.is_empty() {
            let read = self.bus.ring().read(self.next, &self.wanted, AT_ONCE);
            match read {
                Ok(read) => (self.ahead, self.next) = read,
                Err(missed) => {
                    self.next = missed.after + 1;
                    return Some(Err(self.bus.counted(missed)));
                }
            }
        }
        self.ahead.pop_front().map(Ok)
    }
}
