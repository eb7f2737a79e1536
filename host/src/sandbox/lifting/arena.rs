//! Room for what the host writes into a guest's memory, where the guest has no `cabi_realloc` of its own.
//!
//! A language whose runtime must not be entered while arguments are being passed (Go reads its clock whenever it is, and
//! imports are forbidden then) leaves it out. What is added is a piece of memory that is filled from its beginning; when an
//! export's answer has been read, all of it is free again. So such a guest copies what it wants to keep.
//!
//! Go also takes all memory that it grows to follow what it has, until the SDK's code runs for the first time and sets that
//! right. The adapter of WASI's first preview takes a page before that: some room stands between the two.

use std::collections::BTreeSet;

use wasm_encoder::{BlockType, Encode as _, Function, Instruction, MemorySection, Module, RawSection, SectionId};
use wasmparser::{ExternalKind, MemoryType, Parser, Payload, TypeRef};

use super::{cause, world};

/// The name under which the canonical ABI looks for it.
pub(super) const REALLOC: &str = "cabi_realloc";
/// Begins the name of what is called once an export's answer has been read.
const POST_RETURN: &str = "cabi_post_";
/// Bytes of a page of memory, as a shift.
const PAGE: i32 = 16;
const I32: u8 = 0x7f;
/// Pages that a guest has more from the beginning than it asks for. Memory that nobody touches costs nothing.
const ROOM_PAGES: u64 = 32;

/// What is to be known of a module before functions can be added at its end.
#[derive(Default)]
struct Counts {
    types: u32,
    functions: u32,
    globals: u32,
    /// Its own, as it asks for them.
    memories: Vec<MemoryType>,
    /// Exports of the contract that have no function to be called afterwards.
    open: Vec<String>,
}

/// `module`, with the functions added.
pub(super) fn graft(module: &[u8]) -> Result<Vec<u8>, String> {
    let counts = count(module).map_err(|error| cause(&error))?;
    let mut sections = sections(module).map_err(|error| cause(&error))?;
    widen(&mut sections, &counts.memories);
    // (old, old size, alignment, new size) -> address; and (address) -> ().
    add(&mut sections, SectionId::Type, 2, &[0x60, 4, I32, I32, I32, I32, 1, I32, 0x60, 1, I32, 0]);
    let mut types = Vec::new();
    counts.types.encode(&mut types);
    (counts.types + 1).encode(&mut types);
    add(&mut sections, SectionId::Function, 2, &types);
    // Where the piece begins, how long it is, and how much of it is taken: i32, mutable, 0.
    add(&mut sections, SectionId::Global, 3, &[I32, 1, 0x41, 0, 0x0b].repeat(3));
    let (names, exports) = exports(&counts);
    add(&mut sections, SectionId::Export, names, &exports);
    let mut code = Vec::new();
    realloc(counts.globals).encode(&mut code);
    release(counts.globals).encode(&mut code);
    add(&mut sections, SectionId::Code, 2, &code);

    let mut grafted = Module::new();
    for (id, data) in &sections {
        grafted.section(&RawSection { id: *id, data });
    }
    Ok(grafted.finish())
}

fn count(module: &[u8]) -> wasmparser::Result<Counts> {
    let mut counts = Counts::default();
    let mut names = BTreeSet::new();
    for payload in Parser::new(0).parse_all(module) {
        match payload? {
            Payload::TypeSection(groups) => {
                for group in groups {
                    counts.types += u32::try_from(group?.types().len()).unwrap_or(u32::MAX);
                }
            }
            Payload::ImportSection(imports) => {
                for import in imports.into_imports() {
                    match import?.ty {
                        TypeRef::Func(_) | TypeRef::FuncExact(_) => counts.functions += 1,
                        TypeRef::Global(_) => counts.globals += 1,
                        _ => {}
                    }
                }
            }
            Payload::FunctionSection(functions) => counts.functions += functions.count(),
            Payload::GlobalSection(globals) => counts.globals += globals.count(),
            Payload::MemorySection(memories) => counts.memories = memories.into_iter().collect::<Result<_, _>>()?,
            Payload::ExportSection(exports) => {
                for export in exports {
                    let export = export?;
                    if export.kind == ExternalKind::Func {
                        names.insert(export.name.to_owned());
                    }
                }
            }
            _ => {}
        }
    }
    let open = |name: &&String| world::version_in(name).is_some() && !names.contains(&format!("{POST_RETURN}{name}"));
    counts.open = names.iter().filter(open).cloned().collect();
    Ok(counts)
}

/// The module's sections as they stand.
fn sections(module: &[u8]) -> wasmparser::Result<Vec<(u8, Vec<u8>)>> {
    let mut found = Vec::new();
    for payload in Parser::new(0).parse_all(module) {
        let Some((id, range)) = payload?.as_section() else { continue };
        let at = |place| usize::try_from(place).ok();
        let data = at(range.start).zip(at(range.end)).and_then(|(start, end)| module.get(start..end));
        found.push((id, data.unwrap_or_default().to_vec()));
    }
    Ok(found)
}

/// Gives the first of its memories more room from the beginning.
fn widen(sections: &mut [(u8, Vec<u8>)], memories: &[MemoryType]) {
    let mut wider = MemorySection::new();
    for (at, memory) in memories.iter().enumerate() {
        let more = if at == 0 { ROOM_PAGES } else { 0 };
        let minimum = memory.initial.saturating_add(more);
        wider.memory(wasm_encoder::MemoryType {
            minimum: memory.maximum.map_or(minimum, |most| minimum.min(most)),
            maximum: memory.maximum,
            memory64: memory.memory64,
            shared: memory.shared,
            page_size_log2: memory.page_size_log2,
        });
    }
    let mut encoded = Vec::new();
    wider.encode(&mut encoded);
    let (_, length) = leb(&encoded);
    let id = u8::from(SectionId::Memory);
    if let Some((_, data)) = sections.iter_mut().find(|(section, _)| *section == id) {
        // Without the length that the section begins with.
        *data = encoded.split_off(length);
    }
}

