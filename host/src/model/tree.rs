//! Supervision trees: what is to run, and in what order. The words are those of OTP's `supervisor` and of Elixir's
//! `DynamicSupervisor`.

use std::fmt;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{ActorName, ActorSpec, Backoff, Intensity, Restart, Shutdown};

/// How deep supervisors may be nested.
pub const SUPERVISOR_DEPTH: usize = 100;
/// Children of a dynamic supervisor, unless told otherwise.
pub const DEFAULT_MAX_CHILDREN: u32 = 1_000_000;

/// Who else is restarted when a child ends and is to be started again.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Strategy {
    /// Nobody.
    #[default]
    OneForOne,
    /// All its siblings.
    OneForAll,
    /// Those that were started after it.
    RestForOne,
}

impl fmt::Display for Strategy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::OneForOne => "one_for_one",
            Self::OneForAll => "one_for_all",
            Self::RestForOne => "rest_for_one",
        })
    }
}

/// Whether a supervisor ends when its significant children have ended by themselves.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AutoShutdown {
    /// No; then it may not have significant children.
    #[default]
    Never,
    /// With the first of them.
    AnySignificant,
    /// With the last of them.
    AllSignificant,
}

impl fmt::Display for AutoShutdown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Never => "never",
            Self::AnySignificant => "any_significant",
            Self::AllSignificant => "all_significant",
        })
    }
}

/// What a supervisor begins with.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Children {
    /// Started in this order, stopped in reverse. More may be added at run time, and stand after these.
    Listed(Vec<ChildSpec>),
    /// None: they are started at run time, are removed when they have ended, and stop side by side. The strategy is
    /// `one_for_one`.
    Dynamic {
        /// How many there may be at once.
        max_children: u32,
    },
}

/// One supervisor that is to run, with what is below it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SupervisorSpec {
    /// Its name: no actor has it.
    pub name: ActorName,
    /// Who else is restarted.
    pub strategy: Strategy,
    /// How many restarts it allows; with one more it ends with `shutdown`, and its own supervisor decides.
    pub intensity: Intensity,
    /// Whether it ends with its significant children.
    pub auto_shutdown: AutoShutdown,
    /// Whether restarts wait.
    pub backoff: Option<Backoff>,
    /// When it is started again itself.
    pub restart: Restart,
    /// How long it and everything below it may take to stop.
    pub shutdown: Shutdown,
    /// Whether its end counts for its own supervisor's `auto_shutdown`.
    pub significant: bool,
    /// What is below it.
    pub children: Children,
}

impl SupervisorSpec {
    /// A supervisor with listed children and defaults for all else: `one_for_one`, three restarts in five seconds, and as
    /// long to stop as it takes.
    #[must_use]
    pub fn new(name: ActorName) -> Self {
        Self {
            name,
            strategy: Strategy::default(),
            intensity: Intensity::default(),
            auto_shutdown: AutoShutdown::default(),
            backoff: None,
            restart: Restart::default(),
            shutdown: Shutdown::Infinity,
            significant: false,
            children: Children::Listed(Vec::new()),
        }
    }

    /// A dynamic supervisor with defaults for all else.
    #[must_use]
    pub fn dynamic(name: ActorName) -> Self {
        Self { children: Children::Dynamic { max_children: DEFAULT_MAX_CHILDREN }, ..Self::new(name) }
    }

    /// Why it would not have `child`, which is significant; and its name.
    pub(crate) fn refuses(&self, child: &ChildSpec) -> Option<(ActorName, String)> {
        let never = child.significant() && self.auto_shutdown == AutoShutdown::Never;
        let why = || format!("it is significant, and the auto_shutdown of its supervisor `{}` is never", self.name);
        never.then(|| (child.name().clone(), why()))
    }

    /// Appends a listed child; a dynamic supervisor becomes one with listed children.
    #[must_use]
    pub fn child(mut self, child: impl Into<ChildSpec>) -> Self {
        match &mut self.children {
            Children::Listed(children) => children.push(child.into()),
            Children::Dynamic { .. } => self.children = Children::Listed(vec![child.into()]),
        }
        self
    }
}

