//! Random plays: crashes, stops, starts, kills and slow ends in any order, against trees of any shape. After every step the
//! tree has to be whole, and at the end everything has to have ended, once.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::Duration;

use proptest::prelude::*;
use proptest::strategy::Strategy as Plays;

use super::tests::{actor, name};
use super::*;
use crate::model::{AutoShutdown, Shutdown, Strategy};

/// What a play does next. Numbers choose among what there is.
#[derive(Debug, Clone)]
enum Step {
    /// A live instance answers what it was asked last: it is up, would not start, or has stopped.
    Answer(usize, bool),
    /// A live instance ends by itself.
    Ends(usize, bool),
    Ask(u8, usize, usize),
    Pass(u64),
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Live {
    Starting,
    Up,
    Stopping,
}

struct World {
    tree: Tree,
    now: Instant,
    /// Every instance that there is.
    live: BTreeMap<(Id, u64), Live>,
    asked: u64,
    answered: HashSet<u64>,
    wakes: Vec<(Id, u64, Instant)>,
    over: bool,
}

impl World {
    fn new(specs: Vec<ChildSpec>) -> Self {
        let mut world = Self {
            tree: Tree::new(name("root")),
            now: Instant::now(),
            live: BTreeMap::new(),
            asked: 0,
            answered: HashSet::new(),
            wakes: Vec::new(),
            over: false,
        };
        for spec in specs {
            world.ask(Ask::Start { supervisor: None, spec: Box::new(spec), listed: true });
        }
        world
    }

    fn ask(&mut self, ask: Ask) {
        self.asked += 1;
        self.tree.ask(self.asked, ask, self.now);
        self.carry_out();
    }

    fn carry_out(&mut self) {
        for step in self.tree.take() {
            match step {
                Do::Spawn { id, run } => {
                    assert!(self.live.keys().all(|(other, _)| *other != id), "two instances of one actor");
                    assert!(self.live.insert((id, run), Live::Starting).is_none());
                }
                Do::Stop { id, run, .. } | Do::Kill { id, run } => {
                    if let Some(live) = self.live.get_mut(&(id, run)) {
                        *live = Live::Stopping;
                    }
                }
                Do::Wake { id, run, at } => self.wakes.push((id, run, at)),
                Do::Answer { ticket, .. } => assert!(self.answered.insert(ticket), "ticket {ticket} is answered twice"),
                Do::Free { id, .. } | Do::Fail { id, .. } | Do::Restarting { id } => {
                    assert!(self.live.keys().all(|(other, _)| *other != id), "a name is freed while its actor lives");
                }
                Do::GiveUp { .. } => {}
                Do::Over => {
                    assert!(self.live.is_empty(), "orphans: {:?}", self.live);
                    self.over = true;
                }
            }
        }
        self.is_whole();
    }

    /// What holds at every moment.
    fn is_whole(&self) {
        for (id, node) in &self.tree.nodes {
            let above = &self.tree.nodes[&node.parent];
            let above = above.sup.as_ref().expect("a parent is a supervisor");
            assert!(*id == ROOT || above.children.contains(id), "an orphan: {}", node.name);
            assert!(*id == ROOT || self.tree.names.get(&node.name) == Some(id), "a lost name: {}", node.name);
            if node.sup.is_none() {
                let lives = self.live.contains_key(&(*id, node.run));
                assert_eq!(lives, node.has_instance(), "{} is {:?}", node.name, node.state);
            }
            assert!(node.state != State::Failed || node.parent == ROOT, "only the root's children fail");
        }
        assert_eq!(self.tree.names.len(), self.tree.nodes.len() - 1);
        for (id, _) in self.live.keys() {
            assert!(self.tree.nodes.contains_key(id), "an instance without a place in the tree");
        }
    }

    fn nth(&self, nth: usize, which: impl Fn(Live) -> bool) -> Option<((Id, u64), Live)> {
        let chosen: Vec<_> = self.live.iter().filter(|(_, live)| which(**live)).map(|(k, l)| (*k, *l)).collect();
        (!chosen.is_empty()).then(|| chosen[nth % chosen.len()])
    }

