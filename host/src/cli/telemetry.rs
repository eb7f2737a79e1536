//! What a host tells of itself, and to whom: its log, and spans for a collector.

use std::env;
use std::io::{self, IsTerminal as _, Write as _};
use std::sync::Arc;
use std::time::Duration;

use baton_host::logs::{LogWriter, Logs};
use baton_host::telemetry::{Exporter, OtlpOptions, TRACE_TARGET};
use clap::ValueEnum;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tracing_log::AsLog as _;
use tracing_subscriber::filter::{EnvFilter, FilterExt as _, LevelFilter, filter_fn};
use tracing_subscriber::layer::{Filter, Layer, SubscriberExt as _};
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{Registry, fmt, reload};

use super::output::Failure;
use super::reload::SetFilter;

/// How long the end of a process waits until the last lines of its log are read.
const LOG_FLUSH: Duration = Duration::from_secs(2);

/// How the log is written.
#[derive(Debug, Clone, Copy, Default, ValueEnum)]
pub(super) enum LogFormat {
    /// For people
    #[default]
    Text,
    /// For programs, an object on each line
    Json,
}

/// What the file says of telemetry, and, where it is silent, what the environment says by the names that OpenTelemetry has
/// for it. Headers of the environment are read by the exporter itself.
pub(super) fn options(mut options: OtlpOptions) -> OtlpOptions {
    let set = |name: &str| env::var(name).ok().filter(|value| !value.is_empty());
    options.endpoint = options.endpoint.or_else(|| set("OTEL_EXPORTER_OTLP_ENDPOINT"));
    options.service_name = options.service_name.or_else(|| set("OTEL_SERVICE_NAME"));
    options
}

/// A host's log: what is kept of it, and its way to stderr, of which the last lines are on their way when this is dropped.
#[derive(Debug)]
pub(super) struct Log {
    pub(super) logs: Logs,
    writer: LogWriter,
}

impl Log {
    fn begin() -> Result<Self, Failure> {
        let logs = Logs::new();
        let writer = logs.writer(io::stderr());
        let writer = writer.map_err(|error| Failure::new(format!("the log's thread does not start: {error}")))?;
        Ok(Self { logs, writer })
    }

    /// Writes a line to stderr, after all that was logged before. Nobody waits for long for one who does not read.
    pub(super) fn say(&self, line: &str) {
        self.flush();
        // It always succeeds.
        drop((&self.writer).write_all(format!("{line}\n").as_bytes()));
    }

    fn flush(&self) {
        // What is not read by then is lost, and nobody could be told.
        self.writer.flush(LOG_FLUSH);
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        self.flush();
    }
}

/// What a host tells of itself, from now on: the log goes to stderr and is kept, and spans go to a collector, if there is one: then
/// they are to be exported by what stands second. The third sets another filter for the log.
pub(super) fn begin(
    filter: &str,
    format: LogFormat,
    options: &OtlpOptions,
) -> Result<(Log, Option<Exporter>, SetFilter), Failure> {
    let made = Exporter::new(options)?;
    let (tracer, exporter) = made.unzip();
    let (filter, handle) = reload::Layer::new(parsed(filter)?);
    let own = Log::begin()?;
    let mut layers = vec![log(filter, format, &own)];
    layers.extend(tracer.map(|tracer| {
        let spans = tracing_opentelemetry::layer().with_tracer(tracer);
        // What a span says of itself is enough.
        let spans = spans.with_location(false).with_threads(false).with_tracked_inactivity(false);
        let spans = spans.with_target(false).with_level(false).with_context_activation(false);
        let taken = filter_fn(|meta| meta.is_span() && meta.target() == TRACE_TARGET);
        spans.with_filter(taken.with_max_level_hint(LevelFilter::INFO)).boxed()
    }));
    Registry::default().with(layers).init();
    let set = Box::new(move |text: &str| {
        let filter = EnvFilter::builder().parse(text).map_err(|error| error.to_string())?;
        handle.reload(filter).map_err(|error| error.to_string())?;
        // Those that speak to `log` ask it, which was told of the first filter alone.
        tracing_log::log::set_max_level(LevelFilter::current().as_log());
        Ok(())
    });
    Ok((own, exporter, set))
}

