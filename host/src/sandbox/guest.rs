//! One live instance of a plugin: a store of its own, its exports, and what its turn has asked for so far.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::OwnedSemaphorePermit;
use wasmtime::component::{ComponentExportIndex, ComponentNamedList, Func, Instance, Lift, Lower, TypedFunc};
use wasmtime::{ResourceLimiter, Store, UpdateDeadline};

use super::program::Program;
use super::wasi::Wasi;
use super::{Effect, GuestEnv, abi, trap};
use crate::model::{
    Crash, CrashKind, Description, Failure, Handoff, Legacy, Message, MessageId, Refusal, State, StopReason,
};

/// How much longer than its deadline a guest may be waited for: it is stopped by the epoch a tick later, and this is for
/// one that waits outside wasm.
const DEADLINE_GRACE: Duration = Duration::from_millis(50);

/// What a call into the guest belongs to.
#[derive(Debug, Clone)]
pub(crate) struct TurnBase {
    /// The ids of what the turn sends are made of this one.
    pub(crate) id: MessageId,
    /// The actor's timers: names, and when they are due.
    pub(crate) timers: Arc<BTreeMap<String, u64>>,
}

impl TurnBase {
    /// For a call that is no turn of an actor.
    pub(crate) fn outside() -> Self {
        Self { id: MessageId::random(), timers: Arc::default() }
    }
}

/// What the engine keeps beside an instance.
pub(super) struct Data {
    pub(super) env: GuestEnv,
    pub(super) wasi: Option<Box<Wasi>>,
    pub(super) turn: Turn,
    pub(super) memory_bytes: usize,
    /// By how much it grew last: taken back if the growth fails after all.
    pub(super) memory_grew: usize,
    /// The limit that the guest met last, with its value: told if a trap follows.
    pub(super) limit_met: Option<String>,
}

/// What the call in progress has asked for.
pub(super) struct Turn {
    pub(super) base: TurnBase,
    pub(super) deadline: Option<Instant>,
    pub(super) effects: Vec<Effect>,
    pub(super) ordinal: u32,
    pub(super) sent: usize,
    pub(super) sent_bytes: usize,
    /// Timers that are new in this turn, and how often it asked for a change of any.
    pub(super) timers_new: BTreeSet<String>,
    pub(super) timer_changes: usize,
    pub(super) demonitors: usize,
    /// Whether it has asked for a checkpoint, and for its end.
    pub(super) saves: bool,
    pub(super) stops: bool,
    pub(super) log_lines: usize,
}

impl Turn {
    fn new(base: TurnBase, deadline: Option<Instant>) -> Self {
        Self {
            base,
            deadline,
            effects: Vec::new(),
            ordinal: 0,
            sent: 0,
            sent_bytes: 0,
            timers_new: BTreeSet::new(),
            timer_changes: 0,
            demonitors: 0,
            saves: false,
            stops: false,
            log_lines: 0,
        }
    }
}

impl ResourceLimiter for Data {
    fn memory_growing(&mut self, current: usize, desired: usize, maximum: Option<usize>) -> wasmtime::Result<bool> {
        if maximum.is_some_and(|maximum| desired > maximum) {
            // Its own module does not allow it: no limit of ours was met.
            return Ok(false);
        }
        let total = self.memory_bytes.saturating_sub(current).saturating_add(desired);
        let limit = self.env.limits.memory_bytes;
        if total > limit {
            self.limit_met = Some(format!("memory_bytes = {limit} (it asked for {total})"));
            return Ok(false);
        }
        self.memory_grew = total - self.memory_bytes;
        self.memory_bytes = total;
        Ok(true)
    }

    fn memory_grow_failed(&mut self, _: wasmtime::Error) -> wasmtime::Result<()> {
        self.memory_bytes -= std::mem::take(&mut self.memory_grew);
        Ok(())
    }

    fn table_growing(&mut self, _: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        let limit = self.env.limits.table_elements;
        if desired > limit {
            self.limit_met = Some(format!("table_elements = {limit} (it asked for {desired})"));
        }
        Ok(desired <= limit)
    }
}

/// The exports of `lifecycle`, looked up once per program.
#[derive(Clone)]
pub(super) struct Exports {
    pub(super) describe: ComponentExportIndex,
    pub(super) init: ComponentExportIndex,
    pub(super) r#continue: ComponentExportIndex,
    pub(super) handle: ComponentExportIndex,
    pub(super) snapshot: ComponentExportIndex,
    pub(super) terminate: ComponentExportIndex,
}

type Answer<T, E> = (Result<T, E>,);

/// The same for one instance: each was checked against the types in [`typed`].
struct Functions {
    describe: Func,
    init: Func,
    r#continue: Func,
    handle: Func,
    snapshot: Func,
    terminate: Func,
}

/// The types of the contract's functions, for arguments of any lifetime.
mod typed {
    use super::{Answer, abi};

