//! What a person types after `cargo xtask`.

use crate::nemesis::{MOST_MINUTES, Nemesis, STORES};
use crate::setup::Source;

/// A command, read whole.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Command {
    /// Show the help.
    Help,
    /// Find or make the toolchain for guests.
    Setup(Source),
    /// Build the guests.
    Guests(Source),
    /// Run the tests; with words, those of the workspace that they choose.
    Test(Source, Vec<String>),
    /// Run the tests of the page for operators.
    Page(Source),
    /// Play the main job.
    Demo(Source),
    /// Measure.
    Bench(Bench, Source),
    /// Kill and pause hosts that share a store, and its server.
    Nemesis(Nemesis, Source),
    /// Count instructions and allocations; with true, what comes of it is kept.
    Count(bool),
    /// Format, lints, dependencies.
    Check,
    /// Write the guest SDK's bindings again.
    Bindings,
}

/// What is measured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Bench {
    /// What each language costs.
    Languages,
    /// How fast it all is.
    Speed(Speed),
}

/// How it is measured how fast it all is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Speed {
    /// In under two minutes.
    pub(crate) quick: bool,
    /// Others as well, on the same work.
    pub(crate) rivals: bool,
    /// What comes of it is kept in docs/.
    pub(crate) keep: bool,
    /// Groups of figures; none: all.
    pub(crate) groups: Vec<String>,
}

/// Groups of figures that can be measured alone.
const GROUPS: [&str; 9] = ["call", "start", "restart", "sleep", "handoff", "swap", "memory", "neighbours", "commit"];

/// What `help` says.
pub(crate) const HELP: &str = "\
The project's own commands.

Usage: cargo xtask <command> [options]

  setup      find or make a Rust toolchain that builds guests (target wasm32-unknown-unknown)
  guests     build all guests in plugins/ into <target>/guests/out, those of other languages with `baton build`
  test       set up, build the guests, run all tests; `-- WORDS` are for the workspace's test run alone
  page       set up, build the guests and the command, run the tests of the page for operators alone
  demo       play the main job: 20,000 flights, one actor per airport, a new plugin version in mid-stream
  bench      measure, in the release build, beside the same work without Baton; `bench languages`: what a plugin costs in
             each language
  nemesis    three hosts on one store; they and its server are killed and paused at random, and every record is looked at:
             `--minutes N` (3), `--store postgres|mariadb|mysql|redis` (all of them)
  count      instructions and allocations of a call, a commit and a wake-up, counted by valgrind, beside those that are
             kept: fails where they rose by more than 5 %. `--accept` keeps what comes of it; the commit says why
  check      cargo fmt --check, clippy without warnings, also of the host with each store on a server alone, cargo deny where
             it is installed
  bindings   write the guest SDK's bindings again from wit/
  help       show this

Options of setup, guests, test, page, bench, demo and nemesis:
  --toolchain any|rustup|debian   where the guests' toolchain comes from: whatever works (any, the default), the Rust in
                                  use with rustup's help, or Debian's packages. BATON_TOOLCHAIN says the same.

Options of bench, before or after the names of groups (call, start, restart, sleep, handoff, swap, memory,
neighbours, commit):
  --quick    the same in under two minutes
  --rivals   Erlang/OTP, Extism and lunatic on the same work, in the same run
  --keep     keep the figures in docs/bench, the table and the plot in the book: for a release

The tools of other languages come from the registries of Python and npm, into <target>/toolchains; the guests of those that
cannot be had are left out, and said to be. BATON_LANGUAGES=all makes that an error.

The page for operators is tested in Chromium, driven by Playwright from npm's registry, where node, npm and Chromium (or
what BATON_CHROMIUM names) are there. BATON_PAGE=chromium makes it an error if they are not, and as root has apt-get install
Chromium; BATON_PAGE=none leaves those tests out.

Stores are tested on PostgreSQL, MariaDB and Redis where they are installed. BATON_SERVERS=all makes it an error if they are
not, and as root has apt-get install them. They are tested on MySQL, too, where BATON_MYSQLD names its server's program.

Instructions and allocations are counted by `test`, too, where valgrind is there. BATON_COUNT=callgrind makes it an error if
it is not, and as root has apt-get install it; BATON_COUNT=none leaves that out.

Exit code: 0 done, 1 failed, 2 not understood.";

const NAMES: [&str; 11] =
    ["setup", "guests", "test", "page", "bench", "demo", "nemesis", "count", "check", "bindings", "help"];

