//! One actor: its cell, which outlives its instances; its mailbox; what a turn comes to; how state is handed over; and
//! the loop that carries it out.

mod budget;
mod carry;
mod claiming;
pub(crate) mod control;
mod driver;
mod ears;
mod exits;
mod figures;
mod handling;
pub(crate) mod handoff;
mod lane;
mod ledger;
mod lifecycle;
mod mailbox;
mod opening;
mod outbox;
mod rest;
mod run;
mod saving;
mod signals;
mod sleeping;
mod stopping;
pub(crate) mod switching;
mod tenure;
pub(crate) mod turn;
mod writes;

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use schemars::JsonSchema;
use serde::Serialize;

use crate::events::About;
use crate::model::{
    ActorName, ActorSpec, Crash, Digest, Exit, ExitReason, Hold, Label, Limits, Message, Phase, PluginName, SendError,
    StopReason, Version,
};
use crate::sandbox::{Meter, Out};
use crate::store::{Refused, now_ms};
use crate::telemetry::TraceContext;

pub(crate) use budget::Budget;
pub(crate) use claiming::{Owner, Whose};
use driver::Driver;
pub(crate) use driver::Task;
pub(crate) use exits::{ExitSignal, bounded};
use figures::Figures;
pub use figures::TurnTimes;
use lane::Lane;
pub(crate) use lifecycle::StartFailure;
pub(crate) use mailbox::{Envelope, Gate, Mailbox, ReplyTo};
use outbox::Outbox;
pub(crate) use outbox::Receipt;
pub(crate) use rest::{Residents, who_sleeps};
pub(crate) use run::{Instance, Parts};
pub(crate) use tenure::{Tenure, Tenures, boot_ms};

/// Ends of an actor's instances that are kept.
const LAST_EXITS: usize = 10;

/// What an actor's instance is told by whoever supervises it. A later one replaces an earlier one.
#[derive(Debug, Clone, Default)]
pub(crate) enum Signal {
    #[default]
    Go,
    /// End as `terminate` has it, before the deadline.
    Stop(StopReason, Budget),
    /// End now.
    Kill,
}

/// Where an actor's effects go. Whoever starts an actor hands it one.
pub(crate) trait Post: fmt::Debug + Send + Sync + 'static {
    /// Takes what leaves an actor, as a part of `trace`. A message that cannot be delivered is kept as a dead letter.
    fn take(&self, from: &Arc<Cell>, out: Out, trace: Option<&TraceContext>);

    /// Tells those that monitor an actor or are linked to it that its instance has ended.
    fn ended(&self, cell: &Cell, reason: &ExitReason);

    /// Puts a message of a durable sender into a mailbox.
    fn deliver(
        &self,
        to: &ActorName,
        message: Message,
        receipt: Receipt,
        trace: Option<&TraceContext>,
    ) -> Result<(), SendError>;

    /// Whether an actor takes part in what others do even while it sleeps: it is in a group, watches others, or has other
    /// attributes than its specification gives it.
    fn is_bound(&self, cell: &Cell) -> bool;

    /// Lets a sleeper go altogether, its name apart: the next message to it makes another cell. False: that would not be
    /// the same.
    fn let_go(&self, cell: &Arc<Cell>) -> bool;

    /// Keeps a message that was not handled, and why.
    fn dead_letter(&self, to: &ActorName, message: &Message, why: &str, crash: Option<&Crash>);
}

/// What of an actor outlives its instances: its name, its mailbox, where it stands. What every message touches lies together,
/// before the rest: an actor that was not needed for a while is in no cache, and each line of it takes as long as a third of
/// its guest's turn.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct Cell {
    pub(crate) mailbox: Mailbox,
    driver: Driver,
    figures: Figures,
    pub(crate) rest: rest::Rest,
    /// What is counted over all its instances.
    pub(crate) meter: Arc<Meter>,
    pub(crate) limits: Arc<Limits>,
    outbox: Arc<Outbox>,
    pub(crate) spec: ActorSpec,
    /// What it stands under; none: the root.
    supervisor: Option<ActorName>,
    lane: Lane,
    status: Mutex<Status>,
}

