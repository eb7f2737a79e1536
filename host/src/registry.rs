//! Names and who bears them: the one place that says whether a name is taken.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, PoisonError, RwLock};

use crate::actor::Cell;
use crate::model::ActorName;

/// The actors of this host, by name.
#[derive(Debug, Default)]
pub(crate) struct Registry(RwLock<HashMap<ActorName, Arc<Cell>>>);

impl Registry {
    /// Takes a name.
    ///
    /// # Errors
    /// With the one that has it.
    pub(crate) fn register(&self, cell: Arc<Cell>) -> Result<Arc<Cell>, Arc<Cell>> {
        let mut map = self.0.write().unwrap_or_else(PoisonError::into_inner);
        match map.entry(cell.name().clone()) {
            Entry::Occupied(taken) => Err(taken.get().clone()),
            Entry::Vacant(free) => Ok(free.insert(cell).clone()),
        }
    }

    /// Frees a name, if this very cell has it.
    pub(crate) fn unregister(&self, cell: &Arc<Cell>) {
        let mut map = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if map.get(cell.name()).is_some_and(|registered| Arc::ptr_eq(registered, cell)) {
            map.remove(cell.name());
        }
    }

    pub(crate) fn whereis(&self, name: &ActorName) -> Option<Arc<Cell>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).get(name).cloned()
    }

    /// All of them, in the order of their names.
    pub(crate) fn all(&self) -> Vec<Arc<Cell>> {
        let mut all: Vec<_> = self.0.read().unwrap_or_else(PoisonError::into_inner).values().cloned().collect();
        all.sort_by(|a, b| a.name().cmp(b.name()));
        all
    }
}
