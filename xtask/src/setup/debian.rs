//! A toolchain for guests from Debian's packages alone, in a folder of its own under the target folder.
//!
//! Debian's `rustc-web` brings a compiler and the sources of its standard library, but no compiled one for wasm: that is
//! built here, once. The toolchain in use keeps doing everything else; its linker links the guests. Nothing is installed
//! and nothing needs root.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::apt::{Apt, Packages};
use super::{TARGET, Toolchain, holds_std};
use crate::failure::{Doing, Failure, Result};
use crate::process::{Running, capture, stream};
use crate::progress::say;
use crate::project::{Project, make_dir, remove_dir};

/// Raised when what is put into the folder changes, so that older ones are made anew.
const LAYOUT: u32 = 1;
/// The line of the stamp that holds the version.
const STAMP: &str = "toolchain";

/// The folder of the fallback.
#[derive(Debug)]
pub(super) struct Prefix {
    folder: PathBuf,
}

impl Prefix {
    pub(super) fn new(project: &Project) -> Self {
        Prefix { folder: project.target.join("guest-toolchain") }
    }

    /// Whether it was made to the end, and its compiler runs.
    pub(super) fn is_ready(&self, project: &Project) -> bool {
        self.version().is_some()
            && holds_std(&self.library())
            && capture(Command::new(self.rustc()).arg("--version"), &project.interrupt).is_ok()
    }

    /// Makes it, unless it is ready.
    pub(super) fn make(&self, project: &Project) -> Result<Toolchain> {
        let linker = find_linker(project)?;
        if !self.is_ready(project) {
            self.make_anew(project, &linker)?;
        }
        let version = self.version().unwrap_or_default();
        Ok(Toolchain {
            name: format!("Debian's rustc-web {version}, with {TARGET} built from its sources"),
            // Cargo cannot see that this std was built again and would reuse what an earlier one compiled (E0463). So
            // what guests compile to goes when the toolchain goes.
            target_dir: self.folder.join("target"),
            environment: vec![
                ("RUSTC", self.rustc().into()),
                ("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER", linker.into()),
            ],
        })
    }

    fn make_anew(&self, project: &Project, linker: &Path) -> Result<()> {
        remove_dir(&self.folder)?;
        make_dir(&self.folder)?;
        say("      making a toolchain from Debian's packages: about 130 MB to fetch, 600 MB on disk, 2 minutes");
        let packages = self.fetch_and_unpack(project)?;
        self.write_rustc(project)?;
        say(&format!("      building the standard library for {TARGET}"));
        self.build_std(project, linker)?;
        let stamp = self.stamp(&packages.version);
        std::fs::write(self.folder.join(STAMP), stamp).doing(|| "writing the toolchain's stamp".to_owned())
    }

    fn fetch_and_unpack(&self, project: &Project) -> Result<Packages> {
        let (lists, debs, root) = (self.folder.join("apt"), self.folder.join("debs"), self.root());
        make_dir(&debs)?;
        make_dir(&root)?;
        // The machine's lists may be missing, too old, or name files that the mirror no longer has; fresh ones cure all.
        let machine = Apt::of_the_machine(&project.interrupt);
        let fetched = machine.packages(project.rust_version).and_then(|packages| {
            say(&format!("      fetching {}", packages.wanted.join(" ")));
            Ok((machine.download(&packages, &debs)?, packages))
        });
        let (files, packages) = match fetched {
            Ok(fetched) => fetched,
            Err(failure) => {
                project.interrupt.check()?;
                say(&format!("      {failure}; fetching package lists of our own"));
                remove_dir(&debs)?;
                make_dir(&debs)?;
                let apt = Apt::with_private_lists(&project.interrupt, &lists)?;
                let packages = apt.packages(project.rust_version)?;
                say(&format!("      fetching {}", packages.wanted.join(" ")));
                (apt.download(&packages, &debs)?, packages)
            }
        };
        for file in &files {
            unpack(project, file, &root)?;
        }
        remove_dir(&debs)?;
        remove_dir(&lists)?;
        remove_dir(&root.join("usr/share"))?;
        Ok(packages)
    }

