//! What an actor knows of itself, and what it can ask of its host.

use std::fmt::{self, Display};
use std::rc::Rc;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::{CallError, Failure, Level, Predecessor, SendError};

/// Most bytes that one call of the host's `random` gives.
const RANDOM_BYTES: u32 = 65_536;

/// The host as an actor sees it: imports in a plugin, a record in a test.
pub(crate) trait Host {
    fn log(&self, level: Level, message: &str, fields: &[(String, String)]);
    fn now_ms(&self) -> u64;
    /// `count` is at most [`RANDOM_BYTES`].
    fn random(&self, count: u32) -> Vec<u8>;
    fn remaining_ms(&self) -> Option<u64>;
    fn save(&self);
    fn send(&self, to: &str, body: &[u8]) -> Result<(), SendError>;
    fn call(&self, to: &str, body: &[u8], timeout_ms: u64) -> Result<Vec<u8>, CallError>;
    fn set_timer(&self, name: &str, after_ms: u64) -> Result<(), SendError>;
    fn cancel_timer(&self, name: &str);
    fn monitor(&self, actor: &str) -> Result<(), SendError>;
    fn demonitor(&self, actor: &str);
    fn stop(&self);
    /// Under test, whoever stands for the host stands for its supervisors too.
    #[cfg(not(target_arch = "wasm32"))]
    fn supervision(&self) -> &dyn crate::supervision::Supervision;
}

/// The turn that is being handled, where it came from a sender.
#[derive(Debug, Clone, Default)]
pub(crate) struct Turn {
    pub(crate) id: String,
    pub(crate) sender: Option<String>,
    pub(crate) expects_reply: bool,
}

/// What an actor knows of itself, and what it can ask of its host.
///
/// What is sent or set here leaves when the turn has ended without a panic; [`call`](Self::call) acts at once.
pub struct Cx {
    host: Rc<dyn Host>,
    actor: String,
    args: Vec<u8>,
    pub(crate) generation: u64,
    pub(crate) predecessor: Option<Predecessor>,
    pub(crate) turn: Turn,
}

impl fmt::Debug for Cx {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cx")
            .field("actor", &self.actor)
            .field("generation", &self.generation)
            .field("turn", &self.turn)
            .finish_non_exhaustive()
    }
}

/// What it knows.
impl Cx {
    pub(crate) fn new(host: Rc<dyn Host>, actor: String, args: Vec<u8>) -> Self {
        Self { host, actor, args, generation: 0, predecessor: None, turn: Turn::default() }
    }

    pub(crate) fn host(&self) -> &dyn Host {
        &*self.host
    }

    #[cfg(not(target_arch = "wasm32"))]
    pub(crate) fn supervision(&self) -> &dyn crate::supervision::Supervision {
        self.host.supervision()
    }

    /// By its own type, so that only those functions are linked that the plugin calls.
    #[cfg(target_arch = "wasm32")]
    #[allow(clippy::unused_self, reason = "under test it is the host that knows")]
    pub(crate) fn supervision(&self) -> crate::exports::Imports {
        crate::exports::Imports
    }

    /// Name of the actor, unique in its host or cluster.
    #[must_use]
    pub fn actor(&self) -> &str {
        &self.actor
    }

    /// What the actor was started with, as bytes.
    #[must_use]
    pub fn args(&self) -> &[u8] {
        &self.args
    }

    /// What the actor was started with, read as JSON. No arguments at all read as `null`, so that `Option` works.
    ///
    /// # Errors
    /// `bad-args`, with what was expected and where.
    pub fn args_json<T: DeserializeOwned>(&self) -> Result<T, Failure> {
        let args = if self.args.is_empty() { b"null" } else { self.args.as_slice() };
        serde_json::from_slice(args).map_err(|error| Failure::new("bad-args", format!("the arguments: {error}")))
    }

    /// Counts this actor's instances and always rises. 0 during [`init`](crate::Actor::init), where it is not known.
    #[must_use]
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// Where the state comes from that this instance took over; none if it began with a fresh one.
    #[must_use]
    pub fn predecessor(&self) -> Option<&Predecessor> {
        self.predecessor.as_ref()
    }

    /// Name of the actor that sent the message in hand; none if it came from outside.
    #[must_use]
    pub fn sender(&self) -> Option<&str> {
        self.turn.sender.as_deref()
    }

    /// Id of the message in hand, the same when a sender tries again. Empty outside of [`handle`](crate::Actor::handle).
    #[must_use]
    pub fn request_id(&self) -> &str {
        &self.turn.id
    }

