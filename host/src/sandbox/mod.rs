//! Everything that knows wasmtime. A [`Program`] is a plugin that was compiled, linked and asked who it is; a [`Guest`]
//! is one live instance of it. Nothing of the engine shows in what these offer.

mod abi;
mod cache;
mod engine;
mod guest;
mod imports;
mod program;
mod trap;
mod wasi;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;

use crate::model::{ActorName, Body, CallError, Limits, MessageId};

pub(crate) use engine::{Sandbox, SandboxOptions};
pub(crate) use guest::{Guest, TurnBase};
pub use program::Inspection;
pub(crate) use program::{PLUGIN_BYTES, Program};

/// What an instance is given of the world: its name, its bounds, and who takes its calls.
#[derive(Debug, Clone)]
pub(crate) struct GuestEnv {
    pub(crate) actor: ActorName,
    pub(crate) limits: Arc<Limits>,
    pub(crate) outside: Arc<dyn Outside>,
}

/// Takes the calls that act at once. Whoever starts an actor hands it one.
pub(crate) trait Outside: fmt::Debug + Send + Sync + 'static {
    /// Calls another actor on behalf of one in the middle of its turn.
    fn call(&self, call: NestedCall) -> BoxFuture<'static, Result<Body, CallError>>;
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
}

/// What a turn asked for; it happens once the turn has ended well.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Effect {
    Send {
        to: ActorName,
        id: MessageId,
        body: Body,
    },
    /// Due at this many milliseconds since the Unix epoch.
    SetTimer {
        name: String,
        due_ms: u64,
    },
    CancelTimer(String),
    Save,
    Stop,
}
