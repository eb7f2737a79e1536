//! What the host tells of itself to those who watch it: traces of what it does, and numbers.

mod client;
mod context;
mod metrics;
mod otlp;
mod span;

pub use context::TraceContext;
pub(crate) use context::{TRACEPARENT, TRACESTATE};
pub use metrics::{METRICS, Metric, MetricKind};
pub(crate) use metrics::{METRICS_TYPE, Metrics, OfActors, OfHosts, OfVersion, Outcome, Pool, Standing, exposition};
pub use otlp::{
    BATCH_SPANS, Exporter, FLUSH_TIMEOUT_MS, OtlpOptions, QUEUE_SPANS, SAMPLE_RATIO, SERVICE_NAME, SpanCounts,
    TIMEOUT_MS,
};
pub(crate) use otlp::{check_ca, check_endpoint, check_header};
pub use span::TRACE_TARGET;
pub(crate) use span::{Begun, Parent, number, part};