    /// Whether someone waits for the reply to the message in hand.
    #[must_use]
    pub fn expects_reply(&self) -> bool {
        self.turn.expects_reply
    }
}

/// What it can ask.
impl Cx {
    /// Writes to the host's log: `cx.log(Level::Info, "delayed", &[("airport", &code), ("minutes", &12)])`.
    pub fn log(&self, level: Level, message: &str, fields: &[(&str, &dyn Display)]) {
        let fields: Vec<_> = fields.iter().map(|(name, value)| ((*name).to_owned(), value.to_string())).collect();
        self.host.log(level, message, &fields);
    }

    /// Writes to the host's log at level `debug`.
    pub fn debug(&self, message: &str) {
        self.log(Level::Debug, message, &[]);
    }

    /// Writes to the host's log at level `info`.
    pub fn info(&self, message: &str) {
        self.log(Level::Info, message, &[]);
    }

    /// Writes to the host's log at level `warn`.
    pub fn warn(&self, message: &str) {
        self.log(Level::Warn, message, &[]);
    }

    /// Writes to the host's log at level `error`.
    pub fn error(&self, message: &str) {
        self.log(Level::Error, message, &[]);
    }

    /// Milliseconds since the Unix epoch.
    #[must_use]
    pub fn now_ms(&self) -> u64 {
        self.host.now_ms()
    }

    /// Bytes from the system's generator.
    #[must_use]
    pub fn random(&self, count: usize) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(count);
        while bytes.len() < count {
            let missing = u32::try_from(count - bytes.len()).unwrap_or(u32::MAX);
            bytes.extend(self.host.random(missing.min(RANDOM_BYTES)));
        }
        bytes
    }

    /// Milliseconds that are left of this turn's time; none where there is no limit.
    #[must_use]
    pub fn remaining_ms(&self) -> Option<u64> {
        self.host.remaining_ms()
    }

    /// Saves the state at the end of this turn: it is durable before the reply and what was sent leave.
    pub fn save(&self) {
        self.host.save();
    }

    /// Sends `message` as JSON to another actor, expecting no reply.
    ///
    /// # Errors
    /// Only what is known at once: a message to an actor that is not there shows as a dead letter later.
    pub fn send<M: Serialize + ?Sized>(&self, to: &str, message: &M) -> Result<(), SendError> {
        let body = serde_json::to_vec(message).map_err(|error| SendError::Encode(error.to_string()))?;
        self.host.send(to, &body)
    }

    /// [`send`](Self::send) with the body as it is.
    ///
    /// # Errors
    /// As there.
    pub fn send_bytes(&self, to: &str, body: &[u8]) -> Result<(), SendError> {
        self.host.send(to, body)
    }

    /// Calls another actor with `message` as JSON, and waits for its reply.
    ///
    /// # Errors
    /// Says whether the message may have been handled. A message or reply that is no JSON of these types is a
    /// [`CallError::Failed`] with the code `not-encodable` or `bad-reply`.
    pub fn call<M, R>(&self, to: &str, message: &M, timeout_ms: u64) -> Result<R, CallError>
    where
        M: Serialize + ?Sized,
        R: DeserializeOwned,
    {
        let failed = |code, error: serde_json::Error| CallError::Failed(Failure::new(code, format!("{to}: {error}")));
        let body = serde_json::to_vec(message).map_err(|error| failed("not-encodable", error))?;
        let reply = self.host.call(to, &body, timeout_ms)?;
        serde_json::from_slice(&reply).map_err(|error| failed("bad-reply", error))
    }

    /// [`call`](Self::call) with message and reply as they are.
    ///
    /// # Errors
    /// As there.
    pub fn call_bytes(&self, to: &str, body: &[u8], timeout_ms: u64) -> Result<Vec<u8>, CallError> {
        self.host.call(to, body, timeout_ms)
    }

    /// Asks for [`timer`](crate::Actor::timer) after so many milliseconds. A timer of the same name is replaced.
    /// Timers are kept with the state: they come due also after a handoff.
    ///
    /// # Errors
    /// The host allows no more timers.
    pub fn set_timer(&self, name: &str, after_ms: u64) -> Result<(), SendError> {
        self.host.set_timer(name, after_ms)
    }

    /// Takes a timer back. Nothing happens if there is none of that name.
    pub fn cancel_timer(&self, name: &str) {
        self.host.cancel_timer(name);
    }

    /// Ends this actor normally after this turn.
    pub fn stop(&self) {
        self.host.stop();
    }
}
