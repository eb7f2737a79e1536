//! Far more named actors than instances, all kept busy by a Zipf load: whether memory stays flat, how long callers wait, and
//! whether each count is right at the end. Run by `cargo bench --workspace --bench million --locked -- --actors 100000 --minutes 2`;
//! the book's page "Sleeping actors" says what it came to.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use baton_host::store::{Backend, DEFAULT_CACHE_BYTES, SnapshotStore, StoreOptions};
use baton_host::{ActorName, CallOptions, Host, Passivation, Pattern, PluginName, Template};
use baton_tests::{Dice, WatGuest};

const USAGE: &str =
    "million [--actors N] [--minutes M] [--resident R] [--clients C] [--backend sled|redb] [--cache-mib C]";

/// What is played.
#[derive(Debug, Clone)]
struct Play {
    actors: usize,
    minutes: f64,
    resident: u32,
    clients: usize,
    backend: Backend,
    /// Of the store.
    cache_mib: u64,
}

impl Play {
    fn read(words: &[String]) -> Result<Self, String> {
        let cache_mib = DEFAULT_CACHE_BYTES >> 20;
        let (backend, minutes) = (Backend::Sled, 10.0);
        let mut play = Self { actors: 1_000_000, minutes, resident: 8_000, clients: 64, backend, cache_mib };
        let mut words = words.iter();
        while let Some(word) = words.next() {
            let value = words.next().ok_or_else(|| format!("`{word}` needs a value"))?;
            let wrong = |_| format!("{word} {value}: not a number");
            match word.as_str() {
                "--actors" => play.actors = value.parse().map_err(wrong)?,
                "--minutes" => play.minutes = value.parse().map_err(|_| format!("{word} {value}: not a number"))?,
                "--resident" => play.resident = value.parse().map_err(wrong)?,
                "--clients" => play.clients = value.parse().map_err(wrong)?,
                "--cache-mib" => play.cache_mib = value.parse().map_err(wrong)?,
                "--backend" => {
                    let found = Backend::ALL.into_iter().find(|backend| backend.name() == value);
                    play.backend = found.ok_or_else(|| format!("{word} {value}: no such store"))?;
                }
                _ => return Err(format!("`{word}` is no option")),
            }
        }
        Ok(play)
    }
}

/// How often something took how long: an exact count for each thirty-second part of each doubling of microseconds.
struct Times([AtomicU64; Self::BUCKETS]);

impl Times {
    const PARTS: u64 = 32;
    const BUCKETS: usize = 32 * 32;

    fn new() -> Self {
        Self([const { AtomicU64::new(0) }; Self::BUCKETS])
    }

    fn add(&self, took: Duration) {
        let us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX).max(1);
        let doubling = us.ilog2().saturating_sub(Self::PARTS.ilog2());
        let bucket = u64::from(doubling) * Self::PARTS + (us >> doubling);
        self.0[usize::try_from(bucket).unwrap_or(usize::MAX).min(Self::BUCKETS - 1)].fetch_add(1, Ordering::Relaxed);
    }

    fn count(&self) -> u64 {
        self.0.iter().map(|bucket| bucket.load(Ordering::Relaxed)).sum()
    }

    /// What all but so many of 1,000 took at most, to the thirty-second part.
    fn within(&self, per_mille: u64) -> Duration {
        let (mut left, mut at) = ((self.count() * per_mille).div_ceil(1_000), 0);
        for (bucket, count) in self.0.iter().enumerate() {
            at = bucket as u64;
            left = left.saturating_sub(count.load(Ordering::Relaxed));
            if left == 0 {
                break;
            }
        }
        let doubling = (at / Self::PARTS).saturating_sub(1);
        Duration::from_micros((at - doubling * Self::PARTS + 1) << doubling)
    }
}

/// The counts that are expected, and what was seen on the way.
struct Seen {
    expected: Vec<AtomicU32>,
    times: Times,
    failed: AtomicU64,
    wrong: AtomicU64,
}

fn name_of(place: usize) -> ActorName {
    ActorName::new(&format!("c/{place:07}")).expect("a name")
}

