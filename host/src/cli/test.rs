//! `test`.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use baton_host::ActorName;
use baton_host::config::{Disk, Files as _};
use baton_host::conformance::{self, Fixtures, Promise};
use clap::Args;

use super::output::{Failure, harmless, print_json, print_line};

/// Largest plugin file that is read, in bytes.
const FILE_BYTES: u64 = 512 << 20;
/// What says that a folder is a plugin's.
const MANIFEST: &str = "plugin.toml";
/// What a build leaves beside the plugin on its way.
const UNDER_WAY: &str = ".raw.wasm";

#[derive(Debug, Args)]
pub(super) struct Options {
    /// The plugin, as built, or its folder, which has a plugin.toml and the .wasm file [default: this folder]
    file: Option<PathBuf>,
    /// What it is tested with [default: the folder `fixtures` beside FILE, or in the nearest folder above it]
    #[arg(long, value_name = "DIR")]
    fixtures: Option<PathBuf>,
    /// Rounds of what is drawn at random
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    rounds: u32,
    /// Seconds that all of that may take together
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    seconds: u64,
    /// What chance is drawn from; the same number draws the same [default: another one each time]
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Look at this promise only; may be given several times
    #[arg(long, value_name = "PROMISE", value_parser = promise)]
    only: Vec<Promise>,
    /// The name of the actor that is played [default: the plugin's name, with /1 after it]
    #[arg(long, value_name = "NAME")]
    actor: Option<ActorName>,
    /// As JSON
    #[arg(long)]
    json: bool,
    /// Also write the report to this file, as JUnit's XML
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
    /// Where a promise is broken by messages that a script can say, write them to this file, for fixtures/scripts
    #[arg(long, value_name = "FILE")]
    save_failure: Option<PathBuf>,
    /// List the promises, and look at nothing
    #[arg(long)]
    list: bool,
    /// Test nothing; write the state that the plugin has once it has heard each message of the fixtures, for
    /// fixtures/states
    #[arg(long, value_name = "FILE", conflicts_with_all = ["only", "junit", "list", "save_failure"])]
    save_state: Option<PathBuf>,
}

fn promise(id: &str) -> Result<Promise, String> {
    id.parse()
}

pub(super) async fn test(options: Options) -> Result<(), Failure> {
    if options.list {
        return list(options.json);
    }
    let here = std::env::current_dir().map_err(|error| Failure::usage(format!("this folder is gone: {error}")))?;
    let file = match &options.file {
        Some(folder) if folder.is_dir() => built(folder)?,
        Some(file) => file.clone(),
        None => built(Path::new(""))?,
    };
    let wasm = Disk.read(&file, FILE_BYTES).map_err(|error| Failure::usage(format!("{}: {error}", file.display())))?;
    let fixtures = match options.fixtures.clone().or_else(|| Fixtures::folder_of(&file, &here)) {
        Some(dir) => Fixtures::read(&dir)?,
        None => Fixtures::default(),
    };
    let label = file.display().to_string();
    let seed = options.seed.unwrap_or_else(some_seed);
    let rounds = usize::try_from(options.rounds).unwrap_or(usize::MAX);
    let (seconds, only, actor) = (options.seconds, options.only, options.actor);
    let asked = conformance::Options { rounds, seconds, seed, only, actor };
    if let Some(to) = &options.save_state {
        let state = conformance::state_of(&label, wasm, &fixtures, &asked).await?;
        let state = state.ok_or_else(|| Failure::new("the plugin gives no state"))?;
        new_file(to, &state.data)?;
        let (bytes, schema) = (state.data.len(), state.schema);
        return Ok(print_line(&format!("{}: {bytes} bytes of schema {schema}", to.display()))?);
    }
    let report = conformance::test(&label, wasm, &fixtures, &asked).await?;
    match options.json {
        true => print_json(&report)?,
        false => print_line(&harmless(&report.to_string()))?,
    }
    if let Some(to) = &options.junit {
        fs::write(to, report.junit())
            .map_err(|error| Failure::usage(format!("{} cannot be written: {error}", to.display())))?;
    }
    let failing = report.outcomes.iter().find_map(|outcome| outcome.script.as_ref());
    if let (Some(to), Some(script)) = (&options.save_failure, failing) {
        new_file(to, format!("{script:#}\n").as_bytes())?;
    }
    if report.is_kept() { Ok(()) } else { Err(Failure::told(Failure::FAILED)) }
}

fn list(json: bool) -> Result<(), Failure> {
    if json {
        let all = Promise::ALL.map(|promise| serde_json::json!({"id": promise.id(), "promise": promise.sentence()}));
        return print_json(&all);
    }
    for promise in Promise::ALL {
        print_line(&format!("{promise:<14} {}", promise.sentence()))?;
    }
    Ok(())
}

/// The file that was built in a plugin's folder; this one has no name.
fn built(folder: &Path) -> Result<PathBuf, Failure> {
    let shown = if folder.as_os_str().is_empty() { "this folder".to_owned() } else { folder.display().to_string() };
    if !folder.join(MANIFEST).is_file() {
        let why = format!("there is no {MANIFEST} in {shown}, so it is not known what to test");
        return Err(Failure::usage(why).hint("name the .wasm file: baton test FILE.wasm"));
    }
    let listed = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    let entries = fs::read_dir(listed).map_err(|error| Failure::usage(format!("{shown}: {error}")))?;
    let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let mut found: Vec<_> = names.filter(|name| name.ends_with(".wasm") && !name.ends_with(UNDER_WAY)).collect();
    found.sort();
    match found.as_slice() {
        [one] => Ok(folder.join(one)),
        [] => {
            Err(Failure::usage(format!("there is no .wasm file in {shown}"))
                .hint("build the plugin first: baton build"))
        }
        many => Err(Failure::usage(format!("there are several .wasm files in {shown}: {}", many.join(", ")))
            .hint("name the one that is meant: baton test FILE.wasm")),
    }
}

/// A file that was not there before: what an author has collected is not written over.
fn new_file(to: &Path, bytes: &[u8]) -> Result<(), Failure> {
    let made = fs::File::options().write(true).create_new(true).open(to);
    let written = made.and_then(|mut file| file.write_all(bytes));
    written.map_err(|error| Failure::usage(format!("{} cannot be written: {error}", to.display())))
}

/// Another number each time.
fn some_seed() -> u64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    // Short enough to be typed.
    u64::from(now.subsec_micros())
}
