//! Opening: the lock, the witness, sled, and whether they agree.

use std::any::Any;
use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use super::super::embedded::words;
use super::super::{LEAST_HISTORY, MOST_HISTORY};
use super::disk::Disk;
use super::files::has_content;
use super::lock::Lock;
use super::tables::{Fault, Marks, Tables};
use super::witness::{NO_WITNESS, Testimony, Totals, Witness, damaged_heads, judge, judge_heads, outdated};
use super::worker::Worker;
use super::{OpenError, Opened, SledOptions, recover, reopen, syncs};
use crate::model::ActorName;

/// What is said of a store on a system that filters no system calls.
const UNSYNCED: &str = "sled cannot be made to sync all that it writes: large states may not survive the loss of power";

/// The files and directories of a store in its data directory.
#[derive(Debug, Clone)]
pub(super) struct Places {
    pub(super) dir: PathBuf,
    pub(super) store: PathBuf,
    pub(super) witness: PathBuf,
    pub(super) lock: PathBuf,
    /// Where a recovery builds the new store.
    pub(super) recovering: PathBuf,
    /// Where a new store is made.
    new: PathBuf,
    /// Where a store whose sync has failed is copied to, and then left until the copy is verified.
    pub(super) copy: PathBuf,
}

/// What stays while sled is opened, fails and is opened again.
pub(super) struct Ground {
    pub(super) places: Places,
    pub(super) options: SledOptions,
    pub(super) disk: Disk,
    /// Held for as long as anything here may touch the directory.
    pub(super) lock: Lock,
}

impl Places {
    pub(super) fn of(dir: &Path) -> Self {
        Self {
            dir: dir.to_owned(),
            store: dir.join("store"),
            witness: dir.join("store.witness"),
            lock: dir.join("store.lock"),
            recovering: dir.join("store.recovering"),
            new: dir.join("store.new"),
            copy: dir.join("store.copy"),
        }
    }

    pub(super) fn damaged(&self, what: impl Into<String>) -> OpenError {
        OpenError::Damaged { path: self.dir.clone(), what: what.into() }
    }
}

/// A store that was opened and agrees with its witness.
pub(super) struct Sound {
    pub(super) tables: Tables,
    pub(super) totals: Totals,
    /// Whether heads were damaged since it was last open.
    pub(super) differs: bool,
    pub(super) opened: Opened,
}

/// Opens the store in `dir`, and recovers it where it is damaged and the options say so.
pub(super) fn open(dir: &Path, options: &SledOptions, disk: &Disk) -> Result<(Worker, Opened), OpenError> {
    make_dir(dir, disk).map_err(|error| OpenError::io("make the data directory", dir, error))?;
    let places = Places::of(dir);
    let lock = Lock::take(&places.lock)?;
    let insists = syncs::insist();
    let mut ground = Ground { places, options: options.clone(), disk: disk.clone(), lock };
    // sled syncs as it is dropped, and panics where that fails: of a store that was open already, too.
    let opening = catch_unwind(AssertUnwindSafe(|| open_on(&ground)));
    match opening.unwrap_or_else(|panic| Err(of_panic(&ground.places, &*panic))) {
        Ok((Sound { tables, totals, mut opened, .. }, witness)) => {
            opened.notes.extend(insists.err().map(|why| format!("{UNSYNCED}: {why}")));
            ground.lock.mark(false);
            Ok((Worker { tables, totals, witness, ground }, opened))
        }
        Err(error) => {
            if disk.has_failed() || leaves_doubt(&error) {
                ground.lock.mark(true);
            }
            Err(error)
        }
    }
}

fn open_on(ground: &Ground) -> Result<(Sound, Witness), OpenError> {
    let Ground { places, options, disk, lock } = ground;
    let testimony =
        Witness::read(&places.witness).map_err(|error| OpenError::io("read the witness", &places.witness, error))?;
    let opening = match lock.is_unsynced() {
        // An attempt or a process before this one has seen a sync fail: what the files show need not be on the disk.
        true => guarded(places, || reopen::renew(ground, &testimony, &|_| Ok(()))),
        false => open_sound(places, &testimony, options, disk),
    };
    let sound = match opening {
        Err(OpenError::Damaged { what, .. }) if options.recover => {
            recover::recover(places, &what, &testimony, options, disk)?
        }
        other => other?,
    };
    let witness = ground.witness(&sound.totals).map_err(|fault| told(places, fault))?;
    // Where a crash came between a copy that was verified and the end of what it replaced.
    reopen::delete_copy(ground).map_err(|fault| told(places, fault))?;
    Ok((sound, witness))
}

