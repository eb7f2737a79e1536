//! Name → mailbox. An actor that is not there yet, but has a template, is started by its first message.

mod alarm;
mod calls;

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, RwLock};
use std::time::Duration;

use serde::Serialize;
use tokio::sync::oneshot;

use crate::actor::{Cell, Envelope, ExitSignal, Post, Receipt};
use crate::events::{About, EventDetail, Events};
use crate::model::{
    ActorName, ActorSpec, Body, CallError, Crash, ExitReason, Grants, GroupName, Ids, Message, MessageId, PluginName,
    Request, SendError, Template, log_of,
};
use crate::registry::{Refused, Registry};
use crate::sandbox::{Granted, Meter, Out, by};
use crate::store::now_ms;
use crate::supervisor::Supervisor;
use crate::telemetry::{Begun, Metrics, Parent, TraceContext, part};

use alarm::Alarm;
pub(crate) use calls::Calls;

/// Dead letters that are kept; older ones make room.
const DEAD_LETTERS: usize = 1_000;
/// How many of them a second the log tells of: a guest can bring them about as often as it likes.
const DEAD_LINES_PER_SECOND: usize = 100;
/// Bytes of a dead letter's body that are kept.
const DEAD_BODY_BYTES: usize = 4 << 10;

/// How long an actor sleeps that has sent messages which nobody has confirmed, in milliseconds.
const SEND_AGAIN_MS: u64 = 1_000;

/// A message that nobody handled.
#[derive(Debug, Clone, Serialize)]
pub struct DeadLetter {
    /// For whom it was.
    pub to: String,
    /// Who sent it; none: it came from outside, or is a timer.
    pub from: Option<ActorName>,
    /// Its id; empty for a timer.
    pub id: String,
    /// `call`, `cast`, `timer`, `down` or `other`.
    pub kind: &'static str,
    /// Its body, or the first 4,096 bytes of it.
    #[serde(with = "serde_bytes")]
    pub body: Vec<u8>,
    /// How many bytes the body had.
    pub body_bytes: usize,
    /// Why it was not handled.
    pub why: String,
    /// The guest's frames where it crashed its actor, innermost first.
    pub backtrace: Vec<String>,
    /// Where its memory was written to, or why it was not, where core dumps are asked for.
    pub core_dump: Option<String>,
    /// When, in milliseconds since the Unix epoch.
    pub time_ms: u64,
}

/// Why a message is in no mailbox.
enum NotPut {
    Refused(SendError),
    /// So many actors are being started that one more has to wait.
    Later(Envelope),
}

impl NotPut {
    /// As a sender is told that does not wait.
    fn told(self, to: &ActorName) -> SendError {
        match self {
            Self::Refused(error) => error,
            Self::Later(_) => {
                SendError::Unavailable { actor: to.to_string(), why: "too many actors are being started".into() }
            }
        }
    }
}

/// Delivers. Shared by everyone who sends.
#[derive(Debug)]
pub(crate) struct Router {
    registry: Arc<Registry>,
    /// The most specific first.
    templates: RwLock<Vec<Template>>,
    /// What the actors of each plugin may do.
    grants: Arc<HashMap<PluginName, Arc<Granted>>>,
    events: Events,
    /// Set once, right after both exist.
    supervisor: OnceLock<Supervisor>,
    closed: AtomicBool,
    /// The actors that are listed, once all have been started: until then a name that nobody has may still turn up.
    listed: Mutex<Option<HashSet<ActorName>>>,
    /// Whether they have been: whoever calls looks here, and waits for nobody.
    begun: AtomicBool,
    alarm: Alarm,
    dead: Mutex<VecDeque<DeadLetter>>,
    /// How many of them the log and the events tell of.
    dead_lines: Meter,
    /// Those that no event was told of.
    dead_untold: AtomicU64,
    waits: Waits,
    /// For messages from outside that have none.
    ids: Ids,
    /// Whether traces begin here.
    traces: bool,
    metrics: Arc<Metrics>,
}