/// A message that came with a record and crashed an instance: it is not delivered again when the same record is taken
/// over by the next one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum NotAgain {
    /// By the record's sequence and the message's place in its inbox.
    Message(u64, usize),
    /// By the record's sequence, the timer's name and when it was due.
    Timer(u64, String, u64),
    /// Word of the end of an actor that the record says is watched: by the record's sequence and that actor.
    Down(u64, ActorName),
}

impl NotAgain {
    /// The record's sequence, and what of that record it is.
    fn told(&self) -> (u64, String) {
        match self {
            Self::Message(sequence, place) => (*sequence, format!("message {place}")),
            Self::Timer(sequence, name, due) => (*sequence, format!("timer {due} {name}")),
            Self::Down(sequence, actor) => (*sequence, format!("down {actor}")),
        }
    }
}

/// How an instance ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct PastExit {
    /// Its generation; 0 if it had not claimed its state.
    pub generation: u64,
    /// When, in milliseconds since the Unix epoch.
    pub time_ms: u64,
    /// How.
    pub exit: String,
}

/// Where an actor stands.
#[derive(Debug, Clone)]
pub(crate) struct Status {
    pub(crate) phase: Phase,
    pub(crate) version: Option<Version>,
    /// Digest of the component that its instance runs; none while it has no instance.
    pub(crate) component: Option<Digest>,
    /// When that instance was started, in milliseconds since the Unix epoch; none while there is none.
    pub(crate) started_ms: Option<u64>,
    pub(crate) generation: u64,
    pub(crate) sequence: Option<u64>,
    pub(crate) schema: Option<u32>,
    pub(crate) restarts: u64,
    pub(crate) last_exit: Option<String>,
    /// How its last instances ended, oldest first: at most [`LAST_EXITS`].
    pub(crate) last_exits: VecDeque<PastExit>,
    pub(crate) held: Option<Hold>,
    /// Who owns it, where that is another host.
    pub(crate) owner: Option<Owner>,
    /// Whether an `init` has ever answered well.
    pub(crate) was_ready: bool,
    /// Whether the last instance left messages that the next one is to handle.
    pub(crate) inbox_left: bool,
    /// What came with a record and then crashed an instance.
    pub(crate) not_again: Vec<NotAgain>,
    /// Refusals that the store could not be told of.
    pub(crate) refused: Vec<Refused>,
    /// The generation by which its record is marked as taken up, and that has not taken it up; none: there is none such.
    pub(crate) early: Option<u64>,
    /// When the first timer of the record that counts is due, in milliseconds since the Unix epoch.
    pub(crate) next_timer_ms: Option<u64>,
    /// Whether that record has messages that were sent and that nobody has confirmed.
    pub(crate) outbox_left: bool,
    /// How often its state could not be used as it was, since the host started.
    pub(crate) bad_states: u64,
    /// What was done about it last.
    pub(crate) last_bad_state: Option<String>,
}

impl Status {
    /// Notes how an instance ended.
    pub(crate) fn ended(&mut self, exit: &Exit) {
        let exit = exit.to_string();
        self.last_exit = Some(exit.clone());
        if self.last_exits.len() >= LAST_EXITS {
            self.last_exits.pop_front();
        }
        self.last_exits.push_back(PastExit { generation: self.generation, time_ms: now_ms(), exit });
    }
}

impl Cell {
    /// An actor below the root.
    #[cfg(test)]
    pub(crate) fn new(spec: ActorSpec) -> Self {
        Self::under(None, spec)
    }

