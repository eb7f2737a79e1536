//! The parts of a trace. Where nothing is traced, one that begins costs a look at an `Option`: no span is made, nothing is
//! allocated, and none of its fields is read.

use opentelemetry::trace::TraceContextExt as _;
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

use super::TraceContext;

/// The target of all spans of traces. A subscriber takes them with a layer of `tracing-opentelemetry`, and leaves them out
/// everywhere else.
pub const TRACE_TARGET: &str = "baton::trace";

/// Of what a part is a part.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Parent<'a> {
    /// Of that.
    Of(&'a TraceContext),
    /// Of nothing: with it a trace begins, if it is drawn.
    Begins,
    /// There is no trace, or it is not kept.
    Nothing,
}

impl<'a> Parent<'a> {
    /// For what happens within something else.
    pub(crate) fn within(place: Option<&'a TraceContext>) -> Self {
        place.map_or(Self::Nothing, Self::Of)
    }

    /// For what comes from outside: who sent it has decided whether it is kept; else, where the host `begins` traces, it may
    /// be the begin of one.
    pub(crate) fn from_outside(given: Option<&'a TraceContext>, begins: bool) -> Self {
        match given {
            Some(given) if given.is_sampled() => Self::Of(given),
            Some(_) => Self::Nothing,
            None if begins => Self::Begins,
            None => Self::Nothing,
        }
    }
}

/// A part of a trace that has begun; it ends when this is dropped. Of no trace, it is nothing, and takes the room of a pointer:
/// each message has one.
#[derive(Debug)]
pub(crate) struct Begun(Option<Box<Part>>);

#[derive(Debug)]
struct Part {
    span: Span,
    place: TraceContext,
}

impl Begun {
    pub(crate) const fn nothing() -> Self {
        Self(None)
    }

    /// `span` was made without a parent just now.
    pub(crate) fn new(span: Span, parent: Option<&TraceContext>) -> Self {
        if span.is_disabled() {
            return Self::nothing();
        }
        if let Some(parent) = parent {
            // Where nobody takes traces the span has no place in one.
            drop(span.set_parent(parent.as_parent()));
        }
        let place = TraceContext::of(span.context().span().span_context());
        Self(place.map(|place| Box::new(Part { span, place })))
    }

    /// Where parts of it belong; none: it is in no trace, or in one that is not kept.
    pub(crate) fn place(&self) -> Option<&TraceContext> {
        self.told().filter(|place| place.is_sampled())
    }

    /// The same for those outside: they are also told that it was drawn not to be kept.
    pub(crate) fn told(&self) -> Option<&TraceContext> {
        Some(&self.0.as_ref()?.place)
    }

    /// Notes more of it, where it is anything: `what` is not called else.
    pub(crate) fn note(&self, what: impl FnOnce(&Span)) {
        if let Some(part) = self.0.as_ref().filter(|part| part.place.is_sampled()) {
            what(&part.span);
        }
    }

    /// Notes that it failed.
    pub(crate) fn failed(&self, why: impl FnOnce() -> String) {
        self.note(|span| {
            span.record("otel.status_code", "error");
            span.record("otel.status_description", why());
        });
    }
}

/// A number as OpenTelemetry has them, which knows none beyond these.
pub(crate) fn number(of: impl TryInto<i64>) -> i64 {
    of.try_into().unwrap_or(i64::MAX)
}

/// Begins a part of a trace: a [`Parent`], its name, and its fields as `tracing` has them. They are read only where there
/// is a trace.
macro_rules! part {
    ($parent:expr, $name:literal, $($fields:tt)*) => {{
        let of = match $parent {
            $crate::telemetry::Parent::Nothing => None,
            $crate::telemetry::Parent::Begins => Some(None),
            $crate::telemetry::Parent::Of(place) => Some(Some(place)),
        };
        match of {
            // With nobody there at all `tracing` reads the fields for `log`, which a library asks for.
            Some(parent) if tracing::dispatcher::has_been_set() => {
                let span = tracing::span!(
                    target: $crate::telemetry::TRACE_TARGET,
                    parent: None,
                    tracing::Level::INFO,
                    $name,
                    otel.status_code = tracing::field::Empty,
                    otel.status_description = tracing::field::Empty,
                    $($fields)*
                );
                $crate::telemetry::Begun::new(span, parent)
            }
            _ => $crate::telemetry::Begun::nothing(),
        }
    }};
}
pub(crate) use part;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_sent_it_decides_whether_it_is_kept_and_else_the_host() {
        let kept = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        let [kept, not_kept] = [kept.to_owned(), kept.replace("-01", "-00")];
        let [kept, not_kept] = [&kept, &not_kept].map(|text| TraceContext::read(text, None).expect("valid"));
        for begins in [false, true] {
            assert!(matches!(Parent::from_outside(Some(&kept), begins), Parent::Of(given) if *given == kept));
            assert!(matches!(Parent::from_outside(Some(&not_kept), begins), Parent::Nothing));
        }
        assert!(matches!(Parent::from_outside(None, true), Parent::Begins));
        assert!(matches!(Parent::from_outside(None, false), Parent::Nothing));
    }

    #[test]
    fn what_is_in_no_trace_reads_nothing_of_its_fields() {
        let read = || -> &'static str { panic!("a field was read") };
        let begun = part!(Parent::within(None), "turn", actor = read());
        assert!(begun.place().is_none());
        begun.note(|_| panic!("noted"));
        begun.failed(|| panic!("told"));
        // Nor where there is a trace, and nobody who takes it.
        let kept = TraceContext::read("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", None).expect("valid");
        let begun = part!(Parent::Of(&kept), "turn", actor = read());
        assert!(begun.place().is_none());
    }
}
