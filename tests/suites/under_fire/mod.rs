//! Embedded stores under fire: killed, without power, on disks that fail, damaged. One suite over all of them.
#![cfg_attr(not(target_os = "linux"), allow(dead_code))]

#[cfg(target_os = "linux")]
mod damage;
mod kills;
#[cfg(target_os = "linux")]
mod power_loss;

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use baton_host::model::{ActorName, StopReason};
use baton_host::store::{OpenError, Opened, RedbOptions, RedbStore, SledOptions, SledStore, SnapshotStore};

use crate::harness::{Dice, Shim};
use crate::store_conformance::{claim, name, record};

pub(crate) type Store = Arc<dyn SnapshotStore>;
/// A store that was opened, with what that says.
pub(crate) type Told = Result<(Store, Opened), OpenError>;

/// An embedded store, and how it is opened in a data directory.
pub(crate) struct Backend {
    pub(crate) name: &'static str,
    pub(crate) open: fn(&Path) -> Result<Store, OpenError>,
    /// As `open`, with what that says, and with recovery if told so.
    pub(crate) told: fn(&Path, bool) -> Told,
    /// The store's file or folder in the data directory.
    pub(crate) place: &'static str,
}

pub(crate) const SLED: Backend = Backend {
    name: "sled",
    open: |dir| (SLED.told)(dir, false).map(|(store, _)| store),
    told: |dir, recover| {
        let opened = SledStore::open(dir, &SledOptions { recover, ..SledOptions::default() });
        opened.map(|(store, opened)| (Arc::new(store) as Store, opened))
    },
    place: "store",
};

pub(crate) const REDB: Backend = Backend {
    name: "redb",
    open: |dir| (REDB.told)(dir, false).map(|(store, _)| store),
    told: |dir, recover| {
        let opened = RedbStore::open(dir, &RedbOptions { recover, ..RedbOptions::default() });
        opened.map(|(store, opened)| (Arc::new(store) as Store, opened))
    },
    place: "store.redb",
};

const BACKENDS: [&Backend; 2] = [&SLED, &REDB];

