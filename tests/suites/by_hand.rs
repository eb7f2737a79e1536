//! What the book tells authors who have nothing but the WIT: held against the WIT, and against the example.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use wit_parser::abi::{AbiVariant, WasmType};
use wit_parser::{Resolve, SizeAlign, TypeDefKind};

use crate::harness::repository;

fn page() -> String {
    std::fs::read_to_string(repository().join("docs/src/plugins-wit.md")).unwrap()
}

fn contract() -> Resolve {
    let mut resolve = Resolve::default();
    resolve.push_path(repository().join("wit/actor/0.1.0")).unwrap();
    resolve
}

/// The page's rows that tell a type: names of functions, and the type, one entry for each name.
fn told(page: &str) -> BTreeMap<String, String> {
    let mut told = BTreeMap::new();
    for row in page.lines().filter(|line| line.starts_with("| `")) {
        let mut cells = row.trim_matches('|').split(" | ").map(str::trim);
        let (Some(names), Some(kind)) = (cells.next(), cells.next()) else { continue };
        let Some(kind) = kind.strip_prefix("`(").and_then(|kind| kind.split_once('`')) else { continue };
        for name in names.split(", ") {
            let before = told.insert(name.trim_matches('`').to_owned(), format!("({}", kind.0));
            assert_eq!(before, None, "{name} stands there twice");
        }
    }
    told
}

/// The types alone: `(a: i32, b: i64) -> i32` as `i32 i64 -> i32`.
fn types(told: &str) -> String {
    let (params, result) = told.split_once(')').unwrap();
    let params = params.trim_start_matches('(').split(", ").filter_map(|param| param.split_once(": "));
    let params: Vec<_> = params.map(|(_, kind)| kind).collect();
    format!("{}{result}", params.join(" "))
}

#[test]
fn the_page_has_every_function_with_the_type_that_the_contract_gives_it() {
    let (page, resolve) = (page(), contract());
    let mut told = told(&page);
    for (interface, variant) in [
        ("lifecycle", AbiVariant::GuestExport),
        ("host", AbiVariant::GuestImport),
        ("supervision", AbiVariant::GuestImport),
    ] {
        let (_, found) = resolve.interfaces.iter().find(|(_, it)| it.name.as_deref() == Some(interface)).unwrap();
        for (name, function) in &found.functions {
            let signature = resolve.wasm_signature(variant, function);
            let word = |kind: &WasmType| match kind {
                WasmType::I32 | WasmType::Pointer | WasmType::Length => "i32",
                WasmType::I64 | WasmType::PointerOrI64 => "i64",
                WasmType::F32 => "f32",
                WasmType::F64 => "f64",
            };
            let mut expected = signature.params.iter().map(word).collect::<Vec<_>>().join(" ");
            for result in &signature.results {
                let _ = write!(expected, " -> {}", word(result));
            }
            let row = told.remove(name).unwrap_or_else(|| panic!("{interface}: {name} has no row"));
            assert_eq!(types(&row), expected, "{interface}: {name}");
        }
    }
    assert!(told.is_empty(), "of no function of the contract: {told:?}");
}

#[test]
fn the_page_has_the_places_that_the_canonical_abi_gives_to_fields() {
    let (page, resolve) = (page(), contract());
    let mut sizes = SizeAlign::default();
    sizes.fill(&resolve).unwrap();
    let record = |name: &str| {
        let (id, found) = resolve.types.iter().find(|(_, it)| it.name.as_deref() == Some(name)).unwrap();
        let TypeDefKind::Record(record) = &found.kind else { panic!("{name} is no record") };
        let places = sizes.field_offsets(record.fields.iter().map(|field| &field.ty));
        let places: Vec<_> =
            record.fields.iter().zip(places).map(|(field, (at, _))| (field.name.clone(), at.size_wasm32())).collect();
        (places, sizes.size(&wit_parser::Type::Id(id)).size_wasm32())
    };
    let (places, size) = record("child-info");
    let places: Vec<_> = places.into_iter().map(|(name, at)| format!("{name} {at}")).collect();
    let line = format!("A `child-info` has {size} bytes: {}.", places.join(", "));
    assert!(page.contains(&line), "{line}");
    // A result begins with its case, and what it holds stands at the next place that fits it.
    let counts: Vec<_> = record("counts").0.into_iter().map(|(name, at)| format!("{name} {}", at + 8)).collect();
    assert!(page.contains(&counts.join(", ")), "{counts:?}");
    // A text or a list is an address and a length.
    let texts = ["name", "version", "messages", "metadata"];
    let places = record("description").0.into_iter().map(|(name, at)| match texts.contains(&name.as_str()) {
        true => format!("{name} {at}, {}", at + 4),
        false => format!("{name} {at}"),
    });
    let line = places.collect::<Vec<_>>().join("; ");
    assert!(page.contains(&line), "{line}");
}

#[test]
fn the_page_shows_the_example_as_it_is() {
    let example = std::fs::read_to_string(repository().join("docs/examples/tally.wat")).unwrap();
    assert!(page().contains(&format!("```wat\n{example}```\n")), "docs/examples/tally.wat stands there whole");
    assert!(example.lines().count() < 60, "the page says how long it is");
}
