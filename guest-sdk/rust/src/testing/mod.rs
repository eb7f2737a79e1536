//! Tests of a plugin without Wasm or a host: an actor runs natively under plain `cargo test`, through the same code
//! that its exports run through, so that messages are decoded, states encoded, migrated and checked as they will be.
//!
//! ```
//! # use baton_guest::{Actor, Cx, Failure, plugin};
//! # #[derive(serde::Serialize, serde::Deserialize)]
//! # struct Counter { count: u64 }
//! # impl Actor for Counter {
//! #     type Message = u64;
//! #     type Reply = u64;
//! #     const SCHEMA: u32 = 1;
//! #     fn init(_: &Cx) -> Result<Self, Failure> { Ok(Self { count: 0 }) }
//! #     fn handle(&mut self, add: u64, _: &Cx) -> Result<u64, Failure> { self.count += add; Ok(self.count) }
//! # }
//! # plugin!(Counter);
//! use baton_guest::testing::Harness;
//!
//! let mut actor = Harness::<Counter>::start("counter/1", "").unwrap();
//! assert_eq!(actor.call::<u64>(&3), Ok(3));
//! let handover = actor.terminate().unwrap();
//! let mut next = Harness::<Counter>::resume(handover).unwrap();
//! assert_eq!(next.call::<u64>(&1), Ok(4));
//! ```

mod handover;
mod layout;
mod layouts;
mod recorder;
mod supervised;

use std::collections::BTreeMap;
use std::fmt;
use std::rc::Rc;

use serde::Serialize;
use serde::de::DeserializeOwned;

pub use self::handover::Handover;
pub use self::layout::layout;
pub use self::layouts::{assert_layouts, layouts};
pub use self::recorder::{Called, Logged, Sent};
use self::recorder::{Recorder, World};
pub use self::supervised::Asked;
use crate::bindings::baton::actor::types::{Context, Down, Handoff, Legacy, Message, Request, State};
use crate::instance::{self, Instance};
use crate::{CallError, Description, Failure, Origin, Plugin, Refusal, StopReason, state};

/// Why an actor under test did not start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StartError {
    /// [`Actor::init`](crate::Actor::init) failed.
    Init(Failure),
    /// The state was not taken over.
    Refused(Refusal),
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Init(failure) => write!(f, "init failed: {}: {}", failure.code, failure.message),
            Self::Refused(refusal) => write!(f, "the state was not taken over: {refusal}"),
        }
    }
}

impl std::error::Error for StartError {}

/// What an actor left when it was told to stop.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Left {
    /// Its state, for [`Harness::resume`].
    Saved(Handover),
    /// What the store had before.
    Kept,
    /// Nothing.
    Forgotten,
}

/// An actor under test.
///
/// What it sends or sets is recorded whether the turn fails or not, as a host would let it leave. A panic in the actor
/// is a panic in the test. The clock stands still until the test moves it.
#[derive(Debug)]
pub struct Harness<P> {
    instance: Instance<P>,
    host: Rc<Recorder>,
    name: String,
    args: Vec<u8>,
    generation: u64,
    trap_exit: bool,
    requests: u64,
}

/// Starting and ending.
impl<P: Plugin> Harness<P> {
    /// What the host is told of the plugin.
    #[must_use]
    pub fn describe() -> Description {
        instance::describe::<P>()
    }

    /// Starts an actor that has left nothing before.
    ///
    /// # Errors
    /// It fails in `init` or `started`.
    pub fn start(name: &str, args: impl AsRef<[u8]>) -> Result<Self, StartError> {
        Self::begin(name, args.as_ref(), 1, World::default(), None)
    }

    /// Starts the replacement of an actor that has ended, perhaps of another version of the plugin.
    ///
    /// # Errors
    /// It fails in `init`, or refuses the state.
    pub fn resume(handover: Handover) -> Result<Self, StartError> {
        let Handover { name, args, schema, data, origin, generation, written_by, age_ms, timers, now_ms } = handover;
        let world = World { now_ms: now_ms.saturating_add(age_ms), timers, ..World::default() };
        let state = State { schema, data };
        let handoff = Handoff { state, origin, generation, written_by, age_ms };
        Self::begin(&name, &args, generation + 1, world, Some(handoff))
    }

