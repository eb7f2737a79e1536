//! The commands of `store`: through the running host where one answers, else by opening the store. Here is where they
//! find it.

mod change;
mod check;
mod compare;
mod show;
mod transfer;

use std::sync::Arc;

use baton_host::admin::view;
use baton_host::model::ActorName;
use baton_host::store::tools::ToolError;
use baton_host::store::{Backend, OpenError, SnapshotStore, StoreError, StoreOptions, StoreUrl, UrlError, connect};
use clap::{Args, Subcommand};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::client::{Ask, Client, Lost, escaped, path_of};
use super::completions;
use super::output::Failure;
use super::{Listing, Place, store_migrate};

/// Heads that are asked for at once.
const PAGE: usize = 1_000;

#[derive(Debug, Args)]
pub(super) struct Options {
    /// A store on a server, such as postgres://USER:PASSWORD@HOST/DATABASE, whether hosts use it or not [default: the running
    /// host's; without one, what the configuration names]
    #[arg(long, global = true, value_name = "URL")]
    store: Option<String>,
    #[command(subcommand)]
    command: Command,
}

/// A URL. It is read here: what the parser of options cannot read, it shows, and there may be a password in it.
fn read_url(text: &str) -> Result<StoreUrl, Failure> {
    text.parse().map_err(|error: UrlError| Failure::usage(format!("--store: {error}")))
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// List what is stored, an actor on each line
    Ls(Listing),
    /// Show everything that is stored for an actor: head, records, quarantine
    Show(Named),
    /// Copy all that a store holds into another one, of another backend or in another directory
    ///
    /// Each actor is read back and compared. Damaged records are copied as they are, and named. No host may use either of
    /// the two.
    Migrate(store_migrate::Options),
    /// List an actor's records: when each was written, by whom, why, and whether it can be read
    History(Named),
    /// Compare two records of an actor: by default the current one and the one before
    ///
    /// Facts, bytes of the states, waiting messages, timers and what is on its way to others; and the states as text, where
    /// they are text or JSON.
    Diff(compare::Options),
    /// Write the state of an earlier record as a new record
    ///
    /// The messages that wait in the current record are kept; timers and monitors are those of the earlier one. The current
    /// record stays in the history. Without --yes it says what would be lost.
    Rollback(change::Rollback),
    /// Copy a state to another actor
    ///
    /// With its timers and monitors. What waits for the original, what it has sent and what it has replied stay its own.
    Fork(change::Fork),
    /// Write what is stored into one file with a checksum; a host may work meanwhile
    ///
    /// Each actor is consistent in itself. The file gets its name only once it is whole, synced, and read back.
    Export(transfer::ExportOptions),
    /// Take actors over from an export
    ///
    /// All of the file is checked before anything is changed. Actors that are here already are skipped, or, with --replace
    /// and --yes, replaced.
    Import(transfer::ImportOptions),
    /// Read everything that is stored, and say what is wrong; exits with 1 if anything is
    Verify(Listing),
    /// List the copies of damaged records; write one to a file, or erase them
    Quarantine(check::QuarantineOptions),
    /// Drop all but the newest records of actors
    Prune(change::Prune),
    /// Erase actors for good: state, history and quarantine
    Forget(change::Forget),
    /// Forget which plugins have refused an actor's records, so that the same ones try again
    Retry(change::Retry),
    /// Make a new head for an actor whose head is damaged, of the records that are there
    ///
    /// The head is the small entry that says which record counts; `verify` names those that are damaged. The newest record
    /// that is whole counts from then on; what cannot be read goes into quarantine. Without --yes it says what it would do.
    Repair(change::Repair),
    /// Show how much is stored
    Stats(Listing),
}

#[derive(Debug, Args)]
pub(super) struct Named {
    /// The actor's name
    #[arg(add = completions::stored())]
    name: String,
    #[command(flatten)]
    listing: Listing,
}

impl Named {
    fn name(&self) -> Result<ActorName, Failure> {
        read_name(&self.name)
    }
}

fn read_name(name: &str) -> Result<ActorName, Failure> {
    ActorName::new(name).map_err(|error| Failure::usage(error.to_string()))
}

/// Where the store is read.
#[derive(Debug)]
enum Source {
    Host(Client),
    Files(Arc<dyn SnapshotStore>),
}

pub(super) async fn store(place: &Place, options: Options) -> Result<(), Failure> {
    let Options { store: url, command } = options;
    let url = url.as_deref().map(read_url).transpose()?;
    // The one command that names its stores itself.
    if let Command::Migrate(options) = &command {
        return store_migrate::migrate(options).await;
    }
    // What is imported is checked first: a store is made for it where there is none.
    let mut images = match &command {
        Command::Import(options) => Some(transfer::images(options).await?),
        _ => None,
    };
    let mut source = Source::find(place, url.as_ref(), images.is_some()).await?;
    let done = match command {
        Command::Migrate(_) => Ok(()),
        Command::Ls(listing) => show::ls(&mut source, &listing).await,
        Command::Show(named) => show::show(&mut source, &named).await,
        Command::History(named) => show::history(&mut source, &named).await,
        Command::Diff(options) => compare::diff(&mut source, &options).await,
        Command::Rollback(options) => change::rollback(&mut source, &options).await,
        Command::Fork(options) => change::fork(&mut source, &options).await,
        Command::Export(options) => transfer::export(&mut source, &options).await,
        Command::Import(options) => match &mut images {
            Some(images) => transfer::import(&mut source, images, &options).await,
            None => Ok(()),
        },
        Command::Verify(listing) => check::verify(&mut source, &listing).await,
        Command::Quarantine(options) => check::quarantine(&mut source, &options).await,
        Command::Prune(options) => change::prune(&mut source, &options).await,
        Command::Forget(options) => change::forget(&mut source, &options).await,
        Command::Retry(options) => change::retry(&mut source, &options).await,
        Command::Repair(options) => change::repair(&mut source, &options).await,
        Command::Stats(listing) => check::stats(&mut source, &listing).await,
    };
    source.close().await.and(done)
}

