//! Actors that sleep, as they are shown; and what wakes them that is no message.

use std::time::Duration;

use super::Host;
use crate::actor::ActorInfo;
use crate::model::{ActorName, ErrorCode, HostError, NameOrPattern, Phase, PluginName};

/// How often an actor is woken again that falls asleep before it hears what it was woken for.
const ATTEMPTS: usize = 8;
/// How often an actor that wakes is looked at.
const LOOK: Duration = Duration::from_millis(2);

impl Host {
    /// How many actors sleep and take no more room than their names.
    #[must_use]
    pub fn sleepers(&self) -> usize {
        self.count_sleepers().into_iter().map(|(_, count)| count).sum()
    }

    /// The same by plugin.
    pub(super) fn count_sleepers(&self) -> Vec<(PluginName, usize)> {
        self.0.registry.count_sleepers()
    }

    /// One of them.
    pub(super) fn sleeper(&self, name: &ActorName) -> Option<ActorInfo> {
        let plugin = self.0.registry.asleep(name)?;
        Some(ActorInfo::asleep(name.clone(), plugin))
    }

    /// Those whose names come after `after` and that `which` means, `limit` at most.
    pub(super) fn sleepers_after(
        &self,
        after: Option<&ActorName>,
        which: Option<&NameOrPattern>,
        limit: usize,
    ) -> Vec<ActorInfo> {
        let meant = |name: &ActorName| which.is_none_or(|which| which.matches(name));
        let found = self.0.registry.sleepers(after, meant, limit);
        found.into_iter().map(|(name, plugin)| ActorInfo::asleep(name, plugin)).collect()
    }

    /// Does what needs an actor to be there, and wakes one that sleeps for it; once more where it fell asleep again before.
    pub(super) async fn awake<T, F>(&self, name: &ActorName, act: impl Fn() -> F) -> Result<T, HostError>
    where
        F: Future<Output = Result<T, HostError>>,
    {
        let mut attempts = ATTEMPTS;
        loop {
            self.roused(name).await?;
            let error = match act().await {
                Err(error) if attempts > 0 => error,
                done => return done,
            };
            let moved = matches!(error.code(), ErrorCode::UnknownActor | ErrorCode::State);
            let registry = &self.0.registry;
            let sleeps = || registry.asleep(name).is_some();
            if !moved || !(sleeps() || registry.whereis(name).is_some_and(|cell| cell.rest.wakes_up())) {
                return Err(error);
            }
            attempts -= 1;
        }
    }

    /// Wakes an actor that sleeps and is not even in the tree, so that it can be told what is no message. Whoever wakes is
    /// waited for until it has taken over its state, for as long as its start may take; others are left as they are.
    async fn roused(&self, name: &ActorName) -> Result<(), HostError> {
        if self.0.registry.asleep(name).is_some() {
            match self.start_from_template(name).await {
                Ok(()) => {}
                // A message was quicker.
                Err(error) if error.code() == ErrorCode::AlreadyStarted => {}
                Err(error) => return Err(error),
            }
        }
        let Some(cell) = self.0.registry.whereis(name).filter(|cell| cell.rest.wakes_up()) else { return Ok(()) };
        let within = Duration::from_millis(cell.limits.start_timeout_ms);
        let taken_over = async {
            while matches!(cell.status().phase, Phase::Starting | Phase::Continuing) {
                tokio::time::sleep(LOOK).await;
            }
        };
        // What is asked of it then says how it stands.
        drop(tokio::time::timeout(within, taken_over).await);
        Ok(())
    }
}
