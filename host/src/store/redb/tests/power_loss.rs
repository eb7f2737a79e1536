//! Power that is lost while redb writes: everything that a disk may then hold, sampled, is opened.
//!
//! What redb does to its file is noted at the seam below it, from the first byte on. An image is what was synced by some
//! moment, and of what was done since as much as luck has it: each sector of each write by itself, in any order.

use std::collections::BTreeMap;
use std::fs;

use super::super::super::disk::Change;
use super::*;
use crate::model::StopReason;

/// Images that are opened; `BATON_IMAGES` says how many for a longer run, and `BATON_SEED` for another one.
const IMAGES: usize = 250;
/// Bytes that a disk writes all or not at all.
const SECTOR_BYTES: usize = 512;
/// Actors that commit.
const ACTORS: u64 = 4;
/// Rounds in which each does something.
const ROUNDS: u64 = 14;

/// What was seen, in order.
#[derive(Debug, Clone)]
enum Noted {
    Write(u64, Vec<u8>),
    Length(u64),
    Synced,
    /// The witness as it stands on the disk from here on.
    Witness(Vec<u8>),
    /// An actor's sequence, acknowledged.
    Acknowledged(u64, u64),
}

/// A seeded generator (splitmix64): the same images each time.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut x = self.0;
        x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((x ^ (x >> 31)) % limit as u64).expect("below a usize")
    }
}

fn payload(actor: u64, sequence: u64) -> Vec<u8> {
    let length = usize::try_from((actor * 7 + sequence) * 1_237 % 30_000).expect("small");
    (0..length).map(|i| u8::try_from((i as u64 * 31 + actor + sequence) % 251).expect("small")).collect()
}

/// What was seen of a store from its first byte to its close.
async fn played(dir: &Path) -> Vec<Noted> {
    let notes: Arc<Mutex<Vec<Noted>>> = Arc::default();
    let note = |notes: &Arc<Mutex<Vec<Noted>>>, what| notes.lock().expect("the notes").push(what);
    let (writes, syncs) = (notes.clone(), notes.clone());
    let disk = Disk::with_write_faults(move |_, change| {
        note(
            &writes,
            match change {
                Change::Write(at, bytes) => Noted::Write(at, bytes.to_vec()),
                Change::Length(length) => Noted::Length(length),
            },
        );
        Ok(())
    });
    let disk = disk.and_syncs(move |path| {
        // What is synced now is durable before anything that is noted later.
        if path.ends_with("store.redb") {
            note(&syncs, Noted::Synced);
        } else if path.ends_with("store.witness") || path.ends_with("store.witness.new") {
            note(&syncs, Noted::Witness(fs::read(path)?));
        }
        Ok(())
    });
    let (store, _) = open(dir, disk);
    let mut leases = Vec::new();
    for n in 0..ACTORS {
        leases.push(claim(&store, &name(&format!("a/{n}"))).await);
    }
    for round in 0..ROUNDS {
        let at_once = leases.iter_mut().zip(0..).map(|(lease, n)| {
            let store = &store;
            let notes = &notes;
            async move {
                let next = lease.head.sequence + 1;
                match (round * ACTORS + n) % 13 {
                    5 => {
                        store.release(lease, None, StopReason::Normal).await.expect("releases");
                        *lease = claim(store, &lease.actor).await;
                    }
                    9 => store.take_up(lease).await.expect("marks"),
                    _ => drop(store.commit(lease, record(payload(n, next))).await.expect("commits")),
                }
                note(notes, Noted::Acknowledged(n, lease.head.sequence));
            }
        });
        futures_util::future::join_all(at_once).await;
    }
    store.close().await.expect("closes");
    notes.lock().expect("the notes").clone()
}

/// What the disk holds at some moment.
#[derive(Default)]
struct Image {
    file: Vec<u8>,
    witness: Option<Vec<u8>>,
    acknowledged: BTreeMap<u64, u64>,
}

fn write(file: &mut Vec<u8>, at: usize, bytes: &[u8]) {
    if file.len() < at + bytes.len() {
        file.resize(at + bytes.len(), 0);
    }
    file[at..at + bytes.len()].copy_from_slice(bytes);
}

