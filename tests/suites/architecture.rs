//! The house as `ARCHITECTURE.md` draws it, kept to: imports run downward only, and what is to be absent is absent.
//!
//! The checker reads the paths in the source, by tokens: comments, strings and the names of fields or methods do not
//! count.

use std::fs;
use std::path::Path;

use crate::harness::repository;

/// The rooms from the top floor down. A room imports from lower floors, and on its own floor from rooms that stand
/// before it.
const FLOORS: [(u8, &[&str]); 9] = [
    (8, &["main"]),
    (7, &["cli"]),
    (6, &["admin"]),
    (5, &["host"]),
    (4, &["swap", "conformance", "toolchain"]),
    (3, &["supervisor", "router"]),
    (2, &["actor", "registry"]),
    (1, &["telemetry", "store", "events", "logs", "sandbox", "catalog", "cluster", "config"]),
    (0, &["model"]),
];

/// How the names of types begin that can change behind a shared reference.
const SHARED_STATE: [&str; 10] =
    ["Atomic", "Mutex", "RwLock", "OnceLock", "OnceCell", "LazyLock", "Lazy", "RefCell", "Cell", "DashMap"];

#[test]
fn the_sources_keep_to_the_house() {
    let root = repository().join("host/src");
    let mut found = Vec::new();
    let mut files = 0;
    walk(&root, &mut |path| {
        let name = path.strip_prefix(&root).unwrap().to_str().unwrap().to_owned();
        files += 1;
        found.extend(violations(&name, &fs::read_to_string(path).unwrap()));
    });
    assert!(files > 30, "only {files} files were found below {}", root.display());
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn every_room_has_its_floor() {
    let root = repository().join("host/src");
    for entry in fs::read_dir(root).unwrap() {
        let path = entry.unwrap().path();
        let room = path.file_stem().unwrap().to_str().unwrap().to_owned();
        assert!(room == "lib" || place(&room).is_some(), "{room} stands on no floor: add it here and to the page");
    }
}

fn walk(dir: &Path, visit: &mut impl FnMut(&Path)) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            walk(&path, visit);
        } else if path.extension().is_some_and(|e| e == "rs") {
            visit(&path);
        }
    }
}

/// A room's floor, and its place on it.
fn place(room: &str) -> Option<(u8, usize)> {
    FLOORS.iter().find_map(|(floor, rooms)| Some((*floor, rooms.iter().position(|r| *r == room)?)))
}

fn may_import(from: &str, to: &str) -> Result<(), String> {
    if from == to {
        return Ok(());
    }
    let Some((floor, at)) = place(from) else { return Err(format!("`{from}` stands on no floor")) };
    let Some((below, other)) = place(to) else {
        return Err(format!("`crate::{to}` is no room: import it from the room where it is at home"));
    };
    match below < floor || (below == floor && other < at) {
        true => Ok(()),
        false => Err(format!("`{from}` (floor {floor}) imports `{to}` (floor {below}): imports run downward only")),
    }
}

/// What the file `name`, as a path below `host/src`, does that the house rules out.
fn violations(name: &str, source: &str) -> Vec<String> {
    let tokens = tokens(source);
    let file = File::new(name);
    let mut found = Vec::new();
    let mut say = |line: usize, what: String| found.push(format!("host/src/{name}:{line}: {what}"));
    for path in paths(&tokens) {
        // A crate's root may name all of its rooms, and shows what of them is public.
        if !file.is_root
            && let Some(room) = file.room_of(&path)
            && let Err(what) = may_import(file.room, &room)
        {
            say(path.line, what);
        }
        if let Some(what) = file.forbidden(&path) {
            say(path.line, what);
        }
    }
    for (at, token) in tokens.iter().enumerate() {
        let next = tokens.get(at + 1).map_or("", |token| token.text.as_str());
        if file.is_test(token) {
            continue;
        }
        match token.text.as_str() {
            "println" | "eprintln" | "print" | "eprint" | "dbg" if next == "!" && !file.may_print() => {
                say(token.line, format!("`{}!`: only cli/ and main.rs print", token.text));
            }
            "thread_local" | "task_local" | "lazy_static" if next == "!" => {
                say(token.line, format!("`{}!`: nothing ambient; hand it to whoever needs it", token.text));
            }
            // The lint denies it; this keeps its exceptions in one file.
            "unsafe" | "unsafe_code" if !file.may_be_unsafe => {
                say(
                    token.line,
                    "unsafe code: only sandbox/unchecked.rs has any, for what wasmtime demands it for".into(),
                );
            }
            "static" if holds_state(&tokens[at + 1..]) => {
                say(token.line, "a static that holds state: hand it to whoever needs it".into());
            }
            _ => {}
        }
    }
    found
}

