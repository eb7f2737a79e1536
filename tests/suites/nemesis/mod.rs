//! Three hosts on one store, and somebody who kills and pauses them, and the store's server, at random: numbered increments
//! come from outside, and every record that was ever committed is looked at.
//!
//! Short by itself; `cargo xtask nemesis --minutes N --store KIND` plays for as long as it is told.

mod asking;
mod chain;
pub(crate) mod hosts;
mod watching;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rustix::process::Signal;

use self::asking::{Acknowledged, ask_for};
use self::chain::judge;
use self::hosts::{HOSTS, Hosts, node};
use self::watching::{Watch, last};
use crate::harness::servers::{Server, ServerKind};
use crate::harness::{Dice, number_from};

/// Actors that are listed at every host, and those of a template.
const LISTED: usize = 4;
const OF_A_TEMPLATE: usize = 4;
/// Those who ask for increments, side by side.
const CLIENTS: usize = 4;
/// The schema, or the prefix, of the store in its server.
const SPACE: &str = "nemesis";
/// How long it plays, in seconds; `BATON_NEMESIS_SECONDS` says how long for a longer one.
const SECONDS: usize = 20;
/// How long whoever asks waits for everything to be well again at the end.
const HEALED: Duration = Duration::from_secs(90);

mod on_postgres {
    #[test]
    fn every_record_follows_the_one_before_and_what_was_acknowledged_is_there_once() {
        super::play(super::ServerKind::Postgres);
    }
}

mod on_mariadb {
    #[test]
    fn every_record_follows_the_one_before_and_what_was_acknowledged_is_there_once() {
        super::play(super::ServerKind::Mariadb);
    }
}

mod on_mysql {
    #[test]
    fn every_record_follows_the_one_before_and_what_was_acknowledged_is_there_once() {
        super::play(super::ServerKind::Mysql);
    }
}

mod on_redis {
    #[test]
    fn every_record_follows_the_one_before_and_what_was_acknowledged_is_there_once() {
        super::play(super::ServerKind::Redis);
    }
}

/// The names of all actors.
fn actors() -> Vec<String> {
    let listed = (0..LISTED).map(|n| format!("counter/{n}"));
    listed.chain((0..OF_A_TEMPLATE).map(|n| format!("more/{n}"))).collect()
}

/// What was done, and when it began.
type Deeds = Vec<(Instant, String)>;

/// Plays.
fn play(kind: ServerKind) {
    let Some(mut server) = Server::start(kind) else { return };
    let mut dice = Dice::new();
    let seconds = u64::try_from(number_from("BATON_NEMESIS_SECONDS", SECONDS)).expect("a number");
    let hosts = Arc::new(Hosts::start(&server.url(SPACE)));
    let over = Arc::new(AtomicBool::new(false));
    let watch = Watch::begin(server.url(SPACE), over.clone());
    let clients: Vec<_> = (0..CLIENTS)
        .map(|client| {
            let (hosts, over, seed) = (hosts.clone(), over.clone(), dice.below(usize::MAX) as u64);
            std::thread::spawn(move || ask_for(client, &hosts, &over, Dice::with_seed(seed)))
        })
        .collect();
    let end = Instant::now() + Duration::from_secs(seconds);
    let mut deeds = Deeds::new();
    while Instant::now() < end {
        std::thread::sleep(Duration::from_millis(200 + dice.below(1_300) as u64));
        // One that found no server when it started has ended by itself.
        hosts.heal();
        hurt(&hosts, &mut server, &mut dice, &mut deeds);
        assert!(!clients.iter().any(std::thread::JoinHandle::is_finished), "somebody who asks has given up");
    }
    hosts.heal();
    over.store(true, Ordering::Release);
    let acknowledged: Vec<Acknowledged> =
        clients.into_iter().flat_map(|client| client.join().expect("whoever asks gets answers")).collect();
    let mut records = watch.end();
    last(&server.url(SPACE), &mut records);
    let found = judge(&actors(), &records, &acknowledged);
    let (fenced, taken) =
        (hosts.said("lease on the store has ended"), hosts.said("taken over from a host that is gone"));
    println!("{found}; {fenced} leases lost, {taken} takeovers; {} in {seconds} s", counted(&deeds));
    explain(&acknowledged, &deeds);
}

/// How often each thing was done.
fn counted(deeds: &Deeds) -> String {
    let mut kinds: BTreeMap<&str, usize> = BTreeMap::new();
    for (_, deed) in deeds {
        *kinds.entry(deed.split(" for ").next().unwrap_or(deed).trim_end_matches([' ', '0', '1', '2'])).or_default() +=
            1;
    }
    let told: Vec<String> = kinds.into_iter().map(|(kind, times)| format!("{times} times {kind}")).collect();
    told.join(", ")
}

/// What was done while the increment was asked for that took longest, and what came of each try.
fn explain(acknowledged: &[Acknowledged], deeds: &Deeds) {
    let Some(longest) = acknowledged.iter().max_by_key(|one| one.took) else { return };
    println!("the longest, {:.1} s, of {}:", longest.took.as_secs_f64(), longest.actor);
    let before = Duration::from_secs(5);
    for (when, deed) in deeds {
        if *when + before >= longest.began && *when <= longest.began + longest.took {
            let since = when.saturating_duration_since(longest.began).as_secs_f64();
            let early = longest.began.saturating_duration_since(*when).as_secs_f64();
            println!("  {:>5.1} s  {deed}", since - early);
        }
    }
    // Of many tries that say the same, or the same two in turn, the first.
    let mut last = [None; 2];
    for (since, host, said) in &longest.trail {
        if !last.contains(&Some((host, said))) {
            println!("  {:>5.1} s  asked {}: {said}", since.as_secs_f64(), node(*host));
            last = [last[1], Some((host, said))];
        }
    }
}

/// One deed.
fn hurt(hosts: &Hosts, server: &mut Server, dice: &mut Dice, deeds: &mut Deeds) {
    let ms = |dice: &mut Dice, from: usize, most: usize| Duration::from_millis((from + dice.below(most)) as u64);
    let host = dice.below(HOSTS);
    let began = Instant::now();
    let deed = match dice.below(10) {
        0..3 => {
            let away = ms(dice, 0, 2_500);
            hosts.kill(host);
            std::thread::sleep(away);
            hosts.start_again(host);
            format!("kill of host {host} for {away:.1?}")
        }
        3..5 => {
            let away = ms(dice, 0, 1_000);
            hosts.stop(host);
            std::thread::sleep(away);
            hosts.start_again(host);
            format!("stop of host {host} for {away:.1?}")
        }
        5..8 => {
            // Every other one for longer than its lease.
            let pause = ms(dice, 100, 5_000);
            hosts.signal(host, Signal::STOP);
            std::thread::sleep(pause);
            hosts.signal(host, Signal::CONT);
            format!("pause of host {host} for {pause:.1?}")
        }
        8 => {
            let away = ms(dice, 0, 1_500);
            server.kill();
            std::thread::sleep(away);
            let down = Instant::now();
            server.restart();
            format!("kill of the server for {away:.1?}, which took {:.1?} to come back", down.elapsed())
        }
        _ => {
            let pause = ms(dice, 100, 3_500);
            server.pause();
            std::thread::sleep(pause);
            server.resume();
            format!("pause of the server for {pause:.1?}")
        }
    };
    deeds.push((began, deed));
}
