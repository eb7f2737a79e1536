//! Random sequences of all that a store is asked, by three hosts and a tool over three actors with hostile names, against a
//! plain model of what it promises.

use std::cell::Cell;
use std::collections::BTreeMap;

use baton_host::store::tools;
use proptest::prelude::*;
use proptest::test_runner::TestRunner;

use super::*;

/// Sequences that are tried, and how long they are at most.
const CASES: u32 = 40;
const STEPS: usize = 60;
/// Names that some servers take for one another, or for something else.
const NAMES: [&str; 8] = ["a", "a ", "A", "ä", "a\u{308}", "'; DROP TABLE heads; --", "%00\\0${x}", "日本:m/🦀"];
const OWNERS: [&str; 3] = ["host-a", "host-b", "host-c"];
/// Refusals that a head remembers.
const REFUSALS: usize = 8;

/// What is asked: of which actor, and by which host.
#[derive(Debug, Clone)]
enum Ask {
    Claim {
        seen: bool,
        wakes: bool,
    },
    Commit {
        bytes: usize,
        lost: bool,
    },
    Switch,
    TakeUp,
    Rest {
        record: bool,
    },
    Release {
        record: bool,
    },
    Forget,
    Refuse {
        component: u8,
    },
    /// Keeps an image, as an export does.
    Save,
    /// Puts it back.
    Put,
    Prune {
        keep: usize,
    },
    Pardon,
    Quarantine {
        nth: usize,
    },
    Discard,
    /// The host leaves, or is there again.
    Away,
}

fn asks() -> impl Strategy<Value = Vec<(usize, usize, Ask)>> {
    let ask = prop_oneof![
        4 => any::<(bool, bool)>().prop_map(|(seen, wakes)| Ask::Claim { seen, wakes }),
        8 => (0usize..9_000, any::<bool>()).prop_map(|(bytes, lost)| Ask::Commit { bytes, lost }),
        2 => Just(Ask::Switch),
        2 => Just(Ask::TakeUp),
        2 => any::<bool>().prop_map(|record| Ask::Rest { record }),
        2 => any::<bool>().prop_map(|record| Ask::Release { record }),
        1 => Just(Ask::Forget),
        2 => (0u8..3).prop_map(|component| Ask::Refuse { component }),
        1 => Just(Ask::Save),
        1 => Just(Ask::Put),
        1 => (0usize..4).prop_map(|keep| Ask::Prune { keep }),
        1 => Just(Ask::Pardon),
        1 => (0usize..3).prop_map(|nth| Ask::Quarantine { nth }),
        1 => Just(Ask::Discard),
        1 => Just(Ask::Away),
    ];
    proptest::collection::vec((0usize..3, 0usize..3, ask), 1..STEPS)
}

/// What a store holds for an actor, as far as anybody can see.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Kept {
    epoch: u64,
    generation: u64,
    sequence: u64,
    owner: Option<usize>,
    stopped: bool,
    taken_up: Option<u64>,
    way_back: Option<u64>,
    /// Sequences and states, newest first.
    records: Vec<(u64, Vec<u8>)>,
    /// Of which record, by which component.
    refusals: Vec<(u64, u8)>,
    quarantine: Vec<u64>,
}

impl Kept {
    fn push(&mut self, data: Vec<u8>, history: usize) {
        self.sequence += 1;
        (self.taken_up, self.stopped) = (None, false);
        self.records.insert(0, (self.sequence, data));
        self.trim(history);
    }

    /// Drops what is more than `keep` records, but for the way back.
    fn trim(&mut self, keep: usize) {
        let mut nth = 0;
        let way_back = self.way_back;
        self.records.retain(|(sequence, _)| {
            nth += 1;
            nth <= keep || Some(*sequence) == way_back
        });
        let left: Vec<u64> = self.records.iter().map(|(sequence, _)| *sequence).collect();
        self.refusals.retain(|(record, _)| left.contains(record));
    }
}