/// Whether what follows `static` is `mut`, or of a type that can change.
fn holds_state(after: &[Token]) -> bool {
    let declaration = after.iter().take_while(|token| token.text != "=" && token.text != ";");
    let mut words = declaration.map(|token| token.text.as_str());
    words.any(|word| word == "mut" || SHARED_STATE.iter().any(|state| word.starts_with(state)))
}

/// What keeps state: each in a room of its own.
const ENGINES: [&str; 3] = ["redb", "redis", "sled"];

struct File<'a> {
    /// The first folder or the file's own name.
    room: &'a str,
    /// How many modules it is below the crate's root.
    depth: usize,
    is_root: bool,
    may_be_unsafe: bool,
    is_test: bool,
    /// The store's engine that this file may name.
    engine: Option<&'static str>,
}

impl<'a> File<'a> {
    fn new(name: &'a str) -> Self {
        let whole = name.trim_end_matches(".rs");
        let parts: Vec<&str> = whole.split('/').filter(|part| *part != "mod").collect();
        Self {
            room: parts[0],
            depth: parts.len(),
            is_root: matches!(whole, "lib" | "main"),
            may_be_unsafe: whole == "sandbox/unchecked",
            // `tests.rs`, and what lies in its folder.
            is_test: parts.contains(&"tests"),
            engine: ENGINES.into_iter().find(|engine| {
                let below = whole.strip_prefix("store/").and_then(|path| path.strip_prefix(engine));
                below.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
            }),
        }
    }

    fn is_test(&self, token: &Token) -> bool {
        self.is_test || token.modules.iter().any(|module| module == "tests")
    }

    fn may_print(&self) -> bool {
        self.room == "cli" || self.room == "main"
    }

    /// The room that a path leads to, if it leaves its own by way of the crate's root.
    fn room_of(&self, path: &Found) -> Option<String> {
        let first = path.parts.first()?;
        if first == "crate" {
            return path.parts.get(1).cloned();
        }
        let up = path.parts.iter().take_while(|part| *part == "super").count();
        if up > 0 && up == self.depth + path.token_modules {
            return path.parts.get(up).cloned();
        }
        None
    }

    fn forbidden(&self, path: &Found) -> Option<String> {
        let parts: Vec<&str> = path.parts.iter().map(String::as_str).collect();
        let crate_name = parts[0];
        if (crate_name == "wasmtime" || crate_name.starts_with("wasmtime_")) && self.room != "sandbox" {
            return Some(format!("`{crate_name}`: only sandbox/ imports the engine"));
        }
        let engine = ENGINES.into_iter().find(|engine| *engine == crate_name && parts.len() > 1);
        if engine.is_some() && engine != self.engine {
            return Some(format!("`{crate_name}`: only store/{crate_name} imports it"));
        }
        if crate_name == "sqlx" && self.room != "store" {
            return Some("`sqlx`: only store/ talks to databases".into());
        }
        if self.room == "model" && (crate_name == "tokio" || parts.starts_with(&["std", "fs"])) {
            return Some(format!("`{}`: the model is plain data", parts.join("::")));
        }
        if self.is_test || path.in_tests {
            return None;
        }
        let leaves = |pair: [&str; 2]| parts.windows(2).any(|two| two == pair);
        if !self.may_print() {
            let ambient = leaves(["std", "env"]) || leaves(["env", "var"]) || leaves(["env", "args"]);
            if ambient {
                return Some("the environment: only cli/ and main.rs read it".into());
            }
            if leaves(["process", "exit"]) || leaves(["process", "abort"]) {
                return Some("only cli/ and main.rs end the process".into());
            }
            if leaves(["io", "stdout"]) || leaves(["io", "stderr"]) || leaves(["io", "stdin"]) {
                return Some("only cli/ and main.rs talk to the terminal".into());
            }
        }
        let unbounded = ["unbounded_channel", "unbounded", "UnboundedSender", "UnboundedReceiver"];
        if parts.iter().any(|part| unbounded.contains(part)) {
            return Some("an unbounded channel: give it a bound".into());
        }
        // The standard library's is unbounded unless it is a `sync_channel`; here it goes by this name or its own.
        let standard = parts.starts_with(&["std", "sync", "mpsc"]) || crate_name == "std_mpsc";
        if standard && parts.last() == Some(&"channel") {
            return Some("an unbounded channel: `sync_channel` has a bound".into());
        }
        None
    }
}

