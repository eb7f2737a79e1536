//! The commands of `store`: through the running host where one answers, else by opening the store. Here is where they find
//! it, and `store ls` and `store show`.

mod change;
mod check;
mod compare;
mod transfer;

use std::sync::Arc;

use baton_host::admin::view;
use baton_host::model::ActorName;
use baton_host::store::tools::ToolError;
use baton_host::store::{Backend, MOST_HISTORY, OpenError, SnapshotStore, StoreError, StoreOptions};
use clap::{Args, Subcommand};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::client::{Ask, Client, Lost, escaped, path_of};
use super::output::{Failure, bytes, moment, print_json, print_line, print_table, table};
use super::{Listing, Place, store_migrate};

/// Heads that are asked for at once.
const PAGE: usize = 1_000;

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
    /// Show how much is stored
    Stats(Listing),
}

#[derive(Debug, Args)]
pub(super) struct Named {
    /// The actor's name
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

pub(super) async fn store(place: &Place, command: Command) -> Result<(), Failure> {
    // The one command that names its stores itself.
    if let Command::Migrate(options) = &command {
        return store_migrate::migrate(options).await;
    }
    let mut source = Source::find(place).await?;
    let done = match command {
        Command::Ls(listing) => ls(&mut source, &listing).await,
        Command::Migrate(_) => Ok(()),
        Command::Show(named) => show(&mut source, &named).await,
        Command::History(named) => history(&mut source, &named).await,
        Command::Diff(options) => compare::diff(&mut source, &options).await,
        Command::Rollback(options) => change::rollback(&mut source, &options).await,
        Command::Fork(options) => change::fork(&mut source, &options).await,
        Command::Export(options) => transfer::export(&mut source, &options).await,
        Command::Import(options) => transfer::import(&mut source, &options).await,
        Command::Verify(listing) => check::verify(&mut source, &listing).await,
        Command::Quarantine(options) => check::quarantine(&mut source, &options).await,
        Command::Prune(options) => change::prune(&mut source, &options).await,
        Command::Forget(options) => change::forget(&mut source, &options).await,
        Command::Retry(options) => change::retry(&mut source, &options).await,
        Command::Stats(listing) => check::stats(&mut source, &listing).await,
    };
    source.close().await.and(done)
}

impl Source {
    async fn find(place: &Place) -> Result<Self, Failure> {
        let mut client = place.client()?;
        match client.ask(&Ask::get("/v1/health")).await {
            Ok(_) => return Ok(Self::Host(client)),
            Err(Lost::Unreachable(_)) => {}
            Err(lost) => return Err(client.lost(lost)),
        }
        let dir = place.data_dir()?;
        // Opening would make one.
        if !["store", "store.redb", "store.witness", "store.recovering"].iter().any(|file| dir.join(file).exists()) {
            let message = format!("there is no store in {}", dir.display());
            return Err(Failure::new(message).hint("name the data directory with --data-dir"));
        }
        let opened = tokio::task::spawn_blocking(move || {
            let backend = Backend::found_in(&dir)?.unwrap_or_default();
            // Whatever a host keeps here, nothing of it is dropped by looking.
            backend.open(&dir, &StoreOptions { history_records: MOST_HISTORY, ..StoreOptions::default() })
        })
        .await;
        let opened = opened.map_err(|error| Failure::new(format!("the store could not be opened: {error}")))?;
        opened.map(|(store, _)| Self::Files(store)).map_err(|error| {
            let failure = Failure::new(error.to_string());
            match error {
                OpenError::InUse { .. } => failure
                    .hint(format!("it may be starting or stopping: no host answers at {}", client.socket().display())),
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
    Failure::new(error.to_string())
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

async fn ls(source: &mut Source, listing: &Listing) -> Result<(), Failure> {
    let mut heads = Vec::new();
    let mut after: Option<String> = None;
    loop {
        let page = source.page(after.as_deref()).await?;
        heads.extend(page.actors);
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    if listing.json {
        return print_json(&heads);
    }
    let rows = heads.iter().map(|line| same::<Line>(line).map(|line| line.cells()));
    print_table(&HEAD, rows.collect::<Result<Vec<_>, _>>()?)
}

async fn show(source: &mut Source, named: &Named) -> Result<(), Failure> {
    let stored = source.stored(&named.name()?).await?;
    if named.listing.json { print_json(&stored) } else { Ok(print_line(same::<Stored>(&stored)?.text().trim_end())?) }
}

async fn history(source: &mut Source, named: &Named) -> Result<(), Failure> {
    let stored = source.stored(&named.name()?).await?;
    if named.listing.json {
        return print_json(&stored["history"]);
    }
    let stored: Stored = same(&stored)?;
    if stored.history.is_empty() {
        return Ok(print_line("no records: nothing was saved, or it was erased")?);
    }
    print_table(&HISTORY, stored.history.iter().map(StoredRecord::line))
}

#[derive(Deserialize)]
struct Page {
    actors: Vec<Value>,
    next: Option<String>,
}

const HEAD: [&str; 9] = ["ACTOR", "SEQ", "GEN", "PLUGIN", "SCHEMA", "SIZE", "SAVED", "CAUSE", "OWNER"];

#[derive(Deserialize)]
struct Line {
    actor: String,
    head: Option<Head>,
    damaged: Option<String>,
}

#[derive(Deserialize)]
struct Head {
    epoch: u64,
    generation: u64,
    sequence: u64,
    owner: Option<String>,
    stopped: Option<Value>,
    taken_up: Option<u64>,
    records: Vec<Reference>,
    #[serde(default)]
    refusals: Vec<Refused>,
}

#[derive(Deserialize)]
struct Refused {
    record: String,
    component: String,
    version: String,
    why: String,
    time_ms: u64,
}

#[derive(Deserialize)]
struct Reference {
    sequence: u64,
    digest: String,
    bytes: u64,
    time_ms: u64,
    schema: Option<u32>,
    plugin: Option<(String, String)>,
    cause: Value,
    inbox_messages: Option<u64>,
    outbox_messages: Option<u64>,
    next_timer_ms: Option<u64>,
}

impl Reference {
    fn plugin(&self) -> String {
        self.plugin.as_ref().map_or_else(dash, |(name, version)| format!("{name} {version}"))
    }

    fn schema(&self) -> String {
        self.schema.map_or_else(dash, |schema| schema.to_string())
    }
}

fn dash() -> String {
    "-".to_owned()
}

/// A word of the API, such as `"checkpoint"` or `{"stopped": "shutdown"}`, as people read it.
fn word(value: &Value) -> String {
    match value {
        Value::String(word) => word.clone(),
        Value::Object(pairs) => pairs.iter().map(|(key, value)| format!("{key} ({})", word(value))).collect(),
        other => other.to_string(),
    }
}

impl Line {
    fn cells(&self) -> Vec<String> {
        let Some(head) = &self.head else {
            let why = format!("damaged: {}", self.damaged.as_deref().unwrap_or_default());
            let mut cells = vec![self.actor.clone()];
            cells.resize(HEAD.len() - 2, dash());
            cells.extend([why, dash()]);
            return cells;
        };
        let record = head.records.first();
        let of = |show: &dyn Fn(&Reference) -> String| record.map_or_else(dash, show);
        vec![
            self.actor.clone(),
            head.sequence.to_string(),
            head.generation.to_string(),
            of(&Reference::plugin),
            of(&Reference::schema),
            of(&|record| bytes(record.bytes)),
            of(&|record| moment(record.time_ms)),
            of(&|record| word(&record.cause)),
            head.owner.clone().unwrap_or_else(dash),
        ]
    }
}

#[derive(Deserialize)]
struct Stored {
    actor: String,
    head: Head,
    history: Vec<StoredRecord>,
    quarantine: Vec<Quarantined>,
}

#[derive(Deserialize)]
struct StoredRecord {
    #[serde(flatten)]
    reference: Reference,
    problem: Option<String>,
    facts: Option<Facts>,
}

#[derive(Deserialize)]
struct Facts {
    generation: u64,
    node: String,
    state_bytes: u64,
    inbox: Vec<Value>,
    timers: Vec<Value>,
    #[serde(default)]
    outbox: Vec<Value>,
    state: Option<Wrote>,
}

/// Who encoded a state.
#[derive(Deserialize)]
struct Wrote {
    digest: String,
}

#[derive(Deserialize)]
struct Quarantined {
    record: Reference,
    why: String,
    time_ms: u64,
    found_bytes: u64,
}

impl Stored {
    fn text(&self) -> String {
        let head = &self.head;
        let mut facts = vec![
            ("actor", self.actor.clone()),
            ("epoch", head.epoch.to_string()),
            ("generation", head.generation.to_string()),
            ("sequence", head.sequence.to_string()),
            ("owner", head.owner.clone().unwrap_or_else(dash)),
            ("stopped", head.stopped.as_ref().map_or_else(dash, word)),
            ("taken up", head.taken_up.map_or_else(dash, |generation| format!("by generation {generation}"))),
        ];
        if let Some(current) = head.records.first() {
            let count = |count: Option<u64>| count.map_or_else(dash, |count| count.to_string());
            facts.push(("inbox", count(current.inbox_messages)));
            facts.push(("outbox", count(current.outbox_messages)));
            facts.push(("next timer", current.next_timer_ms.map_or_else(dash, moment)));
        }
        if self.history.is_empty() {
            facts.push(("records", "none: nothing was saved, or it was erased".to_owned()));
        }
        let mut text: String = facts.iter().map(|(key, value)| format!("{key:<12}{value}\n")).collect();
        if !self.history.is_empty() {
            const HEAD: [&str; 12] = [
                "SEQ", "DIGEST", "PLUGIN", "SCHEMA", "STATE", "INBOX", "OUTBOX", "TIMERS", "GEN", "SAVED", "CAUSE",
                "LOADS",
            ];
            text += "\nrecords, newest first\n";
            text += &table(&HEAD, self.history.iter().map(StoredRecord::cells));
        }
        if !head.refusals.is_empty() {
            const HEAD: [&str; 5] = ["RECORD", "VERSION", "COMPONENT", "SINCE", "WHY"];
            text += "\nrefused by\n";
            text += &table(&HEAD, head.refusals.iter().map(|refused| refused.cells(&head.records)));
        }
        if !self.quarantine.is_empty() {
            const HEAD: [&str; 5] = ["SEQ", "DIGEST", "FOUND", "SINCE", "WHY"];
            text += "\nquarantine\n";
            text += &table(&HEAD, self.quarantine.iter().map(Quarantined::cells));
        }
        text
    }
}

impl StoredRecord {
    fn cells(&self) -> Vec<String> {
        let record = &self.reference;
        let of = |show: &dyn Fn(&Facts) -> String| self.facts.as_ref().map_or_else(dash, show);
        vec![
            record.sequence.to_string(),
            short(&record.digest),
            record.plugin(),
            record.schema(),
            of(&|facts| bytes(facts.state_bytes)),
            of(&|facts| facts.inbox.len().to_string()),
            of(&|facts| facts.outbox.len().to_string()),
            of(&|facts| facts.timers.len().to_string()),
            of(&|facts| facts.generation.to_string()),
            of(&|facts| format!("{} by {}", moment(record.time_ms), facts.node)),
            word(&record.cause),
            self.problem.clone().unwrap_or_else(|| "yes".to_owned()),
        ]
    }
}

const HISTORY: [&str; 11] =
    ["SEQ", "SAVED", "PLUGIN", "COMPONENT", "NODE", "GEN", "CAUSE", "DIGEST", "SCHEMA", "SIZE", "LOADS"];

impl StoredRecord {
    fn line(&self) -> Vec<String> {
        let record = &self.reference;
        let of = |show: &dyn Fn(&Facts) -> String| self.facts.as_ref().map_or_else(dash, show);
        vec![
            record.sequence.to_string(),
            moment(record.time_ms),
            record.plugin(),
            of(&|facts| facts.state.as_ref().map_or_else(dash, |state| short(&state.digest))),
            of(&|facts| facts.node.clone()),
            of(&|facts| facts.generation.to_string()),
            word(&record.cause),
            short(&record.digest),
            record.schema(),
            bytes(record.bytes),
            self.problem.clone().unwrap_or_else(|| "yes".to_owned()),
        ]
    }
}

impl Refused {
    fn cells(&self, records: &[Reference]) -> Vec<String> {
        let of = records.iter().find(|record| record.digest == self.record);
        vec![
            of.map_or_else(|| short(&self.record), |record| record.sequence.to_string()),
            self.version.clone(),
            short(&self.component),
            moment(self.time_ms),
            self.why.clone(),
        ]
    }
}

/// Enough of a digest for a person to tell two apart.
fn short(digest: &str) -> String {
    digest.chars().take(12).collect()
}

impl Quarantined {
    fn cells(&self) -> Vec<String> {
        let record = &self.record;
        vec![
            record.sequence.to_string(),
            short(&record.digest),
            format!("{} of {}", bytes(self.found_bytes), bytes(record.bytes)),
            moment(self.time_ms),
            self.why.clone(),
        ]
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn reference() -> Value {
        json!({
            "sequence": 3, "digest": "ab".repeat(32), "bytes": 2_048, "time_ms": 0, "schema": 1,
            "plugin": ["counter", "1.0.0"], "cause": { "stopped": "shutdown" },
        })
    }

    fn head() -> Value {
        json!({
            "epoch": 2, "generation": 4, "sequence": 3, "owner": null, "nonce": 9, "stopped": "shutdown",
            "taken_up": null, "records": [reference()],
        })
    }

    #[test]
    fn a_damaged_head_is_a_line_like_the_others() {
        let line = |value: Value| serde_json::from_value::<Line>(value).expect("a line").cells();
        let good = line(json!({ "actor": "a", "head": head(), "damaged": null }));
        let shown = ["a", "3", "4", "counter 1.0.0", "1", "2.0 KiB", "1970-01-01 00:00:00Z", "stopped (shutdown)", "-"];
        assert_eq!(good, shown);
        let bad = line(json!({ "actor": "b", "head": null, "damaged": "cut short" }));
        assert_eq!((bad.len(), bad[7].as_str()), (HEAD.len(), "damaged: cut short"));
    }

    #[test]
    fn what_is_stored_is_shown_with_what_is_wrong_with_it() {
        let mut good = reference();
        good["loads"] = json!(true);
        good["facts"] = json!({
            "epoch": 2, "generation": 4, "node": "host-1", "state_bytes": 2_000, "inbox": [{}], "timers": [],
        });
        let mut bad = reference();
        bad["problem"] = json!("the checksum does not match");
        let stored = json!({
            "actor": "a", "head": head(), "history": [good, bad],
            "quarantine": [{ "record": reference(), "why": "cut short", "time_ms": 0, "found_bytes": 10 }],
        });
        let text = serde_json::from_value::<Stored>(stored).expect("stored").text();
        for part in [
            "stopped     shutdown",
            "by host-1",
            "2.0 KiB",
            "abababababab",
            "the checksum does not match",
            "10 B of 2.0 KiB",
        ] {
            assert!(text.contains(part), "{part:?} is in\n{text}");
        }
    }
}
