//! What follows from what happened.

use tokio::time::Instant;

use super::super::restart::{End, again, delay};
use super::{Begun, Do, Id, Later, ROOT, Refused, Restarts, State, Sup, Then, Todo, Tree, Why, Work};
use crate::actor::Budget;
use crate::model::{AutoShutdown, ChildSpec, Children, Restart, Saved, Shutdown, StopReason, Strategy};

impl Tree {
    /// Step by step, until nothing follows.
    pub(super) fn settle(&mut self, now: Instant) {
        while let Some(todo) = self.todo.pop_front() {
            match todo {
                Todo::Up(id) => self.on_up(id, now),
                Todo::Ended(id, end) => self.on_ended(id, end, now),
                Todo::Advance(id) => self.advance(id, now),
                Todo::Ask(ticket, ask) => self.on_ask(ticket, ask, now),
            }
        }
    }

    /// Starts a child that has no instance.
    pub(super) fn begin(&mut self, id: Id, now: Instant) {
        let Some(node) = self.node(id) else { return };
        node.run += 1;
        node.state = State::Starting;
        node.saved = Saved::Kept;
        node.then = Then::Down;
        let run = node.run;
        let ChildSpec::Supervisor(spec) = &node.spec else { return self.out.push(Do::Spawn { id, run }) };
        let children = match &spec.children {
            Children::Listed(children) => children.clone(),
            Children::Dynamic { .. } => Vec::new(),
        };
        node.sup = Some(Sup::default());
        let taken = children.iter().find(|child| self.names.contains_key(child.name()));
        if let Some(taken) = taken.map(|child| child.name().clone()) {
            return self.end_supervisor(id, Why::Start(format!("the name of its child `{taken}` is taken")), now);
        }
        let left = children.into_iter().map(|child| self.insert(id, child, false, Begun::Listed)).collect();
        if let Some(sup) = self.sup(id) {
            sup.work = Work::Starting { current: None, left };
        }
        self.todo.push_back(Todo::Advance(id));
    }

    fn on_up(&mut self, id: Id, now: Instant) {
        let Some(node) = self.node(id).filter(|node| node.state == State::Starting) else { return };
        node.state = State::Up;
        node.up_since = Some(now);
        node.begun = Begun::Restart;
        for ticket in std::mem::take(&mut node.starters) {
            self.answer(ticket, Some(id), Ok(Saved::Kept));
        }
        self.next_of(self.parent(id), id);
    }

    /// The child that its supervisor waited for has started or stopped.
    fn next_of(&mut self, parent: Id, id: Id) {
        let Some(sup) = self.sup(parent) else { return };
        if let Work::Starting { current, .. } | Work::Clearing { current, .. } = &mut sup.work
            && *current == Some(id)
        {
            *current = None;
        }
        self.todo.push_back(Todo::Advance(parent));
    }

    fn on_ended(&mut self, id: Id, end: End, now: Instant) {
        let Some(node) = self.node(id) else { return };
        node.last_exit = Some(end.text());
        let window = node.up_since.take().map(|since| now.duration_since(since));
        let (_, intensity, _) = self.rules(id);
        if window.is_some_and(|up| up.as_secs() > u64::from(intensity.max_seconds))
            && let Some(node) = self.node(id)
        {
            node.streak = 0;
        }
        match self.state(id) {
            Some(State::Stopping(..)) => self.on_stopped(id, now),
            Some(State::Starting) => self.would_not_start(id, &end, now),
            Some(State::Up) => self.ended_by_itself(id, end, now),
            _ => {}
        }
    }

    fn on_stopped(&mut self, id: Id, now: Instant) {
        if id == ROOT {
            return self.out.push(Do::Over);
        }
        let Some(node) = self.node(id) else { return };
        let (parent, then, temporary) = (node.parent, node.then, node.spec.restart() == Restart::Temporary);
        match then {
            Then::Again => {
                if let Some(node) = self.node(id) {
                    node.begun = Begun::Asked;
                }
                self.out.push(Do::Restarting { id });
                self.begin(id, now);
                self.after(id);
                return;
            }
            Then::Group if !temporary => self.wait(id),
            Then::Group | Then::Down => {
                self.put_down(id, "it has ended");
            }
        }
        self.next_of(parent, id);
    }

