//! Connections: who is let in, how many, how long they may take, and how they end.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::response::IntoResponse as _;
use futures_util::FutureExt as _;
use futures_util::future::join_all;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper::{Request, header};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_io_timeout::TimeoutStream;
use tokio_rustls::TlsAcceptor;

use super::HEAD_BYTES;
use super::listener::{Arrival, Listener, Peer, Tcp};
use super::problem::Problem;
use super::reload::Reload;
use super::routes;
use super::socket::Socket;
use super::unread::ReadOut;
use crate::host::Host;

/// How long answers may take to reach their clients once the actors have stopped.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a connection without a request stays open once the actors have stopped. A client that sends one meanwhile is
/// told that it was not seen; a connection that closed under it would leave it in doubt.
const LINGER: Duration = Duration::from_millis(100);
/// How long a client may take to agree on keys.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// Clients over TCP that are told at once that there are too many; those beyond wait in the system's queue until one of
/// these has gone.
const TURNED_AWAY: usize = 256;
/// How long one that is turned away may take to send its request and to take the answer.
const TURN_AWAY_TIMEOUT: Duration = Duration::from_secs(2);

/// Serves `host` on `socket`, and on `tcp` where there is one, until `drain` is ready; then lets the answers that are under
/// way reach their clients, for 5 s at most, and ends. Bodies above `request_bytes` are refused. Whoever asks for the
/// configuration to be read again asks through `reload`.
///
/// To stop in good order, shut the host down, and only then let `drain` be ready. From the shutdown's begin on, calls and
/// casts get `unavailable`, and every answer closes its connection. At its end every call that waited for its actor has
/// its answer, so this waits for nothing that only a stop could end.
pub async fn serve(
    socket: Socket,
    tcp: Option<Tcp>,
    host: Host,
    request_bytes: usize,
    reload: Option<Reload>,
    drain: impl Future<Output = ()>,
) {
    let router = routes::router(host, request_bytes, tcp.as_ref().map(Tcp::access), reload);
    let (draining, drained) = watch::channel(false);
    let listeners = [Some(Listener::Unix(socket)), tcp.map(Listener::Tcp)].into_iter().flatten();
    let doors = join_all(listeners.map(|listener| door(listener, router.clone(), drained.clone())));
    let end = async {
        drain.await;
        // Nobody listens where there are no connections.
        let _ = draining.send(true);
    };
    tokio::join!(doors, end);
}

/// One listener, with all who come through it.
async fn door(listener: Listener, router: axum::Router, drained: watch::Receiver<bool>) {
    let room = Room {
        inside: Arc::new(Semaphore::new(listener.connections())),
        outside: Arc::new(Semaphore::new(TURNED_AWAY)),
    };
    let limit = listener.client_timeout();
    let mut connections = JoinSet::new();
    let admit = |connections: &mut JoinSet<()>, arrival, place: Place| match place {
        Place::Inside(permit) => {
            let (router, drained) = (router.clone(), drained.clone());
            connections.spawn(async move {
                arrived(arrival, router, limit, drained).await;
                drop(permit);
            });
        }
        Place::Outside(permit) => {
            let drained = drained.clone();
            connections.spawn(async move {
                turn_away(arrival, drained).await;
                drop(permit);
            });
        }
    };
    let mut ending = drained.clone();
    let mut drain = pin!(async move { drop(ending.wait_for(|drained| *drained).await) });
    loop {
        tokio::select! {
            biased;
            () = &mut drain => break,
            Some(_) = connections.join_next(), if !connections.is_empty() => {}
            accepted = accept(&listener, &room) => match accepted {
                Ok((arrival, place)) => admit(&mut connections, arrival, place),
                Err(error) => {
                    tracing::warn!(%error, "a connection could not be accepted");
                    // Out of file descriptors, most likely: trying again at once would only spin.
                    sleep(LINGER).await;
                }
            },
        }
    }
    // From here on nobody can connect; whoever has is still answered.
    listener.close();
    while let Some(Ok((arrival, place))) = accept(&listener, &room).now_or_never() {
        admit(&mut connections, arrival, place);
    }
    let all = async { while connections.join_next().await.is_some() {} };
    if timeout(DRAIN_TIMEOUT, all).await.is_err() {
        tracing::warn!(connections = connections.len(), "clients that did not take their answers in time were cut off");
    }
}

/// How many clients there may still be.
struct Room {
    inside: Arc<Semaphore>,
    /// Of those that are told that there is no room.
    outside: Arc<Semaphore>,
}

