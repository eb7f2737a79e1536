//! `store ls` and `store show`: through the running host where one answers, else by opening the store.

use std::sync::Arc;

use baton_host::admin::view;
use baton_host::model::ActorName;
use baton_host::store::{Backend, MOST_HISTORY, OpenError, SnapshotStore, StoreError, StoreOptions};
use clap::{Args, Subcommand};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::client::{Ask, Client, Lost, path_of};
use super::output::{Failure, bytes, moment, print_json, print_line, print_table, table};
use super::{Listing, Place, store_migrate};

/// Heads that are asked for at once.
const PAGE: usize = 1_000;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// List what is stored, an actor on each line
    Ls(Listing),
    /// Show everything that is stored for an actor: head, records, quarantine
    Show(Show),
    /// Copy all that a store holds into another one, of another backend or in another directory
    ///
    /// Each actor is read back and compared. Damaged records are copied as they are, and named. No host may use either of
    /// the two.
    Migrate(store_migrate::Options),
}

#[derive(Debug, Args)]
pub(super) struct Show {
    /// The actor's name
    name: String,
    #[command(flatten)]
    listing: Listing,
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
        Command::Show(show) => source.show(&show).await,
        Command::Migrate(_) => Ok(()),
    };
    source.close().await;
    done
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
            Self::Host(client) => {
                let after = after.map(|name| format!("&after={}", path_of("", name, "").trim_start_matches("/v1//")));
                client.get(&format!("/v1/store?limit={PAGE}{}", after.unwrap_or_default()), None).await
            }
            Self::Files(store) => {
                let after = after.map(ActorName::new).transpose().map_err(|error| Failure::new(error.to_string()))?;
                same(&view::list(&**store, after.as_ref(), PAGE).await.map_err(|error| of_store(&error))?)
            }
        }
    }

    async fn show(&mut self, show: &Show) -> Result<(), Failure> {
        let name = ActorName::new(&show.name).map_err(|error| Failure::usage(error.to_string()))?;
        let stored: Value = match self {
            Self::Host(client) => client.get(&path_of("store", name.as_str(), ""), None).await?,
            Self::Files(store) => {
                let stored = view::show(&**store, &name).await.map_err(|error| of_store(&error))?;
                let missing = || {
                    Failure::new(format!("nothing is stored for `{name}`"))
                        .hint("`baton store ls` lists what is stored")
                };
                same(&stored.ok_or_else(missing)?)?
            }
        };
        if show.listing.json {
            print_json(&stored)
        } else {
            Ok(print_line(same::<Stored>(&stored)?.text().trim_end())?)
        }
    }

    async fn close(self) {
        if let Self::Files(store) = self {
            // Nothing was written, so there is nothing that a failed barrier could lose.
            drop(store.close().await);
        }
    }
}

fn of_store(error: &StoreError) -> Failure {
    Failure::new(error.to_string())
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
        if self.history.is_empty() {
            facts.push(("records", "none: nothing was saved, or it was erased".to_owned()));
        }
        let mut text: String = facts.iter().map(|(key, value)| format!("{key:<12}{value}\n")).collect();
        if !self.history.is_empty() {
            const HEAD: [&str; 11] =
                ["SEQ", "DIGEST", "PLUGIN", "SCHEMA", "STATE", "INBOX", "TIMERS", "GEN", "SAVED", "CAUSE", "LOADS"];
            text += "\nrecords, newest first\n";
            text += &table(&HEAD, self.history.iter().map(StoredRecord::cells));
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
            record.digest.chars().take(12).collect(),
            record.plugin(),
            record.schema(),
            of(&|facts| bytes(facts.state_bytes)),
            of(&|facts| facts.inbox.len().to_string()),
            of(&|facts| facts.timers.len().to_string()),
            of(&|facts| facts.generation.to_string()),
            of(&|facts| format!("{} by {}", moment(record.time_ms), facts.node)),
            word(&record.cause),
            self.problem.clone().unwrap_or_else(|| "yes".to_owned()),
        ]
    }
}

impl Quarantined {
    fn cells(&self) -> Vec<String> {
        let record = &self.record;
        vec![
            record.sequence.to_string(),
            record.digest.chars().take(12).collect(),
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
