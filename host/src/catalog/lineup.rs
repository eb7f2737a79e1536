//! Which version of a plugin an actor runs. Decisions only: the catalogue has the versions themselves.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use crate::model::{ActorName, Digest, Part};

/// The versions of one plugin, by the digests of their components, and who runs which.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Lineup {
    /// What new instances run, where nothing else is said.
    current: Digest,
    /// What they ran before the last swap.
    before: Option<Digest>,
    mixed: Option<Mixed>,
    /// The version that was taken back with the loss of what it had done: where its records cannot be read, those before are.
    given_up: Option<Digest>,
    /// Actors that run another version than that.
    assigned: HashMap<ActorName, Assigned>,
}

/// Two versions side by side, at a swap or after one that was left half-way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Mixed {
    /// What ran before.
    pub(super) from: Digest,
    /// What is to run.
    pub(super) to: Digest,
    /// Whose actors.
    pub(super) part: Part,
    /// Whether this very process began it, and so knows who was switched; else the records do.
    #[serde(skip)]
    pub(super) here: bool,
    /// Whether it leads back: then a way back goes on with it.
    pub(super) back: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Assigned {
    To(Digest),
    /// What its record names: one of these two.
    AsSaved(Digest, Digest),
}

impl Assigned {
    fn names(&self, digest: Digest) -> bool {
        match self {
            Self::To(to) => *to == digest,
            Self::AsSaved(from, to) => *from == digest || *to == digest,
        }
    }
}

/// What one actor is to run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Choice {
    pub(super) digest: Digest,
    /// Whether the version that its record names counts instead.
    pub(super) as_saved: bool,
}

/// Why a swap cannot begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Conflict {
    /// It is what all actors run.
    Same,
    /// Another one was left half-way: from here, to there.
    HalfWay(Digest, Digest),
}

impl Lineup {
    pub(super) fn new(current: Digest) -> Self {
        Self { current, before: None, mixed: None, given_up: None, assigned: HashMap::new() }
    }

    pub(super) fn current(&self) -> Digest {
        self.current
    }

    #[cfg(test)]
    pub(super) fn before(&self) -> Option<Digest> {
        self.before
    }

    pub(super) fn mixed(&self) -> Option<&Mixed> {
        self.mixed.as_ref()
    }

    /// The version whose records may be passed over.
    pub(super) fn given_up(&self) -> Option<Digest> {
        self.given_up
    }

    /// The swap that has begun leads back.
    pub(super) fn leads_back(&mut self) {
        if let Some(mixed) = &mut self.mixed {
            mixed.back = true;
        }
    }

    /// What `from` has done may be lost from now on.
    pub(super) fn give_up(&mut self, from: Digest) {
        self.given_up = Some(from);
    }

    /// Where a way back would lead.
    pub(super) fn back(&self) -> Option<Digest> {
        self.mixed.as_ref().map(|mixed| if mixed.back { mixed.to } else { mixed.from }).or(self.before)
    }

    fn base(&self, actor: &ActorName) -> Digest {
        match &self.mixed {
            Some(mixed) if mixed.part.includes(actor) => mixed.to,
            Some(mixed) => mixed.from,
            None => self.current,
        }
    }

    /// What the next instance of `actor` runs.
    pub(super) fn choose(&self, actor: &ActorName) -> Choice {
        let left = self.mixed.as_ref().is_some_and(|mixed| !mixed.here);
        match self.assigned.get(actor) {
            Some(Assigned::To(digest)) => Choice { digest: *digest, as_saved: false },
            Some(Assigned::AsSaved(..)) => Choice { digest: self.base(actor), as_saved: true },
            None => Choice { digest: self.base(actor), as_saved: left },
        }
    }

    /// Whether anyone may still be told to run `digest`, or go back to it.
    pub(super) fn needs(&self, digest: Digest) -> bool {
        let mixed = self.mixed.as_ref().is_some_and(|mixed| mixed.from == digest || mixed.to == digest);
        mixed || self.current == digest || self.assigned.values().any(|to| to.names(digest))
    }

    /// Digests whose components are kept on the disk.
    pub(super) fn kept(&self) -> Vec<Digest> {
        let mut kept = vec![self.current];
        kept.extend(self.before);
        kept.extend(self.mixed.iter().flat_map(|mixed| [mixed.from, mixed.to]));
        kept.extend(self.assigned.values().flat_map(|to| match to {
            Assigned::To(digest) => [*digest, *digest],
            Assigned::AsSaved(from, to) => [*from, *to],
        }));
        kept.sort_unstable();
        kept.dedup();
        kept
    }

    /// Whether a swap to `to` may begin, for `part` of the actors; and from where.
    pub(super) fn may_begin(&self, to: Digest, part: &Part) -> Result<Digest, Conflict> {
        match &self.mixed {
            None if to == self.current && self.assigned.is_empty() => Err(Conflict::Same),
            None => Ok(self.current),
            // On with the one that is half-way, or back.
            Some(mixed) if to == mixed.to => Ok(mixed.from),
            Some(mixed) if to == mixed.from && *part == Part::All => Ok(mixed.to),
            Some(mixed) => Err(Conflict::HalfWay(mixed.from, mixed.to)),
        }
    }

