//! One live instance of a plugin: a store of its own, its exports, and what its turn has asked for so far.

use std::collections::{BTreeMap, BTreeSet};
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::OwnedSemaphorePermit;
use wasmtime::component::{ComponentExportIndex, ComponentNamedList, Lift, Lower, TypedFunc};
use wasmtime::{Store, UpdateDeadline};

use super::contract::{Functions, Version, by_version};
use super::limiter::Share;
use super::meter::Meter;
use super::pace::{self, Beside, Pace};
use super::program::Program;
use super::wasi::Wasi;
use super::{Effect, GuestEnv, Sandbox, trap};
use crate::model::{
    Crash, CrashKind, Description, Failure, Handoff, Legacy, LimitMet, Limits, Message, MessageId, Refusal, State,
    StopReason,
};
use crate::telemetry::TraceContext;

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
    /// The actor's timers: names, and when they are due; none: it has none.
    pub(super) timers: Option<Arc<BTreeMap<String, u64>>>,
    /// The part of a trace that it is, for the calls that it makes.
    pub(crate) trace: Option<TraceContext>,
    /// When it began, if that was just now; none: the clock is to be read.
    pub(crate) began: Option<Instant>,
}

impl TurnBase {
    pub(crate) fn new(id: MessageId, timers: &Arc<BTreeMap<String, u64>>) -> Self {
        let timers = (!timers.is_empty()).then(|| timers.clone());
        Self { id, timers, trace: None, began: None }
    }

    /// For a call that is no turn of an actor.
    pub(crate) fn outside() -> Self {
        Self { id: MessageId::random(), timers: None, trace: None, began: None }
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

/// One live instance. After a crash it is of no more use, and is to be dropped.
pub(crate) struct Guest {
    store: Beside<Store<Data>>,
    functions: Functions,
    limits: Arc<Limits>,
    sandbox: Sandbox,
    /// Of its calls, as its store has it.
    pace: Arc<Pace>,
    /// Of its actor.
    meter: Arc<Meter>,
    place: OwnedSemaphorePermit,
}

impl std::fmt::Debug for Guest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Guest").field("actor", self.store.data().env.actor()).finish_non_exhaustive()
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
        let functions = (linked.exports.version.functions)(&mut store, &instance, &linked.exports)
            .map_err(|error| trap::contract("start", &error))?;
        Ok(Self { store, functions, limits, sandbox, pace, meter, place })
    }

    /// Takes the place of `before` among the actors' instances, and leaves it its own.
    pub(crate) fn take_place_of(&mut self, before: &mut Self) {
        std::mem::swap(&mut self.place, &mut before.place);
    }

    /// Its linear memory, in bytes.
    pub(crate) fn memory_bytes(&self) -> usize {
        self.store.data().share.memory_bytes()
    }

    /// When its last call ended; none: that was not looked at.
    pub(crate) fn answered_at(&self) -> Option<Instant> {
        self.pace.ended()
    }

    /// From now on nobody takes its calls: it is no actor's any more.
    pub(crate) fn detach(&mut self, nobody: Arc<dyn super::Outside>) {
        self.store.data_mut().env.outside = nobody;
    }

    /// What the calls since the last time asked for, in order.
    pub(crate) fn take_effects(&mut self) -> Vec<Effect> {
        let turn = &mut self.store.data_mut().turn;
        // The actor's timers are about to change: this was only a look at them.
        turn.base.timers = None;
        std::mem::take(&mut turn.effects)
    }

    /// The functions, and a call of one of them within a deadline.
    fn call(&mut self, during: &'static str, within: Option<Duration>, base: TurnBase) -> (&Functions, Call<'_>) {
        let Self { store, functions, limits, sandbox, pace, meter, .. } = self;
        (functions, Call { store, limits, sandbox, pace, meter, during, within, base })
    }

    fn turn_timeout(&self) -> Option<Duration> {
        Some(Duration::from_millis(self.limits.turn_timeout_ms))
    }

    pub(crate) async fn describe(&mut self, base: TurnBase) -> Result<Description, Crash> {
        let (functions, call) = self.call("describe", self.turn_timeout(), base);
        super::description::checked(by_version!(functions, it => it.describe(call).await)?)
    }

    /// Whether `terminate` is to be called at a stop.
    pub(crate) async fn init(&mut self, args: &[u8], base: TurnBase) -> Result<Result<bool, Failure>, Crash> {
        let within = Some(Duration::from_millis(self.limits.start_timeout_ms));
        let actor = self.store.data().env.actor().clone();
        let (functions, call) = self.call("init", within, base);
        by_version!(functions, it => it.init(call, actor.as_str(), args).await)
    }

