//! One live instance of a plugin: a store of its own, its exports, and what its turn has asked for so far.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::OwnedSemaphorePermit;
use wasmtime::component::{ComponentExportIndex, ComponentNamedList, Instance, Lift, Lower, TypedFunc};
use wasmtime::{Store, UpdateDeadline};

use super::contract::Version;
use super::limiter::Share;
use super::pace::{self, Beside, Pace};
use super::program::Program;
use super::unchecked::{Checked, Signature};
use super::wasi::Wasi;
use super::{Effect, GuestEnv, Sandbox, abi, trap};
use crate::model::{
    Crash, CrashKind, Description, Failure, Handoff, Legacy, LimitMet, Limits, Message, MessageId, Refusal, State,
    StopReason,
};

/// How much longer than its deadline a guest may be waited for: it is stopped by the epoch a tick later, and this is for
/// one that waits outside wasm.
const DEADLINE_GRACE: Duration = Duration::from_millis(50);

/// What an answer, or what a guest hands to the host in one call, may hold beside a body or a state, in bytes: names, texts
/// and lists.
const COPIED_BYTES: usize = 1 << 20;
/// An instance with more memory than this takes a while to let go of, in bytes.
const LARGE_BYTES: usize = 4 << 20;

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
    /// What it has of what all guests share.
    pub(super) share: Share,
    pub(super) pace: Arc<Pace>,
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
    /// Calls of others, and what it asked of the supervision tree.
    pub(super) calls: usize,
}

impl Data {
    /// What the guest has written without an end of line is told.
    fn end_of_turn(&self) {
        if let Some(wasi) = &self.wasi {
            wasi.end_of_turn();
        }
    }
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
            calls: 0,
        }
    }
}

/// The clock ticks while the guest computes: it ends here, or gives way.
fn tick(data: &Data) -> wasmtime::Result<UpdateDeadline> {
    if data.turn.deadline.is_some_and(|deadline| Instant::now() > deadline) {
        return Err(trap::DeadlinePassed.into());
    }
    let limit = data.env.limits.turn_guest_ms;
    if data.pace.computed() > Duration::from_millis(limit) {
        return Err(trap::ComputedTooLong(limit).into());
    }
    data.pace.yields();
    Ok(UpdateDeadline::Yield(1))
}

/// Fuel for one call. Only what counts it was compiled to; to the others it is nothing.
fn set_fuel(store: &mut Store<Data>, limits: &Limits) {
    if limits.turn_fuel > 0
        && let Err(error) = store.set_fuel(limits.turn_fuel)
    {
        tracing::error!(%error, "fuel is not counted");
    }
}

fn is_large(store: &Store<Data>) -> bool {
    store.data().share.memory_bytes() > LARGE_BYTES
}

/// The exports of `lifecycle`, looked up once per program.
#[derive(Clone)]
pub(super) struct Exports {
    pub(super) version: &'static Version,
    pub(super) describe: ComponentExportIndex,
    pub(super) init: ComponentExportIndex,
    pub(super) r#continue: ComponentExportIndex,
    pub(super) handle: ComponentExportIndex,
    pub(super) snapshot: ComponentExportIndex,
    pub(super) terminate: ComponentExportIndex,
}

/// The same for one instance.
struct Functions {
    describe: Checked<typed::Describe>,
    init: Checked<typed::Init>,
    r#continue: Checked<typed::Continue>,
    handle: Checked<typed::Handle>,
    snapshot: Checked<typed::Snapshot>,
    terminate: Checked<typed::Terminate>,
}

/// The types of the contract's functions.
mod typed {
    use super::{Signature, abi};

    type Answer<T, E> = (Result<T, E>,);

