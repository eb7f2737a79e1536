//! Plugins are loaded with their grants: what these may not cover, and what a plugin imports beyond them.

use std::collections::HashMap;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use super::builder::{Listed, PluginSource};
use crate::catalog::admit;
use crate::model::{Access, DirGrant, ErrorCode, Grants, HostError, PluginName};
use crate::sandbox::{Granted, Program};

/// What no directory that is granted may hold, and none may lie in: why, and where. The last is only kept from writers.
#[derive(Debug)]
pub(super) struct Apart {
    what: String,
    path: PathBuf,
    from_readers: bool,
}

/// The host's own: states, compiled code, and the plugins themselves.
pub(super) fn kept_apart(data: Option<&Path>, code: Option<&Path>, plugins: &[Listed]) -> Vec<Apart> {
    let apart = |what: &str, path: &Path, from_readers| Apart { what: what.into(), path: resolved(path), from_readers };
    let own = [("the data directory", data), ("the compiled code", code)];
    let own = own.into_iter().filter_map(|(what, path)| path.map(|path| apart(what, path, true)));
    let files = plugins.iter().filter_map(|plugin| match &plugin.source {
        PluginSource::File(path) => Some(apart("a plugin's file", path, false)),
        PluginSource::Bytes(..) => None,
    });
    own.chain(files).collect()
}

/// Makes the grants of each plugin ready, tells what is imported beyond them, and refuses what may not be granted.
pub(super) async fn grants(
    programs: &[Program],
    mut grants: HashMap<PluginName, Grants>,
    otherwise: Option<&Grants>,
    apart: &[Apart],
) -> Result<HashMap<PluginName, Arc<Granted>>, HostError> {
    for program in programs {
        let name = &program.description().name;
        if let Some(otherwise) = otherwise {
            grants.entry(name.clone()).or_insert_with(|| otherwise.clone());
        }
        admit(program, grants.get(name).unwrap_or(&Grants::default()))?;
    }
    let dirs: Vec<_> =
        grants.iter().flat_map(|(name, granted)| granted.dirs.iter().map(move |dir| (name, dir))).collect();
    check_dirs(&dirs, apart)?;
    // Directories are opened, which may wait for a disk.
    let opened = tokio::task::spawn_blocking(move || {
        grants.into_iter().map(|(name, granted)| Ok((name, Arc::new(Granted::open(granted)?)))).collect()
    });
    opened.await.map_err(|error| HostError::new(ErrorCode::Config, "opening what is granted panicked").source(error))?
}

/// No directory may be granted through which a guest could get at the host's own files, or could make another grant lead
/// elsewhere: one that lies within a directory where a guest writes may be replaced by a link to anywhere.
fn check_dirs(dirs: &[(&PluginName, &DirGrant)], apart: &[Apart]) -> Result<(), HostError> {
    let dirs: Vec<_> =
        dirs.iter().map(|(name, dir)| (*name, *dir, [lexical(&dir.host), resolved(&dir.host)])).collect();
    for (name, dir, paths) in &dirs {
        let refused = |why: String, hint: &str| {
            let message = format!("the directory {} is not granted to plugin {name}: {why}", dir.host.display());
            Err(HostError::new(ErrorCode::Config, message).hint(hint))
        };
        let writes = dir.access == Access::ReadWrite;
        for own in apart.iter().filter(|own| own.from_readers || writes) {
            if paths.iter().any(|path| own.path.starts_with(path) || path.starts_with(&own.path)) {
                let why = format!("{} ({}) is in it, or it in that", own.what, own.path.display());
                return refused(why, "grant a directory of its own, apart from what the host needs");
            }
        }
        for (other, above, above_paths) in dirs.iter().filter(|(_, above, _)| above.access == Access::ReadWrite) {
            let below = |path: &PathBuf| above_paths.iter().any(|above| path != above && path.starts_with(above));
            if paths.iter().any(below) {
                let why =
                    format!("it is in {}, where plugin {other} may write and could replace it", above.host.display());
                return refused(why, "grant directories that are apart, or the one above for reading alone");
            }
        }
    }
    Ok(())
}

/// A path from the root, with its links followed as far as it is there.
fn resolved(path: &Path) -> PathBuf {
    let path = lexical(path);
    let (mut known, mut rest) = (path.as_path(), Vec::new());
    loop {
        if let Ok(real) = known.canonicalize() {
            return rest.into_iter().rev().fold(real, |whole: PathBuf, part| whole.join(part));
        }
        match (known.parent(), known.file_name()) {
            (Some(parent), Some(part)) => {
                rest.push(part.to_owned());
                known = parent;
            }
            _ => return path,
        }
    }
}

/// A path from the root, `.` and `..` taken away as they stand.
fn lexical(path: &Path) -> PathBuf {
    let whole = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let mut plain = PathBuf::new();
    for part in whole.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => drop(plain.pop()),
            part => plain.push(part),
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grant(host: &Path, access: Access) -> DirGrant {
        DirGrant::new(host, "/x", access).expect("valid")
    }

    #[test]
    fn no_grant_leads_to_the_hosts_own_files_or_to_another_grant() {
        let dir = tempfile::tempdir().expect("a directory");
        let root = dir.path().canonicalize().expect("it is there");
        for sub in ["data", "assets/pictures", "plugins", "share"] {
            std::fs::create_dir_all(root.join(sub)).expect("made");
        }
        std::os::unix::fs::symlink(root.join("data"), root.join("share/link")).expect("linked");
        let own =
            |what: &str, path: &str, from_readers| Apart { what: what.into(), path: root.join(path), from_readers };
        let apart = [own("the data directory", "data", true), own("a plugin's file", "plugins/a.wasm", false)];
        let (a, b) = (PluginName::new("a").expect("valid"), PluginName::new("b").expect("valid"));
        let (read, write) = (Access::Read, Access::ReadWrite);
        let cases: [(&[(&str, Access)], bool); 12] = [
            (&[("assets", read)], true),
            (&[("assets", write)], true),
            (&[("plugins", read)], true),
            (&[("plugins", write)], false),
            (&[("", read)], false),
            (&[("data", read)], false),
            (&[("data/code", read)], false),
            (&[("share/link", read)], false),
            (&[("assets/../data", read)], false),
            (&[("assets", read), ("assets/pictures", write)], true),
            (&[("assets", write), ("assets/pictures", read)], false),
            (&[("assets", write), ("assets", write)], true),
        ];
        for (granted, fine) in cases {
            let dirs: Vec<_> = granted.iter().map(|(path, access)| grant(&root.join(path), *access)).collect();
            let dirs: Vec<_> = [&a, &b].into_iter().zip(&dirs).collect();
            assert_eq!(check_dirs(&dirs, &apart).is_ok(), fine, "{granted:?}");
        }
    }
}
