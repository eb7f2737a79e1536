//! `events`.

use std::pin::pin;
use std::time::Duration;

use baton_host::events::EventKind;
use baton_host::model::NameOrPattern;
use bytes::Bytes;
use clap::Args;
use serde::Deserialize;
use serde_json::Value;
use tokio::sync::mpsc;
use tokio::time::sleep;

use super::Place;
use super::client::{Client, escaped};
use super::completions;
use super::output::{Failure, Tone, moment, one_line, print_line, tell_note, tinted};
use super::stream::Lines;

/// Pieces of the answer that wait to be printed.
const PIECES: usize = 16;
/// How long it waits before it goes on where it fell behind.
const PAUSE: Duration = Duration::from_millis(100);

#[derive(Debug, Args)]
pub(super) struct Options {
    /// Only those about these actors and supervisors: a name, or a pattern such as 'cart/*'
    #[arg(add = completions::actors())]
    pattern: Option<NameOrPattern>,
    /// Only those of these kinds, with commas between them
    #[arg(long, value_name = "KINDS", value_delimiter = ',')]
    kinds: Vec<EventKind>,
    /// Begin after the event with this sequence; 0: with the oldest that is kept [default: with the next one]
    #[arg(long, value_name = "SEQ")]
    since: Option<u64>,
    /// End with the last one that there is; without --since begins with the oldest
    #[arg(long)]
    no_follow: bool,
    /// As JSON, an object on each line
    #[arg(long)]
    json: bool,
}

/// An event as the host tells it.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Told {
    sequence: u64,
    time_ms: u64,
    kind: String,
    actor: Option<String>,
    plugin: Option<String>,
    version: Option<String>,
    generation: Option<u64>,
    detail: Value,
}

impl Options {
    fn path(&self, since: Option<u64>) -> String {
        let mut query = vec![format!("follow={}", !self.no_follow)];
        if let Some(pattern) = &self.pattern {
            query.push(format!("match={}", escaped(&pattern.to_string())));
        }
        if !self.kinds.is_empty() {
            let kinds: Vec<_> = self.kinds.iter().map(|kind| kind.word()).collect();
            query.push(format!("kinds={}", kinds.join(",")));
        }
        let since = since.or(Some(0).filter(|_| self.no_follow));
        query.extend(since.map(|since| format!("since={since}")));
        format!("/v1/events?{}", query.join("&"))
    }
}

pub(super) async fn events(place: &Place, options: &Options) -> Result<(), Failure> {
    let mut since = options.since;
    loop {
        let behind = listen(&mut place.client()?, options, since).await?;
        let Some(after) = behind else {
            if !options.no_follow {
                tell_note("the host has ended");
            }
            return Ok(());
        };
        // The host has dropped this client: it goes on with what is kept.
        since = Some(after);
        sleep(PAUSE).await;
    }
}

/// Prints what comes, to its end; or answers with where to go on, where this client was too slow.
async fn listen(client: &mut Client, options: &Options, since: Option<u64>) -> Result<Option<u64>, Failure> {
    let (pieces, mut taken) = mpsc::channel::<Bytes>(PIECES);
    let path = options.path(since);
    let mut download = pin!(client.download(&path, pieces));
    let mut print = pin!(async move {
        let (mut lines, mut behind) = (Lines::default(), None);
        while let Some(piece) = taken.recv().await {
            for line in lines.take(&piece)? {
                if let Some(data) = line.strip_prefix("data:") {
                    behind = told(data.trim_start(), options.json)?;
                }
            }
        }
        Ok::<_, Failure>(behind)
    });
    tokio::select! {
        // Nobody reads what is printed.
        printed = &mut print => printed,
        downloaded = &mut download => {
            downloaded?;
            print.await
        }
    }
}

/// Prints an event. Where it says that this client was too slow, answers with where to go on.
fn told(data: &str, as_json: bool) -> Result<Option<u64>, Failure> {
    let event: Told = serde_json::from_str(data)
        .map_err(|error| Failure::new(format!("an event of the host cannot be read: {error}")))?;
    let behind = event.kind == "behind";
    match (as_json, behind) {
        (true, _) => print_line(data)?,
        (false, true) => tell_note(&event.says()),
        (false, false) => print_line(&event.line())?,
    }
    Ok(Some(event.sequence).filter(|_| behind))
}

