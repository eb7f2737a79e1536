//! `logs`.

use std::pin::pin;

use baton_host::logs::LogLevel;
use baton_host::model::NameOrPattern;
use bytes::Bytes;
use clap::Args;
use serde::Deserialize;
use serde_json::{Map, Value};
use tokio::sync::mpsc;

use super::Place;
use super::client::escaped;
use super::completions;
use super::output::{Failure, Tone, moment, one_line, print_line, tinted};
use super::stream::Lines;

/// Pieces of the answer that wait to be printed.
const PIECES: usize = 16;

#[derive(Debug, Args)]
pub(super) struct Options {
    /// Only what is about these actors: a name, or a pattern such as 'cart/*'
    #[arg(add = completions::actors())]
    pattern: Option<NameOrPattern>,
    /// Only what is as grave as this, or graver: error, warn, info, debug or trace
    #[arg(long, value_name = "LEVEL")]
    level: Option<LogLevel>,
    /// How many of the last lines
    #[arg(long, value_name = "N", default_value_t = 100)]
    tail: usize,
    /// Go on with what is logged from now on
    #[arg(short, long)]
    follow: bool,
    /// As JSON, an object on each line
    #[arg(long)]
    json: bool,
}

/// A line as the host tells it.
#[derive(Debug, Deserialize)]
struct Told {
    time_ms: u64,
    level: String,
    message: String,
    actor: Option<String>,
    plugin: Option<String>,
    version: Option<String>,
    generation: Option<u64>,
    fields: Map<String, Value>,
}

impl Options {
    fn path(&self) -> String {
        let mut query = format!("tail={}&follow={}", self.tail, self.follow);
        if let Some(pattern) = &self.pattern {
            query.push_str(&format!("&match={}", escaped(&pattern.to_string())));
        }
        if let Some(level) = self.level {
            query.push_str(&format!("&level={level}"));
        }
        format!("/v1/logs?{query}")
    }
}

pub(super) async fn logs(place: &Place, options: &Options) -> Result<(), Failure> {
    let mut client = place.client()?;
    let (pieces, mut taken) = mpsc::channel::<Bytes>(PIECES);
    let path = options.path();
    let mut download = pin!(client.download(&path, pieces));
    let mut print = pin!(async move {
        let mut lines = Lines::default();
        while let Some(piece) = taken.recv().await {
            // An empty one says that the host is there.
            for line in lines.take(&piece)?.iter().filter(|line| !line.is_empty()) {
                print_line(&if options.json { line.clone() } else { read(line)?.line() })?;
            }
        }
        Ok::<_, Failure>(())
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

fn read(line: &str) -> Result<Told, Failure> {
    serde_json::from_str(line)
        .map_err(|error| Failure::new(format!("a line of the host's log cannot be read: {error}")))
}

impl Told {
    /// One line for a person.
    fn line(&self) -> String {
        let tone = match self.level.as_str() {
            "error" => Tone::Bad,
            "warn" => Tone::Doubtful,
            "info" => Tone::Good,
            _ => Tone::Faint,
        };
        let level = tinted(&format!("{:<5}", self.level.to_uppercase()), tone);
        let mut line = format!("{}  {level}", moment(self.time_ms));
        let mut add = |word: &str| {
            line.push_str("  ");
            line.push_str(&one_line(word));
        };
        if let Some(actor) = &self.actor {
            let runs = [self.plugin.clone(), self.version.clone(), self.generation.map(|number| format!("#{number}"))];
            let runs: Vec<String> = runs.into_iter().flatten().collect();
            add(&if runs.is_empty() { actor.clone() } else { format!("{actor} ({})", runs.join(" ")) });
        }
        add(&self.message);
        for (name, value) in &self.fields {
            let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            add(&format!("{name}={value}"));
        }
        line
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_when_how_grave_about_whom_and_what_and_is_harmless() {
        let line = r#"{"sequence":1,"time_ms":1795439109000,"level":"warn","target":"baton::guest",
            "message":"lost \u001b[2J\nmore","actor":"a/1","plugin":"p","version":"1.0.0","generation":2,
            "fields":{"why":"so","count":3}}"#;
        let told = read(line).expect("a line");
        let expected = "2026-11-23 13:05:09Z  WARN   a/1 (p 1.0.0 #2)  lost \\u{1b}[2J more  count=3  why=so";
        assert_eq!(told.line(), expected);
        let plain = Told { actor: None, fields: Map::new(), ..told };
        assert_eq!(plain.line(), "2026-11-23 13:05:09Z  WARN   lost \\u{1b}[2J more");
    }
}
