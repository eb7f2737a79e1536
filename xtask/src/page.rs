//! The tests of the page for operators, in a browser: `tests/page`, run by Node's own test runner.
//!
//! They need `node`, `npm` and Chromium. Playwright comes from npm's registry into the target folder. Where a part is
//! missing they are left out, and that is said; `BATON_PAGE=chromium` makes it an error, and has Debian's Chromium
//! installed where we are root.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::failure::{Doing, Failure, Result};
use crate::packages;
use crate::process::{capture, stream_within, watch};
use crate::progress::say;
use crate::project::{Project, make_dir, remove_dir};
use crate::test::Counts;

/// The names of Chromium, and of what is built from it.
const BROWSERS: [&str; 4] = ["chromium", "chromium-browser", "google-chrome-stable", "google-chrome"];
/// What is installed where it has to be there: a browser without a font shows nothing.
const PACKAGES: [&str; 2] = ["chromium", "fonts-dejavu-core"];
/// How long npm, or apt, may take.
const FETCH_LIMIT: Duration = Duration::from_secs(900);

/// Whether they are run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wanted {
    /// Where what they need is there.
    IfThere,
    /// In any case.
    Surely,
    Never,
}

impl Wanted {
    /// What BATON_PAGE says.
    fn named(name: Option<&OsStr>) -> Result<Self> {
        match name.map(|name| name.to_string_lossy()).as_deref() {
            None | Some("" | "auto") => Ok(Self::IfThere),
            Some("chromium") => Ok(Self::Surely),
            Some("none") => Ok(Self::Never),
            Some(other) => Err(Failure::new(format!("BATON_PAGE is `{other}`; it may be auto, chromium or none"))),
        }
    }
}

/// Runs them, and tells how many passed and whether all did. None: they were left out, and it was said why.
pub(crate) fn run(project: &Project) -> Result<Option<(Counts, Result<()>)>> {
    let wanted = Wanted::named(std::env::var_os("BATON_PAGE").as_deref())?;
    if wanted == Wanted::Never {
        say("      left out: BATON_PAGE=none");
        return Ok(None);
    }
    let ready = browser(project, wanted).and_then(|browser| Ok((browser, tools(project)?)));
    let (browser, tools) = match ready {
        Ok(ready) => ready,
        Err(failure) if wanted == Wanted::Surely => {
            return Err(Failure::new(format!("BATON_PAGE=chromium asks for the tests of the page: {failure}")));
        }
        Err(failure) => {
            project.interrupt.check()?;
            say(&format!("      left out: {failure}"));
            return Ok(None);
        }
    };
    let mut tests = Command::new("node");
    tests.args(["--test", "--test-reporter=spec", "--test-concurrency=1"]).current_dir(project.root.join("tests/page"));
    tests.env("BATON_BIN", project.baton()).env("BATON_GUESTS", project.guests_out());
    tests.env("BATON_PAGE_TOOLS", tools).env("BATON_CHROMIUM", browser);
    let (ended, said) = watch(&mut tests, &project.interrupt, said)?;
    let counts = total(&said);
    let ended = ended.and_then(|()| match counts.passed {
        0 => Err(Failure::new("it passed, but no test ran")),
        _ => Ok(()),
    });
    Ok(Some((counts, ended)))
}

