//! The preloaded disk (`tests/shim`) from the tests' side: where it is, how a process gets it, what its journal says.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::build_dir;

/// A disk that fails on demand, for the processes it is given to.
#[derive(Debug)]
pub struct Shim {
    dir: PathBuf,
    faults: PathBuf,
    journal: Option<PathBuf>,
}

impl Shim {
    /// For everything below `dir`. What the shim itself needs lies in `place`.
    ///
    /// # Panics
    /// If the shim was not built, or `dir` has no whole path.
    #[must_use]
    pub fn new(dir: &Path, place: &Path) -> Self {
        let library = build_dir().join("libbaton_shim.so");
        assert!(library.exists(), "{} is missing: run `cargo xtask test`, or `cargo build` first", library.display());
        Self { dir: fs::canonicalize(dir).expect("a directory"), faults: place.join("faults"), journal: None }
    }

    /// Notes every call in this file as well.
    #[must_use]
    pub fn journal(mut self, path: &Path) -> Self {
        self.journal = Some(path.to_owned());
        self
    }

    /// Starts `command` on this disk.
    pub fn preload(&self, command: &mut Command) {
        let mut variables: Vec<(&str, OsString)> = vec![
            ("LD_PRELOAD", build_dir().join("libbaton_shim.so").into()),
            ("BATON_SHIM_DIR", self.dir.clone().into()),
            ("BATON_SHIM_FAULTS", self.faults.clone().into()),
        ];
        variables.extend(self.journal.clone().map(|path| ("BATON_SHIM_JOURNAL", path.into())));
        command.envs(variables);
    }

    /// From the next call on these faults, a line each: `word errno [from [to]]`.
    ///
    /// # Panics
    /// If they cannot be written.
    pub fn fail(&self, faults: &str) {
        // In one step: the shim reads at any moment.
        let new = self.faults.with_extension("new");
        fs::write(&new, faults).and_then(|()| fs::rename(&new, &self.faults)).expect("a file of faults");
    }

    /// From the next call on none.
    ///
    /// # Panics
    /// As [`Shim::fail`].
    pub fn heal(&self) {
        self.fail("");
    }
}

/// What was done; see `tests/shim/src/journal.rs`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Call {
    Open,
    OpenToRead,
    Close,
    Write,
    Truncate,
    Sync,
    SyncRange,
    Rename,
    Unlink,
    MakeDir,
    RemoveDir,
    Exchange,
    Start,
}

const OPS: [Call; 13] = [
    Call::Open,
    Call::OpenToRead,
    Call::Close,
    Call::Write,
    Call::Truncate,
    Call::Sync,
    Call::SyncRange,
    Call::Rename,
    Call::Unlink,
    Call::MakeDir,
    Call::RemoveDir,
    Call::Exchange,
    Call::Start,
];

/// One call that was noted.
#[derive(Clone, Debug)]
#[allow(missing_docs)]
pub struct Entry {
    pub op: Call,
    pub fd: i32,
    /// Flags, offset or length.
    pub a: u64,
    /// What it gave; negative: its error.
    pub result: i64,
    pub path: String,
    pub to: String,
    pub bytes: Vec<u8>,
}

/// Reads a journal. A last entry that a kill has cut short is left out.
///
/// # Panics
/// If it cannot be read.
#[must_use]
pub fn read_journal(path: &Path) -> Vec<Entry> {
    let bytes = fs::read(path).expect("a journal");
    let mut rest = bytes.as_slice();
    std::iter::from_fn(|| entry(&mut rest)).collect()
}

fn entry(rest: &mut &[u8]) -> Option<Entry> {
    fn take<'a>(rest: &mut &'a [u8], length: usize) -> Option<&'a [u8]> {
        let (taken, left) = rest.split_at_checked(length)?;
        *rest = left;
        Some(taken)
    }
    fn fixed<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
        take(rest, N)?.try_into().ok()
    }
    fn text(rest: &mut &[u8]) -> Option<String> {
        let length = u16::from_le_bytes(fixed(rest)?).into();
        String::from_utf8(take(rest, length)?.to_vec()).ok()
    }
    let op = OPS[usize::from(fixed::<1>(rest)?[0])];
    let fd = i32::from_le_bytes(fixed(rest)?);
    let a = u64::from_le_bytes(fixed(rest)?);
    let result = i64::from_le_bytes(fixed(rest)?);
    let (path, to) = (text(rest)?, text(rest)?);
    let length = usize::try_from(u32::from_le_bytes(fixed(rest)?)).ok()?;
    Some(Entry { op, fd, a, result, path, to, bytes: take(rest, length)?.to_vec() })
}
