//! A supervision tree, decided: what happened goes in, what is to be done comes out. Nothing here waits, and no clock is
//! asked, so that tests can play whatever they like against it. The rules are those of OTP's `supervisor`:
//!
//! - Children start in order, each once the one before is up; a first start that fails undoes what was started.
//! - They stop in reverse, one after the other; those of a dynamic supervisor stop side by side.
//! - While a supervisor starts its children or restarts a group of them it does nothing else: what happens meanwhile waits.
//!   Its own end does not wait.
//! - A supervisor whose intensity is spent stops its children and ends with `shutdown`; its own supervisor decides.
//!
//! The root is no supervisor of OTP's: each of its children has an intensity of its own, and stays down by itself where
//! that is spent, like a `temporary` application. What one of them does never ends the others.

mod ask;
mod flow;
#[cfg(test)]
mod model_tests;
#[cfg(test)]
mod tests;

use std::collections::{BTreeSet, HashMap, VecDeque};

use tokio::time::Instant;

use super::restart::{End, Restarts};
use crate::actor::Budget;
use crate::model::{
    ActorName, ActorSpec, Backoff, ChildInfo, ChildSpec, ChildState, Children, Counts, Intensity, Restart, Saved,
    StopReason, Strategy, Supervises, SupervisorSpec,
};

pub(super) use ask::{Ask, Refused};

/// Names a child; rises with each that is added, and is never used again.
pub(super) type Id = u64;
/// Names someone who waits for an answer.
pub(super) type Ticket = u64;

/// The root's own.
pub(super) const ROOT: Id = 0;

/// What is to be done, in order.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Do {
    /// Start the next instance of an actor.
    Spawn { id: Id, run: u64 },
    /// Tell it to stop; a tighter budget may follow.
    Stop { id: Id, run: u64, reason: StopReason, budget: Budget },
    /// End it at once.
    Kill { id: Id, run: u64 },
    /// Say [`Tree::woken`] then.
    Wake { id: Id, run: u64, at: Instant },
    /// It has no instance, and waits to be started again: messages for it wait too.
    Restarting { id: Id },
    /// A supervisor ends, since its intensity is spent.
    GiveUp { id: Id, why: String },
    /// It has no instance and stays down under its name.
    Fail { id: Id, why: String },
    /// It has no instance, and its name is free.
    Free { id: Id, name: ActorName, why: String },
    /// Tell whoever waits.
    Answer { ticket: Ticket, id: Id, answer: Result<Saved, Refused> },
    /// The root has ended.
    Over,
}

#[derive(Debug, Clone, PartialEq)]
enum State {
    /// No instance, and nobody is about to start one.
    Down,
    Starting,
    Up,
    /// Ended, and to be started again.
    Waiting,
    Stopping(StopReason, Budget),
    /// No instance; under the root alone.
    Failed,
}

/// Who began a start, and so who judges one that fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Begun {
    /// Its supervisor, with its siblings in order.
    Listed,
    /// Someone who added it.
    Added,
    /// Someone who knew it.
    Asked,
    /// Its supervisor, after it had ended.
    Restart,
}

/// What follows once it has stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Then {
    Down,
    /// It is started again at once.
    Again,
    /// Its siblings follow, and then they are started together.
    Group,
}

#[derive(Debug)]
struct Node {
    name: ActorName,
    parent: Id,
    spec: ChildSpec,
    /// Whether it is removed once it has ended, and stops side by side with others.
    dynamic: bool,
    state: State,
    run: u64,
    begun: Begun,
    then: Then,
    /// Its own, where it stands under the root.
    restarts: Restarts,
    /// Restarts in a row, and since when it is up.
    streak: u32,
    up_since: Option<Instant>,
    restarted: u64,
    last_exit: Option<String>,
    saved: Saved,
    starters: Vec<Ticket>,
    stoppers: Vec<Ticket>,
    /// What is asked of its name, once it is gone.
    after: Vec<(Ticket, Ask)>,
    sup: Option<Sup>,
}

#[derive(Debug, Default)]
struct Sup {
    /// In the order of their start.
    children: BTreeSet<Id>,
    restarts: Restarts,
    work: Work,
    queue: VecDeque<Later>,
}

