//! Outgoing HTTP, as far as it is granted: the request is checked before anything is looked up, the addresses that its
//! host's name leads to are checked before anything is connected, and what is connected to is one of these, not the name.

use std::future::Future;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs as _};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Limited};
use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper::client::conn::http1;
use hyper::header::{HeaderMap, HeaderValue};
use hyper::http::uri::{PathAndQuery, Scheme};
use hyper::{Method, Request, Response, Uri};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::Instant;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{ClientConfig, RootCertStore, crypto};
use wasmtime::component::{Linker, Resource};
use wasmtime_wasi::runtime::spawn;
use wasmtime_wasi_http::io::TokioIo;
use wasmtime_wasi_http::p2::bindings::http::types::ErrorCode;
use wasmtime_wasi_http::p2::bindings::http::{outgoing_handler, types};
use wasmtime_wasi_http::p2::types::HostOutgoingRequest;
use wasmtime_wasi_http::{Error, RequestOptions, WasiBody, WasiHttpCtx, WasiHttpCtxView, WasiHttpHooks, WasiHttpView};

use super::granted::{Granted, lacks};
use super::guest::Data;
use super::imports::Cx;
use super::wasi::WASI;
use crate::model::{HostPattern, HttpGrant, Label, Reach};
use crate::telemetry::{Begun, Parent, TRACEPARENT, TRACESTATE, TraceContext, part};

/// Bytes that a connection buffers: the headers of an answer fit into them.
const BUFFER_BYTES: usize = 64 << 10;
/// Bytes that a guest writes of a body at once.
const CHUNK_BYTES: usize = 64 << 10;

/// How TLS is spoken: made with the first request that needs it.
pub(super) type Tls = Arc<ClientConfig>;

pub(super) fn add_to(linker: &mut Linker<Data>) -> wasmtime::Result<()> {
    wasmtime_wasi_http::p2::add_only_http_to_linker_async(linker)?;
    linker.allow_shadowing(true);
    let mut handler = linker.instance(&format!("wasi:http/outgoing-handler@{WASI}"))?;
    type Handle = (Resource<HostOutgoingRequest>, Option<Resource<RequestOptions>>);
    handler.func_wrap("handle", |mut cx: Cx<'_>, (request, options): Handle| {
        let data = cx.data_mut();
        if !data.has_room_for_a_socket() {
            // The guest has given it away, whatever comes of it.
            data.http().table.delete(request)?;
            return Ok((Err(ErrorCode::ConnectionLimitReached),));
        }
        // The request belongs to the turn that makes it.
        let trace = data.turn.base.trace.clone();
        data.wasi().http.hooks.trace = trace;
        let mut http = data.http();
        match outgoing_handler::Host::handle(&mut http, request, options) {
            Ok(response) => Ok((Ok(response),)),
            Err(error) => Ok((Err(types::Host::convert_error_code(&mut http, error)?),)),
        }
    })?;
    linker.allow_shadowing(false);
    Ok(())
}

impl WasiHttpView for Data {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        let wasi = self.wasi();
        WasiHttpCtxView { hooks: &mut wasi.http.hooks, table: &mut wasi.table, ctx: &mut wasi.http.ctx }
    }
}

/// One instance's HTTP.
pub(super) struct Http {
    ctx: WasiHttpCtx,
    hooks: Hooks,
}

impl Http {
    pub(super) fn new(label: &Arc<Label>, granted: Arc<Granted>, timeout_ms: u64, body_bytes: u64) -> Self {
        let bounds = Bounds { timeout: Duration::from_millis(timeout_ms), body_bytes };
        let hooks = Hooks { label: label.clone(), granted, bounds, under_way: Arc::default(), trace: None };
        Self { ctx: WasiHttpCtx::new(), hooks }
    }

    /// Requests whose connections are open.
    pub(super) fn under_way(&self) -> usize {
        Arc::strong_count(&self.hooks.under_way) - 1
    }
}

#[derive(Debug, Clone, Copy)]
struct Bounds {
    timeout: Duration,
    body_bytes: u64,
}

struct Hooks {
    label: Arc<Label>,
    granted: Arc<Granted>,
    bounds: Bounds,
    /// Held once by each connection.
    under_way: Arc<()>,
    /// Where in a trace the next request belongs.
    trace: Option<TraceContext>,
}

type Io = Box<dyn Future<Output = Result<(), Error>> + Send>;
type Answered = Result<(Response<WasiBody>, Io), Error>;

