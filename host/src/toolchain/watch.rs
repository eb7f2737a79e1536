//! Whether a plugin's sources have changed.
//!
//! They are looked at again and again, as the host looks at the files of plugins: that works on every file system.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// Files that are looked at, at most; of more, the first ones.
const FILES: usize = 10_000;
/// How deep folders are followed.
const DEPTH: usize = 12;
/// Folders that hold what a build makes, or what others wrote.
const NOT_SOURCES: [&str; 7] = ["build", "target", "node_modules", "data", "__pycache__", "zig-out", "fixtures"];

/// What a build writes, and what people have a command write, where they stand: in a language whose sources lie in the
/// plugin's folder itself, each build would be the reason for the next.
const NO_SOURCE: [&str; 5] = [".wasm", ".partial", ".log", ".out", ".err"];

/// Sources, and what was seen of them.
#[derive(Debug)]
pub struct Sources {
    roots: Vec<PathBuf>,
    /// As they were when they were last built.
    built: Stamps,
    /// As they were at the last look.
    last: Stamps,
}

type Stamps = BTreeMap<PathBuf, (u64, Option<SystemTime>)>;

impl Sources {
    /// Of these folders and files, as they are now: they count as built.
    #[must_use]
    pub fn new(roots: Vec<PathBuf>) -> Self {
        let now = stamps(&roots);
        Self { roots, built: now.clone(), last: now }
    }

    /// Whether they have changed since they were last built, and stand still: two looks saw the same. If so, they count as
    /// built from now on.
    pub fn changed(&mut self) -> bool {
        let now = stamps(&self.roots);
        let still = now == self.last;
        self.last.clone_from(&now);
        let changed = still && now != self.built;
        if changed {
            self.built = now;
        }
        changed
    }
}

fn stamps(roots: &[PathBuf]) -> Stamps {
    let mut found = Stamps::new();
    roots.iter().for_each(|root| look(root, DEPTH, &mut found));
    found
}

fn look(path: &Path, depth: usize, found: &mut Stamps) {
    let Ok(about) = std::fs::metadata(path) else { return };
    if found.len() >= FILES {
        return;
    }
    if about.is_file() {
        found.insert(path.to_owned(), (about.len(), about.modified().ok()));
        return;
    }
    let Some(depth) = depth.checked_sub(1) else { return };
    for entry in std::fs::read_dir(path).into_iter().flatten().filter_map(Result::ok) {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        // What begins with a dot belongs to tools and editors.
        let written = name.starts_with('.') || NO_SOURCE.iter().any(|end| name.ends_with(end));
        if !written && !NOT_SOURCES.contains(&name.as_ref()) {
            look(&entry.path(), depth, found);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_told_once_it_stands_still_and_once() {
        let dir = tempfile::tempdir().expect("a folder can be made");
        let write = |name: &str, text: &str| {
            let file = dir.path().join(name);
            std::fs::create_dir_all(file.parent().expect("it has one")).expect("it can be made");
            std::fs::write(file, text).expect("it can be written");
        };
        write("src/a.c", "1");
        let mut sources = Sources::new(vec![dir.path().to_owned()]);
        assert!(!sources.changed() && !sources.changed());
        write("src/a.c", "12");
        assert!(!sources.changed(), "the first look sees it move");
        assert!(sources.changed());
        assert!(!sources.changed(), "it is told once");
        write("build/x.o", "made");
        write("x.wasm", "made");
        write(".a.c.swp", "an editor's");
        write("dev.log", "what `baton dev` has said");
        assert!(!sources.changed() && !sources.changed(), "none of these is a source");
        write("src/deep/b.c", "new");
        assert!(!sources.changed() && sources.changed());
        std::fs::remove_file(dir.path().join("src/a.c")).expect("it is there");
        assert!(!sources.changed() && sources.changed());
    }
}
