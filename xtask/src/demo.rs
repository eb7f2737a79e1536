//! The main job, played on real data: one actor per airport counts 20,000 flights; in mid-stream the host stops as in a
//! deploy and starts again with a newer plugin, and no flight is lost or counted twice.

mod expected;
mod feed;
mod flights;
mod host;
mod table;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::json;

use crate::build_guests;
use crate::failure::{Doing, Failure, Result};
use crate::guests::Guest;
use crate::process::{capture, stream};
use crate::progress::{Bar, Steps, show, thousands};
use crate::project::{Project, make_dir, remove_dir};
use crate::setup::Source;
use expected::{Airport, Stats};
use feed::{Batch, Call};
use flights::Flight;
use host::Host;

/// The flights, from the root.
const DATA: &str = "plugins/flights/data/flights-20k.csv";
/// The plugin that the stream begins with, and the one that it ends with.
const OLD: &str = "flights-1.0.0";
const NEW: &str = "flights-2.0.0";
/// Rows of the table.
const BUSIEST: usize = 10;
/// Lines that are shown of the store.
const STORE_LINES: usize = 8;
/// How many differences are shown.
const DIFFERENCES: usize = 20;
/// How often the bar moves, and how soon a host that died is noticed.
const TICK: Duration = Duration::from_millis(50);

/// Plays it.
pub(crate) fn run(project: &Project, source: Source) -> Result<()> {
    let mut steps = Steps::new(8);
    let (_, guests) = build_guests(project, source, &mut steps)?;

    steps.begin("the host and its command");
    // The whole workspace, in the profile of the tests: cargo then chooses the same features for the dependencies, and
    // neither `demo` nor `test` compiles the engine anew after the other.
    stream(project.cargo().args(["build", "--workspace", "--bins", "--locked"]), &project.interrupt)?;
    steps.done("built");

    let stage = Stage::set(project, &guests)?;
    steps.begin("a host with flights 1.0");
    let flights = stage.flights()?;
    let airports = expected::airports(&flights);
    let host = stage.start(&stage.old, "host-1.log")?;
    steps.done("it serves");

    steps.begin(&format!(
        "{} flights to {} airports, in order of date",
        thousands(flights.len() as u64),
        airports.len()
    ));
    let (host, before) = stage.feed(&flights, host)?;
    steps.done("every flight was answered, each with its airport's count");

    steps.begin("what the airports say");
    let stats = stage.ask(&airports)?;
    show(&table::busiest(&stats, BUSIEST));
    steps.done(&format!("{} airports answered", stats.len()));

    steps.begin("the host stops, and this is what is in its store");
    host.stop(&project.interrupt)?;
    show(&stage.store()?);
    steps.done("it stopped with everything saved");

    steps.begin("every airport against a direct computation over the same file");
    judge(&expected::differences(&airports, &stats, before), airports.len())?;
    steps.done("the same");
    Ok(())
}

/// Says the verdict.
fn judge(differences: &[String], airports: usize) -> Result<()> {
    if differences.is_empty() {
        show(&format!("all {airports} airports equal"));
        return Ok(());
    }
    for difference in differences.iter().take(DIFFERENCES) {
        show(difference);
    }
    Err(Failure::new(format!("{} differences over {airports} airports", differences.len())))
}

/// Where the demo plays: a folder that is made anew, with what the hosts need.
#[derive(Debug)]
struct Stage<'a> {
    project: &'a Project,
    folder: PathBuf,
    config: PathBuf,
    old: PathBuf,
    new: PathBuf,
}

impl<'a> Stage<'a> {
    fn set(project: &'a Project, guests: &[Guest]) -> Result<Self> {
        let find = |name: &str| {
            let guest = guests.iter().find(|guest| guest.name == name);
            guest.map(|guest| guest.file.clone()).ok_or_else(|| Failure::new(format!("plugins/ built no {name}.wasm")))
        };
        let (old, new) = (find(OLD)?, find(NEW)?);
        let folder = project.target.join("demo");
        remove_dir(&folder)?;
        make_dir(&folder)?;
        Ok(Stage { project, config: folder.join("baton.toml"), folder, old, new })
    }

