//! What is told as an event of the host itself, and to whom.

use std::sync::Weak;
use std::time::Duration;

use super::{Host, Inner};
use crate::events::{About, EventDetail, EventFilter, EventStream, HostState};

/// How often the store is asked whether it answers.
const LOOK: Duration = Duration::from_millis(500);

impl Host {
    /// What happens from now on, as far as `filter` means it; see [`events`](crate::events).
    #[must_use]
    pub fn events(&self, filter: EventFilter) -> EventStream {
        self.0.events.listen(filter)
    }

    /// What has happened after the event with the sequence `since`, and what happens from now on: nothing is missed as long as
    /// it is kept, and else the first answer says so. 0: all that is kept.
    #[must_use]
    pub fn events_after(&self, filter: EventFilter, since: u64) -> EventStream {
        self.0.events.listen_after(filter, since)
    }

    /// Tells those who listen that whoever runs this host has read anew what can change while it runs.
    pub fn tell_reloaded(&self) {
        self.0.events.tell(About::default(), EventDetail::Host { state: HostState::Reloaded });
    }
}

/// Tells when the store ceases to answer, and when it answers again, as long as the host is there.
pub(super) async fn store(host: Weak<Inner>) {
    let mut told = None;
    while let Some(host) = host.upgrade() {
        let trouble = host.store.trouble();
        if trouble.is_some() != told.is_some() {
            host.events.tell(About::default(), EventDetail::Store { trouble: trouble.clone() });
            told = trouble;
        }
        drop(host);
        tokio::time::sleep(LOOK).await;
    }
}
