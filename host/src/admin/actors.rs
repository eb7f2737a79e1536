//! The actors, whole or page by page, and the groups that they are in.

use axum::Json;
use axum::extract::State;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::openapi::{Api, Operation};
use super::problem::Problem;
use super::routes::{Asked, NoQuery, Shared, read_name_in, read_query};
use crate::host::ActorInfo;
use crate::model::{ActorName, GroupName, NameError, NameOrPattern};

/// Most actors of one page. Without a limit all are told.
const LARGEST_PAGE: usize = 10_000;

pub(super) fn routes() -> Api {
    let listing = Operation::get("/v1/actors", "actors", "How the actors are, in the order of their names");
    let grouped = Operation::get("/v1/groups", "groups", "The groups that have members, in the order of their names");
    Api::default()
        .on(listing.query::<Which>().answers::<Actors>(200, "All, or a page"), actors)
        .on(grouped.query::<NoQuery>().answers::<Groups>(200, "All of them"), groups)
}

/// Which of them are asked for.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Which {
    /// The name after which the page begins: `next` of the page before.
    #[schemars(with = "Option<ActorName>")]
    after: Option<String>,
    /// How many; unless told, all, but for those that sleep and have nothing in memory but their names: of these the first
    /// 10,000.
    #[schemars(range(min = 1, max = 10_000))]
    limit: Option<usize>,
    /// A name, or a pattern such as `cart/*`.
    #[serde(rename = "match")]
    #[schemars(with = "Option<NameOrPattern>")]
    matching: Option<String>,
}

/// A part of the actors, in the order of their names.
#[derive(Serialize, JsonSchema)]
struct Actors {
    actors: Vec<ActorInfo>,
    /// What to give as `after` for those that follow; none: these were the last.
    next: Option<ActorName>,
    /// How many of all actors sleep and have nothing in memory but their names.
    asleep: usize,
}

/// A name or a pattern in a query.
pub(super) fn read_pattern(text: Option<&str>) -> Result<Option<NameOrPattern>, NameError> {
    text.map(NameOrPattern::new).transpose()
}

async fn actors(State(context): Shared, query: Asked<Which>) -> Result<Json<Actors>, Problem> {
    let Which { after, limit, matching } = read_query(query)?;
    let after = read_name_in(after.as_deref())?;
    let which = read_pattern(matching.as_deref())?;
    if let Some(limit) = limit.filter(|limit| !(1..=LARGEST_PAGE).contains(limit)) {
        return Err(Problem::bad_request(format!("limit = {limit} is not from 1 to {LARGEST_PAGE}")));
    }
    let mut actors = match limit {
        // One more than wanted says whether more follow.
        Some(limit) => context.host.actors_after(after.as_ref(), which.as_ref(), limit + 1),
        None => context.host.actors_and_sleepers(after.as_ref(), which.as_ref(), LARGEST_PAGE),
    };
    let more = limit.is_some_and(|limit| actors.len() > limit);
    if more {
        actors.pop();
    }
    let next = actors.last().filter(|_| more).map(|last| last.name.clone());
    let asleep = context.host.sleepers();
    Ok(Json(Actors { actors, next, asleep }))
}

#[derive(Serialize, JsonSchema)]
struct Groups {
    groups: Vec<Group>,
}

/// A group, and how many members it has.
#[derive(Serialize, JsonSchema)]
struct Group {
    group: GroupName,
    members: usize,
}

async fn groups(State(context): Shared, query: Asked<NoQuery>) -> Result<Json<Groups>, Problem> {
    read_query(query)?;
    let groups = context.host.groups().into_iter().map(|(group, members)| Group { group, members }).collect();
    Ok(Json(Groups { groups }))
}