/// A child specification: an actor, or a supervisor with what is below it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
#[allow(clippy::large_enum_variant, reason = "most are actors: a box would cost each of them an allocation")]
pub enum ChildSpec {
    /// A worker.
    Actor(ActorSpec),
    /// A supervisor.
    Supervisor(SupervisorSpec),
}

impl From<ActorSpec> for ChildSpec {
    fn from(spec: ActorSpec) -> Self {
        Self::Actor(spec)
    }
}

impl From<SupervisorSpec> for ChildSpec {
    fn from(spec: SupervisorSpec) -> Self {
        Self::Supervisor(spec)
    }
}

impl ChildSpec {
    /// Its id, which is its name.
    #[must_use]
    pub fn name(&self) -> &ActorName {
        match self {
            Self::Actor(spec) => &spec.name,
            Self::Supervisor(spec) => &spec.name,
        }
    }

    /// When it is started again.
    #[must_use]
    pub fn restart(&self) -> Restart {
        match self {
            Self::Actor(spec) => spec.restart,
            Self::Supervisor(spec) => spec.restart,
        }
    }

    /// How long it may take to stop.
    #[must_use]
    pub fn shutdown(&self) -> Shutdown {
        match self {
            Self::Actor(spec) => spec.shutdown,
            Self::Supervisor(spec) => spec.shutdown,
        }
    }

    /// Whether its end counts for its supervisor's `auto_shutdown`.
    #[must_use]
    pub fn significant(&self) -> bool {
        match self {
            Self::Actor(spec) => spec.significant,
            Self::Supervisor(spec) => spec.significant,
        }
    }

    /// Those directly below it.
    #[must_use]
    pub fn children(&self) -> &[ChildSpec] {
        match self {
            Self::Supervisor(SupervisorSpec { children: Children::Listed(children), .. }) => children,
            _ => &[],
        }
    }

    /// Every actor in it.
    pub fn actors(&self) -> impl Iterator<Item = &ActorSpec> {
        let mut waiting = vec![self];
        std::iter::from_fn(move || {
            while let Some(child) = waiting.pop() {
                waiting.extend(child.children().iter().rev());
                if let Self::Actor(actor) = child {
                    return Some(actor);
                }
            }
            None
        })
    }

    /// What is wrong with it by itself and below `above`, each with the field that it is about; none above: the root, or
    /// one that is not known yet. What stands below it is not looked at.
    #[must_use]
    pub fn unfit(&self, above: Option<&SupervisorSpec>) -> Vec<(&'static str, String)> {
        let mut found = Vec::new();
        if self.significant() && self.restart() == Restart::Permanent {
            found.push(("significant", "it is significant and permanent: one that is always started again never ends its supervisor; make it transient or temporary".into()));
        }
        if let Some(above) = above.filter(|above| self.significant() && above.auto_shutdown == AutoShutdown::Never) {
            let what = format!("it is significant, and the auto_shutdown of its supervisor `{}` is never", above.name);
            found.push(("significant", what));
        }
        if let Self::Supervisor(spec) = self
            && matches!(spec.children, Children::Dynamic { .. })
            && spec.strategy != Strategy::OneForOne
        {
            let what = format!("it is dynamic, and so its strategy is one_for_one, not {}", spec.strategy);
            found.push(("strategy", what));
        }
        found
    }

