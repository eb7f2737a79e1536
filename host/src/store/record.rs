//! The record: a state with the facts around it, as bytes that can be checked.
//!
//! `magic · format u16 · header length u32 · header · payload length u64 · payload · BLAKE3 of all before`, numbers in
//! little-endian. The frame (magic first, the format next, the checksum over everything last) is the same for every
//! format there will ever be. So a reader checks the checksum before it looks at the format: a flipped bit in the format
//! is told as damage, and what is told as a newer format is one.
//!
//! The header is a postcard-encoded enum of versions, to which variants are only ever added. postcard does not describe
//! itself: a field or a variant added to anything within [`Header`] needs a new version of it.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Traffic;
use crate::model::{ActorName, Digest, Message, PluginName, StopReason, Version};

mod v1;

#[cfg(test)]
mod tests;

/// What every record begins with.
const MAGIC: [u8; 8] = *b"BATONREC";
/// The newest format that this release reads, and the one that it writes.
pub const NEWEST_FORMAT: u16 = 2;
/// Bytes before the header: magic, format, length of the header.
const PREFIX_BYTES: usize = 8 + 2 + 4;
/// Bytes of the payload's length.
const LENGTH_BYTES: usize = 8;
/// Bytes of the checksum.
const CHECKSUM_BYTES: usize = 32;
/// Bytes of a record with an empty header and no payload.
const FRAME_BYTES: usize = PREFIX_BYTES + LENGTH_BYTES + CHECKSUM_BYTES;

/// Why a record was written. Variants are only ever added.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Cause {
    /// The instance ended with it.
    Stopped(StopReason),
    /// While the instance ran on.
    Checkpoint,
    /// At a swap, by the instance that was replaced or by the one that took over.
    Switched,
    /// An operator put it there.
    Restored,
    /// With the turn that made it: nothing was acknowledged after it.
    Turn,
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stopped(reason) => write!(f, "stopped ({reason})"),
            Self::Checkpoint => f.write_str("checkpoint"),
            Self::Switched => f.write_str("switched"),
            Self::Restored => f.write_str("restored"),
            Self::Turn => f.write_str("turn"),
        }
    }
}

/// Who encoded a state, and when. Carried on unchanged when the state is committed again with other messages.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Origination {
    /// The plugin.
    pub plugin: PluginName,
    /// Its version.
    pub version: Version,
    /// Digest of its component.
    pub digest: Digest,
    /// Version of the layout of the state.
    pub schema: u32,
    /// Generation of the instance.
    pub generation: u64,
    /// When, in milliseconds since the Unix epoch by the host's clock.
    pub time_ms: u64,
}

/// A timer that has not come due yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct StoredTimer {
    /// Its name.
    pub name: String,
    /// When it is due, in milliseconds since the Unix epoch by the host's clock.
    pub due_ms: u64,
}

/// Everything that a record says besides the state itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    /// Whose it is.
    pub actor: ActorName,
    /// Under which claim it was committed.
    pub epoch: u64,
    /// Generation of the instance that committed it.
    pub generation: u64,
    /// Counts the actor's commits, from 1.
    pub sequence: u64,
    /// The record before: its sequence, and the digest of its bytes.
    pub parent: Option<(u64, Digest)>,
    /// Why it was written.
    pub cause: Cause,
    /// The host that wrote it.
    pub node: String,
    /// When, in milliseconds since the Unix epoch by the host's clock.
    pub time_ms: u64,
    /// Who encoded the state; none: the record holds messages and timers alone.
    pub state: Option<Origination>,
    /// Accepted messages that were not handled yet, in order.
    pub inbox: Vec<Message>,
    /// Timers that have not come due yet.
    pub timers: Vec<StoredTimer>,
    /// What it has under way with others.
    pub traffic: Traffic,
}

/// A record that was read and checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// The facts.
    pub header: Header,
    /// The state as its plugin encoded it; empty where `header.state` is none.
    pub data: Vec<u8>,
}

/// What is wrong with the bytes of a record, or of a head.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RecordError {
    /// It is something else.
    #[error("these bytes are no record: they do not begin as one")]
    Magic,
    /// Bytes are missing.
    #[error("the record is cut short: {found} bytes of {expected}")]
    Cut {
        /// Bytes that it should have, as far as that can be told.
        expected: u64,
        /// Bytes that are there.
        found: u64,
    },
    /// The bytes were changed since they were written.
    #[error("the record's checksum does not match its {bytes} bytes")]
    Checksum {
        /// How many they are.
        bytes: usize,
    },
    /// Whole, but written by a newer release.
    #[error(
        "the record has format {found}, and this release reads up to {newest}: run the release that wrote it, or a newer one"
    )]
    NewerFormat {
        /// The format found.
        found: u16,
        /// The newest that this release reads.
        newest: u16,
    },
    /// Whole, but its header makes no sense to this release.
    #[error("the record's header cannot be read: {0}")]
    Header(String),
    /// A good record, but not the one that was meant.
    #[error("the record is not the one that the head names: {0}")]
    Mismatch(String),
    /// The head is whole, but written by a newer release.
    #[error(
        "the actor's head has version {found}, and this release reads up to {newest}: run the release that wrote it, or a newer one"
    )]
    NewerHead {
        /// The version found.
        found: u16,
        /// The newest that this release reads.
        newest: u16,
    },
    /// The head itself is damaged.
    #[error("the actor's head cannot be read: {0}")]
    Head(String),
}

/// The header as it is written. Its position here is its number on disk.
#[derive(Serialize)]
enum Written<'a> {
    /// Only ever read: [`v1::Header`].
    #[allow(dead_code, reason = "it keeps the place of version 1")]
    V1,
    V2(&'a Header),
}