impl Told {
    /// One line for a person, in colours where there are any.
    fn line(&self) -> String {
        let tone = match self.kind.as_str() {
            "crashed" | "failed" | "gave-up" | "held" | "dead-letter" | "frozen" | "lease-lost" => Tone::Bad,
            "running" | "resumed" | "thawed" => Tone::Good,
            "restarted" | "suspended" | "store" | "elsewhere" | "taken-over" => Tone::Doubtful,
            _ => Tone::Plain,
        };
        let mut line = format!("{}  {}", moment(self.time_ms), tinted(&format!("{:<11}", self.kind), tone));
        for word in [self.whom(), self.what(), self.says()].into_iter().filter(|word| !word.is_empty()) {
            line.push_str("  ");
            line.push_str(&one_line(&word));
        }
        line
    }

    /// The time of day, the kind, and what else it says, where it is known whom it is about.
    pub(super) fn brief(&self) -> String {
        let time: String = moment(self.time_ms).chars().skip("2026-11-23 ".len()).take("13:05:09".len()).collect();
        one_line(format!("{time}  {}  {}", self.kind, self.says()).trim_end())
    }

    /// The actor or supervisor.
    fn whom(&self) -> String {
        self.actor.clone().unwrap_or_default()
    }

    /// The plugin, its version and the instance's generation.
    fn what(&self) -> String {
        let words = [self.plugin.clone(), self.version.clone(), self.generation.map(|number| format!("#{number}"))];
        words.into_iter().flatten().collect::<Vec<_>>().join(" ")
    }

