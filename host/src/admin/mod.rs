//! What an operator's tools call: HTTP and JSON over a Unix socket in the data directory that only its owner can open.
//!
//! | request | answer |
//! | --- | --- |
//! | `GET /v1/health` | whether the host is ready or stopping |
//! | `GET /v1/plugins` | the plugins that are loaded |
//! | `GET /v1/actors`, `GET /v1/actors/{name}` | how the actors are |
//! | `POST /v1/actors/{name}/call?timeout_ms=` | the reply; the body is the message |
//! | `POST /v1/actors/{name}/cast` | 202 and the message's id |
//! | `GET /v1/store?after=&limit=`, `GET /v1/store/{name}` | what is stored |
//! | `GET /v1/store/{name}/diff?a=&b=`, `GET /v1/store/{name}/quarantine`, `…/quarantine/{sequence}` | two records side by side; what is in quarantine, and its bytes |
//! | `POST /v1/store/{name}/rollback`, `…/fork`, `…/prune`, `…/forget`, `…/retry`, `…/discard` | changes what is stored; a dry run without `yes=true` |
//! | `GET /v1/store-export`, `PUT /v1/store/{name}/image` | an export; one actor of an export taken over |
//! | `GET /v1/store-stats`, `GET /v1/store-verify`, `GET /v1/store-quarantine` | how much is stored; what is wrong with it; what is in quarantine |
//! | `GET /v1/dead-letters` | messages that nobody handled |
//! | `GET /v1/tree`, `GET /v1/children?supervisor=`, `GET /v1/children/count?supervisor=` | who supervises whom |
//! | `POST /v1/children`, `DELETE /v1/children/{name}` | adds and starts a child; removes one that does not run |
//! | `POST /v1/actors/{name}/start`, `…/stop`, `…/restart`, `…/kill` | what an operator does to one child |
//! | `GET /v1/whereis/{name}` | a child, and the supervisors above it |
//! | `POST /v1/plugins/{name}/swap`, `…/swap/back` | swaps the version that a plugin's actors run, or says what that would do; the component is the body |
//! | `GET /v1/plugins/{name}/swap?wait_ms=`, `POST …/swap/stop`, `GET /v1/swaps` | where a swap stands, and at its end the report; stops one; the last swap of each plugin |
//! | `GET /v1/groups/{group}`, `POST /v1/groups/{group}/dispatch` | a group's members; a message for each of them |
//!
//! Names stand percent-encoded in paths, `/` as `%2F`. A message's id may be given in the header `Idempotency-Key`. Errors
//! are problem documents (RFC 9457) with a stable `code`.

mod problem;
mod routes;
mod socket;
mod store;
mod supervision;
mod swap;
pub mod view;

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::UnixStream;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::host::Host;

pub use socket::{Socket, socket_path};

/// Connections at once; further ones wait to be accepted.
pub const CONNECTIONS: usize = 256;
/// How long a client may take for a request's head, and how long a connection may be idle.
pub const HEAD_TIMEOUT: Duration = Duration::from_secs(30);
/// How long a client may take for a request's body.
pub const BODY_TIMEOUT: Duration = Duration::from_secs(30);
/// Largest head of a request, in bytes.
pub const HEAD_BYTES: usize = 64 << 10;
/// How long answers may take to reach their clients once the actors have stopped.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a connection without a request stays open once the actors have stopped. A client that sends one meanwhile is
/// told that it was not seen; a connection that closed under it would leave it in doubt.
const LINGER: Duration = Duration::from_millis(100);

/// Serves `host` on `socket` until `drain` is ready; then lets the answers that are under way reach their clients, for 5 s
/// at most, and ends. Bodies above `request_bytes` are refused.
///
/// To stop in good order, shut the host down, and only then let `drain` be ready. From the shutdown's begin on, calls and
/// casts get `unavailable`, and every answer closes its connection. At its end every call that waited for its actor has
/// its answer, so this waits for nothing that only a stop could end.
pub async fn serve(socket: Socket, host: Host, request_bytes: usize, drain: impl Future<Output = ()>) {
    let router = routes::router(host, request_bytes);
    let permits = Arc::new(Semaphore::new(CONNECTIONS));
    let (draining, drained) = watch::channel(false);
    let mut connections = JoinSet::new();
    let mut drain = pin!(drain);
    let admit = |connections: &mut JoinSet<()>, stream: UnixStream, permit| {
        let service = TowerToHyperService::new(router.clone());
        let drained = drained.clone();
        connections.spawn(async move {
            connection(stream, service, drained).await;
            drop(permit);
        });
    };
    let accept = async || {
        // Never closed, so a permit always comes.
        let permit = Arc::clone(&permits).acquire_owned().await.ok();
        (socket.accept().await, permit)
    };
    loop {
        tokio::select! {
            biased;
            () = &mut drain => break,
            Some(_) = connections.join_next(), if !connections.is_empty() => {}
            (accepted, permit) = accept() => match accepted {
                Ok(stream) => admit(&mut connections, stream, permit),
                Err(error) => {
                    tracing::warn!(%error, "a connection to the socket could not be accepted");
                    // Out of file descriptors, most likely: trying again at once would only spin.
                    sleep(LINGER).await;
                }
            },
        }
    }
    // From here on nobody can connect; whoever has is still answered.
    socket.unlink();
    while let Some((Ok(stream), permit)) = accept().now_or_never() {
        admit(&mut connections, stream, permit);
    }
    // Nobody listens where there are no connections.
    let _ = draining.send(true);
    let all = async { while connections.join_next().await.is_some() {} };
    if timeout(DRAIN_TIMEOUT, all).await.is_err() {
        tracing::warn!(connections = connections.len(), "clients that did not take their answers in time were cut off");
    }
}

type Service = TowerToHyperService<axum::Router>;

async fn connection(stream: UnixStream, service: Service, mut drained: watch::Receiver<bool>) {
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(HEAD_TIMEOUT).max_buf_size(HEAD_BYTES);
    let mut connection = pin!(builder.serve_connection(TokioIo::new(stream), service));
    let closing = async { drop(drained.wait_for(|drained| *drained).await) };
    let early = tokio::select! {
        ended = connection.as_mut() => Some(ended),
        () = closing => timeout(LINGER, connection.as_mut()).await.ok(),
    };
    let ended = match early {
        Some(ended) => ended,
        None => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection to the socket ended early");
    }
}
