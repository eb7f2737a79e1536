//! The embedded store: sled 0.34.7 in the data directory, under rules that make its promises hold on a disk that loses
//! power.
//!
//! 1. Before sled opens the directory and after, every file and directory is synced: sled does not. What sled had not
//!    finished is deleted before, and a new store comes to its place as a whole: half of either would not open.
//! 2. Records lie in chunks, so that sled makes no blob files, which it never syncs.
//! 3. Chunks and heads in one atomic step, barrier, witness, answer; of records that are together too large for one step,
//!    chunks, barrier, heads, barrier, witness, answer. A barrier is sled's flush and our own syncs; many writes share it.
//! 4. sled syncs each write of its log, where it would only have it written out: it writes over what it takes for replaced.
//!    See `syncs.rs`.
//! 5. sled's asynchronous flush is never used, nor its own flusher. One thread has sled to itself, and its panic is not
//!    the host's: after it, or after an error of the disk, the store is opened again and verified; from new files, where a
//!    sync has failed.
//! 6. A damaged record can fall back to its parent, and is kept in quarantine.
//! 7. A directory that will not open, or holds less than its witness says, is not used. Recovery moves it aside.
//! 8. One process at a time.
//!
//! In the data directory: `store/` is sled's, `store.witness` says how much it must hold, `store.lock` names the process
//! that uses it. An older copy of the whole data directory is consistent with itself, and nothing in here can tell.

mod files;
mod group;
mod nudge;
mod open;
mod recover;
mod reopen;
mod syncs;
mod tables;
mod worker;

#[cfg(test)]
mod tests;

use std::io;
use std::path::{Path, PathBuf};

use super::embedded::{ANSWER_TIMEOUT_MS, Bounds, Front, Fronted, LARGEST_RECORD_BYTES};
use super::{Backend, DEFAULT_CACHE_BYTES, head};
use super::{disk, lock, witness};
use disk::Disk;

/// How a [`SledStore`] is opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SledOptions {
    /// If the directory will not open, or holds less than it should: move it aside, keep what is good, and go on. Changes
    /// nothing where all is well.
    pub recover: bool,
    /// Largest record, in bytes: 64 MiB by default; at most 128 MiB count.
    pub largest_record_bytes: usize,
    /// What sled may keep in memory of what it has read, in bytes: 64 MiB by default.
    pub cache_bytes: u64,
    /// Milliseconds that a request may take, the wait for others included: 60,000 by default. Then a read is
    /// `Unavailable`, and a write is `Unknown`.
    pub answer_timeout_ms: u64,
    /// Records kept for each actor, the current one included: 2 to 1,000, and 3 by default. Those that are more after the
    /// number was lowered go with the actor's next commit, or when they are pruned.
    pub history_records: usize,
}

impl Default for SledOptions {
    fn default() -> Self {
        Self {
            recover: false,
            largest_record_bytes: LARGEST_RECORD_BYTES,
            cache_bytes: DEFAULT_CACHE_BYTES,
            answer_timeout_ms: ANSWER_TIMEOUT_MS,
            history_records: head::DEFAULT_HISTORY,
        }
    }
}

/// What was found when a store was opened.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Opened {
    /// Whether it was made just now.
    pub created: bool,
    /// Actors that have a head.
    pub actors: u64,
    /// Writes of heads so far.
    pub writes: u64,
    /// Records that a crash had left half-written or half-deleted, and that are gone now.
    pub orphans: usize,
    /// What an operator should know.
    pub notes: Vec<String>,
    /// What a recovery did, where there was one.
    pub recovered: Option<Recovered>,
}

/// What a recovery did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recovered {
    /// What was wrong.
    pub why: String,
    /// Where the old files are now.
    pub aside: Vec<PathBuf>,
    /// Actors that were kept.
    pub actors: u64,
    /// What was lost or is damaged, as far as that can be told; at most 1,000 lines.
    pub lost: Vec<String>,
}

