//! What operators, actors and embedders ask of the tree. The answers are OTP's.

use tokio::time::Instant;

use super::{Begun, Do, Id, Later, Node, ROOT, State, Then, Ticket, Tree, Why, Work};
use crate::model::{ActorName, ChildSpec, ChildState, Children, Saved, StopReason};

/// A request.
#[derive(Debug, Clone, PartialEq)]
pub(in super::super) enum Ask {
    /// `start_child`: add and start. `listed`: it stays under the root though it would not start.
    Start { supervisor: Option<ActorName>, spec: Box<ChildSpec>, listed: bool },
    /// `terminate_child`.
    Terminate { name: ActorName },
    /// `restart_child`: start what is down.
    Again { name: ActorName },
    /// `delete_child`.
    Delete { name: ActorName },
    /// Stop and start again, the state handed over; what is down is started.
    Restart { name: ActorName },
    /// End at once, as after a crash.
    Kill { name: ActorName },
}

/// Why it is not done.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(in super::super) enum Refused {
    #[error("the host is going down, or its supervisor is")]
    GoingDown,
    #[error("no supervisor `{0}` runs here")]
    NoSupervisor(ActorName),
    #[error("no actor `{0}` runs here, and no supervisor has such a child")]
    NoChild(ActorName),
    #[error("`{0}` is started already; it is {1}")]
    AlreadyStarted(ActorName, ChildState),
    #[error("`{0}` is a child already and does not run")]
    AlreadyPresent(ActorName),
    #[error("`{0}` runs")]
    Running(ActorName),
    #[error("`{0}` is about to be started again")]
    Restarting(ActorName),
    #[error("supervisor `{0}` has as many children as it may have: max_children = {1}")]
    MaxChildren(ActorName, u32),
    #[error("the child specification of `{0}` cannot be used: {1}")]
    BadSpec(ActorName, String),
    #[error("`{0}` would not start: {1}")]
    Start(ActorName, String),
    #[error("`{0}` was stopped before it was ready")]
    Stopped(ActorName),
}

impl Ask {
    /// The child that it is about.
    pub(in super::super) fn about(&self) -> &ActorName {
        match self {
            Self::Start { spec, .. } => spec.name(),
            Self::Terminate { name }
            | Self::Again { name }
            | Self::Delete { name }
            | Self::Restart { name }
            | Self::Kill { name } => name,
        }
    }
}

impl Tree {
    pub(super) fn on_ask(&mut self, ticket: Ticket, ask: Ask, now: Instant) {
        let known = self.id(ask.about());
        let supervisor = match (&ask, known) {
            (Ask::Start { supervisor, .. }, _) => match supervisor.as_ref().map_or(Some(ROOT), |name| self.id(name)) {
                Some(id) if self.nodes.get(&id).is_some_and(|node| node.sup.is_some()) => id,
                _ => {
                    let name = supervisor.clone().unwrap_or_else(|| ask.about().clone());
                    return self.answer(ticket, known, Err(Refused::NoSupervisor(name)));
                }
            },
            (_, Some(id)) => self.parent(id),
            (_, None) => return self.answer(ticket, None, Err(Refused::NoChild(ask.about().clone()))),
        };
        let state = self.state(supervisor).cloned();
        let Some(sup) = self.sup(supervisor) else { return };
        match (&sup.work, state) {
            (Work::Ending { .. }, _) | (_, Some(State::Stopping(..))) => {
                self.answer(ticket, known, Err(Refused::GoingDown))
            }
            (work, _) if work.is_busy() => sup.queue.push_back(Later::Ask(ticket, ask)),
            (_, Some(State::Up)) => self.do_ask(ticket, ask, supervisor, known, now),
            _ => {
                let name = self.name(supervisor).cloned().unwrap_or_else(|| ask.about().clone());
                self.answer(ticket, known, Err(Refused::NoSupervisor(name)));
            }
        }
    }

    fn do_ask(&mut self, ticket: Ticket, ask: Ask, supervisor: Id, known: Option<Id>, now: Instant) {
        // What is being stopped for good is waited for: a name that is asked for is free then, or known to be taken.
        if let Some(node) = known.and_then(|id| self.node(id))
            && matches!(node.state, State::Stopping(..))
            && !matches!(ask, Ask::Terminate { .. } | Ask::Kill { .. })
        {
            node.after.push((ticket, ask));
            return;
        }
        match (ask, known) {
            (Ask::Start { spec, listed, .. }, known) => self.add(ticket, *spec, supervisor, known, listed, now),
            (Ask::Terminate { .. }, Some(id)) => self.terminate(ticket, id, now),
            (Ask::Again { name }, Some(id)) => match self.state(id) {
                Some(State::Down | State::Failed) => self.again_by_hand(ticket, id, now),
                Some(State::Waiting) => self.answer(ticket, known, Err(Refused::Restarting(name))),
                _ => self.answer(ticket, known, Err(Refused::Running(name))),
            },
            (Ask::Delete { name }, Some(id)) => match self.state(id) {
                Some(State::Down | State::Failed) => {
                    self.remove(id, "it was deleted");
                    self.answer(ticket, known, Ok(Saved::Kept));
                }
                Some(State::Waiting) => self.answer(ticket, known, Err(Refused::Restarting(name))),
                _ => self.answer(ticket, known, Err(Refused::Running(name))),
            },
            (Ask::Restart { .. }, Some(id)) => match self.state(id) {
                Some(State::Up | State::Starting) => {
                    if let Some(node) = self.node(id) {
                        node.starters.push(ticket);
                    }
                    self.tell(id, StopReason::Restart, None, Then::Again, now);
                }
                _ => self.again_by_hand(ticket, id, now),
            },
            (Ask::Kill { name }, Some(id)) => self.kill(ticket, id, name, now),
            (_, None) => {}
        }
    }

