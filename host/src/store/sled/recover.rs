//! Recovery: what is good in a damaged store goes into a new one, and the old one is moved aside. Nothing is deleted.
//!
//! The new store is built beside the old one and put in its place in one step, so that a recovery that is itself cut
//! short can be done again.

use std::fs;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, RenameFlags, renameat_with};
use rustix::io::Errno;

use super::super::embedded::words;
use super::super::losses::Losses;
use super::super::{Head, head, keys, now_ms};
use super::disk::Disk;
use super::files::has_content;
use super::open::{Places, Refusal, Sound, draw_id, guarded, open_sound};
use super::tables::{Fault, Marks, Tables};
use super::witness::{Testimony, Totals};
use super::{OpenError, Recovered, SledOptions};
use crate::model::ActorName;

/// Heads that are written in one step.
const HEADS: usize = 256;

/// Builds a new store from what is good in the old one, swaps the two, and opens the new one.
pub(super) fn recover(
    places: &Places,
    why: &str,
    testimony: &Testimony,
    options: &SledOptions,
    disk: &Disk,
) -> Result<Sound, OpenError> {
    let io = |what, path: &Path| {
        let path = path.to_owned();
        move |error| OpenError::io(what, &path, error)
    };
    let stamp = now_ms();
    let mut aside = Vec::new();
    // What an earlier recovery did not finish.
    if places.recovering.exists() {
        aside.push(move_aside(&places.recovering, places, &format!("store.unfinished-{stamp}"))?);
    }
    if places.copy.exists() {
        aside.push(move_aside(&places.copy, places, &format!("store.copy-{stamp}"))?);
    }
    let there = has_content(&places.store).map_err(io("read", &places.store))?;
    let (totals, losses) = guarded(places, || build(places, there, testimony, options, disk))?;

    if places.store.exists() {
        exchange(&places.recovering, &places.store).map_err(io("replace", &places.store))?;
        aside.push(move_aside(&places.recovering, places, &format!("store.damaged-{stamp}"))?);
    } else {
        fs::rename(&places.recovering, &places.store).map_err(io("make", &places.store))?;
    }
    // The old witness would call the new store damaged. Until it is gone a crash leads back here, and loses nothing.
    disk.sync_dir(&places.dir).map_err(io("sync", &places.dir))?;
    if places.witness.exists() {
        aside.push(move_aside(&places.witness, places, &format!("store.witness.damaged-{stamp}"))?);
        disk.sync_dir(&places.dir).map_err(io("sync", &places.dir))?;
    }
    let mut sound = open_sound(places, &Testimony::AtLeast(totals), options, disk)?;
    let lost = losses.lines();
    sound.opened.recovered = Some(Recovered { why: why.to_owned(), aside, actors: totals.heads, lost });
    Ok(sound)
}

/// Fills a new directory, and closes it.
fn build(
    places: &Places,
    there: bool,
    testimony: &Testimony,
    options: &SledOptions,
    disk: &Disk,
) -> Result<(Totals, Losses), Refusal> {
    let mut losses = Losses::default();
    let mut totals = Totals::new(draw_id()?);
    let new = Tables::open(&places.recovering, options.cache_bytes, disk)?;
    let mut held = None;
    if there {
        let opening = AssertUnwindSafe(|| Tables::open(&places.store, options.cache_bytes, disk));
        match catch_unwind(opening) {
            Ok(Ok(old)) => {
                held = old.totals()?.flatten();
                salvage(&old, &new, options, &mut totals, &mut losses)?;
                // sled syncs as it is dropped, and panics where that fails.
                let _ = catch_unwind(AssertUnwindSafe(|| drop(old)));
            }
            Ok(Err(fault)) => losses.add(format!("everything: it does not open: {fault}")),
            Err(panic) => losses.add(format!("everything: sled panicked on opening it: {}", words(&*panic))),
        }
    }
    losses.compare(testimony, held.as_ref(), totals.heads);
    if let Testimony::AtLeast(witness) = testimony {
        totals.writes = totals.writes.max(witness.writes);
    }
    totals.writes = totals.writes.max(held.map_or(0, |held| held.writes));
    new.write_heads(&[], &totals, &Marks::NONE)?;
    drop(new);
    Ok((totals, losses))
}