impl Router {
    pub(crate) fn new(
        registry: Arc<Registry>,
        templates: Vec<Template>,
        grants: Arc<HashMap<PluginName, Arc<Granted>>>,
        events: Events,
    ) -> Self {
        Self {
            registry,
            templates: RwLock::new(sorted(templates)),
            grants,
            events,
            supervisor: OnceLock::new(),
            closed: AtomicBool::new(false),
            listed: Mutex::new(None),
            begun: AtomicBool::new(false),
            alarm: Alarm::default(),
            dead_lines: Meter::default(),
            dead_untold: AtomicU64::new(0),
            dead: Mutex::new(VecDeque::new()),
            waits: Waits::default(),
            ids: Ids::new(),
            traces: false,
            metrics: Arc::default(),
        }
    }

    /// `traces`: whether what comes from outside begins a trace, unless it is part of one.
    pub(crate) fn telling(self, traces: bool, metrics: Arc<Metrics>) -> Self {
        Self { traces, metrics, ..self }
    }

    /// Ids for messages that came without one.
    pub(crate) fn ids(&self) -> &Ids {
        &self.ids
    }

    pub(crate) fn metrics(&self) -> &Arc<Metrics> {
        &self.metrics
    }

    pub(crate) fn traces(&self) -> bool {
        self.traces
    }

    /// All `listed` actors have been started.
    pub(crate) fn started(&self, listed: HashSet<ActorName>) {
        *self.listed() = Some(listed);
        self.begun.store(true, Ordering::Release);
    }

    /// Who has been taken off the list does not come back.
    pub(crate) fn deleted(&self, actor: &ActorName) {
        if let Some(listed) = &mut *self.listed() {
            listed.remove(actor);
        }
    }

