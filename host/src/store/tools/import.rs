//! Taking one actor of an export into a store.

use std::path::Path;

use schemars::JsonSchema;
use serde::Serialize;

use super::super::{Image, SnapshotStore, StoreError};
use super::change::Ended;
use super::file::{Contents, Export};
use super::plan::{Loss, Verdict, plan_forget_remains, plan_import};
use super::repair::make_way;
use super::{Selection, ToolError};
use crate::model::{ActorName, StopReason};

/// What became of an actor of an export.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Imported {
    /// Which.
    pub actor: ActorName,
    /// What became of it, or would.
    pub taken: Taken,
    /// Whether it took place; else it was skipped, or this is a dry run.
    pub done: bool,
    /// Its records.
    pub records: usize,
    /// Their bytes.
    pub bytes: u64,
    /// What was there and is lost.
    pub loss: Loss,
    /// Why it was skipped or refused.
    pub why: Option<String>,
    /// Where the actor stands, if it runs and would have to be stopped.
    pub runs: Option<String>,
    /// How it was stopped and started again, if it was.
    pub ended: Option<Ended>,
}

/// What becomes of an actor of an export.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Taken {
    /// Put where nothing was.
    New,
    /// Put in the place of what was there.
    Replaced,
    /// What is there stays.
    Skipped,
    /// It could not be put, or may not be.
    Refused,
}

impl Imported {
    fn of(actor: &ActorName, image: &Image, taken: Taken) -> Self {
        Self {
            actor: actor.clone(),
            taken,
            done: false,
            records: image.records.len(),
            bytes: image.records.iter().map(|bytes| bytes.len() as u64).sum(),
            loss: Loss::nothing(),
            why: None,
            runs: None,
            ended: None,
        }
    }

    /// The same actor, refused.
    #[must_use]
    pub fn refused(actor: &ActorName, image: &Image, why: &ToolError) -> Self {
        let why = match why.cure() {
            Some(cure) => format!("{why} ({cure})"),
            None => why.to_string(),
        };
        Self { why: Some(why), ..Self::of(actor, image, Taken::Refused) }
    }
}

/// Puts `image` into `store` for `actor`. A state that is there already is replaced only if `replace` says so. Unless
/// `really`, it says what it would do.
///
/// # Errors
/// `Moved` if someone else writes meanwhile; `TooLarge` if the backend does not take one of its records.
pub async fn import(
    store: &dyn SnapshotStore,
    actor: &ActorName,
    image: &Image,
    replace: bool,
    really: bool,
) -> Result<Imported, ToolError> {
    let quarantine = store.quarantined(actor).await?;
    let remains = make_way(store, actor, really && replace).await?;
    // One that is damaged still is only skipped, or part of a dry run.
    let is_damaged = remains.is_some() && !(really && replace);
    let target = if is_damaged { None } else { store.head(actor).await? };
    let verdict = match remains {
        Some(remains) if replace => Verdict::Replace(plan_forget_remains(&remains, &quarantine)),
        Some(remains) => Verdict::Skip(format!("{} here", remains.why)),
        None => plan_import(&image.head, target.as_ref().map(|(head, _)| head), &quarantine, replace),
    };
    let (taken, loss) = match verdict {
        Verdict::Take => (Taken::New, Loss::nothing()),
        Verdict::Replace(loss) => (Taken::Replaced, loss),
        Verdict::Skip(why) => return Ok(Imported { why: Some(why), ..Imported::of(actor, image, Taken::Skipped) }),
    };
    let mut imported = Imported { loss, ..Imported::of(actor, image, taken) };
    if !really {
        return Ok(imported);
    }
    let mut image = image.clone();
    // One that ran when it was exported is one that ran when its host ended: it is started again.
    if image.head.owner.is_some() {
        image.head.stopped.get_or_insert(StopReason::Shutdown);
    }
    let put = store.put(actor, target.map(|(_, revision)| revision), image).await;
    put.map_err(|error| match error {
        StoreError::Conflict(why) => ToolError::Moved { actor: actor.clone(), why },
        other => ToolError::Store(other),
    })?;
    imported.done = true;
    Ok(imported)
}

/// The actors of an export file, one after the other; one is in memory at a time.
#[derive(Debug)]
pub struct Images {
    /// None while it is read, and after a failure.
    export: Option<Export>,
    wanted: Selection,
    contents: Contents,
}

impl Images {
    /// Opens the file at `path` and checks all of it.
    ///
    /// # Errors
    /// If it is not a whole export.
    pub async fn open(path: &Path, wanted: Selection) -> Result<Self, ToolError> {
        let path = path.to_owned();
        let export =
            tokio::task::spawn_blocking(move || Export::open(&path)).await.map_err(|error| unread(&error))??;
        Ok(Self { contents: export.contents().clone(), export: Some(export), wanted })
    }

    /// What the file holds, those included that are not meant.
    #[must_use]
    pub fn contents(&self) -> &Contents {
        &self.contents
    }

    /// The next one that is meant; none: there are no more.
    ///
    /// # Errors
    /// If the file was changed since it was checked.
    pub async fn next(&mut self) -> Result<Option<(ActorName, Image)>, ToolError> {
        let Some(mut export) = self.export.take() else { return Ok(None) };
        let wanted = self.wanted.clone();
        let read = tokio::task::spawn_blocking(move || (export.next_image(&wanted), export));
        let (image, export) = read.await.map_err(|error| unread(&error))?;
        let image = image?;
        self.export = image.is_some().then_some(export);
        Ok(image)
    }
}

fn unread(error: &tokio::task::JoinError) -> ToolError {
    ToolError::Unfit(format!("the export could not be read: {error}"))
}