/// Whether a sync of sled's own may be what failed: it does not say. A disk that is full or read-only refuses writes, and
/// what it has taken it keeps.
fn leaves_doubt(error: &OpenError) -> bool {
    use io::ErrorKind::{NotADirectory, PermissionDenied, QuotaExceeded, ReadOnlyFilesystem, StorageFull};
    let refusals = [NotADirectory, PermissionDenied, QuotaExceeded, ReadOnlyFilesystem, StorageFull];
    matches!(error, OpenError::Io { source, .. } if !refusals.contains(&source.kind()))
}

impl Ground {
    /// Records kept for each actor.
    pub(super) fn history(&self) -> usize {
        self.options.history_records.clamp(LEAST_HISTORY, MOST_HISTORY)
    }

    /// The witness of a store that is open and sound: written anew each time, with both of its slots good.
    pub(super) fn witness(&self, totals: &Totals) -> Result<Witness, Fault> {
        let Places { store, witness, .. } = &self.places;
        // The data directory may be one that others can enter; what actors have to keep is their owner's alone.
        fs::set_permissions(store, fs::Permissions::from_mode(0o700))
            .map_err(Fault::disk("keep others out of", store))?;
        Witness::create(witness, totals, &self.disk).map_err(Fault::disk("write the witness", witness))
    }
}

/// Opens what is there, if it is what its witness knows.
pub(super) fn open_sound(
    places: &Places,
    testimony: &Testimony,
    options: &SledOptions,
    disk: &Disk,
) -> Result<Sound, OpenError> {
    guarded(places, || sound(places, testimony, options, disk))
}

/// As [`open_sound`], for callers that guard themselves against sled's panics.
pub(super) fn sound(
    places: &Places,
    testimony: &Testimony,
    options: &SledOptions,
    disk: &Disk,
) -> Result<Sound, Refusal> {
    let there = has_content(&places.store).map_err(Fault::disk("read", &places.store))?;
    if !there {
        judge(testimony, None, (0, [0; 32])).map_err(Refusal::Damaged)?;
        make(places, options, disk)?;
    }
    let tables = Tables::open(&places.store, options.cache_bytes, disk)?;
    let Agreed { kept, differs, damaged } = agreed(&tables, testimony)?;
    let orphans = tables.delete_orphans()?;
    let totals = match kept {
        Some(totals) => {
            if differs {
                tables.write_heads(&[], &totals, &Marks::NONE)?;
            }
            totals
        }
        None => {
            let totals = Totals::new(draw_id()?);
            tables.write_heads(&[], &totals, &Marks::NONE)?;
            totals
        }
    };
    let mut opened =
        Opened { created: !there, actors: totals.heads, writes: totals.writes, orphans, ..Opened::default() };
    if *testimony == Testimony::Missing && totals.writes > 0 {
        opened.notes.push(NO_WITNESS.to_owned());
    }
    opened.notes.extend(damaged_heads(&damaged));
    Ok(Sound { tables, totals, differs, opened })
}

/// Makes an empty store, which comes to its place as a whole: what sled leaves when the power is lost while it makes one
/// cannot always be opened.
fn make(places: &Places, options: &SledOptions, disk: &Disk) -> Result<(), Refusal> {
    let Places { dir, store, new, .. } = places;
    if new.exists() {
        fs::remove_dir_all(new).map_err(Fault::disk("delete", new))?;
    }
    let tables = Tables::open(new, options.cache_bytes, disk)?;
    tables.write_heads(&[], &Totals::new(draw_id()?), &Marks::NONE)?;
    let (_, closed) = tables.close();
    closed.map_err(|panic| Fault::disk("make", new)(io::Error::other(panic)))?;
    disk.sync_tree(new).map_err(Fault::disk("sync", new))?;
    fs::rename(new, store).map_err(Fault::disk("make", store))?;
    disk.sync_dir(dir).map_err(Fault::disk("sync", dir))?;
    Ok(())
}

