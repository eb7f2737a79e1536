//! One process at a time: a locked file beside the store that names the process, and says whether a sync has failed.
//!
//! What the kernel shows of a file whose sync has failed outlives the process: so does this mark, as long as the kernel.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;

use super::OpenError;

/// Bytes of the lock file that are read: more than a process id and the mark have.
const READ_BYTES: u64 = 64;
/// The second line of a lock file whose store may be on the disk in parts alone.
const UNSYNCED: &str = "unsynced";

/// The right to use a data directory; given up when it is dropped, and by the kernel when the process ends.
#[derive(Debug)]
pub(super) struct Lock {
    file: File,
    unsynced: bool,
}

impl Drop for Lock {
    fn drop(&mut self) {
        // Closing alone would not do: a process that is being started at this moment has the file open as well, until it
        // becomes another program. An error leaves it to the close.
        let _ = self.file.unlock();
    }
}

impl Lock {
    /// Takes the lock, without waiting.
    pub(super) fn take(path: &Path) -> Result<Self, OpenError> {
        let io = |source| OpenError::io("lock", path, source);
        let options = OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).clone();
        let file = options.open(path).map_err(io)?;
        let locked = file.try_lock();
        let mut text = String::new();
        // Whatever cannot be read is no number, and then the error names no process; and it is no mark.
        let _ = (&file).take(READ_BYTES).read_to_string(&mut text);
        let mut lines = text.lines();
        let pid = lines.next().and_then(|line| line.trim().parse().ok());
        match locked {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(OpenError::InUse { path: path.to_owned(), pid }),
            Err(TryLockError::Error(error)) => return Err(io(error)),
        }
        let lock = Self { file, unsynced: lines.next() == Some(UNSYNCED) };
        lock.write().map_err(io)?;
        Ok(lock)
    }

    /// Whether a sync has failed, here or in a process before, and the store was not written anew since.
    pub(super) fn is_unsynced(&self) -> bool {
        self.unsynced
    }

    /// Keeps that for whoever opens next, as well as a disk that fails can.
    pub(super) fn mark(&mut self, unsynced: bool) {
        if self.unsynced != unsynced {
            self.unsynced = unsynced;
            // This process knows in any case; only the next one may not.
            let _ = self.write();
        }
    }

    fn write(&self) -> io::Result<()> {
        let mark = if self.unsynced { UNSYNCED } else { "" };
        let text = format!("{}\n{mark}", std::process::id());
        // In this order it needs no room that it does not have already, on a disk that is full.
        self.file.write_all_at(text.as_bytes(), 0)?;
        self.file.set_len(text.len() as u64)
    }
}
