//! The component's exports and imports: the only part that differs from what a native test runs.

use std::marker::PhantomData;
use std::rc::Rc;
use std::sync::Once;

use crate::bindings::baton::actor::types::{
    Context, Description, Failure, Handoff, Legacy, Message, Refusal, Start, State, StopReason,
};
use crate::bindings::baton::actor::{host, supervision};
use crate::bindings::exports::baton::actor::lifecycle::Guest;
use crate::cx::Host;
use crate::instance::{self, Instance};
use crate::supervision::{ChildInfo, ChildSpec, Counts, Phase, Supervision, SupervisionError};
use crate::{CallError, Level, Plugin, SendError};

/// Where the one instance of a component lives.
pub trait Slot: Plugin {
    /// Runs `f` on it.
    fn with<R>(f: impl FnOnce(&mut Option<Instance<Self>>) -> R) -> R;
}

/// The exports of `P`.
#[derive(Debug)]
pub struct Exports<P>(PhantomData<P>);

impl<P: Slot> Guest for Exports<P> {
    fn describe() -> Description {
        log_panics();
        instance::describe::<P>()
    }

    fn init(context: Context) -> Result<Start, Failure> {
        log_panics();
        let (instance, start) = Instance::init(Rc::new(Imports), context)?;
        P::with(|slot| *slot = Some(instance));
        Ok(start)
    }

    fn continue_(generation: u64, handoff: Option<Handoff>) -> Result<(), Refusal> {
        P::with(|slot| match slot {
            Some(instance) => instance.take_over(generation, handoff),
            None => Err(Refusal::Other(instance::not_started().message)),
        })
    }

    fn handle(message: Message) -> Result<Vec<u8>, Failure> {
        P::with(|slot| slot.as_mut().ok_or_else(instance::not_started)?.handle(message))
    }

    fn snapshot() -> Result<Option<State>, Failure> {
        P::with(|slot| slot.as_ref().ok_or_else(instance::not_started)?.snapshot())
    }

    fn terminate(reason: StopReason, budget_ms: Option<u64>) -> Result<Legacy, Failure> {
        P::with(|slot| slot.as_mut().ok_or_else(instance::not_started)?.terminate(&reason, budget_ms))
    }
}

/// Hands what a panic says to the host's log: on this target it would be lost, and the trap that follows says nothing.
fn log_panics() {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        std::panic::set_hook(Box::new(|panic| {
            let message = panic.payload_as_str().unwrap_or("(a value that is no text)");
            let location = panic.location().map_or_else(String::new, ToString::to_string);
            host::log(Level::Error, &format!("panic: {message}"), &[("location".to_owned(), location)]);
        }));
    });
}

/// The host, by its imports.
pub(crate) struct Imports;

impl Host for Imports {
    fn log(&self, level: Level, message: &str, fields: &[(String, String)]) {
        host::log(level, message, fields);
    }

    fn now_ms(&self) -> u64 {
        host::now_ms()
    }

    fn random(&self, count: u32) -> Vec<u8> {
        host::random(count)
    }

    fn remaining_ms(&self) -> Option<u64> {
        host::remaining_ms()
    }

    fn save(&self) {
        host::save();
    }

    fn send(&self, to: &str, body: &[u8]) -> Result<(), SendError> {
        host::send(to, body).map_err(Into::into)
    }

    fn call(&self, to: &str, body: &[u8], timeout_ms: u64) -> Result<Vec<u8>, CallError> {
        host::call(to, body, timeout_ms)
    }

    fn set_timer(&self, name: &str, after_ms: u64) -> Result<(), SendError> {
        host::set_timer(name, after_ms).map_err(Into::into)
    }

    fn cancel_timer(&self, name: &str) {
        host::cancel_timer(name);
    }

    fn monitor(&self, actor: &str) -> Result<(), SendError> {
        host::monitor(actor).map_err(Into::into)
    }

    fn demonitor(&self, actor: &str) {
        host::demonitor(actor);
    }

    fn stop(&self) {
        host::stop();
    }
}

impl Supervision for Imports {
    fn start_child(&self, supervisor: Option<&str>, child: &ChildSpec) -> Result<(), SupervisionError> {
        supervision::start_child(supervisor, child)
    }

    fn terminate_child(&self, child: &str) -> Result<(), SupervisionError> {
        supervision::terminate_child(child)
    }

    fn restart_child(&self, child: &str) -> Result<(), SupervisionError> {
        supervision::restart_child(child)
    }

    fn delete_child(&self, child: &str) -> Result<(), SupervisionError> {
        supervision::delete_child(child)
    }

    fn which_children(&self, supervisor: Option<&str>) -> Result<Vec<ChildInfo>, SupervisionError> {
        supervision::which_children(supervisor)
    }

    fn count_children(&self, supervisor: Option<&str>) -> Result<Counts, SupervisionError> {
        supervision::count_children(supervisor)
    }

    fn whereis(&self, actor: &str) -> Option<Phase> {
        supervision::whereis(actor)
    }

    fn members(&self, group: &str) -> Result<Vec<String>, SupervisionError> {
        supervision::members(group)
    }

    fn attribute(&self, actor: &str, key: &str) -> Option<String> {
        supervision::attribute(actor, key)
    }

    fn having(&self, key: &str, value: &str) -> Result<Vec<String>, SupervisionError> {
        supervision::having(key, value)
    }

    fn link(&self, actor: &str) -> Result<(), SendError> {
        supervision::link(actor).map_err(Into::into)
    }

    fn unlink(&self, actor: &str) -> Result<(), SendError> {
        supervision::unlink(actor).map_err(Into::into)
    }

    fn exit(&self, actor: &str, reason: &str) -> Result<(), SendError> {
        supervision::exit(actor, reason).map_err(Into::into)
    }

    fn join(&self, group: &str) -> Result<(), SendError> {
        supervision::join(group).map_err(Into::into)
    }

    fn leave(&self, group: &str) -> Result<(), SendError> {
        supervision::leave(group).map_err(Into::into)
    }

    fn dispatch(&self, group: &str, body: &[u8]) -> Result<(), SendError> {
        supervision::dispatch(group, body).map_err(Into::into)
    }

    fn set_attribute(&self, key: &str, value: Option<&str>) -> Result<(), SendError> {
        supervision::set_attribute(key, value).map_err(Into::into)
    }
}
