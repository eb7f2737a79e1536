//! The second embedded store: redb, one file in the data directory that takes little more room than what is in it.
//!
//! redb keeps a B-tree that is never changed in place, with a checksum of every page, and a commit is one synced write. So
//! less is done here than for sled:
//!
//! 1. Many writes share one transaction: records, heads and their count, all or none. Then the witness, then the answers.
//! 2. Each opening checks every page, before anything is believed. A file that is damaged, or holds less than its witness
//!    says, is not used. Recovery moves it aside.
//! 3. One thread has redb to itself, and its panic is not the host's: after it, or after an error of the disk, the store is
//!    opened again and verified; from a new file, where a sync has failed.
//! 4. A file that is mostly room left over is made smaller when nobody waits.
//! 5. One process at a time.
//!
//! In the data directory: `store.redb` is redb's, `store.witness` says how much it must hold, `store.lock` names the
//! process that uses it.

mod backend;
mod open;
mod recover;
mod reopen;
mod salvage;
mod tables;
mod worker;

#[cfg(test)]
mod tests;

use std::path::Path;

use super::disk::Disk;
use super::embedded::{ANSWER_TIMEOUT_MS, Bounds, Front, Fronted, LARGEST_RECORD_BYTES};
use super::{Backend, DEFAULT_CACHE_BYTES, OpenError, Opened, head};

/// How a [`RedbStore`] is opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RedbOptions {
    /// If the file will not open, or holds less than it should: move it aside, keep what is good, and go on. Changes
    /// nothing where all is well.
    pub recover: bool,
    /// Largest record, in bytes: 64 MiB by default; at most 128 MiB count.
    pub largest_record_bytes: usize,
    /// What redb may keep in memory of what it has read and is writing, in bytes: 64 MiB by default.
    pub cache_bytes: usize,
    /// Milliseconds that a request may take, the wait for others included: 60,000 by default. Then a read is
    /// `Unavailable`, and a write is `Unknown`.
    pub answer_timeout_ms: u64,
    /// Records kept for each actor, the current one included: 2 to 1,000, and 3 by default. Those that are more after the
    /// number was lowered go with the actor's next commit, or when they are pruned.
    pub history_records: usize,
}

impl Default for RedbOptions {
    fn default() -> Self {
        Self {
            recover: false,
            largest_record_bytes: LARGEST_RECORD_BYTES,
            cache_bytes: usize::try_from(DEFAULT_CACHE_BYTES).unwrap_or(usize::MAX),
            answer_timeout_ms: ANSWER_TIMEOUT_MS,
            history_records: head::DEFAULT_HISTORY,
        }
    }
}

/// A [`super::SnapshotStore`] on the local disk. What it has acknowledged survives the loss of power.
///
/// After an error of the disk or of redb nothing is assumed: everything is answered `Unavailable` while the store is
/// opened again and verified, as often as it takes. If it then holds less than was acknowledged, it stays closed and says
/// so. The directory is free once [`super::SnapshotStore::close`] has answered, of a failed store as well; dropped without
/// it, the store ends in the background.
#[derive(Debug)]
pub struct RedbStore {
    front: Front,
}

impl RedbStore {
    /// Opens the store in the data directory `dir`, or makes one. Blocks, and reads all of it: the larger the store, the
    /// longer.
    ///
    /// # Errors
    /// `InUse` where another process has it; `Damaged` where it will not open or holds less than it should; `OtherBackend`
    /// and `Several` where the directory holds a store that is not redb's; `Io` where the directory cannot be used.
    pub fn open(dir: &Path, options: &RedbOptions) -> Result<(Self, Opened), OpenError> {
        Backend::Redb.alone_in(dir)?;
        Self::open_on(dir, options, Disk::default())
    }

    fn open_on(dir: &Path, options: &RedbOptions, disk: Disk) -> Result<(Self, Opened), OpenError> {
        let bounds = Bounds {
            largest_record_bytes: options.largest_record_bytes,
            history_records: options.history_records,
            answer_timeout_ms: options.answer_timeout_ms,
        };
        let (place, options) = (dir.to_owned(), options.clone());
        let (front, opened) = Front::start("redb", dir, bounds, move || open::open(&place, &options, &disk))?;
        Ok((Self { front }, opened))
    }
}

impl Fronted for RedbStore {
    fn front(&self) -> &Front {
        &self.front
    }
}