    /// It has no instance, and is to be started again.
    fn wait(&mut self, id: Id) {
        if let Some(node) = self.node(id) {
            node.state = State::Waiting;
            node.then = Then::Down;
        }
        self.out.push(Do::Restarting { id });
        self.after(id);
    }

    fn would_not_start(&mut self, id: Id, end: &End, now: Instant) {
        let parent = self.parent(id);
        let Some(begun) = self.nodes.get(&id).map(|node| node.begun) else { return };
        if *end == End::Ignored {
            let starters = self.node(id).map(|node| std::mem::take(&mut node.starters)).unwrap_or_default();
            for ticket in starters {
                self.answer(ticket, Some(id), Ok(Saved::Kept));
            }
            self.put_down(id, &end.text());
            return self.next_of(parent, id);
        }
        let why = end.text();
        let in_order = self
            .sup(parent)
            .is_some_and(|sup| matches!(&sup.work, Work::Starting { current: Some(current), .. } if *current == id));
        if in_order && self.state(parent) == Some(&State::Starting) {
            let name = self.name(id).map(ToString::to_string).unwrap_or_default();
            self.put_down(id, &why);
            return self.end_supervisor(parent, Why::Start(format!("its child `{name}` would not start: {why}")), now);
        }
        if in_order && let Some(sup) = self.sup(parent) {
            // A group that would not start counts as restarted once more, as in OTP.
            sup.work = Work::Idle;
        }
        let by_its_supervisor = match begun {
            Begun::Restart => !matches!(end, End::Barred(_)),
            Begun::Listed => in_order,
            Begun::Added | Begun::Asked => false,
        };
        if by_its_supervisor {
            // One that ends starts nobody again.
            if self.sup(parent).is_some_and(|sup| matches!(sup.work, Work::Ending { .. })) {
                self.put_down(id, &why);
                return self.next_of(parent, id);
            }
            return self.once_more(id, &why, now);
        }
        // Who hears of it finds the name free.
        let Some(node) = self.node(id) else { return };
        let (name, starters) = (node.name.clone(), std::mem::take(&mut node.starters));
        match begun {
            Begun::Asked if parent == ROOT => self.fail(id, &why),
            Begun::Added => self.remove(id, &why),
            _ => self.put_down(id, &why),
        }
        for ticket in starters {
            self.answer(ticket, Some(id), Err(Refused::Start(name.clone(), why.clone())));
        }
        self.next_of(parent, id);
    }

    fn fail_starters(&mut self, id: Id, why: &Refused) {
        let starters = self.node(id).map(|node| std::mem::take(&mut node.starters)).unwrap_or_default();
        for ticket in starters {
            self.answer(ticket, Some(id), Err(why.clone()));
        }
    }

    fn ended_by_itself(&mut self, id: Id, end: End, now: Instant) {
        let parent = self.parent(id);
        let Some(sup) = self.sup(parent) else { return };
        let in_group = match &sup.work {
            // In the order of their ids.
            Work::Clearing { group, .. } => group.binary_search(&id).is_ok(),
            _ => false,
        };
        match &sup.work {
            // It ended before it was told to: it is started again with its group.
            _ if in_group => match self.nodes.get(&id).map(|node| node.spec.restart()) {
                Some(Restart::Temporary) => self.remove(id, &end.text()),
                _ => self.wait(id),
            },
            Work::Ending { .. } => {
                self.put_down(id, &end.text());
                self.todo.push_back(Todo::Advance(parent));
            }
            work if work.is_busy() => {
                sup.queue.push_back(Later::Ended(id, end));
                self.wait(id);
            }
            _ => self.judge(id, &end, now),
        }
    }

