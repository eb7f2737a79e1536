//! Processes that are killed while they write.

use std::time::Duration;

use super::{Acknowledged, Backend, Writer, on_every_backend};
use crate::harness::{Dice, number_from};

/// Rounds of a run; `BATON_ROUNDS` says how many for a longer one.
const ROUNDS: usize = 40;

on_every_backend! {
    a_kill_at_any_moment_loses_nothing_acknowledged
}

async fn a_kill_at_any_moment_loses_nothing_acknowledged(backend: &Backend) {
    let dir = tempfile::tempdir().expect("a directory");
    let mut dice = Dice::new();
    let mut acknowledged = Acknowledged::default();
    let rounds = number_from("BATON_ROUNDS", ROUNDS);
    let mut heard = 0;
    for round in 0..rounds {
        let mut child = Writer::new(backend, dir.path()).seed(round).start();
        let id = rustix::process::Pid::from_raw(i32::try_from(child.id()).expect("small")).expect("a process");
        // Now and then while it opens what the one before it has left; else at some moment after some acknowledgement.
        let mut left = if dice.one_in(6) { 0 } else { 1 + dice.below(60) };
        let wait = Duration::from_micros(dice.below(if left == 0 { 30_000 } else { 3_000 }) as u64);
        if left == 0 {
            std::thread::sleep(wait);
            child.kill();
        }
        let mut killer = None;
        for line in child.lines() {
            if acknowledged.hear(&line) {
                heard += 1;
                left = usize::saturating_sub(left, 1);
                if left == 0 && killer.is_none() {
                    killer = Some(std::thread::spawn(move || {
                        std::thread::sleep(wait);
                        rustix::process::kill_process(id, rustix::process::Signal::KILL).expect("it runs");
                    }));
                }
            }
        }
        if let Some(killer) = killer {
            killer.join().expect("is killed");
        }
        child.wait();
        let store = (backend.open)(dir.path()).unwrap_or_else(|error| panic!("round {round}: {error}"));
        acknowledged.check(&*store).await.unwrap_or_else(|what| panic!("round {round}: {what}"));
        store.close().await.expect("closes");
    }
    assert!(heard >= rounds / 2, "only {heard} commits were acknowledged in {rounds} rounds");
}
