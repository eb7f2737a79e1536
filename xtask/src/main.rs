//! `cargo xtask`: the project's own commands. `cargo xtask help` lists them.

mod args;
mod bench;
mod check;
mod count;
mod demo;
mod failure;
mod guests;
mod languages;
mod nemesis;
mod packages;
mod page;
mod process;
mod progress;
mod project;
mod servers;
mod setup;
mod test;

use std::process::ExitCode;

use args::{Bench, Command};
use failure::Result;
use process::Interrupt;
use progress::{Steps, say, show};
use project::Project;
use setup::Source;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args_os().skip(1).map(|word| word.to_string_lossy().into_owned()).collect();
    let preset = std::env::var("BATON_TOOLCHAIN").ok().filter(|name| !name.is_empty());
    let command = match args::parse(&words, preset.as_deref()) {
        Ok(command) => command,
        Err(reason) => {
            say(&format!("error: {reason}\n`cargo xtask help` tells more"));
            return ExitCode::from(2);
        }
    };
    match run(command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            say(&format!("error: {failure}"));
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> Result<()> {
    if command == Command::Help {
        show(args::HELP);
        return Ok(());
    }
    let interrupt = Interrupt::listen()?;
    let ended = Project::find(&interrupt).and_then(|project| run_in(&project, command));
    // Whatever failed because we were asked to stop is not what went wrong.
    interrupt.check()?;
    ended
}

fn run_in(project: &Project, command: Command) -> Result<()> {
    let _alone = project.lock()?;
    match command {
        Command::Help => Ok(()),
        Command::Setup(source) => setup_alone(project, source),
        Command::Guests(source) => guests_alone(project, source),
        Command::Test(source, words) => test::run(project, source, &words),
        Command::Page(source) => page_alone(project, source),
        Command::Demo(source) => demo::run(project, source),
        Command::Bench(Bench::Languages, source) => bench::languages(project, source),
        Command::Bench(Bench::Speed(options), source) => bench::speed(project, source, &options),
        Command::Nemesis(nemesis, source) => nemesis::run(project, source, &nemesis),
        Command::Count(accept) => count::alone(project, accept),
        Command::Check => check::run(project),
        Command::Bindings => check::bindings(project),
    }
}

fn setup_alone(project: &Project, source: Source) -> Result<()> {
    let mut steps = Steps::new(1);
    prepare(project, source, &mut steps).map(drop)
}

fn guests_alone(project: &Project, source: Source) -> Result<()> {
    all_guests(project, source, &mut Steps::new(4))?;
    show(&project.guests_out().display().to_string());
    Ok(())
}

/// Four steps: those in Rust, then the command, and with it those in other languages.
pub(crate) fn all_guests(project: &Project, source: Source, steps: &mut Steps) -> Result<()> {
    build_guests(project, source, steps)?;
    steps.begin("the command");
    // As the tests build it: another choice would be another choice of features.
    process::stream(project.cargo().args(["build", "--workspace", "--bins", "--locked"]), &project.interrupt)?;
    steps.done("built");
    languages::step(project, steps).map(drop)
}

fn page_alone(project: &Project, source: Source) -> Result<()> {
    let mut steps = Steps::new(5);
    all_guests(project, source, &mut steps)?;
    steps.begin("the page for operators, in a browser");
    let Some((counts, ended)) = page::run(project)? else {
        steps.done("not run");
        return Ok(());
    };
    show(&format!("{} passed, {} failed, {} skipped", counts.passed, counts.failed, counts.skipped));
    ended?;
    steps.done("passed");
    Ok(())
}

/// The step that every command which builds guests begins with.
fn prepare(project: &Project, source: Source, steps: &mut Steps) -> Result<setup::Toolchain> {
    steps.begin("a toolchain for guests");
    let toolchain = setup::toolchain(project, source)?;
    steps.done(&toolchain.name);
    Ok(toolchain)
}

/// Two steps: the toolchain, and the guests built with it.
pub(crate) fn build_guests(
    project: &Project,
    source: Source,
    steps: &mut Steps,
) -> Result<(setup::Toolchain, Vec<guests::Guest>)> {
    let toolchain = prepare(project, source, steps)?;
    steps.begin("the guests in plugins/");
    let built = guests::build(project, &toolchain)?;
    steps.done(&guests::listed(&built));
    Ok((toolchain, built))
}
