//! How many instructions and allocations a call, a commit and a wake-up take: counted by callgrind, which gives nearly the
//! same numbers each time. What they may take is kept in `tests/count/kept.json`.
//!
//! `tests/count/main.rs` does the work. Where valgrind is missing it is left out, and that is said;
//! `BATON_COUNT=callgrind` makes that an error, and has Debian's valgrind installed where we are root.

mod auxv;
mod dump;
mod kept;

use std::ffi::OsStr;
use std::fs;
use std::path::Path;
use std::process::Command;

use crate::failure::{Doing, Failure, Result};
use crate::packages;
use crate::process::{capture, stream};
use crate::progress::{Steps, say, show, thousands};
use crate::project::{Project, make_dir, remove_dir};
use crate::setup::rustc;

use kept::{Built, Count, Counts, Kept};

/// What stands before and after what is counted, in `tests/count/main.rs`.
const MARK: &str = "--dump-before=*counts_begin_anew*";

/// What the step is called.
const TITLE: &str = "instructions and allocations of a call, a commit and a wake-up";

/// Whether it is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wanted {
    /// Where valgrind is there.
    IfThere,
    /// In any case.
    Surely,
    Never,
}

impl Wanted {
    /// What BATON_COUNT says.
    fn named(name: Option<&OsStr>) -> Result<Self> {
        match name.map(|name| name.to_string_lossy()).as_deref() {
            None | Some("" | "auto") => Ok(Self::IfThere),
            Some("callgrind") => Ok(Self::Surely),
            Some("none") => Ok(Self::Never),
            Some(other) => Err(Failure::new(format!("BATON_COUNT is `{other}`; it may be auto, callgrind or none"))),
        }
    }
}

/// `cargo xtask count`: builds what does the work, and counts. `accept`: what comes of it is kept.
pub(crate) fn alone(project: &Project, accept: bool) -> Result<()> {
    let mut steps = Steps::new(2);
    steps.begin("what is counted");
    // Of the whole workspace, as the tests build it: another choice of packages would be another choice of features.
    stream(project.cargo().args(["build", "--workspace", "--bin", "count", "--locked"]), &project.interrupt)?;
    steps.done("built");
    steps.begin(TITLE);
    let wanted = wanted()?;
    ready(project, wanted)?;
    count(project, &steps, wanted, accept)
}

/// The step of the tests: the work is built.
pub(crate) fn step(project: &Project, steps: &mut Steps) -> Result<()> {
    steps.begin(TITLE);
    let wanted = wanted()?;
    match ready(project, wanted) {
        Ok(()) => count(project, steps, wanted, false),
        Err(failure) if wanted == Wanted::Surely => {
            Err(Failure::new(format!("BATON_COUNT=callgrind asks for the counts: {failure}")))
        }
        Err(failure) => {
            project.interrupt.check()?;
            say(&format!("      left out: {failure}"));
            steps.done("not counted");
            Ok(())
        }
    }
}

fn wanted() -> Result<Wanted> {
    Wanted::named(std::env::var_os("BATON_COUNT").as_deref())
}

/// Why it cannot be counted, or is not to be.
fn ready(project: &Project, wanted: Wanted) -> Result<()> {
    if wanted == Wanted::Never {
        return Err(Failure::new("BATON_COUNT=none"));
    }
    as_it_is_kept(std::env::var_os("CARGO_PROFILE_DEV_OPT_LEVEL").as_deref())?;
    valgrind(project, wanted)
}

fn count(project: &Project, steps: &Steps, wanted: Wanted, accept: bool) -> Result<()> {
    let counts = counted(project)?;
    let mut rustc = Command::new(rustc());
    let built = Built::here(&capture(rustc.current_dir(&project.root).arg("-vV"), &project.interrupt)?)?;
    let file = project.root.join("tests/count/kept.json");
    let text = fs::read_to_string(&file).doing(|| format!("reading {}", file.display()))?;
    let mut kept = Kept::read(&text).doing(|| format!("reading {}", file.display()))?;
    let held = kept.against(&built, &counts);
    for line in &held.lines {
        show(line);
    }
    if accept {
        kept.accept(built, counts);
        fs::write(&file, kept.text()).doing(|| format!("writing {}", file.display()))?;
        steps.done(&format!("kept in {}", file.display()));
        return Ok(());
    }
    match held.verdict(wanted == Wanted::Surely) {
        Ok(what) => {
            steps.done(&what);
            Ok(())
        }
        Err(wrong) => Err(Failure::new(wrong)),
    }
}