    /// What is wrong with it or below it, each with the name of the child that it is about: a significant child that is
    /// permanent, or whose supervisor never ends by itself; a strategy that a dynamic supervisor does not have; a name that
    /// is there twice; supervisors nested more than [`SUPERVISOR_DEPTH`] deep.
    #[must_use]
    pub fn problems(&self) -> Vec<(ActorName, String)> {
        let mut problems = Vec::new();
        let mut names = std::collections::HashSet::new();
        let mut waiting = vec![(self, None::<&SupervisorSpec>, 1)];
        while let Some((child, above, depth)) = waiting.pop() {
            let mut say = |what: String| problems.push((child.name().clone(), what));
            if !names.insert(child.name()) {
                say("its name is there twice".into());
            }
            if depth > SUPERVISOR_DEPTH {
                say(format!("it is nested more than {SUPERVISOR_DEPTH} deep"));
                continue;
            }
            for (_, what) in child.unfit(above) {
                say(what);
            }
            if let Self::Supervisor(spec) = child {
                waiting.extend(child.children().iter().rev().map(|below| (below, Some(spec), depth + 1)));
            }
        }
        problems
    }

    /// Those that a level above may cut short: `above` is what the levels above leave, none for no limit, and `whose` says
    /// which of them it is.
    #[must_use]
    pub fn cut_short(&self, above: Option<Duration>, whose: &str) -> Vec<CutShort> {
        let mut found = Vec::new();
        let mut waiting = vec![(self, above, whose.to_owned())];
        while let Some((child, above, whose)) = waiting.pop() {
            let own = child.shutdown();
            let own_ms = match own {
                Shutdown::BrutalKill => Some(Duration::ZERO),
                Shutdown::After(own) => Some(own),
                Shutdown::Infinity => None,
            };
            let cut = above.filter(|above| own_ms.is_none_or(|own| own > *above));
            if let Some(above) = cut
                && let Self::Actor(actor) = child
            {
                found.push(CutShort { child: actor.name.to_string(), own, above, by: whose.clone() });
            }
            let (left, whose) = match (cut, own_ms) {
                (Some(above), _) => (Some(above), whose),
                (None, Some(own)) => (Some(own), format!("supervisor `{}`", child.name())),
                (None, None) => (None, whose),
            };
            waiting.extend(child.children().iter().rev().map(|below| (below, left, whose.clone())));
        }
        found
    }
}

/// A child that may get less time to stop than it is given, since the more restrictive level above wins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CutShort {
    /// Its name, or a pattern of names.
    pub child: String,
    /// What it is given itself.
    pub own: Shutdown,
    /// What is left of it.
    pub above: Duration,
    /// Who has it no longer.
    pub by: String,
}

impl fmt::Display for CutShort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { child, own, above, by } = self;
        write!(f, "`{child}` has a shutdown of {own}, and {by} gives it {} ms at most", above.as_millis())
    }
}

/// How many children a supervisor has, as OTP's `count_children` says it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Counts {
    /// Child specifications.
    pub specs: usize,
    /// Children that run, or are being started or stopped.
    pub active: usize,
    /// Of the specifications, those of supervisors.
    pub supervisors: usize,
    /// Of the specifications, those of actors.
    pub workers: usize,
}

/// Where a child stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ChildState {
    /// It does not run, and nobody is about to start it: OTP's `undefined`.
    Down,
    /// It is being started.
    Starting,
    /// It runs.
    Running,
    /// It ended, and waits to be started again: OTP's `restarting`.
    Restarting,
    /// It was told to end.
    Stopping,
    /// It stands under the root and was restarted too often, or would not start; it stays down until it is started again.
    Failed,
}

impl fmt::Display for ChildState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Down => "down",
            Self::Starting => "starting",
            Self::Running => "running",
            Self::Restarting => "restarting",
            Self::Stopping => "stopping",
            Self::Failed => "failed",
        })
    }
}

/// One child as its supervisor sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct ChildInfo {
    /// Its id, which is its name.
    pub name: ActorName,
    /// Its supervisor; none: the root.
    pub supervisor: Option<ActorName>,
    /// Where it stands.
    pub state: ChildState,
    /// When it is started again.
    pub restart: Restart,
    /// How long it may take to stop.
    pub shutdown: Shutdown,
    /// Whether its end counts for its supervisor's `auto_shutdown`.
    pub significant: bool,
    /// Restarts by its supervisor, since it was added.
    pub restarts: u64,
    /// How it ended last.
    pub last_exit: Option<String>,
    /// None: it is an actor.
    pub supervises: Option<Supervises>,
}

