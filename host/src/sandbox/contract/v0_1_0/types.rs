//! The types of `types` and `host` as the component model passes them, and their way to and from the host's words.
//!
//! Written by hand: wasmtime's generator does not escape `continue`, a keyword of Rust, as the name of an export. What
//! goes in borrows, so that a message body is copied once, into the guest's memory. That these types are those of `wit/`
//! is checked against a component made from `wit/` itself (`program.rs`), and by the engine for every plugin it loads.

use wasmtime::component::{ComponentType, Lift, Lower};

use crate::model;
use crate::sandbox::description::Described;
use crate::sandbox::imports::{CODE_BYTES, Refused, TEXT_BYTES, bounded};
use crate::sandbox::unchecked::Field;

#[derive(ComponentType, Lift)]
#[component(record)]
pub(in crate::sandbox::contract) struct StateOut {
    schema: u32,
    data: Vec<u8>,
}

impl From<StateOut> for model::State {
    fn from(state: StateOut) -> Self {
        Self { schema: state.schema, data: state.data }
    }
}

#[derive(ComponentType, Lower, Clone, Copy)]
#[component(record)]
pub(in crate::sandbox::contract) struct StateIn<'a> {
    schema: u32,
    data: &'a [u8],
}

#[derive(ComponentType, Lower, Clone, Copy)]
#[component(variant)]
pub(in crate::sandbox::contract) enum StopReason<'a> {
    #[component(name = "normal")]
    Normal,
    #[component(name = "shutdown")]
    Shutdown,
    #[component(name = "upgrade")]
    Upgrade,
    #[component(name = "passivate")]
    Passivate,
    #[component(name = "relocate")]
    Relocate,
    #[component(name = "restart")]
    Restart,
    /// No reason of this release needs it.
    #[component(name = "other")]
    Other(&'a str),
}

impl<'a> StopReason<'a> {
    /// The case of that name; what has none is another.
    pub(in crate::sandbox::contract) fn named(name: &'a str) -> Self {
        match name {
            "normal" => Self::Normal,
            "shutdown" => Self::Shutdown,
            "upgrade" => Self::Upgrade,
            "passivate" => Self::Passivate,
            "relocate" => Self::Relocate,
            "restart" => Self::Restart,
            other => Self::Other(other),
        }
    }
}

impl From<&model::StopReason> for StopReason<'_> {
    fn from(reason: &model::StopReason) -> Self {
        match reason {
            model::StopReason::Normal => Self::Normal,
            model::StopReason::Shutdown => Self::Shutdown,
            model::StopReason::Upgrade => Self::Upgrade,
            model::StopReason::Passivate => Self::Passivate,
            model::StopReason::Relocate => Self::Relocate,
            model::StopReason::Restart => Self::Restart,
        }
    }
}

#[derive(ComponentType, Lower, Clone, Copy)]
#[component(variant)]
pub(in crate::sandbox::contract) enum Origin<'a> {
    #[component(name = "terminated")]
    Terminated(StopReason<'a>),
    #[component(name = "switched")]
    Switched,
    #[component(name = "checkpoint")]
    Checkpoint(Option<u64>),
    #[component(name = "restored")]
    Restored,
    #[allow(dead_code)]
    #[component(name = "other")]
    Other(&'a str),
}

#[derive(ComponentType, Lower, Clone, Copy)]
#[component(record)]
pub(in crate::sandbox::contract) struct Handoff<'a> {
    state: StateIn<'a>,
    origin: Origin<'a>,
    generation: u64,
    #[component(name = "written-by")]
    written_by: &'a str,
    #[component(name = "age-ms")]
    age_ms: u64,
}

impl<'a> From<&'a model::Handoff> for Handoff<'a> {
    fn from(handoff: &'a model::Handoff) -> Self {
        Self {
            state: StateIn { schema: handoff.state.schema, data: &handoff.state.data },
            origin: match &handoff.origin {
                model::Origin::Terminated(reason) => Origin::Terminated(reason.into()),
                model::Origin::Switched => Origin::Switched,
                model::Origin::Checkpoint(turns) => Origin::Checkpoint(*turns),
                model::Origin::Restored => Origin::Restored,
            },
            generation: handoff.generation,
            written_by: handoff.written_by.as_str(),
            age_ms: handoff.age_ms,
        }
    }
}