    fn add(&mut self, ticket: Ticket, spec: ChildSpec, supervisor: Id, known: Option<Id>, listed: bool, now: Instant) {
        let name = spec.name().clone();
        match known.and_then(|id| self.info(id)).map(|info| info.state) {
            None => {}
            // Under the root one that does not run is replaced.
            Some(ChildState::Failed | ChildState::Down) if known.is_some_and(|id| self.parent(id) == ROOT) => {
                self.remove(known.unwrap_or(ROOT), "it is replaced");
            }
            Some(ChildState::Failed | ChildState::Down) => {
                return self.answer(ticket, known, Err(Refused::AlreadyPresent(name)));
            }
            Some(state) => return self.answer(ticket, known, Err(Refused::AlreadyStarted(name, state))),
        }
        if let Some(why) = self.misfit(&spec, supervisor) {
            return self.answer(ticket, None, Err(why));
        }
        let dynamic = match self.nodes.get(&supervisor).map(|node| &node.spec) {
            _ if supervisor == ROOT => !listed,
            Some(ChildSpec::Supervisor(above)) => matches!(above.children, Children::Dynamic { .. }),
            _ => false,
        };
        let id = self.insert(supervisor, spec, dynamic, Begun::Added);
        if let Some(node) = self.node(id) {
            node.starters.push(ticket);
            node.begun = if listed { Begun::Asked } else { Begun::Added };
        }
        self.begin(id, now);
    }

    /// What keeps a child from its place.
    fn misfit(&self, spec: &ChildSpec, supervisor: Id) -> Option<Refused> {
        let name = spec.name();
        let mut below = vec![spec];
        while let Some(child) = below.pop() {
            if let Some(taken) = self.id(child.name()).and_then(|id| self.info(id)) {
                return Some(Refused::AlreadyStarted(taken.name, taken.state));
            }
            below.extend(child.children());
        }
        if let Some((about, what)) = spec.problems().into_iter().next() {
            return Some(Refused::BadSpec(about, what));
        }
        let depth = std::iter::successors(Some(supervisor), |id| (*id != ROOT).then(|| self.parent(*id))).count();
        if depth > crate::model::SUPERVISOR_DEPTH {
            let what = format!("it would be nested more than {} deep", crate::model::SUPERVISOR_DEPTH);
            return Some(Refused::BadSpec(name.clone(), what));
        }
        let Node { spec: ChildSpec::Supervisor(above), sup: Some(sup), .. } = self.nodes.get(&supervisor)? else {
            return None;
        };
        if supervisor != ROOT
            && spec.significant()
            && let Some((about, what)) = above.refuses(spec)
        {
            return Some(Refused::BadSpec(about, what));
        }
        match above.children {
            Children::Dynamic { max_children } if sup.children.len() >= max_children as usize => {
                Some(Refused::MaxChildren(above.name.clone(), max_children))
            }
            _ => None,
        }
    }

    fn terminate(&mut self, ticket: Ticket, id: Id, now: Instant) {
        match self.node(id) {
            Some(node) if node.has_instance() => {
                node.stoppers.push(ticket);
                self.tell(id, StopReason::Normal, None, Then::Down, now);
            }
            _ => {
                self.put_down(id, "it was stopped");
                self.answer(ticket, Some(id), Ok(Saved::Kept));
            }
        }
    }

    fn again_by_hand(&mut self, ticket: Ticket, id: Id, now: Instant) {
        if let Some(node) = self.node(id) {
            node.starters.push(ticket);
            node.begun = Begun::Asked;
            // What was done by hand begins anew.
            node.restarts = super::Restarts::default();
            node.streak = 0;
        }
        self.begin(id, now);
    }

    fn kill(&mut self, ticket: Ticket, id: Id, name: ActorName, now: Instant) {
        let Some(node) = self.nodes.get(&id) else { return };
        match node.has_instance() {
            false => return self.answer(ticket, Some(id), Err(Refused::NoChild(name))),
            true if node.sup.is_some() => self.end_supervisor(id, Why::Killed, now),
            true => self.out.push(Do::Kill { id, run: node.run }),
        }
        self.answer(ticket, Some(id), Ok(Saved::Kept));
    }

    pub(super) fn answer(&mut self, ticket: Ticket, id: Option<Id>, answer: Result<Saved, Refused>) {
        self.out.push(Do::Answer { ticket, id: id.unwrap_or(ROOT), answer });
    }
}
