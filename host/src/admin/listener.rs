//! Where clients come in: the Unix socket of the host's owner, and TCP for those who have a token.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream, UnixStream};

use super::access::Access;
use super::socket::Socket;
use crate::model::{ApiSettings, ErrorCode, HostError};

/// The TCP listener of the API, with what its clients must show.
#[derive(Debug)]
pub struct Tcp {
    listener: TcpListener,
    address: SocketAddr,
    access: Arc<Access>,
    connections: usize,
    client_timeout: Duration,
}

impl Tcp {
    /// Reads the tokens and certificates, and listens.
    ///
    /// # Errors
    /// `Config`, if a file cannot be used; `Io`, if the system refuses the address.
    pub async fn bind(settings: &ApiSettings) -> Result<Self, HostError> {
        let access = Access::read(&settings.tokens, settings.tls.as_ref())?;
        let fail = |error: io::Error| {
            let message = format!("the API cannot listen at {}", settings.listen);
            HostError::new(ErrorCode::Io, message)
                .source(error)
                .hint("free the address, or choose another one for `listen` in [api]")
        };
        let listener = TcpListener::bind(settings.listen).await.map_err(fail)?;
        let address = listener.local_addr().map_err(fail)?;
        let (connections, client_timeout) = (settings.connections, settings.client_timeout);
        Ok(Self { listener, address, access: Arc::new(access), connections, client_timeout })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its address for a browser or a client.
    #[must_use]
    pub fn url(&self) -> String {
        let scheme = if self.access.tls().is_some() { "https" } else { "http" };
        format!("{scheme}://{}", self.address)
    }

    /// The tokens and certificates, to read again.
    #[must_use]
    pub fn access(&self) -> Arc<Access> {
        Arc::clone(&self.access)
    }
}

/// Where a client over TCP is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Peer(pub(super) SocketAddr);

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A client that has come.
pub(super) enum Arrival {
    Owner(UnixStream),
    Peer(TcpStream, Peer, Arc<Access>),
}

/// One of the two.
pub(super) enum Listener {
    Unix(Socket),
    Tcp(Tcp),
}

impl Listener {
    pub(super) async fn accept(&self) -> io::Result<Arrival> {
        match self {
            Self::Unix(socket) => socket.accept().await.map(Arrival::Owner),
            Self::Tcp(tcp) => {
                let (stream, address) = tcp.listener.accept().await?;
                // Answers are written in one piece; waiting for more would only delay them.
                stream.set_nodelay(true)?;
                Ok(Arrival::Peer(stream, Peer(address), Arc::clone(&tcp.access)))
            }
        }
    }

    /// Connections at once.
    pub(super) fn connections(&self) -> usize {
        match self {
            Self::Unix(_) => super::CONNECTIONS,
            Self::Tcp(tcp) => tcp.connections,
        }
    }

    /// How long a client may do nothing.
    pub(super) fn client_timeout(&self) -> Duration {
        match self {
            Self::Unix(_) => super::CLIENT_TIMEOUT,
            Self::Tcp(tcp) => tcp.client_timeout,
        }
    }

    /// Nobody can connect from here on.
    pub(super) fn close(&self) {
        if let Self::Unix(socket) = self {
            socket.unlink();
        }
    }
}
