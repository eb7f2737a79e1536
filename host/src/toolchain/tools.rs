//! Compilers and their kin: where they are, and which version.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::{Project, ToolError};

/// How many folders above a plugin's are searched for `node_modules` and `.venv`.
const FOLDERS_ABOVE: usize = 16;

/// Where tools are looked for besides the plugin's own folder and those above it.
#[derive(Debug, Clone, Default)]
pub struct Places {
    /// Folders with `bin/` and `node_modules/` in them: before the path.
    pub tools: Vec<PathBuf>,
    /// The folders of programs.
    pub path: Vec<PathBuf>,
}

/// A tool that a language needs.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tool {
    /// As people call it.
    pub(super) name: &'static str,
    pub(super) ways: &'static [Way],
    /// What makes it tell its version.
    pub(super) asks: &'static [&'static str],
    /// The least version: major and minor.
    pub(super) least: (u32, u32),
    /// How it is installed.
    pub(super) install: &'static str,
}

/// How a tool may be there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// A program.
    Program(&'static str),
    /// A module of Python's that is run with `-m`.
    Module(&'static str),
    /// A package of npm's: no program, but its folder.
    Package(&'static str),
}

/// A tool that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Found {
    /// The program and its first arguments; of a package, its folder.
    pub(super) command: Vec<OsString>,
    pub(super) version: String,
}

impl Tool {
    /// # Errors
    /// If there is none, or only older ones: how it is installed.
    pub(super) fn find(&self, project: &Project, places: &Places) -> Result<Found, ToolError> {
        self.find_from(&project.dir, places)
    }

    /// The same for a plugin in this folder.
    ///
    /// # Errors
    /// As `find`.
    pub(super) fn find_from(&self, dir: &Path, places: &Places) -> Result<Found, ToolError> {
        let (major, minor) = self.least;
        let mut older = None;
        for way in self.ways {
            for command in way.candidates(dir, places) {
                let Some(version) = self.version(*way, &command) else { continue };
                match numbers(&version) {
                    Some(numbers) if numbers >= self.least => return Ok(Found { command, version }),
                    _ => older = Some((command, version)),
                }
            }
        }
        let why = match older {
            Some((command, version)) => {
                let found = command.iter().map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ");
                format!("{} {major}.{minor} or newer is needed, and `{found}` is {version}", self.name)
            }
            None => format!("{} is needed ({major}.{minor} or newer), and was not found", self.name),
        };
        Err(ToolError::new(why).hint(self.install))
    }

    /// What it says of its version. None: it is not there, or does not run.
    fn version(&self, way: Way, command: &[OsString]) -> Option<String> {
        let (program, first) = command.split_first()?;
        if let Way::Package(_) = way {
            let manifest = std::fs::read_to_string(Path::new(program).join("package.json")).ok()?;
            let manifest: serde_json::Value = serde_json::from_str(&manifest).ok()?;
            return manifest["version"].as_str().map(str::to_owned);
        }
        let asked = Command::new(program).args(first).args(self.asks).stdin(Stdio::null()).output().ok()?;
        if !asked.status.success() {
            return None;
        }
        let told = [asked.stdout, asked.stderr].concat();
        let told = String::from_utf8_lossy(&told);
        told.split_whitespace().find_map(version_in).map(str::to_owned)
    }
}

impl Way {
    /// Commands to try, the plugin's own first.
    fn candidates(self, dir: &Path, places: &Places) -> Vec<Vec<OsString>> {
        let above: Vec<&Path> = dir.ancestors().take(FOLDERS_ABOVE).collect();
        let own = |below: &str| above.iter().map(|dir| dir.join(below)).collect::<Vec<_>>();
        let tools = |below: &str| places.tools.iter().map(|dir| dir.join(below)).collect::<Vec<_>>();
        let program = |name: &str| {
            let folders = [own(".venv/bin"), own("node_modules/.bin"), tools("bin"), tools("node_modules/.bin")];
            let folders = folders.concat().into_iter().chain(places.path.iter().cloned());
            folders.map(|folder| folder.join(name)).filter(|file| is_program(file)).collect::<Vec<_>>()
        };
        match self {
            Self::Program(name) => program(name).into_iter().map(|file| vec![file.into()]).collect(),
            Self::Module(name) => {
                let pythons = ["python3", "python"].into_iter().flat_map(program);
                pythons.map(|python| vec![python.into(), "-m".into(), name.into()]).collect()
            }
            Self::Package(name) => {
                let folders = [own("node_modules"), tools("node_modules")].concat();
                let packages = folders.into_iter().map(|folder| folder.join(name));
                packages.filter(|folder| folder.is_dir()).map(|folder| vec![folder.into()]).collect()
            }
        }
    }
}

fn is_program(file: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::metadata(file).is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
}

/// The version in a word such as `v20.1.0`, `go1.27.3` or `0.17.0-dev`.
fn version_in(word: &str) -> Option<&str> {
    let word = word.trim_start_matches(|c: char| c.is_ascii_alphabetic());
    let word = word.trim_end_matches([',', ')', ';']);
    numbers(word).map(|_| word)
}

/// Major and minor.
fn numbers(version: &str) -> Option<(u32, u32)> {
    let mut parts = version.split(['.', '-', '+']);
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

/// A command as a person would type it, for messages.
pub(super) fn shown<'a>(words: impl IntoIterator<Item = &'a OsStr>) -> String {
    let word = |word: &OsStr| {
        let word = word.to_string_lossy().into_owned();
        let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:,+@%".contains(c);
        if !word.is_empty() && word.chars().all(plain) { word } else { format!("'{}'", word.replace('\'', "'\\''")) }
    };
    words.into_iter().map(word).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_found_in_what_tools_say() {
        for (told, version) in [
            ("go version go1.27.3 linux/amd64", Some("1.27.3")),
            ("v20.20.2", Some("20.20.2")),
            ("0.17.1", Some("0.17.1")),
            ("Debian clang version 14.0.6", Some("14.0.6")),
            ("componentize-py 0.25.1", Some("0.25.1")),
            ("Version 0.28.20", Some("0.28.20")),
            ("cargo 1.95.0 (f2d3ce0bd 2026-03-21)", Some("1.95.0")),
            ("no version here", None),
        ] {
            assert_eq!(told.split_whitespace().find_map(version_in), version, "{told}");
        }
    }

    #[test]
    fn a_tool_is_found_in_the_plugins_folder_before_the_path_and_never_when_it_is_too_old() {
        use std::os::unix::fs::PermissionsExt as _;
        let dir = tempfile::tempdir().expect("a folder can be made");
        let program = |folder: &str, version: &str| {
            let folder = dir.path().join(folder);
            std::fs::create_dir_all(&folder).expect("it can be made");
            let file = folder.join("tool");
            std::fs::write(&file, format!("#!/bin/sh\necho tool {version}\n")).expect("it can be written");
            std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o755)).expect("it can be run");
            folder
        };
        let tool = Tool {
            name: "the tool",
            ways: &[Way::Program("tool")],
            asks: &["--version"],
            least: (1, 4),
            install: "apt install tool",
        };
        std::fs::create_dir_all(dir.path().join("p")).expect("it can be made");
        let project = Project {
            dir: dir.path().join("p"),
            language: super::super::Language::C,
            sdk: dir.path().into(),
            build: None,
        };
        let mut places = Places::default();
        let missing = tool.find(&project, &places).expect_err("there is none").to_string();
        assert_eq!(missing, "the tool is needed (1.4 or newer), and was not found (apt install tool)");
        places.path.push(program("old", "1.3.9"));
        let old = tool.find(&project, &places).expect_err("it is too old").to_string();
        assert!(old.contains("the tool 1.4 or newer is needed, and `") && old.contains("` is 1.3.9"), "{old}");
        places.path.push(program("new", "1.10.0"));
        assert_eq!(tool.find(&project, &places).map(|found| found.version), Ok("1.10.0".to_owned()));
        places.tools.push(dir.path().to_owned());
        program("bin", "2.0.0");
        assert_eq!(tool.find(&project, &places).map(|found| found.version), Ok("2.0.0".to_owned()));
        program("p/node_modules/.bin", "3.0.0");
        assert_eq!(tool.find(&project, &places).map(|found| found.version), Ok("3.0.0".to_owned()));
        program(".venv/bin", "4.0.0");
        assert_eq!(tool.find(&project, &places).map(|found| found.version), Ok("4.0.0".to_owned()));
    }

    #[test]
    fn commands_are_shown_as_they_would_be_typed() {
        let words = ["a", "b c", "", "it's", "-O3"].map(OsStr::new);
        assert_eq!(shown(words), "a 'b c' '' 'it'\\''s' -O3");
    }
}
