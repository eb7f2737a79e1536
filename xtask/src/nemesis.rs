//! The nemesis: three hosts on one store, and somebody who kills and pauses them and its server, for as long as is wanted.

use std::time::Duration;

use crate::build_guests;
use crate::failure::{Failure, Result};
use crate::process::stream_within;
use crate::progress::{Steps, say};
use crate::project::Project;
use crate::setup::Source;

/// How long it plays unless told, in minutes.
pub(crate) const MINUTES: u64 = 3;
/// How long it may play, in minutes.
pub(crate) const MOST_MINUTES: u64 = 24 * 60;
/// The stores that it plays with; where there is no MySQL, that is said.
pub(crate) const STORES: [&str; 4] = ["postgres", "mariadb", "mysql", "redis"];
/// How much longer the run may take than it plays: for servers, and for everything to be well again at the end.
const BESIDE: Duration = Duration::from_secs(600);

/// How it is played.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Nemesis {
    pub(crate) minutes: u64,
    /// None: with all of them, one after the other.
    pub(crate) store: Option<&'static str>,
}

impl Default for Nemesis {
    fn default() -> Self {
        Self { minutes: MINUTES, store: None }
    }
}

/// Plays it.
pub(crate) fn run(project: &Project, source: Source, nemesis: &Nemesis) -> Result<()> {
    let mut steps = Steps::new(4);
    let (toolchain, _) = build_guests(project, source, &mut steps)?;
    steps.begin("the host, its command and the nemesis");
    // As the tests are built: another choice would be another choice of features.
    let build = ["build", "--workspace", "--lib", "--bins", "--tests", "--locked"];
    crate::process::stream(project.cargo().args(build), &project.interrupt)?;
    steps.done("built");
    let stores: Vec<&str> = nemesis.store.map_or(STORES.to_vec(), |store| vec![store]);
    let minutes = if nemesis.minutes == 1 { "a minute".to_owned() } else { format!("{} minutes", nemesis.minutes) };
    steps.begin(&format!("{minutes} with each of {}", stores.join(", ")));
    for store in &stores {
        let mut tests = project.cargo();
        // Its own harness has no limit on time.
        tests.args(["test", "--workspace", "--locked", "--test", "suites", "--", "--exact", "--nocapture"]);
        tests.arg(format!(
            "nemesis::on_{store}::every_record_follows_the_one_before_and_what_was_acknowledged_is_there_once"
        ));
        tests.env("BATON_NEMESIS_SECONDS", (nemesis.minutes * 60).to_string());
        tests.env("BATON_GUESTS", project.guests_out());
        toolchain.tell(&mut tests);
        let limit = Duration::from_secs(nemesis.minutes * 60) + BESIDE;
        say(&format!("      {store}"));
        stream_within(&mut tests, &project.interrupt, Some(limit))
            .map_err(|failure| Failure::new(format!("with {store}: {failure}")))?;
    }
    steps.done("everything holds");
    Ok(())
}
