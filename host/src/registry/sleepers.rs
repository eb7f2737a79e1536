//! Actors that sleep and have no cell: their names, and whose actors they are. That is all that such a one costs.

use std::collections::BTreeMap;
use std::ops::Bound;

use crate::model::{ActorName, PluginName};

/// In the order of their names.
#[derive(Debug, Default)]
pub(super) struct Sleepers {
    /// Each with the place of its plugin.
    names: BTreeMap<ActorName, u32>,
    /// How many of each there are. There are as many plugins as a host has had.
    plugins: Vec<(PluginName, usize)>,
}

impl Sleepers {
    pub(super) fn add(&mut self, actor: ActorName, plugin: &PluginName) {
        self.wake(&actor);
        let place = self.plugins.iter().position(|(known, _)| known == plugin).unwrap_or_else(|| {
            self.plugins.push((plugin.clone(), 0));
            self.plugins.len() - 1
        });
        self.plugins[place].1 += 1;
        self.names.insert(actor, u32::try_from(place).unwrap_or(u32::MAX));
    }

    /// It sleeps no more. False: it did not.
    pub(super) fn wake(&mut self, actor: &ActorName) -> bool {
        let Some(place) = self.names.remove(actor) else { return false };
        if let Some((_, count)) = self.plugins.get_mut(place as usize) {
            *count -= 1;
        }
        true
    }

    pub(super) fn has(&self, actor: &ActorName) -> bool {
        self.names.contains_key(actor)
    }

    pub(super) fn plugin(&self, actor: &ActorName) -> Option<&PluginName> {
        self.plugin_at(*self.names.get(actor)?)
    }

    fn plugin_at(&self, place: u32) -> Option<&PluginName> {
        self.plugins.get(place as usize).map(|(plugin, _)| plugin)
    }

    /// Those whose names come after `after`; none: all.
    pub(super) fn after(&self, after: Option<&ActorName>) -> impl Iterator<Item = (&ActorName, &PluginName)> {
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let range = self.names.range::<ActorName, _>((from, Bound::Unbounded));
        range.filter_map(|(name, place)| Some((name, self.plugin_at(*place)?)))
    }

    pub(super) fn counts(&self) -> impl Iterator<Item = (&PluginName, usize)> {
        self.plugins.iter().filter(|(_, count)| *count > 0).map(|(plugin, count)| (plugin, *count))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sleepers_are_counted_by_plugin_and_told_in_the_order_of_their_names() {
        let name = |text: &str| ActorName::new(text).expect("valid");
        let [p, q] = ["p", "q"].map(|text| PluginName::new(text).expect("valid"));
        let mut asleep = Sleepers::default();
        for (actor, plugin) in [("c", &p), ("a", &q), ("b", &p), ("b", &q)] {
            asleep.add(name(actor), plugin);
        }
        let told = |asleep: &Sleepers, after: Option<&ActorName>| {
            asleep.after(after).map(|(actor, plugin)| format!("{actor} {plugin}")).collect::<Vec<_>>()
        };
        assert_eq!(told(&asleep, None), ["a q", "b q", "c p"]);
        assert_eq!(told(&asleep, Some(&name("a"))), ["b q", "c p"]);
        assert!(asleep.wake(&name("b")) && !asleep.wake(&name("b")) && !asleep.has(&name("b")));
        assert_eq!(asleep.counts().collect::<Vec<_>>(), [(&p, 1), (&q, 1)]);
        assert!(asleep.wake(&name("a")));
        assert_eq!((asleep.plugin(&name("c")), asleep.counts().count()), (Some(&p), 1));
    }
}
