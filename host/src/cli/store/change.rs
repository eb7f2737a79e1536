//! `store rollback`, `fork`, `prune`, `forget` and `retry`: what is done to the states of actors.

use baton_host::model::ActorName;
use baton_host::store::SnapshotStore;
use baton_host::store::tools::{self, Changed, Consent, Loss, ToolError, Writer};
use bytes::Bytes;
use clap::Args;
use futures_util::future::BoxFuture;
use hyper::Method;
use serde::Deserialize;
use serde_json::Value;

use super::super::client::{escaped, path_of};
use super::super::completions;
use super::super::output::{Failure, harmless, print_json, print_line, tell_error};
use super::{Listing, Source, check, of_tool, read_name, same};

/// What may be done on the way.
#[derive(Debug, Clone, Copy, Args)]
pub(in crate::cli) struct Consented {
    /// Do it; without this it only says what would be lost
    #[arg(long)]
    yes: bool,
    /// Stop an actor that runs in good order, and start it again afterwards
    #[arg(long)]
    stop_it: bool,
}

impl Consented {
    pub(super) fn consent(self, running: bool) -> Consent {
        Consent { yes: self.yes, stop_it: self.stop_it, running }
    }
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Rollback {
    /// The actor's name
    #[arg(add = completions::stored())]
    name: String,
    /// The sequence of the record whose state is taken [default: the record before the current one]
    #[arg(long, value_name = "SEQ")]
    to: Option<u64>,
    #[command(flatten)]
    consented: Consented,
    #[command(flatten)]
    listing: Listing,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Fork {
    /// The actor whose state is copied
    #[arg(add = completions::stored())]
    name: String,
    /// The actor that gets it
    new: String,
    /// The sequence of the record whose state is taken [default: the current one]
    #[arg(long, value_name = "SEQ")]
    record: Option<u64>,
    /// Also where NEW has a state already
    #[arg(long)]
    replace: bool,
    #[command(flatten)]
    consented: Consented,
    #[command(flatten)]
    listing: Listing,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Prune {
    /// The actors' names [default: all that are stored]
    names: Vec<String>,
    /// How many records of each stay, at least 1 [default: as many as the store keeps]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    keep: Option<u32>,
    /// Also of actors that run, which go on meanwhile
    #[arg(long)]
    running: bool,
    #[command(flatten)]
    consented: Consented,
    #[command(flatten)]
    listing: Listing,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Forget {
    /// The actors' names
    #[arg(required = true)]
    names: Vec<String>,
    #[command(flatten)]
    consented: Consented,
    #[command(flatten)]
    listing: Listing,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Repair {
    /// The actor's name
    #[arg(add = completions::stored())]
    name: String,
    #[command(flatten)]
    consented: Consented,
    #[command(flatten)]
    listing: Listing,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Retry {
    /// The actor's name
    #[arg(add = completions::stored())]
    name: String,
    /// Stop an actor that runs or is held in good order, and start it again afterwards
    #[arg(long)]
    stop_it: bool,
    #[command(flatten)]
    listing: Listing,
}

/// A change: told what it would do, or made.
type Act<'a> = &'a (dyn Fn(&'a dyn SnapshotStore, bool) -> BoxFuture<'a, Result<Changed, ToolError>> + Sync);

impl Source {
    /// Makes a change to `name`, or says what it would do.
    pub(super) async fn change<'a>(
        &'a mut self,
        name: &ActorName,
        act: &str,
        query: &[(&str, Option<String>)],
        consent: Consent,
        by_hand: Act<'a>,
    ) -> Result<Value, Failure> {
        match self {
            Self::Host(client) => {
                let path = path_of("store", name.as_str(), &format!("/{act}?{}", asked(query, consent)));
                client.act(Method::POST, &path, Bytes::new()).await
            }
            Self::Files(store) => {
                let store: &'a dyn SnapshotStore = &**store;
                let done = tools::with_consent(consent, move |really| by_hand(store, really)).await;
                same(&done.map_err(|error| of_tool(&error))?)
            }
        }
    }
}

/// What is said, as a query.
pub(super) fn asked(query: &[(&str, Option<String>)], consent: Consent) -> String {
    let flags = [("yes", consent.yes), ("stop_it", consent.stop_it), ("running", consent.running)];
    let flags = flags.iter().filter(|(_, given)| *given).map(|(key, _)| format!("{key}=true"));
    let given = query.iter().filter_map(|(key, value)| Some(format!("{key}={}", escaped(value.as_deref()?))));
    given.chain(flags).collect::<Vec<_>>().join("&")
}

/// What a change has done, as it is told.
#[derive(Deserialize)]
struct Told {
    actor: String,
    done: bool,
    idle: bool,
    taken: Option<u64>,
    written: Option<u64>,
    loss: Loss,
    notes: Vec<String>,
    runs: Option<String>,
    ended: Option<Ended>,
}

#[derive(Deserialize)]
pub(super) struct Ended {
    saved: Value,
    pub(super) not_started: Option<String>,
}

impl Ended {
    /// What became of the actor around the change.
    pub(super) fn words(&self) -> String {
        let saved = match (self.saved.as_str(), self.saved["committed"].as_u64()) {
            (_, Some(sequence)) => format!("saved as record {sequence}"),
            (Some("kept"), _) => "nothing to save".to_owned(),
            (Some("forgotten"), _) => "it erased its state".to_owned(),
            _ => format!("not saved: {}", self.saved["not"]),
        };
        match &self.not_started {
            None => format!("stopped ({saved}), and started again"),
            Some(why) => format!("stopped ({saved}), and not started again: {why}"),
        }
    }
}

/// Says what was done, or would be: `done` is how that begins, `would` what it would be.
fn tell(changed: &Value, done: &str, would: &str) -> Result<(), Failure> {
    let told: Told = same(changed)?;
    let name = &told.actor;
    let mut lines = match (told.done, told.idle) {
        (true, _) => vec![format!("{done}: {name}{}", told.records())],
        (false, true) => vec![format!("nothing to do: {name}")],
        (false, false) => vec![format!("dry run: {would}: {name}{}", told.records())],
    };
    lines.extend(told.loss.lines().into_iter().chain(told.notes.clone()).map(|line| format!("  {line}")));
    if let Some(ended) = &told.ended {
        lines.push(format!("  {}", ended.words()));
    }
    if !told.done && !told.idle {
        let runs = told.runs.as_ref().map(|phase| format!("; --stop-it as well: it is {phase}"));
        lines.push(format!("nothing was changed; --yes does it{}", runs.unwrap_or_default()));
    }
    Ok(print_line(&harmless(&lines.join("\n")))?)
}

impl Told {
    fn records(&self) -> String {
        match (self.taken, self.written) {
            (Some(taken), Some(written)) => format!(": record {written} has the state of record {taken}"),
            (Some(taken), None) => format!(": the state of record {taken}"),
            _ => String::new(),
        }
    }
}

/// An actor that was stopped and did not start again is a failure, though the change was made.
fn started(changed: &Value) -> Result<(), Failure> {
    match changed["ended"]["not_started"].as_str() {
        Some(why) => Err(Failure::new(format!("{} was changed, and did not start again: {why}", changed["actor"]))
            .hint("`baton start` starts it")),
        None => Ok(()),
    }
}

pub(super) fn tell_one(changed: &Value, listing: &Listing, done: &str, would: &str) -> Result<(), Failure> {
    if listing.json {
        print_json(changed)?
    } else {
        tell(changed, done, would)?
    }
    started(changed)
}

fn number(value: Option<u64>) -> Option<String> {
    value.map(|value| value.to_string())
}

pub(super) async fn rollback(source: &mut Source, options: &Rollback) -> Result<(), Failure> {
    let (name, writer) = (read_name(&options.name)?, Writer::new());
    let consent = options.consented.consent(false);
    let act =
        |store, really| -> BoxFuture<'_, _> { Box::pin(tools::rollback(store, &writer, &name, options.to, really)) };
    let changed = source.change(&name, "rollback", &[("to", number(options.to))], consent, &act).await?;
    tell_one(&changed, &options.listing, "rolled back", "this would roll back")
}

pub(super) async fn fork(source: &mut Source, options: &Fork) -> Result<(), Failure> {
    let (name, new, writer) = (read_name(&options.name)?, read_name(&options.new)?, Writer::new());
    let consent = options.consented.consent(false);
    let act = |store, really| -> BoxFuture<'_, _> {
        Box::pin(tools::fork(store, &writer, (&name, options.record), (&new, options.replace), really))
    };
    let query = [
        ("to", Some(new.to_string())),
        ("record", number(options.record)),
        ("replace", options.replace.then(|| "true".to_owned())),
    ];
    let changed = source.change(&name, "fork", &query, consent, &act).await?;
    tell_one(&changed, &options.listing, "copied", "this would replace the state of")
}

pub(super) async fn retry(source: &mut Source, options: &Retry) -> Result<(), Failure> {
    let name = read_name(&options.name)?;
    let consent = Consent { stop_it: options.stop_it, ..Consent::default() };
    let act = |store, really| -> BoxFuture<'_, _> { Box::pin(tools::retry(store, &name, really)) };
    let changed = source.change(&name, "retry", &[], consent, &act).await?;
    tell_one(&changed, &options.listing, "refusals forgotten", "this would forget the refusals of")
}

pub(super) async fn repair(source: &mut Source, options: &Repair) -> Result<(), Failure> {
    let name = read_name(&options.name)?;
    let consent = options.consented.consent(false);
    let act = |store, really| -> BoxFuture<'_, _> { Box::pin(tools::repair(store, &name, really)) };
    let changed = source.change(&name, "repair", &[], consent, &act).await?;
    tell_one(&changed, &options.listing, "repaired", "this would make a new head for")
}

pub(super) async fn forget(source: &mut Source, options: &Forget) -> Result<(), Failure> {
    let names = options.names.iter().map(|name| read_name(name)).collect::<Result<Vec<_>, _>>()?;
    let (writer, consent) = (Writer::new(), options.consented.consent(false));
    let mut several = Several::new(&options.listing, "forgotten", "this would erase");
    for name in &names {
        let act = |store, really| -> BoxFuture<'_, _> { Box::pin(tools::forget(store, &writer, name, really)) };
        several.take(name, source.change(name, "forget", &[], consent, &act).await)?;
    }
    several.end()
}

pub(super) async fn prune(source: &mut Source, options: &Prune) -> Result<(), Failure> {
    let consent = options.consented.consent(options.running);
    let keep = match options.keep {
        Some(keep) => keep as usize,
        None => check::history(source).await?,
    };
    let names = match options.names.is_empty() {
        true => source.longer_than(keep).await?,
        false => options.names.iter().map(|name| read_name(name)).collect::<Result<_, _>>()?,
    };
    let mut several = Several::new(&options.listing, "pruned", "this would prune");
    for name in &names {
        let act = |store, really| -> BoxFuture<'_, _> { Box::pin(tools::prune(store, name, keep, really)) };
        let query = [("keep", Some(keep.to_string()))];
        several.take(name, source.change(name, "prune", &query, consent, &act).await)?;
    }
    several.end()
}

impl Source {
    /// The actors that have more records than this.
    async fn longer_than(&mut self, records: usize) -> Result<Vec<ActorName>, Failure> {
        let mut names = Vec::new();
        let mut after: Option<String> = None;
        loop {
            let page = self.page(after.as_deref()).await?;
            let longer = |line: &&Value| line["head"]["records"].as_array().is_some_and(|all| all.len() > records);
            let found = page.actors.iter().filter(longer).filter_map(|line| line["actor"].as_str());
            names.extend(found.map(read_name).collect::<Result<Vec<_>, _>>()?);
            after = page.next;
            if after.is_none() {
                return Ok(names);
            }
        }
    }
}

/// A change to several actors: one that is refused does not keep it from the others.
struct Several<'a> {
    listing: &'a Listing,
    done: &'a str,
    would: &'a str,
    all: Vec<Value>,
    failed: usize,
}

impl<'a> Several<'a> {
    fn new(listing: &'a Listing, done: &'a str, would: &'a str) -> Self {
        Self { listing, done, would, all: Vec::new(), failed: 0 }
    }

    fn take(&mut self, name: &ActorName, changed: Result<Value, Failure>) -> Result<(), Failure> {
        match changed.and_then(|changed| {
            let done = started(&changed);
            if !self.listing.json {
                tell(&changed, self.done, self.would)?;
            }
            self.all.push(changed);
            done
        }) {
            Ok(()) => Ok(()),
            // Nobody reads on.
            Err(failure) if failure.is_quiet() => Err(failure),
            Err(failure) => {
                self.failed += 1;
                let (message, hint) = failure.words();
                tell_error(&format!("{name}: {message}"), hint.as_deref());
                Ok(())
            }
        }
    }

    fn end(self) -> Result<(), Failure> {
        if self.listing.json {
            print_json(&self.all)?;
        } else if self.all.is_empty() && self.failed == 0 {
            print_line("nothing to do")?;
        }
        if self.failed > 0 { Err(Failure::told(Failure::FAILED)) } else { Ok(()) }
    }
}