/// What the heads and the numbers beside them came to.
pub(super) struct Agreed {
    /// The numbers, as they are to be; none: there is nothing yet.
    pub(super) kept: Option<Totals>,
    /// Whether they are to be written: nothing but damaged heads is wrong.
    pub(super) differs: bool,
    /// These, each with what is wrong.
    damaged: Vec<(ActorName, String)>,
}

/// The numbers beside the heads, if they, the heads and the witness agree, damaged heads apart.
pub(super) fn agreed(tables: &Tables, testimony: &Testimony) -> Result<Agreed, Refusal> {
    let mut kept = match tables.totals()? {
        Some(None) => return Err(Refusal::Damaged("the count beside its heads cannot be read".to_owned())),
        Some(kept) => kept,
        None => None,
    };
    let counted = tables.count()?;
    let differs = judge_heads(testimony, kept.as_ref(), &counted).map_err(Refusal::Damaged)?;
    if let (true, Some(kept)) = (differs, &mut kept) {
        if let Some(actor) = tables.outdated()? {
            return Err(Refusal::Damaged(outdated(&actor)));
        }
        (kept.digest, kept.writes) = (counted.digest, kept.writes + 1);
    }
    Ok(Agreed { kept, differs, damaged: counted.damaged })
}

/// Why a directory was not opened, before it is told with the directory's name.
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

/// Runs what may make sled panic, which it does on some damage.
pub(super) fn guarded<T>(places: &Places, run: impl FnOnce() -> Result<T, Refusal>) -> Result<T, OpenError> {
    match catch_unwind(AssertUnwindSafe(run)) {
        Ok(Ok(done)) => Ok(done),
        Ok(Err(Refusal::Damaged(what))) => Err(places.damaged(what)),
        Ok(Err(Refusal::Fault(fault))) => Err(told(places, fault)),
        Err(panic) => Err(of_panic(places, &*panic)),
    }
}

fn of_panic(places: &Places, panic: &(dyn Any + Send)) -> OpenError {
    let words = words(panic);
    match system_error(&words) {
        Some(error) => OpenError::io("open the store in", &places.store, error),
        None => places.damaged(format!("sled panicked: {words}")),
    }
}

/// The system's error that sled has unwrapped in a panic, or put into words: that is no damage.
fn system_error(words: &str) -> Option<io::Error> {
    let (number, _) = words.split_once("Os { code: ")?.1.split_once(',')?;
    number.parse().ok().map(io::Error::from_raw_os_error)
}

/// A fault as whoever opens is told of it: the system's refusals are not damage.
fn told(places: &Places, fault: Fault) -> OpenError {
    match fault {
        Fault::Disk { what, path, error } => OpenError::Io { what, path, source: error },
        Fault::Sled { error: ::sled::Error::Io(error), path } if error.to_string().contains("acquire lock") => {
            OpenError::InUse { path, pid: None }
        }
        Fault::Sled { error: ::sled::Error::Io(error), path } => match system_error(&error.to_string()) {
            Some(error) => OpenError::io("open the store in", &path, error),
            None if is_refusal(&error) => OpenError::io("open the store in", &path, error),
            None => places.damaged(format!("sled does not open it: {error}")),
        },
        Fault::Sled { error, .. } => places.damaged(format!("sled does not open it: {error}")),
    }
}

/// Whether the system refused, rather than the file being wrong. sled loses the number of some errors, not their kind.
fn is_refusal(error: &io::Error) -> bool {
    use io::ErrorKind::{NotADirectory, PermissionDenied, QuotaExceeded, ReadOnlyFilesystem, StorageFull};
    let kinds = [NotADirectory, PermissionDenied, QuotaExceeded, ReadOnlyFilesystem, StorageFull];
    error.raw_os_error().is_some() || kinds.contains(&error.kind())
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
