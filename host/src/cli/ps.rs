//! `ps`.

use baton_host::model::NameOrPattern;
use clap::Args;
use serde::Deserialize;
use serde_json::Value;

use super::client::escaped;
use super::completions;
use super::output::{Failure, bytes, micros, print_json, print_line, print_table};
use super::{Listing, Place};

const HEAD: [&str; 12] =
    ["NAME", "PLUGIN", "PHASE", "GEN", "SEQ", "SCHEMA", "WAITING", "HANDLED", "P99", "MEMORY", "RESTARTS", "NOTE"];

#[derive(Debug, Args)]
pub(super) struct Options {
    /// Only these: a name, or a pattern such as 'cart/*'
    #[arg(add = completions::actors())]
    pattern: Option<NameOrPattern>,
    #[command(flatten)]
    listing: Listing,
}

#[derive(Deserialize)]
struct Actors {
    actors: Vec<Value>,
    #[serde(default)]
    asleep: usize,
}

/// What of an actor is shown.
#[derive(Debug, Deserialize)]
struct Actor {
    name: String,
    plugin: String,
    version: Option<String>,
    phase: String,
    generation: u64,
    sequence: Option<u64>,
    schema: Option<u32>,
    waiting: u64,
    handled: u64,
    turn_us: Option<TurnTimes>,
    memory_bytes: Option<u64>,
    restarts: u64,
    note: Option<String>,
}

#[derive(Debug, Deserialize)]
struct TurnTimes {
    p99: u64,
}

impl Actor {
    fn cells(self) -> Vec<String> {
        let or_dash = |value: Option<String>| value.unwrap_or_else(|| "-".to_owned());
        vec![
            self.name,
            format!("{} {}", self.plugin, self.version.unwrap_or_default()).trim_end().to_owned(),
            self.phase,
            self.generation.to_string(),
            or_dash(self.sequence.map(|n| n.to_string())),
            or_dash(self.schema.map(|n| n.to_string())),
            self.waiting.to_string(),
            self.handled.to_string(),
            or_dash(self.turn_us.map(|times| micros(times.p99))),
            or_dash(self.memory_bytes.map(bytes)),
            self.restarts.to_string(),
            self.note.unwrap_or_default(),
        ]
    }
}

pub(super) async fn ps(place: &Place, options: &Options) -> Result<(), Failure> {
    let query = match &options.pattern {
        Some(pattern) => format!("?match={}", escaped(&pattern.to_string())),
        None => String::new(),
    };
    let found: Actors = place.client()?.get(&format!("/v1/actors{query}"), None).await?;
    if options.listing.json {
        return print_json(&found.actors);
    }
    let shown = found.actors.iter().filter(|actor| actor["phase"] == "asleep").count();
    let more = found.asleep.saturating_sub(shown);
    let rows: Result<Vec<Actor>, _> = found.actors.into_iter().map(serde_json::from_value).collect();
    let rows = rows.map_err(|error| Failure::new(format!("the host's answer cannot be read: {error}")))?;
    print_table(&HEAD, rows.into_iter().map(Actor::cells))?;
    // A pattern leaves out others as well: how many of them it means is not known.
    match more > 0 && options.pattern.is_none() {
        true => Ok(print_line(&format!("and {more} more that are asleep"))?),
        false => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_actor_is_a_line() {
        let actor = serde_json::json!({
            "name": "counter/1", "plugin": "counter", "version": "1.0.0", "phase": "held", "generation": 3,
            "sequence": 7, "schema": null, "waiting": 2, "waiting_bytes": 10, "handled": 40, "restarts": 1,
            "turn_us": { "p50": 90, "p99": 1_250, "max": 2_000 }, "memory_bytes": 1_114_112,
            "last_exit": null, "held": { "cause": { "damaged": "cut short" }, "sequence": 7, "digest": null }, "note": "its record is damaged",
        });
        let cells = serde_json::from_value::<Actor>(actor).expect("an actor").cells();
        let expected = [
            "counter/1",
            "counter 1.0.0",
            "held",
            "3",
            "7",
            "-",
            "2",
            "40",
            "1.2 ms",
            "1.1 MiB",
            "1",
            "its record is damaged",
        ];
        assert_eq!(cells, expected);
        assert_eq!(cells.len(), HEAD.len());
    }
}