/// The browser's program, where it is there or could be made to be.
fn browser(project: &Project, wanted: Wanted) -> Result<PathBuf> {
    if let Some(named) = std::env::var_os("BATON_CHROMIUM") {
        let named = PathBuf::from(named);
        return match named.is_file() {
            true => Ok(named),
            false => Err(Failure::new(format!("BATON_CHROMIUM names {}, and there is no such file", named.display()))),
        };
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let find = || found(std::env::split_paths(&path));
    if let Some(found) = find() {
        return Ok(found);
    }
    let missing = "no Chromium on PATH: `apt-get install chromium`, or name one in BATON_CHROMIUM";
    if wanted != Wanted::Surely || !rustix::process::geteuid().is_root() {
        return Err(Failure::new(missing));
    }
    say(&format!("      installing {}", PACKAGES.join(" and ")));
    packages::install(project, &PACKAGES)?;
    find().ok_or_else(|| Failure::new(missing))
}

fn found(mut folders: impl Iterator<Item = PathBuf>) -> Option<PathBuf> {
    folders.find_map(|folder| BROWSERS.iter().map(|name| folder.join(name)).find(|program| program.is_file()))
}

/// The folder with Playwright in it, just as `package-lock.json` has it.
fn tools(project: &Project) -> Result<PathBuf> {
    capture(Command::new("node").arg("--version"), &project.interrupt)?;
    let folder = project.target.join("toolchains/page");
    let read = |from: &Path, name: &str| fs::read_to_string(from.join(name));
    let sources = project.root.join("tests/page");
    let lock = read(&sources, "package-lock.json").doing(|| "reading tests/page/package-lock.json".to_owned())?;
    if read(&folder, "fetched.txt").is_ok_and(|there| there == lock) {
        return Ok(folder);
    }
    remove_dir(&folder)?;
    make_dir(&folder)?;
    for name in ["package.json", "package-lock.json"] {
        fs::copy(sources.join(name), folder.join(name)).doing(|| format!("copying tests/page/{name}"))?;
    }
    let mut npm = Command::new("npm");
    npm.args(["ci", "--no-audit", "--no-fund", "--loglevel=error"]).current_dir(&folder);
    stream_within(&mut npm, &project.interrupt, Some(FETCH_LIMIT))?;
    fs::write(folder.join("fetched.txt"), lock).doing(|| "writing down what was fetched".to_owned())?;
    Ok(folder)
}

/// A line of the summary of Node's runner: `ℹ pass 12`.
fn said(line: &str) -> Option<(&'static str, u64)> {
    let words: Vec<&str> = line.trim_end().strip_prefix("ℹ ")?.split(' ').collect();
    let [kind, number] = words[..] else { return None };
    let kinds = ["pass", "fail", "cancelled", "skipped", "todo"];
    Some((kinds.into_iter().find(|known| *known == kind)?, number.parse().ok()?))
}

/// The summary stands at the end: of what is said twice the last counts.
fn total(said: &[(&'static str, u64)]) -> Counts {
    let of = |kind: &str| said.iter().rev().find(|(found, _)| *found == kind).map_or(0, |(_, number)| *number);
    Counts { passed: of("pass"), failed: of("fail") + of("cancelled"), skipped: of("skipped") + of("todo") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whether_they_are_run_is_read() {
        for (name, expected) in [
            (None, Some(Wanted::IfThere)),
            (Some("auto"), Some(Wanted::IfThere)),
            (Some("chromium"), Some(Wanted::Surely)),
            (Some("none"), Some(Wanted::Never)),
            (Some("firefox"), None),
        ] {
            assert_eq!(Wanted::named(name.map(OsStr::new)).ok(), expected, "{name:?}");
        }
    }

    #[test]
    fn the_summary_is_counted_and_what_a_test_prints_before_it_is_not() {
        let output = "ℹ pass 900\n✔ a test (3ms)\nℹ tests 9\nℹ pass 5\nℹ fail 1\nℹ cancelled 1\nℹ skipped 2\nℹ todo 0\nℹ duration_ms 3.5";
        let counts = total(&output.split_inclusive('\n').filter_map(said).collect::<Vec<_>>());
        assert_eq!(counts, Counts { passed: 5, failed: 2, skipped: 2 });
        assert_eq!(total(&[]), Counts::default());
    }

    #[test]
    fn a_browser_is_found_in_the_first_folder_that_has_one() {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let folders = || ["a", "b"].map(|name| folder.path().join(name)).into_iter();
        assert_eq!(found(folders()), None);
        fs::create_dir(folder.path().join("b")).expect("it can be made");
        fs::write(folder.path().join("b/chromium"), "").expect("it can be written");
        assert_eq!(found(folders()), Some(folder.path().join("b/chromium")));
    }
}
