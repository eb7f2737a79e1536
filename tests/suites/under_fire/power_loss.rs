//! Power that is lost while processes write: everything that a disk may then hold, sampled, is opened.

use std::os::unix::process::ExitStatusExt;
use std::path::Path;

use super::{ACKS, Acknowledged, Backend, Writer, on_every_backend};
use crate::harness::{Call, Dice, Disk, Entry, Shim, number_from, read_journal};

/// Images of a run; `BATON_IMAGES` says how many for a longer one.
const IMAGES: usize = 120;
/// Writes of each actor, in each of the processes that follow each other.
const WRITES: u64 = 40;

on_every_backend! {
    whatever_a_disk_without_power_holds_opens_with_all_that_was_acknowledged
    after_writes_and_syncs_that_failed_nothing_acknowledged_rests_on_them
}

/// A directory in memory if there is one: the images are many, and their syncs need promise nothing.
fn quick_dir() -> tempfile::TempDir {
    let quick = tempfile::tempdir_in("/dev/shm");
    quick.or_else(|_| tempfile::tempdir()).expect("a directory")
}

/// What three processes after each other do to the disk, with these faults: one is killed at work, one on its way up or
/// soon after, one comes to its end.
fn journal_of(backend: &Backend, faults: &str, dice: &mut Dice) -> Vec<Entry> {
    let place = quick_dir();
    let dir = place.path().join("data");
    std::fs::create_dir(&dir).expect("makes");
    let journal = place.path().join("journal");
    let shim = Shim::new(&dir, place.path()).journal(&journal);
    for kill_at in [Some(300 + dice.below(1_500)), Some(1 + dice.below(120)), None] {
        let kill = kill_at.map(|at| format!("any KILL {at}\n")).unwrap_or_default();
        shim.fail(&format!("{kill}{faults}"));
        let mut child = Writer::new(backend, &dir).writes(WRITES).seed(dice.below(1 << 30)).on(&shim).start();
        let said: Vec<String> = child.lines().filter(|line| !line.contains("acknowledged ")).collect();
        let ended = child.wait();
        let kept = if ended.success() || kill_at.is_some() { String::new() } else { keep(place.path()) };
        assert!(ended.success() || ended.signal() == Some(9), "{ended}: {said:?} {kept}");
    }
    let journal = read_journal(&journal);
    let mut disk = Disk::new();
    journal.iter().for_each(|entry| disk.play(entry));
    disk.compare(&dir);
    journal
}

/// Whoever was acknowledged by now.
fn acknowledged(disk: &Disk) -> Acknowledged {
    let mut acknowledged = Acknowledged::default();
    String::from_utf8(disk.content(ACKS)).expect("text").lines().for_each(|line| _ = acknowledged.hear(line));
    acknowledged
}

/// Cuts the power at moments drawn from all of the journal, and opens what the disk may hold then.
async fn cut(backend: &Backend, journal: &[Entry], images: usize, dice: &mut Dice) {
    let mut cuts: Vec<usize> = (0..images).map(|_| dice.below(journal.len() + 1)).collect();
    cuts.sort_unstable();
    let mut disk = Disk::new();
    let mut played = 0;
    for cut in cuts {
        journal[played..cut].iter().for_each(|entry| disk.play(entry));
        played = cut;
        let dir = quick_dir();
        let mood = disk.image(dir.path(), ACKS, dice);
        let bad = |what: String| -> ! {
            let last: Vec<String> = journal[cut.saturating_sub(5)..cut].iter().map(brief).collect();
            let all: Vec<String> = journal[..cut].iter().map(brief).collect();
            std::fs::write(dir.path().join("calls"), all.join("\n")).expect("writes");
            let kept = keep(dir.path());
            panic!("cut at {cut} of {}, {mood}: {what}\nafter {last:#?}\nthe image: {kept}", journal.len());
        };
        let store = match (backend.open)(dir.path()) {
            Ok(store) => store,
            Err(error) => bad(error.to_string()),
        };
        let found = acknowledged(&disk).check(&*store).await;
        if let Err(what) = found {
            bad(what);
        }
        super::goes_on(&*store).await;
    }
}

fn brief(entry: &Entry) -> String {
    let Entry { op, fd, a, result, path, to, bytes } = entry;
    format!("{op:?} {path} {to} fd {fd}, {a}, {} bytes: {result}", bytes.len())
}

/// A copy that stays, where one is asked for.
fn keep(dir: &Path) -> String {
    let Some(to) = std::env::var_os("BATON_KEEP_IMAGE") else { return "BATON_KEEP_IMAGE=DIR keeps it".to_owned() };
    let copied = std::process::Command::new("cp").arg("-r").arg(dir).arg(&to).status();
    format!("{} {copied:?}", Path::new(&to).display())
}

async fn whatever_a_disk_without_power_holds_opens_with_all_that_was_acknowledged(backend: &Backend) {
    let mut dice = Dice::new();
    let journal = journal_of(backend, "", &mut dice);
    let syncs = journal.iter().filter(|entry| entry.op == Call::Sync).count();
    assert!(syncs > 100, "{syncs} syncs of {} calls", journal.len());
    cut(backend, &journal, number_from("BATON_IMAGES", IMAGES), &mut dice).await;
}

async fn after_writes_and_syncs_that_failed_nothing_acknowledged_rests_on_them(backend: &Backend) {
    let mut dice = Dice::new();
    // Few enough that an attempt to open again soon meets none: each one that fails doubles the wait for the next.
    let faults: String = (0..3)
        .map(|n| {
            let from = 20 + n * 130 + dice.below(120);
            format!("sync EIO {from} {}\nwrite EIO {from} {from}\n", from + dice.below(2))
        })
        .collect();
    let journal = journal_of(backend, &faults, &mut dice);
    let failed = journal.iter().filter(|entry| entry.op == Call::Sync && entry.result < 0).count();
    assert!(failed > 0, "no sync failed: {faults}");
    cut(backend, &journal, number_from("BATON_IMAGES", IMAGES), &mut dice).await;
}
