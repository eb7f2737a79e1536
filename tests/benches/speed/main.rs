//! What Baton takes, beside what the same work takes without it. Run by `cargo xtask bench`, in the release build; the
//! book's page "How fast it is" says what the figures are.

mod actors;
mod around;
mod bare;
mod calls;
mod goals;
mod guests;
mod measure;
mod report;
mod rivals;
mod served;
mod sleep;
mod stores;

use std::fs;
use std::path::{Path, PathBuf};

use baton_host::{ActorName, PluginName};
use report::{Machine, Report};

/// How it is measured, and where.
pub(crate) struct Run {
    quick: bool,
    pub(crate) guests: PathBuf,
    /// On the disk that the repository is on: what is in memory alone syncs at once.
    dir: tempfile::TempDir,
}

impl Run {
    /// Rounds, in each of which Baton and its floor have their turn.
    pub(crate) fn rounds(&self) -> usize {
        if self.quick { 3 } else { 7 }
    }

    /// The same where a round takes seconds.
    pub(crate) fn large_rounds(&self) -> usize {
        if self.quick { 2 } else { 5 }
    }

    /// How often something is done in a round.
    pub(crate) fn times(&self, times: usize) -> usize {
        if self.quick { times.div_ceil(4) } else { times }
    }

    /// Whether what takes long to set up is measured, too. Where it is not, that is said.
    pub(crate) fn is_whole(&self, figure: &str, missing: &mut Vec<String>) -> bool {
        if self.quick {
            missing.push(format!("`{figure}`: not in the quick run"));
        }
        !self.quick
    }

    /// A new folder.
    pub(crate) fn dir(&self, name: &str) -> PathBuf {
        let dir = self.dir.path().join(name);
        fs::create_dir_all(&dir).expect("a folder can be made");
        dir
    }
}

/// An actor's name.
pub(crate) fn name(name: &str) -> ActorName {
    ActorName::new(name).expect("a name")
}

/// A plugin's name.
pub(crate) fn plugin(name: &str) -> PluginName {
    PluginName::new(name).expect("a name")
}

/// What is measured together.
const GROUPS: [&str; 9] = ["call", "start", "restart", "sleep", "handoff", "swap", "memory", "neighbours", "commit"];

fn main() {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    let flag = |name: &str| words.iter().any(|word| word == name);
    let named: Vec<&str> = words.iter().filter(|word| !word.starts_with("--")).map(String::as_str).collect();
    if let Some(unknown) = named.iter().find(|name| !GROUPS.contains(name)) {
        eprintln!("`{unknown}` is nothing that is measured; there are {}", GROUPS.join(", "));
        std::process::exit(2);
    }
    let root = baton_tests::repository();
    let target = std::env::var_os("BATON_TARGET").map_or_else(|| root.join("target"), PathBuf::from);
    let scratch = tempfile::tempdir_in(&target).expect("a folder can be made in the target folder");
    let run = Run { quick: flag("--quick"), guests: target.join("guests/out"), dir: scratch };
    let report = measured(&run, &named, flag("--rivals"), &root);
    if let Err(why) = tell(&report, &root, &target, flag("--keep")) {
        eprintln!("error: {why}");
        std::process::exit(1);
    }
}

fn measured(run: &Run, named: &[&str], rivals: bool, root: &Path) -> Report {
    let machine = Machine::this();
    let (mut figures, mut missing) = (Vec::new(), Vec::new());
    for group in GROUPS.into_iter().filter(|group| named.is_empty() || named.contains(group)) {
        eprintln!("measuring: {group}");
        figures.extend(match group {
            "call" => calls::measure(run, &mut missing),
            "start" => actors::starts(run),
            "restart" => actors::restarts(run),
            "sleep" => sleep::measure(run, &mut missing),
            "handoff" => actors::handoff(run),
            "swap" => actors::swap(run),
            "memory" => around::memory(run, &mut missing),
            "neighbours" => around::neighbours(run),
            _ => {
                let embedded = stores::measure(run);
                embedded.into_iter().chain(served::measure(run, &mut missing)).collect()
            }
        });
    }
    if rivals {
        eprintln!("measuring: the rivals");
        rivals::run(run.quick, root, &mut figures, &mut missing);
    }
    let folder = root.to_string_lossy().into_owned();
    let commit = report::said("git", &["-C", &folder, "describe", "--always", "--dirty", "--abbrev=12"]);
    Report {
        schema: report::SCHEMA,
        version: env!("CARGO_PKG_VERSION").into(),
        commit,
        date: report::said("date", &["-u", "+%Y-%m-%d"]),
        quick: run.quick,
        build: if cfg!(debug_assertions) { "development" } else { "release" }.into(),
        machine,
        figures,
        missing,
    }
}

/// Writes JSON, table and plot into the target folder, and, where it is to be kept, into the repository.
fn tell(report: &Report, root: &Path, target: &Path, keep: bool) -> Result<(), String> {
    let earlier = report::last(&root.join("docs/bench"))?;
    let table = report.markdown(earlier.as_ref().map(|(_, report)| report));
    println!("{table}");
    let json = serde_json::to_string_pretty(report).map_err(|error| error.to_string())? + "\n";
    let plot = report.plot().map_err(|error| format!("the plot: {error}"))?;
    let write = |path: PathBuf, text: &str| {
        let parent = path.parent().map_or(Ok(()), fs::create_dir_all);
        let written = parent.and_then(|()| fs::write(&path, text));
        written
            .map_err(|error| format!("{}: {error}", path.display()))
            .map(|()| eprintln!("written: {}", path.display()))
    };
    let out = target.join("bench");
    write(out.join("results.json"), &json)?;
    write(out.join("results.md"), &table)?;
    write(out.join("results.svg"), &plot)?;
    if keep {
        write(root.join(format!("docs/bench/{}.json", report.version)), &json)?;
        let page = format!("{}\n![Each as a multiple of its floor](images/performance.svg)\n", report.markdown(None));
        write(root.join("docs/bench/table.md"), &page)?;
        write(root.join("docs/src/images/performance.svg"), &plot)?;
    }
    Ok(())
}
