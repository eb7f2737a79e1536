//! What an operator does to the states of a host at work: an actor that runs is left alone, or stopped in good order,
//! changed, and started again.

use std::path::Path;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use tokio::sync::mpsc;

use super::Host;
use crate::model::{ActorName, ActorSpec, ChildState, ErrorCode, HostError, Phase, Saved};
use crate::store::tools::{
    self, Changed, Consent, Contents, Ended, Images, Imported, Loss, Selection, ToolError, Writer,
};
use crate::store::{Image, SnapshotStore};

/// How often an actor that was started meanwhile, by a message for instance, is stopped again for one change.
const ATTEMPTS: u32 = 3;

/// What stands around a change: what must be known to decide on it, and what became of the actor.
trait Change {
    fn loss(&self) -> &Loss;
    /// Whether there is nothing to do, so that nobody needs to be stopped.
    fn is_idle(&self) -> bool;
    fn tell(&mut self, runs: Option<String>, ended: Option<Ended>);
}

impl Change for Changed {
    fn loss(&self) -> &Loss {
        &self.loss
    }

    fn is_idle(&self) -> bool {
        self.idle
    }

    fn tell(&mut self, runs: Option<String>, ended: Option<Ended>) {
        (self.runs, self.ended) = (runs, ended);
    }
}

impl Change for Imported {
    fn loss(&self) -> &Loss {
        &self.loss
    }

    fn is_idle(&self) -> bool {
        matches!(self.taken, tools::Taken::Skipped | tools::Taken::Refused)
    }

    fn tell(&mut self, runs: Option<String>, ended: Option<Ended>) {
        (self.runs, self.ended) = (runs, ended);
    }
}

/// A child that was stopped for a change.
struct Stopped {
    above: Option<ActorName>,
    spec: Option<ActorSpec>,
    saved: Saved,
}