    /// What follows a child's end, its supervisor being idle.
    fn judge(&mut self, id: Id, end: &End, now: Instant) {
        let parent = self.parent(id);
        let Some(restart) = self.nodes.get(&id).map(|node| node.spec.restart()) else { return };
        match end {
            End::Barred(why) => self.fail(id, why),
            End::Fenced(_) if again(end, restart) => {
                if let Some(node) = self.node(id) {
                    node.begun = Begun::Restart;
                }
                self.begin(id, now);
                self.after(id);
            }
            // An application whose top supervisor has given up stays down.
            End::GaveUp(why) if parent == ROOT => self.fail(id, why),
            _ if again(end, restart) => self.once_more(id, &end.text(), now),
            _ => self.finish(id, end, now),
        }
    }

    /// Starts a child again, and whoever goes with it, if the intensity allows it.
    fn once_more(&mut self, id: Id, why: &str, now: Instant) {
        let parent = self.parent(id);
        let (strategy, intensity, backoff) = self.rules(id);
        let counted = if parent == ROOT {
            self.node(id).map(|node| &mut node.restarts)
        } else {
            self.sup(parent).map(|sup| &mut sup.restarts)
        };
        if !counted.is_some_and(|restarts| restarts.allow(intensity, now)) {
            let spent = format!(
                "more than {} restarts within {} s (max_restarts, max_seconds); the last end: {why}",
                intensity.max_restarts, intensity.max_seconds
            );
            if parent == ROOT {
                return self.fail(id, &spent);
            }
            let name = self.name(id).map(ToString::to_string).unwrap_or_default();
            self.put_down(id, why);
            let spent = format!("`{name}` needed {spent}");
            self.out.push(Do::GiveUp { id: parent, why: spent.clone() });
            return self.end_supervisor(parent, Why::Intensity(spent), now);
        }
        let Some(node) = self.node(id) else { return };
        node.restarted += 1;
        node.streak = node.streak.saturating_add(1);
        node.begun = Begun::Restart;
        let pause = delay(backoff, node.streak);
        self.wait(id);
        let Some(sup) = self.sup(parent).filter(|_| strategy != Strategy::OneForOne) else {
            return self.begin_after(id, pause, now);
        };
        let group: Vec<Id> = match strategy {
            Strategy::RestForOne => sup.children.range(id..).copied().collect(),
            _ => sup.children.iter().copied().collect(),
        };
        let left = group.iter().copied().filter(|other| *other != id).collect();
        sup.work = Work::Clearing { current: None, left, group, cause: id };
        self.todo.push_back(Todo::Advance(parent));
    }

    fn begin_after(&mut self, id: Id, pause: std::time::Duration, now: Instant) {
        match self.nodes.get(&id) {
            Some(node) if !pause.is_zero() => self.out.push(Do::Wake { id, run: node.run, at: now + pause }),
            _ => self.begin(id, now),
        }
    }

    pub(super) fn wake(&mut self, id: Id, now: Instant) {
        let parent = self.parent(id);
        if self.state(id) != Some(&State::Waiting) {
            return;
        }
        let Some(sup) = self.sup(parent) else { return };
        match std::mem::take(&mut sup.work) {
            Work::Pausing { group, cause } if cause == id => self.start_group(parent, &group),
            Work::Idle => self.begin(id, now),
            other => sup.work = other,
        }
    }

    fn start_group(&mut self, supervisor: Id, group: &[Id]) {
        let left = group.iter().copied().filter(|id| self.nodes.contains_key(id)).collect();
        if let Some(sup) = self.sup(supervisor) {
            sup.work = Work::Starting { current: None, left };
        }
        self.todo.push_back(Todo::Advance(supervisor));
    }

    /// It ended, and is not started again.
    fn finish(&mut self, id: Id, end: &End, now: Instant) {
        let parent = self.parent(id);
        let significant = self.nodes.get(&id).is_some_and(|node| node.spec.significant());
        self.put_down(id, &end.text());
        let Some(above) = self.nodes.get(&parent).filter(|_| parent != ROOT && significant) else { return };
        let ChildSpec::Supervisor(spec) = &above.spec else { return };
        let mut others = above.sup.iter().flat_map(|sup| &sup.children).filter_map(|other| self.nodes.get(other));
        let ends = match spec.auto_shutdown {
            AutoShutdown::AnySignificant => true,
            AutoShutdown::AllSignificant => !others.any(|other| other.spec.significant() && other.state != State::Down),
            AutoShutdown::Never => false,
        };
        if ends {
            self.end_supervisor(parent, Why::Auto, now);
        }
    }

