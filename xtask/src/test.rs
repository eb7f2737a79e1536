//! Sets up what the tests need, runs all of them, and says what ran.

use std::ffi::OsStr;
use std::io::IsTerminal;
use std::process::{Command, Stdio};

use crate::build_guests;
use crate::count;
use crate::failure::{Failure, Result};
use crate::languages;
use crate::page;
use crate::process::{stream, watch};
use crate::progress::{Steps, seconds, show};
use crate::project::Project;
use crate::servers;
use crate::setup::Source;

/// How many tests passed, failed and were left out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) passed: u64,
    pub(crate) failed: u64,
    pub(crate) skipped: u64,
}

impl Counts {
    /// Tests that were to be run.
    fn listed(self) -> u64 {
        self.passed + self.failed + self.skipped
    }
}

/// What a runner says of its tests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Said {
    /// nextest, at its end.
    Summary(Counts),
    /// libtest, at the beginning of a binary: how many tests it is going to run.
    Begin(u64),
    /// libtest, at the end of a binary.
    Result(Counts),
}

/// One run of tests and what came of it.
#[derive(Debug)]
struct Ran {
    title: &'static str,
    counts: Counts,
}

/// Runs them. `words` go to the workspace's test run; with any, nothing else is run.
pub(crate) fn run(project: &Project, source: Source, words: &[String]) -> Result<()> {
    let all = words.is_empty();
    let mut steps = Steps::new(if all { 10 } else { 5 });
    let mut ran = Vec::new();
    let ended = run_steps(project, source, words, &mut steps, &mut ran);
    for Ran { title, counts } in &ran {
        let Counts { passed, failed, skipped } = counts;
        show(&format!("{title:<38} {passed:>5} passed {failed:>3} failed {skipped:>3} skipped"));
    }
    let took = seconds(steps.elapsed());
    match ended {
        Ok(()) => {
            let passed: u64 = ran.iter().map(|ran| ran.counts.passed).sum();
            let left =
                if all { "" } else { " (the guests' own tests and the examples in the documentation were not run)" };
            show(&format!("{passed} tests passed in {took}{left}"));
            Ok(())
        }
        Err(failure) => Err(Failure::new(format!("step \"{}\" failed after {took}: {failure}", steps.title()))),
    }
}

fn run_steps(project: &Project, source: Source, words: &[String], steps: &mut Steps, ran: &mut Vec<Ran>) -> Result<()> {
    let (toolchain, _) = build_guests(project, source, steps)?;

    steps.begin("the host, its command and the tests");
    // Tests, binaries and the library that tests preload in one build: apart, cargo would choose other features for the
    // dependencies they share and compile the engine twice.
    let build = ["build", "--workspace", "--lib", "--bins", "--tests", "--locked"];
    stream(project.cargo().args(build), &project.interrupt)?;
    steps.done("built");
    let tools = languages::step(project, steps)?;

    if words.is_empty() {
        steps.begin("the SDKs and guests of other languages, by their own tests");
        let passed = languages::own_tests(project, &tools)?;
        ran.push(Ran { title: "suites of other languages", counts: Counts { passed, ..Counts::default() } });
        steps.done(&format!("{passed} suites passed"));

        steps.begin("the guests' own tests, run natively");
        let mut guests = project.cargo_into(&project.target.join("plugins-native"));
        guests.args(["test", "--workspace", "--locked", "--manifest-path"]).arg(project.plugins_manifest());
        run_tests(project, guests, "guests, natively", 1, steps, ran)?;
    }

    let nextest = has_nextest(project);
    steps.begin(if nextest { "the workspace's tests, with nextest" } else { "the workspace's tests, with cargo test" });
    servers::look(project)?;
    let mut tests = project.cargo();
    tests.args(if nextest { &["nextest", "run"][..] } else { &["test"] });
    // The doc tests come after; `cargo test` would run them here as well.
    toolchain.tell(&mut tests);
    if let Some(schemathesis) = languages::schemathesis(project)? {
        tests.env("BATON_SCHEMATHESIS", schemathesis);
    }
    tests.args(["--workspace", "--locked"]).args(if nextest { &[][..] } else { &["--bins", "--lib", "--tests"] });
    run_tests(project, tests_with(tests, words), "workspace", 1, steps, ran)?;

    if words.is_empty() {
        steps.begin("the page for operators, in a browser");
        match page::run(project)? {
            Some((counts, ended)) => {
                ran.push(Ran { title: "the page, in a browser", counts });
                ended?;
                steps.done(&format!("{} passed", counts.passed));
            }
            None => steps.done("not run"),
        }

        steps.begin("the examples in the documentation");
        let mut docs = project.cargo();
        // Of the whole workspace: another choice of packages would be another choice of features.
        docs.args(["test", "--workspace", "--doc", "--locked"]);
        run_tests(project, docs, "examples in the documentation", 0, steps, ran)?;

        count::step(project, steps)?;
    }
    Ok(())
}

fn tests_with(mut command: Command, words: &[String]) -> Command {
    command.args(words.iter().map(OsStr::new));
    command
}