    pub(super) type Describe = ((), (abi::Description,));
    pub(super) type Init<'a> = ((abi::Context<'a>,), Answer<abi::Start, abi::Failure>);
    pub(super) type Continue<'a> = ((u64, Option<abi::Handoff<'a>>), Answer<(), abi::Refusal>);
    pub(super) type Handle<'a> = ((abi::Message<'a>,), Answer<Vec<u8>, abi::Failure>);
    pub(super) type Snapshot = ((), Answer<Option<abi::StateOut>, abi::Failure>);
    pub(super) type Terminate<'a> = ((abi::StopReason<'a>, Option<u64>), Answer<abi::Legacy, abi::Failure>);
}

/// A function's parameters and results, as one type.
trait Signature {
    type Params: ComponentNamedList + Lower + Send + Sync;
    type Results: ComponentNamedList + Lift + Send + Sync + 'static;
}

impl<P, R> Signature for (P, R)
where
    P: ComponentNamedList + Lower + Send + Sync,
    R: ComponentNamedList + Lift + Send + Sync + 'static,
{
    type Params = P;
    type Results = R;
}

impl Functions {
    fn new(store: &mut Store<Data>, instance: &Instance, exports: &Exports) -> wasmtime::Result<Self> {
        fn check<S: Signature<Params: 'static>>(
            store: &mut Store<Data>,
            instance: &Instance,
            export: &ComponentExportIndex,
        ) -> wasmtime::Result<Func> {
            instance.get_typed_func::<S::Params, S::Results>(store, export).map(|function| *function.func())
        }
        Ok(Self {
            describe: check::<typed::Describe>(store, instance, &exports.describe)?,
            init: check::<typed::Init<'static>>(store, instance, &exports.init)?,
            r#continue: check::<typed::Continue<'static>>(store, instance, &exports.r#continue)?,
            handle: check::<typed::Handle<'static>>(store, instance, &exports.handle)?,
            snapshot: check::<typed::Snapshot>(store, instance, &exports.snapshot)?,
            terminate: check::<typed::Terminate<'static>>(store, instance, &exports.terminate)?,
        })
    }
}

/// One live instance. After a crash it is of no more use, and is to be dropped.
pub(crate) struct Guest {
    store: Store<Data>,
    functions: Functions,
    limits: Arc<crate::model::Limits>,
    place: OwnedSemaphorePermit,
}

impl std::fmt::Debug for Guest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Guest").field("actor", &self.store.data().env.actor).finish_non_exhaustive()
    }
}

impl Guest {
    /// Makes an instance of `program`; its own start code runs within `within`.
    pub(super) async fn new(program: &Program, env: GuestEnv, within: Duration) -> Result<Self, Crash> {
        let limits = env.limits.clone();
        let place = program.places().take(env.place, within).await?;
        let base = TurnBase::outside();
        let wasi = program.uses_wasi().then(|| Box::new(Wasi::new(&env.actor, limits.turn_log_lines)));
        let data = Data {
            env,
            wasi,
            turn: Turn::new(base, Some(Instant::now() + within)),
            memory_bytes: 0,
            memory_grew: 0,
            limit_met: None,
        };
        let mut store = Store::new(program.engine(), data);
        store.limiter(|data| data);
        store.set_epoch_deadline(1);
        store.epoch_deadline_callback(|context| {
            let deadline = context.data().turn.deadline;
            if deadline.is_some_and(|deadline| Instant::now() > deadline) {
                return Err(trap::DeadlinePassed.into());
            }
            Ok(UpdateDeadline::Yield(1))
        });
        let instantiated = tokio::time::timeout(within + DEADLINE_GRACE, program.pre().instantiate_async(&mut store));
        let instance = match instantiated.await {
            Ok(Ok(instance)) => instance,
            Ok(Err(error)) => return Err(trap::crash("start", &error, store.data(), Some(within))),
            Err(_) => return Err(trap::timeout("start", Some(within))),
        };
        let functions = Functions::new(&mut store, &instance, program.exports())
            .map_err(|error| trap::contract("start", &error))?;
        Ok(Self { store, functions, limits, place })
    }

    /// Takes the place of `before` among the actors' instances, and leaves it its own.
    pub(crate) fn take_place_of(&mut self, before: &mut Self) {
        std::mem::swap(&mut self.place, &mut before.place);
    }

    /// From now on nobody takes its calls: it is no actor's any more.
    pub(crate) fn detach(&mut self, nobody: Arc<dyn super::Outside>) {
        self.store.data_mut().env.outside = nobody;
    }

