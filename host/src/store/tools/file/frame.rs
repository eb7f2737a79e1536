//! The frames of an export.

/// What every export begins with.
pub(super) const MAGIC: [u8; 8] = *b"BATONEXP";
/// The format that is written, and the newest that is read.
pub const FORMAT: u16 = 1;
/// Bytes before the first frame.
pub(super) const PREFIX_BYTES: usize = MAGIC.len() + 2;
/// Bytes of a frame before its payload.
pub(super) const FRAME_BYTES: usize = 1 + 8;
/// Bytes of the checksum at the end.
pub(super) const CHECKSUM_BYTES: usize = 32;
/// Bytes of the digest that a record's payload begins with.
pub(super) const DIGEST_BYTES: usize = 32;

/// What a frame holds. These numbers never change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// The last one: how many actors there are, as u64.
    End,
    /// An actor begins: its name.
    Actor,
    /// One of its records: the digest that its head has for it, then the bytes as they were found.
    Record,
    /// A copy in quarantine: the length of its description as u32, the description, the bytes.
    Copy,
    /// The actor ends: its head.
    Head,
    /// An actor that could not be read: the length of its name as u16, the name, why.
    Unread,
    /// Nothing follows: why.
    BrokenOff,
}

impl Kind {
    const ALL: [Self; 7] =
        [Self::End, Self::Actor, Self::Record, Self::Copy, Self::Head, Self::Unread, Self::BrokenOff];

    fn number(self) -> u8 {
        // There are seven.
        Self::ALL.iter().position(|kind| *kind == self).map_or(0, |at| at as u8)
    }

    pub(super) fn of(number: u8) -> Option<Self> {
        Self::ALL.get(usize::from(number)).copied()
    }
}

/// What stands before the frames.
pub(super) fn prefix() -> [u8; PREFIX_BYTES] {
    let mut bytes = [0; PREFIX_BYTES];
    bytes[..MAGIC.len()].copy_from_slice(&MAGIC);
    bytes[MAGIC.len()..].copy_from_slice(&FORMAT.to_le_bytes());
    bytes
}

/// What stands before a payload of `length` bytes.
pub(super) fn head_of(kind: Kind, length: usize) -> [u8; FRAME_BYTES] {
    let mut bytes = [0; FRAME_BYTES];
    bytes[0] = kind.number();
    bytes[1..].copy_from_slice(&(length as u64).to_le_bytes());
    bytes
}

/// A whole frame of parts.
pub(super) fn whole(kind: Kind, parts: &[&[u8]]) -> Vec<u8> {
    let length = parts.iter().map(|part| part.len()).sum();
    let mut bytes = Vec::with_capacity(FRAME_BYTES + length);
    bytes.extend_from_slice(&head_of(kind, length));
    parts.iter().for_each(|part| bytes.extend_from_slice(part));
    bytes
}