fn play(file: &mut Vec<u8>, noted: &Noted) {
    match noted {
        Noted::Write(at, bytes) => write(file, usize::try_from(*at).expect("small"), bytes),
        Noted::Length(length) => file.resize(usize::try_from(*length).expect("small"), 0),
        Noted::Synced | Noted::Witness(_) | Noted::Acknowledged(..) => {}
    }
}

/// What may be there if the power goes after `end` notes.
fn image(notes: &[Noted], end: usize, dice: &mut Dice) -> Image {
    let seen = &notes[..end];
    let synced = seen.iter().rposition(|noted| matches!(noted, Noted::Synced)).unwrap_or(0);
    let mut image = Image::default();
    for noted in seen {
        match noted {
            Noted::Witness(bytes) => image.witness = Some(bytes.clone()),
            Noted::Acknowledged(actor, sequence) => drop(image.acknowledged.insert(*actor, *sequence)),
            _ => {}
        }
    }
    seen[..synced].iter().for_each(|noted| play(&mut image.file, noted));
    // All of it, none of it, or some.
    let luck = dice.below(4);
    for noted in &seen[synced..] {
        match (noted, luck) {
            (_, 0) => play(&mut image.file, noted),
            (_, 1) => {}
            (Noted::Write(at, bytes), _) => {
                let at = usize::try_from(*at).expect("small");
                for (sector, bytes) in bytes.chunks(SECTOR_BYTES).enumerate() {
                    if dice.below(luck) == 0 {
                        write(&mut image.file, at + sector * SECTOR_BYTES, bytes);
                    }
                }
            }
            (Noted::Length(_), _) if dice.below(2) == 0 => play(&mut image.file, noted),
            _ => {}
        }
    }
    image
}

#[tokio::test]
async fn whatever_a_disk_without_power_holds_opens_with_all_that_was_acknowledged() {
    let dir = tempfile::tempdir().expect("a directory");
    let notes = played(dir.path()).await;
    let mut whole = Vec::new();
    notes.iter().for_each(|noted| play(&mut whole, noted));
    assert!(whole == fs::read(dir.path().join("store.redb")).expect("reads"), "everything was noted");

    let told = |name, otherwise| std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(otherwise);
    let images = told("BATON_IMAGES", IMAGES);
    let mut dice = Dice(told("BATON_SEED", 7) as u64);
    let mut made_anew = 0;
    for n in 0..images {
        // A tenth of them within the first notes, in which the file is made.
        let end = if n % 10 == 0 { 1 + dice.below(40.min(notes.len())) } else { 1 + dice.below(notes.len()) };
        let Image { file, witness, acknowledged } = image(&notes, end, &mut dice);
        let place = tempfile::tempdir().expect("a directory");
        fs::write(place.path().join("store.redb"), &file).expect("writes");
        if let Some(witness) = &witness {
            fs::write(place.path().join("store.witness"), witness).expect("writes");
        }
        let case = format!("image {n}, after {end} of {} notes, {} bytes", notes.len(), file.len());
        let opened = RedbStore::open(place.path(), &RedbOptions::default());
        let (store, opened) = opened.unwrap_or_else(|error| panic!("{case}: {error}"));
        made_anew += usize::from(opened.created);
        assert!(!opened.created || acknowledged.is_empty(), "{case}");
        for (actor, sequence) in acknowledged {
            let name = name(&format!("a/{actor}"));
            let (head, _) = store.head(&name).await.expect("answers").expect("it was acknowledged");
            assert!(head.sequence >= sequence, "{case}: {} found, {sequence} acknowledged", head.sequence);
            for reference in &head.records {
                let loaded = store.load(&name, reference).await.unwrap_or_else(|error| panic!("{case}: {error}"));
                assert!(loaded.data == payload(actor, reference.sequence), "{case}: {actor}");
            }
        }
        store.close().await.expect("closes");
    }
    println!("{images} images of {} notes; {made_anew} were made anew", notes.len());
}
