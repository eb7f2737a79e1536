//! What lies where in sled, and the barrier. Everything that touches sled's own types is here.
//!
//! | tree | key | value |
//! | --- | --- | --- |
//! | `heads` | the actor's name | its head |
//! | | `0` | the numbers that the witness is compared with |
//! | | `1 · record` | the record is being written or deleted: its chunks go unless a head names it |
//! | | `2 · name` | what the actor has in quarantine is being deleted |
//! | `chunks` | `record · u32` | up to [`CHUNK_BYTES`] of a record |
//! | `quarantine` | `record` | what was wrong, and when |
//! | `found` | `record · u32` | the bytes of a record in quarantine |
//!
//! where `record` is a record's key: see [`keys`].

use std::cell::RefCell;
use std::convert::Infallible;
use std::ffi::OsString;
use std::fs::{self, File};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use ::sled::transaction::{ConflictableTransactionError, TransactionError, Transactional as _};
use ::sled::{Batch, Db, IVec, Tree};

use super::super::embedded::words;
use super::super::head::Found;
use super::super::{Quarantined, RecordRef, head, keys, now_ms, quarantine};
use super::disk::{Disk, bytes_at};
use super::files::{self, LOCK_ATTEMPTS, LOCK_PAUSE_MS};
use super::nudge::Nudge;
use super::witness::{Counted, Totals};
use crate::model::ActorName;

/// Bytes of one chunk. sled keeps up to 16 values in a page and puts pages above some 128 KiB into files that it never
/// syncs.
const CHUNK_BYTES: usize = 4 << 10;
/// Bytes of chunks between two barriers: bounds what waits in memory to be synced.
const BARRIER_BYTES: usize = 1 << 20;
/// Key of the totals among the heads.
const TOTALS_KEY: [u8; 1] = [0];
/// What the keys of records that are being written or deleted begin with, among the heads.
const PENDING: u8 = 1;
/// What the keys of actors whose quarantine is being deleted begin with, among the heads.
const ERASED: u8 = 2;
/// No name begins with less.
const FIRST_NAME: [u8; 1] = [b' '];
/// Why sled or the disk beneath it did not do what it was told. Nothing is assumed of the store afterwards.
#[derive(Debug, thiserror::Error)]
pub(super) enum Fault {
    #[error("sled at {}: {error}", path.display())]
    Sled { path: PathBuf, error: ::sled::Error },
    #[error("cannot {what} {}: {error}", path.display())]
    Disk { what: &'static str, path: PathBuf, error: io::Error },
}

impl Fault {
    pub(super) fn disk(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |error| Self::Disk { what, path: path.to_owned(), error }
    }
}

/// An open sled directory.
pub(super) struct Tables {
    nudge: Nudge,
    /// Kept for its `Drop`, which closes everything; and to flush.
    db: Db,
    heads: Tree,
    chunks: Tree,
    quarantine: Tree,
    found: Tree,
    /// sled's data file, held open to be synced.
    data: File,
    /// The names that were in the directory when it was synced last.
    names: RefCell<Vec<OsString>>,
    path: PathBuf,
    disk: Disk,
}

/// What is noted beside heads while they change, for a crash in the middle.
pub(super) struct Marks<'a> {
    /// Records that are named from now on.
    pub(super) named: &'a [Vec<u8>],
    /// Records that no head will name any more.
    pub(super) dropped: &'a [Vec<u8>],
    /// Actors that are forgotten.
    pub(super) erased: &'a [ActorName],
}

impl Marks<'_> {
    pub(super) const NONE: Self = Self { named: &[], dropped: &[], erased: &[] };
}

/// The names in a directory, in order.
fn names_in(path: &Path) -> io::Result<Vec<OsString>> {
    let mut names = fs::read_dir(path)?.map(|entry| Ok(entry?.file_name())).collect::<io::Result<Vec<_>>>()?;
    names.sort();
    Ok(names)
}

