//! Components, and who runs which, on the disk: what a swap led to outlives the host.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::Signed;
use super::lineup::Lineup;
use crate::model::{Digest, ErrorCode, HostError, PluginName, signature_of};

/// The form of what is written for each plugin.
const FORMAT: u32 = 1;

/// The folder `plugins` of a data directory: a file for each component, named after its digest, and one for each plugin
/// that was swapped.
#[derive(Debug)]
pub(super) struct Kept {
    dir: PathBuf,
}

/// What a plugin's file says.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Entry {
    format: u32,
    /// What the configuration named then: once it names another one, that one counts.
    pub(super) configured: Digest,
    pub(super) lineup: Lineup,
}

impl Entry {
    pub(super) fn new(configured: Digest, lineup: Lineup) -> Self {
        Self { format: FORMAT, configured, lineup }
    }
}

impl Kept {
    /// Makes the folder, for its owner alone, where it is not there.
    pub(super) fn open(dir: PathBuf) -> Result<Self, HostError> {
        let made = DirBuilder::new().recursive(true).mode(0o700).create(&dir);
        made.map_err(|error| failed("make the folder", &dir, error))?;
        Ok(Self { dir })
    }

    fn component(&self, digest: Digest) -> PathBuf {
        self.dir.join(format!("{digest}.wasm"))
    }

    fn entry(&self, plugin: &PluginName) -> PathBuf {
        self.dir.join(format!("{plugin}.json"))
    }

    /// Keeps a component and the signature that came with it, durably.
    pub(super) fn put(&self, digest: Digest, bytes: &[u8], signature: Option<&str>) -> Result<(), HostError> {
        let path = self.component(digest);
        let beside = signature.map(|signature| (signature_of(&path), signature.as_bytes()));
        // The component comes last: where it is, all is.
        for (path, bytes) in beside.into_iter().chain([(path, bytes)]) {
            if !fs::read(&path).is_ok_and(|there| there == bytes) {
                self.write(&path, bytes).map_err(|error| failed("keep a copy of the component in", &path, error))?;
            }
        }
        Ok(())
    }

    /// The bytes of a component, and its signature; none: it is not kept.
    pub(super) fn get(&self, digest: Digest) -> Result<Option<Signed>, HostError> {
        let path = self.component(digest);
        match super::read_signed(&path) {
            Ok((bytes, signature)) if Digest::of(&bytes) == digest => Ok(Some(Signed { bytes, signature })),
            Ok(_) => Err(HostError::new(ErrorCode::Plugin, format!("{} is damaged", path.display()))
                .hint("put the component that it is a copy of in its place")),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(failed("read", &path, error)),
        }
    }

    /// Notes who runs which version, durably.
    pub(super) fn note(&self, plugin: &PluginName, entry: &Entry) -> Result<(), HostError> {
        let path = self.entry(plugin);
        let text = serde_json::to_vec(entry).map_err(io::Error::from);
        text.and_then(|text| self.write(&path, &text)).map_err(|error| failed("write", &path, error))
    }

    /// What was noted; none: the plugin was never swapped.
    pub(super) fn noted(&self, plugin: &PluginName) -> Result<Option<Entry>, HostError> {
        let path = self.entry(plugin);
        let text = match fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(failed("read", &path, error)),
        };
        let entry: Result<Entry, _> = serde_json::from_slice(&text);
        let cure = "it says which version of the plugin was swapped in; without it the one that the configuration names counts";
        match entry {
            Ok(entry) if entry.format == FORMAT => Ok(Some(entry)),
            Ok(entry) => Err(HostError::new(
                ErrorCode::Plugin,
                format!("{} has format {}, and this release reads {FORMAT}", path.display(), entry.format),
            )
            .hint("use the release that wrote it")),
            Err(error) => {
                Err(HostError::new(ErrorCode::Plugin, format!("{} cannot be read: {error}", path.display())).hint(cure))
            }
        }
    }

    /// Forgets what was noted.
    pub(super) fn forget(&self, plugin: &PluginName) -> Result<(), HostError> {
        let path = self.entry(plugin);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(failed("remove", &path, error)),
            _ => Ok(()),
        }
    }

    /// Removes the components that nobody needs any more.
    pub(super) fn prune(&self, needed: &BTreeSet<Digest>) -> io::Result<()> {
        let needed: BTreeSet<PathBuf> = needed.iter().map(|digest| self.component(*digest)).collect();
        for entry in fs::read_dir(&self.dir)? {
            let path = entry?.path();
            let kind = path.extension().and_then(OsStr::to_str).unwrap_or_default();
            let of = if kind == "minisig" { path.with_extension("") } else { path.clone() };
            if matches!(kind, "wasm" | "minisig" | "new") && !needed.contains(&of) {
                fs::remove_file(path)?;
            }
        }
        Ok(())
    }

    /// In one step, so that a crash leaves what was there before or all that is new.
    fn write(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        let mut name = path.as_os_str().to_owned();
        name.push(".new");
        let new = PathBuf::from(name);
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&new)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&new, path)?;
        File::open(&self.dir)?.sync_all()
    }
}

fn failed(what: &str, path: &Path, error: io::Error) -> HostError {
    HostError::new(ErrorCode::Io, format!("cannot {what} {}", path.display())).source(error)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Part;

    fn plugin() -> PluginName {
        PluginName::new("counter").expect("valid")
    }

    #[test]
    fn what_was_noted_is_read_again_and_nothing_else_is_taken_for_it() {
        let dir = tempfile::tempdir().expect("a directory");
        let kept = Kept::open(dir.path().join("plugins")).expect("opens");
        assert_eq!(kept.noted(&plugin()).expect("reads"), None);
        let (old, new) = (Digest([1; 32]), Digest([2; 32]));
        let mut lineup = Lineup::new(old);
        lineup.begin(old, new, Part::Percent(10), []);
        kept.note(&plugin(), &Entry::new(old, lineup.clone())).expect("writes");
        let read = kept.noted(&plugin()).expect("reads").expect("is there");
        assert_eq!((read.configured, read.lineup.kept()), (old, lineup.kept()));
        assert!(!read.lineup.mixed().expect("half-way").here, "another process began it");
        fs::write(kept.entry(&plugin()), "{").expect("writes");
        assert!(kept.noted(&plugin()).expect_err("damaged").to_string().contains("counter.json cannot be read"));
        kept.forget(&plugin()).expect("removes");
        assert_eq!(kept.noted(&plugin()).expect("reads"), None);
    }

    #[test]
    fn components_are_kept_as_they_are_until_nobody_needs_them() {
        let dir = tempfile::tempdir().expect("a directory");
        let kept = Kept::open(dir.path().to_owned()).expect("opens");
        let (one, two) = (Digest::of(b"one"), Digest::of(b"two"));
        kept.put(one, b"one", Some("signed")).expect("keeps");
        kept.put(two, b"two", None).expect("keeps");
        let signed = Signed { bytes: b"one".to_vec(), signature: Some("signed".to_owned()) };
        assert_eq!(kept.get(one).expect("reads"), Some(signed));
        kept.prune(&BTreeSet::from([two])).expect("prunes");
        assert_eq!(kept.get(one).expect("reads"), None);
        assert_eq!(fs::read_dir(dir.path()).expect("reads").count(), 1, "its signature is gone as well");
        fs::write(kept.component(two), b"twi").expect("writes");
        assert!(kept.get(two).expect_err("damaged").to_string().contains("is damaged"));
    }
}
