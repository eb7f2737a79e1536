//! Recovery: what is good in a damaged store goes into a new one, and the old one is kept under another name. Nothing is
//! deleted.
//!
//! The new file is made beside the old one and put in its place in one step, so that a recovery that is itself cut short
//! can be done again.

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use super::super::embedded::words;
use super::super::losses::Losses;
use super::super::witness::{Testimony, Totals};
use super::super::{Head, OpenError, Quarantined, RecordRef, Recovered, head, now_ms};
use super::open::{Ground, Places, Refusal, Sound, draw_id, guarded, has_content, sound};
use super::reopen;
use super::salvage::{Commit, Salvage};
use super::tables::{Fault, Tables};
use crate::model::ActorName;

/// Actors that are written in one transaction.
const BATCH_ACTORS: usize = 256;
/// Bytes of records that are written in one transaction, unless one actor alone has more.
const BATCH_BYTES: usize = 32 << 20;

/// What is good of an actor.
struct Kept {
    actor: ActorName,
    head: Vec<u8>,
    records: Vec<(RecordRef, Vec<u8>)>,
    copies: Vec<Quarantined>,
}

/// Builds a new store from what is good in the old one, puts it in its place, and opens it.
pub(super) fn recover(ground: &Ground, why: &str, testimony: &Testimony) -> Result<Sound, OpenError> {
    let Places { dir, store, witness, new, .. } = &ground.places;
    let io = |what, path: &Path| {
        let path = path.to_owned();
        move |error| OpenError::io(what, &path, error)
    };
    let stamp = now_ms();
    let mut aside = Vec::new();
    let (totals, losses) = guarded(&ground.places, || build(ground, testimony))?;

    if store.exists() {
        let kept = dir.join(format!("store.redb.damaged-{stamp}"));
        // A second name for the old file, so that there is one under the first name at every moment.
        if fs::hard_link(store, &kept).is_err() {
            fs::copy(store, &kept).map_err(io("copy aside", store))?;
        }
        ground.disk.sync_dir(dir).map_err(io("sync", dir))?;
        aside.push(kept);
    }
    fs::rename(new, store).map_err(io("replace", store))?;
    // The old witness would call the new store damaged. Until it is gone a crash leads back here, and loses nothing.
    ground.disk.sync_dir(dir).map_err(io("sync", dir))?;
    if witness.exists() {
        let kept: PathBuf = dir.join(format!("store.witness.damaged-{stamp}"));
        fs::rename(witness, &kept).map_err(io("move aside", witness))?;
        ground.disk.sync_dir(dir).map_err(io("sync", dir))?;
        aside.push(kept);
    }
    let mut sound = guarded(&ground.places, || sound(ground, &Testimony::AtLeast(totals)))?;
    let lost = losses.lines();
    sound.opened.recovered = Some(Recovered { why: why.to_owned(), aside, actors: totals.heads, lost });
    Ok(sound)
}

/// Fills a new file, and closes it.
fn build(ground: &Ground, testimony: &Testimony) -> Result<(Totals, Losses), Refusal> {
    let Ground { places, options, disk, .. } = ground;
    let mut losses = Losses::default();
    let mut totals = Totals::new(draw_id()?);
    reopen::remove(&places.new)?;
    let new = Tables::open(&places.new, options.cache_bytes, disk)?;
    let mut held = None;
    if has_content(&places.store).map_err(Fault::disk("look at", &places.store))? {
        match best(ground) {
            Ok((commit, counted)) => {
                held = counted;
                salvage(ground, commit, &new, &mut totals, &mut losses)?;
            }
            Err(why) => losses.add(format!("everything: it does not open: {why}")),
        }
    }
    losses.compare(testimony, held.as_ref(), totals.heads);
    if let Testimony::AtLeast(witness) = testimony {
        totals.writes = totals.writes.max(witness.writes);
    }
    totals.writes = totals.writes.max(held.map_or(0, |held| held.writes));
    new.write(|writer| writer.put_totals(&totals).map(|()| ((), true))).map_err(|failed| failed.fault)?;
    let (_, closed) = new.close();
    closed?;
    Ok((totals, losses))
}

/// The commit in which more heads can be read, with the numbers beside them; the last one, if both have as many.
fn best(ground: &Ground) -> Result<(Commit, Option<Totals>), String> {
    let look = |commit| {
        quietly(|| {
            let old = Salvage::open(&ground.places.store, ground.options.cache_bytes, commit)?;
            let heads = old.reader.heads_after(None)?.map_while(Result::ok).count();
            // Where only the numbers are damaged, the heads are not.
            Ok((heads, quietly(|| old.reader.totals()).ok().flatten().flatten()))
        })
    };
    match (look(Commit::Last), look(Commit::Other)) {
        (Ok((last, _)), Ok((other, totals))) if other > last => Ok((Commit::Other, totals)),
        (Ok((_, totals)), _) => Ok((Commit::Last, totals)),
        (Err(_), Ok((_, totals))) => Ok((Commit::Other, totals)),
        (Err(why), Err(_)) => Err(why),
    }
}

