//! Spans on their way to a collector, by OTLP over HTTP. Whoever ends a span never waits: what finds the queue full is
//! dropped and counted, and so is what a collector does not take in time.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use hyper::Uri;
use hyper::header::{HeaderName, HeaderValue};
use opentelemetry::Context;
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig as _, WithHttpConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{Sampler, SdkTracerProvider, Span, SpanData, SpanExporter as _, SpanProcessor, Tracer};
use tokio::sync::{Notify, mpsc};
use tokio::time::{Instant, timeout, timeout_at};

use super::client::{Client, Peer, certificates};
use crate::model::{ErrorCode, HostError};

/// Part of the traces that begin here which are kept, unless told otherwise.
pub const SAMPLE_RATIO: f64 = 1.0;
/// What the host is called in traces, unless told otherwise.
pub const SERVICE_NAME: &str = "baton";
/// Spans that wait to be exported, unless told otherwise.
pub const QUEUE_SPANS: usize = 4_096;
/// How long a collector may take for a batch, in milliseconds, unless told otherwise.
pub const TIMEOUT_MS: u64 = 10_000;
/// How long the last spans may take at a stop, in milliseconds, unless told otherwise.
pub const FLUSH_TIMEOUT_MS: u64 = 5_000;
/// Spans of one request.
pub const BATCH_SPANS: usize = 512;
/// How long a span waits for others to be sent with it.
const GATHER: Duration = Duration::from_secs(1);
/// Where a collector takes traces.
const PATH: &str = "v1/traces";

/// Where spans go, and which.
#[derive(Clone, PartialEq)]
pub struct OtlpOptions {
    /// The collector's address without a path of its own, such as `http://127.0.0.1:4318`; none: nothing is exported.
    pub endpoint: Option<String>,
    /// Which part of the traces that begin here is kept, from 0 to 1; of those that began elsewhere, what was decided there.
    pub sample_ratio: f64,
    /// What the host is called in traces.
    pub service_name: Option<String>,
    /// Headers that the collector asks for, such as a key.
    pub headers: Vec<(String, String)>,
    /// Certificates that are trusted for its TLS beside those that everybody trusts, PEM.
    pub ca: Option<Vec<u8>>,
    /// Spans that wait to be exported; further ones are dropped and counted.
    pub queue_spans: usize,
    /// How long a collector may take for a batch.
    pub timeout: Duration,
    /// How long the last spans may take at a stop.
    pub flush_timeout: Duration,
}

impl fmt::Debug for OtlpOptions {
    /// Without the headers' values, which may be keys.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { endpoint, sample_ratio, service_name, headers, ca, queue_spans, timeout, flush_timeout } = self;
        let headers: Vec<_> = headers.iter().map(|(name, _)| name).collect();
        f.debug_struct("OtlpOptions")
            .field("endpoint", endpoint)
            .field("sample_ratio", sample_ratio)
            .field("service_name", service_name)
            .field("headers", &headers)
            .field("ca", &ca.is_some())
            .field("queue_spans", queue_spans)
            .field("timeout", timeout)
            .field("flush_timeout", flush_timeout)
            .finish()
    }
}

impl Default for OtlpOptions {
    fn default() -> Self {
        Self {
            endpoint: None,
            sample_ratio: SAMPLE_RATIO,
            service_name: None,
            headers: Vec::new(),
            ca: None,
            queue_spans: QUEUE_SPANS,
            timeout: Duration::from_millis(TIMEOUT_MS),
            flush_timeout: Duration::from_millis(FLUSH_TIMEOUT_MS),
        }
    }
}

/// Where a collector takes traces.
fn address(endpoint: &str) -> Result<Uri, String> {
    let address = format!("{}/{PATH}", endpoint.trim_end_matches('/'));
    let address = address.parse::<Uri>().map_err(|error| error.to_string());
    let address = address.and_then(|uri| Peer::of(&uri).map(|_| uri).map_err(|error| error.to_string()));
    address.map_err(|why| {
        format!("{endpoint:?} is no address of a collector: {why}; expected http://HOST:4318, or https://")
    })
}