/// A change: told what it would do, or made.
type Act<'a, T> = &'a (dyn Fn(bool) -> BoxFuture<'a, Result<T, ToolError>> + Send + Sync);

impl Host {
    /// Writes the state of an earlier record as a new one: of the record `to`, or of the one before the current one. The
    /// messages that wait in the current record are kept, timers and monitors are those of the earlier one, and the actor is
    /// told `restored`. The current record stays in the history. Without `consent.yes` it is only said what would be lost.
    ///
    /// # Errors
    /// `NotStored`, `NoRecord`, `Unfit` if the record is damaged or holds no state; `Running` if the actor runs and
    /// `consent.stop_it` is not said; `Moved` if someone else writes meanwhile; `Store`, `Host`. Nothing was changed then.
    pub async fn rollback(&self, actor: &ActorName, to: Option<u64>, consent: Consent) -> Result<Changed, ToolError> {
        let (store, writer) = (self.keep(), Writer::new());
        // Read before anybody is stopped: the record that a stop writes must not push it out, nor shift "the one before".
        let back = tools::prepare_rollback(store, actor, to).await?;
        self.change(actor, consent, &|really| {
            let (back, writer) = (&back, &writer);
            Box::pin(async move { if really { back.write(store, writer).await } else { Ok(back.plan()) } })
        })
        .await
    }

    /// Copies the state of a record of `from`, or of its current one, to another actor, with its timers and monitors. What
    /// waits for `from`, what it has sent and what it has replied are not copied. A state of `to` is replaced only if
    /// `replace` says so, and then needs `consent.yes`; its records stay in its history. `from` may run, `to` may not.
    ///
    /// # Errors
    /// As [`Host::rollback`]; and `Exists`.
    pub async fn fork(
        &self,
        (from, record): (&ActorName, Option<u64>),
        (to, replace): (&ActorName, bool),
        consent: Consent,
    ) -> Result<Changed, ToolError> {
        let (store, writer) = (self.keep(), Writer::new());
        self.change(to, consent, &|really| Box::pin(tools::fork(store, &writer, (from, record), (to, replace), really)))
            .await
    }

    /// Drops all but the newest `keep` records of an actor; none: as many as the store keeps. At least one stays. With
    /// `consent.running` an actor that runs goes on meanwhile: it does not notice.
    ///
    /// # Errors
    /// As [`Host::rollback`].
    pub async fn prune(&self, actor: &ActorName, keep: Option<usize>, consent: Consent) -> Result<Changed, ToolError> {
        let store = self.keep();
        let keep = keep.unwrap_or(store.capabilities().history);
        let act = |really| -> BoxFuture<'_, _> { Box::pin(tools::prune(store, actor, keep, really)) };
        if consent.running { tools::with_consent(consent, act).await } else { self.change(actor, consent, &act).await }
    }

    /// Erases an actor's state, history and quarantine for good. An actor that was stopped for it starts again with
    /// nothing. What [`Changed::notes`] says is not reached by it.
    ///
    /// # Errors
    /// As [`Host::rollback`].
    pub async fn forget(&self, actor: &ActorName, consent: Consent) -> Result<Changed, ToolError> {
        let (store, writer) = (self.keep(), Writer::new());
        self.change(actor, consent, &|really| Box::pin(tools::forget(store, &writer, actor, really))).await
    }

    /// Forgets which plugins have refused an actor's records, so that the same ones try again. Nothing is lost by it.
    ///
    /// # Errors
    /// As [`Host::rollback`].
    pub async fn retry(&self, actor: &ActorName, consent: Consent) -> Result<Changed, ToolError> {
        let store = self.keep();
        self.change(actor, consent, &|really| Box::pin(tools::retry(store, actor, really))).await
    }

    /// Makes a new head for an actor whose head is damaged, of the records that are there: see [`tools::repair`].
    ///
    /// # Errors
    /// As [`Host::rollback`].
    pub async fn repair(&self, actor: &ActorName, consent: Consent) -> Result<Changed, ToolError> {
        let store = self.keep();
        self.change(actor, consent, &|really| Box::pin(tools::repair(store, actor, really))).await
    }

    /// Erases what lies in quarantine for an actor: all of it, or the copies of one record. `consent.running` as for
    /// [`Host::prune`].
    ///
    /// # Errors
    /// As [`Host::rollback`].
    pub async fn discard(
        &self,
        actor: &ActorName,
        record: Option<u64>,
        consent: Consent,
    ) -> Result<Changed, ToolError> {
        let store = self.keep();
        let act = |really| -> BoxFuture<'_, _> { Box::pin(tools::discard(store, actor, record, really)) };
        if consent.running { tools::with_consent(consent, act).await } else { self.change(actor, consent, &act).await }
    }

    /// The bytes of an export, while the actors work on: see [`tools::export`].
    #[must_use]
    pub fn export(&self, wanted: Selection) -> mpsc::Receiver<Bytes> {
        tools::export(self.store().clone(), wanted)
    }

    /// Writes an export into a file, while the actors work on. The file gets its name only once it is whole, synced, and
    /// read back.
    ///
    /// # Errors
    /// `File` if it cannot be written, or the store fails meanwhile: what stands at `path` is as it was.
    pub async fn export_to(&self, path: &Path, wanted: Selection) -> Result<Contents, ToolError> {
        tools::export_to_file(self.export(wanted), path).await
    }

    /// Takes one actor of an export over. What is there already is replaced only if `replace` says so; then it is a dry run
    /// without `consent.yes`, for actors of which nothing is there as well.
    ///
    /// # Errors
    /// As [`Host::rollback`].
    pub async fn import(
        &self,
        actor: &ActorName,
        image: &Image,
        replace: bool,
        consent: Consent,
    ) -> Result<Imported, ToolError> {
        let store = self.keep();
        let act = |really| -> BoxFuture<'_, _> { Box::pin(tools::import(store, actor, image, replace, really)) };
        if replace && !consent.yes {
            let mut told = act(false).await?;
            if !told.is_idle() {
                told.runs = self.runs(actor).await?;
            }
            return Ok(told);
        }
        self.change(actor, consent, &act).await
    }

    /// Takes the actors of an export file over, one after the other, after all of the file was checked. One that is refused
    /// does not keep the others out: the answer says what became of each.
    ///
    /// # Errors
    /// `File` if it is not a whole export: nothing was changed.
    pub async fn import_from(
        &self,
        path: &Path,
        wanted: Selection,
        replace: bool,
        consent: Consent,
    ) -> Result<Vec<Imported>, ToolError> {
        let mut images = Images::open(path, wanted).await?;
        let mut all = Vec::new();
        while let Some((actor, image)) = images.next().await? {
            let imported = self.import(&actor, &image, replace, consent).await;
            all.push(imported.unwrap_or_else(|why| Imported::refused(&actor, &image, &why)));
        }
        Ok(all)
    }

    fn keep(&self) -> &dyn SnapshotStore {
        self.store().as_ref()
    }

    /// Makes a change, or says what it would do where it needs a consent that was not given. Nobody is stopped for one that
    /// would fail anyway.
    async fn change<'a, T: Change>(
        &'a self,
        actor: &'a ActorName,
        consent: Consent,
        act: Act<'a, T>,
    ) -> Result<T, ToolError> {
        let mut told = act(false).await?;
        let mut runs = self.runs(actor).await?;
        if told.is_idle() {
            return Ok(told);
        }
        if !consent.allows(told.loss()) {
            told.tell(runs, None);
            return Ok(told);
        }
        let mut attempts = ATTEMPTS;
        loop {
            attempts -= 1;
            let stopped = match runs.take() {
                Some(phase) if !consent.stop_it => {
                    return Err(ToolError::Running { actor: actor.clone(), phase });
                }
                Some(_) => self.stop_for_change(actor).await?,
                None => None,
            };
            let made = act(true).await;
            let ended = match stopped {
                Some(stopped) => Some(self.start_after_change(actor, stopped).await),
                None => None,
            };
            match made {
                Ok(mut made) => {
                    made.tell(None, ended);
                    return Ok(made);
                }
                Err(ToolError::Moved { .. }) if consent.stop_it && attempts > 0 => {
                    runs = self.runs(actor).await?;
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Where an actor stands, if it runs, is about to, or is held: then its head may be written at any moment.
    async fn runs(&self, actor: &ActorName) -> Result<Option<String>, ToolError> {
        let here = self.actor(actor).map(|info| info.phase).filter(|phase| *phase != Phase::Failed);
        // One that sleeps has given its head up, and reads it anew when it wakes.
        if here == Some(Phase::Asleep) {
            return Ok(None);
        }
        if let Some(phase) = here {
            return Ok(Some(phase.to_string()));
        }
        let child = self.child(actor).await?.filter(|child| child.supervises.is_none());
        let up = |state: &ChildState| !matches!(state, ChildState::Down | ChildState::Failed);
        Ok(child.map(|child| child.state).filter(up).map(|state| state.to_string()))
    }

    async fn stop_for_change(&self, actor: &ActorName) -> Result<Option<Stopped>, ToolError> {
        let above = self.child(actor).await?.and_then(|child| child.supervisor);
        let spec = self.0.registry.whereis(actor).map(|cell| cell.spec.clone());
        match self.stop(actor).await {
            Ok(saved) => Ok(Some(Stopped { above, spec, saved })),
            // It has ended by itself.
            Err(error) if error.code() == ErrorCode::UnknownActor => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// A listed child is still in the tree; all others are added anew, as they were.
    async fn start_after_change(&self, actor: &ActorName, stopped: Stopped) -> Ended {
        let Stopped { above, spec, saved } = stopped;
        let started = match (self.restart_child(actor).await, spec) {
            (Err(error), Some(spec)) if error.code() == ErrorCode::UnknownActor => {
                self.start_child(above.as_ref(), spec).await
            }
            (done, _) => done,
        };
        let not_started = match started {
            Err(error) if !was_quicker(&error) => {
                tracing::error!(%actor, %error, "it was stopped for a change, and did not start again");
                Some(error.to_string())
            }
            _ => None,
        };
        Ended { saved, not_started }
    }
}

/// Whether someone else, a message for instance, has started it.
fn was_quicker(error: &HostError) -> bool {
    matches!(error.code(), ErrorCode::AlreadyStarted | ErrorCode::Running | ErrorCode::Restarting)
}