    /// A swap from `from` to `to` begins: `running` go on with what they run until they are switched.
    pub(super) fn begin(
        &mut self,
        from: Digest,
        to: Digest,
        part: Part,
        running: impl IntoIterator<Item = (ActorName, Digest)>,
    ) {
        self.mixed = Some(Mixed { from, to, part, here: true, back: false });
        self.given_up = None;
        // Who was left out before is meant now, unless it is told of again.
        let meant = |actor: &ActorName| self.mixed.as_ref().is_some_and(|mixed| mixed.part.includes(actor));
        self.assigned.retain(|actor, to| matches!(to, Assigned::AsSaved(..)) || !meant(actor));
        for (actor, runs) in running {
            if runs != to && !self.is_unsettled(&actor) {
                self.assigned.insert(actor, Assigned::To(runs));
            }
        }
    }

    /// `actor` was switched: what is said of all says it of this one too.
    pub(super) fn switched(&mut self, actor: &ActorName) {
        self.assigned.remove(actor);
    }

    /// `actor` runs another version than the others, and stays with it.
    pub(super) fn stays(&mut self, actor: &ActorName, digest: Digest) {
        self.assigned.insert(actor.clone(), Assigned::To(digest));
    }

    /// Whether `actor` was switched from one to the other is not known: its record says.
    pub(super) fn unsettled(&mut self, actor: &ActorName, (from, to): (Digest, Digest)) {
        self.assigned.insert(actor.clone(), Assigned::AsSaved(from, to));
    }

    /// Whether that is not known of `actor` itself.
    pub(super) fn is_unsettled(&self, actor: &ActorName) -> bool {
        matches!(self.assigned.get(actor), Some(Assigned::AsSaved(..)))
    }

    /// An instance of `actor` has taken its record over, and runs `digest`.
    pub(super) fn settled(&mut self, actor: &ActorName, digest: Digest) {
        if self.is_unsettled(actor) {
            self.assigned.remove(actor);
            if self.base(actor) != digest {
                self.assigned.insert(actor.clone(), Assigned::To(digest));
            }
        }
    }

    /// The swap has come to its end, for its part of the actors: if these were all, what it led to is current. Those that were
    /// left out stay where they are.
    pub(super) fn finish(&mut self) {
        if let Some(mixed) = self.mixed.take_if(|mixed| mixed.part == Part::All) {
            if mixed.to != self.current {
                self.before = Some(mixed.from);
            }
            self.current = mixed.to;
        }
        let assigned = std::mem::take(&mut self.assigned);
        self.assigned = assigned.into_iter().filter(|(actor, to)| *to != Assigned::To(self.base(actor))).collect();
    }

