//! `ps`.

use serde::Deserialize;
use serde_json::Value;

use super::output::{Failure, print_json, print_table};
use super::{Listing, Place};

const HEAD: [&str; 10] = ["NAME", "PLUGIN", "PHASE", "GEN", "SEQ", "SCHEMA", "MAILBOX", "HANDLED", "RESTARTS", "NOTE"];

#[derive(Deserialize)]
struct Actors {
    actors: Vec<Value>,
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
    mailbox_messages: u64,
    handled: u64,
    restarts: u64,
    note: Option<String>,
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
            self.mailbox_messages.to_string(),
            self.handled.to_string(),
            self.restarts.to_string(),
            self.note.unwrap_or_default(),
        ]
    }
}

pub(super) async fn ps(place: &Place, options: &Listing) -> Result<(), Failure> {
    let mut found: Actors = place.client()?.get("/v1/actors", None).await?;
    let name = |actor: &Value| actor.get("name").and_then(Value::as_str).unwrap_or_default().to_owned();
    found.actors.sort_by_cached_key(name);
    if options.json {
        return print_json(&found.actors);
    }
    let rows: Result<Vec<Actor>, _> = found.actors.into_iter().map(serde_json::from_value).collect();
    let rows = rows.map_err(|error| Failure::new(format!("the host's answer cannot be read: {error}")))?;
    print_table(&HEAD, rows.into_iter().map(Actor::cells))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_actor_is_a_line() {
        let actor = serde_json::json!({
            "name": "counter/1", "plugin": "counter", "version": "1.0.0", "phase": "held", "generation": 3,
            "sequence": 7, "schema": null, "mailbox_messages": 2, "mailbox_bytes": 10, "handled": 40, "restarts": 1,
            "last_exit": null, "held": { "cause": { "damaged": "cut short" }, "sequence": 7, "digest": null }, "note": "its record is damaged",
        });
        let cells = serde_json::from_value::<Actor>(actor).expect("an actor").cells();
        assert_eq!(
            cells,
            ["counter/1", "counter 1.0.0", "held", "3", "7", "-", "2", "40", "1", "its record is damaged"]
        );
        assert_eq!(cells.len(), HEAD.len());
    }
}
