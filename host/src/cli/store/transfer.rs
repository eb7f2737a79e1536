//! `store export` and `store import`: actors in a file.

use std::path::PathBuf;
use std::sync::Arc;

use baton_host::model::ActorName;
use baton_host::store::Image;
use baton_host::store::tools::{self, Contents, Images, Imported, Loss, Selection, ToolError};
use bytes::Bytes;
use clap::Args;
use hyper::Method;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::super::client::{escaped, path_of};
use super::super::output::{Failure, bytes, harmless, print_json, print_line, tell_error, tell_note};
use super::change::{Consented, Ended, asked};
use super::{Listing, Source, of_tool, same};

/// Pieces of an export that may wait to be written.
const PIECES: usize = 16;

#[derive(Debug, Args)]
pub(in crate::cli) struct ExportOptions {
    /// The file to write; one that is there is replaced once the new one is whole
    file: PathBuf,
    /// An actor, or a pattern such as `cart/*`; may be given several times [default: all]
    #[arg(long = "actor", value_name = "PATTERN")]
    actors: Vec<String>,
    #[command(flatten)]
    listing: Listing,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct ImportOptions {
    /// The export to read
    file: PathBuf,
    /// An actor, or a pattern such as `cart/*`; may be given several times [default: all]
    #[arg(long = "actor", value_name = "PATTERN")]
    actors: Vec<String>,
    /// Also replace what is here already
    #[arg(long)]
    replace: bool,
    #[command(flatten)]
    consented: Consented,
    #[command(flatten)]
    listing: Listing,
}

fn selection(actors: &[String]) -> Result<Selection, Failure> {
    Selection::new(actors.iter().map(String::as_str)).map_err(|error| Failure::usage(error.to_string()))
}

pub(super) async fn export(source: &mut Source, options: &ExportOptions) -> Result<(), Failure> {
    let wanted = selection(&options.actors)?;
    let contents = match source {
        Source::Host(client) => {
            let (pieces, receiver) = mpsc::channel(PIECES);
            let path = format!("/v1/store-export?actors={}", escaped(&options.actors.join("\n")));
            let (sent, written) =
                tokio::join!(client.download(&path, pieces), tools::export_to_file(receiver, &options.file));
            // What the file lacks says less than why it came short.
            match (sent, written) {
                (Err(failure), Err(_)) => return Err(failure),
                (_, written) => written,
            }
        }
        Source::Files(store) => tools::export_to_file(tools::export(Arc::clone(store), wanted), &options.file).await,
    };
    let contents = contents.map_err(|error| of_tool(&error))?;
    tell_exported(&contents, options)
}

fn tell_exported(contents: &Contents, options: &ExportOptions) -> Result<(), Failure> {
    if options.listing.json {
        print_json(&json!({ "file": options.file, "contents": contents }))?;
    } else {
        let (actors, records, copies) = (contents.actors, contents.records, contents.copies);
        let size = bytes(contents.bytes);
        let file = options.file.display();
        print_line(&format!(
            "exported: {actors} actors, {records} records, {copies} copies in quarantine: {size}, {file}"
        ))?;
    }
    for unread in &contents.unread {
        tell_error(&format!("{} is not in it: {}", unread.actor, unread.why), None);
    }
    if !contents.unread.is_empty() {
        return Err(Failure::new(format!("{} actors could not be read", contents.unread.len()))
            .hint("`baton store verify` says what is wrong with them"));
    }
    if contents.actors == 0 && !options.actors.is_empty() {
        return Err(Failure::new("no stored actor is meant by that").hint("`baton store ls` lists what is stored"));
    }
    Ok(())
}

/// What is to be imported, once all of the file is checked.
pub(super) async fn images(options: &ImportOptions) -> Result<Images, Failure> {
    Images::open(&options.file, selection(&options.actors)?).await.map_err(|error| of_tool(&error))
}

pub(super) async fn import(source: &mut Source, images: &mut Images, options: &ImportOptions) -> Result<(), Failure> {
    for unread in &images.contents().unread {
        tell_note(&format!("{} is not in the export: {}", unread.actor, unread.why));
    }
    let mut all = Vec::new();
    let mut refused = 0;
    while let Some((name, image)) = images.next().await.map_err(|error| of_tool(&error))? {
        let imported = take(source, &name, &image, options).await?;
        let told: Told = same(&imported)?;
        refused += usize::from(told.failed());
        if !options.listing.json {
            print_line(&harmless(&told.text()))?;
        }
        all.push(imported);
    }
    let put = |one: &Value| one["done"] == false && (one["taken"] == "new" || one["taken"] == "replaced");
    let dry = options.replace && !options.consented.consent(false).yes && all.iter().any(put);
    match options.listing.json {
        true => print_json(&all)?,
        false if all.is_empty() => print_line("no actor of the export is meant by that")?,
        false if dry => print_line("nothing was changed; --yes does it")?,
        false => {}
    }
    match refused {
        0 => Ok(()),
        count => Err(Failure::new(format!("{count} of {} actors were refused, or did not start again", all.len()))),
    }
}

/// Takes one actor over. What is refused is part of the answer; a host that is gone is not.
async fn take(source: &mut Source, name: &ActorName, image: &Image, options: &ImportOptions) -> Result<Value, Failure> {
    let (replace, consent) = (options.replace, options.consented.consent(false));
    let really = consent.yes || !replace;
    match source {
        Source::Host(client) => {
            let query = asked(&[("replace", replace.then(|| "true".to_owned()))], consent);
            let path = path_of("store", name.as_str(), &format!("/image?{query}"));
            let body = Bytes::from(tools::encode_image(name, image));
            match client.act::<Value>(Method::PUT, &path, body).await {
                Err(failure) if failure.is_refusal() => {
                    let (message, hint) = failure.words();
                    let why = hint.map_or(message.clone(), |hint| format!("{message} ({hint})"));
                    same(&Imported::refused(name, image, &ToolError::Unfit(why)))
                }
                answer => answer,
            }
        }
        Source::Files(store) => {
            let imported = tools::import(store.as_ref(), name, image, replace, really).await;
            same(&imported.unwrap_or_else(|why| Imported::refused(name, image, &why)))
        }
    }
}

#[derive(Deserialize)]
struct Told {
    actor: String,
    taken: String,
    done: bool,
    records: u64,
    bytes: u64,
    loss: Loss,
    why: Option<String>,
    runs: Option<String>,
    ended: Option<Ended>,
}

impl Told {
    fn failed(&self) -> bool {
        self.taken == "refused" || self.ended.as_ref().is_some_and(|ended| ended.not_started.is_some())
    }

    fn text(&self) -> String {
        let what = match (self.taken.as_str(), self.done) {
            ("new", true) => "taken",
            ("new", false) => "would be taken",
            ("replaced", true) => "replaced",
            ("replaced", false) => "would be replaced",
            (other, _) => other,
        };
        let size = format!("{} records, {}", self.records, bytes(self.bytes));
        let why = self.why.as_ref().map_or(size, Clone::clone);
        let mut lines = vec![format!("{what}: {}: {why}", self.actor)];
        lines.extend(self.loss.lines().into_iter().map(|line| format!("  {line}")));
        lines.extend(self.ended.as_ref().map(|ended| format!("  {}", ended.words())));
        lines.extend(self.runs.as_ref().map(|phase| format!("  it is {phase}: --stop-it is needed as well")));
        lines.join("\n")
    }
}
