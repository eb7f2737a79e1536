//! `store verify`, `quarantine` and `stats`: how the store is.

use std::path::{Path, PathBuf};

use baton_host::admin::view;
use baton_host::model::ActorName;
use baton_host::store::tools;
use clap::Args;
use futures_util::future::BoxFuture;
use serde::Deserialize;
use serde_json::{Value, json};

use super::super::client::path_of;
use super::super::output::{Failure, bytes, print_json, print_line, print_table, private_file};
use super::change::{Consented, tell_one};
use super::show::Quarantined;
use super::{Listing, PAGE, Source, of_store, of_tool, page_query, read_name, same};

/// Actors that are verified at once.
const VERIFY_PAGE: usize = 100;

#[derive(Debug, Args)]
pub(in crate::cli) struct QuarantineOptions {
    /// The actor's name [default: all]
    name: Option<String>,
    /// Write the bytes of a copy to FILE, as they were found
    #[arg(long, value_name = "FILE", requires = "name", conflicts_with = "discard")]
    show: Option<PathBuf>,
    /// Erase the copies for good
    #[arg(long, requires = "name")]
    discard: bool,
    /// The copy of the record with this sequence alone
    #[arg(long, value_name = "SEQ", requires = "name")]
    record: Option<u64>,
    /// Also of an actor that runs, which goes on meanwhile
    #[arg(long, requires = "discard")]
    running: bool,
    #[command(flatten)]
    consented: Consented,
    #[command(flatten)]
    listing: Listing,
}

#[derive(Deserialize)]
struct Verified {
    actors: u64,
    records: u64,
    bytes: u64,
    copies: u64,
    problems: Vec<Problem>,
    next: Option<String>,
}

#[derive(Deserialize, serde::Serialize)]
struct Problem {
    actor: String,
    sequence: Option<u64>,
    what: String,
}

pub(super) async fn verify(source: &mut Source, listing: &Listing) -> Result<(), Failure> {
    let mut all = Verified { actors: 0, records: 0, bytes: 0, copies: 0, problems: Vec::new(), next: None };
    loop {
        let found: Verified = match source {
            Source::Host(client) => {
                client.get(&format!("/v1/store-verify?{}", page_query(VERIFY_PAGE, all.next.as_deref())), None).await?
            }
            Source::Files(store) => {
                let after = all.next.as_deref().map(read_name).transpose()?;
                let found = tools::verify(store.as_ref(), after.as_ref(), VERIFY_PAGE).await;
                same(&found.map_err(|error| of_store(&error))?)?
            }
        };
        all.actors += found.actors;
        all.records += found.records;
        all.bytes += found.bytes;
        all.copies += found.copies;
        all.problems.extend(found.problems);
        all.next = found.next;
        if all.next.is_none() {
            break;
        }
    }
    tell_verified(&all, listing)
}

fn tell_verified(all: &Verified, listing: &Listing) -> Result<(), Failure> {
    let Verified { actors, records, copies, problems, .. } = all;
    if listing.json {
        let facts = json!({
            "actors": actors, "records": records, "bytes": all.bytes, "copies": copies, "problems": problems,
        });
        print_json(&facts)?;
    } else {
        if !problems.is_empty() {
            let cells = |problem: &Problem| {
                let sequence = problem.sequence.map_or_else(|| "head".to_owned(), |sequence| sequence.to_string());
                vec![problem.actor.clone(), sequence, problem.what.clone()]
            };
            print_table(&["ACTOR", "RECORD", "WHAT IS WRONG"], problems.iter().map(cells))?;
        }
        let size = bytes(all.bytes);
        print_line(&format!("read: {actors} actors, {records} records, {size}; {copies} copies in quarantine"))?;
    }
    match problems.len() {
        0 => Ok(()),
        1 => Err(Failure::new("1 problem was found")),
        count => Err(Failure::new(format!("{count} problems were found"))),
    }
}

pub(super) async fn quarantine(source: &mut Source, options: &QuarantineOptions) -> Result<(), Failure> {
    let name = options.name.as_deref().map(read_name).transpose()?;
    match (&name, &options.show) {
        (Some(name), Some(file)) => show(source, name, options.record, file, &options.listing).await,
        (Some(name), None) if options.discard => discard(source, name, options).await,
        _ => list(source, name.as_ref(), options).await,
    }
}

#[derive(Deserialize)]
struct Page {
    actors: Vec<Value>,
    next: Option<String>,
}

#[derive(Deserialize)]
struct OfActor {
    actor: String,
    copies: Vec<Quarantined>,
}

async fn copies(source: &mut Source, name: &ActorName) -> Result<Value, Failure> {
    match source {
        Source::Host(client) => client.get(&path_of("store", name.as_str(), "/quarantine"), None).await,
        Source::Files(store) => same(&view::quarantined(store.as_ref(), name).await.map_err(|error| of_store(&error))?),
    }
}

