//! Finds or makes a Rust toolchain that can build guests.
//!
//! In order: the target is there already; rustup fetches it; Debian's packages, for machines that reach a Debian mirror
//! and nothing else (see `setup/debian.rs`).

mod apt;
mod debian;

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::failure::{Failure, Result};
use crate::process::{capture, stream_within};
use crate::progress::say;
use crate::project::Project;

/// What guests are built for.
pub(crate) const TARGET: &str = "wasm32-unknown-unknown";
/// How long rustup may try.
const RUSTUP_LIMIT: Duration = Duration::from_secs(60);

/// Where the toolchain for guests may come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// Whatever works, in the order above.
    Any,
    /// The toolchain in use, with rustup's help.
    Rustup,
    /// Debian's packages, even where the target is there already.
    Debian,
}

impl Source {
    /// The names that a person may give.
    pub(crate) const NAMES: [&str; 3] = ["any", "rustup", "debian"];

    /// Reads one of them.
    pub(crate) fn named(name: &str) -> Option<Self> {
        match name {
            "any" => Some(Source::Any),
            "rustup" => Some(Source::Rustup),
            "debian" => Some(Source::Debian),
            _ => None,
        }
    }
}

/// A toolchain that builds guests.
#[derive(Debug)]
pub(crate) struct Toolchain {
    /// What it is, for people.
    pub(crate) name: String,
    /// Where cargo puts what this toolchain builds. Never shared: artefacts of one std are unusable with another.
    pub(crate) target_dir: PathBuf,
    environment: Vec<(&'static str, OsString)>,
}

impl Toolchain {
    /// Tells tests that build guests themselves, under names of which cargo takes no notice: it builds the tests as well.
    pub(crate) fn tell(&self, tests: &mut Command) {
        tests.envs(self.environment.iter().map(|(name, value)| (format!("BATON_GUEST_{name}"), value)));
        tests.env("BATON_GUEST_CARGO_TARGET_DIR", self.target_dir.join("authoring"));
    }

    /// Makes `cargo` use it.
    pub(crate) fn apply(&self, cargo: &mut Command) {
        cargo.envs(self.environment.iter().map(|(name, value)| (name, value)));
    }
}

/// Finds the toolchain for guests, or makes it.
pub(crate) fn toolchain(project: &Project, source: Source) -> Result<Toolchain> {
    let fallback = debian::Prefix::new(project);
    if source != Source::Debian {
        if has_target(project) {
            return Ok(ordinary(project));
        }
        // Asked of rustup once only: where the fallback stands, rustup has already failed, at the price of a minute.
        let tried = source == Source::Any && fallback.is_ready(project);
        if !tried && rustup_adds_target(project) {
            return Ok(ordinary(project));
        }
        if source == Source::Rustup {
            return Err(Failure::new(format!(
                "the Rust toolchain in use has no {TARGET}, and rustup could not add it; \
                 `--toolchain debian` makes one from Debian's packages"
            )));
        }
    }
    fallback.make(project).map_err(|failure| {
        Failure::new(format!(
            "no toolchain for {TARGET}: {failure}\n\
             Any one of these helps: `rustup target add {TARGET}` where rustup reaches its server; a Rust whose \
             `rustc --print target-libdir --target {TARGET}` is there; a machine with Debian's apt-get and a mirror."
        ))
    })
}

fn ordinary(project: &Project) -> Toolchain {
    Toolchain {
        name: format!("the Rust toolchain in use, with {TARGET}"),
        target_dir: project.target.join("guests"),
        environment: Vec::new(),
    }
}

/// Whether the compiler in use has the target's standard library.
fn has_target(project: &Project) -> bool {
    let mut rustc = Command::new(rustc());
    rustc.current_dir(&project.root).args(["--print", "target-libdir", "--target", TARGET]);
    capture(&mut rustc, &project.interrupt).is_ok_and(|printed| holds_std(Path::new(printed.trim())))
}

/// Whether `folder` holds a compiled standard library.
fn holds_std(folder: &Path) -> bool {
    let Ok(files) = std::fs::read_dir(folder) else { return false };
    files.flatten().any(|file| {
        let name = file.file_name();
        name.to_str().is_some_and(|name| name.starts_with("libstd-") && name.ends_with(".rlib"))
    })
}

fn rustup_adds_target(project: &Project) -> bool {
    let mut rustup = Command::new("rustup");
    // Its own retries would use up the limit; a network that is there answers the first time.
    rustup.current_dir(&project.root).env("RUSTUP_MAX_RETRIES", "1").args(["target", "add", TARGET]);
    match stream_within(&mut rustup, &project.interrupt, Some(RUSTUP_LIMIT)) {
        Ok(()) => has_target(project),
        Err(failure) => {
            say(&format!("      rustup cannot add {TARGET}: {failure}"));
            false
        }
    }
}

/// The compiler that cargo would use.
pub(crate) fn rustc() -> OsString {
    std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_of_a_source_is_read() {
        for name in Source::NAMES {
            assert!(Source::named(name).is_some(), "{name}");
        }
        assert_eq!(Source::named("nix"), None);
    }

    #[test]
    fn an_empty_or_missing_folder_holds_no_std() {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        assert!(!holds_std(folder.path()));
        assert!(!holds_std(&folder.path().join("missing")));
        std::fs::write(folder.path().join("libstd-0123.rlib"), "").expect("it can be written");
        assert!(holds_std(folder.path()));
    }
}