impl WasiHttpHooks for Hooks {
    fn send_request(
        &mut self,
        mut request: Request<WasiBody>,
        options: Option<RequestOptions>,
        _: Io,
    ) -> Box<dyn Future<Output = Answered> + Send> {
        let peer = self.granted_to(&request);
        let traced = peer.as_ref().map_or(Begun::nothing(), |peer| traced(self.trace.as_ref(), &request, peer));
        if let Some(place) = traced.place() {
            carry(place, request.headers_mut());
        }
        let exchange = peer.map(|peer| Exchange {
            peer,
            label: self.label.clone(),
            granted: self.granted.clone(),
            bounds: self.bounds,
            until: Instant::now() + self.bounds.timeout,
            options: options.unwrap_or_default(),
            slot: self.under_way.clone(),
        });
        Box::new(async move {
            let answered = exchange?.run(request).await;
            match &answered {
                Ok((answer, _)) => traced.note(|span| {
                    span.record("http.response.status_code", i64::from(answer.status().as_u16()));
                }),
                Err(error) => traced.failed(|| error.to_string()),
            }
            answered
        })
    }

    fn p2_outgoing_body_chunk_size(&mut self) -> usize {
        CHUNK_BYTES
    }

    // The guest is told; the log is not a stranger's to fill.
    fn p2_error_from_hyper(&mut self, _: &hyper::Error) -> ErrorCode {
        ErrorCode::HttpProtocolError
    }

    fn p2_error_from_connect(&mut self, _: &std::io::Error) -> ErrorCode {
        ErrorCode::ConnectionRefused
    }

    fn p2_error_from_tls(&mut self, _: &std::io::Error) -> ErrorCode {
        ErrorCode::TlsProtocolError
    }
}

/// Who is asked.
#[derive(Debug, Clone)]
struct Peer {
    host: String,
    port: u16,
    tls: bool,
    /// All grants that allow the request.
    grants: Vec<HttpGrant>,
    /// What the request would have needed, to be told.
    would: HttpGrant,
}

impl Hooks {
    /// Whom the request is for, if it is granted.
    fn granted_to(&self, request: &Request<WasiBody>) -> Result<Peer, Error> {
        let uri = request.uri();
        let authority = uri.authority().ok_or(Error::HttpRequestUriInvalid)?;
        if authority.as_str().contains('@') || *request.method() == Method::CONNECT {
            self.granted.tell(&self.label, "HTTP with a user in the host, or CONNECT, is never granted");
            return Err(Error::HttpRequestDenied);
        }
        let tls = uri.scheme() == Some(&Scheme::HTTPS);
        let port = match authority.port() {
            Some(port) => port.as_str().parse().map_err(|_| Error::HttpRequestUriInvalid)?,
            None => {
                if tls {
                    443
                } else {
                    80
                }
            }
        };
        let (host, method) = (authority.host(), request.method().as_str());
        let allowing = |granted: &&HttpGrant| granted.allows(method, tls, host, port);
        let grants: Vec<_> = self.granted.grants().http.iter().filter(allowing).cloned().collect();
        let would = would(host, method, tls, port);
        if grants.is_empty() {
            let scheme = if tls { "https" } else { "http" };
            let what = format!("HTTP {method} to {scheme}://{host}:{port}");
            self.granted.tell(&self.label, &lacks(&what, &format!("http = [{would}]")));
            return Err(Error::HttpRequestDenied);
        }
        Ok(Peer { host: host.to_owned(), port, tls, grants, would })
    }
}

/// A request as a part of a trace, until its answer's head is there.
fn traced(trace: Option<&TraceContext>, request: &Request<WasiBody>, peer: &Peer) -> Begun {
    part!(
        Parent::within(trace),
        "http",
        otel.kind = "client",
        otel.name = request.method().as_str(),
        http.request.method = request.method().as_str(),
        server.address = peer.host,
        server.port = i64::from(peer.port),
        http.response.status_code = tracing::field::Empty,
    )
}

/// Tells whoever is asked where in a trace it belongs, unless the guest has told it something else.
fn carry(place: &TraceContext, headers: &mut HeaderMap) {
    if headers.contains_key(TRACEPARENT) || headers.contains_key(TRACESTATE) {
        return;
    }
    for (name, value) in place.told() {
        if let Ok(value) = HeaderValue::try_from(value) {
            headers.insert(name, value);
        }
    }
}

