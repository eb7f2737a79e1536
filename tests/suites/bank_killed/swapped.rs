//! The same bank, while its plugin is swapped: the host is killed at any point of a swap, and comes back with each account
//! at the version that its committed record names.

use std::path::Path;
use std::time::{Duration, Instant};

use baton_host::store::{SledOptions, SledStore, SnapshotStore as _};
use rustix::process::Signal;
use serde_json::Value;

use super::tellers::{Connection, Teller, work};
use super::{ACCOUNTS, ORDERS, QUIET, ROUNDS, TELLERS, adds_up, open, place};
use crate::harness::{Dice, WatGuest, guest, name};
use crate::process_handoff::{HostProcess, rounds};

/// Longest wait between the beginning of a swap and the end of the host, in microseconds: a little more than a swap takes.
const LONGEST_US: usize = 80_000;
/// How many times as many rounds are played where no kill has met a swap yet: how long one takes is the machine's affair.
const PATIENCE: usize = 8;

/// The bank, and the same code with another version number.
fn versions() -> [Vec<u8>; 2] {
    let bank = std::fs::read(guest("bank")).unwrap();
    let mut other = bank.clone();
    let (from, to) = (b"1.0.0", b"1.0.1");
    let places: Vec<usize> =
        bank.windows(from.len()).enumerate().filter(|(_, at)| at == from).map(|(n, _)| n).collect();
    assert!(!places.is_empty(), "the bank says its version");
    places.iter().for_each(|at| other[*at..at + to.len()].copy_from_slice(to));
    [bank, other]
}

/// A version that refuses every state.
fn unfit() -> Vec<u8> {
    let guest = WatGuest::new("bank").version("2.0.0").messages("application/json");
    guest.on("continue", "(call $refuse (i32.const 1))").build()
}

/// Begins a swap to `component`, or the way back where there is none, and waits for nothing.
fn swap(dir: &Path, component: Option<&[u8]>) -> Option<Connection> {
    let mut connection = Connection::new(dir).ok()?;
    let back = if component.is_none() { "/back" } else { "" };
    let what = format!("POST /v1/plugins/bank/swap{back}?watch_ms=0&rehearsal_ms=0&batch=1&by=test");
    connection.send(&what, "", component.unwrap_or_default()).ok().map(|()| connection)
}

/// Has each component compiled, so that swaps are under way when the kills come.
fn compile(dir: &Path, components: &[&[u8]]) {
    let mut connection = Connection::new(dir).unwrap();
    for component in components {
        connection.send("POST /v1/plugins/bank/swap?check=true", "", component).unwrap();
        let (status, _, told) = connection.answer().unwrap();
        // One of them is what runs.
        assert!(status == 200 || told.contains("run this very component already"), "{status}: {told}");
    }
}

/// The version that encoded each account's state, by what is committed. No host may run.
fn committed(dir: &Path) -> Vec<String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let (store, _) = SledStore::open(&dir.join("data"), &SledOptions::default()).unwrap();
        let mut versions = Vec::new();
        for account in 0..ACCOUNTS {
            let (head, _) = store.head(&name(&format!("account/{account}"))).await.unwrap().unwrap();
            versions.push(head.current().unwrap().plugin.clone().unwrap().1);
        }
        store.close().await.unwrap();
        versions
    })
}

/// The version that each account runs, once all run.
fn running(dir: &Path) -> Vec<String> {
    let limit = Instant::now() + Duration::from_secs(30);
    let mut connection = Connection::new(dir).unwrap();
    loop {
        connection.send("GET /v1/actors", "", &[]).unwrap();
        let told: Value = serde_json::from_str(&connection.answer().unwrap().2).unwrap();
        let mut actors = told["actors"].as_array().unwrap().clone();
        actors.sort_by_key(|actor| actor["name"].as_str().unwrap().to_owned());
        if actors.iter().all(|actor| actor["phase"] == "running") {
            return actors.iter().map(|actor| actor["version"].as_str().unwrap().to_owned()).collect();
        }
        assert!(Instant::now() < limit, "they do not come up: {told}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

#[test]
fn a_bank_that_is_swapped_and_killed_at_any_point_applies_each_transfer_once() {
    let (dir, rounds, versions, unfit) = (place("sled", ""), rounds(ROUNDS), versions(), unfit());
    let (mut rng, orders) = (Dice::new(), rounds * ORDERS);
    let mut tellers: Vec<Teller> = (0..TELLERS).map(|n| Teller::new(n, &mut rng)).collect();
    let host = HostProcess::spawn(dir.path()).ready();
    open(dir.path(), orders);
    compile(dir.path(), &[&versions[0], &versions[1], &unfit]);
    host.signal(Signal::KILL);
    assert_eq!(host.end(), None);
    let (mut half_way, mut seen) = (0, [0; 2]);
    for round in 0..rounds * PATIENCE {
        let met = half_way > 0 && seen.iter().all(|times| *times > 0);
        if round >= rounds && met {
            break;
        }
        let expected = committed(dir.path());
        let host = HostProcess::spawn(dir.path()).ready();
        assert_eq!(running(dir.path()), expected, "round {round}");
        half_way += usize::from(expected.iter().any(|version| *version != expected[0]));
        seen[usize::from(expected[0] == "1.0.1")] += 1;
        let component = match rng.below(4) {
            0 => Some(&unfit[..]),
            1 => None,
            _ => Some(&versions[rng.below(2)][..]),
        };
        // On a quick machine it is over early.
        let longest = if rng.one_in(2) { LONGEST_US } else { LONGEST_US / 4 };
        let wait = Duration::from_micros(rng.below(longest) as u64);
        if round % QUIET == 0 {
            work(dir.path(), &mut tellers, 20, || drop(swap(dir.path(), component)));
            adds_up(dir.path(), &tellers, orders as u64, false);
            host.signal(Signal::TERM);
            assert_eq!(host.end(), Some(0), "round {round}");
        } else {
            work(dir.path(), &mut tellers, usize::MAX, || {
                let begun = swap(dir.path(), component);
                std::thread::sleep(wait);
                host.signal(Signal::KILL);
                drop(begun);
            });
            assert_eq!(host.end(), None);
        }
    }
    let host = HostProcess::spawn(dir.path()).ready();
    work(dir.path(), &mut tellers, 1, || {});
    adds_up(dir.path(), &tellers, orders as u64, true);
    let retried = tellers.iter().map(|teller| teller.retried).sum::<u64>();
    println!(
        "{} swaps, {half_way} left half-way by a kill; began with {seen:?}; {retried} asked again after one",
        seen[0] + seen[1]
    );
    assert!(half_way > 0 && seen.iter().all(|times| *times > 0), "the kills met no swap");
    host.signal(Signal::TERM);
    assert_eq!(host.end(), Some(0));
}
