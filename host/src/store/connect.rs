//! From a URL to the store on that server.

use std::fs::{self, DirBuilder};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::Path;
use std::sync::Arc;

use super::lock::Lock;
#[cfg(any(feature = "mysql", feature = "postgres", feature = "redis"))]
use super::url::ServerKind;
use super::url::{ConnectError, StoreUrl};
use super::{Backend, OpenError, SnapshotStore};

/// A data directory whose state is elsewhere: what else is in it is one host's alone all the same.
#[derive(Debug)]
pub struct Premises {
    _lock: Lock,
}

impl Premises {
    /// Takes the data directory `dir` for a host whose store is at `url`; it is made if need be. Given up when it is dropped.
    ///
    /// # Errors
    /// `InUse` where another host has it; `KeptHere` where it holds a store, which must not be taken for nothing.
    pub fn take(dir: &Path, url: &StoreUrl) -> Result<Self, OpenError> {
        if let Err(source) = DirBuilder::new().recursive(true).mode(0o700).create(dir) {
            return Err(OpenError::io("make the data directory", dir, source));
        }
        let dir = fs::canonicalize(dir).map_err(|source| OpenError::io("look at the data directory", dir, source))?;
        if let Some(found) = Backend::found_in(&dir)? {
            return Err(OpenError::KeptHere { path: dir, found, url: Box::new(url.clone()) });
        }
        Ok(Self { _lock: Lock::take(&dir.join("store.lock"))? })
    }
}

/// Opens the store at `url`, of which `history` records of each actor are kept. Its tables are made if need be.
///
/// # Errors
/// Says what is wrong with the server, its settings or its tables, and what to do.
#[allow(clippy::unused_async, unused_variables, reason = "of a build with servers")]
pub async fn connect(url: &StoreUrl, history: usize) -> Result<Arc<dyn SnapshotStore>, ConnectError> {
    url.check_files().map_err(|wrong| wrong.at(url))?;
    match url.kind() {
        #[cfg(feature = "postgres")]
        ServerKind::Postgres => {
            let server = super::postgres::Postgres::connect(url).await.map_err(|wrong| wrong.at(url))?;
            Ok(Arc::new(super::served::Served::new(server, url, history)))
        }
        #[cfg(feature = "mysql")]
        ServerKind::Mysql => {
            let server = super::mysql::Mysql::connect(url).await.map_err(|wrong| wrong.at(url))?;
            Ok(Arc::new(super::served::Served::new(server, url, history)))
        }
        #[cfg(feature = "redis")]
        ServerKind::Redis => {
            let server = super::redis::Redis::connect(url).await.map_err(|wrong| wrong.at(url))?;
            Ok(Arc::new(super::served::Served::new(server, url, history)))
        }
        #[allow(unreachable_patterns, reason = "of a build with all of them")]
        kind => Err(ConnectError::NotBuilt { url: url.clone(), kind: kind.name() }),
    }
}
