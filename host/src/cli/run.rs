//! `run`: a host from its configuration until a signal.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use baton_host::admin::{self, Socket, Tcp, socket_path};
use baton_host::config::{self, Config};
use baton_host::model::HostError;
use baton_host::telemetry::{Exporter, SpanCounts};
use baton_host::{Host, ShutdownReport};
use clap::Args;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::sync::oneshot;

use super::output::{Failure, harmless, tell_error};
use super::telemetry::{self, Exporting, LogFormat};
use super::{Place, signals};

#[derive(Debug, Args)]
pub(super) struct Options {
    /// The configuration [default: --config, else baton.toml in this folder]
    file: Option<PathBuf>,
    /// If the store will not open, or holds less than it should: move it aside, keep what is good in it, and go on
    #[arg(long)]
    recover: bool,
    /// What is logged, such as `info` or `warn,baton_host=debug` [default: what the configuration says, else info]
    #[arg(long, value_name = "FILTER")]
    log: Option<String>,
    /// How it is logged
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t)]
    log_format: LogFormat,
}

pub(super) fn run(place: &Place, options: &Options) -> Result<(), Failure> {
    let mut config = configuration(place, &place.config(options.file.as_deref())?)?;
    config.telemetry = telemetry::options(config.telemetry);
    let filter = options.log.as_deref().unwrap_or(&config.log);
    let exporter = telemetry::begin(filter, options.log_format, &config.telemetry)?;
    host(config, options.recover, (listen()?, exporter), |_| {})
}

/// What the file says, and what stands above it.
pub(super) fn configuration(place: &Place, file: &Path) -> Result<Config, Failure> {
    let mut config = config::load(file).map_err(|problems| Failure::config(&problems))?;
    if let Some(dir) = &place.data_dir {
        config.data_dir.clone_from(dir);
    }
    for plugin in &mut config.plugins {
        plugin.grants.fill_env(|name| std::env::var(name).ok());
    }
    Ok(config)
}

/// Signals, from now on.
pub(super) fn listen() -> Result<signals::Asked, Failure> {
    signals::listen().map_err(|error| Failure::new(format!("signals cannot be listened to: {error}")))
}

/// A host from its configuration until a signal, its spans exported where there is an exporter. `beside` is given it once it
/// runs.
pub(super) fn host(
    config: Config,
    recover: bool,
    (asked, exporter): (signals::Asked, Option<Exporter>),
    beside: impl FnOnce(&Host),
) -> Result<(), Failure> {
    // Those that a supervisor cuts short are told by the host itself.
    let told: Vec<_> = config.children.iter().flat_map(|child| child.cut_short(None, "")).collect();
    for cut in config.cut_short().into_iter().filter(|cut| !told.contains(cut)) {
        tracing::warn!("{cut}: the tighter one wins");
    }
    // Known before anything starts, so told before anything starts.
    socket_path(&config.data_dir)?;
    raise_open_files();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Failure::new(format!("the runtime does not start: {error}")))?;
    let flush_timeout = config.telemetry.flush_timeout;
    let done = runtime.block_on(async {
        let counts = exporter.as_ref().map(Exporter::counts);
        let exporting = exporter.map(|exporter| Exporting::begin(exporter, flush_timeout));
        let done = serve(config, recover, (asked, counts), beside).await;
        if let Some(exporting) = exporting {
            exporting.end().await;
        }
        done
    });
    runtime.shutdown_background();
    done
}

/// Connections, stores and guests need more files than a shell allows by default; the system's own bound stays.
fn raise_open_files() {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, ..limit };
    if let Err(error) = setrlimit(Resource::Nofile, raised) {
        tracing::warn!(%error, "the number of open files stays as it was");
    }
}

