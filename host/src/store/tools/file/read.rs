//! Reading an export: all of it is checked before anything of it is used.

use std::cmp::Ordering;
use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::super::super::{Head, Image, Quarantined, head, quarantine};
use super::super::Selection;
use super::FileError;
use super::frame::{CHECKSUM_BYTES, DIGEST_BYTES, FORMAT, FRAME_BYTES, Kind, MAGIC, PREFIX_BYTES};
use crate::model::{ActorName, Digest};

/// Largest payload of a frame other than a record or a copy, in bytes: a head names at most 1,000 records.
const SMALL_BYTES: u64 = 4 << 20;
/// Bytes that are read at once.
const BUFFER_BYTES: usize = 128 << 10;
/// Most actors that are named as unread.
const NAMED: usize = 1_000;

/// What an export holds, in numbers.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Contents {
    /// Actors.
    pub actors: u64,
    /// Records that count.
    pub records: u64,
    /// Their bytes.
    pub record_bytes: u64,
    /// Copies in quarantine.
    pub copies: u64,
    /// Bytes of the whole export.
    pub bytes: u64,
    /// Actors whose heads could not be read when it was written; the first 1,000.
    pub unread: Vec<Unread>,
}

impl Contents {
    /// Counts an actor, all of whose records are to be among `found`.
    fn count(&mut self, head: &Head, found: &HashMap<Digest, u64>) -> Result<(), FileError> {
        for record in &head.records {
            let Some(bytes) = found.get(&record.digest) else {
                return malformed(format!("record {} of an actor is missing", record.sequence));
            };
            self.records += 1;
            self.record_bytes += bytes;
        }
        self.actors += 1;
        Ok(())
    }
}

/// An actor that is missing from an export.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Unread {
    /// Which.
    pub actor: String,
    /// Why.
    pub why: String,
}

/// An export that was checked, to be read actor by actor.
#[derive(Debug)]
pub struct Export<R = BufReader<File>> {
    source: R,
    path: PathBuf,
    contents: Contents,
}

impl Export {
    /// Opens and checks the file at `path`: all of it is read.
    ///
    /// # Errors
    /// If it is not an export, or not a whole one.
    pub fn open(path: &Path) -> Result<Self, FileError> {
        let failed = |source| FileError::Io { what: "read", path: path.to_owned(), source };
        let file = File::open(path).map_err(failed)?;
        Self::of(BufReader::with_capacity(BUFFER_BYTES, file), path.to_owned())
    }
}

impl<B: AsRef<[u8]>> Export<io::Cursor<B>> {
    /// Checks an export in memory.
    ///
    /// # Errors
    /// As [`Export::open`].
    pub fn from_bytes(bytes: B) -> Result<Self, FileError> {
        Self::of(io::Cursor::new(bytes), PathBuf::from("an export in memory"))
    }
}

impl<R: Read + Seek> Export<R> {
    fn of(source: R, path: PathBuf) -> Result<Self, FileError> {
        let mut export = Self { source, path, contents: Contents::default() };
        let length = export.check_frame()?;
        export.contents = Contents { bytes: length, ..export.check_frames(length)? };
        export.rewind()?;
        Ok(export)
    }

    /// What it holds.
    #[must_use]
    pub fn contents(&self) -> &Contents {
        &self.contents
    }

    /// The next actor that is meant; none: there are no more.
    ///
    /// # Errors
    /// If the file was changed since it was checked.
    pub fn next_image(&mut self, wanted: &Selection) -> Result<Option<(ActorName, Image)>, FileError> {
        loop {
            let (kind, length) = self.frame()?;
            match kind {
                Kind::End => return Ok(None),
                Kind::Actor => {
                    let name = self.name(length)?;
                    match wanted.matches(&name) {
                        true => return self.image().map(|image| Some((name, image))),
                        false => self.skip_actor()?,
                    }
                }
                _ => self.skip(length)?,
            }
        }
    }

