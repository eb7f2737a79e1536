//! The lifecycle of one instance, the same in a plugin and under test.

use std::rc::Rc;

use crate::bindings::baton::actor::types::{
    Context, Description, Handoff, Legacy, Message, Request, Start, State, StopReason,
};
use crate::cx::{Host, Turn};
use crate::supervision::{EXIT, Exit};
use crate::{Actor, Codec, Cx, Failure, Leave, Plugin, Predecessor, Refusal, state};

/// What the host is told of `P`, once, before there is any instance.
pub(crate) fn describe<P: Plugin>() -> Description {
    let (reads_from, reads_to) = P::MIGRATIONS.range(P::SCHEMA);
    let sdk = ("sdk", concat!("baton-guest ", env!("CARGO_PKG_VERSION")));
    let known = P::METADATA.iter().chain([&sdk]).filter(|(_, value)| !value.is_empty());
    Description {
        name: P::NAME.to_owned(),
        version: P::VERSION.to_owned(),
        schema: P::SCHEMA,
        reads_from,
        reads_to,
        messages: P::Codec::MEDIA_TYPE.to_owned(),
        metadata: known.map(|&(name, value)| (name.to_owned(), value.to_owned())).collect(),
    }
}

/// An instance that has been through `init`.
#[doc(hidden)]
#[derive(Debug)]
pub struct Instance<P> {
    pub(crate) actor: P,
    cx: Cx,
    /// Whether `continue` has succeeded: before that there is no state to speak of.
    started: bool,
}

impl<P: Plugin> Instance<P> {
    pub(crate) fn init(host: Rc<dyn Host>, context: Context) -> Result<(Self, Start), Failure> {
        let cx = Cx::new(host, context.actor, context.args);
        let actor = P::init(&cx)?;
        let start = Start { trap_exit: actor.traps_exits(&cx) };
        Ok((Self { actor, cx, started: false }, start))
    }

    /// Takes over what the predecessor left. On a refusal the instance is of no further use.
    pub(crate) fn take_over(&mut self, generation: u64, handoff: Option<Handoff>) -> Result<(), Refusal> {
        self.cx.generation = generation;
        match handoff {
            None => self.actor.started(&self.cx)?,
            Some(Handoff { state, origin, generation, written_by, age_ms }) => {
                self.actor = state::load::<P>(state.schema, &state.data)?;
                let predecessor = Predecessor { schema: state.schema, origin, generation, written_by, age_ms };
                self.actor.resumed(&predecessor, &self.cx)?;
                self.cx.predecessor = Some(predecessor);
            }
        }
        self.started = true;
        Ok(())
    }

    pub(crate) fn handle(&mut self, message: Message) -> Result<Vec<u8>, Failure> {
        self.check_started()?;
        match message {
            Message::Call(request) => self.request(request, true),
            Message::Cast(request) => self.request(request, false),
            Message::Timer(name) => self.actor.timer(&name, &self.cx).map(|()| Vec::new()),
            Message::Down(down) => self.actor.down(&down.actor, &down.reason, &self.cx).map(|()| Vec::new()),
            Message::Other((kind, data)) if kind == EXIT => self.exit(&data),
            Message::Other((kind, data)) => self.actor.other(&kind, &data, &self.cx).map(|()| Vec::new()),
        }
    }

    fn exit(&mut self, data: &[u8]) -> Result<Vec<u8>, Failure> {
        let Exit { actor, reason } = serde_json::from_slice(data).map_err(|error| {
            Failure::new("bad-exit", format!("the end of a linked actor was told wrongly: {error}"))
        })?;
        self.actor.exit(&actor, &reason, &self.cx).map(|()| Vec::new())
    }

    fn request(&mut self, request: Request, expects_reply: bool) -> Result<Vec<u8>, Failure> {
        let Request { id, sender, body } = request;
        let message = P::Codec::decode(&body).map_err(|why| {
            Failure::new("bad-message", format!("{} {} does not take this message: {why}", P::NAME, P::VERSION))
        })?;
        self.cx.turn = Turn { id, sender, expects_reply };
        let result = self.actor.handle(message, &self.cx);
        self.cx.turn = Turn::default();
        let reply = result?;
        // Nobody reads the reply to a cast: it isn't worth its bytes.
        if !expects_reply {
            return Ok(Vec::new());
        }
        P::Codec::encode(reply)
            .map_err(|why| Failure::new("bad-reply", format!("the message was handled; its reply: {why}")))
    }

    pub(crate) fn snapshot(&self) -> Result<Option<State>, Failure> {
        self.check_started()?;
        self.state().map(Some)
    }

    pub(crate) fn terminate(&mut self, reason: &StopReason, budget_ms: Option<u64>) -> Result<Legacy, Failure> {
        self.check_started()?;
        match self.actor.terminate(reason, budget_ms, &self.cx)? {
            Leave::Save => self.state().map(Legacy::Save),
            Leave::Keep => Ok(Legacy::Keep),
            Leave::Forget => Ok(Legacy::Forget),
        }
    }

    fn state(&self) -> Result<State, Failure> {
        Ok(State { schema: <P as Actor>::SCHEMA, data: state::save(&self.actor)? })
    }

    fn check_started(&self) -> Result<(), Failure> {
        if self.started { Ok(()) } else { Err(not_started()) }
    }
}

/// The host called something before `init` and `continue` have succeeded.
pub(crate) fn not_started() -> Failure {
    Failure::new("not-started", "the instance has not been through `init` and `continue`")
}