async fn list(source: &mut Source, name: Option<&ActorName>, options: &QuarantineOptions) -> Result<(), Failure> {
    let mut actors = Vec::new();
    if let Some(name) = name {
        actors.push(copies(source, name).await?);
    } else {
        let mut after: Option<String> = None;
        loop {
            let page: Page = match source {
                Source::Host(client) => {
                    client.get(&format!("/v1/store-quarantine?{}", page_query(PAGE, after.as_deref())), None).await?
                }
                Source::Files(store) => {
                    let after = after.as_deref().map(read_name).transpose()?;
                    let page = view::quarantine(store.as_ref(), after.as_ref(), PAGE).await;
                    same(&page.map_err(|error| of_store(&error))?)?
                }
            };
            actors.extend(page.actors);
            after = page.next;
            if after.is_none() {
                break;
            }
        }
    }
    if options.listing.json {
        return print_json(&actors);
    }
    let mut rows = Vec::new();
    for actor in &actors {
        let OfActor { actor, copies } = same(actor)?;
        let chosen = copies.iter().filter(|copy| options.record.is_none_or(|wanted| copy.record.sequence == wanted));
        rows.extend(chosen.map(|copy| [vec![actor.clone()], copy.cells()].concat()));
    }
    if rows.is_empty() {
        return Ok(print_line("nothing is in quarantine")?);
    }
    print_table(&["ACTOR", "SEQ", "DIGEST", "FOUND", "SINCE", "WHY"], rows)
}

/// Writes the bytes of one copy to a file that was not there before.
async fn show(
    source: &mut Source,
    name: &ActorName,
    record: Option<u64>,
    file: &Path,
    listing: &Listing,
) -> Result<(), Failure> {
    let OfActor { copies, .. } = same(&copies(source, name).await?)?;
    let sequence = match (record, copies.as_slice()) {
        (Some(sequence), _) => sequence,
        (None, [only]) => only.record.sequence,
        (None, []) => return Err(Failure::new(format!("nothing of `{name}` is in quarantine"))),
        (None, several) => {
            return Err(Failure::new(format!("{} copies of `{name}` are in quarantine", several.len()))
                .hint("name the record with --record; `baton store quarantine NAME` lists them"));
        }
    };
    let found = match source {
        Source::Host(client) => {
            client.bytes(&path_of("store", name.as_str(), &format!("/quarantine/{sequence}"))).await?
        }
        Source::Files(store) => {
            tools::copy_of(store.as_ref(), name, sequence).await.map_err(|error| of_tool(&error))?.into()
        }
    };
    private_file(file, &found)?;
    let count = found.len();
    if listing.json {
        return print_json(&json!({ "actor": name, "sequence": sequence, "bytes": count, "file": file }));
    }
    Ok(print_line(&format!(
        "written: {count} bytes of record {sequence} of {name}, as they were found, to {}",
        file.display()
    ))?)
}

async fn discard(source: &mut Source, name: &ActorName, options: &QuarantineOptions) -> Result<(), Failure> {
    let consent = options.consented.consent(options.running);
    let record = options.record;
    let act = |store, really| -> BoxFuture<'_, _> { Box::pin(tools::discard(store, name, record, really)) };
    let query = [("record", record.map(|sequence| sequence.to_string()))];
    let changed = source.change(name, "discard", &query, consent, &act).await?;
    tell_one(&changed, &options.listing, "discarded", "this would erase copies of")
}

async fn counted(source: &mut Source) -> Result<Value, Failure> {
    match source {
        Source::Host(client) => client.get("/v1/store-stats", None).await,
        Source::Files(store) => same(&view::stats(store.as_ref()).await.map_err(|error| of_store(&error))?),
    }
}

/// How many records the store keeps of each actor.
pub(super) async fn history(source: &mut Source) -> Result<usize, Failure> {
    if let Source::Files(store) = source {
        return Ok(store.capabilities().history);
    }
    #[derive(Deserialize)]
    struct Stats {
        capabilities: Capabilities,
    }
    #[derive(Deserialize)]
    struct Capabilities {
        history: usize,
    }
    Ok(same::<Stats>(&counted(source).await?)?.capabilities.history)
}

pub(super) async fn stats(source: &mut Source, listing: &Listing) -> Result<(), Failure> {
    let stats = counted(source).await?;
    if listing.json {
        return print_json(&stats);
    }
    let number = |key: &str| stats[key].as_u64().map_or_else(|| "-".to_owned(), |count| count.to_string());
    let size = |key: &str| stats[key].as_u64().map_or_else(|| "not known".to_owned(), bytes);
    let backend = stats["capabilities"]["backend"].as_str().unwrap_or("-").to_owned();
    let kept = stats["capabilities"]["history"].to_string();
    let facts = [
        ("backend", backend),
        ("actors", number("actors")),
        ("records", format!("{}, at most {kept} for each actor", number("records"))),
        ("live", size("live_bytes")),
        ("history", size("history_bytes")),
        ("quarantine", format!("{}, {} copies", size("quarantine_bytes"), number("quarantined"))),
        ("on disk", size("disk_bytes")),
        ("dead", size("dead_bytes")),
    ];
    let text: String = facts.iter().map(|(key, value)| format!("{key:<12}{value}\n")).collect();
    Ok(print_line(text.trim_end())?)
}
