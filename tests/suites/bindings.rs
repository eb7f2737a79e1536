//! The guest SDK's bindings are generated once and checked in, so that building a plugin compiles no generator.

use std::{env, fs, path::Path};

use wit_bindgen_core::{Files, WorldGenerator, wit_parser::Resolve};
use wit_bindgen_rust::Opts;

/// Where the contract lies, and where its bindings do, both from the root of the repository.
const CONTRACT: &str = "wit/actor/0.1.0";
const WORLD: &str = "actor";
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