    fn end(&mut self, (id, run): (Id, u64), end: End) {
        self.live.remove(&(id, run));
        self.tree.ended(id, run, end, Saved::Kept, self.now);
    }

    fn play(&mut self, step: &Step) {
        match step {
            Step::Answer(nth, well) => match self.nth(*nth, |live| live != Live::Up) {
                Some((key, Live::Starting)) if *well => {
                    self.live.insert(key, Live::Up);
                    self.tree.started(key.0, key.1, self.now);
                }
                Some((key, Live::Starting)) => self.end(key, End::Crashed("init".into())),
                Some((key, _)) => self.end(key, if *well { End::Shutdown } else { End::Crashed("terminate".into()) }),
                None => {}
            },
            Step::Ends(nth, crashes) => {
                if let Some((key, _)) = self.nth(*nth, |live| live == Live::Up) {
                    self.end(key, if *crashes { End::Crashed("x".into()) } else { End::Normal { inbox_left: false } });
                }
            }
            Step::Ask(what, nth, other) => {
                let ask = self.some_ask(*what, *nth, *other);
                return self.ask(ask);
            }
            Step::Pass(ms) => {
                self.now += Duration::from_millis(*ms);
                let now = self.now;
                let (due, later) = std::mem::take(&mut self.wakes).into_iter().partition(|(_, _, at)| *at <= now);
                self.wakes = later;
                let due: Vec<(Id, u64, Instant)> = due;
                for (id, run, _) in due {
                    self.tree.woken(id, run, self.now);
                }
            }
        }
        self.carry_out();
    }

    fn some_ask(&self, what: u8, nth: usize, other: usize) -> Ask {
        let mut names: Vec<ActorName> = self.tree.names.keys().cloned().collect();
        names.sort();
        let any = |nth: usize| names.get(nth % names.len().max(1)).cloned().unwrap_or_else(|| name("nobody"));
        let target = any(nth);
        match what % 6 {
            0 => Ask::Terminate { name: target },
            1 => Ask::Again { name: target },
            2 => Ask::Delete { name: target },
            3 => Ask::Restart { name: target },
            4 => Ask::Kill { name: target },
            _ => Ask::Start {
                supervisor: (!nth.is_multiple_of(4)).then_some(target),
                spec: Box::new(actor(&format!("new/{}", other % 5)).into()),
                listed: false,
            },
        }
    }

