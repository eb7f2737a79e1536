//! What is told of requests: each as a part of a trace.

use axum::Extension;
use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderMap, HeaderValue, Method};
use axum::middleware::Next;
use axum::response::Response;

use super::routes::Shared;
use crate::telemetry::{Parent, TraceContext, part};

/// W3C's headers.
const TRACEPARENT: &str = "traceparent";
const TRACESTATE: &str = "tracestate";
/// How a path is told that leads nowhere: what a client makes up is no name for a route.
const NOWHERE: &str = "(none)";

/// Where in a trace a request belongs, for those that serve it.
pub(super) type Within = Extension<Option<TraceContext>>;

/// Makes a request a part of the trace that its headers name, or of one that begins with it; what asks to be shown
/// something begins none. The answer says which.
pub(super) async fn traced(State(context): Shared, mut request: Request, next: Next) -> Response {
    let given = given(request.headers());
    let begins = context.host.traces() && request.method() != Method::GET;
    let route = request.extensions().get::<MatchedPath>().cloned();
    let route = route.as_ref().map_or(NOWHERE, MatchedPath::as_str);
    let part = part!(
        Parent::from_outside(given.as_ref(), begins),
        "request",
        otel.kind = "server",
        otel.name = format!("{} {route}", request.method()),
        http.request.method = request.method().as_str(),
        http.route = route,
        http.response.status_code = tracing::field::Empty,
    );
    let within = part.told().cloned().or(given);
    request.extensions_mut().insert(within.clone());
    let mut response = next.run(request).await;
    let status = response.status();
    part.note(|span| {
        span.record("http.response.status_code", status.as_u16());
    });
    if status.is_server_error() {
        part.failed(|| status.to_string());
    }
    if let Some(within) = within {
        tell(&within, response.headers_mut());
    }
    response
}

fn given(headers: &HeaderMap) -> Option<TraceContext> {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    TraceContext::read(text(TRACEPARENT)?, text(TRACESTATE))
}

fn tell(within: &TraceContext, headers: &mut HeaderMap) {
    let state = within.tracestate().map(|state| (TRACESTATE, state));
    for (name, value) in [(TRACEPARENT, within.traceparent())].into_iter().chain(state) {
        if let Ok(value) = HeaderValue::try_from(value) {
            headers.insert(name, value);
        }
    }
}
