//! What an author types, from an empty folder to a plugin that is swapped under a running actor.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::harness::{WatGuest, baton_bin, build_dir};

/// An author's machine: an empty folder, and the tools of all languages that could be had.
struct Author {
    dir: TempDir,
}

/// Tools that `cargo xtask test` has fetched.
fn tools() -> Vec<PathBuf> {
    let folders = ["python", "node"].map(|kind| build_dir().parent().unwrap().join("toolchains").join(kind));
    folders.into_iter().filter(|folder| folder.join("fetched.txt").is_file()).collect()
}

impl Author {
    fn new() -> Self {
        Self { dir: tempfile::tempdir().unwrap() }
    }

    fn path(&self, below: &str) -> PathBuf {
        self.dir.path().join(below)
    }

    fn command(&self, folder: &str, words: &[&str]) -> Command {
        let mut baton = Command::new(baton_bin());
        baton.args(words).current_dir(self.path(folder)).stdin(Stdio::null());
        let path = std::env::var_os("PATH").unwrap_or_default();
        let programs = tools().into_iter().map(|folder| folder.join("bin")).chain(std::env::split_paths(&path));
        baton.env("PATH", std::env::join_paths(programs).unwrap());
        baton.env("BATON_TOOLS", std::env::join_paths(tools()).unwrap());
        baton.env("CARGO_TARGET_DIR", build_dir().parent().unwrap().join("guests/authoring"));
        // Where Rust's target is not there, `cargo xtask test` has made a toolchain, and says which.
        for (name, value) in std::env::vars_os() {
            if let Some(name) = name.to_str().and_then(|name| name.strip_prefix("BATON_GUEST_")) {
                baton.env(name, value);
            }
        }
        baton.env("GOPROXY", "off").env("GOTOOLCHAIN", "local");
        baton
    }

    fn types(&self, folder: &str, words: &[&str]) -> (i32, String, String) {
        let Output { status, stdout, stderr } = self.command(folder, words).output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        (status.code().unwrap(), text(stdout), text(stderr))
    }

    fn does(&self, folder: &str, words: &[&str]) -> String {
        let (code, out, err) = self.types(folder, words);
        assert_eq!(code, 0, "baton {words:?}: {out}\n{err}");
        out
    }

    /// Puts `to` in the place of `from`, in a file of the plugin's.
    fn edits(&self, file: &str, from: &str, to: &str) {
        let path = self.path(file);
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.contains(from), "{file} has no {from:?}:\n{text}");
        fs::write(path, text.replace(from, to)).unwrap();
    }
}

/// A host or `baton dev`; ended with the test.
struct Running {
    child: Child,
    out: BufReader<std::process::ChildStdout>,
}

impl Running {
    fn begin(mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let out = BufReader::new(child.stdout.take().unwrap());
        Self { child, out }
    }

    /// The next line of its output that begins so.
    fn says(&mut self, begin: &str) -> String {
        loop {
            let mut line = String::new();
            if self.out.read_line(&mut line).unwrap() == 0 {
                let mut err = String::new();
                self.child.stderr.take().unwrap().read_to_string(&mut err).unwrap();
                panic!("it ended without {begin:?}: {err}");
            }
            if line.starts_with(begin) {
                return line.trim_end().to_owned();
            }
        }
    }

