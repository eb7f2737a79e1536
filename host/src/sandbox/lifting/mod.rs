//! Core modules become components: those that say which world they are made for, and plain ones whose exports are named
//! as the canonical ABI names those of the contract.

mod arena;
mod world;

use wasi_preview1_component_adapter_provider::{
    WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME, WASI_SNAPSHOT_PREVIEW1_REACTOR_ADAPTER,
};
use wasmparser::{Parser, Payload, TypeRef};
use wasmtime::{Engine, Module};
use wit_component::ComponentEncoder;

use super::contract::{hint, known};
use super::program::{cause, plugin_error};
use crate::model::HostError;

/// What of a core module decides how it is made a component.
#[derive(Debug, Default, PartialEq, Eq)]
struct Outline {
    /// Whether a world is embedded in it.
    has_world: bool,
    /// The contract's version, as the names of its exports have it.
    exports: Option<String>,
    has_memory: bool,
    has_realloc: bool,
    /// Whether it was built for WASI's first preview.
    uses_preview1: bool,
}

impl Outline {
    fn of(module: &[u8]) -> Self {
        let mut outline = Self::default();
        for payload in Parser::new(0).parse_all(module).filter_map(Result::ok) {
            match payload {
                Payload::CustomSection(section) => outline.has_world |= section.name().starts_with(world::SECTION),
                Payload::ImportSection(imports) => {
                    for import in imports.into_imports().filter_map(Result::ok) {
                        outline.uses_preview1 |= import.module == WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME;
                        outline.has_memory |= matches!(import.ty, TypeRef::Memory(_));
                    }
                }
                Payload::MemorySection(_) => outline.has_memory = true,
                Payload::ExportSection(exports) => {
                    for export in exports.into_iter().filter_map(Result::ok) {
                        outline.has_realloc |= export.name == arena::REALLOC;
                        if let Some(version) = world::version_in(export.name) {
                            outline.exports.get_or_insert_with(|| version.to_owned());
                        }
                    }
                }
                _ => {}
            }
        }
        outline
    }
}

/// Makes a component of a core module.
pub(super) fn lift(engine: &Engine, label: &str, module: &[u8]) -> Result<Vec<u8>, HostError> {
    // The encoder takes for granted what these two make sure of.
    Module::validate(engine, module)
        .map_err(|error| plugin_error(label, "it is not a valid core module").source(cause(&error)))?;
    let outline = Outline::of(module);
    if !outline.has_world && outline.exports.is_none() {
        let why = format!("it is a core module that does not say which world it is made for; {} is needed", known());
        return Err(plugin_error(label, why).hint(
            "build it with an SDK or with wit-bindgen, or name its exports as the book's page \"Plugins from the WIT \
             alone\" says",
        ));
    }
    let unfit = |why: String| {
        let hint = if outline.has_world {
            "the world in it and what it exports differ: build it anew against wit/actor/0.1.0, or make it a component \
             with `wasm-tools component new`"
        } else if why.contains("import") {
            "what a plugin imports is in modules such as `baton:actor/host@0.1.0`, under names such as `set-timer`; `env` is \
             where compilers look for what was given no module, and what nothing linked: the book's page \"Plugins from the \
             WIT alone\" lists names and types"
        } else {
            "its exports are named as the contract's, so they need the contract's signatures: the book's page \"Plugins \
             from the WIT alone\" lists them"
        };
        plugin_error(label, "it is a core module that could not be made a component").hint(hint).source(why)
    };
    world::check(module).map_err(unfit)?;
    let mut module = module.to_vec();
    if let (false, Some(version)) = (outline.has_world, &outline.exports) {
        world::embed(&mut module, version).map_err(|why| plugin_error(label, why).hint(hint()))?;
    }
    let grown = !outline.has_realloc && outline.has_memory && outline.exports.is_some();
    if grown {
        module = arena::graft(&module).map_err(unfit)?;
    }
    let mut encoder = ComponentEncoder::default();
    encoder.validate(true).realloc_via_memory_grow(grown);
    let encoded = encoder.module(&module).and_then(|encoder| match outline.uses_preview1 {
        true => encoder.adapter(WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME, WASI_SNAPSHOT_PREVIEW1_REACTOR_ADAPTER),
        false => Ok(encoder),
    });
    encoded.and_then(ComponentEncoder::encode).map_err(|error| unfit(cause(&error)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outline(text: &str) -> Outline {
        Outline::of(&wat::parse_str(text).expect("is WAT"))
    }

    #[test]
    fn a_module_is_known_by_its_names() {
        let plain = r#"(module
            (import "wasi_snapshot_preview1" "fd_write" (func (param i32 i32 i32 i32) (result i32)))
            (memory (export "memory") 1)
            (func (export "baton:actor/lifecycle@0.1.0#describe") (result i32) (i32.const 0)))"#;
        let expected =
            Outline { exports: Some("0.1.0".to_owned()), has_memory: true, uses_preview1: true, ..Outline::default() };
        assert_eq!(outline(plain), expected);
        assert_eq!(outline("(module)"), Outline::default());
        assert!(outline(r#"(module (memory 1) (func (export "cabi_realloc")))"#).has_realloc);
        assert!(outline(r#"(module (@custom "component-type:x" "y"))"#).has_world);
        assert!(outline(r#"(module (import "env" "memory" (memory 1)))"#).has_memory);
    }
}
