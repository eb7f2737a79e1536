//! Everything that knows wasmtime. A [`Program`] is a plugin that was compiled, linked and asked who it is; a [`Guest`]
//! is one live instance of it. Nothing of the engine shows in what these offer.

mod ambient;
mod cache;
mod contract;
mod core_dump;
mod description;
mod engine;
mod granted;
mod guarded;
mod guest;
mod http;
mod imports;
mod lifting;
mod limiter;
mod meter;
mod needs;
mod nesting;
mod nobody;
mod pace;
mod places;
mod program;
mod supervision;
mod trap;
mod unchecked;
mod wasi;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;

use crate::model::{
    ActorName, ActorSpec, Body, CallError, ChildInfo, Counts, ExitReason, GroupName, HostError, Label, Limits,
    MessageId, Phase,
};

use crate::telemetry::TraceContext;

pub(crate) use ambient::{Ambient, Played};
pub(crate) use engine::{DEFAULT_MEMORY_RESERVATION_BYTES, DEFAULT_STACK_BYTES, Sandbox, SandboxOptions};
pub(crate) use granted::Granted;
pub(crate) use guest::{Guest, TurnBase};
pub(crate) use meter::Meter;
pub use needs::Need;
pub(crate) use nobody::Nobody;
pub(crate) use pace::by;
pub(crate) use places::{Place, Wanted};
pub use program::Inspection;
pub(crate) use program::{PLUGIN_BYTES, Program};

/// What an instance is given of the world: its name, its bounds, what it may do, and who takes its calls.
#[derive(Debug, Clone)]
pub(crate) struct GuestEnv {
    /// Whose instance it is.
    pub(crate) label: Arc<Label>,
    pub(crate) limits: Arc<Limits>,
    /// What is counted of the actor over all its instances.
    pub(crate) meter: Arc<Meter>,
    /// The default: nothing.
    pub(crate) grants: Arc<Granted>,
    pub(crate) outside: Arc<dyn Outside>,
    pub(crate) place: Place,
    /// Time and chance.
    pub(crate) ambient: Ambient,
}

impl GuestEnv {
    fn actor(&self) -> &ActorName {
        &self.label.actor
    }

    /// Whether the actor may write another line now, over all its turns.
    fn may_log(&self) -> bool {
        self.meter.may_log(&self.limits, || self.label.clone())
    }
}

/// Takes the calls that act at once. Whoever starts an actor hands it one.
pub(crate) trait Outside: fmt::Debug + Send + Sync + 'static {
    /// Calls another actor on behalf of one in the middle of its turn.
    fn call(&self, call: NestedCall) -> BoxFuture<'static, Result<Body, CallError>>;

    /// Whether `from` may start, stop, link and end `name`.
    fn may_supervise(&self, from: &ActorName, name: &ActorName) -> bool;

    /// Starts a child on behalf of `from`, below a supervisor or below the root, and answers once its `init` has.
    fn start_child(&self, from: &ActorName, supervisor: Option<ActorName>, child: ActorSpec) -> Supervised<()>;

    /// Changes a child on behalf of `from`, and answers once that is done.
    fn change_child(&self, from: &ActorName, child: ActorName, change: ChildChange) -> Supervised<()>;

    /// The children of a supervisor, in the order of their start.
    fn which_children(&self, from: &ActorName, supervisor: Option<ActorName>) -> Supervised<Vec<ChildInfo>>;

    /// How many there are.
    fn count_children(&self, from: &ActorName, supervisor: Option<ActorName>) -> Supervised<Counts>;

    /// Where an actor stands; none: nobody has the name.
    fn whereis(&self, actor: &ActorName) -> Option<Phase>;

    /// The members of a group, in the order in which they came.
    fn members(&self, group: &GroupName) -> Vec<ActorName>;

    /// The value of an actor's attribute.
    fn attribute(&self, actor: &ActorName, key: &str) -> Option<String>;

    /// The actors whose attribute `key` is `value`, in the order of their names.
    fn having(&self, key: &str, value: &str) -> Vec<ActorName>;
}

/// What comes of asking for something of the supervision tree.
pub(crate) type Supervised<T> = BoxFuture<'static, Result<T, HostError>>;

/// What is to become of a child.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ChildChange {
    /// It ends; its specification stays, unless its supervisor is dynamic or it is temporary.
    Terminate,
    /// It is started again, having ended.
    Restart,
    /// Its specification is removed, having ended.
    Delete,
}

/// A call that an actor makes in the middle of its turn.
#[derive(Debug)]
pub(crate) struct NestedCall {
    pub(crate) to: ActorName,
    pub(crate) id: MessageId,
    pub(crate) body: Body,
    pub(crate) timeout: Duration,
    /// The actor that makes it.
    pub(crate) from: ActorName,
    /// The turn's part of a trace.
    pub(crate) trace: Option<TraceContext>,
}

/// What a turn asked for; it happens once the turn has ended well.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Effect {
    /// For others.
    Out(Out),
    /// Due at this many milliseconds since the Unix epoch.
    SetTimer {
        name: String,
        due_ms: u64,
    },
    CancelTimer(String),
    Save,
    Stop,
}

/// What leaves an actor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Out {
    Send {
        to: ActorName,
        id: MessageId,
        body: Body,
    },
    /// To all members of a group; each message's id is made of this one.
    Dispatch {
        group: GroupName,
        id: MessageId,
        body: Body,
    },
    /// Be told once when it ends.
    Monitor(ActorName),
    Demonitor(ActorName),
    /// End when it ends other than normally, and the other way round.
    Link(ActorName),
    Unlink(ActorName),
    /// End it as if it were linked to this one, which has ended so.
    Exit {
        to: ActorName,
        reason: ExitReason,
    },
    Join(GroupName),
    Leave(GroupName),
    /// None: it is removed.
    SetAttribute {
        key: String,
        value: Option<String>,
    },
}
