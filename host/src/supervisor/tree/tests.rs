//! OTP's rules, case by case: many of these are named after cases of its `supervisor_SUITE`.

use std::time::Duration;

use super::*;
use crate::model::{AutoShutdown, PluginName, Shutdown};

/// Plays instances against a tree: they start and stop at once, unless a test says otherwise.
pub(super) struct Play {
    pub(super) tree: Tree,
    pub(super) now: Instant,
    /// Everything that was done, in words.
    log: Vec<String>,
    /// Actors whose `init` fails.
    refuses: Vec<&'static str>,
    /// Actors that do not answer: their starts and stops are held back.
    slow: Vec<&'static str>,
    held: Vec<(Id, u64, bool)>,
    answers: Vec<Result<Saved, Refused>>,
    pub(super) wakes: Vec<(Id, u64, Instant)>,
}

pub(super) fn name(text: &str) -> ActorName {
    ActorName::new(text).expect("valid")
}

pub(super) fn actor(text: &str) -> ActorSpec {
    ActorSpec::new(name(text), PluginName::new("p").expect("valid"))
}

fn of(text: &str, restart: Restart) -> ActorSpec {
    ActorSpec { restart, ..actor(text) }
}

fn sup(text: &str, strategy: Strategy, children: &[&str]) -> SupervisorSpec {
    let sup = SupervisorSpec { strategy, ..SupervisorSpec::new(name(text)) };
    children.iter().fold(sup, |sup, child| sup.child(actor(child)))
}

fn crash() -> End {
    End::Crashed("boom".into())
}

fn normal() -> End {
    End::Normal { inbox_left: false }
}

impl Play {
    fn new() -> Self {
        let tree = Tree::new(name("root"));
        let (log, refuses, slow, held) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        Self { tree, now: Instant::now(), log, refuses, slow, held, answers: Vec::new(), wakes: Vec::new() }
    }

    fn of(spec: impl Into<ChildSpec>) -> Self {
        let mut play = Self::new();
        assert_eq!(play.start(None, spec), Ok(Saved::Kept));
        play.log.clear();
        play
    }

    fn start(&mut self, supervisor: Option<&str>, spec: impl Into<ChildSpec>) -> Result<Saved, Refused> {
        self.ask(Ask::Start {
            supervisor: supervisor.map(name),
            spec: Box::new(spec.into()),
            listed: supervisor.is_none(),
        })
    }

    fn ask(&mut self, ask: Ask) -> Result<Saved, Refused> {
        let before = self.answers.len();
        self.begin(ask);
        assert_eq!(self.answers.len(), before + 1, "one answer");
        self.answers.pop().expect("an answer")
    }

    fn begin(&mut self, ask: Ask) {
        self.tree.ask(0, ask, self.now);
        self.play();
    }

    /// The actor ends by itself.
    fn ends(&mut self, who: &str, end: End) {
        let id = self.tree.id(&name(who)).expect("it is there");
        let run = self.tree.nodes[&id].run;
        self.tree.ended(id, run, end, Saved::Kept, self.now);
        self.play();
    }

    fn pass(&mut self, time: Duration) {
        self.now += time;
        for (id, run, at) in std::mem::take(&mut self.wakes) {
            match at <= self.now {
                true => self.tree.woken(id, run, self.now),
                false => self.wakes.push((id, run, at)),
            }
        }
        self.play();
    }

    /// Those held back answer now, in the order in which they were asked.
    fn release(&mut self) {
        self.slow.clear();
        for (id, run, starts) in std::mem::take(&mut self.held) {
            match starts {
                true => self.tree.started(id, run, self.now),
                false => self.tree.ended(id, run, End::Shutdown, Saved::Kept, self.now),
            }
        }
        self.play();
    }

    fn play(&mut self) {
        loop {
            let steps = self.tree.take();
            if steps.is_empty() {
                return;
            }
            for step in steps {
                self.step(step);
            }
        }
    }