    /// The checksum over everything, before anything in between is believed. Gives the length.
    fn check_frame(&mut self) -> Result<u64, FileError> {
        let length = self.io(|source| source.seek(SeekFrom::End(0)))?;
        self.io(|source| source.seek(SeekFrom::Start(0)))?;
        let mut prefix = Vec::new();
        self.io(|source| source.take(PREFIX_BYTES as u64).read_to_end(&mut prefix))?;
        if !prefix.starts_with(&MAGIC[..MAGIC.len().min(prefix.len())]) || prefix.is_empty() {
            return Err(FileError::Foreign);
        }
        let least = (PREFIX_BYTES + CHECKSUM_BYTES) as u64;
        let Some(rest) = length.checked_sub(least) else { return Err(FileError::Cut { bytes: length }) };
        let mut hasher = blake3::Hasher::new();
        hasher.update(&prefix);
        let hashed = self.io(|source| hasher.update_reader(source.take(rest)).map(|hasher| hasher.finalize()))?;
        let mut checksum = Vec::new();
        self.io(|source| source.take(CHECKSUM_BYTES as u64 + 1).read_to_end(&mut checksum))?;
        if hashed.as_bytes().as_slice() != checksum {
            return Err(self.damage(length));
        }
        match u16::from_le_bytes([prefix[MAGIC.len()], prefix[MAGIC.len() + 1]]) {
            FORMAT => Ok(length),
            0 => Err(FileError::Malformed("there never was a format 0".to_owned())),
            found => Err(FileError::Newer { found }),
        }
    }

    /// What a wrong checksum most likely means: its frames say whether it ends.
    fn damage(&mut self, length: u64) -> FileError {
        let told = self.check_frames(length);
        match told {
            Err(error @ (FileError::BrokenOff(_) | FileError::Cut { .. } | FileError::Io { .. })) => error,
            _ => FileError::Damaged { bytes: length },
        }
    }

    /// Whether the frames make sense, each after the other.
    fn check_frames(&mut self, length: u64) -> Result<Contents, FileError> {
        self.rewind()?;
        let mut contents = Contents::default();
        let mut at = PREFIX_BYTES as u64;
        let mut last: Option<ActorName> = None;
        let mut actor: Option<HashMap<Digest, u64>> = None;
        let cut = || FileError::Cut { bytes: length };
        loop {
            if length.saturating_sub(at) < FRAME_BYTES as u64 {
                return Err(cut());
            }
            let (kind, payload) = self.frame()?;
            at = at.saturating_add(FRAME_BYTES as u64).saturating_add(payload);
            if at > length {
                return Err(cut());
            }
            match (kind, &mut actor) {
                (Kind::Actor, None) => {
                    let name = self.name(payload)?;
                    if last.as_ref().is_some_and(|last| *last >= name) {
                        return malformed(format!("`{name}` stands where it should not"));
                    }
                    (last, actor) = (Some(name), Some(HashMap::new()));
                }
                (Kind::Record, Some(records)) => {
                    let Some(bytes) = payload.checked_sub(DIGEST_BYTES as u64) else {
                        return malformed("a record is too short");
                    };
                    records.insert(self.digest()?, bytes);
                    self.skip(bytes)?;
                }
                (Kind::Copy, Some(_)) => {
                    self.copy(payload, false)?;
                    contents.copies += 1;
                }
                (Kind::Head, Some(records)) => {
                    contents.count(&self.head(payload)?, records)?;
                    actor = None;
                }
                (Kind::Unread, None) => {
                    let unread = self.unread(payload)?;
                    if contents.unread.len() < NAMED {
                        contents.unread.push(unread);
                    }
                }
                (Kind::BrokenOff, _) => {
                    return Err(FileError::BrokenOff(String::from_utf8_lossy(&self.small(payload)?).into_owned()));
                }
                (Kind::End, None) => {
                    let fits = self.small(payload)? == contents.actors.to_le_bytes();
                    return match (at + CHECKSUM_BYTES as u64).cmp(&length) {
                        Ordering::Equal if fits => Ok(contents),
                        Ordering::Greater => Err(cut()),
                        _ => malformed("its end is not where it should be"),
                    };
                }
                (kind, _) => return malformed(format!("a frame {kind:?} stands where it should not")),
            }
        }
    }

    /// What follows an actor's name.
    fn image(&mut self) -> Result<Image, FileError> {
        let mut records = HashMap::new();
        let mut copies = Vec::new();
        loop {
            let (kind, length) = self.frame()?;
            match kind {
                Kind::Record => {
                    let digest = self.digest()?;
                    records.insert(digest, self.bytes(length.saturating_sub(DIGEST_BYTES as u64))?);
                }
                Kind::Copy => copies.push(self.copy(length, true)?),
                Kind::Head => {
                    let head = self.head(length)?;
                    let found: Option<Vec<_>> =
                        head.records.iter().map(|named| records.remove(&named.digest)).collect();
                    return match found {
                        Some(records) => Ok(Image { head, records, quarantine: copies }),
                        None => malformed("a record of an actor is missing"),
                    };
                }
                _ => return malformed("an actor does not end"),
            }
        }
    }