/// What is kept is of the profile as `Cargo.toml` has it.
fn as_it_is_kept(level: Option<&OsStr>) -> Result<()> {
    match level.filter(|level| *level != "1") {
        None => Ok(()),
        Some(level) => Err(Failure::new(format!(
            "CARGO_PROFILE_DEV_OPT_LEVEL is {}, and what is kept is of the profile without it: unset it",
            level.display()
        ))),
    }
}

/// Sees that valgrind is there.
fn valgrind(project: &Project, wanted: Wanted) -> Result<()> {
    let there = || capture(Command::new("valgrind").arg("--version"), &project.interrupt).map(drop);
    if there().is_ok() {
        return Ok(());
    }
    let missing = "no valgrind on PATH: `apt-get install valgrind`";
    if wanted != Wanted::Surely || !rustix::process::geteuid().is_root() {
        return Err(Failure::new(missing));
    }
    say("      installing valgrind");
    packages::install(project, &["valgrind"])?;
    there().map_err(|_| Failure::new(missing))
}

/// Counts, and gives what each kind of work takes.
fn counted(project: &Project) -> Result<Counts> {
    let folder = project.target.join("count");
    remove_dir(&folder)?;
    make_dir(&folder)?;
    let program = project.target.join("debug/count");
    let run = |tool: &[&str]| {
        let mut valgrind = Command::new("valgrind");
        valgrind.arg("--quiet").args(tool).arg(&program).arg(&folder);
        auxv::hidden(|| capture(&mut valgrind, &project.interrupt))
    };
    // The first run compiles the guest, for the processor that valgrind shows; the second one finds it compiled.
    run(&["--tool=none"])?;
    let out = folder.join("callgrind.out");
    let said = run(&["--tool=callgrind", &format!("--callgrind-out-file={}", out.display()), MARK])?;
    let mut counts = Counts::new();
    for (at, (what, times)) in dump::work(&said)?.into_iter().enumerate() {
        // One dump is of what was before a piece of work, and the next one of the piece.
        let (instructions, allocations) = totals(&folder.join(format!("callgrind.out.{}", 2 * at + 2)))?;
        let each = |all: u64| all as f64 / times as f64;
        counts.insert(what, Count { instructions: each(instructions), allocations: each(allocations) });
    }
    match counts.is_empty() {
        true => Err(Failure::new(format!("`{}` counted nothing", program.display()))),
        false => Ok(counts),
    }
}

fn totals(file: &Path) -> Result<(u64, u64)> {
    let text = fs::read_to_string(file).doing(|| format!("reading {}", file.display()))?;
    dump::totals(&text).ok_or_else(|| Failure::new(format!("{} has no totals", file.display())))
}

/// A count for people: a share of an allocation says that it comes now and then.
fn shown(count: Count) -> String {
    format!("{:>9} instructions {:>7.2} allocations", thousands(count.instructions.round() as u64), count.allocations)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whether_it_is_counted_is_read() {
        for (name, expected) in [
            (None, Some(Wanted::IfThere)),
            (Some(""), Some(Wanted::IfThere)),
            (Some("callgrind"), Some(Wanted::Surely)),
            (Some("none"), Some(Wanted::Never)),
            (Some("perf"), None),
        ] {
            assert_eq!(Wanted::named(name.map(OsStr::new)).ok(), expected, "{name:?}");
        }
    }

    #[test]
    fn another_profile_is_not_counted() {
        for (level, counted) in [(None, true), (Some("1"), true), (Some("0"), false), (Some("s"), false)] {
            assert_eq!(as_it_is_kept(level.map(OsStr::new)).is_ok(), counted, "{level:?}");
        }
    }
}