    fn step(&mut self, step: Do) {
        let who = |play: &Self, id: Id| play.tree.name(id).map_or_else(String::new, ToString::to_string);
        match step {
            Do::Spawn { id, run } => {
                let name = who(self, id);
                self.log.push(format!("+{name}"));
                if self.slow.contains(&&*name) {
                    self.held.push((id, run, true));
                } else if self.refuses.contains(&&*name) {
                    self.tree.ended(id, run, End::Crashed("init".into()), Saved::Kept, self.now);
                } else {
                    self.tree.started(id, run, self.now);
                }
            }
            Do::Stop { id, run, reason, .. } => {
                let name = who(self, id);
                self.log.push(format!("-{name} {reason}"));
                match self.slow.contains(&&*name) {
                    true => self.held.push((id, run, false)),
                    false => self.tree.ended(id, run, End::Shutdown, Saved::Kept, self.now),
                }
            }
            Do::Kill { id, run } => {
                self.log.push(format!("!{}", who(self, id)));
                self.tree.ended(id, run, crash(), Saved::Kept, self.now);
            }
            Do::Wake { id, run, at } => self.wakes.push((id, run, at)),
            Do::Fail { id, .. } => self.log.push(format!("failed {}", who(self, id))),
            Do::Answer { answer, .. } => self.answers.push(answer),
            Do::Over => self.log.push("over".into()),
            Do::Restarting { .. } | Do::GiveUp { .. } | Do::Free { .. } => {}
        }
    }

    fn log(&mut self) -> String {
        std::mem::take(&mut self.log).join(" ")
    }

    fn state(&self, who: &str) -> Option<ChildState> {
        self.tree.child(&name(who)).map(|child| child.state)
    }

    fn states(&self, who: &[&str]) -> Vec<Option<ChildState>> {
        who.iter().map(|who| self.state(who)).collect()
    }
}

const RUNNING: Option<ChildState> = Some(ChildState::Running);
const DOWN: Option<ChildState> = Some(ChildState::Down);

#[test]
fn children_start_in_order_and_stop_in_reverse() {
    let mut play = Play::new();
    let inner = sup("inner", Strategy::OneForOne, &["b", "c"]);
    play.start(None, sup("s", Strategy::OneForOne, &["a"]).child(inner).child(actor("d"))).expect("starts");
    assert_eq!(play.log(), "+a +b +c +d");
    play.tree.shut_down(Budget::within(None), play.now);
    play.play();
    assert_eq!(play.log(), "-d shutdown -c shutdown -b shutdown -a shutdown over");
}

#[test]
fn a_first_start_that_fails_undoes_what_was_started() {
    let mut play = Play::new();
    play.refuses = vec!["c"];
    let error = play.start(None, sup("s", Strategy::OneForOne, &["a", "b", "c", "d"])).expect_err("c refuses");
    assert!(matches!(&error, Refused::Start(who, why) if who.as_str() == "s" && why.contains("`c`")), "{error}");
    assert_eq!(play.log(), "+a +b +c -b shutdown -a shutdown failed s");
    assert_eq!(play.states(&["a", "b", "c", "d"]), [None; 4]);
}

#[test]
fn each_strategy_restarts_those_it_names_in_otps_order() {
    let cases = [
        (Strategy::OneForOne, "+b"),
        (Strategy::OneForAll, "-c restart -a restart +a +b +c"),
        (Strategy::RestForOne, "-c restart +b +c"),
    ];
    for (strategy, expected) in cases {
        let mut play = Play::of(sup("s", strategy, &["a", "b", "c"]));
        play.ends("b", crash());
        assert_eq!(play.log(), expected, "{strategy}");
    }
}

#[test]
fn temporary_siblings_are_stopped_with_the_group_and_not_started_again() {
    let spec =
        sup("s", Strategy::OneForAll, &["a"]).child(of("t", Restart::Temporary)).child(of("r", Restart::Transient));
    let mut play = Play::of(spec);
    play.ends("a", crash());
    assert_eq!(play.log(), "-r restart -t restart +a +r");
    assert_eq!(play.state("t"), None);
}

#[test]
fn a_child_that_is_not_restarted_stays_known_unless_it_is_temporary() {
    let spec =
        sup("s", Strategy::OneForOne, &["p"]).child(of("t", Restart::Temporary)).child(of("r", Restart::Transient));
    let mut play = Play::of(spec);
    for who in ["p", "t", "r"] {
        play.ends(who, normal());
    }
    assert_eq!(play.log(), "+p");
    assert_eq!(play.states(&["p", "t", "r"]), [RUNNING, None, DOWN]);
    assert_eq!(play.tree.count(Some(&name("s"))), Some(Counts { specs: 2, active: 1, supervisors: 0, workers: 2 }));
}

