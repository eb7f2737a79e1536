//! `config`: what is wrong with a configuration, what a host makes of it, and its schema.

use std::path::PathBuf;

use baton_host::config;
use clap::{Args, Subcommand};
use serde::Serialize;

use super::Place;
use super::output::{Failure, harmless, print_json, print_line, tell_note};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Say everything that is wrong with the configuration, each with its line and what would be right
    ///
    /// Files that it names are looked for; plugins are not loaded (`baton doctor` does that). Exit code 0: a host would take
    /// it; 2: it would not.
    Check(Check),
    /// Show the settings, each with the line that it comes from
    ///
    /// What is printed is a configuration itself, which a host takes as it takes the first; paths are complete.
    Show(Show),
    /// Print the JSON schema of baton.toml, for editors
    Schema,
}

#[derive(Debug, Args)]
pub(super) struct Check {
    /// The configuration [default: --config, else baton.toml in this folder]
    file: Option<PathBuf>,
    /// As JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
pub(super) struct Show {
    /// The configuration [default: --config, else baton.toml in this folder]
    file: Option<PathBuf>,
    /// All settings: also those that are inherited, and the defaults
    #[arg(long)]
    resolved: bool,
    /// As JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn config(place: &Place, command: &Command) -> Result<(), Failure> {
    match command {
        Command::Check(options) => check(place, options),
        Command::Show(options) => show(place, options),
        Command::Schema => print_json(&config::schema()),
    }
}

/// What a check has found.
#[derive(Serialize)]
struct Checked {
    file: String,
    ok: bool,
    problems: Vec<Told>,
    /// What works, and may surprise.
    notes: Vec<String>,
}

#[derive(Serialize)]
struct Told {
    line: Option<usize>,
    key: Option<String>,
    problem: String,
    cure: Option<String>,
    /// All of it, as people are told it.
    message: String,
}

impl Told {
    fn of(problem: &config::Problem) -> Self {
        let parts = problem.parts();
        let (key, cure) = (parts.key.map(str::to_owned), parts.cure.map(str::to_owned));
        Self { line: problem.line, key, problem: parts.problem.to_owned(), cure, message: problem.message.clone() }
    }
}

fn check(place: &Place, options: &Check) -> Result<(), Failure> {
    let path = place.config(options.file.as_deref())?;
    let file = path.display().to_string();
    let checked = config::load(&path);
    let notes = checked.as_ref().map(|config| config.cut_short().iter().map(ToString::to_string).collect());
    let notes: Vec<String> = notes.unwrap_or_default();
    if options.json {
        let problems = checked.as_ref().err().into_iter().flatten();
        let problems = problems.map(Told::of).collect::<Vec<_>>();
        print_json(&Checked { file, ok: problems.is_empty(), problems, notes })?;
        return checked.map(drop).map_err(|_| Failure::told(Failure::USAGE));
    }
    let config = checked.map_err(|problems| Failure::config(&problems))?;
    notes.iter().for_each(|note| tell_note(&format!("{note}: the tighter one wins")));
    let counts = format!(
        "{} plugins, {} actors, {} templates",
        config.plugins.len(),
        config.actors().count(),
        config.templates.len()
    );
    Ok(print_line(&harmless(&format!("{file} is good: {counts}")))?)
}

fn show(place: &Place, options: &Show) -> Result<(), Failure> {
    let path = place.config(options.file.as_deref())?;
    let (_, mut settings) = config::explain(&path).map_err(|problems| Failure::config(&problems))?;
    if let Some(dir) = &place.data_dir {
        settings = settings.told("data_dir", &dir.display().to_string(), "--data-dir");
    }
    if !options.resolved {
        settings = settings.said();
    }
    match options.json {
        true => print_json(&settings),
        false => Ok(print_line(harmless(&settings.to_string()).trim_end())?),
    }
}
