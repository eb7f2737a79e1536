//! `plugins`.

use serde::Deserialize;
use serde_json::Value;

use super::output::{Failure, print_json, print_table};
use super::{Listing, Place};

const HEAD: [&str; 9] = ["PLUGIN", "VERSION", "DIGEST", "CURRENT", "PART", "RUNNING", "SCHEMA", "READS", "SOURCE"];
/// Digits of a digest that are shown.
const DIGITS: usize = 12;

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
    source: String,
    current: bool,
    part: Option<String>,
    running: usize,
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
}

pub(super) async fn plugins(place: &Place, options: &Listing) -> Result<(), Failure> {
    let found: Plugins = place.client()?.get("/v1/plugins", None).await?;
    if options.json {
        return print_json(&found.plugins);
    }
    let rows: Result<Vec<Plugin>, _> = found.plugins.into_iter().map(serde_json::from_value).collect();
    let rows = rows.map_err(|error| Failure::new(format!("the host's answer cannot be read: {error}")))?;
    print_table(&HEAD, rows.into_iter().map(Plugin::cells))
}
