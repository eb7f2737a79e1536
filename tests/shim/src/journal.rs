//! The journal: one entry after another, each
//! `op u8 · fd i32 · a u64 · result i64 · path u16+ · to u16+ · bytes u32+`, numbers in little-endian, and `+` a length
//! with as many bytes behind it. Paths are below the directory; the result of a call that failed is its errno, negative.

/// What was done. Its number is its place here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Op {
    /// `a`: flags. The result is the descriptor.
    Open,
    /// Likewise, of what is only read.
    OpenToRead,
    Close,
    /// `a`: offset. Only the bytes that were written.
    Write,
    /// `a`: length.
    Truncate,
    Sync,
    /// `a`: offset. Promises nothing.
    SyncRange,
    Rename,
    Unlink,
    MakeDir,
    RemoveDir,
    /// `store` and `store.copy` are each in the other's place.
    Exchange,
    /// A process begins: no descriptor is open.
    Start,
}

impl Op {
    /// The word for it in a file of faults; none where it never fails.
    pub(crate) fn word(self) -> Option<&'static str> {
        match self {
            Self::Open => Some("open"),
            Self::Write => Some("write"),
            Self::Truncate => Some("truncate"),
            Self::Sync => Some("sync"),
            Self::SyncRange => Some("syncrange"),
            Self::Rename => Some("rename"),
            Self::Unlink => Some("unlink"),
            Self::MakeDir => Some("mkdir"),
            Self::RemoveDir => Some("rmdir"),
            Self::OpenToRead | Self::Close | Self::Exchange | Self::Start => None,
        }
    }
}

/// One call.
#[derive(Debug)]
pub(crate) struct Entry<'a> {
    pub(crate) op: Op,
    pub(crate) fd: i32,
    pub(crate) a: u64,
    pub(crate) result: i64,
    pub(crate) path: &'a str,
    pub(crate) to: &'a str,
    pub(crate) bytes: &'a [u8],
}

impl Entry<'_> {
    pub(crate) fn of(op: Op) -> Self {
        Self { op, fd: -1, a: 0, result: 0, path: "", to: "", bytes: &[] }
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut bytes = vec![self.op as u8];
        bytes.extend_from_slice(&self.fd.to_le_bytes());
        bytes.extend_from_slice(&self.a.to_le_bytes());
        bytes.extend_from_slice(&self.result.to_le_bytes());
        for text in [self.path, self.to] {
            bytes.extend_from_slice(&(text.len() as u16).to_le_bytes());
            bytes.extend_from_slice(text.as_bytes());
        }
        bytes.extend_from_slice(&(self.bytes.len() as u32).to_le_bytes());
        bytes.extend_from_slice(self.bytes);
        bytes
    }
}