/// A path as it stands in the source, one for each leaf of a group.
#[derive(Debug)]
struct Found {
    parts: Vec<String>,
    line: usize,
    /// How many modules within the file it stands in.
    token_modules: usize,
    in_tests: bool,
}

/// All paths of at least one `::`, and what `use` names alone.
fn paths(tokens: &[Token]) -> Vec<Found> {
    let mut found = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        let after_path = at > 0 && tokens[at - 1].text == "::";
        let starts = tokens[at].is_word && !after_path;
        if starts && tokens.get(at + 1).is_some_and(|next| next.text == "::") {
            let first = &tokens[at];
            let mut leaves = Vec::new();
            at = tree(tokens, at, &[], &mut leaves);
            found.extend(leaves.into_iter().map(|parts| Found {
                parts,
                line: first.line,
                token_modules: first.modules.len(),
                in_tests: first.modules.iter().any(|module| module == "tests"),
            }));
        } else {
            at += 1;
        }
    }
    found
}

/// Reads the path that begins at `at`, below `above`; gives the place after it.
fn tree(tokens: &[Token], mut at: usize, above: &[String], leaves: &mut Vec<Vec<String>>) -> usize {
    let mut parts = above.to_vec();
    loop {
        match tokens.get(at) {
            Some(token) if token.is_word || token.text == "*" => parts.push(token.text.clone()),
            Some(token) if token.text == "{" => {
                at += 1;
                while tokens.get(at).is_some_and(|token| token.text != "}") {
                    at = match tokens[at].is_word || tokens[at].text == "*" {
                        true => tree(tokens, at, &parts, leaves),
                        false => at + 1,
                    };
                }
                return at + 1;
            }
            // `::<…>`, whose arguments are paths of their own.
            _ => break,
        }
        at += 1;
        match tokens.get(at) {
            Some(token) if token.text == "::" => at += 1,
            Some(token) if token.text == "as" => {
                at += 2;
                break;
            }
            _ => break,
        }
    }
    leaves.push(parts);
    at
}

#[derive(Debug)]
struct Token {
    text: String,
    is_word: bool,
    line: usize,
    /// The modules within the file that it stands in.
    modules: Vec<String>,
}

/// Words, `::`, and single signs; without comments, strings, characters and lifetimes.
fn tokens(source: &str) -> Vec<Token> {
    let mut tokens: Vec<Token> = Vec::new();
    // For each open brace, whether it opened a module.
    let mut braces: Vec<bool> = Vec::new();
    let mut modules: Vec<String> = Vec::new();
    let (mut rest, mut line) = (source, 1);
    while let Some(c) = rest.chars().next() {
        let length = match c {
            _ if rest.starts_with("//") => rest.find('\n').unwrap_or(rest.len()),
            _ if rest.starts_with("/*") => rest.find("*/").map_or(rest.len(), |end| end + 2),
            '"' => quoted(rest),
            '\'' => character_or_lifetime(rest),
            'r' | 'b' if raw(rest) > 0 => raw(rest),
            _ if c.is_alphanumeric() || c == '_' => {
                rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len())
            }
            _ if rest.starts_with("::") => 2,
            _ => c.len_utf8(),
        };
        let text = &rest[..length];
        let is_word = c.is_alphabetic() || c == '_';
        let skipped = c.is_whitespace() || matches!(c, '"' | '\'') || text.starts_with("//") || text.starts_with("/*");
        if !skipped && (!is_word || !text.contains(['"', '#'])) {
            match text {
                "{" => {
                    let two = tokens.len().checked_sub(2).map(|from| &tokens[from..]);
                    let module = two.filter(|two| two[0].text == "mod").map(|two| two[1].text.clone());
                    braces.push(module.is_some());
                    modules.extend(module);
                }
                "}" if braces.pop() == Some(true) => drop(modules.pop()),
                _ => {}
            }
            tokens.push(Token { text: text.to_owned(), is_word, line, modules: modules.clone() });
        }
        line += text.matches('\n').count();
        rest = &rest[length..];
    }
    tokens
}

