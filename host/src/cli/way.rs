//! The way to a host: its socket in a data directory, or a URL with a token.

use std::fmt;
use std::io;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use hyper::Uri;
use hyper::http::uri::Scheme;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use super::output::Failure;

/// Largest file of a token or of certificates, in bytes.
const FILE_BYTES: u64 = 1 << 20;

/// Where requests go.
#[derive(Clone)]
pub(super) enum Way {
    Socket(PathBuf),
    Remote(Arc<Remote>),
}

/// A host over TCP.
pub(super) struct Remote {
    url: String,
    /// Of the header `Host`.
    authority: String,
    host: String,
    port: u16,
    tls: Option<(TlsConnector, ServerName<'static>)>,
    token: Option<String>,
}

impl fmt::Debug for Way {
    /// Without the token.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Way({self})")
    }
}

impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Socket(path) => path.display().fmt(f),
            Self::Remote(remote) => f.write_str(&remote.url),
        }
    }
}

impl Way {
    /// To a URL such as `https://plugins.example:7766`. `ca`: certificates that are trusted beside those that everybody trusts.
    pub(super) fn remote(url: &str, token: Option<String>, ca: Option<&Path>) -> Result<Self, Failure> {
        let wrong =
            |why: &str| Failure::usage(format!("--url {url}: {why}")).hint("such as https://plugins.example:7766");
        let uri: Uri = url.parse().map_err(|error| wrong(&format!("is no URL: {error}")))?;
        let tls = match uri.scheme() {
            Some(scheme) if *scheme == Scheme::HTTPS => true,
            Some(scheme) if *scheme == Scheme::HTTP => false,
            _ => return Err(wrong("is to begin with https:// or http://")),
        };
        let authority = uri.authority().ok_or_else(|| wrong("names no host"))?;
        if !matches!(uri.path(), "" | "/") || uri.query().is_some() || authority.as_str().contains('@') {
            return Err(wrong("is to be a host and a port, and nothing else"));
        }
        let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_owned();
        if !tls && !is_loopback(&host) {
            return Err(wrong("would send the token where others may read it: use https://"));
        }
        let tls = if tls {
            let name = ServerName::try_from(host.clone()).map_err(|error| wrong(&error.to_string()))?;
            Some((connector(ca)?, name))
        } else {
            None
        };
        let port = authority.port_u16().unwrap_or(if tls.is_some() { 443 } else { 80 });
        let (url, authority) = (url.trim_end_matches('/').to_owned(), authority.as_str().to_owned());
        Ok(Self::Remote(Arc::new(Remote { url, authority, host, port, tls, token })))
    }

    /// Whether it leads to this machine's own data directory.
    pub(super) fn is_socket(&self) -> bool {
        matches!(self, Self::Socket(_))
    }

    /// What the header `Host` says.
    pub(super) fn authority(&self) -> &str {
        match self {
            Self::Socket(_) => "baton",
            Self::Remote(remote) => &remote.authority,
        }
    }

    pub(super) fn token(&self) -> Option<&str> {
        match self {
            Self::Socket(_) => None,
            Self::Remote(remote) => remote.token.as_deref(),
        }
    }

    /// What to do where no host answers.
    pub(super) fn hint(&self) -> &'static str {
        match self {
            Self::Socket(_) => "start one with `baton run`, or name its data directory with --data-dir",
            Self::Remote(_) => "see that `listen` in its [api] is this address, and that it can be reached from here",
        }
    }

    pub(super) async fn connect(&self) -> io::Result<Box<dyn Stream>> {
        let remote = match self {
            Self::Socket(path) => return Ok(Box::new(UnixStream::connect(path).await?)),
            Self::Remote(remote) => remote,
        };
        let stream = TcpStream::connect((remote.host.as_str(), remote.port)).await?;
        stream.set_nodelay(true)?;
        match &remote.tls {
            None => Ok(Box::new(stream)),
            Some((connector, name)) => Ok(Box::new(connector.connect(name.clone(), stream).await?)),
        }
    }
}

fn is_loopback(host: &str) -> bool {
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

fn connector(ca: Option<&Path>) -> Result<TlsConnector, Failure> {
    let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.into() };
    if let Some(path) = ca {
        let wrong = |why: &dyn fmt::Display| Failure::usage(format!("--ca {}: {why}", path.display()));
        let pem = read(path).map_err(|error| wrong(&error))?;
        let mut found = 0;
        for certificate in CertificateDer::pem_slice_iter(pem.as_bytes()) {
            roots.add(certificate.map_err(|error| wrong(&error))?).map_err(|error| wrong(&error))?;
            found += 1;
        }
        if found == 0 {
            return Err(wrong(&"holds no certificate, PEM"));
        }
    }
    let versions =
        ClientConfig::builder_with_provider(Arc::new(ring::default_provider())).with_safe_default_protocol_versions();
    let builder = versions.map_err(|error| Failure::new(format!("TLS cannot be had: {error}")))?;
    let mut config = builder.with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(TlsConnector::from(Arc::new(config)))
}

/// The token that stands in a file.
pub(super) fn token_in(path: &Path) -> Result<String, Failure> {
    let text = read(path).map_err(|error| Failure::usage(format!("--token-file {}: {error}", path.display())))?;
    Ok(text.trim().to_owned())
}

fn read(path: &Path) -> io::Result<String> {
    if std::fs::metadata(path)?.len() > FILE_BYTES {
        return Err(io::Error::other(format!("it has more than {FILE_BYTES} bytes")));
    }
    std::fs::read_to_string(path)
}

/// A connection of either kind.
pub(super) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_a_scheme_a_host_and_a_port_and_no_token_goes_over_a_wire_in_the_clear() {
        for url in
            ["https://plugins.example", "https://h:1/", "http://localhost:1", "http://127.0.0.1:1", "http://[::1]:1"]
        {
            let way =
                Way::remote(url, Some("secret".into()), None).unwrap_or_else(|failure| panic!("{url}: {failure:?}"));
            assert_eq!(way.to_string(), url.trim_end_matches('/'));
            assert!(!format!("{way:?}").contains("secret"));
        }
        for (url, expected) in [
            ("plugins.example", "is to begin with"),
            ("ftp://h", "is to begin with"),
            ("http://plugins.example", "others may read it"),
            ("http://10.0.0.1:7766", "others may read it"),
            ("https://h/v1", "nothing else"),
            ("https://a:b@h", "nothing else"),
            ("https://h?x", "nothing else"),
        ] {
            let failure = Way::remote(url, None, None).err().unwrap_or_else(|| panic!("{url} is taken"));
            let (why, _) = failure.words();
            assert!(why.contains(expected), "{url}: {why}");
        }
    }
}
