//! One process at a time: a locked file beside the store that names the process.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use super::OpenError;

/// Bytes of the lock file that are read: more than any process id has.
const PID_BYTES: u64 = 20;

/// The right to use a data directory; given up when it is dropped, and by the kernel when the process ends.
#[derive(Debug)]
pub(super) struct Lock {
    file: File,
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
        let mut file = options.open(path).map_err(io)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut text = String::new();
                // Whatever cannot be read is no number: then the error names no process.
                let _ = file.take(PID_BYTES).read_to_string(&mut text);
                return Err(OpenError::InUse { path: path.to_owned(), pid: text.trim().parse().ok() });
            }
            Err(TryLockError::Error(error)) => return Err(io(error)),
        }
        let write = |file: &mut File| {
            file.set_len(0)?;
            file.seek(SeekFrom::Start(0))?;
            writeln!(file, "{}", std::process::id())
        };
        write(&mut file).map_err(io)?;
        Ok(Self { file })
    }
}
