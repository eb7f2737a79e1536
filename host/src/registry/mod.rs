//! Names and who bears them: the one place that says whether a name is taken, which groups its actor is in, and what else
//! is known of it. That belongs to the name: it outlives instances, and goes when the name is freed. Who hears of whose end
//! belongs to instances, and goes with them.

mod attributes;
mod cells;
mod groups;
mod sleepers;
#[cfg(test)]
mod tests;
mod watch;

use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use tokio::sync::oneshot;

use crate::actor::{Cell, ExitSignal, bounded};
use crate::model::{
    ATTRIBUTES, ActorName, ActorSpec, ExitReason, GROUPS, GroupName, Message, NameError, Phase, PluginName, log_of,
};
use attributes::Known;
use cells::Cells;
use groups::Groups;
use sleepers::Sleepers;
use watch::{Audience, LIBRARY_WATCHES, WATCHES, Watches};

/// The actors of this host, by name. Who has a name is asked with each message, and needs no lock that all share; all else
/// is in one book.
#[derive(Debug)]
pub(crate) struct Registry {
    cells: Arc<Cells>,
    book: RwLock<Book>,
}

#[derive(Debug, Default)]
struct Book {
    cells: Arc<Cells>,
    groups: Groups,
    known: Known,
    asleep: Sleepers,
    watches: Watches,
    /// Whether actors that are listed may still turn up.
    starting: bool,
}

/// Why something was not entered. Nothing was changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refused {
    #[error("it is a member of {GROUPS} groups already, and no more are allowed")]
    Groups,
    #[error("it has {ATTRIBUTES} attributes already, and no more are allowed")]
    Attributes,
    #[error(transparent)]
    Attribute(NameError),
    #[error("`{0}` watches {WATCHES} others already, or has not handled as many notices yet, and no more are allowed")]
    Watches(ActorName),
    #[error("{LIBRARY_WATCHES} watch it already, and no more are allowed")]
    Library,
    #[error("its name is no longer its own")]
    Gone,
}

impl Default for Registry {
    fn default() -> Self {
        let cells: Arc<Cells> = Arc::default();
        Self { book: RwLock::new(Book { cells: cells.clone(), ..Book::default() }), cells }
    }
}

