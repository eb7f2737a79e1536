//! Reading the configuration again while the host runs: all of what can change is taken, or nothing.

use std::path::PathBuf;

use baton_host::Host;
use baton_host::admin::{Access, Reloaded};
use baton_host::config::{self, Config, Settings};
use bytes::Bytes;
use clap::Args;
use hyper::Method;
use serde::{Deserialize, Serialize};

use super::Place;
use super::output::{Failure, harmless, print_json, print_line, tell_note};

/// Sets what is logged.
pub(super) type SetFilter = Box<dyn Fn(&str) -> Result<(), String> + Send + Sync>;

/// A configuration, the file that it came from, and what the host was told beside it.
pub(super) struct Origin {
    pub(super) file: PathBuf,
    pub(super) data_dir: Option<PathBuf>,
    pub(super) settings: Settings,
    /// The largest message that clients may send, which is that of the start.
    pub(super) request_bytes: usize,
    /// None: the command line says what is logged, whatever the file says.
    pub(super) set_filter: Option<SetFilter>,
}

impl Origin {
    /// What the file says now.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    fn read(&self) -> Result<(Config, Settings), Vec<String>> {
        let read = config::explain(&self.file);
        let (config, settings) =
            read.map_err(|problems| problems.iter().map(ToString::to_string).collect::<Vec<_>>())?;
        Ok(with_the_command_line(config, settings, self.data_dir.as_ref()))
    }

    /// Takes what the file says now, as far as a host that runs can, and notes it in `config`.
    ///
    /// # Errors
    /// Everything that is wrong. Then nothing has changed.
    pub(super) async fn reload(
        &mut self,
        config: &mut Config,
        host: &Host,
        access: Option<&Access>,
    ) -> Result<Reloaded, Vec<String>> {
        let (new, settings) = self.read()?;
        // All that can fail comes first.
        let templates = host.new_templates(new.templates.clone()).await.map_err(|error| vec![error.to_string()])?;
        // Tokens and certificates, whose files may have changed where the configuration has not.
        access.map_or(Ok(()), Access::reload).map_err(|error| vec![error])?;
        let mut reloaded = Reloaded::default();
        for change in self.settings.changes(&settings) {
            let into = if change.live { &mut reloaded.taken } else { &mut reloaded.needs_restart };
            into.push(change.what);
        }
        if reloaded.needs_restart.is_empty() && new.children != config.children {
            reloaded.needs_restart.push("what a file that an [[actor]] names holds".into());
        }
        let (largest, before) = (new.largest_message_bytes(), config.largest_message_bytes());
        if largest > self.request_bytes && largest != before {
            let bytes = self.request_bytes;
            let what = format!("messages from outside of more than {bytes} bytes (message_bytes of [[actors]])");
            reloaded.needs_restart.push(what);
        }
        if let Some(set) = self.set_filter.as_ref().filter(|_| new.log != config.log) {
            // The filter was checked with the file.
            if let Err(error) = set(&new.log) {
                reloaded.needs_restart.push(format!("`log`: {error}"));
            }
        }
        templates.take();
        self.settings = settings;
        config.shutdown_timeout = new.shutdown_timeout;
        config.log = new.log;
        config.templates = new.templates;
        // What needs a restart is told once; nobody reads them once the host has started.
        config.children = new.children;
        Ok(reloaded)
    }
}

/// What the command line and the environment say beside the file.
pub(super) fn with_the_command_line(
    mut config: Config,
    mut settings: Settings,
    data_dir: Option<&PathBuf>,
) -> (Config, Settings) {
    if let Some(dir) = data_dir {
        config.data_dir.clone_from(dir);
        settings = settings.told("data_dir", &dir.display().to_string(), "--data-dir");
    }
    for plugin in &mut config.plugins {
        plugin.grants.fill_env(|name| std::env::var(name).ok());
    }
    (config, settings)
}

/// Tells the log what came of it.
pub(super) fn log(by: &str, came: &Result<Reloaded, Vec<String>>) {
    match came {
        Ok(reloaded) => {
            let Reloaded { taken, needs_restart } = reloaded;
            tracing::info!(
                by,
                taken = taken.len(),
                needs_restart = needs_restart.len(),
                "the configuration was read again"
            );
            taken.iter().for_each(|what| tracing::info!("taken: {what}"));
            needs_restart.iter().for_each(|what| tracing::warn!("{what}: needs a restart"));
        }
        Err(problems) => {
            problems.iter().for_each(|problem| tracing::error!("{problem}"));
            tracing::error!(by, problems = problems.len(), "the configuration is not taken, and nothing has changed");
        }
    }
}

#[derive(Debug, Args)]
pub(super) struct Options {
    /// As JSON
    #[arg(long)]
    json: bool,
}

/// What the host answers.
#[derive(Deserialize, Serialize)]
struct Answer {
    taken: Vec<String>,
    needs_restart: Vec<String>,
}

pub(super) async fn reload(place: &Place, options: &Options) -> Result<(), Failure> {
    let answer: Answer = place.client()?.act(Method::POST, "/v1/reload", Bytes::new()).await?;
    if options.json {
        return print_json(&answer);
    }
    if answer.taken.is_empty() && answer.needs_restart.is_empty() {
        return Ok(print_line("nothing has changed")?);
    }
    for what in &answer.taken {
        print_line(&harmless(&format!("taken: {what}")))?;
    }
    answer.needs_restart.iter().for_each(|what| tell_note(&format!("{what}: needs a restart")));
    Ok(())
}
