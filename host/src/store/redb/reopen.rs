//! Opening again after a fault, while the host runs: nothing is assumed of what a failed store holds.
//!
//! After a sync that failed, Linux may show pages as clean that never came to the disk: whoever opens the same file and
//! reads them, and syncs it once more, sees nothing wrong, and what is built on them is gone after the loss of power. So a
//! store whose sync has failed is copied into a new file, which is synced, verified, and put in the place of the old one.
//! It takes room for the live data once more.
//!
//! After any other fault (a full disk refuses a write, redb panics) the file is synced through the descriptor that was
//! open all the time, to which the kernel owes the news of every page that it could not write. If that succeeds, the file
//! is opened again where it is; else it is copied.
//!
//! Either way the store must then hold what was acknowledged, each head must be readable, and each must name a current
//! record that is whole, unless that one is in quarantine.

use std::fs::{self, File};
use std::panic::{AssertUnwindSafe, catch_unwind};

use super::super::embedded::{Closed, words};
use super::super::witness::{DAMAGED_NOW, Testimony, Totals, Witness};
use super::super::{head, now_ms};
use super::open::{Agreed, Ground, Places, Refusal, Sound, agreed, has_content, is_damage, sound};
use super::salvage::{Commit, Salvage};
use super::tables::{Fault, Reader, Tables};
use super::worker::Worker;
use crate::model::ActorName;

/// What is left of a store that failed.
pub(super) struct Wreck {
    ground: Ground,
    /// Everything that was acknowledged.
    said: Totals,
    /// The file, open since the store was.
    file: File,
}

impl Wreck {
    /// Lets go of everything but the lock.
    pub(super) fn of(worker: Worker) -> Box<Self> {
        let Worker { tables, witness, ground, .. } = worker;
        // Whether its last sync succeeds is asked of the file itself.
        let (file, _) = tables.close();
        let mut wreck = Self { ground, said: *witness.said(), file };
        wreck.look();
        Box::new(wreck)
    }

    /// Finds out whether what the file shows may not be on the disk.
    fn look(&mut self) {
        // A failure is remembered by the disk.
        let _ = self.ground.disk.sync_file(&self.file, &self.ground.places.store);
        if self.ground.disk.has_failed() {
            self.ground.lock.mark(true);
        }
    }

    fn attempt(&self) -> Result<(Sound, Witness), Refusal> {
        let testimony = Testimony::AtLeast(self.said);
        let sound = match self.ground.lock.is_unsynced() {
            true => renew(&self.ground, &testimony, Whole::Current)?,
            false => {
                let sound = sound(&self.ground, &testimony)?;
                if sound.differs {
                    return Err(Refusal::Damaged(DAMAGED_NOW.to_owned()));
                }
                verify(&sound.tables.read()?, Whole::Current)?;
                sound
            }
        };
        let witness = self.ground.witness(&sound.totals)?;
        Ok((sound, witness))
    }
}

/// One attempt to open a store again.
pub(super) fn reopen(mut wreck: Box<Wreck>) -> Result<Worker, (Box<Wreck>, Closed)> {
    wreck.look();
    match catch_unwind(AssertUnwindSafe(|| wreck.attempt())) {
        Ok(Ok((Sound { tables, totals, held, .. }, witness))) => {
            wreck.ground.disk.forgive();
            wreck.ground.lock.mark(false);
            let Wreck { ground, .. } = *wreck;
            Ok(Worker::new(tables, totals, held, witness, ground))
        }
        Ok(Err(Refusal::Damaged(what))) => {
            let error = wreck.ground.places.damaged(what).to_string();
            Err((wreck, Closed::ForGood(error)))
        }
        Ok(Err(Refusal::Fault(fault))) if is_damage(&fault) => {
            let error = wreck.ground.places.damaged(fault.to_string()).to_string();
            Err((wreck, Closed::ForGood(error)))
        }
        Ok(Err(Refusal::Fault(fault))) => Err((wreck, Closed::ForNow(fault.to_string()))),
        Err(panic) => Err((wreck, Closed::ForNow(format!("redb panicked: {}", words(&*panic))))),
    }
}

/// Which records must be whole for a store to be opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Whole {
    /// The one that counts of each actor, unless it is in quarantine.
    Current,
    /// All that are named.
    All,
}