/// The header as it is read: the same variants in the same order.
#[derive(Deserialize)]
enum Read {
    V1(v1::Header),
    V2(Header),
}

/// The bytes of a record.
///
/// # Panics
/// If the header has 4 GiB or more; a store refuses such a record before it comes here.
#[must_use]
pub fn encode(header: &Header, data: &[u8]) -> Vec<u8> {
    encode_with_digest(header, data).0
}

/// The bytes of a record and their digest, in one pass.
pub(super) fn encode_with_digest(header: &Header, data: &[u8]) -> (Vec<u8>, Digest) {
    // Only a type that refuses to be serialized makes this fail, and none within the header does.
    let header = postcard::to_stdvec(&Written::V2(header)).expect("a header can always be encoded");
    let header_bytes = u32::try_from(header.len()).expect("a header has less than 4 GiB");

    let mut bytes = Vec::with_capacity(FRAME_BYTES + header.len() + data.len());
    bytes.extend_from_slice(&MAGIC);
    bytes.extend_from_slice(&NEWEST_FORMAT.to_le_bytes());
    bytes.extend_from_slice(&header_bytes.to_le_bytes());
    bytes.extend_from_slice(&header);
    bytes.extend_from_slice(&(data.len() as u64).to_le_bytes());
    bytes.extend_from_slice(data);
    let digest = {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&bytes);
        let checksum = hasher.finalize();
        bytes.extend_from_slice(checksum.as_bytes());
        hasher.update(checksum.as_bytes());
        Digest(*hasher.finalize().as_bytes())
    };
    (bytes, digest)
}

/// Reads and checks a record.
///
/// # Errors
/// Says what is wrong with the bytes; whatever they are, nothing panics, and only what was written comes back.
pub fn decode(bytes: &[u8]) -> Result<Record, RecordError> {
    let magic = &MAGIC[..MAGIC.len().min(bytes.len())];
    if !bytes.starts_with(magic) {
        return Err(RecordError::Magic);
    }
    if bytes.len() < FRAME_BYTES {
        return Err(RecordError::Cut { expected: FRAME_BYTES as u64, found: bytes.len() as u64 });
    }
    let (framed, checksum) = bytes.split_at(bytes.len() - CHECKSUM_BYTES);
    if blake3::hash(framed).as_bytes().as_slice() != checksum {
        return Err(damage(bytes));
    }
    let format = u16::from_le_bytes(array(framed, MAGIC.len()));
    if format > NEWEST_FORMAT {
        return Err(RecordError::NewerFormat { found: format, newest: NEWEST_FORMAT });
    }
    if format == 0 {
        return Err(RecordError::Header(format!("there never was a format {format}")));
    }
    let parts = Parts::of(framed).ok_or_else(|| RecordError::Header("its lengths do not add up".to_owned()))?;
    let header = decode_header(parts.header)?;
    if header.state.is_none() && !parts.data.is_empty() {
        return Err(RecordError::Header("it names no state, and there is one".to_owned()));
    }
    Ok(Record { header, data: parts.data.to_vec() })
}

/// What a wrong checksum most likely means: bytes missing at the end, or bytes changed.
fn damage(bytes: &[u8]) -> RecordError {
    let found = bytes.len() as u64;
    let header = u64::from(u32::from_le_bytes(array(bytes, MAGIC.len() + 2)));
    let at = usize::try_from(header).unwrap_or(usize::MAX).saturating_add(PREFIX_BYTES);
    let expected = match bytes.get(at..at.saturating_add(LENGTH_BYTES)) {
        Some(length) => (FRAME_BYTES as u64 + header).saturating_add(u64::from_le_bytes(array(length, 0))),
        None => FRAME_BYTES as u64 + header,
    };
    if expected > found { RecordError::Cut { expected, found } } else { RecordError::Checksum { bytes: bytes.len() } }
}

/// The two parts of a record between its fixed ones.
struct Parts<'a> {
    header: &'a [u8],
    data: &'a [u8],
}

impl<'a> Parts<'a> {
    /// Takes everything before the checksum apart; none unless the lengths fit exactly.
    fn of(framed: &'a [u8]) -> Option<Self> {
        let rest = framed.get(MAGIC.len() + 2..)?;
        let (length, rest) = rest.split_first_chunk()?;
        let (header, rest) = rest.split_at_checked(usize::try_from(u32::from_le_bytes(*length)).ok()?)?;
        let (length, data) = rest.split_first_chunk()?;
        (u64::from_le_bytes(*length) == data.len() as u64).then_some(Self { header, data })
    }
}

fn decode_header(bytes: &[u8]) -> Result<Header, RecordError> {
    // The number of the variant comes first: one that is not known here was added by a newer release.
    let (number, _) = postcard::take_from_bytes::<u32>(bytes).map_err(|e| RecordError::Header(e.to_string()))?;
    if number >= u32::from(NEWEST_FORMAT) {
        let found = u16::try_from(number).unwrap_or(u16::MAX).saturating_add(1);
        return Err(RecordError::NewerFormat { found, newest: NEWEST_FORMAT });
    }
    match postcard::take_from_bytes(bytes) {
        Ok((Read::V1(header), [])) => Ok(header.into()),
        Ok((Read::V2(header), [])) => Ok(header),
        Ok((_, rest)) => Err(RecordError::Header(format!("{} bytes follow it", rest.len()))),
        Err(error) => Err(RecordError::Header(error.to_string())),
    }
}

/// `N` bytes from `at`. Every caller has made sure that they are there.
fn array<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    let mut found = [0; N];
    found.copy_from_slice(&bytes[at..at + N]);
    found
}