    pub(crate) fn under(supervisor: Option<ActorName>, spec: ActorSpec) -> Self {
        let limits = Arc::new(spec.limits.clone());
        let status = Status {
            phase: Phase::Starting,
            version: None,
            component: None,
            started_ms: None,
            generation: 0,
            sequence: None,
            schema: None,
            restarts: 0,
            last_exit: None,
            last_exits: VecDeque::new(),
            held: None,
            owner: None,
            was_ready: false,
            inbox_left: false,
            not_again: Vec::new(),
            refused: Vec::new(),
            early: None,
            next_timer_ms: None,
            outbox_left: false,
            bad_states: 0,
            last_bad_state: None,
        };
        let mailbox = Mailbox::new(spec.name.clone(), limits.clone());
        let (meter, outbox) = (Arc::default(), Arc::default());
        let (figures, rest, lane) = (Figures::default(), rest::Rest::default(), Lane::default());
        let (driver, status) = (Driver::default(), Mutex::new(status));
        Self { spec, supervisor, limits, mailbox, meter, figures, rest, driver, lane, outbox, status }
    }

    pub(crate) fn name(&self) -> &ActorName {
        &self.spec.name
    }

    /// Whether a line may be written of what it does: what a guest can bring about as often as it likes is not to fill the
    /// log.
    pub(crate) fn may_log(&self) -> bool {
        self.meter.may_log(&self.limits, || self.label())
    }

    /// Takes a message as [`Mailbox::offer`] does, and, where the actor is at rest, has it handled before this answers, as far as
    /// that can be done without waiting.
    pub(crate) fn offer_in_place(&self, envelope: Envelope) -> Result<Result<(), SendError>, Envelope> {
        let left = self.mailbox.leave(envelope)?;
        Ok(left.map(|at_rest| self.attends(at_rest)))
    }

    /// What names its instance in the log.
    pub(crate) fn label(&self) -> Label {
        let status = self.status();
        Label::new(self.name().clone(), Some(self.spec.plugin.clone()), status.version.clone(), status.generation)
    }

    /// The status, to read or change. Held for a moment, never across a wait.
    pub(crate) fn status(&self) -> MutexGuard<'_, Status> {
        // A status is changed field by field and stays usable whatever panicked meanwhile.
        self.status.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whom an event of this actor is about.
    pub(crate) fn about(&self) -> About {
        let status = self.status();
        About {
            actor: Some(self.spec.name.clone()),
            plugin: Some(self.spec.plugin.clone()),
            version: status.version.clone(),
            generation: Some(status.generation).filter(|generation| *generation > 0),
        }
    }

    /// The supervisor that it stands under; none: the root.
    pub(crate) fn supervisor(&self) -> Option<&ActorName> {
        self.supervisor.as_ref()
    }

    /// Linear memory of its instance after its last turn, in bytes.
    pub(crate) fn memory_bytes(&self) -> usize {
        self.figures.memory_bytes().unwrap_or(0)
    }

    /// Asks an instance that is awake to sleep; it decides between two turns.
    pub(crate) fn ask_to_sleep(&self, why: rest::Why) {
        self.rest.ask();
        if self.lane.ask(control::Request::Sleep(why)).is_err() {
            self.rest.stays_awake(tokio::time::Instant::now(), std::time::Duration::ZERO);
        }
    }

    /// Whether nothing is known of it that another cell of its name would not know: how it ended, say, and how often.
    pub(crate) fn has_no_past(&self) -> bool {
        let status = self.status();
        status.phase == Phase::Asleep
            && (status.restarts, status.bad_states) == (0, 0)
            && status.last_exits.is_empty()
            && (status.not_again.is_empty() && status.refused.is_empty())
            && !status.outbox_left
    }

    /// Takes nothing any more, if it sleeps and nothing is there: whoever has a message for it finds another cell of its
    /// name. True: so it is.
    pub(crate) fn move_out(&self) -> bool {
        self.lane.move_out(|| self.mailbox.move_out())
    }

    /// Whether another cell has its place.
    pub(crate) fn has_moved(&self) -> bool {
        self.mailbox.has_moved()
    }

    /// Lets it hear of exits before it has an instance.
    pub(crate) fn awaits_instance(&self) {
        self.lane.awaits();
    }

    pub(crate) fn enter(&self, phase: Phase) {
        self.status().phase = phase;
    }