/// Every head can be read and names records that are whole.
fn verify(reader: &Reader, whole: Whole) -> Result<(), Refusal> {
    for entry in reader.heads_after(None)? {
        let (key, value) = entry?;
        let damaged = |what: String| Refusal::Damaged(format!("`{}`: {what}", String::from_utf8_lossy(&key)));
        let name = std::str::from_utf8(&key).map_err(|error| damaged(error.to_string()))?;
        let actor = ActorName::new(name).map_err(|error| damaged(error.to_string()))?;
        // One that is damaged was so before: what the count beside the heads knows of them is exact by now.
        let Ok(head) = head::decode(&value) else { continue };
        let named = if whole == Whole::All { usize::MAX } else { 1 };
        for record in head.records.iter().take(named) {
            let bytes = reader.record(&actor, record)?;
            if let Err(error) = head::verify(&actor, record, &bytes)
                && !reader.is_quarantined(&actor, record)?
            {
                return Err(damaged(format!("its record {}: {error}", record.sequence)));
            }
        }
    }
    Ok(())
}

/// Copies the store into a new file, puts that in its place, and opens it. May panic.
///
/// Whenever this is cut short, the store's own place holds one of the two, whole.
pub(super) fn renew(ground: &Ground, testimony: &Testimony, whole: Whole) -> Result<Sound, Refusal> {
    let Ground { places, options, disk, .. } = ground;
    let Places { store, new, .. } = places;
    if !has_content(store).map_err(Fault::disk("look at", store))? {
        return sound(ground, testimony);
    }
    // What the file shows may end in a commit that is there in parts; then the one before is whole, if that is enough.
    let read_one = |commit| -> Result<(Salvage, Totals), Refusal> {
        let old = Salvage::open(store, options.cache_bytes, commit)?;
        let Agreed { kept: totals, differs, .. } = agreed(&old.reader, testimony)?;
        if differs {
            return Err(Refusal::Damaged(DAMAGED_NOW.to_owned()));
        }
        verify(&old.reader, whole)?;
        Ok((old, totals))
    };
    let read = |commit| {
        // redb panics where a page is none.
        let reading = catch_unwind(AssertUnwindSafe(|| read_one(commit)));
        reading.unwrap_or_else(|panic| Err(Refusal::Damaged(format!("redb panicked: {}", words(&*panic)))))
    };
    let (old, totals) = read(Commit::Last).or_else(|refusal| read(Commit::Other).map_err(|_| refusal))?;
    remove(new)?;
    let copy = Tables::open(new, options.cache_bytes, disk)?;
    copy.copy_all(&old.reader)?;
    if agreed(&copy.read()?, testimony)?.kept != totals {
        return Err(Refusal::Damaged("its copy holds something else".to_owned()));
    }
    let (_, closed) = copy.close();
    closed?;
    drop(old);
    fs::rename(new, store).map_err(Fault::disk("replace", store))?;
    disk.sync_dir(&places.dir).map_err(Fault::disk("sync", &places.dir))?;
    let sound = sound(ground, testimony)?;
    verify(&sound.tables.read()?, Whole::Current)?;
    Ok(sound)
}

/// Opens a file that redb does not open, as `why` says, where all that was acknowledged can be read from it all the same:
/// after a fault and the loss of power its last commit may be there in parts, which redb takes for damage, or panics of. None:
/// it cannot. May panic.
pub(super) fn read_past(ground: &Ground, testimony: &Testimony, why: &str) -> Option<Sound> {
    let Places { dir, store, .. } = &ground.places;
    // Without a witness nobody knows whether the commit before is enough.
    if !matches!(testimony, Testimony::AtLeast(_)) {
        return None;
    }
    let kept = dir.join(format!("store.redb.damaged-{}", now_ms()));
    fs::hard_link(store, &kept).ok()?;
    match renew(ground, testimony, Whole::All) {
        Ok(mut sound) => {
            let note = format!(
                "redb did not open the file ({why}); all that its witness knows was read from it, and is in a new one; the \
                 old one is {}",
                kept.display()
            );
            sound.opened.notes.push(note);
            Some(sound)
        }
        Err(_) => {
            drop(fs::remove_file(&kept));
            None
        }
    }
}

/// Removes what an earlier attempt has left.
pub(super) fn remove(path: &std::path::Path) -> Result<(), Fault> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(Fault::disk("delete", path)(error)),
        _ => Ok(()),
    }
}
