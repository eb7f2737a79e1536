//! What each request does.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::{Body as HttpBody, to_bytes};
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json, Router};
use http_body_util::{BodyExt as _, LengthLimitError};
use hyper::body::Body as _;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::access::{self, Access};
use super::health;
use super::openapi::{Api, Operation, Operations};
use super::page;
use super::problem::Problem;
use super::reload::{self, Reload};
use super::store::{self, Transfers};
use super::supervision;
use super::swap;
use super::telemetry::{self, Within};
use super::view::DeadMessage;
use super::{BODY_TIMEOUT, STREAMS, actors, events, hosts, logs};
use crate::host::{ActorInfo, CallOptions, CastOptions, Host, PluginInfo, Startup};
use crate::model::{ActorName, Body, ID_BYTES, MessageId, NameError, Phase, SendError};

/// Names the message that a request carries.
const ID_HEADER: &str = "idempotency-key";
/// What that header says of itself.
const ID_SAYS: &str =
    "The message's id. An actor with `durability = \"turn\"` answers one that it has handled with its first reply.";
/// Whatever the plugin takes and answers.
const ANY_TYPE: &str = "*/*";
/// What a body is where its plugin is not known.
const BYTES_TYPE: &str = "application/octet-stream";
/// Longest wait for a reply that a client may ask for.
const LONGEST_CALL: Duration = Duration::from_secs(60 * 60);
/// How much of a body that is refused is still read, in bytes, and for how long.
const DISCARD_BYTES: usize = 64 << 20;
const DISCARD_TIMEOUT: Duration = Duration::from_secs(2);

#[derive(Debug)]
pub(super) struct Context {
    pub(super) host: Host,
    pub(super) request_bytes: usize,
    pub(super) transfers: Transfers,
    /// Places for those who are told of things as they come.
    pub(super) streams: Arc<Semaphore>,
    /// What those must show who come over TCP; none: nobody does.
    pub(super) access: Option<Arc<Access>>,
    /// None: there is no configuration to read again.
    pub(super) reload: Option<Reload>,
    since: Instant,
    operations: Operations,
}

pub(super) type Shared = State<Arc<Context>>;
pub(super) type Name = Result<Path<String>, PathRejection>;
pub(super) type Asked<T> = Result<Query<T>, QueryRejection>;

pub(super) fn router(host: Host, request_bytes: usize, access: Option<Arc<Access>>, reload: Option<Reload>) -> Router {
    let (transfers, since) = (Transfers::default(), Instant::now());
    let (router, operations) = api().into_parts();
    let streams = Arc::new(Semaphore::new(STREAMS));
    let context = Arc::new(Context { host, request_bytes, transfers, streams, access, reload, since, operations });
    router
        .merge(page::routes())
        .fallback(unknown_path)
        .method_not_allowed_fallback(unknown_method)
        .layer(from_fn_with_state(Arc::clone(&context), telemetry::traced))
        .layer(from_fn_with_state(Arc::clone(&context), health::not_before_the_start))
        .layer(from_fn_with_state(Arc::clone(&context), access::check))
        .layer(from_fn_with_state(Arc::clone(&context), telemetry::counted))
        .layer(from_fn_with_state(Arc::clone(&context), close_at_the_end))
        .with_state(context)
}

/// All routes.
fn api() -> Api {
    Api::default()
        .on(Operation::get("/v1/health", "health", "How the host is").answers::<Health>(200, "How it is"), health)
        .on(
            Operation::get("/v1/openapi.json", "openapi", "This description").answers::<Value>(200, "OpenAPI 3.1"),
            openapi,
        )
        .on(
            Operation::get("/v1/plugins", "plugins", "The plugins that are loaded, a line for each version")
                .answers::<Plugins>(200, "The versions"),
            plugins,
        )
        .on(
            Operation::get("/v1/actors/{name}", "actor", "How an actor is")
                .part::<ActorName>("name")
                .answers::<ActorOrTemplate>(200, "The actor, or that its first message would start it"),
            actor,
        )
        .on(
            Operation::post("/v1/actors/{name}/call", "call", "Sends a message, and waits for the reply")
                .part::<ActorName>("name")
                .query::<CallQuery>()
                .header("Idempotency-Key", ID_SAYS, ID_BYTES)
                .takes_bytes(ANY_TYPE)
                .or_nothing()
                .answers_bytes(200, "The reply, in the media type of the plugin's messages", ANY_TYPE),
            call,
        )
        .on(
            Operation::post("/v1/actors/{name}/cast", "cast", "Sends a message that expects no reply")
                .part::<ActorName>("name")
                .header("Idempotency-Key", ID_SAYS, ID_BYTES)
                .takes_bytes(ANY_TYPE)
                .or_nothing()
                .answers::<Taken>(202, "The mailbox has it"),
            cast,
        )
        .on(
            Operation::get("/v1/dead-letters", "dead_letters", "Messages that nobody handled, oldest first")
                .answers::<DeadLetters>(200, "At most the last 1,000"),
            dead_letters,
        )
        .merge(actors::routes())
        .merge(health::routes())
        .merge(hosts::routes())
        .merge(reload::routes())
        .merge(events::routes())
        .merge(logs::routes())
        .merge(store::routes())
        .merge(supervision::routes())
        .merge(swap::routes())
        .merge(telemetry::routes())
}

