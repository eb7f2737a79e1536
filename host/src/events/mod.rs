//! What happens to the actors and the host, as it happens: a bounded ring that whoever likes reads at its own pace. Nobody who
//! tells of something waits for anybody who listens; whoever is too slow is told how much it has missed.
//!
//! ```no_run
//! use baton_host::Host;
//! use baton_host::events::{EventDetail, EventFilter};
//!
//! # async fn run(host: Host) -> Result<(), Box<dyn std::error::Error>> {
//! let carts = EventFilter { actors: Some("cart/*".parse()?), ..EventFilter::default() };
//! let mut events = host.events(carts);
//! while let Some(event) = events.next().await {
//!     match event {
//!         Ok(event) => match &event.detail {
//!             EventDetail::Crashed { why, .. } => println!("{:?} crashed: {why}", event.actor),
//!             _ => println!("{:?} {}", event.actor, event.kind),
//!         },
//!         Err(missed) => println!("{:?} events were missed", missed.count),
//!     }
//! }
//! # Ok(())
//! # }
//! ```

mod feed;
mod ring;
mod words;

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::model::NameOrPattern;
use crate::store::now_ms;
pub(crate) use feed::{Feed, Reader};
pub use ring::Missed;
pub(crate) use ring::Most;
pub(crate) use words::About;
pub use words::{Event, EventDetail, EventKind, HostState, PluginChange};

/// Events that are kept in memory; older ones make room.
pub const KEPT_EVENTS: usize = 8_192;
/// What they may take in memory, in bytes: of long ones fewer are kept.
pub const KEPT_EVENT_BYTES: usize = 16 << 20;
/// What an event takes beside its texts, in bytes.
const OWN_BYTES: usize = 512;

/// Where events are told; all clones are the same. Whoever makes a room hands it one.
#[derive(Debug, Clone)]
pub(crate) struct Events(Feed<Event>);

impl Default for Events {
    fn default() -> Self {
        Self(Feed::new(first_sequence(), Most { kept: KEPT_EVENTS, bytes: KEPT_EVENT_BYTES }))
    }
}

/// Sequences begin with the time, in microseconds: those of a host that is started later are higher, since none tells of more
/// than one thing in a microsecond for long. As a number of JavaScript's they are exact.
pub(crate) fn first_sequence() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_micros()).unwrap_or(0).max(1)
}

impl Events {
    /// Tells of something. Waits for nobody.
    pub(crate) fn tell(&self, about: About, detail: EventDetail) {
        let mut detail = detail.bounded();
        let bytes = OWN_BYTES + detail.bytes();
        let About { actor, plugin, version, generation } = about;
        self.0.tell(bytes, |sequence| {
            let (time_ms, kind) = (now_ms(), detail.kind());
            Event { sequence, time_ms, kind, actor, plugin, version, generation, detail }
        });
    }

    /// Nothing will be told any more: whoever listens hears what is left, and that this was all.
    pub(crate) fn close(&self) {
        self.0.close();
    }

    /// How many those who listen have missed, each by itself.
    pub(crate) fn dropped(&self) -> u64 {
        self.0.dropped()
    }

    /// Listens from now on.
    pub(crate) fn listen(&self, filter: EventFilter) -> EventStream {
        EventStream(self.0.read(move |event| filter.means(event)))
    }

    /// The same from what came after `since`; 0: all that is kept.
    pub(crate) fn listen_after(&self, filter: EventFilter, since: u64) -> EventStream {
        EventStream(self.0.read_after(since, move |event| filter.means(event)))
    }
}

/// Which events are heard of. All, unless told otherwise.
#[derive(Debug, Clone, Default)]
pub struct EventFilter {
    /// Those about actors and supervisors with these names, and no others.
    pub actors: Option<NameOrPattern>,
    /// Those of these kinds; none: of all.
    pub kinds: Vec<EventKind>,
}

impl EventFilter {
    /// Whether it means an event.
    #[must_use]
    pub fn means(&self, event: &Event) -> bool {
        let named = |names: &NameOrPattern| event.actor.as_ref().is_some_and(|actor| names.matches(actor));
        (self.kinds.is_empty() || self.kinds.contains(&event.kind)) && self.actors.as_ref().is_none_or(named)
    }
}

/// Events, one after the other.
#[derive(Debug)]
pub struct EventStream(Reader<Event>);

