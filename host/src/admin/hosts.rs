//! The hosts that share the store.

use axum::Json;
use axum::extract::State;
use schemars::JsonSchema;
use serde::Serialize;

use super::openapi::{Api, Operation};
use super::problem::Problem;
use super::routes::{Asked, NoQuery, Shared, read_query};
use crate::host::{HostsInfo, ThisHost};
use crate::store::HostLease;

/// Who shares the store.
#[derive(Serialize, JsonSchema)]
struct Sharing {
    /// Whether it can be shared at all. If it cannot, it is this host's alone, and the rest is empty.
    shared: bool,
    /// This host.
    this: Option<ThisHost>,
    /// All of them, this one included, in the order of their ids. Those whose lease has ended are listed for an hour.
    hosts: Vec<HostLease>,
    /// Why the store does not say so now; then `hosts` is what it said last.
    trouble: Option<String>,
}

pub(super) fn routes() -> Api {
    let operation =
        Operation::get("/v1/hosts", "hosts", "Who shares the store, and how this host's lease on it stands");
    Api::default().on(operation.query::<NoQuery>().answers::<Sharing>(200, "They"), hosts)
}

async fn hosts(State(context): Shared, query: Asked<NoQuery>) -> Result<Json<Sharing>, Problem> {
    read_query(query)?;
    Ok(Json(match context.host.hosts().await {
        Some(HostsInfo { this, hosts, trouble }) => Sharing { shared: true, this: Some(this), hosts, trouble },
        None => Sharing { shared: false, this: None, hosts: Vec::new(), trouble: None },
    }))
}