    fn begin(
        name: &str,
        args: &[u8],
        generation: u64,
        world: World,
        handoff: Option<Handoff>,
    ) -> Result<Self, StartError> {
        let host = Rc::new(Recorder::new(world));
        let context = Context { actor: name.to_owned(), args: args.to_vec() };
        let (mut instance, start) = Instance::init(Rc::<Recorder>::clone(&host), context).map_err(StartError::Init)?;
        instance.take_over(generation, handoff).map_err(StartError::Refused)?;
        let (name, args, trap_exit) = (name.to_owned(), args.to_vec(), start.trap_exit);
        Ok(Self { instance, host, name, args, generation, trap_exit, requests: 0 })
    }

    /// Tells the actor to stop because its host shuts down, and gives what its replacement will be handed.
    ///
    /// # Errors
    /// Its own failure, or `nothing-saved` if it did not leave its state.
    pub fn terminate(self) -> Result<Handover, Failure> {
        match self.stop(StopReason::Shutdown, None)? {
            Left::Saved(handover) => Ok(handover),
            left => Err(Failure::new("nothing-saved", format!("the actor left its state as {left:?}"))),
        }
    }

    /// Tells the actor to stop.
    ///
    /// # Errors
    /// Its own failure: what is in the store would stay as it was.
    pub fn stop(mut self, reason: StopReason, budget_ms: Option<u64>) -> Result<Left, Failure> {
        Ok(match self.instance.terminate(&reason, budget_ms)? {
            Legacy::Save(state) => Left::Saved(self.handover(state, Origin::Terminated(reason))),
            Legacy::Keep => Left::Kept,
            Legacy::Forget => Left::Forgotten,
        })
    }

    /// What a replacement would be handed if the actor ended as `origin` says, the actor going on.
    ///
    /// # Errors
    /// The state cannot be written.
    pub fn snapshot(&self, origin: Origin) -> Result<Handover, Failure> {
        match self.instance.snapshot()? {
            Some(state) => Ok(self.handover(state, origin)),
            None => Err(Failure::new("nothing-saved", "the actor has nothing worth keeping")),
        }
    }

    fn handover(&self, state: State, origin: Origin) -> Handover {
        check_round_trip::<P>(&state);
        let world = self.host.world();
        Handover {
            name: self.name.clone(),
            args: self.args.clone(),
            schema: state.schema,
            data: state.data,
            origin,
            generation: self.generation,
            written_by: P::VERSION.to_owned(),
            age_ms: 0,
            timers: world.timers.clone(),
            now_ms: world.now_ms,
        }
    }
}

/// Messages.
impl<P: Plugin> Harness<P> {
    /// Calls the actor with a message as JSON, such as `json!({"add": 3})` or the message itself where it implements
    /// `Serialize`, and reads its reply.
    ///
    /// # Errors
    /// Its failure.
    ///
    /// # Panics
    /// The message is no JSON, or the reply is not what the test expects.
    pub fn call<R: DeserializeOwned>(&mut self, message: &(impl Serialize + ?Sized)) -> Result<R, Failure> {
        let reply = self.call_bytes(&json(message))?;
        Ok(serde_json::from_slice(&reply).unwrap_or_else(|error| {
            panic!("the reply {} is not what the test expects: {error}", String::from_utf8_lossy(&reply))
        }))
    }

    /// Calls the actor with a body as it is.
    ///
    /// # Errors
    /// Its failure.
    pub fn call_bytes(&mut self, body: &[u8]) -> Result<Vec<u8>, Failure> {
        let request = self.request(None, body);
        self.instance.handle(Message::Call(request))
    }

    /// Calls the actor as another actor would.
    ///
    /// # Errors
    /// Its failure.
    pub fn call_from(&mut self, sender: &str, body: &[u8]) -> Result<Vec<u8>, Failure> {
        let request = self.request(Some(sender), body);
        self.instance.handle(Message::Call(request))
    }

    /// Sends the actor a message as JSON that expects no reply.
    ///
    /// # Errors
    /// Its failure, which a host would only log.
    ///
    /// # Panics
    /// The message is no JSON.
    pub fn cast(&mut self, message: &(impl Serialize + ?Sized)) -> Result<(), Failure> {
        let request = self.request(None, &json(message));
        self.instance.handle(Message::Cast(request)).map(drop)
    }

    /// Makes a timer come due now.
    ///
    /// # Errors
    /// The actor's failure, or `no-such-timer` if it has not set it.
    pub fn fire_timer(&mut self, name: &str) -> Result<(), Failure> {
        if self.host.world().timers.remove(name).is_none() {
            let set = self.timers();
            return Err(Failure::new("no-such-timer", format!("{name:?} is not among {:?}", set.keys())));
        }
        self.instance.handle(Message::Timer(name.to_owned())).map(drop)
    }

