//! Two records side by side.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::super::{Origination, Record, RecordRef, SnapshotStore};
use super::lines::{self, Line};
use super::{ToolError, Wanted, change, plan};
use crate::model::{ActorName, Message};

/// Largest state that is compared as text, in bytes.
const TEXT_BYTES: usize = 1 << 20;

/// What differs between two records of an actor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Diff {
    /// Sequence of the first.
    pub a: u64,
    /// Sequence of the second.
    pub b: u64,
    /// The facts that differ.
    pub facts: Vec<Fact>,
    /// The states, byte by byte.
    pub states: States,
    /// The states as text, where both are text; JSON is laid out in lines first. None: they are not, or are too large.
    pub text: Option<Vec<Line>>,
    /// The waiting messages that one of them has alone.
    pub inbox: Vec<Line>,
    /// The same of timers.
    pub timers: Vec<Line>,
    /// The same of what it has sent and nobody has confirmed.
    pub outbox: Vec<Line>,
}

/// A fact that differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Fact {
    /// Its name.
    pub name: String,
    /// What the first record says.
    pub a: String,
    /// What the second says.
    pub b: String,
}

/// Two states, byte by byte.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct States {
    /// Bytes of the first.
    pub a_bytes: u64,
    /// Bytes of the second.
    pub b_bytes: u64,
    /// Where they differ first; none: they are equal.
    pub first_difference: Option<u64>,
    /// How many bytes differ, those that one of them has more included.
    pub differing_bytes: u64,
}

/// Compares the records `a` and `b` of an actor, by their sequences: without `b` the one that counts, without `a` the one
/// before it.
///
/// # Errors
/// If there are no such records, or one of them is damaged.
pub async fn diff(
    store: &dyn SnapshotStore,
    actor: &ActorName,
    a: Option<u64>,
    b: Option<u64>,
) -> Result<Diff, ToolError> {
    let (head, _) = change::head_of(store, actor).await?;
    let missing = |wanted| plan::missing(actor, &head, wanted);
    let b = match b {
        Some(sequence) => plan::find(actor, &head, sequence)?,
        None => head.current().ok_or_else(|| ToolError::NotStored(actor.clone()))?,
    };
    let a = match a {
        Some(sequence) => plan::find(actor, &head, sequence)?,
        None => head.records.get(1).ok_or_else(|| missing(Wanted::Before))?,
    };
    let (first, second) = (change::load(store, actor, a).await?, change::load(store, actor, b).await?);
    Ok(compare((a, &first), (b, &second)))
}

/// Compares two records.
#[must_use]
pub fn compare((a_ref, a): (&RecordRef, &Record), (b_ref, b): (&RecordRef, &Record)) -> Diff {
    let facts = facts(a_ref, a).into_iter().zip(facts(b_ref, b));
    let differ = facts.filter(|((_, a), (_, b))| a != b);
    Diff {
        a: a_ref.sequence,
        b: b_ref.sequence,
        facts: differ.map(|((name, a), (_, b))| Fact { name: name.to_owned(), a, b }).collect(),
        states: states(&a.data, &b.data),
        text: text(&a.data, &b.data),
        inbox: alone(&inbox(a), &inbox(b)),
        timers: alone(&timers(a), &timers(b)),
        outbox: alone(&outbox(a), &outbox(b)),
    }
}