    /// Its specification stays where OTP keeps it; its name is free.
    pub(super) fn put_down(&mut self, id: Id, why: &str) {
        self.tell_above(id);
        let Some(node) = self.node(id) else { return };
        if node.goes() {
            return self.remove(id, why);
        }
        node.state = State::Down;
        let name = node.name.clone();
        self.no_more(id);
        self.out.push(Do::Free { id, name, why: why.to_owned() });
        self.after(id);
    }

    /// A supervisor has not saved what one below it has not, when it ended.
    fn tell_above(&mut self, id: Id) {
        let Some(saved) = self.nodes.get(&id).map(|node| node.saved.clone()) else { return };
        let parent = self.parent(id);
        if let (Saved::Not(_), Some(above)) = (&saved, self.node(parent))
            && matches!(&above.sup, Some(Sup { work: Work::Ending { .. }, .. }))
            && !matches!(above.saved, Saved::Not(_))
        {
            above.saved = saved;
        }
    }

    pub(super) fn remove(&mut self, id: Id, why: &str) {
        self.no_more(id);
        let Some(node) = self.nodes.remove(&id) else { return };
        self.names.remove(&node.name);
        if let Some(sup) = self.sup(node.parent) {
            sup.children.remove(&id);
        }
        self.out.push(Do::Free { id, name: node.name, why: why.to_owned() });
        self.todo.extend(node.after.into_iter().map(|(ticket, ask)| Todo::Ask(ticket, ask)));
    }

    /// Nobody waits in vain for one that has ended.
    fn no_more(&mut self, id: Id) {
        let Some(node) = self.node(id) else { return };
        let (saved, name) = (node.saved.clone(), node.name.clone());
        for ticket in std::mem::take(&mut node.stoppers) {
            self.answer(ticket, Some(id), Ok(saved.clone()));
        }
        self.fail_starters(id, &Refused::Stopped(name));
    }

    /// It stays down under its name.
    fn fail(&mut self, id: Id, why: &str) {
        if let Some(node) = self.node(id) {
            node.state = State::Failed;
            node.last_exit = Some(why.to_owned());
        }
        self.no_more(id);
        self.out.push(Do::Fail { id, why: why.to_owned() });
        self.after(id);
    }

    /// What was asked of it while it was stopped.
    fn after(&mut self, id: Id) {
        let after = self.node(id).map(|node| std::mem::take(&mut node.after)).unwrap_or_default();
        self.todo.extend(after.into_iter().map(|(ticket, ask)| Todo::Ask(ticket, ask)));
    }

    /// Tells a child to stop. One that was told before keeps its reason, and gets no more time than it had.
    pub(super) fn tell(&mut self, id: Id, reason: StopReason, above: Option<Budget>, then: Then, now: Instant) {
        let Some(node) = self.node(id) else { return };
        let (own, run) = (node.spec.shutdown(), node.run);
        let budget = Budget::of(own, above, now);
        match &mut node.state {
            State::Starting | State::Up => {
                node.state = State::Stopping(reason.clone(), budget);
                node.then = then;
            }
            State::Stopping(_, before) => {
                *before = before.or_sooner(budget);
                // What is to end for good is not started again, and one of a group not by itself.
                node.then = node.then.or_rather(then);
            }
            State::Down | State::Waiting | State::Failed => return,
        }
        if node.sup.is_some() {
            return self.end_supervisor(id, Why::Told, now);
        }
        self.out.push(match own {
            Shutdown::BrutalKill => Do::Kill { id, run },
            _ => Do::Stop { id, run, reason, budget },
        });
    }

