//! `health`: how the host is, and whether it is ready.

use clap::Args;
use serde_json::Value;

use super::Place;
use super::output::{Failure, harmless, print_json, print_line};

#[derive(Debug, Args)]
pub(super) struct Options {
    /// Exit with 1 unless the host is ready: it is not while it restores at its start, and while it stops
    #[arg(long)]
    ready: bool,
    /// As JSON
    #[arg(long)]
    json: bool,
}

pub(super) async fn health(place: &Place, options: &Options) -> Result<(), Failure> {
    let health: Value = place.client()?.get("/v1/health", None).await?;
    let number = |key: &str| health[key].as_u64().unwrap_or_default();
    let state = health["state"].as_str().unwrap_or_default();
    let startup = &health["startup"];
    let (settled, listed) = (startup["settled"].as_u64().unwrap_or_default(), startup["listed"].as_u64());
    if options.json {
        print_json(&health)?;
    } else {
        let mut line = format!(
            "{state}: {} plugins, {} actors, {} held, {} failed",
            number("plugins"),
            number("actors"),
            number("held"),
            number("failed")
        );
        if number("elsewhere") > 0 {
            line.push_str(&format!(", {} owned by other hosts", number("elsewhere")));
        }
        if state == "starting" {
            let listed = listed.unwrap_or_default();
            line.push_str(&format!("; {settled} of {listed} have taken over their states"));
        }
        if let Some(trouble) = health["store_trouble"].as_str() {
            line.push_str(&format!("; the store: {trouble}"));
        }
        print_line(&harmless(&line))?;
    }
    if options.ready && state != "ready" {
        return Err(Failure::told(Failure::FAILED));
    }
    Ok(())
}