fn run_tests(
    project: &Project,
    mut command: Command,
    title: &'static str,
    least: u64,
    steps: &Steps,
    ran: &mut Vec<Ran>,
) -> Result<()> {
    command.env("BATON_GUESTS", project.guests_out());
    if std::io::stderr().is_terminal() {
        // The runner writes into our pipe and could not know that a screen is behind it.
        command.env("CARGO_TERM_COLOR", "always");
    }
    let (ended, said) = watch(&mut command, &project.interrupt, said)?;
    let counts = total(&said);
    ran.push(Ran { title, counts });
    ended?;
    if counts.passed < least {
        return Err(Failure::new("it passed, but no test ran"));
    }
    steps.done(&format!("{} passed", counts.passed));
    Ok(())
}

/// What a line of a runner's says, if it may be one.
fn said(line: &str) -> Option<Said> {
    if let Some((_, said)) = line.trim_start().strip_prefix("Summary [").and_then(|line| line.split_once(" run: ")) {
        return Some(Said::Summary(counts(said)));
    }
    if let Some(said) = line.strip_prefix("running ") {
        return Some(Said::Begin(said.split_once(" test")?.0.parse().ok()?));
    }
    let (_, said) = line.strip_prefix("test result: ")?.split_once(". ")?;
    Some(Said::Result(counts(said)))
}

fn counts(said: &str) -> Counts {
    let mut counts = Counts::default();
    for part in said.split([',', ';']) {
        let mut words = part.split_whitespace();
        let (Some(Ok(number)), Some(kind)) = (words.next().map(str::parse::<u64>), words.next()) else { continue };
        match kind {
            "passed" => counts.passed += number,
            "failed" | "timed" | "exec" => counts.failed += number,
            "skipped" | "ignored" => counts.skipped += number,
            _ => {}
        }
    }
    counts
}

/// What the runner counted. A test that fails has its output shown, in which runners of its own may have their say. With
/// nextest the summary of the most tests counts alone; and a binary of libtest's ends with as many tests as it began with.
fn total(said: &[Said]) -> Counts {
    let summaries = said.iter().filter_map(|said| match said {
        Said::Summary(counts) => Some(*counts),
        _ => None,
    });
    if let Some(counts) = summaries.max_by_key(|counts| counts.listed()) {
        return counts;
    }
    let (mut sum, mut begun) = (Counts::default(), None);
    for said in said {
        match said {
            Said::Begin(tests) => begun = begun.or(Some(*tests)),
            Said::Result(counts) if begun == Some(counts.listed()) => {
                begun = None;
                sum.passed += counts.passed;
                sum.failed += counts.failed;
                sum.skipped += counts.skipped;
            }
            Said::Result(_) | Said::Summary(_) => {}
        }
    }
    sum
}

fn has_nextest(project: &Project) -> bool {
    let mut version = project.cargo();
    version.args(["nextest", "--version"]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    version.status().is_ok_and(|status| status.success())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(passed: u64, failed: u64, skipped: u64) -> Counts {
        Counts { passed, failed, skipped }
    }

    #[test]
    fn closing_lines_of_both_runners_are_counted() {
        for (line, expected) in [
            ("     Summary [   1.234s] 45 tests run: 45 passed, 2 skipped", Some(Said::Summary(of(45, 0, 2)))),
            (
                "     Summary [   1.234s] 9 tests run: 6 passed (1 slow), 2 failed, 1 timed out, 0 skipped",
                Some(Said::Summary(of(6, 3, 0))),
            ),
            ("     Summary [   0.1s] 3/9 tests run: 2 passed, 1 failed, 1 skipped", Some(Said::Summary(of(2, 1, 1)))),
            (
                "test result: ok. 12 passed; 0 failed; 1 ignored; 0 measured; 3 filtered out; finished in 0.01s",
                Some(Said::Result(of(12, 0, 1))),
            ),
            (
                "test result: FAILED. 1 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0s",
                Some(Said::Result(of(1, 1, 0))),
            ),
            ("running 1 test", Some(Said::Begin(1))),
            ("running 13 tests", Some(Said::Begin(13))),
            ("running away", None),
            ("    test result: FAILED. 0 passed; 1 failed; 0 ignored", None),
            ("test store::tests::keeps ... ok", None),
            ("Summary of nothing", None),
            ("", None),
        ] {
            assert_eq!(said(line), expected, "{line}");
        }
    }

    fn total_of(output: &str) -> Counts {
        total(&output.lines().filter_map(said).collect::<Vec<_>>())
    }

    #[test]
    fn what_a_failing_test_prints_is_not_counted() {
        let nextest = "
        FAIL [   0.1s] baton-tests::suites under_fire::kills
  stdout ---
running 1 test
test result: FAILED. 0 passed; 1 failed; 0 ignored; 0 measured; 702 filtered out; finished in 0.06s
     Summary [  70.321s] 789 tests run: 788 passed, 1 failed, 3 skipped
        FAIL [   0.1s] baton-tests::suites under_fire::kills
running 1 test
test result: FAILED. 0 passed; 1 failed; 0 ignored; 0 measured; 702 filtered out; finished in 0.06s
     Summary [   9.999s] 5 tests run: 4 passed, 1 failed, 0 skipped";
        assert_eq!(total_of(nextest), of(788, 1, 3));

        let libtest = "
running 2 tests
test one ... ok
test result: ok. 2 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s
running 12 tests
---- under_fire::kills stdout ----
running 1 test
test result: FAILED. 0 passed; 1 failed; 0 ignored; 0 measured; 702 filtered out; finished in 0.06s
test result: FAILED. 10 passed; 1 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.50s";
        assert_eq!(total_of(libtest), of(12, 1, 1));
        assert_eq!(total_of(""), Counts::default());
    }
}