    /// A compiler that finds its own libraries and nobody else's.
    fn write_rustc(&self, project: &Project) -> Result<()> {
        let real = self.root().join("usr/bin/rustc");
        let libraries = folders_with(&self.root().join("usr/lib"), &["librustc_driver", "libLLVM"], 3);
        let libraries: Vec<String> = libraries.iter().map(|folder| shell_quoted(folder)).collect();
        let script = format!(
            "#!/bin/sh\nexport LD_LIBRARY_PATH={}\"${{LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}}\"\nexec {} \"$@\"\n",
            libraries.join(":"),
            shell_quoted(&real)
        );
        make_dir(&self.folder.join("bin"))?;
        write_executable(&self.rustc(), &script)?;
        let version = capture(Command::new(self.rustc()).arg("--version"), &project.interrupt)?;
        say(&format!("      unpacked {}", version.trim()));
        Ok(())
    }

    /// Builds std once and keeps it in the private sysroot, so that no later build needs unstable flags.
    fn build_std(&self, project: &Project, linker: &Path) -> Result<()> {
        let package = self.folder.join("std");
        make_dir(&package.join("src"))?;
        let manifest = "[package]\nname = \"std-for-guests\"\nedition = \"2021\"\n\n[profile.release]\n\
                        opt-level = \"s\"\npanic = \"abort\"\n\n[workspace]\n";
        for (name, text) in [("Cargo.toml", manifest), ("src/lib.rs", "")] {
            let file = package.join(name);
            std::fs::write(&file, text).doing(|| format!("writing {}", file.display()))?;
        }
        let built = package.join("target");
        let mut cargo = project.cargo_into(&built);
        cargo
            .current_dir(&package)
            .env("RUSTC", self.rustc())
            .env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER", linker)
            // Bitcode, so that guests may be optimised across crates.
            .env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUSTFLAGS", "-C embed-bitcode=yes -C codegen-units=1")
            // -Zbuild-std is unstable; this compiler and these sources are of one build, so it is safe to ask for here.
            .env("RUSTC_BOOTSTRAP", "1")
            .args(["build", "--release", "-Zbuild-std=std,panic_abort", "--target", TARGET]);
        stream(&mut cargo, &project.interrupt)?;
        self.keep_std(&built.join(TARGET).join("release/deps"))?;
        remove_dir(&package)
    }

    fn keep_std(&self, built: &Path) -> Result<()> {
        let library = self.library();
        make_dir(&library)?;
        let files = std::fs::read_dir(built).doing(|| format!("reading {}", built.display()))?;
        for file in files.flatten() {
            let name = file.file_name();
            let Some(name) = name.to_str() else { continue };
            if name.starts_with("lib") && name.ends_with(".rlib") && !name.starts_with("libstd_for_guests-") {
                std::fs::copy(file.path(), library.join(name)).doing(|| format!("copying {name}"))?;
            }
        }
        if holds_std(&library) {
            return Ok(());
        }
        Err(Failure::new(format!("cargo built no standard library in {}", built.display())))
    }

    /// The version it was made from, if it is complete, of this layout and still where it was made.
    fn version(&self) -> Option<String> {
        let stamp = std::fs::read_to_string(self.folder.join(STAMP)).ok()?;
        let version = stamp.lines().next()?.to_owned();
        (stamp == self.stamp(&version)).then_some(version)
    }

    fn stamp(&self, version: &str) -> String {
        format!("{version}\nlayout {LAYOUT}\n{}\n", self.folder.display())
    }

    fn root(&self) -> PathBuf {
        self.folder.join("root")
    }

    fn rustc(&self) -> PathBuf {
        self.folder.join("bin/rustc")
    }

    fn library(&self) -> PathBuf {
        self.root().join("usr/lib/rustlib").join(TARGET).join("lib")
    }
}