impl Registry {
    fn read(&self) -> RwLockReadGuard<'_, Book> {
        // Every change below is complete before anything can panic.
        self.book.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Book> {
        self.book.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a name, with the groups and attributes of its spec.
    ///
    /// # Errors
    /// With the one that has it.
    pub(crate) fn register(&self, cell: Arc<Cell>) -> Result<Arc<Cell>, Arc<Cell>> {
        let book = &mut *self.write();
        book.cells.add(cell.clone())?;
        let actor = cell.name();
        // Of one that slept, all that belongs to its name is here still.
        if book.asleep.wake(actor) {
            cell.rest.has_slept();
            return Ok(cell);
        }
        let joined = cell.spec.groups.iter().map(|group| book.groups.join(actor, group.clone()));
        let attributes = cell.spec.attributes.iter();
        let set = attributes.map(|(key, value)| book.known.set(actor, key.clone(), Some(value.clone())));
        for refused in joined.chain(set).filter_map(Result::err) {
            log_of!(warn, cell.label(), %refused, "its specification has more than it may have");
        }
        Ok(cell)
    }

    /// Frees a name, if this very cell has it. Whoever came to watch it since its last instance ended hears that there is
    /// none.
    pub(crate) fn unregister(&self, cell: &Arc<Cell>) {
        let book = &mut *self.write();
        if book.is_registered(cell) {
            book.cells.remove(cell.name());
            book.groups.leave_all(cell.name());
            book.known.remove_all(cell.name());
            book.tell(cell.name(), &ExitReason::Noproc);
        }
    }

    /// Lets a sleeper go, its name apart: see [`Post::let_go`](crate::actor::Post::let_go). Nothing changes for those who watch
    /// it or know its attributes.
    pub(crate) fn let_go(&self, cell: &Arc<Cell>) -> bool {
        let book = &mut *self.write();
        if !book.is_registered(cell) || book.is_bound(cell) || !cell.has_no_past() || !cell.move_out() {
            return false;
        }
        // Whoever still holds the cell sees that nobody runs in it.
        cell.enter(Phase::Stopping);
        book.cells.remove(cell.name());
        book.asleep.add(cell.name().clone(), &cell.spec.plugin);
        true
    }

    /// An actor sleeps that slept when the host started.
    pub(crate) fn sleeps(&self, spec: &ActorSpec) {
        let book = &mut *self.write();
        if book.cells.has(&spec.name) || !spec.groups.is_empty() {
            return;
        }
        book.asleep.add(spec.name.clone(), &spec.plugin);
        for (key, value) in &spec.attributes {
            // It was checked with the template.
            drop(book.known.set(&spec.name, key.clone(), Some(value.clone())));
        }
    }

    /// Whether an actor takes part in what others do even while it sleeps.
    pub(crate) fn is_bound(&self, cell: &Cell) -> bool {
        self.read().is_bound(cell)
    }

    /// The plugin of an actor that sleeps and has no cell.
    pub(crate) fn asleep(&self, name: &ActorName) -> Option<PluginName> {
        self.read().asleep.plugin(name).cloned()
    }

    /// Those that sleep and have no cell, after `after` and in the order of their names: `limit` at most, with their plugins.
    pub(crate) fn sleepers(
        &self,
        after: Option<&ActorName>,
        wanted: impl Fn(&ActorName) -> bool,
        limit: usize,
    ) -> Vec<(ActorName, PluginName)> {
        let book = self.read();
        let found = book.asleep.after(after).filter(|(name, _)| wanted(name)).take(limit);
        found.map(|(name, plugin)| (name.clone(), plugin.clone())).collect()
    }

    /// How many they are, by plugin.
    pub(crate) fn count_sleepers(&self) -> Vec<(PluginName, usize)> {
        self.read().asleep.counts().map(|(plugin, count)| (plugin.clone(), count)).collect()
    }

    pub(crate) fn whereis(&self, name: &ActorName) -> Option<Arc<Cell>> {
        self.cells.get(name)
    }

    /// Waits until a change that is being made is made: whoever has found a cell that has moved out finds the name free then, or
    /// the next cell.
    pub(crate) fn settle(&self) {
        drop(self.read());
    }

    /// All of them, in the order of their names.
    pub(crate) fn all(&self) -> Vec<Arc<Cell>> {
        self.some(|_| true)
    }

    /// Those whose names are wanted, in the order of their names.
    pub(crate) fn some(&self, wanted: impl Fn(&ActorName) -> bool) -> Vec<Arc<Cell>> {
        let mut found = self.cells.some(wanted);
        found.sort_by(|a, b| a.name().cmp(b.name()));
        found
    }

    /// Makes an actor a member of a group, behind those that are there.
    ///
    /// # Errors
    /// If it is in too many, or its name is not its own.
    pub(crate) fn join(&self, cell: &Cell, group: GroupName) -> Result<(), Refused> {
        self.write().own(cell)?.groups.join(cell.name(), group)
    }

    pub(crate) fn leave(&self, cell: &Cell, group: &GroupName) {
        // Who has lost its name has left all groups.
        if let Ok(book) = self.write().own(cell) {
            book.groups.leave(cell.name(), group);
        }
    }

    /// The members of a group, in the order in which they came.
    pub(crate) fn members(&self, group: &GroupName) -> Vec<ActorName> {
        self.read().groups.members(group).cloned().collect()
    }

    /// The groups, in the order of their names, and how many members each has.
    pub(crate) fn groups(&self) -> Vec<(GroupName, usize)> {
        self.read().groups.counts()
    }

    /// The same, to be sent to.
    pub(crate) fn targets(&self, group: &GroupName) -> Vec<Arc<Cell>> {
        let book = self.read();
        book.groups.members(group).filter_map(|member| book.cells.get(member)).collect()
    }

    /// Gives an attribute a value; none: removes it.
    ///
    /// # Errors
    /// If the attribute cannot be used, there are too many, or the actor's name is not its own.
    pub(crate) fn set_attribute(&self, cell: &Cell, key: String, value: Option<String>) -> Result<(), Refused> {
        self.write().own(cell)?.known.set(cell.name(), key, value)
    }

    pub(crate) fn attribute(&self, actor: &ActorName, key: &str) -> Option<String> {
        self.read().known.get(actor, key).cloned()
    }

    /// The actors whose attribute `key` is `value`, in the order of their names.
    pub(crate) fn having(&self, key: &str, value: &str) -> Vec<ActorName> {
        self.read().known.having(key, value).cloned().collect()
    }

    /// From now on the listed actors are started: nobody is told that one is not there which may still turn up.
    pub(crate) fn starting(&self) {
        self.write().starting = true;
    }

    /// They have been started: who watches one that is not there hears so now.
    pub(crate) fn started(&self) {
        let book = &mut *self.write();
        book.starting = false;
        for actor in book.watches.monitored() {
            if book.is_up(&actor).is_none() && !book.asleep.has(&actor) {
                book.tell(&actor, &ExitReason::Noproc);
            }
        }
    }

    /// Lets an actor be told once when another one ends; at once if that one is not there, and no listed one may turn up.
    ///
    /// # Errors
    /// If it watches too many, or its name is not its own.
    pub(crate) fn monitor(&self, from: &Cell, to: &ActorName) -> Result<(), Refused> {
        let mut book = self.write();
        let book = book.own(from)?;
        // Nobody hears of its own end.
        if from.name() == to || book.watches.monitors(from.name(), to) {
            return Ok(());
        }
        book.room(from)?;
        match book.is_up(to) {
            Some(_) => book.watches.monitor(from.name(), to),
            None if book.starting || book.asleep.has(to) => book.watches.monitor(from.name(), to),
            None => from.mailbox.notice(Message::Down(to.clone(), ExitReason::Noproc.to_string())),
        }
        Ok(())
    }

    pub(crate) fn demonitor(&self, from: &Cell, to: &ActorName) {
        if let Ok(book) = self.write().own(from) {
            book.watches.demonitor(from.name(), to);
        }
    }

    /// Links two actors: each hears of the other's end. If the other one is not there, this one hears so at once.
    ///
    /// # Errors
    /// If either of them watches too many, or this one's name is not its own.
    pub(crate) fn link(&self, from: &Cell, to: &ActorName) -> Result<(), Refused> {
        let mut book = self.write();
        let book = book.own(from)?;
        if from.name() == to || book.watches.linked(from.name(), to) {
            return Ok(());
        }
        book.room(from)?;
        match book.is_up(to) {
            Some(other) => {
                book.room(&other)?;
                book.watches.link(from.name(), to);
            }
            // A link's exit is always taken.
            None => drop(from.hear_exit(ExitSignal::of_link(to.clone(), &ExitReason::Noproc))),
        }
        Ok(())
    }

    pub(crate) fn unlink(&self, from: &Cell, to: &ActorName) {
        if let Ok(book) = self.write().own(from) {
            book.watches.unlink(from.name(), to);
            from.forget_link(to);
        }
    }

    /// What resolves with the reason when the instance of an actor ends; at once if it is not there.
    ///
    /// # Errors
    /// If too many watch it.
    pub(crate) fn watch(&self, actor: &ActorName) -> Result<oneshot::Receiver<ExitReason>, Refused> {
        let mut book = self.write();
        if book.is_up(actor).is_some() || book.asleep.has(actor) {
            return book.watches.library(actor);
        }
        let (tell, heard) = oneshot::channel();
        drop(tell.send(ExitReason::Noproc));
        Ok(heard)
    }

    /// An actor's instance has ended: those who watch it hear why, and what it watched itself is forgotten. Also for an
    /// actor that stays down without another instance: whoever came to watch it since hears it now.
    pub(crate) fn ended(&self, cell: &Cell, reason: &ExitReason) {
        if let Ok(book) = self.write().own(cell) {
            book.tell(cell.name(), reason);
        }
    }
}

impl Book {
    /// Whether this very cell has its name: another one may have it by now.
    fn is_registered(&self, cell: &Cell) -> bool {
        self.cells.get(cell.name()).is_some_and(|registered| std::ptr::eq(Arc::as_ptr(&registered), cell))
    }