    fn listed(&self) -> MutexGuard<'_, Option<HashSet<ActorName>>> {
        // Entries come and go whole.
        self.listed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Why an actor that is not there may be there later.
    fn may_come(&self, actor: &ActorName) -> Option<&'static str> {
        match &*self.listed() {
            None => Some("the host is starting"),
            Some(_) if self.is_closed() => Some("the host is going down"),
            Some(listed) => listed.contains(actor).then_some("it was stopped"),
        }
    }

    /// When actors that sleep are to be woken.
    pub(crate) fn alarm(&self) -> &Alarm {
        &self.alarm
    }

    pub(crate) fn supervised_by(&self, supervisor: Supervisor) {
        // A second supervisor would be a mistake of the host's own; the first one stays.
        drop(self.supervisor.set(supervisor));
    }

    /// No more work from outside, and no actor starts any more. True the first time.
    pub(crate) fn close(&self) -> bool {
        let first = !self.closed.swap(true, Ordering::AcqRel);
        self.alarm.close();
        first
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    /// The spec of an actor that a template stands for, and the supervisor that it stands under.
    pub(crate) fn template_for(&self, name: &ActorName) -> Option<(Option<ActorName>, ActorSpec)> {
        let templates = self.templates.read().unwrap_or_else(PoisonError::into_inner);
        let template = templates.iter().find(|template| template.pattern.matches(name))?;
        Some((template.supervisor.clone(), template.spec_for(name.clone())))
    }

    /// From now on these stand for names that nobody has. Who runs goes on as it was started.
    pub(crate) fn set_templates(&self, templates: Vec<Template>) {
        *self.templates.write().unwrap_or_else(PoisonError::into_inner) = sorted(templates);
    }

    /// What the plugin of `actor` was granted.
    fn grants_of(&self, actor: &ActorName) -> Option<&Grants> {
        Some(self.grants.get(&self.registry.whereis(actor)?.spec.plugin)?.grants())
    }

    /// Puts a message into its actor's mailbox, or says why not, which is counted.
    fn deliver(&self, to: &ActorName, envelope: Envelope) -> Result<(), SendError> {
        let put = self.put(to, envelope).map_err(|not| not.told(to));
        put.inspect_err(|error| self.metrics.refused(error))
    }

    fn put(&self, to: &ActorName, envelope: Envelope) -> Result<(), NotPut> {
        self.put_by(to, envelope, |cell, envelope| cell.mailbox.offer(envelope))
    }

    /// `offer`: how it is offered to an actor that is there.
    fn put_by(
        &self,
        to: &ActorName,
        envelope: Envelope,
        offer: impl Fn(&Cell, Envelope) -> Result<Result<(), SendError>, Envelope>,
    ) -> Result<(), NotPut> {
        let mut envelope = envelope;
        while let Some(cell) = self.registry.whereis(to) {
            match offer(&cell, envelope) {
                Ok(taken) => return taken.map_err(NotPut::Refused),
                // It was let go in its sleep just now: its name is free.
                Err(back) => {
                    envelope = back;
                    self.registry.settle();
                }
            }
        }
        let refused = |why: SendError| Err(NotPut::Refused(why));
        let unavailable = |why: &str| refused(SendError::Unavailable { actor: to.to_string(), why: why.into() });
        let Some((above, spec)) = self.template_for(to) else {
            return refused(SendError::UnknownActor(to.to_string()));
        };
        if self.is_closed() {
            return unavailable("the host is going down");
        }
        let Some(supervisor) = self.supervisor.get() else { return unavailable("the host is starting") };
        // The place comes first: once the name is there, others find its mailbox, and it has to be started.
        let Some(place) = supervisor.place() else { return Err(NotPut::Later(envelope)) };
        match self.registry.register(Arc::new(Cell::under(above.clone(), spec))) {
            Ok(cell) => {
                let taken = cell.mailbox.push(envelope);
                place.start(above, cell);
                taken.map_err(NotPut::Refused)
            }
            // Someone else's message was first.
            Err(other) => match other.mailbox.offer(envelope) {
                Ok(taken) => taken.map_err(NotPut::Refused),
                Err(back) => self.put(to, back),
            },
        }
    }

    /// Wakes an actor that sleeps and has no cell, for what is no message. False: there is none, or it cannot be woken now.
    fn rouse(&self, name: &ActorName) -> bool {
        if self.registry.asleep(name).is_none() || self.is_closed() {
            return false;
        }
        let Some((above, spec)) = self.template_for(name) else { return false };
        let Some(place) = self.supervisor.get().and_then(Supervisor::place) else { return false };
        let cell = Arc::new(Cell::under(above.clone(), spec));
        // Whatever is for it now must not be gone before it has an instance.
        cell.awaits_instance();
        if let Ok(cell) = self.registry.register(cell) {
            place.start(above, cell);
        }
        true
    }

    /// A message from outside.
    pub(crate) fn cast(
        &self,
        to: &ActorName,
        id: MessageId,
        body: Body,
        trace: Option<&TraceContext>,
    ) -> Result<(), SendError> {
        let within = Parent::from_outside(trace, self.traces);
        let cast = part!(within, "send", otel.kind = "producer", baton.to = %to, baton.message_id = %id);
        noted(&cast, self.cast_within(to, id, body, cast.place()))
    }

    fn cast_within(
        &self,
        to: &ActorName,
        id: MessageId,
        body: Body,
        trace: Option<&TraceContext>,
    ) -> Result<(), SendError> {
        self.open_to_outside(to)?;
        let message = Message::Cast(Request { id, sender: None, body, sent: None });
        self.deliver(to, Envelope::new(message, None).within(trace))
    }

    /// A call from outside.
    pub(crate) async fn call(
        &self,
        to: &ActorName,
        id: MessageId,
        body: Body,
        timeout: Duration,
        trace: Option<&TraceContext>,
    ) -> Result<Body, CallError> {
        self.open_to_outside(to)?;
        let request = Request { id, sender: None, body, sent: None };
        self.ask(to, request, timeout, Parent::from_outside(trace, self.traces)).await
    }

    fn send(&self, from: &ActorName, to: &ActorName, (id, body): (MessageId, Body), trace: Option<&TraceContext>) {
        let within = Parent::within(trace);
        let sent = part!(within, "send", otel.kind = "producer", baton.to = %to, baton.message_id = %id);
        let message = Message::Cast(Request { id, sender: Some(from.clone()), body, sent: None });
        let kept = message.clone();
        let envelope = Envelope::new(message, None).within(sent.place());
        if let Err(error) = noted(&sent, self.deliver(to, envelope)) {
            self.bury(to, &kept, &error.to_string(), None);
        }
    }

    /// Each member gets it; what one cannot take is its own dead letter.
    fn dispatch(
        &self,
        from: &ActorName,
        group: &GroupName,
        (id, body): (&MessageId, &Body),
        trace: Option<&TraceContext>,
    ) {
        let within = Parent::within(trace);
        let sent = part!(within, "send", otel.kind = "producer", baton.group = %group, baton.message_id = %id);
        for cell in self.registry.targets(group) {
            let request =
                Request { id: id.for_member(cell.name()), sender: Some(from.clone()), body: body.clone(), sent: None };
            let message = Message::Cast(request);
            let envelope = Envelope::new(message.clone(), None).within(sent.place());
            // One that has left the group since may have been let go in its sleep.
            let taken = cell
                .mailbox
                .offer(envelope)
                .unwrap_or_else(|back| self.put(cell.name(), back).map_err(|not| not.told(cell.name())));
            if let Err(error) = taken {
                self.metrics.refused(&error);
                self.bury(cell.name(), &message, &error.to_string(), None);
            }
        }
    }

    /// Nobody is ended by it where nobody is.
    fn exit(&self, from: &ActorName, to: &ActorName, reason: &ExitReason) {
        let signal = ExitSignal::sent(from.clone(), reason);
        loop {
            let Some(cell) = self.registry.whereis(to) else {
                match self.rouse(to) {
                    true => continue,
                    false => return,
                }
            };
            let heard = cell.hear_exit(signal.clone());
            // It was let go in its sleep just now, and heard nothing.
            if cell.has_moved() {
                self.registry.settle();
                continue;
            }
            if let Err(error) = heard {
                self.bury(to, &signal.message(), &error.to_string(), None);
            }
            return;
        }
    }

    /// An actor that may not watch another will not hear of its end: that is kept in place of the message.
    fn unwatched(&self, from: &Cell, refused: Option<Refused>, message: impl FnOnce(String) -> Message) {
        if let Some(why) = refused {
            let why = why.to_string();
            self.bury(
                from.name(),
                &message(why.clone()),
                &format!("it will not hear of that actor's end: {why}"),
                None,
            );
        }
    }

    fn open_to_outside(&self, to: &ActorName) -> Result<(), SendError> {
        let why = match self.is_closed() {
            true => "the host is going down",
            false if !self.begun.load(Ordering::Acquire) => "the host is starting",
            false => return Ok(()),
        };
        let refused = SendError::Unavailable { actor: to.to_string(), why: why.into() };
        self.metrics.refused(&refused);
        Err(refused)
    }

    async fn ask(
        &self,
        to: &ActorName,
        request: Request,
        timeout: Duration,
        within: Parent<'_>,
    ) -> Result<Body, CallError> {
        let call = part!(within, "call", otel.kind = "client", baton.to = %to, baton.message_id = %request.id);
        let answer = self.ask_within(to, request, timeout, call.place()).await;
        noted(&call, answer)
    }

    async fn ask_within(
        &self,
        to: &ActorName,
        request: Request,
        timeout: Duration,
        trace: Option<&TraceContext>,
    ) -> Result<Body, CallError> {
        let (reply, answer) = oneshot::channel();
        // An actor that calls is in the middle of a turn: others are not driven from within that.
        let from_outside = request.sender.is_none();
        let mut envelope = Envelope::new(Message::Call(request), Some(reply)).within(trace);
        let deadline = envelope.came().checked_add(timeout);
        let offer = |cell: &Cell, envelope| match from_outside {
            true => cell.offer_in_place(envelope),
            false => cell.mailbox.offer(envelope),
        };
        let answered = async {
            while let Err(not) = self.put_by(to, envelope, offer) {
                envelope = match not {
                    // Whoever calls can wait until there is room for one more to be started.
                    NotPut::Later(back) => {
                        if let Some(supervisor) = self.supervisor.get() {
                            supervisor.room().await;
                        }
                        back
                    }
                    not @ NotPut::Refused(_) => {
                        let error = not.told(to);
                        self.metrics.refused(&error);
                        return Ok(Err(error.into()));
                    }
                };
            }
            answer.await
        };
        match by(deadline, answered).await {
            Some(Ok(answer)) => answer,
            Some(Err(_)) => {
                let reason = "its instance ended without an answer".into();
                Err(CallError::Crashed { actor: to.to_string(), reason })
            }
            None => {
                let timeout_ms = u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX);
                Err(CallError::Timeout { actor: to.to_string(), timeout_ms })
            }
        }
    }

    /// Those that are kept, oldest first.
    pub(crate) fn dead_letters(&self) -> Vec<DeadLetter> {
        self.dead.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }

    fn bury(&self, to: &ActorName, message: &Message, why: &str, crash: Option<&Crash>) {
        let (kind, id, from, body): (_, _, _, &[u8]) = match message {
            Message::Call(r) => ("call", r.id.to_string(), r.sender.clone(), &r.body),
            Message::Cast(r) => ("cast", r.id.to_string(), r.sender.clone(), &r.body),
            Message::Timer(name) => ("timer", String::new(), None, name.as_bytes()),
            Message::Down(actor, reason) => ("down", String::new(), Some(actor.clone()), reason.as_bytes()),
            Message::Other(_, body) => ("other", String::new(), None, body),
        };
        self.metrics.dead_letter();
        let letter = DeadLetter {
            to: to.to_string(),
            from,
            id,
            kind,
            body: body[..body.len().min(DEAD_BODY_BYTES)].to_vec(),
            body_bytes: body.len(),
            why: crash.map_or_else(|| why.to_owned(), |crash| format!("{why}: {crash}")),
            backtrace: crash.map(|crash| crash.backtrace.clone()).unwrap_or_default(),
            core_dump: crash.and_then(|crash| crash.core_dump.clone()),
            time_ms: now_ms(),
        };
        self.tell_dead(to, &letter, why);
        let mut dead = self.dead.lock().unwrap_or_else(PoisonError::into_inner);
        if dead.len() >= DEAD_LETTERS {
            dead.pop_front();
        }
        dead.push_back(letter);
    }
}

