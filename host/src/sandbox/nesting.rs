//! How deep components stand in components. Small files can nest by the thousand, which takes the engine minutes to find
//! wrong; this takes as long as reading the file.

/// Deepest that is taken: what is made by tools has a handful.
pub(super) const LEVELS: usize = 100;

const HEADER_BYTES: usize = 8;
/// The section of a component that is a component.
const NESTED: u8 = 4;

/// Whether components nest deeper than [`LEVELS`] in this one. What is not well formed is for the engine to tell.
pub(super) fn is_too_deep(component: &[u8]) -> bool {
    let (mut at, mut ends) = (HEADER_BYTES, Vec::new());
    while let Some(section) = component.get(at) {
        ends.retain(|end| at < *end);
        let Some((length, after)) = number(component, at + 1) else { return false };
        let end = after.saturating_add(length);
        if end > component.len() {
            return false;
        }
        at = end;
        if *section == NESTED {
            ends.push(end);
            at = after.saturating_add(HEADER_BYTES);
        }
        if ends.len() > LEVELS {
            return true;
        }
    }
    false
}

/// A number of at most 32 bits as WebAssembly writes it, and where it ends.
fn number(bytes: &[u8], at: usize) -> Option<(usize, usize)> {
    let mut value = 0;
    for (index, byte) in bytes.get(at..)?.iter().take(5).enumerate() {
        value |= usize::from(byte & 0x7f) << (7 * index);
        if byte & 0x80 == 0 {
            return Some((value, at + index + 1));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A component with so many below it, one in the other, and a custom section before each.
    fn nested(levels: usize) -> Vec<u8> {
        let mut inside = b"\0asm\x0d\0\x01\0".to_vec();
        for _ in 0..levels {
            let mut outside = b"\0asm\x0d\0\x01\0\x00\x02\x01x\x04".to_vec();
            let mut length = inside.len();
            while length > 0x7f {
                outside.push(u8::try_from(length & 0x7f).expect("seven bits") | 0x80);
                length >>= 7;
            }
            outside.push(u8::try_from(length).expect("seven bits"));
            outside.extend(inside);
            inside = outside;
        }
        inside
    }

    #[test]
    fn depth_is_counted_and_side_by_side_is_not_deep() {
        for (levels, deep) in [(0, false), (1, false), (LEVELS, false), (LEVELS + 1, true), (300, true)] {
            assert_eq!(is_too_deep(&nested(levels)), deep, "{levels}");
        }
        let one = [b"\x04\x08".as_slice(), b"\0asm\x0d\0\x01\0"].concat();
        let beside = [b"\0asm\x0d\0\x01\0".to_vec(), one.repeat(1_000)].concat();
        assert!(!is_too_deep(&beside));
        for cut in 0..400 {
            is_too_deep(&nested(300)[..cut]);
        }
        assert!(!is_too_deep(b"\0asm\x0d\0\x01\0\x04\xff\xff\xff\xff\x0f"));
    }
}