    /// Moves the clock on, and makes the timers that come due meanwhile fire in their order, each at its time.
    ///
    /// # Errors
    /// The first failure; the clock stands at that timer's time.
    pub fn advance_ms(&mut self, by_ms: u64) -> Result<(), Failure> {
        let until_ms = self.now_ms().saturating_add(by_ms);
        while let Some((name, due_ms)) = self.host.next_timer(until_ms) {
            self.set_now_ms(due_ms.max(self.now_ms()));
            self.fire_timer(&name)?;
        }
        self.set_now_ms(until_ms);
        Ok(())
    }

    /// Tells the actor that one it monitors has ended.
    ///
    /// # Errors
    /// Its failure.
    pub fn down(&mut self, actor: &str, reason: &str) -> Result<(), Failure> {
        let down = Down { actor: actor.to_owned(), reason: reason.to_owned() };
        self.instance.handle(Message::Down(down)).map(drop)
    }

    fn request(&mut self, sender: Option<&str>, body: &[u8]) -> Request {
        self.requests += 1;
        Request { id: format!("test-{}", self.requests), sender: sender.map(str::to_owned), body: body.to_vec() }
    }
}

/// What the test sets, and what it sees.
impl<P: Plugin> Harness<P> {
    /// The state as it stands.
    #[must_use]
    pub fn state(&self) -> &P {
        &self.instance.actor
    }

    /// The clock: milliseconds since the Unix epoch.
    #[must_use]
    pub fn now_ms(&self) -> u64 {
        self.host.world().now_ms
    }

    /// Sets the clock. No timer fires.
    pub fn set_now_ms(&mut self, now_ms: u64) {
        self.host.world().now_ms = now_ms;
    }

    /// Sets what [`Cx::remaining_ms`](crate::Cx::remaining_ms) tells.
    pub fn set_remaining_ms(&mut self, remaining_ms: Option<u64>) {
        self.host.world().remaining_ms = remaining_ms;
    }

    /// Lets the next call to `actor` that has no answer yet be answered with `reply` as JSON. A call without an answer
    /// gets [`CallError::UnknownActor`].
    ///
    /// # Panics
    /// The reply is no JSON.
    pub fn answer(&mut self, actor: &str, reply: &(impl Serialize + ?Sized)) {
        self.host.answer(actor, Ok(json(reply)));
    }

    /// Lets the next call to `actor` that has no answer yet fail.
    pub fn answer_error(&mut self, actor: &str, error: CallError) {
        self.host.answer(actor, Err(error));
    }

    /// Lets the host refuse whatever the actor sends or sets from now on; `None` ends that.
    pub fn refuse_sends(&mut self, error: Option<crate::SendError>) {
        self.host.world().refusal = error;
    }

    /// What the actor has sent since this was asked last.
    #[must_use]
    pub fn sent(&mut self) -> Vec<Sent> {
        std::mem::take(&mut self.host.world().sent)
    }

    /// The calls that the actor has made since this was asked last.
    #[must_use]
    pub fn called(&mut self) -> Vec<Called> {
        std::mem::take(&mut self.host.world().called)
    }

    /// What the actor has logged since this was asked last.
    #[must_use]
    pub fn logged(&mut self) -> Vec<Logged> {
        std::mem::take(&mut self.host.world().logged)
    }

    /// The timers that are set, by name, with the time at which they come due.
    #[must_use]
    pub fn timers(&self) -> BTreeMap<String, u64> {
        self.host.world().timers.clone()
    }

    /// How often the actor has asked to be saved.
    #[must_use]
    pub fn saves(&self) -> u64 {
        self.host.world().saves
    }

    /// Whether the actor has asked to stop.
    #[must_use]
    pub fn stopped(&self) -> bool {
        self.host.world().stopped
    }
}

fn json(message: &(impl Serialize + ?Sized)) -> Vec<u8> {
    serde_json::to_vec(message).unwrap_or_else(|error| panic!("the test's message is no JSON: {error}"))
}

/// A state that is written but does not read back is the kind of error that shows only at the next start: found here.
fn check_round_trip<P: Plugin>(written: &State) {
    let again = state::load::<P>(written.schema, &written.data)
        .unwrap_or_else(|refusal| panic!("the actor's own state does not read back: {refusal}"));
    let bytes = state::save(&again).unwrap_or_else(|failure| panic!("{}", failure.message));
    // Lengths alone: a HashMap may come in another order.
    assert_eq!(
        bytes.len(),
        written.data.len(),
        "the actor's state reads back as another one: is there an attribute of serde that postcard can't carry?"
    );
}

#[cfg(test)]
mod tests;