    fn begin(&mut self, base: TurnBase, within: Option<Duration>) {
        let deadline = within.map(|within| Instant::now() + within);
        let data = self.store.data_mut();
        // Effects that were not taken stay: those of `init` wait for `continue`.
        let effects = std::mem::take(&mut data.turn.effects);
        let timers_new = std::mem::take(&mut data.turn.timers_new);
        data.turn = Turn::new(base, deadline);
        if !effects.is_empty() {
            (data.turn.effects, data.turn.timers_new) = (effects, timers_new);
        }
        data.limit_met = None;
        if let Some(wasi) = &data.wasi {
            wasi.new_turn();
        }
        self.store.set_epoch_deadline(1);
    }

    /// What the calls since the last time asked for, in order.
    pub(crate) fn take_effects(&mut self) -> Vec<Effect> {
        let turn = &mut self.store.data_mut().turn;
        // The actor's timers are about to change: this was only a look at them.
        turn.base.timers = Arc::default();
        std::mem::take(&mut turn.effects)
    }

    /// Calls an export within a deadline, and tells a crash from an answer.
    async fn call<S: Signature>(
        &mut self,
        during: &str,
        function: Func,
        args: S::Params,
        within: Option<Duration>,
        base: TurnBase,
    ) -> Result<S::Results, Crash> {
        self.begin(base, within);
        #[allow(unsafe_code)]
        // SAFETY: `Functions::new` checked this function against the same signature; the lifetimes of what the arguments
        // borrow are no part of it.
        let function = unsafe { TypedFunc::<S::Params, S::Results>::new_unchecked(function) };
        let called = function.call_async(&mut self.store, args);
        let waited = match within {
            Some(within) => tokio::time::timeout(within + DEADLINE_GRACE, called).await,
            None => Ok(called.await),
        };
        match waited {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) => Err(trap::crash(during, &error, self.store.data(), within)),
            Err(_) => Err(trap::timeout(during, within)),
        }
    }

    fn turn_timeout(&self) -> Option<Duration> {
        Some(Duration::from_millis(self.limits.turn_timeout_ms))
    }

    pub(super) async fn describe(&mut self, base: TurnBase) -> Result<Description, Crash> {
        let answer =
            self.call::<typed::Describe>("describe", self.functions.describe, (), self.turn_timeout(), base).await?.0;
        super::program::checked(answer)
    }

    /// Whether `terminate` is to be called at a stop.
    pub(crate) async fn init(&mut self, args: &[u8], base: TurnBase) -> Result<Result<bool, Failure>, Crash> {
        let within = Some(Duration::from_millis(self.limits.start_timeout_ms));
        let actor = self.store.data().env.actor.clone();
        let context = abi::Context { actor: actor.as_str(), args };
        let answer = self.call::<typed::Init<'_>>("init", self.functions.init, (context,), within, base).await?.0;
        Ok(answer.map(|start| start.trap_exit).map_err(Into::into))
    }

    pub(crate) async fn r#continue(
        &mut self,
        generation: u64,
        handoff: Option<&Handoff>,
        base: TurnBase,
    ) -> Result<Result<(), Refusal>, Crash> {
        let within = Some(Duration::from_millis(self.limits.continue_timeout_ms));
        let args = (generation, handoff.map(Into::into));
        let answer =
            self.call::<typed::Continue<'_>>("continue", self.functions.r#continue, args, within, base).await?.0;
        Ok(answer.map_err(Into::into))
    }

    pub(crate) async fn handle(
        &mut self,
        message: &Message,
        base: TurnBase,
    ) -> Result<Result<Vec<u8>, Failure>, Crash> {
        let answer = self
            .call::<typed::Handle<'_>>("handle", self.functions.handle, (message.into(),), self.turn_timeout(), base)
            .await?
            .0;
        if let Ok(reply) = &answer
            && reply.len() > self.limits.message_bytes
        {
            let (bytes, limit) = (reply.len(), self.limits.message_bytes);
            let message = format!("a reply of {bytes} bytes went past the limit message_bytes = {limit}");
            return Err(Crash { kind: CrashKind::Limit, during: "handle".into(), message, backtrace: Vec::new() });
        }
        Ok(answer.map_err(Into::into))
    }

    pub(crate) async fn snapshot(&mut self, base: TurnBase) -> Result<Result<Option<State>, Failure>, Crash> {
        let answer =
            self.call::<typed::Snapshot>("snapshot", self.functions.snapshot, (), self.turn_timeout(), base).await?.0;
        Ok(answer.map(|state| state.map(Into::into)).map_err(Into::into))
    }

    /// The last call. `within` is what the guest is told and held to; none: no limit.
    pub(crate) async fn terminate(
        &mut self,
        reason: &StopReason,
        within: Option<Duration>,
        base: TurnBase,
    ) -> Result<Result<Legacy, Failure>, Crash> {
        let told = within.map(|within| u64::try_from(within.as_millis()).unwrap_or(u64::MAX));
        let answer = self
            .call::<typed::Terminate<'_>>("terminate", self.functions.terminate, (reason.into(), told), within, base)
            .await?
            .0;
        Ok(answer.map(Into::into).map_err(Into::into))
    }
}