/// What a supervisor is busy with.
#[derive(Debug, Default)]
enum Work {
    #[default]
    Idle,
    /// Starts children in order.
    Starting { current: Option<Id>, left: VecDeque<Id> },
    /// Stops a group in reverse, to start it again.
    Clearing { current: Option<Id>, left: Vec<Id>, group: Vec<Id>, cause: Id },
    /// Waits before it starts the group.
    Pausing { group: Vec<Id>, cause: Id },
    /// Stops all its children; at once, or as each is to be stopped. `left`: those that may have an instance still, the one
    /// that is waited for last; none before the first step.
    Ending { why: Why, brutal: bool, left: Option<Vec<Id>> },
}

/// Why a supervisor ends.
#[derive(Debug, Clone, PartialEq)]
enum Why {
    /// It was told to.
    Told,
    Killed,
    /// Its intensity is spent.
    Intensity(String),
    /// Its significant children have ended.
    Auto,
    /// A child would not start.
    Start(String),
}

/// What waits until a supervisor is idle.
#[derive(Debug)]
enum Later {
    Ended(Id, End),
    Ask(Ticket, Ask),
}

/// What follows from what happened, step by step: nothing here calls itself, however deep the tree.
#[derive(Debug)]
enum Todo {
    Up(Id),
    Ended(Id, End),
    Advance(Id),
    Ask(Ticket, Ask),
}

/// The tree.
#[derive(Debug)]
pub(super) struct Tree {
    nodes: HashMap<Id, Node>,
    names: HashMap<ActorName, Id>,
    next: Id,
    todo: VecDeque<Todo>,
    out: Vec<Do>,
    /// Children that were listed to look at each, so far: what an end costs is counted by it.
    #[cfg(test)]
    listed: std::cell::Cell<usize>,
}

impl Tree {
    /// The root, without children.
    pub(super) fn new(root: ActorName) -> Self {
        let mut tree = Self {
            nodes: HashMap::new(),
            names: HashMap::new(),
            next: ROOT,
            todo: VecDeque::new(),
            out: Vec::new(),
            #[cfg(test)]
            listed: std::cell::Cell::default(),
        };
        let id = tree.insert(ROOT, SupervisorSpec::new(root).into(), false, Begun::Listed);
        // Nobody finds it by a name.
        tree.names.clear();
        if let Some(root) = tree.nodes.get_mut(&id) {
            root.state = State::Up;
        }
        tree
    }

    /// What is to be done now.
    pub(super) fn take(&mut self) -> Vec<Do> {
        std::mem::take(&mut self.out)
    }

    /// Someone asks for something.
    pub(super) fn ask(&mut self, ticket: Ticket, ask: Ask, now: Instant) {
        self.todo.push_back(Todo::Ask(ticket, ask));
        self.settle(now);
    }

    /// The `init` of an actor's instance has answered well.
    pub(super) fn started(&mut self, id: Id, run: u64, now: Instant) {
        if self.is_run(id, run) {
            self.todo.push_back(Todo::Up(id));
            self.settle(now);
        }
    }

    /// An actor's instance is gone; `saved` is what became of its state.
    pub(super) fn ended(&mut self, id: Id, run: u64, end: End, saved: Saved, now: Instant) {
        if !self.is_run(id, run) {
            return;
        }
        if let Some(node) = self.nodes.get_mut(&id) {
            node.saved = saved;
        }
        self.todo.push_back(Todo::Ended(id, end));
        self.settle(now);
    }

    /// Whether a child may be let go without an end: it was started at run time below the root, is up, has never been
    /// restarted, and nobody waits for anything of it.
    pub(super) fn may_go(&self, id: Id, run: u64) -> bool {
        self.nodes.get(&id).is_some_and(|node| {
            let waits = !(node.starters.is_empty() && node.stoppers.is_empty() && node.after.is_empty());
            node.run == run
                && (node.parent, node.restarted) == (ROOT, 0)
                && node.dynamic
                && node.sup.is_none()
                && node.state == State::Up
                && !waits
        })
    }