    /// The host goes down; everyone answers at last.
    fn wind_up(&mut self) {
        self.tree.shut_down(Budget::within(None), self.now);
        self.carry_out();
        for _ in 0..10_000 {
            let Some((key, live)) = self.nth(0, |live| live != Live::Up) else { break };
            match live {
                // Its supervisor was not told yet.
                Live::Starting => {
                    self.live.insert(key, Live::Up);
                    self.tree.started(key.0, key.1, self.now);
                }
                _ => self.end(key, End::Shutdown),
            }
            self.carry_out();
        }
        assert!(self.over, "it never ended; alive: {:?}", self.live);
        let unanswered: Vec<u64> = (1..=self.asked).filter(|ticket| !self.answered.contains(ticket)).collect();
        assert!(unanswered.is_empty(), "nobody answered {unanswered:?}");
    }
}

fn restart() -> impl Plays<Value = Restart> {
    prop_oneof![Just(Restart::Permanent), Just(Restart::Transient), Just(Restart::Temporary)]
}

/// A tree of up to three levels, its names numbered afterwards.
fn tree() -> impl Plays<Value = ChildSpec> {
    let leaf = (restart(), any::<bool>(), any::<bool>()).prop_map(|(restart, significant, brutal)| {
        let shutdown = if brutal { Shutdown::BrutalKill } else { Shutdown::default() };
        let significant = significant && restart != Restart::Permanent;
        ChildSpec::from(ActorSpec { restart, significant, shutdown, ..actor("a") })
    });
    leaf.prop_recursive(3, 16, 4, |inner| {
        let strategy = prop_oneof![Just(Strategy::OneForOne), Just(Strategy::OneForAll), Just(Strategy::RestForOne)];
        let auto = prop_oneof![Just(AutoShutdown::AnySignificant), Just(AutoShutdown::AllSignificant)];
        let rules = (strategy, auto, restart(), 0_u32..4, any::<[bool; 3]>());
        (rules, prop::collection::vec(inner, 0..4)).prop_map(|(rules, children)| {
            let (strategy, auto_shutdown, restart, max_restarts, [backoff, brutal, dynamic]) = rules;
            let ms = Duration::from_millis;
            if dynamic && children.is_empty() {
                return SupervisorSpec { restart, ..SupervisorSpec::dynamic(name("d")) }.into();
            }
            let spec = SupervisorSpec {
                strategy,
                auto_shutdown,
                restart,
                intensity: Intensity { max_restarts, max_seconds: 5 },
                backoff: backoff.then_some(Backoff { first: ms(50), max: ms(200) }),
                shutdown: if brutal { Shutdown::BrutalKill } else { Shutdown::Infinity },
                ..SupervisorSpec::new(name("s"))
            };
            children.into_iter().fold(spec, SupervisorSpec::child).into()
        })
    })
}

/// No two have one name.
fn numbered(spec: ChildSpec, next: &mut u32) -> ChildSpec {
    *next += 1;
    let own = name(&format!("n{next}"));
    match spec {
        ChildSpec::Actor(actor) => ActorSpec { name: own, ..actor }.into(),
        ChildSpec::Supervisor(mut spec) => {
            spec.name = own;
            if let Children::Listed(children) = &mut spec.children {
                *children = std::mem::take(children).into_iter().map(|child| numbered(child, next)).collect();
            }
            spec.into()
        }
    }
}

fn step() -> impl Plays<Value = Step> {
    prop_oneof![
        6 => (any::<usize>(), prop::bool::weighted(0.9)).prop_map(|(nth, well)| Step::Answer(nth, well)),
        3 => (any::<usize>(), any::<bool>()).prop_map(|(nth, crashes)| Step::Ends(nth, crashes)),
        2 => (any::<u8>(), any::<usize>(), any::<usize>()).prop_map(|(what, nth, other)| Step::Ask(what, nth, other)),
        1 => (1_u64..4_000).prop_map(Step::Pass),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens_there_is_no_orphan_no_double_and_no_lost_name(
        specs in prop::collection::vec(tree(), 1..4),
        steps in prop::collection::vec(step(), 0..120),
    ) {
        let mut next = 0;
        let specs = specs.into_iter().map(|spec| numbered(spec, &mut next)).collect();
        let mut world = World::new(specs);
        for step in &steps {
            world.play(step);
        }
        world.wind_up();
    }

    /// Against the definition itself: more than `max_restarts` restarts within the window, counted anew at each.
    #[test]
    fn the_intensity_is_exact(
        max_restarts in 0_u32..5,
        max_seconds in 1_u32..4,
        pauses in prop::collection::vec(0_u64..2_500, 1..40),
    ) {
        let spec = SupervisorSpec {
            intensity: Intensity { max_restarts, max_seconds },
            ..SupervisorSpec::new(name("s")).child(actor("a"))
        };
        let mut world = World::new(vec![spec.into()]);
        world.play(&Step::Answer(0, true));
        let (mut elapsed, mut restarts) = (0, HashMap::new());
        for (nth, pause) in pauses.into_iter().enumerate() {
            world.play(&Step::Pass(pause));
            elapsed += pause;
            world.play(&Step::Ends(0, true));
            let window = u64::from(max_seconds) * 1_000;
            let recent = restarts.values().filter(|at: &&u64| elapsed - **at <= window).count();
            let one_too_many = recent >= max_restarts as usize;
            let state = world.tree.child(&name("s")).map(|s| s.state);
            prop_assert_eq!(state == Some(ChildState::Failed), one_too_many, "restart {} at {} ms", nth, elapsed);
            if one_too_many {
                break;
            }
            restarts.insert(nth, elapsed);
            world.play(&Step::Answer(0, true));
        }
    }
}
