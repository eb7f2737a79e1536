//! What lies in redb: heads with their count, records, and the quarantine. One state of it is read, or made.

use std::any::Any;
use std::fs::File;
use std::io;
use std::ops::Bound;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use ::redb::{
    Database, Durability, ReadOnlyTable, ReadTransaction, ReadableDatabase as _, ReadableTable, StorageError, Table,
    TableDefinition, TableError, WriteTransaction,
};

use super::super::disk::Disk;
use super::super::embedded::words;
use super::super::head::Found;
use super::super::witness::{Counted, Totals};
use super::super::{Quarantined, RecordRef, head, keys, now_ms, quarantine};
use super::backend::Backend;
use super::worker::size;
use crate::model::ActorName;

type Definition = TableDefinition<'static, &'static [u8], &'static [u8]>;
type ReadTable = ReadOnlyTable<&'static [u8], &'static [u8]>;
type WriteTable<'t> = Table<'t, &'static [u8], &'static [u8]>;

/// By name.
const HEADS: Definition = TableDefinition::new("heads");
/// By [`keys::of_chunk`].
const RECORDS: Definition = TableDefinition::new("records");
/// What is known of the copies, by [`keys::of_record`].
const QUARANTINE: Definition = TableDefinition::new("quarantine");
/// The copies, by [`keys::of_chunk`].
const FOUND: Definition = TableDefinition::new("found");
/// [`TOTALS`].
const META: Definition = TableDefinition::new("meta");

/// The numbers that go with the heads, in `meta`.
const TOTALS: &[u8] = b"totals";
/// Bytes of a record in one entry. redb gives an entry that is larger than its page of 4 KiB the next power of two: this
/// just fits one, with the longest key.
const CHUNK_BYTES: usize = 32_000;
/// Bytes that are copied in one transaction.
const COPY_BYTES: usize = 32 << 20;
/// Longest reason that is kept beside a copy, in characters.
const WHY_CHARS: usize = 500;

/// Why redb or the disk did not do what they should.
#[derive(Debug)]
pub(super) enum Fault {
    Redb { path: PathBuf, error: Box<::redb::Error> },
    Disk { what: &'static str, path: PathBuf, error: io::Error },
    Panic { path: PathBuf, what: String },
}

impl Fault {
    pub(super) fn disk(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |error| Self::Disk { what, path: path.to_owned(), error }
    }

    pub(super) fn redb<E: Into<::redb::Error>>(path: &Path) -> impl Fn(E) -> Self {
        move |error| Self::Redb { path: path.to_owned(), error: Box::new(error.into()) }
    }
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Redb { path, error } => write!(f, "redb at {}: {error}", path.display()),
            Self::Disk { what, path, error } => write!(f, "cannot {what} {}: {error}", path.display()),
            Self::Panic { path, what } => write!(f, "redb at {} panicked: {what}", path.display()),
        }
    }
}

/// Why a transaction failed.
#[derive(Debug)]
pub(super) struct Failed {
    pub(super) fault: Fault,
    /// Whether what it did may be durable all the same.
    pub(super) may_be_kept: bool,
}

/// A file that is open for writing.
#[derive(Debug)]
pub(super) struct Tables {
    db: Database,
    /// The file once more, to be synced after a failure.
    handle: File,
    path: PathBuf,
}

impl Tables {
    /// Opens the file at `path`, or makes it, after redb has checked every page of it; the file and its name are synced.
    pub(super) fn open(path: &Path, cache_bytes: usize, disk: &Disk) -> Result<Self, Fault> {
        let backend = Backend::open(path, disk).map_err(Fault::disk("open", path))?;
        let handle = backend.handle().map_err(Fault::disk("open", path))?;
        let mut builder = Database::builder();
        builder.set_cache_size(cache_bytes).set_check_integrity_on_open(true);
        let db = builder.create_with_backend(backend).map_err(Fault::redb(path))?;
        disk.sync_file(&handle, path).map_err(Fault::disk("sync", path))?;
        let dir = path.parent().unwrap_or(Path::new("."));
        disk.sync_dir(dir).map_err(Fault::disk("sync", dir))?;
        Ok(Self { db, handle, path: path.to_owned() })
    }