    /// Stops a supervisor's children, and then itself.
    pub(super) fn end_supervisor(&mut self, id: Id, why: Why, now: Instant) {
        let Some(node) = self.node(id) else { return };
        if !matches!(node.state, State::Stopping(..)) {
            node.state = State::Stopping(StopReason::Shutdown, Budget::within(None));
            node.then = Then::Down;
        }
        let Some(sup) = &mut node.sup else { return };
        // One that is told to end while it ends by itself, or is killed then, was told.
        let (before, was_brutal) = match &sup.work {
            Work::Ending { why, brutal, .. } => (Some(why), *brutal),
            _ => (None, false),
        };
        let brutal = was_brutal || why == Why::Killed || node.spec.shutdown() == Shutdown::BrutalKill;
        let why = if before == Some(&Why::Told) { Why::Told } else { why };
        sup.work = Work::Ending { why, brutal, left: None };
        for later in std::mem::take(&mut sup.queue) {
            if let Later::Ask(ticket, _) = later {
                self.answer(ticket, None, Err(Refused::GoingDown));
            }
        }
        // Those that were told before may get less time now.
        self.shorten(id, now);
        self.todo.push_back(Todo::Advance(id));
    }

    fn children(&self, id: Id) -> Vec<Id> {
        let sup = self.nodes.get(&id).and_then(|node| node.sup.as_ref());
        let children = sup.map_or(Vec::new(), |sup| sup.children.iter().copied().collect());
        #[cfg(test)]
        self.listed.set(self.listed.get() + children.len());
        children
    }

    fn shorten(&mut self, id: Id, now: Instant) {
        let Some(State::Stopping(_, budget)) = self.state(id).cloned() else { return };
        for child in self.children(id) {
            if matches!(self.state(child), Some(State::Stopping(..))) {
                self.tell(child, StopReason::Shutdown, Some(budget), Then::Down, now);
            }
        }
    }

    /// The next step of what a supervisor is busy with.
    fn advance(&mut self, id: Id, now: Instant) {
        let Some(sup) = self.sup(id) else { return };
        match &mut sup.work {
            Work::Starting { current: Some(_), .. }
            | Work::Clearing { current: Some(_), .. }
            | Work::Pausing { .. } => {}
            Work::Starting { current, left } => match left.pop_front() {
                Some(child) => {
                    *current = Some(child);
                    match self.nodes.contains_key(&child) {
                        true => self.begin(child, now),
                        // One that went meanwhile holds up nobody.
                        false => self.next_of(id, child),
                    }
                }
                None => {
                    sup.work = Work::Idle;
                    // After a first start; after a group's the supervisor is up already.
                    self.todo.push_back(Todo::Up(id));
                    self.todo.push_back(Todo::Advance(id));
                }
            },
            Work::Clearing { current, left, .. } => match left.pop() {
                Some(child) => {
                    *current = Some(child);
                    self.clear(id, child, now);
                }
                None => self.cleared(id, now),
            },
            Work::Idle => self.catch_up(id, now),
            Work::Ending { .. } => self.go_on_ending(id, now),
        }
    }

    /// Stops one of a group that is to be started again.
    fn clear(&mut self, supervisor: Id, child: Id, now: Instant) {
        if self.nodes.get(&child).is_some_and(super::Node::has_instance) {
            return self.tell(child, StopReason::Restart, None, Then::Group, now);
        }
        if let Some(Work::Clearing { current, .. }) = self.sup(supervisor).map(|sup| &mut sup.work) {
            *current = None;
        }
        self.todo.push_back(Todo::Advance(supervisor));
    }

    fn cleared(&mut self, id: Id, now: Instant) {
        let Some(sup) = self.sup(id) else { return };
        let Work::Clearing { group, cause, .. } = std::mem::take(&mut sup.work) else { return };
        let (_, _, backoff) = self.rules(cause);
        let node = self.nodes.get(&cause).map(|node| (delay(backoff, node.streak), node.run));
        match node {
            Some((pause, run)) if !pause.is_zero() => {
                if let Some(sup) = self.sup(id) {
                    sup.work = Work::Pausing { group, cause };
                }
                self.out.push(Do::Wake { id: cause, run, at: now + pause });
            }
            _ => self.start_group(id, &group),
        }
    }

