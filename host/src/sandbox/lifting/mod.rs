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

use super::contract::{hint, needed, unversioned};
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
    /// An export that is named as the contract's, but without its version, and the name that it should have.
    unversioned: Option<(String, String)>,
    /// Whether a linker is still to put it together with others, and whether one has given it a memory.
    is_object: bool,
    own_memory: bool,
    /// Whether it was built for WASI's first preview.
    uses_preview1: bool,
}

/// The section in which compilers leave a linker its work.
const LINKING: &str = "linking";

impl Outline {
    fn of(module: &[u8]) -> Self {
        let mut outline = Self::default();
        for payload in Parser::new(0).parse_all(module).filter_map(Result::ok) {
            match payload {
                Payload::CustomSection(section) => {
                    outline.has_world |= section.name().starts_with(world::SECTION);
                    outline.is_object |= section.name() == LINKING;
                }
                Payload::ImportSection(imports) => {
                    for import in imports.into_imports().filter_map(Result::ok) {
                        outline.uses_preview1 |= import.module == WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME;
                        outline.has_memory |= matches!(import.ty, TypeRef::Memory(_));
                    }
                }
                Payload::MemorySection(_) => (outline.has_memory, outline.own_memory) = (true, true),
                Payload::ExportSection(exports) => {
                    for export in exports.into_iter().filter_map(Result::ok) {
                        outline.has_realloc |= export.name == arena::REALLOC;
                        if let Some(version) = world::version_in(export.name) {
                            outline.exports.get_or_insert_with(|| version.to_owned());
                        } else if let Some((found, name)) = unversioned(export.name) {
                            outline.unversioned.get_or_insert_with(|| (found.to_owned(), name));
                        }
                    }
                }
                _ => {}
            }
        }
        outline
    }

    /// What is wrong with it before it is looked at any closer.
    fn problem(&self, label: &str) -> Option<HostError> {
        // A linker that is asked to keep its work to be done again leaves the section, too.
        if self.is_object && !self.own_memory {
            let why = "it is an object file: compiled, and not linked";
            return Some(plugin_error(label, why).hint(
                "link it: `wasm-ld --no-entry --export-dynamic FILE.o -o plugin.wasm`, or the compiler without `-c`: `clang \
                 --target=wasm32-wasi -mexec-model=reactor`, `zig build-exe -fno-entry -rdynamic`",
            ));
        }
        if self.has_world || self.exports.is_some() {
            return None;
        }
        if let Some((found, expected)) = &self.unversioned {
            let found = cause(found);
            let why = format!("it exports `{found}`, a name without the contract's version; `{expected}` is expected");
            return Some(plugin_error(label, why).hint(
                "the book's page \"Plugins from the WIT alone\" lists the names of all exports and imports; they are the same in \
                 every language",
            ));
        }
        let why = format!("it is a core module that does not say which world it is made for; {} is needed", needed());
        Some(plugin_error(label, why).hint(
            "build it with an SDK or with wit-bindgen, or name its exports as the book's page \"Plugins from the WIT \
             alone\" says",
        ))
    }
}

/// Makes a component of a core module.
pub(super) fn lift(engine: &Engine, label: &str, module: &[u8]) -> Result<Vec<u8>, HostError> {
    // The encoder takes for granted what these two make sure of.
    Module::validate(engine, module)
        .map_err(|error| plugin_error(label, "it is not a valid core module").source(cause(&error)))?;
    let outline = Outline::of(module);
    if let Some(problem) = outline.problem(label) {
        return Err(problem);
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
        let expected = Outline {
            exports: Some("0.1.0".to_owned()),
            has_memory: true,
            own_memory: true,
            uses_preview1: true,
            ..Outline::default()
        };
        assert_eq!(outline(plain), expected);
        assert_eq!(outline("(module)"), Outline::default());
        assert!(outline(r#"(module (memory 1) (func (export "cabi_realloc")))"#).has_realloc);
        assert!(outline(r#"(module (@custom "component-type:x" "y"))"#).has_world);
        assert!(outline(r#"(module (import "env" "memory" (memory 1)))"#).has_memory);
        let object = outline(r#"(module (import "env" "__linear_memory" (memory 0)) (@custom "linking" "\02"))"#);
        assert!(object.is_object && !object.own_memory);
    }
}
