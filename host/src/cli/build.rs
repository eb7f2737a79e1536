//! `build`.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use baton_host::toolchain::{self, BuildOptions, Built, Places, Project};
use clap::Args;
use serde::Serialize;

use super::output::{Failure, bytes, harmless, print_json, print_line, tell_note};
use super::telemetry::log_plainly;

#[derive(Debug, Args)]
pub(super) struct Options {
    /// The plugin's folder, which has a plugin.toml
    #[arg(default_value = ".")]
    dir: PathBuf,
    /// The file to write [default: the plugin's name with .wasm, in its folder]
    #[arg(short, long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// What was built, as JSON
    #[arg(long)]
    json: bool,
    /// Say nothing of the commands that are run
    #[arg(short, long)]
    quiet: bool,
}

#[derive(Serialize)]
struct Shown<'a> {
    file: &'a Path,
    language: &'static str,
    raw_bytes: usize,
    #[serde(flatten)]
    inspection: &'a baton_host::Inspection,
}

/// Where tools are looked for: `BATON_TOOLS` names folders with `bin/` or `node_modules/` in them, separated as in `PATH`.
pub(super) fn places() -> Places {
    let folders =
        |name: &str| std::env::var_os(name).map(|all| std::env::split_paths(&all).collect()).unwrap_or_default();
    Places { tools: folders("BATON_TOOLS"), path: folders("PATH") }
}

/// What a plugin says while it is asked who it is: why it could not, where it couldn't.
pub(super) const GUEST_LOG: &str = "error,baton::guest=info";

/// Our own stdout is for results.
pub(super) fn to_stderr() -> Stdio {
    Stdio::from(std::io::stderr())
}

pub(super) async fn build(options: &Options) -> Result<(), Failure> {
    let _log = log_plainly(GUEST_LOG)?;
    let project = Project::open(&options.dir)?;
    let quiet = options.quiet;
    let told = |command: &str| {
        if !quiet {
            tell_note(command);
        }
    };
    let how = BuildOptions { to: options.out.clone(), printed: Some(to_stderr), ..BuildOptions::default() };
    let built = toolchain::build(&project, &places(), &how, &told).await?;
    if options.json {
        let language = project.language.name();
        let (file, inspection) = (built.file.as_path(), &built.inspection);
        return print_json(&Shown { file, language, raw_bytes: built.raw_bytes, inspection });
    }
    Ok(print_line(&harmless(&said(&built)))?)
}

/// The file, and what is in it, on one line.
pub(super) fn said(built: &Built) -> String {
    let Built { file, inspection, .. } = built;
    let about = &inspection.description;
    let reads = match (about.reads_from, about.reads_to) {
        (from, to) if from == to => format!("schema {}", about.schema),
        (from, to) => format!("schema {}, reads {from} to {to}", about.schema),
    };
    format!("{}: {} {}, {reads}, {}", file.display(), about.name, about.version, bytes(inspection.bytes as u64))
}