/// The most specific pattern that matches counts.
fn sorted(mut templates: Vec<Template>) -> Vec<Template> {
    templates.sort_by_key(|template| std::cmp::Reverse(template.pattern.specificity()));
    templates
}

impl Router {
    /// Tells of a dead letter, unless there are too many.
    fn tell_dead(&self, to: &ActorName, letter: &DeadLetter, why: &str) {
        let line = self.dead_lines.line_of(DEAD_LINES_PER_SECOND, DEAD_LINES_PER_SECOND);
        let DeadLetter { kind, id, from, .. } = letter;
        if let Some(dropped) = line.dropped {
            tracing::warn!(dropped, "dead letters are not logged: more than {DEAD_LINES_PER_SECOND} a second");
        }
        if !line.passes {
            self.dead_untold.fetch_add(1, Ordering::Relaxed);
            return;
        }
        let about = match self.registry.whereis(to) {
            Some(cell) => {
                log_of!(warn, cell.label(), kind, id, why, "dead letter");
                cell.about()
            }
            None => {
                tracing::warn!(actor = %to, kind, id, why, "dead letter");
                About::child(to)
            }
        };
        let (to, message, id, from) = (letter.to.clone(), letter.kind, letter.id.clone(), from.clone());
        let (why, more) = (letter.why.clone(), self.dead_untold.swap(0, Ordering::Relaxed));
        self.events.tell(about, EventDetail::DeadLetter { to, message, id, from, why, more });
    }
}