    /// Lets it go. Nothing follows.
    pub(super) fn let_go(&mut self, id: Id) {
        let Some(node) = self.nodes.remove(&id) else { return };
        self.names.remove(&node.name);
        if let Some(sup) = self.sup(node.parent) {
            sup.children.remove(&id);
        }
    }

    /// The time of a [`Do::Wake`] has come.
    pub(super) fn woken(&mut self, id: Id, run: u64, now: Instant) {
        if self.is_run(id, run) {
            self.wake(id, now);
            self.settle(now);
        }
    }

    /// Everything ends, within `budget`.
    pub(super) fn shut_down(&mut self, budget: Budget, now: Instant) {
        self.tell(ROOT, StopReason::Shutdown, Some(budget), Then::Down, now);
        self.settle(now);
    }

    /// The spec of the actor `id`.
    pub(super) fn actor(&self, id: Id) -> Option<&ActorSpec> {
        match &self.nodes.get(&id)?.spec {
            ChildSpec::Actor(spec) => Some(spec),
            ChildSpec::Supervisor(_) => None,
        }
    }

    /// Its name.
    pub(super) fn name(&self, id: Id) -> Option<&ActorName> {
        self.nodes.get(&id).map(|node| &node.name)
    }

    /// The supervisor that it stands under; none: the root.
    pub(super) fn above(&self, id: Id) -> Option<&ActorName> {
        let parent = self.nodes.get(&id)?.parent;
        self.name(parent).filter(|_| parent != ROOT)
    }

    /// Whether it stays known once it has ended.
    pub(super) fn stays(&self, id: Id) -> bool {
        self.nodes.get(&id).is_some_and(|node| !node.goes())
    }

    /// How it is called.
    pub(super) fn id(&self, name: &ActorName) -> Option<Id> {
        self.names.get(name).copied()
    }

    /// Whether an instance of it was told to stop.
    pub(super) fn is_stopping(&self, id: Id) -> bool {
        self.nodes.get(&id).is_some_and(|node| matches!(node.state, State::Stopping(..)))
    }

    /// The children of a supervisor, in the order of their start; none: there is no such supervisor.
    pub(super) fn which(&self, supervisor: Option<&ActorName>) -> Option<Vec<ChildInfo>> {
        let sup = self.supervisor(supervisor)?;
        Some(sup.children.iter().filter_map(|id| self.info(*id)).collect())
    }

    /// How many they are.
    pub(super) fn count(&self, supervisor: Option<&ActorName>) -> Option<Counts> {
        Some(self.counts(self.supervisor(supervisor)?))
    }

    /// One child.
    pub(super) fn child(&self, name: &ActorName) -> Option<ChildInfo> {
        self.info(self.id(name)?)
    }

    /// All of them: each supervisor before its children.
    pub(super) fn all(&self) -> Vec<ChildInfo> {
        let mut all = Vec::new();
        let mut waiting = vec![ROOT];
        while let Some(id) = waiting.pop() {
            all.extend(self.info(id).filter(|_| id != ROOT));
            waiting
                .extend(self.nodes.get(&id).and_then(|n| n.sup.as_ref()).iter().flat_map(|s| s.children.iter().rev()));
        }
        all
    }

    fn supervisor(&self, name: Option<&ActorName>) -> Option<&Sup> {
        let id = name.map_or(Some(ROOT), |name| self.id(name))?;
        self.nodes.get(&id)?.sup.as_ref()
    }

    fn counts(&self, sup: &Sup) -> Counts {
        let mut counts = Counts { specs: sup.children.len(), ..Counts::default() };
        for node in sup.children.iter().filter_map(|id| self.nodes.get(id)) {
            counts.active += usize::from(matches!(node.state, State::Starting | State::Up | State::Stopping(..)));
            match node.sup {
                Some(_) => counts.supervisors += 1,
                None => counts.workers += 1,
            }
        }
        counts
    }