/// One call, and whether its reply can be.
async fn call(host: &Host, seen: &Seen, place: usize) {
    let began = Instant::now();
    seen.expected[place].fetch_add(1, Ordering::Relaxed);
    match host.call(&name_of(place), "a", CallOptions::default()).await {
        Ok(reply) => {
            seen.times.add(began.elapsed());
            let count = reply[..].try_into().map_or(0, u32::from_le_bytes);
            if count == 0 || count > seen.expected[place].load(Ordering::Relaxed) {
                seen.wrong.fetch_add(1, Ordering::Relaxed);
            }
        }
        Err(error) => {
            if seen.failed.fetch_add(1, Ordering::Relaxed) < 5 {
                eprintln!("a call failed: {error}");
            }
        }
    }
}

/// All of them once, side by side.
async fn name_all(host: &Host, seen: &Arc<Seen>, play: &Play) {
    let next = Arc::new(AtomicU64::new(0));
    let clients = (0..play.clients).map(|_| {
        let (host, seen, next, actors) = (host.clone(), seen.clone(), next.clone(), play.actors);
        tokio::spawn(async move {
            loop {
                let place = usize::try_from(next.fetch_add(1, Ordering::Relaxed)).unwrap_or(usize::MAX);
                if place >= actors {
                    return;
                }
                call(&host, &seen, place).await;
            }
        })
    });
    for client in clients.collect::<Vec<_>>() {
        client.await.expect("it calls");
    }
}

/// A Zipf load with exponent 1: one in ten messages is a cast.
async fn load(host: &Host, seen: &Arc<Seen>, play: &Play) {
    let over = Arc::new(AtomicBool::new(false));
    let clients = (0..play.clients).map(|client| {
        let (host, seen, over, actors) = (host.clone(), seen.clone(), over.clone(), play.actors);
        tokio::spawn(async move {
            let mut dice = Dice::with_seed(client as u64);
            while !over.load(Ordering::Relaxed) {
                let place = dice.zipf(actors);
                if dice.one_in(10) {
                    // Before it is sent: another's call may be answered with it before this one goes on.
                    seen.expected[place].fetch_add(1, Ordering::Relaxed);
                    if host.cast(&name_of(place), "a", None).is_err() {
                        seen.expected[place].fetch_sub(1, Ordering::Relaxed);
                    }
                } else {
                    call(&host, &seen, place).await;
                }
            }
        })
    });
    let clients: Vec<_> = clients.collect();
    tokio::time::sleep(Duration::from_secs_f64(play.minutes * 60.0)).await;
    over.store(true, Ordering::Relaxed);
    for client in clients {
        client.await.expect("it calls");
    }
}

/// Resident memory of this process, in MiB.
fn resident_mib() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.trim().split(' ').next()?.parse::<u64>().ok()).unwrap_or(0) / 1_024
}

fn disk_mib(dir: &Path) -> u64 {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    let sizes = entries.map(|entry| match entry.metadata() {
        Ok(meta) if meta.is_dir() => disk_mib(&entry.path()) << 20,
        Ok(meta) => meta.len(),
        Err(_) => 0,
    });
    sizes.sum::<u64>() >> 20
}

/// Tells each ten seconds how things stand.
fn watch(host: &Host, seen: &Arc<Seen>, what: &'static str) -> tokio::task::JoinHandle<()> {
    let (host, seen, began) = (host.clone(), seen.clone(), Instant::now());
    tokio::spawn(async move {
        let mut before = seen.times.count();
        loop {
            tokio::time::sleep(Duration::from_secs(10)).await;
            let count = seen.times.count();
            println!(
                "{what} {:4} s: {:6} calls/s, {} MiB resident, {} awake, {} asleep",
                began.elapsed().as_secs(),
                (count - before) / 10,
                resident_mib(),
                host.actors().len(),
                host.sleepers()
            );
            before = count;
        }
    })
}

/// Ends it, and waits until it has.
async fn ended(told: tokio::task::JoinHandle<()>) {
    told.abort();
    // That it was ended is no news.
    drop(told.await);
}