#[test]
fn the_fourth_restart_within_the_window_ends_the_supervisor() {
    let mut play = Play::of(sup("s", Strategy::OneForOne, &["a", "b"]));
    for _ in 0..3 {
        play.ends("a", crash());
    }
    assert_eq!(play.log(), "+a +a +a");
    play.ends("a", crash());
    assert_eq!(play.log(), "-b shutdown failed s");
    assert_eq!(play.states(&["s", "a"]), [Some(ChildState::Failed), None]);
}

#[test]
fn restarts_that_are_older_than_the_window_do_not_count() {
    let mut play = Play::of(sup("s", Strategy::OneForOne, &["a"]));
    for _ in 0..12 {
        play.ends("a", crash());
        play.pass(Duration::from_millis(1_700));
    }
    assert_eq!(play.state("s"), RUNNING);
}

#[test]
fn a_spent_intensity_is_a_shutdown_to_the_supervisor_above() {
    for (restart, expected) in [(Restart::Permanent, RUNNING), (Restart::Transient, DOWN), (Restart::Temporary, None)] {
        let inner = SupervisorSpec {
            restart,
            intensity: Intensity { max_restarts: 0, max_seconds: 1 },
            ..sup("inner", Strategy::OneForOne, &["a"])
        };
        let mut play = Play::of(SupervisorSpec::new(name("s")).child(inner).child(actor("z")));
        play.ends("a", crash());
        assert_eq!(play.state("inner"), expected, "{restart:?}");
        assert_eq!(play.state("z"), RUNNING);
    }
}

#[test]
fn escalation_goes_up_level_by_level() {
    let none = Intensity { max_restarts: 0, max_seconds: 1 };
    let tight = |sup: SupervisorSpec| SupervisorSpec { intensity: none, ..sup };
    let a = tight(sup("s3", Strategy::OneForOne, &["a"]));
    let b = tight(SupervisorSpec::new(name("s2")).child(a));
    let mut play = Play::of(SupervisorSpec::new(name("s1")).child(b).child(actor("z")));
    play.ends("a", crash());
    assert_eq!(play.log(), "+a", "s2 is started again with all below it");
    assert_eq!(play.states(&["s1", "s2", "s3", "a", "z"]), [RUNNING; 5]);
}

#[test]
fn what_stands_under_the_root_fails_alone() {
    let mut play = Play::of(actor("a"));
    play.start(None, actor("b")).expect("starts");
    for _ in 0..4 {
        play.ends("a", crash());
    }
    assert_eq!(play.states(&["a", "b"]), [Some(ChildState::Failed), RUNNING]);
    assert_eq!(play.ask(Ask::Again { name: name("a") }), Ok(Saved::Kept));
    assert_eq!(play.state("a"), RUNNING);
}

#[test]
fn significant_children_end_their_supervisor_as_auto_shutdown_says() {
    let cases = [
        (AutoShutdown::AnySignificant, &["a"][..], "-z shutdown -b shutdown"),
        (AutoShutdown::AllSignificant, &["a"][..], ""),
        (AutoShutdown::AllSignificant, &["a", "b"][..], "-z shutdown"),
    ];
    for (auto_shutdown, ends, expected) in cases {
        let significant = |who| ActorSpec { significant: true, ..of(who, Restart::Transient) };
        let spec = SupervisorSpec {
            auto_shutdown,
            restart: Restart::Temporary,
            ..SupervisorSpec::new(name("s")).child(significant("a")).child(significant("b")).child(actor("z"))
        };
        let mut play = Play::of(SupervisorSpec::new(name("top")).child(spec));
        for who in ends {
            play.ends(who, normal());
        }
        assert_eq!(play.log(), expected, "{auto_shutdown} {ends:?}");
        assert_eq!(play.state("s").is_none(), !expected.is_empty());
        assert_eq!(play.state("top"), RUNNING);
    }
}

#[test]
fn a_significant_child_that_is_told_to_stop_or_restarted_ends_nobody() {
    let significant = |who| ActorSpec { significant: true, ..of(who, Restart::Transient) };
    let any = AutoShutdown::AnySignificant;
    let spec = SupervisorSpec { auto_shutdown: any, ..sup("s", Strategy::OneForAll, &["z"]) }.child(significant("a"));
    let mut play = Play::of(spec);
    play.ends("a", crash());
    play.ends("z", crash());
    play.ask(Ask::Terminate { name: name("a") }).expect("stops");
    assert_eq!(play.states(&["s", "a", "z"]), [RUNNING, DOWN, RUNNING]);
}

