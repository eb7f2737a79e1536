//! What an operator sees of the store, and does to it.

use std::convert::Infallible;
use std::sync::Arc;

use axum::body::{Body as HttpBody, Bytes};
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post, put};
use axum::{Json, Router};
use futures_util::stream;
use serde::Deserialize;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

use super::problem::Problem;
use super::routes::{Asked, Context, Name, NoQuery, Shared, Unread, read_body, read_name, read_query};
use super::view::{self, QuarantinePage, QuarantinedActor, StoreStats, StoredActor, StoredPage};
use crate::model::{ActorName, ErrorCode, HostError};
use crate::store::SnapshotStore;
use crate::store::tools::{self, Changed, Consent, Diff, Export, Imported, Selection, ToolError, Verified};

/// Actors in one answer: unless told, and at most.
const PAGE: usize = 100;
const LARGEST_PAGE: usize = 1_000;
/// Exports at once.
const EXPORTS: usize = 4;
/// Largest image of one actor that is taken over HTTP, in bytes; one is taken at a time.
const IMAGE_BYTES: usize = 512 << 20;
/// Most names and patterns that an export may be asked for, in bytes.
const WANTED_BYTES: usize = 32 << 10;

/// How many large bodies may be under way.
#[derive(Debug)]
pub(super) struct Transfers {
    exports: Arc<Semaphore>,
    images: Semaphore,
    pub(super) components: Semaphore,
}

impl Default for Transfers {
    fn default() -> Self {
        Self { exports: Arc::new(Semaphore::new(EXPORTS)), images: Semaphore::new(1), components: Semaphore::new(1) }
    }
}

