//! `plugins`, and `plugin ls` and `show`.

use baton_host::PluginName;
use baton_host::config::closest;
use clap::{Args, Subcommand};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::client::Client;
use super::completions;
use super::output::{Failure, harmless, print_json, print_line, print_table};
use super::{Listing, Place};

const HEAD: [&str; 9] = ["PLUGIN", "VERSION", "DIGEST", "CURRENT", "PART", "RUNNING", "SCHEMA", "READS", "SOURCE"];
/// Digits of a digest that are shown.
const DIGITS: usize = 12;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// List the plugins: their versions, which one is current, and how many actors run each
    Ls(Listing),
    /// Show one plugin: each version that is loaded, and the actors that name it
    Show(Named),
}

#[derive(Debug, Args)]
pub(super) struct Named {
    /// The plugin's name
    #[arg(add = completions::plugins())]
    name: String,
    #[command(flatten)]
    listing: Listing,
}

#[derive(Deserialize)]
struct Plugins {
    plugins: Vec<Value>,
}

/// What of a version is shown.
#[derive(Deserialize)]
struct Plugin {
    name: String,
    version: String,
    digest: String,
    schema: u32,
    reads_from: u32,
    reads_to: u32,
    messages: String,
    source: String,
    current: bool,
    part: Option<String>,
    running: usize,
}

/// A plugin, with the actors that name it.
#[derive(Serialize)]
struct Shown {
    versions: Vec<Value>,
    actors: Vec<String>,
}

impl Plugin {
    fn cells(self) -> Vec<String> {
        vec![
            self.name,
            self.version,
            self.digest.chars().take(DIGITS).collect(),
            if self.current { "yes" } else { "-" }.to_owned(),
            self.part.unwrap_or_else(|| "-".to_owned()),
            self.running.to_string(),
            self.schema.to_string(),
            format!("{} to {}", self.reads_from, self.reads_to),
            self.source,
        ]
    }

    fn text(&self) -> String {
        let whose = match (&self.part, self.current) {
            (Some(part), _) => format!("for {part}"),
            (None, true) => "current".to_owned(),
            (None, false) => "not current".to_owned(),
        };
        format!(
            "{} {}  {whose}\n  digest    {}\n  schema    {}, reads {} to {}\n  messages  {}\n  source    {}\n  running   {}\n",
            self.name,
            self.version,
            self.digest,
            self.schema,
            self.reads_from,
            self.reads_to,
            self.messages,
            self.source,
            self.running
        )
    }
}

async fn found(client: &mut Client) -> Result<Vec<Value>, Failure> {
    Ok(client.get::<Plugins>("/v1/plugins", None).await?.plugins)
}

fn read(plugins: &[Value]) -> Result<Vec<Plugin>, Failure> {
    let rows: Result<Vec<Plugin>, _> = plugins.iter().map(Plugin::deserialize).collect();
    rows.map_err(|error| Failure::new(format!("the host's answer cannot be read: {error}")))
}

pub(super) async fn plugins(place: &Place, options: &Listing) -> Result<(), Failure> {
    let found = found(&mut place.client()?).await?;
    if options.json {
        return print_json(&found);
    }
    print_table(&HEAD, read(&found)?.into_iter().map(Plugin::cells))
}

pub(super) async fn plugin(place: &Place, command: Command) -> Result<(), Failure> {
    match command {
        Command::Ls(options) => plugins(place, &options).await,
        Command::Show(named) => show(place, &named).await,
    }
}

async fn show(place: &Place, named: &Named) -> Result<(), Failure> {
    #[derive(Deserialize)]
    struct Actors {
        actors: Vec<Actor>,
    }
    #[derive(Deserialize)]
    struct Actor {
        name: String,
        plugin: String,
    }
    let name = PluginName::new(&named.name).map_err(|error| Failure::usage(error.to_string()))?;
    let mut client = place.client()?;
    let all = found(&mut client).await?;
    let of = |plugin: &Value| plugin["name"] == name.as_str();
    let versions: Vec<Value> = all.iter().filter(|plugin| of(plugin)).cloned().collect();
    if versions.is_empty() {
        let names = all.iter().filter_map(|plugin| plugin["name"].as_str());
        let hint = match closest(name.as_str(), names) {
            Some(name) => format!("did you mean `{name}`?"),
            None => "`baton plugin ls` lists the plugins".to_owned(),
        };
        return Err(Failure::new(format!("no plugin `{name}` is loaded [unknown-plugin]")).hint(hint));
    }
    let Actors { actors } = client.get("/v1/actors", None).await?;
    let actors = actors.into_iter().filter(|actor| actor.plugin == name.as_str()).map(|actor| actor.name).collect();
    let shown = Shown { versions, actors };
    if named.listing.json {
        return print_json(&shown);
    }
    let mut text: String = read(&shown.versions)?.iter().map(Plugin::text).collect();
    text.push_str(&format!("{} actors\n", shown.actors.len()));
    for actor in &shown.actors {
        text.push_str(&format!("  {actor}\n"));
    }
    Ok(print_line(&harmless(text.trim_end()))?)
}
