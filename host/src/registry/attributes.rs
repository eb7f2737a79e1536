//! What is known of actors under their names, found from either side.

use std::collections::{BTreeSet, HashMap};

use super::Refused;
use crate::model::{ATTRIBUTES, ActorName, Attributes, check_attribute};

/// Each actor's attributes, and whom each value stands for.
#[derive(Debug, Default)]
pub(super) struct Known {
    of: HashMap<ActorName, Attributes>,
    /// By key, then by value.
    having: HashMap<String, HashMap<String, BTreeSet<ActorName>>>,
}

impl Known {
    /// Gives an attribute a value; none: removes it.
    ///
    /// # Errors
    /// If the key or the value cannot be used, or the actor has as many attributes as it may have.
    pub(super) fn set(&mut self, actor: &ActorName, key: String, value: Option<String>) -> Result<(), Refused> {
        let Some(value) = value else {
            self.remove(actor, &key);
            return Ok(());
        };
        check_attribute(&key, &value).map_err(Refused::Attribute)?;
        let own = self.of.get(actor);
        if own.is_some_and(|own| own.len() >= ATTRIBUTES && !own.contains_key(&key)) {
            return Err(Refused::Attributes);
        }
        self.remove(actor, &key);
        let values = self.having.entry(key.clone()).or_default();
        values.entry(value.clone()).or_default().insert(actor.clone());
        self.of.entry(actor.clone()).or_default().insert(key, value);
        Ok(())
    }

    fn remove(&mut self, actor: &ActorName, key: &str) {
        let Some(own) = self.of.get_mut(actor) else { return };
        let Some(value) = own.remove(key) else { return };
        if own.is_empty() {
            self.of.remove(actor);
        }
        self.unlist(actor, key, &value);
    }

    pub(super) fn remove_all(&mut self, actor: &ActorName) {
        for (key, value) in self.of.remove(actor).unwrap_or_default() {
            self.unlist(actor, &key, &value);
        }
    }

    fn unlist(&mut self, actor: &ActorName, key: &str, value: &str) {
        let Some(values) = self.having.get_mut(key) else { return };
        let Some(actors) = values.get_mut(value) else { return };
        actors.remove(actor);
        if actors.is_empty() {
            values.remove(value);
        }
        if values.is_empty() {
            self.having.remove(key);
        }
    }

    /// Whether these are an actor's attributes.
    pub(super) fn is(&self, actor: &ActorName, attributes: &Attributes) -> bool {
        self.of.get(actor).map_or(attributes.is_empty(), |own| own == attributes)
    }

    pub(super) fn get(&self, actor: &ActorName, key: &str) -> Option<&String> {
        self.of.get(actor)?.get(key)
    }

    /// In the order of their names.
    pub(super) fn having(&self, key: &str, value: &str) -> impl Iterator<Item = &ActorName> {
        self.having.get(key).and_then(|values| values.get(value)).into_iter().flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(name: &str) -> ActorName {
        ActorName::new(name).expect("valid")
    }

    fn set(known: &mut Known, actor: &str, key: &str, value: Option<&str>) -> Result<(), Refused> {
        known.set(&name(actor), key.into(), value.map(Into::into))
    }

    fn having(known: &Known, key: &str, value: &str) -> Vec<String> {
        known.having(key, value).map(ToString::to_string).collect()
    }

    #[test]
    fn actors_are_found_by_what_is_known_of_them() {
        let mut known = Known::default();
        for (actor, region) in [("c", "eu"), ("a", "eu"), ("b", "us")] {
            set(&mut known, actor, "region", Some(region)).expect("fine");
        }
        assert_eq!(having(&known, "region", "eu"), ["a", "c"], "in the order of their names");
        assert_eq!(known.get(&name("b"), "region").map(String::as_str), Some("us"));
        assert_eq!(known.get(&name("b"), "zone"), None);
        set(&mut known, "a", "region", Some("us")).expect("fine");
        assert_eq!((having(&known, "region", "eu"), having(&known, "region", "us").len()), (vec!["c".into()], 2));
        assert_eq!(having(&known, "eu", "region"), [""; 0]);
    }

    #[test]
    fn what_is_removed_leaves_nothing_behind() {
        let mut known = Known::default();
        for (actor, key) in [("a", "x"), ("a", "y"), ("b", "x")] {
            set(&mut known, actor, key, Some("1")).expect("fine");
        }
        set(&mut known, "a", "x", None).expect("fine");
        set(&mut known, "a", "never", None).expect("nothing to remove");
        assert_eq!((having(&known, "x", "1"), having(&known, "y", "1")), (vec!["b".into()], vec!["a".into()]));
        known.remove_all(&name("a"));
        known.remove_all(&name("b"));
        assert!(known.of.is_empty() && known.having.is_empty());
    }

    #[test]
    fn attributes_are_bounded_and_checked() {
        let mut known = Known::default();
        for n in 0..ATTRIBUTES {
            set(&mut known, "a", &n.to_string(), Some("")).expect("room");
        }
        assert_eq!(set(&mut known, "a", "more", Some("")), Err(Refused::Attributes));
        set(&mut known, "a", "0", Some("another value")).expect("it is there already");
        assert!(matches!(set(&mut known, "b", "", Some("")), Err(Refused::Attribute(_))));
        assert!(!known.of.contains_key(&name("b")));
    }
}