/// The log, on stderr and for those who ask over the API. It leaves out the spans of traces, and says so before any is made: where nobody else takes them, `tracing` knows
/// for each place in the code that none is to be made there.
fn log(
    filter: impl Filter<Registry> + Send + Sync + 'static,
    format: LogFormat,
    Log { logs, writer }: &Log,
) -> Box<dyn Layer<Registry> + Send + Sync> {
    let filter = filter.and(no_spans_of_traces());
    let lines = fmt::layer().with_writer(writer.clone());
    match format {
        LogFormat::Text => {
            lines.with_ansi(io::stderr().is_terminal()).and_then(logs.layer()).with_filter(filter).boxed()
        }
        LogFormat::Json => lines.json().and_then(logs.layer()).with_filter(filter).boxed(),
    }
}

/// Of all levels, which has to be said: else nobody knows before a line is made that its level is not logged, and a store makes
/// hundreds of them for a commit.
fn no_spans_of_traces() -> impl Filter<Registry> + Send + Sync + 'static {
    filter_fn(|meta| meta.target() != TRACE_TARGET).with_max_level_hint(LevelFilter::TRACE)
}

/// For people who look at a plugin, not at a host: no times, no targets.
pub(super) fn log_plainly(filter: &str) -> Result<Log, Failure> {
    let filter = parsed(filter)?;
    let log = Log::begin()?;
    let lines = fmt::layer().with_writer(log.writer.clone()).with_ansi(io::stderr().is_terminal());
    let lines = lines.without_time().with_target(false).and_then(log.logs.layer());
    Registry::default().with(lines.with_filter(filter)).init();
    Ok(log)
}

fn parsed(filter: &str) -> Result<EnvFilter, Failure> {
    EnvFilter::builder().parse(filter).map_err(|error| Failure::usage(format!("--log: {error}")))
}

/// Spans that are being exported.
#[derive(Debug)]
pub(super) struct Exporting {
    task: JoinHandle<()>,
    closing: Arc<Notify>,
    flush_timeout: Duration,
}

impl Exporting {
    pub(super) fn begin(exporter: Exporter, flush_timeout: Duration) -> Self {
        Self { closing: exporter.closing(), task: tokio::spawn(exporter.run()), flush_timeout }
    }

    /// Exports what waits, within its time.
    pub(super) async fn end(mut self) {
        self.closing.notify_one();
        if tokio::time::timeout(self.flush_timeout, &mut self.task).await.is_err() {
            self.task.abort();
            tracing::warn!("the collector did not take the last spans in time (flush_timeout_ms)");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_logged_is_known_by_its_level_before_it_is_made() {
        for (filter, level) in
            [("warn", LevelFilter::WARN), ("info", LevelFilter::INFO), ("info,sled=trace", LevelFilter::TRACE)]
        {
            let log = log(parsed(filter).expect("a filter"), LogFormat::Text, &Log::begin().expect("a thread"));
            assert_eq!(log.max_level_hint(), Some(level), "{filter}");
        }
    }

    #[test]
    fn without_a_collector_no_span_is_made_whatever_is_logged() {
        let begin = || tracing::span!(target: TRACE_TARGET, tracing::Level::INFO, "turn");
        for filter in ["trace", "info", "baton::trace=trace"] {
            let log = log(parsed(filter).expect("a filter"), LogFormat::Json, &Log::begin().expect("a thread"));
            let subscriber = Registry::default().with(vec![log]);
            tracing::subscriber::with_default(subscriber, || assert!(begin().is_disabled(), "{filter}"));
        }
        let all = Registry::default();
        tracing::subscriber::with_default(all, || assert!(!begin().is_disabled(), "another subscriber has it made"));
    }
}
