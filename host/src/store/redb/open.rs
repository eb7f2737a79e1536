//! Opening: the lock, the witness, redb, and whether they agree.

use std::fs::{self, DirBuilder, File};
use std::io;
use std::ops::Range;
use std::os::unix::fs::{DirBuilderExt, FileExt};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use super::super::disk::Disk;
use super::super::embedded::words;
use super::super::lock::Lock;
use super::super::witness::{NO_WITNESS, Testimony, Totals, Witness, damaged_heads, judge, judge_heads, outdated};
use super::super::{LEAST_HISTORY, MOST_HISTORY, OpenError, Opened};
use super::tables::{Fault, Reader, Tables};
use super::worker::Worker;
use super::{RedbOptions, recover, reopen};
use crate::model::ActorName;

/// Most bytes of a file that redb is only about to make.
const UNMADE_BYTES: u64 = 128 << 10;
/// Bytes of redb's header.
const HEADER_BYTES: usize = 320;
/// Where the bytes lie by which redb knows its files.
const MAGIC: Range<usize> = 0..9;
/// Where the numbers of the two last commits lie; 0: there was none.
const COMMITS: [Range<usize>; 2] = [168..176, 296..304];

/// The files of a store in its data directory.
#[derive(Debug, Clone)]
pub(super) struct Places {
    pub(super) dir: PathBuf,
    pub(super) store: PathBuf,
    pub(super) witness: PathBuf,
    pub(super) lock: PathBuf,
    /// Where a new file is made that will be put in the store's place.
    pub(super) new: PathBuf,
}

impl Places {
    fn of(dir: &Path) -> Self {
        Self {
            dir: dir.to_owned(),
            store: dir.join("store.redb"),
            witness: dir.join("store.witness"),
            lock: dir.join("store.lock"),
            new: dir.join("store.redb.new"),
        }
    }

    pub(super) fn damaged(&self, what: impl Into<String>) -> OpenError {
        OpenError::Damaged { path: self.dir.clone(), what: what.into() }
    }
}

/// What a store stands on while redb is closed and opened again.
pub(super) struct Ground {
    pub(super) places: Places,
    pub(super) options: RedbOptions,
    pub(super) disk: Disk,
    pub(super) lock: Lock,
}

/// A store that was opened and agrees with its witness.
pub(super) struct Sound {
    pub(super) tables: Tables,
    pub(super) totals: Totals,
    /// Bytes of heads and of the records that they name.
    pub(super) held: u64,
    /// Whether heads were damaged since it was last open.
    pub(super) differs: bool,
    pub(super) opened: Opened,
}

/// Opens the store in `dir`, and recovers it where it is damaged and the options say so.
pub(super) fn open(dir: &Path, options: &RedbOptions, disk: &Disk) -> Result<(Worker, Opened), OpenError> {
    make_dir(dir, disk).map_err(|error| OpenError::io("make the data directory", dir, error))?;
    let places = Places::of(dir);
    let lock = Lock::take(&places.lock)?;
    let mut ground = Ground { places, options: options.clone(), disk: disk.clone(), lock };
    let places = &ground.places;
    let testimony =
        Witness::read(&places.witness).map_err(|error| OpenError::io("read the witness", &places.witness, error))?;
    let opening = guarded(places, || match ground.lock.is_unsynced() {
        // A process before this one has seen a sync fail: what the file shows need not be on the disk.
        true => reopen::renew(&ground, &testimony, reopen::Whole::Current),
        false => sound(&ground, &testimony),
    });
    let opening = match opening {
        Err(OpenError::Damaged { path, what }) => {
            let read = guarded(places, || Ok(reopen::read_past(&ground, &testimony, &what)));
            read.ok().flatten().ok_or(OpenError::Damaged { path, what })
        }
        other => other,
    };
    let sound = match opening {
        Err(OpenError::Damaged { what, .. }) if options.recover => recover::recover(&ground, &what, &testimony)?,
        other => other?,
    };
    let Sound { tables, totals, held, opened, .. } = sound;
    let witness = ground.witness(&totals).map_err(|fault| told(places, fault))?;
    ground.lock.mark(false);
    let mut worker = Worker::new(tables, totals, held, witness, ground);
    let compacting = guarded(&Places::of(dir), || Ok(worker.compact_if_due()?));
    compacting.map(|()| (worker, opened))
}

