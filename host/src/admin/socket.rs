//! The socket file.

use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use tokio::net::{UnixListener, UnixStream};

use crate::model::{ErrorCode, HostError};

/// Its name in the data directory.
const SOCKET: &str = "baton.sock";
/// Longest path that the system takes for a socket: the 108 bytes of `sun_path` without the NUL at their end.
const PATH_BYTES: usize = 107;

/// Where the socket of the host with this data directory is.
///
/// # Errors
/// If the path is longer than the system allows for a socket, which is 107 bytes.
pub fn socket_path(data_dir: &Path) -> Result<PathBuf, HostError> {
    let path = data_dir.join(SOCKET);
    let bytes = path.as_os_str().as_bytes().len();
    if bytes <= PATH_BYTES {
        return Ok(path);
    }
    let message =
        format!("the path of the socket, {}, has {bytes} bytes, and the system allows {PATH_BYTES}", path.display());
    Err(HostError::new(ErrorCode::Config, message).hint("choose a shorter data_dir, or one relative to where you are"))
}

/// A listening socket.
#[derive(Debug)]
pub struct Socket {
    listener: UnixListener,
    path: PathBuf,
    /// Device and inode: tells our file from one that another host has put in its place.
    file: (u64, u64),
}

impl Socket {
    /// Listens at `data_dir`'s socket, which only the owner may open. The caller holds the store in that directory, so a
    /// socket that is there belongs to a host that is gone, and is replaced.
    ///
    /// # Errors
    /// If the path is too long, if something other than a socket is there, or if the system refuses.
    pub fn bind(data_dir: &Path) -> Result<Self, HostError> {
        let path = socket_path(data_dir)?;
        let fail = |what: &str, error: io::Error| {
            HostError::new(ErrorCode::Io, format!("{} {what}", path.display())).source(error)
        };
        match fs::symlink_metadata(&path) {
            Ok(found) if found.file_type().is_socket() => {
                fs::remove_file(&path).map_err(|e| fail("is left from an earlier host and cannot be removed", e))?;
            }
            Ok(_) => {
                let message = format!("{} is in the way: it is not a socket", path.display());
                return Err(HostError::new(ErrorCode::Io, message).hint("move it away"));
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(fail("cannot be looked at", error)),
        }
        // Between these two only the directory keeps others out; the store has made it its owner's alone.
        let listener = UnixListener::bind(&path).map_err(|e| fail("cannot be listened at", e))?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).map_err(|e| fail("cannot be protected", e))?;
        let made = fs::symlink_metadata(&path).map_err(|e| fail("cannot be looked at", e))?;
        Ok(Self { listener, file: (made.dev(), made.ino()), path })
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    pub(super) async fn accept(&self) -> io::Result<UnixStream> {
        self.listener.accept().await.map(|(stream, _)| stream)
    }

    /// Removes the file, if it is still ours: the store is free by now, and the next host may have put its own there.
    /// While we listen the inode is in use, so no other file can have its number.
    pub(super) fn unlink(&self) {
        let ours = fs::symlink_metadata(&self.path).is_ok_and(|found| (found.dev(), found.ino()) == self.file);
        if ours && let Err(error) = fs::remove_file(&self.path) {
            tracing::warn!(%error, path = %self.path.display(), "the socket could not be removed");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_socket_of_a_host_that_is_gone_is_replaced_and_ours_alone_is_removed() {
        let dir = tempfile::tempdir().expect("a folder");
        let old = Socket::bind(dir.path()).expect("free");
        assert_eq!(fs::metadata(old.path()).expect("there").permissions().mode() & 0o777, 0o600);
        let new = Socket::bind(dir.path()).expect("replaced");
        old.unlink();
        assert!(UnixStream::connect(new.path()).await.is_ok(), "the new host's socket stays");
        new.unlink();
        assert!(!new.path().exists());
    }

    #[tokio::test]
    async fn what_cannot_be_a_socket_is_told() {
        let dir = tempfile::tempdir().expect("a folder");
        fs::write(dir.path().join(SOCKET), b"precious").expect("written");
        let error = Socket::bind(dir.path()).expect_err("in the way").to_string();
        assert!(error.ends_with("baton.sock is in the way: it is not a socket (move it away)"), "{error}");
        assert_eq!(fs::read(dir.path().join(SOCKET)).expect("kept"), b"precious");

        let fits = PathBuf::from("d".repeat(PATH_BYTES - SOCKET.len() - 1));
        assert!(socket_path(&fits).is_ok());
        let error = socket_path(&fits.join("e")).expect_err("too long").to_string();
        assert!(error.contains("has 109 bytes, and the system allows 107 (choose a shorter data_dir"), "{error}");
    }
}