#[test]
fn children_at_run_time_get_otps_answers() {
    let mut play = Play::of(sup("s", Strategy::OneForOne, &["a"]));
    let there = |child| Refused::AlreadyStarted(name(child), ChildState::Running);
    assert_eq!(play.start(Some("s"), actor("a")), Err(there("a")));
    assert_eq!(play.start(Some("s"), actor("b")), Ok(Saved::Kept));
    assert_eq!(play.start(Some("nobody"), actor("c")), Err(Refused::NoSupervisor(name("nobody"))));
    assert_eq!(play.start(Some("a"), actor("c")), Err(Refused::NoSupervisor(name("a"))));
    assert_eq!(play.ask(Ask::Again { name: name("b") }), Err(Refused::Running(name("b"))));
    assert_eq!(play.ask(Ask::Delete { name: name("b") }), Err(Refused::Running(name("b"))));
    assert_eq!(play.ask(Ask::Terminate { name: name("b") }), Ok(Saved::Kept));
    assert_eq!(
        play.ask(Ask::Terminate { name: name("b") }),
        Ok(Saved::Kept),
        "as OTP: it is down, which is what was asked"
    );
    assert_eq!(play.start(Some("s"), actor("b")), Err(Refused::AlreadyPresent(name("b"))));
    assert_eq!(play.ask(Ask::Again { name: name("b") }), Ok(Saved::Kept));
    play.ask(Ask::Terminate { name: name("b") }).expect("stops");
    assert_eq!(play.ask(Ask::Delete { name: name("b") }), Ok(Saved::Kept));
    assert_eq!(play.ask(Ask::Delete { name: name("b") }), Err(Refused::NoChild(name("b"))));
    play.refuses = vec!["c"];
    assert!(matches!(play.start(Some("s"), actor("c")), Err(Refused::Start(..))));
    assert_eq!(play.state("c"), None, "what would not start is not kept");
}

#[test]
fn a_dynamic_supervisor_forgets_its_children_and_is_bounded() {
    let mut spec = SupervisorSpec::dynamic(name("d"));
    spec.children = Children::Dynamic { max_children: 2 };
    let mut play = Play::of(spec);
    play.start(Some("d"), actor("a")).expect("starts");
    play.start(Some("d"), of("b", Restart::Transient)).expect("starts");
    assert_eq!(play.start(Some("d"), actor("c")), Err(Refused::MaxChildren(name("d"), 2)));
    play.ends("b", normal());
    assert_eq!(play.state("b"), None);
    play.start(Some("d"), actor("c")).expect("there is room again");
    play.log();
    play.slow = vec!["a", "c"];
    play.tree.shut_down(Budget::within(None), play.now);
    play.play();
    assert_eq!(play.log(), "-a shutdown -c shutdown", "side by side");
    play.release();
    assert_eq!(play.log(), "over");
}

#[test]
fn a_restart_that_fails_is_tried_again_and_counts() {
    let mut play = Play::of(sup("s", Strategy::OneForOne, &["a", "b"]));
    play.refuses = vec!["a"];
    play.ends("a", crash());
    assert_eq!(play.log(), "+a +a +a -b shutdown failed s");
}

#[test]
fn a_group_that_would_not_start_counts_once_more() {
    let mut play = Play::of(sup("s", Strategy::OneForAll, &["a", "b", "c"]));
    play.refuses = vec!["b"];
    play.ends("c", crash());
    assert_eq!(play.log(), "-b restart -a restart +a +b -a restart +a +b -a restart +a +b -a shutdown failed s");
}

#[test]
fn what_happens_while_a_group_restarts_waits_its_turn() {
    let mut play = Play::of(sup("s", Strategy::RestForOne, &["a", "b", "c"]));
    play.slow = vec!["c"];
    play.ends("b", crash());
    assert_eq!(play.log(), "-c restart");
    // `a` is not of the group: its crash is dealt with after it; and so is what is asked.
    play.ends("a", crash());
    play.begin(Ask::Terminate { name: name("c") });
    assert_eq!(play.log(), "");
    play.release();
    assert_eq!(play.log(), "+b +c -c restart -b restart +a +b +c -c normal");
    assert_eq!(play.answers, [Ok(Saved::Kept)]);
}