/// The length of the string that `text` begins with.
fn quoted(text: &str) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            '"' if !escaped => return at + 1,
            '\\' => escaped = !escaped,
            _ => escaped = false,
        }
    }
    text.len()
}

/// The length of the raw or byte string that `text` begins with; 0: it is none.
fn raw(text: &str) -> usize {
    let start = text.trim_start_matches('b');
    let Some(after_r) = start.strip_prefix('r') else {
        let prefix = text.len() - start.len();
        return if prefix == 1 && start.starts_with('"') { prefix + quoted(start) } else { 0 };
    };
    let hashes = after_r.len() - after_r.trim_start_matches('#').len();
    if !after_r[hashes..].starts_with('"') {
        return 0;
    }
    let end = format!("\"{}", "#".repeat(hashes));
    let body = text.len() - after_r.len() + hashes + 1;
    text[body..].find(&end).map_or(text.len(), |at| body + at + end.len())
}

fn character_or_lifetime(text: &str) -> usize {
    let mut chars = text.char_indices().skip(1);
    match (chars.next(), chars.next()) {
        (Some((_, '\\')), Some((_, escaped))) => {
            let from = 2 + escaped.len_utf8();
            text[from..].find('\'').map_or(text.len(), |end| from + end + 1)
        }
        (Some(_), Some((at, '\''))) => at + 1,
        _ => 1 + text[1..].find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(text.len() - 1),
    }
}

#[test]
fn an_import_upward_is_found_however_it_is_written() {
    let cases = [
        ("store/mod.rs", "use crate::actor::Cell;", "`store` (floor 1) imports `actor` (floor 2)"),
        ("model/name.rs", "use crate::{\n    model::X,\n    store::{Head, record::Record},\n};", "imports `store`"),
        ("sandbox/guest.rs", "fn f() { crate::supervisor::go() }", "imports `supervisor`"),
        ("actor/run.rs", "pub(crate) use crate::router::Router as R;", "imports `router`"),
        ("actor/run.rs", "use super::super::router::Router;", "imports `router`"),
        ("catalog.rs", "use super::host::Host;", "imports `host`"),
        ("catalog.rs", "mod tests { use super::super::host::Host; }", "imports `host`"),
        ("supervisor/run.rs", "use crate::router::Router;", "imports `router` (floor 3)"),
        ("admin/mod.rs", "use crate::cli::run;", "imports `cli`"),
        ("admin/mod.rs", "use crate::ActorName;", "`crate::ActorName` is no room"),
        ("lift.rs", "use crate::model::X;", "`lift` stands on no floor"),
        ("store/mod.rs", "/* fine */ const X: &str = \"\\\"\"; use crate::host::Host; // yes", "imports `host`"),
    ];
    for (name, source, expected) in cases {
        let found = violations(name, source);
        assert!(found.iter().any(|v| v.contains(expected)), "{name}: {source}: {found:?}");
    }
    let line = violations("store/mod.rs", "\n\nuse crate::host::Host;");
    assert_eq!(line.len(), 1);
    assert!(line[0].starts_with("host/src/store/mod.rs:3: "), "{line:?}");
}

