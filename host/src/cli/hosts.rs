//! `hosts`: who shares the store.

use clap::Args;
use serde::Deserialize;
use serde_json::Value;

use super::Place;
use super::output::{Failure, harmless, print_json, print_line, print_table};

const HEAD: [&str; 5] = ["HOST", "NODE", "ADDRESS", "LEASE", "NOTE"];

#[derive(Debug, Args)]
pub(super) struct Options {
    /// As JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Deserialize)]
struct Sharing {
    shared: bool,
    this: Option<This>,
    hosts: Vec<Lease>,
    trouble: Option<String>,
}

#[derive(Debug, Deserialize)]
struct This {
    id: String,
    lease: String,
}

#[derive(Debug, Deserialize)]
struct Lease {
    id: String,
    node: String,
    address: Option<String>,
    left_ms: u64,
}

impl Lease {
    fn cells(self, this: Option<&This>) -> Vec<String> {
        let lease = match self.left_ms {
            0 => "ended".to_owned(),
            left => format!("{left} ms"),
        };
        let note = match this.filter(|this| this.id == self.id).map(|this| this.lease.as_str()) {
            Some("open") => "this host",
            Some("frozen") => "this host: frozen",
            Some(_) => "this host: it joins anew",
            None => "",
        };
        vec![self.id, self.node, self.address.unwrap_or_else(|| "-".to_owned()), lease, note.to_owned()]
    }
}

pub(super) async fn hosts(place: &Place, options: &Options) -> Result<(), Failure> {
    let answer: Value = place.client()?.get("/v1/hosts", None).await?;
    if options.json {
        return print_json(&answer);
    }
    let Sharing { shared, this, hosts, trouble } = serde_json::from_value(answer)
        .map_err(|error| Failure::new(format!("the host's answer cannot be read: {error}")))?;
    if !shared {
        return Ok(print_line("the store is this host's alone")?);
    }
    if let Some(trouble) = trouble {
        print_line(&harmless(&format!("as it was last heard; the store does not answer: {trouble}")))?;
    }
    let rows = hosts.into_iter().map(|lease| lease.cells(this.as_ref()));
    print_table(&HEAD, rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lease_is_told_by_what_is_left_of_it_and_whose_it_is() {
        let lease = |id: &str, left_ms| Lease { id: id.into(), node: "n".into(), address: None, left_ms };
        let this = This { id: "a".into(), lease: "frozen".into() };
        assert_eq!(lease("a", 900).cells(Some(&this)), ["a", "n", "-", "900 ms", "this host: frozen"]);
        assert_eq!(lease("b", 0).cells(Some(&this)), ["b", "n", "-", "ended", ""]);
    }
}