/// Once the host takes no more work every answer closes its connection, so that a client never sends on one that is about to end.
async fn close_at_the_end(State(context): Shared, request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    if !context.host.is_ready() {
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

async fn unknown_path(request: Request) -> Problem {
    let detail = format!("there is nothing at {}", request.uri().path());
    Problem::new(StatusCode::NOT_FOUND, "not-found", "There is nothing here", detail)
}

async fn unknown_method(request: Request) -> Problem {
    let detail = format!("{} does not go with {}", request.method(), request.uri().path());
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method-not-allowed", "The method does not fit", detail)
}

async fn openapi(State(context): Shared, query: Asked<NoQuery>) -> Result<Json<Value>, Problem> {
    read_query(query)?;
    Ok(Json(context.operations.document()))
}

/// How the host is.
#[derive(Serialize, JsonSchema)]
struct Health {
    state: health::State,
    startup: Startup,
    /// Baton's version.
    version: &'static str,
    pid: u32,
    uptime_ms: u64,
    plugins: usize,
    actors: usize,
    held: usize,
    failed: usize,
    /// Those that other hosts own.
    elsewhere: usize,
    /// Why the store answers nothing at present.
    store_trouble: Option<String>,
}

async fn health(State(context): Shared, query: Asked<NoQuery>) -> Result<Json<Health>, Problem> {
    read_query(query)?;
    let actors = context.host.actors();
    let count = |phase| actors.iter().filter(|actor| actor.phase == phase).count();
    Ok(Json(Health {
        state: health::State::of(&context.host),
        startup: context.host.startup(),
        version: env!("CARGO_PKG_VERSION"),
        pid: std::process::id(),
        uptime_ms: u64::try_from(context.since.elapsed().as_millis()).unwrap_or(u64::MAX),
        plugins: context.host.plugins().len(),
        actors: actors.len(),
        held: count(Phase::Held),
        failed: count(Phase::Failed),
        elsewhere: count(Phase::Elsewhere),
        store_trouble: context.host.store().trouble(),
    }))
}

#[derive(Serialize, JsonSchema)]
struct Plugins {
    plugins: Vec<PluginInfo>,
}

async fn plugins(State(context): Shared, query: Asked<NoQuery>) -> Result<Json<Plugins>, Problem> {
    read_query(query)?;
    Ok(Json(Plugins { plugins: context.host.plugins() }))
}

#[derive(Serialize, JsonSchema)]
struct Actor {
    #[serde(flatten)]
    info: ActorInfo,
    /// The media type of its messages.
    messages: Option<String>,
}

/// An actor of a template that nobody has called yet.
#[derive(Serialize, JsonSchema)]
struct NotStarted {
    name: ActorName,
    /// Always `not-started`.
    phase: &'static str,
    /// The media type of its messages.
    messages: String,
}

#[derive(Serialize, JsonSchema)]
#[serde(untagged)]
enum ActorOrTemplate {
    Actor(Box<Actor>),
    Template(NotStarted),
}

async fn actor(State(context): Shared, name: Name, query: Asked<NoQuery>) -> Result<Json<ActorOrTemplate>, Problem> {
    let name = read_name(name)?;
    read_query(query)?;
    let messages = context.host.media_type(&name);
    if let Some(info) = context.host.actor(&name) {
        return Ok(Json(ActorOrTemplate::Actor(Box::new(Actor { info, messages }))));
    }
    match messages {
        // A template has its name, and nobody has called it yet.
        Some(messages) => Ok(Json(ActorOrTemplate::Template(NotStarted { name, phase: "not-started", messages }))),
        None => Err(SendError::UnknownActor(name.to_string()).into()),
    }
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct CallQuery {
    /// How long the reply may take; 30,000 unless told.
    #[schemars(range(min = 1, max = 3_600_000))]
    timeout_ms: Option<u64>,
}

async fn call(
    State(context): Shared,
    name: Name,
    query: Asked<CallQuery>,
    headers: HeaderMap,
    Extension(trace): Within,
    body: HttpBody,
) -> Result<Response, Problem> {
    let name = read_name(name)?;
    let options = CallOptions { id: read_id(&headers)?, timeout: read_timeout(&read_query(query)?)?, trace };
    let body = read_message(&context, name.as_str(), body).await?;
    let reply = context.host.call(&name, body, options).await?;
    let media_type = context.host.media_type(&name).and_then(|media| HeaderValue::try_from(media).ok());
    let media_type = media_type.unwrap_or(HeaderValue::from_static(BYTES_TYPE));
    Ok(([(header::CONTENT_TYPE, media_type)], reply).into_response())
}

/// A mailbox has a message.
#[derive(Serialize, JsonSchema)]
struct Taken {
    /// The message's id.
    id: MessageId,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NoQuery {}

async fn cast(
    State(context): Shared,
    name: Name,
    query: Asked<NoQuery>,
    headers: HeaderMap,
    Extension(trace): Within,
    body: HttpBody,
) -> Result<Response, Problem> {
    let name = read_name(name)?;
    read_query(query)?;
    let id = read_id(&headers)?;
    let body = read_message(&context, name.as_str(), body).await?;
    let id = context.host.cast_with(&name, body, CastOptions { id, trace })?;
    Ok((StatusCode::ACCEPTED, Json(Taken { id })).into_response())
}

#[derive(Serialize, JsonSchema)]
struct DeadLetters {
    dead_letters: Vec<DeadMessage>,
}

async fn dead_letters(State(context): Shared, query: Asked<NoQuery>) -> Result<Json<DeadLetters>, Problem> {
    read_query(query)?;
    let dead_letters = context.host.dead_letters().into_iter().map(DeadMessage::from).collect();
    Ok(Json(DeadLetters { dead_letters }))
}

pub(super) fn read_name(name: Name) -> Result<ActorName, Problem> {
    let Path(name) = name.map_err(|error| {
        Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "bad-name", "The name cannot be used", error.body_text())
    })?;
    Ok(ActorName::new(&name)?)
}

/// A name within a query.
pub(super) fn read_name_in(query: Option<&str>) -> Result<Option<ActorName>, Problem> {
    Ok(query.map(ActorName::new).transpose()?)
}

pub(super) fn read_query<T>(query: Asked<T>) -> Result<T, Problem> {
    query.map(|Query(query)| query).map_err(|error| Problem::bad_request(error.body_text()))
}

fn read_timeout(query: &CallQuery) -> Result<Option<Duration>, Problem> {
    let Some(ms) = query.timeout_ms else { return Ok(None) };
    let wait = Duration::from_millis(ms);
    if wait.is_zero() || wait > LONGEST_CALL {
        let longest = LONGEST_CALL.as_millis();
        return Err(Problem::bad_request(format!("timeout_ms = {ms} is not from 1 to {longest}")));
    }
    Ok(Some(wait))
}

fn read_id(headers: &HeaderMap) -> Result<Option<MessageId>, Problem> {
    let Some(value) = headers.get(ID_HEADER) else { return Ok(None) };
    let text = std::str::from_utf8(value.as_bytes())
        .map_err(|_| Problem::bad_request("the header Idempotency-Key is not UTF-8 text"))?;
    let id = MessageId::new(text).map_err(|error: NameError| {
        Problem::bad_request(format!("the header Idempotency-Key cannot be used: {error}"))
    })?;
    Ok(Some(id))
}

/// Reads a body that nobody wants, within bounds: a client that is answered while it still writes may take the connection
/// for broken, and its message for one that may have been seen.
pub(super) async fn discard(body: HttpBody) {
    drop(timeout(DISCARD_TIMEOUT, forget(body)).await);
}

async fn forget(mut body: HttpBody) {
    let mut left = DISCARD_BYTES;
    while let Some(Ok(frame)) = body.frame().await {
        left = left.saturating_sub(frame.data_ref().map_or(0, |data| data.len()));
        if left == 0 {
            return;
        }
    }
}

/// Why there is no body.
#[derive(Debug)]
pub(super) enum Unread {
    Stopping,
    TooLarge,
    Told(Problem),
}

/// A message for `to`, an actor or a group.
pub(super) async fn read_message(context: &Context, to: &str, body: HttpBody) -> Result<Body, Problem> {
    let limit = context.request_bytes;
    read_body(context, body, limit).await.map_err(|unread| match unread {
        Unread::Stopping => Problem::stopping(to),
        Unread::TooLarge => Problem::too_large(format!("no actor here takes a message of more than {limit} bytes")),
        Unread::Told(problem) => problem,
    })
}

/// The whole body, unless the host takes no more work: then nobody waits for it.
pub(super) async fn read_body(context: &Context, body: HttpBody, limit: usize) -> Result<Body, Unread> {
    if !context.host.is_ready() {
        discard(body).await;
        return Err(Unread::Stopping);
    }
    if body.size_hint().lower() > limit as u64 {
        discard(body).await;
        return Err(Unread::TooLarge);
    }
    let read = timeout(BODY_TIMEOUT, to_bytes(body, limit)).await.map_err(|_| {
        let detail = format!("the body did not arrive within {} s", BODY_TIMEOUT.as_secs());
        Unread::Told(Problem::new(StatusCode::REQUEST_TIMEOUT, "slow-request", "The request took too long", detail))
    })?;
    let bytes = read.map_err(|error| {
        let limited = std::error::Error::source(&error).is_some_and(|source| source.is::<LengthLimitError>());
        let told = || Unread::Told(Problem::bad_request(format!("the body could not be read: {error}")));
        if limited { Unread::TooLarge } else { told() }
    })?;
    // It may have begun to stop while the body came.
    if context.host.is_ready() { Ok(bytes) } else { Err(Unread::Stopping) }
}
