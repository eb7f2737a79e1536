//! Who hears of whose end: monitors, which are told once, links, which go both ways, and watchers from the library.
//!
//! They belong to instances: with an instance's end all that it had are gone.

use std::collections::{BTreeSet, HashMap};

use tokio::sync::oneshot;

use super::Refused;
use crate::model::{ActorName, ExitReason};

/// Actors that one actor may monitor or be linked to, all together. What it was told of others and has not handled yet
/// counts as well: one that watches again and again those who are gone must not fill its own mailbox.
pub(crate) const WATCHES: usize = 10_000;
/// Watchers from the library that one actor may have.
pub(crate) const LIBRARY_WATCHES: usize = 10_000;

/// Who watches whom. Both sides are kept, and are always each other's mirror.
#[derive(Debug, Default)]
pub(super) struct Watches(HashMap<ActorName, Ties>);

#[derive(Debug, Default)]
struct Ties {
    monitors: BTreeSet<ActorName>,
    monitored_by: BTreeSet<ActorName>,
    links: BTreeSet<ActorName>,
    library: Vec<oneshot::Sender<ExitReason>>,
}

/// Those who are to hear of an end.
#[derive(Debug, Default)]
pub(super) struct Audience {
    pub(super) monitored_by: BTreeSet<ActorName>,
    pub(super) linked: BTreeSet<ActorName>,
    pub(super) library: Vec<oneshot::Sender<ExitReason>>,
}

impl Ties {
    fn is_empty(&self) -> bool {
        let Self { monitors, monitored_by, links, library } = self;
        monitors.is_empty() && monitored_by.is_empty() && links.is_empty() && library.is_empty()
    }
}

impl Watches {
    /// How many others an actor watches.
    pub(super) fn count(&self, actor: &ActorName) -> usize {
        self.0.get(actor).map_or(0, |ties| ties.monitors.len() + ties.links.len())
    }

    pub(super) fn monitors(&self, from: &ActorName, to: &ActorName) -> bool {
        self.0.get(from).is_some_and(|ties| ties.monitors.contains(to))
    }

    /// Those whom somebody monitors.
    pub(super) fn monitored(&self) -> Vec<ActorName> {
        self.0.iter().filter(|(_, ties)| !ties.monitored_by.is_empty()).map(|(actor, _)| actor.clone()).collect()
    }

    pub(super) fn linked(&self, from: &ActorName, to: &ActorName) -> bool {
        self.0.get(from).is_some_and(|ties| ties.links.contains(to))
    }

    pub(super) fn monitor(&mut self, from: &ActorName, to: &ActorName) {
        self.ties(from).monitors.insert(to.clone());
        self.ties(to).monitored_by.insert(from.clone());
    }

    pub(super) fn demonitor(&mut self, from: &ActorName, to: &ActorName) {
        self.change(from, |ties| ties.monitors.remove(to));
        self.change(to, |ties| ties.monitored_by.remove(from));
    }

    pub(super) fn link(&mut self, from: &ActorName, to: &ActorName) {
        self.ties(from).links.insert(to.clone());
        self.ties(to).links.insert(from.clone());
    }

    pub(super) fn unlink(&mut self, from: &ActorName, to: &ActorName) {
        self.change(from, |ties| ties.links.remove(to));
        self.change(to, |ties| ties.links.remove(from));
    }

    /// A watcher from the library.
    ///
    /// # Errors
    /// If the actor has too many.
    pub(super) fn library(&mut self, to: &ActorName) -> Result<oneshot::Receiver<ExitReason>, Refused> {
        let library = &mut self.ties(to).library;
        if library.len() == library.capacity() || library.len() >= LIBRARY_WATCHES {
            // Before it grows: those whose watcher has gone need no place.
            library.retain(|watcher| !watcher.is_closed());
        }
        if library.len() >= LIBRARY_WATCHES {
            return Err(Refused::Library);
        }
        let (tell, heard) = oneshot::channel();
        library.push(tell);
        Ok(heard)
    }

    /// An instance has ended: who is to hear of it. All that it watched itself is forgotten.
    pub(super) fn ended(&mut self, actor: &ActorName) -> Audience {
        let Some(Ties { monitors, monitored_by, links, library }) = self.0.remove(actor) else {
            return Audience::default();
        };
        for watched in &monitors {
            self.change(watched, |ties| ties.monitored_by.remove(actor));
        }
        for watcher in &monitored_by {
            self.change(watcher, |ties| ties.monitors.remove(actor));
        }
        for other in &links {
            self.change(other, |ties| ties.links.remove(actor));
        }
        Audience { monitored_by, linked: links, library }
    }

    fn ties(&mut self, actor: &ActorName) -> &mut Ties {
        self.0.entry(actor.clone()).or_default()
    }

    /// Takes something away, and with it the ties of one that has none left.
    fn change(&mut self, actor: &ActorName, remove: impl FnOnce(&mut Ties) -> bool) {
        if let Some(ties) = self.0.get_mut(actor) {
            remove(ties);
            if ties.is_empty() {
                self.0.remove(actor);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(name: &str) -> ActorName {
        ActorName::new(name).expect("valid")
    }

    fn names(names: &[&str]) -> BTreeSet<ActorName> {
        names.iter().map(|n| name(n)).collect()
    }

    #[test]
    fn those_who_watch_hear_once() {
        let (a, b, x) = (name("a"), name("b"), name("x"));
        let mut watches = Watches::default();
        watches.monitor(&a, &x);
        watches.monitor(&a, &x);
        watches.monitor(&b, &x);
        watches.link(&x, &b);
        let audience = watches.ended(&x);
        assert_eq!((audience.monitored_by, audience.linked), (names(&["a", "b"]), names(&["b"])));
        assert!(watches.0.is_empty(), "{watches:?}");
    }

    #[test]
    fn what_was_undone_is_not_heard() {
        let (a, x) = (name("a"), name("x"));
        let mut watches = Watches::default();
        watches.monitor(&a, &x);
        watches.link(&a, &x);
        assert_eq!((watches.count(&a), watches.count(&x)), (2, 1), "a link counts for both");
        watches.demonitor(&a, &x);
        watches.demonitor(&a, &x);
        // Either side may undo a link.
        watches.unlink(&x, &a);
        assert!(watches.0.is_empty(), "{watches:?}");
    }

    #[test]
    fn with_an_instance_all_that_it_watched_is_gone() {
        let (a, x, y) = (name("a"), name("x"), name("y"));
        let mut watches = Watches::default();
        watches.monitor(&a, &x);
        watches.link(&a, &y);
        assert_eq!(watches.ended(&a).linked, names(&["y"]));
        for other in [&x, &y] {
            let Audience { monitored_by, linked, .. } = watches.ended(other);
            assert!(monitored_by.is_empty() && linked.is_empty(), "{other}");
        }
    }

    #[test]
    fn watchers_of_the_library_are_bounded_and_those_who_went_away_need_no_place() {
        let x = name("x");
        let mut watches = Watches::default();
        let mut watching: Vec<_> = (0..LIBRARY_WATCHES).map(|_| watches.library(&x).expect("room")).collect();
        assert_eq!(watches.library(&x).expect_err("too many"), Refused::Library);
        watching.pop();
        let mut last = watches.library(&x).expect("room");
        for watcher in watches.ended(&x).library {
            drop(watcher.send(ExitReason::Normal));
        }
        assert_eq!(last.try_recv(), Ok(ExitReason::Normal));
    }
}
