//! Cells by name, in parts: whoever looks for one waits for none who looks for another, unless both are in the same part.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, PoisonError, RwLock};

use crate::actor::Cell;
use crate::model::ActorName;

/// Parts. With some more than there are processors few meet in one.
const SHARDS: usize = 64;

type Shard = HashMap<ActorName, Arc<Cell>>;

/// Changed under the book's own lock alone.
#[derive(Debug)]
pub(super) struct Cells([RwLock<Shard>; SHARDS]);

impl Default for Cells {
    fn default() -> Self {
        Self(std::array::from_fn(|_| RwLock::default()))
    }
}

impl Cells {
    /// Names often differ in their last letters alone. Which part a name is in says nothing of how long it is looked for
    /// there.
    fn shard(&self, name: &ActorName) -> &RwLock<Shard> {
        let mixed = name.as_str().bytes().rev().take(8).fold(0_u64, |mixed, byte| {
            let product = (mixed ^ u64::from(byte)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
            product ^ (product >> 32)
        });
        &self.0[mixed as usize % SHARDS]
    }

    pub(super) fn get(&self, name: &ActorName) -> Option<Arc<Cell>> {
        // Entries come and go whole.
        self.shard(name).read().unwrap_or_else(PoisonError::into_inner).get(name).cloned()
    }

    pub(super) fn has(&self, name: &ActorName) -> bool {
        self.shard(name).read().unwrap_or_else(PoisonError::into_inner).contains_key(name)
    }

    /// Adds a cell under its name.
    ///
    /// # Errors
    /// With the one that has the name.
    pub(super) fn add(&self, cell: Arc<Cell>) -> Result<(), Arc<Cell>> {
        let mut shard = self.shard(cell.name()).write().unwrap_or_else(PoisonError::into_inner);
        match shard.entry(cell.name().clone()) {
            Entry::Occupied(taken) => Err(taken.get().clone()),
            Entry::Vacant(free) => {
                free.insert(cell);
                Ok(())
            }
        }
    }

    pub(super) fn remove(&self, name: &ActorName) {
        let removed = self.shard(name).write().unwrap_or_else(PoisonError::into_inner).remove(name);
        // Beside the lock: it may be the last one who knows of it.
        drop(removed);
    }

    /// Those whose names are wanted, in no order.
    pub(super) fn some(&self, wanted: impl Fn(&ActorName) -> bool) -> Vec<Arc<Cell>> {
        let mut found = Vec::new();
        for shard in &self.0 {
            let shard = shard.read().unwrap_or_else(PoisonError::into_inner);
            found.extend(shard.values().filter(|cell| wanted(cell.name())).cloned());
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;
    use crate::model::{ActorSpec, PluginName};

    #[test]
    fn names_that_differ_in_their_numbers_are_spread_over_the_parts() {
        let cells = Cells::default();
        let mut parts: HashMap<usize, usize> = HashMap::new();
        for n in 0..10_000 {
            let name = ActorName::new(&format!("cart/{n}")).expect("valid");
            let shard: *const _ = cells.shard(&name);
            *parts.entry(shard.addr()).or_default() += 1;
        }
        let most = parts.values().max().copied().unwrap_or(0);
        assert!(parts.len() == SHARDS && most < 10_000 / SHARDS * 2, "{} parts, {most} in one", parts.len());
    }

    #[test]
    fn a_name_is_one_cells_until_that_is_removed() {
        let cells = Cells::default();
        let cell = |name: &str| {
            let plugin = PluginName::new("p").expect("valid");
            Arc::new(Cell::new(ActorSpec::new(ActorName::new(name).expect("valid"), plugin)))
        };
        let (first, second) = (cell("a"), cell("a"));
        cells.add(first.clone()).expect("free");
        let taken = cells.add(second.clone()).expect_err("taken");
        assert!(
            Arc::ptr_eq(&taken, &first) && cells.get(first.name()).is_some_and(|found| Arc::ptr_eq(&found, &first))
        );
        cells.remove(first.name());
        assert!(!cells.has(first.name()) && cells.add(second).is_ok());
        assert_eq!(cells.some(|_| true).len(), 1);
    }
}