/// An actor, and what a model must know besides.
#[derive(Debug, Default)]
struct Actor {
    kept: Option<Kept>,
    /// Rises with each write that ends other leases.
    version: u64,
    leases: BTreeMap<usize, (Lease, u64)>,
    saved: Option<(Image, Kept)>,
}

struct Play {
    store: Store,
    names: Vec<ActorName>,
    actors: [Actor; 3],
    here: [bool; 3],
    shared: bool,
    history: usize,
    drawn: u8,
}

type Answer = Result<(), StoreError>;

impl Play {
    fn new(store: Store, case: u64, first: usize) -> Self {
        let names = (0..3).map(|n| name(&format!("{}/{case}", NAMES[(first + n) % NAMES.len()]))).collect();
        let (shared, history) = (store.capabilities().shared, store.capabilities().history);
        Self { store, names, actors: Default::default(), here: [true; 3], shared, history, drawn: 0 }
    }

    fn data(&mut self, bytes: usize) -> Vec<u8> {
        self.drawn = self.drawn.wrapping_add(1);
        vec![self.drawn; bytes]
    }

    /// Whether that host may write at all.
    fn runs(&self, host: usize) -> bool {
        !self.shared || self.here[host]
    }

    /// Whether a tool may write: nobody owns the actor whose lease runs.
    fn free(&self, actor: usize) -> bool {
        let owner = self.actors[actor].kept.as_ref().and_then(|kept| kept.owner);
        !self.shared || owner.is_none_or(|owner| !self.here[owner])
    }

    async fn revision(&self, actor: usize) -> Option<Revision> {
        self.store.head(&self.names[actor]).await.expect("answers").map(|(_, revision)| revision)
    }

    async fn step(&mut self, actor: usize, host: usize, ask: &Ask) {
        match ask {
            Ask::Claim { seen, wakes } => self.claim(actor, host, *seen, *wakes).await,
            Ask::Save => {
                let image = tools::image(&*self.store, &self.names[actor]).await.expect("reads");
                let kept = self.actors[actor].kept.clone();
                self.actors[actor].saved = image.zip(kept);
            }
            Ask::Put => self.put(actor).await,
            Ask::Prune { keep } => {
                let pruned = self.store.prune(&self.names[actor], *keep).await;
                match &mut self.actors[actor].kept {
                    Some(kept) => kept.trim((*keep).max(1)),
                    None => return conflicts(&pruned, "prune"),
                }
                pruned.expect("prunes");
            }
            Ask::Pardon => self.pardon(actor).await,
            Ask::Quarantine { nth } => self.quarantine(actor, *nth).await,
            Ask::Discard => {
                let gone = self.store.discard(&self.names[actor], None).await.expect("answers");
                let kept = self.actors[actor].kept.as_mut();
                assert_eq!(gone, kept.map_or(0, |kept| std::mem::take(&mut kept.quarantine).len()));
            }
            Ask::Away => {
                match self.here[host] {
                    true => leave(&*self.store, OWNERS[host]).await,
                    false => join(&*self.store, OWNERS[host]).await,
                }
                self.here[host] = !self.here[host];
            }
            _ => self.under_lease(actor, host, ask).await,
        }
    }

    async fn claim(&mut self, actor: usize, host: usize, seen: bool, wakes: bool) {
        let expect = match seen {
            true => self.revision(actor).await,
            // One that never was.
            false => Some(Revision(self.revision(actor).await.map_or(1, |revision| revision.0 ^ 1))),
        };
        let claimed = match wakes {
            true => self.store.wake(&self.names[actor], expect, OWNERS[host]).await,
            false => self.store.claim(&self.names[actor], expect, OWNERS[host]).await,
        };
        if !seen || !self.runs(host) {
            return conflicts(&claimed.map(drop), "claim");
        }
        let lease = claimed.expect("claims");
        let Actor { kept, version, leases, .. } = &mut self.actors[actor];
        let kept = kept.get_or_insert_default();
        *version += 1;
        (kept.epoch, kept.generation) = (kept.epoch + 1, kept.generation + 1);
        (kept.owner, kept.stopped) = (Some(host), false);
        if wakes && !kept.records.is_empty() {
            kept.taken_up = Some(kept.generation);
            assert!(!lease.is_taken_up(), "nobody has, though it is marked");
        }
        leases.insert(host, (lease, *version));
    }