/// # Errors
/// Says why no collector can be at `endpoint`.
pub(crate) fn check_endpoint(endpoint: &str) -> Result<(), String> {
    address(endpoint).map(drop)
}

/// # Errors
/// Says what is wrong with a header, without its value.
pub(crate) fn check_header(name: &str, value: &str) -> Result<(), &'static str> {
    HeaderName::from_bytes(name.as_bytes()).map_err(|_| "names no header")?;
    HeaderValue::from_str(value).map_err(|_| "has a value that no header can have")?;
    Ok(())
}

/// # Errors
/// Says what is wrong with certificates, PEM.
pub(crate) fn check_ca(pem: &[u8]) -> Result<(), String> {
    certificates(pem).map(drop)
}

/// What became of spans.
#[derive(Debug, Default)]
pub struct SpanCounts {
    exported: AtomicU64,
    dropped: AtomicU64,
}

impl SpanCounts {
    /// Those that a collector has taken.
    #[must_use]
    pub fn exported(&self) -> u64 {
        self.exported.load(Ordering::Relaxed)
    }

    /// Those that found the queue full, or no collector that took them.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    fn drop_more(&self, spans: usize) {
        self.dropped.fetch_add(spans as u64, Ordering::Relaxed);
    }
}

/// Takes spans as they end.
#[derive(Debug)]
struct Queue {
    spans: mpsc::Sender<SpanData>,
    counts: Arc<SpanCounts>,
}

impl SpanProcessor for Queue {
    fn on_start(&self, _: &mut Span, _: &Context) {}

    fn on_end(&self, span: SpanData) {
        if span.span_context.is_sampled() && self.spans.try_send(span).is_err() {
            self.counts.drop_more(1);
        }
    }

    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }

    fn shutdown_with_timeout(&self, _: Duration) -> OTelSdkResult {
        Ok(())
    }
}

/// Carries spans to a collector, once it runs. The tracer that fills it is made with it.
#[derive(Debug)]
pub struct Exporter {
    exporter: SpanExporter,
    spans: mpsc::Receiver<SpanData>,
    counts: Arc<SpanCounts>,
    timeout: Duration,
    closing: Arc<Notify>,
}