pub(super) fn routes() -> Router<Arc<Context>> {
    Router::new()
        .route("/v1/store", get(list))
        .route("/v1/store/{name}", get(stored))
        .route("/v1/store/{name}/diff", get(diff))
        .route("/v1/store/{name}/quarantine", get(quarantined))
        .route("/v1/store/{name}/quarantine/{sequence}", get(copy))
        .route("/v1/store/{name}/rollback", post(rollback))
        .route("/v1/store/{name}/fork", post(fork))
        .route("/v1/store/{name}/prune", post(prune))
        .route("/v1/store/{name}/forget", post(forget))
        .route("/v1/store/{name}/retry", post(retry))
        .route("/v1/store/{name}/repair", post(repair))
        .route("/v1/store/{name}/discard", post(discard))
        .route("/v1/store/{name}/image", put(image))
        // Not below `/v1/store/`: an actor may have any of these names.
        .route("/v1/store-stats", get(stats))
        .route("/v1/store-verify", get(verify))
        .route("/v1/store-quarantine", get(quarantine))
        .route("/v1/store-export", get(export))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Page {
    after: Option<String>,
    limit: Option<usize>,
}

impl Page {
    fn read(query: Asked<Self>) -> Result<(Option<ActorName>, usize), Problem> {
        let query = read_query(query)?;
        let limit = query.limit.unwrap_or(PAGE);
        if !(1..=LARGEST_PAGE).contains(&limit) {
            return Err(Problem::bad_request(format!("limit = {limit} is not from 1 to {LARGEST_PAGE}")));
        }
        Ok((query.after.as_deref().map(ActorName::new).transpose()?, limit))
    }
}

fn store_of(context: &Context) -> &dyn SnapshotStore {
    context.host.store().as_ref()
}

async fn list(State(context): Shared, query: Asked<Page>) -> Result<Json<StoredPage>, Problem> {
    let (after, limit) = Page::read(query)?;
    Ok(Json(view::list(store_of(&context), after.as_ref(), limit).await?))
}

async fn stored(State(context): Shared, name: Name) -> Result<Json<StoredActor>, Problem> {
    let name = read_name(name)?;
    let found = view::show(store_of(&context), &name).await?;
    Ok(Json(found.ok_or_else(|| ToolError::NotStored(name))?))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Two {
    a: Option<u64>,
    b: Option<u64>,
}

async fn diff(State(context): Shared, name: Name, query: Asked<Two>) -> Result<Json<Diff>, Problem> {
    let name = read_name(name)?;
    let Two { a, b } = read_query(query)?;
    Ok(Json(tools::diff(store_of(&context), &name, a, b).await?))
}

async fn quarantined(
    State(context): Shared,
    name: Name,
    query: Asked<NoQuery>,
) -> Result<Json<QuarantinedActor>, Problem> {
    let name = read_name(name)?;
    read_query(query)?;
    Ok(Json(view::quarantined(store_of(&context), &name).await?))
}

type NameAndSequence = Result<Path<(String, u64)>, PathRejection>;

/// The bytes of a copy, as they were found.
async fn copy(State(context): Shared, path: NameAndSequence, query: Asked<NoQuery>) -> Result<Response, Problem> {
    let Path((name, sequence)) = path.map_err(|error| Problem::bad_request(error.body_text()))?;
    let name = ActorName::new(&name)?;
    read_query(query)?;
    let found = tools::copy_of(store_of(&context), &name, sequence).await?;
    Ok(([(header::CONTENT_TYPE, "application/octet-stream")], found).into_response())
}

/// All that a change may be told; each takes what it has a use for.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Wish {
    to: Option<String>,
    record: Option<u64>,
    keep: Option<usize>,
    replace: bool,
    yes: bool,
    stop_it: bool,
    running: bool,
}

impl Wish {
    /// What was asked, if nothing was said that `act` has no use for.
    fn read(query: Asked<Self>, act: &str, uses: &[&str]) -> Result<(Self, Consent), Problem> {
        let wish = read_query(query)?;
        let given = [
            ("to", wish.to.is_some()),
            ("record", wish.record.is_some()),
            ("keep", wish.keep.is_some()),
            ("replace", wish.replace),
            ("running", wish.running),
        ];
        if let Some((what, _)) = given.iter().find(|(what, given)| *given && !uses.contains(what)) {
            return Err(Problem::bad_request(format!("`{what}` means nothing to {act}")));
        }
        let consent = Consent { yes: wish.yes, stop_it: wish.stop_it, running: wish.running };
        Ok((wish, consent))
    }
}

async fn rollback(State(context): Shared, name: Name, query: Asked<Wish>) -> Result<Json<Changed>, Problem> {
    let name = read_name(name)?;
    let (wish, consent) = Wish::read(query, "rollback", &["to"])?;
    let number = |to: String| to.parse().map_err(|_| Problem::bad_request(format!("to = {to} is no sequence")));
    let to = wish.to.map(number).transpose()?;
    Ok(Json(context.host.rollback(&name, to, consent).await?))
}

async fn fork(State(context): Shared, name: Name, query: Asked<Wish>) -> Result<Json<Changed>, Problem> {
    let name = read_name(name)?;
    let (wish, consent) = Wish::read(query, "fork", &["to", "record", "replace"])?;
    let to = wish.to.ok_or_else(|| Problem::bad_request("`to` is missing: the name of the copy"))?;
    let to = ActorName::new(&to)?;
    Ok(Json(context.host.fork((&name, wish.record), (&to, wish.replace), consent).await?))
}

async fn prune(State(context): Shared, name: Name, query: Asked<Wish>) -> Result<Json<Changed>, Problem> {
    let name = read_name(name)?;
    let (wish, consent) = Wish::read(query, "prune", &["keep", "running"])?;
    Ok(Json(context.host.prune(&name, wish.keep, consent).await?))
}

async fn forget(State(context): Shared, name: Name, query: Asked<Wish>) -> Result<Json<Changed>, Problem> {
    let name = read_name(name)?;
    let (_, consent) = Wish::read(query, "forget", &[])?;
    Ok(Json(context.host.forget(&name, consent).await?))
}

async fn retry(State(context): Shared, name: Name, query: Asked<Wish>) -> Result<Json<Changed>, Problem> {
    let name = read_name(name)?;
    let (_, consent) = Wish::read(query, "retry", &[])?;
    Ok(Json(context.host.retry(&name, consent).await?))
}

async fn repair(State(context): Shared, name: Name, query: Asked<Wish>) -> Result<Json<Changed>, Problem> {
    let name = read_name(name)?;
    let (_, consent) = Wish::read(query, "repair", &[])?;
    Ok(Json(context.host.repair(&name, consent).await?))
}

async fn discard(State(context): Shared, name: Name, query: Asked<Wish>) -> Result<Json<Changed>, Problem> {
    let name = read_name(name)?;
    let (wish, consent) = Wish::read(query, "discard", &["record", "running"])?;
    Ok(Json(context.host.discard(&name, wish.record, consent).await?))
}

/// Takes one actor over. The body is an export that holds it and no other.
async fn image(
    State(context): Shared,
    name: Name,
    query: Asked<Wish>,
    body: HttpBody,
) -> Result<Json<Imported>, Problem> {
    let name = read_name(name)?;
    let (wish, consent) = Wish::read(query, "an import", &["replace"])?;
    // Never closed, so a permit always comes.
    let _one = context.transfers.images.acquire().await;
    let body = read_body(&context, body, IMAGE_BYTES).await.map_err(|unread| match unread {
        Unread::Stopping => HostError::new(ErrorCode::ShuttingDown, "the host is going down").into(),
        Unread::TooLarge => Problem::too_large(format!(
            "an actor's image has at most {IMAGE_BYTES} bytes here: stop the host, and import into the data directory"
        )),
        Unread::Told(problem) => problem,
    })?;
    let mut export = Export::from_bytes(body).map_err(ToolError::File)?;
    let all = Selection::default();
    let found = export.next_image(&all).map_err(ToolError::File)?;
    match (found, export.contents().actors) {
        (Some((actor, image)), 1) if actor == name => {
            Ok(Json(context.host.import(&name, &image, wish.replace, consent).await?))
        }
        (_, actors) => {
            Err(Problem::bad_request(format!("the body holds {actors} actors, and is to hold `{name}` alone")))
        }
    }
}

async fn stats(State(context): Shared, query: Asked<NoQuery>) -> Result<Json<StoreStats>, Problem> {
    read_query(query)?;
    Ok(Json(view::stats(store_of(&context)).await?))
}

async fn verify(State(context): Shared, query: Asked<Page>) -> Result<Json<Verified>, Problem> {
    let (after, limit) = Page::read(query)?;
    Ok(Json(tools::verify(store_of(&context), after.as_ref(), limit).await?))
}

async fn quarantine(State(context): Shared, query: Asked<Page>) -> Result<Json<QuarantinePage>, Problem> {
    let (after, limit) = Page::read(query)?;
    Ok(Json(view::quarantine(store_of(&context), after.as_ref(), limit).await?))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Actors {
    /// Names and patterns, one on each line: no name has an end of line in it.
    actors: Option<String>,
}

async fn export(State(context): Shared, query: Asked<Actors>) -> Result<Response, Problem> {
    let wanted = read_query(query)?.actors.unwrap_or_default();
    if wanted.len() > WANTED_BYTES {
        return Err(Problem::bad_request(format!("`actors` has more than {WANTED_BYTES} bytes: ask for all")));
    }
    let wanted = Selection::new(wanted.lines())?;
    let Ok(permit) = Arc::clone(&context.transfers.exports).try_acquire_owned() else {
        let detail = format!("{EXPORTS} exports are under way; try again when one has ended");
        return Err(Problem::busy(detail));
    };
    let body = HttpBody::from_stream(stream::unfold((context.host.export(wanted), permit), next_piece));
    Ok(([(header::CONTENT_TYPE, "application/octet-stream")], body).into_response())
}

type Pieces = (mpsc::Receiver<Bytes>, OwnedSemaphorePermit);

/// An export that breaks off says so within, and has no end.
async fn next_piece((mut pieces, permit): Pieces) -> Option<(Result<Bytes, Infallible>, Pieces)> {
    let piece = pieces.recv().await?;
    Some((Ok(piece), (pieces, permit)))
}
