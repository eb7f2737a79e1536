//! The way to a collector: HTTP/1.1, by TLS where its address says so, a connection for each batch.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::client::conn::http1;
use hyper::header::{HOST, HeaderValue};
use hyper::http::uri::{Authority, PathAndQuery, Scheme};
use hyper::{Request, Response, Uri};
use hyper_util::rt::TokioIo;
use opentelemetry_http::{HttpClient, HttpError};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore, crypto};

/// Bytes that are read of a collector's answer.
const ANSWER_BYTES: usize = 64 << 10;

/// Sends what the exporter makes. How long it may take is its caller's business.
#[derive(Debug)]
pub(super) struct Client {
    /// Trusted beside those that everybody trusts.
    ca: Vec<CertificateDer<'static>>,
    /// How TLS is spoken: made with the first request that needs it.
    tls: OnceLock<Arc<ClientConfig>>,
}

type Sending<'a> = Pin<Box<dyn Future<Output = Result<Response<Bytes>, HttpError>> + Send + 'a>>;

impl HttpClient for Client {
    fn send_bytes<'life0, 'async_trait>(&'life0 self, request: Request<Bytes>) -> Sending<'async_trait>
    where
        'life0: 'async_trait,
        Self: 'async_trait,
    {
        Box::pin(self.send(request))
    }
}

/// # Errors
/// Says what is wrong with them.
pub(super) fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, String> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    let found = found.map_err(|error| format!("is no PEM: {error}"))?;
    let mut roots = RootCertStore::empty();
    for certificate in &found {
        roots.add(certificate.clone()).map_err(|error| format!("holds a certificate that cannot be read: {error}"))?;
    }
    if found.is_empty() { Err("holds no certificate".to_owned()) } else { Ok(found) }
}

impl Client {
    pub(super) fn trusting(ca: Vec<CertificateDer<'static>>) -> Self {
        Self { ca, tls: OnceLock::new() }
    }

    async fn send(&self, mut request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let Peer { authority, host, port, tls } = Peer::of(request.uri())?;
        let path = request.uri().path_and_query().cloned().unwrap_or(PathAndQuery::from_static("/"));
        request.headers_mut().insert(HOST, HeaderValue::from_str(authority.as_str())?);
        *request.uri_mut() = Uri::from(path);
        let stream = TcpStream::connect((host.as_str(), port)).await?;
        match tls {
            false => exchange(stream, request).await,
            true => {
                let name = ServerName::try_from(host)?;
                exchange(TlsConnector::from(self.tls().clone()).connect(name, stream).await?, request).await
            }
        }
    }

    fn tls(&self) -> &Arc<ClientConfig> {
        self.tls.get_or_init(|| {
            let provider = Arc::new(crypto::ring::default_provider());
            let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.into() };
            // Each of them was read before.
            roots.add_parsable_certificates(self.ca.iter().cloned());
            let versions = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
            let config = versions.expect("ring speaks what rustls has by default");
            Arc::new(config.with_root_certificates(roots).with_no_client_auth())
        })
    }
}

/// Who is asked.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Peer {
    authority: Authority,
    host: String,
    port: u16,
    tls: bool,
}

impl Peer {
    /// # Errors
    /// Says why nobody can be asked at this address.
    pub(super) fn of(uri: &Uri) -> Result<Self, io::Error> {
        let tls = uri.scheme() == Some(&Scheme::HTTPS);
        if !tls && uri.scheme() != Some(&Scheme::HTTP) {
            return Err(io::Error::other("it does not begin with http:// or https://"));
        }
        let authority = uri.authority().ok_or_else(|| io::Error::other("it names no host"))?.clone();
        let host = authority.host().trim_matches(['[', ']']).to_owned();
        if host.is_empty() || authority.as_str().contains('@') {
            return Err(io::Error::other("it is to name a host, and no user"));
        }
        let port = authority.port_u16().unwrap_or(if tls { 443 } else { 80 });
        Ok(Self { authority, host, port, tls })
    }
}

async fn exchange<S>(stream: S, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    let exchanged = async {
        let (head, body) = sender.send_request(request.map(Full::new)).await?.into_parts();
        let body = Limited::new(body, ANSWER_BYTES).collect().await?.to_bytes();
        Ok(Response::from_parts(head, body))
    };
    // Both end with this: nothing of a connection is left that nobody waits for.
    let mut connection = std::pin::pin!(connection);
    let mut exchanged = std::pin::pin!(exchanged);
    tokio::select! {
        biased;
        answer = &mut exchanged => answer,
        ended = &mut connection => {
            // Its last bytes may hold the answer.
            if let Err(error) = ended { return Err(error.into()) }
            exchanged.await
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_collector_has_an_address_that_says_how_it_is_spoken_to() {
        let of = |text: &'static str| Peer::of(&Uri::from_static(text));
        let peer = of("https://collector.example/v1/traces").expect("an address");
        assert_eq!((peer.host.as_str(), peer.port, peer.tls), ("collector.example", 443, true));
        let peer = of("http://[::1]:4318/v1/traces").expect("an address");
        assert_eq!((peer.host.as_str(), peer.port, peer.tls), ("::1", 4318, false));
        for bad in ["/v1/traces", "ftp://collector/", "http://me@collector/"] {
            assert!(of(bad).is_err(), "{bad}");
        }
    }
}