    /// What was read from the disk: who was switched, the records say.
    pub(super) fn restored(mut self) -> Self {
        if self.mixed.is_some() {
            self.assigned.clear();
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OLD: Digest = Digest([1; 32]);
    const NEW: Digest = Digest([2; 32]);
    const NEWER: Digest = Digest([3; 32]);

    fn name(text: &str) -> ActorName {
        ActorName::new(text).expect("valid")
    }

    fn running(names: &[&str], digest: Digest) -> Vec<(ActorName, Digest)> {
        names.iter().map(|text| (name(text), digest)).collect()
    }

    fn runs(lineup: &Lineup, names: &[&str]) -> Vec<u8> {
        names.iter().map(|text| lineup.choose(&name(text)).digest.0[0]).collect()
    }

    #[test]
    fn who_runs_stays_until_it_is_switched_and_who_does_not_begins_with_the_new_one() {
        let mut lineup = Lineup::new(OLD);
        lineup.begin(OLD, NEW, Part::All, running(&["a", "b"], OLD));
        assert_eq!(runs(&lineup, &["a", "b", "sleeps"]), [1, 1, 2]);
        lineup.switched(&name("a"));
        assert_eq!(runs(&lineup, &["a", "b"]), [2, 1]);
        assert_eq!(lineup.may_begin(NEWER, &Part::All), Err(Conflict::HalfWay(OLD, NEW)));
        assert!(lineup.needs(OLD) && lineup.needs(NEW));
        lineup.switched(&name("b"));
        lineup.finish();
        assert_eq!((lineup.current(), lineup.back(), lineup.mixed()), (NEW, Some(OLD), None));
        assert!(!lineup.needs(OLD) && lineup.kept() == [OLD, NEW]);
        assert_eq!(lineup.may_begin(NEW, &Part::All), Err(Conflict::Same));
    }

    #[test]
    fn who_was_left_out_stays_where_it_is_and_can_be_switched_later() {
        let mut lineup = Lineup::new(OLD);
        lineup.begin(OLD, NEW, Part::All, running(&["a", "b"], OLD));
        lineup.switched(&name("a"));
        lineup.finish();
        assert_eq!(runs(&lineup, &["a", "b"]), [2, 1]);
        assert!(lineup.needs(OLD));
        assert_eq!(lineup.may_begin(NEW, &Part::All), Ok(NEW));
        lineup.begin(NEW, NEW, Part::All, running(&["b"], OLD));
        lineup.switched(&name("b"));
        lineup.finish();
        assert_eq!((runs(&lineup, &["a", "b"]), lineup.before()), (vec![2, 2], Some(OLD)));
        assert!(!lineup.needs(OLD));
    }

    #[test]
    fn a_swap_that_stops_half_way_can_go_on_or_back() {
        let half = || {
            let mut lineup = Lineup::new(OLD);
            lineup.begin(OLD, NEW, Part::All, running(&["a", "b"], OLD));
            lineup.switched(&name("a"));
            lineup
        };
        let mut on = half();
        assert_eq!(on.may_begin(NEW, &Part::All), Ok(OLD));
        on.begin(OLD, NEW, Part::All, [running(&["a"], NEW), running(&["b"], OLD)].concat());
        assert_eq!(runs(&on, &["a", "b"]), [2, 1]);
        let mut back = half();
        assert_eq!((back.back(), back.may_begin(OLD, &Part::All)), (Some(OLD), Ok(NEW)));
        back.begin(NEW, OLD, Part::All, [running(&["a"], NEW), running(&["b"], OLD)].concat());
        assert_eq!(runs(&back, &["a", "b", "sleeps"]), [2, 1, 1]);
        back.switched(&name("a"));
        back.finish();
        assert_eq!((back.current(), runs(&back, &["a", "b"])), (OLD, vec![1, 1]));
        assert_eq!(back.before(), None, "nothing was before what has always been current");
    }

    #[test]
    fn a_way_back_that_stops_half_way_goes_on_and_tells_anew_who_stays() {
        let mut lineup = Lineup::new(OLD);
        lineup.begin(OLD, NEW, Part::All, []);
        lineup.begin(NEW, OLD, Part::All, running(&["sleeps"], NEW));
        lineup.leads_back();
        assert_eq!((lineup.back(), runs(&lineup, &["sleeps", "other"])), (Some(OLD), vec![2, 1]));
        lineup.begin(NEW, OLD, Part::All, []);
        assert_eq!(runs(&lineup, &["sleeps"]), [1]);
        lineup.unsettled(&name("a"), (NEW, OLD));
        lineup.begin(NEW, OLD, Part::All, running(&["a"], NEW));
        assert!(lineup.choose(&name("a")).as_saved, "its record says, and nobody else");
    }

    #[test]
    fn a_part_runs_the_new_one_and_all_others_the_old_one() {
        let mut lineup = Lineup::new(OLD);
        let part = Part::new("a/*").expect("valid");
        lineup.begin(OLD, NEW, part, running(&["a/1", "b/1"], OLD));
        lineup.switched(&name("a/1"));
        lineup.finish();
        assert_eq!((lineup.current(), runs(&lineup, &["a/1", "a/2", "b/1", "b/2"])), (OLD, vec![2, 2, 1, 1]));
        assert_eq!(lineup.assigned.len(), 0);
        assert_eq!(lineup.may_begin(NEW, &Part::All), Ok(OLD));
        lineup.begin(OLD, NEW, Part::All, running(&["b/1"], OLD));
        lineup.switched(&name("b/1"));
        lineup.finish();
        assert_eq!((lineup.current(), lineup.back()), (NEW, Some(OLD)));
    }

    #[test]
    fn after_a_crash_of_the_host_the_records_say_who_was_switched() {
        let mut lineup = Lineup::new(OLD);
        lineup.begin(OLD, NEW, Part::All, running(&["a"], OLD));
        assert!(!lineup.choose(&name("a")).as_saved);
        lineup.unsettled(&name("a"), (OLD, NEW));
        assert!(lineup.choose(&name("a")).as_saved, "its own answer was lost");
        lineup.finish();
        assert!(lineup.needs(OLD) && lineup.choose(&name("a")).as_saved, "nobody knows yet");
        lineup.settled(&name("a"), OLD);
        assert_eq!(lineup.choose(&name("a")), Choice { digest: OLD, as_saved: false });
        lineup.begin(NEW, OLD, Part::All, running(&["a"], OLD));
        lineup.begin(OLD, NEW, Part::All, running(&["a"], OLD));
        let text = serde_json::to_string(&lineup).expect("serializes");
        let restored: Lineup = serde_json::from_str(&text).expect("reads");
        let restored = restored.restored();
        for actor in ["a", "b"] {
            assert_eq!(restored.choose(&name(actor)), Choice { digest: NEW, as_saved: true });
        }
        let mut on = restored;
        on.begin(OLD, NEW, Part::All, running(&["a"], OLD));
        assert_eq!(on.choose(&name("a")), Choice { digest: OLD, as_saved: false });
    }
}
