//! `dev`: a host in which a plugin is swapped for what its sources have become, whenever they change.

use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use baton_host::PluginName;
use baton_host::config::{self, Config};
use baton_host::swap::{SwapEvent, SwapEventKind, SwapEvents, SwapOutcome};
use baton_host::toolchain::{self, BuildOptions, Built, Project, Sources};
use clap::Args;

use super::build::{places, said, to_stderr};
use super::output::{Failure, harmless, print_line, tell_error, tell_note};
use super::telemetry::log_plainly;
use super::{Place, run, signals};

/// How often the sources are looked at.
const LOOK: Duration = Duration::from_millis(250);

#[derive(Debug, Args)]
pub(super) struct Options {
    /// The plugin's folder, which has a plugin.toml and a baton.toml
    #[arg(default_value = ".")]
    dir: PathBuf,
    /// What is logged, such as `info` or `warn,baton_host=debug` [default: warnings, and what plugins log]
    #[arg(long, value_name = "FILTER", default_value = LOG, hide_default_value = true)]
    log: String,
}

/// What becomes of a change is told on lines of its own, and in no log besides.
const LOG: &str = "warn,baton::guest=info,baton_host::swap=error,baton_host::host::watching=error,\
                   baton_host::actor::switching=error";

pub(super) fn dev(place: &Place, options: &Options) -> Result<(), Failure> {
    let project = Project::open(&options.dir)?;
    let file = place.config.clone().unwrap_or_else(|| project.dir.join("baton.toml"));
    if !file.is_file() {
        return Err(Failure::usage(format!("there is no {}, which says what is run", file.display()))
            .hint("write it: [[plugin]] with path = \"NAME.wasm\", and [[actor]] with name = \"NAME/1\" and plugin = \"NAME\""));
    }
    if let Some(missing) = project.sources().iter().find(|source| !source.exists() && project.names(source)) {
        return Err(Failure::usage(format!(
            "{} is named in plugin.toml as a source, and is not there",
            missing.display()
        )));
    }
    // All else of the configuration is read once the plugin is there, which it names.
    let told = || config::data_dir(&file).map_err(|problems| Failure::config(&problems));
    let data_dir = place.data_dir.clone().map_or_else(told, Ok)?;
    let log = log_plainly(&options.log)?;
    // Ctrl-C ends the waiting for a first build as well as the host.
    let asked = run::listen()?;
    let mut bench =
        Bench { sources: Sources::new(project.sources()), project, code: data_dir.join("code"), file: None };
    let Some(built) = bench.first(&asked) else { return Ok(()) };
    bench.file = Some(built.file.clone());
    let (mut config, _) = run::configuration(place, &file)?;
    watch_the_file(&mut config, &built.file, &file)?;
    let parts = run::Parts { recover: false, asked, exporter: None, again: None, log };
    run::host(config, parts, |host| {
        tokio::spawn(tell(host.swap_events()));
        let begun = thread::Builder::new().name("baton-dev".to_owned()).spawn(move || bench.work());
        if let Err(error) = begun {
            tell_error(&format!("changes are not looked for: {error}"), None);
        }
    })
}

/// The plugin whose file that is is swapped in when it changes.
fn watch_the_file(config: &mut Config, built: &Path, file: &Path) -> Result<(), Failure> {
    let same = |path: &Path| path.canonicalize().is_ok_and(|path| path == built);
    let plugin = config.plugins.iter_mut().find(|plugin| same(&plugin.path)).ok_or_else(|| {
        let name = built.file_name().unwrap_or_default().to_string_lossy();
        Failure::usage(format!("{} has no plugin with the file that was built, {}", file.display(), built.display()))
            .hint(format!("add [[plugin]] with path = \"{name}\" to it"))
    })?;
    plugin.watch = true;
    Ok(())
}

/// Where the plugin is built, again and again.
struct Bench {
    project: Project,
    sources: Sources,
    /// The host's own: what was compiled to be looked at is not compiled again to run.
    code: PathBuf,
    /// What the host runs.
    file: Option<PathBuf>,
}

impl Bench {
    /// The first build that succeeds. None: asked to end before there was one.
    fn first(&mut self, asked: &signals::Asked) -> Option<Built> {
        let mut built = self.build();
        while built.is_none() {
            tell_note("waiting for a change");
            while !self.sources.changed() {
                if asked.borrow().is_some() {
                    return None;
                }
                thread::sleep(LOOK);
            }
            built = self.build();
        }
        built
    }

    /// Builds whenever the sources have changed. It ends with the process.
    fn work(mut self) {
        loop {
            thread::sleep(LOOK);
            if self.sources.changed() {
                drop(self.build());
            }
        }
    }

    /// What came of it is told; the host sees the new file.
    fn build(&self) -> Option<Built> {
        let (code_cache, printed) = (Some(self.code.clone()), Some(to_stderr as fn() -> _));
        let options = BuildOptions { to: None, code_cache, printed };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let built = runtime.map_err(|error| Failure::new(error.to_string())).and_then(|runtime| {
            let places = places();
            let building = toolchain::build(&self.project, &places, &options, &|command: &str| tell_note(command));
            runtime.block_on(building).map_err(Failure::from)
        });
        match built {
            Ok(built) => {
                drop(print_line(&harmless(&format!("built {}", said(&built)))));
                if let Some(file) = self.file.as_ref().filter(|file| **file != built.file) {
                    let what = format!("it has another name now, and the host runs {}", file.display());
                    tell_error(&what, Some("give it its name back, or change baton.toml and start again"));
                }
                Some(built)
            }
            Err(failure) => {
                let (message, hint) = failure.words();
                tell_error(&message, hint.as_deref());
                None
            }
        }
    }
}

/// Says what became of each change, until the host is gone.
async fn tell(mut events: SwapEvents) {
    while let Some(event) = events.next().await {
        match event.map(|SwapEvent { plugin, kind, .. }| (plugin, kind)) {
            Ok((plugin, SwapEventKind::Ended { report })) if report.outcome == SwapOutcome::Done => {
                let line = format!("swapped: {} actors of {plugin} go on with it, states and all", report.switched);
                drop(print_line(&harmless(&line)));
            }
            Ok((plugin, SwapEventKind::Ended { report })) => {
                let first = report.failures.first().map(|failure| (failure.actor.as_str(), failure.why.as_str()));
                not_taken(&plugin, &reason(report.why.as_deref().unwrap_or_default(), first));
            }
            Ok((plugin, SwapEventKind::NotTaken { why, .. })) => not_taken(&plugin, &why),
            _ => {}
        }
    }
}

/// Why a swap did not come to its end, with the first actor that failed, unless that is said already.
fn reason(why: &str, first: Option<(&str, &str)>) -> String {
    match first {
        Some((_, what)) if why.contains(what) => why.to_owned(),
        Some((actor, what)) if why.is_empty() => format!("{actor}: {what}"),
        Some((actor, what)) => format!("{why}: {actor}: {what}"),
        None => why.to_owned(),
    }
}

fn not_taken(plugin: &PluginName, why: &str) {
    tell_error(&format!("the new {plugin} was not taken, and the one before goes on: {why}"), None);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_told_once() {
        for (why, first, expected) in [
            ("1 of 1 failed", Some(("c/1", "it refused")), "1 of 1 failed: c/1: it refused"),
            ("c/1: it refused", Some(("c/1", "it refused")), "c/1: it refused"),
            ("", Some(("c/1", "it refused")), "c/1: it refused"),
            ("it does not load", None, "it does not load"),
        ] {
            assert_eq!(reason(why, first), expected);
        }
    }
}
