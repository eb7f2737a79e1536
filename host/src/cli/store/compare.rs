//! `store diff`: two records side by side.

use baton_host::store::tools::{self, Diff, Fact, Line};
use clap::Args;
use serde_json::Value;

use super::super::client::path_of;
use super::super::completions;
use super::super::output::{Failure, harmless, moment, print_json, print_line, table};
use super::{Listing, Source, of_tool, read_name, same};

#[derive(Debug, Args)]
pub(in crate::cli) struct Options {
    /// The actor's name
    #[arg(add = completions::stored())]
    name: String,
    /// The sequence of the first record [default: the one before the current one]
    a: Option<u64>,
    /// The sequence of the second [default: the current one]
    b: Option<u64>,
    #[command(flatten)]
    listing: Listing,
}

pub(super) async fn diff(source: &mut Source, options: &Options) -> Result<(), Failure> {
    let name = read_name(&options.name)?;
    let (a, b) = (options.a, options.b);
    let found: Value = match source {
        Source::Host(client) => {
            let given = [("a", a), ("b", b)].into_iter().filter_map(|(key, value)| Some(format!("{key}={}", value?)));
            let query = given.collect::<Vec<_>>().join("&");
            client.get(&path_of("store", name.as_str(), &format!("/diff?{query}")), None).await?
        }
        Source::Files(store) => {
            same(&tools::diff(store.as_ref(), &name, a, b).await.map_err(|error| of_tool(&error))?)?
        }
    };
    if options.listing.json {
        return print_json(&found);
    }
    Ok(print_line(harmless(text(&same(&found)?).trim_end()).as_ref())?)
}

/// A value as people read it, with the number itself where it is a moment.
fn shown(fact: &Fact, value: &str) -> String {
    match value.parse() {
        Ok(time_ms) if fact.name.ends_with("time_ms") => format!("{value} ({})", moment(time_ms)),
        _ => value.to_owned(),
    }
}

fn text(diff: &Diff) -> String {
    let (a, b) = (format!("RECORD {}", diff.a), format!("RECORD {}", diff.b));
    let cells = |fact: &Fact| vec![fact.name.clone(), shown(fact, &fact.a), shown(fact, &fact.b)];
    let mut text = table(&["", &a, &b], diff.facts.iter().map(cells));
    let states = &diff.states;
    text += &match states.first_difference {
        None => format!("\nstate: equal, {} bytes\n", states.a_bytes),
        Some(at) => format!(
            "\nstate: {} and {} bytes; {} differ, the first at {at}\n",
            states.a_bytes, states.b_bytes, states.differing_bytes
        ),
    };
    if let Some(lines) = &diff.text {
        text += &lines_of(lines);
    }
    for (what, lines) in [("waiting messages", &diff.inbox), ("timers", &diff.timers), ("on their way", &diff.outbox)] {
        if !lines.is_empty() {
            text += &format!("\n{what}\n{}", lines_of(lines));
        }
    }
    text
}

fn lines_of(lines: &[Line]) -> String {
    let line = |line: &Line| match line {
        Line::Same(text) => format!("  {text}\n"),
        Line::Old(text) => format!("- {text}\n"),
        Line::New(text) => format!("+ {text}\n"),
        Line::Skipped(1) => "  … 1 line\n".to_owned(),
        Line::Skipped(count) => format!("  … {count} lines\n"),
        Line::More => "… and more\n".to_owned(),
    };
    lines.iter().map(line).collect()
}