#[derive(ComponentType, Lift)]
#[component(record)]
pub(in crate::sandbox::contract) struct Description {
    name: Field<String>,
    version: Field<String>,
    schema: u32,
    #[component(name = "reads-from")]
    reads_from: u32,
    #[component(name = "reads-to")]
    reads_to: u32,
    messages: Field<String>,
    metadata: Field<Vec<(String, String)>>,
}

impl From<Description> for Described {
    fn from(told: Description) -> Self {
        let Description { name, version, schema, reads_from, reads_to, messages, metadata } = told;
        Self { name, version, schema, reads_from, reads_to, messages, metadata }
    }
}

#[derive(ComponentType, Lower, Clone, Copy)]
#[component(record)]
pub(in crate::sandbox::contract) struct Context<'a> {
    pub(in crate::sandbox::contract) actor: &'a str,
    pub(in crate::sandbox::contract) args: &'a [u8],
}

#[derive(ComponentType, Lift)]
#[component(record)]
pub(in crate::sandbox::contract) struct Start {
    #[component(name = "trap-exit")]
    pub(in crate::sandbox::contract) trap_exit: bool,
}

#[derive(ComponentType, Lift)]
#[component(variant)]
pub(in crate::sandbox::contract) enum Refusal {
    #[component(name = "incompatible")]
    Incompatible(String),
    #[component(name = "corrupt")]
    Corrupt(String),
    #[component(name = "stale")]
    Stale(String),
    #[component(name = "unavailable")]
    Unavailable(String),
    #[component(name = "other")]
    Other(String),
}

impl Refusal {
    fn bounded(self) -> Self {
        match self {
            Self::Incompatible(why) => Self::Incompatible(bounded(&why, TEXT_BYTES)),
            Self::Corrupt(why) => Self::Corrupt(bounded(&why, TEXT_BYTES)),
            Self::Stale(why) => Self::Stale(bounded(&why, TEXT_BYTES)),
            Self::Unavailable(why) => Self::Unavailable(bounded(&why, TEXT_BYTES)),
            Self::Other(why) => Self::Other(bounded(&why, TEXT_BYTES)),
        }
    }
}

impl From<Refusal> for model::Refusal {
    fn from(refusal: Refusal) -> Self {
        match refusal.bounded() {
            Refusal::Incompatible(why) => Self::Incompatible(why),
            Refusal::Corrupt(why) => Self::Corrupt(why),
            Refusal::Stale(why) => Self::Stale(why),
            Refusal::Unavailable(why) => Self::Unavailable(why),
            Refusal::Other(why) => Self::Other(why),
        }
    }
}

#[derive(ComponentType, Lift)]
#[component(variant)]
pub(in crate::sandbox::contract) enum Legacy {
    #[component(name = "save")]
    Save(StateOut),
    #[component(name = "keep")]
    Keep,
    #[component(name = "forget")]
    Forget,
}

impl From<Legacy> for model::Legacy {
    fn from(legacy: Legacy) -> Self {
        match legacy {
            Legacy::Save(state) => Self::Save(state.into()),
            Legacy::Keep => Self::Keep,
            Legacy::Forget => Self::Forget,
        }
    }
}

#[derive(ComponentType, Lower, Clone, Copy)]
#[component(record)]
pub(in crate::sandbox::contract) struct Request<'a> {
    id: &'a str,
    sender: Option<&'a str>,
    body: &'a [u8],
}

impl<'a> From<&'a model::Request> for Request<'a> {
    fn from(request: &'a model::Request) -> Self {
        Self {
            id: request.id.as_str(),
            sender: request.sender.as_ref().map(model::ActorName::as_str),
            body: &request.body,
        }
    }
}

#[derive(ComponentType, Lower, Clone, Copy)]
#[component(record)]
pub(in crate::sandbox::contract) struct Down<'a> {
    actor: &'a str,
    reason: &'a str,
}

