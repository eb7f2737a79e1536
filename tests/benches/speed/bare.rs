//! The floor: the same guests on wasmtime alone, with the same configuration, and nothing around them.

use std::num::NonZeroUsize;
use std::time::Duration;

use baton_tests::WatGuest;
use wasmtime::component::{Component, ComponentType, InstancePre, Lift, Linker, Lower, TypedFunc};
use wasmtime::{
    Config, Enabled, Engine, InstanceAllocationStrategy, PoolingAllocationConfig, Store, UpdateDeadline,
    WasmBacktraceDetails,
};

use crate::guests;

/// As `wit/` has it, as far as it is needed.
#[derive(ComponentType, Lower, Clone, Copy)]
#[component(variant)]
enum Message<'a> {
    #[component(name = "call")]
    Call(Request<'a>),
    #[allow(dead_code, reason = "the type has to be whole")]
    #[component(name = "cast")]
    Cast(Request<'a>),
    #[allow(dead_code, reason = "the type has to be whole")]
    #[component(name = "timer")]
    Timer(&'a str),
    #[allow(dead_code, reason = "the type has to be whole")]
    #[component(name = "down")]
    Down(Down<'a>),
    #[allow(dead_code, reason = "the type has to be whole")]
    #[component(name = "other")]
    Other((&'a str, &'a [u8])),
}

#[derive(ComponentType, Lower, Clone, Copy)]
#[component(record)]
struct Request<'a> {
    id: &'a str,
    sender: Option<&'a str>,
    body: &'a [u8],
}

#[derive(ComponentType, Lower, Clone, Copy)]
#[component(record)]
struct Down<'a> {
    actor: &'a str,
    reason: &'a str,
}

#[derive(ComponentType, Lift)]
#[component(record)]
struct Failure {
    #[allow(dead_code, reason = "the type has to be whole")]
    code: String,
    #[allow(dead_code, reason = "the type has to be whole")]
    message: String,
}

#[derive(ComponentType, Lower, Clone, Copy)]
#[component(record)]
struct Context<'a> {
    actor: &'a str,
    args: &'a [u8],
}

#[derive(ComponentType, Lift)]
#[component(record)]
struct Start {
    #[allow(dead_code, reason = "the type has to be whole")]
    #[component(name = "trap-exit")]
    trap_exit: bool,
}

type Handle = TypedFunc<(Message<'static>,), (Result<Vec<u8>, Failure>,)>;
type Init = TypedFunc<(Context<'static>,), (Result<Start, Failure>,)>;

/// A guest that is loaded.
pub(crate) struct Bare {
    engine: Engine,
    pre: InstancePre<()>,
    component: Component,
}

/// One live instance.
pub(crate) struct BareInstance {
    store: Store<()>,
    handle: Handle,
}

impl Bare {
    /// Loads `guest`, with room for so many instances.
    pub(crate) fn load(guest: &WatGuest, instances: u32) -> Self {
        let engine = Engine::new(&configuration(instances)).expect("an engine");
        let component = Component::new(&engine, guests::component(guest)).expect("it compiles");
        let mut linker = Linker::new(&engine);
        linker.define_unknown_imports_as_traps(&component).expect("imports are known");
        let pre = linker.instantiate_pre(&component).expect("it links");
        let weak = engine.weak();
        std::thread::spawn(move || {
            while let Some(engine) = weak.upgrade() {
                engine.increment_epoch();
                drop(engine);
                std::thread::sleep(Duration::from_millis(10));
            }
        });
        Self { engine, pre, component }
    }

    /// An instance, through its `init`.
    pub(crate) async fn start(&self) -> BareInstance {
        let mut store = Store::new(&self.engine, ());
        store.set_epoch_deadline(1);
        store.epoch_deadline_callback(|_| Ok(UpdateDeadline::Yield(1)));
        let instance = self.pre.instantiate_async(&mut store).await.expect("it starts");
        let (_, lifecycle) = self.component.get_export(None, "baton:actor/lifecycle@0.1.0").expect("it is exported");
        let index = |name| self.component.get_export(Some(&lifecycle), name).expect("it is exported").1;
        let init: Init = instance.get_typed_func(&mut store, index("init")).expect("its type");
        let handle: Handle = instance.get_typed_func(&mut store, index("handle")).expect("its type");
        let started = init.call_async(&mut store, (Context { actor: "bare/1", args: &[] },)).await;
        assert!(started.expect("it answers").0.is_ok());
        BareInstance { store, handle }
    }
}

impl BareInstance {
    /// One message and its reply.
    pub(crate) async fn call(&mut self, body: &'static [u8]) -> Vec<u8> {
        self.store.set_epoch_deadline(1);
        let request = Request { id: "00112233445566778899aabbccddeeff", sender: None, body };
        let answer = self.handle.call_async(&mut self.store, (Message::Call(request),)).await;
        answer.expect("it answers").0.ok().expect("no failure")
    }
}

/// Addresses to set aside for one memory, in bytes: what the host does unless told, or what 47 bits have room for.
pub(crate) fn reservation(instances: u32) -> usize {
    if instances > 16_000 { 256 << 20 } else { 4 << 30 }
}

/// What the host configures, number for number.
fn configuration(instances: u32) -> Config {
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(instances)
        .total_core_instances(instances.saturating_mul(8))
        .total_memories(instances)
        .total_tables(instances.saturating_mul(2))
        .total_stacks(instances)
        .table_elements(1 << 20)
        .max_memory_size(reservation(instances))
        .linear_memory_keep_resident(64 << 10)
        .table_keep_resident(64 << 10)
        .pagemap_scan(Enabled::Auto);
    let mut config = Config::new();
    config
        .allocation_strategy(InstanceAllocationStrategy::Pooling(pool))
        .memory_reservation(reservation(instances) as u64)
        .memory_init_cow(true)
        .epoch_interruption(true)
        .max_wasm_stack(512 << 10)
        .async_stack_size(2 << 20)
        .wasm_backtrace_max_frames(NonZeroUsize::new(32))
        .wasm_backtrace_details(WasmBacktraceDetails::Disable)
        .concurrency_support(false)
        .wasm_component_model(true);
    config
}