impl Exporter {
    /// A tracer for a layer of `tracing-opentelemetry`, and what exports its spans; none where `options` names no endpoint.
    /// Of the environment, what `opentelemetry-otlp` documents is read as well: `OTEL_EXPORTER_OTLP_HEADERS` above all.
    ///
    /// # Errors
    /// `Config` if the endpoint is no address, a header none, or `ca` holds no certificate.
    pub fn new(options: &OtlpOptions) -> Result<Option<(Tracer, Self)>, HostError> {
        let Some(endpoint) = &options.endpoint else { return Ok(None) };
        let wrong = |why: String| HostError::new(ErrorCode::Config, why);
        let address = address(endpoint).map_err(wrong)?;
        for (name, value) in &options.headers {
            check_header(name, value).map_err(|what| wrong(format!("a header for the collector {what}")))?;
        }
        let ca = options.ca.as_deref().map_or(Ok(Vec::new()), certificates);
        let ca = ca.map_err(|what| wrong(format!("what is to be trusted of the collector {what}")))?;
        let resource = Resource::builder_empty()
            .with_service_name(options.service_name.clone().unwrap_or_else(|| SERVICE_NAME.to_owned()))
            .with_attribute(opentelemetry::KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
            .build();
        let exporter = SpanExporter::builder()
            .with_http()
            .with_http_client(Client::trusting(ca))
            .with_protocol(Protocol::HttpBinary)
            .with_endpoint(address.to_string())
            .with_headers(options.headers.iter().cloned().collect::<HashMap<_, _>>())
            .with_timeout(options.timeout)
            .build();
        let mut exporter = exporter.map_err(|error| wrong(format!("spans cannot be exported: {error}")))?;
        exporter.set_resource(&resource);
        let (sender, spans) = mpsc::channel(options.queue_spans.max(1));
        let counts = Arc::<SpanCounts>::default();
        let provider = SdkTracerProvider::builder()
            .with_span_processor(Queue { spans: sender, counts: counts.clone() })
            .with_sampler(Sampler::ParentBased(Box::new(Sampler::TraceIdRatioBased(options.sample_ratio))))
            .with_resource(resource)
            .build();
        let tracer = provider.tracer("baton");
        Ok(Some((tracer, Self { exporter, spans, counts, timeout: options.timeout, closing: Arc::default() })))
    }

    /// What becomes of the spans.
    #[must_use]
    pub fn counts(&self) -> Arc<SpanCounts> {
        self.counts.clone()
    }

    /// Ends [`Exporter::run`] once what waits has been exported.
    #[must_use]
    pub fn closing(&self) -> Arc<Notify> {
        self.closing.clone()
    }

    /// Exports until it is told to end. It is for a task of its own.
    pub async fn run(mut self) {
        let mut batch = Vec::with_capacity(BATCH_SPANS);
        let mut fails = false;
        while self.gather(&mut batch).await {
            let spans = batch.len();
            let exported = timeout(self.timeout, self.exporter.export(std::mem::take(&mut batch))).await;
            let failed = match exported {
                Ok(Ok(())) => None,
                Ok(Err(error)) => Some(error.to_string()),
                Err(_) => Some(format!("no answer within {} ms", self.timeout.as_millis())),
            };
            match &failed {
                None => drop(self.counts.exported.fetch_add(spans as u64, Ordering::Relaxed)),
                Some(_) => self.counts.drop_more(spans),
            }
            // Once for as long as it lasts: a collector that is away is no way to fill the log.
            match &failed {
                Some(why) if !fails => tracing::warn!(why, "spans are not exported, and dropped until that is mended"),
                None if fails => tracing::info!("spans are exported again"),
                _ => {}
            }
            fails = failed.is_some();
        }
    }

    /// Fills `batch` with spans that have ended, and waits a little for more. False: it is told to end, and nothing waits.
    async fn gather(&mut self, batch: &mut Vec<SpanData>) -> bool {
        let first = tokio::select! {
            biased;
            () = self.closing.notified() => {
                self.spans.close();
                self.spans.recv_many(batch, BATCH_SPANS).await
            }
            first = self.spans.recv_many(batch, BATCH_SPANS) => first,
        };
        let until = Instant::now() + GATHER;
        while first > 0 && batch.len() < BATCH_SPANS {
            let room = BATCH_SPANS - batch.len();
            tokio::select! {
                biased;
                () = self.closing.notified() => self.spans.close(),
                more = timeout_at(until, self.spans.recv_many(batch, room)) => match more {
                    Ok(0) | Err(_) => break,
                    Ok(_) => {}
                },
            }
        }
        first > 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(endpoint: &str) -> OtlpOptions {
        OtlpOptions { endpoint: Some(endpoint.to_owned()), queue_spans: 4, ..OtlpOptions::default() }
    }

    #[test]
    fn without_a_collector_there_is_no_tracer_and_a_bad_address_is_told() {
        assert!(Exporter::new(&OtlpOptions::default()).expect("nothing wrong").is_none());
        for bad in ["collector:4318", "ftp://collector", "http://", "http://a b"] {
            let error = Exporter::new(&options(bad)).expect_err(bad).to_string();
            assert!(error.contains(&format!("{bad:?} is no address")) && error.contains("http://HOST:4318"), "{error}");
        }
    }

    #[tokio::test]
    async fn what_finds_the_queue_full_or_no_collector_is_dropped_and_counted_and_nobody_waits() {
        use opentelemetry::trace::Tracer as _;

        // Nobody listens at the address of a listener that is gone.
        let gone = std::net::TcpListener::bind("127.0.0.1:0").expect("free").local_addr().expect("bound");
        let (tracer, exporter) = Exporter::new(&options(&format!("http://{gone}"))).expect("an address").expect("one");
        let counts = exporter.counts();
        for _ in 0..10 {
            drop(tracer.start("span"));
        }
        assert_eq!((counts.exported(), counts.dropped()), (0, 6), "four wait");
        exporter.closing().notify_one();
        exporter.run().await;
        assert_eq!((counts.exported(), counts.dropped()), (0, 10));
    }
}