    /// Ends with what redb has to say about that. Gives the file, still open.
    pub(super) fn close(self) -> (File, Result<(), Fault>) {
        let Self { db, handle, path } = self;
        let closed = catch_unwind(AssertUnwindSafe(|| db.close().map_err(Fault::redb(&path))));
        let panicked = |panic: Box<dyn Any + Send>| Err(Fault::Panic { path: path.clone(), what: words(&*panic) });
        (handle, closed.unwrap_or_else(panicked))
    }

    /// What is durable now.
    pub(super) fn read(&self) -> Result<Reader, Fault> {
        let transaction = self.db.begin_read().map_err(Fault::redb(&self.path))?;
        Reader::new(&transaction, &self.path)
    }

    /// Whether nothing was ever written.
    pub(super) fn is_new(&self) -> Result<bool, Fault> {
        let transaction = self.db.begin_read().map_err(Fault::redb(&self.path))?;
        match transaction.open_table(META) {
            Err(TableError::TableDoesNotExist(_)) => Ok(true),
            other => other.map(|_| false).map_err(Fault::redb(&self.path)),
        }
    }

    /// Runs `change`, and keeps what it does if it says so: all of it, durably, or nothing.
    pub(super) fn write<T>(
        &self,
        change: impl FnOnce(&mut Writer<'_>) -> Result<(T, bool), Fault>,
    ) -> Result<T, Failed> {
        let before = |fault| Failed { fault, may_be_kept: false };
        let mut transaction = self.db.begin_write().map_err(Fault::redb(&self.path)).map_err(before)?;
        transaction.set_durability(Durability::Immediate).map_err(Fault::redb(&self.path)).map_err(before)?;
        let changed = Writer::new(&transaction, &self.path).and_then(|mut writer| change(&mut writer));
        let (done, keep) = changed.map_err(before)?;
        if keep {
            let after = |fault| Failed { fault, may_be_kept: true };
            transaction.commit().map_err(Fault::redb(&self.path)).map_err(after)?;
        } else {
            transaction.abort().map_err(Fault::redb(&self.path)).map_err(before)?;
        }
        Ok(done)
    }

    /// Copies everything from another store, as it is.
    pub(super) fn copy_all(&self, from: &Reader) -> Result<(), Fault> {
        let mut entries = from.everything()?.peekable();
        while entries.peek().is_some() {
            let copying = self.write(|writer| {
                let mut copied = 0;
                while copied < COPY_BYTES {
                    let Some(entry) = entries.next() else { break };
                    copied += writer.insert(&entry?)?;
                }
                Ok(((), true))
            });
            copying.map_err(|failed| failed.fault)?;
        }
        Ok(())
    }

    /// Moves what is in the file to its beginning, and cuts the rest off.
    pub(super) fn compact(&mut self) -> Result<bool, Fault> {
        self.db.compact().map_err(Fault::redb(&self.path))
    }

    /// Bytes of the file.
    pub(super) fn file_bytes(&self) -> Result<u64, Fault> {
        Ok(self.handle.metadata().map_err(Fault::disk("look at", &self.path))?.len())
    }
}

/// A name and the bytes of its head.
type Named = (Vec<u8>, Vec<u8>);
/// An entry on its way from one store to another: table, key, value.
type Entry = (Definition, Vec<u8>, Vec<u8>);

/// One state of the store.
pub(super) struct Reader {
    heads: ReadTable,
    records: ReadTable,
    quarantine: ReadTable,
    found: ReadTable,
    meta: ReadTable,
    path: PathBuf,
}

impl Reader {
    pub(super) fn new(transaction: &ReadTransaction, path: &Path) -> Result<Self, Fault> {
        let open = |table| transaction.open_table(table).map_err(Fault::redb(path));
        let (heads, records) = (open(HEADS)?, open(RECORDS)?);
        let (quarantine, found, meta) = (open(QUARANTINE)?, open(FOUND)?, open(META)?);
        Ok(Self { heads, records, quarantine, found, meta, path: path.to_owned() })
    }