    pub(crate) async fn r#continue(
        &mut self,
        generation: u64,
        handoff: Option<&Handoff>,
        base: TurnBase,
    ) -> Result<Result<(), Refusal>, Crash> {
        let within = Some(Duration::from_millis(self.limits.continue_timeout_ms));
        self.store.data().env.label.take_over(generation);
        let (functions, call) = self.call("continue", within, base);
        by_version!(functions, it => it.r#continue(call, generation, handoff).await)
    }

    pub(crate) async fn handle(
        &mut self,
        message: &Message,
        base: TurnBase,
    ) -> Result<Result<Vec<u8>, Failure>, Crash> {
        let most = self.limits.message_bytes;
        let (functions, call) = self.call("handle", self.turn_timeout(), base);
        let answer = by_version!(functions, it => it.handle(call, message).await)?;
        if let Ok(reply) = &answer
            && reply.len() > most
        {
            let message = format!("a reply of {} bytes: {}", reply.len(), LimitMet::new("message_bytes", most));
            return Err(Crash::new(CrashKind::Limit, "handle", message));
        }
        Ok(answer)
    }

    pub(crate) async fn snapshot(&mut self, base: TurnBase) -> Result<Result<Option<State>, Failure>, Crash> {
        let (functions, call) = self.call("snapshot", self.turn_timeout(), base);
        by_version!(functions, it => it.snapshot(call).await)
    }

    /// The last call. `within` is what the guest is told and held to; none: no limit.
    pub(crate) async fn terminate(
        &mut self,
        reason: &StopReason,
        within: Option<Duration>,
        base: TurnBase,
    ) -> Result<Result<Legacy, Failure>, Crash> {
        self.end(&reason.to_string(), within, within, base).await
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
        self.end(reason, told, Some(within), base).await
    }

    async fn end(
        &mut self,
        reason: &str,
        told: Option<Duration>,
        within: Option<Duration>,
        base: TurnBase,
    ) -> Result<Result<Legacy, Failure>, Crash> {
        let told = told.map(|told| u64::try_from(told.as_millis()).unwrap_or(u64::MAX));
        let (functions, call) = self.call("terminate", within, base);
        by_version!(functions, it => it.terminate(call, reason, told).await)
    }
}

/// One call into the guest, which is made by what knows the types of its version.
pub(super) struct Call<'a> {
    store: &'a mut Beside<Store<Data>>,
    limits: &'a Limits,
    sandbox: &'a Sandbox,
    pace: &'a Pace,
    meter: &'a Meter,
    during: &'static str,
    within: Option<Duration>,
    base: TurnBase,
}

impl Call<'_> {
    /// Calls an export within the deadline, and tells a crash from an answer.
    pub(super) async fn run<P, R>(self, function: TypedFunc<P, R>, args: P) -> Result<R, Crash>
    where
        P: ComponentNamedList + Lower + Send + Sync,
        R: ComponentNamedList + Lift + Send + Sync + 'static,
    {
        let Self { store, limits, sandbox, pace, meter, during, within, base } = self;
        let now = base.began.unwrap_or_else(Instant::now);
        begin(store, limits, base, within.map(|within| now + within));
        pace.begin(now);
        // A state is the largest that an answer holds, a body the largest that it hands to the host on the way.
        let largest = if matches!(during, "snapshot" | "terminate") { limits.snapshot_bytes } else { 0 };
        store.set_hostcall_fuel(largest.max(limits.message_bytes).saturating_add(COPIED_BYTES));
        let until = within.map(|within| (now + within + DEADLINE_GRACE).into());
        let waited = {
            // Pinned here: they are large, and would be copied each time that one goes into another.
            let called = pin!(function.call_async(&mut **store, args));
            let called = pin!(pace::run(called, pace, meter, sandbox.lane()));
            pace::by(until, called).await
        };
        store.data().end_of_turn();
        match waited {
            Some(Ok(answer)) => Ok(answer),
            Some(Err(error)) => Err(sandbox.crashed(during, &error, store, within)),
            None => Err(trap::timeout(during, within)),
        }
    }
}

fn begin(store: &mut Store<Data>, limits: &Limits, base: TurnBase, deadline: Option<Instant>) {
    let data = store.data_mut();
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
    store.set_epoch_deadline(1);
    set_fuel(store, limits);
}
