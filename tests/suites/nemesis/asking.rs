//! Those who ask for increments: each has one under way, and asks again with the same id until it is acknowledged.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::hosts::{Answer, HOSTS, Hosts, node};
use super::{HEALED, actors};
use crate::harness::Dice;

/// An increment that was acknowledged.
#[derive(Debug, Clone)]
pub(super) struct Acknowledged {
    pub(super) actor: String,
    pub(super) id: String,
    /// The count, as it was answered.
    pub(super) count: u64,
    /// When it was asked for first.
    pub(super) began: Instant,
    /// How long it took.
    pub(super) took: Duration,
    /// Each time that it was asked for: when since then, of which host, and what came of it.
    pub(super) trail: Vec<(Duration, usize, &'static str)>,
}

/// Asks until it is over, and then until the last one is acknowledged.
pub(super) fn ask_for(client: usize, hosts: &Hosts, over: &AtomicBool, mut dice: Dice) -> Vec<Acknowledged> {
    let (names, mut done) = (actors(), Vec::new());
    let mut guess = vec![client % HOSTS; names.len()];
    while !over.load(Ordering::Acquire) {
        let at = dice.below(names.len());
        let id = format!("c{client}-{}", done.len());
        done.push(increment(hosts, &names[at], id, &mut guess[at], over));
        // An actor remembers its last 1,000 replies: nobody may be asked again for an older one.
        std::thread::sleep(Duration::from_millis(10));
    }
    done
}

/// Asks for one, of whoever is said to own the actor, or of the next host.
fn increment(hosts: &Hosts, actor: &str, id: String, guess: &mut usize, over: &AtomicBool) -> Acknowledged {
    let (began, mut healed, mut trail) = (Instant::now(), None, Vec::new());
    loop {
        let since = began.elapsed();
        let answer = hosts.call(*guess, actor, &id, r#"{"add": 1}"#);
        let elsewhere = match &answer {
            Some(answer) if answer.status == 200 => {
                let count = answer.body.trim().parse().unwrap_or_else(|_| panic!("a count: {answer:?}"));
                trail.push((since, *guess, "counts"));
                return Acknowledged { actor: actor.to_owned(), id, count, began, took: began.elapsed(), trail };
            }
            Some(answer) if answer.status == 421 => {
                (0..HOSTS).find(|host| answer.body.contains(&format!("\"node\":\"{}\"", node(*host))))
            }
            // Stopping, starting, frozen, fenced, crashed by the store: it is asked again.
            Some(answer) if matches!(answer.status, 502..=504) => None,
            Some(answer) => panic!("{actor}: {answer:?}"),
            None => None,
        };
        trail.push((since, *guess, said(answer.as_ref())));
        *guess = elsewhere.filter(|host| host != guess).unwrap_or((*guess + 1) % HOSTS);
        if over.load(Ordering::Acquire) {
            let since = *healed.get_or_insert_with(Instant::now);
            assert!(since.elapsed() < HEALED, "{actor}: nobody answers, though all is well again; last: {answer:?}");
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// What an answer that acknowledges nothing says, in a word.
fn said(answer: Option<&Answer>) -> &'static str {
    match answer.map(|answer| answer.status) {
        None => "no answer",
        Some(421) => "elsewhere",
        Some(503) => "not now",
        Some(504) => "too late",
        Some(_) => "lost",
    }
}
