//! The guest SDK's bindings are generated once and checked in, so that building a plugin compiles no generator; and what
//! is built with them is what the host takes.

use std::{env, fs, path::Path};

use baton_host::{CallOptions, Grants, Host};
use wit_bindgen_core::{Files, WorldGenerator, wit_parser::Resolve};
use wit_bindgen_rust::Opts;

use crate::harness::{actor, guest, host, name, repository};

/// Where the contract lies, and where its bindings do, both from the root of the repository.
const CONTRACT: &str = "wit/actor/0.1.0";
/// The one with everything: what a plugin does not use, it does not import.
const WORLD: &str = "supervised-actor";
const BINDINGS: &str = "guest-sdk/rust/src/bindings.rs";

/// The bindings as the generator writes them today.
fn generate(contract: &Path) -> String {
    let mut resolve = Resolve::default();
    let (package, _) = resolve.push_path(contract).expect("the contract parses");
    let world = resolve.select_world(&[package], Some(WORLD)).expect("the contract has the world");
    let options = Opts {
        format: true,
        // The author's crate exports through `baton_guest::plugin!`, which calls the generated macro.
        pub_export_macro: true,
        default_bindings_module: Some("baton_guest::bindings".into()),
        additional_derive_attributes: ["Clone", "PartialEq", "Eq"].map(str::to_owned).to_vec(),
        ..Opts::default()
    };
    let mut files = Files::default();
    options.build().generate(&mut resolve, world, &mut files).expect("the world can be generated");
    let (_, source) = files.iter().next().expect("one world makes one file");
    // Blank lines that end in spaces come from the doc comments of the contract.
    let lines: Vec<&str> = std::str::from_utf8(source).expect("Rust is UTF-8").lines().map(str::trim_end).collect();
    lines.join("\n") + "\n"
}

/// Files below `dir` with this end.
fn files(dir: &Path, end: &str, found: &mut Vec<std::path::PathBuf>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true if path.ends_with("node_modules") => {}
            true => files(&path, end, found),
            false if path.extension().is_some_and(|found| found == end) => found.push(path),
            false => {}
        }
    }
}

#[test]
fn an_sdk_that_has_the_contract_has_it_as_it_is() {
    let root = repository();
    let contract = fs::read_to_string(root.join(CONTRACT).join("actor.wit")).unwrap();
    let mut copies = Vec::new();
    files(&root.join("guest-sdk"), "wit", &mut copies);
    assert!(copies.len() >= 2, "JavaScript and Python need it: {copies:?}");
    for copy in copies {
        let same = fs::read_to_string(&copy).unwrap() == contract;
        assert!(same, "{} is not {CONTRACT}/actor.wit: copy it there", copy.display());
    }
}

/// The copy of the SDK in a new plugin stands by itself, and says the same of its dependencies as the one table does.
#[test]
fn a_new_plugin_in_rust_depends_on_what_the_workspace_depends_on() {
    let root = repository();
    let table = fs::read_to_string(root.join("Cargo.toml")).unwrap();
    let sdk = fs::read_to_string(root.join("guest-sdk/rust/Cargo.toml")).unwrap();
    let copy = fs::read_to_string(root.join("guest-sdk/rust/template/sdk/Cargo.toml")).unwrap();
    let named = sdk.lines().skip_while(|line| *line != "[dependencies]").skip(1).take_while(|line| !line.is_empty());
    let mut dependencies = 0;
    for dependency in named {
        let name = dependency.strip_suffix(".workspace = true").unwrap();
        let line = table.lines().find(|line| line.starts_with(&format!("{name} = "))).unwrap();
        assert!(copy.lines().any(|copied| copied == line), "guest-sdk/rust/template/sdk/Cargo.toml has not: {line}");
        dependencies += 1;
    }
    assert!(dependencies >= 4);
}

#[test]
fn checked_in_bindings_are_current() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the tests lie in the repository");
    let path = root.join(BINDINGS);
    let fresh = generate(&root.join(CONTRACT));
    if env::var_os("BATON_BLESS").is_some_and(|value| value == "1") {
        fs::write(&path, &fresh).expect("the bindings can be written");
    }
    let stored = fs::read_to_string(&path).unwrap_or_default();
    let differs = stored.lines().zip(fresh.lines()).position(|(old, new)| old != new);
    assert!(
        stored == fresh,
        "{BINDINGS} is not what {CONTRACT} generates (first difference in line {}): run this test again with \
         BATON_BLESS=1 and look at what changed",
        differs.unwrap_or(stored.lines().count().min(fresh.lines().count())) + 1
    );
}

#[tokio::test]
async fn a_plugin_imports_of_the_contract_only_what_it_uses() {
    for (name, supervises) in [("counter", false), ("flights-1.0.0", false), ("foreman", true)] {
        let imports = Host::inspect(name, fs::read(guest(name)).unwrap()).await.unwrap().imports;
        let has = |interface: &str| imports.iter().any(|import| import == &format!("baton:actor/{interface}@0.1.0"));
        assert_eq!((has("host"), has("supervision")), (true, supervises), "{name}: {imports:?}");
    }
}

#[tokio::test]
async fn the_sdk_and_the_host_speak_of_the_same() {
    let all = || vec!["*".parse().unwrap()];
    let everyone = Grants { supervise: all(), call: all(), groups: all(), ..Grants::default() };
    let builder = host().plugin_file(guest("foreman")).granted(everyone);
    let builder = builder.actor(actor("boss", "foreman")).actor(actor("w/1", "foreman"));
    let host = builder.build().await.unwrap();
    let ask = async |body: &str| {
        let reply = host.call(&name("boss"), body.to_owned(), CallOptions::default()).await;
        reply.map(|reply| String::from_utf8(reply.to_vec()).unwrap()).map_err(|error| error.to_string())
    };
    assert_eq!(ask(r#"{"whereis": "w/1"}"#).await, Ok(r#""running""#.into()));
    assert_eq!(ask(r#"{"whereis": "a//b"}"#).await, Ok("null".into()));
    let effects = [r#"{"monitor": "w/1"}"#, r#"{"link": "w/1"}"#, r#"{"join": "g"}"#, r#"{"set": ["k", "v"]}"#];
    for effect in effects {
        assert_eq!(ask(effect).await, Ok(r#""ok""#.into()), "{effect}");
    }
    let bad = [
        (r#"{"start": {"name": "a//b", "plugin": "foreman"}}"#, "bad-spec: actor name"),
        (r#"{"start": {"name": "w/2", "plugin": "foreman", "shutdown": 0}}"#, "bad-spec: its shutdown of 0 ms"),
        (r#"{"terminate": ""}"#, "bad-spec: actor name"),
        (r#"{"members": "*"}"#, "bad-spec: group name"),
        (r#"{"having": ["", "v"]}"#, "bad-spec: attribute"),
        (r#"{"join": "a//b"}"#, "send-limit: a limit of the host was reached: group name"),
        (r#"{"set": ["", "v"]}"#, "send-limit: a limit of the host was reached: attribute"),
    ];
    for (command, why) in bad {
        let error = ask(command).await.unwrap_err();
        assert!(error.starts_with(why), "{command}: {error}");
    }
    host.shutdown(None).await;
}
