//! What is told of requests, each as a part of a trace and in numbers; and all numbers of the host.

use std::time::Instant;

use axum::Extension;
use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::openapi::{Api, Operation};
use super::problem::Problem;
use super::routes::{Asked, NoQuery, Shared, read_query};
use crate::telemetry::{METRICS_TYPE, Parent, TRACEPARENT, TRACESTATE, TraceContext, part};

/// How a path is told that leads nowhere: what a client makes up is no name for a route.
const NOWHERE: &str = "(none)";

pub(super) fn routes() -> Api {
    Api::default().on(
        Operation::get("/metrics", "metrics", "The host and each version of a plugin in numbers").answers_bytes(
            200,
            "In Prometheus' text format",
            METRICS_TYPE,
        ),
        metrics,
    )
}

async fn metrics(State(context): Shared, query: Asked<NoQuery>) -> Result<Response, Problem> {
    read_query(query)?;
    Ok(([(header::CONTENT_TYPE, METRICS_TYPE)], context.host.metrics()).into_response())
}

/// Counts a request, whoever it is from.
pub(super) async fn counted(State(context): Shared, request: Request, next: Next) -> Response {
    let (began, method) = (Instant::now(), request.method().clone());
    let route = request.extensions().get::<MatchedPath>().cloned();
    let response = next.run(request).await;
    let route = route.as_ref().map_or(NOWHERE, MatchedPath::as_str);
    context.host.counts().request(method.as_str(), route, response.status().as_u16(), began.elapsed());
    response
}

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
        span.record("http.response.status_code", i64::from(status.as_u16()));
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
    for (name, value) in within.told() {
        if let Ok(value) = HeaderValue::try_from(value) {
            headers.insert(name, value);
        }
    }
}