/// Copies what can be read. A record that is damaged is copied as it is, with its head: loading it is refused as ever, and
/// what happens then is the actor's policy, not ours.
fn salvage(
    old: &Tables,
    new: &Tables,
    options: &SledOptions,
    totals: &mut Totals,
    losses: &mut Losses,
) -> Result<(), Refusal> {
    let mut heads = Vec::new();
    for entry in old.heads_after(None) {
        let (key, value) = match entry {
            Ok(entry) => entry,
            Err(fault) => {
                losses.add(format!("all actors after those that were kept: {fault}"));
                break;
            }
        };
        let name = String::from_utf8_lossy(&key).into_owned();
        let (actor, head) = match (ActorName::new(&name), head::decode(&value)) {
            (Ok(actor), Ok(head)) => (actor, head),
            (Err(error), _) => {
                losses.add(format!("an actor: {error}"));
                continue;
            }
            (Ok(actor), Err(error)) => {
                // It is held as before, rather than begun anew.
                losses.add(format!("`{name}`: its head, copied as it is: {error}"));
                let named = new.copy_records(old, &actor)?;
                keep(new, totals, &mut heads, ((actor, value.to_vec()), named))?;
                continue;
            }
        };
        let mut named = Vec::new();
        copy_records(old, new, options, (&actor, &head), &mut named, losses)?;
        keep(new, totals, &mut heads, ((actor, value.to_vec()), named))?;
    }
    write(new, totals, &mut heads)?;
    if let Err(fault) = new.copy_quarantine(old) {
        losses.add(format!("some of the quarantine: {fault}"));
    }
    Ok(())
}

fn copy_records(
    old: &Tables,
    new: &Tables,
    options: &SledOptions,
    (actor, head): (&ActorName, &Head),
    named: &mut Vec<Vec<u8>>,
    losses: &mut Losses,
) -> Result<(), Refusal> {
    for reference in &head.records {
        let sequence = reference.sequence;
        if reference.bytes > options.largest_record_bytes as u64 {
            losses.add(format!("`{actor}`: record {sequence} is larger than this store takes"));
            continue;
        }
        let bytes = match old.read_record(actor, reference) {
            Ok(bytes) => bytes,
            Err(fault) => {
                losses.add(format!("`{actor}`: record {sequence}: {fault}"));
                continue;
            }
        };
        if let Err(error) = head::verify(actor, reference, &bytes) {
            losses.add(format!("`{actor}`: record {sequence}, copied as it is: {error}"));
        }
        let key = keys::of_record(actor, reference);
        new.write_records([(key.clone(), bytes.as_slice())].into_iter())?;
        named.push(key);
    }
    Ok(())
}

/// A head with the keys of the records that it names.
type Kept = ((ActorName, Vec<u8>), Vec<Vec<u8>>);
type Heads = Vec<Kept>;

/// Counts one more head, and writes those that wait where they are many.
fn keep(new: &Tables, totals: &mut Totals, heads: &mut Heads, kept: Kept) -> Result<(), Fault> {
    let ((actor, bytes), _) = &kept;
    totals.heads += 1;
    totals.writes += 1;
    totals.toggle(actor.as_str().as_bytes(), bytes);
    heads.push(kept);
    if heads.len() == HEADS { write(new, totals, heads) } else { Ok(()) }
}

fn write(new: &Tables, totals: &Totals, heads: &mut Heads) -> Result<(), Fault> {
    let (heads, named): (Vec<_>, Vec<_>) = heads.drain(..).unzip();
    new.write_heads(&heads, totals, &Marks { named: &named.concat(), ..Marks::NONE })
}

/// Swaps two directories in one step; in two where the file system cannot.
pub(super) fn exchange(new: &Path, old: &Path) -> io::Result<()> {
    match renameat_with(CWD, new, CWD, old, RenameFlags::EXCHANGE) {
        Err(Errno::INVAL | Errno::NOSYS) => {
            let between = old.with_extension("swapping");
            fs::rename(old, &between)?;
            fs::rename(new, old)?;
            fs::rename(between, new)
        }
        other => Ok(other?),
    }
}

/// Gives `path` a name under which nothing looks for it.
fn move_aside(path: &Path, places: &Places, name: &str) -> Result<PathBuf, OpenError> {
    let aside = places.dir.join(name);
    fs::rename(path, &aside).map_err(|error| OpenError::io("move aside", path, error))?;
    Ok(aside)
}
