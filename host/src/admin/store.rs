//! What an operator sees of the store, and does to it.

use std::convert::Infallible;
use std::sync::Arc;

use axum::Json;
use axum::body::{Body as HttpBody, Bytes};
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use schemars::JsonSchema;
use serde::Deserialize;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

use super::openapi::{Api, Operation};
use super::problem::Problem;
use super::routes::{Asked, Context, Name, NoQuery, Shared, Unread, read_body, read_name, read_name_in, read_query};
use super::view::{self, QuarantinePage, QuarantinedActor, StoreStats, StoredActor, StoredPage};
use crate::model::{ActorName, ErrorCode, HostError};
use crate::store::SnapshotStore;
use crate::store::tools::{self, Changed, Consent, Diff, Export, Imported, Selection, ToolError, Verified};

/// What is not looked into.
const BYTES: &str = "application/octet-stream";
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

pub(super) fn routes() -> Api {
    let change = |path, id, says| {
        let operation = Operation::post(path, id, says).part::<ActorName>("name");
        operation.answers::<Changed>(200, "What was done, or what would be")
    };
    Api::default()
        .on(
            Operation::get("/v1/store", "stored", "What is stored, in the order of names")
                .query::<Page>()
                .answers::<StoredPage>(200, "A page"),
            list,
        )
        .on(
            Operation::get("/v1/store/{name}", "stored_actor", "What is stored for an actor")
                .part::<ActorName>("name")
                .answers::<StoredActor>(200, "Head, history and quarantine"),
            stored,
        )
        .on(
            Operation::get("/v1/store/{name}/diff", "diff", "Two records of an actor side by side")
                .part::<ActorName>("name")
                .query::<Two>()
                .answers::<Diff>(200, "Where they differ"),
            diff,
        )
        .on(
            Operation::get("/v1/store/{name}/quarantine", "quarantined", "An actor's copies in quarantine")
                .part::<ActorName>("name")
                .answers::<QuarantinedActor>(200, "The copies"),
            quarantined,
        )
        .on(
            Operation::get("/v1/store/{name}/quarantine/{sequence}", "quarantined_copy", "The bytes of a copy")
                .part::<ActorName>("name")
                .part::<u64>("sequence")
                .answers_bytes(200, "As they were found", BYTES),
            copy,
        )
        .on(
            change("/v1/store/{name}/rollback", "rollback", "Writes the state of an earlier record as a new one")
                .query::<Rollback>(),
            rollback,
        )
        .on(
            change("/v1/store/{name}/fork", "fork", "Copies a state to another actor").query::<Fork>().needs(&["to"]),
            fork,
        )
        .on(change("/v1/store/{name}/prune", "prune", "Drops all but the newest records").query::<Prune>(), prune)
        .on(
            change("/v1/store/{name}/forget", "forget", "Erases state, history and quarantine for good")
                .query::<Plain>(),
            forget,
        )
        .on(
            change("/v1/store/{name}/retry", "retry", "Forgets which plugins have refused the records")
                .query::<Plain>(),
            retry,
        )
        .on(
            change("/v1/store/{name}/repair", "repair", "Makes a new head of the records that are there")
                .query::<Plain>(),
            repair,
        )
        .on(change("/v1/store/{name}/discard", "discard", "Drops copies in quarantine").query::<Discard>(), discard)
        .on(
            Operation::put("/v1/store/{name}/image", "import", "Takes one actor of an export over")
                .part::<ActorName>("name")
                .query::<Image>()
                .takes_bytes(BYTES)
                .answers::<Imported>(200, "What came of it"),
            image,
        )
        // Not below `/v1/store/`: an actor may have any of these names.
        .on(
            Operation::get("/v1/store-stats", "store_stats", "How much is stored").answers::<StoreStats>(200, "Counts"),
            stats,
        )
        .on(
            Operation::get("/v1/store-verify", "store_verify", "Reads everything, and says what is wrong")
                .query::<Page>()
                .answers::<Verified>(200, "Of a page of actors"),
            verify,
        )
        .on(
            Operation::get("/v1/store-quarantine", "store_quarantine", "Who has copies in quarantine")
                .query::<Page>()
                .answers::<QuarantinePage>(200, "Of a page of actors"),
            quarantine,
        )
        .on(
            Operation::get("/v1/store-export", "store_export", "An export, as a stream")
                .query::<Actors>()
                .answers_bytes(200, "One that was broken off has no end", BYTES),
            export,
        )
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Page {
    /// The name after which the page begins: `next` of the page before.
    #[schemars(with = "Option<ActorName>")]
    after: Option<String>,
    /// How many; 100 unless told.
    #[schemars(range(min = 1, max = 1_000))]
    limit: Option<usize>,
}

impl Page {
    fn read(query: Asked<Self>) -> Result<(Option<ActorName>, usize), Problem> {
        let query = read_query(query)?;
        let limit = query.limit.unwrap_or(PAGE);
        if !(1..=LARGEST_PAGE).contains(&limit) {
            return Err(Problem::bad_request(format!("limit = {limit} is not from 1 to {LARGEST_PAGE}")));
        }
        Ok((read_name_in(query.after.as_deref())?, limit))
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

#[derive(Deserialize, JsonSchema)]
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
    Ok(([(header::CONTENT_TYPE, BYTES)], found).into_response())
}

/// What a change may be told: keys of its own, and those of consent.
macro_rules! wish {
    ($name:ident { $($(#[$about:meta])* $key:ident: $type:ty,)* } $running:ident) => {
        #[derive(Debug, Default, Deserialize, JsonSchema)]
        #[serde(default, deny_unknown_fields)]
        struct $name {
            $($(#[$about])* $key: $type,)*
            /// Do it, though something is lost; without it, such a change is a dry run.
            yes: bool,
            /// Stop the actor if it runs or is held, and start it again.
            stop_it: bool,
        }

        impl $name {
            fn consent(&self) -> Consent {
                Consent { yes: self.yes, stop_it: self.stop_it, running: wish!(self $running) }
            }
        }
    };
    ($self:ident stopped) => { false };
    ($self:ident running) => { $self.running };
}

wish! { Rollback {
    /// The record whose state is taken; the one before unless told.
    to: Option<u64>,
} stopped }
wish! { Fork {
    /// The name of the copy.
    #[schemars(with = "Option<ActorName>")]
    to: Option<String>,
    /// The record whose state is taken; the one that counts unless told.
    record: Option<u64>,
    /// Though the other one has a state.
    replace: bool,
} stopped }
wish! { Prune {
    /// How many records stay; one unless told.
    keep: Option<usize>,
    /// Leave it running.
    running: bool,
} running }
wish! { Plain {} stopped }
wish! { Discard {
    /// Of which record; of all unless told.
    record: Option<u64>,
    /// Leave it running.
    running: bool,
} running }
wish! { Image {
    /// Though there is a state.
    replace: bool,
} stopped }

async fn rollback(State(context): Shared, name: Name, query: Asked<Rollback>) -> Result<Json<Changed>, Problem> {
    let name = read_name(name)?;
    let wish = read_query(query)?;
    Ok(Json(context.host.rollback(&name, wish.to, wish.consent()).await?))
}

async fn fork(State(context): Shared, name: Name, query: Asked<Fork>) -> Result<Json<Changed>, Problem> {
    let name = read_name(name)?;
    let wish = read_query(query)?;
    let to = read_name_in(wish.to.as_deref())?;
    let to = to.ok_or_else(|| Problem::bad_request("`to` is missing: the name of the copy"))?;
    Ok(Json(context.host.fork((&name, wish.record), (&to, wish.replace), wish.consent()).await?))
}

async fn prune(State(context): Shared, name: Name, query: Asked<Prune>) -> Result<Json<Changed>, Problem> {
    let name = read_name(name)?;
    let wish = read_query(query)?;
    Ok(Json(context.host.prune(&name, wish.keep, wish.consent()).await?))
}

async fn forget(State(context): Shared, name: Name, query: Asked<Plain>) -> Result<Json<Changed>, Problem> {
    let name = read_name(name)?;
    Ok(Json(context.host.forget(&name, read_query(query)?.consent()).await?))
}

async fn retry(State(context): Shared, name: Name, query: Asked<Plain>) -> Result<Json<Changed>, Problem> {
    let name = read_name(name)?;
    Ok(Json(context.host.retry(&name, read_query(query)?.consent()).await?))
}

async fn repair(State(context): Shared, name: Name, query: Asked<Plain>) -> Result<Json<Changed>, Problem> {
    let name = read_name(name)?;
    Ok(Json(context.host.repair(&name, read_query(query)?.consent()).await?))
}

async fn discard(State(context): Shared, name: Name, query: Asked<Discard>) -> Result<Json<Changed>, Problem> {
    let name = read_name(name)?;
    let wish = read_query(query)?;
    Ok(Json(context.host.discard(&name, wish.record, wish.consent()).await?))
}

/// Takes one actor over. The body is an export that holds it and no other.
async fn image(
    State(context): Shared,
    name: Name,
    query: Asked<Image>,
    body: HttpBody,
) -> Result<Json<Imported>, Problem> {
    let name = read_name(name)?;
    let wish = read_query(query)?;
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
            Ok(Json(context.host.import(&name, &image, wish.replace, wish.consent()).await?))
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

#[derive(Deserialize, JsonSchema)]
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
    let wanted = Selection::new(wanted.lines()).map_err(|error| Problem::unfit(error.to_string()))?;
    let Ok(permit) = Arc::clone(&context.transfers.exports).try_acquire_owned() else {
        let detail = format!("{EXPORTS} exports are under way; try again when one has ended");
        return Err(Problem::busy(detail));
    };
    let body = HttpBody::from_stream(stream::unfold((context.host.export(wanted), permit), next_piece));
    Ok(([(header::CONTENT_TYPE, BYTES)], body).into_response())
}

type Pieces = (mpsc::Receiver<Bytes>, OwnedSemaphorePermit);

/// An export that breaks off says so within, and has no end.
async fn next_piece((mut pieces, permit): Pieces) -> Option<(Result<Bytes, Infallible>, Pieces)> {
    let piece = pieces.recv().await?;
    Some((Ok(piece), (pieces, permit)))
}
