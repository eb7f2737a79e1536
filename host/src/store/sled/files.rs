//! sled's directory as files, while sled does not have it open.

use std::fs::{self, DirBuilder, File, TryLockError};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use std::thread;
use std::time::Duration;

use super::disk::Disk;
use super::tables::Fault;

/// How often sled's own lock is tried: after a close it is held until sled's threads, and any process that was being
/// started meanwhile, have let go of the file. Ours says that nobody else has it.
pub(super) const LOCK_ATTEMPTS: u32 = 50;
/// Milliseconds between two attempts.
pub(super) const LOCK_PAUSE_MS: u64 = 100;

/// Whether `path` has anything in it that sled could open.
pub(super) fn has_content(path: &Path) -> io::Result<bool> {
    match fs::read_dir(path) {
        Ok(mut entries) => entries.next().transpose().map(|first| first.is_some()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// A snapshot that sled has not finished. It takes such a file for a snapshot, and refuses the directory if it is cut
/// short; the one before is deleted only once the new one has its name.
fn is_unfinished(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "generating")
}

/// Makes a directory ready for sled: nothing in it is half done, and all of it is on the disk. Else sled could note down,
/// durably, that it has read what is then gone when the power is.
pub(super) fn prepare(path: &Path, disk: &Disk) -> Result<(), Fault> {
    if !has_content(path).map_err(Fault::disk("read", path))? {
        return Ok(());
    }
    for entry in fs::read_dir(path).map_err(Fault::disk("read", path))? {
        let file = entry.map_err(Fault::disk("read", path))?.path();
        if is_unfinished(&file) {
            fs::remove_file(&file).map_err(Fault::disk("delete", &file))?;
        }
    }
    disk.sync_tree(path).map_err(Fault::disk("sync", path))
}

/// Reads every file below `dir` to its end. On a disk that fails to read, sled could take the part that it can read for
/// all there is, and write over the rest.
pub(super) fn read_through(dir: &Path) -> Result<(), Fault> {
    each(dir, &mut |path| io::copy(&mut File::open(path)?, &mut io::sink()).map(drop))
}

/// Copies sled's directory to `to`, which is not there yet, once nobody has its data file open.
pub(super) fn copy(from: &Path, to: &Path) -> Result<(), Fault> {
    let data = from.join("db");
    let _held = lock(&data).map_err(Fault::disk("lock", &data))?;
    // As the store's own: its owner's alone.
    let make = |path: &Path| DirBuilder::new().mode(0o700).create(path);
    make(to).and_then(|()| make(&to.join("blobs"))).map_err(Fault::disk("make", to))?;
    each(from, &mut |path| match path.strip_prefix(from) {
        Ok(below) if !is_unfinished(path) => {
            let (mut source, mut target) = (File::open(path)?, File::create_new(to.join(below))?);
            io::copy(&mut source, &mut target).map(drop)
        }
        _ => Ok(()),
    })
}

/// sled's own lock.
fn lock(data: &Path) -> io::Result<File> {
    let file = File::open(data)?;
    for _ in 1..LOCK_ATTEMPTS {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) => thread::sleep(Duration::from_millis(LOCK_PAUSE_MS)),
            Err(TryLockError::Error(error)) => return Err(error),
        }
    }
    file.try_lock()?;
    Ok(file)
}

/// Visits every file below `dir`. What is removed meanwhile is no matter.
fn each(dir: &Path, visit: &mut impl FnMut(&Path) -> io::Result<()>) -> Result<(), Fault> {
    for entry in fs::read_dir(dir).map_err(Fault::disk("read", dir))? {
        let path = entry.map_err(Fault::disk("read", dir))?.path();
        let visited = match path.is_dir() {
            true => each(&path, visit),
            false => visit(&path).map_err(Fault::disk("read or copy", &path)),
        };
        match visited {
            Err(Fault::Disk { error, .. }) if error.kind() == io::ErrorKind::NotFound => {}
            other => other?,
        }
    }
    Ok(())
}
