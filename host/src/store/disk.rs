//! Making sure that bytes are on the disk: the one place through which every sync goes.

use std::fs::{self, File};
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// What happens before something is done with a path; an error stands for its own.
type Before = Arc<dyn Fn(&Path) -> io::Result<()> + Send + Sync>;

/// What happens before something is done to a file.
type BeforeWrite = Arc<dyn Fn(&Path, Change<'_>) -> io::Result<()> + Send + Sync>;

/// What is done to a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(not(test), allow(dead_code, reason = "only tests look into it"))]
pub(super) enum Change<'a> {
    /// These bytes are written at this place.
    Write(u64, &'a [u8]),
    /// It gets this length.
    Length(u64),
}

/// The disk as the store sees it. Tests make its syncs and writes fail.
#[derive(Clone, Default)]
pub(super) struct Disk {
    before_sync: Option<Before>,
    before_write: Option<BeforeWrite>,
    /// Whether a sync has failed: the kernel may then show as written what is not, to whoever reads and to the next sync.
    failed: Arc<AtomicBool>,
}

impl Disk {
    /// A disk that asks `before` each sync whether it shall fail.
    #[cfg(test)]
    pub(super) fn with_faults(before: impl Fn(&Path) -> io::Result<()> + Send + Sync + 'static) -> Self {
        Self { before_sync: Some(Arc::new(before)), ..Self::default() }
    }

    /// A disk that asks `before` each write whether it shall fail, where writes are asked for.
    #[cfg(test)]
    pub(super) fn with_write_faults(
        before: impl Fn(&Path, Change<'_>) -> io::Result<()> + Send + Sync + 'static,
    ) -> Self {
        Self { before_write: Some(Arc::new(before)), ..Self::default() }
    }

    /// The same disk, which asks `before` each sync as well.
    #[cfg(test)]
    pub(super) fn and_syncs(self, before: impl Fn(&Path) -> io::Result<()> + Send + Sync + 'static) -> Self {
        Self { before_sync: Some(Arc::new(before)), ..self }
    }

    /// To be asked before a change.
    pub(super) fn may_change(&self, path: &Path, change: Change<'_>) -> io::Result<()> {
        self.before_write.as_ref().map_or(Ok(()), |before| before(path, change))
    }

    /// Waits until the file and its length are on the disk.
    pub(super) fn sync_file(&self, file: &File, path: &Path) -> io::Result<()> {
        let synced = self.before_sync.as_ref().map_or(Ok(()), |before| before(path)).and_then(|()| file.sync_all());
        if synced.is_err() {
            self.failed.store(true, Ordering::Relaxed);
        }
        synced
    }

    /// Whether a sync has failed since the start, or since [`Disk::forgive`].
    pub(super) fn has_failed(&self) -> bool {
        self.failed.load(Ordering::Relaxed)
    }

    /// From now on only syncs to come count: everything that mattered was written anew.
    pub(super) fn forgive(&self) {
        self.failed.store(false, Ordering::Relaxed);
    }

    /// Waits until the names in a directory are on the disk.
    pub(super) fn sync_dir(&self, path: &Path) -> io::Result<()> {
        self.sync_file(&File::open(path)?, path)
    }

    /// Syncs every file below `dir`, every directory, and `dir` itself.
    pub(super) fn sync_tree(&self, dir: &Path) -> io::Result<()> {
        for entry in fs::read_dir(dir)? {
            let path = entry?.path();
            // sled removes files of its own in passing: what is gone needs no sync.
            let synced = match path.is_dir() {
                true => self.sync_tree(&path),
                false => File::open(&path).and_then(|file| self.sync_file(&file, &path)),
            };
            match synced {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                other => other?,
            }
        }
        self.sync_dir(dir)
    }
}

/// Bytes of the file at `path`, or of every file below it.
pub(super) fn bytes_at(path: &Path) -> io::Result<u64> {
    let found = match fs::symlink_metadata(path) {
        // What a backend removes in passing takes no room.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
        found => found?,
    };
    if !found.is_dir() {
        return Ok(found.len());
    }
    let mut bytes = 0;
    for entry in fs::read_dir(path)? {
        bytes += bytes_at(&entry?.path())?;
    }
    Ok(bytes)
}