impl Ground {
    /// Records kept for each actor.
    pub(super) fn history(&self) -> usize {
        self.options.history_records.clamp(LEAST_HISTORY, MOST_HISTORY)
    }

    /// The witness of a store that is open and sound: written anew each time, with both of its slots good.
    pub(super) fn witness(&self, totals: &Totals) -> Result<Witness, Fault> {
        let path = &self.places.witness;
        Witness::create(path, totals, &self.disk).map_err(Fault::disk("write the witness", path))
    }
}

/// Opens what is there, if it is whole and what its witness knows. May panic.
pub(super) fn sound(ground: &Ground, testimony: &Testimony) -> Result<Sound, Refusal> {
    let Ground { places, options, disk, .. } = ground;
    if !has_content(&places.store).map_err(Fault::disk("look at", &places.store))? {
        // Before redb makes an empty one.
        judge(testimony, None, (0, [0; 32])).map_err(Refusal::Damaged)?;
    }
    if *testimony == Testimony::Missing && is_unmade(&places.store).map_err(Fault::disk("read", &places.store))? {
        File::create(&places.store).map_err(Fault::disk("empty", &places.store))?;
    }
    let tables = Tables::open(&places.store, options.cache_bytes, disk)?;
    let (mut damaged, mut differs) = (Vec::new(), false);
    let (created, (totals, held)) = match tables.is_new()? {
        // One that was cut short before its first transaction holds nothing.
        true => {
            judge(testimony, None, (0, [0; 32])).map_err(Refusal::Damaged)?;
            let totals = Totals::new(draw_id()?);
            tables
                .write(|writer| Ok(((), writer.put_totals(&totals).map(|()| true)?)))
                .map_err(|failed| failed.fault)?;
            (true, (totals, 0))
        }
        false => {
            let found = agreed(&tables.read()?, testimony)?;
            let Agreed { kept, held, .. } = found;
            (damaged, differs) = (found.damaged, found.differs);
            if differs {
                tables
                    .write(|writer| Ok(((), writer.put_totals(&kept).map(|()| true)?)))
                    .map_err(|failed| failed.fault)?;
            }
            (false, (kept, held))
        }
    };
    let mut opened = Opened { created, actors: totals.heads, writes: totals.writes, ..Opened::default() };
    if *testimony == Testimony::Missing && totals.writes > 0 {
        opened.notes.push(NO_WITNESS.to_owned());
    }
    opened.notes.extend(damaged_heads(&damaged));
    Ok(Sound { tables, totals, held, differs, opened })
}

/// What the heads and the numbers beside them came to.
pub(super) struct Agreed {
    /// The numbers, as they are to be.
    pub(super) kept: Totals,
    /// Bytes of all that the heads name.
    held: u64,
    /// Whether they are to be written: nothing but damaged heads is wrong.
    pub(super) differs: bool,
    /// These, each with what is wrong.
    damaged: Vec<(ActorName, String)>,
}

/// The numbers beside the heads, if they, the heads and the witness agree, damaged heads apart.
pub(super) fn agreed(reader: &Reader, testimony: &Testimony) -> Result<Agreed, Refusal> {
    let mut kept = match reader.totals()? {
        Some(Some(totals)) => totals,
        Some(None) => return Err(Refusal::Damaged("the count beside its heads cannot be read".to_owned())),
        None => return Err(Refusal::Damaged("there is no count beside its heads".to_owned())),
    };
    let (counted, held) = reader.count()?;
    let differs = judge_heads(testimony, Some(&kept), &counted).map_err(Refusal::Damaged)?;
    if differs {
        if let Some(actor) = reader.outdated()? {
            return Err(Refusal::Damaged(outdated(&actor)));
        }
        (kept.digest, kept.writes) = (counted.digest, kept.writes + 1);
    }
    Ok(Agreed { kept, held, differs, damaged: counted.damaged })
}

