//! What an author lays beside a plugin for it to be tested with.

use std::fs;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use crate::model::{ErrorCode, HostError};

/// Files of one kind, and bytes of one of them.
const FILES: usize = 500;
const FILE_BYTES: u64 = 16 << 20;

/// One file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fixture {
    /// As it is told: `messages/add.json`.
    pub(super) name: String,
    pub(super) bytes: Vec<u8>,
}

/// The files of a folder `fixtures`.
#[derive(Debug, Clone, Default)]
pub struct Fixtures {
    /// None: there is none.
    pub(super) dir: Option<PathBuf>,
    pub(super) messages: Vec<Fixture>,
    /// With the schema that each is of.
    pub(super) states: Vec<(u32, Fixture)>,
    pub(super) args: Vec<Fixture>,
    pub(super) scripts: Vec<Fixture>,
}

impl Fixtures {
    /// Reads a folder.
    ///
    /// # Errors
    /// If it or a file in it cannot be read, is too large, or is a state whose name does not begin with its schema.
    pub fn read(dir: &Path) -> Result<Self, HostError> {
        if !dir.is_dir() {
            return Err(wrong(dir, "it is not a folder"));
        }
        let states = files(dir, "states")?.into_iter().map(|file| Ok((schema_of(dir, &file)?, file)));
        Ok(Self {
            dir: Some(dir.to_owned()),
            messages: files(dir, "messages")?,
            states: states.collect::<Result<_, HostError>>()?,
            args: files(dir, "args")?,
            scripts: files(dir, "scripts")?,
        })
    }

    /// The folder that belongs to the plugin `file`: beside it, else in the nearest folder above it, else in `here`. None:
    /// there is none.
    #[must_use]
    pub fn folder_of(file: &Path, here: &Path) -> Option<PathBuf> {
        let whole = fs::canonicalize(file).unwrap_or_else(|_| here.join(file));
        let above = whole.ancestors().skip(1).chain([here]);
        above.map(|dir| dir.join("fixtures")).find(|dir| dir.is_dir())
    }

    /// The states of one schema.
    pub(super) fn states_of(&self, schema: u32) -> impl Iterator<Item = &Fixture> {
        self.states.iter().filter(move |(of, _)| *of == schema).map(|(_, state)| state)
    }

    /// Where a file belongs that is missing.
    pub(super) fn place(&self, file: &str) -> String {
        let dir = self.dir.as_deref().unwrap_or(Path::new("fixtures"));
        dir.join(file).display().to_string()
    }
}

/// What `N-word.ext` is of.
fn schema_of(dir: &Path, file: &Fixture) -> Result<u32, HostError> {
    let name = file.name.trim_start_matches("states/");
    let schema = name.split_once('-').and_then(|(schema, _)| schema.parse().ok());
    schema.ok_or_else(|| {
        let what = "a state's name begins with its schema and a hyphen, as in 1-empty.bin";
        wrong(&dir.join(&file.name), what)
    })
}

/// The files of one kind, by name. Hidden ones are not meant, nor what an editor left.
fn files(dir: &Path, kind: &str) -> Result<Vec<Fixture>, HostError> {
    let folder = dir.join(kind);
    let entries = match fs::read_dir(&folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(wrong(&folder, &error.to_string())),
    };
    let mut found = Vec::new();
    for entry in entries {
        let path = entry.map_err(|error| wrong(&folder, &error.to_string()))?.path();
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        if !name.starts_with('.') && !name.ends_with('~') && path.is_file() {
            found.push((name, path));
        }
    }
    if found.len() > FILES {
        return Err(wrong(&folder, &format!("it has {} files; at most {FILES} are read", found.len())));
    }
    found.sort();
    let read = |(name, path): (String, PathBuf)| {
        let bytes = read(&path).map_err(|error| wrong(&path, &error.to_string()))?;
        Ok(Fixture { name: format!("{kind}/{name}"), bytes })
    };
    found.into_iter().map(read).collect()
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    fs::File::open(path)?.take(FILE_BYTES + 1).read_to_end(&mut bytes)?;
    match bytes.len() as u64 > FILE_BYTES {
        true => Err(io::Error::other(format!("it has more than {FILE_BYTES} bytes"))),
        false => Ok(bytes),
    }
}

fn wrong(path: &Path, why: &str) -> HostError {
    HostError::new(ErrorCode::Config, format!("{}: {why}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_read_by_name_without_what_is_hidden() {
        let dir = tempfile::tempdir().expect("a folder");
        let write = |name: &str, bytes: &[u8]| {
            let path = dir.path().join(name);
            fs::create_dir_all(path.parent().expect("a folder")).expect("is made");
            fs::write(path, bytes).expect("is written");
        };
        for name in ["messages/b.json", "messages/a.json", "messages/.hidden", "messages/a.json~", "states/12-x.bin"] {
            write(name, b"1");
        }
        let fixtures = Fixtures::read(dir.path()).expect("is read");
        let names: Vec<_> = fixtures.messages.iter().map(|message| message.name.as_str()).collect();
        assert_eq!(names, ["messages/a.json", "messages/b.json"]);
        assert_eq!(fixtures.states_of(12).count(), 1);
        assert!(fixtures.scripts.is_empty());
        write("states/one.bin", b"");
        let error = Fixtures::read(dir.path()).expect_err("has no schema").to_string();
        assert!(error.contains("one.bin") && error.contains("1-empty.bin"), "{error}");
        assert!(Fixtures::read(&dir.path().join("none")).is_err());
    }

    #[test]
    fn the_nearest_folder_is_the_plugins() {
        let dir = tempfile::tempdir().expect("a folder");
        let root = fs::canonicalize(dir.path()).expect("is there");
        let (near, here) = (root.join("a/b"), root.join("here"));
        for folder in [&near, &here, &root.join("a/fixtures"), &here.join("fixtures")] {
            fs::create_dir_all(folder).expect("is made");
        }
        fs::write(near.join("x.wasm"), b"").expect("is written");
        assert_eq!(Fixtures::folder_of(&near.join("x.wasm"), &here), Some(root.join("a/fixtures")));
        fs::create_dir_all(near.join("fixtures")).expect("is made");
        assert_eq!(Fixtures::folder_of(&near.join("x.wasm"), &here), Some(near.join("fixtures")));
    }
}
