//! Stores that were damaged from outside: a clear error or the right state, never another one, never an empty start, never
//! the end of the process.

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use baton_host::store::{OpenError, SnapshotStore, StoreError};

use super::{BACKENDS, Backend, CHILD_BACKEND, Store, child_actor, on_every_backend, payload, say};
use crate::harness::{Dice, number_from};
use crate::store_conformance::{claim, record};

/// Damages of each kind in a run; `BATON_DAMAGES` says how many for a longer one, and 0 stands for all there are.
const DAMAGES: usize = 250;
/// Actors of the store that is damaged, and the records that each has.
const ACTORS: u64 = 3;
const RECORDS: u64 = 2;
/// In seconds: then an attempt to open hangs.
const PATIENCE_S: u64 = 60;
/// Bytes of memory that an attempt may take: no damage justifies more.
const MEMORY_BYTES: u64 = 4 << 30;
const EXAMINER: &str = "BATON_TEST_EXAMINER";

on_every_backend! {
    a_byte_that_was_flipped_is_an_error_or_changes_nothing
    a_file_that_was_cut_is_an_error_or_changes_nothing
    a_file_that_is_gone_or_another_stores_or_of_another_time_is_an_error_or_changes_nothing
}

/// Not a test of its own: opens one store after the other and says what it finds.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "other tests run it in a process of its own"]
async fn examiner() {
    if std::env::var_os(EXAMINER).is_none() {
        return;
    }
    let limit = rustix::process::Rlimit { current: Some(MEMORY_BYTES), maximum: Some(MEMORY_BYTES) };
    rustix::process::setrlimit(rustix::process::Resource::As, limit).expect("a limit");
    let named = std::env::var(CHILD_BACKEND).expect("a backend");
    let backend = BACKENDS.iter().find(|backend| backend.name == named).expect("a backend");
    for line in std::io::stdin().lock().lines() {
        let verdict = match (backend.open)(Path::new(&line.expect("text"))) {
            Ok(store) => {
                let verdict = examine(&*store).await;
                let _ = store.close().await;
                verdict
            }
            Err(error @ (OpenError::Damaged { .. } | OpenError::Io { .. })) => format!("error {error}"),
            Err(error) => format!("wrong {error}"),
        };
        say(&format!("verdict {}", verdict.replace('\n', " ")));
    }
}

/// Whether what the store answers is what was written last, or an error.
async fn examine(store: &dyn SnapshotStore) -> String {
    let mut errors = BTreeSet::new();
    for n in 0..ACTORS {
        let actor = child_actor(n);
        let head = match store.head(&actor).await {
            Ok(Some((head, _))) => head,
            Ok(None) => return format!("wrong {actor} is gone"),
            Err(error) => {
                errors.insert(error.to_string());
                continue;
            }
        };
        if head.sequence != RECORDS || head.records.len() as u64 != RECORDS {
            return format!("wrong {actor} has {head:?}");
        }
        for reference in &head.records {
            match store.load(&actor, reference).await {
                Ok(record) if record.data == payload(n, reference.sequence) => {}
                Ok(_) => return format!("wrong {actor} has another record {}", reference.sequence),
                Err(error @ (StoreError::Corrupt(_) | StoreError::Unavailable(_))) => {
                    errors.insert(error.to_string());
                }
                Err(error) => return format!("wrong {actor}: {error}"),
            }
        }
    }
    match errors.pop_first() {
        Some(error) => format!("error {error}"),
        None => "right".to_owned(),
    }
}

/// A process that examines, one store after the other.
struct Examiner {
    child: Child,
    questions: ChildStdin,
    verdicts: mpsc::Receiver<String>,
}