#[test]
fn a_supervisor_that_is_stopped_while_it_restarts_stops() {
    let mut play = Play::of(sup("s", Strategy::OneForAll, &["a", "b", "c"]));
    play.slow = vec!["b"];
    play.ends("c", crash());
    play.begin(Ask::Terminate { name: name("s") });
    play.begin(Ask::Restart { name: name("a") });
    assert_eq!(play.answers, [Err(Refused::GoingDown)]);
    play.answers.clear();
    play.release();
    assert_eq!(play.log(), "-b restart -b shutdown -a shutdown");
    assert_eq!(play.state("s"), DOWN);
    assert_eq!(play.answers, [Ok(Saved::Kept)]);
}

#[test]
fn a_start_for_a_name_that_is_being_stopped_waits_for_it() {
    let mut play = Play::of(SupervisorSpec::dynamic(name("d")));
    play.start(Some("d"), actor("a")).expect("starts");
    play.slow = vec!["a"];
    play.begin(Ask::Terminate { name: name("a") });
    let again = Ask::Start { supervisor: Some(name("d")), spec: Box::new(actor("a").into()), listed: false };
    play.begin(again);
    assert_eq!(play.answers, []);
    play.release();
    assert_eq!(play.answers, [Ok(Saved::Kept), Ok(Saved::Kept)]);
    assert_eq!(play.state("a"), RUNNING);
}

#[test]
fn the_tighter_budget_above_wins_at_every_level() {
    let ms = Duration::from_millis;
    let slow = ActorSpec { shutdown: Shutdown::After(ms(9_000)), ..actor("a") };
    let mut inner = SupervisorSpec::new(name("inner")).child(slow);
    inner.shutdown = Shutdown::After(ms(2_000));
    let mut play = Play::of(SupervisorSpec::new(name("s")).child(inner));
    let budget = Budget::of(Shutdown::After(ms(30_000)), None, play.now);
    play.tree.shut_down(budget, play.now);
    let told = play.tree.take().into_iter().find_map(|step| match step {
        Do::Stop { budget, .. } => Some(budget.total_ms),
        _ => None,
    });
    assert_eq!(told, Some(2_000));
}

#[test]
fn a_supervisor_has_not_saved_what_one_below_it_has_not() {
    let inner = sup("inner", Strategy::OneForOne, &["a"]);
    let mut play = Play::of(SupervisorSpec::new(name("s")).child(inner).child(actor("b")));
    play.slow = vec!["a"];
    play.begin(Ask::Terminate { name: name("s") });
    let (id, run, _) = play.held.pop().expect("a is told to stop");
    let lost = Saved::Not(crate::model::NotSaved::Budget(5));
    play.tree.ended(id, run, End::Shutdown, lost.clone(), play.now);
    play.play();
    assert_eq!(play.answers, [Ok(lost)]);
    play.answers.clear();
    play.slow.clear();
    assert_eq!(play.ask(Ask::Again { name: name("s") }), Ok(Saved::Kept));
    assert_eq!(play.ask(Ask::Terminate { name: name("s") }), Ok(Saved::Kept), "the next time it has");
}

#[test]
fn a_brutal_kill_of_a_supervisor_is_one_of_all_below_it() {
    let mut inner = sup("inner", Strategy::OneForOne, &["a", "b"]);
    inner.shutdown = Shutdown::BrutalKill;
    let mut play = Play::of(SupervisorSpec::new(name("s")).child(inner));
    play.ask(Ask::Terminate { name: name("s") }).expect("stops");
    assert_eq!(play.log(), "!a !b");
    assert_eq!(play.state("s"), DOWN);
}

#[test]
fn killing_is_a_crash_to_the_supervisor() {
    let mut play = Play::of(sup("s", Strategy::OneForOne, &["a"]).child(of("t", Restart::Temporary)));
    for who in ["a", "t"] {
        play.ask(Ask::Kill { name: name(who) }).expect("runs");
    }
    assert_eq!(play.log(), "!a +a !t");
    play.ask(Ask::Kill { name: name("s") }).expect("runs");
    assert_eq!(play.log(), "!a +a +t", "it is started again, with all that it began with");
}

#[test]
fn a_restart_by_hand_hands_over_and_counts_as_none() {
    let mut play = Play::of(sup("s", Strategy::OneForAll, &["a", "b"]));
    for _ in 0..9 {
        play.ask(Ask::Restart { name: name("a") }).expect("runs");
    }
    assert_eq!(play.log(), "-a restart +a ".repeat(9).trim_end());
    play.ask(Ask::Restart { name: name("s") }).expect("runs");
    assert_eq!(play.log(), "-b shutdown -a shutdown +a +b");
}

