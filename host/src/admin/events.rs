//! What happens, as a stream of server-sent events.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::sse::{self, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::{Stream, stream};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde_json::json;
use tokio::sync::OwnedSemaphorePermit;

use super::actors::read_pattern;
use super::openapi::{Api, Operation};
use super::problem::Problem;
use super::routes::{Asked, Context, Shared, read_query};
use crate::events::{Event, EventFilter, EventKind, EventStream, Missed};
use crate::model::NameOrPattern;
use crate::store::now_ms;

/// Clients at once that are told of events or logs as they come; a further one is refused.
pub const STREAMS: usize = 64;
/// How long a client hears nothing at most.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// Where a client that comes back says what it has heard of last.
const LAST_ID_HEADER: &str = "last-event-id";
/// Digits that it may have: fewer than what a sequence can count to has.
const LAST_ID_DIGITS: usize = 19;
/// What is told before one that is too slow is dropped.
const BEHIND: &str = "behind";

pub(super) fn routes() -> Api {
    let listening = Operation::get("/v1/events", "events", "What happens, as it happens: server-sent events");
    let listening = listening.query::<Wanted>();
    let listening =
        listening.header_of_digits(LAST_ID_HEADER, "The sequence of the last event heard of", LAST_ID_DIGITS);
    Api::default().on(listening.answers_bytes(200, "Events, without an end", "text/event-stream"), events)
}

/// Which events are asked for.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct Wanted {
    /// About which actors and supervisors: a name, or a pattern such as `cart/*`.
    #[serde(rename = "match")]
    #[schemars(with = "Option<NameOrPattern>")]
    matching: Option<String>,
    /// Of which kinds, with commas between them; all unless told.
    #[schemars(schema_with = "words")]
    kinds: Option<String>,
    /// Begin after the event with this sequence; 0: with the oldest that is kept.
    since: Option<u64>,
    /// Whether to wait for what comes, or to end with what there is. It waits unless told.
    follow: Option<bool>,
}

/// Words for kinds of events, with commas between them.
fn words(_: &mut SchemaGenerator) -> Schema {
    let any = EventKind::ALL.iter().map(|kind| kind.word()).collect::<Vec<_>>().join("|");
    json_schema!({ "type": "string", "pattern": format!("^({any})?(,({any})?)*$") })
}

impl Wanted {
    fn filter(&self) -> Result<EventFilter, Problem> {
        let actors = read_pattern(self.matching.as_deref())?;
        let words = self.kinds.iter().flat_map(|kinds| kinds.split(',')).filter(|word| !word.is_empty());
        let kinds = words.map(str::parse::<EventKind>);
        let kinds = kinds.collect::<Result<_, _>>().map_err(|why| Problem::bad_request(format!("kinds: {why}")))?;
        Ok(EventFilter { actors, kinds })
    }
}

/// The sequence that a client names which comes back.
fn last_id(headers: &HeaderMap) -> Result<Option<u64>, Problem> {
    let Some(value) = headers.get(LAST_ID_HEADER) else { return Ok(None) };
    let digits = |text: &&str| {
        !text.is_empty() && text.len() <= LAST_ID_DIGITS && text.bytes().all(|byte| byte.is_ascii_digit())
    };
    let sequence = value.to_str().ok().filter(digits).and_then(|text| text.parse().ok());
    let bad = || Problem::bad_request("the header Last-Event-ID is not the sequence of an event");
    sequence.map(Some).ok_or_else(bad)
}

/// A place among those that are told as things come.
pub(super) fn take_place(context: &Context) -> Result<OwnedSemaphorePermit, Problem> {
    Arc::clone(&context.streams).try_acquire_owned().map_err(|_| {
        let detail = format!("{STREAMS} clients are told of events or logs already, and no more may be at once");
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, "busy", "Too many listen", detail)
    })
}

async fn events(State(context): Shared, query: Asked<Wanted>, headers: HeaderMap) -> Result<Response, Problem> {
    let wanted = read_query(query)?;
    let filter = wanted.filter()?;
    let since = last_id(&headers)?.or(wanted.since);
    let place = take_place(&context)?;
    let stream = match since {
        Some(since) => context.host.events_after(filter, since),
        None => context.host.events(filter),
    };
    let follows = wanted.follow.unwrap_or(true);
    let teller = Teller { stream, follows, comes_back: since.is_some(), _place: place };
    let keep_alive = KeepAlive::new().interval(HEARTBEAT);
    Ok(Sse::new(told(teller)).keep_alive(keep_alive).into_response())
}

/// Tells one client.
struct Teller {
    stream: EventStream,
    /// Whether it waits for what is still to come.
    follows: bool,
    /// Whether the first answer may be that it has missed some, which is no fault of its pace.
    comes_back: bool,
    _place: OwnedSemaphorePermit,
}

fn told(teller: Teller) -> impl Stream<Item = Result<sse::Event, Infallible>> {
    stream::unfold(Some(teller), |teller| async move {
        let mut teller = teller?;
        let next = match teller.follows {
            true => teller.stream.next().await,
            false => teller.stream.at_hand(),
        };
        let comes_back = std::mem::take(&mut teller.comes_back);
        match next? {
            Ok(event) => Some((Ok(message(&event)), Some(teller))),
            Err(missed) => Some((Ok(behind(missed)), Some(teller).filter(|_| comes_back))),
        }
    })
}

fn message(event: &Event) -> sse::Event {
    let message = sse::Event::default().id(event.sequence.to_string()).event(event.kind.word());
    // Plain data, which always makes JSON.
    message.json_data(event).unwrap_or_default()
}

/// Whoever comes back with its id goes on with what is kept.
fn behind(missed: Missed) -> sse::Event {
    let document = json!({
        "sequence": missed.after, "time_ms": now_ms(), "kind": BEHIND, "actor": null, "plugin": null, "version": null,
        "generation": null, "detail": { "missed": missed.count },
    });
    sse::Event::default().id(missed.after.to_string()).event(BEHIND).data(document.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_a_list_of_words_and_a_wrong_one_is_named() {
        let kinds = |kinds: &str| Wanted { kinds: Some(kinds.into()), ..Wanted::default() }.filter();
        assert_eq!(kinds("crashed,dead-letter").expect("words").kinds, [EventKind::Crashed, EventKind::DeadLetter]);
        assert!(kinds("").expect("none").kinds.is_empty());
        let why = format!("{:?}", kinds("crashed,molten").expect_err("no kind"));
        assert!(why.contains("molten") && why.contains("no kind of event"), "{why}");
    }

    #[test]
    fn what_a_client_has_heard_last_is_a_sequence_or_refused() {
        let mut headers = HeaderMap::new();
        assert_eq!(last_id(&headers).expect("none"), None);
        headers.insert(LAST_ID_HEADER, "1795439109000001".parse().expect("a header"));
        assert_eq!(last_id(&headers).expect("a number"), Some(1_795_439_109_000_001));
        for bad in ["abc", "", "+5", "-1", "00000000000000000001"] {
            headers.insert(LAST_ID_HEADER, bad.parse().expect("a header"));
            assert!(last_id(&headers).is_err(), "{bad:?}");
        }
    }
}