    async fn put(&mut self, actor: usize) {
        let Some((image, was)) = self.actors[actor].saved.clone() else { return };
        let expect = self.revision(actor).await;
        let put = self.store.put(&self.names[actor], expect, image).await.map(drop);
        if !self.free(actor) {
            return conflicts(&put, "put");
        }
        put.expect("puts");
        let history = self.history;
        let Actor { kept, version, .. } = &mut self.actors[actor];
        *version += 1;
        let before = kept.take().unwrap_or_default();
        let mut now = Kept {
            epoch: before.epoch.max(was.epoch) + 1,
            generation: before.generation.max(was.generation),
            sequence: before.sequence.max(was.sequence),
            owner: None,
            ..was
        };
        now.trim(history);
        *kept = Some(now);
    }

    async fn pardon(&mut self, actor: usize) {
        let revision = self.revision(actor).await;
        let pardoned = self.store.pardon(&self.names[actor], revision.unwrap_or(Revision(7))).await.map(drop);
        if revision.is_none() || !self.free(actor) {
            return conflicts(&pardoned, "pardon");
        }
        pardoned.expect("pardons");
        let Actor { kept, version, .. } = &mut self.actors[actor];
        *version += 1;
        kept.as_mut().expect("a head").refusals.clear();
    }

    async fn quarantine(&mut self, actor: usize, nth: usize) {
        let head = self.store.head(&self.names[actor]).await.expect("answers");
        let Some(record) = head.and_then(|(head, _)| head.records.get(nth).cloned()) else { return };
        self.store.quarantine(&self.names[actor], &record, "why").await.expect("is kept");
        let kept = self.actors[actor].kept.as_mut().expect("a head");
        if !kept.quarantine.contains(&record.sequence) {
            kept.quarantine.push(record.sequence);
            kept.quarantine.sort_unstable();
        }
    }

    /// What a host asks that has claimed the actor at some time.
    async fn under_lease(&mut self, actor: usize, host: usize, ask: &Ask) {
        let data = self.data(if let Ask::Commit { bytes, .. } = ask { *bytes } else { 3 });
        let Some((mut lease, version)) = self.actors[actor].leases.get(&host).cloned() else { return };
        if matches!(ask, Ask::Refuse { .. }) && lease.head.records.is_empty() {
            // There is nothing that could have been refused.
            return;
        }
        // Who has given the actor up has the newest lease, and none any more.
        let owns = self.actors[actor].kept.as_ref().is_some_and(|kept| kept.owner == Some(host));
        let holds = owns && version == self.actors[actor].version;
        let before = lease.clone();
        let outcome = Self::write(&*self.store, &mut lease, ask, data.clone()).await;
        if !holds || !self.runs(host) {
            conflicts(&outcome, "a write under a lease");
            assert_eq!(lease, before, "a refused lease stays as it was");
            return;
        }
        outcome.expect("it holds its lease");
        let early = before.head.taken_up.is_some() && !before.is_taken_up();
        self.actors[actor].apply(ask, data, early, self.history);
        if matches!(ask, Ask::Commit { lost: true, .. }) {
            // As if nobody had heard the answer: what counts is read again.
            let (head, revision) = self.store.head(&self.names[actor]).await.expect("answers").expect("a head");
            assert_eq!((head.epoch, head.sequence), (before.head.epoch, before.head.sequence + 1));
            (lease.head, lease.revision) = (head, revision);
        }
        let version = self.actors[actor].version;
        self.actors[actor].leases.insert(host, (lease, version));
    }

