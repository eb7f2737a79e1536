//! The plugins of this repository keep the contract.

use std::fs;
use std::path::{Path, PathBuf};

use baton_host::conformance::{self, Fixtures, Options, Verdict};

use crate::harness::{guest, repository};

/// The crates below `dir`, with the folder of fixtures that belongs to each.
fn crates(dir: &Path, fixtures: Option<&Path>, found: &mut Vec<(PathBuf, PathBuf)>) {
    let own = dir.join("fixtures");
    let fixtures = if own.is_dir() { Some(own.as_path()) } else { fixtures };
    if let Some(fixtures) = fixtures.filter(|_| dir.join("Cargo.toml").is_file()) {
        found.push((dir.to_owned(), fixtures.to_owned()));
    }
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        if path.is_dir() && !matches!(name, "target" | "src" | "fixtures" | "node_modules") && !name.starts_with('.') {
            crates(&path, fixtures, found);
        }
    }
}

/// What `cargo xtask guests` calls the file of a crate.
fn file_of(dir: &Path) -> PathBuf {
    let manifest = fs::read_to_string(dir.join("Cargo.toml")).unwrap();
    let value = |key: &str| {
        let line = manifest.lines().find_map(|line| line.strip_prefix(key)?.trim().strip_prefix('='));
        line.map(|value| value.trim().trim_matches('"').to_owned())
    };
    let name = value("name").unwrap();
    match name.rsplit_once("-v").filter(|(_, number)| number.parse::<u32>().is_ok()) {
        Some((plain, _)) => guest(&format!("{plain}-{}", value("version").unwrap())),
        None => guest(&name),
    }
}

#[tokio::test]
async fn every_plugin_with_fixtures_keeps_the_contract() {
    let mut found = Vec::new();
    crates(&repository().join("plugins"), None, &mut found);
    assert!(found.len() >= 8, "{found:?}");
    for (dir, fixtures) in found {
        let file = file_of(&dir);
        let fixtures = Fixtures::read(&fixtures).unwrap();
        let options = Options { rounds: 40, seconds: 10, ..Options::default() };
        let wasm = fs::read(&file).unwrap();
        let report = conformance::test(file.to_str().unwrap(), wasm, &fixtures, &options).await.unwrap();
        assert_eq!(report.count(Verdict::Kept), report.outcomes.len(), "{}: {report}", dir.display());
    }
}