    fn ends(mut self) -> i32 {
        kill_process(Pid::from_child(&self.child), Signal::INT).unwrap();
        self.child.wait().unwrap().code().unwrap()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It has ended, or it is to.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// `baton new`, `build`, `test`, `run`, `call`, an edit, `build`, `swap`: with the count going on.
fn from_an_empty_folder_to_a_swapped_plugin(language: &str, file: &str, from: &str, to: &str) {
    let needs_tools = language != "rust";
    if needs_tools && !has_tools(language) {
        println!("did not run: the tools of {language} are not there; `cargo xtask test` fetches them");
        return;
    }
    let author = Author::new();
    author.does(".", &["new", "my-counter", "--lang", language]);
    let dir = "my-counter";
    author.does(dir, &["build", "--quiet"]);
    author.does(dir, &["test"]);
    let mut host = Running::begin(author.command(dir, &["run", "--log", "warn"]));
    host.says("ready: 1 plugins, 1 actors");
    assert_eq!(author.does(dir, &["call", "my-counter/1", r#"{"add": 3}"#]).trim(), "3");
    let before = author.does(dir, &["inspect", "my-counter.wasm"]);
    author.edits(&format!("{dir}/{file}"), from, to);
    author.does(dir, &["build", "--quiet", "--out", "newer.wasm"]);
    assert_ne!(author.does(dir, &["inspect", "newer.wasm"]), before);
    author.does(dir, &["swap", "my-counter", "newer.wasm", "--yes", "--watch", "1ms"]);
    assert_eq!(author.does(dir, &["call", "my-counter/1", r#"{"add": 4}"#]).trim(), "7");
    assert!(author.does(dir, &["ps"]).contains("my-counter 0.2.0"));
    assert_eq!(host.ends(), 0);
}

fn has_tools(language: &str) -> bool {
    let kind = if ["python", "zig", "c", "go"].contains(&language) { "python" } else { "node" };
    tools().iter().any(|folder| folder.ends_with(kind))
}

#[test]
fn an_author_in_rust_comes_from_an_empty_folder_to_a_swapped_plugin() {
    from_an_empty_folder_to_a_swapped_plugin("rust", "Cargo.toml", "version = \"0.1.0\"", "version = \"0.2.0\"");
}

#[test]
fn an_author_in_c_comes_from_an_empty_folder_to_a_swapped_plugin() {
    from_an_empty_folder_to_a_swapped_plugin("c", "src/plugin.c", "\"0.1.0\"", "\"0.2.0\"");
}

#[test]
fn an_author_in_go_comes_from_an_empty_folder_to_a_swapped_plugin() {
    from_an_empty_folder_to_a_swapped_plugin("go", "main.go", "\"0.1.0\"", "\"0.2.0\"");
}

#[test]
fn an_author_in_javascript_comes_from_an_empty_folder_to_a_swapped_plugin() {
    from_an_empty_folder_to_a_swapped_plugin("javascript", "src/index.js", "\"0.1.0\"", "\"0.2.0\"");
}

#[test]
fn an_author_in_typescript_comes_from_an_empty_folder_to_a_swapped_plugin() {
    from_an_empty_folder_to_a_swapped_plugin("typescript", "src/index.ts", "\"0.1.0\"", "\"0.2.0\"");
}

#[test]
fn an_author_in_python_comes_from_an_empty_folder_to_a_swapped_plugin() {
    from_an_empty_folder_to_a_swapped_plugin("python", "plugin.py", "\"0.1.0\"", "\"0.2.0\"");
}

#[test]
fn an_author_in_zig_comes_from_an_empty_folder_to_a_swapped_plugin() {
    from_an_empty_folder_to_a_swapped_plugin("zig", "src/main.zig", "\"0.1.0\"", "\"0.2.0\"");
}

#[test]
fn an_author_in_assemblyscript_comes_from_an_empty_folder_to_a_swapped_plugin() {
    from_an_empty_folder_to_a_swapped_plugin("assemblyscript", "assembly/index.ts", "\"0.1.0\"", "\"0.2.0\"");
}

#[test]
fn what_cannot_be_new_is_told() {
    let author = Author::new();
    fs::create_dir(author.path("there")).unwrap();
    fs::write(author.path("there/x"), "").unwrap();
    for (words, said) in [
        (&["new", "x", "--lang", "cobol"][..], "there is no SDK for `cobol`; there are rust, c, go"),
        (&["new", "x", "--lang", "pyton"], "did you mean `python`?"),
        (&["new", "My Plugin", "--lang", "rust"], "plugin name"),
        (&["new", "there", "--lang", "rust"], "there is there and not empty"),
        (&["build"], "has no plugin.toml, so it is no plugin's folder"),
        (&["build", "nowhere"], "nowhere: No such file"),
        (&["dev"], "has no plugin.toml"),
    ] {
        let (code, _, err) = author.types(".", words);
        assert!(code != 0 && err.contains(said), "{words:?}: {code}: {err}");
    }
}

#[test]
fn a_tool_that_is_missing_is_named_with_how_it_is_installed() {
    let author = Author::new();
    for (language, tool, install) in [
        ("rust", "cargo is needed", "rustup"),
        ("c", "zig", "ziglang"),
        ("go", "go is needed", "go.dev"),
        ("javascript", "node is needed", "nodejs.org"),
        ("typescript", "node is needed", "nodejs.org"),
        ("python", "componentize-py is needed", ".venv/bin/pip install componentize-py"),
        ("zig", "zig is needed", "ziglang"),
        ("assemblyscript", "node is needed", "nodejs.org"),
    ] {
        author.does(".", &["new", "x", "--lang", language, "--dir", language]);
        let mut baton = author.command(language, &["build"]);
        let Output { status, stderr, .. } =
            baton.env("PATH", author.path("none")).env("BATON_TOOLS", "").output().unwrap();
        let err = String::from_utf8_lossy(&stderr);
        assert_eq!(status.code(), Some(1), "{language}: {err}");
        assert!(err.contains(tool) && err.contains(install), "{language}: {err}");
    }
}

/// A folder whose `build` copies a component into place, as a language does that has no SDK.
fn of_another_language(author: &Author, guest: &WatGuest) {
    let dir = author.path("p");
    fs::create_dir_all(dir.join("src")).unwrap();
    fs::write(
        dir.join("plugin.toml"),
        "language = \"other\"\n[build]\ncommand = [\"sh\", \"compile.sh\"]\noutput = \"build/made.wasm\"\nsources = [\"src\"]\n",
    )
    .unwrap();
    fs::write(dir.join("compile.sh"), "cp src/made.lang build/made.wasm\n").unwrap();
    fs::write(
        dir.join("baton.toml"),
        "instances = 20\n[[plugin]]\npath = \"plain.wasm\"\n[[actor]]\nname = \"plain/1\"\nplugin = \"plain\"\n",
    )
    .unwrap();
    compiles(&dir, guest);
}

/// What the compiler of the other language makes of this.
fn compiles(dir: &Path, guest: &WatGuest) {
    fs::write(dir.join("src/made.lang"), guest.build()).unwrap();
}

#[test]
fn a_language_without_an_sdk_builds_by_its_own_command() {
    let author = Author::new();
    of_another_language(&author, &WatGuest::new("plain").plain());
    let said = author.does("p", &["build"]);
    assert!(said.contains("plain.wasm: plain 1.0.0, schema 1"), "{said}");
    let (code, _, err) = {
        fs::write(author.path("p/compile.sh"), "echo 'made.lang:3: no such word' >&2; exit 7\n").unwrap();
        author.types("p", &["build"])
    };
    assert_eq!(code, 1);
    assert!(
        err.contains("made.lang:3: no such word") && err.contains("`sh compile.sh` failed: exit status: 7"),
        "{err}"
    );
    fs::write(author.path("p/compile.sh"), "rm -f build/made.wasm\n").unwrap();
    let (_, _, err) = author.types("p", &["build"]);
    assert!(err.contains("the build ended well, and its output is not there"), "{err}");
}

#[test]
fn whoever_saves_sees_the_new_code_go_on_with_the_state_and_a_broken_one_changes_nothing() {
    let author = Author::new();
    of_another_language(&author, &WatGuest::new("plain").plain());
    let mut dev = Running::begin(author.command("p", &["dev", "--log", "error"]));
    dev.says("ready: 1 plugins, 1 actors");
    let count = |expected: u8| {
        let Output { stdout, .. } = author.command("p", &["call", "plain/1", "x"]).output().unwrap();
        assert_eq!(stdout.first(), Some(&expected), "{stdout:?}");
    };
    count(1);
    count(2);
    // By ten from now on.
    let by_ten = "(global.set $count (i32.add (global.get $count) (i32.const 10)))
        (i32.store (i32.const 3000) (global.get $count)) (call $bytes (i32.const 3000) (i32.const 4))";
    compiles(&author.path("p"), &WatGuest::new("plain").plain().on("handle", by_ten));
    dev.says("built ");
    dev.says("swapped: 1 actors of plain go on with it");
    count(12);
    // What does not build, and what refuses the state, leave it as it is.
    fs::write(author.path("p/src/made.lang"), "no wasm").unwrap();
    compiles(
        &author.path("p"),
        &WatGuest::new("plain").plain().version("1.1.0").on("continue", "(call $refuse (i32.const 1))"),
    );
    dev.says("built ");
    count(22);
    compiles(&author.path("p"), &WatGuest::new("plain").plain().version("1.2.0"));
    dev.says("swapped: ");
    count(23);
    assert_eq!(dev.ends(), 0);
}
