//! Making sure that bytes are on the disk: the one place through which every sync goes.

use std::fs::{self, File};
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// What happens before a sync of a path; an error stands for the sync's own.
type BeforeSync = Arc<dyn Fn(&Path) -> io::Result<()> + Send + Sync>;

/// The disk as the store sees it. Tests make its syncs fail.
#[derive(Clone, Default)]
pub(super) struct Disk {
    before_sync: Option<BeforeSync>,
    /// Whether a sync has failed: the kernel may then show as written what is not, to whoever reads and to the next sync.
    failed: Arc<AtomicBool>,
}

impl Disk {
    /// A disk that asks `before` each sync whether it shall fail.
    #[cfg(test)]
    pub(super) fn with_faults(before: impl Fn(&Path) -> io::Result<()> + Send + Sync + 'static) -> Self {
        Self { before_sync: Some(Arc::new(before)), ..Self::default() }
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