fn facts(reference: &RecordRef, record: &Record) -> Vec<(&'static str, String)> {
    let header = &record.header;
    let state = header.state.as_ref();
    let of = |show: &dyn Fn(&Origination) -> String| state.map_or_else(|| "-".to_owned(), show);
    let traffic = &header.traffic;
    vec![
        ("sequence", header.sequence.to_string()),
        ("digest", reference.digest.to_string()),
        ("bytes", reference.bytes.to_string()),
        ("time_ms", header.time_ms.to_string()),
        ("cause", header.cause.to_string()),
        ("node", header.node.clone()),
        ("epoch", header.epoch.to_string()),
        ("generation", header.generation.to_string()),
        ("plugin", of(&|state| format!("{} {}", state.plugin, state.version))),
        ("component", of(&|state| state.digest.to_string())),
        ("schema", of(&|state| state.schema.to_string())),
        ("state_generation", of(&|state| state.generation.to_string())),
        ("state_time_ms", of(&|state| state.time_ms.to_string())),
        ("monitors", traffic.monitors.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")),
        ("replies", traffic.answered.len().to_string()),
        ("senders", traffic.received.len().to_string()),
    ]
}

fn states(a: &[u8], b: &[u8]) -> States {
    let common = a.len().min(b.len());
    let first = a.iter().zip(b).position(|(a, b)| a != b).or((a.len() != b.len()).then_some(common));
    let differing = a.iter().zip(b).filter(|(a, b)| a != b).count() + a.len().abs_diff(b.len());
    States {
        a_bytes: a.len() as u64,
        b_bytes: b.len() as u64,
        first_difference: first.map(|at| at as u64),
        differing_bytes: differing as u64,
    }
}

fn text(a: &[u8], b: &[u8]) -> Option<Vec<Line>> {
    if a == b || a.len().max(b.len()) > TEXT_BYTES {
        return None;
    }
    let (a, b) = (std::str::from_utf8(a).ok()?, std::str::from_utf8(b).ok()?);
    // What a person could not read says less than the numbers do.
    let readable = |text: &str| !text.contains(|c: char| c.is_control() && !c.is_whitespace());
    if !readable(a) || !readable(b) {
        return None;
    }
    match (laid_out(a), laid_out(b)) {
        (Some(a), Some(b)) => lines::compare(&a, &b),
        _ => lines::compare(a, b),
    }
}

fn laid_out(text: &str) -> Option<String> {
    let value: serde_json::Value = serde_json::from_str(text).ok()?;
    serde_json::to_string_pretty(&value).ok()
}

fn inbox(record: &Record) -> Vec<String> {
    let word = |message: &Message| match message {
        Message::Call(request) => format!("call {}, {} bytes", request.id, request.body.len()),
        Message::Cast(request) => format!("cast {}, {} bytes", request.id, request.body.len()),
        Message::Timer(name) => format!("timer {name}"),
        Message::Down(actor, why) => format!("down {actor}: {why}"),
        Message::Other(kind, body) => format!("{kind}, {} bytes", body.len()),
    };
    record.header.inbox.iter().map(word).collect()
}

fn timers(record: &Record) -> Vec<String> {
    record.header.timers.iter().map(|timer| format!("{} at {} ms", timer.name, timer.due_ms)).collect()
}

fn outbox(record: &Record) -> Vec<String> {
    let outbox = record.header.traffic.outbox.iter();
    outbox.map(|out| format!("{} to {}, {} bytes", out.id, out.to, out.body.len())).collect()
}

/// What one of two lists has alone.
fn alone(a: &[String], b: &[String]) -> Vec<Line> {
    let compared = lines::compare(&a.join("\n"), &b.join("\n")).unwrap_or_else(|| vec![Line::More]);
    compared.into_iter().filter(|line| !matches!(line, Line::Same(_) | Line::Skipped(_))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_are_compared_byte_by_byte() {
        let told = |a: &[u8], b: &[u8]| {
            let found = states(a, b);
            (found.first_difference, found.differing_bytes)
        };
        for (a, b, expected) in [
            (&b"abc"[..], &b"abc"[..], (None, 0)),
            (b"", b"", (None, 0)),
            (b"abc", b"abX", (Some(2), 1)),
            (b"abc", b"abcde", (Some(3), 2)),
            (b"Xbc", b"ab", (Some(0), 2)),
            (b"", b"ab", (Some(0), 2)),
        ] {
            assert_eq!(told(a, b), expected, "{a:?} {b:?}");
        }
    }

    #[test]
    fn text_is_compared_as_text_and_json_in_lines() {
        let changed = |a: &[u8], b: &[u8]| {
            let lines = text(a, b)?;
            Some(lines.into_iter().filter(|line| !matches!(line, Line::Same(_))).collect::<Vec<_>>())
        };
        let (old, new) = (|text: &str| Line::Old(text.into()), |text: &str| Line::New(text.into()));
        assert_eq!(changed(br#"{"a":1,"b":2}"#, br#"{"a":1,"b":3}"#), Some(vec![old("  \"b\": 2"), new("  \"b\": 3")]));
        assert_eq!(changed(b"one\ntwo", b"one\n2"), Some(vec![old("two"), new("2")]));
        assert_eq!(changed(b"3", b"5"), Some(vec![old("3"), new("5")]));
        for (a, b) in [(&b"\xff"[..], &b"a"[..]), (b"a\0", b"b"), (b"same", b"same")] {
            assert_eq!(text(a, b), None, "{a:?} {b:?}");
        }
        assert_eq!(text(&vec![b'a'; TEXT_BYTES + 1], b"a"), None);
    }
}