/// Runs what may fail or panic on damage.
fn quietly<T>(run: impl FnOnce() -> Result<T, Fault>) -> Result<T, String> {
    match catch_unwind(AssertUnwindSafe(run)) {
        Ok(done) => done.map_err(|fault| fault.to_string()),
        Err(panic) => Err(format!("redb panicked: {}", words(&*panic))),
    }
}

/// Copies what can be read. A record that is damaged is copied as it is, with its head: loading it is refused as ever, and
/// what happens then is the actor's policy, not ours.
fn salvage(
    ground: &Ground,
    commit: Commit,
    new: &Tables,
    totals: &mut Totals,
    losses: &mut Losses,
) -> Result<(), Refusal> {
    let open = || quietly(|| Salvage::open(&ground.places.store, ground.options.cache_bytes, commit));
    let mut old = open().map_err(Refusal::Damaged)?;
    let mut found = Vec::new();
    let listed = quietly(|| {
        for entry in old.reader.heads_after(None)? {
            found.push(entry?);
        }
        Ok(())
    });
    if let Err(why) = listed {
        losses.add(format!("all actors after those that were kept: {why}"));
    }
    let (mut batch, mut bytes) = (Vec::new(), 0);
    for (key, value) in found {
        let name = String::from_utf8_lossy(&key).into_owned();
        let (actor, head) = match (ActorName::new(&name), head::decode(&value)) {
            (Ok(actor), Ok(head)) => (actor, Some(head)),
            (Err(error), _) => {
                losses.add(format!("an actor: {error}"));
                continue;
            }
            (Ok(actor), Err(error)) => {
                // It is held as before, rather than begun anew.
                losses.add(format!("`{name}`: its head, copied as it is: {error}"));
                (actor, None)
            }
        };
        totals.heads += 1;
        totals.writes += 1;
        totals.toggle(&key, &value);
        let kept = keep(&mut old, &open, actor, head.as_ref(), value, losses)?;
        bytes += kept.records.iter().map(|(_, bytes)| bytes.len()).sum::<usize>();
        batch.push(kept);
        if batch.len() == BATCH_ACTORS || bytes > BATCH_BYTES {
            write(new, &mut batch)?;
            bytes = 0;
        }
    }
    Ok(write(new, &mut batch)?)
}

/// Reads what is good of one actor; of one without a head that can be read, what records there are.
fn keep(
    old: &mut Salvage,
    open: &dyn Fn() -> Result<Salvage, String>,
    actor: ActorName,
    head: Option<&Head>,
    bytes: Vec<u8>,
    losses: &mut Losses,
) -> Result<Kept, Refusal> {
    let mut kept = Kept { actor, head: bytes, records: Vec::new(), copies: Vec::new() };
    let actor = &kept.actor;
    if head.is_none() {
        let found = quietly(|| old.reader.found(actor)?.collect::<Result<Vec<_>, _>>());
        match found {
            Ok(found) => kept.records.extend(found.into_iter().map(|found| (found.reference(), found.bytes))),
            Err(why) => {
                losses.add(format!("`{actor}`: its records: {why}"));
                *old = open().map_err(Refusal::Damaged)?;
            }
        }
    }
    for reference in head.iter().flat_map(|head| &head.records) {
        let sequence = reference.sequence;
        match quietly(|| old.reader.record(actor, reference)) {
            Ok(bytes) => {
                if let Err(error) = head::verify(actor, reference, &bytes) {
                    losses.add(format!("`{actor}`: record {sequence}, copied as it is: {error}"));
                }
                kept.records.push((reference.clone(), bytes));
            }
            Err(why) => {
                losses.add(format!("`{actor}`: record {sequence}: {why}"));
                // A panic may have left it unusable.
                *old = open().map_err(Refusal::Damaged)?;
            }
        }
    }
    match quietly(|| old.reader.quarantined(actor)) {
        Ok(copies) => kept.copies = copies,
        Err(why) => {
            losses.add(format!("`{actor}`: its quarantine: {why}"));
            *old = open().map_err(Refusal::Damaged)?;
        }
    }
    Ok(kept)
}

fn write(new: &Tables, batch: &mut Vec<Kept>) -> Result<(), Fault> {
    let written = new.write(|writer| {
        for Kept { actor, head, records, copies } in batch.drain(..) {
            for (record, bytes) in &records {
                writer.put_record(&actor, record, bytes)?;
            }
            for copy in &copies {
                writer.put_copy(&actor, copy)?;
            }
            writer.put_head(&actor, &head)?;
        }
        Ok(((), true))
    });
    written.map_err(|failed| failed.fault)
}