#[test]
fn a_backoff_waits_and_a_stop_meanwhile_is_a_stop() {
    let ms = Duration::from_millis;
    let spec = SupervisorSpec {
        backoff: Some(Backoff { first: ms(100), max: ms(1_000) }),
        ..sup("s", Strategy::OneForOne, &["a"])
    };
    let mut play = Play::of(spec);
    play.ends("a", crash());
    assert_eq!((play.log().as_str(), play.state("a")), ("", Some(ChildState::Restarting)));
    assert_eq!(play.ask(Ask::Again { name: name("a") }), Err(Refused::Restarting(name("a"))));
    play.pass(ms(100));
    assert_eq!(play.log(), "+a");
    play.ends("a", crash());
    play.pass(ms(199));
    assert_eq!(play.log(), "", "twice as long");
    play.ask(Ask::Terminate { name: name("a") }).expect("stops");
    play.pass(ms(60_000));
    assert_eq!((play.log().as_str(), play.state("a")), ("", DOWN));
}

#[test]
fn one_that_ignores_its_start_is_known_and_down() {
    let mut play = Play::new();
    play.slow = vec!["b"];
    play.begin(Ask::Start {
        supervisor: None,
        spec: Box::new(sup("s", Strategy::OneForOne, &["a", "b", "c"]).into()),
        listed: true,
    });
    let (id, run, _) = play.held.pop().expect("b starts");
    play.tree.ended(id, run, End::Ignored, Saved::Kept, play.now);
    play.play();
    assert_eq!(play.log(), "+a +b +c");
    assert_eq!(play.states(&["s", "a", "b", "c"]), [RUNNING, RUNNING, DOWN, RUNNING]);
}

#[test]
fn bad_child_specs_are_refused_at_run_time_too() {
    let mut play = Play::of(sup("s", Strategy::OneForOne, &["a"]));
    let significant = ActorSpec { significant: true, ..of("b", Restart::Transient) };
    assert!(matches!(play.start(Some("s"), significant), Err(Refused::BadSpec(..))));
    let twice = sup("t", Strategy::OneForOne, &["x", "x"]);
    assert!(matches!(play.start(Some("s"), twice), Err(Refused::BadSpec(..))));
    let taken = sup("t", Strategy::OneForOne, &["a"]);
    assert_eq!(play.start(Some("s"), taken), Err(Refused::AlreadyStarted(name("a"), ChildState::Running)));
}

#[test]
fn an_end_looks_at_each_child_as_often_however_many_there_are() {
    let of_each = |count: u32, dynamic: bool| {
        let mut play = match dynamic {
            true => Play::of(SupervisorSpec::dynamic(name("s"))),
            false => {
                Play::of((0..count).fold(SupervisorSpec::new(name("s")), |s, n| s.child(actor(&format!("w/{n}")))))
            }
        };
        for n in (0..count).filter(|_| dynamic) {
            play.start(Some("s"), actor(&format!("w/{n}"))).expect("it starts");
        }
        play.log.clear();
        play.tree.listed.set(0);
        play.ask(Ask::Terminate { name: name("s") }).expect("it stops");
        assert_eq!(play.log.len(), count as usize);
        play.tree.listed.get() / count as usize
    };
    for dynamic in [false, true] {
        assert_eq!(of_each(10, dynamic), of_each(1_000, dynamic), "dynamic: {dynamic}");
    }
}

#[test]
fn a_child_that_would_not_start_again_is_left_while_its_supervisor_ends() {
    for strategy in [Strategy::OneForOne, Strategy::OneForAll] {
        let mut play = Play::of(sup("s", strategy, &["a", "b"]));
        play.slow = vec!["a", "b"];
        play.ends("a", End::Fenced("another host had it".into()));
        play.begin(Ask::Terminate { name: name("s") });
        assert_eq!(play.log(), "+a -b shutdown");
        let (id, run, _) = play.held.remove(0);
        play.tree.ended(id, run, crash(), Saved::Kept, play.now);
        play.play();
        play.release();
        assert_eq!((play.log().as_str(), play.state("s"), play.answers.len()), ("", DOWN, 1), "{strategy}");
    }
}