#[derive(ComponentType, Lower, Clone, Copy)]
#[component(variant)]
pub(in crate::sandbox::contract) enum Message<'a> {
    #[component(name = "call")]
    Call(Request<'a>),
    #[component(name = "cast")]
    Cast(Request<'a>),
    #[component(name = "timer")]
    Timer(&'a str),
    #[component(name = "down")]
    Down(Down<'a>),
    #[component(name = "other")]
    Other((&'a str, &'a [u8])),
}

impl<'a> From<&'a model::Message> for Message<'a> {
    fn from(message: &'a model::Message) -> Self {
        match message {
            model::Message::Call(request) => Self::Call(request.into()),
            model::Message::Cast(request) => Self::Cast(request.into()),
            model::Message::Timer(name) => Self::Timer(name),
            model::Message::Down(actor, reason) => Self::Down(Down { actor: actor.as_str(), reason }),
            model::Message::Other(kind, body) => Self::Other((kind, body)),
        }
    }
}

#[derive(ComponentType, Lift, Lower)]
#[component(record)]
pub(in crate::sandbox::contract) struct Failure {
    pub(in crate::sandbox::contract) code: String,
    pub(in crate::sandbox::contract) message: String,
}

impl From<Failure> for model::Failure {
    fn from(failure: Failure) -> Self {
        Self { code: bounded(&failure.code, CODE_BYTES), message: bounded(&failure.message, TEXT_BYTES) }
    }
}

/// Made by the engine alone, from the guest's word.
#[allow(dead_code)]
#[derive(ComponentType, Lift, Clone, Copy)]
#[component(enum)]
#[repr(u8)]
pub(in crate::sandbox::contract) enum Level {
    #[component(name = "trace")]
    Trace,
    #[component(name = "debug")]
    Debug,
    #[component(name = "info")]
    Info,
    #[component(name = "warn")]
    Warn,
    #[component(name = "error")]
    Error,
}

impl From<Level> for tracing::Level {
    fn from(level: Level) -> Self {
        match level {
            Level::Trace => Self::TRACE,
            Level::Debug => Self::DEBUG,
            Level::Info => Self::INFO,
            Level::Warn => Self::WARN,
            Level::Error => Self::ERROR,
        }
    }
}

#[derive(Debug, PartialEq, Eq, ComponentType, Lower)]
#[component(variant)]
pub(in crate::sandbox::contract) enum SendError {
    #[component(name = "denied")]
    Denied,
    #[component(name = "limit")]
    Limit(String),
}

impl From<Refused> for SendError {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Denied => Self::Denied,
            Refused::Limit(why) | Refused::Unfit(why) => Self::Limit(why),
        }
    }
}

#[derive(ComponentType, Lower)]
#[component(variant)]
pub(in crate::sandbox::contract) enum CallError {
    #[component(name = "unknown-actor")]
    UnknownActor,
    #[component(name = "mailbox-full")]
    MailboxFull,
    #[component(name = "denied")]
    Denied,
    #[component(name = "unavailable")]
    Unavailable,
    #[component(name = "timeout")]
    Timeout,
    #[component(name = "crashed")]
    Crashed,
    #[component(name = "deadlock")]
    Deadlock,
    #[component(name = "limit")]
    Limit(String),
    #[component(name = "failed")]
    Failed(Failure),
}

impl From<Refused> for CallError {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Denied => Self::Denied,
            Refused::Limit(why) => Self::Limit(why),
            // Nobody has a name that cannot be.
            Refused::Unfit(_) => Self::UnknownActor,
        }
    }
}

impl From<model::CallError> for CallError {
    fn from(error: model::CallError) -> Self {
        use model::SendError as Send;
        match error {
            model::CallError::NotSent(not_sent) => match not_sent {
                Send::UnknownActor(_) => Self::UnknownActor,
                Send::MailboxFull { .. } => Self::MailboxFull,
                Send::TooLarge { .. } => Self::Limit(not_sent.to_string()),
                // One that is parked, down or elsewhere has not seen the message either.
                Send::Unavailable { .. } | Send::Down { .. } | Send::Held { .. } | Send::Elsewhere { .. } => {
                    Self::Unavailable
                }
            },
            // Whether it was handled is not known then either.
            model::CallError::Timeout { .. } | model::CallError::Fenced { .. } => Self::Timeout,
            model::CallError::Crashed { .. } => Self::Crashed,
            model::CallError::Deadlock { .. } => Self::Deadlock,
            model::CallError::Failed(failure) => Self::Failed(Failure { code: failure.code, message: failure.message }),
        }
    }
}
