//! Asks apt for packages, without root and without touching what the machine has installed.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::failure::{Failure, Result};
use crate::process::{Interrupt, capture};
use crate::project::{major_minor, make_dir};

/// The package whose version all the others follow.
const COMPILER: &str = "rustc-web";

/// The packages to unpack, each with its version.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Packages {
    /// Version of the compiler and of its libraries and sources.
    pub(super) version: String,
    /// As `apt-get download` takes them.
    pub(super) wanted: Vec<String>,
}

/// apt, with the machine's own package lists or with private ones.
#[derive(Debug)]
pub(super) struct Apt<'a> {
    interrupt: &'a Interrupt,
    options: Vec<String>,
}

impl<'a> Apt<'a> {
    /// With the machine's lists, as they are.
    pub(super) fn of_the_machine(interrupt: &'a Interrupt) -> Self {
        // Downloads land in our own folder, where apt's unprivileged user may not write.
        Apt { interrupt, options: vec!["APT::Sandbox::User=root".to_owned()] }
    }

    /// With lists of its own in `folder`, fetched now: the machine's may be missing or old, and only root may renew them.
    pub(super) fn with_private_lists(interrupt: &'a Interrupt, folder: &Path) -> Result<Self> {
        let mut apt = Apt::of_the_machine(interrupt);
        for (option, name) in [("Dir::State::Lists", "lists"), ("Dir::Cache", "cache")] {
            let folder = folder.join(name);
            make_dir(&folder)?;
            apt.options.push(format!("{option}={}", folder.display()));
        }
        capture(apt.command("apt-get").args(["--quiet", "update"]), interrupt)?;
        Ok(apt)
    }

    /// The packages of a compiler that is at least `oldest`.
    pub(super) fn packages(&self, oldest: (u32, u32)) -> Result<Packages> {
        let policy = capture(self.command("apt-cache").args(["policy", COMPILER]), self.interrupt)?;
        let version = candidate(&policy)
            .ok_or_else(|| Failure::new(format!("apt knows no package {COMPILER}")))
            .and_then(|version| new_enough(version, oldest))?;
        let library = self.dependency("libstd-rust-web-dev", version, "libstd-rust-web-")?;
        let llvm = self.dependency(&library, version, "libllvm")?;
        let mut wanted: Vec<String> = [COMPILER, "libstd-rust-web-dev", "rust-web-src", &library]
            .iter()
            .map(|package| format!("{package}={version}"))
            .collect();
        wanted.push(llvm);
        Ok(Packages { version: version.to_owned(), wanted })
    }

    /// Fetches `packages` into `folder` and gives the files.
    pub(super) fn download(&self, packages: &Packages, folder: &Path) -> Result<Vec<PathBuf>> {
        let mut download = self.command("apt-get");
        capture(download.current_dir(folder).args(["--quiet", "download"]).args(&packages.wanted), self.interrupt)?;
        let files = std::fs::read_dir(folder).into_iter().flatten().flatten().map(|file| file.path());
        let mut files: Vec<PathBuf> = files.filter(|file| file.extension().is_some_and(|end| end == "deb")).collect();
        files.sort();
        if files.len() == packages.wanted.len() {
            return Ok(files);
        }
        Err(Failure::new(format!("apt-get fetched {} of {} packages", files.len(), packages.wanted.len())))
    }

    fn dependency(&self, package: &str, version: &str, prefix: &str) -> Result<String> {
        let mut show = self.command("apt-cache");
        show.args(["--no-all-versions", "show"]).arg(format!("{package}={version}"));
        let shown = capture(&mut show, self.interrupt)?;
        depends_on(&shown, prefix)
            .map(str::to_owned)
            .ok_or_else(|| Failure::new(format!("package {package} {version} depends on no {prefix}*")))
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.env("LC_ALL", "C").env("DEBIAN_FRONTEND", "noninteractive");
        for option in &self.options {
            command.args(["-o", option]);
        }
        command
    }
}

/// The version that `apt-cache policy` would install.
fn candidate(policy: &str) -> Option<&str> {
    let version = policy.lines().find_map(|line| line.trim().strip_prefix("Candidate:"))?.trim();
    (version != "(none)" && !version.is_empty()).then_some(version)
}

fn new_enough(version: &str, oldest: (u32, u32)) -> Result<&str> {
    match major_minor(version) {
        Some(found) if found >= oldest => Ok(version),
        _ => Err(Failure::new(format!("apt offers {COMPILER} {version}, and {}.{} is needed", oldest.0, oldest.1))),
    }
}

/// The package in `Depends:` whose name starts with `prefix` and goes on with its number.
fn depends_on<'a>(shown: &'a str, prefix: &str) -> Option<&'a str> {
    let depends = shown.lines().find_map(|line| line.strip_prefix("Depends:"))?;
    let names = depends.split([',', '|']).filter_map(|entry| entry.split_whitespace().next());
    names.into_iter().find(|name| {
        name.strip_prefix(prefix)
            .is_some_and(|rest| !rest.is_empty() && rest.chars().all(|c| c.is_ascii_digit() || c == '.'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_candidate_is_read() {
        let policy = "rustc-web:\n  Installed: (none)\n  Candidate: 1.96.0+dfsg1-1~deb12u2\n  Version table:\n";
        assert_eq!(candidate(policy), Some("1.96.0+dfsg1-1~deb12u2"));
        assert_eq!(candidate("rustc-web:\n  Installed: (none)\n  Candidate: (none)\n"), None);
        assert_eq!(candidate(""), None);
    }

    #[test]
    fn an_older_compiler_is_refused_with_both_versions() {
        assert!(new_enough("1.96.0+dfsg1-1~deb12u2", (1, 95)).is_ok());
        assert!(new_enough("1.95.0", (1, 95)).is_ok());
        let message = new_enough("1.85.0+dfsg3-1~deb12u3", (1, 95)).map_err(|failure| failure.to_string());
        assert_eq!(message, Err("apt offers rustc-web 1.85.0+dfsg3-1~deb12u3, and 1.95 is needed".to_owned()));
        assert!(new_enough("unreadable", (1, 95)).is_err());
    }

    #[test]
    fn dependencies_are_found_by_prefix_and_number() {
        let shown =
            "Package: x\nDepends: libc6 (>= 2.34), libstd-rust-web-1.96 (= 1.96.0+dfsg1-1~deb12u2), libllvm22\n";
        assert_eq!(depends_on(shown, "libstd-rust-web-"), Some("libstd-rust-web-1.96"));
        assert_eq!(depends_on(shown, "libllvm"), Some("libllvm22"));
        assert_eq!(depends_on(shown, "libz"), None);
        assert_eq!(depends_on("Depends: libstd-rust-web-dev", "libstd-rust-web-"), None);
        assert_eq!(depends_on("", "libllvm"), None);
    }
}
