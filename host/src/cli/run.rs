//! `run`: a host from its configuration until a signal.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use baton_host::admin::{self, Access, Reload, Reloads, Socket, Tcp, socket_path};
use baton_host::config::{self, Config, Settings};
use baton_host::logs::Logs;
use baton_host::model::HostError;
use baton_host::telemetry::{Exporter, SpanCounts};
use baton_host::{Host, Prepared, ShutdownReport};
use clap::Args;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use sd_notify::NotifyState;
use tokio::sync::oneshot;

use super::notify::{GoingOn, Manager};
use super::output::{Failure, harmless};
use super::reload::{Origin, with_the_command_line};
use super::telemetry::{self, Exporting, Log, LogFormat};
use super::{Place, notify, reload, signals};

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
    let file = place.config(options.file.as_deref())?;
    let (mut config, settings) = configuration(place, &file)?;
    config.telemetry = telemetry::options(config.telemetry);
    let filter = options.log.as_deref().unwrap_or(&config.log);
    let (log, exporter, set_filter) = telemetry::begin(filter, options.log_format, &config.telemetry)?;
    let set_filter = options.log.is_none().then_some(set_filter);
    let hangups = signals::hangups().map_err(|error| Failure::new(format!("SIGHUP cannot be listened to: {error}")))?;
    let request_bytes = config.largest_message_bytes();
    let origin = Origin { file, data_dir: place.data_dir.clone(), settings, request_bytes, set_filter };
    let parts = Parts { recover: options.recover, asked: listen()?, exporter, again: Some((origin, hangups)), log };
    host(config, parts, |_| {})
}

/// What the file says, and what stands above it.
pub(super) fn configuration(place: &Place, file: &Path) -> Result<(Config, Settings), Failure> {
    let (config, settings) = config::explain(file).map_err(|problems| Failure::config(&problems))?;
    Ok(with_the_command_line(config, settings, place.data_dir.as_ref()))
}

/// Signals, from now on.
pub(super) fn listen() -> Result<signals::Asked, Failure> {
    signals::listen().map_err(|error| Failure::new(format!("signals cannot be listened to: {error}")))
}

/// What a run is made of, beside its configuration.
pub(super) struct Parts {
    /// What does not open is moved aside, and what is good in it kept.
    pub(super) recover: bool,
    pub(super) asked: signals::Asked,
    /// Where there is a collector.
    pub(super) exporter: Option<Exporter>,
    /// What the configuration is read again from; none: it is not.
    pub(super) again: Option<(Origin, signals::Hangups)>,
    pub(super) log: Log,
}