/// Reads the words after `cargo xtask`. `preset` is what BATON_TOOLCHAIN says.
pub(crate) fn parse(words: &[String], preset: Option<&str>) -> Result<Command, String> {
    let Some((name, rest)) = words.split_first() else {
        return Err(format!("no command given; there are {}", NAMES.join(", ")));
    };
    let separator = rest.iter().position(|word| word == "--");
    let (options, passed) = rest.split_at(separator.unwrap_or(rest.len()));
    if ["-h", "--help", "help"].contains(&name.as_str()) || options.iter().any(|word| word == "-h" || word == "--help")
    {
        return Ok(Command::Help);
    }
    if !NAMES.contains(&name.as_str()) {
        return Err(format!("no command `{name}`{}; there are {}", perhaps(name, &NAMES), NAMES.join(", ")));
    }
    let builds_guests = ["setup", "guests", "test", "page", "bench", "demo", "nemesis"].contains(&name.as_str());
    let (bench, options) = if name == "bench" { of_bench(options)? } else { (Bench::Languages, options.to_vec()) };
    let (nemesis, mut options) = if name == "nemesis" { nemesis(&options)? } else { (None, options) };
    let given = options.len();
    if name == "count" {
        options.retain(|option| option != "--accept");
    }
    let accept = options.len() < given;
    let source = source(name, &options, preset.filter(|_| builds_guests), builds_guests)?;
    if separator.is_some() && name != "test" {
        return Err(format!("`{name}` passes nothing on, so `--` has no meaning here; only `test` does"));
    }
    Ok(match name.as_str() {
        "setup" => Command::Setup(source),
        "guests" => Command::Guests(source),
        "test" => Command::Test(source, passed.iter().skip(1).cloned().collect()),
        "page" => Command::Page(source),
        "demo" => Command::Demo(source),
        "bench" => Command::Bench(bench, source),
        "nemesis" => Command::Nemesis(nemesis.unwrap_or_default(), source),
        "count" => Command::Count(accept),
        "check" => Command::Check,
        _ => Command::Bindings,
    })
}

/// What `bench` measures, and the words that are not about that.
fn of_bench(words: &[String]) -> Result<(Bench, Vec<String>), String> {
    let (mut speed, mut languages, mut rest) = (Speed::default(), false, Vec::new());
    let mut words = words.iter();
    while let Some(word) = words.next() {
        match word.as_str() {
            "--quick" => speed.quick = true,
            "--rivals" => speed.rivals = true,
            "--keep" => speed.keep = true,
            "languages" => languages = true,
            "--toolchain" => rest.extend([word].into_iter().chain(words.next()).cloned()),
            group if GROUPS.contains(&group) => speed.groups.push(group.to_owned()),
            option if option.starts_with('-') => rest.push(word.clone()),
            other => {
                let all = format!("languages, {}", GROUPS.join(", "));
                return Err(format!(
                    "`{other}` is nothing that can be measured{}; there are {all}",
                    perhaps(other, &GROUPS)
                ));
            }
        }
    }
    match (languages, speed == Speed::default()) {
        (false, _) => Ok((Bench::Speed(speed), rest)),
        (true, true) => Ok((Bench::Languages, rest)),
        (true, false) => Err("`bench languages` is measured by itself, and takes --toolchain alone".to_owned()),
    }
}

/// How it is to be played, and the words that are left.
fn nemesis(options: &[String]) -> Result<(Option<Nemesis>, Vec<String>), String> {
    let (mut found, mut rest) = (Nemesis::default(), Vec::new());
    let mut words = options.iter();
    while let Some(word) = words.next() {
        let (name, value) = match word.split_once('=') {
            Some((name, value)) => (name, Some(value.to_owned())),
            None => (word.as_str(), None),
        };
        if !matches!(name, "--minutes" | "--store") {
            rest.push(word.clone());
            continue;
        }
        let value = value.or_else(|| words.next().cloned()).ok_or_else(|| format!("{name} needs a value"))?;
        if name == "--store" {
            let store = STORES.into_iter().find(|store| *store == value);
            let none = || format!("--store: `{value}` is none of {}{}", STORES.join(", "), perhaps(&value, &STORES));
            found.store = Some(store.ok_or_else(none)?);
        } else {
            let minutes = value.parse().ok().filter(|minutes| (1..=MOST_MINUTES).contains(minutes));
            found.minutes = minutes.ok_or_else(|| format!("--minutes: `{value}` is not from 1 to {MOST_MINUTES}"))?;
        }
    }
    Ok((Some(found), rest))
}

fn source(command: &str, options: &[String], preset: Option<&str>, taken: bool) -> Result<Source, String> {
    let mut source = match preset {
        Some(name) => named(name).map_err(|reason| format!("BATON_TOOLCHAIN: {reason}"))?,
        None => Source::Any,
    };
    let mut words = options.iter();
    while let Some(word) = words.next() {
        let value = match word.split_once('=') {
            Some(("--toolchain", value)) if taken => value,
            None if word == "--toolchain" && taken => {
                words.next().ok_or_else(|| format!("--toolchain needs one of {}", Source::NAMES.join(", ")))?
            }
            _ => return Err(not_taken(command, word, taken)),
        };
        source = named(value).map_err(|reason| format!("--toolchain: {reason}"))?;
    }
    Ok(source)
}

fn named(name: &str) -> Result<Source, String> {
    Source::named(name)
        .ok_or_else(|| format!("`{name}` is none of {}{}", Source::NAMES.join(", "), perhaps(name, &Source::NAMES)))
}

