//! Random starts, crashes, stops, restarts and kills against a running tree, several at once: whenever it has come to
//! rest, the tree and the actors are the same, and everyone answers.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use baton_host::model::Intensity;
use baton_host::{CallOptions, ChildInfo, ChildSpec, ChildState, Host, Restart, Shutdown, Strategy, SupervisorSpec};
use futures_util::future::join_all;
use proptest::prelude::*;
use proptest::strategy::Strategy as Generates;

use super::{PATIENCE, supervisor, with, worker};
use crate::harness::{StoreDouble, WatGuest, actor, name};
use crate::journal::journal;

/// Trees that are played with.
const CASES: u32 = 64;
/// All that have a name at one time or another.
const NAMES: [&str; 10] = ["r", "s", "a", "b", "t", "e", "d", "d/0", "d/1", "d/2"];

#[derive(Debug, Clone)]
enum Act {
    /// A child of the dynamic supervisor.
    Start(usize),
    Crash(usize),
    /// It stops by itself.
    Quit(usize),
    Stop(usize),
    Again(usize),
    Restart(usize),
    Kill(usize),
    Delete(usize),
}

fn acts() -> impl Generates<Value = Act> {
    let any = 0..NAMES.len();
    prop_oneof![
        3 => (7..NAMES.len()).prop_map(Act::Start),
        8 => any.clone().prop_map(Act::Crash),
        1 => any.clone().prop_map(Act::Quit),
        2 => any.clone().prop_map(Act::Stop),
        2 => any.clone().prop_map(Act::Again),
        2 => any.clone().prop_map(Act::Restart),
        1 => any.clone().prop_map(Act::Kill),
        1 => any.prop_map(Act::Delete),
    ]
}

/// A journal that takes some milliseconds to end.
fn slow() -> WatGuest {
    journal().named("slow").on(
        "terminate",
        "(loop (global.set $g (i64.add (global.get $g) (i64.const 1)))
           (br_if 0 (i64.lt_u (global.get $g) (i64.const 3000000))))
         (call $journal_state (i32.const 0))",
    )
}

/// `r`, and `s` with `a`, `b`, `t` over `e`, and the dynamic `d`.
fn children(strategy: Strategy, max_restarts: u32) -> [ChildSpec; 2] {
    let intensity = Intensity { max_restarts, max_seconds: 3_600 };
    let (mut s, mut t) = (supervisor("s"), supervisor("t"));
    let mut d = SupervisorSpec::dynamic(name("d"));
    (s.strategy, s.intensity, t.intensity, d.intensity) = (strategy, intensity, intensity, intensity);
    t.shutdown = Shutdown::After(Duration::from_secs(5));
    let mut a = worker("a");
    a.restart = Restart::Transient;
    let s = s.child(a).child(actor("b", "slow")).child(t.child(actor("e", "slow"))).child(d);
    [worker("r").into(), s.into()]
}

/// Whether it is done does not matter: what matters is what is there afterwards.
async fn play(host: &Host, act: &Act) {
    match act {
        Act::Start(who) => {
            let mut spec = actor(NAMES[*who], if who % 2 == 0 { "slow" } else { "journal" });
            spec.restart = [Restart::Permanent, Restart::Transient, Restart::Temporary][who % 3];
            drop(host.start_child(Some(&name("d")), spec).await);
        }
        Act::Crash(who) => drop(host.cast(&name(NAMES[*who]), "!", None)),
        Act::Quit(who) => drop(host.cast(&name(NAMES[*who]), "Q", None)),
        Act::Stop(who) => drop(host.stop(&name(NAMES[*who])).await),
        Act::Again(who) => drop(host.restart_child(&name(NAMES[*who])).await),
        Act::Restart(who) => drop(host.restart(&name(NAMES[*who])).await),
        Act::Kill(who) => drop(host.kill(&name(NAMES[*who])).await),
        Act::Delete(who) => drop(host.delete_child(&name(NAMES[*who])).await),
    }
}

