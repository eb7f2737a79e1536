//! What an author writes: the actor, and what is known of the plugin that it belongs to.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::{Codec, Cx, Failure, Level, Migrations, Origin, Refusal, StopReason};

/// An actor. The type is its state: what serde writes of it is what outlives the instance.
///
/// The state is encoded with [postcard](https://docs.rs/postcard), which keeps values without field names. So every
/// change to the type's fields, their order or their types is a new layout: raise [`SCHEMA`](Self::SCHEMA), keep the
/// old struct, and name it in [`MIGRATIONS`](Self::MIGRATIONS). Serde attributes that leave fields out by value or need
/// their names (`skip_serializing_if`, `flatten`, `untagged`, `tag`) don't fit; `#[serde(skip)]` does, for what
/// [`resumed`](Self::resumed) can find again. Prefer `BTreeMap` to `HashMap`: equal states then have equal bytes.
pub trait Actor: Serialize + DeserializeOwned + 'static {
    /// What it is asked. JSON unless the plugin says otherwise: an enum that a person can type, such as `{"add": 3}`.
    type Message;
    /// What it answers a call with.
    type Reply;

    /// Number of the state's layout. Raise it by one with every change of layout.
    const SCHEMA: u32;
    /// Older layouts that it reads, and newer ones where it can: see [`migrations!`](crate::migrations).
    const MIGRATIONS: Migrations<Self> = Migrations::NONE;
    /// Whether [`terminate`](Self::terminate) is called when the actor is told to stop. Without it the instance is
    /// dropped, and the state in the store stays as it was. Likewise whether [`exit`](Self::exit) is called when a linked
    /// actor ends; without it this one ends too.
    const TRAP_EXIT: bool = true;

    /// Makes a fresh state from [`Cx::args`]. The supervisor waits for it, and a state that the predecessor left takes
    /// the place of this one.
    ///
    /// # Errors
    /// The actor does not start.
    fn init(cx: &Cx) -> Result<Self, Failure>;

    /// Whether this instance traps exits, where that is not known before it is made: asked once, right after
    /// [`init`](Self::init). [`TRAP_EXIT`](Self::TRAP_EXIT) unless told otherwise.
    fn traps_exits(&self, cx: &Cx) -> bool {
        let _ = cx;
        Self::TRAP_EXIT
    }

    /// Handles a message. An error is a reply like any other: the actor lives on with whatever it has changed, and what
    /// it has sent leaves. A panic ends the instance, and nothing that it did in this turn leaves.
    ///
    /// # Errors
    /// Whatever the sender is to know.
    fn handle(&mut self, message: Self::Message, cx: &Cx) -> Result<Self::Reply, Failure>;

    /// Nothing was there to take over: the state that [`init`](Self::init) made is the one. The place to set first
    /// timers.
    ///
    /// # Errors
    /// The actor does not go on.
    fn started(&mut self, cx: &Cx) -> Result<(), Refusal> {
        let _ = cx;
        Ok(())
    }

    /// `self` is now the state that `predecessor` left, decoded, migrated and [valid](Self::validate).
    ///
    /// # Errors
    /// The state is not taken over; it stays in the store. [`Refusal::Unavailable`] asks to be tried again.
    fn resumed(&mut self, predecessor: &Predecessor, cx: &Cx) -> Result<(), Refusal> {
        let _ = (predecessor, cx);
        Ok(())
    }

    /// What must hold of every state taken over, checked after decoding and migrating.
    ///
    /// # Errors
    /// Says what is broken: the state is refused as corrupt.
    fn validate(&self) -> Result<(), String> {
        Ok(())
    }

    /// A timer that this actor, or its predecessor, set has come due.
    ///
    /// # Errors
    /// Logged by the host.
    fn timer(&mut self, name: &str, cx: &Cx) -> Result<(), Failure> {
        let _ = cx;
        Err(Failure::new("unexpected-timer", format!("nothing is done with the timer {name:?}")))
    }

    /// An actor that this one [monitors](Cx::monitor) has ended, or was not there: `reason` is `normal`, `shutdown`,
    /// `killed`, `noproc`, or `crash: ` and how. Logged, unless told otherwise.
    ///
    /// # Errors
    /// Logged by the host.
    fn down(&mut self, actor: &str, reason: &str, cx: &Cx) -> Result<(), Failure> {
        cx.log(Level::Info, "nothing is done about the end of an actor", &[("down", &actor), ("reason", &reason)]);
        Ok(())
    }

    /// An actor that this one is [linked](Cx::link) to has ended, or sent it an [exit](Cx::exit): told to those alone who
    /// [trap exits](Self::traps_exits). Reasons are as in [`down`](Self::down). Logged, unless told otherwise.
    ///
    /// # Errors
    /// Logged by the host.
    fn exit(&mut self, actor: &str, reason: &str, cx: &Cx) -> Result<(), Failure> {
        cx.log(Level::Info, "nothing is done about an exit", &[("exit", &actor), ("reason", &reason)]);
        Ok(())
    }

    /// A kind of message that this version of the contract has no word for.
    ///
    /// # Errors
    /// Logged by the host.
    fn other(&mut self, kind: &str, data: &[u8], cx: &Cx) -> Result<(), Failure> {
        let _ = (data, cx);
        Err(Failure::new("unsupported", format!("messages of the kind {kind:?} are not known here")))
    }

    /// The last call; `budget_ms` is what is left for it, none where there is no limit.
    ///
    /// # Errors
    /// Told to the operator; the state in the store stays as it was.
    fn terminate(&mut self, reason: &StopReason, budget_ms: Option<u64>, cx: &Cx) -> Result<Leave, Failure> {
        let _ = (reason, budget_ms, cx);
        Ok(Leave::Save)
    }
}

/// What [`Actor::terminate`] leaves to the replacement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Leave {
    /// The state as it stands.
    Save,
    /// What the store has already.
    Keep,
    /// Nothing: the state in the store and its history are erased.
    Forget,
}

/// Where a state that was taken over comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Predecessor {
    /// Layout of the state before it was migrated.
    pub schema: u32,
    /// How complete the state is.
    pub origin: Origin,
    /// Generation of the instance that wrote it.
    pub generation: u64,
    /// Version of the plugin that wrote it.
    pub written_by: String,
    /// Milliseconds since it was written, by the host's clock; 0 if that clock went back.
    pub age_ms: u64,
}

/// What the host is told of a plugin. [`plugin!`](crate::plugin) implements it.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a plugin yet",
    note = "add `baton_guest::plugin!({Self});` beside the type"
)]
pub trait Plugin: Actor {
    /// Lower-case letters, digits, `-` and `_`, beginning with a letter; at most 64 bytes.
    const NAME: &'static str;
    /// Semantic version.
    const VERSION: &'static str;
    /// Further facts by name, such as `license`. Those without a value are left out.
    const METADATA: &'static [(&'static str, &'static str)];
    /// How message bodies are written.
    type Codec: Codec<Self::Message, Self::Reply>;
}
