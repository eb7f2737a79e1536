//! Where the HTTP API listens on TCP.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

/// Connections over TCP at once unless told.
pub const API_CONNECTIONS: usize = 512;
/// Most of them that can be asked for.
pub const MOST_API_CONNECTIONS: usize = 10_000;
/// How long a client over TCP may take, unless told.
pub const API_CLIENT_TIMEOUT: Duration = Duration::from_secs(30);

/// The HTTP API over TCP: where, and what its clients must show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiSettings {
    /// Where it listens; port 0: one that is free.
    pub listen: SocketAddr,
    /// The file of the tokens.
    pub tokens: PathBuf,
    /// The certificate chain and the key, both PEM; none: plain HTTP, which is for loopback addresses alone.
    pub tls: Option<ApiTls>,
    /// Connections at once; further ones are told to come again.
    pub connections: usize,
    /// How long a client may take for a request's head, leave its connection idle, or take nothing of an answer that waits
    /// for it.
    pub client_timeout: Duration,
}

/// What the host shows its clients.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiTls {
    /// The certificate chain, its own certificate first, PEM.
    pub certificate: PathBuf,
    /// Its key, PEM.
    pub key: PathBuf,
}
