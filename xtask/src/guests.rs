//! Builds all guests in `plugins/` and puts them where hosts and tests find them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::failure::{Doing, Failure, Result};
use crate::languages;
use crate::process::{capture, capture_stdout};
use crate::project::{Project, make_dir};
use crate::setup::{TARGET, Toolchain};

/// A built guest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Guest {
    /// Its file's name without the end: `counter`, or `flights-1.0.0` where versions stand side by side.
    pub(crate) name: String,
    /// The file to load.
    pub(crate) file: PathBuf,
}

/// Builds them with `toolchain` into `<target>/guests/out`.
pub(crate) fn build(project: &Project, toolchain: &Toolchain) -> Result<Vec<Guest>> {
    let manifest = project.plugins_manifest();
    if !manifest.is_file() {
        return Err(Failure::new(format!("{} is missing: there are no guests to build", manifest.display())));
    }
    let mut metadata = project.cargo_into(&toolchain.target_dir);
    metadata.args(["metadata", "--no-deps", "--locked", "--format-version", "1", "--manifest-path"]).arg(&manifest);
    let metadata = capture(&mut metadata, &project.interrupt)?;
    let metadata: Value =
        serde_json::from_str(&metadata).doing(|| "reading cargo's metadata of plugins/".to_owned())?;

    let mut cargo = project.cargo_into(&toolchain.target_dir);
    toolchain.apply(&mut cargo);
    cargo.args(["build", "--workspace", "--release", "--locked", "--target", TARGET]);
    cargo.args(["--message-format", "json-render-diagnostics", "--manifest-path"]).arg(&manifest);
    let messages = capture_stdout(&mut cargo, &project.interrupt)?;
    let built = wasm_files(&messages)?;
    let named = file_names(&built, &metadata)?;
    // Those in other languages are built later, with the command: they stay meanwhile.
    let others = languages::plugins(project)?.into_iter().map(|plugin| plugin.name).collect();
    put_in_place(&named, &others, &project.guests_out())
}

/// The guests' names, for a line on the screen.
pub(crate) fn listed(guests: &[Guest]) -> String {
    guests.iter().map(|guest| guest.name.as_str()).collect::<Vec<_>>().join(", ")
}

/// From cargo's messages: package id → wasm file.
fn wasm_files(messages: &str) -> Result<BTreeMap<String, PathBuf>> {
    let mut found = BTreeMap::new();
    for line in messages.lines().filter(|line| line.starts_with('{')) {
        let message: Value = serde_json::from_str(line).doing(|| "reading cargo's messages".to_owned())?;
        if message["reason"] != "compiler-artifact" {
            continue;
        }
        let files = message["filenames"].as_array().into_iter().flatten().filter_map(Value::as_str);
        let wasm = files.into_iter().find(|file| file.ends_with(".wasm"));
        if let (Some(package), Some(wasm)) = (message["package_id"].as_str(), wasm) {
            found.insert(package.to_owned(), PathBuf::from(wasm));
        }
    }
    if found.is_empty() {
        return Err(Failure::new(
            "plugins/ built no .wasm file; a guest's Cargo.toml needs `crate-type = [\"cdylib\"]`",
        ));
    }
    Ok(found)
}

/// Names each file after its package, so that nothing needs changing here for a new plugin.
fn file_names(built: &BTreeMap<String, PathBuf>, metadata: &Value) -> Result<BTreeMap<String, PathBuf>> {
    let mut named = BTreeMap::new();
    for package in metadata["packages"].as_array().into_iter().flatten() {
        let Some(file) = package["id"].as_str().and_then(|id| built.get(id)) else { continue };
        let (Some(package), Some(version)) = (package["name"].as_str(), package["version"].as_str()) else {
            return Err(Failure::new("cargo's metadata of plugins/ has a package without name or version"));
        };
        let name = file_name(package, version);
        if named.insert(name.clone(), file.clone()).is_some() {
            return Err(Failure::new(format!("two guests in plugins/ are called {name}.wasm")));
        }
    }
    Ok(named)
}

/// `counter` for the package `counter`; `flights-1.0.0` for the package `flights-v1` of that version: a workspace can't
/// hold two packages of one name, so versions that stand side by side carry their first number in it.
fn file_name(package: &str, version: &str) -> String {
    match package.rsplit_once("-v") {
        Some((plugin, number)) if Some(number) == version.split('.').next() => format!("{plugin}-{version}"),
        _ => package.to_owned(),
    }
}