fn not_taken(command: &str, word: &str, takes_toolchain: bool) -> String {
    let kind = if word.starts_with('-') { "option" } else { "argument" };
    let known: &[&str] = match (takes_toolchain, command) {
        (true, _) => &["--toolchain", "--help"],
        (false, "count") => &["--accept", "--help"],
        (false, _) => &["--help"],
    };
    let name = word.split_once('=').map_or(word, |(name, _)| name);
    let passing = if command == "test" { "; words for the test run come after `--`" } else { "" };
    format!("`{command}` takes no {kind} `{word}`{}{passing}", perhaps(name, known))
}

/// What was perhaps meant.
fn perhaps(word: &str, known: &[&str]) -> String {
    let near = known.iter().map(|known| (strsim::damerau_levenshtein(word, known), known));
    let nearest = near.filter(|(distance, known)| *distance <= 1 + known.len() / 4).min();
    nearest.map_or_else(String::new, |(_, known)| format!(" (did you mean `{known}`?)"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nemesis::MINUTES;

    fn parsed(line: &str, preset: Option<&str>) -> Result<Command, String> {
        parse(&line.split_whitespace().map(str::to_owned).collect::<Vec<_>>(), preset)
    }

    #[test]
    fn what_is_right_is_understood() {
        for (line, preset, expected) in [
            ("setup", None, Command::Setup(Source::Any)),
            ("setup --toolchain debian", None, Command::Setup(Source::Debian)),
            ("guests --toolchain=rustup", Some("debian"), Command::Guests(Source::Rustup)),
            ("page", None, Command::Page(Source::Any)),
            ("demo", Some("debian"), Command::Demo(Source::Debian)),
            ("test", None, Command::Test(Source::Any, vec![])),
            ("test --toolchain any -- -p x --help", None, {
                Command::Test(Source::Any, vec!["-p".to_owned(), "x".to_owned(), "--help".to_owned()])
            }),
            ("bench languages --toolchain debian", None, Command::Bench(Bench::Languages, Source::Debian)),
            ("bench", None, Command::Bench(Bench::Speed(Speed::default()), Source::Any)),
            ("bench --quick call --toolchain debian swap --rivals --keep", None, {
                let groups = vec!["call".to_owned(), "swap".to_owned()];
                Command::Bench(Bench::Speed(Speed { quick: true, rivals: true, keep: true, groups }), Source::Debian)
            }),
            ("nemesis", None, Command::Nemesis(Nemesis { minutes: MINUTES, store: None }, Source::Any)),
            ("nemesis --minutes 9 --store=redis --toolchain debian", None, {
                Command::Nemesis(Nemesis { minutes: 9, store: Some("redis") }, Source::Debian)
            }),
            ("count", Some("nonsense"), Command::Count(false)),
            ("count --accept", None, Command::Count(true)),
            ("check", Some("nonsense"), Command::Check),
            ("bindings", None, Command::Bindings),
            ("help", None, Command::Help),
            ("--help", None, Command::Help),
            ("demo --help", None, Command::Help),
        ] {
            assert_eq!(parsed(line, preset), Ok(expected), "{line}");
        }
    }

    #[test]
    fn what_is_wrong_is_said_with_what_was_perhaps_meant() {
        for (line, preset, part) in [
            ("", None, "no command given"),
            ("tset", None, "no command `tset` (did you mean `test`?)"),
            ("deploy", None, "no command `deploy`; there are setup, guests"),
            ("demo --toolchian debian", None, "`demo` takes no option `--toolchian` (did you mean `--toolchain`?)"),
            ("demo --toolchain", None, "--toolchain needs one of any, rustup, debian"),
            ("demo --toolchain debain", None, "`debain` is none of any, rustup, debian (did you mean `debian`?)"),
            ("demo", Some("x"), "BATON_TOOLCHAIN: `x` is none of"),
            ("check --toolchain debian", None, "`check` takes no option `--toolchain`"),
            (
                "bench calls",
                None,
                "`calls` is nothing that can be measured (did you mean `call`?); there are languages, call",
            ),
            ("bench --quik", None, "`bench` takes no option `--quik`"),
            ("bench languages --quick", None, "`bench languages` is measured by itself"),
            ("count --acept", None, "`count` takes no option `--acept` (did you mean `--accept`?)"),
            ("check --accept", None, "`check` takes no option `--accept`"),
            ("test store", None, "`test` takes no argument `store`; words for the test run come after `--`"),
            ("nemesis --minutes 0", None, "--minutes: `0` is not from 1 to 1440"),
            (
                "nemesis --store mysqll",
                None,
                "`mysqll` is none of postgres, mariadb, mysql, redis (did you mean `mysql`?)",
            ),
            ("demo -- x", None, "`demo` passes nothing on"),
        ] {
            let message = parsed(line, preset).expect_err(line);
            assert!(message.contains(part), "{line}: {message}");
        }
    }

    #[test]
    fn the_help_names_every_command() {
        for name in NAMES {
            assert!(HELP.contains(&format!("\n  {name} ")), "{name}");
        }
    }
}
