//! An export: what a store holds for some or all of its actors, in one file that any backend reads.
//!
//! `magic · format u16 · frames · BLAKE3 of all before`, numbers in little-endian. A frame is `kind u8 · length u64 ·
//! payload`. An actor's frames are its name, its records and its copies in quarantine as their bytes are, and at last its
//! head, which says which of these records count: what was read and then dropped while the actor committed is there and
//! counts for nothing. Actors stand in the order of their names. The last frame says how many they are; a file without it
//! was never finished. Heads, records and descriptions of copies have versions of their own.

mod frame;
mod read;
#[cfg(test)]
mod tests;
mod write;

use std::io;
use std::path::PathBuf;

pub use frame::FORMAT as EXPORT_FORMAT;
pub use read::{Contents, Export, Unread};
pub use write::{encode_image, export, export_to_file};

/// Why an export cannot be used, or was not written. Nothing was changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FileError {
    /// It is something else.
    #[error("this is no export of Baton's: it does not begin as one")]
    Foreign,
    /// Bytes are missing at its end, or what says how many there are was changed.
    #[error("the export is cut short or damaged: it has {bytes} bytes, and does not end there")]
    Cut {
        /// How many it has.
        bytes: u64,
    },
    /// Whoever wrote it broke off, and why.
    #[error("the export was broken off while it was written: {0}")]
    BrokenOff(String),
    /// The bytes were changed since they were written.
    #[error("the export is damaged: its checksum does not match its {bytes} bytes")]
    Damaged {
        /// How many it has.
        bytes: u64,
    },
    /// Whole, but written by a newer release.
    #[error("the export has format {found}, and this release reads up to {FORMAT}: use the release that wrote it, or a newer one", FORMAT = frame::FORMAT)]
    Newer {
        /// The format found.
        found: u16,
    },
    /// Whole, and makes no sense.
    #[error("the export makes no sense: {0}")]
    Malformed(String),
    /// A file could not be read or written.
    #[error("cannot {what} {}: {source}", path.display())]
    Io {
        /// What was tried.
        what: &'static str,
        /// On what.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
}