#[test]
fn what_is_to_be_absent_is_found() {
    let cases = [
        ("actor/run.rs", "use wasmtime::Engine;", "only sandbox/"),
        ("host.rs", "use wasmtime_wasi::{WasiCtx};", "only sandbox/"),
        ("sandbox/guest.rs", "fn f() { unsafe { g() } }", "only sandbox/unchecked.rs"),
        ("sandbox/cache.rs", "#[allow(unsafe_code)] fn f() {}", "only sandbox/unchecked.rs"),
        ("store/memory.rs", "let db = sled::open(x);", "only store/sled"),
        ("store/sled/open.rs", "use redb::Database;", "only store/redb"),
        ("store/postgres.rs", "use redis::Client;", "only store/redis"),
        ("host.rs", "use sqlx::PgPool;", "only store/ talks"),
        ("store/redbx.rs", "use redb::Database;", "only store/redb"),
        ("model/name.rs", "use tokio::sync::mpsc;", "plain data"),
        ("model/name.rs", "use std::{fmt, fs::File};", "plain data"),
        ("host.rs", "println!(\"x\");", "only cli/ and main.rs print"),
        ("host.rs", "let x = dbg!(y);", "print"),
        ("host.rs", "use std::io::{self, stdout};", "terminal"),
        ("host.rs", "use std::{env, fs};", "environment"),
        ("host.rs", "std::env::var(\"X\")", "environment"),
        ("host.rs", "process::exit(1)", "end the process"),
        ("router.rs", "let (a, b) = mpsc::unbounded_channel();", "unbounded"),
        ("router.rs", "use tokio::sync::mpsc::{Sender, UnboundedSender};", "unbounded"),
        ("router.rs", "let (a, b) = std::sync::mpsc::channel::<u8>();", "unbounded"),
        ("router.rs", "static mut X: u8 = 0;", "static"),
        ("router.rs", "pub(crate) static X: OnceLock<u8> = OnceLock::new();", "static"),
        ("router.rs", "static X: std::sync::Mutex<Vec<u8>> = y;", "static"),
        ("router.rs", "static X: AtomicU64 = y;", "static"),
        ("router.rs", "thread_local! { }", "ambient"),
        ("router.rs", "tokio::task_local! { }", "ambient"),
    ];
    for (name, source, expected) in cases {
        let found = violations(name, source);
        assert!(found.iter().any(|v| v.contains(expected)), "{name}: {source}: {found:?}");
    }
}

#[test]
fn what_is_allowed_is_left_alone() {
    let cases = [
        ("lib.rs", "mod actor; pub use host::Host; pub use crate::cli::X;"),
        ("main.rs", "mod cli; fn main() { println!(\"x\"); std::process::exit(1) }"),
        ("cli/run.rs", "use std::env; use baton_host::Host; eprintln!(\"x\");"),
        ("host.rs", "use crate::store::sled::SledStore; use crate::{model::X, actor::Cell};"),
        ("router.rs", "use crate::supervisor::Supervisor; use crate::registry::Registry;"),
        ("catalog.rs", "mod tests { use super::*; use super::super::catalog::X; }"),
        ("sandbox/engine.rs", "use wasmtime::Engine; use super::guest::Guest;"),
        ("sandbox/unchecked.rs", "#![allow(unsafe_code)] fn f() { unsafe { g() } }"),
        ("store/sled/disk.rs", "use sled::Db; use super::super::Head;"),
        ("store/redb.rs", "use redb::Database; use super::Head;"),
        ("store/mod.rs", "pub mod sled; pub use self::sled::SledStore;"),
        (
            "actor/mod.rs",
            "//! crate::host::Host and println!\n/* static mut */ fn f<'a>(x: &'static str) -> char { '\"' }",
        ),
        (
            "actor/mod.rs",
            "const A: &str = \"use crate::host::Host; // println!()\"; const B: &str = r#\"sled::open \"x\"\"#;",
        ),
        ("actor/mod.rs", "let (a, b) = mpsc::channel(QUEUE); config.stdout(x); env!(\"X\");"),
        ("store/redb/tests/power_loss.rs", "fn f() { println!(\"{:?}\", std::env::var(\"X\")) }"),
        ("actor/mod.rs", "static NAMES: [&str; 2] = [\"a\", \"b\"]; mod tests { fn f() { println!(\"x\") } }"),
    ];
    for (name, source) in cases {
        assert_eq!(violations(name, source), [] as [String; 0], "{name}: {source}");
    }
}