    /// What else it says, in words.
    fn says(&self) -> String {
        let detail = &self.detail;
        let text = |key: &str| detail[key].as_str().unwrap_or_default().to_owned();
        let number = |key: &str| detail[key].as_u64().unwrap_or_default();
        match self.kind.as_str() {
            "running" => match (detail["switched_from"].as_str(), detail["handed_over"] == true) {
                (Some(from), _) => format!("switched from {from}"),
                (None, true) => "its state was handed over".to_owned(),
                (None, false) => "it begins anew".to_owned(),
            },
            "stopped" => match (detail["not_saved"].as_str(), detail["committed"].as_u64()) {
                (Some(why), _) => format!("{}, not saved: {why}", text("reason")),
                (None, Some(record)) => format!("{}, saved as record {record}", text("reason")),
                (None, None) => text("reason"),
            },
            "crashed" => format!("in `{}`: {}", text("during"), text("why")),
            "restarted" => format!("restart {}", number("restarts")),
            "held" | "failed" | "gave-up" | "frozen" | "lease-lost" => text("why"),
            "thawed" => format!("after {} ms", number("frozen_ms")),
            "elsewhere" => {
                let at = detail["address"].as_str().map(|address| format!(", {address}")).unwrap_or_default();
                format!("the host on {} owns it{at}", text("node"))
            }
            "taken-over" => {
                let from = detail["node"].as_str().map(|node| format!(" on {node}")).unwrap_or_default();
                format!("from the host{from} that is gone")
            }
            "swap" => {
                let course = format!("{} to {}: {}", text("from"), text("to"), text("phase"));
                let outcome = detail["outcome"].as_str().map(|outcome| format!(", {outcome}")).unwrap_or_default();
                let why = detail["why"].as_str().map(|why| format!(": {why}")).unwrap_or_default();
                format!("{course}, {} of {}{outcome}{why}", number("done"), number("total"))
            }
            "plugin" => format!("{} ({})", text("change"), text("digest").chars().take(12).collect::<String>()),
            "dead-letter" => {
                let from = detail["from"].as_str().map(|from| format!(" from {from}")).unwrap_or_default();
                let more = match number("more") {
                    0 => String::new(),
                    more => format!(" (and {more} before it that were not told)"),
                };
                format!("{} for {}{from}: {}{more}", text("message"), text("to"), text("why"))
            }
            "store" => detail["trouble"].as_str().unwrap_or("it answers again").to_owned(),
            "host" => text("state"),
            "behind" => match detail["missed"].as_u64() {
                Some(missed) => format!("{missed} events were missed"),
                None => "what an earlier host told is not kept".to_owned(),
            },
            // A newer host may tell of what this command does not know.
            _ if detail.is_null() => String::new(),
            _ => detail.to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn event(kind: &str, detail: &Value) -> Told {
        let event = json!({
            "sequence": 7, "time_ms": 1_795_439_109_000_u64, "kind": kind, "actor": "cart/1", "plugin": "cart",
            "version": "1.0.0", "generation": 3, "detail": detail,
        });
        serde_json::from_value(event).expect("an event")
    }

    #[test]
    fn an_event_is_a_line_in_words() {
        let cases = [
            ("starting", json!(null), ""),
            ("running", json!({ "handed_over": true, "switched_from": null }), "its state was handed over"),
            ("running", json!({ "handed_over": true, "switched_from": "0.9.0" }), "switched from 0.9.0"),
            ("running", json!({ "handed_over": false, "switched_from": null }), "it begins anew"),
            ("stopped", json!({ "reason": "normal", "committed": 4, "not_saved": null }), "normal, saved as record 4"),
            (
                "stopped",
                json!({ "reason": "shutdown", "not_saved": "it was killed" }),
                "shutdown, not saved: it was killed",
            ),
            ("crashed", json!({ "why": "unreachable", "during": "handle" }), "in `handle`: unreachable"),
            ("restarted", json!({ "restarts": 2 }), "restart 2"),
            ("gave-up", json!({ "why": "`a` needed more" }), "`a` needed more"),
            (
                "swap",
                json!({ "from": "1.0.0", "to": "2.0.0", "phase": "ended", "done": 3, "total": 3, "outcome": "done", "why": null }),
                "1.0.0 to 2.0.0: ended, 3 of 3, done",
            ),
            ("plugin", json!({ "change": "loaded", "digest": "0123456789abcdef" }), "loaded (0123456789ab)"),
            (
                "dead-letter",
                json!({ "to": "x", "message": "cast", "id": "m", "from": "y", "why": "no such actor", "more": 2 }),
                "cast for x from y: no such actor (and 2 before it that were not told)",
            ),
            ("store", json!({ "trouble": null }), "it answers again"),
            ("host", json!({ "state": "ready" }), "ready"),
            ("behind", json!({ "missed": 12 }), "12 events were missed"),
            ("behind", json!({ "missed": null }), "what an earlier host told is not kept"),
            ("novel", json!({ "a": 1 }), r#"{"a":1}"#),
        ];
        for (kind, detail, says) in cases {
            assert_eq!(event(kind, &detail).says(), says, "{kind}");
        }
        let line = event("restarted", &json!({ "restarts": 2 })).line();
        assert_eq!(line, "2026-11-23 13:05:09Z  restarted    cart/1  cart 1.0.0 #3  restart 2");
        assert_eq!(event("starting", &json!(null)).brief(), "13:05:09  starting");
        assert_eq!(event("failed", &json!({ "why": "a\nb" })).brief(), "13:05:09  failed  a b");
        let elsewhere = event("elsewhere", &json!({ "node": "b", "address": "http://b:1" })).brief();
        assert_eq!(elsewhere, "13:05:09  elsewhere  the host on b owns it, http://b:1");
        let taken = event("taken-over", &json!({ "node": null })).brief();
        assert_eq!(taken, "13:05:09  taken-over  from the host that is gone");
        assert_eq!(event("thawed", &json!({ "frozen_ms": 7 })).brief(), "13:05:09  thawed  after 7 ms");
    }

    #[test]
    fn escape_codes_and_ends_of_lines_in_an_event_are_harmless() {
        let line = event("failed", &json!({ "why": "a\u{1b}[2J\nb" })).line();
        assert!(line.ends_with("a\\u{1b}[2J b"), "{line}");
    }
}