async fn serve(
    config: Config,
    recover: bool,
    (mut asked, spans): (signals::Asked, Option<Arc<SpanCounts>>),
    beside: impl FnOnce(&Host),
) -> Result<(), Failure> {
    let (request_bytes, listed) = (config.largest_message_bytes(), config.actors().count());
    // A host that is half started cannot be stopped in good order, so a signal meanwhile waits for it.
    let host = build(&config, recover, spans).await?;
    let (socket, tcp) = match listening(&config, &host).await {
        Ok(listening) => listening,
        Err(failure) => {
            // What runs by now has its state saved like at any other stop.
            let saved = tell_report(&host.shutdown(config.shutdown_timeout).await);
            return Err(if saved { failure } else { failure.code(Failure::NOT_SAVED) });
        }
    };
    let (end, ended) = oneshot::channel::<()>();
    let mut ready = format!(
        "ready: {} plugins, {} actors, socket {}",
        host.plugins().len(),
        // Those of templates are resumed beside this: their number would be a matter of luck.
        listed,
        socket.path().display()
    );
    if let Some(tcp) = &tcp {
        ready.push_str(", ");
        ready.push_str(&tcp.url());
    }
    let drain = async { drop(ended.await) };
    let admin = tokio::spawn(admin::serve(socket, tcp, host.clone(), request_bytes, drain));
    if asked.borrow().is_none() {
        // Whoever started us may have closed our stdout, and still wants a host.
        drop(super::output::print_line(&harmless(&ready)));
        beside(&host);
    }
    let by = match asked.wait_for(Option::is_some).await {
        Ok(by) => by.unwrap_or_default(),
        Err(_) => "the end of the thread for signals",
    };
    tracing::info!(by, "stopping; a second signal ends at once, and loses what is not saved");
    let report = host.shutdown(config.shutdown_timeout).await;
    // Every call has its answer by now; the answers still have to reach their clients.
    // It is gone only if it failed, which is told next.
    let _ = end.send(());
    if let Err(error) = admin.await {
        tracing::error!(%error, "the socket's server ended early");
    }
    if tell_report(&report) { Ok(()) } else { Err(Failure::told(Failure::NOT_SAVED)) }
}

/// Where clients can come in from now on.
async fn listening(config: &Config, host: &Host) -> Result<(Socket, Option<Tcp>), Failure> {
    check_names(config, host)?;
    let tcp = match &config.api {
        Some(settings) => Some(Tcp::bind(settings).await?),
        None => None,
    };
    Ok((Socket::bind(&config.data_dir)?, tcp))
}

async fn build(config: &Config, recover: bool, spans: Option<Arc<SpanCounts>>) -> Result<Host, HostError> {
    let mut builder = Host::builder().data_dir(&config.data_dir).backend(config.backend).recover(recover);
    if let Some(counts) = spans {
        builder = builder.traces(true).span_counts(counts);
    }
    if let Some(records) = config.history {
        builder = builder.history(records);
    }
    if let Some(instances) = config.instances {
        builder = builder.instances(instances);
    }
    if let Some(bytes) = config.stack_bytes {
        builder = builder.stack_bytes(bytes);
    }
    if let Some(bytes) = config.guests_memory_bytes {
        builder = builder.guests_memory_bytes(bytes);
    }
    if let Some(guests) = config.computing_guests {
        builder = builder.computing_guests(guests);
    }
    if let Some(core_dumps) = &config.core_dumps {
        builder = builder.core_dumps(core_dumps.clone());
    }
    builder = builder.plugin_keys(config.plugin_keys.clone());
    for plugin in &config.plugins {
        builder = builder.plugin_file(&plugin.path).granted(plugin.grants.clone()).keeping(plugin.state);
        if let Some(digest) = plugin.sha256 {
            builder = builder.pinned(digest);
        }
        if plugin.watch {
            builder = builder.watched();
        }
    }
    for child in &config.children {
        builder = builder.child(child.clone());
    }
    for template in &config.templates {
        builder = builder.template(template.clone());
    }
    builder.build().await
}

/// Every plugin has the name that the configuration gives it.
fn check_names(config: &Config, host: &Host) -> Result<(), Failure> {
    let loaded = host.plugins();
    for plugin in &config.plugins {
        let Some(name) = &plugin.name else { continue };
        let source = plugin.path.display().to_string();
        let found = loaded.iter().find(|found| found.source == source);
        if let Some(found) = found.filter(|found| found.name != *name) {
            let message = format!("the plugin {source} says that its name is `{}`; expected `{name}`", found.name);
            return Err(Failure::usage(message).hint("correct its `name` in the configuration, or name another file"));
        }
    }
    Ok(())
}

/// Names on stderr whoever could not be saved. False: there was somebody.
fn tell_report(report: &ShutdownReport) -> bool {
    for (actor, why) in report.not_saved() {
        let line = format!("not saved: {actor}: {why}\n").replace('\n', " ");
        drop(writeln!(io::stderr().lock(), "{}", harmless(line.trim_end())));
    }
    if let Some(why) = &report.trouble {
        drop(writeln!(io::stderr().lock(), "{}", harmless(&format!("the host did not end well: {why}"))));
    }
    if !report.all_saved() {
        tell_error("not everything could be saved; what was saved before stays", None);
    }
    report.all_saved()
}