    fn info(&self, id: Id) -> Option<ChildInfo> {
        let node = self.nodes.get(&id)?;
        let supervises = match (&node.spec, &node.sup) {
            (ChildSpec::Supervisor(spec), Some(sup)) => Some(Supervises {
                strategy: spec.strategy,
                dynamic: matches!(spec.children, Children::Dynamic { .. }),
                intensity: spec.intensity,
                auto_shutdown: spec.auto_shutdown,
                max_children: max_children(&spec.children),
                children: self.counts(sup),
            }),
            _ => None,
        };
        Some(ChildInfo {
            name: node.name.clone(),
            supervisor: self.above(id).cloned(),
            state: match node.state {
                State::Down => ChildState::Down,
                State::Starting => ChildState::Starting,
                State::Up => ChildState::Running,
                State::Waiting => ChildState::Restarting,
                State::Stopping(..) => ChildState::Stopping,
                State::Failed => ChildState::Failed,
            },
            restart: node.spec.restart(),
            shutdown: node.spec.shutdown(),
            significant: node.spec.significant(),
            restarts: node.restarted,
            last_exit: node.last_exit.clone(),
            supervises,
        })
    }

    fn is_run(&self, id: Id, run: u64) -> bool {
        self.nodes.get(&id).is_some_and(|node| node.run == run)
    }

    fn insert(&mut self, parent: Id, spec: ChildSpec, dynamic: bool, begun: Begun) -> Id {
        let id = self.next;
        self.next += 1;
        let name = spec.name().clone();
        let sup = matches!(spec, ChildSpec::Supervisor(_)).then(Sup::default);
        let node = Node {
            name: name.clone(),
            parent,
            spec,
            dynamic,
            state: State::Down,
            run: 0,
            begun,
            then: Then::Down,
            restarts: Restarts::default(),
            streak: 0,
            up_since: None,
            restarted: 0,
            last_exit: None,
            saved: Saved::Kept,
            starters: Vec::new(),
            stoppers: Vec::new(),
            after: Vec::new(),
            sup,
        };
        self.nodes.insert(id, node);
        self.names.insert(name, id);
        if id != parent
            && let Some(sup) = self.sup(parent)
        {
            sup.children.insert(id);
        }
        id
    }

    fn node(&mut self, id: Id) -> Option<&mut Node> {
        self.nodes.get_mut(&id)
    }

    fn sup(&mut self, id: Id) -> Option<&mut Sup> {
        self.nodes.get_mut(&id)?.sup.as_mut()
    }

    fn parent(&self, id: Id) -> Id {
        self.nodes.get(&id).map_or(ROOT, |node| node.parent)
    }

    fn state(&self, id: Id) -> Option<&State> {
        self.nodes.get(&id).map(|node| &node.state)
    }

    /// The rules that a child's supervisor has for it.
    fn rules(&self, id: Id) -> (Strategy, Intensity, Option<Backoff>) {
        let Some(node) = self.nodes.get(&id) else { return (Strategy::OneForOne, Intensity::default(), None) };
        let of = |spec: &ChildSpec| match spec {
            ChildSpec::Actor(own) => (Strategy::OneForOne, own.intensity, own.backoff),
            ChildSpec::Supervisor(own) => (own.strategy, own.intensity, own.backoff),
        };
        match self.nodes.get(&node.parent) {
            Some(above) if node.parent != ROOT => of(&above.spec),
            _ => {
                let (_, intensity, backoff) = of(&node.spec);
                (Strategy::OneForOne, intensity, backoff)
            }
        }
    }
}

fn max_children(children: &Children) -> Option<u32> {
    match children {
        Children::Dynamic { max_children } => Some(*max_children),
        Children::Listed(_) => None,
    }
}

impl Node {
    fn has_instance(&self) -> bool {
        matches!(self.state, State::Starting | State::Up | State::Stopping(..))
    }

    /// Whether its specification goes with it.
    fn goes(&self) -> bool {
        self.dynamic || self.spec.restart() == Restart::Temporary
    }
}

impl Then {
    fn or_rather(self, other: Self) -> Self {
        match (self, other) {
            (Self::Down, _) | (_, Self::Down) => Self::Down,
            (Self::Group, _) | (_, Self::Group) => Self::Group,
            (Self::Again, Self::Again) => Self::Again,
        }
    }
}

impl Work {
    /// Whether what happens has to wait.
    fn is_busy(&self) -> bool {
        matches!(self, Self::Starting { .. } | Self::Clearing { .. } | Self::Pausing { .. })
    }
}