/// Why a file was not opened, before it is told with the directory's name.
#[derive(Debug)]
pub(super) enum Refusal {
    Damaged(String),
    Fault(Fault),
}

impl From<Fault> for Refusal {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

/// Runs what may make redb panic.
pub(super) fn guarded<T>(places: &Places, run: impl FnOnce() -> Result<T, Refusal>) -> Result<T, OpenError> {
    match catch_unwind(AssertUnwindSafe(run)) {
        Ok(Ok(done)) => Ok(done),
        Ok(Err(Refusal::Damaged(what))) => Err(places.damaged(what)),
        Ok(Err(Refusal::Fault(fault))) => Err(told(places, fault)),
        Err(panic) => Err(places.damaged(format!("redb panicked: {}", words(&*panic)))),
    }
}

/// A fault as whoever opens is told of it: the system's refusals are not damage.
fn told(places: &Places, fault: Fault) -> OpenError {
    match fault {
        Fault::Disk { what, path, error } => OpenError::Io { what, path, source: error },
        Fault::Panic { .. } => places.damaged(fault.to_string()),
        Fault::Redb { error, path } => match *error {
            ::redb::Error::DatabaseAlreadyOpen => OpenError::InUse { path, pid: None },
            ::redb::Error::Io(error) if is_refusal(&error) => OpenError::io("open the store", &path, error),
            error => places.damaged(format!("redb does not open it: {error}")),
        },
    }
}

/// Whether a fault is one of the file, and not of the system.
pub(super) fn is_damage(fault: &Fault) -> bool {
    match fault {
        // One that was a matter of luck may not come again.
        Fault::Disk { .. } | Fault::Panic { .. } => false,
        Fault::Redb { error, .. } => match &**error {
            ::redb::Error::DatabaseAlreadyOpen | ::redb::Error::PreviousIo => false,
            ::redb::Error::Io(error) => !is_refusal(error),
            _ => true,
        },
    }
}

/// Whether the system refused, rather than the file being wrong.
fn is_refusal(error: &io::Error) -> bool {
    use io::ErrorKind::{PermissionDenied, QuotaExceeded, ReadOnlyFilesystem, StorageFull};
    let kinds = [PermissionDenied, QuotaExceeded, ReadOnlyFilesystem, StorageFull];
    error.raw_os_error().is_some() || kinds.contains(&error.kind())
}

/// Whether there is anything in the file at `path` that redb could open.
pub(super) fn has_content(path: &Path) -> io::Result<bool> {
    match fs::metadata(path) {
        Ok(found) => Ok(found.len() > 0),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// Whether the file at `path` is one that redb was about to make when the power went: it gets its first bytes last, and
/// its first commit after them.
fn is_unmade(path: &Path) -> io::Result<bool> {
    let Ok(file) = File::open(path) else { return Ok(false) };
    let length = file.metadata()?.len();
    if !(1..=UNMADE_BYTES).contains(&length) {
        return Ok(false);
    }
    let mut header = [0; HEADER_BYTES];
    let there = header.len().min(usize::try_from(length).unwrap_or(header.len()));
    file.read_exact_at(&mut header[..there], 0)?;
    let empty = |range: Range<usize>| header[range].iter().all(|byte| *byte == 0);
    Ok(empty(MAGIC) && COMMITS.into_iter().all(empty))
}

/// Makes the data directory, for its owner alone, with those above it; leaves one that is there as it is.
fn make_dir(dir: &Path, disk: &Disk) -> io::Result<()> {
    if fs::metadata(dir).is_ok_and(|found| found.is_dir()) {
        return Ok(());
    }
    DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
    let parent = dir.parent().filter(|parent| !parent.as_os_str().is_empty());
    disk.sync_dir(parent.unwrap_or(Path::new(".")))
}

/// An id for a new store.
pub(super) fn draw_id() -> Result<[u8; 16], Refusal> {
    let mut id = [0; 16];
    let no_random = |error| Refusal::Fault(Fault::disk("read random bytes for", Path::new("the store's id"))(error));
    getrandom::fill(&mut id).map_err(|error| no_random(io::Error::other(error)))?;
    Ok(id)
}
