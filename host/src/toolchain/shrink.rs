//! What a plugin carries along and nobody reads when it runs: debugging information. The names of functions stay, since
//! backtraces show them.

use std::borrow::Cow;

/// Bytes before the first section: magic and version.
const HEAD: usize = 8;
/// Numbers of sections that hold a whole module or component.
const CORE_MODULE: u8 = 1;
const COMPONENT: u8 = 4;
/// Components are nested; deeper than this they are left as they are.
const DEEPEST: usize = 16;

/// Whether nothing but a debugger reads the custom section of that name.
fn is_for_debuggers(name: &str) -> bool {
    let words = ["sourceMappingURL", "external_debug_info", "build_id"];
    name.starts_with(".debug") || name.starts_with("reloc..debug") || words.contains(&name)
}

/// `wasm`, a module or a component, without debugging information; as it is where it is not in order.
pub(super) fn shrink(wasm: &[u8]) -> Cow<'_, [u8]> {
    shrunk(wasm, 0).map_or(Cow::Borrowed(wasm), Cow::Owned)
}

fn shrunk(wasm: &[u8], depth: usize) -> Option<Vec<u8>> {
    let (head, mut rest) = wasm.split_at_checked(HEAD)?;
    // The fifth byte tells modules from components: in these alone the sections of nested ones have these numbers.
    let is_component = head.get(6) == Some(&1);
    let mut kept = head.to_vec();
    while let Some((&id, after)) = rest.split_first() {
        let (length, after) = number(after)?;
        let (data, after) = after.split_at_checked(length)?;
        rest = after;
        if id == 0 && section_name(data).is_some_and(is_for_debuggers) {
            continue;
        }
        let nested = is_component && [CORE_MODULE, COMPONENT].contains(&id) && depth < DEEPEST;
        let data = if nested { Cow::Owned(shrunk(data, depth + 1)?) } else { Cow::Borrowed(data) };
        kept.push(id);
        write_number(&mut kept, data.len());
        kept.extend_from_slice(&data);
    }
    Some(kept)
}

fn section_name(data: &[u8]) -> Option<&str> {
    let (length, rest) = number(data)?;
    std::str::from_utf8(rest.get(..length)?).ok()
}

/// A number as WebAssembly writes it, and what follows.
fn number(data: &[u8]) -> Option<(usize, &[u8])> {
    let mut number = 0_u64;
    for (at, byte) in data.iter().take(5).enumerate() {
        number |= u64::from(byte & 0x7f) << (7 * at);
        if byte & 0x80 == 0 {
            return Some((usize::try_from(number).ok()?, &data[at + 1..]));
        }
    }
    None
}

fn write_number(to: &mut Vec<u8>, mut number: usize) {
    loop {
        let low = u8::try_from(number & 0x7f).unwrap_or(0);
        number >>= 7;
        to.push(if number == 0 { low } else { low | 0x80 });
        if number == 0 {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wasm(text: &str) -> Vec<u8> {
        wat::parse_str(text).expect("is WAT")
    }

    #[test]
    fn debugging_information_goes_and_all_else_stays_also_in_nested_ones() {
        let module = |custom: &str| format!("(module {custom} (func $f (export \"f\") (nop)) (memory 1))");
        let debug = "(@custom \".debug_info\" \"abc\") (@custom \"keep\" \"def\")";
        let kept = "(@custom \"keep\" \"def\")";
        assert_eq!(shrink(&wasm(&module(debug))), wasm(&module(kept)));
        let component = |custom: &str| {
            let inner = module(custom).replacen("(module", "(core module $m", 1);
            let nested = module(custom).replacen("(module", "(core module $n", 1);
            format!("(component {inner} (component $c {nested}) (core instance (instantiate $m)))")
        };
        assert_eq!(shrink(&wasm(&component(debug))), wasm(&component(kept)));
    }

    #[test]
    fn what_is_not_in_order_is_left_as_it_is() {
        let whole = wasm("(module (func (export \"f\")) (@custom \".debug_line\" \"x\"))");
        for length in 0..whole.len() {
            // At the end of a section a shorter file is a whole one.
            assert!(shrink(&whole[..length]).len() <= length);
        }
        assert_eq!(shrink(b"not wasm at all"), b"not wasm at all".as_slice());
    }
}