    fn fault<T>(&self, outcome: Result<T, StorageError>) -> Result<T, Fault> {
        outcome.map_err(Fault::redb(&self.path))
    }

    /// The bytes of a head.
    pub(super) fn head(&self, actor: &ActorName) -> Result<Option<Vec<u8>>, Fault> {
        self.fault(value(&self.heads, actor.as_str().as_bytes()))
    }

    /// Names and heads in order, those after `after`.
    pub(super) fn heads_after<'a>(
        &'a self,
        after: Option<&ActorName>,
    ) -> Result<impl Iterator<Item = Result<Named, Fault>> + use<'a>, Fault> {
        let from = after.map_or(Bound::Unbounded, |name| Bound::Excluded(name.as_str().as_bytes()));
        let heads = self.fault(ReadableTable::range::<&[u8]>(&self.heads, (from, Bound::Unbounded)))?;
        Ok(heads.map(|entry| {
            let (key, value) = self.fault(entry)?;
            Ok((key.value().to_vec(), value.value().to_vec()))
        }))
    }

    /// The numbers that lie beside the heads; none in a new store, `Some(None)` where they cannot be read.
    pub(super) fn totals(&self) -> Result<Option<Option<Totals>>, Fault> {
        Ok(self.fault(value(&self.meta, TOTALS))?.map(|bytes| Totals::decode(&bytes)))
    }

    /// Counts the heads that are really there, with their digest; and their bytes, with those of what they name.
    pub(super) fn count(&self) -> Result<(Counted, u64), Fault> {
        let (mut counted, mut bytes) = (Counted::default(), 0);
        for entry in self.heads_after(None)? {
            let (key, value) = entry?;
            counted.add(&key, &value);
            bytes += head::decode(&value).map_or(0, |head| size(&head, &value));
        }
        Ok((counted, bytes))
    }

    /// A head that is older than a record of its actor's, if there is one; damaged ones apart.
    pub(super) fn outdated(&self) -> Result<Option<ActorName>, Fault> {
        for entry in self.heads_after(None)? {
            let (key, value) = entry?;
            let actor = std::str::from_utf8(&key).ok().and_then(|name| ActorName::new(name).ok());
            let (Some(actor), Ok(head)) = (actor, head::decode(&value)) else { continue };
            if self.record_keys(&actor)?.iter().any(|record| keys::numbers(record).0 > head.sequence) {
                return Ok(Some(actor));
            }
        }
        Ok(None)
    }

    /// The keys of all records of an actor's that are there.
    fn record_keys(&self, actor: &ActorName) -> Result<Vec<Vec<u8>>, Fault> {
        let chunks = self.fault(keys_from(&self.records, &keys::of_actor(actor)))?;
        keys::records(actor, chunks.into_iter().map(Ok))
    }

    /// The records of an actor's that are there, whatever its head says.
    pub(super) fn found(
        &self,
        actor: &ActorName,
    ) -> Result<impl Iterator<Item = Result<Found, Fault>> + use<'_>, Fault> {
        Ok(self.record_keys(actor)?.into_iter().map(|record| {
            let (sequence, digest) = keys::numbers(&record);
            Ok(Found { sequence, digest, bytes: self.fault(read_chunks(&self.records, &record, u64::MAX))? })
        }))
    }

    /// The bytes of a record as far as they are there, never more than it should have.
    pub(super) fn record(&self, actor: &ActorName, record: &RecordRef) -> Result<Vec<u8>, Fault> {
        self.fault(read_chunks(&self.records, &keys::of_record(actor, record), record.bytes))
    }

    /// Whether a copy of the record is kept.
    pub(super) fn is_quarantined(&self, actor: &ActorName, record: &RecordRef) -> Result<bool, Fault> {
        Ok(self.fault(value(&self.quarantine, &keys::of_record(actor, record)))?.is_some())
    }

    /// What is in quarantine for an actor, in order of sequence.
    pub(super) fn quarantined(&self, actor: &ActorName) -> Result<Vec<Quarantined>, Fault> {
        let mut all = Vec::new();
        for key in self.fault(keys_from(&self.quarantine, &keys::of_actor(actor)))? {
            let value = self.fault(value(&self.quarantine, &key))?.unwrap_or_default();
            // An entry that cannot be read is a copy's description: it is left out, and its bytes stay where they are.
            let Some((mut copy, length)) = quarantine::decode(&value) else {
                tracing::warn!(%actor, "an entry in quarantine cannot be read");
                continue;
            };
            copy.found = self.fault(read_chunks(&self.found, &key, length))?;
            all.push(copy);
        }
        Ok(all)
    }

    /// Every entry of every table; the numbers last, so that a copy that was cut short has none.
    fn everything(&self) -> Result<impl Iterator<Item = Result<Entry, Fault>> + use<'_>, Fault> {
        let tables = [
            (RECORDS, &self.records),
            (FOUND, &self.found),
            (QUARANTINE, &self.quarantine),
            (HEADS, &self.heads),
            (META, &self.meta),
        ];
        let mut all = Vec::new();
        for (definition, table) in tables {
            all.push((definition, self.fault(ReadableTable::range::<&[u8]>(table, ..))?));
        }
        Ok(all.into_iter().flat_map(move |(definition, entries)| {
            entries.map(move |entry| {
                let (key, value) = self.fault(entry)?;
                Ok((definition, key.value().to_vec(), value.value().to_vec()))
            })
        }))
    }
}