    async fn write(store: &dyn SnapshotStore, lease: &mut Lease, ask: &Ask, data: Vec<u8>) -> Answer {
        match ask {
            Ask::Commit { .. } => store.commit(lease, record(data)).await.map(drop),
            Ask::Switch => store.switch(lease, record(data)).await.map(drop),
            Ask::TakeUp => store.take_up(lease).await,
            Ask::Rest { record: with } => store.rest(lease, with.then(|| record(data))).await.map(drop),
            Ask::Release { record: false } => store.release(lease, None, StopReason::Normal).await.map(drop),
            Ask::Release { record: true } => {
                store.release(lease, Some(record(data)), StopReason::Normal).await.map(drop)
            }
            Ask::Forget => store.forget(lease).await,
            Ask::Refuse { component } => {
                let refused = Refused {
                    record: lease.head.current().map_or(Digest::of(b"none"), |record| record.digest),
                    component: Digest::of(&[*component]),
                    version: "1.0.0".to_owned(),
                    why: component.to_string(),
                    time_ms: 1,
                };
                store.refuse(lease, refused).await
            }
            _ => unreachable!("it is asked elsewhere"),
        }
    }

    /// That the store holds what the model does.
    async fn check(&self) {
        for (actor, named) in self.actors.iter().zip(&self.names) {
            let head = self.store.head(named).await.expect("answers").map(|(head, _)| head);
            let Some(kept) = &actor.kept else {
                assert_eq!(head, None, "{named}");
                continue;
            };
            let head = head.expect("a head");
            let mut records = Vec::new();
            for reference in &head.records {
                let record = self.store.load(named, reference).await.expect("loads");
                assert_eq!(record.header.sequence, reference.sequence);
                records.push((reference.sequence, record.data));
            }
            let sequence_of = |digest| head.records.iter().find(|record| record.digest == digest);
            let refusals = head.refusals.iter().map(|refused| {
                let sequence = sequence_of(refused.record).map_or(0, |record| record.sequence);
                (sequence, refused.why.parse().expect("a number"))
            });
            let copies = self.store.quarantined(named).await.expect("answers");
            let mut quarantine: Vec<u64> = copies.iter().map(|copy| copy.record.sequence).collect();
            quarantine.sort_unstable();
            let found = Kept {
                epoch: head.epoch,
                generation: head.generation,
                sequence: head.sequence,
                owner: head.owner.as_ref().and_then(|owner| OWNERS.iter().position(|known| known == owner)),
                stopped: head.stopped.is_some(),
                taken_up: head.taken_up,
                way_back: head.way_back,
                records,
                refusals: refusals.collect(),
                quarantine,
            };
            assert!(found == *kept, "{named}: {found:?} instead of {kept:?}");
        }
        let mut listed = Vec::new();
        loop {
            let page = self.store.list(listed.last(), 7).await.expect("answers");
            if page.is_empty() {
                break;
            }
            listed.extend(page.into_iter().map(|(name, _)| name));
        }
        for (actor, name) in self.actors.iter().zip(&self.names) {
            assert_eq!(listed.contains(name), actor.kept.is_some(), "{name}");
        }
        assert!(listed.is_sorted(), "in the order of their bytes");
    }

    /// So that the next sequence finds the hosts there.
    async fn end(&self) {
        for (host, here) in OWNERS.iter().zip(self.here) {
            if !here {
                join(&*self.store, host).await;
            }
        }
    }
}

