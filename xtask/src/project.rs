//! Where things are: the repository, the target folder, cargo.

use std::ffi::OsString;
use std::fs::{File, TryLockError};
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::failure::{Doing, Failure, Result};
use crate::process::{Interrupt, capture};
use crate::progress::say;

/// What every command needs to know.
#[derive(Debug)]
pub(crate) struct Project {
    /// The repository's root.
    pub(crate) root: PathBuf,
    /// The root workspace's target folder.
    pub(crate) target: PathBuf,
    /// The oldest compiler that builds this, as (major, minor).
    pub(crate) rust_version: (u32, u32),
    /// Raised when we are to stop.
    pub(crate) interrupt: Interrupt,
    cargo: OsString,
}

impl Project {
    /// Finds them. `cargo xtask` names cargo and this package's folder in the environment; without it (the binary was
    /// started by hand) cargo is looked for on PATH, and the folder is the one that this was built in.
    pub(crate) fn find(interrupt: &Interrupt) -> Result<Self> {
        let package = std::env::var_os("CARGO_MANIFEST_DIR").unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into());
        let root = Path::new(&package).parent().map(Path::to_path_buf);
        let root = root.filter(|root| root.join("Cargo.toml").is_file()).ok_or_else(|| {
            Failure::new(format!("no workspace above {}; run this as `cargo xtask`", Path::new(&package).display()))
        })?;
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let mut metadata = Command::new(&cargo);
        metadata.args(["metadata", "--no-deps", "--format-version", "1", "--manifest-path"]);
        let answer = capture(metadata.arg(root.join("Cargo.toml")), interrupt)?;
        let answer: Value = serde_json::from_str(&answer).doing(|| "reading cargo's metadata".to_owned())?;
        let target = answer["target_directory"].as_str().map(PathBuf::from);
        let target = target.ok_or_else(|| Failure::new("cargo's metadata names no target_directory"))?;
        Ok(Project { root, target, rust_version: oldest_rust(&answer), interrupt: interrupt.clone(), cargo })
    }

    /// `cargo` in the root workspace, with its target folder fixed.
    pub(crate) fn cargo(&self) -> Command {
        self.cargo_into(&self.target)
    }

    /// `cargo` from the root, building into `target`.
    pub(crate) fn cargo_into(&self, target: &Path) -> Command {
        let mut command = Command::new(&self.cargo);
        command.current_dir(&self.root).env("CARGO_TARGET_DIR", target);
        if !std::io::stderr().is_terminal() {
            command.env("CARGO_TERM_PROGRESS_WHEN", "never");
        }
        command
    }

    /// The manifest of the guests' own workspace.
    pub(crate) fn plugins_manifest(&self) -> PathBuf {
        self.root.join("plugins/Cargo.toml")
    }

    /// Where guests, ready to be loaded, are put.
    pub(crate) fn guests_out(&self) -> PathBuf {
        self.target.join("guests/out")
    }

    /// The binary `baton`, as the dev profile builds it.
    pub(crate) fn baton(&self) -> PathBuf {
        self.target.join("debug/baton")
    }

    /// Keeps other runs of these commands out of the target folder until the file is closed.
    pub(crate) fn lock(&self) -> Result<File> {
        make_dir(&self.target)?;
        let path = self.target.join("xtask.lock");
        let file = File::create(&path).doing(|| format!("cannot create {}", path.display()))?;
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) => say("another `cargo xtask` works in this target folder; waiting for it"),
            Err(TryLockError::Error(cause)) => {
                return Err(Failure::new(format!("cannot lock {}: {cause}", path.display())));
            }
        }
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(file),
                Err(TryLockError::WouldBlock) => self.interrupt.check()?,
                Err(TryLockError::Error(cause)) => {
                    return Err(Failure::new(format!("cannot lock {}: {cause}", path.display())));
                }
            }
            std::thread::sleep(std::time::Duration::from_millis(200));
        }
    }
}

/// Makes `path` and the folders above it.
pub(crate) fn make_dir(path: &Path) -> Result<()> {
    std::fs::create_dir_all(path).doing(|| format!("cannot create the folder {}", path.display()))
}

/// Removes `path` with all that is in it, if it is there.
pub(crate) fn remove_dir(path: &Path) -> Result<()> {
    match std::fs::remove_dir_all(path) {
        Err(cause) if cause.kind() != std::io::ErrorKind::NotFound => {
            Err(Failure::new(format!("cannot remove the folder {}: {cause}", path.display())))
        }
        _ => Ok(()),
    }
}

fn oldest_rust(metadata: &Value) -> (u32, u32) {
    let packages = metadata["packages"].as_array().map_or(&[][..], Vec::as_slice);
    let versions = packages.iter().filter_map(|package| package["rust_version"].as_str());
    versions.filter_map(major_minor).max().unwrap_or((0, 0))
}

/// The first two numbers of a version, whatever follows them.
pub(crate) fn major_minor(version: &str) -> Option<(u32, u32)> {
    let mut numbers = version.split(|c: char| !c.is_ascii_digit());
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_in_every_spelling() {
        for (version, expected) in [
            ("1.95", Some((1, 95))),
            ("1.96.0+dfsg1-1~deb12u2", Some((1, 96))),
            ("1.85.0", Some((1, 85))),
            ("1", None),
            ("(none)", None),
            ("", None),
        ] {
            assert_eq!(major_minor(version), expected, "{version}");
        }
    }

    #[test]
    fn the_oldest_compiler_is_the_newest_that_any_member_asks_for() {
        let metadata = serde_json::json!({"packages": [{"rust_version": "1.80"}, {"rust_version": "1.95"}, {"rust_version": null}]});
        assert_eq!(oldest_rust(&metadata), (1, 95));
        assert_eq!(oldest_rust(&serde_json::json!({})), (0, 0));
    }
}