impl Post for Router {
    fn take(&self, from: &Arc<Cell>, out: Out, trace: Option<&TraceContext>) {
        match out {
            Out::Send { to, id, body } => self.send(from.name(), &to, (id, body), trace),
            Out::Dispatch { group, id, body } => self.dispatch(from.name(), &group, (&id, &body), trace),
            Out::Join(group) => {
                let joined = self.registry.join(from, group.clone());
                warn_refused(from, joined, &format!("it does not join the group `{group}`"));
            }
            Out::Leave(group) => self.registry.leave(from, &group),
            Out::SetAttribute { key, value } => {
                let set = self.registry.set_attribute(from, key.clone(), value);
                warn_refused(from, set, &format!("its attribute `{key}` is not set"));
            }
            Out::Monitor(to) => {
                let refused = self.registry.monitor(from, &to).err();
                let down = |why: String| Message::Down(to, why);
                self.unwatched(from, refused, down);
            }
            Out::Demonitor(to) => self.registry.demonitor(from, &to),
            Out::Link(to) => {
                self.rouse(&to);
                let refused = self.registry.link(from, &to).err();
                self.unwatched(from, refused, |why| ExitSignal::of_link(to, &ExitReason::Crash(why)).message());
            }
            Out::Unlink(to) => self.registry.unlink(from, &to),
            Out::Exit { to, reason } => self.exit(from.name(), &to, &reason),
        }
    }