fn pending_key(record: &[u8]) -> Vec<u8> {
    [&[PENDING], record].concat()
}

fn erased_key(actor: &ActorName) -> Vec<u8> {
    [&[ERASED], actor.as_str().as_bytes()].concat()
}

impl Tables {
    /// Opens the directory at `path`, or makes it, and syncs all that is in it: sled itself does not.
    pub(super) fn open(path: &Path, cache_bytes: u64, disk: &Disk) -> Result<Self, Fault> {
        files::prepare(path, disk)?;
        let sled = |error| Fault::Sled { path: path.to_owned(), error };
        // Its own flusher would sync now and then, past us, keep to itself that a sync has failed, and go on writing: what
        // came after the gap would be on the disk, and sled does not open such a log.
        let config = ::sled::Config::new().path(path).cache_capacity(cache_bytes).flush_every_ms(None);
        let mut attempt = 1;
        let db = loop {
            match config.open() {
                Err(error) if is_locked(&error) && attempt < LOCK_ATTEMPTS => {
                    attempt += 1;
                    thread::sleep(Duration::from_millis(LOCK_PAUSE_MS));
                }
                other => break other.map_err(sled)?,
            }
        };
        let tree = |name: &str| db.open_tree(name).map_err(sled);
        let (heads, chunks) = (tree("heads")?, tree("chunks")?);
        let (quarantine, found) = (tree("quarantine")?, tree("found")?);
        let data_path = path.join("db");
        let data = File::open(&data_path).map_err(Fault::disk("open", &data_path))?;
        let nudge = Nudge::of(&db);
        let (path, disk, names) = (path.to_owned(), disk.clone(), RefCell::default());
        let tables = Self { nudge, db, heads, chunks, quarantine, found, data, names, path, disk };
        let Self { path, disk, .. } = &tables;
        tables.barrier()?;
        disk.sync_tree(path).map_err(Fault::disk("sync", path))?;
        let parent = path.parent().unwrap_or(Path::new("."));
        disk.sync_dir(parent).map_err(Fault::disk("sync", parent))?;
        Ok(tables)
    }

    /// Lets go of sled, which syncs once more as it is dropped, and panics where that fails. Gives the data file as it was
    /// opened: the kernel tells it of every page that could not be written since.
    pub(super) fn close(self) -> (File, Result<(), String>) {
        let Self { nudge, db, heads, chunks, quarantine, found, data, .. } = self;
        let dropped = catch_unwind(AssertUnwindSafe(move || drop((nudge, heads, chunks, quarantine, found, db))));
        (data, dropped.map_err(|panic| words(&*panic)))
    }

    /// Everything written so far is on the disk when this is `Ok`: sled's flush hands its buffers to the kernel, and the
    /// syncs are ours.
    pub(super) fn barrier(&self) -> Result<(), Fault> {
        self.nudge.look_after(|| self.db.flush()).map_err(|error| self.sled(error))?;
        self.sync_data()?;
        self.sync_names()
    }

    /// Syncs the directory, if there is anything new in it: sled makes and removes snapshots of its own, no two of one name,
    /// and nothing else. A look at the names takes a tenth of what a sync does.
    fn sync_names(&self) -> Result<(), Fault> {
        let names = names_in(&self.path).map_err(Fault::disk("read", &self.path))?;
        if *self.names.borrow() != names {
            self.disk.sync_dir(&self.path).map_err(Fault::disk("sync", &self.path))?;
            *self.names.borrow_mut() = names;
        }
        Ok(())
    }

    pub(super) fn sync_data(&self) -> Result<(), Fault> {
        let synced = self.disk.sync_file(&self.data, &self.path.join("db"));
        synced.map_err(Fault::disk("sync the data file in", &self.path))
    }

    fn sled(&self, error: ::sled::Error) -> Fault {
        Fault::Sled { path: self.path.clone(), error }
    }