/// The linker for wasm that the toolchain in use brings, or one on PATH.
fn find_linker(project: &Project) -> Result<PathBuf> {
    let mut rustc = Command::new(super::rustc());
    let sysroot = capture(rustc.current_dir(&project.root).args(["--print", "sysroot"]), &project.interrupt)?;
    let rustlib = Path::new(sysroot.trim()).join("lib/rustlib");
    let hosts = std::fs::read_dir(&rustlib).into_iter().flatten().flatten();
    let bundled = hosts.map(|host| host.path().join("bin/rust-lld"));
    let path = std::env::var_os("PATH").unwrap_or_default();
    let installed =
        std::env::split_paths(&path).flat_map(|folder| ["rust-lld", "wasm-ld"].map(|name| folder.join(name)));
    bundled.chain(installed).find(|linker| linker.is_file()).ok_or_else(|| {
        Failure::new(format!(
            "no linker for wasm: neither rust-lld in {} nor wasm-ld on PATH (package lld)",
            rustlib.display()
        ))
    })
}

/// Unpacks one package; of the sources only what building std needs.
fn unpack(project: &Project, file: &Path, root: &Path) -> Result<()> {
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    if !name.starts_with("rust-web-src_") {
        return stream(Command::new("dpkg").arg("-x").arg(file).arg(root), &project.interrupt);
    }
    let mut contents = Running::start(Command::new("dpkg").arg("--fsys-tarfile").arg(file).stdout(Stdio::piped()))?;
    let mut tar = Command::new("tar");
    tar.arg("-x").arg("-C").arg(root).arg("--wildcards").args(["./usr/src/rustc-*/library*", "./usr/lib/rustlib/src*"]);
    if let Some(pipe) = contents.child().stdout.take() {
        tar.stdin(pipe);
    }
    let unpacked = Running::start(&mut tar)?.wait(&project.interrupt, None)?;
    let read = contents.wait(&project.interrupt, None)?;
    if unpacked.success() && read.success() {
        return Ok(());
    }
    Err(Failure::new(format!("cannot unpack {}: dpkg {read}, tar {unpacked}", file.display())))
}

/// The folders under `folder`, at most `depth` down, that hold a file whose name starts with one of `names`.
fn folders_with(folder: &Path, names: &[&str], depth: u32) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
        if is_folder && depth > 0 {
            found.extend(folders_with(&entry.path(), names, depth - 1));
        } else if names.iter().any(|name| entry.file_name().to_string_lossy().starts_with(name)) {
            found.push(folder.to_path_buf());
        }
    }
    found.sort();
    found.dedup();
    found
}

fn shell_quoted(path: &Path) -> String {
    format!("'{}'", path.to_string_lossy().replace('\'', r"'\''"))
}

fn write_executable(path: &Path, text: &str) -> Result<()> {
    use std::os::unix::fs::PermissionsExt;

    let executable = std::fs::Permissions::from_mode(0o755);
    std::fs::write(path, text)
        .and_then(|()| std::fs::set_permissions(path, executable))
        .doing(|| format!("writing {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stamp_counts_only_when_complete_and_in_its_place() {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let prefix = Prefix { folder: folder.path().to_path_buf() };
        let stamp = folder.path().join(STAMP);
        assert_eq!(prefix.version(), None, "no stamp");
        for (text, expected) in [
            (prefix.stamp("1.96.0"), Some("1.96.0".to_owned())),
            ("1.96.0\n".to_owned(), None),
            (format!("1.96.0\nlayout {LAYOUT}\n/somewhere/else\n"), None),
            (format!("1.96.0\nlayout 0\n{}\n", folder.path().display()), None),
        ] {
            std::fs::write(&stamp, &text).expect("the stamp can be written");
            assert_eq!(prefix.version(), expected, "{text}");
        }
    }

    #[test]
    fn library_folders_are_found_below() {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        for file in ["a/librustc_driver-1.so", "llvm-22/lib/libLLVM.so.22", "other/libz.so"] {
            let path = folder.path().join(file);
            std::fs::create_dir_all(path.parent().expect("it has a folder")).expect("it can be made");
            std::fs::write(path, "").expect("it can be written");
        }
        let found = folders_with(folder.path(), &["librustc_driver", "libLLVM"], 3);
        assert_eq!(found, [folder.path().join("a"), folder.path().join("llvm-22/lib")]);
    }
}
