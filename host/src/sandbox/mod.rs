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
pub(crate) use program::Program;

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
    /// Who waits for this call, from the first caller to the one that makes it.
    pub(crate) chain: Chain,
}

/// Who waits for whom: the actors whose turns wait for this one, outermost first.
#[derive(Debug, Clone, Default)]
pub(crate) struct Chain(Option<Arc<ChainLink>>);

#[derive(Debug)]
struct ChainLink {
    actor: ActorName,
    outer: Chain,
}

impl Chain {
    /// This chain with `actor` at its end.
    pub(crate) fn with(&self, actor: &ActorName) -> Self {
        Self(Some(Arc::new(ChainLink { actor: actor.clone(), outer: self.clone() })))
    }

    /// Whether `actor` waits already.
    pub(crate) fn contains(&self, actor: &ActorName) -> bool {
        let mut at = &self.0;
        while let Some(link) = at {
            if link.actor == *actor {
                return true;
            }
            at = &link.outer.0;
        }
        false
    }
}

impl fmt::Display for Chain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(link) = &self.0 else { return Ok(()) };
        if link.outer.0.is_some() {
            write!(f, "{} → ", link.outer)?;
        }
        write!(f, "{}", link.actor)
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chain_knows_everyone_who_waits() {
        let name = |n| ActorName::new(n).expect("valid");
        let chain = Chain::default().with(&name("a")).with(&name("b"));
        assert!(chain.contains(&name("a")) && chain.contains(&name("b")) && !chain.contains(&name("c")));
        assert_eq!(chain.to_string(), "a → b");
        assert_eq!(Chain::default().to_string(), "");
    }
}