/// The least grant that would allow it. What no grant can name takes one for all hosts, or all methods.
fn would(host: &str, method: &str, tls: bool, port: u16) -> HttpGrant {
    let named = host.parse().ok().filter(|host| matches!(host, HostPattern::Name(_) | HostPattern::Address(_)));
    let host = named.unwrap_or(HostPattern::Any);
    let methods = match HttpGrant::new(HostPattern::Any, vec![method.to_owned()]) {
        Ok(grant) => grant.methods,
        Err(_) => vec!["*".to_owned()],
    };
    HttpGrant { host, port, tls, methods, private: false }
}

/// One request and its answer.
struct Exchange {
    peer: Peer,
    label: Arc<Label>,
    granted: Arc<Granted>,
    bounds: Bounds,
    until: Instant,
    options: RequestOptions,
    slot: Arc<()>,
}

impl Exchange {
    async fn run(self, request: Request<WasiBody>) -> Answered {
        let until = self.until;
        let answered = tokio::time::timeout_at(until, self.ask(request)).await;
        answered.unwrap_or(Err(Error::HttpResponseTimeout))
    }

    async fn ask(self, request: Request<WasiBody>) -> Answered {
        let patience = |asked: Option<Duration>| asked.unwrap_or(self.bounds.timeout).min(self.bounds.timeout);
        let connected = async {
            let stream = self.connect().await?;
            let io: Box<dyn Stream> = match self.peer.tls {
                true => Box::new(self.encrypt(stream).await?),
                false => Box::new(stream),
            };
            let mut builder = http1::Builder::new();
            builder.max_buf_size(BUFFER_BYTES).handshake(TokioIo::new(io)).await.map_err(Error::from)
        };
        let connected = tokio::time::timeout(patience(self.options.connect_timeout), connected).await;
        let (mut sender, connection) = connected.map_err(|_| Error::ConnectionTimeout)??;
        let slot = self.slot.clone();
        let connection = spawn(async move {
            let _until_it_is_closed = slot;
            // What goes wrong shows where the answer is read.
            drop(connection.await);
        });
        let request = self.outgoing(request)?;
        let answer =
            tokio::time::timeout(patience(self.options.first_byte_timeout), sender.send_request(request)).await;
        let answer = answer.map_err(|_| Error::ConnectionReadTimeout)?.map_err(refused_body)?;
        let between = patience(self.options.between_bytes_timeout);
        let (left, until) = (self.bounds.body_bytes, self.until);
        let answer = answer.map(|incoming| {
            let pause = Box::pin(tokio::time::sleep_until(until.min(Instant::now() + between)));
            Answer { incoming, limit: left, left, between, until, pause }.boxed_unsync()
        });
        let io = async move {
            connection.await;
            Ok(())
        };
        Ok((answer, Box::new(io)))
    }

    /// What goes over the wire: the path alone, and a body that is bounded.
    fn outgoing(&self, request: Request<WasiBody>) -> Result<Request<WasiBody>, Error> {
        let (mut parts, body) = request.into_parts();
        let path = parts.uri.path_and_query().map_or("/", PathAndQuery::as_str);
        parts.uri = Uri::builder().path_and_query(path).build().map_err(|_| Error::HttpRequestUriInvalid)?;
        let limit = self.bounds.body_bytes;
        let body = Limited::new(body, usize::try_from(limit).unwrap_or(usize::MAX));
        let body = body.map_err(move |error| match error.downcast::<Error>() {
            Ok(error) => *error,
            Err(_) => Error::HttpRequestBodySize(Some(limit)),
        });
        Ok(Request::from_parts(parts, body.boxed_unsync()))
    }

    /// A connection to the first address that answers, of those that a grant leads to.
    async fn connect(&self) -> Result<TcpStream, Error> {
        let found = self.addresses().await?;
        let leads = |address: &SocketAddr| {
            self.peer.grants.iter().any(|granted| granted.leads_to(&self.peer.host, address.ip()))
        };
        let (allowed, others): (Vec<_>, Vec<_>) = found.into_iter().partition(leads);
        let mut last = match others.first() {
            Some(address) if allowed.is_empty() => {
                self.tell_prohibited(address.ip());
                Error::DestinationIpProhibited
            }
            _ => Error::DestinationNotFound,
        };
        for address in allowed {
            match TcpStream::connect(address).await {
                Ok(stream) => return Ok(stream),
                Err(error) => last = Error::Connect(error),
            }
        }
        Err(last)
    }

