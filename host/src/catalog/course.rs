//! The course of a swap, as it is noted: who runs which version while it goes on.

use super::kept::Entry;
use super::lineup::{Conflict, Lineup};
use super::{Catalog, unknown};
use crate::events::PluginChange;
use crate::model::{ActorName, Digest, ErrorCode, HostError, Part, PluginName};

impl Catalog {
    /// Where a way back would lead.
    pub(crate) fn back(&self, name: &PluginName) -> Option<Digest> {
        self.lines().get(name)?.lineup.back()
    }

    /// The version whose records may be passed over: see [`Catalog::begin`].
    pub(crate) fn given_up(&self, name: &PluginName) -> Option<Digest> {
        self.lines().get(name)?.lineup.given_up()
    }

    /// Whether a swap of `part` of the actors to `to` may begin, and from where it would.
    ///
    /// # Errors
    /// If there is nothing to swap, or another swap was left half-way.
    pub(crate) fn may_begin(&self, name: &PluginName, to: Digest, part: &Part) -> Result<Digest, HostError> {
        let lines = self.lines();
        let line = lines.get(name).ok_or_else(|| unknown(name, lines.keys()))?;
        line.lineup.may_begin(to, part).map_err(|conflict| match conflict {
            Conflict::Same => {
                let what = format!("all actors of `{name}` run this very component already");
                HostError::new(ErrorCode::Swap, what)
            }
            Conflict::HalfWay(from, to) => {
                let words = |digest| {
                    let version = line.loaded(digest).map(|loaded| loaded.program.description().version.to_string());
                    format!("{} ({})", version.unwrap_or_default(), digest.short())
                };
                let what = format!("a swap of `{name}` from {} to {} was left half-way", words(from), words(to));
                HostError::new(ErrorCode::Swap, what)
                    .hint(format!("finish it by swapping that version in again, or `baton swap --back {name}`"))
            }
        })
    }

    /// A swap begins: from now on new instances run `to`, and those that run now what they run until they are switched.
    /// `back`: it leads back. `give_up`: where `to` cannot read what `from` has written, the records before that are taken instead.
    ///
    /// # Errors
    /// If that could not be noted on the disk; nothing has changed then.
    pub(crate) fn begin(
        &self,
        name: &PluginName,
        (from, to): (Digest, Digest),
        part: Part,
        (back, give_up): (bool, bool),
        running: Vec<(ActorName, Digest)>,
    ) -> Result<(), HostError> {
        self.change(name, |lineup| {
            lineup.begin(from, to, part, running);
            if back {
                lineup.leads_back();
            }
            if give_up {
                lineup.give_up(from);
            }
        })
    }

    /// An actor was switched.
    pub(crate) fn switched(&self, name: &PluginName, actor: &ActorName) {
        if let Some(line) = self.lines_mut().get_mut(name) {
            line.lineup.switched(actor);
        }
    }

    /// An actor runs a version of its own, and stays with it until it is switched.
    pub(crate) fn stays(&self, name: &PluginName, actor: &ActorName, digest: Digest) {
        if let Some(line) = self.lines_mut().get_mut(name) {
            line.lineup.stays(actor, digest);
        }
    }

    /// Whether an actor was switched from one version to the other is not known: the one that its record names counts.
    pub(crate) fn unsettled(&self, name: &PluginName, actor: &ActorName, between: (Digest, Digest)) {
        if let Some(line) = self.lines_mut().get_mut(name) {
            line.lineup.unsettled(actor, between);
        }
    }

    /// Whether that is not known of an actor.
    pub(crate) fn is_unsettled(&self, name: &PluginName, actor: &ActorName) -> bool {
        self.lines().get(name).is_some_and(|line| line.lineup.is_unsettled(actor))
    }

    /// An instance of an actor has taken its record over, and runs this version.
    pub(crate) fn settled(&self, name: &PluginName, actor: &ActorName, digest: Digest) {
        if self.is_unsettled(name, actor)
            && let Some(line) = self.lines_mut().get_mut(name)
        {
            line.lineup.settled(actor, digest);
        }
    }

    /// A swap has come to its end.
    ///
    /// # Errors
    /// If that could not be noted on the disk; in this process it counts all the same.
    pub(crate) fn finish(&self, name: &PluginName) -> Result<(), HostError> {
        let noted = self.change(name, Lineup::finish);
        if noted.is_err()
            && let Some(line) = self.lines_mut().get_mut(name)
        {
            line.lineup.finish();
        }
        noted
    }

    fn change(&self, name: &PluginName, change: impl FnOnce(&mut Lineup)) -> Result<(), HostError> {
        let mut lines = self.lines_mut();
        let line = lines.get_mut(name).ok_or_else(|| HostError::new(ErrorCode::UnknownPlugin, "it is gone"))?;
        let mut lineup = line.lineup.clone();
        change(&mut lineup);
        if let Some(kept) = &self.kept {
            kept.note(name, &Entry::new(line.configured, lineup.clone()))?;
        }
        let before = std::mem::replace(&mut line.lineup, lineup).current();
        let now = line.lineup.current();
        if let Some(loaded) = line.loaded(now).filter(|_| now != before) {
            self.tell(&loaded.program, PluginChange::Current);
        }
        Ok(())
    }
}
