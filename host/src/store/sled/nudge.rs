//! A flush that would wait for ever. Where one of sled's own threads meets an error of the disk while it writes, sled
//! notes the error and in one place (`exit_reservation`) wakes nobody: whoever waits for that write waits on. Another
//! flush sees the error and wakes them all. So a flush that takes long gets company.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use ::sled::Db;

/// Milliseconds after which a flush is taken for one that may wait for ever; each further one is waited for twice as long.
/// A disk that is merely slow has a few threads wait for it.
const FIRST_NUDGE_MS: u64 = 500;
/// Further flushes beside one that does not end, at most: with these times the last comes after half an hour.
const NUDGES: u32 = 12;

#[derive(Debug, Default)]
struct State {
    /// Flushes begun so far.
    begun: u64,
    runs: bool,
    closes: bool,
}

/// Looks after the flushes of one open directory.
#[derive(Debug)]
pub(super) struct Nudge {
    shared: Arc<(Mutex<State>, Condvar)>,
    thread: Option<JoinHandle<()>>,
}

fn locked(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Nudge {
    /// For the flushes of `db`. Without a thread, where none can be had, a flush is what it is.
    pub(super) fn of(db: &Db) -> Self {
        let shared: Arc<(Mutex<State>, Condvar)> = Arc::default();
        let (seen, db) = (shared.clone(), db.clone());
        let spawned = thread::Builder::new().name("baton-store-flush".to_owned()).spawn(move || watch(&seen, &db));
        Self { shared, thread: spawned.ok() }
    }

    /// Runs a flush.
    pub(super) fn look_after<T>(&self, flush: impl FnOnce() -> T) -> T {
        let (state, changed) = &*self.shared;
        {
            let mut state = locked(state);
            state.begun += 1;
            state.runs = true;
        }
        changed.notify_one();
        let done = flush();
        locked(state).runs = false;
        done
    }
}

impl Drop for Nudge {
    fn drop(&mut self) {
        let (state, changed) = &*self.shared;
        locked(state).closes = true;
        changed.notify_one();
        if let Some(thread) = self.thread.take() {
            // It holds the directory as well. A panic there has been told.
            let _ = thread.join();
        }
    }
}

fn watch((state, changed): &(Mutex<State>, Condvar), db: &Db) {
    let mut held = locked(state);
    while !held.closes {
        if !held.runs {
            held = changed.wait(held).unwrap_or_else(PoisonError::into_inner);
            continue;
        }
        let flush = held.begun;
        let is_the_same = |state: &mut State| state.runs && state.begun == flush && !state.closes;
        for nudge in 0..NUDGES {
            let pause = Duration::from_millis(FIRST_NUDGE_MS << nudge);
            let waited = changed.wait_timeout_while(held, pause, is_the_same);
            let (now, late) = waited.unwrap_or_else(PoisonError::into_inner);
            held = now;
            if !late.timed_out() {
                break;
            }
            let db = db.clone();
            // On a thread of its own: it may wait as well.
            let _ = thread::Builder::new().name("baton-store-flush".to_owned()).spawn(move || drop(db.flush()));
        }
        held = changed.wait_while(held, |state| is_the_same(state)).unwrap_or_else(PoisonError::into_inner);
    }
}
