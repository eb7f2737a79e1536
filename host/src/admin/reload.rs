//! Whoever runs the host is asked to read its configuration again.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::json;
use tokio::sync::{mpsc, oneshot};

use super::openapi::{Api, Operation};
use super::problem::Problem;
use super::routes::{Asked, NoQuery, Shared, read_query};

/// Requests that wait for one that is being done; a further one is refused.
const WAITING: usize = 8;

/// What came of reading the configuration again.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Reloaded {
    /// What has changed, and counts from now on.
    pub taken: Vec<String>,
    /// What has changed and counts from the next start on: the host goes on as it was.
    pub needs_restart: Vec<String>,
}

/// The answer to a request: what was taken, or everything that is wrong, of which nothing was taken.
pub type ReloadAnswer = oneshot::Sender<Result<Reloaded, Vec<String>>>;

/// What requests come in by, for whoever runs the host.
pub type Reloads = mpsc::Receiver<ReloadAnswer>;

/// Asks whoever runs the host.
#[derive(Debug, Clone)]
pub struct Reload(mpsc::Sender<ReloadAnswer>);

impl Reload {
    /// Both ends.
    #[must_use]
    pub fn channel() -> (Self, Reloads) {
        let (ask, asked) = mpsc::channel(WAITING);
        (Self(ask), asked)
    }
}

pub(super) fn routes() -> Api {
    let reads = "Has the host read its configuration again: all of what can change while it runs is taken, or nothing";
    let operation = Operation::post("/v1/reload", "reload", reads).answers::<Reloaded>(200, "What was taken");
    Api::default().on(operation, reload)
}

async fn reload(State(context): Shared, query: Asked<NoQuery>) -> Result<Json<Reloaded>, Problem> {
    read_query(query)?;
    let unavailable = |detail: &str| {
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", "The configuration is not read again", detail)
    };
    let Some(Reload(ask)) = &context.reload else {
        let detail = "this host was not started from a configuration";
        return Err(Problem::new(StatusCode::CONFLICT, "no-configuration", "There is no configuration", detail));
    };
    let (tell, answer) = oneshot::channel();
    ask.try_send(tell).map_err(|_| unavailable("too many ask for it at once, or the host is stopping"))?;
    let answer = answer.await.map_err(|_| unavailable("the host is stopping"))?;
    answer.map(Json).map_err(|problems| {
        let detail = problems.join("\n");
        let title = "The configuration is not taken, and nothing has changed";
        Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "configuration", title, detail).with("problems", json!(problems))
    })
}
