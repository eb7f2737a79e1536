//! Opening again after a fault, while the host runs: nothing is assumed of what a failed store holds.
//!
//! After a sync that failed, Linux may show pages as clean that never came to the disk: whoever opens the same files and
//! reads them, and syncs them once more, sees nothing wrong, and what is built on them is gone after the loss of power.
//! So a store whose sync has failed is copied into new files, which are synced, verified, and put in the place of the old
//! ones; these are deleted last. It takes as much room as the files have once more.
//!
//! After any other fault (a full disk refuses a write, sled panics) the data file is synced through the descriptor that
//! was open all the time, to which the kernel owes the news of every page that it could not write. If that succeeds, the
//! files are opened again where they are; else they are copied.
//!
//! Either way the store must then hold what was acknowledged, each head must be readable, and each must name a current
//! record that is whole, unless that one was known as damaged before.

use std::fs::{self, File};
use std::panic::{AssertUnwindSafe, catch_unwind};

use super::super::embedded::{Closed, words};
use super::super::head;
use super::files::{self, has_content, read_through};
use super::open::{Ground, Places, Refusal, Sound, agreed, sound};
use super::recover::exchange;
use super::tables::{Fault, Tables};
use super::witness::{DAMAGED_NOW, Testimony, Totals};
use super::worker::Worker;
use crate::model::ActorName;

/// What is left of a store that failed.
pub(super) struct Wreck {
    ground: Ground,
    /// Everything that was acknowledged.
    said: Totals,
    /// The data file, open since the store was.
    data: File,
}

impl Wreck {
    /// Lets go of everything but the lock.
    pub(super) fn of(worker: Worker) -> Box<Self> {
        let Worker { tables, witness, mut ground, .. } = worker;
        let said = *witness.said();
        // Before anything else: a host that is killed now leaves word. A failure is remembered by the disk.
        if tables.sync_data().is_err() || ground.disk.has_failed() {
            ground.lock.mark(true);
        }
        // Whether sled's last sync succeeds is asked of the file itself.
        let (data, _) = tables.close();
        let mut wreck = Box::new(Self { ground, said, data });
        wreck.look();
        wreck
    }

    /// Finds out whether what the files show may not be on the disk.
    fn look(&mut self) {
        let data = self.ground.places.store.join("db");
        let _ = self.ground.disk.sync_file(&self.data, &data);
        if self.ground.disk.has_failed() {
            self.ground.lock.mark(true);
        }
    }

    /// One attempt.
    pub(super) fn open(mut self: Box<Self>) -> Result<Worker, (Box<Self>, Closed)> {
        self.look();
        match catch_unwind(AssertUnwindSafe(|| self.try_open())) {
            Ok(Ok((Sound { tables, totals, .. }, witness))) => {
                self.ground.disk.forgive();
                self.ground.lock.mark(false);
                Ok(Worker { tables, totals, witness, ground: self.ground })
            }
            Ok(Err(Refusal::Damaged(what))) => {
                let error = self.ground.places.damaged(what).to_string();
                Err((self, Closed::ForGood(error)))
            }
            Ok(Err(Refusal::Fault(fault))) => Err((self, Closed::ForNow(fault.to_string()))),
            Err(panic) => Err((self, Closed::ForNow(format!("sled panicked: {}", words(&*panic))))),
        }
    }

    fn try_open(&self) -> Result<(Sound, super::witness::Witness), Refusal> {
        let Ground { places, options, disk, lock } = &self.ground;
        let testimony = Testimony::AtLeast(self.said);
        let sound = match lock.is_unsynced() {
            true => renew(&self.ground, &testimony, &verify)?,
            false => {
                if has_content(&places.store).map_err(Fault::disk("read", &places.store))? {
                    read_through(&places.store)?;
                }
                let sound = sound(places, &testimony, options, disk)?;
                if sound.differs {
                    return Err(Refusal::Damaged(DAMAGED_NOW.to_owned()));
                }
                verify(&sound.tables)?;
                sound
            }
        };
        let witness = self.ground.witness(&sound.totals)?;
        Ok((sound, witness))
    }
}

/// Every head can be read and names a current record that is whole.
fn verify(tables: &Tables) -> Result<(), Refusal> {
    for entry in tables.heads_after(None) {
        let (key, value) = entry?;
        let damaged = |what: String| Refusal::Damaged(format!("`{}`: {what}", String::from_utf8_lossy(&key)));
        let name = std::str::from_utf8(&key).map_err(|error| damaged(error.to_string()))?;
        let actor = ActorName::new(name).map_err(|error| damaged(error.to_string()))?;
        // One that is damaged was so before: what the count beside the heads knows of them is exact by now.
        let Ok(head) = head::decode(&value) else { continue };
        let Some(current) = head.current() else { continue };
        let bytes = tables.read_record(&actor, current)?;
        if let Err(error) = head::verify(&actor, current, &bytes)
            && !tables.is_quarantined(&actor, current)?
        {
            return Err(damaged(format!("its record {}: {error}", current.sequence)));
        }
    }
    Ok(())
}

/// Copies the store into new files, puts these in its place, and opens them. What `check` refuses is not put anywhere.
///
/// Whenever this is cut short, the store's own place holds one of the two, whole; the other one is deleted by the next
/// attempt.
pub(super) fn renew(
    ground: &Ground,
    testimony: &Testimony,
    check: &dyn Fn(&Tables) -> Result<(), Refusal>,
) -> Result<Sound, Refusal> {
    let Ground { places, options, disk, .. } = ground;
    let Places { store, copy, .. } = places;
    if !has_content(store).map_err(Fault::disk("read", store))? {
        return sound(places, testimony, options, disk);
    }
    delete_copy(ground)?;
    // sled never gets to see the old ones: it would note in them, durably, what of their bytes it has read.
    files::copy(store, copy)?;
    let new = Tables::open(copy, options.cache_bytes, disk)?;
    if agreed(&new, testimony)?.differs {
        return Err(Refusal::Damaged(DAMAGED_NOW.to_owned()));
    }
    check(&new)?;
    // It is opened again in its place, and synced.
    drop(new.close());

    exchange(copy, store).map_err(Fault::disk("replace", store))?;
    let opened = disk.sync_dir(&places.dir).map_err(Fault::disk("sync", &places.dir)).map_err(Refusal::from);
    let opened = opened.and_then(|()| {
        let sound = sound(places, testimony, options, disk)?;
        check(&sound.tables)?;
        Ok(sound)
    });
    match &opened {
        Ok(_) => delete_copy(ground)?,
        // The old one is back in its place; if even that fails, a good copy is there instead.
        Err(_) => drop(exchange(copy, store)),
    }
    opened
}

/// Deletes what lies beside the store, once the disk knows which of the two is in the store's place.
pub(super) fn delete_copy(ground: &Ground) -> Result<(), Fault> {
    let Places { dir, copy, .. } = &ground.places;
    if !copy.exists() {
        return Ok(());
    }
    ground.disk.sync_dir(dir).map_err(Fault::disk("sync", dir))?;
    fs::remove_dir_all(copy).map_err(Fault::disk("delete", copy))
}
