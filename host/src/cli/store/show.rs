//! `store ls`, `show` and `history`: what is stored, on the screen.

use serde::Deserialize;
use serde_json::Value;

use super::super::output::{Failure, bytes, moment, print_json, print_line, print_table, table};
use super::{Listing, Named, Source, same};

pub(super) async fn ls(source: &mut Source, listing: &Listing) -> Result<(), Failure> {
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

pub(super) async fn show(source: &mut Source, named: &Named) -> Result<(), Failure> {
    let stored = source.stored(&named.name()?).await?;
    if named.listing.json { print_json(&stored) } else { Ok(print_line(same::<Stored>(&stored)?.text().trim_end())?) }
}

pub(super) async fn history(source: &mut Source, named: &Named) -> Result<(), Failure> {
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
pub(super) struct Reference {
    pub(super) sequence: u64,
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
pub(super) struct Quarantined {
    pub(super) record: Reference,
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
    pub(super) fn cells(&self) -> Vec<String> {
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
            "plugin": ["counter", "1.0.0"], "cause": { "stopped": "shutdown" }, "inbox_messages": 7, "outbox_messages": 8, "next_timer_ms": 60_000,
        })
    }

    fn head() -> Value {
        json!({
            "epoch": 2, "generation": 4, "sequence": 3, "owner": null, "nonce": 9, "stopped": "shutdown",
            "taken_up": null, "records": [reference()],
            "refusals": [{
                "record": "ab".repeat(32), "component": "cd".repeat(32), "version": "1.2.0", "why": "stale: too old",
                "time_ms": 0,
            }],
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
            "inbox       7",
            "outbox      8",
            "next timer  1970-01-01 00:01:00Z",
            "3       1.2.0    cdcdcdcdcdcd  1970-01-01 00:00:00Z  stale: too old",
        ] {
            assert!(text.contains(part), "{part:?} is in\n{text}");
        }
    }
}