/// A state of the store in the making.
pub(super) struct Writer<'t> {
    heads: WriteTable<'t>,
    records: WriteTable<'t>,
    quarantine: WriteTable<'t>,
    found: WriteTable<'t>,
    meta: WriteTable<'t>,
    path: &'t Path,
}

impl<'t> Writer<'t> {
    fn new(transaction: &'t WriteTransaction, path: &'t Path) -> Result<Self, Fault> {
        let open = |table| transaction.open_table(table).map_err(Fault::redb(path));
        let (heads, records) = (open(HEADS)?, open(RECORDS)?);
        let (quarantine, found, meta) = (open(QUARANTINE)?, open(FOUND)?, open(META)?);
        Ok(Self { heads, records, quarantine, found, meta, path })
    }

    fn fault<T>(&self, outcome: Result<T, StorageError>) -> Result<T, Fault> {
        outcome.map_err(Fault::redb(self.path))
    }

    /// The bytes of a head.
    pub(super) fn head(&self, actor: &ActorName) -> Result<Option<Vec<u8>>, Fault> {
        self.fault(value(&self.heads, actor.as_str().as_bytes()))
    }

    pub(super) fn put_head(&mut self, actor: &ActorName, bytes: &[u8]) -> Result<(), Fault> {
        let put = self.heads.insert(actor.as_str().as_bytes(), bytes).map(drop);
        self.fault(put)
    }

    pub(super) fn put_totals(&mut self, totals: &Totals) -> Result<(), Fault> {
        let put = self.meta.insert(TOTALS, totals.encode().as_slice()).map(drop);
        self.fault(put)
    }

    pub(super) fn put_record(&mut self, actor: &ActorName, record: &RecordRef, bytes: &[u8]) -> Result<(), Fault> {
        let key = keys::of_record(actor, record);
        // A record is never changed; but what is put in the place of a damaged one may have fewer chunks.
        let put = remove(&mut self.records, &key).and_then(|_| write_chunks(&mut self.records, &key, bytes));
        self.fault(put)
    }

    pub(super) fn remove_record(&mut self, actor: &ActorName, record: &RecordRef) -> Result<(), Fault> {
        let removed = remove(&mut self.records, &keys::of_record(actor, record)).map(drop);
        self.fault(removed)
    }

    /// Keeps a copy of a record with what was wrong; false if it is kept already.
    pub(super) fn quarantine(&mut self, actor: &ActorName, record: &RecordRef, why: &str) -> Result<bool, Fault> {
        let key = keys::of_record(actor, record);
        if self.fault(value(&self.quarantine, &key))?.is_some() {
            return Ok(false);
        }
        let found = self.fault(read_chunks(&self.records, &key, record.bytes))?;
        let why = why.chars().take(WHY_CHARS).collect();
        self.put_copy(actor, &Quarantined { record: record.clone(), why, time_ms: now_ms(), found })?;
        Ok(true)
    }