    /// What waited while the supervisor was busy.
    fn catch_up(&mut self, id: Id, now: Instant) {
        let Some(later) = self.sup(id).and_then(|sup| sup.queue.pop_front()) else { return };
        match later {
            Later::Ask(ticket, ask) => self.on_ask(ticket, ask, now),
            Later::Ended(child, end) => {
                if self.state(child) == Some(&State::Waiting) {
                    self.judge(child, &end, now);
                }
            }
        }
        self.todo.push_back(Todo::Advance(id));
    }

    /// Each child is looked at when the end begins and once more when it is gone, however many there are: nothing is started
    /// below a supervisor that ends, so who has no instance gets none.
    fn go_on_ending(&mut self, id: Id, now: Instant) {
        let Some(State::Stopping(_, budget)) = self.state(id).cloned() else { return };
        let Some(Work::Ending { brutal, left, .. }) = self.sup(id).map(|sup| &mut sup.work) else { return };
        let (brutal, left) = (*brutal, left.take());
        let mut left = left.unwrap_or_else(|| self.begin_ending(id, brutal, budget, now));
        while left.pop_if(|child| !self.nodes.get(child).is_some_and(super::Node::has_instance)).is_some() {}
        let Some(last) = left.last().copied() else { return self.has_ended(id) };
        if let Some(Work::Ending { left: kept, .. }) = self.sup(id).map(|sup| &mut sup.work) {
            *kept = Some(left);
        }
        if !brutal && matches!(self.state(last), Some(State::Starting | State::Up)) {
            self.tell(last, StopReason::Shutdown, Some(budget), Then::Down, now);
        }
    }

    /// Tells those that stop side by side, and gives all that have an instance: the others first, which are told from the last
    /// to the first, each when the one behind it is gone.
    fn begin_ending(&mut self, id: Id, brutal: bool, budget: Budget, now: Instant) -> Vec<Id> {
        let live = |child: &Id| self.nodes.get(child).filter(|node| node.has_instance());
        let children = self.children(id).into_iter().filter_map(|child| Some((child, live(&child)?.dynamic)));
        let (side_by_side, mut left): (Vec<_>, Vec<_>) = children.partition(|(_, dynamic)| brutal || *dynamic);
        for (child, _) in &side_by_side {
            match self.state(*child) {
                _ if brutal => self.end_brutally(*child, now),
                Some(State::Starting | State::Up) => {
                    self.tell(*child, StopReason::Shutdown, Some(budget), Then::Down, now);
                }
                _ => {}
            }
        }
        left.extend(side_by_side);
        left.into_iter().map(|(child, _)| child).collect()
    }

    fn end_brutally(&mut self, id: Id, now: Instant) {
        let Some(node) = self.node(id) else { return };
        let run = node.run;
        if matches!(&node.state, State::Stopping(_, budget) if budget.total_ms == 0) {
            return;
        }
        node.state = State::Stopping(StopReason::Shutdown, Budget::of(Shutdown::BrutalKill, None, now));
        node.then = Then::Down;
        if node.sup.is_some() {
            return self.end_supervisor(id, Why::Killed, now);
        }
        self.out.push(Do::Kill { id, run });
    }

    /// Nothing is left below it.
    fn has_ended(&mut self, id: Id) {
        for child in self.children(id) {
            self.remove(child, "its supervisor has ended");
        }
        let Some(node) = self.node(id) else { return };
        let Some(sup) = &mut node.sup else { return };
        let Work::Ending { why, .. } = std::mem::take(&mut sup.work) else { return };
        let (state, end) = match why {
            Why::Told => (None, End::Shutdown),
            // For its own supervisor to mend, unless that ends too.
            Why::Killed => (Some(State::Up), End::Crashed("killed".into())),
            Why::Intensity(why) => (Some(State::Up), End::GaveUp(why)),
            Why::Auto => (Some(State::Up), End::Shutdown),
            Why::Start(why) => (Some(State::Starting), End::Crashed(why)),
        };
        if let Some(state) = state {
            node.state = state;
        }
        sup.restarts = Restarts::default();
        self.todo.push_back(Todo::Ended(id, end));
    }
}