    fn skip_actor(&mut self) -> Result<(), FileError> {
        loop {
            let (kind, length) = self.frame()?;
            self.skip(length)?;
            match kind {
                Kind::Record | Kind::Copy => {}
                Kind::Head => return Ok(()),
                _ => return malformed("an actor does not end"),
            }
        }
    }

    fn frame(&mut self) -> Result<(Kind, u64), FileError> {
        let [kind, length @ ..] = self.array::<FRAME_BYTES>()?;
        let unknown = || FileError::Malformed(format!("it has a frame of the unknown kind {kind}"));
        Ok((Kind::of(kind).ok_or_else(unknown)?, u64::from_le_bytes(length)))
    }

    fn name(&mut self, length: u64) -> Result<ActorName, FileError> {
        let bytes = self.small(length)?;
        let name = std::str::from_utf8(&bytes).ok().and_then(|text| ActorName::new(text).ok());
        name.map_or_else(|| malformed("an actor has no usable name"), Ok)
    }

    fn head(&mut self, length: u64) -> Result<Head, FileError> {
        let head = head::decode(&self.small(length)?).map_err(|error| FileError::Malformed(error.to_string()))?;
        let mut seen = HashSet::new();
        match head.records.iter().all(|record| seen.insert(record.digest)) {
            true => Ok(head),
            false => malformed("a head names one record twice"),
        }
    }

    /// A copy in quarantine; its bytes only if they are wanted.
    fn copy(&mut self, length: u64, wanted: bool) -> Result<Quarantined, FileError> {
        let bad = || FileError::Malformed("a copy in quarantine cannot be read".to_owned());
        let description = u64::from(u32::from_le_bytes(self.array()?));
        let found = length.checked_sub(4).and_then(|rest| rest.checked_sub(description)).ok_or_else(bad)?;
        let (mut copy, told) = quarantine::decode(&self.small(description)?).ok_or_else(bad)?;
        if told != found {
            return Err(bad());
        }
        if wanted {
            copy.found = self.bytes(found)?;
        } else {
            self.skip(found)?;
        }
        Ok(copy)
    }

    fn unread(&mut self, length: u64) -> Result<Unread, FileError> {
        let bytes = self.small(length)?;
        let parts = bytes
            .split_first_chunk()
            .and_then(|(length, rest)| rest.split_at_checked(usize::from(u16::from_le_bytes(*length))));
        let Some((actor, why)) = parts else { return malformed("it does not say which actor is missing") };
        let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
        Ok(Unread { actor: text(actor), why: text(why) })
    }

    fn digest(&mut self) -> Result<Digest, FileError> {
        self.array().map(Digest)
    }

    /// A payload that is never large.
    fn small(&mut self, length: u64) -> Result<Vec<u8>, FileError> {
        if length > SMALL_BYTES {
            return malformed(format!("{length} bytes stand where at most {SMALL_BYTES} may"));
        }
        self.bytes(length)
    }

    /// So many bytes, if they are there: a wrong length does not ask for memory.
    fn bytes(&mut self, length: u64) -> Result<Vec<u8>, FileError> {
        let mut bytes = Vec::new();
        self.io(|source| source.take(length).read_to_end(&mut bytes))?;
        if bytes.len() as u64 == length { Ok(bytes) } else { malformed("it ends within a frame") }
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], FileError> {
        let mut bytes = [0; N];
        self.io(|source| source.read_exact(&mut bytes))?;
        Ok(bytes)
    }

    fn skip(&mut self, length: u64) -> Result<(), FileError> {
        let Ok(length) = i64::try_from(length) else { return malformed("a frame is too long") };
        self.io(|source| source.seek_relative(length))
    }

    fn rewind(&mut self) -> Result<(), FileError> {
        self.io(|source| source.seek(SeekFrom::Start(PREFIX_BYTES as u64))).map(drop)
    }

    fn io<T>(&mut self, ask: impl FnOnce(&mut R) -> io::Result<T>) -> Result<T, FileError> {
        ask(&mut self.source).map_err(|source| match source.kind() {
            io::ErrorKind::UnexpectedEof => FileError::Malformed("it ends within a frame".to_owned()),
            _ => FileError::Io { what: "read", path: self.path.clone(), source },
        })
    }
}

fn malformed<T>(what: impl Into<String>) -> Result<T, FileError> {
    Err(FileError::Malformed(what.into()))
}
