//! Which backend keeps the state in a data directory: chosen once, by whoever makes it, and found again by its files.

use std::fmt;
use std::fs;
use std::path::Path;
use std::str::FromStr;
use std::sync::Arc;

use serde::Serialize;

use super::{OpenError, Opened, RedbOptions, RedbStore, SledOptions, SledStore, SnapshotStore, head};

/// What keeps state in a data directory.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Backend {
    /// sled, in the folder `store`: a log with all that was read lately in memory.
    #[default]
    Sled,
    /// redb, in the file `store.redb`: a B-tree that takes little more room than what is in it.
    Redb,
}

impl Backend {
    /// All that there are.
    pub const ALL: [Self; 2] = [Self::Sled, Self::Redb];

    /// Its name, as the configuration and URLs have it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Sled => "sled",
            Self::Redb => "redb",
        }
    }

    /// What of it lies in a data directory.
    fn files(self) -> &'static [&'static str] {
        match self {
            Self::Sled => &["store", "store.recovering"],
            Self::Redb => &["store.redb"],
        }
    }

    /// Whether `dir` holds a store of this backend.
    #[must_use]
    pub fn is_in(self, dir: &Path) -> bool {
        let content = |path: &Path| match fs::read_dir(path) {
            Ok(mut entries) => entries.next().is_some(),
            Err(_) => fs::metadata(path).is_ok_and(|found| found.len() > 0),
        };
        self.files().iter().any(|file| content(&dir.join(file)))
    }

    /// Which backend has a store in `dir`; none where there is no store.
    ///
    /// # Errors
    /// `Several` where more than one has.
    pub fn found_in(dir: &Path) -> Result<Option<Self>, OpenError> {
        let mut found = Self::ALL.into_iter().filter(|backend| backend.is_in(dir));
        match (found.next(), found.next()) {
            (Some(one), Some(other)) => Err(OpenError::Several { path: dir.to_owned(), found: [one, other] }),
            (one, _) => Ok(one),
        }
    }

    /// Refuses a directory that holds a store of another backend: it must not be taken for an empty one.
    pub(super) fn alone_in(self, dir: &Path) -> Result<(), OpenError> {
        match Self::found_in(dir)? {
            Some(found) if found != self => Err(OpenError::OtherBackend { path: dir.to_owned(), found, asked: self }),
            _ => Ok(()),
        }
    }

    /// Opens its store in the data directory `dir`, or makes one. Blocks: the larger the store, the longer.
    ///
    /// # Errors
    /// As [`SledStore::open`] and [`RedbStore::open`].
    pub fn open(self, dir: &Path, options: &StoreOptions) -> Result<(Arc<dyn SnapshotStore>, Opened), OpenError> {
        let StoreOptions { recover, history_records, cache_bytes } = *options;
        match self {
            Self::Sled => {
                let options = SledOptions { recover, history_records, cache_bytes, ..SledOptions::default() };
                SledStore::open(dir, &options).map(|(store, opened)| (Arc::new(store) as _, opened))
            }
            Self::Redb => {
                let cache_bytes = usize::try_from(cache_bytes).unwrap_or(usize::MAX);
                let options = RedbOptions { recover, history_records, cache_bytes, ..RedbOptions::default() };
                RedbStore::open(dir, &options).map(|(store, opened)| (Arc::new(store) as _, opened))
            }
        }
    }
}

impl fmt::Display for Backend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Backend {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|backend| backend.name() == name);
        found.ok_or_else(|| format!("`{name}` is no backend; there are {}", Self::ALL.map(Self::name).join(" and ")))
    }
}

/// What an embedded store may keep in memory of what it has read, in bytes, unless told.
pub const DEFAULT_CACHE_BYTES: u64 = 64 << 20;

/// How a store is opened, whichever backend it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StoreOptions {
    /// If the store will not open, or holds less than it should: move it aside, keep what is good, and go on. Changes
    /// nothing where all is well.
    pub recover: bool,
    /// Records kept for each actor, the current one included: 2 to 1,000, and 3 by default.
    pub history_records: usize,
    /// What the backend may keep in memory of what it has read, in bytes: [`DEFAULT_CACHE_BYTES`].
    pub cache_bytes: u64,
}

impl Default for StoreOptions {
    fn default() -> Self {
        Self { recover: false, history_records: head::DEFAULT_HISTORY, cache_bytes: DEFAULT_CACHE_BYTES }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_tells_whose_it_is_and_never_passes_for_an_empty_one() {
        let cases: [(&[&str], &[Backend]); 6] = [
            (&[], &[]),
            (&["store/"], &[]),
            (&["store/db"], &[Backend::Sled]),
            (&["store.recovering/db"], &[Backend::Sled]),
            (&["store.redb"], &[Backend::Redb]),
            (&["store/db", "store.redb"], &Backend::ALL),
        ];
        for (files, expected) in cases {
            let dir = tempfile::tempdir().expect("a directory");
            for file in files {
                let (folder, name) = file.split_once('/').unwrap_or(("", file));
                fs::create_dir_all(dir.path().join(folder)).expect("makes");
                if !name.is_empty() {
                    fs::write(dir.path().join(folder).join(name), b"x").expect("writes");
                }
            }
            match Backend::found_in(dir.path()) {
                Ok(found) => assert_eq!(found.as_slice(), expected, "{files:?}"),
                Err(error) => {
                    let text = error.to_string();
                    assert!(expected.len() == 2 && text.contains("sled") && text.contains("redb"), "{text}");
                }
            }
            for backend in Backend::ALL {
                let alone = expected.is_empty() || expected == [backend];
                assert_eq!(backend.alone_in(dir.path()).is_ok(), alone, "{backend} {files:?}");
            }
        }
        assert_eq!("redb".parse(), Ok(Backend::Redb));
        assert!("rocks".parse::<Backend>().expect_err("none").contains("sled and redb"));
    }
}