/// Where a client found room.
enum Place {
    Inside(OwnedSemaphorePermit),
    Outside(OwnedSemaphorePermit),
}

impl Room {
    /// The owner waits for a place. A peer is told that there is none: whoever waits in the system's queue knows nothing.
    async fn wait(&self, listener: &Listener) {
        // No semaphore is ever closed, so each gives a permit in the end; it is taken only once the client is there.
        match listener {
            Listener::Unix(_) => drop(self.inside.acquire().await),
            Listener::Tcp(_) => tokio::select! {
                inside = self.inside.acquire() => drop(inside),
                outside = self.outside.acquire() => drop(outside),
            },
        }
    }

    fn place(&self) -> Option<Place> {
        let inside = Arc::clone(&self.inside).try_acquire_owned().map(Place::Inside);
        inside.or_else(|_| Arc::clone(&self.outside).try_acquire_owned().map(Place::Outside)).ok()
    }
}

/// The next client, with its place. Nothing is lost where this is dropped early.
async fn accept(listener: &Listener, room: &Room) -> std::io::Result<(Arrival, Place)> {
    loop {
        room.wait(listener).await;
        let arrival = listener.accept().await?;
        // One door alone takes places, so the one that was seen is still there.
        if let Some(place) = room.place() {
            return Ok((arrival, place));
        }
    }
}

async fn arrived(arrival: Arrival, router: axum::Router, limit: Duration, drained: watch::Receiver<bool>) {
    match arrival {
        Arrival::Owner(stream) => connection(stream, TowerToHyperService::new(router), limit, drained).await,
        Arrival::Peer(stream, peer, access) => {
            let service = Named { inner: TowerToHyperService::new(router), peer };
            match access.tls() {
                None => connection(stream, service, limit, drained).await,
                Some(config) => match timeout(HANDSHAKE_TIMEOUT, TlsAcceptor::from(config).accept(stream)).await {
                    Ok(Ok(stream)) => connection(stream, service, limit, drained).await,
                    Ok(Err(error)) => tracing::debug!(%peer, %error, "no TLS connection came about"),
                    Err(_) => tracing::debug!(%peer, "no TLS connection came about in time"),
                },
            }
        }
    }
}

/// Tells each request where it came from.
struct Named {
    inner: TowerToHyperService<axum::Router>,
    peer: Peer,
}

impl Service<Request<Incoming>> for Named {
    type Response = axum::response::Response;
    type Error = std::convert::Infallible;
    type Future = <TowerToHyperService<axum::Router> as Service<Request<Incoming>>>::Future;

    fn call(&self, mut request: Request<Incoming>) -> Self::Future {
        request.extensions_mut().insert(self.peer);
        self.inner.call(request)
    }
}

async fn connection<S>(
    stream: impl AsyncRead + AsyncWrite,
    service: S,
    limit: Duration,
    mut drained: watch::Receiver<bool>,
) where
    S: Service<Request<Incoming>, Response = axum::response::Response, Error = std::convert::Infallible>,
{
    let mut stream = TimeoutStream::new(stream);
    stream.set_write_timeout(Some(limit));
    let stream = pin!(stream);
    let stream = ReadOut::new(stream, drained.clone());
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(limit).max_buf_size(HEAD_BYTES);
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
        tracing::debug!(%error, "a connection ended early");
    }
}

/// Answers one request with the advice to come again.
async fn turn_away(arrival: Arrival, drained: watch::Receiver<bool>) {
    let Arrival::Peer(stream, _, access) = arrival else { return };
    let answered = async {
        match access.tls() {
            None => busy(stream, drained).await,
            Some(config) => match TlsAcceptor::from(config).accept(stream).await {
                Ok(stream) => busy(stream, drained).await,
                Err(_) => false,
            },
        }
    };
    // Whoever is slow finds the connection closed.
    drop(timeout(TURN_AWAY_TIMEOUT, answered).await);
}

async fn busy(stream: impl AsyncRead + AsyncWrite + Unpin, drained: watch::Receiver<bool>) -> bool {
    let service = service_fn(|_request: Request<Incoming>| async {
        let mut response = Problem::busy("as many clients as may are connected").into_response();
        response.headers_mut().insert(header::CONNECTION, header::HeaderValue::from_static("close"));
        Ok::<_, std::convert::Infallible>(response)
    });
    http1::Builder::new().serve_connection(TokioIo::new(ReadOut::new(stream, drained)), service).await.is_ok()
}