impl Examiner {
    fn start(backend: &Backend) -> Self {
        let mut command = Command::new(std::env::current_exe().expect("a test has a file"));
        command.args(["under_fire::damage::examiner", "--exact", "--ignored", "--nocapture", "--test-threads=1"]);
        command.env(CHILD_BACKEND, backend.name).env(EXAMINER, "1");
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("starts");
        let lines = BufReader::new(child.stdout.take().expect("piped")).lines();
        let (sender, verdicts) = mpsc::sync_channel(1);
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                // The runner's own words may stand before it.
                if let Some((_, verdict)) = line.split_once("verdict ") {
                    let _ = sender.send(verdict.to_owned());
                }
            }
        });
        Self { questions: child.stdin.take().expect("piped"), child, verdicts }
    }

    fn examine(&mut self, dir: &Path) -> String {
        writeln!(self.questions, "{}", dir.display()).expect("it listens");
        match self.verdicts.recv_timeout(Duration::from_secs(PATIENCE_S)) {
            Ok(verdict) => verdict,
            Err(mpsc::RecvTimeoutError::Timeout) => format!("wrong: no answer for {PATIENCE_S} s"),
            Err(mpsc::RecvTimeoutError::Disconnected) => format!("wrong: it ended, {:?}", self.child.wait()),
        }
    }
}

impl Drop for Examiner {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Bench and tools: a good store, an examiner, and what it has found.
struct Bench {
    examiner: Examiner,
    dir: tempfile::TempDir,
    right: usize,
    errors: usize,
}

impl Bench {
    async fn new(backend: &Backend) -> Self {
        let dir = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).expect("a directory");
        fill(backend, &dir.path().join("good"), RECORDS).await;
        Self { examiner: Examiner::start(backend), dir, right: 0, errors: 0 }
    }

    fn good(&self) -> PathBuf {
        self.dir.path().join("good")
    }

    /// Examines a copy of the good store with one damage.
    fn damaged(&mut self, what: &str, damage: impl FnOnce(&Path)) {
        let copy = self.dir.path().join("copy");
        copy_dir(&self.good(), &copy);
        damage(&copy);
        let verdict = self.examiner.examine(&copy);
        match verdict.split_once(' ').map_or(verdict.as_str(), |(first, _)| first) {
            "right" => self.right += 1,
            "error" => self.errors += 1,
            _ => panic!("{what}: {verdict}"),
        }
        fs::remove_dir_all(&copy).expect("removes");
    }
}

/// Writes, in a small store, as many records of each actor as are wanted and not there yet.
async fn fill(backend: &Backend, dir: &Path, wanted: u64) {
    let store: Store = (backend.open)(dir).expect("opens");
    for n in 0..ACTORS {
        let mut lease = claim(&*store, &child_actor(n), "host").await;
        while lease.head.sequence < wanted {
            let next = lease.head.sequence + 1;
            store.commit(&mut lease, record(payload(n, next))).await.expect("commits");
        }
    }
    store.close().await.expect("closes");
}

fn copy_dir(from: &Path, to: &Path) {
    fs::create_dir(to).expect("makes");
    for entry in fs::read_dir(from).expect("reads") {
        let path = entry.expect("reads").path();
        let target = to.join(path.file_name().expect("has a name"));
        if path.is_dir() {
            copy_dir(&path, &target);
        } else {
            fs::copy(&path, &target).expect("copies");
        }
    }
}

/// All files below `dir`, as paths below it, and what they hold.
fn files(dir: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    fn walk(dir: &Path, root: &Path, found: &mut Vec<(PathBuf, Vec<u8>)>) {
        for entry in fs::read_dir(dir).expect("reads") {
            let path = entry.expect("reads").path();
            if path.is_dir() {
                walk(&path, root, found);
            } else {
                let below = path.strip_prefix(root).expect("below").to_owned();
                found.push((below, fs::read(&path).expect("reads")));
            }
        }
    }
    let mut found = Vec::new();
    walk(dir, dir, &mut found);
    found.sort();
    found
}