/// Each of the functions, which take a backend, as a test of each backend.
macro_rules! on_every_backend {
    ($($(#[$attribute:meta])* $case:ident)*) => {
        mod on_sled {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            $(#[$attribute])*
            async fn $case() {
                super::$case(&crate::under_fire::SLED).await;
            })*
        }
        mod on_redb {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            $(#[$attribute])*
            async fn $case() {
                super::$case(&crate::under_fire::REDB).await;
            })*
        }
    };
}
pub(crate) use on_every_backend;

const CHILD_BACKEND: &str = "BATON_TEST_BACKEND";
const CHILD_DIR: &str = "BATON_TEST_STORE_DIR";
const CHILD_SEED: &str = "BATON_TEST_SEED";
const CHILD_WRITES: &str = "BATON_TEST_WRITES";
/// Actors that the child writes at once.
const CHILD_ACTORS: u64 = 6;
/// In the data directory: what the child has seen acknowledged.
const ACKS: &str = "acks";

/// What the child writes as an actor's `sequence`th record: of many sizes, now and then one that sled is not given in one step
/// with its head, and never the same twice.
fn payload(actor: u64, sequence: u64) -> Vec<u8> {
    let number = actor * 7 + sequence;
    let large = if number % 25 == 24 { 530_000 } else { 0 };
    let length = large + usize::try_from(number * 1_237 % 30_000).expect("small");
    (0..length).map(|i| u8::try_from((i as u64 * 31 + actor + sequence) % 251).expect("small")).collect()
}

fn child_actor(n: u64) -> ActorName {
    name(&format!("child/{n}"))
}

/// Not a test of its own: the process that others start, kill, and let run on disks that fail. It writes, and tells what
/// was acknowledged.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "other tests run it in a process of its own"]
async fn child() {
    let variable = |name| std::env::var(name).ok();
    let Some(dir) = variable(CHILD_DIR).map(PathBuf::from) else { return };
    let backend = BACKENDS.iter().find(|backend| Some(backend.name) == variable(CHILD_BACKEND).as_deref());
    let number = |name| variable(name).and_then(|number| number.parse::<u64>().ok());
    let open = backend.expect("a backend").open;
    let store = loop {
        match open(&dir) {
            Ok(store) => break store,
            Err(error) => {
                say(&format!("failed to open: {error}"));
                assert!(matches!(error, OpenError::Io { .. }), "trying again will not help");
            }
        }
    };
    let acks = std::fs::OpenOptions::new().create(true).append(true).open(dir.join(ACKS)).expect("opens");
    let acks = Arc::new(acks);
    say("open");
    let seed = number(CHILD_SEED).unwrap_or(1);
    let tasks: Vec<_> = (0..CHILD_ACTORS)
        .map(|n| {
            let dice = Dice::with_seed(seed * CHILD_ACTORS + n);
            tokio::spawn(write_for(store.clone(), n, dice, number(CHILD_WRITES), acks.clone()))
        })
        .collect();
    for task in tasks {
        task.await.expect("runs to its end");
    }
    // A disk that fails may do so once more, and says so.
    if let Err(error) = store.close().await {
        let fails = |file| std::fs::read_to_string(file).is_ok_and(|faults| faults.contains("EIO"));
        assert!(std::env::var_os("BATON_SHIM_FAULTS").is_some_and(fails), "{error}");
        say(&format!("failed to close: {error}"));
    }
}

/// Commits, and gives the actor up and claims it again now and then. What fails is tried again: disks may heal.
async fn write_for(store: Store, n: u64, mut dice: Dice, writes: Option<u64>, acks: Arc<std::fs::File>) {
    let actor = child_actor(n);
    let mut lease = None;
    let mut left = writes.unwrap_or(u64::MAX);
    let mut trouble = String::new();
    while left > 0 {
        let Some(held) = &mut lease else {
            match store.head(&actor).await {
                Ok(head) => lease = store.claim(&actor, head.map(|(_, revision)| revision), "child").await.ok(),
                Err(error) => {
                    let error = error.to_string();
                    if error != trouble {
                        say(&format!("failed {n}: {error}"));
                        assert!(!error.contains("stays closed"), "waiting will not help");
                        trouble = error;
                    }
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
            }
            continue;
        };
        let next = held.head.sequence + 1;
        let gives_up = dice.one_in(10);
        let new = record(payload(n, next));
        let written = match gives_up {
            true => store.release(held, Some(new), StopReason::Shutdown).await.map(drop),
            false => store.commit(held, new).await.map(drop),
        };
        let epoch = held.head.epoch;
        if written.is_err() || gives_up {
            lease = None;
        }
        match written {
            Ok(()) => {
                let line = format!("acknowledged {n} {next} {epoch} .");
                // What a failed write has left of a line is none.
                while (&*acks).write_all(format!("{line}\n").as_bytes()).is_err() {}
                say(&line);
                left -= 1;
            }
            Err(error) => say(&format!("failed {n} {next}: {error}")),
        }
    }
}

fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}").and_then(|()| out.flush()).expect("the parent listens");
}

/// A child to come.
pub(crate) struct Writer(Command);

impl Writer {
    pub(crate) fn new(backend: &Backend, dir: &Path) -> Self {
        let mut command = Command::new(std::env::current_exe().expect("a test has a file"));
        command.args(["under_fire::child", "--exact", "--ignored", "--nocapture", "--test-threads=1"]);
        command.env(CHILD_BACKEND, backend.name).env(CHILD_DIR, dir);
        Self(command)
    }

    /// Each actor writes so often; else without end.
    fn writes(mut self, writes: u64) -> Self {
        self.0.env(CHILD_WRITES, writes.to_string());
        self
    }

    fn seed(mut self, seed: usize) -> Self {
        self.0.env(CHILD_SEED, seed.to_string());
        self
    }

    fn on(mut self, disk: &Shim) -> Self {
        disk.preload(&mut self.0);
        self
    }

    pub(crate) fn start(mut self) -> Running {
        let mut child = self.0.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("starts");
        let lines = BufReader::new(child.stdout.take().expect("piped"));
        Running { child, lines }
    }
}

/// A child that writes; it ends with this.
pub(crate) struct Running {
    child: Child,
    /// Kept open: a child whose words nobody hears any more would end.
    lines: BufReader<ChildStdout>,
}

impl Running {
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// What it says, until it ends.
    pub(crate) fn lines(&mut self) -> impl Iterator<Item = String> {
        (&mut self.lines).lines().map(|line| line.expect("text"))
    }

    fn kill(&mut self) {
        self.child.kill().expect("is killed");
    }

    fn wait(&mut self) -> std::process::ExitStatus {
        self.child.wait().expect("ends")
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What was acknowledged to the child: sequence and epoch of each actor.
#[derive(Clone, Debug, Default)]
struct Acknowledged(BTreeMap<u64, (u64, u64)>);

impl Acknowledged {
    /// Hears a line of the child's; whether it was an acknowledgement.
    fn hear(&mut self, line: &str) -> bool {
        let Some((_, line)) = line.strip_suffix(" .").and_then(|line| line.rsplit_once("acknowledged ")) else {
            return false;
        };
        let words: Vec<u64> = line.split(' ').map_while(|word| word.parse().ok()).collect();
        let [actor, sequence, epoch] = words.as_slice() else { return false };
        let before = self.0.insert(*actor, (*sequence, *epoch)).unwrap_or_default();
        assert!(*sequence > before.0 && *epoch >= before.1, "{before:?}, then {line}");
        true
    }

    /// All of it is in the store, every head that is there names whole records alone, and they are what was written. What
    /// was not acknowledged may be there all the same: it counts from now on.
    async fn check(&mut self, store: &dyn SnapshotStore) -> Result<(), String> {
        for n in 0..CHILD_ACTORS {
            let actor = child_actor(n);
            let (sequence, epoch) = self.0.get(&n).copied().unwrap_or_default();
            let head = store.head(&actor).await.map_err(|error| format!("{actor}: {error}"))?;
            let Some((head, _)) = head else {
                if sequence > 0 {
                    return Err(format!("{actor}: no head, {sequence} acknowledged"));
                }
                continue;
            };
            if head.sequence < sequence || head.epoch < epoch {
                return Err(format!("{actor}: {sequence} acknowledged under epoch {epoch}, found {head:?}"));
            }
            if head.records.first().map_or(0, |record| record.sequence) != head.sequence {
                return Err(format!("{actor}: no record {}: {head:?}", head.sequence));
            }
            for reference in &head.records {
                let told = |what: String| format!("{actor}: record {}: {what}", reference.sequence);
                let loaded = store.load(&actor, reference).await.map_err(|error| told(error.to_string()))?;
                if loaded.data != payload(n, reference.sequence) {
                    return Err(told("another state".to_owned()));
                }
            }
            self.0.insert(n, (head.sequence, head.epoch));
        }
        Ok(())
    }
}

/// The store goes on: it can be written and closed.
async fn goes_on(store: &dyn SnapshotStore) {
    let mut lease = claim(store, &name("new"), "host").await;
    store.commit(&mut lease, record(vec![5])).await.expect("commits");
    store.close().await.expect("closes");
}