/// A store on a server.
pub(super) async fn served(url: &StoreUrl, history: usize) -> Result<Arc<dyn SnapshotStore>, Failure> {
    connect(url, history).await.map_err(|error| Failure::new(error.to_string()))
}

impl Source {
    /// The store at `url`, where one is named; else the host, or else what its configuration names: a server, or its files;
    /// where there are none and it `makes` them, a new store.
    async fn find(place: &Place, url: Option<&StoreUrl>, makes: bool) -> Result<Self, Failure> {
        if let Some(url) = url {
            return served(url, place.history()).await.map(Self::Files);
        }
        let mut client = place.client()?;
        match client.ask(&Ask::get("/v1/health")).await {
            Ok(_) => return Ok(Self::Host(client)),
            // The files of another machine cannot be opened.
            Err(Lost::Unreachable(_)) if client.way().is_socket() => {}
            Err(lost) => return Err(client.lost(lost)),
        }
        let (dir, history) = (place.data_dir()?, place.history());
        if let Some(url) = place.store_url() {
            return served(&url, history).await.map(Self::Files);
        }
        let new =
            !["store", "store.redb", "store.witness", "store.recovering"].iter().any(|file| dir.join(file).exists());
        if new && !makes {
            let message = format!("there is no store in {}", dir.display());
            return Err(Failure::new(message).hint("name the data directory with --data-dir"));
        }
        let configured = place.backend();
        let opened = tokio::task::spawn_blocking(move || {
            let backend = Backend::found_in(&dir)?.unwrap_or(configured);
            backend.open(&dir, &StoreOptions { history_records: history, ..StoreOptions::default() })
        })
        .await;
        let opened = opened.map_err(|error| Failure::new(format!("the store could not be opened: {error}")))?;
        opened.map(|(store, _)| Self::Files(store)).map_err(|error| {
            let failure = Failure::new(error.to_string());
            match error {
                OpenError::InUse { .. } => {
                    failure.hint(format!("it may be starting or stopping: no host answers at {}", client.way()))
                }
                _ => failure,
            }
        })
    }

    async fn page(&mut self, after: Option<&str>) -> Result<Page, Failure> {
        match self {
            Self::Host(client) => client.get(&format!("/v1/store?{}", page_query(PAGE, after)), None).await,
            Self::Files(store) => {
                let after = after.map(read_name).transpose()?;
                same(&view::list(store.as_ref(), after.as_ref(), PAGE).await.map_err(|error| of_store(&error))?)
            }
        }
    }

    /// Everything that is stored for an actor.
    async fn stored(&mut self, name: &ActorName) -> Result<Value, Failure> {
        match self {
            Self::Host(client) => client.get(&path_of("store", name.as_str(), ""), None).await,
            Self::Files(store) => {
                let stored = view::show(store.as_ref(), name).await.map_err(|error| of_store(&error))?;
                same(&stored.ok_or_else(|| of_tool(&ToolError::NotStored(name.clone())))?)
            }
        }
    }

    /// Files that were written to are whole only after the last barrier.
    async fn close(self) -> Result<(), Failure> {
        match self {
            Self::Host(_) => Ok(()),
            Self::Files(store) => store.close().await.map_err(|error| of_store(&error)),
        }
    }
}

/// What asks for a part of a listing.
fn page_query(limit: usize, after: Option<&str>) -> String {
    let after = after.map(|name| format!("&after={}", escaped(name)));
    format!("limit={limit}{}", after.unwrap_or_default())
}

fn of_store(error: &StoreError) -> Failure {
    let failure = Failure::new(error.to_string());
    match error.cure() {
        Some(cure) => failure.hint(cure),
        None => failure,
    }
}

fn of_tool(error: &ToolError) -> Failure {
    let failure = Failure::new(format!("{error} [{}]", error.code()));
    match error.cure() {
        Some(cure) => failure.hint(cure),
        None => failure,
    }
}

/// The same data as another type: what the host sends and what the store says are shown by the same code.
fn same<T: DeserializeOwned>(value: &impl Serialize) -> Result<T, Failure> {
    serde_json::to_value(value)
        .and_then(serde_json::from_value)
        .map_err(|error| Failure::new(format!("what is stored cannot be shown: {error}")))
}

#[derive(Deserialize)]
struct Page {
    actors: Vec<Value>,
    next: Option<String>,
}