    macro_rules! signatures {
        ($($name:ident($($param:ty),*) -> $results:ty;)*) => {
            $(pub(super) struct $name;
            impl Signature for $name {
                type Params<'a> = ($($param,)*);
                type Results = $results;
            })*
        };
    }
    signatures! {
        Describe() -> (abi::Description,);
        Init(abi::Context<'a>) -> Answer<abi::Start, abi::Failure>;
        Continue(u64, Option<abi::Handoff<'a>>) -> Answer<(), abi::Refusal>;
        Handle(abi::Message<'a>) -> Answer<Vec<u8>, abi::Failure>;
        Snapshot() -> Answer<Option<abi::StateOut>, abi::Failure>;
        Terminate(abi::StopReason<'a>, Option<u64>) -> Answer<abi::Legacy, abi::Failure>;
    }
}

impl Functions {
    fn new(store: &mut Store<Data>, instance: &Instance, exports: &Exports) -> wasmtime::Result<Self> {
        Ok(Self {
            describe: Checked::new(store, instance, &exports.describe)?,
            init: Checked::new(store, instance, &exports.init)?,
            r#continue: Checked::new(store, instance, &exports.r#continue)?,
            handle: Checked::new(store, instance, &exports.handle)?,
            snapshot: Checked::new(store, instance, &exports.snapshot)?,
            terminate: Checked::new(store, instance, &exports.terminate)?,
        })
    }
}

/// One live instance. After a crash it is of no more use, and is to be dropped.
pub(crate) struct Guest {
    store: Beside<Store<Data>>,
    functions: Functions,
    limits: Arc<Limits>,
    sandbox: Sandbox,
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
        let sandbox = program.sandbox().clone();
        let place = sandbox.places.take(env.place, within).await?;
        let linked = program.linked(limits.turn_fuel > 0).await?;
        let (pace, meter) = (Arc::new(Pace::default()), env.meter.clone());
        let wasi = program.uses_wasi().then(|| Box::new(Wasi::new(&env)));
        let data = Data {
            env,
            wasi,
            turn: Turn::new(TurnBase::outside(), Some(Instant::now() + within)),
            share: Share::of(sandbox.room().clone()),
            pace: pace.clone(),
            limit_met: None,
        };
        let mut store = Beside::new(Store::new(linked.pre.engine(), data), is_large);
        store.limiter(|data| data);
        store.set_epoch_deadline(1);
        store.epoch_deadline_callback(|context| tick(context.data()));
        set_fuel(&mut store, &limits);
        store.set_hostcall_fuel(COPIED_BYTES);
        let instantiated = linked.pre.instantiate_async(&mut *store);
        let instantiated = pace::run(instantiated, &pace, &meter, sandbox.lane());
        let instantiated = tokio::time::timeout(within + DEADLINE_GRACE, instantiated).await;
        store.data().end_of_turn();
        let instance = match instantiated {
            Ok(Ok(instance)) => instance,
            Ok(Err(error)) => return Err(sandbox.crashed("start", &error, &mut store, Some(within))),
            Err(_) => return Err(trap::timeout("start", Some(within))),
        };
        let functions =
            Functions::new(&mut store, &instance, &linked.exports).map_err(|error| trap::contract("start", &error))?;
        Ok(Self { store, functions, limits, sandbox, place })
    }

    /// Takes the place of `before` among the actors' instances, and leaves it its own.
    pub(crate) fn take_place_of(&mut self, before: &mut Self) {
        std::mem::swap(&mut self.place, &mut before.place);
    }

    /// Its linear memory, in bytes.
    pub(crate) fn memory_bytes(&self) -> usize {
        self.store.data().share.memory_bytes()
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
        data.pace.begin();
        if let Some(wasi) = &data.wasi {
            wasi.new_turn();
        }
        self.store.set_epoch_deadline(1);
        set_fuel(&mut self.store, &self.limits);
    }

    /// What the calls since the last time asked for, in order.
    pub(crate) fn take_effects(&mut self) -> Vec<Effect> {
        let turn = &mut self.store.data_mut().turn;
        // The actor's timers are about to change: this was only a look at them.
        turn.base.timers = Arc::default();
        std::mem::take(&mut turn.effects)
    }

    /// Calls an export within a deadline, and tells a crash from an answer.
    async fn call<P, R>(
        &mut self,
        during: &str,
        function: TypedFunc<P, R>,
        args: P,
        within: Option<Duration>,
        base: TurnBase,
    ) -> Result<R, Crash>
    where
        P: ComponentNamedList + Lower + Send + Sync,
        R: ComponentNamedList + Lift + Send + Sync + 'static,
    {
        self.begin(base, within);
        // A state is the largest that an answer holds, a body the largest that it hands to the host on the way.
        let largest = if matches!(during, "snapshot" | "terminate") { self.limits.snapshot_bytes } else { 0 };
        self.store.set_hostcall_fuel(largest.max(self.limits.message_bytes).saturating_add(COPIED_BYTES));
        let (pace, meter) = (self.store.data().pace.clone(), self.store.data().env.meter.clone());
        let called = function.call_async(&mut *self.store, args);
        let called = pace::run(called, &pace, &meter, self.sandbox.lane());
        let waited = match within {
            Some(within) => tokio::time::timeout(within + DEADLINE_GRACE, called).await,
            None => Ok(called.await),
        };
        self.store.data().end_of_turn();
        match waited {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) => Err(self.sandbox.crashed(during, &error, &mut self.store, within)),
            Err(_) => Err(trap::timeout(during, within)),
        }
    }

    fn turn_timeout(&self) -> Option<Duration> {
        Some(Duration::from_millis(self.limits.turn_timeout_ms))
    }

    pub(crate) async fn describe(&mut self, base: TurnBase) -> Result<Description, Crash> {
        let answer = self.call("describe", self.functions.describe.typed(), (), self.turn_timeout(), base).await?.0;
        super::program::checked(answer)
    }

    /// Whether `terminate` is to be called at a stop.
    pub(crate) async fn init(&mut self, args: &[u8], base: TurnBase) -> Result<Result<bool, Failure>, Crash> {
        let within = Some(Duration::from_millis(self.limits.start_timeout_ms));
        let actor = self.store.data().env.actor.clone();
        let context = abi::Context { actor: actor.as_str(), args };
        let answer = self.call("init", self.functions.init.typed(), (context,), within, base).await?.0;
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
        let answer = self.call("continue", self.functions.r#continue.typed(), args, within, base).await?.0;
        Ok(answer.map_err(Into::into))
    }

    pub(crate) async fn handle(
        &mut self,
        message: &Message,
        base: TurnBase,
    ) -> Result<Result<Vec<u8>, Failure>, Crash> {
        let answer =
            self.call("handle", self.functions.handle.typed(), (message.into(),), self.turn_timeout(), base).await?.0;
        if let Ok(reply) = &answer
            && reply.len() > self.limits.message_bytes
        {
            let met = LimitMet::new("message_bytes", self.limits.message_bytes);
            let message = format!("a reply of {} bytes: {met}", reply.len());
            return Err(Crash::new(CrashKind::Limit, "handle", message));
        }
        Ok(answer.map_err(Into::into))
    }

    pub(crate) async fn snapshot(&mut self, base: TurnBase) -> Result<Result<Option<State>, Failure>, Crash> {
        let answer = self.call("snapshot", self.functions.snapshot.typed(), (), self.turn_timeout(), base).await?.0;
        Ok(answer.map(|state| state.map(Into::into)).map_err(Into::into))
    }

    /// The last call. `within` is what the guest is told and held to; none: no limit.
    pub(crate) async fn terminate(
        &mut self,
        reason: &StopReason,
        within: Option<Duration>,
        base: TurnBase,
    ) -> Result<Result<Legacy, Failure>, Crash> {
        self.end(reason.into(), within, within, base).await
    }

    /// The same for whoever looks how a guest keeps to its time: it is told `told`, and held to `within`. `reason` is one of
    /// the contract's words, or another, as a later contract may have it.
    pub(crate) async fn terminate_watched(
        &mut self,
        reason: &str,
        told: Option<Duration>,
        within: Duration,
        base: TurnBase,
    ) -> Result<Result<Legacy, Failure>, Crash> {
        self.end(abi::StopReason::named(reason), told, Some(within), base).await
    }

    async fn end(
        &mut self,
        reason: abi::StopReason<'_>,
        told: Option<Duration>,
        within: Option<Duration>,
        base: TurnBase,
    ) -> Result<Result<Legacy, Failure>, Crash> {
        let told = told.map(|told| u64::try_from(told.as_millis()).unwrap_or(u64::MAX));
        let answer = self.call("terminate", self.functions.terminate.typed(), (reason, told), within, base).await?.0;
        Ok(answer.map(Into::into).map_err(Into::into))
    }
}
