//! What the host logs, line by line.

use std::convert::Infallible;
use std::time::Duration;

use axum::body::{Body as HttpBody, Bytes};
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures_util::{Stream, stream};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::timeout;

use super::actors::read_pattern;
use super::events::take_place;
use super::openapi::{Api, Operation};
use super::problem::Problem;
use super::routes::{Asked, Shared, read_query};
use crate::events::Missed;
use crate::logs::{KEPT_LINES, LogFilter, LogStream};
use crate::model::NameOrPattern;
use crate::store::now_ms;

/// How many of the last lines are told, unless told otherwise.
const TAIL: usize = 100;
/// How long a client that follows hears nothing at most: then an empty line.
const HEARTBEAT: Duration = Duration::from_secs(15);

pub(super) fn routes() -> Api {
    let reading =
        Operation::get("/v1/logs", "logs", "What the host logs: the last lines, and what comes").query::<Wanted>();
    let answer = "Lines of JSON, each with the members that the book names";
    Api::default().on(reading.answers_bytes(200, answer, "application/x-ndjson"), logs)
}

/// Which lines are asked for.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct Wanted {
    /// As grave as this, or graver.
    #[schemars(regex(pattern = "^(error|warn|info|debug|trace)$"))]
    level: Option<String>,
    /// About which actors: a name, or a pattern such as `cart/*`.
    #[serde(rename = "match")]
    #[schemars(with = "Option<NameOrPattern>")]
    matching: Option<String>,
    /// How many of the last lines; 100 unless told.
    #[schemars(range(max = 8_192))]
    tail: Option<usize>,
    /// Whether those that come are told too.
    follow: bool,
}

async fn logs(State(context): Shared, query: Asked<Wanted>) -> Result<Response, Problem> {
    let Wanted { level, matching, tail, follow } = read_query(query)?;
    let level = level.map(|level| level.parse()).transpose();
    let level = level.map_err(|why| Problem::bad_request(format!("level: {why}")))?;
    let filter = LogFilter { level, actors: read_pattern(matching.as_deref())? };
    let tail = tail.unwrap_or(TAIL);
    if tail > KEPT_LINES {
        return Err(Problem::bad_request(format!("tail = {tail} is not from 0 to {KEPT_LINES}")));
    }
    let Some(logs) = context.host.logs() else {
        let detail = "whoever runs this host keeps no log of it in memory";
        return Err(Problem::new(StatusCode::NOT_FOUND, "no-logs", "There is no log here", detail));
    };
    let place = take_place(&context)?;
    let teller = Teller { stream: logs.read(filter, tail), follow, _place: place };
    let body = HttpBody::from_stream(told(teller));
    Ok(([(header::CONTENT_TYPE, "application/x-ndjson")], body).into_response())
}

/// Tells one client.
struct Teller {
    stream: LogStream,
    /// Whether it waits for what is still to come.
    follow: bool,
    _place: OwnedSemaphorePermit,
}

fn told(teller: Teller) -> impl Stream<Item = Result<Bytes, Infallible>> {
    stream::unfold(teller, |mut teller| async move {
        let next = match teller.follow {
            true => match timeout(HEARTBEAT, teller.stream.next()).await {
                Ok(next) => next,
                Err(_) => return Some((Ok(Bytes::from_static(b"\n")), teller)),
            },
            false => teller.stream.at_hand(),
        };
        let line = next?.map_or_else(behind, |line| json_line(&*line));
        Some((Ok(line), teller))
    })
}

fn json_line(line: &impl serde::Serialize) -> Bytes {
    // Plain data, which always makes JSON.
    let mut text = serde_json::to_vec(line).unwrap_or_default();
    text.push(b'\n');
    text.into()
}

/// A client that is slower than the log is told how much it has missed, and goes on.
fn behind(missed: Missed) -> Bytes {
    let (count, sequence) = (missed.count, missed.after);
    json_line(&json!({
        "sequence": sequence, "time_ms": now_ms(), "level": "warn", "target": "baton::logs",
        "message": "lines were missed", "actor": null, "plugin": null, "version": null, "generation": null,
        "fields": Map::from_iter([("missed".to_owned(), Value::from(count))]),
    }))
}