    /// An actor with an instance, or about to have one.
    fn is_up(&self, actor: &ActorName) -> Option<Arc<Cell>> {
        self.cells.get(actor).filter(|cell| cell.status().phase != Phase::Failed)
    }

    fn is_bound(&self, cell: &Cell) -> bool {
        let name = cell.name();
        self.groups.has(name) || self.watches.count(name) > 0 || !self.known.is(name, &cell.spec.attributes)
    }

    fn room(&self, cell: &Cell) -> Result<(), Refused> {
        match self.watches.count(cell.name()) + cell.mailbox.notices() < WATCHES {
            true => Ok(()),
            false => Err(Refused::Watches(cell.name().clone())),
        }
    }

    /// Under the same lock as all that changes who watches: nobody hears of what it had just ceased to watch.
    fn tell(&mut self, actor: &ActorName, reason: &ExitReason) {
        let reason = bounded(reason);
        let text = reason.to_string();
        let Audience { monitored_by, linked, library } = self.watches.ended(actor);
        for cell in linked.iter().filter_map(|name| self.cells.get(name)) {
            // A link's exit is always taken.
            drop(cell.hear_exit(ExitSignal::of_link(actor.clone(), &reason)));
        }
        for cell in monitored_by.iter().filter_map(|name| self.cells.get(name)) {
            cell.mailbox.notice(Message::Down(actor.clone(), text.clone()));
        }
        for watcher in library {
            // One that is gone does not miss it.
            drop(watcher.send(reason.clone()));
        }
    }

    /// The book, for a cell that has its name.
    fn own(&mut self, cell: &Cell) -> Result<&mut Self, Refused> {
        if self.is_registered(cell) { Ok(self) } else { Err(Refused::Gone) }
    }
}
