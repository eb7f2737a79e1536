//! Whether a server answers. Once it does not, nobody waits for it any more: what is asked is answered at once, and one task
//! tries to reach it, less and less often.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::super::StoreError;
use super::super::url::StoreUrl;
use super::Server;

/// Milliseconds between a failure and the first attempt; each further wait is twice as long.
const FIRST_PAUSE_MS: u64 = 50;
/// Milliseconds that a wait has at most.
const LONGEST_PAUSE_MS: u64 = 2_000;

/// Why the store answers nothing at present; empty as long as it does.
#[derive(Debug)]
pub(super) struct Condition(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    /// Without its password.
    url: String,
    why: Mutex<Option<String>>,
    closed: AtomicBool,
    failures: AtomicU64,
}

impl Inner {
    fn set(&self, why: Option<String>) -> Option<String> {
        std::mem::replace(&mut *self.why.lock().unwrap_or_else(PoisonError::into_inner), why)
    }
}

impl Condition {
    pub(super) fn new(url: &StoreUrl) -> Self {
        let (why, failures) = (Mutex::new(None), AtomicU64::new(0));
        Self(Arc::new(Inner { url: url.to_string(), why, closed: AtomicBool::new(false), failures }))
    }

    pub(super) fn trouble(&self) -> Option<String> {
        if self.0.closed.load(Ordering::Acquire) {
            return Some("it was closed".to_owned());
        }
        self.0.why.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn failures(&self) -> u64 {
        self.0.failures.load(Ordering::Relaxed)
    }

    /// # Errors
    /// `Unavailable` while the server does not answer.
    pub(super) fn check(&self) -> Result<(), StoreError> {
        self.trouble().map_or(Ok(()), |why| Err(StoreError::Unavailable(why)))
    }

    /// # Errors
    /// `Unavailable` where it was closed before.
    pub(super) fn close(&self) -> Result<(), StoreError> {
        match self.0.closed.swap(true, Ordering::AcqRel) {
            true => Err(StoreError::Unavailable("it was closed".to_owned())),
            false => Ok(()),
        }
    }

    /// What a server said, with its address.
    pub(super) fn told(&self, why: &str) -> String {
        format!("{}: {why}", self.0.url)
    }

    /// The server does not answer. The first to say so starts the task that tries to reach it.
    pub(super) fn failed<S: Server>(&self, why: &str, server: &Arc<S>) -> String {
        let text = self.told(why);
        if self.0.closed.load(Ordering::Acquire) {
            return "it was closed".to_owned();
        }
        if self.0.set(Some(text.clone())).is_none() {
            self.0.failures.fetch_add(1, Ordering::Relaxed);
            tracing::error!(why = text, "the store does not answer");
            tokio::spawn(reach(Arc::downgrade(&self.0), Arc::downgrade(server)));
        }
        text
    }
}

/// Tries to reach the server as often as it takes, as long as the store is there.
async fn reach<S: Server>(inner: std::sync::Weak<Inner>, server: std::sync::Weak<S>) {
    let mut failed = 0;
    loop {
        tokio::time::sleep(pause(failed)).await;
        let (Some(inner), Some(server)) = (inner.upgrade(), server.upgrade()) else { return };
        if inner.closed.load(Ordering::Acquire) {
            return;
        }
        match server.probe().await {
            Ok(()) => {
                inner.set(None);
                tracing::warn!(url = inner.url, "the store answers again");
                return;
            }
            Err(why) => {
                let text = format!("{}: {why}; it is tried again in {:?}", inner.url, pause(failed + 1));
                tracing::debug!(why = text, "the store does not answer");
                inner.set(Some(text));
            }
        }
        failed += 1;
    }
}

/// How long to wait after attempt number `failed`, counted from 0.
fn pause(failed: u32) -> Duration {
    Duration::from_millis(FIRST_PAUSE_MS.saturating_mul(1 << failed.min(20)).min(LONGEST_PAUSE_MS))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pauses_double_up_to_the_longest() {
        for (failed, ms) in [(0, 50), (1, 100), (5, 1_600), (6, 2_000), (40, 2_000), (u32::MAX, 2_000)] {
            assert_eq!(pause(failed), Duration::from_millis(ms), "{failed}");
        }
    }
}
