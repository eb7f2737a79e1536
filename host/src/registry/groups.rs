//! Groups: names with many members.

use std::collections::{BTreeMap, HashMap};

use super::Refused;
use crate::model::{ActorName, GROUPS, GroupName};

/// Who is in which group. A group is there as long as it has members.
#[derive(Debug, Default)]
pub(super) struct Groups {
    /// By the place at which each came.
    members: HashMap<GroupName, BTreeMap<u64, ActorName>>,
    /// Each actor's groups, with its place there.
    places: HashMap<ActorName, HashMap<GroupName, u64>>,
    /// Places that were given so far.
    given: u64,
}

impl Groups {
    /// Makes `actor` the last member of a group. One that is a member already keeps its place.
    ///
    /// # Errors
    /// If it is a member of as many groups as it may be.
    pub(super) fn join(&mut self, actor: &ActorName, group: GroupName) -> Result<(), Refused> {
        let places = self.places.entry(actor.clone()).or_default();
        if places.contains_key(&group) {
            return Ok(());
        }
        if places.len() >= GROUPS {
            return Err(Refused::Groups);
        }
        self.given += 1;
        places.insert(group.clone(), self.given);
        self.members.entry(group).or_default().insert(self.given, actor.clone());
        Ok(())
    }

    pub(super) fn leave(&mut self, actor: &ActorName, group: &GroupName) {
        let Some(places) = self.places.get_mut(actor) else { return };
        let Some(place) = places.remove(group) else { return };
        if places.is_empty() {
            self.places.remove(actor);
        }
        self.vacate(group, place);
    }

    pub(super) fn leave_all(&mut self, actor: &ActorName) {
        for (group, place) in self.places.remove(actor).unwrap_or_default() {
            self.vacate(&group, place);
        }
    }

    fn vacate(&mut self, group: &GroupName, place: u64) {
        let Some(members) = self.members.get_mut(group) else { return };
        members.remove(&place);
        if members.is_empty() {
            self.members.remove(group);
        }
    }

    /// Whether an actor is in any.
    pub(super) fn has(&self, actor: &ActorName) -> bool {
        self.places.get(actor).is_some_and(|places| !places.is_empty())
    }

    /// All of them, in the order of their names, and how many members each has.
    pub(super) fn counts(&self) -> Vec<(GroupName, usize)> {
        let mut counts: Vec<_> = self.members.iter().map(|(group, members)| (group.clone(), members.len())).collect();
        counts.sort_by(|(a, _), (b, _)| a.as_str().cmp(b.as_str()));
        counts
    }

    /// In the order in which they came.
    pub(super) fn members(&self, group: &GroupName) -> impl Iterator<Item = &ActorName> {
        self.members.get(group).into_iter().flat_map(BTreeMap::values)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(name: &str) -> ActorName {
        ActorName::new(name).expect("valid")
    }

    fn group(name: &str) -> GroupName {
        GroupName::new(name).expect("valid")
    }

    fn members(groups: &Groups, of: &str) -> Vec<String> {
        groups.members(&group(of)).map(ToString::to_string).collect()
    }

    #[test]
    fn members_stand_in_the_order_in_which_they_came() {
        let mut groups = Groups::default();
        for member in ["c", "a", "b", "a"] {
            groups.join(&name(member), group("workers")).expect("room");
        }
        assert_eq!(members(&groups, "workers"), ["c", "a", "b"]);
        groups.leave(&name("c"), &group("workers"));
        groups.join(&name("c"), group("workers")).expect("room");
        assert_eq!(members(&groups, "workers"), ["a", "b", "c"], "who comes again comes last");
        assert_eq!(members(&groups, "others"), [""; 0], "an unknown group has none");
        groups.join(&name("a"), group("others")).expect("room");
        assert_eq!(groups.counts(), [(group("others"), 1), (group("workers"), 3)]);
    }

    #[test]
    fn who_leaves_leaves_nothing_behind() {
        let mut groups = Groups::default();
        for of in ["1", "2", "3"] {
            groups.join(&name("a"), group(of)).expect("room");
        }
        groups.leave(&name("a"), &group("2"));
        groups.leave(&name("a"), &group("2"));
        groups.leave(&name("b"), &group("1"));
        assert_eq!((members(&groups, "1"), members(&groups, "2")), (vec!["a".into()], Vec::new()));
        groups.leave_all(&name("a"));
        assert!(groups.members.is_empty() && groups.places.is_empty());
    }

    #[test]
    fn an_actor_has_only_so_many_groups_and_a_group_any_number_of_members() {
        let mut groups = Groups::default();
        for n in 0..GROUPS {
            groups.join(&name("a"), group(&n.to_string())).expect("room");
        }
        assert_eq!(groups.join(&name("a"), group("more")), Err(Refused::Groups));
        groups.join(&name("a"), group("0")).expect("it is a member already");
        for n in 0..10_000 {
            groups.join(&name(&format!("w/{n}")), group("many")).expect("room");
        }
        assert_eq!(groups.members(&group("many")).count(), 10_000);
    }
}