/// Places to damage in a file: all, or some of them, most where there is something.
fn places(bytes: &[u8], share: usize, dice: &mut Dice) -> BTreeSet<usize> {
    let wanted = number_from("BATON_DAMAGES", DAMAGES);
    if wanted == 0 {
        return (0..bytes.len()).collect();
    }
    let filled: Vec<usize> = (0..bytes.len()).filter(|at| bytes[*at] != 0).collect();
    let draw = |dice: &mut Dice| match filled.is_empty() || dice.one_in(8) {
        true => dice.below(bytes.len()),
        false => filled[dice.below(filled.len())],
    };
    // The first bytes of a file say what it is.
    (0..bytes.len().min(16)).chain((0..wanted / share).map(|_| draw(dice))).collect()
}

async fn a_byte_that_was_flipped_is_an_error_or_changes_nothing(backend: &Backend) {
    let mut dice = Dice::new();
    let mut bench = Bench::new(backend).await;
    let files = files(&bench.good());
    for (file, bytes) in files.iter().filter(|(_, bytes)| !bytes.is_empty()) {
        for at in places(bytes, files.len(), &mut dice) {
            let flip = if dice.one_in(2) { 0xff } else { 1 << dice.below(8) };
            bench.damaged(&format!("{} with byte {at} flipped by {flip:#x}", file.display()), |dir| {
                let mut bytes = bytes.clone();
                bytes[at] ^= flip;
                fs::write(dir.join(file), bytes).expect("damages");
            });
        }
    }
    println!("flips: {} errors, {} without effect", bench.errors, bench.right);
    assert!(bench.errors > 0 && bench.right > 0, "{} errors, {} right", bench.errors, bench.right);
}

async fn a_file_that_was_cut_is_an_error_or_changes_nothing(backend: &Backend) {
    let mut dice = Dice::new();
    let mut bench = Bench::new(backend).await;
    let files = files(&bench.good());
    for (file, bytes) in files.iter().filter(|(_, bytes)| !bytes.is_empty()) {
        for length in places(bytes, files.len(), &mut dice) {
            bench.damaged(&format!("{} cut to {length} bytes", file.display()), |dir| {
                fs::write(dir.join(file), &bytes[..length]).expect("damages");
            });
        }
    }
    println!("cuts: {} errors, {} without effect", bench.errors, bench.right);
    assert!(bench.errors > 0, "{} right", bench.right);
}

async fn a_file_that_is_gone_or_another_stores_or_of_another_time_is_an_error_or_changes_nothing(backend: &Backend) {
    let mut bench = Bench::new(backend).await;
    let (good, older, other) = (bench.good(), bench.dir.path().join("older"), bench.dir.path().join("other"));
    fs::remove_dir_all(&good).expect("removes");
    fill(backend, &good, RECORDS - 1).await;
    copy_dir(&good, &older);
    fill(backend, &good, RECORDS).await;
    fill(backend, &other, RECORDS).await;
    let entries = |dir: &Path| -> BTreeSet<PathBuf> {
        let top = fs::read_dir(dir).expect("reads").map(|entry| entry.expect("reads").file_name().into());
        top.chain(files(dir).into_iter().map(|(file, _)| file)).collect()
    };
    for (what, source) in [("gone", None), ("older", Some(&older)), ("another store's", Some(&other))] {
        for entry in entries(&good) {
            bench.damaged(&format!("{} is {what}", entry.display()), |dir| {
                replace(&dir.join(&entry), source.map(|from| from.join(&entry)))
            });
        }
    }
    println!("swaps: {} errors, {} without effect", bench.errors, bench.right);
    assert!(bench.errors > 0 && bench.right > 0, "{} errors, {} right", bench.errors, bench.right);
}

/// Puts a copy of `from` in the place of `at`, or nothing.
fn replace(at: &Path, from: Option<PathBuf>) {
    if at.is_dir() {
        fs::remove_dir_all(at).expect("removes");
    } else if at.exists() {
        fs::remove_file(at).expect("removes");
    }
    match from {
        Some(from) if from.is_dir() => copy_dir(&from, at),
        Some(from) if from.exists() => drop(fs::copy(from, at).expect("copies")),
        _ => {}
    }
}