/// A host from its configuration until a signal. `beside` is given it once it runs.
pub(super) fn host(config: Config, mut parts: Parts, beside: impl FnOnce(&Host)) -> Result<(), Failure> {
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
        let exporter = parts.exporter.take();
        let counts = exporter.as_ref().map(Exporter::counts);
        let exporting = exporter.map(|exporter| Exporting::begin(exporter, flush_timeout));
        let done = serve(config, &mut parts, counts, beside).await;
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
    mut config: Config,
    parts: &mut Parts,
    spans: Option<Arc<SpanCounts>>,
    beside: impl FnOnce(&Host),
) -> Result<(), Failure> {
    let Parts { recover, asked, again, log, .. } = parts;
    let (request_bytes, listed) = (config.largest_message_bytes(), config.actors().count());
    let manager = Manager::find();
    let loading = GoingOn::begin(&manager, "opening the store and loading plugins");
    // A host that is half started cannot be stopped in good order, so a signal meanwhile waits for it.
    let prepared = prepare(&config, *recover, spans, log.logs.clone()).await?;
    let (socket, tcp) = match listening(&config, prepared.host()).await {
        Ok(listening) => listening,
        Err(failure) => {
            // Nobody runs yet, and the store is closed like at any other stop.
            let saved = tell_report(&prepared.host().shutdown(config.shutdown_timeout).await, log);
            return Err(if saved { failure } else { failure.code(Failure::NOT_SAVED) });
        }
    };
    let (end, ended) = oneshot::channel::<()>();
    let mut places = format!("socket {}", socket.path().display());
    if let Some(tcp) = &tcp {
        places.push_str(", ");
        places.push_str(&tcp.url());
        // Every address is none that others could ask.
        if !tcp.address().ip().is_unspecified() {
            prepared.reached_at(&tcp.url());
        }
    }
    let drain = async { drop(ended.await) };
    let (reload, reloads) = Reload::channel();
    let reload = again.is_some().then_some(reload);
    let access = tcp.as_ref().map(Tcp::access);
    // It answers while the actors start: how far they have come, above all.
    let admin = tokio::spawn(admin::serve(socket, tcp, prepared.host().clone(), request_bytes, reload, drain));
    let host = prepared.start().await;
    drop(loading);
    if asked.borrow().is_none() {
        // Those of templates are resumed beside this: their number would be a matter of luck.
        let ready = format!("ready: {} plugins, {listed} actors, {places}", host.plugins().len());
        // Whoever started us may have closed our stdout, and still wants a host.
        drop(super::output::print_line(&harmless(&ready)));
        beside(&host);
    }
    let following = tokio::spawn(notify::follow_the_start(host.clone(), manager.clone()));
    let watchdog = tokio::spawn(notify::watchdog(host.clone(), manager.clone()));
    let by = until_asked(&mut config, (&host, access.as_deref(), &manager), asked, (again.take(), reloads)).await;
    following.abort();
    manager.tell(&[NotifyState::Stopping]);
    let stopping = GoingOn::begin(&manager, "stopping: states are handed over");
    tracing::info!(by, "stopping; a second signal ends at once, and loses what is not saved");
    let report = host.shutdown(config.shutdown_timeout).await;
    // Every call has its answer by now; the answers still have to reach their clients.
    // It is gone only if it failed, which is told next.
    let _ = end.send(());
    if let Err(error) = admin.await {
        tracing::error!(%error, "the socket's server ended early");
    }
    watchdog.abort();
    drop(stopping);
    if tell_report(&report, log) { Ok(()) } else { Err(Failure::told(Failure::NOT_SAVED)) }
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

/// Waits for the signal that ends the host, and tells which it was. Meanwhile the configuration is read again whenever that
/// is asked for.
async fn until_asked(
    config: &mut Config,
    (host, access, manager): (&Host, Option<&Access>, &Manager),
    asked: &mut signals::Asked,
    (again, mut reloads): (Option<(Origin, signals::Hangups)>, Reloads),
) -> &'static str {
    let by = async |asked: &mut signals::Asked| match asked.wait_for(Option::is_some).await {
        Ok(by) => by.unwrap_or_default(),
        Err(_) => "the end of the thread for signals",
    };
    let Some((mut origin, mut hangups)) = again else { return by(asked).await };
    loop {
        let (by, answer) = tokio::select! {
            biased;
            by = by(asked) => return by,
            Ok(()) = hangups.changed() => ("SIGHUP", None),
            Some(answer) = reloads.recv() => ("a request", Some(answer)),
        };
        notify::reloading(manager);
        let came = origin.reload(config, host, access).await;
        reload::log(by, &came);
        if came.is_ok() {
            host.tell_reloaded();
        }
        notify::reloaded(host, manager);
        if let Some(answer) = answer {
            // Whoever asked may have gone.
            let _ = answer.send(came);
        }
    }
}

async fn prepare(
    config: &Config,
    recover: bool,
    spans: Option<Arc<SpanCounts>>,
    logs: Logs,
) -> Result<Prepared, HostError> {
    let mut builder = Host::builder().data_dir(&config.data_dir).backend(config.backend).recover(recover).logs(logs);
    builder = builder.hosts(config.hosts.clone());
    if let Some(counts) = spans {
        builder = builder.traces(true).span_counts(counts);
    }
    if let Some(url) = &config.store_url {
        builder = builder.store_url(url.clone());
    }
    if let Some(records) = config.history {
        builder = builder.history(records);
    }
    if let Some(bytes) = config.store_cache_bytes {
        builder = builder.store_cache_bytes(bytes);
    }
    if let Some(instances) = config.instances {
        builder = builder.instances(instances);
    }
    if let Some(bytes) = config.stack_bytes {
        builder = builder.stack_bytes(bytes);
    }
    if let Some(bytes) = config.memory_reservation_bytes {
        builder = builder.memory_reservation_bytes(bytes);
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
    builder = builder.passivation(config.passivation);
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
    builder.prepare().await
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
fn tell_report(report: &ShutdownReport, log: &Log) -> bool {
    for (actor, why) in report.not_saved() {
        log.say(&harmless(&format!("not saved: {actor}: {why}").replace('\n', " ")));
    }
    if let Some(why) = &report.trouble {
        log.say(&harmless(&format!("the host did not end well: {why}")));
    }
    if !report.all_saved() {
        log.say("error: not everything could be saved; what was saved before stays");
    }
    report.all_saved()
}