    fn ended(&self, cell: &Cell, reason: &ExitReason) {
        self.registry.ended(cell, reason);
        // If it runs again by then, nothing happens.
        if self.template_for(cell.name()).is_some() {
            let (next_timer, outbox_left) = {
                let status = cell.status();
                (status.next_timer_ms, status.outbox_left)
            };
            let send_again = outbox_left.then(|| now_ms() + SEND_AGAIN_MS);
            self.alarm.set(cell.name(), next_timer.into_iter().chain(send_again).min());
        }
    }

    fn is_bound(&self, cell: &Cell) -> bool {
        self.registry.is_bound(cell)
    }

    fn let_go(&self, cell: &Arc<Cell>) -> bool {
        let same =
            |(above, spec): (Option<ActorName>, ActorSpec)| above.as_ref() == cell.supervisor() && spec == cell.spec;
        if self.is_closed() || !self.template_for(cell.name()).is_some_and(same) || !self.registry.let_go(cell) {
            return false;
        }
        self.alarm.set(cell.name(), cell.status().next_timer_ms);
        true
    }

    fn deliver(
        &self,
        to: &ActorName,
        message: Message,
        receipt: Receipt,
        trace: Option<&TraceContext>,
    ) -> Result<(), SendError> {
        let sent = part!(Parent::within(trace), "send", otel.kind = "producer", baton.to = %to);
        // Asked first: whoever comes meanwhile is found.
        let may_come = self.may_come(to);
        let envelope = Envelope::new(message, None).receipted(receipt).within(sent.place());
        match (noted(&sent, Router::deliver(self, to, envelope)), may_come) {
            (Err(SendError::UnknownActor(actor)), Some(why)) => Err(SendError::Unavailable { actor, why: why.into() }),
            (other, _) => other,
        }
    }

    fn dead_letter(&self, to: &ActorName, message: &Message, why: &str, crash: Option<&Crash>) {
        self.bury(to, message, why, crash);
    }
}

/// Notes in a trace what came of something.
fn noted<T, E: std::fmt::Display>(part: &Begun, done: Result<T, E>) -> Result<T, E> {
    done.inspect_err(|error| part.failed(|| error.to_string()))
}

/// The turn that asked for it has ended: nobody else can be told.
fn warn_refused(actor: &Cell, done: Result<(), Refused>, what: &str) {
    if let Err(why) = done
        && actor.may_log()
    {
        log_of!(warn, actor.label(), %why, "{what}");
    }
}

/// Who waits in the middle of its turn, and for whom: an actor has one turn at a time, and in it one call. No circle is
/// ever let in.
#[derive(Debug, Default)]
struct Waits(Mutex<HashMap<ActorName, ActorName>>);

/// That an actor waits; until this is dropped.
#[derive(Debug)]
struct Waiting<'a> {
    waits: &'a Waits,
    from: ActorName,
}