    async fn addresses(&self) -> Result<Vec<SocketAddr>, Error> {
        let Peer { host, port, .. } = &self.peer;
        let bare = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(host);
        if let Ok(address) = bare.parse::<IpAddr>() {
            return Ok(vec![SocketAddr::new(address, *port)]);
        }
        let turn = self.granted.lookups.clone().acquire_owned().await.map_err(|_| Error::DnsTimeout)?;
        let name = (host.clone(), *port);
        let found = tokio::task::spawn_blocking(move || {
            // The thread is taken until the system's resolver is done, though nobody may wait for it any more.
            let _turn = turn;
            name.to_socket_addrs().map(Vec::from_iter)
        });
        match found.await {
            Ok(Ok(found)) => Ok(found),
            _ => Err(Error::DnsError { rcode: None, info_code: None }),
        }
    }

    fn tell_prohibited(&self, address: IpAddr) {
        let Peer { host, would, .. } = &self.peer;
        let line = match Reach::of(address) {
            Reach::Private => HttpGrant { private: true, ..would.clone() },
            _ => HttpGrant { host: HostPattern::Address(address.to_canonical()), ..would.clone() },
        };
        let what =
            format!("HTTP to {host}, which leads to {address}, an address of a private network or of this machine,");
        self.granted.tell(&self.label, &lacks(&what, &format!("http = [{line}]")));
    }

    async fn encrypt(&self, stream: TcpStream) -> Result<impl Stream + use<>, Error> {
        let host = self.peer.host.trim_matches(['[', ']']).to_owned();
        let name = ServerName::try_from(host).map_err(|_| Error::HttpRequestUriInvalid)?;
        let config = self.granted.tls.get_or_init(|| {
            let provider = Arc::new(crypto::ring::default_provider());
            let roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.into() };
            let versions = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
            let config = versions.expect("ring speaks what rustls has by default");
            Arc::new(config.with_root_certificates(roots).with_no_client_auth())
        });
        tokio_rustls::TlsConnector::from(config.clone()).connect(name, stream).await.map_err(Error::Tls)
    }
}

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// A request that failed for its own body's sake says so.
fn refused_body(error: hyper::Error) -> Error {
    let mut source = std::error::Error::source(&error);
    while let Some(inner) = source {
        if let Some(Error::HttpRequestBodySize(bytes)) = inner.downcast_ref::<Error>() {
            return Error::HttpRequestBodySize(*bytes);
        }
        source = inner.source();
    }
    Error::from(error)
}

/// The body of an answer: so many bytes, until then, and never silent for longer than agreed.
struct Answer {
    incoming: Incoming,
    limit: u64,
    left: u64,
    between: Duration,
    until: Instant,
    pause: Pin<Box<tokio::time::Sleep>>,
}

impl Body for Answer {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let now = Instant::now();
        if now >= self.until {
            return Poll::Ready(Some(Err(Error::HttpResponseTimeout)));
        }
        match Pin::new(&mut self.incoming).poll_frame(cx) {
            Poll::Ready(Some(Ok(frame))) => {
                let bytes = frame.data_ref().map_or(0, Bytes::len) as u64;
                let Some(left) = self.left.checked_sub(bytes) else {
                    return Poll::Ready(Some(Err(Error::HttpResponseBodySize(Some(self.limit)))));
                };
                self.left = left;
                let next = self.until.min(now + self.between);
                self.pause.as_mut().reset(next);
                Poll::Ready(Some(Ok(frame)))
            }
            Poll::Ready(Some(Err(error))) => Poll::Ready(Some(Err(Error::from(error)))),
            Poll::Ready(None) => Poll::Ready(None),
            Poll::Pending => match self.pause.as_mut().poll(cx) {
                Poll::Ready(()) if Instant::now() >= self.until => Poll::Ready(Some(Err(Error::HttpResponseTimeout))),
                Poll::Ready(()) => Poll::Ready(Some(Err(Error::ConnectionReadTimeout))),
                Poll::Pending => Poll::Pending,
            },
        }
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trace_goes_along_unless_the_guest_has_told_one_of_its_own() {
        let text = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        let place = TraceContext::read(text, Some("a=1")).expect("valid");
        let carried = |own: &[(&'static str, &'static str)]| {
            let own =
                own.iter().map(|(name, value)| ((*name).parse().expect("a name"), HeaderValue::from_static(value)));
            let mut headers: HeaderMap = own.collect();
            carry(&place, &mut headers);
            [TRACEPARENT, TRACESTATE].map(|name| headers.get(name).map(|value| value.as_bytes().to_vec()))
        };
        let told = |text: &str| Some(text.as_bytes().to_vec());
        assert_eq!(carried(&[]), [told(text), told("a=1")]);
        assert_eq!(carried(&[("traceparent", "mine")]), [told("mine"), None]);
        assert_eq!(carried(&[("tracestate", "mine")]), [None, told("mine")]);
    }
}