    pub(super) fn put_copy(&mut self, actor: &ActorName, copy: &Quarantined) -> Result<(), Fault> {
        let key = keys::of_record(actor, &copy.record);
        let put = write_chunks(&mut self.found, &key, &copy.found);
        self.fault(put)?;
        let put = self.quarantine.insert(key.as_slice(), quarantine::encode(copy).as_slice()).map(drop);
        self.fault(put)
    }

    /// Deletes what an actor has in quarantine, all of it or one copy, and says how many copies that were.
    pub(super) fn discard(&mut self, actor: &ActorName, record: Option<&RecordRef>) -> Result<usize, Fault> {
        let prefix = record.map_or_else(|| keys::of_actor(actor), |record| keys::of_record(actor, record));
        let removed = remove(&mut self.found, &prefix).and_then(|_| remove(&mut self.quarantine, &prefix));
        self.fault(removed)
    }

    /// Puts an entry of another store in its place; says how many bytes it has.
    fn insert(&mut self, (definition, key, value): &Entry) -> Result<usize, Fault> {
        use ::redb::TableHandle as _;
        let tables = [
            (HEADS, &mut self.heads),
            (RECORDS, &mut self.records),
            (QUARANTINE, &mut self.quarantine),
            (FOUND, &mut self.found),
            (META, &mut self.meta),
        ];
        for (_, table) in tables.into_iter().filter(|(other, _)| other.name() == definition.name()) {
            let put = table.insert(key.as_slice(), value.as_slice()).map(drop);
            put.map_err(Fault::redb(self.path))?;
        }
        Ok(key.len() + value.len())
    }
}

fn value(
    table: &impl ReadableTable<&'static [u8], &'static [u8]>,
    key: &[u8],
) -> Result<Option<Vec<u8>>, StorageError> {
    Ok(table.get(key)?.map(|value| value.value().to_vec()))
}

/// The keys that begin with `prefix`.
fn keys_from(
    table: &impl ReadableTable<&'static [u8], &'static [u8]>,
    prefix: &[u8],
) -> Result<Vec<Vec<u8>>, StorageError> {
    let mut keys = Vec::new();
    for entry in table.range::<&[u8]>(prefix..)? {
        let key = entry?.0.value().to_vec();
        if !key.starts_with(prefix) {
            break;
        }
        keys.push(key);
    }
    Ok(keys)
}

/// Removes what begins with `prefix`, and says how many entries that were.
fn remove(table: &mut WriteTable<'_>, prefix: &[u8]) -> Result<usize, StorageError> {
    let keys = keys_from(table, prefix)?;
    for key in &keys {
        table.remove(key.as_slice())?;
    }
    Ok(keys.len())
}

fn read_chunks(
    table: &impl ReadableTable<&'static [u8], &'static [u8]>,
    record: &[u8],
    length: u64,
) -> Result<Vec<u8>, StorageError> {
    let length = usize::try_from(length).unwrap_or(usize::MAX);
    // A length that is wrong must not ask for more memory than there are chunks.
    let mut bytes = Vec::with_capacity(length.min(CHUNK_BYTES));
    for index in 0..u32::try_from(length.div_ceil(CHUNK_BYTES)).unwrap_or(u32::MAX) {
        match table.get(keys::of_chunk(record, index).as_slice())? {
            Some(chunk) => bytes.extend_from_slice(chunk.value()),
            None => break,
        }
    }
    bytes.truncate(length);
    Ok(bytes)
}

fn write_chunks(table: &mut WriteTable<'_>, record: &[u8], bytes: &[u8]) -> Result<(), StorageError> {
    for (index, chunk) in (0u32..).zip(bytes.chunks(CHUNK_BYTES)) {
        table.insert(keys::of_chunk(record, index).as_slice(), chunk)?;
    }
    Ok(())
}