    /// What an operator is shown.
    pub(crate) fn info(&self) -> ActorInfo {
        let status = self.status().clone();
        let (waiting, waiting_bytes) = self.mailbox.waiting();
        let note = note(&status, &self.spec.name);
        ActorInfo {
            name: self.spec.name.clone(),
            plugin: self.spec.plugin.clone(),
            supervisor: self.supervisor.clone(),
            version: status.version,
            phase: status.phase,
            generation: status.generation,
            sequence: status.sequence,
            schema: status.schema,
            started_ms: status.started_ms,
            waiting,
            waiting_bytes,
            handled: self.figures.handled(),
            turn_us: self.figures.turn_times(),
            memory_bytes: self.figures.memory_bytes(),
            restarts: status.restarts,
            note,
            last_exit: status.last_exit,
            last_exits: status.last_exits.into(),
            held: status.held,
            owner: status.owner.map(|Owner { node, address, .. }| OwnedBy { node, address }),
            outbox_messages: self.outbox.under_way(),
            bad_states: status.bad_states,
            last_bad_state: status.last_bad_state,
        }
    }
}

/// What a person should know first.
fn note(status: &Status, actor: &ActorName) -> Option<String> {
    let held = status.held.as_ref().map(ToString::to_string);
    held.or_else(|| Some(status.owner.as_ref()?.of(actor.as_str()))).or_else(|| status.last_exit.clone())
}

/// The host that owns an actor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct OwnedBy {
    /// Its node.
    pub node: String,
    /// Where its API is reached, if it is: a URL.
    pub address: Option<String>,
}

/// What is known of an actor, for a person to look at.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct ActorInfo {
    /// Its name.
    pub name: ActorName,
    /// Its plugin.
    pub plugin: PluginName,
    /// The supervisor that it stands under; none: the root.
    pub supervisor: Option<ActorName>,
    /// The version that its instance runs; none before its first.
    pub version: Option<Version>,
    /// Where it stands.
    pub phase: Phase,
    /// Its instance's generation; 0 before it has claimed its state.
    pub generation: u64,
    /// Sequence of the record that counts, where there is one.
    pub sequence: Option<u64>,
    /// That record's schema.
    pub schema: Option<u32>,
    /// When its instance was started, in milliseconds since the Unix epoch; none while it has none.
    pub started_ms: Option<u64>,
    /// Messages that wait in its mailbox.
    pub waiting: usize,
    /// Bytes that wait there.
    pub waiting_bytes: usize,
    /// Messages handled since the host started.
    pub handled: u64,
    /// How long its turns took lately; none before the first.
    pub turn_us: Option<TurnTimes>,
    /// Linear memory of its instance after its last turn, in bytes; none while it has none.
    pub memory_bytes: Option<usize>,
    /// Restarts since the host started.
    pub restarts: u64,
    /// How its last instance ended.
    pub last_exit: Option<String>,
    /// How its last instances ended, oldest first: at most 10.
    pub last_exits: Vec<PastExit>,
    /// Why it is held, if it is.
    pub held: Option<Hold>,
    /// The host that owns it, where that is another one.
    pub owner: Option<OwnedBy>,
    /// Messages that it has sent with `durability = "turn"` and that are on their way.
    pub outbox_messages: usize,
    /// How often its state could not be used as it was, since the host started.
    pub bad_states: u64,
    /// What was done about that last.
    pub last_bad_state: Option<String>,
    /// What a person should know first, in words: why it is held, or who owns it, or else how its last instance ended.
    pub note: Option<String>,
}

impl ActorInfo {
    /// Of an actor that sleeps, and of which no more than this is in memory.
    pub(crate) fn asleep(name: ActorName, plugin: PluginName) -> Self {
        Self {
            name,
            plugin,
            supervisor: None,
            owner: None,
            version: None,
            phase: Phase::Asleep,
            generation: 0,
            sequence: None,
            schema: None,
            started_ms: None,
            waiting: 0,
            waiting_bytes: 0,
            handled: 0,
            turn_us: None,
            memory_bytes: None,
            restarts: 0,
            last_exit: None,
            last_exits: Vec::new(),
            held: None,
            outbox_messages: 0,
            bad_states: 0,
            last_bad_state: None,
            note: None,
        }
    }
}
