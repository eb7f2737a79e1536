//! What a plugin exports.

use wasmtime::Store;
use wasmtime::component::Instance;

use super::types;
use crate::model::{Crash, Failure, Handoff, Legacy, Message, Refusal, State};
use crate::sandbox::description::Described;
use crate::sandbox::guest::{Call, Data, Exports};
use crate::sandbox::unchecked::{Checked, Signature};

/// The functions of `lifecycle` of one instance.
pub(in crate::sandbox) struct Functions {
    describe: Checked<Describe>,
    init: Checked<Init>,
    r#continue: Checked<Continue>,
    handle: Checked<Handle>,
    snapshot: Checked<Snapshot>,
    terminate: Checked<Terminate>,
}

type Answer<T, E> = (Result<T, E>,);

macro_rules! signatures {
    ($($name:ident($($param:ty),*) -> $results:ty;)*) => {
        $(struct $name;
        impl Signature for $name {
            type Params<'a> = ($($param,)*);
            type Results = $results;
        })*
    };
}
signatures! {
    Describe() -> (types::Description,);
    Init(types::Context<'a>) -> Answer<types::Start, types::Failure>;
    Continue(u64, Option<types::Handoff<'a>>) -> Answer<(), types::Refusal>;
    Handle(types::Message<'a>) -> Answer<Vec<u8>, types::Failure>;
    Snapshot() -> Answer<Option<types::StateOut>, types::Failure>;
    Terminate(types::StopReason<'a>, Option<u64>) -> Answer<types::Legacy, types::Failure>;
}

impl Functions {
    pub(super) fn new(store: &mut Store<Data>, instance: &Instance, exports: &Exports) -> wasmtime::Result<Self> {
        Ok(Self {
            describe: Checked::new(store, instance, &exports.describe)?,
            init: Checked::new(store, instance, &exports.init)?,
            r#continue: Checked::new(store, instance, &exports.r#continue)?,
            handle: Checked::new(store, instance, &exports.handle)?,
            snapshot: Checked::new(store, instance, &exports.snapshot)?,
            terminate: Checked::new(store, instance, &exports.terminate)?,
        })
    }

    pub(in crate::sandbox) async fn describe(&self, call: Call<'_>) -> Result<Described, Crash> {
        Ok(call.run(self.describe.typed(), ()).await?.0.into())
    }

    /// Whether `terminate` is to be called at a stop.
    pub(in crate::sandbox) async fn init(
        &self,
        call: Call<'_>,
        actor: &str,
        args: &[u8],
    ) -> Result<Result<bool, Failure>, Crash> {
        let answer = call.run(self.init.typed(), (types::Context { actor, args },)).await?.0;
        Ok(answer.map(|start| start.trap_exit).map_err(Into::into))
    }

    pub(in crate::sandbox) async fn r#continue(
        &self,
        call: Call<'_>,
        generation: u64,
        handoff: Option<&Handoff>,
    ) -> Result<Result<(), Refusal>, Crash> {
        let answer = call.run(self.r#continue.typed(), (generation, handoff.map(Into::into))).await?.0;
        Ok(answer.map_err(Into::into))
    }

    pub(in crate::sandbox) async fn handle(
        &self,
        call: Call<'_>,
        message: &Message,
    ) -> Result<Result<Vec<u8>, Failure>, Crash> {
        let answer = call.run(self.handle.typed(), (message.into(),)).await?.0;
        Ok(answer.map_err(Into::into))
    }

    pub(in crate::sandbox) async fn snapshot(&self, call: Call<'_>) -> Result<Result<Option<State>, Failure>, Crash> {
        let answer = call.run(self.snapshot.typed(), ()).await?.0;
        Ok(answer.map(|state| state.map(Into::into)).map_err(Into::into))
    }

    /// `reason` is one of the model's words, or another: what this version has no case for is told as it is.
    pub(in crate::sandbox) async fn terminate(
        &self,
        call: Call<'_>,
        reason: &str,
        budget_ms: Option<u64>,
    ) -> Result<Result<Legacy, Failure>, Crash> {
        let reason = types::StopReason::named(reason);
        let answer = call.run(self.terminate.typed(), (reason, budget_ms)).await?.0;
        Ok(answer.map(Into::into).map_err(Into::into))
    }
}
