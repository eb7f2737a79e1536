//! How many instances there is room for: those of the actors, and a few beside them that live for a moment only.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, TryAcquireError};

use super::trap;
use crate::model::{Crash, CrashKind, LimitMet};

/// Instances for which there is room beyond `instances`: successors at a swap while the one before lives, rehearsals, and
/// plugins that describe themselves.
pub(crate) const SPARE_INSTANCES: u32 = 64;

/// What an instance takes the place of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// One of `instances`: refused where there is none, unless others are put to sleep to make room.
    Actor,
    /// One of [`SPARE_INSTANCES`]: waited for.
    Spare,
}

/// The places of one engine. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Places {
    actors: Arc<Semaphore>,
    spare: Arc<Semaphore>,
    instances: u32,
    wanted: Option<Arc<Wanted>>,
}

/// Places that are waited for, where there are those who make room.
#[derive(Debug, Default)]
pub(crate) struct Wanted {
    waiting: AtomicUsize,
    pressed: Arc<Notify>,
}

impl Wanted {
    /// `pressed`: told when one more is waited for.
    pub(crate) fn new(pressed: Arc<Notify>) -> Self {
        Self { waiting: AtomicUsize::new(0), pressed }
    }

    /// How many are waited for.
    pub(crate) fn count(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }

    fn one_more(&self) -> Waiting<'_> {
        self.waiting.fetch_add(1, Ordering::Relaxed);
        self.pressed.notify_one();
        Waiting(self)
    }
}

/// That one is waited for; until this is dropped.
struct Waiting<'a>(&'a Wanted);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Places {
    /// `wanted`: where those are told that make room; none: nobody does.
    pub(super) fn new(instances: u32, wanted: Option<Arc<Wanted>>) -> Self {
        let room = |count| Arc::new(Semaphore::new(usize::try_from(count).unwrap_or(usize::MAX)));
        Self { actors: room(instances), spare: room(SPARE_INSTANCES), instances, wanted }
    }

    /// A place, held until it is dropped.
    pub(super) async fn take(&self, place: Place, within: Duration) -> Result<OwnedSemaphorePermit, Crash> {
        if place == Place::Actor {
            let error = match (self.actors.clone().try_acquire_owned(), &self.wanted) {
                (Ok(taken), _) => return Ok(taken),
                (Err(error), None) => error,
                (Err(error), Some(wanted)) => {
                    let _waiting = wanted.one_more();
                    match tokio::time::timeout(within, self.actors.clone().acquire_owned()).await {
                        // Nobody closes it.
                        Ok(taken) => return taken.map_err(|_| self.full(&TryAcquireError::Closed)),
                        Err(_) => error,
                    }
                }
            };
            return Err(self.full(&error));
        }
        match tokio::time::timeout(within, self.spare.clone().acquire_owned()).await {
            // Nobody closes it.
            Ok(taken) => taken.map_err(|_| self.full(&TryAcquireError::Closed)),
            Err(_) => Err(trap::timeout("start", Some(within))),
        }
    }

    /// How many of each kind are taken, and how many there are.
    pub(super) fn taken(&self) -> [(u32, u32); 2] {
        let taken = |of: &Semaphore, size: u32| {
            let free = u32::try_from(of.available_permits()).unwrap_or(u32::MAX);
            (size.saturating_sub(free), size)
        };
        [taken(&self.actors, self.instances), taken(&self.spare, SPARE_INSTANCES)]
    }

    fn full(&self, _: &TryAcquireError) -> Crash {
        let met = LimitMet::of_the_host("instances", self.instances);
        Crash::new(CrashKind::Limit, "start", format!("no room for another instance ({met})"))
    }
}
