//! Whether the host lives, whether it is ready, and how far its start has come: for whoever starts it, stops it, and sends
//! it requests.

use std::time::Duration;

use axum::Json;
use axum::extract::{Request, State as Of};
use axum::http::{Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::json;

use super::openapi::{Api, Operation};
use super::problem::Problem;
use super::routes::{Asked, NoQuery, Shared, discard, read_query};
use crate::host::{Host, Startup};

/// How long the supervisor may take to answer, before the host is said not to live.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);

/// What a host does at present.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(super) enum State {
    /// Actors that are listed take over their states.
    Starting,
    /// It takes work.
    Ready,
    /// Its lease on a store that it shares was not renewed in time, or is none: nothing begins and nothing leaves.
    Frozen,
    /// States are handed over, and nothing more is taken.
    Stopping,
}

impl State {
    pub(super) fn of(host: &Host) -> Self {
        Self::from(host.is_ready(), host.is_frozen(), host.startup())
    }

    fn from(open: bool, frozen: bool, startup: Startup) -> Self {
        match (open, startup.done) {
            (false, _) => Self::Stopping,
            (true, false) => Self::Starting,
            (true, true) if frozen => Self::Frozen,
            (true, true) => Self::Ready,
        }
    }
}

/// A host that lives, or is ready.
#[derive(Serialize, JsonSchema)]
struct Well {
    state: State,
    startup: Startup,
}

pub(super) fn routes() -> Api {
    Api::default()
        .on(
            Operation::get(
                "/livez",
                "livez",
                "Whether the process does its work at all, starting and stopping included",
            )
            .answers::<Well>(200, "It does"),
            livez,
        )
        .on(
            Operation::get("/readyz", "readyz", "Whether requests are to be sent here")
                .answers::<Well>(200, "It is ready"),
            readyz,
        )
}

/// Whether the process does its work at all: one that does not is to be killed. Starting and stopping are work.
async fn livez(Of(context): Shared, query: Asked<NoQuery>) -> Result<Response, Problem> {
    read_query(query)?;
    let host = &context.host;
    if host.answers_within(ANSWER_TIMEOUT).await {
        return Ok(Json(Well { state: State::of(host), startup: host.startup() }).into_response());
    }
    let detail = format!("its supervisor did not answer within {} s", ANSWER_TIMEOUT.as_secs());
    Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, "not-alive", "The host does not answer", detail))
}

/// Whether requests are to be sent here.
async fn readyz(Of(context): Shared, query: Asked<NoQuery>) -> Result<Response, Problem> {
    read_query(query)?;
    let (state, startup) = (State::of(&context.host), context.host.startup());
    let detail = match state {
        State::Ready => return Ok(Json(Well { state, startup }).into_response()),
        State::Starting => told(startup),
        State::Frozen => {
            "its lease on the store was not renewed in time: nothing begins, and nothing leaves".to_owned()
        }
        State::Stopping => "the host is stopping: states are handed over, and nothing more is taken".to_owned(),
    };
    let problem = Problem::new(StatusCode::SERVICE_UNAVAILABLE, "not-ready", "The host is not ready", detail);
    Err(problem.with("state", json!(state)).with("startup", json!(startup)))
}

fn told(startup: Startup) -> String {
    let Startup { listed, settled, .. } = startup;
    format!("the host is starting: {settled} of {listed} actors have taken over their states")
}

/// Before the actors were started nothing is changed, and nobody is called: what is asked is answered.
pub(super) async fn not_before_the_start(Of(context): Shared, request: Request, next: Next) -> Response {
    let looks = matches!(*request.method(), Method::GET | Method::HEAD);
    if looks || context.host.has_started() {
        return next.run(request).await;
    }
    discard(request.into_body()).await;
    let detail = told(context.host.startup());
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", "The host is starting", detail).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_ready_once_it_has_started_and_until_it_stops() {
        let startup = |settled, done| Startup { listed: 2, settled, done };
        assert_eq!(State::from(true, false, startup(1, false)), State::Starting);
        assert_eq!(State::from(true, true, startup(1, false)), State::Starting);
        assert_eq!(State::from(true, false, startup(2, true)), State::Ready);
        assert_eq!(State::from(true, true, startup(2, true)), State::Frozen);
        assert_eq!(State::from(false, false, startup(1, false)), State::Stopping);
        assert_eq!(State::from(false, true, startup(2, true)), State::Stopping);
    }
}
