//! `inspect`.

use std::fmt::Write as _;
use std::path::PathBuf;

use baton_host::config::{Disk, Files as _};
use baton_host::model::signature_of;
use baton_host::{Host, Inspection, Need};
use clap::Args;

use super::build::GUEST_LOG;
use super::output::{Failure, bytes, harmless, print_json, print_line};
use super::telemetry::log_plainly;

/// Largest plugin file that is read, in bytes.
const FILE_BYTES: u64 = 512 << 20;

#[derive(Debug, Args)]
pub(super) struct Options {
    /// The plugin: a WebAssembly component, or a core module built for one
    file: PathBuf,
    /// As JSON
    #[arg(long)]
    json: bool,
}

pub(super) async fn inspect(options: &Options) -> Result<(), Failure> {
    let _log = log_plainly(GUEST_LOG)?;
    let read = Disk.read(&options.file, FILE_BYTES);
    let wasm = read.map_err(|error| Failure::new(format!("{}: {error}", options.file.display())))?;
    let found = Host::inspect(&options.file.display().to_string(), wasm).await?;
    let signed = Disk.is_file(&signature_of(&options.file));
    if options.json { print_json(&found) } else { Ok(print_line(harmless(text(&found, signed).trim_end()).as_ref())?) }
}

fn text(found: &Inspection, signed: bool) -> String {
    let about = &found.description;
    let mut text = String::new();
    let mut line = |key: &str, value: &str| {
        // Writing to a String does not fail.
        let _ = writeln!(text, "{key:<11}{}", value.replace('\n', "\n           "));
    };
    line("name", about.name.as_str());
    line("version", about.version.as_str());
    line("schema", &about.schema.to_string());
    line("reads", &format!("{} to {}", about.reads_from, about.reads_to));
    line("messages", &about.messages);
    for (key, value) in &about.metadata {
        line("metadata", &format!("{key} = {value}"));
    }
    line("kind", found.kind);
    line("size", &format!("{} ({} bytes)", bytes(found.bytes as u64), found.bytes));
    line("digest", &found.digest.to_string());
    line("sha256", &found.sha256.to_string());
    line("signature", if signed { "beside it, not checked here" } else { "none beside it" });
    line("imports", &or_none(&found.imports));
    let needs: Vec<_> = found.needs.iter().map(needed).collect();
    line("grants", &or_none(&needs));
    line("exports", &or_none(&found.exports));
    text
}

/// The line that grants something, and what for.
fn needed(need: &Need) -> String {
    let (line, functions) = (need.line, need.functions.join(", "));
    match need.by_libc {
        false => format!("{line:<58} # {functions}"),
        true => {
            format!("{line:<58} # {functions}: by its libc; it works without, unless its own code {}", need.used_by())
        }
    }
}

fn or_none(names: &[String]) -> String {
    if names.is_empty() { "none".to_owned() } else { names.join("\n") }
}