/// What is wrong with the tree as it is now; nothing, once it is at rest.
async fn wrong(host: &Host) -> Option<String> {
    let tree = host.tree().await.unwrap();
    let names: BTreeSet<_> = tree.iter().map(|child| &child.name).collect();
    if names.len() != tree.len() {
        return Some("a name is there twice".into());
    }
    let restless =
        |child: &&ChildInfo| !matches!(child.state, ChildState::Running | ChildState::Down | ChildState::Failed);
    if let Some(child) = tree.iter().find(restless) {
        return Some(format!("{} is {}", child.name, child.state));
    }
    // One that stays down under the root keeps its name.
    let workers = tree.iter().filter(|child| child.supervises.is_none() && child.state != ChildState::Down);
    let expected: BTreeSet<_> = workers.map(|child| child.name.clone()).collect();
    let registered: BTreeSet<_> = host.actors().into_iter().map(|actor| actor.name).collect();
    if expected != registered {
        return Some(format!("the tree has {expected:?}, and there are {registered:?}"));
    }
    for child in &tree {
        let above = child.supervisor.as_ref().and_then(|above| tree.iter().find(|other| other.name == *above));
        if above.is_some_and(|above| above.state != ChildState::Running) {
            return Some(format!("{} is there without its supervisor", child.name));
        }
    }
    let running = tree.iter().filter(|child| child.supervises.is_none() && child.state == ChildState::Running);
    let options = || CallOptions { timeout: Some(PATIENCE), ..CallOptions::default() };
    let asked = running.map(|child| async { (&child.name, host.call(&child.name, "?", options()).await) });
    if let Some((who, Err(error))) = join_all(asked).await.into_iter().find(|(_, reply)| reply.is_err()) {
        return Some(format!("{who} does not answer: {error}"));
    }
    let after = host.tree().await.unwrap();
    (after != tree).then(|| "it went on meanwhile".into())
}

async fn at_rest(host: &Host) {
    let limit = Instant::now() + PATIENCE;
    while let Some(what) = wrong(host).await {
        assert!(Instant::now() < limit, "it never came to rest: {what}\n{:#?}", host.tree().await);
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

async fn played(strategy: Strategy, max_restarts: u32, rounds: Vec<Vec<Act>>) {
    let store = StoreDouble::new();
    let host = with(&store, &[slow()], children(strategy, max_restarts)).await;
    at_rest(&host).await;
    for round in rounds {
        join_all(round.iter().map(|act| play(&host, act))).await;
        at_rest(&host).await;
    }
    let expected: BTreeSet<_> = host.actors().into_iter().map(|actor| actor.name).collect();
    let report = host.shutdown(None).await;
    let reported: BTreeSet<_> = report.stopped.iter().map(|(who, _)| who.clone()).collect();
    assert_eq!(reported.len(), report.stopped.len(), "each is told of once: {report:?}");
    assert_eq!(reported, expected);
    assert!(report.all_saved(), "{report:?}");
    assert!(host.actors().is_empty());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: CASES, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_is_done_to_it_a_tree_at_rest_has_one_actor_for_every_child_and_no_others(
        strategy in prop_oneof![Just(Strategy::OneForOne), Just(Strategy::OneForAll), Just(Strategy::RestForOne)],
        max_restarts in prop_oneof![Just(0), Just(2), Just(1_000)],
        rounds in prop::collection::vec(prop::collection::vec(acts(), 1..12), 1..5),
        threads in 1..3_usize,
    ) {
        let mut runtime = match threads {
            1 => tokio::runtime::Builder::new_current_thread(),
            _ => tokio::runtime::Builder::new_multi_thread(),
        };
        let runtime = runtime.worker_threads(threads).enable_all().build().unwrap();
        runtime.block_on(played(strategy, max_restarts, rounds));
    }
}