impl Actor {
    /// What a write does that a lease allows.
    fn apply(&mut self, ask: &Ask, data: Vec<u8>, early: bool, history: usize) {
        let kept = self.kept.as_mut().expect("it was claimed");
        if early && matches!(ask, Ask::Rest { .. } | Ask::Release { .. } | Ask::Refuse { .. }) {
            kept.taken_up = None;
        }
        match ask {
            Ask::Commit { .. } => kept.push(data, history),
            Ask::Switch => {
                kept.way_back = kept.records.first().map(|(sequence, _)| *sequence);
                kept.push(data, history);
                kept.generation += 1;
                kept.taken_up = Some(kept.generation);
            }
            Ask::TakeUp => {
                if kept.records.is_empty() || kept.taken_up == Some(kept.generation) {
                    return;
                }
                (kept.taken_up, kept.stopped) = (Some(kept.generation), false);
            }
            Ask::Rest { record } => {
                if *record {
                    kept.push(data, history);
                }
                kept.stopped = true;
            }
            Ask::Release { record } => {
                if *record {
                    kept.push(data, history);
                }
                (kept.owner, kept.stopped) = (None, true);
            }
            Ask::Forget => {
                let Kept { epoch, generation, sequence, .. } = *kept;
                *kept = Kept { epoch, generation, sequence, ..Kept::default() };
            }
            Ask::Refuse { component } => {
                let refused = (kept.records.first().map_or(0, |(sequence, _)| *sequence), *component);
                kept.refusals.retain(|old| *old != refused);
                kept.refusals.insert(0, refused);
                kept.refusals.truncate(REFUSALS);
            }
            _ => unreachable!("it needs no lease"),
        }
        self.version += 1;
    }
}

fn conflicts(outcome: &Answer, what: &str) {
    assert!(matches!(outcome, Err(StoreError::Conflict(_))), "{what}: {outcome:?}");
}

/// Plays sequences on one store, each with actors of its own.
fn plays(runtime: &tokio::runtime::Runtime, store: &Store, cases: u32) {
    let config =
        ProptestConfig { cases, failure_persistence: None, max_shrink_iters: 200, ..ProptestConfig::default() };
    let case = Cell::new(0u64);
    let played = TestRunner::new(config).run(&(0usize..NAMES.len(), asks()), |(first, asks)| {
        case.set(case.get() + 1);
        let mut play = Play::new(store.clone(), case.get(), first);
        let playing = std::panic::AssertUnwindSafe(|| {
            runtime.block_on(async {
                for (actor, host, ask) in &asks {
                    play.step(*actor, *host, ask).await;
                }
                play.check().await;
            });
        });
        let done = std::panic::catch_unwind(playing);
        runtime.block_on(play.end());
        done.map_err(|panic| {
            let said = panic.downcast_ref::<String>().cloned();
            TestCaseError::fail(said.unwrap_or_else(|| "it panicked".to_owned()))
        })
    });
    if let Err(error) = played {
        panic!("{error}");
    }
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime")
}

fn on_a_server(kind: ServerKind) {
    let Some(server) = Server::start(kind) else { return };
    let runtime = runtime();
    let store = runtime.block_on(on_server(&server, "model"));
    plays(&runtime, &store, CASES);
}

#[test]
fn whatever_is_asked_memory_does_as_the_model() {
    plays(&runtime(), &memory().store, CASES * 4);
}

#[test]
fn whatever_is_asked_sled_does_as_the_model() {
    let made = sled();
    plays(&runtime(), &made.store, CASES);
}

#[test]
fn whatever_is_asked_redb_does_as_the_model() {
    let made = redb();
    plays(&runtime(), &made.store, CASES);
}

#[test]
fn whatever_is_asked_postgres_does_as_the_model() {
    on_a_server(ServerKind::Postgres);
}

#[test]
fn whatever_is_asked_mariadb_does_as_the_model() {
    on_a_server(ServerKind::Mariadb);
}

#[test]
fn whatever_is_asked_mysql_does_as_the_model() {
    on_a_server(ServerKind::Mysql);
}

#[test]
fn whatever_is_asked_redis_does_as_the_model() {
    on_a_server(ServerKind::Redis);
}