/// What there is to see of a supervisor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Supervises {
    /// Who else is restarted.
    pub strategy: Strategy,
    /// Whether its children come and go at run time.
    pub dynamic: bool,
    /// How many restarts it allows.
    #[serde(flatten)]
    pub intensity: Intensity,
    /// Whether it ends with its significant children.
    pub auto_shutdown: AutoShutdown,
    /// How many children it may have; none: as many as there are.
    pub max_children: Option<u32>,
    /// How many it has.
    pub children: Counts,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::PluginName;

    fn name(text: &str) -> ActorName {
        ActorName::new(text).expect("valid")
    }

    fn actor(text: &str) -> ActorSpec {
        ActorSpec::new(name(text), PluginName::new("p").expect("valid"))
    }

    #[test]
    fn the_more_restrictive_level_above_is_found_however_deep() {
        let ms = Duration::from_millis;
        let slow = ActorSpec { shutdown: Shutdown::After(ms(9_000)), ..actor("slow") };
        let endless = ActorSpec { shutdown: Shutdown::Infinity, ..actor("endless") };
        let quick = ActorSpec { shutdown: Shutdown::After(ms(100)), ..actor("quick") };
        let inner = SupervisorSpec::new(name("inner")).child(slow).child(quick);
        let outer = SupervisorSpec { shutdown: Shutdown::After(ms(2_000)), ..SupervisorSpec::new(name("outer")) };
        let tree = ChildSpec::from(outer.child(inner).child(endless));
        let told: Vec<_> = tree.cut_short(Some(ms(30_000)), "the host").iter().map(ToString::to_string).collect();
        assert_eq!(
            told,
            [
                "`slow` has a shutdown of 9000 ms, and supervisor `outer` gives it 2000 ms at most",
                "`endless` has a shutdown of infinity, and supervisor `outer` gives it 2000 ms at most",
            ]
        );
        assert_eq!(tree.cut_short(Some(ms(50)), "the host").len(), 3);
    }

    #[test]
    fn what_otp_refuses_in_a_child_spec_is_refused() {
        let significant = |text: &str, restart| ActorSpec { significant: true, restart, ..actor(text) };
        let any = SupervisorSpec { auto_shutdown: AutoShutdown::AnySignificant, ..SupervisorSpec::new(name("any")) };
        let cases: [(ChildSpec, &[&str]); 6] = [
            (any.clone().child(significant("a", Restart::Transient)).into(), &[]),
            (any.child(significant("a", Restart::Permanent)).into(), &["significant and permanent"]),
            (SupervisorSpec::new(name("s")).child(significant("a", Restart::Temporary)).into(), &["`s` is never"]),
            (SupervisorSpec::new(name("s")).child(actor("s")).into(), &["twice"]),
            (SupervisorSpec::new(name("s")).child(actor("a")).child(actor("a")).into(), &["twice"]),
            (
                SupervisorSpec { strategy: Strategy::OneForAll, ..SupervisorSpec::dynamic(name("d")) }.into(),
                &["dynamic, and so its strategy is one_for_one"],
            ),
        ];
        for (spec, expected) in cases {
            let problems = spec.problems();
            assert_eq!(problems.len(), expected.len(), "{problems:?}");
            assert!(problems.iter().zip(expected).all(|((_, said), expected)| said.contains(expected)), "{problems:?}");
        }
    }

    #[test]
    fn nesting_is_bounded_and_a_tree_of_that_depth_is_fine() {
        let nested = |depth: usize| {
            let innermost = ChildSpec::from(SupervisorSpec::new(name("s1")));
            (2..=depth).fold(innermost, |below, n| SupervisorSpec::new(name(&format!("s{n}"))).child(below).into())
        };
        assert_eq!(nested(SUPERVISOR_DEPTH).problems(), []);
        assert_eq!(nested(SUPERVISOR_DEPTH + 1).problems().len(), 1);
    }
}
