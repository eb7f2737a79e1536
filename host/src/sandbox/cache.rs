//! Compiled code on disk. Native code is never loaded on trust: the folder is its owner's alone, and every entry carries
//! a keyed digest made with a key kept there. What is stale, foreign or damaged is compiled again and overwritten.

use std::fs::{self, File, OpenOptions, Permissions};
use std::hash::{Hash, Hasher};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use wasmtime::Engine;
use wasmtime::component::Component;

use super::unchecked;
use crate::model::Digest;

const KEY_BYTES: usize = 32;
/// Largest entry that is read, in bytes.
const ENTRY_BYTES: u64 = 1 << 30;

/// Compiled components by their digest and the engine's settings.
#[derive(Debug)]
pub(super) struct CodeCache {
    dir: PathBuf,
    key: [u8; KEY_BYTES],
    engine_settings: String,
}

impl CodeCache {
    /// Opens or makes the folder. A folder that others can enter is not used: a warning says so, and plugins are
    /// compiled each time.
    pub(super) fn open(dir: &Path, engine: &Engine) -> Option<Self> {
        match private_folder(dir).and_then(|()| read_or_make_key(dir)) {
            Ok(key) => Some(Self { dir: dir.to_owned(), key, engine_settings: settings_of(engine) }),
            Err(error) => {
                tracing::warn!(dir = %dir.display(), %error, "compiled code is not cached");
                None
            }
        }
    }

    /// The compiled form of the component with this digest, if a good entry is there.
    pub(super) fn get(&self, engine: &Engine, digest: Digest) -> Option<Component> {
        let path = self.path(digest);
        let file = File::open(&path).ok()?;
        let mut bytes = Vec::new();
        file.take(ENTRY_BYTES).read_to_end(&mut bytes).ok()?;
        let Some(component) = unchecked::compiled(engine, &bytes, |code| self.tag(digest, code)) else {
            tracing::warn!(entry = %path.display(), "compiled code is damaged or was made by someone else; compiling again");
            return None;
        };
        component.inspect_err(|error| tracing::warn!(%error, "compiled code does not load; compiling again")).ok()
    }

    /// Keeps the compiled form. A failure costs the next start some time and nothing else, so it is only logged.
    pub(super) fn put(&self, component: &Component, digest: Digest) {
        let written = component.serialize().map_err(|e| io::Error::other(format!("{e:#}"))).and_then(|code| {
            let path = self.path(digest);
            let mut suffix = [0; 8];
            getrandom::fill(&mut suffix).map_err(io::Error::other)?;
            let temporary = path.with_extension(format!("{:016x}.tmp", u64::from_be_bytes(suffix)));
            let write = || {
                let mut file = private_file(&temporary)?;
                file.write_all(self.tag(digest, &code).as_bytes())?;
                file.write_all(&code)?;
                // Not synced: an entry that a power cut damages fails its tag.
                fs::rename(&temporary, &path)
            };
            write().inspect_err(|_: &io::Error| drop(fs::remove_file(&temporary)))
        });
        if let Err(error) = written {
            tracing::warn!(dir = %self.dir.display(), %error, "compiled code could not be cached");
        }
    }

    fn tag(&self, digest: Digest, code: &[u8]) -> blake3::Hash {
        let mut hasher = blake3::Hasher::new_keyed(&self.key);
        hasher.update(&digest.0).update(self.engine_settings.as_bytes()).update(code);
        hasher.finalize()
    }

    fn path(&self, digest: Digest) -> PathBuf {
        self.dir.join(format!("{digest}-{}.cwasm", self.engine_settings))
    }
}

/// Makes `dir` for its owner alone, or makes sure that it is.
fn private_folder(dir: &Path) -> io::Result<()> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
    let meta = fs::symlink_metadata(dir)?;
    let refuse = |why: String| Err(io::Error::new(io::ErrorKind::PermissionDenied, why));
    if !meta.is_dir() {
        return refuse("it is not a folder of its own".into());
    }
    if meta.uid() != rustix::process::geteuid().as_raw() {
        return refuse(format!("it belongs to user {}", meta.uid()));
    }
    if meta.mode() & 0o077 != 0 {
        return refuse(format!("others can enter it (mode {:03o}): chmod 700 it", meta.mode() & 0o777));
    }
    Ok(())
}

fn private_file(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)
}

fn read_or_make_key(dir: &Path) -> io::Result<[u8; KEY_BYTES]> {
    let path = dir.join("key");
    if let Ok(key) = fs::read(&path).and_then(|bytes| bytes.try_into().map_err(|_| io::ErrorKind::InvalidData.into())) {
        let meta = fs::symlink_metadata(&path)?;
        if meta.is_file() && meta.uid() == rustix::process::geteuid().as_raw() && meta.mode() & 0o077 == 0 {
            return Ok(key);
        }
    }
    // A key that is missing, cut short or readable by others is replaced; entries made with it are then foreign.
    let mut key = [0; KEY_BYTES];
    getrandom::fill(&mut key).map_err(io::Error::other)?;
    let mut suffix = [0; 8];
    getrandom::fill(&mut suffix).map_err(io::Error::other)?;
    let temporary = dir.join(format!("key.{:016x}.tmp", u64::from_be_bytes(suffix)));
    private_file(&temporary)?.write_all(&key)?;
    fs::set_permissions(&temporary, Permissions::from_mode(0o600))?;
    fs::rename(&temporary, &path)?;
    Ok(key)
}

/// The engine's settings as 16 hexadecimal digits: wasmtime's version and everything that compiled code depends on.
fn settings_of(engine: &Engine) -> String {
    struct Blake(blake3::Hasher);
    impl Hasher for Blake {
        fn write(&mut self, bytes: &[u8]) {
            self.0.update(bytes);
        }
        fn finish(&self) -> u64 {
            let hash = self.0.finalize();
            u64::from_be_bytes(hash.as_bytes()[..8].try_into().unwrap_or_default())
        }
    }
    let mut hasher = Blake(blake3::Hasher::new());
    engine.precompile_compatibility_hash().hash(&mut hasher);
    format!("{:016x}", hasher.finish())
}
