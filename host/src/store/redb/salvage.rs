//! Reading a file that redb would not open, without changing it.
//!
//! redb opens for reading alone what was closed in order and fits its header. So the file is shown to it as one that was:
//! without the mark that asks for a repair, as long as its header says, and once with each of its two last commits. What
//! is read that way is believed for its own checksums only: those of heads, records and counts.

use std::fs::File;
use std::io;
use std::ops::Bound;
use std::os::unix::fs::FileExt;
use std::path::Path;

use ::redb::{BackendError, ConcurrencyMode, Database, ReadOnlyDatabase, ReadableDatabase as _, StorageBackend};

use super::tables::{Fault, Reader};

/// Bytes of the header up to its numbers of regions.
const HEADER_BYTES: usize = 32;
/// Where the byte lies that says which commit counts and whether a repair is due.
const GOD_BYTE: usize = 9;
/// Its bit for the commit that counts.
const PRIMARY: u8 = 1;
/// Its bits that say how the last writer left: a repair is due, in two phases, not yet synced.
const LEFT: u8 = 2 | 4 | 8;

/// Which of the two commits in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Commit {
    /// The one that the file says counts.
    Last,
    /// The one before it, or one that was under way.
    Other,
}

/// The file as it is shown to redb.
#[derive(Debug)]
struct Shown {
    file: File,
    bytes: u64,
    god: Option<u8>,
    shown: u64,
}

impl Shown {
    fn open(path: &Path, commit: Commit) -> io::Result<Self> {
        let file = File::open(path)?;
        let bytes = file.metadata()?.len();
        let mut header = [0; HEADER_BYTES];
        if bytes < HEADER_BYTES as u64 {
            return Ok(Self { file, bytes, god: None, shown: bytes });
        }
        file.read_exact_at(&mut header, 0)?;
        let other = if commit == Commit::Other { PRIMARY } else { 0 };
        Ok(Self { file, bytes, god: Some((header[GOD_BYTE] & !LEFT) ^ other), shown: length(&header).max(bytes) })
    }
}

/// Bytes that a file with this header should have; 0 where its numbers make no sense.
fn length(header: &[u8; HEADER_BYTES]) -> u64 {
    let [page, head, most, full, trailing] = [12, 16, 20, 24, 28].map(|at| {
        let mut number = [0; 4];
        number.copy_from_slice(&header[at..at + 4]);
        u64::from(u32::from_le_bytes(number))
    });
    let last = if trailing > 0 { head + trailing } else { 0 };
    // None of them is larger than 32 bits, so that only the last product can be too large.
    let pages = 1 + full.saturating_mul(head + most) + last;
    pages.saturating_mul(page)
}

impl StorageBackend for Shown {
    fn len(&self) -> io::Result<u64> {
        Ok(self.shown)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        out.fill(0);
        let there = usize::try_from(self.bytes.saturating_sub(offset)).unwrap_or(usize::MAX).min(out.len());
        self.file.read_exact_at(&mut out[..there], offset)?;
        let god = usize::try_from((GOD_BYTE as u64).wrapping_sub(offset)).unwrap_or(usize::MAX);
        if let (Some(byte), Some(god)) = (out.get_mut(god), self.god) {
            *byte = god;
        }
        Ok(())
    }

    fn set_len(&self, _: u64) -> io::Result<()> {
        Err(io::ErrorKind::ReadOnlyFilesystem.into())
    }

    fn sync_data(&self) -> io::Result<()> {
        Ok(())
    }

    fn write(&self, _: u64, _: &[u8]) -> io::Result<()> {
        Err(io::ErrorKind::ReadOnlyFilesystem.into())
    }

    // Nobody else has the file: the store's own lock says so.
    fn try_lock_range(&self, _: Bound<u64>, _: Bound<u64>) -> Result<bool, BackendError> {
        Ok(true)
    }

    fn try_lock_shared_range(&self, _: Bound<u64>, _: Bound<u64>) -> Result<bool, BackendError> {
        Ok(true)
    }

    fn lock_range(&self, _: Bound<u64>, _: Bound<u64>) -> Result<(), BackendError> {
        Ok(())
    }

    fn lock_shared_range(&self, _: Bound<u64>, _: Bound<u64>) -> Result<(), BackendError> {
        Ok(())
    }

    fn unlock_range(&self, _: Bound<u64>, _: Bound<u64>) -> Result<(), BackendError> {
        Ok(())
    }

    fn query_lock_range(&self, _: Bound<u64>, _: Bound<u64>) -> Result<bool, BackendError> {
        Ok(false)
    }
}

/// A file that is open to be read, whatever state it is in.
pub(super) struct Salvage {
    pub(super) reader: Reader,
    /// Kept open for as long as it is read.
    _db: ReadOnlyDatabase,
}

impl Salvage {
    /// Opens the file at `path`. May panic.
    pub(super) fn open(path: &Path, cache_bytes: usize, commit: Commit) -> Result<Self, Fault> {
        let shown = Shown::open(path, commit).map_err(Fault::disk("read", path))?;
        let mut builder = Database::builder();
        // The one mode in which reading needs nothing but the tree itself.
        builder.set_cache_size(cache_bytes).set_concurrency_mode(ConcurrencyMode::SingleWriter);
        let db = builder.open_read_only_with_backend(shown).map_err(Fault::redb(path))?;
        let transaction = db.begin_read().map_err(Fault::redb(path))?;
        Ok(Self { reader: Reader::new(&transaction, path)?, _db: db })
    }
}
