//! Stores that were damaged from outside: a clear error or the right state, never another one, never an empty start, never
//! the end of the process.

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use baton_host::store::{OpenError, SnapshotStore, StoreError};

use super::{BACKENDS, Backend, CHILD_BACKEND, Store, child_actor, on_every_backend, payload, say};
use crate::harness::{Dice, number_from};
use crate::store_conformance::{claim, record};
use crate::store_files::{copy, remove};

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
                Ok(record) if record.data == small(n, reference.sequence) => {}
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
    fn start(backend: &str) -> Self {
        let mut command = Command::new(std::env::current_exe().expect("a test has a file"));
        command.args(["under_fire::damage::examiner", "--exact", "--ignored", "--nocapture", "--test-threads=1"]);
        command.env(CHILD_BACKEND, backend).env(EXAMINER, "1");
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("starts");
        let lines = BufReader::new(child.stdout.take().expect("piped")).lines();
        let (sender, verdicts) = mpsc::sync_channel(1);
        thread::spawn(move || {
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

/// What is done to a file, or to an entry of the directory.
#[derive(Debug, Clone)]
enum Damage {
    /// A byte of the file with this number is changed.
    Flip { file: usize, at: usize, with: u8 },
    /// It ends here.
    Cut { file: usize, length: usize },
    /// An entry is gone, or another one stands in its place.
    Replace { entry: PathBuf, with: Option<PathBuf>, what: &'static str },
}

/// A good store in memory, and what was found of its damaged copies.
struct Bench {
    backend: &'static str,
    dir: tempfile::TempDir,
    files: Vec<(PathBuf, Vec<u8>)>,
    right: AtomicUsize,
    errors: AtomicUsize,
}

impl Bench {
    async fn new(backend: &Backend) -> Self {
        let dir = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).expect("a directory");
        let good = dir.path().join("good");
        fill(backend, &good, RECORDS).await;
        let files = files(&good);
        Self { backend: backend.name, dir, files, right: AtomicUsize::new(0), errors: AtomicUsize::new(0) }
    }

    fn good(&self) -> PathBuf {
        self.dir.path().join("good")
    }

    /// Those that have something in them, with their numbers.
    fn filled(&self) -> impl Iterator<Item = (usize, &[u8])> {
        let all = self.files.iter().enumerate().map(|(file, (_, bytes))| (file, bytes.as_slice()));
        all.filter(|(_, bytes)| !bytes.is_empty())
    }

    /// Examines a copy of the good store with each of the damages, several at once.
    fn examine(&self, damages: &[Damage]) {
        let next = AtomicUsize::new(0);
        let examiners = thread::available_parallelism().map_or(2, |cores| cores.get() * 2).min(damages.len());
        thread::scope(|scope| {
            for number in 0..examiners {
                let next = &next;
                scope.spawn(move || {
                    let mut examiner = Examiner::start(self.backend);
                    let copy = self.dir.path().join(format!("copy-{number}"));
                    while let Some(damage) = damages.get(next.fetch_add(1, Ordering::Relaxed)) {
                        self.one(&mut examiner, &copy, damage);
                    }
                });
            }
        });
    }

    fn one(&self, examiner: &mut Examiner, copy: &Path, damage: &Damage) {
        self.copy(copy, damage);
        let verdict = examiner.examine(copy);
        let found = match verdict.split_once(' ').map_or(verdict.as_str(), |(first, _)| first) {
            "right" => &self.right,
            "error" => &self.errors,
            _ => panic!("{}: {verdict}", self.words(damage)),
        };
        found.fetch_add(1, Ordering::Relaxed);
        fs::remove_dir_all(copy).expect("removes");
        let all = self.right.load(Ordering::Relaxed) + self.errors.load(Ordering::Relaxed);
        if all.is_multiple_of(50_000) {
            eprintln!("{all} on {}, {} of them errors", self.backend, self.errors.load(Ordering::Relaxed));
        }
    }

    fn copy(&self, copy: &Path, damage: &Damage) {
        fs::create_dir(copy).expect("makes");
        for (number, (file, bytes)) in self.files.iter().enumerate() {
            let path = copy.join(file);
            fs::create_dir_all(path.parent().expect("below the copy")).expect("makes");
            match damage {
                Damage::Flip { file, at, with } if *file == number => {
                    let mut bytes = bytes.clone();
                    bytes[*at] ^= with;
                    fs::write(path, bytes).expect("damages");
                }
                Damage::Cut { file, length } if *file == number => {
                    fs::write(path, &bytes[..*length]).expect("damages");
                }
                _ => fs::write(path, bytes).expect("copies"),
            }
        }
        if let Damage::Replace { entry, with, .. } = damage {
            replace(&copy.join(entry), with.clone());
        }
    }

    fn words(&self, damage: &Damage) -> String {
        let name = |file: &usize| self.files[*file].0.display();
        match damage {
            Damage::Flip { file, at, with } => format!("{} with byte {at} flipped by {with:#x}", name(file)),
            Damage::Cut { file, length } => format!("{} cut to {length} bytes", name(file)),
            Damage::Replace { entry, what, .. } => format!("{} is {what}", entry.display()),
        }
    }

    /// Says how many were errors, and how many without effect.
    fn end(self, what: &str) -> (usize, usize) {
        let (errors, right) = (self.errors.into_inner(), self.right.into_inner());
        let bytes = self.files.iter().map(|(file, bytes)| format!("{} {}", file.display(), bytes.len()));
        let bytes = bytes.collect::<Vec<_>>().join(", ");
        println!("{what} on {}: {errors} errors, {right} without effect; bytes: {bytes}", self.backend);
        (errors, right)
    }
}

/// What the store holds: little, but one record of several chunks.
fn small(actor: u64, sequence: u64) -> Vec<u8> {
    let mut data = payload(actor, sequence);
    data.truncate(if actor == 0 && sequence == 1 { 5_000 } else { 300 });
    data
}

/// Writes, in a small store, as many records of each actor as are wanted and not there yet.
async fn fill(backend: &Backend, dir: &Path, wanted: u64) {
    let store: Store = (backend.open)(dir).expect("opens");
    for n in 0..ACTORS {
        let mut lease = claim(&*store, &child_actor(n), "host").await;
        while lease.head.sequence < wanted {
            let next = lease.head.sequence + 1;
            store.commit(&mut lease, record(small(n, next))).await.expect("commits");
        }
    }
    store.close().await.expect("closes");
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
    let (mut dice, bench) = (Dice::new(), Bench::new(backend).await);
    let mut flips = Vec::new();
    for (file, bytes) in bench.filled() {
        for at in places(bytes, bench.files.len(), &mut dice) {
            let with = if dice.one_in(2) { 0xff } else { 1 << dice.below(8) };
            flips.push(Damage::Flip { file, at, with });
        }
    }
    bench.examine(&flips);
    let (errors, right) = bench.end("flips");
    assert!(errors > 0 && right > 0, "{errors} errors, {right} right");
}

async fn a_file_that_was_cut_is_an_error_or_changes_nothing(backend: &Backend) {
    let (mut dice, bench) = (Dice::new(), Bench::new(backend).await);
    let mut cuts = Vec::new();
    for (file, bytes) in bench.filled() {
        cuts.extend(places(bytes, bench.files.len(), &mut dice).into_iter().map(|length| Damage::Cut { file, length }));
    }
    bench.examine(&cuts);
    let (errors, right) = bench.end("cuts");
    assert!(errors > 0, "{right} right");
}

async fn a_file_that_is_gone_or_another_stores_or_of_another_time_is_an_error_or_changes_nothing(backend: &Backend) {
    let mut bench = Bench::new(backend).await;
    let (good, older, other) = (bench.good(), bench.dir.path().join("older"), bench.dir.path().join("other"));
    fs::remove_dir_all(&good).expect("removes");
    fill(backend, &good, RECORDS - 1).await;
    copy(&good, &older);
    fill(backend, &good, RECORDS).await;
    fill(backend, &other, RECORDS).await;
    bench.files = files(&good);
    let top = fs::read_dir(&good).expect("reads").map(|entry| entry.expect("reads").file_name().into());
    let entries: BTreeSet<PathBuf> = top.chain(bench.files.iter().map(|(file, _)| file.clone())).collect();
    let mut swaps = Vec::new();
    for (what, source) in [("gone", None), ("older", Some(&older)), ("another store's", Some(&other))] {
        let with = |entry: &PathBuf| source.map(|from| from.join(entry));
        swaps.extend(entries.iter().map(|entry| Damage::Replace { with: with(entry), entry: entry.clone(), what }));
    }
    bench.examine(&swaps);
    let (errors, right) = bench.end("swaps");
    assert!(errors > 0 && right > 0, "{errors} errors, {right} right");
}

/// Puts a copy of `from` in the place of `at`, or nothing.
fn replace(at: &Path, from: Option<PathBuf>) {
    remove(at);
    if let Some(from) = from.filter(|from| from.exists()) {
        copy(&from, at);
    }
}