    fn flights(&self) -> Result<Vec<Flight>> {
        let path = self.project.root.join(DATA);
        let text = std::fs::read_to_string(&path).doing(|| format!("reading {}", path.display()))?;
        flights::parse(&text).doing(|| DATA.to_owned())
    }

    /// Writes the config for `plugin` and runs a host with it until it serves.
    fn start(&self, plugin: &Path, log: &str) -> Result<Host> {
        let config = host::config(&self.folder.join("data"), plugin);
        std::fs::write(&self.config, config).doing(|| format!("writing {}", self.config.display()))?;
        let mut host = Host::start(&mut host::run(&self.project.baton(), &self.config), &self.folder.join(log))?;
        host.wait_until_ready(&self.project.interrupt)?;
        Ok(host)
    }

    /// Feeds all flights; half-way the host is replaced, while the feeding goes on. Gives the new host, and how many
    /// flights were answered before the old one was asked to stop.
    fn feed(&self, flights: &[Flight], host: Host) -> Result<(Host, u64)> {
        let total = flights.len() as u64;
        let calls = flights.iter().map(|flight| Call { actor: flight.actor(), body: flight.message() }).collect();
        let batch = self.batch(calls)?;
        let mut bar = Bar::new(total, "flights");
        let mut host = self.watch(&batch, &mut bar, host, total / 2)?;
        let before = batch.progress().0;
        bar.say(&format!("after {} flights: SIGTERM to the host, as in a deploy", thousands(before)));
        host.stop(&self.project.interrupt)?;
        bar.say("it handed everything over and exited with 0; flights wait for its replacement");
        host = self.start(&self.new, "host-2.log")?;
        bar.say("a host with flights 2.0 serves; the flights go on");
        let host = self.watch(&batch, &mut bar, host, total)?;
        bar.finish();
        let replies = batch.finish(&self.project.interrupt)?;
        let answers = flights.iter().zip(replies).zip(expected::replies(flights));
        match (1_u64..).zip(answers).find(|(_, ((_, said), expected))| said != expected) {
            None => Ok((host, before)),
            Some((number, ((flight, said), expected))) => Err(Failure::new(format!(
                "flight {number} of {total}, from {}, was answered {said}, should be {expected}",
                flight.origin
            ))),
        }
    }

    /// Moves the bar until `until` calls are answered, as long as `host` runs.
    fn watch(&self, batch: &Batch, bar: &mut Bar, mut host: Host, until: u64) -> Result<Host> {
        loop {
            let (answered, ended) = batch.progress();
            bar.at(answered);
            // An ended batch with too few answers says why when it is finished.
            if answered >= until || ended {
                return Ok(host);
            }
            host.check()?;
            self.project.interrupt.check()?;
            std::thread::sleep(TICK);
        }
    }

    /// Asks every airport what it has counted.
    fn ask(&self, airports: &BTreeMap<String, Airport<'_>>) -> Result<BTreeMap<String, Stats>> {
        let names = airports.keys();
        let calls = names.map(|name| Call { actor: flights::actor(name), body: json!("stats") }).collect();
        let replies = self.batch(calls)?.finish(&self.project.interrupt)?;
        airports.keys().zip(&replies).map(|(name, reply)| Ok((name.clone(), Stats::read(name, reply)?))).collect()
    }

    /// What lies in the store of a host that has stopped.
    fn store(&self) -> Result<String> {
        let mut ls = Command::new(self.project.baton());
        ls.args(["store", "ls", "--config"]).arg(&self.config);
        Ok(table::beginning(&capture(&mut ls, &self.project.interrupt)?, STORE_LINES))
    }

    fn batch(&self, calls: Vec<Call>) -> Result<Batch> {
        Batch::start(&mut feed::call_batch(&self.project.baton(), &self.config), calls)
    }
}