/// How many states in the store are not what they have to be.
async fn check(store: Arc<dyn SnapshotStore>, seen: &Seen) -> usize {
    let mut wrong = 0;
    for (place, expected) in seen.expected.iter().enumerate() {
        let name = name_of(place);
        let head = store.head(&name).await.ok().flatten();
        let found = match head.as_ref().and_then(|(head, _)| head.current()) {
            Some(record) => store.load(&name, record).await.ok().map(|record| record.data),
            None => None,
        };
        let expected = expected.load(Ordering::Relaxed);
        if found.as_deref() != Some(&expected.to_le_bytes()[..]) {
            wrong += 1;
            if wrong <= 5 {
                eprintln!("{name}: {found:?}, and {expected} messages were taken");
            }
        }
    }
    store.close().await.expect("the store closes");
    wrong
}

async fn run(play: Play) -> bool {
    let target =
        std::env::var_os("BATON_TARGET").map_or_else(|| baton_tests::repository().join("target"), PathBuf::from);
    let dir = tempfile::tempdir_in(&target).expect("a folder can be made in the target folder");
    let mut rules = Passivation::default();
    (rules.max_resident, rules.least_resident) = (Some(play.resident), Duration::from_millis(50));
    let plugin = || PluginName::new("counter").expect("a name");
    let host = Host::builder()
        .data_dir(dir.path())
        .backend(play.backend)
        .store_cache_bytes(play.cache_mib << 20)
        .instances(play.resident + play.resident / 4 + 64)
        .plugin_bytes("counter.wasm", WatGuest::new("counter").build())
        .template(Template::new(Pattern::new("c/*").expect("a pattern"), plugin()))
        .passivation(rules)
        .build()
        .await
        .expect("a host");
    let expected = (0..play.actors).map(|_| AtomicU32::new(0)).collect();
    let seen = Seen { expected, times: Times::new(), failed: AtomicU64::new(0), wrong: AtomicU64::new(0) };
    let seen = Arc::new(seen);
    println!("{play:?}; {} MiB resident before", resident_mib());

    let (began, told) = (Instant::now(), watch(&host, &seen, "named"));
    name_all(&host, &seen, &play).await;
    ended(told).await;
    println!("{} actors named in {:.0} s, {} MiB resident", play.actors, began.elapsed().as_secs_f64(), resident_mib());

    let of_load =
        Seen { times: Times::new(), expected: Vec::new(), failed: AtomicU64::new(0), wrong: AtomicU64::new(0) };
    let seen = Arc::new(Seen { expected: Arc::into_inner(seen).expect("nobody else has it").expected, ..of_load });
    let (began, told) = (Instant::now(), watch(&host, &seen, "loaded"));
    load(&host, &seen, &play).await;
    ended(told).await;
    let (calls, seconds) = (seen.times.count(), began.elapsed().as_secs_f64());
    let sleeps = host.metrics();
    let sleeps = sleeps.lines().find(|line| line.starts_with("baton_sleeps_total{")).unwrap_or_default().to_owned();
    println!(
        "{calls} calls in {seconds:.0} s, {:.0}/s: p50 {:?}, p99 {:?}, p99.9 {:?}; {} failed; {} MiB resident, {} MiB on disk; {sleeps}",
        calls as f64 / seconds,
        seen.times.within(500),
        seen.times.within(990),
        seen.times.within(999),
        seen.failed.load(Ordering::Relaxed),
        resident_mib(),
        disk_mib(dir.path()),
    );
    let dead = host.dead_letters().len();
    let report = host.shutdown(None).await;
    let saved = report.all_saved();
    drop(host);
    let (store, _) = play.backend.open(dir.path(), &StoreOptions::default()).expect("the store opens");
    let wrong = check(store, &seen).await;
    let (impossible, failed) = (seen.wrong.load(Ordering::Relaxed), seen.failed.load(Ordering::Relaxed));
    println!(
        "of {} states in the store {wrong} are wrong; {impossible} replies could not be, {failed} calls failed, {dead} dead letters; all saved: {saved}",
        play.actors
    );
    wrong == 0 && impossible == 0 && failed == 0 && dead == 0 && saved
}

fn main() {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    let play = Play::read(&words).unwrap_or_else(|why| {
        eprintln!("error: {why}\n{USAGE}");
        std::process::exit(2);
    });
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    if !runtime.block_on(run(play)) {
        std::process::exit(1);
    }
}
