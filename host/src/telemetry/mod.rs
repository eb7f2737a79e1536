//! What the host tells of itself to those who watch it: traces of what it does.

mod client;
mod context;
mod otlp;
mod span;

pub use context::TraceContext;
pub use otlp::{
    BATCH_SPANS, Exporter, FLUSH_TIMEOUT_MS, OtlpOptions, QUEUE_SPANS, SAMPLE_RATIO, SERVICE_NAME, SpanCounts,
    TIMEOUT_MS,
};
pub(crate) use otlp::{check_endpoint, check_header};
pub use span::TRACE_TARGET;
pub(crate) use span::{Begun, Parent, part};