/// Adds `count` entries at the end of a section, which is made where there is none.
fn add(sections: &mut Vec<(u8, Vec<u8>)>, id: SectionId, count: u32, entries: &[u8]) {
    let id = u8::from(id);
    let at = sections.iter().position(|(section, _)| *section == id).unwrap_or_else(|| {
        // Their order is that of their numbers, but for a few that don't matter before globals and exports.
        let after = |section: u8| section != 0 && section != u8::from(SectionId::Tag) && section > id;
        let at = sections.iter().position(|(section, _)| after(*section)).unwrap_or(sections.len());
        sections.insert(at, (id, vec![0]));
        at
    });
    let data = &mut sections[at].1;
    let (had, length) = leb(data);
    let mut grown = Vec::with_capacity(data.len() + entries.len() + 5);
    (had + count).encode(&mut grown);
    grown.extend_from_slice(&data[length..]);
    grown.extend_from_slice(entries);
    *data = grown;
}

/// The number at the beginning, and how many bytes it takes. The module was found valid, so it is one.
fn leb(data: &[u8]) -> (u32, usize) {
    let (mut number, mut length) = (0_u32, 0);
    for byte in data.iter().take(5) {
        number |= u32::from(byte & 0x7f).wrapping_shl(7 * u32::try_from(length).unwrap_or(0));
        length += 1;
        if byte & 0x80 == 0 {
            break;
        }
    }
    (number, length)
}

/// Exports of the two functions, and how many they are.
fn exports(counts: &Counts) -> (u32, Vec<u8>) {
    let mut entries = Vec::new();
    let mut export = |name: &str, function: u32| {
        name.encode(&mut entries);
        entries.push(0);
        function.encode(&mut entries);
    };
    export(REALLOC, counts.functions);
    for name in &counts.open {
        export(&format!("{POST_RETURN}{name}"), counts.functions + 1);
    }
    (1 + u32::try_from(counts.open.len()).unwrap_or(0), entries)
}

fn realloc(globals: u32) -> Function {
    use Instruction as I;
    let (old, old_size, align, new_size, at, pages) = (0, 1, 2, 3, 4, 5);
    let (base, size, taken) = (globals, globals + 1, globals + 2);
    let mut body = Function::new([(2, wasm_encoder::ValType::I32)]);
    let mut write = |instructions: &[Instruction<'_>]| {
        for instruction in instructions {
            body.instruction(instruction);
        }
    };
    // Nothing has an address that is aligned, and nothing more.
    write(&[I::LocalGet(new_size), I::I32Eqz, I::If(BlockType::Empty), I::LocalGet(align), I::Return, I::End]);
    // at = (base + taken + align - 1) & -align
    write(&[I::GlobalGet(base), I::GlobalGet(taken), I::I32Add, I::LocalGet(align), I::I32Add]);
    write(&[I::I32Const(1), I::I32Sub, I::I32Const(0), I::LocalGet(align), I::I32Sub, I::I32And, I::LocalSet(at)]);
    // Does it reach beyond the end? In 64 bits, where sums don't wrap.
    write(&[I::LocalGet(at), I::I64ExtendI32U, I::LocalGet(new_size), I::I64ExtendI32U, I::I64Add]);
    write(&[I::GlobalGet(base), I::I64ExtendI32U, I::GlobalGet(size), I::I64ExtendI32U, I::I64Add, I::I64GtU]);
    write(&[I::If(BlockType::Empty)]);
    // pages = max(new_size, 2 * size), rounded up: a new piece. What is in the old one stays until the answer is read.
    write(&[I::LocalGet(new_size), I::GlobalGet(size), I::I32Const(1), I::I32Shl]);
    write(&[I::LocalGet(new_size), I::GlobalGet(size), I::I32Const(1), I::I32Shl, I::I32GtU, I::Select]);
    write(&[I::I64ExtendI32U, I::I64Const((1 << PAGE) - 1), I::I64Add, I::I64Const(i64::from(PAGE)), I::I64ShrU]);
    write(&[I::I32WrapI64, I::LocalTee(pages), I::MemoryGrow(0), I::LocalTee(at)]);
    write(&[I::I32Const(-1), I::I32Eq, I::If(BlockType::Empty), I::Unreachable, I::End]);
    write(&[I::LocalGet(at), I::I32Const(PAGE), I::I32Shl, I::LocalTee(at), I::GlobalSet(base)]);
    write(&[I::LocalGet(pages), I::I32Const(PAGE), I::I32Shl, I::GlobalSet(size), I::End]);
    // taken = at + new_size - base
    write(&[I::LocalGet(at), I::LocalGet(new_size), I::I32Add, I::GlobalGet(base), I::I32Sub, I::GlobalSet(taken)]);
    // What was there moves along: the smaller of both sizes.
    write(&[I::LocalGet(old), I::If(BlockType::Empty), I::LocalGet(at), I::LocalGet(old)]);
    write(&[I::LocalGet(old_size), I::LocalGet(new_size), I::LocalGet(old_size), I::LocalGet(new_size), I::I32LtU]);
    write(&[I::Select, I::MemoryCopy { src_mem: 0, dst_mem: 0 }, I::End, I::LocalGet(at), I::End]);
    body
}

fn release(globals: u32) -> Function {
    let mut body = Function::new([]);
    body.instruction(&Instruction::I32Const(0));
    body.instruction(&Instruction::GlobalSet(globals + 2));
    body.instruction(&Instruction::End);
    body
}
