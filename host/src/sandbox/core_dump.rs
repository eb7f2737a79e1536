//! Core dumps: what a guest had in its memory when it crashed, in a file for its author's debugger. Off unless asked for.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use wasmtime::{Error, Store, WasmCoreDump};

use super::guest::Data;
use super::{Sandbox, pace, trap};
use crate::model::{ActorName, CoreDumps, Crash, LimitMet};
use crate::store::now_ms;

/// How often one is written at most: a guest that crashes all the time is not to keep the disk busy.
const WRITE_EVERY: Duration = Duration::from_secs(1);
const SUFFIX: &str = ".coredump";
/// Bytes of an actor's name that a file's name shows.
const NAME_BYTES: usize = 64;

/// Writes them, one at a time.
#[derive(Debug)]
pub(super) struct Dumper {
    rules: CoreDumps,
    /// When the last one was written.
    last: Mutex<Option<Instant>>,
}

impl Dumper {
    pub(super) fn new(rules: CoreDumps) -> Self {
        Self { rules, last: Mutex::new(None) }
    }

    /// What became of it: the file's path, or why there is none.
    fn dump(&self, actor: &ActorName, dump: &WasmCoreDump, store: &mut Store<Data>) -> String {
        let memory = store.data().share.memory_bytes() as u64;
        if memory > self.rules.bytes {
            let met = LimitMet::of_the_host("core_dump_bytes", self.rules.bytes);
            return format!("not written: it has {memory} bytes of memory ({met})");
        }
        // Whoever comes while one is written has come too soon.
        let Ok(mut last) = self.last.try_lock() else { return too_soon() };
        if last.is_some_and(|last| last.elapsed() < WRITE_EVERY) {
            return too_soon();
        }
        let written = write(&self.rules, actor, &dump.serialize(store, actor.as_str()));
        *last = Some(Instant::now());
        match written {
            Ok(path) => path.display().to_string(),
            Err(error) => format!("not written: {}: {error}", self.rules.dir.display()),
        }
    }
}

fn too_soon() -> String {
    format!("not written: the last one is less than {} ms old", WRITE_EVERY.as_millis())
}

impl Sandbox {
    /// A call's failure in the model's words, and, where that is asked for, what the guest had in its memory in a file.
    pub(super) fn crashed(
        &self,
        during: &str,
        error: &Error,
        store: &mut Store<Data>,
        within: Option<Duration>,
    ) -> Crash {
        let mut crash = trap::crash(during, error, store.data(), within);
        if let (Some(dumper), Some(dump)) = (self.dumper(), error.downcast_ref::<WasmCoreDump>()) {
            let actor = store.data().env.actor().clone();
            crash.core_dump = Some(pace::beside(|| dumper.dump(&actor, dump, store)));
        }
        crash
    }
}

/// Writes it beside those that are there, of which the oldest go.
fn write(rules: &CoreDumps, actor: &ActorName, bytes: &[u8]) -> io::Result<PathBuf> {
    if bytes.len() as u64 > rules.bytes {
        let met = LimitMet::of_the_host("core_dump_bytes", rules.bytes);
        return Err(io::Error::other(format!("it has {} bytes ({met})", bytes.len())));
    }
    fs::DirBuilder::new().recursive(true).mode(0o700).create(&rules.dir)?;
    make_room(rules, bytes.len() as u64)?;
    let mut random = [0; 4];
    getrandom::fill(&mut random).map_err(io::Error::other)?;
    let path = rules.dir.join(file_name(actor.as_str(), now_ms(), u32::from_be_bytes(random)));
    // A link that someone has put there is not followed: the file is a new one.
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?;
    match file.write_all(bytes) {
        Ok(()) => Ok(path),
        Err(error) => {
            drop(fs::remove_file(&path));
            Err(error)
        }
    }
}

/// Its name begins with the time, so that the order of names is that of age.
fn file_name(actor: &str, time_ms: u64, random: u32) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() || c == '-' { c } else { '_' };
    let actor: String = actor.chars().map(plain).take(NAME_BYTES).collect();
    format!("{time_ms:015}-{random:08x}-{actor}{SUFFIX}")
}

/// Removes the oldest until there is room for one more of `bytes`. Other files in the folder are left alone.
fn make_room(rules: &CoreDumps, bytes: u64) -> io::Result<()> {
    let mut there: Vec<(PathBuf, u64)> = dumps(&rules.dir)?;
    there.sort();
    let mut total: u64 = there.iter().map(|(_, bytes)| bytes).sum();
    let mut files = there.len();
    for (path, size) in there {
        if files < rules.files && total.saturating_add(bytes) <= rules.bytes {
            break;
        }
        fs::remove_file(path)?;
        (files, total) = (files - 1, total - size);
    }
    Ok(())
}

fn dumps(dir: &Path) -> io::Result<Vec<(PathBuf, u64)>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let meta = entry.metadata()?;
        if meta.is_file() && entry.file_name().to_str().is_some_and(|name| name.ends_with(SUFFIX)) {
            found.push((entry.path(), meta.size()));
        }
    }
    Ok(found)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_files_name_leads_nowhere_else_and_sorts_by_age() {
        let name = file_name("../a/b\u{1b}[2J.é", 1_700_000_000_000, 7);
        assert_eq!(name, "001700000000000-00000007-___a_b__2J__.coredump");
        assert!(file_name("x", 999, 0) < file_name("a", 1_000, 0));
        assert!(file_name(&"x".repeat(255), 0, 0).len() < 120);
    }

    #[test]
    fn the_oldest_go_where_there_are_too_many_or_too_large_ones() {
        let dir = tempfile::tempdir().unwrap();
        let rules = CoreDumps { files: 3, bytes: 100, ..CoreDumps::new(dir.path()) };
        let actor = ActorName::new("a/b").unwrap();
        fs::write(dir.path().join("other"), "x").unwrap();
        let sizes = |rules: &CoreDumps| {
            let mut there = dumps(&rules.dir).unwrap();
            there.sort();
            there.into_iter().map(|(_, size)| size).collect::<Vec<_>>()
        };
        let put = |bytes: usize| {
            let path = write(&rules, &actor, &vec![1; bytes]);
            // Names tell them apart by the millisecond.
            let began = now_ms();
            while now_ms() == began {
                std::thread::yield_now();
            }
            path
        };
        for bytes in [10, 20, 30, 40] {
            let path = put(bytes).unwrap();
            assert_eq!(fs::metadata(path).unwrap().mode() & 0o777, 0o600);
        }
        assert_eq!(sizes(&rules), [20, 30, 40]);
        put(50).unwrap();
        assert_eq!(sizes(&rules), [40, 50]);
        let error = put(101).unwrap_err().to_string();
        assert!(error.contains("101 bytes (limit core_dump_bytes = 100;"), "{error}");
        assert_eq!(sizes(&rules), [40, 50], "nothing goes for what is not written");
        assert!(dir.path().join("other").exists());
    }
}
