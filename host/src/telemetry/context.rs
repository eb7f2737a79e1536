//! Where in a trace something belongs.

use std::sync::Arc;

use opentelemetry::Context;
use opentelemetry::propagation::{Extractor, Injector, TextMapPropagator as _};
use opentelemetry::trace::{SpanContext, TraceContextExt as _};
use opentelemetry_sdk::propagation::TraceContextPropagator;

/// W3C's headers.
pub(crate) const TRACEPARENT: &str = "traceparent";
pub(crate) const TRACESTATE: &str = "tracestate";

/// A place in a trace, as the W3C's Trace Context tells it from one process to the next. Cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TraceContext(Arc<SpanContext>);

impl TraceContext {
    /// Reads the headers `traceparent` and `tracestate`. None: there is none, or it is not valid, and whoever gets it
    /// begins anew, as the standard has it.
    #[must_use]
    pub fn read(traceparent: &str, tracestate: Option<&str>) -> Option<Self> {
        let headers = Headers { traceparent: traceparent.to_owned(), tracestate: tracestate.map(str::to_owned) };
        let context = TraceContextPropagator::new().extract_with_context(&Context::new(), &headers);
        Self::of(context.span().span_context())
    }

    /// None: it names nothing.
    pub(super) fn of(context: &SpanContext) -> Option<Self> {
        context.is_valid().then(|| Self(Arc::new(context.clone())))
    }

    /// What whoever is called next is told in the header `traceparent`.
    #[must_use]
    pub fn traceparent(&self) -> String {
        self.headers().traceparent
    }

    /// The same in the header `tracestate`; none: nothing.
    #[must_use]
    pub fn tracestate(&self) -> Option<String> {
        self.headers().tracestate.filter(|state| !state.is_empty())
    }

    /// Both headers, as far as there is anything to tell.
    pub(crate) fn told(&self) -> impl Iterator<Item = (&'static str, String)> {
        let state = self.tracestate().map(|state| (TRACESTATE, state));
        [(TRACEPARENT, self.traceparent())].into_iter().chain(state)
    }

    /// Whether whoever began the trace keeps it.
    #[must_use]
    pub fn is_sampled(&self) -> bool {
        self.0.is_sampled()
    }

    pub(super) fn as_parent(&self) -> Context {
        Context::new().with_remote_span_context((*self.0).clone())
    }

    fn headers(&self) -> Headers {
        let mut headers = Headers::default();
        TraceContextPropagator::new().inject_context(&self.as_parent(), &mut headers);
        headers
    }
}

#[derive(Debug, Default)]
struct Headers {
    traceparent: String,
    tracestate: Option<String>,
}

impl Extractor for Headers {
    fn get(&self, key: &str) -> Option<&str> {
        match key {
            TRACEPARENT => Some(&self.traceparent),
            TRACESTATE => self.tracestate.as_deref(),
            _ => None,
        }
    }

    fn keys(&self) -> Vec<&str> {
        vec![TRACEPARENT, TRACESTATE]
    }
}

impl Injector for Headers {
    fn set(&mut self, key: &str, value: String) {
        match key {
            TRACEPARENT => self.traceparent = value,
            TRACESTATE => self.tracestate = Some(value),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    #[test]
    fn what_is_read_is_told_again() {
        let read = TraceContext::read(PARENT, Some("a=1,b=2")).expect("valid");
        assert!(read.is_sampled());
        assert_eq!((read.traceparent().as_str(), read.tracestate().as_deref()), (PARENT, Some("a=1,b=2")));
        let not_kept = PARENT.replace("-01", "-00");
        let read = TraceContext::read(&not_kept, None).expect("valid");
        assert_eq!((read.is_sampled(), read.traceparent(), read.tracestate()), (false, not_kept, None));
    }

    #[test]
    fn what_is_no_place_in_a_trace_is_none() {
        let zeros = PARENT.replace("0af7651916cd43dd8448eb211c80319c", &"0".repeat(32));
        for bad in ["", "00", "nonsense", "ff-0af7-b7ad-01", &PARENT.to_uppercase(), &zeros] {
            assert_eq!(TraceContext::read(bad, None), None, "{bad}");
        }
        let read = TraceContext::read(PARENT, Some("nonsense")).expect("the parent is valid");
        assert_eq!(read.tracestate(), None);
    }
}
