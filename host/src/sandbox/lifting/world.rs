//! Which world a core module is made for.

use wasmparser::{Parser, Payload};
use wit_component::{StringEncoding, embed_component_metadata};
use wit_parser::decoding::decode_world;
use wit_parser::{PackageId, Resolve};

use super::cause;
use crate::sandbox::contract::{LIFECYCLE, Version, known};

/// What a world stands in: sections of that name, and of names that begin so.
pub(super) const SECTION: &str = "component-type";
/// What a world's section began with before it was a component itself.
const OLD_FORMAT: u8 = 3;

/// The version of the contract in the name of an export.
pub(super) fn version_in(export: &str) -> Option<&str> {
    Some(export.strip_prefix(LIFECYCLE)?.split_once('#')?.0)
}

/// Writes into a module which world its names are those of.
pub(super) fn embed(module: &mut Vec<u8>, version: &str) -> Result<(), String> {
    let Some(Version { wit, world, .. }) = Version::numbered(version) else {
        return Err(format!("it exports {}, and this host knows {}", cause(&[LIFECYCLE, version].concat()), known()));
    };
    let embedded = (|| {
        let mut resolve = Resolve::default();
        let package = resolve.push_str("actor.wit", wit)?;
        let world = resolve.select_world(&[package], Some(world))?;
        embed_component_metadata(module, &resolve, world, StringEncoding::UTF8, false)
    })();
    embedded.map_err(|error| cause(&error))
}

/// The encoder follows packages that use each other in a circle without end. One world alone may be such, or several
/// together.
pub(super) fn check(module: &[u8]) -> Result<(), String> {
    let mut all = Resolve::default();
    for payload in Parser::new(0).parse_all(module) {
        let Ok(Payload::CustomSection(section)) = payload else { continue };
        if !section.name().starts_with(SECTION) {
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