impl EventStream {
    /// The next event; or that some were missed, since more have followed than are kept. It goes on with the oldest one then.
    /// None: the host has ended. Nothing is lost if the future is dropped.
    pub async fn next(&mut self) -> Option<Result<Arc<Event>, Missed>> {
        self.0.next().await
    }

    /// The same without waiting; none: there is none at present.
    pub fn at_hand(&mut self) -> Option<Result<Arc<Event>, Missed>> {
        self.0.at_hand()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{ActorName, CrashKind};

    fn name(name: &str) -> ActorName {
        ActorName::new(name).expect("valid")
    }

    fn restarted(events: &Events, actor: &str, restarts: u64) {
        events.tell(About::child(&name(actor)), EventDetail::Restarted { restarts });
    }

    async fn heard(stream: &mut EventStream) -> (u64, String) {
        let event = stream.next().await.expect("open").expect("none was missed");
        let EventDetail::Restarted { restarts } = event.detail else { panic!("{event:?}") };
        (restarts, event.actor.as_ref().expect("an actor").to_string())
    }

    #[tokio::test]
    async fn a_listener_hears_all_from_then_on_in_order_and_then_that_it_is_over() {
        let events = Events::default();
        restarted(&events, "a", 1);
        let mut all = events.listen(EventFilter::default());
        let some = EventFilter { actors: Some("b/*".parse().expect("a pattern")), ..EventFilter::default() };
        let mut some = events.listen(some);
        for restarts in 2..200 {
            restarted(&events, if restarts == 100 { "b/1" } else { "a" }, restarts);
        }
        for restarts in 2..200 {
            assert_eq!(heard(&mut all).await.0, restarts);
        }
        assert_eq!(heard(&mut some).await, (100, "b/1".to_owned()));
        assert!(some.at_hand().is_none() && all.at_hand().is_none());
        let (next, ()) = tokio::join!(heard(&mut some), async { restarted(&events, "b/2", 7) });
        assert_eq!(next, (7, "b/2".to_owned()));
        restarted(&events, "b/3", 8);
        events.close();
        assert_eq!(heard(&mut some).await.0, 8, "what is left is heard first");
        assert!(some.next().await.is_none());
    }

    #[tokio::test]
    async fn one_that_falls_behind_is_told_how_far_and_goes_on_with_the_oldest() {
        let events = Events::default();
        let mut slow = events.listen(EventFilter::default());
        let kept = KEPT_EVENTS as u64;
        for restarts in 0..kept + 10 {
            restarted(&events, "a", restarts);
        }
        let missed = slow.next().await.expect("open").expect_err("ten were missed");
        assert_eq!(missed.count, Some(10));
        assert_eq!(events.dropped(), 10);
        let (first, _) = heard(&mut slow).await;
        assert_eq!(first, 10);
        // Whoever goes on from there elsewhere misses no more.
        let mut again = events.listen_after(EventFilter::default(), missed.after);
        assert_eq!(heard(&mut again).await.0, 10);
        let mut earlier = events.listen_after(EventFilter::default(), 5);
        assert_eq!(earlier.next().await.expect("open").expect_err("an earlier host's").count, None);
        assert_eq!(events.dropped(), 10, "of an earlier host's nobody knows how many");
    }

    #[test]
    fn kinds_and_names_both_have_to_fit() {
        let events = Events::default();
        let crashed = EventDetail::Crashed {
            why: "trap".into(),
            crash: Some(CrashKind::Trap),
            during: "handle".into(),
            backtrace: Vec::new(),
            core_dump: None,
        };
        events.tell(About::child(&name("a")), crashed);
        restarted(&events, "a", 1);
        events.tell(About::default(), EventDetail::Host { state: HostState::Ready });
        let count = |actors: Option<&str>, kinds: &[EventKind]| {
            let actors = actors.map(|actors| actors.parse().expect("a name"));
            let mut stream = events.listen_after(EventFilter { actors, kinds: kinds.to_vec() }, 0);
            std::iter::from_fn(|| stream.at_hand()).count()
        };
        assert_eq!(count(None, &[]), 3);
        assert_eq!(count(Some("a"), &[]), 2);
        assert_eq!(count(Some("a"), &[EventKind::Host, EventKind::Crashed]), 1);
        assert_eq!(count(None, &[EventKind::Host, EventKind::Crashed]), 2);
        assert_eq!(count(Some("b"), &[]), 0);
    }
}