    /// The bytes of a head.
    pub(super) fn head(&self, actor: &ActorName) -> Result<Option<IVec>, Fault> {
        self.heads.get(actor.as_str()).map_err(|error| self.sled(error))
    }

    /// Names and heads in order, those after `after`.
    pub(super) fn heads_after(
        &self,
        after: Option<&ActorName>,
    ) -> impl Iterator<Item = Result<(IVec, IVec), Fault>> + use<'_> {
        // With no control character in any name, the one after a name in order is that name and this byte.
        let start = after.map_or(FIRST_NAME.to_vec(), |name| [name.as_str().as_bytes(), &[0]].concat());
        self.heads.range(start..).map(|entry| entry.map_err(|error| self.sled(error)))
    }

    /// The numbers that lie beside the heads; none in a new store, `Some(None)` where they cannot be read.
    pub(super) fn totals(&self) -> Result<Option<Option<Totals>>, Fault> {
        let bytes = self.heads.get(TOTALS_KEY).map_err(|error| self.sled(error))?;
        Ok(bytes.map(|bytes| Totals::decode(&bytes)))
    }

    /// Counts the heads that are really there, and their digest.
    pub(super) fn count(&self) -> Result<Counted, Fault> {
        let mut counted = Counted::default();
        for entry in self.heads_after(None) {
            let (key, value) = entry?;
            counted.add(&key, &value);
        }
        Ok(counted)
    }

    /// A head that is older than a record of its actor's, if there is one; damaged ones apart.
    pub(super) fn outdated(&self) -> Result<Option<ActorName>, Fault> {
        for entry in self.heads_after(None) {
            let (key, value) = entry?;
            let actor = std::str::from_utf8(&key).ok().and_then(|name| ActorName::new(name).ok());
            let (Some(actor), Ok(head)) = (actor, head::decode(&value)) else { continue };
            for record in self.record_keys(&actor)? {
                let (sequence, _) = keys::numbers(&record);
                if sequence > head.sequence && !self.is_pending(&record)? {
                    return Ok(Some(actor));
                }
            }
        }
        Ok(None)
    }

    /// The keys of all records of an actor's that are there.
    pub(super) fn record_keys(&self, actor: &ActorName) -> Result<Vec<Vec<u8>>, Fault> {
        keys::records(actor, self.chunks.scan_prefix(keys::of_actor(actor)).keys()).map_err(|error| self.sled(error))
    }

    /// Whether the record is being written or deleted: no head names it.
    fn is_pending(&self, record: &[u8]) -> Result<bool, Fault> {
        self.heads.contains_key(pending_key(record)).map_err(|error| self.sled(error))
    }

    /// The records of an actor's that its head names, as far as they are there, whatever the head itself says.
    pub(super) fn found(&self, actor: &ActorName) -> Result<impl Iterator<Item = Result<Found, Fault>> + '_, Fault> {
        let mut keys = self.record_keys(actor)?;
        let mut pending = Ok(());
        keys.retain(|record| match self.is_pending(record) {
            Ok(is_pending) => !is_pending,
            Err(fault) => {
                pending = Err(fault);
                false
            }
        });
        pending?;
        Ok(keys.into_iter().map(|record| {
            let (sequence, digest) = keys::numbers(&record);
            Ok(Found { sequence, digest, bytes: self.read_chunks(&self.chunks, &record, u64::MAX)? })
        }))
    }

    /// Writes the chunks of records that no head names yet, and ends with a barrier. After a crash they are found by the
    /// marks that were written before them.
    pub(super) fn write_records<'a>(
        &self,
        records: impl Iterator<Item = (Vec<u8>, &'a [u8])> + Clone,
    ) -> Result<(), Fault> {
        let mut marks = Batch::default();
        records.clone().for_each(|(key, _)| marks.insert(pending_key(&key), &[]));
        self.heads.apply_batch(marks).map_err(|error| self.sled(error))?;
        let mut unsynced = 0;
        for (key, bytes) in records {
            self.write_chunks(&self.chunks, &key, bytes, &mut unsynced)?;
        }
        self.barrier()
    }

    fn write_chunks(&self, tree: &Tree, key: &[u8], bytes: &[u8], unsynced: &mut usize) -> Result<(), Fault> {
        for (index, chunk) in (0u32..).zip(bytes.chunks(CHUNK_BYTES)) {
            tree.insert(keys::of_chunk(key, index), chunk).map_err(|error| self.sled(error))?;
            *unsynced += chunk.len();
            if *unsynced >= BARRIER_BYTES {
                self.barrier()?;
                *unsynced = 0;
            }
        }
        Ok(())
    }

    /// Writes heads with the totals that go with them, in one atomic step, and ends with a barrier. Marks the records
    /// that drop out, and takes the marks of those that are named now.
    pub(super) fn write_heads(
        &self,
        heads: &[(ActorName, Vec<u8>)],
        totals: &Totals,
        marks: &Marks<'_>,
    ) -> Result<(), Fault> {
        self.write_with(std::iter::empty(), heads, totals, marks)
    }

    /// The same, with the chunks of records that these heads name, in the same step: after a crash all of it is there, or
    /// nothing.
    pub(super) fn write_with<'a>(
        &self,
        records: impl Iterator<Item = (Vec<u8>, &'a [u8])>,
        heads: &[(ActorName, Vec<u8>)],
        totals: &Totals,
        marks: &Marks<'_>,
    ) -> Result<(), Fault> {
        let mut chunks = None;
        for (key, bytes) in records {
            let chunks = chunks.get_or_insert_with(Batch::default);
            for (index, chunk) in (0u32..).zip(bytes.chunks(CHUNK_BYTES)) {
                chunks.insert(keys::of_chunk(&key, index), chunk);
            }
        }
        let mut batch = Batch::default();
        heads.iter().for_each(|(actor, bytes)| batch.insert(actor.as_str(), bytes.as_slice()));
        marks.named.iter().for_each(|key| batch.remove(pending_key(key)));
        marks.dropped.iter().for_each(|key| batch.insert(pending_key(key), &[]));
        marks.erased.iter().for_each(|actor| batch.insert(erased_key(actor), &[]));
        batch.insert(&TOTALS_KEY, totals.encode().as_slice());
        match chunks {
            None => self.heads.apply_batch(batch).map_err(|error| self.sled(error))?,
            Some(chunks) => self.write_both(&chunks, &batch)?,
        }
        self.barrier()
    }

    /// Two batches in one atomic step. sled recovers what a transaction wrote to its log as it recovers a batch: whole, or
    /// not at all; but reads each value that it replaces, which a batch does not.
    fn write_both(&self, chunks: &Batch, heads: &Batch) -> Result<(), Fault> {
        let written = (&self.chunks, &self.heads).transaction(|(in_chunks, in_heads)| {
            in_chunks.apply_batch(chunks)?;
            in_heads.apply_batch(heads)?;
            Ok::<(), ConflictableTransactionError<Infallible>>(())
        });
        written.map_err(|error| match error {
            TransactionError::Storage(error) => self.sled(error),
            TransactionError::Abort(never) => match never {},
        })
    }

    /// Deletes the chunks of records that no durable head names any more. Needs no barrier: what a crash leaves is found
    /// by its mark.
    pub(super) fn delete_records(&self, records: &[Vec<u8>]) -> Result<(), Fault> {
        for record in records {
            for key in self.chunks.scan_prefix(record).keys() {
                let key = key.map_err(|error| self.sled(error))?;
                self.chunks.remove(key).map_err(|error| self.sled(error))?;
            }
            self.heads.remove(pending_key(record)).map_err(|error| self.sled(error))?;
        }
        Ok(())
    }

    /// Deletes what a crash left half-written or half-deleted; says how many records that were.
    pub(super) fn delete_orphans(&self) -> Result<usize, Fault> {
        let marks = self.heads.scan_prefix([PENDING]).keys();
        let keys = marks.collect::<Result<Vec<_>, _>>().map_err(|error| self.sled(error))?;
        let (mut orphans, mut named) = (Vec::new(), Batch::default());
        for key in keys {
            let record = key[1..].to_vec();
            if self.is_named(&record)? {
                named.remove(key);
            } else {
                orphans.push(record);
            }
        }
        self.heads.apply_batch(named).map_err(|error| self.sled(error))?;
        self.delete_records(&orphans)?;
        if !orphans.is_empty() {
            self.barrier()?;
        }
        let marks = self.heads.scan_prefix([ERASED]).keys();
        for key in marks.collect::<Result<Vec<_>, _>>().map_err(|error| self.sled(error))? {
            // Only names are written behind the mark.
            if let Some(actor) = std::str::from_utf8(&key[1..]).ok().and_then(|name| ActorName::new(name).ok()) {
                self.erase_quarantine(&actor)?;
            }
        }
        Ok(orphans.len())
    }

    /// Deletes what a forgotten actor has in quarantine.
    pub(super) fn erase_quarantine(&self, actor: &ActorName) -> Result<(), Fault> {
        self.discard(actor, None)?;
        self.heads.remove(erased_key(actor)).map_err(|error| self.sled(error))?;
        Ok(())
    }

    /// Deletes what an actor has in quarantine, all of it or one copy, and says how many copies that were.
    pub(super) fn discard(&self, actor: &ActorName, record: Option<&RecordRef>) -> Result<usize, Fault> {
        let prefix = match record {
            Some(record) => keys::of_record(actor, record),
            None => keys::of_actor(actor),
        };
        let (mut copies, mut removed) = (0, false);
        for (tree, counts) in [(&self.quarantine, true), (&self.found, false)] {
            for key in tree.scan_prefix(&prefix).keys() {
                let key = key.map_err(|error| self.sled(error))?;
                let was = tree.remove(key).map_err(|error| self.sled(error))?;
                copies += usize::from(counts && was.is_some());
                removed = true;
            }
        }
        if removed {
            self.barrier()?;
        }
        Ok(copies)
    }

    /// Puts copies into quarantine as they were elsewhere, in place of what is there.
    pub(super) fn replace_quarantine(&self, actor: &ActorName, copies: &[Quarantined]) -> Result<(), Fault> {
        self.discard(actor, None)?;
        for copy in copies {
            self.write_quarantine(actor, copy)?;
        }
        Ok(())
    }

    /// Bytes of all files in the directory. What sled says of that leaves its snapshots out.
    pub(super) fn disk_bytes(&self) -> Result<u64, Fault> {
        bytes_at(&self.path).map_err(Fault::disk("look at", &self.path))
    }

    /// Whether a head names the record. A head that cannot be read might.
    fn is_named(&self, record: &[u8]) -> Result<bool, Fault> {
        let name = record.split(|byte| *byte == 0).next().unwrap_or_default();
        let Some(actor) = std::str::from_utf8(name).ok().and_then(|name| ActorName::new(name).ok()) else {
            return Ok(false);
        };
        let Some(bytes) = self.head(&actor)? else { return Ok(false) };
        Ok(head::decode(&bytes).map_or(true, |head| head.records.iter().any(|r| keys::of_record(&actor, r) == record)))
    }

    /// The bytes of a record as far as they are there, never more than it should have.
    pub(super) fn read_record(&self, actor: &ActorName, record: &RecordRef) -> Result<Vec<u8>, Fault> {
        self.read_chunks(&self.chunks, &keys::of_record(actor, record), record.bytes)
    }

    fn read_chunks(&self, tree: &Tree, record: &[u8], length: u64) -> Result<Vec<u8>, Fault> {
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        // A length that is wrong must not ask for more memory than there are chunks.
        let mut bytes = Vec::with_capacity(length.min(BARRIER_BYTES));
        for index in 0..u32::try_from(length.div_ceil(CHUNK_BYTES)).unwrap_or(u32::MAX) {
            match tree.get(keys::of_chunk(record, index)).map_err(|error| self.sled(error))? {
                Some(chunk) => bytes.extend_from_slice(&chunk),
                None => break,
            }
        }
        bytes.truncate(length);
        Ok(bytes)
    }

    /// Copies an actor's records from another directory, as they are, and gives their keys.
    pub(super) fn copy_records(&self, from: &Self, actor: &ActorName) -> Result<Vec<Vec<u8>>, Fault> {
        let mut keys = Vec::new();
        for found in from.found(actor)? {
            let found = found?;
            let key = keys::of_record(actor, &found.reference());
            self.write_records([(key.clone(), found.bytes.as_slice())].into_iter())?;
            keys.push(key);
        }
        Ok(keys)
    }

    /// Keeps a copy of a record with what was wrong; nothing if it is kept already.
    pub(super) fn quarantine(&self, actor: &ActorName, record: &RecordRef, why: &str) -> Result<(), Fault> {
        let key = keys::of_record(actor, record);
        if self.quarantine.contains_key(&key).map_err(|error| self.sled(error))? {
            return Ok(());
        }
        let found = self.read_record(actor, record)?;
        let copy = Quarantined { record: record.clone(), why: bounded(why), time_ms: now_ms(), found };
        self.write_quarantine(actor, &copy)
    }

    fn write_quarantine(&self, actor: &ActorName, copy: &Quarantined) -> Result<(), Fault> {
        let key = keys::of_record(actor, &copy.record);
        self.write_chunks(&self.found, &key, &copy.found, &mut 0)?;
        self.barrier()?;
        self.quarantine.insert(key, quarantine::encode(copy)).map_err(|error| self.sled(error))?;
        self.barrier()
    }

    /// What is in quarantine for an actor, in order of sequence.
    pub(super) fn quarantined(&self, actor: &ActorName) -> Result<Vec<Quarantined>, Fault> {
        let prefix = keys::of_actor(actor);
        let mut all = Vec::new();
        for entry in self.quarantine.scan_prefix(prefix) {
            let (key, value) = entry.map_err(|error| self.sled(error))?;
            // An entry that cannot be read is a copy's description: it is left out, and its bytes stay where they are.
            let Some((mut copy, length)) = quarantine::decode(&value) else {
                tracing::warn!(%actor, "an entry in quarantine cannot be read");
                continue;
            };
            copy.found = self.read_chunks(&self.found, &key, length)?;
            all.push(copy);
        }
        Ok(all)
    }

    /// Whether a copy of the record is kept because it was damaged.
    pub(super) fn is_quarantined(&self, actor: &ActorName, record: &RecordRef) -> Result<bool, Fault> {
        self.quarantine.contains_key(keys::of_record(actor, record)).map_err(|error| self.sled(error))
    }

    /// Copies what is in quarantine from another directory, as it is.
    pub(super) fn copy_quarantine(&self, from: &Self) -> Result<(), Fault> {
        let mut unsynced = 0;
        for (source, target) in [(&from.found, &self.found), (&from.quarantine, &self.quarantine)] {
            for entry in source {
                let (key, value) = entry.map_err(|error| from.sled(error))?;
                unsynced += value.len();
                target.insert(key, value).map_err(|error| self.sled(error))?;
                if unsynced >= BARRIER_BYTES {
                    self.barrier()?;
                    unsynced = 0;
                }
            }
        }
        self.barrier()
    }
}

/// `why`, cut to what a page of sled's takes many times over.
fn bounded(why: &str) -> String {
    why.chars().take(500).collect()
}

fn is_locked(error: &::sled::Error) -> bool {
    // sled has no error of its own for this.
    matches!(error, ::sled::Error::Io(error) if error.to_string().contains("could not acquire lock"))
}
