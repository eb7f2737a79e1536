//! Core modules that say which world they are made for become components.

use wasmparser::{Parser, Payload};
use wasmtime::{Engine, Module};
use wit_parser::decoding::decode_world;
use wit_parser::{PackageId, Resolve};

use super::program::{cause, plugin_error};
use crate::model::HostError;

/// What a world stands in: sections of that name, and of names that begin so.
const WORLD: &str = "component-type";
/// What a world's section began with before it was a component itself.
const OLD_FORMAT: u8 = 3;

/// Makes a component of a core module.
pub(super) fn lift(engine: &Engine, label: &str, module: &[u8]) -> Result<Vec<u8>, HostError> {
    // The encoder takes for granted what these two make sure of.
    Module::validate(engine, module)
        .map_err(|error| plugin_error(label, "it is not a valid core module").source(cause(&error)))?;
    let unfit = |why: String| {
        plugin_error(label, "it is a core module that could not be made a component")
            .hint(
                "build it with an SDK or with wit-bindgen, whose output says which world it is made for, or make it a \
                 component with `wasm-tools component new`",
            )
            .source(why)
    };
    check_worlds(module).map_err(unfit)?;
    let encoded =
        wit_component::ComponentEncoder::default().validate(true).module(module).and_then(|encoder| encoder.encode());
    encoded.map_err(|error| unfit(cause(&error)))
}

/// The encoder follows packages that use each other in a circle without end. One world alone may be such, or several
/// together.
fn check_worlds(module: &[u8]) -> Result<(), String> {
    let mut all = Resolve::default();
    for payload in Parser::new(0).parse_all(module) {
        let Ok(Payload::CustomSection(section)) = payload else { continue };
        if !section.name().starts_with(WORLD) {
            continue;
        }
        if section.data().first() == Some(&OLD_FORMAT) {
            return Err("its world is written in a form that is no longer read".to_owned());
        }
        let (world, _) = decode_world(section.data()).map_err(|error| cause(&error))?;
        check_order(&world)?;
        all.merge(world).map_err(|error| cause(&error))?;
        check_order(&all)?;
    }
    Ok(())
}

/// Whether packages can be put in an order in which each stands after those that it uses.
fn check_order(worlds: &Resolve) -> Result<(), String> {
    let mut left: Vec<PackageId> = worlds.packages.iter().map(|(id, _)| id).collect();
    loop {
        let before = left.len();
        let waits = |id: &PackageId| worlds.package_direct_deps(*id).any(|used| left.contains(&used));
        let next: Vec<PackageId> = left.iter().copied().filter(waits).collect();
        left = next;
        match left.first() {
            None => return Ok(()),
            Some(id) if left.len() == before => {
                return Err(cause(&format!("the packages of its world use each other: {}", worlds.packages[*id].name)));
            }
            Some(_) => {}
        }
    }
}