/// Why a store was not opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// Another host, or another store in this process, has the directory.
    #[error("{} is in use{}: stop it, or name another data directory", path.display(), by(*pid))]
    InUse {
        /// The file that is locked.
        path: PathBuf,
        /// The process that has it, where that is known.
        pid: Option<u32>,
    },
    /// What is there cannot be trusted. Nothing was changed.
    #[error("the store in {} is damaged: {what}. Restore a copy of the data directory, or start with --recover, which moves the damaged store aside and goes on with what is good in it", path.display())]
    Damaged {
        /// The data directory.
        path: PathBuf,
        /// What is wrong.
        what: String,
    },
    /// The directory holds a store, of another backend than the one that was asked for.
    #[error("the data directory {} holds a {found} store, and {asked} was asked for: say so in the configuration, or copy it with `baton store migrate {found}:{} {asked}:DIR` into another directory", path.display(), path.display())]
    OtherBackend {
        /// The data directory.
        path: PathBuf,
        /// Whose store it holds.
        found: Backend,
        /// What was asked for.
        asked: Backend,
    },
    /// The directory holds more than one store, and which of them counts cannot be told.
    #[error("the data directory {} holds a {} store and a {} store: move the one that does not count elsewhere", path.display(), found[0], found[1])]
    Several {
        /// The data directory.
        path: PathBuf,
        /// Whose stores.
        found: [Backend; 2],
    },
    /// The directory holds a store, and one on a server was asked for.
    #[error("the data directory {} holds a {found} store, and the one at {url} was asked for: copy it with `baton store migrate {found}:{} {url}`, and move it elsewhere", path.display(), path.display())]
    KeptHere {
        /// The data directory.
        path: PathBuf,
        /// Whose store it holds.
        found: Backend,
        /// What was asked for.
        url: Box<super::StoreUrl>,
    },
    /// A file or directory could not be used.
    #[error("cannot {what} {}: {source}", path.display())]
    Io {
        /// What was tried.
        what: &'static str,
        /// On what.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
}

impl OpenError {
    pub(super) fn io(what: &'static str, path: &Path, source: io::Error) -> Self {
        Self::Io { what, path: path.to_owned(), source }
    }
}

fn by(pid: Option<u32>) -> String {
    pid.map_or_else(|| " by another process".to_owned(), |pid| format!(" by process {pid}"))
}

/// A [`super::SnapshotStore`] on the local disk. What it has acknowledged survives the loss of power.
///
/// After an error of the disk or of sled nothing is assumed: everything is answered `Unavailable` while the store is
/// opened again and verified, as often as it takes. If it then holds less than was acknowledged, it stays closed and says
/// so. The directory is free once [`super::SnapshotStore::close`] has answered, of a failed store as well; dropped without
/// it, the store ends in the background.
#[derive(Debug)]
pub struct SledStore {
    front: Front,
}

impl SledStore {
    /// Opens the store in the data directory `dir`, or makes one. Blocks: the larger the store, the longer.
    ///
    /// # Errors
    /// `InUse` where another process has it; `Damaged` where it will not open or holds less than it should; `OtherBackend`
    /// and `Several` where the directory holds a store that is not sled's; `Io` where the directory cannot be used.
    pub fn open(dir: &Path, options: &SledOptions) -> Result<(Self, Opened), OpenError> {
        Backend::Sled.alone_in(dir)?;
        Self::open_on(dir, options, Disk::default())
    }

    fn open_on(dir: &Path, options: &SledOptions, disk: Disk) -> Result<(Self, Opened), OpenError> {
        let bounds = Bounds {
            largest_record_bytes: options.largest_record_bytes,
            history_records: options.history_records,
            answer_timeout_ms: options.answer_timeout_ms,
        };
        let (place, options) = (dir.to_owned(), options.clone());
        let (front, opened) = Front::start("sled", dir, bounds, move || open::open(&place, &options, &disk))?;
        Ok((Self { front }, opened))
    }
}

impl Fronted for SledStore {
    fn front(&self) -> &Front {
        &self.front
    }
}