/// Copies what changed, and removes guests that are no longer built.
fn put_in_place(named: &BTreeMap<String, PathBuf>, others: &BTreeSet<String>, out: &Path) -> Result<Vec<Guest>> {
    make_dir(out)?;
    let mut guests = Vec::with_capacity(named.len());
    for (name, built) in named {
        let file = out.join(format!("{name}.wasm"));
        put(built, &file)?;
        guests.push(Guest { name: name.clone(), file });
    }
    let current: BTreeSet<&Path> = guests.iter().map(|guest| guest.file.as_path()).collect();
    let is_other = |path: &Path| path.file_stem().is_some_and(|stem| others.contains(&*stem.to_string_lossy()));
    for entry in std::fs::read_dir(out).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.extension().is_some_and(|end| end == "wasm") && !current.contains(path.as_path()) && !is_other(&path) {
            std::fs::remove_file(&path).doing(|| format!("removing {}, which is no longer built", path.display()))?;
        }
    }
    Ok(guests)
}

/// Copies a guest if it has changed.
pub(crate) fn put(built: &Path, file: &Path) -> Result<()> {
    let bytes = std::fs::read(built).doing(|| format!("reading {}", built.display()))?;
    if std::fs::read(file).ok().as_ref() == Some(&bytes) {
        return Ok(());
    }
    // Renamed into place: whoever loads it meanwhile sees the old file or the new one.
    let partial = file.with_extension("partial");
    let put = std::fs::write(&partial, &bytes).and_then(|()| std::fs::rename(&partial, file));
    put.doing(|| format!("writing {}", file.display()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn built(names: &[(&str, &str)]) -> BTreeMap<String, PathBuf> {
        names.iter().map(|(id, file)| ((*id).to_owned(), PathBuf::from(file))).collect()
    }

    #[test]
    fn cargos_messages_are_searched_for_wasm() {
        let messages = [
            json!({"reason": "compiler-artifact", "package_id": "dep", "filenames": ["/t/libdep.rlib"]}).to_string(),
            json!({"reason": "compiler-artifact", "package_id": "counter", "filenames": ["/t/x.rlib", "/t/counter.wasm"]})
                .to_string(),
            json!({"reason": "build-finished", "success": true}).to_string(),
        ];
        let found = wasm_files(&messages.join("\n")).map_err(|failure| failure.to_string());
        assert_eq!(found, Ok(built(&[("counter", "/t/counter.wasm")])));
        assert!(wasm_files(&messages[0]).is_err(), "a build without guests is an error");
        assert!(wasm_files("{not json").is_err());
    }

    #[test]
    fn a_file_is_named_by_its_package_and_its_version_where_that_is_in_its_name() {
        for (package, version, expected) in [
            ("counter", "1.0.0", "counter"),
            ("flights-v1", "1.0.0", "flights-1.0.0"),
            ("flights-v12", "12.3.0-rc.1", "flights-12.3.0-rc.1"),
            ("flights-v1", "2.0.0", "flights-v1"),
            ("word-viewer", "1.0.0", "word-viewer"),
        ] {
            assert_eq!(file_name(package, version), expected);
        }
    }

    #[test]
    fn only_what_was_built_is_named_and_two_of_one_name_are_refused() {
        let package = |id: &str, name: &str| json!({"id": id, "name": name, "version": "1.0.0"});
        let files = built(&[("a", "/t/a.wasm"), ("b", "/t/b.wasm")]);
        let named = |first: &str, second: &str| {
            let metadata =
                json!({"packages": [package("a", first), package("b", second), package("c", "shared-code")]});
            file_names(&files, &metadata).map_err(|failure| failure.to_string())
        };
        assert_eq!(named("x-v1", "y"), Ok(built(&[("x-1.0.0", "/t/a.wasm"), ("y", "/t/b.wasm")])));
        assert_eq!(named("x", "x"), Err("two guests in plugins/ are called x.wasm".to_owned()));
    }

    #[test]
    fn what_is_no_longer_built_goes() {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let (source, out) = (folder.path().join("a.wasm"), folder.path().join("out"));
        std::fs::create_dir(&out).expect("it can be made");
        std::fs::write(&source, "new").expect("it can be written");
        for name in ["a.wasm", "gone.wasm"] {
            std::fs::write(out.join(name), "old").expect("it can be written");
        }
        std::fs::write(out.join("b-go.wasm"), "other").expect("it can be written");
        let others = BTreeSet::from(["b-go".to_owned()]);
        let guests = put_in_place(&BTreeMap::from([("a".to_owned(), source)]), &others, &out);
        let guests = guests.map_err(|failure| failure.to_string());
        assert_eq!(guests, Ok(vec![Guest { name: "a".to_owned(), file: out.join("a.wasm") }]));
        assert_eq!(std::fs::read_to_string(out.join("a.wasm")).ok().as_deref(), Some("new"));
        assert!(!out.join("gone.wasm").exists() && out.join("b-go.wasm").exists());
    }
}