impl Waits {
    fn map(&self) -> MutexGuard<'_, HashMap<ActorName, ActorName>> {
        // Entries come and go whole.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes that `from` waits for `to`; or, where `to` waits for `from` already, says who waits for whom.
    fn begin(&self, from: &ActorName, to: &ActorName) -> Result<Waiting<'_>, String> {
        let mut map = self.map();
        let mut chain = format!("{from} → {to}");
        let mut at = to;
        while at != from {
            let Some(next) = map.get(at) else {
                map.insert(from.clone(), to.clone());
                return Ok(Waiting { waits: self, from: from.clone() });
            };
            chain.push_str(" → ");
            chain.push_str(next.as_str());
            at = next;
        }
        Err(chain)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.waits.map().remove(&self.from);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Limits, PluginName};

    fn registered(registry: &Registry, name: &str, limits: Limits) -> Arc<Cell> {
        let name = ActorName::new(name).expect("valid");
        let mut spec = ActorSpec::new(name, PluginName::new("p").expect("valid"));
        spec.limits = limits;
        registry.register(Arc::new(Cell::new(spec))).expect("free")
    }

    fn waiting(cell: &Cell) -> Vec<Message> {
        let nobody = |_: &ActorName| unreachable!("no call waits");
        cell.mailbox.drain(nobody).into_iter().map(|envelope| envelope.open().message).collect()
    }

    #[test]
    fn a_dispatch_reaches_every_member_and_what_one_cannot_take_is_a_dead_letter() {
        let registry = Arc::new(Registry::default());
        let router = Router::new(registry.clone(), Vec::new(), Arc::default(), Events::default());
        let full = Limits { mailbox_messages: 0, ..Limits::default() };
        let cells = [("b", Limits::default()), ("full", full), ("a", Limits::default())];
        let cells = cells.map(|(name, limits)| registered(&registry, name, limits));
        let group = GroupName::new("g").expect("valid");
        for cell in &cells {
            router.take(cell, Out::Join(group.clone()), None);
        }
        let id = MessageId::new("m").expect("valid");
        router.take(&cells[0], Out::Dispatch { group, id, body: Body::from_static(b"hello") }, None);
        for cell in [&cells[0], &cells[2]] {
            let id = MessageId::new(&format!("m@{}", cell.name())).expect("valid");
            let request =
                Request { id, sender: Some(cells[0].name().clone()), body: Body::from_static(b"hello"), sent: None };
            assert_eq!(waiting(cell), [Message::Cast(request)]);
        }
        let dead = router.dead_letters();
        assert_eq!(dead.iter().map(|letter| letter.to.as_str()).collect::<Vec<_>>(), ["full"]);
    }

    #[test]
    fn an_end_that_an_actor_will_not_hear_of_is_a_dead_letter() {
        let registry = Arc::new(Registry::default());
        let router = Router::new(registry.clone(), Vec::new(), Arc::default(), Events::default());
        let [old, x] = ["a", "x"].map(|name| registered(&registry, name, Limits::default()));
        registry.unregister(&old);
        for out in [Out::Monitor(x.name().clone()), Out::Link(x.name().clone())] {
            router.take(&old, out, None);
        }
        let dead = router.dead_letters();
        let told: Vec<_> = dead.iter().map(|letter| (letter.to.as_str(), letter.kind)).collect();
        assert_eq!(told, [("a", "down"), ("a", "other")]);
        router.ended(&x, &ExitReason::Normal);
        assert!(waiting(&old).is_empty());
        // To make somebody exit who is not there is nothing at all.
        router.take(&x, Out::Exit { to: old.name().clone(), reason: ExitReason::Killed }, None);
        assert_eq!(router.dead_letters().len(), 2);
    }

    #[test]
    fn a_circle_of_calls_is_found_wherever_it_closes() {
        let name = |n| ActorName::new(n).expect("valid");
        let (a, b, c) = (name("a"), name("b"), name("c"));
        let waits = Waits::default();
        assert_eq!(waits.begin(&a, &a).expect_err("itself"), "a → a");
        let b_waits = waits.begin(&b, &c).expect("c does not wait");
        let a_waits = waits.begin(&a, &b).expect("b waits for c alone");
        assert_eq!(waits.begin(&c, &a).expect_err("the circle"), "c → a → b → c");
        // Who has its answer waits no more.
        drop(a_waits);
        drop(waits.begin(&c, &a).expect("a is free"));
        drop(b_waits);
        assert!(waits.map().is_empty());
    }
}
